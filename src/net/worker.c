/* worker.c -- a bounded pool of threads behind one queue.
 *
 * One mutex guards the queue and its count; a thread waits on `wake`. Work leaves the queue in the order in which it
 * came. A finished piece goes back to its loop as a posted task, so `done` never runs beside other code of that loop.
 * The end has two steps: workers_stop refuses new work, lets the threads empty the queue and joins them while the loops
 * still run and see each `done`; workers_free gives back the memory once no loop can submit any more. */
#include "net/worker.h"
#include "base/panic.h"
#include "net/loop_internal.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct work *first, **last;
    size_t queued, queue_max, thread_count;
    bool closed;
    pthread_t thread[];
};

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

static void *worker_main(void *arg)
{
    struct workers *workers = arg;
    pthread_mutex_lock(&workers->lock);
    for (;;) {
        struct work *work = workers->first;
        if (work) {
            workers->first = work->next;
            if (!workers->first)
                workers->last = &workers->first;
            workers->queued--;
            pthread_mutex_unlock(&workers->lock);
            work_one(work);
            pthread_mutex_lock(&workers->lock);
        } else if (workers->closed) {
            break;
        } else {
            pthread_cond_wait(&workers->wake, &workers->lock);
        }
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

struct workers *workers_new(size_t threads, size_t queue_max)
{
    ENSURE(threads >= 1 && queue_max >= 1);
    struct workers *workers = mem_zalloc(sizeof(*workers) + threads * sizeof(pthread_t));
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->wake, NULL);
    workers->last = &workers->first;
    workers->queue_max = queue_max;
    workers->thread_count = threads;
    sigset_t old;
    loop__block_signals(&old);
    for (size_t i = 0; i < threads; i++)
        ENSURE(pthread_create(&workers->thread[i], NULL, worker_main, workers) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return workers;
}

void workers_stop(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    bool already = workers->closed;
    workers->closed = true;
    pthread_cond_broadcast(&workers->wake);
    pthread_mutex_unlock(&workers->lock);
    for (size_t i = 0; i < workers->thread_count && !already; i++)
        ENSURE(pthread_join(workers->thread[i], NULL) == 0);
}

void workers_free(struct workers *workers)
{
    if (!workers)
        return;
    workers_stop(workers);
    pthread_cond_destroy(&workers->wake);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}

enum err workers_submit(struct workers *workers, struct work *work)
{
    ENSURE(work->run && (!work->done || work->loop));
    enum err err = ERR_OK;
    work->next = NULL;
    pthread_mutex_lock(&workers->lock);
    if (workers->closed) {
        err = ERR_CLOSED;
    } else if (workers->queued >= workers->queue_max) {
        err = ERR_BUSY;
    } else {
        *workers->last = work;
        workers->last = &work->next;
        workers->queued++;
        pthread_cond_signal(&workers->wake);
    }
    pthread_mutex_unlock(&workers->lock);
    return err;
}
