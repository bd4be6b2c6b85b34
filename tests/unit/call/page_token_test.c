/* page_token_test.c -- call/page_token.h and call/listing.h: tokens are good where they were given and nowhere else; pages of any
 * size, begun anew with each token's position, show every key of a list once. */
#include "auth/auth.h"
#include "call/listing.h"
#include "call/page_token.h"
#include "../base/unit.h"
#include "../base/with_arena.h"

static const uint8_t key[AUTH_TOKEN_KEY_BYTES] = {1, 2, 3};

static void given_tokens_are_good(void **state)
{
    (void)state;
    const struct str context[] = {STR("ListUsers"), STR("000000000000"), STR_NONE};
    const struct str positions[] = {STR("name"), STR_NONE, STR("a\0b")};
    for (size_t i = 0; i < COUNT_OF(positions); i++) {
        struct str token = page_token_seal(key, context, 3, positions[i], arena), position = STR("none");
        assert_true(page_token_open(key, context, 3, token, arena, &position));
        assert_true(str_eq(position, positions[i]));
        assert_true(str_eq(token, page_token_seal(key, context, 3, positions[i], arena)));
    }
    char longest[PAGE_POSITION_BYTES_MAX];
    memset(longest, 'x', sizeof longest);
    struct str token = page_token_seal(key, context, 3, (struct str){longest, sizeof longest}, arena), position;
    assert_true(token.n <= PAGE_TOKEN_CHARS_MAX);
    assert_true(page_token_open(key, context, 3, token, arena, &position));
    assert_int_equal(position.n, sizeof longest);
}

static void others_are_refused(void **state)
{
    (void)state;
    const struct str context[] = {STR("ListUsers"), STR("a")}, other[] = {STR("ListRoles"), STR("a")},
                     shifted[] = {STR("ListUsersa"), STR_NONE};
    uint8_t other_key[AUTH_TOKEN_KEY_BYTES] = {1, 2, 4};
    struct str token = page_token_seal(key, context, 2, STR("name"), arena), position = STR("kept");
    assert_false(page_token_open(key, other, 2, token, arena, &position));
    assert_false(page_token_open(key, shifted, 2, token, arena, &position));
    assert_false(page_token_open(key, context, 1, token, arena, &position));
    assert_false(page_token_open(other_key, context, 2, token, arena, &position));
    for (size_t i = 0; i < token.n; i++) {
        struct str changed = arena_dup(arena, token);
        ((char *)changed.p)[i] = changed.p[i] == 'A' ? 'B' : 'A';
        assert_false(page_token_open(key, context, 2, changed, arena, &position));
        assert_false(page_token_open(key, context, 2, str_slice(token, 0, i), arena, &position));
    }
    char over[PAGE_TOKEN_CHARS_MAX + 4];
    memset(over, 'A', sizeof over);
    const struct str made_up[] = {STR_NONE, STR("name"), STR("AQ=="), STR("%%%"), STR("\xff\xff\xff\xff"), {over, sizeof over}};
    for (size_t i = 0; i < COUNT_OF(made_up); i++)
        assert_false(page_token_open(key, context, 2, made_up[i], arena, &position));
    assert_str(position, "kept");
}

/* Goes through the keys in pages; each begins with what a token of the one before would hold. */
static void shows_each_once(const struct str *keys, size_t count, size_t max)
{
    struct listing page = {.max = max};
    size_t shown = 0;
    for (size_t pages = 0; pages <= count; pages++) {
        size_t at = 0;
        for (; at < count && !page.truncated; at++)
            if (listing_take(&page, keys[at]))
                assert_true(str_eq(keys[at], keys[shown++]));
        if (!page.truncated)
            break;
        assert_int_equal(page.count, max);
        page = (struct listing){.max = max, .after = page.last, .twins = page.last_twins};
    }
    assert_false(page.truncated);
    assert_int_equal(shown, count);
}

static void pages_show_every_key_once(void **state)
{
    (void)state;
    struct str keys[40];
    size_t count = 0;
    char text[LISTING_KEY_BYTES + 2];
    memset(text, 'k', sizeof text);
    keys[count++] = STR("a");
    keys[count++] = STR("ab");
    for (int i = 0; i < 20; i++) {                      /* keys that a token cannot tell apart */
        text[LISTING_KEY_BYTES] = (char)('a' + i);
        keys[count++] = arena_dup(arena, (struct str){text, LISTING_KEY_BYTES + 1});
    }
    text[LISTING_KEY_BYTES - 1] = 'z';
    keys[count++] = arena_dup(arena, (struct str){text, LISTING_KEY_BYTES + 1});
    keys[count++] = STR("m");
    for (size_t max = 1; max <= count + 1; max++)
        shows_each_once(keys, count, max);
    shows_each_once(keys, 0, 1);
}

static void a_list_that_changes_goes_on(void **state)
{
    (void)state;
    struct listing page = {.max = 5, .after = STR("c"), .twins = 1};
    assert_false(listing_take(&page, STR("a")));
    assert_false(listing_take(&page, STR("b")));
    assert_true(listing_take(&page, STR("d")));         /* c is gone */
    assert_true(listing_take(&page, STR("e")));
    assert_int_equal(page.last_twins, 1);
    assert_false(page.truncated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(given_tokens_are_good), cmocka_unit_test(others_are_refused),
                                       cmocka_unit_test(pages_show_every_key_once), cmocka_unit_test(a_list_that_changes_goes_on)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
