/* meters.c -- the counts of meters.h as metrics. Environments change their state a few times an invocation, on any loop, so these
 * counts are shared by the loops. */
#include "services/lambda/meters.h"

void lambda__meters_write(struct buf *out, const struct lambda__meters *meters)
{
    static const struct metric_family environments = {"cloudless_environments", "Environments of functions, by what they are at.",
                                                      METRIC_GAUGE, 0, 0};
    static const struct metric_family cold = {"cloudless_cold_start_seconds",
                                              "From the decision to start an environment to its first request for work.",
                                              METRIC_HISTOGRAM, 1e-6, 15};
    static const struct metric_family part = {"cloudless_cold_start_part_seconds",
                                              "The parts of a cold start: waiting for unpacked code, "
                                              "the sandbox, the runtime and the function's own initialisation.",
                                              METRIC_HISTOGRAM, 1e-6, 15};
    static const struct metric_family failed = {"cloudless_starts_failed_total", "Environments that could not be started.",
                                                METRIC_COUNTER, 0, 0};
    static const char *const states[METER_STATES] = {"starting", "init", "idle", "busy", "settling", "ending"};
    static const char *const parts[METER_PARTS] = {"code", "sandbox", "runtime"};
    metrics_head(out, &environments);
    for (size_t i = 0; i < METER_STATES; i++)
        metrics_value(out, &environments, &(struct metric_label){"state", str_of(states[i])}, 1,
                      (double)atomic_load_explicit(&meters->state[i], memory_order_relaxed));
    metrics_histogram_single(out, &cold, &meters->cold_us);
    metrics_head(out, &part);
    for (size_t i = 0; i < METER_PARTS; i++) {
        struct histogram_sum sum = {0};
        histogram_gather(&meters->part_us[i], &sum);
        metrics_histogram(out, &part, &(struct metric_label){"part", str_of(parts[i])}, 1, &sum);
    }
    metrics_single(out, &failed, (double)metric_read(&meters->starts_failed));
}
