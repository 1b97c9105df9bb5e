/* canary/metric/builtin.h - the queries behind request-success-rate and request-duration.
 * Effects:   none.
 * Ownership: queries are static or in the caller's arena.
 * Reference: canary.md 13.2, 13.3; traffic-and-metrics.md 1.2, 18; 23.6 nos. 1 and 15 are mended: names of Services where the
 *            routing objects have them, and pods of a DaemonSet. */
#ifndef SERIN_CANARY_METRIC_BUILTIN_H
#define SERIN_CANARY_METRIC_BUILTIN_H

#include "canary/canary.h"
#include "canary/metric/template.h"

enum builtin { BUILTIN_NONE, BUILTIN_SUCCESS_RATE, BUILTIN_DURATION };

/* By the name of a metric. */
enum builtin builtin_find(const char *metric);

/* p of 1.2: what selects the family, and what events print. */
const char *builtin_provider(struct arena *mem, const struct canary *canary,
                             const struct canary_settings *settings);

struct builtin_query {
    const char *text; /* a template; white space is collapsed */
    bool is_seconds;  /* a duration in seconds, and not in milliseconds */
    bool is_bare;     /* errors of it come without "running query failed: " */
};
void builtin_query(struct arena *mem, const struct canary *canary, const char *provider,
                   enum builtin metric, struct builtin_query *out);

/* The facts of 19.1 but for `variables` and `interval`; `route` NULL: that of the spec. For a family that writes names its own
 * way (skipper) pass its provider, else "". */
void builtin_facts(struct arena *mem, const struct canary *canary, const char *provider,
                   const char *route, struct template_facts *out);

#endif
