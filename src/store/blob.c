/* blob.c -- see blob.h. DIR/blobs/<sha256>, complete or absent; DIR/blobs/new-<random> is being written.
 *
 * A blob that is put again is not written again, but its time is set to now, so that a sweep between the put and the
 * commit that refers to it does not take it: a sweep removes only what is older than an hour. `lock` makes the look at
 * the time and the removal one step. Reading checks the content against the name. */
#include "store/blob.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/panic.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_CHARS 64                   /* hexadecimal digits of SHA-256 */
#define BLOB_PIECE_BYTES (64 << 10)
#define UNFINISHED "new-"
#define SWEEP_AGE_MS (60 * 60 * 1000)

struct blobs {
    char *dir;
    int fd;                             /* of the directory */
    pthread_mutex_t lock;
};

static bool is_name(struct str s)
{
    if (s.n != NAME_CHARS)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    return true;
}

/* Calls visit for every entry until it fails. */
static enum err each_entry(struct blobs *blobs, enum err (*visit)(struct blobs *, const char *name, void *arg), void *arg)
{
    int fd = openat(blobs->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    enum err err = ERR_OK;
    for (struct dirent *entry; err == ERR_OK && (entry = readdir(dir)); )
        err = visit(blobs, entry->d_name, arg);
    closedir(dir);
    return err;
}

static enum err remove_unfinished(struct blobs *blobs, const char *name, void *arg)
{
    (void)arg;
    if (str_starts(str_of(name), STR(UNFINISHED)) && unlinkat(blobs->fd, name, 0) != 0)
        return ERR_IO;
    return ERR_OK;
}

enum err blobs_open(const char *dir, struct blobs **ret)
{
    struct blobs *blobs = mem_zalloc(sizeof *blobs);
    size_t n = strlen(dir) + sizeof "/blobs";
    blobs->dir = mem_alloc(n);
    snprintf(blobs->dir, n, "%s/blobs", dir);
    pthread_mutex_init(&blobs->lock, NULL);
    blobs->fd = -1;
    if (folder_make(blobs->dir, 0700))
        blobs->fd = open(blobs->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (blobs->fd < 0 || each_entry(blobs, remove_unfinished, NULL) != ERR_OK) {
        blobs_close(blobs);
        return ERR_IO;
    }
    *ret = blobs;
    return ERR_OK;
}

void blobs_close(struct blobs *blobs)
{
    if (!blobs)
        return;
    if (blobs->fd >= 0)
        close(blobs->fd);
    pthread_mutex_destroy(&blobs->lock);
    free(blobs->dir);
    free(blobs);
}

/* Makes the blob's time now. False: there is none. */
static bool touch(struct blobs *blobs, const char *name)
{
    pthread_mutex_lock(&blobs->lock);
    bool there = utimensat(blobs->fd, name, NULL, AT_SYMLINK_NOFOLLOW) == 0;
    pthread_mutex_unlock(&blobs->lock);
    return there;
}

static int open_named(const struct blobs *blobs, struct str name)
{
    char text[NAME_CHARS + 1] = {0};
    if (!is_name(name)) {
        errno = ENOENT;
        return -1;
    }
    memcpy(text, name.p, NAME_CHARS);
    return openat(blobs->fd, text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

bool blob_there(struct blobs *blobs, struct str sha256_hex_name)
{
    int fd = open_named(blobs, sha256_hex_name);
    bool there = fd >= 0 || errno != ENOENT;
    if (fd >= 0)
        close(fd);
    return there;
}

/* Reads up to n bytes, through interruptions. ERR_IO. */
static enum err read_piece(int fd, char *p, size_t n, size_t *ret_n)
{
    ssize_t got;
    do
        got = read(fd, p, n);
    while (got < 0 && errno == EINTR);
    *ret_n = got > 0 ? (size_t)got : 0;
    return got < 0 ? ERR_IO : ERR_OK;
}

enum err blob_open(struct blobs *blobs, struct str sha256_hex_name, int *ret_fd)
{
    char piece[BLOB_PIECE_BYTES], name[NAME_CHARS];
    uint8_t digest[SHA256_BYTES];
    struct sha256_state hash;
    size_t n;
    int fd = open_named(blobs, sha256_hex_name);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    sha256_begin(&hash);
    enum err err;
    while ((err = read_piece(fd, piece, sizeof piece, &n)) == ERR_OK && n)
        sha256_add(&hash, (struct str){piece, n});
    sha256_end(&hash, digest);
    hex_put(name, digest, sizeof digest);
    if (err == ERR_OK && !str_eq((struct str){name, NAME_CHARS}, sha256_hex_name))
        err = ERR_CORRUPT;
    if (err == ERR_OK && lseek(fd, 0, SEEK_SET) != 0)
        err = ERR_IO;
    if (err != ERR_OK)
        close(fd);
    else
        *ret_fd = fd;
    return err;
}

static enum err blob_read_all(int fd, struct arena *arena, struct str *ret)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return ERR_IO;
    size_t size = (size_t)st.st_size, n = 0, got = 1;
    char *p = arena_alloc(arena, size + 1);
    enum err err = ERR_OK;
    for (; err == ERR_OK && n < size && got; n += got)
        err = read_piece(fd, p + n, size - n, &got);
    p[n] = '\0';
    *ret = (struct str){p, n};
    return err;
}

enum err blob_get(struct blobs *blobs, struct str sha256_hex_name, struct arena *arena, struct str *ret_bytes)
{
    int fd = open_named(blobs, sha256_hex_name);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    struct str bytes;
    enum err err = blob_read_all(fd, arena, &bytes);
    close(fd);
    if (err == ERR_OK && !str_eq(sha256_hex(arena, bytes), sha256_hex_name))
        err = ERR_CORRUPT;
    if (err == ERR_OK)
        *ret_bytes = bytes;
    return err;
}

enum err blob_put(struct blobs *blobs, struct str bytes, struct arena *arena, struct str *ret_sha256_hex)
{
    struct str name = sha256_hex(arena, bytes);
    const char *final = arena_cstr(arena, name);
    int there = -1;
    bool whole = touch(blobs, final) && blob_open(blobs, name, &there) == ERR_OK;
    if (whole) {
        close(there);
    } else {
        const char *unfinished = arena_printf(arena, UNFINISHED STR_FMT, STR_ARG(uuid4(arena))).p;
        int fd = openat(blobs->fd, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return ERR_IO;
        bool written = file_write(fd, bytes) && fsync(fd) == 0;
        written = close(fd) == 0 && written;
        if (!written || renameat(blobs->fd, unfinished, blobs->fd, final) != 0) {
            (void)unlinkat(blobs->fd, unfinished, 0);
            return ERR_IO;
        }
    }
    if (fsync(blobs->fd) != 0)
        return ERR_IO;
    *ret_sha256_hex = name;
    return ERR_OK;
}

struct str blob_path(struct blobs *blobs, struct str sha256_hex_name, struct arena *arena)
{
    ENSURE(is_name(sha256_hex_name));
    return arena_printf(arena, "%s/" STR_FMT, blobs->dir, STR_ARG(sha256_hex_name));
}

struct sweep { bool (*referred)(void *arg, struct str sha256_hex); void *arg; };

static enum err sweep_entry(struct blobs *blobs, const char *name, void *arg)
{
    const struct sweep *sweep = arg;
    if (!is_name(str_of(name)) || sweep->referred(sweep->arg, str_of(name)))
        return ERR_OK;
    struct stat st;
    bool removed = true;
    pthread_mutex_lock(&blobs->lock);
    if (fstatat(blobs->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        clock_epoch_ms() - (int64_t)st.st_mtim.tv_sec * 1000 > SWEEP_AGE_MS)
        removed = unlinkat(blobs->fd, name, 0) == 0;
    pthread_mutex_unlock(&blobs->lock);
    return removed ? ERR_OK : ERR_IO;
}

enum err blob_sweep(struct blobs *blobs, bool (*referred)(void *arg, struct str sha256_hex), void *arg)
{
    struct sweep sweep = {referred, arg};
    return each_entry(blobs, sweep_entry, &sweep);
}

struct blob_count {
    size_t all, damaged;
};

static enum err count_entry(struct blobs *blobs, const char *name, void *arg)
{
    struct blob_count *count = arg;
    if (!is_name(str_of(name)))
        return ERR_OK;
    struct arena *arena = arena_new();
    struct str bytes;
    count->all++;
    count->damaged += blob_get(blobs, str_of(name), arena, &bytes) != ERR_OK;
    arena_free(arena);
    return ERR_OK;
}

enum err blobs_check(const char *dir, size_t *ret_count, size_t *ret_damaged)
{
    struct blobs blobs = {.fd = -1};
    struct blob_count count = {0};
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/blobs", dir) >= (int)sizeof path)
        return ERR_INVALID;
    blobs.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (blobs.fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    enum err err = each_entry(&blobs, count_entry, &count);
    close(blobs.fd);
    *ret_count = count.all;
    *ret_damaged = count.damaged;
    return err;
}
