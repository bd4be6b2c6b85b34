/* expression_find.c -- the values at the paths of an expression. Items have up to a hundred thousand attributes or elements and
 * expressions more than a thousand paths, and both meet on the committer's thread: looking each path up by a walk would keep
 * all writes waiting. So a large container that was walked some times in one evaluation gets an index: its children as an
 * array, in order (lists) or by name (maps). An evaluation then costs about as much as its item and its expression are long. */
#include "services/dynamodb/expression_internal.h"
#include <stdlib.h>

#define SMALL_MAX 64            /* children up to which a walk is quick enough */
#define WALKS_MAX 8             /* of a larger container, before it gets its index */

struct finder_index {
    struct finder_index *next;
    const struct value *of;
    unsigned walks;
    struct value **children;    /* NULL: walked so far */
};

static int found_name_order(const void *a, const void *b)
{
    return str_cmp((*(struct value *const *)a)->name, (*(struct value *const *)b)->name);
}

static struct value **children_of(struct finder *finder, const struct value *parent)
{
    struct finder_index *index = finder->first;
    while (index && index->of != parent)
        index = index->next;
    if (!index) {
        index = arena_new_of(finder->arena, struct finder_index);
        index->of = parent;
        index->next = finder->first;
        finder->first = index;
    }
    if (index->children || index->walks++ < WALKS_MAX)
        return index->children;
    size_t n = 0;
    index->children = arena_array(finder->arena, struct value *, parent->count);
    for (struct value *child = parent->first; child; child = child->next)
        index->children[n++] = child;
    if (parent->type == VALUE_M)
        qsort(index->children, n, sizeof *index->children, found_name_order);
    return index->children;
}

struct value *expression__child(struct finder *finder, const struct value *parent, const struct path_step *step)
{
    if (parent->type != (step->is_index ? VALUE_L : VALUE_M))
        return NULL;
    struct value **children = parent->count > SMALL_MAX ? children_of(finder, parent) : NULL;
    if (step->is_index && (!children || step->index >= parent->count))
        return value_element(parent, step->index);
    if (step->is_index)
        return children[step->index];
    if (!children)
        return value_member(parent, step->name);
    struct value wanted = {.name = step->name}, *key = &wanted;
    struct value **found = bsearch(&key, children, parent->count, sizeof *children, found_name_order);
    return found ? *found : NULL;
}

struct value *expression__resolve(struct finder *finder, const struct expression_path *path, const struct value *item)
{
    const struct value *at = item;
    for (const struct path_step *step = path->first; step && at; step = step->next)
        at = expression__child(finder, at, step);
    return (struct value *)at;
}
