/* sts_errors.c -- how STS answers what goes wrong before and around its handlers. */
#include "call/service_errors.h"
#include "services/sts/sts.h"

const struct service_errors sts_errors = {
    .hides_values = true, .model_prefix = "", .coral_prefix = "", .validate_prefix = "", .faults = {SERVICE_QUERY_ROWS},
};
