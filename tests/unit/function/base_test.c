/* base_test.c -- arena, builder, encodings, identifiers and time; each with malloc failing at every place. */
#include "walk.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void test_results_have_names(void **state)
{
    (void)state;
    assert_string_equal(cl_result_name(CL_OK), "CL_OK");
    assert_string_equal(cl_result_name(CL_CONFIG), "CL_CONFIG");
    assert_string_equal(cl_result_name((cl_result)99), "unknown");
    assert_true(strlen(cl_version()) > 0);
}

static void test_arena_allocations(void **state)
{
    (void)state;
    cl_arena *arena = cl_arena_new(0);
    srand(7);
    for (int round = 0; round < 3; round++) {
        unsigned char *kept[400];
        size_t sizes[400];
        for (int i = 0; i < 400; i++) {
            sizes[i] = (size_t)rand() % (i % 50 == 0 ? 100000 : 300);
            kept[i] = cl_alloc(arena, sizes[i]);
            assert_non_null(kept[i]);
            assert_int_equal((uintptr_t)kept[i] % 16, 0);
            for (size_t k = 0; k < sizes[i]; k++)
                assert_int_equal(kept[i][k], 0);
            memset(kept[i], i & 255, sizes[i]);
        }
        for (int i = 0; i < 400; i++)
            for (size_t k = 0; k < sizes[i]; k++)
                assert_int_equal(kept[i][k], i & 255);
        assert_true(cl_arena_bytes(arena) > 100000);
        cl_arena_reset(arena);
        assert_true(cl_arena_bytes(arena) <= 256 << 10);
    }
    assert_false(cl_arena_failed(arena));
    cl_arena_free(arena);
    cl_arena_free(NULL);
}

static void test_arena_limit_is_sticky(void **state)
{
    (void)state;
    cl_arena *arena = cl_arena_new(20000);
    size_t got = 0;
    while (cl_alloc(arena, 100))
        got += 100;
    assert_true(got > 15000 - 3000 && got <= 20000);
    assert_true(cl_arena_failed(arena));
    assert_true(cl_arena_bytes(arena) <= 20000);
    assert_null(cl_alloc(arena, 1));
    assert_null(cl_dup(arena, cl_str_of("x")).p);
    cl_arena_reset(arena);
    assert_false(cl_arena_failed(arena));
    assert_non_null(cl_alloc(arena, 1));
    assert_null(cl_alloc(arena, SIZE_MAX));
    cl_arena_reset(arena);
    assert_null(cl_alloc_array(arena, SIZE_MAX / 2, 3));
    assert_true(cl_arena_failed(arena));
    cl_arena_free(arena);
    arena = cl_arena_new(1 << 20);
    assert_non_null(cl_alloc(arena, 900000));       /* up to the limit in one piece */
    assert_null(cl_alloc(arena, 900000));
    cl_arena_free(arena);
}

/* The second invocation of its kind may still ask for a block, the third does not: malloc would fail. */
static void test_arena_settles(void **state)
{
    (void)state;
    static const size_t needs[] = {100, 7000, 20000, 60000, 200000};
    for (size_t i = 0; i < CL__COUNT(needs); i++) {
        cl_arena *arena = cl_arena_new(0);
        for (int round = 0; round < 5; round++) {
            cl__malloc_countdown = round < 2 ? -1 : 0;
            for (size_t n = 0; n < needs[i]; n += 100)
                assert_non_null(cl_alloc(arena, 90));
            cl__malloc_countdown = -1;
            cl_arena_reset(arena);
            assert_true(cl_arena_bytes(arena) <= 256 << 10);
        }
        cl_arena_free(arena);
    }
}

static void test_strings(void **state)
{
    (void)state;
    cl_arena *arena = cl_arena_new(0);
    cl_str s = cl_dup(arena, (cl_str){"ab\0c", 4});
    assert_int_equal(s.n, 4);
    assert_memory_equal(s.p, "ab\0c", 5);
    assert_str(cl_dup(arena, (cl_str){NULL, 0}), "");
    assert_str(cl_printf(arena, "%d-%s", 12, "x"), "12-x");
    cl_str cut = cl_str_of("a\xC3\xA4\xE2\x82\xAC");
    for (size_t n = 0; n <= cut.n; n++)
        assert_int_equal(cl__utf8_cut(cut, n).n, n < 1 ? 0 : n < 3 ? 1 : n < 6 ? 3 : 6);
    assert_true(cl__ieq(cl_str_of("Content-TYPE"), cl_str_of("content-type")));
    assert_false(cl__ieq(cl_str_of("a["), cl_str_of("a{")));
    assert_str(cl__sentence("%s is missing", "X"), "X is missing");
    cl_arena_free(arena);
}

static void test_builder(void **state)
{
    (void)state;
    cl_arena *arena = cl_arena_new(0);
    cl_buf buf;
    cl_buf_init(&buf, arena, 3000);
    assert_str(cl_buf_str(&buf), "");
    for (int i = 0; i < 1000; i++) {
        cl_buf_addc(&buf, (char)('a' + i % 26));
        if (i % 100 == 0)
            cl_alloc(arena, 100);                   /* so that it has to move */
    }
    cl_buf_printf(&buf, "%s", "");
    cl_buf_printf(&buf, "<%03d>", 7);
    cl_buf_adds(&buf, NULL);
    assert_int_equal(cl_buf_str(&buf).n, 1005);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf.p[i], 'a' + i % 26);
    char *room = cl__buf_room(&buf, 1995);
    assert_non_null(room);
    memset(room, 'x', 1995);
    assert_int_equal(strlen(cl_buf_str(&buf).p), 3000);
    cl_buf_addc(&buf, 'y');
    assert_true(buf.failed);
    assert_str(cl_buf_str(&buf), "");
    cl_buf_adds(&buf, "z");
    assert_true(buf.failed);
    char fixed[8];
    cl__buf_fixed(&buf, fixed, sizeof fixed);
    cl_buf_adds(&buf, "1234567");
    assert_str(cl_buf_str(&buf), "1234567");
    cl__buf_cut(&buf, 3);
    assert_str(cl_buf_str(&buf), "123");
    cl_buf_adds(&buf, "45678");
    assert_true(buf.failed);
    cl_arena_free(arena);
}

static void test_base64(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *plain, *url;
    } rows[] = {{"", "", ""},          {"f", "Zg==", "Zg"},        {"fo", "Zm8=", "Zm8"},      {"foo", "Zm9v", "Zm9v"},
                {"foob", "Zm9vYg==", "Zm9vYg"}, {"\xfb\xff\xbf", "+/+/", "-_-_"}, {"fooba", "Zm9vYmE=", "Zm9vYmE"}};
    static const char *const wrong[] = {"Zg", "Zg=", "Zg===", "Z===", "=", "Zh==", "Zm9=", "Zm 9v", "Zg==Zg==", "Zm9v\n", "-_-_", "Z"};
    static const char *const wrong_url[] = {"Zg==", "Z", "Zh", "Zm9", "+/+/", "Zm9vY"};
    cl_arena *arena = cl_arena_new(0);
    cl_str back;
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        assert_str(cl_base64(arena, cl_str_of(rows[i].bytes), false), rows[i].plain);
        assert_str(cl_base64(arena, cl_str_of(rows[i].bytes), true), rows[i].url);
        assert_int_equal(cl_base64_decode(arena, cl_str_of(rows[i].plain), false, &back), CL_OK);
        assert_str(back, rows[i].bytes);
        assert_int_equal(cl_base64_decode(arena, cl_str_of(rows[i].url), true, &back), CL_OK);
        assert_str(back, rows[i].bytes);
    }
    for (size_t i = 0; i < CL__COUNT(wrong); i++)
        assert_int_equal(cl_base64_decode(arena, cl_str_of(wrong[i]), false, &back), CL_INVALID);
    for (size_t i = 0; i < CL__COUNT(wrong_url); i++)
        assert_int_equal(cl_base64_decode(arena, cl_str_of(wrong_url[i]), true, &back), CL_INVALID);
    unsigned char bytes[300];
    for (size_t n = 0; n < sizeof bytes; n++) {
        bytes[n] = (unsigned char)rand();
        cl_str all = {(const char *)bytes, n};
        assert_int_equal(cl_base64_decode(arena, cl_base64(arena, all, n & 1), n & 1, &back), CL_OK);
        assert_true(cl_str_eq(all, back));
    }
    cl_arena_free(arena);
}

static void test_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"", "abc", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80", "\xC1\xBF", "\xC2", "\xC2" "a", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xEF\xBF", "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "a\xE2\x82"};
    for (size_t i = 0; i < CL__COUNT(good); i++)
        assert_true(cl_utf8_valid(cl_str_of(good[i])));
    for (size_t i = 0; i < CL__COUNT(bad); i++)
        assert_false(cl_utf8_valid(cl_str_of(bad[i])));
}

static void test_uuid(void **state)
{
    (void)state;
    cl_arena *arena = cl_arena_new(0);
    cl_str a = cl_uuid(arena), b = cl_uuid(arena);
    assert_int_equal(a.n, 36);
    assert_false(cl_str_eq(a, b));
    for (size_t i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23)
            assert_int_equal(a.p[i], '-');
        else
            assert_non_null(strchr("0123456789abcdef", a.p[i]));
    assert_int_equal(a.p[14], '4');
    assert_non_null(strchr("89ab", a.p[19]));
    cl_arena_free(arena);
}

static void test_dates_as_the_c_library_has_them(void **state)
{
    (void)state;
    char ours[32], theirs[40];
    for (int64_t s = 0; s < INT64_C(253402300800); s += 86400 * 11 + 3607) {
        time_t t = (time_t)s;
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%SZ", &tm);
        assert_int_equal(cl__iso8601(ours, s * 1000 + 999, false), 20);
        assert_string_equal(ours, theirs);
    }
    cl__iso8601(ours, INT64_C(951782399042), true);
    assert_string_equal(ours, "2000-02-28T23:59:59.042Z");
    cl__iso8601(ours, INT64_C(951782400000), true);
    assert_string_equal(ours, "2000-02-29T00:00:00.000Z");
    cl__iso8601(ours, INT64_MAX, true);
    assert_string_equal(ours, "9999-12-31T23:59:59.999Z");
    cl__iso8601(ours, -1, true);
    assert_string_equal(ours, "1970-01-01T00:00:00.000Z");
    assert_int_equal(cl__deadline_of(CL__NO_DEADLINE), CL__NO_DEADLINE);
    assert_true(cl__deadline_of(INT64_MAX - 1) > INT64_MAX / 2);
    assert_true(cl__deadline_of(0) < 0);
    assert_int_equal(cl__deadline_of(INT64_MIN), 0);
    int64_t soon = cl__deadline_of(cl_now_ms() + 1000) - cl__mono_ms();
    assert_true(soon > 900 && soon <= 1001);
}

/* ---- without memory ---- */

CL_PRINTF(2, 3)
static cl_str formatted(cl_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cl_str text = cl_vprintf(arena, format, args);
    va_end(args);
    return text;
}

static cl_result all_of_base(cl_arena *arena, void *arg)
{
    const size_t *digits = arg;
    cl_buf buf;
    cl_str back = {"untouched", 9};
    cl_buf_init(&buf, arena, 1 << 20);
    for (size_t i = 0; i < *digits; i++) {
        cl_buf_printf(&buf, "%02zu", i % 100);
        cl_buf_addc(&buf, 'c');
        cl_buf_adds(&buf, "s");
        cl_buf_add(&buf, cl_str_of("str"));
    }
    void *zeros = cl_alloc_array(arena, 3, *digits), *one = cl_alloc(arena, 1);
    cl_str encoded = cl_base64(arena, cl_str_of("bytes"), false), copy = cl_dup(arena, cl_str_of("copy"));
    cl_str id = cl_uuid(arena), now = cl_now_iso8601(arena), text = cl_printf(arena, "%s", "text"), other = formatted(arena, "%d", 7);
    assert_string_equal(cl_result_name(CL_NO_MEMORY), "CL_NO_MEMORY");
    assert_true(cl_utf8_valid(text) && cl_now_ms() > 0 && *cl_version());
    assert_true(cl_arena_bytes(arena) > 0 || cl_arena_failed(arena));
    if (cl_base64_decode(arena, cl_str_of("Zm9v"), false, &back) == CL_OK)
        assert_str(back, "foo");
    else
        assert_str(back, "untouched");
    if (cl_arena_failed(arena))
        return CL_NO_MEMORY;
    assert_str(encoded, "Ynl0ZXM=");
    assert_int_equal(id.n, 36);
    assert_int_equal(now.n, 20);
    assert_str(text, "text");
    assert_str(other, "7");
    assert_str(copy, "copy");
    assert_true(zeros && one);
    assert_int_equal(cl_buf_str(&buf).n, 7 * *digits);
    return CL_OK;
}

/* Reset when it failed: it gives again. */
static cl_result after_reset(void *arg)
{
    cl_arena *arena = cl_arena_new(0);
    (void)arg;
    if (!arena)
        return CL_NO_MEMORY;
    cl_result result = cl_alloc(arena, 10000) && cl_alloc(arena, 100000) ? CL_OK : CL_NO_MEMORY;
    long countdown = cl__malloc_countdown;
    cl__malloc_countdown = -1;
    cl_arena_reset(arena);
    assert_non_null(cl_alloc(arena, 100));
    cl__malloc_countdown = countdown;
    cl_arena_free(arena);
    return result;
}

static void test_without_memory(void **state)
{
    (void)state;
    size_t few = 10, many = 3000;
    struct walk_arena large = {all_of_base, &many};
    walk_arena(all_of_base, &few, 8000);
    assert_true(walk(walk_unlimited, &large) >= 3);
    assert_true(walk(after_reset, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_have_names), cmocka_unit_test(test_arena_allocations), cmocka_unit_test(test_arena_limit_is_sticky), cmocka_unit_test(test_arena_settles),
        cmocka_unit_test(test_strings),            cmocka_unit_test(test_builder),           cmocka_unit_test(test_base64),
        cmocka_unit_test(test_utf8),               cmocka_unit_test(test_uuid),              cmocka_unit_test(test_dates_as_the_c_library_has_them),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
