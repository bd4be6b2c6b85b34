/* wal.c -- see wal.h.
 *
 * When a log write or its sync fails, the batch is refused, but its record may stand in the file, and the next open would bring it
 * to light. So it is cut off: whatever lies behind the end that was noted after the last acknowledged write, in that log and in
 * newer ones. A write makes the log longer that it goes to; if the one that was noted did not grow, there is a newer one. */
#include "store/rocks/wal.h"
#include "base/str.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_NAME_BYTES 32

static bool is_log(const char *entry, uint64_t *ret_number)
{
    struct str name = str_of(entry);
    return str_ends(name, STR(".log")) && str_to_u64(str_slice(name, 0, name.n - 4), ret_number);
}

/* Calls `visit` for each log until it fails; true: it never did. The folder is read by its open descriptor. */
static bool each_log(int dir, bool (*visit)(int dir, const char *name, uint64_t number, void *arg), void *arg)
{
    char entries[8192] __attribute__((aligned(8)));
    ssize_t n = -1;
    if (lseek(dir, 0, SEEK_SET) < 0)
        return false;
    while ((n = getdents64(dir, entries, sizeof entries)) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            uint64_t number;
            at += entry->d_reclen;
            if (is_log(entry->d_name, &number) && !visit(dir, entry->d_name, number, arg))
                return false;
        }
    }
    return n == 0;
}

static bool log_size(int dir, uint64_t number, uint64_t *ret)
{
    char name[LOG_NAME_BYTES];
    struct stat st;
    snprintf(name, sizeof name, "%06llu.log", (unsigned long long)number);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    *ret = (uint64_t)st.st_size;
    return true;
}

static bool take_highest(int dir, const char *name, uint64_t number, void *arg)
{
    uint64_t *highest = arg;
    (void)dir, (void)name;
    *highest = number > *highest ? number : *highest;
    return true;
}

/* Not known from here on if the folder cannot be read: then nothing can be cut. */
static void find_log(struct wal *wal)
{
    uint64_t highest = 0;
    bool found = wal->dir >= 0 && each_log(wal->dir, take_highest, &highest) && log_size(wal->dir, highest, &wal->end.bytes);
    wal->end.number = found ? highest : 0;
}

void rocks__wal_begin(struct wal *wal, const char *dir)
{
    rocks__wal_end(wal);
    wal->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    find_log(wal);
}

void rocks__wal_note(struct wal *wal)
{
    uint64_t bytes;
    if (wal->end.number && log_size(wal->dir, wal->end.number, &bytes) && bytes > wal->end.bytes)
        wal->end.bytes = bytes;
    else
        find_log(wal);
}

static bool cut_log(int dir, const char *name, uint64_t number, void *arg)
{
    const struct wal *wal = arg;
    uint64_t bytes = number == wal->end.number ? wal->end.bytes : 0;
    struct stat st;
    if (number < wal->end.number)
        return true;
    int fd = openat(dir, name, O_RDWR | O_CLOEXEC);
    bool fine = fd >= 0 && fstat(fd, &st) == 0;
    if (fine && (uint64_t)st.st_size > bytes)
        fine = ftruncate(fd, (off_t)bytes) == 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return fine;
}

enum err rocks__wal_cut(const struct wal *wal)
{
    struct wal copy = *wal;
    return wal->end.number && each_log(wal->dir, cut_log, &copy) ? ERR_OK : ERR_IO;
}

void rocks__wal_end(struct wal *wal)
{
    if (wal->dir >= 0)
        close(wal->dir);
    *wal = WAL_NONE;
}

static bool remove_empty(int dir, const char *name, uint64_t number, void *arg)
{
    const struct wal *wal = arg;
    struct stat st;
    if (number < wal->end.number && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == 0)
        (void)unlinkat(dir, name, 0);
    return true;
}

void rocks__wal_sweep(const struct wal *wal)
{
    struct wal copy = *wal;
    if (wal->dir >= 0)
        each_log(wal->dir, remove_empty, &copy);
}

bool rocks__wal_reaches(const char *dir, struct wal_end end)
{
    uint64_t bytes;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool reaches = !end.bytes || (log_size(fd, end.number, &bytes) && bytes >= end.bytes);
    if (fd >= 0)
        close(fd);
    return reaches;
}

static bool add_size(int dir, const char *name, uint64_t number, void *arg)
{
    uint64_t bytes = 0, *total = arg;
    bool known = log_size(dir, number, &bytes);
    (void)name;
    *total += bytes;
    return known;
}

uint64_t rocks__wal_bytes(const char *dir)
{
    uint64_t total = 0;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool known = fd >= 0 ? each_log(fd, add_size, &total) : errno == ENOENT;
    if (fd >= 0)
        close(fd);
    return known ? total : UINT64_MAX;
}
