#include <inttypes.h>
#include <string.h>

#include "canary/metric/talk.h"
#include "canary/metric/url.h"

/* Reference: traffic-and-metrics.md 20.7. */

#define WINDOWS 10

struct dynatrace {
    struct url address;
    const char *token;
};

static struct err *begin(struct metric_talk *talk)
{
    struct dynatrace *own = arena_alloc(talk->mem, sizeof(*own));
    talk->own = own;
    if (!*talk->question->source.address)
        return err_new(ERR_INVALID, "dynatrace endpoint is not set");
    TRY(talk_need_url(talk, NULL, &own->address));
    return talk_need_key(talk, "dynatrace_token", true, "dynatrace_token", &own->token);
}

static void ask(struct metric_talk *talk, struct metric_turn *turn)
{
    const struct dynatrace *own = talk->own;
    int64_t now_ms = talk->question->now_ms / 1000 * 1000;
    const char *query =
        arena_printf(talk->scratch, "from=%" PRId64 "&metricSelector=%s&resolution=Inf&to=%" PRId64,
                     now_ms - WINDOWS * talk->window_ms,
                     url_escape(talk->scratch, talk->question->query), now_ms);
    const char *url = talk->question->is_probe
                          ? url_join(talk->scratch, &own->address, "api/v2/metrics", "pageSize=1")
                          : url_join(talk->scratch, &own->address, "api/v2/metrics/query", query);
    talk_ask(turn, url)->headers =
        talk_headers(talk, arena_printf(talk->scratch, "Authorization: Api-Token %s", own->token));
}

/* The first value of the last block of data. Null counts as 0. */
static void read_data(struct metric_talk *talk, const struct metric_answer *answer,
                      struct metric_turn *turn)
{
    const struct val *body = talk_json(talk, answer, turn);
    const struct val *data = val_get(val_item(val_get(body, "result"), 0), "data");
    const struct val *last = val_len(data) ? val_item(data, val_len(data) - 1) : NULL;
    if (body)
        talk_take(talk, answer, turn, val_item(val_get(last, "values"), 0),
                  "a value of result[0].data is not a number");
}

const struct metric_provider metric_dynatrace = {
    .type = "dynatrace", .needs_window = true, .begin = begin, .ask = ask, .read = read_data
};
