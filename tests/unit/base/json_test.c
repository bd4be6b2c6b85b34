/* json_test.c -- base/json.h: what RFC 8259 allows and forbids, repeated keys, depth, random trees through write and parse,
 * lookups and builders. */
#include "base/json.h"
#include "base/clock.h"
#include "unit.h"
#include "with_arena.h"

static struct json *parse(const char *text)
{
    struct json *json = NULL;
    if (json_parse(str_of(text), arena, &json) != ERR_OK) fail_msg("%s was refused", text);
    return json;
}

static void accepts(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"1", "1"},
        {" \t\r\n-0.5e+10 ", "-0.5e+10"},
        {"\"\"", "\"\""},
        {"null", "null"},
        {" [ true , false ] ", "[true,false]"},
        {"{ \"a\" : { } , \"b\"\n:\n[ ] }", "{\"a\":{},\"b\":[]}"},
        {"123456789012345678901234567890.10", "123456789012345678901234567890.10"},
        {"\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "\"A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
        {"\"\\u001f\x7F\"", "\"\\u001f\x7F\""},
        {"{\"\\u0061\\\"\":1}", "{\"a\\\"\":1}"},
        {"[[],[[]]]", "[[],[[]]]"},
        {"{\"\":0}", "{\"\":0}"},
        {"\"\\uFFFF\"", "\"\xEF\xBF\xBF\""},
        {"[\"a]\",\"}\"]", "[\"a]\",\"}\"]"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) assert_str(json_text(arena, parse(cases[i][0])), cases[i][1]);
    struct json *nul = parse("\"a\\u0000b\"");
    assert_int_equal(nul->text.n, 3);
    assert_memory_equal(nul->text.p, "a\0b", 3);
    assert_str(json_text(arena, nul), "\"a\\u0000b\"");
}

static void refuses(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "1]",
        "1],[2",
        "1,2",
        "1 1",
        "\"a\"\"b\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1:2]",
        "[\"a\":2]",
        "[1",
        "[",
        "[[]",
        "]",
        "}",
        ",",
        "[}",
        "{]",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{\"a\":1,}",
        "{,}",
        "{1:2}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":\"b\":1}",
        "{'a':1}",
        "tru",
        "truex",
        "nul",
        "NULL",
        "nan",
        "Infinity",
        "01",
        "-",
        "-01",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "1_0",
        "1.5.5",
        "\"",
        "\"abc",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "\"\\ud83d\\ud83d\"",
        "\"\\",
        "\"\x01\"",
        "\"\n\"",
        "\"\t\"",
        "\"\xFF\"",
        "\"\xC0\x80\"",
        "\"\xED\xA0\x80\"",
        "\xEF\xBB\xBF{}",
        "[1]x",
        "// c\n1",
        "[1/**/]",
        "\\u0031",
        "{\"a\":1}}",
        "{{}}",
        "{\"\\q\":1}",
        "\302\2401",
        "\f1",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json *untouched = NULL;
        if (json_parse(str_of(cases[i]), arena, &untouched) != ERR_INVALID || untouched) fail_msg("accepted: %s", cases[i]);
    }
    struct json *json;
    assert_int_equal(json_parse(STR("1\0"), arena, &json), ERR_INVALID);
    assert_int_equal(json_parse(STR("[\0]"), arena, &json), ERR_INVALID);
    assert_int_equal(json_parse(STR_NONE, arena, &json), ERR_INVALID);
}

/* Every proper prefix of a document is no document, wherever it is cut. */
static void refuses_prefixes(void **state)
{
    (void)state;
    struct str text = STR("{\"a\":[1.5e3,true,{\"b\":\"x\\u00e9\\ud83d\\ude00\"}],\"c\":null,\"d\":[[],{}]}");
    struct json *json;
    for (size_t n = 0; n < text.n; n++) assert_int_equal(json_parse(str_slice(text, 0, n), arena, &json), ERR_INVALID);
    assert_int_equal(json_parse(text, arena, &json), ERR_OK);
}

static void bounds_depth(void **state)
{
    (void)state;
    static const struct { char open, close; const char *inner; } kinds[] = {{'[', ']', ""}, {'{', '}', "\"k\":"}};
    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
        for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
            struct buf buf;
            buf_init(&buf, arena, 1 << 20);
            for (size_t i = 0; i < depth; i++) {
                buf_add_char(&buf, kinds[kind].open);
                if (i + 1 < depth) buf_add(&buf, str_of(kinds[kind].inner));
            }
            for (size_t i = 0; i < depth; i++) buf_add_char(&buf, kinds[kind].close);
            struct json *json;
            enum err expected = depth <= JSON_DEPTH_MAX ? ERR_OK : ERR_INVALID;
            assert_int_equal(json_parse(buf_str(&buf), arena, &json), expected);
            if (expected != ERR_OK) continue;
            assert_true(str_eq(json_text(arena, json), buf_str(&buf)));
            assert_true(json_equal(json, json_clone(arena, json)));
        }
    }
    struct buf buf;
    buf_init(&buf, arena, 1 << 20);
    for (size_t i = 0; i < 500000; i++) buf_add_char(&buf, '[');
    struct json *json;
    assert_int_equal(json_parse(buf_str(&buf), arena, &json), ERR_INVALID);
}

static void last_key_wins(void **state)
{
    (void)state;
    assert_str(json_text(arena, parse("{\"a\":1,\"b\":2,\"a\":[3],\"a\":{\"x\":4}}")), "{\"a\":{\"x\":4},\"b\":2}");
    assert_str(json_text(arena, parse("{\"a\":1,\"a\":2}")), "{\"a\":2}");
    struct json *pair = parse("{\"a\":1,\"b\":1,\"b\":2}");
    assert_int_equal(pair->count, 2);
    assert_ptr_equal(pair->last, json_at(pair, "b"));
    /* 200,000 members, each key twice: a quadratic search would take minutes. */
    struct buf buf;
    buf_init(&buf, NULL, 1 << 24);
    buf_add_char(&buf, '{');
    for (int i = 0; i < 200000; i++) buf_printf(&buf, "%s\"k%d\":%d", i ? "," : "", i % 100000, i);
    buf_add_char(&buf, '}');
    struct json *json;
    uint64_t start = clock_mono_ns();
    assert_int_equal(json_parse(buf_str(&buf), arena, &json), ERR_OK);
    assert_true(clock_mono_ns() - start < UINT64_C(10000000000));
    assert_int_equal(json->count, 100000);
    assert_int_equal(json_i64(json, "k0", 0), 100000);
    assert_int_equal(json_i64(json, "k99999", 0), 199999);
    buf_clear(&buf);
    arena_reset(arena);
}

/* A random tree of at most `depth` levels. */
static struct json *random_tree(uint64_t *random, unsigned depth)
{
    switch (random_below(random, depth ? 8 : 6)) {
    case 0: return json_new(arena, JSON_NULL);
    case 1: return json_new(arena, JSON_TRUE);
    case 2: return json_new(arena, JSON_FALSE);
    case 3: return json_new_i64(arena, (int64_t)random_next(random));
    case 4:
    case 5: {
        static const char *const pieces[] = {
            "a", "\"", "\\", "\n", "\x01", "\xC3\xA9", "\xF0\x9F\x98\x80", "plain text of some length", "/", "\x7F"};
        struct buf buf;
        buf_init(&buf, arena, 10000);
        for (unsigned i = random_below(random, 8); i; i--) buf_add(&buf, str_of(pieces[random_below(random, COUNT_OF(pieces))]));
        return json_new_str(arena, buf_str(&buf));
    }
    case 6: {
        struct json *array = json_new(arena, JSON_ARRAY);
        for (unsigned i = random_below(random, 5); i; i--) json_add(array, NULL, random_tree(random, depth - 1));
        return array;
    }
    default: {
        struct json *object = json_new(arena, JSON_OBJECT);
        for (unsigned i = random_below(random, random_below(random, 10) ? 6 : 40); i; i--)
            json_put(object, arena_printf(arena, "k%u\n", random_below(random, 100)), random_tree(random, depth - 1));
        return object;
    }
    }
}

static void random_round_trip(void **state)
{
    (void)state;
    uint64_t random = 10;
    for (int i = 0; i < 3000; i++) {
        struct json *json = random_tree(&random, 4), *back;
        struct str text = json_text(arena, json);
        assert_int_equal(json_parse(text, arena, &back), ERR_OK);
        assert_true(json_equal(json, back));
        assert_true(str_eq(json_text(arena, back), text));
        assert_true(json_equal(json_clone(arena, json), json));
        arena_reset(arena);
    }
}

/* Inputs around the sizes where the parser's blocks of 64 bytes and the kept buffer end. */
static void sizes(void **state)
{
    (void)state;
    static char text[70000];
    for (size_t n = 2; n < sizeof text; n += n < 300 ? 1 : n < 65000 ? 9973 : 7) {
        memset(text, 'x', n);
        text[0] = text[n - 1] = '"';
        char *exact = malloc(n);        /* AddressSanitizer sees a read beyond it */
        memcpy(exact, text, n);
        struct json *json;
        assert_int_equal(json_parse((struct str){exact, n}, arena, &json), ERR_OK);
        free(exact);
        assert_int_equal(json->text.n, n - 2);
        arena_reset(arena);
    }
}

/* Every byte at every place of texts of each length around the sizes that are looked at together; RFC 8259, section 7. */
static void escapes(void **state)
{
    (void)state;
    char text[40];
    for (size_t n = 1; n <= sizeof text; n++) {
        for (size_t at = 0; at < n; at++) {
            memset(text, 'x', n);
            for (unsigned byte = 0; byte < 256; byte += byte < 0x80 ? 1 : 31) {
                text[at] = (char)byte;
                const char *named = byte < 0x20 ? strchr("\bb\ff\nn\rr\tt", (int)byte) : NULL;
                struct str middle = byte == '"' || byte == '\\'  ? arena_printf(arena, "\\%c", (int)byte)
                                    : named && byte             ? arena_printf(arena, "\\%c", named[1])
                                    : byte < 0x20               ? arena_printf(arena, "\\u%04x", byte)
                                                                : (struct str){text + at, 1};
                struct buf wanted, written;
                buf_init(&wanted, arena, 100);
                buf_init(&written, arena, 100);
                buf_add_char(&wanted, '"');
                buf_add(&wanted, (struct str){text, at});
                buf_add(&wanted, middle);
                buf_add(&wanted, (struct str){text + at + 1, n - at - 1});
                buf_add_char(&wanted, '"');
                json_write_str(&written, (struct str){text, n});
                assert_int_equal(written.n, wanted.n);
                assert_memory_equal(written.p, wanted.p, wanted.n);
            }
            arena_reset(arena);
        }
    }
}

static void equality(void **state)
{
    (void)state;
    assert_true(json_equal(parse("{\"a\":1,\"b\":[1,2]}"), parse("{\"b\":[1,2],\"a\":1}")));
    assert_false(json_equal(parse("[1,2]"), parse("[2,1]")));
    assert_false(json_equal(parse("[1,2]"), parse("[1]")));
    assert_false(json_equal(parse("{\"a\":1}"), parse("{\"b\":1}")));
    assert_false(json_equal(parse("1"), parse("1.0")));
    assert_false(json_equal(parse("\"1\""), parse("1")));
    assert_true(json_equal(NULL, NULL));
    assert_false(json_equal(NULL, parse("1")));
    struct json *up = json_new(arena, JSON_OBJECT), *down = json_new(arena, JSON_OBJECT);
    for (int i = 0; i < 50000; i++) json_add_i64(arena, up, arena_printf(arena, "k%d", i).p, i);
    for (int i = 50000; i--;) json_add_i64(arena, down, arena_printf(arena, "k%d", i).p, i);
    assert_true(json_equal(up, down));
    json_at(down, "k7")->text = STR("8");
    assert_false(json_equal(up, down));
}

static void lookups(void **state)
{
    (void)state;
    struct json *json = parse("{\"s\":\"x\",\"n\":42,\"f\":1.5,\"t\":true,\"no\":false,\"big\":9223372036854775808,\"a\":[1]}");
    assert_str(json_str(json, "s"), "x");
    assert_null(json_str(json, "n").p);
    assert_int_equal(json_i64(json, "n", -1), 42);
    assert_int_equal(json_i64(json, "f", -1), -1);
    assert_int_equal(json_i64(json, "big", -1), -1);
    assert_int_equal(json_i64(json, "missing", -1), -1);
    assert_true(json_bool(json, "t", false));
    assert_false(json_bool(json, "no", true));
    assert_true(json_bool(json, "s", true));
    assert_true(json_double(json_at(json, "f"), 0) > 1.49 && json_double(json_at(json, "f"), 0) < 1.51);
    assert_true(json_double(json_at(json, "s"), -1) < 0);
    assert_null(json_at(NULL, "x"));
    assert_null(json_at(json_at(json, "a"), "x"));
    assert_false(json_is(NULL, JSON_NULL));
    int seen = 0;
    for JSON_EACH (member, json) seen++;
    for JSON_EACH (member, (const struct json *)NULL) seen = -1;
    assert_int_equal(seen, 7);
    assert_int_equal(json->count, 7);
}

static void builders(void **state)
{
    (void)state;
    struct json *json = json_new(arena, JSON_OBJECT);
    json_add_str(arena, json, "a", STR("1"));
    json_add_i64(arena, json, "b", INT64_MIN);
    json_add_bool(arena, json, "c", true);
    json_add_epoch_ms(arena, json, "d", INT64_C(1769850307007));
    json_add_epoch_ms(arena, json, "neg", -1);
    json_add(json_add_array(arena, json, "e"), NULL, json_new_raw(arena, STR("{\"raw\": 1}")));
    json_add_object(arena, json, "f");
    assert_str(json_text(arena, json), "{\"a\":\"1\",\"b\":-9223372036854775808,\"c\":true,\"d\":1769850307.007,\"neg\":-0.001,"
                                       "\"e\":[{\"raw\": 1}],\"f\":{}}");
    json_put(json, STR("a"), json_new(arena, JSON_NULL));
    json_put(json, STR("f"), json_new_i64(arena, 6));
    json_put(json, STR("g"), json_new_i64(arena, 7));
    assert_true(json_remove(json, STR("b")) && json_remove(json, STR("neg")) && json_remove(json, STR("g")));
    assert_false(json_remove(json, STR("b")));
    assert_str(json_text(arena, json), "{\"a\":null,\"c\":true,\"d\":1769850307.007,\"e\":[{\"raw\": 1}],\"f\":6}");
    assert_int_equal(json->count, 5);
    json_add_i64(arena, json, "last", 1);
    assert_str(json_text(arena, json->last), "1");
    struct buf small;
    buf_init(&small, arena, 10);
    json_write(&small, json);
    assert_true(small.failed);
}

static void children_are_unlinked(void **state)
{
    (void)state;
    struct json *list = NULL;
    assert_int_equal(json_parse(STR("[1,2,3,4]"), arena, &list), ERR_OK);
    json_unlink(list, list->first);
    json_unlink(list, list->last);
    assert_str(json_text(arena, list), "[2,3]");
    struct json *kept = list->first;
    json_unlink(list, kept);
    json_unlink(list, list->first);
    assert_int_equal(list->count, 0);
    assert_null(kept->next);
    json_add(list, NULL, kept);                 /* the list and what left it are whole */
    assert_str(json_text(arena, list), "[2]");
}

/* A text that no request has is not even looked at. */
static void bounds_length(void **state)
{
    (void)state;
    struct json *json;
    assert_int_equal(json_parse((struct str){"", ((size_t)1 << 30) + 1}, arena, &json), ERR_TOO_LARGE);
}

static void lists_are_joined(void **state)
{
    (void)state;
    struct json *object = json_new(arena, JSON_OBJECT);
    for (int i = 0; i < 60; i++) {
        struct json *list = json_add_key(object, arena_printf(arena, "%d", i % 20), json_new(arena, JSON_ARRAY));
        if (i >= 20)
            json_add(list, NULL, json_new_i64(arena, i));
    }
    json_join_lists(object);
    assert_int_equal(object->count, 20);
    assert_str(json_text(arena, object->first), "[20,40]");
    assert_str(json_text(arena, object->last), "[39,59]");
    assert_int_equal(object->last->count, 2);
    json_add(object->last, NULL, json_new_i64(arena, 0));
    assert_str(json_text(arena, object->last), "[39,59,0]");
}

static void repeated_keys_are_refused(void **state)
{
    static const char *const repeated[] = {"{\"a\":1,\"a\":1}", "[[{\"b\":{\"a\":1,\"c\":2,\"\\u0061\":3}}]]", "{\"\":1,\"\":2}"};
    static const char *const fine[] = {"{}", "{\"a\":{\"a\":1},\"A\":[{\"a\":1},{\"a\":1}]}", "3", "\"a\""};
    struct json *tree = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(repeated); i++)
        assert_int_equal(json_parse_unique(str_of(repeated[i]), arena, &tree), ERR_INVALID);
    assert_null(tree);
    for (size_t i = 0; i < COUNT_OF(fine); i++) {
        assert_int_equal(json_parse_unique(str_of(fine[i]), arena, &tree), ERR_OK);
        assert_str(json_text(arena, tree), fine[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated_keys_are_refused),
        cmocka_unit_test(children_are_unlinked),
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_prefixes),
        cmocka_unit_test(bounds_depth),
        cmocka_unit_test(bounds_length),
        cmocka_unit_test(last_key_wins),
        cmocka_unit_test(lists_are_joined),
        cmocka_unit_test(random_round_trip),
        cmocka_unit_test(sizes),
        cmocka_unit_test(escapes),
        cmocka_unit_test(equality),
        cmocka_unit_test(lookups),
        cmocka_unit_test(builders),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
