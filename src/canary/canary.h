/* canary/canary.h - a Canary resource as values: its spec with defaults filled in, its status.
 * Effects:   none.
 * Ownership: in the caller's arena, borrowing from the object.
 * Units:     milliseconds; weights and thresholds in percent.
 * Errors:    ERR_INVALID and ERR_LIMIT that name the field (spec.analysis.metrics[2].name: …).
 * Reference: canary.md 1.1 to 1.4, 1.7. */
#ifndef SERIN_CANARY_CANARY_H
#define SERIN_CANARY_CANARY_H

#include "doc/val.h"

#define CANARY_API_VERSION "flagger.app/v1beta1"
#define CANARY_FINALIZER   "finalizer.flagger.app"
#define CANARY_LIST_MAX    256 /* hooks, metrics, alerts, step weights of one canary */
#define CANARY_TOTAL       100 /* what the weights of primary and canary sum to */

enum canary_phase {
    CANARY_NONE, /* no status yet */
    CANARY_INITIALIZING,
    CANARY_INITIALIZED,
    CANARY_WAITING,
    CANARY_PROGRESSING,
    CANARY_WAITING_PROMOTION,
    CANARY_PROMOTING,
    CANARY_FINALISING,
    CANARY_SUCCEEDED,
    CANARY_FAILED,
    CANARY_TERMINATING,
    CANARY_TERMINATED,
};
const char *canary_phase_name(enum canary_phase phase); /* "" for CANARY_NONE */

enum canary_hook_type {
    CANARY_HOOK_ROLLOUT, /* also an empty type */
    CANARY_HOOK_CONFIRM_ROLLOUT,
    CANARY_HOOK_PRE_ROLLOUT,
    CANARY_HOOK_CONFIRM_TRAFFIC_INCREASE,
    CANARY_HOOK_CONFIRM_PROMOTION,
    CANARY_HOOK_POST_ROLLOUT,
    CANARY_HOOK_EVENT,
    CANARY_HOOK_ROLLBACK,
};

enum canary_severity { CANARY_INFO, CANARY_WARN, CANARY_ERROR };

struct canary_hook {
    const char *name, *url;
    enum canary_hook_type type;
    const char *timeout; /* as written; "" when absent */
    int64_t retries;
    bool disable_tls, mute_alert;
    const struct val *metadata; /* map, or NULL */
};

struct canary_metric {
    const char *name;
    const char *interval; /* as written; "1m" when absent (17.6 no. 1) */
    double threshold;     /* deprecated; 0 when absent */
    bool has_range, has_min, has_max;
    double min, max;
    const char *query;                       /* deprecated in-line query; "" when absent */
    const char *template_name, *template_ns; /* "" when absent; ns has its default */
    const struct val *variables;             /* map, or NULL */
};

struct canary_alert {
    const char *name;
    enum canary_severity severity; /* an empty one is info (17.3 no. 3) */
    const char *provider_name, *provider_ns;
};

struct canary_affinity {
    const char *cookie_name, *primary_cookie_name; /* the second "" when absent */
    const char *domain, *path, *same_site;         /* "" when absent */
    int64_t max_age_s;                             /* 86400 when absent or 0 */
    bool http_only, partitioned, secure;
};

struct canary_analysis {
    const char *interval_text; /* as written */
    int64_t interval_ms;       /* at least 10,000 */
    int64_t threshold;         /* at least 1 */
    int64_t iterations, step_weight, step_weight_promotion, mirror_weight;
    int64_t max_weight; /* as written, 0 when absent: see canary/weights.h */
    const int64_t *step_weights;
    size_t step_weights_len;
    bool mirror;
    int64_t primary_ready_threshold, canary_ready_threshold;
    const struct val *match; /* list with entries, or NULL */
    const struct canary_metric *metrics;
    size_t metrics_len;
    const struct canary_alert *alerts;
    size_t alerts_len;
    const struct canary_hook *hooks;
    size_t hooks_len;
    const struct canary_affinity *affinity; /* or NULL */
};

struct canary_ref {
    const char *api_version, *kind, *name; /* "" when absent */
    const char *ns;                        /* "" when not given */
};

struct canary_status {
    enum canary_phase phase;
    int64_t failed_checks, weight, iterations;
    const char *last_applied, *last_promoted; /* "" when absent */
    const struct val *tracked;                /* trackedConfigs: map, or NULL when absent */
    int64_t last_transition_ms;               /* Unix time; 0 when absent */
    const char *cookie, *primary_cookie, *previous_cookie; /* name=value; "" when absent */
    const struct val *conditions;                          /* list, or NULL when absent */
};

struct canary {
    const struct val *object; /* as the server has it, without managedFields */
    const char *name, *ns, *uid, *resource_version;
    int64_t generation;
    bool is_deleting, has_finalizer;

    const char *provider;       /* spec.provider; "" for that of the settings */
    const char *metrics_server; /* likewise */
    struct canary_ref target, scaler, ingress, route, upstream; /* name "" when absent */
    const struct val *scaler_ref;                               /* spec.autoscalerRef, or NULL */
    const struct val *service;                                  /* spec.service, or NULL */
    const char *apex;                                           /* service.name or target.name */
    int64_t progress_deadline_s;                                /* 600 when absent */
    bool has_analysis, skips_analysis; /* the second also without an analysis */
    bool revert_on_deletion, is_suspended;
    struct canary_analysis analysis; /* zeroes and no lists when has_analysis is false */
    struct canary_status status;
};

/* What the flags say; made in cmd/. Reference: canary.md 12.3. */
struct canary_settings {
    const char *mesh_provider, *metrics_server;
    const char *const *selector_labels;        /* NULL-terminated, in order */
    const char *const *include_label_prefixes; /* NULL-terminated; "*" is all; may be empty */
    const char *ingress_prefix, *ingress_class, *cluster_name;
    bool tracks_configs, no_cross_namespace;
    bool mesh_is_elsewhere; /* routing objects live on another API server */
};

/* Fields in the form that the CRD gives them; a null is absent. Whole numbers may come as 30 or 30.0, and have 32 bits. */
MUST_USE struct err *canary_parse(struct arena *mem, const struct val *object, struct canary *out);

/* The checks of 1.7, and those that keep a run from stalling (17.1 no. 9). ERR_INVALID with their texts. What depends on the
 * traits of a router (17.1 no. 8; 23.1 nos. 4, 5 of the traffic reference) is for the step to see. */
MUST_USE struct err *canary_check(const struct canary *canary,
                                  const struct canary_settings *settings);

/* spec.provider, else that of the settings. */
const char *canary_provider(const struct canary *canary, const struct canary_settings *settings);
bool canary_target_is_knative(const struct canary *canary);
/* Same namespace, kind and name of the target: two such canaries fight (17.2 no. 14). */
const char *canary_target_key(struct arena *mem, const struct canary *canary);

#endif
