/* launcher.c -- the process that makes sandboxes: single-threaded, cloned by the keeper (keeper.c).
 *
 * It lives in the template root (template.c) and knows nothing of the server: no descriptor but its command socket, the
 * cgroup directories and the seccomp program; the server's environment is wiped. For each request it clones a holder with
 * all namespaces and CLONE_PARENT, so the server is the holder's parent and can wait for it by pidfd. An answer has the number of
 * its request: one that comes late is not taken for another's.
 * When the server is gone (end of its socket), the launcher ends, and the holders die by themselves (holder.c).
 * It allocates nothing and uses system calls only; it may run in a process whose libc was in any state. */
#include "sandbox/sandbox_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP)
#define REMOVE_WAIT_MS 3000     /* for the processes of a dead server's sandboxes */
#define FD_COMMANDS SANDBOX__FD_COMMANDS        /* where keeper and launcher keep what they have; the rest is closed */
#define FD_CGROUPS (FD_COMMANDS + 1)

/* The server's environment may hold secrets; every holder would carry a copy of it in its memory. */
static void wipe_environment(void)
{
    extern char **environ;
    for (char **entry = environ; entry && *entry; entry++)
        explicit_bzero(*entry, strlen(*entry));
    environ = NULL;
}

/* Everyone in a sandbox may read its pid 1's command line, which would be the server's: with paths of its data. The kernel says
 * where it lies (proc(5), fields 48 and 49 of stat, counted behind the name). */
static void wipe_arguments(void)
{
    enum { BEHIND_NAME = 45 };
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    const char *name_end = n > 0 ? memrchr(text, ')', (size_t)n) : NULL;
    if (!name_end)
        return;
    struct str rest = {name_end + 2, (size_t)(text + n - name_end - 2)};
    for (int i = 0; i < BEHIND_NAME; i++)
        str_cut(&rest, ' ');
    uint64_t from, to;
    if (str_to_u64(str_cut(&rest, ' '), &from) && str_to_u64(str_cut(&rest, ' '), &to) && from < to)
        explicit_bzero((void *)(uintptr_t)from, to - from);
}

static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            signal(s, SIG_DFL);
}

/* Moves what is kept to fixed places and closes everything else. First copies away from the places, in case they overlap. */
static bool keep_descriptors(const struct sandbox__launcher *launcher)
{
    int kept[1 + SANDBOX__RESOURCES];
    size_t count = 1 + launcher->cgroup_parent_count;
    if (count > COUNT_OF(kept))
        return false;
    for (size_t i = 0; i < count; i++) {
        kept[i] = fcntl(i == 0 ? launcher->commands : launcher->cgroup_parents[i - 1], F_DUPFD_CLOEXEC, 100);
        if (kept[i] < 0)
            return false;
    }
    for (size_t i = 0; i < count; i++)
        if (dup3(kept[i], FD_COMMANDS + (int)i, O_CLOEXEC) < 0)
            return false;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 2; fd++)              /* stderr stays: a sanitizer's last words; holders close it */
        if (null < 0 || dup2(null, fd) < 0)
            return false;
    return syscall(SYS_close_range, FD_COMMANDS + (unsigned)count, ~0u, 0) == 0;
}

static int write_map(pid_t pid, const char *file, uint32_t uid_base)
{
    char path[64], map[96];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    int n = uid_base ? snprintf(map, sizeof map, "0 %u 1\n%d %u 1\n", uid_base, SANDBOX_UID, uid_base + 1)
                     : snprintf(map, sizeof map, "%d 0 1\n", SANDBOX_UID);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = write(fd, map, (size_t)n) == n ? 0 : -errno;
    close(fd);
    return r;
}

/* The holder waits for a byte in `go` until its ids are mapped. Without one it ends, and the server, whose child it is, hears that
 * from its control socket and reaps it: so its pid and pidfd are reported in any case. */
static int clone_holder(const struct sandbox__launcher *launcher, const struct sandbox__make *request, const int *fds,
                        int *ret_pidfd)
{
    int go[2], pidfd = -1;
    if (pipe2(go, O_CLOEXEC) != 0)
        return -errno;
    struct clone_args args = {.flags = NAMESPACES | CLONE_PARENT | CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd};
    if (request->has_cgroup) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)fds[1];
    }
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        close(go[1]); /* or it would wait for itself */
        sandbox__holder_run(fds[0], go[0], request->uid_base != 0, launcher->filter);
    }
    int r = pid < 0 ? -errno : (int)pid;
    close(go[0]);
    if (r > 0) {
        *ret_pidfd = pidfd;
        if (write_map(r, "uid_map", request->uid_base) == 0 && write_map(r, "gid_map", request->uid_base) == 0) {
            ssize_t written = write(go[1], "x", 1);
            (void)written; /* see above */
        }
    }
    close(go[1]);
    return r;
}

bool sandbox__process_clean(const struct sandbox__launcher *launcher)
{
    reset_signals();
    wipe_environment();
    wipe_arguments();
    setsid();                       /* a terminal's ^C is for the server, which then ends us in order */
    return keep_descriptors(launcher);
}

void sandbox__groups_remove(const struct sandbox__launcher *launcher)
{
    for (size_t i = 0; i < launcher->cgroup_parent_count; i++)
        sandbox__cgroup_tree_remove(FD_CGROUPS + (int)i, launcher->cgroup_name, REMOVE_WAIT_MS, false);
}

static void serve_commands(const struct sandbox__launcher *launcher)
{
    struct sandbox__make request;
    int fds[2];
    size_t count;
    while (sandbox__recv(FD_COMMANDS, &request, sizeof request, fds, COUNT_OF(fds), &count) == (ssize_t)sizeof request) {
        int pidfd = -1;
        struct sandbox__made made = {.id = request.id, .pid = -EINVAL};
        if (count == 1 + (request.has_cgroup != 0))
            made.pid = clone_holder(launcher, &request, fds, &pidfd);
        made.step = made.pid < 0 ? SANDBOX__STEP_CLONE : SANDBOX__STEP_NONE;
        for (size_t i = 0; i < count; i++)
            close(fds[i]);
        int r = sandbox__send(FD_COMMANDS, &made, sizeof made, &pidfd, made.pid > 0);
        if (pidfd >= 0)
            close(pidfd);
        if (r != 0)
            return;
    }
}

void sandbox__launcher_run(const struct sandbox__launcher *launcher, int commands)
{
    prctl(PR_SET_NAME, "cl-launcher", 0, 0, 0);
    const char *step = "descriptors";
    int r = dup3(commands, FD_COMMANDS, O_CLOEXEC) < 0 ? -errno : 0;       /* in the place of the keeper's */
    if (syscall(SYS_close_range, FD_COMMANDS + 1, ~0u, 0) != 0)
        r = -errno;
    if (r == 0) {
        step = "unshare";
        r = unshare(CLONE_NEWNS) == 0 ? 0 : -errno;
    }
    if (r == 0)
        r = sandbox__template_enter(launcher->root_at, launcher->root, &step);
    char answer[128];
    int n = r == 0 ? snprintf(answer, sizeof answer, "ok") : snprintf(answer, sizeof answer, "%s: %s", step, strerrordesc_np(-r));
    if (sandbox__send(FD_COMMANDS, answer, (size_t)n, NULL, 0) == 0 && r == 0)
        serve_commands(launcher);
    _exit(r == 0 ? 0 : 1);
}
