/* streams.c -- operations on log streams: create, describe, delete. Source: CloudWatch Logs API reference. */
#include "base/clock.h"
#include "call/listing.h"
#include "call/page_token.h"
#include "base/codec.h"
#include "services/logs/logs_internal.h"
#include "store/doc.h"
#include <stdlib.h>

#define STREAMS_PAGE_MAX 50             /* API reference, DescribeLogStreams */
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

static void describe_stream(struct call *call, struct json *list, const struct logs__stream_row *row)
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

/* A token is of the group as it was made, and of one order. */
static struct str streams_scope(struct call *call, uint64_t space, const char *order)
{
    return arena_printf(call->arena, "%llu/%s", (unsigned long long)space, order);
}

/* In the order of names: a page is read from where the last one ended, and its token is its last name. */
static void describe_ascending(struct call *call, struct store_txn *txn, uint64_t space, size_t limit)
{
    struct json *page;
    struct str token;
    const struct store_key names = {space, STR("streams"), call_str(call, "logStreamNamePrefix")};
    if (!logs__page(call, listing_docs(call, txn, names, limit, "nextToken", streams_scope(call, space, "names"), &page, &token)))
        return;
    call->output = json_new(call->arena, JSON_OBJECT);
    struct json *list = json_add_array(call->arena, call->output, "logStreams");
    for JSON_EACH (entry, page) {
        struct logs__stream_row row =
            logs__stream_row(txn, space, json_str(entry, "k"), json_at(entry, "d"), STR_NONE, call->arena);
        describe_stream(call, list, &row);
    }
    if (token.n)
        json_add_str(call->arena, call->output, "nextToken", token);
}

/* The same backwards. */
static void describe_descending(struct call *call, struct store_txn *txn, uint64_t space, size_t limit)
{
    struct str prefix = call_str(call, "logStreamNamePrefix"), scope = streams_scope(call, space, "descending");
    struct store_range range = {
        .space = space, .collection = STR("streams"), .from = prefix, .to = arena_behind(call->arena, prefix), .reverse = true};
    if (call_has(call, "nextToken") && !page_token_read(call, call_str(call, "nextToken"), scope, &range.to)) {
        logs__page_bad_token(call);
        return;
    }
    struct json *out = json_new(call->arena, JSON_OBJECT), *list = json_add_array(call->arena, out, "logStreams"), *doc;
    struct store_iter *iter = store_range(txn, &range, call->arena);
    struct store_key key;
    struct str value, last = STR_NONE;
    enum err err;
    while ((err = store_next(iter, &key, &value)) == ERR_OK && list->count < limit) {
        last = arena_dup(call->arena, key.key);
        err = doc_get(txn, logs__stream_key(space, last), call->arena, &doc);
        if (err == ERR_NOT_FOUND)
            continue; /* deleted meanwhile */
        if (err != ERR_OK)
            break;
        struct logs__stream_row row = logs__stream_row(txn, space, last, doc, STR_NONE, call->arena);
        describe_stream(call, list, &row);
    }
    store_iter_close(iter);
    if (err == ERR_OK)
        json_add_str(call->arena, out, "nextToken", page_token_make(call, scope, last));
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        call_fail_err(call, err);
    else
        call->output = out;
}

/* By the last event. The token is the page's last stream: where it stands (8) · its name. */
static struct str place_token(struct call *call, struct str scope, const struct logs__stream_row *last)
{
    char *position = arena_alloc(call->arena, 8 + last->name.n), *at = position + 8;
    put_u64((uint8_t *)position, (uint64_t)last->order_ms);
    str_pack(&at, last->name);
    return page_token_make(call, scope, (struct str){position, 8 + last->name.n});
}

static bool read_place_token(struct call *call, struct str scope, struct logs__stream_row *ret)
{
    struct str position;
    if (!page_token_read(call, call_str(call, "nextToken"), scope, &position) || position.n <= 8)
        return false;
    *ret = (struct logs__stream_row){.name = str_slice(position, 8, position.n),
                                     .order_ms = (int64_t)get_u64((const uint8_t *)position.p)};
    return true;
}

static void describe_by_time(struct call *call, struct store_txn *txn, const struct logs__group *group, size_t limit)
{
    bool descending = json_bool(call->input, "descending", false), more = call_has(call, "nextToken");
    struct str scope = streams_scope(call, group->space, descending ? "newest" : "oldest");
    struct logs__stream_row after, *rows = arena_array(call->arena, struct logs__stream_row, limit + 1);
    size_t count = 0;
    if (more && !read_place_token(call, scope, &after)) {
        logs__page_bad_token(call);
        return;
    }
    enum err err =
        logs__order_complete(logs__of(call)->store, call->account, call->region, logs__call_group_name(call), group->space);
    if (err == ERR_OK)
        err = logs__order_page(txn, group->space, more ? &after : NULL, descending, call->arena, rows, limit + 1, &count);
    if (err != ERR_OK) {
        call_fail_err(call, err);
        return;
    }
    call->output = json_new(call->arena, JSON_OBJECT);
    struct json *list = json_add_array(call->arena, call->output, "logStreams");
    for (size_t i = 0; i < count && i < limit; i++)
        describe_stream(call, list, &rows[i]);
    if (count > limit)
        json_add_str(call->arena, call->output, "nextToken", place_token(call, scope, &rows[limit - 1]));
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
    else if (by_time)
        describe_by_time(call, txn, &group, limit);
    else if (json_bool(call->input, "descending", false))
        describe_descending(call, txn, group.space, limit);
    else
        describe_ascending(call, txn, group.space, limit);
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
    if (err == ERR_OK)
        err = store_next(iter, &key, &value); /* so that no stream is left without its last event */
    store_iter_close(iter);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        arena_free(arena);
        return err;
    }
    step->done = err == ERR_NOT_FOUND;
    for (size_t i = 0; i < count; i++) {
        struct store_key event = {step->space, STR("time"), keys[i]};
        struct logs__event decoded;
        if (store_get(txn, event, arena, &value) == ERR_OK && logs__event_decode(keys[i], value, &decoded))
            bytes += (int64_t)decoded.message.n + LOGS_EVENT_OVERHEAD;
        store_delete(txn, event);
        store_delete(txn, (struct store_key){step->space, range.collection, keys[i]});
    }
    logs__add_bytes(txn, step->space, -bytes, arena);
    err = step->done ? logs__stream_remove(txn, step->space, step->stream, arena) : ERR_OK;
    arena_free(arena);
    return err;
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
