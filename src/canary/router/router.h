/* canary/router/router.h - traffic providers, one file each behind one table.
 * Effects:   none: routers read the view and plan effects.
 * Ownership: in the view's arena.
 * Reference: canary.md 16; traffic-and-metrics.md 1, 2, 5 to 17.
 *
 * reconcile brings the routing objects to their generated form and keeps live weights, mirror and sticky rules (23.1 no. 1);
 * on its own and route's output it plans nothing. The live objects are the source of truth for progress. */
#ifndef SERIN_CANARY_ROUTER_ROUTER_H
#define SERIN_CANARY_ROUTER_ROUTER_H

#include "canary/view.h"

struct router {
    const char *name;                     /* for logs: istio, gatewayapi:v1, … */
    bool is_early;                        /* reconciled before the primary exists (App Mesh) */
    bool is_fixed;                        /* no traffic is ever shifted (kubernetes) */
    bool can_match;                       /* A/B by conditions */
    bool can_mirror, can_mirror_weighted; /* in blue/green; in a weighted run */
    const struct router *for_tcp;         /* in its place for TCP services; NULL: the same */
    void (*wants)(const struct canary_view *view, struct live_wants *out);
    struct err *(*reconcile)(const struct canary_view *view, struct effects *out);
    /* Of the live objects; ERR_INVALID, ERR_NOT_FOUND with the event's text. */
    struct err *(*read)(const struct canary_view *view, struct split *out);
    struct err *(*write)(const struct canary_view *view, const struct split *to,
                         struct effects *out);
    struct err *(*finalize)(const struct canary_view *view,
                            struct effects *out); /* NULL: nothing */
};

/* By 1.1, first match wins; `is_guess` (may be NULL) tells that nothing matched and Istio was taken. Never NULL. */
const struct router *router_find(const char *provider, bool *is_guess);

/* The router of a canary: that of its provider, and what it is for the protocol of the service. */
const struct router *router_for(const struct canary *canary, const struct canary_settings *settings,
                                bool *is_guess);

/* What read says once the effects of reconcile are carried out: a missing object reads 100:0. */
MUST_USE struct err *router_read_after(const struct router *router, const struct canary_view *view,
                                       const struct effects *reconciled, struct split *out);

#endif
