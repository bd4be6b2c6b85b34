/* stage.c -- stages: a name under which a deployment is served, with its stage variables; and the public reader of what a
 * stage serves. Caching, canaries, X-Ray, access logs, client certificates and method settings are refused by name. */
#include "services/apigateway/stage.h"
#include "services/apigateway/apigateway.h"
#include "services/apigateway/document.h"
#include "services/apigateway/handlers.h"
#include "services/apigateway/patch.h"

#define STAGE_VARIABLES_MAX 100 /* quota: stage variables per stage, and their lengths */
#define VARIABLE_NAME_MAX 64
#define VARIABLE_VALUE_MAX 512
#define STAGE_NAME_MAX 128

static bool check_name(struct call *call, struct str name)
{
    if (name.n == 0 || name.n > STAGE_NAME_MAX || !str_alnum_or(name, "_-"))
        call_fail(call, "BadRequestException", "Stage name only allows a-zA-Z0-9_-");
    return !call->failed;
}

static bool check_variable(struct call *call, struct str name, struct str value)
{
    if (name.n == 0 || name.n > VARIABLE_NAME_MAX || !str_alnum_or(name, "_"))
        call_fail(call, "BadRequestException",
                  "Stage variable names may only contain alphanumeric characters and underscores: " STR_FMT, STR_ARG(name));
    else if (value.n == 0 || value.n > VARIABLE_VALUE_MAX || !str_alnum_or(value, "-._~:/?#&=, "))
        call_fail(call, "BadRequestException",
                  "Invalid stage variable value: " STR_FMT ". Please use values with alphanumeric characters and the "
                  "symbols ' ', '-', '.', '_', ':', '/', '?', '&', '=', and ','.",
                  STR_ARG(value));
    return !call->failed;
}

static bool check_variables(struct call *call, const struct json *variables)
{
    if (variables && variables->count > STAGE_VARIABLES_MAX)
        call_fail(call, "LimitExceededException", "Maximum number of stage variables has been reached (%d)", STAGE_VARIABLES_MAX);
    for JSON_EACH (variable, variables)
        if (call->failed || !check_variable(call, variable->key, variable->text))
            return false;
    return !call->failed;
}

/* Members that only their default is served of. */
static bool check_switches(struct call *call)
{
    static const char *const off[] = {"cacheClusterEnabled", "tracingEnabled"};
    for (size_t i = 0; i < COUNT_OF(off); i++)
        if (json_bool(call->input, off[i], false))
            call_fail_not_implemented(call, arena_printf(call->arena, "%s true", off[i]).p);
    return !call->failed;
}

bool apigateway__without_stage(struct call *call)
{
    static const char *const members[] = {"stageDescription", "variables", "cacheClusterEnabled", "tracingEnabled"};
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        const struct json *have = json_at(call->input, members[i]);
        if (have && (have->type == JSON_TRUE || have->count || have->text.n))
            call_fail_not_implemented(call, arena_printf(call->arena, "%s without stageName", members[i]).p);
    }
    return !call->failed;
}

static struct store_key stage_key(struct call *call, struct str name)
{
    return apigateway__key(call, APIGATEWAY_STAGES, call_str(call, "restApiId"), name);
}

static bool load_stage(struct call *call, struct store_txn *txn, struct json **ret)
{
    return apigateway__load(call, txn, stage_key(call, call_str(call, "stageName")), "Invalid stage identifier specified", ret);
}

static bool check_deployment(struct call *call, struct store_txn *txn, struct str id)
{
    struct json *deployment;
    return apigateway__load(call, txn, apigateway__key(call, APIGATEWAY_DEPLOYMENTS, call_str(call, "restApiId"), id),
                            "Invalid Deployment identifier specified", &deployment);
}

static struct json *new_stage(struct call *call, struct str name, struct str deployment_id)
{
    struct arena *arena = call->arena;
    struct json *stage = json_new(arena, JSON_OBJECT);
    json_add_str(arena, stage, "deploymentId", deployment_id);
    json_add_str(arena, stage, "stageName", name);
    json_add_bool(arena, stage, "cacheClusterEnabled", false);
    json_add_str(arena, stage, "cacheClusterStatus", STR("NOT_AVAILABLE"));
    json_add_object(arena, stage, "methodSettings");
    json_add_bool(arena, stage, "tracingEnabled", false);
    apigateway__add_now(call, stage, "createdDate");
    return stage;
}

static void stage_save(struct call *call, struct store_txn *txn, struct json *stage)
{
    apigateway__add_now(call, stage, "lastUpdatedDate");
    doc_put(txn, stage_key(call, json_str(stage, "stageName")), stage, call->arena);
}

static bool stage_quota(struct call *call, struct store_txn *txn)
{
    struct json *all;
    if (!apigateway__load_all(call, txn, APIGATEWAY_STAGES, &all))
        return false;
    if (all->count >= APIGATEWAY_STAGES_MAX)
        call_fail(call, "LimitExceededException", "Maximum number of stages for this API has been reached (%d)",
                  APIGATEWAY_STAGES_MAX);
    return !call->failed;
}

bool apigateway__deploy_stage(struct call *call, struct store_txn *txn, struct str deployment_id)
{
    struct str name = call_str(call, "stageName"), description = call_str(call, "stageDescription");
    const struct json *variables = json_at(call->input, "variables");
    struct json *stage;
    if (!check_name(call, name) || !check_variables(call, variables) || !check_switches(call))
        return false;
    enum err err = doc_get(txn, stage_key(call, name), call->arena, &stage);
    if (err == ERR_NOT_FOUND) {
        if (!stage_quota(call, txn))
            return false;
        stage = new_stage(call, name, deployment_id);
    } else if (err != ERR_OK) {
        call_fail_err(call, err);
        return false;
    }
    json_put(stage, STR("deploymentId"), json_new_str(call->arena, deployment_id));
    if (description.n)
        json_put(stage, STR("description"), json_new_str(call->arena, description));
    if (variables)
        json_put(stage, STR("variables"), json_clone(call->arena, variables));
    stage_save(call, txn, stage);
    return true;
}

void apigateway__create_stage(struct call *call, struct store_txn *txn)
{
    static const char *const copied[] = {"description", "variables", "tags", NULL};
    struct str name = call_str(call, "stageName");
    struct json *api, *taken;
    if (!apigateway__load_api(call, txn, &api) || !check_name(call, name) ||
        !check_deployment(call, txn, call_str(call, "deploymentId")) || !check_variables(call, json_at(call->input, "variables")) ||
        !check_switches(call) || !apigateway__check_tags(call, json_at(call->input, "tags")))
        return;
    if (doc_get(txn, stage_key(call, name), call->arena, &taken) == ERR_OK) {
        call_fail(call, "ConflictException", "Stage already exists");
        return;
    }
    if (!stage_quota(call, txn))
        return;
    struct json *stage = new_stage(call, name, call_str(call, "deploymentId"));
    apigateway__copy(call, stage, copied);
    stage_save(call, txn, stage);
    call->output = stage;
}

void apigateway__get_stage(struct call *call)
{
    struct json *stage;
    if (load_stage(call, apigateway__reader(call), &stage))
        call->output = stage;
}

void apigateway__get_stages(struct call *call)
{
    struct store_txn *txn = apigateway__reader(call);
    struct str deployment_id = call_str(call, "deploymentId");
    struct json *api, *all, *next;
    if (!apigateway__load_api(call, txn, &api) || !apigateway__load_all(call, txn, APIGATEWAY_STAGES, &all))
        return;
    struct json *output = json_new(call->arena, JSON_OBJECT), *item = json_add_array(call->arena, output, "item");
    for (struct json *stage = all->first; stage; stage = next) {
        next = stage->next;
        stage->next = NULL;
        if (deployment_id.n == 0 || str_eq(json_str(stage, "deploymentId"), deployment_id))
            json_add(item, NULL, stage);
    }
    call->output = output;
}

static void patch_deployment(struct call *call, struct json *stage, const struct patch *patch, struct store_txn *txn)
{
    if (check_deployment(call, txn, patch->value))
        apigateway__patch_text(call, stage, patch, txn);
}

static void patch_variable(struct call *call, struct json *stage, const struct patch *patch, struct store_txn *txn)
{
    if (patch->op != PATCH_REMOVE && !check_variable(call, patch->name, patch->value))
        return;
    apigateway__patch_map(call, stage, patch, txn);
    if (!call->failed)
        check_variables(call, json_at(stage, "variables"));
}

static void patch_switch(struct call *call, struct json *stage, const struct patch *patch, struct store_txn *txn)
{
    if (str_eq_nocase(patch->value, STR("true")))
        call_fail_not_implemented(call, arena_printf(call->arena, STR_FMT " true", STR_ARG(patch->path)).p);
    else
        apigateway__patch_boolean(call, stage, patch, txn);
}

static void patch_access_log(struct call *call, struct json *stage, const struct patch *patch, struct store_txn *txn)
{
    (void)stage, (void)txn;
    if (patch->value.n == 0)
        call_fail(call, "BadRequestException", "Access Log value must not be empty");
    else
        call_fail_not_implemented(call, arena_printf(call->arena, "patch path " STR_FMT, STR_ARG(patch->path)).p);
}

static void patch_log_path(struct call *call, struct json *stage, const struct patch *patch, struct store_txn *txn)
{
    (void)stage, (void)patch, (void)txn;
    call_fail(call, "BadRequestException",
              "Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]");
}

/* No stage has method settings here. */
static void patch_no_setting(struct call *call, struct json *stage, const struct patch *patch, struct store_txn *txn)
{
    (void)stage, (void)txn;
    call_fail(call, "BadRequestException",
              "Cannot remove method setting " STR_FMT " because there is no method setting for this method ",
              STR_ARG(str_slice(patch->path, 1, patch->path.n)));
}

/* Sources of the last ones' answers: recorded on AWS, UpdateStage, 25 February 2026 and 5 March 2024. */
static const struct patch_rule stage_rules[] = {
    {"/deploymentId", PATCH_REPLACE, patch_deployment},
    {"/description", PATCH_REPLACE | PATCH_REMOVE, apigateway__patch_text},
    {"/variables/*", PATCH_ADD | PATCH_REPLACE | PATCH_REMOVE, patch_variable},
    {"/tracingEnabled", PATCH_REPLACE, patch_switch},
    {"/cacheClusterEnabled", PATCH_REPLACE, patch_switch},
    {"/cacheClusterSize", PATCH_REPLACE, NULL},
    {"/clientCertificateId", PATCH_REPLACE, NULL},
    {"/documentationVersion", PATCH_REPLACE, NULL},
    {"/accessLogSettings", PATCH_REMOVE | PATCH_ONLY, NULL},
    {"/accessLogSettings/destinationArn", PATCH_ADD | PATCH_REPLACE | PATCH_ONLY, patch_access_log},
    {"/accessLogSettings/format", PATCH_ADD | PATCH_REPLACE | PATCH_ONLY, patch_access_log},
    {"/accessLogSettings", PATCH_ADD | PATCH_REPLACE | PATCH_ONLY, patch_log_path},
    {"/accessLogSettings/*", PATCH_ADD | PATCH_REPLACE | PATCH_ONLY, patch_log_path},
    {"/canarySettings/**", PATCH_REPLACE, NULL},
    {"/*/*/metrics/enabled", PATCH_REPLACE, NULL},
    {"/*/*/logging/*", PATCH_REPLACE, NULL},
    {"/*/*/throttling/*", PATCH_REPLACE, NULL},
    {"/*/*/caching/*", PATCH_REPLACE, NULL},
    {"/*/*", PATCH_REMOVE | PATCH_ONLY, patch_no_setting},
    {NULL, 0, NULL},
};
/* The list in AWS's message, which names patterns rather than what is served here. */
static const struct patch_table stage_patches = {
    stage_rules,
    "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, "
    "/accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled, "
    "/{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, "
    "/{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/"
    "{httpMethod}"
    "/caching/ttlInSeconds, /{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, "
    "/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, "
    "/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, /*/*/logging/dataTrace, "
    "/*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, /*/*/caching/enabled, "
    "/*/*/caching/dataEncrypted, /*/*/caching/requireAuthorizationForCacheControl, "
    "/*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name}, /tracingEnabled",
    "Invalid method setting path",
};

void apigateway__update_stage(struct call *call, struct store_txn *txn)
{
    struct json *stage;
    if (!load_stage(call, txn, &stage) || !apigateway__patch(call, &stage_patches, stage, txn))
        return;
    stage_save(call, txn, stage);
    call->output = stage;
}

void apigateway__delete_stage(struct call *call, struct store_txn *txn)
{
    struct json *stage;
    if (load_stage(call, txn, &stage))
        store_delete(txn, stage_key(call, json_str(stage, "stageName")));
}

/* ---- for the data plane ---- */

static struct store_key key_in(struct arena *arena, const struct apigateway_stage *at, const char *type, struct str api_id,
                               struct str child)
{
    struct str key = child.n ? arena_printf(arena, STR_FMT "/" STR_FMT, STR_ARG(api_id), STR_ARG(child)) : api_id;
    return (struct store_key){APIGATEWAY_SPACE, doc_collection(arena, at->account, at->region, type), key};
}

static bool plain_id(struct str s, size_t max)
{
    return s.n > 0 && s.n <= max && str_alnum_or(s, "_-");
}

/* Of an API that has no stage at all another thing is wrong than of one that has others. */
static const char *why_no_stage(struct store_txn *txn, const struct apigateway_stage *at, struct str api_id, struct arena *arena)
{
    struct store_key key = key_in(arena, at, APIGATEWAY_STAGES, api_id, STR_NONE);
    struct json *list;
    bool more;
    enum err err = doc_list(txn, key.space, key.collection, arena_printf(arena, STR_FMT "/", STR_ARG(api_id)), STR_NONE, 1, arena,
                            &list, &more);
    return err == ERR_OK && list->count == 0 ? "the API is not deployed: it has no stage" : "no such stage of this API";
}

enum err apigateway_find_stage(struct store_txn *txn, struct str api_id, struct str stage, struct arena *arena,
                               struct apigateway_stage *ret, const char **ret_missing)
{
    struct apigateway_stage at = {0};
    struct json *index;
    *ret_missing = "no such API";
    if (!plain_id(api_id, 32))
        return ERR_NOT_FOUND;
    enum err err = doc_get(txn, apigateway__index_key(api_id), arena, &index);
    if (err != ERR_OK)
        return err;
    at.account = json_str(index, "account");
    at.region = json_str(index, "region");
    err = doc_get(txn, key_in(arena, &at, APIGATEWAY_RESTAPIS, api_id, STR_NONE), arena, &at.api);
    if (err != ERR_OK)
        return err;
    err = plain_id(stage, STAGE_NAME_MAX) ? doc_get(txn, key_in(arena, &at, APIGATEWAY_STAGES, api_id, stage), arena, &at.stage)
                                          : ERR_NOT_FOUND;
    if (err == ERR_OK)
        *ret = at;
    else if (err == ERR_NOT_FOUND)
        *ret_missing = why_no_stage(txn, &at, api_id, arena);
    return err;
}

enum err apigateway_find_snapshot(struct store_txn *txn, struct str api_id, struct arena *arena, struct apigateway_stage *at,
                                  const char **ret_missing)
{
    *ret_missing = "the stage's deployment is gone";
    return doc_get(txn, key_in(arena, at, APIGATEWAY_SNAPSHOTS, api_id, json_str(at->stage, "deploymentId")), arena, &at->snapshot);
}
