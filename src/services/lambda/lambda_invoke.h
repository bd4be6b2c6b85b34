/* lambda_invoke.h -- the doors of functions: Invoke's, and that of whoever sends events by ARN. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_LAMBDA_INVOKE_H
#define CLOUDLESS_SERVICES_LAMBDA_LAMBDA_INVOKE_H
#include "services/lambda/invocation.h"

struct lambda;
extern const struct event_target lambda__targets[];     /* ended by a row without a service */
void lambda__invoke(struct lambda *lambda, struct lambda__invocation *invocation);      /* any thread */
#endif
