/* base/duration.h - durations in Go's syntax: 300ms, 20s, 5m, 1h30m, 1.5h, -2s, 0.
 * Effects:   none.
 * Ownership: none.
 * Units:     milliseconds; finer parts are rounded to the nearest. */
#ifndef SERIN_BASE_DURATION_H
#define SERIN_BASE_DURATION_H

#include "base/base.h"
#include "base/err.h"

#define DURATION_TEXT_BYTES 32

/* ERR_INVALID with Go's own text: time: invalid duration "often", time: missing unit in duration "5", ... */
MUST_USE struct err *duration_parse(const char *text, int64_t *out_ms);
void duration_format(int64_t ms,
                     char out[DURATION_TEXT_BYTES]); /* as Go: 1h30m0s, 5m0s, 1.5s, 300ms, 0s */

#endif
