/* canary/metric/judge.h - a value against the thresholds of its metric, and what the event says about it.
 * Effects:   none.
 * Ownership: texts are in the caller's arena.
 * Units:     success rates in percent, durations in milliseconds.
 * Reference: canary.md 9.1, 13.4; traffic-and-metrics.md 18.1, 19.3. */
#ifndef SERIN_CANARY_METRIC_JUDGE_H
#define SERIN_CANARY_METRIC_JUDGE_H

#include "canary/canary.h"
#include "canary/metric/builtin.h"

/* What is judged. Texts are borrowed. */
struct judge {
    struct arena *mem;
    const char *canary, *ns, *target; /* names, for messages */
    const char *metric;
    const char *provider; /* of a built-in metric: p of traffic-and-metrics.md 1.2 */
    enum builtin builtin; /* BUILTIN_NONE: a query of the user's */
    bool is_template;     /* of a MetricTemplate, and not in-line */
    bool has_range, has_min, has_max;
    double min, max, threshold;
};

/* The fields of one metric. */
void judge_init(struct judge *judge, const struct canary *canary,
                const struct canary_metric *metric);

/* The event that stops the advancement; NULL: the value is good. A duration is in milliseconds, whole ones count. */
const char *judge_value(const struct judge *judge, double value);
/* The same for a query without a value; `why` is the error. */
const char *judge_no_values(const struct judge *judge, const char *why);
/* For one that failed. */
const char *judge_failure(const struct judge *judge, const char *why);
/* As the exporter shows it: a duration in seconds, of whole milliseconds. */
double judge_exported(const struct judge *judge, double value);

#endif
