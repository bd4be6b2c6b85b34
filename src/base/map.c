/* map.c -- the bounded map of map.h: chains in a table that doubles when the entries outnumber it, and through all entries
 * one list from the least to the most recently put. Hashes are SipHash under a random key for each map: keys come from
 * clients. */
#include "base/map.h"
#include "base/hash.h"
#include "base/panic.h"
#include <stdlib.h>

#define MAP_BUCKETS_MIN 16u

struct map_entry {
    struct map_entry *chain;         /* next in the bucket */
    struct map_entry *older, *newer; /* order of the last put */
    uint64_t hash;
    void *value;
    size_t key_n;
    char key[];
};

struct map {
    struct map_entry **buckets;
    size_t mask;                    /* buckets - 1, a power of two */
    size_t count, max;              /* count <= max */
    struct map_entry *oldest, *newest;
    void (*drop)(void *value);
    uint8_t hash_key[16];
};

struct map *map_new(size_t max, void (*drop)(void *value))
{
    ENSURE(max > 0);
    struct map *map = mem_zalloc(sizeof *map);
    map->buckets = mem_zalloc(MAP_BUCKETS_MIN * sizeof map->buckets[0]);
    map->mask = MAP_BUCKETS_MIN - 1;
    map->max = max;
    map->drop = drop;
    random_bytes(map->hash_key, sizeof map->hash_key);
    return map;
}

static struct str entry_key(const struct map_entry *entry)
{
    return (struct str){entry->key, entry->key_n};
}

/* The link that points to the entry with `key`, or the NULL at the end of its chain. */
static struct map_entry **map_find(const struct map *map, struct str key, uint64_t hash)
{
    struct map_entry **link = &map->buckets[hash & map->mask];
    while (*link && ((*link)->hash != hash || !str_eq(entry_key(*link), key)))
        link = &(*link)->chain;
    return link;
}

static void order_remove(struct map *map, struct map_entry *entry)
{
    *(entry->older ? &entry->older->newer : &map->oldest) = entry->newer;
    *(entry->newer ? &entry->newer->older : &map->newest) = entry->older;
}

static void order_append(struct map *map, struct map_entry *entry)
{
    entry->older = map->newest;
    entry->newer = NULL;
    *(map->newest ? &map->newest->newer : &map->oldest) = entry;
    map->newest = entry;
}

/* Takes the entry at `link` out and returns its value. */
static void *remove_at(struct map *map, struct map_entry **link)
{
    struct map_entry *entry = *link;
    void *value = entry->value;
    *link = entry->chain;
    order_remove(map, entry);
    map->count--;
    free(entry);
    return value;
}

static void drop_value(const struct map *map, void *value)
{
    if (map->drop)
        map->drop(value);
}

static void rehash(struct map *map)
{
    size_t size = 2 * (map->mask + 1);
    free(map->buckets);
    map->buckets = mem_zalloc(size * sizeof map->buckets[0]);
    map->mask = size - 1;
    for (struct map_entry *entry = map->oldest; entry; entry = entry->newer) {
        struct map_entry **bucket = &map->buckets[entry->hash & map->mask];
        entry->chain = *bucket;
        *bucket = entry;
    }
}

void *map_get(const struct map *map, struct str key)
{
    struct map_entry *entry = *map_find(map, key, siphash13(map->hash_key, key));
    return entry ? entry->value : NULL;
}

void map_put(struct map *map, struct str key, void *value)
{
    uint64_t hash = siphash13(map->hash_key, key);
    struct map_entry *entry = *map_find(map, key, hash);
    if (entry) {
        void *old = entry->value;
        entry->value = value;
        order_remove(map, entry);
        order_append(map, entry);
        if (old != value)
            drop_value(map, old);
        return;
    }
    if (map->count == map->max)
        drop_value(map, remove_at(map, map_find(map, entry_key(map->oldest), map->oldest->hash)));
    if (map->count > map->mask)
        rehash(map);
    entry = mem_alloc(sizeof *entry + key.n);
    *entry = (struct map_entry){.hash = hash, .value = value, .key_n = key.n};
    if (key.n)
        memcpy(entry->key, key.p, key.n);
    struct map_entry **bucket = &map->buckets[hash & map->mask];
    entry->chain = *bucket;
    *bucket = entry;
    order_append(map, entry);
    map->count++;
}

void *map_take(struct map *map, struct str key)
{
    struct map_entry **link = map_find(map, key, siphash13(map->hash_key, key));
    return *link ? remove_at(map, link) : NULL;
}

void map_reset(struct map *map)
{
    while (map->oldest) {
        struct map_entry *entry = map->oldest;
        drop_value(map, remove_at(map, map_find(map, entry_key(entry), entry->hash)));
    }
}

void map_free(struct map *map)
{
    if (!map)
        return;
    map_reset(map);
    free(map->buckets);
    free(map);
}

size_t map_count(const struct map *map)
{
    return map->count;
}

void map_each(const struct map *map, bool (*visit)(struct str key, void *value, void *arg), void *arg)
{
    for (const struct map_entry *entry = map->oldest; entry; entry = entry->newer)
        if (!visit(entry_key(entry), entry->value, arg))
            return;
}
