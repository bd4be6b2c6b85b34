/* streams.c -- operations on log streams: create, describe, delete. Source: CloudWatch Logs API reference. */
#include "base/clock.h"
#include "call/listing.h"
#include "call/page_token.h"
#include "base/codec.h"
#include "services/logs/logs_internal.h"
#include "store/doc.h"
#include <stdlib.h>

#define STREAMS_PAGE_MAX 50             /* API reference, DescribeLogStreams */
#define ORDERED_STREAMS_MAX 10000       /* streams that an order by time, or descending, looks at, by name; others are left out */
#define DELETE_STEP 1000                /* events that one mutation of DeleteLogStream removes */

void logs__prepare_create_stream(struct call *call)
{
    struct str name = call_str(call, "logStreamName");
    if (str_find(name, ':') < name.n || str_find(name, '*') < name.n)
        call_fail(call, "InvalidParameterException",
                  "1 validation error detected: Value '" STR_FMT "' at 'logStreamName' failed to satisfy "
                  "constraint: Member must satisfy regular expression pattern: [^:*]*",
                  STR_ARG(name));
}

void logs__create_stream(struct call *call, struct store_txn *txn)
{
    struct logs__group group;
    struct str name = call_str(call, "logStreamName");
    if (!logs__call_group(call, txn, &group))
        return;
    if (logs__stream_exists(txn, group.space, name, call->arena))
        call_fail(call, "ResourceAlreadyExistsException", "The specified log stream already exists");
    else
        logs__stream_make(txn, group.space, name, call->now_ms, call->arena);
}

struct stream_row {
    struct str name;
    int64_t created_ms, first_ms, last_ms, ingested_ms;     /* 0: no event */
};

/* The key of the first or last event of a stream. */
static bool edge(struct store_txn *txn, uint64_t space, struct str stream, bool last, struct arena *arena, struct str *ret)
{
    struct store_range range = {.space = space, .collection = logs__stream_collection(arena, stream), .reverse = last};
    struct store_iter *iter = store_range(txn, &range, arena);
    struct store_key key;
    struct str value;
    bool found = store_next(iter, &key, &value) == ERR_OK && key.key.n == LOGS_EVENT_KEY_BYTES;
    if (found)
        *ret = arena_dup(arena, key.key);
    store_iter_close(iter);
    return found;
}

static struct stream_row row_of(struct store_txn *txn, uint64_t space, struct json *entry, struct arena *arena)
{
    struct stream_row row = {.name = json_str(entry, "k"), .created_ms = json_i64(json_at(entry, "d"), "createdMs", 0)};
    struct logs__event event;
    struct str first, last, value;
    if (!edge(txn, space, row.name, false, arena, &first) || !edge(txn, space, row.name, true, arena, &last))
        return row;
    struct store_key at = {space, STR("time"), last};
    if (store_get(txn, at, arena, &value) == ERR_OK && logs__event_decode(last, value, &event)) {
        row.first_ms = (int64_t)get_u64((const uint8_t *)first.p);
        row.last_ms = event.time_ms;
        row.ingested_ms = event.ingested_ms;
    }
    return row;
}

static void describe_stream(struct call *call, struct json *list, const struct stream_row *row)
{
    struct json *out = json_add(list, NULL, json_new(call->arena, JSON_OBJECT));
    struct str group = logs__call_group_name(call);
    json_add_str(call->arena, out, "logStreamName", row->name);
    json_add_i64(call->arena, out, "creationTime", row->created_ms);
    if (row->last_ms) {
        json_add_i64(call->arena, out, "firstEventTimestamp", row->first_ms);
        json_add_i64(call->arena, out, "lastEventTimestamp", row->last_ms);
        json_add_i64(call->arena, out, "lastIngestionTime", row->ingested_ms);
    }
    json_add_str(call->arena, out, "arn",
                 call_arn(call, "logs", "log-group:" STR_FMT ":log-stream:" STR_FMT, STR_ARG(group), STR_ARG(row->name)));
    json_add_i64(call->arena, out, "storedBytes", 0);   /* AWS answers 0 for every stream since 2019 */
}

static int by_last_event(const void *a, const void *b)
{
    const struct stream_row *x = a, *y = b;
    return x->last_ms != y->last_ms ? (x->last_ms > y->last_ms) - (x->last_ms < y->last_ms) : str_cmp(x->name, y->name);
}

/* A token is of the group as it was made, and of one order. */
static struct str streams_scope(struct call *call, uint64_t space, const char *order)
{
    return arena_printf(call->arena, "%llu/%s", (unsigned long long)space, order);
}

/* In the order of names: a page is read from where the last one ended, and its token is its last name. */
static void describe_by_name(struct call *call, struct store_txn *txn, uint64_t space, size_t limit)
{
    struct json *page;
    struct str token;
    const struct store_key names = {space, STR("streams"), call_str(call, "logStreamNamePrefix")};
    if (!logs__page(call, listing_docs(call, txn, names, limit, "nextToken", streams_scope(call, space, "names"), &page, &token)))
        return;
    call->output = json_new(call->arena, JSON_OBJECT);
    struct json *list = json_add_array(call->arena, call->output, "logStreams");
    for JSON_EACH (entry, page) {
        struct stream_row row = row_of(txn, space, entry, call->arena);
        describe_stream(call, list, &row);
    }
    if (token.n)
        json_add_str(call->arena, call->output, "nextToken", token);
}

/* By time or descending: the order is made anew for each page, and the token is an offset in it. */
static void describe_ordered(struct call *call, struct store_txn *txn, uint64_t space, size_t limit, bool by_time)
{
    struct json *page;
    bool more = false, descending = json_bool(call->input, "descending", false);
    struct str scope = streams_scope(call, space, by_time ? "times" : "descending"), after = STR_NONE;
    uint64_t offset = 0;
    if (call_has(call, "nextToken") && !page_token_read(call, call_str(call, "nextToken"), scope, &after)) {
        logs__page_bad_token(call);
        return;
    }
    str_to_u64(after, &offset);         /* what we signed */
    enum err err = doc_list(txn, space, STR("streams"), call_str(call, "logStreamNamePrefix"), STR_NONE, ORDERED_STREAMS_MAX,
                            call->arena, &page, &more);
    if (err != ERR_OK) {
        call_fail_err(call, err);
        return;
    }
    size_t count = 0;
    struct stream_row *rows = arena_array(call->arena, struct stream_row, page->count + 1);
    struct json **entries = arena_array(call->arena, struct json *, page->count + 1);
    for JSON_EACH (entry, page) {
        entries[count] = entry;
        if (by_time)
            rows[count] = row_of(txn, space, entry, call->arena);
        count++;
    }
    if (by_time && count)
        qsort(rows, count, sizeof *rows, by_last_event);
    call->output = json_new(call->arena, JSON_OBJECT);
    struct json *list = json_add_array(call->arena, call->output, "logStreams");
    for (size_t i = offset; i < count && i - offset < limit; i++) {
        size_t at = descending ? count - 1 - i : i;
        struct stream_row row = by_time ? rows[at] : row_of(txn, space, entries[at], call->arena);
        describe_stream(call, list, &row);
    }
    if (offset + limit < count)
        json_add_str(call->arena, call->output, "nextToken",
                     page_token_make(call, scope, arena_printf(call->arena, "%llu", (unsigned long long)(offset + limit))));
}

void logs__describe_streams(struct call *call)
{
    struct store_txn *txn = logs__reader(call);
    struct logs__group group;
    bool by_time = str_eq(call_str(call, "orderBy"), STR("LastEventTime"));
    size_t limit = (size_t)json_i64(call->input, "limit", STREAMS_PAGE_MAX);

    if (by_time && call_str(call, "logStreamNamePrefix").n)
        call_fail(call, "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.");
    else if (!logs__call_group(call, txn, &group))
        return;
    else if (by_time || json_bool(call->input, "descending", false))
        describe_ordered(call, txn, group.space, limit, by_time);
    else
        describe_by_name(call, txn, group.space, limit);
}

/* ---- DeleteLogStream: the events go step by step, the stream's document last, so an interrupted delete can be repeated ---- */
struct delete_step {
    struct call *call;
    struct str group, stream;
    uint64_t space;             /* of the group that the call saw: a later one of the same name is another */
    bool done;
};

static enum err delete_some(struct store_txn *txn, void *arg)
{
    struct delete_step *step = arg;
    struct arena *arena = arena_new();
    struct logs__group group;
    enum err err = logs__group_find(txn, step->call->account, step->call->region, step->group, arena, &group);
    if (err != ERR_OK || group.space != step->space) {      /* the group was deleted meanwhile, and everything with it */
        arena_free(arena);
        step->done = err == ERR_OK || err == ERR_NOT_FOUND;
        return step->done ? ERR_OK : err;
    }
    struct store_range range = {.space = step->space, .collection = logs__stream_collection(arena, step->stream)};
    struct store_iter *iter = store_range(txn, &range, arena);
    struct store_key key;
    struct str value, keys[DELETE_STEP];
    size_t count = 0;
    int64_t bytes = 0;

    while (count < DELETE_STEP && (err = store_next(iter, &key, &value)) == ERR_OK)
        keys[count++] = arena_dup(arena, key.key);
    store_iter_close(iter);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        arena_free(arena);
        return err;
    }
    for (size_t i = 0; i < count; i++) {
        struct store_key event = {step->space, STR("time"), keys[i]};
        struct logs__event decoded;
        if (store_get(txn, event, arena, &value) == ERR_OK && logs__event_decode(keys[i], value, &decoded))
            bytes += (int64_t)decoded.message.n + LOGS_EVENT_OVERHEAD;
        store_delete(txn, event);
        store_delete(txn, (struct store_key){step->space, range.collection, keys[i]});
    }
    logs__add_bytes(txn, step->space, -bytes, arena);
    step->done = count < DELETE_STEP;
    if (step->done)
        store_delete(txn, (struct store_key){step->space, STR("streams"), step->stream});
    arena_free(arena);
    return ERR_OK;
}

void logs__delete_stream(struct call *call)
{
    struct store_txn *txn = logs__reader(call);
    struct logs__group group;
    struct str name = call_str(call, "logStreamName");
    if (!logs__call_group(call, txn, &group))
        return;
    if (!logs__stream_exists(txn, group.space, name, call->arena)) {
        call_fail(call, "ResourceNotFoundException", "The specified log stream does not exist.");
        return;
    }
    struct delete_step step = {.call = call, .group = logs__call_group_name(call), .stream = name, .space = group.space};
    while (!step.done) {
        enum err err = store_mutate(logs__of(call)->store, delete_some, &step);
        if (err != ERR_OK) {
            call_fail_err(call, err);
            return;
        }
    }
}
