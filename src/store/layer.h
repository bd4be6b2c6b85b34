/* layer.h -- writes that are not in the engine yet, ordered by engine key.
 *
 * Two layers lie over the engine while a batch gathers: the batch's own, and one of the mutation that runs. A failed
 * mutation's layer is forgotten; a good one's is moved into the batch's. RocksDB's WriteBatchWithIndex would do the
 * first half, but it rolls back by rebuilding its index and cannot index range deletes.
 *
 * A layer is *points* (a skip list: key, and a value or "deleted") over *gaps* (sorted, disjoint, half-open ranges in
 * which everything below is deleted). Invariant: a point inside a gap was written after the gap, because adding a gap
 * removes the points in it. So the whole content is "first the gaps, then the points", which is how it goes to the
 * engine. Repeated writes of a key in one batch therefore cost the engine one write.
 *
 * Memory comes from one arena for both layers, reset once a batch; removed nodes stay there until then.
 * Thread: the committer only. */
#ifndef CLOUDLESS_STORE_LAYER_H
#define CLOUDLESS_STORE_LAYER_H
#include "base/arena.h"

#define LAYER_HEIGHT_MAX 12
#define LAYER_GAPS_MAX 1024        /* of one mutation; a batch closes at as many, so it holds twice that at most */

struct layer_node {
    struct str key, value;
    bool deleted;
    uint8_t height;
    struct layer_node *prev;            /* NULL: the first */
    struct layer_node *next[];          /* height of them */
};

struct layer_gap { struct str from, to; };      /* inclusive, exclusive */

struct layer {
    struct arena *arena;
    struct layer_node *first[LAYER_HEIGHT_MAX];
    struct layer_node *last;
    size_t count, bytes;                /* points; keys and values written, those that were replaced included */
    struct layer_gap *gaps;
    size_t gaps_n, gaps_cap, gaps_max;
    uint64_t seed;                      /* of the tower heights */
};

enum layer_answer { LAYER_NONE, LAYER_PUT, LAYER_DELETED };

void store__layer_init(struct layer *layer, struct arena *arena, size_t gaps_max);
/* Forgets everything; the arena is the owner's to reset. */
void store__layer_reset(struct layer *layer);
void store__layer_put(struct layer *layer, struct str key, struct str value);      /* copies both */
void store__layer_delete(struct layer *layer, struct str key);
bool store__layer_gap(struct layer *layer, struct str from, struct str to);        /* false: gaps_max */
/* Moves everything of `from` into `to`, which has the same arena; `from` is empty afterwards. */
void store__layer_merge(struct layer *to, struct layer *from);

enum layer_answer store__layer_get(const struct layer *layer, struct str key, struct str *ret_value);
const struct layer_node *store__layer_at_least(const struct layer *layer, struct str key);  /* first >= key, or NULL */
const struct layer_node *store__layer_below(const struct layer *layer, struct str key);     /* last < key, or NULL */
/* The gap that covers the key, or NULL. */
const struct layer_gap *store__gap_at(const struct layer_gap *gaps, size_t n, struct str key);
#endif
