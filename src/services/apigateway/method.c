/* method.c -- methods of a resource and the responses they declare. A method lives in its resource's document, under
 * resourceMethods, with its responses and its integration, so each call here is one read and one write of that document. */
#include "services/apigateway/document.h"
#include "services/apigateway/handlers.h"
#include "services/apigateway/mapping.h"
#include "services/apigateway/patch.h"
#include <stdlib.h>

bool apigateway__check_http_method(struct call *call, struct str name)
{
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"};
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (str_eq(name, str_of(methods[i])))
            return true;
    call_fail(call, "BadRequestException",
              "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY");
    return false;
}

static bool check_authorization(struct call *call, struct str type)
{
    static const char *const others[] = {"AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS"};
    if (str_eq_nocase(type, STR("NONE")))
        return true;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (str_eq(type, str_of(others[i])))
            call_fail_not_implemented(call, arena_printf(call->arena, "authorizationType %s", others[i]).p);
    call_fail(call, "BadRequestException",
              "Invalid authorization type specified. Valid options are NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS");
    return false;
}

/* "Empty" and "Error" are the models that every API has. */
static bool check_model(struct call *call, struct str name)
{
    bool known = str_eq(name, STR("Empty")) || str_eq(name, STR("Error"));
    if (!known)
        call_fail(call, "BadRequestException", "Invalid model identifier specified: " STR_FMT, STR_ARG(name));
    return known;
}

static bool check_models(struct call *call, const struct json *models)
{
    for JSON_EACH (model, models)
        if (!check_model(call, model->text))
            return false;
    return true;
}

static void fail_mapping(struct call *call, struct str what)
{
    call_fail(call, "BadRequestException", "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
                                           "[Invalid mapping expression specified: " STR_FMT "]", STR_ARG(what));
}

static bool request_parameter(struct str key, struct str *ret_name)
{
    static const char *const places[] = {"method.request.path.", "method.request.querystring.", "method.request.header."};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct str prefix = str_of(places[i]);
        *ret_name = str_slice(key, prefix.n, key.n);
        if (str_starts(key, prefix) && ret_name->n)
            return true;
    }
    return false;
}

static bool check_request_parameters(struct call *call, const struct json *parameters)
{
    struct str *names = arena_array(call->arena, struct str, parameters ? parameters->count + 1 : 1);
    size_t count = 0;
    for JSON_EACH (parameter, parameters)
        if (!request_parameter(parameter->key, &names[count++])) {
            fail_mapping(call, parameter->key);
            return false;
        }
    qsort(names, count, sizeof(*names), str_order);
    for (size_t i = 1; i < count; i++)
        if (str_eq(names[i - 1], names[i])) {
            call_fail(call, "BadRequestException", "Parameter names must be unique across querystring, header and path");
            return false;
        }
    return true;
}

static bool check_response_parameters(struct call *call, const struct json *parameters)
{
    struct str name;
    for JSON_EACH (parameter, parameters)
        if (!mapping_response_header(parameter->key, &name)) {
            fail_mapping(call, parameter->key);
            return false;
        }
    return true;
}

void apigateway__put_method(struct call *call, struct store_txn *txn)
{
    static const char *const copied[] = {"operationName", "requestParameters", "requestModels", NULL};
    struct str name = call_str(call, "httpMethod");
    struct json *resource;
    if (!apigateway__load_resource(call, txn, call_str(call, "resourceId"), &resource))
        return;
    struct json *methods = json_at(resource, "resourceMethods");
    if (!apigateway__check_http_method(call, name))
        return;
    if (json_get(methods, name))
        call_fail(call, "ConflictException", "Method already exists for this resource");
    else if (json_bool(call->input, "apiKeyRequired", false))
        call_fail_not_implemented(call, "apiKeyRequired true");
    if (call->failed || !check_authorization(call, call_str(call, "authorizationType")) ||
        !check_request_parameters(call, json_at(call->input, "requestParameters")) ||
        !check_models(call, json_at(call->input, "requestModels")))
        return;
    struct json *method = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, method, "httpMethod", name);
    json_add_str(call->arena, method, "authorizationType", STR("NONE")); /* in capitals, as AWS does */
    json_add_bool(call->arena, method, "apiKeyRequired", false);
    apigateway__copy(call, method, copied);
    if (!methods)
        methods = json_add_object(call->arena, resource, "resourceMethods");
    json_add_key(methods, name, method);
    if (apigateway__save_resource(call, txn, resource))
        call->output = method;
}

void apigateway__get_method(struct call *call)
{
    struct json *resource, *method;
    if (apigateway__load_method(call, apigateway__reader(call), &resource, &method))
        call->output = method;
}

static void patch_authorization(struct call *call, struct json *method, const struct patch *patch, struct store_txn *txn)
{
    (void)txn;
    if (check_authorization(call, patch->value))
        json_put(method, STR("authorizationType"), json_new_str(call->arena, STR("NONE")));
}

static void patch_key_required(struct call *call, struct json *method, const struct patch *patch, struct store_txn *txn)
{
    if (str_eq_nocase(patch->value, STR("true")))
        call_fail_not_implemented(call, "apiKeyRequired true");
    else
        apigateway__patch_boolean(call, method, patch, txn);
}

static void patch_request_parameter(struct call *call, struct json *method, const struct patch *patch, struct store_txn *txn)
{
    if (apigateway__patch_finds(call, method, patch))
        apigateway__patch_boolean_map(call, method, patch, txn);
    if (!call->failed)
        check_request_parameters(call, json_at(method, "requestParameters"));
}

static void patch_model(struct call *call, struct json *document, const struct patch *patch, struct store_txn *txn)
{
    if (apigateway__patch_finds(call, document, patch) && (patch->op == PATCH_REMOVE || check_model(call, patch->value)))
        apigateway__patch_map(call, document, patch, txn);
}

static const struct patch_rule method_rules[] = {
    {"/authorizationType", PATCH_REPLACE, patch_authorization},
    {"/apiKeyRequired", PATCH_REPLACE, patch_key_required},
    {"/operationName", PATCH_REPLACE, apigateway__patch_text},
    {"/requestParameters/*", PATCH_ADD | PATCH_REMOVE | PATCH_REPLACE, patch_request_parameter},
    {"/requestModels/*", PATCH_ADD | PATCH_REMOVE | PATCH_REPLACE, patch_model},
    {"/authorizerId", PATCH_REPLACE, NULL},
    {"/requestValidatorId", PATCH_REPLACE, NULL},
    {"/authorizationScopes", PATCH_ADD | PATCH_REMOVE | PATCH_REPLACE, NULL},
    {NULL, 0, NULL},
};
static const struct patch_table method_patches = {method_rules, NULL, NULL};

void apigateway__update_method(struct call *call, struct store_txn *txn)
{
    struct json *resource, *method;
    if (apigateway__load_method(call, txn, &resource, &method) && apigateway__patch(call, &method_patches, method, txn) &&
        apigateway__save_resource(call, txn, resource))
        call->output = method;
}

void apigateway__delete_method(struct call *call, struct store_txn *txn)
{
    struct json *resource, *method;
    if (!apigateway__load_method(call, txn, &resource, &method))
        return;
    json_remove(json_at(resource, "resourceMethods"), call_str(call, "httpMethod"));
    apigateway__save_resource(call, txn, resource);
}

/* ---- method responses ---- */

static bool load_method_response(struct call *call, struct store_txn *txn, struct json **ret_resource, struct json **ret_method,
                                 struct json **ret)
{
    if (!apigateway__load_method(call, txn, ret_resource, ret_method))
        return false;
    *ret = json_get(json_at(*ret_method, "methodResponses"), call_str(call, "statusCode"));
    if (!*ret)
        call_fail(call, "NotFoundException", "Invalid Response status code specified");
    return *ret != NULL;
}

void apigateway__put_method_response(struct call *call, struct store_txn *txn)
{
    static const char *const copied[] = {"statusCode", "responseParameters", "responseModels", NULL};
    struct json *resource, *method;
    if (!apigateway__load_method(call, txn, &resource, &method))
        return;
    struct json *responses = json_at(method, "methodResponses");
    if (json_get(responses, call_str(call, "statusCode")))
        call_fail(call, "ConflictException", "Response already exists for this resource");
    if (call->failed || !check_response_parameters(call, json_at(call->input, "responseParameters")) ||
        !check_models(call, json_at(call->input, "responseModels")))
        return;
    struct json *response = json_new(call->arena, JSON_OBJECT);
    apigateway__copy(call, response, copied);
    if (!responses)
        responses = json_add_object(call->arena, method, "methodResponses");
    json_add_key(responses, call_str(call, "statusCode"), response);
    if (apigateway__save_resource(call, txn, resource))
        call->output = response;
}

void apigateway__get_method_response(struct call *call)
{
    struct json *resource, *method, *response;
    if (load_method_response(call, apigateway__reader(call), &resource, &method, &response))
        call->output = response;
}

static void patch_response_parameter(struct call *call, struct json *response, const struct patch *patch, struct store_txn *txn)
{
    if (apigateway__patch_finds(call, response, patch))
        apigateway__patch_boolean_map(call, response, patch, txn);
    if (!call->failed)
        check_response_parameters(call, json_at(response, "responseParameters"));
}

static const struct patch_rule method_response_rules[] = {
    {"/responseParameters/*", PATCH_ADD | PATCH_REMOVE | PATCH_REPLACE, patch_response_parameter},
    {"/responseModels/*", PATCH_ADD | PATCH_REMOVE | PATCH_REPLACE, patch_model},
    {NULL, 0, NULL},
};
static const struct patch_table method_response_patches = {method_response_rules, NULL, NULL};

void apigateway__update_method_response(struct call *call, struct store_txn *txn)
{
    struct json *resource, *method, *response;
    if (load_method_response(call, txn, &resource, &method, &response) &&
        apigateway__patch(call, &method_response_patches, response, txn) && apigateway__save_resource(call, txn, resource))
        call->output = response;
}

void apigateway__delete_method_response(struct call *call, struct store_txn *txn)
{
    struct json *resource, *method, *response;
    if (!load_method_response(call, txn, &resource, &method, &response))
        return;
    struct json *responses = json_at(method, "methodResponses");
    json_remove(responses, call_str(call, "statusCode"));
    if (responses->count == 0)
        json_remove(method, STR("methodResponses"));
    apigateway__save_resource(call, txn, resource);
}
