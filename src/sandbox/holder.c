/* holder.c -- pid 1 of one sandbox. Born in fresh namespaces, in a copy of the template's mounts.
 *
 * Life: finish the sandbox (proc, loopback, host name) → send the server two listeners → wait → at start take code and limits,
 * fork, lock the child down, exec → reap until the function's main process ends → report its status → end, and with pid 1
 * the kernel kills whatever the function left behind.
 * It ends at once when its control socket closes: the server is gone. PDEATHSIG says the same a second time.
 * While a function runs the holder has no capability; it cannot be traced (not dumpable), and signals from inside do not
 * reach a pid 1. The child becomes uid 993 without capabilities, with no_new_privs and the system call filter.
 * Like the launcher it allocates nothing of its own. */
#include "sandbox/sandbox_internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_CONTROL 3
#define HOST_NAME "169-254-0-1"     /* functions on AWS see such a name */
#define RUNTIME_PORT 9001
#define AWS_PORT 4566
#define LISTEN_BACKLOG 128
#define HOLDER_MOUNT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define STRINGS_MAX 2048            /* arguments and variables of one start */

static enum sandbox__step doing; /* the step of the start that goes on */

static int loopback_up(void)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    int r = s < 0 || ioctl(s, SIOCSIFFLAGS, &request) != 0 ? -errno : 0;
    if (s >= 0)
        close(s);
    return r;
}

static int listen_on(uint16_t port)
{
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return -errno;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(s, (const struct sockaddr *)&at, sizeof at) != 0 || listen(s, LISTEN_BACKLOG) != 0) {
        int err = errno;
        close(s);
        return -err;
    }
    return s;
}

static int report_to_server(enum sandbox__kind kind, int value, uint64_t rss_peak_bytes, const int *fds, size_t fd_count)
{
    struct sandbox__report message = {kind, value, rss_peak_bytes, value && kind != SANDBOX__EXITED ? doing : SANDBOX__STEP_NONE};
    return sandbox__send(FD_CONTROL, &message, sizeof message, fds, fd_count);
}

/* By system calls: the C library would tell threads that it thinks are there, copied from a process that had some. */
static long set_ids(unsigned id)
{
    long r = syscall(SYS_setresgid, id, id, id);
    return r != 0 ? r : syscall(SYS_setresuid, id, id, id);
}

/* 0 or -errno. */
static int finish_sandbox(bool root)
{
    int listeners[2], r;
    doing = SANDBOX__STEP_IDS;
    if (root && (set_ids(0) != 0))
        return -errno;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);      /* behind the change of ids, which clears it */
    doing = SANDBOX__STEP_PROC;
    if ((r = sandbox__mount_new("proc", NULL, HOLDER_MOUNT | MOUNT_ATTR_NOEXEC, "/proc")) != 0)
        return r;
    doing = SANDBOX__STEP_LOOPBACK;
    if ((r = loopback_up()) != 0)
        return r;
    doing = SANDBOX__STEP_HOST_NAME;
    if (sethostname(HOST_NAME, sizeof HOST_NAME - 1) != 0)
        return -errno;
    doing = SANDBOX__STEP_LISTEN;
    if ((listeners[0] = listen_on(RUNTIME_PORT)) < 0)
        return listeners[0];
    if ((listeners[1] = listen_on(AWS_PORT)) < 0)
        return listeners[1];
    r = report_to_server(SANDBOX__READY, 0, 0, listeners, 2);
    close(listeners[0]);
    close(listeners[1]);
    return r;
}

static int set_limit(int resource, rlim_t value)
{
    struct rlimit now, want = {value, value};
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
        return -errno;
    if (want.rlim_max > now.rlim_max)               /* an ordinary user cannot raise it */
        want.rlim_cur = want.rlim_max = now.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &want) == 0 ? 0 : -errno;
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}};
    return syscall(SYS_capset, &head, none) == 0 ? 0 : -errno;
}

/* Order matters: the bounding set needs CAP_SETPCAP, ids CAP_SETUID; no_new_privs allows the filter without a capability. */
static int lock_down(const struct sandbox__start *start, const struct sandbox__filter *filter)
{
    int r;
    doing = SANDBOX__STEP_RLIMITS;
    if ((r = set_limit(RLIMIT_CORE, 0)) || (r = set_limit(RLIMIT_NOFILE, SANDBOX_FILES_MAX)) ||
        (r = set_limit(RLIMIT_NPROC, SANDBOX_PIDS_MAX)) || (start->data_bytes && (r = set_limit(RLIMIT_DATA, start->data_bytes))))
        return r;
    doing = SANDBOX__STEP_BOUNDING;
    for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) != 0)
            return -errno;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    doing = SANDBOX__STEP_USER;
    if (syscall(SYS_setgroups, 0, NULL) != 0 && errno != EPERM)     /* EPERM: an ordinary user's namespace denies it for good */
        return -errno;
    if (set_ids(SANDBOX_UID) != 0)
        return -errno;
    doing = SANDBOX__STEP_CAPABILITIES;
    if ((r = drop_capabilities()) != 0)
        return r;
    doing = SANDBOX__STEP_FILTER;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    struct sock_fprog program = {filter->count, (struct sock_filter *)(uintptr_t)filter->code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : -errno;
}

/* Splits the strings of a start message; vector gets argc pointers, NULL, envc pointers, NULL. */
static bool split_strings(const struct sandbox__start *start, char *strings, size_t n, char *vector[STRINGS_MAX + 2])
{
    if (start->argc == 0 || start->argc > STRINGS_MAX || start->envc > STRINGS_MAX - start->argc)
        return false;
    size_t out = 0;
    for (uint32_t i = 0; i < start->argc + start->envc; i++) {
        char *end = memchr(strings, '\0', n);
        if (!end)
            return false;
        if (i == start->argc)
            vector[out++] = NULL;
        vector[out++] = strings;
        n -= (size_t)(end + 1 - strings);
        strings = end + 1;
    }
    if (start->envc == 0)
        vector[out++] = NULL;
    vector[out] = NULL;
    return n == 0;
}

static int place_mounts(const struct sandbox__start *start, const int *fds, size_t fd_count)
{
    char size[32];
    snprintf(size, sizeof size, "%llu", (unsigned long long)start->tmp_bytes);
    const char *const options[] = {"size", size, "mode", "1777", NULL};
    doing = SANDBOX__STEP_TMP;
    int r = sandbox__mount_new("tmpfs", options, HOLDER_MOUNT, "/tmp");
    size_t next = 1 + start->has_log; /* fds[0] is the output */
    for (int i = 0; i < SANDBOX__MOUNTS && r == 0; i++) {
        if (!(start->mounts & 1u << i))
            continue;
        doing = SANDBOX__STEP_PLACE;
        if (next >= fd_count)
            return -EINVAL;
        if (syscall(SYS_move_mount, fds[next++], "", AT_FDCWD, sandbox__mount_at[i], MOVE_MOUNT_F_EMPTY_PATH) < 0)
            r = -errno;
    }
    return r;
}

/* In the child; pipes: output, and the log channel if there is one. Only an error comes back. */
static int become(const struct sandbox__start *start, char **argv, char **env, const int *pipes,
                  const struct sandbox__filter *filter)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    doing = SANDBOX__STEP_OUTPUT;
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(pipes[0], 1) < 0 || dup2(pipes[0], 2) < 0)
        return -errno;
    if (start->has_log && dup2(pipes[1], SANDBOX_LOG_FD) < 0) /* in the place of the control socket, which is not ours */
        return -errno;
    doing = SANDBOX__STEP_FOLDER;
    if (chdir(sandbox__mount_at[SANDBOX__TASK]) != 0)
        return -errno;
    int r = lock_down(start, filter);
    if (r != 0)
        return r;
    doing = SANDBOX__STEP_DESCRIPTORS;
    if (syscall(SYS_close_range, SANDBOX_LOG_FD + start->has_log, ~0u, CLOSE_RANGE_CLOEXEC) != 0)
        return -errno;
    doing = SANDBOX__STEP_EXEC;
    execve(argv[0], argv, env);
    return -errno;
}

/* pid of the function's main process, or -errno when it did not get as far as its own program. */
static int start_function(const struct sandbox__start *start, char **vector, const int *pipes, const struct sandbox__filter *filter)
{
    int told[2];
    struct {
        int error, step;
    } failed = {0, 0};
    doing = SANDBOX__STEP_FORK;
    if (pipe2(told, O_CLOEXEC) != 0)
        return -errno;
    /* Not fork(): that would wait for locks of a C library that was copied in any state. */
    struct clone_args args = {.exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        failed.error = become(start, vector, vector + start->argc + 1, pipes, filter);
        failed.step = (int)doing;
        if (write(told[1], &failed, sizeof failed) != (ssize_t)sizeof failed)
            _exit(126);
        _exit(127);
    }
    int r = pid < 0 ? -errno : pid;
    close(told[1]);
    if (pid > 0 && read(told[0], &failed, sizeof failed) == (ssize_t)sizeof failed) {
        doing = (enum sandbox__step)failed.step;
        r = failed.error; /* exec closes the pipe: nothing to read */
    }
    close(told[0]);
    return r;
}

/* Until the main process ends or the server goes. */
static void attend(pid_t main_process, int children)
{
    struct pollfd watch[] = {{FD_CONTROL, POLLIN, 0}, {children, POLLIN, 0}};
    for (;;) {
        int status;
        struct rusage usage;
        for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
            if (pid != main_process)
                continue;                           /* an orphan of the function */
            report_to_server(SANDBOX__EXITED, status, (uint64_t)usage.ru_maxrss * 1024, NULL, 0);
            return;
        }
        if (poll(watch, COUNT_OF(watch), -1) < 0 && errno != EINTR)
            return;
        if (watch[0].revents)                       /* nothing is sent to a running sandbox: it is the end */
            return;
        struct signalfd_siginfo seen;
        while (read(children, &seen, sizeof seen) == (ssize_t)sizeof seen)
            ;
    }
}

static int children_fd(void)
{
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    return signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void wait_and_run(const struct sandbox__filter *filter)
{
    static union {
        struct sandbox__start start;
        char bytes[SANDBOX__START_BYTES_MAX];
    } message;
    static char *vector[STRINGS_MAX + 2];
    int fds[SANDBOX__FDS_MAX], children = children_fd();
    size_t fd_count;
    ssize_t n = sandbox__recv(FD_CONTROL, message.bytes, sizeof message.bytes, fds, COUNT_OF(fds), &fd_count);
    if (n < (ssize_t)sizeof message.start || fd_count < 1 || message.start.has_log > 1 || fd_count < 1 + message.start.has_log ||
        children < 0)
        return;
    char *strings = message.bytes + sizeof message.start;
    doing = SANDBOX__STEP_UNPACK;
    int r = split_strings(&message.start, strings, (size_t)n - sizeof message.start, vector) ? 0 : -EINVAL;
    if (r == 0)
        r = place_mounts(&message.start, fds, fd_count);
    if (r == 0)
        r = start_function(&message.start, vector, fds, filter);
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
    drop_capabilities();
    explicit_bzero(&message, sizeof message);       /* credentials */
    if (report_to_server(SANDBOX__STARTED, r > 0 ? 0 : -r, 0, NULL, 0) == 0 && r > 0)
        attend(r, children);
}

void sandbox__holder_run(int control, int go, bool root, const struct sandbox__filter *filter)
{
    char byte;
    prctl(PR_SET_NAME, "cl-holder", 0, 0, 0);
    if (read(go, &byte, 1) != 1)
        _exit(1);
    if (control != FD_CONTROL && dup2(control, FD_CONTROL) < 0)
        _exit(1);
    dup2(1, 2);                     /* /dev/null */
    syscall(SYS_close_range, FD_CONTROL + 1, ~0u, 0);
    int r = finish_sandbox(root);
    if (r == 0)
        wait_and_run(filter);
    else
        report_to_server(SANDBOX__READY, -r, 0, NULL, 0);
    _exit(r == 0 ? 0 : 1);
}
