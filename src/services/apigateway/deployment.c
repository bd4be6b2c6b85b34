/* deployment.c -- deployments: immutable snapshots of an API's resources, methods and integrations. Later edits of the API
 * change nothing that a stage serves until the stage points to another deployment. */
#include "services/apigateway/document.h"
#include "services/apigateway/handlers.h"
#include "services/apigateway/patch.h"
#include "services/apigateway/stage.h"

static bool load_deployment(struct call *call, struct store_txn *txn, struct json **ret)
{
    struct store_key key =
        apigateway__key(call, APIGATEWAY_DEPLOYMENTS, call_str(call, "restApiId"), call_str(call, "deploymentId"));
    return apigateway__load(call, txn, key, "Invalid Deployment identifier specified", ret);
}

static bool check_deployable(struct call *call, const struct json *resources)
{
    size_t methods = 0;
    for JSON_EACH (resource, resources)
        for JSON_EACH (method, json_at(resource, "resourceMethods")) {
            methods++;
            if (!json_at(method, "methodIntegration"))
                call_fail(call, "BadRequestException", "No integration defined for method");
        }
    if (methods == 0)
        call_fail(call, "BadRequestException", "The REST API doesn't contain any methods");
    return !call->failed;
}

void apigateway__create_deployment(struct call *call, struct store_txn *txn)
{
    struct arena *arena = call->arena;
    struct str api_id = call_str(call, "restApiId"), stage_name = call_str(call, "stageName");
    struct json *api, *resources, *taken;
    if (!apigateway__load_api(call, txn, &api) || !apigateway__load_all(call, txn, APIGATEWAY_RESOURCES, &resources) ||
        !check_deployable(call, resources))
        return;

    struct str id;
    struct store_key key;
    do {
        id = apigateway__new_id(call, 6);
        key = apigateway__key(call, APIGATEWAY_DEPLOYMENTS, api_id, id);
    } while (doc_get(txn, key, arena, &taken) == ERR_OK);

    struct json *deployment = json_new(arena, JSON_OBJECT), *snapshot = json_new(arena, JSON_OBJECT);
    json_add_str(arena, deployment, "id", id);
    if (call_str(call, "description").n)
        json_add_str(arena, deployment, "description", call_str(call, "description"));
    apigateway__add_now(call, deployment, "createdDate");
    json_add(snapshot, "resources", resources);
    if (json_text(arena, snapshot).n > APIGATEWAY_SNAPSHOT_BYTES_MAX) {
        call_fail(call, "LimitExceededException", "The API's definition is limited to %u bytes", APIGATEWAY_SNAPSHOT_BYTES_MAX);
        return;
    }
    if (!(stage_name.n ? apigateway__deploy_stage(call, txn, id) : apigateway__without_stage(call)))
        return;
    doc_put(txn, key, deployment, arena);
    doc_put(txn, apigateway__key(call, APIGATEWAY_SNAPSHOTS, api_id, id), snapshot, arena);
    call->output = deployment;
}

/* {"/path": {"GET": {"authorizationType", "apiKeyRequired"}}} */
static struct json *summary(struct call *call, const struct json *snapshot)
{
    struct json *paths = json_new(call->arena, JSON_OBJECT);
    for JSON_EACH (resource, json_at(snapshot, "resources")) {
        if (!json_at(resource, "resourceMethods"))
            continue;
        struct json *methods = json_add_key(paths, json_str(resource, "path"), json_new(call->arena, JSON_OBJECT));
        for JSON_EACH (method, json_at(resource, "resourceMethods")) {
            struct json *entry = json_add_key(methods, method->key, json_new(call->arena, JSON_OBJECT));
            json_add_str(call->arena, entry, "authorizationType", json_str(method, "authorizationType"));
            json_add_bool(call->arena, entry, "apiKeyRequired", json_bool(method, "apiKeyRequired", false));
        }
    }
    return paths;
}

void apigateway__get_deployment(struct call *call)
{
    struct store_txn *txn = apigateway__reader(call);
    struct json *deployment, *snapshot;
    if (!load_deployment(call, txn, &deployment))
        return;
    for JSON_EACH (word, json_at(call->input, "embed")) {
        if (!str_eq_nocase(word->text, STR("apisummary"))) {
            call_fail(call, "BadRequestException", "Invalid embed value specified: " STR_FMT, STR_ARG(word->text));
            return;
        }
        struct store_key key =
            apigateway__key(call, APIGATEWAY_SNAPSHOTS, call_str(call, "restApiId"), call_str(call, "deploymentId"));
        if (!apigateway__load(call, txn, key, "Invalid Deployment identifier specified", &snapshot))
            return;
        json_put(deployment, STR("apiSummary"), summary(call, snapshot));
    }
    call->output = deployment;
}

void apigateway__get_deployments(struct call *call)
{
    struct store_txn *txn = apigateway__reader(call);
    struct json *api;
    if (apigateway__load_api(call, txn, &api))
        apigateway__answer_page_of(call, txn, APIGATEWAY_DEPLOYMENTS);
}

static const struct patch_rule deployment_rules[] = {{"/description", PATCH_REPLACE | PATCH_REMOVE, apigateway__patch_text},
                                                     {NULL, 0, NULL}};
static const struct patch_table deployment_patches = {deployment_rules, "/description", NULL};

void apigateway__update_deployment(struct call *call, struct store_txn *txn)
{
    struct json *deployment;
    if (!load_deployment(call, txn, &deployment) || !apigateway__patch(call, &deployment_patches, deployment, txn))
        return;
    doc_put(txn, apigateway__key(call, APIGATEWAY_DEPLOYMENTS, call_str(call, "restApiId"), json_str(deployment, "id")), deployment,
            call->arena);
    call->output = deployment;
}

void apigateway__delete_deployment(struct call *call, struct store_txn *txn)
{
    struct str api_id = call_str(call, "restApiId"), id = call_str(call, "deploymentId");
    struct json *deployment, *stages;
    if (!load_deployment(call, txn, &deployment) || !apigateway__load_all(call, txn, APIGATEWAY_STAGES, &stages))
        return;
    for JSON_EACH (stage, stages)
        if (str_eq(json_str(stage, "deploymentId"), id)) {
            call_fail(call, "BadRequestException", "Active stages pointing to this deployment must be moved or deleted");
            return;
        }
    store_delete(txn, apigateway__key(call, APIGATEWAY_DEPLOYMENTS, api_id, id));
    store_delete(txn, apigateway__key(call, APIGATEWAY_SNAPSHOTS, api_id, id));
}
