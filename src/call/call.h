/* call.h -- one call of an operation, from its input to its output. What a service's handlers see.
 *
 * A call is not a request: it has a principal, an input, an output, and completes. It comes through a door (dispatch.h):
 * HTTP's (src/wire), or the one inside the program (inside.h). Its life is the same through both (dispatch.c):
 *   found → row → authenticated → input read → validated → row.needs authorised → row.refused → row.prepare
 *   → row.handle or row.mutate → the door's answer
 * A handler is called with a valid, authorised input; it sets call->output (a tree with the model's member names,
 * timestamps as epoch seconds numbers, blobs as base64 strings) or calls call_fail, and returns.
 * Memory: everything lives in call->arena, which goes with the call from thread to thread. */
#ifndef CLOUDLESS_CALL_CALL_H
#define CLOUDLESS_CALL_CALL_H
#include "auth/principal.h"
#include "base/json.h"
#include "call/service_errors.h"
#include "call/model.h"
#include "net/body.h"
#include "net/http.h"
#include "store/store.h"

struct call_door;
struct service;
struct service_api;
struct service_errors;
struct row;

struct call {
    struct arena *arena;
    struct loop *loop;                  /* where it began, and where it completes */
    const struct call_door *door;
    void *door_state;
    const struct service *service;
    const struct service_api *api;
    void *service_state;                /* what the service's open gave */
    const struct model_operation *operation;
    const struct row *row;
    struct principal *caller;           /* NULL before authentication, and in a row of CALLER_ANYBODY */
    struct str account, region;         /* the call's: from the access key and the credential scope */
    struct str request_id;
    struct json *input;                 /* object; never NULL. Members by the model's names, wherever they travelled */
    struct str payload;                 /* input's blob payload member, raw (Invoke) */
    struct body_reader *body;           /* the same of a row that streams, as it arrives; read it on the loop (net/body.h) */
    const char *body_code;              /* why it ended in BODY_DAMAGED */
    struct str body_message;
    struct json *output;                /* NULL: an empty structure */
    struct str output_payload;          /* output's blob payload member, raw */
    bool has_output_payload;
    struct http_header *headers;        /* of the answer, beside those of the model's output: call_header */
    size_t header_count;
    int status;                         /* 0: the operation's own */
    bool failed;
    const char *error_code;             /* of the model or of the common table in call.c */
    int error_status;
    struct str error_message;
    struct str remark;                  /* of a failure, for the one who runs the server; no client sees it */
    struct json *error_fields;          /* further members of the error shape, or NULL (CancellationReasons, Item, Type…) */
    enum call_run { RUN_INLINE, RUN_MUTATION, RUN_WORKER, RUN_ASYNC } run;   /* row.run; prepare may set RUN_WORKER */
    struct call_doc *docs;              /* what was read outside of its mutation (call_doc.h) */
    size_t doc_count;
    void *state;                        /* the handler's own, from prepare to run */
    int64_t now_ms;                     /* RUN_MUTATION, from prepare on: when it was. The only clock that mutate has */
    uint8_t seed[16];                   /* of call_random_chars and call_uuid */
    uint64_t drawn;
};

/* Marks the call failed and forgets its output. `code` must be an error of the service's model or of the common table
 * (asserted); HTTP status comes from there. The first failure wins. */
void call_fail(struct call *call, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void call_fail_not_implemented(struct call *call, const char *what);    /* 501 NotImplemented, names operation and `what` */
/* A common failure, by the service's own table. message STR_NONE: the table's. */
void call_fault(struct call *call, enum fault fault, struct str message);
/* An enum err of a lower layer as the service's internal error (500; 503 for ERR_BUSY), logged with the request id; ERR_BUSY once a
 * second at most, with how often it was. */
void call_fail_err(struct call *call, enum err err);

/* The body did not come whole: the answer that is due then. */
void call_fail_body(struct call *call, enum body_end how);

/* Instead of call_complete, for an answer whose blob comes in pieces: its head is made of call->output and the headers now, its
 * body is what is written. RUN_ASYNC, not failed; any thread. length: bytes, or HTTP_LENGTH_UNKNOWN. producer may be NULL. */
struct body_writer *call_stream(struct call *call, uint64_t length, struct body_producer *producer);
/* For an output that is an event stream: one event as bytes for call_stream's writer. `event` is an object with one member, the
 * event's name in the union; NULL: the call's failure (call_fail), as the stream's last message. False, and nothing added to `ret`:
 * it is no event of the operation, or there is no room. One thread at a time. */
bool call_event(struct call *call, const struct json *event, struct buf *ret);
/* As before its handler ran: not failed, no output, no headers. */
void call_forget_answer(struct call *call);
/* Ends a RUN_ASYNC call, failed or not: exactly once, any thread, also when handle fails at once. */
void call_complete(struct call *call);

/* Refuses, by name, every member of input that is present and listed; NULL-terminated. True: none was there. */
bool call_refuse_members(struct call *call, const char *const *names);

/* The error shape of a failed call, or NULL for a common failure; and the member that carries the message. */
const struct model_shape *call_error_shape(const struct call *call);
struct str call_error_message_member(const struct call *call);
/* For rows of RUN_MUTATION, from prepare on: letters and ids nobody can guess, and the same ones when mutate runs again. */
struct str call_random_chars(struct call *call, const char *alphabet, size_t n);
struct str call_uuid(struct call *call);                                /* version 4 */
/* A new id, in the form that the service's answers have. */
struct str call_request_id(struct arena *arena, const struct service_errors *errors);

struct str call_arn(struct call *call, const char *service, const char *format, ...) __attribute__((format(printf, 3, 4)));
                                        /* arn:aws:SERVICE:REGION:ACCOUNT:…; without a region where the API is global */

/* ---- what a row asks to be authorised ---- */
struct needs;
/* One (action, resource ARN). Context keys beyond the global ones (aws:…) are added to the need added last. */
void need_add(struct needs *needs, const char *action, struct str resource_arn);
void need_context(struct needs *needs, const char *key, struct str value);
/* A resource policy (JSON text) that counts for the need added last, united with the identity's. */
void need_resource_policy(struct needs *needs, struct str policy);
struct policy;
void need_compiled_policy(struct needs *needs, const struct policy *policy);   /* the same, compiled; lives as long as the call */

/* What `needs` reads of the store, it reads through call_doc_get or keeps in call->state, so that the handler has it without
 * reading again; a mutation reads again, because it decides. `needs` and `prepare` run on the loop, or on a worker when the body is
 * large. */
typedef void call_needs_fn(struct call *call, struct needs *needs);     /* may call_fail (unknown resource) */
typedef void call_run_fn(struct call *call);                            /* inline: loop; worker: worker thread; async: loop */
typedef void call_mutate_fn(struct call *call, struct store_txn *txn);  /* committer; call_fail drops the writes; may rerun */
/* Finds out who calls, by call_request_header: sets call->caller (in call->arena) and account, or calls call_fault and returns
 * false. The input is not read yet. On the loop, or on a worker when the body is large. */
typedef bool call_authenticate_fn(struct call *call);

/* Who may call. The model says of each operation what authenticates it (model_operation.auth); row_agrees compares. */
enum row_caller {
    CALLER_SIGNED,                  /* who has signed, in the header or in the query string */
    CALLER_ANYBODY,                 /* nobody is asked who they are: call->caller is NULL, and so is needs */
    CALLER_SIGNED_OR_ANONYMOUS,     /* who has not signed is PRINCIPAL_ANONYMOUS, whom only a resource policy can let in */
    CALLER_OWN                      /* `authenticate` finds out: bearer tokens and the like */
};

struct row {
    const char *name;               /* the model's operation */
    enum call_run run;
    call_needs_fn *needs;           /* NULL only where AWS needs no permission: sts:GetCallerIdentity */
    enum row_caller caller;
    call_authenticate_fn *authenticate;     /* CALLER_OWN; else NULL */
    call_run_fn *prepare;                   /* or NULL; before run/mutate. On a worker if the store's reads may block */
    call_run_fn *handle;            /* RUN_INLINE, RUN_WORKER, RUN_ASYNC: this one on the loop, so prepare reads what it needs */
    call_mutate_fn *mutate;         /* RUN_MUTATION */
    call_run_fn *committed;         /* or NULL; after a durable commit, on the loop, before the answer */
    bool streams;                   /* its input's blob is not gathered: RUN_ASYNC's handle reads call->body */
    bool prepare_blocks;            /* prepare runs on a worker (blobs, unpacking) */
    const char *const *refused;     /* or NULL: input members that are refused by name (501), NULL-terminated */
};

/* A version of a service's interface: a model, and what is served of it. */
struct service_api {
    const struct model *model;
    const struct row *rows;         /* sorted by name; operations of the model without a row answer 501 */
    size_t row_count;
    const struct service_errors *errors;            /* how each way to fail authentication and common checks is answered */
    const struct validate_overrides *overrides;     /* where AWS's answer to bad input is not the model's; or NULL */
    size_t body_max;                /* bytes of a request */
    unsigned skew_minutes;          /* how far a signature's date may be from now; 0: SIGV4_SKEW_MINUTES */
    bool global;                    /* its ARNs have no region */
    bool streams;                   /* there are rows that stream */
};

/* Whether the row's caller is one that the model knows, and its functions fit. */
bool row_agrees(const struct row *row, const struct model_operation *operation);
/* A header of the request (Host, X-Amzn-Trace-Id); STR_NONE: it has none, or the call is no request. */
struct str call_request_header(const struct call *call, const char *name);
/* What those who watch are told of a call that is over: service, operation, who called, why it failed. Memory of its arena. */
void call_about(const struct call *call, struct http_about *about);
/* Adds a header to the answer, beside those that the model's output has. `name` lives as long as the call. */
void call_header(struct call *call, const char *name, struct str value);

/* Input helpers: by the model's member name. */
#define call_str(call, name) json_str((call)->input, (name))
#define call_has(call, name) (json_at((call)->input, (name)) != NULL)
#endif
