/* walk.h -- fails the first block of memory that the library asks for, then the second, and so on, until the call succeeds. */
#ifndef WALK_H
#define WALK_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "internal.h"

#define WALK_MAX 10000

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
