/* canary/target/services.h - the three Services of a canary.
 * Effects:   none.
 * Ownership: in the view's arena.
 * Reference: canary.md 5.5; traffic-and-metrics.md 3. */
#ifndef SERIN_CANARY_TARGET_SERVICES_H
#define SERIN_CANARY_TARGET_SERVICES_H

#include "canary/view.h"

void services_want(const struct canary_view *view, struct live_wants *out);
MUST_USE struct err *services_initialize(const struct canary_view *view, struct effects *out);
MUST_USE struct err *services_reconcile(const struct canary_view *view, struct effects *out);
MUST_USE struct err *services_finalize(const struct canary_view *view, struct effects *out);

#endif
