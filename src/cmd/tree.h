/* cmd/tree.h - manifests of a directory on disk, chosen and read as a sync chooses and reads those
 * of a commit.
 * Effects:   reads the disk; blocks.
 * Ownership: results are in the caller's arena.
 * Units:     bytes.
 * Errors:    ERR_NOT_FOUND and ERR_DENIED when the path itself cannot be read; a file below it that
 *            cannot be read is a problem in the result.
 * Reference: gitops.md 3.3. */
#ifndef SERIN_CMD_TREE_H
#define SERIN_CMD_TREE_H

#include "base/err.h"
#include "sync/manifest.h"
#include "sync/reveal.h"

struct tree {
    struct manifest_list manifests;
    struct manifest_problems problems;
    size_t file_count;
};

#define TREE_ENTRIES_MAX ((size_t)200000)

/* Which of them are read, and how. */
struct tree_opts {
    const char *const *git_paths; /* below the path; NULL: everything */
    struct reveal
        *reveal; /* for files that are encrypted with SOPS; NULL: they are read as they are */
};

/* `path` is a directory, or one file of any name. Paths in the result begin with `path` unless that is
 * ".". */
MUST_USE struct err *tree_read(struct arena *mem, const char *path, const struct tree_opts *opts,
                               struct tree *out);

/* One regular file of at most `limit` bytes, as text. The error does not name it. */
MUST_USE struct err *tree_read_text(struct arena *mem, const char *path, size_t limit,
                                    const char **out, size_t *out_len);

#endif
