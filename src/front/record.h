/* record.h -- what is recorded of each request when it is over: counts and latencies by service and operation, and a line of
 * the access log if there is one. Each loop counts in a table of its own. */
#ifndef CLOUDLESS_FRONT_RECORD_H
#define CLOUDLESS_FRONT_RECORD_H
#include "base/buf.h"
#include "call/call.h"
#include "front/access_log.h"

#define RECORD_SERIES_MAX 1024      /* a loop; further ones are counted together, as service "other" */

struct record;
struct record *record_new(size_t loops, struct access_log *log);    /* log may be NULL; borrowed */
void record_free(struct record *record);                            /* NULL is fine */
void record_watch(const struct http_request *request, const struct http_served *served, void *record);     /* a http_watch_fn */
/* A call that was no request; for calls_options.watch. Any thread. */
void record_call(const struct call *call, uint64_t ns, void *record);
void record_write(struct buf *out, void *record);                   /* a metrics_source */
uint64_t record_total(const struct record *record);                 /* requests so far; any thread */
#endif
