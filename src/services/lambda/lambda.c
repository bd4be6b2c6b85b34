/* lambda.c -- the table of operations, what each needs to be authorised. */
#include "services/lambda/lambda.h"
#include "call/service_errors.h"
#include "call/tags.h"
#include "net/limits.h"
#include "services/lambda/control.h"
#include "services/lambda/function.h"
#include "services/lambda/function_name.h"
#include "services/lambda/invoke_operation.h"
#include "services/lambda/lambda_call.h"
#include "services/lambda/permission.h"

#define LAMBDA_BODY_BYTES_MAX NET_BODY_BYTES_MAX     /* of a request; CreateFunction: a zip of 50 MB as base64 in JSON */

/* ---- what is authorised ---- */

static struct str named_arn(struct call *call)
{
    struct str account, region, name, qualifier, text = call_str(call, call_has(call, "Resource") ? "Resource" : "FunctionName");
    if (!lambda__parse_name(text, &account, &region, &name, &qualifier))
        return call_arn(call, "lambda", "function:" STR_FMT, STR_ARG(text));
    return lambda__function_arn(call->arena, account.n ? account : call->account, region.n ? region : call->region, name);
}

/* The action is lambda: and the operation's name, the resource the function. */
static void needs_function(struct call *call, struct needs *needs)
{
    struct str action = arena_printf(call->arena, "lambda:%s", model_text(call->api->model, call->operation->name));
    need_add(needs, action.p, named_arn(call));
    tags_need_request(call, needs, json_at(call->input, "Tags"), json_at(call->input, "TagKeys"));
}

static void needs_all(struct call *call, struct needs *needs)
{
    struct str action = arena_printf(call->arena, "lambda:%s", model_text(call->api->model, call->operation->name));
    need_add(needs, action.p, STR("*"));
}

static void needs_pass_role(struct call *call, struct needs *needs)
{
    needs_function(call, needs);
    if (!call_has(call, "Role"))
        return;
    need_add(needs, "iam:PassRole", call_str(call, "Role"));
    need_context(needs, "iam:PassedToService", STR("lambda.amazonaws.com"));
}

static void unref_function(void *arg)
{
    struct lambda__function *function = arg;
    lambda__function_unref(&function);
}

/* Invoke, with the function's own policy, which was compiled with the function. One that is not there has none; the handler
 * answers that. */
static void needs_invoke(struct call *call, struct needs *needs)
{
    struct str account, region, name, qualifier;
    struct lambda__function *function;
    need_add(needs, "lambda:InvokeFunction", named_arn(call));
    if (!lambda__parse_name(call_str(call, "FunctionName"), &account, &region, &name, &qualifier))
        return;
    enum err err = lambda__functions_get(lambda__of(call)->functions, call->account, call->region, name, &function);
    if (err != ERR_OK) {
        if (err != ERR_NOT_FOUND)
            call_fail_err(call, err);
        return;
    }
    arena_on_free(call->arena, unref_function, function);
    need_compiled_policy(needs, function->policy);
}

static const char *const create_refused[] = {"AcceleratorConfig",
                                             "CapacityProviderConfig",
                                             "CodeSigningConfigArn",
                                             "DurableConfig",
                                             "ImageConfig",
                                             "KMSKeyArn",
                                             "PublishTo",
                                             "RuntimeConfig",
                                             "TenancyConfig",
                                             NULL};
static const char *const update_refused[] = {
    "AcceleratorConfig", "CapacityProviderConfig", "DurableConfig", "ImageConfig", "KMSKeyArn", "RuntimeConfig", NULL};
static const char *const code_refused[] = {"ImageUri", "PublishTo", "S3Bucket", "S3Key", "S3ObjectStorageMode", "S3ObjectVersion",
                                           "SourceKMSKeyArn", NULL};
static const char *const list_refused[] = {"MasterRegion", "FunctionVersion", NULL};
static const char *const permission_refused[] = {"EventSourceToken", "PrincipalOrgID", "FunctionUrlAuthType",
                                                 "InvokedViaFunctionUrl", NULL};
static const char *const invoke_refused[] = {"TenantId", "DurableExecutionName", NULL};

static const struct row lambda_rows[] = {
    {.name = "AddPermission",
     .run = RUN_MUTATION,
     .needs = needs_function,
     .prepare = lambda__prepare_add_permission,
     .mutate = lambda__add_permission,
     .refused = permission_refused},
    {.name = "CreateFunction",
     .run = RUN_MUTATION,
     .needs = needs_pass_role,
     .prepare = lambda__prepare_create,
     .prepare_blocks = true,
     .mutate = lambda__create,
     .committed = lambda__function_created,
     .refused = create_refused},
    {.name = "DeleteFunction",
     .run = RUN_MUTATION,
     .needs = needs_function,
     .prepare = lambda__prepare_delete,
     .mutate = lambda__delete,
     .committed = lambda__function_changed},
    {.name = "GetFunction", .run = RUN_INLINE, .needs = needs_function, .handle = lambda__get_function},
    {.name = "GetFunctionCodeSigningConfig", .run = RUN_INLINE, .needs = needs_function, .handle = lambda__code_signing},
    {.name = "GetFunctionConfiguration", .run = RUN_INLINE, .needs = needs_function, .handle = lambda__get_configuration},
    {.name = "GetPolicy", .run = RUN_INLINE, .needs = needs_function, .handle = lambda__get_policy},
    {.name = "Invoke",
     .run = RUN_ASYNC,
     .needs = needs_invoke,
     .prepare = lambda__prepare_invoke,
     .handle = lambda__invoke_call,
     .refused = invoke_refused},
    {.name = "ListFunctions", .run = RUN_INLINE, .needs = needs_all, .handle = lambda__list, .refused = list_refused},
    {.name = "ListTags", .run = RUN_INLINE, .needs = needs_function, .handle = lambda__list_tags},
    {.name = "ListVersionsByFunction", .run = RUN_INLINE, .needs = needs_function, .handle = lambda__list_versions},
    {.name = "RemovePermission",
     .run = RUN_MUTATION,
     .needs = needs_function,
     .prepare = lambda__prepare_remove_permission,
     .mutate = lambda__remove_permission},
    {.name = "TagResource", .run = RUN_MUTATION, .needs = needs_function, .prepare = lambda__prepare_tag, .mutate = lambda__tag},
    {.name = "UntagResource",
     .run = RUN_MUTATION,
     .needs = needs_function,
     .prepare = lambda__prepare_named,
     .mutate = lambda__untag},
    {.name = "UpdateFunctionCode",
     .run = RUN_MUTATION,
     .needs = needs_function,
     .prepare = lambda__prepare_update_code,
     .prepare_blocks = true,
     .mutate = lambda__update_code,
     .committed = lambda__code_changed,
     .refused = code_refused},
    {.name = "UpdateFunctionConfiguration",
     .run = RUN_MUTATION,
     .needs = needs_pass_role,
     .prepare = lambda__prepare_update_configuration,
     .prepare_blocks = true,
     .mutate = lambda__update_configuration,
     .committed = lambda__function_changed,
     .refused = update_refused},
};

const struct service_api lambda_api = {
    .skew_minutes = 5, /* pulumi/pulumi-aws#55, aws/aws-sdk-js#2598 */
    .model = &model_lambda,
    .rows = lambda_rows,
    .row_count = COUNT_OF(lambda_rows),
    .errors = &lambda_errors,
    .overrides = &lambda_overrides,
    .body_max = LAMBDA_BODY_BYTES_MAX,
};
