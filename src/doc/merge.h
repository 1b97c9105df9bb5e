/* doc/merge.h - merge patches: applying one, and making one from two documents.
 * Effects:   none.
 * Ownership: results are in the caller's arena and may share parts with their inputs (both are frozen).
 * Reference: gitops.md 4.4; RFC 7386; Kubernetes' strategic merge patch. */
#ifndef SERIN_DOC_MERGE_H
#define SERIN_DOC_MERGE_H

#include "doc/val.h"

/* RFC 7386. */
struct val *doc_merge_apply(struct arena *mem, const struct val *target, const struct val *patch);
struct val *doc_merge_diff(struct arena *mem, const struct val *from,
                           const struct val *to); /* NULL if equal */

/* Strategic merge for the built-in kinds (merge keys and primitive sets by field, $patch directives, $setElementOrder,
 * $deleteFromPrimitiveList, $retainKeys). */
MUST_USE struct err *doc_strategic_apply(struct arena *mem, const char *api_version,
                                         const char *kind, const struct val *target,
                                         const struct val *patch, struct val **out);
struct val *doc_strategic_diff(struct arena *mem, const char *api_version, const char *kind,
                               const struct val *from, const struct val *to); /* NULL if equal */
/* True for kinds whose fields the table knows: the built-in ones. Others take doc_merge_*. */
bool doc_strategic_knows(const char *api_version, const char *kind);

#endif
