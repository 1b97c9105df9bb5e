/* image/scan_metrics.h - what scans of registries count.
 * Effects:   none.
 * Ownership: the families are the registry's.
 * Units:     seconds, bytes.
 * Reference: gitops.md 9 (the two of Flux). */
#ifndef SERIN_IMAGE_SCAN_METRICS_H
#define SERIN_IMAGE_SCAN_METRICS_H

#include "base/metrics.h"

struct scan_metrics { /* all NULL where nothing is counted */
    struct metric *scan_times, *fetch_times, *repo_count, *tag_count, *byte_count, *evictions;
};

void scan_metrics_init(struct scan_metrics *out, struct metrics *all); /* all: NULL is fine */

#endif
