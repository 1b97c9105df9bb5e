/* sync/files.h - which files of a commit are manifests.
 * Effects:   none. Pure.
 * Ownership: results are in the caller's arena; the texts of a chosen entry are borrowed from the
 *            input.
 * Units:     none.
 * Reference: gitops.md 3.3. */
#ifndef SERIN_SYNC_FILES_H
#define SERIN_SYNC_FILES_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"

struct files_entry {
    const char *path; /* from the root, no leading slash */
    const char *oid;
    unsigned mode; /* 0100644, 0100755, 0120000; others (submodules) are never chosen */
};

struct files_list {
    struct files_entry *at; /* in byte order of the paths, each path once */
    size_t len, cap;
};

/* `entries` are all files of the tree: a chart directory (Chart.yaml beside values.yaml) is looked
 * for from the root, whatever the git paths are, and hides everything below. Of the rest those
 * below a git path (or named by one) whose names end in .yaml or .yml are chosen; symlinks too
 * (reading follows them inside the tree only). No git paths: the whole tree. ERR_INVALID: a git
 * path that is absolute or has a `..`. ERR_NOT_FOUND: a git path that is not in the tree, with
 * Flux's words `unable to read root path "apps": …`; then nothing is chosen. */
MUST_USE struct err *files_select(struct arena *mem, const struct files_entry *entries,
                                  size_t count, const char *const *git_paths,
                                  struct files_list *out);

/* A git path in its one spelling: no leading ./, no doubled or trailing slash; "" is the root.
 * ERR_INVALID as above. */
MUST_USE struct err *files_clean_path(struct arena *mem, const char *path, const char **out);

/* The same for one file, where `clean_paths` (NULL-terminated, each by files_clean_path) are in the tree and charts are looked
 * for by the caller. */
bool files_is_candidate(const struct files_entry *entry, const char *const *clean_paths);

/* Whether the file's coming or going may make a chart of its directory, or end one. */
bool files_is_of_chart(const char *path);
#define FILES_CHART  "Chart.yaml"
#define FILES_VALUES "values.yaml"

bool files_is_manifest_name(const char *path);          /* .yaml or .yml, exactly */
bool files_is_below(const char *path, const char *dir); /* or the same; everything is below "" */

#endif
