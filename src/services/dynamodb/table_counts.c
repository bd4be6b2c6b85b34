/* table_counts.c -- see table_counts.h. A count in progress keeps its place between descriptions; what is shown is always
 * the last complete one. One mutex guards the list; it is not held while the store is read: `busy` keeps others away. */
#include "services/dynamodb/table_counts.h"
#include "base/codec.h"
#include "base/map.h"
#include "base/panic.h"
#include "services/dynamodb/item.h"
#include <pthread.h>
#include <stdlib.h>

#define TABLES_MAX 2500

struct counting {
    struct table_count shown, running;
    int64_t complete_ms;                /* 0: never */
    bool busy, halfway;
    struct str collection, key;         /* where the count stopped, in `place` */
    struct arena *place;
};

struct table_counts {
    struct store *store;
    pthread_mutex_t lock;
    struct map *tables;                 /* space (8 bytes) → struct counting */
};

static void counting_drop(void *arg)
{
    struct counting *counting = arg;
    arena_free(counting->place);
    free(counting);
}

struct table_counts *table_counts_new(struct store *store)
{
    struct table_counts *counts = mem_zalloc(sizeof *counts);
    counts->store = store;
    pthread_mutex_init(&counts->lock, NULL);
    counts->tables = map_new(TABLES_MAX, counting_drop);
    return counts;
}

void table_counts_free(struct table_counts *counts)
{
    if (!counts)
        return;
    map_free(counts->tables);
    pthread_mutex_destroy(&counts->lock);
    free(counts);
}

static bool counting_due(const struct counting *counting, int64_t now_ms)
{
    return !counting || counting->halfway || counting->complete_ms == 0 || now_ms - counting->complete_ms >= TABLE_COUNTS_AGE_MS;
}

static struct counting *counting_find(const struct table_counts *counts, uint64_t space)
{
    uint8_t key[8];
    put_u64(key, space);
    return map_get(counts->tables, (struct str){(const char *)key, sizeof key});
}

bool table_counts_due(struct table_counts *counts, uint64_t space, int64_t now_ms)
{
    pthread_mutex_lock(&counts->lock);
    bool answer = counting_due(counting_find(counts, space), now_ms);
    pthread_mutex_unlock(&counts->lock);
    return answer;
}

struct table_count table_counts_known(struct table_counts *counts, uint64_t space)
{
    pthread_mutex_lock(&counts->lock);
    const struct counting *counting = counting_find(counts, space);
    struct table_count count = counting ? counting->shown : (struct table_count){0, 0};
    pthread_mutex_unlock(&counts->lock);
    return count;
}

/* Takes the table's entry out of the list, so that only this thread has it. NULL: another one is counting it. */
static struct counting *claim(struct table_counts *counts, uint64_t space, int64_t now_ms, struct table_count *ret_shown)
{
    pthread_mutex_lock(&counts->lock);
    struct counting *counting = counting_find(counts, space);
    uint8_t key[8];
    put_u64(key, space);
    *ret_shown = counting ? counting->shown : (struct table_count){0, 0};
    bool mine = counting_due(counting, now_ms) && !(counting && counting->busy);
    if (mine) {
        counting = mem_zalloc(sizeof *counting);
        struct counting *old = map_take(counts->tables, (struct str){(const char *)key, sizeof key});
        if (old)
            *counting = *old;
        free(old);
        struct counting *holder = mem_zalloc(sizeof *holder);       /* what others see meanwhile */
        holder->shown = *ret_shown;
        holder->busy = true;
        map_put(counts->tables, (struct str){(const char *)key, sizeof key}, holder);
    }
    pthread_mutex_unlock(&counts->lock);
    return mine ? counting : NULL;
}

static void give_back(struct table_counts *counts, uint64_t space, struct counting *counting)
{
    uint8_t key[8];
    put_u64(key, space);
    pthread_mutex_lock(&counts->lock);
    map_put(counts->tables, (struct str){(const char *)key, sizeof key}, counting);
    pthread_mutex_unlock(&counts->lock);
}

static void remember_place(struct counting *counting, const struct store_key *key)
{
    struct arena *place = arena_new();
    counting->collection = arena_dup(place, key->collection);
    counting->key = arena_dup(place, key->key);
    arena_free(counting->place);
    counting->place = place;
}

static void count_on(struct store *store, uint64_t space, struct counting *counting, int64_t now_ms)
{
    struct arena *arena = arena_new();
    struct store_key key = {space, counting->collection, counting->key};
    struct str value;
    size_t steps = 0, size;
    if (!counting->halfway)
        counting->running = (struct table_count){0, 0};
    struct store_iter *iter = store_walk(store_reader(store), space, 0, UINT64_MAX, counting->halfway ? &key : NULL, arena);
    enum err err = ERR_OK;
    while (steps < TABLE_COUNTS_STEP && (err = store_next(iter, &key, &value)) == ERR_OK) {
        steps++;
        if (key.key.n && key.key.p[0] == 'i' && item_bytes_size(value, &size)) {
            counting->running.items++;
            counting->running.bytes += size;
        }
        if (steps == TABLE_COUNTS_STEP)
            remember_place(counting, &key);
    }
    counting->halfway = err == ERR_OK;
    if (err == ERR_NOT_FOUND) {
        counting->shown = counting->running;
        counting->complete_ms = now_ms;
    }
    arena_free(arena);
}

struct table_count table_counts_get(struct table_counts *counts, uint64_t space, int64_t now_ms)
{
    struct table_count shown;
    struct counting *counting = claim(counts, space, now_ms, &shown);
    if (!counting)
        return shown;
    count_on(counts->store, space, counting, now_ms);
    shown = counting->shown;
    give_back(counts, space, counting);
    return shown;
}
