/* sample.c -- the event of a request that nobody sent: what a proxied function would get, for trying it by hand. It goes
 * through the same builder as a real one. */
#include "base/clock.h"
#include "gateway/exchange.h"

static bool match(const struct gateway_sample *sample, struct arena *arena, struct gateway_exchange *x)
{
    struct route_tree *tree = route_tree_new(arena);
    struct route_match found;
    if (!route_add(tree, sample->resource, STR("ANY"), x) || !route_find(tree, sample->path, sample->method, arena, &found))
        return false;
    x->params = found.params;
    x->param_count = found.param_count;
    return true;
}

bool gateway_sample_event(const struct gateway_sample *sample, struct arena *arena, struct str *ret)
{
    struct http_request request = {.arena = arena, .method = sample->method, .path = sample->path, .query = sample->query,
        .host = STR("localhost:4566"), .headers = sample->headers, .header_count = sample->header_count, .body = sample->body,
        .peer_ip = STR("127.0.0.1"), .received_ms = clock_epoch_ms()};
    struct gateway_method method = {.resource_id = STR("sample"), .resource_path = sample->resource};
    struct gateway_stage stage = {.account = STR("000000000000"), .api_id = STR("sample"), .deployment_id = STR("sample"), .variables = STR("null")};
    struct gateway_exchange x = {.request = &request, .arena = arena, .stage = &stage, .method = &method, .stage_name = sample->stage,
        .path = sample->path, .domain = STR("sample.execute-api.us-east-1.localhost")};
    if (!match(sample, arena, &x))
        return false;
    gateway__make_ids(&request, arena, &x.ids);
    return gateway__event(&x, arena, ret);
}
