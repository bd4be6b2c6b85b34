/* keeper.c -- the process that makes launchers, so that one that died can be replaced while the server has threads.
 *
 * Forked by the server before it has threads, secrets or a store, it stays as it was born: single-threaded, with the server's
 * command socket, the cgroup directories and the seccomp program, the environment wiped. For each request it clones a launcher
 * with CLONE_PARENT, so the server is its parent and can wait for it by pidfd, and hands it the command socket that came along.
 * It never answers for the launcher: that says "ok" on its own socket once its root is built.
 * When the server is gone (end of its socket) it waits until the control groups are empty, removes them and ends: a killed server
 * leaves nothing behind. Like the launcher it allocates nothing. */
#include "sandbox/sandbox_internal.h"
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void keep_launchers(const struct sandbox__launcher *launcher)
{
    struct sandbox__launch request;
    int socket;
    size_t count;
    while (sandbox__recv(SANDBOX__FD_COMMANDS, &request, sizeof request, &socket, 1, &count) == (ssize_t)sizeof request) {
        int pidfd = -1;
        struct clone_args args = {.flags = CLONE_PARENT | CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd};
        struct sandbox__made made = {.id = request.id, .pid = -1};
        if (count == 1) {
            made.pid = (int32_t)syscall(SYS_clone3, &args, sizeof args);
            if (made.pid == 0)
                sandbox__launcher_run(launcher, socket);
            close(socket);
        }
        int r = sandbox__send(SANDBOX__FD_COMMANDS, &made, sizeof made, &pidfd, made.pid > 0);
        if (pidfd >= 0)
            close(pidfd);
        if (r != 0)
            return;
    }
}

void sandbox__keeper_run(const struct sandbox__launcher *launcher)
{
    prctl(PR_SET_NAME, "cl-keeper", 0, 0, 0);
    if (!sandbox__process_clean(launcher))
        _exit(1);
    keep_launchers(launcher);
    sandbox__groups_remove(launcher);
    _exit(0);
}
