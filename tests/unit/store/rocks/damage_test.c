/* damage_test.c -- a directory in which one file was changed, cut or removed: it is refused, with a sentence and unchanged, or
 * everything that was acknowledged is there. Only a damaged block of a file of the engine's, which nobody looks at before it is
 * read, may be found later: then by an error, never by a key that is not there. */
#include "../store_test.h"
#include "base/codec.h"
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Fewer rounds than files that the engine would join: over a damaged one it tries that again after a second. */
enum { KEYS = 400, VALUE = 2000, ROUNDS = 3, FLIPS = 10 };

static uint64_t random_state = 4711;

static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 16) % below;
}

struct put { uint32_t number, round; };

static struct store_key key_of(uint32_t number, uint8_t bytes[4])
{
    put_u32(bytes, number);
    return (struct store_key){STORE_SPACE_FIRST, STR("c"), {(char *)bytes, 4}};
}

/* Of its number and round, so that an old value shows. */
static void make_value(uint32_t number, uint32_t round, uint8_t value[VALUE])
{
    for (size_t i = 0; i < VALUE; i += 4)
        put_u32(value + i, (number * 2654435761u) ^ (round << 20) ^ (uint32_t)i);
}

static enum err put(struct store_txn *txn, void *arg)
{
    const struct put *p = arg;
    uint8_t key[4], value[VALUE];
    make_value(p->number, p->round, value);
    store_put(txn, key_of(p->number, key), (struct str){(char *)value, VALUE});
    return ERR_OK;
}

/* Each key was written in round number % ROUNDS last; all rounds but the last were closed well, so they are in files. */
static void write_all(struct fixture *f)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            struct put p = {i, round};
            if (i % ROUNDS >= round)
                assert_int_equal(store_mutate(f->store, put, &p), ERR_OK);
        }
        if (round + 1 < ROUNDS)
            fixture_reopen(f);
    }
}

/* How many keys cannot be read; none may be missing or old. */
static unsigned read_all(struct fixture *f)
{
    unsigned damaged = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        uint8_t key[4], wanted[VALUE];
        struct str value;
        struct arena *arena = arena_new();
        enum err err = store_get(store_reader(f->store), key_of(i, key), arena, &value);
        make_value(i, i % ROUNDS, wanted);
        assert_true(err == ERR_OK || err == ERR_CORRUPT);
        assert_true(err != ERR_OK || str_eq(value, (struct str){(char *)wanted, VALUE}));
        damaged += err == ERR_CORRUPT;
        arena_free(arena);
    }
    return damaged;
}

enum damage { FLIP, CUT_END, CUT_HALF, EMPTY, REMOVE, DAMAGES };

static void do_damage(const char *path, enum damage how)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    if (how == REMOVE) {
        assert_int_equal(unlink(path), 0);
    } else if (how != FLIP) {
        off_t size = how == CUT_END ? st.st_size - 1 : how == CUT_HALF ? st.st_size / 2 : 0;
        assert_int_equal(truncate(path, size), 0);
    } else {
        int fd = open(path, O_RDWR);
        off_t at = (off_t)draw((uint64_t)st.st_size);
        uint8_t byte;
        assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
        byte ^= (uint8_t)(1u << draw(8));
        assert_true(pwrite(fd, &byte, 1, at) == 1);
        close(fd);
    }
}

static void copy_tree(struct fixture *f, const char *from, const char *to)
{
    assert_int_equal(system(arena_printf(f->arena, "cp -a %s %s", from, to).p), 0);
}

/* What the directory holds, the lock and files without a byte aside: the engine makes its log of events when it only looks. */
static struct str contents(const struct fixture *f)
{
    struct arena *arena = f->arena;
    const char *sums = arena_printf(arena, "%s.sum", f->dir).p;
    const char *command =
        arena_printf(arena, "find %s -type f -size +0 ! -name lock | sort | xargs -r sha256sum > %s", f->dir, sums).p;
    assert_int_equal(system(command), 0);
    struct str text = files_read(sums, arena);
    assert_int_equal(unlink(sums), 0);
    return text;
}

/* A refused directory is mended: what it has then is of the values that were written, and new ones stay. */
static void mend(struct fixture *copy)
{
    struct store_options options = {.dir = copy->dir};
    struct store_findings found;
    assert_int_equal(store_check(&options, copy->arena, &found), ERR_CORRUPT);
    enum err repaired = store_repair(&options, copy->arena, &found);
    for (size_t i = 0; i < found.count && repaired != ERR_OK; i++)
        print_message("%s: " STR_FMT "\n", found.items[i].what, STR_ARG(found.items[i].detail));
    assert_int_equal(repaired, ERR_OK);
    assert_int_equal(fixture_open(copy), ERR_OK);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint8_t key[4], wanted[VALUE];
        struct str value;
        enum err err = store_get(store_reader(copy->store), key_of(i, key), copy->arena, &value);
        bool written = err == ERR_NOT_FOUND || err == ERR_CORRUPT;
        for (uint32_t round = 0; round < ROUNDS && err == ERR_OK && !written; round++) {
            make_value(i, round, wanted);
            written = str_eq(value, (struct str){(char *)wanted, VALUE});
        }
        assert_true(written);
    }
    struct put p = {KEYS, 0};
    assert_int_equal(store_mutate(copy->store, put, &p), ERR_OK);
    fixture_reopen(copy);
    store_close(copy->store);
    assert_int_equal(store_check(&options, copy->arena, &found), ERR_OK);
}

/* One way to damage one file of a copy of `image`. */
static void try_damage(struct fixture *f, const char *image, const char *name, enum damage how)
{
    struct fixture copy = {.arena = f->arena};
    snprintf(copy.dir, sizeof copy.dir, "%.50s.try", f->dir);
    copy_tree(f, image, copy.dir);
    do_damage(arena_printf(f->arena, "%s/%s", copy.dir, name).p, how);
    struct str before = contents(&copy);
    enum err err = fixture_open(&copy);
    if (err == ERR_OK) {
        unsigned damaged = read_all(&copy);
        assert_true(damaged == 0 || str_ends(str_of(name), STR(".sst")));
        store_close(copy.store);
        struct store_findings found;
        struct store_options options = {.dir = copy.dir};
        err = store_check(&options, f->arena, &found); /* reads old values too */
        assert_true(err == ERR_CORRUPT ? str_ends(str_of(name), STR(".sst")) : err == ERR_OK && damaged == 0);
        if (err == ERR_CORRUPT)
            mend(&copy);
    } else {
        assert_true(err == ERR_CORRUPT || err == ERR_IO);
        assert_true(copy.message.n > 0);
        assert_true(str_eq(contents(&copy), before)); /* refusing has changed nothing */
        assert_int_equal(fixture_open(&copy), err);
        mend(&copy);
    }
    files_remove_tree(copy.dir);
}

static void damage_file(struct fixture *f, const char *image, const char *name)
{
    struct stat st;
    assert_int_equal(stat(arena_printf(f->arena, "%s/%s", image, name).p, &st), 0);
    for (unsigned i = 0; i < FLIPS && st.st_size; i++)
        try_damage(f, image, name, FLIP);
    for (enum damage how = CUT_END; how < DAMAGES; how++)
        if (st.st_size || how == REMOVE)
            try_damage(f, image, name, how);
}

static void damage_each(struct fixture *f, const char *image)
{
    static const char *const folders[] = {"", "db/"};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        DIR *dir = opendir(arena_printf(f->arena, "%s/%s", image, folders[i]).p);
        assert_non_null(dir);
        for (struct dirent *entry; (entry = readdir(dir)); ) {
            const char *name = arena_printf(f->arena, "%s%s", folders[i], entry->d_name).p;
            if (entry->d_type == DT_REG)
                damage_file(f, image, name);
        }
        closedir(dir);
    }
}

static const char *image_of(struct fixture *f)
{
    const char *image = arena_printf(f->arena, "%s.image", f->dir).p;
    copy_tree(f, f->dir, image);
    return image;
}

/* The directory as it lies there after a kill: the log has what the files do not have yet. */
static void test_after_a_kill(void **state)
{
    struct fixture *f = *state;
    write_all(f);
    const char *image = image_of(f);
    damage_each(f, image);
    files_remove_tree(image);
}

static void test_after_a_stop(void **state)
{
    struct fixture *f = *state;
    write_all(f);
    fixture_reopen(f);
    store_close(f->store);
    f->store = NULL;
    const char *image = image_of(f);
    damage_each(f, image);
    files_remove_tree(image);
}

static void append_to_logs(struct fixture *f, const char *db, struct str bytes)
{
    DIR *dir = opendir(db);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)); ) {
        if (!str_ends(str_of(entry->d_name), STR(".log")))
            continue;
        int fd = open(arena_printf(f->arena, "%s/%s", db, entry->d_name).p, O_WRONLY | O_APPEND);
        assert_true(fd >= 0 && write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n);
        close(fd);
    }
    closedir(dir);
}

/* What was torn off was never acknowledged. */
static void test_torn_tail(void **state)
{
    static const struct str tails[] = {STR("\x12\x34\x56\x78\x40\x00\x01 says that it is longer"), STR("\x01"),
                                       STR("\x12\x34\x56\x78\x02\x00\x01!?")};
    struct fixture *f = *state, copy = {.arena = f->arena};
    write_all(f);
    snprintf(copy.dir, sizeof copy.dir, "%.50s.try", f->dir);
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        copy_tree(f, f->dir, copy.dir);
        append_to_logs(f, arena_printf(f->arena, "%s/db", copy.dir).p, tails[i]);
        assert_int_equal(fixture_open(&copy), ERR_OK);
        assert_int_equal(read_all(&copy), 0);
        store_close(copy.store);
        files_remove_tree(copy.dir);
    }
}

/* ---- more than one log ---- */

/* The logs that hold something, oldest first; how many. */
static size_t logs_of(const struct fixture *f, glob_t *found)
{
    size_t count = 0;
    struct stat st;
    if (glob(arena_printf(f->arena, "%s/db/*.log", f->dir).p, 0, NULL, found) != 0)
        return 0;
    for (size_t i = 0; i < found->gl_pathc; i++) {
        char *path = found->gl_pathv[i];
        if (stat(path, &st) != 0 || st.st_size == 0)
            continue;
        found->gl_pathv[i] = found->gl_pathv[count];
        found->gl_pathv[count++] = path;
    }
    return count;
}

/* Writes until a second log is begun, and is killed then: the first is not in a file yet, or just has become one. */
static _Noreturn void write_two_logs(struct fixture *f, uint32_t *ret_written)
{
    assert_int_equal(fixture_open(f), ERR_OK);
    for (uint32_t i = 0;; i++) {
        struct put p = {i, 0};
        glob_t found;
        assert_int_equal(store_mutate(f->store, put, &p), ERR_OK);
        *ret_written = i + 1;
        if (logs_of(f, &found) > 1)
            raise(SIGKILL);
        globfree(&found);
    }
}

static bool has_all(struct fixture *f, uint32_t count)
{
    struct arena *arena = arena_new();
    bool all = true;
    for (uint32_t i = 0; i < count && all; i++) {
        uint8_t key[4], wanted[VALUE];
        struct str value;
        make_value(i, 0, wanted);
        all = store_get(store_reader(f->store), key_of(i, key), arena, &value) == ERR_OK &&
              str_eq(value, (struct str){(char *)wanted, VALUE});
        arena_reset(arena);
    }
    arena_free(arena);
    return all;
}

static void test_older_logs(void **state)
{
    struct fixture *f = *state, image = {.arena = f->arena}, copy = {.arena = f->arena};
    uint32_t *written = mmap(NULL, sizeof *written, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(image.dir, sizeof image.dir, "%.50s.image", f->dir);
    snprintf(copy.dir, sizeof copy.dir, "%.50s.try", f->dir);
    pid_t child = fork();
    if (child == 0)
        write_two_logs(&image, written);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (enum damage how = FLIP; how <= DAMAGES; how++) { /* DAMAGES: none */
        glob_t logs;
        copy_tree(f, image.dir, copy.dir);
        if (logs_of(&copy, &logs) > 1 && how < DAMAGES)
            do_damage(logs.gl_pathv[0], how);
        globfree(&logs);
        struct str before = contents(&copy);
        enum err err = fixture_open(&copy);
        assert_true(err == ERR_CORRUPT || err == ERR_OK);
        if (err == ERR_OK) {
            assert_true(has_all(&copy, *written));
            store_close(copy.store);
        } else {
            assert_int_not_equal(how, DAMAGES);
            assert_true(str_eq(contents(&copy), before));
        }
        files_remove_tree(copy.dir);
    }
    files_remove_tree(image.dir);
    munmap(written, sizeof *written);
}

/* In memory: what is tried are some hundred openings, and the disk's syncs are not what is tested. */
static int folder_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/dev/shm/cloudless-damage-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->arena = arena_new();
    *state = f;
    return 0;
}

static int memory_setup(void **state)
{
    folder_setup(state);
    assert_int_equal(fixture_open(*state), ERR_OK);
    return 0;
}

/* A directory that was made, and never written to: by a start that was ended at once. */
static void test_nothing_was_written(void **state)
{
    struct fixture *f = *state, empty = {.arena = f->arena};
    struct store_findings found;
    snprintf(empty.dir, sizeof empty.dir, "%.50s.try", f->dir);
    struct store_options options = {.dir = empty.dir};
    assert_int_equal(store_check(&options, f->arena, &found), ERR_NOT_FOUND);
    assert_int_equal(mkdir(empty.dir, 0700), 0);
    assert_int_equal(store_check(&options, f->arena, &found), ERR_OK);
    assert_int_equal(rmdir(empty.dir), 0);      /* nothing was left in it */
}

/* What a repair keeps is what was there, not what is written afterwards. */
static void test_what_was_there_is_kept(void **state)
{
    struct fixture *f = *state, copy = {.arena = f->arena};
    struct store_findings found;
    write_all(f);
    snprintf(copy.dir, sizeof copy.dir, "%.50s.try", f->dir);
    copy_tree(f, f->dir, copy.dir);
    struct store_options options = {.dir = copy.dir};
    struct str before = files_read(arena_printf(f->arena, "%s/ledger", copy.dir).p, f->arena);
    append_to_logs(f, arena_printf(f->arena, "%s/db", copy.dir).p, STR("\x01"));
    do_damage(arena_printf(f->arena, "%s/db/CURRENT", copy.dir).p, REMOVE);
    mend(&copy);
    DIR *dir = opendir(copy.dir);
    const char *kept = NULL;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (str_starts(str_of(entry->d_name), STR("before-repair-")))
            kept = arena_printf(f->arena, "%s/%s/ledger", copy.dir, entry->d_name).p;
    closedir(dir);
    assert_non_null(kept);
    assert_true(str_eq(files_read(kept, f->arena), before));
    assert_int_equal(store_check(&options, f->arena, &found), ERR_OK);
    files_remove_tree(copy.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_older_logs, folder_setup,
                                        fixture_teardown), /* first: it forks before there are threads */
        cmocka_unit_test_setup_teardown(test_after_a_kill, memory_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_after_a_stop, memory_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_torn_tail, memory_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_nothing_was_written, memory_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_what_was_there_is_kept, memory_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
