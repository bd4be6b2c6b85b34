/* sample.c -- the event of a request that nobody sent: what a proxied function would get, for trying it by hand. That of a
 * REST API goes through the same builder as a real one. That of an HTTP API is made here: what the request has not, the event
 * leaves out; paths are decoded, headers lower case and joined by commas, cookies a list of their own, and a body is base64
 * unless its Content-Type is one of a few that are text.
 * Source: "Working with AWS Lambda proxy integrations for HTTP APIs", and events of AWS that were published. */
#include "base/clock.h"
#include "base/codec.h"
#include "base/json.h"
#include "gateway/exchange.h"

#define DOMAIN "sample.execute-api.us-east-1.localhost"

struct sampled {
    struct http_request request;
    struct gateway_method method;
    struct gateway_stage stage;
    struct gateway_exchange x;
};

static bool sample_match(const struct gateway_sample *sample, struct arena *arena, struct gateway_exchange *x)
{
    struct route_tree *tree = route_tree_new(arena);
    struct route_match found;
    if (!route_add(tree, sample->resource, STR("ANY"), x) || !route_find(tree, sample->path, sample->method, arena, &found))
        return false;
    x->params = found.params;
    x->param_count = found.param_count;
    return true;
}

/* The sample's headers, and Host if that is not among them. */
static void sample_headers(struct http_request *request, const struct gateway_sample *sample)
{
    struct http_header *headers = arena_array(request->arena, struct http_header, sample->header_count + 1);
    for (size_t i = 0; i < sample->header_count; i++)
        headers[i] = sample->headers[i];
    request->headers = headers;
    request->header_count = sample->header_count;
    request->host = http_header(request, "Host");
    if (request->host.n)
        return;
    request->host = STR(DOMAIN);
    headers[request->header_count++] = (struct http_header){STR("Host"), STR(DOMAIN)};
}

static struct sampled *sample_new(const struct gateway_sample *sample, struct arena *arena)
{
    struct sampled *s = arena_new_of(arena, struct sampled);
    s->request = (struct http_request){.arena = arena,
                                       .method = sample->method,
                                       .path = sample->path,
                                       .query = sample->query,
                                       .body = sample->body,
                                       .peer_ip = STR("127.0.0.1"),
                                       .received_ms = clock_epoch_ms()};
    sample_headers(&s->request, sample);
    s->method = (struct gateway_method){.resource_id = STR("sample"), .resource_path = sample->resource};
    s->stage = (struct gateway_stage){
        .account = STR("000000000000"), .api_id = STR("sample"), .deployment_id = STR("sample"), .variables = STR("null")};
    s->x = (struct gateway_exchange){.request = &s->request,
                                     .arena = arena,
                                     .stage = &s->stage,
                                     .method = &s->method,
                                     .stage_name = sample->stage,
                                     .path = sample->path,
                                     .domain = STR(DOMAIN)};
    gateway__make_ids(&s->request, arena, &s->x.ids);
    return s;
}

bool gateway_sample_event(const struct gateway_sample *sample, struct arena *arena, struct str *ret)
{
    struct sampled *s = sample_new(sample, arena);
    return sample_match(sample, arena, &s->x) && gateway__event(&s->x, arena, ret);
}

/* ---- format 2.0 ---- */

/* A second value of a name is joined to the first. */
static void add_joined(struct arena *arena, struct json *object, struct str name, struct str value)
{
    struct json *there = json_get(object, name);
    value = gateway__text(arena, value);
    if (there)
        there->text = arena_printf(arena, STR_FMT "," STR_FMT, STR_ARG(there->text), STR_ARG(value));
    else
        json_add_key(object, name, json_new_str(arena, value));
}

static struct str lower_case(struct arena *arena, struct str s)
{
    char *lower = arena_cstr(arena, s);
    for (size_t i = 0; i < s.n; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] = (char)(lower[i] + 'a' - 'A');
    return (struct str){lower, s.n};
}

static void add_cookies(struct arena *arena, struct json *list, struct str header)
{
    while (header.n) {
        struct str cookie = str_trim(str_cut(&header, ';'));
        if (cookie.n)
            json_add(list, NULL, json_new_str(arena, gateway__text(arena, cookie)));
    }
}

/* Those of the client and those that the gateway adds. */
static void add_headers_2(const struct gateway_exchange *x, struct json *event)
{
    const struct http_request *request = x->request;
    struct arena *arena = x->arena;
    struct json *cookies = json_new(arena, JSON_ARRAY), *headers = json_new(arena, JSON_OBJECT);
    for (size_t i = 0; i < request->header_count; i++) {
        struct str name = lower_case(arena, request->headers[i].name);
        if (str_eq(name, STR("cookie")))
            add_cookies(arena, cookies, request->headers[i].value);
        else
            add_joined(arena, headers, name, request->headers[i].value);
    }
    const struct { struct str name, value; } ours[] = {
        {STR("content-length"), arena_printf(arena, "%zu", request->body.n)}, {STR("x-amzn-trace-id"), x->ids.trace},
        {STR("x-forwarded-for"), request->peer_ip}, {STR("x-forwarded-port"), STR("80")}, {STR("x-forwarded-proto"), STR("http")},
    };
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        if (!json_get(headers, ours[i].name))
            json_add_key(headers, ours[i].name, json_new_str(arena, ours[i].value));
    if (cookies->count)
        json_add(event, "cookies", cookies);
    json_add(event, "headers", headers);
}

static void add_query_2(struct arena *arena, struct str query, struct json *event)
{
    struct json *parameters = json_new(arena, JSON_OBJECT);
    while (query.n) {
        struct str value = str_cut(&query, '&'), name = str_cut(&value, '=');
        if (name.n || value.n)
            add_joined(arena, parameters, gateway__text(arena, percent_decode(name, true, arena)),
                       percent_decode(value, true, arena));
    }
    if (parameters->count)
        json_add(event, "queryStringParameters", parameters);
}

static void add_context_2(const struct gateway_exchange *x, struct str route, struct str path, struct json *event)
{
    const struct http_request *request = x->request;
    struct arena *arena = x->arena;
    struct json *context = json_add_object(arena, event, "requestContext"), *http;
    json_add_str(arena, context, "accountId", x->stage->account);
    json_add_str(arena, context, "apiId", x->stage->api_id);
    json_add_str(arena, context, "domainName", x->domain);
    json_add_str(arena, context, "domainPrefix", str_slice(x->domain, 0, str_find(x->domain, '.')));
    http = json_add_object(arena, context, "http");
    json_add_str(arena, http, "method", request->method);
    json_add_str(arena, http, "path", path);
    json_add_str(arena, http, "protocol", STR("HTTP/1.1"));
    json_add_str(arena, http, "sourceIp", request->peer_ip);
    json_add_str(arena, http, "userAgent", gateway__text(arena, http_header(request, "User-Agent")));
    json_add_str(arena, context, "requestId", x->ids.extended_id);
    json_add_str(arena, context, "routeKey", route);
    json_add_str(arena, context, "stage", x->stage_name);
    json_add_str(arena, context, "time", clock_clf(arena, request->received_ms));
    json_add_i64(arena, context, "timeEpoch", request->received_ms);
}

static bool is_text(struct str type, struct str body)
{
    static const char *const types[] = {"application/json", "application/javascript", "application/xml"};
    struct str essence = str_trim(str_cut(&type, ';'));
    bool text = essence.n >= 5 && str_eq_nocase(str_slice(essence, 0, 5), STR("text/"));
    for (size_t i = 0; i < COUNT_OF(types); i++)
        text = text || str_eq_nocase(essence, str_of(types[i]));
    return text && utf8_valid(body);
}

static void add_body_2(const struct gateway_exchange *x, struct json *event)
{
    struct str body = x->request->body;
    bool text = body.n == 0 || is_text(http_header(x->request, "Content-Type"), body);
    if (!text) {
        struct buf encoded;
        buf_init(&encoded, x->arena, 2 * body.n + 4);
        base64_write(&encoded, body);
        body = buf_str(&encoded);
    }
    if (body.n)
        json_add_str(x->arena, event, "body", body);
    json_add_bool(x->arena, event, "isBase64Encoded", !text);
}

bool gateway_sample_http_event(const struct gateway_sample *sample, struct arena *arena, struct str *ret)
{
    struct gateway_exchange *x = &sample_new(sample, arena)->x;
    struct str route = STR("$default"), path = gateway__text(arena, percent_decode(sample->path, false, arena));
    if (sample->resource.n) {
        if (!sample_match(sample, arena, x))
            return false;
        route = arena_printf(arena, STR_FMT " " STR_FMT, STR_ARG(sample->method), STR_ARG(sample->resource));
    }
    if (!str_eq(sample->stage, STR("$default")))
        path = arena_printf(arena, "/" STR_FMT STR_FMT, STR_ARG(sample->stage), STR_ARG(path));
    struct json *event = json_new(arena, JSON_OBJECT);
    json_add_str(arena, event, "version", STR("2.0"));
    json_add_str(arena, event, "routeKey", route);
    json_add_str(arena, event, "rawPath", path);
    json_add_str(arena, event, "rawQueryString", sample->query.n ? sample->query : STR(""));
    add_headers_2(x, event);
    add_query_2(arena, sample->query, event);
    add_context_2(x, route, path, event);
    if (x->param_count) {
        struct json *parameters = json_add_object(arena, event, "pathParameters");
        for (size_t i = 0; i < x->param_count; i++)
            json_add_key(parameters, x->params[i].name,
                         json_new_str(arena, gateway__text(arena, percent_decode(x->params[i].value, false, arena))));
    }
    add_body_2(x, event);
    struct str text = json_text(arena, event);
    if (text.n > EVENT_PAYLOAD_BYTES_MAX)
        return false;
    *ret = text;
    return true;
}
