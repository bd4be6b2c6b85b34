/* interpreter_test.c -- what was found is kept as long as it is there; what is missing is looked for again. */
#include "services/lambda/interpreter.h"
#include "base/panic.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[64];

static const char *in_dir(struct arena *arena, const char *name)
{
    return arena_printf(arena, "%s/%s", dir, name).p;
}

static void make_file(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    close(fd);
}

static void test_the_search_is_made_once(void **state)
{
    struct arena *arena = arena_new();
    struct lambda__interpreter found;
    struct str remedy;
    (void)state;
    strcpy(dir, "/tmp/cloudless-interpreter-XXXXXX");
    assert_non_null(mkdtemp(dir));
    const char *python = in_dir(arena, "lang/bin/python3.13"), *flags[] = {arena_printf(arena, "python3.13=%s", python).p, NULL};
    struct lambda__interpreters *all = lambda__interpreters_new(dir, flags);

    assert_int_equal(lambda__interpreter_find(all, STR("python3.13"), arena, &found, &remedy), ERR_NOT_FOUND);
    assert_true(remedy.n > 0);
    assert_int_equal(lambda__interpreter_find(all, STR("ruby3.3"), arena, &found, &remedy), ERR_UNSUPPORTED);
    mkdir(in_dir(arena, "lang"), 0755), mkdir(in_dir(arena, "lang/bin"), 0755), mkdir(in_dir(arena, "python3.13"), 0755);
    make_file(python, 0755);
    assert_int_equal(lambda__interpreter_find(all, STR("python3.13"), arena, &found, &remedy), ERR_NOT_FOUND);     /* no tree */
    make_file(in_dir(arena, "python3.13/bootstrap.py"), 0644);
    size_t before = lambda__interpreter_searches(all);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(lambda__interpreter_find(all, STR("python3.13"), arena, &found, &remedy), ERR_OK);
        assert_string_equal(found.argv[0], "/var/lang/bin/python3.13");
        assert_string_equal(found.lang_dir, in_dir(arena, "lang"));
        assert_string_equal(found.runtime_dir, in_dir(arena, "python3.13"));
    }
    assert_int_equal(lambda__interpreter_searches(all), before + 1);
    assert_int_equal(unlink(python), 0);
    assert_int_equal(lambda__interpreter_find(all, STR("python3.13"), arena, &found, &remedy), ERR_NOT_FOUND);
    make_file(python, 0755);
    assert_int_equal(lambda__interpreter_find(all, STR("python3.13"), arena, &found, &remedy), ERR_OK);
    assert_int_equal(lambda__interpreter_find(all, STR("provided.al2023"), arena, &found, &remedy), ERR_OK);
    assert_null(found.runtime_dir);
    lambda__interpreters_free(all);
    assert_int_equal(system(arena_printf(arena, "rm -rf %s", dir).p), 0);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_search_is_made_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
