/* kube/retry.h - whether a request is sent again, and when.
 * Effects:   none. Pure: times and random numbers are arguments.
 * Ownership: none.
 * Units:     milliseconds. */
#ifndef SERIN_KUBE_RETRY_H
#define SERIN_KUBE_RETRY_H

#include "kube/status.h"

#define KUBE_BACKOFF_MAX_MS ((int64_t)32000)

/* base, 2 x base, 4 x base ... for failures 1, 2, 3 ..., at most KUBE_BACKOFF_MAX_MS; then between half of that and all
 * of it, so that many clients do not come back at once. */
int64_t kube_backoff_ms(int failures, int64_t base_ms, uint32_t random);

/* Whether sending it twice does no more than sending it once: GET, DELETE and server-side apply. */
bool kube_may_repeat(const char *method, const char *content_type);

struct kube_retry_view {
    int status; /* 0: no answer came */
    enum kube_refusal refusal;
    bool is_lost; /* no answer, and the connection or the time is why */
    bool may_repeat;
    int tried, attempts;
    int64_t retry_after_ms; /* -1: not said */
    int64_t left_ms;        /* until the request's own deadline */
    int64_t base_ms;
    uint32_t random;
};

struct kube_retry {
    int64_t after_ms; /* -1: not again */
    bool
        pauses_all; /* the server as a whole wants to be left alone until then, or cannot be reached */
};

struct kube_retry kube_retry_decide(const struct kube_retry_view *view);

#endif
