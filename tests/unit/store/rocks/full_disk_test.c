/* full_disk_test.c -- a disk that fails: writes answer errors, reads go on, nothing acknowledged is lost, nothing refused
 * appears, and writing works again once the disk does. A full disk needs root, for a small tmpfs, and is skipped
 * otherwise: once as the store sees it beforehand, and once (`space_hidden`) as the engine runs into it. Syncs that fail
 * are made here: a program's own function goes before the C library's, also for the engine's calls. */
#include "../store_test.h"
#include "base/clock.h"
#include "base/codec.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <stdatomic.h>
#include <sys/syscall.h>

enum { DISK_MB = 64, VALUE = 100 << 10, RECOVER_SECONDS_MAX = 15 };

static atomic_bool syncs_fail, space_hidden;

int fdatasync(int fd)
{
    if (atomic_load(&syncs_fail)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

/* Free space as it is, or plenty. */
int statvfs(const char *path, struct statvfs *ret)
{
    struct statfs fs;
    if (statfs(path, &fs) != 0)
        return -1;
    *ret = (struct statvfs){.f_bsize = (unsigned long)fs.f_bsize, .f_frsize = (unsigned long)fs.f_bsize,
                            .f_blocks = fs.f_blocks, .f_bfree = fs.f_bfree, .f_bavail = fs.f_bavail};
    if (atomic_load(&space_hidden))
        ret->f_bavail = ret->f_bfree = ret->f_blocks;
    return 0;
}

static int disk_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/cloudless-full-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->arena = arena_new();
    *state = f;
    char options[32];
    snprintf(options, sizeof options, "size=%dm", DISK_MB);
    if (mount("none", f->dir, "tmpfs", 0, options) != 0) {
        print_message("skipped: no permission to mount a tmpfs\n");
        return 0;
    }
    assert_int_equal(fixture_open(f), ERR_OK);
    return 0;
}

static int disk_teardown(void **state)
{
    struct fixture *f = *state;
    arena_free(f->arena);
    if (f->store) {
        store_close(f->store);
        assert_int_equal(umount(f->dir), 0);
    }
    rmdir(f->dir);
    free(f);
    return 0;
}

struct put { uint32_t number; unsigned tries; };

static struct store_key key_of(uint32_t number, uint8_t bytes[4])
{
    put_u32(bytes, number);
    return (struct store_key){STORE_SPACE_FIRST, STR("c"), {(char *)bytes, 4}};
}

static enum err put(struct store_txn *txn, void *arg)
{
    struct put *p = arg;
    static char value[VALUE];
    uint8_t bytes[4];
    for (size_t i = 0; i < sizeof value; i += 8)        /* does not compress */
        put_u64((uint8_t *)value + i, (p->number + 1) * 0x9e3779b97f4a7c15u + i * i * 0x2545f4914f6cdd1du);
    store_put(txn, key_of(p->number, bytes), (struct str){value, sizeof value});
    return ERR_OK;
}

static bool there(struct fixture *f, uint32_t number)
{
    struct arena *arena = arena_new();
    uint8_t bytes[4];
    struct str value;
    enum err err = store_get(store_reader(f->store), key_of(number, bytes), arena, &value);
    assert_true(err == ERR_OK || err == ERR_NOT_FOUND);
    assert_true(err != ERR_OK || value.n == VALUE);
    arena_free(arena);
    return err == ERR_OK;
}

static void fill_rest(struct fixture *f, const char *name, size_t leave)
{
    struct statfs fs;
    assert_int_equal(statfs(f->dir, &fs), 0);
    size_t available = (size_t)fs.f_bavail * (size_t)fs.f_bsize;
    int fd = open(arena_printf(f->arena, "%s/%s", f->dir, name).p, O_WRONLY | O_CREAT, 0600);
    if (available > leave)
        assert_int_equal(posix_fallocate(fd, 0, (off_t)(available - leave)), 0);
    close(fd);
}

/* Puts until the disk is full; returns how many were acknowledged. */
static uint32_t fill_up(struct fixture *f)
{
    uint32_t good = 0;
    for (; good < 20; good++) {
        struct put p = {.number = good};
        assert_int_equal(store_mutate(f->store, put, &p), ERR_OK);
    }
    fill_rest(f, "ballast", 1 << 20);
    enum err err = ERR_OK;
    for (; good < 1000 && err == ERR_OK; good += err == ERR_OK) {
        struct put p = {.number = good};
        err = store_mutate(f->store, put, &p);
    }
    assert_int_equal(err, ERR_IO);
    return good;
}

static void all_there(struct fixture *f, uint32_t good)
{
    for (uint32_t i = 0; i < good; i++)
        assert_true(there(f, i));
    for (uint32_t i = 0; i < 20; i++)
        assert_false(there(f, good + i));
}

/* Tries until a write works. */
static void recovers(struct fixture *f, struct put p)
{
    uint64_t since = clock_mono_ns();
    enum err err;
    while ((err = store_mutate(f->store, put, &p)) != ERR_OK &&
           clock_mono_ns() - since < RECOVER_SECONDS_MAX * 1000000000ull)
        usleep(20000);
    assert_int_equal(err, ERR_OK);
}

static void fill_and_recover(struct fixture *f, bool hidden)
{
    if (!f->store)
        skip();
    atomic_store(&space_hidden, hidden);
    uint32_t good = fill_up(f);
    for (unsigned i = 0; i < 20; i++) {
        struct put p = {.number = good + i};
        assert_int_equal(store_mutate(f->store, put, &p), ERR_IO);
        usleep(hidden ? 50000 : 0);         /* time for it to try again */
    }
    all_there(f, good);
    struct str words;
    assert_false(store_writable(f->store, f->arena, &words));
    assert_true(words.n > 0);
    unlink(arena_printf(f->arena, "%s/ballast", f->dir).p);
    recovers(f, (struct put){.number = 5000});
    assert_true(store_writable(f->store, f->arena, &words));
    all_there(f, good);
    fixture_reopen(f);
    assert_true(there(f, 5000));
    all_there(f, good);
    atomic_store(&space_hidden, false);
}

static void test_full_disk(void **state)
{
    fill_and_recover(*state, false);
}

static void test_full_disk_unseen(void **state)
{
    fill_and_recover(*state, true);
}

/* A stop while the disk is full; a start then can read, says what is wrong, and writes once there is space. */
static void test_stop_while_full(void **state)
{
    struct fixture *f = *state;
    if (!f->store)
        skip();
    atomic_store(&space_hidden, true);
    uint32_t good = fill_up(f);
    store_close(f->store);
    f->store = NULL;
    fill_rest(f, "more-ballast", 0);
    struct str words;
    assert_int_equal(fixture_open(f), ERR_OK);
    assert_non_null(strstr(arena_cstr(f->arena, f->message), "No space left on device"));
    assert_false(store_writable(f->store, f->arena, &words));
    all_there(f, good);
    struct put p = {.number = 4999};
    assert_int_equal(store_mutate(f->store, put, &p), ERR_IO);
    store_close(f->store);
    unlink(arena_printf(f->arena, "%s/ballast", f->dir).p);
    unlink(arena_printf(f->arena, "%s/more-ballast", f->dir).p);
    assert_int_equal(fixture_open(f), ERR_OK);
    all_there(f, good);
    atomic_store(&space_hidden, false);
    recovers(f, (struct put){.number = 5000});
}

static void sync_checks(struct fixture *f)
{
    for (uint32_t i = 0; i < 5; i++)
        assert_true(there(f, i));
    for (uint32_t i = 5; i < 8; i++)
        assert_false(there(f, i));
}

static void test_failed_sync(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 0; round < 3; round++) {      /* goes on, restarts, restarts while it fails */
        for (uint32_t i = 0; i < 5; i++) {
            struct put p = {.number = i};
            assert_int_equal(store_mutate(f->store, put, &p), ERR_OK);
        }
        /* An open iterator keeps what it reads. */
        const struct store_range all = {.space = STORE_SPACE_FIRST, .collection = STR("c")};
        struct store_iter *iter = store_range(store_reader(f->store), &all, f->arena);
        struct store_key key;
        struct str value;
        atomic_store(&syncs_fail, true);
        for (uint32_t i = 5; i < 8; i++) {
            struct put p = {.number = i};
            assert_int_equal(store_mutate(f->store, put, &p), ERR_IO);
            assert_int_equal(store_next(iter, &key, &value), ERR_OK);
            assert_int_equal(value.n, VALUE);
            usleep(60000);
        }
        store_iter_close(iter);
        sync_checks(f);
        if (round == 2)
            store_close(f->store);
        atomic_store(&syncs_fail, false);
        if (round == 1)
            fixture_reopen(f);
        if (round == 2)
            assert_int_equal(fixture_open(f), ERR_OK);
        sync_checks(f);
        recovers(f, (struct put){.number = 8 + round});
        sync_checks(f);
        fixture_reopen(f);
        sync_checks(f);
        assert_true(there(f, 8 + round));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_failed_sync, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, disk_setup, disk_teardown),
        cmocka_unit_test_setup_teardown(test_full_disk_unseen, disk_setup, disk_teardown),
        cmocka_unit_test_setup_teardown(test_stop_while_full, disk_setup, disk_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
