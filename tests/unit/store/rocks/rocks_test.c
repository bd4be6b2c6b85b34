/* rocks_test.c -- parts of the embedded engine by themselves: the cutting of a log, the removal of empty ones, the gate. */
#include "../store_test.h"
#include "base/codec.h"
#include "store/rocks/gate.h"
#include "store/rocks/wal.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static uint64_t random_state = 99;

static unsigned draw(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % below;
}

/* ---- logs ---- */

enum { BLOCK = 32768, HEAD = 7, RECORDS = 60 };

struct log { char *bytes; size_t n; size_t start[RECORDS]; };

static void add_fragment(struct log *log, unsigned type, const char *p, size_t n)
{
    char head[HEAD] = {0, 0, 0, 0, (char)(n & 0xff), (char)(n >> 8), (char)type};
    memcpy(log->bytes + log->n, head, HEAD);
    memcpy(log->bytes + log->n + HEAD, p, n);
    log->n += HEAD + n;
}

static void add_record(struct log *log, unsigned i, uint64_t sequence, size_t n)
{
    static char payload[4 * BLOCK];
    for (unsigned b = 0; b < 8; b++)
        payload[b] = (char)(sequence >> (8 * b));
    bool first = true;
    for (size_t at = 0; ; ) {
        size_t left = BLOCK - log->n % BLOCK;
        if (left < HEAD) {
            memset(log->bytes + log->n, 0, left);
            log->n += left;
            left = BLOCK;
        }
        if (first)
            log->start[i] = log->n;
        size_t take = n - at < left - HEAD ? n - at : left - HEAD;
        bool last = at + take == n;
        add_fragment(log, first ? last ? 1 : 2 : last ? 4 : 3, payload + at, take);
        at += take;
        first = false;
        if (last)
            return;
    }
}

static void write_log(const char *path, const struct log *log, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, log->bytes, n) == (ssize_t)n);
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
    assert_int_equal(mkdir(dir, 0700), 0);
    const char *older = arena_printf(f->arena, "%s/000009.log", dir).p, *newer = arena_printf(f->arena, "%s/000012.log", dir).p;
    struct log log = {.bytes = arena_alloc(f->arena, RECORDS * 5 * BLOCK)};
    for (unsigned round = 0; round < 60; round++) {
        log.n = 0;
        for (unsigned i = 0; i < RECORDS; i++) {
            size_t n = 12 + draw(draw(3) ? 300 : 3 * BLOCK);
            size_t left = BLOCK - log.n % BLOCK;
            if (draw(4) == 0 && left > 60)          /* so that the next number lies over a block's end */
                n = left - 2 * HEAD - draw(12);
            add_record(&log, i, 1000 + 10 * i, n);
        }
        unsigned cut = draw(RECORDS);
        write_log(newer, &log, log.n);
        write_log(older, &log, log.n);
        assert_int_equal(rocks__wal_cut(dir, 1000 + 10 * cut - 1), ERR_OK);
        assert_int_equal(size_of(newer), log.start[cut]);
        /* The older one is looked at only if nothing of the newer one may stay. */
        assert_int_equal(size_of(older), cut == 0 ? log.start[0] : log.n);

        write_log(newer, &log, log.n);
        assert_int_equal(rocks__wal_cut(dir, 1000 + 10 * RECORDS), ERR_OK);
        assert_int_equal(size_of(newer), log.n);

        size_t torn = log.start[cut] + draw(HEAD + 8);     /* a torn end stays, the engine knows it */
        torn = torn > log.n ? log.n : torn;
        write_log(newer, &log, torn);
        assert_int_equal(rocks__wal_cut(dir, 1000 + 10 * cut - 1), ERR_OK);
        assert_true(size_of(newer) <= torn && size_of(newer) >= log.start[cut]);

        for (unsigned i = 0; i < 50; i++)                   /* garbage: no crash, never longer */
            log.bytes[draw((unsigned)log.n)] = (char)draw(256);
        write_log(newer, &log, log.n);
        assert_int_equal(rocks__wal_cut(dir, 1000 + 10 * cut - 1), ERR_OK);
        assert_true(size_of(newer) <= log.n);
    }
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
