/* handle_test.c -- requests for a stage over a store whose reads may block, and over one whose reads do not: the same answers; over
 * the first no loop reads. The stage is documents as API Gateway keeps them; where its events go is a target of the test's own,
 * which asks the store whether it lets the gateway, as Lambda does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "../net/client.h"
#include "../store/memory_engine.h"
#include "base/log.h"
#include "gateway/gateway.h"
#include "services/apigateway/apigateway.h"
#include "services/apigateway/document.h"
#include <stdatomic.h>

#define ACCOUNT "000000000000"
#define TARGETS_COLLECTION "targets"
#define TARGETS_SPACE 40

static struct store *store;
static struct gateway *gateway;
static struct services *services;
static atomic_size_t reads, loop_reads;

static void count_read(struct str from)
{
    (void)from;
    atomic_fetch_add(&reads, 1);
    if (loop_current())
        atomic_fetch_add(&loop_reads, 1);
}

/* ---- the target ---- */

static bool read_target_name(struct str rest, struct event_address *ret)
{
    ret->name = rest;
    return rest.n > 0;
}

static enum err is_permitted(const struct event_address *to, const struct event_source *source, struct arena *arena)
{
    struct str value;
    (void)source;
    return store_get(store_reader(store), (struct store_key){TARGETS_SPACE, STR(TARGETS_COLLECTION), to->name}, arena, &value);
}

static void answer_event(struct event_delivery *delivery)
{
    delivery->outcome = EVENT_ANSWERED;
    delivery->answer = STR("{\"statusCode\":201,\"body\":\"from the target\"}");
    delivery->done(delivery);
}

static const struct event_target targets[] = {{"lambda", "function:", read_target_name, is_permitted, answer_event}, {0}};
static const struct service_api *const no_apis[] = {NULL};
static const struct service has_target = {.name = "has_target", .apis = no_apis, .targets = targets};
static const struct service *const list[] = {&has_target, NULL};

/* ---- the stage ---- */

#define METHOD(function)                                                                                                           \
    "{\"GET\":{\"methodIntegration\":{\"type\":\"AWS_PROXY\",\"httpMethod\":\"POST\",\"uri\":\"arn:aws:apigateway:us-east-1:"      \
    "lambda:"                                                                                                                      \
    "path/2015-03-31/functions/arn:aws:lambda:us-east-1:" ACCOUNT ":function:" function "/invocations\"}}}"

static void put_text(struct store_txn *txn, struct arena *arena, const char *type, const char *key, const char *text)
{
    struct json *document;
    struct str collection = doc_collection(arena, STR(ACCOUNT), STR("us-east-1"), type);
    ENSURE(json_parse(str_of(text), arena, &document) == ERR_OK);
    doc_put(txn, (struct store_key){APIGATEWAY_SPACE, collection, str_of(key)}, document, arena);
}

static enum err put_stage(struct store_txn *txn, void *arg)
{
    struct arena *arena = arg;
    struct json *index;
    ENSURE(json_parse(STR("{\"account\":\"" ACCOUNT "\",\"region\":\"us-east-1\"}"), arena, &index) == ERR_OK);
    doc_put(txn, apigateway__index_key(STR("api")), index, arena);
    put_text(txn, arena, APIGATEWAY_RESTAPIS, "api", "{\"name\":\"one\"}");
    put_text(txn, arena, APIGATEWAY_STAGES, "api/prod", "{\"deploymentId\":\"d\"}");
    put_text(txn, arena, APIGATEWAY_SNAPSHOTS, "api/d",
             "{\"resources\":[{\"id\":\"a\",\"path\":\"/a\",\"resourceMethods\":" METHOD("known") "},"
             "{\"id\":\"b\",\"path\":\"/b\",\"resourceMethods\":" METHOD("unknown") "}]}");
    store_put(txn, (struct store_key){TARGETS_SPACE, STR(TARGETS_COLLECTION), STR("known")}, STR("x"));
    return ERR_OK;
}

/* ---- around a test ---- */

static void ask_stage(struct http_request *request, void *arg)
{
    (void)arg;
    struct str path = request->path, stage;
    stage = str_cut(&path, '/');
    stage = str_cut(&path, '/');
    gateway_handle(gateway, request, STR("api"), stage, arena_printf(request->arena, "/" STR_FMT, STR_ARG(path)), STR("domain"));
}

static void place_open(bool blocks)
{
    struct arena *arena = arena_new();
    struct str message;
    struct platform platform;
    if (!engine_find("memory"))
        engine_add(&memory_engine_ops);
    memory_read_may_block = blocks;
    memory_before_read = count_read;
    assert_int_equal(
        store_open(&(struct store_options){.dir = "a gateway's", .engine = "memory"}, arena, &store, &message), ERR_OK);
    assert_int_equal(store_mutate(store, put_stage, arena), ERR_OK);
    services = services_new(list);
    site_open(NULL, &(struct http_listener_options){.handler = ask_stage});
    platform = (struct platform){.store = store, .services = services, .loops = site.loops, .workers = site.workers};
    assert_int_equal(gateway_new(&platform, &gateway), ERR_OK);
    arena_free(arena);
}

static void place_close(void)
{
    assert_int_equal(close_site(NULL), 0);
    gateway_free(gateway);
    services_free(services);
    store_close(store);
    memory_forget("a gateway's");
    memory_before_read = NULL;
}

/* How many reads a request took, and how many of them were a loop's. */
static void get(int fd, const char *path, int status, const char *body, size_t ret_reads[2])
{
    char text[128];
    size_t before[2] = {atomic_load(&reads), atomic_load(&loop_reads)};
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    ENSURE(send_text(fd, text));
    expect(fd, status, body);
    ret_reads[0] = atomic_load(&reads) - before[0];
    ret_reads[1] = atomic_load(&loop_reads) - before[1];
}

static void test_where_it_reads(void **state)
{
    (void)state;
    for (int blocks = 0; blocks < 2; blocks++) {
        place_open(blocks);
        size_t took[2];
        int fd = dial();
        get(fd, "/prod/a", 201, "from the target", took);
        assert_int_equal(took[0], 4 + 1);                       /* the stage's documents, the permission */
        assert_int_equal(took[1], blocks ? 0 : 5);
        get(fd, "/prod/a", 201, "from the target", took);       /* the stage is at hand */
        assert_int_equal(took[0], 1);
        assert_int_equal(took[1], blocks ? 0 : 1);
        get(fd, "/prod/b", 500, "{\"message\":\"Internal server error\"}", took);
        assert_int_equal(took[1], blocks ? 0 : 1);
        get(fd, "/prod/c", 403, "{\"message\":\"Missing Authentication Token\"}", took);
        assert_int_equal(took[0], 0);
        get(fd, "/test/a", 403, "{\"message\":\"Forbidden\"}", took);
        assert_true(took[0] > 0 && (took[1] == 0) == (blocks == 1));
        close(fd);
        place_close();
    }
}

/* ---- changes ---- */

struct change {
    const char *type, *key, *text;
};

static enum err put_change(struct store_txn *txn, void *arg)
{
    const struct change *change = arg;
    struct arena *arena = arena_new();
    put_text(txn, arena, change->type, change->key, change->text);
    arena_free(arena);
    return ERR_OK;
}

static enum err drop_stage_document(struct store_txn *txn, void *arg)
{
    struct arena *arena = arg;
    store_delete(txn, (struct store_key){APIGATEWAY_SPACE, doc_collection(arena, STR(ACCOUNT), STR("us-east-1"), APIGATEWAY_STAGES),
                                         STR("api/prod")});
    return ERR_OK;
}

/* What a change costs: one of another API or of a name the three small documents, one of the stage's deployment its snapshot, too.
 */
static void test_what_a_change_drops(void **state)
{
    (void)state;
    static const struct {
        struct change change;
        size_t reads;
        const char *body;
    } changes[] = {
        {{APIGATEWAY_RESTAPIS, "other", "{}"}, 3 + 1, "from the target"},
        {{APIGATEWAY_STAGES, "other/prod", "{\"deploymentId\":\"x\"}"}, 3 + 1, "from the target"},
        {{APIGATEWAY_RESTAPIS, "api", "{\"name\":\"two\"}"}, 3 + 1, "from the target"},
        {{APIGATEWAY_STAGES, "api/prod", "{\"deploymentId\":\"d\",\"variables\":{\"a\":\"b\"}}"}, 4 + 1, "from the target"},
        {{APIGATEWAY_RESTAPIS, "api", "{\"endpointConfiguration\":{\"types\":[\"EDGE\"]}}"}, 4 + 1, "from the target"},
        {{APIGATEWAY_RESTAPIS, "api", "{\"disableExecuteApiEndpoint\":true}"}, 4, "{\"message\":\"Forbidden\"}"},
        {{APIGATEWAY_RESTAPIS, "api", "{}"}, 4 + 1, "from the target"},
    };
    for (int blocks = 0; blocks < 2; blocks++) {
        place_open(blocks);
        size_t took[2];
        int fd = dial();
        get(fd, "/prod/a", 201, "from the target", took);
        for (size_t i = 0; i < COUNT_OF(changes); i++) {
            struct change change = changes[i].change;
            int status = changes[i].body[0] == '{' ? 403 : 201;
            assert_int_equal(store_mutate(store, put_change, &change), ERR_OK);
            get(fd, "/prod/a", status, changes[i].body, took);
            assert_int_equal(took[0], changes[i].reads);
            get(fd, "/prod/a", status, changes[i].body, took); /* and is at hand again */
            assert_int_equal(took[0], status == 201);
        }
        struct arena *arena = arena_new();
        assert_int_equal(store_mutate(store, drop_stage_document, arena), ERR_OK);
        get(fd, "/prod/a", 403, "{\"message\":\"Forbidden\"}", took);
        get(fd, "/prod/a", 403, "{\"message\":\"Forbidden\"}", took);
        arena_free(arena);
        close(fd);
        place_close();
    }
}

static void test_queries(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool good;
    } cases[] = {
        {"a=1&b=%2F&c=-._~!$'()*+,;:@/?", true},
        {"a[]=1", true},
        {"a", true},
        {"&&=", true},
        {"a={b}", false},
        {"a=|", false},
        {"a=\"", false},
        {"<", false},
        {"a=\\", false},
        {"a=^", false},
        {"a=`", false},
        {"a=%", false},
        {"a=%4", false},
        {"a=%zz", false},
        {"a=%4g", false},
    };
    place_open(false);
    int fd = dial();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char path[128];
        size_t took[2];
        snprintf(path, sizeof path, "/prod/a?%s", cases[i].query);
        if (cases[i].good)
            get(fd, path, 201, "from the target", took);
        else
            get(fd, path, 400, "{\"message\":\"Bad Request\"}", took);
    }
    close(fd);
    place_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_where_it_reads), cmocka_unit_test(test_what_a_change_drops),
                                       cmocka_unit_test(test_queries)};
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
