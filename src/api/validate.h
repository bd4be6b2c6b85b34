/* validate.h -- the constraints of a model against an input tree, with AWS's own messages. */
#ifndef CLOUDLESS_API_VALIDATE_H
#define CLOUDLESS_API_VALIDATE_H
#include "api/call.h"

/* call->input is bound (wire.h). False: call_fail was called with the service's validation error. */
bool validate_input(struct call *call);
#endif
