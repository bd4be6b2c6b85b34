/* lambda.h -- what other parts may ask of Lambda beside its operations. Events reach functions by their ARNs (call/event_target.h).
 */
#ifndef CLOUDLESS_SERVICES_LAMBDA_LAMBDA_H
#define CLOUDLESS_SERVICES_LAMBDA_LAMBDA_H
#include "call/call.h"

extern const struct model model_lambda;         /* generated */
extern const struct service_errors lambda_errors;
extern const struct service_api lambda_api;
extern const struct service lambda_service;
extern const struct validate_overrides lambda_overrides;

/* Which interpreter serves which runtime, for `cloudless runtime list` and doctor. */
struct lambda_runtime { const char *name; bool available; struct str path; struct str remedy; };
/* What is wrong with a --runtime flag, NAME=PATH; or NULL. */
const char *lambda_runtime_flag_wrong(const char *flag);
size_t lambda_runtimes(const char *runtimes_dir, const char *const *flags, struct arena *arena, struct lambda_runtime **ret);
#endif
