/* engine.h -- what keeps the bytes: the contract between src/store and an engine, of which each has a folder below it.
 *
 * An engine is one ordered map of byte strings (key.h makes the keys). The contract is that of a distributed
 * transactional store with optimistic commits: a batch is decided over a view, and committed together with what was read
 * there; if something of that was changed meanwhile by another process, nothing is written, and the batch is decided
 * again over a new view. An engine that only one process writes to never sees a conflict: it need not remember reads.
 *
 *   view = view_new(guards)    get and iterators through it: one state, and what is read is remembered
 *   commit(view, writes)       ERR_OK: durable, and from then on seen by all; ERR_CONFLICT: begin again
 *   view_free(view)
 *
 * Generations are the engine's: an engine whose data others change too learns of their commits and bumps them as well.
 *
 * Threads: everything from any thread, but commit from one at a time. Errors: ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT.
 * close: when no other call runs, and no view and no iterator is open. */
#ifndef CLOUDLESS_STORE_ENGINE_H
#define CLOUDLESS_STORE_ENGINE_H
#include "base/buf.h"
#include "store/layer.h"
#include "store/store.h"
#include <pthread.h>
#include <stdatomic.h>

#define ENGINE_WATCHES_MAX 16

struct engine_view;                 /* the engine's own */

/* The head of an engine's own struct. Where it stands is in `err`: ERR_OK at a pair, whose bytes stay until the next
 * move; ERR_NOT_FOUND at an end or before the first move; else it failed, and stays so. */
struct engine_iter { enum err err; struct str key, value; };
enum engine_move { MOVE_FIRST, MOVE_LAST, MOVE_AT_LEAST, MOVE_BELOW, MOVE_NEXT, MOVE_PREV };

struct engine_watch { store_watch_fn *fn; void *arg; uint64_t spaces; };

/* The head of an engine's own struct: filled by engine_init. */
struct engine {
    const struct engine_ops *ops;
    bool read_may_block;            /* a read may wait for more than this machine's disk: not for loops */
    bool shared;                    /* other processes commit to the same data */
    _Atomic uint64_t generation[STORE_SPACE_FIRST];
    pthread_mutex_t watch_lock;     /* over the watches; held while they are called */
    struct engine_watch watches[ENGINE_WATCHES_MAX];
};

struct engine_ops {
    const char *name;
    /* The store's files are in options->dir, which may be missing. *ret_message: a sentence for the user, in the arena; with
     * ERR_OK: why it can only be read for now.
     * ERR_BUSY: another process has it and cannot share. */
    enum err (*open)(const struct store_options *options, struct arena *arena, struct engine **ret, struct str *ret_message);
    void (*close)(struct engine *engine);
    /* As store_check and store_repair; NULL: it has no files of its own. */
    enum err (*check)(const struct store_options *options, struct arena *arena, struct store_findings *ret);
    enum err (*repair)(const struct store_options *options, struct arena *arena, struct store_findings *ret);

    /* A copy of the record by which the store reads its data (some bytes), beside them, for when it is lost with a part of them.
     * ERR_NOT_FOUND: there is none. NULL: this engine's data are lost together or not at all. */
    enum err (*keep)(struct engine *engine, struct str record);
    enum err (*kept)(struct engine *engine, struct arena *arena, struct str *ret);

    /* NULL for `view` everywhere: the newest committed state. The value is copied into the arena. */
    enum err (*get)(struct engine *engine, struct engine_view *view, struct str key, struct arena *arena, struct str *ret_value);
    /* Over [from, to), which it copies; one state, the view's or that of now. Begin with first, last, at_least or below. */
    struct engine_iter *(*iter_new)(struct engine *engine, struct engine_view *view, struct str from, struct str to);
    /* at_least: the first pair >= key; below: the last pair < key; else `key` is not used. next and prev: from a pair. */
    void (*iter_move)(struct engine_iter *iter, enum engine_move move, struct str key);
    void (*iter_free)(struct engine_iter *iter);

    /* One state, as of now; free it soon. With `guards`: for one commit, remembers what is read, bounded: past its bound it
     * stands for everything. NULL with `guards`: the caller is the only writer, so the newest state is its view. */
    struct engine_view *(*view_new)(struct engine *engine, bool guards);
    void (*view_free)(struct engine_view *view);    /* NULL is fine */

    /* The writes, gaps first, all or nothing. With no writes: whether what was read through the view still holds, for a
     * view with guards. `spaces` has a bit for each fixed space written to: their generations are bumped before anybody
     * is answered. ERR_CONFLICT: something read was changed, nothing is written. ERR_IO: nothing is written; the engine's
     * own words stand in ret_words, cut to its size, for the user. */
    enum err (*commit)(struct engine *engine, struct engine_view *view, const struct layer *writes, uint64_t spaces,
                       char *ret_words, size_t words_size);

    /* Around the range delete that empties a dropped space, which nobody reads any more: before, whole files may go (what
     * was deleted there may come to light again); after, the engine may tidy up. Either may be NULL. */
    void (*empty_begin)(struct engine *engine, struct str from, struct str to);
    enum err (*empty_end)(struct engine *engine, struct str from, struct str to);

    /* Writes its own metrics, each family once. May be NULL. */
    void (*write_metrics)(struct engine *engine, struct buf *out);
};

void engine_init(struct engine *engine, const struct engine_ops *ops);
void engine_clear(struct engine *engine);
/* Moves the generations of these spaces on and tells who watches them. For engines: after each commit, own or foreign. */
void engine_bump(struct engine *engine, uint64_t spaces);

/* By name; NULL: there is none. */
const struct engine_ops *engine_find(const char *name);
/* Adds one to those that are built in, for tests; before any store_open. */
void engine_add(const struct engine_ops *ops);

/* The folders below src/store, the default first. */
#define ENGINE_TABLE(X) X(rocks)
#define ENGINE_DECLARE(folder) extern const struct engine_ops folder##_engine_ops;
ENGINE_TABLE(ENGINE_DECLARE)
#undef ENGINE_DECLARE
#endif
