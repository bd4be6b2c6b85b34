/* test_models.h -- the tests' own services: a model for each protocol (tests/unit/wire/models), and what they say of
 * failures. test_rpc speaks smithy-rpc-v2-cbor, json 1.0 and query. */
#ifndef CLOUDLESS_TESTS_WIRE_TEST_MODELS_H
#define CLOUDLESS_TESTS_WIRE_TEST_MODELS_H
#include "call/call.h"

extern const struct model model_test_rpc, model_test_json11, model_test_rest, model_test_restxml;

#define TEST_BODY_MAX (1u << 20)

static const struct service_errors test_errors = {
    .model_prefix = "com.example#",
    .coral_prefix = "com.example.common#",
    .validate_prefix = "com.example.common#",
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
static __attribute__((unused)) const struct service_api test_apis[] = {
    {.model = &model_test_rpc, .errors = &test_errors, .body_max = TEST_BODY_MAX}, {.model = &model_test_json11, .errors = &test_errors, .body_max = TEST_BODY_MAX},
    {.model = &model_test_rest, .errors = &test_errors, .body_max = TEST_BODY_MAX}, {.model = &model_test_restxml, .errors = &test_errors, .body_max = TEST_BODY_MAX}};
#endif
