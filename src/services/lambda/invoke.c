/* invoke.c -- invocations: how they come in (Invoke, the gateway), reach their function's home loop, and go back.
 * Counted from lambda_invoke to done; above the bound they are refused with 429 as AWS's account concurrency. */
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/panic.h"
#include "services/lambda/environment.h"
#include <stdatomic.h>
#include <stdio.h>

#define TRACE_BYTES_MAX 256
#define CHECK_INLINE_MAX 65536          /* bytes of a payload whose JSON is checked on the loop: 0.4 ms at worst */

static _Atomic size_t in_flight;

struct loop *lambda__home(struct str account, struct str region, struct str name)
{
    static const uint8_t key[16] = "home of function";
    char text[256];
    int n = snprintf(text, sizeof text, STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(account), STR_ARG(region), STR_ARG(name));
    struct loops *loops = lambda__options()->loops;
    size_t used = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    return loops_at(loops, siphash24(key, (struct str){text, used}) % loops_count(loops));
}

static struct lambda_invocation *of_task(struct loop_task *task)
{
    return CONTAINER_OF(task, struct lambda_invocation, task);
}

static void run_done(struct loop_task *task)
{
    struct lambda_invocation *invocation = of_task(task);
    invocation->done(invocation);
}

static void finish(struct lambda_invocation *invocation, bool at_once)
{
    struct lambda__flight *flight = invocation->internal;
    lambda__function_unref(&flight->function);
    atomic_fetch_sub(&in_flight, 1);
    if (at_once && loop_current() == invocation->loop) {
        invocation->done(invocation);
        return;
    }
    invocation->task.run = run_done;
    loop_post(invocation->loop, &invocation->task);
}

void lambda__invocation_answer(struct lambda_invocation *invocation, struct str payload, const char *function_error)
{
    invocation->outcome = function_error ? LAMBDA_FUNCTION_ERROR : LAMBDA_ANSWERED;
    invocation->answer = payload;
    invocation->function_error = function_error;
    finish(invocation, true);
}

void lambda__invocation_refuse(struct lambda_invocation *invocation, const char *code, int status, struct str message)
{
    invocation->outcome = LAMBDA_REFUSED;
    invocation->error_code = code;
    invocation->error_status = status;
    invocation->error_message = message;
    finish(invocation, false);
}

void lambda__invocation_not_found(struct lambda_invocation *i)
{
    struct str arn = lambda__function_arn(i->arena, i->account, i->region, i->function);
    struct str message = i->qualifier.n ? arena_printf(i->arena, "Function not found: " STR_FMT ":" STR_FMT, STR_ARG(arn), STR_ARG(i->qualifier))
                                        : arena_printf(i->arena, "Function not found: " STR_FMT, STR_ARG(arn));
    lambda__invocation_refuse(i, "ResourceNotFoundException", 404, message);
}

/* On the home loop. */
static void arrive(struct lambda_invocation *i)
{
    struct lambda__function *function = NULL;
    enum err err = i->qualifier.n && !str_eq(i->qualifier, STR("$LATEST")) ? ERR_NOT_FOUND
                                                                           : lambda__function_get(i->account, i->region, i->function, &function);
    if (err == ERR_NOT_FOUND)
        lambda__invocation_not_found(i);
    else if (err != ERR_OK)
        lambda__invocation_refuse(i, "ServiceException", 500, str_of(err_text(err)));
    else
        lambda__pool_submit(i, function);
}

static void run_arrive(struct loop_task *task)
{
    arrive(of_task(task));
}

/* The tracing header as Lambda hands it on: with a root (the caller's, if there is one), a parent and the decision not to sample.
 * Source: "Tracing header", X-Ray developer guide. */
static struct str complete_trace(struct arena *arena, struct str given)
{
    uint8_t random[12 + 8];
    struct buf out;
    if (!str_starts(given, STR("Root=1-")) || given.n > TRACE_BYTES_MAX)
        given = STR_NONE;
    else if (memmem(given.p, given.n, "Parent=", 7))
        return given;
    random_bytes(random, sizeof random);
    buf_init(&out, arena, TRACE_BYTES_MAX + 128);
    if (given.n) {
        buf_add(&out, given);
    } else {
        buf_printf(&out, "Root=1-%08x-", (unsigned)(clock_epoch_ms() / 1000));
        hex_write(&out, (struct str){(const char *)random, 12});
    }
    buf_lit(&out, ";Parent=");
    hex_write(&out, (struct str){(const char *)random + 12, 8});
    if (!given.n || !memmem(given.p, given.n, "Sampled=", 8))
        buf_lit(&out, ";Sampled=0");
    return buf_str(&out);
}

void lambda_invoke(struct lambda *lambda, struct lambda_invocation *invocation)
{
    (void)lambda;
    struct loop *home = lambda__home(invocation->account, invocation->region, invocation->function);
    invocation->internal = arena_new_of(invocation->arena, struct lambda__flight);
    if (invocation->request_id.n == 0)
        invocation->request_id = uuid4(invocation->arena);
    invocation->trace_id = complete_trace(invocation->arena, invocation->trace_id);
    size_t running = atomic_fetch_add(&in_flight, 1);
    if (running >= lambda__options()->concurrency_max) {
        lambda__invocation_refuse(invocation, "TooManyRequestsException", 429, STR("Rate Exceeded."));
        return;
    }
    if (invocation->payload.n > LAMBDA_PAYLOAD_BYTES_MAX) {
        lambda__invocation_refuse(invocation, "RequestTooLargeException", 413,
                                  arena_printf(invocation->arena, "%zu byte payload is too large for the RequestResponse invocation type (limit %d bytes)",
                                               invocation->payload.n, LAMBDA_PAYLOAD_BYTES_MAX));
        return;
    }
    if (home == loop_current()) {
        arrive(invocation);
        return;
    }
    invocation->task.run = run_arrive;
    loop_post(home, &invocation->task);
}

/* ---- the Invoke operation ---- */

void lambda__prepare_invoke(struct call *call)
{
    struct str type = call_str(call, "InvocationType"), context = call_str(call, "ClientContext"), decoded, name;
    if (!lambda__call_name(call, &name))
        return;
    if (str_eq(type, STR("Event"))) {
        call_fail_not_implemented(call, "InvocationType Event");
        return;
    }
    if (context.n && base64_decode(context, call->arena, &decoded) != ERR_OK)
        call_fail(call, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.");
    else if (context.n)
        json_put(call->input, STR("ClientContext"), json_new_str(call->arena, decoded));
}

static void invoked(struct lambda_invocation *i)
{
    struct call *call = i->arg;
    if (i->outcome == LAMBDA_REFUSED) {
        call_fail(call, i->error_code, STR_FMT, STR_ARG(i->error_message));
        if (i->error_status == 429) {
            call->error_fields = json_new(call->arena, JSON_OBJECT);
            json_add_str(call->arena, call->error_fields, "Reason", STR("ConcurrentInvocationLimitExceeded"));
            json_add_str(call->arena, call->error_fields, "retryAfterSeconds", STR("1"));
        }
        call_complete(call);
        return;
    }
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_i64(call->arena, call->output, "StatusCode", 200);
    if (i->function_error)
        json_add_str(call->arena, call->output, "FunctionError", str_of(i->function_error));
    if (i->tail_log) {
        struct buf base64;
        buf_init(&base64, call->arena, 2 * LAMBDA_LOG_TAIL_BYTES);
        base64_write(&base64, i->log_tail);
        json_add_str(call->arena, call->output, "LogResult", buf_str(&base64));
    }
    json_add_str(call->arena, call->output, "ExecutedVersion", STR("$LATEST"));
    call->output_payload = i->answer;
    call->has_output_payload = true;
    call_header(call, "X-Amzn-Trace-Id", i->trace_id);     /* as the function saw it */
    call_complete(call);
}

static void invoke_checked(struct call *call, bool is_json)
{
    struct lambda_invocation *i = arena_new_of(call->arena, struct lambda_invocation);
    struct json *doc;
    struct str name = STR_NONE;

    lambda__call_name(call, &name);
    if (!is_json) {
        call_fail(call, "InvalidRequestContentException", "Could not parse request body into json: the payload is not valid JSON.");
        call_complete(call);
        return;
    }
    if (str_eq(call_str(call, "InvocationType"), STR("DryRun"))) {
        if (lambda__call_doc(call, store_reader(lambda__options()->store), &doc)) {
            call->status = 204;
            call->output = json_new(call->arena, JSON_OBJECT);
            json_add_i64(call->arena, call->output, "StatusCode", 204);
        }
        call_complete(call);
        return;
    }
    *i = (struct lambda_invocation){
        .loop = call->loop, .arena = call->arena, .account = call->account, .region = call->region, .function = name,
        .payload = call->payload.n ? call->payload : STR("{}"), .client_context = call_str(call, "ClientContext"),
        .trace_id = call_request_header(call, "X-Amzn-Trace-Id"), .tail_log = str_eq(call_str(call, "LogType"), STR("Tail")),
        .request_id = call->request_id, .done = invoked, .arg = call,
    };
    call->state = i;
    lambda_invoke(lambda__get(), i);
}

struct check {
    struct work work;
    struct call *call;
    bool is_json;
};

static void check_on_worker(struct work *work)
{
    struct check *check = CONTAINER_OF(work, struct check, work);
    check->is_json = json_check(check->call->payload, check->call->arena) == ERR_OK;
}

static void checked(struct work *work)
{
    struct check *check = CONTAINER_OF(work, struct check, work);
    invoke_checked(check->call, check->is_json);
}

/* Six megabytes are some 40 ms of checking, which no loop has: large payloads are checked on a worker. One that is above the
 * limit is refused for that. */
void lambda__invoke_call(struct call *call)
{
    size_t n = call->payload.n;
    if (n <= CHECK_INLINE_MAX || n > LAMBDA_PAYLOAD_BYTES_MAX) {
        invoke_checked(call, n == 0 || n > LAMBDA_PAYLOAD_BYTES_MAX || json_check(call->payload, call->arena) == ERR_OK);
        return;
    }
    struct check *check = arena_new_of(call->arena, struct check);
    *check = (struct check){.work = {.run = check_on_worker, .done = checked, .loop = call->loop}, .call = call};
    enum err err = workers_submit(lambda__options()->workers, LANE_BODY, &check->work);
    if (err != ERR_OK) {
        call_fail_err(call, err);
        call_complete(call);
    }
}
