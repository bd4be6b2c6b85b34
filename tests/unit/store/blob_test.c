/* blob_test.c -- blobs: content addresses, damage, what a crash leaves, sweeping, a full file system's error. */
#include "store_test.h"
#include "base/hash.h"
#include "store/blob.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct blobs *open_blobs(struct fixture *f)
{
    struct blobs *blobs = NULL;
    assert_int_equal(blobs_open(f->dir, &blobs), ERR_OK);
    return blobs;
}

static void test_put_get(void **state)
{
    struct fixture *f = *state;
    struct blobs *blobs = open_blobs(f);
    struct str name, again, bytes;
    assert_int_equal(blob_put(blobs, STR("content"), f->arena, &name), ERR_OK);
    assert_true(str_eq(name, sha256_hex(f->arena, STR("content"))));
    assert_int_equal(blob_put(blobs, STR("content"), f->arena, &again), ERR_OK);
    assert_true(str_eq(name, again));
    assert_int_equal(blob_get(blobs, name, f->arena, &bytes), ERR_OK);
    assert_true(str_eq(bytes, STR("content")));
    assert_int_equal(access(blob_path(blobs, name, f->arena).p, R_OK), 0);
    assert_int_equal(blob_put(blobs, STR_NONE, f->arena, &name), ERR_OK);
    assert_int_equal(blob_get(blobs, name, f->arena, &bytes), ERR_OK);
    assert_int_equal(bytes.n, 0);
    assert_int_equal(blob_get(blobs, STR("../lock"), f->arena, &bytes), ERR_NOT_FOUND);
    assert_int_equal(blob_get(blobs, sha256_hex(f->arena, STR("none")), f->arena, &bytes), ERR_NOT_FOUND);
    blobs_close(blobs);
}

static void test_damage(void **state)
{
    struct fixture *f = *state;
    struct blobs *blobs = open_blobs(f);
    struct str name, bytes;
    assert_int_equal(blob_put(blobs, STR("content"), f->arena, &name), ERR_OK);
    const char *path = blob_path(blobs, name, f->arena).p;
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(blob_get(blobs, name, f->arena, &bytes), ERR_CORRUPT);
    blobs_close(blobs);
}

/* A write cut off by the file size limit leaves nothing behind, not even under a temporary name. */
static void test_cut_off(void **state)
{
    struct fixture *f = *state;
    struct blobs *blobs = open_blobs(f);
    char *big = arena_zalloc(f->arena, 1 << 20);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct str name;
    enum err err = blob_put(blobs, (struct str){big, 1 << 20}, f->arena, &name);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(err, ERR_IO);
    char command[160];
    snprintf(command, sizeof command, "test -z \"$(ls -A %s/blobs)\"", f->dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(blob_put(blobs, (struct str){big, 1 << 20}, f->arena, &name), ERR_OK);
    blobs_close(blobs);
}

static void test_unfinished(void **state)
{
    struct fixture *f = *state;
    blobs_close(open_blobs(f));
    const char *path = arena_printf(f->arena, "%s/blobs/new-left", f->dir).p;
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    blobs_close(open_blobs(f));
    assert_int_not_equal(access(path, F_OK), 0);
}

static bool referred(void *arg, struct str name)
{
    return str_eq(*(struct str *)arg, name);
}

static void test_sweep(void **state)
{
    struct fixture *f = *state;
    struct blobs *blobs = open_blobs(f);
    struct str kept, old, young, bytes;
    assert_int_equal(blob_put(blobs, STR("kept"), f->arena, &kept), ERR_OK);
    assert_int_equal(blob_put(blobs, STR("old"), f->arena, &old), ERR_OK);
    assert_int_equal(blob_put(blobs, STR("young"), f->arena, &young), ERR_OK);
    struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, blob_path(blobs, kept, f->arena).p, past, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, blob_path(blobs, old, f->arena).p, past, 0), 0);
    assert_int_equal(blob_sweep(blobs, referred, &kept), ERR_OK);
    assert_int_equal(blob_get(blobs, kept, f->arena, &bytes), ERR_OK);
    assert_int_equal(blob_get(blobs, old, f->arena, &bytes), ERR_NOT_FOUND);
    assert_int_equal(blob_get(blobs, young, f->arena, &bytes), ERR_OK);
    blobs_close(blobs);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {TEST(test_put_get), TEST(test_damage), TEST(test_cut_off), TEST(test_unfinished),
                                       TEST(test_sweep)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
