/* metrics.h -- counters and histograms, and how they are written: Prometheus's text format 0.0.4.
 *
 * A counter has one thread that writes and any number that read; each thread that counts has its own, so no cache line is shared
 * and no instruction locks. Where several threads write to one, rarely, metric_add_shared does it.
 * A histogram counts in log-linear buckets, two an octave: 1, 2, 3, 4, 6, 8, 12, … 2^30, and those above.
 * Parts do not know who looks: a source is a function that writes families into a buffer when somebody asks. */
#ifndef CLOUDLESS_BASE_METRICS_H
#define CLOUDLESS_BASE_METRICS_H
#include "base/buf.h"
#include <assert.h>
#include <stdatomic.h>

typedef _Atomic uint64_t metric_count;

static inline void metric_add(metric_count *count, uint64_t n)      /* by its one writer */
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + n, memory_order_relaxed);
}
static inline void metric_add_shared(metric_count *count, uint64_t n)
{
    atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}
static inline uint64_t metric_read(const metric_count *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

#define HISTOGRAM_BUCKETS 60                    /* with a bound; one more for what is above them */
struct histogram { metric_count bucket[HISTOGRAM_BUCKETS + 1], sum; };
/* Of what several threads counted. */
struct histogram_sum { uint64_t bucket[HISTOGRAM_BUCKETS + 1], sum; };

uint64_t histogram_bound(size_t bucket);        /* inclusive */
void histogram_gather(const struct histogram *histogram, struct histogram_sum *sum);        /* adds to *sum */

static inline size_t histogram_bucket(uint64_t value)
{
    if (value <= 2)
        return value == 2;
    uint64_t below = value - 1;
    size_t octave = 63 - (size_t)__builtin_clzll(below);
    size_t bucket = 2 * octave + (below >> (octave - 1) & 1);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS;
}
static inline void histogram_add(struct histogram *histogram, uint64_t value)               /* by its one writer */
{
    metric_add(&histogram->bucket[histogram_bucket(value)], 1);
    metric_add(&histogram->sum, value);
}
static inline void histogram_add_shared(struct histogram *histogram, uint64_t value)
{
    metric_add_shared(&histogram->bucket[histogram_bucket(value)], 1);
    metric_add_shared(&histogram->sum, value);
}

/* ---- writing ---- */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
struct metric_family {
    const char *name, *help;                    /* cloudless_…, with the unit and, for a counter, _total at its end */
    enum metric_type type;
    double unit;                                /* of a histogram: what 1 stands for, in the unit of the name; 0: 1 */
    size_t first_bucket;                        /* of a histogram: those below are written as one */
};
struct metric_label { const char *name; struct str value; };

void metrics_head(struct buf *out, const struct metric_family *family);     /* once, before its samples */
void metrics_value(struct buf *out, const struct metric_family *family, const struct metric_label *labels, size_t count,
                   double value);
void metrics_histogram(struct buf *out, const struct metric_family *family, const struct metric_label *labels, size_t count,
                       const struct histogram_sum *sum);
/* Head and one sample without labels. */
void metrics_single(struct buf *out, const struct metric_family *family, double value);

/* Families of one number, which stands at `offset` of a struct of statistics: a uint64_t, a size_t or a metric_count. */
struct metric_plain { struct metric_family family; size_t offset; };
#define METRIC_COUNTER_OF(name, help, type, member) {{"cloudless_" name, help, METRIC_COUNTER, 0, 0}, offsetof(type, member)}
#define METRIC_GAUGE_OF(name, help, type, member) {{"cloudless_" name, help, METRIC_GAUGE, 0, 0}, offsetof(type, member)}
double metric_plain_value(const void *stats, const struct metric_plain *plain);
void metrics_plain(struct buf *out, const void *stats, const struct metric_plain *families, size_t count);
/* Head and samples of a histogram without labels. */
void metrics_histogram_single(struct buf *out, const struct metric_family *family, const struct histogram *histogram);

/* ---- who has something to say ---- */

#define METRICS_SOURCES_MAX 32
#define METRICS_BYTES_MAX (8u << 20)            /* of the whole text */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
typedef void metrics_source(struct buf *out, void *arg);        /* any thread, several at a time */
struct metrics;
struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);                     /* NULL is fine */
/* Before anybody asks; metrics NULL: nobody will. */
void metrics_add_source(struct metrics *metrics, metrics_source *source, void *arg);
/* False: the text would be longer than METRICS_BYTES_MAX. */
bool metrics_render(struct metrics *metrics, struct arena *arena, struct str *ret);
#endif
