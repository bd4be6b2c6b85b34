/* invocation.h -- an invocation: what it is born with (lambda_invoke.h), what it carries while it is here, and its end.
 * Folder-internal. An invocation ends exactly once, by one of the calls below; its `done` runs on the loop where it began. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_INVOCATION_H
#define CLOUDLESS_SERVICES_LAMBDA_INVOCATION_H
#include "services/lambda/function.h"
#include "call/event_target.h"
#include "net/loop.h"

struct lambda__invocation {
    /* in; borrowed until done */
    struct loop *loop;          /* where done runs */
    struct arena *arena;        /* answers live here */
    struct str account, region, function, qualifier, payload, client_context, trace_id;
    bool tail_log;
    void (*done)(struct lambda__invocation *invocation);
    void *arg;
    /* out */
    enum event_outcome outcome;
    struct str answer;          /* payload; of a function that failed, AWS's error JSON */
    const char *function_error; /* "Unhandled" */
    struct str log_tail;        /* last 4 KB of the log, raw */
    struct str request_id;
    const char *error_code;     /* refused: a name of the Lambda model */
    int error_status;
    struct str error_message;
    /* from here on the folder's */
    struct lambda__invocation *next;
    struct loop_task task;
    void *internal;
};

struct lambda__flight {                     /* invocation->internal */
    struct lambda__function *function;      /* a reference, or NULL */
    uint64_t queued_ns;
    _Atomic size_t *in_flight;              /* whoever counts invocations: one less when it ends */
};
struct lambda__flight *lambda__flight(struct lambda__invocation *invocation);

void lambda__invocation_answer(struct lambda__invocation *invocation, struct str payload, const char *function_error);
/* By a posted task, so that the caller's state is whole when `done` comes back with the next invocation. */
void lambda__invocation_refuse(struct lambda__invocation *invocation, const char *code, int status, struct str message);
void lambda__invocation_not_found(struct lambda__invocation *invocation);
#endif
