/* app.c -- purchase orders in C: create, read, list, replace, delete; nested lines, exact decimal prices.
 *
 * GET, POST /orders         list (limit, next), create
 * GET, PUT, DELETE /orders/{order_number}
 * GET /openapi.json, /docs  the API's description, and a page that shows it and needs nothing from outside
 * Prices and totals are decimals of up to 38 digits: strings in the API, numbers in the table, never floats. app.py is
 * the same in Python with FastAPI. */
#include "cloudless/dynamodb.h"
#include "cloudless/http.h"
#include "cloudless/log.h"

#define PAGE 100            /* orders of a list, at most and unless the request asks for fewer */
#define LINES_MAX 500
#define BODY_MAX 1000000
#define KEY_MAX 2048        /* bytes; DynamoDB's bound: no order has a longer number */

static cl_dynamodb *db;
static cl_str table;
static cl_str openapi, docs;

struct line {
    cl_str item_number;
    int64_t qty;
    cl_str price;
};

struct order {
    cl_str order_number, customer_id;
    cl_list items;
    cl_str total, payment_id;
};

static const cl_field line_fields[] = {
    {.name = "item_number", .type = CL_F_STRING, .offset = offsetof(struct line, item_number), .required = true, .min = 1, .max = 64},
    {.name = "qty", .type = CL_F_INT, .offset = offsetof(struct line, qty), .required = true, .min = 1, .max = 1000000},
    {.name = "price", .type = CL_F_DECIMAL, .offset = offsetof(struct line, price), .required = true},
    {0},
};

static const cl_field new_order[] = {
    {.name = "order_number", .type = CL_F_STRING, .offset = offsetof(struct order, order_number), .required = true, .min = 1, .max = 64},
    {.name = "customer_id", .type = CL_F_STRING, .offset = offsetof(struct order, customer_id), .required = true, .min = 1, .max = 64},
    {.name = "items", .type = CL_F_LIST, .offset = offsetof(struct order, items), .required = true, .min = 1, .max = LINES_MAX,
     .fields = line_fields, .size = sizeof(struct line)},
    {.name = "total", .type = CL_F_DECIMAL, .offset = offsetof(struct order, total), .required = true},
    {.name = "payment_id", .type = CL_F_STRING, .offset = offsetof(struct order, payment_id), .max = 64},
    {0},
};
static const cl_field *const replaced_order = new_order + 1;    /* the path has the number */

static void failed(cl_response *response)
{
    cl_str message = cl_dynamodb_message(db);
    cl_log(CL_ERROR, CL_FMT, CL_ARG(message));
    cl_fail(response, 500, "Internal server error");
}

/* ---- between the API's strings and the table's numbers ---- */

static cl_json *lines_of(cl_context *ctx, const struct order *order)
{
    cl_arena *arena = ctx->arena;
    cl_json *lines = cl_json_array(arena);
    const struct line *from = order->items.items;
    for (size_t i = 0; i < order->items.count; i++) {
        cl_json *line = cl_json_object(arena);
        cl_json_set(line, "item_number", cl_json_string(arena, from[i].item_number));
        cl_json_set(line, "qty", cl_json_int(arena, from[i].qty));
        cl_json_set(line, "price", cl_json_number(arena, from[i].price));
        cl_json_append(lines, line);
    }
    return lines;
}

/* {"price": 12.5} becomes {"price": "12.5"}. */
static void as_string(cl_json *object, const char *member)
{
    cl_json *number = (cl_json *)cl_json_get(object, member);
    if (cl_json_is(number, CL_NUMBER)) number->type = CL_STRING;
}

static cl_json *order_of(cl_context *ctx, const cl_item *item)
{
    cl_json *order = cl_item_to_json(ctx->arena, item);
    const cl_json *lines = cl_json_get(order, "items");
    for (cl_json *line = lines ? lines->first : NULL; line; line = line->next)
        as_string(line, "price");
    as_string(order, "total");
    return order;
}

static cl_item *key_of(cl_context *ctx, cl_str number)
{
    cl_item *key = cl_item_new(ctx->arena);
    cl_item_s(ctx->arena, key, "order_number", number);
    return key;
}

/* ---- the routes ---- */

static void missing(cl_response *response)
{
    cl_fail(response, 404, "There is no such order.");
}

static bool bind_order(cl_context *ctx, const cl_request *request, cl_response *response, const cl_field *fields, struct order *order)
{
    cl_str message;
    if (request->body.n > BODY_MAX) cl_fail(response, 400, "body: expected at most %d bytes", BODY_MAX);
    else if (cl_request_bind(ctx, request, fields, order, &message) != CL_OK) cl_fail(response, 400, CL_FMT, CL_ARG(message));
    else return true;
    return false;
}

/* Writes the order and answers if its number is new ("not_exists") or there ("exists"), otherwise false. UpdateItem, because it
 * returns what the table then holds: amounts in DynamoDB's own form, as later reads have it. */
static bool write_order(cl_context *ctx, cl_response *response, const struct order *order, const char *condition, int status)
{
    cl_arena *arena = ctx->arena;
    cl_expr expr;
    cl_ddb_options options = {.return_values = "ALL_NEW"};
    cl_item *item;
    cl_expr_init(&expr, arena);
    cl_expr_condition(&expr, "order_number", condition, NULL);
    cl_expr_set(&expr, "customer_id", cl_value_of(arena, cl_json_string(arena, order->customer_id)));
    cl_expr_set(&expr, "items", cl_value_of(arena, lines_of(ctx, order)));
    cl_expr_set(&expr, "total", cl_value_of(arena, cl_json_number(arena, order->total)));
    if (order->payment_id.n > 0) cl_expr_set(&expr, "payment_id", cl_value_of(arena, cl_json_string(arena, order->payment_id)));
    else cl_expr_remove(&expr, "payment_id");
    cl_ddb_error error = cl_ddb_update(db, ctx, table, key_of(ctx, order->order_number), cl_expr_update(&expr), cl_expr_options(&expr, &options), &item);
    if (error == CL_DDB_CONDITION_FAILED) return false;
    if (error) {
        failed(response);
    } else {
        cl_status(response, status);
        cl_body_json(response, order_of(ctx, item));
    }
    return true;
}

static void create(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    struct order order = {0};
    (void)arg;
    if (!bind_order(ctx, request, response, new_order, &order)) return;
    if (!write_order(ctx, response, &order, "not_exists", 201)) cl_fail(response, 409, "There is an order of this number.");
}

/* The number in the path as a key; NULL and answered: no order has it. */
static cl_item *path_key(cl_context *ctx, const cl_request *request, cl_response *response)
{
    cl_str number = cl_path_parameter(request, "order_number");
    if (number.n <= KEY_MAX) return key_of(ctx, number);
    missing(response);
    return NULL;
}

static void replace(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    struct order order = {.order_number = cl_path_parameter(request, "order_number")};
    (void)arg;
    if (!path_key(ctx, request, response) || !bind_order(ctx, request, response, replaced_order, &order)) return;
    if (!write_order(ctx, response, &order, "exists", 200)) missing(response);
}

static void read_order(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    cl_item *item, *key = path_key(ctx, request, response);
    (void)arg;
    if (!key) return;
    if (cl_ddb_get(db, ctx, table, key, &(cl_ddb_options){.consistent = true}, &item)) failed(response);
    else if (!item) missing(response);
    else cl_body_json(response, order_of(ctx, item));
}

static void delete_order(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    cl_item *old, *key = path_key(ctx, request, response);
    (void)arg;
    if (!key) return;
    if (cl_ddb_delete(db, ctx, table, key, &(cl_ddb_options){.return_values = "ALL_OLD"}, &old)) failed(response);
    else if (!old) missing(response);
    else cl_status(response, 204);
}

/* One page; "next" is the number to ask for the following one with. */
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
    if (next.n > 0) options.start = key_of(ctx, next);
    cl_json *page = NULL, *orders = cl_json_array(ctx->arena), *body = cl_json_object(ctx->arena);
    cl_ddb_pages pages;
    cl_ddb_scan(&pages, db, ctx, table, &options);
    if (!cl_ddb_next_page(&pages, &page) && pages.error) {
        failed(response);
        return;
    }
    for CL_JSON_EACH (item, page)
        cl_json_append(orders, order_of(ctx, item));
    cl_json_set(body, "orders", orders);
    if (pages.last_key) cl_json_set(body, "next", cl_json_string(ctx->arena, cl_item_get_s(pages.last_key, "order_number")));
    cl_body_json(response, body);
}

static void get_openapi(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)ctx, (void)request, (void)arg;
    cl_body_text(response, "application/json", openapi);
}

static void get_docs(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)ctx, (void)request, (void)arg;
    cl_body_text(response, "text/html; charset=utf-8", docs);
}

static const cl_route routes[] = {
    {"GET", "/orders", list},
    {"POST", "/orders", create},
    {"GET", "/orders/{order_number}", read_order},
    {"PUT", "/orders/{order_number}", replace},
    {"DELETE", "/orders/{order_number}", delete_order},
    {"GET", "/openapi.json", get_openapi},
    {"GET", "/docs", get_docs},
    {0},
};

static const cl_app app = {.routes = routes};

static cl_result init(void *arg, cl_str *message)
{
    (void)arg;
    cl_result result = cl_env("TABLE_NAME", &table, message);
    if (result == CL_OK) result = cl_read_file("openapi.json", &openapi, message);
    if (result == CL_OK) result = cl_read_file("docs.html", &docs, message);
    return result == CL_OK ? cl_dynamodb_open(&db, message) : result;
}

int main(void)
{
    return cl_run_app(&app, &(cl_options){.init = init});
}
