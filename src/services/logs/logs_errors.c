/* logs_errors.c -- how CloudWatch Logs answers what goes wrong before and around its handlers. */
#include "call/service_errors.h"
#include "call/validate.h"
#include "services/logs/logs.h"

#define LOGS_NAME_MAX 512

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

/* Names that are to be made are measured before the model's constraints are looked at. */
static bool logs_name_lengths(struct call *call)
{
    struct str operation = str_of(model_text(call->api->model, call->operation->name));
    bool makes = str_eq(operation, STR("CreateLogGroup")) || str_eq(operation, STR("CreateLogStream"));
    if (!makes || (call_str(call, "logGroupName").n <= LOGS_NAME_MAX && call_str(call, "logStreamName").n <= LOGS_NAME_MAX))
        return true;
    call_fail(call, "InvalidParameterException", "Invalid LogGroup or LogStream, both must have length less than or equal to %d.",
              LOGS_NAME_MAX);
    return false;
}

const struct validate_overrides logs_overrides = {.check = logs_name_lengths};
