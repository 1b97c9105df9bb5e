/* Providers that are asked one question: prometheus, datadog, newrelic, graphite, dynatrace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "script.h"

#define PROM        "{type: prometheus, address: 'http://p:9090'}"
#define PROM_SECRET "{type: prometheus, address: 'http://p:9090', secret: "
#define VECTOR(v)   "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" v "]}}"
#define ONE(text)   "{\"metric\":{},\"value\":[1,\"" text "\"]}"

static const struct script_row prometheus[] = {
    { "one value", PROM, "up",
      .steps = { { "GET http://p:9090/api/v1/query?query=up", 200, VECTOR(ONE("100")) } },
      .result = "= 100" },
    { "the query is collapsed, not trimmed, and escaped", PROM, "\n  sum(\n\t\"a+b\"\n) \n",
      .steps = { { "GET http://p:9090/api/v1/query?query=+sum%28+%22a%2Bb%22+%29+", 200,
                   VECTOR(ONE("1")) } },
      .result = "= 1" },
    { "the address keeps its path and loses its query",
      "{type: prometheus, address: "
      "'https://p/prom/?x=1'}",
      "up", .steps = { { "GET https://p/prom/api/v1/query?query=up", 200, VECTOR(ONE("1")) } },
      .result = "= 1" },
    { "headers, then the token",
      "{type: prometheus, address: 'http://p', headers: {X-Org: [a, b], "
      "Authorization: [mine]}, insecureSkipVerify: true, secret: {token: tok, username: u}}",
      "up",
      .steps = { { "GET http://p/api/v1/query?query=up\nX-Org: a\nX-Org: b\nAuthorization: mine\n"
                   "Authorization: Bearer tok\n(insecure)",
                   200, VECTOR(ONE("1")) } },
      .result = "= 1" },
    { "user and password", PROM_SECRET "{username: me, password: word}}", "up",
      .steps = { { "GET http://p:9090/api/v1/query?query=up\nAuthorization: Basic bWU6d29yZA==",
                   200, VECTOR(ONE("1")) } },
      .result = "= 1" },
    { "an empty token is followed by nothing", PROM_SECRET "{token: ''}}", "up",
      .steps = { { "GET http://p:9090/api/v1/query?query=up", 200, VECTOR(ONE("1")) } },
      .result = "= 1" },
    { "no address", "{type: prometheus}", "up",
      .result = "refused: prometheus address  is not a valid URL" },
    { "an unknown type is taken for prometheus", "{type: victoria, address: 'p q'}", "up",
      .result = "refused: victoria address p q is not a valid URL" },
    { "a password in a bad address", "{type: prometheus, address: 'http://u:secret@p q'}", "up",
      .result = "refused: prometheus address http://u:***@p q is not a valid URL" },
    { "no user", PROM_SECRET "{password: word}}", "up",
      .result = "refused: prometheus credentials does not contain a username" },
    { "no password", PROM_SECRET "{username: me}}", "up",
      .result = "refused: prometheus credentials does not contain a password" },
    { "the last element decides", PROM, "up",
      .steps = { { NULL, 200, VECTOR(ONE("1") "," ONE("2") "," ONE("3.5")) } }, .result = "= 3.5" },
    { "no elements", PROM, "up", .steps = { { NULL, 200, VECTOR("") } },
      .result = "none: no values found" },
    { "null for a result", PROM, "up", .steps = { { NULL, 200, "{\"data\":{\"result\":null}}" } },
      .result = "none: no values found" },
    { "no data", PROM, "up", .steps = { { NULL, 200, "{}" } }, .result = "none: no values found" },
    { "not a number", PROM, "up", .steps = { { NULL, 200, VECTOR(ONE("NaN")) } },
      .result = "none: no values found" },
    { "infinity is a value", PROM, "up", .steps = { { NULL, 200, VECTOR(ONE("+Inf")) } },
      .result = "= +Inf" },
    { "minus infinity, too", PROM, "up", .steps = { { NULL, 200, VECTOR(ONE("-Inf")) } },
      .result = "= -Inf" },
    { "values that are no texts are skipped", PROM, "up",
      .steps = { { NULL, 200, VECTOR(ONE("7") ",{\"value\":[1,8]},{\"value\":[1]},{}") } },
      .result = "= 7" },
    { "a matrix", PROM, "up[5m]",
      .steps = { { NULL, 200, VECTOR("{\"metric\":{},\"values\":[[1,\"1\"],[2,\"2\"]]}") } },
      .result = "failed: query returned multiple values" },
    { "a scalar", PROM, "1",
      .steps = { { NULL, 200, "{\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"1\"]}}" } },
      .result = "failed: error unmarshaling result: json: an element of data.result is not an "
                "object, '{\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"1\"]}}'" },
    { "a result that is a map", PROM, "1", .steps = { { NULL, 200, "{\"data\":{\"result\":{}}}" } },
      .result = "failed: error unmarshaling result: json: data.result is not a list, "
                "'{\"data\":{\"result\":{}}}'" },
    { "a text for a value", PROM, "up", .steps = { { NULL, 200, VECTOR(ONE("many")) } },
      .result = "failed: strconv.ParseFloat: parsing \"many\": invalid syntax" },
    { "an empty text for a value", PROM, "up", .steps = { { NULL, 200, VECTOR(ONE("")) } },
      .result = "failed: strconv.ParseFloat: parsing \"\": invalid syntax" },
    { "a number out of range", PROM, "up", .steps = { { NULL, 200, VECTOR(ONE("1e999")) } },
      .result = "failed: strconv.ParseFloat: parsing \"1e999\": value out of range" },
    { "a page", PROM, "up", .steps = { { NULL, 200, "<html>" } },
      .result = "failed: error unmarshaling result: invalid character '<' looking for beginning "
                "of value, '<html>'" },
    { "nothing at all", PROM, "up", .steps = { { NULL, 200, "" } },
      .result = "failed: error unmarshaling result: unexpected end of JSON input, ''" },
    { "an error of the server", PROM, "up", .steps = { { NULL, 502, "bad gateway" } },
      .result = "failed: error response: Status 502 Bad Gateway: bad gateway" },
    { "a bad query", PROM, "up(",
      .steps = { { NULL, 400, "{\"status\":\"error\",\"errorType\":\"bad_data\"}" } },
      .result = "failed: error response: Status 400 Bad Request: "
                "{\"status\":\"error\",\"errorType\":\"bad_data\"}" },
    { "no connection", PROM, "up",
      .steps = { { NULL, .failure = "Get \"http://p:9090/api/v1/query?query=up\": dial tcp "
                                    "10.0.0.1:9090: connect: connection refused" } },
      .result = "failed: request failed: Get \"http://p:9090/api/v1/query?query=up\": dial tcp "
                "10.0.0.1:9090: connect: connection refused" },
    { "half an answer", PROM, "up",
      .steps = { { NULL, 200, "{", .failure = "unexpected EOF", .is_cut = true } },
      .result = "failed: error reading body: unexpected EOF" },
    { "a server that repeats the token", PROM_SECRET "{token: sesame}}", "up",
      .steps = { { NULL, 401, "no such token: sesame, sesame!" } },
      .result = "failed: error response: Status 401 Unauthorized: no such token: ***, ***!" },
    { "a server that repeats the login", PROM_SECRET "{username: me, password: word}}", "up",
      .steps = { { NULL, 401, "Basic bWU6d29yZA==, which is me and word" } },
      .result = "failed: error response: Status 401 Unauthorized: Basic ***, which is me and ***" },
    { "a server that repeats the address", "{type: prometheus, address: 'http://u:p@ss@p'}", "up",
      .steps = { { NULL, 500, "http://u:p@ss@p" } },
      .result = "failed: error response: Status 500 Internal Server Error: http://u:***@p" },
    { "a server that is there", PROM, .is_probe = true,
      .steps = { { "GET http://p:9090/api/v1/query?query=vector%281%29", 200, VECTOR(ONE("1")) } },
      .result = "= 1" },
    { "a server that cannot count", PROM, .is_probe = true,
      .steps = { { NULL, 200, VECTOR(ONE("2")) } },
      .result = "failed: value is not 1 for query: vector(1)" },
    { "a server that is ill", PROM, .is_probe = true, .steps = { { NULL, 502, "no" } },
      .result = "failed: running query failed: error response: Status 502 Bad Gateway: no" },
    { "a secret that is no text", PROM_SECRET "{token: 'raw:YQBi'}}", "up",
      .result = "refused: prometheus credentials: key token: it holds a NUL character" },
    { "a secret that is not base64", PROM_SECRET "{token: 'raw:*'}}", "up",
      .result = "refused: prometheus credentials: key token: illegal base64 data at input byte 0" },
};

#define DATADOG "{type: datadog, secret: {datadog_api_key: k1, datadog_application_key: k2}}"
#define DATADOG_ASK                                                \
    "GET "                                                         \
    "https://api.datadoghq.com/api/v1/"                            \
    "query?from=1789999400&query=avg%3Ax%7B%2A%7D&to=1790000000\n" \
    "DD-API-KEY: k1\nDD-APPLICATION-KEY: k2"

static const struct script_row datadog[] = {
    { "datadog: the oldest point of the first series", DATADOG, "avg:x{*}",
      .steps = { { DATADOG_ASK, 200,
                   "{\"series\":[{\"pointlist\":[[1577232000000,29325.1],"
                   "[1577318400000,null]]},{\"pointlist\":[[1,2]]}]}" } },
      .result = "= 29325.1" },
    { "datadog: another address and interval",
      "{type: datadog, address: 'https://dd.eu/', secret: {datadog_api_key: k1, "
      "datadog_application_key: k2}}",
      "x", "30s",
      .steps = { { "GET https://dd.eu/api/v1/query?from=1789999700&query=x&to=1790000000\n"
                   "DD-API-KEY: k1\nDD-APPLICATION-KEY: k2",
                   200, "{\"series\":[{\"pointlist\":[[1,7]]}]}" } },
      .result = "= 7" },
    { "datadog: null is 0", DATADOG, "x",
      .steps = { { NULL, 200, "{\"series\":[{\"pointlist\":[[1,null]]}]}" } }, .result = "= 0" },
    { "datadog: no series", DATADOG, "x", .steps = { { NULL, 200, "{\"series\":[]}" } },
      .result = "none: invalid response: {\"series\":[]}: no values found" },
    { "datadog: no points", DATADOG, "x",
      .steps = { { NULL, 200, "{\"series\":[{\"pointlist\":[]}]}" } },
      .result = "none: invalid response: {\"series\":[{\"pointlist\":[]}]}: no values found" },
    { "datadog: a point of one element", DATADOG, "x",
      .steps = { { NULL, 200, "{\"series\":[{\"pointlist\":[[1]]}]}" } },
      .result = "none: invalid response: {\"series\":[{\"pointlist\":[[1]]}]}: no values found" },
    { "datadog: a text for a point", DATADOG, "x",
      .steps = { { NULL, 200, "{\"series\":[{\"pointlist\":[[1,\"2\"]]}]}" } },
      .result = "failed: error unmarshaling result: json: a point of series[0].pointlist is not a "
                "number, '{\"series\":[{\"pointlist\":[[1,\"2\"]]}]}'" },
    { "datadog: refused", DATADOG, "x", .steps = { { NULL, 403, "{\"errors\":[\"Forbidden\"]}" } },
      .result = "failed: error response: {\"errors\":[\"Forbidden\"]}: 403 Forbidden" },
    { "datadog: no connection", DATADOG, "x", .steps = { { NULL, .failure = "EOF" } },
      .result = "failed: request failed: EOF" },
    { "datadog: no application key", "{type: datadog, secret: {datadog_api_key: k1}}", "x",
      .result = "refused: datadog credentials does not contain datadog_application_key" },
    { "datadog: no Secret", "{type: datadog}", "x",
      .result = "refused: datadog credentials does not contain datadog_api_key" },
    { "datadog: no interval", DATADOG, "x", "1min",
      .result = "refused: error parsing metric interval: time: unknown unit \"min\" in duration "
                "\"1min\"" },
    { "datadog: is there", DATADOG, .is_probe = true,
      .steps = { { "GET https://api.datadoghq.com/api/v1/validate\nDD-API-KEY: k1\n"
                   "DD-APPLICATION-KEY: k2",
                   200, "{\"valid\":true}" } },
      .result = "= 1" },
    { "datadog: is not there", DATADOG, .is_probe = true, .steps = { { NULL, 500, "no" } },
      .result = "failed: error response: no: 500 Internal Server Error" },
};

#define NEWRELIC \
    "{type: newrelic, secret: {newrelic_account_id: acc-51312, newrelic_query_key: key}}"

static const struct script_row newrelic[] = {
    { "newrelic: the only result", NEWRELIC, "SELECT filter(x)", "2m30s",
      .steps = { { "GET https://insights-api.newrelic.com/v1/accounts/acc-51312/query?nrql="
                   "SELECT+filter%28x%29+SINCE+150+seconds+ago\nX-Query-Key: key",
                   200, "{\"results\":[{\"result\":1.5}]}" } },
      .result = "= 1.5" },
    { "newrelic: two results", NEWRELIC, "x",
      .steps = { { NULL, 200, "{\"results\":[{\"result\":1},{\"result\":2}]}" } },
      .result = "none: invalid response: {\"results\":[{\"result\":1},{\"result\":2}]}: no values "
                "found" },
    { "newrelic: a result of another name", NEWRELIC, "x",
      .steps = { { NULL, 200, "{\"results\":[{\"percentiles\":{\"99\":2}}]}" } },
      .result = "none: invalid response: {\"results\":[{\"percentiles\":{\"99\":2}}]}: no values "
                "found" },
    { "newrelic: null", NEWRELIC, "x",
      .steps = { { NULL, 200, "{\"results\":[{\"result\":null}]}" } },
      .result = "none: invalid response: {\"results\":[{\"result\":null}]}: no values found" },
    { "newrelic: the account is in no message", NEWRELIC, "x",
      .steps = { { NULL, .failure = "Get \"https://x/accounts/acc-51312/query\": EOF" } },
      .result = "failed: request failed: Get \"https://x/accounts/***/query\": EOF" },
    { "newrelic: refused", NEWRELIC, "x", .steps = { { NULL, 401, "who?" } },
      .result = "failed: error response: who?: 401 Unauthorized" },
    { "newrelic: no key", "{type: newrelic, secret: {newrelic_account_id: a}}", "x",
      .result = "refused: newrelic credentials does not contain newrelic_query_key" },
    { "newrelic: is there", NEWRELIC, .is_probe = true,
      .steps = { { "GET https://insights-api.newrelic.com/v1/accounts/acc-51312/query?nrql="
                   "SELECT+%2A+FROM+Metric+SINCE+60+seconds+ago\nX-Query-Key: key",
                   200, "{}" } },
      .result = "= 1" },
};

#define GRAPHITE "{type: graphite, address: 'http://g/base'}"

static const struct script_row graphite[] = {
    { "graphite: the last point that is not null", GRAPHITE, "target=sumSeries(a.b)&from=-5min",
      "1min",
      .steps = { { "GET http://g/base/render?format=json&from=-5min&target=sumSeries%28a.b%29", 200,
                   "[{\"target\":\"x\",\"datapoints\":[[10,1],[75,2],[25,3],[100,4],[null,5]]}"
                   "]" } },
      .result = "= 100" },
    { "graphite: over all targets", GRAPHITE, "target=a", NULL,
      .steps = { { NULL, 200,
                   "[{\"datapoints\":[[10,1]]},{\"datapoints\":[[\"20.5\",1],[null,2]]}]" } },
      .result = "= 20.5" },
    { "graphite: user and password",
      "{type: graphite, address: 'http://g', insecureSkipVerify: true, secret: {username: me, "
      "password: word}}",
      " target=a\n&until= now",
      .steps = { { "GET http://g/render?+target=a+&format=json&until=+now\nAuthorization: Basic "
                   "bWU6d29yZA==\n(insecure)",
                   200, "[{\"datapoints\":[[1,1]]}]" } },
      .result = "= 1" },
    { "graphite: nothing but null", GRAPHITE, "target=a",
      .steps = { { NULL, 200, "[{\"datapoints\":[[null,1]]}]" } },
      .result = "none: no values found" },
    { "graphite: no targets", GRAPHITE, "target=a", .steps = { { NULL, 200, "[]" } },
      .result = "none: no values found" },
    { "graphite: a point of one element", GRAPHITE, "target=a",
      .steps = { { NULL, 200, "[{\"datapoints\":[[1]]}]" } },
      .result = "failed: error unmarshaling result: json: a point of datapoints has not two "
                "elements, '[{\"datapoints\":[[1]]}]'" },
    { "graphite: a word for a value", GRAPHITE, "target=a",
      .steps = { { NULL, 200, "[{\"datapoints\":[[\"x\",1]]}]" } },
      .result = "failed: error unmarshaling result: json: a value of datapoints is not a number, "
                "'[{\"datapoints\":[[\"x\",1]]}]'" },
    { "graphite: an error", GRAPHITE, "target=a", .steps = { { NULL, 500, "oh" } },
      .result = "failed: error response: oh" },
    { "graphite: no address", "{type: graphite}", "target=a",
      .result = "refused: graphite address  is not a valid URL" },
    { "graphite: no user", "{type: graphite, address: 'http://g', secret: {}}", "target=a",
      .result = "refused: graphite credentials does not contain a username" },
    { "graphite: is there", GRAPHITE, .is_probe = true,
      .steps = { { "GET http://g/base/render?format=json&target=test", 200, "[]" } },
      .result = "= 1" },
};

#define DYNATRACE "{type: dynatrace, address: 'https://d/e/1/', secret: {dynatrace_token: tok}}"

static const struct script_row dynatrace[] = {
    { "dynatrace: the first value of the last block", DYNATRACE, "builtin:x:filter(eq(a,b))",
      .steps = { { "GET https://d/e/1/api/v2/metrics/query?from=1789999400000&metricSelector="
                   "builtin%3Ax%3Afilter%28eq%28a%2Cb%29%29&resolution=Inf&to=1790000000000\n"
                   "Authorization: Api-Token tok",
                   200, "{\"result\":[{\"data\":[{\"values\":[1]},{\"values\":[2.5,3]}]}]}" } },
      .result = "= 2.5" },
    { "dynatrace: no values", DYNATRACE, "x",
      .steps = { { NULL, 200, "{\"result\":[{\"data\":[{\"values\":[]}]}]}" } },
      .result = "none: invalid response: {\"result\":[{\"data\":[{\"values\":[]}]}]}: no values "
                "found" },
    { "dynatrace: no data", DYNATRACE, "x", .steps = { { NULL, 200, "{\"result\":[{}]}" } },
      .result = "none: invalid response: {\"result\":[{}]}: no values found" },
    { "dynatrace: no result", DYNATRACE, "x", .steps = { { NULL, 200, "{}" } },
      .result = "none: invalid response: {}: no values found" },
    { "dynatrace: null is 0", DYNATRACE, "x",
      .steps = { { NULL, 200, "{\"result\":[{\"data\":[{\"values\":[null]}]}]}" } },
      .result = "= 0" },
    { "dynatrace: refused", DYNATRACE, "x", .steps = { { NULL, 403, "no" } },
      .result = "failed: error response: no: 403 Forbidden" },
    { "dynatrace: no address", "{type: dynatrace, secret: {dynatrace_token: t}}", "x",
      .result = "refused: dynatrace endpoint is not set" },
    { "dynatrace: no token", "{type: dynatrace, address: 'https://d'}", "x",
      .result = "refused: dynatrace credentials does not contain dynatrace_token" },
    { "dynatrace: is there", DYNATRACE, .is_probe = true,
      .steps = { { "GET https://d/e/1/api/v2/metrics?pageSize=1\nAuthorization: Api-Token tok", 200,
                   "{}" } },
      .result = "= 1" },
};

int main(void)
{
    const struct script_table tables[] = { SCRIPT_TABLE(prometheus), SCRIPT_TABLE(datadog),
                                           SCRIPT_TABLE(newrelic), SCRIPT_TABLE(graphite),
                                           SCRIPT_TABLE(dynatrace) };
    return script_run("canary_metric_queries", NULL, 0, tables, ARRAY_LEN(tables));
}
