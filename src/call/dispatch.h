/* dispatch.h -- runs calls: from a door's operation to its answer, the same for every service and every door.
 * A door makes a call (call_new), fills what it knows of the caller, and begins it; its own functions are asked on the way. */
#ifndef CLOUDLESS_CALL_DISPATCH_H
#define CLOUDLESS_CALL_DISPATCH_H
#include "call/service.h"

struct calls_options {
    struct store *store;
    struct auth *auth;
    struct workers *workers;
    const struct service_binding *bindings;         /* for call_start */
    struct str default_account, default_region;     /* of a call that nobody has authenticated yet */
    /* Every call that came through another door than HTTP's, when it is over, or when its answer begins to stream; any thread.
     * HTTP has watchers of its own. Or NULL. */
    void (*watch)(const struct call *call, uint64_t ns, void *arg);
    void *watch_arg;
};
struct calls *calls_new(const struct calls_options *options);       /* the strings live as long as it */
void calls_free(struct calls *calls);
struct auth *calls_auth(const struct calls *calls);
struct str calls_default_region(const struct calls *calls);
const struct service_binding *calls_binding(const struct calls *calls, const char *api);     /* by the model's name; or NULL */

/* What lies outside a call. Each function may run on call->loop, or on a worker when the call is large. */
struct call_door {
    /* Sets call->operation, or fails; NULL: it is set. Who calls is not known yet, so a failure is told only to a caller who
     * was authenticated. */
    bool (*find)(struct call *call);
    /* Sets caller, account and region, or fails; NULL: they are set, whatever the row says. Asked unless anybody may call
     * the operation or it has an authentication of its own; with row.caller it may let in who has not signed. */
    bool (*authenticate)(struct call *call);
    /* Sets call->input and call->payload, or fails; NULL: they are set. */
    void (*read)(struct call *call);
    struct str (*header)(const struct call *call, const char *name);    /* call_request_header; NULL: there are none */
    /* call_stream: the answer's head goes now. Any thread. The call's memory is the door's when the producer has ended. */
    struct body_writer *(*stream)(struct call *call, uint64_t length, struct body_producer *producer);
    bool (*event)(struct call *call, const struct json *event, struct buf *ret);        /* call_event; NULL: there are none */
    /* The call has ended, well or not; on the thread where that happened. Makes the answer's text; may be NULL. */
    void (*ended)(struct call *call);
    /* After `ended`, on call->loop, once: takes the answer. The call's memory is the door's from then on. */
    void (*done)(struct call *call);
};

struct call *call_new(struct calls *calls, const struct service_binding *of, struct arena *arena, struct loop *loop,
                      const struct call_door *door, void *door_state);
struct calls *call_calls(const struct call *call);
const struct row *call_row(const struct call *call);        /* of its operation; NULL: it is not served */
/* On call->loop. `large`: its door's work takes so long (over some ms) that everything up to the handler runs on a worker. */
void call_begin(struct call *call, bool large);
#endif
