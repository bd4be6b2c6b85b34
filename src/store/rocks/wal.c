/* wal.c -- see wal.h.
 *
 * When a log write or its sync fails, the batch is refused, but its record may stand in the file, and the next open
 * would bring it to light. So the record is cut off: it is the last one, and the only one with a sequence number above
 * the last that was published. What was acknowledged has a lower one and is never touched.
 *
 * Format (RocksDB wiki, "Write Ahead Log File Format"): files NUMBER.log of 32 KiB blocks; a record is one or more
 * fragments, none over a block's end; fewer than 7 bytes at a block's end are unused.
 *
 *   fragment: checksum (4) · length (2, little-endian) · type (1: whole, 2: first, 3: middle, 4: last) · payload
 *   payload of a record: sequence number of its first entry (8, little-endian) · …
 *
 * Anything else (a torn end) stops the reading of that file; the engine stops there as well. */
#include "store/rocks/wal.h"
#include "base/str.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 32768
#define HEAD 7
#define SEQUENCE_BYTES 8
#define LOGS_MAX 1024

enum fragment { WHOLE = 1, FIRST = 2, MIDDLE = 3, LAST = 4 };

/* Finds the first record above `sequence`: its offset, or -1. *ret_first: the file's first sequence number, if any. */
static off_t find_record(int fd, off_t size, uint64_t sequence, uint64_t *ret_first)
{
    uint8_t number[SEQUENCE_BYTES];
    size_t have = 0;                        /* of `number` */
    off_t start = -1;                       /* of the record whose number is being gathered */
    bool first = true;
    for (off_t at = 0; at + HEAD <= size; ) {
        if (BLOCK - at % BLOCK < HEAD) {
            at += BLOCK - at % BLOCK;
            continue;
        }
        uint8_t head[HEAD + SEQUENCE_BYTES];
        ssize_t n = pread(fd, head, sizeof head, at);
        if (n < HEAD)
            return -1;
        size_t length = head[4] | (size_t)head[5] << 8;
        unsigned type = head[6];
        if (type < WHOLE || type > LAST || at % BLOCK + HEAD + (off_t)length > BLOCK)
            return -1;
        if (type == WHOLE || type == FIRST) {
            start = at;
            have = 0;
        }
        if (start >= 0 && have < SEQUENCE_BYTES) {
            size_t take = SEQUENCE_BYTES - have, there = (size_t)n - HEAD;
            take = take > length ? length : take;
            if (take > there)
                return -1;
            memcpy(number + have, head + HEAD, take);
            have += take;
            if (have == SEQUENCE_BYTES) {
                uint64_t found = 0;
                for (size_t i = SEQUENCE_BYTES; i-- > 0; )
                    found = found << 8 | number[i];
                if (first)
                    *ret_first = found;
                first = false;
                if (found > sequence)
                    return start;
            }
        }
        at += HEAD + (off_t)length;
    }
    return -1;
}

/* *ret_older: a log before this one may hold records above `sequence` too. */
static enum err cut(int dir, uint64_t number, uint64_t sequence, bool *ret_older)
{
    char name[32];
    snprintf(name, sizeof name, "%06llu.log", (unsigned long long)number);
    int fd = openat(dir, name, O_RDWR | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    uint64_t first = UINT64_MAX;
    off_t at = find_record(fd, st.st_size, sequence, &first);
    bool good = at < 0 || (ftruncate(fd, at) == 0 && fsync(fd) == 0);
    close(fd);
    *ret_older = first > sequence;
    return good ? ERR_OK : ERR_IO;
}

/* Whether an entry of the directory is a log; *ret_number: which. */
static bool is_log(const struct dirent *entry, uint64_t *ret_number)
{
    struct str name = str_of(entry->d_name);
    return str_ends(name, STR(".log")) && str_to_u64(str_slice(name, 0, name.n - 4), ret_number);
}

static int descending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

enum err rocks__wal_cut(const char *dir, uint64_t sequence)
{
    DIR *entries = opendir(dir);
    if (!entries)
        return ERR_IO;
    uint64_t numbers[LOGS_MAX];
    size_t n = 0;
    for (struct dirent *entry; n < LOGS_MAX && (entry = readdir(entries));)
        n += is_log(entry, &numbers[n]);
    qsort(numbers, n, sizeof numbers[0], descending);
    enum err err = ERR_OK;
    bool older = true;
    for (size_t i = 0; i < n && older && err == ERR_OK; i++)
        err = cut(dirfd(entries), numbers[i], sequence, &older);
    closedir(entries);
    return err;
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
