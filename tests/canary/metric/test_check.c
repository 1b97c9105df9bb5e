/* Checks as events tell them, with a server that answers well and badly. */
#include <stdlib.h>
#include <string.h>

#include "../../rows.h"

#include "lab.h"

#define HUGE_BYTES ((size_t)2 << 20)
#define VECTOR(v)  "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" v "]}}"
#define ONE(text)  VECTOR("{\"metric\":{},\"value\":[1,\"" text "\"]}")

/* By the first part of the path, which is that of the server's address. */
static const struct manner {
    const char *path, *body;
    int status;
} manners[] = {
    { "/one/", ONE("1"), 200 },     { "/99/", ONE("99"), 200 },
    { "/half/", ONE("0.5"), 200 },  { "/slowish/", ONE("1515.7"), 200 },
    { "/nan/", ONE("NaN"), 200 },   { "/empty/", VECTOR(""), 200 },
    { "/word/", ONE("many"), 200 }, { "/page/", "<html>", 200 },
    { "/nothing/", "", 200 },       { "/ill/", "oh no", 500 },
};

static void send_moved(const struct scripted_request *request, const char *to)
{
    char head[200];
    snprintf(head, sizeof(head), "Location: %s/api/v1/query\r\n", to);
    scripted_reply(request, 302, head, "");
}

static void send_huge(const struct scripted_request *request)
{
    char *body = malloc(HUGE_BYTES);
    memset(body, ' ', HUGE_BYTES - 1);
    body[HUGE_BYTES - 1] = '\0';
    scripted_reply(request, 200, NULL, body);
    free(body);
}

static void serve(void *ctx, const struct scripted_request *request)
{
    static const char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{";
    (void)ctx;
    for (size_t i = 0; i < ARRAY_LEN(manners); i++) {
        if (!strncmp(request->path, manners[i].path, strlen(manners[i].path))) {
            scripted_reply(request, manners[i].status, NULL, manners[i].body);
            return;
        }
    }
    bool is_redirect =
        !strncmp(request->path, "/moved/", 7) || !strncmp(request->path, "/round/", 7);
    *request->is_cut = !is_redirect;
    if (!strncmp(request->path, "/huge/", 6))
        send_huge(request);
    else if (!strncmp(request->path, "/moved/", 7))
        send_moved(request, "/99");
    else if (!strncmp(request->path, "/round/", 7))
        send_moved(request, "/round");
    else if (!strncmp(request->path, "/cut/", 5))
        scripted_send(request, half, sizeof(half) - 1);
    else if (!strncmp(request->path, "/stuck/", 7)) {
        scripted_send(request, half, sizeof(half) - 1);
        (void)scripted_wait(request, 60000);
    } else if (!strncmp(request->path, "/silent/", 8)) {
        (void)scripted_wait(request, 60000);
    }
}

/* -- built-in and in-line queries ------------------------------------------------------------------------------------ */

#define RATE     "{name: request-success-rate, thresholdRange: {min: 99}}"
#define DURATION "{name: request-duration, thresholdRange: {max: 500}}"
#define INLINE   "{name: mine, query: 'up{x=\"{{ target }}\"}', thresholdRange: {max: 10}}"

static const struct check_case {
    const char *name, *server, *provider, *metrics;
    enum metric_part part;
    bool is_ok, has_value;
    double value;
    enum canary_severity severity;
    const char *text;
} check_cases[] = {
    { "a rate that is good", "99", "istio", RATE, METRIC_BUILTIN, true, true, 99, 0, "" },
    { "a rate that is not", "half", "istio", RATE, METRIC_BUILTIN, false, true, 0.5, CANARY_WARN,
      "Halt podinfo.test advancement success rate 0.50% < 99%" },
    { "a rate without values", "empty", "nginx", RATE, METRIC_BUILTIN, false, false, 0, CANARY_WARN,
      "Halt advancement no values found for nginx metric request-success-rate probably app.test is "
      "not receiving traffic: running query failed: no values found" },
    { "the same of the application's own metrics", "nan", "kubernetes", RATE, METRIC_BUILTIN, false,
      false, 0, CANARY_WARN,
      "Halt advancement no values found for kubernetes metric request-success-rate probably "
      "app.test "
      "is not receiving traffic: no values found" },
    { "a duration that is not good", "slowish", "istio", DURATION, METRIC_BUILTIN, false, true,
      1 + 0.515, CANARY_WARN, "Halt podinfo.test advancement request duration 1.515s > 500ms" },
    { "a duration in seconds", "half", "gatewayapi:v1", DURATION, METRIC_BUILTIN, true, true, 0.5,
      0, "" },
    { "a duration in seconds that is too long", "one", "kubernetes", DURATION, METRIC_BUILTIN,
      false, true, 1, CANARY_WARN, "Halt podinfo.test advancement request duration 1s > 500ms" },
    { "a duration without values", "empty", "istio", DURATION, METRIC_BUILTIN, false, false, 0,
      CANARY_WARN,
      "Halt advancement no values found for istio metric request-duration probably app.test is not "
      "receiving traffic" },
    { "a server that is ill", "ill", "istio", RATE, METRIC_BUILTIN, false, false, 0, CANARY_ERROR,
      "Prometheus query failed: running query failed: error response: Status 500 Internal Server "
      "Error: oh no" },
    { "the same of the application's own metrics once more", "ill", "kubernetes", RATE,
      METRIC_BUILTIN, false, false, 0, CANARY_ERROR,
      "Prometheus query failed: error response: Status 500 Internal Server Error: oh no" },
    { "a word", "word", "istio", RATE, METRIC_BUILTIN, false, false, 0, CANARY_ERROR,
      "Prometheus query failed: running query failed: strconv.ParseFloat: parsing \"many\": "
      "invalid "
      "syntax" },
    { "a page", "page", "istio", RATE, METRIC_BUILTIN, false, false, 0, CANARY_ERROR,
      "Prometheus query failed: running query failed: error unmarshaling result: invalid character "
      "'<' looking for beginning of value, '<html>'" },
    { "an empty answer", "nothing", "istio", RATE, METRIC_BUILTIN, false, false, 0, CANARY_ERROR,
      "Prometheus query failed: running query failed: error unmarshaling result: unexpected end of "
      "JSON input, ''" },
    { "an answer without an end", "cut", "istio", RATE, METRIC_BUILTIN, false, false, 0,
      CANARY_ERROR,
      "Prometheus query failed: running query failed: error reading body: unexpected EOF" },
    { "an answer that is too long", "huge", "istio", RATE, METRIC_BUILTIN, false, false, 0,
      CANARY_ERROR,
      "Prometheus query failed: running query failed: error reading body: the answer is over "
      "1048576 bytes" },
    { "a redirect", "moved", "istio", RATE, METRIC_BUILTIN, true, true, 99, 0, "" },
    { "an in-line query", "one", "istio", INLINE, METRIC_QUERY, true, true, 1, 0, "" },
    { "an in-line query above its limit", "99", "istio", INLINE, METRIC_QUERY, false, true, 99,
      CANARY_WARN, "Halt podinfo.test advancement mine 99.00 > 10" },
    { "an in-line query without values", "empty", "istio", INLINE, METRIC_QUERY, false, false, 0,
      CANARY_WARN, "Halt advancement no values found for metric: mine" },
    { "an in-line query that fails", "ill", "istio", INLINE, METRIC_QUERY, false, false, 0,
      CANARY_ERROR,
      "Prometheus query failed for mine: error response: Status 500 Internal Server Error: oh no" },
    { "an in-line query that is none", "one", "istio", "{name: mine, query: '{{ nope }}'}",
      METRIC_QUERY, false, false, 0, CANARY_ERROR,
      "Prometheus query failed for mine: rendering query failed: template parsing failed: "
      "template: "
      "tmpl:1: function \"nope\" not defined" },
    { "nothing to ask", "one", "istio", "{name: mine}", METRIC_UNUSABLE, false, false, 0,
      CANARY_ERROR,
      "Metric query failed for no usable metrics template and query were configured" },
};

static void the_event_is(void **state)
{
    const struct check_case *row = *state;
    struct lab *lab = lab_new(serve, NULL);
    lab_canary(lab, row->server, row->provider, row->metrics);
    lab_check(lab, row->part);
    assert_string_equal(lab->text, lab_text(lab, row->text));
    assert_int_equal(lab->is_ok, row->is_ok);
    assert_int_equal(lab->has_value, row->has_value);
    assert_true(lab->value == row->value);
    if (!row->is_ok)
        assert_int_equal(lab->severity, row->severity);
    lab_free(lab);
}

static void a_server_that_is_gone_is_named(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    lab_canary(lab, "x", "istio", INLINE);
    scripted_go_away(lab->bench->server);
    lab_check(lab, METRIC_QUERY);
    assert_string_equal(
        lab->text,
        lab_text(lab,
                 "Prometheus query failed for mine: request failed: Get \"http://127.0.0.1:PORT/"
                 "x/api/v1/query?query=up%7Bx%3D%22app%22%7D\": dial tcp 127.0.0.1:PORT: "
                 "connect: connection refused"));
    lab_free(lab);
}

static void redirects_have_an_end(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    lab_canary(lab, "round", "istio", INLINE);
    lab_check(lab, METRIC_QUERY);
    assert_string_equal(
        lab->text,
        lab_text(lab,
                 "Prometheus query failed for mine: request failed: Get \"http://127.0.0.1:PORT/"
                 "round/api/v1/query?query=up%7Bx%3D%22app%22%7D\": more than 5 redirects"));
    assert_int_equal(scripted_count(lab->bench->server, "GET /round/"), 6);
    lab_free(lab);
}

/* Both at the same time: the five seconds are spent once. */
static void a_server_that_is_too_slow_is_left(void **state)
{
    (void)state;
    struct lab *silent = lab_new(serve, NULL), *stuck = lab_new(serve, NULL);
    lab_canary(silent, "silent", "istio", INLINE);
    lab_canary(stuck, "stuck", "istio", INLINE);
    struct metric_check check = { .canary = &silent->canary,
                                  .settings = &silent->settings,
                                  .live = silent->live,
                                  .part = METRIC_QUERY };
    (void)metric_check_start(silent->metric, &check, lab_on_told, silent);
    check.canary = &stuck->canary;
    (void)metric_check_start(stuck->metric, &check, lab_on_told, stuck);
    for (int i = 0; i < 1000 && !(silent->told && stuck->told); i++) {
        (void)loop_turn(silent->bench->loop, 10);
        (void)loop_turn(stuck->bench->loop, 10);
    }
    assert_string_equal(
        silent->text,
        lab_text(silent, "Prometheus query failed for mine: request failed: Get \"http://127.0.0.1:"
                         "PORT/silent/api/v1/query?query=up%7Bx%3D%22app%22%7D\": context deadline "
                         "exceeded"));
    assert_string_equal(stuck->text,
                        "Prometheus query failed for mine: error reading body: context "
                        "deadline exceeded");
    lab_free(silent);
    lab_free(stuck);
}

static void an_address_that_is_none_is_refused(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    lab_canary(lab, "x", "istio", RATE);
    lab->canary.metrics_server = "me:word@prometheus";
    lab_check(lab, METRIC_BUILTIN);
    assert_string_equal(lab->text, "Error building Prometheus client for me:***@prometheus "
                                   "prometheus address me:***@prometheus is not a valid URL");
    assert_int_equal(lab->severity, CANARY_ERROR);
    lab_free(lab);
}

static void the_server_of_the_settings_is_asked(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    lab_canary(lab, "x", "istio", RATE);
    lab->canary.metrics_server = "";
    lab->settings.metrics_server = lab_text(lab, "http://127.0.0.1:PORT/99/");
    lab_check(lab, METRIC_BUILTIN);
    assert_true(lab->is_ok);
    assert_int_equal(scripted_count(lab->bench->server, "GET /99/api/v1/query?query=+sum%28+rate"),
                     1);
    lab_free(lab);
}

static void a_check_that_is_cancelled_tells_nothing(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    lab_canary(lab, "silent", "istio", RATE);
    struct metric_check check = { .canary = &lab->canary,
                                  .settings = &lab->settings,
                                  .live = lab->live };
    ticket early = metric_check_start(lab->metric, &check, lab_on_told, lab);
    metric_cancel(lab->metric, early);
    ticket late = metric_check_start(lab->metric, &check, lab_on_told, lab);
    bench_turn_for(lab->bench, 100);
    assert_int_equal(http_in_flight(lab->bench->http), 1);
    metric_cancel(lab->metric, late);
    metric_cancel(lab->metric, late);
    assert_int_equal(http_in_flight(lab->bench->http), 0);
    (void)metric_check_start(lab->metric, &check, lab_on_told, lab);
    bench_turn_for(lab->bench, 100);
    assert_int_equal(lab->told, 0);
    lab_free(lab); /* with one running */
}

/* -- probes -------------------------------------------------------------------------------------------------------- */

static const struct probe_case {
    const char *name, *server, *metrics;
    const char *template; /* its provider; NULL: there is none */
    const char *text;     /* "" if all is well */
} probe_cases[] = {
    { "nothing to probe", "ill", "{name: mine, query: up}", NULL, "" },
    { "a server that is there", "one", RATE ", " DURATION, NULL, "" },
    { "a server that is ill", "ill", RATE, NULL,
      "prometheus not avaiable: running query failed: error response: Status 500 Internal Server "
      "Error: oh no" },
    { "a server that cannot count", "99", RATE, NULL,
      "prometheus not avaiable: value is not 1 for query: vector(1)" },
    { "a template that is not there", "one",
      "{name: mine, templateRef: {name: t, namespace: other}}", NULL,
      "metric template t.other error: metrictemplate.flagger.app \"t\" not found" },
    { "its server is there", "ill", "{name: mine, templateRef: {name: t, namespace: other}}",
      "{type: prometheus, address: 'http://127.0.0.1:PORT/one'}", "" },
    { "its server is ill", "one", RATE ", {name: mine, templateRef: {name: t, namespace: other}}",
      "{type: prometheus, address: 'http://127.0.0.1:PORT/ill'}",
      "prometheus in metric template t.other not avaiable: running query failed: error response: "
      "Status 500 Internal Server Error: oh no" },
    { "its Secret is not there", "one", "{name: mine, templateRef: {name: t, namespace: other}}",
      "{type: datadog, secretRef: {name: s}}",
      "metric template t.other secret s error: secrets \"s\" not found" },
    { "its client cannot be built", "one", "{name: mine, templateRef: {name: t, namespace: other}}",
      "{type: graphite}",
      "metric template t.other provider graphite error: graphite address  is not a valid URL" },
    { "a built-in metric with a template", "one",
      "{name: request-duration, templateRef: {name: t, namespace: other}}",
      "{type: prometheus, address: 'http://127.0.0.1:PORT/ill'}", "" },
};

static void the_probe_says(void **state)
{
    const struct probe_case *row = *state;
    struct lab *lab = lab_new(serve, NULL);
    lab_canary(lab, row->server, "istio", row->metrics);
    lab_put(lab, CANARY_API_VERSION, "MetricTemplate", "other", "t",
            row->template
                ? arena_printf(lab->mem, "{spec: {query: up, provider: %s}}", row->template)
                : NULL);
    lab_put(lab, "v1", "Secret", "other", "s", NULL);
    lab_probe(lab);
    assert_string_equal(lab->text, row->text);
    assert_int_equal(lab->is_ok, !*row->text);
    lab_free(lab);
}

static void the_global_server_is_probed(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    const char *good = lab_text(lab, "http://me:word@127.0.0.1:PORT/one");
    const char *bad = lab_text(lab, "http://127.0.0.1:PORT/ill");
    (void)metric_server_probe_start(lab->metric, good, lab_on_told, lab);
    lab_wait(lab);
    assert_true(lab->is_ok);
    assert_string_equal(lab->text, lab_text(lab, "Connected to metrics server "
                                                 "http://me:***@127.0.0.1:PORT/one"));
    (void)metric_server_probe_start(lab->metric, bad, lab_on_told, lab);
    lab_wait(lab);
    assert_false(lab->is_ok);
    assert_string_equal(lab->text,
                        lab_text(lab, "Metrics server http://127.0.0.1:PORT/ill "
                                      "unreachable running query failed: error response: "
                                      "Status 500 Internal Server Error: oh no"));
    lab_free(lab);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(a_server_that_is_gone_is_named),
        SINGLE(redirects_have_an_end),
        SINGLE(a_server_that_is_too_slow_is_left),
        SINGLE(an_address_that_is_none_is_refused),
        SINGLE(the_server_of_the_settings_is_asked),
        SINGLE(a_check_that_is_cancelled_tells_nothing),
        SINGLE(the_global_server_is_probed),
        ROWS(check_cases, the_event_is),
        ROWS(probe_cases, the_probe_says),
    };
    return rows_run("canary_metric_check", tests, ARRAY_LEN(tests));
}
