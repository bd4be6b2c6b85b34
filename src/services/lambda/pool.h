/* pool.h -- the environments of all functions, and the invocations that wait for one. Folder-internal.
 * All state of one function (its pool, queue and environments) belongs to one loop, its home, chosen by the hash of its
 * name: no locks. Other loops reach it by posting the invocation; answers go back to the invocation's loop. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_POOL_H
#define CLOUDLESS_SERVICES_LAMBDA_POOL_H
#include "services/lambda/environment.h"

struct lambda__functions;
struct lambda__pools;
struct lambda__pools_options {
    struct loops *loops;                        /* borrowed, as what follows */
    struct lambda__functions *functions;
    const struct lambda_limits *limits;         /* environments_max at most LAMBDA_ENVIRONMENTS_MAX */
    size_t concurrency_max;                     /* invocations at the same time: no more environments than that */
    struct lambda__environment_parts parts;     /* hooks and limits are set by the pools */
};
struct lambda__pools *lambda__pools_new(const struct lambda__pools_options *options);
void lambda__pools_free(struct lambda__pools *pools);       /* NULL is fine; after stop, or when the loops never ran */
void lambda__pools_stop(struct lambda__pools *pools);       /* off the loops, which run: ends everything, waits */

/* The loop of a function. */
struct loop *lambda__pools_home(const struct lambda__pools *pools, struct str account, struct str region, struct str name);
/* On its home loop; takes the reference of the function. */
void lambda__pools_submit(struct lambda__pools *pools, struct lambda_invocation *invocation, struct lambda__function *function);
/* Any thread: the function was changed or deleted; idle environments of older revisions go. */
void lambda__pools_changed(struct lambda__pools *pools, struct str account, struct str region, struct str name);
#endif
