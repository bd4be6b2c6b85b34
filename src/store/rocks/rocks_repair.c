/* rocks_repair.c -- a directory of the embedded engine that nobody serves: what is wrong with it, and what of it can be saved.
 *
 * Looking reads every entry with its checksum, through an engine that cannot write. Mending first keeps what is there, by
 * second names for the same files (DIR/before-repair-TIME; the engine never changes a file in place). Then the engine opens it with
 * what can be read of the logs; where the list of its files is lost, that is made anew of the files themselves, which may bring
 * back what was deleted shortly before. A damaged block stays damaged: its entries cannot be read until they are written again. */
#include "base/clock.h"
#include "base/file.h"
#include "store/rocks/ledger.h"
#include "store/rocks/rocks.h"
#include "store/rocks/rocks_dir.h"
#include "store/rocks/rocks_options.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECK_CACHE_BYTES (8u << 20)
#define CHECK_FILES_MAX 256

/* One look at, or one mending of, a directory. */
struct mending {
    const char *dir, *db;
    struct arena *arena;
    struct store_findings *findings;
    struct ledger *ledger;
    rocksdb_cache_t *cache;
    rocksdb_options_t *options;
    int lock;
    uint64_t sequence;                  /* of the last entry that was saved */
};

static void find(struct mending *m, const char *what, bool fine, struct str detail)
{
    if (m->findings->count < STORE_FINDINGS_MAX)
        m->findings->items[m->findings->count++] = (struct store_finding){what, fine, detail};
}

static bool all_fine(const struct store_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        if (!findings->items[i].fine)
            return false;
    return true;
}

/* Takes RocksDB's message. */
static struct str words_of(struct mending *m, char *message)
{
    struct str words = arena_dup(m->arena, str_of(message));
    rocksdb_free(message);
    return words;
}

static enum err mending_begin(struct mending *m, const struct store_options *options, struct arena *arena,
                              struct store_findings *findings)
{
    struct str message = STR_NONE;
    *m = (struct mending){.dir = options->dir, .arena = arena, .findings = findings, .lock = -1};
    m->db = arena_printf(arena, "%s/db", m->dir).p;
    if (access(m->dir, F_OK) != 0)
        return ERR_NOT_FOUND;
    enum err err = rocks__dir_open(m->dir, arena, &m->lock, &message);
    if (err == ERR_OK)
        err = rocks__ledger_open(m->dir, arena, &m->ledger, &message);
    if (err != ERR_OK) {
        find(m, "data: store", false, message);
        return err;
    }
    m->cache = rocksdb_cache_create_lru(CHECK_CACHE_BYTES);
    m->options = rocks__options_new(m->cache, CHECK_FILES_MAX);
    rocksdb_options_set_create_if_missing(m->options, 0);
    rocksdb_options_set_wal_recovery_mode(m->options, LOGS_UP_TO_DAMAGE);
    return ERR_OK;
}

static void mending_end(struct mending *m)
{
    if (m->options)
        rocksdb_options_destroy(m->options);
    if (m->cache)
        rocksdb_cache_destroy(m->cache);
    rocks__ledger_close(m->ledger);
    if (m->lock >= 0)
        close(m->lock);
}

/* ---- looking ---- */

/* Reads everything; a block that cannot be read ends it. */
static void look_at_entries(struct mending *m, rocksdb_t *db)
{
    rocksdb_readoptions_t *read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(read, 1);
    rocksdb_readoptions_set_fill_cache(read, 0);
    rocksdb_iterator_t *it = rocksdb_create_iterator(db, read);
    unsigned long long count = 0, bytes = 0;
    for (rocksdb_iter_seek_to_first(it); rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        size_t key, value;
        (void)rocksdb_iter_key(it, &key);
        (void)rocksdb_iter_value(it, &value);
        count++;
        bytes += key + value;
    }
    char *message = NULL;
    rocksdb_iter_get_error(it, &message);
    if (message) {
        struct str words = words_of(m, message);
        find(m, "data: entries", false,
             arena_printf(m->arena, "behind the first %llu some cannot be read: " STR_FMT, count, STR_ARG(words)));
    } else {
        find(m, "data: entries", true, arena_printf(m->arena, "%llu, %llu bytes, all readable", count, bytes));
    }
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(read);
}

static void look_at_logs(struct mending *m, rocksdb_t *db)
{
    unsigned long long wanted = rocks__ledger_sequence(m->ledger), found = rocksdb_get_latest_sequence_number(db);
    if (found >= wanted)
        find(m, "data: logs", true, STR("everything that was acknowledged is there"));
    else
        find(m, "data: logs", false,
             arena_printf(m->arena, "entries up to number %llu were acknowledged, and %llu of them cannot be found", wanted,
                          wanted - found));
}

static void look(struct mending *m)
{
    const char *wrong = rocks__ledger_wrong(m->ledger, m->arena);
    char *message = NULL;
    find(m, "data: files", !wrong, wrong ? str_of(wrong) : STR("as they were left"));
    if (wrong)
        return;
    rocksdb_t *db = rocksdb_open_for_read_only(m->options, m->db, 0, &message);
    if (message) {
        find(m, "data: engine", false, words_of(m, message));
        return;
    }
    look_at_logs(m, db);
    look_at_entries(m, db);
    rocksdb_close(db);
}

enum err rocks__check(const struct store_options *options, struct arena *arena, struct store_findings *ret)
{
    struct mending m;
    enum err err = mending_begin(&m, options, arena, ret);
    if (err == ERR_OK)
        look(&m);
    mending_end(&m);
    return err != ERR_OK ? err : all_fine(ret) ? ERR_OK : ERR_CORRUPT;
}

/* ---- mending ---- */

static enum err keep_files(struct mending *m, const char *from, const char *to)
{
    if (!folder_make(to, 0700))
        return ERR_IO;
    DIR *entries = opendir(from);
    if (!entries)
        return errno == ENOENT ? ERR_OK : ERR_IO;
    enum err err = ERR_OK;
    for (struct dirent *entry; err == ERR_OK && (entry = readdir(entries)); ) {
        struct stat st;
        const char *path = arena_printf(m->arena, "%s/%s", from, entry->d_name).p;
        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
            link(path, arena_printf(m->arena, "%s/%s", to, entry->d_name).p) != 0)
            err = ERR_IO;
    }
    closedir(entries);
    return err;
}

static enum err keep_all(struct mending *m)
{
    const char *kept =
        arena_printf(m->arena, "%s/before-repair-%lld", m->dir, (long long)(clock_epoch_ms() / 1000)).p;
    enum err err = keep_files(m, m->dir, kept);
    if (err == ERR_OK)
        err = keep_files(m, m->db, arena_printf(m->arena, "%s/db", kept).p);
    if (err == ERR_OK)
        find(m, "data: kept", true, arena_printf(m->arena, "what was there before, in %s", kept));
    else
        find(m, "data: kept", false, arena_printf(m->arena, "nothing was changed: %s cannot be filled: %s", kept, strerror(errno)));
    return err;
}

/* Opens it once for writing, so that what was read of the logs is in files, and the rest of them is gone. */
static bool settle(struct mending *m, struct str *ret_words)
{
    char *message = NULL;
    rocksdb_t *db = rocksdb_open(m->options, m->db, &message);
    if (message) {
        *ret_words = words_of(m, message);
        return false;
    }
    find(m, "data: engine", true, STR("opened with what can be read"));
    m->sequence = rocksdb_get_latest_sequence_number(db);
    rocksdb_close(db);
    return true;
}

static enum err rebuild(struct mending *m)
{
    char *message = NULL;
    struct str words;
    rocksdb_repair_db(m->options, m->db, &message);
    if (message)
        words = words_of(m, message);
    else if (settle(m, &words)) {
        find(m, "data: list of files", true, STR("made anew of the files that are there; what was deleted last may be back"));
        return ERR_OK;
    }
    find(m, "data: engine", false, words);
    return ERR_CORRUPT;
}

static enum err mend(struct mending *m)
{
    struct str words;
    enum err err = keep_all(m);
    if (err != ERR_OK)
        return err;
    bool listed = rocks__ledger_blank(m->ledger) || !rocks__ledger_wrong(m->ledger, m->arena);
    if (!listed || !settle(m, &words))
        err = rebuild(m);
    return err == ERR_OK ? rocks__ledger_begin(m->ledger, m->sequence) : err;
}

enum err rocks__repair(const struct store_options *options, struct arena *arena, struct store_findings *ret)
{
    enum err err = rocks__check(options, arena, ret);
    if (err != ERR_CORRUPT)
        return err;
    struct mending m;
    ret->count = 0;
    err = mending_begin(&m, options, arena, ret);
    if (err == ERR_OK)
        err = mend(&m);
    mending_end(&m);
    return err;
}
