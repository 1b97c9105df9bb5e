/* canary/notify/alert.h - alerts to Slack, MS Teams, Discord, Rocket.Chat and Google Chat.
 * Effects:   network through io/http, in the background, in order for each canary.
 * Ownership: everything is copied. Addresses and tokens are in no text.
 * Units:     milliseconds.
 * Reference: canary.md 11. */
#ifndef SERIN_CANARY_NOTIFY_ALERT_H
#define SERIN_CANARY_NOTIFY_ALERT_H

#include "canary/canary.h"
#include "canary/live.h"
#include "canary/step.h"
#include "io/http.h"

struct alert {
    enum canary_severity severity;
    const char *message;
    bool has_fields; /* the "meta" of 11.1 */
};

struct alert_receiver {
    const char *type; /* slack, msteams, discord, rocket, gchat */
    const char *url, *token, *proxy, *channel, *username;
};

/* Pure: the request for one receiver. ERR_INVALID with the texts of 11.3. */
struct alert_message {
    const char *url, *body;
};
MUST_USE struct err *alert_format(struct arena *mem, const struct canary *canary,
                                  const struct canary_settings *settings, const struct alert *alert,
                                  const struct alert_receiver *receiver, struct alert_message *out);
/* Pure: keys of AlertProviders, and then of their Secrets. */
void alert_wants(const struct canary *canary, const struct live *live, struct live_wants *out);

struct alerts;
struct alerts_opts {
    struct loop *loop;
    struct http *http;
    const struct log *log;
    const struct canary_settings *settings;
    const struct alert_receiver *global; /* NULL: none; copied */
};
struct alerts *alerts_new(const struct alerts_opts *opts);
void alerts_free(struct alerts *alerts);
DEFINE_SCOPED(struct alerts, alerts_free)

/* By the routing of 11.2. */
void alert_send(struct alerts *alerts, const struct canary *canary, const struct live *live,
                const struct alert *alert);

#endif
