/* Checks of MetricTemplates: what they name, what is missing, and conversations of more than one request. */
#include <stdlib.h>
#include <string.h>

#include "../../rows.h"

#include "files.h"
#include "lab.h"

#define ONE(text) \
    "{\"status\":\"success\",\"data\":{\"result\":[{\"metric\":{},\"value\":[1,\"" text "\"]}]}}"
#define ANALYSES "/apis/metrics.keptn.sh/v1beta1/namespaces/test/analyses"

static void serve_stream(const struct scripted_request *request)
{
    scripted_begin(request);
    scripted_piece(request, "event: data\ndata: {\"data\":[{\"tsId\":\"A\",\"value\":3.5}]}\n\n");
    scripted_piece(request, "event: control-message\ndata: {\"event\":\"END_OF_CH");
    scripted_piece(request, "ANNEL\"}\n\n");
    (void)scripted_wait(request, 60000); /* it stays open */
}

static void serve_sts(const struct scripted_request *request)
{
    bool is_right = strstr(request->body, "WebIdentityToken=jwt") != NULL;
    scripted_reply(
        request, is_right ? 200 : 403, NULL,
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
        "<AccessKeyId>AKID</AccessKeyId><SecretAccessKey>sEcReT</SecretAccessKey>"
        "<SessionToken>tEmP</SessionToken></Credentials></AssumeRoleWithWebIdentityResult>"
        "</AssumeRoleWithWebIdentityResponse>");
}

static void serve_cloudwatch(const struct scripted_request *request)
{
    bool is_signed = strstr(scripted_header(request, "Authorization"), "Credential=AKID/") &&
                     !strcmp(scripted_header(request, "X-Amz-Security-Token"), "tEmP");
    scripted_reply(
        request, is_signed ? 200 : 403, NULL,
        "<GetMetricDataResponse><GetMetricDataResult><MetricDataResults><member><Values>"
        "<member>4.5</member></Values></member></MetricDataResults></GetMetricDataResult>"
        "</GetMetricDataResponse>");
}

static void serve_analysis(const struct scripted_request *request)
{
    bool is_done = !strcmp(request->method, "GET") && request->count > 0;
    scripted_reply(request, !strcmp(request->method, "POST") ? 201 : 200, NULL,
                   is_done ? "{\"status\":{\"state\":\"Completed\",\"pass\":true}}"
                           : "{\"status\":{}}");
}

static void serve_external(const struct scripted_request *request)
{
    const char *auth = scripted_header(request, "Authorization");
    bool is_right = !strstr(request->path, "/tokens") || !strcmp(auth, "Bearer tok");
    scripted_reply(request, is_right ? 200 : 401, NULL,
                   "{\"items\":[{\"metricName\":\"m\",\"value\":\"1500m\"}]}");
}

static void serve(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    if (strstr(request->path, "/signalflow/execute"))
        serve_stream(request);
    else if (!strncmp(request->path, "/sts", 4))
        serve_sts(request);
    else if (!strncmp(request->path, "/cw", 3))
        serve_cloudwatch(request);
    else if (!strncmp(request->path, ANALYSES, strlen(ANALYSES)))
        serve_analysis(request);
    else if (strstr(request->path, "/external.metrics.k8s.io/"))
        serve_external(request);
    else if (strstr(request->path, "/who/"))
        scripted_reply(request, 401, NULL, scripted_header(request, "Authorization"));
    else
        scripted_reply(request, 200, NULL,
                       strstr(request->path, "/none/") ? "{\"data\":{\"result\":[]}}"
                                                       : ONE("1.51"));
}

/* -- what a template says -------------------------------------------------------------------------------------------- */

#define CUSTOM \
    "{name: error-rate, templateRef: {name: t, namespace: other}, thresholdRange: {max: 1.5}}"
#define GOOD \
    "{name: error-rate, templateRef: {name: t, namespace: other}, thresholdRange: {max: 2}}"

static const struct template_case {
    const char *name, *metrics;
    const char *template; /* its spec; NULL: it is not there */
    const char *secret;   /* its data; NULL: it is not there */
    bool is_ok, has_value;
    enum canary_severity severity;
    const char *text;
} template_cases[] = {
    { "a value that is good", GOOD,
      "{query: up, provider: {type: prometheus, address: "
      "'http://127.0.0.1:PORT'}}",
      NULL, true, true, 0, "" },
    { "a value that is not", CUSTOM,
      "{query: up, provider: {type: prometheus, address: "
      "'http://127.0.0.1:PORT'}}",
      NULL, false, true, CANARY_WARN, "Halt podinfo.test advancement error-rate 1.51 > 1.5" },
    { "no value", CUSTOM,
      "{query: up, provider: {type: prometheus, address: "
      "'http://127.0.0.1:PORT/none'}}",
      NULL, false, false, CANARY_WARN,
      "Halt advancement no values found for custom metric: error-rate: no values found" },
    { "no template", CUSTOM, NULL, NULL, false, false, CANARY_ERROR,
      "Metric template t.other error: metrictemplate.flagger.app \"t\" not found" },
    { "no Secret", CUSTOM, "{query: up, provider: {type: prometheus, secretRef: {name: s}}}", NULL,
      false, false, CANARY_ERROR,
      "Metric template t.other secret s error: secrets \"s\" not found" },
    { "a Secret without the key", CUSTOM,
      "{query: up, provider: {type: newrelic, secretRef: {name: "
      "s}}}",
      "{}", false, false, CANARY_ERROR,
      "Metric template t.other provider newrelic error: newrelic credentials does not contain "
      "newrelic_account_id" },
    { "neither a client nor a query", CUSTOM, "{query: '{{ if }}', provider: {type: graphite}}",
      NULL, false, false, CANARY_ERROR,
      "Metric template t.other provider graphite error: graphite address  is not a valid URL" },
    { "a query that is none", CUSTOM,
      "{query: '{{ if }}', provider: {type: prometheus, address: "
      "'http://127.0.0.1:PORT'}}",
      NULL, false, false, CANARY_ERROR,
      "Metric template t.other query render error: template parsing failed: template: tmpl:1: "
      "missing "
      "value for if" },
    { "a variable that is not given", CUSTOM,
      "{query: '{{ variables.codes }}', provider: {type: "
      "prometheus, address: 'http://127.0.0.1:PORT'}}",
      NULL, false, false, CANARY_ERROR,
      "Metric template t.other query render error: template excution failed: template: tmpl:1:3: "
      "executing \"tmpl\" at <variables>: map has no entry for key \"codes\"" },
    { "a token that is repeated", CUSTOM,
      "{query: up, provider: {type: prometheus, address: "
      "'http://127.0.0.1:PORT/who/', secretRef: {name: s}}}",
      "{token: c2VzYW1l}", false, false, CANARY_ERROR,
      "Metric query failed for error-rate: error response: Status 401 Unauthorized: Bearer ***" },
    { "an unknown kind of provider", GOOD,
      "{query: up, provider: {type: victoria, address: "
      "'http://127.0.0.1:PORT'}}",
      NULL, true, true, 0, "" },
};

static void the_event_is(void **state)
{
    const struct template_case *row = *state;
    struct lab *lab = lab_new(serve, NULL);
    lab_canary(lab, "x", "istio", row->metrics);
    lab_put(lab, CANARY_API_VERSION, "MetricTemplate", "other", "t",
            row->template ? arena_printf(lab->mem, "{spec: %s}", row->template) : NULL);
    lab_put(lab, "v1", "Secret", "other", "s",
            row->secret ? arena_printf(lab->mem, "{data: %s}", row->secret) : NULL);
    lab_check(lab, METRIC_TEMPLATE);
    assert_string_equal(lab->text, row->text);
    assert_int_equal(lab->is_ok, row->is_ok);
    assert_int_equal(lab->has_value, row->has_value);
    if (!row->is_ok)
        assert_int_equal(lab->severity, row->severity);
    bool is_known = !row->template || !strstr(row->template, "victoria");
    bool was_told = strstr(bench_log(lab->bench),
                           "unknown metrics provider 'victoria', using prometheus") != NULL;
    assert_int_equal(was_told, !is_known);
    assert_null(strstr(bench_log(lab->bench), "sesame"));
    lab_free(lab);
}

static void what_is_not_read_yet_is_not_missing(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    lab_canary(lab, "x", "istio", CUSTOM);
    lab_check(lab, METRIC_TEMPLATE);
    assert_string_equal(lab->text,
                        "Metric template t.other error: metrictemplate.flagger.app \"t\" is "
                        "not read yet");
    lab_free(lab);
}

static void a_template_sees_the_canary(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    lab_canary(lab, "x", "istio",
               "{name: m, interval: 30s, templateRef: {name: t}, "
               "templateVariables: {codes: 5..}}");
    lab_put(
        lab, CANARY_API_VERSION, "MetricTemplate", "test", "t",
        "{spec: {provider: {type: prometheus, address: 'http://127.0.0.1:PORT', headers: {X-A: "
        "[b]}}, query: \"{{ name }}.{{ namespace }}.{{ target }}.{{ service }}.{{ ingress }}.{{ "
        "route }}.{{ variables.codes }}\\n[{{ interval }}]\"}}");
    lab_check(lab, METRIC_TEMPLATE);
    assert_int_equal(
        scripted_count(lab->bench->server,
                       "GET /api/v1/query?query=podinfo.test.app.app.app.app.5..+%5B30s"
                       "%5D"),
        1);
    assert_non_null(
        strstr(bench_log(lab->bench), "Metric template t.test query: podinfo.test.app"));
    lab_free(lab);
}

/* -- Knative --------------------------------------------------------------------------------------------------------- */

static void the_route_of_knative_is_its_latest_revision(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    lab_canary(lab, "x", "knative", "{name: request-success-rate}");
    lab_put(lab, "serving.knative.dev/v1", "Service", "test", "app",
            "{status: {latestCreatedRevisionName: app-00002}}");
    lab_check(lab, METRIC_BUILTIN);
    assert_true(lab->is_ok);
    assert_int_equal(
        scripted_count(lab->bench->server, "envoy_cluster_name%3D~%22test%2Fapp-00002%22"), 1);
    lab_put(lab, "serving.knative.dev/v1", "Service", "test", "app", NULL);
    lab_check(lab, METRIC_BUILTIN);
    assert_string_equal(lab->text, "Error fetching Knative service test/app "
                                   "services.serving.knative.dev \"app\" not found");
    assert_int_equal(lab->severity, CANARY_ERROR);
    lab_free(lab);
}

/* -- conversations ----------------------------------------------------------------------------------------------------- */

static void use_template(struct lab *lab, const char *provider, const char *query,
                         const char *secret)
{
    lab_canary(lab, "x", "istio", "{name: m, templateRef: {name: t}, thresholdRange: {max: 100}}");
    lab_put(lab, CANARY_API_VERSION, "MetricTemplate", "test", "t",
            arena_printf(lab->mem, "{spec: {query: '%s', provider: %s}}", query, provider));
    lab_put(lab, "v1", "Secret", "test", "s", secret);
}

static void assert_value(const struct lab *lab, double value)
{
    if (!lab->has_value)
        fail_msg("%s", lab->text);
    assert_true(lab->value == value);
}

static void a_stream_that_stays_open_is_left(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    use_template(lab, "{type: splunk, address: 'http://127.0.0.1:PORT', secretRef: {name: s}}",
                 "data(1).publish()", "{data: {sf_token_key: dG9r}}");
    lab_check(lab, METRIC_TEMPLATE);
    assert_value(lab, 3.5);
    assert_int_equal(http_in_flight(lab->bench->http), 0);
    lab_free(lab);
}

static void files_lead_to_credentials_and_these_to_a_value(void **state)
{
    (void)state;
    struct files *files = files_new();
    char token[300], home[300], cw[100] = "", sts[100] = "";
    const char *environ_list[] = { home, token, cw, sts, "AWS_EC2_METADATA_DISABLED=true", NULL };
    struct lab *lab = lab_new(serve, environ_list);
    snprintf(home, sizeof(home), "HOME=%s", files_dir(files));
    snprintf(token, sizeof(token), "UNUSED=%s", files_write(files, "token", "jwt\n"));
    snprintf(cw, sizeof(cw), "AWS_ENDPOINT_URL_CLOUDWATCH=%s",
             lab_text(lab, "http://127.0.0.1:PORT/cw"));
    snprintf(sts, sizeof(sts), "AWS_ENDPOINT_URL_STS=%s",
             lab_text(lab, "http://127.0.0.1:PORT/sts"));
    use_template(lab, "{type: cloudwatch, region: eu-west-1}", "[]", NULL);
    lab_check(lab, METRIC_TEMPLATE);
    assert_string_equal(lab->text,
                        "Metric query failed for m: error requesting cloudwatch: aws "
                        "credentials: NoCredentialProviders: no valid providers in chain");
    files_write(files, ".aws/config",
                arena_printf(lab->mem, "[default]\nrole_arn = r\nweb_identity_token_file = %s\n",
                             files_path(files, "token")));
    lab_check(lab, METRIC_TEMPLATE);
    assert_value(lab, 4.5);
    assert_int_equal(scripted_count(lab->bench->server, "POST /sts"), 1);
    assert_int_equal(scripted_count(lab->bench->server, "POST /cw"), 1);
    lab_free(lab);
    files_free(files);
}

static void the_api_server_is_asked_as_ourselves(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    use_template(lab, "{type: externalmetrics}", "test/queue?labelSelector=a%3Db", NULL);
    lab_check(lab, METRIC_TEMPLATE);
    assert_value(lab, 1.5);
    assert_int_equal(
        scripted_count(lab->bench->server,
                       "GET /apis/external.metrics.k8s.io/v1beta1/namespaces/test/queue?"
                       "labelSelector=a%3Db"),
        1);
    use_template(lab, "{type: externalmetrics, secretRef: {name: s}}", "test/tokens",
                 "{data: {token: dG9r}}");
    lab_check(lab, METRIC_TEMPLATE);
    assert_value(lab, 1.5);
    lab_free(lab);
}

static void an_analysis_is_made_watched_and_deleted(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    use_template(lab, "{type: keptn}", "analysis/test/slo", NULL);
    lab_check(lab, METRIC_TEMPLATE);
    assert_value(lab, 1);
    assert_int_equal(scripted_count(lab->bench->server, "POST " ANALYSES), 1);
    assert_int_equal(scripted_count(lab->bench->server, "GET " ANALYSES "/slo-"), 2);
    assert_int_equal(scripted_count(lab->bench->server, "DELETE " ANALYSES "/slo-"), 1);
    lab_free(lab);
}

/* -- wants ----------------------------------------------------------------------------------------------------------- */

static const char *wanted(struct lab *lab)
{
    struct live_wants wants = { .mem = lab->mem };
    SBUF(text, SBUF_MAX);
    metric_check_wants(&lab->canary, &lab->settings, lab->live, &wants);
    for (size_t i = 0; i < wants.keys.len; i++) {
        const struct live_key *key = &wants.keys.at[i];
        sbuf_addf(&text, "%s %s %s/%s%s\n", key->api_version, key->kind, key->ns, key->name,
                  key->form == LIVE_SECRET ? " with data" : "");
    }
    return arena_strdup(lab->mem, sbuf_text(&text));
}

static void templates_and_then_their_secrets_are_wanted(void **state)
{
    (void)state;
    struct lab *lab = lab_new(serve, NULL);
    lab_canary(lab, "x", "istio",
               "{name: request-duration}, {name: a, query: up}, " CUSTOM
               ", {name: b, templateRef: {name: u}}");
    assert_string_equal(wanted(lab), "flagger.app/v1beta1 MetricTemplate other/t\n"
                                     "flagger.app/v1beta1 MetricTemplate test/u\n");
    lab_put(lab, CANARY_API_VERSION, "MetricTemplate", "other", "t",
            "{spec: {provider: {type: datadog, secretRef: {name: s}}}}");
    assert_string_equal(wanted(lab), "flagger.app/v1beta1 MetricTemplate other/t\n"
                                     "v1 Secret other/s with data\n"
                                     "flagger.app/v1beta1 MetricTemplate test/u\n");
    lab->settings.mesh_provider = "knative";
    assert_non_null(strstr(wanted(lab), "serving.knative.dev/v1 Service test/app\n"));
    lab->canary.analysis.metrics_len = 0;
    assert_string_equal(wanted(lab), "");
    lab_free(lab);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(what_is_not_read_yet_is_not_missing),
        SINGLE(a_template_sees_the_canary),
        SINGLE(the_route_of_knative_is_its_latest_revision),
        SINGLE(a_stream_that_stays_open_is_left),
        SINGLE(files_lead_to_credentials_and_these_to_a_value),
        SINGLE(the_api_server_is_asked_as_ourselves),
        SINGLE(an_analysis_is_made_watched_and_deleted),
        SINGLE(templates_and_then_their_secrets_are_wanted),
        ROWS(template_cases, the_event_is),
    };
    return rows_run("canary_metric_templates", tests, ARRAY_LEN(tests));
}
