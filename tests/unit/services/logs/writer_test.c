/* writer_test.c -- a function that prints as fast as it can: what the queue takes is written, the rest is counted; and two writers
 * at the same time, over two stores. */
#include "services/logs/logs_internal.h"
#include "base/clock.h"
#include "call/service.h"
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

struct side {
    char dir[40];
    struct arena *arena;
    struct store *store;
    struct platform platform;
    void *logs;
};

static void open_side(struct side *side)
{
    struct str message;
    *side = (struct side){.dir = "/tmp/cloudless-logs-XXXXXX", .arena = arena_new()};
    assert_non_null(mkdtemp(side->dir));
    assert_int_equal(store_open(&(struct store_options){.dir = side->dir}, side->arena, &side->store, &message), ERR_OK);
    side->platform = (struct platform){.store = side->store};
    assert_int_equal(logs_service.open(&side->platform, &side->logs), ERR_OK);
}

static void close_side(struct side *side)
{
    logs_service.close(side->logs);
    store_close(side->store);
    arena_free(side->arena);
    nftw(side->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool append(struct side *side, const char *group, const char *stream, const char *message)
{
    return logs_append(side->logs, STR("000000000000"), STR("us-east-1"), str_of(group), str_of(stream), clock_epoch_ms(),
                       str_of(message), true);
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
    struct side side;
    size_t taken = 0;
    (void)state;
    open_side(&side);
    for (int i = 0; i < LINES; i++)
        taken += append(&side, "group", "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef", "\n");
    assert_true(append(&side, "other", "quiet", "heard\n"));
    logs_flush(side.logs);
    assert_true(taken > 0);
    assert_in_range(events_of(side.store, side.arena), taken, taken + LINES / 1000);    /* and lines that say how many were lost */
    close_side(&side);
}

static void test_two_over_two_stores(void **state)
{
    struct side first, second;
    (void)state;
    open_side(&first);
    open_side(&second);
    for (int i = 0; i < 3; i++)
        assert_true(append(&first, "group", "stream", "to the first\n"));
    assert_true(append(&second, "group", "stream", "to the second\n"));
    logs_flush(first.logs);
    logs_flush(second.logs);
    assert_int_equal(events_of(first.store, first.arena), 3);
    assert_int_equal(events_of(second.store, second.arena), 1);
    close_side(&first);
    assert_true(append(&second, "group", "stream", "to the second\n"));
    logs_flush(second.logs);
    assert_int_equal(events_of(second.store, second.arena), 2);
    close_side(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_flood_of_empty_lines), cmocka_unit_test(test_two_over_two_stores)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
