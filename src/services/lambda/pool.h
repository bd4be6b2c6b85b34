/* pool.h -- the environments of all functions, and the invocations that wait for one. Folder-internal.
 * All state of one function (its pool, queue and environments) belongs to one loop, its home, chosen by the hash of its
 * name: no locks. Other loops reach it by posting the invocation; answers go back to the invocation's loop. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_POOL_H
#define CLOUDLESS_SERVICES_LAMBDA_POOL_H
#include "services/lambda/environment.h"

struct lambda__functions;
struct lambda__pools;
/* Copies `parts` and sets their hooks; borrows what they point to, and `functions`. */
struct lambda__pools *lambda__pools_new(const struct lambda__environment_parts *parts, struct lambda__functions *functions);
void lambda__pools_free(struct lambda__pools *pools);       /* NULL is fine; after stop, or when the loops never ran */
void lambda__pools_stop(struct lambda__pools *pools);       /* off the loops, which run: ends everything, waits */

/* The loop of a function. */
struct loop *lambda__pools_home(const struct lambda__pools *pools, struct str account, struct str region, struct str name);
/* On its home loop. Refused when there is no such function, or one whose environments are all busy. False: nothing happened, the
 * function has to be read off the loops first (function.h). */
bool lambda__pools_submit(struct lambda__pools *pools, struct lambda__invocation *invocation);
/* Any thread: the function was changed or deleted; idle environments of older revisions go. */
void lambda__pools_changed(struct lambda__pools *pools, struct str account, struct str region, struct str name);
#endif
