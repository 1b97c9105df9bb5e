/* image/policy.h - the policies of a workload: annotations of its manifest.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena.
 * Reference: gitops.md 5.1. */
#ifndef SERIN_IMAGE_POLICY_H
#define SERIN_IMAGE_POLICY_H

#include "doc/val.h"

/* Policy to value, sorted by policy. `automated` and `locked` are there only where they are on. Of several prefixes that define
 * one policy fluxcd.io/ wins, then filter.fluxcd.io/, then flux.weave.works/. What serin itself writes on an object is none. */
struct val *image_policy_read(struct arena *mem, const struct val *annotations);

bool image_policy_is_on(const struct val *policies, const char *name); /* "true" */
/* ignore=true: left alone by sync, releases and automation. (sync_only keeps only garbage collection away.) */
bool image_policy_is_ignored(const struct val *policies);
/* The pattern of a container's tags, as it is written; NULL: none. */
const char *image_policy_tag(const struct val *policies, const char *container);

/* The annotation that says this policy: of those that are there the one whose value counts, else the one to be written,
 * fluxcd.io/<policy>. To take a policy away, remove it and ask again: another prefix may say it, too. */
const char *image_policy_key(struct arena *mem, const struct val *annotations, const char *policy);

#endif
