/* canary/notify/route.h - who is told of an alert.
 * Effects:   none.
 * Ownership: in the caller's arena, borrowing from what is live.
 * Reference: canary.md 11.2. */
#ifndef SERIN_CANARY_NOTIFY_ROUTE_H
#define SERIN_CANARY_NOTIFY_ROUTE_H

#include "canary/live.h"
#include "canary/notify/payload.h"

/* The keys of a canary's AlertProviders, and once these are there of their Secrets. */
void notify_wants(const struct canary *canary, const struct live *live, struct live_wants *out);

/* What becomes of one entry of analysis.alerts. */
struct alert_route {
    bool is_sent;                   /* false: another severity, no address, or a fault */
    struct alert_receiver receiver; /* of what is sent */
    const char *fault;              /* the log line when the receiver is not known; NULL none */
};
void notify_route(struct arena *mem, const struct canary_alert *entry, const struct live *live,
                  enum canary_severity severity, struct alert_route *out);

#endif
