/* base/time.h - times as text. Nothing here reads a clock.
 * Effects:   none.
 * Ownership: results are written into the caller's buffer.
 * Units:     nanoseconds or milliseconds since 1970-01-01T00:00:00Z, as the name says. */
#ifndef SERIN_BASE_TIME_H
#define SERIN_BASE_TIME_H

#include "base/base.h"
#include "base/err.h"

#define TIME_TEXT_BYTES 40

/* 2026-11-21T09:55:55Z: seconds only, as Kubernetes writes metav1.Time. */
void time_format_seconds(int64_t unix_ms, char out[TIME_TEXT_BYTES]);
/* 2026-11-21T09:55:55.123456Z: microseconds, always six digits, as metav1.MicroTime. */
void time_format_micros(int64_t unix_ns, char out[TIME_TEXT_BYTES]);
/* RFC 3339 with nanoseconds, trailing zeros trimmed, as Go's RFC3339Nano. */
void time_format_nanos(int64_t unix_ns, char out[TIME_TEXT_BYTES]);
/* Any RFC 3339 time, with offset and fraction; what 64 bits of nanoseconds cannot hold (years before 1678, after 2261;
 * Go's zero time among them) becomes the nearest they can. ERR_INVALID says what is wrong. */
MUST_USE struct err *time_parse(const char *text, int64_t *out_ns);

/* A Retry-After header in milliseconds: seconds, or an HTTP date against now_unix_ms. -1: NULL or neither; a day at most. */
#define TIME_RETRY_AFTER_MAX_MS ((int64_t)24 * 3600 * 1000)
int64_t time_parse_retry_after(const char *text, int64_t now_unix_ms);

#endif
