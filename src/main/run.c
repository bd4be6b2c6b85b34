/* run.c -- `cloudless run PROGRAM`: the function as an ordinary child process, with a Runtime API of its own on a port of
 * the loopback. No sandbox, no limits: gdb, valgrind and sanitizers work (`cloudless run --event e.json gdb ./bootstrap`).
 *
 * One event after the other (run_input.c); answers go to stdout, a line each, errors to stderr. Everything runs on one
 * loop: the Runtime API, what comes from stdin, timers, and the signals, among them the child's end. The main thread starts
 * the child, then the loop, and waits for `over`, the only thing that they share.
 *
 * Who asks: the child may be a debugger or a script, with the function's process somewhere below it. The process at the
 * other end of the connection is looked up (run_peer.c); another one than before is the program started afresh, and gets
 * the event that it left open once more. After the last event the asker gets SIGTERM, as in Lambda; under a debugger, which
 * would stop there, the answer 410 instead, and a program that is started again there begins with the first file.
 *
 * The end, without a debugger: the asker has a grace, then it is killed. The child around it may still clean up, or write
 * its report: it has the same grace, which begins anew when the asker had to be killed.
 *
 * Signals: the child shares this program's group, so that the terminal's Ctrl-C reaches it; here it is ignored. SIGTERM and
 * SIGHUP are passed on, with a grace. Should this process be killed, so is the child. */
#include "main/run.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/panic.h"
#include "sandbox/runtime_api.h"
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_GRACE_MS 2000      /* after a signal to us, as Lambda gives at its shutdown */
#define END_GRACE_MS  10000     /* after the last event, and for what lives on: tools that look for leaks take their time */

struct run {
    const struct options *options;
    struct runtime_api *api;
    struct http_server *server;
    struct loop *loop;
    int listener, signals;
    uint16_t port;
    sigset_t mask_before;
    void (*interrupt_before)(int);
    struct loop_task open_task;
    struct loop_watch *input_watch, *signal_watch, *asker_watch;
    struct loop_timer *late, *grace;

    struct run_input input;
    struct str event;                   /* in input; the one that runs if `open` */
    bool open, said_terminal;
    bool finished;                      /* no more events: the program was told to end */
    bool failed;                        /* a function error, or an event that cannot be read */

    pid_t child, asker;                 /* child: 0 once it has ended; asker: of the last GET next, 0: unknown */
    int asker_fd;                       /* its pidfd, -1 */
    uint16_t asker_port;
    bool afresh;                        /* the last GET next came from another process than the one before */
    int stop_signal;                    /* that we were told to end with; 0 */
    int status;                         /* our exit status */

    pthread_mutex_t lock;               /* of `over` */
    pthread_cond_t ended;
    bool over;
};

/* ---- the processes ---- */

static void signal_child(const struct run *run, int number)
{
    if (run->child > 0)
        kill(run->child, number);
}

static void signal_asker(const struct run *run, int number)
{
    if (run->asker_fd >= 0)
        syscall(SYS_pidfd_send_signal, run->asker_fd, number, NULL, 0);
}

static bool asker_lives(const struct run *run)
{
    struct pollfd end = {.fd = run->asker_fd, .events = POLLIN};
    return run->asker_fd >= 0 && poll(&end, 1, 0) == 0;
}

static bool is_debugged(const struct run *run)
{
    return run->asker > 0 && run_traced(run->asker);
}

static void kill_all(void *arg)
{
    struct run *run = arg;
    run->grace = NULL;
    signal_child(run, SIGKILL);
    signal_asker(run, SIGKILL);
}

static void start_grace(struct run *run, uint64_t ms, void (*fire)(void *arg))
{
    loop_timer_cancel(&run->grace);
    run->grace = loop_timer_start(run->loop, ms, fire, run);
}

static void kill_child(void *arg)
{
    struct run *run = arg;
    fprintf(stderr, "cloudless: %s does not end; it is killed\n", run->options->words[0]);
    kill_all(run);
}

/* The asker if it lives below the child, or after it; then the child has its time. Else the child. */
static void kill_asker(void *arg)
{
    struct run *run = arg;
    if (!asker_lives(run) || run->asker == run->child) {
        kill_child(run);
        return;
    }
    fprintf(stderr, "cloudless: process %d, started by %s, does not end; it is killed\n", (int)run->asker, run->options->words[0]);
    signal_asker(run, SIGKILL);
    run->failed = true;
    run->grace = NULL;
    start_grace(run, END_GRACE_MS, kill_child);
}

/* There are no more events. A grace that runs goes on: what starts the program for ever gets no more time. */
static void run_finish(struct run *run, bool failed)
{
    bool again = run->finished;
    run->failed = run->failed || failed;
    run->finished = true;
    if (run->child == 0 || is_debugged(run)) { /* 0: what was to be told to end was told; see run_child_ended() */
        runtime_api_dismiss(run->api);
        return;
    }
    signal_asker(run, SIGTERM);
    if (run->asker_fd < 0 || again)                 /* again: what stands between starts the program anew */
        signal_child(run, SIGTERM);
    if (!run->grace)
        start_grace(run, END_GRACE_MS, kill_asker);
}

/* ---- events ---- */

static void is_late(void *arg)
{
    struct run *run = arg;
    run->late = NULL;
    fprintf(stderr, "cloudless: %s: no answer after %llu s, the time of --timeout; Lambda would end the function now\n",
            run->input.where, (unsigned long long)run->options->timeout_s);
}

static void send_event(struct run *run)
{
    struct arena *arena = arena_new();
    uint8_t random[ID_TRACE_BYTES];
    random_bytes(random, sizeof random);
    int64_t now = clock_epoch_ms();
    struct runtime_event event = {.request_id = uuid4(arena),
                                  .function_arn = STR("arn:aws:lambda:us-east-1:000000000000:function:local"),
                                  .trace_id = id_trace_root(arena, now, random),
                                  .payload = run->event,
                                  .deadline_ms = now + (int64_t)run->options->timeout_s * 1000};
    ENSURE(runtime_api_send(run->api, &event) == ERR_OK);
    arena_free(arena);
    run->open = true;
    loop_timer_cancel(&run->late);
    run->late = loop_timer_start(run->loop, run->options->timeout_s * 1000, is_late, run);
}

static void next_event(struct run *run);

static void on_input(int fd, void *arg)
{
    struct run *run = arg;
    (void)fd;
    loop_watch_stop(&run->input_watch);
    next_event(run);
}

static void wait_for_input(struct run *run)
{
    if (!run->said_terminal && isatty(STDIN_FILENO))
        fputs("cloudless: events come from this terminal: JSON, one a line; Ctrl-D ends. (Options of run stand before the "
              "program.)\n",
              stderr);
    run->said_terminal = true;
    run->input_watch = loop_watch_start(run->loop, run->input.wait_fd, on_input, run);
}

static void next_event(struct run *run)
{
    enum run_got got = run_input_next(&run->input, &run->event);
    if (got == RUN_EVENT)
        send_event(run);
    else if (got == RUN_WAIT)
        wait_for_input(run);
    else
        run_finish(run, got == RUN_WRONG);
}

/* ---- the Runtime API's hooks ---- */

static bool on_asked(void *arg, uint16_t port)
{
    struct run *run = arg;
    pid_t before = run->asker;
    bool first = run->asker_port == 0;
    run->afresh = false;
    if (port == run->asker_port ||
        run->child == 0) /* the same connection; 0: run_child_ended() waits for the asker that is known */
        return false;
    run->asker_port = port;
    run->asker = run_peer(port, run->port, before > 0 ? before : run->child);
    if (run->asker == before)
        return false;
    if (run->asker_fd >= 0)
        close(run->asker_fd);
    run->asker_fd = run->asker > 0 ? (int)syscall(SYS_pidfd_open, run->asker, 0) : -1;
    run->afresh = !first && run->asker > 0;         /* one that had ended before it was looked up is unknown, too */
    return run->afresh;
}

static void on_ready(void *arg)
{
    struct run *run = arg;
    if (run->open) {
        fprintf(stderr, "cloudless: %s: once more, as the program was started anew\n", run->input.where);
        send_event(run);
        return;
    }
    if (run->finished && run->afresh && is_debugged(run) && run_input_rewind(&run->input))
        run->finished = false;
    if (run->finished)
        run_finish(run, false);
    else if (!run->input_watch)
        next_event(run);
}

static void print_line(FILE *to, struct str text)
{
    fwrite(text.p, 1, text.n, to);
    fputc('\n', to);
    fflush(to);
}

static void close_event(struct run *run)
{
    run->open = false;
    loop_timer_cancel(&run->late);
}

static void run_on_response(void *arg, struct str id, struct str body)
{
    (void)id;
    close_event(arg);
    print_line(stdout, body);
}

static void run_fail(struct run *run, const char *where, const char *what, struct str type, struct str body)
{
    fprintf(stderr, "cloudless: %s%s" STR_FMT ": ", where, what, STR_ARG(type));
    print_line(stderr, body);
    run->failed = true;
}

static void run_on_error(void *arg, struct str id, struct str type, struct str body)
{
    struct run *run = arg;
    (void)id;
    close_event(run);
    run_fail(run, run->input.where, ": function error ", type, body);
}

static void run_on_init_error(void *arg, struct str type, struct str body)
{
    run_fail(arg, "", "initialisation error ", type, body);
}

static void run_on_too_large(void *arg, struct str id, size_t bytes)
{
    struct run *run = arg;
    char text[64];
    (void)id;
    close_event(run);
    snprintf(text, sizeof text, "%zu bytes, the limit is %d", bytes, RUNTIME_RESPONSE_BYTES_MAX);
    run_fail(run, run->input.where, ": the answer is too large: ", STR("Function.ResponseSizeTooLarge"), str_of(text));
}

static void on_closed(void *arg)
{
    struct run *run = arg;
    pthread_mutex_lock(&run->lock);
    run->over = true;
    pthread_cond_signal(&run->ended);
    pthread_mutex_unlock(&run->lock);
}

/* ---- the end ---- */

static bool ended_as_told(const struct run *run, int status)
{
    return run->finished &&
           (WIFEXITED(status) ? WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 128 + SIGTERM : WTERMSIG(status) == SIGTERM);
}

static void say_end(const struct run *run, int status)
{
    const char *name = run->options->words[0];
    fprintf(stderr, "cloudless: %s%s%s ended ", run->open ? run->input.where : "", run->open ? ": " : "", name);
    if (WIFSIGNALED(status))
        fprintf(stderr, "by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        fprintf(stderr, "with exit status %d%s\n", WEXITSTATUS(status), run->finished ? "" : " before the last event");
}

static void run_signalled(int fd, void *arg)
{
    struct run *run = arg;
    (void)fd;
    loop_timer_cancel(&run->grace);
    loop_watch_stop(&run->asker_watch);
    loop_watch_stop(&run->signal_watch);
    runtime_api_close(run->api);
}

/* The child has ended. Should the program live on below it, as when a script was killed, it ends too. */
static void run_child_ended(struct run *run, int status)
{
    bool told = ended_as_told(run, status);
    run->child = 0;
    if (!told && !run->stop_signal)
        say_end(run, status);
    run->finished = true;
    run->status = run->stop_signal ? 128 + run->stop_signal : told && !run->failed ? EXIT_FINE : EXIT_FAILED;
    loop_timer_cancel(&run->late);
    loop_watch_stop(&run->input_watch);
    if (!asker_lives(run)) {
        run_signalled(0, run);
        return;
    }
    signal_asker(run, SIGTERM);
    start_grace(run, STOP_GRACE_MS, kill_asker);
    run->asker_watch = loop_watch_start(run->loop, run->asker_fd, run_signalled, run);
}

/* SIGTERM or SIGHUP: the first is passed on, the second kills. */
static void pass_on(struct run *run, int number)
{
    if (run->stop_signal) {
        loop_timer_cancel(&run->grace);
        kill_all(run);
        return;
    }
    run->stop_signal = number;
    signal_child(run, number);
    if (run->asker != run->child && !is_debugged(run))
        signal_asker(run, number);
    start_grace(run, STOP_GRACE_MS, kill_all);
}

static void on_signals(int fd, void *arg)
{
    struct run *run = arg;
    struct signalfd_siginfo seen;
    while (run->signal_watch && read(fd, &seen, sizeof seen) == (ssize_t)sizeof seen) {
        int status;
        if (seen.ssi_signo != SIGCHLD)
            pass_on(run, (int)seen.ssi_signo);
        else if (run->child > 0 && waitpid(run->child, &status, WNOHANG) == run->child)
            run_child_ended(run, status);
    }
}

/* ---- life ---- */

static void open_api(struct loop_task *task)
{
    struct run *run = CONTAINER_OF(task, struct run, open_task);
    struct runtime_api_hooks hooks = {.asked = on_asked,
                                      .ready = on_ready,
                                      .response = run_on_response,
                                      .error = run_on_error,
                                      .init_error = run_on_init_error,
                                      .too_large = run_on_too_large,
                                      .closed = on_closed,
                                      .arg = run};
    ENSURE(runtime_api_open(run->server, run->loop, run->listener, NULL, &hooks, &run->api) == ERR_OK);
    run->signal_watch = loop_watch_start(run->loop, run->signals, on_signals, run);
}

static void set_default(const char *name, const char *value)
{
    setenv(name, value, 0);
}

static _Noreturn void run_become(const struct run *run, pid_t parent)
{
    const struct options *options = run->options;
    char folder[PATH_MAX], api[32];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILED);
    snprintf(api, sizeof api, "127.0.0.1:%u", run->port);
    setenv("AWS_LAMBDA_RUNTIME_API", api, 1);
    set_default("AWS_LAMBDA_FUNCTION_NAME", "local");
    set_default("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
    set_default("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128");
    set_default("AWS_REGION", options->region);
    set_default("AWS_DEFAULT_REGION", options->region);
    set_default("_HANDLER", "bootstrap");
    if (getcwd(folder, sizeof folder))
        set_default("LAMBDA_TASK_ROOT", folder);
    signal(SIGINT, run->interrupt_before);
    sigprocmask(SIG_SETMASK, &run->mask_before, NULL);
    execvp(options->words[0], options->words);
    const char *name = options->words[0], *why = strerror(errno);
    bool here = !strchr(name, '/') && access(name, F_OK) == 0;
    fprintf(stderr, here ? "cloudless: %s: not on PATH; the one here is ./%s\n" : "cloudless: %s: %s\n", name, here ? name : why);
    _exit(127);
}

static bool bind_api(struct run *run)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    if (http_bind(STR("127.0.0.1:0"), &run->listener) != ERR_OK ||
        getsockname(run->listener, (struct sockaddr *)&address, &length) != 0) {
        fprintf(stderr, "cloudless: no port of 127.0.0.1 can be had: %s\n", strerror(errno));
        return false;
    }
    run->port = ntohs(address.sin_port);
    return true;
}

/* From here on signals come by descriptor. A SIGHUP that is ignored, as under nohup, stays so; a SIGCHLD would lose the
 * child's status. */
static void take_signals(struct run *run)
{
    sigset_t mask;
    struct sigaction hangup;
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGTERM);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_BLOCK, &mask, &run->mask_before);
    run->interrupt_before = signal(SIGINT, SIG_IGN);
    run->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    ENSURE(run->signals >= 0);
}

int command_run(const struct options *options, struct arena *arena)
{
    struct run run = {.options = options,
                      .asker_fd = -1,
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .ended = PTHREAD_COND_INITIALIZER,
                      .open_task.run = open_api};
    (void)arena;
    if (!bind_api(&run))
        return EXIT_FAILED;
    take_signals(&run);
    pid_t self = getpid();
    run.child = fork();             /* before there are threads */
    if (run.child < 0) {
        fprintf(stderr, "cloudless: no process can be started: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    if (run.child == 0)
        run_become(&run, self);
    run_input_init(&run.input, options);
    struct loops *loops = loops_new(1);
    run.server = http_server_new(loops);
    run.loop = loops_at(loops, 0);
    loop_post(run.loop, &run.open_task);
    loops_start(loops);
    pthread_mutex_lock(&run.lock);
    while (!run.over)
        pthread_cond_wait(&run.ended, &run.lock);
    pthread_mutex_unlock(&run.lock);
    loops_stop(loops);
    http_server_free(run.server);
    loops_free(loops);
    close(run.signals);
    if (run.asker_fd >= 0)
        close(run.asker_fd);
    run_input_clear(&run.input);
    return run.status;
}
