/* meters.h -- what is counted of environments: how many are in which state, how long cold starts take, and their parts. Any loop.
 */
#ifndef CLOUDLESS_SERVICES_LAMBDA_METERS_H
#define CLOUDLESS_SERVICES_LAMBDA_METERS_H
#include "base/metrics.h"

enum lambda__meter_state { METER_STARTING, METER_INIT, METER_IDLE, METER_BUSY, METER_SETTLING, METER_ENDING, METER_STATES };
enum lambda__meter_part { METER_CODE, METER_SANDBOX, METER_RUNTIME, METER_PARTS };

struct lambda__meters {
    _Atomic size_t state[METER_STATES];
    struct histogram cold_us, part_us[METER_PARTS];
    metric_count starts_failed;
};
static inline void lambda__meter_enter(struct lambda__meters *meters, enum lambda__meter_state state)
{
    atomic_fetch_add_explicit(&meters->state[state], 1, memory_order_relaxed);
}
static inline void lambda__meter_leave(struct lambda__meters *meters, enum lambda__meter_state state)
{
    atomic_fetch_sub_explicit(&meters->state[state], 1, memory_order_relaxed);
}
void lambda__meters_write(struct buf *out, const struct lambda__meters *meters);
#endif
