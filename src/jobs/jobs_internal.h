/* jobs_internal.h -- what the files of src/jobs share: the lane, its pages of due jobs, and one job's run.
 *
 * Locks: `lock` over everything that is not constant; it is not held while the store is read or written. The store's watch
 * takes it for a moment on the committer. */
#ifndef CLOUDLESS_JOBS_JOBS_INTERNAL_H
#define CLOUDLESS_JOBS_JOBS_INTERNAL_H
#include "jobs/job_row.h"
#include <pthread.h>

#define JOBS_THREADS_MAX 16

struct due_job { int64_t ms; struct str key; };     /* ms: as in the collection "due" */

/* A kind with what is known to be due. Invariant: page_at <= page_n <= JOBS_PAGE. */
struct lane_kind {
    struct jobs_kind kind;
    struct due_job page[JOBS_PAGE];
    size_t page_at, page_n;
    struct arena *page_arena;       /* of its keys */
    bool reading;                   /* a thread fills the page */
    bool look;                      /* there may be due jobs that are not in the page */
    bool passed_by;                 /* a job was due whose thread was not done yet */
    int64_t next_ms;                /* when the first is due that was not when last read; INT64_MAX: none */
    struct str behind;              /* the last one read of "due": what stood before it has been taken or is running */
    unsigned pages;                 /* read since the beginning was looked at */
    unsigned running;
    uint64_t steps, retries, ended;
};

struct jobs {
    struct store *store;
    struct jobs_options options;
    uint64_t owner;                 /* of this process's leases: drawn at start, never 0 */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    size_t kinds_n, turn;           /* the kind that is looked at first */
    struct lane_kind *kinds;
    struct running_job { struct lane_kind *kind; struct str key; } running[JOBS_THREADS_MAX];     /* one a thread */
    pthread_t threads[JOBS_THREADS_MAX];
    unsigned threads_n;
    bool started;                   /* of those who start and stop */
};

int64_t jobs__now(const struct jobs *jobs);
/* Until told to stop, or for that long. True: go on. */
bool jobs__pause(struct jobs *jobs, uint64_t ms);

/* job_run.c: claims the job, runs one step and ends it. Counts into the kind. */
enum err jobs__run(struct jobs *jobs, struct lane_kind *kind, const struct due_job *due);     /* not ERR_OK: it is due as before */
/* Jobs that a process before this one left running are due again. */
enum err jobs__take_over(struct jobs *jobs);

/* drop_space.c */
extern const struct jobs_kind jobs__drop_space_kind;
enum err jobs__adopt_drops(struct jobs *jobs);
#endif
