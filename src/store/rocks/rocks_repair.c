/* rocks_repair.c -- a directory of the embedded engine that nobody serves: what is wrong with it, and what of it can be saved.
 *
 * Looking reads every entry with its checksum, through an engine that cannot write; it leaves an empty log of events behind,
 * and no other trace. Mending first keeps what is there in DIR/before-repair-TIME: the engine's files by second names, as it
 * never changes one in place, the ledger as a copy. Then the engine opens the directory with what can be read of the logs;
 * where the list of its files is lost, that is made anew of the files themselves, which may bring back what was deleted
 * shortly before. Where entries cannot be read, those before and behind them go into a new folder, which takes the place of
 * the old one: what lies between the first and the last block that is damaged is lost, as the engine would meet such a block
 * again and again and stop writing. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "store/key.h"
#include "store/rocks/ledger.h"
#include "store/rocks/rocks.h"
#include "store/rocks/rocks_dir.h"
#include "store/rocks/rocks_options.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SALVAGE_BATCH_BYTES (1u << 20)
#define CHECK_CACHE_BYTES (8u << 20)
#define CHECK_FILES_MAX 256

/* One look at, or one mending of, a directory. */
struct mending {
    const char *dir, *db;
    bool was_there;
    struct arena *arena;
    struct store_findings *findings;
    struct ledger *ledger;
    rocksdb_cache_t *cache;
    rocksdb_options_t *options;
    int lock;
    const char *kept;                   /* folder of what was there before */
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

/* `mend`: the directory may be changed; else not even a missing lock is made. */
static enum err mending_begin(struct mending *m, const struct store_options *options, struct arena *arena,
                              struct store_findings *findings, bool mend)
{
    struct str message = STR_NONE;
    *m = (struct mending){.dir = options->dir, .was_there = options->was_there, .arena = arena, .findings = findings, .lock = -1};
    m->db = arena_printf(arena, "%s/db", m->dir).p;
    if (access(m->dir, F_OK) != 0)
        return ERR_NOT_FOUND;
    bool locks = mend || access(arena_printf(arena, "%s/lock", m->dir).p, F_OK) == 0;
    enum err err = locks ? rocks__dir_open(m->dir, arena, &m->lock, &message) : ERR_OK;
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

/* An iterator over everything that looks at checksums; `read` is freed by who frees it. */
static rocksdb_iterator_t *iterate(rocksdb_t *db, rocksdb_readoptions_t **ret_read)
{
    *ret_read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(*ret_read, 1);
    rocksdb_readoptions_set_fill_cache(*ret_read, 0);
    return rocksdb_create_iterator(db, *ret_read);
}

static struct str found_key(rocksdb_iterator_t *it)
{
    struct str key;
    key.p = rocksdb_iter_key(it, &key.n);
    return key;
}

static struct str found_value(rocksdb_iterator_t *it)
{
    struct str value;
    value.p = rocksdb_iter_value(it, &value.n);
    return value;
}

/* Reads everything; a block that cannot be read ends it. False: there is one. */
static bool look_at_entries(struct mending *m, rocksdb_t *db)
{
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t *it = iterate(db, &read);
    unsigned long long count = 0, bytes = 0;
    for (rocksdb_iter_seek_to_first(it); rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        count++;
        bytes += found_key(it).n + found_value(it).n;
    }
    char *message = NULL;
    rocksdb_iter_get_error(it, &message);
    bool fine = !message;
    struct str words = fine ? STR_NONE : words_of(m, message);
    find(m, "data: entries", fine,
         fine ? arena_printf(m->arena, "%llu, %llu bytes, all readable", count, bytes)
              : arena_printf(m->arena, "behind the first %llu some cannot be read: " STR_FMT, count, STR_ARG(words)));
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(read);
    return fine;
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

/* ERR_IO: it cannot be looked at, which says nothing of it. */
static enum err look(struct mending *m)
{
    const char *wrong = rocks__ledger_wrong(m->ledger, m->was_there, m->arena);
    char *message = NULL;
    if (m->was_there && rocks__ledger_unused(m->ledger))
        return ERR_NOT_FOUND;
    if (rocks__ledger_unused(m->ledger)) {
        find(m, "data: files", true, STR("nothing was written yet"));
        return ERR_OK;
    }
    find(m, "data: files", !wrong, wrong ? str_of(wrong) : STR("as they were left"));
    if (wrong)
        return ERR_OK;
    rocksdb_t *db = rocksdb_open_for_read_only(m->options, m->db, 0, &message);
    if (message) {
        bool damage = rocks__error_of(message) == ERR_CORRUPT || strstr(message, strerror(ENOENT));
        find(m, "data: engine", false, words_of(m, message));
        return damage ? ERR_OK : ERR_IO;
    }
    look_at_logs(m, db);
    look_at_entries(m, db);
    rocksdb_close(db);
    return ERR_OK;
}

enum err rocks__check(const struct store_options *options, struct arena *arena, struct store_findings *ret)
{
    struct mending m;
    enum err err = mending_begin(&m, options, arena, ret, false);
    if (err == ERR_OK)
        err = look(&m);
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
        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && link(path, arena_printf(m->arena, "%s/%s", to, entry->d_name).p) != 0)
            err = ERR_IO;
    }
    closedir(entries);
    return err;
}

static enum err keep_all(struct mending *m)
{
    const char *kept =
        arena_printf(m->arena, "%s/before-repair-%lld", m->dir, (long long)(clock_epoch_ms() / 1000)).p;
    m->kept = kept;
    enum err err = folder_make(kept, 0700) ? rocks__ledger_copy(m->ledger, kept) : ERR_IO;
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

/* ---- what can be read, into a new folder ---- */

struct salvage {
    rocksdb_t *to;
    rocksdb_writeoptions_t *write;
    rocksdb_writebatch_t *batch;
    size_t batch_bytes;
    unsigned long long count;
    char *message;              /* of the first write that failed */
};

static void write_batch(struct salvage *s)
{
    if (!s->message)
        rocksdb_write(s->to, s->write, s->batch, &s->message);
    rocksdb_writebatch_clear(s->batch);
    s->batch_bytes = 0;
}

static void save_entry(struct salvage *s, rocksdb_iterator_t *it)
{
    struct str key = found_key(it), value = found_value(it);
    rocksdb_writebatch_put(s->batch, key.p, key.n, value.p, value.n);
    s->count++;
    s->batch_bytes += key.n + value.n;
    if (s->batch_bytes > SALVAGE_BATCH_BYTES)
        write_batch(s);
}

/* From the first entry on, then from the last one back, each until one cannot be read. */
static void save_entries(struct mending *m, struct salvage *s, rocksdb_t *from)
{
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t *it = iterate(from, &read);
    struct buf last;
    buf_init(&last, m->arena, ENGINE_KEY_MAX);
    for (rocksdb_iter_seek_to_first(it); rocksdb_iter_valid(it) && !s->message; rocksdb_iter_next(it)) {
        save_entry(s, it);
        buf_reset(&last);
        buf_add(&last, found_key(it));
    }
    rocksdb_iter_destroy(it);
    it = rocksdb_create_iterator(from, read);
    for (rocksdb_iter_seek_to_last(it); rocksdb_iter_valid(it) && !s->message && str_cmp(found_key(it), buf_str(&last)) > 0;
         rocksdb_iter_prev(it))
        save_entry(s, it);
    write_batch(s);
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(read);
}

static rocksdb_t *open_new_folder(struct mending *m, const char *folder, char **message)
{
    char *nothing = NULL;
    rocksdb_destroy_db(m->options, folder, &nothing);       /* of a repair that was interrupted */
    rocksdb_free(nothing);
    rocksdb_options_set_create_if_missing(m->options, 1);
    rocksdb_options_set_error_if_exists(m->options, 1);
    rocksdb_t *db = rocksdb_open(m->options, folder, message);
    rocksdb_options_set_create_if_missing(m->options, 0);
    rocksdb_options_set_error_if_exists(m->options, 0);
    return db;
}

/* Everything that can be read, into `folder`, synced. */
static bool fill_folder(struct mending *m, const char *folder, struct str *ret_words)
{
    struct salvage s = {0};
    char *message = NULL;
    rocksdb_t *from = rocksdb_open_for_read_only(m->options, m->db, 0, &message);
    if (!message)
        s.to = open_new_folder(m, folder, &message);
    if (!message) {
        rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
        rocksdb_flushoptions_set_wait(flush, 1);
        s.write = rocksdb_writeoptions_create();
        rocksdb_writeoptions_disable_WAL(s.write, 1);
        s.batch = rocksdb_writebatch_create();
        save_entries(m, &s, from);
        message = s.message;
        if (!message)
            rocksdb_flush(s.to, flush, &message);
        m->sequence = rocksdb_get_latest_sequence_number(s.to);
        rocksdb_flushoptions_destroy(flush);
        rocksdb_writeoptions_destroy(s.write);
        rocksdb_writebatch_destroy(s.batch);
    }
    if (s.to)
        rocksdb_close(s.to);
    if (from)
        rocksdb_close(from);
    *ret_words = message ? words_of(m, message)
                         : arena_printf(m->arena, "%llu were saved; what lay between the damaged blocks is lost", s.count);
    return !message;
}

static enum err salvage(struct mending *m)
{
    const char *folder = arena_printf(m->arena, "%s/db.new", m->dir).p, *old = arena_printf(m->arena, "%s/db.damaged", m->kept).p;
    struct str words;
    bool saved = fill_folder(m, folder, &words);
    if (saved && (rename(m->db, old) != 0 || rename(folder, m->db) != 0)) {
        words = arena_printf(m->arena, "%s cannot take the place of %s: %s", folder, m->db, strerror(errno));
        saved = false;
    }
    find(m, "data: entries", saved, words);
    return saved ? ERR_OK : ERR_IO;
}

/* What is open now, read as a whole; what cannot be read is left behind. */
static enum err leave_damaged_blocks(struct mending *m)
{
    char *message = NULL;
    rocksdb_t *db = rocksdb_open_for_read_only(m->options, m->db, 0, &message);
    if (message) {
        find(m, "data: engine", false, words_of(m, message));
        return ERR_IO;
    }
    bool fine = look_at_entries(m, db);
    rocksdb_close(db);
    return fine ? ERR_OK : salvage(m);
}

static enum err mend(struct mending *m)
{
    struct str words;
    enum err err = keep_all(m);
    if (err != ERR_OK)
        return err;
    bool listed = rocks__ledger_blank(m->ledger) || !rocks__ledger_wrong(m->ledger, m->was_there, m->arena);
    if (!listed || !settle(m, &words))
        err = rebuild(m);
    if (err == ERR_OK)
        err = leave_damaged_blocks(m);
    return err == ERR_OK ? rocks__ledger_begin(m->ledger, m->sequence) : err;
}

enum err rocks__repair(const struct store_options *options, struct arena *arena, struct store_findings *ret)
{
    enum err err = rocks__check(options, arena, ret);
    if (err != ERR_CORRUPT)
        return err;
    struct mending m;
    ret->count = 0;
    err = mending_begin(&m, options, arena, ret, true);
    if (err == ERR_OK)
        err = rocks__ledger_unused(m.ledger) ? ERR_NOT_FOUND : mend(&m);
    mending_end(&m);
    return err;
}
