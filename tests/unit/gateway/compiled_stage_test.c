/* compiled_stage_test.c -- what a stage is compiled to: the time an integration has, functions behind URIs with stage variables,
 * what cannot work. Sources: "Quotas for configuring and running a REST API" (29 seconds), "Using stage variables". */
#include "gateway/compiled_stage.h"
#include "../base/unit.h"

/* What Lambda says of itself, as far as a stage wants to know. */
static bool read_name(struct str rest, struct event_address *ret)
{
    ret->name = str_cut(&rest, ':');
    ret->qualifier = rest;
    return ret->name.n > 0;
}

static enum err permits_nobody(const struct event_address *to, const struct event_source *source, struct arena *arena)
{
    (void)to, (void)source, (void)arena;
    return ERR_DENIED;
}

static void deliver_nothing(struct event_delivery *delivery)
{
    (void)delivery;
    fail();
}

static const struct event_target targets[] = {{"lambda", "function:", read_name, permits_nobody, deliver_nothing},
                                              {"sqs", "", read_name, permits_nobody, deliver_nothing},
                                              {0}};
static const struct service_api *const no_apis[] = {NULL};
static const struct service has_targets = {.name = "has_targets", .apis = no_apis, .targets = targets};
static const struct service *const list[] = {&has_targets, NULL};
static struct services *services;

/* One resource /a with the method GET, whose integration is given. */
static struct gateway_method *compile(struct arena *arena, const char *integration, const char *variables,
                                      struct gateway_stage **ret)
{
    struct apigateway_stage documents = {.account = STR("000000000000"), .region = STR("us-east-1")};
    struct route_match match;
    struct str snapshot = arena_printf(arena, "{\"resources\":[{\"id\":\"r\",\"path\":\"/a\",\"resourceMethods\":{\"GET\":"
                                              "{\"methodResponses\":{\"200\":{}},\"methodIntegration\":%s}}}]}", integration);
    assert_int_equal(json_parse(STR("{}"), arena, &documents.api), ERR_OK);
    assert_int_equal(
        json_parse(arena_printf(arena, "{\"deploymentId\":\"d\",\"variables\":%s}", variables), arena, &documents.stage), ERR_OK);
    assert_int_equal(json_parse(snapshot, arena, &documents.snapshot), ERR_OK);
    *ret = gateway__stage_compile(&documents, services, STR("api"), STR("prod"), arena);
    assert_true(route_find((*ret)->routes, STR("/a"), STR("GET"), arena, &match));
    return match.target;
}

#define URI "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations"
#define FUNCTION "arn:aws:lambda:us-east-1:000000000000:function:"

static void integrations(void **state)
{
    (void)state;
    static const struct { const char *members, *arn, *variables, *function, *qualifier; uint64_t timeout_ms; bool broken;
    } cases[] = {
        {"\"type\":\"AWS_PROXY\",\"httpMethod\":\"POST\"", FUNCTION "f", "{}", "f", "", 29000, false},
        {"\"type\":\"AWS\",\"httpMethod\":\"POST\",\"timeoutInMillis\":50", FUNCTION "f:$LATEST", "{}", "f", "$LATEST", 50, false},
        {"\"type\":\"AWS\",\"httpMethod\":\"POST\"", FUNCTION "${stageVariables.name}", "{\"name\":\"g\"}", "g", "", 29000, false},
        {"\"type\":\"AWS\",\"httpMethod\":\"POST\"", FUNCTION "${stageVariables.name}", "{}", "", "", 29000, true},
        {"\"type\":\"AWS\",\"httpMethod\":\"GET\"", FUNCTION "f", "{}", "", "", 29000, true},
        {"\"type\":\"AWS\",\"httpMethod\":\"POST\"", "f", "{}", "", "", 29000, true},
        {"\"type\":\"AWS\",\"httpMethod\":\"POST\"", "arn:aws:sqs:us-east-1:000000000000:queue", "{}", "", "", 29000, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena *arena = arena_new();
        struct gateway_stage *stage;
        struct str uri = arena_printf(arena, URI, cases[i].arn);
        struct gateway_method *method =
            compile(arena, arena_printf(arena, "{%s,\"uri\":\"" STR_FMT "\"}", cases[i].members, STR_ARG(uri)).p,
                    cases[i].variables, &stage);
        assert_int_equal(method->timeout_ms, cases[i].timeout_ms);
        assert_int_equal(method->broken, cases[i].broken);
        assert_str(method->resource_id, "r");
        if (!method->broken) {
            assert_str(method->to.name, cases[i].function);
            assert_str(method->to.qualifier, cases[i].qualifier);
            assert_str(method->to.account, "000000000000");
        }
        gateway__stage_unref(stage);
    }
}

static void responses(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct gateway_stage *stage;
    struct gateway_method *method =
        compile(arena,
                "{\"type\":\"MOCK\",\"requestTemplates\":{\"application/"
                "json\":\"{\\\"statusCode\\\":200}\"},\"passthroughBehavior\":\"NEVER\","
                "\"integrationResponses\":{\"200\":{\"responseParameters\":{\"method.response.header.A\":\"'b'\"}},"
                "\"404\":{\"selectionPattern\":\"4..\"}}}",
                "{}", &stage);
    assert_int_equal(method->type, GATEWAY_MOCK);
    assert_int_equal(method->passthrough, GATEWAY_NEVER);
    assert_int_equal(method->response_count, 2);
    assert_true(method->responses[0].declared && !method->responses[0].pattern && method->responses[0].header_count == 1);
    assert_str(method->responses[0].headers[0].name, "A");
    assert_str(method->responses[0].headers[0].value, "b");
    assert_true(!method->responses[1].declared && method->responses[1].pattern && method->responses[1].status == 404);
    assert_str(stage->variables, "null");
    gateway__stage_unref(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(integrations), cmocka_unit_test(responses)};
    services = services_new(list);
    int failed = RUN(tests);
    services_free(services);
    return failed;
}
