/* Providers with a conversation of their own: influxdb, splunk, keptn, externalmetrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "script.h"

#define INFLUX      "{type: influxdb, address: 'http://i:8086', secret: {token: tok, org: 'my org'}}"
#define TYPES(type) "#datatype,string,long,dateTime:RFC3339," type ",string\r\n"
#define TABLE(type, rows)                                             \
    TYPES(type)                                                       \
    "#group,false,false,false,false,true\r\n#default,_result,,,,\r\n" \
    ",result,table,_time,_value,_field\r\n" rows "\r\n"

static const struct script_row influxdb[] = {
    { "influxdb: the first row", INFLUX, "from(bucket: \"b\")\n|> last()",
      .steps = { { "POST http://i:8086/api/v2/query?org=my+org\nAuthorization: Token tok\n"
                   "Content-Type: application/json\n(gzip)\n(15000 ms)\n\n"
                   "{\"dialect\":{\"annotations\":[\"datatype\",\"group\",\"default\"],"
                   "\"delimiter\":"
                   "\",\",\"header\":true},\"query\":\"from(bucket: \\\"b\\\")\\n|\\u003e last()\","
                   "\"type\":\"flux\"}",
                   200,
                   TABLE(
                       "double",
                       ",,0,2020-02-18T10:34:08Z,1.4,f\r\n,,0,2020-02-18T22:08:44Z,6.6,f\r\n") } },
      .result = "= 1.4" },
    { "influxdb: without a Secret", "{type: influxdb, address: 'http://i'}", "x",
      .steps = { { "POST http://i/api/v2/query?org=\nContent-Type: application/json\n(gzip)\n"
                   "(15000 "
                   "ms)\n\n{\"dialect\":{\"annotations\":[\"datatype\",\"group\",\"default\"],"
                   "\"delimiter\":\",\",\"header\":true},\"query\":\"x\",\"type\":\"flux\"}",
                   200, "" } },
      .result = "= 0" },
    { "influxdb: no rows are 0", INFLUX, "x", .steps = { { NULL, 200, TABLE("double", "") } },
      .result = "= 0" },
    { "influxdb: an empty cell", INFLUX, "x",
      .steps = { { NULL, 200, TABLE("double", ",,0,2020-02-18T10:34:08Z,,f\r\n") } },
      .result = "none: no values found" },
    { "influxdb: the default of an empty cell", INFLUX, "x",
      .steps = { { NULL, 200,
                   TYPES("double") "#default,_result,,,7.5,\r\n"
                                   ",result,table,_time,_value,_field\r\n,,0,2020-02-18T10:34:08Z,,"
                                   "f\r\n" } },
      .result = "= 7.5" },
    { "influxdb: a whole number is of another type", INFLUX, "x",
      .steps = { { NULL, 200, TABLE("long", ",,0,2020-02-18T10:34:08Z,4,f\r\n") } },
      .result = "failed: invalid response: _value is of type long, which is not double" },
    { "influxdb: a word", INFLUX, "x",
      .steps = { { NULL, 200, TABLE("double", ",,0,2020-02-18T10:34:08Z,many,f\r\n") } },
      .result = "failed: invalid response: strconv.ParseFloat: parsing \"many\": invalid syntax" },
    { "influxdb: no column _value", INFLUX, "x",
      .steps = { { NULL, 200, "#datatype,string,double\r\n,result,total\r\n,,4\r\n" } },
      .result = "failed: invalid response: there is no column _value" },
    { "influxdb: an error behind the head", INFLUX, "x",
      .steps = { { NULL, 200,
                   "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n"
                   ",error,reference\r\n,Failed to parse query,897\r\n" } },
      .result = "failed: error accessing influxdb query api: Failed to parse query" },
    { "influxdb: a table that is broken", INFLUX, "x",
      .steps = { { NULL, 200, "#datatype,string\r\n,\"resu" } },
      .result = "failed: invalid response: a quote is not closed" },
    { "influxdb: refused", INFLUX, "x",
      .steps = { { NULL, 401, "{\"code\":\"unauthorized\",\"message\":\"unauthorized access\"}" } },
      .result = "failed: error accessing influxdb query api: unauthorized: unauthorized access" },
    { "influxdb: a page", INFLUX, "x", .steps = { { NULL, 502, "<html>" } },
      .result = "failed: error accessing influxdb query api: Unexpected status code 502" },
    { "influxdb: no connection", INFLUX, "x",
      .steps = { { NULL, .failure = "Post \"http://i\": EOF" } },
      .result = "failed: error accessing influxdb query api: Post \"http://i\": EOF" },
    { "influxdb: no organisation", "{type: influxdb, address: 'http://i', secret: {token: t}}", "x",
      .result = "refused: influxdb credentials does not contain an organisation" },
    { "influxdb: no token", "{type: influxdb, address: 'http://i', secret: {org: o}}", "x",
      .result = "refused: influxdb credentials does not contain an authentication token" },
    { "influxdb: is there", INFLUX, .is_probe = true,
      .steps = { { NULL, 200, TABLE("long", ",,0,2020-02-18T10:34:08Z,4,f\r\n") } },
      .result = "= 1" },
    { "influxdb: is there and refuses", INFLUX, .is_probe = true,
      .steps = { { NULL, 200,
                   TABLE("long",
                         ",,0,2020-02-18T10:34:08Z,4,f\r\n") "#datatype,string,string\r\n,error,"
                                                             "reference\r\n,no bucket,1\r\n" } },
      .result = "failed: error accessing influxdb query api: no bucket" },
};

#define SPLUNK \
    "{type: splunk, address: 'https://api.us1.signalfx.com', secret: {sf_token_key: tok}}"
#define EVENT(name, data) "event: " name "\ndata: " data "\n\n"
#define CONTROL(name)     EVENT("control-message", "{\"event\":\"" name "\",\"timestampMs\":1}")
#define DATA(points)      EVENT("data", "{\"data\":[" points "],\"logicalTimestampMs\":1}")

static const struct script_row splunk[] = {
    { "splunk: the last value", SPLUNK, "data('x').publish()",
      .steps = { { "POST "
                   "https://stream.us1.signalfx.com/v2/signalflow/execute?immediate=true&start="
                   "1789999400123&stop=1790000000123\nX-SF-Token: tok\nContent-Type: text/plain\n"
                   "Accept: text/event-stream\n(stream)\n(60000 ms)\n\ndata('x').publish()",
                   200,
                   CONTROL("STREAM_START") DATA("{\"tsId\":\"A\",\"value\":1}") ": ping\n\n" DATA(
                       "") DATA("{\"tsId\":\"A\",\"value\":2.5}") CONTROL("END_OF_CHANNEL") } },
      .result = "= 2.5" },
    { "splunk: data in several lines", SPLUNK, "x",
      .steps = { { NULL, 200,
                   "id: 1\r\nevent: data\r\ndata: {\r\ndata: \"data\": [ {\"tsId\":\"A\","
                   "\r\ndata: \"value\": 7 } ] }\r\n\r\n" } },
      .result = "= 7" },
    { "splunk: two series", SPLUNK, "x",
      .steps = { { NULL, 200, DATA("{\"tsId\":\"A\",\"value\":1},{\"tsId\":\"B\",\"value\":2}") } },
      .result = "failed: query returned multiple values" },
    { "splunk: two series one after the other", SPLUNK, "x",
      .steps = { { NULL, 200,
                   DATA("{\"tsId\":\"A\",\"value\":1}") DATA("{\"tsId\":\"B\",\"value\":2}") } },
      .result = "failed: query returned multiple values" },
    { "splunk: nothing", SPLUNK, "x",
      .steps = { { NULL, 200, CONTROL("STREAM_START") CONTROL("END_OF_CHANNEL") } },
      .result = "none: no values found" },
    { "splunk: null", SPLUNK, "x",
      .steps = { { NULL, 200, DATA("{\"tsId\":\"A\",\"value\":null}") CONTROL("END_OF_CHANNEL") } },
      .result = "none: no values found" },
    { "splunk: an error in the stream", SPLUNK, "x",
      .steps = { { NULL, 200,
                   EVENT("error", "{\"error\":400,\"message\":\"Unknown function\"}") } },
      .result = "failed: error response: Unknown function" },
    { "splunk: given up", SPLUNK, "x",
      .steps = { { NULL, 200,
                   EVENT("control-message", "{\"event\":\"CHANNEL_ABORT\",\"abortInfo\":"
                                            "{\"sf_job_abortReason\":\"too much\"}}") } },
      .result = "failed: error response: channel aborted: too much" },
    { "splunk: refused", SPLUNK, "x", .steps = { { NULL, 401, "who is tok" } },
      .result = "failed: error response: who is ***: 401 Unauthorized" },
    { "splunk: no connection", SPLUNK, "x", .steps = { { NULL, .failure = "EOF" } },
      .result = "failed: request failed: EOF" },
    { "splunk: the address of a stream is asked for the API",
      "{type: splunk, address: 'wss://stream.eu0.signalfx.com/p/', secret: {sf_token_key: tok}}",
      .is_probe = true,
      .steps = { { "GET https://api.eu0.signalfx.com/p/v2/metric?limit=1\nX-SF-Token: tok", 200,
                   "" } },
      .result = "= 1" },
    { "splunk: a socket without TLS",
      "{type: splunk, address: 'ws://api.local', secret: {sf_token_key: t}}", "x",
      .steps = { { "POST http://stream.local/v2/signalflow/execute?immediate=true&start="
                   "1789999400123&stop=1790000000123\nX-SF-Token: t\nContent-Type: text/plain\n"
                   "Accept: text/event-stream\n(stream)\n(60000 ms)\n\nx",
                   200, "" } },
      .result = "none: no values found" },
    { "splunk: is not there", SPLUNK, .is_probe = true, .steps = { { NULL, 404, "no" } },
      .result = "failed: error response: no: 404 Not Found" },
    { "splunk: no address", "{type: splunk, secret: {sf_token_key: t}}", "x",
      .result = "refused: splunk address  is not a valid URL" },
    { "splunk: no token", "{type: splunk, address: 'https://api.x'}", "x",
      .result = "refused: splunk credentials does not contain sf_token_key" },
};

#define KEPTN    "{type: keptn}"
#define ANALYSES "/apis/metrics.keptn.sh/v1beta1/namespaces/pod-demo/analyses"
#define MADE     ANALYSES "/response-time-cdef12"
#define RUNNING                                                       \
    {                                                                 \
        "KUBE GET " MADE, 200, "{\"status\":{\"state\":\"Pending\"}}" \
    }
#define SECOND            \
    {                     \
        "PAUSE 1000", 200 \
    }
#define DELETED                        \
    {                                  \
        "KUBE DELETE " MADE, 200, "{}" \
    }
#define CREATED                                                                            \
    {                                                                                      \
        "KUBE POST " ANALYSES "\n\n"                                                       \
        "{\"apiVersion\":\"metrics.keptn.sh/v1beta1\",\"kind\":\"Analysis\",\"metadata\":" \
        "{\"name\":\"response-time-cdef12\",\"namespace\":\"pod-demo\"},\"spec\":"         \
        "{\"timeframe\":{\"recent\":\"1m\"},\"analysisDefinition\":{\"name\":"             \
        "\"response-time\"}}}",                                                            \
            201, "{}"                                                                      \
    }

static const struct script_row keptn[] = {
    { "keptn: a metric, in lower case", KEPTN, " KeptnMetric/Pod-Demo/Response-Time\n",
      .steps = { { "KUBE GET /apis/metrics.keptn.sh/v1beta1/namespaces/pod-demo/keptnmetrics/"
                   "response-time",
                   200, "{\"status\":{\"value\":\"12.5\"}}" } },
      .result = "= 12.5" },
    { "keptn: a metric without a value", KEPTN, "keptnmetrics/a/b",
      .steps = { { NULL, 200, "{\"status\":{\"value\":\"\"}}" } },
      .result = "failed: could not read KeptnMetric a/b: it has no value" },
    { "keptn: a metric with a word", KEPTN, "keptnmetric/a/b",
      .steps = { { NULL, 200, "{\"status\":{\"value\":\"x\"}}" } },
      .result =
          "failed: could not read KeptnMetric a/b: strconv.ParseFloat: parsing \"x\": invalid "
          "syntax" },
    { "keptn: no such metric", KEPTN, "keptnmetric/a/b",
      .steps = { { NULL, 404,
                   "{\"message\":\"keptnmetrics.metrics.keptn.sh \\\"b\\\" not found\"}" } },
      .result =
          "failed: could not retrieve KeptnMetric a/b: keptnmetrics.metrics.keptn.sh \"b\" not "
          "found" },
    { "keptn: an analysis that passes", KEPTN, "analysis/pod-demo/response-time",
      .steps = { CREATED,
                 SECOND,
                 RUNNING,
                 SECOND,
                 { "KUBE GET " MADE, 200, "{\"status\":{\"state\":\"Completed\",\"pass\":true}}" },
                 DELETED },
      .result = "= 1" },
    { "keptn: an analysis that fails, with a time and arguments", KEPTN,
      "analyses/pod-demo/response-time/5M/K=v;b=c=d;;x",
      .steps = { { "KUBE POST " ANALYSES
                   "\n\n{\"apiVersion\":\"metrics.keptn.sh/v1beta1\",\"kind\":"
                   "\"Analysis\",\"metadata\":{\"name\":\"response-time-cdef12\",\"namespace\":"
                   "\"pod-demo\"},\"spec\":{\"timeframe\":{\"recent\":\"5m\"},"
                   "\"analysisDefinition\":"
                   "{\"name\":\"response-time\"},\"args\":{\"k\":\"v\",\"b\":\"c=d\"}}}",
                   201, "{}" },
                 SECOND,
                 { "KUBE GET " MADE, 200, "{\"status\":{\"state\":\"Completed\",\"pass\":false}}" },
                 DELETED },
      .result = "= 0" },
    { "keptn: what cannot be made", KEPTN, "analysis/pod-demo/response-time",
      .steps = { { NULL, 403, "{\"message\":\"forbidden\"}" } },
      .result = "failed: could not create Analysis pod-demo/response-time-cdef12: forbidden" },
    { "keptn: what cannot be read is deleted", KEPTN, "analysis/pod-demo/response-time",
      .steps = { CREATED, SECOND, { NULL, .failure = "timeout" }, DELETED },
      .result = "failed: could not check for status of Analysis pod-demo/response-time-cdef12: "
                "timeout" },
    { "keptn: two words", KEPTN, "keptnmetric/a",
      .result = "failed: unexpected query format; expected <kind>/<namespace>/<name>, or "
                "<kind>/<namespace>/<name>/<duration>/<arguments>" },
    { "keptn: another kind", KEPTN, "pod/a/b",
      .result = "failed: unexpected resource kind pod; expected keptnmetric or analysis" },
    { "keptn: is always there", KEPTN, .is_probe = true, .result = "= 1" },
};

#define EXTERNAL    "{type: externalmetrics}"
#define GROUP       "/apis/external.metrics.k8s.io/v1beta1/namespaces"
#define ITEM(value) "{\"items\":[{\"metricName\":\"m\",\"value\":" value "},{\"value\":\"9\"}]}"

static const struct script_row external[] = {
    { "externalmetrics: a metric", EXTERNAL, "shop/queue",
      .steps = { { "KUBE GET " GROUP "/shop/queue\nAccept: application/json", 200,
                   ITEM("\"100m\"") } },
      .result = "= 0.1" },
    { "externalmetrics: a selector", EXTERNAL,
      "queue?labelSelector=app%3Dweb%2Ctier%20in%20%28a%29",
      .steps = { { "KUBE GET " GROUP "/default/queue?labelSelector=app%3Dweb%2Ctier+in+%28a%29\n"
                   "Accept: application/json",
                   200, ITEM("\"42\"") } },
      .result = "= 42" },
    { "externalmetrics: a slash in front", EXTERNAL, "/m",
      .steps = { { "KUBE GET " GROUP "/default/m\nAccept: application/json", 200,
                   ITEM("\"2Ki\"") } },
      .result = "= 2048" },
    { "externalmetrics: another server",
      "{type: externalmetrics, address: 'https://other:6443/', "
      "insecureSkipVerify: true}",
      "m",
      .steps = { { "GET https://other:6443" GROUP
                   "/default/m\nAccept: application/json\n(insecure)\n"
                   "(trusts the cluster)",
                   200, ITEM("\"1.5\"") } },
      .result = "= 1.5" },
    { "externalmetrics: host and port",
      "{type: externalmetrics, address: 'other:6443', secret: "
      "{token: tok}}",
      "m",
      .steps = { { "GET https://other:6443" GROUP "/default/m\nAccept: application/json\n"
                   "Authorization: Bearer tok\n(trusts the cluster)",
                   200, ITEM("\"-3k\"") } },
      .result = "= -3000" },
    { "externalmetrics: another token", "{type: externalmetrics, secret: {token: tok}}", "m",
      .steps = { { "GET " GROUP "/default/m\nAccept: application/json\nAuthorization: Bearer tok\n"
                   "(at the cluster)\n(trusts the cluster)",
                   200, ITEM("\"1e3\"") } },
      .result = "= 1000" },
    { "externalmetrics: a number", EXTERNAL, "m", .steps = { { NULL, 200, ITEM("5") } },
      .result = "= 5" },
    { "externalmetrics: no items", EXTERNAL, "m", .steps = { { NULL, 200, "{\"items\":[]}" } },
      .result = "none: no values found" },
    { "externalmetrics: no quantity", EXTERNAL, "m",
      .steps = { { NULL, 200, ITEM("\"5 apples\"") } },
      .result = "failed: error unmarshaling result: json: items[0].value is not a quantity, "
                "'{\"items\":[{\"metricName\":\"m\",\"value\":\"5 apples\"},{\"value\":\"9\"}]}'" },
    { "externalmetrics: refused", EXTERNAL, "m", .steps = { { NULL, 403, "{\"message\":\"no\"}" } },
      .result = "failed: error querying external metrics API: no" },
    { "externalmetrics: no connection", EXTERNAL, "m", .steps = { { NULL, .failure = "EOF" } },
      .result = "failed: error querying external metrics API: EOF" },
    { "externalmetrics: no metric", EXTERNAL, "ns/",
      .result = "failed: metric name cannot be empty" },
    { "externalmetrics: a slash", EXTERNAL, "/", .result = "failed: metric name cannot be empty" },
    { "externalmetrics: nothing", EXTERNAL, "", .result = "failed: metric name cannot be empty" },
    { "externalmetrics: a blank", EXTERNAL, " \n",
      .result = "failed: metric name cannot be empty" },
    { "externalmetrics: two slashes", EXTERNAL, "a/b/c",
      .result =
          "failed: malformed query string, too many slashes, expected namespace/metric: a/b/c" },
    { "externalmetrics: is there", EXTERNAL, .is_probe = true,
      .steps = { { "KUBE GET " GROUP "/kube-system/dummy-metric\nAccept: application/json", 200,
                   "{\"items\":[]}" } },
      .result = "= 1" },
    { "externalmetrics: is not there", EXTERNAL, .is_probe = true,
      .steps = { { NULL, 404, "404 page not found" } },
      .result = "failed: error querying external metrics API: 404 Not Found" },
};

/* The end of a stream is seen wherever it is cut in two, and not before it is whole. */
static void a_stream_is_over_with_its_last_event(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const struct script_row row = { .source = SPLUNK, .query = "x" };
    static const char text[] = DATA("{\"tsId\":\"A\",\"value\":1}") CONTROL("END_OF_CHANNEL");
    struct metric_question question = script_question(mem, &row);
    struct metric_talk *talk = NULL;
    struct metric_turn turn;
    assert_null(metric_talk_new(mem, &question, &talk));
    metric_talk_next(talk, NULL, &turn);
    for (size_t cut = 0; cut < strlen(text); cut++) {
        assert_false(turn.request.is_enough(text, cut, 0));
        assert_true(turn.request.is_enough(text, strlen(text), cut));
    }
}

static void an_analysis_that_does_not_end_is_given_up(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const struct script_row row = { .source = KEPTN, .query = "analysis/a/b" };
    struct metric_question question = script_question(mem, &row);
    struct metric_answer answer = { .status = 200, .body = "{}", .len = 2 };
    struct metric_talk *talk = NULL;
    struct metric_turn turn;
    int polls = 0;
    assert_null(metric_talk_new(mem, &question, &talk));
    for (metric_talk_next(talk, NULL, &turn); turn.kind == METRIC_TURN_ASK;
         metric_talk_next(talk, &answer, &turn))
        polls += turn.request.way == METRIC_WAY_KUBE && !strcmp(turn.request.method, "GET");
    assert_int_equal(polls, 10);
    assert_string_equal(turn.text,
                        "encountered timeout while waiting for Keptn Analysis a/b-cdef12 "
                        "to be finished");
}

int main(void)
{
    const struct CMUnitTest others[] = { cmocka_unit_test(a_stream_is_over_with_its_last_event),
                                         cmocka_unit_test(
                                             an_analysis_that_does_not_end_is_given_up) };
    const struct script_table tables[] = { SCRIPT_TABLE(influxdb), SCRIPT_TABLE(splunk),
                                           SCRIPT_TABLE(keptn), SCRIPT_TABLE(external) };
    return script_run("canary_metric_talks", others, ARRAY_LEN(others), tables, ARRAY_LEN(tables));
}
