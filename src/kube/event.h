/* kube/event.h - Kubernetes Events, written as client-go's recorder writes them.
 * Effects:   network, in the background: an event that cannot be written is logged, never an error.
 * Ownership: texts are copied.
 * The same event again within ten minutes is counted (PATCH of count and lastTimestamp); more than ten alike (all but the
 * message) are combined into one "(combined from similar events): …"; 25 at once and one per five minutes after that for one
 * object. Messages are cut at 1024 bytes. */
#ifndef SERIN_KUBE_EVENT_H
#define SERIN_KUBE_EVENT_H

#include "kube/client.h"

struct kube_events;

struct kube_events_opts {
    struct kube *kube;
    struct loop *loop;
    const struct log *log;
    const char *component; /* source.component and reportingComponent */
    const char *host;      /* source.host, may be "" */
};

struct kube_events *kube_events_new(const struct kube_events_opts *opts);
void kube_events_free(struct kube_events *events);
DEFINE_SCOPED(struct kube_events, kube_events_free)

struct kube_event {
    const char *api_version, *kind, *ns, *name, *uid, *resource_version; /* the object; uid, resource_version may be "" */
    bool is_warning;
    const char *reason, *message;
};

void kube_event_record(struct kube_events *events, const struct kube_event *event);

#endif
