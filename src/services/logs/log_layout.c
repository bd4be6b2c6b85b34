/* log_layout.c -- groups, streams and events as they lie in the store (logs_internal.h draws the layout). */
#include "base/codec.h"
#include "base/arn.h"
#include "base/clock.h"
#include "base/panic.h"
#include "call/tags.h"
#include "services/logs/logs_internal.h"
#include "store/doc.h"

#define EVENT_VERSION 1

struct store_key logs__group_key(struct str account, struct str region, struct str name, struct arena *arena)
{
    return (struct store_key){LOGS_SPACE, doc_collection(arena, account, region, "log-group"), name};
}

static enum err fill_group(struct json *doc, struct logs__group *ret)
{
    uint64_t space = 0;
    if (!str_to_u64(json_str(doc, "space"), &space))
        return ERR_CORRUPT;
    *ret = (struct logs__group){.space = space, .created_ms = json_i64(doc, "createdMs", 0),
                                .retention_days = json_i64(doc, "retentionDays", 0), .doc = doc};
    return ERR_OK;
}

enum err logs__group_find(struct store_txn *txn, struct str account, struct str region, struct str name, struct arena *arena,
                          struct logs__group *ret)
{
    struct json *doc;
    enum err err = doc_get(txn, logs__group_key(account, region, name, arena), arena, &doc);
    return err == ERR_OK ? fill_group(doc, ret) : err;
}

/* The name in a group's ARN, arn:aws:logs:REGION:ACCOUNT:log-group:NAME[:*]; none when it is of elsewhere or of something else. */
static struct str name_of_arn(const struct call *call, struct str arn)
{
    struct arn parts;
    struct str prefix = STR("log-group:");
    if (!arn_parse_of(arn, "logs", &parts) || !str_eq(parts.region, call->region) || !str_eq(parts.account, call->account) ||
        !str_starts(parts.resource, prefix))
        return STR_NONE;
    struct str name = str_slice(parts.resource, prefix.n, parts.resource.n);
    return str_ends(name, STR(":*")) ? str_slice(name, 0, name.n - 2) : name;
}

struct str logs__call_group_name(struct call *call)
{
    struct str name = call_str(call, "logGroupName"), identifier = call_str(call, "logGroupIdentifier");
    if (call_has(call, "resourceArn"))
        return name_of_arn(call, call_str(call, "resourceArn"));
    return name.n ? name : str_starts(identifier, STR("arn:")) ? name_of_arn(call, identifier) : identifier;
}

bool logs__call_group(struct call *call, struct store_txn *txn, struct logs__group *ret)
{
    struct str name = logs__call_group_name(call);
    if (call_has(call, "logGroupName") && call_has(call, "logGroupIdentifier")) {
        call_fail(call, "ValidationException", "LogGroup name and LogGroup ARN are mutually exclusive parameters.");
        return false;
    }
    if (call_has(call, "logGroupName") + call_has(call, "logGroupIdentifier") + call_has(call, "resourceArn") != 1) {
        call_fail(call, "InvalidParameterException", "Exactly one of logGroupName and logGroupIdentifier must be specified.");
        return false;
    }
    enum err err = logs__group_find(txn, call->account, call->region, name, call->arena, ret);
    if (err == ERR_NOT_FOUND)
        call_fail(call, "ResourceNotFoundException", "The specified log group does not exist.");
    else if (err != ERR_OK)
        call_fail_err(call, err);
    return err == ERR_OK;
}

void logs__group_make(struct store_txn *txn, struct str account, struct str region, struct str name, struct json *tags,
                      int64_t now_ms, struct arena *arena, struct logs__group *ret)
{
    struct json *doc = json_new(arena, JSON_OBJECT);
    struct str space = arena_printf(arena, "%llu", (unsigned long long)store_new_space(txn));
    json_add_str(arena, doc, "name", name);
    json_add_str(arena, doc, "space", space);
    json_add_i64(arena, doc, "createdMs", now_ms);
    json_add(doc, "tags", tags_object(arena, tags));
    doc_put(txn, logs__group_key(account, region, name, arena), doc, arena);
    ENSURE(fill_group(doc, ret) == ERR_OK);
    logs__order_begin(txn, ret->space);
}

struct store_key logs__stream_key(uint64_t space, struct str stream)
{
    return (struct store_key){space, STR("streams"), stream};
}

bool logs__stream_exists(struct store_txn *txn, uint64_t space, struct str stream, struct arena *arena)
{
    struct str value;
    return store_get(txn, logs__stream_key(space, stream), arena, &value) == ERR_OK;
}

struct str logs__stream_collection(struct arena *arena, struct str stream)
{
    return arena_printf(arena, "stream/" STR_FMT, STR_ARG(stream));
}

enum err logs__stream_edge(struct store_txn *txn, uint64_t space, struct str stream, bool last, struct str before,
                           struct arena *arena, struct str *ret_key)
{
    struct store_range range = {
        .space = space, .collection = logs__stream_collection(arena, stream), .to = before, .reverse = last};
    struct store_iter *iter = store_range(txn, &range, arena);
    struct store_key key;
    struct str value;
    enum err err = store_next(iter, &key, &value);
    if (err == ERR_OK && key.key.n != LOGS_EVENT_KEY_BYTES)
        err = ERR_CORRUPT;
    if (err == ERR_OK)
        *ret_key = arena_dup(arena, key.key);
    store_iter_close(iter);
    return err;
}

void logs__event_put(struct store_txn *txn, uint64_t space, struct str stream, int64_t time_ms, uint64_t sequence, int64_t now_ms,
                     struct str message, struct arena *arena)
{
    uint8_t *key = arena_alloc(arena, LOGS_EVENT_KEY_BYTES);
    size_t size = 1 + 8 + 4 + stream.n + message.n;
    uint8_t *value = arena_alloc(arena, size);

    put_u64(key, (uint64_t)time_ms);
    put_u64(key + 8, sequence);
    value[0] = EVENT_VERSION;
    put_u64(value + 1, (uint64_t)now_ms);
    put_u32(value + 9, (uint32_t)stream.n);
    memcpy(value + 13, stream.p, stream.n);
    if (message.n)
        memcpy(value + 13 + stream.n, message.p, message.n);
    struct str k = {(char *)key, LOGS_EVENT_KEY_BYTES};
    store_put(txn, (struct store_key){space, STR("time"), k}, (struct str){(char *)value, size});
    store_put(txn, (struct store_key){space, logs__stream_collection(arena, stream), k}, STR_NONE);
}

bool logs__event_decode(struct str key, struct str value, struct logs__event *ret)
{
    const uint8_t *v = (const uint8_t *)value.p;
    if (key.n != LOGS_EVENT_KEY_BYTES || value.n < 13 || v[0] != EVENT_VERSION)
        return false;
    size_t stream = get_u32(v + 9);
    if (stream > value.n - 13)
        return false;
    memcpy(ret->key, key.p, LOGS_EVENT_KEY_BYTES);
    ret->time_ms = (int64_t)get_u64((const uint8_t *)key.p);
    ret->ingested_ms = (int64_t)get_u64(v + 1);
    ret->stream = str_slice(value, 13, 13 + stream);
    ret->message = str_slice(value, 13 + stream, value.n);
    return true;
}

uint64_t logs__sequences(struct store_txn *txn, uint64_t space, size_t count, struct arena *arena)
{
    const struct store_key key = {space, STR("meta"), STR("sequence")};
    struct str value;
    uint64_t first = 0;
    if (store_get(txn, key, arena, &value) == ERR_OK && value.n == 8)
        first = get_u64((const uint8_t *)value.p);
    uint8_t next[8];
    put_u64(next, first + count + 1);
    store_put(txn, key, (struct str){(const char *)next, sizeof next});
    return first;
}

static struct store_key bytes_key(uint64_t space)
{
    return (struct store_key){space, STR("meta"), STR("bytes")};
}

int64_t logs__bytes(struct store_txn *txn, uint64_t space, struct arena *arena)
{
    struct str value;
    if (store_get(txn, bytes_key(space), arena, &value) != ERR_OK || value.n != 8)
        return 0;
    return (int64_t)get_u64((const uint8_t *)value.p);
}

void logs__add_bytes(struct store_txn *txn, uint64_t space, int64_t bytes, struct arena *arena)
{
    uint8_t value[8];
    int64_t total = logs__bytes(txn, space, arena) + bytes;
    put_u64(value, (uint64_t)(total < 0 ? 0 : total));
    store_put(txn, bytes_key(space), (struct str){(char *)value, sizeof value});
}

int64_t logs__oldest_ms(const struct logs__group *group, int64_t now_ms)
{
    return group->retention_days ? now_ms - group->retention_days * CLOCK_DAY_MS : 0;
}
