/* environment.h -- environments and the pools that hold them. Folder-internal.
 * All state of one function (its pool, queue and environments) belongs to one loop, its home, chosen by the hash of its
 * name: no locks. Other loops reach it by posting the invocation; answers go back to the invocation's loop. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_ENVIRONMENT_H
#define CLOUDLESS_SERVICES_LAMBDA_ENVIRONMENT_H
#include "sandbox/runtime_api.h"
#include "services/lambda/function.h"

#define LAMBDA_ENVIRONMENTS_MAX 256         /* of the server; more: 429 */
#define LAMBDA_STARTS_MAX 4                 /* environments of one function that start at the same time */
#define LAMBDA_QUEUE_WAIT_MS 10             /* an invocation that waited so long gets an environment of its own started */
#define LAMBDA_IDLE_MS (5 * 60 * 1000)      /* an environment without work for so long is retired */
#define LAMBDA_LOG_TAIL_BYTES 4096          /* API reference, Invoke: LogType Tail */
#define LAMBDA_CREDENTIALS_MS (6 * 3600 * 1000LL)

struct lambda__pool;
struct lambda__environment;

/* ---- environment.c ---- */
/* Starts one; it reports by lambda__pool_ready or lambda__pool_lost. `second` : the first initialisation timed out. */
struct lambda__environment *lambda__environment_start(struct lambda__pool *pool, struct lambda__function *function, bool second);
/* Gives a ready environment its invocation; the environment ends it by lambda__invocation_end. */
void lambda__environment_run(struct lambda__environment *environment, struct lambda_invocation *invocation);
void lambda__environment_kill(struct lambda__environment *environment);
const struct lambda__function *lambda__environment_function(const struct lambda__environment *environment);
bool lambda__environment_stale(const struct lambda__environment *environment);     /* credentials near their end */
struct lambda__environment **lambda__environment_link(struct lambda__environment *environment);    /* the pool's list */

/* ---- pool.c; called by environments on the home loop ---- */
void lambda__pool_submit(struct lambda_invocation *invocation, struct lambda__function *function);  /* takes the reference */
void lambda__pool_ready(struct lambda__pool *pool, struct lambda__environment *environment);        /* waits for work */
/* Initialisation failed: `answer` (error JSON, made for the request id given by make) ends the oldest waiting invocation. */
typedef struct str lambda__error_text(struct lambda__environment *environment, struct lambda_invocation *invocation);
void lambda__pool_init_failed(struct lambda__pool *pool, struct lambda__environment *environment, lambda__error_text *text, bool timed_out);
/* It could not be started at all. */
void lambda__pool_start_failed(struct lambda__pool *pool, struct lambda__environment *environment, enum err err);
void lambda__pool_started(struct lambda__pool *pool);                     /* initialised, or failed to: no longer starting */
void lambda__pool_left_idle(struct lambda__pool *pool, struct lambda__environment *environment);   /* it is being killed */
void lambda__pool_gone(struct lambda__pool *pool, struct lambda__environment *environment);         /* last call */
void lambda__pools_stop(void);          /* main thread: ends everything, waits */

/* ---- invoke.c ---- */
void lambda__invocation_answer(struct lambda_invocation *invocation, struct str payload, const char *function_error);
void lambda__invocation_refuse(struct lambda_invocation *invocation, const char *code, int status, struct str message);
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
void lambda__output_bytes(struct lambda__output *output, struct str bytes);     /* from the pipe, in pieces */
void lambda__output_end_line(struct lambda__output *output);                    /* an unfinished line becomes an event */
void lambda__output_line(struct lambda__output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lambda__output_tail_start(struct lambda__output *output);
struct str lambda__output_tail(struct lambda__output *output, struct arena *arena);
#endif
