#include <stdlib.h>
#include <string.h>

#include "canary/metric/google.h"
#include "canary/metric/url.h"

/* Reference: traffic-and-metrics.md 20.8, over the REST interface of Cloud Monitoring: projects.timeSeries.query. */

#define DEFAULT_ADDRESS "https://monitoring.googleapis.com"

struct stackdriver {
    struct url address;
    const char *project;
    struct google_login login;
    bool has_asked; /* for the series, after the login */
};

static struct err *begin(struct metric_talk *talk)
{
    struct stackdriver *own = arena_alloc(talk->mem, sizeof(*own));
    bool has_key;
    *own = (struct stackdriver){ .project = "", .login = { .key = "" } };
    talk->own = own;
    TRY(talk_need_key(talk, "project", false, "a project id", &own->project));
    TRY(talk_key(talk, "serviceAccountKey", true, &own->login.key, &has_key));
    return talk_need_url(talk, DEFAULT_ADDRESS, &own->address);
}

static void ask(struct metric_talk *talk, struct metric_turn *turn)
{
    struct stackdriver *own = talk->own;
    const char *path = arena_printf(talk->scratch, "v3/projects/%s/timeSeries:query",
                                    url_escape_part(talk->scratch, own->project));
    const char *query = talk->question->is_probe ? "" : talk->question->query;
    SBUF(body, METRIC_BODY_MAX);
    sbuf_add(&body, "{\"query\":");
    sbuf_add_json(&body, query, strlen(query));
    sbuf_add(&body, "}");
    struct metric_request *request =
        talk_ask(turn, url_join(talk->scratch, &own->address, path, ""));
    request->method = "POST";
    request->body = arena_strdup(talk->scratch, sbuf_text(&body));
    request->body_len = body.len;
    request->headers =
        talk_headers(talk, "Content-Type: application/json",
                     arena_printf(talk->scratch, "Authorization: Bearer %s", own->login.token));
    own->has_asked = true;
}

/* PERMISSION_DENIED as PermissionDenied: what gRPC calls it. */
static const char *code_name(struct metric_talk *talk, const char *status)
{
    char *name = arena_strndup(talk->scratch, status, strnlen(status, 60));
    size_t used = 0;
    bool is_first = true;
    for (const char *at = name; *at; at++) {
        bool is_upper = *at >= 'A' && *at <= 'Z';
        if (*at != '_')
            name[used++] = (char)(is_upper && !is_first ? *at - 'A' + 'a' : *at);
        is_first = *at == '_';
    }
    name[used] = '\0';
    return used ? name : "Unknown";
}

static void read_error(struct metric_talk *talk, const struct metric_answer *answer,
                       struct metric_turn *turn)
{
    struct metric_turn ignored = { 0 };
    const struct val *body = talk_json(talk, answer, &ignored);
    const struct val *error = val_get(val_is_list(body) ? val_item(body, 0) : body, "error");
    const char *status = val_text_or(val_get(error, "status"), "");
    const char *message = val_text_or(val_get(error, "message"), talk_body(talk, answer));
    if (!talk->question->is_probe)
        talk_fail(talk, turn, "error requesting stackdriver: rpc error: code = %s desc = %.1000s",
                  code_name(talk, status), message);
    else if (answer->status == 400 && !strcmp(status, "INVALID_ARGUMENT"))
        talk_value(turn, 1); /* it is there: an empty query is none */
    else
        talk_fail(talk, turn, "unexpected status code: %s", code_name(talk, status));
}

static void read_series(struct metric_talk *talk, const struct metric_answer *answer,
                        struct metric_turn *turn)
{
    const struct val *body = talk_json(talk, answer, turn);
    const struct val *point =
        val_item(val_get(val_item(val_get(body, "timeSeriesData"), 0), "pointData"), 0);
    const struct val *first = val_item(val_get(point, "values"), 0);
    const char *whole = val_text(val_get(first, "int64Value"));
    double value = 0;
    if (!body)
        return;
    if (!first) {
        talk_no_values(talk, turn, "invalid response: %s: " METRIC_NO_VALUES,
                       talk_body(talk, answer));
        return;
    }
    SCOPED(err_free) struct err *e = whole ? talk_parse_number(whole, &value) : NULL;
    if (!whole)
        (void)talk_number(val_get(first, "doubleValue"), &value); /* absent: 0 */
    if (e)
        talk_misshapen(talk, answer, turn, "int64Value is not a number");
    else
        talk_value(turn, value);
}

static void next(struct metric_talk *talk, const struct metric_answer *answer,
                 struct metric_turn *turn)
{
    struct stackdriver *own = talk->own;
    if (!own->has_asked) {
        if (google_login_next(talk, &own->login, answer, turn) && own->login.stage == GOOGLE_DONE)
            ask(talk, turn);
        else if (turn->kind == METRIC_TURN_FAILED)
            talk_fail(talk, turn, "error requesting stackdriver: %s", turn->text);
        return;
    }
    if (answer->failure)
        talk_fail(talk, turn, "error requesting stackdriver: %s", answer->failure);
    else if (answer->status != 200)
        read_error(talk, answer, turn);
    else if (talk->question->is_probe)
        talk_value(turn, 1);
    else
        read_series(talk, answer, turn);
}

const struct metric_provider metric_stackdriver = { .type = "stackdriver",
                                                    .begin = begin,
                                                    .next = next };
