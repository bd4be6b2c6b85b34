/* layer.c -- see layer.h. Skip list: Pugh, "Skip lists: a probabilistic alternative to balanced trees" (1990);
 * one node in four reaches the next height, and the lowest level is linked both ways for reverse ranges. */
#include "store/layer.h"
#include "base/panic.h"

void store__layer_init(struct layer *layer, struct arena *arena, size_t gaps_max)
{
    *layer = (struct layer){.arena = arena, .gaps_max = gaps_max, .seed = 0x9e3779b97f4a7c15u};
}

void store__layer_reset(struct layer *layer)
{
    uint64_t seed = layer->seed;
    store__layer_init(layer, layer->arena, layer->gaps_max);
    layer->seed = seed;
}

/* For every height the link that leads to the first node >= key. Returns that node, or NULL. */
static struct layer_node *layer_find(struct layer *layer, struct str key, struct layer_node **links[LAYER_HEIGHT_MAX],
                               struct layer_node **ret_before)
{
    struct layer_node *before = NULL;
    for (int h = LAYER_HEIGHT_MAX - 1; h >= 0; h--) {
        struct layer_node **link = before ? &before->next[h] : &layer->first[h];
        while (*link && str_cmp((*link)->key, key) < 0) {
            before = *link;
            link = &before->next[h];
        }
        links[h] = link;
    }
    *ret_before = before;
    return *links[0];
}

static uint8_t draw_height(struct layer *layer)
{
    layer->seed ^= layer->seed << 13;       /* xorshift64 */
    layer->seed ^= layer->seed >> 7;
    layer->seed ^= layer->seed << 17;
    uint8_t height = 1;
    for (uint64_t bits = layer->seed; height < LAYER_HEIGHT_MAX && (bits & 3) == 0; bits >>= 2)
        height++;
    return height;
}

static void link_node(struct layer *layer, struct layer_node *node, struct layer_node **links[LAYER_HEIGHT_MAX],
                      struct layer_node *before)
{
    for (int h = 0; h < node->height; h++) {
        node->next[h] = *links[h];
        *links[h] = node;
    }
    node->prev = before;
    if (node->next[0])
        node->next[0]->prev = node;
    else
        layer->last = node;
    layer->count++;
}

/* Sets a point whose bytes live in the layer's arena already. A given `node` is used if the key is new. */
static void layer_set(struct layer *layer, struct str key, struct str value, bool deleted, struct layer_node *node)
{
    struct layer_node **links[LAYER_HEIGHT_MAX], *before;
    struct layer_node *found = layer_find(layer, key, links, &before);
    layer->bytes += key.n + value.n + sizeof *found;
    if (found && str_eq(found->key, key)) {
        found->value = value;
        found->deleted = deleted;
        return;
    }
    if (!node) {
        uint8_t height = draw_height(layer);
        node = arena_alloc(layer->arena, sizeof *node + height * sizeof node->next[0]);
        *node = (struct layer_node){.key = key, .height = height};
    }
    node->value = value;
    node->deleted = deleted;
    link_node(layer, node, links, before);
}

void store__layer_put(struct layer *layer, struct str key, struct str value)
{
    layer_set(layer, arena_dup(layer->arena, key), arena_dup(layer->arena, value), false, NULL);
}

void store__layer_delete(struct layer *layer, struct str key)
{
    layer_set(layer, arena_dup(layer->arena, key), STR_NONE, true, NULL);
}

static void remove_points(struct layer *layer, struct str from, struct str to)
{
    struct layer_node **links[LAYER_HEIGHT_MAX], *before;
    struct layer_node *node = layer_find(layer, from, links, &before);
    while (node && str_cmp(node->key, to) < 0) {
        for (int h = 0; h < node->height; h++)
            *links[h] = node->next[h];
        node = node->next[0];
        layer->count--;
    }
    if (node)
        node->prev = before;
    else
        layer->last = before;
}

bool store__layer_gap(struct layer *layer, struct str from, struct str to)
{
    if (str_cmp(from, to) >= 0)
        return true;
    remove_points(layer, from, to);
    size_t low = 0;                         /* gaps [low, high) touch the new one and melt into it */
    while (low < layer->gaps_n && str_cmp(layer->gaps[low].to, from) < 0)
        low++;
    size_t high = low;
    while (high < layer->gaps_n && str_cmp(layer->gaps[high].from, to) <= 0)
        high++;
    if (low == high && layer->gaps_n == layer->gaps_max)
        return false;
    struct layer_gap gap = {arena_dup(layer->arena, from), arena_dup(layer->arena, to)};
    layer->bytes += from.n + to.n + sizeof gap;
    if (low < high) {
        if (str_cmp(layer->gaps[low].from, gap.from) < 0)
            gap.from = layer->gaps[low].from;
        if (str_cmp(layer->gaps[high - 1].to, gap.to) > 0)
            gap.to = layer->gaps[high - 1].to;
    }
    if (layer->gaps_n == layer->gaps_cap) {
        size_t cap = layer->gaps_cap ? layer->gaps_cap * 2 : 8;
        struct layer_gap *gaps = arena_alloc(layer->arena, cap * sizeof *gaps);
        if (layer->gaps_n)
            memcpy(gaps, layer->gaps, layer->gaps_n * sizeof *gaps);
        layer->gaps = gaps;
        layer->gaps_cap = cap;
    }
    memmove(layer->gaps + low + 1, layer->gaps + high, (layer->gaps_n - high) * sizeof gap);
    layer->gaps[low] = gap;
    layer->gaps_n = layer->gaps_n - (high - low) + 1;
    return true;
}

void store__layer_merge(struct layer *to, struct layer *from)
{
    ENSURE(to->arena == from->arena);
    for (size_t i = 0; i < from->gaps_n; i++)
        ENSURE(store__layer_gap(to, from->gaps[i].from, from->gaps[i].to));     /* the batch left room */
    for (struct layer_node *node = from->first[0], *next; node; node = next) {
        next = node->next[0];
        layer_set(to, node->key, node->value, node->deleted, node);
    }
    store__layer_reset(from);
}

const struct layer_node *store__layer_at_least(const struct layer *layer, struct str key)
{
    const struct layer_node *before = NULL, *next = NULL;
    for (int h = LAYER_HEIGHT_MAX - 1; h >= 0; h--)
        while ((next = before ? before->next[h] : layer->first[h]) && str_cmp(next->key, key) < 0)
            before = next;
    return next;
}

const struct layer_node *store__layer_below(const struct layer *layer, struct str key)
{
    const struct layer_node *node = store__layer_at_least(layer, key);
    return node ? node->prev : layer->last;
}

const struct layer_gap *store__gap_at(const struct layer_gap *gaps, size_t n, struct str key)
{
    size_t low = 0, high = n;               /* the first gap that ends behind the key */
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (str_cmp(gaps[mid].to, key) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && str_cmp(gaps[low].from, key) <= 0 ? &gaps[low] : NULL;
}

enum layer_answer store__layer_get(const struct layer *layer, struct str key, struct str *ret_value)
{
    const struct layer_node *node = layer->count ? store__layer_at_least(layer, key) : NULL;
    if (node && str_eq(node->key, key)) {
        if (node->deleted)
            return LAYER_DELETED;
        *ret_value = node->value;
        return LAYER_PUT;
    }
    return layer->gaps_n && store__gap_at(layer->gaps, layer->gaps_n, key) ? LAYER_DELETED : LAYER_NONE;
}
