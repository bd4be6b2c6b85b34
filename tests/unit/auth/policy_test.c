/* policy_test.c -- tests/corpus/policy: what IAM decides (decisions.json) and refuses (malformed.json). */
#include "auth/policy.h"
#include "base/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../base/files.h"

static struct json *read_json(const char *path, struct arena *arena)
{
    struct json *tree = NULL;
    assert_int_equal(json_parse(files_read(path, arena), arena, &tree), ERR_OK);
    return tree;
}

static const struct {
    const char *who;
    struct principal principal;
} callers[] = {
    {"user", {.type = PRINCIPAL_USER, .account = {"111122223333", 12}, .arn = {"arn:aws:iam::111122223333:user/alice", 36}, .id = {"AIDA1", 5}}},
    {"root", {.type = PRINCIPAL_ROOT, .account = {"111122223333", 12}, .arn = {"arn:aws:iam::111122223333:root", 30}}},
    {"session",
     {.type = PRINCIPAL_ROLE_SESSION,
      .account = {"111122223333", 12},
      .arn = {"arn:aws:sts::111122223333:assumed-role/Worker/s1", 48},
      .id = {"AROA1:s1", 8},
      .role_arn = {"arn:aws:iam::111122223333:role/app/Worker", 41}}},
    {"service", {.type = PRINCIPAL_SERVICE, .arn = {"apigateway.amazonaws.com", 24}}},
};

static const struct principal *caller_of(struct str who)
{
    for (size_t i = 0; i < COUNT_OF(callers); i++)
        if (str_eq(who, str_of(callers[i].who)))
            return &callers[i].principal;
    fail_msg("unknown caller %.*s", STR_ARG(who));
    return NULL;
}

static const char *const reason_names[] = {
    [DECISION_ALLOWED] = "ALLOWED",
    [DECISION_NO_IDENTITY_ALLOW] = "NO_IDENTITY_ALLOW",
    [DECISION_NO_RESOURCE_ALLOW] = "NO_RESOURCE_ALLOW",
    [DECISION_EXPLICIT_DENY_IDENTITY] = "EXPLICIT_DENY_IDENTITY",
    [DECISION_EXPLICIT_DENY_RESOURCE] = "EXPLICIT_DENY_RESOURCE",
    [DECISION_NO_BOUNDARY_ALLOW] = "NO_BOUNDARY_ALLOW",
    [DECISION_EXPLICIT_DENY_BOUNDARY] = "EXPLICIT_DENY_BOUNDARY",
    [DECISION_NO_SESSION_ALLOW] = "NO_SESSION_ALLOW",
    [DECISION_EXPLICIT_DENY_SESSION] = "EXPLICIT_DENY_SESSION",
};

static struct policy *compile(const struct json *document, enum policy_kind kind, struct arena *arena)
{
    struct policy *policy = NULL;
    struct str message;

    if (!document)
        return NULL;
    if (policy_compile(json_text(arena, document), kind, &policy, arena, &message) != ERR_OK)
        fail_msg("%.*s: %.*s", STR_ARG(json_text(arena, document)), STR_ARG(message));
    return policy;
}

static void add_context(const struct json *context, struct arena *arena, struct policy_request *request)
{
    request->context = arena_array(arena, struct policy_context, 64);
    for JSON_EACH (key, context) {
        bool many = json_is(key, JSON_ARRAY);
        for (const struct json *value = many ? key->first : key; value; value = many ? value->next : NULL)
            request->context[request->context_count++] = (struct policy_context){arena_cstr(arena, key->key), value->text};
    }
}

static void run_case(const struct json *test, struct arena *arena)
{
    struct policy *identity[8];
    struct policy_set set = {.identity = identity};
    struct policy_request request = {
        .action = json_str(test, "action"), .resource = json_str(test, "on"), .principal = caller_of(json_str(test, "who")), .arena = arena};

    for JSON_EACH (document, json_at(test, "identity"))
        identity[set.identity_count++] = compile(document, POLICY_IDENTITY, arena);
    set.boundary = compile(json_at(test, "boundary"), POLICY_IDENTITY, arena);
    set.session = compile(json_at(test, "session"), POLICY_IDENTITY, arena);
    struct policy *resource = json_at(test, "trust") ? compile(json_at(test, "trust"), POLICY_TRUST, arena)
                                                     : compile(json_at(test, "resource"), POLICY_RESOURCE, arena);
    set.resource = resource;
    add_context(json_at(test, "context"), arena, &request);
    const char *reason = reason_names[policy_decide(&set, &request)];
    if (!str_eq(json_str(test, "expect"), str_of(reason)))
        fail_msg("%.*s: %s", STR_ARG(json_str(test, "name")), reason);
    request.arena = NULL;
    assert_string_equal(reason, reason_names[policy_decide(&set, &request)]);
    for (size_t i = 0; i < set.identity_count; i++)
        policy_free(identity[i]);
    policy_free(set.boundary);
    policy_free(set.session);
    policy_free(resource);
}

static void test_decisions(void **state)
{
    struct arena *arena = arena_new();
    struct json *file = read_json("tests/corpus/policy/decisions.json", arena);

    (void)state;
    assert_true(json_at(file, "cases")->count > 100);
    for JSON_EACH (test, json_at(file, "cases"))
        run_case(test, arena);
    arena_free(arena);
}

static void test_malformed(void **state)
{
    struct arena *arena = arena_new();
    struct json *file = read_json("tests/corpus/policy/malformed.json", arena);

    (void)state;
    for JSON_EACH (test, json_at(file, "cases")) {
        bool trust = str_eq(json_str(test, "kind"), STR("trust"));
        struct policy *policy = NULL;
        struct str message = STR_NONE;
        enum err err = policy_compile(json_str(test, "text"), trust ? POLICY_TRUST : POLICY_IDENTITY, &policy, arena, &message);
        if (err != ERR_INVALID || !str_eq(message, json_str(test, "message")))
            fail_msg("%.*s: %.*s", STR_ARG(json_str(test, "text")), STR_ARG(message));
        assert_null(policy);
    }
    arena_free(arena);
}

/* A pattern of many stars over a long text ends soon. */
static void test_many_stars(void **state)
{
    struct arena *arena = arena_new();
    struct buf text, resource;

    (void)state;
    buf_init(&text, arena, 1 << 16);
    buf_init(&resource, arena, 1 << 16);
    buf_lit(&text, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"arn:aws:x:::");
    buf_lit(&resource, "arn:aws:x:::");
    for (int i = 0; i < 2000; i++) {
        buf_lit(&text, "*a");
        buf_lit(&resource, "aa");
    }
    buf_lit(&text, "*b\"}}");
    struct policy *policy = NULL;
    struct str message;
    assert_int_equal(policy_compile(buf_str(&text), POLICY_IDENTITY, &policy, arena, &message), ERR_OK);
    struct policy_request request = {.action = STR("x:y"), .resource = buf_str(&resource), .principal = caller_of(STR("user"))};
    bool by_account;
    assert_int_equal(policy_match(policy, &request, &by_account), POLICY_NO_MATCH);
    policy_free(policy);
    arena_free(arena);
}

/* Source: IAM user guide, "Troubleshoot access denied error messages". */
static void test_messages(void **state)
{
    struct arena *arena = arena_new();
    struct policy_request request = {.action = STR("dynamodb:PutItem"), .resource = STR("arn:r"), .principal = caller_of(STR("user"))};
    const struct {
        enum decision_reason reason;
        const char *text;
    } expected[] = {
        {DECISION_NO_IDENTITY_ALLOW, " because no identity-based policy allows the dynamodb:PutItem action"},
        {DECISION_NO_RESOURCE_ALLOW, " because no resource-based policy allows the dynamodb:PutItem action"},
        {DECISION_NO_BOUNDARY_ALLOW, " because no permissions boundary allows the dynamodb:PutItem action"},
        {DECISION_NO_SESSION_ALLOW, " because no session policy allows the dynamodb:PutItem action"},
        {DECISION_EXPLICIT_DENY_IDENTITY, " with an explicit deny in an identity-based policy"},
        {DECISION_EXPLICIT_DENY_RESOURCE, " with an explicit deny in a resource-based policy"},
        {DECISION_EXPLICIT_DENY_BOUNDARY, " with an explicit deny in a permissions boundary"},
        {DECISION_EXPLICIT_DENY_SESSION, " with an explicit deny in a session policy"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        struct str whole = arena_printf(
            arena, "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: dynamodb:PutItem on resource: arn:r%s",
            expected[i].text);
        assert_true(str_eq(policy_denied_message(arena, expected[i].reason, &request), whole));
    }
    request.action = STR("sts:AssumeRole");
    assert_true(str_ends(policy_denied_message(arena, DECISION_NO_RESOURCE_ALLOW, &request), STR("on resource: arn:r")));
    arena_free(arena);
}

static void test_depends(void **state)
{
    static const struct {
        const char *statement;
        bool depends;
    } cases[] = {
        {"\"Resource\":\"*\"", false},
        {"\"Resource\":\"arn:aws:s3:::${aws:username}\"", false},
        {"\"Resource\":\"arn:aws:s3:::${s3:prefix}\"", true},
        {"\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"aws:PrincipalTag/a\":\"b\"}}", false},
        {"\"Resource\":\"*\",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}}", true},
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct policy *policy = NULL;
        struct str message, text = arena_printf(
            arena, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",%s}}", cases[i].statement);
        assert_int_equal(policy_compile(text, POLICY_IDENTITY, &policy, arena, &message), ERR_OK);
        assert_int_equal(policy_depends_on_request(policy), cases[i].depends);
        policy_free(policy);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions), cmocka_unit_test(test_malformed), cmocka_unit_test(test_many_stars),
        cmocka_unit_test(test_messages),  cmocka_unit_test(test_depends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
