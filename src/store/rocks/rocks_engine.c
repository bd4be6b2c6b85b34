/* rocks_engine.c -- the embedded engine, the default: RocksDB (rocks.h) behind a cache of rows (rowcache.h), in a directory
 * of its own that one process has (rocks_dir.h). Its one writer is the store's committer, so what a batch read is never
 * changed by others: its view is the newest state, commits have no conflicts, and generations move with own commits only. */
#include "base/hash.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "store/rocks/ledger.h"
#include "store/rocks/rocks.h"
#include "store/rocks/rocks_dir.h"
#include "store/rocks/rowcache.h"
#include <stdlib.h>
#include <unistd.h>

#define CACHE_BYTES (64u << 20)
#define ROW_CACHE_BYTES (32u << 20)
#define FILES_MAX 1024

struct rocks_engine {
    struct engine head;
    struct rocks *rocks;
    struct rowcache *rows;
    struct ledger *ledger;
    int lock;                       /* of the directory */
};

static struct rocks_engine *rocks_of(struct engine *engine)
{
    return (struct rocks_engine *)engine;
}

static void rocks_engine_close(struct engine *engine)
{
    struct rocks_engine *e = rocks_of(engine);
    rocks__close(e->rocks);
    rocks__ledger_close(e->ledger);
    rocks__rows_free(e->rows);
    if (e->lock >= 0)
        close(e->lock);
    engine_clear(engine);
    free(e);
}

static enum err rocks_engine_open(const struct store_options *options, struct arena *arena, struct engine **ret,
                                  struct str *ret_message)
{
    struct rocks_engine *e = mem_zalloc(sizeof *e);
    engine_init(&e->head, &rocks_engine_ops);
    e->lock = -1;
    enum err err = rocks__dir_open(options->dir, arena, &e->lock, ret_message);
    if (err == ERR_OK)
        err = rocks__ledger_open(options->dir, arena, &e->ledger, ret_message);
    const char *wrong = err == ERR_OK ? rocks__ledger_wrong(e->ledger, options->was_there, arena) : NULL;
    if (wrong) {
        *ret_message = arena_printf(arena, "The data directory %s is damaged: %s.", options->dir, wrong);
        err = rocks__ledger_unused(e->ledger) ? ERR_NOT_FOUND : ERR_CORRUPT;
    }
    if (err == ERR_OK) {
        struct str words = STR_NONE;
        const char *db = arena_printf(arena, "%s/db", options->dir).p;
        err = rocks__open(db, e->ledger, options->cache_bytes ? options->cache_bytes : CACHE_BYTES,
                          options->files_max ? options->files_max : FILES_MAX, arena, &e->rocks, &words);
        const char *how = err == ERR_OK ? "cannot be written to" : err == ERR_CORRUPT ? "is damaged" : "cannot be opened";
        if (words.n)
            *ret_message = arena_printf(arena, "The data directory %s %s: " STR_FMT ".", options->dir, how, STR_ARG(words));
    }
    if (err != ERR_OK) {
        rocks_engine_close(&e->head);
        return err;
    }
    uint8_t hash_key[16];
    random_bytes(hash_key, sizeof hash_key);
    e->rows = rocks__rows_new(options->row_cache_bytes ? options->row_cache_bytes : ROW_CACHE_BYTES, hash_key);
    *ret = &e->head;
    return ERR_OK;
}

/* The row cache has the newest state only. */
static enum err rocks_engine_get(struct engine *engine, struct engine_view *view, struct str key, struct arena *arena,
                                 struct str *ret_value)
{
    struct rocks_engine *e = rocks_of(engine);
    struct row_ticket ticket;
    if (view)
        return rocks__get(e->rocks, view, key, arena, ret_value);
    if (rocks__rows_get(e->rows, key, arena, ret_value, &ticket))
        return ERR_OK;
    struct str value;
    enum err err = rocks__get(e->rocks, NULL, key, arena, &value);
    if (err == ERR_OK) {
        rocks__rows_fill(e->rows, key, value, &ticket);
        *ret_value = value;
    }
    return err;
}

static struct engine_iter *rocks_engine_iter_new(struct engine *engine, struct engine_view *view, struct str from, struct str to)
{
    return rocks__iter_new(rocks_of(engine)->rocks, view, from, to);
}

static struct engine_view *rocks_engine_view_new(struct engine *engine, bool guards)
{
    return guards ? NULL : rocks__view_new(rocks_of(engine)->rocks);
}

static enum err rocks_engine_commit(struct engine *engine, struct engine_view *view, const struct layer *writes, uint64_t spaces,
                                    char *ret_words, size_t words_size)
{
    struct rocks_engine *e = rocks_of(engine);
    ENSURE(!view);
    if (!writes->count && !writes->gaps_n)
        return ERR_OK;
    rocks__rows_write_begin(e->rows, writes);
    enum err err = rocks__write(e->rocks, writes, ret_words, words_size);
    rocks__rows_write_end(e->rows, writes, err == ERR_OK);
    if (err == ERR_OK)
        engine_bump(engine, spaces);
    return err;
}

static void rocks_engine_empty_begin(struct engine *engine, struct str from, struct str to)
{
    rocks__drop_files(rocks_of(engine)->rocks, from, to);
}

static enum err rocks_engine_empty_end(struct engine *engine, struct str from, struct str to)
{
    return rocks__compact_hint(rocks_of(engine)->rocks, from, to);
}

static void rocks_engine_write_metrics(struct engine *engine, struct buf *out)
{
    static const struct metric_plain families[] = {
        METRIC_COUNTER_OF("row_cache_hits_total", "Point reads that the cache of rows answered.", struct rows_stats, hits),
        METRIC_COUNTER_OF("row_cache_misses_total", "Point reads that went to the engine.", struct rows_stats, misses),
        METRIC_GAUGE_OF("row_cache_rows", "Rows in the cache.", struct rows_stats, rows),
        METRIC_GAUGE_OF("row_cache_bytes", "Bytes in the cache of rows.", struct rows_stats, bytes),
    };
    struct rocks_engine *e = rocks_of(engine);
    struct rows_stats stats;
    rocks__rows_stats(e->rows, &stats);
    metrics_plain(out, &stats, families, COUNT_OF(families));
    rocks__write_metrics(e->rocks, out);
}

static enum err rocks_engine_keep(struct engine *engine, struct str record)
{
    return rocks__ledger_keep(rocks_of(engine)->ledger, record);
}

static enum err rocks_engine_kept(struct engine *engine, struct arena *arena, struct str *ret)
{
    return rocks__ledger_kept(rocks_of(engine)->ledger, arena, ret);
}

const struct engine_ops rocks_engine_ops = {
    .name = "rocksdb",
    .open = rocks_engine_open,
    .close = rocks_engine_close,
    .check = rocks__check,
    .repair = rocks__repair,
    .keep = rocks_engine_keep,
    .kept = rocks_engine_kept,
    .get = rocks_engine_get,
    .iter_new = rocks_engine_iter_new,
    .iter_move = rocks__iter_move,
    .iter_free = rocks__iter_free,
    .view_new = rocks_engine_view_new,
    .view_free = rocks__view_free,
    .commit = rocks_engine_commit,
    .empty_begin = rocks_engine_empty_begin,
    .empty_end = rocks_engine_empty_end,
    .write_metrics = rocks_engine_write_metrics,
};
