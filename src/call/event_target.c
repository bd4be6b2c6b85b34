/* event_target.c -- ARNs of targets, and the question to a target's resource policy. Pure but for the arena. */
#include "call/event_target.h"
#include "auth/policy.h"
#include "base/arn.h"

bool event_target_match(const struct event_target *target, struct str arn, struct event_address *ret)
{
    struct arn part;
    struct str prefix = str_of(target->resource);
    if (!arn_parse_of(arn, target->service, &part) || !str_starts(part.resource, prefix))
        return false;
    struct event_address found = {.target = target, .account = part.account, .region = part.region};
    if (!target->read_name(str_slice(part.resource, prefix.n, part.resource.n), &found))
        return false;
    *ret = found;
    return true;
}

struct event_address event_address_dup(struct arena *arena, const struct event_address *to)
{
    struct event_address copy = *to;
    copy.account = arena_dup(arena, to->account);
    copy.region = arena_dup(arena, to->region);
    copy.name = arena_dup(arena, to->name);
    copy.qualifier = arena_dup(arena, to->qualifier);
    return copy;
}

bool event_source_allowed(const struct event_source *source, const struct policy *policy, const char *action, struct str resource,
                          struct arena *arena)
{
    struct principal principal = {.type = PRINCIPAL_SERVICE, .arn = str_of(source->service)};
    struct policy_context context[] = {{"aws:SourceArn", source->arn}, {"aws:SourceAccount", arn_account(source->arn)}};
    struct policy_request request = {.action = str_of(action),
                                     .resource = resource,
                                     .principal = &principal,
                                     .context = context,
                                     .context_count = COUNT_OF(context),
                                     .arena = arena};
    bool by_account;
    return policy && policy_match(policy, &request, &by_account) == POLICY_ALLOW;
}
