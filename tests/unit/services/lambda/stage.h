/* stage.h -- Lambda with a scripted sandbox, for the tests of its data plane. Each test program has one stage at a time.
 *
 * The sandbox's driver is a script: starting succeeds, fails or waits at a gate; the runtime (a thread that speaks HTTP to the
 * environment's listener) asks for work, reports an error, exits or hangs, and answers as its act says. A function's acts are
 * played one a start, the last one again and again. Everything else is real: store, IAM, code, loops, workers, HTTP.
 * `lock` guards what is counted; `changed` wakes who waits for a count: no test waits for the clock. */
#ifndef TESTS_LAMBDA_STAGE_H
#define TESTS_LAMBDA_STAGE_H
#include "auth/auth.h"
#include "base/clock.h"
#include "base/panic.h"
#include "services/iam/iam.h"
#include "services/lambda/code.h"
#include "services/lambda/function_doc.h"
#include "services/lambda/lambda.h"
#include "services/lambda/lambda_invoke.h"
#include "services/lambda/lambda_parts.h"
#include "services/lambda/pool.h"
#include "services/logs/logs.h"
#include "store/blob.h"
#include "store/doc.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "zip.h"

#define ACCOUNT_TEXT "000000000000"
#define ACCOUNT STR(ACCOUNT_TEXT)
#define REGION STR("us-east-1")
#define FUNCTIONS_MAX 16
#define WAIT_S_MAX 60           /* a test that waits longer has failed */

enum act_init { INIT_ASKS, INIT_REPORTS_ERROR, INIT_EXITS, INIT_HANGS };
enum act_answer {
    ANSWER_ECHO,
    ANSWER_ERROR,
    ANSWER_DIES,
    ANSWER_NEVER,
    ANSWER_TWICE,
    ANSWER_THEN_EXITS,
    ANSWER_OTHERS,
    ANSWER_HALF
};
struct act {
    enum err start;             /* of the driver's start */
    bool start_waits;           /* before that, for gate_start */
    enum act_init init;
    enum act_answer answer;
    bool answer_waits;          /* before that, for gate_answer */
};
struct script {
    const char *function;
    struct act acts[4];
    size_t act_count, played;
};

static struct stage {
    char dir[64];
    struct arena *arena;
    struct store *store;
    struct blobs *blobs;
    struct auth *auth;
    struct loops *loops;
    struct workers *workers;
    struct http_server *http;
    struct services *services;
    struct platform_options platform_options;
    struct platform platform;
    struct lambda *lambda;
    struct lambda__limits limits;
    bool stopped;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool gate_start, gate_answer;               /* open? */
    struct script scripts[FUNCTIONS_MAX];
    size_t script_count;
    size_t starts, running, running_most;       /* sandboxes: asked for, not yet freed, the most of these at a time */
    size_t at_start, at_answer;                 /* wait at a gate */
    size_t invocations_played, kills;
} *stage;

static inline bool stage_wait(bool (*holds)(size_t value), size_t value)
{
    struct timespec until = clock_deadline(WAIT_S_MAX * 1000);
    pthread_mutex_lock(&stage->lock);
    int r = 0;
    while (!holds(value) && r == 0)
        r = pthread_cond_clockwait(&stage->changed, &stage->lock, CLOCK_MONOTONIC, &until);
    bool held = holds(value);
    pthread_mutex_unlock(&stage->lock);
    return held;
}

static inline bool answers_wait(size_t count)
{
    return stage->at_answer >= count;
}

static inline bool starts_wait(size_t count)
{
    return stage->at_start >= count;
}

static inline bool running_is(size_t count)
{
    return stage->running == count;
}

static inline bool starts_are(size_t count)
{
    return stage->starts >= count;
}

static inline size_t stage_count(const size_t *of)
{
    pthread_mutex_lock(&stage->lock);
    size_t count = *of;
    pthread_mutex_unlock(&stage->lock);
    return count;
}

static inline void gate_open(bool *gate, bool open)
{
    pthread_mutex_lock(&stage->lock);
    *gate = open;
    pthread_cond_broadcast(&stage->changed);
    pthread_mutex_unlock(&stage->lock);
}

/* ---- the scripted sandbox ---- */

struct sandbox {
    struct act act;
    struct sandbox_hooks hooks;
    struct sandbox_exit exit;
    struct loop_task task;
    pthread_t runtime;
    int listener[2], output[2], kill_fd;
    int port;
    bool killed;                /* under the stage's lock */
};

static int listen_somewhere(int *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    ENSURE(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 16) == 0 &&
           getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

/* False: killed meanwhile. */
static bool wait_at_gate(struct sandbox *sandbox, const bool *gate, size_t *waiting)
{
    pthread_mutex_lock(&stage->lock);
    ++*waiting;
    pthread_cond_broadcast(&stage->changed);
    while (!*gate && !(sandbox && sandbox->killed))
        pthread_cond_wait(&stage->changed, &stage->lock);
    --*waiting;
    bool alive = !(sandbox && sandbox->killed);
    pthread_mutex_unlock(&stage->lock);
    return alive;
}

/* Bytes that came; 0: the other side closed, or the sandbox was killed. */
static ssize_t runtime_read(struct sandbox *sandbox, int fd, char *bytes, size_t max)
{
    struct pollfd both[] = {{fd, POLLIN, 0}, {sandbox->kill_fd, POLLIN, 0}};
    while (poll(both, 2, -1) < 0)
        ;
    if (both[1].revents)
        return 0;
    ssize_t n = recv(fd, bytes, max, 0);
    return n > 0 ? n : 0;
}

static bool runtime_send(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool runtime_send(int fd, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ENSURE(n > 0 && (size_t)n < sizeof text);
    return send(fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

/* A whole answer; its status, or 0. */
static int runtime_receive(struct sandbox *sandbox, int fd, char text[8192])
{
    size_t have = 0;
    for (;;) {
        ssize_t n = runtime_read(sandbox, fd, text + have, 8191 - have);
        if (n == 0)
            return 0;
        have += (size_t)n;
        text[have] = '\0';
        char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (end && (size_t)(end + 4 - text) + (length ? strtoul(length + 15, NULL, 10) : 0) <= have)
            return atoi(text + 9);
    }
}

static bool post_to(struct sandbox *sandbox, int fd, const char *path, const char *body)
{
    char answer[8192];
    return runtime_send(fd, "POST /2018-06-01/runtime/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", path, strlen(body),
                        body) &&
           runtime_receive(sandbox, fd, answer) != 0;
}

/* One invocation; false: it was the last. */
static bool runtime_serve(struct sandbox *sandbox, int fd)
{
    char event[8192], id[128] = "", path[200];
    if (!runtime_send(fd, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n") ||
        runtime_receive(sandbox, fd, event) != 200)
        return false;
    const char *body = strstr(event, "\r\n\r\n") + 4, *at = strcasestr(event, "lambda-runtime-aws-request-id:");
    ENSURE(sscanf(at + 30, " %127[^\r]", id) == 1);
    pthread_mutex_lock(&stage->lock);
    stage->invocations_played++;
    pthread_mutex_unlock(&stage->lock);
    dprintf(sandbox->output[1], "printed for %s\n", id);
    if (sandbox->act.answer_waits && !wait_at_gate(sandbox, &stage->gate_answer, &stage->at_answer))
        return false;
    snprintf(path, sizeof path, "invocation/%s/response", id);
    switch (sandbox->act.answer) {
    case ANSWER_ECHO:
        return post_to(sandbox, fd, path, body);
    case ANSWER_ERROR:
        snprintf(path, sizeof path, "invocation/%s/error", id);
        return post_to(sandbox, fd, path, "{\"errorMessage\":\"scripted\",\"errorType\":\"Scripted\"}");
    case ANSWER_DIES:
        sandbox->exit = (struct sandbox_exit){.status = -1, .signal = SIGSEGV};
        return false;
    case ANSWER_NEVER: {
        char nothing;
        return runtime_read(sandbox, fd, &nothing, 1) > 0;
    }
    case ANSWER_TWICE:
        return post_to(sandbox, fd, path, body) && post_to(sandbox, fd, path, "\"once more\"");
    case ANSWER_THEN_EXITS:
        post_to(sandbox, fd, path, body);
        return false;
    case ANSWER_OTHERS:
        return post_to(sandbox, fd, "invocation/00000000-0000-0000-0000-000000000000/response", "\"for another\"") &&
               post_to(sandbox, fd, path, body);
    case ANSWER_HALF:
        runtime_send(fd, "POST /2018-06-01/runtime/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nthe half", path);
        sandbox->exit = (struct sandbox_exit){.status = 7};
        return false;
    }
    return false;
}

static void tell_exit(struct loop_task *task)
{
    struct sandbox *sandbox = CONTAINER_OF(task, struct sandbox, task);
    sandbox->hooks.exited(sandbox, &sandbox->exit, sandbox->hooks.arg);
}

static void *runtime_main(void *arg)
{
    struct sandbox *sandbox = arg;
    char nothing;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)sandbox->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ENSURE(connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
    switch (sandbox->act.init) {
    case INIT_ASKS:
        while (runtime_serve(sandbox, fd))
            ;
        break;
    case INIT_REPORTS_ERROR:
        post_to(sandbox, fd, "init/error", "{\"errorMessage\":\"no such module\",\"errorType\":\"Runtime.ImportModuleError\"}");
        sandbox->exit.status = 1;
        break;
    case INIT_EXITS:
        sandbox->exit.status = 3;
        break;
    case INIT_HANGS:
        runtime_read(sandbox, fd, &nothing, 1);
        break;
    }
    close(fd);
    close(sandbox->output[1]);
    pthread_mutex_lock(&stage->lock);
    if (sandbox->killed)
        sandbox->exit = (struct sandbox_exit){.status = -1, .signal = SIGKILL, .killed_by_us = true};
    pthread_mutex_unlock(&stage->lock);
    sandbox->task.run = tell_exit;
    loop_post(sandbox->hooks.loop, &sandbox->task);
    return NULL;
}

static struct act next_act(const struct sandbox_spec *spec)
{
    static const char name[] = "AWS_LAMBDA_FUNCTION_NAME=";
    struct act act = {.start = ERR_OK};
    for (const char *const *variable = spec->env; *variable; variable++)
        for (size_t i = 0; i < stage->script_count && strncmp(*variable, name, sizeof name - 1) == 0; i++) {
            struct script *script = &stage->scripts[i];
            if (strcmp(script->function, *variable + sizeof name - 1) == 0)
                act = script->acts[script->played < script->act_count ? script->played++ : script->act_count - 1];
        }
    return act;
}

static void count_running(int change)
{
    pthread_mutex_lock(&stage->lock);
    stage->running += (size_t)change;
    if (stage->running > stage->running_most)
        stage->running_most = stage->running;
    pthread_cond_broadcast(&stage->changed);
    pthread_mutex_unlock(&stage->lock);
}

static enum err script_start(struct sandbox_host *host, const struct sandbox_spec *spec, const struct sandbox_hooks *hooks,
                             struct sandbox **ret)
{
    struct sandbox *sandbox = calloc(1, sizeof *sandbox);
    int unused;
    (void)host;
    pthread_mutex_lock(&stage->lock);
    sandbox->act = next_act(spec);
    stage->starts++;
    pthread_mutex_unlock(&stage->lock);
    count_running(1);
    if (sandbox->act.start_waits)
        wait_at_gate(NULL, &stage->gate_start, &stage->at_start);
    if (sandbox->act.start != ERR_OK) {
        enum err err = sandbox->act.start;
        free(sandbox);
        count_running(-1);
        return err;
    }
    sandbox->hooks = *hooks;
    sandbox->listener[0] = listen_somewhere(&sandbox->port);
    sandbox->listener[1] = listen_somewhere(&unused);
    ENSURE(pipe2(sandbox->output, O_CLOEXEC | O_NONBLOCK) == 0);
    sandbox->kill_fd = eventfd(0, EFD_CLOEXEC);
    *ret = sandbox;
    ENSURE(pthread_create(&sandbox->runtime, NULL, runtime_main, sandbox) == 0);
    return ERR_OK;
}

static int script_take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

static int script_take_runtime_listener(struct sandbox *sandbox)
{
    return script_take(&sandbox->listener[0]);
}

static int script_take_aws_listener(struct sandbox *sandbox)
{
    return script_take(&sandbox->listener[1]);
}

static int script_take_output(struct sandbox *sandbox)
{
    return script_take(&sandbox->output[0]);
}

static int script_take_log(struct sandbox *sandbox)
{
    (void)sandbox;
    return -1;
}

static size_t script_memory_peak(struct sandbox *sandbox)
{
    (void)sandbox;
    return 42u << 20;
}

static void script_kill(struct sandbox *sandbox)
{
    uint64_t one = 1;
    pthread_mutex_lock(&stage->lock);
    sandbox->killed = true;
    stage->kills++;
    pthread_cond_broadcast(&stage->changed);
    pthread_mutex_unlock(&stage->lock);
    ENSURE(write(sandbox->kill_fd, &one, sizeof one) == sizeof one);
}

static void script_free(struct sandbox **sandbox)
{
    struct sandbox *one = *sandbox;
    *sandbox = NULL;
    if (!one)
        return;
    pthread_join(one->runtime, NULL);
    for (int i = 0; i < 2; i++)
        if (one->listener[i] >= 0)
            close(one->listener[i]);
    if (one->output[0] >= 0)
        close(one->output[0]);
    close(one->kill_fd);
    free(one);
    count_running(-1);
}

static const struct sandbox_driver script_driver = {
    .name = "script",
    .start = script_start,
    .take_runtime_listener = script_take_runtime_listener,
    .take_aws_listener = script_take_aws_listener,
    .take_output = script_take_output,
    .take_log = script_take_log,
    .memory_peak = script_memory_peak,
    .kill = script_kill,
    .free = script_free,
};

/* ---- functions ---- */

struct placing {
    const char *name;
    struct str blob, revision;
    int64_t timeout_s;
};

static enum err place_function(struct store_txn *txn, void *arg)
{
    const struct placing *placing = arg;
    struct arena *arena = arena_new();
    struct json *doc = json_new(arena, JSON_OBJECT), *config = json_add_object(arena, doc, "config");
    json_add_str(arena, config, "FunctionName", str_of(placing->name));
    json_add_str(arena, config, "FunctionArn",
                 arena_printf(arena, "arn:aws:lambda:us-east-1:000000000000:function:%s", placing->name));
    json_add_str(arena, config, "Runtime", STR("provided.al2023"));
    json_add_str(arena, config, "Role", STR("arn:aws:iam::000000000000:role/r"));
    json_add_i64(arena, config, "Timeout", placing->timeout_s);
    json_add_str(arena, config, "RevisionId", placing->revision);
    json_add_str(arena, doc, "blob", placing->blob);
    doc_put(txn, lambda__key(arena, ACCOUNT, REGION, str_of(placing->name)), doc, arena);
    arena_free(arena);
    return ERR_OK;
}

/* The function of that name, new or changed. */
static void put_function(const char *name, int64_t timeout_s)
{
    struct placing placing = {.name = name, .revision = uuid4(stage->arena), .timeout_s = timeout_s};
    ENSURE(blob_put(stage->blobs, zip_of(stage->arena, "bootstrap", 16, '#'), stage->arena, &placing.blob) == ERR_OK);
    ENSURE(store_mutate(stage->store, place_function, &placing) == ERR_OK);
    lambda__pools_changed(stage->lambda->pools, ACCOUNT, REGION, str_of(name));
}

static enum err remove_place(struct store_txn *txn, void *arg)
{
    struct arena *arena = arena_new();
    store_delete(txn, lambda__key(arena, ACCOUNT, REGION, str_of(arg)));
    arena_free(arena);
    return ERR_OK;
}

static inline void remove_function(char *name)
{
    ENSURE(store_mutate(stage->store, remove_place, name) == ERR_OK);
    lambda__pools_changed(stage->lambda->pools, ACCOUNT, REGION, str_of(name));
}

/* A function with what its sandboxes play, the last act again and again. */
static inline struct script *put_script(const char *name, int64_t timeout_s, size_t count, const struct act *acts)
{
    ENSURE(stage->script_count < FUNCTIONS_MAX && count <= COUNT_OF(stage->scripts[0].acts));
    pthread_mutex_lock(&stage->lock);
    struct script *script = &stage->scripts[stage->script_count++];
    *script = (struct script){.function = name, .act_count = count};
    memcpy(script->acts, acts, count * sizeof *acts);
    pthread_mutex_unlock(&stage->lock);
    put_function(name, timeout_s);
    return script;
}

#define PLAY(name, timeout_s, ...)                                                                 \
    put_script(name, timeout_s, COUNT_OF(((struct act[]){__VA_ARGS__})), (struct act[]){__VA_ARGS__})

static enum err place_role(struct store_txn *txn, void *arg)
{
    struct arena *arena = arena_new();
    struct json *doc = json_new(arena, JSON_OBJECT);
    (void)arg;
    json_add_str(arena, doc, "Name", STR("r"));
    json_add_str(arena, doc, "Path", STR("/"));
    json_add_str(arena, doc, "Id", STR("AROATESTTESTTESTTEST0"));
    json_add_str(arena, doc, "Trust", STR("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":"
                                          "{\"Service\":\"lambda.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}}"));
    doc_put(txn, (struct store_key){IAM_SPACE, doc_collection(arena, ACCOUNT, STR("aws-global"), "roles"), STR("r")}, doc, arena);
    arena_free(arena);
    return ERR_OK;
}

/* ---- invocations ---- */

struct asked {
    struct lambda__invocation i;
    struct arena *arena;
    bool on_its_loop;
    size_t ended;               /* under the stage's lock; 1 in the end */
};

static void asked_done(struct lambda__invocation *invocation)
{
    struct asked *asked = invocation->arg;
    pthread_mutex_lock(&stage->lock);
    asked->on_its_loop = loop_current() == invocation->loop;
    asked->ended++;
    pthread_cond_broadcast(&stage->changed);
    pthread_mutex_unlock(&stage->lock);
}

/* `given`: which function, and what else an invocation has; the rest is made here. */
static void ask_with(struct asked *asked, struct lambda__invocation given)
{
    *asked = (struct asked){.i = given, .arena = arena_new()};
    asked->i.loop = loops_next(stage->loops);
    asked->i.arena = asked->arena;
    asked->i.account = ACCOUNT;
    asked->i.region = REGION;
    asked->i.payload = given.payload.n ? given.payload : STR("{}");
    asked->i.done = asked_done;
    asked->i.arg = asked;
    lambda__invoke(stage->lambda, &asked->i);
}

static void ask_function(struct asked *asked, const char *function, const char *payload)
{
    ask_with(asked, (struct lambda__invocation){.function = str_of(function), .payload = str_of(payload)});
}

static bool await_asked(struct asked *asked)
{
    struct timespec until = clock_deadline(WAIT_S_MAX * 1000);
    pthread_mutex_lock(&stage->lock);
    int r = 0;
    while (asked->ended == 0 && r == 0)
        r = pthread_cond_clockwait(&stage->changed, &stage->lock, CLOCK_MONOTONIC, &until);
    bool once = asked->ended == 1 && asked->on_its_loop;
    pthread_mutex_unlock(&stage->lock);
    return once;
}

/* It ended once, and nothing more comes: checked again when everything is down. */
static void free_asked(struct asked *asked)
{
    assert_int_equal(asked->ended, 1);
    arena_free(asked->arena);
}

static inline void invoke_answered(const char *function, const char *payload)
{
    struct asked asked;
    ask_function(&asked, function, payload);
    assert_true(await_asked(&asked));
    assert_int_equal(asked.i.outcome, EVENT_ANSWERED);
    assert_true(str_eq(asked.i.answer, str_of(payload)));
    free_asked(&asked);
}

/* The function's error has this in its payload. */
static inline void invoke_fails(const char *function, const char *with)
{
    struct asked asked;
    ask_function(&asked, function, "{}");
    assert_true(await_asked(&asked));
    assert_int_equal(asked.i.outcome, EVENT_FAILED);
    assert_string_equal(asked.i.function_error, "Unhandled");
    if (!memmem(asked.i.answer.p, asked.i.answer.n, with, strlen(with)))
        fail_msg(STR_FMT " has no %s", STR_ARG(asked.i.answer), with);
    free_asked(&asked);
}

static inline void invoke_refused(const char *function, const char *code, int status)
{
    struct asked asked;
    ask_function(&asked, function, "{}");
    assert_true(await_asked(&asked));
    assert_int_equal(asked.i.outcome, EVENT_REFUSED);
    assert_string_equal(asked.i.error_code, code);
    assert_int_equal(asked.i.error_status, status);
    free_asked(&asked);
}

/* ---- life ---- */

static void no_aws(struct http_request *request, void *arg)
{
    (void)arg;
    http_respond_text(request, 501, "text/plain", STR("none"));
}

/* Times that no test reaches by itself. */
static const struct lambda__limits patient = {
    .environments_max = 16,
    .starts_max = 4,
    .queue_wait_ms = 1,
    .init_ms = 600000,
    .init_error_ms = 600000,
    .idle_ms = 600000,
    .second_ms = 1000,
    .permission_ms = 0, /* asked with each line */
    .request_bytes_max = 2 << 20,
    .zip_bytes_max = 1 << 20,
    .unzipped_bytes_max = 1 << 20,
};

static const char *stage_engine; /* of the next stage's store; NULL: the default */

static void stage_open(size_t loops, const struct lambda__limits *limits, size_t concurrency_max)
{
    static const struct service *const played[] = {&iam_service, &lambda_service, &logs_service, NULL};
    struct str message;
    const char *failed;
    stage = calloc(1, sizeof *stage);
    pthread_mutex_init(&stage->lock, NULL);
    pthread_cond_init(&stage->changed, NULL);
    strcpy(stage->dir, "/tmp/cloudless-stage-XXXXXX");
    ENSURE(mkdtemp(stage->dir));
    stage->arena = arena_new();
    ENSURE(store_open(&(struct store_options){.dir = arena_printf(stage->arena, "%s/store", stage->dir).p, .engine = stage_engine},
                      stage->arena, &stage->store, &message) == ERR_OK);
    ENSURE(blobs_open(stage->dir, &stage->blobs) == ERR_OK);
    stage->loops = loops_new(loops);
    ENSURE(auth_new(stage->store, loops, &stage->auth) == ERR_OK);
    ENSURE(store_mutate(stage->store, place_role, NULL) == ERR_OK);
    stage->workers = workers_new(NULL);
    stage->http = http_server_new(stage->loops);
    stage->limits = limits ? *limits : patient;
    stage->platform_options = (struct platform_options){.account = ACCOUNT_TEXT,
                                                        .cache_dir = arena_printf(stage->arena, "%s/cache", stage->dir).p,
                                                        .runtimes_dir = "/nowhere",
                                                        .concurrency_max = concurrency_max,
                                                        .environments_max = stage->limits.environments_max};
    stage->services = services_new(played);
    stage->platform = (struct platform){
        .options = &stage->platform_options,
        .store = stage->store,
        .blobs = stage->blobs,
        .auth = stage->auth,
        .loops = stage->loops,
        .workers = stage->workers,
        .http = stage->http,
        .services = stage->services,
        .sandbox_driver = &script_driver,
        .sandboxes = (struct sandbox_host *)stage,
        .inside = {.handler = no_aws, .body_max = 16u << 20, .watched = true},
    };
    ENSURE(services_open(stage->services, &stage->platform, &failed) == ERR_OK);
    stage->lambda = services_state(stage->services, "lambda");
    stage->limits.environments_max = stage->lambda->limits.environments_max;
    stage->lambda->limits = stage->limits;
    services_start(stage->services);
    loops_start(stage->loops);
}

/* Everything ends, whatever still runs. What was asked can be looked at afterwards, before stage_close. */
static void stage_stop(void)
{
    if (stage->stopped)
        return;
    stage->stopped = true;
    services_stop(stage->services);
    workers_stop(stage->workers);
    loops_stop(stage->loops);
    assert_int_equal(stage->running, 0);
}

static void stage_close(void)
{
    char *command = NULL;
    stage_stop();
    workers_free(stage->workers);
    services_close(stage->services);
    services_free(stage->services);
    store_close(stage->store);
    http_server_free(stage->http);
    loops_free(stage->loops);
    auth_free(stage->auth);
    blobs_close(stage->blobs);
    ENSURE(asprintf(&command, "rm -rf %s", stage->dir) > 0 && system(command) == 0);
    free(command);
    arena_free(stage->arena);
    pthread_cond_destroy(&stage->changed);
    pthread_mutex_destroy(&stage->lock);
    free(stage);
    stage = NULL;
}
#endif
