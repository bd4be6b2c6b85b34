/* internal.h -- what the files of src/call share: the list of what a call needs to be allowed. */
#ifndef CLOUDLESS_CALL_INTERNAL_H
#define CLOUDLESS_CALL_INTERNAL_H
#include "auth/auth.h"
#include "call/call.h"

struct need {
    const char *action;
    struct str resource, resource_policy;
    const struct policy *compiled_policy;
    struct policy_context *context;
    size_t context_count, context_cap;
};
struct needs {
    struct call *call;
    struct need *items;
    size_t count, cap;
    struct need first[2];               /* room for what most rows ask */
};

/* dispatch.c: tells the watcher. */
void call__watched(const struct call *call, uint64_t ns);
/* authorize.c: everything that the call's row asks for. False: call_fail was called. */
bool call__authorize(struct call *call, struct auth *auth, struct needs *needs);
#endif
