#include <inttypes.h>
#include <string.h>

#include "canary/metric/talk.h"
#include "canary/metric/url.h"

/* Reference: traffic-and-metrics.md 20.2. */

#define DEFAULT_ADDRESS "https://api.datadoghq.com"
#define API_KEY         "datadog_api_key"
#define APPLICATION_KEY "datadog_application_key"
#define WINDOWS         10

struct datadog {
    struct url address;
    const char *api_key, *application_key;
};

static struct err *begin(struct metric_talk *talk)
{
    struct datadog *own = arena_alloc(talk->mem, sizeof(*own));
    talk->own = own;
    TRY(talk_need_key(talk, API_KEY, true, API_KEY, &own->api_key));
    TRY(talk_need_key(talk, APPLICATION_KEY, true, APPLICATION_KEY, &own->application_key));
    return talk_need_url(talk, DEFAULT_ADDRESS, &own->address);
}

static void ask(struct metric_talk *talk, struct metric_turn *turn)
{
    const struct datadog *own = talk->own;
    const struct metric_question *question = talk->question;
    int64_t now_s = question->now_ms / 1000;
    const char *query = arena_printf(talk->scratch, "from=%" PRId64 "&query=%s&to=%" PRId64,
                                     now_s - WINDOWS * talk->window_ms / 1000,
                                     url_escape(talk->scratch, question->query), now_s);
    const char *url = question->is_probe
                          ? url_join(talk->scratch, &own->address, "api/v1/validate", "")
                          : url_join(talk->scratch, &own->address, "api/v1/query", query);
    talk_ask(turn, url)->headers =
        talk_headers(talk, arena_printf(talk->scratch, "DD-API-KEY: %s", own->api_key),
                     arena_printf(talk->scratch, "DD-APPLICATION-KEY: %s", own->application_key));
}

/* The oldest point of the first series: the newest bucket is usually incomplete. Null counts as 0. */
static void read_point(struct metric_talk *talk, const struct metric_answer *answer,
                       struct metric_turn *turn)
{
    const struct val *body = talk_json(talk, answer, turn);
    const struct val *point =
        val_item(val_get(val_item(val_get(body, "series"), 0), "pointlist"), 0);
    if (body)
        talk_take(talk, answer, turn, val_item(point, 1),
                  "a point of series[0].pointlist is not a number");
}

const struct metric_provider metric_datadog = {
    .type = "datadog", .needs_window = true, .begin = begin, .ask = ask, .read = read_point
};
