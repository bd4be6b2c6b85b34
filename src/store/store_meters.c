/* store_meters.c -- what the store says of itself: the committer counts (commit.c), the engine has its own. */
#include "store/store_internal.h"

void store_write_metrics(struct buf *out, void *arg)
{
    static const struct metric_plain plain[] = {
        METRIC_COUNTER_OF("store_mutations_total", "Mutations that were run and committed, or failed.", struct store_meters,
                          mutations),
        METRIC_COUNTER_OF("store_written_bytes_total", "Keys and values given to the engine.", struct store_meters, bytes),
        METRIC_COUNTER_OF("store_commits_failed_total", "Batches that could not be written.", struct store_meters, failed),
        METRIC_COUNTER_OF("store_conflicts_total", "Batches that ran again because others changed what they read.",
                          struct store_meters, conflicts),
    };
    static const struct metric_family queued = {"cloudless_store_queued", "Mutations that wait for the committer or its sync.",
                                                METRIC_GAUGE, 0, 0};
    static const struct metric_family writable = {"cloudless_store_writable", "1, or 0 while the last write failed.", METRIC_GAUGE,
                                                  0, 0};
    static const struct metric_family batch = {"cloudless_store_batch_mutations", "Mutations a commit.", METRIC_HISTOGRAM, 0, 0};
    static const struct metric_family wait = {"cloudless_store_wait_seconds",
                                              "How long the first mutation of a batch waited for the committer.", METRIC_HISTOGRAM,
                                              1e-6, 3};
    static const struct metric_family commit = {"cloudless_store_commit_seconds", "Writing and syncing a batch.", METRIC_HISTOGRAM,
                                                1e-6, 5};
    struct store *store = arg;
    struct arena *arena = arena_new();
    struct str words;
    metrics_plain(out, &store->meters, plain, COUNT_OF(plain));
    metrics_single(out, &queued, (double)store_queued(store));
    metrics_single(out, &writable, store_writable(store, arena, &words));
    metrics_histogram_single(out, &batch, &store->meters.batch);
    metrics_histogram_single(out, &wait, &store->meters.wait_us);
    metrics_histogram_single(out, &commit, &store->meters.commit_us);
    if (store->engine->ops->write_metrics)
        store->engine->ops->write_metrics(store->engine, out);
    arena_free(arena);
}
