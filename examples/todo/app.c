/* app.c -- the todo list in C, behind a REST API with Lambda proxy integration.
 *
 * GET /                     the web page (page.html beside the program)
 * GET, POST /todos          list (limit, next), create
 * GET, PUT, DELETE /todos/{id}
 * Every answer allows any origin. app.py is the same in Python. */
#include "cloudless/dynamodb.h"
#include "cloudless/http.h"
#include "cloudless/log.h"
#include <stdlib.h>

#define PAGE 100            /* todos of a list, at most and unless the request asks for fewer */
#define KEY_MAX 2048        /* bytes that DynamoDB allows for a key */
#define MISSING "There is no such todo."

static cl_dynamodb *db;
static cl_str table;
static cl_str page;

struct todo {
    cl_str title, description;
    bool completed;
    bool has_title, has_description, has_completed;
};

static const cl_field todo_fields[] = {
    {.name = "title", .type = CL_F_STRING, .offset = offsetof(struct todo, title), .present = offsetof(struct todo, has_title),
     .min = 1, .max = 200},
    {.name = "description", .type = CL_F_STRING, .offset = offsetof(struct todo, description),
     .present = offsetof(struct todo, has_description), .max = 4000},
    {.name = "completed", .type = CL_F_BOOL, .offset = offsetof(struct todo, completed), .present = offsetof(struct todo, has_completed)},
    {0},
};

static cl_json *string(cl_arena *arena, cl_str text)
{
    return cl_value_of(arena, cl_json_string(arena, text));
}

/* A failed call of DynamoDB: said in the log, not to the client. */
static void failed(cl_response *response)
{
    cl_str message = cl_dynamodb_message(db);
    cl_log(CL_ERROR, CL_FMT, CL_ARG(message));
    cl_fail(response, 500, "Internal server error");
}

static void answer_item(cl_context *ctx, cl_response *response, int status, const cl_item *item)
{
    cl_status(response, status);
    cl_body_json(response, cl_item_to_json(ctx->arena, item));
}

static cl_item *key_of(cl_context *ctx, const cl_request *request)
{
    cl_item *key = cl_item_new(ctx->arena);
    cl_item_s(ctx->arena, key, "id", cl_path_parameter(request, "id"));
    return key;
}

static bool body_of(cl_context *ctx, const cl_request *request, cl_response *response, struct todo *todo)
{
    cl_str message;
    if (cl_request_bind(ctx, request, todo_fields, todo, &message) == CL_OK) return true;
    cl_fail(response, 400, CL_FMT, CL_ARG(message));
    return false;
}

static void get_page(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)ctx, (void)request, (void)arg;
    cl_body_text(response, "text/html; charset=utf-8", page);
}

static int by_text(const cl_json *a, const cl_json *b, const char *member)
{
    cl_str x = cl_json_str(cl_json_get(a, member)), y = cl_json_str(cl_json_get(b, member));
    return strcmp(x.p ? x.p : "", y.p ? y.p : "");
}

static int by_creation(const void *a, const void *b)
{
    const cl_json *x = *(cl_json *const *)a, *y = *(cl_json *const *)b;
    int order = by_text(x, y, "createdAt");
    return order ? order : by_text(x, y, "id");
}

/* limit and next of the query; false: the answer says what is wrong. */
static bool page_of(cl_context *ctx, const cl_request *request, cl_response *response, cl_ddb_options *ret)
{
    int64_t limit = PAGE;
    cl_str next = cl_query(request, "next");
    if (!cl_query_int(request, "limit", 1, PAGE, &limit)) {
        cl_fail(response, 400, "limit: expected an integer from 1 to %d", PAGE);
        return false;
    }
    if (next.n > KEY_MAX) {
        cl_fail(response, 400, "next: expected at most %d bytes", KEY_MAX);
        return false;
    }
    cl_item *start = next.n ? cl_item_new(ctx->arena) : NULL;
    if (start) cl_item_s(ctx->arena, start, "id", next);
    *ret = (cl_ddb_options){.limit = (int)limit, .start = start};
    return true;
}

/* One page; "next" is what to ask for the following one with. */
static void list_todos(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    cl_ddb_options options;
    cl_ddb_pages pages;
    cl_json *found;
    (void)arg;
    if (!page_of(ctx, request, response, &options)) return;
    cl_ddb_scan(&pages, db, ctx, table, &options);
    if (!cl_ddb_next_page(&pages, &found)) {
        failed(response);
        return;
    }
    size_t n = 0;
    cl_json **todos = cl_alloc_array(ctx->arena, sizeof *todos, found->count), *items = cl_json_array(ctx->arena), *body = cl_json_object(ctx->arena);
    if (!todos) return;
    for CL_JSON_EACH (item, found)
        todos[n++] = cl_item_to_json(ctx->arena, item);
    qsort(todos, n, sizeof *todos, by_creation);
    for (size_t i = 0; i < n; i++) cl_json_append(items, todos[i]);
    cl_json_set(body, "items", items);
    cl_json_set(body, "count", cl_json_int(ctx->arena, (int64_t)n));
    if (pages.last_key) cl_json_set(body, "next", cl_json_string(ctx->arena, cl_item_get_s(pages.last_key, "id")));
    cl_body_json(response, body);
}

static void create(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)arg;
    struct todo todo = {0};
    if (!body_of(ctx, request, response, &todo)) return;
    if (!todo.has_title) {
        cl_fail(response, 400, "title: required");
        return;
    }
    cl_str now = cl_now_iso8601(ctx->arena);
    cl_item *item = cl_item_new(ctx->arena);
    cl_item_s(ctx->arena, item, "id", cl_uuid(ctx->arena));
    cl_item_s(ctx->arena, item, "title", todo.title);
    cl_item_s(ctx->arena, item, "description", todo.description);
    cl_item_bool(ctx->arena, item, "completed", todo.completed);
    cl_item_s(ctx->arena, item, "createdAt", now);
    cl_item_s(ctx->arena, item, "updatedAt", now);
    if (cl_ddb_put(db, ctx, table, item, NULL, NULL)) failed(response);
    else answer_item(ctx, response, 201, item);
}

static void read_todo(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)arg;
    cl_item *item;
    if (cl_ddb_get(db, ctx, table, key_of(ctx, request), NULL, &item)) failed(response);
    else if (!item) cl_fail(response, 404, MISSING);
    else answer_item(ctx, response, 200, item);
}

static void update(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)arg;
    struct todo todo = {0};
    if (!body_of(ctx, request, response, &todo)) return;
    cl_expr expr;
    cl_expr_init(&expr, ctx->arena);
    if (todo.has_title) cl_expr_set(&expr, "title", string(ctx->arena, todo.title));
    if (todo.has_description) cl_expr_set(&expr, "description", string(ctx->arena, todo.description));
    if (todo.has_completed) cl_expr_set(&expr, "completed", cl_value_of(ctx->arena, cl_json_bool(ctx->arena, todo.completed)));
    cl_expr_set(&expr, "updatedAt", string(ctx->arena, cl_now_iso8601(ctx->arena)));
    cl_expr_condition(&expr, "id", "exists", NULL);
    cl_ddb_options options = {.return_values = "ALL_NEW"};
    cl_item *item;
    cl_ddb_error error = cl_ddb_update(db, ctx, table, key_of(ctx, request), cl_expr_update(&expr), cl_expr_options(&expr, &options), &item);
    if (error == CL_DDB_CONDITION_FAILED) cl_fail(response, 404, MISSING);
    else if (error) failed(response);
    else answer_item(ctx, response, 200, item);
}

static void delete_todo(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)arg;
    cl_item *old;
    if (cl_ddb_delete(db, ctx, table, key_of(ctx, request), &(cl_ddb_options){.return_values = "ALL_OLD"}, &old)) failed(response);
    else if (!old) cl_fail(response, 404, MISSING);
    else {
        cl_json *body = cl_json_object(ctx->arena);
        cl_json_set(body, "message", cl_json_string(ctx->arena, cl_str_of("The todo is gone.")));
        cl_body_json(response, body);
    }
}

static const cl_route routes[] = {
    {"GET", "/", get_page},
    {"GET", "/todos", list_todos},
    {"POST", "/todos", create},
    {"GET", "/todos/{id}", read_todo},
    {"PUT", "/todos/{id}", update},
    {"DELETE", "/todos/{id}", delete_todo},
    {0},
};

/* Before every route: an id too long for a key cannot be there. */
static bool may_exist(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)ctx, (void)arg;
    bool may = cl_path_parameter(request, "id").n <= KEY_MAX;
    if (!may) cl_fail(response, 404, MISSING);
    return may;
}

static const cl_app app = {.routes = routes, .cors = {.origin = "*", .headers = "Content-Type,Authorization"}, .before = may_exist};

static cl_result init(void *arg, cl_str *message)
{
    (void)arg;
    cl_result result = cl_env("TABLE_NAME", &table, message);
    if (result == CL_OK) result = cl_read_file("page.html", &page, message);
    return result == CL_OK ? cl_dynamodb_open(&db, message) : result;
}

int main(void)
{
    return cl_run_app(&app, &(cl_options){.init = init});
}
