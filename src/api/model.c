/* model.c -- lookups in the generated tables, and the routing of REST requests.
 *
 * Operations are sorted by name and found by bisection; members of a structure are few and found one by one, their
 * lengths first. Routes stand in the order of their specificity (gen_api.py: a static segment before a label before a
 * greedy label), so the first that matches is the answer. A path is cut into segments once and compared while it is
 * still percent-encoded: AWS's labels hold encoded slashes. One trailing slash is ignored, as AWS does. */
#include "api/model.h"

#define SEGMENTS_MAX 32     /* of a request's path; models have at most 16 (checked by gen_api.py) */

struct path {
    struct str segment[SEGMENTS_MAX];
    size_t count;
};

const struct model_operation *model_operation_find(const struct model *m, struct str name)
{
    size_t low = 0, high = m->operation_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int c = str_cmp(name, str_of(model_text(m, m->operations[middle].name)));
        if (c == 0) return &m->operations[middle];
        if (c < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

const struct model_member *model_member_find(const struct model *m, const struct model_shape *shape, struct str name)
{
    const struct model_member *member = &m->members[shape->members], *end = member + shape->member_count;
    for (; member < end; member++) {
        if (member->name_n == name.n && memcmp(m->pool + member->name, name.p, name.n) == 0) return member;
    }
    return NULL;
}

const struct model_member *model_member_find_wire(const struct model *m, const struct model_shape *shape, struct str wire)
{
    const struct model_member *member = &m->members[shape->members], *end = member + shape->member_count;
    for (; member < end; member++) {
        if (member->wire_n == wire.n && member->location == MODEL_IN_BODY &&
            memcmp(m->pool + member->wire, wire.p, wire.n) == 0)
            return member;
    }
    return NULL;
}

const struct model_shape *model_error_find(const struct model *m, struct str name)
{
    for (size_t i = 0; i < m->error_count; i++) {
        const struct model_shape *shape = &m->shapes[m->errors[i]];
        if (str_eq(name, str_of(model_text(m, shape->name)))) return shape;
        if (shape->error_code && str_eq(name, str_of(model_text(m, shape->error_code)))) return shape;
    }
    return NULL;
}

/* ---- routes ---- */

/* False: an empty segment within, or too many. */
static bool path_cut(struct str path, struct path *ret)
{
    ret->count = 0;
    if (path.n && path.p[0] == '/') path = str_slice(path, 1, path.n);
    if (path.n && path.p[path.n - 1] == '/') path.n--;
    while (path.n) {
        size_t slash = str_find(path, '/');
        if (slash == 0 || ret->count == SEGMENTS_MAX) return false;
        ret->segment[ret->count++] = str_slice(path, 0, slash);
        if (slash + 1 == path.n) return false;
        path = str_slice(path, slash + 1, path.n);
    }
    return true;
}

static bool is_greedy(struct str label)
{
    return label.n > 2 && label.p[label.n - 2] == '+';
}

static bool segments_match(const struct path *pattern, const struct path *path)
{
    for (size_t i = 0; i < pattern->count; i++) {
        if (pattern->segment[i].p[0] != '{' && !str_eq(pattern->segment[i], path->segment[i])) return false;
    }
    return true;
}

/* Whether "a=b" stands among the parameters of a raw query. */
static bool query_has(struct str query, struct str parameter)
{
    while (query.n) {
        if (str_eq(str_cut(&query, '&'), parameter)) return true;
    }
    return false;
}

const struct model_operation *model_operation_route(const struct model *m, struct str method, struct str path, struct str query)
{
    struct path asked, pattern;
    if (!path_cut(path, &asked)) return NULL;
    for (size_t i = 0; i < m->route_count; i++) {
        const struct model_route *route = &m->routes[i];
        const struct model_operation *op = &m->operations[route->operation];
        if (route->greedy ? asked.count < route->segments : asked.count != route->segments) continue;
        if (!str_eq(method, str_of(model_text(m, op->method)))) continue;
        if (route->query && !query_has(query, str_of(model_text(m, route->query)))) continue;
        path_cut(str_of(model_text(m, op->uri)), &pattern);
        if (segments_match(&pattern, &asked)) return op;
    }
    return NULL;
}

bool model_uri_value(const struct model *m, const struct model_operation *op, struct str path, struct str label, struct str *ret)
{
    struct path asked, pattern;
    if (!path_cut(path, &asked) || !path_cut(str_of(model_text(m, op->uri)), &pattern)) return false;
    for (size_t i = 0; i < pattern.count && i < asked.count; i++) {
        struct str segment = pattern.segment[i];
        bool greedy = is_greedy(segment);
        if (segment.p[0] != '{' || !str_eq(str_slice(segment, 1, segment.n - (greedy ? 2 : 1)), label)) continue;
        *ret = asked.segment[i];
        if (greedy) {
            struct str last = asked.segment[asked.count - 1];
            ret->n = (size_t)(last.p + last.n - ret->p);
        }
        return true;
    }
    return false;
}
