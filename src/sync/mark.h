/* sync/mark.h - how an object in the cluster says which repository it came from, and in which
 * state: label and annotation.
 * Effects:   none. Pure.
 * Ownership: results are in the caller's arena.
 * Reference: gitops.md 3.8 (formulas), 15.1 (vectors), 5.1 (prefixes). */
#ifndef SERIN_SYNC_MARK_H
#define SERIN_SYNC_MARK_H

#include "doc/val.h"

#define MARK_LABEL    "fluxcd.io/sync-gc-mark"
#define MARK_CHECKSUM "fluxcd.io/sync-checksum"

/* Of the URL without credentials (its safe form), the branch and the git paths as configured (NULL:
 * none). */
const char *mark_set_name(struct arena *mem, const char *safe_url, const char *branch,
                          const char *const *git_paths);
const char *mark_of(struct arena *mem, const char *set_name, const char *id); /* sha256.… */
const char *mark_checksum(struct arena *mem,
                          const struct val *object); /* SHA-1 of the YAML form, hex */

enum mark_ignore { MARK_IGNORE_NO, MARK_IGNORE_SYNC_ONLY, MARK_IGNORE_YES };

/* What the ignore annotation says, under any of its three prefixes; the more careful value wins.
 * Manifest or live object. */
enum mark_ignore mark_ignore(const struct val *object);

#endif
