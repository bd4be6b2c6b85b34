/* projection.c -- parts of an item: ProjectionExpression, and what UPDATED_OLD and UPDATED_NEW show of an update.
 * A path keeps the maps and lists that lead to it; elements of one list close up, in the list's order.
 * Paths are sorted once, so that those with a common beginning follow each other and list indexes ascend. */
#include "services/dynamodb/expression_internal.h"
#include <stdlib.h>

struct projection {
    const struct expression_path **paths;
    size_t count;
};

struct projection *projection_parse(struct str text, struct expression_params *params, struct arena *arena, struct str *ret_message)
{
    struct parser parser;
    struct node *paths = NULL;
    struct projection *projection = arena_new_of(arena, struct projection);
    if (expression__open(&parser, text, "ProjectionExpression", GRAMMAR_PROJECTION, params, arena))
        paths = expression__parse_paths(&parser, &projection->count);
    if (!paths || !expression__check_paths(&parser, paths)) {
        *ret_message = parser.message;
        return NULL;
    }
    size_t i = 0;
    projection->paths = arena_alloc(arena, sizeof *projection->paths * projection->count);
    for (const struct node *node = paths; node; node = node->next)
        projection->paths[i++] = &node->path;
    expression__sorted_paths(projection->paths, projection->count);
    return projection;
}

bool projection_enters(const struct projection *projection, struct str attribute)
{
    for (size_t i = 0; i < projection->count; i++)
        if (projection->paths[i]->count > 1 && str_eq(projection->paths[i]->first->name, attribute))
            return true;
    return false;
}

void projection_attributes(const struct projection *projection, expression_attribute_fn *visit, void *arg)
{
    for (size_t i = 0; projection && i < projection->count; i++)
        visit(arg, projection->paths[i]->first->name);
}

struct value *projection_apply(const struct projection *projection, const struct value *item, struct arena *arena)
{
    return expression__pick(projection->paths, projection->count, item, arena);
}

static int step_order(const struct path_step *a, const struct path_step *b)
{
    if (a->is_index != b->is_index)
        return a->is_index - b->is_index;
    if (a->is_index)
        return (a->index > b->index) - (a->index < b->index);
    return str_cmp(a->name, b->name);
}

static int path_order(const void *a, const void *b)
{
    const struct path_step *x = (*(const struct expression_path *const *)a)->first,
                           *y = (*(const struct expression_path *const *)b)->first;
    for (; x && y; x = x->next, y = y->next) {
        int order = step_order(x, y);
        if (order)
            return order;
    }
    return (x != NULL) - (y != NULL);
}

const struct expression_path **expression__sorted_paths(const struct expression_path **paths, size_t count)
{
    if (count)
        qsort(paths, count, sizeof *paths, path_order);
    return paths;
}

static size_t common_steps(const struct expression_path *a, const struct expression_path *b)
{
    size_t common = 0;
    for (const struct path_step *x = a->first, *y = b->first; x && y && step_order(x, y) == 0; x = x->next, y = y->next)
        common++;
    return common;
}

struct value *expression__pick(const struct expression_path *const *sorted, size_t count, const struct value *item,
                               struct arena *arena)
{
    struct value *container[EXPRESSION_PATH_MAX + 1] = {value_new(arena, VALUE_M)};    /* container[d] holds step d */
    const struct expression_path *before = NULL;
    struct finder finder = {.arena = arena};
    for (size_t i = 0; i < count; i++) {
        const struct expression_path *path = sorted[i];
        struct value *found = expression__resolve(&finder, path, item);
        if (!found)
            continue;
        size_t depth = 0, common = before ? common_steps(before, path) : 0;
        for (const struct path_step *step = path->first; step; step = step->next, depth++) {
            if (depth < common)
                continue;
            struct value *child =
                !step->next ? value_clone(arena, found) : value_new(arena, step->next->is_index ? VALUE_L : VALUE_M);
            child->name = step->name;
            value_append(container[depth], child);
            container[depth + 1] = child;
        }
        before = path;
    }
    return container[0];
}
