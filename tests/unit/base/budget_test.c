/* budget_test.c -- what is counted, for whom, and when it is too much. */
#include "unit.h"
#include "base/gzip.h"
#include "base/json.h"

#define KB ((size_t)1024)

static const struct budget_limits tight = {
    .total = 1024 * KB, .early = 512 * KB, .inside = 512 * KB, .peer = 512 * KB, .sandbox = 256 * KB, .one = 384 * KB, .small = 32 * KB};

static int set_tight(void **state)
{
    (void)state;
    budget_set_limits(&tight);
    return 0;
}

static int set_default(void **state)
{
    (void)state;
    struct budget_figures figures;
    budget_share(0);
    budget_stats(&figures);
    return figures.total || figures.early || figures.inside;      /* all was given back */
}

static struct budget_account account_of(const char *peer)
{
    return (struct budget_account){.peer = budget_peer(str_of(peer)), .counted = true};
}

static void give_back(struct budget_account *account)
{
    budget_credit(account, account->held);
}

static void test_one(void **state)
{
    (void)state;
    struct budget_account a = account_of("a");
    budget_charge(&a, 384 * KB);
    assert_int_equal(budget_state(&a, 0), ERR_OK);
    budget_charge(&a, 1);
    assert_int_equal(budget_state(&a, 0), ERR_TOO_LARGE);
    assert_int_equal(budget_take(&a, 1), ERR_TOO_LARGE);
    give_back(&a);
    assert_int_equal(budget_state(&a, 0), ERR_TOO_LARGE); /* it stays */
}

/* A client has its share; another is served; small requests have the last quarter. */
static void test_peer(void **state)
{
    (void)state;
    struct budget_account a = account_of("a"), again = account_of("a"), b = account_of("b"), small = account_of("a");
    assert_int_equal(budget_take(&a, 300 * KB), ERR_OK);
    assert_int_equal(budget_take(&again, 100 * KB), ERR_BUSY);
    assert_int_equal(budget_take(&b, 100 * KB), ERR_OK);
    assert_int_equal(budget_take(&small, 32 * KB), ERR_OK);
    assert_true(budget_room(&again));
    budget_charge(&a, 180 * KB + 1);
    assert_false(budget_room(&again));
    assert_true(budget_room(&b));
    give_back(&a);
    assert_int_equal(budget_take(&again, 100 * KB), ERR_OK);
    give_back(&again);
    give_back(&b);
    give_back(&small);
}

static void test_early(void **state)
{
    (void)state;
    struct budget_account a = account_of("a"), b = account_of("b");
    a.early = b.early = true;
    assert_int_equal(budget_take(&a, 350 * KB), ERR_OK);
    assert_int_equal(budget_take(&b, 100 * KB), ERR_BUSY);
    budget_known(&a);
    assert_int_equal(budget_take(&b, 100 * KB), ERR_OK);
    give_back(&a);
    give_back(&b);
}

static void test_inside(void **state)
{
    (void)state;
    struct budget_account box = account_of("a sandbox"), other = account_of("another"), third = account_of("a third");
    box.inside = other.inside = third.inside = true;
    assert_int_equal(budget_take(&box, 190 * KB), ERR_OK);
    assert_int_equal(budget_take(&box, 10 * KB), ERR_TOO_LARGE);
    assert_int_equal(budget_take(&other, 98 * KB), ERR_BUSY); /* half of what is left */
    assert_int_equal(budget_take(&other, 97 * KB), ERR_OK);
    assert_int_equal(budget_take(&third, 49 * KB), ERR_BUSY);
    assert_int_equal(budget_take(&third, 48 * KB), ERR_OK);
    give_back(&box);
    assert_int_equal(budget_take(&third, 95 * KB), ERR_OK); /* (384 - 97) / 2 - 48 */
    assert_int_equal(budget_take(&third, 1 * KB), ERR_BUSY);
    give_back(&other);
    give_back(&third);
}

static void test_arena(void **state)
{
    (void)state;
    struct budget_figures figures;
    struct arena *arena = arena_new(), *child;
    struct budget_account beside = {.early = true};
    arena_alloc(arena, 300 * KB);
    budget_stats(&figures);
    assert_int_equal(figures.total, 0);         /* not a request's */
    arena_reset(arena);
    arena_count(arena, budget_peer(STR("a")), false);
    arena_beside(arena, &beside);
    child = arena_under(arena);
    arena_alloc(arena, 1000);
    budget_stats(&figures);
    assert_int_equal(figures.total, 0);
    arena_alloc(arena, 200 * KB);
    arena_alloc(child, 50 * KB);
    budget_stats(&figures);
    assert_true(figures.total >= 250 * KB && figures.total < 400 * KB && figures.early == figures.total);
    assert_int_equal(arena_over(arena), ERR_OK);
    arena_known(arena);
    budget_stats(&figures);
    assert_true(figures.early < 100 * KB);      /* the child's */
    assert_false(beside.early);
    arena_alloc(arena, 400 * KB);
    assert_int_equal(arena_over(arena), ERR_TOO_LARGE);
    arena_reset(arena);
    budget_stats(&figures);
    assert_int_equal(figures.total, 0);
    arena_free(arena);
}

/* What the parser holds while it parses is counted: where there are many tokens, four bytes for each, beside the copy. */
static void test_index(void **state)
{
    (void)state;
    struct budget_figures figures;
    struct arena *own = arena_new(), *arena = arena_new();
    size_t n = 100 * KB + 1;
    char *dense = arena_alloc(own, n), *plain = arena_alloc(own, n);
    for (size_t i = 0; i < n; i++)
        dense[i] = i == 0 ? '[' : i % 2 ? '0' : ',';
    dense[n - 1] = ']';
    memset(plain, 'x', n);
    plain[0] = plain[n - 1] = '"';
    assert_int_equal(json_check((struct str){dense, n}, arena), ERR_OK); /* not a request's */
    arena_reset(arena);
    arena_count(arena, budget_peer(STR("a")), false);
    assert_int_equal(json_check((struct str){plain, n}, arena), ERR_OK);
    budget_stats(&figures);
    assert_true(figures.total >= n && figures.total < 150 * KB); /* the copy stays, the index is given back */
    arena_reset(arena);
    assert_int_equal(json_check((struct str){dense, n}, arena), ERR_TOO_LARGE);
    arena_free(arena);
    arena_free(own);
}

/* A tree is stopped while it is made, and a text of bytes that were counted by others is not begun. */
static void test_trees(void **state)
{
    (void)state;
    struct arena *own = arena_new(), *arena = arena_new();
    size_t n = 100 * KB + 1;
    struct str out;
    char *text = arena_alloc(own, n + 1);
    struct json *tree;
    for (size_t i = 0; i < n; i++)
        text[i] = i == 0 ? '[' : i % 2 ? '0' : ',';
    text[n - 1] = ']';
    assert_int_equal(json_parse((struct str){text, n}, own, &tree), ERR_OK);
    arena_count(arena, budget_peer(STR("a")), false);
    assert_int_equal(json_parse((struct str){text, n}, arena, &tree), ERR_TOO_LARGE);
    assert_true(arena_bytes(arena) < 1200 * KB);
    arena_reset(arena);
    struct budget_account hog = account_of("a");
    budget_charge(&hog, 512 * KB);
    arena_alloc(arena, 20 * KB);
    assert_int_equal(json_parse((struct str){text, n}, arena, &tree), ERR_BUSY);
    struct buf buf;
    buf_init(&buf, arena, 1000 * KB);
    while (!buf.failed)
        buf_add(&buf, (struct str){text, 1000});
    assert_true(buf.n <= 64 * KB);
    give_back(&hog);
    arena_reset(arena);
    arena_count(arena, budget_peer(STR("a")), false);
    char *squeezed = arena_zalloc(own, 18); /* says at its end how much would come out */
    squeezed[16] = 8;
    assert_int_equal(gzip_decode((struct str){squeezed, 18}, 1024 * KB, arena, &out), ERR_TOO_LARGE);
    assert_true(arena_bytes(arena) < 100 * KB);
    squeezed[16] = 0;
    arena_reset(arena);
    assert_int_equal(gzip_decode((struct str){squeezed, 18}, 1024 * KB, arena, &out), ERR_INVALID);
    arena_free(arena);
    arena_free(own);
}

/* Many short lists, none of them long enough to be asked for on its own; and a text that is small itself. */
static void test_nested_trees(void **state)
{
    (void)state;
    struct arena *own = arena_new(), *arena = arena_new();
    struct json *tree;
    struct buf text;
    buf_init(&text, own, 1024 * KB);
    for (int i = 0; i < 100 * 100; i++) {
        buf_add(&text, str_of(i == 0 ? "[[" : i % 100 ? "," : "],["));
        for (int k = 0; k < 10; k++)
            buf_add(&text, str_of(k ? ",0" : "[0"));
        buf_lit(&text, "]");
    }
    buf_lit(&text, "]]");
    assert_int_equal(json_parse(buf_str(&text), own, &tree), ERR_OK);
    arena_count(arena, budget_peer(STR("a")), false);
    assert_int_equal(json_parse(buf_str(&text), arena, &tree), ERR_TOO_LARGE);
    assert_true(arena_bytes(arena) < 1200 * KB);
    arena_reset(arena);
    arena_count(arena, budget_peer(STR("a")), false);
    buf_reset(&text);
    buf_lit(&text, "[0");
    while (text.n < 60 * KB)
        buf_lit(&text, ",0");
    buf_lit(&text, "]");
    assert_int_equal(json_parse(buf_str(&text), arena, &tree), ERR_TOO_LARGE);
    assert_true(arena_bytes(arena) < 1200 * KB);
    arena_free(arena);
    arena_free(own);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_tight, set_default)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_one),   TEST(test_peer),  TEST(test_early), TEST(test_inside),
                                       TEST(test_arena), TEST(test_index), TEST(test_trees), TEST(test_nested_trees)};
    return RUN(tests);
}
