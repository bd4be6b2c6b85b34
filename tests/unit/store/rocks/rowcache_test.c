/* rowcache_test.c -- readers beside a writer never see time run backwards, whatever the row cache holds.
 *
 * Each mutation writes the next number to every key of a collection. So a reader that reads one key and then another
 * must find at least the same number there: an old row served after a new one would break it. Some mutations empty the
 * collection by a range delete first, some drop single keys, some fail after writing. A second test keeps the cache
 * small, so that rows come and go. */
#include "../store_test.h"
#include "base/codec.h"
#include "store/rocks/rowcache.h"
#include <pthread.h>
#include <stdatomic.h>

enum { KEYS = 80, READERS = 3, MUTATIONS = 400 };      /* more keys than are deleted one by one */

struct game { struct fixture *f; _Atomic bool over; uint64_t number; _Atomic uint64_t acknowledged; };

static struct store_key key_of(unsigned i, char name[8])
{
    snprintf(name, 8, "%03u", i % KEYS);
    return (struct store_key){STORE_SPACE_FIRST, STR("c"), str_of(name)};
}

static enum err write_all(struct store_txn *txn, void *arg)
{
    struct game *game = arg;
    uint64_t number = game->number;
    char name[8];
    if (number % 3 == 0) {
        struct store_range all = {.space = STORE_SPACE_FIRST, .collection = STR("c")};
        store_delete_range(txn, &all);
    }
    char value[600];
    memset(value, 'x', sizeof value);
    put_u64((uint8_t *)value, number);
    for (unsigned i = 0; i < KEYS; i++)
        store_put(txn, key_of(i, name), (struct str){value, 8 + (i + number / 5) % 3 * 200});
    return number % 11 == 0 ? ERR_ABORTED : ERR_OK;
}

static void *read_on(void *arg)
{
    struct game *game = arg;
    uint64_t last = 0, state = (uint64_t)(uintptr_t)&last | 1;
    struct arena *arena = arena_new();
    for (unsigned i = 0; !atomic_load(&game->over); i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t acknowledged = atomic_load(&game->acknowledged);
        last = acknowledged > last ? acknowledged : last;
        char name[8];
        struct str value;
        ENSURE(store_get(store_reader(game->f->store), key_of((unsigned)(state >> 40), name), arena, &value) == ERR_OK);
        uint64_t number = get_u64((const uint8_t *)value.p);
        ENSURE(number >= last && number % 11 != 0);
        last = number;
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

static void play(struct fixture *f)
{
    struct game game = {.f = f, .number = 1};
    assert_int_equal(store_mutate(f->store, write_all, &game), ERR_OK);
    pthread_t readers[READERS];
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &game), 0);
    for (game.number = 2; game.number < MUTATIONS; game.number++) {
        enum err err = store_mutate(f->store, write_all, &game);
        assert_int_equal(err, game.number % 11 ? ERR_OK : ERR_ABORTED);
        if (err == ERR_OK)
            atomic_store(&game.acknowledged, game.number);
    }
    atomic_store(&game.over, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
}

static void test_monotonic(void **state)
{
    play(*state);
}

static void test_monotonic_small(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    struct store_options options = {.dir = f->dir, .row_cache_bytes = 16 * 8 * 700};
    assert_int_equal(store_open(&options, f->arena, &f->store, &f->message), ERR_OK);
    play(f);
}

/* The cache by itself: a fill that raced with a write is refused. */
static void test_stale_fill(void **state)
{
    struct fixture *f = *state;
    const uint8_t hash_key[16] = {7};
    struct rowcache *rows = rocks__rows_new(1 << 20, hash_key);
    struct layer layer;
    store__layer_init(&layer, f->arena, 8);
    struct str key = STR("key"), value;
    struct row_ticket early, during, after;

    assert_false(rocks__rows_get(rows, key, f->arena, &value, &early));
    store__layer_put(&layer, key, STR("new"));
    rocks__rows_write_begin(rows, &layer);
    assert_false(rocks__rows_get(rows, key, f->arena, &value, &during));
    rocks__rows_fill(rows, key, STR("old"), &early);
    rocks__rows_fill(rows, key, STR("old"), &during);
    rocks__rows_write_end(rows, &layer, true);
    rocks__rows_fill(rows, key, STR("old"), &early);
    rocks__rows_fill(rows, key, STR("old"), &during);
    assert_false(rocks__rows_get(rows, key, f->arena, &value, &after));
    rocks__rows_fill(rows, key, STR("new"), &after);
    assert_true(rocks__rows_get(rows, key, f->arena, &value, &after));
    assert_true(str_eq(value, STR("new")));

    store__layer_reset(&layer);                         /* a range delete that fails, then one that works */
    store__layer_gap(&layer, STR("a"), STR("z"));
    for (unsigned written = 0; written < 2; written++) {
        rocks__rows_write_begin(rows, &layer);
        assert_false(rocks__rows_get(rows, key, f->arena, &value, &during));
        rocks__rows_write_end(rows, &layer, written);
        rocks__rows_fill(rows, key, STR("old"), &during);
        assert_int_equal(rocks__rows_get(rows, key, f->arena, &value, &after), !written);
    }
    rocks__rows_free(rows);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {TEST(test_monotonic), TEST(test_monotonic_small), TEST(test_stale_fill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
