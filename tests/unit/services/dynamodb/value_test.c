/* value_test.c -- values from the wire and back, DynamoDB's words for wrong ones, sizes, equality without order. */
#include "dynamodb_test.h"

static void wrong_values_are_named(void **state)
{
    (void)state;
#define INVALID "One or more parameter values were invalid: "
    static const struct { const char *json, *message; } cases[] = {
        /* recorded service answers: dynalite test/putItem.js */
        {"{}", "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
        {"{\"a\":\"\"}", "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
        {"{\"M\":{\"a\":{}}}", "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
        {"{\"L\":[{}]}", "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
        {"{\"S\":\"a\",\"N\":\"1\"}", "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
                                      "supported datatypes"},
        {"{\"NULL\":false}", INVALID "Null attribute value types must have the value of true"},
        {"{\"SS\":[]}", INVALID "An string set  may not be empty"},
        {"{\"NS\":[]}", INVALID "An number set  may not be empty"},
        {"{\"BS\":[]}", INVALID "Binary sets should not be empty"},
        {"{\"SS\":[\"a\",\"a\"]}", INVALID "Input collection [a, a] contains duplicates."},
        {"{\"BS\":[\"Yg==\",\"Yg==\"]}", INVALID "Input collection [Yg==, Yg==]of type BS contains duplicates."},
        {"{\"NS\":[\"1\",\"1.0\"]}", "Input collection contains duplicates"},
        {"{\"N\":\"\"}", "The parameter cannot be converted to a numeric value"},
        {"{\"S\":\"a\",\"N\":\"b\"}", "The parameter cannot be converted to a numeric value: b"},
        {"{\"NS\":[\"1\",\"b\"]}", "The parameter cannot be converted to a numeric value: b"},
        {"{\"N\":\"123456789012345678901234567890123456789\"}", "Attempting to store more than 38 significant digits in a Number"},
        {"{\"N\":\"1e126\"}", "Number overflow. Attempting to store a number with magnitude larger than supported range"},
        {"{\"N\":\"-1e-131\"}", "Number underflow. Attempting to store a number with magnitude smaller than supported range"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str message = STR_NONE;
        bool serialization = false;
        assert_null(value_from_json(json_of(arena, str_of(cases[i].json)), arena, &message, &serialization));
        assert_str(message, cases[i].message);
        assert_false(serialization);
    }
    arena_free(arena);
}

static void wrong_types_are_serialization_errors(void **state)
{
    (void)state;
    static const char *const cases[] = {"[]",
                                        "3",
                                        "{\"S\":1}",
                                        "{\"N\":1}",
                                        "{\"BOOL\":\"x\"}",
                                        "{\"L\":{}}",
                                        "{\"M\":[]}",
                                        "{\"SS\":\"a\"}",
                                        "{\"SS\":[1]}",
                                        "{\"B\":\"a\"}",
                                        "{\"B\":\"a===\"}",
                                        "{\"M\":{\"a\":\"b\"}}"};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str message = STR_NONE;
        bool serialization = false;
        assert_null(value_from_json(json_of(arena, str_of(cases[i])), arena, &message, &serialization));
        assert_true(serialization);
        assert_true(message.n > 0);
    }
    arena_free(arena);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    for (int depth = 30; depth <= 34; depth++) {
        struct buf text;
        struct str message = STR_NONE;
        bool serialization = false;
        buf_init(&text, arena, 4096);
        for (int i = 0; i < depth; i++) buf_lit(&text, "{\"L\":[");
        buf_lit(&text, "{\"S\":\"x\"}");
        for (int i = 0; i < depth; i++) buf_lit(&text, "]}");
        struct value *value = value_from_json(json_of(arena, buf_str(&text)), arena, &message, &serialization);
        assert_int_equal(value != NULL, depth <= VALUE_DEPTH_MAX);
        if (!value) assert_str(message, VALUE_DEPTH_MESSAGE);
        else assert_false(value_too_deep(value));
    }
    arena_free(arena);
}

static void sizes(void **state)
{
    (void)state;
    static const struct { const char *item; size_t size; } cases[] = {
        /* developer guide, Item sizes and formats */
        {"{\"id\":{\"S\":\"abc\"}}", 5},
        {"{\"é\":{\"S\":\"\"}}", 2},
        {"{\"b\":{\"B\":\"AQID\"}}", 4},
        {"{\"a\":{\"NULL\":true}}", 2},
        {"{\"a\":{\"BOOL\":false}}", 2},
        {"{\"a\":{\"L\":[]}}", 4},
        {"{\"a\":{\"M\":{}}}", 4},
        {"{\"a\":{\"M\":{\"k\":{\"S\":\"v\"}}}}", 7},
        {"{\"a\":{\"L\":[{\"S\":\"v\"}]}}", 6},
        {"{\"a\":{\"SS\":[\"ab\",\"c\"]}}", 4},
        {"{\"a\":{\"N\":\"0\"}}", 2},
        {"{\"a\":{\"N\":\"1\"}}", 3},
        {"{\"a\":{\"N\":\"-1\"}}", 4},
        {"{\"a\":{\"N\":\"1E125\"}}", 3},
        {"{\"a\":{\"N\":\"123456\"}}", 5},
        {"{\"a\":{\"N\":\"3.14159\"}}", 6},
        {"{\"a\":{\"NS\":[\"1\",\"20\"]}}", 5},
        {"{\"a\":{\"N\":\"0.001\"}}", 3},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) assert_int_equal(item_size(item_text(arena, cases[i].item)), cases[i].size);
    arena_free(arena);
}

static void written_values_read_back(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int i = 0; i < 500; i++) {
        struct arena *arena = arena_new();
        struct value *item = random_item(arena, &seed);
        struct buf buf;
        buf_init(&buf, arena, 1 << 22);
        item_write_json(&buf, item);
        assert_true(value_equal(item, item_of(arena, json_of(arena, buf_str(&buf)))));
        assert_true(value_equal(item, value_clone(arena, item)));
        arena_free(arena);
    }
}

static void order_does_not_matter_in_sets_and_maps(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct value *a = item_text(arena, "{\"x\":{\"SS\":[\"a\",\"b\",\"c\"]},\"m\":{\"M\":{\"p\":{\"N\":\"1\"},\"q\":{\"N\":\"2\"}}}"
                                       "}");
    assert_true(value_equal(a, item_text(arena, "{\"m\":{\"M\":{\"q\":{\"N\":\"2.0\"},\"p\":{\"N\":\"1\"}}},\"x\":{\"SS\":[\"c\","
                                                "\"a\",\"b\"]}}")));
    assert_false(value_equal(a, item_text(arena, "{\"m\":{\"M\":{\"q\":{\"N\":\"2.0\"},\"p\":{\"N\":\"1\"}}},\"x\":{\"SS\":[\"c\","
                                                 "\"a\",\"d\"]}}")));
    assert_false(value_equal(a, item_text(arena, "{\"m\":{\"M\":{\"q\":{\"N\":\"2.0\"},\"r\":{\"N\":\"1\"}}},\"x\":{\"SS\":[\"c\","
                                                 "\"a\",\"b\"]}}")));
    struct value *list = item_text(arena, "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}}");
    assert_false(value_equal(list, item_text(arena, "{\"l\":{\"L\":[{\"N\":\"2\"},{\"N\":\"1\"}]}}")));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_values_are_named),
        cmocka_unit_test(wrong_types_are_serialization_errors),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(sizes),
        cmocka_unit_test(written_values_read_back),
        cmocka_unit_test(order_does_not_matter_in_sets_and_maps),
    };
    return RUN(tests);
}
