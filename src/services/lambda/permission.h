/* permission.h -- the operations on a function's resource policy. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_PERMISSION_H
#define CLOUDLESS_SERVICES_LAMBDA_PERMISSION_H
#include "call/call.h"

#define LAMBDA_POLICY_BYTES_MAX 20480                   /* quota: resource-based policy */

call_mutate_fn lambda__add_permission, lambda__remove_permission;
call_run_fn lambda__prepare_add_permission, lambda__prepare_remove_permission, lambda__get_policy;
#endif
