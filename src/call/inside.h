/* inside.h -- the door inside the program: operations that other parts call (integrations, schedules, templates). Such a call is
 * validated, authorised and recorded as one that came over the network; only its signature is not asked for, because who starts
 * it has authenticated the principal. */
#ifndef CLOUDLESS_CALL_INSIDE_H
#define CLOUDLESS_CALL_INSIDE_H
#include "call/dispatch.h"

struct call_start {
    const char *api;                    /* the model's name: "dynamodb" */
    struct str operation;               /* "PutItem" */
    struct json *input;                 /* an object with the members' names, of the model or as JSON bodies have them; NULL: empty.
                                         * The call changes it */
    struct str payload;                 /* a blob that is the operation's body (Invoke) */
    struct body_reader *body;           /* the same, for an operation whose row streams; NULL: payload */
    bool large;                         /* its input takes so long to check (over some ms) that a worker does */
    struct principal *principal;        /* who calls */
    struct str account, region;         /* STR_NONE: the principal's, the server's */
    struct str trace_id;                /* or STR_NONE */
    struct arena *arena;                /* of input, principal and answer; lives until done has returned */
    struct loop *loop;                  /* where done runs */
    /* Where an answer in pieces goes; its end is told to the producer, and done is not called. NULL: an operation that the
     * model lets answer in pieces is refused. */
    struct body_writer *(*stream)(struct call *call, uint64_t length, struct body_producer *producer, void *arg);
    /* Exactly once. Either call->failed, with error_code, error_status, error_message and error_fields, or call->output and
     * call->output_payload. */
    void (*done)(struct call *call, void *arg);
    void *arg;
};

/* Any thread. The struct is copied, what it points to is borrowed until done. ERR_NOT_FOUND: no such API, and done is not called.
 * An unknown operation is a failed call. */
enum err call_start(struct calls *calls, const struct call_start *start);
#endif
