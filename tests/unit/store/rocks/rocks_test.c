/* rocks_test.c -- parts of the embedded engine by themselves: the cutting of a log, the removal of empty ones, the gate. */
#include "../store_test.h"
#include "base/codec.h"
#include "store/rocks/gate.h"
#include "store/rocks/wal.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

/* ---- logs ---- */

static void add_bytes(const char *path, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static size_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

static void test_cut(void **state)
{
    struct fixture *f = *state;
    const char *dir = arena_printf(f->arena, "%s/logs", f->dir).p;
    const char *older = arena_printf(f->arena, "%s/000009.log", dir).p, *newer = arena_printf(f->arena, "%s/000012.log", dir).p;
    const char *newest = arena_printf(f->arena, "%s/1000001.log", dir).p;
    struct wal wal = WAL_NONE;
    assert_int_equal(mkdir(dir, 0700), 0);
    rocks__wal_begin(&wal, dir);
    assert_int_equal(rocks__wal_cut(&wal), ERR_IO);     /* there is no log: nothing is known */
    add_bytes(older, 50);
    rocks__wal_begin(&wal, dir);
    add_bytes(older, 10);
    rocks__wal_note(&wal);
    add_bytes(older, 7);                                /* refused */
    assert_int_equal(rocks__wal_cut(&wal), ERR_OK);
    assert_int_equal(size_of(older), 60);
    add_bytes(newer, 30);                               /* a log was begun, and its first write refused */
    assert_int_equal(rocks__wal_cut(&wal), ERR_OK);
    assert_int_equal(size_of(older), 60);
    assert_int_equal(size_of(newer), 0);
    add_bytes(newer, 20);
    rocks__wal_note(&wal);
    add_bytes(newer, 5);
    add_bytes(newest, 40);
    assert_int_equal(rocks__wal_cut(&wal), ERR_OK);
    assert_int_equal(size_of(older), 60);
    assert_int_equal(size_of(newer), 20);
    assert_int_equal(size_of(newest), 0);
    rocks__wal_end(&wal);
}

/* ---- the gate ---- */

struct passing { struct gate gate; int *behind; atomic_bool over; };

static size_t logs_in(const char *dir)
{
    DIR *entries = opendir(dir);
    assert_non_null(entries);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(entries));)
        count += strstr(entry->d_name, ".log") != NULL;
    closedir(entries);
    return count;
}

/* A store that is opened and closed again and again, and never written to. */
static void test_empty_logs(void **state)
{
    struct fixture *f = *state;
    const char *db = arena_printf(f->arena, "%s/db", f->dir).p;
    for (unsigned i = 0; i < 5; i++) {
        fixture_reopen(f);
        assert_int_equal(logs_in(db), 1);
    }
}

static void *pass(void *arg)
{
    struct passing *p = arg;
    long sum = 0;
    while (!atomic_load(&p->over)) {
        unsigned slot = rocks__gate_enter(&p->gate);
        sum += *p->behind;
        rocks__gate_leave(&p->gate, slot);
    }
    return (void *)sum;
}

static void test_gate(void **state)
{
    (void)state;
    static struct passing p;
    rocks__gate_init(&p.gate);
    p.behind = calloc(1, sizeof *p.behind);
    pthread_t threads[4];
    for (unsigned i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, pass, &p);
    for (unsigned i = 0; i < 200; i++) {
        while (!rocks__gate_close(&p.gate, 1000))
            ;
        free(p.behind);
        p.behind = NULL;
        sched_yield();
        p.behind = calloc(1, sizeof *p.behind);
        rocks__gate_open(&p.gate);
    }
    atomic_store(&p.over, true);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    unsigned slot = rocks__gate_enter(&p.gate);
    assert_false(rocks__gate_close(&p.gate, 5));        /* somebody inside: gives up, and it is open */
    rocks__gate_leave(&p.gate, rocks__gate_enter(&p.gate));
    rocks__gate_leave(&p.gate, slot);
    assert_true(rocks__gate_close(&p.gate, 5));
    rocks__gate_open(&p.gate);
    rocks__gate_clear(&p.gate);
    free(p.behind);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {TEST(test_cut), TEST(test_empty_logs), TEST(test_gate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
