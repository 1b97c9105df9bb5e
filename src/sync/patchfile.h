/* sync/patchfile.h - the patch file of patchUpdated: documents that change generated manifests.
 * Effects:   none. Pure.
 * Ownership: results are in the caller's arena and share parts with the inputs.
 * Reference: gitops.md 4.4. */
#ifndef SERIN_SYNC_PATCHFILE_H
#define SERIN_SYNC_PATCHFILE_H

#include "sync/manifest.h"

struct patchfile {
    const char *config; /* for messages: the configuration as seen from its working directory */
    const char *path;   /* for messages: as the configuration names it */
    const char *text;
    size_t len;
};

/* `generated` with every patch applied, sorted by ID. ERR_INVALID: a patch that cannot be read, or
 * processing "c", cannot apply patchFile "f" to generated resources: patch refers to missing
 * resource (id). */
MUST_USE struct err *patchfile_apply(struct arena *mem, const struct patchfile *patch,
                                     const struct manifest_list *generated,
                                     struct manifest_list *out);

#endif
