/* route.c -- the tree of path segments. A node's place is its depth, so a search visits each node at most once: it is
 * bounded by the number of resources, and recursion by ROUTE_DEPTH_MAX. Immutable once built. */
#include "gateway/route.h"

static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "ANY"};
enum { ANY = COUNT_OF(methods) - 1, NO_METHOD = COUNT_OF(methods) };

struct route_node {
    struct str part;                        /* static text, or a variable's name */
    struct route_node **statics;            /* sorted by part */
    size_t static_count, static_capacity;
    struct route_node *variable, *greedy;
    void *targets[COUNT_OF(methods)];
};

struct route_tree {
    struct arena *arena;
    struct route_node root;
};

struct route_tree *route_tree_new(struct arena *arena)
{
    struct route_tree *tree = arena_new_of(arena, struct route_tree);
    tree->arena = arena;
    return tree;
}

static size_t method_index(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (str_eq(name, str_of(methods[i])))
            return i;
    return NO_METHOD;
}

/* Where `part` is or would be among the static children. */
static size_t static_position(const struct route_node *node, struct str part, bool *ret_found)
{
    size_t low = 0, high = node->static_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(node->statics[middle]->part, part);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

static struct route_node *static_child(struct route_tree *tree, struct route_node *node, struct str part)
{
    bool found;
    size_t at = static_position(node, part, &found);
    if (found)
        return node->statics[at];
    if (node->static_count == node->static_capacity) {
        size_t capacity = node->static_capacity ? 2 * node->static_capacity : 4;
        struct route_node **grown = arena_array(tree->arena, struct route_node *, capacity);
        if (node->static_count)
            memcpy(grown, node->statics, node->static_count * sizeof(*grown));
        node->statics = grown;
        node->static_capacity = capacity;
    }
    memmove(node->statics + at + 1, node->statics + at, (node->static_count - at) * sizeof(*node->statics));
    node->statics[at] = arena_new_of(tree->arena, struct route_node);
    node->statics[at]->part = part;
    node->static_count++;
    return node->statics[at];
}

static struct route_node *variable_child(struct route_tree *tree, struct route_node **place, struct str name)
{
    if (!*place) {
        *place = arena_new_of(tree->arena, struct route_node);
        (*place)->part = name;
    }
    return str_eq((*place)->part, name) ? *place : NULL;
}

/* The child for one part of a resource's path; NULL: malformed. */
static struct route_node *child_for(struct route_tree *tree, struct route_node *node, struct str part)
{
    if (part.n == 0)
        return NULL;
    if (part.p[0] != '{')
        return static_child(tree, node, part);
    if (part.n < 3 || part.p[part.n - 1] != '}')
        return NULL;
    struct str name = str_slice(part, 1, part.n - 1);
    if (name.p[name.n - 1] != '+')
        return variable_child(tree, &node->variable, name);
    return variable_child(tree, &node->greedy, str_slice(name, 0, name.n - 1));
}

bool route_add(struct route_tree *tree, struct str path, struct str method, void *target)
{
    size_t index = method_index(method);
    if (index == NO_METHOD || path.n == 0 || path.p[0] != '/')
        return false;
    struct str rest = str_slice(path, 1, path.n);
    struct route_node *node = &tree->root;
    for (size_t depth = 0; rest.n; depth++) {
        node = depth < ROUTE_DEPTH_MAX ? child_for(tree, node, str_cut(&rest, '/')) : NULL;
        if (!node)
            return false;
    }
    if (node->targets[index])
        return false;
    node->targets[index] = target;
    return true;
}

struct search {
    size_t method;
    struct route_match *match;
    struct route_param params[ROUTE_DEPTH_MAX];
};

static bool route_take(struct search *search, const struct route_node *node, size_t param_count)
{
    void *target = node->targets[search->method] ? node->targets[search->method] : node->targets[ANY];
    search->match->target = target;
    search->match->param_count = param_count;
    return target != NULL;
}

static bool route_walk(struct search *search, const struct route_node *node, struct str rest, size_t param_count)
{
    if (rest.n == 0)
        return route_take(search, node, param_count);
    struct str after = rest, part = str_cut(&after, '/');
    bool found;
    size_t at = static_position(node, part, &found);
    if (found && route_walk(search, node->statics[at], after, param_count))
        return true;
    if (node->variable && part.n) {
        search->params[param_count] = (struct route_param){node->variable->part, part};
        if (route_walk(search, node->variable, after, param_count + 1))
            return true;
    }
    if (!node->greedy)
        return false;
    search->params[param_count] = (struct route_param){node->greedy->part, rest};
    return route_take(search, node->greedy, param_count + 1);
}

bool route_find(const struct route_tree *tree, struct str path, struct str method, struct arena *arena, struct route_match *ret)
{
    struct route_match match = {0};
    struct search search;               /* its params are written before they are read */
    search.method = method_index(method);
    search.match = &match;
    while (path.n && path.p[0] == '/')
        path = str_slice(path, 1, path.n);
    while (path.n && path.p[path.n - 1] == '/')
        path = str_slice(path, 0, path.n - 1);
    if (search.method >= ANY || !route_walk(&search, &tree->root, path, 0))
        return false;
    match.params = arena_array(arena, struct route_param, match.param_count + 1);
    memcpy(match.params, search.params, match.param_count * sizeof(*match.params));
    *ret = match;
    return true;
}
