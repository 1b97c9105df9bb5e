#include <string.h>

#include "canary/metric/talk.h"
#include "canary/metric/url.h"

/* Reference: traffic-and-metrics.md 20.5. The interval is for the template alone. */

#define PROBE "target=test"

struct graphite {
    struct url address;
    const char *user, *password;
};

static struct err *begin(struct metric_talk *talk)
{
    struct graphite *own = arena_alloc(talk->mem, sizeof(*own));
    *own = (struct graphite){ .user = "", .password = "" };
    talk->own = own;
    TRY(talk_need_url(talk, NULL, &own->address));
    if (!talk->question->source.secret)
        return NULL;
    TRY(talk_need_key(talk, "username", false, "a username", &own->user));
    return talk_need_key(talk, "password", true, "a password", &own->password);
}

static void ask(struct metric_talk *talk, struct metric_turn *turn)
{
    const struct graphite *own = talk->own;
    const char *query = talk->question->is_probe ? PROBE : talk->question->query;
    struct url_pairs pairs = { 0 };
    url_read_query(talk->scratch, talk_collapse(talk->scratch, query), &pairs);
    url_set(talk->scratch, &pairs, "format", "json");
    struct metric_request *request = talk_ask(
        turn, url_join(talk->scratch, &own->address, "render", url_query(talk->scratch, &pairs)));
    request->is_insecure = talk->question->source.is_insecure;
    if (*own->user && *own->password)
        request->headers = talk_headers(talk, talk_basic(talk, own->user, own->password));
}

/* A number, a number as text, or null. */
static const char *read_point(const struct val *point, double *value, bool *has_value)
{
    const struct val *first = val_item(point, 0);
    if (val_len(point) != 2)
        return "a point of datapoints has not two elements";
    if (val_is_null(first))
        return NULL;
    SCOPED(err_free)
    struct err *e = val_text(first) ? talk_parse_number(val_text(first), value) : NULL;
    if (e || (!val_text(first) && !talk_number(first, value)))
        return "a value of datapoints is not a number";
    *has_value = true;
    return NULL;
}

/* The last point that is not null, over all targets in order. */
static void read_targets(struct metric_talk *talk, const struct metric_answer *answer,
                         struct metric_turn *turn)
{
    const struct val *targets = talk_json(talk, answer, turn);
    bool has_value = false;
    double value = 0;
    if (!targets)
        return;
    const char *fault =
        val_is_list(targets) || val_is_null(targets) ? NULL : "the result is not a list";
    for (size_t i = 0; !fault && i < val_len(targets); i++) {
        const struct val *points = val_get(val_item(targets, i), "datapoints");
        for (size_t k = 0; !fault && k < val_len(points); k++)
            fault = read_point(val_item(points, k), &value, &has_value);
    }
    if (fault)
        talk_misshapen(talk, answer, turn, fault);
    else if (has_value || talk->question->is_probe)
        talk_value(turn, has_value ? value : 1);
    else
        talk_no_values(talk, turn, METRIC_NO_VALUES);
}

static void next(struct metric_talk *talk, const struct metric_answer *answer,
                 struct metric_turn *turn)
{
    if (!answer) {
        ask(talk, turn);
        return;
    }
    if (talk_has_failed(talk, answer, turn))
        return;
    if (answer->status >= 400)
        talk_fail(talk, turn, "error response: %s", talk_body(talk, answer));
    else
        read_targets(talk, answer, turn);
}

const struct metric_provider metric_graphite = { .type = "graphite", .begin = begin, .next = next };
