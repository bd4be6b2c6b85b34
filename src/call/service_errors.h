/* service_errors.h -- how a service answers what goes wrong before or around its handlers: authentication, authorisation,
 * malformed and invalid input, unknown operations, overload. One table a service, in its folder (NAME_errors.c).
 *
 * Three families of AWS services exist. The json ones answer 400 for everything but their own failures; the rest-json ones
 * answer 403 for what concerns the caller; the query ones too, with codes of their own. Within a family all services answer
 * alike but for the rows that differ, so a service's table is its family's list (below) and what it replaces.
 * Sources: the "Common errors" page of each service's API reference; error bodies as the protocols of the models print them. */
#ifndef CLOUDLESS_CALL_SERVICE_ERRORS_H
#define CLOUDLESS_CALL_SERVICE_ERRORS_H
#include "base/str.h"

enum fault {
    /* The first ones are those of enum auth_failure, in its order (wire/door.c asserts it); FAULT_NONE is AUTH_OK. */
    FAULT_NONE, FAULT_MISSING_TOKEN, FAULT_INCOMPLETE_SIGNATURE, FAULT_BAD_SCOPE, FAULT_UNKNOWN_KEY,
    FAULT_BAD_SESSION_TOKEN, FAULT_EXPIRED_TOKEN, FAULT_SIGNATURE_EXPIRED, FAULT_SIGNATURE_MISMATCH, FAULT_AUTH_UNSUPPORTED,
    FAULT_BAD_QUERY, FAULT_URL_EXPIRED, FAULT_BAD_ARGUMENT, FAULT_BODY_MISMATCH,    /* of APIs that sign as S3 does */
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
    /* Before the code in __type: "com.amazonaws.dynamodb.v20120810#"; its package stands in the old parser's texts. */
    const char *model_prefix;
    const char *coral_prefix;   /* the same for FAULTs: "com.amazon.coral.service#"; FAULT_VALIDATION has its own */
    const char *validate_prefix;
    bool crc32;                 /* answers carry x-amz-crc32 */
    bool long_request_id;       /* 52 upper-case characters; else a UUID */
    bool type_member;           /* error bodies carry "Type": "User" or "Server" (Lambda) */
    bool old_parser;            /* "NUMBER_VALUE cannot be converted to String"; else "can not be converted to a String" */
    bool hides_values;          /* validation errors say "Value at 'x'", not "Value 'v' at 'x'", but of numbers */
    bool lists_null;            /* "Member must not be null" ends the constraints of a collection's elements */
    bool input_in_path;         /* paths of members begin with the operation: 'putIntegrationInput.type'; those of the URL do not */
    struct service_error faults[FAULT_COUNT];
};

/* A row reads: fault, code, HTTP status, message where the failing place has none. */
#define SERVICE_MESSAGE_BAD_KEY "The security token included in the request is invalid."
#define SERVICE_MESSAGE_EXPIRED "The security token included in the request is expired"
#define SERVICE_MESSAGE_MISMATCH                                                                        \
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "\
    "and signing method. Consult the service documentation for details."
#define SERVICE_MESSAGE_INTERNAL "The request processing has failed because of an unknown error, exception or failure."
#define SERVICE_MESSAGE_BUSY "The request has failed due to a temporary failure of the server."
#define SERVICE_MESSAGE_MISSING "Request is missing Authentication Token"
#define SERVICE_MESSAGE_MISSING_REST "Missing Authentication Token"

/* What concerns the caller, for json (400) and rest-json (403). */
#define SERVICE_CALLER_ROWS(status)                                                                     \
    [FAULT_INCOMPLETE_SIGNATURE] = {"IncompleteSignatureException", status, NULL},                      \
    [FAULT_BAD_SCOPE] = {"InvalidSignatureException", status, NULL},                                    \
    [FAULT_UNKNOWN_KEY] = {"UnrecognizedClientException", status, SERVICE_MESSAGE_BAD_KEY},             \
    [FAULT_BAD_SESSION_TOKEN] = {"UnrecognizedClientException", status, SERVICE_MESSAGE_BAD_KEY},       \
    [FAULT_EXPIRED_TOKEN] = {"ExpiredTokenException", status, SERVICE_MESSAGE_EXPIRED},                 \
    [FAULT_SIGNATURE_EXPIRED] = {"InvalidSignatureException", status, NULL},                            \
    [FAULT_SIGNATURE_MISMATCH] = {"InvalidSignatureException", status, SERVICE_MESSAGE_MISMATCH},       \
    [FAULT_AUTH_UNSUPPORTED] = {"NotImplemented", 501, NULL},                                           \
    [FAULT_DENIED] = {"AccessDeniedException", status, NULL},                                           \
    [FAULT_SERIALIZATION] = {"SerializationException", 400, NULL},                                      \
    [FAULT_NOT_IMPLEMENTED] = {"NotImplemented", 501, NULL}

#define SERVICE_QUERY_ROWS                                                                              \
    [FAULT_MISSING_TOKEN] = {"MissingAuthenticationToken", 403, SERVICE_MESSAGE_MISSING},               \
    [FAULT_INCOMPLETE_SIGNATURE] = {"IncompleteSignature", 400, NULL},                                  \
    [FAULT_BAD_SCOPE] = {"SignatureDoesNotMatch", 403, NULL},                                           \
    [FAULT_UNKNOWN_KEY] = {"InvalidClientTokenId", 403, SERVICE_MESSAGE_BAD_KEY},                       \
    [FAULT_BAD_SESSION_TOKEN] = {"InvalidClientTokenId", 403, SERVICE_MESSAGE_BAD_KEY},                 \
    [FAULT_EXPIRED_TOKEN] = {"ExpiredToken", 403, SERVICE_MESSAGE_EXPIRED},                             \
    [FAULT_SIGNATURE_EXPIRED] = {"SignatureDoesNotMatch", 403, NULL},                                   \
    [FAULT_SIGNATURE_MISMATCH] = {"SignatureDoesNotMatch", 403, SERVICE_MESSAGE_MISMATCH},              \
    [FAULT_AUTH_UNSUPPORTED] = {"NotImplemented", 501, NULL},                                           \
    [FAULT_INTERNAL] = {"InternalFailure", 500, SERVICE_MESSAGE_INTERNAL},                              \
    [FAULT_DENIED] = {"AccessDenied", 403, NULL},                                                       \
    [FAULT_VALIDATION] = {"ValidationError", 400, NULL},                                                \
    [FAULT_SERIALIZATION] = {"MalformedInput", 400, NULL},                                              \
    [FAULT_UNKNOWN_OPERATION] = {"InvalidAction", 400, NULL},                                           \
    [FAULT_NOT_IMPLEMENTED] = {"NotImplemented", 501, NULL},                                            \
    [FAULT_TOO_LARGE] = {"RequestEntityTooLarge", 413, "Request body is too large."},                   \
    [FAULT_BUSY] = {"ServiceUnavailable", 503, SERVICE_MESSAGE_BUSY}

/* For an API whose model signs as S3 does (signs_as_s3), beside its family's. Source: "Error responses", S3's API reference. */
#define SERVICE_SIGNS_AS_S3_ROWS                                                                        \
    [FAULT_BAD_QUERY] = {"AuthorizationQueryParametersError", 400, NULL},                               \
    [FAULT_URL_EXPIRED] = {"AccessDenied", 403, "Request has expired"},                                 \
    [FAULT_BAD_ARGUMENT] = {"InvalidArgument", 400, NULL},                                              \
    [FAULT_BODY_MISMATCH] = {"XAmzContentSHA256Mismatch", 400,                                          \
                             "The provided 'x-amz-content-sha256' header does not match what was computed."}
#endif
