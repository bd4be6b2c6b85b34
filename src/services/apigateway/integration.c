/* integration.c -- what a method is connected to: Lambda (AWS_PROXY, AWS) or MOCK. An integration stands in its method's
 * document as methodIntegration. Everything that the data plane does not honour is refused here, by name, when it is put:
 * HTTP and VPC links, other services, credentials, parameter mappings, templates with VTL, binary conversion. */
#include "services/apigateway/document.h"
#include "base/arn.h"
#include "services/apigateway/handlers.h"
#include "services/apigateway/mapping.h"
#include "services/apigateway/patch.h"

#define TIMEOUT_MS_MIN 50           /* quota: integration timeout, REST API */
#define TIMEOUT_MS_MAX 29000

static void check_type(struct call *call, struct str type)
{
    if (str_eq(type, STR("HTTP")) || str_eq(type, STR("HTTP_PROXY")))
        call_fail_not_implemented(call, arena_printf(call->arena, "integration type " STR_FMT, STR_ARG(type)).p);
}

/* arn:aws:apigateway:REGION:SERVICE:(path|action)/… */
static void check_uri(struct call *call, struct str type, struct str uri)
{
    struct str function;
    struct arn arn;
    if (str_eq(type, STR("MOCK")) || mapping_lambda_uri(uri, &function))
        return;
    bool known = arn_parse(uri, &arn);
    bool is_lambda = known && str_eq(arn.service, STR("apigateway")) && str_eq(arn.account, STR("lambda")); /* for the account */
    if (!known)
        call_fail(call, "BadRequestException", "Invalid ARN specified in the request");
    else if (!str_starts(arn.resource, STR("path/")) && !str_starts(arn.resource, STR("action/")))
        call_fail(call, "BadRequestException", "AWS ARN for integration must contain path or action");
    else if (str_eq(type, STR("AWS_PROXY")))
        call_fail(call, "BadRequestException",
                  "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.");
    else if (!is_lambda)
        call_fail_not_implemented(call, arena_printf(call->arena, "integration with the service " STR_FMT, STR_ARG(arn.account)).p);
    else
        call_fail(call, "BadRequestException", "Invalid Lambda function ARN specified in the integration URI");
}

static void check_timeout(struct call *call, int64_t ms)
{
    if (ms < TIMEOUT_MS_MIN || ms > TIMEOUT_MS_MAX)
        call_fail(call, "BadRequestException", "Timeout should be between %d ms and %d ms", TIMEOUT_MS_MIN, TIMEOUT_MS_MAX);
}

static void check_passthrough(struct call *call, struct str value)
{
    static const char *const valid[] = {"WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"};
    for (size_t i = 0; i < COUNT_OF(valid); i++)
        if (str_eq(value, str_of(valid[i])))
            return;
    call_fail(call, "BadRequestException", "Invalid passthrough behavior specified: " STR_FMT, STR_ARG(value));
}

/* Members that are fine at their default and refused otherwise. */
static void check_defaults(struct call *call)
{
    static const struct { const char *member, *value; } only[] = {
        {"connectionType", "INTERNET"}, {"contentHandling", "CONVERT_TO_TEXT"}, {"responseTransferMode", "BUFFERED"}};
    static const char *const empty[] = {"requestParameters", "cacheKeyParameters"};
    for (size_t i = 0; i < COUNT_OF(only); i++) {
        struct str have = call_str(call, only[i].member);
        if (have.n && !str_eq(have, str_of(only[i].value)))
            call_fail_not_implemented(call, arena_printf(call->arena, "%s " STR_FMT, only[i].member, STR_ARG(have)).p);
    }
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        const struct json *have = json_at(call->input, empty[i]);
        if (have && have->count)
            call_fail_not_implemented(call, arena_printf(call->arena, "parameter %s", empty[i]).p);
    }
}

static bool check_put(struct call *call)
{
    struct str type = call_str(call, "type"), method = call_str(call, "integrationHttpMethod"),
               passthrough = call_str(call, "passthroughBehavior");
    check_type(call, type);
    check_defaults(call);
    if (method.n)
        apigateway__check_http_method(call, method);
    else if (!str_eq(type, STR("MOCK")))
        call_fail(call, "BadRequestException", "Enumeration value for HttpMethod must be non-empty");
    check_uri(call, type, call_str(call, "uri"));
    apigateway__check_templates(call, "requestTemplates", json_at(call->input, "requestTemplates"));
    if (call_has(call, "timeoutInMillis"))
        check_timeout(call, json_i64(call->input, "timeoutInMillis", 0));
    if (passthrough.n)
        check_passthrough(call, passthrough);
    return !call->failed;
}

void apigateway__put_integration(struct call *call, struct store_txn *txn)
{
    static const char *const copied[] = {"requestTemplates", "contentHandling", "responseTransferMode", NULL};
    static const char *const uri[] = {"uri", NULL};
    struct arena *arena = call->arena;
    struct json *resource, *method;
    if (!apigateway__load_method(call, txn, &resource, &method) || !check_put(call))
        return;
    struct str passthrough = call_str(call, "passthroughBehavior"), namespace = call_str(call, "cacheNamespace");
    struct json *integration = json_new(arena, JSON_OBJECT);
    json_add_str(arena, integration, "type", call_str(call, "type"));
    if (call_str(call, "integrationHttpMethod").n)
        json_add_str(arena, integration, "httpMethod", call_str(call, "integrationHttpMethod"));
    if (!str_eq(call_str(call, "type"), STR("MOCK"))) /* a mock's is dropped */
        apigateway__copy(call, integration, uri);
    apigateway__copy(call, integration, copied);
    json_add_str(arena, integration, "passthroughBehavior", passthrough.n ? passthrough : STR("WHEN_NO_MATCH"));
    json_add_i64(arena, integration, "timeoutInMillis", json_i64(call->input, "timeoutInMillis", TIMEOUT_MS_MAX));
    json_add_str(arena, integration, "cacheNamespace", namespace.n ? namespace : json_str(resource, "id"));
    json_add_array(arena, integration, "cacheKeyParameters");
    json_put(method, STR("methodIntegration"), integration);
    if (apigateway__save_resource(call, txn, resource))
        call->output = integration;
}

void apigateway__get_integration(struct call *call)
{
    struct json *resource, *method, *integration;
    if (apigateway__load_integration(call, apigateway__reader(call), &resource, &method, &integration))
        call->output = integration;
}

static void patch_uri(struct call *call, struct json *integration, const struct patch *patch, struct store_txn *txn)
{
    check_uri(call, json_str(integration, "type"), patch->value);
    if (!call->failed)
        apigateway__patch_text(call, integration, patch, txn);
}

static void patch_http_method(struct call *call, struct json *integration, const struct patch *patch, struct store_txn *txn)
{
    if (apigateway__check_http_method(call, patch->value))
        apigateway__patch_text(call, integration, patch, txn);
}

static void patch_passthrough(struct call *call, struct json *integration, const struct patch *patch, struct store_txn *txn)
{
    check_passthrough(call, patch->value);
    if (!call->failed)
        apigateway__patch_text(call, integration, patch, txn);
}

static void patch_timeout(struct call *call, struct json *integration, const struct patch *patch, struct store_txn *txn)
{
    (void)txn;
    int64_t ms = 0;
    str_to_i64(patch->value, &ms);
    check_timeout(call, ms);
    json_put(integration, STR("timeoutInMillis"), json_new_i64(call->arena, ms));
}

static void patch_template(struct call *call, struct json *integration, const struct patch *patch, struct store_txn *txn)
{
    apigateway__patch_map(call, integration, patch, txn);
    if (!call->failed)
        apigateway__check_templates(call, "requestTemplates", json_at(integration, "requestTemplates"));
}

static const struct patch_rule integration_rules[] = {
    {"/uri", PATCH_REPLACE, patch_uri},
    {"/httpMethod", PATCH_REPLACE, patch_http_method},
    {"/passthroughBehavior", PATCH_REPLACE, patch_passthrough},
    {"/timeoutInMillis", PATCH_REPLACE, patch_timeout},
    {"/requestTemplates/*", PATCH_ADD | PATCH_REMOVE | PATCH_REPLACE, patch_template},
    {"/cacheNamespace", PATCH_REPLACE, apigateway__patch_text},
    {"/cacheKeyParameters/*", PATCH_ADD | PATCH_REMOVE | PATCH_REPLACE, NULL},
    {"/requestParameters/*", PATCH_ADD | PATCH_REMOVE | PATCH_REPLACE, NULL},
    {"/contentHandling", PATCH_REMOVE | PATCH_REPLACE, NULL},
    {"/credentials", PATCH_REMOVE | PATCH_REPLACE, NULL},
    {"/connectionType", PATCH_REPLACE, NULL},
    {"/connectionId", PATCH_REPLACE, NULL},
    {"/tlsConfig/insecureSkipVerification", PATCH_REPLACE, NULL},
    {"/responseTransferMode", PATCH_REPLACE, NULL},
    {"/integrationTarget", PATCH_REPLACE, NULL},
    {NULL, 0, NULL},
};
static const struct patch_table integration_patches = {integration_rules, NULL, NULL};

void apigateway__update_integration(struct call *call, struct store_txn *txn)
{
    struct json *resource, *method, *integration;
    if (apigateway__load_integration(call, txn, &resource, &method, &integration) &&
        apigateway__patch(call, &integration_patches, integration, txn) && apigateway__save_resource(call, txn, resource))
        call->output = integration;
}

void apigateway__delete_integration(struct call *call, struct store_txn *txn)
{
    struct json *resource, *method, *integration;
    if (!apigateway__load_integration(call, txn, &resource, &method, &integration))
        return;
    json_remove(method, STR("methodIntegration"));
    apigateway__save_resource(call, txn, resource);
}
