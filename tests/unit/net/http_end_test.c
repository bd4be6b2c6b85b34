/* http_end_test.c -- slow and vanished clients, limits on connections and memory, drain, closing a listener, and every
 * order in which a server may end. The waits are milliseconds here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "client.h"
#include <arpa/inet.h>
#include <sys/resource.h>

#define H "Host: a\r\n"

static struct http_limits quick(void)
{
    struct http_limits limits = http__limits_default;
    limits.idle_ms = 400;
    limits.header_ms = 300;
    limits.body_stall_ms = 300;
    limits.write_stall_ms = 400;
    limits.linger_ms = 200;
    limits.drain_ms = 3000;
    return limits;
}

static int open_quick(void **state)
{
    (void)state;
    struct http_limits limits = quick();
    site_open(&limits, NULL);
    return 0;
}

/* ---- slow clients ---- */

static void test_slow_head(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /fixed HTTP/1.1\r\n" H "\r\nGET /fi");
    expect(fd, 200, "hello");
    /* A byte now and then does not help. */
    while (silent(fd, 50))
        send_text(fd, "x");
    expect(fd, 408, "");
    assert_true(has_line(&answer, "Connection: close"));
    assert_true(ended(fd));
    close(fd);
}

static void test_slow_body(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "POST /echo HTTP/1.1\r\n" H "Content-Length: 6\r\n\r\n");
    for (int i = 0; i < 5; i++) { /* slow, but it moves */
        usleep(80000);
        send_text(fd, "x");
    }
    expect(fd, 408, "");
    close(fd);
    fd = dial();
    send_text(fd, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhe");
    expect(fd, 408, "");
    close(fd);
}

static void test_idle(void **state)
{
    (void)state;
    int fd = dial(), never = dial();
    send_text(fd, "GET /fixed HTTP/1.1\r\n" H "\r\n");
    expect(fd, 200, "hello");
    assert_false(silent(fd, 1000));
    assert_true(ended(fd));
    assert_true(ended(never));
    close(fd);
    close(never);
}

/* A request that runs long is not idle. */
static void test_long_request(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /hold?1 HTTP/1.1\r\n" H "\r\n");
    wait_held(1);
    assert_true(silent(fd, 700));
    release_held();
    expect(fd, 200, "1");
    close(fd);
}

/* A large body has to bring 16 KB within that time. */
static void test_trickle(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    int fd = dial();
    send_text(fd, "POST /echo HTTP/1.1\r\n" H "Content-Length: 100000\r\n\r\n");
    send_all(fd, big_body(arena, 50000));
    for (int i = 0; i < 200 && silent(fd, 20); i++)
        send_text(fd, "x");
    expect(fd, 408, "");
    close(fd);
    arena_free(arena);
}

static void test_slow_reader(void **state)
{
    (void)state;
    int fd = dial(), file = dial();
    send_text(fd, "GET /big?30000000 HTTP/1.1\r\n" H "\r\n");
    send_text(file, "GET /file?30000000 HTTP/1.1\r\n" H "\r\n");
    wait_count(&site.handled, 2);
    wait_count(&site.server->all_count, 0);
    assert_false(read_answer(fd, &answer, false));
    assert_false(read_answer(file, &answer, false));
    close(fd);
    close(file);
}

static void test_lingering_ends(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "nonsense\r\n\r\n");
    expect(fd, 400, "");
    assert_true(ended(fd));
    wait_count(&site.server->all_count, 0); /* though we never close */
    close(fd);
}

static int open_patient(void **state)
{
    (void)state;
    struct http_limits limits = quick();
    site_open(&limits, &(struct http_listener_options){.idle_ms = 60000});
    return 0;
}

static void test_kept_while_idle(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /fixed HTTP/1.1\r\n" H "\r\n");
    expect(fd, 200, "hello");
    assert_true(silent(fd, 700));
    send_text(fd, "GET /fi"); /* between requests only */
    expect(fd, 408, "");
    assert_true(ended(fd));
    close(fd);
}

/* ---- clients that vanish ---- */

static void test_gone(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /hold?1 HTTP/1.1\r\n" H "\r\nGET /hold?2 HTTP/1.1\r\n" H "\r\nPOST /hold?3 HTTP/1.1\r\n" H "\r\n");
    wait_held(2);
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    /* What was held up behind the two never runs; their answers are dropped. */
    usleep(50000);
    assert_int_equal(held_count(), 2);
    release_held();
    wait_count(&site.server->all_count, 0);
    assert_int_equal(atomic_load(&site.handled), 2);
}

static void watch_gone(struct loop_task *task);

struct gone_watch {
    struct loop_task task;
    struct http_request *request;
    atomic_size_t gone, there;
};

static void watch_gone(struct loop_task *task)
{
    struct gone_watch *watch = CONTAINER_OF(task, struct gone_watch, task);
    atomic_fetch_add(http_request_gone(watch->request) ? &watch->gone : &watch->there, 1);
}

static void test_request_gone(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /hold?1 HTTP/1.1\r\n" H "\r\n");
    wait_held(1);
    struct gone_watch watch = {.task.run = watch_gone, .request = site.held[0]};
    loop_post(watch.request->loop, &watch.task);
    wait_count(&watch.there, 1);
    close(fd);
    usleep(20000);
    loop_post(watch.request->loop, &watch.task);
    wait_count(&watch.gone, 1);
    release_held();
}

/* ---- bounds ---- */

static int open_small(void **state)
{
    (void)state;
    struct http_limits limits = http__limits_default;
    limits.connections_max = 3;
    limits.bodies_bytes_max = 100000;
    limits.bodies_only_max = 40000;
    site_open(&limits, NULL);
    return 0;
}

static int open_inside(void **state)
{
    (void)state;
    struct http_limits limits = http__limits_default;
    limits.bodies_bytes_max = 160000;
    limits.bodies_only_max = 40000;
    limits.connections_inside_max = 32;
    site_open(&limits, NULL);
    return 0;
}

static void test_connections_max(void **state)
{
    (void)state;
    int fds[3];
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = dial();
        send_text(fds[i], "GET /fixed HTTP/1.1\r\n" H "\r\n");
        expect(fds[i], 200, "hello");
    }
    int over = dial();
    assert_true(ended(over));
    close(over);
    close(fds[0]);
    wait_count(&site.server->all_count, 2);
    fds[0] = dial();
    send_text(fds[0], "GET /fixed HTTP/1.1\r\n" H "\r\n");
    expect(fds[0], 200, "hello");
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
}

static int open_shared(void **state)
{
    (void)state;
    struct http_limits limits = http__limits_default;
    limits.connections_max = 16;
    site_open(&limits, NULL);
    return 0;
}

/* From another address of this machine. */
static int dial_from(const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons(site.port)};
    inet_pton(AF_INET, address, &from.sin_addr);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ENSURE(fd >= 0 && bind(fd, (struct sockaddr *)&from, sizeof from) == 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* One address takes what it can get; others are let in still, as long as there is room. */
static void test_connections_shared(void **state)
{
    (void)state;
    int fds[16];
    for (size_t i = 0; i < 14; i++)
        fds[i] = dial();
    wait_count(&site.server->all_count, 14);
    int over = dial();
    assert_true(ended(over));
    close(over);
    for (size_t i = 14; i < 16; i++) {
        fds[i] = dial_from("127.0.0.2");
        send_text(fds[i], "GET /fixed HTTP/1.1\r\n" H "\r\n");
        expect(fds[i], 200, "hello");
    }
    over = dial_from("127.0.0.3");
    assert_true(ended(over));
    close(over);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
}

static void wait_bodies(size_t bytes)
{
    for (int i = 0; i < 5000 && atomic_load(&site.server->bodies_held.all) != bytes; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&site.server->bodies_held.all), bytes);
}

static void test_bodies_budget(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    int one = dial(), two = dial();
    send_all(one, arena_printf(arena, "POST /echo HTTP/1.1\r\n" H "Content-Length: 70000\r\n\r\n" STR_FMT, 66000,
                               big_body(arena, 66000).p));
    wait_bodies(70000);
    send_all(two, arena_printf(arena, "POST /echo HTTP/1.1\r\n" H "Content-Length: 40000\r\n\r\n" STR_FMT, 40000,
                               big_body(arena, 40000).p));
    expect(two, 503, "");
    assert_true(has_line(&answer, "Retry-After: 1"));
    close(two);
    send_all(one, big_body(arena, 4000));
    assert_true(read_answer(one, &answer, false));
    assert_int_equal(answer.status, 200);
    wait_bodies(0);
    close(one);
    arena_free(arena);
}

/* A body that alone is too large for the process's memory is refused for good; one that meets others, for now. */
static void test_memory_budget(void **state)
{
    (void)state;
    static const size_t mb = 1 << 20;
    budget_set_limits(
        &(struct budget_limits){.total = mb, .early = mb, .inside = mb, .peer = mb, .sandbox = mb, .one = 300000, .small = 65536});
    struct arena *arena = arena_new();
    struct str body = big_body(arena, 400000);
    int fds[4];
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = dial();
    send_text(fds[0], "POST /echo HTTP/1.1\r\n" H "Content-Length: 400000\r\n\r\n");
    send_all(fds[0], body);
    expect(fds[0], 413, "");
    assert_false(strstr(answer.head, "Retry-After"));
    wait_bodies(0);
    for (size_t i = 1; i < COUNT_OF(fds); i++) {
        send_text(fds[i], "POST /echo HTTP/1.1\r\n" H "Content-Length: 250000\r\n\r\n");
        send_all(fds[i], str_slice(body, 0, 249999));
        wait_bodies(250000 * i);
    }
    int last = dial();
    send_text(last, "POST /echo HTTP/1.1\r\n" H "Content-Length: 250000\r\n\r\n");
    send_all(last, str_slice(body, 0, 249999));
    expect(last, 503, "");
    assert_true(has_line(&answer, "Retry-After: 1"));
    for (size_t i = 1; i < COUNT_OF(fds); i++) {
        send_text(fds[i], "x");
        assert_true(read_answer(fds[i], &answer, false));
        assert_int_equal(answer.status, 200);
    }
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
    close(last);
    wait_bodies(0);
    budget_share(0);
    arena_free(arena);
}

/* What a body holds is a stranger's until its caller is known. */
static void test_known(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    int fd = dial();
    send_text(fd, "POST /known HTTP/1.1\r\n" H "Content-Length: 300000\r\n\r\n");
    send_all(fd, big_body(arena, 300000));
    expect(fd, 200, "300000");
    send_text(fd, "GET /known HTTP/1.1\r\n" H "\r\n");
    expect(fd, 200, "0");
    close(fd);
    arena_free(arena);
}

/* A client that sends and never reads is not served beyond what the sockets hold. */
static void test_client_that_only_sends(void **state)
{
    (void)state;
    int fd = dial();
    const int all = 2 * NET_PIPELINE_MAX; /* of one read half may be handed out before anything is written */
    for (int i = 0; i < all; i++)
        send_text(fd, "GET /big?4000000 HTTP/1.1\r\n" H "\r\n");
    usleep(100000);
    assert_true(atomic_load(&site.handled) < (size_t)all);
    for (int i = 0; i < all; i++) {
        assert_true(read_answer(fd, &answer, false));
        assert_int_equal(answer.body.n, 4000000);
    }
    close(fd);
}

/* Out of descriptors: accepting pauses, and goes on when there are some. */
static void test_no_descriptors(void **state)
{
    (void)state;
    int waiting[3];
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        waiting[i] = socket(AF_INET, SOCK_STREAM, 0);
    struct rlimit old, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    int lowest = dup(0);
    close(lowest);
    none = old;
    none.rlim_cur = (rlim_t)lowest; /* of those that are free */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)site.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (size_t i = 0; i < COUNT_OF(waiting); i++) {
        assert_int_equal(connect(waiting[i], (struct sockaddr *)&in, sizeof(in)), 0);
        send_text(waiting[i], "GET /fixed HTTP/1.1\r\n" H "\r\n");
    }
    assert_true(silent(waiting[0], 150));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (size_t i = 0; i < COUNT_OF(waiting); i++) {
        expect(waiting[i], 200, "hello");
        close(waiting[i]);
    }
}

/* ---- drain ---- */

static void *drain(void *arg)
{
    (void)arg;
    http_server_drain(site.server);
    return NULL;
}

static void test_drain(void **state)
{
    (void)state;
    int idle = dial(), running = dial(), starting = dial();
    send_text(idle, "GET /fixed HTTP/1.1\r\n" H "\r\n");
    expect(idle, 200, "hello");
    send_text(running, "GET /hold?1 HTTP/1.1\r\n" H "\r\n");
    wait_held(1);
    send_text(starting, "POST /echo HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nha");
    usleep(20000);
    pthread_t thread;
    pthread_create(&thread, NULL, drain, NULL);
    assert_true(ended(idle));
    assert_true(silent(running, 50));
    assert_int_equal(try_connect(site.port), -1);
    send_text(starting, "lf");
    expect(starting, 200, "half");
    assert_true(has_line(&answer, "Connection: close"));
    assert_true(ended(starting));
    release_held();
    expect(running, 200, "1");
    assert_true(has_line(&answer, "Connection: close"));
    assert_true(ended(running));
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&site.server->all_count), 0);
    close(idle);
    close(running);
    close(starting);
}

static int open_hasty(void **state)
{
    (void)state;
    struct http_limits limits = http__limits_default;
    limits.drain_ms = 100;
    site_open(&limits, NULL);
    return 0;
}

static void test_drain_gives_up(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /hold?1 HTTP/1.1\r\n" H "\r\n");
    wait_held(1);
    http_server_drain(site.server);
    assert_true(ended(fd));
    close(fd);
}

/* ---- a listener of one loop, as a sandbox has ---- */

struct inside {
    struct loop_task open_task, close_task;
    struct http_listener *listener;
    struct http_tenant *tenant;
    struct http_request *waiting[8];
    size_t waiting_count;
    int port;
    atomic_size_t opened, closed, gone;
};

static void inside_handle(struct http_request *request, void *arg)
{
    struct inside *inside = arg;
    if (str_eq(request->path, STR("/next")))
        inside->waiting[inside->waiting_count++] = request;
    else
        http_respond_text(request, 202, "text/plain", STR("taken"));
}

static void inside_closed(void *arg)
{
    struct inside *inside = arg;
    ENSURE(loop_current() == loops_at(site.loops, 1));
    atomic_store(&inside->closed, 1);
}

static void inside_open(struct loop_task *task)
{
    struct inside *inside = CONTAINER_OF(task, struct inside, open_task);
    int fd;
    ENSURE(http_bind(STR("127.0.0.1:0"), &fd) == ERR_OK);
    inside->port = port_of(fd);
    struct http_listener_options options = {.fd = fd,
                                            .only = loops_at(site.loops, 1),
                                            .handler = inside_handle,
                                            .arg = inside,
                                            .body_max = 50000,
                                            .tenant = inside->tenant,
                                            .idle_ms = 60000,
                                            .closed = inside_closed};
    inside->listener = http_listen(site.server, &options);
    atomic_store(&inside->opened, 1);
}

static void inside_close(struct loop_task *task)
{
    struct inside *inside = CONTAINER_OF(task, struct inside, close_task);
    http_listener_close(inside->listener);
    for (size_t i = 0; i < inside->waiting_count; i++) {
        ENSURE(http_request_gone(inside->waiting[i]));
        if (i % 2 == 0) /* answered before the connection is gone, and after */
            http_respond_text(inside->waiting[i], 200, "text/plain", STR("dropped"));
    }
}


/* Two sandboxes that send bodies and never end them: each has its share, together they have half, the outside the rest. */
static void test_bodies_from_inside(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct inside inside[2] = {{.open_task.run = inside_open, .close_task.run = inside_close},
                               {.open_task.run = inside_open, .close_task.run = inside_close}};
    for (size_t i = 0; i < COUNT_OF(inside); i++) {
        loop_post(loops_at(site.loops, 1), &inside[i].open_task);
        wait_count(&inside[i].opened, 1);
    }
    const char *head = "POST /response HTTP/1.1\r\n" H "Content-Length: 30000\r\n\r\n";
    struct str most = arena_printf(arena, "%s" STR_FMT, head, 29000, big_body(arena, 29000).p), rest = big_body(arena, 1000);
    int one = try_connect(inside[0].port), two = try_connect(inside[0].port), other = try_connect(inside[1].port), outside = dial();
    send_all(one, most);
    wait_bodies(30000);
    send_all(two, most);
    expect(two, 503, "");
    send_all(other, most);
    expect(other, 503, "");
    send_text(outside, "POST /echo HTTP/1.1\r\n" H "Content-Length: 60000\r\n\r\n");
    send_all(outside, big_body(arena, 60000));
    assert_true(read_answer(outside, &answer, false));
    assert_int_equal(answer.status, 200);
    send_all(one, rest);
    expect(one, 202, "taken");
    for (int i = 0; i < 3; i++) {           /* what is given up half-sent is given back */
        close(one);
        wait_bodies(0);
        send_all(one = try_connect(inside[i % 2].port), most);
        wait_bodies(30000);
    }
    for (size_t i = 0; i < COUNT_OF(inside); i++) {
        loop_post(loops_at(site.loops, 1), &inside[i].close_task);
        wait_count(&inside[i].closed, 1);
    }
    wait_bodies(0);
    close(one), close(two), close(other), close(outside);
    arena_free(arena);
}

/* So many more to that listener, of which the server keeps some; then all that it has are so many. */
static void dial_inside(const struct inside *inside, int *fds, size_t count, size_t kept_in_all)
{
    for (size_t i = 0; i < count; i++)
        fds[i] = try_connect(inside->port);
    struct http_stats stats = {0};
    for (int i = 0; i < 5000 && stats.connections + stats.refused < count; i++, usleep(1000))
        http_server_stats(site.server, &stats);
    wait_count(&site.server->all_count, kept_in_all);
}

/* Two listeners of one function, and one of another: what the two hold together leaves as much to the other. */
static void test_tenants(void **state)
{
    (void)state;
    enum { TRIES = 20 };
    struct arena *arena = arena_new();
    static struct http_tenant greedy, other;
    struct inside inside[3] = {{.open_task.run = inside_open, .close_task.run = inside_close, .tenant = &greedy},
                               {.open_task.run = inside_open, .close_task.run = inside_close, .tenant = &greedy},
                               {.open_task.run = inside_open, .close_task.run = inside_close, .tenant = &other}};
    for (size_t i = 0; i < COUNT_OF(inside); i++) {
        loop_post(loops_at(site.loops, 1), &inside[i].open_task);
        wait_count(&inside[i].opened, 1);
    }
    int fds[COUNT_OF(inside)][TRIES];
    dial_inside(&inside[0], fds[0], TRIES, 12); /* half of three quarters of 32 */
    dial_inside(&inside[1], fds[1], TRIES, 12 + NET_CONNECTIONS_FIRST);
    dial_inside(&inside[2], fds[2], TRIES, 12 + 2 * NET_CONNECTIONS_FIRST);
    struct http_stats stats;
    http_server_stats(site.server, &stats);
    assert_int_equal(stats.tenant_connections, 3 * TRIES - 12 - 2 * NET_CONNECTIONS_FIRST);

    const char *head = "POST /response HTTP/1.1\r\n" H "Content-Length: 30000\r\n\r\n";
    struct str most = arena_printf(arena, "%s" STR_FMT, head, 29000, big_body(arena, 29000).p);
    send_all(fds[0][0], most);
    wait_bodies(30000);
    send_all(fds[1][0], most);
    expect(fds[1][0], 503, "");
    send_text(fds[2][0], "POST /response HTTP/1.1\r\n" H "Content-Length: 24000\r\n\r\n");
    send_all(fds[2][0], big_body(arena, 24000));
    expect(fds[2][0], 202, "taken");
    http_server_stats(site.server, &stats);
    assert_int_equal(stats.tenant_bodies, 1);
    for (size_t i = 0; i < COUNT_OF(inside); i++) {
        for (size_t k = 0; k < TRIES; k++)
            close(fds[i][k]);
        loop_post(loops_at(site.loops, 1), &inside[i].close_task);
        wait_count(&inside[i].closed, 1);
    }
    wait_bodies(0);
    assert_int_equal(greedy.connections + greedy.bodies + other.connections + other.bodies, 0);
    arena_free(arena);
}

static void inside_answer(struct loop_task *task)
{
    struct inside *inside = CONTAINER_OF(task, struct inside, open_task);
    for (size_t i = 1; i < inside->waiting_count; i += 2)
        http_respond_text(inside->waiting[i], 200, "text/plain", STR("dropped"));
    atomic_store(&inside->gone, 1);
}

static void test_listener_close(void **state)
{
    (void)state;
    struct inside inside = {.open_task.run = inside_open, .close_task.run = inside_close};
    struct loop *loop = loops_at(site.loops, 1);
    loop_post(loop, &inside.open_task);
    wait_count(&inside.opened, 1);
    int fds[4], outside = dial();
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = try_connect(inside.port);
        send_text(fds[i], "POST /response HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nok");
        expect(fds[i], 202, "taken");
        send_text(fds[i], "GET /next HTTP/1.1\r\n" H "\r\nPOST /response HTTP/1.1\r\n" H "Content-Length: 20\r\n\r\npart");
    }
    usleep(20000);
    loop_post(loop, &inside.close_task);
    wait_count(&inside.closed, 1);
    inside.open_task.run = inside_answer;
    loop_post(loop, &inside.open_task);
    wait_count(&inside.gone, 1);
    assert_int_equal(inside.waiting_count, COUNT_OF(fds));
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        assert_true(ended(fds[i]));
        close(fds[i]);
    }
    assert_int_equal(try_connect(inside.port), -1);
    send_text(outside, "GET /fixed HTTP/1.1\r\n" H "\r\n");
    expect(outside, 200, "hello");
    close(outside);
}

/* A drain leaves the inside listeners alone: what still runs needs them. */
static void test_drain_inside(void **state)
{
    (void)state;
    struct inside inside = {.open_task.run = inside_open, .close_task.run = inside_close};
    loop_post(loops_at(site.loops, 1), &inside.open_task);
    wait_count(&inside.opened, 1);
    int fd = try_connect(inside.port);
    http_server_drain(site.server);
    send_text(fd, "GET /other HTTP/1.1\r\n" H "\r\n");
    expect(fd, 202, "taken");
    loop_post(loops_at(site.loops, 1), &inside.close_task);
    wait_count(&inside.closed, 1);
    close(fd);
}

/* ---- ends ---- */

enum end { END_STOP_FIRST, END_FREE_FIRST, END_COUNT };

/* With requests running, streams on their way, half a request, and listeners that nobody closes. */
static void test_ends(void **state)
{
    (void)state;
    for (int end = 0; end < END_COUNT; end++) {
        site_open(NULL, NULL);
        int fds[4];
        for (size_t i = 0; i < COUNT_OF(fds); i++)
            fds[i] = dial();
        send_text(fds[0], "GET /hold?1 HTTP/1.1\r\n" H "\r\n");
        send_text(fds[1], "GET /file?20000000 HTTP/1.1\r\n" H "\r\n");
        send_text(fds[2], "GET /big?20000000 HTTP/1.1\r\n" H "\r\nGET /hal");
        send_text(fds[3], "POST /echo HTTP/1.1\r\n" H "Content-Length: 2000000\r\n\r\nabc");
        wait_held(1);
        usleep(20000);
        if (end == END_STOP_FIRST) {
            workers_stop(site.workers);
            loops_stop(site.loops); /* the held request is never answered */
            http_server_free(site.server);
        } else {
            http_server_free(site.server);
            release_held();
            workers_stop(site.workers);
            loops_stop(site.loops);
        }
        workers_free(site.workers);
        loops_free(site.loops);
        buf_clear(&site.log);
        for (size_t i = 0; i < COUNT_OF(fds); i++)
            close(fds[i]);
    }
    struct loops *loops = loops_new(2); /* never started */
    struct http_server *server = http_server_new(loops);
    int fd;
    assert_int_equal(http_bind(STR("127.0.0.1:0"), &fd), ERR_OK);
    http_listen(server, &(struct http_listener_options){.fd = fd, .handler = handle});
    assert_int_equal(http_bind(STR("127.0.0.1:0"), &fd), ERR_OK);
    http_listener_close(http_listen(server, &(struct http_listener_options){.fd = fd, .handler = handle}));
    http_server_free(server);
    loops_free(loops);
    http_server_free(NULL);
}

#define TEST(name, open) cmocka_unit_test_setup_teardown(name, open, close_site)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_slow_head, open_quick),
        TEST(test_slow_body, open_quick),
        TEST(test_idle, open_quick),
        TEST(test_long_request, open_quick),
        TEST(test_slow_reader, open_quick),
        TEST(test_lingering_ends, open_quick),
        TEST(test_kept_while_idle, open_patient),
        TEST(test_gone, open_default),
        TEST(test_request_gone, open_default),
        TEST(test_connections_max, open_small),
        TEST(test_connections_shared, open_shared),
        TEST(test_bodies_budget, open_small),
        TEST(test_memory_budget, open_default),
        TEST(test_known, open_default),
        TEST(test_trickle, open_quick),
        TEST(test_bodies_from_inside, open_inside),
        TEST(test_tenants, open_inside),
        TEST(test_drain, open_default),
        TEST(test_client_that_only_sends, open_default),
        TEST(test_no_descriptors, open_default),
        TEST(test_drain_gives_up, open_hasty),
        TEST(test_listener_close, open_default),
        TEST(test_drain_inside, open_default),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
