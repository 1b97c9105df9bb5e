#include "../../rows.h"

#include <stdio.h>

#include "../value.h"
#include "canary/notify/route.h"
#include "doc/json.h"

#define CANARY                                                              \
    "metadata: {name: podinfo, namespace: prod}\n"                          \
    "spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}," \
    "progressDeadlineSeconds: 60, analysis: %s}\n"                          \
    "status: {lastAppliedSpec: '5f56684589', trackedConfigs: {test-config-map: 484637c76acaa7c6}}"

static const struct canary_settings settings = { .cluster_name = "" };

static struct canary canary_with(struct arena *mem, const char *analysis)
{
    return canary_of(mem, arena_printf(mem, CANARY, analysis));
}

/* -- webhooks ------------------------------------------------------------------------------------ */

static void a_hook_gets_the_canary_in_order(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_with(mem, "{}");
    assert_string_equal(notify_hook_body(mem, &canary, "Progressing", NULL, NULL),
                        "{\"name\":\"podinfo\",\"namespace\":\"prod\",\"phase\":\"Progressing\","
                        "\"checksum\":\"85d557f47b\"}");
    assert_string_equal(
        notify_hook_body(mem, &canary, "Failed", value_of(mem, "{type: bash, cmd: 'a <x> && b'}"),
                         NULL),
        "{\"name\":\"podinfo\",\"namespace\":\"prod\",\"phase\":\"Failed\",\"checksum\":"
        "\"85d557f47b\",\"metadata\":{\"cmd\":\"a \\u003cx\\u003e \\u0026\\u0026 b\",\"type\":"
        "\"bash\"}}");
    const char *body = notify_hook_body(mem, &canary, "", value_of(mem, "{}"), NULL);
    assert_null(strstr(body, "metadata"));
}

static void an_event_is_in_the_metadata(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_with(mem, "{}");
    struct hook_event event = { "Advance \"x\"", false, 1767323045123 };
    assert_string_equal(
        notify_hook_body(mem, &canary, "Progressing", NULL, &event),
        "{\"name\":\"podinfo\",\"namespace\":\"prod\",\"phase\":\"Progressing\",\"checksum\":"
        "\"85d557f47b\",\"metadata\":{\"eventMessage\":\"Advance \\\"x\\\"\",\"eventType\":"
        "\"Normal\",\"timestamp\":\"1767323045123\"}}");
    event.is_warning = true;
    const struct val *own = value_of(mem, "{eventType: mine, environment: test, zone: a}");
    assert_string_equal(
        notify_hook_body(mem, &canary, "Failed", own, &event),
        "{\"name\":\"podinfo\",\"namespace\":\"prod\",\"phase\":\"Failed\",\"checksum\":"
        "\"85d557f47b\",\"metadata\":{\"environment\":\"test\",\"eventMessage\":\"Advance "
        "\\\"x\\\"\",\"eventType\":\"Warning\",\"timestamp\":\"1767323045123\",\"zone\":\"a\"}}");
    assert_string_equal(val_text(val_get(own, "eventType")), "mine");
}

/* -- chats --------------------------------------------------------------------------------------- */

static struct alert_receiver receiver(const char *type, const char *url)
{
    return (struct alert_receiver){ type, url, "", "", "general", "flagger" };
}

static const char *fields_of(struct arena *mem, const char *analysis, const char *cluster,
                             bool has_fields)
{
    struct canary canary = canary_with(mem, analysis);
    struct canary_settings named = { .cluster_name = cluster };
    struct alert alert = { CANARY_INFO, "m", has_fields };
    struct alert_receiver to = receiver("msteams", "http://chat/");
    struct alert_message out;
    assert_null(notify_alert_message(mem, &canary, &named, &alert, &to, &out));
    struct val *body;
    assert_null(doc_json_parse(mem, out.body, strlen(out.body), &body));
    SBUF(text, SBUF_MAX);
    const struct val *facts = val_get(val_item(val_get(body, "sections"), 0), "facts");
    for (size_t i = 0; i < val_len(facts); i++)
        sbuf_addf(&text, "%s=%s;", val_text(val_get(val_item(facts, i), "name")),
                  val_text(val_get(val_item(facts, i), "value")));
    return arena_strdup(mem, sbuf_text(&text));
}

#define USUAL "Target=Deployment/web.prod;Failed checks threshold=5;Progress deadline=60s;"

static const struct fields_case {
    const char *name, *analysis, *cluster;
    bool has_fields;
    const char *expected;
} fields_cases[] = {
    { "a plain alert has no fields", "{threshold: 5, stepWeight: 10}", "", false, "" },
    { "a plain alert has the cluster", "{threshold: 5, stepWeight: 10}", "east", false,
      "Cluster=east;" },
    { "the cluster comes first", "{threshold: 5, iterations: 3}", "east", true,
      "Cluster=east;" USUAL "Traffic routing=Blue/Green;" },
    { "a weighted run", "{threshold: 5, stepWeight: 10, maxWeight: 50}", "", true,
      USUAL "Traffic routing=Weight step: 10 max: 50;" },
    { "a weighted run without a limit", "{threshold: 5, stepWeight: 10}", "", true,
      USUAL "Traffic routing=Weight step: 10 max: 0;" },
    { "listed weights", "{threshold: 5, stepWeights: [1, 2, 10]}", "", true,
      USUAL "Traffic routing=Weight steps: 1,2,10 max: 0;" },
    { "A/B", "{threshold: 5, iterations: 3, match: [{headers: {a: {exact: b}}}]}", "", true,
      USUAL "Traffic routing=A/B Testing;" },
    { "no routing to tell of", "{threshold: 5}", "", true, USUAL },
    { "a threshold of nothing is one", "{threshold: 0, iterations: 1}", "", true,
      "Target=Deployment/web.prod;Failed checks threshold=1;Progress deadline=60s;Traffic "
      "routing=Blue/Green;" },
};

static void fields_are(void **state)
{
    const struct fields_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(fields_of(mem, row->analysis, row->cluster, row->has_fields),
                        row->expected);
}

/* Type, severity, and what is in the body. */
static const struct colour_case {
    const char *name, *type;
    enum canary_severity severity;
    const char *expected;
} colour_cases[] = {
    { "slack calm", "slack", CANARY_WARN, "\"color\":\"good\"" },
    { "slack alarmed", "slack", CANARY_ERROR, "\"color\":\"danger\"" },
    { "discord calm", "discord", CANARY_INFO, "\"color\":\"good\"" },
    { "discord alarmed", "discord", CANARY_ERROR, "\"color\":\"danger\"" },
    { "rocket calm", "rocket", CANARY_INFO, "\"color\":\"#0076D7\"" },
    { "rocket alarmed", "rocket", CANARY_ERROR, "\"color\":\"#FF0000\"" },
    { "teams calm", "msteams", CANARY_WARN, "\"themeColor\":\"0076D7\"" },
    { "teams alarmed", "msteams", CANARY_ERROR, "\"themeColor\":\"FF0000\"" },
    { "chat alarmed", "gchat", CANARY_ERROR,
      "\"text\":\"\\u003cfont color=#848484\\u003e\\u003cstrong\\u003em\\u003c/strong\\u003e" },
};

static void colour_is(void **state)
{
    const struct colour_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_with(mem, "{}");
    struct alert alert = { row->severity, "m", false };
    struct alert_receiver to = receiver(row->type, "http://chat/x");
    to.token = "xoxb-1";
    struct alert_message out;
    assert_null(notify_alert_message(mem, &canary, &settings, &alert, &to, &out));
    if (!strstr(out.body, row->expected))
        fail_msg("%s is not in %s", row->expected, out.body);
    assert_string_equal(out.token, strcmp(row->type, "slack") == 0 ? "xoxb-1" : "");
}

static const struct address_case {
    const char *name, *type, *url, *expected; /* NULL: refused */
    const char *error;
} address_cases[] = {
    { "an address is taken as it is", "slack", "https://chat/x?y=/", "https://chat/x?y=/", NULL },
    { "Discord gets an element", "discord", "https://d/api/1", "https://d/api/1/slack", NULL },
    { "Discord has it already", "discord", "https://d/api/1/slack", "https://d/api/1/slack", NULL },
    { "Discord keeps its query", "discord", "https://d/api/1?wait=true",
      "https://d/api/1/slack?wait=true", NULL },
    { "Discord has both", "discord", "https://d/api/slack?wait=true",
      "https://d/api/slack?wait=true", NULL },
    { "Discord and a slash at the end", "discord", "https://d/api/1/", "https://d/api/1/slack",
      NULL },
    { "Discord without a path", "discord", "https://d", "https://d/slack", NULL },
    { "no address", "slack", "chat", NULL, "invalid Slack hook URL" },
    { "an address without a host", "discord", "http:///x", NULL, "invalid Discord hook URL" },
    { "an address with a line break", "rocket", "http://x/\ny", NULL, "invalid Rocket hook URL" },
    { "an address of another kind", "msteams", "ftp://x", NULL, "invalid MS Teams webhook URL" },
    { "an address that is empty", "gchat", "", NULL, "invalid Google Chat webhook URL" },
    { "an unknown chat", "irc", "http://x", NULL, "provider irc not supported" },
};

static void address_is(void **state)
{
    const struct address_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_with(mem, "{}");
    struct alert alert = { CANARY_INFO, "m", false };
    struct alert_receiver to = receiver(row->type, row->url);
    struct alert_message out = { 0 };
    SCOPED(err_free)
    struct err *e = notify_alert_message(mem, &canary, &settings, &alert, &to, &out);
    assert_string_equal(err_text(e), row->error ? row->error : "");
    if (row->expected)
        assert_string_equal(out.url, row->expected);
}

static void names_must_be_there(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_with(mem, "{}");
    struct alert alert = { CANARY_INFO, "m", false };
    struct alert_message out;
    struct alert_receiver to = receiver("slack", "http://x");
    to.channel = "";
    SCOPED(err_free)
    struct err *no_channel = notify_alert_message(mem, &canary, &settings, &alert, &to, &out);
    assert_string_equal(err_text(no_channel), "empty Slack channel");
    to.username = "";
    SCOPED(err_free)
    struct err *no_name = notify_alert_message(mem, &canary, &settings, &alert, &to, &out);
    assert_string_equal(err_text(no_name), "empty Slack username");
    to.type = "gchat"; /* has neither */
    assert_null(notify_alert_message(mem, &canary, &settings, &alert, &to, &out));
}

/* -- what Flagger was seen to send --------------------------------------------------------------- */

static struct val *load_recording(struct arena *mem)
{
    FILE *file = fopen(TEST_DATA "/../../differential/recordings/flagger/alerts.json", "rb");
    assert_non_null(file);
    SBUF(text, SBUF_MAX);
    char piece[4096];
    for (size_t len; (len = fread(piece, 1, sizeof(piece), file)) > 0;)
        sbuf_add_bytes(&text, piece, len);
    (void)fclose(file);
    struct val *root;
    assert_null(doc_json_parse(mem, sbuf_text(&text), text.len, &root));
    return val_get(root, "alerts");
}

/* The entries of the recorded canary in order, but for the one without a severity: Flagger never told it anything (17.3). */
static const struct canary_alert recorded_entries[] = {
    { "to-slack", CANARY_INFO, "slack", "alerts" },
    { "to-teams", CANARY_WARN, "msteams", "alerts" },
    { "to-discord", CANARY_ERROR, "discord", "alerts" },
    { "to-rocket", CANARY_INFO, "rocket", "alerts" },
    { "to-chat", CANARY_INFO, "gchat", "alerts" },
    { "to-nobody", CANARY_INFO, "missing", "alerts" },
};
static const struct alert recorded_alerts[] = {
    { CANARY_INFO, "New Deployment detected, initialization completed.", true },
    { CANARY_WARN, "Canary is waiting for approval.", false },
    { CANARY_INFO, "New revision detected, progressing canary analysis.", true },
    { CANARY_ERROR, "Failed checks threshold reached 1", false },
};

static struct live *recorded_providers(struct arena *mem)
{
    struct live *live = live_new(mem);
    for (size_t i = 0; i + 1 < ARRAY_LEN(recorded_entries); i++) {
        const char *type = recorded_entries[i].provider_name;
        bool is_slack = strcmp(type, "slack") == 0;
        live_put(live,
                 &(struct live_key){ .api_version = CANARY_API_VERSION,
                                     .kind = "AlertProvider",
                                     .ns = "alerts",
                                     .name = type },
                 LIVE_HERE,
                 value_of(mem, arena_printf(
                                   mem, "{spec: {type: %s, address: 'http://lab/alert/%s'%s}}",
                                   type, type, is_slack ? ", channel: ops, username: bird" : "")),
                 NULL);
    }
    return live;
}

static void assert_recorded(struct arena *mem, const struct val *expected, const char *type,
                            const struct alert_message *got)
{
    struct val *body;
    assert_non_null(expected);
    assert_null(doc_json_parse(mem, got->body, strlen(got->body), &body));
    assert_string_equal(val_text(val_get(expected, "name")), type);
    assert_string_equal(strstr(got->url, "/alert/"), val_text(val_get(expected, "path")));
    assert_same_value(mem, body, val_get(expected, "body"));
}

static void alerts_are_those_that_were_recorded(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *recorded = load_recording(mem);
    struct live *live = recorded_providers(mem);
    struct canary canary =
        canary_of(mem, "metadata: {name: podinfo, namespace: alerts}\n"
                       "spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo},"
                       "progressDeadlineSeconds: 60,"
                       "analysis: {threshold: 1, maxWeight: 50, stepWeight: 25}}");
    size_t next = 0;
    for (size_t i = 0; i < ARRAY_LEN(recorded_alerts); i++) {
        for (size_t j = 0; j < ARRAY_LEN(recorded_entries); j++) {
            struct alert_route route;
            struct alert_message message;
            notify_route(mem, &recorded_entries[j], live, recorded_alerts[i].severity, &route);
            if (!route.is_sent)
                continue;
            assert_null(notify_alert_message(mem, &canary, &settings, &recorded_alerts[i],
                                             &route.receiver, &message));
            assert_recorded(mem, val_item(recorded, next++), route.receiver.type, &message);
        }
    }
    assert_int_equal(next, val_len(recorded));
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(fields_cases, fields_are),
        ROWS(colour_cases, colour_is),
        ROWS(address_cases, address_is),
        SINGLE(a_hook_gets_the_canary_in_order),
        SINGLE(an_event_is_in_the_metadata),
        SINGLE(names_must_be_there),
        SINGLE(alerts_are_those_that_were_recorded),
    };
    return rows_run("canary_payload", tests, ARRAY_LEN(tests));
}
