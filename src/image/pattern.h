/* image/pattern.h - which tags a policy wants, and which of two is newer.
 * Effects:   none (pure).
 * Ownership: a pattern is in the caller's arena.
 * Reference: gitops.md 5.2. */
#ifndef SERIN_IMAGE_PATTERN_H
#define SERIN_IMAGE_PATTERN_H

#include "image/info.h"

struct image_pattern;

#define IMAGE_PATTERN_BYTES_MAX ((size_t)4096)

/* NULL or "" is glob:*. The tag latest, in any case, is matched by no pattern but glob:latest. ERR_INVALID:
 * `invalid tag pattern: "<text>"`, and why. */
MUST_USE struct err *image_pattern_parse(struct arena *mem, const char *text,
                                         struct image_pattern **out);

const char *
image_pattern_text(const struct image_pattern *pattern); /* canonical: with its prefix */
bool image_pattern_matches(const struct image_pattern *pattern, const char *tag);
/* NULL, or why what it matched is not to be relied on: an expression that takes too long over as many tags matches none of the rest. In
 * the arena; as the error of image_pattern_parse. */
const char *image_pattern_problem(struct arena *mem, const struct image_pattern *pattern);
/* By time of creation (glob, regexp), so that tags without are of no use? */
bool image_pattern_needs_times(const struct image_pattern *pattern);

/* The tags that match, newest first, without those that no platform of ours can run; NULL-terminated, in the arena; `count` may be
 * NULL. Tags that are not known yet are among them: those without a time come last where times decide. */
const struct image_info **image_pattern_select(struct arena *mem,
                                               const struct image_pattern *pattern,
                                               const struct image_repo *repo, size_t *count);
/* Of those that it selected: the first one whose missing metadata leave open which is the newest; NULL: it is the first, if there is one.
 * Times decide between all that match; of versions only the newest has to be known. */
const struct image_info *image_pattern_missing(const struct image_pattern *pattern,
                                               const struct image_info *const *selected,
                                               size_t count);
/* All tags in the pattern's order, matching or not (what list-images shows). */
const struct image_info **image_pattern_sort(struct arena *mem, const struct image_pattern *pattern,
                                             const struct image_repo *repo, size_t *count);

#endif
