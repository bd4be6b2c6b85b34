/* request.c -- see request.h. The order in which the operations call these is DynamoDB's order of errors. */
#include "services/dynamodb/request.h"
#include "base/codec.h"
#include "services/dynamodb/item.h"

bool request_invalid(struct call *call, struct str message, bool serialization)
{
    call_fail(call, serialization ? "SerializationException" : "ValidationException", STR_FMT, STR_ARG(message));
    return false;
}

bool request_target(struct call *call, struct str given, const char *member, struct target *ret)
{
    *ret = (struct target){.given = given};
    if (!table_name_read(call, given, member, &ret->name))
        return false;
    enum err err = table_find(call, ret->name, &ret->table);
    ret->arn = err == ERR_OK ? ret->table->arn : table_arn(call, ret->name);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        call_fail_err(call, err);
    return !call->failed;
}

bool request_target_found(struct call *call, struct target *target)
{
    if (!target->table)
        call_fail(call, "ResourceNotFoundException", "Requested resource not found");
    return target->table != NULL;
}

bool request_usage(struct call *call, const struct expression_usage *usage, const struct json *input)
{
    struct str message;
    return expression_usage_check(usage, input, call->arena, &message) || request_invalid(call, message, false);
}

struct value *request_item(struct call *call, const struct json *json)
{
    struct str message;
    bool serialization = false;
    struct value *item = item_from_json(json, call->arena, &message, &serialization);
    if (!item)
        request_invalid(call, message, serialization);
    return item;
}

struct expression_params *request_params(struct call *call, const struct json *input)
{
    struct str message;
    bool serialization = false;
    struct expression_params *params =
        expression_params_new(json_at(input, "ExpressionAttributeNames"), json_at(input, "ExpressionAttributeValues"), call->arena,
                              &message, &serialization);
    if (!params)
        request_invalid(call, message, serialization);
    return params;
}

bool request_params_used(struct call *call, const struct expression_params *params)
{
    struct str message;
    return expression_params_all_used(params, call->arena, &message) || request_invalid(call, message, false);
}

bool request_condition(struct call *call, const char *member, struct expression_params *params, struct condition **ret)
{
    struct str message;
    if (!call_has(call, member))
        return true;
    *ret = condition_parse(call_str(call, member), member, params, call->arena, &message);
    return *ret || request_invalid(call, message, false);
}

bool request_projection(struct call *call, const struct json *input, struct expression_params *params, struct projection **ret)
{
    struct str message;
    if (!json_at(input, "ProjectionExpression"))
        return true;
    *ret = projection_parse(json_str(input, "ProjectionExpression"), params, call->arena, &message);
    return *ret || request_invalid(call, message, false);
}

bool request_keys_entered(struct call *call, const struct table *table,
                          bool (*enters)(const void *expression, struct str attribute), const void *expression)
{
    const struct str names[] = {table->hash.name, table->range.name};
    for (size_t i = 0; expression && i < COUNT_OF(names); i++) {
        if (!names[i].n || !enters(expression, names[i]))
            continue;
        call_fail(call, "ValidationException",
                  "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
                  "Key: " STR_FMT,
                  STR_ARG(names[i]));
        return false;
    }
    return true;
}

static bool projection_enters_key(const void *projection, struct str attribute)
{
    return projection_enters(projection, attribute);
}

bool request_keys_projected(struct call *call, const struct table *table, const struct projection *projection)
{
    return request_keys_entered(call, table, projection_enters_key, projection);
}

/* ---- condition keys ---- */

/* Nothing restricts the root of the account, so its requests need no list of what they touch. */
static bool unrestricted(const struct call *call)
{
    return call->caller->type == PRINCIPAL_ROOT;
}

void request_context(struct call *call, struct needs *needs)
{
    static const struct { const char *member, *key; } members[] = {
        {"ReturnValues", "dynamodb:ReturnValues"}, {"ReturnConsumedCapacity", "dynamodb:ReturnConsumedCapacity"},
    };
    for (size_t i = 0; i < COUNT_OF(members) && !unrestricted(call); i++) {
        struct str value = call_str(call, members[i].member);
        need_context(needs, members[i].key, value.n ? value : STR("NONE"));
    }
}

void request_leading_value(struct call *call, struct needs *needs, const struct value *hash)
{
    struct buf buf;
    if (unrestricted(call))
        return;
    buf_init(&buf, call->arena, 4 * KEY_HASH_BYTES_MAX);
    if (hash->type == VALUE_S)
        buf_add(&buf, hash->bytes);
    else if (hash->type == VALUE_B)
        base64_write(&buf, hash->bytes);
    else if (hash->type == VALUE_N)
        decimal_write(&buf, &hash->number);
    need_context(needs, "dynamodb:LeadingKeys", buf_str(&buf));
}

void request_leading_key(struct call *call, struct needs *needs, const struct table *table, const struct value *key)
{
    const struct value *hash = table ? value_member(key, table->hash.name) : NULL;
    if (hash)
        request_leading_value(call, needs, hash);
}

void request_context_select(struct call *call, struct needs *needs, struct str select)
{
    if (!unrestricted(call))
        need_context(needs, "dynamodb:Select", select);
}

void request_context_attribute(void *arg, struct str attribute)
{
    const struct context_arg *to = arg;
    if (!unrestricted(to->call))
        need_context(to->needs, "dynamodb:Attributes", attribute);
}

void request_context_item(struct call *call, struct needs *needs, const struct value *item)
{
    struct context_arg arg = {call, needs};
    for (const struct value *attribute = item->first; attribute && !unrestricted(call); attribute = attribute->next)
        request_context_attribute(&arg, attribute->name);
}

/* ---- capacity: "Provisioned capacity mode", capacity unit consumption ---- */

enum capacity request_capacity(const struct call *call)
{
    struct str asked = call_str(call, "ReturnConsumedCapacity");
    if (str_eq(asked, STR("INDEXES")))
        return CAPACITY_INDEXES;
    return str_eq(asked, STR("TOTAL")) ? CAPACITY_TOTAL : CAPACITY_NONE;
}

static size_t blocks(size_t bytes, size_t block)
{
    return bytes ? (bytes + block - 1) / block : 1;
}

unsigned capacity_read(size_t bytes, bool consistent)
{
    return (unsigned)blocks(bytes, 4096) * (consistent ? 2 : 1);
}

unsigned capacity_write(size_t bytes)
{
    return (unsigned)blocks(bytes, 1024) * 2;
}

struct json *capacity_json(struct call *call, struct str table, unsigned half_units)
{
    struct json *capacity = json_new(call->arena, JSON_OBJECT);
    struct str units = arena_printf(call->arena, "%u.%u", half_units / 2, half_units % 2 * 5);
    json_add_str(call->arena, capacity, "TableName", table);
    json_add(capacity, "CapacityUnits", json_new_number(call->arena, units));
    if (request_capacity(call) == CAPACITY_INDEXES)
        json_add(json_add_object(call->arena, capacity, "Table"), "CapacityUnits", json_new_number(call->arena, units));
    return capacity;
}

void capacity_add(struct call *call, struct str table, unsigned half_units)
{
    if (request_capacity(call) != CAPACITY_NONE)
        json_add(request_output(call), "ConsumedCapacity", capacity_json(call, table, half_units));
}

/* ---- output ---- */

struct json *request_output(struct call *call)
{
    if (!call->output)
        call->output = json_new(call->arena, JSON_OBJECT);
    return call->output;
}

struct json *request_raw_item(struct call *call, struct str bytes)
{
    struct buf buf;
    buf_init(&buf, call->arena, ITEM_JSON_MAX);
    buf_reserve(&buf, bytes.n + bytes.n / 4 + 128);         /* most items' text: then nothing is moved */
    if (item_bytes_write_json(&buf, bytes) && !buf.failed)
        return json_new_raw(call->arena, buf_str(&buf));
    call_fail_err(call, buf.failed ? ERR_TOO_LARGE : ERR_CORRUPT);
    return NULL;
}

struct json *request_raw_value(struct call *call, const struct value *item)
{
    struct buf buf;
    buf_init(&buf, call->arena, ITEM_JSON_MAX);
    item_write_json(&buf, item);
    if (!buf.failed)
        return json_new_raw(call->arena, buf_str(&buf));
    call_fail_err(call, ERR_TOO_LARGE);
    return NULL;
}
