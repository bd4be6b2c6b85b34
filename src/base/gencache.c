/* gencache.c -- see gencache.h: a map, the generation of its entries, and the bytes put since it was last empty. The sum does not
 * shrink when an entry gives way to another, so it is never too low. */
#include "base/gencache.h"
#include "base/map.h"
#include "base/panic.h"
#include <stdlib.h>

struct gencache {
    struct map *entries;
    void (*drop)(void *value);
    uint64_t generation;
    size_t bytes, bytes_max;
};

struct gencache *gencache_new(size_t count_max, size_t bytes_max, void (*drop)(void *value))
{
    struct gencache *cache = mem_zalloc(sizeof *cache);
    cache->entries = map_new(count_max, drop);
    cache->drop = drop;
    cache->bytes_max = bytes_max;
    return cache;
}

void gencache_free(struct gencache *cache)
{
    if (!cache)
        return;
    map_free(cache->entries);
    free(cache);
}

static void gencache_forget(struct gencache *cache, uint64_t generation)
{
    map_reset(cache->entries);
    cache->bytes = 0;
    cache->generation = generation;
}

void *gencache_get(struct gencache *cache, uint64_t generation, struct str key)
{
    if (cache->generation == generation)
        return map_get(cache->entries, key);
    gencache_forget(cache, generation);
    return NULL;
}

void gencache_put(struct gencache *cache, uint64_t generation, struct str key, void *value, size_t bytes)
{
    bool fits = cache->bytes_max == 0 || bytes <= cache->bytes_max - cache->bytes;
    if (cache->generation != generation || !fits)
        gencache_forget(cache, generation);
    if (cache->bytes_max)
        cache->bytes = bytes > cache->bytes_max ? cache->bytes_max : cache->bytes + bytes;
    map_put(cache->entries, key, value);
}

void gencache_remove(struct gencache *cache, struct str key)
{
    void *value = map_take(cache->entries, key);
    if (value && cache->drop)
        cache->drop(value);
}
