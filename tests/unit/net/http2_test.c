/* http2_test.c -- HTTP/2 over loopback: requests, bodies and answers both ways, limits, windows, floods, drain. The client is
 * nghttp2's; floods are bytes. Waits are milliseconds here. How frames are to be answered at all: h2spec, tests/e2e/http2_test.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "client.h"
#include <nghttp2/nghttp2.h>

#define PREFACE NGHTTP2_CLIENT_MAGIC

/* ---- the client ---- */

struct got_stream {
    int32_t id;
    int status, informational; /* informational: the last one below 200 */
    struct buf head, body;     /* head: "name: value\n" */
    bool closed, ended;
    uint32_t code;   /* with which it was closed */
    struct str send; /* the body, what is left of it */
    size_t sent;
    size_t trailers; /* bytes of the one that follows the body; 0: none */
    bool endless;
};

struct h2_client {
    int fd;
    nghttp2_session *session;
    struct got_stream stream[200];
    size_t count;
    bool goaway, closed, no_updates;
    uint32_t goaway_code;
};

static struct h2_client client;

static struct got_stream *stream_of(int32_t id)
{
    for (size_t i = 0; i < client.count; i++)
        if (client.stream[i].id == id)
            return &client.stream[i];
    return NULL;
}

static int on_client_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                            const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    (void)session, (void)flags, (void)arg;
    struct got_stream *got = stream_of(frame->hd.stream_id);
    buf_printf(&got->head, "%.*s: %.*s\n", (int)name_n, (const char *)name, (int)value_n, (const char *)value);
    if (name_n == 7 && !memcmp(name, ":status", 7)) {
        int status = atoi((const char *)value);
        *(status < 200 ? &got->informational : &got->status) = status;
    }
    return 0;
}

static int on_client_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
    (void)flags, (void)arg;
    buf_add(&stream_of(id)->body, (struct str){(const char *)p, n});
    if (!client.no_updates)
        nghttp2_session_consume(session, id, n);
    return 0;
}

static int on_client_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session, (void)arg;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        client.goaway = true;
        client.goaway_code = frame->goaway.error_code;
    }
    struct got_stream *got = stream_of(frame->hd.stream_id);
    if (got && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS))
        got->ended = true;
    return 0;
}

static int on_client_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    (void)session, (void)arg;
    struct got_stream *got = stream_of(id);
    if (got) {
        got->closed = true;
        got->code = code;
    }
    return 0;
}

static void client_open(void)
{
    for (size_t i = 0; i < client.count; i++) {
        buf_clear(&client.stream[i].head);
        buf_clear(&client.stream[i].body);
    }
    client = (struct h2_client){.fd = dial()};
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    ENSURE(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_client_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_client_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_client_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_client_close);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_http_messaging(option, 1); /* a client that may be wrong */
    nghttp2_option_set_peer_max_concurrent_streams(option, 1000);
    ENSURE(nghttp2_session_client_new2(&client.session, callbacks, NULL, option) == 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    nghttp2_submit_settings(client.session, 0, NULL, 0);
}

static void client_close(void)
{
    nghttp2_session_del(client.session);
    client.session = NULL;
    close(client.fd);
}

static void client_send(void)
{
    const uint8_t *p;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(client.session, &p)) > 0)
        if (!send_all(client.fd, (struct str){(const char *)p, (size_t)n}))
            break;
}

/* Sends what is due and reads once; false: nothing came within the time, or the end. */
static bool client_step(int ms)
{
    char input[65536];
    client_send();
    struct pollfd p = {.fd = client.fd, .events = POLLIN};
    if (poll(&p, 1, ms) <= 0)
        return false;
    ssize_t n = recv(client.fd, input, sizeof input, 0);
    if (n <= 0) {
        client.closed = true;
        return false;
    }
    nghttp2_session_mem_recv(client.session, (const uint8_t *)input, (size_t)n);
    return true;
}

static void client_until(const bool *what)
{
    while (!*what && client_step(10000))
        ;
    if (!*what)
        fail_msg("it did not come");
}

static ssize_t on_client_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t room, uint32_t *flags,
                              nghttp2_data_source *source, void *arg)
{
    (void)arg, (void)source;
    struct got_stream *got = stream_of(id);
    size_t n = got->send.n < room ? got->send.n : room;
    if (n)
        memcpy(buf, got->send.p, n);
    got->send = str_slice(got->send, n, got->send.n);
    got->sent += n;
    if (got->send.n)
        return (ssize_t)n;
    if (got->endless)
        return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (got->trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        static uint8_t value[40000];
        memset(value, '7', sizeof value);
        nghttp2_nv nv = {(uint8_t *)(uintptr_t) "x-sum", value, 5, got->trailers, 0};
        nghttp2_submit_trailer(session, id, &nv, 1);
    }
    return (ssize_t)n;
}

static nghttp2_nv pair_of(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), 0};
}

/* pairs: name, value, …, NULL. */
static struct got_stream *client_ask(const char *method, const char *path, const struct str *body, const char *const *pairs)
{
    nghttp2_nv nv[300] = {pair_of(":method", method), pair_of(":scheme", "http"), pair_of(":path", path),
                          pair_of(":authority", "here:80")};
    size_t count = 4;
    for (; pairs && *pairs; pairs += 2)
        nv[count++] = pair_of(pairs[0], pairs[1]);
    struct got_stream *got = &client.stream[client.count++];
    *got = (struct got_stream){0};
    buf_init(&got->head, NULL, 1 << 20);
    buf_init(&got->body, NULL, 64 << 20);
    if (body)
        got->send = *body;
    nghttp2_data_provider provider = {.read_callback = on_client_read};
    got->id = nghttp2_submit_request(client.session, NULL, nv, count, body ? &provider : NULL, NULL);
    ENSURE(got->id > 0);
    return got;
}

static struct got_stream *client_get(const char *path)
{
    return client_ask("GET", path, NULL, NULL);
}

static void got_expect(struct got_stream *got, int status, const char *body)
{
    client_until(&got->closed);
    assert_int_equal(got->status, status);
    assert_string_equal(got->body.n ? (buf_add_char(&got->body, 0), got->body.p) : "", body);
}

static bool got_head_has(const struct got_stream *got, const char *text)
{
    return memmem(got->head.p, got->head.n, text, strlen(text)) != NULL;
}

/* ---- the server's side ---- */

static struct {
    pthread_mutex_t lock;
    struct body_reader *kept;
    atomic_size_t kept_count, gone, stalled, too_large, out_gone, passed;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct passing {
    struct body_sink sink;
    struct http_request *request;
    struct body_reader *reader;
    struct body_producer producer;
    struct body_writer *writer;
    struct str rest;
    size_t n;
    bool keep, echo;
};

static enum body_want pass_piece(struct body_sink *sink, struct str piece)
{
    struct passing *passing = CONTAINER_OF(sink, struct passing, sink);
    ENSURE(loop_current() == passing->request->loop && piece.n > 0 && piece.n <= NET_PIECE_BYTES);
    passing->n += piece.n;
    atomic_fetch_add(&seen.passed, piece.n);
    if (passing->echo) {
        passing->rest = piece;
        return body_write(passing->writer, &passing->rest) == ERR_OK ? BODY_MORE : BODY_KEEP;
    }
    if (!passing->keep)
        return BODY_MORE;
    passing->keep = false;
    pthread_mutex_lock(&seen.lock);
    seen.kept = passing->reader;
    pthread_mutex_unlock(&seen.lock);
    atomic_fetch_add(&seen.kept_count, 1);
    return BODY_KEEP;
}

static void pass_writable(struct body_producer *producer)
{
    struct passing *passing = CONTAINER_OF(producer, struct passing, producer);
    if (passing->rest.n && body_write(passing->writer, &passing->rest) != ERR_BUSY)
        body_next(passing->reader);
}

static void pass_end(struct body_sink *sink, enum body_end how)
{
    struct passing *passing = CONTAINER_OF(sink, struct passing, sink);
    atomic_size_t *counts[] = {[BODY_GONE] = &seen.gone, [BODY_STALLED] = &seen.stalled, [BODY_TOO_LARGE] = &seen.too_large};
    if (how != BODY_WHOLE)
        atomic_fetch_add(counts[how], 1);
    if (passing->echo) {
        if (how == BODY_WHOLE)
            body_finish(passing->writer);
        else
            body_abort(passing->writer);
        return;
    }
    /* Whoever reads the body may be using the arena on another thread while trailers come. */
    const struct http_exchange *exchange = (const struct http_exchange *)(const void *)passing->request;
    ENSURE(!exchange->request.trailers.n || exchange->request.trailers.p == exchange->body_heap);
    struct arena *arena = passing->request->arena;
    char hex[2 * SHA256_BYTES + 1] = "";
    for (size_t i = 0; i < SHA256_BYTES && how == BODY_WHOLE; i++)
        snprintf(hex + 2 * i, 3, "%02x", passing->sink.sha256[i]);
    http_respond_text(passing->request, body_end_status(how), "text/plain", arena_printf(arena, "%zu %s", passing->n, hex));
}

static void never_gone(struct body_producer *producer)
{
    atomic_fetch_add(&seen.out_gone, 1);
    body_abort(CONTAINER_OF(producer, struct passing, producer)->writer);
}

static void handle_2(struct http_request *request, void *arg)
{
    struct passing *passing = arena_zalloc(request->arena, sizeof(*passing));
    passing->request = request;
    passing->sink = (struct body_sink){.piece = pass_piece, .end = pass_end, .hashed = true};
    if (str_eq(request->path, STR("/about"))) {
        struct str cookie = http_header(request, "cookie"), sum = http_trailer(request, "x-sum");
        http_respond_text(
            request, 200, "text/plain",
            arena_printf(request->arena, STR_FMT " " STR_FMT " " STR_FMT " " STR_FMT " [" STR_FMT "] [" STR_FMT "] " STR_FMT,
                         STR_ARG(request->method), STR_ARG(request->path), STR_ARG(request->query), STR_ARG(request->host),
                         STR_ARG(cookie), STR_ARG(sum), STR_ARG(http_header(request, "host"))));
    } else if (str_eq(request->path, STR("/stream"))) { /* pieces, and never an end */
        passing->producer.gone = never_gone;
        passing->writer = http_stream(request, &(struct http_response){.status = 200}, HTTP_LENGTH_UNKNOWN, &passing->producer);
        struct str hello = STR("hello");
        body_write(passing->writer, &hello);
    } else if (str_eq(request->path, STR("/broken"))) {
        passing->writer = http_stream(request, &(struct http_response){.status = 200}, 100, NULL);
        struct str hello = STR("hello");
        body_write(passing->writer, &hello);
        body_finish(passing->writer);
    } else if (str_eq(request->path, STR("/pass")) || str_eq(request->path, STR("/keep"))) {
        passing->keep = str_eq(request->path, STR("/keep"));
        passing->reader = http_body(request);
        body_read(passing->reader, &passing->sink);
    } else if (str_eq(request->path, STR("/both"))) {
        passing->echo = true;
        passing->producer.writable = pass_writable;
        passing->reader = http_body(request);
        passing->writer = http_stream(request, &(struct http_response){.status = 200}, HTTP_LENGTH_UNKNOWN, &passing->producer);
        body_read(passing->reader, &passing->sink);
    } else if (str_eq(request->path, STR("/early"))) {
        http_respond_text(request, 403, "text/plain", STR("no"));
    } else {
        handle(request, arg);
    }
}

static struct http_body_plan plan_2(const struct http_request *request, void *arg)
{
    (void)arg;
    bool stream = str_eq(request->path, STR("/pass")) || str_eq(request->path, STR("/keep")) ||
                  str_eq(request->path, STR("/both")) || str_eq(request->path, STR("/early"));
    return (struct http_body_plan){.max = str_eq(request->query, STR("small")) ? 100 : 8 << 20, .stream = stream};
}

static void open_2(const struct http_limits *limits)
{
    atomic_size_t *counts[] = {&seen.kept_count, &seen.gone, &seen.stalled, &seen.too_large, &seen.out_gone, &seen.passed};
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        atomic_store(counts[i], 0);
    site_open(limits, &(struct http_listener_options){.handler = handle_2, .body_plan = plan_2, .body_unasked = 10});
    client_open();
}

static int open_usual(void **state)
{
    (void)state;
    open_2(NULL);
    return 0;
}

static int open_quick(void **state)
{
    (void)state;
    struct http_limits limits = http__limits_default;
    limits.body_stall_ms = limits.write_stall_ms = limits.idle_ms = limits.header_ms = 200;
    limits.linger_ms = 200;
    limits.header_count_max = 20;
    limits.header_bytes_max = 2000;
    limits.target_bytes_max = 100;
    limits.h2_streams_max = 5;
    limits.h2_noise_max = 20;
    limits.h2_noise_per_s = 1;
    open_2(&limits);
    return 0;
}

static int close_2(void **state)
{
    if (client.session)
        client_close();
    wait_count(&site.server->bodies_held.all, 0);
    return close_site(state);
}

static const char *digest_of(struct str body)
{
    static char text[128];
    struct arena *arena = arena_new();
    snprintf(text, sizeof text, "%zu " STR_FMT, body.n, STR_ARG(sha256_hex(arena, body)));
    arena_free(arena);
    return text;
}

/* ---- tests ---- */

static void test_requests(void **state)
{
    (void)state;
    struct got_stream *got = client_get("/about?q=1");
    got_expect(got, 200, "GET /about q=1 here:80 [] [] here:80");
    assert_true(got_head_has(got, "content-type: text/plain\n"));
    assert_true(got_head_has(got, "date: "));
    assert_true(got_head_has(got, "content-length: 36\n"));
    got_expect(client_ask("GET", "/about", NULL, (const char *const[]){"cookie", "a=b", "x", "y", "cookie", "c=d", NULL}), 200,
               "GET /about  here:80 [a=b; c=d] [] here:80");
    struct str body = STR("hello");
    got = client_ask("POST", "/about", &body, NULL);
    got->trailers = 2;
    got_expect(got, 200, "POST /about  here:80 [] [77] here:80");
    got = client_ask("HEAD", "/big?300000", NULL, NULL);
    client_until(&got->closed);
    assert_int_equal(got->status, 200);
    assert_int_equal(got->body.n, 0);
    assert_true(got_head_has(got, "content-length: 300000\n"));
    got_expect(client_get("/status?204"), 204, "");
    got_expect(client_get("/status?42"), 500, "");
    got_expect(client_get("/split"), 500, "");
    got_expect(client_ask("POST", "/about", &body, (const char *const[]){"host", "here:80", NULL}), 200,
               "POST /about  here:80 [] [] here:80");
    /* Many at once, answered in another order. */
    struct got_stream *held[40], *late[40];
    for (size_t i = 0; i < COUNT_OF(held); i++) {
        held[i] = client_get("/hold?h");
        late[i] = client_get("/late?l");
    }
    for (size_t i = 0; i < COUNT_OF(late); i++)
        got_expect(late[i], 200, "l");
    wait_held(COUNT_OF(held));
    release_held();
    for (size_t i = 0; i < COUNT_OF(held); i++)
        got_expect(held[i], 200, "h");
    struct http_stats stats;
    http_server_stats(site.server, &stats);
    assert_int_equal(stats.connections, 1);
}

/* Every size through every kind of body, both announced and not. */
static void test_bodies(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 10, 11, 5000, 16384, 65535, 65536, 300000, 3000000};
    static const char *const paths[] = {"/echo", "/pass", "/both"};
    struct arena *arena = arena_new();
    for (size_t p = 0; p < COUNT_OF(paths); p++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            for (int known = 0; known < 2; known++) {
                struct str body = big_body(arena, sizes[i]);
                char length[32];
                snprintf(length, sizeof length, "%zu", body.n);
                struct got_stream *got =
                    client_ask("POST", paths[p], &body, known ? (const char *const[]){"content-length", length, NULL} : NULL);
                client_until(&got->closed);
                assert_int_equal(got->status, 200);
                if (p == 1 && !str_eq(buf_str(&got->body), str_of(digest_of(body))))
                    fail_msg("%zu: " STR_FMT, sizes[i], STR_ARG(buf_str(&got->body)));
                if (p != 1)
                    assert_true(str_eq(buf_str(&got->body), body));
            }
        }
    }
    static const size_t files[] = {0, 1, 65536, 65537, 5000000};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct got_stream *got = client_get(arena_printf(arena, "/file?%zu", files[i]).p);
        client_until(&got->closed);
        assert_true(got->status == 200 && str_eq(buf_str(&got->body), big_body(arena, files[i])));
    }
    arena_free(arena);
}

/* They are kept beside the body, within a bound. */
static void test_trailers(void **state)
{
    (void)state;
    struct str body = STR("hello");
    static const char *const paths[] = {"/pass", "/echo"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct got_stream *got = client_ask("POST", paths[i], &body, NULL);
        got->trailers = 15000;
        got_expect(got, 200, i ? "hello" : digest_of(body));
        got = client_ask("POST", paths[i], &body, NULL);
        got->trailers = 35000;
        client_until(&got->closed);
        assert_int_equal(got->status, 0);
    }
    wait_count(&seen.gone, 1);
}

static void test_refusals(void **state)
{
    (void)state;
    char long_path[300] = "/", long_value[2200];
    memset(long_path + 1, 'x', 200);
    memset(long_value, 'v', sizeof long_value - 1);
    long_value[sizeof long_value - 1] = 0;
    got_expect(client_get(long_path), 414, "");
    got_expect(client_ask("GET", "/", NULL, (const char *const[]){"x", long_value, NULL}), 431, "");
    const char *many[64] = {0};
    for (size_t i = 0; i < 60; i += 2)
        many[i] = "x", many[i + 1] = "y";
    got_expect(client_ask("GET", "/", NULL, many), 431, "");
    for (size_t i = 0; i < 60; i += 2)
        many[i] = "cookie";         /* crumbs that are one header in the end count one by one */
    got_expect(client_ask("GET", "/", NULL, many), 431, "");
    got_expect(client_get("/a#b"), 400, "");
    struct str body = STR("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789!");
    got_expect(client_ask("POST", "/echo?small", &body, (const char *const[]){"content-length", "101", NULL}), 413, "");
    got_expect(client_ask("POST", "/echo?small", &body, NULL), 413, "");
    got_expect(client_ask("POST", "/pass?small", &body, (const char *const[]){"content-length", "101", NULL}), 413, "");
    struct got_stream *got = client_ask("POST", "/pass?small", &body, NULL);
    client_until(&got->closed);
    assert_int_equal(got->status, 413);
    assert_int_equal(atomic_load(&seen.too_large), 1);
    got_expect(client_ask("POST", "/early", &body, NULL), 403, "no");
    got_expect(client_ask("GET", "/", NULL, (const char *const[]){"expect", "tea", NULL}), 417, "");
    client_close();
    /* What no message may have is reset. */
    static const char *const bad[][3] = {{"connection", "close", NULL}, {"transfer-encoding", "chunked", NULL},
                                         {"host", "there", NULL},       {"te", "gzip", NULL},
                                         {"content-length", "x", NULL}, {"a", "b\rc", NULL}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        client_open();
        got = client_ask("POST", "/about", NULL, bad[i]);
        client_until(&got->closed);
        if (got->code != NGHTTP2_PROTOCOL_ERROR || got->status != 0)
            fail_msg("%s: %s: code %u, status %d", bad[i][0], bad[i][1], got->code, got->status);
        client_close();
    }
}

/* No more streams than were offered; the others go on. */
static void test_streams_max(void **state)
{
    (void)state;
    while (!nghttp2_session_get_remote_settings(client.session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) && client_step(1000))
        ;
    struct got_stream *got[7];
    for (size_t i = 0; i < COUNT_OF(got); i++)
        got[i] = client_get("/hold?x");
    client_send();
    wait_held(5);
    size_t refused = 0;
    while (refused < 2 && client_step(100))
        for (size_t i = refused = 0; i < COUNT_OF(got); i++)
            refused += got[i]->closed && got[i]->code == NGHTTP2_REFUSED_STREAM;
    release_held();
    for (size_t i = 0; i < 5; i++)
        got_expect(got[i], 200, "x");
}

/* A sink that keeps its piece shuts the stream's window; other streams go on. */
static void test_pressure(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct str body = big_body(arena, 3000000);
    struct got_stream *kept = client_ask("POST", "/keep", &body, NULL);
    while (client_step(100))
        ;
    wait_count(&seen.kept_count, 1);
    assert_int_equal(kept->sent, 65535); /* a stream's window */
    got_expect(client_get("/about"), 200, "GET /about  here:80 [] [] here:80");
    struct got_stream *other = client_ask("POST", "/pass", &body, NULL);
    got_expect(other, 200, digest_of(body));
    assert_int_equal(atomic_load(&site.server->bodies_held.all), 2 * NET_PIECE_BYTES);
    pthread_mutex_lock(&seen.lock);
    body_next(seen.kept);
    pthread_mutex_unlock(&seen.lock);
    got_expect(kept, 200, digest_of(body));
    arena_free(arena);
}

static void test_expect_continue(void **state)
{
    (void)state;
    static const char *const paths[] = {"/pass", "/echo"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct str none = STR("");
        struct got_stream *got = client_ask("POST", paths[i], &none, (const char *const[]){"expect", "100-continue", NULL});
        got->endless = true;
        while (got->informational != 100 && client_step(10000))
            ;
        assert_int_equal(got->informational, 100);
        got->send = STR("hello");
        got->endless = false;
        nghttp2_session_resume_data(client.session, got->id);
        got_expect(got, 200, i ? "hello" : digest_of(STR("hello")));
    }
}

static void client_reset(struct got_stream *got)
{
    nghttp2_submit_rst_stream(client.session, 0, got->id, NGHTTP2_CANCEL);
    client_send();
}

/* A reset is a client that went, for this exchange alone. */
static void test_gone(void **state)
{
    (void)state;
    struct str body = STR("hello");
    static const char *const paths[] = {"/pass", "/both", "/keep"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct got_stream *got = client_ask("POST", paths[i], &body, NULL);
        got->endless = true;
        client_send();
        wait_count(&seen.passed, 5 * (i + 1));
        client_reset(got);
        if (i == 2) {
            wait_count(&seen.kept_count, 1);
            pthread_mutex_lock(&seen.lock);
            body_next(seen.kept);
            pthread_mutex_unlock(&seen.lock);
        }
        wait_count(&seen.gone, i + 1);
    }
    struct got_stream *held = client_get("/hold?x"), *stream = client_get("/stream");
    client_send();
    wait_held(1);
    while (!stream->body.n && client_step(10000))
        ;
    client_reset(held);
    client_reset(stream);
    wait_count(&seen.out_gone, 1);
    release_held(); /* nobody hears it */
    got_expect(client_get("/about"), 200, "GET /about  here:80 [] [] here:80");
    /* An answer that cannot be completed resets its stream only. */
    struct got_stream *broken = client_get("/broken");
    client_until(&broken->closed);
    assert_int_equal(broken->code, NGHTTP2_INTERNAL_ERROR);
    stream = client_get("/stream");
    held = client_get("/hold?x");
    struct got_stream *passing = client_ask("POST", "/pass", &body, NULL);
    passing->endless = true;
    client_send();
    wait_held(1);
    wait_count(&seen.passed, 20);
    client_close(); /* and with the connection all of them */
    wait_count(&seen.out_gone, 2);
    wait_count(&seen.gone, 4);
    release_held();
    wait_count(&site.server->all_count, 0);
}

static void test_stalls(void **state)
{
    (void)state;
    struct str body = STR("hello");
    struct got_stream *got = client_ask("POST", "/pass", &body, NULL), *gathered = client_ask("POST", "/echo", &body, NULL);
    got->endless = gathered->endless = true;
    client_until(&got->closed);
    assert_int_equal(got->status, 408);
    assert_int_equal(atomic_load(&seen.stalled), 1);
    got_expect(gathered, 408, "");
    /* A large body that goes on by single bytes. */
    static char large[50000];
    struct got_stream *trickle = client_ask("POST", "/echo", &(struct str){large, sizeof large}, NULL);
    trickle->endless = true;
    for (int i = 0; i < 100 && !trickle->closed; i++) {
        client_step(20);
        trickle->send = STR("x");
        nghttp2_session_resume_data(client.session, trickle->id);
    }
    assert_int_equal(trickle->status, 408);
    /* Idle: a GOAWAY without blame. */
    while (!client.closed && client_step(2000))
        ;
    assert_true(client.closed && client.goaway && client.goaway_code == NGHTTP2_NO_ERROR);
    client_close();
    client_open(); /* a window that never opens */
    client.no_updates = true;
    client_get("/big?300000");
    while (!client.closed && client_step(2000))
        ;
    assert_true(client.closed && client.goaway && client.goaway_code == NGHTTP2_ENHANCE_YOUR_CALM);
    client_close();
    client_open(); /* a head that never ends */
    nghttp2_session_mem_send(client.session, &(const uint8_t *){NULL});
    send_all(client.fd, STR(PREFACE "\0\0\0\4\0\0\0\0\0"
                                    "\0\0\1\1\0\0\0\0\1"
                                    "\x82"));
    while (!client.closed && client_step(2000))
        ;
    assert_true(client.closed);
}

#define SETTINGS "\0\0\0\4\0\0\0\0\0"

static void flood(const char *what, struct str frame, struct str first)
{
    int fd = dial();
    send_all(fd, STR(PREFACE SETTINGS));
    send_all(fd, first);
    for (int i = 0; i < 3000 && send_all(fd, frame); i++)
        ;
    /* Until the end; the last GOAWAY says why. */
    struct buf all;
    buf_init(&all, NULL, 1 << 20);
    char input[4096];
    for (ssize_t n; (n = recv(fd, input, sizeof input, 0)) > 0;)
        buf_add(&all, (struct str){input, (size_t)n});
    close(fd);
    uint32_t code = 0;
    for (size_t at = 0; at + 9 <= all.n;) {
        const uint8_t *p = (const uint8_t *)all.p + at;
        size_t n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        if (p[3] == NGHTTP2_GOAWAY && at + 17 <= all.n)
            code = (uint32_t)p[13] << 24 | (uint32_t)p[14] << 16 | (uint32_t)p[15] << 8 | p[16];
        at += 9 + n;
    }
    buf_clear(&all);
    if (code != NGHTTP2_ENHANCE_YOUR_CALM)
        fail_msg("%s: code %u", what, code);
}

static void test_floods(void **state)
{
    (void)state;
    client_close();
    /* GET / with :authority a, on stream 1, not ended by END_STREAM in the second. */
#define GET "\0\0\6\1\5\0\0\0\1\x82\x86\x84\x41\1a"
#define POST "\0\0\6\1\4\0\0\0\1\x83\x86\x84\x41\1a"
    flood("SETTINGS", STR(SETTINGS), STR(""));
    flood("PING", STR("\0\0\10\6\0\0\0\0\0abcdefgh"), STR(""));
    flood("PRIORITY", STR("\0\0\5\2\0\0\0\0\3\0\0\0\1\1"), STR(""));
    flood("empty DATA", STR("\0\0\0\0\0\0\0\0\1"), STR(POST));
    flood("padding", STR("\0\0\2\0\10\0\0\0\1\1\0"), STR(POST));
    flood("CONTINUATION", STR("\0\0\1\11\0\0\0\0\1\x82"), STR("\0\0\1\1\0\0\0\0\1\x82"));
    flood("small updates", STR("\0\0\4\10\0\0\0\0\0\0\0\0\1"), STR(""));
    /* Streams that are opened and reset: by the client, and by us because they have no path. */
    for (int ours = 0; ours < 2; ours++) {
        struct arena *arena = arena_new();
        struct buf frames;
        buf_init(&frames, arena, 1 << 20);
        for (uint32_t id = 1; id < 401; id += 2) {
            char head[] = "\0\0\6\1\5\0\0\0\0\x82\x86\x84\x41\1a", reset[] = "\0\0\4\3\0\0\0\0\0\0\0\0\x8",
                 bad[] = "\0\0\2\1\5\0\0\0\0\x82\x86";
            head[7] = reset[7] = bad[7] = (char)(id >> 8);
            head[8] = reset[8] = bad[8] = (char)id;
            buf_add(&frames, ours ? (struct str){bad, sizeof bad - 1} : (struct str){head, sizeof head - 1});
            buf_add(&frames, ours ? STR_NONE : (struct str){reset, sizeof reset - 1});
        }
        flood(ours ? "resets of ours" : "rapid reset", STR(""), buf_str(&frames));
        arena_free(arena);
    }
    client_open(); /* and it is still there for others */
    got_expect(client_get("/about"), 200, "GET /about  here:80 [] [] here:80");
}

struct look {
    struct loop_task task;
    struct http_loop *hl;
    size_t blocks;
    atomic_size_t done;
};

static void look_for_blocks(struct loop_task *task)
{
    struct look *look = CONTAINER_OF(task, struct look, task);
    for (struct link *at = look->hl->conns.next; at != &look->hl->conns; at = at->next)
        look->blocks += CONTAINER_OF(at, struct http_conn, link)->parser.block != NULL;
    atomic_store(&look->done, 1);
}

/* What read the preface is given back. */
static void test_no_block(void **state)
{
    (void)state;
    got_expect(client_get("/about"), 200, "GET /about  here:80 [] [] here:80");
    for (size_t i = 0; i < site.server->loop_count; i++) {
        struct look look = {.task.run = look_for_blocks, .hl = &site.server->loop[i]};
        loop_post(look.hl->loop, &look.task);
        wait_count(&look.done, 1);
        assert_int_equal(look.blocks, 0);
    }
}

/* No worker is there to read a file: the connection closes while its frames are made. */
static void test_closed_inside(void **state)
{
    (void)state;
    workers_stop(site.workers);
    client_get("/file?100000");
    while (!client.closed && client_step(10000))
        ;
    assert_true(client.closed);
    wait_count(&site.server->all_count, 0);
}

static void *drain_site(void *arg)
{
    (void)arg;
    http_server_drain(site.server);
    return NULL;
}

/* What is asked is answered, no more is taken, and the connection ends. */
static void test_drain(void **state)
{
    (void)state;
    struct got_stream *held = client_get("/hold?x");
    client_send();
    wait_held(1);
    pthread_t thread;
    pthread_create(&thread, NULL, drain_site, NULL);
    client_until(&client.goaway);
    assert_int_equal(client.goaway_code, NGHTTP2_NO_ERROR);
    release_held();
    got_expect(held, 200, "x");
    while (!client.closed && client_step(10000))
        ;
    assert_true(client.closed);
    pthread_join(thread, NULL);
}

/* HTTP/1.1 beside it; and the preface anywhere else is no request. */
static void test_versions(void **state)
{
    (void)state;
    got_expect(client_get("/about"), 200, "GET /about  here:80 [] [] here:80");
    int fd = dial();
    send_text(fd, "GET /fixed HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(fd, 200, "hello");
    send_all(fd, STR(PREFACE SETTINGS));
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 400);
    assert_true(ended(fd));
    close(fd);
    fd = dial(); /* byte by byte */
    for (size_t i = 0; i < sizeof(PREFACE SETTINGS) - 1; i++)
        send_all(fd, (struct str){&(PREFACE SETTINGS)[i], 1});
    char head[9];
    assert_int_equal(recv(fd, head, 9, MSG_WAITALL), 9);
    assert_int_equal(head[3], NGHTTP2_SETTINGS);
    close(fd);
}

#define TEST(name, open) cmocka_unit_test_setup_teardown(name, open, close_2)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_requests, open_usual),    TEST(test_bodies, open_usual),   TEST(test_refusals, open_quick),
        TEST(test_trailers, open_usual),    TEST(test_no_block, open_usual), TEST(test_closed_inside, open_usual),
        TEST(test_streams_max, open_quick), TEST(test_pressure, open_usual), TEST(test_expect_continue, open_usual),
        TEST(test_gone, open_usual),        TEST(test_stalls, open_quick),   TEST(test_floods, open_quick),
        TEST(test_drain, open_usual),       TEST(test_versions, open_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
