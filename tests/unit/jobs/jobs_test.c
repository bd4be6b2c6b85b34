/* jobs_test.c -- durable jobs over both engines: order, cursors, failing, cancelling, being asked for again, bounds, and two
 * processes over one cluster. Time is a variable; what another thread does is waited for by what it leaves behind. */
#include "../store/store_test.h"
#include "base/codec.h"
#include "jobs/jobs.h"
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

enum { WAIT_SECONDS_MAX = 60 };

static _Atomic int64_t now_ms = 1000000;

static int64_t test_clock(void *arg)
{
    (void)arg;
    return atomic_load(&now_ms);
}

static struct jobs *start(struct fixture *f, const struct jobs_kind *kinds, size_t count, unsigned threads)
{
    struct jobs_options options = {.threads = threads, .now_ms = test_clock};
    struct jobs *jobs = NULL;
    assert_int_equal(jobs_new(f->store, kinds, count, &options, &jobs), ERR_OK);
    return jobs;
}

static void pass(struct jobs *jobs, int64_t ms)
{
    atomic_fetch_add(&now_ms, ms);
    jobs_wake(jobs);
}

/* ---- what jobs leave behind: numbers in the store ---- */

static uint64_t number_at(struct store_txn *txn, const char *collection, struct str key)
{
    struct arena *arena = arena_new();
    struct str value;
    enum err err = store_get(txn, (struct store_key){STORE_SPACE_FIRST, str_of(collection), key}, arena, &value);
    ENSURE(err == ERR_OK || err == ERR_NOT_FOUND);
    uint64_t number = err == ERR_OK ? get_u64((const uint8_t *)value.p) : 0;
    arena_free(arena);
    return number;
}

static uint64_t add_at(struct store_txn *txn, const char *collection, struct str key, uint64_t by)
{
    uint8_t bytes[8];
    uint64_t number = number_at(txn, collection, key) + by;
    put_u64(bytes, number);
    store_put(txn, (struct store_key){STORE_SPACE_FIRST, str_of(collection), key}, (struct str){(char *)bytes, 8});
    return number;
}

static void wait_number(struct fixture *f, const char *collection, const char *key, uint64_t number)
{
    for (unsigned i = 0; number_at(store_reader(f->store), collection, str_of(key)) != number; i++) {
        assert_true(i < WAIT_SECONDS_MAX * 1000);
        usleep(1000);
    }
}

static void wait_gone(struct fixture *f, const char *kind, const char *key)
{
    struct jobs_state state;
    for (unsigned i = 0; jobs_find(store_reader(f->store), kind, str_of(key), f->arena, &state) != ERR_NOT_FOUND; i++) {
        assert_true(i < WAIT_SECONDS_MAX * 1000);
        usleep(1000);
    }
}

static struct jobs_state state_of(struct fixture *f, const char *kind, const char *key)
{
    struct jobs_state state = {0};
    assert_int_equal(jobs_find(store_reader(f->store), kind, str_of(key), f->arena, &state), ERR_OK);
    return state;
}

/* ---- asking ---- */

struct asking { const char *kind, *key; int64_t due_ms; struct str cursor; enum { ADD, MOVE, CANCEL } what; bool then_fail; };

static enum err ask_job(struct store_txn *txn, void *arg)
{
    const struct asking *a = arg;
    enum err err = ERR_OK;
    if (a->what == ADD)
        jobs_add(txn, a->kind, str_of(a->key), a->due_ms, a->cursor);
    if (a->what == MOVE)
        err = jobs_reschedule(txn, a->kind, str_of(a->key), a->due_ms);
    if (a->what == CANCEL)
        err = jobs_cancel(txn, a->kind, str_of(a->key));
    return a->then_fail ? ERR_ABORTED : err;
}

static enum err ask(struct fixture *f, const char *kind, const char *key, int64_t due_ms)
{
    struct asking a = {.kind = kind, .key = key, .due_ms = due_ms};
    return store_mutate(f->store, ask_job, &a);
}

static enum err ask_other(struct fixture *f, const char *kind, const char *key, int64_t due_ms, int what)
{
    struct asking a = {.kind = kind, .key = key, .due_ms = due_ms, .what = what};
    return store_mutate(f->store, ask_job, &a);
}

/* ---- kinds ---- */

/* Counts its runs; its key's place in the order is kept. */
static enum err count_mutate(struct store_txn *txn, struct job *job)
{
    add_at(txn, "place", job->key, add_at(txn, "count", STR("all"), 1));
    add_at(txn, "count", job->key, 1);
    return ERR_OK;
}

/* Ten steps; the cursor is the number of the last. */
static enum err ten_mutate(struct store_txn *txn, struct job *job)
{
    uint64_t step = job->cursor.n == 8 ? get_u64((const uint8_t *)job->cursor.p) + 1 : 1;
    ENSURE(add_at(txn, "steps", job->key, 1) == step);
    uint8_t *bytes = arena_alloc(job->arena, 8);
    put_u64(bytes, step);
    if (step < 10)
        job_again(job, (struct str){(char *)bytes, 8});
    return ERR_OK;
}

static atomic_uint fails_left;

static enum err failing_mutate(struct store_txn *txn, struct job *job)
{
    add_at(txn, "count", job->key, 1);
    if (job->attempts <= atomic_load(&fails_left))
        job_failed(job, "not yet");
    return ERR_OK;
}

static void failing_step(struct job *job)
{
    if (job->attempts <= atomic_load(&fails_left))
        job_failed(job, "not yet");
}

static enum err later_mutate(struct store_txn *txn, struct job *job)
{
    if (add_at(txn, "count", job->key, 1) < 3)
        job_later(job, job->now_ms + 5000, STR_NONE);
    return ERR_OK;
}

/* Held inside its step until it is let go. */
static struct { pthread_mutex_t lock; pthread_cond_t changed; unsigned inside, most, let_go; } held = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void held_step(struct job *job)
{
    (void)job;
    pthread_mutex_lock(&held.lock);
    held.inside++;
    held.most = held.inside > held.most ? held.inside : held.most;
    pthread_cond_broadcast(&held.changed);
    while (!held.let_go)
        pthread_cond_wait(&held.changed, &held.lock);
    held.let_go--;
    held.inside--;
    pthread_cond_broadcast(&held.changed);
    pthread_mutex_unlock(&held.lock);
}

static void wait_inside(unsigned n)
{
    pthread_mutex_lock(&held.lock);
    while (held.inside != n)
        pthread_cond_wait(&held.changed, &held.lock);
    pthread_mutex_unlock(&held.lock);
}

static void let_go(unsigned n)
{
    pthread_mutex_lock(&held.lock);
    held.let_go += n;
    pthread_cond_broadcast(&held.changed);
    pthread_mutex_unlock(&held.lock);
}

static const struct jobs_kind kinds[] = {
    {.name = "count", .mutate = count_mutate},
    {.name = "ten", .mutate = ten_mutate, .concurrency_max = 4},
    {.name = "failing", .mutate = failing_mutate, .attempts_max = 4, .backoff_ms = 1000, .backoff_ms_max = 2000},
    {.name = "failing-step", .step = failing_step, .mutate = count_mutate, .attempts_max = 4, .backoff_ms = 1000},
    {.name = "later", .mutate = later_mutate},
    {.name = "held", .step = held_step, .mutate = count_mutate, .concurrency_max = 2, .lease_ms = 60000},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], HELD = 5 };

/* ---- tests ---- */

static void test_runs_when_due(void **state)
{
    struct fixture *f = *state;
    struct jobs *jobs = start(f, kinds, KINDS, 2);
    int64_t now = atomic_load(&now_ms);
    assert_int_equal(ask(f, "count", "later", now + 5000), ERR_OK);
    assert_int_equal(ask(f, "count", "now", 0), ERR_OK);
    wait_number(f, "count", "now", 1);
    wait_gone(f, "count", "now");
    assert_int_equal(number_at(store_reader(f->store), "count", STR("later")), 0);
    assert_int_equal(state_of(f, "count", "later").due_ms, now + 5000);
    pass(jobs, 4999);
    assert_int_equal(ask(f, "count", "second", 0), ERR_OK);
    wait_number(f, "count", "second", 1);
    assert_int_equal(number_at(store_reader(f->store), "count", STR("later")), 0);
    pass(jobs, 1);
    wait_number(f, "count", "later", 1);
    struct asking failed = {.kind = "count", .key = "never", .then_fail = true};
    assert_int_equal(store_mutate(f->store, ask_job, &failed), ERR_ABORTED);
    struct jobs_state none;
    assert_int_equal(jobs_find(store_reader(f->store), "count", STR("never"), f->arena, &none), ERR_NOT_FOUND);
    jobs_free(jobs);
}

static void test_in_order(void **state)
{
    struct fixture *f = *state;
    enum { MANY = 3 * JOBS_PAGE };
    int64_t now = atomic_load(&now_ms);
    char name[16];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%03u", i * 7 % MANY);
        assert_int_equal(ask(f, "count", name, now - 100000 + i * 7 % MANY), ERR_OK);
    }
    struct jobs *jobs = start(f, kinds, KINDS, 3);
    wait_number(f, "count", "all", MANY);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%03u", i);
        assert_int_equal(number_at(store_reader(f->store), "place", str_of(name)), i + 1);
    }
    jobs_free(jobs);
}

static void test_cursor(void **state)
{
    struct fixture *f = *state;
    struct jobs *jobs = start(f, kinds, KINDS, 4);
    for (unsigned i = 0; i < 6; i++) {
        char name[2] = {(char)('a' + i), 0};
        assert_int_equal(ask(f, "ten", name, 0), ERR_OK);
    }
    for (unsigned i = 0; i < 6; i++) {
        char name[2] = {(char)('a' + i), 0};
        wait_gone(f, "ten", name);
        assert_int_equal(number_at(store_reader(f->store), "steps", str_of(name)), 10);
    }
    jobs_free(jobs);
}

static void test_failing(void **state)
{
    struct fixture *f = *state;
    struct jobs *jobs = start(f, kinds, KINDS, 2);
    atomic_store(&fails_left, 2);
    const char *const both[] = {"failing", "failing-step"};
    for (unsigned i = 0; i < 2; i++) {
        int64_t now = atomic_load(&now_ms);
        assert_int_equal(ask(f, both[i], both[i], 0), ERR_OK);
        struct jobs_state at = {0};
        while (at.attempts != 1 || at.running)
            at = state_of(f, both[i], both[i]);
        assert_in_range(at.due_ms, now + 1000, now + 1500);
        pass(jobs, 1500);
        while (at.attempts != 2 || at.running)
            at = state_of(f, both[i], both[i]);
        assert_in_range(at.due_ms, now + 1500 + 2000, now + 1500 + 3000);
        assert_int_equal(number_at(store_reader(f->store), "count", str_of(both[i])), 0);  /* what it wrote is dropped */
        pass(jobs, 3000);
        wait_gone(f, both[i], both[i]);
        assert_int_equal(number_at(store_reader(f->store), "count", str_of(both[i])), 1);
    }
    jobs_free(jobs);
}

static void test_given_up(void **state)
{
    struct fixture *f = *state;
    struct jobs *jobs = start(f, kinds, KINDS, 2);
    atomic_store(&fails_left, 100);
    assert_int_equal(ask(f, "failing", "x", 0), ERR_OK);
    struct jobs_state at = {0};
    for (unsigned i = 1; i <= 4; i++) {
        while (at.attempts != i || at.running)
            at = state_of(f, "failing", "x");
        assert_int_equal(at.failed, i == 4);
        pass(jobs, 3000);
    }
    struct jobs_stats stats = {0};
    while (stats.steps != 4)                                    /* counted after the commit */
        assert_int_equal(jobs_stats(jobs, 2, &stats), ERR_OK);
    assert_string_equal(stats.kind, "failing");
    assert_int_equal(stats.failed, 1);
    assert_int_equal(stats.due, 0);
    assert_int_equal(stats.retries, 3);
    atomic_store(&fails_left, 0);
    assert_int_equal(ask(f, "failing", "x", 0), ERR_OK);        /* begins again */
    wait_gone(f, "failing", "x");
    assert_int_equal(jobs_stats(jobs, 2, &stats), ERR_OK);
    assert_int_equal(stats.failed, 0);
    assert_int_equal(jobs_stats(jobs, KINDS + 1, &stats), ERR_NOT_FOUND);
    jobs_free(jobs);
}

static void test_later(void **state)
{
    struct fixture *f = *state;
    struct jobs *jobs = start(f, kinds, KINDS, 2);
    assert_int_equal(ask(f, "later", "x", 0), ERR_OK);
    for (uint64_t i = 1; i <= 3; i++) {
        wait_number(f, "count", "x", i);
        pass(jobs, 5000);
    }
    wait_gone(f, "later", "x");
    assert_int_equal(number_at(store_reader(f->store), "count", STR("x")), 3);
    jobs_free(jobs);
}

static void test_moved_and_cancelled(void **state)
{
    struct fixture *f = *state;
    struct jobs *jobs = start(f, kinds, KINDS, 2);
    int64_t now = atomic_load(&now_ms);
    assert_int_equal(ask_other(f, "count", "x", 0, MOVE), ERR_NOT_FOUND);
    assert_int_equal(ask_other(f, "count", "x", 0, CANCEL), ERR_NOT_FOUND);
    assert_int_equal(ask(f, "count", "x", now + 5000), ERR_OK);
    assert_int_equal(ask(f, "count", "x", now + 9000), ERR_OK);         /* not later by being asked for again */
    assert_int_equal(state_of(f, "count", "x").due_ms, now + 5000);
    assert_int_equal(ask_other(f, "count", "x", now + 9000, MOVE), ERR_OK);
    assert_int_equal(ask(f, "count", "y", now + 5000), ERR_OK);
    assert_int_equal(ask(f, "count", "z", now + 5000), ERR_OK);
    assert_int_equal(ask_other(f, "count", "z", 0, CANCEL), ERR_OK);
    pass(jobs, 5000);
    wait_number(f, "count", "y", 1);
    assert_int_equal(number_at(store_reader(f->store), "count", STR("x")), 0);
    assert_int_equal(number_at(store_reader(f->store), "count", STR("z")), 0);
    assert_int_equal(ask_other(f, "count", "x", 0, MOVE), ERR_OK);
    wait_number(f, "count", "x", 1);
    jobs_free(jobs);
}

/* One at a time for a key, concurrency_max for a kind, and other kinds are not held up. */
static void test_bounds(void **state)
{
    struct fixture *f = *state;
    struct jobs *jobs = start(f, kinds, KINDS, 4);
    held.most = 0;
    for (unsigned i = 0; i < 5; i++) {
        char name[2] = {(char)('a' + i), 0};
        assert_int_equal(ask(f, "held", name, 0), ERR_OK);
    }
    wait_inside(2);
    assert_int_equal(ask(f, "count", "other", 0), ERR_OK);
    wait_number(f, "count", "other", 1);
    struct jobs_stats stats;
    assert_int_equal(jobs_stats(jobs, HELD, &stats), ERR_OK);
    assert_int_equal(stats.running, 2);
    assert_int_equal(stats.due, 3);
    assert_int_equal(stats.waiting, 5);
    assert_int_equal(stats.lag_ms, atomic_load(&now_ms));       /* due at the beginning of time */
    let_go(5);
    for (unsigned i = 0; i < 5; i++) {
        char name[2] = {(char)('a' + i), 0};
        wait_number(f, "count", name, 1);
    }
    assert_int_equal(held.most, 2);
    jobs_free(jobs);
}

/* However many are due, a page of them is in memory. */
enum { QUEUE = 40000, PER_MUTATION = 2000 };

static enum err ask_many(struct store_txn *txn, void *arg)
{
    uint32_t first = *(uint32_t *)arg;
    for (uint32_t i = first; i < first + PER_MUTATION; i++) {
        char name[16];
        snprintf(name, sizeof name, "%08u", i);
        jobs_add(txn, "held", str_of(name), 0, STR_NONE);
    }
    return ERR_OK;
}

static void test_long_queue(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < QUEUE; i += PER_MUTATION)
        assert_int_equal(store_mutate(f->store, ask_many, &i), ERR_OK);
    fixture_reopen(f);
    size_t before = mallinfo2().uordblks;
    struct jobs *jobs = start(f, kinds, KINDS, 2);
    wait_inside(2);
    size_t after = mallinfo2().uordblks;
    assert_true(after < before || after - before < 512 << 10);  /* the keys alone are 320 KB, the rows 2 MB */
    struct jobs_stats stats;
    assert_int_equal(jobs_stats(jobs, HELD, &stats), ERR_OK);
    assert_int_equal(stats.due, JOBS_COUNT_MAX);
    let_go(3 * JOBS_PAGE);                                      /* over several pages, each behind the one before */
    wait_number(f, "count", "all", 3 * JOBS_PAGE);
    wait_inside(2);
    let_go(2);
    jobs_free(jobs);                                            /* begun steps end; perhaps no other is begun */
    uint64_t all = number_at(store_reader(f->store), "count", STR("all"));
    assert_int_equal(all, 3 * JOBS_PAGE + 2);
}

static void test_asked_for_while_it_runs(void **state)
{
    struct fixture *f = *state;
    struct jobs *jobs = start(f, kinds, KINDS, 3);
    assert_int_equal(ask(f, "held", "x", 0), ERR_OK);
    wait_inside(1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ask(f, "held", "x", 0), ERR_OK);
    let_go(1);
    wait_number(f, "count", "x", 1);
    wait_inside(1);
    let_go(1);
    wait_number(f, "count", "x", 2);
    wait_gone(f, "held", "x");                                  /* once more, not three times */
    assert_int_equal(ask(f, "held", "y", 0), ERR_OK);
    wait_inside(1);
    assert_int_equal(ask_other(f, "held", "y", 0, CANCEL), ERR_OK);
    let_go(1);
    wait_inside(0);
    assert_int_equal(ask(f, "count", "behind", 0), ERR_OK);
    wait_number(f, "count", "behind", 1);
    jobs_free(jobs);
    assert_int_equal(number_at(store_reader(f->store), "count", STR("y")), 0);
}

static enum err regular_mutate(struct store_txn *txn, struct job *job)
{
    (void)job;
    add_at(txn, "count", STR("regular"), 1);
    return ERR_OK;
}

static void test_regular(void **state)
{
    struct fixture *f = *state;
    const struct jobs_kind kind = {.name = "regular", .mutate = regular_mutate, .every_ms = 60000};
    struct jobs *jobs = start(f, &kind, 1, 1);
    wait_number(f, "count", "regular", 1);
    jobs_free(jobs);
    jobs = start(f, &kind, 1, 1);                               /* a start is no reason to run */
    assert_int_equal(state_of(f, "regular", "").running, false);
    pass(jobs, 59999);
    assert_int_equal(number_at(store_reader(f->store), "count", STR("regular")), 1);
    pass(jobs, 1);
    wait_number(f, "count", "regular", 2);
    jobs_free(jobs);
}

static enum err too_long(struct store_txn *txn, void *arg)
{
    static char long_key[JOBS_CURSOR_MAX + 1];
    bool cursor = *(bool *)arg;
    jobs_add(txn, "count", (struct str){long_key, cursor ? 1 : JOBS_KEY_MAX + 1}, 0,
             (struct str){long_key, cursor ? sizeof long_key : 0});
    return ERR_OK;
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 2; i++) {
        bool cursor = i;
        assert_int_equal(store_mutate(f->store, too_long, &cursor), ERR_TOO_LARGE);
    }
}

/* ---- spaces ---- */

static enum err fill_and_drop(struct store_txn *txn, void *arg)
{
    bool as_before = *(bool *)arg;
    uint64_t space = store_new_space(txn);
    uint8_t bytes[8];
    put_u64(bytes, space);
    for (uint32_t i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        store_put(txn, (struct store_key){space, STR("c"), str_of(name)}, STR("x"));
    }
    store_put(txn, (struct store_key){space + 100, STR("c"), STR("k")}, STR("stays"));
    if (as_before)
        store_put(txn, (struct store_key){STORE_SPACE_SYSTEM, STR("drop"), {(char *)bytes, 8}}, STR("\1"));
    else
        jobs_drop_space(txn, space);
    return ERR_OK;
}

static size_t count_space(struct fixture *f, uint64_t space)
{
    struct store_key key;
    struct str value;
    struct store_iter *iter = store_walk(store_reader(f->store), space, 0, UINT64_MAX, NULL, f->arena);
    size_t n = 0;
    while (store_next(iter, &key, &value) == ERR_OK)
        n++;
    store_iter_close(iter);
    return n;
}

static void test_drop_space(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 2; i++) {          /* asked for, and as an earlier release recorded it */
        bool as_before = i;
        uint64_t space = STORE_SPACE_FIRST + i;
        assert_int_equal(store_mutate(f->store, fill_and_drop, &as_before), ERR_OK);
        fixture_reopen(f);                      /* the process went before it was done */
        assert_int_equal(count_space(f, space), 300);
        struct jobs *jobs = start(f, kinds, KINDS, 2);
        struct jobs_stats stats = {0};
        while (stats.ended == 0)
            assert_int_equal(jobs_stats(jobs, KINDS, &stats), ERR_OK);
        assert_string_equal(stats.kind, "drop-space");
        jobs_free(jobs);
        assert_int_equal(count_space(f, space), 0);
        assert_int_equal(count_space(f, space + 100), 1);
        assert_int_equal(count_space(f, STORE_SPACE_JOBS), 0);
    }
}

/* ---- a process that died, and two that live ---- */

/* As a dead process leaves it: claimed, and nobody there. */
static void leave_running(struct fixture *f, struct jobs **ret)
{
    *ret = start(f, kinds, KINDS, 2);
    assert_int_equal(ask(f, "held", "x", 0), ERR_OK);
    wait_inside(1);
    assert_true(state_of(f, "held", "x").running);
}

static void test_lease_runs_out(void **state)
{
    struct fixture *f = *state;
    struct jobs *first, *second;
    leave_running(f, &first);
    struct fixture g = *f;
    assert_int_equal(fixture_open(&g), ERR_OK);                 /* another process of the cluster */
    second = start(&g, kinds, KINDS, 2);
    assert_int_equal(ask(&g, "count", "there", 0), ERR_OK);
    wait_number(&g, "count", "there", 1);
    assert_true(held.inside == 1);
    pass(second, 60000);                                        /* the lease's end */
    wait_inside(2);
    let_go(2);
    wait_number(f, "count", "x", 1);
    wait_gone(f, "held", "x");
    jobs_free(first);                                           /* its end came to nothing, or the other's did */
    jobs_free(second);
    assert_int_equal(number_at(store_reader(f->store), "count", STR("x")), 1);
    store_close(g.store);
}

enum { SHARED = 60 };

static void test_two_processes(void **state)
{
    struct fixture *f = *state, g = *f;
    assert_int_equal(fixture_open(&g), ERR_OK);
    struct jobs *first = start(f, kinds, KINDS, 2), *second = start(&g, kinds, KINDS, 2);
    for (unsigned i = 0; i < SHARED; i++) {
        char name[8];
        snprintf(name, sizeof name, "%u", i);
        assert_int_equal(ask(i % 2 ? f : &g, "ten", name, 0), ERR_OK);
    }
    for (unsigned i = 0; i < SHARED; i++) {
        char name[8];
        snprintf(name, sizeof name, "%u", i);
        wait_gone(f, "ten", name);
        assert_int_equal(number_at(store_reader(f->store), "steps", str_of(name)), 10);
    }
    jobs_free(first);
    jobs_free(second);
    store_close(g.store);
}

int main(void)
{
#define TEST_MEMORY(name) cmocka_unit_test_setup_teardown(name, fixture_setup_memory, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST_ENGINES(test_runs_when_due),
        TEST_ENGINES(test_in_order),
        TEST_ENGINES(test_cursor),
        TEST_ENGINES(test_failing),
        TEST_ENGINES(test_given_up),
        TEST_ENGINES(test_later),
        TEST_ENGINES(test_moved_and_cancelled),
        TEST_ENGINES(test_bounds),
        TEST_ENGINES(test_asked_for_while_it_runs),
        TEST_ENGINES(test_regular),
        TEST_ENGINES(test_limits),
        TEST_ENGINES(test_drop_space),
        cmocka_unit_test_setup_teardown(test_long_queue, fixture_setup, fixture_teardown),
        TEST_MEMORY(test_lease_runs_out),
        TEST_MEMORY(test_two_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
