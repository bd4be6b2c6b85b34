/* apigateway.c -- API Gateway's REST API control plane: the table of operations, and what each asks of IAM.
 * IAM: an action is the HTTP method (apigateway:GET, POST, PUT, PATCH, DELETE), the resource is the operation's path,
 * arn:aws:apigateway:REGION::/restapis/ID/… ("Actions, resources, and condition keys for Amazon API Gateway Management").
 * The path is made anew from the operation's template and the decoded input, so no spelling of a URL slips by a policy. */
#include "services/apigateway/apigateway.h"
#include "call/service_errors.h"
#include "base/arn.h"
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
    struct buf path;
    buf_init(&path, call->arena, RESOURCE_ARN_MAX);
    while (uri.n) {
        size_t n = str_find(uri, '{');
        buf_add(&path, str_slice(uri, 0, n));
        uri = str_slice(uri, n, uri.n);
        if (uri.n == 0)
            break;
        size_t end = str_find(uri, '}');
        percent_write(&path, uri_input(call, str_slice(uri, 1, end)), false);
        uri = str_slice(uri, end + 1, uri.n);
    }
    if (path.failed) {
        call_fail(call, "BadRequestException", "Invalid resource path specified");
        return;
    }
    need_add(needs, arena_printf(call->arena, "apigateway:%s", model_text(m, call->operation->method)).p,
             arn_make(call->arena, "apigateway", call->region, STR_NONE, STR_FMT, STR_ARG(buf_str(&path))));
    tags_need_request(call, needs, json_at(call->input, "tags"), json_at(call->input, "tagKeys"));
}

static const char *const refused_rest_api[] = {"cloneFrom",      "minimumCompressionSize", "policy",
                                               "securityPolicy", "endpointAccessMode",     NULL};
static const char *const refused_method[] = {"authorizerId", "requestValidatorId", "authorizationScopes", NULL};
static const char *const refused_integration[] = {"connectionId", "credentials", "tlsConfig", "integrationTarget", NULL};
static const char *const refused_deployment[] = {"cacheClusterSize", "canarySettings", NULL};
static const char *const refused_stage[] = {"cacheClusterSize", "documentationVersion", "canarySettings", NULL};

#define API_READ(operation, handler)                                                                                               \
    {                                                                                                                              \
        .name = operation, .run = RUN_INLINE, .needs = needs_path, .handle = handler                                               \
    }
#define API_READ_MUCH(operation, handler)                                                                                          \
    {                                                                                                                              \
        .name = operation, .run = RUN_WORKER, .needs = needs_path, .handle = handler                                               \
    }
#define API_WRITE(operation, handler, refusals)                                                                                    \
    {                                                                                                                              \
        .name = operation, .run = RUN_MUTATION, .needs = needs_path, .mutate = handler, .refused = refusals                        \
    }

static const struct row apigateway_rows[] = {
    API_WRITE("CreateDeployment", apigateway__create_deployment, refused_deployment),
    API_WRITE("CreateResource", apigateway__create_resource, NULL),
    API_WRITE("CreateRestApi", apigateway__create_rest_api, refused_rest_api),
    API_WRITE("CreateStage", apigateway__create_stage, refused_stage),
    API_WRITE("DeleteDeployment", apigateway__delete_deployment, NULL),
    API_WRITE("DeleteIntegration", apigateway__delete_integration, NULL),
    API_WRITE("DeleteIntegrationResponse", apigateway__delete_integration_response, NULL),
    API_WRITE("DeleteMethod", apigateway__delete_method, NULL),
    API_WRITE("DeleteMethodResponse", apigateway__delete_method_response, NULL),
    API_WRITE("DeleteResource", apigateway__delete_resource, NULL),
    API_WRITE("DeleteRestApi", apigateway__delete_rest_api, NULL),
    API_WRITE("DeleteStage", apigateway__delete_stage, NULL),
    API_READ_MUCH("GetDeployment", apigateway__get_deployment),
    API_READ_MUCH("GetDeployments", apigateway__get_deployments),
    API_READ("GetIntegration", apigateway__get_integration),
    API_READ("GetIntegrationResponse", apigateway__get_integration_response),
    API_READ("GetMethod", apigateway__get_method),
    API_READ("GetMethodResponse", apigateway__get_method_response),
    API_READ("GetResource", apigateway__get_resource),
    API_READ_MUCH("GetResources", apigateway__get_resources),
    API_READ("GetRestApi", apigateway__get_rest_api),
    API_READ_MUCH("GetRestApis", apigateway__get_rest_apis),
    API_READ("GetStage", apigateway__get_stage),
    API_READ_MUCH("GetStages", apigateway__get_stages),
    API_READ("GetTags", apigateway__get_tags),
    API_WRITE("PutIntegration", apigateway__put_integration, refused_integration),
    API_WRITE("PutIntegrationResponse", apigateway__put_integration_response, NULL),
    API_WRITE("PutMethod", apigateway__put_method, refused_method),
    API_WRITE("PutMethodResponse", apigateway__put_method_response, NULL),
    API_WRITE("TagResource", apigateway__tag_resource, NULL),
    API_WRITE("UntagResource", apigateway__untag_resource, NULL),
    API_WRITE("UpdateDeployment", apigateway__update_deployment, NULL),
    API_WRITE("UpdateIntegration", apigateway__update_integration, NULL),
    API_WRITE("UpdateIntegrationResponse", apigateway__update_integration_response, NULL),
    API_WRITE("UpdateMethod", apigateway__update_method, NULL),
    API_WRITE("UpdateMethodResponse", apigateway__update_method_response, NULL),
    API_WRITE("UpdateResource", apigateway__update_resource, NULL),
    API_WRITE("UpdateRestApi", apigateway__update_rest_api, NULL),
    API_WRITE("UpdateStage", apigateway__update_stage, NULL),
};

const struct service_api apigateway_api = {.skew_minutes = 5, /* CreateRestApi: RhinoSecurityLabs/IPRotate_Burp_Extension#38 */
                                           .model = &model_apigateway,
                                           .rows = apigateway_rows,
                                           .row_count = COUNT_OF(apigateway_rows),
                                           .errors = &apigateway_errors,
                                           .overrides = &apigateway_overrides,
                                           .body_max = APIGATEWAY_BODY_BYTES_MAX};
