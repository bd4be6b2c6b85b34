/* clock.h -- time: wall clock in epoch milliseconds, monotonic nanoseconds, and the formats of AWS. */
#ifndef CLOUDLESS_BASE_CLOCK_H
#define CLOUDLESS_BASE_CLOCK_H
#include "base/arena.h"
#include <time.h>

#define CLOCK_HOUR_MS INT64_C(3600000)
#define CLOCK_DAY_MS INT64_C(86400000)

int64_t clock_epoch_ms(void);
uint64_t clock_mono_ns(void);
struct timespec clock_deadline(uint64_t ms);             /* from now, of CLOCK_MONOTONIC: for pthread_cond_clockwait */

struct str clock_iso8601(struct arena *arena, int64_t epoch_ms);        /* 2026-01-31T09:05:07Z, seconds */
struct str clock_iso8601_ms(struct arena *arena, int64_t epoch_ms);     /* 2026-01-31T09:05:07.123Z */
struct str clock_iso8601_offset(struct arena *arena, int64_t epoch_ms); /* 2026-01-31T09:05:07.123+0000, LastModified */
struct str clock_sigv4(struct arena *arena, int64_t epoch_ms);          /* 20260131T090507Z */
struct str clock_http(struct arena *arena, int64_t epoch_ms);           /* Sat, 31 Jan 2026 09:05:07 GMT */
struct str clock_clf(struct arena *arena, int64_t epoch_ms);            /* 31/Jan/2026:09:05:07 +0000, $context.requestTime */
/* 20260131T090507Z, 2026-01-31T09:05:07[.fff](Z|±hh:mm), 2026-01-31; IMF-fixdate. False: *ret untouched. */
bool clock_parse(struct str text, int64_t *ret_epoch_ms);
#endif
