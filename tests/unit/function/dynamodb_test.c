/* dynamodb_test.c -- the client against a scripted DynamoDB: what is sent, what answers become, retries, deadlines,
 * broken connections; every call without memory. Items and expressions are in dynamodb_item_test.c. */
#include "walk.h"
#include "ddb.h"
#include "scripted_ddb.h"
#include <time.h>

#define SECRET_KEY "a-secret-that-no-message-may-have"
#define TABLE cl_str_of("todos")
#define THROTTLED                                                                                                                  \
    {                                                                                                                              \
        STEP_ANSWER, 400,                                                                                                          \
            "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException\",\"message\":\"slow\"}", NULL  \
    }
#define ANSWER(text)                                                                                                               \
    {                                                                                                                              \
        STEP_ANSWER, 200, text, NULL                                                                                               \
    }

static cl_context ctx;
static cl_dynamodb *db;

/* The library's pauses, in milliseconds: this program's nanosleep is called instead of the C library's, and sleeps too. */
#define SLEPT_MAX 512
static int64_t slept[SLEPT_MAX];
static size_t slept_n;
int nanosleep(const struct timespec *wanted, struct timespec *left);

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    if (slept_n < SLEPT_MAX)
        slept[slept_n++] = wanted->tv_sec * 1000 + wanted->tv_nsec / 1000000;
    return clock_nanosleep(CLOCK_MONOTONIC, 0, wanted, left);
}

/* A client of the script; ms: of the invocation. */
static void begin(const struct step *steps, size_t count, int64_t ms)
{
    char url[64];
    cl_str message = {0};
    script_start(steps, count);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", script.port);
    setenv("AWS_ENDPOINT_URL", url, 1);
    assert_int_equal(cl_dynamodb_open(&db, &message), CL_OK);
    ctx = (cl_context){.arena = cl_arena_new(0), .deadline_ms = cl_now_ms() + ms};
}

static void end(size_t requests)
{
    cl_dynamodb_close(db);
    cl_arena_free(ctx.arena);
    script_stop();
    assert_int_equal(script.requests_n, requests);
    for (size_t i = 0; i < script.requests_n; i++) {
        assert_true(script.requests[i].is_signed);
        assert_null(strstr(script.requests[i].authorization, SECRET_KEY));
    }
}

static cl_item *key(void)
{
    cl_item *item = cl_item_new(ctx.arena);
    cl_item_s(ctx.arena, item, "id", cl_str_of("1"));
    return item;
}

static cl_ddb_error get(cl_item **ret)
{
    return cl_ddb_get(db, &ctx, TABLE, key(), NULL, ret);
}

static void contains(const char *part)
{
    cl_str message = cl_dynamodb_message(db);
    assert_null(strstr(message.n ? message.p : "", SECRET_KEY));
    if (!message.n || !strstr(message.p, part))
        fail_msg("\"" CL_FMT "\" has no \"%s\"", CL_ARG(message), part);
}

/* ---- what is sent and what comes back ---- */

#define OLD "{\"Attributes\":{\"id\":{\"S\":\"1\"},\"n\":{\"N\":\"2\"}}}"

static void test_typed_calls(void **state)
{
    (void)state;
    static const struct step steps[] = {ANSWER("{\"Item\":{\"id\":{\"S\":\"1\"},\"title\":{\"S\":\"milk\"}}}"),
                                        ANSWER("{}"),
                                        ANSWER("{}"),
                                        ANSWER(OLD),
                                        ANSWER(OLD),
                                        ANSWER(OLD),
                                        ANSWER("{\"TableNames\":[]}")};
    begin(steps, CL__COUNT(steps), 5000);
    cl_item *item = NULL;
    assert_int_equal(get(&item), CL_DDB_OK);
    assert_str(cl_item_get_s(item, "title"), "milk");
    assert_int_equal(cl_dynamodb_message(db).n, 0);
    assert_int_equal(cl_ddb_get(db, &ctx, TABLE, key(), &(cl_ddb_options){.consistent = true, .projection = "id"}, &item),
                     CL_DDB_OK);
    assert_null(item);
    assert_int_equal(cl_ddb_put(db, &ctx, TABLE, key(), NULL, &item), CL_DDB_OK);
    assert_null(item);
    cl_expr e;
    cl_ddb_options options = {.return_values = "ALL_NEW"};
    cl_expr_init(&e, ctx.arena);
    cl_expr_set(&e, "size", cl_value_of(ctx.arena, cl_json_int(ctx.arena, 7)));
    cl_expr_remove(&e, "note");
    cl_expr_condition(&e, "id", "exists", NULL);
    int64_t n = 0;
    assert_int_equal(cl_ddb_update(db, &ctx, TABLE, key(), cl_expr_update(&e), cl_expr_options(&e, &options), &item), CL_DDB_OK);
    assert_true(cl_item_get_i(item, "n", &n));
    assert_int_equal(n, 2);
    assert_int_equal(cl_ddb_delete(db, &ctx, TABLE, key(), &(cl_ddb_options){.return_values = "ALL_OLD"}, &item), CL_DDB_OK);
    assert_str(cl_item_get_s(item, "id"), "1");
    assert_int_equal(cl_ddb_put(db, &ctx, TABLE, key(), &(cl_ddb_options){.condition = "attribute_not_exists(id)"}, NULL),
                     CL_DDB_OK);
    cl_json *answer = NULL;
    assert_int_equal(cl_ddb_call(db, &ctx, "ListTables", NULL, &answer), CL_DDB_OK);
    assert_true(cl_json_is(cl_json_get(answer, "TableNames"), CL_ARRAY));
    end(CL__COUNT(steps));
    static const char *const sent[][2] = {
        {"GetItem", "{\"TableName\":\"todos\",\"Key\":{\"id\":{\"S\":\"1\"}}}"},
        {"GetItem",
         "{\"TableName\":\"todos\",\"Key\":{\"id\":{\"S\":\"1\"}},\"ProjectionExpression\":\"id\",\"ConsistentRead\":true}"},
        {"PutItem", "{\"TableName\":\"todos\",\"Item\":{\"id\":{\"S\":\"1\"}}}"},
        {"UpdateItem", "{\"TableName\":\"todos\",\"Key\":{\"id\":{\"S\":\"1\"}},\"UpdateExpression\":\"SET #0 = :1 REMOVE "
                       "#2\",\"ConditionExpression\":"
                       "\"attribute_exists(#3)\",\"ExpressionAttributeNames\":{\"#0\":\"size\",\"#2\":\"note\",\"#3\":\"id\"},"
                       "\"ExpressionAttributeValues\":{\":1\":{\"N\":\"7\"}},\"ReturnValues\":\"ALL_NEW\"}"},
        {"DeleteItem", "{\"TableName\":\"todos\",\"Key\":{\"id\":{\"S\":\"1\"}},\"ReturnValues\":\"ALL_OLD\"}"},
        {"PutItem",
         "{\"TableName\":\"todos\",\"Item\":{\"id\":{\"S\":\"1\"}},\"ConditionExpression\":\"attribute_not_exists(id)\"}"},
        {"ListTables", "{}"}};
    for (size_t i = 0; i < CL__COUNT(sent); i++) {
        assert_string_equal(script.requests[i].operation, sent[i][0]);
        assert_string_equal(script.requests[i].body, sent[i][1]);
    }
    assert_int_equal(script.connections, 1);
}

/* An option that an operation does not have is refused, never left out. */
static void test_options_of_others(void **state)
{
    (void)state;
    static const struct step steps[] = {ANSWER("{}")};
    begin(steps, 1, 5000);
    const cl_ddb_options wrong = {.condition = "attribute_exists(id)"}, filter = {.filter = "a = b"}, values = {.values = key()};
    assert_int_equal(cl_ddb_get(db, &ctx, TABLE, key(), &wrong, NULL), CL_DDB_VALIDATION);
    contains("GetItem has no ConditionExpression");
    assert_int_equal(cl_ddb_get(db, &ctx, TABLE, key(), &values, NULL), CL_DDB_VALIDATION);
    assert_int_equal(cl_ddb_put(db, &ctx, TABLE, key(), &filter, NULL), CL_DDB_VALIDATION);
    cl_ddb_pages pages;
    cl_item *item;
    cl_ddb_scan(&pages, db, &ctx, TABLE, &(cl_ddb_options){.descending = true});
    assert_false(cl_ddb_next(&pages, &item));
    assert_int_equal(pages.error, CL_DDB_VALIDATION);
    assert_int_equal(cl_ddb_call(db, &ctx, "Get\r\nItem", NULL, NULL), CL_DDB_VALIDATION);
    assert_int_equal(cl_ddb_call(db, &ctx, "", NULL, NULL), CL_DDB_VALIDATION);
    const cl_ddb_step get_step = {.action = CL_DDB_GET, .table = TABLE, .item = key()};
    assert_int_equal(cl_ddb_transact_write(db, &ctx, &get_step, 1, NULL), CL_DDB_VALIDATION);
    assert_int_equal(cl_ddb_transact_write(db, &ctx, &get_step, 0, NULL), CL_DDB_VALIDATION);
    assert_int_equal(cl_ddb_transact_write(db, &ctx, &get_step, 101, NULL), CL_DDB_VALIDATION);
    const cl_ddb_step put = {.action = CL_DDB_PUT, .table = TABLE, .item = key(), .update = "SET a = b"},
                      nonsense = {.action = (cl_ddb_action)99};
    assert_int_equal(cl_ddb_transact_write(db, &ctx, &put, 1, NULL), CL_DDB_VALIDATION);
    assert_int_equal(cl_ddb_transact_write(db, &ctx, &nonsense, 1, NULL), CL_DDB_VALIDATION);
    assert_int_equal(cl_ddb_transact_get(db, &ctx, &put, 1, NULL), CL_DDB_VALIDATION);
    end(0);
}

static void test_pages(void **state)
{
    (void)state;
    static const struct step steps[] = {
        ANSWER("{\"Items\":[{\"id\":{\"S\":\"a\"}},{\"id\":{\"S\":\"b\"}}],\"Count\":2,\"ScannedCount\":5,\"LastEvaluatedKey\":{"
               "\"id\":{\"S\":\"b\"}}}"),
        ANSWER("{\"Items\":[],\"Count\":0,\"ScannedCount\":3,\"LastEvaluatedKey\":{\"id\":{\"S\":\"c\"}}}"),
        ANSWER("{\"Items\":[{\"id\":{\"S\":\"d\"}}],\"Count\":1,\"ScannedCount\":1}"),
        ANSWER("{\"Items\":[{\"id\":{\"S\":\"a\"}}],\"LastEvaluatedKey\":{\"id\":{\"S\":\"b\"}}}"),
        {STEP_ANSWER, 400, "{\"__type\":\"x#ResourceNotFoundException\",\"message\":\"gone\"}", NULL},
        ANSWER("{\"Items\":[7]}"),
        ANSWER("{\"Items\":{}}"),
        ANSWER("{\"Items\":[{}],\"LastEvaluatedKey\":[]}"),
        ANSWER("{}")};
    begin(steps, CL__COUNT(steps), 5000);
    cl_ddb_pages pages;
    cl_item *item = NULL;
    char ids[8] = "";
    const cl_ddb_options options = {.condition = "pk = :p", .limit = 5, .descending = true, .index = "by-date", .start = key()};
    for (cl_ddb_query(&pages, db, &ctx, TABLE, &options); cl_ddb_next(&pages, &item);)
        strncat(ids, cl_item_get_s(item, "id").p, 1);
    assert_int_equal(pages.error, CL_DDB_OK);
    assert_string_equal(ids, "abd");
    assert_int_equal(pages.scanned, 9);
    assert_null(pages.last_key);
    assert_false(cl_ddb_next(&pages, &item));
    cl_json *items = NULL;
    cl_ddb_scan(&pages, db, &ctx, TABLE, NULL);
    assert_true(cl_ddb_next_page(&pages, &items));
    assert_int_equal(items->count, 1);
    assert_str(cl_item_get_s(pages.last_key, "id"), "b");
    assert_false(cl_ddb_next_page(&pages, &items));
    assert_int_equal(pages.error, CL_DDB_TABLE_NOT_FOUND);
    assert_false(cl_ddb_next_page(&pages, &items));
    for (int i = 0; i < 4; i++) {
        cl_ddb_scan(&pages, db, &ctx, TABLE, NULL);
        assert_false(cl_ddb_next(&pages, &item));
        assert_int_equal(pages.error, CL_DDB_ANSWER);
    }
    end(CL__COUNT(steps));
    assert_string_equal(
        script.requests[0].body,
        "{\"TableName\":\"todos\",\"KeyConditionExpression\":\"pk = :p\",\"IndexName\":\"by-date\",\"ScanIndexForward\":false,"
        "\"Limit\":5,\"ExclusiveStartKey\":{\"id\":{\"S\":\"1\"}}}");
    assert_non_null(strstr(script.requests[1].body, "\"ExclusiveStartKey\":{\"id\":{\"S\":\"b\"}}}"));
    assert_non_null(strstr(script.requests[2].body, "\"ExclusiveStartKey\":{\"id\":{\"S\":\"c\"}}}"));
    assert_string_equal(script.requests[3].operation, "Scan");
    assert_string_equal(script.requests[3].body, "{\"TableName\":\"todos\"}");
}

/* Pages in an arena of their own: one page's memory at a time, and nothing lost where the invocation's own arena is short. */
#define LARGE "\"x\":{\"S\":\"%0200000d\"}"

static void test_page_arena(void **state)
{
    static const char page[] = "{\"Items\":[{\"id\":{\"S\":\"%d\"}," LARGE "}],\"Count\":1%s}",
                      last_key[] = ",\"LastEvaluatedKey\":{\"id\":{\"S\":\"%d\"}}";
    struct step steps[10];
    for (int i = 0; i < 10; i++) {
        cl_str key = i % 4 != 3 && i < 9 ? cl_printf(*state, last_key, i) : cl_str_of("");
        steps[i] = (struct step)ANSWER(cl_printf(*state, page, i, 0, key.p).p);
    }
    begin(steps, CL__COUNT(steps), 60000);
    cl_ddb_pages pages;
    cl_item *item = NULL;
    cl_json *items = NULL;
    char ids[9] = "";
    cl_ddb_options options = {.page_arena = cl_arena_new(0)};
    for (cl_ddb_scan(&pages, db, &ctx, TABLE, &options); cl_ddb_next(&pages, &item);) {
        strncat(ids, cl_item_get_s(item, "id").p, 1);
        assert_true(cl_arena_bytes(options.page_arena) < 2 * 400000 && cl_arena_bytes(ctx.arena) < 20000);
    }
    assert_int_equal(pages.error, CL_DDB_OK);
    for (cl_ddb_query(&pages, db, &ctx, TABLE, &options); cl_ddb_next_page(&pages, &items);) {
        strncat(ids, cl_item_get_s(items->first, "id").p, 1);
        cl_arena_reset(options.page_arena);
        if (pages.last_key)
            assert_true(cl_item_get_s(pages.last_key, "id").p[0] == ids[strlen(ids) - 1]);
    }
    assert_int_equal(pages.error, CL_DDB_OK);
    assert_string_equal(ids, "01234567");
    /* The invocation's own arena is never emptied. */
    const cl_ddb_options own = {.page_arena = ctx.arena};
    cl_item *mine = key();
    for (cl_ddb_scan(&pages, db, &ctx, TABLE, &own); cl_ddb_next(&pages, &item);)
        assert_str(cl_item_get_s(mine, "id"), "1");
    assert_int_equal(pages.error, CL_DDB_OK);
    assert_true(cl_arena_bytes(ctx.arena) > 2 * 400000);
    assert_int_equal(cl_ddb_get(db, &ctx, TABLE, key(), &options, NULL), CL_DDB_VALIDATION);
    contains("GetItem has no page_arena");
    cl_arena_free(options.page_arena);
    end(CL__COUNT(steps));
}

static const cl_item **numbered(size_t count)
{
    const cl_item **items = cl_alloc_array(ctx.arena, sizeof *items, count);
    for (size_t i = 0; i < count; i++) {
        cl_item *item = cl_item_new(ctx.arena);
        cl_item_i(ctx.arena, item, "n", (int64_t)i);
        items[i] = item;
    }
    return items;
}

static size_t times(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        n++;
    return n;
}

static void test_batches(void **state)
{
    (void)state;
    static const struct step steps[] = {
        ANSWER("{\"Responses\":{\"todos\":[{\"n\":{\"N\":\"0\"}}]},\"UnprocessedKeys\":{\"todos\":{\"Keys\":[{\"n\":{\"N\":\"98\"}}"
               ",{\"n\":{\"N\":\"99\"}}]}}}"),
        ANSWER("{\"Responses\":{\"todos\":[{\"n\":{\"N\":\"98\"}},{\"n\":{\"N\":\"104\"}}]},\"UnprocessedKeys\":{}}"),
        ANSWER("{\"UnprocessedItems\":{\"todos\":[{\"PutRequest\":{\"Item\":{\"n\":{\"N\":\"24\"}}}}]}}"),
        ANSWER("{\"UnprocessedItems\":{}}"),
        ANSWER("{\"UnprocessedItems\":{}}")};
    begin(steps, CL__COUNT(steps), 5000);
    cl_json *items = NULL;
    const cl_ddb_options options = {.projection = "n", .consistent = true};
    assert_int_equal(cl_ddb_batch_get(db, &ctx, TABLE, numbered(105), 105, &options, &items), CL_DDB_OK);
    assert_int_equal(items->count, 3);
    assert_int_equal(cl_ddb_batch_write(db, &ctx, TABLE, numbered(30), 30, numbered(22), 22), CL_DDB_OK);
    assert_int_equal(cl_ddb_batch_get(db, &ctx, TABLE, NULL, 0, NULL, &items), CL_DDB_OK);
    assert_int_equal(items->count, 0);
    assert_int_equal(cl_ddb_batch_write(db, &ctx, TABLE, NULL, 0, NULL, 0), CL_DDB_OK);
    end(5);
    const struct request *r = script.requests;
    assert_string_equal(r[0].operation, "BatchGetItem");
    assert_int_equal(times(r[0].body, "{\"N\":"), 100);
    assert_non_null(strstr(r[0].body, "],\"ProjectionExpression\":\"n\",\"ConsistentRead\":true}}}"));
    assert_string_equal(r[1].body, "{\"RequestItems\":{\"todos\":{\"Keys\":[{\"n\":{\"N\":\"98\"}},{\"n\":{\"N\":\"99\"}},{\"n\":{"
                                   "\"N\":\"100\"}},{\"n\":{\"N\":\"101\"}},"
                                   "{\"n\":{\"N\":\"102\"}},{\"n\":{\"N\":\"103\"}},{\"n\":{\"N\":\"104\"}}],"
                                   "\"ProjectionExpression\":\"n\",\"ConsistentRead\":true}}}");
    assert_int_equal(times(r[2].body, "PutRequest"), 25);
    assert_int_equal(times(r[3].body, "PutRequest"), 6);
    assert_int_equal(times(r[3].body, "DeleteRequest"), 19);
    assert_int_equal(times(r[4].body, "DeleteRequest"), 3);
}

/* An answer that does not say what became of each request is none. The table's name may stand for its ARN, and the other way. */
static void test_answers_of_batches(void **state)
{
    (void)state;
#define ARN "arn:aws:dynamodb:us-east-1:123456789012:table/todos"
    static const struct {
        const char *table, *answer;
        size_t found; /* 0: it is refused */
    } gets[] = {{"todos", "{\"Responses\":{\"todos\":[{}]},\"UnprocessedKeys\":{}}", 1},
                {ARN, "{\"Responses\":{\"todos\":[{}]},\"UnprocessedKeys\":{}}", 1},
                {ARN, "{\"Responses\":{\"" ARN "\":[{}]},\"UnprocessedKeys\":{}}", 1},
                {"todos", "{\"Responses\":{\"" ARN "\":[{}]},\"UnprocessedKeys\":{}}", 1},
                {"todos", "{}", 0},
                {"todos", "{\"Responses\":{\"todos\":[{}]}}", 0},
                {"todos", "{\"UnprocessedKeys\":{}}", 0},
                {"todos", "{\"Responses\":[],\"UnprocessedKeys\":{}}", 0},
                {"todos", "{\"Responses\":{\"others\":[{}]},\"UnprocessedKeys\":{}}", 0},
                {ARN, "{\"Responses\":{\"others\":[{}]},\"UnprocessedKeys\":{}}", 0},
                {"todos", "{\"Responses\":{\"todos\":[{}],\"others\":[]},\"UnprocessedKeys\":{}}", 0},
                {"todos", "{\"Responses\":{\"todos\":{}},\"UnprocessedKeys\":{}}", 0},
                {"todos", "{\"Responses\":{\"todos\":[7]},\"UnprocessedKeys\":{}}", 0},
                {"todos", "{\"Responses\":{\"todos\":[{},{}]},\"UnprocessedKeys\":{}}", 0},
                {"todos", "{\"Responses\":{},\"UnprocessedKeys\":[]}", 0},
                {"todos", "{\"Responses\":{},\"UnprocessedKeys\":{\"todos\":[{}]}}", 0},
                {"todos", "{\"Responses\":{},\"UnprocessedKeys\":{\"todos\":{}}}", 0},
                {"todos", "{\"Responses\":{},\"UnprocessedKeys\":{\"others\":{\"Keys\":[{}]}}}", 0},
                {"todos", "{\"Responses\":{},\"UnprocessedKeys\":{\"todos\":{\"Keys\":[{},{}]}}}", 0}};
    static const char *const no_writes[] = {"{}", "{\"UnprocessedItems\":[]}", "{\"UnprocessedItems\":{\"todos\":[{},{}]}}",
                                            "{\"UnprocessedItems\":{\"others\":[{}]}}", "{\"UnprocessedItems\":{\"todos\":{}}}"};
    for (size_t i = 0; i < CL__COUNT(gets); i++) {
        const struct step step = ANSWER(gets[i].answer);
        cl_json *items = NULL;
        begin(&step, 1, 60000);
        cl_ddb_error error = cl_ddb_batch_get(db, &ctx, cl_str_of(gets[i].table), numbered(1), 1, NULL, &items);
        if (error != (gets[i].found ? CL_DDB_OK : CL_DDB_ANSWER) || (items ? items->count : 0) != gets[i].found)
            fail_msg("%s: %s", gets[i].answer, cl_ddb_error_name(error));
        end(1);
    }
    for (size_t i = 0; i < CL__COUNT(no_writes); i++) {
        const struct step step = ANSWER(no_writes[i]);
        begin(&step, 1, 60000);
        assert_int_equal(cl_ddb_batch_write(db, &ctx, TABLE, numbered(1), 1, NULL, 0), CL_DDB_ANSWER);
        contains("BatchWriteItem: the answer does not say what became of the requests");
        end(1);
    }
}

#define NONE_YET ANSWER("{\"Responses\":{},\"UnprocessedKeys\":{\"todos\":{\"Keys\":[{\"n\":{\"N\":\"0\"}}]}}}")

/* Rounds without progress: as many as there is time for. */
static void test_batch_without_progress(void **state)
{
    (void)state;
    static const struct step steps[] = {NONE_YET, NONE_YET, NONE_YET, NONE_YET, NONE_YET, NONE_YET,
                                        ANSWER("{\"Responses\":{\"todos\":[{}]},\"UnprocessedKeys\":{}}")};
    cl_json *items = NULL;
    begin(steps, CL__COUNT(steps), 60000);
    assert_int_equal(cl_ddb_batch_get(db, &ctx, TABLE, numbered(1), 1, NULL, &items), CL_DDB_OK);
    assert_int_equal(items->count, 1);
    end(CL__COUNT(steps));
    begin(steps, 1, 60000);
    ctx.deadline_ms = 0;
    assert_int_equal(cl_ddb_batch_get(db, &ctx, TABLE, numbered(1), 1, NULL, NULL), CL_DDB_THROTTLED);
    contains("BatchGetItem: 1 left unprocessed after all tries");
    end(CL__DDB_TRIES_MAX);
    begin(steps, 1, 300);
    assert_int_equal(cl_ddb_batch_get(db, &ctx, TABLE, numbered(1), 1, NULL, NULL), CL_DDB_DEADLINE);
    contains("BatchGetItem");
    cl_dynamodb_close(db);
    cl_arena_free(ctx.arena);
    script_stop();
}

static void test_transactions(void **state)
{
    (void)state;
    static const struct step steps[] = {ANSWER("{}"),
                                        ANSWER("{\"Responses\":[{\"Item\":{\"id\":{\"S\":\"1\"}}},{}]}"),
                                        ANSWER("{\"Responses\":[]}"),
                                        ANSWER("{\"Responses\":[7,{}]}"),
                                        ANSWER("{\"Responses\":[{\"Item\":[]},{}]}"),
                                        {STEP_ANSWER, 400,
                                         "{\"__type\":\"x#TransactionCanceledException\",\"Message\":\"Transaction "
                                         "cancelled\",\"CancellationReasons\":[{\"Code\":\"None\"},"
                                         "{\"Code\":\"ConditionalCheckFailed\",\"Message\":\"The conditional request failed\"}]}",
                                         NULL}};
    begin(steps, CL__COUNT(steps), 5000);
    const cl_ddb_step writes[] = {
        {.action = CL_DDB_PUT, .table = TABLE, .item = key(), .options = {.condition = "attribute_not_exists(id)"}},
        {.action = CL_DDB_UPDATE, .table = TABLE, .item = key(), .update = "SET a = :a", .options = {.values = key()}},
        {.action = CL_DDB_DELETE, .table = TABLE, .item = key()},
        {.action = CL_DDB_CHECK, .table = TABLE, .item = key(), .options = {.condition = "x"}}};
    const cl_ddb_step reads[] = {{.action = CL_DDB_GET, .table = TABLE, .item = key(), .options = {.projection = "id"}},
                                 {.action = CL_DDB_GET, .table = TABLE, .item = key()}};
    assert_int_equal(cl_ddb_transact_write(db, &ctx, writes, CL__COUNT(writes), "token-1"), CL_DDB_OK);
    cl_json *items = NULL;
    assert_int_equal(cl_ddb_transact_get(db, &ctx, reads, 2, &items), CL_DDB_OK);
    assert_str(cl_item_get_s(items->first, "id"), "1");
    assert_true(cl_json_is(items->last, CL_NULL));
    for (int i = 0; i < 3; i++)
        assert_int_equal(cl_ddb_transact_get(db, &ctx, reads, 2, &items), CL_DDB_ANSWER);
    assert_int_equal(cl_ddb_transact_write(db, &ctx, writes, 3, NULL), CL_DDB_TRANSACTION_CANCELED);
    assert_str(cl_dynamodb_message(db), "TransactWriteItems: TransactionCanceledException: Transaction cancelled; step 2: "
                                        "ConditionalCheckFailed: The conditional request failed");
    end(CL__COUNT(steps));
    const struct request *r = script.requests;
    assert_string_equal(
        r[0].body, "{\"TransactItems\":[{\"Put\":{\"TableName\":\"todos\",\"Item\":{\"id\":{\"S\":\"1\"}},\"ConditionExpression\":"
                   "\"attribute_not_exists(id)\"}},"
                   "{\"Update\":{\"TableName\":\"todos\",\"Key\":{\"id\":{\"S\":\"1\"}},\"UpdateExpression\":\"SET a = :a\","
                   "\"ExpressionAttributeValues\":{\"id\":{\"S\":\"1\"}}}},{\"Delete\":{\"TableName\":\"todos\",\"Key\":{\"id\":{"
                   "\"S\":\"1\"}}}},"
                   "{\"ConditionCheck\":{\"TableName\":\"todos\",\"Key\":{\"id\":{\"S\":\"1\"}},\"ConditionExpression\":\"x\"}}],"
                   "\"ClientRequestToken\":\"token-1\"}");
    assert_string_equal(
        r[1].body,
        "{\"TransactItems\":[{\"Get\":{\"TableName\":\"todos\",\"Key\":{\"id\":{\"S\":\"1\"}},\"ProjectionExpression\":\"id\"}},"
        "{\"Get\":{\"TableName\":\"todos\",\"Key\":{\"id\":{\"S\":\"1\"}}}}]}");
    const char *token = strstr(r[5].body, "\"ClientRequestToken\":\"");
    assert_non_null(token);
    assert_int_equal(strlen(token), strlen("\"ClientRequestToken\":\"\"}") + 36);
}

/* ---- errors ---- */

static void test_errors(void **state)
{
    (void)state;
#define ERROR(type) "{\"__type\":\"com.amazonaws.dynamodb.v20120810#" type "\",\"message\":\"why\"}"
    static const struct {
        int status;
        const char *body, *headers;
        cl_ddb_error error;
        const char *message;
        bool retried;
    } rows[] = {
        {400, ERROR("ConditionalCheckFailedException"), NULL, CL_DDB_CONDITION_FAILED,
         "GetItem on todos: ConditionalCheckFailedException: why", false},
        {400, ERROR("ResourceNotFoundException"), NULL, CL_DDB_TABLE_NOT_FOUND, "ResourceNotFoundException: why", false},
        {400, ERROR("ValidationException"), NULL, CL_DDB_VALIDATION, "why", false},
        {400, ERROR("SerializationException"), NULL, CL_DDB_VALIDATION, "why", false},
        {400, ERROR("AccessDeniedException"), NULL, CL_DDB_ACCESS_DENIED, "why", false},
        {400, ERROR("UnrecognizedClientException"), NULL, CL_DDB_ACCESS_DENIED, "why", false},
        {400, ERROR("ExpiredTokenException"), NULL, CL_DDB_ACCESS_DENIED, "why", false},
        {403, "{\"__type\":\"MissingAuthenticationToken\"}", NULL, CL_DDB_ACCESS_DENIED, "on todos: MissingAuthenticationToken",
         false},
        {400, ERROR("TransactionConflictException"), NULL, CL_DDB_TRANSACTION_CONFLICT, "why", false},
        {400, ERROR("ItemCollectionSizeLimitExceededException"), NULL, CL_DDB_TOO_LARGE, "why", false},
        {400, ERROR("ThrottlingException"), NULL, CL_DDB_THROTTLED, "why (after all tries)", true},
        {500, ERROR("InternalServerError"), NULL, CL_DDB_SERVER, "why (after all tries)", true},
        {503, "<html>", NULL, CL_DDB_SERVER, "status 503 (after all tries)", true},
        {429, "", NULL, CL_DDB_THROTTLED, "status 429", true},
        {501, ERROR("NotImplemented"), NULL, CL_DDB_SERVER, "NotImplemented: why", false},
        {400, ERROR("NewException"), NULL, CL_DDB_OTHER, "NewException: why", false},
        {400, "{}", "x-amzn-ErrorType: LimitExceededException:http://internal/\r\n", CL_DDB_THROTTLED, "LimitExceededException", true},
        {409, ERROR("ReplicatedWriteConflictException"), NULL, CL_DDB_TRANSACTION_CONFLICT, "why (after all tries)", true},
        {400, ERROR("RequestTimeout"), NULL, CL_DDB_SERVER, "why (after all tries)", true},
        {509, "", NULL, CL_DDB_THROTTLED, "status 509 (after all tries)", true},
        {404, "not found", NULL, CL_DDB_ANSWER, "status 404", false},
        {301, "{}", NULL, CL_DDB_ANSWER, "status 301", false},
        {400, "[]", NULL, CL_DDB_ANSWER, "status 400", false},
        {200, "{", NULL, CL_DDB_ANSWER, "no JSON object", false},
        {200, "[]", NULL, CL_DDB_ANSWER, "no JSON object", false},
        {200, "", NULL, CL_DDB_ANSWER, "no JSON object", false},
        {200, "{\"Item\":7}", NULL, CL_DDB_ANSWER, "GetItem: Item is no item", false},
        {200, "{\"Item\":null}", NULL, CL_DDB_ANSWER, "GetItem: Item is no item", false},
        {200, "{}", "x-amz-crc32: 2745614147\r\n", CL_DDB_OK, NULL, false},
        {200, "{}", "x-amz-crc32: 1\r\n", CL_DDB_UNREACHABLE, "damaged", true},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        const struct step step = {STEP_ANSWER, rows[i].status, rows[i].body, rows[i].headers};
        begin(&step, 1, 60000);
        cl_ddb_error error = get(NULL);
        if (error != rows[i].error)
            fail_msg("%s (" CL_FMT ") is not %s", cl_ddb_error_name(error), CL_ARG(cl_dynamodb_message(db)),
                     cl_ddb_error_name(rows[i].error));
        if (rows[i].message)
            contains(rows[i].message);
        end(rows[i].retried ? CL__DDB_TRIES_MAX : 1);
    }
    assert_string_equal(cl_ddb_error_name(CL_DDB_OTHER), "CL_DDB_OTHER");
    assert_string_equal(cl_ddb_error_name(CL_DDB_OK), "CL_DDB_OK");
    assert_string_equal(cl_ddb_error_name((cl_ddb_error)99), "unknown");
}

/* What AWS's SDKs try again (botocore's retries/standard.py and data/_retry.json). */
static void test_what_is_tried_again(void **state)
{
    static const struct {
        int status;
        const char *type; /* NULL: none */
    } rows[] = {{400, "Throttling"},
                {400, "ThrottlingException"},
                {400, "ThrottledException"},
                {400, "RequestThrottledException"},
                {400, "TooManyRequestsException"},
                {400, "ProvisionedThroughputExceededException"},
                {400, "TransactionInProgressException"},
                {400, "RequestLimitExceeded"},
                {400, "BandwidthLimitExceeded"},
                {400, "LimitExceededException"},
                {400, "RequestThrottled"},
                {400, "SlowDown"},
                {400, "PriorRequestNotComplete"},
                {400, "EC2ThrottledException"},
                {400, "RequestTimeout"},
                {400, "RequestTimeoutException"},
                {409, "ReplicatedWriteConflictException"},
                {500, "InternalServerError"},
                {429, NULL},
                {500, NULL},
                {502, NULL},
                {503, NULL},
                {504, NULL},
                {509, NULL}};
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        const char *body = rows[i].type ? cl_printf(*state, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#%s\"}", rows[i].type).p : "";
        const struct step steps[] = {{STEP_ANSWER, rows[i].status, body, NULL}, ANSWER("{}")};
        begin(steps, 2, 60000);
        if (get(NULL) != CL_DDB_OK)
            fail_msg("%d %s: " CL_FMT, rows[i].status, body, CL_ARG(cl_dynamodb_message(db)));
        end(2);
    }
}

/* A message longer than there is room for is cut, at a code point. */
static void test_long_message(void **state)
{
    (void)state;
    static char body[9000];
    int n = snprintf(body, sizeof body, "{\"__type\":\"ValidationException\",\"message\":\"");
    while (n < 8000)
        n += snprintf(body + n, sizeof body - (size_t)n, "\xe2\x82\xac");
    snprintf(body + n, sizeof body - (size_t)n, "\"}");
    const struct step step = {STEP_ANSWER, 400, body, NULL};
    begin(&step, 1, 5000);
    assert_int_equal(get(NULL), CL_DDB_VALIDATION);
    cl_str message = cl_dynamodb_message(db);
    assert_true(message.n > CL__DDB_MESSAGE_MAX - 5 && message.n < CL__DDB_MESSAGE_MAX);
    assert_true(cl_utf8_valid(message));
    end(1);
}

/* ---- connections ---- */

static void test_retries(void **state)
{
    (void)state;
    static const struct step steps[] = {THROTTLED,
                                        {STEP_ANSWER, 500, "{}", NULL},
                                        {STEP_CUT, 200, "{\"Item\":{\"id\":{\"S\":\"1\"}}}", NULL},
                                        {STEP_CLOSE, 0, NULL, NULL},
                                        ANSWER("{\"Item\":{\"id\":{\"S\":\"1\"}}}")};
    begin(steps, CL__COUNT(steps), 60000);
    cl_item *item = NULL;
    assert_int_equal(get(&item), CL_DDB_OK);
    assert_str(cl_item_get_s(item, "id"), "1");
    end(5);
    assert_int_equal(script.connections, 3);
}

/* One connection that says nothing, kept or new, does not cost the call. */
static void test_silent_connection(void **state)
{
    (void)state;
    static const struct step steps[] = {{STEP_HANG, 0, NULL, NULL}, ANSWER("{}"), {STEP_HANG, 0, NULL, NULL}, ANSWER("{}")};
    begin(steps, CL__COUNT(steps), 3000);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(get(NULL), CL_DDB_OK);
        ctx.deadline_ms = cl_now_ms() + 3000;
    }
    end(4);
    assert_int_equal(script.connections, 3);
}

static void test_answers_of_all_kinds(void **state)
{
    (void)state;
    static const step_kind kinds[] = {STEP_ANSWER, STEP_CHUNKED, STEP_SLOW, STEP_THEN_CLOSE};
    for (size_t i = 0; i < CL__COUNT(kinds); i++) {
        const struct step step = {kinds[i], 200, "{\"Item\":{\"id\":{\"S\":\"\xc3\xa4\"}}}", NULL};
        begin(&step, 1, 60000);
        for (int round = 0; round < 3; round++) {
            cl_item *item = NULL;
            assert_int_equal(get(&item), CL_DDB_OK);
            assert_str(cl_item_get_s(item, "id"), "\xc3\xa4");
            if (kinds[i] == STEP_THEN_CLOSE)
                usleep(20000); /* the end of the connection has come before the next request */
        }
        end(3);
        assert_int_equal(script.connections, kinds[i] == STEP_THEN_CLOSE ? 3 : 1);
    }
}

/* A server that closes a kept connection just as a request comes: sent again at once, on a new one, which is no try. */
static void test_kept_connection_closed(void **state)
{
    (void)state;
    static const struct step steps[] = {ANSWER("{}"), {STEP_CLOSE, 0, NULL, NULL},
                                        ANSWER("{}"), {STEP_CLOSE, 0, NULL, NULL},
                                        THROTTLED,    THROTTLED,
                                        THROTTLED,    THROTTLED,
                                        THROTTLED};
    begin(steps, CL__COUNT(steps), 60000);
    assert_int_equal(get(NULL), CL_DDB_OK);
    assert_int_equal(get(NULL), CL_DDB_OK);
    assert_int_equal(get(NULL), CL_DDB_THROTTLED);
    end(9);
    assert_int_equal(script.connections, 3);
}

static void test_bad_answers(void **state)
{
    (void)state;
    static const struct {
        step_kind kind;
        cl_ddb_error error;
        size_t requests;
        const char *message;
    } rows[] = {{STEP_GARBAGE, CL_DDB_ANSWER, 1, "no HTTP/1.1"},
                {STEP_HUGE, CL_DDB_TOO_LARGE, 1, "too long"},
                {STEP_CUT, CL_DDB_UNREACHABLE, CL__DDB_TRIES_MAX, "broke"},
                {STEP_CLOSE, CL_DDB_UNREACHABLE, CL__DDB_TRIES_MAX, "broke"}};
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        const struct step step = {rows[i].kind, 200, "{\"Item\":{}}", NULL};
        begin(&step, 1, 60000);
        cl_ddb_error error = get(NULL);
        if (error != rows[i].error)
            fail_msg("%zu: %s (" CL_FMT ")", i, cl_ddb_error_name(error), CL_ARG(cl_dynamodb_message(db)));
        contains(rows[i].message);
        end(rows[i].requests);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct step steps[] = {ANSWER("{}")};
    begin(steps, 1, 60000);
    script_stop();
    assert_int_equal(get(NULL), CL_DDB_UNREACHABLE);
    contains("GetItem on todos: no connection to 127.0.0.1:");
    contains(": Connection refused (after all tries)");
    contains("(after all tries)");
    cl_dynamodb_close(db);
    cl_arena_free(ctx.arena);
}

static void test_deadline(void **state)
{
    (void)state;
    static const struct step hang[] = {{STEP_HANG, 0, NULL, NULL}}, throttled[] = {THROTTLED},
                             slow[] = {{STEP_SLOW, 200,
                                        "{                    "
                                        "                                                                                          "
                                        "                                          }",
                                        NULL}};
    const struct {
        const struct step *step;
        int64_t ms;
    } rows[] = {{hang, 200}, {throttled, 10}, {slow, 60}};
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        begin(rows[i].step, 1, rows[i].ms);
        cl_ddb_error error = CL_DDB_OK;
        while (error == CL_DDB_OK || error == CL_DDB_THROTTLED) /* the jitter may be so small that all tries fit */
            error = get(NULL);
        assert_int_equal(error, CL_DDB_DEADLINE);
        cl_dynamodb_close(db);
        cl_arena_free(ctx.arena);
        script_stop();
    }
    /* Over already: nothing is sent. */
    begin(hang, 1, -1);
    assert_int_equal(get(NULL), CL_DDB_DEADLINE);
    contains("no time left");
    end(0);
    /* No deadline at all. */
    static const struct step fine[] = {ANSWER("{}")};
    begin(fine, 1, 0);
    ctx.deadline_ms = 0;
    assert_int_equal(get(NULL), CL_DDB_OK);
    end(1);
}

/* Before the k-th try again it waits anything up to 25 ms times 2^k, so that clients that failed together do not return together. */
static void test_back_off(void **state)
{
    (void)state;
    static const struct step throttled[] = {THROTTLED}, unprocessed[] = {NONE_YET};
    for (int batch = 0; batch < 2; batch++) {
        size_t different = 0, long_ones = 0;
        begin(batch ? unprocessed : throttled, 1, 60000);
        ctx.deadline_ms = 0;
        for (int round = 0; round < 6; round++) {
            slept_n = 0;
            assert_int_equal(batch ? cl_ddb_batch_get(db, &ctx, TABLE, numbered(1), 1, NULL, NULL) : get(NULL), CL_DDB_THROTTLED);
            for (size_t i = 0; i < slept_n; i++) {
                assert_true(slept[i] <= 25 << CL__DDB_TRIES_MAX);
                different += i > 0 && slept[i] != slept[i - 1] * 2;
                long_ones += slept[i] > 50;
            }
        }
        assert_true(different > 0 && long_ones > 0);
        end(6 * CL__DDB_TRIES_MAX);
    }
    static const struct {
        unsigned tries;
        int64_t most;
    } pauses[] = {{1, 25}, {2, 50}, {3, 100}, {4, 200}, {7, 1000}, {1000000, 1000}};
    for (size_t row = 0; row < CL__COUNT(pauses); row++)
        for (int round = 0; round < (pauses[row].most < 1000 ? 8 : 1); round++) {
            slept_n = 0;
            assert_true(cl__ddb_pause(CL__NO_DEADLINE, pauses[row].tries));
            for (size_t i = 0; i < slept_n; i++)
                assert_true(slept[i] <= pauses[row].most);
        }
    slept_n = 0;
    assert_false(cl__ddb_pause(cl__mono_ms() - 1000, 1));
    assert_int_equal(slept_n, 0);
}

/* Of an invocation's time a tenth, at most a tenth of a second, is kept for its own answer. */
static void test_reserve(void **state)
{
    (void)state;
    static const struct {
        int64_t left, least, most;
    } rows[] = {{60000, 60, 140}, {400, 1, 80}};
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        cl_context some = {.deadline_ms = cl_now_ms() + rows[i].left};
        int64_t kept = cl__deadline_of(some.deadline_ms) - cl__ddb_deadline(&some);
        assert_in_range(kept, rows[i].least, rows[i].most);
    }
    assert_int_equal(cl__ddb_deadline(&(cl_context){.deadline_ms = 0}), CL__NO_DEADLINE);
}

/* ---- configuration ---- */

static void test_configuration(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *message;
    } rows[] = {{"AWS_ACCESS_KEY_ID", "", "AWS_ACCESS_KEY_ID is not set"},
                {"AWS_SECRET_ACCESS_KEY", "", "AWS_SECRET_ACCESS_KEY is not set"},
                {"AWS_SECRET_ACCESS_KEY", "x\r\ny: z", "AWS_SECRET_ACCESS_KEY has characters that it cannot have, or too many"},
                {"AWS_SESSION_TOKEN", "a\nb", "AWS_SESSION_TOKEN has characters that it cannot have, or too many"},
                {"AWS_REGION", "", "AWS_REGION is not set"},
                {"AWS_ENDPOINT_URL", "nonsense", "AWS_ENDPOINT_URL: expected http://host[:port] or https://host[:port], not nonsense"}};
    setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1", 1);
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        const char *was = getenv(rows[i].name);
        char *kept = was ? strdup(was) : NULL;
        setenv(rows[i].name, rows[i].value, 1);
        cl_str message = {0};
        db = NULL;
        assert_int_equal(cl_dynamodb_open(&db, &message), CL_CONFIG);
        assert_null(db);
        assert_str(message, rows[i].message);
        assert_int_equal(cl_dynamodb_open(&db, NULL), CL_CONFIG);
        if (kept)
            setenv(rows[i].name, kept, 1);
        else
            unsetenv(rows[i].name);
        free(kept);
    }
    cl_str message = {0};
    setenv("AWS_REGION", "", 1), setenv("AWS_DEFAULT_REGION", "eu-central-1", 1);
    assert_int_equal(cl_dynamodb_open(&db, &message), CL_OK);
    assert_str(db->signer.region, "eu-central-1");
    cl_dynamodb_close(db);
    setenv("AWS_REGION", "us-east-1", 1);
    cl_dynamodb_close(NULL);
}

static void test_session_token(void **state)
{
    (void)state;
    static const struct step steps[] = {ANSWER("{}")};
    setenv("AWS_SESSION_TOKEN", "token", 1);
    begin(steps, 1, 5000);
    unsetenv("AWS_SESSION_TOKEN");
    assert_int_equal(get(NULL), CL_DDB_OK);
    end(1);
    assert_non_null(
        strstr(script.requests[0].authorization, "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target,"));
}

/* ---- without memory ---- */

static cl_result result_of(cl_ddb_error error)
{
    if (error == CL_DDB_NO_MEMORY)
        contains("out of memory");
    else if (error != CL_DDB_OK)
        fail_msg("%s: " CL_FMT, cl_ddb_error_name(error), CL_ARG(cl_dynamodb_message(db)));
    else
        assert_false(cl_arena_failed(ctx.arena)); /* or what was sent lacked a part */
    return error == CL_DDB_OK ? CL_OK : CL_NO_MEMORY;
}

static cl_result step_open(void *arg)
{
    (void)arg;
    cl_dynamodb *opened = NULL;
    cl_str message = {0};
    cl_result result = cl_dynamodb_open(&opened, &message);
    assert_int_equal(opened != NULL, result == CL_OK);
    cl_dynamodb_close(opened);
    return result;
}

static cl_ddb_error walk_single(void)
{
    cl_item *item = NULL;
    cl_expr e;
    cl_ddb_options options = {0};
    cl_expr_init(&e, ctx.arena);
    cl_expr_set(&e, "a", cl_value_of(ctx.arena, cl_json_string(ctx.arena, cl_str_of("b"))));
    cl_expr_condition(&e, "id", "=", cl_value_of(ctx.arena, cl_json_int(ctx.arena, 1)));
    const char *update = cl_expr_update(&e);
    return cl_ddb_update(db, &ctx, TABLE, key(), update, cl_expr_options(&e, &options), &item);
}

static cl_ddb_error walk_pages(void)
{
    cl_ddb_pages pages;
    cl_item *item = NULL;
    size_t n = 0;
    for (cl_ddb_query(&pages, db, &ctx, TABLE, &(cl_ddb_options){.condition = "x", .limit = 3}); cl_ddb_next(&pages, &item);)
        n++;
    if (pages.error == CL_DDB_OK)
        assert_int_equal(n, 1);
    return pages.error;
}

static cl_ddb_error walk_batch_get(void)
{
    cl_item *keys[] = {key()};
    cl_json *items = NULL;
    return cl_ddb_batch_get(db, &ctx, TABLE, (const cl_item *const *)keys, 1, NULL, &items);
}

static cl_ddb_error walk_batch_write(void)
{
    cl_item *items[] = {key()};
    return cl_ddb_batch_write(db, &ctx, TABLE, (const cl_item *const *)items, 1, NULL, 0);
}

static cl_ddb_error walk_transact_write(void)
{
    const cl_ddb_step step = {.action = CL_DDB_CHECK, .table = TABLE, .item = key(), .options = {.condition = "x"}};
    return cl_ddb_transact_write(db, &ctx, &step, 1, NULL);
}

static cl_ddb_error walk_transact_get(void)
{
    const cl_ddb_step step = {.action = CL_DDB_GET, .table = TABLE, .item = key()};
    cl_json *items = NULL;
    return cl_ddb_transact_get(db, &ctx, &step, 1, &items);
}

static cl_ddb_error walk_get(void)
{
    cl_item *item = NULL;
    return cl_ddb_get(db, &ctx, TABLE, key(), NULL, &item);
}

static cl_ddb_error walk_delete(void)
{
    cl_item *item = NULL;
    return cl_ddb_delete(db, &ctx, TABLE, key(), &(cl_ddb_options){.return_values = "ALL_OLD"}, &item);
}

static cl_ddb_error walk_call(void)
{
    cl_json *answer = NULL;
    return cl_ddb_call(db, &ctx, "ListTables", NULL, &answer);
}

static cl_ddb_error walk_scan(void)
{
    cl_ddb_pages pages;
    cl_json *items = NULL;
    cl_ddb_scan(&pages, db, &ctx, TABLE, NULL);
    while (cl_ddb_next_page(&pages, &items))
        assert_int_equal(items->count, 1);
    return pages.error;
}

static size_t page_arena_limit;

static cl_ddb_error walk_page_arena(void)
{
    cl_ddb_pages pages;
    cl_item *item = NULL;
    size_t n = 0;
    const cl_ddb_options options = {.page_arena = cl_arena_new(page_arena_limit), .start = key(), .filter = "x", .limit = 3};
    for (cl_ddb_scan(&pages, db, &ctx, TABLE, &options); n < 3 && cl_ddb_next(&pages, &item); n++)
        assert_str(cl_item_get_s(item, "id"), "a");
    cl_arena_free(options.page_arena);
    if (pages.error == CL_DDB_OK)
        assert_int_equal(n, pages.last_key ? 3 : 1);
    return pages.error;
}

static cl_ddb_error walk_item(void)
{
    cl_item *item = key();
    cl_item_b(ctx.arena, item, "b", cl_str_of("bytes"));
    cl_item_bool(ctx.arena, item, "t", true);
    cl_item_null(ctx.arena, item, "z");
    cl_item_n(ctx.arena, item, "n", cl_str_of("1.50"));
    cl_item_json(ctx.arena, item, "j", cl_item_to_json(ctx.arena, item));
    return cl_ddb_put(db, &ctx, TABLE, item, NULL, NULL);
}

static cl_result step_call(void *arg)
{
    cl_ddb_error (*const *call)(void) = arg;
    ctx.arena = cl_arena_new(0);
    cl_result result = ctx.arena ? result_of((*call)()) : CL_NO_MEMORY;
    cl_arena_free(ctx.arena);
    return result;
}

/* An arena takes one block for many allocations; to let each of them fail, the arena's bound grows by a little each time. */
static void walk_bytes(cl_ddb_error (*call)(void))
{
    for (size_t limit = 7;; limit += 7) {
        assert_true(limit < 100000);
        ctx.arena = cl_arena_new(limit);
        assert_non_null(ctx.arena);
        cl_result result = result_of(call());
        cl_arena_free(ctx.arena);
        if (result == CL_OK)
            return;
    }
}

#define SAME_PAGE "{\"Items\":[{\"id\":{\"S\":\"a\"}}],\"LastEvaluatedKey\":{\"id\":{\"S\":\"b\"}}}"

static void test_memory(void **state)
{
    (void)state;
    static const struct {
        cl_ddb_error (*call)(void);
        const char *answer;
    } rows[] = {{walk_single, OLD},
                {walk_item, "{}"},
                {walk_get, "{\"Item\":{\"id\":{\"S\":\"1\"}}}"},
                {walk_delete, OLD},
                {walk_call, "{\"TableNames\":[]}"},
                {walk_scan, "{\"Items\":[{\"id\":{\"S\":\"a\"}}]}"},
                {walk_pages, "{\"Items\":[{\"id\":{\"S\":\"a\"}}]}"},
                {walk_page_arena, SAME_PAGE},
                {walk_page_arena, "{\"Items\":[{\"id\":{\"S\":\"a\"}}]}"},
                {walk_batch_get, "{\"Responses\":{\"todos\":[{}]},\"UnprocessedKeys\":{}}"},
                {walk_batch_write, "{\"UnprocessedItems\":{}}"},
                {walk_transact_write, "{}"},
                {walk_transact_get, "{\"Responses\":[{}]}"}};
    setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1", 1);
    assert_true(walk(step_open, NULL) >= 2);
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        const struct step step = {STEP_ANSWER, 200, rows[i].answer, NULL};
        begin(&step, 1, 60000);
        cl_arena_free(ctx.arena);
        cl_ddb_error (*call)(void) = rows[i].call;
        assert_true(walk(step_call, &call) >= 1);
        walk_bytes(call);
        cl_dynamodb_close(db);
        script_stop();
    }
}

/* The invocation's arena has room, that of the pages has not. */
static void test_page_arena_memory(void **state)
{
    (void)state;
    static const struct step step = ANSWER(SAME_PAGE);
    cl_result result = CL_NO_MEMORY;
    begin(&step, 1, 60000);
    for (page_arena_limit = 7; result != CL_OK; page_arena_limit += 7) {
        assert_true(page_arena_limit < 100000);
        result = result_of(walk_page_arena());
        assert_false(cl_arena_failed(ctx.arena));
    }
    page_arena_limit = 0;
    cl_dynamodb_close(db);
    cl_arena_free(ctx.arena);
    script_stop();
}

static int set_up(void **state)
{
    (void)state;
    setenv("AWS_REGION", "us-east-1", 1);
    setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
    setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY, 1);
    unsetenv("AWS_SESSION_TOKEN"), unsetenv("AWS_ENDPOINT_URL_DYNAMODB");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typed_calls),
        cmocka_unit_test(test_options_of_others),
        cmocka_unit_test(test_pages),
        cmocka_unit_test_setup_teardown(test_page_arena, arena_begin, arena_end),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_answers_of_batches),
        cmocka_unit_test(test_batch_without_progress),
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_errors),
        cmocka_unit_test_setup_teardown(test_what_is_tried_again, arena_begin, arena_end),
        cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_silent_connection),
        cmocka_unit_test(test_answers_of_all_kinds),
        cmocka_unit_test(test_kept_connection_closed),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_session_token),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_page_arena_memory),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
