/* bind_test.c -- objects into structs and back, and the sentences about what is wrong. */
#include "walk.h"
#include <stdio.h>

struct line {
    cl_str item, price;
    int64_t quantity;
};
struct address {
    cl_str city;
    bool has_city;
};
struct order {
    cl_str id, state, note, total;
    int64_t count;
    bool urgent, has_urgent, has_note, has_address, has_count;
    const cl_json *extra;
    struct address address;
    cl_list lines;
};

static const char *const states[] = {"new", "paid", NULL};
static const cl_field line_fields[] = {
    {.name = "item", .type = CL_F_STRING, .offset = offsetof(struct line, item), .required = true, .min = 1, .max = 4},
    {.name = "price", .type = CL_F_DECIMAL, .offset = offsetof(struct line, price), .min = 0, .max = 1000},
    {.name = "qty", .type = CL_F_INT, .offset = offsetof(struct line, quantity), .required = true, .min = 1, .max = 10000},
    {0},
};
static const cl_field address_fields[] = {
    {.name = "city", .type = CL_F_STRING, .offset = offsetof(struct address, city), .present = offsetof(struct address, has_city)},
    {0},
};
static const cl_field order_fields[] = {
    {.name = "id", .type = CL_F_STRING, .offset = offsetof(struct order, id), .required = true, .min = 2, .max = 1},
    {.name = "state", .type = CL_F_STRING, .offset = offsetof(struct order, state), .choices = states},
    {.name = "note", .type = CL_F_STRING, .offset = offsetof(struct order, note), .present = offsetof(struct order, has_note)},
    {.name = "total", .type = CL_F_DECIMAL, .offset = offsetof(struct order, total)},
    {.name = "count", .type = CL_F_INT, .offset = offsetof(struct order, count), .present = offsetof(struct order, has_count)},
    {.name = "urgent", .type = CL_F_BOOL, .offset = offsetof(struct order, urgent), .present = offsetof(struct order, has_urgent)},
    {.name = "extra", .type = CL_F_JSON, .offset = offsetof(struct order, extra)},
    {.name = "address", .type = CL_F_OBJECT, .offset = offsetof(struct order, address), .fields = address_fields,
     .present = offsetof(struct order, has_address)},
    {.name = "lines", .type = CL_F_LIST, .offset = offsetof(struct order, lines), .fields = line_fields, .size = sizeof(struct line), .max = 3},
    {0},
};

static void test_everything_there(void **state)
{
    const char *text = "{\"id\":\"17\",\"state\":\"paid\",\"note\":\"\",\"total\":12.10,\"count\":-5,\"urgent\":true,\"extra\":[1,{}],"
                       "\"address\":{\"city\":\"K\xC3\xB6ln\"},\"lines\":[{\"item\":\"\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\",\"price\":0,\"qty\":1},{\"item\":\"b\",\"qty\":1e4}]}";
    struct order order = {0};
    cl_str message = {NULL, 0};
    assert_int_equal(cl_json_bind(*state, parsed(*state, text), order_fields, true, &order, &message), CL_OK);
    assert_null(message.p);
    assert_str(order.id, "17");
    assert_str(order.state, "paid");
    assert_str(order.total, "12.10");
    assert_true(order.urgent && order.has_urgent && order.has_note && order.has_address && order.has_count && order.address.has_city);
    assert_int_equal(order.count, -5);
    assert_str(order.address.city, "K\xC3\xB6ln");
    assert_int_equal(order.lines.count, 2);
    const struct line *lines = order.lines.items;
    assert_int_equal(lines[1].quantity, 10000);
    assert_str(lines[1].item, "b");
    assert_str(cl_json_text(*state, cl_json_unbind(*state, order_fields, &order)),
               "{\"id\":\"17\",\"state\":\"paid\",\"note\":\"\",\"total\":12.10,\"count\":-5,\"urgent\":true,\"extra\":[1,{}],"
               "\"address\":{\"city\":\"K\xC3\xB6ln\"},\"lines\":[{\"item\":\"\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\",\"price\":0,\"qty\":1},{\"item\":\"b\",\"qty\":10000}]}");
}

static void test_only_what_is_required(void **state)
{
    struct order order = {0};
    assert_int_equal(cl_json_bind(*state, parsed(*state, "{\"id\":\"17\",\"note\":null,\"urgent\":null,\"other\":1,\"address\":null}"), order_fields, false, &order, NULL), CL_OK);
    assert_false(order.has_urgent || order.has_note || order.has_address || order.has_count);
    assert_null(order.extra);
    assert_str(cl_json_text(*state, cl_json_unbind(*state, order_fields, &order)), "{\"id\":\"17\",\"lines\":[]}");
    struct order none = {0};
    assert_str(cl_json_text(*state, cl_json_unbind(*state, order_fields, &none)), "{\"id\":\"\",\"lines\":[]}");
    struct line line = {0};
    assert_str(cl_json_text(*state, cl_json_unbind(*state, line_fields, &line)), "{\"item\":\"\",\"qty\":0}");
}

static void test_sentences(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"[]", "expected a JSON object"},
        {"null", "expected a JSON object"},
        {"{}", "id: required"},
        {"{\"id\":null}", "id: required"},
        {"{\"id\":5}", "id: expected a string of at least 2 characters"},
        {"{\"id\":\"1\"}", "id: expected a string of at least 2 characters"},
        {"{\"id\":\"17\",\"state\":\"old\"}", "state: expected one of \"new\", \"paid\""},
        {"{\"id\":\"17\",\"state\":1}", "state: expected a string"},
        {"{\"id\":\"17\",\"count\":1.5}", "count: expected an integer"},
        {"{\"id\":\"17\",\"count\":\"1\"}", "count: expected an integer"},
        {"{\"id\":\"17\",\"urgent\":1}", "urgent: expected true or false"},
        {"{\"id\":\"17\",\"total\":\"12,10\"}", "total: expected a decimal number of at most 38 digits"},
        {"{\"id\":\"17\",\"total\":true}", "total: expected a decimal number of at most 38 digits"},
        {"{\"id\":\"17\",\"address\":[]}", "address: expected an object"},
        {"{\"id\":\"17\",\"address\":{\"city\":1}}", "address.city: expected a string"},
        {"{\"id\":\"17\",\"address\":{\"town\":1}}", "address.town: unknown member"},
        {"{\"id\":\"17\",\"lines\":{}}", "lines: expected a list of 0 to 3 elements"},
        {"{\"id\":\"17\",\"lines\":[1]}", "lines.0: expected an object"},
        {"{\"id\":\"17\",\"lines\":[{},{},{},{}]}", "lines: expected a list of 0 to 3 elements"},
        {"{\"id\":\"17\",\"lines\":[{\"item\":\"a\",\"qty\":1},{\"item\":\"abcde\"}]}", "lines.1.item: expected a string of 1 to 4 characters"},
        {"{\"id\":\"17\",\"lines\":[{\"item\":\"a\",\"qty\":0}]}", "lines.0.qty: expected an integer from 1 to 10000"},
        {"{\"id\":\"17\",\"lines\":[{\"item\":\"a\",\"qty\":1,\"price\":-0.01}]}", "lines.0.price: expected a decimal number of at most 38 digits from 0 to 1000"},
        {"{\"id\":\"17\",\"lines\":[{\"item\":\"a\",\"qty\":1,\"price\":\"1000.01\"}]}", "lines.0.price: expected a decimal number of at most 38 digits from 0 to 1000"},
        {"{\"id\":\"17\",\"a\":1}", "a: unknown member"},
        {"{\"id\":\"17\",\"\":1}", ": unknown member"},
        {"{\"id\":\"17\",\"c\\u0000ode\":1}", "c\\u0000ode: unknown member"},
        {"{\"id\":\"17\",\"\\n\\u007f\\u00e9\":1}", "\\u000a\\u007f\xC3\xA9: unknown member"},
        {"{\"id\":\"17\",\"0123456789012345678901234567890123456789012345678901234567890123456789\":1}",
         "0123456789012345678901234567890123456789012345678901234567890123: unknown member"},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        struct order order = {0};
        cl_str message = {NULL, 0};
        assert_int_equal(cl_json_bind(*state, parsed(*state, rows[i].text), order_fields, true, &order, &message), CL_INVALID);
        assert_str(message, rows[i].message);
        assert_int_equal(cl_json_bind(*state, parsed(*state, rows[i].text), order_fields, true, &order, NULL), CL_INVALID);
    }
    assert_int_equal(cl_json_bind(*state, NULL, order_fields, true, &(struct order){0}, NULL), CL_INVALID);
}

static void test_decimals(void **state)
{
    static const cl_field plain[] = {{.name = "d", .type = CL_F_DECIMAL, .offset = 0}, {0}};
    static const cl_field bounded[] = {{.name = "d", .type = CL_F_DECIMAL, .offset = 0, .min = -5, .max = 20}, {0}};
    static const cl_field large[] = {{.name = "d", .type = CL_F_DECIMAL, .offset = 0, .min = INT64_MIN, .max = INT64_MAX}, {0}};
    static const struct {
        const char *text;
        bool plain, bounded, large;
    } rows[] = {
        {"0", 1, 1, 1}, {"-0.0", 1, 1, 1}, {"0e99999", 1, 1, 1}, {"-5", 1, 1, 1}, {"-5.0", 1, 1, 1}, {"-5.01", 1, 0, 1}, {"20", 1, 1, 1}, {"2e1", 1, 1, 1},
        {"200e-1", 1, 1, 1}, {"20.00", 1, 1, 1}, {"20.001", 1, 0, 1}, {"0.0001", 1, 1, 1}, {"1e125", 1, 0, 0}, {"1e126", 0, 0, 0}, {"1e-130", 1, 1, 1},
        {"1e-131", 0, 0, 0}, {"12345678901234567890123456789012345678", 1, 0, 0}, {"123456789012345678901234567890123456789", 0, 0, 0},
        {"1234567890123456789012345678901234567.8", 1, 0, 0}, {"100000000000000000000000000000000000000000000000", 1, 0, 0},
        {"0.00000000000000000000000000000000000000000000000000001", 1, 1, 1}, {"9223372036854775807", 1, 0, 1}, {"9223372036854775808", 1, 0, 0},
        {"9223372036854775807.5", 1, 0, 0}, {"-9223372036854775808", 1, 0, 1}, {"-9223372036854775808.1", 1, 0, 0}, {"18446744073709551616", 1, 0, 0},
        {"1e99999999999999999999", 0, 0, 0}, {"10.10", 1, 1, 1},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++)
        for (int quoted = 0; quoted < 2; quoted++) {
            cl_json *object = cl_json_object(*state);
            cl_json_set(object, "d", quoted ? cl_json_string(*state, cl_str_of(rows[i].text)) : cl_json_number(*state, cl_str_of(rows[i].text)));
            cl_str value = {NULL, 0};
            bool got[3] = {cl_json_bind(*state, object, plain, true, &value, NULL) == CL_OK, cl_json_bind(*state, object, bounded, true, &value, NULL) == CL_OK,
                           cl_json_bind(*state, object, large, true, &value, NULL) == CL_OK};
            if (got[0] != rows[i].plain || got[1] != rows[i].bounded || got[2] != rows[i].large)
                fail_msg("%s: %d %d %d", rows[i].text, got[0], got[1], got[2]);
            if (got[0])
                assert_str(value, rows[i].text);
        }
}

/* A table that contains itself: a tree of any depth, which JSON's own bound ends. */
struct tree {
    int64_t value;
    cl_list children;
};
static const cl_field tree_fields[] = {
    {.name = "v", .type = CL_F_INT, .offset = offsetof(struct tree, value)},
    {.name = "c", .type = CL_F_LIST, .offset = offsetof(struct tree, children), .fields = tree_fields, .size = sizeof(struct tree)},
    {0},
};

static void test_recursive_tables(void **state)
{
    cl_buf buf;
    cl_buf_init(&buf, *state, 10000);
    for (int i = 0; i < 63; i++)
        cl_buf_printf(&buf, "{\"v\":%d,\"c\":[", i);
    cl_buf_adds(&buf, "{\"v\":\"x\"}");
    for (int i = 0; i < 63; i++)
        cl_buf_adds(&buf, "]}");
    struct tree tree = {0};
    cl_str message = {NULL, 0};
    assert_int_equal(cl_json_bind(*state, parsed(*state, cl_buf_str(&buf).p), tree_fields, true, &tree, &message), CL_INVALID);
    assert_true(message.n > 200 && strstr(message.p, "c.0.c.0.c.0.v: expected an integer"));
    assert_int_equal(cl_json_bind(*state, parsed(*state, "{\"v\":1,\"c\":[{\"v\":2,\"c\":[{}]},{\"v\":3}]}"), tree_fields, true, &tree, &message), CL_OK);
    assert_str(cl_json_text(*state, cl_json_unbind(*state, tree_fields, &tree)),
               "{\"v\":1,\"c\":[{\"v\":2,\"c\":[{\"v\":0,\"c\":[]}]},{\"v\":3,\"c\":[]}]}");
    tree.children = (cl_list){&tree, 1};                        /* a circle */
    assert_null(cl_json_unbind(*state, tree_fields, &tree));
    assert_true(cl_arena_failed(*state));
}

/* ---- lists of values ---- */

struct post {
    cl_list tags, scores, flags, prices, any, grid;
};
static const char *const colours[] = {"red", "blue", NULL};
static const cl_field tag = {.type = CL_F_STRING, .min = 1, .max = 20}, colour = {.type = CL_F_STRING, .choices = colours}, score = {.type = CL_F_INT, .min = 0, .max = 9},
                      flag = {.type = CL_F_BOOL}, price = {.type = CL_F_DECIMAL, .min = 0, .max = -1}, any = {.type = CL_F_JSON},
                      row = {.type = CL_F_LIST, .min = 1, .max = 2, .item = &score};
static const cl_field post_fields[] = {
    {.name = "tags", .type = CL_F_LIST, .offset = offsetof(struct post, tags), .required = true, .max = 3, .item = &tag},
    {.name = "scores", .type = CL_F_LIST, .offset = offsetof(struct post, scores), .item = &score},
    {.name = "flags", .type = CL_F_LIST, .offset = offsetof(struct post, flags), .item = &flag},
    {.name = "prices", .type = CL_F_LIST, .offset = offsetof(struct post, prices), .item = &price},
    {.name = "any", .type = CL_F_LIST, .offset = offsetof(struct post, any), .item = &any},
    {.name = "grid", .type = CL_F_LIST, .offset = offsetof(struct post, grid), .item = &row},
    {0},
};
static const cl_field colour_fields[] = {{.name = "c", .type = CL_F_LIST, .offset = 0, .item = &colour}, {0}};

static void test_lists_of_values(void **state)
{
    static const char text[] = "{\"tags\":[\"a\",\"\xC3\xA4\"],\"scores\":[0,9],\"flags\":[true,false],\"prices\":[12.10,0],\"any\":[null,{\"x\":[]}],\"grid\":[[1],[2,3]]}";
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"{}", "tags: required"},
        {"{\"tags\":\"a\"}", "tags: expected a list of 0 to 3 elements"},
        {"{\"tags\":[\"a\",\"a\",\"a\",\"a\"]}", "tags: expected a list of 0 to 3 elements"},
        {"{\"tags\":[\"a\",\"b\",\"\"]}", "tags.2: expected a string of 1 to 20 characters"},
        {"{\"tags\":[null]}", "tags.0: expected a string of 1 to 20 characters"},
        {"{\"tags\":[],\"scores\":[1,10]}", "scores.1: expected an integer from 0 to 9"},
        {"{\"tags\":[],\"flags\":[0]}", "flags.0: expected true or false"},
        {"{\"tags\":[],\"prices\":[\"1,2\"]}", "prices.0: expected a decimal number of at most 38 digits of at least 0"},
        {"{\"tags\":[],\"grid\":[[1],[]]}", "grid.1: expected a list of 1 to 2 elements"},
        {"{\"tags\":[],\"grid\":[[1],[7,\"x\"]]}", "grid.1.1: expected an integer from 0 to 9"},
    };
    struct post post = {0};
    cl_str message = {NULL, 0};
    assert_int_equal(cl_json_bind(*state, parsed(*state, text), post_fields, true, &post, &message), CL_OK);
    assert_str(((const cl_str *)post.tags.items)[1], "\xC3\xA4");
    assert_int_equal(((const int64_t *)post.scores.items)[1], 9);
    assert_true(((const bool *)post.flags.items)[0]);
    assert_str(((const cl_str *)post.prices.items)[0], "12.10");
    assert_int_equal(((const cl_list *)post.grid.items)[1].count, 2);
    assert_str(cl_json_text(*state, cl_json_unbind(*state, post_fields, &post)), text);
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        assert_int_equal(cl_json_bind(*state, parsed(*state, rows[i].text), post_fields, true, &post, &message), CL_INVALID);
        assert_str(message, rows[i].message);
    }
    cl_list list = {NULL, 0};
    assert_int_equal(cl_json_bind(*state, parsed(*state, "{\"c\":[\"red\",\"green\"]}"), colour_fields, true, &list, &message), CL_INVALID);
    assert_str(message, "c.1: expected one of \"red\", \"blue\"");
}

/* ---- mistakes of the program ---- */

static void bind_one_list(void *arg)
{
    cl_arena *arena = cl_arena_new(0);
    cl_list list = {NULL, 0};
    cl_json_bind(arena, parsed(arena, "{\"l\":[{},{}]}"), arg, true, &list, NULL);
}

static void unbind_one_list(void *arg)
{
    cl_arena *arena = cl_arena_new(0);
    cl_list list = {(char[8]){0}, 1};
    cl_json_unbind(arena, arg, &list);
}

static void test_wrong_tables(void **state)
{
    static cl_field object_item = {.type = CL_F_OBJECT, .fields = line_fields};
    static cl_field tables[][2] = {
        {{.name = "l", .type = CL_F_LIST, .fields = line_fields}},
        {{.name = "l", .type = CL_F_LIST, .size = sizeof(struct line)}},
        {{.name = "l", .type = CL_F_LIST, .item = &object_item}},
    };
    (void)state;
    for (size_t i = 0; i < CL__COUNT(tables); i++) {
        assert_non_null(strstr(last_words(bind_one_list, tables[i]), "\"FATAL\",\"message\":\"table of fields, l: a list needs .fields and .size, or .item"));
        assert_non_null(strstr(last_words(unbind_one_list, tables[i]), "table of fields, l: "));
    }
    static cl_field bare[] = {{.name = "l", .type = CL_F_OBJECT}, {0}};
    assert_non_null(strstr(last_words(bind_one_list, bare), "table of fields: an object without .fields"));
}

/* A decimal that is none is not left out: the arena fails. */
static void test_decimals_that_are_none(void **state)
{
    struct line line = {.item = cl_str_of("a"), .price = cl_str_of("12,10"), .quantity = 1};
    assert_null(cl_json_unbind(*state, line_fields, &line));
    assert_string_equal(cl__arena_why(*state), "a JSON number was to be made of text that is none");
}

/* ---- without memory ---- */

static cl_result all_of_posts(cl_arena *arena, void *arg)
{
    struct post post = {0};
    cl_json *json = NULL;
    cl_result result = cl_json_parse(arena, cl_str_of(arg), &json, NULL);
    if (result == CL_OK)
        result = cl_json_bind(arena, json, post_fields, true, &post, NULL);
    if (result != CL_OK)
        return result;
    cl_str text = cl_json_text(arena, cl_json_unbind(arena, post_fields, &post));
    return cl_arena_failed(arena) ? CL_NO_MEMORY : cl_str_is(text, arg) ? CL_OK : CL_INVALID;
}

static cl_result all_of_bind(cl_arena *arena, void *arg)
{
    struct order order = {0};
    cl_str message = {NULL, 0};
    cl_json *json = NULL;
    cl_result result = cl_json_parse(arena, cl_str_of(arg), &json, NULL);
    if (result == CL_OK)
        result = cl_json_bind(arena, json, order_fields, true, &order, &message);
    if (result == CL_OK) {
        const cl_json *back = cl_json_unbind(arena, order_fields, &order);
        cl_str text = cl_json_text(arena, back);
        if (cl_arena_failed(arena))
            result = CL_NO_MEMORY;
        else
            assert_true(text.n > 10);
    } else if (result == CL_INVALID) {
        assert_str(message, "lines.0.qty: required");
        result = CL_OK;
    } else {
        assert_true(cl_arena_failed(arena));
        assert_true(!message.p || cl_str_is(message, "no memory"));      /* not even parsed, or not bound */
    }
    return result;
}

static void test_without_memory(void **state)
{
    (void)state;
    char good[] = "{\"id\":\"17\",\"extra\":[1,2,{\"a\":\"b\"}],\"lines\":[{\"item\":\"a\",\"qty\":1}]}", bad[] = "{\"id\":\"17\",\"lines\":[{\"item\":\"a\"}]}";
    char post[] = "{\"tags\":[\"a\",\"b\"],\"scores\":[1],\"flags\":[],\"prices\":[1.5],\"any\":[[7]],\"grid\":[[1,2],[3]]}";
    walk_arena(all_of_bind, good, 20000);
    walk_arena(all_of_bind, bad, 20000);
    walk_arena(all_of_posts, post, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_there, arena_begin, arena_end), cmocka_unit_test_setup_teardown(test_only_what_is_required, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_sentences, arena_begin, arena_end),        cmocka_unit_test_setup_teardown(test_decimals, arena_begin, arena_end),
        cmocka_unit_test_setup_teardown(test_recursive_tables, arena_begin, arena_end), cmocka_unit_test_setup_teardown(test_lists_of_values, arena_begin, arena_end),
        cmocka_unit_test(test_wrong_tables),                                            cmocka_unit_test_setup_teardown(test_decimals_that_are_none, arena_begin, arena_end),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
