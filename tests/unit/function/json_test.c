/* json_test.c -- reading, writing and building JSON. */
#include "walk.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void test_round_trips(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"null", "null"}, {" true\n", "true"}, {"false", "false"}, {"0", "0"}, {"-0", "-0"}, {"12.10", "12.10"}, {"1E+400", "1E+400"},
        {"-1.5e-3", "-1.5e-3"}, {"\"\"", "\"\""}, {"[]", "[]"}, {"{}", "{}"}, {"[[],{}]", "[[],{}]"},
        {"[1 , 2,3\t]", "[1,2,3]"}, {"{ \"a\" : 1 , \"b\":[ true ] }", "{\"a\":1,\"b\":[true]}"},
        {"\"a\\u00e4\\u20ac\\ud83d\\ude00\"", "\"a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\""},
        {"{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}"}, {"{\"\":1}", "{\"\":1}"}, {"{\"\\u0061\":1,\"a\":{\"x\":[]}}", "{\"a\":{\"x\":[]}}"},
        {"[[[1],2],{\"a\":{\"b\":[{}]}},3]", "[[[1],2],{\"a\":{\"b\":[{}]}},3]"},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++)
        assert_str(cl_json_text(*state, parsed(*state, rows[i].in)), rows[i].out);
}

static void test_what_is_no_json(void **state)
{
    static const struct {
        const char *text;
        size_t where;
    } rows[] = {
        {"", 0}, {" ", 1}, {"nul", 3}, {"nulx", 3}, {"tRue", 1}, {"1 2", 2}, {"01", 1}, {"-", 1}, {"-a", 1}, {"1.", 2}, {"1.e1", 2}, {"1e", 2},
        {"1e+", 3}, {".5", 0}, {"+1", 0}, {"NaN", 0}, {"[", 1}, {"[1", 2}, {"[1,", 3}, {"[1,]", 3}, {"[,1]", 1}, {"[1 2]", 3}, {"]", 0}, {"{", 1},
        {"{\"a\"", 4}, {"{\"a\":", 5}, {"{\"a\":1", 6}, {"{\"a\":1,", 7}, {"{\"a\":1,}", 7}, {"{a:1}", 1}, {"{\"a\" 1}", 5}, {"{1:2}", 1},
        {"[1}", 2}, {"{\"a\":1]", 6}, {"\"", 1}, {"\"a", 2}, {"\"\n\"", 1}, {"\"\\x\"", 2}, {"\"\\", 2}, {"\"\\u12", 5}, {"\"\\u12g4\"", 5},
        {"\"\\ud800\"", 1}, {"\"\\udc00\"", 1}, {"\"\\ud800\\u0041\"", 1}, {"\"\\ud800\\ud800\"", 1}, {"\"\\ud800x\"", 1}, {"\"\\ud800\\u00\"", 11},
        {"\"\xC0\x80\"", 1}, {"\"\xED\xA0\x80\"", 1}, {"\"a\xE2\x82\"", 2}, {"\xEF\xBB\xBF" "1", 0}, {"//", 0}, {"[1]x", 3}, {"'a'", 0},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        cl_json *json = (cl_json *)state;
        size_t where = 999;
        if (cl_json_parse(*state, cl_str_of(rows[i].text), &json, &where) != CL_INVALID || where != rows[i].where)
            fail_msg("%s: wrong at %zu, said %zu", rows[i].text, rows[i].where, where);
        assert_ptr_equal(json, state);
        assert_int_equal(cl_json_parse(*state, cl_str_of(rows[i].text), &json, NULL), CL_INVALID);
    }
    cl_json *json = NULL;
    assert_int_equal(cl_json_parse(*state, (cl_str){NULL, 0}, &json, NULL), CL_INVALID);
    assert_int_equal(cl_json_parse(*state, (cl_str){"1\0", 2}, &json, NULL), CL_INVALID);
    assert_int_equal(cl_json_parse(*state, (cl_str){"\"\\\0\"", 4}, &json, NULL), CL_INVALID);
}

static void test_depth(void **state)
{
    char text[2 * CL_JSON_DEPTH_MAX + 3];
    cl_json *json = NULL;
    for (int extra = 0; extra < 2; extra++) {
        size_t n = CL_JSON_DEPTH_MAX + (size_t)extra, where = 0;
        memset(text, '[', n);
        memset(text + n, ']', n);
        cl_result result = cl_json_parse(*state, (cl_str){text, 2 * n}, &json, &where);
        assert_int_equal(result, extra ? CL_INVALID : CL_OK);
        if (extra)
            assert_int_equal(where, CL_JSON_DEPTH_MAX);
    }
    /* A built tree has a bound of its own. */
    cl_json *outer = cl_json_array(*state);
    for (int i = 1; i < 512; i++) {
        cl_json *wider = cl_json_array(*state);
        cl_json_append(wider, outer);
        outer = wider;
    }
    assert_int_equal(cl_json_text(*state, outer).n, 1024);
    assert_int_equal(cl_json_text(*state, cl_json_copy(*state, outer)).n, 1024);
    cl_json *wider = cl_json_array(*state);
    cl_json_append(wider, outer);
    assert_int_equal(cl_json_text(*state, wider).n, 0);
    assert_true(cl_arena_failed(*state));
}

static void test_repeated_members_of_large_objects(void **state)
{
    cl_buf buf;
    cl_buf_init(&buf, *state, 1 << 20);
    for (int i = 0; i < 500; i++)
        cl_buf_printf(&buf, "%c\"%d\":{\"v\":%d}", i ? ',' : '{', i % 200, i);
    cl_buf_addc(&buf, '}');
    const cl_json *json = parsed(*state, cl_buf_str(&buf).p);
    assert_int_equal(json->count, 200);
    size_t n = 0;
    for CL_JSON_EACH(child, json) {
        int name = atoi(child->key.p);
        int64_t v = 0;
        assert_true(cl_json_i64(cl_json_get(child, "v"), &v));
        assert_int_equal(v, name < 100 ? name + 400 : name + 200);
        assert_int_equal(child->count, 1);
        n++;
    }
    assert_int_equal(n, 200);
}

static void test_reading(void **state)
{
    const cl_json *json = parsed(*state, "{\"a\":{\"b\":[10,{\"c\":\"x\"}]},\"n\":null,\"s\":\"text\",\"0\":7}");
    int64_t n = 0;
    assert_true(cl_json_i64(cl_json_path(json, "a.b.0"), &n));
    assert_int_equal(n, 10);
    assert_str(cl_json_str(cl_json_path(json, "a.b.1.c")), "x");
    assert_true(cl_json_is(cl_json_path(json, "0"), CL_NUMBER));
    assert_ptr_equal(cl_json_path(json, ""), json);
    static const char *const absent[] = {"x", "a.b.2", "a.b.x", "a.b.-1", "a.b.", "a.b.9999999999", "s.0", "n.x"};
    for (size_t i = 0; i < CL__COUNT(absent); i++)
        assert_null(cl_json_path(json, absent[i]));
    assert_null(cl_json_get(NULL, "a"));
    assert_null(cl_json_path(NULL, "a"));
    assert_str(cl_json_str(NULL), "");
    assert_str(cl_json_str(cl_json_get(json, "n")), "");
    assert_false(cl_json_is(NULL, CL_NULL));
    assert_true(cl_json_is(cl_json_get(json, "n"), CL_NULL));
    for CL_JSON_EACH(child, (const cl_json *)NULL)
        assert_null(child);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        bool is;
        int64_t value;
    } rows[] = {
        {"0", true, 0}, {"-0", true, 0}, {"0.000", true, 0}, {"0e99999999999", true, 0}, {"12", true, 12}, {"-12", true, -12}, {"12.00", true, 12},
        {"1.2e1", true, 12}, {"1200e-2", true, 12}, {"1e3", true, 1000}, {"1E+3", true, 1000}, {"100", true, 100}, {"10010", true, 10010},
        {"1.05e2", true, 105}, {"1.050e2", true, 105}, {"9223372036854775807", true, INT64_MAX}, {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0}, {"-9223372036854775809", false, 0}, {"922337203685477580700e-2", true, INT64_MAX}, {"1e19", false, 0},
        {"1e18", true, 1000000000000000000}, {"1e99999999999999999999", false, 0}, {"1e-99999999999999999999", false, 0}, {"1.5", false, 0},
        {"0.1", false, 0}, {"12e-1", false, 0}, {"1e-1", false, 0},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        int64_t n = 4711;
        bool is = cl_json_i64(parsed(*state, rows[i].text), &n);
        if (is != rows[i].is || n != (is ? rows[i].value : 4711))
            fail_msg("%s: %d, %lld", rows[i].text, is, (long long)n);
    }
    double d = 0;
    assert_true(cl_json_double(parsed(*state, "12.5"), &d) && d > 12.4 && d < 12.6);
    assert_true(cl_json_double(parsed(*state, "-1e-400"), &d) && fabs(d) < 1e-300);
    assert_false(cl_json_double(parsed(*state, "1e400"), &d));
    assert_false(cl_json_double(parsed(*state, "\"1\""), &d));
    assert_false(cl_json_double(NULL, &d));
    assert_false(cl_json_i64(parsed(*state, "true"), &(int64_t){0}));
    char many[300];
    memset(many, '3', sizeof many);
    memcpy(many, "0.", 2);
    many[299] = 0;
    assert_true(cl_json_double(parsed(*state, many), &d) && d > 0.33 && d < 0.34);
}

static void test_building(void **state)
{
    cl_arena *arena = *state;
    cl_json *object = cl_json_object(arena), *array = cl_json_array(arena);
    cl_json_set(object, "a", cl_json_int(arena, INT64_MIN));
    cl_json_set(object, "b", cl_json_string(arena, cl_str_of("x\"\n\xFF\xE2\x82y")));
    cl_json_set(object, "c", array);
    cl_json_append(array, cl_json_bool(arena, true));
    cl_json_append(array, cl_json_bool(arena, false));
    cl_json_append(array, cl_json_null(arena));
    cl_json_append(array, cl_json_raw(arena, cl_str_of("{\"raw\":1}")));
    cl_json_append(array, cl_json_number(arena, cl_str_of("12.10")));
    assert_null(cl_json_append(array, NULL));
    assert_null(cl_json_set(object, "x", NULL));
    cl_json *loose = cl_json_int(arena, 1);
    assert_ptr_equal(cl_json_set(NULL, "x", loose), loose);
    assert_ptr_equal(cl_json_append(NULL, loose), loose);
    assert_ptr_equal(cl_json_append(object, loose), loose);     /* no array: nothing happens */
    assert_str(cl_json_text(arena, object), "{\"a\":-9223372036854775808,\"b\":\"x\\\"\\n\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDy\","
                                            "\"c\":[true,false,null,{\"raw\":1},12.10]}");
    cl_json_set(object, "b", cl_json_int(arena, 2));
    cl_json_set(object, "a", cl_json_int(arena, 1));
    cl_json_set(object, "c", cl_json_int(arena, 3));
    cl_json_set(object, "d", cl_json_int(arena, 4));
    assert_str(cl_json_text(arena, object), "{\"a\":1,\"b\":2,\"c\":3,\"d\":4}");
    cl_json *again = object->first;
    cl_json_set(object, "a", again);
    assert_str(cl_json_text(arena, object), "{\"a\":1,\"b\":2,\"c\":3,\"d\":4}");
    assert_int_equal(object->count, 4);
    assert_str(cl_json_text(arena, NULL), "null");
}

/* Text that is no number: the arena fails and says why, so that nothing goes out without it. */
static void test_numbers_that_are_none(void **state)
{
    static const char *const texts[] = {"12,10", "12.", "", " 1", "1 ", "0x1", "NaN"};
    for (size_t i = 0; i < CL__COUNT(texts); i++) {
        cl_json *object = cl_json_object(*state);
        assert_null(cl_json_set(object, "price", cl_json_number(*state, cl_str_of(texts[i]))));
        assert_true(cl_arena_failed(*state));
        assert_string_equal(cl__arena_why(*state), "a JSON number was to be made of text that is none");
        assert_str(cl_json_text(*state, object), "");
        cl_arena_reset(*state);
        assert_null(cl__arena_why(*state));
    }
    /* What failed first counts. */
    cl__arena_fail(*state);
    cl_json_number(*state, cl_str_of("x"));
    assert_null(cl__arena_why(*state));
}

/* A node stands in one place: what is added to a second tree has left the first, which keeps the others. */
static void test_nodes_move(void **state)
{
    static const size_t moved[] = {0, 1, 3};
    static const char *const left[] = {"[2,3,4]", "[1,3,4]", "[1,2,3]"}, *const others[] = {"[1]", "[2]", "[4]"};
    for (size_t i = 0; i < CL__COUNT(moved); i++) {
        cl_json *from = parsed(*state, "[1,2,3,4]"), *to = cl_json_array(*state), *node = from->first;
        for (size_t k = 0; k < moved[i]; k++)
            node = node->next;
        assert_ptr_equal(cl_json_append(to, node), node);
        assert_ptr_equal(node->parent, to);
        assert_str(cl_json_text(*state, from), left[i]);
        assert_str(cl_json_text(*state, to), others[i]);
        assert_int_equal(from->count, 3);
        cl_json_append(from, cl_json_int(*state, 9));               /* its end is still its end */
        assert_int_equal(cl_json_text(*state, from).n, 9);
    }
    cl_json *object = parsed(*state, "{\"a\":1,\"b\":[2],\"c\":3}"), *other = parsed(*state, "{\"x\":0,\"y\":1}");
    cl_json_set(other, "x", object->first->next);
    assert_str(cl_json_text(*state, object), "{\"a\":1,\"c\":3}");
    assert_str(cl_json_text(*state, other), "{\"x\":[2],\"y\":1}");
    cl_json_set(object, "d", object->first);                        /* another name */
    assert_str(cl_json_text(*state, object), "{\"c\":3,\"d\":1}");
    cl_json_set(object, "c", object->last);
    assert_str(cl_json_text(*state, object), "{\"c\":1}");
    cl_json *replaced = object->first;
    cl_json_set(object, "c", cl_json_int(*state, 5));
    assert_null(replaced->parent);
    cl_json_append(object->first, object);                          /* no array: nothing */
    cl_json *array = cl_json_array(*state);
    cl_json_append(array, array);                                   /* a tree without end is not written */
    assert_str(cl_json_text(*state, array), "");
    assert_string_equal(cl__arena_why(*state), CL__TOO_DEEP);
}

static void test_copies_stand_alone(void **state)
{
    cl_arena *other = cl_arena_new(0);
    char text[] = "{\"a\":[1,\"two\",{\"three\":{}}],\"b\":{\"c\":null}}";
    cl_json *copy = cl_json_copy(*state, cl_json_get(parsed(other, text), "a")), *whole = cl_json_copy(*state, parsed(other, text));
    cl_arena_free(other);
    memset(text, 'x', sizeof text);
    assert_str(cl_json_text(*state, copy), "[1,\"two\",{\"three\":{}}]");
    assert_str(cl_json_text(*state, whole), "{\"a\":[1,\"two\",{\"three\":{}}],\"b\":{\"c\":null}}");
    assert_int_equal(copy->key.n, 0);
    assert_null(cl_json_copy(*state, NULL));
}

/* ---- without memory ---- */

static cl_result all_of_json(cl_arena *arena, void *arg)
{
    cl_json *json = NULL, *object;
    cl_buf buf;
    int64_t n = 0;
    double d = 0;
    cl_result parsing = cl_json_parse(arena, cl_str_of(arg), &json, NULL);
    if (parsing == CL_NO_MEMORY) {
        assert_null(json);
        assert_true(cl_arena_failed(arena));
    }
    object = cl_json_object(arena);
    cl_json_set(object, "a", json);
    cl_json_set(object, "i", cl_json_int(arena, 5));
    cl_json_set(object, "s", cl_json_string(arena, cl_str_of("s")));
    cl_json_set(object, "n", cl_json_number(arena, cl_str_of("1.5")));
    cl_json_set(object, "r", cl_json_raw(arena, cl_str_of("[]")));
    cl_json *array = cl_json_set(object, "l", cl_json_array(arena));
    cl_json_append(array, cl_json_bool(arena, true));
    cl_json_append(array, cl_json_null(arena));
    cl_json_append(array, cl_json_copy(arena, json));
    cl_str text = cl_json_text(arena, object);
    cl_buf_init(&buf, arena, 1 << 20);
    cl_json_write(&buf, object);
    if (cl_arena_failed(arena))
        return CL_NO_MEMORY;
    assert_true(text.n > 40 && cl_str_eq(text, cl_buf_str(&buf)));
    assert_true(cl_json_is(array, CL_ARRAY) && array->count == 3);
    assert_true(cl_json_i64(cl_json_path(object, "a.m1.0"), &n) && n == 1);
    assert_true(cl_json_double(cl_json_get(json, "short"), &d) && d > 0.5);
    assert_str(cl_json_str(cl_json_get(object, "s")), "s");
    return CL_OK;
}

/* The one that has no arena: long text, converted by a copy. */
static cl_result long_double(void *arg)
{
    double d = 7;
    bool read = cl_json_double(arg, &d);
    assert_true(read ? d < 1 : d > 6);
    return read ? CL_OK : CL_NO_MEMORY;
}

static void test_without_memory(void **state)
{
    cl_buf buf;
    cl_buf_init(&buf, *state, 1 << 20);
    cl_buf_adds(&buf, "{\"short\":0.55,\"long\":0.");
    for (int i = 0; i < 400; i++)
        cl_buf_addc(&buf, '5');
    for (int i = 0; i < 300; i++)
        cl_buf_printf(&buf, ",\"m%d\":[%d]", i, i);
    cl_buf_addc(&buf, '}');
    char little[] = "{\"short\":0.55,\"m1\":[1],\"short\":0.55}";
    walk_arena(all_of_json, little, 20000);
    struct walk_arena large = {all_of_json, (void *)(uintptr_t)cl_buf_str(&buf).p};
    assert_true(walk(walk_unlimited, &large) >= 6);
    assert_int_equal(walk(long_double, (void *)(uintptr_t)cl_json_get(parsed(*state, cl_buf_str(&buf).p), "long")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trips, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_what_is_no_json, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_depth, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_repeated_members_of_large_objects, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_reading, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_numbers, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_building, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_numbers_that_are_none, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_nodes_move, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_copies_stand_alone, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_without_memory, arena_begin, arena_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
