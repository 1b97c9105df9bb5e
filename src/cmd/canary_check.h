/* cmd/canary_check.h - whether a cluster is one that canaries can run in.
 * Effects:   canary_check_kinds turns the loop until the server has answered.
 * Ownership: none.
 * Reference: canary.md 2. */
#ifndef SERIN_CMD_CANARY_CHECK_H
#define SERIN_CMD_CANARY_CHECK_H

#include "kube/client.h"

/* That Canaries, MetricTemplates and AlertProviders can be listed (in `ns`; NULL: everywhere): "Canary CRD is not registered …". */
MUST_USE struct err *canary_check_kinds(struct loop *loop, struct kube *kube, const char *ns);
/* ERR_INVALID below 1.11. */
MUST_USE struct err *canary_check_version(const char *version);

#endif
