/* range.c -- ordered reads: ranges of a collection and walks over a space.
 *
 * Outside a mutation an iterator is the engine's. Inside one it merges three sources: the mutation's own writes, those
 * of the batch before it, and the engine; the first that has a key wins, and a gap of a layer hides the layers below.
 * The view is as of the call: the engine's iterator is a snapshot, the batch does not change while a mutation runs,
 * and the mutation's own points and gaps in the range are copied (pointers only; their bytes stay until the batch ends).
 * So a mutation may delete what it iterates over. */
#include "store/store_internal.h"
#include "base/panic.h"

/* The mutation's own points, copied in iteration order. */
struct own { const struct layer_node *node; struct str value; bool deleted; };

struct store_iter {
    struct store *store;
    enum err err;                       /* refused at the beginning */
    bool reverse;
    struct engine_iter *engine;
    bool engine_used;                   /* its current pair was given out: step first */

    struct own *own;
    size_t own_at, own_n;
    const struct layer_gap *own_gaps;
    size_t own_gaps_n;
    const struct layer *batch;          /* NULL outside a mutation */
    const struct layer_node *batch_at;
    struct str from, to;                /* engine keys */

    uint64_t space;
    struct str collection;              /* of a range; a walk takes each key apart */
    size_t head_n;                      /* engine bytes before the key; 0: a walk */
    char *scratch;

    struct store_txn *txn;              /* mutation whose list it is in, or NULL */
    struct store_iter *list_next, *list_prev;
};

enum err store__range_bounds(struct store *store, const struct store_range *range, struct engine_key *ret_from,
                             struct engine_key *ret_to)
{
    uint64_t hash = store_hash(store, range->collection);
    if (!store__key_collection(ret_from, range->space, hash, range->collection))
        return ERR_TOO_LARGE;
    ret_to->n = ret_from->n;
    memcpy(ret_to->p, ret_from->p, ret_from->n);
    if (range->to.n == 0)
        store__key_behind(ret_to);
    else if (!store__key_add(ret_to, range->to))
        return ERR_TOO_LARGE;
    return store__key_add(ret_from, range->from) ? ERR_OK : ERR_TOO_LARGE;
}

static void close_at_free(void *arg)
{
    store_iter_close(arg);
}

static struct store_iter *iter_new(struct store_txn *txn, struct arena *arena)
{
    struct store_iter *iter = arena_new_of(arena, struct store_iter);
    iter->store = txn->store;
    arena_on_free(arena, close_at_free, iter);
    return iter;
}

void store_iter_close(struct store_iter *iter)
{
    if (!iter || !iter->engine)
        return;
    iter->store->engine->ops->iter_free(iter->engine);
    iter->engine = NULL;
    iter->err = ERR_CLOSED;
    if (!iter->txn)
        return;
    if (iter->list_prev)
        iter->list_prev->list_next = iter->list_next;
    else
        iter->txn->iters = iter->list_next;
    if (iter->list_next)
        iter->list_next->list_prev = iter->list_prev;
}

static void list_in(struct store_iter *iter, struct store_txn *txn)
{
    iter->txn = txn;
    iter->list_next = txn->iters;
    if (txn->iters)
        txn->iters->list_prev = iter;
    txn->iters = iter;
}

static void copy_own(struct store_iter *iter, const struct layer *own, struct arena *arena)
{
    const struct layer_node *first = own->count ? store__layer_at_least(own, iter->from) : NULL;
    size_t n = 0;
    for (const struct layer_node *node = first; node && str_cmp(node->key, iter->to) < 0; node = node->next[0])
        n++;
    iter->own = n ? arena_array(arena, struct own, n) : NULL;
    iter->own_n = n;
    for (size_t i = 0; i < n; i++, first = first->next[0])
        iter->own[iter->reverse ? n - 1 - i : i] = (struct own){first, first->value, first->deleted};
    if (own->gaps_n) {
        struct layer_gap *gaps = arena_array(arena, struct layer_gap, own->gaps_n);
        memcpy(gaps, own->gaps, own->gaps_n * sizeof *gaps);
        iter->own_gaps = gaps;
        iter->own_gaps_n = own->gaps_n;
    }
}

static void batch_clip(struct store_iter *iter)
{
    const struct layer_node *node = iter->batch_at;
    if (node && (str_cmp(node->key, iter->from) < 0 || str_cmp(node->key, iter->to) >= 0))
        iter->batch_at = NULL;
}

static void batch_start(struct store_iter *iter)
{
    if (iter->batch->count)
        iter->batch_at = iter->reverse ? store__layer_below(iter->batch, iter->to)
                                       : store__layer_at_least(iter->batch, iter->from);
    batch_clip(iter);
}

static void batch_step(struct store_iter *iter)
{
    iter->batch_at = iter->reverse ? iter->batch_at->prev : iter->batch_at->next[0];
    batch_clip(iter);
}

static void engine_move(struct store_iter *iter, enum engine_move move, struct str key)
{
    iter->store->engine->ops->iter_move(iter->engine, move, key);
}

static void engine_start(struct store_iter *iter, struct engine_view *view)
{
    struct engine *engine = iter->store->engine;
    iter->engine = engine->ops->iter_new(engine, view, iter->from, iter->to);
    engine_move(iter, iter->reverse ? MOVE_LAST : MOVE_FIRST, STR_NONE);
}

struct store_iter *store_range(struct store_txn *txn, const struct store_range *range, struct arena *arena)
{
    struct store_iter *iter = iter_new(txn, arena);
    struct engine_key from, to;
    iter->err = store__range_bounds(txn->store, range, &from, &to);
    if (iter->err != ERR_OK)
        return iter;
    iter->reverse = range->reverse;
    iter->space = range->space;
    iter->collection = arena_dup(arena, range->collection);
    iter->head_n = from.n - range->from.n;
    iter->from = arena_dup(arena, engine_key_str(&from));
    iter->to = arena_dup(arena, engine_key_str(&to));
    if (str_cmp(iter->from, iter->to) >= 0) {
        iter->err = ERR_NOT_FOUND;
        return iter;
    }
    engine_start(iter, txn->view);
    if (txn->mutation) {
        list_in(iter, txn);
        iter->batch = txn->batch;
        copy_own(iter, txn->own, arena);
        batch_start(iter);
    }
    return iter;
}

struct store_iter *store_walk(struct store_txn *reader, uint64_t space, uint64_t from_hash, uint64_t to_hash,
                              const struct store_key *after, struct arena *arena)
{
    ENSURE(!reader->mutation && space < UINT64_MAX);
    struct store_iter *iter = iter_new(reader, arena);
    struct engine_key from, to;
    store__key_head(&from, space, from_hash);
    store__key_head(&to, to_hash == UINT64_MAX ? space + 1 : space, to_hash == UINT64_MAX ? 0 : to_hash + 1);
    iter->scratch = arena_alloc(arena, STORE_COLLECTION_MAX);
    iter->from = arena_dup(arena, engine_key_str(&from));
    iter->to = arena_dup(arena, engine_key_str(&to));
    if (after) {
        uint64_t hash = store_hash(reader->store, after->collection);
        if (!store__key_collection(&from, space, hash, after->collection) || !store__key_add(&from, after->key)) {
            iter->err = ERR_TOO_LARGE;
            return iter;
        }
        /* A 00 more is the smallest key behind it. */
        char *behind = arena_alloc(arena, from.n + 1);
        memcpy(behind, from.p, from.n);
        behind[from.n] = '\0';
        if (str_cmp((struct str){behind, from.n + 1}, iter->from) > 0)
            iter->from = (struct str){behind, from.n + 1};
    }
    if (str_cmp(iter->from, iter->to) >= 0) {
        iter->err = ERR_NOT_FOUND;
        return iter;
    }
    engine_start(iter, reader->view);
    return iter;
}

static void engine_step(struct store_iter *iter)
{
    engine_move(iter, iter->reverse ? MOVE_PREV : MOVE_NEXT, STR_NONE);
}

/* Moves the engine's iterator out of the gap. */
static void engine_leave(struct store_iter *iter, const struct layer_gap *gap)
{
    if (iter->reverse && str_cmp(gap->from, iter->from) > 0)
        engine_move(iter, MOVE_BELOW, gap->from);
    else if (!iter->reverse && str_cmp(gap->to, iter->to) < 0)
        engine_move(iter, MOVE_AT_LEAST, gap->to);
    else
        engine_move(iter, MOVE_AT_LEAST, iter->to);         /* nothing left */
}

static bool own_gap(const struct store_iter *iter, struct str key)
{
    return iter->own_gaps_n && store__gap_at(iter->own_gaps, iter->own_gaps_n, key);
}

/* One step of the merge. ERR_OK: a pair, or (*ret_skip) a key that is deleted. */
static enum err merge(struct store_iter *iter, struct str *ret_key, struct str *ret_value, bool *ret_skip)
{
    const struct own *own = iter->own_at < iter->own_n ? &iter->own[iter->own_at] : NULL;
    const struct layer_node *batch = iter->batch_at;
    enum err err = iter->engine->err;
    bool engine = err == ERR_OK;
    if (!engine && (err != ERR_NOT_FOUND || (!own && !batch)))
        return err;

    struct str engine_key = engine ? iter->engine->key : STR_NONE;
    int sign = iter->reverse ? -1 : 1;
    struct str key = own ? own->node->key : batch ? batch->key : engine_key;
    if (batch && sign * str_cmp(batch->key, key) < 0)
        key = batch->key;
    if (engine && sign * str_cmp(engine_key, key) < 0)
        key = engine_key;

    bool from_own = own && str_eq(own->node->key, key);
    bool from_batch = batch && str_eq(batch->key, key);
    bool from_engine = engine && str_eq(engine_key, key);
    *ret_key = key;
    if (from_own) {
        *ret_value = own->value;
        *ret_skip = own->deleted;
    } else if (from_batch) {
        *ret_value = batch->value;
        *ret_skip = batch->deleted || own_gap(iter, key);
    } else {
        const struct layer_gap *gap = store__gap_at(iter->own_gaps, iter->own_gaps_n, key);
        if (!gap)
            gap = store__gap_at(iter->batch->gaps, iter->batch->gaps_n, key);
        *ret_skip = gap != NULL;
        if (gap) {
            engine_leave(iter, gap);
            return ERR_OK;
        }
        *ret_value = iter->engine->value;
    }
    iter->own_at += from_own;
    if (from_batch)
        batch_step(iter);
    iter->engine_used = from_engine;
    return ERR_OK;
}

enum err store_next(struct store_iter *iter, struct store_key *ret_key, struct str *ret_value)
{
    if (iter->err != ERR_OK)
        return iter->err;
    struct str key, value = STR_NONE;
    bool skip;
    do {
        if (iter->engine_used)
            engine_step(iter);
        iter->engine_used = false;
        skip = false;
        if (iter->batch) {
            enum err err = merge(iter, &key, &value, &skip);
            if (err != ERR_OK)
                return err;
        } else {
            if (iter->engine->err != ERR_OK)
                return iter->engine->err;
            key = iter->engine->key;
            value = iter->engine->value;
            iter->engine_used = true;
        }
    } while (skip);
    if (iter->head_n)
        *ret_key = (struct store_key){iter->space, iter->collection, str_slice(key, iter->head_n, key.n)};
    else if (!store__key_split(key, iter->scratch, ret_key))
        return ERR_CORRUPT;
    *ret_value = value;
    return ERR_OK;
}
