/* rocks_dir.c -- the directory of the embedded engine: made, locked by one process, with room to open it.
 *
 *   DIR/lock     flock'd while a process has the directory; holds its process id, for the message */
#include "store/rocks/rocks_dir.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_BYTES_MIN (1 << 20)        /* of new files */

/* Makes the directory and its parents. */
static enum err make_store_dir(const char *dir, struct arena *arena, struct str *ret_message)
{
    char *path = arena_cstr(arena, str_of(dir));
    for (char *at = path + (*path == '/'); ; at++) {
        char c = *at;
        if (c != '/' && c != '\0')
            continue;
        *at = '\0';
        if (*path && mkdir(path, 0700) != 0 && errno != EEXIST) {
            enum err err = errno == EACCES || errno == EPERM || errno == EROFS ? ERR_DENIED : ERR_IO;
            *ret_message = arena_printf(arena, "The directory %s cannot be made: %s.", path, strerror(errno));
            return err;
        }
        *at = c;
        if (c == '\0')
            return ERR_OK;
    }
}

static enum err lock_store_dir(const char *dir, struct arena *arena, int *ret_fd, struct str *ret_message)
{
    struct str path = arena_printf(arena, "%s/lock", dir);
    int fd = open(path.p, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        enum err err = errno == EACCES || errno == EPERM || errno == EROFS ? ERR_DENIED : ERR_IO;
        *ret_message = arena_printf(arena, "The file %s cannot be opened: %s.", path.p, strerror(errno));
        return err;
    }
    char pid[32];
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = pread(fd, pid, sizeof pid, 0);
        struct str by = str_trim((struct str){pid, n > 0 ? (size_t)n : 0});
        *ret_message = arena_printf(arena, "The data directory %s is in use by another process" STR_FMT STR_FMT STR_FMT ".",
                                    dir, STR_ARG(by.n ? STR(" (process ") : STR_NONE), STR_ARG(by),
                                    STR_ARG(by.n ? STR(")") : STR_NONE));
        close(fd);
        return ERR_BUSY;
    }
    /* The number is for the message only: a full disk must not keep us from opening. */
    int n = snprintf(pid, sizeof pid, "%-20ld\n", (long)getpid());
    ssize_t ignored = pwrite(fd, pid, (size_t)n, 0);
    (void)ignored;
    *ret_fd = fd;
    return ERR_OK;
}

/* Whether there is room to open the engine: without, it would fail too, in worse words. */
static enum err check_disk_space(const char *dir, struct arena *arena, struct str *ret_message)
{
    struct str path = arena_printf(arena, "%s/space", dir);
    int fd = open(path.p, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int error = fd < 0 ? errno : posix_fallocate(fd, 0, OPEN_BYTES_MIN);
    if (fd >= 0)
        close(fd);
    (void)unlink(path.p);
    if (error)
        *ret_message = arena_printf(arena, "The data directory %s cannot be written to: %s.", dir, strerror(error));
    return error ? ERR_IO : ERR_OK;
}

enum err rocks__dir_open(const char *dir, struct arena *arena, int *ret_lock, struct str *ret_message)
{
    int lock = -1;
    enum err err = make_store_dir(dir, arena, ret_message);
    if (err == ERR_OK)
        err = lock_store_dir(dir, arena, &lock, ret_message);
    if (err == ERR_OK && (err = check_disk_space(dir, arena, ret_message)) != ERR_OK)
        close(lock);
    if (err == ERR_OK)
        *ret_lock = lock;
    return err;
}
