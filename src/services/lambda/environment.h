/* environment.h -- one environment, from its start to its end. Folder-internal; home loop only.
 * It knows nothing of pools: its owner gives it invocations and hears of it by hooks. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_ENVIRONMENT_H
#define CLOUDLESS_SERVICES_LAMBDA_ENVIRONMENT_H
#include "services/lambda/environment_start.h"
#include "services/lambda/invocation.h"
#include "services/lambda/meters.h"
#include "services/lambda/output.h"

#define LAMBDA_ENVIRONMENTS_MAX 256     /* that any server may have */

struct lambda__code;
struct lambda__environment;

/* Bounds and times of environments, and sizes of packages; a test makes them small. */
struct lambda__limits {
    size_t environments_max;        /* of the server, and no more than may run at the same time; all busy: 429 */
    size_t starts_max;              /* environments of one function that start at the same time */
    uint64_t queue_wait_ms;         /* an invocation that waited so long gets an environment of its own started */
    uint64_t init_ms;               /* of initialisation */
    uint64_t init_error_ms;         /* a runtime that reported its initialisation's error has so long to end by itself */
    uint64_t idle_ms;               /* an environment without work for so long is retired */
    uint64_t second_ms;             /* of a function's timeout: 1,000 */
    uint64_t permission_ms;         /* whether the role may log is asked for again after so long */
    size_t request_bytes_max;       /* of a request that carries a package as base64, */
    size_t zip_bytes_max;           /* of that package, */
    size_t unzipped_bytes_max;      /* and of its files */
};

/* What the owner does when its environment reports; on the home loop. */
struct lambda__environment_hooks {
    void (*ready)(void *owner, struct lambda__environment *environment);    /* waits for work: run it, keep it, or kill it */
    struct lambda__invocation *(*take)(void *owner); /* the oldest that waits, or NULL: the start failed, and it hears of that */
    bool (*again)(void *owner);                     /* its initialisation timed out. True: started once more when it is gone */
    void (*started)(void *owner);                           /* initialised, or failed to: no longer starting */
    void (*busy)(void *owner, bool begins);                 /* an invocation begins or ends to run */
    void (*left_idle)(void *owner, struct lambda__environment *environment);    /* was ready; is being killed */
    void (*ending)(void *owner);                            /* it takes no invocation any more */
    void (*gone)(void *owner, struct lambda__environment *environment, bool again);   /* last call; `again`: as promised */
};
struct lambda__environment_parts {          /* what environments are made with; borrowed, constant */
    const struct lambda__environment_hooks *hooks;
    const struct lambda__limits *limits;     /* environments_max at most LAMBDA_ENVIRONMENTS_MAX */
    const struct platform *platform;
    struct lambda__interpreters *interpreters;
    struct logs *logs;
    struct lambda__code *code;
    struct lambda__meters *meters;
};

/* Starts one; takes a reference of `function`. tenant: the function's, outlives it. `second`: the first initialisation timed out.
 * No hook is called from within. */
struct lambda__environment *lambda__environment_start(const struct lambda__environment_parts *parts, void *owner,
                                                      struct http_tenant *tenant, struct lambda__function *function, bool second);
/* Gives a ready environment its invocation; the environment ends it. */
void lambda__environment_run(struct lambda__environment *environment, struct lambda__invocation *invocation);
/* In any state. What it runs is refused: only a shutdown kills a busy one. Its memory stays until `gone`. */
void lambda__environment_kill(struct lambda__environment *environment);
const struct lambda__function *lambda__environment_function(const struct lambda__environment *environment);
bool lambda__environment_stale(const struct lambda__environment *environment);     /* credentials near their end */
uint64_t lambda__environment_idle_ns(const struct lambda__environment *environment);        /* since when it is idle */
struct lambda__environment **lambda__environment_link(struct lambda__environment *environment);    /* the owner's list */
#endif
