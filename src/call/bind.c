/* bind.c -- from what a client sent to the input tree that handlers see.
 *
 * A parsed JSON body is walked together with its shape, in place: members get the model's names, unknown members and
 * nulls go (AWS ignores both), scalars are checked and brought to one form. A value of another type than the shape's
 * is a SerializationException with the texts of AWS's own parser; they depend on what was found, what was wanted and
 * whether it stood in a structure or in a collection. A null within a list or map goes too; where the element is a
 * structure it is an empty one.
 * Text from URIs, headers, query strings and forms becomes nodes of the same form (bind_text).
 * Recursion follows the JSON tree, whose depth the parser bounds (JSON_DEPTH_MAX). */
#include "call/bind.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/panic.h"
#include <stdlib.h>

struct binder {
    struct call *call;
    const struct model *m;
    bool named;         /* members may have the model's names too */
};
enum place { IN_STRUCTURE, IN_COLLECTION };

static const char *const java_names[] = {
    [MODEL_STRING] = "String", [MODEL_BOOLEAN] = "Boolean", [MODEL_INTEGER] = "Integer", [MODEL_LONG] = "Long",
    [MODEL_FLOAT] = "Float", [MODEL_DOUBLE] = "Double", [MODEL_TIMESTAMP] = "milliseconds since epoch",
};

static bool bind_node(struct binder *b, const struct model_shape *shape, enum model_time time, struct json *node, enum place place);

static bool bind_refuse(struct binder *b, struct str message)
{
    call_fault(b->call, FAULT_SERIALIZATION, message);
    return false;
}

static bool is_collection(const struct model_shape *shape)
{
    return shape->type == MODEL_STRUCTURE || shape->type == MODEL_MAP || shape->type == MODEL_LIST;
}

/* ---- what AWS's parsers say ----
 * DynamoDB's parser has texts of its own (recorded in the tests of dynalite); the other services' are those that
 * Athena and SES answered in 2026. */

static const char *token_name(const struct binder *b, const struct json *node)
{
    switch (node->type) {
    case JSON_TRUE:
        return "TRUE_VALUE";
    case JSON_FALSE:
        return "FALSE_VALUE";
    case JSON_STRING:
        return "STRING_VALUE";
    case JSON_NUMBER:
        return b->call->api->errors->old_parser && memchr(node->text.p, '.', node->text.n) ? "DECIMAL_VALUE" : "NUMBER_VALUE";
    default:
        return "NULL_VALUE";
    }
}

/* The name of a shape's class as the old parser prints it: in the package that error types have, too. */
static struct str class_of(struct binder *b, const struct model_shape *shape)
{
    if (shape->type == MODEL_STRING)
        return STR("java.lang.String");
    struct str prefix = str_of(b->call->api->errors->model_prefix);
    return arena_printf(b->call->arena, STR_FMT ".%s", STR_ARG(str_slice(prefix, 0, str_find(prefix, '#'))),
                        model_text(b->m, shape->name));
}

static bool refuse_array_old(struct binder *b, const struct model_shape *shape)
{
    struct arena *arena = b->call->arena;
    switch (shape->type) {
    case MODEL_MAP: {
        const struct model_shape *value = &b->m->shapes[model_element(b->m, shape, 1)->shape];
        return bind_refuse(b, arena_printf(arena, "Unrecognized collection type java.util.Map<java.lang.String, " STR_FMT ">",
                                      STR_ARG(class_of(b, value))));
    }
    case MODEL_STRUCTURE:
        return bind_refuse(b, arena_printf(arena, "Unrecognized collection type class " STR_FMT, STR_ARG(class_of(b, shape))));
    case MODEL_BLOB:
        return bind_refuse(b, STR("Unrecognized collection type class java.nio.ByteBuffer"));
    case MODEL_TIMESTAMP:
        return bind_refuse(b, STR("Unrecognized collection type class java.util.Date"));
    default:
        return bind_refuse(b, arena_printf(arena, "Unrecognized collection type class java.lang.%s", java_names[shape->type]));
    }
}

static bool refuse_scalar_old(struct binder *b, const struct model_shape *shape, const struct json *node, enum place place)
{
    if (is_collection(shape) && place == IN_STRUCTURE)
        return bind_refuse(b, STR("Unexpected field type"));
    if (shape->type == MODEL_STRUCTURE)
        return bind_refuse(b, STR("Unexpected value type in payload"));
    if (is_collection(shape))
        return bind_refuse(b, STR("class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class "
                             "java.lang.Class (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and "
                             "java.lang.Class are in module java.base of loader 'bootstrap')"));
    if (shape->type == MODEL_BLOB)
        return bind_refuse(b, STR("only base-64-encoded strings are convertible to bytes"));
    if (shape->type == MODEL_BOOLEAN && node->type == JSON_STRING)
        return bind_refuse(b, STR("Unexpected token received from parser"));
    return bind_refuse(b,
                       arena_printf(b->call->arena, "%s cannot be converted to %s", token_name(b, node), java_names[shape->type]));
}

static bool refuse_scalar(struct binder *b, const struct model_shape *shape, const struct json *node, enum place place)
{
    if (b->call->api->errors->old_parser)
        return refuse_scalar_old(b, shape, node, place);
    switch (shape->type) {
    case MODEL_STRUCTURE:
        return bind_refuse(b, STR("Expected null"));
    case MODEL_LIST:
        return bind_refuse(b, STR("Expected list or null"));
    case MODEL_MAP:
        return bind_refuse(b, STR("Expected map or null"));
    case MODEL_BLOB:
        return bind_refuse(b, arena_printf(b->call->arena, "%s can not be converted to a Blob", token_name(b, node)));
    default:
        break;
    }
    return bind_refuse(b, arena_printf(b->call->arena, "%s can not be converted to %s %s", token_name(b, node),
                                  shape->type == MODEL_INTEGER ? "an" : "a", java_names[shape->type]));
}

static bool refuse_collection(struct binder *b, const struct model_shape *shape, const struct json *node)
{
    bool old = b->call->api->errors->old_parser;
    if (node->type == JSON_OBJECT)
        return bind_refuse(b, old ? STR("Start of structure or map found where not expected")
                             : STR("Start of structure or map found where not expected."));
    return old ? refuse_array_old(b, shape) : bind_refuse(b, STR("Start of list found where not expected"));
}

/* ---- scalars ---- */

/* A number's text as an integer, fractions cut off and the value clamped, as AWS's parser does. */
static struct str truncated(struct arena *arena, struct str text, int64_t low, int64_t high)
{
    int64_t value;
    if (!str_to_i64(text, &value)) {
        double real = strtod(arena_cstr(arena, text), NULL);
        if (real >= 9.2e18)
            value = INT64_MAX;
        else if (real <= -9.2e18)
            value = INT64_MIN;
        else
            value = (int64_t)real;
    } else if (value >= low && value <= high) {
        return text;
    }
    value = value < low ? low : value > high ? high : value;
    return arena_printf(arena, "%lld", (long long)value);
}

/* What a float may be beside numbers: it stays a string in the tree. */
static bool is_no_number(const struct model_shape *shape, struct str text)
{
    bool real = shape->type == MODEL_FLOAT || shape->type == MODEL_DOUBLE;
    return real && (str_eq(text, STR("NaN")) || str_eq(text, STR("Infinity")) || str_eq(text, STR("-Infinity")));
}

static bool bind_number(struct binder *b, const struct model_shape *shape, struct json *node)
{
    if (node->type == JSON_STRING && is_no_number(shape, node->text))
        return true;
    if (node->type != JSON_NUMBER)
        return refuse_scalar(b, shape, node, IN_STRUCTURE);
    if (shape->type == MODEL_INTEGER)
        node->text = truncated(b->call->arena, node->text, INT32_MIN, INT32_MAX);
    else if (shape->type == MODEL_LONG)
        node->text = truncated(b->call->arena, node->text, INT64_MIN, INT64_MAX);
    return true;
}

static struct str seconds_of(struct arena *arena, int64_t epoch_ms)
{
    if (epoch_ms % 1000 == 0)
        return arena_printf(arena, "%lld", (long long)(epoch_ms / 1000));
    return arena_printf(arena, "%.3f", (double)epoch_ms / 1000);
}

static bool bind_timestamp(struct binder *b, const struct model_shape *shape, enum model_time time, struct json *node)
{
    int64_t epoch_ms;
    bool text_allowed = (time ? time : shape->time) == MODEL_TIME_ISO8601 || (time ? time : shape->time) == MODEL_TIME_RFC822;
    if (node->type == JSON_NUMBER)
        return true;
    if (node->type != JSON_STRING || !text_allowed || !clock_parse(node->text, &epoch_ms))
        return refuse_scalar(b, shape, node, IN_STRUCTURE);
    node->type = JSON_NUMBER;
    node->text = seconds_of(b->call->arena, epoch_ms);
    return true;
}

/* The first byte that is not of the alphabet, or n. */
static size_t base64_span(const char *p, size_t n)
{
    static const bool alphabet[256] = {
        ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1, ['+'] = 1,
        ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1,
        ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1,
        ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1,
        ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1,
        ['s'] = 1, ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1, ['/'] = 1};
    size_t i = 0;
    while (i < n && alphabet[(unsigned char)p[i]])
        i++;
    return i;
}

/* Padded standard base64 whose last character has no stray bits. */
static bool bind_blob(struct binder *b, const struct model_shape *shape, struct json *node)
{
    if (node->type != JSON_STRING)
        return refuse_scalar(b, shape, node, IN_STRUCTURE);
    struct str text = node->text;
    if (text.n % 4 != 0)
        return bind_refuse(b, arena_printf(b->call->arena,
                                      "Base64 encoded length is expected a multiple of 4 bytes but found: %zu", text.n));
    size_t pads = text.n && text.p[text.n - 1] == '=' ? 1 + (text.p[text.n - 2] == '=') : 0;
    size_t span = base64_span(text.p, text.n - pads);
    if (span < text.n - pads) {
        char bad = text.p[span];
        if (bad == '=')
            return bind_refuse(b, STR("Invalid last non-pad Base64 character dectected"));
        return bind_refuse(b, arena_printf(b->call->arena, "Invalid Base64 character: '%c'", (unsigned char)bad < 128 ? bad : '?'));
    }
    if (pads) {
        struct str tail = str_slice(text, text.n - 4, text.n), bytes;
        if (base64_decode(tail, b->call->arena, &bytes) != ERR_OK)
            return bind_refuse(b, STR("Invalid last non-pad Base64 character dectected"));
    }
    return true;
}

/* ---- collections ---- */

/* Unlinks the child behind `previous` (NULL: the first). */
static void unlink_child(struct json *parent, struct json *previous, struct json *child)
{
    if (previous)
        previous->next = child->next;
    else
        parent->first = child->next;
    if (parent->last == child)
        parent->last = previous;
    parent->count--;
}

static const struct model_member *find_member(const struct binder *b, const struct model_shape *shape, struct str key)
{
    const struct model_member *member = model_member_find_wire(b->m, shape, key);
    return member || !b->named ? member : model_member_find(b->m, shape, key);
}

static bool bind_structure(struct binder *b, const struct model_shape *shape, struct json *node)
{
    struct json *previous = NULL;
    for (struct json *child = node->first, *next; child; child = next) {
        next = child->next;
        const struct model_member *member = child->type == JSON_NULL ? NULL : find_member(b, shape, child->key);
        if (!member) {
            unlink_child(node, previous, child);
            continue;
        }
        if (!bind_node(b, &b->m->shapes[member->shape], member->time, child, IN_STRUCTURE))
            return false;
        child->key = model_member_name(b->m, member);
        previous = child;
    }
    if ((shape->flags & MODEL_SHAPE_UNION) && node->count != 1 && !b->call->api->errors->old_parser)
        return bind_refuse(b, STR("A union must have exactly one member."));
    return true;
}

/* Elements that are null: an empty structure, or nothing at all; in a sparse collection they stay. */
static bool bind_collection(struct binder *b, const struct model_shape *shape, struct json *node)
{
    const struct model_member *element = model_element(b->m, shape, shape->type == MODEL_MAP);
    const struct model_shape *wanted = &b->m->shapes[element->shape];
    struct json *previous = NULL;
    for (struct json *child = node->first, *next; child; child = next) {
        next = child->next;
        if (child->type == JSON_NULL && (shape->flags & MODEL_SHAPE_SPARSE)) {
            previous = child;
            continue;
        }
        if (child->type == JSON_NULL && wanted->type == MODEL_STRUCTURE)
            child->type = JSON_OBJECT;
        if (child->type == JSON_NULL) {
            unlink_child(node, previous, child);
            continue;
        }
        if (!bind_node(b, wanted, element->time, child, IN_COLLECTION))
            return false;
        previous = child;
    }
    return true;
}

static bool bind_node(struct binder *b, const struct model_shape *shape, enum model_time time, struct json *node, enum place place)
{
    static const enum json_type wanted[] = {[MODEL_STRUCTURE] = JSON_OBJECT, [MODEL_MAP] = JSON_OBJECT, [MODEL_LIST] = JSON_ARRAY};
    bool collection = is_collection(shape);
    if (shape->flags & MODEL_SHAPE_DOCUMENT)
        return true;
    if (!collection || node->type != wanted[shape->type]) {
        if (node->type == JSON_ARRAY || node->type == JSON_OBJECT)
            return refuse_collection(b, shape, node);
        if (collection)
            return refuse_scalar(b, shape, node, place);
    }
    switch ((enum model_type)shape->type) {
    case MODEL_STRUCTURE:
        return bind_structure(b, shape, node);
    case MODEL_LIST:
    case MODEL_MAP:
        return bind_collection(b, shape, node);
    case MODEL_STRING:
        return node->type == JSON_STRING || refuse_scalar(b, shape, node, place);
    case MODEL_BLOB:
        return bind_blob(b, shape, node);
    case MODEL_BOOLEAN:
        return node->type == JSON_TRUE || node->type == JSON_FALSE || refuse_scalar(b, shape, node, place);
    case MODEL_TIMESTAMP:
        return bind_timestamp(b, shape, time, node);
    case MODEL_INTEGER:
    case MODEL_LONG:
    case MODEL_FLOAT:
    case MODEL_DOUBLE:
        return bind_number(b, shape, node);
    }
    UNREACHABLE();
}

static bool bind_root(struct binder *b, const struct model_shape *shape, struct json *tree)
{
    if (tree->type != JSON_OBJECT && tree->type != JSON_ARRAY && !(shape->flags & MODEL_SHAPE_DOCUMENT))
        return bind_refuse(b, STR_NONE);
    return bind_node(b, shape, MODEL_TIME_DEFAULT, tree, IN_STRUCTURE);
}

bool bind_tree(struct call *call, const struct model_shape *shape, struct json *tree)
{
    return bind_root(&(struct binder){call, call->api->model, false}, shape, tree);
}

bool bind_named_tree(struct call *call, const struct model_shape *shape, struct json *tree)
{
    return bind_root(&(struct binder){call, call->api->model, true}, shape, tree);
}

/* ---- text ---- */

/* A decimal number that strtod reads to its end; no hexadecimal, infinity or NaN. */
static bool is_number(struct arena *arena, struct str text)
{
    if (!text.n || text.n > 64)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool digit = text.p[i] >= '0' && text.p[i] <= '9';
        if (!digit && (i == 0 ? text.p[i] != '-' : !memchr(".eE+-", text.p[i], 5)))
            return false;
    }
    char *copy = arena_cstr(arena, text), *end;
    strtod(copy, &end);
    return end == copy + text.n;
}

struct json *bind_text(struct call *call, const struct model_shape *shape, struct str text)
{
    int64_t value;
    switch ((enum model_type)shape->type) {
    case MODEL_STRING:
    case MODEL_BLOB:
        return utf8_valid(text) ? json_new_str(call->arena, text) : NULL;
    case MODEL_BOOLEAN:
        if (str_eq_nocase(text, STR("true")))
            return json_new(call->arena, JSON_TRUE);
        return str_eq_nocase(text, STR("false")) ? json_new(call->arena, JSON_FALSE) : NULL;
    case MODEL_INTEGER:
        if (!str_to_i64(text, &value) || value < INT32_MIN || value > INT32_MAX)
            return NULL;
        return json_new_i64(call->arena, value);
    case MODEL_LONG:
        return str_to_i64(text, &value) ? json_new_i64(call->arena, value) : NULL;
    case MODEL_FLOAT:
    case MODEL_DOUBLE:
        if (is_no_number(shape, text))
            return json_new_str(call->arena, text);
        return is_number(call->arena, text) ? json_new_number(call->arena, text) : NULL;
    case MODEL_TIMESTAMP:
        if (is_number(call->arena, text))
            return json_new_number(call->arena, text);
        if (!clock_parse(text, &value))
            return NULL;
        return json_new_number(call->arena, seconds_of(call->arena, value));
    case MODEL_STRUCTURE:
    case MODEL_LIST:
    case MODEL_MAP:
        return NULL;
    }
    UNREACHABLE();
}
