/* cmd/diff_revision.h - manifests of a revision of a git repository, for `serin diff`.
 * Effects:   clones into a temporary directory, which goes away; runs generators if allowed; blocks.
 * Ownership: results are in the caller's arena.
 * Units:     milliseconds. */
#ifndef SERIN_CMD_DIFF_REVISION_H
#define SERIN_CMD_DIFF_REVISION_H

#include "sync/manifest.h"
#include "sync/reveal.h"

struct diff_revision {
    const char *url, *branch, *rev; /* rev NULL: the head of the branch */
    const char *const *git_paths;   /* NULL: all */
    const char *identity, *known_hosts, *ca_file, *ssh_command; /* NULL: none */
    const char *tmp_dir;
    bool manifest_generation;
    struct reveal_settings reveal; /* what is to be decrypted */
    int64_t timeout_ms;
};

MUST_USE struct err *diff_revision_read(struct arena *mem, const struct diff_revision *revision,
                                        struct manifest_list *out,
                                        struct manifest_problems *problems);

#endif
