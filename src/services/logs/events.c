/* events.c -- PutLogEvents, GetLogEvents, FilterLogEvents. Source: CloudWatch Logs API reference.
 * A page token (call/page_token.h) holds an event's key, behind "f/" (go on after it) or "b/" (go back before it): a place between
 * two events. A page without events answers the token that it was asked with, and for the other direction the same place. */
#include "base/clock.h"
#include "base/codec.h"
#include "call/page_token.h"
#include "services/logs/logs_internal.h"

#define TOO_OLD_MS (14 * CLOCK_DAY_MS)
#define TOO_NEW_MS (2 * CLOCK_HOUR_MS)
#define BATCH_SPAN_MS CLOCK_DAY_MS
#define NEWEST_FIRST_FROM_MS 1704067200000 /* 2024-01-01: how far back FilterLogEvents goes from the newest on. API reference */
#define SCANNED_MAX 100000              /* events that one FilterLogEvents looks at before it answers with a token */

/* ---- PutLogEvents ---- */

void logs__prepare_put_events(struct call *call)
{
    struct json *events = json_at(call->input, "logEvents");
    size_t bytes = 0;
    int64_t first = 0, previous = 0;
    for JSON_EACH (event, events) {
        int64_t at = json_i64(event, "timestamp", 0);
        size_t size = json_str(event, "message").n + LOGS_EVENT_OVERHEAD;
        first = event == events->first ? at : first;
        if (event != events->first && at < previous) {
            call_fail(call, "InvalidParameterException",
                      "Log events in a single PutLogEvents request must be in chronological order.");
            return;
        }
        if (at - first > BATCH_SPAN_MS) {
            call_fail(call, "InvalidParameterException",
                      "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
            return;
        }
        if (size > LOGS_EVENT_BYTES_MAX) {
            call_fail(call, "InvalidParameterException", "Log event too large: %zu bytes exceeds limit of %u", size,
                      LOGS_EVENT_BYTES_MAX);
            return;
        }
        previous = at;
        bytes += size;
    }
    if (bytes > LOGS_BATCH_BYTES_MAX)
        call_fail(call, "InvalidParameterException", "Upload too large: %zu bytes exceeds limit of %u", bytes,
                  LOGS_BATCH_BYTES_MAX);
}

static void reject(struct call *call, const char *name, size_t index)
{
    struct json *info = json_at(call->output, "rejectedLogEventsInfo");
    if (!info)
        info = json_add_object(call->arena, call->output, "rejectedLogEventsInfo");
    json_add_i64(call->arena, info, name, (int64_t)index);
}

/* Events are in order, so those too old or expired are a head, and those too new a tail. */
void logs__put_events(struct call *call, struct store_txn *txn)
{
    struct logs__group group;
    struct str stream = call_str(call, "logStreamName");
    int64_t now = call->now_ms, bytes = 0, last = 0;
    size_t index = 0, too_old = 0, expired = 0, too_new = SIZE_MAX;

    if (!logs__call_group(call, txn, &group))
        return;
    if (!logs__stream_exists(txn, group.space, stream, call->arena)) {
        call_fail(call, "ResourceNotFoundException", "The specified log stream does not exist.");
        return;
    }
    struct json *events = json_at(call->input, "logEvents");
    uint64_t sequence = logs__sequences(txn, group.space, events->count, call->arena);
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, call->output, "nextSequenceToken", arena_printf(call->arena, "%056llu", (unsigned long long)now));
    for JSON_EACH (event, events) {
        int64_t at = json_i64(event, "timestamp", 0);
        struct str message = json_str(event, "message");
        index++;
        if (at < now - TOO_OLD_MS) {
            too_old = index;
        } else if (at < logs__oldest_ms(&group, now)) {
            expired = index;
        } else if (at > now + TOO_NEW_MS) {
            too_new = too_new == SIZE_MAX ? index - 1 : too_new;
        } else {
            logs__event_put(txn, group.space, stream, at, sequence + index, now, message, call->arena);
            bytes += (int64_t)message.n + LOGS_EVENT_OVERHEAD;
            last = at;
        }
    }
    if (too_new != SIZE_MAX)
        reject(call, "tooNewLogEventStartIndex", too_new);
    if (too_old)
        reject(call, "tooOldLogEventEndIndex", too_old);
    if (expired)
        reject(call, "expiredLogEventEndIndex", expired);
    if (!bytes)
        return;
    logs__add_bytes(txn, group.space, bytes, call->arena);
    logs__order_written(txn, group.space, stream, last, call->arena);
}

/* ---- reading ---- */

/* AWS's tokens begin with the direction. They hold the key of an event, and are good for the stream (or group) and the direction
 * only. */
static struct str event_token(struct call *call, const char *prefix, struct str scope, const uint8_t key[LOGS_EVENT_KEY_BYTES])
{
    struct str token = page_token_make(call, arena_printf(call->arena, "%s" STR_FMT, prefix, STR_ARG(scope)),
                                       (struct str){(const char *)key, LOGS_EVENT_KEY_BYTES});
    return arena_printf(call->arena, "%s" STR_FMT, prefix, STR_ARG(token));
}

static bool event_token_read(struct call *call, struct str token, const char *prefix, struct str scope,
                             uint8_t ret[LOGS_EVENT_KEY_BYTES])
{
    struct str key, own = arena_printf(call->arena, "%s" STR_FMT, prefix, STR_ARG(scope));
    if (!str_starts(token, str_of(prefix)) || !page_token_read(call, str_slice(token, strlen(prefix), token.n), own, &key) ||
        key.n != LOGS_EVENT_KEY_BYTES)
        return false;
    memcpy(ret, key.p, LOGS_EVENT_KEY_BYTES);
    return true;
}

/* A group made anew has another space, and a stream's name is unique in its group. */
static struct str event_scope(struct call *call, const struct logs__group *group, struct str stream)
{
    return arena_printf(call->arena, "%llu/" STR_FMT, (unsigned long long)group->space, STR_ARG(stream));
}

/* The neighbour of a key, as keys of such a length are ordered; the first and the last stay what they are. */
static void key_step(uint8_t key[LOGS_EVENT_KEY_BYTES], bool up)
{
    uint8_t stepped[LOGS_EVENT_KEY_BYTES];
    memcpy(stepped, key, sizeof stepped);
    for (size_t i = LOGS_EVENT_KEY_BYTES; i-- > 0;) {
        stepped[i] = (uint8_t)(stepped[i] + (up ? 1 : 0xff));
        if (stepped[i] != (up ? 0 : 0xff)) {
            memcpy(key, stepped, sizeof stepped);
            return;
        }
    }
}

static struct str time_key(struct arena *arena, int64_t time_ms)
{
    uint8_t *key = arena_alloc(arena, 8);
    put_u64(key, time_ms < 0 ? 0 : (uint64_t)time_ms);
    return (struct str){(char *)key, 8};
}

static struct str key_str(struct arena *arena, const uint8_t key[LOGS_EVENT_KEY_BYTES], bool just_after)
{
    struct str s = arena_dup(arena, (struct str){(const char *)key, LOGS_EVENT_KEY_BYTES});
    return just_after ? (struct str){s.p, s.n + 1} : s;     /* arena_dup ends with a NUL: the smallest greater key */
}

static struct json *event_json(struct call *call, const struct logs__event *event)
{
    struct json *out = json_new(call->arena, JSON_OBJECT);
    json_add_i64(call->arena, out, "timestamp", event->time_ms);
    json_add_str(call->arena, out, "message", arena_dup(call->arena, event->message));
    json_add_i64(call->arena, out, "ingestionTime", event->ingested_ms);
    return out;
}

/* Bounds of one GetLogEvents page; true: it reads backwards. A fresh request without startFromHead reads the newest. */
static bool page_range(struct call *call, const struct logs__group *group, struct str scope, struct store_range *range,
                       uint8_t at[LOGS_EVENT_KEY_BYTES], bool *ret_bad_token)
{
    struct str token = call_str(call, "nextToken");
    int64_t start = json_i64(call->input, "startTime", 0), oldest = logs__oldest_ms(group, clock_epoch_ms());
    bool reverse = !json_bool(call->input, "startFromHead", false);

    range->from = time_key(call->arena, start > oldest ? start : oldest);
    if (call_has(call, "endTime"))
        range->to = time_key(call->arena, json_i64(call->input, "endTime", 0));
    if (token.n == 0)
        return reverse;
    if (event_token_read(call, token, "f/", scope, at)) {
        struct str from = key_str(call->arena, at, true);
        range->from = str_cmp(from, range->from) > 0 ? from : range->from;
        return false;
    }
    if (event_token_read(call, token, "b/", scope, at)) {
        struct str to = key_str(call->arena, at, false);
        range->to = range->to.p == NULL || str_cmp(to, range->to) < 0 ? to : range->to;
        return true;
    }
    *ret_bad_token = true;
    return false;
}

static struct json *reversed(struct arena *arena, struct json *list)
{
    struct json *out = json_new(arena, JSON_ARRAY), *node = list->first, *head = NULL, *last = node;
    for (struct json *next; node; node = next) {
        next = node->next;
        node->next = head;
        head = node;
    }
    out->first = head;
    out->last = last;
    out->count = list->count;
    return out;
}

void logs__get_events(struct call *call)
{
    struct store_txn *txn = logs__reader(call);
    struct logs__group group;
    struct logs__event event;
    struct str stream = call_str(call, "logStreamName"), value;
    struct store_key key;
    struct json *list = json_new(call->arena, JSON_ARRAY);
    size_t limit = (size_t)json_i64(call->input, "limit", LOGS_PAGE_EVENTS_MAX), bytes = 0;
    uint8_t at[LOGS_EVENT_KEY_BYTES] = {0}, low[LOGS_EVENT_KEY_BYTES], high[LOGS_EVENT_KEY_BYTES];
    bool bad_token = false;

    if (!logs__call_group(call, txn, &group))
        return;
    if (!logs__stream_exists(txn, group.space, stream, call->arena)) {
        call_fail(call, "ResourceNotFoundException", "The specified log stream does not exist.");
        return;
    }
    struct store_range range = {.space = group.space, .collection = logs__stream_collection(call->arena, stream)};
    struct str scope = event_scope(call, &group, stream);
    range.reverse = page_range(call, &group, scope, &range, at, &bad_token);
    if (bad_token) {
        logs__page_bad_token(call);
        return;
    }
    memcpy(low, at, sizeof low);
    memcpy(high, at, sizeof high);
    if (call_has(call, "nextToken"))
        key_step(range.reverse ? high : low, !range.reverse);
    struct store_iter *iter = store_range(txn, &range, call->arena);
    enum err err = ERR_OK;
    while (list->count < limit && (err = store_next(iter, &key, &value)) == ERR_OK) {
        struct store_key whole = {group.space, STR("time"), arena_dup(call->arena, key.key)};
        if (store_get(txn, whole, call->arena, &value) != ERR_OK || !logs__event_decode(whole.key, value, &event))
            continue;   /* a delete of the stream passes by */
        bytes += event.message.n + LOGS_EVENT_OVERHEAD;
        if (bytes > LOGS_PAGE_BYTES_MAX)
            break;
        json_add(list, NULL, event_json(call, &event));
        memcpy(range.reverse ? low : high, event.key, sizeof low);
        if (list->count == 1)
            memcpy(range.reverse ? high : low, event.key, sizeof low);
    }
    store_iter_close(iter);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        call_fail_err(call, err);
        return;
    }
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add(call->output, "events", range.reverse ? reversed(call->arena, list) : list);
    json_add_str(call->arena, call->output, "nextForwardToken", event_token(call, "f/", scope, high));
    json_add_str(call->arena, call->output, "nextBackwardToken", event_token(call, "b/", scope, low));
}

static bool stream_wanted(struct call *call, struct str stream)
{
    struct json *names = json_at(call->input, "logStreamNames");
    if (!str_starts(stream, call_str(call, "logStreamNamePrefix")))
        return false;
    if (!names)
        return true;
    for JSON_EACH (name, names)
        if (str_eq(name->text, stream))
            return true;
    return false;
}

/* eventId: a number that grows with time, as AWS's. */
static struct str event_id(struct arena *arena, const struct logs__event *event)
{
    return arena_printf(arena, "%028llu%028llu", (unsigned long long)get_u64(event->key),
                        (unsigned long long)get_u64(event->key + 8));
}

/* Which way a page of FilterLogEvents goes: as its token says, or as the request does. False after call_fail. */
static bool filter_range(struct call *call, const struct logs__group *group, struct store_range *range)
{
    uint8_t at[LOGS_EVENT_KEY_BYTES];
    struct str token = call_str(call, "nextToken"), scope = event_scope(call, group, STR_NONE);
    int64_t start = json_i64(call->input, "startTime", 0), oldest = logs__oldest_ms(group, clock_epoch_ms());

    range->reverse = token.n ? str_starts(token, STR("b/")) : !json_bool(call->input, "startFromHead", true);
    range->from = time_key(call->arena, start > oldest ? start : oldest);
    int64_t end = json_i64(call->input, "endTime", INT64_MAX);
    if (end < INT64_MAX) /* inclusive here, exclusive in GetLogEvents: so says the API reference */
        range->to = time_key(call->arena, end + 1);
    if (token.n && !event_token_read(call, token, range->reverse ? "b/" : "f/", scope, at)) {
        logs__page_bad_token(call);
        return false;
    }
    if (range->reverse && call_has(call, "startTime") && start < NEWEST_FIRST_FROM_MS) {
        call_fail(call, "InvalidParameterException",
                  "startFromHead can be false only when startTime is on or after 2024-01-01T00:00:00Z.");
        return false;
    }
    if (token.n)
        *(range->reverse ? &range->to : &range->from) = key_str(call->arena, at, !range->reverse);
    return true;
}

/* The call's pattern, streams and group. False after call_fail. */
static bool filter_of(struct call *call, struct store_txn *txn, struct logs__pattern **ret_pattern, struct logs__group *ret_group)
{
    struct str why;
    enum err err = logs__pattern_parse(call_str(call, "filterPattern"), call->arena, ret_pattern, &why);
    if (err == ERR_UNSUPPORTED)
        call_fail_not_implemented(call, arena_cstr(call->arena, why));
    else if (err != ERR_OK)
        call_fail(call, "InvalidParameterException", STR_FMT, STR_ARG(why));
    else if (call_has(call, "logStreamNames") && call_has(call, "logStreamNamePrefix"))
        call_fail(call, "InvalidParameterException", "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.");
    else if (logs__call_group(call, txn, ret_group))
        for JSON_EACH (name, json_at(call->input, "logStreamNames"))
            if (!logs__stream_exists(txn, ret_group->space, name->text, call->arena))
                call_fail(call, "ResourceNotFoundException", "The specified log stream does not exist.");
    return !call->failed;
}

void logs__filter_events(struct call *call)
{
    struct store_txn *txn = logs__reader(call);
    struct logs__group group;
    struct logs__event event;
    struct logs__pattern *pattern;
    struct store_key key;
    struct str value;
    size_t limit = (size_t)json_i64(call->input, "limit", LOGS_PAGE_EVENTS_MAX), bytes = 0, scanned = 0;
    uint8_t last[LOGS_EVENT_KEY_BYTES];

    if (!filter_of(call, txn, &pattern, &group))
        return;
    struct store_range range = {.space = group.space, .collection = STR("time")};
    if (!filter_range(call, &group, &range))
        return;
    struct json *out = json_new(call->arena, JSON_OBJECT), *list = json_add_array(call->arena, out, "events");
    json_add_array(call->arena, out, "searchedLogStreams");    /* deprecated: AWS answers an empty list */
    struct store_iter *iter = store_range(txn, &range, call->arena);
    enum err err = ERR_OK;
    while (list->count < limit && scanned < SCANNED_MAX && (err = store_next(iter, &key, &value)) == ERR_OK) {
        bool wanted = logs__event_decode(key.key, value, &event) && stream_wanted(call, event.stream) &&
                      logs__pattern_match(pattern, event.message);
        bytes += wanted ? event.message.n + LOGS_EVENT_OVERHEAD : 0;
        if (bytes > LOGS_PAGE_BYTES_MAX)
            break;
        scanned++;
        memcpy(last, key.key.p, sizeof last);
        if (!wanted)
            continue;
        struct json *found = json_add(list, NULL, event_json(call, &event));
        json_add_str(call->arena, found, "logStreamName", arena_dup(call->arena, event.stream));
        json_add_str(call->arena, found, "eventId", event_id(call->arena, &event));
    }
    store_iter_close(iter);
    if (err == ERR_OK && scanned)       /* stopped by a bound, not by the end */
        json_add_str(call->arena, out, "nextToken",
                     event_token(call, range.reverse ? "b/" : "f/", event_scope(call, &group, STR_NONE), last));
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        call_fail_err(call, err);
    else
        call->output = out;
}
