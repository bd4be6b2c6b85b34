/* cgroup_test.c -- what the groups of a server are called: by which state directory it has, wherever that stands. */
#include "sandbox/sandbox_internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct sandbox__cgroups opened(const char *dir)
{
    struct sandbox__cgroups cgroups;
    char remembered[128];
    sandbox__cgroups_open(&cgroups, dir);
    sandbox__cgroups_close(&cgroups, true);
    snprintf(remembered, sizeof remembered, "%s/cgroups", dir);
    (void)unlink(remembered);
    return cgroups;
}

static void test_names(void **state)
{
    char top[] = "/tmp/cgroup_test.XXXXXX", here[64], there[64];
    (void)state;
    assert_non_null(mkdtemp(top));
    snprintf(here, sizeof here, "%s/here", top);
    snprintf(there, sizeof there, "%s/there", top);
    assert_int_equal(mkdir(here, 0700), 0);
    struct sandbox__cgroups first = opened(here), again = opened(here);
    assert_string_equal(again.name, first.name);
    assert_int_equal(rename(here, there), 0);
    struct sandbox__cgroups moved = opened(there);
    assert_string_equal(moved.name, first.name);
    assert_int_equal(mkdir(here, 0700), 0);
    struct sandbox__cgroups other = opened(here);
    assert_string_not_equal(other.name, first.name);
    assert_int_equal(rmdir(here), 0);
    assert_int_equal(rmdir(there), 0);
    assert_int_equal(rmdir(top), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
