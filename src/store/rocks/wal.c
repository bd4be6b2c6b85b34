/* wal.c -- see wal.h.
 *
 * When a log write or its sync fails, the batch is refused, but its record may stand in the file, and the next open would bring it
 * to light. So it is cut off: whatever lies behind the end that was noted after the last acknowledged write, in that log and in
 * newer ones. A write makes the log longer that it goes to; if the one that was noted did not grow, there is a newer one. */
#include "store/rocks/wal.h"
#include "base/str.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether an entry of the directory is a log; *ret_number: which. */
static bool is_log(const struct dirent *entry, uint64_t *ret_number)
{
    struct str name = str_of(entry->d_name);
    return str_ends(name, STR(".log")) && str_to_u64(str_slice(name, 0, name.n - 4), ret_number);
}

static void forget_log(struct wal *wal)
{
    if (wal->fd >= 0)
        close(wal->fd);
    wal->fd = -1;
    wal->number = wal->bytes = 0;
}

/* The log with the highest number. */
static void find_log(struct wal *wal)
{
    DIR *entries = opendir(wal->dir);
    uint64_t number;
    char name[32];
    struct stat st;
    forget_log(wal);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (is_log(entry, &number) && number > wal->number)
            wal->number = number;
    snprintf(name, sizeof name, "%06llu.log", (unsigned long long)wal->number);
    if (entries && wal->number)
        wal->fd = openat(dirfd(entries), name, O_RDONLY | O_CLOEXEC);
    if (entries)
        closedir(entries);
    if (wal->fd >= 0 && fstat(wal->fd, &st) == 0)
        wal->bytes = (uint64_t)st.st_size;
    else
        forget_log(wal);
}

void rocks__wal_begin(struct wal *wal, const char *dir)
{
    wal->dir = dir;
    find_log(wal);
}

void rocks__wal_note(struct wal *wal)
{
    struct stat st;
    if (wal->fd >= 0 && fstat(wal->fd, &st) == 0 && (uint64_t)st.st_size > wal->bytes)
        wal->bytes = (uint64_t)st.st_size;
    else
        find_log(wal);
}

static bool cut_log(int dir, const char *name, uint64_t bytes)
{
    int fd = openat(dir, name, O_RDWR | O_CLOEXEC);
    struct stat st;
    bool fine = fd >= 0 && fstat(fd, &st) == 0;
    if (fine && (uint64_t)st.st_size > bytes)
        fine = ftruncate(fd, (off_t)bytes) == 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return fine;
}

enum err rocks__wal_cut(const struct wal *wal)
{
    DIR *entries = opendir(wal->dir);
    bool fine = entries && wal->number;
    uint64_t number;
    for (struct dirent *entry; fine && (entry = readdir(entries));)
        if (is_log(entry, &number) && number >= wal->number)
            fine = cut_log(dirfd(entries), entry->d_name, number == wal->number ? wal->bytes : 0);
    if (entries)
        closedir(entries);
    return fine ? ERR_OK : ERR_IO;
}

void rocks__wal_end(struct wal *wal)
{
    forget_log(wal);
}

void rocks__wal_sweep(const char *dir)
{
    DIR *entries = opendir(dir);
    uint64_t number;
    struct stat st;
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (is_log(entry, &number) && fstatat(dirfd(entries), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == 0)
            (void)unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries)
        closedir(entries);
}
