/* ddb_batch.c -- many items in one call: BatchGetItem, BatchWriteItem, and transactions.
 *
 * A batch works through an array of requests (keys to get, puts and deletions) from the front. What DynamoDB leaves
 * unprocessed goes back into the places that it was taken from, so that the array never grows and the order is about kept;
 * a round without progress is followed by a pause, as a try that was throttled. That ends with the deadline or, where there
 * is none, with CL__DDB_TRIES_MAX such rounds.
 * An answer must say what became of every request: one that lacks its maps, or has another table's, is refused, for what it
 * leaves out would count as done.
 * Source: Amazon DynamoDB API reference, "BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems". */
#include "ddb.h"

#define STEPS_MAX 100

static const struct batch {
    const char *operation, *unprocessed;
    size_t max;         /* requests in a call */
    const char *list;   /* a table's requests stand in this member of an object; NULL: in an array of their own */
    const char *found;  /* what the answer's items stand in; NULL: it has none */
} batch_get = {"BatchGetItem", "UnprocessedKeys", 100, "Keys", "Responses"},
  batch_write = {"BatchWriteItem", "UnprocessedItems", 25, NULL, NULL};

/* ---- batches of one table ---- */

static cl_json *input_of(const struct batch *batch, cl_arena *arena, cl_str table, cl_json *const *requests, size_t count,
                         cl_json **ret_table)
{
    cl_json *input = cl_json_object(arena), *tables = cl_json_object(arena), *list = cl_json_array(arena);
    for (size_t i = 0; i < count; i++)
        cl_json_append(list, requests[i]);
    *ret_table = list;
    if (batch->list) {
        *ret_table = cl_json_object(arena);
        cl_json_set(*ret_table, batch->list, list);
    }
    cl__ddb_add(tables, table, *ret_table);
    cl_json_set(input, "RequestItems", tables);
    return input;
}

/* A table's name, out of its ARN if it is one: an answer may have either. */
static cl_str name_of(cl_str table)
{
    static const char before[] = ":table/";
    const char *at = table.n > 0 ? memmem(table.p, table.n, before, sizeof before - 1) : NULL;
    if (at)
        table = (cl_str){at + sizeof before - 1, table.n - (size_t)(at - table.p) - (sizeof before - 1)};
    return table;
}

/* The objects that the answer has in that map for the one table: *ret_first, one after the other, and how many. False: there
 * is no such map, or it has something else. */
static bool of_table(const cl_json *answer, const char *member, const char *inner, cl_str table, cl_json **ret_first,
                     size_t *ret_n)
{
    const cl_json *tables = cl_json_get(answer, member), *list = tables ? tables->first : NULL;
    if (!cl_json_is(tables, CL_OBJECT) || tables->count > 1 || (list && !cl_str_eq(name_of(list->key), name_of(table))))
        return false;
    *ret_first = NULL, *ret_n = 0;
    if (!list)
        return true;
    if (inner)
        list = cl__ddb_child(list, inner, CL_ARRAY);
    if (!cl_json_is(list, CL_ARRAY) || !cl__ddb_all_objects(list))
        return false;
    *ret_first = list->first, *ret_n = list->count;
    return true;
}

/* Takes the items that were found, and puts what was left undone into the last of the n places; *ret: how many that is. False:
 * this is no answer to the n requests. */
static bool take_answer(const struct batch *batch, const cl_json *answer, cl_str table, cl_json **requests, size_t n,
                        cl_json *items, size_t *ret)
{
    cl_json *request, *item = NULL;
    size_t item_count = 0;
    if (!of_table(answer, batch->unprocessed, batch->list, table, &request, ret) ||
        (batch->found && !of_table(answer, batch->found, NULL, table, &item, &item_count)) || *ret > n || item_count > n - *ret)
        return false;
    for (size_t i = n - *ret; i < n; i++, request = request->next)
        requests[i] = request;
    while (item) {
        cl_json *next = item->next;
        cl_json_append(items, item);
        item = next;
    }
    return true;
}

/* items: where those found go; NULL for writes. */
static cl_ddb_error run(const struct batch *batch, cl_dynamodb *db, cl_context *ctx, cl_str table, cl_json **requests, size_t count,
                        const cl_ddb_options *options, cl_json *items)
{
    int64_t deadline_ms = cl__ddb_deadline(ctx);
    unsigned idle = 0; /* rounds without progress */
    for (size_t at = 0; at < count;) {
        size_t n = count - at < batch->max ? count - at : batch->max, left = 0;
        cl_json *answer = NULL, *of = NULL;
        cl_json *input = input_of(batch, ctx->arena, table, requests + at, n, &of);
        cl_ddb_error error = cl__ddb_options(db, CL__DDB_BATCH_GET, batch->operation, options, ctx->arena, of);
        if (error == CL_DDB_OK)
            error = cl_ddb_call(db, ctx, batch->operation, input, &answer);
        if (error != CL_DDB_OK)
            return error;
        if (!take_answer(batch, answer, table, requests + at, n, items, &left))
            return cl__ddb_refuse(db, CL_DDB_ANSWER, "%s: the answer does not say what became of the requests", batch->operation);
        at += n - left;
        idle = left < n ? 0 : idle + 1;
        if (idle == CL__DDB_TRIES_MAX && deadline_ms == CL__NO_DEADLINE)
            return cl__ddb_refuse(db, CL_DDB_THROTTLED, "%s: %zu left unprocessed after all tries", batch->operation, count - at);
        if (left > 0 && !cl__ddb_pause(deadline_ms, idle + 1))
            return cl__ddb_refuse(db, CL_DDB_DEADLINE, "%s: no time left for %zu unprocessed", batch->operation, count - at);
    }
    return CL_DDB_OK;
}

cl_ddb_error cl_ddb_batch_get(cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *const *keys, size_t count,
                              const cl_ddb_options *options, cl_json **ret_items)
{
    cl_json **requests = cl_alloc_array(ctx->arena, sizeof *requests, count ? count : 1), *items = cl_json_array(ctx->arena);
    for (size_t i = 0; requests && i < count; i++)
        requests[i] = cl__ddb_alias(ctx->arena, keys[i]);
    if (cl_arena_failed(ctx->arena))
        return cl__ddb_no_memory(db, batch_get.operation);
    cl_ddb_error error = run(&batch_get, db, ctx, table, requests, count, options, items);
    if (error == CL_DDB_OK && ret_items)
        *ret_items = items;
    return error;
}

static cl_json *write_request(cl_arena *arena, const char *kind, const char *member, const cl_item *item)
{
    cl_json *request = cl_json_object(arena), *inner = cl_json_object(arena);
    cl_json_set(inner, member, cl__ddb_alias(arena, item));
    cl_json_set(request, kind, inner);
    return request;
}

cl_ddb_error cl_ddb_batch_write(cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *const *puts, size_t put_count,
                                const cl_item *const *delete_keys, size_t delete_count)
{
    size_t count = put_count + delete_count;
    cl_json **requests = cl_alloc_array(ctx->arena, sizeof *requests, count ? count : 1);
    for (size_t i = 0; requests && i < put_count; i++)
        requests[i] = write_request(ctx->arena, "PutRequest", "Item", puts[i]);
    for (size_t i = 0; requests && i < delete_count; i++)
        requests[put_count + i] = write_request(ctx->arena, "DeleteRequest", "Key", delete_keys[i]);
    if (cl_arena_failed(ctx->arena))
        return cl__ddb_no_memory(db, batch_write.operation);
    return run(&batch_write, db, ctx, table, requests, count, NULL, NULL);
}

/* ---- transactions ---- */

static const struct action {
    const char *name, *item;
    unsigned kind;
    bool update;
} actions[] = {[CL_DDB_PUT] = {"Put", "Item", CL__DDB_STEP_WRITE, false},
               [CL_DDB_UPDATE] = {"Update", "Key", CL__DDB_STEP_WRITE, true},
               [CL_DDB_DELETE] = {"Delete", "Key", CL__DDB_STEP_WRITE, false},
               [CL_DDB_CHECK] = {"ConditionCheck", "Key", CL__DDB_STEP_WRITE, false},
               [CL_DDB_GET] = {"Get", "Key", CL__DDB_STEP_GET, false}};

static cl_ddb_error transact(cl_dynamodb *db, cl_context *ctx, const char *operation, unsigned kind, const cl_ddb_step *steps,
                             size_t count, const char *token, cl_json **ret)
{
    cl_arena *arena = ctx->arena;
    cl_json *input = cl_json_object(arena), *list = cl_json_array(arena);
    if (count == 0 || count > STEPS_MAX)
        return cl__ddb_refuse(db, CL_DDB_VALIDATION, "%s: expected 1 to %d steps", operation, STEPS_MAX);
    for (size_t i = 0; i < count; i++) {
        const cl_ddb_step *step = &steps[i];
        const struct action *action = (size_t)step->action < CL__COUNT(actions) ? &actions[step->action] : NULL;
        if (!action || action->kind != kind || (step->update && !action->update))
            return cl__ddb_refuse(db, CL_DDB_VALIDATION, "%s: step %zu is not one of its actions", operation, i + 1);
        cl_json *outer = cl_json_object(arena), *inner = cl_json_object(arena);
        cl_json_set(inner, "TableName", cl_json_string(arena, step->table));
        cl_json_set(inner, action->item, cl__ddb_alias(arena, step->item));
        cl_json_set(inner, "UpdateExpression", cl__ddb_text(arena, step->update));
        cl_ddb_error error = cl__ddb_options(db, kind, operation, &step->options, arena, inner);
        if (error != CL_DDB_OK)
            return error;
        cl_json_set(outer, action->name, inner);
        cl_json_append(list, outer);
    }
    cl_json_set(input, "TransactItems", list);
    cl_json_set(input, "ClientRequestToken", cl__ddb_text(arena, token));
    return cl_ddb_call(db, ctx, operation, input, ret);
}

cl_ddb_error cl_ddb_transact_write(cl_dynamodb *db, cl_context *ctx, const cl_ddb_step *steps, size_t count, const char *token)
{
    /* Always with a token: then the retries of a broken connection do nothing twice. */
    if (!token)
        token = cl_uuid(ctx->arena).p;
    if (!token)
        return cl__ddb_no_memory(db, "TransactWriteItems");
    return transact(db, ctx, "TransactWriteItems", CL__DDB_STEP_WRITE, steps, count, token, NULL);
}

cl_ddb_error cl_ddb_transact_get(cl_dynamodb *db, cl_context *ctx, const cl_ddb_step *steps, size_t count, cl_json **ret_items)
{
    cl_json *answer = NULL, *items = cl_json_array(ctx->arena);
    cl_ddb_error error = transact(db, ctx, "TransactGetItems", CL__DDB_STEP_GET, steps, count, NULL, &answer);
    if (error != CL_DDB_OK)
        return error;
    const cl_json *responses = cl_json_get(answer, "Responses");
    if (!cl_json_is(responses, CL_ARRAY) || responses->count != count)
        return cl__ddb_refuse(db, CL_DDB_ANSWER, "TransactGetItems: the answer has not one response for each step");
    for CL_JSON_EACH(response, responses) {
        cl_json *item;
        if (!cl__ddb_optional(response, "Item", &item))
            return cl__ddb_refuse(db, CL_DDB_ANSWER, "TransactGetItems: a response is no item");
        cl_json_append(items, item ? item : cl_json_null(ctx->arena));
    }
    if (cl_arena_failed(ctx->arena))
        return cl__ddb_no_memory(db, "TransactGetItems");
    if (ret_items)
        *ret_items = items;
    return CL_DDB_OK;
}
