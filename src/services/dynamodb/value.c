/* value.c -- the tree of value.h: life, comparison, sizes, output as JSON. Reading from JSON is value_json.c.
 *
 * Sets and maps may hold tens of thousands of small members (an item has 400 KB), and these functions run on the
 * committer's thread, so nothing here is quadratic: sets and maps are compared through sorted arrays of pointers.
 * Recursion follows containers and is bounded by VALUE_DEPTH_MAX where values enter (value_json.c, item.c, update.c).
 * Sizes: developer guide, "DynamoDB item sizes and formats". */
#include "services/dynamodb/value.h"
#include "base/codec.h"
#include "base/panic.h"
#include <stdlib.h>

static const char *const type_names[VALUE_TYPES] = {"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"};

const char *value_type_name(enum value_type type)
{
    return type_names[type];
}

bool value_type_parse(struct str name, enum value_type *ret)
{
    for (int i = 0; i < VALUE_TYPES; i++) {
        if (name.n == 0 || name.p[0] != type_names[i][0] || !str_eq(name, str_of(type_names[i])))
            continue;
        *ret = (enum value_type)i;
        return true;
    }
    return false;
}

bool value_is_set(enum value_type type)
{
    return type == VALUE_SS || type == VALUE_NS || type == VALUE_BS;
}

enum value_type value_set_element(enum value_type set)
{
    ENSURE(value_is_set(set));
    return set == VALUE_SS ? VALUE_S : set == VALUE_NS ? VALUE_N : VALUE_B;
}

static bool has_children(enum value_type type)
{
    return type >= VALUE_M;
}

struct value *value_new(struct arena *arena, enum value_type type)
{
    struct value *value = arena_new_of(arena, struct value);
    value->type = type;
    return value;
}

struct value *value_clone(struct arena *arena, const struct value *value)
{
    struct value *copy = arena_alloc(arena, sizeof *copy);
    *copy = *value;
    copy->first = copy->last = copy->next = NULL;
    copy->count = 0;
    for (const struct value *child = value->first; child; child = child->next)
        value_append(copy, value_clone(arena, child));
    return copy;
}

struct value *value_member(const struct value *map, struct str name)
{
    for (struct value *member = map->first; member; member = member->next)
        if (str_eq(member->name, name))
            return member;
    return NULL;
}

struct value *value_element(const struct value *list, size_t index)
{
    if (index >= list->count)
        return NULL;
    struct value *element = list->first;
    while (index-- > 0)
        element = element->next;
    return element;
}

void value_append(struct value *parent, struct value *child)
{
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

/* ---- comparison ---- */

int value_cmp(const struct value *a, const struct value *b, bool *ret_comparable)
{
    *ret_comparable = a->type == b->type && a->type <= VALUE_B;
    if (!*ret_comparable)
        return 0;
    return a->type == VALUE_N ? decimal_cmp(&a->number, &b->number) : str_cmp(a->bytes, b->bytes);
}

static int by_value(const void *a, const void *b)
{
    bool comparable;
    return value_cmp(*(const struct value *const *)a, *(const struct value *const *)b, &comparable);
}

static int member_name_order(const void *a, const void *b)
{
    return str_cmp((*(const struct value *const *)a)->name, (*(const struct value *const *)b)->name);
}

static void fill_sorted(const struct value *parent, int (*order)(const void *, const void *), const struct value **ret)
{
    size_t n = 0;
    for (const struct value *child = parent->first; child; child = child->next)
        ret[n++] = child;
    if (n)
        qsort(ret, n, sizeof *ret, order);
}

const struct value **value_sorted(const struct value *set, struct arena *arena)
{
    const struct value **sorted = arena_alloc(arena, sizeof *sorted * (set->count + 1));
    fill_sorted(set, by_value, sorted);
    return sorted;
}

bool value_sorted_find(const struct value *const *sorted, size_t count, const struct value *element)
{
    return count && bsearch(&element, sorted, count, sizeof *sorted, by_value);
}

static bool lists_equal(const struct value *a, const struct value *b)
{
    const struct value *x = a->first, *y = b->first;
    while (x && y && value_equal(x, y))
        x = x->next, y = y->next;
    return !x && !y;
}

/* Sets by their elements, maps by name and value, each without regard to order. */
static bool unordered_equal(const struct value *a, const struct value *b)
{
    bool map = a->type == VALUE_M, equal = true;
    size_t n = a->count;
    const struct value **x = mem_alloc(sizeof *x * 2 * (n + 1)), **y = x + n + 1;
    fill_sorted(a, map ? member_name_order : by_value, x);
    fill_sorted(b, map ? member_name_order : by_value, y);
    for (size_t i = 0; i < n && equal; i++)
        equal = (!map || str_eq(x[i]->name, y[i]->name)) && value_equal(x[i], y[i]);
    free(x);
    return equal;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case VALUE_S: case VALUE_B: return str_eq(a->bytes, b->bytes);
    case VALUE_N:
        return decimal_cmp(&a->number, &b->number) == 0;
    case VALUE_BOOL:
        return a->boolean == b->boolean;
    case VALUE_NULL:
        return true;
    case VALUE_L:
        return a->count == b->count && lists_equal(a, b);
    default:
        return a->count == b->count && unordered_equal(a, b);
    }
}

/* ---- sizes ---- */

static size_t children_size(const struct value *parent)
{
    size_t size = 0;
    for (const struct value *child = parent->first; child; child = child->next)
        size += child->name.n + value_size(child);
    return size;
}

/* A byte, one for each pair of digits on either side of the point, one for a sign. The developer guide's rule ("one byte
 * for every two significant digits") leaves out that the pairs are aligned to the point; the service counts them so. */
static size_t number_size(const struct decimal *d)
{
    size_t whole = d->exponent <= 0 ? 0 : d->exponent < d->count ? (size_t)d->exponent : d->count;
    size_t fraction = d->count - whole;
    return 1 + (whole + 1) / 2 + (fraction + 1) / 2 + d->negative;
}

size_t value_size(const struct value *value)
{
    switch (value->type) {
    case VALUE_S: case VALUE_B: return value->bytes.n;
    case VALUE_N:
        return number_size(&value->number);
    case VALUE_BOOL: case VALUE_NULL: return 1;
    case VALUE_M: case VALUE_L: return 3 + value->count + children_size(value);
    default:
        return children_size(value);
    }
}

size_t item_size(const struct value *item)
{
    return children_size(item);
}

static bool deeper_than(const struct value *value, unsigned levels)
{
    if (!has_children(value->type) || value_is_set(value->type))
        return false;
    if (levels == 0)
        return true;
    for (const struct value *child = value->first; child; child = child->next)
        if (deeper_than(child, levels - 1))
            return true;
    return false;
}

bool value_too_deep(const struct value *value)
{
    return deeper_than(value, VALUE_DEPTH_MAX);
}

/* ---- output ---- */

static void write_scalar(struct buf *buf, const struct value *value)
{
    if (value->type == VALUE_S) {
        json_write_str(buf, value->bytes);
        return;
    }
    buf_add_char(buf, '"');
    if (value->type == VALUE_N)
        decimal_write(buf, &value->number);
    else
        base64_write(buf, value->bytes);
    buf_add_char(buf, '"');
}

static void value_write_elements(struct buf *buf, const struct value *parent)
{
    bool set = value_is_set(parent->type);
    buf_add_char(buf, '[');
    for (const struct value *child = parent->first; child; child = child->next) {
        if (child != parent->first)
            buf_add_char(buf, ',');
        if (set)
            write_scalar(buf, child);
        else
            value_write_json(buf, child);
    }
    buf_add_char(buf, ']');
}

void item_write_json(struct buf *buf, const struct value *item)
{
    buf_add_char(buf, '{');
    for (const struct value *child = item->first; child; child = child->next) {
        if (child != item->first)
            buf_add_char(buf, ',');
        json_write_str(buf, child->name);
        buf_add_char(buf, ':');
        value_write_json(buf, child);
    }
    buf_add_char(buf, '}');
}

void value_write_json(struct buf *buf, const struct value *value)
{
    buf_lit(buf, "{\"");
    buf_add(buf, str_of(type_names[value->type]));
    buf_lit(buf, "\":");
    switch (value->type) {
    case VALUE_S: case VALUE_N: case VALUE_B: write_scalar(buf, value); break;
    case VALUE_BOOL:
        buf_add(buf, value->boolean ? STR("true") : STR("false"));
        break;
    case VALUE_NULL:
        buf_lit(buf, "true");
        break;
    case VALUE_M:
        item_write_json(buf, value);
        break;
    default:
        value_write_elements(buf, value);
        break;
    }
    buf_add_char(buf, '}');
}
