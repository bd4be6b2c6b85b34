/* rocks_dir.c -- the directory of the embedded engine: made, locked by one process.
 *
 *   DIR/lock     flock'd while a process has the directory; holds its process id, for the message */
#include "store/rocks/rocks_dir.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static enum err dir_error(void)
{
    return errno == EACCES || errno == EPERM || errno == EROFS ? ERR_DENIED : ERR_IO;
}

static enum err make_store_dir(const char *dir, struct arena *arena, struct str *ret_message)
{
    if (folder_make_all(dir, 0700, 0700))
        return ERR_OK;
    enum err err = dir_error();
    *ret_message = arena_printf(arena, "The directory %s cannot be made: %s.", dir, strerror(errno));
    return err;
}

/* The process that has the lock, in words; none if its number cannot be read. */
static struct str locked_by(const char *path, struct arena *arena)
{
    char pid[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, pid, sizeof pid);
    if (fd >= 0)
        close(fd);
    struct str by = str_trim((struct str){pid, n > 0 ? (size_t)n : 0});
    return by.n ? arena_printf(arena, " (process " STR_FMT ")", STR_ARG(by)) : STR_NONE;
}

static enum err lock_store_dir(const char *dir, struct arena *arena, int *ret_fd, struct str *ret_message)
{
    const char *path = arena_printf(arena, "%s/lock", dir).p;
    int fd;
    enum err err = file_lock(path, &fd);
    if (err == ERR_BUSY) {
        *ret_message = arena_printf(arena, "The data directory %s is in use by another process" STR_FMT ".", dir,
                                    STR_ARG(locked_by(path, arena)));
        return ERR_BUSY;
    }
    if (err != ERR_OK) {
        err = dir_error();
        *ret_message = arena_printf(arena, "The file %s cannot be opened: %s.", path, strerror(errno));
        return err;
    }
    /* The number is for the message only: a full disk must not keep us from opening. */
    char pid[32];
    int n = snprintf(pid, sizeof pid, "%-20ld\n", (long)getpid());
    ssize_t ignored = pwrite(fd, pid, (size_t)n, 0);
    (void)ignored;
    *ret_fd = fd;
    return ERR_OK;
}

enum err rocks__dir_open(const char *dir, struct arena *arena, int *ret_lock, struct str *ret_message)
{
    enum err err = make_store_dir(dir, arena, ret_message);
    return err == ERR_OK ? lock_store_dir(dir, arena, ret_lock, ret_message) : err;
}
