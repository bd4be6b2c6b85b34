/* ddb_item.c -- items: DynamoDB's JSON made, read, and turned into plain JSON and back.
 *
 * One table has the types; what a type's value is like decides how it is turned. Trees made here share nothing with those
 * they are made of but the strings, which are borrowed.
 * Recursion: a plain tree of CL_JSON_DEPTH_MAX levels, which is what the parser gives at most, is turned whole; one built
 * deeper makes the arena fail rather than lose a part (an item has 32 levels at most, and DynamoDB refuses more).
 * Source: Amazon DynamoDB API reference, "AttributeValue". */
#include "ddb.h"

/* A plain level is two of DynamoDB's: the tag and the value. */
#define DEPTH_MAX (2 * CL_JSON_DEPTH_MAX)

typedef enum shape {
    SHAPE_STRING,
    SHAPE_NUMBER,
    SHAPE_BOOL,
    SHAPE_NULL,
    SHAPE_LIST,
    SHAPE_MAP,
    SHAPE_STRINGS,
    SHAPE_NUMBERS
} shape;

static const struct tag {
    const char *name;
    shape shape;
} tags[] = {{"S", SHAPE_STRING}, {"N", SHAPE_NUMBER},  {"BOOL", SHAPE_BOOL},  {"M", SHAPE_MAP},      {"L", SHAPE_LIST},
            {"B", SHAPE_STRING}, {"NULL", SHAPE_NULL}, {"SS", SHAPE_STRINGS}, {"NS", SHAPE_NUMBERS}, {"BS", SHAPE_STRINGS}};

/* What plain types are in DynamoDB. */
static const char *const tag_of[] = {[CL_NULL] = "NULL", [CL_FALSE] = "BOOL", [CL_TRUE] = "BOOL", [CL_NUMBER] = "N",
                                     [CL_STRING] = "S",  [CL_ARRAY] = "L",    [CL_OBJECT] = "M"};

/* ---- trees ---- */

cl_json *cl__ddb_alias(cl_arena *arena, const cl_json *json)
{
    cl_json *copy = json ? cl_alloc(arena, sizeof *copy) : NULL;
    if (copy) {
        *copy = *json;
        copy->next = copy->parent = NULL;
        copy->key = (cl_str){0};
    }
    return copy;
}

cl_json *cl__ddb_text(cl_arena *arena, const char *text)
{
    return text ? cl_json_string(arena, cl_str_of(text)) : NULL;
}

cl_json *cl__ddb_child(const cl_json *object, const char *member, cl_json_type type)
{
    if (!cl_json_is(object, CL_OBJECT))
        return NULL;
    for (cl_json *child = object->first; child; child = child->next)
        if (cl_str_is(child->key, member))
            return child->type == type ? child : NULL;
    return NULL;
}

bool cl__ddb_optional(const cl_json *answer, const char *member, cl_json **ret)
{
    *ret = cl__ddb_child(answer, member, CL_OBJECT);
    return cl_json_is(answer, CL_OBJECT) && (*ret || !cl_json_get(answer, member));
}

bool cl__ddb_all_objects(const cl_json *array)
{
    for CL_JSON_EACH(child, array)
        if (child->type != CL_OBJECT)
            return false;
    return true;
}

void cl__ddb_add(cl_json *parent, cl_str key, cl_json *child)
{
    if (!parent || !child)
        return;
    child->key = parent->type == CL_OBJECT ? key : (cl_str){0};
    cl__json_append(parent, child);
}

static cl_json *tagged(cl_arena *arena, const char *tag, cl_json *value)
{
    cl_json *object = value ? cl_json_object(arena) : NULL;
    cl__ddb_add(object, cl_str_of(tag), value);
    return object;
}

/* ---- plain to DynamoDB's ---- */

static cl_json *to_value(cl_arena *arena, const cl_json *plain, unsigned depth);

static cl_json *to_map(cl_arena *arena, const cl_json *plain, unsigned depth)
{
    cl_json *map = plain->type == CL_OBJECT ? cl_json_object(arena) : cl_json_array(arena);
    for CL_JSON_EACH(child, plain)
        cl__ddb_add(map, child->key, to_value(arena, child, depth + 1));
    return map;
}

static cl_json *to_value(cl_arena *arena, const cl_json *plain, unsigned depth)
{
    if (cl_arena_failed(arena))
        return NULL;
    cl_json *parsed = NULL;
    if (plain->type == CL_RAW) { /* text that a person put into a tree */
        if (cl_json_parse(arena, plain->text, &parsed, NULL) != CL_OK)
            cl__arena_fail(arena);
        plain = parsed;
    }
    if (depth > CL_JSON_DEPTH_MAX)
        cl__arena_fail(arena);
    if (!plain || cl_arena_failed(arena))
        return NULL;
    cl_json *value = NULL;
    switch (plain->type) {
    case CL_NULL:
        value = cl_json_bool(arena, true);
        break;
    case CL_FALSE:
    case CL_TRUE:
        value = cl_json_bool(arena, plain->type == CL_TRUE);
        break;
    case CL_NUMBER:
    case CL_STRING:
        value = cl_json_string(arena, plain->text);
        break;
    case CL_ARRAY:
    case CL_OBJECT:
        value = to_map(arena, plain, depth);
        break;
    case CL_RAW:
        break;
    }
    return value ? tagged(arena, tag_of[plain->type], value) : NULL;
}

cl_json *cl_value_of(cl_arena *arena, const cl_json *plain)
{
    return plain ? to_value(arena, plain, 0) : NULL;
}

cl_item *cl_item_from_json(cl_arena *arena, const cl_json *object)
{
    return cl_json_is(object, CL_OBJECT) ? to_map(arena, object, 0) : NULL;
}

/* ---- DynamoDB's to plain ---- */

static cl_json *to_plain(cl_arena *arena, const cl_json *value, unsigned depth);

static cl_json *plain_number(cl_arena *arena, cl_str text)
{
    return cl__json_number_ok(text) ? cl_json_number(arena, text) : cl_json_string(arena, text);
}

static cl_json *plain_set(cl_arena *arena, const cl_json *set, bool numbers)
{
    cl_json *array = cl_json_array(arena);
    for CL_JSON_EACH(child, set) {
        cl_str text = cl_json_str(child);
        cl__ddb_add(array, child->key, numbers ? plain_number(arena, text) : cl_json_string(arena, text));
    }
    return array;
}

static cl_json *plain_children(cl_arena *arena, const cl_json *value, unsigned depth)
{
    cl_json *plain = value->type == CL_OBJECT ? cl_json_object(arena) : cl_json_array(arena);
    for CL_JSON_EACH(child, value)
        cl__ddb_add(plain, child->key, to_plain(arena, child, depth + 1));
    return plain;
}

/* What is no attribute value becomes null. */
static cl_json *to_plain(cl_arena *arena, const cl_json *value, unsigned depth)
{
    if (depth > DEPTH_MAX)
        cl__arena_fail(arena);
    if (cl_arena_failed(arena))
        return NULL;
    const cl_json *inner = cl_json_is(value, CL_OBJECT) && value->count == 1 ? value->first : NULL;
    const struct tag *tag = tags, *end = tags + CL__COUNT(tags);
    while (inner && tag < end && !cl_str_is(inner->key, tag->name))
        tag++;
    if (!inner || tag == end)
        return cl_json_null(arena);
    bool is_array = inner->type == CL_ARRAY;
    switch (tag->shape) {
    case SHAPE_STRING:
        return inner->type == CL_STRING ? cl_json_string(arena, inner->text) : cl_json_null(arena);
    case SHAPE_NUMBER:
        return inner->type == CL_STRING ? plain_number(arena, inner->text) : cl_json_null(arena);
    case SHAPE_BOOL:
        return cl_json_bool(arena, inner->type == CL_TRUE);
    case SHAPE_NULL:
        return cl_json_null(arena);
    case SHAPE_LIST:
        return is_array ? plain_children(arena, inner, depth) : cl_json_null(arena);
    case SHAPE_MAP:
        return inner->type == CL_OBJECT ? plain_children(arena, inner, depth) : cl_json_null(arena);
    case SHAPE_STRINGS:
    case SHAPE_NUMBERS:
        return is_array ? plain_set(arena, inner, tag->shape == SHAPE_NUMBERS) : cl_json_null(arena);
    }
    return NULL;
}

cl_json *cl_value_to_json(cl_arena *arena, const cl_json *value)
{
    return value ? to_plain(arena, value, 0) : NULL;
}

cl_json *cl_item_to_json(cl_arena *arena, const cl_item *item)
{
    return cl_json_is(item, CL_OBJECT) ? plain_children(arena, item, 0) : NULL;
}

/* ---- one attribute ---- */

cl_item *cl_item_new(cl_arena *arena)
{
    return cl_json_object(arena);
}

static void set(cl_arena *arena, cl_item *item, const char *name, const char *tag, cl_json *value)
{
    cl_json_set(item, name, tagged(arena, tag, value));
}

void cl_item_s(cl_arena *arena, cl_item *item, const char *name, cl_str value)
{
    set(arena, item, name, "S", cl_json_string(arena, value));
}

void cl_item_n(cl_arena *arena, cl_item *item, const char *name, cl_str number)
{
    set(arena, item, name, "N", cl_json_string(arena, number));
}

void cl_item_i(cl_arena *arena, cl_item *item, const char *name, int64_t value)
{
    cl_str text = cl_printf(arena, "%lld", (long long)value);
    cl_item_n(arena, item, name, text);
}

void cl_item_bool(cl_arena *arena, cl_item *item, const char *name, bool value)
{
    set(arena, item, name, "BOOL", cl_json_bool(arena, value));
}

void cl_item_null(cl_arena *arena, cl_item *item, const char *name)
{
    set(arena, item, name, "NULL", cl_json_bool(arena, true));
}

void cl_item_b(cl_arena *arena, cl_item *item, const char *name, cl_str bytes)
{
    set(arena, item, name, "B", cl_json_string(arena, cl_base64(arena, bytes, false)));
}

void cl_item_json(cl_arena *arena, cl_item *item, const char *name, const cl_json *plain)
{
    cl_json_set(item, name, cl_value_of(arena, plain));
}

static void set_of(cl_arena *arena, cl_item *item, const char *name, const char *tag, const cl_str *values, size_t count)
{
    cl_json *array = cl_json_array(arena);
    for (size_t i = 0; i < count; i++)
        cl_json_append(array, cl_json_string(arena, values[i]));
    set(arena, item, name, tag, array);
}

void cl_item_ss(cl_arena *arena, cl_item *item, const char *name, const cl_str *values, size_t count)
{
    set_of(arena, item, name, "SS", values, count);
}

void cl_item_ns(cl_arena *arena, cl_item *item, const char *name, const cl_str *numbers, size_t count)
{
    set_of(arena, item, name, "NS", numbers, count);
}

static const cl_json *attribute(const cl_item *item, const char *name, const char *tag)
{
    return cl_json_get(cl_json_get(item, name), tag);
}

cl_str cl_item_get_s(const cl_item *item, const char *name)
{
    return cl_json_str(attribute(item, name, "S"));
}

cl_str cl_item_get_n(const cl_item *item, const char *name)
{
    return cl_json_str(attribute(item, name, "N"));
}

bool cl_item_get_i(const cl_item *item, const char *name, int64_t *ret)
{
    cl_json number = {.type = CL_NUMBER, .text = cl_item_get_n(item, name)};
    return cl_json_i64(&number, ret);
}

bool cl_item_get_bool(const cl_item *item, const char *name)
{
    return cl_json_is(attribute(item, name, "BOOL"), CL_TRUE);
}
