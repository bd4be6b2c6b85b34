/* table_test.c -- the service twice in one process, over two stores: each finds, counts and forgets its own tables. */
#include "call/service.h"
#include "services/dynamodb/dynamodb.h"
#include "services/dynamodb/item.h"
#include "services/dynamodb/table.h"
#include "services/dynamodb/table_counts.h"
#include "base/panic.h"
#include "store/doc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../base/files.h"

#define NOW_MS 1000000

struct side {
    char dir[64];
    struct arena *arena;
    struct store *store;
    struct platform platform;
    void *state;
    const char *hash;                   /* the key of its table "t" */
    size_t items;                       /* that it has */
};

static struct call call_of(const struct side *side)
{
    return (struct call){
        .arena = side->arena, .service_state = side->state, .account = STR("000000000000"), .region = STR("us-east-1")};
}

static enum err put_table(struct store_txn *txn, void *arg)
{
    const struct side *side = arg;
    struct call call = call_of(side);
    struct json *document;
    struct str text = arena_printf(side->arena,
                                   "{\"Description\":{\"TableArn\":\"arn:%s\",\"KeySchema\":[{\"AttributeName\":\"%s\",\"KeyType\":"
                                   "\"HASH\"}],\"AttributeDefinitions\":[{\"AttributeName\":\"%s\",\"AttributeType\":\"S\"}]},"
                                   "\"Space\":\"70\"}",
                                   side->hash, side->hash, side->hash);
    ENSURE(json_parse(text, side->arena, &document) == ERR_OK);
    doc_put(txn, table_key(&call, STR("t")), document, side->arena);
    for (size_t i = 0; i < side->items; i++) {
        struct str number = arena_printf(side->arena, "%zu", i);
        struct value *item = NULL;
        struct str message;
        bool serialization;
        struct json *json;
        ENSURE(json_parse(arena_printf(side->arena, "{\"%s\":{\"S\":\"%zu\"}}", side->hash, i), side->arena, &json) == ERR_OK);
        ENSURE((item = item_from_json(json, side->arena, &message, &serialization)));
        store_put(txn, (struct store_key){70, number, STR("i")}, item_encode(item, side->arena));
    }
    return ERR_OK;
}

static void open_side(struct side *side, const char *hash, size_t items)
{
    struct str message;
    *side = (struct side){.dir = "/tmp/cloudless-tables-XXXXXX", .arena = arena_new(), .hash = hash, .items = items};
    assert_non_null(mkdtemp(side->dir));
    assert_int_equal(store_open(&(struct store_options){.dir = side->dir}, side->arena, &side->store, &message), ERR_OK);
    side->platform = (struct platform){.store = side->store};
    assert_int_equal(dynamodb_service.open(&side->platform, &side->state), ERR_OK);
    assert_int_equal(store_mutate(side->store, put_table, side), ERR_OK);
}

static void close_side(struct side *side)
{
    arena_free(side->arena);            /* its calls hold tables */
    dynamodb_service.close(side->state);
    store_close(side->store);
    files_remove_tree(side->dir);
}

static void finds_its_own(const struct side *side)
{
    struct call call = call_of(side);
    const struct table *table = NULL;
    assert_int_equal(table_find(&call, STR("t"), &table), ERR_OK);
    assert_true(str_eq(table->hash.name, str_of(side->hash)));
    assert_int_equal(table_counts_get(dynamodb_of(&call)->counts, table->space, NOW_MS).items, side->items);
}

static void test_two_over_two_stores(void **state)
{
    struct side first, second;
    (void)state;
    open_side(&first, "one", 3);
    open_side(&second, "two", 5);
    finds_its_own(&first);
    finds_its_own(&second);
    finds_its_own(&first);              /* from the cache, by now */
    close_side(&first);
    finds_its_own(&second);
    close_side(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_over_two_stores)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
