#include "../../rows.h"

#include "../value.h"
#include "canary/notify/route.h"

/* -- severities ---------------------------------------------------------------------------------- */

static const struct severity_case {
    const char *name;
    enum canary_severity entry;
    bool info, warn, error; /* of which alerts it is told */
} severity_cases[] = {
    { "info is told of all", CANARY_INFO, true, true, true },
    { "warn is told of warnings and errors", CANARY_WARN, false, true, true },
    { "error is told of errors", CANARY_ERROR, false, false, true },
};

static struct live *world(struct arena *mem)
{
    static const struct {
        const char *kind, *name, *object;
    } objects[] = {
        { "AlertProvider", "plain", "{spec: {type: slack, address: 'http://chat/x'}}" },
        { "AlertProvider", "full",
          "{spec: {type: rocket, address: 'http://chat/x', channel: ops, username: bird,"
          "proxy: 'http://proxy'}}" },
        { "AlertProvider", "silent", "{spec: {type: slack, address: ''}}" },
        { "AlertProvider", "hidden", "{spec: {type: slack, secretRef: {name: key}}}" },
        { "AlertProvider", "lost", "{spec: {type: slack, secretRef: {name: nowhere}}}" },
        { "AlertProvider", "bare", "{spec: {type: slack, secretRef: {name: empty}}}" },
        { "AlertProvider", "odd", "{spec: {type: slack, secretRef: {name: broken}}}" },
        { "Secret", "key", "{data: {address: aHR0cHM6Ly9jaGF0L3MK, token: ICB4b3hiLTEK}}" },
        { "Secret", "empty", "{data: {token: eA==}}" },
        { "Secret", "broken", "{data: {address: '***'}}" },
    };
    struct live *live = live_new(mem);
    for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
        bool is_secret = strcmp(objects[i].kind, "Secret") == 0;
        live_put(live,
                 &(struct live_key){ .api_version = is_secret ? "v1" : CANARY_API_VERSION,
                                     .kind = objects[i].kind,
                                     .ns = "prod",
                                     .name = objects[i].name,
                                     .form = is_secret ? LIVE_SECRET : LIVE_FULL },
                 LIVE_HERE, value_of(mem, objects[i].object), NULL);
    }
    live_put(live,
             &(struct live_key){ .api_version = CANARY_API_VERSION,
                                 .kind = "AlertProvider",
                                 .ns = "prod",
                                 .name = "missing" },
             LIVE_ABSENT, NULL, NULL);
    live_put(live,
             &(struct live_key){
                 .api_version = "v1", .kind = "Secret", .ns = "prod", .name = "nowhere" },
             LIVE_ABSENT, NULL, NULL);
    return live;
}

static struct alert_route route(struct arena *mem, const char *provider, enum canary_severity entry,
                                enum canary_severity alert)
{
    struct canary_alert one = { "a", entry, provider, "prod" };
    struct alert_route out;
    notify_route(mem, &one, world(mem), alert, &out);
    return out;
}

static void severity_is_heeded(void **state)
{
    const struct severity_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_int_equal(route(mem, "plain", row->entry, CANARY_INFO).is_sent, row->info);
    assert_int_equal(route(mem, "plain", row->entry, CANARY_WARN).is_sent, row->warn);
    assert_int_equal(route(mem, "plain", row->entry, CANARY_ERROR).is_sent, row->error);
    /* What is not meant for it is not logged either. */
    assert_int_equal(route(mem, "missing", row->entry, CANARY_INFO).fault != NULL, row->info);
}

/* -- receivers ----------------------------------------------------------------------------------- */

static const struct receiver_case {
    const char *name, *provider;
    bool is_sent;
    const char *url, *token, *proxy, *channel, *username;
    const char *fault;
} receiver_cases[] = {
    { "an address and the usual names", "plain", true, "http://chat/x", "", "", "general",
      "flagger", NULL },
    { "names and a proxy of its own", "full", true, "http://chat/x", "", "http://proxy", "ops",
      "bird", NULL },
    { "no address is no notification", "silent", false, "", "", "", "general", "flagger", NULL },
    { "address and token of a Secret, without white space", "hidden", true, "https://chat/s",
      "xoxb-1", "", "general", "flagger", NULL },
    { "a provider that is not there", "missing", false, NULL, NULL, NULL, NULL, NULL,
      "alert provider missing.prod error: alertprovider.flagger.app \"missing\" not found" },
    { "a provider that was not read yet", "unknown", false, NULL, NULL, NULL, NULL, NULL,
      "alert provider unknown.prod error: alertprovider.flagger.app \"unknown\" was not read yet" },
    { "a Secret that is not there", "lost", false, NULL, NULL, NULL, NULL, NULL,
      "alert provider lost.prod secretRef error: secrets \"nowhere\" not found" },
    { "a Secret without an address", "bare", false, NULL, NULL, NULL, NULL, NULL,
      "alert provider bare.prod secret does not contain an address" },
    { "a Secret that is not base64", "odd", false, NULL, NULL, NULL, NULL, NULL,
      "alert provider odd.prod secretRef error: address: illegal base64 data at input byte 0" },
};

static void receiver_is(void **state)
{
    const struct receiver_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct alert_route got = route(mem, row->provider, CANARY_INFO, CANARY_INFO);
    assert_int_equal(got.is_sent, row->is_sent);
    assert_int_equal(got.fault != NULL, row->fault != NULL);
    if (row->fault) {
        assert_string_equal(got.fault, row->fault);
        return;
    }
    assert_string_equal(got.receiver.url, row->url);
    assert_string_equal(got.receiver.token, row->token);
    assert_string_equal(got.receiver.proxy, row->proxy);
    assert_string_equal(got.receiver.channel, row->channel);
    assert_string_equal(got.receiver.username, row->username);
}

/* -- what is read -------------------------------------------------------------------------------- */

static void providers_are_wanted_and_then_their_secrets(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary_alert entries[] = { { "a", CANARY_INFO, "plain", "prod" },
                                      { "b", CANARY_INFO, "hidden", "prod" } };
    struct canary canary = { .analysis = { .alerts = entries, .alerts_len = 2 } };
    struct live_wants before = { .mem = mem }, after = { .mem = mem };
    notify_wants(&canary, live_new(mem), &before);
    assert_int_equal(before.keys.len, 2);
    assert_string_equal(before.keys.at[1].name, "hidden");
    assert_string_equal(before.keys.at[1].kind, "AlertProvider");
    notify_wants(&canary, world(mem), &after);
    assert_int_equal(after.keys.len, 3);
    assert_string_equal(after.keys.at[2].name, "key");
    assert_string_equal(after.keys.at[2].ns, "prod");
    assert_int_equal(after.keys.at[2].form, LIVE_SECRET);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(providers_are_wanted_and_then_their_secrets),
        ROWS(severity_cases, severity_is_heeded),
        ROWS(receiver_cases, receiver_is),
    };
    return rows_run("canary_route", tests, ARRAY_LEN(tests));
}
