/* failure.h -- the ways in which a function fails without saying so itself. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_FAILURE_H
#define CLOUDLESS_SERVICES_LAMBDA_FAILURE_H
#include "sandbox/sandbox.h"

struct lambda__failure {
    struct str payload, status;         /* status: the end of the REPORT line */
    struct str reason;                  /* for the log; may be empty */
};
struct lambda__failure lambda__failure_exit(const struct sandbox_exit *exit, struct str request_id, struct arena *arena);
struct lambda__failure lambda__failure_timeout(int64_t timeout_ms, struct str request_id, struct arena *arena);
struct lambda__failure lambda__failure_entrypoint(struct str reason, struct str request_id, struct arena *arena);
struct lambda__failure lambda__failure_init(struct str error_type, struct str body, struct str request_id, struct arena *arena);
struct lambda__failure lambda__failure_too_large(size_t bytes, struct arena *arena);
struct str lambda__entrypoint_reason(enum err err, struct arena *arena);
#endif
