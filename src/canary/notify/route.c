#include "canary/notify/route.h"

#include <ctype.h>
#include <string.h>

#include "base/hash.h"

#define PROVIDER_KIND "AlertProvider"

/* -- what is read ------------------------------------------------------------------------------- */

static const struct val *find_provider(const struct live *live, const struct canary_alert *entry)
{
    return live_find(live, CANARY_API_VERSION, PROVIDER_KIND, entry->provider_ns,
                     entry->provider_name);
}

/* "" when the provider names none. */
static const char *secret_of(const struct val *provider)
{
    return val_text_or(VAL_PATH(provider, "spec", "secretRef", "name"), "");
}

void notify_wants(const struct canary *canary, const struct live *live, struct live_wants *out)
{
    for (size_t i = 0; i < canary->analysis.alerts_len; i++) {
        const struct canary_alert *entry = &canary->analysis.alerts[i];
        live_want(out, &(struct live_key){ .api_version = CANARY_API_VERSION,
                                           .kind = PROVIDER_KIND,
                                           .ns = entry->provider_ns,
                                           .name = entry->provider_name,
                                           .is_source = true });
        const char *secret = secret_of(find_provider(live, entry));
        if (*secret)
            live_want(out, &(struct live_key){ .api_version = "v1",
                                               .kind = "Secret",
                                               .ns = entry->provider_ns,
                                               .name = secret,
                                               .form = LIVE_SECRET,
                                               .is_source = true });
    }
}

/* -- one entry ---------------------------------------------------------------------------------- */

static bool is_meant(enum canary_severity entry, enum canary_severity alert)
{
    return entry == CANARY_INFO || entry == alert ||
           (entry == CANARY_WARN && alert == CANARY_ERROR);
}

/* Why an object is not there, as the API server would say it. */
static const char *absence(struct arena *mem, enum live_state state, const char *resource,
                           const char *name)
{
    switch (state) {
    case LIVE_UNKNOWN: return arena_printf(mem, "%s \"%s\" was not read yet", resource, name);
    case LIVE_NO_KIND: return arena_printf(mem, "the server has no %s", resource);
    case LIVE_ABSENT:
    case LIVE_HERE: break;
    }
    return arena_printf(mem, "%s \"%s\" not found", resource, name);
}

/* A key of a Secret without the white space at its ends, which no address or token has; "" if absent. */
static struct err *read_key(struct arena *mem, const struct val *secret, const char *key,
                            const char **out)
{
    unsigned char *bytes;
    size_t len;
    const char *text = val_text_or(VAL_PATH(secret, "data", key), "");
    *out = "";
    TRY(hash_base64_parse(mem, text, strlen(text), &bytes, &len));
    while (len > 0 && isspace(bytes[len - 1]))
        len--;
    size_t start = 0;
    while (start < len && isspace(bytes[start]))
        start++;
    *out = arena_strndup(mem, (const char *)bytes + start, len - start);
    return NULL;
}

/* NULL, or the rest of the log line. */
static const char *read_secret(struct arena *mem, const struct live *live, const char *ns,
                               const char *name, struct alert_receiver *out)
{
    const struct val *secret = live_find(live, "v1", "Secret", ns, name);
    if (!secret)
        return arena_printf(
            mem, "secretRef error: %s",
            absence(mem, live_state(live, "v1", "Secret", ns, name), "secrets", name));
    SCOPED(err_free) struct err *bad = read_key(mem, secret, "address", &out->url);
    SCOPED(err_free) struct err *bad_token = read_key(mem, secret, "token", &out->token);
    if (bad || bad_token)
        return arena_printf(mem, "secretRef error: %s: %s", bad ? "address" : "token",
                            err_text(bad ? bad : bad_token));
    return *out->url ? NULL : "secret does not contain an address";
}

void notify_route(struct arena *mem, const struct canary_alert *entry, const struct live *live,
                  enum canary_severity severity, struct alert_route *out)
{
    *out = (struct alert_route){ 0 };
    if (!is_meant(entry->severity, severity))
        return;
    const struct val *provider = find_provider(live, entry), *spec = val_get(provider, "spec");
    const char *why = NULL;
    if (!provider) {
        enum live_state state = live_state(live, CANARY_API_VERSION, PROVIDER_KIND,
                                           entry->provider_ns, entry->provider_name);
        why = arena_printf(mem, "error: %s",
                           absence(mem, state, "alertprovider.flagger.app", entry->provider_name));
    } else {
        out->receiver = (struct alert_receiver){
            .type = val_text_or(val_get(spec, "type"), ""),
            .url = val_text_or(val_get(spec, "address"), ""),
            .token = "",
            .proxy = val_text_or(val_get(spec, "proxy"), ""),
            .channel = val_text_or(val_get(spec, "channel"), ""),
            .username = val_text_or(val_get(spec, "username"), ""),
        };
        if (*secret_of(provider))
            why = read_secret(mem, live, entry->provider_ns, secret_of(provider), &out->receiver);
    }
    if (why) {
        out->fault = arena_printf(mem, "alert provider %s.%s %s", entry->provider_name,
                                  entry->provider_ns, why);
        return;
    }
    if (!*out->receiver.channel)
        out->receiver.channel = "general";
    if (!*out->receiver.username)
        out->receiver.username = "flagger";
    out->is_sent = *out->receiver.url != '\0';
}
