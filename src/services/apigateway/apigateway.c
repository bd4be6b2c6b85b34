/* apigateway.c -- API Gateway's REST API control plane: the table of operations, and what each asks of IAM.
 * IAM: an action is the HTTP method (apigateway:GET, POST, PUT, PATCH, DELETE), the resource is the operation's path,
 * arn:aws:apigateway:REGION::/restapis/ID/… ("Actions, resources, and condition keys for Amazon API Gateway Management").
 * The path is made anew from the operation's template and the decoded input, so no spelling of a URL slips by a policy. */
#include "services/apigateway/apigateway.h"
#include "call/service_errors.h"
#include "base/codec.h"
#include "call/tags.h"
#include "services/apigateway/handlers.h"

#define APIGATEWAY_BODY_BYTES_MAX (1u << 20)     /* of a request; templates of 300 KB */

#define RESOURCE_ARN_MAX 4096

static struct str uri_input(struct call *call, struct str label)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = &m->shapes[call->operation->input - 1];
    for (uint16_t i = 0; i < shape->member_count; i++) {
        const struct model_member *member = &m->members[shape->members + i];
        if (member->location == MODEL_IN_URI && str_eq(label, str_of(model_text(m, member->wire))))
            return call_str(call, model_text(m, member->name));
    }
    return STR_NONE;
}

static void needs_path(struct call *call, struct needs *needs)
{
    const struct model *m = call->api->model;
    struct str uri = str_of(model_text(m, call->operation->uri));
    struct buf arn;
    buf_init(&arn, call->arena, RESOURCE_ARN_MAX);
    buf_printf(&arn, "arn:aws:apigateway:" STR_FMT "::", STR_ARG(call->region));
    while (uri.n) {
        size_t n = str_find(uri, '{');
        buf_add(&arn, str_slice(uri, 0, n));
        uri = str_slice(uri, n, uri.n);
        if (uri.n == 0)
            break;
        size_t end = str_find(uri, '}');
        percent_write(&arn, uri_input(call, str_slice(uri, 1, end)), false);
        uri = str_slice(uri, end + 1, uri.n);
    }
    if (arn.failed) {
        call_fail(call, "BadRequestException", "Invalid resource path specified");
        return;
    }
    need_add(needs, arena_printf(call->arena, "apigateway:%s", model_text(m, call->operation->method)).p, buf_str(&arn));
    tags_need_request(call, needs, json_at(call->input, "tags"), json_at(call->input, "tagKeys"));
}

static const char *const refused_rest_api[] = {"cloneFrom",      "minimumCompressionSize", "policy",
                                               "securityPolicy", "endpointAccessMode",     NULL};
static const char *const refused_method[] = {"authorizerId", "requestValidatorId", "authorizationScopes", NULL};
static const char *const refused_integration[] = {"connectionId", "credentials", "tlsConfig", "integrationTarget", NULL};
static const char *const refused_deployment[] = {"cacheClusterSize", "canarySettings", NULL};
static const char *const refused_stage[] = {"cacheClusterSize", "documentationVersion", "canarySettings", NULL};

#define READ(operation, handler) {.name = operation, .run = RUN_INLINE, .needs = needs_path, .handle = handler}
#define READ_MUCH(operation, handler) {.name = operation, .run = RUN_WORKER, .needs = needs_path, .handle = handler}
#define WRITE(operation, handler, refusals) \
    {.name = operation, .run = RUN_MUTATION, .needs = needs_path, .mutate = handler, .refused = refusals}

static const struct row rows[] = {
    WRITE("CreateDeployment", apigateway__create_deployment, refused_deployment),
    WRITE("CreateResource", apigateway__create_resource, NULL),
    WRITE("CreateRestApi", apigateway__create_rest_api, refused_rest_api),
    WRITE("CreateStage", apigateway__create_stage, refused_stage),
    WRITE("DeleteDeployment", apigateway__delete_deployment, NULL),
    WRITE("DeleteIntegration", apigateway__delete_integration, NULL),
    WRITE("DeleteIntegrationResponse", apigateway__delete_integration_response, NULL),
    WRITE("DeleteMethod", apigateway__delete_method, NULL),
    WRITE("DeleteMethodResponse", apigateway__delete_method_response, NULL),
    WRITE("DeleteResource", apigateway__delete_resource, NULL),
    WRITE("DeleteRestApi", apigateway__delete_rest_api, NULL),
    WRITE("DeleteStage", apigateway__delete_stage, NULL),
    READ_MUCH("GetDeployment", apigateway__get_deployment),
    READ_MUCH("GetDeployments", apigateway__get_deployments),
    READ("GetIntegration", apigateway__get_integration),
    READ("GetIntegrationResponse", apigateway__get_integration_response),
    READ("GetMethod", apigateway__get_method),
    READ("GetMethodResponse", apigateway__get_method_response),
    READ("GetResource", apigateway__get_resource),
    READ_MUCH("GetResources", apigateway__get_resources),
    READ("GetRestApi", apigateway__get_rest_api),
    READ_MUCH("GetRestApis", apigateway__get_rest_apis),
    READ("GetStage", apigateway__get_stage),
    READ_MUCH("GetStages", apigateway__get_stages),
    READ("GetTags", apigateway__get_tags),
    WRITE("PutIntegration", apigateway__put_integration, refused_integration),
    WRITE("PutIntegrationResponse", apigateway__put_integration_response, NULL),
    WRITE("PutMethod", apigateway__put_method, refused_method),
    WRITE("PutMethodResponse", apigateway__put_method_response, NULL),
    WRITE("TagResource", apigateway__tag_resource, NULL),
    WRITE("UntagResource", apigateway__untag_resource, NULL),
    WRITE("UpdateDeployment", apigateway__update_deployment, NULL),
    WRITE("UpdateIntegration", apigateway__update_integration, NULL),
    WRITE("UpdateIntegrationResponse", apigateway__update_integration_response, NULL),
    WRITE("UpdateMethod", apigateway__update_method, NULL),
    WRITE("UpdateMethodResponse", apigateway__update_method_response, NULL),
    WRITE("UpdateResource", apigateway__update_resource, NULL),
    WRITE("UpdateRestApi", apigateway__update_rest_api, NULL),
    WRITE("UpdateStage", apigateway__update_stage, NULL),
};

const struct service_api apigateway_api = {.model = &model_apigateway,
                                     .rows = rows,
                                     .row_count = COUNT_OF(rows),
                                     .errors = &apigateway_errors,
                                     .body_max = APIGATEWAY_BODY_BYTES_MAX};
