/* route.h -- which resource and method a request is for. A tree of path segments; paths are raw (percent-encoding is not
 * undone, as on AWS), a trailing '/' and repeated leading ones do not count. Folder-internal but for tests.
 *
 * Precedence: at each segment a static part is tried before the variable, the variable before the greedy one; a resource
 * that has neither the method nor ANY does not match, and the search goes on with the next best. The method's own entry
 * comes before ANY. Source: "Set up API Gateway resources" and "Set up a proxy integration with a proxy resource". */
#ifndef CLOUDLESS_GATEWAY_ROUTE_H
#define CLOUDLESS_GATEWAY_ROUTE_H
#include "base/arena.h"

#define ROUTE_DEPTH_MAX 300         /* an API has no more resources */

struct route_tree;
struct route_param { struct str name, value; };
struct route_match {
    void *target;
    struct route_param *params;     /* in path order */
    size_t param_count;
};

struct route_tree *route_tree_new(struct arena *arena);
/* `path` is a resource's path: "/", "/todos/{id}", "/{proxy+}". `method`: GET … or ANY. False: a malformed path, too deep,
 * an unknown method, or taken already. Everything is borrowed; memory comes from the tree's arena. */
bool route_add(struct route_tree *tree, struct str path, struct str method, void *target);
bool route_find(const struct route_tree *tree, struct str path, struct str method, struct arena *arena, struct route_match *ret);
#endif
