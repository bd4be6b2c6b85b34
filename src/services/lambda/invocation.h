/* invocation.h -- the end of an invocation, and what it carries while it is here. Folder-internal.
 * An invocation ends exactly once, by one of the calls below; its `done` runs on the loop where it began. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_INVOCATION_H
#define CLOUDLESS_SERVICES_LAMBDA_INVOCATION_H
#include "services/lambda/function.h"
#include "services/lambda/lambda.h"

struct lambda__flight {                     /* invocation->internal */
    struct lambda__function *function;      /* a reference, or NULL */
    uint64_t queued_ns;
    _Atomic size_t *in_flight;              /* whoever counts invocations: one less when it ends */
};
struct lambda__flight *lambda__flight(struct lambda_invocation *invocation);

void lambda__invocation_answer(struct lambda_invocation *invocation, struct str payload, const char *function_error);
/* By a posted task, so that the caller's state is whole when `done` comes back with the next invocation. */
void lambda__invocation_refuse(struct lambda_invocation *invocation, const char *code, int status, struct str message);
void lambda__invocation_not_found(struct lambda_invocation *invocation);
#endif
