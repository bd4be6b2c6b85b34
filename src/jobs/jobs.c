/* jobs.c -- the lane: threads that take what is due.
 *
 * A thread looks at the kinds in turn for one that may run another job. If the kind's page of due jobs is empty it fills
 * it from the store, the earliest first; else it takes a job out of it, and runs that. With nothing to do it sleeps until
 * the next job is due, a commit has touched jobs (the store's watch), or WAIT_MS_MAX, so that a wall clock that is set
 * does not go unseen for long.
 *
 * Pages. What was taken has left its place in "due" (its lease's end is its place now), so the next page could always be
 * read from the beginning; but then a long queue would be read over its own removed entries again and again. So a page
 * goes on behind the one before, and only every PAGES_BEFORE_BEGINNING pages, or when there is nothing more, is the
 * beginning looked at. A job with a due time long past may wait for that many pages.
 *
 * A job that is due by its lease, or again, but is still in the hands of a thread of this process, is passed by, and looked
 * for again when a thread is done. */
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/panic.h"
#include "jobs/jobs_internal.h"
#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#define THREADS 2
#define WAIT_MS_MAX (60 * 1000)
#define READ_RETRY_MS 1000
#define PAGES_BEFORE_BEGINNING 64

static_assert(JOBS_KEY_MAX + 8 <= STORE_KEY_MAX && JOBS_KEY_MAX + 64 <= STORE_KEY_MAX, "a due key, a lease's key");

int64_t jobs__now(const struct jobs *jobs)
{
    return jobs->options.now_ms ? jobs->options.now_ms(jobs->options.now_arg) : clock_epoch_ms();
}

bool jobs__pause(struct jobs *jobs, uint64_t ms)
{
    struct timespec until = clock_deadline(ms);
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stop && pthread_cond_clockwait(&jobs->wake, &jobs->lock, CLOCK_MONOTONIC, &until) == 0)
        ;
    bool stop = jobs->stop;
    pthread_mutex_unlock(&jobs->lock);
    return !stop;
}

/* ---- pages ---- */

struct page_read {
    struct arena *arena;
    struct due_job page[JOBS_PAGE];
    size_t n;
    int64_t next_ms;
    struct str behind;
};

/* What is due from `from` on, at most a page. */
static enum err read_due(struct jobs *jobs, const char *kind, struct str from, int64_t now, struct page_read *read)
{
    uint8_t to[8];
    put_u64(to, (uint64_t)now + 1);
    struct store_range range = {.space = STORE_SPACE_JOBS, .collection = jobs__collection(read->arena, "due", kind), .from = from,
                                .to = {(const char *)to, sizeof to}};
    struct store_iter *iter = store_range(store_reader(jobs->store), &range, read->arena);
    struct store_key key;
    struct str value;
    enum err err = ERR_OK;
    while (read->n < JOBS_PAGE && (err = store_next(iter, &key, &value)) == ERR_OK) {
        struct str copy = arena_dup(read->arena, key.key);
        if (copy.n < 8)
            continue;
        read->page[read->n++] = (struct due_job){(int64_t)get_u64((const uint8_t *)copy.p), str_slice(copy, 8, copy.n)};
        read->behind = (struct str){copy.p, copy.n + 1};        /* with the 00 behind every copy: the smallest key behind it */
    }
    store_iter_close(iter);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* When the first job is due that is not yet. */
static enum err read_next_due(struct jobs *jobs, const char *kind, int64_t now, struct page_read *read)
{
    uint8_t from[8];
    put_u64(from, (uint64_t)now + 1);
    struct store_range range = {.space = STORE_SPACE_JOBS, .collection = jobs__collection(read->arena, "due", kind),
                                .from = {(const char *)from, sizeof from}};
    struct store_iter *iter = store_range(store_reader(jobs->store), &range, read->arena);
    struct store_key key;
    struct str value;
    enum err err = store_next(iter, &key, &value);
    if (err == ERR_OK && key.key.n >= 8)
        read->next_ms = (int64_t)get_u64((const uint8_t *)key.key.p);
    store_iter_close(iter);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* With the lock held, which it gives up meanwhile: the kind's next page. */
static void fill_page(struct jobs *jobs, struct lane_kind *kind)
{
    struct page_read read = {.arena = arena_new(), .next_ms = INT64_MAX};
    bool beginning = !kind->behind.n || kind->pages >= PAGES_BEFORE_BEGINNING;
    struct str from = beginning ? STR_NONE : arena_dup(read.arena, kind->behind);
    kind->reading = true;
    kind->look = false;
    pthread_mutex_unlock(&jobs->lock);
    int64_t now = jobs__now(jobs);
    enum err err = read_due(jobs, kind->kind.name, from, now, &read);
    if (err == ERR_OK && read.n == 0 && from.n) {
        beginning = true;
        err = read_due(jobs, kind->kind.name, STR_NONE, now, &read);
    }
    if (err == ERR_OK)
        err = read_next_due(jobs, kind->kind.name, now, &read);
    if (err != ERR_OK) {
        log_to(LOG_WARN, "jobs.read_failed", {"kind", str_of(kind->kind.name)}, {"error", str_of(err_text(err))});
        jobs__pause(jobs, READ_RETRY_MS);
    }
    pthread_mutex_lock(&jobs->lock);
    kind->reading = false;
    kind->look |= err != ERR_OK || read.n == JOBS_PAGE;
    kind->next_ms = read.next_ms;
    kind->pages = beginning ? 0 : kind->pages + 1;
    kind->page_at = 0;
    kind->page_n = read.n;
    memcpy(kind->page, read.page, read.n * sizeof read.page[0]);
    arena_free(kind->page_arena);
    kind->page_arena = read.arena;
    kind->behind = read.n == JOBS_PAGE ? read.behind : STR_NONE;
    if (read.n > 1)
        pthread_cond_broadcast(&jobs->wake);
}

/* ---- threads ---- */

static bool runs_already(const struct jobs *jobs, const struct lane_kind *kind, struct str key)
{
    for (unsigned i = 0; i < jobs->threads_n; i++)
        if (jobs->running[i].kind == kind && str_eq(jobs->running[i].key, key))
            return true;
    return false;
}

/* With the lock held, which it gives up meanwhile: the next job of the page. */
static void run_next(struct jobs *jobs, struct lane_kind *kind, unsigned thread)
{
    struct due_job due = kind->page[kind->page_at++];
    if (runs_already(jobs, kind, due.key)) {
        kind->passed_by = true;
        return;
    }
    struct arena *arena = arena_new();
    due.key = arena_dup(arena, due.key);        /* the page goes while it runs */
    jobs->running[thread] = (struct running_job){kind, due.key};
    kind->running++;
    pthread_mutex_unlock(&jobs->lock);
    enum err err = jobs__run(jobs, kind, &due);
    pthread_mutex_lock(&jobs->lock);
    kind->look |= err != ERR_OK && err != ERR_CLOSED;       /* its claim failed, so it is due as before */
    kind->running--;
    jobs->running[thread] = (struct running_job){0};
    kind->look |= kind->passed_by;
    kind->passed_by = false;
    arena_free(arena);
    pthread_cond_broadcast(&jobs->wake);        /* the kind may run another */
}

static bool kind_has_room(const struct lane_kind *kind)
{
    return kind->running < (kind->kind.concurrency_max ? kind->kind.concurrency_max : 1);
}

/* With the lock held: a kind that has something to do. NULL: none, *ret_next_ms is when there will be. */
static struct lane_kind *find_busy_kind(struct jobs *jobs, int64_t *ret_next_ms)
{
    int64_t now = jobs__now(jobs), next = INT64_MAX;
    for (size_t i = 0; i < jobs->kinds_n; i++) {
        struct lane_kind *kind = &jobs->kinds[(jobs->turn + i) % jobs->kinds_n];
        if (!kind_has_room(kind) || kind->reading)
            continue;
        if (kind->page_at < kind->page_n || kind->look || kind->next_ms <= now) {
            jobs->turn = (jobs->turn + i + 1) % jobs->kinds_n;
            return kind;
        }
        next = kind->next_ms < next ? kind->next_ms : next;
    }
    *ret_next_ms = next == INT64_MAX ? next : next - now;
    return NULL;
}

struct lane_thread { struct jobs *jobs; unsigned number; };

static void *lane_main(void *arg)
{
    struct lane_thread self = *(struct lane_thread *)arg;
    struct jobs *jobs = self.jobs;
    free(arg);
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stop) {
        int64_t wait_ms;
        struct lane_kind *kind = find_busy_kind(jobs, &wait_ms);
        if (!kind) {
            struct timespec until = clock_deadline(wait_ms < WAIT_MS_MAX ? (uint64_t)wait_ms : WAIT_MS_MAX);
            pthread_cond_clockwait(&jobs->wake, &jobs->lock, CLOCK_MONOTONIC, &until);
        } else if (kind->page_at < kind->page_n) {
            run_next(jobs, kind, self.number);
        } else {
            fill_page(jobs, kind);
        }
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

void jobs_wake(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    for (size_t i = 0; i < jobs->kinds_n; i++)
        jobs->kinds[i].look = true;
    pthread_cond_broadcast(&jobs->wake);
    pthread_mutex_unlock(&jobs->lock);
}

static void jobs_touched(void *arg)
{
    jobs_wake(arg);
}

/* ---- start and stop ---- */

/* Of the kinds that are always there. */
static enum err add_regular(struct store_txn *txn, void *arg)
{
    const struct jobs *jobs = arg;
    for (size_t i = 0; i < jobs->kinds_n; i++) {
        const struct jobs_kind *kind = &jobs->kinds[i].kind;
        struct arena *arena = arena_new();
        struct jobs_state state;
        if (kind->every_ms && jobs_find(txn, kind->name, STR_NONE, arena, &state) == ERR_NOT_FOUND)
            jobs_add(txn, kind->name, STR_NONE, 0, STR_NONE);
        arena_free(arena);
    }
    return ERR_OK;
}

static void start_threads(struct jobs *jobs)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i < jobs->threads_n; i++) {
        struct lane_thread *self = mem_alloc(sizeof *self);
        *self = (struct lane_thread){jobs, i};
        ENSURE(pthread_create(&jobs->threads[i], NULL, lane_main, self) == 0);
        pthread_setname_np(jobs->threads[i], "jobs");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void jobs_destroy(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->kinds_n; i++)
        arena_free(jobs->kinds[i].page_arena);
    pthread_cond_destroy(&jobs->wake);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs->kinds);
    free(jobs);
}

enum err jobs_new(struct store *store, const struct jobs_kind *kinds, size_t count, const struct jobs_options *options,
                  struct jobs **ret)
{
    ENSURE(count < JOBS_KINDS_MAX && (!options || options->threads <= JOBS_THREADS_MAX));
    struct jobs *jobs = mem_zalloc(sizeof *jobs);
    jobs->store = store;
    jobs->options = options ? *options : (struct jobs_options){0};
    jobs->threads_n = jobs->options.threads ? jobs->options.threads : THREADS;
    jobs->kinds_n = count + 1;
    jobs->kinds = mem_zalloc(jobs->kinds_n * sizeof *jobs->kinds);
    for (size_t i = 0; i < jobs->kinds_n; i++)
        jobs->kinds[i] =
            (struct lane_kind){.kind = i < count ? kinds[i] : jobs__drop_space_kind, .look = true, .next_ms = INT64_MAX};
    while (!jobs->owner)
        random_bytes(&jobs->owner, sizeof jobs->owner);
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->wake, NULL);
    enum err err = store_shared(store) ? ERR_OK : jobs__take_over(jobs);
    if (err == ERR_OK)
        err = jobs__adopt_drops(jobs);
    if (err == ERR_OK)
        err = store_mutate(store, add_regular, jobs);
    if (err != ERR_OK) {
        jobs_destroy(jobs);
        return err;
    }
    store_watch(store, STORE_SPACE_JOBS, jobs_touched, jobs);
    start_threads(jobs);
    jobs->started = true;
    *ret = jobs;
    return ERR_OK;
}

void jobs_stop(struct jobs *jobs)
{
    if (!jobs || !jobs->started)
        return;
    jobs->started = false;
    pthread_mutex_lock(&jobs->lock);
    jobs->stop = true;
    pthread_cond_broadcast(&jobs->wake);
    pthread_mutex_unlock(&jobs->lock);
    for (unsigned i = 0; i < jobs->threads_n; i++)
        pthread_join(jobs->threads[i], NULL);
    store_unwatch(jobs->store, jobs_touched, jobs);
}

void jobs_free(struct jobs *jobs)
{
    if (!jobs)
        return;
    jobs_stop(jobs);
    jobs_destroy(jobs);
}

/* ---- figures ---- */

/* Entries of a collection, up to JOBS_COUNT_MAX; those of "due" before `now` separately. */
static enum err count_rows(struct jobs *jobs, const char *of, const char *kind, int64_t now, struct jobs_stats *ret,
                           uint64_t *ret_all)
{
    struct arena *arena = arena_new();
    struct store_range all = {.space = STORE_SPACE_JOBS, .collection = jobs__collection(arena, of, kind)};
    struct store_iter *iter = store_range(store_reader(jobs->store), &all, arena);
    struct store_key key;
    struct str value;
    enum err err = ERR_OK;
    while (*ret_all < JOBS_COUNT_MAX && (err = store_next(iter, &key, &value)) == ERR_OK) {
        ++*ret_all;
        int64_t due = key.key.n >= 8 && ret ? (int64_t)get_u64((const uint8_t *)key.key.p) : INT64_MAX;
        if (due > now)
            continue;
        if (ret->due++ == 0)
            ret->lag_ms = now - due;
    }
    arena_free(arena);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err jobs_stats(struct jobs *jobs, size_t kind, struct jobs_stats *ret)
{
    if (kind >= jobs->kinds_n)
        return ERR_NOT_FOUND;
    struct lane_kind *lane = &jobs->kinds[kind];
    struct jobs_stats stats = {.kind = lane->kind.name};
    enum err err = count_rows(jobs, "due", lane->kind.name, jobs__now(jobs), &stats, &stats.waiting);
    if (err == ERR_OK)
        err = count_rows(jobs, "failed", lane->kind.name, 0, NULL, &stats.failed);
    if (err != ERR_OK)
        return err;
    pthread_mutex_lock(&jobs->lock);
    stats.running = lane->running;
    stats.steps = lane->steps;
    stats.retries = lane->retries;
    stats.ended = lane->ended;
    pthread_mutex_unlock(&jobs->lock);
    *ret = stats;
    return ERR_OK;
}
