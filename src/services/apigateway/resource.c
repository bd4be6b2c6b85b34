/* resource.c -- CreateResource, GetResource(s), UpdateResource, DeleteResource.
 * Invariants of an API's tree: one root (no pathPart); siblings have different path parts, at most one of them a variable;
 * a greedy variable has no children; `path` of every resource is the path parts from the root. A move or a new path part
 * rewrites the paths below it in the same commit. */
#include "services/apigateway/document.h"
#include "services/apigateway/handlers.h"
#include "services/apigateway/patch.h"

static bool is_variable(struct str part)
{
    return part.n && part.p[0] == '{';
}

static bool part_is_greedy(struct str part)
{
    return is_variable(part) && str_ends(part, STR("+}"));
}

static bool is_part_char(char c)
{
    return char_is_letter(c) || char_is_digit(c) || c == '.' || c == '_' || c == '-' || c == ':';
}

static bool valid_part(struct str part)
{
    struct str name = part;
    if (is_variable(part)) {
        if (part.n < 3 || part.p[part.n - 1] != '}')
            return false;
        name = str_slice(part, 1, part.n - 1 - part_is_greedy(part));
    }
    for (size_t i = 0; i < name.n; i++)
        if (!is_part_char(name.p[i]))
            return false;
    return name.n > 0;
}

static struct json *tree_find(struct json *all, struct str id)
{
    for JSON_EACH (resource, all)
        if (str_eq(json_str(resource, "id"), id))
            return resource;
    return NULL;
}

/* May a resource with this path part stand below `parent`? `self` is not its own sibling; NULL for a new one. */
static bool check_place(struct call *call, struct json *all, const struct json *parent, struct str part, const struct json *self)
{
    struct str parent_id = json_str(parent, "id"), parent_part = json_str(parent, "pathPart");
    if (!valid_part(part)) {
        call_fail(call, "BadRequestException", "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and "
                                               "curly braces at the beginning and the end.");
        return false;
    }
    if (part_is_greedy(parent_part)) {
        call_fail(call, "BadRequestException", "Cannot create a child of a resource with a greedy path variable: " STR_FMT,
                  STR_ARG(parent_part));
        return false;
    }
    const struct json *variable = NULL;
    for JSON_EACH (sibling, all) {
        struct str sibling_part = json_str(sibling, "pathPart");
        if (sibling == self || !str_eq(json_str(sibling, "parentId"), parent_id))
            continue;
        if (str_eq(sibling_part, part)) {
            call_fail(call, "ConflictException", "Another resource with the same parent already has this name: " STR_FMT,
                      STR_ARG(part));
            return false;
        }
        variable = is_variable(sibling_part) ? sibling : variable;
    }
    if (variable && is_variable(part))
        call_fail(call, "BadRequestException",
                  "A sibling (" STR_FMT ") of this resource already has a variable path part -- only one is allowed",
                  STR_ARG(json_str(variable, "pathPart")));
    return !call->failed;
}

static struct str join(struct call *call, struct str parent_path, struct str part)
{
    return arena_printf(call->arena, STR_FMT "%s" STR_FMT, STR_ARG(parent_path), parent_path.n > 1 ? "/" : "", STR_ARG(part));
}

static bool load_tree(struct call *call, struct store_txn *txn, struct json **ret)
{
    return apigateway__load_all(call, txn, APIGATEWAY_RESOURCES, ret);
}

static struct str unused_id(struct call *call, struct json *all)
{
    struct str id;
    do
        id = apigateway__new_id(call, 6);
    while (tree_find(all, id));
    return id;
}

void apigateway__create_resource(struct call *call, struct store_txn *txn)
{
    struct arena *arena = call->arena;
    struct json *all, *parent;
    struct str part = call_str(call, "pathPart");
    if (!apigateway__load_resource(call, txn, call_str(call, "parentId"), &parent) || !load_tree(call, txn, &all) ||
        !check_place(call, all, parent, part, NULL))
        return;
    if (all->count >= APIGATEWAY_RESOURCES_MAX) {
        call_fail(call, "LimitExceededException", "Maximum number of resources for this API has been reached (%d)",
                  APIGATEWAY_RESOURCES_MAX);
        return;
    }
    struct json *resource = json_new(arena, JSON_OBJECT);
    json_add_str(arena, resource, "id", unused_id(call, all));
    json_add_str(arena, resource, "parentId", json_str(parent, "id"));
    json_add_str(arena, resource, "pathPart", part);
    json_add_str(arena, resource, "path", join(call, json_str(parent, "path"), part));
    if (apigateway__save_resource(call, txn, resource))
        call->output = resource;
}

/* Without embed=methods an answer names the methods only. */
static void shape(struct call *call, struct json *resource)
{
    const struct json *embed = json_at(call->input, "embed");
    for JSON_EACH (word, embed)
        if (str_eq(word->text, STR("methods")))
            return;
    for JSON_EACH (method, json_at(resource, "resourceMethods")) {
        method->first = method->last = NULL;
        method->count = 0;
    }
}

void apigateway__get_resource(struct call *call)
{
    struct json *resource;
    if (!apigateway__load_resource(call, apigateway__reader(call), call_str(call, "resourceId"), &resource))
        return;
    shape(call, resource);
    call->output = resource;
}

static struct json *sorted_by_path(struct call *call, struct json *all)
{
    size_t n = 0;
    struct json **order = arena_array(call->arena, struct json *, all->count + 1);
    for JSON_EACH (resource, all) {
        size_t at = n++;
        for (; at > 0 && str_cmp(json_str(order[at - 1], "path"), json_str(resource, "path")) > 0; at--)
            order[at] = order[at - 1];
        order[at] = resource;
    }
    struct json *sorted = json_new(call->arena, JSON_ARRAY);
    for (size_t i = 0; i < n; i++) {
        order[i]->next = NULL;
        json_add(sorted, NULL, order[i]);
    }
    return sorted;
}

void apigateway__get_resources(struct call *call)
{
    struct store_txn *txn = apigateway__reader(call);
    struct json *api, *all;
    if (!apigateway__load_api(call, txn, &api) || !load_tree(call, txn, &all))
        return;
    for JSON_EACH (resource, all)
        shape(call, resource);
    apigateway__answer_page(call, sorted_by_path(call, all), "path");
}

/* Rewrites the paths below `parent`, level by level; the tree has no cycle, so it ends. */
static void rewrite_paths(struct call *call, struct store_txn *txn, struct json *all, struct json *top)
{
    struct json **queue = arena_array(call->arena, struct json *, all->count + 1);
    size_t head = 0, tail = 0;
    queue[tail++] = top;
    while (head < tail) {
        struct json *parent = queue[head++];
        for JSON_EACH (child, all) {
            if (!str_eq(json_str(child, "parentId"), json_str(parent, "id")))
                continue;
            json_put(child, STR("path"),
                     json_new_str(call->arena, join(call, json_str(parent, "path"), json_str(child, "pathPart"))));
            apigateway__save_resource(call, txn, child);
            queue[tail++] = child;
        }
    }
}

static bool is_below(struct json *all, struct json *resource, struct str ancestor_id)
{
    for (size_t steps = 0; resource && steps <= all->count; steps++) {
        if (str_eq(json_str(resource, "id"), ancestor_id))
            return true;
        resource = tree_find(all, json_str(resource, "parentId"));
    }
    return false;
}

/* Puts `resource` (of the API's tree) below the parent and under the part given. */
static void resource_place(struct call *call, struct json *resource, struct str parent_id, struct str part, struct store_txn *txn)
{
    struct json *all, *parent;
    if (!apigateway__load_resource(call, txn, parent_id, &parent) || !load_tree(call, txn, &all))
        return;
    struct json *self = tree_find(all, json_str(resource, "id"));
    parent = tree_find(all, parent_id);
    if (!check_place(call, all, parent, part, self))
        return;
    if (is_below(all, parent, json_str(resource, "id"))) {
        call_fail(call, "BadRequestException", "Resources cannot be cyclical.");
        return;
    }
    if (part_is_greedy(part))
        for JSON_EACH (other, all)
            if (str_eq(json_str(other, "parentId"), json_str(resource, "id"))) {
                call_fail(call, "BadRequestException", "Cannot create a child of a resource with a greedy path variable: " STR_FMT,
                          STR_ARG(part));
                return;
            }
    json_put(resource, STR("parentId"), json_new_str(call->arena, parent_id));
    json_put(resource, STR("pathPart"), json_new_str(call->arena, part));
    json_put(resource, STR("path"), json_new_str(call->arena, join(call, json_str(parent, "path"), part)));
    rewrite_paths(call, txn, all, resource);
    apigateway__save_resource(call, txn, resource);
}

static void patch_part(struct call *call, struct json *resource, const struct patch *patch, struct store_txn *txn)
{
    if (!json_at(resource, "parentId"))
        call_fail(call, "BadRequestException", "Root resource cannot update its pathPart.");
    else
        resource_place(call, resource, json_str(resource, "parentId"), patch->value, txn);
}

static void patch_parent(struct call *call, struct json *resource, const struct patch *patch, struct store_txn *txn)
{
    if (!json_at(resource, "parentId"))
        call_fail(call, "BadRequestException", "Root resource cannot update its parentId.");
    else
        resource_place(call, resource, patch->value, json_str(resource, "pathPart"), txn);
}

static const struct patch_rule resource_rules[] = {
    {"/parentId", PATCH_REPLACE, patch_parent},
    {"/pathPart", PATCH_REPLACE, patch_part},
    {NULL, 0, NULL},
};
static const struct patch_table resource_patches = {resource_rules, "/parentId, /pathPart", NULL};

void apigateway__update_resource(struct call *call, struct store_txn *txn)
{
    struct json *resource;
    if (!apigateway__load_resource(call, txn, call_str(call, "resourceId"), &resource) ||
        !apigateway__patch(call, &resource_patches, resource, txn))
        return;
    if (apigateway__save_resource(call, txn, resource)) {
        shape(call, resource);
        call->output = resource;
    }
}

void apigateway__delete_resource(struct call *call, struct store_txn *txn)
{
    struct json *all, *resource;
    if (!apigateway__load_resource(call, txn, call_str(call, "resourceId"), &resource) || !load_tree(call, txn, &all))
        return;
    if (!json_at(resource, "parentId")) {
        call_fail(call, "BadRequestException", "Root resource cannot be deleted.");
        return;
    }
    for JSON_EACH (other, all)
        if (is_below(all, other, json_str(resource, "id")))
            store_delete(txn, apigateway__key(call, APIGATEWAY_RESOURCES, call_str(call, "restApiId"), json_str(other, "id")));
}
