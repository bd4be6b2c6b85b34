/* context.c -- the global condition keys that every request has. Source: "AWS global condition context keys".
 * A key is computed when a policy asks for it. A key that does not apply to the caller is absent, which condition
 * operators treat differently from empty. */
#include "auth/auth_internal.h"
#include "base/arn.h"
#include "base/clock.h"

typedef bool key_fn(const struct context_source *context, const struct policy_request *request, struct arena *arena,
                    struct str *ret);

static bool give(struct str value, struct str *ret)
{
    if (!value.n)
        return false;
    *ret = value;
    return true;
}

#define KEY(name)                                                                                                         \
    static bool name(const struct context_source *context, const struct policy_request *request, struct arena *arena,     \
                     struct str *ret)
#define UNUSED() ((void)context, (void)request, (void)arena)

KEY(principal_arn)
{
    UNUSED();
    const struct principal *caller = request->principal;
    bool has_arn = caller->type != PRINCIPAL_SERVICE && caller->type != PRINCIPAL_ANONYMOUS;
    return has_arn && give(caller->type == PRINCIPAL_ROLE_SESSION ? caller->role_arn : caller->arn, ret);
}

KEY(principal_account)
{
    UNUSED();
    return give(request->principal->account, ret);
}

KEY(principal_type)
{
    static const struct str names[] = {
        [PRINCIPAL_ROOT] = {"Account", 7}, [PRINCIPAL_USER] = {"User", 4}, [PRINCIPAL_ROLE_SESSION] = {"AssumedRole", 11},
        [PRINCIPAL_SERVICE] = {NULL, 0}, [PRINCIPAL_ANONYMOUS] = {"Anonymous", 9}};

    UNUSED();
    return give(names[request->principal->type], ret);
}

KEY(user_id)
{
    UNUSED();
    return give(request->principal->id, ret);
}

KEY(user_name)
{
    UNUSED();
    return request->principal->type == PRINCIPAL_USER && give(request->principal->name, ret);
}

KEY(source_ip)
{
    UNUSED();
    return give(request->principal->source_ip, ret);
}

KEY(user_agent)
{
    UNUSED();
    return give(request->principal->user_agent, ret);
}

KEY(requested_region)
{
    UNUSED();
    return give(request->principal->region, ret);
}

KEY(current_time)
{
    UNUSED();
    return give(clock_iso8601(arena, context->now_ms), ret);
}

KEY(epoch_time)
{
    UNUSED();
    return give(arena_printf(arena, "%lld", (long long)(context->now_ms / 1000)), ret);
}

KEY(secure_transport)
{
    UNUSED();
    return give(request->principal->secure ? STR("true") : STR("false"), ret);
}

KEY(via_service)
{
    UNUSED();
    enum principal_type type = request->principal->type;
    return type != PRINCIPAL_ANONYMOUS && give(type == PRINCIPAL_SERVICE ? STR("true") : STR("false"), ret);
}

KEY(token_issue_time)
{
    UNUSED();
    const struct principal *caller = request->principal;
    return caller->type == PRINCIPAL_ROLE_SESSION && give(clock_iso8601(arena, caller->issued_ms), ret);
}

KEY(resource_account)
{
    UNUSED();
    return give(arn_account(request->resource), ret);
}

static const struct {
    const char *name;
    key_fn *value;
} keys[] = {
    {"aws:PrincipalArn", principal_arn},
    {"aws:PrincipalAccount", principal_account},
    {"aws:PrincipalType", principal_type},
    {"aws:userid", user_id},
    {"aws:username", user_name},
    {"aws:SourceIp", source_ip},
    {"aws:UserAgent", user_agent},
    {"aws:RequestedRegion", requested_region},
    {"aws:CurrentTime", current_time},
    {"aws:EpochTime", epoch_time},
    {"aws:SecureTransport", secure_transport},
    {"aws:PrincipalIsAWSService", via_service},
    {"aws:TokenIssueTime", token_issue_time},
    {"aws:ResourceAccount", resource_account},
};

bool context__lookup(void *arg, const struct policy_request *request, struct str key, struct arena *arena, struct str *ret)
{
    const struct context_source *context = arg;
    struct str tag_prefix = STR("aws:PrincipalTag/");

    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (str_eq_nocase(key, str_of(keys[i].name)))
            return keys[i].value(context, request, arena, ret);
    if (!str_eq_nocase(str_slice(key, 0, tag_prefix.n), tag_prefix))
        return false;
    for (size_t i = 0; i < context->tag_count; i++) {
        if (!str_eq_nocase(str_slice(key, tag_prefix.n, key.n), context->tags[i].key))
            continue;
        *ret = context->tags[i].value;
        return true;
    }
    return false;
}
