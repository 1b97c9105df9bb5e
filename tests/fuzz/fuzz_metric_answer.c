#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "canary/metric/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const types[] = { "prometheus",  "influxdb",   "datadog",  "externalmetrics",
                                     "stackdriver", "cloudwatch", "newrelic", "graphite",
                                     "dynatrace",   "keptn",      "splunk" };
static const char *const keys[] = {
    "token",
    "org",
    "datadog_api_key",
    "datadog_application_key",
    "newrelic_account_id",
    "newrelic_query_key",
    "project",
    "dynatrace_token",
    "sf_token_key",
    "username",
    "password",
};
static const int statuses[] = { 200, 201, 400, 403, 404, 500 };

static void check_turn(const struct metric_question *question, const struct metric_turn *turn)
{
    switch (turn->kind) {
    case METRIC_TURN_ASK: ASSERT(turn->request.url && turn->request.method); return;
    case METRIC_TURN_VALUE: ASSERT(!isnan(turn->value)); return;
    case METRIC_TURN_FAILED:
        ASSERT(turn->text && strlen(turn->text) < 8192);
        /* Those two read no secret. */
        ASSERT(!strstr(turn->text, "sEcReT") || !strcmp(question->source.type, "keptn") ||
               !strcmp(question->source.type, "stackdriver"));
        return;
    }
}

/* The first byte says who is asked and what for, the second what status comes; then the query up to a line break, then answers,
 * each up to a NUL. No provider breaks, asks for ever, or tells a secret. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const environ_list[] = { "AWS_ACCESS_KEY_ID=AKID",
                                                "AWS_SECRET_ACCESS_KEY=sEcReT", NULL };
    if (size < 2 || size > METRIC_BODY_MAX)
        return 0;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *secret = val_new_map(mem);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        val_set_text(mem, secret, keys[i], hash_base64(mem, "sEcReT", 6));
    const char *at = arena_strndup(mem, (const char *)data + 2, size - 2), *end = at + size - 2;
    size_t query_len = strcspn(at, "\n");
    struct metric_question question = {
        .source = { .type = types[data[0] % ARRAY_LEN(types)],
                    .address = "http://127.0.0.1:1/x",
                    .region = "eu-west-1",
                    .secret = secret },
        .query = arena_strndup(mem, at, query_len),
        .interval = "1m",
        .is_probe = data[0] & 0x80,
        .now_ms = 1790000000123,
        .environ_list = environ_list,
    };
    struct metric_talk *talk = NULL;
    struct metric_turn turn;
    SCOPED(err_free) struct err *e = metric_talk_new(mem, &question, &talk);
    ASSERT(!e);
    at += query_len;
    int asks = 0;
    for (metric_talk_next(talk, NULL, &turn); turn.kind == METRIC_TURN_ASK; asks++) {
        check_turn(&question, &turn);
        ASSERT(asks <= METRIC_ASKS_MAX);
        at = at < end ? at + 1 : end;
        size_t len = at < end ? strnlen(at, (size_t)(end - at)) : 0;
        if (turn.request.is_enough)
            (void)turn.request.is_enough(at, len, len / 2);
        struct metric_answer answer = { .status = statuses[data[1] % ARRAY_LEN(statuses)],
                                        .body = at,
                                        .len = len };
        metric_talk_next(talk, &answer, &turn);
        at += len;
    }
    check_turn(&question, &turn);
    return 0;
}
