#include <math.h>
#include <string.h>

#include "../../rows.h"

#include "canary/metric/judge.h"

#define NONE NAN /* no limit */

/* A value, its limits, and the event; NULL: the value is good. */
static const struct judge_case {
    const char *name;
    enum builtin builtin;
    bool has_range;
    double min, max, threshold, value;
    const char *event;
} judge_cases[] = {
    { "a rate at its minimum", BUILTIN_SUCCESS_RATE, true, 99, NONE, 0, 99, NULL },
    { "a rate below it", BUILTIN_SUCCESS_RATE, true, 99, NONE, 0, 98.9,
      "Halt podinfo.test advancement success rate 98.90% < 99%" },
    { "a rate of nothing", BUILTIN_SUCCESS_RATE, true, 99, NONE, 0, 0,
      "Halt podinfo.test advancement success rate 0.00% < 99%" },
    { "a limit with a fraction", BUILTIN_SUCCESS_RATE, true, 99.5, NONE, 0, 99.4999,
      "Halt podinfo.test advancement success rate 99.50% < 99.5%" },
    { "a rate above its maximum", BUILTIN_SUCCESS_RATE, true, NONE, 50, 0, 100,
      "Halt podinfo.test advancement success rate 100.00% > 50%" },
    { "the minimum comes first", BUILTIN_SUCCESS_RATE, true, 99, 10, 0, 50,
      "Halt podinfo.test advancement success rate 50.00% < 99%" },
    { "a range without limits", BUILTIN_SUCCESS_RATE, true, NONE, NONE, 99, 0, NULL },
    { "an old threshold of a rate is a minimum", BUILTIN_SUCCESS_RATE, false, NONE, NONE, 99, 98,
      "Halt podinfo.test advancement success rate 98.00% < 99%" },
    { "and may be equal", BUILTIN_SUCCESS_RATE, false, NONE, NONE, 99, 99, NULL },
    { "and none is always met", BUILTIN_SUCCESS_RATE, false, NONE, NONE, 0, 0, NULL },
    { "an endless rate", BUILTIN_SUCCESS_RATE, true, NONE, 100, 0, INFINITY,
      "Halt podinfo.test advancement success rate +Inf% > 100%" },
    { "a duration at its maximum", BUILTIN_DURATION, true, NONE, 500, 0, 500, NULL },
    { "whole milliseconds count", BUILTIN_DURATION, true, NONE, 500, 0, 500.9, NULL },
    { "one more", BUILTIN_DURATION, true, NONE, 500, 0, 501,
      "Halt podinfo.test advancement request duration 501ms > 500ms" },
    { "seconds", BUILTIN_DURATION, true, NONE, 500, 0, 1515.2,
      "Halt podinfo.test advancement request duration 1.515s > 500ms" },
    { "minutes", BUILTIN_DURATION, true, NONE, 500000, 0, 3661500,
      "Halt podinfo.test advancement request duration 1h1m1.5s > 8m20s" },
    { "a limit below a millisecond is none", BUILTIN_DURATION, true, NONE, 0.5, 0, 1,
      "Halt podinfo.test advancement request duration 1ms > 0s" },
    { "a duration below its minimum", BUILTIN_DURATION, true, 100, NONE, 0, 85,
      "Halt podinfo.test advancement request duration 85ms < 100ms" },
    { "an old threshold of a duration is a maximum", BUILTIN_DURATION, false, NONE, NONE, 500, 501,
      "Halt podinfo.test advancement request duration 501ms > 500ms" },
    { "an endless duration", BUILTIN_DURATION, true, NONE, 500, 0, INFINITY,
      "Halt podinfo.test advancement request duration 2562047h47m16.854s > 500ms" },
    { "a query at its maximum", BUILTIN_NONE, true, NONE, 1.5, 0, 1.5, NULL },
    { "a query above it", BUILTIN_NONE, true, NONE, 1.5, 0, 1.51,
      "Halt podinfo.test advancement error-rate 1.51 > 1.5" },
    { "a query below its minimum", BUILTIN_NONE, true, 1, NONE, 0, 0.004,
      "Halt podinfo.test advancement error-rate 0.00 < 1" },
    { "an old threshold of a query is a maximum", BUILTIN_NONE, false, NONE, NONE, 5, 6,
      "Halt podinfo.test advancement error-rate 6.00 > 5" },
    { "none means zero at most", BUILTIN_NONE, false, NONE, NONE, 0, 0.01,
      "Halt podinfo.test advancement error-rate 0.01 > 0" },
    { "zero is fine", BUILTIN_NONE, false, NONE, NONE, 0, 0, NULL },
    { "a large limit", BUILTIN_NONE, true, NONE, 1234567, 0, 12345678,
      "Halt podinfo.test advancement error-rate 12345678.00 > 1.234567e+06" },
    { "a million", BUILTIN_NONE, true, NONE, 1000000, 0, 2e6,
      "Halt podinfo.test advancement error-rate 2000000.00 > 1e+06" },
    { "below a million", BUILTIN_NONE, true, NONE, 500000, 0, 500001,
      "Halt podinfo.test advancement error-rate 500001.00 > 500000" },
    { "a small limit", BUILTIN_NONE, true, NONE, 1e-7, 0, 1,
      "Halt podinfo.test advancement error-rate 1.00 > 1e-07" },
};

static struct judge judge_of(struct arena *mem, enum builtin builtin)
{
    static const char *const names[] = {
        [BUILTIN_NONE] = "error-rate",
        [BUILTIN_SUCCESS_RATE] = "request-success-rate",
        [BUILTIN_DURATION] = "request-duration",
    };
    return (struct judge){ .mem = mem,
                           .canary = "podinfo",
                           .ns = "test",
                           .target = "app",
                           .metric = names[builtin],
                           .provider = "istio",
                           .builtin = builtin };
}

static void the_event_is(void **state)
{
    const struct judge_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct judge judge = judge_of(mem, row->builtin);
    judge.has_range = row->has_range;
    judge.has_min = !isnan(row->min);
    judge.has_max = !isnan(row->max);
    judge.min = row->min;
    judge.max = row->max;
    judge.threshold = row->threshold;
    const char *event = judge_value(&judge, row->value);
    if (row->event)
        assert_string_equal(event, row->event);
    else
        assert_null(event);
}

static void no_values_are_told_by_the_kind_of_query(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct judge judge = judge_of(mem, BUILTIN_SUCCESS_RATE);
    assert_string_equal(judge_no_values(&judge, "running query failed: no values found"),
                        "Halt advancement no values found for istio metric request-success-rate "
                        "probably app.test is not receiving traffic: running query failed: no "
                        "values found");
    judge = judge_of(mem, BUILTIN_DURATION);
    assert_string_equal(judge_no_values(&judge, "running query failed: no values found"),
                        "Halt advancement no values found for istio metric request-duration "
                        "probably app.test is not receiving traffic");
    judge = judge_of(mem, BUILTIN_NONE);
    assert_string_equal(judge_no_values(&judge, "x"),
                        "Halt advancement no values found for metric: error-rate");
    judge.is_template = true;
    assert_string_equal(
        judge_no_values(&judge, "no values found"),
        "Halt advancement no values found for custom metric: error-rate: no values found");
}

static void failures_are_told_by_the_kind_of_query(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct judge judge = judge_of(mem, BUILTIN_DURATION);
    assert_string_equal(judge_failure(&judge, "why"), "Prometheus query failed: why");
    judge = judge_of(mem, BUILTIN_NONE);
    assert_string_equal(judge_failure(&judge, "why"),
                        "Prometheus query failed for error-rate: why");
    judge.is_template = true;
    assert_string_equal(judge_failure(&judge, "why"), "Metric query failed for error-rate: why");
}

static void durations_are_exported_in_seconds(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct judge judge = judge_of(mem, BUILTIN_DURATION);
    assert_true(judge_exported(&judge, 1515.9) == 1 + 0.515);
    judge = judge_of(mem, BUILTIN_SUCCESS_RATE);
    assert_true(judge_exported(&judge, 99.95) == 99.95);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(no_values_are_told_by_the_kind_of_query),
        SINGLE(failures_are_told_by_the_kind_of_query),
        SINGLE(durations_are_exported_in_seconds),
        ROWS(judge_cases, the_event_is),
    };
    return rows_run("canary_metric_judge", tests, ARRAY_LEN(tests));
}
