/* store.c -- opening and closing: the directory, its lock, its format, and the order in which the parts start.
 *
 *   DIR/lock     flock'd while a process has the directory; holds its process id, for the message
 *   DIR/db/      the engine
 *   DIR/blobs/   see blob.h
 *
 * The format record stands at a fixed engine key (hash 0, as the hash's key is in the record): record version (1),
 * format (4, big-endian), key of the collection hash (16). A directory of a newer format is refused; so is an engine
 * that has data but no record. */
#include "store/internal.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/panic.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT 1
#define RECORD_VERSION 1
#define RECORD_BYTES (1 + 4 + 16)
#define OPEN_BYTES_MIN (1 << 20)        /* of new files */
#define CACHE_BYTES (64u << 20)
#define ROW_CACHE_BYTES (32u << 20)

/* Makes the directory and its parents. */
static enum err make_dir(const char *dir, struct arena *arena, struct str *ret_message)
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

static enum err lock_dir(const char *dir, struct arena *arena, int *ret_fd, struct str *ret_message)
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
static enum err check_space(const char *dir, struct arena *arena, struct str *ret_message)
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

static void format_key(struct engine_key *ret)
{
    ENSURE(store__key_collection(ret, STORE_SPACE_SYSTEM, 0, STR("store")) && store__key_add(ret, STR("format")));
}

static bool engine_is_empty(struct rocks *rocks)
{
    struct engine_key from, to;
    store__key_head(&from, 0, 0);
    store__key_head(&to, UINT64_MAX, UINT64_MAX);
    struct rocks_iter *iter = rocks__iter_new(rocks, engine_key_str(&from), engine_key_str(&to));
    rocks__iter_first(iter);
    bool empty = !rocks__iter_valid(iter) && rocks__iter_err(iter) == ERR_OK;
    rocks__iter_free(iter);
    return empty;
}

static enum err write_format(struct store *store, const char *dir, struct arena *arena, struct str *ret_message)
{
    uint8_t record[RECORD_BYTES] = {RECORD_VERSION};
    put_u32(record + 1, FORMAT);
    random_bytes(store->hash_key, sizeof store->hash_key);
    memcpy(record + 5, store->hash_key, sizeof store->hash_key);
    struct engine_key key;
    format_key(&key);
    struct layer layer;
    store__layer_init(&layer, arena, 0);
    store__layer_put(&layer, engine_key_str(&key), (struct str){(const char *)record, sizeof record});
    char words[256] = "";
    enum err err = rocks__write(store->rocks, &layer, words, sizeof words);
    if (err != ERR_OK)
        *ret_message = arena_printf(arena, "The data directory %s cannot be written to: %s.", dir, words);
    return err;
}

static enum err check_format(struct store *store, const char *dir, struct arena *arena, struct str *ret_message)
{
    struct engine_key key;
    format_key(&key);
    struct str record;
    enum err err = rocks__get(store->rocks, engine_key_str(&key), arena, &record);
    if (err == ERR_NOT_FOUND && engine_is_empty(store->rocks))
        return write_format(store, dir, arena, ret_message);
    if (err != ERR_OK || record.n < 5) {
        *ret_message = arena_printf(arena, "The data directory %s is damaged: its format record cannot be read.", dir);
        return err == ERR_OK || err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    }
    uint32_t format = get_u32((const uint8_t *)record.p + 1);
    if (record.p[0] != RECORD_VERSION || format != FORMAT || record.n != RECORD_BYTES) {
        *ret_message = arena_printf(arena, "The data directory %s was written by a newer release (format %u, this release "
                                    "knows format %u). Use that release, or another directory.", dir, format, FORMAT);
        return ERR_UNSUPPORTED;
    }
    memcpy(store->hash_key, record.p + 5, sizeof store->hash_key);
    return ERR_OK;
}

static struct store *new_store(void)
{
    struct store *store = mem_zalloc(sizeof *store);
    store->lock_fd = -1;
    store->tail = &store->head;
    store->reader.store = store;
    pthread_mutex_init(&store->queue_lock, NULL);
    pthread_cond_init(&store->queue_wake, NULL);
    pthread_mutex_init(&store->drop_lock, NULL);
    pthread_cond_init(&store->drop_wake, NULL);
    for (size_t i = 0; i < STORE_SPACE_FIRST; i++)
        atomic_init(&store->generation[i], 1);
    return store;
}

/* Of a store whose threads have ended or never started. */
static void free_store(struct store *store)
{
    rocks__close(store->rocks);
    store__rows_free(store->rows);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    pthread_cond_destroy(&store->drop_wake);
    pthread_mutex_destroy(&store->drop_lock);
    pthread_cond_destroy(&store->queue_wake);
    pthread_mutex_destroy(&store->queue_lock);
    free(store);
}

static enum err open_parts(struct store *store, const struct store_options *options, struct arena *arena,
                           struct str *ret_message)
{
    enum err err = make_dir(options->dir, arena, ret_message);
    if (err == ERR_OK)
        err = lock_dir(options->dir, arena, &store->lock_fd, ret_message);
    if (err == ERR_OK)
        err = check_space(options->dir, arena, ret_message);
    if (err != ERR_OK)
        return err;
    struct str words = STR_NONE;
    const char *db = arena_printf(arena, "%s/db", options->dir).p;
    err = rocks__open(db, options->cache_bytes ? options->cache_bytes : CACHE_BYTES, arena, &store->rocks, &words);
    if (err != ERR_OK) {
        *ret_message = arena_printf(arena, "The data directory %s cannot be opened: " STR_FMT ".", options->dir,
                                    STR_ARG(words));
        return err;
    }
    err = check_format(store, options->dir, arena, ret_message);
    if (err == ERR_OK)
        store->rows = store__rows_new(options->row_cache_bytes ? options->row_cache_bytes : ROW_CACHE_BYTES,
                                      store->hash_key);
    return err;
}

enum err store_open(const struct store_options *options, struct arena *arena, struct store **ret, struct str *ret_message)
{
    struct store *store = new_store();
    enum err err = open_parts(store, options, arena, ret_message);
    if (err != ERR_OK) {
        free_store(store);
        return err;
    }
    store__committer_start(store);
    store__drop_resume(store);
    *ret = store;
    return ERR_OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store__committer_stop(store);
    store__drop_stop(store);
    free_store(store);
}
