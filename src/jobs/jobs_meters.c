/* jobs_meters.c -- jobs in numbers, a sample for each kind. */
#include "base/metrics.h"
#include "base/panic.h"
#include "jobs/jobs_internal.h"
#include <stdlib.h>

static double seconds(int64_t ms)
{
    return (double)ms / 1000;
}

static double jobs_meter_of(const struct jobs_stats *stats, size_t family)
{
    const double values[] = {(double)stats->waiting, (double)stats->due, (double)stats->running, (double)stats->failed,
                             seconds(stats->lag_ms), (double)stats->steps, (double)stats->retries, (double)stats->ended};
    return values[family];
}

void jobs_write_metrics(struct buf *out, void *arg)
{
    static const struct metric_family families[] = {
        {"cloudless_jobs_waiting", "Jobs that wait or run; 1000 stands for more.", METRIC_GAUGE, 0, 0},
        {"cloudless_jobs_due", "Jobs whose time has come; 1000 stands for more.", METRIC_GAUGE, 0, 0},
        {"cloudless_jobs_running", "Jobs that run.", METRIC_GAUGE, 0, 0},
        {"cloudless_jobs_failed", "Jobs that were given up; 1000 stands for more.", METRIC_GAUGE, 0, 0},
        {"cloudless_jobs_lag_seconds", "Since when the longest due job is due.", METRIC_GAUGE, 0, 0},
        {"cloudless_jobs_steps_total", "Steps that were run.", METRIC_COUNTER, 0, 0},
        {"cloudless_jobs_retries_total", "Steps that failed and are tried again.", METRIC_COUNTER, 0, 0},
        {"cloudless_jobs_ended_total", "Jobs that were done.", METRIC_COUNTER, 0, 0},
    };
    struct jobs *jobs = arg;
    struct jobs_stats *all = mem_zalloc(jobs->kinds_n * sizeof *all);
    size_t n = 0;
    while (n < jobs->kinds_n && jobs_stats(jobs, n, &all[n]) == ERR_OK)
        n++;
    for (size_t f = 0; f < COUNT_OF(families); f++) {
        metrics_head(out, &families[f]);
        for (size_t i = 0; i < n; i++) {
            const struct metric_label label = {"kind", str_of(all[i].kind)};
            metrics_value(out, &families[f], &label, 1, jobs_meter_of(&all[i], f));
        }
    }
    free(all);
}
