/* metrics.c -- buckets, the text format, and the list of sources. Labels' values are escaped; names are the program's own.
 * Source: "Exposition formats", prometheus.io, text-based format. */
#include "base/metrics.h"
#include "base/panic.h"
#include <stdio.h>
#include <stdlib.h>

struct metrics {
    size_t count;
    struct { metrics_source *write; void *arg; } source[METRICS_SOURCES_MAX];
};

uint64_t histogram_bound(size_t bucket)
{
    ENSURE(bucket < HISTOGRAM_BUCKETS);
    if (bucket < 2)
        return bucket + 1;
    return (bucket % 2 + 3) << (bucket / 2 - 1);
}

void histogram_gather(const struct histogram *histogram, struct histogram_sum *sum)
{
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        sum->bucket[i] += metric_read(&histogram->bucket[i]);
    sum->sum += metric_read(&histogram->sum);
}

/* ---- writing ---- */

void metrics_head(struct buf *out, const struct metric_family *family)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name, types[family->type]);
}

static void add_label_value(struct buf *out, struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        switch (value.p[i]) {
        case '\n':
            buf_lit(out, "\\n");
            break;
        case '"':
            buf_lit(out, "\\\"");
            break;
        case '\\':
            buf_lit(out, "\\\\");
            break;
        default:
            buf_add_char(out, value.p[i]);
        }
    }
}

/* `le` may be NULL. */
static void add_labels(struct buf *out, const struct metric_label *labels, size_t count, const char *le)
{
    if (count == 0 && !le)
        return;
    buf_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s%s=\"", i ? "," : "", labels[i].name);
        add_label_value(out, labels[i].value);
        buf_add_char(out, '"');
    }
    if (le)
        buf_printf(out, "%sle=\"%s\"", count ? "," : "", le);
    buf_add_char(out, '}');
}

static void add_number(struct buf *out, double value)
{
    if (value >= 0 && value < 1e15 && value == (double)(uint64_t)value)
        buf_printf(out, " %llu\n", (unsigned long long)value);
    else
        buf_printf(out, " %.15g\n", value);
}

void metrics_value(struct buf *out, const struct metric_family *family, const struct metric_label *labels, size_t count,
                   double value)
{
    buf_add(out, str_of(family->name));
    add_labels(out, labels, count, NULL);
    add_number(out, value);
}

void metrics_single(struct buf *out, const struct metric_family *family, double value)
{
    metrics_head(out, family);
    metrics_value(out, family, NULL, 0, value);
}

static void add_bucket(struct buf *out, const struct metric_family *family, const struct metric_label *labels, size_t count,
                       const char *le, uint64_t value)
{
    buf_printf(out, "%s_bucket", family->name);
    add_labels(out, labels, count, le);
    buf_printf(out, " %llu\n", (unsigned long long)value);
}

void metrics_histogram(struct buf *out, const struct metric_family *family, const struct metric_label *labels, size_t count,
                       const struct histogram_sum *sum)
{
    double unit = family->unit != 0 ? family->unit : 1;
    uint64_t total = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        char le[32];
        total += sum->bucket[i];
        if (i < family->first_bucket)
            continue;
        snprintf(le, sizeof le, "%.9g", (double)histogram_bound(i) * unit);
        add_bucket(out, family, labels, count, le, total);
    }
    total += sum->bucket[HISTOGRAM_BUCKETS];
    add_bucket(out, family, labels, count, "+Inf", total);
    buf_printf(out, "%s_sum", family->name);
    add_labels(out, labels, count, NULL);
    add_number(out, (double)sum->sum * unit);
    buf_printf(out, "%s_count", family->name);
    add_labels(out, labels, count, NULL);
    add_number(out, (double)total);
}

double metric_plain_value(const void *stats, const struct metric_plain *plain)
{
    static_assert(sizeof(size_t) == sizeof(metric_count), "plain families read either");
    return (double)metric_read((const metric_count *)(const void *)((const char *)stats + plain->offset));
}

void metrics_plain(struct buf *out, const void *stats, const struct metric_plain *families, size_t count)
{
    for (size_t i = 0; i < count; i++)
        metrics_single(out, &families[i].family, metric_plain_value(stats, &families[i]));
}

void metrics_histogram_single(struct buf *out, const struct metric_family *family, const struct histogram *histogram)
{
    struct histogram_sum sum = {0};
    histogram_gather(histogram, &sum);
    metrics_head(out, family);
    metrics_histogram(out, family, NULL, 0, &sum);
}

/* ---- sources ---- */

struct metrics *metrics_new(void)
{
    return mem_zalloc(sizeof(struct metrics));
}

void metrics_free(struct metrics *metrics)
{
    free(metrics);
}

void metrics_add_source(struct metrics *metrics, metrics_source *source, void *arg)
{
    if (!metrics)
        return;
    ENSURE(metrics->count < METRICS_SOURCES_MAX);
    metrics->source[metrics->count].write = source;
    metrics->source[metrics->count++].arg = arg;
}

bool metrics_render(struct metrics *metrics, struct arena *arena, struct str *ret)
{
    struct buf out;
    buf_init(&out, arena, METRICS_BYTES_MAX);
    for (size_t i = 0; i < metrics->count; i++)
        metrics->source[i].write(&out, metrics->source[i].arg);
    if (out.failed)
        return false;
    *ret = buf_str(&out);
    return true;
}
