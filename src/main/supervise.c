/* supervise.c -- the supervisor. One thread, no store, no libraries: little that can break.
 *
 *   start ──fork, exec──> STARTING ──byte on the ready pipe──> SERVING ──exit 0, exit 2──> end, with its exit code
 *             ^                └ exit 1 before it ever served ─────────────────────────> end, 1: its configuration is wrong
 *             └──── pause <──── signal, or exit 1 (obituary) ────┘
 *
 * The listening sockets are the supervisor's, and the child's by inheritance: while there is no child, connections wait in
 * their queue. The child's stderr is a pipe: what it says goes on to ours, and the last of it into its obituary. Nothing waits for
 * our stderr (relay.h): a reader that stopped reading stops neither the child nor us; it loses lines, and is told how many.
 * The first restart comes at once, the next in a row after 100 ms, 200 ms, … up to 30 s; a server that served for STEADY_MS
 * begins a new row. One that never served is given TRIES_MAX tries.
 * SIGTERM, SIGINT and SIGHUP go on to the child, which has a process group of its own, so that Ctrl-C reaches it once. With the
 * first of the two that end it the supervisor lets go of its sockets. A supervisor that is killed takes the server with it
 * (supervised_stay): it drains and ends.
 * Under systemd (Type=notify) it says READY=1 when the server serves. */
#include "main/supervise.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/panic.h"
#include "main/datadir.h"
#include "main/relay.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEFT_TO_CHILD "CLOUDLESS_SUPERVISED"    /* "parent ready_fd fd fd …" */
#define TAIL_BYTES 16384
#define STEADY_MS 60000
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 30000
#define TRIES_MAX 5
#define KEPT_NAMES_MAX 4096                     /* read of DIR/obituaries */
#define LAST_LINES_MS_MAX 1000                  /* for our stderr to take what waits, at the end */

struct supervisor {
    const struct options *options;
    const int *fds;
    struct arena *arena;
    sigset_t before; /* the signals that were blocked before us, as the server has them: command_serve says which */
    int signals;
    pid_t child;                /* 0: none */
    int log_fd, ready_fd;       /* of the child; -1: none */
    bool serving, ever_served, stopping;
    uint64_t started_ns;
    unsigned crashes, restarts; /* in a row; since the supervisor's start */
    size_t tail_n;              /* bytes that ever came into `tail`, which is a ring */
    char tail[TAIL_BYTES];
    struct relay log;
};

unsigned supervise_pause_ms(unsigned crashes)
{
    if (crashes <= 1)
        return 0;
    unsigned doublings = crashes - 2;
    return doublings > 8 ? PAUSE_MAX_MS : PAUSE_FIRST_MS << doublings;
}

/* ---- the child ---- */

static void keep_open(int fd)
{
    fcntl(fd, F_SETFD, fcntl(fd, F_GETFD) & ~FD_CLOEXEC);
}

/* In the child. */
static void become_server(struct supervisor *s, pid_t parent, int log_fd, int ready_fd)
{
    char left[64 + LISTEN_MAX * 12];
    int n = snprintf(left, sizeof left, "%ld %d", (long)parent, ready_fd);
    for (size_t i = 0; i < s->options->listen_count; i++) {
        n += snprintf(left + n, sizeof left - (size_t)n, " %d", s->fds[i]);
        keep_open(s->fds[i]);
    }
    keep_open(ready_fd);
    setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    if (dup2(log_fd, STDERR_FILENO) < 0 || setenv(LEFT_TO_CHILD, left, 1) != 0)
        _exit(EXIT_FAILED);
    execv("/proc/self/exe", s->options->argv);
    _exit(EXIT_FAILED);
}

static void note_state(struct supervisor *s)
{
    struct str text =
        arena_printf(s->arena, "pid = %ld\nserver = %ld\nrestarts = %u\n", (long)getpid(), (long)s->child, s->restarts);
    datadir_note(s->options->data, "supervisor", text, s->arena); /* for `cloudless status`; there may be no directory yet */
    arena_reset(s->arena);
}

static bool start_server(struct supervisor *s)
{
    int log_pipe[2], ready_pipe[2];
    if (pipe2(log_pipe, O_CLOEXEC) != 0)
        return false;
    if (pipe2(ready_pipe, O_CLOEXEC) != 0) {
        close(log_pipe[0]);
        close(log_pipe[1]);
        return false;
    }
    fcntl(log_pipe[0], F_SETFL, O_NONBLOCK);
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        become_server(s, parent, log_pipe[1], ready_pipe[1]);
    close(log_pipe[1]);
    close(ready_pipe[1]);
    s->log_fd = log_pipe[0];
    s->ready_fd = ready_pipe[0];
    s->serving = false;
    s->tail_n = 0;
    s->started_ns = clock_mono_ns();
    s->child = child > 0 ? child : 0;
    return child > 0;
}

static void close_own_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* What it says goes on; false: nothing more is there now. */
static bool pass_log(struct supervisor *s)
{
    char piece[4096];
    ssize_t n = read(s->log_fd, piece, sizeof piece);
    if (n <= 0)
        return false;
    relay_add(&s->log, (struct str){piece, (size_t)n});
    for (ssize_t i = 0; i < n; i++)
        s->tail[s->tail_n++ % TAIL_BYTES] = piece[i];
    return true;
}

/* ---- systemd ---- */

static void notify_systemd(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || strlen(path) >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (*path == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
    close(fd);
}

static void server_serves(struct supervisor *s)
{
    char byte;
    if (read(s->ready_fd, &byte, 1) == 1) {
        s->serving = s->ever_served = true;
        note_state(s);
        notify_systemd("READY=1");
    }
    close_own_fd(&s->ready_fd);
}

/* ---- the obituary ---- */

static int name_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names begin with their time, so the oldest come first. */
static void prune_obituaries(const char *dir, struct arena *arena)
{
    char **names = arena_array(arena, char *, KEPT_NAMES_MAX);
    size_t count = 0;
    DIR *open_dir = opendir(dir);
    struct dirent *entry;
    while (open_dir && count < KEPT_NAMES_MAX && (entry = readdir(open_dir)))
        if (entry->d_name[0] != '.')
            names[count++] = arena_cstr(arena, str_of(entry->d_name));
    if (open_dir)
        closedir(open_dir);
    qsort(names, count, sizeof *names, name_order);
    for (size_t i = 0; i + OBITUARIES_MAX < count; i++)
        unlink(datadir_path(arena, dir, names[i]));
}

static struct str how_it_ended(int status, struct arena *arena)
{
    if (WIFSIGNALED(status))
        return arena_printf(arena, "signal %d (%s)%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
                            WCOREDUMP(status) ? ", core dumped" : "");
    return arena_printf(arena, "exit status %d", WEXITSTATUS(status));
}

/* The last lines, from the beginning of one. */
static struct str last_lines(const struct supervisor *s, struct arena *arena)
{
    size_t n = s->tail_n < TAIL_BYTES ? s->tail_n : TAIL_BYTES;
    char *text = arena_alloc(arena, n + 1);
    for (size_t i = 0; i < n; i++)
        text[i] = s->tail[(s->tail_n - n + i) % TAIL_BYTES];
    struct str lines = {text, n};
    return s->tail_n > TAIL_BYTES ? str_slice(lines, str_find(lines, '\n') + 1, n) : lines;
}

static void write_obituary(struct supervisor *s, int status)
{
    struct arena *arena = s->arena;
    int64_t now = clock_epoch_ms();
    const char *dir = datadir_path(arena, s->options->data, "obituaries");
    struct str how = how_it_ended(status, arena), time = clock_iso8601_ms(arena, now);
    double seconds = (double)(clock_mono_ns() - s->started_ns) / 1e9;
    log_to(LOG_ERROR, "supervisor.server_died", {"how", how}, {"after_seconds", arena_printf(arena, "%.3f", seconds)},
           {"obituaries", str_of(dir)});
    if (!folder_make(dir, 0700))
        return;
    struct str text =
        arena_printf(arena,
                     "time = " STR_FMT "\nhow = " STR_FMT "\nuptime_seconds = %.3f\nserved = %s\nversion = " CLOUDLESS_VERSION
                     "\npid = %ld\nrestarts = %u\n\n" STR_FMT,
                     STR_ARG(time), STR_ARG(how), seconds, s->serving ? "yes" : "no", (long)s->child, s->restarts,
                     STR_ARG(last_lines(s, arena)));
    datadir_write(dir, arena_printf(arena, STR_FMT "-%ld", STR_ARG(time), (long)s->child).p, text, arena);
    prune_obituaries(dir, arena);
}

/* ---- signals ---- */

/* Waits for a signal, the child's log, its readiness, room in our own log if that is wanted, or the time; -1: no limit. */
static void wait_for_events(struct supervisor *s, int ms)
{
    struct pollfd fds[] = {{s->signals, POLLIN, 0},
                           {s->log_fd, POLLIN, 0},
                           {s->ready_fd, POLLIN, 0},
                           {relay_waits(&s->log) ? s->log.fd : -1, POLLOUT, 0}};
    if (poll(fds, COUNT_OF(fds), ms) <= 0)
        return;
    if (fds[3].revents)
        relay_flush(&s->log);
    if (fds[1].revents && !pass_log(s) && (fds[1].revents & POLLHUP))
        close_own_fd(&s->log_fd);
    if (fds[2].revents)
        server_serves(s);
}

static void let_sockets_go(struct supervisor *s)
{
    for (size_t i = 0; i < s->options->listen_count && !s->stopping; i++)
        close(s->fds[i]);
    s->stopping = true;
}

/* True: the child ended, with *ret_status. */
static bool take_child_signals(struct supervisor *s, int *ret_status)
{
    struct signalfd_siginfo info;
    bool ended = false;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            pid_t pid;
            int status;
            while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                if (pid == s->child) {
                    ended = true;
                    *ret_status = status;
                }
            continue;
        }
        if (s->child)
            kill(s->child, (int)info.ssi_signo);
        if (info.ssi_signo != SIGHUP)
            let_sockets_go(s);
    }
    return ended;
}

/* ---- the life ---- */

/* The exit code, or -1: start it again. */
static int judge(struct supervisor *s, int status)
{
    bool exited = WIFEXITED(status);
    if (exited && (WEXITSTATUS(status) == EXIT_FINE || WEXITSTATUS(status) == EXIT_USAGE ||
                   (!s->ever_served && WEXITSTATUS(status) == EXIT_FAILED)))
        return WEXITSTATUS(status);
    if (!s->stopping || !exited)
        write_obituary(s, status);
    if (s->stopping)
        return EXIT_FAILED;
    bool steady = s->serving && clock_mono_ns() - s->started_ns >= STEADY_MS * 1000000ull;
    s->crashes = steady ? 1 : s->crashes + 1;
    return !s->ever_served && s->crashes >= TRIES_MAX ? EXIT_FAILED : -1;
}

/* False: it is to end meanwhile. */
static bool pause_before_restart(struct supervisor *s)
{
    uint64_t until = clock_mono_ns() + supervise_pause_ms(s->crashes) * 1000000ull;
    for (uint64_t now; !s->stopping && (now = clock_mono_ns()) < until;) {
        int status;
        wait_for_events(s, (int)((until - now) / 1000000) + 1);
        take_child_signals(s, &status);
    }
    return !s->stopping;
}

/* One server, from its start to its end; its status. False: it cannot be started. */
static bool run_server(struct supervisor *s, int *ret_status)
{
    if (!start_server(s))
        return false;
    while (!take_child_signals(s, ret_status))
        wait_for_events(s, -1);
    while (s->log_fd >= 0 && pass_log(s))
        ;
    close_own_fd(&s->log_fd);
    close_own_fd(&s->ready_fd);
    return true;
}

static void say_own(struct str line, void *supervisor)
{
    relay_add(&((struct supervisor *)supervisor)->log, line);
}

int supervise_serve(const struct options *options, const int fds[LISTEN_MAX])
{
    struct supervisor s = {.options = options, .fds = fds, .arena = arena_new(), .log_fd = -1, .ready_fd = -1};
    relay_init(&s.log, STDERR_FILENO);
    log_divert(say_own, &s);
    static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < COUNT_OF(caught); i++)
        sigaddset(&set, caught[i]);
    sigprocmask(SIG_BLOCK, &set, &s.before);
    s.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    ENSURE(s.signals >= 0);
    int code = -1;
    while (code < 0) {
        int status = 0;
        if (!run_server(&s, &status)) {
            log_to(LOG_ERROR, "supervisor.no_server", {"error", str_of(strerror(errno))});
            code = EXIT_FAILED;
            break;
        }
        code = judge(&s, status);
        s.child = 0;
        if (code < 0 && !pause_before_restart(&s))
            code = EXIT_FINE;
        s.restarts++;
        arena_reset(s.arena);
    }
    relay_end(&s.log, LAST_LINES_MS_MAX);
    log_divert(NULL, NULL);
    arena_free(s.arena);
    close(s.signals);
    return code;
}

/* ---- the server's side ---- */

void supervised_take(const struct options *options, struct supervised *ret, int ret_fds[LISTEN_MAX])
{
    const char *left = getenv(LEFT_TO_CHILD);
    *ret = (struct supervised){.ready_fd = -1};
    if (!left)
        return;
    char *at = NULL;
    ret->parent = (pid_t)strtol(left, &at, 10);
    ret->ready_fd = (int)strtol(at, &at, 10);
    fcntl(ret->ready_fd, F_SETFD, FD_CLOEXEC);
    for (size_t i = 0; i < options->listen_count; i++) {
        ret_fds[i] = (int)strtol(at, &at, 10);
        fcntl(ret_fds[i], F_SETFD, FD_CLOEXEC);
    }
    ret->yes = ret->parent == getppid();
    unsetenv(LEFT_TO_CHILD);
}

void supervised_stay(const struct supervised *supervised)
{
    if (!supervised->yes)
        return;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != supervised->parent)
        raise(SIGTERM);
}

void supervised_ready(struct supervised *supervised)
{
    if (supervised->yes)
        file_write(supervised->ready_fd, STR("R"));
    close_own_fd(&supervised->ready_fd);
}
