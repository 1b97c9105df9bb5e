#include "../../rows.h"

#include <stdlib.h>

#include "../value.h"
#include "base/hash.h"
#include "canary/notify/alert.h"
#include "receiver.h"

#define TOKEN "xoxb-very-secret"

static const struct canary_settings settings = { .cluster_name = "east" };
static const struct canary_alert entries[] = { { "a", CANARY_INFO, "chat", "ops" },
                                               { "b", CANARY_ERROR, "loud", "ops" } };

static struct canary canary_with(const struct canary_alert *list, size_t len)
{
    return (struct canary){ .name = "shop",
                            .ns = "prod",
                            .target = { .kind = "Deployment", .name = "cart" },
                            .analysis = { .alerts = list, .alerts_len = len, .threshold = 5 } };
}

/* One provider called `name`; its Secret, if `secret` says what is in it. */
static struct live *providers(struct receiver *receiver, const char *name, const char *spec,
                              const char *secret)
{
    struct arena *mem = receiver->mem;
    struct live *live = live_new(mem);
    live_put(
        live,
        &(struct live_key){
            .api_version = CANARY_API_VERSION, .kind = "AlertProvider", .ns = "ops", .name = name },
        LIVE_HERE, value_of(mem, arena_printf(mem, "{spec: {%s}}", spec)), NULL);
    if (secret)
        live_put(live,
                 &(struct live_key){ .api_version = "v1",
                                     .kind = "Secret",
                                     .ns = "ops",
                                     .name = "key",
                                     .form = LIVE_SECRET },
                 LIVE_HERE, value_of(mem, arena_printf(mem, "{data: {%s}}", secret)), NULL);
    return live;
}

static struct alerts *alerts_of(struct receiver *receiver, const struct alert_receiver *global)
{
    return alerts_new(&(struct alerts_opts){ .loop = receiver->loop,
                                             .http = receiver->http,
                                             .log = &receiver->log,
                                             .settings = &settings,
                                             .global = global });
}

static void send(struct receiver *receiver, struct alerts *alerts, const struct live *live,
                 enum canary_severity severity)
{
    struct canary canary = canary_with(entries, 1);
    alert_send(alerts, &canary, live, &(struct alert){ severity, "look at this", false });
    RECEIVER_UNTIL(receiver, alerts_waiting(alerts) == 0);
}

static void assert_logged(const struct receiver *receiver, const char *expected)
{
    if (!strstr(sbuf_text(&receiver->lines), expected))
        fail_msg("%s is not in %s", expected, sbuf_text(&receiver->lines));
}

static void assert_not_logged(const struct receiver *receiver, const char *secret)
{
    if (strstr(sbuf_text(&receiver->lines), secret))
        fail_msg("%s is in %s", secret, sbuf_text(&receiver->lines));
}

static void an_alert_is_posted_with_address_and_token_of_the_secret(void **state)
{
    struct receiver *receiver = *state;
    struct alerts *alerts = alerts_of(receiver, NULL);
    const char *url = receiver_url(receiver, "/services/T0/B0");
    struct live *live = providers(receiver, "chat", "type: slack, secretRef: {name: key}",
                                  arena_printf(receiver->mem, "address: %s, token: %s",
                                               hash_base64(receiver->mem, url, strlen(url)),
                                               hash_base64(receiver->mem, TOKEN, strlen(TOKEN))));
    send(receiver, alerts, live, CANARY_WARN);
    assert_int_equal(receiver->got.len, 1);
    const struct got *got = &receiver->got.at[0];
    assert_string_equal(got->line, "POST /services/T0/B0");
    assert_string_equal(got->type, "application/json");
    assert_string_equal(got->authorization, "Bearer " TOKEN);
    assert_string_equal(
        got->body,
        "{\"channel\":\"general\",\"username\":\"flagger\",\"icon_url\":\"\",\"icon_emoji\":"
        "\":rocket:\",\"attachments\":[{\"color\":\"good\",\"author_name\":\"shop.prod\",\"text\":"
        "\"look at this\",\"mrkdwn_in\":[\"text\"],\"fields\":[{\"title\":\"Cluster\",\"value\":"
        "\"east\",\"short\":false}]}]}");
    assert_int_equal(receiver->lines.len, 0);
    alerts_free(alerts);
}

static void each_entry_is_told_what_it_wants_to_hear(void **state)
{
    struct receiver *receiver = *state;
    struct arena *mem = receiver->mem;
    struct alerts *alerts = alerts_of(receiver, NULL);
    struct live *live = providers(
        receiver, "loud",
        arena_printf(mem, "type: msteams, address: '%s'", receiver_url(receiver, "/teams")), NULL);
    struct canary canary = canary_with(entries, 2);
    alert_send(alerts, &canary, live, &(struct alert){ CANARY_WARN, "a warning", false });
    assert_int_equal(alerts_waiting(alerts), 0);
    alert_send(alerts, &canary, live, &(struct alert){ CANARY_ERROR, "an error", false });
    RECEIVER_UNTIL(receiver, alerts_waiting(alerts) == 0);
    assert_int_equal(receiver->got.len, 1);
    assert_non_null(strstr(receiver->got.at[0].body, "an error"));
    assert_logged(receiver, "canary=shop.prod err=\"alert provider chat.ops error: "
                            "alertprovider.flagger.app \\\"chat\\\" was not read yet\"");
    alerts_free(alerts);
}

static void alerts_of_a_canary_stay_in_order(void **state)
{
    struct receiver *receiver = *state;
    struct arena *mem = receiver->mem;
    struct alerts *alerts = alerts_of(receiver, NULL);
    struct live *live = providers(
        receiver, "chat",
        arena_printf(mem, "type: gchat, address: '%s'", receiver_url(receiver, "/c")), NULL);
    struct canary canary = canary_with(entries, 1);
    for (int i = 0; i < 20; i++)
        alert_send(alerts, &canary, live,
                   &(struct alert){ CANARY_INFO, arena_printf(mem, "number %d.", i), false });
    RECEIVER_UNTIL(receiver, alerts_waiting(alerts) == 0);
    assert_int_equal(receiver->got.len, 20);
    for (int i = 0; i < 20; i++)
        assert_non_null(strstr(receiver->got.at[i].body, arena_printf(mem, "number %d.", i)));
    alerts_free(alerts);
}

/* -- what is logged, and what is not ------------------------------------------------------------- */

static const struct fault_case {
    const char *name, *path;
    int status;
    const char *body, *logged;
} fault_cases[] = {
    { "a refusal is logged once, with its body", "/services/T0/B0", 500, "no such channel",
      "canary=shop.prod err=\"alert provider chat.ops send error: postMessage failed: sending "
      "notification bad response 500: no such channel\"" },
    { "a refusal with the address in it is logged without", "/services/T0/B0", 404,
      "nothing at /services/T0/B0",
      "bad response 404: (not shown: it repeats the address or the token)" },
    { "a refusal with the token in it is logged without", "/services/T0/B0", 403, "bad " TOKEN,
      "bad response 403: (not shown: it repeats the address or the token)" },
};

static void fault_is_logged(void **state)
{
    const struct fault_case *row = *state;
    struct receiver *receiver = receiver_new();
    struct reply reply = { row->path, row->status, row->body, NULL, 0 };
    receiver_script(receiver, &reply, 1);
    struct alerts *alerts = alerts_of(receiver, NULL);
    struct live *live = providers(
        receiver, "chat",
        arena_printf(receiver->mem, "type: slack, address: '%s', secretRef: {name: key}", "x"),
        arena_printf(receiver->mem, "address: %s, token: %s",
                     hash_base64(receiver->mem, receiver_url(receiver, row->path),
                                 strlen(receiver_url(receiver, row->path))),
                     hash_base64(receiver->mem, TOKEN, strlen(TOKEN))));
    send(receiver, alerts, live, CANARY_INFO);
    assert_int_equal(receiver->got.len, 1);
    assert_logged(receiver, row->logged);
    assert_not_logged(receiver, "T0/B0");
    assert_not_logged(receiver, "127.0.0.1");
    assert_not_logged(receiver, TOKEN);
    alerts_free(alerts);
    receiver_free(receiver);
}

static const struct address_case {
    const char *name, *url, *logged;
} address_cases[] = {
    { "nobody there", "http://127.0.0.1:1/services/T0",
      "postMessage failed: dial tcp: connect: connection refused\"" },
    { "no address at all", "services/T0 s3cret",
      "alert provider chat.ops send error: invalid Slack hook URL\"" },
    { "an address that only looks like one", "http://127.0.0.1:x/services/T0",
      "postMessage failed: the request failed\"" },
};

static void address_is_not_logged(void **state)
{
    const struct address_case *row = *state;
    struct receiver *receiver = receiver_new();
    struct alerts *alerts = alerts_of(receiver, NULL);
    struct live *live =
        providers(receiver, "chat",
                  arena_printf(receiver->mem, "type: slack, address: '%s'", row->url), NULL);
    send(receiver, alerts, live, CANARY_INFO);
    assert_logged(receiver, row->logged);
    assert_not_logged(receiver, "127.0.0.1");
    assert_not_logged(receiver, "services");
    alerts_free(alerts);
    receiver_free(receiver);
}

static void a_chat_that_hangs_is_given_up_after_five_seconds(void **state)
{
    static const struct reply replies[] = { { "/hangs", 0, NULL, NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, 1);
    struct alerts *alerts = alerts_of(receiver, NULL);
    struct live *live = providers(
        receiver, "chat",
        arena_printf(receiver->mem, "type: slack, address: '%s'", receiver_url(receiver, "/hangs")),
        NULL);
    int64_t before = loop_now_ms(receiver->loop);
    send(receiver, alerts, live, CANARY_INFO);
    assert_true(loop_now_ms(receiver->loop) - before >= 5000);
    assert_int_equal(receiver->got.len, 1); /* tried once */
    assert_logged(receiver, "postMessage failed: context deadline exceeded");
    alerts_free(alerts);
}

/* -- the global receiver ------------------------------------------------------------------------- */

static void without_entries_the_global_receiver_gets_all(void **state)
{
    struct receiver *receiver = *state;
    struct alert_receiver global = { "slack", receiver_url(receiver, "/global"), TOKEN, "", "ops",
                                     "bird" };
    struct alerts *alerts = alerts_of(receiver, &global);
    struct canary canary = canary_with(NULL, 0);
    struct live *live = live_new(receiver->mem);
    alert_send(alerts, &canary, live, &(struct alert){ CANARY_INFO, "calm", false });
    alert_send(alerts, &canary, live, &(struct alert){ CANARY_ERROR, "alarmed", false });
    RECEIVER_UNTIL(receiver, alerts_waiting(alerts) == 0);
    assert_int_equal(receiver->got.len, 2);
    assert_string_equal(receiver->got.at[0].authorization, "Bearer " TOKEN);
    assert_non_null(strstr(receiver->got.at[0].body, "\"channel\":\"ops\",\"username\":\"bird\""));
    assert_non_null(strstr(receiver->got.at[1].body, "alarmed"));
    alerts_free(alerts);
}

static void a_global_receiver_that_refuses_is_logged(void **state)
{
    static const struct reply replies[] = { { "/global", 400, "no", NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, 1);
    struct alert_receiver global = { "rocket", receiver_url(receiver, "/global"), "", "", "ops",
                                     "bird" };
    struct alerts *alerts = alerts_of(receiver, &global);
    struct canary canary = canary_with(NULL, 0);
    alert_send(alerts, &canary, live_new(receiver->mem),
               &(struct alert){ CANARY_INFO, "x", false });
    RECEIVER_UNTIL(receiver, alerts_waiting(alerts) == 0);
    assert_logged(receiver, "err=\"alert can't be sent: postMessage failed: sending notification "
                            "bad response 400: no\"");
    alerts_free(alerts);
}

static void with_entries_the_global_receiver_gets_nothing(void **state)
{
    struct receiver *receiver = *state;
    struct alert_receiver global = { "slack", receiver_url(receiver, "/global"), "", "", "o", "b" };
    struct alerts *alerts = alerts_of(receiver, &global);
    send(receiver, alerts, live_new(receiver->mem), CANARY_ERROR);
    assert_int_equal(receiver->got.len, 0);
    alerts_free(alerts);
}

#define TEST(fn) SINGLE_IN(fn, receiver_setup, receiver_teardown)

int main(void)
{
    static const struct rows tests[] = {
        ROWS(fault_cases, fault_is_logged),
        ROWS(address_cases, address_is_not_logged),
        TEST(an_alert_is_posted_with_address_and_token_of_the_secret),
        TEST(each_entry_is_told_what_it_wants_to_hear),
        TEST(alerts_of_a_canary_stay_in_order),
        TEST(a_chat_that_hangs_is_given_up_after_five_seconds),
        TEST(without_entries_the_global_receiver_gets_all),
        TEST(a_global_receiver_that_refuses_is_logged),
        TEST(with_entries_the_global_receiver_gets_nothing),
    };
    return rows_run("canary_alert", tests, ARRAY_LEN(tests));
}
