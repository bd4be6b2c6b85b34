/* gather.h -- what the parts of a running server have to say, as sources of /_cloudless/metrics. */
#ifndef CLOUDLESS_MAIN_GATHER_H
#define CLOUDLESS_MAIN_GATHER_H
#include "base/metrics.h"
#include "front/access_log.h"
#include "net/worker.h"

struct gather {                     /* what may be NULL is left out; lives as long as the metrics are asked for */
    struct http_server *http;
    struct workers *workers;
    struct access_log *access_log;
    int64_t started_ms;
};
void gather_add(struct metrics *metrics, struct gather *gather);
#endif
