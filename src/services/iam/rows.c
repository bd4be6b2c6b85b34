/* rows.c -- the service: the operations of IAM that are served, sorted by name. What may walk many
 * documents (lists, the counts of GetPolicy) runs on a worker. */
#include "call/service_errors.h"
#include "services/iam/iam_internal.h"

#define IAM_BODY_BYTES_MAX (512u << 10)     /* of a request; a policy document of 131,072 characters in a form */

#define READ(operation, run_how, function) {.name = operation, .run = run_how, .needs = iam__needs, .handle = function}
#define WRITE(operation, function, ...)                                                                                            \
    {                                                                                                                              \
        .name = operation, .run = RUN_MUTATION, .needs = iam__needs, .prepare = iam__prepare, .mutate = function, __VA_ARGS__      \
    }

static const char *const refused_session[] = {"MaxSigninSessionDuration", "ResetMaxSigninSessionDuration", NULL};

static const struct row rows[] = {
    WRITE("AttachRolePolicy", iam__attach),
    WRITE("AttachUserPolicy", iam__attach),
    WRITE("CreateAccessKey", iam__create_access_key),
    WRITE("CreatePolicy", iam__create_policy),
    WRITE("CreatePolicyVersion", iam__create_policy_version),
    WRITE("CreateRole", iam__create_role, .refused = refused_session),
    WRITE("CreateUser", iam__create_user),
    WRITE("DeleteAccessKey", iam__delete_access_key),
    WRITE("DeletePolicy", iam__delete_policy),
    WRITE("DeletePolicyVersion", iam__delete_policy_version),
    WRITE("DeleteRole", iam__delete_role),
    WRITE("DeleteRolePermissionsBoundary", iam__delete_boundary),
    WRITE("DeleteRolePolicy", iam__delete_inline),
    WRITE("DeleteUser", iam__delete_user),
    WRITE("DeleteUserPermissionsBoundary", iam__delete_boundary),
    WRITE("DeleteUserPolicy", iam__delete_inline),
    WRITE("DetachRolePolicy", iam__detach),
    WRITE("DetachUserPolicy", iam__detach),
    READ("GetPolicy", RUN_WORKER, iam__get_policy),
    READ("GetPolicyVersion", RUN_INLINE, iam__get_policy_version),
    READ("GetRole", RUN_INLINE, iam__get_role),
    READ("GetRolePolicy", RUN_INLINE, iam__get_inline),
    READ("GetUser", RUN_INLINE, iam__get_user),
    READ("GetUserPolicy", RUN_INLINE, iam__get_inline),
    READ("ListAccessKeys", RUN_INLINE, iam__list_access_keys),
    READ("ListAttachedRolePolicies", RUN_INLINE, iam__list_attached),
    READ("ListAttachedUserPolicies", RUN_INLINE, iam__list_attached),
    READ("ListEntitiesForPolicy", RUN_WORKER, iam__list_entities),
    READ("ListGroupsForUser", RUN_INLINE, iam__list_groups),
    READ("ListInstanceProfilesForRole", RUN_INLINE, iam__list_instance_profiles),
    READ("ListPolicies", RUN_WORKER, iam__list_policies),
    READ("ListPolicyTags", RUN_INLINE, iam__list_policy_tags),
    READ("ListPolicyVersions", RUN_INLINE, iam__list_policy_versions),
    READ("ListRolePolicies", RUN_INLINE, iam__list_inline),
    READ("ListRoleTags", RUN_INLINE, iam__list_tags),
    READ("ListRoles", RUN_WORKER, iam__list_roles),
    READ("ListUserPolicies", RUN_INLINE, iam__list_inline),
    READ("ListUserTags", RUN_INLINE, iam__list_tags),
    READ("ListUsers", RUN_WORKER, iam__list_users),
    WRITE("PutRolePermissionsBoundary", iam__put_boundary),
    WRITE("PutRolePolicy", iam__put_inline),
    WRITE("PutUserPermissionsBoundary", iam__put_boundary),
    WRITE("PutUserPolicy", iam__put_inline),
    WRITE("SetDefaultPolicyVersion", iam__set_default_version),
    WRITE("TagPolicy", iam__tag_policy),
    WRITE("TagRole", iam__tag),
    WRITE("TagUser", iam__tag),
    WRITE("UntagPolicy", iam__untag_policy),
    WRITE("UntagRole", iam__untag),
    WRITE("UntagUser", iam__untag),
    WRITE("UpdateAccessKey", iam__update_access_key),
    WRITE("UpdateAssumeRolePolicy", iam__update_trust),
    WRITE("UpdateRole", iam__update_role, .refused = refused_session),
    WRITE("UpdateRoleDescription", iam__update_role_description),
    WRITE("UpdateUser", iam__update_user),
};

const struct service_api iam_api = {
    .model = &model_iam, .global = true, .errors = &iam_errors, .overrides = &iam_overrides, .rows = rows, .row_count = COUNT_OF(rows), .body_max = IAM_BODY_BYTES_MAX,
};
