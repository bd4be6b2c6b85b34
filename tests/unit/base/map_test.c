/* map_test.c -- base/map.h: random operations against a plain array as the model, the bound, and who drops what. */
#include "base/map.h"
#include "unit.h"

static size_t dropped;

static void count_drop(void *value)
{
    (void)value;
    dropped++;
}

static void *value_of(size_t i)
{
    return (void *)(uintptr_t)(i + 1);
}

static void agrees_with_model(void **state)
{
    (void)state;
    enum { KEYS = 500 };
    void *model[KEYS] = {NULL};
    size_t count = 0;
    uint64_t random = 5;
    struct map *map = map_new(KEYS, NULL);
    for (int i = 0; i < 50000; i++) {
        char key[16];
        unsigned k = random_below(&random, KEYS);
        int n = snprintf(key, sizeof key, "key%u", k);
        struct str s = {key, (size_t)n};
        switch (random_below(&random, 4)) {
        case 0:
        case 1:
            count += !model[k];
            model[k] = value_of((size_t)i);
            map_put(map, s, model[k]);
            break;
        case 2:
            assert_ptr_equal(map_get(map, s), model[k]);
            break;
        default:
            assert_ptr_equal(map_take(map, s), model[k]);
            count -= model[k] != NULL;
            model[k] = NULL;
        }
        assert_int_equal(map_count(map), count);
    }
    map_free(map);
}

static void drops_the_oldest(void **state)
{
    (void)state;
    dropped = 0;
    struct map *map = map_new(3, count_drop);
    map_put(map, STR("a"), value_of(0));
    map_put(map, STR("b"), value_of(1));
    map_put(map, STR("c"), value_of(2));
    map_put(map, STR("a"), value_of(3));    /* drops the old value, and "a" is the newest now */
    assert_int_equal(dropped, 1);
    map_put(map, STR("d"), value_of(4));
    assert_int_equal(dropped, 2);
    assert_null(map_get(map, STR("b")));
    assert_ptr_equal(map_get(map, STR("a")), value_of(3));
    assert_ptr_equal(map_take(map, STR("c")), value_of(2));
    assert_int_equal(dropped, 2);
    map_reset(map);
    assert_int_equal(dropped, 4);
    assert_int_equal(map_count(map), 0);
    map_put(map, STR(""), value_of(5));
    assert_ptr_equal(map_get(map, STR_NONE), value_of(5));
    map_free(map);
    assert_int_equal(dropped, 5);
    map_free(NULL);
}

static bool stop_at_two(struct str key, void *value, void *arg)
{
    (void)key;
    (void)value;
    return ++*(int *)arg < 2;
}

static void visits(void **state)
{
    (void)state;
    struct map *map = map_new(10, NULL);
    int seen = 0;
    for (int i = 0; i < 5; i++) map_put(map, (struct str){&"abcde"[i], 1}, value_of(0));
    map_each(map, stop_at_two, &seen);
    assert_int_equal(seen, 2);
    map_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_model), cmocka_unit_test(drops_the_oldest),
                                       cmocka_unit_test(visits)};
    return RUN(tests);
}
