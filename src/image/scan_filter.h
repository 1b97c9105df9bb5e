/* image/scan_filter.h - which repositories of images may be scanned at all.
 * Effects:   none.
 * Ownership: answers are static texts.
 * Reference: gitops.md 5.5. */
#ifndef SERIN_IMAGE_SCAN_FILTER_H
#define SERIN_IMAGE_SCAN_FILTER_H

#include "image/scans.h"

/* By canonical name; NULL: it may. */
const char *scan_filter_why_not(const struct image_scans_opts *opts, const char *name);
bool scan_filter_matches(const char *const *globs, const char *name); /* globs: NULL is none */

#endif
