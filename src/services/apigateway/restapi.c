/* restapi.c -- CreateRestApi, GetRestApi(s), UpdateRestApi, DeleteRestApi.
 * An API is its document, its root resource and an entry in the index of API ids (an id is unique in the server, because
 * a request for a stage names nothing but the API). Deleting it drops all of its documents in the same commit. */
#include "services/apigateway/document.h"
#include "services/apigateway/handlers.h"
#include "services/apigateway/patch.h"

#define NAME_MAX_BYTES 1024

static bool check_endpoint(struct call *call, const struct json *endpoint)
{
    const struct json *types = json_at(endpoint, "types"), *vpc = json_at(endpoint, "vpcEndpointIds");
    struct str ip = json_str(endpoint, "ipAddressType");
    if (types && types->count == 0 && json_is(types, JSON_ARRAY))
        call_fail(call, "BadRequestException", "REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.");
    else if (types && types->count > 1)
        call_fail(call, "BadRequestException", "Cannot create an api with multiple Endpoint Types.");
    else if (types && str_eq(types->first->text, STR("PRIVATE")))
        call_fail_not_implemented(call, "endpointConfiguration.types PRIVATE");
    else if (vpc && vpc->count)
        call_fail_not_implemented(call, "endpointConfiguration.vpcEndpointIds");
    else if (ip.n && !str_eq(ip, STR("ipv4")))
        call_fail_not_implemented(call, "endpointConfiguration.ipAddressType dualstack");
    return !call->failed;
}

static bool check_create(struct call *call)
{
    struct str name = call_str(call, "name");
    const struct json *description = json_at(call->input, "description"), *binary = json_at(call->input, "binaryMediaTypes");
    if (name.n == 0 || name.n > NAME_MAX_BYTES)
        call_fail(call, "BadRequestException", "API name must be between 1 and %d characters long", NAME_MAX_BYTES);
    else if (json_is(description, JSON_STRING) && description->text.n == 0)
        call_fail(call, "BadRequestException", "Description cannot be an empty string");
    else if (binary && binary->count)
        call_fail_not_implemented(call, "parameter binaryMediaTypes");
    else if (str_eq(call_str(call, "apiKeySource"), STR("AUTHORIZER")))
        call_fail_not_implemented(call, "apiKeySource AUTHORIZER");
    return !call->failed && check_endpoint(call, json_at(call->input, "endpointConfiguration")) &&
           apigateway__check_tags(call, json_at(call->input, "tags"));
}

static struct json *new_endpoint(struct call *call)
{
    const struct json *types = json_at(json_at(call->input, "endpointConfiguration"), "types");
    struct json *endpoint = json_new(call->arena, JSON_OBJECT);
    json_add(json_add_array(call->arena, endpoint, "types"), NULL,
             json_new_str(call->arena, types && types->first ? types->first->text : STR("EDGE")));
    json_add_str(call->arena, endpoint, "ipAddressType", STR("ipv4"));
    return endpoint;
}

static bool restapi_quota(struct call *call, struct store_txn *txn)
{
    struct store_key key = apigateway__key(call, APIGATEWAY_RESTAPIS, STR_NONE, STR_NONE);
    struct json *list;
    bool more;
    enum err err = doc_list(txn, key.space, key.collection, STR_NONE, STR_NONE, APIGATEWAY_APIS_MAX, call->arena, &list, &more);
    if (err != ERR_OK)
        call_fail_err(call, err);
    else if (list->count >= APIGATEWAY_APIS_MAX)
        call_fail(call, "LimitExceededException", "Maximum number of APIs for this account has been reached (%d)",
                  APIGATEWAY_APIS_MAX);
    return !call->failed;
}

static struct str unused_api_id(struct call *call, struct store_txn *txn)
{
    struct json *taken;
    struct str id;
    do
        id = apigateway__new_id(call, 10);
    while (doc_get(txn, apigateway__index_key(id), call->arena, &taken) == ERR_OK);
    return id;
}

void apigateway__create_rest_api(struct call *call, struct store_txn *txn)
{
    static const char *const copied[] = {"name", "description", "version", "tags", NULL};
    if (!check_create(call) || !restapi_quota(call, txn))
        return;
    struct arena *arena = call->arena;
    struct str id = unused_api_id(call, txn), root_id = apigateway__new_id(call, 10);

    struct json *api = json_new(arena, JSON_OBJECT);
    json_add_str(arena, api, "id", id);
    apigateway__copy(call, api, copied);
    apigateway__add_now(call, api, "createdDate");
    json_add_str(arena, api, "apiKeySource", STR("HEADER"));
    json_add(api, "endpointConfiguration", new_endpoint(call));
    json_add_bool(arena, api, "disableExecuteApiEndpoint", json_bool(call->input, "disableExecuteApiEndpoint", false));
    json_add_str(arena, api, "rootResourceId", root_id);

    struct json *index = json_new(arena, JSON_OBJECT);
    json_add_str(arena, index, "account", call->account);
    json_add_str(arena, index, "region", call->region);

    struct json *root = json_new(arena, JSON_OBJECT);
    json_add_str(arena, root, "id", root_id);
    json_add_str(arena, root, "path", STR("/"));

    doc_put(txn, apigateway__key(call, APIGATEWAY_RESTAPIS, id, STR_NONE), api, arena);
    doc_put(txn, apigateway__index_key(id), index, arena);
    doc_put(txn, apigateway__key(call, APIGATEWAY_RESOURCES, id, root_id), root, arena);
    call->output = api;
}

void apigateway__get_rest_api(struct call *call)
{
    struct json *api;
    if (apigateway__load_api(call, apigateway__reader(call), &api))
        call->output = api;
}

void apigateway__get_rest_apis(struct call *call)
{
    struct store_key key = apigateway__key(call, APIGATEWAY_RESTAPIS, STR_NONE, STR_NONE);
    struct json *list, *apis = json_new(call->arena, JSON_ARRAY);
    bool more;
    enum err err = doc_list(apigateway__reader(call), key.space, key.collection, STR_NONE, STR_NONE, APIGATEWAY_APIS_MAX,
                            call->arena, &list, &more);
    if (err != ERR_OK) {
        call_fail_err(call, err);
        return;
    }
    for JSON_EACH (entry, list) {
        struct json *api = json_at(entry, "d");
        api->next = NULL;
        json_add(apis, NULL, api);
    }
    apigateway__answer_page(call, apis, "id");
}

static void patch_name(struct call *call, struct json *api, const struct patch *patch, struct store_txn *txn)
{
    if (patch->value.n == 0 || patch->value.n > NAME_MAX_BYTES)
        call_fail(call, "BadRequestException", "API name must be between 1 and %d characters long", NAME_MAX_BYTES);
    else
        apigateway__patch_text(call, api, patch, txn);
}

static void patch_key_source(struct call *call, struct json *api, const struct patch *patch, struct store_txn *txn)
{
    if (str_eq(patch->value, STR("HEADER")))
        apigateway__patch_text(call, api, patch, txn);
    else
        call_fail_not_implemented(call, "patch path /apiKeySource with a value other than HEADER");
}

/* /endpointConfiguration/types/EDGE or …/types/0: the type that there is becomes the value. */
static void patch_endpoint_type(struct call *call, struct json *api, const struct patch *patch, struct store_txn *txn)
{
    (void)txn;
    struct json *types = json_at(json_at(api, "endpointConfiguration"), "types");
    if (str_eq(patch->value, STR("PRIVATE")))
        call_fail_not_implemented(call, "endpoint type PRIVATE");
    else if (!str_eq(patch->value, STR("EDGE")) && !str_eq(patch->value, STR("REGIONAL")))
        call_fail(call, "BadRequestException", "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE");
    else if (types && types->first)
        types->first->text = patch->value;
}

static void patch_ip_type(struct call *call, struct json *api, const struct patch *patch, struct store_txn *txn)
{
    (void)api, (void)txn;
    if (str_eq(patch->value, STR("dualstack")))
        call_fail_not_implemented(call, "ipAddressType dualstack");
    else if (!str_eq(patch->value, STR("ipv4")))
        call_fail(call, "BadRequestException", "ipAddressType must be either ipv4 or dualstack.");
}

static const struct patch_rule restapi_rules[] = {
    {"/name", PATCH_REPLACE, patch_name},
    {"/description", PATCH_REPLACE | PATCH_REMOVE, apigateway__patch_text},
    {"/version", PATCH_REPLACE | PATCH_REMOVE, apigateway__patch_text},
    {"/apiKeySource", PATCH_REPLACE, patch_key_source},
    {"/disableExecuteApiEndpoint", PATCH_REPLACE, apigateway__patch_boolean},
    {"/endpointConfiguration/types/*", PATCH_REPLACE, patch_endpoint_type},
    {"/endpointConfiguration/ipAddressType", PATCH_REPLACE, patch_ip_type},
    {"/endpointConfiguration/vpcEndpointIds", PATCH_ADD | PATCH_REMOVE, NULL},
    {"/endpointConfiguration/vpcEndpointIds/*", PATCH_ADD | PATCH_REMOVE, NULL},
    {"/binaryMediaTypes/*", PATCH_ADD | PATCH_REMOVE | PATCH_REPLACE, NULL},
    {"/minimumCompressionSize", PATCH_REPLACE, NULL},
    {"/policy", PATCH_REPLACE | PATCH_REMOVE, NULL},
    {"/securityPolicy", PATCH_REPLACE, NULL},
    {"/endpointAccessMode", PATCH_REPLACE, NULL},
    {NULL, 0, NULL},
};
static const struct patch_table restapi_patches = {restapi_rules, NULL, NULL};

void apigateway__update_rest_api(struct call *call, struct store_txn *txn)
{
    struct json *api;
    if (!apigateway__load_api(call, txn, &api) || !apigateway__patch(call, &restapi_patches, api, txn))
        return;
    doc_put(txn, apigateway__key(call, APIGATEWAY_RESTAPIS, json_str(api, "id"), STR_NONE), api, call->arena);
    if (!json_at(api, "tags"))
        json_add_object(call->arena, api, "tags");
    call->output = api;
}

void apigateway__delete_rest_api(struct call *call, struct store_txn *txn)
{
    static const char *const types[] = {APIGATEWAY_RESOURCES, APIGATEWAY_DEPLOYMENTS, APIGATEWAY_SNAPSHOTS, APIGATEWAY_STAGES};
    struct json *api;
    if (!apigateway__load_api(call, txn, &api))
        return;
    struct str id = json_str(api, "id");
    for (size_t i = 0; i < COUNT_OF(types); i++)
        apigateway__delete_all(call, txn, types[i], id);
    store_delete(txn, apigateway__key(call, APIGATEWAY_RESTAPIS, id, STR_NONE));
    store_delete(txn, apigateway__index_key(id));
}
