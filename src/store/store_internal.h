/* store_internal.h -- what the files of src/store/ share. See store.h for what it is and commit.c for who runs where.
 *
 * Locks: `queue_lock` over the queue, `closing` and `trouble`; the engine has its own.
 * No two are held at once, but the engine's watches are called under its watch lock. */
#ifndef CLOUDLESS_STORE_INTERNAL_H
#define CLOUDLESS_STORE_INTERNAL_H
#include "base/metrics.h"
#include "store/engine.h"
#include "store/key.h"
#include <pthread.h>
#include <stdatomic.h>

/* One batch, one sync: closed at the first of these, so that a flood of writes cannot hold the first one's answer. */
#define BATCH_COUNT_MAX 4096
#define BATCH_BYTES_MAX (8u << 20)

struct store_txn {
    struct store *store;
    struct engine_view *view;   /* what is read of the engine; NULL: the newest state */
    bool mutation;              /* or a reader: then nothing below is used */
    enum err err;               /* sticky: a write over its limit, or a read a write needed that failed */
    struct layer *own, *batch;  /* this mutation's writes; those of the batch before it */
    uint64_t spaces;            /* bit per fixed space written */
    struct store_iter *iters;   /* open; closed at the mutation's end */
};

struct store_meters {           /* the committer's */
    struct histogram batch, wait_us, commit_us;     /* mutations a batch; how long its first one waited; the engine's commit */
    metric_count mutations, bytes, failed, conflicts;
};

struct store {
    struct engine *engine;
    struct store_meters meters;
    uint64_t first_ns;                      /* under queue_lock: when the head of the queue was submitted */
    uint8_t hash_key[16];
    struct store_txn reader;

    pthread_mutex_t queue_lock;
    pthread_cond_t queue_wake;
    struct store_mutation *head, **tail;    /* tail == &head when empty */
    bool idle;                              /* the committer waits: only then is a signal worth a system call */
    bool closing;
    char trouble[256];                      /* the engine's words of the last write if it failed, or "" */
    _Atomic size_t queued;
    pthread_t committer;
};

/* txn.c */
/* read_once.c: a reader reads into the arena. */
void store__note_read(const struct arena *arena, const struct store_key *key, struct str engine_key);
void store__txn_begin(struct store_txn *txn);       /* for the next mutation */
void store__txn_end(struct store_txn *txn);         /* closes what the mutation left open */
/* The range's engine keys. ERR_TOO_LARGE: a name or key is over its limit. */
enum err store__range_bounds(struct store *store, const struct store_range *range, struct engine_key *ret_from,
                             struct engine_key *ret_to);
/* Everything of a space, for drop.c. */
void store__txn_empty_space(struct store_txn *txn, uint64_t space);
void store__space_bounds(uint64_t space, struct engine_key *ret_from, struct engine_key *ret_to);

/* commit.c */
void store__committer_start(struct store *store);
void store__committer_stop(struct store *store);    /* after the queue is empty */

/* A thread with a name that takes no signals. */
pthread_t store__thread(const char *name, void *(*run)(void *), void *arg);
#endif
