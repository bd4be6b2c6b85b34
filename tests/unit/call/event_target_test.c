/* event_target_test.c -- whose an ARN is as a target of events, and who a target's policy lets in. */
#include "auth/policy.h"
#include "call/service.h"
#include "base/panic.h"
#include "../base/unit.h"

static bool read_any(struct str rest, struct event_address *ret)
{
    ret->name = rest;
    return rest.n > 0;
}

static enum err permits_any(const struct event_address *to, const struct event_source *source, struct arena *arena)
{
    (void)to, (void)source, (void)arena;
    return ERR_OK;
}

static void answer_ok(struct event_delivery *delivery)
{
    delivery->outcome = EVENT_ANSWERED;
    delivery->done(delivery);
}

static enum err open_none(const struct platform *platform, void **ret_state)
{
    *ret_state = (void *)platform->options;
    return ERR_OK;
}

static const struct event_target queues[] = {{"sqs", "", read_any, permits_any, answer_ok}, {0}};
static const struct event_target parts[] = {
    {"logs", "log-group:", read_any, permits_any, answer_ok}, {"events", "event-bus/", read_any, permits_any, answer_ok}, {0}};
static const struct service_api *const no_apis[] = {NULL};
static const struct service queue_service = {.name = "queues", .apis = no_apis, .targets = queues, .open = open_none};
static const struct service part_service = {.name = "parts", .apis = no_apis, .targets = parts, .open = open_none};
static const struct service plain_service = {.name = "plain", .apis = no_apis, .open = open_none};

static void an_arn_leads_to_its_service(void **state)
{
    static const struct service *const list[] = {&plain_service, &queue_service, &part_service, NULL};
    static const struct {
        const char *arn;
        const struct event_target *target;
        const char *account, *region, *name;
    } cases[] = {
        {"arn:aws:sqs:eu-west-1:123456789012:q", &queues[0], "123456789012", "eu-west-1", "q"},
        {"arn:aws:logs:us-east-1:123456789012:log-group:/a/b:*", &parts[0], "123456789012", "us-east-1", "/a/b:*"},
        {"arn:aws:events:us-east-1:123456789012:event-bus/default", &parts[1], "123456789012", "us-east-1", "default"},
        {"arn:aws:events:us-east-1:123456789012:event-bus/", NULL, "", "", ""},
        {"arn:aws:events:us-east-1:123456789012:rule/r", NULL, "", "", ""},
        {"arn:aws-cn:sqs:eu-west-1:123456789012:q", NULL, "", "", ""},
        {"arn:aws:states:us-east-1:123456789012:stateMachine:s", NULL, "", "", ""},
        {"q", NULL, "", "", ""},
        {"", NULL, "", "", ""},
    };
    const struct platform_options options = {0};
    const struct platform platform = {.options = &options};
    const char *failed;
    struct services *services = services_new(list);
    (void)state;
    assert_int_equal(services_open(services, &platform, &failed), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct event_address to = {0};
        assert_int_equal(services_target(services, str_of(cases[i].arn), &to), cases[i].target != NULL);
        assert_ptr_equal(to.target, cases[i].target);
        assert_ptr_equal(to.state, cases[i].target ? &options : NULL);
        assert_str(to.account, cases[i].account);
        assert_str(to.region, cases[i].region);
        assert_str(to.name, cases[i].name);
    }
    services_close(services);
    services_free(services);
}

static void a_policy_knows_the_source(void **state)
{
    static const char text[] =
        "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"apigateway.amazonaws.com\"},\"Action\":\"x:Send\","
        "\"Resource\":\"arn:aws:x:::r\",\"Condition\":{\"ArnLike\":{\"aws:SourceArn\":\"arn:aws:execute-api:us-east-1:123456789012:"
        "a/*\"},"
        "\"StringEquals\":{\"aws:SourceAccount\":\"123456789012\"}}}]}";
    static const struct {
        const char *service, *arn, *action, *resource;
        bool allowed;
    } cases[] = {
        {"apigateway.amazonaws.com", "arn:aws:execute-api:us-east-1:123456789012:a/s/GET/", "x:Send", "arn:aws:x:::r", true},
        {"events.amazonaws.com", "arn:aws:execute-api:us-east-1:123456789012:a/s/GET/", "x:Send", "arn:aws:x:::r", false},
        {"apigateway.amazonaws.com", "arn:aws:execute-api:us-east-1:123456789012:b/s/GET/", "x:Send", "arn:aws:x:::r", false},
        {"apigateway.amazonaws.com", "arn:aws:execute-api:us-east-1:999999999999:a/s/GET/", "x:Send", "arn:aws:x:::r", false},
        {"apigateway.amazonaws.com", "arn:aws:execute-api:us-east-1:123456789012:a/s/GET/", "x:Drop", "arn:aws:x:::r", false},
        {"apigateway.amazonaws.com", "arn:aws:execute-api:us-east-1:123456789012:a/s/GET/", "x:Send", "arn:aws:x:::s", false},
        {"apigateway.amazonaws.com", "", "x:Send", "arn:aws:x:::r", false},
    };
    struct arena *arena = arena_new();
    struct policy *policy;
    struct str message;
    (void)state;
    assert_int_equal(policy_compile(STR(text), POLICY_RESOURCE, &policy, arena, &message), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct event_source source = {cases[i].service, str_of(cases[i].arn)};
        if (event_source_allowed(&source, policy, cases[i].action, str_of(cases[i].resource), arena) != cases[i].allowed)
            fail_msg("case %zu", i);
        assert_false(event_source_allowed(&source, NULL, cases[i].action, str_of(cases[i].resource), arena));
    }
    policy_free(policy);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_arn_leads_to_its_service), cmocka_unit_test(a_policy_knows_the_source)};
    return RUN(tests);
}
