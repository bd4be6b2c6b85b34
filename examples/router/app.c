/* app.c -- the operation router in C: one POST carries an operation's name, a table and its payload.
 *
 * Behind a non-proxy integration: the event is the request's JSON itself, and what is answered is the answer's JSON. An error
 * answers with its message, and API Gateway finds the status by how that begins (deploy.sh): "Bad request: " is 400, any
 * other 500. The payload is written as an SDK's user writes it, in plain JSON; its items are turned into DynamoDB's
 * attribute values on the way in, and back on the way out. app.py is the same in Python. */
#include "cloudless/dynamodb.h"
#include "cloudless/log.h"

#define BAD_REQUEST "BadRequest", "Bad request: "
#define NAME_SHOWN_MAX 64 /* characters */

static cl_dynamodb *db;

enum { CREATE = 1, READ = 2, UPDATE = 4, DELETE = 8, LIST = 16, KEYED = READ | UPDATE | DELETE, WRITE = CREATE | UPDATE | DELETE, ANY = 31 };

/* Name of an operation here, and of DynamoDB's that does it. */
static const struct operation {
    const char *name, *call;
    unsigned bit;
} operations[] = {
    {"create", "PutItem", CREATE}, {"read", "GetItem", READ}, {"update", "UpdateItem", UPDATE}, {"delete", "DeleteItem", DELETE}, {"list", "Scan", LIST},
};

enum kind { ITEM, NAMES, TEXT, INTEGER, BOOLEAN };
static const char *const described[] = {[ITEM] = "an object", [NAMES] = "an object", [TEXT] = "a string", [INTEGER] = "an integer", [BOOLEAN] = "true or false"};

/* What a payload may hold, and of which operations. */
static const struct member {
    const char *name;
    enum kind kind;
    unsigned operations;
    bool required;
} members[] = {
    {"Item", ITEM, CREATE, true},
    {"Key", ITEM, KEYED, true},
    {"UpdateExpression", TEXT, UPDATE, false},
    {"ConditionExpression", TEXT, WRITE, false},
    {"FilterExpression", TEXT, LIST, false},
    {"ProjectionExpression", TEXT, READ | LIST, false},
    {"ExpressionAttributeNames", NAMES, ANY, false},
    {"ExpressionAttributeValues", ITEM, WRITE | LIST, false},
    {"ReturnValues", TEXT, WRITE, false},
    {"ReturnConsumedCapacity", TEXT, ANY, false},
    {"ConsistentRead", BOOLEAN, READ | LIST, false},
    {"IndexName", TEXT, LIST, false},
    {"Select", TEXT, LIST, false},
    {"Limit", INTEGER, LIST, false},
    {"Segment", INTEGER, LIST, false},
    {"TotalSegments", INTEGER, LIST, false},
    {"ExclusiveStartKey", ITEM, LIST, false},
};
#define MEMBERS (sizeof members / sizeof *members)

static bool is_null(const cl_json *json)
{
    return !json || json->type == CL_NULL;
}

/* The member as DynamoDB wants it, or NULL if it is of another kind. */
static cl_json *converted(cl_arena *arena, enum kind kind, const cl_json *given)
{
    int64_t integer;
    switch (kind) {
    case ITEM: return cl_item_from_json(arena, given);
    case NAMES: return given->type == CL_OBJECT ? cl_json_copy(arena, given) : NULL;
    case TEXT: return given->type == CL_STRING ? cl_json_copy(arena, given) : NULL;
    case INTEGER: return cl_json_i64(given, &integer) ? cl_json_int(arena, integer) : NULL;
    case BOOLEAN: return given->type == CL_TRUE || given->type == CL_FALSE ? cl_json_copy(arena, given) : NULL;
    }
    return NULL;
}

static bool is_known(const struct operation *operation, cl_str name)
{
    for (size_t i = 0; i < MEMBERS; i++)
        if (members[i].operations & operation->bit && cl_str_is(name, members[i].name)) return true;
    return false;
}

/* The payload as DynamoDB's input; NULL: it is wrong, and `answer` says where. */
static cl_json *input_of(cl_context *ctx, const struct operation *operation, const cl_json *payload, cl_answer *answer)
{
    cl_json *input = cl_json_object(ctx->arena);
    for (size_t i = 0; i < MEMBERS; i++) {
        const struct member *member = &members[i];
        const cl_json *given = cl_json_get(payload, member->name);
        if (!(member->operations & operation->bit) || (is_null(given) && !member->required)) continue;
        cl_json *value = is_null(given) ? NULL : converted(ctx->arena, member->kind, given);
        if (is_null(given)) cl_answer_error(answer, BAD_REQUEST "payload.%s: required", member->name);
        else if (!value) cl_answer_error(answer, BAD_REQUEST "payload.%s: expected %s", member->name, described[member->kind]);
        if (!value) return NULL;
        cl_json_set(input, member->name, value);
    }
    for CL_JSON_EACH (given, payload)
        if (!is_known(operation, given->key)) {
            cl_answer_error(answer, BAD_REQUEST "payload." CL_FMT ": unknown member", CL_ARG(given->key));
            return NULL;
        }
    return input;
}

/* An output with its items in plain JSON. */
static cl_json *output_of(cl_arena *arena, const cl_json *output)
{
    static const char *const items[] = {"Item", "Attributes", "LastEvaluatedKey", NULL};
    cl_json *plain = cl_json_object(arena);
    for CL_JSON_EACH (member, output)
        cl_json_set(plain, member->key.p, cl_json_copy(arena, member));
    for (const char *const *name = items; *name; name++)
        if (cl_json_get(output, *name)) cl_json_set(plain, *name, cl_item_to_json(arena, cl_json_get(output, *name)));
    if (cl_json_get(output, "Items")) {
        cl_json *list = cl_json_set(plain, "Items", cl_json_array(arena));
        for CL_JSON_EACH (item, cl_json_get(output, "Items"))
            cl_json_append(list, cl_item_to_json(arena, item));
    }
    return plain;
}

static void call_table(cl_context *ctx, const struct operation *operation, const cl_json *event, cl_answer *answer)
{
    const cl_json *table = cl_json_get(event, "tableName"), *payload = cl_json_get(event, "payload");
    cl_json *input, *output;
    if (!cl_json_is(table, CL_STRING)) {
        cl_answer_error(answer, BAD_REQUEST "tableName: %s", is_null(table) ? "required" : "expected a string");
        return;
    }
    if (!is_null(payload) && payload->type != CL_OBJECT) {
        cl_answer_error(answer, BAD_REQUEST "payload: expected an object");
        return;
    }
    if (!(input = input_of(ctx, operation, payload, answer))) return;
    cl_json_set(input, "TableName", cl_json_string(ctx->arena, table->text));
    cl_ddb_error error = cl_ddb_call(db, ctx, operation->call, input, &output);
    cl_str message = cl_dynamodb_message(db);
    if (!error) {
        cl_answer_json(answer, output_of(ctx->arena, output));
    } else if (error == CL_DDB_VALIDATION || error == CL_DDB_CONDITION_FAILED) {
        cl_answer_error(answer, BAD_REQUEST CL_FMT, CL_ARG(message));
    } else {
        cl_log(CL_ERROR, CL_FMT, CL_ARG(message));
        cl_answer_error(answer, "TableError", "DynamoDB failed: " CL_FMT, CL_ARG(message));
    }
}

/* What was sent, as JSON, its first 64 characters: "there is no \"drop\", ". Empty if it is no text. */
static cl_str unknown(cl_arena *arena, const cl_json *operation)
{
    if (!operation || operation->type != CL_STRING)
        return cl_str_of("");
    cl_str name = cl_json_str(operation);
    size_t characters = 0, n = 0;
    for (; n < name.n; n++)
        if (((unsigned char)name.p[n] & 0xc0) != 0x80 && ++characters > NAME_SHOWN_MAX)
            break;
    cl_str shown = cl_json_text(arena, cl_json_string(arena, (cl_str){name.p, n}));
    return cl_printf(arena, "there is no " CL_FMT ", ", CL_ARG(shown));
}

static void handler(cl_context *ctx, cl_str text, cl_answer *answer)
{
    cl_json *event;
    if (cl_json_parse(ctx->arena, text, &event, NULL) != CL_OK || event->type != CL_OBJECT) {
        cl_answer_error(answer, BAD_REQUEST "the request must be a JSON object, in UTF-8 and at most %d levels deep", CL_JSON_DEPTH_MAX);
        return;
    }
    cl_str name = cl_json_str(cl_json_get(event, "operation"));
    if (cl_str_is(name, "echo")) {
        cl_answer_json(answer, cl_json_get(event, "payload"));
        return;
    }
    if (cl_str_is(name, "ping")) {
        cl_answer_text(answer, cl_str_of("\"pong\""));
        return;
    }
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (cl_str_is(name, operations[i].name)) {
            call_table(ctx, &operations[i], event, answer);
            return;
        }
    cl_answer_error(answer, BAD_REQUEST "operation: " CL_FMT "expected one of create, read, update, delete, list, echo, ping",
                    CL_ARG(unknown(ctx->arena, cl_json_get(event, "operation"))));
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
