/* listing_test.c -- pages of documents by name: each stands on exactly one page, whatever the pages' length; tokens of other lists
 * are refused. listing_take is tried in page_token_test.c, with the tokens. */
#include "auth/auth.h"
#include "base/panic.h"
#include "call/dispatch.h"
#include "call/listing.h"
#include "call/service.h"
#include "services/lambda/lambda.h"
#include "store/doc.h"
#include "../base/files.h"
#include "../base/unit.h"

#define KEYS 23

static char dir[] = "/tmp/cloudless-listing-XXXXXX";
static struct arena *arena;
static struct store *store;
static struct auth *auth;
static struct calls *calls;
static const struct service_binding bindings[] = {{.api = &lambda_api}, {0}};

/* A call that brings this token. */
static struct call *call_with(struct str token)
{
    struct call *call = call_new(calls, &bindings[0], arena, NULL, NULL, NULL);
    call->operation = model_operation_find(&model_lambda, STR("ListFunctions"));
    call->input = json_new(arena, JSON_OBJECT);
    if (token.n)
        json_add_str(arena, call->input, "Marker", token);
    return call;
}

static struct str key_at(size_t i)
{
    return arena_printf(arena, "name-%02zu", i);
}

static enum err put_documents(struct store_txn *txn, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < KEYS; i++)
        doc_put(txn, (struct store_key){3, STR("list"), key_at(i)}, json_new(arena, JSON_OBJECT), arena);
    doc_put(txn, (struct store_key){3, STR("list"), STR("other")}, json_new(arena, JSON_OBJECT), arena);
    return ERR_OK;
}

static void documents_by_name(void **state)
{
    const struct store_key list = {3, STR("list"), STR("name-")};
    (void)state;
    for (size_t max = 1; max <= KEYS + 1; max++) {
        struct str token = STR_NONE;
        size_t seen = 0, pages = 0;
        do {
            struct json *rows;
            assert_int_equal(listing_docs(call_with(token), store_reader(store), list, max, "Marker", STR("s"), &rows, &token),
                             ERR_OK);
            for JSON_EACH (row, rows)
                assert_true(str_eq(json_str(row, "k"), key_at(seen++)));
            pages++;
        } while (token.n);
        assert_int_equal(seen, KEYS);
        assert_int_equal(pages, (KEYS + max - 1) / max);
    }
}

static void tokens_of_others_are_refused(void **state)
{
    const struct store_key list = {3, STR("list"), STR("name-")};
    struct json *rows = NULL;
    struct str token = STR_NONE, unset = STR("unset");
    struct listing page;
    (void)state;
    assert_int_equal(listing_docs(call_with(STR_NONE), store_reader(store), list, 2, "Marker", STR("s"), &rows, &token), ERR_OK);
    assert_int_equal(listing_docs(call_with(token), store_reader(store), list, 2, "Marker", STR("t"), &rows, &unset), ERR_INVALID);
    assert_int_equal(listing_docs(call_with(STR("made up")), store_reader(store), list, 2, "Marker", STR("s"), &rows, &unset),
                     ERR_INVALID);
    assert_true(str_eq(unset, STR("unset")));
    assert_false(listing_begin(call_with(token), &page, 2, "Marker", STR("t")));
    struct call *other = call_with(token);
    other->account = STR("999999999999");
    assert_int_equal(listing_docs(other, store_reader(store), list, 2, "Marker", STR("s"), &rows, &unset), ERR_INVALID);
}

static int open_calls(void **state)
{
    struct str message;
    (void)state;
    ENSURE(mkdtemp(dir) != NULL);
    arena = arena_new();
    ENSURE(store_open(&(struct store_options){.dir = dir}, arena, &store, &message) == ERR_OK);
    ENSURE(auth_new(store, 1, &auth) == ERR_OK);
    ENSURE(store_mutate(store, put_documents, NULL) == ERR_OK);
    const struct calls_options options = {
        .store = store, .auth = auth, .default_account = STR("000000000000"), .default_region = STR("us-east-1")};
    calls = calls_new(&options);
    return 0;
}

static int close_calls(void **state)
{
    (void)state;
    calls_free(calls);
    auth_free(auth);
    store_close(store);
    arena_free(arena);
    files_remove_tree(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_by_name),
        cmocka_unit_test(tokens_of_others_are_refused),
    };
    return cmocka_run_group_tests(tests, open_calls, close_calls);
}
