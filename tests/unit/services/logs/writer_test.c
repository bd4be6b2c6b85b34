/* writer_test.c -- a function that prints as fast as it can: what the queue takes is written, the rest is counted. */
#include "services/logs/logs_internal.h"
#include "base/clock.h"
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>

#define LINES 400000    /* more than one queue, were only their text and its overhead counted */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status, (void)type, (void)at;
    return remove(path);
}

static size_t events_of(struct store *store, struct arena *arena)
{
    struct logs__group group;
    struct store_key key;
    struct str value;
    size_t count = 0;
    assert_int_equal(logs__group_find(store_reader(store), STR("000000000000"), STR("us-east-1"), STR("group"), arena, &group), ERR_OK);
    struct store_iter *iter = store_range(store_reader(store), &(struct store_range){.space = group.space, .collection = STR("time")}, arena);
    while (store_next(iter, &key, &value) == ERR_OK)
        count++;
    store_iter_close(iter);
    return count;
}

static void test_a_flood_of_empty_lines(void **state)
{
    (void)state;
    char dir[] = "/tmp/cloudless-logs-XXXXXX";
    struct arena *arena = arena_new();
    struct store *store;
    struct logs *logs;
    struct str message;
    size_t taken = 0;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(store_open(&(struct store_options){.dir = dir}, arena, &store, &message), ERR_OK);
    assert_int_equal(logs_new(store, &logs), ERR_OK);
    for (int i = 0; i < LINES; i++)
        taken += logs_append(logs, STR("000000000000"), STR("us-east-1"), STR("group"), STR("2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef"),
                             clock_epoch_ms(), STR("\n"), true);
    assert_true(logs_append(logs, STR("000000000000"), STR("us-east-1"), STR("other"), STR("quiet"), clock_epoch_ms(), STR("heard\n"), true));
    logs_flush(logs);
    assert_true(taken > 0);
    assert_in_range(events_of(store, arena), taken, taken + LINES / 1000);      /* and lines that say how many were lost */
    logs_free(logs);
    store_close(store);
    arena_free(arena);
    nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_flood_of_empty_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
