/* retention_test.c -- a group past its retention, with a clock that is set: many streams and events, step by step; what goes,
 * what stays, what it counts, and when it looks again. */
#include "../../store/store_test.h"
#include "base/clock.h"
#include "base/codec.h"
#include "call/service.h"
#include "services/logs/logs_internal.h"
#include "store/doc.h"
#include <stdatomic.h>

enum { STREAMS = 50, EVENTS = 60, WAIT_MS_MAX = 60000 };
#define DAY ((int64_t)24 * 60 * 60 * 1000)
#define START (1000 * DAY)
#define ACCOUNT STR("000000000000")
#define REGION STR("us-east-1")
#define KEY STR("000000000000/us-east-1/a/group")

static _Atomic int64_t now_ms;

static int64_t test_clock(void *arg)
{
    (void)arg;
    return atomic_load(&now_ms);
}

static struct str stream_name(unsigned i, char name[16])
{
    snprintf(name, 16, "stream%03u", i);
    return str_of(name);
}

/* Each stream has events at START + 0, 1, 2, …; the last stream has one of five days later, too. */
static enum err make_group(struct store_txn *txn, void *arg)
{
    struct arena *arena = arena_new();
    struct logs__group group;
    (void)arg;
    logs__group_make(txn, ACCOUNT, REGION, STR("a/group"), NULL, START, arena, &group);
    json_put(group.doc, STR("retentionDays"), json_new_i64(arena, 3));
    doc_put(txn, (struct store_key){LOGS_SPACE, doc_collection(arena, ACCOUNT, REGION, "log-group"), STR("a/group")}, group.doc, arena);
    uint64_t sequence = logs__sequences(txn, group.space, STREAMS * EVENTS + 1, arena);
    for (unsigned s = 0; s < STREAMS; s++) {
        char name[16];
        struct str stream = stream_name(s, name);
        logs__stream_make(txn, group.space, stream, START, arena);
        for (unsigned e = 0; e < EVENTS; e++)
            logs__event_put(txn, group.space, stream, START + e, ++sequence, START, STR("ten bytes."), arena);
        if (s == STREAMS - 1)
            logs__event_put(txn, group.space, stream, START + 5 * DAY, ++sequence, START, STR("ten bytes."), arena);
    }
    logs__add_bytes(txn, group.space, (STREAMS * EVENTS + 1) * (10 + LOGS_EVENT_OVERHEAD), arena);
    arena_free(arena);
    return ERR_OK;
}

static struct logs__group group_of(struct fixture *f)
{
    struct logs__group group;
    assert_int_equal(logs__group_find(store_reader(f->store), ACCOUNT, REGION, STR("a/group"), f->arena, &group), ERR_OK);
    return group;
}

static size_t count_of(struct fixture *f, struct str collection)
{
    struct store_range all = {.space = group_of(f).space, .collection = collection};
    struct arena *arena = arena_new();
    struct store_iter *iter = store_range(store_reader(f->store), &all, arena);
    struct store_key key;
    struct str value;
    size_t n = 0;
    while (store_next(iter, &key, &value) == ERR_OK)
        n++;
    arena_free(arena);
    return n;
}

/* Until the job waits for a time behind `after`. */
static int64_t wait_for_pass(struct fixture *f, int64_t after)
{
    struct jobs_state state = {0};
    for (unsigned i = 0; i < WAIT_MS_MAX; i++) {
        enum err err = jobs_find(store_reader(f->store), "logs-retention", KEY, f->arena, &state);
        if (err == ERR_OK && !state.running && state.due_ms > after)
            return state.due_ms;
        usleep(1000);
    }
    fail_msg("the pass did not end");
    return 0;
}

static void test_passes(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_mutate(f->store, make_group, NULL), ERR_OK);
    uint64_t space = group_of(f).space;
    atomic_store(&now_ms, START + 2 * DAY);
    struct jobs_options options = {.now_ms = test_clock};
    struct jobs *jobs;
    assert_int_equal(jobs_new(f->store, logs__job_kinds, 1, &options, &jobs), ERR_OK);      /* finds the group without a job */

    assert_int_equal(wait_for_pass(f, START + 2 * DAY), START + 3 * DAY);       /* when the oldest event expires */
    assert_int_equal(count_of(f, STR("time")), STREAMS * EVENTS + 1);
    assert_int_equal(count_of(f, STR("streams")), STREAMS);

    atomic_store(&now_ms, START + 3 * DAY + 30);                                /* half of the events */
    jobs_wake(jobs);
    assert_int_equal(wait_for_pass(f, START + 3 * DAY + 30), START + 3 * DAY + 30 + 10 * 60 * 1000);    /* not at once again */
    assert_int_equal(count_of(f, STR("time")), STREAMS * (EVENTS - 30) + 1);
    assert_int_equal(count_of(f, STR("stream/stream007")), EVENTS - 30);
    assert_int_equal(count_of(f, STR("streams")), STREAMS);
    assert_int_equal(logs__bytes(store_reader(f->store), space, f->arena), (STREAMS * (EVENTS - 30) + 1) * (10 + LOGS_EVENT_OVERHEAD));

    atomic_store(&now_ms, START + 4 * DAY);                                     /* all but one */
    jobs_wake(jobs);
    assert_int_equal(wait_for_pass(f, START + 4 * DAY), START + 5 * DAY);       /* a day at most */
    assert_int_equal(count_of(f, STR("time")), 1);
    assert_int_equal(count_of(f, STR("streams")), 1);
    assert_int_equal(count_of(f, STR("order")), 1);
    assert_int_equal(count_of(f, STR("stream/stream049")), 1);
    assert_int_equal(logs__bytes(store_reader(f->store), space, f->arena), 10 + LOGS_EVENT_OVERHEAD);
    jobs_free(jobs);
}

/* Until as many events are left. */
static void wait_for_events(struct fixture *f, size_t events)
{
    for (unsigned i = 0; count_of(f, STR("time")) != events; i++) {
        assert_true(i < WAIT_MS_MAX);
        usleep(1000);
    }
}

/* Whoever writes lines removes nothing, however much has expired: that is the lane's. */
static void test_the_writer_does_not_expire(void **state)
{
    struct fixture *f = *state;
    struct platform platform = {.store = f->store};
    struct jobs *jobs;
    void *logs;
    assert_int_equal(store_mutate(f->store, make_group, NULL), ERR_OK);
    assert_int_equal(logs_service.open(&platform, &logs), ERR_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(logs_append(logs, ACCOUNT, REGION, STR("a/group"), STR("new"), clock_epoch_ms(), STR("line"), false));
        logs_flush(logs);
    }
    assert_int_equal(count_of(f, STR("time")), STREAMS * EVENTS + 1 + 3);
    assert_int_equal(count_of(f, STR("streams")), STREAMS + 1);
    assert_int_equal(jobs_new(f->store, logs__job_kinds, 1, &(struct jobs_options){0}, &jobs), ERR_OK);
    wait_for_events(f, 3);
    assert_int_equal(count_of(f, STR("streams")), 1);
    assert_int_equal(count_of(f, STR("order")), 1);
    jobs_free(jobs);
    logs_service.close(logs);
}

static enum err forget_group(struct store_txn *txn, void *arg)
{
    struct arena *arena = arg;
    store_delete(txn, (struct store_key){LOGS_SPACE, doc_collection(arena, ACCOUNT, REGION, "log-group"), STR("a/group")});
    return ERR_OK;
}

static void test_a_group_that_is_gone(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_mutate(f->store, make_group, NULL), ERR_OK);
    atomic_store(&now_ms, START);
    struct jobs_options options = {.now_ms = test_clock};
    struct jobs *jobs;
    assert_int_equal(jobs_new(f->store, logs__job_kinds, 1, &options, &jobs), ERR_OK);
    int64_t due = wait_for_pass(f, START);
    assert_int_equal(store_mutate(f->store, forget_group, f->arena), ERR_OK);
    atomic_store(&now_ms, due);
    jobs_wake(jobs);
    struct jobs_state none;
    for (unsigned i = 0; jobs_find(store_reader(f->store), "logs-retention", KEY, f->arena, &none) != ERR_NOT_FOUND; i++) {
        assert_true(i < WAIT_MS_MAX);
        usleep(1000);
    }
    jobs_free(jobs);
}

static enum err damage_group(struct store_txn *txn, void *arg)
{
    struct fixture *f = arg;
    doc_put(txn, (struct store_key){LOGS_SPACE, doc_collection(f->arena, ACCOUNT, REGION, "log-group"), STR("damaged")},
            json_new(f->arena, JSON_OBJECT), f->arena);
    return ERR_OK;
}

static void test_a_damaged_group(void **state)
{
    struct fixture *f = *state;
    struct logs__group group;
    assert_int_equal(store_mutate(f->store, damage_group, f), ERR_OK);
    assert_int_equal(logs__group_find(store_reader(f->store), ACCOUNT, REGION, STR("damaged"), f->arena, &group), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST_ENGINES(test_a_damaged_group), TEST_ENGINES(test_passes),
                                       TEST_ENGINES(test_the_writer_does_not_expire), TEST_ENGINES(test_a_group_that_is_gone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
