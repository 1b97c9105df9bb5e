/* api/policy.h - the policies of a workload, read from the annotations of its manifest.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena.
 * Reference: gitops.md 5.1. */
#ifndef SERIN_API_POLICY_H
#define SERIN_API_POLICY_H

#include "doc/val.h"

/* Policy to value, sorted by policy. `automated` and `locked` are there only where they are on. Of several prefixes that define
 * one policy fluxcd.io/ wins, then filter.fluxcd.io/, then flux.weave.works/. What serin itself writes on an object is none. */
struct val *api_policy_read(struct arena *mem, const struct val *annotations);

bool api_policy_is_on(const struct val *policies, const char *name); /* "true" */

#endif
