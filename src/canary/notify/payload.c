#include "canary/notify/payload.h"

#include <string.h>

#include "base/sbuf.h"
#include "canary/hash.h"

#define FIELDS_MAX 5

/* -- webhooks ----------------------------------------------------------------------------------- */

static struct val *event_metadata(struct arena *mem, const struct val *metadata,
                                  const struct hook_event *event)
{
    struct val *map = metadata ? val_copy_sharing(mem, metadata) : val_new_map(mem);
    val_set_text(mem, map, "eventMessage", event->message);
    val_set_text(mem, map, "eventType", event->is_warning ? "Warning" : "Normal");
    val_set_text(mem, map, "timestamp", arena_printf(mem, "%lld", (long long)event->time_ms));
    return map;
}

const char *notify_hook_body(struct arena *mem, const struct canary *canary, const char *phase,
                             const struct val *metadata, const struct hook_event *event)
{
    const struct canary_status *status = &canary->status;
    struct val *body = val_new_map(mem), *map = NULL;
    if (event)
        map = event_metadata(mem, metadata, event);
    else if (val_len(metadata) > 0)
        map = val_copy_sharing(mem, metadata);
    val_set_text(mem, body, "name", canary->name);
    val_set_text(mem, body, "namespace", canary->ns);
    val_set_text(mem, body, "phase", phase);
    val_set_text(mem, body, "checksum",
                 canary_hash_payload(mem, status->tracked, status->last_applied));
    if (map) {
        val_sort_keys(map);
        val_set(mem, body, "metadata", map);
    }
    return val_json(mem, body, NULL);
}

/* -- fields of an alert ------------------------------------------------------------------------- */

struct alert_field {
    const char *name, *value;
};
struct alert_fields {
    struct alert_field at[FIELDS_MAX];
    size_t len;
};

static void add_field(struct alert_fields *fields, const char *name, const char *value)
{
    if (value)
        fields->at[fields->len++] = (struct alert_field){ name, value };
}

static const char *routing_of(struct arena *mem, const struct canary_analysis *analysis)
{
    if (analysis->iterations > 0)
        return analysis->match ? "A/B Testing" : "Blue/Green";
    if (analysis->step_weight > 0)
        return arena_printf(mem, "Weight step: %lld max: %lld", (long long)analysis->step_weight,
                            (long long)analysis->max_weight);
    if (analysis->step_weights_len == 0)
        return NULL;
    SBUF(list, (size_t)CANARY_LIST_MAX * 12);
    for (size_t i = 0; i < analysis->step_weights_len; i++)
        sbuf_addf(&list, "%s%lld", i ? "," : "", (long long)analysis->step_weights[i]);
    return arena_printf(mem, "Weight steps: %s max: %lld", sbuf_text(&list),
                        (long long)analysis->max_weight);
}

static void collect_fields(struct arena *mem, const struct canary *canary,
                           const struct canary_settings *settings, const struct alert *alert,
                           struct alert_fields *out)
{
    if (settings->cluster_name && *settings->cluster_name)
        add_field(out, "Cluster", settings->cluster_name);
    if (!alert->has_fields)
        return;
    add_field(out, "Target",
              arena_printf(mem, "%s/%s.%s", canary->target.kind, canary->target.name, canary->ns));
    add_field(out, "Failed checks threshold",
              arena_printf(mem, "%lld", (long long)MAX_OF(canary->analysis.threshold, 1)));
    add_field(out, "Progress deadline",
              arena_printf(mem, "%llds", (long long)canary->progress_deadline_s));
    add_field(out, "Traffic routing", routing_of(mem, &canary->analysis));
}

/* -- bodies of the chats ------------------------------------------------------------------------ */

struct card {
    const char *title; /* NAME.NAMESPACE of the Canary */
    const struct alert *alert;
    const struct alert_receiver *receiver;
    struct alert_fields fields;
    const char *calm, *alarming; /* colours */
};

static const char *colour_of(const struct card *card)
{
    return card->alert->severity == CANARY_ERROR ? card->alarming : card->calm;
}

static struct val *list_of(struct arena *mem, struct val *item)
{
    struct val *list = val_new_list(mem);
    val_append(mem, list, item);
    return list;
}

/* Slack's own form, which Rocket.Chat and Discord take as well. */
static struct val *slack_body(struct arena *mem, const struct card *card)
{
    struct val *body = val_new_map(mem), *attachment = val_new_map(mem),
               *fields = val_new_list(mem);
    val_set_text(mem, body, "channel", card->receiver->channel);
    val_set_text(mem, body, "username", card->receiver->username);
    val_set_text(mem, body, "icon_url", "");
    val_set_text(mem, body, "icon_emoji", ":rocket:");
    val_set(mem, body, "attachments", list_of(mem, attachment));
    val_set_text(mem, attachment, "color", colour_of(card));
    val_set_text(mem, attachment, "author_name", card->title);
    val_set_text(mem, attachment, "text", card->alert->message);
    val_set(mem, attachment, "mrkdwn_in", list_of(mem, val_new_text(mem, "text")));
    val_set(mem, attachment, "fields", fields);
    for (size_t i = 0; i < card->fields.len; i++) {
        struct val *field = val_new_map(mem);
        val_set_text(mem, field, "title", card->fields.at[i].name);
        val_set_text(mem, field, "value", card->fields.at[i].value);
        val_set(mem, field, "short", val_new_bool(mem, false));
        val_append(mem, fields, field);
    }
    return body;
}

static struct val *teams_body(struct arena *mem, const struct card *card)
{
    struct val *body = val_new_map(mem), *section = val_new_map(mem), *facts = val_new_list(mem);
    val_set_text(mem, body, "@type", "MessageCard");
    val_set_text(mem, body, "@context", "http://schema.org/extensions");
    val_set_text(mem, body, "themeColor", colour_of(card));
    val_set_text(mem, body, "summary", card->title);
    val_set(mem, body, "sections", list_of(mem, section));
    val_set_text(mem, section, "activityTitle", card->alert->message);
    val_set_text(mem, section, "activitySubtitle", card->title);
    val_set(mem, section, "facts", facts);
    for (size_t i = 0; i < card->fields.len; i++) {
        struct val *fact = val_new_map(mem);
        val_set_text(mem, fact, "name", card->fields.at[i].name);
        val_set_text(mem, fact, "value", card->fields.at[i].value);
        val_append(mem, facts, fact);
    }
    return body;
}

/* A section of one paragraph; `lead` stands before the emphasised text. */
static struct val *chat_section(struct arena *mem, const char *lead, const char *text)
{
    struct val *section = val_new_map(mem), *widget = val_new_map(mem),
               *paragraph = val_new_map(mem);
    val_set(mem, section, "widgets", list_of(mem, widget));
    val_set(mem, widget, "textParagraph", paragraph);
    val_set_text(mem, paragraph, "text",
                 arena_printf(mem, "%s<font color=#848484><strong>%s</strong></font>", lead, text));
    return section;
}

static struct val *chat_body(struct arena *mem, const struct card *card)
{
    struct val *body = val_new_map(mem), *one = val_new_map(mem), *header = val_new_map(mem);
    struct val *sections = list_of(mem, chat_section(mem, "", card->alert->message));
    val_set(mem, body, "cards", list_of(mem, one));
    val_set(mem, one, "header", header);
    val_set_text(mem, header, "title", "Flagger");
    val_set_text(mem, header, "subtitle", card->title);
    val_set_text(mem, header, "imageUrl", "https://flagger.app/favicon.png");
    val_set(mem, one, "sections", sections);
    for (size_t i = 0; i < card->fields.len; i++) {
        const struct alert_field *field = &card->fields.at[i];
        val_append(mem, sections,
                   chat_section(mem, arena_printf(mem, "%s<br>", field->name), field->value));
    }
    return body;
}

/* -- kinds of chat ------------------------------------------------------------------------------ */

static const struct chat {
    const char *type, *label, *what; /* as the errors call it */
    bool has_names;                  /* username and channel are sent, so must be there */
    bool has_token;
    const char *suffix; /* of the path */
    const char *calm, *alarming;
    struct val *(*body)(struct arena *mem, const struct card *card);
} chats[] = {
    { "slack", "Slack", "hook", true, true, "", "good", "danger", slack_body },
    { "discord", "Discord", "hook", true, false, "/slack", "good", "danger", slack_body },
    { "rocket", "Rocket", "hook", true, false, "", "#0076D7", "#FF0000", slack_body },
    { "msteams", "MS Teams", "webhook", false, false, "", "0076D7", "FF0000", teams_body },
    { "gchat", "Google Chat", "webhook", false, false, "", "", "", chat_body },
};

static const struct chat *find_chat(const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(chats); i++)
        if (strcmp(chats[i].type, type) == 0)
            return &chats[i];
    return NULL;
}

static bool is_web_address(const char *url)
{
    const char *host = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : "";
    if (strcspn(host, "/?#") == 0)
        return false;
    for (const char *at = url; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return false;
    return true;
}

/* With the element at the end of its path, unless it is there; the query stays. */
static const char *with_suffix(struct arena *mem, const char *url, const char *suffix)
{
    size_t path = strcspn(url, "?#"), len = strlen(suffix);
    if (len == 0 || (path >= len && strncmp(url + path - len, suffix, len) == 0))
        return url;
    size_t kept = path;
    while (url[kept - 1] == '/')
        kept--;
    return arena_printf(mem, "%.*s%s%s", (int)kept, url, suffix, url + path);
}

static struct err *check_receiver(const struct chat *chat, const struct alert_receiver *receiver)
{
    if (!is_web_address(receiver->url))
        return err_new(ERR_INVALID, "invalid %s %s URL", chat->label, chat->what);
    if (chat->has_names && !*receiver->username)
        return err_new(ERR_INVALID, "empty %s username", chat->label);
    if (chat->has_names && !*receiver->channel)
        return err_new(ERR_INVALID, "empty %s channel", chat->label);
    return NULL;
}

struct err *notify_alert_message(struct arena *mem, const struct canary *canary,
                                 const struct canary_settings *settings, const struct alert *alert,
                                 const struct alert_receiver *receiver, struct alert_message *out)
{
    const struct chat *chat = find_chat(receiver->type);
    if (!chat)
        return err_new(ERR_INVALID, "provider %.100s not supported", receiver->type);
    TRY(check_receiver(chat, receiver));
    struct card card = { .title = arena_printf(mem, "%s.%s", canary->name, canary->ns),
                         .alert = alert,
                         .receiver = receiver,
                         .calm = chat->calm,
                         .alarming = chat->alarming };
    collect_fields(mem, canary, settings, alert, &card.fields);
    *out = (struct alert_message){ .url = with_suffix(mem, receiver->url, chat->suffix),
                                   .body = val_json(mem, chat->body(mem, &card), NULL),
                                   .token = chat->has_token ? receiver->token : "" };
    return NULL;
}
