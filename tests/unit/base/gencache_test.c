/* gencache_test.c -- base/gencache.h: entries live as long as their generation, within the bounds in entries and in bytes. */
#include "base/gencache.h"
#include "unit.h"

static size_t dropped;

static void count_drop(void *value)
{
    (void)value;
    dropped++;
}

static int one, two, three;

static void forgets_with_the_generation(void **state)
{
    (void)state;
    struct gencache *cache = gencache_new(8, 0, count_drop);
    dropped = 0;
    assert_null(gencache_get(cache, 1, STR("a")));
    gencache_put(cache, 1, STR("a"), &one, 0);
    gencache_put(cache, 1, STR("b"), &two, 0);
    assert_ptr_equal(gencache_get(cache, 1, STR("a")), &one);
    assert_null(gencache_get(cache, 2, STR("a")));
    assert_int_equal(dropped, 2);
    gencache_put(cache, 2, STR("a"), &three, 0);
    assert_ptr_equal(gencache_get(cache, 2, STR("a")), &three);
    gencache_put(cache, 3, STR("b"), &one, 0);      /* put under a new one: what was there goes too */
    assert_int_equal(dropped, 3);
    assert_null(gencache_get(cache, 3, STR("a")));
    assert_ptr_equal(gencache_get(cache, 3, STR("b")), &one);
    gencache_free(cache);
    assert_int_equal(dropped, 4);
    gencache_free(NULL);
}

static void bounded_in_entries(void **state)
{
    (void)state;
    struct gencache *cache = gencache_new(2, 0, NULL);
    gencache_put(cache, 1, STR("a"), &one, 0);
    gencache_put(cache, 1, STR("b"), &two, 0);
    gencache_put(cache, 1, STR("c"), &three, 0);
    assert_null(gencache_get(cache, 1, STR("a")));
    assert_ptr_equal(gencache_get(cache, 1, STR("c")), &three);
    gencache_free(cache);
}

/* What gives way gives its bytes back: by being replaced, put again, removed, or as the oldest. */
static void counts_what_is_there(void **state)
{
    (void)state;
    struct gencache *cache = gencache_new(2, 100, count_drop);
    dropped = 0;
    for (int i = 0; i < 10; i++) {
        gencache_put(cache, 1, STR("a"), i % 2 ? &one : &two, 40);
        gencache_put(cache, 1, STR("b"), &three, 40);
        assert_ptr_equal(gencache_get(cache, 1, STR("a")), i % 2 ? &one : &two);
    }
    assert_int_equal(dropped, 9);
    gencache_remove(cache, STR("a"));
    gencache_remove(cache, STR("a"));
    assert_int_equal(dropped, 10);
    gencache_put(cache, 1, STR("c"), &one, 20);
    assert_ptr_equal(gencache_get(cache, 1, STR("b")), &three);
    gencache_put(cache, 1, STR("d"), &two, 40); /* the oldest goes, and its bytes */
    gencache_put(cache, 1, STR("c"), &three, 60);
    assert_ptr_equal(gencache_get(cache, 1, STR("d")), &two);
    assert_ptr_equal(gencache_get(cache, 1, STR("c")), &three);
    gencache_free(cache);
    assert_int_equal(dropped, 14);
}

static void bounded_in_bytes(void **state)
{
    (void)state;
    struct gencache *cache = gencache_new(8, 100, count_drop);
    dropped = 0;
    gencache_put(cache, 1, STR("a"), &one, 60);
    gencache_put(cache, 1, STR("b"), &two, 40);
    assert_ptr_equal(gencache_get(cache, 1, STR("a")), &one);
    gencache_put(cache, 1, STR("c"), &three, 1);    /* does not fit: the others go */
    assert_int_equal(dropped, 2);
    assert_ptr_equal(gencache_get(cache, 1, STR("c")), &three);
    gencache_put(cache, 1, STR("d"), &one, 101);    /* larger than all: alone, until the next */
    assert_null(gencache_get(cache, 1, STR("c")));
    assert_ptr_equal(gencache_get(cache, 1, STR("d")), &one);
    gencache_put(cache, 1, STR("e"), &two, 1);
    assert_null(gencache_get(cache, 1, STR("d")));
    assert_ptr_equal(gencache_get(cache, 1, STR("e")), &two);
    gencache_put(cache, 2, STR("f"), &one, 99);     /* a new generation begins to count anew */
    gencache_put(cache, 2, STR("g"), &two, 1);
    assert_ptr_equal(gencache_get(cache, 2, STR("f")), &one);
    gencache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forgets_with_the_generation), cmocka_unit_test(bounded_in_entries),
                                       cmocka_unit_test(counts_what_is_there), cmocka_unit_test(bounded_in_bytes)};
    return RUN(tests);
}
