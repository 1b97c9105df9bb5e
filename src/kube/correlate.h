/* kube/correlate.h - which event is written, counted, combined with its like, or dropped: the rules of client-go's recorder.
 * Effects:   none. Pure but for the memory of the correlator; the time is an argument.
 * Ownership: the correlator keeps fingerprints and counts, never texts of events; results are in the caller's arena and
 *            borrow from the event.
 * Units:     nanoseconds and milliseconds since 1970.
 *
 * In this order: ten different messages with the same object, type and reason within ten minutes of each other make the
 * tenth and later ones a combined event; an event seen before is counted; what is left passes a bucket of 25 for each object
 * that gets one more every five minutes. Each memory holds the 4,096 last used. */
#ifndef SERIN_KUBE_CORRELATE_H
#define SERIN_KUBE_CORRELATE_H

#include "base/arena.h"
#include "base/base.h"

#define KUBE_EVENT_COMBINE_FROM      10
#define KUBE_EVENT_COMBINE_WINDOW_MS ((int64_t)600 * 1000)
#define KUBE_EVENT_BURST             25
#define KUBE_EVENT_REFILL_MS         ((int64_t)300 * 1000)
#define KUBE_EVENT_REMEMBERED        ((size_t)4096)
#define KUBE_EVENT_MESSAGE_MAX       ((size_t)1024)

struct kube_event {
    const char *api_version, *kind, *ns, *name, *uid,
        *resource_version; /* the object; uid, resource_version may be "" */
    bool is_warning;
    const char *reason, *message;
};

struct kube_correlator;
struct kube_correlator *kube_correlator_new(void);
void kube_correlator_free(struct kube_correlator *correlator);
DEFINE_SCOPED(struct kube_correlator, kube_correlator_free)

struct kube_correlated {
    bool is_dropped; /* too many of this object's: nothing else is set */
    bool is_again;   /* counted: PATCH the event of that name; else it is a new one */
    const char *name, *message;
    int64_t count, first_ms, last_ms;
};

void kube_correlate(struct kube_correlator *correlator, struct arena *mem,
                    const struct kube_event *event, int64_t now_ns, struct kube_correlated *out);

/* The message as it may be written: at most KUBE_EVENT_MESSAGE_MAX bytes, not cut within a character. */
const char *kube_event_cut(struct arena *mem, const char *message);

#endif
