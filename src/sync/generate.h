/* sync/generate.h - runs the generators of .flux.yaml in a copy of the tree.
 * Effects:   a temporary directory, processes (sandboxed: no network, limits, an environment of
 *            their own). Blocks: worker threads only.
 * Ownership: results are in the caller's arena.
 * Units:     milliseconds; deadline_ms is on the monotonic clock of stream_now_ms.
 * Reference: gitops.md 4.
 *
 * Environment of a generator: PATH (as given), HOME and TMPDIR (an empty directory that goes away),
 * LANG=C.UTF-8; nothing of ours. Standard input is empty. It is killed with its process group at
 * its timeout (the one given if at least a second, else default_timeout_ms), or at deadline_ms if
 * that is earlier. */
#ifndef SERIN_SYNC_GENERATE_H
#define SERIN_SYNC_GENERATE_H

#include "git/mirror.h"
#include "sync/files.h"
#include "sync/manifest.h"

struct generate_opts {
    struct mirror *mirror;
    const char *rev;
    const struct files_entry *entries; /* all files of the tree */
    size_t entry_count;
    const char *const *git_paths; /* NULL or empty: the root */
    const char *tmp_dir;          /* where the copy is made; NULL: /tmp */
    const char *path;             /* PATH of the generators; NULL: the usual directories */
    int64_t default_timeout_ms;   /* --sync-timeout */
    int64_t deadline_ms;          /* 0: none */
};

struct generate_result {
    struct manifest_list
        manifests; /* generated and patched; manifest.path is the configuration's name */
    struct manifest_problems problems; /* of configurations, generators, their output: what one
                                          would have made is unknown */
    const char **plain_paths; /* git paths that are plain files (no configuration, or scanForFiles);
                                 NULL at the end */
    size_t plain_count;
    size_t config_count; /* git paths that have generators */
};

/* A failing generator is a problem in the result and stops only its own git path. An error: the
 * tree cannot be read or copied, a git path is missing. */
MUST_USE struct err *generate_run(struct arena *mem, const struct generate_opts *opts,
                                  struct generate_result *out);

#endif
