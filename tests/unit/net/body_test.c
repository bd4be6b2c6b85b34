/* body_test.c -- request bodies that are read in pieces: over the socket, from memory, through workers, into files; what a
 * slow reader costs, and each way in which a body can end. Waits are milliseconds here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "client.h"
#include <sys/stat.h>

#define H "Host: a\r\n"

/* A consumer of the tests: counts, hashes, keeps pieces while `site` says so, and answers with what it saw. */
struct reading {
    struct body_sink sink;
    struct http_request *request;
    struct body_reader *reader;
    size_t n, pieces;
    size_t keeps_from; /* the first piece behind so many bytes as well; 0: no */
    bool keep, early, finished;
    struct body_writer *writer; /* of an answer that has begun before the body is asked for */
    struct body_worker worker;
    struct loop_task begin;
};

static struct {
    pthread_mutex_t lock;
    struct reading *kept; /* it has a piece; under lock */
    struct http_request *waiting;
    atomic_size_t ends[5], kept_count, worked, waiting_count;
    atomic_size_t worker_fails_at; /* 0: never */
    atomic_size_t looked;
    atomic_bool all_came;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void answer_seen(struct reading *reading, enum body_end how)
{
    struct arena *arena = reading->request->arena;
    char hex[2 * SHA256_BYTES + 1] = "";
    for (size_t i = 0; i < SHA256_BYTES && how == BODY_WHOLE; i++)
        snprintf(hex + 2 * i, 3, "%02x", reading->sink.sha256[i]);
    atomic_fetch_add(&seen.ends[how], 1);
    http_respond_text(reading->request, body_end_status(how), "text/plain", arena_printf(arena, "%zu %s", reading->n, hex));
}

static enum body_want on_piece(struct body_sink *sink, struct str piece)
{
    struct reading *reading = CONTAINER_OF(sink, struct reading, sink);
    ENSURE(loop_current() == reading->request->loop && !reading->finished);
    ENSURE(piece.n > 0 && (piece.n <= NET_PIECE_LARGE_BYTES || reading->request->body.n));
    reading->n += piece.n;
    reading->pieces++;
    if (reading->keeps_from && reading->n > reading->keeps_from) {
        reading->keeps_from = 0;
        reading->keep = true;
    }
    if (reading->early) {
        reading->finished = true;
        http_respond_text(reading->request, 403, "text/plain", STR("no"));
        return BODY_STOP;
    }
    if (!reading->keep)
        return BODY_MORE;
    pthread_mutex_lock(&seen.lock);
    seen.kept = reading;
    pthread_mutex_unlock(&seen.lock);
    atomic_fetch_add(&seen.kept_count, 1);
    return BODY_KEEP;
}

static void on_end(struct body_sink *sink, enum body_end how)
{
    struct reading *reading = CONTAINER_OF(sink, struct reading, sink);
    ENSURE(!reading->finished);
    reading->finished = true;
    if (reading->writer)
        body_finish(reading->writer);
    else
        answer_seen(reading, how);
}

static enum err work_piece(struct body_worker *worker, struct str piece)
{
    struct reading *reading = CONTAINER_OF(worker, struct reading, worker);
    ENSURE(!loop_current());
    reading->n += piece.n;
    atomic_fetch_add(&seen.worked, 1);
    return atomic_load(&seen.worker_fails_at) && reading->n >= atomic_load(&seen.worker_fails_at) ? ERR_IO : ERR_OK;
}

static void work_done(struct body_worker *worker, enum body_end how, enum err err)
{
    struct reading *reading = CONTAINER_OF(worker, struct reading, worker);
    if (err == ERR_OK)
        answer_seen(reading, how);
    else
        http_respond_text(reading->request, 500, "text/plain", STR("failed"));
}

static void spooled(const struct body_file *file, void *arg)
{
    struct reading *reading = arg;
    struct stat at;
    memcpy(reading->sink.sha256, file->sha256, SHA256_BYTES);
    reading->n = (size_t)file->n;
    if (file->err != ERR_OK) {
        assert_int_equal(file->fd, -1);
        http_respond_text(reading->request, 507, "text/plain", str_of(err_text(file->err)));
        return;
    }
    if (file->how == BODY_WHOLE) {
        ENSURE(fstat(file->fd, &at) == 0 && (uint64_t)at.st_size == file->n && at.st_nlink == 0);
        ENSURE(lseek(file->fd, 0, SEEK_CUR) == 0);
        close(file->fd);
    } else {
        ENSURE(file->fd == -1);
    }
    answer_seen(reading, file->how);
}

static void handle_body(struct http_request *request, void *arg)
{
    (void)arg;
    atomic_fetch_add(&site.handled, 1);
    struct str path = request->path;
    struct reading *reading = arena_zalloc(request->arena, sizeof(*reading));
    reading->request = request;
    reading->sink = (struct body_sink){.piece = on_piece, .end = on_end, .hashed = true};
    bool begun = str_eq(path, STR("/begun"));
    if (begun || str_eq(path, STR("/wait"))) { /* the body is not asked for yet */
        if (begun) {
            reading->writer = http_stream(request, &(struct http_response){.status = 200}, HTTP_LENGTH_UNKNOWN, NULL);
            ENSURE(body_write(reading->writer, &(struct str){"begun", 5}) == ERR_OK);
        }
        seen.waiting = request;
        request->user = reading;
        atomic_fetch_add(&seen.waiting_count, 1);
        return;
    }
    if (str_eq(path, STR("/fixed"))) {
        http_respond_text(request, 200, "text/plain", STR("hello"));
        return;
    }
    reading->reader = http_body(request);
    reading->keep = str_eq(path, STR("/keep")) || str_eq(path, STR("/last"));
    reading->keeps_from = str_eq(request->query, STR("late")) ? 4 * NET_PIECE_LARGE_FROM : 0;
    reading->early = str_eq(path, STR("/early"));
    if (str_eq(path, STR("/worker"))) {
        reading->worker = (struct body_worker){.run = work_piece, .done = work_done, .workers = site.workers, .lane = LANE_BODY};
        body_read_on_worker(reading->reader, &reading->worker);
    } else if (str_eq(path, STR("/spool"))) {
        body_spool(reading->reader, "/tmp", site.workers, spooled, reading);
    } else if (str_eq(path, STR("/nowhere"))) {
        body_spool(reading->reader, "/nowhere", site.workers, spooled, reading);
    } else if (str_eq(path, STR("/refuse"))) {
        http_respond_text(request, 403, "text/plain", STR("no"));
    } else {
        body_read(reading->reader, &reading->sink);
        if (str_eq(path, STR("/asked")))
            http_respond_text(request, 403, "text/plain", STR("no"));
    }
}

static struct http_body_plan stream_all(const struct http_request *request, void *arg)
{
    (void)arg;
    if (str_eq(request->path, STR("/gathered")))
        return (struct http_body_plan){.max = 1 << 20};
    return (struct http_body_plan){.max = str_eq(request->query, STR("small")) ? 100 : UINT64_MAX, .stream = true};
}

static void open_streaming(const struct http_limits *limits)
{
    for (size_t i = 0; i < COUNT_OF(seen.ends); i++)
        atomic_store(&seen.ends[i], 0);
    seen.kept = NULL;
    atomic_store(&seen.kept_count, 0);
    atomic_store(&seen.waiting_count, 0);
    atomic_store(&seen.worked, 0);
    atomic_store(&seen.looked, 0);
    atomic_store(&seen.all_came, false);
    atomic_store(&seen.worker_fails_at, 0);
    site_open(limits, &(struct http_listener_options){.handler = handle_body, .body_plan = stream_all, .body_unasked = 2});
}

static int open_usual(void **state)
{
    (void)state;
    open_streaming(NULL);
    return 0;
}

static int open_quick(void **state)
{
    (void)state;
    struct http_limits limits = http__limits_default;
    limits.body_stall_ms = 150;
    limits.linger_ms = 200;
    limits.drain_ms = 3000;
    open_streaming(&limits);
    return 0;
}

static void release_kept(void)
{
    pthread_mutex_lock(&seen.lock);
    struct reading *reading = seen.kept;
    seen.kept = NULL;
    pthread_mutex_unlock(&seen.lock);
    ENSURE(reading);
    reading->keep = false;
    body_next(reading->reader);
}

/* What /any answers for that body. */
static char *digest_of(struct str body)
{
    static char text[128];
    struct arena *arena = arena_new();
    snprintf(text, sizeof text, "%zu " STR_FMT, body.n, STR_ARG(sha256_hex(arena, body)));
    arena_free(arena);
    return text;
}

static void send_chunked(int fd, const char *path, struct str body)
{
    char line[200];
    snprintf(line, sizeof line, "PUT %s HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", path);
    send_text(fd, line);
    for (size_t at = 0, n; at < body.n; at += n) {
        n = body.n - at < 3 + at ? body.n - at : 3 + at;
        snprintf(line, sizeof line, "%zx\r\n", n);
        send_text(fd, line);
        send_all(fd, str_slice(body, at, at + n));
        send_text(fd, "\r\n");
    }
    send_text(fd, "0\r\nT: v\r\n\r\n");
}

static void send_length(int fd, const char *path, struct str body)
{
    char line[200];
    snprintf(line, sizeof line, "PUT %s HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n", path, body.n);
    send_text(fd, line);
    send_all(fd, body);
}

/* Every size through every consumer, both framings, one connection: so each body ends where the next request begins. */
static void test_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,      1,      2, 3, 1000, 16000, NET_PIECE_BYTES - 1, NET_PIECE_BYTES, NET_PIECE_BYTES + 1,
                                   300000, 5000000};
    static const char *const paths[] = {"/any", "/worker", "/spool", "/gathered"};
    struct arena *arena = arena_new();
    int fd = dial();
    for (size_t p = 0; p < COUNT_OF(paths); p++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            struct str body = big_body(arena, sizes[i]);
            if (p == 3 && body.n > 1 << 20)
                continue;
            for (int chunked = 0; chunked < 2; chunked++) {
                (chunked ? send_chunked : send_length)(fd, paths[p], body);
                assert_true(read_answer(fd, &answer, false));
                assert_int_equal(answer.status, 200);
                if (p == 1) /* no digest there */
                    assert_int_equal(strtoul(answer.body.p, NULL, 10), body.n);
                else if (!str_eq(buf_str(&answer.body), str_of(digest_of(body))))
                    fail_msg("%s %zu %d: " STR_FMT, paths[p], sizes[i], chunked, STR_ARG(buf_str(&answer.body)));
                send_text(fd, "GET /fixed HTTP/1.1\r\n" H "\r\n");
                expect(fd, 200, "hello");
            }
        }
    }
    close(fd);
    assert_int_equal(atomic_load(&site.server->bodies_held.all), 0);
    arena_free(arena);
}

struct sending {
    int fd;
    struct str body;
};

static void *send_in_thread(void *arg)
{
    const struct sending *sending = arg;
    send_length(sending->fd, "/keep?late", sending->body);
    return NULL;
}

/* A reader that keeps a piece stops the sender; memory is two pieces. */
static void test_pressure(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct str body = big_body(arena, 24 << 20);
    for (int chunked = 0; chunked < 2; chunked++) {
        int fd = dial();
        struct timeval brief = {.tv_usec = 100000};
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &brief, sizeof brief);
        char head[128];
        snprintf(head, sizeof head,
                 chunked ? "PUT /keep HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n%zx\r\n"
                         : "PUT /keep HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n",
                 body.n);
        send_text(fd, head);
        struct str rest = body;
        for (ssize_t n; rest.n && (n = send(fd, rest.p, rest.n, MSG_NOSIGNAL)) > 0;)
            rest = str_slice(rest, (size_t)n, rest.n);
        assert_true(rest.n > 0); /* the socket is full */
        wait_count(&seen.kept_count, (size_t)chunked + 1);
        wait_count(&site.server->bodies_held.all, 2 * NET_PIECE_BYTES);
        struct timeval usual = {.tv_sec = 10};
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &usual, sizeof usual);
        release_kept();
        assert_true(send_all(fd, rest));
        if (chunked)
            send_text(fd, "\r\n0\r\n\r\n");
        expect(fd, 200, digest_of(body));
        assert_int_equal(atomic_load(&site.server->bodies_held.all), 0);
        close(fd);
    }
    arena_free(arena);
}

static void begin_reading(struct loop_task *task)
{
    struct reading *reading = CONTAINER_OF(task, struct reading, begin);
    body_read(reading->reader, &reading->sink);
}

/* A long body comes to have larger pieces, if there is memory for them. */
static void test_long(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct str body = big_body(arena, 24 << 20);
    for (int scarce = 0; scarce < 2; scarce++) {
        if (scarce) {
            site_close();
            struct http_limits limits = http__limits_default;
            limits.bodies_bytes_max = 3 * NET_PIECE_BYTES;
            open_streaming(&limits);
        }
        int fd = dial();
        pthread_t sender;
        struct sending sending = {fd, body};
        ENSURE(pthread_create(&sender, NULL, send_in_thread, &sending) == 0);
        wait_count(&seen.kept_count, 1);
        release_kept();
        wait_count(&seen.kept_count, 2);
        wait_count(&site.server->bodies_held.all, 2 * (scarce ? NET_PIECE_BYTES : NET_PIECE_LARGE_BYTES));
        release_kept();
        pthread_join(sender, NULL);
        expect(fd, 200, digest_of(body));
        assert_int_equal(atomic_load(&site.server->bodies_held.all), 0);
        close(fd);
    }
    arena_free(arena);
}

/* On its loop. */
static void read_waiting(void)
{
    struct reading *reading = seen.waiting->user;
    reading->reader = http_body(seen.waiting);
    reading->begin.run = begin_reading;
    loop_post(seen.waiting->loop, &reading->begin);
}

static void test_expect_continue(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "PUT /wait HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    wait_count(&seen.waiting_count, 1);
    assert_true(silent(fd, 30)); /* nobody reads */
    read_waiting();
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 100);
    send_text(fd, "hello");
    expect(fd, 200, digest_of(STR("hello")));
    /* Refused before it was asked for: no 100, and the connection ends, as a body might follow. */
    send_text(fd, "PUT /refuse HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    expect(fd, 403, "no");
    assert_true(has_line(&answer, "Connection: close"));
    assert_true(ended(fd));
    close(fd);
    fd = dial(); /* the body came along */
    send_text(fd, "PUT /any HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
    expect(fd, 200, digest_of(STR("hello")));
    close(fd);
    fd = dial(); /* asked for, and answered before anything was said */
    send_text(fd, "PUT /asked HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    expect(fd, 403, "no");
    assert_true(ended(fd));
    close(fd);
    fd = dial(); /* asked for when the answer has begun */
    send_text(fd, "PUT /begun HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    wait_count(&seen.waiting_count, 2);
    assert_false(silent(fd, 10000));
    read_waiting();
    send_text(fd, "hello");
    expect(fd, 200, "begun");
    assert_true(ended(fd));
    close(fd);
}

/* The loop has seen all of that body. */
static void look_for_end(struct loop_task *task)
{
    struct reading *reading = CONTAINER_OF(task, struct reading, begin);
    atomic_store(&seen.all_came, CONTAINER_OF(reading->reader, struct http_inflow, reader)->ended);
    atomic_fetch_add(&seen.looked, 1);
}

static void next_piece(struct loop_task *task)
{
    body_next(CONTAINER_OF(task, struct reading, begin)->reader);
}

/* The client goes when all has come and a part of it waits for the sink, which then answers while it is called. */
static void test_answered_when_gone(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "PUT /last HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nhello");
    wait_count(&seen.kept_count, 1);
    send_text(fd, "again");
    struct reading *reading = seen.kept;
    struct loop *loop = reading->request->loop;
    reading->begin.run = look_for_end;
    for (size_t i = 1; !atomic_load(&seen.all_came); i++) {
        loop_post(loop, &reading->begin);
        wait_count(&seen.looked, i);
    }
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(fd);
    wait_count(&site.server->all_count, 0);
    reading->early = true;
    reading->begin.run = next_piece;
    loop_post(loop, &reading->begin);
    wait_count(&site.server->bodies_held.all, 0);
}

/* An answer in the middle arrives, though most of the body is never read. */
static void test_early(void **state)
{
    (void)state;
    static const char *const paths[] = {"/early", "/refuse"};
    struct arena *arena = arena_new();
    struct str body = big_body(arena, 5 << 20);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        int fd = dial();
        send_length(fd, paths[i], body);
        expect(fd, 403, "no");
        assert_true(has_line(&answer, "Connection: close"));
        assert_true(ended(fd));
        close(fd);
    }
    wait_count(&site.server->all_count, 0);
    assert_int_equal(atomic_load(&site.server->bodies_held.all), 0);
    arena_free(arena);
}

static void test_ends(void **state)
{
    (void)state;
    int fd = dial(); /* known to be too long: no handler sees it */
    send_text(fd, "PUT /any?small HTTP/1.1\r\n" H "Content-Length: 101\r\n\r\n");
    expect(fd, 413, "");
    close(fd);
    assert_int_equal(atomic_load(&site.handled), 0);
    fd = dial(); /* found out on the way */
    send_text(fd, "PUT /any?small HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n64\r\n");
    char hundred[101] = {0};
    memset(hundred, 'x', 100);
    send_text(fd, hundred);
    send_text(fd, "\r\n1\r\nx\r\n0\r\n\r\n");
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 413);
    assert_true(ended(fd));
    close(fd);
    assert_int_equal(atomic_load(&seen.ends[BODY_TOO_LARGE]), 1);
    fd = dial();
    send_text(fd, "PUT /any HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhello5\r\n");
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 400);
    close(fd);
    assert_int_equal(atomic_load(&seen.ends[BODY_MALFORMED]), 1);
    fd = dial(); /* half closed in the middle: it still hears the answer */
    send_text(fd, "PUT /any HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\nhello");
    shutdown(fd, SHUT_WR);
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 499);
    close(fd);
    assert_int_equal(atomic_load(&seen.ends[BODY_GONE]), 1);
    for (size_t i = 0; i < 2; i++) { /* reset in the middle */
        fd = dial();
        send_text(fd, i ? "PUT /spool HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\nhello"
                        : "PUT /any HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\nhello");
        wait_count(&site.handled, 4 + i);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
        close(fd);
        wait_count(&seen.ends[BODY_GONE], 2 + i);
    }
    wait_count(&site.server->all_count, 0);
    wait_count(&site.server->bodies_held.all, 0);
}

static void test_stall(void **state)
{
    (void)state;
    static const char *const paths[] = {"/any", "/worker", "/spool"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        int fd = dial();
        char text[128];
        snprintf(text, sizeof text, "PUT %s HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\nhello", paths[i]);
        send_text(fd, text);
        assert_true(read_answer(fd, &answer, false));
        assert_int_equal(answer.status, 408);
        assert_true(ended(fd));
        close(fd);
        assert_int_equal(atomic_load(&seen.ends[BODY_STALLED]), i + 1);
    }
    /* A slow reader is not a slow sender. */
    int fd = dial();
    send_text(fd, "PUT /keep HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhel");
    wait_count(&seen.kept_count, 1);
    int full = dial();
    send_text(full, "PUT /wait HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\n");
    wait_count(&seen.waiting_count, 1);
    send_text(fd, "lo");
    assert_true(silent(full, 400));
    assert_int_equal(atomic_load(&seen.ends[BODY_STALLED]), COUNT_OF(paths));
    release_kept();
    expect(fd, 200, digest_of(STR("hello")));
    http_respond_from(seen.waiting, &(struct http_response){.status = 200, .body = STR("late")});
    expect(full, 200, "late");
    close(full);
    close(fd);
}

static void test_failures(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct str body = big_body(arena, 1 << 20);
    atomic_store(&seen.worker_fails_at, 200000);
    int fd = dial();
    send_length(fd, "/worker", body);
    expect(fd, 500, "failed");
    assert_true(ended(fd));
    close(fd);
    assert_true(atomic_load(&seen.worked) <= 200000 / 1000);
    fd = dial();
    send_length(fd, "/nowhere", STR("hello"));
    expect(fd, 507, "input/output failed");
    close(fd);
    wait_count(&site.server->bodies_held.all, 0);
    arena_free(arena);
}

/* Behind answers that are due, and before requests that wait; nothing overtakes. */
static void test_order(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /wait HTTP/1.1\r\n" H "\r\nPUT /any HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhelloGET /fixed HTTP/1.1\r\n" H
                  "\r\n");
    wait_count(&seen.waiting_count, 1);
    assert_true(silent(fd, 30));
    assert_int_equal(atomic_load(&site.handled), 1);
    http_respond_from(seen.waiting, &(struct http_response){.status = 200, .body = STR("1")});
    expect(fd, 200, "1");
    expect(fd, 200, digest_of(STR("hello")));
    expect(fd, 200, "hello");
    /* HTTP/1.0 and Connection: close end behind the body, not before it. */
    send_text(fd, "PUT /any HTTP/1.1\r\n" H "Connection: close\r\nContent-Length: 5\r\n\r\nhe");
    wait_count(&site.handled, 4);
    send_text(fd, "llo");
    expect(fd, 200, digest_of(STR("hello")));
    assert_true(ended(fd));
    close(fd);
}

/* No memory for another body. */
static void test_budget(void **state)
{
    (void)state;
    site_close();
    struct http_limits limits = http__limits_default;
    limits.bodies_bytes_max = NET_PIECE_BYTES + NET_PIECE_BYTES / 2;
    open_streaming(&limits);
    int one = dial(), two = dial();
    send_text(one, "PUT /keep HTTP/1.1\r\n" H "Content-Length: 100000\r\n\r\nhel");
    wait_count(&seen.kept_count, 1);
    send_text(two, "PUT /any HTTP/1.1\r\n" H "Content-Length: 100000\r\n\r\nhel");
    expect(two, 503, "");
    assert_true(has_line(&answer, "Retry-After: 1"));
    /* It goes on with the one piece that it has. */
    struct arena *arena = arena_new();
    struct str body = big_body(arena, 100000);
    release_kept();
    send_all(one, str_slice(body, 3, 100000));
    assert_true(read_answer(one, &answer, false));
    assert_int_equal(strtoul(answer.body.p, NULL, 10), 100000);
    close(one);
    close(two);
    arena_free(arena);
}

/* The server ends while bodies are on their way and pieces are kept. */
static void test_server_ends(void **state)
{
    (void)state;
    int one = dial(), two = dial(), three = dial();
    send_text(one, "PUT /any HTTP/1.1\r\n" H "Content-Length: 100\r\n\r\nhel");
    send_text(two, "PUT /spool HTTP/1.1\r\n" H "Content-Length: 100\r\n\r\nhel");
    send_text(three, "PUT /keep HTTP/1.1\r\n" H "Content-Length: 100\r\n\r\nhel");
    wait_count(&site.handled, 3);
    wait_count(&seen.kept_count, 1);
    site.server->limits.drain_ms = 50;
    http_server_drain(site.server);
    wait_count(&seen.ends[BODY_GONE], 2);
    release_kept();
    wait_count(&seen.ends[BODY_GONE], 3);
    close(one);
    close(two);
    close(three);
}

#define TEST(name, open) cmocka_unit_test_setup_teardown(name, open, close_site)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole, open_usual),
        TEST(test_pressure, open_usual),
        TEST(test_expect_continue, open_usual),
        TEST(test_early, open_quick),
        TEST(test_ends, open_usual),
        TEST(test_stall, open_quick),
        TEST(test_failures, open_quick),
        TEST(test_order, open_usual),
        TEST(test_budget, open_usual),
        TEST(test_server_ends, open_usual),
        TEST(test_answered_when_gone, open_usual),
        TEST(test_long, open_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
