/* gencache.h -- a cache of what was read or compiled from a source that counts its changes (a generation): when the number is
 * another than that of the entries, all of them are forgotten. There is no other invalidation.
 *
 *     uint64_t generation = store_generation(…);          the number first, then what it stands for
 *     value = gencache_get(cache, generation, key);
 *     if (!value)  … read and compile … gencache_put(cache, generation, key, value, bytes);
 *
 * A value that is read after its number is at least as new as the number, so a change between the two is seen by the next look.
 * Bounded in entries and in bytes: the entry that was put first goes when there are too many, all go when they are too large.
 * Not locked: the owner locks, or keeps one a thread. */
#ifndef CLOUDLESS_BASE_GENCACHE_H
#define CLOUDLESS_BASE_GENCACHE_H
#include "base/str.h"

struct gencache;

/* `bytes_max` of 0: bytes are not counted. `drop` gets every value that goes; it may be NULL. */
struct gencache *gencache_new(size_t count_max, size_t bytes_max, void (*drop)(void *value));
void gencache_free(struct gencache *cache);             /* NULL is fine */
void *gencache_get(struct gencache *cache, uint64_t generation, struct str key);    /* or NULL */
/* Keeps `value`, which counts `bytes`; it replaces one under the same key. */
void gencache_put(struct gencache *cache, uint64_t generation, struct str key, void *value, size_t bytes);
void gencache_remove(struct gencache *cache, struct str key); /* drops the value, if there is one */
#endif
