/* proxy_invoke.c -- an exchange's event to its Lambda function (call/event_target.h). The delivery may outlive its request: the
 * gateway answers 504 after the integration's timeout, while the function runs on to its own. So what the delivery needs lives in
 * an arena of its own; when the function is in time, that arena is handed to the request's, which keeps it until the answer is
 * sent.
 *
 *   gateway__invoke → read_permission → make_payload → start → (Lambda) → on_done → read_answer → answer
 *
 * On the loop of the request, all of it, but for read_permission over a store whose reads may block, and make_payload of a large
 * body and read_answer of a large answer, which take up to 70 ns a byte: these run on a worker, which then has the exchange to
 * itself. `exchange` is NULL once the timeout answered. */
#include "base/log.h"
#include "base/arn.h"
#include "gateway/exchange.h"
#include "net/worker.h"

#define INLINE_BYTES_MAX (64u << 10)    /* of a body or an answer that is read on the loop */

struct pending {
    struct event_delivery delivery;
    struct arena *arena;                /* the pending itself lives here */
    struct gateway_exchange *exchange;
    struct workers *workers;
    struct work work;
    struct loop_timer *timer;
    bool refused;                       /* by make_payload, with: */
    enum gateway_error error;
    struct str message;                 /* STR_NONE: the error's own */
    bool malformed;                     /* by read_answer, of a proxied function; else: */
    struct gateway_proxy_answer answer;
    struct str selector;                /* by read_answer, of another */
};

/* On a worker, then `done` on the loop. */
static void submit(struct pending *pending, void (*run)(struct work *), void (*done)(struct work *))
{
    pending->work = (struct work){.run = run, .done = done, .loop = pending->exchange->request->loop};
    if (workers_submit(pending->workers, LANE_BODY, &pending->work) == ERR_OK)
        return;
    pending->refused = true;
    pending->error = GATEWAY_UNAVAILABLE;
    done(&pending->work);
}

static struct pending *pending_of_work(struct work *work)
{
    return CONTAINER_OF(work, struct pending, work);
}

static void log_failure(const struct gateway_exchange *x, const char *event, struct str reason)
{
    x->request->about.reason = reason;
    log_to(LOG_INFO, event, {"api", x->stage->api_id}, {"path", x->method->resource_path}, {"function", x->method->to.name},
           {"request", x->ids.request_id}, {"reason", reason});
}

/* ---- the function's answer ---- */

/* A function error is chosen by its errorMessage; an error without one takes the default response. */
static void read_answer(struct work *work)
{
    struct pending *pending = pending_of_work(work);
    const struct event_delivery *delivery = &pending->delivery;
    struct gateway_exchange *x = pending->exchange;
    struct json *error;
    pending->error = GATEWAY_UNAVAILABLE;
    if (arena_over(pending->arena) != ERR_OK) {
        pending->refused = true;
        return;
    }
    if (x->method->type == GATEWAY_AWS_PROXY)
        pending->malformed = !gateway__proxy_answer(delivery->answer, x->arena, &pending->answer);
    else if (delivery->outcome == EVENT_FAILED && json_parse(delivery->answer, x->arena, &error) == ERR_OK)
        pending->selector = json_str(error, "errorMessage");
    pending->refused = arena_over(x->arena) != ERR_OK;      /* then what was read is not all, and not the function's fault */
}

static void pending_answer(struct work *work)
{
    struct pending *pending = pending_of_work(work);
    struct gateway_exchange *x = pending->exchange;
    const struct gateway_proxy_answer *proxied = &pending->answer;
    if (pending->refused) {
        gateway__answer_error(x, pending->error);
    } else if (x->method->type != GATEWAY_AWS_PROXY) {
        gateway__answer_mapped(x, pending->selector, pending->delivery.answer);
    } else if (pending->malformed) {
        log_failure(x, "gateway.malformed_proxy_response",
                    STR("not of the form {statusCode, headers, multiValueHeaders, body, isBase64Encoded}"));
        gateway__answer_error(x, GATEWAY_BAD_GATEWAY);
    } else {
        gateway__answer(x, proxied->status, proxied->headers, proxied->header_count, proxied->body);
    }
}

static void answer_refused(struct gateway_exchange *x, const struct event_delivery *delivery)
{
    log_failure(x, "gateway.invoke_refused", delivery->error_message);
    bool is_content = delivery->error_code && str_eq(str_of(delivery->error_code), STR("InvalidRequestContentException"));
    if (is_content && x->method->type == GATEWAY_AWS)
        gateway__answer_message(x, GATEWAY_BAD_REQUEST, delivery->error_message);
    else if (delivery->error_status == 413)
        gateway__answer_error(x, GATEWAY_TOO_LARGE);
    else
        gateway__answer_error(x, GATEWAY_INTERNAL);
}

static void free_arena(void *arena)
{
    arena_free(arena);
}

static void on_done(struct event_delivery *delivery)
{
    struct pending *pending = delivery->arg;
    struct gateway_exchange *x = pending->exchange;
    if (!x) {
        arena_free(pending->arena);
        return;
    }
    loop_timer_cancel(&pending->timer);
    arena_on_free(x->arena, free_arena, pending->arena);
    if (delivery->outcome == EVENT_REFUSED) {
        answer_refused(x, delivery);
    } else if (delivery->outcome == EVENT_FAILED && x->method->type == GATEWAY_AWS_PROXY) {
        log_failure(x, "gateway.function_error", delivery->error_code ? str_of(delivery->error_code) : STR_NONE);
        gateway__answer_error(x, GATEWAY_BAD_GATEWAY);
    } else if (delivery->answer.n > INLINE_BYTES_MAX) {
        submit(pending, read_answer, pending_answer);
    } else {
        read_answer(&pending->work);
        pending_answer(&pending->work);
    }
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

/* ---- the payload ---- */

static void pending_refuse(struct pending *pending, enum gateway_error error, struct str message)
{
    pending->refused = true;
    pending->error = error;
    pending->message = message;
}

static void make_payload(struct work *work)
{
    struct pending *pending = pending_of_work(work);
    struct gateway_exchange *x = pending->exchange;
    struct str *payload = &pending->delivery.payload, body;
    if (x->method->type == GATEWAY_AWS_PROXY) {
        if (!gateway__event(x, pending->arena, payload))
            pending_refuse(pending, GATEWAY_TOO_LARGE, STR_NONE);
        return;
    }
    if (!gateway__request_body(x, &body)) {
        pending_refuse(pending, GATEWAY_UNSUPPORTED_MEDIA_TYPE, STR_NONE);
        return;
    }
    if (str_trim(body).n == 0)
        body = STR("{}");
    if (body.n > EVENT_PAYLOAD_BYTES_MAX)
        pending_refuse(pending, GATEWAY_TOO_LARGE, STR_NONE);
    else if (json_check(body, x->arena) != ERR_OK)
        pending_refuse(pending, GATEWAY_BAD_REQUEST, gateway__not_json(x->arena, body));
    else
        *payload = arena_dup(pending->arena, body);
}

static void pending_start(struct work *work)
{
    struct pending *pending = pending_of_work(work);
    struct gateway_exchange *x = pending->exchange;
    if (!pending->refused) {
        pending->timer = loop_timer_start(x->request->loop, x->method->timeout_ms, on_timeout, pending);
        pending->delivery.to.target->deliver(&pending->delivery);   /* `pending` may be gone */
        return;
    }
    if (pending->message.n)
        gateway__answer_message(x, pending->error, pending->message);
    else
        gateway__answer_error(x, pending->error);
    arena_free(pending->arena);
}

static enum err permitted(const struct gateway_exchange *x)
{
    const struct gateway_stage *stage = x->stage;
    const struct event_address *to = &x->method->to;
    const struct event_source source = {.service = "apigateway.amazonaws.com",
                                        .arn = arn_make(x->arena, "execute-api", stage->region, stage->account,
                                                        STR_FMT "/" STR_FMT "/" STR_FMT STR_FMT, STR_ARG(stage->api_id),
                                                        STR_ARG(stage->name), STR_ARG(x->request->method),
                                                        STR_ARG(x->method->resource_path))};
    return to->target->permits(to, &source, x->arena);
}

static void read_permission(struct work *work)
{
    struct gateway_exchange *x = CONTAINER_OF(work, struct gateway_exchange, work);
    x->permitted = permitted(x);
}

static struct str why_not(enum err err)
{
    switch (err) {
    case ERR_DENIED:
        return STR("the function's policy does not let apigateway.amazonaws.com invoke it for this API");
    case ERR_NOT_FOUND:
        return STR("the function does not exist");
    default:
        return str_of(err_text(err));
    }
}

static void permission_read(struct work *work)
{
    struct gateway_exchange *x = CONTAINER_OF(work, struct gateway_exchange, work);
    if (x->permitted != ERR_OK) {
        log_failure(x, "gateway.not_permitted", why_not(x->permitted));
        gateway__answer_error(x, GATEWAY_INTERNAL);
        return;
    }
    if (!arena_room(x->arena)) {
        x->request->about.reason = STR("the client, or all of them, hold as much memory as they may");
        gateway__answer_error(x, GATEWAY_UNAVAILABLE);
        return;
    }
    struct arena *arena = arena_new();
    arena_count_as(arena, x->arena);
    struct pending *pending = arena_new_of(arena, struct pending);
    pending->arena = arena;
    pending->exchange = x;
    pending->workers = x->workers;
    pending->delivery = (struct event_delivery){.to = event_address_dup(arena, &x->method->to),
                                                .loop = x->request->loop,
                                                .arena = arena,
                                                .trace_id = arena_dup(arena, x->ids.trace),
                                                .done = on_done,
                                                .arg = pending};
    if (x->request->body.n > INLINE_BYTES_MAX) {
        submit(pending, make_payload, pending_start);
        return;
    }
    make_payload(&pending->work);
    pending_start(&pending->work);
}

void gateway__invoke(struct gateway_exchange *x)
{
    if (x->method->broken) {
        log_failure(x, "gateway.configuration_error", str_of(x->method->broken_reason));
        gateway__answer_error(x, GATEWAY_INTERNAL);
        return;
    }
    gateway__read(x, read_permission, permission_read);
}
