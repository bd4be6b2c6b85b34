/* memory_engine.h -- a second engine, for tests: an ordered map in memory that several stores share as the processes of a
 * cluster would, with optimistic commits that really conflict. Stores opened with the same directory's name share a
 * cluster; it stays until memory_forget, so a store may be closed and opened again. What proves that engine.h is right
 * runs over it as well as over RocksDB.
 *
 * A sorted array of keys, each with its versions, newest first, none of which goes before the cluster does. A view is the
 * number of the newest version then; one with guards notes the ranges that are read, and a commit through it is refused if
 * a key in one of them has a newer version. One lock a cluster. */
#ifndef CLOUDLESS_MEMORY_ENGINE_H
#define CLOUDLESS_MEMORY_ENGINE_H
#include "base/panic.h"
#include "store/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_READS_MAX = 64, MEMORY_STORES_MAX = 4 };

struct memory_version { struct memory_version *older; uint64_t number; bool deleted; size_t n; char bytes[]; };
struct memory_row { char *key; size_t n; struct memory_version *newest; };
struct memory_cluster {
    struct memory_cluster *next;
    char *dir;
    pthread_mutex_t lock;
    struct memory_row *rows;
    size_t rows_n, rows_cap;
    uint64_t number, conflicts;
    struct engine *engines[MEMORY_STORES_MAX];
};
struct memory_engine { struct engine head; struct memory_cluster *cluster; };
struct engine_view {
    struct memory_cluster *cluster;
    uint64_t number;
    bool guards, everything;
    size_t reads_n;
    struct { struct str from, to; } reads[MEMORY_READS_MAX];
};
struct memory_iter {
    struct engine_iter head;
    struct memory_cluster *cluster;
    uint64_t number;
    size_t from_n, to_n;
    char bounds[];
};

static struct memory_cluster *memory_clusters;
static bool memory_read_may_block;              /* of stores opened from now on */
static void (*memory_before_read)(struct str from); /* called before each read, on the thread that reads; or NULL */
static void (*memory_before_commit)(void *arg); /* called once, before the next commit that writes, then cleared */
static void *memory_before_commit_arg;
static bool memory_disk_full;                   /* commits fail */

static inline struct memory_cluster *memory_cluster_of(const char *dir)
{
    for (struct memory_cluster *c = memory_clusters; c; c = c->next)
        if (strcmp(c->dir, dir) == 0)
            return c;
    struct memory_cluster *c = mem_zalloc(sizeof *c);
    c->dir = mem_dup(dir, strlen(dir));
    pthread_mutex_init(&c->lock, NULL);
    c->next = memory_clusters;
    return memory_clusters = c;
}

static inline void memory_forget(const char *dir)
{
    for (struct memory_cluster **at = &memory_clusters, *c; (c = *at); at = &c->next) {
        if (strcmp(c->dir, dir) != 0)
            continue;
        *at = c->next;
        for (size_t i = 0; i < c->rows_n; i++) {
            for (struct memory_version *v = c->rows[i].newest, *older; v; v = older) {
                older = v->older;
                free(v);
            }
            free(c->rows[i].key);
        }
        free(c->rows);
        free(c->dir);
        pthread_mutex_destroy(&c->lock);
        free(c);
        return;
    }
}

/* The first row >= key. */
static inline size_t memory_at(const struct memory_cluster *c, struct str key)
{
    size_t low = 0, high = c->rows_n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (str_cmp((struct str){c->rows[mid].key, c->rows[mid].n}, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static inline struct str memory_key(const struct memory_cluster *c, size_t i)
{
    return (struct str){c->rows[i].key, c->rows[i].n};
}

/* As it was at `number`; NULL: not there. */
static inline const struct memory_version *memory_seen(const struct memory_row *row, uint64_t number)
{
    const struct memory_version *v = row->newest;
    while (v && v->number > number)
        v = v->older;
    return v && !v->deleted ? v : NULL;
}

static inline struct str memory_copy(struct str s)
{
    return (struct str){mem_dup(s.p, s.n), s.n};
}

static inline void memory_note(struct engine_view *view, struct str from, struct str to)
{
    if (!view || !view->guards)
        return;
    if (view->reads_n == MEMORY_READS_MAX) {
        view->everything = true;
        return;
    }
    view->reads[view->reads_n].from = memory_copy(from);
    view->reads[view->reads_n++].to = memory_copy(to);
}

static inline enum err memory_open(const struct store_options *options, struct arena *arena, struct engine **ret,
                                   struct str *ret_message);

static inline void memory_close(struct engine *engine)
{
    struct memory_cluster *c = ((struct memory_engine *)engine)->cluster;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < MEMORY_STORES_MAX; i++)
        if (c->engines[i] == engine)
            c->engines[i] = NULL;
    pthread_mutex_unlock(&c->lock);
    engine_clear(engine);
    free(engine);
}

static inline enum err memory_get(struct engine *engine, struct engine_view *view, struct str key, struct arena *arena,
                                  struct str *ret)
{
    struct memory_cluster *c = ((struct memory_engine *)engine)->cluster;
    if (memory_before_read)
        memory_before_read(key);
    char *behind = arena_cstr(arena, key);      /* a 00 more is the smallest key behind it */
    memory_note(view, key, (struct str){behind, key.n + 1});
    pthread_mutex_lock(&c->lock);
    size_t at = memory_at(c, key);
    const struct memory_version *v = NULL;
    if (at < c->rows_n && str_eq(memory_key(c, at), key))
        v = memory_seen(&c->rows[at], view ? view->number : UINT64_MAX);
    pthread_mutex_unlock(&c->lock);
    if (v)
        *ret = arena_dup(arena, (struct str){v->bytes, v->n});
    return v ? ERR_OK : ERR_NOT_FOUND;
}

static inline struct engine_iter *memory_iter_new(struct engine *engine, struct engine_view *view, struct str from, struct str to)
{
    struct memory_cluster *c = ((struct memory_engine *)engine)->cluster;
    struct memory_iter *iter = mem_zalloc(sizeof *iter + from.n + to.n);
    memory_note(view, from, to);
    pthread_mutex_lock(&c->lock);
    *iter = (struct memory_iter){.head = {.err = ERR_NOT_FOUND}, .cluster = c, .number = view ? view->number : c->number,
                                 .from_n = from.n, .to_n = to.n};
    pthread_mutex_unlock(&c->lock);
    memcpy(iter->bounds, from.p, from.n);
    memcpy(iter->bounds + from.n, to.p, to.n);
    return &iter->head;
}

static inline void memory_iter_free(struct engine_iter *iter)
{
    free(iter);
}

static inline void memory_iter_move(struct engine_iter *head, enum engine_move move, struct str key)
{
    struct memory_iter *iter = (struct memory_iter *)head;
    struct memory_cluster *c = iter->cluster;
    if (memory_before_read)
        memory_before_read((struct str){iter->bounds, iter->from_n});
    struct str from = {iter->bounds, iter->from_n}, to = {iter->bounds + iter->from_n, iter->to_n};
    bool back = move == MOVE_LAST || move == MOVE_BELOW || move == MOVE_PREV;
    ENSURE((move != MOVE_NEXT && move != MOVE_PREV) || head->err == ERR_OK);
    struct str start = move == MOVE_FIRST                       ? from
                       : move == MOVE_LAST                      ? to
                       : move == MOVE_NEXT || move == MOVE_PREV ? head->key
                                                                : key;
    pthread_mutex_lock(&c->lock);
    size_t at = memory_at(c, start);
    if (move == MOVE_NEXT)
        at++;
    head->err = ERR_NOT_FOUND;
    for (;; at += !back) {
        if (back ? at-- == 0 : at >= c->rows_n)
            break;
        struct str found = memory_key(c, at);
        if (str_cmp(found, from) < 0 || str_cmp(found, to) >= 0)
            break;
        const struct memory_version *v = memory_seen(&c->rows[at], iter->number);
        if (!v)
            continue;
        *head = (struct engine_iter){ERR_OK, found, {v->bytes, v->n}};
        break;
    }
    pthread_mutex_unlock(&c->lock);
}

static inline struct engine_view *memory_view_new(struct engine *engine, bool guards)
{
    struct memory_cluster *c = ((struct memory_engine *)engine)->cluster;
    struct engine_view *view = mem_zalloc(sizeof *view);
    pthread_mutex_lock(&c->lock);
    *view = (struct engine_view){.cluster = c, .number = c->number, .guards = guards};
    pthread_mutex_unlock(&c->lock);
    return view;
}

static inline void memory_view_free(struct engine_view *view)
{
    for (size_t i = 0; view && i < view->reads_n; i++) {
        free((char *)view->reads[i].from.p);
        free((char *)view->reads[i].to.p);
    }
    free(view);
}

static inline bool memory_conflicts(const struct memory_cluster *c, const struct engine_view *view)
{
    if (view->everything && c->number != view->number)
        return true;
    for (size_t i = 0; i < view->reads_n; i++)
        for (size_t at = memory_at(c, view->reads[i].from); at < c->rows_n && str_cmp(memory_key(c, at), view->reads[i].to) < 0;
             at++)
            if (c->rows[at].newest->number > view->number)
                return true;
    return false;
}

static inline void memory_set(struct memory_cluster *c, struct str key, struct str value, bool deleted)
{
    size_t at = memory_at(c, key);
    if (at == c->rows_n || !str_eq(memory_key(c, at), key)) {
        if (c->rows_n == c->rows_cap)
            c->rows = mem_realloc(c->rows, (c->rows_cap = c->rows_cap * 2 + 64) * sizeof *c->rows);
        memmove(c->rows + at + 1, c->rows + at, (c->rows_n++ - at) * sizeof *c->rows);
        c->rows[at] = (struct memory_row){mem_dup(key.p, key.n), key.n, NULL};
    }
    struct memory_version *v = mem_alloc(sizeof *v + value.n);
    *v = (struct memory_version){.older = c->rows[at].newest, .number = c->number, .deleted = deleted, .n = value.n};
    if (value.n)
        memcpy(v->bytes, value.p, value.n);
    c->rows[at].newest = v;
}

static inline void memory_apply(struct memory_cluster *c, const struct layer *writes)
{
    c->number++;
    for (size_t i = 0; i < writes->gaps_n; i++)
        for (size_t at = memory_at(c, writes->gaps[i].from); at < c->rows_n && str_cmp(memory_key(c, at), writes->gaps[i].to) < 0;
             at++)
            if (!c->rows[at].newest->deleted)
                memory_set(c, memory_key(c, at), STR_NONE, true);
    for (const struct layer_node *node = writes->first[0]; node; node = node->next[0])
        memory_set(c, node->key, node->value, node->deleted);
}

static inline enum err memory_commit(struct engine *engine, struct engine_view *view, const struct layer *writes, uint64_t spaces,
                                     char *ret_words, size_t words_size)
{
    struct memory_cluster *c = ((struct memory_engine *)engine)->cluster;
    bool writing = writes->count || writes->gaps_n;
    void (*before)(void *) = writing ? memory_before_commit : NULL;
    if (before) {
        memory_before_commit = NULL;
        before(memory_before_commit_arg);
    }
    if (writing && memory_disk_full) {
        snprintf(ret_words, words_size, "the disk is full");
        return ERR_IO;
    }
    pthread_mutex_lock(&c->lock);
    bool conflict = view && memory_conflicts(c, view);
    c->conflicts += conflict;
    if (!conflict && writing) {
        memory_apply(c, writes);
        for (size_t i = 0; i < MEMORY_STORES_MAX; i++)
            if (c->engines[i])
                engine_bump(c->engines[i], spaces);
    }
    pthread_mutex_unlock(&c->lock);
    return conflict ? ERR_CONFLICT : ERR_OK;
}

static const struct engine_ops memory_engine_ops = {
    .name = "memory", .open = memory_open, .close = memory_close, .get = memory_get, .iter_new = memory_iter_new,
    .iter_move = memory_iter_move, .iter_free = memory_iter_free, .view_new = memory_view_new, .view_free = memory_view_free,
    .commit = memory_commit,
};

static inline enum err memory_open(const struct store_options *options, struct arena *arena, struct engine **ret,
                                   struct str *ret_message)
{
    (void)arena, (void)ret_message;
    struct memory_engine *e = mem_zalloc(sizeof *e);
    engine_init(&e->head, &memory_engine_ops);
    e->head.read_may_block = memory_read_may_block;
    e->head.shared = true;
    e->cluster = memory_cluster_of(options->dir);
    size_t place = 0;
    while (place < MEMORY_STORES_MAX && e->cluster->engines[place])
        place++;
    ENSURE(place < MEMORY_STORES_MAX);
    e->cluster->engines[place] = &e->head;
    *ret = &e->head;
    return ERR_OK;
}
#endif
