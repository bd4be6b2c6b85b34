/* ddb_typed.c -- the typed calls of one item and the pages of Query and Scan. Each builds the input of an operation and
 * gives it to cl_ddb_call. Source: Amazon DynamoDB API reference. */
#include "ddb.h"

/* ---- options ---- */

typedef enum option_type { OPTION_TEXT, OPTION_JSON, OPTION_TRUE, OPTION_FALSE, OPTION_COUNT, OPTION_OURS } option_type;

#define CONDITIONAL (CL__DDB_PUT | CL__DDB_UPDATE | CL__DDB_DELETE | CL__DDB_STEP_WRITE)
#define READING     (CL__DDB_GET | CL__DDB_QUERY | CL__DDB_SCAN | CL__DDB_BATCH_GET)
#define PAGED       (CL__DDB_QUERY | CL__DDB_SCAN)
#define AT(member)  offsetof(cl_ddb_options, member)

/* A member of cl_ddb_options, what it is called, and the operations that have it. */
static const struct option {
    const char *name;
    size_t offset;
    option_type type;
    unsigned kinds;
} options_table[] = {
    {"ConditionExpression", AT(condition), OPTION_TEXT, CONDITIONAL},
    {"KeyConditionExpression", AT(condition), OPTION_TEXT, CL__DDB_QUERY},
    {"FilterExpression", AT(filter), OPTION_TEXT, PAGED},
    {"ProjectionExpression", AT(projection), OPTION_TEXT, READING | CL__DDB_STEP_GET},
    {"ExpressionAttributeNames", AT(names), OPTION_JSON, CONDITIONAL | READING | CL__DDB_STEP_GET},
    {"ExpressionAttributeValues", AT(values), OPTION_JSON, CONDITIONAL | PAGED},
    {"ReturnValues", AT(return_values), OPTION_TEXT, CL__DDB_PUT | CL__DDB_UPDATE | CL__DDB_DELETE},
    {"ConsistentRead", AT(consistent), OPTION_TRUE, READING},
    {"IndexName", AT(index), OPTION_TEXT, PAGED},
    {"ScanIndexForward", AT(descending), OPTION_FALSE, CL__DDB_QUERY},
    {"Limit", AT(limit), OPTION_COUNT, PAGED},
    {"ExclusiveStartKey", AT(start), OPTION_JSON, PAGED},
    {"page_arena", AT(page_arena), OPTION_OURS, PAGED},
};

/* An option is set if it is not zero. Its JSON; NULL without memory, and for what is not sent. */
static bool is_set(const struct option *option, const cl_ddb_options *options)
{
    const char *at = (const char *)options + option->offset;
    const void *pointer;
    int number;
    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_JSON:
    case OPTION_OURS:
        memcpy(&pointer, at, sizeof pointer);
        return pointer != NULL;
    case OPTION_TRUE:
    case OPTION_FALSE:
        return *(const bool *)at;
    case OPTION_COUNT:
        memcpy(&number, at, sizeof number);
        return number != 0;
    }
    return false;
}

static cl_json *json_of(const struct option *option, const cl_ddb_options *options, cl_arena *arena)
{
    const char *at = (const char *)options + option->offset;
    const char *text;
    const cl_json *json;
    int number;
    switch (option->type) {
    case OPTION_TEXT:
        memcpy(&text, at, sizeof text);
        return cl__ddb_text(arena, text);
    case OPTION_JSON:
        memcpy(&json, at, sizeof json);
        return cl__ddb_alias(arena, json);
    case OPTION_TRUE:
    case OPTION_FALSE:
        return cl_json_bool(arena, option->type == OPTION_TRUE);
    case OPTION_COUNT:
        memcpy(&number, at, sizeof number);
        return cl_json_int(arena, number);
    case OPTION_OURS:
        break;
    }
    return NULL;
}

cl_ddb_error cl__ddb_options(cl_dynamodb *db, unsigned kind, const char *operation, const cl_ddb_options *options, cl_arena *arena,
                             cl_json *input)
{
    uint32_t taken = 0; /* a bit for each row that is sent; a member may have several rows */
    if (!options)
        return CL_DDB_OK;
    for (size_t i = 0; i < CL__COUNT(options_table); i++)
        if (options_table[i].kinds & kind && is_set(&options_table[i], options)) {
            cl_json_set(input, options_table[i].name, json_of(&options_table[i], options, arena));
            taken |= 1u << i;
        }
    for (size_t i = 0; i < CL__COUNT(options_table); i++) {
        bool sent = !is_set(&options_table[i], options);
        for (size_t j = 0; j < CL__COUNT(options_table); j++)
            sent = sent || (taken >> j & 1 && options_table[j].offset == options_table[i].offset);
        if (!sent)
            return cl__ddb_refuse(db, CL_DDB_VALIDATION, "%s has no %s", operation, options_table[i].name);
    }
    return CL_DDB_OK;
}

/* ---- one item ---- */

static const struct single {
    const char *operation, *item, *result;
    unsigned kind;
} singles[] = {{"GetItem", "Key", "Item", CL__DDB_GET},
               {"PutItem", "Item", "Attributes", CL__DDB_PUT},
               {"UpdateItem", "Key", "Attributes", CL__DDB_UPDATE},
               {"DeleteItem", "Key", "Attributes", CL__DDB_DELETE}};
enum { GET, PUT, UPDATE, DELETE };

static cl_ddb_error one_item(const struct single *single, cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *item,
                             const char *update, const cl_ddb_options *options, cl_item **ret)
{
    cl_json *input = cl_json_object(ctx->arena), *answer = NULL, *found = NULL;
    cl_json_set(input, "TableName", cl_json_string(ctx->arena, table));
    cl_json_set(input, single->item, cl__ddb_alias(ctx->arena, item));
    cl_json_set(input, "UpdateExpression", cl__ddb_text(ctx->arena, update));
    cl_ddb_error error = cl__ddb_options(db, single->kind, single->operation, options, ctx->arena, input);
    if (error == CL_DDB_OK)
        error = cl_ddb_call(db, ctx, single->operation, input, &answer);
    if (error != CL_DDB_OK)
        return error;
    if (!cl__ddb_optional(answer, single->result, &found))
        return cl__ddb_refuse(db, CL_DDB_ANSWER, "%s: %s is no item", single->operation, single->result);
    if (ret)
        *ret = found;
    return CL_DDB_OK;
}

cl_ddb_error cl_ddb_get(cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *key, const cl_ddb_options *options,
                        cl_item **ret)
{
    return one_item(&singles[GET], db, ctx, table, key, NULL, options, ret);
}

cl_ddb_error cl_ddb_put(cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *item, const cl_ddb_options *options,
                        cl_item **ret)
{
    return one_item(&singles[PUT], db, ctx, table, item, NULL, options, ret);
}

cl_ddb_error cl_ddb_update(cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *key, const char *update,
                           const cl_ddb_options *options, cl_item **ret)
{
    return one_item(&singles[UPDATE], db, ctx, table, key, update, options, ret);
}

cl_ddb_error cl_ddb_delete(cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *key, const cl_ddb_options *options,
                           cl_item **ret)
{
    return one_item(&singles[DELETE], db, ctx, table, key, NULL, options, ret);
}

/* ---- pages ---- */

/* This, the input and last keys live in the invocation's arena; answers in page_arena if there is one, until the next page. */
struct pages {
    cl_dynamodb *db;
    cl_context *ctx;
    cl_arena *page_arena;
    const char *operation;
    cl_json *input;
    cl_json *item; /* the next one of the page, NULL: the page is over */
    bool more;     /* another page can be asked for */
};

static void start_pages(cl_ddb_pages *pages, cl_dynamodb *db, cl_context *ctx, unsigned kind, cl_str table,
                        const cl_ddb_options *options)
{
    *pages = (cl_ddb_pages){.error = CL_DDB_OK};
    const char *operation = kind == CL__DDB_QUERY ? "Query" : "Scan";
    struct pages *state = cl_alloc(ctx->arena, sizeof *state);
    cl_json *input = cl_json_object(ctx->arena);
    if (!state || !input) {
        pages->error = cl__ddb_no_memory(db, operation);
        return;
    }
    *state = (struct pages){.db = db, .ctx = ctx, .operation = operation, .input = input, .more = true};
    state->page_arena = options && options->page_arena != ctx->arena ? options->page_arena : NULL;
    cl_json_set(input, "TableName", cl_json_string(ctx->arena, table));
    pages->error = cl__ddb_options(db, kind, operation, options, ctx->arena, input);
    if (!pages->error && cl_arena_failed(ctx->arena))
        pages->error = cl__ddb_no_memory(db, operation); /* the input may lack a part */
    pages->state = state;
}

void cl_ddb_query(cl_ddb_pages *pages, cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_ddb_options *options)
{
    start_pages(pages, db, ctx, CL__DDB_QUERY, table, options);
}

void cl_ddb_scan(cl_ddb_pages *pages, cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_ddb_options *options)
{
    start_pages(pages, db, ctx, CL__DDB_SCAN, table, options);
}

/* The next page's items, or NULL at the end and for an error. */
static cl_json *read_page(cl_ddb_pages *pages)
{
    struct pages *state = pages->state;
    cl_json *answer = NULL;
    int64_t scanned = 0;
    if (!state || pages->error || !state->more)
        return NULL;
    state->more = false;
    cl_arena *arena = state->ctx->arena;
    cl_context ctx = *state->ctx;
    if (state->page_arena) {
        cl_arena_reset(state->page_arena);
        ctx.arena = state->page_arena;
    }
    pages->error = cl_ddb_call(state->db, &ctx, state->operation, state->input, &answer);
    if (pages->error)
        return NULL;
    cl_json *items = cl__ddb_child(answer, "Items", CL_ARRAY), *last_key;
    if (!items || !cl__ddb_all_objects(items) || !cl__ddb_optional(answer, "LastEvaluatedKey", &last_key)) {
        pages->error = cl__ddb_refuse(state->db, CL_DDB_ANSWER, "%s: the answer is no page of items", state->operation);
        return NULL;
    }
    pages->last_key = state->page_arena ? cl_json_copy(arena, last_key) : last_key;
    if (cl_json_i64(cl_json_get(answer, "ScannedCount"), &scanned) && scanned > 0 && scanned < INT32_MAX)
        pages->scanned += scanned;
    if (last_key) {
        cl_json_set(state->input, "ExclusiveStartKey", cl__ddb_alias(arena, pages->last_key));
        state->more = true;
        if (cl_arena_failed(arena)) {
            pages->error = cl__ddb_no_memory(state->db, state->operation);
            return NULL;
        }
    }
    return items;
}

bool cl_ddb_next_page(cl_ddb_pages *pages, cl_json **ret_items)
{
    cl_json *items = read_page(pages);
    if (items)
        *ret_items = items;
    return items != NULL;
}

bool cl_ddb_next(cl_ddb_pages *pages, cl_item **ret)
{
    struct pages *state = pages->state;
    if (!state)
        return false;
    while (!state->item) { /* a filter may leave pages empty */
        const cl_json *items = read_page(pages);
        if (!items)
            return false;
        state->item = items->first;
    }
    *ret = state->item;
    state->item = state->item->next;
    return true;
}
