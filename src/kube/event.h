/* kube/event.h - Kubernetes Events, written as client-go's recorder writes them.
 * Effects:   network, in the background, four at a time, those of one object in order: an event that cannot be written is
 *            logged, never an error.
 * Ownership: texts are copied. Borrows kube, loop, log.
 * The same event again is counted (PATCH of count, lastTimestamp and message); ten different messages of one object, type and
 * reason within ten minutes make the later ones one "(combined from similar events): …"; 25 at once and one per five minutes
 * after that for one object. Messages are cut at 1024 bytes. Rules: kube/correlate.h. While the API server cannot be reached
 * an event is tried twelve times, ten seconds apart, and at most 5,000 wait. */
#ifndef SERIN_KUBE_EVENT_H
#define SERIN_KUBE_EVENT_H

#include "kube/client.h"
#include "kube/correlate.h"

struct kube_events;

struct kube_events_opts {
    struct kube *kube;
    struct loop *loop;
    const struct log *log;
    const char *component; /* source.component and reportingComponent */
    const char *host;      /* source.host, may be "" */
    int64_t retry_ms;      /* default 10 s */
};

struct kube_events *kube_events_new(const struct kube_events_opts *opts);
void kube_events_free(struct kube_events *events); /* what waits is not written */
DEFINE_SCOPED(struct kube_events, kube_events_free)

void kube_event_record(struct kube_events *events, const struct kube_event *event);
size_t kube_events_waiting(const struct kube_events *events); /* not written yet */

#endif
