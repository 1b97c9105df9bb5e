/* release/rewrite.h - edits carried out on the texts of files, and looked at again before anything is committed.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena: the text of a file that changed, and nothing else.
 * Errors:    ERR_INVALID names file, line and what is wrong. Verification speaks as gitops.md 6.4 does: `verifying changes: failed
 *            to verify changes: the image for container "c" in resource "id" should be "x", but is "y"`.
 * Reference: gitops.md 5.9, 6.4. */
#ifndef SERIN_RELEASE_REWRITE_H
#define SERIN_RELEASE_REWRITE_H

#include "release/select.h"

/* The file with all edits of workloads that stand in it. What stands in no file (generated) is not its business. Values may hold
 * anything, = included. `is_changed` false: byte for byte as it was. */
MUST_USE struct err *release_rewrite(struct arena *mem, const struct release_file *file,
                                     const struct release_edits *edits, struct release_file *out,
                                     bool *is_changed);

/* Both surveys of everything: the same objects, the same containers in the same order, the images the old ones but for the edits. */
MUST_USE struct err *release_rewrite_verify(struct arena *mem, const struct release_survey *before,
                                            const struct release_survey *after,
                                            const struct release_edits *edits);
/* The same of one file, which is read again for it and forgotten: what stands in a file can change with that file alone. */
MUST_USE struct err *release_rewrite_verify_file(const struct release_file *before,
                                                 const struct release_file *after,
                                                 const char *default_ns,
                                                 const struct release_edits *edits);

#endif
