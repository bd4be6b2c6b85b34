/* gencache.c -- see gencache.h: a map, the generation of its entries, and their bytes, which each gives back when it goes, whatever
 * it gives way to. */
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

struct gencache_entry {
    struct gencache *cache;
    void *value;
    size_t bytes;
};

static void drop_cached(void *arg)
{
    struct gencache_entry *entry = arg;
    entry->cache->bytes -= entry->bytes;
    if (entry->cache->drop && entry->value)
        entry->cache->drop(entry->value);
    free(entry);
}

struct gencache *gencache_new(size_t count_max, size_t bytes_max, void (*drop)(void *value))
{
    struct gencache *cache = mem_zalloc(sizeof *cache);
    cache->entries = map_new(count_max, drop_cached);
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
    cache->generation = generation;
}

void *gencache_get(struct gencache *cache, uint64_t generation, struct str key)
{
    if (cache->generation != generation)
        gencache_forget(cache, generation);
    const struct gencache_entry *entry = map_get(cache->entries, key);
    return entry ? entry->value : NULL;
}

void gencache_put(struct gencache *cache, uint64_t generation, struct str key, void *value, size_t bytes)
{
    struct gencache_entry *old = map_take(cache->entries, key);
    if (old && old->value == value)
        old->value = NULL; /* put again: it stays */
    if (old)
        drop_cached(old);
    size_t counted = cache->bytes_max == 0 ? 0 : bytes < cache->bytes_max ? bytes : cache->bytes_max;
    if (cache->generation != generation || counted > cache->bytes_max - cache->bytes)
        gencache_forget(cache, generation);
    struct gencache_entry *entry = mem_alloc(sizeof *entry);
    *entry = (struct gencache_entry){cache, value, counted};
    cache->bytes += counted;
    map_put(cache->entries, key, entry);
}

void gencache_remove(struct gencache *cache, struct str key)
{
    struct gencache_entry *entry = map_take(cache->entries, key);
    if (entry)
        drop_cached(entry);
}
