/* key_test.c -- engine keys: order, and there and back. */
#include "store_test.h"
#include "base/codec.h"
#include "store/key.h"

static uint64_t random_state = 99;

static unsigned draw(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % below;
}

/* ---- engine keys ---- */

static struct str draw_bytes(char *bytes, unsigned max)
{
    static const char alphabet[] = {0, 1, 2, 'a', (char)0xfe, (char)0xff};
    size_t n = draw(max + 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] = alphabet[draw(sizeof alphabet)];
    return (struct str){bytes, n};
}

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static void test_keys(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        char bytes[4][8], scratch[STORE_COLLECTION_MAX];
        struct str c1 = draw_bytes(bytes[0], 5), c2 = draw_bytes(bytes[1], 5);
        struct str k1 = draw_bytes(bytes[2], 5), k2 = draw_bytes(bytes[3], 5);
        struct engine_key e1, e2;
        assert_true(store__key_collection(&e1, 7, 9, c1) && store__key_collection(&e2, 7, 9, c2));
        struct engine_key behind = e1;
        store__key_behind(&behind);
        assert_true(store__key_add(&e1, k1) && store__key_add(&e2, k2));
        struct store_key back;
        assert_true(store__key_split(engine_key_str(&e1), scratch, &back));
        assert_true(back.space == 7 && str_eq(back.collection, c1) && str_eq(back.key, k1));
        int order = sign(str_cmp(engine_key_str(&e1), engine_key_str(&e2)));
        if (str_eq(c1, c2))
            assert_int_equal(order, sign(str_cmp(k1, k2)));
        else    /* all of one collection before all of the other */
            assert_int_equal(order, sign(str_cmp(engine_key_str(&behind), engine_key_str(&e2))));
        assert_true(str_cmp(engine_key_str(&e1), engine_key_str(&behind)) < 0);
    }
}

static void test_split_refuses(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        char bytes[40] = {KEY_LAYOUT}, scratch[STORE_COLLECTION_MAX];
        struct str rest = draw_bytes(bytes + KEY_HEAD, sizeof bytes - KEY_HEAD - 1);
        struct store_key back;
        if (!store__key_split((struct str){bytes, KEY_HEAD + rest.n}, scratch, &back))
            continue;
        struct engine_key again;
        assert_true(store__key_collection(&again, back.space, 0, back.collection) && store__key_add(&again, back.key));
        assert_true(str_eq(engine_key_str(&again), (struct str){bytes, KEY_HEAD + rest.n}));
    }
    struct store_key back;
    assert_false(store__key_split(STR(""), NULL, &back));
    assert_false(store__key_split(STR("\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0c\0\1k"), NULL, &back));
}

int main(void)
{
#define TEST(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {TEST(test_keys), TEST(test_split_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
