/* with_arena.h -- an arena for a whole program of tests: cmocka_run_group_tests(tests, set_up, tear_down). */
#ifndef CLOUDLESS_TESTS_UNIT_WITH_ARENA_H
#define CLOUDLESS_TESTS_UNIT_WITH_ARENA_H
#include "base/arena.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}
#endif
