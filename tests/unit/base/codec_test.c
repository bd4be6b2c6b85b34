/* codec_test.c -- base/codec.h: test vectors of RFC 4648 and of RFC 3629, round trips, order of encoded integers. */
#include "base/codec.h"
#include "unit.h"
#include "with_arena.h"

static void utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"", "plain ascii, long enough", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                                       "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF",
                                       "aaaaaaa\303\251aaaaaaaa"};
    static const char *const bad[] = {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
                                      "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82",
                                      "\xF0\x9F\x98", "\xE2\x28\xA1", "12345678\xFF", "1234567\xC3"};
    for (size_t i = 0; i < COUNT_OF(good); i++) assert_true(utf8_valid(str_of(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(utf8_valid(str_of(bad[i])));
    assert_true(utf8_valid(STR("a\0b")));
    assert_int_equal(utf8_count(STR("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80")), 4);
}

static void utf8_broken(void **state)
{
    static const struct {
        const char *text, *mended;
        size_t unfinished;
    } cases[] = {
        {"", "", 0},
        {"plain", "plain", 0},
        {"\xC3\xA4", "\xC3\xA4", 0},
        {"a\xC3", "a\xEF\xBF\xBD", 1},
        {"\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD", 2},
        {"\xF0\x9F\x98", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 3},
        {"\xFF\xFE!", "\xEF\xBF\xBD\xEF\xBF\xBD!", 0},
        {"\x80\x80\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 0},
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD", 0},
        {"\xE2\x82\xAC\xE2", "\xE2\x82\xAC\xEF\xBF\xBD", 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(str_eq(utf8_mended(str_of(cases[i].text), arena), str_of(cases[i].mended)));
        assert_int_equal(utf8_unfinished(str_of(cases[i].text)), cases[i].unfinished);
    }
}

/* RFC 4648 section 10. */
static void base64_vectors(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xFB\xFF\xBF", "+/+/"}};
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct buf buf;
        buf_init(&buf, arena, 100);
        base64_write(&buf, str_of(vectors[i][0]));
        assert_str(buf_str(&buf), vectors[i][1]);
        struct str bytes;
        assert_int_equal(base64_decode(str_of(vectors[i][1]), arena, &bytes), ERR_OK);
        assert_str(bytes, vectors[i][0]);
    }
    static const char *const bad[] = {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Z===", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm-_",
                                      "=Zg=", "Zg=a", "Zm8=Zm8="};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct str untouched = STR("u");
        assert_int_equal(base64_decode(str_of(bad[i]), arena, &untouched), ERR_INVALID);
        assert_str(untouched, "u");
    }
}

static void base64_round_trip(void **state)
{
    (void)state;
    uint64_t random = 2;
    char bytes[300];
    for (size_t n = 0; n < sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++) bytes[i] = (char)random_next(&random);
        struct buf buf;
        buf_init(&buf, arena, 1000);
        base64_write(&buf, (struct str){bytes, n});
        struct str back;
        assert_int_equal(base64_decode(buf_str(&buf), arena, &back), ERR_OK);
        assert_true(str_eq(back, (struct str){bytes, n}));
    }
}

static void hex(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, arena, 100);
    hex_write(&buf, STR("\x00\xFF\x1A"));
    assert_str(buf_str(&buf), "00ff1a");
    uint8_t bytes[3] = {9, 9, 9};
    assert_true(hex_decode(STR("00Ff1a"), bytes));
    assert_memory_equal(bytes, "\x00\xFF\x1A", 3);
    assert_false(hex_decode(STR("abc"), bytes) || hex_decode(STR("0g"), bytes));
    uint8_t all[256], back[256];
    char text[513];
    for (size_t i = 0; i < sizeof all; i++) all[i] = (uint8_t)i;
    for (size_t n = 0; n <= sizeof all; n++) {
        text[2 * n] = '!';
        assert_ptr_equal(hex_put(text, all, n), text + 2 * n);
        assert_int_equal(text[2 * n], '!');
        assert_true(hex_decode((struct str){text, 2 * n}, back));
        assert_memory_equal(back, all, n);
    }
}

static void percent(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, arena, 100);
    percent_write(&buf, STR("aZ9-._~ /+%\xC3\xA9"), false);
    assert_str(buf_str(&buf), "aZ9-._~%20%2F%2B%25%C3%A9");
    buf_reset(&buf);
    percent_write(&buf, STR("a/b c"), true);
    assert_str(buf_str(&buf), "a/b%20c");
    assert_str(percent_decode(STR("a%2fb+c%zz%4"), false, arena), "a/b+c%zz%4");
    assert_str(percent_decode(STR("a+b%2B%"), true, arena), "a b+%");
    assert_str(percent_decode(STR_NONE, true, arena), "");
}

static void ordered_integers(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (int i = 0; i < 1000; i++) {
        uint64_t a = random_next(&random) >> random_below(&random, 64), b = random_next(&random) >> random_below(&random, 64);
        uint8_t x[8], y[8];
        put_u64(x, a);
        put_u64(y, b);
        assert_true(get_u64(x) == a);
        assert_true((memcmp(x, y, 8) < 0) == (a < b));
        put_u32(x, (uint32_t)a);
        put_u32(y, (uint32_t)b);
        assert_true(get_u32(x) == (uint32_t)a);
        assert_true((memcmp(x, y, 4) < 0) == ((uint32_t)a < (uint32_t)b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(utf8),
                                       cmocka_unit_test(utf8_broken),
                                       cmocka_unit_test(base64_vectors),
                                       cmocka_unit_test(base64_round_trip),
                                       cmocka_unit_test(hex),
                                       cmocka_unit_test(percent),
                                       cmocka_unit_test(ordered_integers)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
