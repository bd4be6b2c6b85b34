/* rocks.c -- see rocks.h. What is set and why, as measured on two cores:
 *
 * - One writer: no concurrent memtable writes. A write fills the memtable only after its log record is synced, so
 *   nothing is visible before it is durable.
 * - Opening is fast and idle memory small: no statistics, no statistics update on open, memtable memory in small pieces
 *   as it is used, a clean close flushes so that no log is replayed.
 * - The newest levels are not compressed, older ones with LZ4. Bloom filters of 10 bits a key. The block cache holds
 *   uncompressed blocks, indexes and filters among them, these before others: so opening reads none of them, however much data
 *   there is, and they have a bound. A point read that the row cache does not answer takes 4.4 µs instead of 3.6 for that.
 * - No row cache of RocksDB: with range deletes it answers deleted keys (see rowcache.h).
 * - Which older logs there have to be, and how long they are, stands in the manifest; of the newest the ledger knows.
 * - A log has to be whole. If it is not, it is read up to where it is: only if everything that the ledger knows of is there
 *   (ledger.h) its end is taken for a record torn by a crash or a full disk, which was never acknowledged.
 *
 * Failures. Before each write the free space is looked at, and below a reserve, room for a memtable's file and the next
 * log, the write is refused: so the engine itself does not meet a full disk, and writes work again as soon as there is
 * space. If a write fails nevertheless (the space went between, a quota, a sync that failed), the engine is *broken*:
 *   - its memtable does not have the batch; the record is cut out of the log (wal.h), so nobody will
 *   - it is never written to again: release 7.8 resumes by itself, but may then append to the log that failed, and an
 *     assertion, which Debian's build has, would end the process
 *   - reads go on. Later writes close it and open it again, behind a gate that keeps readers out for the moment; if that
 *     fails, it is opened for reading only, and the next try waits twice as long.
 * RocksDB's log of events (its file LOG) stays empty, which its highest level does: after a write to it that failed the
 * next line would end the process in the same way. */
#include "store/rocks/rocks.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "store/rocks/gate.h"
#include "store/rocks/ledger.h"
#include "store/rocks/rocks_options.h"
#include "store/rocks/wal.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#define WRITE_BUFFER_BYTES (16u << 20)
#define RESERVE_BYTES (2 * WRITE_BUFFER_BYTES)      /* kept free on the disk; of a small one an eighth */
#define RETRY_MS_MIN 50                     /* between tries to open a broken engine again */
#define RETRY_MS_MAX 5000
#define GATE_MS_MAX 200                     /* that such a try waits for readers to leave */
#define BATCH_KEEP_BYTES (1u << 20)         /* a batch object above this is not kept for the next */
#define LEVELS 7
#define OPEN_BYTES_MIN (1 << 20) /* of new files, when it is opened for writing */

struct rocks {
    char *dir;
    struct ledger *ledger;
    rocksdb_t *db;                          /* exchanged only behind the closed gate; NULL: nothing could be opened */
    struct gate gate;
    atomic_bool broken;                     /* set and cleared by the writer */
    bool uncut;                             /* the refused batch is still in the log */
    struct wal wal;                         /* the writer's */
    uint64_t retry_at_ns, retry_ms;
    rocksdb_options_t *options;
    rocksdb_cache_t *block_cache;
    rocksdb_readoptions_t *read;            /* shared by all threads, never changed */
    rocksdb_writeoptions_t *sync;
    rocksdb_writebatch_t *batch;            /* the writer's */
};

struct engine_view {
    struct rocks *rocks;
    unsigned slot;                          /* in the gate, from new to free */
    const rocksdb_snapshot_t *snapshot;     /* NULL: the engine is closed */
    rocksdb_readoptions_t *read;
};

struct rocks_iter {
    struct engine_iter head;
    struct rocks *rocks;
    unsigned slot;                          /* in the gate, from new to free */
    rocksdb_iterator_t *it;                 /* NULL: the engine is closed */
    rocksdb_readoptions_t *read;
    char bounds[];                          /* RocksDB keeps pointers to them */
};

enum err rocks__error_of(const char *message)
{
    return strncmp(message, "Corruption", 10) == 0 ? ERR_CORRUPT : ERR_IO;
}

/* Takes the engine's message. */
static enum err rocks_error(char *message)
{
    enum err err = message ? rocks__error_of(message) : ERR_OK;
    rocksdb_free(message);
    return err;
}

rocksdb_options_t *rocks__options_new(rocksdb_cache_t *block_cache, size_t files_max)
{
    rocksdb_options_t *defaults = rocksdb_options_create(), *o = rocksdb_options_create();
    char *message = NULL;
    rocksdb_get_options_from_string(defaults, "track_and_verify_wals_in_manifest=true", o, &message);
    ENSURE(!message);
    rocksdb_options_destroy(defaults);
    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_paranoid_checks(o, 1);
    rocksdb_options_set_write_buffer_size(o, WRITE_BUFFER_BYTES);
    rocksdb_options_set_max_write_buffer_number(o, 3);
    rocksdb_options_set_arena_block_size(o, 64 << 10);
    rocksdb_options_set_allow_concurrent_memtable_write(o, 0);
    rocksdb_options_set_max_background_jobs(o, 2);
    rocksdb_options_set_bytes_per_sync(o, 1 << 20);
    rocksdb_options_set_max_open_files(o, (int)files_max);
    rocksdb_options_set_max_file_opening_threads(o, 1);     /* threads that open a handful of files cost more than they save */
    rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
    rocksdb_options_set_skip_stats_update_on_db_open(o, 1);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    rocksdb_options_set_stats_persist_period_sec(o, 0);
    rocksdb_options_set_info_log_level(o, 5);               /* nothing, see above */
    rocksdb_options_set_keep_log_file_num(o, 2);
    rocksdb_options_set_manifest_preallocation_size(o, 64 << 10);
    rocksdb_options_set_max_manifest_file_size(o, 4 << 20);
    const int compression[LEVELS] = {rocksdb_no_compression, rocksdb_no_compression, rocksdb_lz4_compression,
                                     rocksdb_lz4_compression, rocksdb_lz4_compression, rocksdb_lz4_compression,
                                     rocksdb_lz4_compression};
    rocksdb_options_set_compression_per_level(o, compression, LEVELS);

    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, block_cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_options_set_block_based_table_factory(o, table);
    rocksdb_block_based_options_destroy(table);
    return o;
}

static void close_db(struct rocks *rocks)
{
    if (rocks->db)
        rocksdb_close(rocks->db);
    rocks->db = NULL;
}

static void destroy_rocks(struct rocks *rocks)
{
    close_db(rocks);
    rocksdb_writebatch_destroy(rocks->batch);
    rocksdb_writeoptions_destroy(rocks->sync);
    rocksdb_readoptions_destroy(rocks->read);
    rocksdb_options_destroy(rocks->options);
    rocksdb_cache_destroy(rocks->block_cache);
    rocks__gate_clear(&rocks->gate);
    rocks__wal_end(&rocks->wal);
    free(rocks->dir);
    free(rocks);
}

static struct rocks *new_rocks(const char *dir, size_t cache_bytes, size_t files_max)
{
    struct rocks *rocks = NULL;
    ENSURE(posix_memalign((void **)&rocks, _Alignof(struct rocks), sizeof *rocks) == 0);
    memset(rocks, 0, sizeof *rocks);
    rocks->dir = mem_dup(dir, strlen(dir));
    rocks__gate_init(&rocks->gate);
    rocks->block_cache = rocksdb_cache_create_lru(cache_bytes);
    rocks->options = rocks__options_new(rocks->block_cache, files_max);
    rocks->read = rocksdb_readoptions_create();
    rocks->sync = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(rocks->sync, 1);
    rocks->batch = rocksdb_writebatch_create();
    rocks->retry_ms = RETRY_MS_MIN;
    rocks->wal = WAL_NONE;
    return rocks;
}

/* Free, and *ret_total of the disk; UINT64_MAX if that is not known: the write will tell. */
static uint64_t disk_bytes(const char *dir, uint64_t *ret_total)
{
    struct statvfs fs;
    *ret_total = 0;
    if (statvfs(dir, &fs) != 0)
        return UINT64_MAX;
    *ret_total = (uint64_t)fs.f_blocks * fs.f_frsize;
    return (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* Takes the engine's message. */
static enum err take_message(char *message, struct arena *arena, struct str *ret_message)
{
    *ret_message = arena_dup(arena, str_of(message));
    return rocks_error(message);
}

static enum err check_sequence(const struct rocks *rocks, rocksdb_t *db, struct arena *arena, struct str *ret_message)
{
    uint64_t wanted = rocks__ledger_sequence(rocks->ledger), found = rocksdb_get_latest_sequence_number(db);
    if (found >= wanted)
        return ERR_OK;
    *ret_message = arena_printf(arena, "entries up to number %llu were acknowledged, and its logs can be read up to %llu only",
                                (unsigned long long)wanted, (unsigned long long)found);
    return ERR_CORRUPT;
}

/* Whether everything that was acknowledged is there, when logs are read in that way. Changes nothing. */
static enum err check_logs(struct rocks *rocks, enum log_reading how, struct arena *arena, struct str *ret_message)
{
    char *message = NULL;
    rocksdb_options_set_wal_recovery_mode(rocks->options, how);
    rocksdb_t *db = rocksdb_open_for_read_only(rocks->options, rocks->dir, 0, &message);
    if (message)
        return take_message(message, arena, ret_message);
    enum err err = check_sequence(rocks, db, arena, ret_message);
    rocksdb_close(db);
    return err;
}

/* Opening makes files of logs, while it reads them when they are long, and of all of them at its end, before what it found can be
 * compared with the ledger. So it is looked at before whether they have it all: if the last one is not as it was noted, or they
 * are long. *ret_how: the way in which they can be read. */
static enum err look_before(struct rocks *rocks, enum log_reading *ret_how, struct arena *arena, struct str *ret_message)
{
    *ret_how = LOGS_WHOLE;
    if (rocks__wal_reaches(rocks->dir, rocks__ledger_log(rocks->ledger)) && rocks__wal_bytes(rocks->dir) < WRITE_BUFFER_BYTES)
        return ERR_OK;
    enum err err = check_logs(rocks, LOGS_WHOLE, arena, ret_message);
    if (err != ERR_CORRUPT)
        return err;
    *ret_how = LOGS_UP_TO_DAMAGE;
    return check_logs(rocks, LOGS_UP_TO_DAMAGE, arena, ret_message);
}

/* For writing. From now on the ledger and the log's end are noted. */
static enum err open_db(struct rocks *rocks, struct arena *arena, struct str *ret_message)
{
    char *message = NULL;
    enum log_reading how;
    enum err err = look_before(rocks, &how, arena, ret_message);
    if (err != ERR_OK)
        return err;
    rocksdb_options_set_wal_recovery_mode(rocks->options, how);
    rocks->db = rocksdb_open(rocks->options, rocks->dir, &message);
    if (message && how == LOGS_WHOLE && rocks__error_of(message) == ERR_CORRUPT) {
        rocksdb_free(message);
        message = NULL;
        rocks->db = NULL;
        err = check_logs(rocks, LOGS_UP_TO_DAMAGE, arena, ret_message);
        if (err != ERR_OK)
            return err;
        rocks->db = rocksdb_open(rocks->options, rocks->dir, &message);
    }
    if (message) {
        rocks->db = NULL;
        return take_message(message, arena, ret_message);
    }
    err = check_sequence(rocks, rocks->db, arena, ret_message);
    if (err == ERR_OK && (err = rocks__ledger_begin(rocks->ledger, rocksdb_get_latest_sequence_number(rocks->db))) != ERR_OK)
        *ret_message = STR("the ledger cannot be written");
    if (err != ERR_OK) {
        close_db(rocks);
        return err;
    }
    rocks__wal_begin(&rocks->wal, rocks->dir);
    rocks__wal_sweep(&rocks->wal);
    return ERR_OK;
}

static void retry_later(struct rocks *rocks)
{
    rocks->retry_at_ns = clock_mono_ns() + rocks->retry_ms * 1000000;
    rocks->retry_ms = rocks->retry_ms * 2 > RETRY_MS_MAX ? RETRY_MS_MAX : rocks->retry_ms * 2;
}

/* What can be read, until it can be opened for writing. */
static enum err open_to_read(struct rocks *rocks, struct arena *arena, struct str *ret_message)
{
    char *message = NULL;
    rocksdb_options_set_wal_recovery_mode(rocks->options, LOGS_UP_TO_DAMAGE);
    rocks->db = rocksdb_open_for_read_only(rocks->options, rocks->dir, 0, &message);
    rocks->broken = true;
    retry_later(rocks);
    if (message) {
        rocks->db = NULL;
        return take_message(message, arena, ret_message);
    }
    enum err err = check_sequence(rocks, rocks->db, arena, ret_message);
    if (err != ERR_OK)
        close_db(rocks);
    return err;
}

enum err rocks__open(const char *dir, struct ledger *ledger, size_t cache_bytes, size_t files_max, struct arena *arena,
                     struct rocks **ret, struct str *ret_message)
{
    struct rocks *rocks = new_rocks(dir, cache_bytes, files_max);
    rocks->ledger = ledger;
    uint64_t total;
    bool room = disk_bytes(rocks->dir, &total) >= OPEN_BYTES_MIN;
    if (!room)
        *ret_message = STR("No space left on device");
    enum err err = room ? open_db(rocks, arena, ret_message) : ERR_IO;
    struct str second;
    if (err == ERR_OK)
        *ret_message = STR_NONE;
    else if (err == ERR_IO && open_to_read(rocks, arena, &second) == ERR_OK)
        err = ERR_OK;
    if (err != ERR_OK) {
        destroy_rocks(rocks);
        return err;
    }
    *ret = rocks;
    return ERR_OK;
}

static enum err flush_memtable(struct rocks *rocks)
{
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(options, 1);
    char *message = NULL;
    rocksdb_flush(rocks->db, options, &message);
    rocksdb_flushoptions_destroy(options);
    return rocks_error(message);
}

void rocks__close(struct rocks *rocks)
{
    if (!rocks)
        return;
    if (rocks->uncut)
        (void)rocks__wal_cut(&rocks->wal);
    if (!rocks->broken) {
        (void)flush_memtable(rocks);     /* if it fails, the log is replayed at the next open */
        rocks__ledger_note(rocks->ledger, rocksdb_get_latest_sequence_number(rocks->db), (struct wal_end){0});
    }
    destroy_rocks(rocks);
}

enum err rocks__get(struct rocks *rocks, struct engine_view *view, struct str key, struct arena *arena, struct str *ret_value)
{
    unsigned slot = rocks__gate_enter(&rocks->gate);
    enum err err = ERR_IO;
    if (rocks->db && (!view || view->snapshot)) {
        char *message = NULL;
        rocksdb_pinnableslice_t *slice = rocksdb_get_pinned(rocks->db, view ? view->read : rocks->read, key.p, key.n, &message);
        err = message ? rocks_error(message) : ERR_NOT_FOUND;
        if (slice) {
            struct str value;
            value.p = rocksdb_pinnableslice_value(slice, &value.n);
            *ret_value = arena_dup(arena, value);
            rocksdb_pinnableslice_destroy(slice);
            err = ERR_OK;
        }
    }
    rocks__gate_leave(&rocks->gate, slot);
    return err;
}

/* Whether there is room for `bytes` more above the reserve. */
static bool has_space(struct rocks *rocks, size_t bytes)
{
    uint64_t total = 0, available = disk_bytes(rocks->dir, &total);
    uint64_t reserve = total / 8 < RESERVE_BYTES ? total / 8 : RESERVE_BYTES;
    return available == UINT64_MAX || available >= reserve + bytes;
}

/* Opens a broken engine again if it is time to try. True: it is whole. */
static bool reopen_rocks(struct rocks *rocks)
{
    if (clock_mono_ns() < rocks->retry_at_ns)
        return false;
    if (rocks->uncut && rocks__wal_cut(&rocks->wal) == ERR_OK)
        rocks->uncut = false;
    if (rocks->uncut || !rocks__gate_close(&rocks->gate, GATE_MS_MAX)) {
        retry_later(rocks);
        return false;
    }
    close_db(rocks);
    struct arena *arena = arena_new();
    struct str words;
    bool whole = open_db(rocks, arena, &words) == ERR_OK;
    if (whole)
        rocks->broken = false;
    else
        (void)open_to_read(rocks, arena, &words);
    arena_free(arena);
    rocks__gate_open(&rocks->gate);
    return whole;
}

static void fill_batch(rocksdb_writebatch_t *batch, const struct layer *layer)
{
    for (size_t i = 0; i < layer->gaps_n; i++) {
        const struct layer_gap *gap = &layer->gaps[i];
        rocksdb_writebatch_delete_range(batch, gap->from.p, gap->from.n, gap->to.p, gap->to.n);
    }
    for (const struct layer_node *node = layer->first[0]; node; node = node->next[0]) {
        if (node->deleted)
            rocksdb_writebatch_delete(batch, node->key.p, node->key.n);
        else
            rocksdb_writebatch_put(batch, node->key.p, node->key.n, node->value.p, node->value.n);
    }
}

enum err rocks__write(struct rocks *rocks, const struct layer *layer, char *ret_message, size_t message_size)
{
    if (!has_space(rocks, layer->bytes)) {
        snprintf(ret_message, message_size, "No space left on device: %s", rocks->dir);
        return ERR_IO;
    }
    if (rocks->broken && !reopen_rocks(rocks)) {
        snprintf(ret_message, message_size, "A write failed, and the engine could not be opened again yet: %s", rocks->dir);
        return ERR_IO;
    }
    fill_batch(rocks->batch, layer);
    char *message = NULL;
    rocksdb_write(rocks->db, rocks->sync, rocks->batch, &message);
    if (layer->bytes > BATCH_KEEP_BYTES) {
        rocksdb_writebatch_destroy(rocks->batch);
        rocks->batch = rocksdb_writebatch_create();
    } else {
        rocksdb_writebatch_clear(rocks->batch);
    }
    if (!message) {
        rocks->retry_ms = RETRY_MS_MIN;
        rocks__wal_note(&rocks->wal);
        rocks__ledger_note(rocks->ledger, rocksdb_get_latest_sequence_number(rocks->db), rocks->wal.end);
        return ERR_OK;
    }
    snprintf(ret_message, message_size, "%s", message);
    rocks->broken = true;
    rocks->uncut = rocks__wal_cut(&rocks->wal) != ERR_OK;
    retry_later(rocks);
    return rocks_error(message);
}

void rocks__drop_files(struct rocks *rocks, struct str from, struct str to)
{
    unsigned slot = rocks__gate_enter(&rocks->gate);
    char *message = NULL;
    if (!rocks->broken)
        rocksdb_delete_file_in_range(rocks->db, from.p, from.n, to.p, to.n, &message);
    (void)rocks_error(message);        /* a hint: compaction gives the space back later */
    rocks__gate_leave(&rocks->gate, slot);
}

void rocks__write_metrics(struct rocks *rocks, struct buf *out)
{
    static const struct { const char *property; struct metric_family family;
    } rows[] = {
        {"rocksdb.estimate-num-keys", {"cloudless_rocksdb_keys", "Keys, estimated.", METRIC_GAUGE, 0, 0}},
        {"rocksdb.live-sst-files-size", {"cloudless_rocksdb_files_bytes", "Live files.", METRIC_GAUGE, 0, 0}},
        {"rocksdb.cur-size-all-mem-tables",
         {"cloudless_rocksdb_memtable_bytes", "Written and not yet in files.", METRIC_GAUGE, 0, 0}},
        {"rocksdb.num-immutable-mem-table",
         {"cloudless_rocksdb_memtables_waiting", "Full and not yet in files.", METRIC_GAUGE, 0, 0}},
        {"rocksdb.block-cache-usage", {"cloudless_rocksdb_block_cache_bytes", "Blocks of files in memory.", METRIC_GAUGE, 0, 0}},
        {"rocksdb.num-running-compactions", {"cloudless_rocksdb_compactions_running", "Compactions that run.", METRIC_GAUGE, 0, 0}},
        {"rocksdb.estimate-pending-compaction-bytes",
         {"cloudless_rocksdb_compaction_pending_bytes", "To be compacted, estimated.", METRIC_GAUGE, 0, 0}},
        {"rocksdb.num-snapshots", {"cloudless_rocksdb_snapshots", "Views and scans that hold old data.", METRIC_GAUGE, 0, 0}},
        {"rocksdb.is-write-stopped",
         {"cloudless_rocksdb_write_stopped", "1 while writes wait for compaction.", METRIC_GAUGE, 0, 0}},
        {"rocksdb.background-errors",
         {"cloudless_rocksdb_background_errors", "Errors of flushes and compactions since it was opened.", METRIC_GAUGE, 0, 0}},
    };
    unsigned slot = rocks__gate_enter(&rocks->gate);
    for (size_t i = 0; i < COUNT_OF(rows) && !rocks->broken && rocks->db; i++) {
        uint64_t value;
        if (rocksdb_property_int(rocks->db, rows[i].property, &value) == 0)
            metrics_single(out, &rows[i].family, (double)value);
    }
    rocks__gate_leave(&rocks->gate, slot);
}

enum err rocks__compact_hint(struct rocks *rocks, struct str from, struct str to)
{
    unsigned slot = rocks__gate_enter(&rocks->gate);
    enum err err = rocks->broken ? ERR_IO : flush_memtable(rocks);
    if (err == ERR_OK) {
        char *message = NULL;
        rocksdb_suggest_compact_range(rocks->db, from.p, from.n, to.p, to.n, &message);
        err = rocks_error(message);
    }
    rocks__gate_leave(&rocks->gate, slot);
    return err;
}

struct engine_view *rocks__view_new(struct rocks *rocks)
{
    struct engine_view *view = mem_alloc(sizeof *view);
    view->rocks = rocks;
    view->slot = rocks__gate_enter(&rocks->gate);
    view->snapshot = rocks->db ? rocksdb_create_snapshot(rocks->db) : NULL;
    view->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_snapshot(view->read, view->snapshot);
    return view;
}

void rocks__view_free(struct engine_view *view)
{
    if (!view)
        return;
    if (view->snapshot)
        rocksdb_release_snapshot(view->rocks->db, view->snapshot);
    rocksdb_readoptions_destroy(view->read);
    rocks__gate_leave(&view->rocks->gate, view->slot);
    free(view);
}

struct engine_iter *rocks__iter_new(struct rocks *rocks, struct engine_view *view, struct str from, struct str to)
{
    struct rocks_iter *iter = mem_alloc(sizeof *iter + from.n + to.n);
    memcpy(iter->bounds, from.p, from.n);
    memcpy(iter->bounds + from.n, to.p, to.n);
    iter->rocks = rocks;
    iter->slot = rocks__gate_enter(&rocks->gate);
    iter->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_iterate_lower_bound(iter->read, iter->bounds, from.n);
    rocksdb_readoptions_set_iterate_upper_bound(iter->read, iter->bounds + from.n, to.n);
    if (view)
        rocksdb_readoptions_set_snapshot(iter->read, view->snapshot);
    iter->it = rocks->db && (!view || view->snapshot) ? rocksdb_create_iterator(rocks->db, iter->read) : NULL;
    iter->head = (struct engine_iter){.err = iter->it ? ERR_NOT_FOUND : ERR_IO};
    return &iter->head;
}

void rocks__iter_free(struct engine_iter *head)
{
    struct rocks_iter *iter = (struct rocks_iter *)head;
    if (!iter)
        return;
    if (iter->it)
        rocksdb_iter_destroy(iter->it);
    rocksdb_readoptions_destroy(iter->read);
    rocks__gate_leave(&iter->rocks->gate, iter->slot);
    free(iter);
}

/* To the last pair below the key. */
static void seek_below(rocksdb_iterator_t *it, struct str key)
{
    rocksdb_iter_seek_for_prev(it, key.p, key.n);
    if (!rocksdb_iter_valid(it))
        return;
    struct str found;
    found.p = rocksdb_iter_key(it, &found.n);
    if (str_eq(found, key))
        rocksdb_iter_prev(it);
}

void rocks__iter_move(struct engine_iter *head, enum engine_move move, struct str key)
{
    rocksdb_iterator_t *it = ((struct rocks_iter *)head)->it;
    if (!it)
        return;
    switch (move) {
    case MOVE_FIRST:
        rocksdb_iter_seek_to_first(it);
        break;
    case MOVE_LAST:
        rocksdb_iter_seek_to_last(it);
        break;
    case MOVE_AT_LEAST:
        rocksdb_iter_seek(it, key.p, key.n);
        break;
    case MOVE_BELOW:
        seek_below(it, key);
        break;
    case MOVE_NEXT:
        rocksdb_iter_next(it);
        break;
    case MOVE_PREV:
        rocksdb_iter_prev(it);
        break;
    }
    if (rocksdb_iter_valid(it)) {
        head->err = ERR_OK;
        head->key.p = rocksdb_iter_key(it, &head->key.n);
        head->value.p = rocksdb_iter_value(it, &head->value.n);
        return;
    }
    char *message = NULL;
    rocksdb_iter_get_error(it, &message);
    head->err = message ? rocks_error(message) : ERR_NOT_FOUND;
}
