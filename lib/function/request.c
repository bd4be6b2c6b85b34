/* request.c -- events of API Gateway, formats 1.0 and 2.0, as one view.
 *
 * Single values are rows of a table for each format; lists of names and values are objects of strings (or of lists of
 * strings), and in format 2.0 the query string and the cookies as the client sent them, which tell repeated names apart.
 * Everything but decoded text is borrowed from the event. What is of the wrong type is refused with its path; what is absent
 * or null is empty, except for a method and a path.
 * Sources: developer guide of API Gateway, "Input format of a Lambda function for proxy integration", "Working with AWS Lambda
 * proxy integrations for HTTP APIs", "Controlling access to HTTP APIs with JWT authorizers". */
#include "cloudless/http.h"
#include "internal.h"
#include <stdio.h>

#define MESSAGE_MAX 1024

struct row {
    const char *path;               /* in the event */
    size_t offset;                  /* of a cl_str in cl_request */
    bool required;
};

static const struct row rows_1[] = {
    {"httpMethod", offsetof(cl_request, method), true},
    {"path", offsetof(cl_request, path), true},
    {"requestContext.stage", offsetof(cl_request, stage), false},
    {"requestContext.identity.sourceIp", offsetof(cl_request, source_ip), false},
    {"requestContext.requestId", offsetof(cl_request, request_id), false},
    {"body", offsetof(cl_request, body), false},
};
static const struct row rows_2[] = {
    {"requestContext.http.method", offsetof(cl_request, method), true},
    {"rawPath", offsetof(cl_request, path), true},
    {"requestContext.stage", offsetof(cl_request, stage), false},
    {"requestContext.http.sourceIp", offsetof(cl_request, source_ip), false},
    {"requestContext.requestId", offsetof(cl_request, request_id), false},
    {"body", offsetof(cl_request, body), false},
};

struct reader {
    cl_arena *arena;
    const cl_json *event;
    cl_str *message;
};

static cl_result wrong(const struct reader *r, const char *path, cl_str name, const char *what)
{
    cl_buf text;
    cl_buf_init(&text, r->arena, MESSAGE_MAX);
    cl_buf_adds(&text, path);
    cl_buf_adds(&text, name.n ? "." : "");
    cl__add_name(&text, name);
    cl_buf_printf(&text, ": %s", what);
    if (text.failed)
        return cl__said(CL_NO_MEMORY, r->message);
    if (r->message)
        *r->message = cl_buf_str(&text);
    return CL_INVALID;
}

/* Absent and null are the same. */
static const cl_json *at(const struct reader *r, const char *path)
{
    const cl_json *json = cl_json_path(r->event, path);
    return cl_json_is(json, CL_NULL) ? NULL : json;
}

/* ---- names and values ---- */

static cl_result new_pairs(const struct reader *r, size_t max, cl_pairs *ret)
{
    *ret = (cl_pairs){NULL, 0};
    if (max == 0)
        return CL_OK;
    ret->items = cl_alloc_array(r->arena, sizeof *ret->items, max);
    return ret->items ? CL_OK : CL_NO_MEMORY;
}

static void add_pair(cl_pairs *pairs, cl_str name, cl_str value)
{
    pairs->items[pairs->count++] = (cl_pair){name, value};
}

/* {"name":"value"} or {"name":["value",…]}. */
static cl_result read_pairs(const struct reader *r, const char *path, cl_pairs *ret)
{
    const cl_json *object = at(r, path);
    size_t max = 0;
    if (!object)
        return new_pairs(r, 0, ret);
    if (object->type != CL_OBJECT)
        return wrong(r, path, (cl_str){NULL, 0}, "expected an object");
    for CL_JSON_EACH(child, object)
        max += child->type == CL_ARRAY ? child->count : 1;
    cl_result result = new_pairs(r, max, ret);
    if (result != CL_OK)
        return result;
    for CL_JSON_EACH(child, object) {
        if (child->type == CL_STRING) {
            add_pair(ret, child->key, child->text);
            continue;
        }
        if (child->type != CL_ARRAY && child->type != CL_NULL)
            return wrong(r, path, child->key, "expected a string");
        for CL_JSON_EACH(value, child) {
            if (value->type != CL_STRING)
                return wrong(r, path, child->key, "expected a list of strings");
            add_pair(ret, child->key, value->text);
        }
    }
    return CL_OK;
}

/* The one with lists if it has anything, else the plain one. */
static cl_result read_either(const struct reader *r, const char *lists, const char *plain, cl_pairs *ret)
{
    cl_result result = read_pairs(r, lists, ret);
    return result == CL_OK && ret->count == 0 ? read_pairs(r, plain, ret) : result;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

cl_str cl__percent_decode(cl_arena *arena, cl_str s, bool plus)
{
    char *p = cl__take(arena, s.n + 1, 1);
    size_t n = 0;
    if (!p)
        return (cl_str){NULL, 0};
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && i + 2 < s.n ? hex_value(s.p[i + 1]) : -1, low = high >= 0 ? hex_value(s.p[i + 2]) : -1;
        if (low >= 0) {
            p[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            p[n++] = s.p[i] == '+' && plus ? ' ' : s.p[i];
        }
    }
    p[n] = 0;
    return (cl_str){p, n};
}

/* Cuts off what stands before c, or all. */
static cl_str cut(cl_str *rest, char c)
{
    const char *found = rest->n ? memchr(rest->p, c, rest->n) : NULL;
    cl_str before = {rest->p, found ? (size_t)(found - rest->p) : rest->n};
    size_t gone = before.n + (found != NULL);
    rest->p += gone, rest->n -= gone;
    return before;
}

static size_t count_of(cl_str s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == c;
    return n;
}

static cl_result read_query_string(const struct reader *r, cl_str query, cl_pairs *ret)
{
    cl_result result = new_pairs(r, count_of(query, '&') + 1, ret);
    while (query.n && result == CL_OK) {
        cl_str value = cut(&query, '&'), name = cut(&value, '=');
        if (name.n == 0 && value.n == 0)
            continue;
        add_pair(ret, cl__percent_decode(r->arena, name, true), cl__percent_decode(r->arena, value, true));
    }
    return cl_arena_failed(r->arena) ? CL_NO_MEMORY : result;
}

static cl_str trim(cl_str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* a=b; c=d, without what has no name. Names and values are copied for their NULs. */
static void add_cookies(const struct reader *r, cl_str text, cl_pairs *ret)
{
    while (text.n) {
        cl_str value = trim(cut(&text, ';')), name = cut(&value, '=');
        if (name.n)
            add_pair(ret, cl_dup(r->arena, trim(name)), cl_dup(r->arena, trim(value)));
    }
}

/* Of format 1.0 the Cookie headers, of 2.0 a list. */
static cl_result read_cookies(const struct reader *r, cl_request *request)
{
    static const cl_str header = CL_STR_LIT("Cookie");
    const cl_json *list = request->version == 2 ? at(r, "cookies") : NULL;
    size_t max = 0;
    if (list && list->type != CL_ARRAY)
        return wrong(r, "cookies", (cl_str){NULL, 0}, "expected a list of strings");
    for CL_JSON_EACH(one, list) {
        if (one->type != CL_STRING)
            return wrong(r, "cookies", (cl_str){NULL, 0}, "expected a list of strings");
        max += count_of(one->text, ';') + 1;
    }
    for (size_t i = 0; i < request->headers.count && !list; i++)
        if (cl__ieq(request->headers.items[i].name, header))
            max += count_of(request->headers.items[i].value, ';') + 1;
    cl_result result = new_pairs(r, max, &request->cookies);
    if (result != CL_OK)
        return result;
    for CL_JSON_EACH(one, list)
        add_cookies(r, one->text, &request->cookies);
    for (size_t i = 0; i < request->headers.count && !list; i++)
        if (cl__ieq(request->headers.items[i].name, header))
            add_cookies(r, request->headers.items[i].value, &request->cookies);
    return cl_arena_failed(r->arena) ? CL_NO_MEMORY : CL_OK;
}

/* ---- the rest ---- */

static cl_result read_rows(const struct reader *r, const struct row *rows, size_t count, cl_request *request)
{
    for (size_t i = 0; i < count; i++) {
        const cl_json *json = at(r, rows[i].path);
        cl_str *to = (cl_str *)(void *)((char *)request + rows[i].offset);
        if (!json && rows[i].required)
            return wrong(r, rows[i].path, (cl_str){NULL, 0}, "required");
        if (json && json->type != CL_STRING)
            return wrong(r, rows[i].path, (cl_str){NULL, 0}, "expected a string");
        *to = cl_json_str(json);
    }
    return CL_OK;
}

static cl_result read_body(const struct reader *r, cl_request *request)
{
    const cl_json *encoded = at(r, "isBase64Encoded");
    if (encoded && encoded->type != CL_TRUE && encoded->type != CL_FALSE)
        return wrong(r, "isBase64Encoded", (cl_str){NULL, 0}, "expected true or false");
    if (!cl_json_is(encoded, CL_TRUE) || request->body.n == 0)
        return CL_OK;
    cl_result result = cl_base64_decode(r->arena, request->body, false, &request->body);
    return result == CL_INVALID ? wrong(r, "body", (cl_str){NULL, 0}, "expected base64") : result;
}

/* In HTTP APIs the path has the stage in front, unless that is $default. Their events have a version, those of REST APIs none. */
static cl_str without_stage(cl_str path, cl_str stage)
{
    if (stage.n == 0 || cl_str_is(stage, "$default") || path.n <= stage.n || path.p[0] != '/' ||
        memcmp(path.p + 1, stage.p, stage.n) != 0)
        return path;
    if (path.n == stage.n + 1)
        return (cl_str)CL_STR_LIT("/");
    return path.p[stage.n + 1] == '/' ? (cl_str){path.p + stage.n + 1, path.n - stage.n - 1} : path;
}

/* HTTP APIs hand the path over decoded. Of the other events with a version, those of function URLs, the domain tells. */
static bool is_decoded(const struct reader *r)
{
    cl_str domain = cl_json_str(at(r, "requestContext.domainName"));
    return at(r, "version") && !(domain.n && memmem(domain.p, domain.n, ".lambda-url.", 12));
}

/* Is this no context of a Lambda authorizer, whose members are scalars, but an object that names another kind of authorizer? */
static bool names_a_kind(const cl_json *authorizer)
{
    static const char *const kinds[] = {"jwt", "iam", "lambda", "claims"};
    for (size_t i = 0; i < CL__COUNT(kinds); i++) {
        const cl_json *kind = cl_json_get(authorizer, kinds[i]);
        if (kind && (kind->type == CL_OBJECT || kind->type == CL_NULL))
            return true;
    }
    return false;
}

/* Where authorizers leave what they know, best first. An HTTP API without one says {"claims":null,"scopes":null} in format 1.0. */
static const cl_json *claims_of(const struct reader *r)
{
    static const char *const paths[] = {"requestContext.authorizer.jwt.claims", "requestContext.authorizer.claims",
                                        "requestContext.authorizer.lambda", "requestContext.authorizer"};
    for (size_t i = 0; i < CL__COUNT(paths); i++) {
        const cl_json *claims = at(r, paths[i]);
        if (cl_json_is(claims, CL_OBJECT) && claims->count > 0 && !(i == 3 && names_a_kind(claims)))
            return claims;
    }
    return NULL;
}

static cl_result read_1(const struct reader *r, cl_request *request)
{
    cl_result result = read_rows(r, rows_1, CL__COUNT(rows_1), request);
    if (result == CL_OK)
        result = read_either(r, "multiValueHeaders", "headers", &request->headers);
    if (result == CL_OK)
        result = read_either(r, "multiValueQueryStringParameters", "queryStringParameters", &request->query);
    return result;
}

static cl_result read_2(const struct reader *r, cl_request *request)
{
    const cl_json *query = at(r, "rawQueryString");
    cl_result result = read_rows(r, rows_2, CL__COUNT(rows_2), request);
    if (result == CL_OK)
        result = read_pairs(r, "headers", &request->headers);
    if (result == CL_OK && query && query->type != CL_STRING)
        result = wrong(r, "rawQueryString", (cl_str){NULL, 0}, "expected a string");
    if (result == CL_OK)
        result = query && query->text.n ? read_query_string(r, query->text, &request->query)
                                        : read_pairs(r, "queryStringParameters", &request->query);
    return result;
}

cl_result cl_request_of(cl_arena *arena, const cl_json *event, cl_request *ret, cl_str *message)
{
    struct reader r = {arena, event, message};
    cl_request request = {.version = 1, .event = event};
    const cl_json *version = at(&r, "version");
    if (!cl_json_is(event, CL_OBJECT))
        return wrong(&r, "event", (cl_str){NULL, 0}, "expected an object");
    if (cl_json_is(version, CL_STRING) && cl_str_is(version->text, "2.0"))
        request.version = 2;
    else if (version && !(version->type == CL_STRING && cl_str_is(version->text, "1.0")))
        return wrong(&r, "version", (cl_str){NULL, 0}, "expected \"1.0\" or \"2.0\"");
    cl_result result = request.version == 2 ? read_2(&r, &request) : read_1(&r, &request);
    if (version)
        request.path = without_stage(request.path, request.stage);
    request.path_decoded = is_decoded(&r);
    if (result == CL_OK)
        result = read_cookies(&r, &request);
    if (result == CL_OK)
        result = read_pairs(&r, "pathParameters", &request.path_parameters);
    if (result == CL_OK)
        result = read_pairs(&r, "stageVariables", &request.stage_variables);
    if (result == CL_OK)
        result = read_body(&r, &request);
    request.claims = claims_of(&r);
    if (result == CL_OK)
        *ret = request;
    return cl__said(result, message);
}

/* ---- reading it ---- */

static const cl_pair *find(const cl_pairs *pairs, const char *name, bool any_case)
{
    cl_str wanted = cl_str_of(name);
    for (size_t i = 0; i < pairs->count; i++)
        if (any_case ? cl__ieq(pairs->items[i].name, wanted) : cl_str_eq(pairs->items[i].name, wanted))
            return &pairs->items[i];
    return NULL;
}

static cl_str value_of(const cl_pair *pair)
{
    return pair ? pair->value : (cl_str){"", 0};
}

cl_str cl_header(const cl_request *request, const char *name)
{
    return value_of(find(&request->headers, name, true));
}

cl_str cl_query(const cl_request *request, const char *name)
{
    return value_of(find(&request->query, name, false));
}

cl_str cl_cookie(const cl_request *request, const char *name)
{
    return value_of(find(&request->cookies, name, false));
}

cl_str cl_path_parameter(const cl_request *request, const char *name)
{
    return value_of(find(&request->path_parameters, name, false));
}

bool cl_query_int(const cl_request *request, const char *name, int64_t min, int64_t max, int64_t *ret)
{
    const cl_pair *pair = find(&request->query, name, false);
    if (!pair)
        return true;
    cl_str s = pair->value;
    bool negative = s.n > 0 && s.p[0] == '-';
    int64_t value = 0;
    if (s.n == negative)
        return false;
    for (size_t i = negative; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            (negative ? __builtin_sub_overflow(value, s.p[i] - '0', &value) : __builtin_add_overflow(value, s.p[i] - '0', &value)))
            return false;
    if (value < min || value > max)
        return false;
    *ret = value;
    return true;
}

static cl_result refuse_body(cl_context *ctx, cl_str *message, cl_str text)
{
    if (message)
        *message = text;
    return cl_arena_failed(ctx->arena) ? cl__said(CL_NO_MEMORY, message) : CL_INVALID;
}

cl_result cl_request_bind(cl_context *ctx, const cl_request *request, const cl_field *fields, void *into, cl_str *message)
{
    cl_json *body = NULL;
    size_t where = 0;
    if (cl_arena_failed(ctx->arena))
        return cl__said(CL_NO_MEMORY, message);
    size_t limit = cl__arena_hold_back(ctx->arena);
    cl_result result = cl_json_parse(ctx->arena, request->body, &body, &where);
    bool parsed = result == CL_OK && cl_json_is(body, CL_OBJECT), valid = result == CL_OK;
    if (parsed)
        result = cl_json_bind(ctx->arena, body, fields, true, into, message);
    if (cl__arena_give_back(ctx->arena, limit))
        return refuse_body(ctx, message,
                           cl_printf(ctx->arena, "body: %zu bytes are more than this function has memory for", request->body.n));
    if (parsed || (result != CL_OK && result != CL_INVALID))
        return cl__said(result, message);
    return refuse_body(ctx, message, request->body.n && !valid ? cl_printf(ctx->arena, "body: no valid JSON at byte %zu", where)
                                                               : cl_str_of("body: expected a JSON object"));
}
