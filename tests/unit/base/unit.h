/* unit.h -- what the unit tests of base/ share: cmocka's includes in their order, a reproducible random source. */
#ifndef CLOUDLESS_TESTS_UNIT_BASE_H
#define CLOUDLESS_TESTS_UNIT_BASE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"

#define RUN(tests) cmocka_run_group_tests((tests), NULL, NULL)
#define assert_str(actual, expected) assert_str_at((actual), (expected), __FILE__, __LINE__)

static inline void assert_str_at(struct str actual, const char *expected, const char *file, int line)
{
    if (str_eq(actual, str_of(expected))) return;
    print_error("\"" STR_FMT "\" is not \"%s\"\n", STR_ARG(actual), expected);
    _fail(file, line);
}

/* SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): the same run every time. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline unsigned random_below(uint64_t *state, unsigned bound)
{
    return (unsigned)(random_next(state) % bound);
}
#endif
