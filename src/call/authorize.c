/* authorize.c -- the list of permissions that a row asks for, and their check.
 * Every need must be granted; the first that is not is the answer. A row that asks for nothing although it has a needs
 * function is refused: no call goes round the policies by an empty list. */
#include "call/internal.h"
#include "base/log.h"
#include "base/panic.h"

#define NEEDS_MAX 1024      /* a batch names at most 100 tables; PassRole and layers add a few */
#define CONTEXT_MAX (1u << 21)  /* of one need: every attribute that a batch names; more: the request is too large */

void need_add(struct needs *needs, const char *action, struct str resource_arn)
{
    ENSURE(needs->count < NEEDS_MAX);
    if (needs->count == needs->cap) {
        struct need *grown = arena_array(needs->call->arena, struct need, needs->cap * 2);
        memcpy(grown, needs->items, needs->count * sizeof *grown);
        needs->items = grown;
        needs->cap *= 2;
    }
    needs->items[needs->count++] = (struct need){.action = action, .resource = resource_arn};
}

static struct need *last_need(struct needs *needs)
{
    ENSURE(needs->count > 0);
    return &needs->items[needs->count - 1];
}

void need_context(struct needs *needs, const char *key, struct str value)
{
    struct need *need = last_need(needs);
    if (need->context_count == CONTEXT_MAX) {
        call_fault(needs->call, FAULT_TOO_LARGE, STR_NONE);
        return;
    }
    if (need->context_count == need->context_cap) {
        size_t cap = need->context_cap ? need->context_cap * 2 : 4;
        struct policy_context *grown = arena_array(needs->call->arena, struct policy_context, cap);
        if (need->context_count)
            memcpy(grown, need->context, need->context_count * sizeof *grown);
        need->context = grown;
        need->context_cap = cap;
    }
    need->context[need->context_count++] = (struct policy_context){key, value};
}

void need_resource_policy(struct needs *needs, struct str policy)
{
    last_need(needs)->resource_policy = policy;
}

void need_compiled_policy(struct needs *needs, const struct policy *policy)
{
    last_need(needs)->compiled_policy = policy;
}

bool call__authorize(struct call *call, struct auth *auth, struct needs *needs)
{
    *needs = (struct needs){.call = call, .items = needs->first, .cap = COUNT_OF(needs->first)};
    if (!call->row->needs)
        return true;
    call->row->needs(call, needs);
    if (call->failed)
        return false;
    if (needs->count == 0) {
        log_to(LOG_ERROR, "api.no_needs", {"operation", str_of(call->row->name)});
        call_fault(call, FAULT_INTERNAL, STR_NONE);
        return false;
    }
    for (size_t i = 0; i < needs->count; i++) {
        struct need *need = &needs->items[i];
        struct policy_request request = {.action = str_of(need->action), .resource = need->resource, .principal = call->caller,
                                         .context = need->context, .context_count = need->context_count,
                                         .resource_policy = need->compiled_policy};
        struct str message = STR_NONE;
        enum err err = auth_authorize(auth, &request, need->resource_policy, call->arena, &message);
        if (err == ERR_OK)
            continue;
        if (err == ERR_DENIED)
            call_fault(call, FAULT_DENIED, message);
        else
            call_fail_err(call, err);
        return false;
    }
    return true;
}
