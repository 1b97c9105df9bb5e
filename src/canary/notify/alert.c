#include "canary/notify/alert.h"

#include <stdlib.h>
#include <string.h>

#include "canary/notify/outbox.h"
#include "canary/notify/verdict.h"

struct alerts {
    const struct log *log;
    const struct canary_settings *settings;
    bool has_global;
    struct alert_receiver global; /* copies */
    struct outbox *outbox;
};

/* One alert on its way to its receivers. */
struct mailing {
    struct alerts *alerts;
    struct arena *mem;
    const struct canary *canary;
    const struct alert *alert;
    const char *title;
};

static void log_fault(const struct mailing *mailing, const char *fault)
{
    log_error(mailing->alerts->log, F("component", "notify"), F("canary", mailing->title),
              F("err", fault));
}

/* `lead` is of the log line when the alert cannot be sent. One queue for all receivers of a canary: they are told in the order of
 * its list, as one after the other in Flagger. */
static void put(const struct mailing *mailing, const struct alert_receiver *receiver,
                const char *lead)
{
    struct alerts *alerts = mailing->alerts;
    struct arena *mem = mailing->mem;
    struct alert_message message;
    SCOPED(err_free)
    struct err *e = notify_alert_message(mem, mailing->canary, alerts->settings, mailing->alert,
                                         receiver, &message);
    if (e) {
        log_fault(mailing, arena_printf(mem, "%s%s", lead, err_text(e)));
        return;
    }
    outbox_put(alerts->outbox, &(struct outbox_letter){
                                   .key = mailing->title,
                                   .from = mailing->title,
                                   .lead = lead,
                                   .post = { .rules = POST_ALERT,
                                             .url = message.url,
                                             .body = message.body,
                                             .token = message.token,
                                             .proxy = *receiver->proxy ? receiver->proxy : NULL,
                                             .timeout_ms = VERDICT_ALERT_MS },
                               });
}

static void send_entry(const struct mailing *mailing, const struct canary_alert *entry,
                       const struct live *live)
{
    struct arena *mem = mailing->mem;
    struct alert_route route;
    notify_route(mem, entry, live, mailing->alert->severity, &route);
    if (route.fault)
        log_fault(mailing, route.fault);
    if (!route.is_sent)
        return;
    const char *name = arena_printf(mem, "%s.%s", entry->provider_name, entry->provider_ns);
    put(mailing, &route.receiver, arena_printf(mem, "alert provider %s send error: ", name));
}

void alert_send(struct alerts *alerts, const struct canary *canary, const struct live *live,
                const struct alert *alert)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct mailing mailing = { .alerts = alerts,
                               .mem = mem,
                               .canary = canary,
                               .alert = alert,
                               .title = arena_printf(mem, "%s.%s", canary->name, canary->ns) };
    for (size_t i = 0; i < canary->analysis.alerts_len; i++)
        send_entry(&mailing, &canary->analysis.alerts[i], live);
    if (canary->analysis.alerts_len == 0 && alerts->has_global)
        put(&mailing, &alerts->global, "alert can't be sent: ");
}

size_t alerts_waiting(const struct alerts *alerts)
{
    return outbox_waiting(alerts->outbox);
}

/* -- all of them -------------------------------------------------------------------------------- */

static struct alert_receiver copy_receiver(const struct alert_receiver *from)
{
    return (struct alert_receiver){
        .type = base_copy_text(from->type),
        .url = base_copy_text(from->url),
        .token = base_copy_text(from->token ? from->token : ""),
        .proxy = base_copy_text(from->proxy ? from->proxy : ""),
        .channel = base_copy_text(from->channel ? from->channel : ""),
        .username = base_copy_text(from->username ? from->username : ""),
    };
}

struct alerts *alerts_new(const struct alerts_opts *opts)
{
    struct alerts *alerts = base_alloc(sizeof(*alerts));
    *alerts = (struct alerts){
        .log = opts->log,
        .settings = opts->settings,
        .has_global = opts->global != NULL,
        .outbox = outbox_new(&(struct outbox_opts){
            .loop = opts->loop, .http = opts->http, .log = opts->log, .what = "alerts" }),
    };
    if (opts->global)
        alerts->global = copy_receiver(opts->global);
    return alerts;
}

void alerts_free(struct alerts *alerts)
{
    if (!alerts)
        return;
    const struct alert_receiver *global = &alerts->global;
    const char *const texts[] = { global->type,  global->url,     global->token,
                                  global->proxy, global->channel, global->username };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free((char *)texts[i]); /* copies made by copy_receiver */
    outbox_free(alerts->outbox);
    free(alerts);
}
