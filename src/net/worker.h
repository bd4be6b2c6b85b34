/* worker.h -- bounded pools of threads for what may block or takes long, in lanes that do not wait for each other.
 * A lane has threads and a queue of its own, so that four slow scans stop neither a large body nor the start of a sandbox.
 * A thread is started when work waits and none of the lane is idle: a lane that nobody uses costs nothing. */
#ifndef CLOUDLESS_NET_WORKER_H
#define CLOUDLESS_NET_WORKER_H
#include "base/err.h"
#include "net/loop.h"

enum lane {
    LANE_READ,      /* short: a piece of a file, a point read of an engine that blocks */
    LANE_SCAN,      /* pages of items, streams, events: handlers of RUN_WORKER */
    LANE_BODY,      /* large bodies and answers: hashing, parsing, checking; all of it in memory */
    LANE_UNPACK,    /* packages: writing, unpacking, sweeping */
    LANE_START,     /* sandboxes */
    LANE_COUNT
};

struct workers;
struct work {                                   /* embedded by the caller */
    void (*run)(struct work *work);             /* on a thread of its lane; must not wait for other work of that lane */
    void (*done)(struct work *work);            /* on `loop`; NULL: none */
    struct loop *loop;                          /* where done runs; NULL only if done is NULL */
    struct work *next;                          /* the lane's */
    uint64_t queued_ns;                         /* the lane's */
    struct loop_task task;                      /* the lane's */
};
struct lane_limits { size_t threads, queue_max; };
/* `limits` has LANE_COUNT entries; NULL, or an entry of zeros: the default, see net/limits.h. Starts no thread. */
struct workers *workers_new(const struct lane_limits *limits);
/* Runs what is queued, joins the threads; from then on submit is ERR_CLOSED. Before loops_stop, so that `done` is seen;
 * workers_free after it, as a loop that still runs may submit. */
void workers_stop(struct workers *workers);
void workers_free(struct workers *workers);     /* stops first if need be; NULL is fine */
/* Any thread. ERR_BUSY: the lane's queue is full, or it has no thread and the system gives none; ERR_CLOSED. */
enum err workers_submit(struct workers *workers, enum lane lane, struct work *work);

struct lane_stats {
    size_t threads, queued, running;
    uint64_t finished, rejected, waited_ns;
}; /* waited: in the queue, in total */
void workers_stats(struct workers *workers, enum lane lane, struct lane_stats *ret);
const char *lane_name(enum lane lane);          /* "scan" */
#endif
