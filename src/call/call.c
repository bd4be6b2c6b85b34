/* call.c -- what handlers say about a call: failures, refusals, needs, ARNs.
 *
 * A failure's HTTP status comes from the service's table of faults, else from its model, else from the list of AWS's
 * common errors below. A code in none of them is a programmer's error. The first failure wins. */
#include "call/dispatch.h"
#include "base/arn.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/panic.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_BYTES_MAX (256u << 10)      /* of an error message */

/* Codes that a handler may use although its service's model has no shape for them. Source: "Common errors" pages. */
static const struct service_error common_errors[] = {
    {"AccessDenied", 403, NULL},
    {"AccessDeniedException", 403, NULL},
    {"BadDigest", 400, NULL},
    {"IncompleteBody", 400, NULL},
    {"InternalFailure", 500, NULL},
    {"InvalidDigest", 400, NULL},
    {"InvalidParameterCombination", 400, NULL},
    {"InvalidParameterValue", 400, NULL},
    {"InvalidRequest", 400, NULL},
    {"MalformedTrailerError", 400, NULL},
    {"MissingContentLength", 411, NULL},
    {"MissingParameter", 400, NULL},
    {"NotImplemented", 501, NULL},
    {"RequestTimeout", 400, NULL},
    {"ServiceUnavailable", 503, NULL},
    {"ThrottlingException", 400, NULL},
    {"ValidationError", 400, NULL},
    {"ValidationException", 400, NULL},
};

/* ---- failing ---- */

static const struct service_error *find_code(const struct service_error *rows, size_t count, const char *code)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].code && strcmp(rows[i].code, code) == 0)
            return &rows[i];
    }
    return NULL;
}

const struct model_shape *call_error_shape(const struct call *call)
{
    return model_error_find(call->api->model, str_of(call->error_code));
}

static int error_status_of(const struct call *call, const char *code)
{
    const struct service_error *row = find_code(call->api->errors->faults, FAULT_COUNT, code);
    if (row)
        return row->status;
    const struct model_shape *shape = model_error_find(call->api->model, str_of(code));
    if (shape)
        return shape->http_status ? shape->http_status : shape->flags & MODEL_SHAPE_FAULT ? 500 : 400;
    row = find_code(common_errors, COUNT_OF(common_errors), code);
    return row ? row->status : 0;
}

/* What an error shape calls its text: "message" mostly, "Message" in some. */
struct str call_error_message_member(const struct call *call)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = call_error_shape(call);
    const struct service_error *faults = call->api->errors->faults;
    if (!shape) {
        bool capital = strcmp(call->error_code, faults[FAULT_DENIED].code) == 0 ||
                       strcmp(call->error_code, faults[FAULT_SERIALIZATION].code) == 0;
        return capital ? STR("Message") : STR("message");
    }
    for (size_t i = 0; i < shape->member_count; i++) {
        struct str wire = model_member_wire(m, &m->members[shape->members + i]);
        if (str_eq_nocase(wire, STR("message")))
            return wire;
    }
    return STR("message");
}

static void fail_with(struct call *call, const char *code, int status, struct str message)
{
    call->failed = true;
    call->error_code = code;
    call->error_status = status;
    call->error_message = message;
    call->output = NULL;
    call->has_output_payload = false;
}

void call_fail(struct call *call, const char *code, const char *format, ...)
{
    if (call->failed)
        return;
    int status = error_status_of(call, code);
    ENSURE(status != 0);
    va_list args;
    va_start(args, format);
    struct str message = arena_vprintf(call->arena, format, args);
    va_end(args);
    fail_with(call, code, status, str_slice(message, 0, MESSAGE_BYTES_MAX));
}

void call_fault(struct call *call, enum fault fault, struct str message)
{
    if (call->failed)
        return;
    const struct service_error *row = &call->api->errors->faults[fault];
    ENSURE(row->code != NULL);
    fail_with(call, row->code, row->status, message.p ? message : str_of(row->message));
}

void call_fail_not_implemented(struct call *call, const char *what)
{
    const struct model *m = call->api->model;
    const char *operation = call->operation ? model_text(m, call->operation->name) : "";
    call_fault(call, FAULT_NOT_IMPLEMENTED,
              arena_printf(call->arena, "Cloudless does not implement %s%s%s:%s.", what, what[0] ? " of " : "", m->service,
                           operation));
}

/* An overload brings ERR_BUSY with each request: it must not fill the log. Metrics count its answers one by one. */
static void log_failed_call(const struct call *call, enum err err)
{
    static const char event[] = "api.failed";
    uint64_t times = 1;
    if (err == ERR_BUSY && !log_due(event, &times))
        return;
    log_to(err == ERR_BUSY ? LOG_WARN : LOG_ERROR, event, {"service", str_of(call->api->model->service)},
           {"operation", call->operation ? str_of(model_text(call->api->model, call->operation->name)) : STR_NONE},
           {"request_id", call->request_id}, {"error", str_of(err_text(err))},
           {"times", arena_printf(call->arena, "%" PRIu64, times)});
}

void call_fail_err(struct call *call, enum err err)
{
    if (call->failed)
        return;
    if (err == ERR_TOO_LARGE && arena_over(call->arena) != ERR_OK)
        err = ERR_BUSY;     /* a text that did not grow for want of memory */
    log_failed_call(call, err);
    call_fault(call, err == ERR_BUSY || err == ERR_CLOSED ? FAULT_BUSY : FAULT_INTERNAL, STR_NONE);
}

void call_forget_answer(struct call *call)
{
    call->failed = false;
    call->error_fields = NULL;
    call->output = NULL;
    call->output_payload = STR_NONE;
    call->has_output_payload = false;
    call->header_count = 0;
    call->status = 0;
}

void call_fail_body(struct call *call, enum body_end how)
{
    if (how == BODY_DAMAGED)
        call_fail(call, call->body_code, STR_FMT, STR_ARG(call->body_message));
    else if (how == BODY_STALLED)
        call_fail(call, "RequestTimeout",
                  "Your socket connection to the server was not read from or written to within the timeout period.");
    else
        call_fault(call, how == BODY_TOO_LARGE ? FAULT_TOO_LARGE : FAULT_SERIALIZATION, STR_NONE);
}

bool call_refuse_members(struct call *call, const char *const *names)
{
    for (; *names; names++) {
        if (!json_at(call->input, *names))
            continue;
        call_fail_not_implemented(call, arena_printf(call->arena, "the parameter %s", *names).p);
        return false;
    }
    return true;
}

/* ---- names and headers ---- */

static uint64_t call_draw(struct call *call)
{
    uint8_t number[8];
    put_u64(number, call->drawn++);
    return siphash24(call->seed, (struct str){(const char *)number, sizeof number});
}

struct str call_random_chars(struct call *call, const char *alphabet, size_t n)
{
    size_t size = strlen(alphabet);
    ENSURE(size > 0 && size <= 256);
    unsigned fair = 256 - 256 % (unsigned)size;     /* bytes from here on would favour the first letters */
    char *text = arena_alloc(call->arena, n + 1);
    for (size_t at = 0; at < n;) {
        uint64_t bits = call_draw(call);
        for (unsigned i = 0; i < 8 && at < n; i++, bits >>= 8)
            if ((bits & 0xff) < fair)
                text[at++] = alphabet[(bits & 0xff) % size];
    }
    text[n] = '\0';
    return (struct str){text, n};
}

struct str call_uuid(struct call *call)
{
    struct str hex = call_random_chars(call, "0123456789abcdef", 30), variant = call_random_chars(call, "89ab", 1);
    const char *p = hex.p;
    return arena_printf(call->arena, "%.8s-%.4s-4%.3s-%.1s%.3s-%.12s", p, p + 8, p + 12, variant.p, p + 15, p + 18);
}

struct str call_arn(struct call *call, const char *service, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct str arn =
        arn_vmake(call->arena, service, call->api->global ? STR_NONE : call->region, call->account, format, args);
    va_end(args);
    return arn;
}

bool call_event(struct call *call, const struct json *event, struct buf *ret)
{
    return call->door->event && call->door->event(call, event, ret);
}

struct str call_request_header(const struct call *call, const char *name)
{
    return call->door->header ? call->door->header(call, name) : STR_NONE;
}

void call_header(struct call *call, const char *name, struct str value)
{
    struct http_header *grown = arena_array(call->arena, struct http_header, call->header_count + 1);
    if (call->header_count)
        memcpy(grown, call->headers, call->header_count * sizeof *grown);
    grown[call->header_count++] = (struct http_header){str_of(name), value};
    call->headers = grown;
}

/* What is not found may be in another region than the one that the client has signed for. */
static struct str region_remark(const struct call *call)
{
    static const char *const absent[] = {"ResourceNotFoundException", "NotFoundException", "TableNotFoundException"};
    struct str own = calls_default_region(call_calls(call));
    for (size_t i = 0; i < COUNT_OF(absent) && call->caller; i++)
        if (strcmp(call->error_code, absent[i]) == 0)
            return str_eq(call->region, own)
                       ? arena_printf(call->arena, "looked for in " STR_FMT, STR_ARG(own))
                       : arena_printf(call->arena, "looked for in " STR_FMT ", the client's region; `cloudless env` sets " STR_FMT,
                                      STR_ARG(call->region), STR_ARG(own));
    return STR_NONE;
}

void call_about(const struct call *call, struct http_about *about)
{
    const struct model *model = call->api->model;
    about->series = call->operation ? (const void *)call->operation : call->api;
    about->service = str_of(model->service);
    if (call->operation)
        about->operation = str_of(model_text(model, call->operation->name));
    if (call->caller)
        about->principal = call->caller->arn;
    about->request_id = call->request_id;
    if (!call->failed)
        return;
    about->reason = arena_printf(call->arena, "%s: " STR_FMT, call->error_code, STR_ARG(call->error_message));
    struct str remark = call->remark.n ? call->remark : region_remark(call);
    if (remark.n)
        about->reason = arena_printf(call->arena, STR_FMT " (" STR_FMT ")", STR_ARG(about->reason), STR_ARG(remark));
}
