/* stream_test.c -- answers that are streamed: from the loop and from threads, in chunks and with a length, with files behind
 * or alone; what slow and vanished readers cost, and how a producer sees each end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "client.h"
#include <semaphore.h>

#define H "Host: a\r\n"
#define STEP 10007 /* bytes of one write */

/* A producer of the tests: `left` bytes of big_body's pattern. */
struct making {
    struct body_producer producer;
    struct body_writer *writer;
    struct str rest; /* of the pattern */
    bool gives_up, waits, threaded, short_file;
    size_t file_n;
    sem_t room;
    pthread_t thread;
    struct arena *arena;
    bool gone;
};

static struct {
    atomic_size_t gone, sent, cut, busy, finished;
    struct making *waiting;
    atomic_size_t waiting_count;
} seen;

static void make_end(struct making *making)
{
    atomic_fetch_add(&seen.finished, 1);
    if (making->gives_up || making->gone)
        body_abort(making->writer);
    else if (making->file_n)
        body_write_file(making->writer, file_of(making->short_file ? making->file_n / 2 : making->file_n), 0, making->file_n,
                        site.workers);
    else
        body_finish(making->writer);
}

/* False: there is no room. */
static bool make_some(struct making *making)
{
    while (making->rest.n) {
        struct str piece = str_slice(making->rest, 0, STEP);
        size_t n = piece.n;
        enum err err = body_write(making->writer, &piece);
        making->rest = str_slice(making->rest, n - piece.n, making->rest.n);
        if (err == ERR_CLOSED)
            making->gone = true;
        if (err == ERR_CLOSED || err == ERR_INVALID)
            break;
        if (err == ERR_BUSY) {
            atomic_fetch_add(&seen.busy, 1);
            return false;
        }
    }
    return true;
}

static void on_writable(struct body_producer *producer)
{
    struct making *making = CONTAINER_OF(producer, struct making, producer);
    ENSURE(loop_current() == making->writer->loop);
    if (making->threaded)
        sem_post(&making->room);
    else if (make_some(making) && !making->waits)
        make_end(making);
}

static void on_gone(struct body_producer *producer)
{
    struct making *making = CONTAINER_OF(producer, struct making, producer);
    atomic_fetch_add(&seen.gone, 1);
    if (making->threaded)
        sem_post(&making->room);
    else
        body_abort(making->writer);
}

static void on_ended(struct body_producer *producer, bool sent)
{
    struct making *making = CONTAINER_OF(producer, struct making, producer);
    atomic_fetch_add(sent ? &seen.sent : &seen.cut, 1);
    if (making->threaded)
        pthread_join(making->thread, NULL);
    sem_destroy(&making->room);
    arena_free(making->arena);
    free(making);
}

static void *make_in_thread(void *arg)
{
    struct making *making = arg;
    while (!make_some(making))
        sem_wait(&making->room);
    make_end(making);
    return NULL;
}

/* A body that goes back as it comes. */
struct echoing {
    struct body_sink sink;
    struct body_producer producer;
    struct body_reader *reader;
    struct body_writer *writer;
    struct str rest; /* of the piece that is kept */
};

static enum body_want echo_piece(struct body_sink *sink, struct str piece)
{
    struct echoing *echoing = CONTAINER_OF(sink, struct echoing, sink);
    echoing->rest = piece;
    enum err err = body_write(echoing->writer, &echoing->rest);
    if (err == ERR_CLOSED)
        return BODY_STOP;
    return err == ERR_OK ? BODY_MORE : BODY_KEEP;
}

static void echo_writable(struct body_producer *producer)
{
    struct echoing *echoing = CONTAINER_OF(producer, struct echoing, producer);
    if (body_write(echoing->writer, &echoing->rest) != ERR_BUSY)
        body_next(echoing->reader);
}

static void echo_end(struct body_sink *sink, enum body_end how)
{
    struct echoing *echoing = CONTAINER_OF(sink, struct echoing, sink);
    if (how == BODY_WHOLE)
        body_finish(echoing->writer);
    else
        body_abort(echoing->writer);
}

static size_t param(const struct http_request *request, const char *name)
{
    const char *at = request->query.n ? memmem(request->query.p, request->query.n, name, strlen(name)) : NULL;
    return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

/* /make?n=1000&length=1000&… */
static void handle_making(struct http_request *request, void *arg)
{
    (void)arg;
    static struct http_header type = {{"Content-Type", 12}, {"text/x", 6}};
    struct http_response head = {
        .status = param(request, "status=") ? (int)param(request, "status=") : 200, .headers = &type, .header_count = 1};
    atomic_fetch_add(&site.handled, 1);
    if (str_eq(request->path, STR("/fixed"))) {
        http_respond_text(request, 200, "text/plain", STR("hello"));
        return;
    }
    if (str_eq(request->path, STR("/file"))) {
        http_respond_file(request, &head, file_of(param(request, "size=")), param(request, "from="), param(request, "n="),
                          site.workers);
        return;
    }
    if (str_eq(request->path, STR("/echo"))) {
        struct echoing *echoing = arena_zalloc(request->arena, sizeof(*echoing));
        echoing->sink = (struct body_sink){.piece = echo_piece, .end = echo_end};
        echoing->producer.writable = echo_writable;
        echoing->reader = http_body(request);
        echoing->writer = http_stream(request, &head, HTTP_LENGTH_UNKNOWN, &echoing->producer);
        body_read(echoing->reader, &echoing->sink);
        return;
    }
    struct making *making = mem_zalloc(sizeof(*making));
    making->arena = arena_new();
    making->rest = big_body(making->arena, param(request, "n="));
    making->file_n = param(request, "file=");
    making->gives_up = param(request, "giveup=");
    making->threaded = param(request, "thread=");
    making->waits = param(request, "wait=");
    making->short_file = param(request, "short=");
    sem_init(&making->room, 0, 0);
    making->producer = (struct body_producer){.writable = on_writable, .gone = on_gone, .ended = on_ended};
    uint64_t length = param(request, "length=") ? param(request, "length=") : HTTP_LENGTH_UNKNOWN;
    making->writer = http_stream(request, &head, length, &making->producer);
    if (making->waits) {
        make_some(making);
        seen.waiting = making;
        atomic_fetch_add(&seen.waiting_count, 1);
    } else if (making->threaded) {
        ENSURE(pthread_create(&making->thread, NULL, make_in_thread, making) == 0);
    } else if (make_some(making)) {
        make_end(making);
    }
}

static struct http_body_plan stream_all(const struct http_request *request, void *arg)
{
    (void)request;
    (void)arg;
    return (struct http_body_plan){.max = UINT64_MAX, .stream = true};
}

static void open_making(const struct http_limits *limits)
{
    memset(&seen, 0, sizeof seen);
    site_open(limits, &(struct http_listener_options){.handler = handle_making, .body_plan = stream_all});
}

static int open_usual(void **state)
{
    (void)state;
    open_making(NULL);
    return 0;
}

static int open_quick(void **state)
{
    (void)state;
    struct http_limits limits = http__limits_default;
    limits.write_stall_ms = 200;
    limits.drain_ms = 3000;
    open_making(&limits);
    return 0;
}

static void ask(int fd, const char *format, size_t n)
{
    char line[256], target[200];
    snprintf(target, sizeof target, "%s", format);
    snprintf(line, sizeof line, "GET %s%zu HTTP/1.1\r\n" H "\r\n", target, n);
    send_text(fd, line);
}

static void expect_pattern(int fd, size_t n)
{
    struct arena *arena = arena_new();
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_true(has_line(&answer, "Content-Type: text/x"));
    assert_true(str_eq(buf_str(&answer.body), big_body(arena, n)));
    arena_free(arena);
}

static void test_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 5000, NET_PIECE_BYTES - 1, NET_PIECE_BYTES, NET_PIECE_BYTES + 1, 1000000, 5000000};
    int fd = dial();
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (int threaded = 0; threaded < 2; threaded++) {
            char target[128];
            snprintf(target, sizeof target, "/make?thread=%d&n=", threaded);
            ask(fd, target, sizes[i]);
            ask(fd, "/fixed?", 0);
            expect_pattern(fd, sizes[i]);
            assert_true(has_line(&answer, "Transfer-Encoding: chunked"));
            expect(fd, 200, "hello");
            if (!sizes[i])
                continue;
            snprintf(target, sizeof target, "/make?thread=%d&length=%zu&n=", threaded, sizes[i]);
            ask(fd, target, sizes[i]);
            ask(fd, "/fixed?", 0);
            expect_pattern(fd, sizes[i]);
            assert_null(strstr(answer.head, "Transfer-Encoding"));
            expect(fd, 200, "hello");
        }
    }
    close(fd);
    wait_count(&seen.sent, 2 * COUNT_OF(sizes) + 2 * (COUNT_OF(sizes) - 1));
    assert_int_equal(atomic_load(&seen.cut) + atomic_load(&seen.gone), 0);
    assert_int_equal(atomic_load(&site.server->bodies_held.all), 0);
}

static void test_without_body(void **state)
{
    (void)state;
    int fd = dial();
    for (int threaded = 0; threaded < 2; threaded++) {
        char line[200];
        snprintf(line, sizeof line, "HEAD /make?thread=%d&length=300000&n=300000 HTTP/1.1\r\n" H "\r\n", threaded);
        send_text(fd, line);
        assert_true(read_answer(fd, &answer, true));
        assert_true(has_line(&answer, "Content-Length: 300000"));
        snprintf(line, sizeof line, "GET /make?thread=%d&status=204&n=300000 HTTP/1.1\r\n" H "\r\n", threaded);
        send_text(fd, line);
        assert_true(read_answer(fd, &answer, false));
        assert_int_equal(answer.status, 204);
        send_text(fd, "HEAD /make?file=100&n=30 HTTP/1.1\r\n" H "\r\n");
        assert_true(read_answer(fd, &answer, true));
    }
    send_text(fd, "GET /make?n=300000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"); /* no chunks there */
    expect_pattern(fd, 300000);
    assert_true(answer.until_close);
    close(fd);
    wait_count(&seen.sent, 7);
}

/* The memory of a stream is two pieces, however much its producer has. */
static void test_slow_reader(void **state)
{
    (void)state;
    int fd = dial();
    ask(fd, "/make?n=", 30000000);
    wait_count(&site.server->bodies_held.all, 2 * NET_PIECE_BYTES);
    char c;
    assert_true(read_byte(fd, &c) && c == 'H');
    assert_true(silent(fd, 0) || atomic_load(&seen.finished) == 0);
    for (size_t last = 0, busy; (busy = atomic_load(&seen.busy)) != last || !busy; last = busy)
        usleep(20000); /* until the socket is full */
    assert_int_equal(atomic_load(&seen.finished), 0);
    struct buf rest;
    buf_init(&rest, NULL, 64 << 20);
    char chunk[65536];
    for (ssize_t n; rest.n < 30000000 && (n = recv(fd, chunk, sizeof chunk, 0)) > 0;)
        buf_add(&rest, (struct str){chunk, (size_t)n});
    wait_count(&seen.sent, 1);
    buf_clear(&rest);
    close(fd);
}

static void test_cut(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "/make?giveup=1&n=",
        "/make?length=200000&n=",             /* fewer than were announced */
        "/make?length=300000&file=300000&n=", /* more */
        "/make?length=400000&short=1&file=300000&n=",
        "/make?short=1&file=300000&n=",
    };
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        int fd = dial();
        ask(fd, targets[i], 99999);
        assert_false(read_answer(fd, &answer, false));
        close(fd);
        wait_count(&seen.cut, i + 1);
    }
    int fd = dial(); /* a header that cannot be sent, a status that is none */
    ask(fd, "/make?wait=1&status=42&n=", 10);
    expect(fd, 500, "");
    wait_count(&seen.gone, 1);
    wait_count(&seen.cut, COUNT_OF(targets) + 1);
    close(fd);
    assert_int_equal(atomic_load(&seen.sent), 0);
}

static void test_gone(void **state)
{
    (void)state;
    static const char *const targets[] = {"/make?n=", "/make?thread=1&n=", "/make?wait=1&n=", "/file?size=30000000&n="};
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        int fd = dial();
        ask(fd, targets[i], 30000000);
        assert_true(read_byte(fd, &(char){0}));
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
        close(fd);
        wait_count(&site.server->all_count, 0);
    }
    wait_count(&seen.cut, 3);
    assert_int_equal(atomic_load(&seen.sent), 0);
    wait_count(&site.server->bodies_held.all, 0);
}

/* A client that does not read is let go; the producer hears of it. */
static void test_stall(void **state)
{
    (void)state;
    int fd = dial(), file = dial();
    ask(fd, "/make?n=", 30000000);
    ask(file, "/file?size=30000000&n=", 30000000);
    wait_count(&seen.gone, 1);
    wait_count(&seen.cut, 1);
    wait_count(&site.server->all_count, 0);
    close(fd);
    close(file);
}

static void test_files(void **state)
{
    (void)state;
    static const struct {
        size_t size, from, n;
    } rows[] = {{1, 0, 1}, {100000, 26, 99974}, {100000, 52, 1}, {5000000, 26 * 1000, 3000000}, {9000000, 0, 9000000}};
    int fd = dial();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char target[128];
        snprintf(target, sizeof target, "/file?size=%zu&from=%zu&n=", rows[i].size, rows[i].from);
        ask(fd, target, rows[i].n);
        ask(fd, "/fixed?", 0);
        expect_pattern(fd, rows[i].n);
        expect(fd, 200, "hello");
    }
    /* Behind pieces, in chunks and with a length. */
    struct arena *arena = arena_new();
    struct str file = big_body(arena, 3000000), piece = big_body(arena, 100000);
    for (int known = 0; known < 2; known++) {
        ask(fd, known ? "/make?length=3100000&file=3000000&n=" : "/make?file=3000000&n=", 100000);
        ask(fd, "/fixed?", 0);
        assert_true(read_answer(fd, &answer, false));
        assert_int_equal(answer.body.n, 3100000);
        assert_memory_equal(answer.body.p, piece.p, piece.n);
        assert_memory_equal(answer.body.p + piece.n, file.p, file.n);
        expect(fd, 200, "hello");
    }
    wait_count(&seen.sent, 2);
    close(fd);
    arena_free(arena);
}

static void *send_body(void *arg)
{
    int fd = *(int *)arg;
    struct arena *arena = arena_new();
    struct str body = big_body(arena, 8 << 20);
    send_all(fd, arena_printf(arena, "PUT /echo HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n", body.n));
    send_all(fd, body);
    arena_free(arena);
    return NULL;
}

/* Both ways at once: what comes goes back. */
static void test_echo(void **state)
{
    (void)state;
    int fd = dial();
    pthread_t sender;
    pthread_create(&sender, NULL, send_body, &fd);
    expect_pattern(fd, 8 << 20);
    pthread_join(sender, NULL);
    close(fd);
    wait_count(&site.server->bodies_held.all, 0);
    fd = dial(); /* and gone in the middle */
    send_text(fd, "PUT /echo HTTP/1.1\r\n" H "Content-Length: 100\r\n\r\nhello");
    assert_true(read_byte(fd, &(char){0}));
    close(fd);
    wait_count(&site.server->all_count, 0);
    wait_count(&site.server->bodies_held.all, 0);
}

/* No memory for the answer: another one goes out, and who reads the body and makes the answer hears of it by either way. */
static void test_budget(void **state)
{
    (void)state;
    site_close();
    struct http_limits limits = http__limits_default;
    limits.bodies_bytes_max = 2 * NET_PIECE_BYTES;
    open_making(&limits);
    int fd = dial();
    send_text(fd, "PUT /echo HTTP/1.1\r\n" H "Content-Length: 100\r\n\r\nhello");
    expect(fd, 503, "");
    close(fd);
    wait_count(&site.server->all_count, 0);
    wait_count(&site.server->bodies_held.all, 0);
}

/* What nobody finished when the server ends. */
static void test_server_ends(void **state)
{
    (void)state;
    int fd = dial();
    ask(fd, "/make?wait=1&n=", 10);
    wait_count(&seen.waiting_count, 1);
    site.server->limits.drain_ms = 50;
    http_server_drain(site.server);
    wait_count(&seen.cut, 1);
    close(fd);
}

#define TEST(name, open) cmocka_unit_test_setup_teardown(name, open, close_site)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole, open_usual),       TEST(test_without_body, open_usual), TEST(test_slow_reader, open_usual),
        TEST(test_cut, open_usual),         TEST(test_gone, open_usual),         TEST(test_stall, open_quick),
        TEST(test_files, open_usual),       TEST(test_echo, open_usual),         TEST(test_budget, open_usual),
        TEST(test_server_ends, open_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
