/* canary/notify/hook.h - webhooks: the request with its attempts, and the reports of event hooks.
 * Effects:   network through io/http.
 * Ownership: everything is copied; the outcome is borrowed for the callback.
 * Units:     milliseconds.
 * Reference: canary.md 10. */
#ifndef SERIN_CANARY_NOTIFY_HOOK_H
#define SERIN_CANARY_NOTIFY_HOOK_H

#include "canary/notify/payload.h"
#include "canary/step.h"
#include "io/http.h"

struct hooks;
struct hooks_opts {
    struct loop *loop;
    struct http *http;
    const struct log *log;
    const char *event_url; /* --event-webhook; "" or NULL: none */
    int64_t delay_ms; /* before the second attempt, doubled for each further one; default 1 s */
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

/* To all event hooks of the canary, or to the global one: in the background, in order for each canary and hook. At most 1,000
 * wait for a hook of a canary, and 8 MiB in all: older ones are dropped and logged. */
void hook_report(struct hooks *hooks, const struct canary *canary, const char *phase,
                 const struct hook_event *event);
size_t hooks_waiting(const struct hooks *hooks); /* reports not delivered yet */

#endif
