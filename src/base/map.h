/* map.h -- a hash map from bytes to a pointer, for caches and registries. Keys are copied.
 * Bounded: map_put over `max` entries drops the least recently put one first (its value goes to `drop`).
 * Not locked: the owner locks, or keeps one a thread. */
#ifndef CLOUDLESS_BASE_MAP_H
#define CLOUDLESS_BASE_MAP_H
#include "base/str.h"

struct map;
struct map *map_new(size_t max, void (*drop)(void *value));   /* drop may be NULL */
void map_free(struct map *map);                               /* drops every value; NULL is fine */
void *map_get(const struct map *map, struct str key);         /* or NULL */
void map_put(struct map *map, struct str key, void *value);   /* drops the value it replaces */
void *map_take(struct map *map, struct str key);              /* removes without dropping */
void map_reset(struct map *map);                              /* drops every value */
size_t map_count(const struct map *map);
/* Until visit returns false; the map may not change meanwhile. */
void map_each(const struct map *map, bool (*visit)(struct str key, void *value, void *arg), void *arg);
#endif
