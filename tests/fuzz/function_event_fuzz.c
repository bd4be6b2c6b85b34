/* function_event_fuzz.c -- an application on any event. Properties: the answer is JSON with a status, in the shape of the
 * event's version; what a request shows is within it and ends in NUL; a malformed event is 400. With a bound on memory either
 * the arena says that it failed or the answer is the same. */
#include "cloudless/http.h"
#include "runtime.h"
#include <stdlib.h>

#define CHECK(what) ((what) ? (void)0 : abort())

static void check_pairs(cl_pairs pairs, cl_arena *arena)
{
    for (size_t i = 0; i < pairs.count && !cl_arena_failed(arena); i++) {
        CHECK(pairs.items[i].name.p && pairs.items[i].name.p[pairs.items[i].name.n] == 0);
        CHECK(pairs.items[i].value.p && pairs.items[i].value.p[pairs.items[i].value.n] == 0);
    }
}

static void echo(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    int64_t number = 0;
    (void)arg;
    check_pairs(request->headers, ctx->arena);
    check_pairs(request->query, ctx->arena);
    check_pairs(request->cookies, ctx->arena);
    check_pairs(request->path_parameters, ctx->arena);
    check_pairs(request->stage_variables, ctx->arena);
    CHECK(request->version == 1 || request->version == 2);
    cl_query_int(request, "n", -9, 9, &number);
    CHECK(number >= -9 && number <= 9);
    for (size_t i = 0; i < request->headers.count && i < 20; i++)
        cl_add_header(response, request->headers.items[i].name.p, request->headers.items[i].value);
    cl_set_cookie(response, cl_cookie(request, "c").p);
    cl_set_header(response, "X-Id", cl_path_parameter(request, "id"));
    if (request->body.n > 3)
        cl_body_bytes(response, NULL, request->body);
    else
        cl_body_text(response, NULL, request->body);
}

static const cl_route routes[] = {{"GET", "/", echo}, {"GET", "/a/{id}", echo}, {"POST", "/a/{id}/b", echo}, {"GET", "/f/{id+}", echo}, {"GET", "/a/b", echo}, {0}};
static const cl_app app = {.routes = routes, .cors = {.origin = "*"}};

static cl_str run(cl_arena *arena, cl_str event)
{
    cl_context ctx = {.arena = arena};
    cl_answer answer = {.kind = CL__ANSWER_NULL, .ctx = &ctx};
    cl_app_handle(&app, &ctx, event, &answer);
    CHECK(answer.kind == CL__ANSWER_TEXT);
    return answer.text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cl_str event = {(const char *)data, size};
    cl_json *json = NULL, *input = NULL;
    cl_request request;
    cl_str message = {NULL, 0};
    int64_t status = 0;
    setenv("LOG_LEVEL", "FATAL", 1);
    cl_arena *arena = cl_arena_new(0), *small = cl_arena_new(size % 13 * 400 + 1);
    cl_str text = run(arena, event);
    CHECK(cl_json_parse(arena, text, &json, NULL) == CL_OK);
    CHECK(cl_json_i64(cl_json_get(json, "statusCode"), &status) && status >= 100 && status <= 599);
    bool parsed = cl_json_parse(arena, event, &input, NULL) == CL_OK;
    if (parsed && cl_request_of(arena, input, &request, &message) == CL_OK)
        CHECK((request.version == 1) == (cl_json_get(json, "multiValueHeaders") != NULL));
    else
        CHECK(status == 400 && (!parsed || message.n > 0));
    cl_str bounded = run(small, event);
    CHECK(cl_arena_failed(small) || cl_str_eq(text, bounded));
    cl_arena_free(small);
    cl_arena_free(arena);
    return 0;
}
