/* cmd/install_plan.h - the manifests that put serin into a cluster, for one repository.
 * Effects:   none. Pure.
 * Ownership: options are borrowed, results are in the caller's arena.
 * Units:     bytes.
 * What is installed is deploy/sync.yaml, compiled in as it is; only what depends on the repository and on the place is changed.
 * Reference: gitops.md 12. */
#ifndef SERIN_CMD_INSTALL_PLAN_H
#define SERIN_CMD_INSTALL_PLAN_H

#include "doc/val.h"

extern const char install_plan_manifests[]; /* deploy/sync.yaml */
extern const size_t install_plan_manifests_len;

struct install_opts {
    bool as_flux; /* objects, labels and files are called flux; neither Namespace nor Service */
    const char *ns;
    const char *image; /* "": the one of deploy/ */
    const char *const *
        more; /* flags of serin run for what deploy/ does not say, in this order; a flag that it has is replaced */
    bool lacks_security_context;
};

struct install_file {
    const char *name; /* serin-deployment.yaml */
    const char *text; /* YAML documents, each after its --- */
};
#define INSTALL_FILES_MAX 8

MUST_USE struct err *install_plan(struct arena *mem, const struct install_opts *opts,
                                  struct install_file out[INSTALL_FILES_MAX], size_t *count);

#endif
