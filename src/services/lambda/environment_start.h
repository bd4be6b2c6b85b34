/* environment_start.h -- the part of an environment's start that blocks. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_ENVIRONMENT_START_H
#define CLOUDLESS_SERVICES_LAMBDA_ENVIRONMENT_START_H
#include "auth/principal.h"
#include "call/service.h"
#include "sandbox/sandbox.h"
#include "services/lambda/function.h"
#include "services/lambda/output.h"

#define LAMBDA_CREDENTIALS_MS (6 * 3600 * 1000LL)

struct lambda__interpreters;
struct lambda__start {
    const struct lambda__function *function;
    struct arena *arena;
    struct str stream;
    const char *code_dir;               /* the unpacked package */
    /* out */
    bool started, own_entry;            /* own_entry: it runs the package's bootstrap */
    bool has_channel;                   /* a managed runtime's interface client logs to a channel of its own (log_frames.h) */
    struct sandbox *sandbox;
    struct principal principal;         /* of the execution role's session */
    int64_t credentials_end_ms;
    struct lambda__log_permission log_permission;
    struct str entry_reason;            /* not started, by the package's fault; else the invocation is refused with: */
    const char *error_code;
    int error_status;
    struct str message;
};
/* On a worker. */
void lambda__start_run(const struct platform *platform, struct lambda__interpreters *interpreters, struct lambda__start *start,
                       const struct sandbox_hooks *hooks);
/* Not started, for a reason of ours. */
void lambda__start_refuse(struct lambda__start *start, const char *code, int status, struct str message);
#endif
