/* value_json.c -- the wire's JSON to values, with DynamoDB's own words for each wrong value.
 * Source: API reference, AttributeValue; "Supported data types and naming rules". A member of null counts as absent.
 * Every member of an AttributeValue is checked before their number is, as DynamoDB does. */
#include "base/codec.h"
#include "services/dynamodb/value.h"

struct reader {
    struct arena *arena;
    struct str message;
    bool serialization;
};

#define STR_INIT(literal) {(literal), sizeof(literal) - 1}
#define VALUE_MESSAGE_BYTES_MAX (1u << 20) /* of the sentence that repeats a whole set */

static bool value_fail(struct reader *r, struct str message)
{
    r->message = message;
    return false;
}

/* SerializationException's sentences: the class of what came, and what was wanted. */
static bool fail_type(struct reader *r, const struct json *json, const char *wanted)
{
    r->serialization = true;
    switch (json->type) {
    case JSON_ARRAY:
        return value_fail(r, STR("Start of list found where not expected"));
    case JSON_OBJECT:
        return value_fail(r, STR("Start of structure or map found where not expected."));
    case JSON_TRUE: case JSON_FALSE:
        return value_fail(r, arena_printf(r->arena, "class java.lang.Boolean can not be converted to %s", wanted));
    case JSON_STRING:
        return value_fail(r, arena_printf(r->arena, "'" STR_FMT "' can not be converted to %s", STR_ARG(json->text), wanted));
    default:
        return value_fail(r, arena_printf(r->arena,
                                          "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be "
                                          "converted to %s",
                                          wanted));
    }
}

static bool fail_container(struct reader *r, const struct json *json, const char *wanted)
{
    if (json->type == JSON_ARRAY || json->type == JSON_OBJECT)
        return fail_type(r, json, wanted);
    r->serialization = true;
    return value_fail(r, arena_printf(r->arena, "Expected %s", wanted));
}

static bool read_string(struct reader *r, const struct json *json, struct value *ret)
{
    if (json->type != JSON_STRING)
        return fail_type(r, json, "an String");
    ret->bytes = json->text;
    return true;
}

static bool value_read_number(struct reader *r, const struct json *json, struct value *ret)
{
    static const struct str messages[] = {
        [DECIMAL_OVERFLOW] = STR_INIT("Number overflow. Attempting to store a number with magnitude larger than supported range"),
        [DECIMAL_UNDERFLOW] = STR_INIT("Number underflow. Attempting to store a number with magnitude smaller than supported "
                                       "range"),
        [DECIMAL_PRECISION] = STR_INIT("Attempting to store more than 38 significant digits in a Number"),
    };
    if (json->type != JSON_STRING)
        return fail_type(r, json, "an String");
    enum decimal_status status = decimal_parse(json->text, &ret->number);
    if (status == DECIMAL_OK)
        return true;
    if (status != DECIMAL_SYNTAX)
        return value_fail(r, messages[status]);
    if (json->text.n == 0)
        return value_fail(r, STR("The parameter cannot be converted to a numeric value"));
    return value_fail(
        r, arena_printf(r->arena, "The parameter cannot be converted to a numeric value: " STR_FMT, STR_ARG(json->text)));
}

static bool read_binary(struct reader *r, const struct json *json, struct value *ret)
{
    if (json->type != JSON_STRING)
        return fail_type(r, json, "a Blob");
    if (base64_decode(json->text, r->arena, &ret->bytes) == ERR_OK)
        return true;
    r->serialization = true;
    if (json->text.n % 4)
        return value_fail(r, arena_printf(r->arena,
                                          "'" STR_FMT "' can not be converted to a Blob: Base64 encoded length is expected "
                                          "a multiple of 4 bytes but found: %zu",
                                          STR_ARG(json->text), json->text.n));
    return value_fail(
        r, arena_printf(r->arena, "'" STR_FMT "' can not be converted to a Blob: Invalid Base64 character", STR_ARG(json->text)));
}

static bool read_bool(struct reader *r, const struct json *json, struct value *ret)
{
    if (json->type != JSON_TRUE && json->type != JSON_FALSE)
        return fail_type(r, json, "an Boolean");
    ret->boolean = json->type == JSON_TRUE;
    return true;
}

static bool read_null(struct reader *r, const struct json *json, struct value *ret)
{
    if (!read_bool(r, json, ret))
        return false;
    return ret->boolean || value_fail(r, STR(DYNAMODB_INVALID "Null attribute value types must have the value of true"));
}

typedef bool read_fn(struct reader *r, const struct json *json, struct value *ret);

static void write_collection(struct buf *buf, const struct json *list)
{
    buf_add_char(buf, '[');
    for JSON_EACH (element, list) {
        if (element != list->first)
            buf_lit(buf, ", ");
        buf_add(buf, element->text);
    }
    buf_add_char(buf, ']');
}

static bool fail_duplicates(struct reader *r, const struct json *list, enum value_type type)
{
    if (type == VALUE_NS)
        return value_fail(r, STR("Input collection contains duplicates"));
    struct buf buf;
    buf_init(&buf, r->arena, VALUE_MESSAGE_BYTES_MAX);
    buf_lit(&buf, DYNAMODB_INVALID "Input collection ");
    write_collection(&buf, list);
    buf_add(&buf, type == VALUE_BS ? STR("of type BS contains duplicates.") : STR(" contains duplicates."));
    return value_fail(r, buf.failed ? STR(DYNAMODB_INVALID "Input collection contains duplicates.") : buf_str(&buf));
}

static bool duplicates(const struct value *set, struct arena *arena)
{
    const struct value **sorted = value_sorted(set, arena);
    for (size_t i = 1; i < set->count; i++)
        if (value_equal(sorted[i - 1], sorted[i]))
            return true;
    return false;
}

static bool read_set(struct reader *r, const struct json *json, struct value *ret)
{
    static const struct str empty[] = {
        STR_INIT(DYNAMODB_INVALID "An string set  may not be empty"),
        STR_INIT(DYNAMODB_INVALID "An number set  may not be empty"),
        STR_INIT(DYNAMODB_INVALID "Binary sets should not be empty"),
    };
    static read_fn *const element[] = {read_string, value_read_number, read_binary};
    int kind = ret->type - VALUE_SS;
    if (json->type != JSON_ARRAY)
        return fail_container(r, json, "list or null");
    if (json->count == 0)
        return value_fail(r, empty[kind]);
    for JSON_EACH (child, json) {
        struct value *value = value_new(r->arena, value_set_element(ret->type));
        if (!element[kind](r, child, value))
            return false;
        value_append(ret, value);
    }
    return (json->count < 2 || !duplicates(ret, r->arena)) || fail_duplicates(r, json, ret->type);
}

static struct value *read_value(struct reader *r, const struct json *json, unsigned depth);

static bool read_list(struct reader *r, const struct json *json, struct value *ret, unsigned depth)
{
    if (json->type != JSON_ARRAY)
        return fail_container(r, json, "list or null");
    for JSON_EACH (child, json) {
        struct value *value = read_value(r, child, depth + 1);
        if (!value)
            return false;
        value_append(ret, value);
    }
    return true;
}

static bool read_map(struct reader *r, const struct json *json, struct value *ret, unsigned depth)
{
    if (json->type != JSON_OBJECT)
        return fail_container(r, json, "map or null");
    for JSON_EACH (child, json) {
        if (child->type == JSON_NULL)
            continue;
        struct value *value = read_value(r, child, depth + 1);
        if (!value)
            return false;
        if (!child->key.n)
            return value_fail(r, STR(VALUE_NO_NAME_MESSAGE));
        value->name = child->key;
        value_append(ret, value);
    }
    return true;
}

static bool read_member(struct reader *r, const struct json *json, struct value *ret, unsigned depth)
{
    static read_fn *const scalars[] = {read_string, value_read_number, read_binary, read_bool, read_null};
    if (ret->type <= VALUE_NULL)
        return scalars[ret->type](r, json, ret);
    if (value_is_set(ret->type))
        return read_set(r, json, ret);
    if (depth >= VALUE_DEPTH_MAX)
        return value_fail(r, STR(VALUE_DEPTH_MESSAGE));
    return ret->type == VALUE_M ? read_map(r, json, ret, depth) : read_list(r, json, ret, depth);
}

static struct value *read_value(struct reader *r, const struct json *json, unsigned depth)
{
    struct value *value = NULL;
    size_t types = 0;
    if (json->type != JSON_OBJECT)
        return fail_container(r, json, "null"), NULL;
    for JSON_EACH (member, json) {
        enum value_type type;
        if (member->type == JSON_NULL || !value_type_parse(member->key, &type))
            continue;
        value = value_new(r->arena, type);
        if (!read_member(r, member, value, depth))
            return NULL;
        types++;
    }
    if (types == 1)
        return value;
    value_fail(r, types ? STR("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported "
                              "datatypes")
                        : STR("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"));
    return NULL;
}

struct value *value_from_json(const struct json *json, struct arena *arena, struct str *ret_message, bool *ret_serialization)
{
    struct reader r = {.arena = arena};
    struct value *value = read_value(&r, json, 0);
    if (value)
        return value;
    *ret_message = r.message;
    *ret_serialization = r.serialization;
    return NULL;
}

struct value *item_from_json(const struct json *json, struct arena *arena, struct str *ret_message, bool *ret_serialization)
{
    struct reader r = {.arena = arena};
    struct value *item = value_new(arena, VALUE_M);
    if (json->type == JSON_OBJECT) {
        for JSON_EACH (member, json) {
            if (member->type == JSON_NULL)
                continue;
            struct value *value = read_value(&r, member, 0);
            if (!value || (!member->key.n && !value_fail(&r, STR(VALUE_NO_NAME_MESSAGE))))
                goto wrong;
            value->name = member->key;
            value_append(item, value);
        }
        return item;
    }
    fail_container(&r, json, "map or null");
wrong:
    *ret_message = r.message;
    *ret_serialization = r.serialization;
    return NULL;
}
