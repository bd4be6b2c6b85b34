/* crash_test.c -- a process that dies in the middle of jobs: each step's effect is there exactly once, and no job is lost.
 *
 * A child (this program again) runs jobs of STEPS steps each. Every step is a draw: to die before it, inside its mutation,
 * or right after its commit was written, or from outside at any moment. The parent starts children until the jobs are done.
 * A step checks that its effect is the next one: a step lost or run twice would show there, or in the sums at the end. */
#include "../store/store_test.h"
#include "base/codec.h"
#include "base/hash.h"
#include "jobs/jobs.h"
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

enum { JOBS = 24, STEPS = 6, CHILDREN_MAX = 2000, ODDS = 40, KILL_MS = 300 };

static uint64_t number_of(struct store_txn *txn, struct str key)
{
    struct arena *arena = arena_new();
    struct str value;
    enum err err = store_get(txn, (struct store_key){STORE_SPACE_FIRST, STR("effects"), key}, arena, &value);
    ENSURE(err == ERR_OK || err == ERR_NOT_FOUND);
    uint64_t number = err == ERR_OK ? get_u64((const uint8_t *)value.p) : 0;
    arena_free(arena);
    return number;
}

static void maybe_die(void)
{
    uint8_t chance;
    random_bytes(&chance, sizeof chance);
    if (chance % ODDS == 0)
        kill(getpid(), SIGKILL);
}

static void step(struct job *job)
{
    (void)job;
    maybe_die();
}

static enum err effect(struct store_txn *txn, struct job *job)
{
    uint64_t done = job->cursor.n ? get_u64((const uint8_t *)job->cursor.p) : 0;
    ENSURE(number_of(txn, job->key) == done);               /* neither lost nor twice */
    uint8_t *bytes = arena_alloc(job->arena, 8);
    put_u64(bytes, done + 1);
    store_put(txn, (struct store_key){STORE_SPACE_FIRST, STR("effects"), job->key}, (struct str){(char *)bytes, 8});
    if (done + 1 < STEPS)
        job_again(job, (struct str){(char *)bytes, 8});
    maybe_die();
    return ERR_OK;
}

static void after_commit(void *arg)
{
    (void)arg;
    maybe_die();
}

static bool all_done(struct store *store)
{
    struct arena *arena = arena_new();
    bool done = true;
    for (uint32_t i = 0; i < JOBS && done; i++) {
        uint8_t key[4];
        struct jobs_state state;
        put_u32(key, i);
        done = jobs_find(store_reader(store), "steps", (struct str){(char *)key, 4}, arena, &state) == ERR_NOT_FOUND;
    }
    arena_free(arena);
    return done;
}

static int child(const char *dir)
{
    struct store *store;
    struct str message;
    struct jobs *jobs;
    struct arena *arena = arena_new();
    struct store_options options = {.dir = dir};
    const struct jobs_kind kind = {.name = "steps", .step = step, .mutate = effect, .concurrency_max = 4};
    ENSURE(store_open(&options, arena, &store, &message) == ERR_OK);
    store_watch(store, STORE_SPACE_JOBS, after_commit, NULL);
    ENSURE(jobs_new(store, &kind, 1, &(struct jobs_options){.threads = 4}, &jobs) == ERR_OK);
    while (!all_done(store))
        usleep(1000);
    jobs_free(jobs);
    store_close(store);
    arena_free(arena);
    return 0;
}

static enum err ask_all(struct store_txn *txn, void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < JOBS; i++) {
        uint8_t key[4];
        put_u32(key, i);
        jobs_add(txn, "steps", (struct str){(char *)key, 4}, 0, STR_NONE);
    }
    return ERR_OK;
}

/* True: it came to its end by itself. */
static bool run_child(const char *dir)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "crash_test", "child", dir, (char *)NULL);
        _exit(127);
    }
    pid_t killer = fork();
    if (killer == 0) {
        struct timespec wait = {0, (long)(KILL_MS / 2 + pid % KILL_MS) * 1000000};
        nanosleep(&wait, NULL);
        kill(pid, SIGKILL);
        _exit(0);
    }
    int status, ignored;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    kill(killer, SIGKILL);
    assert_int_equal(waitpid(killer, &ignored, 0), killer);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return false;
}

static void test_exactly_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_mutate(f->store, ask_all, NULL), ERR_OK);
    unsigned died = 0;
    for (bool done = false; !done; died += !done) {
        store_close(f->store);
        f->store = NULL;
        done = run_child(f->dir);
        assert_int_equal(fixture_open(f), ERR_OK);
        assert_true(died < CHILDREN_MAX);
        done = done || all_done(f->store);
    }
    for (uint32_t i = 0; i < JOBS; i++) {
        uint8_t key[4];
        put_u32(key, i);
        assert_int_equal(number_of(store_reader(f->store), (struct str){(char *)key, 4}), STEPS);
    }
    print_message("%u processes died over %d steps\n", died, JOBS * STEPS);
    assert_true(died > 0);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "child") == 0)
        return child(argv[2]);
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_exactly_once, fixture_setup, fixture_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
