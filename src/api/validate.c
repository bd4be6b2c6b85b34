/* validate.c -- one validator over the generated shapes.
 *
 * Most calls are valid, so two passes exist. The first only asks whether the tree is valid: it walks what was sent,
 * skips every shape without a constraint within (an item of a PutItem), and writes nothing. Only when it says no, the
 * second walks the shape in the model's order and puts AWS's sentences together:
 *   N validation error(s) detected: Value 'x' at 'path' failed to satisfy constraint: …; Value null at …
 * Paths are the members' names with a small first letter, joined by dots; elements of lists are "name.1.member", values
 * of maps "name.KEY.member". Constraints of an element itself are reported once, at its list or map. At most
 * ERRORS_MAX errors are named. Lengths of strings are counted in UTF-16 units, as Java does; of blobs in bytes.
 * Where AWS answers otherwise than its model says stands in validate_override.c. Source of the forms: the answers of
 * DynamoDB, Lambda, IAM and CloudWatch Logs collected in tests/corpus/validation. */
#include "api/validate.h"
#include "api/pattern.h"
#include "api/validate_override.h"
#include "api/wire.h"
#include "base/panic.h"
#include <stdlib.h>

#define ERRORS_MAX 10
#define MESSAGE_BYTES_MAX (256u << 10)
#define VALUE_BYTES_MAX 4096        /* of a value within a message */
#define PATH_BYTES_MAX 4096

/* ---- one value against its own shape ---- */

static size_t utf16_count(struct str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        count += (c & 0xc0) != 0x80;
        count += c >= 0xf0;
    }
    return count;
}

static size_t base64_bytes(struct str s)
{
    size_t pads = s.n && s.p[s.n - 1] == '=' ? 1 + (s.n > 1 && s.p[s.n - 2] == '=') : 0;
    return s.n / 4 * 3 - (s.n ? pads : 0);
}

static bool is_numeric(const struct model_shape *shape)
{
    return shape->type == MODEL_INTEGER || shape->type == MODEL_LONG || shape->type == MODEL_FLOAT || shape->type == MODEL_DOUBLE;
}

/* What min and max are about: length, count or value. */
static double measure(const struct model_shape *shape, const struct json *node)
{
    int64_t integer;
    switch ((enum model_type)shape->type) {
    case MODEL_STRING: return (double)utf16_count(node->text);
    case MODEL_BLOB: return (double)base64_bytes(node->text);
    case MODEL_LIST:
    case MODEL_MAP: return (double)node->count;
    case MODEL_INTEGER:
    case MODEL_LONG:
    case MODEL_FLOAT:
    case MODEL_DOUBLE: return json_is_integer(node, &integer) ? (double)integer : json_double(node, 0);
    case MODEL_STRUCTURE:
    case MODEL_BOOLEAN:
    case MODEL_TIMESTAMP: return 0;
    }
    UNREACHABLE();
}

static bool min_holds(const struct model_shape *shape, const struct json *node)
{
    return !(shape->flags & MODEL_SHAPE_HAS_MIN) || measure(shape, node) >= (double)shape->min;
}

static bool max_holds(const struct model_shape *shape, const struct json *node)
{
    return !(shape->flags & MODEL_SHAPE_HAS_MAX) || measure(shape, node) <= (double)shape->max;
}

static bool pattern_holds(const struct model *m, const struct model_shape *shape, const struct json *node)
{
    return !shape->pattern || pattern_match(model_text(m, shape->pattern), node->text);
}

static bool enum_holds(const struct model *m, const struct model_shape *shape, const struct json *node)
{
    for (size_t i = 0; i < shape->enum_count; i++) {
        if (str_eq(node->text, str_of(model_text(m, m->enums[shape->enums + i])))) return true;
    }
    return shape->enum_count == 0;
}

static bool own_holds(const struct model *m, const struct model_shape *shape, const struct json *node)
{
    return min_holds(shape, node) && max_holds(shape, node) && enum_holds(m, shape, node) && pattern_holds(m, shape, node);
}

/* ---- first pass ---- */

static bool is_valid(const struct model *m, const struct model_shape *shape, const struct json *node);

static bool members_valid(const struct model *m, const struct model_shape *shape, const struct json *node, size_t present)
{
    for JSON_EACH (child, node) {
        const struct model_member *member = model_member_find(m, shape, child->key);
        if (!member) continue;
        present += (member->flags & MODEL_MEMBER_REQUIRED) != 0;
        if (!is_valid(m, &m->shapes[member->shape], child)) return false;
    }
    return present == shape->required_count;
}

static bool elements_valid(const struct model *m, const struct model_shape *shape, const struct json *node)
{
    bool map = shape->type == MODEL_MAP;
    const struct model_shape *key = &m->shapes[model_element(m, shape, 0)->shape];
    const struct model_shape *element = &m->shapes[model_element(m, shape, map)->shape];
    for JSON_EACH (child, node) {
        struct json name = {.type = JSON_STRING, .text = child->key};
        if (map && (key->flags & MODEL_SHAPE_CONSTRAINED) && !own_holds(m, key, &name)) return false;
        if (!is_valid(m, element, child)) return false;
    }
    return true;
}

static bool is_valid(const struct model *m, const struct model_shape *shape, const struct json *node)
{
    if (!(shape->flags & MODEL_SHAPE_CONSTRAINED)) return true;
    if (!own_holds(m, shape, node)) return false;
    if (shape->type == MODEL_STRUCTURE) return members_valid(m, shape, node, 0);
    return shape->type != MODEL_LIST && shape->type != MODEL_MAP ? true : elements_valid(m, shape, node);
}

/* ---- second pass ---- */

struct validator {
    struct call *call;
    const struct model *m;
    struct buf text;            /* the errors, joined */
    struct buf path;
    size_t errors;
};

/* A value as Java prints it: [a, b], {key=value}, Shape(member=value). */
static void add_value(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *node)
{
    if (buf->n > VALUE_BYTES_MAX) return;
    if (node->type != JSON_ARRAY && node->type != JSON_OBJECT) {
        struct str text = node->type == JSON_TRUE ? STR("true") : node->type == JSON_FALSE ? STR("false") : node->text;
        buf_add(buf, str_slice(text, 0, VALUE_BYTES_MAX + 1));
        return;
    }
    bool structure = shape->type == MODEL_STRUCTURE;
    if (structure) buf_add(buf, str_of(model_text(m, shape->name)));
    buf_add_char(buf, structure ? '(' : node->type == JSON_ARRAY ? '[' : '{');
    for JSON_EACH (child, node) {
        const struct model_member *member =
            structure ? model_member_find(m, shape, child->key) : model_element(m, shape, shape->type == MODEL_MAP);
        if (child != node->first) buf_lit(buf, ", ");
        if (node->type == JSON_OBJECT) {
            buf_add(buf, str_slice(child->key, 0, VALUE_BYTES_MAX + 1));
            buf_add_char(buf, '=');
        }
        if (member) add_value(buf, m, &m->shapes[member->shape], child);
    }
    buf_add_char(buf, structure ? ')' : node->type == JSON_ARRAY ? ']' : '}');
}

/* Cuts at a character's boundary. */
static struct str cut_value(struct str s)
{
    size_t n = s.n > VALUE_BYTES_MAX ? VALUE_BYTES_MAX : s.n;
    while (n < s.n && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--;
    return str_slice(s, 0, n);
}

/* "Value 'x' at 'path' failed to satisfy constraint: " */
static void begin_error(struct validator *v, const struct model_shape *shape, const struct json *node)
{
    struct buf value;
    buf_init(&value, v->call->arena, VALUE_BYTES_MAX * 4);
    if (v->errors++) buf_lit(&v->text, "; ");
    buf_lit(&v->text, "Value ");
    if (!node) {
        buf_lit(&v->text, "null ");
    } else if (!(shape->flags & MODEL_SHAPE_SENSITIVE)) {
        add_value(&value, v->m, shape, node);
        buf_add_char(&v->text, '\'');
        buf_add(&v->text, cut_value(buf_str(&value)));
        buf_lit(&v->text, "' ");
    }
    buf_lit(&v->text, "at '");
    buf_add(&v->text, buf_str(&v->path));
    buf_lit(&v->text, "' failed to satisfy constraint: ");
}

static void add_bound(struct buf *buf, const struct model_shape *shape, bool upper)
{
    buf_printf(buf, "Member must have %s %s than or equal to %lld", is_numeric(shape) ? "value" : "length",
               upper ? "less" : "greater", (long long)(upper ? shape->max : shape->min));
}

static void add_pattern(struct buf *buf, const struct model *m, const struct model_shape *shape)
{
    buf_printf(buf, "Member must satisfy regular expression pattern: %s", model_text(m, shape->pattern));
}

static void add_enum(struct validator *v, struct buf *buf, const struct model_shape *shape)
{
    const char *order = override_enum_order(v->m, shape);
    buf_lit(buf, "Member must satisfy enum value set: [");
    if (order) buf_add(buf, str_of(order));
    for (size_t i = 0; i < shape->enum_count && !order; i++) {
        if (i) buf_lit(buf, ", ");
        buf_add(buf, str_of(model_text(v->m, v->m->enums[shape->enums + i])));
    }
    buf_add_char(buf, ']');
}

/* Each constraint that a value itself breaks, as an error of its own. */
static void report_own(struct validator *v, const struct model_shape *shape, const struct json *node)
{
    if (v->errors < ERRORS_MAX && !enum_holds(v->m, shape, node)) {
        begin_error(v, shape, node);
        add_enum(v, &v->text, shape);
    }
    if (v->errors < ERRORS_MAX && !pattern_holds(v->m, shape, node)) {
        begin_error(v, shape, node);
        add_pattern(&v->text, v->m, shape);
    }
    if (v->errors < ERRORS_MAX && !min_holds(shape, node)) {
        begin_error(v, shape, node);
        add_bound(&v->text, shape, false);
    }
    if (v->errors < ERRORS_MAX && !max_holds(shape, node)) {
        begin_error(v, shape, node);
        add_bound(&v->text, shape, true);
    }
}

/* All constraints of an element's shape in brackets, as they are reported at its collection. */
static void add_all(struct validator *v, const struct model_shape *shape)
{
    struct buf *buf = &v->text;
    bool comma = false;
    buf_add_char(buf, '[');
    for (int upper = 1; upper >= 0; upper--) {
        if (!(shape->flags & (upper ? MODEL_SHAPE_HAS_MAX : MODEL_SHAPE_HAS_MIN))) continue;
        if (comma) buf_lit(buf, ", ");
        add_bound(buf, shape, upper);
        comma = true;
    }
    if (shape->pattern) {
        if (comma) buf_lit(buf, ", ");
        add_pattern(buf, v->m, shape);
        comma = true;
    }
    if (shape->enum_count) {
        if (comma) buf_lit(buf, ", ");
        add_enum(v, buf, shape);
    }
    buf_add_char(buf, ']');
}

/* ---- paths ---- */

static size_t path_push(struct validator *v, struct str segment, bool member_name)
{
    size_t before = v->path.n;
    if (before) buf_add_char(&v->path, '.');
    if (member_name && segment.n && segment.p[0] >= 'A' && segment.p[0] <= 'Z') {
        buf_add_char(&v->path, (char)(segment.p[0] + ('a' - 'A')));
        segment = str_slice(segment, 1, segment.n);
    }
    buf_add(&v->path, segment);
    return before;
}

static void path_pop(struct validator *v, size_t before)
{
    v->path.n = before;
    v->path.failed = false;
}

/* ---- the walk ---- */

static void report(struct validator *v, const struct model_shape *shape, const struct json *node);

static void report_members(struct validator *v, const struct model_shape *shape, const struct json *node)
{
    for (size_t i = 0; i < shape->member_count && v->errors < ERRORS_MAX; i++) {
        const struct model_member *member = &v->m->members[shape->members + i];
        const struct model_shape *wanted = &v->m->shapes[member->shape];
        const struct json *child = json_get(node, model_member_name(v->m, member));
        bool carried = shape->payload == i + 1 && v->call->payload.n && !v->path.n;    /* the body itself */
        size_t before = path_push(v, model_member_name(v->m, member), true);
        if (child) {
            report_own(v, wanted, child);
            report(v, wanted, child);
        } else if ((member->flags & MODEL_MEMBER_REQUIRED) && !carried) {
            begin_error(v, wanted, NULL);
            buf_lit(&v->text, "Member must not be null");
        }
        path_pop(v, before);
    }
}

static void report_collection(struct validator *v, const struct model_shape *shape, const struct json *node)
{
    bool map = shape->type == MODEL_MAP, bad_key = false, bad_element = false;
    const struct model_shape *key = &v->m->shapes[model_element(v->m, shape, 0)->shape];
    const struct model_shape *element = &v->m->shapes[model_element(v->m, shape, map)->shape];
    for JSON_EACH (child, node) {
        struct json name = {.type = JSON_STRING, .text = child->key};
        bad_key = bad_key || (map && !own_holds(v->m, key, &name));
        bad_element = bad_element || !own_holds(v->m, element, child);
    }
    if (bad_key && v->errors < ERRORS_MAX) {
        begin_error(v, shape, node);
        buf_lit(&v->text, "Map keys must satisfy constraint: ");
        add_all(v, key);
    }
    if (bad_element && v->errors < ERRORS_MAX) {
        begin_error(v, shape, node);
        buf_add(&v->text, map ? STR("Map value must satisfy constraint: ") : STR("Member must satisfy constraint: "));
        add_all(v, element);
    }
    size_t number = 0;
    for JSON_EACH (child, node) {
        number++;
        if (v->errors >= ERRORS_MAX || is_valid(v->m, element, child)) continue;
        struct str segment = map ? child->key : arena_printf(v->call->arena, "%zu", number);
        size_t before = path_push(v, segment, false);
        path_push(v, STR("member"), false);
        report(v, element, child);
        path_pop(v, before);
    }
}

/* What is wrong within a value. */
static void report(struct validator *v, const struct model_shape *shape, const struct json *node)
{
    if (!(shape->flags & MODEL_SHAPE_CONSTRAINED)) return;
    if (shape->type == MODEL_STRUCTURE) report_members(v, shape, node);
    else if (shape->type == MODEL_LIST || shape->type == MODEL_MAP) report_collection(v, shape, node);
}

static void fail_with_errors(struct call *call, const struct model_shape *shape)
{
    struct validator v = {.call = call, .m = call->service->model};
    buf_init(&v.text, call->arena, MESSAGE_BYTES_MAX);
    buf_init(&v.path, call->arena, PATH_BYTES_MAX);
    report(&v, shape, call->input);
    ENSURE(v.errors > 0);
    wire_fail(call, FAULT_VALIDATION,
              arena_printf(call->arena, "%zu validation error%s detected: " STR_FMT, v.errors, v.errors > 1 ? "s" : "",
                           STR_ARG(buf_str(&v.text))));
}

bool validate_input(struct call *call)
{
    const struct model *m = call->service->model;
    const struct model_shape *shape = model_input(m, call->operation);
    if (!override_check(call)) return false;
    if (!shape || !(shape->flags & MODEL_SHAPE_CONSTRAINED)) return true;
    size_t carried = 0;
    if (shape->payload && call->payload.n)
        carried = (m->members[shape->members + shape->payload - 1].flags & MODEL_MEMBER_REQUIRED) != 0;
    if (members_valid(m, shape, call->input, carried)) return true;
    fail_with_errors(call, shape);
    return false;
}
