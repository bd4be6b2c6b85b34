/* template.c -- the root that every sandbox starts from: a tiny read-only tmpfs with the host's /usr bound into it.
 *
 * The launcher builds it once in its own mount namespace, makes it its root and forgets the host's tree; each holder's new
 * mount namespace is a copy of it, so a sandbox begins where nothing of the host but /usr and a few files of /etc exists.
 * Everything is read-only, nosuid and nodev (but the four devices, which are not nodev). Where code, layers, interpreter
 * and runtime go, empty directories wait. A proc of the host is in it, because the kernel lets a user namespace mount its own
 * proc only where a whole one is visible; each holder covers it with its own before it runs anything.
 * /etc is ours: the function's user as on AWS, UTC, no name service but files and DNS. */
#include "sandbox/sandbox_internal.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of <sys/mount.h>, which cannot be included together with <linux/mount.h> in every libc. */
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);
#define UMOUNT_DETACH 2
#define TEMPLATE_MOUNT (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

static const char *const folders[] = {
    "dev", "etc", "etc/ssl", "etc/pki", "opt", "proc", "tmp", "usr", "var", "var/lang", "var/runtime", "var/task", "var/tmp",
};
/* Bound read-only when the host has them. */
static const char *const bound[] = {
    "/usr", "/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls",
    "/etc/pki/ca-trust", "/etc/mime.types",
};
static const char *const devices[] = {"/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"};
/* On a host where these are links into /usr they are links here; where they are folders, they are bound. */
static const char *const merged[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
static const struct { const char *at, *to; } links[] = {
    {"dev/fd", "/proc/self/fd"},           {"dev/stdin", "/proc/self/fd/0"},
    {"dev/stdout", "/proc/self/fd/1"},     {"dev/stderr", "/proc/self/fd/2"},
    {"etc/localtime", "/usr/share/zoneinfo/UTC"},
};
static const struct { const char *at, *text; } files[] = {
    {"etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\nsbx_user1051:x:993:993::/tmp:/sbin/nologin\n"
                   "nobody:x:65534:65534:nobody:/:/sbin/nologin\n"},
    {"etc/group", "root:x:0:\nsbx_user1051:x:993:\nnogroup:x:65534:\n"},
    {"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
    {"etc/hosts", "127.0.0.1 localhost\n"},
    {"etc/resolv.conf", "options timeout:1 attempts:1\n"},
};

static int tree_of(const char *source, bool device)
{
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (fd < 0)
        return -errno;
    struct mount_attr hard = {.attr_set = TEMPLATE_MOUNT & ~(device ? (unsigned)MOUNT_ATTR_NODEV : 0u)};
    if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &hard, sizeof hard) < 0) {
        int err = errno;
        close(fd);
        return -err;
    }
    return fd;
}

/* Binds the host's `source` (with what is mounted below it) to the same place in the template, the working directory.
 * A source that is not there is left out. */
static int bind(const char *source, bool device)
{
    struct stat info;
    if (stat(source, &info) != 0)
        return 0;
    const char *at = source + 1;
    if (S_ISDIR(info.st_mode)) {
        if (!folder_make(at, 0755))
            return -errno;
    } else {
        int fd = open(at, O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
        if (fd < 0)
            return -errno;
        close(fd);
    }
    int tree = tree_of(source, device);
    if (tree < 0)
        return tree;
    int r = (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
    close(tree);
    return r;
}

static int template_write_file(const char *at, const char *text)
{
    int fd = open(at, O_CREAT | O_WRONLY | O_EXCL | O_CLOEXEC, 0444);
    if (fd < 0)
        return -errno;
    size_t n = strlen(text);
    int r = write(fd, text, n) == (ssize_t)n ? 0 : -EIO;
    close(fd);
    return r;
}

static int merged_usr(const char *path)
{
    struct stat info;
    char to[256];
    if (lstat(path, &info) != 0)
        return 0;
    if (!S_ISLNK(info.st_mode))
        return bind(path, false);
    ssize_t n = readlink(path, to, sizeof to - 1);
    if (n < 0)
        return -errno;
    to[n] = '\0';
    return symlink(to, path + 1) == 0 ? 0 : -errno;
}

static int template_fill(const char **ret_step)
{
    int r = 0;
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        if (mkdir(*ret_step = folders[i], 0755) != 0)
            return -errno;
    for (size_t i = 0; i < COUNT_OF(files); i++)
        if ((r = template_write_file(*ret_step = files[i].at, files[i].text)) != 0)
            return r;
    for (size_t i = 0; i < COUNT_OF(links); i++)
        if (symlink(links[i].to, *ret_step = links[i].at) != 0)
            return -errno;
    for (size_t i = 0; i < COUNT_OF(bound); i++)
        if ((r = bind(*ret_step = bound[i], false)) != 0)
            return r;
    for (size_t i = 0; i < COUNT_OF(merged); i++)
        if ((r = merged_usr(*ret_step = merged[i])) != 0)
            return r;
    for (size_t i = 0; i < COUNT_OF(devices); i++)
        if ((r = bind(*ret_step = devices[i], true)) != 0)
            return r;
    return 0;
}

int sandbox__mount_new(const char *type, const char *const *options, unsigned attributes, const char *at)
{
    int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), tree = -1, r = 0;
    if (fs < 0)
        return -errno;
    for (; options && options[0] && r == 0; options += 2)
        r = (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, options[0], options[1], 0) < 0 ? -errno : 0;
    if (r == 0 && syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        r = -errno;
    if (r == 0 && (tree = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes)) < 0)
        r = -errno;
    if (r == 0 && syscall(SYS_move_mount, tree, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        r = -errno;
    if (tree >= 0)
        close(tree);
    close(fs);
    return r;
}

/* An ordinary user may not mount the proc of a pid namespace that is not his: he binds the host's. */
static int proc(bool root)
{
    if (root)
        return sandbox__mount_new("proc", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, "proc");
    return mount("/proc", "proc", NULL, MS_BIND | MS_REC, NULL) == 0 ? 0 : -errno;
}

int sandbox__template_enter(const char *at, bool root, const char **ret_step)
{
    static const char *const small[] = {"size", "256k", "mode", "755", NULL};
    *ret_step = "private mounts";
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return -errno;
    *ret_step = "tmpfs";
    int r = sandbox__mount_new("tmpfs", small, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, at);
    if (r != 0)
        return r;
    if (chdir(at) != 0)
        return -errno;
    umask(0);
    if ((r = template_fill(ret_step)) != 0)
        return r;
    *ret_step = "proc";
    if ((r = proc(root)) != 0)
        return r;
    *ret_step = "read-only root";
    struct mount_attr hard = {.attr_set = TEMPLATE_MOUNT};
    if (syscall(SYS_mount_setattr, AT_FDCWD, ".", 0, &hard, sizeof hard) < 0)
        return -errno;
    *ret_step = "pivot_root";
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", UMOUNT_DETACH) != 0 || chdir("/") != 0)
        return -errno;
    return 0;
}
