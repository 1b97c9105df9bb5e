/* canary/notify/payload.h - what is sent to webhooks and chats.
 * Effects:   none.
 * Ownership: in the caller's arena.
 * Units:     Unix milliseconds.
 * Errors:    ERR_INVALID with the texts of 11.3, without the address that is wrong: it is a secret.
 * Reference: canary.md 10.1, 10.4, 11.1, 11.3. */
#ifndef SERIN_CANARY_NOTIFY_PAYLOAD_H
#define SERIN_CANARY_NOTIFY_PAYLOAD_H

#include "canary/canary.h"

/* Of an event hook. */
struct hook_event {
    const char *message;
    bool is_warning;
    int64_t time_ms;
};
/* The body of 10.1; with `event` (may be NULL) that of 10.4. `metadata` may be NULL. */
const char *notify_hook_body(struct arena *mem, const struct canary *canary, const char *phase,
                             const struct val *metadata, const struct hook_event *event);

struct alert {
    enum canary_severity severity;
    const char *message;
    bool has_fields; /* the "meta" of 11.1 */
};

struct alert_receiver {
    const char *type; /* slack, msteams, discord, rocket, gchat */
    const char *url, *token, *proxy, *channel, *username; /* "" for none */
};

struct alert_message {
    const char *url, *body;
    const char *token; /* goes into the Authorization header; "" none */
};
MUST_USE struct err *notify_alert_message(struct arena *mem, const struct canary *canary,
                                          const struct canary_settings *settings,
                                          const struct alert *alert,
                                          const struct alert_receiver *receiver,
                                          struct alert_message *out);

#endif
