/* doc_test.c -- documents: put, get, inside and outside mutations, pages, damage. */
#include "store_test.h"
#include "store/doc.h"

static struct str collection_of(struct fixture *f)
{
    return doc_collection(f->arena, STR("000000000000"), STR("us-east-1"), "table");
}

static enum err put_many(struct store_txn *txn, void *arg)
{
    struct fixture *f = arg;
    for (int i = 0; i < 25; i++) {
        struct json *document = json_new(f->arena, JSON_OBJECT);
        json_add_i64(f->arena, document, "n", i);
        struct str key = arena_printf(f->arena, "%s-%02d", i % 2 ? "odd" : "even", i);
        doc_put(txn, (struct store_key){STORE_SPACE_DYNAMODB, collection_of(f), key}, document, f->arena);
    }
    struct json *list;
    bool more;
    ENSURE(doc_list(txn, STORE_SPACE_DYNAMODB, collection_of(f), STR("odd-"), STR_NONE, 100, f->arena, &list, &more) ==
           ERR_OK);
    ENSURE(list->count == 12 && !more);
    store_put(txn, (struct store_key){STORE_SPACE_DYNAMODB, STR("other"), STR("empty")}, STR(""));
    store_put(txn, (struct store_key){STORE_SPACE_DYNAMODB, STR("other"), STR("newer")}, STR("\2{}"));
    store_put(txn, (struct store_key){STORE_SPACE_DYNAMODB, STR("other"), STR("damaged")}, STR("\1{"));
    store_put(txn, (struct store_key){STORE_SPACE_DYNAMODB, STR("\xff\xff"), STR("\xff\xff!")}, STR("\1{}"));
    return ERR_OK;
}

static void test_pages(void **state)
{
    struct fixture *f = *state;
    assert_true(str_eq(collection_of(f), STR("000000000000/us-east-1/table")));
    assert_int_equal(store_mutate(f->store, put_many, f), ERR_OK);
    struct store_txn *reader = store_reader(f->store);
    for (size_t limit = 1; limit < 30; limit++) {
        struct str after = STR_NONE;
        size_t count = 0;
        bool more = true;
        while (more) {
            struct json *list;
            assert_int_equal(doc_list(reader, STORE_SPACE_DYNAMODB, collection_of(f), STR("even-"), after, limit, f->arena,
                                      &list, &more), ERR_OK);
            assert_true(list->count <= limit && (!more || list->count == limit));
            for JSON_EACH (row, list) {
                assert_int_equal(json_i64(json_at(row, "d"), "n", -1), (int64_t)count * 2);
                after = json_str(row, "k");
                count++;
            }
        }
        assert_int_equal(count, 13);
    }
}

static void test_get(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_mutate(f->store, put_many, f), ERR_OK);
    struct store_txn *reader = store_reader(f->store);
    struct json *document = NULL;
    struct store_key key = {STORE_SPACE_DYNAMODB, collection_of(f), STR("odd-07")};
    assert_int_equal(doc_get(reader, key, f->arena, &document), ERR_OK);
    assert_int_equal(json_i64(document, "n", -1), 7);
    key.key = STR("odd-08");
    assert_int_equal(doc_get(reader, key, f->arena, &document), ERR_NOT_FOUND);
    key = (struct store_key){STORE_SPACE_DYNAMODB, STR("other"), STR("empty")};
    assert_int_equal(doc_get(reader, key, f->arena, &document), ERR_CORRUPT);
    key.key = STR("newer");
    assert_int_equal(doc_get(reader, key, f->arena, &document), ERR_UNSUPPORTED);
    key.key = STR("damaged");
    assert_int_equal(doc_get(reader, key, f->arena, &document), ERR_CORRUPT);
    struct json *list;
    bool more;
    assert_int_equal(doc_list(reader, STORE_SPACE_DYNAMODB, STR("other"), STR_NONE, STR_NONE, 9, f->arena, &list, &more),
                     ERR_CORRUPT);
    assert_int_equal(doc_list(reader, STORE_SPACE_DYNAMODB, STR("\xff\xff"), STR("\xff\xff"), STR_NONE, 9, f->arena, &list,
                              &more), ERR_OK);
    assert_int_equal(list->count, 1);
    assert_int_equal(doc_list(reader, STORE_SPACE_DYNAMODB, STR("none"), STR_NONE, STR_NONE, 9, f->arena, &list, &more),
                     ERR_OK);
    assert_int_equal(list->count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST_ENGINES(test_pages), TEST_ENGINES(test_get)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
