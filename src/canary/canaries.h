/* canary/canaries.h - the second reconciler: every Canary goes from revision to revision by the step.
 * Effects:   through kube, http, the store, hooks, alerts, the metric lab.
 * Ownership: borrows everything in canaries_opts; statuses are borrowed until the next turn.
 * Units:     milliseconds.
 * Reference: canary.md 2, 3; design.md 1, 3.
 *
 *     store, timers ──► due or changed ──► tick: look ─► facts ─► step ⇄ carry out one action ─► done ─► timer or wait
 *
 * One tick per canary at a time; canaries do not wait for each other. */
#ifndef SERIN_CANARY_CANARIES_H
#define SERIN_CANARY_CANARIES_H

#include "base/metrics.h"
#include "canary/canary.h"
#include "canary/metric/check.h"
#include "canary/notify/alert.h"
#include "canary/notify/hook.h"
#include "kube/discovery.h"
#include "kube/event.h"

struct canaries;
struct canaries_seen;

struct canaries_opts {
    struct loop *loop;
    const struct log *log;
    struct metrics *metrics;
    struct kube *kube;
    struct kube_discovery *discovery;
    struct kube *mesh_kube; /* NULL: the same */
    struct kube_discovery *mesh_discovery;
    struct kube_events *events;
    struct http *http;                      /* hooks, alerts, queries */
    const struct canary_settings *settings; /* kept by the caller */
    const struct alert_receiver *notifier;  /* global; NULL none */
    const char *event_webhook;              /* "" none */
    const char *const *environ_list;
    const char *const *namespaces; /* NULL: all */
    int at_once;                   /* ticks at a time; default 64 */
    /* A Canary is gone: what it owned is free. May be NULL. */
    void (*on_release)(void *ctx);
    /* The status of a Canary is another one than it was, or is seen for the first time. May be NULL. */
    void (*on_shown)(void *ctx, const struct canaries_seen *seen);
    void *ctx;
};

struct canaries *canaries_new(const struct canaries_opts *opts);
/* Watches; acts once it may. After the discovery was read. While the server has no Canaries it waits for their definition. */
void canaries_start(struct canaries *canaries);
void canaries_act(struct canaries *canaries,
                  bool may_act); /* leader or not; false stops after the running actions */
void canaries_stop(struct canaries *canaries, void (*done)(void *ctx),
                   void *ctx); /* running requests end, no new ones */
/* Reports and alerts that wait for their receivers. */
size_t canaries_waiting(const struct canaries *canaries);
void canaries_free(struct canaries *canaries);
DEFINE_SCOPED(struct canaries, canaries_free)

/* What sync must leave alone (design.md 3.6). */
enum canary_owned {
    CANARY_OWNS_NOTHING = 0,
    CANARY_OWNS_REPLICAS = 1,      /* spec.replicas of a target */
    CANARY_OWNS_SELECTOR = 2,      /* spec.selector and spec.ports of an apex Service */
    CANARY_OWNS_ROUTES = 4,        /* the spec of a routing object */
    CANARY_OWNS_NODE_SELECTOR = 8, /* scale-to-zero of a DaemonSet */
};
/* Every Canary that there was at the start was looked at, or the server knows none: canaries_owned can be relied on. */
bool canaries_knows_owned(const struct canaries *canaries);
unsigned canaries_owned(const struct canaries *canaries, const char *api_version, const char *kind,
                        const char *ns, const char *name);

struct canaries_seen {
    const char *ns, *name, *target_kind, *target;
    enum canary_phase phase;
    int64_t weight, failed_checks, iterations;
    const char *waits_for; /* for people: "approval", "pods of the canary", … "" nothing */
    const char *last_event;
    int64_t next_tick_ms; /* loop time; 0 none */
};
size_t canaries_len(const struct canaries *canaries);
void canaries_at(const struct canaries *canaries, size_t at, struct canaries_seen *out);

#endif
