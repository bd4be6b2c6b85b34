/* logs_errors.c -- how CloudWatch Logs answers what goes wrong before and around its handlers. */
#include "call/service_errors.h"
#include "services/logs/logs.h"

const struct service_errors logs_errors = {
    .hides_values = true,
    .model_prefix = "",
    .coral_prefix = "",
    .validate_prefix = "",
    .faults = {
        SERVICE_CALLER_ROWS(400),
        [FAULT_MISSING_TOKEN] = {"MissingAuthenticationTokenException", 400, SERVICE_MESSAGE_MISSING_REST},
        [FAULT_INTERNAL] = {"InternalFailure", 500, SERVICE_MESSAGE_INTERNAL},
        [FAULT_VALIDATION] = {"InvalidParameterException", 400, NULL},
        [FAULT_UNKNOWN_OPERATION] = {"UnknownOperationException", 400, NULL},
        [FAULT_TOO_LARGE] = {"RequestEntityTooLargeException", 413, NULL},
        [FAULT_BUSY] = {"ServiceUnavailableException", 503, SERVICE_MESSAGE_BUSY},
    },
};
