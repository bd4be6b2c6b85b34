/* model.c -- lookups in the generated tables, and the routing of REST requests.
 *
 * Operations are sorted by name and found by bisection; members of a structure are few and found one by one, their
 * lengths first. Routes stand in the order of their specificity (gen_api.py: a static segment before a label before a
 * greedy label), so the first that matches is the answer. Segments are compared while they are still percent-encoded: AWS's
 * labels hold encoded slashes. One slash at a path's end is ignored, as AWS does, except by a greedy label that ends the path:
 * there it is part of S3's key, and so are empty segments. Operations of S3 that share a route are told apart by the
 * parameters and headers that they require. */
#include "call/model.h"

const struct model_operation *model_operation_find(const struct model *m, struct str name)
{
    size_t low = 0, high = m->operation_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int c = str_cmp(name, str_of(model_text(m, m->operations[middle].name)));
        if (c == 0)
            return &m->operations[middle];
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct model_member *model_member_find(const struct model *m, const struct model_shape *shape, struct str name)
{
    const struct model_member *member = &m->members[shape->members], *end = member + shape->member_count;
    for (; member < end; member++) {
        if (member->name_n == name.n && memcmp(m->pool + member->name, name.p, name.n) == 0)
            return member;
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
        if (str_eq(name, str_of(model_text(m, shape->name))))
            return shape;
        if (shape->error_code && str_eq(name, str_of(model_text(m, shape->error_code))))
            return shape;
    }
    return NULL;
}

/* ---- routes ---- */

/* A path's segments, one after the other, from the front or from the back. */
struct path {
    struct str rest;            /* without the slash at its beginning */
    bool slash_ends;            /* one more slash stood at its end */
};

static struct path path_of(struct str text)
{
    struct path path = {text, false};
    if (text.n && text.p[0] == '/')
        path.rest = str_slice(text, 1, text.n);
    path.slash_ends = path.rest.n && path.rest.p[path.rest.n - 1] == '/';
    if (path.slash_ends)
        path.rest.n--;
    return path;
}

static size_t path_count(const struct path *path)
{
    size_t count = path->rest.n > 0;
    for (size_t i = 0; i < path->rest.n; i++)
        count += path->rest.p[i] == '/';
    return count;
}

static struct str path_front(struct path *path)
{
    return str_cut(&path->rest, '/');
}

static struct str path_back(struct path *path)
{
    size_t n = path->rest.n;
    while (n && path->rest.p[n - 1] != '/')
        n--;
    struct str last = str_slice(path->rest, n, path->rest.n);
    path->rest.n = n ? n - 1 : 0;
    return last;
}

static bool is_greedy(struct str label)
{
    return label.n > 2 && label.p[0] == '{' && label.p[label.n - 2] == '+';
}

static bool segment_matches(struct str pattern, struct str segment)
{
    return pattern.p[0] == '{' ? segment.n > 0 : str_eq(pattern, segment);
}

/* What stands for a greedy label in the middle or at the end: all that the segments around it leave. A slash at the
 * end of a path belongs to a greedy label that ends it. */
static struct str greedy_rest(const struct path *asked, bool last)
{
    struct str rest = asked->rest;
    if (last && asked->slash_ends)
        rest.n++;
    return rest;
}

/* Takes what surrounds the greedy label off both; true: it fits, and *asked is what the label stands for. */
static bool around_greedy(struct path *pattern, struct path *asked)
{
    while (pattern->rest.n) {
        struct path before = *pattern;
        struct str segment = path_front(pattern);
        if (is_greedy(segment)) {
            *pattern = before;
            break;
        }
        if (!segment_matches(segment, path_front(asked)))
            return false;
    }
    for (;;) {
        struct str segment = path_back(pattern);
        if (is_greedy(segment))
            return asked->rest.n > 0;
        if (!segment_matches(segment, path_back(asked)))
            return false;
    }
}

static bool path_matches(const struct model_route *route, struct path pattern, struct path asked)
{
    if (route->greedy)
        return around_greedy(&pattern, &asked);
    while (pattern.rest.n) {
        if (!segment_matches(path_front(&pattern), path_front(&asked)))
            return false;
    }
    return true;
}

/* Whether a parameter stands among those of a raw query: "a=b", or with any value "a". */
static bool query_has(struct str query, struct str parameter)
{
    bool valued = str_find(parameter, '=') < parameter.n;
    while (query.n) {
        struct str pair = str_cut(&query, '&');
        if (str_eq(valued ? pair : str_slice(pair, 0, str_find(pair, '=')), parameter))
            return true;
    }
    return false;
}

static bool constants_match(struct str constants, struct str query)
{
    while (constants.n) {
        if (!query_has(query, str_cut(&constants, '&')))
            return false;
    }
    return true;
}

static bool needs_met(struct str needs, const struct model_request *request)
{
    while (needs.n) {
        struct str need = str_cut(&needs, ' '), name = str_slice(need, 1, need.n);
        if (need.p[0] == '?' ? !query_has(request->query, name) : !request->has_header || !request->has_header(name, request->arg))
            return false;
    }
    return true;
}

const struct model_operation *model_operation_route(const struct model *m, const struct model_request *request)
{
    struct path asked = path_of(request->path);
    size_t count = path_count(&asked);
    for (size_t i = 0; i < m->route_count; i++) {
        const struct model_route *route = &m->routes[i];
        const struct model_operation *op = &m->operations[route->operation];
        if (route->greedy ? count < route->segments : count != route->segments)
            continue;
        if (!str_eq(request->method, str_of(model_text(m, op->method))))
            continue;
        if (route->query && !constants_match(str_of(model_text(m, route->query)), request->query))
            continue;
        if (!path_matches(route, path_of(str_of(model_text(m, op->uri))), asked))
            continue;
        if (!route->needs || needs_met(str_of(model_text(m, route->needs)), request))
            return op;
    }
    return NULL;
}

bool model_uri_value(const struct model *m, const struct model_operation *op, struct str path, struct str label, struct str *ret)
{
    struct path pattern = path_of(str_of(model_text(m, op->uri))), asked = path_of(path);
    while (pattern.rest.n) {
        struct path before = pattern;
        struct str segment = path_front(&pattern);
        bool greedy = is_greedy(segment);
        if (greedy && !str_eq(str_slice(segment, 1, segment.n - 2), label)) {       /* what is sought stands behind it */
            while (pattern.rest.n && asked.rest.n) {
                struct str last = path_back(&pattern), value = path_back(&asked);
                if (last.p[0] != '{' || !str_eq(str_slice(last, 1, last.n - 1), label))
                    continue;
                *ret = value;
                return true;
            }
            return false;
        }
        if (greedy) {
            bool last = !pattern.rest.n;
            if (!around_greedy(&before, &asked))
                return false;
            *ret = greedy_rest(&asked, last);
            return true;
        }
        if (!asked.rest.n)
            return false;
        struct str value = path_front(&asked);
        if (segment.p[0] != '{' || !str_eq(str_slice(segment, 1, segment.n - 1), label))
            continue;
        *ret = value;
        return true;
    }
    return false;
}
