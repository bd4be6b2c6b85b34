/* host.c -- the server's side: the pool of waiting holders, start, watch, end. The launcher stands behind launcher_link.c.
 *
 * A holder is made in about a millisecond, and moved into its v1 cgroups in some ten: so `spares` of them wait, and a thread
 * (the filler) replaces each one taken. A start takes one, makes read-only detached mounts of the function's directories
 * (only our mount namespace can see them: the descriptors carry them into the sandbox), writes the limits of the waiting
 * cgroup and sends what to run. Nobody waiting: the caller makes a holder for itself.
 * The end is the pidfd of the holder becoming readable: then nothing of the sandbox runs any more, its last report waits in
 * the control socket, and the hook is called. Nothing of this is a durable job: spares and sandboxes live no longer than the
 * process, and what a killed one left is swept at the next start.
 *
 * Threads: `lock` guards the pool and the list of sandboxes; the link to the launcher has a lock of its own. A sandbox belongs
 * to its caller; its watch and `exited` live on its loop; `killed` may be set from any thread.
 * An ordinary user's server moves into a user namespace (and mount namespace) of its own at host_start, where it is root
 * over nothing but itself: mounts can be cloned only with CAP_SYS_ADMIN over one's mount namespace. */
#include "sandbox/sandbox_internal.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/panic.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define HOLDER_MS_DEFAULT 5000
#define FILLER_PAUSE_S 1            /* after a holder could not be made */
#define TAKE_TRIES 4                /* spares that turn out dead before the start gives up */
#define END_MS_MAX 5000             /* for a killed sandbox to be gone */

struct sandbox {
    struct sandbox_host *host;
    struct sandbox *previous, *next;        /* host->live or host->spares */
    unsigned id;
    pid_t pid;
    int pidfd, control, output, log;
    int listener[2];                        /* runtime, aws */
    struct sandbox__cgroup cgroup;
    struct sandbox_hooks hooks;
    struct loop_task task;
    struct loop_watch *watch;
    atomic_bool killed;
    atomic_size_t rss_peak;                 /* as the holder reported it */
};

struct sandbox_list {
    struct sandbox *first;
    size_t count;
};

struct sandbox_host {
    bool root;
    int lock_fd;                            /* one server for a state directory; the kernel lets go of it with us */
    struct sandbox__link *link;
    char *empty_dir; /* where the launcher, and it alone, has the root of sandboxes */
    struct sandbox__cgroups cgroups;
    struct sandbox_limits together; /* of all, that hold; 0: none */
    int holder_ms;
    atomic_bool failing; /* the last sandbox could not be made; while spares are wanted the filler tries again */
    pthread_mutex_t lock;
    pthread_cond_t wake;                    /* the filler: a spare was taken, or stop */
    pthread_t filler;
    bool filling, stopping;
    size_t spares_wanted;
    unsigned next_id;
    struct sandbox_list spares, live;
};

/* ---- small helpers ---- */

static void list_add(struct sandbox_list *list, struct sandbox *sandbox)
{
    sandbox->previous = NULL, sandbox->next = list->first;
    if (list->first)
        list->first->previous = sandbox;
    list->first = sandbox;
    list->count++;
}

static void list_remove(struct sandbox_list *list, struct sandbox *sandbox)
{
    if (sandbox->next)
        sandbox->next->previous = sandbox->previous;
    *(sandbox->previous ? &sandbox->previous->next : &list->first) = sandbox->next;
    list->count--;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* Every id exists here: we are not in a user namespace that knows only some of them (a container's, or our own of before). */
static bool all_ids_are_mapped(void)
{
    unsigned inside = 1, outside = 1, count = 0;
    FILE *file = fopen("/proc/self/uid_map", "re");
    if (!file)
        return false;
    bool fine = fscanf(file, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 && count == UINT_MAX;
    fclose(file);
    return fine;
}

bool sandbox__is_privileged(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct have[2] = {{0}};
    unsigned need = 1u << CAP_SYS_ADMIN | 1u << CAP_SETUID | 1u << CAP_SETGID;
    return geteuid() == 0 && syscall(SYS_capget, &head, have) == 0 && (have[0].effective & need) == need && all_ids_are_mapped();
}

bool sandbox_owns_files(void)
{
    return !sandbox__is_privileged();
}

/* ---- what failed ---- */

static _Thread_local struct sandbox_failure last_failure;

void sandbox__failed(uint64_t step, int error)
{
    static const char *const names[] = {
#define SANDBOX__STEP_NAME(name, text) text,
        SANDBOX__STEPS(SANDBOX__STEP_NAME)
#undef SANDBOX__STEP_NAME
    };
    last_failure = (struct sandbox_failure){names[step < COUNT_OF(names) ? step : SANDBOX__STEP_NONE], error};
}

struct sandbox_failure sandbox_last_failure(void)
{
    return last_failure;
}

/* ---- a holder's birth and end ---- */

static void reap_process(int pidfd)
{
    siginfo_t ended;
    waitid((idtype_t)P_PIDFD, (id_t)pidfd, &ended, WEXITED | __WALL | WNOHANG);
}

void sandbox__kill_and_reap(int pidfd)
{
    if (pidfd < 0)
        return;
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    sandbox__wait_readable(pidfd, END_MS_MAX);
    reap_process(pidfd);
}

void sandbox__await_and_reap(int pidfd)
{
    if (pidfd < 0)
        return;
    if (sandbox__wait_readable(pidfd, END_MS_MAX))
        reap_process(pidfd);
    else
        sandbox__kill_and_reap(pidfd);
}

/* Closes and removes what is left; the processes are gone. */
static void discard(struct sandbox *sandbox)
{
    close_fd(&sandbox->control);
    close_fd(&sandbox->listener[0]);
    close_fd(&sandbox->listener[1]);
    close_fd(&sandbox->output);
    close_fd(&sandbox->log);
    close_fd(&sandbox->pidfd);
    sandbox__cgroup_remove(&sandbox->host->cgroups, &sandbox->cgroup);
    free(sandbox);
}

static enum err ask_launcher(struct sandbox *sandbox, int control)
{
    struct sandbox_host *host = sandbox->host;
    bool with_cgroup = host->cgroups.v2 && sandbox->cgroup.dir[0] >= 0;
    struct sandbox__make request = {.uid_base = host->root ? SANDBOX__UID_BASE + 2 * (sandbox->id % SANDBOX__UID_SLOTS) : 0,
                                    .has_cgroup = with_cgroup};
    int fds[2] = {control, sandbox->cgroup.dir[0]};
    return sandbox__link_make(host->link, &request, fds, 1u + with_cgroup, &sandbox->pid, &sandbox->pidfd);
}

static enum err await_ready(struct sandbox *sandbox)
{
    struct sandbox__report ready;
    size_t count;
    sandbox__failed(SANDBOX__STEP_READY, ETIMEDOUT);
    if (!sandbox__wait_readable(sandbox->control, sandbox->host->holder_ms))
        return ERR_TIMEOUT;
    ssize_t n = sandbox__recv(sandbox->control, &ready, sizeof ready, sandbox->listener, 2, &count);
    if (n == (ssize_t)sizeof ready && ready.kind == SANDBOX__READY && ready.value != 0)
        sandbox__failed(ready.step, ready.value);
    else /* it has ended; or its listeners found no room here */
        sandbox__failed(SANDBOX__STEP_READY, n > 0 ? EMFILE : n < 0 ? (int)-n : ECHILD);
    if (n != (ssize_t)sizeof ready || ready.kind != SANDBOX__READY || ready.value != 0 || count != 2)
        return ERR_IO;
    return ERR_OK;
}

static enum err make_one_holder(struct sandbox_host *host, struct sandbox **ret)
{
    struct sandbox *sandbox = mem_zalloc(sizeof *sandbox);
    sandbox->host = host;
    sandbox->pidfd = sandbox->control = sandbox->output = sandbox->log = sandbox->listener[0] = sandbox->listener[1] = -1;
    pthread_mutex_lock(&host->lock);
    sandbox->id = host->next_id++;
    pthread_mutex_unlock(&host->lock);
    int pair[2];
    enum err err = ERR_IO;
    if (!sandbox__cgroup_make(&host->cgroups, sandbox->id, &sandbox->cgroup)) {
        sandbox__failed(SANDBOX__STEP_GROUP, errno);
    } else if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        sandbox__failed(SANDBOX__STEP_SOCKET, errno);
    } else {
        sandbox->control = pair[0];
        err = ask_launcher(sandbox, pair[1]);
        close(pair[1]);
    }
    if (err == ERR_OK)
        err = await_ready(sandbox);
    if (err == ERR_OK && !sandbox__cgroup_attach(&host->cgroups, &sandbox->cgroup, sandbox->pid)) {
        sandbox__failed(SANDBOX__STEP_ATTACH, errno);
        err = ERR_IO;
    }
    if (err != ERR_OK) {
        sandbox__kill_and_reap(sandbox->pidfd);
        discard(sandbox);
        return err;
    }
    *ret = sandbox;
    return ERR_OK;
}

static enum err make_holder(struct sandbox_host *host, struct sandbox **ret)
{
    enum err err = make_one_holder(host, ret);
    atomic_store(&host->failing, err != ERR_OK);
    return err;
}

/* ---- the pool ---- */

static void *fill_spares(void *arg)
{
    struct sandbox_host *host = arg;
    enum err told = ERR_OK; /* a failure is told once, until it works again */
    pthread_setname_np(pthread_self(), "sandbox-pool");
    pthread_mutex_lock(&host->lock);
    while (!host->stopping) {
        if (host->spares.count >= host->spares_wanted) {
            pthread_cond_wait(&host->wake, &host->lock);
            continue;
        }
        struct sandbox *made;
        pthread_mutex_unlock(&host->lock);
        enum err err = make_holder(host, &made);
        pthread_mutex_lock(&host->lock);
        if (err == ERR_OK) {
            list_add(&host->spares, made);
            told = ERR_OK;
            continue;
        }
        if (err != told)
            log_to(LOG_WARN, "sandbox.spare_failed", {"step", str_of(last_failure.step)},
                   {"error", str_of(strerror(last_failure.error))});
        told = err;
        struct timespec later = clock_deadline(FILLER_PAUSE_S * 1000);
        if (!host->stopping)
            pthread_cond_clockwait(&host->wake, &host->lock, CLOCK_MONOTONIC, &later);
    }
    pthread_mutex_unlock(&host->lock);
    return NULL;
}

static enum err take_holder(struct sandbox_host *host, struct sandbox **ret)
{
    pthread_mutex_lock(&host->lock);
    struct sandbox *spare = host->spares.first;
    bool stopping = host->stopping;
    if (spare && !stopping) {
        list_remove(&host->spares, spare);
        pthread_cond_signal(&host->wake);
    }
    pthread_mutex_unlock(&host->lock);
    if (stopping)
        return ERR_CLOSED;
    if (!spare)
        return make_holder(host, ret);
    *ret = spare;
    return ERR_OK;
}

/* ---- start ---- */

#define HARD_MOUNT (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* `path` as the upper of two layers, the other being empty: /proc/self/mountinfo tells a function where in its file system a bound
 * folder lies, which would be the server's data directory; of layers it tells what they were called when they were mounted. -1:
 * this kernel or file system has none. */
static int layered_mount(const struct sandbox_host *host, const char *path)
{
    int top = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), empty = open(host->empty_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fs = top < 0 || empty < 0 ? -1 : (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC), tree = -1;
    char layers[64];
    snprintf(layers, sizeof layers, "/proc/self/fd/%d:/proc/self/fd/%d", top, empty);
    if (fs >= 0 && syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "lowerdir", layers, 0) == 0 &&
        syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        tree = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, HARD_MOUNT);
    close_fd(&top);
    close_fd(&empty);
    close_fd(&fs);
    return tree;
}

/* A mount of its own for `path`: whatever the server mounts or writes elsewhere, inside it is read-only. */
static enum err detached_mount(const char *path, int *ret_fd)
{
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd < 0) {
        sandbox__failed(SANDBOX__STEP_MOUNTS, errno);
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    }
    struct mount_attr hard = {.attr_set = HARD_MOUNT};
    if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &hard, sizeof hard) < 0) {
        sandbox__failed(SANDBOX__STEP_MOUNTS, errno);
        close(fd);
        return ERR_IO;
    }
    *ret_fd = fd;
    return ERR_OK;
}

struct start_message {
    struct buf bytes;               /* struct sandbox__start and the strings */
    int fds[2 + SANDBOX__MOUNTS];
    size_t fd_count;
};

static uint32_t pack_strings(struct buf *buf, const char *const *strings)
{
    uint32_t count = 0;
    for (; strings && strings[count]; count++)
        buf_add(buf, (struct str){strings[count], strlen(strings[count]) + 1});
    return count;
}

static enum err pack_start(const struct sandbox_host *host, const struct sandbox_spec *spec, struct start_message *message)
{
    const char *const dirs[SANDBOX__MOUNTS] = {spec->code_dir, spec->layers_dir, spec->lang_dir, spec->runtime_dir};
    struct sandbox__start head = {.tmp_bytes = spec->tmp_bytes, .has_log = spec->log_channel};
    if (!host->cgroups.has[SANDBOX__MEMORY])
        head.data_bytes = spec->memory_bytes;
    buf_add(&message->bytes, (struct str){(const char *)&head, sizeof head});
    head.argc = pack_strings(&message->bytes, spec->argv);
    head.envc = pack_strings(&message->bytes, spec->env);
    if (message->bytes.failed) {
        sandbox__failed(SANDBOX__STEP_PACK, E2BIG);
        return ERR_TOO_LARGE;
    }
    for (int i = 0; i < SANDBOX__MOUNTS; i++) {
        if (!dirs[i])
            continue;
        int *fd = &message->fds[message->fd_count];
        *fd = i == SANDBOX__TASK || i == SANDBOX__OPT ? layered_mount(host, dirs[i]) : -1;
        enum err err = *fd < 0 ? detached_mount(dirs[i], fd) : ERR_OK;
        if (err != ERR_OK)
            return err;
        message->fd_count++;
        head.mounts |= 1u << i;
    }
    memcpy(message->bytes.p, &head, sizeof head);
    return ERR_OK;
}

static enum err error_of_exec(int error)
{
    switch (error) {
    case 0:
        return ERR_OK;
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EACCES:
        return ERR_DENIED;
    case ENOEXEC:
    case ELIBBAD:
        return ERR_UNSUPPORTED;
    case E2BIG:
        return ERR_TOO_LARGE;
    default:
        return ERR_IO;
    }
}

static enum err await_started(struct sandbox *sandbox)
{
    struct sandbox__report started;
    size_t count;
    sandbox__failed(SANDBOX__STEP_STARTED, ETIMEDOUT);
    if (!sandbox__wait_readable(sandbox->control, sandbox->host->holder_ms))
        return ERR_TIMEOUT;
    sandbox__failed(SANDBOX__STEP_STARTED, ECHILD);
    if (sandbox__recv(sandbox->control, &started, sizeof started, NULL, 0, &count) != (ssize_t)sizeof started ||
        started.kind != SANDBOX__STARTED)
        return ERR_IO;
    sandbox__failed(started.step, started.value);
    return started.value && started.step != SANDBOX__STEP_EXEC ? ERR_IO : error_of_exec(started.value);
}

/* A spare may have died while it waited (the kernel out of memory, somebody's kill): then the next one is taken. */
static enum err send_to_holder(struct sandbox_host *host, const struct sandbox_spec *spec, const struct start_message *message,
                               struct sandbox **ret)
{
    const unsigned all = host->together.cpu_percent; /* version 1 refuses more for one than for all */
    const struct sandbox_limits limits = {.memory_bytes = spec->memory_bytes,
                                          .cpu_percent =
                                              all && (all < spec->cpu_percent || !spec->cpu_percent) ? all : spec->cpu_percent,
                                          .processes = SANDBOX_PIDS_MAX + 1}; /* and the holder */
    for (int tries = 0; tries < TAKE_TRIES; tries++) {
        struct sandbox *sandbox;
        enum err err = take_holder(host, &sandbox);
        if (err != ERR_OK)
            return err;
        int sent = -1;
        if (!sandbox__cgroup_limit(&host->cgroups, &sandbox->cgroup, &limits))
            sandbox__failed(SANDBOX__STEP_LIMIT, errno);
        else if ((sent = sandbox__send(sandbox->control, message->bytes.p, message->bytes.n, message->fds, message->fd_count)) != 0)
            sandbox__failed(SANDBOX__STEP_SEND, -sent);
        if (sent == 0) {
            *ret = sandbox;
            return ERR_OK;
        }
        sandbox__kill_and_reap(sandbox->pidfd);
        discard(sandbox);
    }
    return ERR_IO;
}

/* The sandbox gets the writing end. */
static enum err pack_pipe(struct start_message *message, int *ret_reading)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        sandbox__failed(SANDBOX__STEP_PIPE, errno);
        return ERR_IO;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *ret_reading = ends[0];
    message->fds[message->fd_count++] = ends[1];
    return ERR_OK;
}

static void watch_end(struct loop_task *task);

enum err sandbox_start(struct sandbox_host *host, const struct sandbox_spec *spec, const struct sandbox_hooks *hooks,
                       struct sandbox **ret)
{
    if (!spec->code_dir || !spec->argv || !spec->argv[0] || spec->memory_bytes == 0 || spec->tmp_bytes == 0)
        return ERR_INVALID;
    last_failure = (struct sandbox_failure){0};
    struct start_message message = {.fds = {-1, -1, -1, -1, -1, -1}};
    struct sandbox *sandbox = NULL;
    int output = -1, channel = -1;
    buf_init(&message.bytes, NULL, SANDBOX__START_BYTES_MAX);
    enum err err = pack_pipe(&message, &output);
    if (err == ERR_OK && spec->log_channel)
        err = pack_pipe(&message, &channel);
    if (err == ERR_OK)
        err = pack_start(host, spec, &message);
    if (err == ERR_OK)
        err = send_to_holder(host, spec, &message, &sandbox);
    if (err == ERR_OK) {
        sandbox->output = take_fd(&output);
        sandbox->log = take_fd(&channel);
        sandbox->hooks = *hooks;
        err = await_started(sandbox);
        if (err == ERR_OK) {
            pthread_mutex_lock(&host->lock);
            list_add(&host->live, sandbox);
            pthread_mutex_unlock(&host->lock);
            *ret = sandbox;
            sandbox->task.run = watch_end;
            loop_post(hooks->loop, &sandbox->task);
        } else {
            sandbox__kill_and_reap(sandbox->pidfd);
            discard(sandbox);
        }
    }
    close_fd(&output);
    close_fd(&channel);
    for (size_t i = 0; i < message.fd_count; i++)
        close_fd(&message.fds[i]);
    if (message.bytes.p)
        explicit_bzero(message.bytes.p, message.bytes.n);      /* credentials */
    buf_clear(&message.bytes);
    return err;
}

/* ---- end ---- */

/* The holder is dead. What it reported says how the function's main process ended; no report: it was killed as well. */
static void read_exit(struct sandbox *sandbox, struct sandbox_exit *ret)
{
    struct sandbox__report last;
    size_t count;
    *ret = (struct sandbox_exit){.status = -1, .signal = SIGKILL, .killed_by_us = atomic_load(&sandbox->killed)};
    reap_process(sandbox->pidfd);
    if (sandbox__wait_readable(sandbox->control, 0) &&
        sandbox__recv(sandbox->control, &last, sizeof last, NULL, 0, &count) == (ssize_t)sizeof last &&
        last.kind == SANDBOX__EXITED) {
        atomic_store(&sandbox->rss_peak, (size_t)last.rss_peak_bytes);
        ret->status = WIFEXITED(last.value) ? WEXITSTATUS(last.value) : -1;
        ret->signal = WIFSIGNALED(last.value) ? WTERMSIG(last.value) : 0;
    }
    ret->out_of_memory =
        ret->signal == SIGKILL && !ret->killed_by_us && sandbox__cgroup_oom(&sandbox->host->cgroups, &sandbox->cgroup);
}

static void holder_ended(int fd, void *arg)
{
    (void)fd;
    struct sandbox *sandbox = arg;
    struct sandbox_exit exit;
    loop_watch_stop(&sandbox->watch);
    read_exit(sandbox, &exit);
    sandbox->hooks.exited(sandbox, &exit, sandbox->hooks.arg);
}

static void watch_end(struct loop_task *task)
{
    struct sandbox *sandbox = CONTAINER_OF(task, struct sandbox, task);
    sandbox->watch = loop_watch_start(sandbox->hooks.loop, sandbox->pidfd, holder_ended, sandbox);
}

void sandbox_kill(struct sandbox *sandbox)
{
    atomic_store(&sandbox->killed, true);
    syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL, 0);
}

void sandbox_free(struct sandbox **sandbox)
{
    struct sandbox *one = *sandbox;
    if (!one)
        return;
    *sandbox = NULL;
    pthread_mutex_lock(&one->host->lock);
    list_remove(&one->host->live, one);
    pthread_mutex_unlock(&one->host->lock);
    discard(one);
}

int sandbox_take_runtime_listener(struct sandbox *sandbox)
{
    return take_fd(&sandbox->listener[0]);
}

int sandbox_take_aws_listener(struct sandbox *sandbox)
{
    return take_fd(&sandbox->listener[1]);
}

int sandbox_take_output(struct sandbox *sandbox)
{
    return take_fd(&sandbox->output);
}

int sandbox_take_log(struct sandbox *sandbox)
{
    return take_fd(&sandbox->log);
}

/* While it runs and no cgroup counts: the high-water mark of the main process, which is the holder's first child. */
static size_t rss_peak_now(pid_t holder)
{
    char path[64], line[256];
    long child = 0;
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", holder, holder);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    bool found = fscanf(file, "%ld", &child) == 1;
    fclose(file);
    snprintf(path, sizeof path, "/proc/%ld/status", child);
    if (!found || !(file = fopen(path, "re")))
        return 0;
    while (fgets(line, sizeof line, file) && sscanf(line, "VmHWM: %llu kB", &kib) != 1)
        ;
    fclose(file);
    return (size_t)kib * 1024;
}

size_t sandbox_memory_peak(struct sandbox *sandbox)
{
    size_t peak = sandbox__cgroup_peak(&sandbox->host->cgroups, &sandbox->cgroup);
    if (peak == 0)
        peak = atomic_load(&sandbox->rss_peak);
    return peak ? peak : rss_peak_now(sandbox->pid);
}

const struct sandbox_driver sandbox_processes = {
    .name = "processes",
    .start = sandbox_start,
    .take_runtime_listener = sandbox_take_runtime_listener,
    .take_aws_listener = sandbox_take_aws_listener,
    .take_output = sandbox_take_output,
    .take_log = sandbox_take_log,
    .memory_peak = sandbox_memory_peak,
    .kill = sandbox_kill,
    .free = sandbox_free,
};

/* ---- the host ---- */

static bool put_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool fine = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return fine;
}

/* An ordinary user becomes root of a user namespace that holds nobody but himself. */
static enum err own_namespace(void)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return ERR_UNSUPPORTED;
    snprintf(map, sizeof map, "0 %u 1", uid);
    bool fine = put_file("/proc/self/setgroups", "deny") && put_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", gid);
    return fine && put_file("/proc/self/gid_map", map) ? ERR_OK : ERR_UNSUPPORTED;
}

static enum err prepare_directory(struct sandbox_host *host, const char *state_dir, char root_at[PATH_MAX])
{
    char path[PATH_MAX];
    if (snprintf(root_at, PATH_MAX, "%s/root", state_dir) >= PATH_MAX ||
        snprintf(path, sizeof path, "%s/lock", state_dir) >= PATH_MAX)
        return ERR_TOO_LARGE;
    if (!folder_make(state_dir, 0700) || !folder_make(root_at, 0755))
        return ERR_IO;
    return file_lock(path, &host->lock_fd);
}

static enum err open_link(struct sandbox_host *host, const char *root_at, const struct sandbox__filter *filter,
                          unsigned launcher_ms)
{
    int parents[SANDBOX__RESOURCES];
    struct sandbox__launcher launcher = {.root_at = root_at, .root = host->root, .filter = filter, .cgroup_parents = parents,
                                         .cgroup_name = host->cgroups.name};
    for (int r = 0; r < SANDBOX__RESOURCES; r++)
        if (host->cgroups.parent[r] >= 0)
            parents[launcher.cgroup_parent_count++] = host->cgroups.parent[r];
    return sandbox__link_open(&launcher, launcher_ms, &host->link);
}

static enum err start_steps(struct sandbox_host *host, const struct sandbox_host_options *options, struct arena *arena,
                            struct str *ret_message)
{
    const char *state_dir = options->state_dir;
    char root_at[PATH_MAX];
    enum err err = prepare_directory(host, state_dir, root_at);
    if (err != ERR_OK) {
        *ret_message = err == ERR_BUSY ? arena_printf(arena, "another server uses %s", state_dir)
                                       : arena_printf(arena, "%s: %s", state_dir, strerror(errno));
        return err;
    }
    host->empty_dir = mem_dup(root_at, strlen(root_at));
    host->root = sandbox__is_privileged();
    sandbox__cgroups_open(&host->cgroups, state_dir);
    host->together = (struct sandbox_limits){
        .memory_bytes = host->cgroups.has[SANDBOX__MEMORY] ? options->together.memory_bytes : 0,
        .processes = host->cgroups.has[SANDBOX__PIDS] ? options->together.processes : 0,
        .cpu_percent = host->cgroups.has[SANDBOX__CPU] ? options->together.cpu_percent : 0,
    };
    if (!sandbox__cgroups_limit(&host->cgroups, &host->together)) {
        *ret_message = arena_printf(arena, "the limits of all functions together cannot be set: %s", strerror(errno));
        return ERR_UNSUPPORTED;
    }
    if (!host->root && own_namespace() != ERR_OK) {
        *ret_message =
            arena_printf(arena, "not root, and the kernel allows an ordinary user no user namespace (%s)", strerror(errno));
        return ERR_UNSUPPORTED;
    }
    struct sandbox__filter *filter = mem_zalloc(sizeof *filter);
    if (sandbox__filter_make(filter) != ERR_OK) {
        free(filter);
        *ret_message = STR("the system call filter cannot be made");
        return ERR_UNSUPPORTED;
    }
    err = open_link(host, root_at, filter, options->launcher_ms);
    free(filter);
    if (err != ERR_OK)
        *ret_message = STR("the process that makes sandboxes cannot be started");
    return err;
}

static void start_filler(struct sandbox_host *host)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);       /* signals are the main thread's */
    host->filling = host->spares_wanted > 0 && pthread_create(&host->filler, NULL, fill_spares, host) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct sandbox_limits sandbox_host_limits(const struct sandbox_host *host)
{
    return host->together;
}

enum err sandbox_host_begin(const struct sandbox_host_options *options, struct arena *arena, struct sandbox_host **ret,
                            struct str *ret_message)
{
    struct sandbox_host *host = mem_zalloc(sizeof *host);
    host->lock_fd = -1;
    host->cgroups = (struct sandbox__cgroups){.parent = {-1, -1, -1}, .dir = {-1, -1, -1}};
    host->spares_wanted = options->spares;
    host->holder_ms = options->holder_ms ? (int)options->holder_ms : HOLDER_MS_DEFAULT;
    host->next_id = 1;
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->wake, NULL);
    enum err err = start_steps(host, options, arena, ret_message);
    if (err != ERR_OK) {
        sandbox_host_stop(host);
        return err;
    }
    *ret = host;
    return ERR_OK;
}

enum err sandbox_host_await(struct sandbox_host **host, struct arena *arena, struct str *ret_message)
{
    enum err err = sandbox__link_await((*host)->link, arena, ret_message);
    if (err == ERR_OK) {
        start_filler(*host);
        return ERR_OK;
    }
    sandbox_host_stop(*host);
    *host = NULL;
    return err;
}

enum err sandbox_host_start(const struct sandbox_host_options *options, struct arena *arena, struct sandbox_host **ret,
                            struct str *ret_message)
{
    struct sandbox_host *host;
    enum err err = sandbox_host_begin(options, arena, &host, ret_message);
    if (err == ERR_OK)
        err = sandbox_host_await(&host, arena, ret_message);
    if (err == ERR_OK)
        *ret = host;
    return err;
}

static void end_all(struct sandbox_list *list)
{
    for (struct sandbox *each = list->first; each; each = each->next)
        if (each->pidfd >= 0)
            syscall(SYS_pidfd_send_signal, each->pidfd, SIGKILL, NULL, 0);
    while (list->first) {
        struct sandbox *one = list->first;
        list_remove(list, one);
        sandbox__kill_and_reap(one->pidfd);
        discard(one);
    }
}

enum sandbox_state sandbox_host_state(struct sandbox_host *host)
{
    enum sandbox_state state = sandbox__link_state(host->link);
    return state == SANDBOX_READY && atomic_load(&host->failing) ? SANDBOX_STALLED : state;
}

void sandbox_host_stop(struct sandbox_host *host)
{
    if (!host)
        return;
    pthread_mutex_lock(&host->lock);
    host->stopping = true;
    pthread_cond_signal(&host->wake);
    pthread_mutex_unlock(&host->lock);
    if (host->filling)
        pthread_join(host->filler, NULL);
    end_all(&host->spares);
    end_all(&host->live);
    sandbox__link_close(host->link);
    sandbox__cgroups_close(&host->cgroups, true);
    close_fd(&host->lock_fd);
    free(host->empty_dir);
    pthread_mutex_destroy(&host->lock);
    pthread_cond_destroy(&host->wake);
    free(host);
}
