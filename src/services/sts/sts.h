/* sts.h -- GetCallerIdentity, AssumeRole. */
#ifndef CLOUDLESS_SERVICES_STS_STS_H
#define CLOUDLESS_SERVICES_STS_STS_H
#include "api/call.h"
#include "auth/auth.h"
extern struct service sts_service;
void sts_init(struct auth *auth, struct store *store);
#endif
