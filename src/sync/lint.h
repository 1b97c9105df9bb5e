/* sync/lint.h - what can be said about manifests without a cluster.
 * Effects:   none. Pure.
 * Ownership: problems are in the caller's arena.
 * Reference: gitops.md 3.3, 3.4. */
#ifndef SERIN_SYNC_LINT_H
#define SERIN_SYNC_LINT_H

#include "sync/manifest.h"

struct lint_settings {
    const char *default_ns; /* NULL: "default" */
};

/* Errors: duplicates. Warnings: kinds that neither Kubernetes nor a CRD among the manifests
 * defines, versions that are gone, a namespace on a cluster-wide object, marks and ignore values
 * that will not do what they seem to. */
void lint_check(struct arena *mem, const struct manifest *manifests, size_t count,
                const struct lint_settings *settings, struct manifest_problems *problems);

#endif
