/* drop.c -- emptying a space that nobody reads any more. It is long work, so a job does it (jobs/drop_space.c): the mutation
 * that drops a table asks for the job, and a crash at any point means that this is done again.
 *   1. whole files of the space are deleted: that gives most of the disk back at once
 *   2. a mutation deletes the rest of the space as one range
 *   3. what is in memory is written to files and the engine is asked to compact the range
 * Files first: a file holding the range delete itself must not go while older data below it stays. What 1 and 3 are is the
 * engine's (empty_begin, empty_end in engine.h). */
#include "store/store_internal.h"
#include "base/panic.h"

static enum err empty_space(struct store_txn *txn, void *arg)
{
    store__txn_empty_space(txn, *(uint64_t *)arg);
    return ERR_OK;
}

enum err store_empty_space(struct store *store, uint64_t space)
{
    ENSURE(space >= STORE_SPACE_FIRST && space < UINT64_MAX);
    struct engine_key from, to;
    store__space_bounds(space, &from, &to);
    const struct engine_ops *ops = store->engine->ops;
    if (ops->empty_begin)
        ops->empty_begin(store->engine, engine_key_str(&from), engine_key_str(&to));
    enum err err = store_mutate(store, empty_space, &space);
    if (err == ERR_OK && ops->empty_end)
        err = ops->empty_end(store->engine, engine_key_str(&from), engine_key_str(&to));
    return err;
}
