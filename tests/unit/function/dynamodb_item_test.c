/* dynamodb_item_test.c -- items made, read, turned into plain JSON and back; expressions; the checksum. */
#include "walk.h"
#include "ddb.h"
#include <stdio.h>
#include <stdlib.h>

static cl_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = cl_arena_new(0);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    cl_arena_free(arena);
    return 0;
}

static cl_json *parse(const char *text)
{
    cl_json *json = NULL;
    if (cl_json_parse(arena, cl_str_of(text), &json, NULL) != CL_OK)
        fail_msg("%s", text);
    return json;
}

static void test_attributes(void **state)
{
    (void)state;
    cl_item *item = cl_item_new(arena);
    int64_t n = 7;
    cl_item_s(arena, item, "s", cl_str_of("text"));
    cl_item_n(arena, item, "n", cl_str_of("12.10"));
    cl_item_i(arena, item, "i", INT64_MIN);
    cl_item_bool(arena, item, "t", true);
    cl_item_bool(arena, item, "f", false);
    cl_item_null(arena, item, "z");
    cl_item_b(arena, item, "b", (cl_str){"\0\xff", 2});
    cl_item_json(arena, item, "j", parse("{\"a\":[1,null]}"));
    cl_item_ss(arena, item, "ss", (const cl_str[]){CL_STR_LIT("a"), CL_STR_LIT("\"")}, 2);
    cl_item_ns(arena, item, "ns", (const cl_str[]){CL_STR_LIT("1"), CL_STR_LIT("2.50")}, 2);
    cl_item_ss(arena, item, "none", NULL, 0);
    cl_item_s(arena, item, "s", cl_str_of("again"));
    cl_item_json(arena, item, "absent", NULL);
    assert_str(cl_json_text(arena, item),
               "{\"s\":{\"S\":\"again\"},\"n\":{\"N\":\"12.10\"},\"i\":{\"N\":\"-9223372036854775808\"},\"t\":{\"BOOL\":true},"
               "\"f\":{\"BOOL\":false},\"z\":{\"NULL\":true},\"b\":{\"B\":\"AP8=\"},"
               "\"j\":{\"M\":{\"a\":{\"L\":[{\"N\":\"1\"},{\"NULL\":true}]}}},"
               "\"ss\":{\"SS\":[\"a\",\"\\\"\"]},\"ns\":{\"NS\":[\"1\",\"2.50\"]},\"none\":{\"SS\":[]}}");
    assert_str(cl_item_get_s(item, "s"), "again");
    assert_str(cl_item_get_s(item, "n"), "");
    assert_str(cl_item_get_n(item, "n"), "12.10");
    assert_true(cl_item_get_i(item, "i", &n));
    assert_true(n == INT64_MIN);
    n = 7;
    assert_false(cl_item_get_i(item, "n", &n));
    assert_false(cl_item_get_i(item, "s", &n));
    assert_false(cl_item_get_i(item, "absent", &n));
    assert_int_equal(n, 7);
    assert_true(cl_item_get_bool(item, "t"));
    assert_false(cl_item_get_bool(item, "f"));
    assert_false(cl_item_get_bool(item, "s"));
    /* Absent items are as items without attributes. */
    assert_str(cl_item_get_s(NULL, "s"), "");
    assert_str(cl_item_get_n(NULL, "s"), "");
    assert_false(cl_item_get_i(NULL, "s", &n));
    assert_false(cl_item_get_bool(NULL, "s"));
}

static void test_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *item;
    } rows[] = {
        {"{}", "{}"},
        {"{\"a\":\"\"}", "{\"a\":{\"S\":\"\"}}"},
        {"{\"price\":12.10,\"e\":1E5,\"z\":-0}", "{\"price\":{\"N\":\"12.10\"},\"e\":{\"N\":\"1E5\"},\"z\":{\"N\":\"-0\"}}"},
        {"{\"a\":true,\"b\":false,\"c\":null}", "{\"a\":{\"BOOL\":true},\"b\":{\"BOOL\":false},\"c\":{\"NULL\":true}}"},
        {"{\"a\":[],\"b\":{}}", "{\"a\":{\"L\":[]},\"b\":{\"M\":{}}}"},
        {"{\"a\":[[1],{\"b\":[\"x\"]}]}", "{\"a\":{\"L\":[{\"L\":[{\"N\":\"1\"}]},{\"M\":{\"b\":{\"L\":[{\"S\":\"x\"}]}}}]}}"},
        {"{\"S\":{\"N\":1}}", "{\"S\":{\"M\":{\"N\":{\"N\":\"1\"}}}}"},
        {"{\"\\u0000\":\"\\u0000\",\"\":1}", "{\"\\u0000\":{\"S\":\"\\u0000\"},\"\":{\"N\":\"1\"}}"}};
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        cl_json *item = cl_item_from_json(arena, parse(rows[i].plain));
        assert_str(cl_json_text(arena, item), rows[i].item);
        assert_str(cl_json_text(arena, cl_item_to_json(arena, parse(rows[i].item))), rows[i].plain);
    }
    assert_str(cl_json_text(arena, cl_value_of(arena, parse("[1]"))), "{\"L\":[{\"N\":\"1\"}]}");
    assert_str(cl_json_text(arena, cl_value_to_json(arena, parse("{\"SS\":[\"a\"]}"))), "[\"a\"]");
    assert_null(cl_item_from_json(arena, parse("[]")));
    assert_null(cl_item_from_json(arena, NULL));
    assert_null(cl_item_to_json(arena, NULL));
    assert_null(cl_value_of(arena, NULL));
    assert_null(cl_value_to_json(arena, NULL));
    cl_json *raw = cl_json_object(arena);
    cl_json_set(raw, "r", cl_json_raw(arena, cl_str_of("{\"x\":[1]}")));
    assert_str(cl_json_text(arena, cl_item_from_json(arena, raw)), "{\"r\":{\"M\":{\"x\":{\"L\":[{\"N\":\"1\"}]}}}}");
}

/* To plain only: sets, binary, and what no DynamoDB would send. */
static void test_to_plain(void **state)
{
    (void)state;
    static const struct {
        const char *value, *plain;
    } rows[] = {{"{\"SS\":[\"a\",\"b\"]}", "[\"a\",\"b\"]"},
                {"{\"NS\":[\"1\",\"2.50\"]}", "[1,2.50]"},
                {"{\"BS\":[\"AP8=\"]}", "[\"AP8=\"]"},
                {"{\"B\":\"AP8=\"}", "\"AP8=\""},
                {"{\"N\":\"nan\"}", "\"nan\""},
                {"{\"N\":\"\"}", "\"\""},
                {"{\"N\":1}", "null"},
                {"{\"S\":1}", "null"},
                {"{\"L\":{}}", "null"},
                {"{\"M\":[]}", "null"},
                {"{\"SS\":\"a\"}", "null"},
                {"{\"SS\":[1]}", "[\"\"]"},
                {"{\"X\":1}", "null"},
                {"{}", "null"},
                {"{\"S\":\"a\",\"N\":\"1\"}", "null"},
                {"7", "null"},
                {"[]", "null"},
                {"{\"BOOL\":\"true\"}", "false"},
                {"{\"NULL\":false}", "null"},
                {"{\"L\":[7,{\"S\":\"x\"}]}", "[null,\"x\"]"}};
    for (size_t i = 0; i < CL__COUNT(rows); i++)
        assert_str(cl_json_text(arena, cl_value_to_json(arena, parse(rows[i].value))), rows[i].plain);
}

/* As deep as the parser goes is turned whole; deeper, by hand, fails the arena rather than lose a part. */
static void test_depth(void **state)
{
    (void)state;
    char text[2 * CL_JSON_DEPTH_MAX + 1] = "";
    for (int i = 0; i < CL_JSON_DEPTH_MAX; i++)
        text[i] = '[', text[2 * CL_JSON_DEPTH_MAX - 1 - i] = ']';
    cl_json *value = cl_value_of(arena, parse(text));
    assert_non_null(value);
    assert_false(cl_arena_failed(arena));
    assert_str(cl_json_text(arena, cl_value_to_json(arena, value)), text);
    cl_json *deep = parse(text);
    for (int i = 0; i < 5; i++) {
        cl_json *outer = cl_json_array(arena);
        cl_json_append(outer, deep);
        deep = outer;
    }
    cl_arena *own = cl_arena_new(0);
    cl_value_of(own, deep);
    assert_true(cl_arena_failed(own));
    cl_arena_reset(own);
    for (int i = 0; i < 20; i++)
        value = cl_value_of(arena, cl_json_array(arena)), cl_json_append(value->first, deep), deep = value;
    cl_arena_free(own);
}

static void check(const cl_expr *e, const char *names, const char *values)
{
    assert_false(cl_arena_failed(arena));
    assert_str(cl_json_text(arena, e->names), names);
    assert_str(cl_json_text(arena, e->values), values);
}

static void test_updates(void **state)
{
    (void)state;
    cl_expr e;
    cl_expr_init(&e, arena);
    assert_null(cl_expr_update(&e));
    cl_ddb_options options = {.limit = 5, .condition = "kept"};
    assert_ptr_equal(cl_expr_options(&e, &options), &options);
    assert_string_equal(options.condition, "kept");
    assert_null(options.names);
    assert_null(options.values);
    cl_expr_remove(&e, "a.b");
    assert_string_equal(cl_expr_update(&e), "REMOVE #0");
    cl_expr_set(&e, "#0 = :0, x", cl_value_of(arena, parse("1")));
    cl_expr_add_number(&e, "count", cl_str_of("-1"));
    cl_expr_remove(&e, "");
    assert_string_equal(cl_expr_update(&e), "SET #1 = :2 ADD #3 :4 REMOVE #0, #5");
    check(&e, "{\"#0\":\"a.b\",\"#1\":\"#0 = :0, x\",\"#3\":\"count\",\"#5\":\"\"}",
          "{\":2\":{\"N\":\"1\"},\":4\":{\"N\":\"-1\"}}");
    cl_expr_set_if_absent(&e, "made", cl_value_of(arena, parse("2")));
    assert_string_equal(cl_expr_update(&e), "SET #1 = :2, #6 = if_not_exists(#7, :8) ADD #3 :4 REMOVE #0, #5");
    check(&e, "{\"#0\":\"a.b\",\"#1\":\"#0 = :0, x\",\"#3\":\"count\",\"#5\":\"\",\"#6\":\"made\",\"#7\":\"made\"}",
          "{\":2\":{\"N\":\"1\"},\":4\":{\"N\":\"-1\"},\":8\":{\"N\":\"2\"}}");
    cl_expr_options(&e, &options);
    assert_ptr_equal(options.names, e.names);
    assert_ptr_equal(options.values, e.values);
}

static void test_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *op, *text;
    } rows[] = {{"=", "#0 = :1"},
                {"<>", "#0 <> :1"},
                {"<", "#0 < :1"},
                {"<=", "#0 <= :1"},
                {">", "#0 > :1"},
                {">=", "#0 >= :1"},
                {"begins_with", "begins_with(#0, :1)"},
                {"contains", "contains(#0, :1)"},
                {"exists", "attribute_exists(#0)"},
                {"not_exists", "attribute_not_exists(#0)"},
                {"==", "unknown_operator(#0)"},
                {"= :1 OR a <>", "unknown_operator(#0)"},
                {"", "unknown_operator(#0)"}};
    cl_expr e;
    cl_ddb_options options;
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        cl_expr_init(&e, arena);
        memset(&options, 0, sizeof options);
        cl_expr_condition(&e, "a", rows[i].op, cl_value_of(arena, parse("\"x\"")));
        assert_string_equal(cl_expr_options(&e, &options)->condition, rows[i].text);
        assert_null(options.filter);
    }
    cl_expr_init(&e, arena);
    memset(&options, 0, sizeof options);
    cl_expr_condition(&e, "pk", "=", cl_value_of(arena, parse("1")));
    cl_expr_between(&e, "sk", cl_value_of(arena, parse("\"x\"")), cl_value_of(arena, parse("\"y\"")));
    cl_expr_filter(&e, "done", "exists", NULL);
    cl_expr_filter(&e, "n", ">", cl_value_of(arena, parse("3")));
    cl_expr_project(&e, "pk");
    cl_expr_project(&e, "size");
    cl_expr_options(&e, &options);
    assert_string_equal(options.condition, "#0 = :1 AND #2 BETWEEN :3 AND :4");
    assert_string_equal(options.filter, "attribute_exists(#5) AND #6 > :7");
    assert_string_equal(options.projection, "#8, #9");
    check(&e, "{\"#0\":\"pk\",\"#2\":\"sk\",\"#5\":\"done\",\"#6\":\"n\",\"#8\":\"pk\",\"#9\":\"size\"}",
          "{\":1\":{\"N\":\"1\"},\":3\":{\"S\":\"x\"},\":4\":{\"S\":\"y\"},\":7\":{\"N\":\"3\"}}");
}

/* One value in several places, and in an item as well: each stands where it was put. */
static void test_shared_value(void **state)
{
    (void)state;
    cl_expr e;
    cl_json *value = cl_value_of(arena, parse("{\"a\":1}"));
    cl_expr_init(&e, arena);
    cl_expr_set(&e, "x", value);
    cl_expr_set(&e, "y", value);
    check(&e, "{\"#0\":\"x\",\"#2\":\"y\"}", "{\":1\":{\"M\":{\"a\":{\"N\":\"1\"}}},\":3\":{\"M\":{\"a\":{\"N\":\"1\"}}}}");
}

/* An expression that grows past its bound takes the arena with it: nothing is sent that lacks a part. */
static void test_too_long(void **state)
{
    (void)state;
    cl_expr e;
    cl_arena *own = cl_arena_new(0);
    cl_expr_init(&e, own);
    for (int i = 0; i < 20000 && !cl_arena_failed(own); i++)
        cl_expr_remove(&e, "name");
    assert_true(cl_arena_failed(own));
    cl_arena_free(own);
}

static void test_checksum(void **state)
{
    (void)state;
    assert_int_equal(cl__crc32(cl_str_of("123456789")), 0xcbf43926);
    assert_int_equal(cl__crc32((cl_str){0}), 0);
    assert_int_equal(cl__crc32(cl_str_of("{}")), 2745614147);
}

/* ---- without memory ---- */

/* Every function that makes something, into one text. */
static cl_str everything(cl_arena *own)
{
    cl_json *plain = NULL, *all = cl_json_object(own);
    cl_json_parse(own, cl_str_of("{\"a\":[1,{\"b\":\"c\"}],\"d\":null}"), &plain, NULL);
    cl_item *item = cl_item_new(own), *other = cl_item_from_json(own, plain);
    cl_item_s(own, item, "s", cl_str_of("text"));
    cl_item_n(own, item, "n", cl_str_of("1.50"));
    cl_item_i(own, item, "i", 5);
    cl_item_bool(own, item, "t", true);
    cl_item_null(own, item, "z");
    cl_item_b(own, item, "b", cl_str_of("bytes"));
    cl_item_ss(own, item, "ss", (const cl_str[]){CL_STR_LIT("x")}, 1);
    cl_item_ns(own, item, "ns", (const cl_str[]){CL_STR_LIT("1")}, 1);
    cl_item_json(own, item, "j", plain);
    int64_t n = 5;
    bool there = cl_item_get_i(item, "i", &n) && cl_item_get_bool(item, "t") && cl_item_get_n(item, "n").n == 4 && cl_item_get_s(item, "s").n == 4;
    assert_true(n == 5 && (there || cl_arena_failed(own)));
    cl_expr e;
    cl_ddb_options options = {0};
    cl_expr_init(&e, own);
    cl_expr_set(&e, "set", cl_value_of(own, plain));
    cl_expr_set_if_absent(&e, "made", cl_json_get(item, "i"));
    cl_expr_add_number(&e, "count", cl_str_of("1"));
    cl_expr_remove(&e, "gone");
    cl_expr_condition(&e, "id", "exists", NULL);
    cl_expr_between(&e, "sk", cl_json_get(item, "s"), cl_json_get(item, "n"));
    cl_expr_filter(&e, "f", "contains", cl_json_get(item, "b"));
    cl_expr_project(&e, "p");
    const char *update = cl_expr_update(&e);
    cl_expr_options(&e, &options);
    const char *const texts[] = {update, options.condition, options.filter, options.projection};
    for (size_t i = 0; i < CL__COUNT(texts); i++)
        cl_json_set(all, cl_printf(own, "text%zu", i).p, cl__ddb_text(own, texts[i]));
    cl_json_set(all, "plain", cl_item_to_json(own, item));
    cl_json_set(all, "value", cl_value_to_json(own, cl_json_get(item, "j")));
    cl_json_set(all, "other", other);
    cl_json_set(all, "names", cl__ddb_alias(own, options.names));
    cl_json_set(all, "values", cl__ddb_alias(own, options.values));
    return cl_json_text(own, all);
}

/* Under an arena whose bound grows: it fails for good, or nothing is missing. */
static void test_memory(void **state)
{
    (void)state;
    cl_str whole = everything(arena);
    assert_non_null(strstr(whole.p, "\"text0\":\"SET #0 = :1, #2 = if_not_exists(#3, :4) ADD #5 :6 REMOVE #7\","
                                    "\"text1\":\"attribute_exists(#8) AND #9 BETWEEN :10 AND :11\","
                                    "\"text2\":\"contains(#12, :13)\",\"text3\":\"#14\",\"plain\":{\"s\":\"text\","));
    bool failed = true;
    for (size_t limit = 7; failed; limit += 7) {
        assert_true(limit < 100000);
        cl_arena *own = cl_arena_new(limit);
        cl_str text = everything(own);
        failed = cl_arena_failed(own);
        if (!failed)
            assert_str(text, whole.p);
        cl_arena_free(own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_attributes),   cmocka_unit_test(test_both_ways),
                                       cmocka_unit_test(test_to_plain),     cmocka_unit_test(test_depth),
                                       cmocka_unit_test(test_updates),      cmocka_unit_test(test_conditions),
                                       cmocka_unit_test(test_shared_value), cmocka_unit_test(test_too_long),
                                       cmocka_unit_test(test_checksum),     cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
