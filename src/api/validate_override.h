/* validate_override.h -- where AWS's answer to bad input differs from what its model says; inside src/api. */
#ifndef CLOUDLESS_API_VALIDATE_OVERRIDE_H
#define CLOUDLESS_API_VALIDATE_OVERRIDE_H
#include "api/call.h"

/* Checks that come before the model's. False: call_fail was called. */
bool override_check(struct call *call);
/* The values of an enum in the order in which AWS prints them, joined; NULL: the model's order. */
const char *override_enum_order(const struct model *m, const struct model_shape *shape);
#endif
