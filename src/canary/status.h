/* canary/status.h - how a status changes: the primitives of a tick, and the condition beside them.
 * Effects:   none.
 * Ownership: in the caller's arena, borrowing from what it is given.
 * Units:     Unix milliseconds.
 * Reference: canary.md 1.4, 3.3. */
#ifndef SERIN_CANARY_STATUS_H
#define SERIN_CANARY_STATUS_H

#include "canary/canary.h"

enum canary_change_kind {
    CANARY_CHANGE_SYNC,       /* everything: phase, counters, revision, configs */
    CANARY_CHANGE_PHASE,      /* "set phase": keeps the counters its phase keeps */
    CANARY_CHANGE_CHECKS,     /* failedChecks */
    CANARY_CHANGE_WEIGHT,     /* canaryWeight */
    CANARY_CHANGE_ITERATIONS, /* iterations */
    CANARY_CHANGE_REVISION,   /* lastAppliedSpec and trackedConfigs, nothing else (adoption; 7) */
};

/* Absolute values: the same change twice is one change. */
struct canary_change {
    enum canary_change_kind kind;
    enum canary_phase phase;
    int64_t weight, failed_checks, iterations;
    bool is_promoted; /* REVISION: lastPromotedSpec, too */
};

/* What a SYNC or REVISION records of the target. */
struct canary_revision {
    const char *hash;          /* canary/hash.h; "" when the kind has none */
    const struct val *configs; /* trackedConfigs: map; NULL when nothing is tracked */
};

struct canary_status canary_status_next(struct arena *mem, const struct canary *canary,
                                        const struct canary_status *status,
                                        const struct canary_change *change,
                                        const struct canary_revision *revision, int64_t now_ms);

/* status as the API has it; what serin does not know stays (from `old`, may be NULL). */
struct val *canary_status_val(struct arena *mem, const struct canary_status *status,
                              const struct val *old);

#endif
