/* read_once_test.c -- what one call reads twice ends the program, and says which key it was; nothing else does. */
#include "store_test.h"
#include <string.h>
#include <sys/wait.h>

static const struct store_key one = {3, {"collection", 10}, {"one", 3}}, two = {3, {"collection", 10}, {"two", 3}};

static enum err put_one(struct store_txn *txn, void *arg)
{
    struct arena *arena = arena_new();
    struct str value;
    (void)arg;
    store_put(txn, one, STR("1"));
    assert_int_equal(store_get(txn, one, arena, &value), ERR_OK);       /* a mutation may: it decides */
    assert_int_equal(store_get(txn, one, arena, &value), ERR_OK);
    arena_free(arena);
    return ERR_OK;
}

static void reads(struct fixture *f, struct arena *arena, struct store_key key)
{
    struct str value;
    enum err err = store_get(store_reader(f->store), key, arena, &value);
    assert_true(err == ERR_OK || err == ERR_NOT_FOUND);
}

static void test_reads_that_are_fine(void **state)
{
    struct fixture *f = *state;
    struct arena *first = arena_new(), *second = arena_new(), *other = arena_new();
    assert_int_equal(store_mutate(f->store, put_one, NULL), ERR_OK);
    store_watch_reads(first);
    store_watch_reads(second);
    for (int i = 0; i < 2; i++)
        reads(f, other, one);           /* nobody watches it */
    reads(f, first, one);
    reads(f, first, two);
    reads(f, second, one);
    arena_reset(first);
    reads(f, first, one);
    reads(f, first, one);               /* not watched any more */
    store_watch_reads(first);
    reads(f, first, one);
    store_watch_reads(first);           /* the next call of the same request */
    reads(f, first, one);
    arena_free(first);
    arena_free(second);
    arena_free(other);
}

/* This program again: reads twice what is there, or what is not. */
static int run_twice(const char *dir, const char *which)
{
    struct fixture f = {.arena = arena_new()};
    struct arena *arena = arena_new();
    snprintf(f.dir, sizeof f.dir, "%s", dir);
    store_read_once = true;
    ENSURE(fixture_open(&f) == ERR_OK);
    ENSURE(store_mutate(f.store, put_one, NULL) == ERR_OK);
    store_watch_reads(arena);
    for (int i = 0; i < 2; i++)
        reads(&f, arena, strcmp(which, "one") == 0 ? one : two);
    return 0;
}

static void ends_with(struct fixture *f, const char *which, const char *words)
{
    int fds[2], status;
    char text[4096];
    size_t n = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], 2);
        close(fds[0]);
        execl("/proc/self/exe", "read_once_test", f->dir, which, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    for (ssize_t got; n < sizeof text - 1 && (got = read(fds[0], text + n, sizeof text - 1 - n)) > 0; n += (size_t)got)
        ;
    text[n] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_non_null(strstr(text, words));
}

static void test_a_second_read_ends_the_program(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    f->store = NULL;
    ends_with(f, "one", "one call reads twice: space 3, collection, key one");
    ends_with(f, "two", "one call reads twice: space 3, collection, key two");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_that_are_fine, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_second_read_ends_the_program, fixture_setup, fixture_teardown),
    };
    if (argc == 3)
        return run_twice(argv[1], argv[2]);
    store_read_once = true;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
