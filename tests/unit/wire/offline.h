/* offline.h -- a call without sockets, authentication or dispatch: request in, bound and validated input out; and the
 * answer that its protocol writes. */
#ifndef CLOUDLESS_TESTS_WIRE_OFFLINE_H
#define CLOUDLESS_TESTS_WIRE_OFFLINE_H
#include "call/pattern.h"
#include "call/validate.h"
#include "services/apigateway/apigateway.h"
#include "services/dynamodb/dynamodb.h"
#include "services/iam/iam.h"
#include "services/lambda/lambda.h"
#include "services/logs/logs.h"
#include "services/sts/sts.h"
#include "wire/wire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct offline {
    struct arena *arena;
    struct service_api api;
    struct http_header headers[4];
    struct http_request request;
    struct wire_exchange exchange;
    struct call call;
    struct http_response response;
};

/* What a service says of its words; its rows would bring all of it along. */
static const struct service_api offline_apis[] = {
    {.model = &model_dynamodb, .errors = &dynamodb_errors, .overrides = &dynamodb_overrides},
    {.model = &model_lambda, .errors = &lambda_errors, .overrides = &lambda_overrides},
    {.model = &model_iam, .errors = &iam_errors, .overrides = &iam_overrides},
    {.model = &model_sts, .errors = &sts_errors},
    {.model = &model_logs, .errors = &logs_errors, .overrides = &logs_overrides},
    {.model = &model_apigateway, .errors = &apigateway_errors},
};

static __attribute__((unused)) const struct service_api *offline_api(const struct model *m)
{
    for (size_t i = 0; i < COUNT_OF(offline_apis); i++) {
        if (offline_apis[i].model == m)
            return &offline_apis[i];
    }
    return NULL;
}

static __attribute__((unused)) const struct model *offline_model(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(offline_apis); i++) {
        if (str_eq(name, str_of(offline_apis[i].model->service)))
            return offline_apis[i].model;
    }
    return NULL;
}

/* `target`: the operation (json), "METHOD /path?query" (rest-json), unused (query). */
static __attribute__((unused)) void offline_request(struct offline *o, const struct model *m, struct str target, struct str body)
{
    static const char *const types[] = {[MODEL_JSON] = "application/x-amz-json-", [MODEL_REST_JSON] = "application/json",
                                        [MODEL_QUERY] = "application/x-www-form-urlencoded"};
    *o = (struct offline){.arena = arena_new(), .api = *offline_api(m)};
    struct str type = arena_printf(o->arena, "%s%s", types[m->protocol], m->protocol == MODEL_JSON ? m->json_version : "");
    o->headers[0] = (struct http_header){STR("Content-Type"), type};
    o->request = (struct http_request){.arena = o->arena, .method = STR("POST"), .path = STR("/"), .headers = o->headers,
                                       .header_count = 1, .body = body};
    if (m->protocol == MODEL_JSON) {
        struct str header = arena_printf(o->arena, "%s." STR_FMT, m->target_prefix, STR_ARG(target));
        o->headers[o->request.header_count++] = (struct http_header){STR("X-Amz-Target"), header};
    } else if (m->protocol == MODEL_REST_JSON) {
        o->request.method = str_cut(&target, ' ');
        o->request.path = str_cut(&target, '?');
        o->request.query = target;
    }
    o->exchange = (struct wire_exchange){.request = &o->request, .body = body, .protocol = wire_protocol_of(&o->api, &o->request)};
    o->call = (struct call){.arena = o->arena, .door_state = &o->exchange, .api = &o->api, .request_id = STR("ID")};
}

/* False: call.failed. */
static __attribute__((unused)) bool offline_read(struct offline *o)
{
    const struct wire_protocol *protocol = o->exchange.protocol;
    if (!protocol->find(&o->call)) return false;
    protocol->read(&o->call);
    return !o->call.failed && validate_input(&o->call);
}

static __attribute__((unused)) bool offline_run(struct offline *o, const struct model *m, const char *target, const char *body)
{
    offline_request(o, m, str_of(target), str_of(body));
    return offline_read(o);
}

static __attribute__((unused)) struct str offline_answer(struct offline *o)
{
    wire_answer(&o->call, &o->response);
    return o->response.body;
}

static __attribute__((unused)) struct str offline_header(const struct offline *o, const char *name)
{
    for (size_t i = 0; i < o->response.header_count; i++) {
        if (str_eq_nocase(o->response.headers[i].name, str_of(name))) return o->response.headers[i].value;
    }
    return STR_NONE;
}

static __attribute__((unused)) void offline_end(struct offline *o)
{
    arena_free(o->arena);
}

#define assert_str(actual, expected)                                                                     \
    do {                                                                                                 \
        struct str actual_ = (actual), expected_ = str_of(expected);                                     \
        if (!str_eq(actual_, expected_)) {                                                               \
            print_error("actual:   " STR_FMT "\nexpected: " STR_FMT "\n", STR_ARG(actual_), STR_ARG(expected_)); \
            fail();                                                                                      \
        }                                                                                                \
    } while (0)
#endif
