/* bind.c -- a JSON object into a struct by a table of its fields, and back.
 *
 * One function for each type of field, in one table; required, null and presence are dealt with before it is called. A struct
 * within a struct recurses, at most CL_JSON_DEPTH_MAX deep, which only a table that contains itself can reach.
 * The path for a message is a chain of places on the C stack, written out only when something is wrong. */
#include "internal.h"
#include <stdio.h>

#define MESSAGE_MAX    1024
#define PATH_MAX_BYTES 16384
#define DECIMAL_DIGITS 38           /* what DynamoDB keeps of a number, and between which powers of ten */
#define DECIMAL_LOW    (-130)
#define DECIMAL_HIGH   125

struct binding {
    cl_arena *arena;
    bool strict;
    cl_str *message;
};

struct place {
    const struct place *above;
    cl_str name;                    /* or, with an empty name, the index */
    size_t index;
    unsigned depth;
};

typedef cl_result bind_one(const struct binding *b, const struct place *place, const cl_json *json, const cl_field *field,
                           void *to);
static bind_one *const binders[CL_F_LIST + 1];
static cl_result bind_object(const struct binding *b, const struct place *place, const cl_json *object, const cl_field *fields,
                             char *into);

/* ---- messages ---- */

static void add_path(cl_buf *buf, const struct place *place)
{
    const struct place *chain[CL_JSON_DEPTH_MAX + 1];
    size_t n = 0;
    for (; place && place->above && n < CL__COUNT(chain); place = place->above)
        chain[n++] = place;
    while (n-- > 0) {
        if (chain[n]->name.p)
            cl__add_name(buf, chain[n]->name);
        else
            cl_buf_printf(buf, "%zu", chain[n]->index);
        if (n > 0)
            cl_buf_addc(buf, '.');
    }
}

static cl_result wrong(const struct binding *b, const struct place *place, const char *format, ...) CL_PRINTF(3, 4);
static cl_result wrong(const struct binding *b, const struct place *place, const char *format, ...)
{
    cl_buf buf;
    cl_buf_init(&buf, b->arena, PATH_MAX_BYTES);
    add_path(&buf, place);
    if (place->above)
        cl_buf_adds(&buf, ": ");
    va_list args;
    va_start(args, format);
    cl_str sentence = cl_vprintf(b->arena, format, args);
    va_end(args);
    cl_buf_add(&buf, sentence);
    if (buf.failed || !sentence.p)
        return CL_NO_MEMORY;
    if (b->message)
        *b->message = cl_dup(b->arena, cl__utf8_cut(cl_buf_str(&buf), MESSAGE_MAX));
    return cl_arena_failed(b->arena) ? CL_NO_MEMORY : CL_INVALID;
}

static bool has_bounds(const cl_field *field)
{
    return field->min != 0 || field->max != 0;
}

static bool in_bounds(const cl_field *field, int64_t value)
{
    return !has_bounds(field) || (value >= field->min && (value <= field->max || field->max < field->min));
}

/* "expected WHAT from 1 to 20 UNIT"; max below min says there is none. */
static cl_result wrong_bounds(const struct binding *b, const struct place *place, const cl_field *field, const char *what,
                              const char *joint, const char *unit)
{
    if (!has_bounds(field))
        return wrong(b, place, "expected %s", what);
    if (field->max < field->min)
        return wrong(b, place, "expected %s %s at least %lld%s", what, joint, (long long)field->min, unit);
    return wrong(b, place, "expected %s %s %lld to %lld%s", what, joint, (long long)field->min, (long long)field->max, unit);
}

/* ---- decimals ---- */

struct decimal {
    bool negative, fraction;        /* fraction: not an integer */
    uint64_t whole;                 /* integer part, UINT64_MAX when larger */
};

/* Between DynamoDB's bounds? Digits are counted without zeros at either end of the mantissa. */
static bool decimal_of(cl_str text, struct decimal *ret)
{
    char digits[DECIMAL_DIGITS];
    int64_t power = 0, said = 0;    /* value: digits, the last one of them at 10^power */
    size_t n = 0, zeros = 0;
    bool pointed = false;
    const char *p = text.p, *end = text.p + text.n;
    struct decimal d = {.negative = *p == '-'};
    for (p += d.negative; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            pointed = true;
            continue;
        }
        power -= pointed;
        zeros += *p == '0' && n > 0;
        if (*p == '0')
            continue;
        if (n + zeros >= sizeof digits)
            return false;
        memset(digits + n, '0', zeros);
        n += zeros, zeros = 0;
        digits[n++] = *p;
    }
    if (p < end) {
        bool minus = p[1] == '-';
        for (p += 1 + (minus || p[1] == '+'); p < end; p++)
            said = said > 100000 ? said : said * 10 + (*p - '0');
        power += minus ? -said : said;
    }
    power += (int64_t)zeros;
    int64_t first = power + (int64_t)n - 1;                     /* the first digit's power of ten */
    if (n > 0 && (first < DECIMAL_LOW || first > DECIMAL_HIGH))
        return false;
    d.fraction = n > 0 && power < 0;
    for (int64_t i = 0, at = first; n > 0 && at >= 0 && d.whole < UINT64_MAX; i++, at--) {
        uint64_t digit = i < (int64_t)n ? (uint64_t)(digits[i] - '0') : 0;
        if (__builtin_mul_overflow(d.whole, 10u, &d.whole) || __builtin_add_overflow(d.whole, digit, &d.whole))
            d.whole = UINT64_MAX;
    }
    *ret = d;
    return true;
}

/* Sign of decimal - bound. */
static int compare_decimal(const struct decimal *d, int64_t bound)
{
    uint64_t size = bound < 0 ? (uint64_t)0 - (uint64_t)bound : (uint64_t)bound;
    int size_order = d->whole != size ? (d->whole < size ? -1 : 1) : d->fraction;
    if (d->negative != (bound < 0)) {
        if (d->whole == 0 && !d->fraction && bound == 0)
            return 0;
        return d->negative ? -1 : 1;
    }
    return d->negative ? -size_order : size_order;
}

/* ---- one function a type: `to` is the field's place in the struct ---- */

static size_t code_points(cl_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static cl_result bind_string(const struct binding *b, const struct place *place, const cl_json *json, const cl_field *field,
                             void *to)
{
    if (json->type != CL_STRING || !in_bounds(field, (int64_t)code_points(json->text)))
        return wrong_bounds(b, place, field, "a string", "of", " characters");
    bool chosen = !field->choices;
    for (const char *const *choice = field->choices; choice && *choice && !chosen; choice++)
        chosen = cl_str_is(json->text, *choice);
    if (!chosen) {
        cl_buf list;
        cl_buf_init(&list, b->arena, MESSAGE_MAX);
        for (const char *const *choice = field->choices; *choice; choice++)
            cl_buf_printf(&list, "%s\"%s\"", choice == field->choices ? "" : ", ", *choice);
        return wrong(b, place, "expected one of %s", cl_buf_str(&list).p);
    }
    *(cl_str *)to = json->text;
    return CL_OK;
}

static cl_result bind_int(const struct binding *b, const struct place *place, const cl_json *json, const cl_field *field, void *to)
{
    int64_t value;
    if (!cl_json_i64(json, &value) || !in_bounds(field, value))
        return wrong_bounds(b, place, field, "an integer", field->max < field->min ? "of" : "from", "");
    *(int64_t *)to = value;
    return CL_OK;
}

static cl_result bind_bool(const struct binding *b, const struct place *place, const cl_json *json, const cl_field *field, void *to)
{
    (void)field;
    if (json->type != CL_TRUE && json->type != CL_FALSE)
        return wrong(b, place, "expected true or false");
    *(bool *)to = json->type == CL_TRUE;
    return CL_OK;
}

static cl_result bind_decimal(const struct binding *b, const struct place *place, const cl_json *json, const cl_field *field,
                              void *to)
{
    struct decimal d;
    bool good =
        (json->type == CL_NUMBER || json->type == CL_STRING) && cl__json_number_ok(json->text) && decimal_of(json->text, &d);
    if (good && has_bounds(field))
        good = compare_decimal(&d, field->min) >= 0 && (field->max < field->min || compare_decimal(&d, field->max) <= 0);
    if (!good)
        return wrong_bounds(b, place, field, "a decimal number of at most 38 digits", field->max < field->min ? "of" : "from", "");
    *(cl_str *)to = json->text;
    return CL_OK;
}

static cl_result bind_json(const struct binding *b, const struct place *place, const cl_json *json, const cl_field *field, void *to)
{
    (void)b, (void)place, (void)field;
    *(const cl_json **)to = json;
    return CL_OK;
}

static cl_result bind_struct(const struct binding *b, const struct place *place, const cl_json *json, const cl_field *field,
                             void *to)
{
    return bind_object(b, place, json, field->fields, to);
}

/* Bytes of a field's value in its struct; those of structs are in the table. */
static const size_t sizes[] = {
    [CL_F_STRING] = sizeof(cl_str), [CL_F_INT] = sizeof(int64_t), [CL_F_BOOL] = sizeof(bool), [CL_F_DECIMAL] = sizeof(cl_str),
    [CL_F_JSON] = sizeof(const cl_json *), [CL_F_OBJECT] = 0, [CL_F_LIST] = sizeof(cl_list),
};

/* Of one element of a list. */
static size_t size_of(const cl_field *list)
{
    size_t size = list->fields ? list->size : list->item ? sizes[list->item->type] : 0;
    if (!size)
        cl__misused("table of fields, %s: a list needs .fields and .size, or .item of another type than CL_F_OBJECT",
                    list->name ? list->name : "a list");
    return size;
}

static cl_result bind_list(const struct binding *b, const struct place *place, const cl_json *json, const cl_field *field, void *to)
{
    size_t size = size_of(field);
    if (json->type != CL_ARRAY || !in_bounds(field, (int64_t)json->count))
        return wrong_bounds(b, place, field, "a list", "of", " elements");
    if (place->depth > CL_JSON_DEPTH_MAX)
        return wrong(b, place, "nested too deep");
    cl_list list = {cl_alloc_array(b->arena, size, json->count), json->count};
    struct place element = {.above = place, .depth = place->depth + 1};
    char *into = list.items;
    if (!into)
        return CL_NO_MEMORY;
    for (const cl_json *child = json->first; child; child = child->next, element.index++, into += size) {
        cl_result result = field->fields ? bind_object(b, &element, child, field->fields, into)
                                         : binders[field->item->type](b, &element, child, field->item, into);
        if (result != CL_OK)
            return result;
    }
    *(cl_list *)to = list;
    return CL_OK;
}

/* ---- objects ---- */

static bind_one *const binders[CL_F_LIST + 1] = {
    [CL_F_STRING] = bind_string, [CL_F_INT] = bind_int,       [CL_F_BOOL] = bind_bool, [CL_F_DECIMAL] = bind_decimal,
    [CL_F_JSON] = bind_json,     [CL_F_OBJECT] = bind_struct, [CL_F_LIST] = bind_list,
};

static cl_result refuse_unknown(const struct binding *b, const struct place *place, const cl_json *object, const cl_field *fields)
{
    for CL_JSON_EACH(child, object) {
        const cl_field *field = fields;
        while (field->name && !cl_str_is(child->key, field->name))
            field++;
        struct place member = {.above = place, .name = {child->key.p ? child->key.p : "", child->key.n}};
        if (!field->name)
            return wrong(b, &member, "unknown member");
    }
    return CL_OK;
}

static cl_result bind_object(const struct binding *b, const struct place *place, const cl_json *object, const cl_field *fields,
                             char *into)
{
    if (!fields)
        cl__misused("table of fields: an object without .fields");
    if (!object || object->type != CL_OBJECT)
        return wrong(b, place, "expected %s", place->above ? "an object" : "a JSON object");
    if (place->depth > CL_JSON_DEPTH_MAX)
        return wrong(b, place, "nested too deep");
    for (const cl_field *field = fields; field->name; field++) {
        const cl_json *child = cl_json_get(object, field->name);
        struct place member = {.above = place, .name = cl_str_of(field->name), .depth = place->depth + 1};
        bool there = child && child->type != CL_NULL;
        if (!there && field->required)
            return wrong(b, &member, "required");
        cl_result result = there ? binders[field->type](b, &member, child, field, into + field->offset) : CL_OK;
        if (result != CL_OK)
            return result;
        if (field->present)
            *(bool *)(into + field->present) = there;
    }
    return b->strict ? refuse_unknown(b, place, object, fields) : CL_OK;
}

cl_result cl_json_bind(cl_arena *arena, const cl_json *object, const cl_field *fields, bool strict, void *into, cl_str *message)
{
    struct binding b = {arena, strict, message};
    struct place root = {.above = NULL};
    return cl__said(bind_object(&b, &root, object, fields, into), message);
}

/* ---- back ---- */

static cl_json *unbind_object(cl_arena *arena, const cl_field *fields, const char *from, unsigned depth);
static cl_json *unbind_one(cl_arena *arena, const cl_field *field, const void *from, bool always, unsigned depth);

static cl_json *unbind_list(cl_arena *arena, const cl_field *field, const cl_list *list, unsigned depth)
{
    cl_json *array = cl_json_array(arena);
    size_t size = size_of(field);
    if (depth > CL_JSON_DEPTH_MAX)
        cl__arena_spoil(arena, CL__TOO_DEEP);
    for (size_t i = 0; i < list->count && !cl_arena_failed(arena); i++) {
        const char *from = (const char *)list->items + i * size;
        cl_json_append(array, field->fields ? unbind_object(arena, field->fields, from, depth + 1)
                                            : unbind_one(arena, field->item, from, true, depth + 1));
    }
    return array;
}

/* NULL: to be left out. */
static cl_json *unbind_one(cl_arena *arena, const cl_field *field, const void *from, bool always, unsigned depth)
{
    const cl_str *text = from;
    switch (field->type) {
    case CL_F_STRING:
        return always || text->n ? cl_json_string(arena, *text) : NULL;
    case CL_F_INT:
        return cl_json_int(arena, *(const int64_t *)from);
    case CL_F_BOOL:
        return cl_json_bool(arena, *(const bool *)from);
    case CL_F_DECIMAL:
        return text->n ? cl_json_number(arena, *text) : always ? cl_json_null(arena) : NULL;
    case CL_F_JSON: {
        const cl_json *json = *(const cl_json *const *)from;
        return json ? cl_json_copy(arena, json) : always ? cl_json_null(arena) : NULL;
    }
    case CL_F_OBJECT:
        return unbind_object(arena, field->fields, from, depth + 1);
    case CL_F_LIST:
        return unbind_list(arena, field, from, depth);
    }
    return NULL;
}

static cl_json *unbind_object(cl_arena *arena, const cl_field *fields, const char *from, unsigned depth)
{
    if (depth > CL_JSON_DEPTH_MAX) {
        cl__arena_spoil(arena, CL__TOO_DEEP);
        return NULL;
    }
    cl_json *object = cl_json_object(arena);
    for (const cl_field *field = fields; field->name && !cl_arena_failed(arena); field++) {
        bool said = field->required || field->present;
        if (!field->required && field->present && !*(const bool *)(from + field->present))
            continue;
        cl_json_set(object, field->name, unbind_one(arena, field, from + field->offset, said, depth));
    }
    return cl_arena_failed(arena) ? NULL : object;
}

cl_json *cl_json_unbind(cl_arena *arena, const cl_field *fields, const void *from)
{
    return unbind_object(arena, fields, from, 0);
}
