/* exchange.h -- one request for a stage, from its route to its answer. Folder-internal. Lives in the request's arena. */
#ifndef CLOUDLESS_GATEWAY_EXCHANGE_H
#define CLOUDLESS_GATEWAY_EXCHANGE_H
#include "gateway/gateway.h"
#include "gateway/compiled_stage.h"

struct gateway_ids {
    struct str request_id;              /* UUID: x-amzn-RequestId */
    struct str extended_id;             /* x-amz-apigw-id */
    struct str trace;                   /* X-Amzn-Trace-Id: the client's, or a new Root=1-… */
};

struct gateway_exchange {
    struct gateway *gateway;
    struct http_request *request;
    struct arena *arena;                /* the request's */
    struct gateway_ids ids;
    struct workers *workers;
    struct work work;    /* of gateway__read, and what is read: */
    uint64_t generation; /* of the stage's documents */
    enum err err;
    enum err permitted;                 /* event_target.permits */
    struct gateway_stage *known;        /* the stage in the loop's cache, a reference as below, or NULL */
    const char *missing;                /* what was not found, for the access log */
    struct gateway_stage *stage;        /* a reference, dropped with the arena; NULL until found */
    const struct gateway_method *method;
    struct route_param *params;
    size_t param_count;
    struct str api_id, stage_name, path, domain; /* as front gave them; path is raw */
    struct str stage_key;                        /* in the loop's cache of stages */
};

/* ---- handle.c ---- */
/* Runs `read`, which reads the store, and `then` on the exchange's loop: at once, or by a worker if reads may block. Both find the
 * exchange by its `work`. Answers 503 if no worker takes it. */
void gateway__read(struct gateway_exchange *x, void (*read)(struct work *work), void (*then)(struct work *work));

/* ---- answer.c: every way to answer ---- */
enum gateway_error {
    GATEWAY_MISSING_TOKEN, GATEWAY_FORBIDDEN, GATEWAY_BAD_REQUEST, GATEWAY_UNSUPPORTED_MEDIA_TYPE, GATEWAY_TOO_LARGE,
    GATEWAY_INTERNAL, GATEWAY_BAD_GATEWAY, GATEWAY_TIMEOUT, GATEWAY_UNAVAILABLE
};
void gateway__answer_error(struct gateway_exchange *x, enum gateway_error error);
void gateway__answer_message(struct gateway_exchange *x, enum gateway_error error, struct str message);
void gateway__answer(struct gateway_exchange *x, int status, const struct http_header *headers, size_t count, struct str body);

/* What a proxied function answered, checked: false if it is malformed (AWS: 502). */
struct gateway_proxy_answer {
    int status;
    struct http_header *headers;
    size_t header_count;
    struct str body;
};
bool gateway__proxy_answer(struct str payload, struct arena *arena, struct gateway_proxy_answer *ret);

/* ---- event.c ---- */
void gateway__make_ids(const struct http_request *request, struct arena *arena, struct gateway_ids *ret);
/* The event of payload format 1.0. False: more than EVENT_PAYLOAD_BYTES_MAX. */
bool gateway__event(const struct gateway_exchange *x, struct arena *arena, struct str *ret);
struct str gateway__text(struct arena *arena, struct str s);    /* valid UTF-8: bytes that are not become U+FFFD */

/* ---- custom_integration.c: integrations that are not proxies ---- */
/* The body that goes to the integration: a literal template, or what the client sent. False: 415. */
bool gateway__request_body(const struct gateway_exchange *x, struct str *ret);
/* Chooses the integration response for `selector` (STR_NONE: the default one) and answers with it. */
void gateway__answer_mapped(struct gateway_exchange *x, struct str selector, struct str body);
void gateway__answer_mock(struct gateway_exchange *x);
/* "Could not parse request body into json: …" */
struct str gateway__not_json(struct arena *arena, struct str body);

/* ---- proxy_invoke.c ---- */
void gateway__invoke(struct gateway_exchange *x);
#endif
