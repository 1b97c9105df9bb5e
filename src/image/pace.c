#include "image/pace.h"

#define LEAST_RPS    0.1
#define GROWTH       1.5
#define CALM_MS      ((int64_t)1200 * 1000) /* after a reduction the rate does not grow so long */
#define UNSAID_MS    ((int64_t)1000)        /* a pause where a 429 names none */
#define PAUSE_MAX_MS ((int64_t)24 * 3600 * 1000)

struct pace pace_of(double rps, int burst, int64_t now_ms)
{
    double rate = rps >= LEAST_RPS ? rps : LEAST_RPS;
    return (struct pace){ .full_rps = rate,
                          .rps = rate,
                          .burst = MAX_OF(burst, 1),
                          .tokens = MAX_OF(burst, 1),
                          .at_ms = now_ms,
                          .reduced_ms = -1 };
}

static void refill(struct pace *pace, int64_t now_ms)
{
    if (now_ms <= pace->at_ms)
        return;
    double more = pace->rps * (double)(now_ms - pace->at_ms) / 1000;
    pace->tokens = MIN_OF(pace->tokens + more, (double)pace->burst);
    pace->at_ms = now_ms;
}

int64_t pace_take(struct pace *pace, int64_t now_ms)
{
    refill(pace, now_ms);
    if (now_ms < pace->until_ms)
        return pace->until_ms - now_ms;
    if (pace->tokens >= 1) {
        pace->tokens -= 1;
        return 0;
    }
    return (int64_t)((1 - pace->tokens) * 1000 / pace->rps) + 1;
}

void pace_refused(struct pace *pace, int64_t now_ms, int64_t retry_after_ms, bool is_first)
{
    refill(pace, now_ms);
    int64_t pause_ms = retry_after_ms < 0 ? UNSAID_MS : MIN_OF(retry_after_ms, PAUSE_MAX_MS);
    pace->until_ms = MAX_OF(pace->until_ms, now_ms + pause_ms);
    pace->tokens = MIN_OF(pace->tokens, 1);
    if (!is_first)
        return;
    pace->rps = MAX_OF(pace->rps / 2, LEAST_RPS);
    pace->reduced_ms = now_ms;
}

void pace_recover(struct pace *pace, int64_t now_ms)
{
    if (pace->reduced_ms >= 0 && now_ms - pace->reduced_ms < CALM_MS)
        return;
    pace->rps = MIN_OF(pace->rps * GROWTH, pace->full_rps);
}
