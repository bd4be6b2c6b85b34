/* iam_test.c -- IAM towards the rest of the server: root key, the source of auth, roles for others, AWS-managed policies. */
#include "call/service.h"
#include "services/iam/iam_internal.h"
#include "store/doc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../base/files.h"

#define ACCOUNT STR("000000000000")

struct fixture {
    char dir[64];
    struct store *store;
    struct auth *auth;
    struct platform_options options;
    struct platform platform;
    struct iam *iam;
    struct auth_source source;
    struct arena *arena;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct str message;
    void *state_of_iam;

    strcpy(f->dir, "/tmp/cloudless-iam-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->arena = arena_new();
    const struct store_options options = {.dir = f->dir};
    assert_int_equal(store_open(&options, f->arena, &f->store, &message), ERR_OK);
    assert_int_equal(auth_new(f->store, 1, &f->auth), ERR_OK);
    f->options = (struct platform_options){.account = "000000000000"};
    f->platform = (struct platform){.options = &f->options, .store = f->store, .auth = f->auth};
    assert_int_equal(iam_service.open(&f->platform, &state_of_iam), ERR_OK);
    f->iam = state_of_iam;
    f->source = iam__auth_source(f->iam);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    iam_service.close(f->iam);
    auth_free(f->auth);
    store_close(f->store);
    arena_free(f->arena);
    files_remove_tree(f->dir);
    free(f);
    return 0;
}

struct put {
    struct arena *arena;
    struct store_key key;
    const char *text;           /* JSON; NULL deletes */
};

static enum err put_doc(struct store_txn *txn, void *arg)
{
    struct put *put = arg;
    struct json *doc;

    if (!put->text) {
        store_delete(txn, put->key);
        return ERR_OK;
    }
    assert_int_equal(json_parse(str_of(put->text), put->arena, &doc), ERR_OK);
    doc_put(txn, put->key, doc, put->arena);
    return ERR_OK;
}

static void store_doc(struct fixture *f, struct store_key key, const char *text)
{
    struct put put = {f->arena, key, text};

    assert_int_equal(store_mutate(f->store, put_doc, &put), ERR_OK);
}

static void test_rows_sorted(void **state)
{
    (void)state;
    for (size_t i = 1; i < iam_api.row_count; i++)
        assert_true(strcmp(iam_api.rows[i - 1].name, iam_api.rows[i].name) < 0);
    for (size_t i = 0; i < iam_api.row_count; i++) {
        assert_non_null(model_operation_find(&model_iam, str_of(iam_api.rows[i].name)));
        assert_non_null(iam_api.rows[i].needs);
    }
}

/* As auth asks for it. */
static enum err root_key(struct fixture *f, struct str id, struct str secret, struct arena *arena, struct str *ret_id, struct str *ret_secret)
{
    const struct auth_source source = iam__auth_source(f->iam);
    return source.root_key(source.arg, id, secret, arena, ret_id, ret_secret);
}

static void test_root_key(void **state)
{
    struct fixture *f = *state;
    struct str id, secret, again, again_secret;
    struct auth_key key;

    assert_int_equal(root_key(f, STR_NONE, STR_NONE, f->arena, &id, &secret), ERR_OK);
    assert_true(str_starts(id, STR("AKIA")) && id.n == 20 && secret.n == 40);
    assert_int_equal(root_key(f, STR_NONE, STR_NONE, f->arena, &again, &again_secret), ERR_OK);
    assert_true(str_eq(id, again) && str_eq(secret, again_secret));
    assert_int_equal(f->source.find_key(f->source.arg, id, f->arena, &key), ERR_OK);
    assert_int_equal(key.principal.type, PRINCIPAL_ROOT);
    assert_true(key.active && str_eq(key.secret, secret));
    assert_true(str_eq(key.principal.arn, STR("arn:aws:iam::000000000000:root")));
    uint64_t generation = f->source.generation(f->source.arg);
    assert_int_equal(root_key(f, STR("test"), STR("preset"), f->arena, &again, &again_secret), ERR_OK);
    assert_true(str_eq(again, STR("test")) && str_eq(again_secret, STR("preset")));
    assert_true(f->source.generation(f->source.arg) != generation);
    assert_int_equal(f->source.find_key(f->source.arg, id, f->arena, &key), ERR_NOT_FOUND);
    assert_int_equal(f->source.find_key(f->source.arg, STR("test"), f->arena, &key), ERR_OK);
    assert_int_equal(root_key(f, STR("test"), STR_NONE, f->arena, &again, &again_secret), ERR_OK);
    assert_true(str_eq(again_secret, STR("preset")));
    assert_int_equal(root_key(f, STR("ASIA1"), STR("x"), f->arena, &again, &again_secret), ERR_INVALID);
    assert_int_equal(root_key(f, STR("a/b"), STR("x"), f->arena, &again, &again_secret), ERR_INVALID);
}

static void test_preset_of_a_user(void **state)
{
    struct fixture *f = *state;
    struct str id, secret;

    store_doc(f, iam__key_place(f->arena, STR("AKIAUSER")), "{\"User\":\"u\",\"Account\":\"000000000000\",\"Secret\":\"s\",\"Status\":\"Active\"}");
    assert_int_equal(root_key(f, STR("AKIAUSER"), STR("x"), f->arena, &id, &secret), ERR_EXISTS);
}

static void test_user_key(void **state)
{
    struct fixture *f = *state;
    struct auth_key key;
    struct auth_identity identity;

    store_doc(f, iam__place(f->arena, ACCOUNT, "users", STR("Alice")),
              "{\"Name\":\"Alice\",\"Path\":\"/staff/\",\"Id\":\"AIDA1\",\"CreateMs\":0,\"Inline\":{\"a\":\"text\"},"
              "\"Attached\":[\"arn:aws:iam::aws:policy/AdministratorAccess\"],\"Tags\":[{\"Key\":\"Team\",\"Value\":\"blue\"}],"
              "\"Boundary\":\"arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess\"}");
    store_doc(f, iam__key_place(f->arena, STR("AKIA1")),
              "{\"User\":\"Alice\",\"Account\":\"000000000000\",\"Secret\":\"s\",\"Status\":\"Inactive\"}");
    assert_int_equal(f->source.find_key(f->source.arg, STR("AKIA1"), f->arena, &key), ERR_OK);
    assert_false(key.active);
    assert_true(str_eq(key.principal.arn, STR("arn:aws:iam::000000000000:user/staff/Alice")));
    assert_int_equal(f->source.identity(f->source.arg, &key.principal, f->arena, &identity), ERR_OK);
    assert_int_equal(identity.policy_count, 2);
    assert_true(str_eq(identity.policies[0], STR("text")));
    assert_true(identity.boundary.n > 0);
    assert_int_equal(identity.tag_count, 1);
    assert_true(str_eq(identity.tags[0].key, STR("Team")) && str_eq(identity.tags[0].value, STR("blue")));
    key.principal.id = STR("AIDA2");        /* another user of that name */
    assert_int_equal(f->source.identity(f->source.arg, &key.principal, f->arena, &identity), ERR_NOT_FOUND);
}

static void test_missing_policy_allows_nothing(void **state)
{
    struct fixture *f = *state;
    const struct principal user = {.type = PRINCIPAL_USER, .account = ACCOUNT, .id = STR("AIDA1"), .name = STR("bob")};
    struct auth_identity identity;

    store_doc(f, iam__place(f->arena, ACCOUNT, "users", STR("bob")),
              "{\"Name\":\"bob\",\"Path\":\"/\",\"Id\":\"AIDA1\",\"Attached\":[\"arn:aws:iam::000000000000:policy/gone\"]}");
    assert_int_equal(f->source.identity(f->source.arg, &user, f->arena, &identity), ERR_CORRUPT);
}

static void test_roles(void **state)
{
    struct fixture *f = *state;
    struct iam_role role;
    struct principal session;

    store_doc(f, iam__place(f->arena, ACCOUNT, "roles", STR("Worker")),
              "{\"Name\":\"Worker\",\"Path\":\"/app/\",\"Id\":\"AROA1\",\"MaxSession\":7200,\"Trust\":\"{\\\"Version\\\":\\\"2012-10-17\\\","
              "\\\"Statement\\\":{\\\"Effect\\\":\\\"Allow\\\",\\\"Principal\\\":{\\\"Service\\\":\\\"lambda.amazonaws.com\\\"},"
              "\\\"Action\\\":\\\"sts:AssumeRole\\\"}}\"}");
    struct store_txn *reader = store_reader(f->store);
    assert_int_equal(iam_role_find(reader, STR("arn:aws:iam::000000000000:role/app/Worker"), f->arena, &role), ERR_OK);
    assert_true(str_eq(role.id, STR("AROA1")) && role.max_session_s == 7200 && str_eq(role.path, STR("/app/")));
    assert_true(iam_role_trusts_service(&role, "lambda.amazonaws.com", f->arena));
    assert_false(iam_role_trusts_service(&role, "apigateway.amazonaws.com", f->arena));
    iam_role_session(&role, STR("fn"), 5000, f->arena, &session);
    assert_true(str_eq(session.arn, STR("arn:aws:sts::000000000000:assumed-role/Worker/fn")));
    assert_true(str_eq(session.id, STR("AROA1:fn")) && str_eq(session.role_arn, role.arn));
    static const char *const wrong[] = {"arn:aws:iam::000000000000:role/Worker", "arn:aws:iam::000000000000:role/app/worker",
                                        "arn:aws:iam::000000000000:user/Worker", "arn:aws:iam::00:role/app/Worker",
                                        "arn:aws:iam::000000000000:role/", "Worker", ""};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(iam_role_find(reader, str_of(wrong[i]), f->arena, &role), ERR_NOT_FOUND);
}

/* Source: AWS managed policy reference guide. */
static void test_managed_policies(void **state)
{
    static const struct {
        const char *policy, *action, *resource;
        bool allowed;
    } facts[] = {
        {"AdministratorAccess", "iam:DeleteRole", "arn:aws:iam::000000000000:role/x", true},
        {"AmazonDynamoDBFullAccess", "dynamodb:DeleteTable", "arn:aws:dynamodb:us-east-1:000000000000:table/t", true},
        {"AmazonDynamoDBFullAccess", "s3:GetObject", "arn:aws:s3:::b/k", false},
        {"AmazonDynamoDBFullAccess", "iam:PassRole", "arn:aws:iam::000000000000:role/x", false},
        {"AmazonDynamoDBReadOnlyAccess", "dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:000000000000:table/t", true},
        {"AmazonDynamoDBReadOnlyAccess", "dynamodb:DescribeTable", "arn:aws:dynamodb:us-east-1:000000000000:table/t", true},
        {"AmazonDynamoDBReadOnlyAccess", "dynamodb:PutItem", "arn:aws:dynamodb:us-east-1:000000000000:table/t", false},
        {"AWSLambdaBasicExecutionRole", "logs:PutLogEvents", "arn:aws:logs:us-east-1:000000000000:log-group:/x:log-stream:y", true},
        {"AWSLambdaBasicExecutionRole", "logs:DeleteLogGroup", "arn:aws:logs:us-east-1:000000000000:log-group:/x", false},
        {"AWSLambda_FullAccess", "lambda:CreateFunction", "arn:aws:lambda:us-east-1:000000000000:function:f", true},
        {"AWSLambda_FullAccess", "logs:GetLogEvents", "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:log-stream:s", true},
        {"AWSLambda_FullAccess", "logs:GetLogEvents", "arn:aws:logs:us-east-1:000000000000:log-group:/other:log-stream:s", false},
        {"AWSLambda_FullAccess", "iam:CreateRole", "arn:aws:iam::000000000000:role/x", false},
        {"CloudWatchLogsFullAccess", "logs:DeleteLogGroup", "arn:aws:logs:us-east-1:000000000000:log-group:/x", true},
        {"AmazonAPIGatewayAdministrator", "apigateway:POST", "arn:aws:apigateway:us-east-1::/restapis", true},
        {"AmazonAPIGatewayAdministrator", "execute-api:Invoke", "arn:aws:execute-api:us-east-1:000000000000:a/b/GET/", false},
        {"AmazonAPIGatewayInvokeFullAccess", "execute-api:Invoke", "arn:aws:execute-api:us-east-1:000000000000:a/b/GET/", true},
    };
    struct fixture *f = *state;
    const struct principal user = {.type = PRINCIPAL_USER, .account = ACCOUNT, .arn = STR("arn:aws:iam::000000000000:user/u")};

    for (size_t i = 0; i < COUNT_OF(facts); i++) {
        const char *path = strcmp(facts[i].policy, "AWSLambdaBasicExecutionRole") == 0 ? "service-role/" : "";
        struct str arn = arena_printf(f->arena, "arn:aws:iam::aws:policy/%s%s", path, facts[i].policy), message;
        const struct policy_request request = {.action = str_of(facts[i].action), .resource = str_of(facts[i].resource), .principal = &user};
        struct json *doc;
        struct policy *policy = NULL;
        bool by_account;
        assert_int_equal(iam__policy_find(store_reader(f->store), ACCOUNT, arn, f->arena, &doc), ERR_OK);
        assert_int_equal(policy_compile(iam__policy_text(doc), POLICY_IDENTITY, &policy, f->arena, &message), ERR_OK);
        if ((policy_match(policy, &request, &by_account) == POLICY_ALLOW) != facts[i].allowed)
            fail_msg("%s %s", facts[i].policy, facts[i].action);
        policy_free(policy);
    }
}

/* A service principal that PassRole names makes the conditional statement of AWSLambda_FullAccess hold. */
static void test_pass_role(void **state)
{
    struct fixture *f = *state;
    const struct principal user = {.type = PRINCIPAL_USER, .account = ACCOUNT, .arn = STR("arn:aws:iam::000000000000:user/u")};
    struct policy_context passed = {"iam:PassedToService", STR("lambda.amazonaws.com")};
    struct policy_request request = {.action = STR("iam:PassRole"), .resource = STR("arn:aws:iam::000000000000:role/x"), .principal = &user,
                                     .context = &passed, .context_count = 1};
    struct str message;
    struct json *doc = iam__managed_find(f->arena, STR("arn:aws:iam::aws:policy/AWSLambda_FullAccess"));
    struct policy *policy = NULL;
    bool by_account;

    assert_int_equal(policy_compile(iam__policy_text(doc), POLICY_IDENTITY, &policy, f->arena, &message), ERR_OK);
    assert_int_equal(policy_match(policy, &request, &by_account), POLICY_ALLOW);
    passed.value = STR("ec2.amazonaws.com");
    assert_int_equal(policy_match(policy, &request, &by_account), POLICY_NO_MATCH);
    policy_free(policy);
}

static void test_services(void **state)
{
    static const char *const good[] = {"lambda.amazonaws.com", "states.eu-central-1.amazonaws.com", "ec2.amazonaws.com.cn",
                                       "batchoperations.s3.amazonaws.com", "resource-explorer-2.amazonaws.com"};
    static const char *const bad[] = {"",
                                      ".amazonaws.com",
                                      "amazonaws.com",
                                      "lambda",
                                      "lambda.amazonaws.com.",
                                      "Lambda.amazonaws.com",
                                      "*",
                                      "tagging.amazonaws.com",
                                      "us-east-1.amazonaws.com",
                                      ".us-east-1.amazonaws.com",
                                      "lambda.x.amazonaws.com",
                                      "lambda.amazonaws.com.us-east-1.amazonaws.com",
                                      "lambda-1.amazonaws.com",
                                      "lambda.--1.example.com"};
    const char *const *names;
    size_t count = iam__services(&names);

    (void)state;
    assert_true(count > 400);
    for (size_t i = 1; i < count; i++)
        assert_true(strcmp(names[i - 1], names[i]) < 0);
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(iam__is_service(str_of(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(iam__is_service(str_of(bad[i])));
}

/* Stored by a release that took such text: nobody is trusted by it, also when names in it are replaced. */
static void test_repeated_keys_in_the_store(void **state)
{
    struct fixture *f = *state;
    const char *trust =
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":"
        "\"arn:aws:iam::000000000000:user/gone\",\"Service\":\"lambda.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}";
    struct json *role = json_new(f->arena, JSON_OBJECT), *ids = json_add_object(f->arena, role, "TrustIds");
    struct policy *policy = NULL;
    struct str message;

    json_add_str(f->arena, role, "Trust", str_of(trust));
    json_add_str(f->arena, ids, "arn:aws:iam::000000000000:user/gone", STR("AIDA12345678901234567"));
    const struct iam_role found = {.arn = STR("arn:aws:iam::000000000000:role/r"),
                                   .trust_policy = iam__trust_text(store_reader(f->store), ACCOUNT, role, f->arena)};
    assert_false(iam_role_trusts_service(&found, "lambda.amazonaws.com", f->arena));
    assert_int_equal(policy_compile(found.trust_policy, POLICY_TRUST, &policy, f->arena, &message), ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_sorted),
        TEST(test_root_key),
        TEST(test_preset_of_a_user),
        TEST(test_user_key),
        TEST(test_missing_policy_allows_nothing),
        TEST(test_roles),
        TEST(test_managed_policies),
        TEST(test_pass_role),
        cmocka_unit_test(test_services),
        TEST(test_repeated_keys_in_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
