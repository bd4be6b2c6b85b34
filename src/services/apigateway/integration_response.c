/* integration_response.c -- how an integration's outcome becomes one of the method's responses: selection pattern, header
 * values, templates. Stands in the integration's document under integrationResponses, by status code. Honoured: patterns,
 * quoted values for method.response.header.NAME, literal templates; the rest is refused by name. */
#include "services/apigateway/document.h"
#include "services/apigateway/handlers.h"
#include "services/apigateway/mapping.h"
#include "services/apigateway/patch.h"
#include "services/apigateway/selector.h"
#include <stdlib.h>

struct found {
    struct json *resource, *method, *integration, *response;
};

static bool load_integration_response(struct call *call, struct store_txn *txn, struct found *ret)
{
    if (!apigateway__load_integration(call, txn, &ret->resource, &ret->method, &ret->integration))
        return false;
    ret->response = json_get(json_at(ret->integration, "integrationResponses"), call_str(call, "statusCode"));
    if (!ret->response)
        call_fail(call, "NotFoundException", "Invalid Response status code specified");
    return ret->response != NULL;
}

static void check_pattern(struct call *call, struct str text)
{
    struct selector *pattern = selector_new(text);
    if (!pattern)
        call_fail(call, "BadRequestException", "Invalid selection pattern specified: " STR_FMT, STR_ARG(text));
    selector_free(pattern);
}

/* A header may be set only if the method's response of that status declares it. A body holds thousands of both. */
static void check_parameters(struct call *call, const struct json *method, const struct json *parameters)
{
    const struct json *declared =
        json_at(json_get(json_at(method, "methodResponses"), call_str(call, "statusCode")), "responseParameters");
    struct str ignored, *names = arena_array(call->arena, struct str, declared ? declared->count + 1 : 1);
    size_t count = 0;
    for JSON_EACH (parameter, declared)
        names[count++] = parameter->key;
    qsort(names, count, sizeof(*names), str_order);
    for JSON_EACH (parameter, parameters) {
        if (!mapping_response_header(parameter->key, &ignored) ||
            !bsearch(&parameter->key, names, count, sizeof(*names), str_order))
            call_fail(call, "BadRequestException",
                      "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
                      "[Invalid mapping expression parameter specified: " STR_FMT "]",
                      STR_ARG(parameter->key));
        else if (!mapping_literal_value(parameter->text, &ignored))
            call_fail_not_implemented(call, arena_printf(call->arena, "responseParameters value " STR_FMT " (only 'quoted text')",
                                                         STR_ARG(parameter->text)).p);
    }
}

static bool check_integration_response(struct call *call, const struct json *method, const struct json *response)
{
    check_pattern(call, json_str(response, "selectionPattern"));
    check_parameters(call, method, json_at(response, "responseParameters"));
    apigateway__check_templates(call, "responseTemplates", json_at(response, "responseTemplates"));
    return !call->failed;
}

void apigateway__put_integration_response(struct call *call, struct store_txn *txn)
{
    static const char *const copied[] = {"statusCode",        "selectionPattern", "responseParameters",
                                         "responseTemplates", "contentHandling",  NULL};
    struct found at;
    if (!apigateway__load_integration(call, txn, &at.resource, &at.method, &at.integration))
        return;
    if (str_eq(call_str(call, "contentHandling"), STR("CONVERT_TO_BINARY"))) {
        call_fail_not_implemented(call, "contentHandling CONVERT_TO_BINARY");
        return;
    }
    struct json *response = json_new(call->arena, JSON_OBJECT), *responses = json_at(at.integration, "integrationResponses");
    apigateway__copy(call, response, copied);
    if (!check_integration_response(call, at.method, response))
        return;
    if (!responses)
        responses = json_add_object(call->arena, at.integration, "integrationResponses");
    json_put(responses, call_str(call, "statusCode"), response);
    if (apigateway__save_resource(call, txn, at.resource))
        call->output = response;
}

void apigateway__get_integration_response(struct call *call)
{
    struct found at;
    if (load_integration_response(call, apigateway__reader(call), &at))
        call->output = at.response;
}

static const struct patch_rule integration_response_rules[] = {
    {"/selectionPattern", PATCH_REPLACE | PATCH_REMOVE, apigateway__patch_text},
    {"/responseParameters/*", PATCH_ADD | PATCH_REMOVE | PATCH_REPLACE, apigateway__patch_map},
    {"/responseTemplates/*", PATCH_ADD | PATCH_REMOVE | PATCH_REPLACE, apigateway__patch_map},
    {"/contentHandling", PATCH_REPLACE | PATCH_REMOVE, NULL},
    {NULL, 0, NULL},
};
static const struct patch_table integration_response_patches = {integration_response_rules, NULL, NULL};

void apigateway__update_integration_response(struct call *call, struct store_txn *txn)
{
    struct found at;
    if (load_integration_response(call, txn, &at) && apigateway__patch(call, &integration_response_patches, at.response, txn) &&
        check_integration_response(call, at.method, at.response) && apigateway__save_resource(call, txn, at.resource))
        call->output = at.response;
}

/* A method that is missing is an integration that is missing (recorded on AWS, 21 August 2025). */
static bool find_for_delete(struct call *call, struct store_txn *txn, struct found *ret)
{
    if (!apigateway__load_resource(call, txn, call_str(call, "resourceId"), &ret->resource))
        return false;
    ret->method = json_get(json_at(ret->resource, "resourceMethods"), call_str(call, "httpMethod"));
    ret->integration = json_at(ret->method, "methodIntegration");
    if (!ret->integration)
        call_fail(call, "NotFoundException", "Invalid Integration identifier specified");
    else if (!json_get(json_at(ret->integration, "integrationResponses"), call_str(call, "statusCode")))
        call_fail(call, "NotFoundException", "Invalid Response status code specified");
    return !call->failed;
}

void apigateway__delete_integration_response(struct call *call, struct store_txn *txn)
{
    struct found at;
    if (!find_for_delete(call, txn, &at))
        return;
    struct json *responses = json_at(at.integration, "integrationResponses");
    json_remove(responses, call_str(call, "statusCode"));
    if (responses->count == 0)
        json_remove(at.integration, STR("integrationResponses"));
    apigateway__save_resource(call, txn, at.resource);
}
