/* canary/view.h - one canary with everything around it, frozen for one tick: what targets, services, scalers and routers plan from.
 * Effects:   none; the clock and the random texts are in it.
 * Ownership: borrowed for the tick.
 * Units:     Unix milliseconds.
 * Reference: canary.md 3.1; traffic-and-metrics.md 2. */
#ifndef SERIN_CANARY_VIEW_H
#define SERIN_CANARY_VIEW_H

#include "canary/canary.h"
#include "canary/effect.h"
#include "canary/live.h"

/* Traffic as the routes have it. */
struct split {
    int64_t primary, canary; /* percent */
    bool mirrored;
};

enum ready_state {
    READY_YES,
    READY_LATER, /* retriable: wait */
    READY_NEVER, /* past its deadline: roll back */
};
struct ready {
    enum ready_state state;
    const char *text; /* as the event says it, names included; "" when READY_YES */
};

/* What the kind of target says about the workload. */
struct target_seen {
    const char
        *fault; /* ends the tick as a warning: target missing, no selector label, …; NULL none */
    const char *revision;                      /* canary_hash_revision of it */
    const char *selector_key, *selector_value; /* 5.2; "" for kinds without pods of their own */
    const struct val *ports; /* discovered ones, a list as in a Service; NULL none */
    bool has_primary;
    struct ready primary; /* without one: what it will be right after its creation */
    struct ready canary;
    bool is_empty; /* the target asks for no pods, which makes it ready */
};

struct canary_view {
    struct arena *mem;
    const struct canary *canary;
    const struct canary_settings *settings;
    const struct live *live;
    const char *provider; /* canary_provider */
    struct target_seen target;
    int64_t now_ms;
    const char *uuid;       /* of the run, for the primary's pods: another run rolls it out again */
    const char *letters[2]; /* ten random ASCII letters each */
};

/* The reference that makes the Canary an object's controller (5.1). */
struct val *view_owner(const struct canary_view *view);
/* NAME.NAMESPACE of the Canary, for messages. */
const char *view_title(const struct canary_view *view);
/* live_find in the canary's namespace. */
const struct val *view_find(const struct canary_view *view, const char *api_version,
                            const char *kind, const char *name);
/* A new object of the canary's namespace with name and owner. */
struct val *view_new_object(const struct canary_view *view, const char *api_version,
                            const char *kind, const char *name);
/* The two annotations that keep Flux away (traffic-and-metrics.md 2.3), put into a map of annotations. */
void view_add_flux_pair(struct arena *mem, struct val *annotations);

#endif
