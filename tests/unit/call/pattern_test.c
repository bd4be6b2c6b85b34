/* pattern_test.c -- the bounds of patterns: what takes too long is no match, and so is what is too long; when all slots are taken,
 * matching goes on. */
#include "call/pattern.h"
#include "../base/unit.h"
#include "base/panic.h"

static char letters[(256u << 10) + 2];

static void matches_are_bounded(void **state)
{
    (void)state;
    memset(letters, 'a', sizeof letters);
    assert_true(pattern_match("(a+)+b|a{10}", (struct str){letters, 10}));
    assert_false(pattern_match("(a+)+b", (struct str){letters, 1000})); /* 2^1000 ways */
    assert_true(pattern_match("[a-z]*", (struct str){letters, 256u << 10}));
    assert_false(pattern_match("[a-z]*", (struct str){letters, (256u << 10) + 1}));
    assert_false(pattern_match("(", (struct str){letters, 1}));
}

static void slots_are_bounded(void **state)
{
    static char patterns[1100][8]; /* each address is another pattern */
    (void)state;
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < 1100; i++) {
            snprintf(patterns[i], sizeof patterns[i], "x%d", i);
            assert_true(pattern_match(patterns[i], str_of(patterns[i])));
            assert_false(pattern_match(patterns[i], STR("y")));
        }
    }
}

static int forget(void **state)
{
    (void)state;
    pattern_free_all();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(matches_are_bounded, forget),
                                       cmocka_unit_test_teardown(slots_are_bounded, forget)};
    return RUN(tests);
}
