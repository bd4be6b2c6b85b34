/* commit.c -- the committer: one thread that runs every mutation and makes it durable.
 *
 *   gather   take what waits, run each mutation over what the batch has so far; what arrives meanwhile joins, up to
 *            BATCH_COUNT_MAX and BATCH_BYTES_MAX
 *   write    the batch as one engine write with one sync; readers then see all of it at once
 *   tell     bump the generations of the fixed spaces it wrote to
 *   answer   every mutation of the batch, in the order of submission
 *
 * While the sync runs the next batch queues up, so batches grow with the load by themselves; there is no timer.
 * A mutation that failed by itself, or only read, is answered with its batch as well: it may have seen writes of the
 * batch that are not durable before the sync. If the write fails, all of the batch is answered ERR_IO, for the same
 * reason. A batch without writes is answered at once.
 *
 * Thread: everything but store_submit, store_mutate and the counters runs on the committer. */
#include "store/internal.h"
#include "base/panic.h"
#include <signal.h>

static _Thread_local bool on_committer;

struct batch {
    struct arena *arena;                    /* of both layers; reset with each batch */
    struct layer layer, own;
    struct store_txn txn;
    struct store_mutation *first, **end;    /* ran, to be answered */
    size_t count;
    uint64_t spaces;
    bool drops;
};

pthread_t store__thread(const char *name, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ENSURE(pthread_create(&thread, NULL, run, arg) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_setname_np(thread, name);
    return thread;
}

void store_submit(struct store *store, struct store_mutation *mutation)
{
    mutation->next = NULL;
    pthread_mutex_lock(&store->queue_lock);
    bool closing = store->closing, idle = store->idle;
    if (!closing) {
        *store->tail = mutation;
        store->tail = &mutation->next;
        atomic_fetch_add_explicit(&store->queued, 1, memory_order_relaxed);
        store->idle = false;
    }
    pthread_mutex_unlock(&store->queue_lock);
    if (closing)
        mutation->done(mutation, ERR_CLOSED);
    else if (idle)
        pthread_cond_signal(&store->queue_wake);
}

/* All that waits; with `wait`, blocks until there is something. NULL: nothing, or closing and nothing left. */
static struct store_mutation *take_all(struct store *store, bool wait)
{
    pthread_mutex_lock(&store->queue_lock);
    while (wait && !store->head && !store->closing) {
        store->idle = true;
        pthread_cond_wait(&store->queue_wake, &store->queue_lock);
    }
    store->idle = false;
    struct store_mutation *chain = store->head;
    store->head = NULL;
    store->tail = &store->head;
    pthread_mutex_unlock(&store->queue_lock);
    return chain;
}

static void run(struct batch *batch, struct store_mutation *mutation)
{
    struct store_txn *txn = &batch->txn;
    store__txn_begin(txn);
    enum err err = mutation->mutate(txn, mutation->arg);
    store__txn_end(txn);
    mutation->err = err != ERR_OK ? err : txn->err;
    if (mutation->err == ERR_OK) {
        store__layer_merge(&batch->layer, &batch->own);
        batch->spaces |= txn->spaces;
        batch->drops |= txn->drops;
    } else {
        batch->layer.bytes += batch->own.bytes;     /* still in the arena */
        store__layer_reset(&batch->own);
    }
    mutation->next = NULL;
    *batch->end = mutation;
    batch->end = &mutation->next;
    batch->count++;
}

static bool full(const struct batch *batch)
{
    return batch->count >= BATCH_COUNT_MAX || batch->layer.bytes >= BATCH_BYTES_MAX ||
           batch->layer.gaps_n >= LAYER_GAPS_MAX;
}

static enum err write_batch(struct store *store, struct batch *batch)
{
    if (!batch->layer.count && !batch->layer.gaps_n)
        return ERR_OK;
    store__rows_write_begin(store->rows, &batch->layer);
    char trouble[sizeof store->trouble] = "";
    enum err err = rocks__write(store->rocks, &batch->layer, trouble, sizeof trouble);
    store__rows_write_end(store->rows, &batch->layer, err == ERR_OK);
    if (err != ERR_OK || store->trouble[0]) {       /* only this thread writes it */
        pthread_mutex_lock(&store->queue_lock);
        memcpy(store->trouble, trouble, sizeof trouble);
        pthread_mutex_unlock(&store->queue_lock);
    }
    if (err != ERR_OK)
        return ERR_IO;
    for (size_t space = 0; space < STORE_SPACE_FIRST; space++)
        if (batch->spaces >> space & 1)
            atomic_fetch_add_explicit(&store->generation[space], 1, memory_order_release);
    if (batch->drops)
        store__drop_wake(store);
    return ERR_OK;
}

static void batch_reset(struct batch *batch)
{
    store__layer_reset(&batch->layer);
    store__layer_reset(&batch->own);
    arena_reset(batch->arena);
    batch->first = NULL;
    batch->end = &batch->first;
    batch->count = 0;
    batch->spaces = 0;
    batch->drops = false;
}

static void answer(struct store *store, struct batch *batch, enum err err)
{
    struct store_mutation *next = batch->first;
    atomic_fetch_sub_explicit(&store->queued, batch->count, memory_order_relaxed);
    batch_reset(batch);
    while (next) {
        struct store_mutation *mutation = next;
        next = mutation->next;              /* `done` may end its life */
        mutation->done(mutation, err != ERR_OK ? err : mutation->err);
    }
}

static void *committer(void *arg)
{
    struct store *store = arg;
    on_committer = true;
    struct batch batch = {.arena = arena_new()};
    store__layer_init(&batch.layer, batch.arena, 2 * LAYER_GAPS_MAX);
    store__layer_init(&batch.own, batch.arena, LAYER_GAPS_MAX);
    batch.txn = (struct store_txn){.store = store, .mutation = true, .own = &batch.own, .batch = &batch.layer};
    batch_reset(&batch);

    struct store_mutation *waiting = NULL;
    for (;;) {
        if (!waiting)
            waiting = take_all(store, batch.count == 0);
        if (waiting) {
            struct store_mutation *mutation = waiting;
            waiting = mutation->next;
            run(&batch, mutation);
            if (!full(&batch))
                continue;
        } else if (batch.count == 0) {
            break;                          /* closing */
        }
        answer(store, &batch, write_batch(store, &batch));
    }
    arena_free(batch.arena);
    return NULL;
}

void store__committer_start(struct store *store)
{
    store->committer = store__thread("committer", committer, store);
}

void store__committer_stop(struct store *store)
{
    pthread_mutex_lock(&store->queue_lock);
    store->closing = true;
    pthread_mutex_unlock(&store->queue_lock);
    pthread_cond_signal(&store->queue_wake);
    pthread_join(store->committer, NULL);
}

struct waiter {
    struct store_mutation mutation;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    enum err err;
};

static void waiter_done(struct store_mutation *mutation, enum err err)
{
    struct waiter *waiter = (struct waiter *)mutation;
    pthread_mutex_lock(&waiter->lock);
    waiter->done = true;
    waiter->err = err;
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->lock);
}

enum err store_mutate(struct store *store, store_mutate_fn *mutate, void *arg)
{
    ENSURE(!on_committer);              /* it would wait for itself */
    struct waiter waiter = {.mutation = {.mutate = mutate, .done = waiter_done, .arg = arg}};
    pthread_mutex_init(&waiter.lock, NULL);
    pthread_cond_init(&waiter.wake, NULL);
    store_submit(store, &waiter.mutation);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.done)
        pthread_cond_wait(&waiter.wake, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    pthread_cond_destroy(&waiter.wake);
    pthread_mutex_destroy(&waiter.lock);
    return waiter.err;
}

bool store_writable(struct store *store, struct arena *arena, struct str *ret_words)
{
    pthread_mutex_lock(&store->queue_lock);
    struct str words = arena_dup(arena, str_of(store->trouble));
    pthread_mutex_unlock(&store->queue_lock);
    if (words.n)
        *ret_words = words;
    return words.n == 0;
}

size_t store_queued(const struct store *store)
{
    return atomic_load_explicit(&store->queued, memory_order_relaxed);
}

uint64_t store_generation(const struct store *store, enum store_space space)
{
    ENSURE(space < STORE_SPACE_FIRST);
    return atomic_load_explicit(&store->generation[space], memory_order_acquire);
}
