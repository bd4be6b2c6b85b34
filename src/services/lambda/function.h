/* function.h -- a function compiled for use. Folder-internal.
 * struct lambda__function is immutable and counted: a cache a loop, invocations and environments hold references. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_FUNCTION_H
#define CLOUDLESS_SERVICES_LAMBDA_FUNCTION_H
#include "auth/policy.h"
#include "base/json.h"
#include "store/store.h"
#include <stdatomic.h>

#define LAMBDA_MIB (1u << 20)               /* sizes of functions are in MB, which are these */
#define LAMBDA_TIMEOUT_S_MAX 900
#define LAMBDA_FUNCTION_KEY_BYTES 256       /* ACCOUNT/REGION/NAME; no function has a longer one */

struct lambda__function {
    struct arena *arena;
    _Atomic unsigned refs;
    struct str account, region, name, arn, runtime, handler, role, revision, blob;
    int64_t timeout_ms, memory_mb, tmp_mb;
    struct json *variables;                             /* object, or NULL */
    struct policy *policy;                              /* compiled resource policy, or NULL */
    atomic_bool told_unlogged;                          /* that its role may not write logs: once */
};

struct lambda__functions;
/* Borrows the store. Each of `loops` loops has a cache of its own, all other threads have one together. */
struct lambda__functions *lambda__functions_new(struct store *store, size_t loops);
void lambda__functions_free(struct lambda__functions *functions);      /* NULL is fine; after the loops have stopped */
/* A reference, cached. ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO. ERR_BUSY: on a loop over a store whose reads may block, and it is not
 * cached: another thread has to get it first. */
enum err lambda__functions_get(struct lambda__functions *functions, struct str account, struct str region, struct str name,
                               struct lambda__function **ret);
struct lambda__function *lambda__function_ref(struct lambda__function *function);
void lambda__function_unref(struct lambda__function **function);
/* ACCOUNT/REGION/NAME; false: longer than that of any function. */
bool lambda__function_key(char key[LAMBDA_FUNCTION_KEY_BYTES], struct str account, struct str region, struct str name,
                          struct str *ret);
#endif
