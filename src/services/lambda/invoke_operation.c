/* invoke_operation.c -- the operation Invoke: from a call to an invocation and back. */
#include "services/lambda/invoke_operation.h"
#include "base/codec.h"
#include "base/panic.h"
#include "call/call_doc.h"
#include "services/lambda/function_doc.h"
#include "services/lambda/lambda_call.h"
#include "services/lambda/lambda_invoke.h"
#include "services/lambda/output.h"

#define CHECK_INLINE_MAX 65536          /* bytes of a payload whose JSON is checked on the loop: 0.4 ms at worst */

void lambda__prepare_invoke(struct call *call)
{
    struct str type = call_str(call, "InvocationType"), context = call_str(call, "ClientContext"), decoded, name;
    struct json *doc;
    if (!lambda__call_name(call, &name))
        return;
    if (str_eq(type, STR("Event"))) {
        call_fail_not_implemented(call, "InvocationType Event");
        return;
    }
    /* The handler runs on the loop and finds this read. What lacks is told there, behind what is wrong with the payload. */
    if (str_eq(type, STR("DryRun")))
        call_doc_get(call, lambda__reader(call), lambda__key(call->arena, call->account, call->region, name), &doc);
    if (context.n && base64_decode(context, call->arena, &decoded) != ERR_OK)
        call_fail(call, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.");
    else if (context.n)
        json_put(call->input, STR("ClientContext"), json_new_str(call->arena, decoded));
}

static void invoke_ended(struct lambda__invocation *i)
{
    struct call *call = i->arg;
    if (i->outcome == EVENT_REFUSED) {
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
    call_header(call, "Content-Type", STR("application/json"));
    call_header(call, "X-Amzn-Trace-Id", i->trace_id);     /* as the function saw it */
    call_complete(call);
}

static void invoke_checked(struct call *call, bool is_json)
{
    struct lambda__invocation *i = arena_new_of(call->arena, struct lambda__invocation);
    struct json *doc;
    struct str name = STR_NONE;

    lambda__call_name(call, &name);
    if (!is_json) {
        call_fail(call, "InvalidRequestContentException", "Could not parse request body into json: the payload is not valid JSON.");
        call_complete(call);
        return;
    }
    if (str_eq(call_str(call, "InvocationType"), STR("DryRun"))) {
        if (lambda__call_doc(call, lambda__reader(call), &doc)) {
            call->status = 204;
            call->output = json_new(call->arena, JSON_OBJECT);
            json_add_i64(call->arena, call->output, "StatusCode", 204);
        }
        call_complete(call);
        return;
    }
    *i = (struct lambda__invocation){
        .loop = call->loop,
        .arena = call->arena,
        .account = call->account,
        .region = call->region,
        .function = name,
        .qualifier = STR("$LATEST"),
        .payload = call->payload.n ? call->payload : STR("{}"),
        .client_context = call_str(call, "ClientContext"),
        .trace_id = call_request_header(call, "X-Amzn-Trace-Id"),
        .tail_log = str_eq(call_str(call, "LogType"), STR("Tail")),
        .request_id = call->request_id,
        .done = invoke_ended,
        .arg = call,
    };
    call->state = i;
    lambda__invoke(lambda__of(call), i);
}

struct payload_check {
    struct work work;
    struct call *call;
    bool is_json;
};

static void check_payload_on_worker(struct work *work)
{
    struct payload_check *check = CONTAINER_OF(work, struct payload_check, work);
    check->is_json = json_check(check->call->payload, check->call->arena) == ERR_OK;
}

static void payload_checked(struct work *work)
{
    struct payload_check *check = CONTAINER_OF(work, struct payload_check, work);
    invoke_checked(check->call, check->is_json);
}

/* Six megabytes are some 40 ms of checking, which no loop has: large payloads are checked on a worker. One that is above the
 * limit is refused for that. */
void lambda__invoke_call(struct call *call)
{
    size_t n = call->payload.n;
    if (n <= CHECK_INLINE_MAX || n > EVENT_PAYLOAD_BYTES_MAX) {
        invoke_checked(call, n == 0 || n > EVENT_PAYLOAD_BYTES_MAX || json_check(call->payload, call->arena) == ERR_OK);
        return;
    }
    struct payload_check *check = arena_new_of(call->arena, struct payload_check);
    *check =
        (struct payload_check){.work = {.run = check_payload_on_worker, .done = payload_checked, .loop = call->loop}, .call = call};
    enum err err = workers_submit(lambda__of(call)->platform->workers, LANE_BODY, &check->work);
    if (err != ERR_OK) {
        call_fail_err(call, err);
        call_complete(call);
    }
}
