/* output.h -- what a function prints, as log events and as the tail of one invocation. Folder-internal; home loop only. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_OUTPUT_H
#define CLOUDLESS_SERVICES_LAMBDA_OUTPUT_H
#include "services/lambda/function.h"

#define LAMBDA_LINE_COST 200                /* of making a log event, in bytes copied */
#define LAMBDA_LOG_TAIL_BYTES 4096          /* API reference, Invoke: LogType Tail */

struct auth;
struct logs;
struct lambda__output;
struct principal;

/* Whether the execution role may write events of the stream, and make their group. */
struct lambda__log_permission {
    int64_t asked_ms;
    bool may_write, may_make_group;
};
/* Asks `auth`, which may read the store; any thread. `principal` is the role's session. */
void lambda__log_permission_ask(struct auth *auth, const struct lambda__function *function, struct str stream,
                                const struct principal *principal, struct lambda__log_permission *ret);

/* Log events go to `logs`, as far as they are permitted. `stale` is called when one is due and the permission is `permission_ms`
 * old: whoever made this asks again, and tells the answer by lambda__output_permit, now or later. Takes a reference of the
 * function. */
struct lambda__output *lambda__output_new(struct logs *logs, struct lambda__function *function, struct str stream,
                                          const struct lambda__log_permission *permission, uint64_t permission_ms,
                                          void (*stale)(void *arg), void *arg);
void lambda__output_permit(struct lambda__output *output, const struct lambda__log_permission *permission);
void lambda__output_free(struct lambda__output **output);
/* From the pipe, or from the log channel (log_frames.h), in pieces: each line or each record is an event. Returns what it cost:
 * its bytes, and LAMBDA_LINE_COST for each event. */
size_t lambda__output_bytes(struct lambda__output *output, struct str bytes);
size_t lambda__output_records(struct lambda__output *output, struct str bytes);
void lambda__output_end(struct lambda__output *output); /* nothing comes any more: what is unfinished becomes events */
/* A line of our own. */
void lambda__output_line(struct lambda__output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lambda__output_tail_start(struct lambda__output *output);
struct str lambda__output_tail(struct lambda__output *output, struct arena *arena);
#endif
