/* canary/notify/hook.h - webhooks: payload, request with its retries, verdict.
 * Effects:   network through io/http.
 * Ownership: everything is copied; the outcome is borrowed for the callback.
 * Units:     milliseconds.
 * Reference: canary.md 10. */
#ifndef SERIN_CANARY_NOTIFY_HOOK_H
#define SERIN_CANARY_NOTIFY_HOOK_H

#include "canary/step.h"
#include "io/http.h"

/* The body of 10.1. `event` (10.4) may be NULL. */
struct hook_event {
    const char *message;
    bool is_warning;
    int64_t time_ms;
};
const char *hook_payload(struct arena *mem, const struct canary *canary, const char *phase,
                         const struct val *metadata, const struct hook_event *event);

struct hooks;
struct hooks_opts {
    struct loop *loop;
    struct http *http;
    const struct log *log;
    const char *event_url; /* --event-webhook; "" or NULL: none */
};
struct hooks *hooks_new(const struct hooks_opts *opts);
void hooks_free(
    struct hooks *hooks); /* callbacks that are due are not called; events that wait are lost */
DEFINE_SCOPED(struct hooks, hooks_free)

typedef void (*hook_done)(void *ctx, const struct canary_outcome *outcome);
/* One gate or check with its attempts; done comes once, in a later turn. */
ticket hook_start(struct hooks *hooks, const struct canary *canary, size_t index, const char *phase,
                  hook_done done, void *ctx);
void hook_cancel(struct hooks *hooks, ticket hook);

/* To all event hooks of the canary, or to the global one: in order for each canary, in the background, at most 1,000 waiting
 * a canary (older ones are dropped and logged). */
void hook_report(struct hooks *hooks, const struct canary *canary, const char *phase,
                 const struct hook_event *event);
size_t hooks_waiting(const struct hooks *hooks); /* reports not delivered yet */

#endif
