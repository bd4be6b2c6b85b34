/* store.c -- opening and closing: the engine, the format, and the order in which the parts start; generations.
 *
 * The format record stands at a fixed engine key (hash 0, as the hash's key is in the record): record version (1),
 * format (4, big-endian), key of the collection hash (16). Data of a newer format are refused; so is an engine that has
 * data but no record. */
#include "store/store_internal.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/panic.h"
#include <stdio.h>
#include <stdlib.h>

#define FORMAT_TRIES_MAX 8
#define FORMAT 1
#define RECORD_VERSION 1
#define RECORD_BYTES (1 + 4 + 16)

static void format_key(struct engine_key *ret)
{
    ENSURE(store__key_collection(ret, STORE_SPACE_SYSTEM, 0, STR("store")) && store__key_add(ret, STR("format")));
}

static bool engine_is_empty(struct engine *engine, struct engine_view *view)
{
    struct engine_key from, to;
    store__key_head(&from, 0, 0);
    store__key_head(&to, UINT64_MAX, UINT64_MAX);
    struct engine_iter *iter = engine->ops->iter_new(engine, view, engine_key_str(&from), engine_key_str(&to));
    engine->ops->iter_move(iter, MOVE_FIRST, STR_NONE);
    bool empty = iter->err == ERR_NOT_FOUND;
    engine->ops->iter_free(iter);
    return empty;
}

static enum err commit_format(struct store *store, struct engine_view *view, struct str record, const char *dir,
                              struct arena *arena, struct str *ret_message)
{
    struct engine_key key;
    format_key(&key);
    struct layer layer;
    store__layer_init(&layer, arena, 0);
    store__layer_put(&layer, engine_key_str(&key), record);
    char words[256] = "";
    enum err err = store->engine->ops->commit(store->engine, view, &layer, 0, words, sizeof words);
    if (err != ERR_OK)
        *ret_message = arena_printf(arena, "The data directory %s cannot be written to: %s.", dir, words);
    return err;
}

static struct str new_format(struct arena *arena)
{
    uint8_t *record = arena_alloc(arena, RECORD_BYTES);
    record[0] = RECORD_VERSION;
    put_u32(record + 1, FORMAT);
    random_bytes(record + 5, 16);
    return (struct str){(const char *)record, RECORD_BYTES};
}

static enum err take_format(struct store *store, struct str record, const char *dir, struct arena *arena, struct str *ret_message)
{
    if (record.n < 5) {
        *ret_message = arena_printf(arena, "The data directory %s is damaged: its format record cannot be read.", dir);
        return ERR_CORRUPT;
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

/* Where the record is: among the data, beside them if it was lost there; made for an engine that is empty. */
static enum err read_format(struct store *store, struct engine_view *view, const char *dir, struct arena *arena,
                            struct str *ret_message)
{
    const struct engine_ops *ops = store->engine->ops;
    struct engine_key key;
    format_key(&key);
    struct str record, kept;
    bool is_kept = ops->kept && ops->kept(store->engine, arena, &kept) == ERR_OK;
    enum err err = ops->get(store->engine, view, engine_key_str(&key), arena, &record);
    if (err == ERR_NOT_FOUND && (is_kept || engine_is_empty(store->engine, view))) {
        record = is_kept ? kept : new_format(arena);
        err = commit_format(store, view, record, dir, arena, ret_message);
        if (err != ERR_OK)
            return err;
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND && !is_kept) {
        *ret_message = arena_printf(arena, "The data directory %s cannot be read: its format record: %s.", dir, err_text(err));
        return err;
    }
    err = take_format(store, err == ERR_OK ? record : is_kept ? kept : STR_NONE, dir, arena, ret_message);
    if (err == ERR_OK && ops->keep && !is_kept)
        (void)ops->keep(store->engine, record); /* of an older release on a full disk: the next start will */
    return err;
}

/* Of several processes that begin at once one writes the record; the others read it then. */
static enum err check_format(struct store *store, const char *dir, struct arena *arena, struct str *ret_message)
{
    enum err err = ERR_CONFLICT;
    for (unsigned tries = 0; err == ERR_CONFLICT && tries < FORMAT_TRIES_MAX; tries++) {
        struct engine_view *view = store->engine->ops->view_new(store->engine, true);
        err = read_format(store, view, dir, arena, ret_message);
        store->engine->ops->view_free(view);
    }
    return err;
}

static struct store *new_store(void)
{
    struct store *store = mem_zalloc(sizeof *store);
    store->tail = &store->head;
    store->reader.store = store;
    pthread_mutex_init(&store->queue_lock, NULL);
    pthread_cond_init(&store->queue_wake, NULL);
    return store;
}

/* Of a store whose threads have ended or never started. */
static void free_store(struct store *store)
{
    if (store->engine)
        store->engine->ops->close(store->engine);
    pthread_cond_destroy(&store->queue_wake);
    pthread_mutex_destroy(&store->queue_lock);
    free(store);
}

static enum err open_engine(struct store *store, const struct store_options *options, struct arena *arena,
                            struct str *ret_message)
{
    const struct engine_ops *ops = engine_find(options->engine);
    if (!ops) {
        *ret_message = arena_printf(arena, "There is no engine named %s.", options->engine);
        return ERR_INVALID;
    }
    enum err err = ops->open(options, arena, &store->engine, ret_message);
    return err == ERR_OK ? check_format(store, options->dir, arena, ret_message) : err;
}

enum err store_open(const struct store_options *options, struct arena *arena, struct store **ret, struct str *ret_message)
{
    struct store *store = new_store();
    *ret_message = STR_NONE;
    enum err err = open_engine(store, options, arena, ret_message);
    if (err != ERR_OK) {
        free_store(store);
        return err;
    }
    snprintf(store->trouble, sizeof store->trouble, STR_FMT, STR_ARG(*ret_message));
    store__committer_start(store);
    *ret = store;
    return ERR_OK;
}

enum err store_check(const struct store_options *options, struct arena *arena, struct store_findings *ret)
{
    const struct engine_ops *ops = engine_find(options->engine);
    ret->count = 0;
    return ops && ops->check ? ops->check(options, arena, ret) : ERR_UNSUPPORTED;
}

enum err store_repair(const struct store_options *options, struct arena *arena, struct store_findings *ret)
{
    const struct engine_ops *ops = engine_find(options->engine);
    ret->count = 0;
    return ops && ops->repair ? ops->repair(options, arena, ret) : ERR_UNSUPPORTED;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store__committer_stop(store);
    free_store(store);
}

bool store_read_may_block(const struct store *store)
{
    return store->engine->read_may_block;
}

bool store_shared(const struct store *store)
{
    return store->engine->shared;
}

uint64_t store_generation(const struct store *store, unsigned space)
{
    ENSURE(space < STORE_SPACE_FIRST);
    return atomic_load_explicit(&store->engine->generation[space], memory_order_acquire);
}

void store_watch(struct store *store, unsigned space, store_watch_fn *fn, void *arg)
{
    ENSURE(space < STORE_SPACE_FIRST);
    struct engine *engine = store->engine;
    size_t free_one = 0;
    pthread_mutex_lock(&engine->watch_lock);
    while (free_one < ENGINE_WATCHES_MAX && engine->watches[free_one].spaces)
        free_one++;
    ENSURE(free_one < ENGINE_WATCHES_MAX);
    engine->watches[free_one] = (struct engine_watch){fn, arg, (uint64_t)1 << space};
    pthread_mutex_unlock(&engine->watch_lock);
}

void store_unwatch(struct store *store, store_watch_fn *fn, void *arg)
{
    struct engine *engine = store->engine;
    pthread_mutex_lock(&engine->watch_lock);
    for (size_t i = 0; i < ENGINE_WATCHES_MAX; i++)
        if (engine->watches[i].fn == fn && engine->watches[i].arg == arg)
            engine->watches[i] = (struct engine_watch){0};
    pthread_mutex_unlock(&engine->watch_lock);
}
