/* lambda.h -- functions: control plane, environments, invocations; and how the gateway invokes.
 * An invocation is born by Invoke or the gateway, waits in its function's queue for a free environment, and ends exactly
 * once: answered, failed, timed out or refused. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_LAMBDA_H
#define CLOUDLESS_SERVICES_LAMBDA_LAMBDA_H
#include "call/call.h"
#include "net/worker.h"
#include "sandbox/sandbox.h"

#define LAMBDA_PAYLOAD_BYTES_MAX 6291456        /* quota: 6 MB request, synchronous */
#define LAMBDA_TIMEOUT_S_MAX 900
#define LAMBDA_ENVIRONMENTS_MAX 256             /* that any server may have */

struct lambda;                                  /* the state of lambda_service */
extern const struct model model_lambda;         /* generated */
extern const struct service_errors lambda_errors;
extern const struct service_api lambda_api;
extern const struct service lambda_service;
extern const struct validate_overrides lambda_overrides;

/* Bounds and times of environments; a test makes them small. */
struct lambda_limits {
    size_t environments_max;        /* of the server, and no more than may run at the same time; all busy: 429 */
    size_t starts_max;              /* environments of one function that start at the same time */
    uint64_t queue_wait_ms;         /* an invocation that waited so long gets an environment of its own started */
    uint64_t init_ms;               /* of initialisation */
    uint64_t init_error_ms;         /* a runtime that reported its initialisation's error has so long to end by itself */
    uint64_t idle_ms;               /* an environment without work for so long is retired */
    uint64_t second_ms;             /* of a function's timeout: 1,000 */
};

enum lambda_outcome {
    LAMBDA_ANSWERED,            /* payload is the handler's answer */
    LAMBDA_FUNCTION_ERROR,      /* payload is AWS's error JSON; function_error "Unhandled" (or "Handled") */
    LAMBDA_REFUSED              /* code, status, message: not found, throttled, too large, service failure */
};
struct lambda_invocation {
    /* in; borrowed until done */
    struct loop *loop;          /* where done runs */
    struct arena *arena;        /* answers live here */
    struct str account, region, function, qualifier, payload, client_context, trace_id;
    bool tail_log;
    void (*done)(struct lambda_invocation *invocation);
    void *arg;
    /* out */
    enum lambda_outcome outcome;
    struct str answer;          /* payload */
    const char *function_error;
    struct str log_tail;        /* last 4 KB of the log, raw */
    struct str request_id;
    const char *error_code;     /* refused: a name of the Lambda model */
    int error_status;
    struct str error_message;
    /* the service's */
    struct lambda_invocation *next;
    struct loop_task task;
    void *internal;
};
void lambda_invoke(struct lambda *lambda, struct lambda_invocation *invocation);       /* any thread */
/* Does the function's resource policy let this service principal invoke it for source_arn? Reads inline, cached. */
bool lambda_permits(struct lambda *lambda, struct str account, struct str region, struct str function,
                    const char *service_principal, struct str source_arn, struct arena *arena);
#define LAMBDA_CODE_PATH "/_aws/lambda/code/"   /* below it are packages, for who has the URL that GetFunction gave */
/* A function's name and account from a (partial) ARN or name; false: malformed. */
bool lambda_parse_name(struct str text, struct str *ret_account, struct str *ret_region, struct str *ret_name,
                       struct str *ret_qualifier);

/* Which interpreter serves which runtime, for `cloudless runtime list` and doctor. */
struct lambda_runtime { const char *name; bool available; struct str path; struct str remedy; };
/* What is wrong with a --runtime flag, NAME=PATH; or NULL. */
const char *lambda_runtime_flag_wrong(const char *flag);
size_t lambda_runtimes(const char *runtimes_dir, const char *const *flags, struct arena *arena, struct lambda_runtime **ret);
#endif
