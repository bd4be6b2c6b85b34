/* iam_needs.c -- what each IAM call asks permission for: iam:OPERATION on the user, role or policy that it names, with the
 * condition keys of the service authorization reference for IAM. A resource that does not exist yet (or not at all) counts by
 * the ARN that it would have. */
#include "services/iam/iam_internal.h"
#include "call/call_doc.h"
#include "call/tags.h"

/* The keys that come from the resource and from the input, for the need added last. */
static void iam_need_context(struct call *call, struct needs *needs, const struct json *doc)
{
    struct str boundary = call_str(call, "PermissionsBoundary"), arn = call_str(call, "PolicyArn");

    if (!boundary.n)
        boundary = json_str(doc, "Boundary");
    if (boundary.n)
        need_context(needs, "iam:PermissionsBoundary", boundary);
    if (arn.n)
        need_context(needs, "iam:PolicyARN", arn);
    tags_need_resource(call, needs, json_at(doc, "Tags"), "aws:ResourceTag");
    tags_need_resource(call, needs, json_at(doc, "Tags"), "iam:ResourceTag");
    tags_need_request(call, needs, json_at(call->input, "Tags"), json_at(call->input, "TagKeys"));
}

static const char *action_of(struct call *call, const char *operation)
{
    return arena_printf(call->arena, "iam:%s", operation).p;
}

static void iam_need(struct call *call, struct needs *needs, struct str resource, const struct json *doc, const char *tag_operation)
{
    const struct json *tags = json_at(call->input, "Tags");

    need_add(needs, action_of(call, call->row->name), resource);
    iam_need_context(call, needs, doc);
    if (strncmp(call->row->name, "Create", 6) != 0 || !tags || !tags->count)
        return;
    need_add(needs, action_of(call, tag_operation), resource);     /* a resource made with tags */
    iam_need_context(call, needs, doc);
}

static void need_entity(struct call *call, struct needs *needs, const struct entity_kind *kind, struct str name)
{
    struct str path = call_str(call, "Path");
    struct json *doc = NULL;
    enum err err = call_doc_get(call, iam__reader(call), iam__place(call->arena, call->account, kind->type, name), &doc);

    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        call_fail_err(call, err);
        return;
    }
    struct str arn = doc ? iam__entity_arn(call->arena, call->account, kind, doc)
                         : iam__arn(call->arena, call->account, kind->noun, path.n ? path : STR("/"), name);
    iam_need(call, needs, arn, doc, kind == &iam__role ? "TagRole" : "TagUser");
}

static void need_policy(struct call *call, struct needs *needs)
{
    struct str arn = call_str(call, "PolicyArn"), path = call_str(call, "Path");
    struct json *doc = NULL;

    if (arn.n) {
        enum err err = iam__policy_get(call, iam__reader(call), arn, &doc);
        if (err != ERR_OK && err != ERR_NOT_FOUND) {
            call_fail_err(call, err);
            return;
        }
    } else {
        arn = iam__arn(call->arena, call->account, "policy", path.n ? path : STR("/"), call_str(call, "PolicyName"));
    }
    iam_need(call, needs, arn, doc, "TagPolicy");
}

void iam__needs(struct call *call, struct needs *needs)
{
    static const struct {
        const char *operation, *resource;
    } lists[] = {{"ListUsers", "user"}, {"ListRoles", "role"}, {"ListPolicies", NULL}};
    struct str prefix = call_str(call, "PathPrefix");

    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        if (strcmp(call->row->name, lists[i].operation) != 0)
            continue;
        struct str resource = lists[i].resource
                                  ? iam__arn(call->arena, call->account, lists[i].resource, prefix.n ? prefix : STR("/"), STR_NONE)
                                  : arena_printf(call->arena, "policy path " STR_FMT, STR_ARG(prefix.n ? prefix : STR("/")));
        need_add(needs, action_of(call, call->row->name), resource);
        return;
    }
    if (call_has(call, "RoleName")) {
        need_entity(call, needs, &iam__role, call_str(call, "RoleName"));
    } else if (call_has(call, "UserName")) {
        need_entity(call, needs, &iam__user, call_str(call, "UserName"));
    } else if (call_has(call, "PolicyArn") || call_has(call, "PolicyName")) {
        need_policy(call, needs);
    } else {
        struct str name = iam__user_name(call);     /* the caller's own user or key */
        if (name.n)
            need_entity(call, needs, &iam__user, name);
        else if (!call->failed)
            need_add(needs, action_of(call, call->row->name), call->caller->arn);
    }
}
