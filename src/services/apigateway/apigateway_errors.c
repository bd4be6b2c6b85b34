/* apigateway_errors.c -- how API Gateway answers what goes wrong before and around its handlers. */
#include "call/service_errors.h"
#include "call/validate.h"
#include "services/apigateway/apigateway.h"

/* Java prints a set in no particular order; these are the orders in which AWS's answers show them (recorded from 2024 to 2026). */
static const struct validate_enum_order enum_sets[] = {
    {"EndpointType", "PRIVATE, EDGE, REGIONAL"},
    {"IntegrationType", "HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS"},
    {"Op", "add, remove, move, test, replace, copy"},
};

const struct validate_overrides apigateway_overrides = {.enum_orders = enum_sets, .enum_order_count = COUNT_OF(enum_sets)};

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
