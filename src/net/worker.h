/* worker.h -- a bounded pool of threads for what may block: long scans, unpacking, file and cluster i/o. */
#ifndef CLOUDLESS_NET_WORKER_H
#define CLOUDLESS_NET_WORKER_H
#include "base/err.h"
#include "net/loop.h"

struct workers;
struct work {                                   /* embedded by the caller */
    void (*run)(struct work *work);             /* on a worker thread */
    void (*done)(struct work *work);            /* on `loop`; NULL: none */
    struct loop *loop;                          /* where done runs; NULL only if done is NULL */
    struct work *next;                          /* the pool's */
    struct loop_task task;                      /* the pool's */
};
struct workers *workers_new(size_t threads, size_t queue_max);
/* Runs what is queued, joins the threads; from then on submit is ERR_CLOSED. Before loops_stop, so that `done` is seen;
 * workers_free after it, as a loop that still runs may submit. */
void workers_stop(struct workers *workers);
void workers_free(struct workers *workers);     /* stops first if need be; NULL is fine */
enum err workers_submit(struct workers *workers, struct work *work);   /* ERR_BUSY: full, ERR_CLOSED */
#endif
