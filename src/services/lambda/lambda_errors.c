/* lambda_errors.c -- how Lambda answers what goes wrong before and around its handlers. */
#include "call/service_errors.h"
#include "call/validate.h"
#include "services/lambda/lambda.h"

const struct service_errors lambda_errors = {
    .model_prefix = "",
    .coral_prefix = "",
    .validate_prefix = "",
    .type_member = true,
    .lists_null = true,
    .faults =
        {
            SERVICE_CALLER_ROWS(403),
            [FAULT_MISSING_TOKEN] = {"MissingAuthenticationTokenException", 403, SERVICE_MESSAGE_MISSING_REST},
            [FAULT_VALIDATION] = {"ValidationException", 400, NULL},
            [FAULT_INTERNAL] = {"ServiceException", 500, SERVICE_MESSAGE_INTERNAL},
            [FAULT_UNKNOWN_OPERATION] = {"UnknownOperationException", 404, NULL},
            [FAULT_TOO_LARGE] = {"RequestEntityTooLargeException", 413,
                                 "Request must be smaller than the maximum size of the operation"},
            [FAULT_BUSY] = {"ServiceUnavailableException", 503, SERVICE_MESSAGE_BUSY},
        },
};

/* As AWS lists them to who names another. Recorded on 2026-01-12, tests/corpus/lambda/refusals.json. */
#define RUNTIMES_LISTED                                                                                                            \
    "nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, java25, python3.10, python3.11, "    \
    "java21, ruby3.3, ruby3.4, ruby3.2, python3.8, python3.9, java17, nodejs16.x, dotnet10, dotnet8, java11, dotnet6, "            \
    "nodejs18.x, provided.al2, java8.al2"

/* An unknown runtime has a sentence of its own. */
static struct str lambda_sentence(struct call *call, const struct validate_constraint *c, struct str member, struct str value,
                                  const char **ret_code)
{
    (void)member;
    *ret_code = NULL;
    if (strcmp(model_text(call->api->model, c->shape->name), "Runtime") != 0)
        return STR_NONE;
    *ret_code = "InvalidParameterValueException";
    return arena_printf(call->arena,
                        "Value " STR_FMT " at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
                        "[" RUNTIMES_LISTED "] or be a valid ARN",
                        STR_ARG(str_slice(value, 0, 1024)));
}

const struct validate_overrides lambda_overrides = {.sentence = lambda_sentence};
