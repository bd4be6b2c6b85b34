/* dynamodb.h -- Amazon DynamoDB from C: items as DynamoDB's JSON or as typed attributes, signed, retried, paged.
 *
 * Configuration by environment, as the SDKs: AWS_REGION (or AWS_DEFAULT_REGION), AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_DYNAMODB or AWS_ENDPOINT_URL (http:// only to a loopback
 * address or where the operator says so by that very variable); otherwise https://dynamodb.REGION.amazonaws.com with the
 * certificates of the system (or those of AWS_CA_BUNDLE or SSL_CERT_FILE). Connections are kept. Retries: throttling, 5xx
 * and broken connections, at most 5 tries, back-off with full jitter from 25 ms to a second. A try has half of the time that
 * is left (all of it below half a second), at most 10 s, and then counts as a broken connection. All of it, the look-up of a
 * host's name too, ends a tenth of the remaining time, at most 100 ms, before the deadline, so that the function can still
 * answer; a context whose deadline_ms is 0 has none. A write whose connection broke is sent again, as AWS's SDKs do: it may
 * have happened already.
 * A client belongs to one thread. Items and answers live in the arena of the call, messages where base.h says. */
#ifndef CLOUDLESS_DYNAMODB_H
#define CLOUDLESS_DYNAMODB_H
#include "cloudless/function.h"
CL_BEGIN

typedef struct cl_dynamodb cl_dynamodb;

typedef enum cl_ddb_error {
    CL_DDB_OK = 0,
    CL_DDB_CONDITION_FAILED,        /* ConditionalCheckFailedException */
    CL_DDB_TABLE_NOT_FOUND,         /* ResourceNotFoundException */
    CL_DDB_VALIDATION,              /* ValidationException, SerializationException */
    CL_DDB_ACCESS_DENIED,           /* AccessDeniedException, UnrecognizedClientException, expired or missing tokens */
    CL_DDB_THROTTLED,               /* after all retries */
    CL_DDB_TRANSACTION_CANCELED,    /* the message has the reasons */
    CL_DDB_TRANSACTION_CONFLICT,    /* TransactionConflictException, ReplicatedWriteConflictException */
    CL_DDB_TOO_LARGE,               /* ItemCollectionSizeLimitExceededException, an answer above 16 MiB */
    CL_DDB_SERVER,                  /* 5xx and RequestTimeout, after all retries */
    CL_DDB_UNREACHABLE,             /* no connection, or no answer, after all retries */
    CL_DDB_DEADLINE,
    CL_DDB_NO_MEMORY,
    CL_DDB_ANSWER,                  /* an answer that is no DynamoDB's */
    CL_DDB_OTHER                    /* the message names its type */
} cl_ddb_error;

CL_API const char *cl_ddb_error_name(cl_ddb_error error);

/* Reads the environment; connects with the first call. CL_CONFIG and a sentence when something is missing. */
CL_API cl_result cl_dynamodb_open(cl_dynamodb **ret, cl_str *message);
CL_API void cl_dynamodb_close(cl_dynamodb *db);             /* NULL is fine */
/* Of the last call, "GetItem on table: ResourceNotFoundException: …"; until the next. */
CL_API cl_str cl_dynamodb_message(const cl_dynamodb *db);

/* Items are maps of attribute values in DynamoDB's JSON, {"id":{"S":"1"}}. These make and read them: */
typedef cl_json cl_item;
CL_API cl_item *cl_item_new(cl_arena *arena);
CL_API void cl_item_s(cl_arena *arena, cl_item *item, const char *name, cl_str value);
CL_API void cl_item_n(cl_arena *arena, cl_item *item, const char *name, cl_str number);      /* its text */
CL_API void cl_item_i(cl_arena *arena, cl_item *item, const char *name, int64_t value);
CL_API void cl_item_bool(cl_arena *arena, cl_item *item, const char *name, bool value);
CL_API void cl_item_null(cl_arena *arena, cl_item *item, const char *name);
CL_API void cl_item_b(cl_arena *arena, cl_item *item, const char *name, cl_str bytes);
CL_API void cl_item_ss(cl_arena *arena, cl_item *item, const char *name, const cl_str *values, size_t count);     /* a set */
CL_API void cl_item_ns(cl_arena *arena, cl_item *item, const char *name, const cl_str *numbers, size_t count);
CL_API void cl_item_json(cl_arena *arena, cl_item *item, const char *name, const cl_json *plain);    /* any plain JSON */
CL_API cl_str cl_item_get_s(const cl_item *item, const char *name);         /* of S; empty if absent */
CL_API cl_str cl_item_get_n(const cl_item *item, const char *name);         /* of N: its text */
CL_API bool cl_item_get_i(const cl_item *item, const char *name, int64_t *ret);
CL_API bool cl_item_get_bool(const cl_item *item, const char *name);
/* Plain JSON ↔ DynamoDB's: strings S, numbers N (text kept), booleans, null, arrays L, objects M. To plain: sets become
 * arrays, binary base64 strings; what is no attribute value becomes null. */
CL_API cl_json *cl_item_to_json(cl_arena *arena, const cl_item *item);
CL_API cl_item *cl_item_from_json(cl_arena *arena, const cl_json *object);
/* One value, {"S":"1"}. */
CL_API cl_json *cl_value_of(cl_arena *arena, const cl_json *plain);
CL_API cl_json *cl_value_to_json(cl_arena *arena, const cl_json *value);

/* What the calls share; a member left zero is not sent, one that the operation does not have is CL_DDB_VALIDATION. */
typedef struct cl_ddb_options {
    const char *condition;          /* ConditionExpression, or of Query KeyConditionExpression */
    const char *filter;             /* FilterExpression */
    const char *projection;
    const cl_json *names;           /* {"#t":"title"} */
    const cl_json *values;          /* {":t":{"S":"…"}} */
    const char *return_values;      /* "ALL_OLD", "ALL_NEW", … */
    bool consistent;                /* ConsistentRead */
    const char *index;
    bool descending;                /* ScanIndexForward false */
    int limit;                      /* of a page; 0: none */
    const cl_item *start;           /* ExclusiveStartKey */
    cl_arena *page_arena;           /* of Query and Scan, see there */
} cl_ddb_options;

/* `options` may be NULL, `ret` too where nothing is wanted. *ret of get: NULL when there is no such item; of put and
 * delete: the old item with "ALL_OLD"; of update: the attributes that return_values asks for. */
CL_API cl_ddb_error cl_ddb_get(cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *key, const cl_ddb_options *options,
                               cl_item **ret);
CL_API cl_ddb_error cl_ddb_put(cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *item, const cl_ddb_options *options,
                               cl_item **ret);
CL_API cl_ddb_error cl_ddb_update(cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *key, const char *update,
                                  const cl_ddb_options *options, cl_item **ret);
CL_API cl_ddb_error cl_ddb_delete(cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *key, const cl_ddb_options *options,
                                  cl_item **ret);

/* Query and Scan as one iterator over all pages:
 *     cl_ddb_pages pages;
 *     for (cl_ddb_query(&pages, db, ctx, table, &options); cl_ddb_next(&pages, &item);) { … }
 *     if (pages.error) …
 * All items stay in ctx->arena: of each megabyte of JSON that comes, 3 MB where strings are long and 10 MB where there are many
 * small attributes, and a page may be a few megabytes. A function that reads a large table and keeps little of it gives an
 * arena for the pages, which is emptied for each one. Then an item is gone when the next page comes, and so is what shares its
 * strings, as cl_item_to_json does; cl_dup and cl_json_copy keep what is wanted longer.
 *     cl_ddb_options options = {.page_arena = cl_arena_new(0)};
 *     …
 *     cl_arena_free(options.page_arena);
 */
typedef struct cl_ddb_pages {
    cl_ddb_error error;
    cl_item *last_key;              /* where the last page ended; NULL at the end */
    int64_t scanned;                /* ScannedCount so far */
    void *state;                    /* the library's, in ctx->arena, as last_key is */
} cl_ddb_pages;
CL_API void cl_ddb_query(cl_ddb_pages *pages, cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_ddb_options *options);
CL_API void cl_ddb_scan(cl_ddb_pages *pages, cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_ddb_options *options);
CL_API bool cl_ddb_next(cl_ddb_pages *pages, cl_item **ret);
CL_API bool cl_ddb_next_page(cl_ddb_pages *pages, cl_json **ret_items);     /* a page at a time: an array of items */

/* Batches of one table: any number; cut into 100 and 25, unprocessed ones asked for again until the deadline; without one until
 * 5 rounds have brought nothing (CL_DDB_THROTTLED). */
CL_API cl_ddb_error cl_ddb_batch_get(cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *const *keys, size_t count,
                                     const cl_ddb_options *options, cl_json **ret_items);
CL_API cl_ddb_error cl_ddb_batch_write(cl_dynamodb *db, cl_context *ctx, cl_str table, const cl_item *const *puts, size_t put_count,
                                       const cl_item *const *delete_keys, size_t delete_count);

typedef enum cl_ddb_action { CL_DDB_PUT, CL_DDB_UPDATE, CL_DDB_DELETE, CL_DDB_CHECK, CL_DDB_GET } cl_ddb_action;
typedef struct cl_ddb_step {
    cl_ddb_action action;
    cl_str table;
    const cl_item *item;            /* the item of a put, the key of the others */
    const char *update;             /* of an update */
    cl_ddb_options options;         /* condition, names, values, projection */
} cl_ddb_step;
/* At most 100 steps. token (NULL: a random one) makes a repetition harmless for ten minutes. */
CL_API cl_ddb_error cl_ddb_transact_write(cl_dynamodb *db, cl_context *ctx, const cl_ddb_step *steps, size_t count,
                                          const char *token);
CL_API cl_ddb_error cl_ddb_transact_get(cl_dynamodb *db, cl_context *ctx, const cl_ddb_step *steps, size_t count,
                                        cl_json **ret_items); /* null where none */

/* Any operation by its name with its JSON as it is: what the typed calls are made of. */
CL_API cl_ddb_error cl_ddb_call(cl_dynamodb *db, cl_context *ctx, const char *operation, const cl_json *input, cl_json **ret);

/* Expressions with placeholders made for you, so that any attribute name and value is safe:
 *     cl_expr e; cl_expr_init(&e, ctx->arena);
 *     cl_expr_set(&e, "title", value); cl_expr_remove(&e, "note");
 *     cl_ddb_update(db, ctx, table, key, cl_expr_update(&e), cl_expr_options(&e, &options), &item); */
typedef struct cl_expr {
    cl_arena *arena;
    cl_json *names, *values;
    cl_buf set, add, remove, condition, filter, projection;
    int count;
} cl_expr;
CL_API void cl_expr_init(cl_expr *expr, cl_arena *arena);
CL_API void cl_expr_set(cl_expr *expr, const char *name, const cl_json *value);               /* SET; value {"S":"…"} */
CL_API void cl_expr_set_if_absent(cl_expr *expr, const char *name, const cl_json *value);     /* SET, unless it has a value */
CL_API void cl_expr_add_number(cl_expr *expr, const char *name, cl_str number);         /* ADD: from 0 if it is absent */
CL_API void cl_expr_remove(cl_expr *expr, const char *name);
/* Joined with AND. operator: "=", "<>", "<", "<=", ">", ">=", "begins_with", "contains", "exists", "not_exists" (value NULL);
 * any other makes DynamoDB refuse the call. */
CL_API void cl_expr_condition(cl_expr *expr, const char *name, const char *op, const cl_json *value);
/* A condition; both ends belong to it. */
CL_API void cl_expr_between(cl_expr *expr, const char *name, const cl_json *low, const cl_json *high);
CL_API void cl_expr_filter(cl_expr *expr, const char *name, const char *op, const cl_json *value);
CL_API void cl_expr_project(cl_expr *expr, const char *name);
CL_API const char *cl_expr_update(cl_expr *expr);                                       /* "SET … ADD … REMOVE …"; NULL: nothing */
CL_API const cl_ddb_options *cl_expr_options(cl_expr *expr, cl_ddb_options *ret);       /* fills conditions, names, values */

CL_END
#endif
