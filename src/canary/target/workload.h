/* canary/target/workload.h - what Deployments and DaemonSets have in common: a pod template, a selector, a primary made from it.
 * Effects:   none.
 * Ownership: in the view's arena.
 * Reference: canary.md 4.1, 4.2, 5.2 to 5.4. */
#ifndef SERIN_CANARY_TARGET_WORKLOAD_H
#define SERIN_CANARY_TARGET_WORKLOAD_H

#include "canary/view.h"

#define WORKLOAD_API "apps/v1"

struct workload {
    const char *kind;            /* Deployment */
    const char *noun;            /* in texts: deployment */
    const char *promote_noun;    /* where a promotion misses the target: 9.2 */
    const char *selector_suffix; /* of the text of 5.2 */
    const char *const *fields;   /* of spec, taken over as they are; NULL-terminated */
    bool has_replicas;
    /* What else differs in the pods of the primary. */
    void (*adjust)(const struct canary_view *view, struct val *pod_spec);
};

const struct val *workload_target(const struct canary_view *view, const struct workload *w);
const struct val *workload_primary(const struct canary_view *view, const struct workload *w);
/* `<noun> <name>.<ns> get query error: …` for an object that is not there. */
const char *workload_absent(const struct canary_view *view, const struct workload *w,
                            const char *noun, const char *name);

void workload_want(const struct canary_view *view, const struct workload *w,
                   struct live_wants *out);
/* All but readiness; the revision is of `template`. */
void workload_observe(const struct canary_view *view, const struct workload *w,
                      const struct val *template, struct target_seen *out);
MUST_USE struct err *workload_create(const struct canary_view *view, const struct workload *w,
                                     struct effects *out);
MUST_USE struct err *workload_promote(const struct canary_view *view, const struct workload *w,
                                      struct effects *out);
bool workload_is_promoted(const struct canary_view *view, const struct workload *w);

#endif
