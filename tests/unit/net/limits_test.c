/* limits_test.c -- limits of net/limits.h that no other test of the folder reaches: connections of listeners on one loop, each and
 * all together, what is told of those refused, and the size of a file with a certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "client.h"
#include "net/tls.h"
#include <sys/mman.h>

static atomic_int told_inside, told_outside;

static void count_told(bool inside, uint64_t refused, void *arg)
{
    (void)arg;
    ENSURE(refused == 1); /* it is told of the first, and not again so soon */
    atomic_fetch_add(inside ? &told_inside : &told_outside, 1);
}

/* A listener on one loop, as a sandbox has it. */
struct inside {
    struct loop_task task;
    atomic_int port;
};

static void listen_inside(struct loop_task *task)
{
    struct inside *inside = CONTAINER_OF(task, struct inside, task);
    struct http_listener_options options = {.only = loops_at(site.loops, 0), .handler = handle, .arg = &site, .body_max = 100};
    ENSURE(http_bind(STR("127.0.0.1:0"), &options.fd) == ERR_OK);
    int port = port_of(options.fd);
    http_listen(site.server, &options);
    atomic_store(&inside->port, port);
}

static int port_inside(struct inside *inside)
{
    inside->task.run = listen_inside;
    loop_post(loops_at(site.loops, 0), &inside->task);
    while (!atomic_load(&inside->port))
        usleep(1000);
    return atomic_load(&inside->port);
}

static int open_shared(void **state)
{
    (void)state;
    const struct http_shares shares = {.outside = 1, .inside = 3, .inside_each = 2, .full = count_told};
    site_open(NULL, NULL);
    http_server_share(site.server, &shares);
    return 0;
}

static bool served(int fd)
{
    return send_text(fd, "GET /fixed HTTP/1.1\r\nHost: x\r\n\r\n") && read_answer(fd, &answer, false) && answer.status == 200;
}

static void connections_have_shares(void **state)
{
    (void)state;
    struct inside a = {.port = 0}, b = {.port = 0};
    const int ports[] = {port_inside(&a), port_inside(&b), site.port};
    int fds[] = {try_connect(ports[0]), try_connect(ports[0]), try_connect(ports[1]), try_connect(ports[2])};
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        send_text(fds[i], "GET /fixed HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(fds[i], 200, "hello");
    }
    for (size_t i = 0; i < COUNT_OF(ports); i++) { /* two of one, three of all, one from outside */
        int over = try_connect(ports[i]);
        assert_true(ended(over));
        close(over);
    }
    assert_int_equal(atomic_load(&told_inside), 1);
    assert_int_equal(atomic_load(&told_outside), 0);
    close(fds[1]); /* makes room for one of either listener */
    int again = try_connect(ports[1]);
    for (int i = 0; i < 5000 && !served(again); i++) {
        close(again);
        again = try_connect(ports[1]);
    }
    assert_true(served(again));
    fds[1] = again;
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
}

static void certificates_are_bounded(void **state)
{
    (void)state;
    char path[32];
    struct arena *arena = arena_new();
    struct tls *tls = NULL;
    struct str message = STR_NONE;
    int fd = memfd_create("pem", MFD_CLOEXEC);
    assert_true(fd >= 0 && ftruncate(fd, NET_TLS_FILE_BYTES_MAX) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const struct tls_options options = {.pairs = {{path, path}}, .pair_count = 1, .alpn = STR("\10http/1.1")};
    assert_int_equal(tls_new(&options, arena, &tls, &message), ERR_INVALID);
    assert_true(str_ends(message, STR("the file is too large")));
    close(fd);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(connections_have_shares, open_shared, close_site),
                                       cmocka_unit_test(certificates_are_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
