/* drop.c -- emptying dropped spaces in the background.
 *
 * store_drop_space only records the space, in the mutation that drops it; the record stays until its space is empty, so
 * a crash at any point means that the work is done again. A thread that lives only while there is something to do
 * takes the records one by one:
 *   1. whole files of the space are deleted: that gives most of the disk back at once
 *   2. a mutation deletes the rest of the space as one range
 *   3. what is in memory is written to files and the engine is asked to compact the range
 *   4. a mutation removes the record
 * Files first: a file holding the range delete itself must not go while older data below it stays. */
#include "store/store_internal.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/panic.h"
#include <errno.h>

#define RETRY_SECONDS 2         /* after a failure, a full disk for example */

struct store_key store__drop_key(uint64_t space, uint8_t bytes[8])
{
    put_u64(bytes, space);
    return (struct store_key){STORE_SPACE_SYSTEM, STR("drop"), {(const char *)bytes, 8}};
}

static enum err empty_space(struct store_txn *txn, void *arg)
{
    store__txn_empty_space(txn, *(uint64_t *)arg);
    return ERR_OK;
}

static enum err remove_record(struct store_txn *txn, void *arg)
{
    uint8_t bytes[8];
    store_delete(txn, store__drop_key(*(uint64_t *)arg, bytes));
    return ERR_OK;
}

static enum err empty_dropped(struct store *store, uint64_t space)
{
    struct engine_key from, to;
    store__space_bounds(space, &from, &to);
    const struct engine_ops *ops = store->engine->ops;
    if (ops->empty_begin)
        ops->empty_begin(store->engine, engine_key_str(&from), engine_key_str(&to));
    enum err err = store_mutate(store, empty_space, &space);
    if (err == ERR_OK && ops->empty_end)
        err = ops->empty_end(store->engine, engine_key_str(&from), engine_key_str(&to));
    if (err == ERR_OK)
        err = store_mutate(store, remove_record, &space);
    return err;
}

/* The first recorded space. ERR_NOT_FOUND: none. */
static enum err first_space(struct store *store, uint64_t *ret)
{
    struct arena *arena = arena_new();
    const struct store_range all = {.space = STORE_SPACE_SYSTEM, .collection = STR("drop")};
    struct store_iter *iter = store_range(store_reader(store), &all, arena);
    struct store_key key;
    struct str value;
    enum err err = store_next(iter, &key, &value);
    if (err == ERR_OK && key.key.n == 8)
        *ret = get_u64((const uint8_t *)key.key.p);
    else if (err == ERR_OK)
        err = ERR_CORRUPT;
    arena_free(arena);
    return err;
}

/* Until told to stop, or for RETRY_SECONDS. */
static void pause_after_failure(struct store *store)
{
    struct timespec until = clock_deadline(RETRY_SECONDS * 1000);
    pthread_mutex_lock(&store->drop_lock);
    while (!store->drop_stop &&
           pthread_cond_clockwait(&store->drop_wake, &store->drop_lock, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&store->drop_lock);
}

/* True: there may be more to do. False: this thread ends. */
static bool go_on(struct store *store)
{
    pthread_mutex_lock(&store->drop_lock);
    bool more = store->drop_pending && !store->drop_stop;
    store->drop_pending = false;
    if (!more)
        store->drop_running = false;
    pthread_mutex_unlock(&store->drop_lock);
    return more;
}

static bool drop_stopping(struct store *store)
{
    pthread_mutex_lock(&store->drop_lock);
    bool stop = store->drop_stop;
    pthread_mutex_unlock(&store->drop_lock);
    return stop;
}

static void *dropper(void *arg)
{
    struct store *store = arg;
    while (go_on(store)) {
        uint64_t space;
        enum err err = ERR_OK;
        while (!drop_stopping(store) && (err = first_space(store, &space)) != ERR_NOT_FOUND) {
            if (err == ERR_OK)
                err = empty_dropped(store, space);
            if (err != ERR_OK)
                pause_after_failure(store);
        }
    }
    return NULL;
}

void store__drop_wake(struct store *store)
{
    pthread_mutex_lock(&store->drop_lock);
    store->drop_pending = true;
    if (!store->drop_running && !store->drop_stop) {
        store->drop_running = true;
        if (store->drop_started)
            pthread_join(store->dropper, NULL);         /* it has ended, or is about to, without needing the lock */
        store->dropper = store__thread("dropper", dropper, store);
        store->drop_started = true;
    }
    pthread_mutex_unlock(&store->drop_lock);
}

void store__drop_resume(struct store *store)
{
    uint64_t space;
    if (first_space(store, &space) != ERR_NOT_FOUND)
        store__drop_wake(store);
}

void store__drop_stop(struct store *store)
{
    pthread_mutex_lock(&store->drop_lock);
    store->drop_stop = true;
    bool started = store->drop_started;
    pthread_mutex_unlock(&store->drop_lock);
    pthread_cond_signal(&store->drop_wake);
    if (started)
        pthread_join(store->dropper, NULL);
}
