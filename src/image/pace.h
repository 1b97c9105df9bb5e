/* image/pace.h - how often one registry may be asked.
 * Effects:   none (pure).
 * Ownership: a value.
 * Units:     requests per second; milliseconds of the monotonic clock.
 * Reference: gitops.md 5.5 (token bucket, halved by a 429, slowly recovered). */
#ifndef SERIN_IMAGE_PACE_H
#define SERIN_IMAGE_PACE_H

#include "base/base.h"

struct pace {
    double full_rps, rps, tokens;
    int burst;
    int64_t at_ms;      /* when `tokens` was true */
    int64_t reduced_ms; /* when the rate was last reduced; -1: never */
    int64_t until_ms;   /* nothing before */
};

/* A rate that is no number above 0 is the least one there is; a burst is at least 1. */
struct pace pace_of(double rps, int burst, int64_t now_ms);

/* 0: one request may go now, and is counted; else so many milliseconds to wait before asking again. */
int64_t pace_take(struct pace *pace, int64_t now_ms);
/* A 429: half the rate, and nothing before what it said (-1: it did not say). `is_first`: of this scan; only then the rate changes. */
void pace_refused(struct pace *pace, int64_t now_ms, int64_t retry_after_ms, bool is_first);
/* A scan that went through. */
void pace_recover(struct pace *pace, int64_t now_ms);

#endif
