/* store_test.c -- mutations, reads, generations, limits, locks and formats, each in a fresh directory. */
#include "store_test.h"
#include "base/codec.h"
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>

static struct store_key k(const char *collection, const char *key)
{
    return (struct store_key){STORE_SPACE_FIRST, str_of(collection), str_of(key)};
}

static struct str read_key(struct fixture *f, struct store_key key)
{
    struct str value = STR_NONE;
    enum err err = store_get(store_reader(f->store), key, f->arena, &value);
    if (err == ERR_NOT_FOUND)
        return STR_NONE;
    assert_int_equal(err, ERR_OK);
    return value;
}

#define assert_value(f, key, literal) assert_true(str_eq(read_key((f), (key)), STR(literal)))
#define assert_absent(f, key) assert_ptr_equal(read_key((f), (key)).p, NULL)

static enum err put_two(struct store_txn *txn, void *arg)
{
    struct fixture *f = arg;
    store_put(txn, k("a", "1"), STR("one"));
    store_put(txn, k("a", "2"), STR(""));
    struct str value;
    assert_int_equal(store_get(txn, k("a", "1"), f->arena, &value), ERR_OK);
    assert_true(str_eq(value, STR("one")));
    store_put(txn, k("a", "1"), STR("uno"));
    store_delete(txn, k("a", "3"));
    assert_int_equal(store_get(txn, k("a", "3"), f->arena, &value), ERR_NOT_FOUND);
    return ERR_OK;
}

static void test_put_get(void **state)
{
    struct fixture *f = *state;
    assert_absent(f, k("a", "1"));
    assert_int_equal(store_mutate(f->store, put_two, f), ERR_OK);
    assert_value(f, k("a", "1"), "uno");
    assert_value(f, k("a", "2"), "");
    assert_non_null(read_key(f, k("a", "2")).p);
    assert_absent(f, k("b", "1"));
    assert_absent(f, k("a", "11"));
    fixture_reopen(f);
    assert_value(f, k("a", "1"), "uno");
    assert_int_equal(store_queued(f->store), 0);
}

static enum err fail_after_writes(struct store_txn *txn, void *arg)
{
    struct store_range all = {.space = STORE_SPACE_FIRST, .collection = STR("a")};
    store_put(txn, k("a", "1"), STR("changed"));
    store_put(txn, k("a", "9"), STR("new"));
    store_delete_range(txn, &all);
    store_put(txn, (struct store_key){STORE_SPACE_IAM, STR("x"), STR("y")}, STR("z"));
    store_new_space(txn);
    return *(enum err *)arg;
}

static enum err next_space(struct store_txn *txn, void *arg)
{
    *(uint64_t *)arg = store_new_space(txn);
    return ERR_OK;
}

static void test_failure_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_mutate(f->store, put_two, f), ERR_OK);
    uint64_t generation = store_generation(f->store, STORE_SPACE_IAM);
    for (enum err err = ERR_NOT_FOUND; err <= ERR_UNSUPPORTED; err++) {
        enum err copy = err;
        assert_int_equal(store_mutate(f->store, fail_after_writes, &copy), err);
    }
    assert_value(f, k("a", "1"), "uno");
    assert_absent(f, k("a", "9"));
    assert_int_equal(store_generation(f->store, STORE_SPACE_IAM), generation);
    uint64_t space;
    assert_int_equal(store_mutate(f->store, next_space, &space), ERR_OK);
    assert_int_equal(space, STORE_SPACE_FIRST);
    fixture_reopen(f);
    assert_int_equal(store_mutate(f->store, next_space, &space), ERR_OK);
    assert_int_equal(space, STORE_SPACE_FIRST + 1);
}

static enum err too_large(struct store_txn *txn, void *arg)
{
    static char big[STORE_VALUE_MAX + 1];
    size_t how = *(size_t *)arg;
    store_put(txn, k("a", "before"), STR("x"));
    if (how == 0)
        store_put(txn, k("a", "1"), (struct str){big, sizeof big});
    if (how == 1)
        store_put(txn, (struct store_key){STORE_SPACE_FIRST, STR("a"), {big, STORE_KEY_MAX + 1}}, STR("x"));
    if (how == 2)
        store_delete(txn, (struct store_key){STORE_SPACE_FIRST, {big, STORE_COLLECTION_MAX + 1}, STR("x")});
    for (int i = 0; how == 3 && i < 5; i++)
        store_put(txn, k("a", "1"), (struct str){big, STORE_VALUE_MAX});
    if (how == 4)
        store_put(txn, (struct store_key){STORE_SPACE_FIRST, {big, STORE_COLLECTION_MAX}, {big, STORE_KEY_MAX}}, STR("x"));
    return ERR_OK;
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    for (size_t how = 0; how < 4; how++) {
        assert_int_equal(store_mutate(f->store, too_large, &how), ERR_TOO_LARGE);
        assert_absent(f, k("a", "before"));
    }
    size_t how = 4;
    assert_int_equal(store_mutate(f->store, too_large, &how), ERR_OK);
}

static enum err touch_iam(struct store_txn *txn, void *arg)
{
    (void)arg;
    store_put(txn, (struct store_key){STORE_SPACE_IAM, STR("x"), STR("y")}, STR("z"));
    return ERR_OK;
}

static enum err read_only(struct store_txn *txn, void *arg)
{
    struct fixture *f = arg;
    struct str value;
    store_get(txn, (struct store_key){STORE_SPACE_IAM, STR("x"), STR("y")}, f->arena, &value);
    return ERR_OK;
}

static void test_generation(void **state)
{
    struct fixture *f = *state;
    uint64_t iam = store_generation(f->store, STORE_SPACE_IAM);
    uint64_t lambda = store_generation(f->store, STORE_SPACE_LAMBDA);
    assert_int_equal(store_mutate(f->store, touch_iam, NULL), ERR_OK);
    assert_int_not_equal(store_generation(f->store, STORE_SPACE_IAM), iam);
    assert_int_equal(store_generation(f->store, STORE_SPACE_LAMBDA), lambda);
    iam = store_generation(f->store, STORE_SPACE_IAM);
    assert_int_equal(store_mutate(f->store, read_only, f), ERR_OK);
    assert_int_equal(store_generation(f->store, STORE_SPACE_IAM), iam);
}

/* ---- concurrent writers: counters that only grow by one ---- */

#define WRITERS 8
#define ROUNDS 150
#define COUNTERS 3

struct counting { struct store *store; unsigned counter; struct arena *arena; bool may_refuse; };

static enum err count_up(struct store_txn *txn, void *arg)
{
    struct counting *c = arg;
    char name[2] = {(char)('0' + c->counter), 0};
    struct str value;
    uint64_t n = 0;
    if (store_get(txn, k("counters", name), c->arena, &value) == ERR_OK)
        n = get_u64((const uint8_t *)value.p);
    if (n % 7 == 3 && c->may_refuse)
        return ERR_ABORTED;
    uint8_t bytes[8];
    put_u64(bytes, n + 1);
    store_put(txn, k("counters", name), (struct str){(char *)bytes, 8});
    return ERR_OK;
}

struct writer { struct store *store; unsigned id; uint64_t good[COUNTERS]; };

static void *writer(void *arg)
{
    struct writer *w = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct arena *arena = arena_new();
        struct counting c = {w->store, (i + w->id) % COUNTERS, arena, i / COUNTERS % 2 == 0};
        enum err err = store_mutate(w->store, count_up, &c);
        w->good[c.counter] += err == ERR_OK;
        struct str value;       /* what was acknowledged is visible */
        char name[2] = {(char)('0' + c.counter), 0};
        ENSURE(store_get(store_reader(w->store), k("counters", name), arena, &value) == ERR_OK);
        ENSURE(get_u64((const uint8_t *)value.p) >= w->good[c.counter]);
        arena_free(arena);
    }
    return NULL;
}

static void test_concurrent_counters(void **state)
{
    struct fixture *f = *state;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    uint64_t good[COUNTERS] = {0};
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.store = f->store, .id = i};
        assert_int_equal(pthread_create(&threads[i], NULL, writer, &writers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        for (unsigned c = 0; c < COUNTERS; c++)
            good[c] += writers[i].good[c];
    }
    for (unsigned c = 0; c < COUNTERS; c++) {
        char name[2] = {(char)('0' + c), 0};
        assert_int_equal(get_u64((const uint8_t *)read_key(f, k("counters", name)).p), good[c]);
    }
}

/* ---- submissions keep their order; after closing they are refused ---- */

struct ordered { struct store_mutation mutation; unsigned number; unsigned *next; enum err err; };

static enum err nothing(struct store_txn *txn, void *arg)
{
    (void)txn, (void)arg;
    return ERR_OK;
}

static void ordered_done(struct store_mutation *mutation, enum err err)
{
    struct ordered *o = (struct ordered *)mutation;
    ENSURE(*o->next == o->number);
    o->err = err;
    ++*o->next;
}

static void test_order_and_drain(void **state)
{
    struct fixture *f = *state;
    enum { N = 10000 };
    struct ordered *all = calloc(N, sizeof *all);
    unsigned next = 0;
    for (unsigned i = 0; i < N; i++) {
        all[i] = (struct ordered){.mutation = {.mutate = i % 100 ? nothing : touch_iam, .done = ordered_done},
                                  .number = i, .next = &next};
        store_submit(f->store, &all[i].mutation);
    }
    store_close(f->store);
    assert_int_equal(next, N);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(all[i].err, ERR_OK);
    assert_int_equal(fixture_open(f), ERR_OK);
    free(all);
}

/* ---- opening ---- */

static void test_locked(void **state)
{
    struct fixture *f = *state;
    struct store *second = NULL;
    struct store_options options = {.dir = f->dir};
    struct str message;
    assert_int_equal(store_open(&options, f->arena, &second, &message), ERR_BUSY);
    assert_null(second);
    assert_non_null(strstr(arena_cstr(f->arena, message), "in use by another process"));
    assert_non_null(strstr(arena_cstr(f->arena, message), arena_printf(f->arena, "%ld", (long)getpid()).p));
}

/* Changes the format record behind the store's back. */
static void set_format(struct fixture *f, uint8_t record, uint32_t format)
{
    char key[] = "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0store\0\1format";
    char *error = NULL;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_t *db = rocksdb_open(options, arena_printf(f->arena, "%s/db", f->dir).p, &error);
    assert_null(error);
    uint8_t value[21] = {record};
    put_u32(value + 1, format);
    rocksdb_writeoptions_t *write = rocksdb_writeoptions_create();
    rocksdb_put(db, write, key, sizeof key - 1, (char *)value, sizeof value, &error);
    assert_null(error);
    rocksdb_writeoptions_destroy(write);
    rocksdb_close(db);
    rocksdb_options_destroy(options);
}

static void test_newer_format(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    f->store = NULL;
    set_format(f, 1, 2);
    assert_int_equal(fixture_open(f), ERR_UNSUPPORTED);
    assert_non_null(strstr(arena_cstr(f->arena, f->message), "newer release"));
    assert_int_equal(fixture_open(f), ERR_UNSUPPORTED);     /* and the lock was given back */
    set_format(f, 2, 1);
    assert_int_equal(fixture_open(f), ERR_UNSUPPORTED);
    set_format(f, 1, 1);
    assert_int_equal(fixture_open(f), ERR_OK);
}

static void test_directories(void **state)
{
    struct fixture *f = *state;
    struct store *other = NULL;
    struct str message;
    struct store_options deep = {.dir = arena_printf(f->arena, "%s/x/y//z/", f->dir).p};
    assert_int_equal(store_open(&deep, f->arena, &other, &message), ERR_OK);
    store_close(other);
    struct store_options bad = {.dir = arena_printf(f->arena, "%s/lock/x", f->dir).p};
    assert_int_not_equal(store_open(&bad, f->arena, &other, &message), ERR_OK);
    assert_true(message.n > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST_ENGINES(test_put_get), TEST_ENGINES(test_failure_leaves_nothing), TEST_ENGINES(test_limits),
        TEST_ENGINES(test_generation), TEST_ENGINES(test_concurrent_counters), TEST_ENGINES(test_order_and_drain),
        TEST(test_locked), TEST(test_newer_format), TEST(test_directories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
