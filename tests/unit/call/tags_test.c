/* tags_test.c -- call/tags.h: both forms, what is wrong with tags, merging, removing, with and without letter case. */
#include "call/tags.h"
#include "../base/unit.h"
#include "../base/with_arena.h"

static struct json *tree(const char *text)
{
    struct json *json = NULL;
    assert_int_equal(json_parse(str_of(text), arena, &json), ERR_OK);
    return json;
}

static void reads_both_forms(void **state)
{
    (void)state;
    static const char *const forms[] = {"{\"a\":\"1\",\"b\":\"2\"}",
                                        "[{\"Key\":\"a\",\"Value\":\"1\"},{\"Value\":\"2\",\"Key\":\"b\"}]"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct json *tags = tree(forms[i]);
        struct str value;
        assert_str(tag_of(tags_first(tags)).key, "a");
        assert_true(tags_find(tags, STR("b"), false, &value));
        assert_str(value, "2");
        assert_false(tags_find(tags, STR("B"), false, &value));
        assert_true(tags_find(tags, STR("B"), true, &value));
        assert_str(json_text(arena, tags_object(arena, tags)), forms[0]);
        assert_str(json_text(arena, tags_list(arena, tags)), "[{\"Key\":\"a\",\"Value\":\"1\"},{\"Key\":\"b\",\"Value\":\"2\"}]");
    }
    assert_null(tags_first(NULL));
    assert_str(json_text(arena, tags_object(arena, NULL)), "{}");
    assert_str(json_text(arena, tags_list(arena, NULL)), "[]");
}

static struct json *many(size_t count)
{
    struct json *tags = json_new(arena, JSON_OBJECT);
    for (size_t i = 0; i < count; i++)
        json_add_key(tags, arena_printf(arena, "key%zu", i), json_new_str(arena, STR("v")));
    return tags;
}

static void sees_what_is_wrong(void **state)
{
    (void)state;
    char text[1000];
    struct tag tag;
    static const struct { const char *tags; bool nocase; enum tags_fault fault; const char *key; } cases[] = {
        {"{\"a\":\"\",\"b\":\"2\"}", false, TAGS_FINE, NULL},
        {"{\"a\":\"\",\"aws:b\":\"2\"}", false, TAGS_RESERVED, "aws:b"},
        {"{\"AWS:b\":\"2\"}", false, TAGS_RESERVED, "AWS:b"},
        {"{\"aws\":\"2\"}", false, TAGS_FINE, NULL},
        {"{\"\":\"2\"}", false, TAGS_BAD_KEY, ""},
        {"{\"a\":\"1\",\"A\":\"2\"}", false, TAGS_FINE, NULL},
        {"{\"a\":\"1\",\"A\":\"2\"}", true, TAGS_TWICE, "a"},
        {"[{\"Key\":\"a\",\"Value\":\"1\"},{\"Key\":\"A\",\"Value\":\"1\"}]", true, TAGS_TWICE, "a"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(tags_check(tree(cases[i].tags), cases[i].nocase, &tag), cases[i].fault);
        if (cases[i].key)
            assert_str(tag.key, cases[i].key);
    }
    assert_int_equal(tags_check(NULL, false, &tag), TAGS_FINE);
    assert_int_equal(tags_check(many(TAGS_MAX), false, &tag), TAGS_FINE);
    assert_int_equal(tags_check(many(TAGS_MAX + 1), false, &tag), TAGS_TOO_MANY);
    for (int over = 0; over < 2; over++) {
        snprintf(text, sizeof text, "{\"%0*d\":\"v\"}", TAG_KEY_CHARS_MAX + over, 0);
        assert_int_equal(tags_check(tree(text), false, &tag), over ? TAGS_BAD_KEY : TAGS_FINE);
        snprintf(text, sizeof text, "{\"k\":\"%0*d\"}", TAG_VALUE_CHARS_MAX + over, 0);
        assert_int_equal(tags_check(tree(text), false, &tag), over ? TAGS_BAD_VALUE : TAGS_FINE);
    }
    struct str wide = STR_NONE;                         /* characters count, not bytes */
    for (int i = 0; i < TAG_KEY_CHARS_MAX; i++)
        wide = arena_printf(arena, STR_FMT "\xc3\xa4", STR_ARG(wide));
    struct json *tags = json_new(arena, JSON_OBJECT);
    json_add_key(tags, wide, json_new_str(arena, STR_NONE));
    assert_int_equal(tags_check(tags, false, &tag), TAGS_FINE);
}

static void merges_and_removes(void **state)
{
    (void)state;
    struct json *tags = tree("{\"a\":\"1\",\"b\":\"2\"}");
    assert_int_equal(tags_merge(arena, tags, tree("{\"b\":\"3\",\"B\":\"4\"}"), false), TAGS_FINE);
    assert_str(json_text(arena, tags), "{\"a\":\"1\",\"b\":\"3\",\"B\":\"4\"}");
    tags_remove(tags, tree("[\"a\",\"none\",\"B\"]"), false);
    assert_str(json_text(arena, tags), "{\"b\":\"3\"}");

    struct json *list = tree("[{\"Key\":\"a\",\"Value\":\"1\"},{\"Key\":\"b\",\"Value\":\"2\"},{\"Key\":\"c\",\"Value\":\"3\"}]");
    assert_int_equal(tags_merge(arena, list, tree("[{\"Key\":\"B\",\"Value\":\"4\"}]"), true), TAGS_FINE);
    assert_str(json_text(arena, list),
               "[{\"Key\":\"a\",\"Value\":\"1\"},{\"Key\":\"B\",\"Value\":\"4\"},{\"Key\":\"c\",\"Value\":\"3\"}]");
    tags_remove(list, tree("[\"C\",\"A\"]"), true);
    assert_str(json_text(arena, list), "[{\"Key\":\"B\",\"Value\":\"4\"}]");
    assert_int_equal(tags_merge(arena, list, tree("{\"z\":\"26\"}"), true), TAGS_FINE);     /* the end is where it should be */
    assert_int_equal(list->count, 2);
    tags_remove(list, tree("[\"b\",\"Z\",\"z\"]"), true);
    assert_str(json_text(arena, list), "[]");
    tags_remove(NULL, tree("[\"b\"]"), true);

    struct json *full = many(TAGS_MAX);
    assert_int_equal(tags_merge(arena, full, tree("{\"key0\":\"w\"}"), false), TAGS_FINE);
    assert_int_equal(tags_merge(arena, full, tree("{\"one\":\"more\"}"), false), TAGS_TOO_MANY);
    struct json *untouched = many(1);
    assert_int_equal(tags_merge(arena, untouched, many(TAGS_MAX + 1), false), TAGS_TOO_MANY);
    assert_int_equal(untouched->count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_both_forms), cmocka_unit_test(sees_what_is_wrong),
                                       cmocka_unit_test(merges_and_removes)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
