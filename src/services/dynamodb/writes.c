/* writes.c -- PutItem, UpdateItem, DeleteItem.
 *
 * needs     reads the input (values, expressions) and names what is to be authorised
 * prepare   checks it against the table's key; on the loop
 * mutate    on the committer: reads the item if anything depends on it, decides, writes. A PutItem without condition and
 *           without a wish for the old item reads nothing but that the table is alive.
 * committed makes the answer, back on the loop
 * Source: API reference of the three operations; order of errors as the service's. */
#include "services/dynamodb/writes.h"
#include "services/dynamodb/item.h"
#include "services/dynamodb/request.h"

enum returns { RETURN_NONE, RETURN_ALL_OLD, RETURN_UPDATED_OLD, RETURN_ALL_NEW, RETURN_UPDATED_NEW };

struct write {
    struct target target;
    const struct value *item;           /* PutItem: the item; else its key */
    struct condition *condition;
    struct update *update;
    enum returns returns;
    bool return_on_failure;             /* ReturnValuesOnConditionCheckFailure: ALL_OLD */
    struct store_key key;
    struct str encoded;                 /* PutItem */
    /* of the run that was committed: */
    struct str old_bytes;               /* STR_NONE: there was no item */
    const struct value *old, *after;
    size_t written;                     /* bytes of the new item */
};

static const char *const write_expressions[] = {"ConditionExpression", NULL}, *const write_legacy[] = {"Expected", NULL};
static const struct expression_usage write_usage = {write_expressions, write_expressions, write_legacy};
static const char *const update_expressions[] = {"UpdateExpression", "ConditionExpression", NULL};
static const char *const update_legacy[] = {"AttributeUpdates", "Expected", NULL};
static const struct expression_usage update_usage = {update_expressions, update_expressions, update_legacy};

/* ---- reading ---- */

static enum returns returns_of(const struct call *call)
{
    static const char *const names[] = {"NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_eq(call_str(call, "ReturnValues"), str_of(names[i])))
            return (enum returns)i;
    return RETURN_NONE;
}

static struct write *write_new(struct call *call)
{
    struct write *w = arena_new_of(call->arena, struct write);
    call->state = w;
    w->returns = returns_of(call);
    w->return_on_failure = str_eq(call_str(call, "ReturnValuesOnConditionCheckFailure"), STR("ALL_OLD"));
    return request_target(call, call_str(call, "TableName"), "tableName", &w->target) ? w : NULL;
}

static bool old_or_none(struct call *call, const struct write *w)
{
    if (w->returns > RETURN_ALL_OLD)
        call_fail(call, "ValidationException", "ReturnValues can only be ALL_OLD or NONE");
    return w->returns <= RETURN_ALL_OLD;
}

static bool read_update(struct call *call, struct write *w, struct expression_params *params)
{
    struct str message;
    bool serialization = false;
    const struct json *legacy = json_at(call->input, "AttributeUpdates");
    if (legacy)
        w->update = update_from_legacy(legacy, call->arena, &message, &serialization);
    else if (call_has(call, "UpdateExpression"))
        w->update = update_parse(call_str(call, "UpdateExpression"), params, call->arena, &message);
    else
        return true;
    return w->update || request_invalid(call, message, serialization);
}

static bool read_expressions(struct call *call, struct write *w, bool update)
{
    struct expression_params *params = request_params(call, call->input);
    return params && (!update || read_update(call, w, params)) &&
           request_condition(call, "ConditionExpression", params, &w->condition) && request_params_used(call, params);
}

static void write_need(struct call *call, struct needs *needs, const struct write *w, const char *action)
{
    struct context_arg arg = {call, needs};
    need_add(needs, action, w->target.arn);
    request_context(call, needs);
    request_leading_key(call, needs, w->target.table, w->item);
    request_context_item(call, needs, w->item);
    condition_attributes(w->condition, request_context_attribute, &arg);
    update_attributes(w->update, request_context_attribute, &arg);
}

void put_item_needs(struct call *call, struct needs *needs)
{
    struct write *w = write_new(call);
    if (!w || !request_usage(call, &write_usage, call->input))
        return;
    w->item = request_item(call, json_at(call->input, "Item"));
    if (!w->item || !old_or_none(call, w))
        return;
    if (item_size(w->item) > ITEM_BYTES_MAX) {
        call_fail(call, "ValidationException", "Item size has exceeded the maximum allowed size");
        return;
    }
    if (read_expressions(call, w, false))
        write_need(call, needs, w, "dynamodb:PutItem");
}

void delete_item_needs(struct call *call, struct needs *needs)
{
    struct write *w = write_new(call);
    if (!w || !request_usage(call, &write_usage, call->input))
        return;
    w->item = request_item(call, json_at(call->input, "Key"));
    if (!w->item || !old_or_none(call, w) || !read_expressions(call, w, false))
        return;
    write_need(call, needs, w, "dynamodb:DeleteItem");
}

void update_item_needs(struct call *call, struct needs *needs)
{
    struct write *w = write_new(call);
    if (!w || !request_usage(call, &update_usage, call->input))
        return;
    w->item = request_item(call, json_at(call->input, "Key"));
    if (!w->item || !read_expressions(call, w, true))
        return;
    write_need(call, needs, w, "dynamodb:UpdateItem");
}

/* ---- against the table ---- */

static bool condition_enters_key(const void *condition, struct str attribute)
{
    return condition_enters(condition, attribute);
}

static bool update_enters_key(const void *update, struct str attribute)
{
    return update_enters(update, attribute);
}

static void write_ready(struct call *call, struct write *w)
{
    if (!request_keys_entered(call, w->target.table, condition_enters_key, w->condition))
        return;
    w->key = table_item_key(w->target.table, w->item, call->arena);
}

void put_item_prepare(struct call *call)
{
    struct write *w = call->state;
    if (!request_target_found(call, &w->target) || !table_item_key_check(call, w->target.table, w->item))
        return;
    write_ready(call, w);
    w->encoded = item_encode(w->item, call->arena);
    w->written = item_size(w->item);
}

void delete_item_prepare(struct call *call)
{
    struct write *w = call->state;
    if (request_target_found(call, &w->target) && table_key_check(call, w->target.table, w->item))
        write_ready(call, w);
}

void update_item_prepare(struct call *call)
{
    struct write *w = call->state;
    if (!request_target_found(call, &w->target) || !table_key_check(call, w->target.table, w->item))
        return;
    const struct str keys[] = {w->target.table->hash.name, w->target.table->range.name};
    for (size_t i = 0; w->update && i < COUNT_OF(keys); i++) {
        if (!keys[i].n || !update_mentions(w->update, keys[i]))
            continue;
        call_fail(call, "ValidationException", "One or more parameter values were invalid: Cannot update attribute " STR_FMT
                                               ". This attribute is part of the key", STR_ARG(keys[i]));
        return;
    }
    if (request_keys_entered(call, w->target.table, update_enters_key, w->update))
        write_ready(call, w);
}

/* ---- in the mutation ---- */

static bool read_old(struct call *call, struct store_txn *txn, struct write *w)
{
    enum err err = store_get(txn, w->key, call->arena, &w->old_bytes);
    if (err == ERR_NOT_FOUND)
        w->old_bytes = STR_NONE;
    else if (err == ERR_OK && (w->condition || w->update) && !(w->old = item_decode(w->old_bytes, call->arena)))
        err = ERR_CORRUPT;
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        call_fail_err(call, err);
    return !call->failed;
}

static bool condition_passes(struct call *call, const struct write *w)
{
    if (!w->condition || condition_holds(w->condition, w->old, call->arena))
        return true;
    call_fail(call, "ConditionalCheckFailedException", "The conditional request failed");
    if (!w->return_on_failure || !w->old_bytes.p)
        return false;
    call->error_fields = json_new(call->arena, JSON_OBJECT);
    json_add(call->error_fields, "Item", request_raw_value(call, w->old));
    return false;
}

/* What every write begins with. The run may be a second one. */
static bool write_begin(struct call *call, struct store_txn *txn, struct write *w, bool needs_old)
{
    w->old_bytes = STR_NONE;
    w->old = w->after = NULL;
    needs_old = needs_old || w->condition || w->returns != RETURN_NONE || request_capacity(call) != CAPACITY_NONE;
    return table_alive(call, txn, w->target.table) && (!needs_old || read_old(call, txn, w)) && condition_passes(call, w);
}

void put_item_mutate(struct call *call, struct store_txn *txn)
{
    struct write *w = call->state;
    if (write_begin(call, txn, w, false))
        store_put(txn, w->key, w->encoded);
}

void delete_item_mutate(struct call *call, struct store_txn *txn)
{
    struct write *w = call->state;
    if (write_begin(call, txn, w, false))
        store_delete(txn, w->key);
}

void update_item_mutate(struct call *call, struct store_txn *txn)
{
    struct write *w = call->state;
    struct str message;
    if (!write_begin(call, txn, w, true))
        return;
    const struct value *before = w->old ? w->old : w->item;
    w->written = 0;
    if (!w->update && w->old_bytes.p) {                 /* nothing to change */
        w->after = w->old = item_decode(w->old_bytes, call->arena);
        if (!w->after)
            call_fail_err(call, ERR_CORRUPT);
        return;
    }
    w->after = w->update ? update_apply(w->update, before, call->arena, &message) : before;
    if (!w->after) {
        request_invalid(call, message, false);
        return;
    }
    w->written = item_size(w->after);
    if (w->written > ITEM_BYTES_MAX)
        call_fail(call, "ValidationException", "Item size to update has exceeded the maximum allowed size");
    else if (w->update && update_only_removes(w->update) && !w->old)
        w->after = NULL;
    else
        store_put(txn, w->key, item_encode(w->after, call->arena));
}

/* ---- the answer ---- */

static struct json *attributes(struct call *call, const struct write *w)
{
    const struct value *from = w->returns == RETURN_UPDATED_NEW ? w->after : w->old;
    switch (w->returns) {
    case RETURN_ALL_OLD:
        return w->old_bytes.p ? request_raw_item(call, w->old_bytes) : NULL;
    case RETURN_ALL_NEW:
        return w->after ? request_raw_value(call, w->after) : NULL;
    case RETURN_UPDATED_OLD: case RETURN_UPDATED_NEW:
        from = from && w->update ? update_touched(w->update, from, call->arena) : NULL;
        return from && from->count ? request_raw_value(call, from) : NULL;
    default:
        return NULL;
    }
}

void write_committed(struct call *call)
{
    struct write *w = call->state;
    size_t old = 0;
    struct json *shown = attributes(call, w);
    if (call->failed)
        return;
    if (shown)
        json_add(request_output(call), "Attributes", shown);
    if (w->old_bytes.p)
        item_bytes_size(w->old_bytes, &old);
    capacity_add(call, w->target.given, capacity_write(old > w->written ? old : w->written));
}
