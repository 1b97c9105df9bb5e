#include <math.h>
#include <string.h>

#include "canary/metric/talk.h"
#include "canary/metric/url.h"

/* Reference: traffic-and-metrics.md 20.1. */

#define PROBE "vector(1)"

struct prometheus {
    struct url address;
    const char *token, *user, *password;
};

static struct err *begin(struct metric_talk *talk)
{
    struct prometheus *own = arena_alloc(talk->mem, sizeof(*own));
    bool has_token = false;
    *own = (struct prometheus){ .token = "", .user = "", .password = "" };
    talk->own = own;
    TRY(talk_need_url(talk, NULL, &own->address));
    if (talk->question->source.secret)
        TRY(talk_key(talk, "token", true, &own->token, &has_token));
    if (has_token || !talk->question->source.secret)
        return NULL;
    TRY(talk_need_key(talk, "username", false, "a username", &own->user));
    return talk_need_key(talk, "password", true, "a password", &own->password);
}

/* Those of the template, then how we prove who we are. */
static const char *const *headers_of(struct metric_talk *talk, const struct prometheus *own)
{
    VEC(const char *) lines = { 0 };
    const struct val *headers = talk->question->source.headers;
    for (size_t i = 0; val_is_map(headers) && i < headers->len; i++) {
        const struct val_pair *pair = &headers->pairs[i];
        for (size_t k = 0; k < val_len(pair->value); k++)
            *vec_push(talk->scratch, &lines) = arena_printf(
                talk->scratch, "%s: %s", pair->key, val_text_or(val_item(pair->value, k), ""));
    }
    if (*own->token)
        *vec_push(talk->scratch, &lines) =
            arena_printf(talk->scratch, "Authorization: Bearer %s", own->token);
    else if (*own->user && *own->password)
        *vec_push(talk->scratch, &lines) = talk_basic(talk, own->user, own->password);
    *vec_push(talk->scratch, &lines) = NULL;
    return lines.at;
}

static void ask(struct metric_talk *talk, struct metric_turn *turn)
{
    const struct prometheus *own = talk->own;
    const char *query = talk->question->is_probe ? PROBE : talk->question->query;
    const char *escaped = url_escape(talk->scratch, talk_collapse(talk->scratch, query));
    const char *url = url_join(talk->scratch, &own->address, "api/v1/query",
                               arena_printf(talk->scratch, "query=%s", escaped));
    struct metric_request *request = talk_ask(turn, url);
    request->headers = headers_of(talk, own);
    request->is_insecure = talk->question->source.is_insecure;
}

/* The last element with a text for a value decides. False: the turn is over. */
static bool read_vector(struct metric_talk *talk, const struct metric_answer *answer,
                        struct metric_turn *turn, double *value)
{
    const struct val *body = talk_json(talk, answer, turn);
    const struct val *result = VAL_PATH(body, "data", "result");
    *value = NAN;
    if (!body)
        return false;
    if (!val_is_map(body) || (!val_is_null(result) && !val_is_list(result))) {
        talk_misshapen(talk, answer, turn, "data.result is not a list");
        return false;
    }
    for (size_t i = 0; i < val_len(result); i++) {
        const struct val *element = val_item(result, i);
        if (!val_is_map(element)) { /* a scalar, or a string */
            talk_misshapen(talk, answer, turn, "an element of data.result is not an object");
            return false;
        }
        if (val_get(element, "values")) {
            talk_fail(talk, turn, "query returned multiple values");
            return false;
        }
        const char *text = val_text(val_item(val_get(element, "value"), 1));
        SCOPED(err_free) struct err *e = text ? talk_parse_number(text, value) : NULL;
        if (e) {
            talk_fail(talk, turn, "%s", err_text(e));
            return false;
        }
    }
    return true;
}

static void read_answer(struct metric_talk *talk, const struct metric_answer *answer,
                        struct metric_turn *turn)
{
    double value;
    if (talk_has_failed(talk, answer, turn))
        return;
    if (answer->status >= 400) {
        talk_fail(talk, turn, "error response: Status %s: %s", talk_status(talk, answer->status),
                  talk_body(talk, answer));
        return;
    }
    if (!read_vector(talk, answer, turn, &value))
        return;
    if (isnan(value))
        talk_no_values(talk, turn, METRIC_NO_VALUES);
    else
        talk_value(turn, value);
}

static void read_probe(struct metric_talk *talk, struct metric_turn *turn)
{
    if (turn->kind == METRIC_TURN_FAILED)
        talk_fail(talk, turn, "running query failed: %s", turn->text);
    else if (turn->value != 1)
        talk_fail(talk, turn, "value is not 1 for query: " PROBE);
}

static void next(struct metric_talk *talk, const struct metric_answer *answer,
                 struct metric_turn *turn)
{
    if (!answer) {
        ask(talk, turn);
        return;
    }
    read_answer(talk, answer, turn);
    if (talk->question->is_probe)
        read_probe(talk, turn);
}

const struct metric_provider metric_prometheus = { .type = "prometheus",
                                                   .begin = begin,
                                                   .next = next };
