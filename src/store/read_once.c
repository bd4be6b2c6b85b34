/* read_once.c -- a check for builds that test: what a call needs of the store it reads once (call_doc.h), so a second read of a key
 * by readers into the same arena is a fault of the code. A table of the arenas that are watched, under one lock; what an arena has
 * read belongs to whoever has the arena. */
#include "store/store_internal.h"
#include "base/map.h"
#include "base/panic.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define WATCHED_READS_MAX 100000
#define WATCHED_BUCKETS 256

bool store_read_once
#ifdef CLOUDLESS_MUTATE_TWICE
    = true
#endif
    ;

struct watched_arena {
    struct watched_arena *next;
    const struct arena *arena;
    struct map *keys;                   /* that were read; the values say nothing */
};

static pthread_mutex_t watched_lock = PTHREAD_MUTEX_INITIALIZER;
static struct watched_arena *watched_arenas[WATCHED_BUCKETS];

static struct watched_arena **watched_bucket(const struct arena *arena)
{
    return &watched_arenas[((uintptr_t)arena >> 6) % WATCHED_BUCKETS];
}

static void unwatch(void *arg)
{
    struct watched_arena *watched = arg;
    pthread_mutex_lock(&watched_lock);
    struct watched_arena **at = watched_bucket(watched->arena);
    while (*at != watched)
        at = &(*at)->next;
    *at = watched->next;
    pthread_mutex_unlock(&watched_lock);
    map_free(watched->keys);
    free(watched);
}

void store_watch_reads(struct arena *arena)
{
    if (!store_read_once)
        return;
    struct watched_arena *watched = mem_zalloc(sizeof *watched);
    watched->arena = arena;
    watched->keys = map_new(WATCHED_READS_MAX, NULL);
    pthread_mutex_lock(&watched_lock);
    struct watched_arena **bucket = watched_bucket(arena);
    watched->next = *bucket;            /* before an earlier one of the same arena, which sees no more reads */
    *bucket = watched;
    pthread_mutex_unlock(&watched_lock);
    arena_on_free(arena, unwatch, watched);
}

void store__note_read(const struct arena *arena, const struct store_key *key, struct str engine_key)
{
    char text[512];
    pthread_mutex_lock(&watched_lock);
    struct watched_arena *watched = *watched_bucket(arena);
    while (watched && watched->arena != arena)
        watched = watched->next;
    pthread_mutex_unlock(&watched_lock);
    if (!watched)
        return;
    if (map_get(watched->keys, engine_key)) {
        snprintf(text, sizeof text, "one call reads twice: space %llu, %.*s, key %.*s", (unsigned long long)key->space,
                 (int)key->collection.n, key->collection.p, (int)key->key.n, key->key.p);
        panic(__FILE__, __LINE__, text);
    }
    map_put(watched->keys, engine_key, watched);
}
