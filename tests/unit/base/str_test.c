/* str_test.c -- base/str.h: slices, cutting, trimming, and numbers at their bounds. */
#include "unit.h"

static void compares(void **state)
{
    (void)state;
    assert_true(str_eq(STR_NONE, STR("")));
    assert_true(str_eq_nocase(STR("X-Amz-Date"), STR("x-amz-DATE")));
    assert_false(str_eq_nocase(STR("a{"), STR("a[")));     /* differ by the case bit, are no letters */
    assert_true(str_cmp(STR("ab"), STR("abc")) < 0);
    assert_true(str_cmp(STR("b"), STR("abc")) > 0);
    assert_int_equal(str_cmp(STR_NONE, STR_NONE), 0);
    assert_true(str_starts(STR("abc"), STR_NONE) && str_ends(STR("abc"), STR("bc")));
    assert_false(str_starts(STR("a"), STR("ab")) || str_ends(STR("a"), STR("ba")));
}

/* Every byte against every other, at each place of texts of each length up to three words. */
static void nocase(void **state)
{
    (void)state;
    char a[24], b[24];
    for (size_t n = 1; n <= sizeof a; n++) {
        for (size_t i = 0; i < n; i += n > 9 ? 5 : 1) {
            memset(a, 'q', sizeof a);
            memset(b, 'Q', sizeof b);
            for (unsigned pair = 0; pair < 65536; pair += 7) {
                unsigned char x = (unsigned char)(pair >> 8), y = (unsigned char)pair;
                unsigned char lower_x = x >= 'A' && x <= 'Z' ? x + 32 : x, lower_y = y >= 'A' && y <= 'Z' ? y + 32 : y;
                a[i] = (char)x;
                b[i] = (char)y;
                assert_true(str_eq_nocase((struct str){a, n}, (struct str){b, n}) == (lower_x == lower_y));
            }
        }
    }
    assert_true(str_eq_nocase(STR_NONE, STR("")));
    assert_false(str_eq_nocase(STR("a"), STR("ab")));
}

static void slices(void **state)
{
    (void)state;
    assert_str(str_slice(STR("hello"), 1, 3), "el");
    assert_str(str_slice(STR("hello"), 3, 99), "lo");
    assert_str(str_slice(STR("hello"), 9, 99), "");
    assert_int_equal(str_slice(STR_NONE, 0, 5).n, 0);
    assert_int_equal(str_find(STR("a/b"), '/'), 1);
    assert_int_equal(str_find(STR("ab"), '/'), 2);
}

static void cuts(void **state)
{
    (void)state;
    struct str rest = STR("a,,b");
    assert_str(str_cut(&rest, ','), "a");
    assert_str(str_cut(&rest, ','), "");
    assert_str(str_cut(&rest, ','), "b");
    assert_null(rest.p);
    rest = STR("a,");
    assert_str(str_cut(&rest, ','), "a");
    assert_non_null(rest.p);    /* an empty last piece differs from no piece */
    assert_str(str_trim(STR(" \t a b \r\n")), "a b");
    assert_str(str_trim(STR(" \n ")), "");
}

static void numbers(void **state)
{
    (void)state;
    static const struct { const char *text; bool ok; uint64_t value; } u64[] = {
        {"0", true, 0}, {"007", true, 7}, {"18446744073709551615", true, UINT64_MAX}, {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0}, {"", false, 0}, {"-1", false, 0}, {"+1", false, 0}, {" 1", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(u64); i++) {
        uint64_t value = 42;
        assert_int_equal(str_to_u64(str_of(u64[i].text), &value), u64[i].ok);
        assert_true(value == (u64[i].ok ? u64[i].value : 42));
    }
    static const struct { const char *text; bool ok; int64_t value; } i64[] = {
        {"-9223372036854775808", true, INT64_MIN}, {"-9223372036854775809", false, 0},
        {"9223372036854775807", true, INT64_MAX}, {"9223372036854775808", false, 0}, {"-0", true, 0}, {"-", false, 0},
        {"", false, 0}, {"--1", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(i64); i++) {
        int64_t value = 42;
        assert_int_equal(str_to_i64(str_of(i64[i].text), &value), i64[i].ok);
        assert_true(value == (i64[i].ok ? i64[i].value : 42));
    }
}

static void characters(void **state)
{
    (void)state;
    assert_true(str_alnum_or(STR("azAZ09"), ""));
    assert_true(str_alnum_or(STR_NONE, ""));
    assert_true(str_alnum_or(STR("a-b.c"), ".-"));
    assert_false(str_alnum_or(STR("a-b.c"), "."));
    assert_false(str_alnum_or(STR("a\0b"), ".-"));
    assert_false(str_alnum_or(STR("\xc3\xa4"), ""));
    for (const char *c = "/:@[`{"; *c; c++)         /* the neighbours of the ranges */
        assert_false(char_is_digit(*c) || char_is_letter(*c));
}

static void searches(void **state)
{
    (void)state;
    assert_true(str_contains(STR("abc"), STR("bc")));
    assert_true(str_contains(STR("abc"), STR_NONE));
    assert_true(str_contains(STR_NONE, STR_NONE));
    assert_false(str_contains(STR_NONE, STR("a")));
    assert_false(str_contains(STR("abc"), STR("abcd")));
    assert_false(str_contains(STR("abc"), STR("ac")));
}

static void orders_and_packs(void **state)
{
    (void)state;
    struct str list[] = {STR("b"), STR("ab"), STR_NONE, STR("a")};
    qsort(list, COUNT_OF(list), sizeof list[0], str_order);
    assert_str(list[0], "");
    assert_str(list[1], "a");
    assert_str(list[2], "ab");
    assert_str(list[3], "b");
    assert_ptr_equal(bsearch(&STR("ab"), list, COUNT_OF(list), sizeof list[0], str_order), &list[2]);

    char bytes[4], *at = bytes;
    struct str first = str_pack(&at, STR("ab")), none = str_pack(&at, STR_NONE), last = str_pack(&at, STR("cd"));
    assert_str(first, "ab");
    assert_int_equal(none.n, 0);
    assert_str(last, "cd");
    assert_memory_equal(bytes, "abcd", 4);
    assert_ptr_equal(at, bytes + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(characters), cmocka_unit_test(searches), cmocka_unit_test(orders_and_packs),
                                       cmocka_unit_test(compares),   cmocka_unit_test(nocase),   cmocka_unit_test(slices),
                                       cmocka_unit_test(cuts),       cmocka_unit_test(numbers)};
    return RUN(tests);
}
