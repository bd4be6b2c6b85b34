/* invoke.c -- an exchange's Lambda invocation. The invocation may outlive its request: the gateway answers 504 after the
 * integration's timeout, while the function runs on to its own. So what the invocation needs lives in an arena of its own;
 * when the function is in time, that arena is handed to the request's, which keeps it until the answer is sent.
 *
 * On the loop of the request, all of it: start, timer, and Lambda's done. `exchange` is NULL once the timeout answered. */
#include "base/log.h"
#include "gateway/exchange.h"

struct pending {
    struct lambda_invocation invocation;
    struct arena *arena;                /* the pending itself lives here */
    struct gateway_exchange *exchange;
    struct loop_timer *timer;
};

static void log_failure(const struct gateway_exchange *x, const char *event, struct str reason)
{
    log_to(LOG_INFO, event, {"api", x->stage->api_id}, {"path", x->method->resource_path}, {"function", x->method->function},
           {"request", x->ids.request_id}, {"reason", reason});
}

static void answer_proxy(struct gateway_exchange *x, const struct lambda_invocation *invocation)
{
    struct gateway_proxy_answer answer;
    if (invocation->outcome == LAMBDA_FUNCTION_ERROR) {
        log_failure(x, "gateway.function_error", invocation->function_error ? str_of(invocation->function_error) : STR_NONE);
        gateway__answer_error(x, GATEWAY_BAD_GATEWAY);
    } else if (!gateway__proxy_answer(invocation->answer, x->arena, &answer)) {
        log_failure(x, "gateway.malformed_proxy_response", STR("not of the form {statusCode, headers, multiValueHeaders, body, isBase64Encoded}"));
        gateway__answer_error(x, GATEWAY_BAD_GATEWAY);
    } else {
        gateway__answer(x, answer.status, answer.headers, answer.header_count, answer.body);
    }
}

/* A function error is chosen by its errorMessage; an error without one takes the default response. */
static void answer_custom(struct gateway_exchange *x, const struct lambda_invocation *invocation)
{
    struct str selector = STR_NONE;
    struct json *error;
    if (invocation->outcome == LAMBDA_FUNCTION_ERROR && json_parse(invocation->answer, x->arena, &error) == ERR_OK)
        selector = json_str(error, "errorMessage");
    gateway__answer_mapped(x, selector, invocation->answer);
}

static void answer_refused(struct gateway_exchange *x, const struct lambda_invocation *invocation)
{
    log_failure(x, "gateway.invoke_refused", invocation->error_message);
    bool is_content = invocation->error_code && str_eq(str_of(invocation->error_code), STR("InvalidRequestContentException"));
    if (is_content && x->method->type == GATEWAY_AWS)
        gateway__answer_message(x, GATEWAY_BAD_REQUEST, invocation->error_message);
    else if (invocation->error_status == 413)
        gateway__answer_error(x, GATEWAY_TOO_LARGE);
    else
        gateway__answer_error(x, GATEWAY_INTERNAL);
}

static void free_arena(void *arena)
{
    arena_free(arena);
}

static void on_done(struct lambda_invocation *invocation)
{
    struct pending *pending = invocation->arg;
    struct gateway_exchange *x = pending->exchange;
    if (!x) {
        arena_free(pending->arena);
        return;
    }
    loop_timer_cancel(&pending->timer);
    arena_on_free(x->arena, free_arena, pending->arena);
    if (invocation->outcome == LAMBDA_REFUSED)
        answer_refused(x, invocation);
    else if (x->method->type == GATEWAY_AWS_PROXY)
        answer_proxy(x, invocation);
    else
        answer_custom(x, invocation);
}

static void on_timeout(void *arg)
{
    struct pending *pending = arg;
    struct gateway_exchange *x = pending->exchange;
    pending->timer = NULL;
    pending->exchange = NULL;
    log_failure(x, "gateway.timeout", STR("the integration did not answer in time"));
    gateway__answer_error(x, GATEWAY_TIMEOUT);
}

/* The payload, in `arena`; false: the exchange is answered. */
static bool make_payload(struct gateway_exchange *x, struct arena *arena, struct str *ret)
{
    struct json *ignored;
    struct str body;
    if (x->method->type == GATEWAY_AWS_PROXY) {
        if (gateway__event(x, arena, ret))
            return true;
        gateway__answer_error(x, GATEWAY_TOO_LARGE);
        return false;
    }
    if (!gateway__request_body(x, &body)) {
        gateway__answer_error(x, GATEWAY_UNSUPPORTED_MEDIA_TYPE);
        return false;
    }
    if (str_trim(body).n == 0)
        body = STR("{}");
    if (body.n > LAMBDA_PAYLOAD_BYTES_MAX) {
        gateway__answer_error(x, GATEWAY_TOO_LARGE);
        return false;
    }
    if (json_parse(body, x->arena, &ignored) != ERR_OK) {
        gateway__answer_message(x, GATEWAY_BAD_REQUEST, gateway__not_json(x->arena, body));
        return false;
    }
    *ret = arena_dup(arena, body);
    return true;
}

static bool permitted(const struct gateway_exchange *x, struct lambda *lambda)
{
    const struct gateway_stage *stage = x->stage;
    struct str source_arn = arena_printf(x->arena, "arn:aws:execute-api:" STR_FMT ":" STR_FMT ":" STR_FMT "/" STR_FMT "/" STR_FMT STR_FMT,
                                         STR_ARG(stage->region), STR_ARG(stage->account), STR_ARG(stage->api_id), STR_ARG(stage->name),
                                         STR_ARG(x->request->method), STR_ARG(x->method->resource_path));
    return lambda_permits(lambda, x->method->account, x->method->region, x->method->function, "apigateway.amazonaws.com", source_arn, x->arena);
}

void gateway__invoke(struct gateway_exchange *x, struct lambda *lambda)
{
    const struct gateway_method *method = x->method;
    if (method->broken) {
        log_failure(x, "gateway.configuration_error", str_of(method->broken_reason));
        gateway__answer_error(x, GATEWAY_INTERNAL);
        return;
    }
    if (!permitted(x, lambda)) {
        log_failure(x, "gateway.not_permitted", STR("the function's policy does not let apigateway.amazonaws.com invoke it for this API"));
        gateway__answer_error(x, GATEWAY_INTERNAL);
        return;
    }
    struct arena *arena = arena_new();
    struct pending *pending = arena_new_of(arena, struct pending);
    pending->arena = arena;
    pending->exchange = x;
    pending->invocation = (struct lambda_invocation){
        .loop = x->request->loop, .arena = arena, .account = arena_dup(arena, method->account), .region = arena_dup(arena, method->region),
        .function = arena_dup(arena, method->function), .qualifier = arena_dup(arena, method->qualifier),
        .trace_id = arena_dup(arena, x->ids.trace), .done = on_done, .arg = pending};
    if (!make_payload(x, arena, &pending->invocation.payload)) {
        arena_free(arena);
        return;
    }
    pending->timer = loop_timer_start(x->request->loop, method->timeout_ms, on_timeout, pending);
    lambda_invoke(lambda, &pending->invocation);        /* `pending` may be gone */
}
