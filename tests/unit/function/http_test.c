/* http_test.c -- events of API Gateway as requests, routes, and answers in the shape of each format. */
#include "walk.h"
#include "cloudless/http.h"
#include "runtime.h"
#include <stdio.h>
#include <stdlib.h>

/* An event of a REST API, as the developer guide lays it out. */
static const char rest_event[] =
    "{\"resource\":\"/shelf/{id}\",\"path\":\"/shelf/b%20k\",\"httpMethod\":\"POST\","
    "\"headers\":{\"Accept\":\"*/*\",\"Cookie\":\"s=1; theme=dark=x;; =no; flag\",\"X-Several\":\"two\"},"
    "\"multiValueHeaders\":{\"Accept\":[\"*/*\"],\"Cookie\":[\"s=1; theme=dark=x;; =no; flag\",\"last=9\"],\"X-Several\":[\"one\",\"two\"]},"
    "\"queryStringParameters\":{\"page\":\"3\",\"tag\":\"b\"},\"multiValueQueryStringParameters\":{\"page\":[\"3\"],\"tag\":[\"a\",\"b\"]},"
    "\"pathParameters\":{\"id\":\"b%20k\"},\"stageVariables\":{\"colour\":\"blue\"},"
    "\"requestContext\":{\"resourceId\":\"r1\",\"resourcePath\":\"/shelf/{id}\",\"httpMethod\":\"POST\",\"path\":\"/live/shelf/b%20k\",\"stage\":\"live\","
    "\"accountId\":\"000000000000\",\"apiId\":\"a1\",\"requestId\":\"c6af9ac6-7b61-11e6-9a41-93e8deadbeef\",\"authorizer\":{\"claims\":{\"sub\":\"u1\",\"email\":\"u@example.com\"}},"
    "\"identity\":{\"sourceIp\":\"192.0.2.7\",\"userAgent\":\"t\",\"user\":null},\"protocol\":\"HTTP/1.1\"},"
    "\"body\":\"{\\\"title\\\":\\\"x\\\"}\",\"isBase64Encoded\":false}";

/* Of an HTTP API. */
static const char http_event[] =
    "{\"version\":\"2.0\",\"routeKey\":\"$default\",\"rawPath\":\"/live/shelf/7\",\"rawQueryString\":\"tag=a&tag=b%26c&q=x+y&empty=&bare&&%zz=1\","
    "\"cookies\":[\"s=1\",\"theme=dark\"],\"headers\":{\"accept\":\"*/*\",\"x-several\":\"one,two\"},"
    "\"queryStringParameters\":{\"tag\":\"a,b&c\",\"q\":\"x y\"},"
    "\"requestContext\":{\"accountId\":\"000000000000\",\"apiId\":\"a2\",\"authorizer\":{\"jwt\":{\"claims\":{\"sub\":\"u2\"},\"scopes\":[\"r\"]}},"
    "\"domainName\":\"a2.execute-api.example\",\"domainPrefix\":\"a2\",\"http\":{\"method\":\"PUT\",\"path\":\"/live/shelf/7\",\"protocol\":\"HTTP/1.1\","
    "\"sourceIp\":\"192.0.2.8\",\"userAgent\":\"t\"},\"requestId\":\"JKJaXmPLvHcESHA=\",\"routeKey\":\"$default\",\"stage\":\"live\",\"timeEpoch\":1583348638390},"
    "\"body\":\"aGVsbG8=\",\"pathParameters\":{\"id\":\"7\"},\"isBase64Encoded\":true,\"stageVariables\":{\"colour\":\"green\"}}";

static cl_request request_of(cl_arena *arena, const char *event)
{
    cl_request request;
    cl_str message = {NULL, 0};
    cl_result result = cl_request_of(arena, parsed(arena, event), &request, &message);
    if (result != CL_OK)
        fail_msg("%s: %.*s", cl_result_name(result), (int)message.n, message.p);
    return request;
}

static void assert_pairs(cl_pairs pairs, const char *text)
{
    char got[1000] = "";
    for (size_t i = 0, n = 0; i < pairs.count; i++)
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%.*s=%.*s", i ? "|" : "", (int)pairs.items[i].name.n, pairs.items[i].name.p,
                              (int)pairs.items[i].value.n, pairs.items[i].value.p);
    assert_string_equal(got, text);
}

static void test_format_1(void **state)
{
    cl_request r = request_of(*state, rest_event);
    assert_int_equal(r.version, 1);
    assert_str(r.method, "POST");
    assert_str(r.path, "/shelf/b%20k");
    assert_str(r.stage, "live");
    assert_str(r.source_ip, "192.0.2.7");
    assert_str(r.request_id, "c6af9ac6-7b61-11e6-9a41-93e8deadbeef");
    assert_pairs(r.headers, "Accept=*/*|Cookie=s=1; theme=dark=x;; =no; flag|Cookie=last=9|X-Several=one|X-Several=two");
    assert_pairs(r.query, "page=3|tag=a|tag=b");
    assert_pairs(r.cookies, "s=1|theme=dark=x|flag=|last=9");
    assert_pairs(r.path_parameters, "id=b%20k");
    assert_pairs(r.stage_variables, "colour=blue");
    assert_str(r.body, "{\"title\":\"x\"}");
    assert_str(cl_json_str(cl_json_get(r.claims, "sub")), "u1");
    assert_str(cl_header(&r, "x-several"), "one");
    assert_str(cl_header(&r, "absent"), "");
    assert_str(cl_query(&r, "tag"), "a");
    assert_str(cl_query(&r, "Tag"), "");
    assert_str(cl_cookie(&r, "theme"), "dark=x");
    assert_str(cl_path_parameter(&r, "id"), "b%20k");
    assert_non_null(cl_json_get(r.event, "resource"));
}

static void test_format_2(void **state)
{
    cl_request r = request_of(*state, http_event);
    assert_int_equal(r.version, 2);
    assert_str(r.method, "PUT");
    assert_str(r.path, "/shelf/7");
    assert_str(r.source_ip, "192.0.2.8");
    assert_str(r.request_id, "JKJaXmPLvHcESHA=");
    assert_pairs(r.headers, "accept=*/*|x-several=one,two");
    assert_pairs(r.query, "tag=a|tag=b&c|q=x y|empty=|bare=|%zz=1");
    assert_pairs(r.cookies, "s=1|theme=dark");
    assert_pairs(r.path_parameters, "id=7");
    assert_pairs(r.stage_variables, "colour=green");
    assert_str(r.body, "hello");
    assert_str(cl_json_str(cl_json_get(r.claims, "sub")), "u2");
}

static void test_little_events(void **state)
{
    static const struct {
        const char *stage, *raw, *path;
    } rows[] = {{"$default", "/a", "/a"}, {"live", "/live", "/"}, {"live", "/live/", "/"}, {"live", "/lively/a", "/lively/a"}, {"live", "/a/live", "/a/live"}, {"live", "", ""}};
    cl_request r = request_of(*state, "{\"httpMethod\":\"GET\",\"path\":\"/\",\"headers\":{\"A\":\"b\"},\"multiValueHeaders\":{},\"body\":null,\"isBase64Encoded\":null,"
                                      "\"queryStringParameters\":null,\"requestContext\":{\"authorizer\":null}}");
    assert_pairs(r.headers, "A=b");
    assert_str(r.body, "");
    assert_null(r.claims);
    assert_int_equal(r.query.count + r.cookies.count, 0);
    r = request_of(*state, "{\"version\":\"1.0\",\"httpMethod\":\"GET\",\"path\":\"/\",\"requestContext\":{\"authorizer\":{\"principalId\":\"p\",\"tier\":\"gold\"}}}");
    assert_str(cl_json_str(cl_json_get(r.claims, "tier")), "gold");
    r = request_of(*state, "{\"httpMethod\":\"GET\",\"path\":\"/\",\"requestContext\":{\"authorizer\":{\"principalId\":\"p\",\"claims\":\"{}\"}}}");
    assert_str(cl_json_str(cl_json_get(r.claims, "principalId")), "p");         /* a context may call its members so */
    r = request_of(*state, "{\"version\":\"2.0\",\"rawPath\":\"/\",\"queryStringParameters\":{\"a\":\"1\"},\"requestContext\":{\"http\":{\"method\":\"GET\"},\"authorizer\":{\"lambda\":{\"tier\":\"gold\"}}}}");
    assert_str(cl_json_str(cl_json_get(r.claims, "tier")), "gold");
    assert_pairs(r.query, "a=1");
    r = request_of(*state, "{\"version\":\"2.0\",\"rawPath\":\"/\",\"requestContext\":{\"http\":{\"method\":\"GET\"},\"authorizer\":{\"iam\":{\"userId\":\"x\"}}}}");
    assert_null(r.claims);
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        cl_str event = cl_printf(*state, "{\"version\":\"2.0\",\"rawPath\":\"%s\",\"requestContext\":{\"http\":{\"method\":\"GET\"},\"stage\":\"%s\"}}", rows[i].raw, rows[i].stage);
        assert_str(request_of(*state, event.p).path, rows[i].path);
        event = cl_printf(*state, "{\"version\":\"1.0\",\"httpMethod\":\"GET\",\"path\":\"%s\",\"requestContext\":{\"stage\":\"%s\"}}", rows[i].raw, rows[i].stage);
        assert_str(request_of(*state, event.p).path, rows[i].path);
    }
    r = request_of(*state, "{\"httpMethod\":\"GET\",\"path\":\"/live/a\",\"requestContext\":{\"stage\":\"live\"}}");
    assert_str(r.path, "/live/a");              /* of a REST API */
}

#define V1(rest) "{\"httpMethod\":\"GET\",\"path\":\"/\"" rest "}"
#define V2(rest) "{\"version\":\"2.0\",\"rawPath\":\"/\",\"requestContext\":{\"http\":{\"method\":\"GET\"}}" rest "}"

static const struct {
    const char *event, *message;
} malformed[] = {
    {"[]", "event: expected an object"},
    {"null", "event: expected an object"},
    {"{}", "httpMethod: required"},
    {"{\"httpMethod\":1}", "httpMethod: expected a string"},
    {"{\"httpMethod\":\"GET\"}", "path: required"},
    {"{\"httpMethod\":\"GET\",\"path\":null}", "path: required"},
    {"{\"version\":\"3.0\"}", "version: expected \"1.0\" or \"2.0\""},
    {"{\"version\":2.0}", "version: expected \"1.0\" or \"2.0\""},
    {"{\"version\":\"2.0\"}", "requestContext.http.method: required"},
    {"{\"version\":\"2.0\",\"requestContext\":{\"http\":{\"method\":[]}}}", "requestContext.http.method: expected a string"},
    {V1(",\"headers\":[]"), "headers: expected an object"},
    {V1(",\"headers\":{\"a\":1}"), "headers.a: expected a string"},
    {V1(",\"multiValueHeaders\":{\"a\":[1]}"), "multiValueHeaders.a: expected a list of strings"},
    {V1(",\"queryStringParameters\":\"a\""), "queryStringParameters: expected an object"},
    {V1(",\"pathParameters\":{\"a\":{}}"), "pathParameters.a: expected a string"},
    {V1(",\"stageVariables\":5"), "stageVariables: expected an object"},
    {V1(",\"body\":{}"), "body: expected a string"},
    {V1(",\"isBase64Encoded\":1"), "isBase64Encoded: expected true or false"},
    {V1(",\"body\":\"x\",\"isBase64Encoded\":true"), "body: expected base64"},
    {V1(",\"requestContext\":{\"stage\":1}"), "requestContext.stage: expected a string"},
    {V2(",\"cookies\":{}"), "cookies: expected a list of strings"},
    {V2(",\"cookies\":[1]"), "cookies: expected a list of strings"},
    {V2(",\"rawQueryString\":1"), "rawQueryString: expected a string"},
};

static void test_malformed_events(void **state)
{
    for (size_t i = 0; i < CL__COUNT(malformed); i++) {
        cl_request request = {.version = 77};
        cl_str message = {NULL, 0};
        assert_int_equal(cl_request_of(*state, parsed(*state, malformed[i].event), &request, &message), CL_INVALID);
        assert_str(message, malformed[i].message);
        assert_int_equal(request.version, 77);
        assert_int_equal(cl_request_of(*state, parsed(*state, malformed[i].event), &request, NULL), CL_INVALID);
    }
}

/* ---- documented events, as they are and as the view shows them ---- */

static cl_json *text_node(cl_arena *arena, cl_str text)
{
    return cl_json_string(arena, text);
}

static cl_json *pairs_node(cl_arena *arena, cl_pairs pairs)
{
    cl_json *list = cl_json_array(arena);
    for (size_t i = 0; i < pairs.count; i++) {
        cl_json *pair = cl_json_append(list, cl_json_array(arena));
        cl_json_append(pair, text_node(arena, pairs.items[i].name));
        cl_json_append(pair, text_node(arena, pairs.items[i].value));
    }
    return list;
}

static cl_json *view_of(cl_arena *arena, const cl_request *r)
{
    cl_json *view = cl_json_object(arena);
    cl_json_set(view, "version", cl_json_int(arena, r->version));
    cl_json_set(view, "method", text_node(arena, r->method));
    cl_json_set(view, "path", text_node(arena, r->path));
    cl_json_set(view, "path_decoded", cl_json_bool(arena, r->path_decoded));
    cl_json_set(view, "stage", text_node(arena, r->stage));
    cl_json_set(view, "source_ip", text_node(arena, r->source_ip));
    cl_json_set(view, "request_id", text_node(arena, r->request_id));
    cl_json_set(view, "headers", pairs_node(arena, r->headers));
    cl_json_set(view, "query", pairs_node(arena, r->query));
    cl_json_set(view, "cookies", pairs_node(arena, r->cookies));
    cl_json_set(view, "path_parameters", pairs_node(arena, r->path_parameters));
    cl_json_set(view, "stage_variables", pairs_node(arena, r->stage_variables));
    cl_json_set(view, "body", text_node(arena, r->body));
    cl_json_set(view, "claims", r->claims ? cl_json_copy(arena, r->claims) : cl_json_null(arena));
    return view;
}

static const char *file_text(cl_arena *arena, const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = cl_alloc(arena, 1 << 18);
    size_t n = fread(text, 1, (1 << 18) - 1, file);
    assert_true(n > 0 && feof(file));
    fclose(file);
    return text;
}

static void test_documented_events(void **state)
{
    const cl_json *file = parsed(*state, file_text(*state, "tests/corpus/gateway/events.json"));
    size_t n = 0;
    for CL_JSON_EACH(one, cl_json_get(file, "cases")) {
        cl_request request = request_of(*state, cl_json_text(*state, cl_json_get(one, "event")).p);
        cl_str seen = cl_json_text(*state, view_of(*state, &request)), wanted = cl_json_text(*state, cl_json_get(one, "view"));
        if (!cl_str_eq(seen, wanted))
            fail_msg(CL_FMT ":\n" CL_FMT "\nis not\n" CL_FMT, CL_ARG(cl_json_str(cl_json_get(one, "name"))), CL_ARG(seen), CL_ARG(wanted));
        n++;
    }
    assert_true(n >= 4);
}

static void test_query_integers(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } rows[] = {{"0", true, 0}, {"10", true, 10}, {"-5", true, -5}, {"11", false, 7}, {"-6", false, 7}, {"", false, 7}, {"-", false, 7}, {"1.0", false, 7},
                {" 1", false, 7}, {"99999999999999999999", false, 7}, {"-99999999999999999999", false, 7}, {"0010", true, 10}};
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        cl_pair pair = {cl_str_of("n"), cl_str_of(rows[i].text)};
        cl_request request = {.query = {&pair, 1}};
        int64_t value = 7;
        assert_int_equal(cl_query_int(&request, "n", -5, 10, &value), rows[i].good);
        assert_int_equal(value, rows[i].value);
        assert_true(cl_query_int(&request, "other", 0, 1, &value));
    }
    cl_pair pair = {cl_str_of("n"), cl_str_of("-9223372036854775808")};
    cl_request request = {.query = {&pair, 1}};
    int64_t value = 0;
    assert_true(cl_query_int(&request, "n", INT64_MIN, INT64_MAX, &value));
    assert_true(value == INT64_MIN);
    (void)state;
}

/* ---- applications ---- */

struct todo {
    cl_str title;
};
static const cl_field todo_fields[] = {{.name = "title", .type = CL_F_STRING, .offset = offsetof(struct todo, title), .required = true, .min = 1, .max = 9}, {0}};

static void show(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    cl_str names = {"", 0};
    for (size_t i = 0; i < request->path_parameters.count; i++)
        names = cl_printf(ctx->arena, CL_FMT "[" CL_FMT "=" CL_FMT "]", CL_ARG(names), CL_ARG(request->path_parameters.items[i].name),
                          CL_ARG(request->path_parameters.items[i].value));
    cl_body_text(response, NULL, cl_printf(ctx->arena, "%s" CL_FMT, arg ? (const char *)arg : "", CL_ARG(names)));
}

static void by_name(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    char prefix[] = "new";
    (void)arg;
    show(ctx, request, response, prefix);
}

static void create(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    struct todo todo = {{NULL, 0}};
    cl_str message;
    (void)arg;
    cl_result result = cl_request_bind(ctx, request, todo_fields, &todo, &message);
    if (result != CL_OK) {
        cl_fail(response, 400, CL_FMT, CL_ARG(message));
        return;
    }
    cl_status(response, 201);
    cl_body_json(response, cl_json_unbind(ctx->arena, todo_fields, &todo));
}

static void many_headers(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)ctx, (void)request, (void)arg;
    cl_set_header(response, "X-One", cl_str_of("old"));
    cl_add_header(response, "x-one", cl_str_of("older"));
    cl_set_header(response, "X-ONE", cl_str_of("a\"b"));
    cl_add_header(response, "X-Two", cl_str_of("1"));
    cl_add_header(response, "Other", cl_str_of("o"));
    cl_add_header(response, "x-two", cl_str_of("2"));
    cl_set_cookie(response, "a=1; HttpOnly");
    cl_add_header(response, "set-cookie", cl_str_of("b=2"));
    cl_body_bytes(response, "image/png", (cl_str){"\x89P\0", 3});
}

static void spoiled(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)ctx, (void)arg;
    cl_str what = cl_path_parameter(request, "what");
    cl_body_text(response, "text/html", cl_str_of("secret"));
    cl_set_header(response, "X-Good", cl_str_of("1"));
    if (cl_str_is(what, "value"))
        cl_add_header(response, "X", cl_str_of("a\r\nSet-Cookie: x"));
    else if (cl_str_is(what, "name"))
        cl_set_header(response, "X Y", cl_str_of("a"));
    else if (cl_str_is(what, "empty"))
        cl_set_header(response, "", cl_str_of("a"));
    else if (cl_str_is(what, "null")) {
        cl_add_header(response, "X", cl_str_of("a\nb"));
        cl_add_header(response, NULL, cl_str_of("a"));          /* does not take the refusal back */
    } else if (cl_str_is(what, "cookie"))
        cl_set_cookie(response, "a\nb");
    else
        cl_status(response, 1000);
}

static void crash(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)ctx, (void)request, (void)arg;
    cl_crash(response, "Oops", "%s", "it broke");
}

/* Answers, or forgets to, as the header asks; who passes is known to the handler. */
static bool guard(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    static char who[] = "ada";
    cl_str deny = cl_header(request, "X-Deny");
    (void)arg;
    assert_null(ctx->user);
    ctx->user = who;
    if (cl_str_is(deny, "1"))
        cl_fail(response, 401, "who are you?");
    else if (cl_str_is(deny, "status"))
        cl_status(response, 403);
    else if (cl_str_is(deny, "crash"))
        cl_crash(response, "Lost", "no key");
    else if (deny.n > 0)
        cl_set_header(response, "X-Reason", cl_str_of("forgotten"));
    return deny.n == 0;
}

static void whoami(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)request, (void)arg;
    cl_body_text(response, NULL, cl_str_of(ctx->user));
}

/* Bodies around Lambda's bound: of JSON, text and bytes. */
static void large(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    int64_t n = 0;
    (void)arg;
    cl_query_int(request, "n", 0, 10000000, &n);
    char *text = cl_alloc(ctx->arena, (size_t)n + 1);
    memset(text, 'x', (size_t)n);
    cl_str all = {text, (size_t)n};
    if (cl_query(request, "json").n)
        cl_body_json(response, cl_json_string(ctx->arena, all));
    else if (cl_query(request, "bytes").n)
        cl_body_bytes(response, NULL, all);
    else if (cl_query(request, "header").n)
        cl_add_header(response, "X", all), cl_add_header(response, "X", all);
    else
        cl_body_text(response, NULL, all);
    if (cl_query(request, "instead").n)
        cl_fail(response, 500, "not that");
}

static const cl_route routes[] = {
    {"GET", "/", show},          {"GET", "/todos/{id}", show},   {"DELETE", "/todos/{id}", show}, {"GET", "/todos/new", by_name}, {"POST", "/todos", create},
    {"GET", "/files/{path+}", show}, {"GET", "/files/{a}/{b}/end", show}, {"GET", "/headers", many_headers}, {"GET", "/spoiled/{what}", spoiled},
    {"GET", "/crash", crash},    {"GET", "/a b/{x}", show},      {"GET", "/whoami", whoami}, {"GET", "/large", large},
    {"ANY", "/any/{id}", show},  {"PUT", "/any/{id}", by_name},  {"GET", "/any/{id}", by_name}, {"ANY", "/any/one", show}, {0},
};
static const cl_app plain_app = {.routes = routes};
static const cl_app guarded_app = {.routes = routes, .before = guard};
static const cl_app open_app = {.routes = routes, .cors = {.origin = "*", .headers = "Content-Type", .max_age = 600}};
static const cl_app one_origin = {.routes = routes, .cors = {.origin = "https://app.example"}};

/* The answer's text, or "TYPE: MESSAGE" of an error. */
static cl_str run(cl_arena *arena, const cl_app *app, const char *event)
{
    cl_context ctx = {.arena = arena};
    cl_answer answer = {.kind = CL__ANSWER_NULL, .ctx = &ctx};
    cl_app_handle(app, &ctx, cl_str_of(event), &answer);
    if (answer.kind == CL__ANSWER_ERROR)
        return cl_printf(arena, "%.*s: %.*s", (int)answer.error.type_n, answer.error.type, (int)answer.error.text_n, answer.error.text);
    assert_int_equal(answer.kind, CL__ANSWER_TEXT);
    if (!cl_arena_failed(arena)) {
        long countdown = cl__malloc_countdown;                  /* the check itself has memory */
        cl__malloc_countdown = -1;
        cl_arena *other = cl_arena_new(0);
        assert_non_null(parsed(other, answer.text.p));
        cl_arena_free(other);
        cl__malloc_countdown = countdown;
    }
    return answer.text;
}

static const char *event_of(cl_arena *arena, int version, const char *method, const char *path)
{
    return version == 1 ? cl_printf(arena, "{\"httpMethod\":\"%s\",\"path\":\"%s\",\"pathParameters\":{\"proxy\":\"p\"}}", method, path).p
                        : cl_printf(arena, "{\"version\":\"2.0\",\"rawPath\":\"%s\",\"requestContext\":{\"http\":{\"method\":\"%s\"}}}", path, method).p;
}

static void test_routes(void **state)
{
    static const struct {
        const char *method, *path;
        int status;
        const char *body;
    } rows[] = {
        {"GET", "/", 200, "[proxy=p]"},
        {"GET", "", 200, "[proxy=p]"},
        {"GET", "/todos/7", 200, "[id=7]"},
        {"GET", "/todos/7/", 200, "[id=7]"},
        {"GET", "/todos/a%2Fb%20c%C3%A4%zz+", 200, "[id=a/b c\xC3\xA4%zz+]"},
        {"GET", "/todos/new", 200, "new[proxy=p]"},
        {"GET", "/t%6Fdos/new", 200, "new[proxy=p]"},
        {"DELETE", "/todos/new", 200, "[id=new]"},
        {"PUT", "/todos/new", 405, "{\"error\":\"method not allowed\"}"},
        {"get", "/todos/new", 405, "{\"error\":\"method not allowed\"}"},
        {"GET", "/todos", 405, "{\"error\":\"method not allowed\"}"},
        {"GET", "/todos//", 404, "{\"error\":\"no such path\"}"},
        {"GET", "/todos/7/x", 404, "{\"error\":\"no such path\"}"},
        {"GET", "/Todos/7", 404, "{\"error\":\"no such path\"}"},
        {"GET", "/files/a", 200, "[path=a]"},
        {"GET", "/files/a/b%20c/d", 200, "[path=a/b c/d]"},
        {"GET", "/files/a/b/end", 200, "[a=a][b=b]"},
        {"GET", "/files", 404, "{\"error\":\"no such path\"}"},
        {"GET", "/files/", 404, "{\"error\":\"no such path\"}"},
        {"GET", "/a%20b/c", 200, "[x=c]"},
        {"OPTIONS", "/todos/7", 405, "{\"error\":\"method not allowed\"}"},
        {"HEAD", "/todos/7", 200, ""},
        {"HEAD", "/todos", 405, ""},
        {"HEAD", "/nowhere", 404, ""},
        {"DELETE", "/any/7", 200, "[id=7]"},
        {"OPTIONS", "/any/7", 200, "[id=7]"},
        {"PUT", "/any/7", 200, "new[id=7]"},
        {"PUT", "/any/one", 200, "[proxy=p]"},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        const cl_json *answer = parsed(*state, run(*state, &plain_app, event_of(*state, 1, rows[i].method, rows[i].path)).p);
        int64_t status = 0;
        assert_true(cl_json_i64(cl_json_get(answer, "statusCode"), &status));
        if (status != rows[i].status || !cl_str_is(cl_json_str(cl_json_get(answer, "body")), rows[i].body))
            fail_msg("%s %s: %d %s", rows[i].method, rows[i].path, (int)status, cl_json_text(*state, answer).p);
    }
    assert_str(run(*state, &plain_app, event_of(*state, 1, "PUT", "/todos/new")),
               "{\"statusCode\":405,\"headers\":{\"Content-Type\":\"application/json\",\"Allow\":\"GET, DELETE\"},\"multiValueHeaders\":{},"
               "\"body\":\"{\\\"error\\\":\\\"method not allowed\\\"}\",\"isBase64Encoded\":false}");
}

/* HTTP APIs hand over a decoded path: decoding it again would make another one of it. */
static void test_paths_are_decoded_once(void **state)
{
    static const struct {
        const char *path, *as_it_is, *decoded; /* NULL: no such path */
    } rows[] = {
        {"/todos/100%25", "[id=100%]", "[id=100%25]"},
        {"/todos/a%2Fb", "[id=a/b]", "[id=a%2Fb]"},
        {"/todos/a b", "[id=a b]", "[id=a b]"},
        {"/files/a%20b/%25", "[path=a b/%]", "[path=a%20b/%25]"},
        {"/t%6Fdos/new", "new", NULL},
        {"/a b/x%2B", "[x=x+]", "[x=x%2B]"},
    };
    static const struct {
        const char *format;
        bool decoded;
    } events[] = {
        {"{\"httpMethod\":\"GET\",\"path\":\"%s\"}", false},
        {"{\"httpMethod\":\"GET\",\"path\":\"%s\",\"version\":\"1.0\"}", true},
        {"{\"version\":\"2.0\",\"rawPath\":\"%s\",\"requestContext\":{\"domainName\":\"a.execute-api.example\",\"http\":{\"method\":\"GET\"}}}", true},
        {"{\"version\":\"2.0\",\"rawPath\":\"%s\",\"requestContext\":{\"domainName\":\"a.lambda-url.eu-central-1.on.aws\",\"http\":{\"method\":\"GET\"}}}", false},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++)
        for (size_t k = 0; k < CL__COUNT(events); k++) {
            const char *half = strstr(events[k].format, "%s"), *wanted = events[k].decoded ? rows[i].decoded : rows[i].as_it_is;
            cl_str event = cl_printf(*state, "%.*s%s%s", (int)(half - events[k].format), events[k].format, rows[i].path, half + 2);
            cl_str body = cl_json_str(cl_json_get(parsed(*state, run(*state, &plain_app, event.p).p), "body"));
            if (!cl_str_is(body, wanted ? wanted : "{\"error\":\"no such path\"}"))
                fail_msg(CL_FMT ": " CL_FMT, CL_ARG(event), CL_ARG(body));
        }
}

static void test_head(void **state)
{
    assert_str(run(*state, &plain_app, event_of(*state, 2, "HEAD", "/headers")),
               "{\"statusCode\":200,\"headers\":{\"X-ONE\":\"a\\\"b\",\"X-Two\":\"1, 2\",\"Other\":\"o\",\"Content-Type\":\"image/png\"},"
               "\"cookies\":[\"a=1; HttpOnly\",\"b=2\"],\"body\":\"\",\"isBase64Encoded\":false}");
}

static void test_answers_that_are_too_large(void **state)
{
    static const struct {
        const char *query;
        bool fits;
    } rows[] = {
        {"n=6291400", true}, {"n=6291556", false}, {"n=6291400&json=1", true}, {"n=6291556&json=1", false}, {"n=9000000&json=1", false},
        {"n=4718000&bytes=1", true}, {"n=5000000&bytes=1", false}, {"n=4000000&header=1", false}, {"n=9000000&json=1&instead=1", true}, {"n=9000000&instead=1", true},
    };
    (void)state;
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        cl_arena *arena = cl_arena_new(0);
        cl_str event = cl_printf(arena, "{\"version\":\"2.0\",\"rawPath\":\"/large\",\"rawQueryString\":\"%s\",\"requestContext\":{\"http\":{\"method\":\"GET\"}}}", rows[i].query);
        cl_str text = run(arena, &plain_app, event.p);
        if (rows[i].fits ? text.p[0] != '{' : !cl_str_is(text, "Function.ResponseSizeTooLarge: Response payload size exceeded maximum allowed payload size (6291556 bytes)."))
            fail_msg("%s: %.200s", rows[i].query, text.p);
        assert_false(cl_arena_failed(arena));
        cl_arena_free(arena);
    }
}

static void test_shapes(void **state)
{
    assert_str(run(*state, &plain_app, event_of(*state, 1, "GET", "/headers")),
               "{\"statusCode\":200,\"headers\":{\"X-ONE\":\"a\\\"b\",\"Other\":\"o\",\"Content-Type\":\"image/png\"},"
               "\"multiValueHeaders\":{\"X-Two\":[\"1\",\"2\"],\"Set-Cookie\":[\"a=1; HttpOnly\",\"b=2\"]},\"body\":\"iVAA\",\"isBase64Encoded\":true}");
    assert_str(run(*state, &plain_app, event_of(*state, 2, "GET", "/headers")),
               "{\"statusCode\":200,\"headers\":{\"X-ONE\":\"a\\\"b\",\"X-Two\":\"1, 2\",\"Other\":\"o\",\"Content-Type\":\"image/png\"},"
               "\"cookies\":[\"a=1; HttpOnly\",\"b=2\"],\"body\":\"iVAA\",\"isBase64Encoded\":true}");
    assert_str(run(*state, &plain_app, event_of(*state, 2, "GET", "/")),
               "{\"statusCode\":200,\"headers\":{\"Content-Type\":\"text/plain; charset=utf-8\"},\"body\":\"\",\"isBase64Encoded\":false}");
    assert_str(run(*state, &plain_app, event_of(*state, 1, "GET", "/crash")), "Oops: it broke");
}

static void test_spoiled_answers(void **state)
{
    static const char *const what[] = {"value", "name", "empty", "null", "cookie", "status"};
    for (size_t i = 0; i < CL__COUNT(what); i++) {
        const char *event = event_of(*state, 2, "GET", cl_printf(*state, "/spoiled/%s", what[i]).p);
        assert_str(run(*state, &open_app, event), "{\"statusCode\":500,\"headers\":{\"Content-Type\":\"application/json\",\"Access-Control-Allow-Origin\":\"*\"},"
                                                  "\"body\":\"{\\\"error\\\":\\\"internal error\\\"}\",\"isBase64Encoded\":false}");
    }
}

static void test_cors(void **state)
{
    assert_str(run(*state, &open_app, event_of(*state, 2, "OPTIONS", "/todos/new")),
               "{\"statusCode\":204,\"headers\":{\"Access-Control-Allow-Methods\":\"GET, DELETE, OPTIONS\",\"Access-Control-Allow-Headers\":\"Content-Type\","
               "\"Access-Control-Max-Age\":\"600\",\"Access-Control-Allow-Origin\":\"*\"},\"body\":\"\",\"isBase64Encoded\":false}");
    /* A row for any method is not one for OPTIONS: what a browser asks first is answered here. */
    assert_str(run(*state, &one_origin, event_of(*state, 2, "OPTIONS", "/any/one")),
               "{\"statusCode\":204,\"headers\":{\"Access-Control-Allow-Methods\":\"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT\","
               "\"Access-Control-Allow-Origin\":\"https://app.example\",\"Vary\":\"Origin\"},\"body\":\"\",\"isBase64Encoded\":false}");
    assert_str(run(*state, &one_origin, event_of(*state, 2, "GET", "/nowhere")),
               "{\"statusCode\":404,\"headers\":{\"Content-Type\":\"application/json\",\"Access-Control-Allow-Origin\":\"https://app.example\",\"Vary\":\"Origin\"},"
               "\"body\":\"{\\\"error\\\":\\\"no such path\\\"}\",\"isBase64Encoded\":false}");
    assert_str(run(*state, &one_origin, event_of(*state, 2, "OPTIONS", "/nowhere")),
               "{\"statusCode\":404,\"headers\":{\"Content-Type\":\"application/json\",\"Access-Control-Allow-Origin\":\"https://app.example\",\"Vary\":\"Origin\"},"
               "\"body\":\"{\\\"error\\\":\\\"no such path\\\"}\",\"isBase64Encoded\":false}");
}

static void test_before(void **state)
{
    static const struct {
        const char *deny, *answer;
    } rows[] = {
        {"1", "{\"statusCode\":401,\"headers\":{\"Content-Type\":\"application/json\"},\"body\":\"{\\\"error\\\":\\\"who are you?\\\"}\",\"isBase64Encoded\":false}"},
        {"status", "{\"statusCode\":403,\"headers\":{},\"body\":\"\",\"isBase64Encoded\":false}"},
        {"crash", "Lost: no key"},
        /* Stopped without an answer: not a 200. */
        {"forgotten", "{\"statusCode\":500,\"headers\":{\"X-Reason\":\"forgotten\",\"Content-Type\":\"application/json\"},\"body\":\"{\\\"error\\\":\\\"internal error\\\"}\",\"isBase64Encoded\":false}"},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        cl_str event = cl_printf(*state, "{\"version\":\"2.0\",\"rawPath\":\"/\",\"headers\":{\"x-deny\":\"%s\"},\"requestContext\":{\"http\":{\"method\":\"GET\"}}}", rows[i].deny);
        assert_str(run(*state, &guarded_app, event.p), rows[i].answer);
    }
    assert_str(cl_json_str(cl_json_get(parsed(*state, run(*state, &guarded_app, event_of(*state, 2, "GET", "/whoami")).p), "body")), "ada");
    const cl_json *answer = parsed(*state, run(*state, &guarded_app, event_of(*state, 2, "GET", "/todos/1")).p);
    assert_str(cl_json_str(cl_json_get(answer, "body")), "[id=1]");
}

static void test_bodies(void **state)
{
    static const struct {
        const char *body, *answer;
    } rows[] = {
        {"\"{\\\"title\\\":\\\"x\\\"}\"", "{\"title\":\"x\"}"},
        {"\"{}\"", "{\"error\":\"title: required\"}"},
        {"\"{\\\"title\\\":\\\"0123456789\\\"}\"", "{\"error\":\"title: expected a string of 1 to 9 characters\"}"},
        {"\"{\\\"title\\\":\\\"x\\\",\\\"y\\\":1}\"", "{\"error\":\"y: unknown member\"}"},
        {"\"[1\"", "{\"error\":\"body: no valid JSON at byte 2\"}"},
        {"\"[]\"", "{\"error\":\"body: expected a JSON object\"}"},
        {"\"null\"", "{\"error\":\"body: expected a JSON object\"}"},
        {"\"{\\\"c\\\\u0000ode\\\":1,\\\"title\\\":\\\"x\\\"}\"", "{\"error\":\"c\\\\u0000ode: unknown member\"}"},
        {"\"\"", "{\"error\":\"body: expected a JSON object\"}"},
        {"null", "{\"error\":\"body: expected a JSON object\"}"},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        cl_str event = cl_printf(*state, "{\"httpMethod\":\"POST\",\"path\":\"/todos\",\"body\":%s}", rows[i].body);
        const cl_json *answer = parsed(*state, run(*state, &plain_app, event.p).p);
        assert_str(cl_json_str(cl_json_get(answer, "body")), rows[i].answer);
    }
}

/* A body that is refused for its size still has an answer: half of the memory is held back for it. */
static void test_bodies_larger_than_the_memory(void **state)
{
    cl_buf event;
    cl_buf_init(&event, *state, 1 << 20);
    cl_buf_adds(&event, "{\"httpMethod\":\"POST\",\"path\":\"/todos\",\"body\":\"{\\\"title\\\":[0");
    for (int i = 0; i < 5000; i++)
        cl_buf_adds(&event, ",0");
    cl_buf_adds(&event, "]}\"}");
    cl_arena *arena = cl_arena_new(256 << 10);
    const cl_json *answer = parsed(arena, run(arena, &plain_app, cl_buf_str(&event).p).p);
    assert_str(cl_json_str(cl_json_get(answer, "body")), "{\"error\":\"body: 10013 bytes are more than this function has memory for\"}");
    cl_arena_free(arena);
    answer = parsed(*state, run(*state, &plain_app, cl_buf_str(&event).p).p);
    assert_str(cl_json_str(cl_json_get(answer, "body")), "{\"error\":\"title: expected a string of 1 to 9 characters\"}");
}

static void test_malformed_events_are_answered(void **state)
{
    for (size_t i = 0; i < CL__COUNT(malformed); i++) {
        const cl_json *answer = parsed(*state, run(*state, &plain_app, malformed[i].event).p);
        int64_t status = 0;
        assert_true(cl_json_i64(cl_json_get(answer, "statusCode"), &status) && status == 400);
        const cl_json *body = parsed(*state, cl_json_str(cl_json_get(answer, "body")).p);
        assert_str(cl_json_str(cl_json_get(body, "error")), malformed[i].message);
    }
    assert_str(run(*state, &plain_app, "{\"a\":"), "{\"statusCode\":400,\"headers\":{\"Content-Type\":\"application/json\"},\"multiValueHeaders\":{},"
                                                   "\"body\":\"{\\\"error\\\":\\\"event: no valid JSON at byte 5\\\"}\",\"isBase64Encoded\":false}");
}

/* ---- without memory ---- */

/* Either it says that it has failed, or the answer is the one that it gives with all the memory there is (`wanted`); or a body
 * was refused because it is more than half of what is left. */
struct walked {
    const cl_app *app;
    const char *event;
    cl_str wanted;
};

static cl_result one_request(cl_arena *arena, void *arg)
{
    const struct walked *w = arg;
    cl_str text = run(arena, w->app, w->event);
    if (cl_arena_failed(arena))
        return CL_NO_MEMORY;
    if (!cl_str_eq(text, w->wanted) && !strstr(text.p, "more than this function has memory for"))
        fail_msg(CL_FMT " is not " CL_FMT, CL_ARG(text), CL_ARG(w->wanted));
    return CL_OK;
}

/* Every way to make an answer, and every way to read a request. */
static void everything(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    cl_json *object = cl_json_object(ctx->arena);
    struct todo todo = {{NULL, 0}};
    cl_str message = {NULL, 0};
    int64_t n = 0;
    (void)arg;
    cl_result result = cl_request_bind(ctx, request, todo_fields, &todo, &message);
    if (result == CL_NO_MEMORY)
        assert_true(cl_arena_failed(ctx->arena));
    if (result == CL_INVALID) {
        cl_fail(response, 400, CL_FMT, CL_ARG(message));
        return;
    }
    assert_true(cl_query_int(request, "n", 0, 9, &n));
    cl_json_set(object, "header", cl_json_string(ctx->arena, cl_header(request, "A")));
    cl_json_set(object, "query", cl_json_string(ctx->arena, cl_query(request, "q")));
    cl_json_set(object, "cookie", cl_json_string(ctx->arena, cl_cookie(request, "c")));
    cl_json_set(object, "id", cl_json_string(ctx->arena, cl_path_parameter(request, "id")));
    cl_json_set(object, "title", cl_json_string(ctx->arena, todo.title));
    cl_status(response, 201);
    cl_set_header(response, "X-One", cl_dup(ctx->arena, cl_str_of("one")));
    cl_add_header(response, "X-One", cl_printf(ctx->arena, "%d", 2));
    cl_set_cookie(response, "a=b");
    cl_str kind = cl_query(request, "kind");
    if (cl_str_is(kind, "text"))
        cl_body_text(response, NULL, cl_json_text(ctx->arena, object));
    else if (cl_str_is(kind, "bytes"))
        cl_body_bytes(response, NULL, cl_json_text(ctx->arena, object));
    else if (cl_str_is(kind, "crash"))
        cl_crash(response, "Oops", CL_FMT, CL_ARG(cl_json_text(ctx->arena, object)));
    else
        cl_body_json(response, object);
}

static const cl_route all_routes[] = {{"POST", "/all/{id}", everything}, {0}};
static const cl_app all_app = {.routes = all_routes, .before = guard, .cors = {.origin = "https://app.example"}};

static cl_result one_view(cl_arena *arena, void *arg)
{
    cl_request request = {.version = 77};
    cl_json *json = NULL;
    cl_str message = {NULL, 0};
    cl_result result = cl_json_parse(arena, cl_str_of(arg), &json, NULL);
    if (result == CL_OK)
        result = cl_request_of(arena, json, &request, &message);
    if (result != CL_OK)
        assert_int_equal(request.version, 77);
    cl_context ctx = {.arena = arena};
    cl_answer answer = {.kind = CL__ANSWER_NULL, .ctx = &ctx};
    cl_app_handle(&plain_app, &ctx, cl_str_of(arg), &answer);
    assert_int_equal(answer.kind, CL__ANSWER_TEXT);
    return cl_arena_failed(arena) ? CL_NO_MEMORY : result;
}

static void test_without_memory(void **state)
{
    const char *events[] = {rest_event, http_event, event_of(*state, 1, "GET", "/headers"), event_of(*state, 2, "GET", "/headers"), event_of(*state, 1, "OPTIONS", "/todos/7"),
                            event_of(*state, 1, "GET", "/files/%20/b"), event_of(*state, 1, "PUT", "/todos/new"), "{\"httpMethod\":\"POST\",\"path\":\"/todos\",\"body\":\"{}\"}",
                            "{", "{\"version\":7}", event_of(*state, 1, "GET", "/spoiled/value"), event_of(*state, 1, "HEAD", "/todos/7")};
    static const char *const kinds[] = {"json", "text", "bytes", "crash", "json&n=5"},
                             *const bodies[] = {"{\\\"title\\\":\\\"abcdefghi\\\"}", "{\\\"c\\\\u0000ode\\\":1}", "[]", "{"};
    for (size_t i = 0; i < CL__COUNT(events); i++) {
        struct walked w = {&open_app, events[i], run(*state, &open_app, events[i])};
        walk_arena(one_request, &w, 24000);
    }
    for (size_t i = 0; i < CL__COUNT(kinds); i++)
        for (size_t k = 0; k < (i == 0 ? CL__COUNT(bodies) : 1); k++) {
            const char *event = cl_printf(*state, "{\"version\":\"2.0\",\"rawPath\":\"/all/7%%25\",\"rawQueryString\":\"q=%%41&kind=%s\",\"cookies\":[\"c=d\"],\"headers\":{\"a\":\"b\"},"
                                          "\"requestContext\":{\"http\":{\"method\":\"POST\"}},\"body\":\"%s\"}", kinds[i], bodies[k]).p;
            struct walked w = {&all_app, event, run(*state, &all_app, event)};
            walk_arena(one_request, &w, 24000);
        }
    walk_arena(one_view, (void *)(uintptr_t)rest_event, 24000);
    walk_arena(one_view, (void *)(uintptr_t)http_event, 24000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_format_1, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_format_2, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_little_events, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_malformed_events, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_documented_events, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_paths_are_decoded_once, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_head, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_answers_that_are_too_large, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_query_integers, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_routes, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_shapes, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_spoiled_answers, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_cors, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_before, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_bodies, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_bodies_larger_than_the_memory, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_malformed_events_are_answered, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_without_memory, arena_begin, arena_end),
    };
    setenv("LOG_LEVEL", "FATAL", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
