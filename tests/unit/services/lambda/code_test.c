/* code_test.c -- the cache of unpacked code: made once, kept while it is used, bounded, swept; and URLs of packages. */
#include "services/lambda/code.h"
#include "services/lambda/download.h"
#include "services/lambda/function_doc.h"
#include "services/lambda/lambda.h"
#include "services/lambda/package.h"
#include "store/doc.h"
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "zip.h"

#define FOLDER_BYTES (64 << 10)

struct world {
    char dir[64];
    struct arena *arena;
    struct store *store;
    struct blobs *blobs;
    struct loops *loops;
    struct workers *workers;
    struct platform_options options;
    struct platform platform;
    struct lambda__code *code;
    struct lambda__downloads *downloads;
};

/* Somebody who wants a package, and waits for it as no thread of the program does. */
struct wish {
    struct lambda__code_want want;
    sem_t told;
};

static void tell_wish(struct lambda__code_want *want)
{
    struct wish *wish = (struct wish *)want;
    sem_post(&wish->told);
}

/* True: it came later. */
static bool ask_for(struct world *w, struct wish *wish, struct str blob)
{
    *wish = (struct wish){.want = {.blob = blob, .loop = loops_at(w->loops, 0), .done = tell_wish}};
    sem_init(&wish->told, 0, 0);
    return !lambda__code_acquire(w->code, &wish->want);
}

/* What follows an unpacking (old folders go) has been done. */
static void settle(struct world *w)
{
    struct lane_stats stats;
    do {
        sched_yield();
        workers_stats(w->workers, LANE_UNPACK, &stats);
    } while (stats.running || stats.queued);
}

static enum err acquire(struct world *w, struct str blob, const char **ret)
{
    struct wish wish;
    if (ask_for(w, &wish, blob))
        sem_wait(&wish.told);
    settle(w);
    if (wish.want.err == ERR_OK)
        *ret = arena_cstr(w->arena, str_of(wish.want.dir));      /* it is the cache's, until the release */
    return wish.want.err;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct str message;
    strcpy(w->dir, "/tmp/cloudless-code-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->arena = arena_new();
    assert_int_equal(
        store_open(&(struct store_options){.dir = arena_printf(w->arena, "%s/store", w->dir).p}, w->arena, &w->store, &message),
        ERR_OK);
    assert_int_equal(blobs_open(w->dir, &w->blobs), ERR_OK);
    w->loops = loops_new(1);
    loops_start(w->loops);
    w->workers = workers_new(NULL);
    w->options = (struct platform_options){.cache_dir = arena_printf(w->arena, "%s/cache", w->dir).p};
    w->platform =
        (struct platform){.options = &w->options, .store = w->store, .blobs = w->blobs, .workers = w->workers, .loops = w->loops};
    w->code = lambda__code_new(&w->platform, 3 * FOLDER_BYTES);
    w->downloads = lambda__downloads_new(w->blobs, w->workers);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    workers_stop(w->workers);
    loops_stop(w->loops);
    lambda__downloads_free(w->downloads);
    lambda__code_free(w->code);
    workers_free(w->workers);
    loops_free(w->loops);
    blobs_close(w->blobs);
    store_close(w->store);
    char *command = NULL;
    assert_true(asprintf(&command, "rm -rf %s", w->dir) > 0);
    assert_int_equal(system(command), 0);
    free(command);
    arena_free(w->arena);
    free(w);
    return 0;
}

/* A zip with one file "f" of some 48 KB that begins with `first`. */
static struct str package(struct world *w, char first)
{
    struct str blob, bytes = zip_of(w->arena, "f", FOLDER_BYTES - 16384, first);
    assert_null(lambda__package_check(bytes, LAMBDA_UNZIPPED_BYTES_MAX));
    assert_int_equal(blob_put(w->blobs, bytes, w->arena, &blob), ERR_OK);
    return blob;
}

static bool is_there(struct world *w, const char *dir)
{
    return access(arena_printf(w->arena, "%s/f", dir).p, R_OK) == 0;
}

static void test_the_bound_takes_the_longest_unused(void **state)
{
    struct world *w = *state;
    struct str blob[6];
    const char *dir[6] = {NULL}, *again;
    for (int i = 0; i < 6; i++)
        blob[i] = package(w, (char)('a' + i));
    for (int i = 0; i < 3; i++)         /* three fit; the first stays in use */
        assert_int_equal(acquire(w, blob[i], &dir[i]), ERR_OK);
    lambda__code_release(w->code, blob[2]);
    lambda__code_release(w->code, blob[1]);
    assert_int_equal(acquire(w, blob[3], &dir[3]), ERR_OK);
    assert_int_equal(acquire(w, blob[4], &dir[4]), ERR_OK);
    assert_true(is_there(w, dir[0]) && is_there(w, dir[3]) && is_there(w, dir[4]));
    assert_false(is_there(w, dir[1]) || is_there(w, dir[2]));
    assert_int_equal(acquire(w, blob[5], &dir[5]), ERR_OK);
    assert_true(is_there(w, dir[0]) && is_there(w, dir[3]) && is_there(w, dir[4]) && is_there(w, dir[5]));     /* all are in use */
    assert_int_equal(acquire(w, blob[2], &again), ERR_OK);
    assert_string_equal(again, dir[2]);
    assert_true(is_there(w, again));    /* unpacked anew */
    static const int held[] = {0, 2, 3, 4, 5};
    for (size_t i = 0; i < COUNT_OF(held); i++)
        lambda__code_release(w->code, blob[held[i]]);
}

static enum err refer(struct store_txn *txn, void *arg)
{
    struct arena *arena = arena_new();
    struct json *doc = json_new(arena, JSON_OBJECT);
    struct str *blob = arg;
    json_add_str(arena, doc, "blob", *blob);
    for (int i = 0; i < 600; i++)       /* more than a step of the sweep's walk */
        doc_put(txn,
                lambda__key(arena, STR("000000000000"), i % 2 ? STR("us-east-1") : STR("eu-west-1"), arena_printf(arena, "f%d", i)),
                doc, arena);
    arena_free(arena);
    return ERR_OK;
}

static void test_the_sweep_keeps_what_is_referred_to_or_used(void **state)
{
    struct world *w = *state;
    struct str referred = package(w, '1'), used = package(w, '2'), neither = package(w, '3');
    const char *dir[3] = {NULL};
    assert_int_equal(store_mutate(w->store, refer, &referred), ERR_OK);
    assert_int_equal(acquire(w, referred, &dir[0]), ERR_OK);
    assert_int_equal(acquire(w, used, &dir[1]), ERR_OK);
    lambda__code_release(w->code, referred);
    assert_int_equal(acquire(w, neither, &dir[2]), ERR_OK);
    lambda__code_release(w->code, neither);
    lambda__code_sweep(w->code);
    assert_true(is_there(w, dir[0]) && is_there(w, dir[1]));
    assert_false(is_there(w, dir[2]));
    lambda__code_release(w->code, used);
    lambda__code_sweep(w->code);
    assert_true(is_there(w, dir[0]));
    assert_false(is_there(w, dir[1]));
    assert_int_equal(access(blob_path(w->blobs, neither, w->arena).p, F_OK), 0);    /* young packages stay */
}

static void test_what_cannot_be_unpacked_leaves_nothing(void **state)
{
    struct world *w = *state;
    struct str missing = sha256_hex(w->arena, STR("no such package")), broken;
    const char *dir = NULL;
    assert_int_equal(acquire(w, missing, &dir), ERR_NOT_FOUND);
    assert_int_equal(blob_put(w->blobs, STR("PK no zip at all"), w->arena, &broken), ERR_OK);
    assert_int_equal(acquire(w, broken, &dir), ERR_IO);
    assert_null(dir);
}

/* Many want the same package at the same time, among them some of a package that is none: each is told once. */
static void test_all_who_want_a_package_are_told(void **state)
{
    struct world *w = *state;
    struct str good = package(w, 'g'), missing = sha256_hex(w->arena, STR("no such package"));
    struct wish wishes[32];
    bool later[32];
    for (size_t i = 0; i < COUNT_OF(wishes); i++)
        later[i] = ask_for(w, &wishes[i], i % 4 == 3 ? missing : good);
    for (size_t i = 0; i < COUNT_OF(wishes); i++) {
        if (later[i])
            sem_wait(&wishes[i].told);
        assert_int_equal(wishes[i].want.err, i % 4 == 3 ? ERR_NOT_FOUND : ERR_OK);
        if (i % 4 != 3) {
            assert_true(is_there(w, wishes[i].want.dir));
            lambda__code_release(w->code, good);
        }
    }
    for (size_t i = 0; i < COUNT_OF(wishes); i++) {
        int more = -1;
        sem_getvalue(&wishes[i].told, &more);
        assert_int_equal(more, 0);
    }
}

static void test_urls_expire_and_cannot_be_altered(void **state)
{
    struct world *w = *state;
    struct str blob = sha256_hex(w->arena, STR("a package"));
    int64_t now = 1800000000000;
    struct str url = lambda__download_url(w->downloads, false, STR("localhost:4566"), blob, now, w->arena), rest = url;
    assert_true(str_starts(url, STR("http://localhost:4566" LAMBDA_CODE_PATH)));
    assert_true(
        str_starts(lambda__download_url(w->downloads, true, STR("a"), blob, now, w->arena), STR("https://a" LAMBDA_CODE_PATH)));
    rest = str_slice(rest, STR("http://localhost:4566").n, rest.n);
    struct str path = str_cut(&rest, '?');
    assert_int_equal(lambda__download_check(w->downloads, path, rest, now, w->arena), ERR_OK);
    assert_int_equal(lambda__download_check(w->downloads, path, rest, now + 600 * 1000, w->arena), ERR_OK);
    assert_int_equal(lambda__download_check(w->downloads, path, rest, now + 600 * 1000 + 1, w->arena), ERR_TIMEOUT);
    for (size_t i = 0; i < rest.n; i++) {
        struct str bad = arena_dup(w->arena, rest);
        ((char *)(uintptr_t)bad.p)[i] ^= 1;
        assert_int_equal(lambda__download_check(w->downloads, path, bad, now, w->arena), ERR_DENIED);
        assert_int_equal(lambda__download_check(w->downloads, path, str_slice(rest, 0, i), now, w->arena), ERR_DENIED);
    }
    assert_int_equal(lambda__download_check(w->downloads, arena_printf(w->arena, STR_FMT "0", STR_ARG(path)), rest, now, w->arena),
                     ERR_DENIED);
    struct lambda__downloads *other = lambda__downloads_new(w->blobs, w->workers);         /* another server's */
    assert_int_equal(lambda__download_check(other, path, rest, now, w->arena), ERR_DENIED);
    lambda__downloads_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_bound_takes_the_longest_unused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_sweep_keeps_what_is_referred_to_or_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_unpacked_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_who_want_a_package_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_urls_expire_and_cannot_be_altered, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
