/* job_row.c -- see job_row.h and the layout in jobs.h; and what may be asked of a job inside any mutation. */
#include "jobs/job_row.h"
#include "base/codec.h"
#include "base/panic.h"

#define ROW_VERSION 1
#define ROW_BYTES (1 + 1 + 8 + 4 + 8 + 8 + 8 + 4)      /* before the cursors */

static struct store_key job_key(struct arena *arena, const char *of, struct job_place place)
{
    return (struct store_key){STORE_SPACE_JOBS, jobs__collection(arena, of, place.kind), place.key};
}

struct str jobs__collection(struct arena *arena, const char *of, const char *kind)
{
    return arena_printf(arena, "%s/%s", of, kind);
}

struct str jobs__due_key(struct arena *arena, int64_t ms, struct str key)
{
    char *bytes = arena_alloc(arena, 8 + key.n);
    put_u64((uint8_t *)bytes, ms < 0 ? 0 : (uint64_t)ms);
    if (key.n)
        memcpy(bytes + 8, key.p, key.n);
    return (struct str){bytes, 8 + key.n};
}

struct str jobs__lease_key(struct arena *arena, struct job_place place)
{
    size_t n = strlen(place.kind) + 1;
    char *bytes = arena_alloc(arena, n + place.key.n);
    memcpy(bytes, place.kind, n);
    if (place.key.n)
        memcpy(bytes + n, place.key.p, place.key.n);
    return (struct str){bytes, n + place.key.n};
}

bool jobs__lease_split(struct str lease_key, struct arena *arena, struct job_place *ret)
{
    size_t end = str_find(lease_key, '\0');
    if (end >= lease_key.n)
        return false;
    *ret = (struct job_place){arena_cstr(arena, str_slice(lease_key, 0, end)), str_slice(lease_key, end + 1, lease_key.n)};
    return true;
}

static bool job_row_decode(struct str value, struct job_row *ret)
{
    const uint8_t *p = (const uint8_t *)value.p;
    if (value.n < ROW_BYTES || p[0] != ROW_VERSION || p[1] > JOB_STOPPED)
        return false;
    size_t cursor_n = get_u32(p + 38);
    if (cursor_n > value.n - ROW_BYTES)
        return false;
    *ret = (struct job_row){
        .state = p[1],
        .due_ms = (int64_t)get_u64(p + 2),
        .attempts = get_u32(p + 10),
        .lease_ms = (int64_t)get_u64(p + 14),
        .owner = get_u64(p + 22),
        .wanted_ms = (int64_t)get_u64(p + 30),
        .cursor = str_slice(value, ROW_BYTES, ROW_BYTES + cursor_n),
        .wanted_cursor = str_slice(value, ROW_BYTES + cursor_n, value.n),
    };
    return true;
}

static struct str job_row_encode(const struct job_row *row, struct arena *arena)
{
    size_t n = ROW_BYTES + row->cursor.n + row->wanted_cursor.n;
    uint8_t *p = arena_alloc(arena, n);
    p[0] = ROW_VERSION;
    p[1] = (uint8_t)row->state;
    put_u64(p + 2, (uint64_t)row->due_ms);
    put_u32(p + 10, row->attempts);
    put_u64(p + 14, (uint64_t)row->lease_ms);
    put_u64(p + 22, row->owner);
    put_u64(p + 30, (uint64_t)row->wanted_ms);
    put_u32(p + 38, (uint32_t)row->cursor.n);
    if (row->cursor.n)
        memcpy(p + ROW_BYTES, row->cursor.p, row->cursor.n);
    if (row->wanted_cursor.n)
        memcpy(p + ROW_BYTES + row->cursor.n, row->wanted_cursor.p, row->wanted_cursor.n);
    return (struct str){(const char *)p, n};
}

enum err jobs__row_load(struct store_txn *txn, struct job_place place, struct arena *arena, struct job_row *ret)
{
    struct str value;
    enum err err = store_get(txn, job_key(arena, "job", place), arena, &value);
    if (err != ERR_OK)
        return err;
    return job_row_decode(value, ret) ? ERR_OK : ERR_CORRUPT;
}

/* Takes the row out of, or puts it into, the collections that its state names. */
static void job_row_places(struct store_txn *txn, struct job_place place, const struct job_row *row, bool in, struct arena *arena)
{
    struct store_key at = {STORE_SPACE_JOBS, jobs__collection(arena, "due", place.kind), STR_NONE};
    at.key = jobs__due_key(arena, row->state == JOB_RUNNING ? row->lease_ms : row->due_ms, place.key);
    if (row->state == JOB_STOPPED)
        at = job_key(arena, "failed", place);
    struct store_key lease = {STORE_SPACE_JOBS, JOBS_LEASES, jobs__lease_key(arena, place)};
    uint8_t owner[8];
    put_u64(owner, row->owner);
    if (in)
        store_put(txn, at, STR_NONE);
    else
        store_delete(txn, at);
    if (row->state == JOB_RUNNING && in)
        store_put(txn, lease, (struct str){(const char *)owner, sizeof owner});
    else if (row->state == JOB_RUNNING)
        store_delete(txn, lease);
}

void jobs__row_put(struct store_txn *txn, struct job_place place, const struct job_row *before, const struct job_row *row,
                   struct arena *arena)
{
    if (before)
        job_row_places(txn, place, before, false, arena);
    job_row_places(txn, place, row, true, arena);
    store_put(txn, job_key(arena, "job", place), job_row_encode(row, arena));
}

void jobs__row_remove(struct store_txn *txn, struct job_place place, const struct job_row *row, struct arena *arena)
{
    job_row_places(txn, place, row, false, arena);
    store_delete(txn, job_key(arena, "job", place));
}

/* ---- what may be asked of a job ---- */

void jobs_add(struct store_txn *txn, const char *kind, struct str key, int64_t due_ms, struct str cursor)
{
    if (key.n > JOBS_KEY_MAX || cursor.n > JOBS_CURSOR_MAX) {
        store_fail(txn, ERR_TOO_LARGE);
        return;
    }
    struct arena *arena = arena_new();
    struct job_place place = {kind, key};
    struct job_row before, row = {.due_ms = due_ms < 0 ? 0 : due_ms, .wanted_ms = JOBS_NOT_WANTED, .cursor = cursor};
    enum err err = jobs__row_load(txn, place, arena, &before);
    if (err == ERR_OK && before.state != JOB_STOPPED) {
        int64_t due = row.due_ms;
        row = before;
        if (before.state == JOB_WAITING) {
            row.due_ms = due < before.due_ms ? due : before.due_ms;
        } else {
            row.wanted_cursor = row.wanted_ms == JOBS_NOT_WANTED ? cursor : row.wanted_cursor;
            row.wanted_ms = due < row.wanted_ms ? due : row.wanted_ms;
        }
    }
    if (err == ERR_OK || err == ERR_NOT_FOUND)
        jobs__row_put(txn, place, err == ERR_OK ? &before : NULL, &row, arena);
    else
        store_fail(txn, err);
    arena_free(arena);
}

enum err jobs_reschedule(struct store_txn *txn, const char *kind, struct str key, int64_t due_ms)
{
    struct arena *arena = arena_new();
    struct job_place place = {kind, key};
    struct job_row before, row;
    enum err err = jobs__row_load(txn, place, arena, &before);
    if (err == ERR_OK) {
        row = before;
        if (before.state == JOB_RUNNING)
            row.wanted_ms = due_ms < 0 ? 0 : due_ms;
        else
            row.due_ms = due_ms < 0 ? 0 : due_ms;
        if (before.state == JOB_STOPPED)
            row.attempts = 0;
        if (before.state == JOB_STOPPED)
            row.state = JOB_WAITING;
        jobs__row_put(txn, place, &before, &row, arena);
    }
    arena_free(arena);
    return err;
}

enum err jobs_cancel(struct store_txn *txn, const char *kind, struct str key)
{
    struct arena *arena = arena_new();
    struct job_place place = {kind, key};
    struct job_row row;
    enum err err = jobs__row_load(txn, place, arena, &row);
    if (err == ERR_OK)
        jobs__row_remove(txn, place, &row, arena);
    arena_free(arena);
    return err;
}

enum err jobs_find(struct store_txn *txn, const char *kind, struct str key, struct arena *arena, struct jobs_state *ret)
{
    struct job_row row;
    enum err err = jobs__row_load(txn, (struct job_place){kind, key}, arena, &row);
    if (err == ERR_OK)
        *ret = (struct jobs_state){.due_ms = row.due_ms, .attempts = row.attempts, .running = row.state == JOB_RUNNING,
                                   .failed = row.state == JOB_STOPPED, .cursor = row.cursor};
    return err;
}
