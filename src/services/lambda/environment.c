/* environment.c -- one environment, from its start to its end. Home loop only, but for start_on_worker.
 *
 *   STARTING ──worker──> INIT ──GET next──> IDLE ⇄ BUSY ──answer──> SETTLING ──GET next──> IDLE
 *       └ failed            └ error, exit, limit       └ timeout, exit        └ timeout
 *   every state ──kill──> DYING ──exited──> closing (Runtime API, AWS endpoint) ──> freed
 *
 * The client is answered when the function answered; the environment takes its next invocation when it asks for it. What
 * it printed is in the pipe by then, so the pipe is drained before END and REPORT are written.
 * Failure texts are AWS's: Runtime.ExitError, Runtime.OutOfMemory, Sandbox.Timedout, Function.ResponseSizeTooLarge.
 * Initialisation may take LAMBDA_INIT_MS_MAX; past it the environment is started once more and has the function's own
 * timeout. Source: "Understanding the Lambda execution environment lifecycle". */
#include "services/lambda/environment.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/panic.h"
#include "net/limits.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_PIECE 65536
#define AWS_ENDPOINT_BODY_MAX (16u << 20)       /* BatchWriteItem, the largest call a function makes */
#define PEAK_READ_MS 100                        /* the memory peak is read at most that often */
#define MIB (1u << 20)

enum state { STARTING, INIT, IDLE, BUSY, SETTLING, DYING };

struct lambda__environment {
    struct lambda__pool *pool;
    struct lambda__environment *next;
    struct lambda__function *function;
    struct arena *arena;
    enum state state;
    bool second, killed;                /* second: the first initialisation timed out. killed: before it had started */
    struct work work;                   /* the start */
    enum err start_err;
    struct principal principal;         /* of the execution role's session */
    struct str stream;
    int64_t credentials_end_ms;

    struct sandbox *sandbox;
    struct runtime_api *api;
    struct http_listener *aws;
    unsigned open;                      /* of the two, still closing */
    int output_fd;
    struct loop_watch *watch;
    struct lambda__output *output;
    struct loop_timer *timer;           /* INIT: its limit, BUSY: the deadline, IDLE: retirement */

    struct lambda_invocation *current;
    uint64_t started_ns;                /* of the start, then of the current invocation */
    double init_ms;                     /* reported with the first invocation; < 0: reported */
    struct str init_error;              /* body of /init/error */
    bool init_timed_out;
    struct sandbox_exit exit;
    size_t peak;
    uint64_t peak_read_ns;
};

struct lambda__environment **lambda__environment_link(struct lambda__environment *environment)
{
    return &environment->next;
}

const struct lambda__function *lambda__environment_function(const struct lambda__environment *environment)
{
    return environment->function;
}

bool lambda__environment_stale(const struct lambda__environment *environment)
{
    return loop_now_ms() > environment->credentials_end_ms - LAMBDA_TIMEOUT_S_MAX * 1000;
}

static double ms_since(uint64_t ns)
{
    return (double)(clock_mono_ns() - ns) / 1e6;
}

/* ---- log lines ---- */

static size_t memory_peak_mb(struct lambda__environment *e)
{
    uint64_t now = clock_mono_ns();
    if (e->sandbox && (e->peak == 0 || now - e->peak_read_ns > PEAK_READ_MS * 1000000ULL)) {
        e->peak = sandbox_memory_peak(e->sandbox);
        e->peak_read_ns = now;
    }
    return (e->peak + MIB - 1) / MIB;
}

static void report(struct lambda__environment *e, const char *status)
{
    double duration = ms_since(e->started_ns);
    char init[64] = "";
    if (e->init_ms >= 0)
        snprintf(init, sizeof init, "Init Duration: %.2f ms\t", e->init_ms);
    double billed = duration + (e->init_ms >= 0 ? e->init_ms : 0);
    e->init_ms = -1;
    struct str id = e->current->request_id;
    lambda__output_line(e->output, "END RequestId: " STR_FMT "\n", STR_ARG(id));
    lambda__output_line(e->output, "REPORT RequestId: " STR_FMT "\tDuration: %.2f ms\tBilled Duration: %lld ms\tMemory Size: %lld MB\tMax Memory Used: %zu MB\t%s%s\n",
                        STR_ARG(id), duration, (long long)billed + 1, (long long)e->function->memory_mb, memory_peak_mb(e), init, status);
}

static void drain(struct lambda__environment *e)
{
    static _Thread_local char piece[READ_PIECE];
    for (int i = 0; i < 64 && e->output_fd >= 0; i++) {
        ssize_t n = read(e->output_fd, piece, sizeof piece);
        if (n > 0)
            lambda__output_bytes(e->output, (struct str){piece, (size_t)n});
        if (n <= 0 && errno != EINTR)
            break;
    }
}

static void readable(int fd, void *arg)
{
    struct lambda__environment *e = arg;
    char piece[READ_PIECE];
    ssize_t n = read(fd, piece, sizeof piece);
    if (n > 0)
        lambda__output_bytes(e->output, (struct str){piece, (size_t)n});
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        loop_watch_stop(&e->watch);     /* all writers are gone */
}

/* ---- the end of an invocation ---- */

static void end_current(struct lambda__environment *e, struct str payload, const char *function_error, const char *status)
{
    struct lambda_invocation *invocation = e->current;
    drain(e);
    report(e, status);
    if (invocation->tail_log)
        invocation->log_tail = lambda__output_tail(e->output, invocation->arena);
    e->current = NULL;
    lambda__invocation_answer(invocation, payload, function_error);
}

static struct str timed_out_text(struct lambda__environment *e, struct lambda_invocation *invocation)
{
    return arena_printf(invocation->arena, "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: " STR_FMT " Error: Task timed out after %.2f seconds\"}",
                        STR_ARG(invocation->request_id), (double)e->function->timeout_ms / 1000);
}

static struct str exit_reason(const struct sandbox_exit *exit, struct arena *arena)
{
    if (exit->signal)
        return arena_printf(arena, "Runtime exited with error: signal: %s", exit->signal == 9 ? "killed" : exit->signal == 11 ? "segmentation fault" : exit->signal == 6 ? "aborted" : strsignal(exit->signal));
    if (exit->status)
        return arena_printf(arena, "Runtime exited with error: exit status %d", exit->status);
    return STR("Runtime exited without providing a reason");
}

static struct str exit_text(struct lambda__environment *e, struct lambda_invocation *invocation)
{
    struct str reason = exit_reason(&e->exit, invocation->arena);
    return arena_printf(invocation->arena, "{\"errorType\":\"%s\",\"errorMessage\":\"RequestId: " STR_FMT " Error: " STR_FMT "\"}",
                        e->exit.out_of_memory ? "Runtime.OutOfMemory" : "Runtime.ExitError", STR_ARG(invocation->request_id), STR_ARG(reason));
}

/* The runtime's own error of its initialisation, with the request's id where it has none. */
static struct str init_error_text(struct lambda__environment *e, struct lambda_invocation *invocation)
{
    struct json *body;
    if (json_parse(e->init_error, invocation->arena, &body) != ERR_OK || !json_is(body, JSON_OBJECT))
        return exit_text(e, invocation);
    if (json_str(body, "requestId").n == 0)
        json_put(body, STR("requestId"), json_new_str(invocation->arena, invocation->request_id));
    return json_text(invocation->arena, body);
}

/* ---- states ---- */

static void kill_now(struct lambda__environment *e)
{
    e->state = DYING;
    loop_timer_cancel(&e->timer);
    if (e->sandbox)
        sandbox_kill(e->sandbox);
    else
        e->killed = true;
}

void lambda__environment_kill(struct lambda__environment *e)
{
    if (e->state == DYING)
        return;
    if (e->state == IDLE)
        lambda__pool_left_idle(e->pool, e);
    if (e->state == STARTING || e->state == INIT)
        lambda__pool_started(e->pool);
    bool starting = e->state == STARTING;
    if (e->current)
        end_current(e, exit_text(e, e->current), "Unhandled", "");
    kill_now(e);
    e->killed = starting;
}

static void retire(void *arg)
{
    struct lambda__environment *e = arg;
    e->timer = NULL;
    lambda__environment_kill(e);
}

static void deadline(void *arg)
{
    struct lambda__environment *e = arg;
    e->timer = NULL;
    if (e->current) {
        struct str id = e->current->request_id;
        struct arena *arena = e->current->arena;
        drain(e);
        lambda__output_line(e->output, STR_FMT " " STR_FMT " Task timed out after %.2f seconds\n\n", STR_ARG(clock_iso8601_ms(arena, clock_epoch_ms())),
                            STR_ARG(id), (double)e->function->timeout_ms / 1000);
        end_current(e, timed_out_text(e, e->current), "Unhandled", "Status: timeout");
    }
    kill_now(e);
}

static void init_limit(void *arg)
{
    struct lambda__environment *e = arg;
    e->timer = NULL;
    e->init_timed_out = true;
    lambda__output_line(e->output, "INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: timeout\n", ms_since(e->started_ns), e->second ? "invoke" : "init");
    lambda__pool_started(e->pool);
    lambda__pool_init_failed(e->pool, e, timed_out_text, !e->second);
    kill_now(e);
}

static void ready(void *arg)
{
    struct lambda__environment *e = arg;
    if (e->state == DYING)
        return;
    loop_timer_cancel(&e->timer);
    if (e->state == INIT) {
        e->init_ms = ms_since(e->started_ns);
        lambda__pool_started(e->pool);
    }
    e->state = IDLE;
    e->timer = loop_timer_start(loop_current(), LAMBDA_IDLE_MS, retire, e);
    lambda__pool_ready(e->pool, e);
}

void lambda__environment_run(struct lambda__environment *e, struct lambda_invocation *invocation)
{
    loop_timer_cancel(&e->timer);
    e->state = BUSY;
    e->current = invocation;
    e->started_ns = clock_mono_ns();
    lambda__output_tail_start(e->output);
    lambda__output_line(e->output, "START RequestId: " STR_FMT " Version: $LATEST\n", STR_ARG(invocation->request_id));
    struct runtime_event event = {
        .request_id = invocation->request_id, .function_arn = e->function->arn, .trace_id = invocation->trace_id,
        .client_context = invocation->client_context, .payload = invocation->payload,
        .deadline_ms = clock_epoch_ms() + e->function->timeout_ms,
    };
    e->timer = loop_timer_start(loop_current(), (uint64_t)e->function->timeout_ms, deadline, e);
    ENSURE(runtime_api_send(e->api, &event) == ERR_OK);     /* IDLE means that a GET waits */
}

/* ---- hooks of the Runtime API ---- */

static bool is_current(struct lambda__environment *e, struct str request_id)
{
    return e->state == BUSY && e->current && str_eq(e->current->request_id, request_id);
}

static void settle(struct lambda__environment *e, struct str payload, const char *function_error)
{
    e->state = SETTLING;        /* the deadline's timer goes on until it asks for the next */
    end_current(e, payload, function_error, "");
}

static void on_response(void *arg, struct str request_id, struct str body)
{
    struct lambda__environment *e = arg;
    if (is_current(e, request_id))
        settle(e, arena_dup(e->current->arena, body), NULL);
}

static void on_error(void *arg, struct str request_id, struct str error_type, struct str body)
{
    struct lambda__environment *e = arg;
    (void)error_type;
    if (is_current(e, request_id))
        settle(e, arena_dup(e->current->arena, body), "Unhandled");
}

static void on_too_large(void *arg, struct str request_id, size_t bytes)
{
    struct lambda__environment *e = arg;
    if (is_current(e, request_id))
        settle(e, arena_printf(e->current->arena, "{\"errorType\":\"Function.ResponseSizeTooLarge\",\"errorMessage\":\"Response payload size (%zu bytes) exceeded "
                               "maximum allowed payload size (%d bytes).\"}", bytes, RUNTIME_RESPONSE_BYTES_MAX), "Unhandled");
}

static void on_init_error(void *arg, struct str error_type, struct str body)
{
    struct lambda__environment *e = arg;
    (void)error_type;
    if (e->state == INIT && e->init_error.n == 0)
        e->init_error = arena_dup(e->arena, body);
}

/* ---- the end ---- */

static void free_environment(struct lambda__environment *e)
{
    loop_watch_stop(&e->watch);
    if (e->output_fd >= 0)
        close(e->output_fd);
    lambda__output_free(&e->output);
    sandbox_free(&e->sandbox);
    lambda__pool_gone(e->pool, e);
    lambda__function_unref(&e->function);
    arena_free(e->arena);
    free(e);
}

static void closed(void *arg)
{
    struct lambda__environment *e = arg;
    if (--e->open == 0)
        free_environment(e);
}

static void exited(struct sandbox *sandbox, const struct sandbox_exit *exit, void *arg)
{
    struct lambda__environment *e = arg;
    enum state was = e->state;
    (void)sandbox;
    e->exit = *exit;
    loop_timer_cancel(&e->timer);
    drain(e);
    if (was == IDLE)
        lambda__pool_left_idle(e->pool, e);
    if (e->current) {
        struct str reason = exit_reason(exit, e->current->arena);
        lambda__output_line(e->output, "RequestId: " STR_FMT " Error: " STR_FMT "\n", STR_ARG(e->current->request_id), STR_ARG(reason));
        end_current(e, exit_text(e, e->current), "Unhandled", exit->out_of_memory ? "Status: error\tError Type: Runtime.OutOfMemory" : "Status: error\tError Type: Runtime.ExitError");
    }
    e->state = DYING;
    if (was == INIT) {
        struct str reason = exit_reason(exit, e->arena);
        if (e->init_error.n == 0)
            lambda__output_line(e->output, "INIT_REPORT Init Duration: %.2f ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError\t" STR_FMT "\n",
                                ms_since(e->started_ns), STR_ARG(reason));
        lambda__pool_started(e->pool);
        lambda__pool_init_failed(e->pool, e, e->init_error.n ? init_error_text : exit_text, false);
    }
    runtime_api_close(e->api);
    http_listener_close(e->aws);
}

/* ---- the start ---- */

static void add_env(struct arena *arena, const char **env, size_t *n, const char *name, struct str value)
{
    env[(*n)++] = arena_printf(arena, "%s=" STR_FMT, name, STR_ARG(value)).p;
}

static struct str number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%lld", (long long)value);
}

/* The variables that AWS documents, then the function's own. Source: "Using Lambda environment variables". */
static const char *const *environment_of(struct lambda__environment *e, const struct auth_session *session)
{
    const struct lambda__function *f = e->function;
    struct arena *a = e->arena;
    size_t n = 0;
    const char **env = arena_array(a, const char *, 40 + (f->variables ? f->variables->count : 0));
    bool python = str_starts(f->runtime, STR("python"));

    add_env(a, env, &n, "_HANDLER", f->handler);
    add_env(a, env, &n, "AWS_REGION", f->region);
    add_env(a, env, &n, "AWS_DEFAULT_REGION", f->region);
    if (python)
        add_env(a, env, &n, "AWS_EXECUTION_ENV", arena_printf(a, "AWS_Lambda_" STR_FMT, STR_ARG(f->runtime)));
    add_env(a, env, &n, "AWS_LAMBDA_FUNCTION_NAME", f->name);
    add_env(a, env, &n, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", number(a, f->memory_mb));
    add_env(a, env, &n, "AWS_LAMBDA_FUNCTION_VERSION", STR("$LATEST"));
    add_env(a, env, &n, "AWS_LAMBDA_INITIALIZATION_TYPE", STR("on-demand"));
    add_env(a, env, &n, "AWS_LAMBDA_LOG_GROUP_NAME", arena_printf(a, "/aws/lambda/" STR_FMT, STR_ARG(f->name)));
    add_env(a, env, &n, "AWS_LAMBDA_LOG_STREAM_NAME", e->stream);
    add_env(a, env, &n, "AWS_ACCESS_KEY_ID", session->access_key_id);
    add_env(a, env, &n, "AWS_SECRET_ACCESS_KEY", session->secret);
    add_env(a, env, &n, "AWS_SESSION_TOKEN", session->token);
    add_env(a, env, &n, "AWS_LAMBDA_RUNTIME_API", STR("127.0.0.1:9001"));
    add_env(a, env, &n, "AWS_ENDPOINT_URL", STR("http://127.0.0.1:4566"));
    add_env(a, env, &n, "LAMBDA_TASK_ROOT", STR("/var/task"));
    add_env(a, env, &n, "LAMBDA_RUNTIME_DIR", STR("/var/runtime"));
    add_env(a, env, &n, "LANG", STR("en_US.UTF-8"));
    add_env(a, env, &n, "TZ", STR(":UTC"));
    add_env(a, env, &n, "PATH", STR("/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin"));
    add_env(a, env, &n, "LD_LIBRARY_PATH", STR("/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"));
    if (python)
        add_env(a, env, &n, "PYTHONPATH", STR("/var/runtime"));
    for JSON_EACH (variable, f->variables)
        env[n++] = arena_printf(a, STR_FMT "=" STR_FMT, STR_ARG(variable->key), STR_ARG(variable->text)).p;
    return env;
}

static enum err make_session(struct lambda__environment *e, struct auth_session *ret)
{
    const struct lambda_options *o = lambda__options();
    struct iam_role role;
    enum err err = iam_role_find(store_reader(o->store), e->function->role, e->arena, &role);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_DENIED : err;
    iam_role_session(&role, e->function->name, clock_epoch_ms(), e->arena, &e->principal);
    e->credentials_end_ms = clock_epoch_ms() + LAMBDA_CREDENTIALS_MS;
    auth_session_issue(o->auth, &e->principal, e->credentials_end_ms, e->arena, ret);
    return ERR_OK;
}

static unsigned cpu_percent(int64_t memory_mb)
{
    /* AWS gives one core at 1,769 MB and proportionally less below; here nobody gets less than one. */
    return memory_mb <= 1769 ? 100 : (unsigned)(memory_mb * 100 / 1769);
}

static void start_on_worker(struct work *work)
{
    struct lambda__environment *e = CONTAINER_OF(work, struct lambda__environment, work);
    const struct lambda_options *o = lambda__options();
    struct lambda__interpreter interpreter = {.argv = {"/var/task/bootstrap"}};
    struct auth_session session;
    struct sandbox_spec spec = {.memory_bytes = (size_t)e->function->memory_mb * MIB, .tmp_bytes = (size_t)e->function->tmp_mb * MIB,
                                .cpu_percent = cpu_percent(e->function->memory_mb)};
    struct sandbox_hooks hooks = {.exited = exited, .arg = e, .loop = work->loop};
    struct str remedy;

    e->start_err = o->sandboxes ? lambda__package_dir(e->function->blob, e->arena, &spec.code_dir) : ERR_UNSUPPORTED;
    if (e->start_err == ERR_OK)
        e->start_err = lambda__interpreter_find(e->function->runtime, e->arena, &interpreter, &remedy);
    if (e->start_err == ERR_OK)
        e->start_err = make_session(e, &session);
    if (e->start_err != ERR_OK)
        return;
    spec.lang_dir = interpreter.lang_dir;
    spec.runtime_dir = interpreter.runtime_dir;
    spec.argv = interpreter.argv;
    spec.env = environment_of(e, &session);
    e->start_err = sandbox_start(o->sandboxes, &spec, &hooks, &e->sandbox);
}

static void start_failed(struct lambda__environment *e)
{
    log_to(LOG_ERROR, "lambda.start_failed", {"function", e->function->arn}, {"error", str_of(err_text(e->start_err))});
    if (!e->killed)
        lambda__pool_started(e->pool);
    e->state = DYING;
    lambda__pool_start_failed(e->pool, e, e->start_err);
    free_environment(e);
}

static void open_listeners(struct lambda__environment *e)
{
    const struct lambda_options *o = lambda__options();
    struct runtime_api_hooks hooks = {.ready = ready, .response = on_response, .error = on_error, .init_error = on_init_error,
                                      .too_large = on_too_large, .closed = closed, .arg = e};
    struct http_listener_options aws = {.fd = sandbox_take_aws_listener(e->sandbox), .only = loop_current(), .handler = o->aws_endpoint,
                                        .arg = o->aws_endpoint_arg, .body_max = AWS_ENDPOINT_BODY_MAX, .closed = closed, .closed_arg = e};
    e->open = 2;
    ENSURE(runtime_api_open(o->http, loop_current(), sandbox_take_runtime_listener(e->sandbox), &hooks, &e->api) == ERR_OK);
    e->aws = http_listen(o->http, &aws);
    e->output_fd = sandbox_take_output(e->sandbox);
    e->watch = loop_watch_start(loop_current(), e->output_fd, readable, e);
}

static void start_done(struct work *work)
{
    struct lambda__environment *e = CONTAINER_OF(work, struct lambda__environment, work);
    if (e->start_err != ERR_OK) {
        start_failed(e);
        return;
    }
    e->output = lambda__output_new(e->function, e->stream, &e->principal);
    open_listeners(e);
    lambda__output_line(e->output, "INIT_START Runtime Version: " STR_FMT "\n", STR_ARG(e->function->runtime));
    if (e->killed) {
        sandbox_kill(e->sandbox);
        return;
    }
    e->state = INIT;
    uint64_t limit = e->second ? (uint64_t)e->function->timeout_ms : LAMBDA_INIT_MS_MAX;
    e->timer = loop_timer_start(loop_current(), limit, init_limit, e);
}

static void submit_failed(struct loop_task *task)
{
    start_failed(CONTAINER_OF(task, struct lambda__environment, work.task));
}

static struct str stream_name(struct arena *arena)
{
    struct str day = clock_iso8601(arena, clock_epoch_ms()), id = random_chars(arena, "0123456789abcdef", 32);
    return arena_printf(arena, "%.4s/%.2s/%.2s/[$LATEST]" STR_FMT, day.p, day.p + 5, day.p + 8, STR_ARG(id));
}

struct lambda__environment *lambda__environment_start(struct lambda__pool *pool, struct lambda__function *function, bool second)
{
    struct lambda__environment *e = mem_zalloc(sizeof *e);
    e->pool = pool;
    e->function = lambda__function_ref(function);
    e->arena = arena_new();
    e->second = second;
    e->output_fd = -1;
    e->stream = stream_name(e->arena);
    e->started_ns = clock_mono_ns();
    e->work = (struct work){.run = start_on_worker, .done = start_done, .loop = loop_current()};
    enum err err = workers_submit(lambda__options()->workers, &e->work);    /* from here on the worker may have it */
    if (err != ERR_OK) {                /* the workers are busy: reported from the loop, not from inside the pool's call */
        e->start_err = err;
        e->work.task.run = submit_failed;
        loop_post(loop_current(), &e->work.task);
    }
    return e;
}
