/* get_item.c -- GetItem: on the loop, from the store's bytes to the answer's text without a tree between them, unless a
 * ProjectionExpression asks for parts. Reads are always strongly consistent; ConsistentRead only doubles what it costs. */
#include "services/dynamodb/item.h"
#include "services/dynamodb/reads.h"
#include "services/dynamodb/request.h"

struct get {
    struct target target;
    struct value *key;
    struct projection *projection;
    struct store_key at;
};

static const char *const get_expressions[] = {"ProjectionExpression", NULL}, *const get_legacy[] = {"AttributesToGet", NULL};
static const struct expression_usage get_usage = {get_expressions, NULL, get_legacy};

static bool read_projection(struct call *call, struct get *get)
{
    if (!call_has(call, "ProjectionExpression"))
        return true;
    struct expression_params *params = request_params(call, call->input);
    return params && request_projection(call, call->input, params, &get->projection) && request_params_used(call, params);
}

void get_item_needs(struct call *call, struct needs *needs)
{
    struct get *get = arena_new_of(call->arena, struct get);
    call->state = get;
    if (!request_target(call, call_str(call, "TableName"), "tableName", &get->target) ||
        !request_usage(call, &get_usage, call->input))
        return;
    get->key = request_item(call, json_at(call->input, "Key"));
    if (!get->key || !read_projection(call, get))
        return;
    struct context_arg arg = {call, needs};
    need_add(needs, "dynamodb:GetItem", get->target.arn);
    request_context(call, needs);
    request_leading_key(call, needs, get->target.table, get->key);
    request_context_item(call, needs, get->key);
    projection_attributes(get->projection, request_context_attribute, &arg);
    request_context_select(call, needs, get->projection ? STR("SPECIFIC_ATTRIBUTES") : STR("ALL_ATTRIBUTES"));
}

void get_item_prepare(struct call *call)
{
    struct get *get = call->state;
    if (!request_target_found(call, &get->target) || !table_key_check(call, get->target.table, get->key) ||
        !request_keys_projected(call, get->target.table, get->projection))
        return;
    get->at = table_item_key(get->target.table, get->key, call->arena);
}

static struct json *shown(struct call *call, const struct get *get, struct str bytes)
{
    if (!get->projection)
        return request_raw_item(call, bytes);
    const struct value *item = item_decode(bytes, call->arena);
    if (item)
        return request_raw_value(call, projection_apply(get->projection, item, call->arena));
    call_fail_err(call, ERR_CORRUPT);
    return NULL;
}

void get_item_handle(struct call *call)
{
    const struct get *get = call->state;
    struct str bytes;
    size_t size = 0;
    enum err err = store_get(table_reader(call), get->at, call->arena, &bytes);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        call_fail_err(call, err);
        return;
    }
    if (err == ERR_OK) {
        struct json *item = shown(call, get, bytes);
        if (!item)
            return;
        json_add(request_output(call), "Item", item);
        item_bytes_size(bytes, &size);
    }
    capacity_add(call, get->target.given, capacity_read(size, json_bool(call->input, "ConsistentRead", false)));
}
