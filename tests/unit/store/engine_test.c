/* engine_test.c -- what the store makes of an engine that others write to as well: conflicts, views, generations and watches
 * of two stores over one cluster; snapshots; and mutations that are run twice and must not differ. */
#include "store_test.h"
#include "base/codec.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>

struct pair { struct fixture *f; struct store *other; };

static struct store_key k(const char *collection, const char *key)
{
    return (struct store_key){STORE_SPACE_FIRST, str_of(collection), str_of(key)};
}

static struct store *open_other(struct fixture *f)
{
    struct store_options options = {.dir = f->dir, .engine = f->engine};
    struct store *other;
    assert_int_equal(store_open(&options, f->arena, &other, &f->message), ERR_OK);
    return other;
}

static uint64_t number_at(struct store_txn *txn, struct store_key key, struct arena *arena)
{
    struct str value;
    enum err err = store_get(txn, key, arena, &value);
    ENSURE(err == ERR_OK || err == ERR_NOT_FOUND);
    return err == ERR_OK ? get_u64((const uint8_t *)value.p) : 0;
}

static void put_number(struct store_txn *txn, struct store_key key, uint64_t number)
{
    uint8_t bytes[8];
    put_u64(bytes, number);
    store_put(txn, key, (struct str){(char *)bytes, 8});
}

struct add {
    struct store_mutation mutation;
    struct arena *arena;
    const char *key;
    uint64_t by;
    enum err err;
    sem_t ended;
    unsigned runs;
};

static enum err add(struct store_txn *txn, void *arg)
{
    struct add *a = arg;
    a->runs++;
    put_number(txn, k("numbers", a->key), number_at(txn, k("numbers", a->key), a->arena) + a->by);
    return ERR_OK;
}

static void add_done(struct store_mutation *mutation, enum err err)
{
    struct add *a = CONTAINER_OF(mutation, struct add, mutation);
    a->err = err;
    sem_post(&a->ended);
}

static void add_start(struct store *store, struct add *a)
{
    a->mutation = (struct store_mutation){.mutate = add, .done = add_done, .arg = a, .name = "add"};
    sem_init(&a->ended, 0, 0);
    store_submit(store, &a->mutation);
}

/* ---- conflicts ---- */

struct interference { struct store *other; struct add add; };

/* Another process changes the number between the decision and the commit. */
static void interfere(void *arg)
{
    struct interference *i = arg;
    add_start(i->other, &i->add);
    sem_wait(&i->add.ended);
}

static void test_conflict_runs_again(void **state)
{
    struct fixture *f = *state;
    struct interference i = {open_other(f), {.arena = arena_new(), .key = "n", .by = 100}};
    struct add a = {.arena = f->arena, .key = "n", .by = 1}, unrelated = {.arena = f->arena, .key = "m", .by = 1};
    memory_before_commit_arg = &i;
    memory_before_commit = interfere;
    assert_int_equal(store_mutate(f->store, add, &a), ERR_OK);
    assert_int_equal(i.add.err, ERR_OK);
    assert_int_equal(number_at(store_reader(f->store), k("numbers", "n"), f->arena), 101);
    assert_int_equal(a.runs, store_mutate_twice ? 4 : 2);
    assert_int_equal(memory_cluster_of(f->dir)->conflicts, 1);

    memory_before_commit = interfere;       /* what it did not read does not concern it */
    assert_int_equal(store_mutate(f->store, add, &unrelated), ERR_OK);
    assert_int_equal(memory_cluster_of(f->dir)->conflicts, 1);
    arena_free(i.add.arena);
    store_close(i.other);
}

static enum err look(struct store_txn *txn, void *arg)
{
    struct add *a = arg;
    a->by = number_at(txn, k("numbers", a->key), a->arena);
    return ERR_OK;
}

static enum err count_range(struct store_txn *txn, void *arg)
{
    struct add *a = arg;
    struct store_range all = {.space = STORE_SPACE_FIRST, .collection = STR("numbers")};
    struct store_iter *iter = store_range(txn, &all, a->arena);
    struct store_key key;
    struct str value;
    uint64_t count = 0;
    while (store_next(iter, &key, &value) == ERR_OK)
        count++;
    put_number(txn, k("count", "n"), count);
    return ERR_OK;
}

static void test_conflict_with_a_range(void **state)
{
    struct fixture *f = *state;
    struct interference i = {open_other(f), {.arena = arena_new(), .key = "new", .by = 1}};
    struct add a = {.arena = f->arena, .key = "n", .by = 1};
    memory_before_commit_arg = &i;
    memory_before_commit = interfere;
    assert_int_equal(store_mutate(f->store, count_range, &a), ERR_OK);
    assert_int_equal(number_at(store_reader(f->store), k("count", "n"), f->arena), 1);
    assert_int_equal(memory_cluster_of(f->dir)->conflicts, 1);
    arena_free(i.add.arena);
    store_close(i.other);
}

/* So many reads that the engine stops noting them: every change is then one of what was read. */
static enum err read_many(struct store_txn *txn, void *arg)
{
    struct add *a = arg;
    uint64_t sum = 0;
    for (unsigned i = 0; i < MEMORY_READS_MAX + 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        sum += number_at(txn, k("others", name), a->arena);
    }
    put_number(txn, k("sum", "n"), sum);
    a->runs++;
    return ERR_OK;
}

static void test_reads_past_the_bound(void **state)
{
    struct fixture *f = *state;
    struct interference i = {open_other(f), {.arena = arena_new(), .key = "anything", .by = 1}};
    struct add a = {.arena = f->arena};
    memory_before_commit_arg = &i;
    memory_before_commit = interfere;
    assert_int_equal(store_mutate(f->store, read_many, &a), ERR_OK);
    assert_int_equal(memory_cluster_of(f->dir)->conflicts, 1);
    arena_free(i.add.arena);
    store_close(i.other);
}

static void interfere_always(void *arg)
{
    interfere(arg);
    memory_before_commit = interfere_always;
    ((struct interference *)arg)->add.runs = 0;
}

static bool interfering;

static void interfere_unless_own(void *arg)
{
    if (!interfering) {                     /* the interfering commit itself comes here, too */
        interfering = true;
        interfere_always(arg);
        interfering = false;
    }
    memory_before_commit = interfere_unless_own;
}

static void test_endless_conflict(void **state)
{
    struct fixture *f = *state;
    struct interference i = {open_other(f), {.arena = arena_new(), .key = "n", .by = 1}};
    struct add a = {.arena = f->arena, .key = "n", .by = 1000};
    memory_before_commit_arg = &i;
    memory_before_commit = interfere_unless_own;
    assert_int_equal(store_mutate(f->store, add, &a), ERR_BUSY);
    memory_before_commit = NULL;
    assert_true(number_at(store_reader(f->store), k("numbers", "n"), f->arena) < 1000);
    a.by = 1000;
    assert_int_equal(store_mutate(f->store, add, &a), ERR_OK);
    arena_free(i.add.arena);
    store_close(i.other);
}

/* ---- many at once, over two stores ---- */

enum { ADDS = 400, KEYS_ADDED = 3 };

static void *add_on(void *arg)
{
    struct store *store = arg;
    static const char *const names[KEYS_ADDED] = {"x", "y", "z"};
    struct arena *arena = arena_new();
    struct add *adds = arena_array(arena, struct add, ADDS);
    for (unsigned i = 0; i < ADDS; i++) {
        adds[i] = (struct add){.arena = arena_new(), .key = names[i % KEYS_ADDED], .by = 1};
        add_start(store, &adds[i]);
    }
    uint64_t good = 0;
    for (unsigned i = 0; i < ADDS; i++) {
        sem_wait(&adds[i].ended);
        ENSURE(adds[i].err == ERR_OK || adds[i].err == ERR_BUSY);
        good += adds[i].err == ERR_OK;
        arena_free(adds[i].arena);
    }
    arena_free(arena);
    return (void *)(uintptr_t)good;
}

static void test_two_processes(void **state)
{
    struct fixture *f = *state;
    struct store *stores[2] = {f->store, open_other(f)};
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_on, stores[i]), 0);
    uint64_t good = 0, sum = 0;
    for (unsigned i = 0; i < 2; i++) {
        void *one;
        pthread_join(threads[i], &one);
        good += (uintptr_t)one;
    }
    static const char *const names[KEYS_ADDED] = {"x", "y", "z"};
    for (unsigned i = 0; i < KEYS_ADDED; i++)
        sum += number_at(store_reader(f->store), k("numbers", names[i]), f->arena);
    assert_int_equal(sum, good);
    assert_true(good > 0);
    store_close(stores[1]);
}

/* ---- generations ---- */

static enum err touch_iam(struct store_txn *txn, void *arg)
{
    (void)arg;
    store_put(txn, (struct store_key){STORE_SPACE_IAM, STR("x"), STR("y")}, STR("z"));
    return ERR_OK;
}

static void count_call(void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static void test_watch(void **state)
{
    struct fixture *f = *state;
    struct store *other = strcmp(f->engine ? f->engine : "", "memory") == 0 ? open_other(f) : f->store;
    atomic_uint iam = 0, lambda = 0;
    store_watch(f->store, STORE_SPACE_IAM, count_call, &iam);
    store_watch(f->store, STORE_SPACE_LAMBDA, count_call, &lambda);
    uint64_t before = store_generation(f->store, STORE_SPACE_IAM);
    assert_int_equal(store_mutate(other, touch_iam, NULL), ERR_OK);
    assert_true(store_generation(f->store, STORE_SPACE_IAM) > before);
    assert_int_equal(atomic_load(&iam), 1);
    assert_int_equal(atomic_load(&lambda), 0);
    store_unwatch(f->store, count_call, &iam);
    assert_int_equal(store_mutate(other, touch_iam, NULL), ERR_OK);
    assert_int_equal(atomic_load(&iam), 1);
    if (other != f->store)
        store_close(other);
}

/* ---- snapshots ---- */

static void test_snapshot(void **state)
{
    struct fixture *f = *state;
    struct add a = {.arena = f->arena, .key = "n", .by = 1}, b = {.arena = f->arena, .key = "o", .by = 1};
    assert_int_equal(store_mutate(f->store, add, &a), ERR_OK);
    assert_int_equal(number_at(store_reader(f->store), k("numbers", "n"), f->arena), 1);    /* now in the row cache */
    struct arena *arena = arena_new();
    struct store_txn *snapshot = store_snapshot(f->store, arena);
    assert_int_equal(store_mutate(f->store, add, &a), ERR_OK);
    assert_int_equal(store_mutate(f->store, add, &b), ERR_OK);
    assert_int_equal(number_at(snapshot, k("numbers", "n"), arena), 1);
    assert_int_equal(number_at(snapshot, k("numbers", "o"), arena), 0);
    assert_int_equal(number_at(store_reader(f->store), k("numbers", "n"), arena), 2);
    struct store_range all = {.space = STORE_SPACE_FIRST, .collection = STR("numbers")};
    struct store_iter *iter = store_range(snapshot, &all, arena);
    struct store_key key;
    struct str value;
    assert_int_equal(store_next(iter, &key, &value), ERR_OK);
    assert_int_equal(get_u64((const uint8_t *)value.p), 1);
    assert_int_equal(store_next(iter, &key, &value), ERR_NOT_FOUND);
    iter = store_walk(snapshot, STORE_SPACE_FIRST, 0, UINT64_MAX, NULL, arena);
    assert_int_equal(store_next(iter, &key, &value), ERR_OK);
    assert_int_equal(store_next(iter, &key, &value), ERR_NOT_FOUND);
    store_iter_close(iter);
    arena_free(arena);                      /* closes the iterator, then the snapshot */
}

/* ---- by name ---- */

static void test_names(void **state)
{
    struct fixture *f = *state;
    struct store *other = NULL;
    struct store_options options = {.dir = f->dir, .engine = "punchcards"};
    assert_int_equal(store_open(&options, f->arena, &other, &f->message), ERR_INVALID);
    assert_true(str_eq(f->message, STR("There is no engine named punchcards.")));
    assert_string_equal(engine_find(NULL)->name, "rocksdb");
    assert_ptr_equal(engine_find("rocksdb"), engine_find(NULL));
    assert_false(store_read_may_block(f->store));
    memory_read_may_block = true;
    options.engine = "memory";
    assert_int_equal(store_open(&options, f->arena, &other, &f->message), ERR_OK);
    assert_true(store_read_may_block(other));
    memory_read_may_block = false;
    store_close(other);
}

static void test_failing_commit(void **state)
{
    struct fixture *f = *state;
    struct add a = {.arena = f->arena, .key = "n", .by = 1};
    memory_disk_full = true;
    assert_int_equal(store_mutate(f->store, add, &a), ERR_IO);
    struct str words;
    assert_false(store_writable(f->store, f->arena, &words));
    assert_true(str_eq(words, STR("the disk is full")));
    assert_int_equal(store_mutate(f->store, look, &a), ERR_OK);     /* wrote nothing, so it says nothing about the disk */
    assert_false(store_writable(f->store, f->arena, &words));
    memory_disk_full = false;
    assert_int_equal(store_mutate(f->store, add, &a), ERR_OK);
    assert_true(store_writable(f->store, f->arena, &words));
}

/* ---- mutations run twice ---- */

static int calls;

static enum err pure(struct store_txn *txn, void *arg)
{
    calls++;
    return add(txn, arg);
}

static enum err writes_a_count(struct store_txn *txn, void *arg)
{
    (void)arg;
    put_number(txn, k("impure", "n"), (uint64_t)++calls);
    return ERR_OK;
}

static enum err writes_once(struct store_txn *txn, void *arg)
{
    (void)arg;
    if (calls++ == 0)
        put_number(txn, k("impure", "n"), 1);
    return ERR_OK;
}

static enum err deletes_once(struct store_txn *txn, void *arg)
{
    (void)arg;
    struct store_range all = {.space = STORE_SPACE_FIRST, .collection = STR("full")};
    if (calls++ == 0)
        store_delete_range(txn, &all);
    return ERR_OK;
}

static enum err fails_once(struct store_txn *txn, void *arg)
{
    (void)txn, (void)arg;
    return calls++ == 0 ? ERR_ABORTED : ERR_OK;
}

static enum err answers_a_count(struct store_txn *txn, void *arg)
{
    (void)txn, (void)arg;
    calls++;
    return ERR_OK;
}

static struct str count_as_text(struct store_mutation *mutation, struct arena *arena)
{
    (void)mutation;
    return arena_printf(arena, "%d", calls);
}

static enum err fill_collection(struct store_txn *txn, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "%03u", i);
        put_number(txn, k("full", name), i);
    }
    return ERR_OK;
}

static void test_twice(void **state)
{
    struct fixture *f = *state;
    struct add a = {.arena = f->arena, .key = "n", .by = 1};
    calls = 0;
    assert_int_equal(store_mutate(f->store, pure, &a), ERR_OK);
    assert_int_equal(calls, 2);
    assert_int_equal(number_at(store_reader(f->store), k("numbers", "n"), f->arena), 1);    /* the first run left nothing */
}

static const struct impure {
    store_mutate_fn *mutate;
    struct str (*result)(struct store_mutation *, struct arena *);
    const char *words;
} impures[] = {
    {writes_a_count, NULL, "differs in what it writes"},
    {writes_once, NULL, "differs in what it writes"},
    {deletes_once, NULL, "differs in what it writes"},
    {fails_once, NULL, "differs in whether it fails"},
    {answers_a_count, count_as_text, "differs in what it answers"},
};

/* This program again: runs one of them, and should not come to its end. */
static int run_impure(const char *dir, const char *which)
{
    const struct impure *impure = &impures[atoi(which)];
    struct fixture f = {.engine = "memory", .arena = arena_new()};
    snprintf(f.dir, sizeof f.dir, "%s", dir);
    engine_add(&memory_engine_ops);
    store_mutate_twice = true;
    ENSURE(fixture_open(&f) == ERR_OK);
    ENSURE(store_mutate(f.store, fill_collection, NULL) == ERR_OK);
    struct add a = {.mutation = {.mutate = impure->mutate, .done = add_done, .name = "the name", .result = impure->result}};
    a.mutation.arg = &a;
    sem_init(&a.ended, 0, 0);
    store_submit(f.store, &a.mutation);
    sem_wait(&a.ended);
    return 0;
}

static void ends_with(struct fixture *f, unsigned which)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    char number[16];
    snprintf(number, sizeof number, "%u", which);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], 2);
        close(fds[0]);
        execl("/proc/self/exe", "engine_test", "impure", f->dir, number, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    char text[4096];
    size_t n = 0;
    for (ssize_t got; n < sizeof text - 1 && (got = read(fds[0], text + n, sizeof text - 1 - n)) > 0; n += (size_t)got)
        ;
    text[n] = '\0';
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_non_null(strstr(text, "mutation the name: "));
    assert_non_null(strstr(text, impures[which].words));
}

static void test_twice_differs(void **state)
{
    for (unsigned i = 0; i < sizeof impures / sizeof impures[0]; i++)
        ends_with(*state, i);
}

static bool twice_before;

static int setup_twice(void **state)
{
    twice_before = store_mutate_twice;
    store_mutate_twice = true;
    return fixture_setup_memory(state);
}

static int teardown_twice(void **state)
{
    store_mutate_twice = twice_before;
    return fixture_teardown(state);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "impure") == 0)
        return run_impure(argv[2], argv[3]);
#define TEST_MEMORY(name) cmocka_unit_test_setup_teardown(name, fixture_setup_memory, fixture_teardown)
#define TEST_TWICE(name) cmocka_unit_test_setup_teardown(name, setup_twice, teardown_twice)
    const struct CMUnitTest tests[] = {
        TEST_TWICE(test_twice_differs), TEST_TWICE(test_twice),
        TEST_MEMORY(test_conflict_runs_again), TEST_MEMORY(test_conflict_with_a_range), TEST_MEMORY(test_reads_past_the_bound),
        TEST_MEMORY(test_endless_conflict), TEST_MEMORY(test_two_processes), TEST_ENGINES(test_watch),
        TEST_ENGINES(test_snapshot), TEST_MEMORY(test_names), TEST_MEMORY(test_failing_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
