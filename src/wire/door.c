/* door.c -- HTTP's door: from a request to a call, and from its end to the answer.
 *
 * Which API: the signing name of the request's scope, if it has one, says the service; several APIs may share it (apigateway
 * and apigatewayv2, a table service and its streams). Among them, and for a request without a scope, the target, the path or
 * the version decide.
 * A request with a large body is read on a worker: hashing, parsing and checking it take up to 70 ns a byte. */
#include "wire/door.h"
#include "auth/auth.h"
#include "base/codec.h"
#include "base/panic.h"
#include "net/limits.h"
#include "wire/event_output.h"
#include "wire/request_body.h"
#include "wire/wire.h"
#include <assert.h>
#include <stdlib.h>

#define DOOR_INLINE_MAX (64u << 10)     /* of a request that is read on the loop: under 5 ms */

struct door {
    struct calls *calls;
    const struct service_binding *bindings;
    bool *shared;                       /* of each: another one has its signing name */
};

struct door *door_new(struct calls *calls, const struct service_binding *bindings)
{
    struct door *door = mem_zalloc(sizeof *door);
    door->calls = calls;
    door->bindings = bindings;
    size_t count = 0;
    while (bindings[count].api)
        count++;
    door->shared = mem_zalloc((count + 1) * sizeof *door->shared);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (i != j && strcmp(bindings[i].api->model->signing_name, bindings[j].api->model->signing_name) == 0)
                door->shared[i] = true;
        }
    }
    return door;
}

void door_free(struct door *door)
{
    if (!door)
        return;
    free(door->shared);
    free(door);
}

/* ---- whose request is it ---- */

/* A part of a credential, counted from 0: AKIA…/20260131/us-east-1/dynamodb/aws4_request; in a query string "/" is %2F. */
static struct str credential_part(struct str credential, struct str separator, int wanted)
{
    for (int part = 0; credential.n; part++) {
        const char *at = separator.n == 1 ? memchr(credential.p, separator.p[0], credential.n)
                                          : memmem(credential.p, credential.n, separator.p, separator.n);
        size_t n = at ? (size_t)(at - credential.p) : credential.n;
        if (part == wanted)
            return str_slice(credential, 0, n);
        credential = str_slice(credential, n + separator.n, credential.n);
    }
    return STR_NONE;
}

/* From `from` up to the first `end`. */
static struct str value_at(struct str text, size_t from, char end)
{
    struct str value = str_slice(text, from, text.n);
    return str_slice(value, 0, str_find(value, end));
}

/* What follows `name` in text, up to the first `end`. */
static struct str value_after(struct str text, struct str name, char end)
{
    const char *at = text.n ? memmem(text.p, text.n, name.p, name.n) : NULL;
    return at ? value_at(text, (size_t)(at - text.p) + name.n, end) : STR_NONE;
}

/* The credential of SigV4A names no region. */
static struct str scope_service(const struct http_request *request)
{
    struct str header = http_header(request, "authorization");
    struct str usual = STR("AWS4-HMAC-SHA256 Credential=");
    struct str credential =
        str_starts(header, usual) ? value_at(header, usual.n, ',') : value_after(header, STR("Credential="), ',');
    if (credential.n)
        return credential_part(credential, STR("/"), str_starts(header, STR("AWS4-ECDSA-")) ? 2 : 3);
    credential = value_after(request->query, STR("X-Amz-Credential="), '&');
    bool plain = credential.n && memchr(credential.p, '/', credential.n);
    bool ecdsa = value_after(request->query, STR("X-Amz-Algorithm=AWS4-ECDSA-"), '&').n > 0;
    return credential_part(credential, plain ? STR("/") : STR("%2F"), ecdsa ? 2 : 3);
}

const struct service_binding *door_find(const struct door *door, const struct http_request *request)
{
    const struct service_binding *first = NULL;
    struct str scope = scope_service(request);
    for (size_t i = 0; door->bindings[i].api; i++) {
        const struct service_binding *of = &door->bindings[i];
        if (scope.n && !str_eq(scope, str_of(of->api->model->signing_name)))
            continue;
        if ((scope.n && !door->shared[i]) || wire_owns(of->api->model, request))
            return of;
        if (scope.n && !first)
            first = of;
    }
    return first;
}

bool door_owns(const struct service_binding *of, const struct http_request *request)
{
    return wire_owns(of->api->model, request);
}

/* ---- a call that came by HTTP ---- */

static bool door_find_operation(struct call *call)
{
    return wire_exchange(call)->protocol->find(call);
}

/* ---- bodies that are not gathered ---- */

static bool is_hash(struct str text)
{
    uint8_t digest[SHA256_BYTES];
    return text.n == 2 * SHA256_BYTES && hex_decode(text, digest);
}

/* The body is on its way and cannot be hashed before the answer to who calls: what the request says of it is signed, and
 * checked as it passes (payload.c). */
static bool is_streamed(const struct call *call)
{
    return call->row && call->row->streams && !wire_http(call)->body.n;
}

/* What the body has to be: what the signature says of it, or the request itself where nobody signs. A signed request that says
 * nothing of its body, or nothing that counts there, has signed the one that it came with, so one on its way has to be empty. */
static void note_payload(struct wire_exchange *exchange)
{
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const struct sigv4 *signature = exchange->signature;
    struct str declared = signature ? signature->payload : http_header(exchange->request, "x-amz-content-sha256");
    exchange->chain = signature ? signature->chain : NULL;
    if (sigv4_payload(declared) != SIGV4_PAYLOAD_HASHED)
        exchange->payload = declared;
    else
        exchange->sha256_hex = declared.n || !signature || exchange->request->body.n ? declared : STR(empty);
}

/* ---- who calls ---- */

/* How the request has to be signed, by the model of what is called. */
static struct sigv4_rules door_rules(const struct call *call)
{
    const struct model *m = call->api->model;
    bool unsigned_body = call->operation && (call->operation->flags & MODEL_OP_UNSIGNED_BODY);
    return (struct sigv4_rules){.service = m->signing_name,
                                .s3 = m->signs_as_s3,
                                .skew_minutes = call->api->skew_minutes,
                                .body_unsigned = unsigned_body,
                                .body_later = is_streamed(call)};
}

static bool let_in_anonymous(struct call *call)
{
    if (!call->row || call->row->caller != CALLER_SIGNED_OR_ANONYMOUS)
        return false;
    call->caller = auth_anonymous(wire_http(call), call->arena);
    call->caller->region = call->region;
    return true;
}

/* What may be wrong with the client's key, for the one who runs the server. */
static struct str signature_remark(const struct call *call, enum fault fault, const struct sigv4 *signature)
{
    static const char env[] = "`cloudless env` gives a shell this server's";
    struct str id = signature->access_key_id;
    if (fault == FAULT_MISSING_TOKEN)
        return arena_printf(call->arena, "it is not signed; %s", env);
    if (fault == FAULT_UNKNOWN_KEY)
        return arena_printf(call->arena, "there is no key " STR_FMT ", or it is inactive; %s", STR_ARG(id), env);
    if (fault == FAULT_BAD_SESSION_TOKEN || fault == FAULT_EXPIRED_TOKEN)
        return arena_printf(call->arena, "of the key " STR_FMT "; %s and unsets AWS_SESSION_TOKEN", STR_ARG(id), env);
    if (fault == FAULT_SIGNATURE_MISMATCH)
        return arena_printf(call->arena, "signed with another secret than that of " STR_FMT ", or changed on its way; %s",
                            STR_ARG(id), env);
    if (fault == FAULT_SIGNATURE_EXPIRED)
        return STR("the clock of the client is another than the server's");
    return STR_NONE;
}

static bool door_authenticate(struct call *call)
{
    static_assert((int)FAULT_INTERNAL == (int)AUTH_INTERNAL, "the first faults are those of enum auth_failure");
    const struct http_request *request = wire_http(call);
    const struct sigv4_rules rules = door_rules(call);
    struct sigv4 *signature = arena_alloc(call->arena, sizeof *signature);
    struct str message = STR_NONE;
    enum sigv4_status status = sigv4_parse(request, &rules, call->arena, signature);
    if (status == SIGV4_MISSING && let_in_anonymous(call))
        return true;
    enum fault fault = (enum fault)auth_failure_of(status);
    if (fault == FAULT_NONE)
        fault = (enum fault)auth_authenticate(calls_auth(call_calls(call)), request, signature, call->arena, &call->caller,
                                              &call->region, &message);
    else
        message = signature->message;
    if (fault == FAULT_NONE) {
        call->account = call->caller->account;
        wire_exchange(call)->signature = signature;
        arena_known(call->arena);
        return true;
    }
    call_fault(call, fault, message);
    call->remark = signature_remark(call, fault, signature);
    return false;
}

static void door_read(struct call *call)
{
    note_payload(wire_exchange(call));
    if (!call->row->streams && request_body_encoded(call) && !request_body_open(call))
        return;
    wire_exchange(call)->protocol->read(call);
    if (!call->failed && call->row->streams)
        request_body_stream(call);
}

static struct str door_header(const struct call *call, const char *name)
{
    return http_header(wire_http(call), name);
}

static void door_ended(struct call *call)
{
    wire_answer(call, &wire_exchange(call)->response);
}

static void door_done(struct call *call)
{
    call_about(call, &wire_exchange(call)->request->about);
    http_respond(wire_exchange(call)->request, &wire_exchange(call)->response);
}

static struct body_writer *door_stream(struct call *call, uint64_t length, struct body_producer *producer)
{
    struct wire_exchange *exchange = wire_exchange(call);
    call_about(call, &exchange->request->about);
    wire_answer(call, &exchange->response);
    return http_stream(exchange->request, &exchange->response, length, producer);
}

static const struct call_door http_door = {
    .find = door_find_operation,
    .authenticate = door_authenticate,
    .read = door_read,
    .header = door_header,
    .stream = door_stream,
    .event = events_write,
    .ended = door_ended,
    .done = door_done,
};

static struct call *door_call(struct door *door, const struct service_binding *of, struct http_request *request)
{
    struct wire_exchange *exchange = arena_new_of(request->arena, struct wire_exchange);
    exchange->request = request;
    exchange->body = request->body;
    exchange->protocol = wire_protocol_of(of->api, request);
    return call_new(door->calls, of, request->arena, request->loop, &http_door, exchange);
}

/* A streamed body has to say what it is before it comes: by its hash, or as one that need not be hashed. One that says nothing
 * where S3's way is signed comes by a presigned URL, or from nobody in particular. */
struct http_body_plan door_body_plan(struct door *door, const struct http_request *headers_only)
{
    const struct service_binding *of = door_find(door, headers_only);
    if (!of)
        return (struct http_body_plan){.max = NET_BODY_UNKNOWN_MAX};
    if (!of->api->streams)
        return (struct http_body_plan){.max = of->api->body_max};
    struct http_request copy = *headers_only;
    struct call *call = door_call(door, of, &copy);
    const struct row *row = door_find_operation(call) ? call_row(call) : NULL;
    struct str declared = http_header(headers_only, "x-amz-content-sha256");
    bool told =
        is_hash(declared) || sigv4_payload(declared) != SIGV4_PAYLOAD_HASHED || (!declared.n && of->api->model->signs_as_s3);
    bool stream = row && row->streams && told;
    return (struct http_body_plan){.max = stream ? NET_BODY_STREAM_MAX : of->api->body_max, .stream = stream};
}

void door_handle(struct door *door, const struct service_binding *of, struct http_request *request)
{
    call_begin(door_call(door, of, request), request->body.n > DOOR_INLINE_MAX);
}

bool door_refuse(struct door *door, const struct http_request *request, int status, struct arena *arena, struct http_response *ret)
{
    const struct service_binding *of = door_find(door, request);
    if (!of || status != 413)
        return false;
    struct http_request copy = *request;
    copy.arena = arena;
    struct call *call = door_call(door, of, &copy);
    call_fault(call, FAULT_TOO_LARGE, STR_NONE);
    wire_answer(call, ret);
    return true;
}
