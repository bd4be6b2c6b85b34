/* environment.c -- one environment, from its start to its end. Home loop only, but for environment_start.c on a worker.
 *
 *   STARTING ──code, worker──> INIT ──GET next──> IDLE ⇄ BUSY ──answer──> SETTLING ──GET next──> IDLE
 *       └ failed            └ error, exit, limit       └ timeout, exit        └ timeout
 *   every state ──kill──> DYING ──exited──> closing (Runtime API, AWS endpoint) ──> freed
 *
 * A start waits for its code to be unpacked without a thread, then a worker has `start` until start_done: before that a kill is
 * only remembered, and so is an exit, which may come first when the program ends at once. After it, `exited` comes exactly once,
 * whatever else happened, and is the way out. The client is answered when the function answered; the environment takes its next
 * invocation when it asks for it. What it printed is in the pipe by then, so the pipe is drained before END and REPORT are written.
 * Output is otherwise read at the pace of OUTPUT_COST_MS: a function that prints without end waits at its full pipe, not the loop
 * for it. Initialisation may take limits->init_ms; past it the environment is started once more (when it is gone: its place among
 * the server's environments goes on) and has the function's own timeout. Source: "Understanding the Lambda execution environment
 * lifecycle". What clients are told: failure.c. */
#include "services/lambda/environment.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/panic.h"
#include "sandbox/runtime_api.h"
#include "services/lambda/code.h"
#include "services/lambda/failure.h"
#include "services/lambda/invocation.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_PIECE 4096                         /* lines of one byte cost 200 times as much */
#define DRAIN_COST_MAX (512 << 10)              /* what was printed before the answer: a full pipe of lines of 30 bytes */
#define DRAIN_END_COST_MAX (4 << 20)            /* the same after the end, when nothing is read later */
#define OUTPUT_COST_MS 5000 /* of lambda__output_bytes: 5 MB/s or 25,000 lines, less than the log's writer takes */
#define OUTPUT_CREDIT_MAX (1 << 20)             /* saved up for a burst: a fraction of the writer's queue, which all share */
#define PEAK_READ_MS 100                        /* the memory peak is read at most that often */

enum environment_state { STARTING, INIT, IDLE, BUSY, SETTLING, DYING };

struct lambda__environment {
    const struct lambda__environment_parts *parts;
    void *owner;
    struct http_tenant *tenant;
    struct lambda__environment *next;
    struct lambda__function *function;
    struct arena *arena;
    enum environment_state state;
    bool second;                        /* the first initialisation timed out */
    bool again;                         /* this one's did, and the owner starts another */
    struct lambda__code_want want;
    bool has_code;                      /* its release is due */
    struct work work;                   /* the start */
    struct lambda__start start;         /* the worker's until `begun` */
    bool begun, exited;                 /* start_done ran; the sandbox has ended */
    struct sandbox_exit exit;

    struct runtime_api *api;
    struct http_listener *aws;
    unsigned open; /* of the two, and of what is asked, not at their end yet */
    struct lambda__output *output;
    struct work asking; /* whether the role may log, while it is on a worker */
    struct lambda__log_permission asked;
    bool is_asking;
    struct output_pipe {
        int fd; /* -1: none */
        struct loop_watch *watch;
        size_t (*take)(struct lambda__output *output, struct str bytes);
    } pipes[2];                         /* what it prints, and its log channel */
    struct loop_timer *output_timer;    /* reading pauses */
    int64_t output_credit;
    uint64_t output_ns;                 /* when the credit was counted */

    struct loop_timer *timer;           /* INIT: its limit, BUSY and SETTLING: the deadline, IDLE: retirement */
    struct lambda__invocation *current;
    uint64_t started_ns;                /* of the start, then of the current invocation */
    uint64_t phase_ns;                  /* when the part of the start that goes on began */
    uint64_t idle_ns;
    double init_ms;                     /* reported with the first invocation; < 0: reported, or not known */
    bool init_failed;                   /* the runtime said so: */
    struct str init_error_type, init_error;
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
    return loop_now_ms() > environment->start.credentials_end_ms - LAMBDA_TIMEOUT_S_MAX * 1000;
}

uint64_t lambda__environment_idle_ns(const struct lambda__environment *environment)
{
    return environment->idle_ns;
}

/* The function's timeout, in milliseconds of the loop's timers. */
static uint64_t timeout_of(const struct lambda__environment *e)
{
    return (uint64_t)e->function->timeout_ms * e->parts->limits->second_ms / 1000;
}

static double ms_since(uint64_t ns)
{
    return (double)(clock_mono_ns() - ns) / 1e6;
}

static const enum lambda__meter_state meter_of[] = {
    [STARTING] = METER_STARTING, [INIT] = METER_INIT,         [IDLE] = METER_IDLE,
    [BUSY] = METER_BUSY,         [SETTLING] = METER_SETTLING, [DYING] = METER_ENDING,
};

/* A part of the start is over. */
static void meter_part(struct lambda__environment *e, enum lambda__meter_part part)
{
    uint64_t now = clock_mono_ns();
    histogram_add_shared(&e->parts->meters->part_us[part], (now - e->phase_ns) / 1000);
    e->phase_ns = now;
}

/* The one place where the state changes, so that what is counted of it is right. */
static void enter_state(struct lambda__environment *e, enum environment_state next)
{
    if ((e->state == BUSY) != (next == BUSY))
        e->parts->hooks->busy(e->owner, next == BUSY);
    if ((e->state == STARTING || e->state == INIT) && next != INIT)
        e->parts->hooks->started(e->owner);
    if (e->state == IDLE && next == DYING)
        e->parts->hooks->left_idle(e->owner, e);
    if (next == DYING)
        e->parts->hooks->ending(e->owner);
    lambda__meter_leave(e->parts->meters, meter_of[e->state]);
    lambda__meter_enter(e->parts->meters, meter_of[next]);
    e->state = next;
}

/* ---- what it prints ---- */

static void spend_output(struct lambda__environment *e, size_t cost)
{
    uint64_t ms = (clock_mono_ns() - e->output_ns) / 1000000;
    int64_t earned = (int64_t)ms * OUTPUT_COST_MS;
    e->output_credit = earned > OUTPUT_CREDIT_MAX - e->output_credit ? OUTPUT_CREDIT_MAX : e->output_credit + earned;
    e->output_ns += ms * 1000000;
    e->output_credit -= (int64_t)cost;
}

/* What it cost; 0: nothing more is there. */
static size_t read_pipe(struct lambda__environment *e, struct output_pipe *from)
{
    char piece[READ_PIECE];
    ssize_t n;
    do
        n = read(from->fd, piece, sizeof piece);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        size_t cost = from->take(e->output, (struct str){piece, (size_t)n});
        spend_output(e, cost);
        return cost;
    }
    if (n == 0 || errno != EAGAIN)
        loop_watch_stop(&from->watch); /* all writers are gone */
    return 0;
}

/* False: it was stopped by the maximum. */
static bool drain_output(struct lambda__environment *e, size_t cost_max)
{
    size_t cost = 0;
    for (size_t i = 0; i < COUNT_OF(e->pipes); i++) {
        size_t more = e->pipes[i].fd >= 0;
        while (more && cost < cost_max)
            cost += more = read_pipe(e, &e->pipes[i]);
        if (more)
            return false;
    }
    return true;
}

static void output_readable(int fd, void *arg);
static void watch_pipes(struct lambda__environment *e);

static void read_again(void *arg)
{
    struct lambda__environment *e = arg;
    e->output_timer = NULL;
    watch_pipes(e);
}

static void watch_pipes(struct lambda__environment *e)
{
    for (size_t i = 0; i < COUNT_OF(e->pipes); i++)
        if (e->pipes[i].fd >= 0)
            e->pipes[i].watch = loop_watch_start(loop_current(), e->pipes[i].fd, output_readable, e);
}

static void unwatch_pipes(struct lambda__environment *e)
{
    for (size_t i = 0; i < COUNT_OF(e->pipes); i++)
        loop_watch_stop(&e->pipes[i].watch);
}

static void output_readable(int fd, void *arg)
{
    struct lambda__environment *e = arg;
    read_pipe(e, &e->pipes[fd != e->pipes[0].fd]);
    if ((e->pipes[0].watch || e->pipes[1].watch) && e->output_credit < 0) {
        unwatch_pipes(e);
        e->output_timer = loop_timer_start(loop_current(), (uint64_t)(-e->output_credit / OUTPUT_COST_MS) + 1, read_again, e);
    }
}

/* ---- log lines ---- */

static size_t memory_peak_mb(struct lambda__environment *e)
{
    uint64_t now = clock_mono_ns();
    if (e->start.sandbox && (e->peak == 0 || now - e->peak_read_ns > PEAK_READ_MS * 1000000ULL)) {
        e->peak = e->parts->platform->sandbox_driver->memory_peak(e->start.sandbox);
        e->peak_read_ns = now;
    }
    return (e->peak + LAMBDA_MIB - 1) / LAMBDA_MIB;
}

static void report_invocation(struct lambda__environment *e, struct str status)
{
    double duration = ms_since(e->started_ns);
    char init[64] = "";
    if (e->init_ms >= 0)
        snprintf(init, sizeof init, "Init Duration: %.2f ms\t", e->init_ms);
    double billed = duration + (e->init_ms >= 0 ? e->init_ms : 0);
    e->init_ms = -1;
    struct str id = e->current->request_id;
    lambda__output_line(e->output, "END RequestId: " STR_FMT "\n", STR_ARG(id));
    lambda__output_line(
        e->output,
        "REPORT RequestId: " STR_FMT
        "\tDuration: %.2f ms\tBilled Duration: %lld ms\tMemory Size: %lld MB\tMax Memory Used: %zu MB\t%s" STR_FMT "\n",
        STR_ARG(id), duration, (long long)billed + 1, (long long)e->function->memory_mb, memory_peak_mb(e), init, STR_ARG(status));
}

static void report_init(struct lambda__environment *e, const char *status)
{
    lambda__output_line(e->output, "INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: %s\n", ms_since(e->started_ns),
                        e->second ? "invoke" : "init", status);
}

static void log_start(struct lambda__environment *e)
{
    lambda__output_tail_start(e->output);
    lambda__output_line(e->output, "START RequestId: " STR_FMT " Version: $LATEST\n", STR_ARG(e->current->request_id));
}

/* ---- the end of an invocation ---- */

static struct lambda__invocation *finish_current(struct lambda__environment *e, struct str status)
{
    struct lambda__invocation *invocation = e->current;
    report_invocation(e, status);
    if (invocation->tail_log)
        invocation->log_tail = lambda__output_tail(e->output, invocation->arena);
    e->current = NULL;
    return invocation;
}

/* Answering is the last step: it may come back with the next invocation. */
static void end_current(struct lambda__environment *e, struct str payload, const char *function_error, struct str status)
{
    lambda__invocation_answer(finish_current(e, status), payload, function_error);
}

static void fail_current(struct lambda__environment *e, const struct lambda__failure *failure)
{
    if (failure->reason.n)
        lambda__output_line(e->output, "RequestId: " STR_FMT " Error: " STR_FMT "\n", STR_ARG(e->current->request_id),
                            STR_ARG(failure->reason));
    end_current(e, failure->payload, "Unhandled", failure->status);
}

/* The oldest invocation that waits is what the initialisation was for. False: nobody waits any more. */
static bool take_waiting(struct lambda__environment *e)
{
    e->current = e->parts->hooks->take(e->owner);
    if (e->current)
        log_start(e);
    return e->current != NULL;
}

/* ---- states ---- */

/* Before start_done there is nothing to kill yet, and the worker has `start`. */
static void begin_end(struct lambda__environment *e)
{
    loop_timer_cancel(&e->timer);
    enter_state(e, DYING);
    if (e->begun && !e->exited)
        e->parts->platform->sandbox_driver->kill(e->start.sandbox);
}

void lambda__environment_kill(struct lambda__environment *e)
{
    if (e->state == DYING)
        return;
    begin_end(e);
    if (e->current) {
        drain_output(e, DRAIN_COST_MAX);
        lambda__invocation_refuse(finish_current(e, STR("Status: error")), "ServiceException", 500,
                                  STR("The server is shutting down."));
    }
}

static void retire_environment(void *arg)
{
    struct lambda__environment *e = arg;
    e->timer = NULL;
    lambda__environment_kill(e);
}

static void invocation_deadline(void *arg)
{
    struct lambda__environment *e = arg;
    e->timer = NULL;
    begin_end(e);
    if (!e->current)
        return;
    struct lambda__invocation *i = e->current;
    struct lambda__failure failure = lambda__failure_timeout(e->function->timeout_ms, i->request_id, i->arena);
    drain_output(e, DRAIN_COST_MAX);
    lambda__output_line(e->output, STR_FMT " " STR_FMT " " STR_FMT "\n\n", STR_ARG(clock_iso8601_ms(i->arena, clock_epoch_ms())),
                        STR_ARG(i->request_id), STR_ARG(failure.reason));
    end_current(e, failure.payload, "Unhandled", failure.status);
}

/* The runtime said that it cannot start, and has ended, asked for work all the same, or does not end. */
static void fail_init(struct lambda__environment *e)
{
    begin_end(e);
    drain_output(e, DRAIN_COST_MAX);
    if (!take_waiting(e))
        return;
    struct lambda__invocation *i = e->current;
    struct lambda__failure failure = lambda__failure_init(e->init_error_type, e->init_error, i->request_id, i->arena);
    fail_current(e, &failure);
}

static void init_limit(void *arg)
{
    struct lambda__environment *e = arg;
    e->timer = NULL;
    if (e->init_failed) {
        fail_init(e);
        return;
    }
    begin_end(e);
    drain_output(e, DRAIN_COST_MAX);
    report_init(e, "timeout");
    if (!e->second) {
        e->again = e->parts->hooks->again(e->owner);
        return;
    }
    if (!take_waiting(e))
        return;
    struct lambda__invocation *i = e->current;
    struct lambda__failure failure = lambda__failure_timeout(e->function->timeout_ms, i->request_id, i->arena);
    fail_current(e, &failure);
}

static void runtime_ready(void *arg)
{
    struct lambda__environment *e = arg;
    if (e->state == DYING)
        return;
    if (e->init_failed) {
        fail_init(e);
        return;
    }
    loop_timer_cancel(&e->timer);
    if (e->state == INIT) {
        e->init_ms = ms_since(e->started_ns);
        meter_part(e, METER_RUNTIME);
        histogram_add_shared(&e->parts->meters->cold_us, (uint64_t)(e->init_ms * 1000));
    }
    enter_state(e, IDLE);
    e->idle_ns = clock_mono_ns();
    e->timer = loop_timer_start(loop_current(), e->parts->limits->idle_ms, retire_environment, e);
    e->parts->hooks->ready(e->owner, e);
}

void lambda__environment_run(struct lambda__environment *e, struct lambda__invocation *invocation)
{
    loop_timer_cancel(&e->timer);
    enter_state(e, BUSY);
    drain_output(e, DRAIN_COST_MAX);               /* what was printed before belongs before START */
    e->current = invocation;
    e->started_ns = clock_mono_ns();
    log_start(e);
    struct runtime_event event = {
        .request_id = invocation->request_id, .function_arn = e->function->arn, .trace_id = invocation->trace_id,
        .client_context = invocation->client_context, .payload = invocation->payload,
        .deadline_ms = clock_epoch_ms() + e->function->timeout_ms,
    };
    e->timer = loop_timer_start(loop_current(), timeout_of(e), invocation_deadline, e);
    ENSURE(runtime_api_send(e->api, &event) == ERR_OK);     /* IDLE means that a GET waits */
}

/* ---- hooks of the Runtime API ---- */

static bool runs_invocation(struct lambda__environment *e, struct str request_id)
{
    return e->state == BUSY && e->current && str_eq(e->current->request_id, request_id);
}

static void settle_invocation(struct lambda__environment *e, struct str payload, const char *function_error, struct str status)
{
    enter_state(e, SETTLING);         /* the deadline's timer goes on until it asks for the next */
    drain_output(e, DRAIN_COST_MAX);
    end_current(e, payload, function_error, status);
}

static void on_response(void *arg, struct str request_id, struct str body)
{
    struct lambda__environment *e = arg;
    if (runs_invocation(e, request_id))
        settle_invocation(e, arena_dup(e->current->arena, body), NULL, STR_NONE);
}

static void on_error(void *arg, struct str request_id, struct str error_type, struct str body)
{
    struct lambda__environment *e = arg;
    (void)error_type;
    if (runs_invocation(e, request_id))
        settle_invocation(e, arena_dup(e->current->arena, body), "Unhandled", STR_NONE);
}

static void on_too_large(void *arg, struct str request_id, size_t bytes)
{
    struct lambda__environment *e = arg;
    if (!runs_invocation(e, request_id))
        return;
    struct lambda__failure failure = lambda__failure_too_large(bytes, e->current->arena);
    settle_invocation(e, failure.payload, "Unhandled", failure.status);
}

static void on_init_error(void *arg, struct str error_type, struct str body)
{
    struct lambda__environment *e = arg;
    if (e->state != INIT || e->init_failed)
        return;
    e->init_failed = true;
    e->init_error_type = arena_dup(e->arena, error_type);
    e->init_error = arena_dup(e->arena, body);
    loop_timer_cancel(&e->timer);
    e->timer = loop_timer_start(loop_current(), e->parts->limits->init_error_ms, init_limit, e);
}

/* ---- the end ---- */

static void free_environment(struct lambda__environment *e)
{
    loop_timer_cancel(&e->output_timer);
    unwatch_pipes(e);
    for (size_t i = 0; i < COUNT_OF(e->pipes); i++)
        if (e->pipes[i].fd >= 0)
            close(e->pipes[i].fd);
    lambda__output_free(&e->output);
    lambda__meter_leave(e->parts->meters, meter_of[e->state]);
    e->parts->platform->sandbox_driver->free(&e->start.sandbox);
    if (e->has_code)
        lambda__code_release(e->parts->code, e->function->blob);
    e->parts->hooks->gone(e->owner, e, e->again);
    lambda__function_unref(&e->function);
    arena_free(e->arena);
    free(e);
}

static void part_ended(void *arg)
{
    struct lambda__environment *e = arg;
    if (--e->open == 0)
        free_environment(e);
}

static void failed_by_exit(struct lambda__environment *e)
{
    struct lambda__invocation *i = e->current;
    struct lambda__failure failure = lambda__failure_exit(&e->exit, i->request_id, i->arena);
    fail_current(e, &failure);
}

/* Nothing of the sandbox runs any more; what it printed is in the pipe, all of it. */
static void wind_up(struct lambda__environment *e)
{
    enum environment_state was = e->state;
    if (!drain_output(e, DRAIN_END_COST_MAX))
        lambda__output_line(e->output, "The rest of the output was dropped: it was printed faster than it can be logged.\n");
    lambda__output_end(e->output);
    if (was == INIT && e->init_failed) {
        fail_init(e);
    } else if (was != DYING) {
        begin_end(e);
        if (was == INIT)
            report_init(e, "error\tError Type: Runtime.ExitError");
        if (e->current || (was == INIT && take_waiting(e)))
            failed_by_exit(e);
    }
    runtime_api_close(e->api);
    http_listener_close(e->aws);
}

static void sandbox_ended(struct sandbox *sandbox, const struct sandbox_exit *exit, void *arg)
{
    struct lambda__environment *e = arg;
    (void)sandbox;
    e->exit = *exit;
    e->exited = true;
    if (e->begun)
        wind_up(e);
}

/* ---- whether the role may log ---- */

static void ask_on_worker(struct work *work)
{
    struct lambda__environment *e = CONTAINER_OF(work, struct lambda__environment, asking);
    lambda__log_permission_ask(e->parts->platform->auth, e->function, e->start.stream, &e->start.principal, &e->asked);
}

static void asked_on_worker(struct work *work)
{
    struct lambda__environment *e = CONTAINER_OF(work, struct lambda__environment, asking);
    e->is_asking = false;
    lambda__output_permit(e->output, &e->asked);
    part_ended(e);
}

/* Where the store may block, the last answer holds until the next one comes; an environment at its end asks no more. */
static void permission_stale(void *arg)
{
    struct lambda__environment *e = arg;
    if (!store_read_may_block(e->parts->platform->store)) {
        lambda__log_permission_ask(e->parts->platform->auth, e->function, e->start.stream, &e->start.principal, &e->asked);
        lambda__output_permit(e->output, &e->asked);
        return;
    }
    if (e->is_asking || !e->open)
        return;
    e->asking = (struct work){.run = ask_on_worker, .done = asked_on_worker, .loop = loop_current()};
    e->is_asking = workers_submit(e->parts->platform->workers, LANE_READ, &e->asking) == ERR_OK;
    e->open += e->is_asking;
}

static struct lambda__output *new_output(struct lambda__environment *e)
{
    return lambda__output_new(e->parts->logs, e->function, e->start.stream, &e->start.log_permission,
                              e->parts->limits->permission_ms, permission_stale, e);
}

/* ---- the start ---- */

static void run_start(struct work *work)
{
    struct lambda__environment *e = CONTAINER_OF(work, struct lambda__environment, work);
    struct sandbox_hooks hooks = {.exited = sandbox_ended, .arg = e, .loop = work->loop};
    lambda__start_run(e->parts->platform, e->parts->interpreters, &e->start, &hooks);
}

static void start_failed(struct lambda__environment *e)
{
    struct lambda__start *s = &e->start;
    struct lambda__invocation *first;
    metric_add_shared(&e->parts->meters->starts_failed, 1);
    log_to(s->entry_reason.n ? LOG_INFO : LOG_ERROR, "lambda.start_failed", {"function", e->function->arn},
           {"reason", s->entry_reason.n ? s->entry_reason : s->message});
    if (e->state != DYING)
        enter_state(e, DYING);
    if (s->entry_reason.n) {
        e->output = new_output(e);
        report_init(e, "error\tError Type: Runtime.InvalidEntrypoint");
        if (take_waiting(e)) {
            struct lambda__failure failure = lambda__failure_entrypoint(s->entry_reason, e->current->request_id, e->current->arena);
            fail_current(e, &failure);
        }
    } else if ((first = e->parts->hooks->take(e->owner))) {
        lambda__invocation_refuse(first, s->error_code, s->error_status, arena_dup(first->arena, s->message));
    }
    free_environment(e);
}

static void open_listeners(struct lambda__environment *e)
{
    const struct lambda__environment_parts *o = e->parts;
    const struct sandbox_driver *driver = o->platform->sandbox_driver;
    struct sandbox *sandbox = e->start.sandbox;
    struct runtime_api_hooks hooks = {.ready = runtime_ready,
                                      .response = on_response,
                                      .error = on_error,
                                      .init_error = on_init_error,
                                      .too_large = on_too_large,
                                      .closed = part_ended,
                                      .arg = e};
    struct http_listener_options aws = o->platform->inside;
    aws.fd = driver->take_aws_listener(sandbox);
    aws.only = loop_current();
    aws.tenant = e->tenant;
    aws.closed = part_ended;
    aws.closed_arg = e;
    e->open = 2;
    ENSURE(runtime_api_open(o->platform->http, loop_current(), driver->take_runtime_listener(sandbox), e->tenant, &hooks,
                            &e->api) == ERR_OK);
    e->aws = http_listen(o->platform->http, &aws);
    e->pipes[0] = (struct output_pipe){.fd = driver->take_output(sandbox), .take = lambda__output_bytes};
    e->pipes[1] = (struct output_pipe){.fd = driver->take_log(sandbox), .take = lambda__output_records};
    e->output_ns = clock_mono_ns();
    e->output_credit = OUTPUT_CREDIT_MAX;
    watch_pipes(e);
}

static void start_done(struct work *work)
{
    struct lambda__environment *e = CONTAINER_OF(work, struct lambda__environment, work);
    if (!e->start.started) {
        start_failed(e);
        return;
    }
    e->begun = true;
    meter_part(e, METER_SANDBOX);
    e->output = new_output(e);
    open_listeners(e);
    lambda__output_line(e->output, "INIT_START Runtime Version: " STR_FMT "\n", STR_ARG(e->function->runtime));
    if (e->state == STARTING) {
        enter_state(e, INIT);
        uint64_t limit = e->second ? timeout_of(e) : e->parts->limits->init_ms;
        e->timer = loop_timer_start(loop_current(), limit, init_limit, e);
    } else if (!e->exited) {            /* killed meanwhile */
        e->parts->platform->sandbox_driver->kill(e->start.sandbox);
    }
    if (e->exited)
        wind_up(e);
}

/* Reported from the loop, not from inside the owner's call. */
static void run_start_failed(struct loop_task *task)
{
    start_failed(CONTAINER_OF(task, struct lambda__environment, work.task));
}

static void refuse_start(struct lambda__environment *e, struct str message)
{
    lambda__start_refuse(&e->start, "ServiceException", 500, message);
    e->work.task.run = run_start_failed;
    loop_post(loop_current(), &e->work.task);
}

static void code_there(struct lambda__environment *e)
{
    enum err err = e->want.err;
    e->has_code = err == ERR_OK;
    meter_part(e, METER_CODE);
    e->start.code_dir = e->want.dir;
    if (e->state == DYING) {            /* killed meanwhile */
        free_environment(e);
        return;
    }
    if (err != ERR_OK) {
        refuse_start(e, arena_printf(e->arena, "The function's code cannot be unpacked: %s.", err_text(err)));
        return;
    }
    e->work = (struct work){.run = run_start, .done = start_done, .loop = loop_current()};
    if (workers_submit(e->parts->platform->workers, LANE_START, &e->work) != ERR_OK)      /* else the worker may have it by now */
        refuse_start(e, STR("The server is too busy to start an environment."));
}

static void code_came(struct lambda__code_want *want)
{
    code_there(CONTAINER_OF(want, struct lambda__environment, want));
}

static struct str stream_name(struct arena *arena)
{
    struct str day = clock_iso8601(arena, clock_epoch_ms()), id = random_chars(arena, "0123456789abcdef", 32);
    return arena_printf(arena, "%.4s/%.2s/%.2s/[$LATEST]" STR_FMT, day.p, day.p + 5, day.p + 8, STR_ARG(id));
}

struct lambda__environment *lambda__environment_start(const struct lambda__environment_parts *parts, void *owner,
                                                      struct http_tenant *tenant, struct lambda__function *function, bool second)
{
    struct lambda__environment *e = mem_zalloc(sizeof *e);
    e->parts = parts;
    e->owner = owner;
    e->tenant = tenant;
    e->function = lambda__function_ref(function);
    e->arena = arena_new();
    e->second = second;
    e->pipes[0].fd = e->pipes[1].fd = -1;
    e->init_ms = -1;
    e->started_ns = e->phase_ns = clock_mono_ns();
    lambda__meter_enter(parts->meters, METER_STARTING);
    e->start = (struct lambda__start){.function = e->function, .arena = e->arena, .stream = stream_name(e->arena)};
    e->want = (struct lambda__code_want){.blob = e->function->blob, .loop = loop_current(), .done = code_came};
    if (lambda__code_acquire(parts->code, &e->want))
        code_there(e);
    return e;
}
