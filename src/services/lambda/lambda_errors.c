/* lambda_errors.c -- how Lambda answers what goes wrong before and around its handlers. */
#include "call/service_errors.h"
#include "base/buf.h"
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

/* An unknown runtime has a sentence of its own. */
static struct str lambda_sentence(struct call *call, const struct validate_constraint *c, struct str member, struct str value,
                                  const char **ret_code)
{
    const struct model *m = call->api->model;
    (void)member;
    *ret_code = NULL;
    if (strcmp(model_text(m, c->shape->name), "Runtime") != 0)
        return STR_NONE;
    struct buf text;
    buf_init(&text, call->arena, 8192);
    buf_lit(&text, "Value ");
    buf_add(&text, str_slice(value, 0, 1024));
    buf_lit(&text, " at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [");
    for (size_t i = 0; i < c->shape->enum_count; i++) {
        if (i)
            buf_lit(&text, ", ");
        buf_add(&text, str_of(model_text(m, m->enums[c->shape->enums + i])));
    }
    buf_lit(&text, "] or be a valid ARN");
    *ret_code = "InvalidParameterValueException";
    return buf_str(&text);
}

const struct validate_overrides lambda_overrides = {.sentence = lambda_sentence};
