/* service_errors.h -- how each service answers what goes wrong before or around its handlers: authentication,
 * authorisation, malformed and invalid input, unknown operations, overload. One table a service. Sources: the "Common
 * errors" page of each service's API reference; error bodies as the protocols of the models print them. */
#ifndef CLOUDLESS_API_SERVICE_ERRORS_H
#define CLOUDLESS_API_SERVICE_ERRORS_H
#include "auth/auth.h"

enum fault {
    /* The first ones are those of enum auth_failure, in its order (asserted); FAULT_NONE is AUTH_OK. */
    FAULT_NONE, FAULT_MISSING_TOKEN, FAULT_INCOMPLETE_SIGNATURE, FAULT_BAD_SCOPE, FAULT_UNKNOWN_KEY,
    FAULT_BAD_SESSION_TOKEN, FAULT_EXPIRED_TOKEN, FAULT_SIGNATURE_EXPIRED, FAULT_SIGNATURE_MISMATCH, FAULT_AUTH_UNSUPPORTED,
    FAULT_INTERNAL,
    FAULT_DENIED,               /* authenticated, not authorised */
    FAULT_VALIDATION,           /* the model's constraints */
    FAULT_SERIALIZATION,        /* a body that cannot be read, a value of the wrong type */
    FAULT_UNKNOWN_OPERATION, FAULT_NOT_IMPLEMENTED, FAULT_TOO_LARGE, FAULT_BUSY, FAULT_COUNT
};

struct service_error {
    const char *code;
    uint16_t status;
    const char *message;        /* when the place that failed has none of its own; NULL: the answer carries no message */
};

struct service_errors {
    const char *model_prefix;   /* before the code in __type: "com.amazonaws.dynamodb.v20120810#" */
    const char *coral_prefix;   /* the same for FAULTs: "com.amazon.coral.service#"; FAULT_VALIDATION has its own */
    const char *validate_prefix;
    bool crc32;                 /* answers carry x-amz-crc32 */
    bool long_request_id;       /* 52 upper-case characters; else a UUID */
    bool type_member;           /* error bodies carry "Type": "User" or "Server" (Lambda) */
    bool old_parser;            /* "NUMBER_VALUE cannot be converted to String"; else "can not be converted to a String" */
    bool hides_values;          /* validation errors say "Value at 'x'", not "Value 'v' at 'x'" */
    bool lists_null;            /* "Member must not be null" ends the constraints of a collection's elements */
    bool input_in_path;         /* paths of members begin with the operation: 'putIntegrationInput.type' */
    struct service_error faults[FAULT_COUNT];
};

extern const struct service_errors service_errors_dynamodb, service_errors_lambda, service_errors_iam, service_errors_sts,
    service_errors_logs, service_errors_apigateway;
#endif
