/* gather.c -- one function a part: it reads the part's own statistics and writes them as families. Parts with
 * locks or types of their own do it in their own folder. */
#include "main/gather.h"
#include "base/budget.h"
#include "base/clock.h"
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- the process ---- */

struct process_stats { uint64_t resident, virtual, fds, fds_max, threads, heap; };

static void read_status(struct process_stats *stats)
{
    static const struct { const char *key; size_t offset, unit; } rows[] = {
        {"VmRSS:", offsetof(struct process_stats, resident), 1024},
        {"VmSize:", offsetof(struct process_stats, virtual), 1024},
        {"Threads:", offsetof(struct process_stats, threads), 1},
    };
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    while (file && fgets(line, sizeof line, file))
        for (size_t i = 0; i < COUNT_OF(rows); i++)
            if (strncmp(line, rows[i].key, strlen(rows[i].key)) == 0) {
                uint64_t value = strtoull(line + strlen(rows[i].key), NULL, 10) * rows[i].unit;
                memcpy((char *)stats + rows[i].offset, &value, sizeof value);
            }
    if (file)
        fclose(file);
}

static uint64_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count > 3 ? count - 3 : 0;   /* ".", "..", and the directory's own */
}

static void write_process(struct buf *out, void *arg)
{
    static const struct metric_plain families[] = {
        METRIC_GAUGE_OF("resident_memory_bytes", "Memory of the server's process that is in use.", struct process_stats, resident),
        METRIC_GAUGE_OF("virtual_memory_bytes", "Address space of the server's process.", struct process_stats, virtual),
        METRIC_GAUGE_OF("heap_bytes", "What malloc has given out.", struct process_stats, heap),
        METRIC_GAUGE_OF("open_fds", "Open descriptors.", struct process_stats, fds),
        METRIC_GAUGE_OF("max_fds", "The limit of open descriptors.", struct process_stats, fds_max),
        METRIC_GAUGE_OF("threads", "Threads of the server's process.", struct process_stats, threads),
    };
    static const struct metric_family info = {"cloudless_build_info", "The version.", METRIC_GAUGE, 0, 0};
    static const struct metric_family started = {"cloudless_start_time_seconds", "When the server started, since 1970.",
                                                 METRIC_GAUGE, 0, 0};
    static const struct metric_family cpu = {"cloudless_cpu_seconds_total", "Processor time, user and system.", METRIC_COUNTER, 0,
                                             0};
    const struct gather *gather = arg;
    struct process_stats stats = {.fds = count_fds(), .heap = mallinfo2().uordblks + mallinfo2().hblkhd};
    struct rlimit limit;
    struct rusage usage;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        stats.fds_max = limit.rlim_cur;
    read_status(&stats);
    metrics_head(out, &info);
    metrics_value(out, &info, &(struct metric_label){"version", STR(CLOUDLESS_VERSION)}, 1, 1);
    metrics_single(out, &started, (double)gather->started_ms / 1000);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics_single(out, &cpu, (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                                      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    metrics_plain(out, &stats, families, COUNT_OF(families));
}

/* ---- net ---- */

static void write_http(struct buf *out, void *arg)
{
    static const struct metric_plain families[] = {
        METRIC_COUNTER_OF("connections_accepted_total", "Connections accepted, those from sandboxes included.", struct http_stats,
                          connections),
        METRIC_COUNTER_OF("refused_total", "Connections and requests refused before a handler saw them.", struct http_stats,
                          refused),
        METRIC_GAUGE_OF("connections_open", "Connections from outside that are open.", struct http_stats, open),
        METRIC_GAUGE_OF("sandbox_connections_open", "Connections from sandboxes that are open.", struct http_stats, open_inside),
        METRIC_COUNTER_OF("function_connections_refused_total", "Connections from sandboxes refused: their function had its share.",
                          struct http_stats, tenant_connections),
        METRIC_COUNTER_OF("function_bodies_refused_total", "Bodies from sandboxes refused: their function had its share.",
                          struct http_stats, tenant_bodies),
        METRIC_COUNTER_OF("function_turns_put_off_total",
                          "Times that a connection from a sandbox had to wait for the next turn: its function had its share.",
                          struct http_stats, tenant_turns),
        METRIC_GAUGE_OF("body_bytes", "Large bodies that are held.", struct http_stats, body_bytes),
    };
    const struct gather *gather = arg;
    struct http_stats stats;
    http_server_stats(gather->http, &stats);
    metrics_plain(out, &stats, families, COUNT_OF(families));
}

static void write_lanes(struct buf *out, void *arg)
{
    static const struct metric_plain families[] = {
        METRIC_GAUGE_OF("lane_threads", "Threads that a lane of workers has started.", struct lane_stats, threads),
        METRIC_GAUGE_OF("lane_queued", "Work that waits for a thread of its lane.", struct lane_stats, queued),
        METRIC_GAUGE_OF("lane_running", "Work that a lane's threads are at.", struct lane_stats, running),
        METRIC_COUNTER_OF("lane_finished_total", "Work done.", struct lane_stats, finished),
        METRIC_COUNTER_OF("lane_rejected_total", "Work refused because the lane's queue was full.", struct lane_stats, rejected),
    };
    static const struct metric_family waited = {"cloudless_lane_wait_seconds_total",
                                                "Time that work has waited for a thread, in sum.", METRIC_COUNTER, 0, 0};
    const struct gather *gather = arg;
    struct lane_stats stats[LANE_COUNT];
    for (enum lane lane = 0; lane < LANE_COUNT; lane++)
        workers_stats(gather->workers, lane, &stats[lane]);
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        metrics_head(out, &families[i].family);
        for (enum lane lane = 0; lane < LANE_COUNT; lane++)
            metrics_value(out, &families[i].family, &(struct metric_label){"lane", str_of(lane_name(lane))}, 1,
                          metric_plain_value(&stats[lane], &families[i]));
    }
    metrics_head(out, &waited);
    for (enum lane lane = 0; lane < LANE_COUNT; lane++)
        metrics_value(out, &waited, &(struct metric_label){"lane", str_of(lane_name(lane))}, 1,
                      (double)stats[lane].waited_ns / 1e9);
}

static void write_budget(struct buf *out, void *arg)
{
    static const struct metric_plain families[] = {
        METRIC_GAUGE_OF("budget_bytes", "Memory that clients make the server hold: bodies, trees, answers not yet taken.",
                        struct budget_figures, total),
        METRIC_GAUGE_OF("budget_early_bytes", "Of it, by requests whose caller is not known.", struct budget_figures, early),
        METRIC_GAUGE_OF("budget_sandbox_bytes", "Of it, by requests from sandboxes.", struct budget_figures, inside),
        METRIC_COUNTER_OF("budget_refusals_total", "Times that more was refused.", struct budget_figures, refused),
    };
    struct budget_figures figures;
    (void)arg;
    budget_stats(&figures);
    metrics_plain(out, &figures, families, COUNT_OF(families));
}

static void write_access_log(struct buf *out, void *arg)
{
    static const struct metric_family dropped = {"cloudless_access_log_dropped_total",
                                                 "Lines that did not fit into the access log's queue.", METRIC_COUNTER, 0, 0};
    const struct gather *gather = arg;
    if (gather->access_log)
        metrics_single(out, &dropped, (double)access_log_dropped(gather->access_log));
}

void gather_add(struct metrics *metrics, struct gather *gather)
{
    static metrics_source *const sources[] = {write_process, write_http, write_lanes, write_budget, write_access_log};
    for (size_t i = 0; i < COUNT_OF(sources); i++)
        metrics_add_source(metrics, sources[i], gather);
}
