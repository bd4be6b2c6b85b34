/* call_doc_test.c -- documents are read once a call outside of mutations, and each time inside. */
#include "call/call_doc.h"
#include "../base/files.h"
#include "base/panic.h"
#include "store/doc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static char dir[] = "/tmp/call-doc-test-XXXXXX";
static struct arena *arena;
static struct store *store;

static struct store_key key_of(int i)
{
    return (struct store_key){3, STR("docs"), arena_printf(arena, "%d", i)};
}

struct put {
    int at, value;      /* value < 0: deletes */
    struct call *call;  /* reads what was there, inside */
    int64_t seen;
};

static enum err put_value(struct store_txn *txn, void *arg)
{
    struct put *put = arg;
    struct json *document = NULL;
    put->seen = put->call && call_doc_get(put->call, txn, key_of(put->at), &document) == ERR_OK ? json_i64(document, "n", 0) : -1;
    if (put->value < 0) {
        store_delete(txn, key_of(put->at));
        return ERR_OK;
    }
    document = json_new(arena, JSON_OBJECT);
    json_add_i64(arena, document, "n", put->value);
    doc_put(txn, key_of(put->at), document, arena);
    return ERR_OK;
}

static int64_t set_value(int at, int value, struct call *call)
{
    struct put put = {.at = at, .value = value, .call = call};
    assert_int_equal(store_mutate(store, put_value, &put), ERR_OK);
    return put.seen;
}

/* -1: there is none. */
static int64_t read_value(struct call *call, int at)
{
    struct json *document = NULL;
    enum err err = call_doc_get(call, store_reader(store), key_of(at), &document);
    assert_true(err == ERR_OK || err == ERR_NOT_FOUND);
    return err == ERR_OK ? json_i64(document, "n", 0) : -1;
}

static void what_was_read_stays(void **state)
{
    (void)state;
    struct call call = {.arena = arena}, other = {.arena = arena};
    set_value(1, 10, NULL);
    assert_int_equal(read_value(&call, 1), 10);
    assert_int_equal(read_value(&call, 2), -1);
    set_value(1, 11, NULL);
    set_value(2, 20, NULL);
    assert_int_equal(read_value(&call, 1), 10);
    assert_int_equal(read_value(&call, 2), -1);         /* that there was none stays too */
    assert_int_equal(read_value(&other, 1), 11);
    assert_int_equal(read_value(&other, 2), 20);
}

static void mutations_read_for_themselves(void **state)
{
    (void)state;
    struct call call = {.arena = arena};
    set_value(3, 30, NULL);
    assert_int_equal(read_value(&call, 3), 30);
    assert_int_equal(set_value(3, 31, &call), 30);
    assert_int_equal(set_value(3, 32, &call), 31);
    assert_int_equal(read_value(&call, 3), 30);
}

static void the_list_has_a_bound(void **state)
{
    (void)state;
    struct call call = {.arena = arena};
    for (int i = 0; i <= CALL_DOCS_MAX; i++) {
        set_value(100 + i, 1, NULL);
        assert_int_equal(read_value(&call, 100 + i), 1);
        set_value(100 + i, 2, NULL);
    }
    assert_int_equal(call.doc_count, CALL_DOCS_MAX);
    assert_int_equal(read_value(&call, 100), 1);
    assert_int_equal(read_value(&call, 100 + CALL_DOCS_MAX), 2);
}

static int open_docs(void **state)
{
    (void)state;
    ENSURE(mkdtemp(dir) != NULL);
    arena = arena_new();
    struct str message;
    const struct store_options options = {.dir = dir};
    ENSURE(store_open(&options, arena, &store, &message) == ERR_OK);
    return 0;
}

static int close_docs(void **state)
{
    (void)state;
    store_close(store);
    arena_free(arena);
    files_remove_tree(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_read_stays), cmocka_unit_test(mutations_read_for_themselves), cmocka_unit_test(the_list_has_a_bound)};
    return cmocka_run_group_tests(tests, open_docs, close_docs);
}
