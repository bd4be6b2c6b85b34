/* policy_decide.c -- does a policy match, and what do all policies together decide.
 * Source: "Policy evaluation logic", "How AWS enforcement code logic evaluates requests", "Troubleshoot access denied error
 * messages" of the IAM user guide.
 *
 * An Allow of a resource policy counts by how it names the caller: the account only (it delegates: the identity must allow
 * as well), the role of a session (boundary and session policy still limit it), or the caller itself (an implicit deny of
 * boundary or session policy does not limit it). */
#include "auth/policy_internal.h"
#include "base/arn.h"
#include "base/buf.h"

/* Keys that are the same for every request of one access key. */
bool policy__key_is_stable(struct str key)
{
    static const char *const stable[] = {"aws:username",      "aws:userid",         "aws:PrincipalArn",   "aws:PrincipalAccount",
                                         "aws:PrincipalType", "aws:TokenIssueTime", "aws:ResourceAccount"};

    for (size_t i = 0; i < COUNT_OF(stable); i++)
        if (str_eq_nocase(key, str_of(stable[i])))
            return true;
    return str_eq_nocase(str_slice(key, 0, 17), STR("aws:PrincipalTag/"));
}

/* ---- one policy ---- */

static bool actions_match(const struct patterns *actions, struct str action)
{
    bool found = false;

    for (size_t i = 0; i < actions->count && !found; i++)
        found = pattern__glob(actions->item[i].piece[0].literal, action, true);
    return found != actions->negated;
}

static bool resources_match(const struct patterns *resources, struct match *match)
{
    bool found = false;

    if (!resources->present)
        return true;
    for (size_t i = 0; i < resources->count && !found; i++) {
        struct codes codes;
        if (pattern__resolve(&resources->item[i], match, &codes))
            found = pattern__arn(codes, match->request->resource);
    }
    return found != resources->negated;
}

static enum grant aws_name_grant(struct str name, const struct principal *caller)
{
    if (str_eq(name, caller->arn) || (caller->type == PRINCIPAL_USER && str_eq(name, caller->id)))
        return GRANT_DIRECT;
    if (caller->type != PRINCIPAL_ROLE_SESSION)
        return GRANT_NONE;
    if (str_eq(name, caller->role_arn) || str_eq(name, str_slice(caller->id, 0, str_find(caller->id, ':'))))
        return GRANT_ROLE;
    return GRANT_NONE;
}

static enum grant name_grant(const struct principal_name *name, const struct principal *caller)
{
    bool service = caller->type == PRINCIPAL_SERVICE;

    if (caller->type == PRINCIPAL_ANONYMOUS)
        return name->kind == NAMES_ANYONE ? GRANT_DIRECT : GRANT_NONE;
    switch (name->kind) {
    case NAMES_ANYONE:
        return caller->type == PRINCIPAL_ROLE_SESSION ? GRANT_ROLE : GRANT_DIRECT;
    case NAMES_ACCOUNT:
        return !service && str_eq(name->value, caller->account) ? GRANT_ACCOUNT : GRANT_NONE;
    case NAMES_AWS:
        return service ? GRANT_NONE : aws_name_grant(name->value, caller);
    case NAMES_SERVICE:
        return service && str_eq(name->value, caller->arn) ? GRANT_DIRECT : GRANT_NONE;
    case NAMES_OTHER:
        break;
    }
    return GRANT_NONE;
}

/* GRANT_NONE: the statement is not about the caller. */
static enum grant principals_grant(const struct principals *principals, const struct principal *caller)
{
    enum grant best = GRANT_NONE;

    if (!principals->present)
        return GRANT_DIRECT;
    for (size_t i = 0; i < principals->count; i++) {
        enum grant grant = name_grant(&principals->item[i], caller);
        best = grant > best ? grant : best;
    }
    if (principals->negated)
        return best == GRANT_NONE ? GRANT_DIRECT : GRANT_NONE;
    return best;
}

static bool conditions_hold(const struct statement *statement, struct match *match)
{
    for (size_t i = 0; i < statement->condition_count; i++)
        if (!condition__holds(&statement->condition[i], match))
            return false;
    return true;
}

enum policy_effect policy__match(const struct policy *policy, const struct policy_request *request, enum grant *ret_grant)
{
    struct match match = {.request = request};
    enum policy_effect effect = POLICY_NO_MATCH;

    *ret_grant = GRANT_NONE;
    for (size_t i = 0; i < policy->count && effect != POLICY_DENY; i++) {
        const struct statement *statement = &policy->statement[i];
        if (!statement->deny && *ret_grant == GRANT_DIRECT)
            continue;
        if (!actions_match(&statement->actions, request->action))
            continue;
        enum grant grant = principals_grant(&statement->principals, request->principal);
        if (grant == GRANT_NONE || !resources_match(&statement->resources, &match) || !conditions_hold(statement, &match))
            continue;
        effect = statement->deny ? POLICY_DENY : POLICY_ALLOW;
        *ret_grant = grant > *ret_grant ? grant : *ret_grant;
    }
    if (match.own)
        arena_free(match.own);
    return effect;
}

enum policy_effect policy_match(const struct policy *policy, const struct policy_request *request, bool *ret_by_account)
{
    enum grant grant;
    enum policy_effect effect = policy__match(policy, request, &grant);

    *ret_by_account = effect == POLICY_ALLOW && grant == GRANT_ACCOUNT;
    return effect;
}

/* ---- all policies ---- */

static bool crosses_accounts(const struct policy_request *request)
{
    struct str account = arn_account(request->resource);

    return account.n == 12 && str_find(account, '*') == account.n && !str_eq(account, request->principal->account);
}

struct policy_outcome {
    enum policy_effect identity, boundary, session, resource;
    enum grant grant;           /* of resource */
};

static enum policy_effect match_one(const struct policy *policy, const struct policy_request *request, enum policy_effect otherwise)
{
    enum grant grant;

    return policy ? policy__match(policy, request, &grant) : otherwise;
}

static enum policy_effect match_identity(const struct policy_set *set, const struct policy_request *request)
{
    enum policy_effect effect = POLICY_NO_MATCH;

    for (size_t i = 0; i < set->identity_count && effect != POLICY_DENY; i++) {
        enum policy_effect one = match_one(set->identity[i], request, POLICY_NO_MATCH);
        effect = one > effect ? one : effect;
    }
    return effect;
}

static void evaluate(const struct policy_set *set, const struct policy_request *request, struct policy_outcome *ret)
{
    bool root = request->principal->type == PRINCIPAL_ROOT;

    ret->grant = GRANT_NONE;
    ret->resource = set->resource ? policy__match(set->resource, request, &ret->grant) : POLICY_NO_MATCH;
    ret->identity = root ? POLICY_ALLOW : match_identity(set, request);
    ret->boundary = root ? POLICY_ALLOW : match_one(set->boundary, request, POLICY_ALLOW);
    ret->session = match_one(set->session, request, POLICY_ALLOW);
}

/* The caller's own side allows. */
static enum decision_reason decide_identity(const struct policy_outcome *outcome, bool allowed)
{
    if (!allowed)
        return DECISION_NO_IDENTITY_ALLOW;
    if (outcome->boundary != POLICY_ALLOW)
        return DECISION_NO_BOUNDARY_ALLOW;
    if (outcome->session != POLICY_ALLOW)
        return DECISION_NO_SESSION_ALLOW;
    return DECISION_ALLOWED;
}

enum decision_reason policy_decide(const struct policy_set *set, const struct policy_request *request)
{
    struct policy_outcome outcome;
    bool resource_required = set->resource && set->resource->kind == POLICY_TRUST;
    bool no_identity = request->principal->type == PRINCIPAL_SERVICE || request->principal->type == PRINCIPAL_ANONYMOUS;

    evaluate(set, request, &outcome);
    if (outcome.identity == POLICY_DENY)
        return DECISION_EXPLICIT_DENY_IDENTITY;
    if (outcome.resource == POLICY_DENY)
        return DECISION_EXPLICIT_DENY_RESOURCE;
    if (outcome.boundary == POLICY_DENY)
        return DECISION_EXPLICIT_DENY_BOUNDARY;
    if (outcome.session == POLICY_DENY)
        return DECISION_EXPLICIT_DENY_SESSION;
    bool resource_allows = outcome.resource == POLICY_ALLOW;
    if (no_identity || (resource_required && !resource_allows))
        return resource_allows ? DECISION_ALLOWED : DECISION_NO_RESOURCE_ALLOW;
    if (crosses_accounts(request)) {
        enum decision_reason own = decide_identity(&outcome, outcome.identity == POLICY_ALLOW);
        return own == DECISION_ALLOWED && !resource_allows ? DECISION_NO_RESOURCE_ALLOW : own;
    }
    if (resource_allows && outcome.grant == GRANT_DIRECT)
        return DECISION_ALLOWED;
    return decide_identity(&outcome, outcome.identity == POLICY_ALLOW || (resource_allows && outcome.grant == GRANT_ROLE));
}

/* What follows "…on resource: ARN"; an implicit deny goes on with the action. */
static const struct {
    const char *text;
    bool names_action;
} reasons[] = {
    [DECISION_NO_IDENTITY_ALLOW] = {" because no identity-based policy allows the ", true},
    [DECISION_NO_RESOURCE_ALLOW] = {" because no resource-based policy allows the ", true},
    [DECISION_NO_BOUNDARY_ALLOW] = {" because no permissions boundary allows the ", true},
    [DECISION_NO_SESSION_ALLOW] = {" because no session policy allows the ", true},
    [DECISION_EXPLICIT_DENY_IDENTITY] = {" with an explicit deny in an identity-based policy", false},
    [DECISION_EXPLICIT_DENY_RESOURCE] = {" with an explicit deny in a resource-based policy", false},
    [DECISION_EXPLICIT_DENY_BOUNDARY] = {" with an explicit deny in a permissions boundary", false},
    [DECISION_EXPLICIT_DENY_SESSION] = {" with an explicit deny in a session policy", false},
};

struct str policy_denied_message(struct arena *arena, enum decision_reason reason, const struct policy_request *request)
{
    struct buf text;

    buf_init(&text, arena, 16384);
    buf_lit(&text, "User: ");
    buf_add(&text, request->principal->arn);
    buf_lit(&text, " is not authorized to perform: ");
    buf_add(&text, request->action);
    if (request->resource.n) {
        buf_lit(&text, " on resource: ");
        buf_add(&text, request->resource);
    }
    /* STS does not tell why a trust policy keeps a caller out. */
    if (reason == DECISION_NO_RESOURCE_ALLOW && str_eq(request->action, STR("sts:AssumeRole")))
        return buf_str(&text);
    buf_add(&text, str_of(reasons[reason].text));
    if (reasons[reason].names_action) {
        buf_add(&text, request->action);
        buf_lit(&text, " action");
    }
    return buf_str(&text);
}
