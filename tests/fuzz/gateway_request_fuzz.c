/* gateway_request_fuzz.c -- a request's path, query string, a header and a body become an event. Input: five parts, each ended
 * by a newline. Properties: the event is JSON with its twelve members whatever the bytes were; a route that matches has
 * parameters that are parts of the path; the error for a body that is not JSON is valid text. */
#include "base/codec.h"
#include "base/panic.h"
#include "gateway/exchange.h"

static struct route_tree *routes(struct arena *arena, struct gateway_method *method)
{
    static const char *const paths[] = {"/", "/todos", "/todos/{id}", "/todos/{id}/a", "/{x}/{y}/b", "/files/{path+}", "/todos/{id}/{rest+}"};
    struct route_tree *tree = route_tree_new(arena);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        ENSURE(route_add(tree, str_of(paths[i]), i & 1 ? STR("GET") : STR("ANY"), method));
    return tree;
}

static void check_route(struct gateway_exchange *x, const struct route_tree *tree)
{
    struct route_match match;
    if (!route_find(tree, x->path, STR("GET"), x->arena, &match))
        return;
    for (size_t i = 0; i < match.param_count; i++)
        ENSURE(match.params[i].value.n && match.params[i].value.p >= x->path.p &&
               match.params[i].value.p + match.params[i].value.n <= x->path.p + x->path.n);
    x->params = match.params;
    x->param_count = match.param_count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct str rest = arena_dup(arena, (struct str){(const char *)data, size});
    struct str path = str_cut(&rest, '\n'), query = str_cut(&rest, '\n'), name = str_cut(&rest, '\n'), value = str_cut(&rest, '\n'), body = rest;
    struct http_header headers[] = {{name, value}, {STR("X-A"), value}, {name, STR("last")}};
    struct http_request request = {.arena = arena, .method = STR("GET"), .query = query, .host = value, .headers = headers, .header_count = 3,
                                   .peer_ip = STR("127.0.0.1"), .body = body};
    struct gateway_method method = {.resource_id = STR("r"), .resource_path = STR("/todos/{id}")};
    struct gateway_stage stage = {.account = STR("000000000000"), .api_id = STR("a"), .deployment_id = STR("d"), .variables = STR("null")};
    struct gateway_exchange x = {.request = &request, .arena = arena, .stage = &stage, .method = &method, .stage_name = STR("prod"),
                                 .path = path, .domain = value};
    gateway__make_ids(&request, arena, &x.ids);
    check_route(&x, routes(arena, &method));

    struct str text;
    struct json *event;
    if (gateway__event(&x, arena, &text)) {
        ENSURE(json_parse(text, arena, &event) == ERR_OK);
        ENSURE(event->count == 12 && json_is(json_at(event, "requestContext"), JSON_OBJECT));
        if (body.n && utf8_valid(body))
            ENSURE(str_eq(json_str(event, "body"), body));
    }
    if (utf8_valid(body))
        ENSURE(utf8_valid(gateway__not_json(arena, body)));
    arena_free(arena);
    return 0;
}
