#include "canary/metric/judge.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/duration.h"
#include "base/number.h"

#define MOST_MS 9223372036854 /* of a duration in Go: 2^63 nanoseconds */

void judge_init(struct judge *judge, const struct canary *canary,
                const struct canary_metric *metric)
{
    judge->canary = canary->name;
    judge->ns = canary->ns;
    judge->target = canary->target.name;
    judge->metric = metric->name;
    judge->has_range = metric->has_range;
    judge->has_min = metric->has_min;
    judge->has_max = metric->has_max;
    judge->min = metric->min;
    judge->max = metric->max;
    judge->threshold = metric->threshold;
}

/* Toward zero; what does not fit becomes the most that does. */
static int64_t whole_ms(double ms)
{
    if (isnan(ms))
        return 0;
    return ms >= MOST_MS ? MOST_MS : ms <= -MOST_MS ? -MOST_MS : (int64_t)ms;
}

static const char *percent_text(struct arena *mem, double value)
{
    if (isinf(value))
        return value > 0 ? "+Inf" : "-Inf";
    return arena_printf(mem, "%.2f", value);
}

/* The value or limit as the message has it. */
static const char *limit_text(const struct judge *judge, double limit)
{
    char text[NUMBER_TEXT_BYTES], duration[DURATION_TEXT_BYTES];
    if (judge->builtin == BUILTIN_DURATION) {
        duration_format(whole_ms(limit), duration);
        return arena_printf(judge->mem, "%s", duration);
    }
    number_format_g(limit, text);
    return arena_printf(judge->mem, judge->builtin == BUILTIN_SUCCESS_RATE ? "%s%%" : "%s", text);
}

static const char *halt(const struct judge *judge, double value, char sign, double limit)
{
    const char *what = judge->metric, *shown;
    if (judge->builtin == BUILTIN_SUCCESS_RATE) {
        what = "success rate";
        shown = arena_printf(judge->mem, "%s%%", percent_text(judge->mem, value));
    } else if (judge->builtin == BUILTIN_DURATION) {
        what = "request duration";
        shown = limit_text(judge, value);
    } else {
        shown = percent_text(judge->mem, value);
    }
    return arena_printf(judge->mem, "Halt %s.%s advancement %s %s %c %s", judge->canary, judge->ns,
                        what, shown, sign, limit_text(judge, limit));
}

const char *judge_value(const struct judge *judge, double value)
{
    bool is_duration = judge->builtin == BUILTIN_DURATION;
    double seen = is_duration ? (double)whole_ms(value) : value;
    double min = is_duration ? (double)whole_ms(judge->min) : judge->min;
    double max = is_duration ? (double)whole_ms(judge->max) : judge->max;
    double threshold = is_duration ? (double)whole_ms(judge->threshold) : judge->threshold;
    if (judge->has_range) {
        if (judge->has_min && seen < min)
            return halt(judge, seen, '<', min);
        return judge->has_max && seen > max ? halt(judge, seen, '>', max) : NULL;
    }
    if (judge->builtin == BUILTIN_SUCCESS_RATE)
        return threshold > seen ? halt(judge, seen, '<', threshold) : NULL;
    return seen > threshold ? halt(judge, seen, '>', threshold) : NULL;
}

const char *judge_no_values(const struct judge *judge, const char *why)
{
    if (judge->builtin != BUILTIN_NONE) {
        bool is_rate = judge->builtin == BUILTIN_SUCCESS_RATE;
        return arena_printf(judge->mem,
                            "Halt advancement no values found for %s metric %s probably %s.%s is "
                            "not receiving traffic%s%s",
                            judge->provider, judge->metric, judge->target, judge->ns,
                            is_rate ? ": " : "", is_rate ? why : "");
    }
    if (judge->is_template)
        return arena_printf(judge->mem,
                            "Halt advancement no values found for custom metric: %s: %s",
                            judge->metric, why);
    return arena_printf(judge->mem, "Halt advancement no values found for metric: %s",
                        judge->metric);
}

const char *judge_failure(const struct judge *judge, const char *why)
{
    if (judge->builtin != BUILTIN_NONE)
        return arena_printf(judge->mem, "Prometheus query failed: %s", why);
    return arena_printf(judge->mem, "%s query failed for %s: %s",
                        judge->is_template ? "Metric" : "Prometheus", judge->metric, why);
}

double judge_exported(const struct judge *judge, double value)
{
    if (judge->builtin != BUILTIN_DURATION)
        return value;
    int64_t ms = whole_ms(value); /* as Go's Duration.Seconds adds it up, to the last digit */
    int64_t seconds = ms / 1000, rest = ms % 1000;
    return (double)seconds + (double)rest / 1000;
}
