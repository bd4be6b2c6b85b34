/* relay_test.c -- what is said goes on in its order; a full pipe is not waited for, what is lost is counted and told. */
#include "../base/unit.h"
#include "main/relay.h"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

struct pipe_of {
    int fds[2];
    size_t room;
};

static struct pipe_of pipe_new(int room)
{
    struct pipe_of pipe;
    assert_int_equal(pipe2(pipe.fds, O_CLOEXEC), 0);
    room = fcntl(pipe.fds[1], F_SETPIPE_SZ, room);
    assert_true(room > 0);
    pipe.room = (size_t)room;
    return pipe;
}

static struct str drain(struct pipe_of *pipe, char *text, size_t size)
{
    assert_int_equal(fcntl(pipe->fds[0], F_SETFL, O_NONBLOCK), 0);
    ssize_t n = read(pipe->fds[0], text, size);
    return (struct str){text, n > 0 ? (size_t)n : 0};
}

static void test_passes_on(void **state)
{
    (void)state;
    static struct relay relay;
    static char text[8192];
    struct pipe_of pipe = pipe_new(65536);
    relay_init(&relay, pipe.fds[1]);
    relay_add(&relay, STR("one\n"));
    relay_add(&relay, STR("two\n"));
    assert_false(relay_waits(&relay));
    assert_true(str_eq(drain(&pipe, text, sizeof text), STR("one\ntwo\n")));
    relay_end(&relay, 60000);
    close(pipe.fds[0]);
    close(pipe.fds[1]);
}

static void test_full(void **state)
{
    (void)state;
    static struct relay relay;
    static char text[8192], line[101];
    struct pipe_of pipe = pipe_new(4096);
    size_t added = 0, read_n = 0, lines = 0;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    relay_init(&relay, pipe.fds[1]);
    for (; relay.lines_lost < 7; added++)
        relay_add(&relay, (struct str){line, sizeof line});
    assert_true(relay_waits(&relay));
    assert_in_range(added * sizeof line, RELAY_BYTES, RELAY_BYTES + pipe.room + 8 * sizeof line);
    struct str got, last = STR_NONE;
    while ((got = drain(&pipe, text, sizeof text)).n) {         /* each time there is room again */
        for (size_t i = 0; i < got.n; i++)
            lines += got.p[i] == '\n';
        read_n += got.n;
        last = got;
        relay_flush(&relay);
    }
    assert_false(relay_waits(&relay));
    assert_int_equal(lines, added - 7 + 1);
    assert_true(read_n > (added - 7) * sizeof line);
    assert_true(str_ends(last, STR(" warn supervisor.lines_lost count=7\n")));
    relay_end(&relay, 60000);
    close(pipe.fds[0]);
    close(pipe.fds[1]);
}

static void test_nobody_reads(void **state)
{
    (void)state;
    static struct relay relay;
    struct pipe_of pipe = pipe_new(4096);
    signal(SIGPIPE, SIG_IGN);
    close(pipe.fds[0]);
    relay_init(&relay, pipe.fds[1]);
    relay_add(&relay, STR("one\n"));
    relay_end(&relay, 60000);
    assert_false(relay_waits(&relay));
    assert_true(relay.lines_lost > 0);
    close(pipe.fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_passes_on), cmocka_unit_test(test_full),
                                       cmocka_unit_test(test_nobody_reads)};
    return RUN(tests);
}
