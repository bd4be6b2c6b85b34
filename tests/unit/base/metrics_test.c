/* metrics_test.c -- buckets against their bounds, and the text that is written. */
#include "unit.h"
#include "base/metrics.h"

static void test_buckets(void **state)
{
    (void)state;
    const uint64_t first[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
    for (size_t i = 0; i < COUNT_OF(first); i++)
        assert_int_equal(histogram_bound(i), first[i]);
    assert_int_equal(histogram_bucket(0), 0);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t bound = histogram_bound(i);
        assert_int_equal(histogram_bucket(bound), i);
        assert_int_equal(histogram_bucket(bound + 1), i + 1);
    }
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS);
}

static void write_one(struct buf *out, void *arg)
{
    static const struct metric_family plain = {"a_total", "What it is.", METRIC_COUNTER, 0, 0};
    static const struct metric_family times = {"b_seconds", "How long.", METRIC_HISTOGRAM, 1e-6, 56};
    const struct metric_label label = {"name", STR("a\"b\\c\nd")};
    struct histogram histogram = {0};
    struct histogram_sum sum = {0};

    metrics_head(out, &plain);
    metrics_value(out, &plain, &label, 1, *(double *)arg);
    histogram_add(&histogram, 1);
    histogram_add_shared(&histogram, 1u << 29);
    histogram_add(&histogram, UINT64_C(1) << 31);
    histogram_gather(&histogram, &sum);
    metrics_head(out, &times);
    metrics_histogram(out, &times, &label, 1, &sum);
    metrics_single(out, &plain, 0.25);
}

static void test_text(void **state)
{
    (void)state;
    double value = 3e9;
    struct arena *arena = arena_new();
    struct metrics *metrics = metrics_new();
    struct str text;
    metrics_add_source(metrics, write_one, &value);
    assert_true(metrics_render(metrics, arena, &text));
    assert_str(text, "# HELP a_total What it is.\n# TYPE a_total counter\na_total{name=\"a\\\"b\\\\c\\nd\"} 3000000000\n"
                     "# HELP b_seconds How long.\n# TYPE b_seconds histogram\n"
                     "b_seconds_bucket{name=\"a\\\"b\\\\c\\nd\",le=\"402.653184\"} 1\n"
                     "b_seconds_bucket{name=\"a\\\"b\\\\c\\nd\",le=\"536.870912\"} 2\n"
                     "b_seconds_bucket{name=\"a\\\"b\\\\c\\nd\",le=\"805.306368\"} 2\n"
                     "b_seconds_bucket{name=\"a\\\"b\\\\c\\nd\",le=\"1073.74182\"} 2\n"
                     "b_seconds_bucket{name=\"a\\\"b\\\\c\\nd\",le=\"+Inf\"} 3\n"
                     "b_seconds_sum{name=\"a\\\"b\\\\c\\nd\"} 2684.354561\n"
                     "b_seconds_count{name=\"a\\\"b\\\\c\\nd\"} 3\n"
                     "# HELP a_total What it is.\n# TYPE a_total counter\na_total 0.25\n");
    metrics_free(metrics);
    metrics_free(NULL);
    arena_free(arena);
}

/* More than an answer may have: nothing of it is told. */
static void write_much(struct buf *out, void *arg)
{
    (void)arg;
    for (size_t i = 0; i <= METRICS_BYTES_MAX / 1024; i++)
        buf_printf(out, "%1023d\n", 0);
}

static void test_bound(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct metrics *metrics = metrics_new();
    struct str text = STR("untouched");
    metrics_add_source(metrics, write_much, NULL);
    assert_false(metrics_render(metrics, arena, &text));
    assert_str(text, "untouched");
    metrics_free(metrics);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_buckets), cmocka_unit_test(test_text), cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
