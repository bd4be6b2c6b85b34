/* walk.h -- what the tests of the library share: an arena for each test, JSON read, and the walk over failures of malloc, which
 * fails the first block of memory that the library asks for, then the second, and so on, until the call succeeds. */
#ifndef WALK_H
#define WALK_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "internal.h"
#include "cloudless/json.h"

#define WALK_MAX 10000

/* Set-up and tear-down: *state is the test's arena. */
static inline int arena_begin(void **state)
{
    *state = cl_arena_new(0);
    return *state ? 0 : -1;
}

static inline int arena_end(void **state)
{
    cl_arena_free(*state);
    return 0;
}

static inline cl_json *parsed(cl_arena *arena, const char *text)
{
    cl_json *json = NULL;
    size_t where = 0;
    cl_result result = cl_json_parse(arena, cl_str_of(text), &json, &where);
    if (result != CL_OK)
        fail_msg("%s: %s at %zu", text, cl_result_name(result), where);
    return json;
}

/* `step` makes its own arena, says CL_OK when it came through, CL_NO_MEMORY when it did not, and checks the rest itself. */
static inline int walk(cl_result (*step)(void *arg), void *arg)
{
    for (int n = 0; n < WALK_MAX; n++) {
        cl__malloc_countdown = n;
        cl_result result = step(arg);
        cl__malloc_countdown = -1;
        if (result == CL_OK)
            return n;
        assert_int_equal(result, CL_NO_MEMORY);
    }
    fail_msg("still without memory after %d blocks", WALK_MAX);
    return -1;
}

#define assert_str(s, text)                                                                                            \
    do {                                                                                                               \
        cl_str got__ = (s);                                                                                            \
        if (!cl_str_is(got__, text))                                                                                   \
            fail_msg("%s:%d: \"%.*s\" is not \"%s\"", __FILE__, __LINE__, (int)got__.n, got__.p ? got__.p : "", text); \
    } while (0)

#endif
