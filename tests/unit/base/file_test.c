/* file_test.c -- base/file.h: a write that comes in pieces through a pipe, a full file, a closed reader. */
#include "base/file.h"
#include "unit.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { BYTES = 300000 };

static void *drain(void *arg)
{
    static char piece[1000];
    size_t total = 0;
    for (ssize_t n; (n = read(*(int *)arg, piece, sizeof piece)) > 0;)
        total += (size_t)n;
    return (void *)total;
}

static void pieces(void **state)
{
    (void)state;
    static char bytes[BYTES];
    int ends[2];
    pthread_t reader;
    void *total;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pthread_create(&reader, NULL, drain, &ends[0]), 0);
    assert_true(file_write(ends[1], (struct str){bytes, BYTES}));
    close(ends[1]);
    pthread_join(reader, &total);
    assert_int_equal((size_t)total, BYTES);
    close(ends[0]);
}

static void failures(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY), ends[2];
    assert_true(file_write(full, STR_NONE));
    assert_false(file_write(full, STR("x")));
    close(full);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_false(file_write(ends[1], STR("x")));
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces), cmocka_unit_test(failures)};
    return RUN(tests);
}
