#include <inttypes.h>
#include <string.h>

#include "canary/metric/talk.h"
#include "canary/metric/url.h"

/* Reference: traffic-and-metrics.md 20.3. */

#define DEFAULT_ADDRESS "https://insights-api.newrelic.com"
#define ACCOUNT         "newrelic_account_id"
#define KEY             "newrelic_query_key"
#define PROBE           "SELECT * FROM Metric"

struct newrelic {
    struct url address;
    const char *account, *key;
};

static struct err *begin(struct metric_talk *talk)
{
    struct newrelic *own = arena_alloc(talk->mem, sizeof(*own));
    talk->own = own;
    TRY(talk_need_key(talk, ACCOUNT, true, ACCOUNT, &own->account));
    TRY(talk_need_key(talk, KEY, true, KEY, &own->key));
    return talk_need_url(talk, DEFAULT_ADDRESS, &own->address);
}

static void ask(struct metric_talk *talk, struct metric_turn *turn)
{
    const struct newrelic *own = talk->own;
    const char *path = arena_printf(talk->scratch, "v1/accounts/%s/query",
                                    url_escape_part(talk->scratch, own->account));
    const char *query = arena_printf(talk->scratch, "%s SINCE %" PRId64 " seconds ago",
                                     talk->question->is_probe ? PROBE : talk->question->query,
                                     talk->window_ms / 1000);
    const char *pair = arena_printf(talk->scratch, "nrql=%s", url_escape(talk->scratch, query));
    talk_ask(turn, url_join(talk->scratch, &own->address, path, pair))->headers =
        talk_headers(talk, arena_printf(talk->scratch, "X-Query-Key: %s", own->key));
}

/* Functions that call their result otherwise (percentile, an alias) have no value for us. */
static void read_result(struct metric_talk *talk, const struct metric_answer *answer,
                        struct metric_turn *turn)
{
    const struct val *body = talk_json(talk, answer, turn);
    const struct val *results = val_get(body, "results");
    const struct val *result = val_get(val_item(results, 0), "result");
    bool has_result = val_len(results) == 1 && !val_is_null(result);
    if (body)
        talk_take(talk, answer, turn, has_result ? result : NULL,
                  "results[0].result is not a number");
}

const struct metric_provider metric_newrelic = {
    .type = "newrelic", .needs_window = true, .begin = begin, .ask = ask, .read = read_result
};
