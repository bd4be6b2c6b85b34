/* invoke_operation.h -- the operation Invoke. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_INVOKE_OPERATION_H
#define CLOUDLESS_SERVICES_LAMBDA_INVOKE_OPERATION_H
#include "call/call.h"

call_run_fn lambda__prepare_invoke, lambda__invoke_call;
#endif
