/* sync/generate_update.h - changes what generators make: through their updaters, or as a patch file.
 * Effects:   as sync/generate.h.
 * Ownership: results are in the caller's arena.
 * Errors:    ERR_INVALID in Flux's words: `no update.containerImage commands to run in …`, `error executing image updater command …`.
 * Reference: gitops.md 4.3, 4.4. */
#ifndef SERIN_SYNC_GENERATE_UPDATE_H
#define SERIN_SYNC_GENERATE_UPDATE_H

#include "sync/generate.h"

struct generate_image {
    const char *container, *name, *tag; /* name: without the tag */
};
struct generate_policy {
    const char *policy, *value; /* value NULL: the policy goes */
};

/* Of one generated object. */
struct generate_edit {
    const char *config; /* name of its configuration: manifest.path */
    const char *id, *ns, *kind, *name;
    const struct generate_image *images;
    size_t image_count;
    const struct generate_policy *policies;
    size_t policy_count;
    const struct val *object; /* what it is to be: for patch files */
};

struct generate_file {
    const char *path, *text;
    size_t len;
};

struct generate_updated {
    VEC(struct generate_file) files; /* of the tree: changed, or new */
    struct manifest_list manifests;  /* what the configurations with edits make now */
};

MUST_USE struct err *generate_update(struct arena *mem, const struct generate_opts *opts,
                                     const struct generate_edit *edits, size_t count,
                                     struct generate_updated *out);

#endif
