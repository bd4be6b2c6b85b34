/* event.c -- the event that a proxied function gets, payload format 1.0, written straight into one buffer.
 * Source: "Input format of a Lambda function for proxy integration". Path and path parameters stay as the client wrote them;
 * query strings are decoded; header names keep their case (but for Authorization behind a CDN: recorded on AWS in 2024, of a
 * regional API told in aws-sdk-js issue 2719); hop-by-hop headers are left out. */
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/ids.h"
#include "gateway/exchange.h"

#define REPLACEMENT "\xEF\xBF\xBD"          /* U+FFFD */

/* ---- ids ---- */

void gateway__make_ids(const struct http_request *request, struct arena *arena, struct gateway_ids *ret)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t random[ID_TRACE_BYTES + 15];
    char extended[16];
    random_bytes(random, sizeof(random));
    for (size_t i = 0; i < 15; i++)
        extended[i] = alphabet[random[ID_TRACE_BYTES + i] & 63];
    extended[15] = '=';
    ret->request_id = uuid4(arena);
    ret->extended_id = arena_dup(arena, (struct str){extended, sizeof(extended)});
    ret->trace = http_header(request, "X-Amzn-Trace-Id");
    if (ret->trace.n && ret->trace.n <= ID_TRACE_HEADER_MAX && str_starts(ret->trace, STR("Root=1-")))
        return;
    ret->trace = id_trace_root(arena, request->received_ms, random);
}

/* ---- text ---- */

/* As a server that decodes text does. */
struct str gateway__text(struct arena *arena, struct str s)
{
    if (utf8_valid(s))
        return s;
    struct buf out;
    buf_init(&out, arena, 3 * s.n);
    while (s.n) {
        size_t n = 1;
        while (n < 4 && n < s.n && !utf8_valid(str_slice(s, 0, n)))
            n++;
        bool good = utf8_valid(str_slice(s, 0, n));
        buf_add(&out, good ? str_slice(s, 0, n) : STR(REPLACEMENT));
        s = str_slice(s, good ? n : 1, s.n);
    }
    return buf_str(&out);
}

static void event_text(struct buf *out, struct str s)
{
    json_write_str(out, gateway__text(out->arena, s));
}

#define add_member(out, name, value) (buf_lit(out, "\"" name "\":"), event_text(out, value))

/* ---- lists of names and values, grouped by name ---- */

struct pair {
    struct str name, value;
    uint32_t next, last;        /* index + 1 of the next one with the name; in the first of a name: index of the last one */
    bool repeated;              /* another of that name stands before it */
};
/* A table of hashes finds the first of a name, so that a long query string costs no more than its length. */
struct event_pairs {
    struct pair *items;
    uint32_t *table;            /* index + 1 */
    uint32_t count, mask;
    bool ignore_case;
};

static void pairs_init(struct event_pairs *pairs, struct arena *arena, size_t max, bool ignore_case)
{
    size_t size = 16;
    while (size < 2 * max)
        size *= 2;
    *pairs = (struct event_pairs){.items = arena_alloc(arena, (max + 1) * sizeof(struct pair)),
                                  .table = arena_array(arena, uint32_t, size),
                                  .mask = (uint32_t)(size - 1),
                                  .ignore_case = ignore_case};
}

static uint32_t hash_of(struct str name)
{
    uint32_t hash = 2166136261u;            /* FNV-1a over letters without case */
    for (size_t i = 0; i < name.n; i++)
        hash = (hash ^ ((unsigned char)name.p[i] | 0x20)) * 16777619u;
    return hash ^ hash >> 15;
}

static void pairs_add(struct event_pairs *pairs, struct str name, struct str value)
{
    uint32_t index = pairs->count++, at = hash_of(name) & pairs->mask;
    pairs->items[index] = (struct pair){.name = name, .value = value, .last = index};
    for (; pairs->table[at]; at = (at + 1) & pairs->mask) {
        struct pair *first = &pairs->items[pairs->table[at] - 1];
        if (!(pairs->ignore_case ? str_eq_nocase(first->name, name) : str_eq(first->name, name)))
            continue;
        pairs->items[first->last].next = index + 1;
        first->last = index;
        pairs->items[index].repeated = true;
        return;
    }
    pairs->table[at] = index + 1;
}

static void add_values(struct buf *out, const struct event_pairs *pairs, const struct pair *pair)
{
    buf_add_char(out, '[');
    event_text(out, pair->value);
    for (uint32_t next = pair->next; next; next = pairs->items[next - 1].next) {
        buf_add_char(out, ',');
        event_text(out, pairs->items[next - 1].value);
    }
    buf_add_char(out, ']');
}

/* "NAME": {"name": last value}, or with `many` {"name": [values]}; null when empty. */
static void add_pairs(struct buf *out, const char *name, const struct event_pairs *pairs, bool many)
{
    char separator = '{';
    buf_printf(out, "\"%s\":", name);
    for (const struct pair *pair = pairs->items; pair < pairs->items + pairs->count; pair++) {
        if (pair->repeated)
            continue;
        buf_add_char(out, separator);
        separator = ',';
        event_text(out, pair->name);
        buf_add_char(out, ':');
        if (many)
            add_values(out, pairs, pair);
        else
            event_text(out, pairs->items[pair->last].value);
    }
    buf_add(out, pairs->count ? STR("},") : STR("null,"));
}

/* Left out of what an integration sees ("Amazon API Gateway important notes", table of headers). */
static bool is_dropped(struct str name)
{
    static const char *const dropped[] = {"Connection",   "Content-Length",     "Content-MD5", "Expect",
                                          "Max-Forwards", "Proxy-Authenticate", "Server",      "TE",
                                          "Trailer",      "Transfer-Encoding",  "Upgrade",     "WWW-Authenticate"};
    for (size_t i = 0; i < COUNT_OF(dropped); i++)
        if (str_eq_nocase(name, str_of(dropped[i])))
            return true;
    return false;
}

/* Names that the gateway sets itself. */
static bool is_ours(struct str name)
{
    return str_eq_nocase(name, STR("X-Forwarded-For")) || str_eq_nocase(name, STR("X-Forwarded-Port")) ||
           str_eq_nocase(name, STR("X-Forwarded-Proto")) || str_eq_nocase(name, STR("X-Amzn-Trace-Id"));
}

/* Names stay as the client spells them, but for one: before an edge-optimized API stands a CDN that spells it itself. */
static struct str event_name(const struct gateway_stage *stage, struct str name)
{
    return stage->edge && str_eq_nocase(name, STR("Authorization")) ? STR("Authorization") : name;
}

static struct str port_of_host(struct str host, bool secure)
{
    size_t from = host.n && host.p[0] == '[' ? str_find(host, ']') : 0;
    struct str tail = str_slice(host, from, host.n);
    size_t colon = str_find(tail, ':');
    return colon + 1 < tail.n ? str_slice(tail, colon + 1, tail.n) : secure ? STR("443") : STR("80");
}

static void event_headers(struct buf *out, const struct gateway_exchange *x)
{
    const struct http_request *request = x->request;
    struct event_pairs pairs;
    pairs_init(&pairs, out->arena, request->header_count + 4, true);
    for (size_t i = 0; i < request->header_count; i++)
        if (!is_dropped(request->headers[i].name) && !is_ours(request->headers[i].name))
            pairs_add(&pairs, event_name(x->stage, request->headers[i].name), request->headers[i].value);
    struct str forwarded = http_header(request, "X-Forwarded-For");
    if (forwarded.n)
        forwarded = arena_printf(out->arena, STR_FMT ", " STR_FMT, STR_ARG(forwarded), STR_ARG(request->peer_ip));
    pairs_add(&pairs, STR("X-Amzn-Trace-Id"), x->ids.trace);
    pairs_add(&pairs, STR("X-Forwarded-For"), forwarded.n ? forwarded : request->peer_ip);
    pairs_add(&pairs, STR("X-Forwarded-Port"), port_of_host(request->host, request->secure));
    pairs_add(&pairs, STR("X-Forwarded-Proto"), request->secure ? STR("https") : STR("http"));
    add_pairs(out, "headers", &pairs, false);
    add_pairs(out, "multiValueHeaders", &pairs, true);
}

static void event_query(struct buf *out, struct str query)
{
    struct event_pairs pairs;
    size_t max = query.n > 0;
    for (size_t i = 0; i < query.n; i++)
        max += query.p[i] == '&';
    pairs_init(&pairs, out->arena, max, false);
    while (query.n) {
        struct str value = str_cut(&query, '&'), name = str_cut(&value, '=');
        if (name.n || value.n)
            pairs_add(&pairs, percent_decode(name, true, out->arena), percent_decode(value, true, out->arena));
    }
    add_pairs(out, "queryStringParameters", &pairs, false);
    add_pairs(out, "multiValueQueryStringParameters", &pairs, true);
}

static void add_path_parameters(struct buf *out, const struct gateway_exchange *x)
{
    buf_lit(out, "\"pathParameters\":");
    for (size_t i = 0; i < x->param_count; i++) {
        buf_add_char(out, i ? ',' : '{');
        event_text(out, x->params[i].name);
        buf_add_char(out, ':');
        event_text(out, x->params[i].value);
    }
    buf_add(out, x->param_count ? STR("},") : STR("null,"));
}

static void add_identity(struct buf *out, const struct http_request *request)
{
    struct str agent = http_header(request, "User-Agent");
    buf_lit(out, "\"identity\":{\"cognitoIdentityPoolId\":null,\"accountId\":null,\"cognitoIdentityId\":null,\"caller\":null,");
    add_member(out, "sourceIp", request->peer_ip);
    buf_lit(out, ",\"principalOrgId\":null,\"accessKey\":null,\"cognitoAuthenticationType\":null,"
                 "\"cognitoAuthenticationProvider\":null,\"userArn\":null,");
    if (agent.n)
        add_member(out, "userAgent", agent);
    else
        buf_lit(out, "\"userAgent\":null");
    buf_lit(out, ",\"user\":null}");
}

static void event_context(struct buf *out, const struct gateway_exchange *x)
{
    const struct http_request *request = x->request;
    buf_lit(out, "\"requestContext\":{");
    add_member(out, "resourceId", x->method->resource_id);
    buf_lit(out, ",");
    add_member(out, "resourcePath", x->method->resource_path);
    buf_lit(out, ",");
    add_member(out, "httpMethod", request->method);
    buf_lit(out, ",");
    add_member(out, "extendedRequestId", x->ids.extended_id);
    buf_lit(out, ",");
    add_member(out, "requestTime", clock_clf(out->arena, request->received_ms));
    buf_lit(out, ",\"path\":");
    event_text(out, arena_printf(out->arena, "/" STR_FMT STR_FMT, STR_ARG(x->stage_name), STR_ARG(x->path)));
    buf_lit(out, ",");
    add_member(out, "accountId", x->stage->account);
    buf_add(out, request->http_1_0 ? STR(",\"protocol\":\"HTTP/1.0\",") : STR(",\"protocol\":\"HTTP/1.1\","));
    add_member(out, "stage", x->stage_name);
    buf_lit(out, ",");
    add_member(out, "domainPrefix", str_slice(x->domain, 0, str_find(x->domain, '.')));
    buf_lit(out, ",\"requestTimeEpoch\":");
    buf_add_u64(out, (uint64_t)request->received_ms);
    buf_lit(out, ",");
    add_member(out, "requestId", x->ids.request_id);
    buf_lit(out, ",");
    add_identity(out, request);
    buf_lit(out, ",");
    add_member(out, "domainName", x->domain);
    buf_lit(out, ",");
    add_member(out, "deploymentId", x->stage->deployment_id);
    buf_lit(out, ",");
    add_member(out, "apiId", x->stage->api_id);
    buf_lit(out, "},");
}

/* Leading slashes count once in `path`, and stay in requestContext.path. */
static struct str clean_path(struct str path)
{
    while (path.n > 1 && path.p[0] == '/' && path.p[1] == '/')
        path = str_slice(path, 1, path.n);
    return path.n ? path : STR("/");
}

bool gateway__event(const struct gateway_exchange *x, struct arena *arena, struct str *ret)
{
    struct buf out;
    buf_init(&out, arena, EVENT_PAYLOAD_BYTES_MAX);
    buf_reserve(&out, x->request->body.n + 3072 < EVENT_PAYLOAD_BYTES_MAX ? x->request->body.n + 3072 : 0);
    buf_lit(&out, "{");
    add_member(&out, "resource", x->method->resource_path);
    buf_lit(&out, ",");
    add_member(&out, "path", clean_path(x->path));
    buf_lit(&out, ",");
    add_member(&out, "httpMethod", x->request->method);
    buf_lit(&out, ",");
    event_headers(&out, x);
    event_query(&out, x->request->query);
    add_path_parameters(&out, x);
    buf_lit(&out, "\"stageVariables\":");
    buf_add(&out, x->stage->variables);
    buf_lit(&out, ",");
    event_context(&out, x);
    if (x->request->body.n)
        add_member(&out, "body", x->request->body);
    else
        buf_lit(&out, "\"body\":null");
    buf_lit(&out, ",\"isBase64Encoded\":false}");
    *ret = buf_str(&out);
    return !out.failed;
}
