/* expression_test.c -- the expression language against the corpus of inputs with the documented or recorded answers. */
#include "dynamodb_test.h"
#include "services/dynamodb/expression.h"
#include "services/dynamodb/expression_internal.h"

struct one {
    struct arena *arena;
    const struct json *entry;
    struct str text, message;
    struct expression_params *params;
    size_t wrong;
};

static void report(struct one *one, const char *what, struct str got)
{
    print_error("%s\n  expected: " STR_FMT "\n  got:      " STR_FMT "\n", arena_cstr(one->arena, one->text), STR_ARG(str_of(what)),
                STR_ARG(got));
    one->wrong++;
}

static bool expect_message(struct one *one, bool parsed)
{
    struct str expected = json_str(one->entry, "message");
    if (parsed && expected.n) report(one, arena_cstr(one->arena, expected), STR("(no error)"));
    if (!parsed && !str_eq(one->message, expected)) report(one, arena_cstr(one->arena, expected), one->message);
    return parsed && !expected.n;
}

static bool open_entry(struct one *one, const struct json *entry)
{
    bool serialization = false;
    one->entry = entry;
    one->text = json_str(entry, "expression");
    one->message = STR_NONE;
    assert_true(json_str(entry, "source").n > 0);
    one->params =
        expression_params_new(json_at(entry, "names"), json_at(entry, "values"), one->arena, &one->message, &serialization);
    if (!one->params) fail_msg(STR_FMT, STR_ARG(one->message));
    return true;
}

static void expect_item(struct one *one, const struct value *got, const struct json *expected)
{
    if (got && value_equal(got, item_of(one->arena, expected))) return;
    struct buf buf;
    buf_init(&buf, one->arena, 1 << 20);
    if (got) item_write_json(&buf, got);
    report(one, arena_cstr(one->arena, json_text(one->arena, expected)), buf_str(&buf));
}

static void conditions(void **state)
{
    (void)state;
    struct one one = {.arena = arena_new()};
    struct json *corpus = corpus_read(one.arena, CORPUS "condition.json");
    for JSON_EACH (entry, json_at(corpus, "cases")) {
        open_entry(&one, entry);
        struct condition *condition = condition_parse(one.text, "FilterExpression", one.params, one.arena, &one.message);
        if (!expect_message(&one, condition != NULL)) continue;
        const struct json *own = json_at(entry, "item");
        struct value *item = json_is(own, JSON_NULL) ? NULL : item_of(one.arena, own ? own : json_at(corpus, "item"));
        bool expected = json_bool(entry, "holds", false);
        if (condition_holds(condition, item, one.arena) != expected)
            report(&one, expected ? "holds" : "does not hold", STR("the contrary"));
    }
    arena_free(one.arena);
    assert_int_equal(one.wrong, 0);
}

static void updates(void **state)
{
    (void)state;
    struct one one = {.arena = arena_new()};
    struct json *corpus = corpus_read(one.arena, CORPUS "update.json");
    for JSON_EACH (entry, json_at(corpus, "cases")) {
        open_entry(&one, entry);
        struct value *before = item_of(one.arena, json_at(corpus, "item")), *kept = value_clone(one.arena, before);
        struct update *update = update_parse(one.text, one.params, one.arena, &one.message);
        struct value *after = update ? update_apply(update, before, one.arena, &one.message) : NULL;
        assert_true(value_equal(before, kept));
        if (!expect_message(&one, after != NULL)) continue;
        expect_item(&one, after, json_at(entry, "after"));
        if (json_at(entry, "updated_new"))
            expect_item(&one, update_touched(update, after, one.arena), json_at(entry, "updated_new"));
    }
    arena_free(one.arena);
    assert_int_equal(one.wrong, 0);
}

static void projections(void **state)
{
    (void)state;
    struct one one = {.arena = arena_new()};
    struct json *corpus = corpus_read(one.arena, CORPUS "projection.json");
    for JSON_EACH (entry, json_at(corpus, "cases")) {
        open_entry(&one, entry);
        struct projection *projection = projection_parse(one.text, one.params, one.arena, &one.message);
        if (!expect_message(&one, projection != NULL)) continue;
        expect_item(&one, projection_apply(projection, item_of(one.arena, json_at(corpus, "item")), one.arena),
                    json_at(entry, "result"));
    }
    arena_free(one.arena);
    assert_int_equal(one.wrong, 0);
}

static void key_conditions(void **state)
{
    (void)state;
    static const char *const names[] = {"none", "EQ", "LT", "LE", "GT", "GE", "BETWEEN", "BEGINS_WITH"};
    const struct key_attribute hash = {STR("pk"), VALUE_S}, range = {STR("sk"), VALUE_N};
    struct one one = {.arena = arena_new()};
    struct json *corpus = corpus_read(one.arena, CORPUS "key_condition.json");
    for JSON_EACH (entry, json_at(corpus, "cases")) {
        struct key_conditions parsed;
        struct key_condition bound;
        open_entry(&one, entry);
        bool fine = key_conditions_parse(one.text, one.params, one.arena, &parsed, &one.message) &&
                    key_conditions_bind(&parsed, &hash, &range, one.arena, &bound, &one.message);
        if (!expect_message(&one, fine)) continue;
        if (!str_eq(json_str(entry, "range"), str_of(names[bound.op]))) report(&one, "another operator", str_of(names[bound.op]));
        assert_true(str_eq(bound.hash->bytes, STR("p")));
    }
    arena_free(one.arena);
    assert_int_equal(one.wrong, 0);
}

static void params_are_checked(void **state)
{
    (void)state;
    static const struct { const char *names, *values, *message; } cases[] = {
        {"{}", NULL, "ExpressionAttributeNames must not be empty"},
        {NULL, "{}", "ExpressionAttributeValues must not be empty"},
        {"{\"a\":\"a\"}", NULL, "ExpressionAttributeNames contains invalid key: Syntax error; key: \"a\""},
        {"{\"#a-b\":\"a\"}", NULL, "ExpressionAttributeNames contains invalid key: Syntax error; key: \"#a-b\""},
        {NULL, "{\":b\":{},\"b\":{\"S\":\"a\"}}", "ExpressionAttributeValues contains invalid key: Syntax error; key: \"b\""},
        {NULL, "{\":b\":{}}",
         "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must contain exactly "
         "one of the supported datatypes for key :b"},
        {NULL, "{\":b\":{\"N\":\"x\"}}",
         "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a "
         "numeric value: x for key :b"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str message = STR_NONE;
        bool serialization = false;
        const struct json *names = cases[i].names ? json_of(arena, str_of(cases[i].names)) : NULL;
        const struct json *values = cases[i].values ? json_of(arena, str_of(cases[i].values)) : NULL;
        assert_null(expression_params_new(names, values, arena, &message, &serialization));
        assert_str(message, cases[i].message);
    }
    arena_free(arena);
}

static void unused_placeholders_are_named(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct str message = STR_NONE;
    bool serialization = false;
    struct json *names = json_of(arena, STR("{\"#a\":\"a\",\"#b\":\"b\",\"#c\":\"c\"}"));
    struct json *values = json_of(arena, STR("{\":a\":{\"S\":\"a\"},\":b\":{\"S\":\"b\"}}"));
    struct expression_params *params = expression_params_new(names, values, arena, &message, &serialization);
    assert_non_null(condition_parse(STR("#b = :b"), "FilterExpression", params, arena, &message));
    assert_false(expression_params_all_used(params, arena, &message));
    assert_str(message, "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #c}");
    assert_non_null(condition_parse(STR("#a = #c"), "FilterExpression", params, arena, &message));
    assert_false(expression_params_all_used(params, arena, &message));
    assert_str(message, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a}");
    arena_free(arena);
}

static void usage_is_checked(void **state)
{
    (void)state;
    static const char *const expressions[] = {"UpdateExpression", "ConditionExpression", NULL};
    static const char *const legacy[] = {"AttributeUpdates", "Expected", NULL};
    const struct expression_usage usage = {expressions, expressions, legacy};
    static const struct { const char *input, *message; } cases[] = {
        {"{\"Expected\":{},\"AttributeUpdates\":{},\"ConditionExpression\":\"\",\"UpdateExpression\":\"\"}",
         "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
         "{AttributeUpdates, Expected} Expression parameters: {UpdateExpression, ConditionExpression}"},
        {"{\"ExpressionAttributeNames\":{}}", "ExpressionAttributeNames can only be specified when using expressions"},
        {"{\"ExpressionAttributeValues\":{}}", "ExpressionAttributeValues can only be specified when using expressions: "
                                               "UpdateExpression and ConditionExpression are null"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str message = STR_NONE;
        assert_false(expression_usage_check(&usage, json_of(arena, str_of(cases[i].input)), arena, &message));
        assert_str(message, cases[i].message);
    }
    arena_free(arena);
}

static void legacy_updates(void **state)
{
    (void)state;
    static const struct { const char *updates, *after, *message; } cases[] = {
        {"{\"a\":{\"Value\":{\"S\":\"x\"}}}", "{\"n\":{\"N\":\"1\"},\"ss\":{\"SS\":[\"a\",\"b\"]},\"a\":{\"S\":\"x\"}}", ""},
        {"{\"n\":{\"Action\":\"ADD\",\"Value\":{\"N\":\"4\"}}}", "{\"n\":{\"N\":\"5\"},\"ss\":{\"SS\":[\"a\",\"b\"]}}", ""},
        {"{\"n\":{\"Action\":\"DELETE\"},\"ss\":{\"Action\":\"DELETE\",\"Value\":{\"SS\":[\"b\"]}}}", "{\"ss\":{\"SS\":[\"a\"]}}",
         ""},
        {"{\"l\":{\"Action\":\"ADD\",\"Value\":{\"L\":[]}}}",
         "{\"n\":{\"N\":\"1\"},\"ss\":{\"SS\":[\"a\",\"b\"]},\"l\":{\"L\":[]}}", ""},
        {"{\"n\":{\"Action\":\"ADD\",\"Value\":{\"SS\":[\"4\"]}}}", NULL, "Type mismatch for attribute to update"},
        {"{\"n\":{\"Action\":\"PUT\"}}", NULL,
         "One or more parameter values were invalid: Only DELETE action is allowed when no attribute value is specified"},
        {"{\"n\":{\"Action\":\"DELETE\",\"Value\":{\"N\":\"1\"}}}", NULL,
         "One or more parameter values were invalid: DELETE action with value is not supported for the type N"},
        {"{\"n\":{\"Action\":\"ADD\",\"Value\":{\"B\":\"Yg==\"}}}", NULL,
         "One or more parameter values were invalid: ADD action is not supported for the type B"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str message = STR_NONE;
        bool serialization = false;
        struct value *item = item_text(arena, "{\"n\":{\"N\":\"1\"},\"ss\":{\"SS\":[\"a\",\"b\"]}}");
        struct update *update = update_from_legacy(json_of(arena, str_of(cases[i].updates)), arena, &message, &serialization);
        struct value *after = update ? update_apply(update, item, arena, &message) : NULL;
        assert_str(message, cases[i].message);
        assert_int_equal(after != NULL, cases[i].after != NULL);
        if (after) assert_true(value_equal(after, item_text(arena, cases[i].after)));
    }
    arena_free(arena);
}

static void updates_cannot_nest_too_deep(void **state)
{
    (void)state;
    static const struct { const char *expression; bool fine; } cases[] = {{"SET again = deep", true}, {"SET m.again = deep", false}};
    struct arena *arena = arena_new();
    struct value *item = item_text(arena, "{\"m\":{\"M\":{}}}"), *deep = value_new(arena, VALUE_NULL);
    for (int i = 0; i < VALUE_DEPTH_MAX; i++) {
        struct value *list = value_new(arena, VALUE_L);
        value_append(list, deep);
        deep = list;
    }
    deep->name = STR("deep");
    value_append(item, deep);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str message = STR_NONE;
        bool serialization = false;
        struct expression_params *params = expression_params_new(NULL, NULL, arena, &message, &serialization);
        struct update *update = update_parse(str_of(cases[i].expression), params, arena, &message);
        assert_non_null(update);
        assert_int_equal(update_apply(update, item, arena, &message) != NULL, cases[i].fine);
        assert_str(message, cases[i].fine ? "" : VALUE_DEPTH_MESSAGE);
    }
    arena_free(arena);
}

static void reserved_words_are_found(void **state)
{
    (void)state;
    static const char *const reserved[] = {"abort", "NAME", "Zone", "yEaR", "CURRENT", "localtimestamp", "status", "size"};
    static const char *const allowed[] = {"id", "title", "aborted", "", "x", "averyveryverylongword"};
    for (size_t i = 0; i < COUNT_OF(reserved); i++) assert_true(expression__reserved(str_of(reserved[i])));
    for (size_t i = 0; i < COUNT_OF(allowed); i++) assert_false(expression__reserved(str_of(allowed[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions), cmocka_unit_test(updates), cmocka_unit_test(projections), cmocka_unit_test(key_conditions),
        cmocka_unit_test(params_are_checked), cmocka_unit_test(unused_placeholders_are_named), cmocka_unit_test(usage_is_checked),
        cmocka_unit_test(legacy_updates), cmocka_unit_test(updates_cannot_nest_too_deep),
        cmocka_unit_test(reserved_words_are_found),
    };
    return RUN(tests);
}
