#include "cmd/canary_config.h"

#include <string.h>

#include "base/vec.h"
#include "cmd/home.h"

/* At each comma; blanks stay, as in Flagger. An empty text is an empty list. */
static const char *const *split(struct arena *mem, const char *text)
{
    VEC(const char *) list = { 0 };
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, ",");
        *vec_push(mem, &list) = arena_strndup(mem, at, len);
        at += len + (at[len] == ',');
    }
    *vec_push(mem, &list) = NULL;
    return list.at;
}

/* The environment goes before the flag. */
static const char *text_of(const struct flags *flags, const char *flag, const char *variable)
{
    const char *value = home_env(variable);
    return value ? value : flags_text(flags, flag);
}

/* Teams, where both are given. */
static void read_notifier(const struct flags *flags, struct canary_config *out)
{
    const char *slack = text_of(flags, "slack-url", "SLACK_URL");
    const char *teams = text_of(flags, "msteams-url", "MSTEAMS_URL");
    const char *channel = flags_text(flags, "slack-channel");
    out->has_notifier = *teams || (*slack && *channel);
    if (*slack && !*teams && !*channel)
        out->notifier_fault = "Notifier empty Slack channel";
    if (*teams)
        out->notifier = (struct alert_receiver){ .type = "msteams",
                                                 .url = teams,
                                                 .token = "",
                                                 .proxy = text_of(flags, "msteams-proxy-url",
                                                                  "MSTEAMS_PROXY_URL"),
                                                 .channel = channel,
                                                 .username = flags_text(flags, "slack-user") };
    else if (out->has_notifier)
        out->notifier =
            (struct alert_receiver){ .type = "slack",
                                     .url = slack,
                                     .token = text_of(flags, "slack-token", "SLACK_TOKEN"),
                                     .proxy = text_of(flags, "slack-proxy-url", "SLACK_PROXY_URL"),
                                     .channel = channel,
                                     .username = flags_text(flags, "slack-user") };
}

void canary_config_read(struct arena *mem, const struct flags *flags, struct canary_config *out)
{
    const char *mesh = flags_text(flags, "kubeconfig-service-mesh");
    *out = (struct canary_config){
        .settings = { .mesh_provider = flags_text(flags, "mesh-provider"),
                      .metrics_server = flags_text(flags, "metrics-server"),
                      .selector_labels = split(mem, flags_text(flags, "selector-labels")),
                      .include_label_prefixes =
                          split(mem, flags_text(flags, "include-label-prefix")),
                      .ingress_prefix = flags_text(flags, "ingress-annotations-prefix"),
                      .ingress_class = flags_text(flags, "ingress-class"),
                      .cluster_name = flags_text(flags, "cluster-name"),
                      .tracks_configs = flags_bool(flags, "enable-config-tracking"),
                      .no_cross_namespace = flags_bool(flags, "no-cross-namespace-refs") },
        .event_webhook = text_of(flags, "event-webhook", "EVENT_WEBHOOK_URL"),
        .mesh_kubeconfig = *mesh ? mesh : NULL,
    };
    read_notifier(flags, out);
}
