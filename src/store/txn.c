/* txn.c -- point reads, and the writes of a mutation. A read looks into the mutation's own layer, the batch's layer and
 * the engine, in this order; a reader has the last only. */
#include "store/store_internal.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/panic.h"

#define EXPAND_MAX 64       /* a range of fewer keys is deleted key by key: range deletes slow the engine's reads down */

struct store_txn *store_reader(struct store *store)
{
    return &store->reader;
}

bool store_is_reader(const struct store_txn *txn)
{
    return txn == &txn->store->reader;
}

static void snapshot_free(void *arg)
{
    store_snapshot_close(arg);
}

struct store_txn *store_snapshot(struct store *store, struct arena *arena)
{
    struct store_txn *snapshot = arena_new_of(arena, struct store_txn);
    snapshot->store = store;
    snapshot->view = store->engine->ops->view_new(store->engine, false);
    arena_on_free(arena, snapshot_free, snapshot);
    return snapshot;
}

void store_snapshot_close(struct store_txn *snapshot)
{
    if (snapshot->view)
        snapshot->store->engine->ops->view_free(snapshot->view);
    snapshot->view = NULL;
}

uint64_t store_hash(struct store *store, struct str collection)
{
    return siphash24(store->hash_key, collection);
}

static bool engine_key(struct store *store, struct store_key key, struct engine_key *ret)
{
    return store__key_collection(ret, key.space, store_hash(store, key.collection), key.collection) &&
           store__key_add(ret, key.key);
}

enum err store_get(struct store_txn *txn, struct store_key key, struct arena *arena, struct str *ret_value)
{
    struct engine_key full;
    if (arena_over(arena) != ERR_OK)    /* base/budget.h */
        return ERR_BUSY;
    if (!engine_key(txn->store, key, &full))
        return ERR_TOO_LARGE;
    struct str engine = engine_key_str(&full), value = STR_NONE;
    if (txn->mutation) {
        enum layer_answer answer = store__layer_get(txn->own, engine, &value);
        if (answer == LAYER_NONE)
            answer = store__layer_get(txn->batch, engine, &value);
        if (answer == LAYER_DELETED)
            return ERR_NOT_FOUND;
        if (answer == LAYER_PUT) {
            *ret_value = arena_dup(arena, value);
            return ERR_OK;
        }
    }
    if (store_read_once && store_is_reader(txn))
        store__note_read(arena, &key, engine);
    struct engine *of = txn->store->engine;
    return of->ops->get(of, txn->view, engine, arena, ret_value);
}

void store__txn_begin(struct store_txn *txn)
{
    txn->err = ERR_OK;
    txn->spaces = 0;
    txn->iters = NULL;
}

void store__txn_end(struct store_txn *txn)
{
    while (txn->iters)
        store_iter_close(txn->iters);
}

static void note_failure(struct store_txn *txn, enum err err)
{
    if (txn->err == ERR_OK)
        txn->err = err;
}

/* True: the write may go into the layer. */
static bool may_write(struct store_txn *txn, uint64_t space, size_t bytes)
{
    ENSURE(txn->mutation);
    if (txn->own->bytes + bytes > STORE_MUTATION_BYTES_MAX)
        note_failure(txn, ERR_TOO_LARGE);
    if (space < STORE_SPACE_FIRST)
        txn->spaces |= (uint64_t)1 << space;
    return txn->err == ERR_OK;
}

void store_put(struct store_txn *txn, struct store_key key, struct str value)
{
    struct engine_key full;
    if (value.n > STORE_VALUE_MAX || !engine_key(txn->store, key, &full))
        note_failure(txn, ERR_TOO_LARGE);
    else if (may_write(txn, key.space, full.n + value.n))
        store__layer_put(txn->own, engine_key_str(&full), value);
}

void store_delete(struct store_txn *txn, struct store_key key)
{
    struct engine_key full;
    if (!engine_key(txn->store, key, &full))
        note_failure(txn, ERR_TOO_LARGE);
    else if (may_write(txn, key.space, full.n))
        store__layer_delete(txn->own, engine_key_str(&full));
}

/* Deletes up to EXPAND_MAX keys one by one. True: that was all of them. */
static bool delete_each(struct store_txn *txn, const struct store_range *range)
{
    struct arena *arena = txn->own->arena;
    struct store_iter *iter = store_range(txn, range, arena);
    struct str keys[EXPAND_MAX + 1];
    size_t n = 0;
    struct store_key key;
    struct str value;
    enum err err;
    while ((err = store_next(iter, &key, &value)) == ERR_OK && n < EXPAND_MAX)
        keys[n++] = arena_dup(arena, key.key);
    store_iter_close(iter);
    if (err == ERR_OK)
        return false;
    if (err != ERR_NOT_FOUND) {
        note_failure(txn, err);
        return true;
    }
    for (size_t i = 0; i < n; i++)
        store_delete(txn, (struct store_key){range->space, range->collection, keys[i]});
    return true;
}

void store_delete_range(struct store_txn *txn, const struct store_range *range)
{
    ENSURE(txn->mutation);
    struct engine_key from, to;
    enum err err = store__range_bounds(txn->store, range, &from, &to);
    if (err != ERR_OK) {
        note_failure(txn, err);
        return;
    }
    struct store_range forward = *range;
    forward.reverse = false;
    if (delete_each(txn, &forward) || !may_write(txn, range->space, from.n + to.n))
        return;
    if (!store__layer_gap(txn->own, engine_key_str(&from), engine_key_str(&to)))
        note_failure(txn, ERR_TOO_LARGE);
}

void store_fail(struct store_txn *txn, enum err err)
{
    ENSURE(txn->mutation && err != ERR_OK);
    note_failure(txn, err);
}

uint64_t store_new_space(struct store_txn *txn)
{
    const struct store_key key = {STORE_SPACE_SYSTEM, STR("counter"), STR("space")};
    struct str value;
    uint64_t space = STORE_SPACE_FIRST;
    enum err err = store_get(txn, key, txn->own->arena, &value);
    if (err == ERR_OK && value.n == 9)
        space = get_u64((const uint8_t *)value.p + 1);
    else if (err != ERR_NOT_FOUND)
        note_failure(txn, err == ERR_OK ? ERR_CORRUPT : err);
    uint8_t next[9] = {1};              /* version, the next id */
    put_u64(next + 1, space + 1);
    store_put(txn, key, (struct str){(const char *)next, sizeof next});
    return space;
}

void store__space_bounds(uint64_t space, struct engine_key *ret_from, struct engine_key *ret_to)
{
    ENSURE(space < UINT64_MAX);
    store__key_head(ret_from, space, 0);
    store__key_head(ret_to, space + 1, 0);
}

void store__txn_empty_space(struct store_txn *txn, uint64_t space)
{
    struct engine_key from, to;
    store__space_bounds(space, &from, &to);
    if (may_write(txn, space, from.n + to.n) &&
        !store__layer_gap(txn->own, engine_key_str(&from), engine_key_str(&to)))
        note_failure(txn, ERR_TOO_LARGE);
}
