/* store.h -- ordered collections, written by mutations. The engine behind them (engine.h) is known to src/store/ only.
 *
 * A space holds collections; a collection is an ordered map of byte strings. Reads go straight to the engine, on any
 * thread. A write is a mutation: a function that reads through its transaction, decides, writes, and returns. One
 * committer thread runs all mutations one after the other over the batch that gathers, commits the batch, which syncs once,
 * and only then answers all of it. So mutations are serializable, and nothing is visible before it is durable.
 * A mutation is pure: it touches nothing but its transaction, its request and that one's arena, has no clock, no random
 * number and no cache (they are given to it), is short and bounded, and may be run again: an engine that other processes
 * write to as well runs it once more when what it read was changed. store_mutate_twice checks that.
 *
 * Visibility: readers see a write only after it is durable. A mutation sees every mutation before it.
 *
 * Engine key:  version byte (1) · space (8, big-endian) · siphash24(collection) (8, big-endian)
 *              · collection with 0x00 escaped as 0x00 0xFF, ended by 0x00 0x01 · key
 * so a walk over a space goes in hash order of its collections, and within each in key order. */
#ifndef CLOUDLESS_STORE_STORE_H
#define CLOUDLESS_STORE_STORE_H
#include "base/arena.h"
#include "base/err.h"

/* Spaces below STORE_SPACE_FIRST are fixed, one for the metadata of each service, which says which (call/service.h); each has a
 * generation (below). */
enum store_space {
    STORE_SPACE_SYSTEM = 1,     /* format, counters, keys of the server */
    STORE_SPACE_JOBS = 7,
    STORE_SPACE_FIRST = 64
};
#define STORE_COLLECTION_MAX 4096       /* bytes of a collection's name */
#define STORE_KEY_MAX 4096
#define STORE_VALUE_MAX (16u << 20)
#define STORE_MUTATION_BYTES_MAX (64u << 20)    /* of one mutation's writes: more is ERR_TOO_LARGE */

struct store;
struct store_txn;

struct store_options {
    const char *dir;            /* made if missing */
    const char *engine;         /* its name; NULL: "rocksdb" */
    size_t cache_bytes;         /* block cache; 0: 64 MiB */
    size_t row_cache_bytes;     /* 0: 32 MiB */
    size_t files_max;           /* that the engine keeps open; 0: 1,024 */
    bool was_there;             /* if it is gone now, or empty, that is ERR_NOT_FOUND, and no new one is made */
};

struct store_key { uint64_t space; struct str collection, key; };

/* ERR_BUSY: another process has the directory. ERR_UNSUPPORTED: written by a newer format. ERR_INVALID: no such engine.
 * ERR_IO, ERR_CORRUPT.
 * With ERR_OK *ret_message is STR_NONE, or why the store can only be read for now (store_writable).
 * On failure *ret_message is a sentence for the user, in static or arena memory. */
enum err store_open(const struct store_options *options, struct arena *arena, struct store **ret, struct str *ret_message);
void store_close(struct store *store);      /* waits for queued mutations; NULL is fine */

/* ---- a directory that no process has open ---- */
#define STORE_FINDINGS_MAX 16
struct store_finding {
    const char *what;
    bool fine;
    struct str detail;
};
struct store_findings {
    struct store_finding items[STORE_FINDINGS_MAX];
    size_t count;
};
/* Reads everything and changes nothing of it. ERR_OK: all is as it was left. ERR_CORRUPT: something is not. ERR_NOT_FOUND: there
 * is no such directory. ERR_BUSY, ERR_DENIED, ERR_IO: it could not be looked at. ERR_UNSUPPORTED: the engine keeps its data
 * elsewhere. */
enum err store_check(const struct store_options *options, struct arena *arena, struct store_findings *ret);
/* Saves what can be saved of one that store_check finds damaged, and forgets what is lost; what was there is kept beside it. The
 * same errors; ERR_CORRUPT: nothing can be saved. Of a whole one only looks. */
enum err store_repair(const struct store_options *options, struct arena *arena, struct store_findings *ret);

/* ---- reads; `txn` is either store_reader() (committed data, any thread) or a mutation's own ---- */
struct store_txn *store_reader(struct store *store);
bool store_is_reader(const struct store_txn *txn);
/* A reader of one state, as of now, for several reads that must agree. Closed by the arena or earlier by
 * store_snapshot_close, its iterators first. Close it soon: a reader must not keep one open while it waits. */
struct store_txn *store_snapshot(struct store *store, struct arena *arena);
void store_snapshot_close(struct store_txn *snapshot);
/* Whether reads may wait for other machines: then they belong on workers, never on a loop. */
bool store_read_may_block(const struct store *store);
/* Whether other processes may commit to the same data. */
bool store_shared(const struct store *store);
/* ERR_OK, ERR_NOT_FOUND, ERR_TOO_LARGE (a name or key over its limit), ERR_IO, ERR_CORRUPT. The value is copied into
 * the arena. */
enum err store_get(struct store_txn *txn, struct store_key key, struct arena *arena, struct str *ret_value);
/* From now on, until the arena's end or reset, a second store_get of a key by store_reader into this arena ends the program, which
 * says which key it was. Nothing unless store_read_once is set, as it is in builds with CLOUDLESS_MUTATE_TWICE. */
void store_watch_reads(struct arena *arena);
extern bool store_read_once;

struct store_range {
    uint64_t space;
    struct str collection;
    struct str from;            /* inclusive; STR_NONE: the beginning */
    struct str to;              /* exclusive; STR_NONE: the end */
    bool reverse;               /* from the greatest key below `to` down to `from` */
};
struct store_iter;
/* Closed by the arena, or earlier by store_iter_close, or by the end of its mutation. Reads a consistent view as of now;
 * inside a mutation, that includes its writes so far. Close it soon: a reader must not keep one open while it waits. */
struct store_iter *store_range(struct store_txn *txn, const struct store_range *range, struct arena *arena);
/* A walk over whole collections of a space in hash order, from `from_hash` up to and including `to_hash` (0, UINT64_MAX
 * for all). With `after`, starts behind that collection and key (its space is ignored). Committed data only. */
struct store_iter *store_walk(struct store_txn *reader, uint64_t space, uint64_t from_hash, uint64_t to_hash,
                              const struct store_key *after, struct arena *arena);
/* ERR_OK and the next pair (valid until the next call or close), ERR_NOT_FOUND at the end, ERR_TOO_LARGE (a bound over
 * its limit), ERR_IO. */
enum err store_next(struct store_iter *iter, struct store_key *ret_key, struct str *ret_value);
void store_iter_close(struct store_iter *iter);
uint64_t store_hash(struct store *store, struct str collection);    /* where a collection stands in a walk */

/* ---- writes; inside a mutation only ---- */
void store_put(struct store_txn *txn, struct store_key key, struct str value);   /* copies */
void store_delete(struct store_txn *txn, struct store_key key);
/* Everything of a collection from `from` (inclusive) to `to` (exclusive); bounds as in store_range. */
void store_delete_range(struct store_txn *txn, const struct store_range *range);
/* The mutation fails with this error, whatever it answers: for those who write for others inside one. */
void store_fail(struct store_txn *txn, enum err err);
uint64_t store_new_space(struct store_txn *txn);        /* never used before or again */

/* ERR_OK: commit what was written. Anything else: drop it, and pass that error to `done`. May run more than once.
 * The loop thread does not touch `arg` until done. */
typedef enum err store_mutate_fn(struct store_txn *txn, void *arg);

struct store_mutation {                     /* embedded in the caller's request; lives until done */
    store_mutate_fn *mutate;
    void (*done)(struct store_mutation *mutation, enum err err);   /* on the committer thread: hand over and return.
                                               ERR_IO: the disk is full or a sync failed, nothing is stored. Reads go
                                               on; writes work again by themselves when the disk does. ERR_BUSY: it was
                                               run again too often, others changed what it reads each time. */
    void *arg;
    const char *name;                       /* for messages about it, or NULL */
    /* What it decided besides its writes, as bytes, or NULL: compared when mutations run twice. */
    struct str (*result)(struct store_mutation *mutation, struct arena *arena);
    struct store_mutation *next;            /* the store's */
    enum err err;                           /* the store's */
};
/* Any thread. After store_close began, done gets ERR_CLOSED. */
void store_submit(struct store *store, struct store_mutation *mutation);
/* The same, waiting: for worker threads, start-up and tests. Never on a loop, never inside a mutation. */
#define store_mutate(store, mutate, arg) store_mutate_named((store), (mutate), (arg), #mutate)
enum err store_mutate_named(struct store *store, store_mutate_fn *mutate, void *arg, const char *name);
/* Every mutation runs twice, the first run is thrown away; if its writes, error or result differ from the second's, the
 * program ends and says which mutation it was. Set before store_open; true in builds with CLOUDLESS_MUTATE_TWICE. */
extern bool store_mutate_twice;
/* Empties a space that nobody reads any more, and gives its room back. Blocks for long: jobs_drop_space (jobs.h) asks for it
 * in a commit. */
enum err store_empty_space(struct store *store, uint64_t space);
/* Mutations waiting; the dispatcher answers 503 above STORE_QUEUE_MAX. */
size_t store_queued(const struct store *store);
#define STORE_QUEUE_MAX 65536

/* False while the last write failed, with the engine's own words: for the health page and the log. Any thread. */
bool store_writable(struct store *store, struct arena *arena, struct str *ret_words);

/* A metrics_source: the committer, the engine and its caches. */
struct buf;
void store_write_metrics(struct buf *out, void *store);

/* Changes after every commit that wrote to fixed space `space` (< STORE_SPACE_FIRST), before the commit is answered.
 * A cache reads it first, then the store, keeps both, and drops its content when it differs. Any thread, wait-free. */
uint64_t store_generation(const struct store *store, unsigned space);
/* Called after every such change, on the thread that learns of it: hand over and return; no call of the store in it. */
typedef void store_watch_fn(void *arg);
void store_watch(struct store *store, unsigned space, store_watch_fn *fn, void *arg);
void store_unwatch(struct store *store, store_watch_fn *fn, void *arg);    /* no call runs any more when it returns */

#endif
