/* worker.c -- lanes: each a bounded pool of threads behind one queue.
 *
 * A mutex a lane guards its queue and counts; a thread waits on `wake`. Work leaves the queue in the order in which it
 * came. A submit that finds nobody idle starts a thread, up to the lane's maximum, so that threads come with the load; they stay.
 * The system may refuse a thread: then the work waits for those that there are, or is refused when there are none.
 * A finished piece goes back to its loop as a posted task, so `done` never runs beside other code of that loop.
 * The end has two steps: workers_stop refuses new work, lets the threads empty the queues and joins them while the loops
 * still run and see each `done`; workers_free gives back the memory once no loop can submit any more. Lanes close one after
 * the other, in the order of enum lane: until then what runs in one may submit to a later one. */
#include "net/worker.h"
#include "base/clock.h"
#include "base/panic.h"
#include "net/limits.h"
#include "net/loop_internal.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define LANE_THREADS_MAX 64

struct lane_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct work *first, **last;
    size_t queued, idle, running, thread_count;
    uint64_t finished, rejected, waited_ns;
    struct lane_limits limits;
    bool closed;
    pthread_t thread[LANE_THREADS_MAX];
};

struct workers {
    struct lane_pool lane[LANE_COUNT];
};

static const struct {
    const char *name;
    struct lane_limits limits;
} lanes[LANE_COUNT] = {
    [LANE_READ] = {"read", {NET_LANE_READ_THREADS, NET_LANE_QUEUE_MAX}},
    [LANE_SCAN] = {"scan", {NET_LANE_SCAN_THREADS, NET_LANE_QUEUE_MAX}},
    [LANE_BODY] = {"body", {NET_LANE_BODY_THREADS, NET_LANE_QUEUE_MAX}},
    [LANE_UNPACK] = {"unpack", {NET_LANE_UNPACK_THREADS, NET_LANE_QUEUE_MAX}},
    [LANE_START] = {"start", {NET_LANE_START_THREADS, NET_LANE_QUEUE_MAX}},
};

const char *lane_name(enum lane lane)
{
    return lanes[lane].name;
}

static void report_done(struct loop_task *task)
{
    struct work *work = CONTAINER_OF(task, struct work, task);
    work->done(work);
}

static void work_one(struct work *work)
{
    /* `run` of a piece without `done` may free it. */
    if (!work->done) {
        work->run(work);
        return;
    }
    work->run(work);
    work->task.run = report_done;
    loop_post(work->loop, &work->task);
}

/* Under the lock; lets it go while the work runs. */
static void work_first(struct lane_pool *pool)
{
    struct work *work = pool->first;
    pool->first = work->next;
    if (!pool->first)
        pool->last = &pool->first;
    pool->queued--;
    pool->running++;
    pool->waited_ns += clock_mono_ns() - work->queued_ns;
    pthread_mutex_unlock(&pool->lock);
    work_one(work);
    pthread_mutex_lock(&pool->lock);
    pool->running--;
    pool->finished++;
}

static void *worker_main(void *arg)
{
    struct lane_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        if (pool->first) {
            work_first(pool);
        } else if (pool->closed) {
            break;
        } else {
            pool->idle++;
            pthread_cond_wait(&pool->wake, &pool->lock);
            pool->idle--;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Under the lock. False: the system has none to give. */
static bool start_thread(struct lane_pool *pool)
{
    sigset_t old;
    loop__block_signals(&old);
    bool fine = pthread_create(&pool->thread[pool->thread_count], NULL, worker_main, pool) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pool->thread_count += fine;
    return fine;
}

struct workers *workers_new(const struct lane_limits *limits)
{
    struct workers *workers = mem_zalloc(sizeof(*workers));
    for (size_t i = 0; i < LANE_COUNT; i++) {
        struct lane_pool *pool = &workers->lane[i];
        pool->limits = limits && limits[i].threads ? limits[i] : lanes[i].limits;
        ENSURE(pool->limits.threads <= LANE_THREADS_MAX && pool->limits.queue_max >= 1);
        pthread_mutex_init(&pool->lock, NULL);
        pthread_cond_init(&pool->wake, NULL);
        pool->last = &pool->first;
    }
    return workers;
}

void workers_stop(struct workers *workers)
{
    for (size_t i = 0; i < LANE_COUNT; i++) {
        struct lane_pool *pool = &workers->lane[i];
        pthread_mutex_lock(&pool->lock);
        bool already = pool->closed;
        pool->closed = true;        /* from here on thread_count does not change */
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
        for (size_t t = 0; t < pool->thread_count && !already; t++)
            ENSURE(pthread_join(pool->thread[t], NULL) == 0);
    }
}

void workers_free(struct workers *workers)
{
    if (!workers)
        return;
    workers_stop(workers);
    for (size_t i = 0; i < LANE_COUNT; i++) {
        pthread_cond_destroy(&workers->lane[i].wake);
        pthread_mutex_destroy(&workers->lane[i].lock);
    }
    free(workers);
}

enum err workers_submit(struct workers *workers, enum lane lane, struct work *work)
{
    ENSURE(work->run && (!work->done || work->loop));
    struct lane_pool *pool = &workers->lane[lane];
    enum err err = ERR_OK;
    work->next = NULL;
    work->queued_ns = clock_mono_ns();
    pthread_mutex_lock(&pool->lock);
    if (pool->closed) {
        err = ERR_CLOSED;
    } else if (pool->queued >= pool->limits.queue_max) {
        err = ERR_BUSY;
    } else {
        /* Idle ones may have been woken for what is queued already. */
        if (pool->idle <= pool->queued && pool->thread_count < pool->limits.threads && !start_thread(pool) &&
            pool->thread_count == 0)
            err = ERR_BUSY;
    }
    if (err == ERR_OK) {
        *pool->last = work;
        pool->last = &work->next;
        pool->queued++;
        pthread_cond_signal(&pool->wake);
    }
    pool->rejected += err == ERR_BUSY;
    pthread_mutex_unlock(&pool->lock);
    return err;
}

void workers_stats(struct workers *workers, enum lane lane, struct lane_stats *ret)
{
    struct lane_pool *pool = &workers->lane[lane];
    pthread_mutex_lock(&pool->lock);
    *ret = (struct lane_stats){pool->thread_count, pool->queued, pool->running, pool->finished, pool->rejected, pool->waited_ns};
    pthread_mutex_unlock(&pool->lock);
}
