/* cgroup.c -- limits of memory, processor and processes by control groups, version 2 or 1, whichever the machine runs.
 *
 * Under one parent directory for each resource (v1) or for all (v2) stands `cloudless-<hash of which state directory it is>`, and
 * in it a directory for each sandbox, named by its number. Which it is: its inode and when that was made, not its path, so that one
 * that was moved finds its groups, and another at its old path has others.
 * Where: v1 below our own group. v2 needs a group that hands its controllers down and has no process of its own: our own group
 * if we are alone in it (systemd's Delegate=yes: the server moves into its child "server"), else the nearest ancestor that
 * hands memory down and lets us make a directory.
 * Moving a running process into a group takes 7–15 ms (an RCU grace period): v2 sandboxes are born in theirs
 * (CLONE_INTO_CGROUP), v1 holders are moved while they wait in the pool. Writing a limit takes 10 µs, at start.
 * What cannot be limited here is left to resource limits of each process (holder.c).
 * Source: kernel documentation, admin-guide/cgroup-v1 and admin-guide/cgroup-v2. */
#include "sandbox/sandbox_internal.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/panic.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES_MAX 65536            /* of /proc/self/mountinfo and the like; the rest is not looked at */
#define CPU_PERIOD_US 100000
#define STALE_WAIT_MS 2000
#define SOCKETS_LIMIT_V1 "memory.kmem.tcp.limit_in_bytes"

static const struct resource {
    const char *controller, *limit_v1, *limit_v2, *peak_v1, *peak_v2, *events_v1, *events_v2;
} resources[SANDBOX__RESOURCES] = {
    [SANDBOX__MEMORY] = {"memory", "memory.limit_in_bytes", "memory.max", "memory.max_usage_in_bytes", "memory.peak",
                         "memory.oom_control", "memory.events"},
    [SANDBOX__CPU] = {"cpu", "cpu.cfs_quota_us", "cpu.max", NULL, NULL, NULL, NULL},
    [SANDBOX__PIDS] = {"pids", "pids.max", "pids.max", NULL, NULL, NULL, NULL},
};

/* ---- small files ---- */

/* At most max - 1 bytes and a NUL; false when it cannot be read. */
static bool read_at(int dir, const char *name, char *into, size_t max)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t n = 0;
    ssize_t got;
    while (n < max - 1 && (got = read(fd, into + n, max - 1 - n)) > 0)
        n += (size_t)got;
    into[n] = '\0';
    close(fd);
    return true;
}

static bool write_at(int dir, const char *name, const char *text)
{
    int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t n = strlen(text);
    bool fine = write(fd, text, n) == (ssize_t)n;
    close(fd);
    return fine;
}

static bool write_number_at(int dir, const char *name, long long value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", value);
    return write_at(dir, name, text);
}

/* Is `word` one of the words in text, split by space, comma or newline? */
static bool has_word(struct str text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < text.n;) {
        size_t end = i;
        while (end < text.n && !strchr(" ,\n", text.p[end]))
            end++;
        if (end - i == n && memcmp(text.p + i, word, n) == 0)
            return true;
        i = end + 1;
    }
    return false;
}

/* "oom_kill 3" among lines of "key value". */
static uint64_t value_of(const char *text, const char *key)
{
    struct str rest = str_of(text), line;
    while (rest.n > 0) {
        line = str_cut(&rest, '\n');
        uint64_t value;
        if (str_eq(str_cut(&line, ' '), str_of(key)) && str_to_u64(line, &value))
            return value;
    }
    return 0;
}

/* ---- where our own group is ---- */

/* The path of our group in the hierarchy of `controller` (NULL: version 2), as /proc/self/cgroup tells it. */
static bool own_path(const char *controller, char *ret, size_t max)
{
    char text[8192];
    if (!read_at(AT_FDCWD, "/proc/self/cgroup", text, sizeof text))
        return false;
    struct str rest = str_of(text);
    while (rest.n > 0) {
        struct str line = str_cut(&rest, '\n');
        str_cut(&line, ':');
        struct str controllers = str_cut(&line, ':');
        if ((controller ? has_word(controllers, controller) : controllers.n == 0) && line.n < max) {
            memcpy(ret, line.p, line.n);
            ret[line.n] = '\0';
            return true;
        }
    }
    return false;
}

/* Where that hierarchy is mounted, with the part of it that the mount shows. A line of mountinfo:
 * id parent major:minor root mountpoint options … - type source super-options */
static bool mount_of(const char *controller, char *ret_point, char *ret_root, size_t max)
{
    char *text = mem_alloc(FILE_BYTES_MAX);
    bool found = false;
    if (read_at(AT_FDCWD, "/proc/self/mountinfo", text, FILE_BYTES_MAX)) {
        struct str rest = str_of(text);
        while (!found && rest.n > 0) {
            struct str line = str_cut(&rest, '\n'), field[5];
            for (size_t i = 0; i < COUNT_OF(field); i++)
                field[i] = str_cut(&line, ' ');
            const char *dash = line.n ? memmem(line.p, line.n, " - ", 3) : NULL;
            if (!dash || field[3].n >= max || field[4].n >= max)
                continue;
            struct str tail = str_slice(line, (size_t)(dash - line.p) + 3, line.n), type = str_cut(&tail, ' ');
            str_cut(&tail, ' ');
            found = controller ? str_eq(type, STR("cgroup")) && has_word(tail, controller) : str_eq(type, STR("cgroup2"));
            if (found)
                snprintf(ret_root, max, STR_FMT, STR_ARG(field[3])), snprintf(ret_point, max, STR_FMT, STR_ARG(field[4]));
        }
    }
    free(text);
    return found;
}

/* Our own group's directory; *ret_top is how many bytes of it are the mount point, which is as far up as one may go. */
static bool own_directory(const char *controller, char ret[PATH_MAX], size_t *ret_top)
{
    char point[1024], root[1024], own[1024];
    if (!mount_of(controller, point, root, sizeof point) || !own_path(controller, own, sizeof own))
        return false;
    const char *below = own;
    size_t n = strlen(root);
    if (n > 1 && strncmp(own, root, n) == 0)
        below += n;
    if (strcmp(below, "/") == 0)
        below = "";
    snprintf(ret, PATH_MAX, "%s%s", point, below);
    *ret_top = strlen(point);
    return access(ret, F_OK) == 0;
}

static int directory_at(int parent, const char *name)
{
    bool made = mkdirat(parent, name, 0755) == 0;
    if (!made && errno != EEXIST)
        return -1;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = errno;
    if (fd < 0 && made)
        unlinkat(parent, name, AT_REMOVEDIR); /* nobody else would */
    errno = error;
    return fd;
}

/* ---- removing ---- */

static void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static bool is_member(int dir, uint64_t pid)
{
    char text[4096];
    uint64_t other;
    if (!read_at(dir, "cgroup.procs", text, sizeof text))
        return false;
    struct str rest = str_of(text);
    while (rest.n > 0)
        if (str_to_u64(str_cut(&rest, '\n'), &other) && other == pid)
            return true;
    return false;
}

/* A number is nobody's name: the process is held by a pidfd, and killed if the group still has that number then. */
static void kill_member(int dir, uint64_t pid)
{
    int pidfd = pid > 1 && pid <= INT_MAX && (pid_t)pid != getpid() ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
    if (pidfd < 0)
        return;
    if (is_member(dir, pid))
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    close(pidfd);
}

static void kill_members(int dir)
{
    char text[4096];
    if (write_at(dir, "cgroup.kill", "1") ||
        !read_at(dir, "cgroup.procs", text, sizeof text)) /* version 2 kills a group as a whole */
        return;
    struct str rest = str_of(text);
    while (rest.n > 0) {
        uint64_t pid;
        if (str_to_u64(str_cut(&rest, '\n'), &pid))
            kill_member(dir, pid);
    }
}

/* The directories of one level; true: none is left. fdopendir would allocate, and the launcher may not: getdents is used. */
static bool remove_children(int dir, bool kill_processes)
{
    char entries[8192];
    bool empty = true;
    lseek(dir, 0, SEEK_SET);
    for (ssize_t n; (n = getdents64(dir, entries, sizeof entries)) > 0;) {
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            at += entry->d_reclen;
            if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
                continue;
            if (unlinkat(dir, entry->d_name, AT_REMOVEDIR) == 0)
                continue;
            empty = false;
            int child = kill_processes ? openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
            if (child >= 0) {
                kill_members(child);
                close(child);
            }
        }
    }
    return empty;
}

void sandbox__cgroup_tree_remove(int parent, const char *name, int wait_ms, bool kill_processes)
{
    int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return;
    bool gone = false;
    for (int waited = 0; !gone && waited <= wait_ms; waited += 5) {
        gone = remove_children(dir, kill_processes) && (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT);
        if (!gone)
            pause_ms(5);
    }
    close(dir);
}

/* ---- where an earlier server had its groups: it may have run in another group than we do ---- */

static void remember(const struct sandbox__cgroups *cgroups, const char *path)
{
    if (cgroups->remembered_fd >= 0)
        dprintf(cgroups->remembered_fd, "%s\n", path);
}

static void sweep_remembered(struct sandbox__cgroups *cgroups, const char *state_dir)
{
    char path[PATH_MAX], text[8192];
    snprintf(path, sizeof path, "%s/cgroups", state_dir);
    if (read_at(AT_FDCWD, path, text, sizeof text)) {
        struct str rest = str_of(text);
        while (rest.n > 0) {
            struct str line = str_cut(&rest, '\n');
            snprintf(path, sizeof path, STR_FMT, STR_ARG(line));
            int parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (parent < 0)
                continue;
            sandbox__cgroup_tree_remove(parent, cgroups->name, STALE_WAIT_MS, true);
            close(parent);
        }
    }
    snprintf(path, sizeof path, "%s/cgroups", state_dir);
    cgroups->remembered_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

/* ---- opening ---- */

static void open_v1(struct sandbox__cgroups *cgroups)
{
    char path[PATH_MAX];
    size_t top;
    for (int r = 0; r < SANDBOX__RESOURCES; r++) {
        if (!own_directory(resources[r].controller, path, &top))
            continue;
        int parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0)
            continue;
        sandbox__cgroup_tree_remove(parent, cgroups->name, STALE_WAIT_MS, true);
        int dir = directory_at(parent, cgroups->name);
        if (dir < 0) {
            close(parent);
            continue;
        }
        remember(cgroups, path);
        cgroups->parent[r] = parent, cgroups->dir[r] = dir, cgroups->has[r] = true;
    }
}

static bool hands_down(int dir, const char *controller)
{
    char text[512];
    return read_at(dir, "cgroup.subtree_control", text, sizeof text) && has_word(str_of(text), controller);
}

static void hand_down(int dir)
{
    for (int r = 0; r < SANDBOX__RESOURCES; r++) {
        char text[32];
        snprintf(text, sizeof text, "+%s", resources[r].controller);
        write_at(dir, "cgroup.subtree_control", text);          /* each by itself: one that is missing spoils no other */
    }
}

/* Nobody is in it but us and, at most, the process that started us: a supervisor of the same unit. */
static bool holds_only_us(int own, bool *ret_parent)
{
    char text[64];
    *ret_parent = false;
    if (!read_at(own, "cgroup.procs", text, sizeof text))
        return false;
    for (struct str rest = str_of(text); rest.n > 0;) {
        uint64_t pid;
        if (!str_to_u64(str_cut(&rest, '\n'), &pid) || ((pid_t)pid != getpid() && (pid_t)pid != getppid()))
            return false;
        *ret_parent |= (pid_t)pid != getpid();
    }
    return true;
}

/* Our own group, when it was delegated to us: move out of the way into its child, then hand the controllers down. In that child is
 * already who was started again by a supervisor. */
static void take_delegation(int own, const char *path)
{
    bool parent;
    if (strcmp(strrchr(path, '/'), "/server") == 0 || !holds_only_us(own, &parent))
        return;
    int server = directory_at(own, "server");
    if (server < 0)
        return;
    if ((!parent || write_number_at(server, "cgroup.procs", getppid())) && write_number_at(server, "cgroup.procs", getpid()))
        hand_down(own);
    close(server);
}

static bool open_v2(struct sandbox__cgroups *cgroups)
{
    char path[PATH_MAX];
    size_t top;
    if (!own_directory(NULL, path, &top))
        return false;
    for (bool own = true;; own = false) {
        int parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent >= 0) {
            if (own)
                take_delegation(parent, path);
            int dir = -1;
            if (hands_down(parent, "memory")) {
                sandbox__cgroup_tree_remove(parent, cgroups->name, STALE_WAIT_MS, true);
                dir = directory_at(parent, cgroups->name);
            }
            if (dir >= 0) {
                remember(cgroups, path);
                hand_down(dir);
                cgroups->v2 = true, cgroups->parent[0] = parent, cgroups->dir[0] = dir;
                for (int r = 0; r < SANDBOX__RESOURCES; r++)
                    cgroups->has[r] = hands_down(dir, resources[r].controller);
                return true;
            }
            close(parent);
        }
        if (strlen(path) <= top)
            return false;
        *strrchr(path, '/') = '\0';
    }
}

static void name_groups(struct sandbox__cgroups *cgroups, const char *state_dir)
{
    struct statx st = {0};
    uint8_t sum[SHA256_BYTES];
    char which[PATH_MAX];
    if (statx(AT_FDCWD, state_dir, 0, STATX_INO | STATX_BTIME, &st) == 0)
        snprintf(which, sizeof which, "%u:%u %llu %lld.%u", st.stx_dev_major, st.stx_dev_minor, (unsigned long long)st.stx_ino,
                 (long long)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
    else
        snprintf(which, sizeof which, "%s", state_dir);
    sha256(str_of(which), sum);
    snprintf(cgroups->name, sizeof cgroups->name, "cloudless-%02x%02x%02x%02x%02x%02x", sum[0], sum[1], sum[2], sum[3], sum[4],
             sum[5]);
}

void sandbox__cgroups_open(struct sandbox__cgroups *cgroups, const char *state_dir)
{
    *cgroups = (struct sandbox__cgroups){.parent = {-1, -1, -1}, .dir = {-1, -1, -1}, .remembered_fd = -1};
    name_groups(cgroups, state_dir);
    sweep_remembered(cgroups, state_dir);
    if (!open_v2(cgroups))
        open_v1(cgroups);
    if (cgroups->remembered_fd >= 0)
        close(cgroups->remembered_fd);
    cgroups->remembered_fd = -1;
}

void sandbox__cgroups_close(struct sandbox__cgroups *cgroups, bool remove)
{
    for (int r = 0; r < SANDBOX__RESOURCES; r++) {
        if (cgroups->dir[r] >= 0)
            close(cgroups->dir[r]);
        if (cgroups->parent[r] >= 0) {
            if (remove)
                sandbox__cgroup_tree_remove(cgroups->parent[r], cgroups->name, STALE_WAIT_MS, true);
            close(cgroups->parent[r]);
        }
        cgroups->dir[r] = cgroups->parent[r] = -1;
    }
}

/* ---- one sandbox ---- */

bool sandbox__cgroup_make(const struct sandbox__cgroups *cgroups, unsigned id, struct sandbox__cgroup *ret)
{
    bool made = true;
    snprintf(ret->name, sizeof ret->name, "%u", id);
    for (int r = 0; r < SANDBOX__RESOURCES; r++) {
        ret->dir[r] = cgroups->dir[r] >= 0 ? directory_at(cgroups->dir[r], ret->name) : -1;
        made = made && (cgroups->dir[r] < 0 || ret->dir[r] >= 0);
    }
    return made;
}

bool sandbox__cgroup_attach(const struct sandbox__cgroups *cgroups, const struct sandbox__cgroup *cgroup, pid_t pid)
{
    for (int r = 0; r < SANDBOX__RESOURCES && !cgroups->v2; r++)
        if (cgroup->dir[r] >= 0 && !write_number_at(cgroup->dir[r], "cgroup.procs", pid))
            return false;
    return true;
}

static int dir_of(const struct sandbox__cgroups *cgroups, const struct sandbox__cgroup *cgroup, int resource)
{
    return cgroups->has[resource] ? cgroup->dir[cgroups->v2 ? 0 : resource] : -1;
}

/* Swap is closed where the kernel counts it: what is beyond the limit is out of memory, not slow. Version 1 counts buffers of
 * sockets by themselves, where it counts them. */
static bool limit_memory(bool v2, int dir, size_t bytes)
{
    if (!write_number_at(dir, v2 ? resources[SANDBOX__MEMORY].limit_v2 : resources[SANDBOX__MEMORY].limit_v1, (long long)bytes))
        return false;
    if (v2)
        write_at(dir, "memory.swap.max", "0");
    else
        write_number_at(dir, "memory.memsw.limit_in_bytes", (long long)bytes);
    return v2 || faccessat(dir, SOCKETS_LIMIT_V1, F_OK, 0) != 0 || write_number_at(dir, SOCKETS_LIMIT_V1, (long long)bytes);
}

static bool limit_cpu(bool v2, int dir, unsigned percent)
{
    long long quota = (long long)percent * CPU_PERIOD_US / 100;
    if (percent == 0)
        return true;
    if (!v2)
        return write_number_at(dir, resources[SANDBOX__CPU].limit_v1, quota);
    char text[64];
    snprintf(text, sizeof text, "%lld %d", quota, CPU_PERIOD_US);
    return write_at(dir, resources[SANDBOX__CPU].limit_v2, text);
}

bool sandbox__cgroup_limit(const struct sandbox__cgroups *cgroups, const struct sandbox__cgroup *cgroup,
                           const struct sandbox_limits *limits)
{
    int memory = dir_of(cgroups, cgroup, SANDBOX__MEMORY), cpu = dir_of(cgroups, cgroup, SANDBOX__CPU),
        pids = dir_of(cgroups, cgroup, SANDBOX__PIDS);
    return (memory < 0 || !limits->memory_bytes || limit_memory(cgroups->v2, memory, limits->memory_bytes)) &&
           (cpu < 0 || limit_cpu(cgroups->v2, cpu, limits->cpu_percent)) &&
           (pids < 0 || !limits->processes || write_number_at(pids, "pids.max", (long long)limits->processes));
}

bool sandbox__cgroups_limit(const struct sandbox__cgroups *cgroups, const struct sandbox_limits *limits)
{
    struct sandbox__cgroup all;
    memcpy(all.dir, cgroups->dir, sizeof all.dir);
    return sandbox__cgroup_limit(cgroups, &all, limits);
}

bool sandbox__cgroup_oom(const struct sandbox__cgroups *cgroups, const struct sandbox__cgroup *cgroup)
{
    char text[1024];
    const struct resource *memory = &resources[SANDBOX__MEMORY];
    int dir = dir_of(cgroups, cgroup, SANDBOX__MEMORY);
    return dir >= 0 && read_at(dir, cgroups->v2 ? memory->events_v2 : memory->events_v1, text, sizeof text) &&
           value_of(text, "oom_kill") > 0;
}

size_t sandbox__cgroup_peak(const struct sandbox__cgroups *cgroups, const struct sandbox__cgroup *cgroup)
{
    char text[64];
    uint64_t bytes;
    int dir = dir_of(cgroups, cgroup, SANDBOX__MEMORY);
    if (dir < 0 ||
        !read_at(dir, cgroups->v2 ? resources[SANDBOX__MEMORY].peak_v2 : resources[SANDBOX__MEMORY].peak_v1, text, sizeof text))
        return 0;
    return str_to_u64(str_trim(str_of(text)), &bytes) ? (size_t)bytes : 0;
}

void sandbox__cgroup_remove(const struct sandbox__cgroups *cgroups, struct sandbox__cgroup *cgroup)
{
    for (int r = 0; r < SANDBOX__RESOURCES; r++) {
        if (cgroup->dir[r] < 0)
            continue;
        close(cgroup->dir[r]);
        cgroup->dir[r] = -1;
        for (int tries = 0; tries < 3 && unlinkat(cgroups->dir[r], cgroup->name, AT_REMOVEDIR) != 0 && errno == EBUSY; tries++)
            pause_ms(1);                            /* the dead are counted out a moment after they were reaped */
    }
}
