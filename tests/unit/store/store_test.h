/* store_test.h -- what the store's tests share: a fresh directory, and a store opened in it. */
#ifndef CLOUDLESS_STORE_TEST_H
#define CLOUDLESS_STORE_TEST_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "../base/files.h"
#include "base/arena.h"
#include "base/panic.h"
#include "store/store.h"

/* The engine is not built with ThreadSanitizer: its own synchronisation is invisible. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librocksdb.so\n";
}

struct fixture { char dir[64]; struct arena *arena; struct store *store; struct str message; };

static inline enum err fixture_open(struct fixture *f)
{
    struct store_options options = {.dir = f->dir, .cache_bytes = 4 << 20, .row_cache_bytes = 1 << 20};
    return store_open(&options, f->arena, &f->store, &f->message);
}

static inline void fixture_reopen(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(fixture_open(f), ERR_OK);
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/cloudless-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->arena = arena_new();
    assert_int_equal(fixture_open(f), ERR_OK);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    arena_free(f->arena);
    store_close(f->store);
    files_remove_tree(f->dir);
    free(f);
    return 0;
}
#endif
