/* quotas_test.c -- quotas of API Gateway that requests would take long to reach: APIs of an account, bytes of a resource and of
 * a deployment. What is there already is put into the store; the operation is then asked at the bound and over it. */
#include "../../store/store_test.h"
#include "services/apigateway/apigateway.h"
#include "services/apigateway/document.h"
#include "services/apigateway/handlers.h"

#define API STR("api")

static struct call call_of(struct fixture *f, const char *operation, const char *input)
{
    struct call call = {.arena = f->arena,
                        .api = &apigateway_api,
                        .operation = model_operation_find(&model_apigateway, str_of(operation)),
                        .service_state = f->store,
                        .account = STR("000000000000"),
                        .region = STR("us-east-1")};
    assert_int_equal(json_parse(str_of(input), f->arena, &call.input), ERR_OK);
    return call;
}

struct asked { struct call *call; call_mutate_fn *mutate; };

static enum err ask(struct store_txn *txn, void *arg)
{
    struct asked *asked = arg;
    asked->call->drawn = 0;
    asked->mutate(asked->call, txn);
    return asked->call->failed ? ERR_INVALID : ERR_OK;
}

static struct call create(struct fixture *f, const char *operation, call_mutate_fn *mutate)
{
    struct call call = call_of(f, operation, "{\"name\":\"n\",\"restApiId\":\"api\"}");
    struct asked asked = {&call, mutate};
    enum err err = store_mutate(f->store, ask, &asked);
    assert_int_equal(err, call.failed ? ERR_INVALID : ERR_OK);
    return call;
}

static void assert_refused(const struct call *call, const char *message)
{
    assert_true(call->failed);
    assert_string_equal(call->error_code, "LimitExceededException");
    assert_true(str_eq(call->error_message, str_of(message)));
}

static void put_apis(struct call *call, struct store_txn *txn)
{
    for (int i = 0; i < APIGATEWAY_APIS_MAX - 1; i++) {
        struct str id = arena_printf(call->arena, "api%d", i);
        doc_put(txn, apigateway__key(call, APIGATEWAY_RESTAPIS, id, STR_NONE), json_new(call->arena, JSON_OBJECT), call->arena);
    }
}

static void test_apis_of_an_account(void **state)
{
    struct fixture *f = *state;
    assert_false(create(f, "CreateRestApi", put_apis).failed);
    assert_false(create(f, "CreateRestApi", apigateway__create_rest_api).failed);
    struct call over = create(f, "CreateRestApi", apigateway__create_rest_api);
    assert_refused(&over, "Maximum number of APIs for this account has been reached (600)");
}

/* A resource with a method that can be deployed, of `bytes` as JSON. */
static struct json *resource_of(struct arena *arena, struct str id, size_t bytes)
{
    struct json *resource = json_new(arena, JSON_OBJECT);
    json_add_str(arena, resource, "id", id);
    json_add_object(arena, json_add_object(arena, json_add_object(arena, resource, "resourceMethods"), "GET"), "methodIntegration");
    json_add_str(arena, resource, "path", STR(""));
    size_t left = bytes - json_text(arena, resource).n;
    char *path = arena_alloc(arena, left);
    memset(path, 'x', left);
    json_put(resource, STR("path"), json_new_str(arena, (struct str){path, left}));
    assert_int_equal(json_text(arena, resource).n, bytes);
    return resource;
}

static size_t resource_bytes;

static void save_resource(struct call *call, struct store_txn *txn)
{
    apigateway__save_resource(call, txn, resource_of(call->arena, STR("r"), resource_bytes));
}

static void test_bytes_of_a_resource(void **state)
{
    struct fixture *f = *state;
    resource_bytes = APIGATEWAY_RESOURCE_BYTES_MAX;
    assert_false(create(f, "PutMethod", save_resource).failed);
    resource_bytes++;
    struct call over = create(f, "PutMethod", save_resource);
    assert_refused(&over, "The definitions of a resource's methods are limited to 1048576 bytes");
}

/* Eight resources, which are the snapshot {"resources":[…]} of so many bytes. */
static size_t snapshot_bytes;

static void put_api(struct call *call, struct store_txn *txn)
{
    enum { RESOURCES = 8, AROUND = sizeof("{\"resources\":[]}") - 1 + RESOURCES - 1 };
    size_t left = snapshot_bytes - AROUND;
    doc_put(txn, apigateway__key(call, APIGATEWAY_RESTAPIS, API, STR_NONE), json_new(call->arena, JSON_OBJECT), call->arena);
    for (int i = RESOURCES; i > 0; i--) {
        struct str id = arena_printf(call->arena, "r%d", i);
        size_t bytes = left / (size_t)i;
        left -= bytes;
        doc_put(txn, apigateway__key(call, APIGATEWAY_RESOURCES, API, id), resource_of(call->arena, id, bytes), call->arena);
    }
}

static void test_bytes_of_a_deployment(void **state)
{
    struct fixture *f = *state;
    snapshot_bytes = APIGATEWAY_SNAPSHOT_BYTES_MAX;
    assert_false(create(f, "CreateRestApi", put_api).failed);
    assert_false(create(f, "CreateDeployment", apigateway__create_deployment).failed);
    snapshot_bytes++;
    assert_false(create(f, "CreateRestApi", put_api).failed);
    struct call over = create(f, "CreateDeployment", apigateway__create_deployment);
    assert_refused(&over, "The API's definition is limited to 8388608 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_apis_of_an_account, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_bytes_of_a_resource, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_bytes_of_a_deployment, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
