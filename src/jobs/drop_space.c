/* drop_space.c -- the job that empties a dropped space: kind "drop-space", the space's number (8, big-endian) as its key. It is
 * known to every lane. Directories of earlier releases have records of spaces to drop in the collection "drop" of the system's
 * space; they become jobs when the lane starts. */
#include "base/codec.h"
#include "jobs/jobs_internal.h"

#define ADOPT_STEP 100

static const char kind_name[] = "drop-space";

static void drop_space_step(struct job *job)
{
    enum err err = job->key.n == 8 ? store_empty_space(job->store, get_u64((const uint8_t *)job->key.p)) : ERR_CORRUPT;
    if (err != ERR_OK)
        job_failed(job, err_text(err));
}

const struct jobs_kind jobs__drop_space_kind = {.name = kind_name, .step = drop_space_step, .backoff_ms = 2000};

void jobs_drop_space(struct store_txn *txn, uint64_t space)
{
    uint8_t key[8];
    put_u64(key, space);
    jobs_add(txn, kind_name, (struct str){(const char *)key, sizeof key}, 0, STR_NONE);
}

struct adopting { size_t found; };

static enum err adopt_some(struct store_txn *txn, void *arg)
{
    struct adopting *adopting = arg;
    struct arena *arena = arena_new();
    const struct store_range all = {.space = STORE_SPACE_SYSTEM, .collection = STR("drop")};
    struct store_iter *iter = store_range(txn, &all, arena);
    struct str keys[ADOPT_STEP];
    struct store_key key;
    struct str value;
    enum err err = ERR_OK;
    adopting->found = 0;
    while (adopting->found < ADOPT_STEP && (err = store_next(iter, &key, &value)) == ERR_OK)
        keys[adopting->found++] = arena_dup(arena, key.key);
    store_iter_close(iter);
    for (size_t i = 0; i < adopting->found; i++) {
        if (keys[i].n == 8)
            jobs_drop_space(txn, get_u64((const uint8_t *)keys[i].p));
        store_delete(txn, (struct store_key){all.space, all.collection, keys[i]});
    }
    arena_free(arena);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err jobs__adopt_drops(struct jobs *jobs)
{
    struct adopting adopting = {.found = ADOPT_STEP};
    enum err err = ERR_OK;
    while (err == ERR_OK && adopting.found == ADOPT_STEP)
        err = store_mutate(jobs->store, adopt_some, &adopting);
    return err;
}
