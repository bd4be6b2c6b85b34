/* sandbox_doctor.c -- what this machine offers to sandboxes, and how to get what it lacks; for `cloudless doctor`.
 * What the kernel allows is tried in a child process, which ends; nothing of it stays. */
#include "sandbox/sandbox_internal.h"
#include "base/panic.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECKS_MAX 8

struct report {
    struct arena *arena;
    struct sandbox_check *checks;
    size_t count;
};

static void add(struct report *report, const char *what, bool fine, struct str detail)
{
    ENSURE(report->count < CHECKS_MAX);
    report->checks[report->count++] = (struct sandbox_check){what, fine, false, detail};
}

/* Runs `attempt` in a child; 0 or the errno it ended with. */
static int in_child(int (*attempt)(void))
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(attempt());
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int try_namespaces(void)
{
    int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP;
    return unshare(flags) == 0 ? 0 : errno;
}

static int try_mounts(void)
{
    if (!sandbox__is_privileged() && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return errno;
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/usr", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd < 0)
        return errno;
    struct mount_attr hard = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    return syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &hard, sizeof hard) == 0 ? 0 : errno;
}

/* A switch of the kernel that forbids user namespaces to ordinary users, and stands at the forbidding value. */
static bool switch_is(const char *path, const char *value)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 && strncmp(text, value, strlen(value)) == 0 && (text[strlen(value)] == '\n' || text[strlen(value)] == '\0');
}

static struct str namespaces_remedy(struct arena *arena, int error)
{
    static const struct { const char *path, *value, *remedy; } switches[] = {
        {"/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"},
        {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
        {"/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"},
        {"/proc/sys/user/max_net_namespaces", "0", "sysctl user.max_net_namespaces=15000"},
    };
    for (size_t i = 0; i < COUNT_OF(switches); i++)
        if (switch_is(switches[i].path, switches[i].value))
            return arena_printf(arena, "forbidden here; as root: %s", switches[i].remedy);
    return arena_printf(arena,
                        "the kernel refuses them (%s); in a container it needs --privileged, or seccomp and AppArmor unconfined",
                        strerrordesc_np(error));
}

static void check_cgroups(struct report *report, const char *state_dir)
{
    static const char *const names[SANDBOX__RESOURCES] = {"memory limit (cgroup)", "processor limit (cgroup)",
                                                          "process limit (cgroup)"};
    static const char *const instead[SANDBOX__RESOURCES] = {"each process is limited by RLIMIT_DATA instead",
                                                            "functions share the processors", "RLIMIT_NPROC limits instead"};
    struct sandbox__cgroups cgroups;
    sandbox__cgroups_open(&cgroups, state_dir);
    for (int r = 0; r < SANDBOX__RESOURCES; r++) {
        bool has = cgroups.has[r];
        add(report, names[r], has,
            has ? arena_printf(report->arena, "version %d", cgroups.v2 ? 2 : 1)
                : arena_printf(report->arena, "%s. As root, or as a systemd service with Delegate=yes, it is there", instead[r]));
        report->checks[report->count - 1].optional = true;
    }
    sandbox__cgroups_close(&cgroups, true);
}

/* All of it together, as a server does it, in a child. */
static const char *whole_dir;
static int try_whole(void)
{
    struct sandbox_host_options options = {.state_dir = whole_dir};
    struct sandbox_host *host = NULL;
    struct arena *arena = arena_new();
    struct str message = STR_NONE;
    enum err err = sandbox_host_start(&options, arena, &host, &message);
    sandbox_host_stop(host);
    arena_free(arena);
    return err == ERR_OK ? 0 : EPERM;
}

size_t sandbox_doctor(struct arena *arena, struct sandbox_check **ret)
{
    struct report report = {arena, arena_array(arena, struct sandbox_check, CHECKS_MAX), 0};
    struct utsname kernel;
    uname(&kernel);
    int error = in_child(try_namespaces);
    add(&report, "namespaces", error == 0,
        error ? namespaces_remedy(arena, error)
              : arena_printf(arena, "user, mount, pid, ipc, uts, net, cgroup (Linux %s)", kernel.release));
    error = in_child(try_mounts);
    add(&report, "detached mounts", error == 0,
        error ? arena_printf(arena, "open_tree and mount_setattr fail (%s); Linux 5.12 has them, this is %s",
                             strerrordesc_np(error), kernel.release)
              : STR("open_tree, mount_setattr, move_mount"));
    struct sandbox__filter *filter = mem_zalloc(sizeof *filter);
    bool fine = sandbox__filter_make(filter) == ERR_OK;
    add(&report, "system call filter", fine,
        fine ? arena_printf(arena, "seccomp, %u instructions", filter->count) : STR("libseccomp makes none here"));
    free(filter);
    char dir[] = "/tmp/cloudless-doctor.XXXXXX", path[64];
    if (mkdtemp(dir)) {
        whole_dir = dir;
        error = in_child(try_whole);
        add(&report, "sandbox root", error == 0,
            error ? STR("cannot be built; a container must show a whole /proc") : STR("built and left again"));
        check_cgroups(&report, dir);
        static const char *const left[] = {"root", "lock", "cgroups"};
        for (size_t i = 0; i < COUNT_OF(left); i++) {
            snprintf(path, sizeof path, "%s/%s", dir, left[i]);
            remove(path);
        }
        rmdir(dir);
    }
    *ret = report.checks;
    return report.count;
}
