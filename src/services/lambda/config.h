/* config.h -- members of CreateFunction and UpdateFunctionConfiguration into a configuration. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_CONFIG_H
#define CLOUDLESS_SERVICES_LAMBDA_CONFIG_H
#include "call/call.h"

/* It looks for interpreters: worker only. False after call_fail. */
bool lambda__config_apply(struct call *call, struct json *config);
void lambda__config_defaults(struct call *call, struct json *config);      /* of what a new function was not given */
#endif
