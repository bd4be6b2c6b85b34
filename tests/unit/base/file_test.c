/* file_test.c -- base/file.h: a write that comes in pieces through a pipe, a full file, a closed reader; folders with their
 * parents; a lock that two want. */
#include "base/file.h"
#include "files.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES = 300000 };

static void *drain(void *arg)
{
    static char piece[1000];
    size_t total = 0;
    for (ssize_t n; (n = read(*(int *)arg, piece, sizeof piece)) > 0;)
        total += (size_t)n;
    return (void *)total;
}

static void pieces(void **state)
{
    (void)state;
    static char bytes[BYTES];
    int ends[2];
    pthread_t reader;
    void *total;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pthread_create(&reader, NULL, drain, &ends[0]), 0);
    assert_true(file_write(ends[1], (struct str){bytes, BYTES}));
    close(ends[1]);
    pthread_join(reader, &total);
    assert_int_equal((size_t)total, BYTES);
    close(ends[0]);
}

static void failures(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY), ends[2];
    assert_true(file_write(full, STR_NONE));
    assert_false(file_write(full, STR("x")));
    close(full);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_false(file_write(ends[1], STR("x")));
    close(ends[1]);
}

static void folders(void **state)
{
    (void)state;
    char dir[] = "/tmp/file_testXXXXXX", path[PATH_MAX];
    struct stat info;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a//b/c", dir);
    umask(0);
    assert_true(folder_make_all(path, 0755, 0700));
    assert_true(folder_make_all(path, 0755, 0700));     /* it is there */
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%s/a", dir);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0755);
    assert_true(folder_make(path, 0700));
    snprintf(path, sizeof path, "%s/missing/b", dir);
    assert_false(folder_make(path, 0700));
    assert_int_equal(errno, ENOENT);
    snprintf(path, sizeof path, "%s/file", dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    snprintf(path, sizeof path, "%s/file/b", dir);
    assert_false(folder_make_all(path, 0755, 0700));
    assert_int_equal(errno, ENOTDIR);
    char longer[PATH_MAX + 1];
    memset(longer, 'a', PATH_MAX);
    longer[PATH_MAX] = '\0';
    assert_false(folder_make_all(longer, 0755, 0700));
    assert_int_equal(errno, ENAMETOOLONG);
    files_remove_tree(dir);
}

static void locks(void **state)
{
    (void)state;
    char dir[] = "/tmp/file_testXXXXXX", path[PATH_MAX];
    int fd = -1, second = -7;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/lock", dir);
    assert_int_equal(file_lock(path, &fd), ERR_OK);
    assert_int_equal(file_lock(path, &second), ERR_BUSY);       /* another open file, as another process has */
    assert_int_equal(second, -7);
    close(fd);
    assert_int_equal(file_lock(path, &second), ERR_OK);
    close(second);
    snprintf(path, sizeof path, "%s/missing/lock", dir);
    assert_int_equal(file_lock(path, &fd), ERR_IO);
    assert_int_equal(errno, ENOENT);
    files_remove_tree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(folders), cmocka_unit_test(locks), cmocka_unit_test(pieces),
                                       cmocka_unit_test(failures)};
    return RUN(tests);
}
