#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/metrics.h"

#define VALUES(...) ((const char *const[]){ __VA_ARGS__ })

static void assert_exposes(const struct metrics *all, const char *expected)
{
    SBUF(out, (size_t)1 << 20);
    metrics_format(all, &out);
    assert_string_equal(sbuf_text(&out), expected);
}

static void a_family_without_series_is_silent(void **state)
{
    (void)state;
    SCOPED(metrics_free) struct metrics *all = metrics_new();
    metrics_declare(all,
                    &(struct metric_spec){ .name = "a", .help = "An a.", .type = METRIC_COUNTER });
    assert_exposes(all, "");
}

static void counters_add_up(void **state)
{
    (void)state;
    SCOPED(metrics_free) struct metrics *all = metrics_new();
    struct metric *a = metrics_declare(
        all, &(struct metric_spec){ .name = "a_total", .help = "An a.", .type = METRIC_COUNTER });
    metric_add(a, NULL, 1);
    metric_add(a, NULL, 2.5);
    assert_exposes(all, "# HELP a_total An a.\n# TYPE a_total counter\na_total 3.5\n");
    assert_true(metric_value(a, NULL) == 3.5);
}

static void series_differ_by_their_labels(void **state)
{
    (void)state;
    SCOPED(metrics_free) struct metrics *all = metrics_new();
    struct metric *a = metrics_declare(
        all, &(struct metric_spec){
                 .name = "a", .help = "An a.", .type = METRIC_GAUGE, .labels = { "x", "y" } });
    metric_set(a, VALUES("2", "c"), 1);
    metric_set(a, VALUES("1", "ab"), 2);
    metric_set(a, VALUES("1a", "b"), 3);
    metric_set(a, VALUES("2", "c"), 1000000);
    assert_exposes(all,
                   "# HELP a An a.\n# TYPE a gauge\na{x=\"1\",y=\"ab\"} 2\na{x=\"1a\",y=\"b\"} 3\n"
                   "a{x=\"2\",y=\"c\"} 1e+06\n");
    metric_forget(a, VALUES("1", "ab"));
    metric_forget(a, VALUES("never", "there"));
    assert_true(metric_value(a, VALUES("1", "ab")) == 0);
    assert_exposes(
        all, "# HELP a An a.\n# TYPE a gauge\na{x=\"1a\",y=\"b\"} 3\na{x=\"2\",y=\"c\"} 1e+06\n");
}

static void histograms_count_from_below(void **state)
{
    (void)state;
    static const double bounds[] = { 0.1, 1, 10 };
    SCOPED(metrics_free) struct metrics *all = metrics_new();
    struct metric *a =
        metrics_declare(all, &(struct metric_spec){ .name = "a_seconds",
                                                    .help = "An a.",
                                                    .type = METRIC_HISTOGRAM,
                                                    .labels = { "x" },
                                                    .buckets = bounds,
                                                    .bucket_count = ARRAY_LEN(bounds) });
    metric_observe(a, VALUES("u"), 0.1); /* a bound belongs to its bucket */
    metric_observe(a, VALUES("u"), 0.5);
    metric_observe(a, VALUES("u"), 100);
    assert_exposes(
        all, "# HELP a_seconds An a.\n# TYPE a_seconds histogram\n"
             "a_seconds_bucket{x=\"u\",le=\"0.1\"} 1\na_seconds_bucket{x=\"u\",le=\"1\"} 2\n"
             "a_seconds_bucket{x=\"u\",le=\"10\"} 2\na_seconds_bucket{x=\"u\",le=\"+Inf\"} 3\n"
             "a_seconds_sum{x=\"u\"} 100.6\na_seconds_count{x=\"u\"} 3\n");
    assert_true(metric_value(a, VALUES("u")) == 3);
}

static void what_would_break_a_line_is_escaped(void **state)
{
    (void)state;
    SCOPED(metrics_free) struct metrics *all = metrics_new();
    struct metric *a =
        metrics_declare(all, &(struct metric_spec){ .name = "a",
                                                    .help = "One \\ and\ntwo \"quoted\".",
                                                    .type = METRIC_GAUGE,
                                                    .labels = { "x" } });
    metric_set(a, VALUES("a\"b\\c\nd"), -1);
    assert_exposes(
        all,
        "# HELP a One \\\\ and\\ntwo \"quoted\".\n# TYPE a gauge\na{x=\"a\\\"b\\\\c\\nd\"} -1\n");
}

static void families_come_by_name_and_once(void **state)
{
    (void)state;
    SCOPED(metrics_free) struct metrics *all = metrics_new();
    const struct metric_spec b = { .name = "b", .help = "B.", .type = METRIC_GAUGE };
    struct metric *one = metrics_declare(all, &b);
    metric_set(one, NULL, 1);
    struct metric *a = metrics_declare(
        all, &(struct metric_spec){ .name = "a", .help = "A.", .type = METRIC_GAUGE });
    metric_set(a, NULL, 2);
    assert_ptr_equal(metrics_declare(all, &b), one);
    assert_exposes(all, "# HELP a A.\n# TYPE a gauge\na 2\n# HELP b B.\n# TYPE b gauge\nb 1\n");
}

static void a_thousand_series_are_kept_apart(void **state)
{
    (void)state;
    SCOPED(metrics_free) struct metrics *all = metrics_new();
    struct metric *a = metrics_declare(
        all, &(struct metric_spec){
                 .name = "a", .help = "A.", .type = METRIC_COUNTER, .labels = { "n" } });
    char text[16];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(text, sizeof(text), "%d", i);
            metric_add(a, VALUES(text), i);
        }
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_true(metric_value(a, VALUES(text)) == 3 * i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_without_series_is_silent),
        cmocka_unit_test(counters_add_up),
        cmocka_unit_test(series_differ_by_their_labels),
        cmocka_unit_test(histograms_count_from_below),
        cmocka_unit_test(what_would_break_a_line_is_escaped),
        cmocka_unit_test(families_come_by_name_and_once),
        cmocka_unit_test(a_thousand_series_are_kept_apart),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
