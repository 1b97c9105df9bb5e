/* canary/metric/script.h - a conversation with a provider, written down. Include after cmocka.h.
 * A row tells the source, what is asked, what is answered, and what comes of it. */
#ifndef SERIN_TESTS_CANARY_METRIC_SCRIPT_H
#define SERIN_TESTS_CANARY_METRIC_SCRIPT_H

#include "../value.h"
#include "base/hash.h"
#include "base/number.h"
#include "canary/metric/provider.h"

#define SCRIPT_STEPS  10
#define SCRIPT_NOW_MS 1790000000123 /* 2026-09-21T14:13:20.123Z */
#define SCRIPT_ENVS   8

/* `asks`: "GET http://…", then a line for each header and for each thing that is not as usual, then an empty line and the body.
 * NULL: anything. */
struct script_step {
    const char *asks;
    int status;
    const char *body;
    const char *failure;
    bool is_cut;
};

struct script_row {
    const char *name;
    const char *
        source; /* YAML: type, address, region, headers, insecureSkipVerify, secret (in plain text) */
    const char *query, *interval; /* "1m" when NULL */
    bool is_probe;
    const char *env[SCRIPT_ENVS];
    struct script_step steps[SCRIPT_STEPS];
    const char
        *result; /* "= 1.5", "none: why", "failed: why", "refused: why" (to build a client) */
};

/* Secrets are written in base64, as the API has them; a text that begins with "raw:" stands as it is. */
UNUSED static const struct val *script_secret(struct arena *mem, const struct val *plain)
{
    struct val *data = val_new_map(mem);
    for (size_t i = 0; i < val_len(plain); i++) {
        const char *text = val_text_or(plain->pairs[i].value, "");
        bool is_raw = !strncmp(text, "raw:", 4);
        val_set_text(mem, data, plain->pairs[i].key,
                     is_raw ? text + 4 : hash_base64(mem, text, strlen(text)));
    }
    return plain ? data : NULL;
}

UNUSED static struct metric_question script_question(struct arena *mem,
                                                     const struct script_row *row)
{
    const struct val *v = value_of(mem, row->source);
    return (struct metric_question){
        .source = { .type = val_text_or(val_get(v, "type"), ""),
                    .address = val_text_or(val_get(v, "address"), ""),
                    .region = val_text_or(val_get(v, "region"), ""),
                    .headers = val_get(v, "headers"),
                    .secret = script_secret(mem, val_get(v, "secret")),
                    .is_insecure = val_is_true(val_get(v, "insecureSkipVerify")) },
        .query = row->query ? row->query : "",
        .interval = row->interval ? row->interval : "1m",
        .is_probe = row->is_probe,
        .now_ms = SCRIPT_NOW_MS,
        .nonce = 0xabcdef12,
        .environ_list = row->env,
    };
}

UNUSED static const char *script_request(struct arena *mem, const struct metric_request *request)
{
    static const char *const ways[] = { [METRIC_WAY_HTTP] = "",
                                        [METRIC_WAY_KUBE] = "KUBE ",
                                        [METRIC_WAY_FILE] = "FILE ",
                                        [METRIC_WAY_PAUSE] = "PAUSE " };
    SBUF(text, SBUF_MAX);
    sbuf_add(&text, ways[request->way]);
    if (request->way == METRIC_WAY_PAUSE)
        sbuf_addf(&text, "%d", (int)request->timeout_ms);
    else if (request->way == METRIC_WAY_FILE)
        sbuf_add(&text, request->url);
    else
        sbuf_addf(&text, "%s %s", request->method, request->url);
    for (const char *const *at = request->headers; at && *at; at++)
        sbuf_addf(&text, "\n%s", *at);
    sbuf_add(&text, request->is_insecure ? "\n(insecure)" : "");
    sbuf_add(&text, request->is_local ? "\n(local)" : "");
    sbuf_add(&text, request->is_at_cluster ? "\n(at the cluster)" : "");
    sbuf_add(&text, request->trusts_cluster ? "\n(trusts the cluster)" : "");
    sbuf_add(&text, request->wants_gzip ? "\n(gzip)" : "");
    sbuf_add(&text, request->is_enough ? "\n(stream)" : "");
    if (request->timeout_ms != METRIC_HTTP_MS && request->way != METRIC_WAY_PAUSE)
        sbuf_addf(&text, "\n(%d ms)", (int)request->timeout_ms);
    if (request->body)
        sbuf_addf(&text, "\n\n%.*s", (int)request->body_len, request->body);
    return arena_strdup(mem, sbuf_text(&text));
}

/* A test for a row. */
UNUSED static void script_goes(void **state)
{
    const struct script_row *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct metric_question question = script_question(mem, row);
    struct metric_talk *talk = NULL;
    struct metric_turn turn;
    const char *result = NULL;
    SCOPED(err_free) struct err *e = metric_talk_new(mem, &question, &talk);
    if (e) {
        assert_string_equal(arena_printf(mem, "refused: %s", err_text(e)), row->result);
        return;
    }
    metric_talk_next(talk, NULL, &turn);
    for (size_t i = 0; turn.kind == METRIC_TURN_ASK; i++) {
        const struct script_step *step = &row->steps[i];
        const char *asked = script_request(mem, &turn.request);
        if (i == SCRIPT_STEPS || (!step->status && !step->failure))
            fail_msg("not expected: %s", asked);
        if (step->asks)
            assert_string_equal(asked, step->asks);
        const char *body = step->body ? step->body : "";
        metric_talk_next(talk,
                         &(struct metric_answer){ .failure = step->failure,
                                                  .is_cut = step->is_cut,
                                                  .status = step->status,
                                                  .body = body,
                                                  .len = strlen(body) },
                         &turn);
    }
    if (turn.kind == METRIC_TURN_VALUE) {
        char number[NUMBER_TEXT_BYTES];
        number_format_g(turn.value, number);
        result = arena_printf(mem, "= %s", number);
    } else {
        result = arena_printf(mem, "%s: %s", turn.has_no_values ? "none" : "failed", turn.text);
    }
    assert_string_equal(result, row->result);
}

struct script_table {
    const struct script_row *at;
    size_t len;
};

/* Runs the tests given, then one for each row of the tables. */
UNUSED static int script_run(const char *title, const struct CMUnitTest *others, size_t others_len,
                             const struct script_table *tables, size_t tables_len)
{
    struct CMUnitTest tests[400];
    size_t count = 0;
    for (size_t i = 0; i < others_len; i++)
        tests[count++] = others[i];
    for (size_t i = 0; i < tables_len; i++) {
        for (size_t k = 0; k < tables[i].len && count < ARRAY_LEN(tests); k++)
            tests[count++] = (struct CMUnitTest){
                .name = tables[i].at[k].name,
                .test_func = script_goes,
                .initial_state = (void *)(uintptr_t)&tables[i].at[k], /* never written */
            };
    }
    return _cmocka_run_group_tests(title, tests, count, NULL, NULL);
}

#define SCRIPT_TABLE(rows)                   \
    {                                        \
        .at = (rows), .len = ARRAY_LEN(rows) \
    }

#endif
