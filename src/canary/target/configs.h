/* canary/target/configs.h - ConfigMaps and Secrets a pod template refers to: tracked, renamed and copied for the primary.
 * Effects:   none.
 * Ownership: in the caller's arena.
 * Reference: canary.md 6. */
#ifndef SERIN_CANARY_TARGET_CONFIGS_H
#define SERIN_CANARY_TARGET_CONFIGS_H

#include "canary/view.h"

/* Adds sources and copies that `pod_spec` refers to. */
void configs_want(const struct canary_view *view, const struct val *pod_spec,
                  struct live_wants *out);
/* trackedConfigs now; ERR_NOT_FOUND with the text of 6.1 for a mandatory one that is missing. Tracking off: NULL. */
MUST_USE struct err *configs_observe(const struct canary_view *view, const struct val *pod_spec,
                                     struct val **out);
/* Whether 6.4 sees a change, and of what ("configmap x"; NULL when it is not one alone). */
bool configs_changed(struct arena *mem, const struct val *stored, const struct val *now,
                     const char **what);
/* A copy of the pod spec with tracked names suffixed. */
struct val *configs_rename(const struct canary_view *view, const struct val *pod_spec);
/* COPY_CONFIG of each tracked object. */
MUST_USE struct err *configs_copy(const struct canary_view *view, const struct val *pod_spec,
                                  struct effects *out);
/* The object to be written: `body` of the effect with data and type of `source`; binaryData, too (17.2 no. 4). Never immutable:
 * a copy has to be able to follow. */
struct val *configs_fill(struct arena *mem, const struct val *body, const struct val *source);

#endif
