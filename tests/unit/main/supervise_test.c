/* supervise_test.c -- pauses between restarts, and what a supervisor leaves to its server. */
#include "../base/unit.h"
#include "main/supervise.h"
#include <fcntl.h>
#include <unistd.h>

static void test_pauses(void **state)
{
    (void)state;
    const unsigned first[] = {0, 0, 100, 200, 400, 800};
    for (unsigned i = 0; i < COUNT_OF(first); i++)
        assert_int_equal(supervise_pause_ms(i), first[i]);
    unsigned before = 0;
    for (unsigned i = 0; i < 200; i++) {
        assert_true(supervise_pause_ms(i) >= before && supervise_pause_ms(i) <= 30000);
        before = supervise_pause_ms(i);
    }
    assert_int_equal(before, 30000);
}

static void test_take(void **state)
{
    (void)state;
    struct options options = {.listen_count = 2};
    struct supervised supervised;
    int fds[LISTEN_MAX] = {0};
    unsetenv("CLOUDLESS_SUPERVISED");
    supervised_take(&options, &supervised, fds);
    assert_false(supervised.yes);
    supervised_ready(&supervised);

    int ready[2], one = dup(0), two = dup(0);
    assert_int_equal(pipe(ready), 0);
    char text[100];
    snprintf(text, sizeof text, "%ld %d %d %d", (long)getppid(), ready[1], one, two);
    setenv("CLOUDLESS_SUPERVISED", text, 1);
    supervised_take(&options, &supervised, fds);
    assert_true(supervised.yes && fds[0] == one && fds[1] == two);
    assert_null(getenv("CLOUDLESS_SUPERVISED"));        /* functions and the launcher do not see it */
    assert_true(fcntl(one, F_GETFD) & FD_CLOEXEC);
    supervised_ready(&supervised);
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(read(ready[0], &byte, 1), 0);

    snprintf(text, sizeof text, "%ld %d %d %d", (long)getpid(), dup(0), one, two);
    setenv("CLOUDLESS_SUPERVISED", text, 1);
    supervised_take(&options, &supervised, fds);
    assert_false(supervised.yes);                       /* of another process */
    close(supervised.ready_fd);
    close(ready[0]);
    close(one);
    close(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pauses), cmocka_unit_test(test_take)};
    return RUN(tests);
}
