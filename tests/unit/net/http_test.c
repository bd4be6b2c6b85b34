/* http_test.c -- the server over loopback: answers, order, bodies, refusals, files. Waits and ends: http_end_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "client.h"

#define H "Host: a\r\n"

static void test_keep_alive(void **state)
{
    (void)state;
    int fd = dial();
    for (int i = 0; i < 3; i++) {
        send_text(fd, "GET /fixed HTTP/1.1\r\n" H "\r\n");
        expect(fd, 200, "hello");
        assert_true(has_line(&answer, "Content-Type: text/plain"));
        assert_true(has_line(&answer, "Content-Length: 5"));
        assert_null(strstr(answer.head, "Connection:"));
        const char *date = strstr(answer.head, "\r\nDate: ");
        assert_non_null(date);
        int64_t at;
        assert_true(clock_parse((struct str){date + 8, 29}, &at));
        assert_true(llabs(at - clock_epoch_ms()) < 3000);
    }
    send_text(fd, "GET /fixed HTTP/1.1\r\n" H "Connection: close\r\n\r\nGET /fixed HTTP/1.1\r\n" H "\r\n");
    expect(fd, 200, "hello");
    assert_true(has_line(&answer, "Connection: close"));
    assert_true(ended(fd));
    close(fd);
    struct http_stats stats;
    http_server_stats(site.server, &stats);
    assert_int_equal(stats.requests, 4);
    assert_int_equal(stats.connections, 1);
}

static void test_version_1_0(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /fixed HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(fd, 200, "hello");
    assert_true(has_line(&answer, "Connection: keep-alive"));
    send_text(fd, "GET /fixed HTTP/1.0\r\n\r\n");
    expect(fd, 200, "hello");
    assert_true(has_line(&answer, "Connection: close"));
    assert_true(ended(fd));
    close(fd);
}

static void test_no_body(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "HEAD /fixed HTTP/1.1\r\n" H "\r\nGET /status?204 HTTP/1.1\r\n" H "\r\nGET /status?304 HTTP/1.1\r\n" H "\r\n"
                  "GET /status?404 HTTP/1.1\r\n" H "\r\nGET /status?42 HTTP/1.1\r\n" H "\r\n");
    assert_true(read_answer(fd, &answer, true));
    assert_true(has_line(&answer, "Content-Length: 5"));
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 204);
    assert_null(strstr(answer.head, "Content-Length"));
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 304);
    expect(fd, 404, "body");
    expect(fd, 500, ""); /* no status to send */
    close(fd);
}

static void test_response_splitting(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /split HTTP/1.1\r\n" H "\r\nGET /fixed HTTP/1.1\r\n" H "\r\n");
    expect(fd, 500, "");
    assert_null(strstr(answer.head, "Set-Cookie"));
    expect(fd, 200, "hello");
    for (unsigned place = 0; place < 30; place++) {
        static const struct { unsigned byte; bool fine; } rows[] = {
            {1, false},   {'\t', true}, {'\n', false},  {'\r', false}, {0x1f, false},
            {' ', true}, {'~', true},  {0x7f, false}, {0xff, true}};
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            char text[100];
            snprintf(text, sizeof text, "GET /value?%u HTTP/1.1\r\n" H "\r\n", place * 256 + rows[i].byte);
            send_text(fd, text);
            expect(fd, rows[i].fine ? 200 : 500, rows[i].fine ? "body" : "");
        }
    }
    close(fd);
}

static void test_bodies(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 4096, 5000, 16000, 70000, 3 << 20};
    struct arena *arena = arena_new();
    int fd = dial();
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct str body = big_body(arena, sizes[i]);
        struct str head = arena_printf(arena, "POST /echo HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n", body.n);
        send_all(fd, head);
        send_all(fd, body);
        assert_true(read_answer(fd, &answer, false));
        assert_true(str_eq(buf_str(&answer.body), body));
        send_text(fd, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n");
        send_all(fd, arena_printf(arena, "%zx\r\n", body.n));
        send_all(fd, body);
        send_text(fd, "\r\n0\r\n\r\n");
        assert_true(read_answer(fd, &answer, false));
        assert_true(str_eq(buf_str(&answer.body), body));
    }
    send_text(fd, "GET /big?20000000 HTTP/1.1\r\n" H "\r\n"); /* more than the socket takes at once */
    usleep(20000);
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.body.n, 20000000);
    close(fd);
    arena_free(arena);
}

static void test_pipeline_order(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /late?1 HTTP/1.1\r\n" H "\r\nGET /fixed?2 HTTP/1.1\r\n" H "\r\nGET /late?3 HTTP/1.1\r\n" H "\r\n"
                  "GET /fixed?4 HTTP/1.1\r\n" H "\r\n");
    expect(fd, 200, "1");
    expect(fd, 200, "hello");
    expect(fd, 200, "3");
    expect(fd, 200, "hello");
    close(fd);
}

/* Safe ones run side by side; anything else waits, and nothing overtakes it. */
static void test_pipeline_unsafe(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /hold?a HTTP/1.1\r\n" H "\r\nHEAD /hold?b HTTP/1.1\r\n" H "\r\nPOST /hold?c HTTP/1.1\r\n" H "\r\n"
                  "GET /hold?d HTTP/1.1\r\n" H "\r\n");
    wait_held(2);
    assert_true(silent(fd, 20));
    assert_int_equal(held_count(), 2);
    release_held();
    wait_held(1);
    usleep(10000);
    assert_int_equal(held_count(), 1);
    release_held();
    wait_held(1);
    release_held();
    expect(fd, 200, "a");
    assert_true(read_answer(fd, &answer, true));
    expect(fd, 200, "c");
    expect(fd, 200, "d");
    assert_true(str_eq(buf_str(&site.log), STR("abcd")));
    close(fd);
}

static void test_pipeline_bound(void **state)
{
    (void)state;
    int fd = dial();
    for (int i = 0; i < 40; i++)
        send_text(fd, "GET /hold?x HTTP/1.1\r\n" H "\r\n");
    wait_held(NET_PIPELINE_MAX);
    assert_true(silent(fd, 20));
    assert_int_equal(held_count(), NET_PIPELINE_MAX);
    for (int answered = 0; answered < 40;) {
        size_t now = release_held();
        for (size_t i = 0; i < now; i++, answered++)
            expect(fd, 200, "x");
    }
    assert_int_equal(atomic_load(&site.handled), 40);
    /* A burst far larger than a block, answered at once. */
    struct arena *arena = arena_new();
    struct buf burst;
    buf_init(&burst, arena, 1 << 20);
    for (int i = 0; i < 2000; i++)
        buf_lit(&burst, "GET /fixed HTTP/1.1\r\n" H "\r\n");
    send_all(fd, buf_str(&burst));
    for (int i = 0; i < 2000; i++)
        expect(fd, 200, "hello");
    close(fd);
    arena_free(arena);
}

static void test_expect_continue(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "POST /echo HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 100);
    send_text(fd, "hi");
    expect(fd, 200, "hi");
    /* The body came with the head: no need. */
    send_text(fd, "POST /echo HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nho");
    expect(fd, 200, "ho");
    /* Not before the answers that stand before it. */
    send_text(fd, "GET /hold?1 HTTP/1.1\r\n" H "\r\nPOST /echo HTTP/1.1\r\n" H
                  "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    wait_held(1);
    assert_true(silent(fd, 20));
    release_held();
    expect(fd, 200, "1");
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 100);
    send_text(fd, "2\r\nhi\r\n0\r\n\r\n");
    expect(fd, 200, "hi");
    /* A refusal instead. */
    send_text(fd, "POST /echo HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 200000000\r\n\r\n");
    expect(fd, 413, "");
    assert_true(has_line(&answer, "Connection: close"));
    close(fd);
    fd = dial();
    send_text(fd, "POST /echo HTTP/1.1\r\n" H "Expect: tea\r\nContent-Length: 2\r\n\r\n");
    expect(fd, 417, "");
    close(fd);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        int status;
    } rows[] = {
        {"POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
        {"GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"CONNECT a:1 HTTP/1.1\r\n" H "\r\n", 501},
        {"GET / HTTP/3.0\r\n" H "\r\n", 505},
        {"\x16\x03\x01\x02", 400},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = dial();
        send_text(fd, "GET /fixed HTTP/1.1\r\n" H "\r\n");
        send_text(fd, rows[i].bytes);
        send_text(fd, "GET /smuggled HTTP/1.1\r\n" H "\r\n");
        expect(fd, 200, "hello");
        expect(fd, rows[i].status, "");
        assert_true(has_line(&answer, "Connection: close"));
        assert_true(ended(fd));
        close(fd);
    }
    assert_int_equal(atomic_load(&site.handled), COUNT_OF(rows));
    struct http_stats stats;
    http_server_stats(site.server, &stats);
    assert_int_equal(stats.refused, COUNT_OF(rows));
}

/* The refusal of a body that is on its way arrives, though most of the body is never read. */
static void test_refused_body(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct str body = big_body(arena, 5 << 20);
    int fd = dial();
    send_all(fd, arena_printf(arena, "POST /echo HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n", body.n));
    send_all(fd, body);
    expect(fd, 413, "");
    assert_true(ended(fd));
    close(fd);
    arena_free(arena);
}

static struct http_body_plan limit_by_path(const struct http_request *request, void *arg)
{
    assert_ptr_equal(arg, &site);
    return (struct http_body_plan){.max = str_eq(request->path, STR("/echo")) ? 10 : str_eq(request->path, STR("/none")) ? 0 : 20};
}

static void refuse_in_words(const struct http_request *request, int status, struct arena *arena, struct http_response *ret,
                            void *arg)
{
    assert_ptr_equal(arg, &site);
    ret->body = arena_printf(arena, "%d " STR_FMT " " STR_FMT, status, STR_ARG(request->path), STR_ARG(http_header(request, "x")));
}

static int open_with_hooks(void **state)
{
    (void)state;
    struct http_limits limits = http__limits_default;
    limits.bodies_bytes_max = 4096;
    site_open(&limits, &(struct http_listener_options){.body_plan = limit_by_path, .body_unasked = 3, .refuse = refuse_in_words});
    return 0;
}

static void test_hooks(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "POST /other HTTP/1.1\r\n" H "Content-Length: 20\r\n\r\n01234567890123456789");
    expect(fd, 200, "hello");
    send_text(fd, "POST /echo?q HTTP/1.1\r\n" H "X: y\r\nContent-Length: 11\r\n\r\n");
    expect(fd, 413, "413 /echo y");
    close(fd);
    fd = dial();
    send_text(fd, "POST /none HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\n012");    /* too short to be asked about */
    expect(fd, 200, "hello");
    send_text(fd, "POST /none HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n");
    expect(fd, 413, "413 /none ");
    close(fd);
    fd = dial();
    send_text(fd, "\x01");
    expect(fd, 400, "400  ");
    close(fd);
    atomic_store(&site.server->bodies_held.all, 4000);
    fd = dial(); /* for now: it hears when to come again */
    send_text(fd, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n");
    expect(fd, 503, "503 /echo ");
    assert_true(has_line(&answer, "Retry-After: 1"));
    atomic_store(&site.server->bodies_held.all, 0);
    close(fd);
}

static void test_half_closed(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /late?7 HTTP/1.1\r\n" H "\r\nGET /par");
    shutdown(fd, SHUT_WR);
    expect(fd, 200, "7");
    assert_true(ended(fd));
    close(fd);
}

static void test_peer(void **state)
{
    (void)state;
    int fd = dial();
    char want[64];
    snprintf(want, sizeof(want), "127.0.0.1 %d me", port_of(fd));
    send_text(fd, "GET /peer HTTP/1.1\r\n" H "User-Agent: me\r\n\r\n");
    expect(fd, 200, want);
    close(fd);
}

static void test_balance(void **state)
{
    (void)state;
    int fds[10];
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = dial();
        send_text(fds[i], "GET /fixed HTTP/1.1\r\n" H "\r\n");
        expect(fds[i], 200, "hello");
    }
    assert_int_equal(atomic_load(&site.on_loop[0]), 5);
    assert_int_equal(atomic_load(&site.on_loop[1]), 5);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
}

static void *many_late(void *arg)
{
    int fd = dial();
    struct answer own = {0};
    for (size_t i = 0; i < 50; i++) {
        char request[128], want[32];
        snprintf(want, sizeof(want), "%zu-%zu", (size_t)(uintptr_t)arg, i);
        snprintf(request, sizeof(request), "GET /late?%s HTTP/1.1\r\n" H "\r\n", want);
        ENSURE(send_text(fd, request) && read_answer(fd, &own, false));
        ENSURE(own.status == 200 && str_eq(buf_str(&own.body), str_of(want)));
    }
    buf_clear(&own.body);
    close(fd);
    return NULL;
}

static void test_answers_from_threads(void **state)
{
    (void)state;
    pthread_t threads[8];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, many_late, (void *)(uintptr_t)i);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&site.handled), 50 * COUNT_OF(threads));
}

static void test_files(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, NET_PIECE_BYTES - 1, NET_PIECE_BYTES, NET_PIECE_BYTES + 1, 5000000};
    struct arena *arena = arena_new();
    int fd = dial();
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        send_all(fd, arena_printf(arena, "GET /file?%zu HTTP/1.1\r\n" H "\r\nGET /fixed HTTP/1.1\r\n" H "\r\n", sizes[i]));
        if (i == 5)
            usleep(50000);
        assert_true(read_answer(fd, &answer, false));
        assert_true(has_line(&answer, "Content-Type: text/x"));
        assert_null(strstr(answer.head, "Transfer-Encoding"));
        assert_true(str_eq(buf_str(&answer.body), big_body(arena, sizes[i])));
        expect(fd, 200, "hello");
    }
    send_text(fd, "HEAD /file?5 HTTP/1.1\r\n" H "\r\n");
    assert_true(read_answer(fd, &answer, true));
    send_text(fd, "GET /file?300000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_true(read_answer(fd, &answer, false));
    assert_true(has_line(&answer, "Connection: keep-alive")); /* its length is known */
    assert_true(str_eq(buf_str(&answer.body), big_body(arena, 300000)));
    close(fd);
    fd = dial(); /* gone in the middle */
    send_text(fd, "GET /file?5000000 HTTP/1.1\r\n" H "\r\n");
    assert_true(read_byte(fd, &(char){0}));
    close(fd);
    arena_free(arena);
}

static void test_bind(void **state)
{
    (void)state;
    int fd = -1;
    struct arena *arena = arena_new();
    assert_int_equal(http_bind(arena_printf(arena, "127.0.0.1:%d", site.port), &fd), ERR_EXISTS);
    static const char *const wrong[] = {"",       ":80",   "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "localhost:80",
                                        "::1:80", "[::1]", "[]:80",     "1.2.3:x"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(http_bind(str_of(wrong[i]), &fd), ERR_INVALID);
    assert_int_equal(fd, -1);
    assert_string_equal(http_status_text(404), "Not Found");
    assert_string_equal(http_status_text(299), "Unknown");
    arena_free(arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_default, close_site)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keep_alive),      TEST(test_version_1_0),
        TEST(test_no_body),         TEST(test_response_splitting),
        TEST(test_bodies),          TEST(test_pipeline_order),
        TEST(test_pipeline_unsafe), TEST(test_pipeline_bound),
        TEST(test_expect_continue), TEST(test_refused),
        TEST(test_refused_body),    cmocka_unit_test_setup_teardown(test_hooks, open_with_hooks, close_site),
        TEST(test_half_closed),     TEST(test_peer),
        TEST(test_balance),         TEST(test_answers_from_threads),
        TEST(test_files),           TEST(test_bind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
