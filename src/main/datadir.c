/* datadir.c -- see datadir.h. */
#include "main/datadir.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_FILE_MAX 65536

const char *datadir_path(struct arena *arena, const char *dir, const char *name)
{
    return arena_printf(arena, "%s/%s", dir, name).p;
}

enum err datadir_lock(const char *dir, struct arena *arena, struct str *ret_message)
{
    const char *path = datadir_path(arena, dir, "lock");
    int fd;                 /* stays open as long as the process lives */
    if (!folder_make_all(dir, 0755, 0700)) {
        *ret_message = arena_printf(arena, "cannot make the data directory %s: %s", dir, strerror(errno));
        return ERR_IO;
    }
    enum err err = file_lock(path, &fd);
    if (err == ERR_BUSY)
        *ret_message =
            arena_printf(arena, "another server uses the data directory %s; stop it, or choose one with --data", dir);
    else if (err != ERR_OK)
        *ret_message = errno == ENOTDIR ? arena_printf(arena, "%s is a file, no directory", dir)
                                        : arena_printf(arena, "cannot lock %s: %s", path, strerror(errno));
    return err;
}

static enum err write_and_rename(const char *dir, const char *name, struct str text, bool sync, struct arena *arena)
{
    const char *path = datadir_path(arena, dir, name), *temporary = arena_printf(arena, "%s.new", path).p;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERR_IO;
    bool fine = file_write(fd, text) && (!sync || fsync(fd) == 0);
    int why = errno;
    if (close(fd) != 0)
        fine = false;
    else if (!fine)
        errno = why;
    return fine && rename(temporary, path) == 0 ? ERR_OK : ERR_IO;
}

enum err datadir_write(const char *dir, const char *name, struct str text, struct arena *arena)
{
    return write_and_rename(dir, name, text, true, arena);
}

enum err datadir_note(const char *dir, const char *name, struct str text, struct arena *arena)
{
    return write_and_rename(dir, name, text, false, arena);
}

enum err datadir_read(const char *dir, const char *name, struct arena *arena, struct str *ret)
{
    int fd = open(datadir_path(arena, dir, name), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : errno == EACCES || errno == EPERM ? ERR_DENIED : ERR_IO;
    char *text = arena_alloc(arena, SMALL_FILE_MAX);
    size_t n = 0;
    ssize_t got;
    while (n < SMALL_FILE_MAX && (got = read(fd, text + n, SMALL_FILE_MAX - n)) > 0)
        n += (size_t)got;
    close(fd);
    *ret = (struct str){text, n};
    return ERR_OK;
}

/* The root key stands in the store before it stands in the file. */
bool datadir_served(const char *dir, struct arena *arena)
{
    return access(datadir_path(arena, dir, "credentials"), F_OK) == 0;
}

void datadir_say_unread(const char *dir, const char *what, enum err err)
{
    static const char service[] = "/var/lib/cloudless";
    fprintf(stderr, "cloudless: there is no %s to be read in %s: ", what, dir);
    struct stat dir_stat;
    if (err == ERR_DENIED) {
        struct passwd *owner = stat(dir, &dir_stat) == 0 ? getpwuid(dir_stat.st_uid) : NULL;
        fprintf(stderr, "it is for the user %s only; do it as that user or as root (sudo)\n",
                owner ? owner->pw_name : "who runs the server");
    } else if (err == ERR_NOT_FOUND) {
        bool other = strcmp(dir, service) != 0 && access(service, F_OK) == 0;
        fprintf(
            stderr,
            "no server has run with it; start `cloudless serve --data %s` once, or say with --data where one keeps its data%s\n",
            dir, other ? " (the service of systemd: /var/lib/cloudless)" : "");
    } else {
        fprintf(stderr, "%s\n", strerror(errno));
    }
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
