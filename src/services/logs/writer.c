/* writer.c -- what functions print, written in batches.
 * One thread. Appenders put events into a list under the lock, bounded by QUEUE_BYTES_MAX of memory, names included: so a
 * queue of empty lines is bounded as well. A stream (with those of the same hash) has a quarter of it, so that one that
 * floods takes nothing from the others. What has no room is dropped and counted for its stream, and the stream's next batch
 * begins with a line that says how many were lost. The thread writes when BATCH_BYTES wait, BATCH_MS passed since the first,
 * or a flush is asked for: one mutation a stream, or several of bounded size.
 * `taken` and `written` count events from the start; flush waits until `written` reaches what was taken before it. */
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "services/logs/logs_internal.h"
#include "store/doc.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define QUEUE_BYTES_MAX (8u << 20)
#define STREAM_BYTES_MAX (QUEUE_BYTES_MAX / 4)
#define SHARES 256
#define BATCH_BYTES (64u << 10)
#define BATCH_MS 200
#define LOST_STREAMS_MAX 1024
#define TOLD_GROUPS_MAX 1024
#define MUTATION_EVENTS_MAX 1000    /* of one stream in one mutation: others wait for it */
#define MUTATION_BYTES_MAX (1u << 20)

struct event {
    struct event *next;
    int64_t time_ms;
    bool may_make_group;
    struct str account, region, group, stream, message;     /* behind the struct, one allocation */
};

struct logs__writer {
    struct store *store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake, flushed;
    struct event *head, **tail;
    size_t bytes, shares[SHARES];       /* of all, and of the streams with the same hash */
    uint64_t taken, written, refused;
    bool flush, stop;
    struct map *lost;           /* stream's identity → count */
    struct map *told;           /* groups of which it was said that they may not be made; the thread only */
};

static void *writer_run(void *arg);

struct logs__writer *logs__writer_new(struct store *store)
{
    struct logs__writer *w = mem_zalloc(sizeof *w);
    pthread_condattr_t monotonic;
    w->store = store;
    w->tail = &w->head;
    w->lost = map_new(LOST_STREAMS_MAX, free);
    w->told = map_new(TOLD_GROUPS_MAX, NULL);
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_cond_init(&w->flushed, NULL);
    pthread_condattr_destroy(&monotonic);
    ENSURE(pthread_create(&w->thread, NULL, writer_run, w) == 0);
    return w;
}

void logs__writer_free(struct logs__writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    map_free(w->lost);
    map_free(w->told);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->flushed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static struct event *event_new(struct str account, struct str region, struct str group, struct str stream, int64_t time_ms,
                               struct str message)
{
    struct event *e = mem_alloc(sizeof *e + account.n + region.n + group.n + stream.n + message.n);
    char *at = (char *)(e + 1);
    *e = (struct event){.time_ms = time_ms};
    e->account = str_pack(&at, account);
    e->region = str_pack(&at, region);
    e->group = str_pack(&at, group);
    e->stream = str_pack(&at, stream);
    e->message = str_pack(&at, message);
    return e;
}

static size_t held_by(const struct event *e)
{
    return sizeof *e + e->account.n + e->region.n + e->group.n + e->stream.n + e->message.n;
}

static size_t *share_of(struct logs__writer *w, struct str stream)
{
    static const uint8_t key[16] = "share of queue.";
    return &w->shares[siphash24(key, stream) % SHARES];
}

static struct str identity(const struct event *e, struct arena *arena)
{
    return arena_printf(arena, STR_FMT "/" STR_FMT "/" STR_FMT "\n" STR_FMT, STR_ARG(e->account), STR_ARG(e->region),
                        STR_ARG(e->group), STR_ARG(e->stream));
}

static void count_lost(struct logs__writer *w, const struct event *e)
{
    struct arena *arena = arena_new();
    struct str id = identity(e, arena);
    uint64_t *count = map_get(w->lost, id);
    if (!count)
        map_put(w->lost, id, count = mem_zalloc(sizeof *count));
    (*count)++;
    arena_free(arena);
}

bool logs_append(struct logs *logs, struct str account, struct str region, struct str group, struct str stream, int64_t epoch_ms,
                 struct str message, bool may_make_group)
{
    struct logs__writer *w = logs->writer;
    struct str text = str_slice(message, 0, LOGS_EVENT_BYTES_MAX - LOGS_EVENT_OVERHEAD);
    if (text.n < message.n)
        text.n -= utf8_unfinished(text);
    struct event *e = event_new(account, region, group, stream, epoch_ms, text);
    e->may_make_group = may_make_group;
    pthread_mutex_lock(&w->lock);
    size_t *share = share_of(w, stream);
    bool room = w->bytes + held_by(e) <= QUEUE_BYTES_MAX && *share + held_by(e) <= STREAM_BYTES_MAX && !w->stop;
    if (room) {
        bool first = w->head == NULL;
        size_t before = w->bytes;
        *w->tail = e;
        w->tail = &e->next;
        w->bytes += held_by(e);
        *share += held_by(e);
        w->taken++;
        if (first || (before < BATCH_BYTES && w->bytes >= BATCH_BYTES))
            pthread_cond_signal(&w->wake);
    } else {
        count_lost(w, e);
        w->refused++;
        free(e);
    }
    pthread_mutex_unlock(&w->lock);
    return room;
}

void logs_flush(struct logs *logs)
{
    struct logs__writer *w = logs->writer;
    pthread_mutex_lock(&w->lock);
    uint64_t until = w->taken;
    w->flush = true;
    pthread_cond_signal(&w->wake);
    while (w->written < until)
        pthread_cond_wait(&w->flushed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

void logs__write_metrics(struct buf *out, void *arg)
{
    static const struct metric_plain families[] = {
        METRIC_GAUGE_OF("log_queue_bytes", "What functions printed and is not written yet.", struct logs__writer, bytes),
        METRIC_COUNTER_OF("log_events_total", "Events of functions that were taken.", struct logs__writer, taken),
        METRIC_COUNTER_OF("log_events_dropped_total", "Events that did not fit into the queue.", struct logs__writer, refused),
    };
    struct logs__writer *w = ((const struct logs *)arg)->writer;
    pthread_mutex_lock(&w->lock);
    metrics_plain(out, w, families, COUNT_OF(families));
    pthread_mutex_unlock(&w->lock);
}

/* ---- the thread ---- */

struct writer_batch {
    struct event *events;       /* of one stream, in order */
    uint64_t lost;
    int64_t now_ms;
    size_t count;
    bool no_group; /* out: it is missing and may not be made */
};

static bool same_stream(const struct event *a, const struct event *b)
{
    return str_eq(a->stream, b->stream) && str_eq(a->group, b->group) && str_eq(a->region, b->region) &&
           str_eq(a->account, b->account);
}

static enum err write_stream(struct store_txn *txn, void *arg)
{
    struct writer_batch *batch = arg;
    struct event *first = batch->events;
    struct arena *arena = arena_new();
    struct logs__group group;
    int64_t now = batch->now_ms, bytes = 0, last = 0;
    enum err err = logs__group_find(txn, first->account, first->region, first->group, arena, &group);

    batch->no_group = err == ERR_NOT_FOUND && !first->may_make_group;
    if (batch->no_group) {
        arena_free(arena);
        return ERR_OK;
    }
    if (err == ERR_NOT_FOUND) {
        logs__group_make(txn, first->account, first->region, first->group, NULL, now, arena, &group);
        err = ERR_OK;
    }
    if (err == ERR_OK) {
        if (!logs__stream_exists(txn, group.space, first->stream, arena))
            logs__stream_make(txn, group.space, first->stream, now, arena);
        uint64_t sequence = logs__sequences(txn, group.space, batch->count + 1, arena);
        if (batch->lost) {
            struct str line =
                arena_printf(arena, "%llu log events were lost: the log queue was full\n", (unsigned long long)batch->lost);
            logs__event_put(txn, group.space, first->stream, first->time_ms, ++sequence, now, line, arena);
        }
        for (struct event *e = first; e; e = e->next) {
            logs__event_put(txn, group.space, e->stream, e->time_ms, ++sequence, now, e->message, arena);
            bytes += (int64_t)e->message.n + LOGS_EVENT_OVERHEAD;
            last = e->time_ms > last ? e->time_ms : last;
        }
        logs__add_bytes(txn, group.space, bytes, arena);
        logs__order_written(txn, group.space, first->stream, last, arena);
    }
    arena_free(arena);
    return err;
}

static uint64_t take_lost(struct logs__writer *w, const struct event *e)
{
    struct arena *arena = arena_new();
    pthread_mutex_lock(&w->lock);
    uint64_t *count = map_take(w->lost, identity(e, arena));
    pthread_mutex_unlock(&w->lock);
    uint64_t lost = count ? *count : 0;
    free(count);
    arena_free(arena);
    return lost;
}

/* Takes events of the first one's stream off *list, in order, as many as one mutation may write. */
static struct event *take_stream(struct event **list)
{
    struct event *first = *list, **end = &first->next, *rest = NULL, **rest_end = &rest;
    size_t count = 1, bytes = first->message.n;
    for (struct event *e = first->next, *next; e; e = next) {
        next = e->next;
        bool fits = count < MUTATION_EVENTS_MAX && bytes < MUTATION_BYTES_MAX && same_stream(first, e);
        count += fits;
        bytes += fits ? e->message.n : 0;
        struct event ***to = fits ? &end : &rest_end;
        **to = e;
        *to = &e->next;
    }
    *end = NULL;
    *rest_end = NULL;
    *list = rest;
    return first;
}

/* Whoever looks for a function's events in vain finds out why, once. */
static void tell_no_group(struct logs__writer *w, const struct event *e)
{
    struct arena *arena = arena_new();
    struct str key =
        arena_printf(arena, STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(e->account), STR_ARG(e->region), STR_ARG(e->group));
    bool first = !map_get(w->told, key);
    if (first)
        map_put(w->told, key, w);
    if (first)
        log_to(LOG_WARN, "logs.no_group", {"account", e->account}, {"region", e->region}, {"group", e->group},
               {"reason", STR("it is not there, and the role may not do logs:CreateLogGroup")},
               {"remedy", STR("attach the policy AWSLambdaBasicExecutionRole, or create the group")});
    arena_free(arena);
}

static void write_all(struct logs__writer *w, struct event *list)
{
    while (list) {
        struct writer_batch batch = {.events = take_stream(&list)};
        for (struct event *e = batch.events; e; e = e->next)
            batch.count++;
        batch.now_ms = clock_epoch_ms();
        batch.lost = take_lost(w, batch.events);
        enum err err = store_mutate(w->store, write_stream, &batch);
        if (err != ERR_OK)
            log_to(LOG_ERROR, "logs.write_failed", {"group", batch.events->group}, {"stream", batch.events->stream},
                   {"error", str_of(err_text(err))});
        else if (batch.no_group)
            tell_no_group(w, batch.events);
        for (struct event *e = batch.events, *next; e; e = next) {
            next = e->next;
            free(e);
        }
    }
}

/* With the lock held: sleeps until a batch is due, or the end. */
static void wait_for_work(struct logs__writer *w)
{
    while (!w->stop && !w->flush && !w->head)
        pthread_cond_wait(&w->wake, &w->lock);
    struct timespec until = clock_deadline(BATCH_MS);
    while (!w->stop && !w->flush && w->bytes < BATCH_BYTES && pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0)
        ;
}

static void *writer_run(void *arg)
{
    struct logs__writer *w = arg;
    bool stop = false;

    while (!stop) {
        pthread_mutex_lock(&w->lock);
        wait_for_work(w);
        struct event *list = w->head;
        uint64_t until = w->taken;
        w->head = NULL;
        w->tail = &w->head;
        w->bytes = 0;
        memset(w->shares, 0, sizeof w->shares);
        w->flush = false;
        stop = w->stop;
        pthread_mutex_unlock(&w->lock);

        write_all(w, list);
        pthread_mutex_lock(&w->lock);
        w->written = until;
        pthread_cond_broadcast(&w->flushed);
        pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}
