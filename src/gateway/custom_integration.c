/* custom_integration.c -- integrations that are no proxies: which body goes in, which integration response comes out.
 * Sources: "Method request behavior for payloads without mapping templates" (passthrough), "Set up mock integrations",
 * "Handle Lambda errors in API Gateway". Templates are literal: they stand for themselves. */
#include "services/apigateway/mapping.h"
#include "base/log.h"
#include "gateway/exchange.h"
#include "services/apigateway/selector.h"

bool gateway__request_body(const struct gateway_exchange *x, struct str *ret)
{
    const struct gateway_method *method = x->method;
    const struct json *template = mapping_find_template(method->templates, http_header(x->request, "Content-Type"));
    if (template) {
        *ret = template->text;
        return true;
    }
    if (method->passthrough == GATEWAY_NEVER ||
        (method->passthrough == GATEWAY_WHEN_NO_TEMPLATES && method->templates && method->templates->count))
        return false;
    *ret = x->request->body;
    return true;
}

static const struct gateway_response *choose(const struct gateway_method *method, struct str selector)
{
    const struct gateway_response *otherwise = NULL;
    for (size_t i = 0; i < method->response_count; i++) {
        const struct gateway_response *response = &method->responses[i];
        if (response->pattern && selector.n && selector_matches(response->pattern, selector))
            return response;
        if (!response->pattern && !otherwise)
            otherwise = response;
    }
    return otherwise;
}

/* By the Accept header, else application/json, else the first. */
static const struct json *response_template(const struct gateway_exchange *x, const struct json *templates)
{
    struct str accept = http_header(x->request, "Accept");
    const struct json *found = accept.n ? mapping_find_template(templates, accept) : NULL;
    if (!found)
        found = mapping_find_template(templates, STR("application/json"));
    return found || !templates ? found : templates->first;
}

static void fail_configuration(struct gateway_exchange *x, const char *reason)
{
    x->request->about.reason = str_of(reason);
    log_to(LOG_INFO, "gateway.configuration_error", {"api", x->stage->api_id}, {"path", x->method->resource_path},
           {"reason", str_of(reason)});
    gateway__answer_error(x, GATEWAY_INTERNAL);
}

void gateway__answer_mapped(struct gateway_exchange *x, struct str selector, struct str body)
{
    const struct gateway_response *response = choose(x->method, selector);
    if (!response) {
        fail_configuration(x, "no match for output mapping and no default output mapping configured");
        return;
    }
    if (!response->declared || response->status < 200) {
        fail_configuration(x, "output mapping refers to an invalid method response");
        return;
    }
    struct http_header *headers = arena_array(x->arena, struct http_header, response->header_count + 1);
    size_t count = response->header_count;
    bool typed = false;
    for (size_t i = 0; i < count; i++) {
        headers[i] = response->headers[i];
        typed |= str_eq_nocase(headers[i].name, STR("Content-Type"));
    }
    const struct json *template = response_template(x, response->templates);
    if (template && !typed)
        headers[count++] = (struct http_header){STR("Content-Type"), template->key};
    gateway__answer(x, response->status, headers, count, template && template->text.n ? template->text : body);
}

void gateway__answer_mock(struct gateway_exchange *x)
{
    struct str text;
    struct json *body;
    int64_t status;
    if (!gateway__request_body(x, &text)) {
        gateway__answer_error(x, GATEWAY_UNSUPPORTED_MEDIA_TYPE);
        return;
    }
    if (json_parse(text, x->arena, &body) != ERR_OK || !json_is_integer(json_at(body, "statusCode"), &status)) {
        fail_configuration(x, "unable to parse statusCode; it should be an integer that is defined in the request template");
        return;
    }
    gateway__answer_mapped(x, arena_printf(x->arena, "%lld", (long long)status), STR_NONE);
}

struct str gateway__not_json(struct arena *arena, struct str body)
{
    static const char prefix[] = "Could not parse request body into json: ";
    struct str text = str_trim(body);
    size_t n = 0;
    while (n < text.n && n < 64 && ((text.p[n] | 0x20) >= 'a' && (text.p[n] | 0x20) <= 'z'))
        n++;
    struct str word = str_slice(text, 0, n);
    if (word.n && !str_eq(word, STR("true")) && !str_eq(word, STR("false")) && !str_eq(word, STR("null")))
        return arena_printf(arena, "%sUnrecognized token '" STR_FMT "': was expecting ('true', 'false' or 'null')", prefix,
                            STR_ARG(word));
    static const char open[] = "{[\"", closed[] = "}]\"";
    const char *opening = text.n && text.p[0] ? strchr(open, text.p[0]) : NULL;
    if (opening && (text.n == 1 || text.p[text.n - 1] != closed[opening - open]))
        return arena_printf(arena, "%sUnexpected end-of-input", prefix);
    return arena_printf(arena, "%sUnexpected character: was expecting a valid value", prefix);
}
