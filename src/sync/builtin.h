/* sync/builtin.h - what is known of Kubernetes' own kinds without a cluster.
 * Effects:   none. Pure.
 * Ownership: static texts. */
#ifndef SERIN_SYNC_BUILTIN_H
#define SERIN_SYNC_BUILTIN_H

#include "base/base.h"

enum builtin_scope { BUILTIN_UNKNOWN, BUILTIN_NAMESPACED, BUILTIN_CLUSTER };

/* By group and kind; the version does not matter. */
enum builtin_scope builtin_scope(const char *api_version, const char *kind);

/* A version of a built-in kind that servers of today no longer have: what to write instead, and
 * since when; NULL when it is fine. "use batch/v1 (batch/v1beta1 is gone since Kubernetes 1.25)" */
const char *builtin_replacement(const char *api_version, const char *kind);

/* True for the groups of Kubernetes itself: the core one, apps, batch, autoscaling, policy,
 * extensions, *.k8s.io. */
bool builtin_owns_group(const char *api_version);

#endif
