/* app.c -- items behind JSON Web Tokens, in C: create, read, replace, delete, list.
 *
 * GET, POST /items          list (limit, next), create
 * GET, PUT, DELETE /items/{id}
 * Each request carries "Authorization: Bearer TOKEN", checked with JWT_SECRET (HS256) or JWT_JWKS (a key set's JSON:
 * RS256, ES256). Every request is a structured log line with the token's subject. app.py is the same in Python. */
#include "cloudless/dynamodb.h"
#include "cloudless/http.h"
#include "cloudless/jwt.h"
#include "cloudless/log.h"

#define PAGE 100            /* items of a list, at most and unless the request asks for fewer */
#define KEY_MAX 2048        /* bytes that DynamoDB allows for a key */
#define MISSING "There is no such item."

static cl_dynamodb *db;
static cl_jwt *jwt;
static cl_str table;

struct item {
    cl_str id, name, description;
};

static const cl_field new_item[] = {
    {.name = "id", .type = CL_F_STRING, .offset = offsetof(struct item, id), .required = true, .min = 1, .max = 64},
    {.name = "name", .type = CL_F_STRING, .offset = offsetof(struct item, name), .required = true, .min = 1, .max = 200},
    {.name = "description", .type = CL_F_STRING, .offset = offsetof(struct item, description), .required = true, .min = 1, .max = 4000},
    {0},
};
static const cl_field *const replaced_item = new_item + 1;      /* the path has the id */

static void failed(cl_response *response)
{
    cl_str message = cl_dynamodb_message(db);
    cl_log(CL_ERROR, CL_FMT, CL_ARG(message));
    cl_fail(response, 500, "Internal server error");
}

static bool authenticate(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    const cl_json *claims;
    cl_str why;
    (void)arg;
    cl_result result = cl_jwt_verify_bearer(jwt, ctx->arena, cl_header(request, "Authorization"), cl_now_ms(), &claims, &why);
    cl_json *members = cl_json_object(ctx->arena);
    cl_json_set(members, "method", cl_json_string(ctx->arena, request->method));
    cl_json_set(members, "path", cl_json_string(ctx->arena, request->path));
    if (result == CL_OK) {
        cl_json_set(members, "subject", cl_json_string(ctx->arena, cl_json_str(cl_json_get(claims, "sub"))));
        cl_log_with(CL_INFO, members, "request");
        return true;
    }
    if (result == CL_NO_MEMORY) {
        cl_fail(response, 500, "Internal server error");
        return false;
    }
    cl_log_with(CL_WARN, members, "token refused: " CL_FMT, CL_ARG(why));
    cl_set_header(response, "WWW-Authenticate", cl_str_of("Bearer"));
    cl_fail(response, 401, "Unauthorized");
    return false;
}

/* Before every route. An id too long for a key cannot be there. */
static bool before(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    if (!authenticate(ctx, request, response, arg)) return false;
    bool may_exist = cl_path_parameter(request, "id").n <= KEY_MAX;
    if (!may_exist) cl_fail(response, 404, MISSING);
    return may_exist;
}

static cl_item *key_of(cl_context *ctx, const cl_request *request)
{
    cl_item *key = cl_item_new(ctx->arena);
    cl_item_s(ctx->arena, key, "id", cl_path_parameter(request, "id"));
    return key;
}

static cl_item *item_of(cl_context *ctx, const struct item *from)
{
    cl_item *item = cl_item_new(ctx->arena);
    cl_item_s(ctx->arena, item, "id", from->id);
    cl_item_s(ctx->arena, item, "name", from->name);
    cl_item_s(ctx->arena, item, "description", from->description);
    return item;
}

static void answer_item(cl_context *ctx, cl_response *response, int status, const cl_item *item)
{
    cl_status(response, status);
    cl_body_json(response, cl_item_to_json(ctx->arena, item));
}

/* Writes the item if it is new (or, to be replaced, if it is there); `otherwise` is the answer's status if not. */
static void write_item(cl_context *ctx, cl_response *response, const struct item *from, const char *condition, int status, int otherwise)
{
    cl_expr expr;
    cl_ddb_options options = {0};
    cl_item *item = item_of(ctx, from);
    cl_expr_init(&expr, ctx->arena);
    cl_expr_condition(&expr, "id", condition, NULL);
    cl_ddb_error error = cl_ddb_put(db, ctx, table, item, cl_expr_options(&expr, &options), NULL);
    if (error == CL_DDB_CONDITION_FAILED) cl_fail(response, otherwise, otherwise == 409 ? "There is an item of this id." : MISSING);
    else if (error) failed(response);
    else answer_item(ctx, response, status, item);
}

static void create(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    struct item item = {0};
    cl_str message;
    (void)arg;
    if (cl_request_bind(ctx, request, new_item, &item, &message) != CL_OK) cl_fail(response, 400, CL_FMT, CL_ARG(message));
    else write_item(ctx, response, &item, "not_exists", 201, 409);
}

static void replace(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    struct item item = {.id = cl_path_parameter(request, "id")};
    cl_str message;
    (void)arg;
    if (cl_request_bind(ctx, request, replaced_item, &item, &message) != CL_OK) cl_fail(response, 400, CL_FMT, CL_ARG(message));
    else write_item(ctx, response, &item, "exists", 200, 404);
}

static void read_item(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    cl_item *item;
    (void)arg;
    if (cl_ddb_get(db, ctx, table, key_of(ctx, request), &(cl_ddb_options){.consistent = true}, &item)) failed(response);
    else if (!item) cl_fail(response, 404, MISSING);
    else answer_item(ctx, response, 200, item);
}

static void delete_item(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    cl_item *old;
    (void)arg;
    if (cl_ddb_delete(db, ctx, table, key_of(ctx, request), &(cl_ddb_options){.return_values = "ALL_OLD"}, &old)) failed(response);
    else if (!old) cl_fail(response, 404, MISSING);
    else cl_status(response, 204);
}

/* One page; "next" is what to ask for the following one with. */
static void list(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    int64_t limit = PAGE;
    cl_str next = cl_query(request, "next");
    (void)arg;
    if (!cl_query_int(request, "limit", 1, PAGE, &limit)) {
        cl_fail(response, 400, "limit: expected an integer from 1 to %d", PAGE);
        return;
    }
    if (next.n > KEY_MAX) {
        cl_fail(response, 400, "next: expected at most %d bytes", KEY_MAX);
        return;
    }
    cl_ddb_options options = {.limit = (int)limit};
    if (next.n > 0) {
        cl_item *start = cl_item_new(ctx->arena);
        cl_item_s(ctx->arena, start, "id", next);
        options.start = start;
    }
    cl_json *page, *items = cl_json_array(ctx->arena), *body = cl_json_object(ctx->arena);
    cl_ddb_pages pages;
    cl_ddb_scan(&pages, db, ctx, table, &options);
    if (!cl_ddb_next_page(&pages, &page)) {
        failed(response);
        return;
    }
    for CL_JSON_EACH (item, page)
        cl_json_append(items, cl_item_to_json(ctx->arena, item));
    cl_json_set(body, "items", items);
    if (pages.last_key) cl_json_set(body, "next", cl_json_string(ctx->arena, cl_item_get_s(pages.last_key, "id")));
    cl_body_json(response, body);
}

static const cl_route routes[] = {
    {"GET", "/items", list},
    {"POST", "/items", create},
    {"GET", "/items/{id}", read_item},
    {"PUT", "/items/{id}", replace},
    {"DELETE", "/items/{id}", delete_item},
    {0},
};

static const cl_app app = {.routes = routes, .before = before};

static cl_result verifier(cl_str *message)
{
    static const cl_jwt_rules rules = {.leeway = 30};
    cl_str key;
    if (cl_env("JWT_JWKS", &key, message) == CL_OK) return cl_jwt_key_set(key, &rules, &jwt, message);
    if (cl_env("JWT_SECRET", &key, message) == CL_OK) return cl_jwt_secret(key, false, &rules, &jwt, message);
    *message = cl_str_of("JWT_SECRET or JWT_JWKS must be set in the function's environment");
    return CL_CONFIG;
}

static cl_result init(void *arg, cl_str *message)
{
    (void)arg;
    cl_result result = cl_env("TABLE_NAME", &table, message);
    if (result == CL_OK) result = verifier(message);
    return result == CL_OK ? cl_dynamodb_open(&db, message) : result;
}

int main(void)
{
    return cl_run_app(&app, &(cl_options){.init = init});
}
