/* service_errors.c -- the tables. A row reads: fault, HTTP status, code, message where the failing place has none.
 *
 * Three families of AWS services exist. The json ones answer 400 for everything but their own failures; the rest-json
 * ones answer 403 for what concerns the caller; the query ones too, with codes of their own. Within a family all
 * services answer alike but for the rows that differ, so each table is its family's list and what it replaces. */
#include "api/service_errors.h"

#define MESSAGE_BAD_KEY "The security token included in the request is invalid."
#define MESSAGE_EXPIRED "The security token included in the request is expired"
#define MESSAGE_MISMATCH                                                                                              \
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key " \
    "and signing method. Consult the service documentation for details."
#define MESSAGE_INTERNAL "The request processing has failed because of an unknown error, exception or failure."
#define MESSAGE_BUSY "The request has failed due to a temporary failure of the server."
#define MESSAGE_MISSING "Request is missing Authentication Token"
#define MESSAGE_MISSING_REST "Missing Authentication Token"

/* What concerns the caller, for json (400) and rest-json (403). */
#define CALLER_ROWS(status)                                                                 \
    [FAULT_INCOMPLETE_SIGNATURE] = {"IncompleteSignatureException", status, NULL},          \
    [FAULT_BAD_SCOPE] = {"InvalidSignatureException", status, NULL},                        \
    [FAULT_UNKNOWN_KEY] = {"UnrecognizedClientException", status, MESSAGE_BAD_KEY},         \
    [FAULT_BAD_SESSION_TOKEN] = {"UnrecognizedClientException", status, MESSAGE_BAD_KEY},   \
    [FAULT_EXPIRED_TOKEN] = {"ExpiredTokenException", status, MESSAGE_EXPIRED},             \
    [FAULT_SIGNATURE_EXPIRED] = {"InvalidSignatureException", status, NULL},                \
    [FAULT_SIGNATURE_MISMATCH] = {"InvalidSignatureException", status, MESSAGE_MISMATCH},   \
    [FAULT_AUTH_UNSUPPORTED] = {"NotImplemented", 501, NULL},                               \
    [FAULT_DENIED] = {"AccessDeniedException", status, NULL},                               \
    [FAULT_SERIALIZATION] = {"SerializationException", 400, NULL},                          \
    [FAULT_NOT_IMPLEMENTED] = {"NotImplemented", 501, NULL}

#define QUERY_ROWS                                                                          \
    [FAULT_MISSING_TOKEN] = {"MissingAuthenticationToken", 403, MESSAGE_MISSING},           \
    [FAULT_INCOMPLETE_SIGNATURE] = {"IncompleteSignature", 400, NULL},                      \
    [FAULT_BAD_SCOPE] = {"SignatureDoesNotMatch", 403, NULL},                               \
    [FAULT_UNKNOWN_KEY] = {"InvalidClientTokenId", 403, MESSAGE_BAD_KEY},                   \
    [FAULT_BAD_SESSION_TOKEN] = {"InvalidClientTokenId", 403, MESSAGE_BAD_KEY},             \
    [FAULT_EXPIRED_TOKEN] = {"ExpiredToken", 403, MESSAGE_EXPIRED},                         \
    [FAULT_SIGNATURE_EXPIRED] = {"SignatureDoesNotMatch", 403, NULL},                       \
    [FAULT_SIGNATURE_MISMATCH] = {"SignatureDoesNotMatch", 403, MESSAGE_MISMATCH},          \
    [FAULT_AUTH_UNSUPPORTED] = {"NotImplemented", 501, NULL},                               \
    [FAULT_INTERNAL] = {"InternalFailure", 500, MESSAGE_INTERNAL},                          \
    [FAULT_DENIED] = {"AccessDenied", 403, NULL},                                           \
    [FAULT_VALIDATION] = {"ValidationError", 400, NULL},                                    \
    [FAULT_SERIALIZATION] = {"MalformedInput", 400, NULL},                                  \
    [FAULT_UNKNOWN_OPERATION] = {"InvalidAction", 400, NULL},                               \
    [FAULT_NOT_IMPLEMENTED] = {"NotImplemented", 501, NULL},                                \
    [FAULT_TOO_LARGE] = {"RequestEntityTooLarge", 413, "Request body is too large."},       \
    [FAULT_BUSY] = {"ServiceUnavailable", 503, MESSAGE_BUSY}

const struct service_errors service_errors_dynamodb = {
    .model_prefix = "com.amazonaws.dynamodb.v20120810#",
    .coral_prefix = "com.amazon.coral.service#",
    .validate_prefix = "com.amazon.coral.validate#",
    .crc32 = true,
    .long_request_id = true,
    .old_parser = true,
    .faults = {
        CALLER_ROWS(400),
        [FAULT_MISSING_TOKEN] = {"MissingAuthenticationTokenException", 400, MESSAGE_MISSING},
        [FAULT_VALIDATION] = {"ValidationException", 400, NULL},
        [FAULT_INTERNAL] = {"InternalServerError", 500, MESSAGE_INTERNAL},
        [FAULT_UNKNOWN_OPERATION] = {"UnknownOperationException", 400, NULL},
        [FAULT_TOO_LARGE] = {"RequestEntityTooLargeException", 413, NULL},
        [FAULT_BUSY] = {"ServiceUnavailableException", 503, MESSAGE_BUSY},
    },
};

const struct service_errors service_errors_logs = {
    .hides_values = true,
    .model_prefix = "",
    .coral_prefix = "",
    .validate_prefix = "",
    .faults = {
        CALLER_ROWS(400),
        [FAULT_MISSING_TOKEN] = {"MissingAuthenticationTokenException", 400, MESSAGE_MISSING_REST},
        [FAULT_INTERNAL] = {"InternalFailure", 500, MESSAGE_INTERNAL},
        [FAULT_VALIDATION] = {"InvalidParameterException", 400, NULL},
        [FAULT_UNKNOWN_OPERATION] = {"UnknownOperationException", 400, NULL},
        [FAULT_TOO_LARGE] = {"RequestEntityTooLargeException", 413, NULL},
        [FAULT_BUSY] = {"ServiceUnavailableException", 503, MESSAGE_BUSY},
    },
};

const struct service_errors service_errors_lambda = {
    .model_prefix = "",
    .coral_prefix = "",
    .validate_prefix = "",
    .type_member = true,
    .lists_null = true,
    .faults = {
        CALLER_ROWS(403),
        [FAULT_MISSING_TOKEN] = {"MissingAuthenticationTokenException", 403, MESSAGE_MISSING_REST},
        [FAULT_VALIDATION] = {"ValidationException", 400, NULL},
        [FAULT_INTERNAL] = {"ServiceException", 500, MESSAGE_INTERNAL},
        [FAULT_UNKNOWN_OPERATION] = {"UnknownOperationException", 404, NULL},
        [FAULT_TOO_LARGE] = {"RequestTooLargeException", 413, "Request must be smaller than the maximum size of the operation"},
        [FAULT_BUSY] = {"ServiceUnavailableException", 503, MESSAGE_BUSY},
    },
};

const struct service_errors service_errors_apigateway = {
    .input_in_path = true,
    .model_prefix = "",
    .coral_prefix = "",
    .validate_prefix = "",
    .faults = {
        CALLER_ROWS(403),
        [FAULT_MISSING_TOKEN] = {"MissingAuthenticationTokenException", 403, MESSAGE_MISSING_REST},
        [FAULT_VALIDATION] = {"ValidationException", 400, NULL},
        [FAULT_INTERNAL] = {"InternalFailure", 500, MESSAGE_INTERNAL},
        [FAULT_UNKNOWN_OPERATION] = {"UnknownOperationException", 404, NULL},
        [FAULT_TOO_LARGE] = {"RequestEntityTooLargeException", 413, "Request Entity Too Large"},
        [FAULT_BUSY] = {"ServiceUnavailableException", 503, MESSAGE_BUSY},
    },
};

const struct service_errors service_errors_iam = {
    .hides_values = true, .model_prefix = "", .coral_prefix = "", .validate_prefix = "", .faults = {QUERY_ROWS},
};

const struct service_errors service_errors_sts = {
    .hides_values = true, .model_prefix = "", .coral_prefix = "", .validate_prefix = "", .faults = {QUERY_ROWS},
};
