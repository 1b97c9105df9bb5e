/* base/semver.h - versions and ranges of versions, as tags of images are read.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena.
 * Reference: gitops.md 5.2 (lenient versions: a leading v, missing parts are 0; the table of constraints). */
#ifndef SERIN_BASE_SEMVER_H
#define SERIN_BASE_SEMVER_H

#include "base/arena.h"
#include "base/err.h"

struct semver {
    uint64_t major, minor, patch;
    const char *pre, *meta; /* "" where there is none */
};

/* False if the whole text is no version, or a part does not fit into 64 bits. */
bool semver_parse(struct arena *mem, const char *text, struct semver *out);
/* By precedence (semver.org 2.0, 11): below, at or above 0. Metadata do not count. */
int semver_compare(const struct semver *a, const struct semver *b);

struct semver_range;

/* The table of 5.2; blank text is any release. ERR_INVALID: what is wrong with it, and where. At most 4096 bytes and 256
 * conditions (ERR_LIMIT). */
MUST_USE struct err *semver_range_parse(struct arena *mem, const char *text,
                                        struct semver_range **out);
bool semver_range_matches(const struct semver_range *range, const struct semver *version);

#endif
