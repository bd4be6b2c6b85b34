/* job_run.c -- one step of one job: claim, step, end; and leases of the dead.
 *
 * The claim's lease (owner and end) is its token: the end finds the row as the claim left it, or the job is no longer ours
 * and nothing happens. An end that cannot be written, on a full disk, is tried again as long as the lease lasts; the step
 * itself is not run again for that. If it stays impossible, the job is due when the lease ends. */
#include "base/hash.h"
#include "base/log.h"
#include "base/panic.h"
#include "jobs/jobs_internal.h"

#define LEASE_MS (5 * 60 * 1000)
#define BACKOFF_MS 1000
#define BACKOFF_MS_MAX (5 * 60 * 1000)
#define JOB_RETRY_MS 500            /* between tries to write an end */
#define TAKE_OVER_STEP 100

/* ---- verdicts ---- */

void job_done(struct job *job)
{
    job->verdict = JOB_DONE;
}

void job_again(struct job *job, struct str cursor)
{
    job->verdict = JOB_AGAIN;
    job->next_cursor = cursor;
}

void job_later(struct job *job, int64_t at_ms, struct str cursor)
{
    job->verdict = JOB_LATER;
    job->next_ms = at_ms;
    job->next_cursor = cursor;
}

void job_failed(struct job *job, const char *reason)
{
    job->verdict = JOB_FAILED;
    job->reason = reason;
}

/* ---- claim ---- */

struct job_claim {
    const struct lane_kind *kind;
    const struct due_job *due;
    int64_t now_ms;
    uint64_t owner;
    struct arena *arena;
    bool ours;                  /* else it was taken, moved or given up meanwhile */
    struct job_row row;         /* as claimed */
};

static struct job_place claim_place(const struct job_claim *claim)
{
    return (struct job_place){claim->kind->kind.name, claim->due->key};
}

static uint32_t or_default(uint32_t value, uint32_t by_default)
{
    return value ? value : by_default;
}

/* One that was asked for meanwhile begins anew. */
static void begin_wanted(struct job_row *row, const struct job_row *before)
{
    *row = (struct job_row){.due_ms = before->wanted_ms, .wanted_ms = JOBS_NOT_WANTED, .cursor = before->wanted_cursor};
}

static enum err claim_job(struct store_txn *txn, void *arg)
{
    struct job_claim *claim = arg;
    struct job_row before;
    claim->ours = false;
    enum err err = jobs__row_load(txn, claim_place(claim), claim->arena, &before);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    bool waits = before.state == JOB_WAITING && before.due_ms == claim->due->ms;
    bool died = before.state == JOB_RUNNING && before.lease_ms == claim->due->ms;
    if (!waits && !died)
        return ERR_OK;
    struct job_row row = before;
    unsigned max = claim->kind->kind.attempts_max;
    claim->ours = !max || before.attempts < max;
    if (claim->ours) {
        row.state = JOB_RUNNING;
        row.attempts = before.attempts + 1;
        row.lease_ms = claim->now_ms + or_default(claim->kind->kind.lease_ms, LEASE_MS);
        row.owner = claim->owner;
    } else {
        row.state = JOB_STOPPED;        /* whoever ran it died each time */
        if (before.wanted_ms != JOBS_NOT_WANTED)
            begin_wanted(&row, &before);
    }
    jobs__row_put(txn, claim_place(claim), &before, &row, claim->arena);
    claim->row = row;
    return ERR_OK;
}

/* ---- end ---- */

struct job_end {
    const struct job_claim *claim;
    const struct job *job;
    int64_t now_ms, retry_ms;
    struct job_row row;         /* what came of it */
    bool ours, gone;
    const char *reason;
};

/* The row if the lease is still this one. */
static bool end_still_ours(struct store_txn *txn, struct job_end *end, struct job_row *ret, enum err *ret_err)
{
    enum err err = jobs__row_load(txn, claim_place(end->claim), end->job->arena, ret);
    end->ours = err == ERR_OK && ret->state == JOB_RUNNING && ret->owner == end->claim->owner &&
                ret->lease_ms == end->claim->row.lease_ms;
    *ret_err = err == ERR_NOT_FOUND ? ERR_OK : err;
    return end->ours;
}

static void end_row(struct job_end *end, const struct job *job, const struct job_row *before)
{
    const struct jobs_kind *kind = end->job->kind;
    bool wanted = before->wanted_ms != JOBS_NOT_WANTED;
    struct job_row row = {.wanted_ms = JOBS_NOT_WANTED, .cursor = job->next_cursor};
    end->gone = false;
    if (job->verdict == JOB_DONE && wanted) {
        begin_wanted(&row, before);
    } else if (job->verdict == JOB_DONE && kind->every_ms && !job->key.n) {
        row.due_ms = end->now_ms + kind->every_ms;
    } else if (job->verdict == JOB_DONE) {
        end->gone = true;
    } else {
        row.due_ms = job->verdict == JOB_LATER ? job->next_ms : end->now_ms;
        row.due_ms = wanted && before->wanted_ms < row.due_ms ? before->wanted_ms : row.due_ms;
        row.due_ms = row.due_ms < 0 ? 0 : row.due_ms;
        row.wanted_ms = before->wanted_ms;          /* it goes on where it is, and begins anew when that is done */
        row.wanted_cursor = before->wanted_cursor;
    }
    end->row = row;
}

static enum err end_step(struct store_txn *txn, void *arg)
{
    struct job_end *end = arg;
    struct job_row before;
    enum err err;
    end->reason = NULL;
    if (!end_still_ours(txn, end, &before, &err))
        return err;
    struct job job = *end->job;             /* each run begins with the same */
    if (job.kind->mutate)
        err = job.kind->mutate(txn, &job);
    if (err != ERR_OK || job.verdict == JOB_FAILED) {
        end->reason = err != ERR_OK ? err_text(err) : job.reason;
        return ERR_ABORTED;                 /* what it wrote is dropped */
    }
    if (job.next_cursor.n > JOBS_CURSOR_MAX)
        return ERR_TOO_LARGE;
    end_row(end, &job, &before);
    if (end->gone)
        jobs__row_remove(txn, claim_place(end->claim), &before, job.arena);
    else
        jobs__row_put(txn, claim_place(end->claim), &before, &end->row, job.arena);
    return ERR_OK;
}

static enum err end_failed_step(struct store_txn *txn, void *arg)
{
    struct job_end *end = arg;
    const struct jobs_kind *kind = end->job->kind;
    struct job_row before;
    enum err err;
    if (!end_still_ours(txn, end, &before, &err))
        return err;
    struct job_row row = before;
    row.state = JOB_WAITING;
    row.due_ms = end->now_ms + end->retry_ms;
    if (kind->attempts_max && before.attempts >= kind->attempts_max) {
        row.state = JOB_STOPPED;
        if (before.wanted_ms != JOBS_NOT_WANTED)
            begin_wanted(&row, &before);
    }
    end->row = row;
    jobs__row_put(txn, claim_place(end->claim), &before, &row, end->job->arena);
    return ERR_OK;
}

/* Doubles with each attempt up to its bound; up to a half more, so that what failed together does not come together. */
static int64_t backoff_ms(const struct jobs_kind *kind, uint32_t attempts)
{
    uint64_t ms = or_default(kind->backoff_ms, BACKOFF_MS), max = or_default(kind->backoff_ms_max, BACKOFF_MS_MAX);
    for (uint32_t i = 1; i < attempts && ms < max; i++)
        ms *= 2;
    ms = ms < max ? ms : max;
    uint16_t chance;
    random_bytes(&chance, sizeof chance);
    return (int64_t)(ms + ms / 2 * chance / 65536);
}

/* Writes an end, again and again while the disk refuses. */
static enum err write_end(struct jobs *jobs, struct job_end *end, store_mutate_fn *mutate, const char *name)
{
    enum err err;
    do {
        end->now_ms = jobs__now(jobs);
        err = store_mutate_named(jobs->store, mutate, end, name);
    } while ((err == ERR_IO || err == ERR_BUSY) && jobs__now(jobs) < end->claim->row.lease_ms && jobs__pause(jobs, JOB_RETRY_MS));
    return err;
}

static void count_end(struct jobs *jobs, struct lane_kind *kind, const struct job_end *end, bool failed)
{
    pthread_mutex_lock(&jobs->lock);
    kind->steps++;
    kind->retries += failed && end->ours && end->row.state == JOB_WAITING;
    kind->ended += !failed && end->ours && end->gone;
    pthread_mutex_unlock(&jobs->lock);
}

static void end_job(struct jobs *jobs, struct lane_kind *kind, const struct job_claim *claim, const struct job *job)
{
    struct job_end end = {.claim = claim, .job = job, .reason = job->reason};
    bool failed = job->verdict == JOB_FAILED;
    enum err err = failed ? ERR_OK : write_end(jobs, &end, end_step, job->kind->name);
    if (err == ERR_ABORTED || err == ERR_TOO_LARGE) {
        failed = true;
        end.reason = end.reason ? end.reason : err_text(err);
        err = ERR_OK;
    }
    if (failed) {
        end.retry_ms = backoff_ms(job->kind, claim->row.attempts);
        err = write_end(jobs, &end, end_failed_step, "a job's failure");
        enum log_level level = end.ours && end.row.state == JOB_STOPPED ? LOG_ERROR : LOG_WARN;
        log_to(level, "jobs.step_failed", {"kind", str_of(job->kind->name)}, {"key", job->key},
               {"reason", str_of(end.reason ? end.reason : "no reason")});
    }
    if (err == ERR_OK)
        count_end(jobs, kind, &end, failed);
}

enum err jobs__run(struct jobs *jobs, struct lane_kind *kind, const struct due_job *due)
{
    struct job_claim claim = {.kind = kind, .due = due, .now_ms = jobs__now(jobs), .owner = jobs->owner, .arena = arena_new()};
    enum err err = store_mutate_named(jobs->store, claim_job, &claim, "a job's claim");
    if (err != ERR_OK && err != ERR_CLOSED) {
        log_to(LOG_WARN, "jobs.claim_failed", {"kind", str_of(kind->kind.name)}, {"error", str_of(err_text(err))});
        jobs__pause(jobs, JOB_RETRY_MS);
    }
    if (err == ERR_OK && claim.ours) {
        struct job job = {.kind = &kind->kind, .store = jobs->store, .arena = claim.arena, .key = due->key,
                          .cursor = claim.row.cursor, .attempts = claim.row.attempts, .now_ms = claim.now_ms};
        if (kind->kind.step)
            kind->kind.step(&job);
        end_job(jobs, kind, &claim, &job);
    }
    arena_free(claim.arena);
    return err;
}

/* ---- leases of the dead ---- */

struct taking_over { uint64_t owner; int64_t now_ms; size_t found; };

static enum err take_over_some(struct store_txn *txn, void *arg)
{
    struct taking_over *taking = arg;
    struct arena *arena = arena_new();
    struct store_range all = {.space = STORE_SPACE_JOBS, .collection = JOBS_LEASES};
    struct store_iter *iter = store_range(txn, &all, arena);
    struct job_place places[TAKE_OVER_STEP];
    struct store_key key;
    struct str value;
    enum err err = ERR_OK;
    taking->found = 0;
    while (taking->found < TAKE_OVER_STEP && (err = store_next(iter, &key, &value)) == ERR_OK)
        if (jobs__lease_split(arena_dup(arena, key.key), arena, &places[taking->found]))
            taking->found++;
    store_iter_close(iter);
    err = err == ERR_NOT_FOUND ? ERR_OK : err;
    for (size_t i = 0; i < taking->found && err == ERR_OK; i++) {
        struct job_row before, row;
        err = jobs__row_load(txn, places[i], arena, &before);
        if (err != ERR_OK)
            break;
        row = before;
        row.state = JOB_WAITING;
        if (row.wanted_ms < row.due_ms)
            row.due_ms = row.wanted_ms;
        jobs__row_put(txn, places[i], &before, &row, arena);
    }
    arena_free(arena);
    return err;
}

enum err jobs__take_over(struct jobs *jobs)
{
    struct taking_over taking = {.found = TAKE_OVER_STEP};
    enum err err = ERR_OK;
    while (err == ERR_OK && taking.found == TAKE_OVER_STEP)
        err = store_mutate(jobs->store, take_over_some, &taking);
    return err;
}
