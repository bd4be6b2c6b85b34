/* event_target.h -- where services let others send events, by ARN: a Lambda function; queues, streams, buses as they come. Who
 * sends knows no service: it has an ARN taken apart once (services_target, service.h), asks each time whether the target's resource
 * policy lets it, and begins a delivery, which ends exactly once, perhaps before `deliver` returns.
 *
 * A delivery has no timeout: a sender that has waited enough answers its own caller, and leaves the delivery and its arena alone
 * until `done`. Nothing of the payload is copied. */
#ifndef CLOUDLESS_CALL_EVENT_TARGET_H
#define CLOUDLESS_CALL_EVENT_TARGET_H
#include "base/arena.h"
#include "base/err.h"

#define EVENT_PAYLOAD_BYTES_MAX 6291456         /* of a payload: Lambda's quota of a synchronous request; a target may take less */

struct event_delivery;
struct event_target;
struct loop;
struct policy;

struct event_address {                  /* an ARN, taken apart */
    const struct event_target *target;
    void *state;                        /* its service's, from open to close */
    struct str account, region, name, qualifier;        /* spans of the ARN */
};

struct event_source {                   /* who sends, as the target's policy knows it */
    const char *service;                /* the principal: apigateway.amazonaws.com */
    struct str arn;                     /* aws:SourceArn; its account is aws:SourceAccount */
};

/* A row of struct service.targets: ARNs of this service whose resource begins so. */
struct event_target {
    const char *service, *resource;     /* "lambda", "function:" */
    /* The rest of the resource: sets name and qualifier. False: nothing can be called that. */
    bool (*read_name)(struct str rest, struct event_address *ret);
    /* ERR_DENIED: the target's policy does not let it. ERR_NOT_FOUND: there is no such target. Or the store's error. Reads the
     * store, so it is not for a loop if that may block; else it does not. */
    enum err (*permits)(const struct event_address *to, const struct event_source *source, struct arena *arena);
    void (*deliver)(struct event_delivery *delivery);       /* any thread; delivery->to is one of its own */
};

enum event_outcome {
    EVENT_ANSWERED,                     /* `answer` is what the target answered */
    EVENT_FAILED,                       /* it took the event and failed: `answer` tells why, error_code is the kind ("Unhandled") */
    EVENT_REFUSED                       /* it did not take it: error_code of the service's model, error_status, error_message */
};
struct event_delivery {
    /* in; borrowed until done */
    struct event_address to;
    struct loop *loop;                  /* where done runs */
    struct arena *arena;                /* answers live here, and what the target needs */
    struct str payload;
    struct str trace_id;                /* the tracing header to hand on, or STR_NONE */
    void (*done)(struct event_delivery *delivery);
    void *arg;
    /* out */
    enum event_outcome outcome;
    struct str answer;
    const char *error_code;
    int error_status;
    struct str error_message;
};

/* Whether the ARN is of the row's kind and names something. *ret is set but for its state. */
bool event_target_match(const struct event_target *target, struct str arn, struct event_address *ret);
/* The same address in memory of the arena. */
struct event_address event_address_dup(struct arena *arena, const struct event_address *to);
/* For `permits`: whether a resource policy (NULL: there is none) lets the source do `action` with the resource. */
bool event_source_allowed(const struct event_source *source, const struct policy *policy, const char *action, struct str resource,
                          struct arena *arena);
#endif
