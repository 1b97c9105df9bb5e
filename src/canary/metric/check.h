/* canary/metric/check.h - one metric check of a tick, from its spec to what the event says.
 * Effects:   network through io/http and kube; times of the AWS credential chain through the environment it is given.
 * Ownership: a check is copied as far as it is needed; the result is borrowed for the callback. No secret is in any text.
 * Units:     milliseconds.
 * Reference: canary.md 13; traffic-and-metrics.md 18 to 20. */
#ifndef SERIN_CANARY_METRIC_CHECK_H
#define SERIN_CANARY_METRIC_CHECK_H

#include "canary/step.h"
#include "io/http.h"
#include "kube/client.h"

struct metric_lab;

struct metric_lab_opts {
    struct loop *loop;
    struct http *http;
    struct kube *kube;
    const struct log *log;
    const char *const *environ_list; /* AWS_*, proxies */
};
struct metric_lab *metric_lab_new(const struct metric_lab_opts *opts);
void metric_lab_free(struct metric_lab *lab); /* callbacks that are due are not called */
DEFINE_SCOPED(struct metric_lab, metric_lab_free)

struct metric_check {
    const struct canary *canary;
    const struct canary_settings *settings;
    const struct live *live; /* MetricTemplate, its Secret, the Knative Service */
    size_t index;
    enum metric_part part;
};
/* What a canary's checks read: keys for the store (templates, and then their Secrets). */
void metric_check_wants(const struct canary *canary, const struct canary_settings *settings,
                        const struct live *live, struct live_wants *out);

struct metric_verdict {
    struct canary_outcome outcome; /* text: the whole event of canary.md 9.1 */
    bool has_value;
    double value; /* as exported: request-duration in seconds */
};
typedef void (*metric_check_done)(void *ctx, const struct metric_verdict *verdict);
/* Done comes once, in a later turn. */
ticket metric_check_start(struct metric_lab *lab, const struct metric_check *check,
                          metric_check_done done, void *ctx);
/* The probe of 13.6 for all metrics of a canary (`index`, `part` are not read); text: <err> of the event. */
ticket metric_probe_start(struct metric_lab *lab, const struct metric_check *check,
                          metric_check_done done, void *ctx);
/* Of the global server, at start: the log line of 20.1. */
ticket metric_server_probe_start(struct metric_lab *lab, const char *server, metric_check_done done,
                                 void *ctx);
void metric_cancel(struct metric_lab *lab, ticket check);

#endif
