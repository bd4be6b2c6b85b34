/* filter_pattern_test.c -- filter patterns of plain terms. The examples follow the table of the user guide's "Filter pattern syntax". */
#include "services/logs/logs_internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_matches(void **state)
{
    static const struct {
        const char *pattern, *message;
        bool match;
    } cases[] = {
        {"", "anything", true},
        {"ERROR", "[ERROR] disk", true},
        {"ERROR", "error", false},
        {"ERROR disk", "disk ERROR", true},
        {"ERROR disk", "ERROR net", false},
        {"\"ERROR disk\"", "ERROR disk", true},
        {"\"ERROR disk\"", "disk ERROR", false},
        {"\"say \\\"hi\\\"\"", "say \"hi\" now", true},
        {"ERROR -disk", "ERROR net", true},
        {"ERROR -disk", "ERROR disk", false},
        {"?ERROR ?WARN", "WARN x", true},
        {"?ERROR ?WARN", "INFO x", false},
        {"-INFO", "WARN", true},
    };
    struct arena *arena = arena_new();
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct logs__pattern *pattern;
        struct str why;
        assert_int_equal(logs__pattern_parse(str_of(cases[i].pattern), arena, &pattern, &why), ERR_OK);
        assert_int_equal(logs__pattern_match(pattern, str_of(cases[i].message)), cases[i].match);
    }
    arena_free(arena);
}

static void test_refused(void **state)
{
    static const struct {
        const char *pattern;
        enum err err;
        const char *why;
    } cases[] = {
        {"{ $.a = 1 }", ERR_UNSUPPORTED, "JSON filter patterns"},
        {"[a, b]", ERR_UNSUPPORTED, "space-delimited filter patterns"},
        {"%x%", ERR_UNSUPPORTED, "regular expressions"},
        {"\"open", ERR_INVALID, "Invalid filter pattern: a quotation mark is not closed"},
        {"ERROR a:b", ERR_INVALID, "Invalid character(s) in term 'a:b'"},
        {"-x?y", ERR_INVALID, "Invalid character(s) in term 'x?y'"},
    };
    struct arena *arena = arena_new();
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct logs__pattern *pattern = NULL;
        struct str why = STR_NONE;
        assert_int_equal(logs__pattern_parse(str_of(cases[i].pattern), arena, &pattern, &why), cases[i].err);
        assert_true(pattern == NULL && str_eq(why, str_of(cases[i].why)));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matches), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
