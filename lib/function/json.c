/* json.c -- trees of JSON: read, built, copied.
 *
 * Invariants of a tree: last is the end of the list at first, count its length, parent is whose list a node is in; key is empty
 * outside of objects. A built tree may be deeper than a parsed one, up to CL__JSON_WRITE_DEPTH_MAX. */
#include "internal.h"
#include <locale.h>
#include <stdlib.h>

void cl__json_append(cl_json *parent, cl_json *child)
{
    child->next = NULL;
    child->parent = parent;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

static bool is_of(const cl_json *json, cl_json_type type)
{
    return json && json->type == type;
}

/* ---- reading ---- */

/* The last one: a built object may have a name twice. */
static const cl_json *get(const cl_json *object, cl_str member)
{
    const cl_json *found = NULL;
    if (is_of(object, CL_OBJECT))
        for (const cl_json *child = object->first; child; child = child->next)
            if (cl_str_eq(child->key, member))
                found = child;
    return found;
}

const cl_json *cl_json_get(const cl_json *object, const char *member)
{
    return get(object, cl_str_of(member));
}

static const cl_json *at_index(const cl_json *array, cl_str text)
{
    size_t index = 0;
    if (text.n == 0 || text.n > 9)
        return NULL;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return NULL;
        index = index * 10 + (size_t)(text.p[i] - '0');
    }
    const cl_json *child = array->first;
    while (child && index--)
        child = child->next;
    return child;
}

const cl_json *cl_json_path(const cl_json *json, const char *path)
{
    bool more = *path != 0;
    while (json && more) {
        cl_str part = {path, strcspn(path, ".")};
        json = json->type == CL_ARRAY ? at_index(json, part) : get(json, part);
        more = path[part.n] == '.';
        path += part.n + more;
    }
    return json;
}

cl_str cl_json_str(const cl_json *json)
{
    return is_of(json, CL_STRING) ? json->text : (cl_str){"", 0};
}

bool cl_json_is(const cl_json *json, cl_json_type type)
{
    return is_of(json, type);
}

/* The digits with their point moved by the exponent must be an integer; 12.00, 1.2e1 and 1e3 are. */
bool cl_json_i64(const cl_json *json, int64_t *ret)
{
    if (!is_of(json, CL_NUMBER) || !cl__json_number_ok(json->text))
        return false;
    const char *p = json->text.p, *end = p + json->text.n;
    bool negative = *p == '-', pointed = false;
    int64_t value = 0, exponent = 0, zeros = 0, said = 0;       /* value * 10^(zeros + exponent), zeros not yet multiplied in */
    for (p += negative; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            pointed = true;
            continue;
        }
        exponent -= pointed;
        if (*p == '0') {
            zeros += value != 0;
            continue;
        }
        for (; zeros > 0; zeros--)
            if (__builtin_mul_overflow(value, 10, &value))
                return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, *p - '0', &value))
            return false;                                       /* negative: it reaches one further */
    }
    if (p < end) {
        bool minus = p[1] == '-';
        for (p += 1 + (p[1] == '-' || p[1] == '+'); p < end; p++)
            said = said > INT32_MAX ? said : said * 10 + (*p - '0');
        exponent += minus ? -said : said;
    }
    /* A zero at the front or alone left no trace in `zeros`: value is 0 and the exponent means nothing. */
    exponent = value ? exponent + zeros : 0;
    if (exponent < 0)
        return false;
    for (; exponent > 0; exponent--)
        if (__builtin_mul_overflow(value, 10, &value))
            return false;
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
        return false;
    *ret = value;
    return true;
}

bool cl_json_double(const cl_json *json, double *ret)
{
    if (!is_of(json, CL_NUMBER) || !cl__json_number_ok(json->text))
        return false;
    /* The C locale's point, whatever the program has set; the C library has that locale ready. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    char text[64], *copy = text;
    if (!plain)
        return false;
    if (json->text.n >= sizeof text) {
        copy = cl__malloc(json->text.n + 1);
        if (!copy)
            return false;
    }
    memcpy(copy, json->text.p, json->text.n);
    copy[json->text.n] = 0;
    double value = strtod_l(copy, NULL, plain);
    if (copy != text)
        free(copy);
    if (value - value != 0)
        return false;                                           /* too large to be one */
    *ret = value;
    return true;
}

/* ---- building ---- */

static cl_json *node_of(cl_arena *arena, cl_json_type type, cl_str text)
{
    cl_json *node = cl__take(arena, sizeof *node, _Alignof(cl_json));
    if (node)
        *node = (cl_json){.type = type, .text = text};
    return node;
}

cl_json *cl_json_object(cl_arena *arena)
{
    return node_of(arena, CL_OBJECT, (cl_str){NULL, 0});
}

cl_json *cl_json_array(cl_arena *arena)
{
    return node_of(arena, CL_ARRAY, (cl_str){NULL, 0});
}

cl_json *cl_json_string(cl_arena *arena, cl_str text)
{
    return node_of(arena, CL_STRING, text);
}

cl_json *cl_json_number(cl_arena *arena, cl_str text)
{
    if (!cl__json_number_ok(text))
        cl__arena_spoil(arena, "a JSON number was to be made of text that is none");
    return node_of(arena, CL_NUMBER, text);
}

cl_json *cl_json_int(cl_arena *arena, int64_t value)
{
    cl_str text = cl_printf(arena, "%lld", (long long)value);
    return text.p ? node_of(arena, CL_NUMBER, text) : NULL;
}

cl_json *cl_json_bool(cl_arena *arena, bool value)
{
    return node_of(arena, value ? CL_TRUE : CL_FALSE, (cl_str){NULL, 0});
}

cl_json *cl_json_null(cl_arena *arena)
{
    return node_of(arena, CL_NULL, (cl_str){NULL, 0});
}

cl_json *cl_json_raw(cl_arena *arena, cl_str json_text)
{
    return node_of(arena, CL_RAW, json_text);
}

/* Out of the tree it stands in. Of a copy that only says it stands there nothing changes. */
static void leave(cl_json *child)
{
    cl_json *parent = child->parent, *before = NULL, *at = parent ? parent->first : NULL;
    for (; at && at != child; at = at->next)
        before = at;
    child->parent = NULL;
    if (!at)
        return;
    *(before ? &before->next : &parent->first) = child->next;
    if (parent->last == child)
        parent->last = before;
    parent->count--;
}

cl_json *cl_json_set(cl_json *object, const char *member, cl_json *child)
{
    if (!is_of(object, CL_OBJECT) || !child || (child->parent == object && cl_str_is(child->key, member)))
        return child;
    leave(child);
    child->key = cl_str_of(member);
    cl_json **link = &object->first;
    while (*link && !cl_str_eq((*link)->key, child->key))
        link = &(*link)->next;
    if (!*link) {
        cl__json_append(object, child);
        return child;
    }
    cl_json *old = *link;
    child->next = old->next;
    child->parent = object;
    old->parent = NULL;
    *link = child;
    if (object->last == old)
        object->last = child;
    return child;
}

cl_json *cl_json_append(cl_json *array, cl_json *child)
{
    if (is_of(array, CL_ARRAY) && child) {
        leave(child);
        child->key = (cl_str){NULL, 0};
        cl__json_append(array, child);
    }
    return child;
}

static cl_json *copy_one(cl_arena *arena, const cl_json *json)
{
    cl_json *node = node_of(arena, json->type, json->text.p ? cl_dup(arena, json->text) : json->text);
    if (node && json->key.p)
        node->key = cl_dup(arena, json->key);
    return node;
}

/* Walks both trees in step; deeper than CL__JSON_WRITE_DEPTH_MAX fails the arena, as it could not be written either. */
cl_json *cl_json_copy(cl_arena *arena, const cl_json *json)
{
    const cl_json *from[CL__JSON_WRITE_DEPTH_MAX];
    cl_json *to[CL__JSON_WRITE_DEPTH_MAX], *root = json ? copy_one(arena, json) : NULL;
    size_t depth = 0;
    if (!root)
        return NULL;
    root->key = (cl_str){NULL, 0};
    from[0] = json->first, to[0] = root;
    for (;;) {
        const cl_json *child = from[depth];
        if (!child) {
            if (depth-- == 0)
                break;
            continue;
        }
        from[depth] = child->next;
        cl_json *copy = copy_one(arena, child);
        if (!copy)
            return NULL;
        cl__json_append(to[depth], copy);
        if (!child->first)
            continue;
        if (++depth == CL__JSON_WRITE_DEPTH_MAX) {
            cl__arena_spoil(arena, CL__TOO_DEEP);
            return NULL;
        }
        from[depth] = child->first, to[depth] = copy;
    }
    return cl_arena_failed(arena) ? NULL : root;
}
