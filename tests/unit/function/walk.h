/* walk.h -- what the tests of the library share: an arena for each test, JSON read, what a program that ends itself says, and the
 * walks over lack of memory: one fails the first block of memory that the library asks for, then the second, and so on, until
 * the call succeeds; the other gives it an arena with room for so many bytes and no more, a few more each time, which finds the
 * places that share a block as well. tests/map_test.py asks that each public function is called in the part of a test
 * that begins with the comment "without memory". */
#ifndef WALK_H
#define WALK_H
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
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

#define LIMIT_STEP 7

/* `step` is given an arena, says CL_OK when it came through and CL_NO_MEMORY when it did not, which the arena must say too. */
struct walk_arena {
    cl_result (*step)(cl_arena *arena, void *arg);
    void *arg;
};

static inline cl_result walk_step(const struct walk_arena *w, size_t limit)
{
    cl_arena *arena = cl_arena_new(limit);
    if (!arena)
        return CL_NO_MEMORY;
    cl_result result = w->step(arena, w->arg);
    assert_int_equal(result, cl_arena_failed(arena) ? CL_NO_MEMORY : CL_OK);
    cl_arena_free(arena);
    return result;
}

static inline cl_result walk_unlimited(void *arg)
{
    return walk_step(arg, 0);
}

/* Both walks; `bytes`: with an arena of that size it must come through. How many blocks it took. */
static inline int walk_arena(cl_result (*step)(cl_arena *arena, void *arg), void *arg, size_t bytes)
{
    struct walk_arena w = {step, arg};
    for (size_t limit = 1; limit < bytes; limit += LIMIT_STEP)
        walk_step(&w, limit);
    assert_int_equal(walk_step(&w, bytes), CL_OK);
    return walk(walk_unlimited, &w);
}

/* What the process says on stderr when it is ended by that call; fails if it is not. */
static inline const char *last_words(void (*call)(void *arg), void *arg)
{
    static char said[4096];
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        call(arg);
        _exit(0);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got = 1; got > 0 && n < sizeof said - 1; n += got > 0 ? (size_t)got : 0)
        got = read(ends[0], said + n, sizeof said - 1 - n);
    said[n] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    return said;
}

#define assert_str(s, text)                                                                                            \
    do {                                                                                                               \
        cl_str got__ = (s);                                                                                            \
        if (!cl_str_is(got__, text))                                                                                   \
            fail_msg("%s:%d: \"%.*s\" is not \"%s\"", __FILE__, __LINE__, (int)got__.n, got__.p ? got__.p : "", text); \
    } while (0)

#endif
