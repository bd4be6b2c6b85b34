/* apigateway_errors.c -- how API Gateway answers what goes wrong before and around its handlers. */
#include "call/service_errors.h"
#include "services/apigateway/apigateway.h"

const struct service_errors apigateway_errors = {
    .input_in_path = true,
    .model_prefix = "",
    .coral_prefix = "",
    .validate_prefix = "",
    .faults = {
        SERVICE_CALLER_ROWS(403),
        [FAULT_MISSING_TOKEN] = {"MissingAuthenticationTokenException", 403, SERVICE_MESSAGE_MISSING_REST},
        [FAULT_VALIDATION] = {"ValidationException", 400, NULL},
        [FAULT_INTERNAL] = {"InternalFailure", 500, SERVICE_MESSAGE_INTERNAL},
        [FAULT_UNKNOWN_OPERATION] = {"UnknownOperationException", 404, NULL},
        [FAULT_TOO_LARGE] = {"RequestEntityTooLargeException", 413, "Request Entity Too Large"},
        [FAULT_BUSY] = {"ServiceUnavailableException", 503, SERVICE_MESSAGE_BUSY},
    },
};
