/* retention.c -- the job that removes what is past a group's retention: kind "logs-retention", "account/region/group" as its
 * key. Setting a retention asks for it in the same commit, taking it away or deleting the group cancels it. Readers hide what
 * is past its time at once (logs__oldest_ms), so the job may take its time.
 *
 * A pass is many small steps, each one mutation that moves the cursor with it; the cursor is the pass's cutoff (8), and the
 * stream that was last looked at. First the streams, a few at a time: the places of their expired events go, and a stream
 * that then has none and was made before the cutoff goes too (CloudWatch keeps it, empty, for ever: but here every environment
 * of a function makes one). Then the events by time, each of them counted off the group's bytes. A step that is run again
 * finds less to do. The next pass is due when the oldest event left expires, but not sooner than in PASS_MS_MIN and not later
 * than in PASS_MS_MAX, because events may come with earlier times.
 *
 * The job with the empty key asks for those of all groups that have a retention and no job: there are some in directories of
 * earlier releases. */
#include "base/codec.h"
#include "base/panic.h"
#include "services/logs/logs_internal.h"
#include "store/doc.h"

#define PASS_MS_MIN (10 * 60 * 1000)
#define PASS_MS_MAX (24 * 60 * 60 * 1000)
#define STREAMS_STEP 16
#define EVENTS_STEP 1000
#define GROUPS_STEP 100

static const char retention_kind[] = "logs-retention";

static struct str retention_key(struct call *call, struct str group)
{
    return arena_printf(call->arena, STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(call->account), STR_ARG(call->region),
                        STR_ARG(group));
}

void logs__retention_ask(struct call *call, struct store_txn *txn, struct str group)
{
    jobs_add(txn, retention_kind, retention_key(call, group), 0, STR_NONE);
}

void logs__retention_cancel(struct call *call, struct store_txn *txn, struct str group)
{
    enum err err = jobs_cancel(txn, retention_kind, retention_key(call, group));
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        store_fail(txn, err);
}

/* ---- a pass ---- */

struct pass {
    struct store_txn *txn;
    struct job *job;
    struct logs__group group;
    struct str cutoff;          /* 8 bytes, as in the keys of events */
    struct str after;           /* the last stream that was looked at */
};

static struct store_range expired(const struct pass *pass, struct str collection)
{
    return (struct store_range){.space = pass->group.space, .collection = collection, .to = pass->cutoff};
}

static struct str pass_cursor(const struct pass *pass, struct str after)
{
    struct buf buf;
    buf_init(&buf, pass->job->arena, pass->cutoff.n + after.n);
    buf_add(&buf, pass->cutoff);
    buf_add(&buf, after);
    return buf_str(&buf);
}

/* Whether anything stands in the range; its first key. */
static enum err first_in(const struct pass *pass, const struct store_range *range, struct str *ret_key)
{
    struct store_key key;
    struct str value;
    struct store_iter *iter = store_range(pass->txn, range, pass->job->arena);
    enum err err = store_next(iter, &key, &value);
    if (err == ERR_OK)
        *ret_key = arena_dup(pass->job->arena, key.key);
    store_iter_close(iter);
    return err;
}

static enum err expire_stream(const struct pass *pass, struct str stream, int64_t created_ms)
{
    struct str collection = logs__stream_collection(pass->job->arena, stream), left;
    struct store_range range = expired(pass, collection), all = {.space = pass->group.space, .collection = collection};
    store_delete_range(pass->txn, &range);
    enum err err = first_in(pass, &all, &left);
    if (err != ERR_NOT_FOUND)
        return err;
    if (created_ms >= (int64_t)get_u64((const uint8_t *)pass->cutoff.p))
        return logs__order_expired(pass->txn, pass->group.space, stream, pass->job->arena);
    return logs__stream_remove(pass->txn, pass->group.space, stream, pass->job->arena);
}

/* *ret_more: there are others behind these. */
static enum err expire_streams(const struct pass *pass, bool *ret_more)
{
    struct json *page;
    enum err err = doc_list(pass->txn, pass->group.space, STR("streams"), STR_NONE, pass->after, STREAMS_STEP, pass->job->arena,
                            &page, ret_more);
    if (err != ERR_OK)
        return err;
    struct str last = pass->after;
    for JSON_EACH (entry, page) {
        last = json_str(entry, "k");
        if (err == ERR_OK)
            err = expire_stream(pass, last, json_i64(json_at(entry, "d"), "createdMs", 0));
    }
    if (*ret_more)
        job_again(pass->job, pass_cursor(pass, last));
    return err;
}

/* *ret_more: there are others behind these. */
static enum err expire_events(const struct pass *pass, bool *ret_more)
{
    struct arena *arena = pass->job->arena;
    struct store_range range = expired(pass, STR("time"));
    struct store_iter *iter = store_range(pass->txn, &range, arena);
    struct store_key key;
    struct str value, behind = STR_NONE;
    struct logs__event event;
    int64_t bytes = 0;
    size_t count = 0;
    enum err err = ERR_OK;
    while (count < EVENTS_STEP && (err = store_next(iter, &key, &value)) == ERR_OK) {
        struct str copy = arena_dup(arena, key.key);
        behind = (struct str){copy.p, copy.n + 1};          /* with the 00 behind every copy */
        count++;
        if (logs__event_decode(key.key, value, &event))
            bytes += (int64_t)event.message.n + LOGS_EVENT_OVERHEAD;
    }
    store_iter_close(iter);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    *ret_more = err == ERR_OK;
    if (!count)
        return ERR_OK;
    range.to = behind;
    store_delete_range(pass->txn, &range);
    logs__add_bytes(pass->txn, pass->group.space, -bytes, arena);
    return ERR_OK;
}

static enum err next_pass(const struct pass *pass)
{
    struct store_range all = {.space = pass->group.space, .collection = STR("time")};
    int64_t now = pass->job->now_ms, due = now + PASS_MS_MAX;
    struct str first;
    enum err err = first_in(pass, &all, &first);
    if (err == ERR_OK && first.n == LOGS_EVENT_KEY_BYTES) {
        int64_t expires = (int64_t)get_u64((const uint8_t *)first.p) + now - logs__oldest_ms(&pass->group, now) + 1;
        due = expires < due ? expires : due;
        due = due <= now || due > now + PASS_MS_MIN ? due : now + PASS_MS_MIN;      /* past: the retention is another by now */
    }
    job_later(pass->job, due, STR_NONE);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static void begin_pass(struct pass *pass)
{
    struct job *job = pass->job;
    uint8_t *cutoff = arena_alloc(job->arena, 8);
    put_u64(cutoff, (uint64_t)logs__oldest_ms(&pass->group, job->now_ms));
    pass->cutoff = (struct str){(const char *)cutoff, 8};
    if (job->cursor.n < 8)
        return;
    pass->cutoff = str_slice(job->cursor, 0, 8);
    pass->after = str_slice(job->cursor, 8, job->cursor.n);
}

static enum err retention_pass(struct store_txn *txn, struct job *job)
{
    struct pass pass = {.txn = txn, .job = job};
    struct str name = job->key, account = str_cut(&name, '/'), region = str_cut(&name, '/');
    enum err err = logs__group_find(txn, account, region, name, job->arena, &pass.group);
    if (err != ERR_OK || !pass.group.retention_days)
        return err == ERR_NOT_FOUND ? ERR_OK : err;         /* done */
    bool more = false;
    begin_pass(&pass);
    err = expire_streams(&pass, &more);
    if (err != ERR_OK || more)
        return err;
    err = expire_events(&pass, &more);
    if (more)
        job_again(job, pass_cursor(&pass, pass.after));     /* the same streams once more: nothing is left of them */
    else if (err == ERR_OK)
        err = next_pass(&pass);
    return err;
}

/* ---- groups without a job ---- */

struct adoption { size_t count; struct str keys[GROUPS_STEP]; bool more; struct str cursor; };

/* The cursor is a group's place: its collection, 00, its name. */
static enum err find_groups(struct job *job, struct adoption *adoption)
{
    struct store_key after = {LOGS_SPACE, STR_NONE, STR_NONE}, key;
    size_t end = str_find(job->cursor, '\0');
    if (job->cursor.n) {
        after.collection = str_slice(job->cursor, 0, end);
        after.key = str_slice(job->cursor, end + 1, job->cursor.n);
    }
    struct store_iter *iter =
        store_walk(store_reader(job->store), LOGS_SPACE, 0, UINT64_MAX, job->cursor.n ? &after : NULL, job->arena);
    struct str value;
    enum err err = ERR_OK;
    while (adoption->count < GROUPS_STEP && (err = store_next(iter, &key, &value)) == ERR_OK) {
        struct str rest = arena_dup(job->arena, key.collection), account = str_cut(&rest, '/'), region = str_cut(&rest, '/');
        adoption->keys[adoption->count++] =
            arena_printf(job->arena, STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(account), STR_ARG(region), STR_ARG(key.key));
        struct buf buf;
        buf_init(&buf, job->arena, key.collection.n + key.key.n + 1);
        buf_add(&buf, key.collection);
        buf_add_char(&buf, '\0');
        buf_add(&buf, key.key);
        adoption->cursor = buf_str(&buf);
    }
    store_iter_close(iter);
    adoption->more = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err adopt_groups(struct store_txn *txn, struct job *job)
{
    const struct adoption *adoption = job->state;
    enum err err = ERR_OK;
    for (size_t i = 0; i < adoption->count && (err == ERR_OK || err == ERR_NOT_FOUND); i++) {
        struct jobs_state there;
        struct logs__group group;
        struct str name = adoption->keys[i], account = str_cut(&name, '/'), region = str_cut(&name, '/');
        err = logs__group_find(txn, account, region, name, job->arena, &group);
        if (err != ERR_OK || !group.retention_days)
            continue;
        err = jobs_find(txn, retention_kind, adoption->keys[i], job->arena, &there);
        if (err == ERR_NOT_FOUND)
            jobs_add(txn, retention_kind, adoption->keys[i], 0, STR_NONE);
    }
    if (adoption->more)
        job_again(job, adoption->cursor);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* ---- the kind ---- */

static void retention_step(struct job *job)
{
    if (job->key.n)
        return;                 /* a pass reads in its mutation: what it counts must be what it removes */
    struct adoption *adoption = arena_new_of(job->arena, struct adoption);
    enum err err = find_groups(job, adoption);
    if (err != ERR_OK)
        job_failed(job, err_text(err));
    job->state = adoption;
}

static enum err retention_mutate(struct store_txn *txn, struct job *job)
{
    return job->key.n ? retention_pass(txn, job) : adopt_groups(txn, job);
}

const struct jobs_kind logs__job_kinds[] = {
    {.name = retention_kind, .step = retention_step, .mutate = retention_mutate, .every_ms = PASS_MS_MAX},
    {.name = NULL},
};
