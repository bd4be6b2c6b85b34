/* logs.h -- CloudWatch Logs, and how other parts write to it. */
#ifndef CLOUDLESS_SERVICES_LOGS_LOGS_H
#define CLOUDLESS_SERVICES_LOGS_LOGS_H
#include "call/call.h"

struct logs;                            /* the state of logs_service */
#define LOGS_SPACE 6                    /* of its documents in the store; on disk, so never another */
extern const struct model model_logs;         /* generated */
extern const struct service_errors logs_errors;
extern const struct validate_overrides logs_overrides;
extern const struct service_api logs_api;
extern const struct service logs_service;

/* What functions print: bounded queue, written in batches at most 200 ms or 64 KB behind; makes group and stream when
 * missing (the group only if may_make_group: else the events are dropped). False: the queue is full, the event is dropped and
 * counted (a line in the stream says how many). Any thread. */
bool logs_append(struct logs *logs, struct str account, struct str region, struct str group, struct str stream,
                 int64_t epoch_ms, struct str message, bool may_make_group);
void logs_flush(struct logs *logs);             /* until everything appended before is durable; tests and stop */
#endif
