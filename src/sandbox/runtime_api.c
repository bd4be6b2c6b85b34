/* runtime_api.c -- the Lambda Runtime API of one environment: one invocation at a time, asked for by GET …/invocation/next.
 *
 * States: INIT → (GET next) WAITING → (runtime_api_send) RUNNING → (response or error) ANSWERED → (GET next) WAITING …
 * Invariant: `waiting` is set exactly in WAITING; `request_id` is the last invocation's, empty in INIT.
 * RUNNING → WAITING also when the program was started anew (hook `asked`): what it had left open is the caller's again.
 * A second GET takes the place of a waiting one (its client may have lost its connection); the old one is told so.
 * A runtime may send its answer and the next GET in one piece: the HTTP server hands them over in order.
 * An answer over the maximum is refused at its header: 413, `too_large`; it is not read, and the connection ends.
 * Not served: what extensions, telemetry and snapshots use (404, as where AWS does not offer them).
 * Sources: "Using the Lambda runtime API for custom runtimes" and its OpenAPI file; error types as AWS's open runtime
 * interface emulator gives them. */
#include "sandbox/runtime_api.h"
#include "base/codec.h"
#include "base/panic.h"
#include <stdlib.h>

#define BASE "/2018-06-01/runtime/"
#define HEADERS_MAX 8
#define REQUEST_ID_BYTES_MAX 64

enum state { INIT, WAITING, RUNNING, ANSWERED };

struct runtime_api {
    struct http_listener *listener;
    struct runtime_api_hooks hooks;
    enum state state;
    struct http_request *waiting;
    char id[REQUEST_ID_BYTES_MAX];
    struct str request_id;              /* in id */
    bool closing;
};

/* ---- answers ---- */

static void runtime_answer(struct http_request *request, int status, struct str body)
{
    http_respond_text(request, status, "application/json", body);
}

static struct str error_body(struct arena *arena, const char *type, const char *message)
{
    return arena_printf(arena, "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n", message, type);
}

static void runtime_answer_error(struct http_request *request, int status, const char *type, const char *message)
{
    runtime_answer(request, status, error_body(request->arena, type, message));
}

static void runtime_accept(struct http_request *request)
{
    runtime_answer(request, 202, STR("{\"status\":\"OK\"}\n"));
}

static void answer_closed(struct http_request *request)
{
    runtime_answer_error(request, 410, "Runtime.Closed", "The environment is shutting down");
}

static void answer_state(struct http_request *request)
{
    runtime_answer_error(request, 403, "InvalidStateTransition", "Transition from the current state of the runtime is not allowed");
}

/* ---- requests ---- */

typedef void operation(struct runtime_api *api, struct http_request *request);

static void next_invocation(struct runtime_api *api, struct http_request *request)
{
    bool anew = api->hooks.asked && api->hooks.asked(api->hooks.arg, request->peer_port);
    if (api->state == RUNNING && !anew) {
        answer_state(request);
        return;
    }
    struct http_request *before = api->waiting;
    api->waiting = request;
    if (before)
        answer_state(before);
    if (api->state == WAITING && !anew)
        return;
    api->state = WAITING;
    api->hooks.ready(api->hooks.arg);
}

static void runtime_init_error(struct runtime_api *api, struct http_request *request)
{
    if (api->state != INIT) {
        answer_state(request);
        return;
    }
    api->hooks.init_error(api->hooks.arg, http_header(request, "Lambda-Runtime-Function-Error-Type"), request->body);
    runtime_accept(request);
}

/* Is it about the invocation that runs? Answers itself when not. */
static bool of_running(struct runtime_api *api, struct http_request *request, struct str id)
{
    if (api->request_id.n == 0 || !str_eq(id, api->request_id))
        runtime_answer_error(request, 400, "InvalidRequestID", "Invalid request ID");
    else if (api->state != RUNNING)
        answer_state(request);
    else
        return true;
    return false;
}

/* A streamed answer that ended in an error says so in its trailers, the error's JSON in base64. */
static void streamed_error(struct runtime_api *api, const struct http_request *request, struct str type)
{
    struct str body = http_trailer(request, "Lambda-Runtime-Function-Error-Body");
    base64_decode(body, request->arena, &body);         /* else as it is */
    api->hooks.error(api->hooks.arg, api->request_id, type, body);
}

static void runtime_response(struct runtime_api *api, struct http_request *request, struct str id)
{
    struct str mode = http_header(request, "Lambda-Runtime-Function-Response-Mode");
    struct str error_type = http_trailer(request, "Lambda-Runtime-Function-Error-Type");
    if (!of_running(api, request, id))
        return;
    if (mode.n > 0 && !str_eq(mode, STR("streaming"))) {        /* a streamed answer is gathered: nobody here reads it piecewise */
        runtime_answer_error(request, 400, "InvalidResponseFunctionMode", "Invalid response function mode");
        return;
    }
    api->state = ANSWERED;
    if (error_type.n > 0)
        streamed_error(api, request, error_type);
    else
        api->hooks.response(api->hooks.arg, api->request_id, request->body);
    runtime_accept(request);                 /* last: it may free the request */
}

static void runtime_error(struct runtime_api *api, struct http_request *request, struct str id)
{
    if (!of_running(api, request, id))
        return;
    api->state = ANSWERED;
    api->hooks.error(api->hooks.arg, api->request_id, http_header(request, "Lambda-Runtime-Function-Error-Type"), request->body);
    runtime_accept(request);
}

static const struct {
    struct str path, method;
    operation *run;
} fixed[] = {
    {{BASE "invocation/next", sizeof BASE "invocation/next" - 1}, {"GET", 3}, next_invocation},
    {{BASE "init/error", sizeof BASE "init/error" - 1}, {"POST", 4}, runtime_init_error},
};
static const struct {
    struct str name;
    void (*run)(struct runtime_api *api, struct http_request *request, struct str id);
} of_invocation[] = {
    {{"response", 8}, runtime_response},
    {{"error", 5}, runtime_error},
};

/* /2018-06-01/runtime/invocation/ID/NAME; false: something else. */
static bool split_path(struct str path, struct str *ret_id, struct str *ret_name)
{
    if (!str_starts(path, STR(BASE "invocation/")))
        return false;
    struct str rest = str_slice(path, sizeof BASE "invocation/" - 1, path.n);
    *ret_id = str_cut(&rest, '/');
    *ret_name = rest;
    return ret_id->n > 0 && rest.n > 0;
}

static void runtime_handle(struct http_request *request, void *arg)
{
    struct runtime_api *api = arg;
    struct str id, name;
    if (api->closing) {
        answer_closed(request);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(fixed); i++)
        if (str_eq(request->path, fixed[i].path)) {
            if (str_eq(request->method, fixed[i].method))
                fixed[i].run(api, request);
            else
                http_respond_text(request, 405, "text/plain", STR("method not allowed\n"));
            return;
        }
    if (split_path(request->path, &id, &name))
        for (size_t i = 0; i < COUNT_OF(of_invocation); i++)
            if (str_eq(name, of_invocation[i].name)) {
                if (str_eq(request->method, STR("POST")))
                    of_invocation[i].run(api, request, id);
                else
                    http_respond_text(request, 405, "text/plain", STR("method not allowed\n"));
                return;
            }
    http_respond_text(request, 404, "text/plain", STR("404 page not found\n"));
}

/* What the HTTP server refuses by itself. Only an answer over the maximum means something for the invocation. */
static void runtime_refuse(const struct http_request *request, int status, struct arena *arena, struct http_response *ret,
                           void *arg)
{
    struct runtime_api *api = arg;
    struct str id, name;
    static struct http_header type = {{"Content-Type", 12}, {"application/json", 16}};
    ret->headers = &type, ret->header_count = 1;
    if (status != 413) {
        ret->body = error_body(arena, "InvalidRequest", http_status_text(status));
        return;
    }
    ret->body = arena_printf(
        arena, "{\"errorMessage\":\"Exceeded maximum allowed payload size (%d bytes).\",\"errorType\":\"RequestEntityTooLarge\"}\n",
        RUNTIME_RESPONSE_BYTES_MAX);
    if (api->closing || api->state != RUNNING || !split_path(request->path, &id, &name) || !str_eq(id, api->request_id))
        return;
    uint64_t bytes = 0;
    if (!str_to_u64(http_header(request, "Content-Length"), &bytes))
        bytes = RUNTIME_RESPONSE_BYTES_MAX + 1;                 /* chunked: it was cut off there */
    api->state = ANSWERED;
    api->hooks.too_large(api->hooks.arg, api->request_id, (size_t)bytes);
}

/* ---- an invocation ---- */

/* A header's value is one line; where the caller's JSON was written over several, a space does as well. */
static struct str one_line(struct arena *arena, struct str text)
{
    struct str copy = arena_dup(arena, text);
    char *p = (char *)(uintptr_t)copy.p;
    for (size_t i = 0; i < copy.n; i++)
        if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
            p[i] = ' ';
    return copy;
}

enum err runtime_api_send(struct runtime_api *api, const struct runtime_event *event)
{
    if (api->state != WAITING)
        return ERR_BUSY;
    if (event->request_id.n == 0 || event->request_id.n > sizeof api->id)
        return ERR_INVALID;
    struct http_request *request = api->waiting;
    struct arena *arena = request->arena;
    const struct { struct str name, value; } given[] = {
        {STR("Content-Type"), STR("application/json")},
        {STR("Lambda-Runtime-Aws-Request-Id"), event->request_id},
        {STR("Lambda-Runtime-Deadline-Ms"), arena_printf(arena, "%lld", (long long)event->deadline_ms)},
        {STR("Lambda-Runtime-Invoked-Function-Arn"), event->function_arn},
        {STR("Lambda-Runtime-Trace-Id"), event->trace_id},
        {STR("Lambda-Runtime-Client-Context"), event->client_context},
        {STR("Lambda-Runtime-Cognito-Identity"), event->cognito_identity},
    };
    struct http_header headers[HEADERS_MAX];
    struct http_response answer = {.status = 200, .headers = headers};
    _Static_assert(COUNT_OF(given) <= HEADERS_MAX, "");
    for (size_t i = 0; i < COUNT_OF(given); i++)
        if (given[i].value.n > 0)
            headers[answer.header_count++] = (struct http_header){given[i].name, one_line(arena, given[i].value)};
    answer.body = arena_dup(arena, event->payload);             /* the invocation may end before the last byte is written */
    memcpy(api->id, event->request_id.p, event->request_id.n);
    api->request_id = (struct str){api->id, event->request_id.n};
    api->state = RUNNING;
    api->waiting = NULL;
    http_respond(request, &answer);                             /* a connection that is gone drops it: the runtime is dying */
    return ERR_OK;
}

/* ---- life ---- */

static void runtime_closed(void *arg)
{
    struct runtime_api *api = arg;
    struct runtime_api_hooks hooks = api->hooks;
    free(api);
    hooks.closed(hooks.arg);
}

enum err runtime_api_open(struct http_server *server, struct loop *loop, int listener_fd, const struct runtime_api_hooks *hooks,
                          struct runtime_api **ret)
{
    struct runtime_api *api = mem_zalloc(sizeof *api);
    api->hooks = *hooks;
    struct http_listener_options options = {
        .fd = listener_fd, .only = loop, .handler = runtime_handle, .arg = api, .body_max = RUNTIME_RESPONSE_BYTES_MAX,
        .refuse = runtime_refuse, .trusted_peer_idle = true, .closed = runtime_closed,
    };
    *ret = api;
    api->listener = http_listen(server, &options);
    return ERR_OK;
}

void runtime_api_dismiss(struct runtime_api *api)
{
    struct http_request *request = api->waiting;
    if (!request)
        return;
    api->waiting = NULL;
    api->state = ANSWERED;
    answer_closed(request);
}

void runtime_api_close(struct runtime_api *api)
{
    ENSURE(!api->closing);
    api->closing = true;
    runtime_api_dismiss(api);
    http_listener_close(api->listener);
}
