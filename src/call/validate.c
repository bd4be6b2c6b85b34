/* validate.c -- one validator over the generated shapes.
 *
 * Most calls are valid, so two passes exist. The first only asks whether the tree is valid: it walks what was sent,
 * skips every shape without a constraint within (an item of a PutItem), and writes nothing. Only when it says no, the
 * second walks the shape in the model's order and puts AWS's sentences together:
 *   N validation error(s) detected: Value 'x' at 'path' failed to satisfy constraint: …; Value null at …
 * Paths are the members' names with a small first letter, joined by dots; elements of lists are "name.1.member", values
 * of maps "name.KEY.member". Constraints of an element itself are reported once, at its list or map. At most
 * ERRORS_MAX errors are named. Lengths of strings are counted in UTF-16 units, as Java does; of blobs in bytes.
 * Where AWS answers otherwise than its model says stands in the service's struct validate_overrides. Source of the forms: the
 * answers of DynamoDB, Lambda, IAM and CloudWatch Logs collected in tests/corpus/validation. */
#include "call/validate.h"
#include "call/pattern.h"
#include "base/buf.h"
#include "base/panic.h"
#include <stdio.h>
#include <stdlib.h>

#define ERRORS_MAX 10
#define VALIDATE_MESSAGE_BYTES_MAX (256u << 10)
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

/* Replaces the constraints of a shape within an operation. */
static void override_constraint(const struct call *call, const struct json *node, struct validate_constraint *c)
{
    const struct validate_overrides *overrides = call->api->overrides;
    const struct model *m = call->api->model;
    for (size_t i = 0; i < overrides->bounds_count; i++) {
        const struct validate_bounds *b = &overrides->bounds[i];
        if (strcmp(b->shape, model_text(m, c->shape->name)) != 0)
            continue;
        if (b->operation && strcmp(b->operation, model_text(m, call->operation->name)) != 0)
            continue;
        if (b->arn_too && str_starts(node->text, STR("arn:")))
            return;
        c->has_min = c->has_max = true;
        c->min = b->min;
        c->max = b->max;
        c->pattern = node->text.n || !b->arn_too ? b->pattern : NULL;   /* an empty name is too short, nothing else */
        c->bare = b->bare;
        return;
    }
}

static struct validate_constraint constraint_of(const struct call *call, const struct model_shape *shape, const struct json *node)
{
    const struct model *m = call->api->model;
    struct validate_constraint c = {.shape = shape,
                           .has_min = shape->flags & MODEL_SHAPE_HAS_MIN, .has_max = shape->flags & MODEL_SHAPE_HAS_MAX,
                           .min = shape->min.whole, .max = shape->max.whole,
                           .pattern = shape->pattern ? model_text(m, shape->pattern) : NULL};
    if (shape->flags & MODEL_SHAPE_OVERRIDDEN && call->api->overrides)
        override_constraint(call, node, &c);
    return c;
}

/* What min and max are about: length, count or value. */
static double measure(const struct model_shape *shape, const struct json *node)
{
    int64_t integer;
    switch ((enum model_type)shape->type) {
    case MODEL_STRING:
        return (double)utf16_count(node->text);
    case MODEL_BLOB:
        return (double)base64_bytes(node->text);
    case MODEL_LIST:
    case MODEL_MAP:
        return (double)node->count;
    case MODEL_INTEGER:
    case MODEL_LONG:
    case MODEL_FLOAT:
    case MODEL_DOUBLE:
        return json_is_integer(node, &integer) ? (double)integer : json_double(node, 0);
    case MODEL_STRUCTURE:
    case MODEL_BOOLEAN:
    case MODEL_TIMESTAMP:
        return 0;
    }
    UNREACHABLE();
}

static bool is_real(const struct model_shape *shape)
{
    return shape->type == MODEL_FLOAT || shape->type == MODEL_DOUBLE;
}

static double bound_of(const struct validate_constraint *c, bool upper)
{
    if (is_real(c->shape))
        return upper ? c->shape->max.real : c->shape->min.real;
    return (double)(upper ? c->max : c->min);
}

/* A string of n bytes has n / 3 to n UTF-16 units, so most need no counting. */
static bool min_holds(const struct validate_constraint *c, const struct json *node)
{
    if (!c->has_min)
        return true;
    if (c->shape->type == MODEL_STRING && (int64_t)(node->text.n / 3) >= c->min)
        return true;
    return measure(c->shape, node) >= bound_of(c, false);
}

static bool max_holds(const struct validate_constraint *c, const struct json *node)
{
    if (!c->has_max)
        return true;
    if (c->shape->type == MODEL_STRING && (int64_t)node->text.n <= c->max)
        return true;
    return measure(c->shape, node) <= bound_of(c, true);
}

static bool pattern_holds(const struct validate_constraint *c, const struct json *node)
{
    return !c->pattern || pattern_match(c->pattern, node->text);
}

static bool enum_holds(const struct model *m, const struct validate_constraint *c, const struct json *node)
{
    for (size_t i = 0; i < c->shape->enum_count; i++) {
        if (str_eq(node->text, str_of(model_text(m, m->enums[c->shape->enums + i]))))
            return true;
    }
    return c->shape->enum_count == 0;
}

static bool own_holds(const struct call *call, const struct model_shape *shape, const struct json *node)
{
    struct validate_constraint c = constraint_of(call, shape, node);
    if (node->type == JSON_NULL)        /* of a sparse collection */
        return true;
    return min_holds(&c, node) && max_holds(&c, node) && enum_holds(call->api->model, &c, node) && pattern_holds(&c, node);
}

/* ---- first pass ---- */

static bool is_valid(const struct call *call, const struct model_shape *shape, const struct json *node);

static bool members_valid(const struct call *call, const struct model_shape *shape, const struct json *node, size_t present)
{
    const struct model *m = call->api->model;
    for JSON_EACH (child, node) {
        const struct model_member *member = model_member_find(m, shape, child->key);
        if (!member)
            continue;
        present += (member->flags & MODEL_MEMBER_REQUIRED) != 0;
        if (!is_valid(call, &m->shapes[member->shape], child))
            return false;
    }
    return present == shape->required_count;
}

static bool key_valid(const struct call *call, const struct model_shape *key, struct str text)
{
    struct json name = {.type = JSON_STRING, .text = text};
    return !(key->flags & MODEL_SHAPE_CONSTRAINED) || own_holds(call, key, &name);
}

static bool elements_valid(const struct call *call, const struct model_shape *shape, const struct json *node)
{
    const struct model *m = call->api->model;
    bool map = shape->type == MODEL_MAP;
    const struct model_shape *key = &m->shapes[model_element(m, shape, 0)->shape];
    const struct model_shape *element = &m->shapes[model_element(m, shape, map)->shape];
    for JSON_EACH (child, node) {
        if (map && !key_valid(call, key, child->key))
            return false;
        if (!is_valid(call, element, child))
            return false;
    }
    return true;
}

static bool is_valid(const struct call *call, const struct model_shape *shape, const struct json *node)
{
    if (!(shape->flags & MODEL_SHAPE_CONSTRAINED) || node->type == JSON_NULL)
        return true;
    if (!own_holds(call, shape, node))
        return false;
    if (shape->type == MODEL_STRUCTURE)
        return members_valid(call, shape, node, 0);
    return shape->type != MODEL_LIST && shape->type != MODEL_MAP ? true : elements_valid(call, shape, node);
}

/* ---- second pass ---- */

struct validator {
    struct call *call;
    const struct model *m;
    struct buf text;            /* the errors, joined */
    struct buf path;
    size_t errors;
    struct str sentence;        /* the first that a row puts instead of an error; used when there is no other error */
    const char *sentence_code;
};

static void add_lower_first(struct buf *buf, struct str name)
{
    if (name.n && name.p[0] >= 'A' && name.p[0] <= 'Z') {
        buf_add_char(buf, (char)(name.p[0] + ('a' - 'A')));
        name = str_slice(name, 1, name.n);
    }
    buf_add(buf, name);
}

/* A value as Java prints it: [a, b], {key=value}, Shape(member=value). */
static void add_value(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *node)
{
    if (buf->n > VALUE_BYTES_MAX)
        return;
    if (node->type != JSON_ARRAY && node->type != JSON_OBJECT) {
        struct str text = node->type == JSON_TRUE ? STR("true") : node->type == JSON_FALSE ? STR("false") : node->text;
        buf_add(buf, str_slice(text, 0, VALUE_BYTES_MAX + 1));
        return;
    }
    bool structure = shape->type == MODEL_STRUCTURE;
    if (structure)
        buf_add(buf, str_of(model_text(m, shape->name)));
    buf_add_char(buf, structure ? '(' : node->type == JSON_ARRAY ? '[' : '{');
    for JSON_EACH (child, node) {
        const struct model_member *member =
            structure ? model_member_find(m, shape, child->key) : model_element(m, shape, shape->type == MODEL_MAP);
        if (child != node->first)
            buf_lit(buf, ", ");
        if (node->type == JSON_OBJECT) {
            if (structure)
                add_lower_first(buf, child->key);
            else
                buf_add(buf, str_slice(child->key, 0, VALUE_BYTES_MAX + 1));
            buf_add_char(buf, '=');
        }
        if (member)
            add_value(buf, m, &m->shapes[member->shape], child);
    }
    buf_add_char(buf, structure ? ')' : node->type == JSON_ARRAY ? ']' : '}');
}

/* Cuts at a character's boundary. */
static struct str cut_value(struct str s)
{
    size_t n = s.n > VALUE_BYTES_MAX ? VALUE_BYTES_MAX : s.n;
    while (n < s.n && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return str_slice(s, 0, n);
}

/* "Value 'x' at 'path' failed to satisfy constraint: "; NULL: there is no value. */
static void begin_error(struct validator *v, const struct validate_constraint *c, const struct json *node)
{
    bool hidden =
        (v->call->api->errors->hides_values && !is_numeric(c->shape)) || c->bare || (c->shape->flags & MODEL_SHAPE_SENSITIVE);
    if (v->errors++)
        buf_lit(&v->text, "; ");
    buf_lit(&v->text, "Value ");
    if (!node) {
        buf_lit(&v->text, "null ");
    } else if (!hidden) {
        struct buf value;
        buf_init(&value, v->call->arena, VALUE_BYTES_MAX * 4);
        add_value(&value, v->m, c->shape, node);
        buf_add_char(&v->text, '\'');
        buf_add(&v->text, cut_value(buf_str(&value)));
        buf_lit(&v->text, "' ");
    }
    buf_lit(&v->text, "at '");
    buf_add(&v->text, buf_str(&v->path));
    buf_lit(&v->text, "' failed to satisfy constraint: ");
}

/* As Java prints a double: the fewest digits that are read back as the same, 0.001 but 1.0E-4. */
static void add_real(struct buf *buf, double value)
{
    char text[40];
    int precision = 0;
    do
        snprintf(text, sizeof text, "%.*e", precision, value);
    while (strtod(text, NULL) != value && ++precision < 17);
    int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent >= -3 && exponent < 7) {
        int decimals = precision - exponent;
        buf_printf(buf, "%.*f", decimals < 1 ? 1 : decimals, value);
        return;
    }
    buf_printf(buf, "%.*fE%d", precision < 1 ? 1 : precision,
               strtod(arena_cstr(buf->arena, str_slice(str_of(text), 0, str_find(str_of(text), 'e'))), NULL), exponent);
}

static void add_bound(struct buf *buf, const struct validate_constraint *c, bool upper)
{
    buf_printf(buf, "Member must have %s %s than or equal to ", is_numeric(c->shape) ? "value" : "length",
               upper ? "less" : "greater");
    if (is_real(c->shape))
        add_real(buf, bound_of(c, upper));
    else
        buf_printf(buf, "%lld", (long long)(upper ? c->max : c->min));
}

/* The values of an enum in the order in which AWS prints them, joined; NULL: the model's order. */
static const char *enum_order(const struct validate_overrides *overrides, const char *shape)
{
    for (size_t i = 0; overrides && i < overrides->enum_order_count; i++) {
        if (strcmp(overrides->enum_orders[i].shape, shape) == 0)
            return overrides->enum_orders[i].values;
    }
    return NULL;
}

static void add_enum(struct validator *v, const struct validate_constraint *c)
{
    const char *order = enum_order(v->call->api->overrides, model_text(v->m, c->shape->name));
    buf_lit(&v->text, "Member must satisfy enum value set: [");
    if (order)
        buf_add(&v->text, str_of(order));
    for (size_t i = 0; i < c->shape->enum_count && !order; i++) {
        if (i)
            buf_lit(&v->text, ", ");
        buf_add(&v->text, str_of(model_text(v->m, v->m->enums[c->shape->enums + i])));
    }
    buf_add_char(&v->text, ']');
}

/* True: a row has a sentence of its own for a value that breaks its enum or pattern. */
static bool has_sentence(struct validator *v, const struct validate_constraint *c, struct str member, const struct json *node)
{
    const struct validate_overrides *overrides = v->call->api->overrides;
    const char *code = NULL;
    struct str sentence =
        overrides && overrides->sentence ? overrides->sentence(v->call, c, member, node->text, &code) : STR_NONE;
    if (!sentence.n)
        return false;
    if (!v->sentence.n) {
        v->sentence = sentence;
        v->sentence_code = code;
    }
    return true;
}

/* Each constraint that a member's own value breaks, as an error of its own. */
static void report_own(struct validator *v, const struct model_shape *shape, struct str member, const struct json *node)
{
    struct validate_constraint c = constraint_of(v->call, shape, node);
    bool bad_enum = !enum_holds(v->m, &c, node), bad_pattern = !pattern_holds(&c, node);
    if ((bad_enum || bad_pattern) && has_sentence(v, &c, member, node))
        bad_enum = bad_pattern = false;
    if (bad_enum && v->errors < ERRORS_MAX) {
        begin_error(v, &c, node);
        add_enum(v, &c);
    }
    if (bad_pattern && v->errors < ERRORS_MAX) {
        begin_error(v, &c, node);
        buf_printf(&v->text, "Member must satisfy regular expression pattern: %s", c.pattern);
    }
    if (!min_holds(&c, node) && v->errors < ERRORS_MAX) {
        begin_error(v, &c, node);
        add_bound(&v->text, &c, false);
    }
    if (!max_holds(&c, node) && v->errors < ERRORS_MAX) {
        begin_error(v, &c, node);
        add_bound(&v->text, &c, true);
    }
}

/* All constraints of an element in brackets, as they are reported at its collection. */
static void add_all(struct validator *v, const struct validate_constraint *c, bool null_too)
{
    const char *comma = "";
    buf_add_char(&v->text, '[');
    for (int upper = 1; upper >= 0; upper--) {
        if (!(upper ? c->has_max : c->has_min))
            continue;
        buf_add(&v->text, str_of(comma));
        add_bound(&v->text, c, upper);
        comma = ", ";
    }
    if (c->pattern) {
        buf_printf(&v->text, "%sMember must satisfy regular expression pattern: %s", comma, c->pattern);
        comma = ", ";
    }
    if (c->shape->enum_count) {
        buf_add(&v->text, str_of(comma));
        add_enum(v, c);
        comma = ", ";
    }
    if (null_too)
        buf_printf(&v->text, "%sMember must not be null", comma);
    buf_add_char(&v->text, ']');
}

/* ---- paths ---- */

static size_t path_push(struct validator *v, struct str segment, bool member_name)
{
    size_t before = v->path.n;
    if (before)
        buf_add_char(&v->path, '.');
    if (member_name)
        add_lower_first(&v->path, segment);
    else
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

static void report_member(struct validator *v, const struct model_shape *shape, const struct json *node, uint16_t i)
{
    const struct model_member *member = &v->m->members[shape->members + i];
    const struct model_shape *wanted = &v->m->shapes[member->shape];
    struct str name = model_member_name(v->m, member);
    const struct json *child = json_get(node, name);
    bool top = node == v->call->input;
    bool carried = top && shape->payload == i + 1 && (v->call->payload.n || v->call->body); /* the body itself */
    bool bare = child && constraint_of(v->call, wanted, child).bare;
    size_t before = path_push(v, name, !bare);
    if (child) {
        report_own(v, wanted, name, child);
        report(v, wanted, child);
    } else if ((member->flags & MODEL_MEMBER_REQUIRED) && !carried) {
        struct validate_constraint c = {.shape = wanted};
        begin_error(v, &c, NULL);
        buf_lit(&v->text, "Member must not be null");
    }
    path_pop(v, before);
}

/* Where paths begin with the operation, members of the URL are told last, and by their name alone. */
static void report_members(struct validator *v, const struct model_shape *shape, const struct json *node)
{
    bool apart = node == v->call->input && v->call->api->errors->input_in_path;
    for (int url = 0; url <= apart; url++) {
        if (url)
            path_pop(v, 0);
        for (uint16_t i = 0; i < shape->member_count && v->errors < ERRORS_MAX; i++) {
            bool in_url = v->m->members[shape->members + i].location == MODEL_IN_URI;
            if (!apart || in_url == (bool)url)
                report_member(v, shape, node, i);
        }
    }
}

static void report_collection(struct validator *v, const struct model_shape *shape, const struct json *node)
{
    bool map = shape->type == MODEL_MAP;
    const struct model_shape *key = &v->m->shapes[model_element(v->m, shape, 0)->shape];
    const struct model_shape *element = &v->m->shapes[model_element(v->m, shape, map)->shape];
    bool scalar = element->type != MODEL_STRUCTURE && element->type != MODEL_LIST && element->type != MODEL_MAP;
    struct validate_constraint own = {.shape = shape};
    const struct json *bad_element = NULL;
    struct json bad_key = {.type = JSON_NULL};
    for JSON_EACH (child, node) {
        if (map && !key_valid(v->call, key, child->key))
            bad_key = (struct json){.type = JSON_STRING, .text = child->key};
        if (!own_holds(v->call, element, child))
            bad_element = child;
    }
    if (bad_key.type == JSON_STRING && v->errors < ERRORS_MAX) {
        struct validate_constraint c = constraint_of(v->call, key, &bad_key);
        begin_error(v, &own, node);
        buf_lit(&v->text, "Map keys must satisfy constraint: ");
        add_all(v, &c, false);
    }
    if (bad_element && v->errors < ERRORS_MAX) {
        struct validate_constraint c = constraint_of(v->call, element, bad_element);
        begin_error(v, &own, node);
        buf_add(&v->text, map ? STR("Map value must satisfy constraint: ") : STR("Member must satisfy constraint: "));
        add_all(v, &c, scalar && v->call->api->errors->lists_null);
    }
    size_t number = 0;
    for JSON_EACH (child, node) {
        number++;
        if (v->errors >= ERRORS_MAX || is_valid(v->call, element, child))
            continue;
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
    if (!(shape->flags & MODEL_SHAPE_CONSTRAINED))
        return;
    if (shape->type == MODEL_STRUCTURE)
        report_members(v, shape, node);
    else if (shape->type == MODEL_LIST || shape->type == MODEL_MAP)
        report_collection(v, shape, node);
}

static void fail_with_errors(struct call *call, const struct model_shape *shape)
{
    struct validator v = {.call = call, .m = call->api->model};
    buf_init(&v.text, call->arena, VALIDATE_MESSAGE_BYTES_MAX);
    buf_init(&v.path, call->arena, PATH_BYTES_MAX);
    if (call->api->errors->input_in_path)
        path_push(&v, arena_printf(call->arena, "%sInput", model_text(v.m, call->operation->name)), true);
    report(&v, shape, call->input);
    if (v.errors == 0 && v.sentence_code) {
        call_fail(call, v.sentence_code, STR_FMT, STR_ARG(v.sentence));
    } else if (v.errors == 0) {
        ENSURE(v.sentence.n > 0);
        call_fault(call, FAULT_VALIDATION, v.sentence);
    } else {
        call_fault(call, FAULT_VALIDATION,
                  arena_printf(call->arena, "%zu validation error%s detected: " STR_FMT, v.errors, v.errors > 1 ? "s" : "",
                               STR_ARG(buf_str(&v.text))));
    }
}

bool validate_input(struct call *call)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = model_input(m, call->operation);
    const struct validate_overrides *overrides = call->api->overrides;
    if (overrides && overrides->check && !overrides->check(call))
        return false;
    if (!shape || !(shape->flags & MODEL_SHAPE_CONSTRAINED))
        return true;
    size_t carried = 0;
    if (shape->payload && (call->payload.n || call->body))
        carried = (m->members[shape->members + shape->payload - 1].flags & MODEL_MEMBER_REQUIRED) != 0;
    if (members_valid(call, shape, call->input, carried))
        return true;
    fail_with_errors(call, shape);
    return false;
}
