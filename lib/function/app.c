/* app.c -- routes: which function answers a request, and what is answered when none does.
 *
 * A route matches segment by segment: a literal is itself (after percent-decoding, where the path is not decoded yet), {name} any
 * one segment that is not empty, a last {name+} the rest. A '/' at the end does not count. Of the routes that match path and
 * method the one wins that has the better segment where they first differ: literal before {name} before {name+}, whatever the
 * table's order. Of the same pattern that method's own route wins, for HEAD then GET's, then that of ANY. Without one, but with
 * routes of that path, the answer is 405 and Allow names their methods (HEAD goes with GET unsaid).
 * CORS: marks are added to each answer at the end, unless the handler has made them; OPTIONS of a known path is answered here
 * unless the table has a route for it. Source: the Fetch standard, "CORS protocol". */
#include "response.h"
#include "cloudless/log.h"

#define ALLOW_MAX 256

/* ---- patterns ---- */

enum { LITERAL, PARAMETER, REST };

static int kind_of(cl_str segment)
{
    if (segment.n < 3 || segment.p[0] != '{' || segment.p[segment.n - 1] != '}')
        return LITERAL;
    return segment.p[segment.n - 2] == '+' ? REST : PARAMETER;
}

static cl_str name_of(cl_str segment)
{
    size_t around = kind_of(segment) == REST ? 3 : 2;
    return (cl_str){segment.p + 1, segment.n - around};
}

/* The next segment: rest is behind a '/', and afterwards behind the next one. False at the end. */
static bool next_segment(cl_str *rest, cl_str *ret)
{
    if (!rest->p)
        return false;
    const char *slash = rest->n ? memchr(rest->p, '/', rest->n) : NULL;
    *ret = (cl_str){rest->p, slash ? (size_t)(slash - rest->p) : rest->n};
    *rest = slash ? (cl_str){slash + 1, rest->n - ret->n - 1} : (cl_str){NULL, 0};
    return true;
}

/* Without the first and the last '/'. */
static cl_str inner(cl_str path)
{
    if (path.n && path.p[0] == '/')
        path.p++, path.n--;
    if (path.n && path.p[path.n - 1] == '/')
        path.n--;
    return (cl_str){path.p ? path.p : "", path.n};
}

static bool literal_is(cl_arena *arena, const cl_request *request, cl_str segment, cl_str literal)
{
    if (request->path_decoded || !segment.n || !memchr(segment.p, '%', segment.n))
        return cl_str_eq(segment, literal);
    return cl_str_eq(cl__percent_decode(arena, segment, false), literal);
}

static bool matches(cl_arena *arena, const cl_request *request, const char *pattern)
{
    cl_str rest = inner(request->path), wanted = inner(cl_str_of(pattern)), segment, mold;
    while (next_segment(&wanted, &mold)) {
        int kind = kind_of(mold);
        if (kind == REST)
            return rest.p && rest.n > 0;
        if (!next_segment(&rest, &segment))
            return false;
        if (kind == PARAMETER ? segment.n == 0 : !literal_is(arena, request, segment, mold))
            return false;
    }
    return !rest.p;
}

/* Both match the same path. Above 0: a is the better one. */
static int compare(const char *pattern_a, const char *pattern_b)
{
    cl_str a = inner(cl_str_of(pattern_a)), b = inner(cl_str_of(pattern_b)), x, y;
    while (next_segment(&a, &x) && next_segment(&b, &y))
        if (kind_of(x) != kind_of(y))
            return kind_of(y) - kind_of(x);
    return 0;
}

/* The path's values for the pattern's names; a pattern without names leaves what API Gateway has given. */
static void take_parameters(cl_arena *arena, const char *pattern, cl_request *request)
{
    cl_str rest = inner(request->path), wanted = inner(cl_str_of(pattern)), segment, mold;
    cl_pairs pairs = {NULL, 0};
    size_t max = 0;
    for (const char *p = pattern; *p; p++)
        max += *p == '{';
    if (max == 0)
        return;
    pairs.items = cl_alloc_array(arena, sizeof *pairs.items, max);
    while (pairs.items && pairs.count < max && next_segment(&wanted, &mold)) {
        int kind = kind_of(mold);
        cl_str value = rest;
        if (kind != REST && next_segment(&rest, &segment))
            value = segment;
        if (kind != LITERAL)
            pairs.items[pairs.count++] =
                (cl_pair){cl_dup(arena, name_of(mold)),
                          request->path_decoded ? cl_dup(arena, value) : cl__percent_decode(arena, value, false)};
    }
    request->path_parameters = pairs;
}

/* ---- tables ---- */

#define ANY "ANY"
static const char *const methods[] = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"};      /* those of API Gateway */

static bool is_method(const char *text)
{
    bool found = strcmp(text, ANY) == 0;
    for (size_t i = 0; i < CL__COUNT(methods) && !found; i++)
        found = strcmp(text, methods[i]) == 0;
    return found;
}

/* What is wrong with a pattern, or NULL. */
static const char *fault_of(const char *path)
{
    cl_str rest = inner(cl_str_of(path)), segment;
    bool ended = false;
    if (!path || path[0] != '/')
        return "a path begins with '/'";
    while (next_segment(&rest, &segment)) {
        bool literal = kind_of(segment) == LITERAL;
        cl_str name = literal ? segment : name_of(segment);
        if (ended)
            return "{name+} is the last segment";
        if (name.n && (memchr(name.p, '{', name.n) || memchr(name.p, '}', name.n)))
            return "a parameter is a whole segment, {name}";
        if (!literal && name.n == 0)
            return "a parameter has a name";
        ended = kind_of(segment) == REST;
    }
    return NULL;
}

/* Do both match the same paths, with equal right? Names of parameters do not count. */
static bool alike(const char *pattern, const char *other)
{
    cl_str a = inner(cl_str_of(pattern)), b = inner(cl_str_of(other)), x, y;
    for (;;) {
        bool more = next_segment(&a, &x);
        if (next_segment(&b, &y) != more)
            return false;
        if (!more)
            return true;
        if (kind_of(x) != kind_of(y) || (kind_of(x) == LITERAL && !cl_str_eq(x, y)))
            return false;
    }
}

/* CL_CONFIG and a sentence that names the first row that is wrong. */
static cl_result check(const cl_app *app, cl_str *message)
{
    for (const cl_route *route = app->routes; route && route->method; route++) {
        const char *fault = is_method(route->method) ? fault_of(route->path) : "no method of API Gateway, nor ANY";
        for (const cl_route *other = app->routes; other < route && !fault; other++)
            if (strcmp(other->method, route->method) == 0 && alike(other->path, route->path))
                fault = "a row above takes the same requests";
        if (!fault && !route->handle)
            fault = "no function";
        if (fault) {
            *message = cl__sentence("route %zu, \"%s %s\": %s", (size_t)(route - app->routes) + 1, route->method,
                                    route->path ? route->path : "", fault);
            return CL_CONFIG;
        }
    }
    return CL_OK;
}

/* ---- routing ---- */

struct routing {
    const cl_route *best;
    int rank;                       /* of its method */
    bool known_path;
    cl_buf allow;                   /* methods of the path, with commas */
    char allow_bytes[ALLOW_MAX];
};

static void allow_method(struct routing *r, const char *method)
{
    cl_str known = {r->allow.p, r->allow.n};
    size_t n = strlen(method);
    for (size_t i = 0; i + n <= known.n; i++)
        if (memcmp(known.p + i, method, n) == 0 && (i == 0 || known.p[i - 1] == ' ') && (i + n == known.n || known.p[i + n] == ','))
            return;
    if (known.n + n + 2 < ALLOW_MAX)
        cl_buf_printf(&r->allow, "%s%s", known.n ? ", " : "", method);
}

static void allow(struct routing *r, const char *method)
{
    if (strcmp(method, ANY) != 0)
        allow_method(r, method);
    for (size_t i = 0; i < CL__COUNT(methods) && strcmp(method, ANY) == 0; i++)
        allow_method(r, methods[i]);
}

/* How well a row is for the request's method: 0 not at all. With CORS on, OPTIONS is not any method: it is answered here. */
static int rank_of(const cl_app *app, const cl_request *request, const char *method)
{
    if (cl_str_is(request->method, method))
        return 3;
    if (cl_str_is(request->method, "HEAD") && strcmp(method, "GET") == 0)
        return 2;
    return strcmp(method, ANY) == 0 && !(app->cors.origin && cl_str_is(request->method, "OPTIONS"));
}

static void find_route(const cl_app *app, cl_arena *arena, const cl_request *request, struct routing *r)
{
    r->best = NULL, r->known_path = false, r->rank = 0;
    cl__buf_fixed(&r->allow, r->allow_bytes, sizeof r->allow_bytes);
    for (const cl_route *route = app->routes; route && route->method; route++) {
        if (!matches(arena, request, route->path))
            continue;
        r->known_path = true;
        allow(r, route->method);
        int rank = rank_of(app, request, route->method), order = r->best ? compare(route->path, r->best->path) : 1;
        if (rank > 0 && (order > 0 || (order == 0 && rank > r->rank)))
            r->best = route, r->rank = rank;
    }
    if (app->cors.origin && r->known_path)
        allow_method(r, "OPTIONS");
}

/* ---- CORS ---- */

static void mark(const cl_app *app, cl_response *response)
{
    if (!app->cors.origin || cl__response_has(response, "Access-Control-Allow-Origin"))
        return;
    cl_set_header(response, "Access-Control-Allow-Origin", cl_str_of(app->cors.origin));
    if (strcmp(app->cors.origin, "*") != 0)
        cl_add_header(response, "Vary", cl_str_of("Origin"));
}

static void preflight(const cl_app *app, const struct routing *r, cl_response *response)
{
    cl_status(response, 204);
    cl_set_header(response, "Access-Control-Allow-Methods", cl_dup(response->arena, cl_buf_str(&r->allow)));
    if (app->cors.headers)
        cl_set_header(response, "Access-Control-Allow-Headers", cl_str_of(app->cors.headers));
    if (app->cors.max_age > 0)
        cl_set_header(response, "Access-Control-Max-Age", cl_printf(response->arena, "%d", app->cors.max_age));
}

/* ---- events ---- */

/* One that stops a request without an answer would else have it answered with 200. */
static bool may_pass(const cl_app *app, cl_context *ctx, const cl_request *request, cl_response *response)
{
    bool passes = !app->before || app->before(ctx, request, response, ctx->arg);
    if (!passes && !response->said) {
        cl_log(CL_ERROR, "the function before each request stopped one without an answer");
        cl_fail(response, 500, "internal error");
    }
    return passes;
}

static void dispatch(const cl_app *app, cl_context *ctx, cl_request *request, cl_response *response)
{
    struct routing r;
    find_route(app, ctx->arena, request, &r);
    response->without_body = cl_str_is(request->method, "HEAD");
    if (r.best) {
        take_parameters(ctx->arena, r.best->path, request);
        if (!cl_arena_failed(ctx->arena) && may_pass(app, ctx, request, response))
            r.best->handle(ctx, request, response, ctx->arg);
    } else if (!r.known_path) {
        cl_fail(response, 404, "no such path");
    } else if (app->cors.origin && cl_str_is(request->method, "OPTIONS")) {
        preflight(app, &r, response);
    } else {
        cl_fail(response, 405, "method not allowed");
        cl_set_header(response, "Allow", cl_dup(ctx->arena, cl_buf_str(&r.allow)));
    }
}

void cl_app_handle(const cl_app *app, cl_context *ctx, cl_str event, cl_answer *answer)
{
    cl_response response;
    cl_request request;
    cl_json *json = NULL;
    cl_str message = {NULL, 0};
    size_t where = 0;
    cl__response_init(&response, ctx->arena, 1);
    cl_result result = cl_json_parse(ctx->arena, event, &json, &where);
    if (result == CL_INVALID)
        message = cl_printf(ctx->arena, "event: no valid JSON at byte %zu", where);
    if (result == CL_OK) {
        response.version = cl_str_is(cl_json_str(cl_json_get(json, "version")), "2.0") ? 2 : 1;
        result = cl_request_of(ctx->arena, json, &request, &message);
    }
    if (result == CL_OK)
        dispatch(app, ctx, &request, &response);
    else if (result == CL_INVALID)
        cl_fail(&response, 400, CL_FMT, CL_ARG(message));
    cl__response_check(&response);
    mark(app, &response);
    cl__response_finish(&response, answer);
}

/* The application of this process: there is one loop, so there is one. */
static const cl_app *running;
static cl_result (*running_init)(void *arg, cl_str *message);

static cl_result init_running(void *arg, cl_str *message)
{
    cl_result result = check(running, message);
    return result == CL_OK && running_init ? running_init(arg, message) : result;
}

static void handle_running(cl_context *ctx, cl_str event, cl_answer *answer)
{
    cl_app_handle(running, ctx, event, answer);
}

int cl_run_app(const cl_app *app, const cl_options *options)
{
    cl_options own = options ? *options : (cl_options){.arg = NULL};
    running = app, running_init = own.init;
    own.init = init_running;
    return cl_run_with(handle_running, &own);
}
