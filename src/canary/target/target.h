/* canary/target/target.h - the kinds of workload a canary can manage, behind one table.
 * Effects:   none: they read the view and plan effects.
 * Ownership: everything in the view's arena.
 * Reference: canary.md 4, 5.1 to 5.4, 8. */
#ifndef SERIN_CANARY_TARGET_TARGET_H
#define SERIN_CANARY_TARGET_TARGET_H

#include "canary/view.h"

struct target_kind {
    const char *api_version, *kind; /* what the target is read as */
    bool has_pods;                  /* Services, scalers and config tracking apply */
    /* Adds what it reads; is called again with more of the view filled in as objects come in. */
    void (*wants)(const struct canary_view *view, struct live_wants *out);
    void (*observe)(const struct canary_view *view, struct target_seen *out);
    /* What has to be there, asked for in every tick: the primary if it is missing (configs first); the copies of a Service; while
     * a Knative Service is bootstrapped, its mark and traffic. */
    struct err *(*create_primary)(const struct canary_view *view, struct effects *out);
    struct err *(*promote)(const struct canary_view *view, struct effects *out);
    struct err *(*scale_to_zero)(const struct canary_view *view, struct effects *out);
    struct err *(*scale_from_zero)(const struct canary_view *view, struct effects *out);
    struct err *(*revert)(const struct canary_view *view, struct effects *out); /* 14 */
    /* The primary runs what a promotion would give it, but for the random mark (adoption; 7). */
    bool (*is_promoted)(const struct canary_view *view);
};

/* Deployment for kinds nobody knows (3.1). Never NULL. */
const struct target_kind *target_find(const struct canary *canary);
/* The target itself; NULL while there is none, and before anything was seen. */
const struct val *target_object(const struct canary_view *view);
/* Of the target's pod template, what config tracking is about; NULL for kinds without pods and while there is no target. */
const struct val *target_pod_spec(const struct canary_view *view);

#endif
