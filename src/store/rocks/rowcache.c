/* rowcache.c -- see rowcache.h. A shard is a chained hash table whose rows stand in a list by last use; a full shard
 * drops from the old end. Tables start small and double, so an idle server holds a few kilobytes. */
#include "store/rocks/rowcache.h"
#include "base/hash.h"
#include "base/panic.h"
#include <pthread.h>
#include <stdlib.h>

#define SHARDS 16
#define STRIPES 4096
#define BUCKETS_MIN 64
#define ROW_SHARE 8             /* a row takes at most this part of its shard */

struct ring { struct ring *newer, *older; };

struct cached_row {
    struct ring ring;           /* first: a ring entry that is not the shard's own is a row */
    struct cached_row *chain;
    uint64_t hash;
    size_t key_n, value_n;
    bool marked;                /* between begin and end of a write of this key */
    char bytes[];               /* key, value */
};

struct stripe { uint32_t epoch; uint32_t writers; };

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct cached_row **buckets;
    size_t buckets_n;           /* a power of two */
    size_t count, bytes, bytes_max;
    uint64_t hits, misses;
    struct ring ring;           /* .older: the newest row; .newer: the oldest */
    struct stripe all;          /* concerns every stripe of the shard */
    struct stripe stripes[STRIPES / SHARDS];
};

struct rowcache {
    uint8_t hash_key[16];
    struct shard shards[SHARDS];
};

struct rowcache *rocks__rows_new(size_t bytes_max, const uint8_t hash_key[16])
{
    size_t size = (sizeof(struct rowcache) + 63) / 64 * 64;
    struct rowcache *rows = NULL;
    ENSURE(posix_memalign((void **)&rows, 64, size) == 0);
    memset(rows, 0, size);
    memcpy(rows->hash_key, hash_key, sizeof rows->hash_key);
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &rows->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        shard->bytes_max = bytes_max / SHARDS;
        shard->buckets_n = BUCKETS_MIN;
        shard->buckets = mem_zalloc(BUCKETS_MIN * sizeof *shard->buckets);
        shard->ring.newer = shard->ring.older = &shard->ring;
    }
    return rows;
}

static size_t row_bytes(const struct cached_row *row)
{
    return sizeof *row + row->key_n + row->value_n;
}

static struct str row_key(const struct cached_row *row)
{
    return (struct str){row->bytes, row->key_n};
}

/* The link that leads to the key's row, or to NULL. */
static struct cached_row **cached_row_find(struct shard *shard, struct str key, uint64_t hash)
{
    struct cached_row **link = &shard->buckets[(hash >> 16) & (shard->buckets_n - 1)];
    while (*link && !((*link)->hash == hash && str_eq(row_key(*link), key)))
        link = &(*link)->chain;
    return link;
}

static void ring_out(struct cached_row *row)
{
    row->ring.newer->older = row->ring.older;
    row->ring.older->newer = row->ring.newer;
}

static void ring_in(struct shard *shard, struct cached_row *row)
{
    row->ring.newer = &shard->ring;
    row->ring.older = shard->ring.older;
    row->ring.older->newer = &row->ring;
    shard->ring.older = &row->ring;
}

/* The next older row behind `at`, beginning with the shard's own ring entry; NULL at the end. */
static struct cached_row *row_older(struct shard *shard, const struct ring *at)
{
    return at->older == &shard->ring ? NULL : (struct cached_row *)at->older;
}

static void row_drop(struct shard *shard, struct cached_row **link)
{
    struct cached_row *row = *link;
    *link = row->chain;
    ring_out(row);
    shard->count--;
    shard->bytes -= row_bytes(row);
    free(row);
}

static void rows_grow(struct shard *shard)
{
    size_t n = shard->buckets_n * 2;
    struct cached_row **buckets = mem_zalloc(n * sizeof *buckets);
    for (struct cached_row *row = row_older(shard, &shard->ring); row; row = row_older(shard, &row->ring)) {
        struct cached_row **head = &buckets[(row->hash >> 16) & (n - 1)];
        row->chain = *head;
        *head = row;
    }
    free(shard->buckets);
    shard->buckets = buckets;
    shard->buckets_n = n;
}

static void row_insert(struct shard *shard, struct str key, uint64_t hash, struct str value)
{
    size_t bytes = sizeof(struct cached_row) + key.n + value.n;
    if (bytes > shard->bytes_max / ROW_SHARE)
        return;
    while (shard->bytes + bytes > shard->bytes_max) {
        struct cached_row *oldest = (struct cached_row *)shard->ring.newer;
        row_drop(shard, cached_row_find(shard, row_key(oldest), oldest->hash));
    }
    if (shard->count >= shard->buckets_n)
        rows_grow(shard);
    struct cached_row *row = mem_alloc(bytes);
    *row = (struct cached_row){.hash = hash, .key_n = key.n, .value_n = value.n};
    memcpy(row->bytes, key.p, key.n);
    if (value.n)
        memcpy(row->bytes + key.n, value.p, value.n);
    struct cached_row **link = &shard->buckets[(hash >> 16) & (shard->buckets_n - 1)];
    row->chain = *link;
    *link = row;
    ring_in(shard, row);
    shard->count++;
    shard->bytes += bytes;
}

void rocks__rows_free(struct rowcache *rows)
{
    if (!rows)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &rows->shards[i];
        for (struct cached_row *row = row_older(shard, &shard->ring), *next; row; row = next) {
            next = row_older(shard, &row->ring);
            free(row);
        }
        free(shard->buckets);
        pthread_mutex_destroy(&shard->lock);
    }
    free(rows);
}

static struct shard *shard_of(struct rowcache *rows, uint64_t hash)
{
    return &rows->shards[hash % SHARDS];
}

static struct stripe *stripe_of(struct shard *shard, uint64_t hash)
{
    return &shard->stripes[hash / SHARDS % (STRIPES / SHARDS)];
}

bool rocks__rows_get(struct rowcache *rows, struct str key, struct arena *arena, struct str *ret,
                     struct row_ticket *ret_ticket)
{
    uint64_t hash = siphash13(rows->hash_key, key);
    struct shard *shard = shard_of(rows, hash);
    pthread_mutex_lock(&shard->lock);
    struct cached_row *row = *cached_row_find(shard, key, hash);
    bool hit = row && !row->marked;
    shard->hits += hit;
    shard->misses += !hit;
    if (hit) {
        *ret = arena_dup(arena, (struct str){row->bytes + row->key_n, row->value_n});
        if (shard->ring.older != &row->ring) {
            ring_out(row);
            ring_in(shard, row);
        }
    } else {
        const struct stripe *stripe = stripe_of(shard, hash);
        *ret_ticket = (struct row_ticket){.hash = hash, .epoch = stripe->epoch + shard->all.epoch,
                                          .fill = stripe->writers + shard->all.writers == 0};
    }
    pthread_mutex_unlock(&shard->lock);
    return hit;
}

void rocks__rows_stats(struct rowcache *rows, struct rows_stats *ret)
{
    *ret = (struct rows_stats){0};
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &rows->shards[i];
        pthread_mutex_lock(&shard->lock);
        ret->hits += shard->hits;
        ret->misses += shard->misses;
        ret->rows += shard->count;
        ret->bytes += shard->bytes;
        pthread_mutex_unlock(&shard->lock);
    }
}

void rocks__rows_fill(struct rowcache *rows, struct str key, struct str value, const struct row_ticket *ticket)
{
    if (!ticket->fill)
        return;
    struct shard *shard = shard_of(rows, ticket->hash);
    pthread_mutex_lock(&shard->lock);
    const struct stripe *stripe = stripe_of(shard, ticket->hash);
    if (stripe->writers + shard->all.writers == 0 && stripe->epoch + shard->all.epoch == ticket->epoch &&
        !*cached_row_find(shard, key, ticket->hash))
        row_insert(shard, key, ticket->hash, value);
    pthread_mutex_unlock(&shard->lock);
}

/* A range delete: marks at the beginning, drops at the end; every row is looked at. */
static void write_gaps(struct shard *shard, const struct layer *batch, bool begin, bool written)
{
    pthread_mutex_lock(&shard->lock);
    for (struct cached_row *row = row_older(shard, &shard->ring), *next; row; row = next) {
        next = row_older(shard, &row->ring);
        if (!store__gap_at(batch->gaps, batch->gaps_n, row_key(row)))
            continue;
        if (begin || !written)
            row->marked = begin;
        else if (row->marked)
            row_drop(shard, cached_row_find(shard, row_key(row), row->hash));
    }
    shard->all.writers += begin ? 1 : (uint32_t)-1;
    shard->all.epoch += !begin;
    pthread_mutex_unlock(&shard->lock);
}

void rocks__rows_write_begin(struct rowcache *rows, const struct layer *batch)
{
    for (size_t i = 0; batch->gaps_n && i < SHARDS; i++)
        write_gaps(&rows->shards[i], batch, true, false);
    for (const struct layer_node *node = batch->first[0]; node; node = node->next[0]) {
        uint64_t hash = siphash13(rows->hash_key, node->key);
        struct shard *shard = shard_of(rows, hash);
        pthread_mutex_lock(&shard->lock);
        stripe_of(shard, hash)->writers++;
        struct cached_row *row = *cached_row_find(shard, node->key, hash);
        if (row)
            row->marked = true;
        pthread_mutex_unlock(&shard->lock);
    }
}

/* Puts the new value in the row's place: in its memory if the size is the same. */
static void row_replace(struct shard *shard, struct cached_row **link, const struct layer_node *node)
{
    struct cached_row *row = *link;
    row->marked = false;
    if (!node->deleted && node->value.n == row->value_n) {
        if (node->value.n)
            memcpy(row->bytes + row->key_n, node->value.p, node->value.n);
        return;
    }
    uint64_t hash = row->hash;
    row_drop(shard, link);
    if (!node->deleted)
        row_insert(shard, node->key, hash, node->value);
}

void rocks__rows_write_end(struct rowcache *rows, const struct layer *batch, bool written)
{
    for (const struct layer_node *node = batch->first[0]; node; node = node->next[0]) {
        uint64_t hash = siphash13(rows->hash_key, node->key);
        struct shard *shard = shard_of(rows, hash);
        pthread_mutex_lock(&shard->lock);
        struct stripe *stripe = stripe_of(shard, hash);
        stripe->writers--;
        stripe->epoch++;
        struct cached_row **link = cached_row_find(shard, node->key, hash);
        if (*link && written)
            row_replace(shard, link, node);
        else if (*link)
            (*link)->marked = false;
        pthread_mutex_unlock(&shard->lock);
    }
    for (size_t i = 0; batch->gaps_n && i < SHARDS; i++)
        write_gaps(&rows->shards[i], batch, false, written);
}
