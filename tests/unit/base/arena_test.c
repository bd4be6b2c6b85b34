/* arena_test.c -- base/arena.h: pieces do not overlap, keep their bytes, are aligned; clean-ups run in order, once.
 * In sanitizer builds the same tests walk the debug twin. */
#include "unit.h"

static void pieces_keep_their_bytes(void **state)
{
    (void)state;
    enum { PIECES = 3000 };
    struct arena *arena = arena_new();
    uint64_t random = 1;
    for (int round = 0; round < 3; round++) {
        static struct { unsigned char *p; size_t n; } pieces[PIECES];
        for (size_t i = 0; i < PIECES; i++) {
            size_t n = random_below(&random, 100) ? random_below(&random, 300) : random_below(&random, 600000);
            unsigned char *p = arena_alloc(arena, n);
            assert_int_equal((uintptr_t)p % 16, 0);
            memset(p, (int)(i & 0xFF), n);
            pieces[i].p = p;
            pieces[i].n = n;
        }
        for (size_t i = 0; i < PIECES; i++)
            for (size_t k = 0; k < pieces[i].n; k++)
                if (pieces[i].p[k] != (i & 0xFF)) fail_msg("piece %zu was overwritten", i);
        arena_reset(arena);
        assert_true(arena_bytes(arena) <= 4096 + 65536);
    }
    arena_free(arena);
}

static int order[8], ran;

static void note(void *arg)
{
    order[ran++] = *(int *)arg;
}

static void clean_ups_run_last_first(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    ran = 0;
    for (int i = 0; i < 3; i++) {
        int *arg = arena_new_of(arena, int);
        *arg = i;
        arena_on_free(arena, note, arg);
    }
    arena_reset(arena);
    assert_int_equal(ran, 3);
    assert_int_equal(order[0], 2);
    assert_int_equal(order[2], 0);
    arena_reset(arena);
    assert_int_equal(ran, 3);
    int last = 7;
    arena_on_free(arena, note, &last);
    arena_free(arena);
    assert_int_equal(ran, 4);
    arena_free(NULL);
}

static void texts(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct str s = arena_dup(arena, STR("a\0b"));
    assert_int_equal(s.n, 3);
    assert_memory_equal(s.p, "a\0b", 4);
    assert_string_equal(arena_cstr(arena, STR_NONE), "");
    assert_str(arena_printf(arena, "%d-%s", 7, "x"), "7-x");
    struct str padded = arena_printf(arena, "%1000d", 5);
    assert_int_equal(padded.n, 1000);
    assert_int_equal(padded.p[999], '5');
    assert_int_equal(padded.p[1000], '\0');
    arena_free(arena);
}

static void grows(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    char *p = arena_grow(arena, NULL, 0, 10);
    memcpy(p, "0123456789", 10);
    p = arena_grow(arena, p, 10, 2000);
    assert_memory_equal(p, "0123456789", 10);
    arena_alloc(arena, 1);
    char *moved = arena_grow(arena, p, 2000, 500000);
    assert_memory_equal(moved, "0123456789", 10);
    memset(moved, 1, 500000);
    int *zeros = arena_array(arena, int, 1000);
    for (int i = 0; i < 1000; i++) assert_int_equal(zeros[i], 0);
    arena_free(arena);
}

static void behind_a_prefix(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    assert_str(arena_behind(arena, STR("ab")), "ac");
    assert_str(arena_behind(arena, STR("a\xff\xff")), "b");
    assert_str(arena_behind(arena, STR("\xfe\xff")), "\xff");
    assert_int_equal(arena_behind(arena, STR("\xff\xff")).n, 0);
    assert_int_equal(arena_behind(arena, STR_NONE).n, 0);
    assert_str(arena_behind(arena, STR("a\x7f")), "a\x80");
    arena_free(arena);
}

static int children;

static void count_child(void *arg)
{
    (void)arg;
    children++;
}

static void a_child_goes_with_its_parent(void **state)
{
    (void)state;
    struct arena *arena = arena_new(), *child = arena_under(arena);
    arena_on_free(child, count_child, NULL);
    memset(arena_alloc(child, 100000), 1, 100000);
    arena_reset(child);
    assert_int_equal(children, 1);
    arena_on_free(child, count_child, NULL);
    arena_reset(arena);
    assert_int_equal(children, 2);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(behind_a_prefix),
                                       cmocka_unit_test(a_child_goes_with_its_parent),
                                       cmocka_unit_test(pieces_keep_their_bytes),
                                       cmocka_unit_test(clean_ups_run_last_first),
                                       cmocka_unit_test(texts),
                                       cmocka_unit_test(grows)};
    return RUN(tests);
}
