/* runtime_api.c -- the Lambda Runtime API of one environment: one invocation at a time, asked for by GET …/invocation/next.
 *
 * States: INIT → (GET next) WAITING → (runtime_api_send) RUNNING → (response or error) ANSWERED → (GET next) WAITING …
 * Invariant: `waiting` is set exactly in WAITING; `request_id` is the last invocation's, empty in INIT.
 * RUNNING → WAITING also when the program was started anew (hook `asked`): what it had left open is the caller's again.
 * A second GET takes the place of a waiting one (its client may have lost its connection); the old one is told so.
 * A runtime may send its answer and the next GET in one piece: the HTTP server hands them over in order.
 * An answer over the maximum is refused at its header: 413, `too_large`; it is not read, and the connection ends. So is, but for
 * small ones, a body that nobody wants: of an unknown path or method, of an invocation that does not run, of a wrong mode.
 * Times: as on any listener, but that a connection waits between requests as long as a handler may run, and a streamed answer comes
 * as the function makes it: its environment ends at the deadline.
 * Not served: what extensions, telemetry and snapshots use (404, as where AWS does not offer them).
 * Sources: "Using the Lambda runtime API for custom runtimes" and its OpenAPI file; error types as AWS's open runtime
 * interface emulator gives them. */
#include "sandbox/runtime_api.h"
#include "base/codec.h"
#include "base/panic.h"
#include "net/limits.h"
#include <stdlib.h>

#define BASE "/2018-06-01/runtime/"
#define HEADERS_MAX 8
#define BODY_UNASKED 4096 /* gathered whatever it is for: its connection goes on when it is refused */
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

/* Why a request is refused, whatever its body says. */
struct refusal {
    int status;
    const char *type, *message; /* NULL: `text` is all of it */
    struct str text;
};
static const struct refusal no_such_path = {.status = 404, .text = {"404 page not found\n", 19}};
static const struct refusal no_such_method = {.status = 405, .text = {"method not allowed\n", 19}};
static const struct refusal closed = {.status = 410, .type = "Runtime.Closed", .message = "The environment is shutting down"};
static const struct refusal wrong_id = {.status = 400, .type = "InvalidRequestID", .message = "Invalid request ID"};
static const struct refusal wrong_mode = {
    .status = 400, .type = "InvalidResponseFunctionMode", .message = "Invalid response function mode"};
static const struct refusal wrong_state = {
    .status = 403, .type = "InvalidStateTransition", .message = "Transition from the current state of the runtime is not allowed"};

static void runtime_answer_refusal(struct http_request *request, const struct refusal *refusal)
{
    if (refusal->type)
        runtime_answer_error(request, refusal->status, refusal->type, refusal->message);
    else
        http_respond_text(request, refusal->status, "text/plain", refusal->text);
}

/* ---- requests ---- */

typedef void operation(struct runtime_api *api, struct http_request *request);

static void next_invocation(struct runtime_api *api, struct http_request *request)
{
    bool anew = api->hooks.asked && api->hooks.asked(api->hooks.arg, request->peer_port);
    if (api->state == RUNNING && !anew) {
        runtime_answer_refusal(request, &wrong_state);
        return;
    }
    struct http_request *before = api->waiting;
    api->waiting = request;
    if (before)
        runtime_answer_refusal(before, &wrong_state);
    if (api->state == WAITING && !anew)
        return;
    api->state = WAITING;
    api->hooks.ready(api->hooks.arg);
}

static void runtime_init_error(struct runtime_api *api, struct http_request *request)
{
    api->hooks.init_error(api->hooks.arg, http_header(request, "Lambda-Runtime-Function-Error-Type"), request->body);
    runtime_accept(request);
}

static bool comes_in_pieces(const struct http_request *request)
{
    return str_eq(http_header(request, "Lambda-Runtime-Function-Response-Mode"), STR("streaming"));
}

/* Is it about the invocation that runs? */
static const struct refusal *unless_running(const struct runtime_api *api, struct str id)
{
    if (api->request_id.n == 0 || !str_eq(id, api->request_id))
        return &wrong_id;
    return api->state == RUNNING ? NULL : &wrong_state;
}

static const struct refusal *check_next(const struct runtime_api *api, const struct http_request *request, struct str id)
{
    (void)api, (void)request, (void)id;
    return NULL; /* `asked` may change it */
}

static const struct refusal *check_init_error(const struct runtime_api *api, const struct http_request *request, struct str id)
{
    (void)request, (void)id;
    return api->state == INIT ? NULL : &wrong_state;
}

static const struct refusal *check_response(const struct runtime_api *api, const struct http_request *request, struct str id)
{
    const struct refusal *refusal = unless_running(api, id);
    bool has_mode = http_header(request, "Lambda-Runtime-Function-Response-Mode").n > 0;
    return refusal || !has_mode || comes_in_pieces(request) ? refusal : &wrong_mode; /* streamed: it is gathered all the same */
}

static const struct refusal *check_error(const struct runtime_api *api, const struct http_request *request, struct str id)
{
    (void)request;
    return unless_running(api, id);
}

/* A streamed answer that ended in an error says so in its trailers, the error's JSON in base64. */
static void streamed_error(struct runtime_api *api, const struct http_request *request, struct str type)
{
    struct str body = http_trailer(request, "Lambda-Runtime-Function-Error-Body");
    base64_decode(body, request->arena, &body);         /* else as it is */
    api->hooks.error(api->hooks.arg, api->request_id, type, body);
}

static void runtime_response(struct runtime_api *api, struct http_request *request)
{
    struct str error_type = http_trailer(request, "Lambda-Runtime-Function-Error-Type");
    api->state = ANSWERED;
    if (error_type.n > 0)
        streamed_error(api, request, error_type);
    else
        api->hooks.response(api->hooks.arg, api->request_id, request->body);
    runtime_accept(request);                 /* last: it may free the request */
}

static void runtime_error(struct runtime_api *api, struct http_request *request)
{
    api->state = ANSWERED;
    api->hooks.error(api->hooks.arg, api->request_id, http_header(request, "Lambda-Runtime-Function-Error-Type"), request->body);
    runtime_accept(request);
}

/* Behind "/2018-06-01/runtime/"; with an id in it between `path` and `behind_id`. */
static const struct runtime_operation {
    struct str method, path, behind_id;
    const struct refusal *(*check)(const struct runtime_api *api, const struct http_request *request, struct str id);
    operation *run;
} operations[] = {
    {{"GET", 3}, {"invocation/next", 15}, {NULL, 0}, check_next, next_invocation},
    {{"POST", 4}, {"init/error", 10}, {NULL, 0}, check_init_error, runtime_init_error},
    {{"POST", 4}, {"invocation/", 11}, {"/response", 9}, check_response, runtime_response},
    {{"POST", 4}, {"invocation/", 11}, {"/error", 6}, check_error, runtime_error},
};

/* Is it at that path? *ret_id: its id, or nothing. */
static bool is_at(const struct runtime_operation *at, struct str path, struct str *ret_id)
{
    *ret_id = STR_NONE;
    if (!at->behind_id.n)
        return str_eq(path, at->path);
    if (!str_starts(path, at->path))
        return false;
    struct str rest = str_slice(path, at->path.n, path.n);
    *ret_id = str_slice(rest, 0, str_find(rest, '/'));
    return ret_id->n > 0 && str_eq(str_slice(rest, ret_id->n, rest.n), at->behind_id);
}

/* NULL with *ret: a request that is taken with its body. */
static const struct refusal *find_operation(const struct runtime_api *api, const struct http_request *request,
                                            const struct runtime_operation **ret)
{
    struct str id, path = request->path;
    if (api->closing)
        return &closed;
    if (!str_starts(path, STR(BASE)))
        return &no_such_path;
    path = str_slice(path, sizeof BASE - 1, path.n);
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        if (is_at(&operations[i], path, &id)) {
            *ret = &operations[i];
            return str_eq(request->method, operations[i].method) ? operations[i].check(api, request, id) : &no_such_method;
        }
    return &no_such_path;
}

static void runtime_handle(struct http_request *request, void *arg)
{
    struct runtime_api *api = arg;
    const struct runtime_operation *found;
    const struct refusal *refusal = find_operation(api, request, &found);
    if (refusal)
        runtime_answer_refusal(request, refusal);
    else
        found->run(api, request);
}

/* What is refused whatever its body says is handed over, and answered, before that is read. */
static struct http_body_plan runtime_plan(const struct http_request *request, void *arg)
{
    const struct runtime_operation *found;
    if (find_operation(arg, request, &found))
        return (struct http_body_plan){.max = NET_BODY_STREAM_MAX, .stream = true};
    return (struct http_body_plan){.max = RUNTIME_RESPONSE_BYTES_MAX, .patient = comes_in_pieces(request)};
}

/* What the HTTP server refuses by itself. Only an answer over the maximum means something for the invocation. */
static void runtime_refuse(const struct http_request *request, int status, struct arena *arena, struct http_response *ret,
                           void *arg)
{
    struct runtime_api *api = arg;
    const struct runtime_operation *found;
    static struct http_header type = {{"Content-Type", 12}, {"application/json", 16}};
    ret->headers = &type, ret->header_count = 1;
    if (status != 413) {
        ret->body = error_body(arena, "InvalidRequest", http_status_text(status));
        return;
    }
    ret->body = arena_printf(
        arena, "{\"errorMessage\":\"Exceeded maximum allowed payload size (%d bytes).\",\"errorType\":\"RequestEntityTooLarge\"}\n",
        RUNTIME_RESPONSE_BYTES_MAX);
    if (find_operation(api, request, &found) || !found->behind_id.n)
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

enum err runtime_api_open(struct http_server *server, struct loop *loop, int listener_fd, struct http_tenant *tenant,
                          const struct runtime_api_hooks *hooks, struct runtime_api **ret)
{
    struct runtime_api *api = mem_zalloc(sizeof *api);
    api->hooks = *hooks;
    struct http_listener_options options = {
        .fd = listener_fd,
        .only = loop,
        .handler = runtime_handle,
        .arg = api,
        .body_max = RUNTIME_RESPONSE_BYTES_MAX,
        .body_plan = runtime_plan,
        .body_unasked = BODY_UNASKED,
        .refuse = runtime_refuse,
        .idle_ms = RUNTIME_IDLE_MS,
        .tenant = tenant,
        .closed = runtime_closed,
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
    runtime_answer_refusal(request, &closed);
}

void runtime_api_close(struct runtime_api *api)
{
    ENSURE(!api->closing);
    api->closing = true;
    runtime_api_dismiss(api);
    http_listener_close(api->listener);
}
