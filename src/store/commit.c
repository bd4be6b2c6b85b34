/* commit.c -- the committer: one thread that runs every mutation and makes it durable.
 *
 *   gather   take what waits, run each mutation over the engine's view and what the batch has so far; what arrives
 *            meanwhile joins, up to BATCH_COUNT_MAX and BATCH_BYTES_MAX
 *   commit   the batch as one engine commit with one sync; readers then see all of it at once, and the generations of the
 *            fixed spaces it wrote to have moved
 *   answer   every mutation of the batch, in the order of submission
 *
 * If others changed what the batch read (a conflict, engine.h), its mutations run again one by one, each over a view of
 * its own, so that one that meets a crowd holds nobody else; one that loses CONFLICT_TRIES_MAX times is answered ERR_BUSY.
 *
 * While the sync runs the next batch queues up, so batches grow with the load by themselves; there is no timer.
 * A mutation that failed by itself, or only read, is answered with its batch as well: it may have seen writes of the
 * batch that are not durable before the sync. If the write fails, all of the batch is answered ERR_IO, for the same
 * reason. A batch without writes costs no write; the engine only says whether its view still holds.
 *
 * Thread: everything but store_submit, store_mutate and the counters runs on the committer. */
#include "store/store_internal.h"
#include "base/clock.h"
#include "base/panic.h"
#include <signal.h>
#include <stdio.h>

#define CONFLICT_TRIES_MAX 32

bool store_mutate_twice
#ifdef CLOUDLESS_MUTATE_TWICE
    = true
#endif
    ;

static _Thread_local bool on_committer;

struct batch {
    struct arena *arena;                    /* of the layers; reset with each batch */
    struct layer layer, own, rehearsal;
    struct store_txn txn;
    struct store_mutation *first, **end;    /* ran, to be answered */
    size_t count;
    uint64_t spaces;
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
        if (!store->head)
            store->first_ns = clock_mono_ns();
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
    if (chain)
        histogram_add(&store->meters.wait_us, (clock_mono_ns() - store->first_ns) / 1000);
    store->head = NULL;
    store->tail = &store->head;
    pthread_mutex_unlock(&store->queue_lock);
    return chain;
}

/* ---- two runs ---- */

struct rehearsal {                          /* what the first run left, besides the layer */
    enum err err;
    uint64_t spaces;
    struct str result;
};

static void runs_differ(const struct store_mutation *mutation, const char *what)
{
    char text[256];
    snprintf(text, sizeof text, "mutation %s: a second run over the same state differs in %s; it may have no clock, no random "
             "number, no cache and no memory of its first run", mutation->name ? mutation->name : "(no name)", what);
    panic(__FILE__, __LINE__, text);
}

static bool same_writes(const struct layer *a, const struct layer *b)
{
    if (a->count != b->count || a->gaps_n != b->gaps_n)
        return false;
    for (size_t i = 0; i < a->gaps_n; i++)
        if (!str_eq(a->gaps[i].from, b->gaps[i].from) || !str_eq(a->gaps[i].to, b->gaps[i].to))
            return false;
    const struct layer_node *x = a->first[0], *y = b->first[0];
    for (; x && y; x = x->next[0], y = y->next[0])
        if (x->deleted != y->deleted || !str_eq(x->key, y->key) || !str_eq(x->value, y->value))
            return false;
    return !x && !y;
}

static void compare_runs(struct batch *batch, struct store_mutation *mutation, const struct rehearsal *first)
{
    const struct store_txn *txn = &batch->txn;
    if (first->err != mutation->err)
        runs_differ(mutation, "whether it fails");
    if (mutation->err == ERR_OK && !same_writes(&batch->rehearsal, &batch->own))
        runs_differ(mutation, "what it writes");
    if (mutation->err == ERR_OK && first->spaces != txn->spaces)
        runs_differ(mutation, "the spaces it touches");
    if (mutation->result && !str_eq(first->result, mutation->result(mutation, batch->arena)))
        runs_differ(mutation, "what it answers");
    batch->layer.bytes += batch->rehearsal.bytes;
    store__layer_reset(&batch->rehearsal);
}

/* Runs it into the layer; what it answers. */
static enum err mutate_into(struct store_txn *txn, struct layer *own, struct store_mutation *mutation)
{
    txn->own = own;
    store__txn_begin(txn);
    enum err err = mutation->mutate(txn, mutation->arg);
    store__txn_end(txn);
    return err != ERR_OK ? err : txn->err;
}

static void run_into_batch(struct batch *batch, struct store_mutation *mutation)
{
    struct store_txn *txn = &batch->txn;
    struct rehearsal rehearsal = {0};
    if (store_mutate_twice) {
        rehearsal.err = mutate_into(txn, &batch->rehearsal, mutation);
        rehearsal.spaces = txn->spaces;
        rehearsal.result = mutation->result ? mutation->result(mutation, batch->arena) : STR_NONE;
    }
    mutation->err = mutate_into(txn, &batch->own, mutation);
    if (store_mutate_twice)
        compare_runs(batch, mutation, &rehearsal);
    if (mutation->err == ERR_OK) {
        store__layer_merge(&batch->layer, &batch->own);
        batch->spaces |= txn->spaces;
    } else {
        batch->layer.bytes += batch->own.bytes;     /* still in the arena */
        store__layer_reset(&batch->own);
    }
    mutation->next = NULL;
    *batch->end = mutation;
    batch->end = &mutation->next;
    batch->count++;
}

static bool batch_full(const struct batch *batch)
{
    return batch->count >= BATCH_COUNT_MAX || batch->layer.bytes >= BATCH_BYTES_MAX ||
           batch->layer.gaps_n >= LAYER_GAPS_MAX;
}

static void begin_view(struct store *store, struct batch *batch)
{
    if (batch->count == 0)
        batch->txn.view = store->engine->ops->view_new(store->engine, true);
}

static void meter_commit(struct store_meters *meters, const struct batch *batch, enum err err, uint64_t ns)
{
    histogram_add(&meters->batch, batch->count);
    histogram_add(&meters->commit_us, ns / 1000);
    metric_add(&meters->mutations, batch->count);
    metric_add(&meters->bytes, batch->layer.bytes);
    metric_add(err == ERR_CONFLICT ? &meters->conflicts : &meters->failed, err != ERR_OK);
}

static enum err commit_batch(struct store *store, struct batch *batch)
{
    char trouble[sizeof store->trouble] = "";
    const struct engine_ops *ops = store->engine->ops;
    bool writes = batch->layer.count || batch->layer.gaps_n;
    uint64_t begun_ns = clock_mono_ns();
    enum err err = ops->commit(store->engine, batch->txn.view, &batch->layer, batch->spaces, trouble, sizeof trouble);
    meter_commit(&store->meters, batch, err, clock_mono_ns() - begun_ns);
    ops->view_free(batch->txn.view);
    batch->txn.view = NULL;
    if (err == ERR_CONFLICT)
        return err;
    if (err != ERR_OK || (writes && store->trouble[0])) {       /* only this thread writes it */
        pthread_mutex_lock(&store->queue_lock);
        memcpy(store->trouble, trouble, sizeof trouble);
        pthread_mutex_unlock(&store->queue_lock);
    }
    return err == ERR_OK ? ERR_OK : ERR_IO;
}

static void batch_reset(struct batch *batch)
{
    store__layer_reset(&batch->layer);
    store__layer_reset(&batch->own);
    store__layer_reset(&batch->rehearsal);
    arena_reset(batch->arena);
    batch->first = NULL;
    batch->end = &batch->first;
    batch->count = 0;
    batch->spaces = 0;
}

static void answer_batch(struct store *store, struct batch *batch, enum err err)
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

/* After a conflict: each by itself. */
static void commit_each(struct store *store, struct batch *batch)
{
    struct store_mutation *next = batch->first;
    while (next) {
        struct store_mutation *mutation = next;
        next = mutation->next;
        enum err err = ERR_CONFLICT;
        for (unsigned tries = 0; err == ERR_CONFLICT && tries < CONFLICT_TRIES_MAX; tries++) {
            batch_reset(batch);
            begin_view(store, batch);
            run_into_batch(batch, mutation);
            err = commit_batch(store, batch);
        }
        answer_batch(store, batch, err == ERR_CONFLICT ? ERR_BUSY : err);
    }
}

static void commit_and_answer(struct store *store, struct batch *batch)
{
    enum err err = commit_batch(store, batch);
    if (err == ERR_CONFLICT)
        commit_each(store, batch);
    else
        answer_batch(store, batch, err);
}

static void *committer(void *arg)
{
    struct store *store = arg;
    on_committer = true;
    struct batch batch = {.arena = arena_new()};
    store__layer_init(&batch.layer, batch.arena, 2 * LAYER_GAPS_MAX);
    store__layer_init(&batch.own, batch.arena, LAYER_GAPS_MAX);
    store__layer_init(&batch.rehearsal, batch.arena, LAYER_GAPS_MAX);
    batch.txn = (struct store_txn){.store = store, .mutation = true, .own = &batch.own, .batch = &batch.layer};
    batch_reset(&batch);

    struct store_mutation *waiting = NULL;
    for (;;) {
        if (!waiting)
            waiting = take_all(store, batch.count == 0);
        if (waiting) {
            struct store_mutation *mutation = waiting;
            waiting = mutation->next;
            begin_view(store, &batch);
            run_into_batch(&batch, mutation);
            if (!batch_full(&batch))
                continue;
        } else if (batch.count == 0) {
            break;                          /* closing */
        }
        commit_and_answer(store, &batch);
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

enum err store_mutate_named(struct store *store, store_mutate_fn *mutate, void *arg, const char *name)
{
    ENSURE(!on_committer);              /* it would wait for itself */
    struct waiter waiter = {.mutation = {.mutate = mutate, .done = waiter_done, .arg = arg, .name = name}};
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
