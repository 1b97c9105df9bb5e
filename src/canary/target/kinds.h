/* canary/target/kinds.h - the entries of the table in target.c, one file each.
 * Effects:   none.
 * Ownership: static. */
#ifndef SERIN_CANARY_TARGET_KINDS_H
#define SERIN_CANARY_TARGET_KINDS_H

#include "canary/target/target.h"

extern const struct target_kind target_deployment, target_daemonset, target_service, target_knative;

#endif
