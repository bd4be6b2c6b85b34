/* environment_start.c -- the part of an environment's start that blocks, on a worker: credentials, interpreter, sandbox.
 * It touches nothing but its own struct and the function, which is immutable; environment.c takes it from there.
 * A failure says who is told what: a refusal of the invocation, or (a package without an executable that runs) an error of
 * the function. */
#include "services/lambda/environment_start.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "services/iam/iam.h"
#include "services/lambda/failure.h"
#include "services/lambda/interpreter.h"
#include <unistd.h>

#define VARIABLES_MAX 32 /* of ours */

void lambda__start_refuse(struct lambda__start *s, const char *code, int status, struct str message)
{
    s->error_code = code;
    s->error_status = status;
    s->message = message;
}

struct variables {
    const struct lambda__start *start;
    const char **env;
    size_t n;
};

/* One of ours, unless the function has its own of that name: what is reserved for us no function has (config.c). */
static void add_variable(struct variables *v, const char *name, struct str value)
{
    if (!json_at(v->start->function->variables, name))
        v->env[v->n++] = arena_printf(v->start->arena, "%s=" STR_FMT, name, STR_ARG(value)).p;
}

static struct str number_text(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%lld", (long long)value);
}

/* The function's own variables and, of those that AWS documents, what it has not: each name stands there once.
 * Source: "Defined runtime environment variables", Lambda developer guide. */
static const char *const *variables_of(struct lambda__start *s, const struct auth_session *session)
{
    const struct lambda__function *f = s->function;
    struct arena *a = s->arena;
    size_t own = f->variables ? f->variables->count : 0;
    struct variables v = {.start = s, .env = arena_array(a, const char *, VARIABLES_MAX + own + 1)};
    bool python = str_starts(f->runtime, STR("python"));

    add_variable(&v, "_HANDLER", f->handler);
    add_variable(&v, "AWS_REGION", f->region);
    add_variable(&v, "AWS_DEFAULT_REGION", f->region);
    if (python)
        add_variable(&v, "AWS_EXECUTION_ENV", arena_printf(a, "AWS_Lambda_" STR_FMT, STR_ARG(f->runtime)));
    add_variable(&v, "AWS_LAMBDA_FUNCTION_NAME", f->name);
    add_variable(&v, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", number_text(a, f->memory_mb));
    add_variable(&v, "AWS_LAMBDA_FUNCTION_VERSION", STR("$LATEST"));
    add_variable(&v, "AWS_LAMBDA_INITIALIZATION_TYPE", STR("on-demand"));
    add_variable(&v, "AWS_LAMBDA_LOG_GROUP_NAME", arena_printf(a, "/aws/lambda/" STR_FMT, STR_ARG(f->name)));
    add_variable(&v, "AWS_LAMBDA_LOG_STREAM_NAME", s->stream);
    add_variable(&v, "AWS_ACCESS_KEY_ID", session->access_key_id);
    add_variable(&v, "AWS_SECRET_ACCESS_KEY", session->secret);
    add_variable(&v, "AWS_SESSION_TOKEN", session->token);
    add_variable(&v, "AWS_LAMBDA_RUNTIME_API", STR("127.0.0.1:9001"));
    add_variable(&v, "AWS_ENDPOINT_URL", STR("http://127.0.0.1:4566"));
    add_variable(&v, "LAMBDA_TASK_ROOT", STR("/var/task"));
    add_variable(&v, "LAMBDA_RUNTIME_DIR", STR("/var/runtime"));
    add_variable(&v, "LANG", STR("en_US.UTF-8"));
    add_variable(&v, "TZ", STR(":UTC"));
    add_variable(&v, "AWS_XRAY_CONTEXT_MISSING", STR("LOG_ERROR"));
    add_variable(&v, "PATH", STR("/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin"));
    add_variable(&v, "LD_LIBRARY_PATH",
                 STR("/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"));
    if (python)
        add_variable(&v, "PYTHONPATH", STR("/var/runtime"));
    if (s->has_channel)
        add_variable(&v, "_LAMBDA_TELEMETRY_LOG_FD", number_text(a, SANDBOX_LOG_FD));
    for JSON_EACH (variable, f->variables)
        v.env[v.n++] = arena_printf(a, STR_FMT "=" STR_FMT, STR_ARG(variable->key), STR_ARG(variable->text)).p;
    return v.env;
}

/* The role may have been deleted, or have changed whom it trusts, since the function was made. */
static bool make_session(const struct platform *platform, struct lambda__start *s, struct auth_session *ret)
{
    struct iam_role role;
    enum err err = iam_role_find(store_reader(platform->store), s->function->role, s->arena, &role);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && !iam_role_trusts_service(&role, "lambda.amazonaws.com", s->arena))) {
        lambda__start_refuse(s, "AccessDeniedException", 403,
                             STR("The role defined for the function cannot be assumed by Lambda."));
        return false;
    }
    if (err != ERR_OK) {
        lambda__start_refuse(s, "ServiceException", 500,
                             arena_printf(s->arena, "The function's role cannot be read: %s.", err_text(err)));
        return false;
    }
    iam_role_session(&role, s->function->name, clock_epoch_ms(), s->arena, &s->principal);
    s->credentials_end_ms = clock_epoch_ms() + LAMBDA_CREDENTIALS_MS;
    auth_session_issue(platform->auth, &s->principal, s->credentials_end_ms, s->arena, ret);
    lambda__log_permission_ask(platform->auth, s->function, s->stream, &s->principal, &s->log_permission);
    return true;
}

static unsigned cpu_percent(int64_t memory_mb)
{
    /* AWS gives one core at 1,769 MB and proportionally less below; here nobody gets less than one. */
    return memory_mb <= 1769 ? 100 : (unsigned)(memory_mb * 100 / 1769);
}

static bool find_what_runs(const struct platform *platform, struct lambda__interpreters *interpreters, struct lambda__start *s,
                           struct lambda__interpreter *interpreter)
{
    struct str remedy = STR_NONE;
    if (!platform->sandboxes) {
        lambda__start_refuse(s, "ServiceException", 500, platform->sandboxes_missing);
        return false;
    }
    if (lambda__interpreter_find(interpreters, s->function->runtime, s->arena, interpreter, &remedy) != ERR_OK) {
        lambda__start_refuse(s, "InvalidRuntimeException", 502, remedy);
        return false;
    }
    s->own_entry = interpreter->runtime_dir == NULL;
    if (s->own_entry && access(arena_printf(s->arena, "%s/bootstrap", s->code_dir).p, F_OK) != 0) {
        s->entry_reason = STR("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");
        return false;
    }
    return true;
}

/* Which step failed and why; no path is in it. */
static struct str start_failure_text(struct arena *arena, enum err err)
{
    struct sandbox_failure failure = sandbox_last_failure();
    if (!failure.step)
        return arena_printf(arena, "The environment could not be started: %s.", err_text(err));
    return arena_printf(arena, "The environment could not be started: %s: %s.", failure.step,
                        failure.error ? strerrordesc_np(failure.error) : err_text(err));
}

void lambda__start_run(const struct platform *platform, struct lambda__interpreters *interpreters, struct lambda__start *s,
                       const struct sandbox_hooks *hooks)
{
    struct lambda__interpreter interpreter;
    struct auth_session session;
    struct sandbox_spec spec = {.memory_bytes = (size_t)s->function->memory_mb * LAMBDA_MIB,
                                .tmp_bytes = (size_t)s->function->tmp_mb * LAMBDA_MIB,
                                .cpu_percent = cpu_percent(s->function->memory_mb)};
    if (!make_session(platform, s, &session) || !find_what_runs(platform, interpreters, s, &interpreter))
        return;
    spec.code_dir = s->code_dir;
    spec.lang_dir = interpreter.lang_dir;
    spec.runtime_dir = interpreter.runtime_dir;
    spec.argv = interpreter.argv;
    spec.log_channel = s->has_channel = interpreter.runtime_dir != NULL;
    spec.env = variables_of(s, &session);
    enum err err = platform->sandbox_driver->start(platform->sandboxes, &spec, hooks, &s->sandbox);
    s->started = err == ERR_OK;
    if (s->own_entry && (err == ERR_NOT_FOUND || err == ERR_DENIED || err == ERR_UNSUPPORTED))
        s->entry_reason = lambda__entrypoint_reason(err, s->arena);
    else if (err != ERR_OK)
        lambda__start_refuse(s, "ServiceException", 500, start_failure_text(s->arena, err));
}
