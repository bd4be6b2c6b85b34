/* crash_test.c -- kill -9 under concurrent writers: everything acknowledged is there, and no mutation is half there.
 *
 * A child process (this program again, so that no engine thread is forked) runs writers; each mutation of a writer
 * adds a key with the next number and a copy of the number under "last". After the answer the writer reports the number
 * through a pipe. The parent kills the child at a random moment, reads the pipe to its end, opens the store and checks:
 * "last" is at least what was reported, and exactly the keys up to "last" exist. Rounds go on in the same directory. */
#include "store_test.h"
#include "base/codec.h"
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { WRITERS = 12, ROUNDS = 10, KEEP = 500 };

struct report { uint32_t writer, number; };

static struct str collection_of(uint32_t writer, char name[16])
{
    snprintf(name, 16, "writer%u", writer);
    return str_of(name);
}

struct add { uint32_t writer, number; };

static enum err add(struct store_txn *txn, void *arg)
{
    struct add *a = arg;
    char name[16];
    struct str collection = collection_of(a->writer, name);
    uint8_t key[4], value[300] = {0};
    put_u32(key, a->number);
    put_u32(value, a->number);
    store_put(txn, (struct store_key){STORE_SPACE_FIRST, collection, {(char *)key, 4}}, (struct str){(char *)value, 300});
    store_put(txn, (struct store_key){STORE_SPACE_FIRST + 1, collection, STR("last")}, (struct str){(char *)value, 4});
    if (a->number > KEEP && a->number % 100 == 0) {     /* old ones go, as a range */
        uint8_t to[4];
        put_u32(to, a->number - KEEP);
        struct store_range old = {.space = STORE_SPACE_FIRST, .collection = collection, .to = {(char *)to, 4}};
        store_delete_range(txn, &old);
    }
    return ERR_OK;
}

static uint32_t last_of(struct store *store, uint32_t writer, struct arena *arena)
{
    char name[16];
    struct str value;
    struct store_key key = {STORE_SPACE_FIRST + 1, collection_of(writer, name), STR("last")};
    return store_get(store_reader(store), key, arena, &value) == ERR_OK ? get_u32((const uint8_t *)value.p) : 0;
}

struct writing { struct store *store; uint32_t writer; int fd; };

static void *write_on(void *arg)
{
    struct writing *w = arg;
    struct arena *arena = arena_new();
    struct add a = {w->writer, last_of(w->store, w->writer, arena)};
    for (;;) {
        a.number++;
        ENSURE(store_mutate(w->store, add, &a) == ERR_OK);
        struct report report = {a.writer, a.number};
        ENSURE(write(w->fd, &report, sizeof report) == sizeof report);
    }
}

static int child(const char *dir, int fd)
{
    struct store *store;
    struct str message;
    struct store_options options = {.dir = dir};
    ENSURE(store_open(&options, arena_new(), &store, &message) == ERR_OK);
    pthread_t thread;
    for (uint32_t i = 0; i < WRITERS; i++) {
        struct writing *w = calloc(1, sizeof *w);
        *w = (struct writing){store, i, fd};
        pthread_create(&thread, NULL, write_on, w);
    }
    pause();
    return 0;
}

static void run_and_kill(struct fixture *f, uint32_t reported[WRITERS], unsigned milliseconds)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    char fd[16];
    snprintf(fd, sizeof fd, "%d", fds[1]);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        execl("/proc/self/exe", "crash_test", "child", f->dir, fd, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    /* The reader must not let the pipe fill, so the kill comes from a second process. */
    pid_t killer = fork();
    if (killer == 0) {
        close(fds[0]);
        struct timespec wait = {0, (long)milliseconds * 1000000};
        nanosleep(&wait, NULL);
        kill(pid, SIGKILL);
        _exit(0);
    }
    struct report report;
    while (read(fds[0], &report, sizeof report) == sizeof report)
        reported[report.writer] = report.number;
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(killer, &status, 0), killer);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void check_writer(struct fixture *f, uint32_t writer, uint32_t reported)
{
    struct arena *arena = arena_new();
    uint32_t last = last_of(f->store, writer, arena);
    assert_in_range(last, reported, UINT32_MAX);
    char name[16];
    struct store_range all = {.space = STORE_SPACE_FIRST, .collection = collection_of(writer, name)};
    struct store_iter *iter = store_range(store_reader(f->store), &all, arena);
    uint32_t gone = last / 100 * 100 > KEEP ? last / 100 * 100 - KEEP : 0;
    struct store_key key;
    struct str value;
    uint32_t next = gone ? gone : 1;
    while (store_next(iter, &key, &value) == ERR_OK) {
        assert_int_equal(get_u32((const uint8_t *)key.key.p), next);
        assert_int_equal(get_u32((const uint8_t *)value.p), next);
        assert_int_equal(value.n, 300);
        next++;
    }
    assert_int_equal(next, last + 1);
    arena_free(arena);
}

static void test_kill(void **state)
{
    struct fixture *f = *state;
    uint32_t reported[WRITERS] = {0}, total = 0;
    srand((unsigned)getpid());
    for (unsigned round = 0; round < ROUNDS; round++) {
        store_close(f->store);
        f->store = NULL;
        run_and_kill(f, reported, 20 + (unsigned)rand() % 200);
        assert_int_equal(fixture_open(f), ERR_OK);
        for (uint32_t i = 0; i < WRITERS; i++)
            check_writer(f, i, reported[i]);
    }
    for (uint32_t i = 0; i < WRITERS; i++)
        total += reported[i];
    print_message("%u mutations acknowledged in %d rounds, none lost\n", total, ROUNDS);
    assert_true(total > 0);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "child") == 0)
        return child(argv[2], atoi(argv[3]));
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_kill, fixture_setup, fixture_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
