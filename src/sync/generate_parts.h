/* sync/generate_parts.h - inside generators: a copy of the tree, the commands that run in it. Only generate*.c include this.
 * Effects:   a temporary directory, processes. Blocks: worker threads only.
 * Ownership: in the arena of the run, but the directory, which generate_run_free removes.
 * Reference: gitops.md 4. */
#ifndef SERIN_SYNC_GENERATE_PARTS_H
#define SERIN_SYNC_GENERATE_PARTS_H

#include "io/child.h"
#include "sync/fluxyaml.h"
#include "sync/generate.h"

struct generate_run {
    struct arena *mem;
    const struct generate_opts *opts;
    struct generate_result *out;
    const char *dir;  /* the temporary directory; NULL until a command needs it */
    const char *tree; /* the copy of the repository in it */
};
void generate_run_free(struct generate_run *run); /* its directory; the struct is the caller's */
DEFINE_SCOPED(struct generate_run, generate_run_free)

/* One git path with its configuration. */
struct generate_unit {
    const struct fluxyaml_place *place;
    struct fluxyaml config;
};

struct generate_command {
    const char *what; /* generator, image updater, … */
    const struct fluxyaml_command *from;
    const char *const *env; /* beside the usual: NULL-terminated, or NULL */
};

struct generate_paths {
    const char **at;
    size_t len, cap;
};
/* Each git path once, in its one spelling; the root where there are none. */
MUST_USE struct err *generate_clean_paths(struct arena *mem, const char *const *git_paths,
                                          struct generate_paths *out);

MUST_USE struct err *generate_need_tree(struct generate_run *run);
MUST_USE struct err *generate_read_config(struct generate_run *run, struct generate_unit *unit);
/* A command that fails is an error: error executing <what> command "…" from file "…": … */
MUST_USE struct err *generate_execute(struct generate_run *run, const struct generate_unit *unit,
                                      const struct generate_command *command,
                                      struct child_output *out);
/* What the generators write; without the patch file. */
MUST_USE struct err *generate_manifests(struct generate_run *run, const struct generate_unit *unit,
                                        struct manifest_list *out);

#endif
