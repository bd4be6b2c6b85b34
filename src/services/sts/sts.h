/* sts.h -- GetCallerIdentity, AssumeRole. */
#ifndef CLOUDLESS_SERVICES_STS_STS_H
#define CLOUDLESS_SERVICES_STS_STS_H
#include "call/call.h"
#include "auth/auth.h"
extern const struct model model_sts;         /* generated */
extern const struct service_errors sts_errors;
extern struct service_api sts_api;
void sts_init(struct auth *auth, struct store *store);
#endif
