/* base/metrics.h - counters, gauges and histograms, and their text in Prometheus' exposition format 0.0.4.
 * Effects:   none.
 * Ownership: the registry owns its families and series; names, help and label names are copied.
 * Units:     as the metric's name says; durations in seconds.
 * A family is declared once; a series is made by its label values on first use. */
#ifndef SERIN_BASE_METRICS_H
#define SERIN_BASE_METRICS_H

#include "base/base.h"
#include "base/sbuf.h"

struct metrics;
struct metric;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics *metrics_new(void);
void metrics_free(struct metrics *all);
DEFINE_SCOPED(struct metrics, metrics_free)

struct metric_spec {
    const char *name, *help;
    enum metric_type type;
    const char *labels[6]; /* NULL-terminated unless full */
    const double *buckets; /* histograms: upper bounds, ascending, +Inf implied */
    size_t bucket_count;
};

/* Declares a family; the same name again returns the same family. */
struct metric *metrics_declare(struct metrics *all, const struct metric_spec *spec);

/* `values`: one text per label, in order; NULL when the family has none. */
void metric_add(struct metric *family, const char *const *values, double by); /* counter, gauge */
void metric_set(struct metric *family, const char *const *values, double to); /* gauge */
void metric_observe(struct metric *family, const char *const *values,
                    double amount);                                   /* histogram */
void metric_forget(struct metric *family, const char *const *values); /* drops one series */
double metric_value(const struct metric *family,
                    const char *const *values); /* histogram: its count; 0 if absent */

/* All families in order of name, with HELP and TYPE. */
void metrics_format(const struct metrics *all, struct sbuf *out);

#endif
