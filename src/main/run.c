/* run.c -- `cloudless run PROGRAM`: the function as an ordinary child process, with a Runtime API of its own on a port of
 * the loopback. No sandbox, no limits: gdb, valgrind and sanitizers work (`cloudless run --event e.json gdb ./bootstrap`).
 *
 * The child inherits the environment and this program's group, so that the terminal's Ctrl-C reaches a debugger; here it
 * is ignored. One event after the other; answers go to stdout, a line each, errors to stderr. After the last one the
 * child gets SIGTERM. Events come from files, or are the lines of stdin, read as they are asked for.
 * The hooks run on the one loop; the main thread waits for the child. `lock` guards what both touch. */
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/panic.h"
#include "main/command.h"
#include "sandbox/runtime_api.h"
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENT_BYTES_MAX (6u << 20)      /* Lambda quota: payload of a synchronous invocation */

struct run {
    const struct options *options;
    struct runtime_api *api;
    struct http_server *server;
    struct loop *loop;
    int listener;
    struct loop_task open_task, close_task;
    size_t next_file;
    char *event;                        /* the one that runs; malloc */
    size_t event_size;
    pthread_mutex_t lock;
    pthread_cond_t ended;               /* with `closed` */
    bool closed;
    pid_t child;                        /* 0 once it was waited for */
    bool finished;                      /* no more events: the child was told to end */
    bool failed;                        /* a function error, or an event that cannot be read */
};

/* ---- events ---- */

/* A file of one event, as a whole. */
static ssize_t read_file(struct run *run, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "cloudless: %s: %s\n", path, strerror(errno));
        return -1;
    }
    ssize_t n = getdelim(&run->event, &run->event_size, EOF, file);     /* byte 255 is in no JSON */
    if (file != stdin)
        fclose(file);
    if (n <= 0)
        fprintf(stderr, "cloudless: %s holds no event\n", path);
    return n > 0 ? n : -1;
}

/* The next event into run->event: its length, 0 when there are no more, -1 when it cannot be read. */
static ssize_t next_event(struct run *run)
{
    if (run->options->event_count > 0)
        return run->next_file < run->options->event_count ? read_file(run, run->options->events[run->next_file++]) : 0;
    ssize_t n;
    do
        n = getline(&run->event, &run->event_size, stdin);
    while (n > 0 && str_trim((struct str){run->event, (size_t)n}).n == 0);
    return n > 0 ? n : 0;
}

static void finish(struct run *run, bool failed)
{
    pthread_mutex_lock(&run->lock);
    run->failed = run->failed || failed;
    run->finished = true;
    if (run->child > 0)
        kill(run->child, SIGTERM);
    pthread_mutex_unlock(&run->lock);
}

static void send_event(struct run *run, struct str payload)
{
    struct arena *arena = arena_new();
    uint8_t random[12];
    char hex[25];
    random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(hex + 2 * i, 3, "%02x", random[i]);
    int64_t now = clock_epoch_ms();
    struct runtime_event event = {.request_id = uuid4(arena), .function_arn = STR("arn:aws:lambda:us-east-1:000000000000:function:local"),
        .trace_id = arena_printf(arena, "Root=1-%08x-%s", (unsigned)(now / 1000), hex), .payload = payload,
        .deadline_ms = now + (int64_t)run->options->timeout_s * 1000};
    ENSURE(runtime_api_send(run->api, &event) == ERR_OK);
    arena_free(arena);
}

/* ---- the Runtime API's hooks, on the loop ---- */

static void on_ready(void *arg)
{
    struct run *run = arg;
    ssize_t n = next_event(run);
    if (n <= 0) {
        finish(run, n < 0);
    } else if ((size_t)n > EVENT_BYTES_MAX) {
        fprintf(stderr, "cloudless: the event has %zd bytes, more than Lambda's 6 MB\n", n);
        finish(run, true);
    } else {
        send_event(run, str_trim((struct str){run->event, (size_t)n}));
    }
}

static void print_line(FILE *to, struct str text)
{
    fwrite(text.p, 1, text.n, to);
    fputc('\n', to);
    fflush(to);
}

static void on_response(void *arg, struct str id, struct str body)
{
    (void)arg, (void)id;
    print_line(stdout, body);
}

static void fail_with(struct run *run, const char *what, struct str type, struct str body)
{
    fprintf(stderr, "cloudless: %s " STR_FMT ": ", what, STR_ARG(type));
    print_line(stderr, body);
    pthread_mutex_lock(&run->lock);
    run->failed = true;
    pthread_mutex_unlock(&run->lock);
}

static void on_error(void *arg, struct str id, struct str type, struct str body)
{
    (void)id;
    fail_with(arg, "function error", type, body);
}

static void on_init_error(void *arg, struct str type, struct str body)
{
    fail_with(arg, "initialisation error", type, body);
}

static void on_too_large(void *arg, struct str id, size_t bytes)
{
    (void)id;
    char text[64];
    snprintf(text, sizeof text, "%zu bytes, the limit is %d", bytes, RUNTIME_RESPONSE_BYTES_MAX);
    fail_with(arg, "the answer is too large:", STR("Function.ResponseSizeTooLarge"), str_of(text));
}

static void on_closed(void *arg)
{
    struct run *run = arg;
    pthread_mutex_lock(&run->lock);
    run->closed = true;
    pthread_cond_signal(&run->ended);
    pthread_mutex_unlock(&run->lock);
}

static void open_api(struct loop_task *task)
{
    struct run *run = CONTAINER_OF(task, struct run, open_task);
    struct runtime_api_hooks hooks = {.ready = on_ready, .response = on_response, .error = on_error, .init_error = on_init_error,
                                      .too_large = on_too_large, .closed = on_closed, .arg = run};
    ENSURE(runtime_api_open(run->server, run->loop, run->listener, &hooks, &run->api) == ERR_OK);
}

static void close_api(struct loop_task *task)
{
    runtime_api_close(CONTAINER_OF(task, struct run, close_task)->api);
}

/* ---- the child ---- */

static void set_default(const char *name, const char *value)
{
    setenv(name, value, 0);
}

static _Noreturn void become(const struct options *options, const char *api)
{
    char folder[PATH_MAX];
    setenv("AWS_LAMBDA_RUNTIME_API", api, 1);
    set_default("AWS_LAMBDA_FUNCTION_NAME", "local");
    set_default("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
    set_default("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128");
    set_default("AWS_REGION", options->region);
    set_default("AWS_DEFAULT_REGION", options->region);
    set_default("_HANDLER", "bootstrap");
    if (getcwd(folder, sizeof folder))
        set_default("LAMBDA_TASK_ROOT", folder);
    signal(SIGINT, SIG_DFL);
    execvp(options->words[0], options->words);
    fprintf(stderr, "cloudless: %s: %s\n", options->words[0], strerror(errno));
    _exit(127);
}

static int wait_for_child(struct run *run, const char *name)
{
    int status;
    while (waitpid(run->child, &status, 0) < 0)
        ENSURE(errno == EINTR);
    pthread_mutex_lock(&run->lock);
    run->child = 0;
    bool ended_by_us = run->finished && ((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM));
    bool failed = run->failed || !ended_by_us;
    pthread_mutex_unlock(&run->lock);
    if (ended_by_us)
        return failed ? EXIT_FAILED : EXIT_FINE;
    if (WIFSIGNALED(status))
        fprintf(stderr, "cloudless: %s ended by signal %d (%s)\n", name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        fprintf(stderr, "cloudless: %s ended with exit status %d%s\n", name, WEXITSTATUS(status), run->finished ? "" : " before the last event");
    return EXIT_FAILED;
}

int command_run(const struct options *options, struct arena *arena)
{
    struct run run = {.options = options, .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER,
                      .open_task.run = open_api, .close_task.run = close_api};
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    if (http_bind(STR("127.0.0.1:0"), &run.listener) != ERR_OK || getsockname(run.listener, (struct sockaddr *)&address, &length) != 0) {
        fprintf(stderr, "cloudless: no port of 127.0.0.1 can be had: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    const char *api = arena_printf(arena, "127.0.0.1:%d", ntohs(address.sin_port)).p;
    signal(SIGINT, SIG_IGN);
    run.child = fork();             /* before there are threads */
    if (run.child < 0) {
        fprintf(stderr, "cloudless: no process can be started: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    if (run.child == 0)
        become(options, api);
    struct loops *loops = loops_new(1);
    run.server = http_server_new(loops);
    run.loop = loops_at(loops, 0);
    loop_post(run.loop, &run.open_task);
    loops_start(loops);
    int status = wait_for_child(&run, options->words[0]);
    loop_post(run.loop, &run.close_task);
    pthread_mutex_lock(&run.lock);
    while (!run.closed)
        pthread_cond_wait(&run.ended, &run.lock);
    pthread_mutex_unlock(&run.lock);
    loops_stop(loops);
    http_server_free(run.server);
    loops_free(loops);
    free(run.event);
    return status;
}
