/* range_test.c -- random mutations against a naive model: a table of which key has which value.
 *
 * Mutations are submitted in bursts, so that later ones run over writes of earlier ones that are not in the engine
 * yet; the model is changed on the committer, in the order the mutations run, and put back when one fails. Every get,
 * range (forward and reverse, while writing into it) and walk must answer what the model says. */
#include "store_test.h"
#include <pthread.h>

enum { SPACES = 2, COLLECTIONS = 4, KEYS = 160, BURST = 12, ROUNDS = 120, OPERATIONS = 14 };

struct model { uint32_t value[SPACES][COLLECTIONS][KEYS]; };     /* 0: absent */

static struct str keys[KEYS];               /* in order */
static char key_bytes[KEYS][8];
static const struct str collections[COLLECTIONS] = {
    {"users", 5}, {"users\0more", 10}, {"\0\0", 2}, {"", 0},
};

static uint64_t random_state = 42;

static unsigned draw(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % below;
}

static int by_order(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void make_keys(void)
{
    static const unsigned char alphabet[] = {0x00, 0x01, 0x7f, 0xff};
    size_t n = 0;
    for (unsigned len = 0; len <= 3 && n < KEYS; len++)
        for (unsigned i = 0; i < 1u << (2 * len) && n < KEYS; i++, n++) {
            for (unsigned c = 0; c < len; c++)
                key_bytes[n][c] = (char)alphabet[i >> (2 * c) & 3];
            keys[n] = (struct str){key_bytes[n], len};
        }
    for (unsigned i = 0; n < KEYS; i++, n++) {
        snprintf(key_bytes[n], sizeof key_bytes[n], "k%02u", i % 100);
        keys[n] = (struct str){key_bytes[n], 3};
    }
    qsort(keys, KEYS, sizeof keys[0], by_order);
}

static struct store_key key_of(unsigned s, unsigned c, unsigned i)
{
    return (struct store_key){STORE_SPACE_FIRST + s, collections[c], keys[i]};
}

static struct str value_of(uint32_t v, char bytes[64])
{
    memset(bytes, (int)(v & 0x7f), 64);
    memcpy(bytes, &v, sizeof v);
    return (struct str){bytes, 4 + v % 60};
}

static void same_value(struct str value, uint32_t v)
{
    char bytes[64];
    ENSURE(v != 0 && str_eq(value, value_of(v, bytes)));
}

static void check_get(struct store_txn *txn, const struct model *model, struct arena *arena)
{
    unsigned s = draw(SPACES), c = draw(COLLECTIONS), i = draw(KEYS);
    struct str value;
    enum err err = store_get(txn, key_of(s, c, i), arena, &value);
    if (model->value[s][c][i])
        same_value(value, model->value[s][c][i]);
    else
        ENSURE(err == ERR_NOT_FOUND);
}

/* Bounds [*low, *high) in the model's indexes. */
static struct store_range draw_range(unsigned s, unsigned c, unsigned *low, unsigned *high)
{
    *low = 0;
    *high = KEYS;
    struct store_range range = {.space = STORE_SPACE_FIRST + s, .collection = collections[c], .reverse = draw(2)};
    if (draw(4)) {
        *low = draw(KEYS);
        range.from = keys[*low];
    }
    if (draw(4)) {
        *high = 1 + draw(KEYS - 1);         /* the empty key as `to` means "the end" */
        range.to = keys[*high];
    }
    return range;
}

static void write_one(struct store_txn *txn, struct model *model, unsigned s, unsigned c)
{
    static uint32_t next = 1;
    unsigned i = draw(KEYS);
    if (draw(3)) {
        char bytes[64];
        uint32_t v = next++;
        store_put(txn, key_of(s, c, i), value_of(v, bytes));
        model->value[s][c][i] = v;
    } else {
        store_delete(txn, key_of(s, c, i));
        model->value[s][c][i] = 0;
    }
}

static void delete_some(struct store_txn *txn, struct model *model, unsigned s, unsigned c)
{
    unsigned low, high;
    struct store_range range = draw_range(s, c, &low, &high);
    store_delete_range(txn, &range);
    for (unsigned i = low; i < high; i++)
        model->value[s][c][i] = 0;
}

static void check_range(struct store_txn *txn, struct model *model, struct arena *arena, bool writing)
{
    struct model before = *model;
    unsigned s = draw(SPACES), c = draw(COLLECTIONS), low, high;
    struct store_range range = draw_range(s, c, &low, &high);
    struct store_iter *iter = store_range(txn, &range, arena);
    unsigned stop_after = draw(3) ? UINT32_MAX : draw(20);
    for (unsigned n = 0; n + low < high; n++) {
        unsigned i = range.reverse ? high - 1 - n : low + n;
        if (!before.value[s][c][i])
            continue;
        if (stop_after-- == 0)
            return;                         /* leaves it open: the arena or the mutation's end closes it */
        struct store_key key;
        struct str value;
        ENSURE(store_next(iter, &key, &value) == ERR_OK);
        ENSURE(key.space == range.space && str_eq(key.collection, collections[c]) && str_eq(key.key, keys[i]));
        same_value(value, before.value[s][c][i]);
        if (writing && draw(4) == 0)
            write_one(txn, model, s, c);
        if (writing && draw(20) == 0)
            delete_some(txn, model, s, c);
    }
    struct store_key key;
    struct str value;
    ENSURE(store_next(iter, &key, &value) == ERR_NOT_FOUND);
    store_iter_close(iter);
}

struct step {
    struct store_mutation mutation;
    struct fixture *f;
    struct model *model;
    struct arena *arena;
    enum err end;
    unsigned *left;
    pthread_mutex_t *lock;
    pthread_cond_t *wake;
};

static enum err mutate(struct store_txn *txn, void *arg)
{
    struct step *step = arg;
    struct model *model = step->model, before = *model;
    for (unsigned i = draw(OPERATIONS); i > 0; i--) {
        unsigned s = draw(SPACES), c = draw(COLLECTIONS), what = draw(16);
        if (what < 8)
            write_one(txn, model, s, c);
        else if (what < 9)
            delete_some(txn, model, s, c);
        else if (what < 13)
            check_get(txn, model, step->arena);
        else
            check_range(txn, model, step->arena, what == 15);
    }
    if (step->end != ERR_OK)
        *model = before;
    return step->end;
}

static void done(struct store_mutation *mutation, enum err err)
{
    struct step *step = (struct step *)mutation;
    ENSURE(err == step->end);
    pthread_mutex_lock(step->lock);
    if (--*step->left == 0)
        pthread_cond_signal(step->wake);
    pthread_mutex_unlock(step->lock);
}

static void burst(struct fixture *f, struct model *model)
{
    struct step steps[BURST];
    unsigned left = 1 + draw(BURST), n = left;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
    enum err ends[BURST];
    for (unsigned i = 0; i < n; i++)        /* drawn before the committer draws */
        ends[i] = draw(4) ? ERR_OK : ERR_ABORTED;
    for (unsigned i = 0; i < n; i++) {
        steps[i] = (struct step){.mutation = {.mutate = mutate, .done = done, .arg = &steps[i]}, .f = f, .model = model,
                                 .arena = arena_new(), .end = ends[i], .left = &left, .lock = &lock, .wake = &wake};
        store_submit(f->store, &steps[i].mutation);
    }
    pthread_mutex_lock(&lock);
    while (left)
        pthread_cond_wait(&wake, &lock);
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < n; i++)
        arena_free(steps[i].arena);
}

/* Walks a space in pieces, each starting behind the last key of the one before. */
static void check_walk(struct fixture *f, const struct model *model)
{
    for (unsigned s = 0; s < SPACES; s++) {
        struct arena *arena = arena_new();
        bool seen[COLLECTIONS][KEYS] = {{false}};
        struct store_key last = {0};
        unsigned pieces = 0, piece = 1 + draw(100);
        uint64_t hash = 0;
        enum err err = ERR_OK;
        do {
            struct store_iter *iter = store_walk(store_reader(f->store), STORE_SPACE_FIRST + s, 0, UINT64_MAX,
                                                 pieces++ ? &last : NULL, arena);
            struct store_key key;
            struct str value;
            unsigned n = 0;
            while (n < piece && (err = store_next(iter, &key, &value)) == ERR_OK) {
                unsigned c = 0, i = 0;
                while (c < COLLECTIONS && !str_eq(key.collection, collections[c]))
                    c++;
                while (i < KEYS && !str_eq(key.key, keys[i]))
                    i++;
                assert_true(c < COLLECTIONS && i < KEYS && !seen[c][i]);
                seen[c][i] = true;
                same_value(value, model->value[s][c][i]);
                assert_true(store_hash(f->store, key.collection) >= hash);
                hash = store_hash(f->store, key.collection);
                last = (struct store_key){key.space, arena_dup(arena, key.collection), arena_dup(arena, key.key)};
                n++;
            }
            store_iter_close(iter);
        } while (err == ERR_OK);
        assert_int_equal(err, ERR_NOT_FOUND);
        for (unsigned c = 0; c < COLLECTIONS; c++)
            for (unsigned i = 0; i < KEYS; i++)
                assert_int_equal(seen[c][i], model->value[s][c][i] != 0);
        arena_free(arena);
    }
}

static void check_all(struct fixture *f, struct model *model)
{
    struct arena *arena = arena_new();
    struct store_txn *reader = store_reader(f->store);
    for (unsigned i = 0; i < 40; i++) {
        check_get(reader, model, arena);
        check_range(reader, model, arena, false);
    }
    arena_free(arena);
    check_walk(f, model);
}

static void test_model(void **state)
{
    struct fixture *f = *state;
    static struct model model;
    model = (struct model){0};
    for (unsigned round = 0; round < ROUNDS; round++) {
        burst(f, &model);
        check_all(f, &model);
        if (round % 40 == 39) {
            fixture_reopen(f);
            check_all(f, &model);
        }
    }
}

/* The hash range of a walk splits a space without loss or overlap. */
static enum err fill(struct store_txn *txn, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%u", i);
        store_put(txn, (struct store_key){STORE_SPACE_FIRST, str_of(name), STR("k")}, STR("v"));
    }
    return ERR_OK;
}

static void test_segments(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_mutate(f->store, fill, NULL), ERR_OK);
    unsigned total = 0;
    for (uint64_t segment = 0; segment < 8; segment++) {
        uint64_t from = segment << 61, to = from + (((uint64_t)1 << 61) - 1);
        struct store_iter *iter = store_walk(store_reader(f->store), STORE_SPACE_FIRST, from, to, NULL, f->arena);
        struct store_key key;
        struct str value;
        while (store_next(iter, &key, &value) == ERR_OK) {
            uint64_t hash = store_hash(f->store, key.collection);
            assert_true(hash >= from && hash <= to);
            total++;
        }
        store_iter_close(iter);
    }
    assert_int_equal(total, 300);
}

/* ---- spaces that nobody reads any more ---- */

static bool space_is_empty(struct fixture *f, uint64_t space)
{
    struct store_key key;
    struct str value;
    struct store_iter *iter = store_walk(store_reader(f->store), space, 0, UINT64_MAX, NULL, f->arena);
    enum err err = store_next(iter, &key, &value);
    store_iter_close(iter);
    return err == ERR_NOT_FOUND;
}

static enum err neighbour(struct store_txn *txn, void *arg)
{
    (void)arg;
    store_put(txn, (struct store_key){STORE_SPACE_FIRST + 1, STR("c"), STR("k")}, STR("v"));
    return ERR_OK;
}

static void test_empty_space(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_mutate(f->store, fill, NULL), ERR_OK);
    assert_int_equal(store_mutate(f->store, neighbour, NULL), ERR_OK);
    fixture_reopen(f);                              /* into a file */
    assert_int_equal(store_empty_space(f->store, STORE_SPACE_FIRST), ERR_OK);
    assert_true(space_is_empty(f, STORE_SPACE_FIRST));
    assert_false(space_is_empty(f, STORE_SPACE_FIRST + 1));
    assert_int_equal(store_mutate(f->store, fill, NULL), ERR_OK);       /* what is in memory only goes too */
    assert_int_equal(store_empty_space(f->store, STORE_SPACE_FIRST), ERR_OK);
    assert_int_equal(store_empty_space(f->store, STORE_SPACE_FIRST), ERR_OK);
    assert_true(space_is_empty(f, STORE_SPACE_FIRST));
    fixture_reopen(f);
    assert_true(space_is_empty(f, STORE_SPACE_FIRST));
}

int main(void)
{
    make_keys();
    store_mutate_twice = false;         /* the mutations play with the model and the dice */
    const struct CMUnitTest tests[] = {TEST_ENGINES(test_model), TEST_ENGINES(test_segments), TEST_ENGINES(test_empty_space)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
