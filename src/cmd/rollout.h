/* cmd/rollout.h - follows workloads, and their canaries, until they run what was released.
 * Effects:   network, prints; blocks, as long as it takes.
 * Ownership: what is remembered is in the arena of the call; every look has an arena of its own.
 * Units:     none.
 * Reference: gitops.md 7.5. Canaries are serin's own: docs/api.md. */
#ifndef SERIN_CMD_ROLLOUT_H
#define SERIN_CMD_ROLLOUT_H

#include "cmd/client.h"

struct rollout {
    struct command_call *call;
    const char *const *ids; /* of the workloads; NULL-terminated */
    int verbosity;
    const struct val *canaries_before; /* rollout_canaries_before; NULL: none are followed */
    /* What was seen last, for -o json; NULL: nothing */
    struct val *workloads, *canaries;
    struct val *shown; /* by workload or canary: what was printed last */
};

/* Asked before the release: a canary that is at rest later on is done only if it looks different
 * then. A daemon that has none to tell of is fine. */
MUST_USE struct err *rollout_canaries_before(struct rollout *rollout, struct client *client);

/* Until all are ready and their canaries at rest, or one is in trouble: COMMAND_NO as serin. */
MUST_USE struct err *rollout_watch(struct rollout *rollout, struct client *client, int *status);

#endif
