/* environment.h -- environments and the pools that hold them. Folder-internal.
 * All state of one function (its pool, queue and environments) belongs to one loop, its home, chosen by the hash of its
 * name: no locks. Other loops reach it by posting the invocation; answers go back to the invocation's loop. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_ENVIRONMENT_H
#define CLOUDLESS_SERVICES_LAMBDA_ENVIRONMENT_H
#include "sandbox/runtime_api.h"
#include "services/lambda/function.h"

#define LAMBDA_ENVIRONMENTS_MAX 256         /* of the server, and no more than may run at the same time; all busy: 429 */
#define LAMBDA_STARTS_MAX 4                 /* environments of one function that start at the same time */
#define LAMBDA_QUEUE_WAIT_MS 10             /* an invocation that waited so long gets an environment of its own started */
#define LAMBDA_INIT_ERROR_MS 1000           /* a runtime that reported its initialisation's error has so long to end by itself */
#define LAMBDA_IDLE_MS (5 * 60 * 1000)      /* an environment without work for so long is retired */
#define LAMBDA_LINE_COST 200                /* of making a log event, in bytes copied */
#define LAMBDA_LOG_TAIL_BYTES 4096          /* API reference, Invoke: LogType Tail */
#define LAMBDA_CREDENTIALS_MS (6 * 3600 * 1000LL)

struct lambda__pool;
struct lambda__environment;

/* ---- environment.c ---- */
/* Starts one; it reports by the calls of pool.c below. `second`: the first initialisation timed out. */
struct lambda__environment *lambda__environment_start(struct lambda__pool *pool, struct lambda__function *function, bool second);
/* Gives a ready environment its invocation; the environment ends it by lambda__invocation_answer. */
void lambda__environment_run(struct lambda__environment *environment, struct lambda_invocation *invocation);
/* In any state. What it runs is refused: only a shutdown kills a busy one. Its memory stays until lambda__pool_gone. */
void lambda__environment_kill(struct lambda__environment *environment);
const struct lambda__function *lambda__environment_function(const struct lambda__environment *environment);
bool lambda__environment_stale(const struct lambda__environment *environment);     /* credentials near their end */
uint64_t lambda__environment_idle_ns(const struct lambda__environment *environment);        /* since when it is idle */
struct lambda__environment **lambda__environment_link(struct lambda__environment *environment);    /* the pool's list */

/* ---- pool.c; called by environments on the home loop ---- */
void lambda__pool_submit(struct lambda_invocation *invocation, struct lambda__function *function);  /* takes the reference */
void lambda__pool_ready(struct lambda__pool *pool, struct lambda__environment *environment);        /* waits for work */
struct lambda_invocation *lambda__pool_take(struct lambda__pool *pool);   /* the oldest that waits, or NULL: a failed start ends it */
bool lambda__pool_start_again(struct lambda__pool *pool);                 /* its initialisation timed out; false: nobody waits */
void lambda__pool_started(struct lambda__pool *pool);                     /* initialised, or failed to: no longer starting */
void lambda__pool_busy(bool begins);                                      /* an invocation begins or ends to run */
void lambda__pool_left_idle(struct lambda__pool *pool, struct lambda__environment *environment);   /* it is being killed */
void lambda__pool_ending(struct lambda__pool *pool);                      /* it takes no invocation any more */
void lambda__pool_gone(struct lambda__pool *pool, struct lambda__environment *environment);         /* last call */
/* Any thread: the function was changed or deleted; idle environments of older revisions go. */
void lambda__pool_changed(struct str account, struct str region, struct str name);
void lambda__pools_stop(void);          /* main thread: ends everything, waits */

/* ---- start.c: what of a start blocks ---- */
struct lambda__start {
    const struct lambda__function *function;
    struct arena *arena;
    struct str stream;
    /* out */
    bool started, has_code, own_entry;  /* has_code: lambda__code_release is due. own_entry: it runs the package's bootstrap */
    struct sandbox *sandbox;
    struct principal principal;         /* of the execution role's session */
    int64_t credentials_end_ms;
    struct str entry_reason;            /* not started, by the package's fault; else the invocation is refused with: */
    const char *error_code;
    int error_status;
    struct str message;
};
void lambda__start_run(struct lambda__start *start, const struct sandbox_hooks *hooks);     /* worker */

/* ---- failure.c ---- */
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

/* ---- invoke.c ---- */
void lambda__invocation_answer(struct lambda_invocation *invocation, struct str payload, const char *function_error);
/* By a posted task, so that the caller's state is whole when `done` comes back with the next invocation. */
void lambda__invocation_refuse(struct lambda_invocation *invocation, const char *code, int status, struct str message);
void lambda__invocation_not_found(struct lambda_invocation *invocation);
struct loop *lambda__home(struct str account, struct str region, struct str name);

/* What an invocation carries while it is here; invocation->internal. */
struct lambda__flight {
    struct lambda__function *function;
    uint64_t queued_ns;
};

/* ---- output.c: what a function prints, as log events and as the tail of one invocation ---- */
struct lambda__output;
struct lambda__output *lambda__output_new(struct lambda__function *function, struct str stream, const struct principal *principal);
void lambda__output_free(struct lambda__output **output);
/* From the pipe, in pieces. Returns what it cost: its bytes, and LAMBDA_LINE_COST for each line. */
size_t lambda__output_bytes(struct lambda__output *output, struct str bytes);
void lambda__output_end_line(struct lambda__output *output);                    /* an unfinished line becomes an event */
void lambda__output_line(struct lambda__output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lambda__output_tail_start(struct lambda__output *output);
struct str lambda__output_tail(struct lambda__output *output, struct arena *arena);
#endif
