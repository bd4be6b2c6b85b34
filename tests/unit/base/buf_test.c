/* buf_test.c -- base/buf.h: growth, the exact bound, sticky failure, in an arena and on malloc. */
#include "unit.h"

static void fills_to_the_bound(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    for (int in_arena = 0; in_arena < 2; in_arena++) {
        struct buf buf;
        buf_init(&buf, in_arena ? arena : NULL, 5000);
        for (int i = 0; i < 5000; i++) buf_add_char(&buf, (char)('a' + i % 26));
        assert_false(buf.failed);
        assert_int_equal(buf.n, 5000);
        for (int i = 0; i < 5000; i++) assert_int_equal(buf.p[i], 'a' + i % 26);
        buf_add(&buf, STR_NONE);
        assert_false(buf.failed);
        buf_add_char(&buf, 'x');
        assert_true(buf.failed);
        buf_reset(&buf);
        buf_lit(&buf, "again");
        assert_false(buf.failed);
        assert_str(buf_str(&buf), "again");
        buf_clear(&buf);
        assert_int_equal(buf_str(&buf).n, 0);
    }
    arena_free(arena);
}

static void fails_stickily(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, NULL, 4);
    buf_lit(&buf, "abc");
    buf_lit(&buf, "de");
    buf_lit(&buf, "f");
    buf_printf(&buf, "%d", 1);
    assert_true(buf.failed);
    assert_null(buf_reserve(&buf, 0));
    assert_str(buf_str(&buf), "abc");
    buf_clear(&buf);
}

static void formats(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, NULL, 100000);
    buf_add_u64(&buf, 0);
    buf_add_u64(&buf, UINT64_MAX);
    buf_printf(&buf, "|%s|", "x");
    assert_str(buf_str(&buf), "018446744073709551615|x|");
    buf_reset(&buf);
    buf_printf(&buf, "%5000d", 3);
    assert_int_equal(buf.n, 5000);
    assert_int_equal(buf.p[4999], '3');
    buf_clear(&buf);
    buf_init(&buf, NULL, 200);
    buf_printf(&buf, "%200d", 3);
    assert_false(buf.failed);
    buf_reset(&buf);
    buf_printf(&buf, "%201d", 3);
    assert_true(buf.failed);
    buf_clear(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fills_to_the_bound), cmocka_unit_test(fails_stickily),
                                       cmocka_unit_test(formats)};
    return RUN(tests);
}
