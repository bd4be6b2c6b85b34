/* failure.c -- the ways in which a function fails without saying so itself, in AWS's words: the payload (errorType and
 * errorMessage) and the reason that the REPORT line names. Texts of the invocation live in its arena.
 * Sources: Lambda developer guide, "Troubleshoot invocation issues" and "execution environment lifecycle"; the error types of
 * AWS's open runtime interface emulator. */
#include "services/lambda/failure.h"
#include "base/json.h"
#include "sandbox/runtime_api.h"
#include <signal.h>

static struct str failure_payload(struct arena *arena, const char *type, struct str request_id, struct str reason)
{
    struct json *body = json_new(arena, JSON_OBJECT);
    json_add_str(arena, body, "errorType", str_of(type));
    json_add_str(arena, body, "errorMessage",
                 arena_printf(arena, "RequestId: " STR_FMT " Error: " STR_FMT, STR_ARG(request_id), STR_ARG(reason)));
    return json_text(arena, body);
}

/* As Go's os package names them, which AWS's supervisor is written in. */
static const char *signal_name(int number)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {SIGABRT, "aborted"},
        {SIGALRM, "alarm clock"},
        {SIGBUS, "bus error"},
        {SIGFPE, "floating point exception"},
        {SIGHUP, "hangup"},
        {SIGILL, "illegal instruction"},
        {SIGINT, "interrupt"},
        {SIGKILL, "killed"},
        {SIGPIPE, "broken pipe"},
        {SIGQUIT, "quit"},
        {SIGSEGV, "segmentation fault"},
        {SIGTERM, "terminated"},
        {SIGTRAP, "trace/breakpoint trap"},
        {SIGXCPU, "CPU time limit exceeded"},
        {SIGXFSZ, "file size limit exceeded"},
        {SIGSYS, "bad system call"},
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i].number == number)
            return names[i].name;
    return NULL;
}

static struct str exit_reason(const struct sandbox_exit *exit, struct arena *arena)
{
    const char *name = signal_name(exit->signal);
    if (name)
        return arena_printf(arena, "Runtime exited with error: signal: %s", name);
    if (exit->signal)
        return arena_printf(arena, "Runtime exited with error: signal: signal %d", exit->signal);
    if (exit->status)
        return arena_printf(arena, "Runtime exited with error: exit status %d", exit->status);
    return STR("Runtime exited without providing a reason");
}

struct lambda__failure lambda__failure_exit(const struct sandbox_exit *exit, struct str request_id, struct arena *arena)
{
    const char *type = exit->out_of_memory ? "Runtime.OutOfMemory" : "Runtime.ExitError";
    struct str reason = exit_reason(exit, arena);
    return (struct lambda__failure){.payload = failure_payload(arena, type, request_id, reason), .reason = reason,
                                    .status = arena_printf(arena, "Status: error\tError Type: %s", type)};
}

struct lambda__failure lambda__failure_timeout(int64_t timeout_ms, struct str request_id, struct arena *arena)
{
    struct str reason = arena_printf(arena, "Task timed out after %.2f seconds", (double)timeout_ms / 1000);
    return (struct lambda__failure){.payload = failure_payload(arena, "Sandbox.Timedout", request_id, reason), .reason = reason,
                                    .status = STR("Status: timeout")};
}

struct lambda__failure lambda__failure_entrypoint(struct str reason, struct str request_id, struct arena *arena)
{
    return (struct lambda__failure){.payload = failure_payload(arena, "Runtime.InvalidEntrypoint", request_id, reason),
                                    .reason = reason,
                                    .status = STR("Status: error\tError Type: Runtime.InvalidEntrypoint")};
}

/* What the runtime said of its own initialisation, with the request's id where it has none. A body that is no object says
 * nothing that a client could read. */
struct lambda__failure lambda__failure_init(struct str error_type, struct str body, struct str request_id, struct arena *arena)
{
    struct json *tree;
    const char *type = error_type.n && error_type.n < 200 ? arena_cstr(arena, error_type) : "Runtime.Unknown";
    struct lambda__failure failure = {.status = arena_printf(arena, "Status: error\tError Type: %s", type)};
    if (json_parse(body, arena, &tree) != ERR_OK || !json_is(tree, JSON_OBJECT)) {
        failure.payload = failure_payload(arena, type, request_id, STR("Runtime failed to initialize"));
        return failure;
    }
    if (json_str(tree, "requestId").n == 0)
        json_put(tree, STR("requestId"), json_new_str(arena, request_id));
    failure.payload = json_text(arena, tree);
    return failure;
}

struct lambda__failure lambda__failure_too_large(size_t bytes, struct arena *arena)
{
    return (struct lambda__failure){
        .payload = arena_printf(
            arena,
            "{\"errorType\":\"Function.ResponseSizeTooLarge\",\"errorMessage\":\"Response payload size (%zu bytes) exceeded "
            "maximum allowed payload size (%d bytes).\"}",
            bytes, RUNTIME_RESPONSE_BYTES_MAX),
        .status = STR("Status: error\tError Type: Function.ResponseSizeTooLarge")};
}

/* Why a package's own executable did not start. */
struct str lambda__entrypoint_reason(enum err err, struct arena *arena)
{
    const char *why = err == ERR_DENIED        ? "permission denied"
                      : err == ERR_UNSUPPORTED ? "exec format error"
                                               : "no such file or directory";
    return arena_printf(arena, "fork/exec /var/task/bootstrap: %s", why);
}
