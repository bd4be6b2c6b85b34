/* jobs.h -- what happens later: durable jobs, made in the same commit as what asks for them.
 *
 * A job is a row in the store: kind, key, due time, cursor, attempts, lease. There is one job for a kind and key at most.
 * A lane of threads takes what is due, in the order of due times within a kind, and runs it a step at a time:
 *
 *   claim     a commit: the job is leased to this process, one more attempt is counted
 *   step      kind->step, on the lane, may block: reads, works outside of the store, prepares; or NULL
 *   end       a commit: kind->mutate, or NULL, and with it in the same commit the new due time and cursor, or the job's end
 *
 * So what `mutate` writes happens exactly once for a step, however often the process dies: until the end is durable the
 * step is run again, after it the cursor has moved. What `step` does outside of the store happens at least once. A job
 * whose lease was lost or that was cancelled meanwhile ends without a trace: its `mutate` is not run.
 * One job is run by one thread of one process at a time: the lease says so, in the store. A process that dies leaves its
 * leases: the embedded engine's next process takes them over when it opens, in a cluster others do when they run out.
 *
 * Bounds: JOBS_PAGE due jobs of each kind in memory, however many there are; threads; concurrency_max of a kind.
 *
 * Stored (STORE_SPACE_JOBS; all numbers big-endian):
 *   collection "job/KIND"   key                → version 1 · state 1 · due 8 · attempts 4 · lease's end 8 · owner 8 · wanted 8
 *                                                · length of cursor 4 · cursor
 *   collection "due/KIND"   time 8 · key       → empty. The time is when it is due, or when its lease ends
 *   collection "lease"      KIND · 00 · key    → owner 8
 *   collection "failed/KIND" key               → empty: it failed as often as it may
 * A kind has collections of its own, so that one that must wait for a thread does not stand before the others. */
#ifndef CLOUDLESS_JOBS_JOBS_H
#define CLOUDLESS_JOBS_JOBS_H
#include "base/arena.h"
#include "base/err.h"
#include "store/store.h"

#define JOBS_KINDS_MAX 64
#define JOBS_KEY_MAX 2048           /* bytes */
#define JOBS_CURSOR_MAX 65536       /* bytes */
#define JOBS_PAGE 64                /* due jobs of a kind read at once */

/* ---- asking for jobs; inside a mutation, so it happens with the rest of it or not at all ---- */

/* Wants the kind's job for `key` to run at due_ms (epoch; 0: at once). If there is one already it keeps its cursor and runs
 * at the earlier of the two times; if it runs at this moment, it will run once more from the beginning after it is done.
 * A failed one begins again. The kind need not be registered here. Writes over a limit fail the mutation: ERR_TOO_LARGE. */
void jobs_add(struct store_txn *txn, const char *kind, struct str key, int64_t due_ms, struct str cursor);
/* Moves it to due_ms, later or earlier. ERR_NOT_FOUND. One that runs at this moment is run again then. */
enum err jobs_reschedule(struct store_txn *txn, const char *kind, struct str key, int64_t due_ms);
/* Takes it out; a step that runs at this moment ends without a trace. ERR_NOT_FOUND. */
enum err jobs_cancel(struct store_txn *txn, const char *kind, struct str key);

/* A space (store_new_space) that nobody reads any more: it is emptied after the commit. */
void jobs_drop_space(struct store_txn *txn, uint64_t space);

struct jobs_state { int64_t due_ms; uint32_t attempts; bool running, failed; struct str cursor; };
/* How a job is. A reader or inside a mutation. ERR_NOT_FOUND. */
enum err jobs_find(struct store_txn *txn, const char *kind, struct str key, struct arena *arena, struct jobs_state *ret);

/* ---- kinds, and their steps ---- */

struct jobs;
struct jobs_kind;

/* One step of a job. Its memory is in `arena`, which goes when the step ends. */
struct job {
    const struct jobs_kind *kind;
    struct store *store;
    struct arena *arena;
    struct str key, cursor;         /* cursor: as the last step left it */
    uint32_t attempts;              /* at this step, this one included: 1 and up */
    int64_t now_ms;                 /* when the step began: mutate has no other clock */
    void *state;                    /* from step to mutate */

    /* What comes of it; set by job_done and the others below. As set by `step`, then as `mutate` changes it. */
    enum job_verdict { JOB_DONE, JOB_AGAIN, JOB_LATER, JOB_FAILED } verdict;
    struct str next_cursor;
    int64_t next_ms;
    const char *reason;
};

void job_done(struct job *job);                                     /* the default: the job goes */
void job_again(struct job *job, struct str cursor);                 /* one step more, behind the others that are due */
void job_later(struct job *job, int64_t at_ms, struct str cursor);
/* The step had no effect (mutate is not run, or what it wrote is dropped). It is tried again, later each time; after
 * attempts_max the job stays where it is as failed, until it is added again. `reason` lives as long as the program. */
void job_failed(struct job *job, const char *reason);

/* A row. Bounds of waiting: backoff_ms doubles from the first attempt on up to backoff_ms_max, and up to a half more is
 * added by chance. */
struct jobs_kind {
    const char *name;               /* [a-z.-]+ */
    void (*step)(struct job *job);
    /* In the commit that records the step's end; pure, as every mutation. May give the verdict. An error but ERR_OK counts
     * as a failed step. */
    enum err (*mutate)(struct store_txn *txn, struct job *job);
    void *arg;
    unsigned concurrency_max;       /* 0: 1 */
    unsigned attempts_max;          /* of one step; 0: for ever */
    uint32_t backoff_ms, backoff_ms_max;    /* 0: 1 second, 5 minutes */
    uint32_t lease_ms;              /* a step takes less; 0: 5 minutes */
    uint32_t every_ms;              /* there is always a job with the empty key, and done means due again so much later */
};

struct jobs_options {
    unsigned threads;               /* 0: 2 */
    int64_t (*now_ms)(void *arg);   /* NULL: the wall clock */
    void *now_arg;
};

/* Starts the lane, which has a kind of its own beside these, "drop-space". `kinds` is copied, what it points to is not. ERR_IO,
 * ERR_CORRUPT: the store cannot be read. */
enum err jobs_new(struct store *store, const struct jobs_kind *kinds, size_t count, const struct jobs_options *options,
                  struct jobs **ret);
/* Begun steps end; nothing more is begun, and the threads are gone. Figures can still be asked for. NULL is fine. */
void jobs_stop(struct jobs *jobs);
void jobs_free(struct jobs *jobs);  /* stops first; NULL is fine */
/* Looks for due jobs now: after a clock of a test has moved. */
void jobs_wake(struct jobs *jobs);

/* For metrics. Counts of rows are bounded: JOBS_COUNT_MAX means "or more". Reads the store. */
#define JOBS_COUNT_MAX 1000
struct jobs_stats {
    const char *kind;
    uint64_t waiting, due, failed;  /* rows */
    unsigned running;
    int64_t lag_ms;                 /* of the longest due */
    uint64_t steps, retries, ended; /* since the start */
};
enum err jobs_stats(struct jobs *jobs, size_t kind, struct jobs_stats *ret);    /* ERR_NOT_FOUND: past the last kind */
struct buf;
void jobs_write_metrics(struct buf *out, void *jobs);      /* a source for metrics.h */
#endif
