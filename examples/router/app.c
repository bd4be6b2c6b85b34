/* app.c -- the operation router in C: one POST carries an operation's name, a table and its payload.
 *
 * Behind a non-proxy integration: the event is the request's JSON itself, and what is answered is the answer's JSON.
 * The payload is written as an SDK's user writes it, in plain JSON; the members that hold items or values are turned
 * into DynamoDB's attribute values on the way in, and back on the way out. app.py is the same in Python. */
#include "cloudless/dynamodb.h"
#include "cloudless/log.h"

static cl_dynamodb *db;

/* Name of an operation here, and of DynamoDB's that does it. */
static const struct {
    const char *name, *operation;
} operations[] = {
    {"create", "PutItem"}, {"read", "GetItem"}, {"update", "UpdateItem"}, {"delete", "DeleteItem"}, {"list", "Scan"},
};

/* Members that are maps of values, and those that are lists of such maps. */
static const char *const maps[] = {"Item", "Key", "ExclusiveStartKey", "ExpressionAttributeValues", "Attributes", "LastEvaluatedKey", NULL};
static const char *const lists[] = {"Items", NULL};

static bool named(const char *const *names, cl_str name)
{
    for (; *names; names++)
        if (cl_str_is(name, *names)) return true;
    return false;
}

typedef cl_json *convert(cl_arena *arena, const cl_json *map);

static cl_json *convert_list(cl_arena *arena, const cl_json *list, convert *each)
{
    cl_json *ret = cl_json_array(arena);
    for CL_JSON_EACH (map, list)
        cl_json_append(ret, each(arena, map));
    return ret;
}

/* A copy of an input or output in which every item went through `each`. */
static cl_json *convert_items(cl_arena *arena, const cl_json *from, convert *each)
{
    cl_json *ret = cl_json_object(arena);
    for CL_JSON_EACH (member, from) {
        cl_json *to;
        if (named(maps, member->key) && member->type == CL_OBJECT) to = each(arena, member);
        else if (named(lists, member->key)) to = convert_list(arena, member, each);
        else to = cl_json_copy(arena, member);
        cl_json_set(ret, member->key.p, to);
    }
    return ret;
}

static void call_table(cl_context *ctx, const char *operation, const cl_json *event, cl_answer *answer)
{
    const cl_json *table = cl_json_get(event, "tableName");
    if (!cl_json_is(table, CL_STRING)) {
        cl_answer_error(answer, "KeyError", "'tableName'");
        return;
    }
    cl_json *input = convert_items(ctx->arena, cl_json_get(event, "payload"), cl_item_from_json), *output;
    cl_json_set(input, "TableName", cl_json_string(ctx->arena, table->text));
    if (cl_ddb_call(db, ctx, operation, input, &output)) {
        cl_str message = cl_dynamodb_message(db);
        cl_log(CL_ERROR, CL_FMT, CL_ARG(message));
        cl_answer_error(answer, "TableError", CL_FMT, CL_ARG(message));
        return;
    }
    cl_answer_json(answer, convert_items(ctx->arena, output, cl_item_to_json));
}

static void handler(cl_context *ctx, cl_str text, cl_answer *answer)
{
    cl_json *event;
    if (cl_json_parse(ctx->arena, text, &event, NULL) != CL_OK || event->type != CL_OBJECT) {
        cl_answer_error(answer, "ValueError", "the request must be a JSON object");
        return;
    }
    cl_str operation = cl_json_str(cl_json_get(event, "operation"));
    const cl_json *payload = cl_json_get(event, "payload");
    if (cl_str_is(operation, "echo")) {
        cl_answer_json(answer, payload ? payload : cl_json_object(ctx->arena));
        return;
    }
    if (cl_str_is(operation, "ping")) {
        cl_answer_text(answer, cl_str_of("\"pong\""));
        return;
    }
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (cl_str_is(operation, operations[i].name)) {
            call_table(ctx, operations[i].operation, event, answer);
            return;
        }
    cl_answer_error(answer, "ValueError", "unknown operation: '" CL_FMT "'", CL_ARG(operation));
}

static cl_result init(void *arg, cl_str *message)
{
    (void)arg;
    return cl_dynamodb_open(&db, message);
}

int main(void)
{
    return cl_run_with(handler, &(cl_options){.init = init});
}
