/* canary/notify/alert.h - alerts to Slack, MS Teams, Discord, Rocket.Chat and Google Chat.
 * Effects:   network through io/http, in the background, in order for each canary.
 * Ownership: everything is copied. Addresses and tokens are in no text.
 * Units:     milliseconds.
 * Reference: canary.md 11. */
#ifndef SERIN_CANARY_NOTIFY_ALERT_H
#define SERIN_CANARY_NOTIFY_ALERT_H

#include "canary/notify/payload.h"
#include "canary/notify/route.h"
#include "io/http.h"

struct alerts;
struct alerts_opts {
    struct loop *loop;
    struct http *http;
    const struct log *log;
    const struct canary_settings *settings;
    const struct alert_receiver *global; /* NULL: none; copied */
};
struct alerts *alerts_new(const struct alerts_opts *opts);
void alerts_free(struct alerts *alerts); /* what waits is lost */
DEFINE_SCOPED(struct alerts, alerts_free)

/* By the routing of 11.2; what `live` lacks is logged. */
void alert_send(struct alerts *alerts, const struct canary *canary, const struct live *live,
                const struct alert *alert);
size_t alerts_waiting(const struct alerts *alerts); /* not delivered yet */

#endif
