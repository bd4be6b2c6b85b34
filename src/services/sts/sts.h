/* sts.h -- GetCallerIdentity, AssumeRole. */
#ifndef CLOUDLESS_SERVICES_STS_STS_H
#define CLOUDLESS_SERVICES_STS_STS_H
#include "call/call.h"
#include "auth/auth.h"
extern const struct model model_sts;         /* generated */
extern const struct service_errors sts_errors;
extern const struct service_api sts_api;
extern const struct service sts_service;
struct sts {                        /* the service's state: call->service_state */
    struct auth *auth;
    struct store *store;
};
#endif
