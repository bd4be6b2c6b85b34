/* answer.c -- answers: gateway responses (errors of API Gateway itself), and what a proxied function answered.
 * Sources: "Gateway response types", "Output format of a Lambda function for proxy integration", "Amazon API Gateway
 * important notes" (which headers are remapped). A function's answer is outside data: a header that would break the
 * message makes the whole answer malformed. */
#include "base/codec.h"
#include "base/hash.h"
#include "gateway/exchange.h"
#include "services/apigateway/mapping.h"

static const struct { int status; const char *type, *message; } errors[] = {
    [GATEWAY_MISSING_TOKEN] = {403, "MissingAuthenticationTokenException", "Missing Authentication Token"},
    [GATEWAY_FORBIDDEN] = {403, "ForbiddenException", "Forbidden"},
    [GATEWAY_BAD_REQUEST] = {400, "BadRequestException", "Bad Request"},
    [GATEWAY_UNSUPPORTED_MEDIA_TYPE] = {415, "BadRequestException", "Unsupported Media Type"},
    [GATEWAY_TOO_LARGE] = {413, "RequestTooLongException", "Request Too Long"},
    [GATEWAY_INTERNAL] = {500, "InternalServerErrorException", "Internal server error"},
    [GATEWAY_BAD_GATEWAY] = {502, "InternalServerErrorException", "Internal server error"},
    [GATEWAY_TIMEOUT] = {504, "InternalServerErrorException", "Endpoint request timed out"},
    [GATEWAY_UNAVAILABLE] = {503, "ServiceUnavailableException", "Service Unavailable"},
};

static void exchange_respond(struct gateway_exchange *x, int status, struct http_header *headers, size_t count, struct str body)
{
    struct http_response response = {.status = status, .headers = headers, .header_count = count, .body = body};
    http_respond(x->request, &response);
}

static struct str message_body(struct arena *arena, struct str message)
{
    struct buf body;
    buf_init(&body, arena, 6 * message.n + 64);
    buf_lit(&body, "{\"message\":");
    json_write_str(&body, message);
    buf_lit(&body, "}");
    return buf_str(&body);
}

void gateway__answer_message(struct gateway_exchange *x, enum gateway_error error, struct str message)
{
    struct http_header *headers = arena_array(x->arena, struct http_header, 5);
    if (!x->request->about.reason.n)
        x->request->about.reason = message;
    headers[0] = (struct http_header){STR("Content-Type"), STR("application/json")};
    headers[1] = (struct http_header){STR("x-amzn-RequestId"), x->ids.request_id};
    headers[2] = (struct http_header){STR("x-amzn-ErrorType"), str_of(errors[error].type)};
    headers[3] = (struct http_header){STR("x-amz-apigw-id"), x->ids.extended_id};
    headers[4] = (struct http_header){STR("Retry-After"), STR("1")};
    exchange_respond(x, errors[error].status, headers, errors[error].status == 503 ? 5 : 4, message_body(x->arena, message));
}

void gateway__answer_error(struct gateway_exchange *x, enum gateway_error error)
{
    gateway__answer_message(x, error, str_of(errors[error].message));
}

/* The trace of the invocation: with a parent, the client's or a new one. */
static struct str traced(const struct gateway_exchange *x)
{
    struct str trace = x->ids.trace;
    if (str_find(trace, ';') < trace.n)
        return trace;
    uint8_t random[8];
    char parent[2 * sizeof(random)];
    random_bytes(random, sizeof(random));
    hex_put(parent, random, sizeof(random));
    return arena_printf(x->arena, STR_FMT ";Parent=%.*s;Sampled=0", STR_ARG(trace), (int)sizeof(parent), parent);
}

void gateway__answer(struct gateway_exchange *x, int status, const struct http_header *headers, size_t count, struct str body)
{
    struct http_header *all = arena_array(x->arena, struct http_header, count + 4);
    size_t n = 0;
    bool typed = false;
    for (size_t i = 0; i < count; i++)
        typed |= str_eq_nocase(headers[i].name, STR("Content-Type"));
    if (!typed)
        all[n++] = (struct http_header){STR("Content-Type"), STR("application/json")};
    all[n++] = (struct http_header){STR("x-amzn-RequestId"), x->ids.request_id};
    all[n++] = (struct http_header){STR("x-amz-apigw-id"), x->ids.extended_id};
    if (x->method->type != GATEWAY_MOCK)
        all[n++] = (struct http_header){STR("X-Amzn-Trace-Id"), traced(x)};
    for (size_t i = 0; i < count; i++)
        all[n++] = headers[i];
    exchange_respond(x, status, all, n, body);
}

void gateway_refuse(const struct http_request *request, int status, struct arena *arena, struct http_response *ret)
{
    struct gateway_ids ids;
    gateway__make_ids(request, arena, &ids);
    bool too_large = status == 413;
    const char *type = too_large       ? errors[GATEWAY_TOO_LARGE].type
                       : status >= 500 ? errors[GATEWAY_UNAVAILABLE].type
                                       : errors[GATEWAY_BAD_REQUEST].type;
    const char *message = too_large ? errors[GATEWAY_TOO_LARGE].message : http_status_text(status);
    struct http_header *headers = arena_array(arena, struct http_header, 4);
    headers[0] = (struct http_header){STR("Content-Type"), STR("application/json")};
    headers[1] = (struct http_header){STR("x-amzn-RequestId"), ids.request_id};
    headers[2] = (struct http_header){STR("x-amzn-ErrorType"), str_of(type)};
    headers[3] = (struct http_header){STR("x-amz-apigw-id"), ids.extended_id};
    *ret = (struct http_response){
        .status = status, .headers = headers, .header_count = 4, .body = message_body(arena, str_of(message))};
}

/* ---- a proxied function's answer ---- */

#define REMAPPED "x-amzn-Remapped-"
#define HEADERS_BYTES_MAX 10240     /* API Gateway quota: total size of header names and values */

static bool name_is_in(struct str name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(name, str_of(list[i])))
            return true;
    return false;
}

static bool is_null_or(const struct json *value, enum json_type type)
{
    return !value || value->type == JSON_NULL || value->type == type;
}

/* Scalars are read as text, as a server does that wants a string: numbers as they were written. */
static bool scalar_text(const struct json *value, struct str *ret)
{
    if (!value || value->type == JSON_NULL || value->type == JSON_ARRAY || value->type == JSON_OBJECT)
        return false;
    *ret = value->type == JSON_TRUE ? STR("true") : value->type == JSON_FALSE ? STR("false") : value->text;
    return true;
}

static bool proxy_header(struct gateway_proxy_answer *answer, struct arena *arena, struct str name, const struct json *value)
{
    static const char *const dropped[] = {"Transfer-Encoding", "TE"};
    static const char *const remapped[] = {
        "Authorization", "Connection", "Content-Length",   "Content-MD5",        "Date",           "Expect",
        "Host",          "Keep-Alive", "Max-Forwards",     "Proxy-Authenticate", "Server",         "Trailer",
        "Upgrade",       "User-Agent", "WWW-Authenticate", "x-amzn-RequestId",   "x-amz-apigw-id", "X-Amzn-Trace-Id"};
    struct http_header header = {.name = name};
    if (!mapping_is_header_name(name))
        return false;
    if (value->type == JSON_NULL)
        return true; /* left out */
    if (!scalar_text(value, &header.value))
        return false;
    header.value = str_trim(header.value);
    if (!mapping_is_header_value(header.value))
        return false;
    if (name_is_in(name, dropped, COUNT_OF(dropped)))
        return true;
    if (name_is_in(name, remapped, COUNT_OF(remapped)))
        header.name = arena_printf(arena, REMAPPED STR_FMT, STR_ARG(name));
    answer->headers[answer->header_count++] = header;
    return true;
}

/* Among the values of a list? */
static bool is_repeated(const struct json *list, const struct json *single)
{
    struct str text, wanted;
    if (!scalar_text(single, &wanted))
        return false;
    for JSON_EACH (value, list)
        if (scalar_text(value, &text) && str_eq(text, wanted))
            return true;
    return false;
}

static size_t pair_bytes(struct str name, const struct json *value)
{
    struct str text;
    return name.n + (scalar_text(value, &text) ? text.n : 0);
}

static const struct json *find_list(const struct json *multi, struct str name)
{
    for JSON_EACH (entry, multi)
        if (str_eq_nocase(entry->key, name))
            return entry;
    return NULL;
}

/* The values of a list, behind them those of `headers` under the same name, which stand under the list's spelling. A pair that
 * stands in both counts once. */
static bool proxy_list(struct gateway_proxy_answer *answer, struct arena *arena, const struct json *multi, const struct json *entry,
                       const struct json *single)
{
    for JSON_EACH (value, entry)
        if (!proxy_header(answer, arena, entry->key, value))
            return false;
    for JSON_EACH (value, single)
        if (str_eq_nocase(value->key, entry->key) && find_list(multi, value->key) == entry && !is_repeated(entry, value) &&
            !proxy_header(answer, arena, entry->key, value))
            return false;
    return true;
}

/* Both merged. The quota of bytes bounds the search for what stands in both, too. */
static bool proxy_headers(struct gateway_proxy_answer *answer, struct arena *arena, const struct json *single,
                          const struct json *multi)
{
    size_t max = single ? single->count : 0, bytes = 0;
    for JSON_EACH (entry, single)
        bytes += pair_bytes(entry->key, entry);
    for JSON_EACH (entry, multi) {
        if (!is_null_or(entry, JSON_ARRAY))
            return false;
        max += entry->count;
        bytes += entry->key.n * (entry->count == 0);
        for JSON_EACH (value, entry)
            bytes += pair_bytes(entry->key, value);
        if (bytes > HEADERS_BYTES_MAX)
            return false;
    }
    if (bytes > HEADERS_BYTES_MAX)
        return false;
    answer->headers = arena_array(arena, struct http_header, max + 1);
    for JSON_EACH (entry, single)
        if (!find_list(multi, entry->key) && !proxy_header(answer, arena, entry->key, entry))
            return false;
    for JSON_EACH (entry, multi)
        if (!proxy_list(answer, arena, multi, entry, single))
            return false;
    return true;
}

static bool proxy_status(const struct json *value, int *ret)
{
    int64_t status = 200;
    bool is_null = !value || value->type == JSON_NULL;
    if (!is_null && !(json_is(value, JSON_STRING) ? str_to_i64(value->text, &status) : json_is_integer(value, &status)))
        return false;
    *ret = (int)status;
    return status >= 200 && status <= 599;      /* 1xx is no final answer */
}

/* A boolean, or its text. */
static bool is_switch(const struct json *value)
{
    return is_null_or(value, JSON_TRUE) || value->type == JSON_FALSE ||
           (value->type == JSON_STRING && (str_eq_nocase(value->text, STR("true")) || str_eq_nocase(value->text, STR("false"))));
}

bool gateway__proxy_answer(struct str payload, struct arena *arena, struct gateway_proxy_answer *ret)
{
    static const char *const members[] = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"};
    struct gateway_proxy_answer answer = {0};
    struct json *root;
    if (json_parse(payload, arena, &root) != ERR_OK || root->type != JSON_OBJECT)
        return false;
    for JSON_EACH (member, root) {
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(members); i++)
            known |= str_eq(member->key, str_of(members[i]));
        if (!known)
            return false;
    }
    const struct json *single = json_at(root, "headers"), *multi = json_at(root, "multiValueHeaders"),
                      *body = json_at(root, "body"), *base64 = json_at(root, "isBase64Encoded");
    if (!is_null_or(single, JSON_OBJECT) || !is_null_or(multi, JSON_OBJECT) || !is_switch(base64) ||
        !(is_null_or(body, JSON_NULL) || scalar_text(body, &answer.body)) ||
        !proxy_status(json_at(root, "statusCode"), &answer.status) || !proxy_headers(&answer, arena, single, multi))
        return false;
    *ret = answer;
    return true;
}
