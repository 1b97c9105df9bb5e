/* canary/target/ready.h - whether a roll-out is done, on its way, or past hope.
 * Effects:   none.
 * Ownership: texts in the view's arena.
 * Units:     Unix milliseconds; thresholds in percent.
 * Reference: canary.md 8. */
#ifndef SERIN_CANARY_TARGET_READY_H
#define SERIN_CANARY_TARGET_READY_H

#include "canary/view.h"

/* The bare <text> of 8.1, 8.2, not yet wrapped; a Deployment or DaemonSet as live; NULL: right after its creation. */
struct ready ready_deployment(const struct canary_view *view, const struct val *deployment,
                              int64_t threshold_pct);
struct ready ready_daemonset(const struct canary_view *view, const struct val *daemonset,
                             int64_t threshold_pct);

#endif
