/* datadir.c -- see datadir.h. The lock is a flock, so it ends with the process however that ends. */
#include "main/datadir.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_FILE_MAX 65536

const char *datadir_path(struct arena *arena, const char *dir, const char *name)
{
    return arena_printf(arena, "%s/%s", dir, name).p;
}

static enum err make_dirs(const char *dir, struct arena *arena)
{
    char *path = arena_cstr(arena, str_of(dir));
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return ERR_IO;
        *p = '/';
    }
    return mkdir(path, 0700) < 0 && errno != EEXIST ? ERR_IO : ERR_OK;
}

enum err datadir_lock(const char *dir, struct arena *arena, struct str *ret_message)
{
    const char *path = datadir_path(arena, dir, "lock");
    if (make_dirs(dir, arena) != ERR_OK) {
        *ret_message = arena_printf(arena, "cannot make the data directory %s: %s", dir, strerror(errno));
        return ERR_IO;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        *ret_message = arena_printf(arena, "cannot open %s: %s", path, strerror(errno));
        return ERR_IO;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;      /* the descriptor stays open as long as the process lives */
    *ret_message = errno == EWOULDBLOCK
                       ? arena_printf(arena, "another server uses the data directory %s; stop it, or choose one with --data", dir)
                       : arena_printf(arena, "cannot lock %s: %s", path, strerror(errno));
    enum err err = errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO;
    close(fd);
    return err;
}

enum err datadir_write(const char *dir, const char *name, struct str text, struct arena *arena)
{
    const char *path = datadir_path(arena, dir, name), *temporary = arena_printf(arena, "%s.new", path).p;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERR_IO;
    bool fine = file_write(fd, text) && fsync(fd) == 0;
    fine = close(fd) == 0 && fine;
    return fine && rename(temporary, path) == 0 ? ERR_OK : ERR_IO;
}

enum err datadir_read(const char *dir, const char *name, struct arena *arena, struct str *ret)
{
    int fd = open(datadir_path(arena, dir, name), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    char *text = arena_alloc(arena, SMALL_FILE_MAX);
    size_t n = 0;
    ssize_t got;
    while (n < SMALL_FILE_MAX && (got = read(fd, text + n, SMALL_FILE_MAX - n)) > 0)
        n += (size_t)got;
    close(fd);
    *ret = (struct str){text, n};
    return ERR_OK;
}

struct str datadir_value(struct str text, const char *name)
{
    while (text.n) {
        struct str line = str_cut(&text, '\n'), key = str_trim(str_cut(&line, '='));
        if (str_eq(key, str_of(name)))
            return str_trim(line);
    }
    return STR_NONE;
}
