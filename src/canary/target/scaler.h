/* canary/target/scaler.h - the autoscaler of the target and its twin for the primary.
 * Effects:   none.
 * Ownership: in the view's arena.
 * Reference: canary.md 5.6, 5.7. */
#ifndef SERIN_CANARY_TARGET_SCALER_H
#define SERIN_CANARY_TARGET_SCALER_H

#include "canary/view.h"

bool scaler_is_used(const struct canary_view *view); /* a kind we know is referred to */
void scaler_want(const struct canary_view *view, struct live_wants *out);
/* Creates the twin if it is missing; brings an existing one up to date unless `only_create`. */
MUST_USE struct err *scaler_reconcile(const struct canary_view *view, bool only_create,
                                      struct effects *out);
MUST_USE struct err *scaler_pause(const struct canary_view *view, struct effects *out);
MUST_USE struct err *scaler_resume(const struct canary_view *view, struct effects *out);
/* What the target is scaled up to at least: 1 unless the scaler says more. */
int64_t scaler_least(const struct canary_view *view);

#endif
