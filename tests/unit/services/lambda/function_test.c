/* function_test.c -- functions compiled from what is stored. */
#include "../../store/store_test.h"
#include "services/lambda/function.h"
#include "services/lambda/function_doc.h"
#include "store/doc.h"

#define ACCOUNT STR("000000000000")
#define REGION STR("us-east-1")
#define NAME STR("f")

struct stored { struct fixture *f; const char *document; };

static enum err put_document(struct store_txn *txn, void *arg)
{
    struct stored *stored = arg;
    struct arena *arena = stored->f->arena;
    struct json *doc;
    assert_int_equal(json_parse(str_of(stored->document), arena, &doc), ERR_OK);
    doc_put(txn, lambda__key(arena, ACCOUNT, REGION, NAME), doc, arena);
    return ERR_OK;
}

/* What no parser of this release takes is damaged: an answer to who asks for it, not the end of the server. */
static void test_a_policy_that_is_none(void **state)
{
    static const struct { const char *document; enum err err; } cases[] = {
        {"{\"config\":{\"Timeout\":5}}", ERR_OK},
        {"{\"config\":{},\"statements\":[{\"Sid\":\"a\",\"Effect\":\"Sometimes\"}]}", ERR_CORRUPT},
        {"{}", ERR_OK},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stored stored = {f, cases[i].document};
        struct lambda__functions *functions = lambda__functions_new(f->store, 0);
        struct lambda__function *function = NULL;
        assert_int_equal(store_mutate(f->store, put_document, &stored), ERR_OK);
        assert_int_equal(lambda__functions_get(functions, ACCOUNT, REGION, NAME, &function), cases[i].err);
        lambda__function_unref(&function);
        lambda__functions_free(functions);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_policy_that_is_none, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
