/* rowcache.h -- values of point reads, by engine key, bounded in bytes.
 *
 * Why not RocksDB's row cache: it ignores range deletes (release 7.8 then answers deleted keys), and a hit costs four
 * times as much. Why it can be simple: all writes come from one committer, which brackets each engine write with
 * write_begin and write_end.
 *
 * Coherence. A reader may never see the old value once anybody saw the new one, nor the new one before it is durable.
 *   begin   rows that the batch writes are marked, readers pass them by; their stripes refuse to be filled
 *   (write) the engine switches from old to new
 *   end     marked rows take the new value or go; the stripes' epochs move on and they may be filled again
 * A reader that missed took the stripe's epoch before it asked the engine and fills only if that still stands, so what
 * it read is what the engine still has. A stripe is one of 4,096 hash classes; a range delete concerns all of them.
 *
 * Locks: one mutex a shard, over its rows and its stripes; never two at once. */
#ifndef CLOUDLESS_STORE_ROWCACHE_H
#define CLOUDLESS_STORE_ROWCACHE_H
#include "base/arena.h"
#include "store/layer.h"

struct rowcache;
struct row_ticket { uint64_t hash; uint32_t epoch; bool fill; };

struct rows_stats { uint64_t hits, misses; size_t rows, bytes; };
void rocks__rows_stats(struct rowcache *rows, struct rows_stats *ret);
struct rowcache *rocks__rows_new(size_t bytes_max, const uint8_t hash_key[16]);
void rocks__rows_free(struct rowcache *rows);
/* True: *ret is a copy in the arena. False: *ret_ticket is for rocks__rows_fill after the engine was asked. */
bool rocks__rows_get(struct rowcache *rows, struct str key, struct arena *arena, struct str *ret,
                     struct row_ticket *ret_ticket);
void rocks__rows_fill(struct rowcache *rows, struct str key, struct str value, const struct row_ticket *ticket);
/* Around the engine write of a batch; `written`: it succeeded. */
void rocks__rows_write_begin(struct rowcache *rows, const struct layer *batch);
void rocks__rows_write_end(struct rowcache *rows, const struct layer *batch, bool written);
#endif
