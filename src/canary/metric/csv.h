/* canary/metric/csv.h - rows of comma-separated values (RFC 4180).
 * Effects:   none.
 * Ownership: cells are in the caller's arena. */
#ifndef SERIN_CANARY_METRIC_CSV_H
#define SERIN_CANARY_METRIC_CSV_H

#include "base/vec.h"

struct csv_row {
    const char **at;
    size_t len, cap; /* an empty line has no cells */
};

struct csv {
    const char *at, *end;
};

/* The next row; false at the end of the text. `fault` is set when a quote is not closed, or something follows it. */
bool csv_next(struct arena *mem, struct csv *csv, struct csv_row *out, const char **fault);

#endif
