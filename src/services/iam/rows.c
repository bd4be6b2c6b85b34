/* rows.c -- the service: the operations of IAM that are served, sorted by name. What may walk many
 * documents (lists, the counts of GetPolicy) runs on a worker. */
#include "call/service_errors.h"
#include "services/iam/iam_internal.h"

#define IAM_BODY_BYTES_MAX (512u << 10)     /* of a request; a policy document of 131,072 characters in a form */

#define IAM_READ(operation, run_how, function)                                                                                     \
    {                                                                                                                              \
        .name = operation, .run = run_how, .needs = iam__needs, .handle = function                                                 \
    }
#define IAM_WRITE(operation, function, ...)                                                                                        \
    {                                                                                                                              \
        .name = operation, .run = RUN_MUTATION, .needs = iam__needs, .prepare = iam__prepare, .mutate = function, __VA_ARGS__      \
    }

static const char *const refused_session[] = {"MaxSigninSessionDuration", "ResetMaxSigninSessionDuration", NULL};

static const struct row iam_rows[] = {
    IAM_WRITE("AttachRolePolicy", iam__attach),
    IAM_WRITE("AttachUserPolicy", iam__attach),
    IAM_WRITE("CreateAccessKey", iam__create_access_key),
    IAM_WRITE("CreatePolicy", iam__create_policy),
    IAM_WRITE("CreatePolicyVersion", iam__create_policy_version),
    IAM_WRITE("CreateRole", iam__create_role, .refused = refused_session),
    IAM_WRITE("CreateUser", iam__create_user),
    IAM_WRITE("DeleteAccessKey", iam__delete_access_key),
    IAM_WRITE("DeletePolicy", iam__delete_policy),
    IAM_WRITE("DeletePolicyVersion", iam__delete_policy_version),
    IAM_WRITE("DeleteRole", iam__delete_role),
    IAM_WRITE("DeleteRolePermissionsBoundary", iam__delete_boundary),
    IAM_WRITE("DeleteRolePolicy", iam__delete_inline),
    IAM_WRITE("DeleteUser", iam__delete_user),
    IAM_WRITE("DeleteUserPermissionsBoundary", iam__delete_boundary),
    IAM_WRITE("DeleteUserPolicy", iam__delete_inline),
    IAM_WRITE("DetachRolePolicy", iam__detach),
    IAM_WRITE("DetachUserPolicy", iam__detach),
    IAM_READ("GetPolicy", RUN_WORKER, iam__get_policy),
    IAM_READ("GetPolicyVersion", RUN_INLINE, iam__get_policy_version),
    IAM_READ("GetRole", RUN_INLINE, iam__get_role),
    IAM_READ("GetRolePolicy", RUN_INLINE, iam__get_inline),
    IAM_READ("GetUser", RUN_INLINE, iam__get_user),
    IAM_READ("GetUserPolicy", RUN_INLINE, iam__get_inline),
    IAM_READ("ListAccessKeys", RUN_INLINE, iam__list_access_keys),
    IAM_READ("ListAttachedRolePolicies", RUN_INLINE, iam__list_attached),
    IAM_READ("ListAttachedUserPolicies", RUN_INLINE, iam__list_attached),
    IAM_READ("ListEntitiesForPolicy", RUN_WORKER, iam__list_entities),
    IAM_READ("ListGroupsForUser", RUN_INLINE, iam__list_groups),
    IAM_READ("ListInstanceProfilesForRole", RUN_INLINE, iam__list_instance_profiles),
    IAM_READ("ListPolicies", RUN_WORKER, iam__list_policies),
    IAM_READ("ListPolicyTags", RUN_INLINE, iam__list_policy_tags),
    IAM_READ("ListPolicyVersions", RUN_INLINE, iam__list_policy_versions),
    IAM_READ("ListRolePolicies", RUN_INLINE, iam__list_inline),
    IAM_READ("ListRoleTags", RUN_INLINE, iam__list_tags),
    IAM_READ("ListRoles", RUN_WORKER, iam__list_roles),
    IAM_READ("ListUserPolicies", RUN_INLINE, iam__list_inline),
    IAM_READ("ListUserTags", RUN_INLINE, iam__list_tags),
    IAM_READ("ListUsers", RUN_WORKER, iam__list_users),
    IAM_WRITE("PutRolePermissionsBoundary", iam__put_boundary),
    IAM_WRITE("PutRolePolicy", iam__put_inline),
    IAM_WRITE("PutUserPermissionsBoundary", iam__put_boundary),
    IAM_WRITE("PutUserPolicy", iam__put_inline),
    IAM_WRITE("SetDefaultPolicyVersion", iam__set_default_version),
    IAM_WRITE("TagPolicy", iam__tag_policy),
    IAM_WRITE("TagRole", iam__tag),
    IAM_WRITE("TagUser", iam__tag),
    IAM_WRITE("UntagPolicy", iam__untag_policy),
    IAM_WRITE("UntagRole", iam__untag),
    IAM_WRITE("UntagUser", iam__untag),
    IAM_WRITE("UpdateAccessKey", iam__update_access_key),
    IAM_WRITE("UpdateAssumeRolePolicy", iam__update_trust),
    IAM_WRITE("UpdateRole", iam__update_role, .refused = refused_session),
    IAM_WRITE("UpdateRoleDescription", iam__update_role_description),
    IAM_WRITE("UpdateUser", iam__update_user),
};

const struct service_api iam_api = {
    .model = &model_iam,
    .global = true,
    .errors = &iam_errors,
    .overrides = &iam_overrides,
    .rows = iam_rows,
    .row_count = COUNT_OF(iam_rows),
    .body_max = IAM_BODY_BYTES_MAX,
};
