/* launcher_link.c -- the server's side of keeper and launcher: one exchange at a time, numbered, with a new launcher when the old
 * one is gone.
 *
 * A request is numbered and waits for the answer of its number until its time is up. An answer of another number belongs to a
 * request whose time was up: what was made for it is killed by its pidfd, and the waiting goes on. A launcher whose socket has
 * ended is dead; one that was silent for SILENCES_MAX requests in a row is killed. Either is replaced within the same request, so
 * that who starts a sandbox then does not hear of it. A replacement that fails is not tried again for LINK_RETRY_MS.
 * `lock` is held during an exchange and guards all; the state may be asked for meanwhile, so it is kept beside, atomically.
 * Processes are known by pidfds: a number may be somebody else's by the time it is used (but for end_unheld). */
#include "sandbox/sandbox_internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS_DEFAULT 10000
#define SILENCES_MAX 2
#define LINK_RETRY_MS 1000

struct sandbox__link {
    pthread_mutex_t lock;
    unsigned answer_ms;
    uint64_t id;                        /* of the last request */
    int keeper, keeper_pidfd;           /* socket; -1: none */
    int launcher, launcher_pidfd;
    unsigned silences;                  /* requests in a row without an answer */
    uint64_t failed_ns;                 /* when no launcher could be made; 0: it could */
    _Atomic int state;                  /* enum sandbox_state, but for a launcher that died since */
    pthread_mutex_t watch_lock;         /* so that launcher_pidfd is not closed under who looks */
};

static void close_link_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* One whose pidfd found no place here. It is our child and not reaped yet, so its number is nobody else's. */
static void end_unheld(struct sandbox__made *made)
{
    if (made->pid <= 0)
        return;
    kill(made->pid, SIGKILL);
    while (waitpid(made->pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    made->pid = -EMFILE;
}

/* The answer to request `id`; what comes late for another is ended. False: time is up (*ret_late), or the other side has ended. */
static bool receive_made(int socket, uint64_t id, unsigned ms, struct sandbox__made *ret, int *ret_pidfd, bool *ret_late)
{
    uint64_t until = clock_mono_ns() + (uint64_t)ms * 1000000;
    *ret_late = false;
    for (;;) {
        uint64_t now = clock_mono_ns();
        size_t count = 0;
        int pidfd = -1;
        if (!sandbox__wait_readable(socket, now < until ? (int)((until - now + 999999) / 1000000) : 0)) {
            *ret_late = true;
            return false;
        }
        if (sandbox__recv(socket, ret, sizeof *ret, &pidfd, 1, &count) != (ssize_t)sizeof *ret) {
            close_link_fd(&pidfd);
            return false;
        }
        if (pidfd < 0)
            end_unheld(ret);
        if (ret->id == id) {
            *ret_pidfd = pidfd;
            return true;
        }
        sandbox__kill_and_reap(pidfd);
        close_link_fd(&pidfd);
    }
}

/* ---- launchers ---- */

static void set_launcher(struct sandbox__link *link, int socket, int pidfd)
{
    link->launcher = socket;
    pthread_mutex_lock(&link->watch_lock);
    link->launcher_pidfd = pidfd;
    pthread_mutex_unlock(&link->watch_lock);
}

static void end_launcher(struct sandbox__link *link, bool kill)
{
    int pidfd = link->launcher_pidfd;
    if (kill)
        sandbox__kill_and_reap(pidfd);
    close_link_fd(&link->launcher);     /* the end of its socket is its end */
    set_launcher(link, -1, -1);
    if (!kill)
        sandbox__await_and_reap(pidfd);
    close_link_fd(&pidfd);
}

/* Asks the keeper for one, which receive_launcher then waits for. */
static enum err request_launcher(struct sandbox__link *link)
{
    struct sandbox__launch request = {.id = ++link->id};
    int pair[2];
    if (link->keeper < 0)
        return ERR_CLOSED;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return ERR_IO;
    bool sent = sandbox__send(link->keeper, &request, sizeof request, &pair[1], 1) == 0;
    close(pair[1]);
    if (sent)
        link->launcher = pair[0];
    else
        close(pair[0]);
    return sent ? ERR_OK : ERR_CLOSED;
}

/* It is there, and has yet to say that it is ready. */
static enum err receive_launcher(struct sandbox__link *link)
{
    struct sandbox__made made;
    int pidfd = -1;
    bool late;
    if (!receive_made(link->keeper, link->id, link->answer_ms, &made, &pidfd, &late) || made.pid <= 0 || pidfd < 0) {
        close_link_fd(&pidfd);
        close_link_fd(&link->launcher);
        return ERR_CLOSED;
    }
    set_launcher(link, link->launcher, pidfd);
    link->silences = 0;
    return ERR_OK;
}

/* What it says when its root is built, or not; bytes of the text. */
static size_t hear_launcher(struct sandbox__link *link, char *text, size_t max)
{
    size_t count;
    if (!sandbox__wait_readable(link->launcher, (int)link->answer_ms))
        return 0;
    ssize_t n = sandbox__recv(link->launcher, text, max, NULL, 0, &count);
    return n > 0 ? (size_t)n : 0;
}

static enum err replace_launcher(struct sandbox__link *link)
{
    char text[256];
    if (link->failed_ns && clock_mono_ns() - link->failed_ns < LINK_RETRY_MS * 1000000ULL)
        return ERR_CLOSED;
    enum err err = request_launcher(link);
    if (err == ERR_OK)
        err = receive_launcher(link);
    size_t n = err == ERR_OK ? hear_launcher(link, text, sizeof text) : 0;
    if (err == ERR_OK && !str_eq((struct str){text, n}, STR("ok"))) {
        end_launcher(link, true);
        err = ERR_CLOSED;
    }
    link->failed_ns = err == ERR_OK ? 0 : clock_mono_ns();
    atomic_store(&link->state, err == ERR_OK ? SANDBOX_READY : SANDBOX_LOST);
    if (err == ERR_OK)
        log_to(LOG_WARN, "sandbox.launcher_replaced", {"by", STR("the keeper")});
    else
        log_to(LOG_ERROR, "sandbox.launcher_lost", {"error", n ? (struct str){text, n} : STR("no launcher can be made")});
    return err;
}

/* ---- requests ---- */

enum exchange { EXCHANGE_DONE, EXCHANGE_LATE, EXCHANGE_ENDED };

static enum exchange exchange_make(struct sandbox__link *link, const struct sandbox__make *request, const int *fds, size_t fd_count,
                                   struct sandbox__made *ret, int *ret_pidfd)
{
    bool late = false;
    if (sandbox__send(link->launcher, request, sizeof *request, fds, fd_count) == 0 &&
        receive_made(link->launcher, request->id, link->answer_ms, ret, ret_pidfd, &late))
        return EXCHANGE_DONE;
    return late ? EXCHANGE_LATE : EXCHANGE_ENDED;
}

static enum err make_under_lock(struct sandbox__link *link, struct sandbox__make *request, const int *fds, size_t fd_count,
                                struct sandbox__made *ret, int *ret_pidfd)
{
    for (int tries = 0; tries < 2; tries++) {
        if (link->launcher < 0) {
            enum err err = replace_launcher(link);
            if (err != ERR_OK)
                return err;
        }
        request->id = ++link->id;
        enum exchange exchange = exchange_make(link, request, fds, fd_count, ret, ret_pidfd);
        if (exchange == EXCHANGE_DONE) {
            link->silences = 0;
            atomic_store(&link->state, SANDBOX_READY);
            return ERR_OK;
        }
        atomic_store(&link->state, SANDBOX_STALLED);
        if (exchange == EXCHANGE_LATE && ++link->silences < SILENCES_MAX)
            return ERR_TIMEOUT;
        end_launcher(link, true);
    }
    return ERR_CLOSED;
}

enum err sandbox__link_make(struct sandbox__link *link, struct sandbox__make *request, const int *fds, size_t fd_count,
                            pid_t *ret_pid, int *ret_pidfd)
{
    struct sandbox__made made;
    int pidfd = -1;
    pthread_mutex_lock(&link->lock);
    enum err err = make_under_lock(link, request, fds, fd_count, &made, &pidfd);
    pthread_mutex_unlock(&link->lock);
    if (err != ERR_OK) {
        sandbox__failed(SANDBOX__STEP_LAUNCHER, err == ERR_TIMEOUT ? ETIMEDOUT : 0);
        return err;
    }
    if (made.pid <= 0 || pidfd < 0) {
        close_link_fd(&pidfd);
        sandbox__failed(made.step, made.pid < 0 ? -made.pid : EMFILE);
        return ERR_IO;
    }
    *ret_pid = made.pid;
    *ret_pidfd = pidfd;
    return ERR_OK;
}

enum sandbox_state sandbox__link_state(struct sandbox__link *link)
{
    enum sandbox_state state = (enum sandbox_state)atomic_load(&link->state);
    pthread_mutex_lock(&link->watch_lock);
    bool dead = link->launcher_pidfd >= 0 && sandbox__wait_readable(link->launcher_pidfd, 0);
    pthread_mutex_unlock(&link->watch_lock);
    if (state == SANDBOX_READY && dead)
        return sandbox__wait_readable(link->keeper_pidfd, 0) ? SANDBOX_LOST : SANDBOX_STALLED;
    return state;
}

/* ---- life ---- */

enum err sandbox__link_open(const struct sandbox__launcher *launcher, unsigned answer_ms, struct sandbox__link **ret)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return ERR_IO;
    struct sandbox__launcher given = *launcher;
    given.commands = pair[1];
    pid_t pid = fork();
    if (pid == 0)
        sandbox__keeper_run(&given);
    close(pair[1]);
    int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pidfd < 0) {
        close(pair[0]);                 /* a keeper that was made ends with its socket */
        return ERR_IO;
    }
    struct sandbox__link *link = mem_zalloc(sizeof *link);
    pthread_mutex_init(&link->lock, NULL);
    pthread_mutex_init(&link->watch_lock, NULL);
    link->answer_ms = answer_ms ? answer_ms : ANSWER_MS_DEFAULT;
    link->keeper = pair[0];
    link->keeper_pidfd = pidfd;
    link->launcher = link->launcher_pidfd = -1;
    if (request_launcher(link) != ERR_OK) {
        sandbox__link_close(link);
        return ERR_IO;
    }
    *ret = link;
    return ERR_OK;
}

enum err sandbox__link_await(struct sandbox__link *link, struct arena *arena, struct str *ret_message)
{
    char text[256];
    size_t n = receive_launcher(link) == ERR_OK ? hear_launcher(link, text, sizeof text) : 0;
    struct str said = n ? (struct str){text, n} : STR("it gave no answer");
    if (str_eq(said, STR("ok")))
        return ERR_OK;
    *ret_message =
        arena_printf(arena, "the root of sandboxes cannot be built (" STR_FMT "); cloudless doctor tells more", STR_ARG(said));
    return ERR_UNSUPPORTED;
}

void sandbox__link_close(struct sandbox__link *link)
{
    if (!link)
        return;
    if (link->launcher >= 0 && link->launcher_pidfd < 0)
        (void)receive_launcher(link); /* nobody has awaited it */
    if (link->launcher >= 0)
        end_launcher(link, false);
    close_link_fd(&link->keeper);
    sandbox__await_and_reap(link->keeper_pidfd);
    close_link_fd(&link->keeper_pidfd);
    pthread_mutex_destroy(&link->lock);
    pthread_mutex_destroy(&link->watch_lock);
    free(link);
}
