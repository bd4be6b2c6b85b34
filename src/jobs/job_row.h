/* job_row.h -- a job's row in the store, its places in the collections beside it, and what moves it. Internal to src/jobs. */
#ifndef CLOUDLESS_JOBS_JOB_ROW_H
#define CLOUDLESS_JOBS_JOB_ROW_H
#include "jobs/jobs.h"

#define JOBS_NOT_WANTED INT64_MAX

/* Invariants: JOB_WAITING stands in "due" under due_ms; JOB_RUNNING in "due" under lease_ms and in "lease"; JOB_STOPPED, which
 * failed too often, in "failed". One that waits is wanted only if it was asked for
 * while an earlier step of it ran. */
struct job_row {
    enum job_row_state { JOB_WAITING, JOB_RUNNING, JOB_STOPPED } state;
    int64_t due_ms;
    uint32_t attempts;
    int64_t lease_ms;           /* its end */
    uint64_t owner;
    int64_t wanted_ms;          /* asked for while it ran: then once more; JOBS_NOT_WANTED */
    struct str cursor, wanted_cursor;
};

/* Names the job for the functions below; all are of a transaction (loading: of a reader as well). */
struct job_place { const char *kind; struct str key; };

enum err jobs__row_load(struct store_txn *txn, struct job_place place, struct arena *arena, struct job_row *ret);
/* Puts the row with its places in the other collections; `before` is how it was, or NULL. */
void jobs__row_put(struct store_txn *txn, struct job_place place, const struct job_row *before, const struct job_row *row,
                   struct arena *arena);
void jobs__row_remove(struct store_txn *txn, struct job_place place, const struct job_row *row, struct arena *arena);

struct str jobs__collection(struct arena *arena, const char *of, const char *kind);     /* "due", "job" or "failed" */
struct str jobs__due_key(struct arena *arena, int64_t ms, struct str key);
#define JOBS_LEASES STR("lease")
/* A key of JOBS_LEASES, and back: false: it is none. */
struct str jobs__lease_key(struct arena *arena, struct job_place place);
bool jobs__lease_split(struct str lease_key, struct arena *arena, struct job_place *ret);
#endif
