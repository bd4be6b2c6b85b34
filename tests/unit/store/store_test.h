/* store_test.h -- what the store's tests share: a fresh directory, and a store opened in it, over each engine: tests of what
 * the store promises whatever its engine stand in a list once a row of `engines`. */
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
#include "memory_engine.h"
#include "store/store.h"

/* Fixed spaces, as services have them. */
enum { STORE_SPACE_IAM = 2, STORE_SPACE_DYNAMODB = 3, STORE_SPACE_LAMBDA = 4 };

/* The engine is not built with ThreadSanitizer: its own synchronisation is invisible. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librocksdb.so\n";
}

struct fixture { char dir[64]; const char *engine; struct arena *arena; struct store *store; struct str message; };

static inline enum err fixture_open(struct fixture *f)
{
    struct store_options options = {.dir = f->dir, .engine = f->engine, .cache_bytes = 4 << 20, .row_cache_bytes = 1 << 20};
    return store_open(&options, f->arena, &f->store, &f->message);
}

static inline void fixture_reopen(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(fixture_open(f), ERR_OK);
}

static inline int fixture_setup_engine(void **state, const char *engine)
{
    if (engine && !engine_find(engine))
        engine_add(&memory_engine_ops);
    struct fixture *f = calloc(1, sizeof *f);
    f->engine = engine;
    strcpy(f->dir, "/tmp/cloudless-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->arena = arena_new();
    assert_int_equal(fixture_open(f), ERR_OK);
    *state = f;
    return 0;
}

static inline int fixture_setup(void **state)
{
    return fixture_setup_engine(state, NULL);
}

static inline int fixture_setup_memory(void **state)
{
    return fixture_setup_engine(state, "memory");
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    arena_free(f->arena);
    store_close(f->store);
    memory_forget(f->dir);
    files_remove_tree(f->dir);
    free(f);
    return 0;
}
/* A test over both engines. */
#define TEST_ENGINES(name) {#name, name, fixture_setup, fixture_teardown, NULL}, \
                           {#name " (memory)", name, fixture_setup_memory, fixture_teardown, NULL}
#endif
