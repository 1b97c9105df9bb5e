#include "canary/metric/provider.h"

#include <string.h>

#include "base/duration.h"
#include "canary/metric/talk.h"
#include "canary/metric/url.h"

#define SCRATCH_BYTES \
    ((size_t)512 << 20) /* a body of METRIC_BODY_MAX as values, and what is made of it */

/* In the order of the CRD. */
static const struct metric_provider *const providers[] = {
    &metric_prometheus,  &metric_influxdb,   &metric_datadog,  &metric_externalmetrics,
    &metric_stackdriver, &metric_cloudwatch, &metric_newrelic, &metric_graphite,
    &metric_dynatrace,   &metric_keptn,      &metric_splunk,
};

static const struct metric_provider *find(const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
        if (!strcmp(providers[i]->type, type))
            return providers[i];
    }
    return NULL;
}

bool metric_provider_is_known(const char *type)
{
    return find(type) != NULL;
}

static void free_scratch(void *scratch)
{
    arena_free(scratch);
}

/* The password of an address is as secret as one of a Secret. */
static void hide_password(struct metric_talk *talk)
{
    struct url url;
    bool is_good = url_parse(talk->mem, talk->question->source.address, &url);
    const char *colon = is_good ? strchr(url.user, ':') : NULL;
    if (colon)
        talk_hide(talk, colon + 1);
}

struct err *metric_talk_new(struct arena *mem, const struct metric_question *question,
                            struct metric_talk **out)
{
    const struct metric_provider *found = find(question->source.type);
    struct metric_talk *talk = arena_alloc(mem, sizeof(*talk));
    *talk = (struct metric_talk){ .mem = mem,
                                  .scratch = arena_new(SCRATCH_BYTES),
                                  .question = question,
                                  .provider = found ? found : &metric_prometheus };
    arena_defer(mem, free_scratch, talk->scratch);
    hide_password(talk);
    TRY(talk->provider->begin(talk));
    if (talk->provider->needs_window)
        TRY(err_wrap(duration_parse(question->interval, &talk->window_ms),
                     "error parsing metric interval"));
    *out = talk;
    return NULL;
}

/* Of a provider that is asked once. */
static void ask_or_read(struct metric_talk *talk, const struct metric_answer *answer,
                        struct metric_turn *turn)
{
    if (!answer)
        talk->provider->ask(talk, turn);
    else if (talk_has_failed(talk, answer, turn))
        return;
    else if (answer->status != 200)
        talk_fail(talk, turn, "error response: %s: %s", talk_body(talk, answer),
                  talk_status(talk, answer->status));
    else if (talk->question->is_probe)
        talk_value(turn, 1);
    else
        talk->provider->read(talk, answer, turn);
}

void metric_talk_next(struct metric_talk *talk, const struct metric_answer *answer,
                      struct metric_turn *out)
{
    *out = (struct metric_turn){ 0 };
    arena_reset(talk->scratch);
    (talk->provider->next ? talk->provider->next : ask_or_read)(talk, answer, out);
    if (out->kind == METRIC_TURN_ASK && ++talk->asks > METRIC_ASKS_MAX)
        talk_fail(talk, out, "request failed: no result after %d requests", METRIC_ASKS_MAX);
}
