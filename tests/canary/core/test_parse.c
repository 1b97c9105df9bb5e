#include "../../rows.h"

#include "../value.h"

#define META   "metadata: {name: shop, namespace: prod}\n"
#define TARGET "targetRef: {apiVersion: apps/v1, kind: Deployment, name: cart}"
/* A Canary with this in its analysis, spec, or status. */
#define ANALYSIS(text) META "spec: {" TARGET ", analysis: {" text "}}"
#define SPEC(text)     META "spec: {" TARGET ", " text "}"
#define STATUS(text)   META "spec: {" TARGET "}\nstatus: {" text "}"

/* -- what is read ---------------------------------------------------------------------------- */

static void every_field_has_its_default(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary c = canary_of(mem, ANALYSIS(""));
    assert_string_equal(c.name, "shop");
    assert_string_equal(c.ns, "prod");
    assert_string_equal(c.uid, "");
    assert_false(c.is_deleting || c.has_finalizer);
    assert_string_equal(c.provider, "");
    assert_string_equal(c.metrics_server, "");
    assert_string_equal(c.scaler.name, "");
    assert_string_equal(c.upstream.ns, "");
    assert_null(c.scaler_ref);
    assert_null(c.service);
    assert_string_equal(c.apex, "cart");
    assert_int_equal(c.progress_deadline_s, 600);
    assert_true(c.has_analysis);
    assert_false(c.skips_analysis || c.revert_on_deletion || c.is_suspended);
    assert_string_equal(c.analysis.interval_text, "");
    assert_int_equal(c.analysis.interval_ms, 60000);
    assert_int_equal(c.analysis.threshold, 1);
    assert_int_equal(c.analysis.max_weight, 0);
    assert_int_equal(c.analysis.primary_ready_threshold, 100);
    assert_int_equal(c.analysis.canary_ready_threshold, 100);
    assert_null(c.analysis.match);
    assert_null(c.analysis.affinity);
    assert_int_equal(c.analysis.step_weights_len + c.analysis.metrics_len + c.analysis.alerts_len +
                         c.analysis.hooks_len,
                     0);
    assert_int_equal(c.status.phase, CANARY_NONE);
    assert_string_equal(c.status.last_applied, "");
    assert_string_equal(c.status.cookie, "");
    assert_null(c.status.tracked);
    assert_null(c.status.conditions);
    assert_int_equal(c.status.last_transition_ms, 0);
}

static void the_spec_is_read(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary c = canary_of(
        mem,
        "metadata:\n"
        "  {name: shop, namespace: prod, uid: u-1, resourceVersion: '7', generation: 3,\n"
        "   deletionTimestamp: '2026-01-02T03:04:05Z', finalizers: [x, finalizer.flagger.app]}\n"
        "spec:\n"
        "  provider: istio\n"
        "  metricsServer: http://prometheus:9090\n"
        "  targetRef: {apiVersion: apps/v1, kind: DaemonSet, name: cart}\n"
        "  autoscalerRef: {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: so,\n"
        "    primaryScalerQueries: {a: b}}\n"
        "  ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: in}\n"
        "  routeRef: {apiVersion: apisix.apache.org/v2, kind: ApisixRoute, name: ro}\n"
        "  upstreamRef: {apiVersion: gloo.solo.io/v1, kind: Upstream, name: up,\n"
        "    namespace: gloo}\n"
        "  service: {name: apex, port: 80}\n"
        "  progressDeadlineSeconds: 30.0\n"
        "  skipAnalysis: true\n"
        "  revertOnDeletion: true\n"
        "  suspend: true\n");
    assert_string_equal(c.uid, "u-1");
    assert_string_equal(c.resource_version, "7");
    assert_int_equal(c.generation, 3);
    assert_true(c.is_deleting && c.has_finalizer);
    assert_string_equal(c.provider, "istio");
    assert_string_equal(c.metrics_server, "http://prometheus:9090");
    assert_string_equal(c.target.kind, "DaemonSet");
    assert_string_equal(c.scaler.kind, "ScaledObject");
    assert_string_equal(val_text(VAL_PATH(c.scaler_ref, "primaryScalerQueries", "a")), "b");
    assert_string_equal(c.ingress.name, "in");
    assert_string_equal(c.route.name, "ro");
    assert_string_equal(c.upstream.ns, "gloo");
    assert_string_equal(c.apex, "apex");
    assert_non_null(val_get(c.service, "port"));
    assert_int_equal(c.progress_deadline_s, 30);
    assert_true(c.skips_analysis && c.revert_on_deletion && c.is_suspended);
    assert_false(c.has_analysis);
}

static void the_analysis_is_read(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary c = canary_of(
        mem,
        ANALYSIS("interval: 1m30s, threshold: 5, iterations: 7.0, maxWeight: 60, stepWeight: 3e1,"
                 "stepWeightPromotion: 25, stepWeights: [1, 2.0, 80], mirror: true,"
                 "mirrorWeight: 40, primaryReadyThreshold: 0, canaryReadyThreshold: 75,"
                 "match: [{headers: {x: {exact: y}}}], sessionAffinity: {cookieName: c,"
                 "primaryCookieName: p, domain: d, path: /, sameSite: Lax, maxAge: 5,"
                 "httpOnly: true, partitioned: true, secure: true}"));
    const struct canary_analysis *a = &c.analysis;
    assert_string_equal(a->interval_text, "1m30s");
    assert_int_equal(a->interval_ms, 90000);
    assert_int_equal(a->threshold, 5);
    assert_int_equal(a->iterations, 7);
    assert_int_equal(a->max_weight, 60);
    assert_int_equal(a->step_weight, 30);
    assert_int_equal(a->step_weight_promotion, 25);
    assert_int_equal(a->step_weights_len, 3);
    assert_int_equal(a->step_weights[1], 2);
    assert_int_equal(a->step_weights[2], 80);
    assert_true(a->mirror);
    assert_int_equal(a->mirror_weight, 40);
    assert_int_equal(a->primary_ready_threshold, 0);
    assert_int_equal(a->canary_ready_threshold, 75);
    assert_int_equal(val_len(a->match), 1);
    assert_string_equal(a->affinity->cookie_name, "c");
    assert_string_equal(a->affinity->primary_cookie_name, "p");
    assert_string_equal(a->affinity->domain, "d");
    assert_string_equal(a->affinity->path, "/");
    assert_string_equal(a->affinity->same_site, "Lax");
    assert_int_equal(a->affinity->max_age_s, 5);
    assert_true(a->affinity->http_only && a->affinity->partitioned && a->affinity->secure);
}

static void hooks_metrics_and_alerts_are_read(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary c = canary_of(
        mem, ANALYSIS("webhooks: [{name: a, url: http://a},"
                      "{name: b, url: http://b, type: confirm-traffic-increase, timeout: 5s,"
                      " retries: 3, disableTLS: true, muteAlert: true, metadata: {k: v}}],"
                      "metrics: [{name: request-success-rate, thresholdRange: {min: 99.5}},"
                      "{name: m, interval: 30s, threshold: 2.5, query: up, templateVariables:"
                      " {a: b}, templateRef: {name: t}}, {name: o, thresholdRange: {max: 500},"
                      " templateRef: {name: t, namespace: other}}],"
                      "alerts: [{name: x, providerRef: {name: p}}, {name: z, severity: error,"
                      " providerRef: {name: q, namespace: other}}]"));
    const struct canary_analysis *a = &c.analysis;
    assert_int_equal(a->hooks_len, 2);
    assert_int_equal(a->hooks[0].type, CANARY_HOOK_ROLLOUT);
    assert_string_equal(a->hooks[0].timeout, "");
    assert_null(a->hooks[0].metadata);
    assert_int_equal(a->hooks[1].type, CANARY_HOOK_CONFIRM_TRAFFIC_INCREASE);
    assert_string_equal(a->hooks[1].timeout, "5s");
    assert_int_equal(a->hooks[1].retries, 3);
    assert_true(a->hooks[1].disable_tls && a->hooks[1].mute_alert);
    assert_int_equal(val_len(a->hooks[1].metadata), 1);

    assert_int_equal(a->metrics_len, 3);
    assert_string_equal(a->metrics[0].interval, "1m");
    assert_true(a->metrics[0].has_range && a->metrics[0].has_min && !a->metrics[0].has_max);
    assert_true(a->metrics[0].min > 99.49 && a->metrics[0].min < 99.51);
    assert_string_equal(a->metrics[0].template_name, "");
    assert_string_equal(a->metrics[0].template_ns, "");
    assert_string_equal(a->metrics[1].interval, "30s");
    assert_true(a->metrics[1].threshold > 2.49 && !a->metrics[1].has_range);
    assert_string_equal(a->metrics[1].query, "up");
    assert_string_equal(a->metrics[1].template_ns, "prod");
    assert_int_equal(val_len(a->metrics[1].variables), 1);
    assert_string_equal(a->metrics[2].template_ns, "other");
    assert_true(a->metrics[2].has_max && a->metrics[2].max > 499);

    assert_int_equal(a->alerts_len, 2);
    assert_int_equal(a->alerts[0].severity, CANARY_INFO);
    assert_string_equal(a->alerts[0].provider_ns, "prod");
    assert_int_equal(a->alerts[1].severity, CANARY_ERROR);
    assert_string_equal(a->alerts[1].provider_name, "q");
    assert_string_equal(a->alerts[1].provider_ns, "other");
}

static void the_status_is_read(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary c =
        canary_of(mem, STATUS("phase: WaitingPromotion, failedChecks: 2, canaryWeight: 50,"
                              "iterations: -1, lastAppliedSpec: a, lastPromotedSpec: b,"
                              "trackedConfigs: {configmap/x: '1'}, sessionAffinityCookie: n=v,"
                              "primarySessionAffinityCookie: p=v,"
                              "previousSessionAffinityCookie: o=v, conditions: [{type: Promoted}],"
                              "lastTransitionTime: '1970-01-01T00:01:00Z'"));
    const struct canary_status *s = &c.status;
    assert_int_equal(s->phase, CANARY_WAITING_PROMOTION);
    assert_int_equal(s->failed_checks, 2);
    assert_int_equal(s->weight, 50);
    assert_int_equal(s->iterations, -1);
    assert_string_equal(s->last_applied, "a");
    assert_string_equal(s->last_promoted, "b");
    assert_int_equal(val_len(s->tracked), 1);
    assert_int_equal(s->last_transition_ms, 60000);
    assert_string_equal(s->cookie, "n=v");
    assert_string_equal(s->primary_cookie, "p=v");
    assert_string_equal(s->previous_cookie, "o=v");
    assert_int_equal(val_len(s->conditions), 1);
}

static void every_phase_is_known_by_its_name(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (enum canary_phase phase = CANARY_NONE; phase <= CANARY_TERMINATED; phase++) {
        const char *text = arena_printf(mem, STATUS("phase: '%s'"), canary_phase_name(phase));
        assert_int_equal(canary_of(mem, text).status.phase, phase);
    }
}

static void a_null_is_absent(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary c = canary_of(
        mem, META "spec: {" TARGET ", provider: null, autoscalerRef: null, service: null,"
                  "analysis: {threshold: null, webhooks: null, sessionAffinity: null,"
                  "match: null}}\nstatus: {trackedConfigs: null, lastTransitionTime: null}");
    assert_string_equal(c.provider, "");
    assert_int_equal(c.analysis.threshold, 1);
    assert_null(c.status.tracked);
}

static void the_deprecated_spelling_of_the_analysis_counts_if_alone(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary c = canary_of(mem, SPEC("canaryAnalysis: {threshold: 7}"));
    assert_true(c.has_analysis);
    assert_int_equal(c.analysis.threshold, 7);
    c = canary_of(mem, SPEC("analysis: {threshold: 3}, canaryAnalysis: {threshold: 7}"));
    assert_int_equal(c.analysis.threshold, 3);
    c = canary_of(mem, SPEC("suspend: false"));
    assert_false(c.has_analysis);
    assert_true(c.skips_analysis);
}

static const struct interval_case {
    const char *name, *text;
    int64_t ms;
} interval_cases[] = {
    { "an empty interval is a minute", "''", 60000 },
    { "an unreadable interval is a minute", "often", 60000 },
    { "a number without a unit is no interval", "'30'", 60000 },
    { "a short interval is ten seconds", "500ms", 10000 },
    { "an interval of ten seconds stays", "10s", 10000 },
    { "a composed interval is its sum", "1m30s", 90000 },
    { "hours are read", "2h", 7200000 },
};

static void interval_is(void **state)
{
    const struct interval_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary c = canary_of(mem, arena_printf(mem, ANALYSIS("interval: %s"), row->text));
    assert_int_equal(c.analysis.interval_ms, row->ms);
}

/* -- what is refused ------------------------------------------------------------------------- */

static const struct bad_case {
    const char *name, *text, *error;
} bad_cases[] = {
    { "nothing", "null", "metadata: missing" },
    { "a list", "[]", "metadata: missing" },
    { "no name", "metadata: {namespace: x}\nspec: {}", "metadata.name: missing" },
    { "an empty namespace", "metadata: {name: x, namespace: ''}", "metadata.namespace: is empty" },
    { "no spec", META, "spec: missing" },
    { "a spec that is a list", META "spec: []", "spec: must be a map, not a list" },
    { "no target", META "spec: {analysis: {}}", "spec.targetRef: missing" },
    { "a target without a kind", META "spec: {targetRef: {apiVersion: v1, name: x}}",
      "spec.targetRef.kind: missing" },
    { "a target without a name", META "spec: {targetRef: {apiVersion: v1, kind: x, name: ''}}",
      "spec.targetRef.name: is empty" },
    { "a target that is a text", META "spec: {targetRef: cart}",
      "spec.targetRef: must be a map, not a string" },
    { "a scaler without a version", SPEC("autoscalerRef: {kind: x, name: z}"),
      "spec.autoscalerRef.apiVersion: missing" },
    { "an upstream whose namespace is a number",
      SPEC("upstreamRef: {apiVersion: v, kind: x, name: z, namespace: 4}"),
      "spec.upstreamRef.namespace: must be a string, not a number" },
    { "a provider that is a list", SPEC("provider: [istio]"),
      "spec.provider: must be a string, not a list" },
    { "a provider with a NUL in it", SPEC("provider: \"is\\0tio\""),
      "spec.provider: has a NUL character in it" },
    { "a service that is a text", SPEC("service: cart"),
      "spec.service: must be a map, not a string" },
    { "a service whose name is a number", SPEC("service: {name: 7}"),
      "spec.service.name: must be a string, not a number" },
    { "a deadline that is a text", SPEC("progressDeadlineSeconds: '60'"),
      "spec.progressDeadlineSeconds: must be a whole number, not a string" },
    { "suspend that is a text", SPEC("suspend: 'true'"),
      "spec.suspend: must be true or false, not a string" },
    { "an analysis that is a text", SPEC("analysis: 'no'"),
      "spec.analysis: must be a map, not a string" },
    { "a broken weight", ANALYSIS("stepWeight: 2.5"),
      "spec.analysis.stepWeight: must be a whole number, is 2.5" },
    { "a weight beyond all bounds", ANALYSIS("maxWeight: 4294967296"),
      "spec.analysis.maxWeight: must be a whole number of at most 32 bits, is 4294967296" },
    { "a weight that is almost no number", ANALYSIS("maxWeight: 1e300"),
      "spec.analysis.maxWeight: must be a whole number of at most 32 bits, is 1e+300" },
    { "a threshold that is a map, in the deprecated spelling",
      SPEC("canaryAnalysis: {threshold: {}}"),
      "spec.canaryAnalysis.threshold: must be a whole number, not a map" },
    { "step weights that are a number", ANALYSIS("stepWeights: 5"),
      "spec.analysis.stepWeights: must be a list, not a number" },
    { "a step weight that is a text", ANALYSIS("stepWeights: [1, '2']"),
      "spec.analysis.stepWeights[1]: must be a whole number, not a string" },
    { "a step weight that is null", ANALYSIS("stepWeights: [null]"),
      "spec.analysis.stepWeights[0]: must be a whole number, not null" },
    { "a match that is a map", ANALYSIS("match: {headers: {}}"),
      "spec.analysis.match: must be a list, not a map" },
    { "a hook that is a text", ANALYSIS("webhooks: [http://x]"),
      "spec.analysis.webhooks[0]: must be a map, not a string" },
    { "a hook without an address", ANALYSIS("webhooks: [{name: a, url: b}, {name: c}]"),
      "spec.analysis.webhooks[1].url: missing" },
    { "a hook of an unknown type", ANALYSIS("webhooks: [{name: a, url: b, type: later}]"),
      "spec.analysis.webhooks[0].type: must be rollout, confirm-rollout, pre-rollout, "
      "confirm-traffic-increase, confirm-promotion, post-rollout, event or rollback, "
      "is \"later\"" },
    { "metadata of a hook that is no text",
      ANALYSIS("webhooks: [{name: a, url: b, metadata: {k: 1}}]"),
      "spec.analysis.webhooks[0].metadata: \"k\" must be a string, not a number" },
    { "a metric without a name", ANALYSIS("metrics: [{interval: 1m}]"),
      "spec.analysis.metrics[0].name: missing" },
    { "a range that is a number", ANALYSIS("metrics: [{name: m, thresholdRange: 5}]"),
      "spec.analysis.metrics[0].thresholdRange: must be a map, not a number" },
    { "a bound that is a text", ANALYSIS("metrics: [{name: m, thresholdRange: {min: '9'}}]"),
      "spec.analysis.metrics[0].thresholdRange.min: must be a number, not a string" },
    { "a template without a name", ANALYSIS("metrics: [{name: m, templateRef: {}}]"),
      "spec.analysis.metrics[0].templateRef.name: missing" },
    { "an alert without a provider", ANALYSIS("alerts: [{name: a}]"),
      "spec.analysis.alerts[0].providerRef: missing" },
    { "an alert of an unknown severity",
      ANALYSIS("alerts: [{name: a, severity: loud, providerRef: {name: p}}]"),
      "spec.analysis.alerts[0].severity: must be info, warn or error, is \"loud\"" },
    { "an affinity without a cookie", ANALYSIS("sessionAffinity: {maxAge: 5}"),
      "spec.analysis.sessionAffinity.cookieName: missing" },
    { "a phase that nobody knows", STATUS("phase: Paused"),
      "status.phase: there is no phase \"Paused\"" },
    { "a time that is none", STATUS("lastTransitionTime: yesterday"),
      "status.lastTransitionTime: " },
    { "tracked configs that are a list", STATUS("trackedConfigs: []"),
      "status.trackedConfigs: must be a map, not a list" },
    { "a tracked config that is null", STATUS("trackedConfigs: {a: null}"),
      "status.trackedConfigs: \"a\" must be a string, not null" },
};

static void is_refused(void **state)
{
    const struct bad_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary;
    SCOPED(err_free) struct err *e = canary_parse(mem, value_of(mem, row->text), &canary);
    assert_non_null(e);
    size_t len = strlen(row->error);
    if (len && row->error[len - 1] == ' ') /* the rest is another's text */
        assert_memory_equal(err_text(e), row->error, len);
    else
        assert_string_equal(err_text(e), row->error);
    assert_true(err_is(e, ERR_INVALID) || err_is(e, ERR_LIMIT));
}

static void lists_have_an_end(void **state)
{
    static const char *const items[][2] = {
        { "stepWeights", "1" },
        { "match", "{}" },
        { "metrics", "{name: m}" },
        { "alerts", "{name: a, providerRef: {name: p}}" },
        { "webhooks", "{name: a, url: b}" },
    };
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        SBUF(list, SBUF_MAX);
        for (int j = 0; j < CANARY_LIST_MAX; j++)
            sbuf_addf(&list, "%s,", items[i][1]);
        const char *fits = sbuf_text(&list);
        canary_of(mem, arena_printf(mem, ANALYSIS("%s: [%s]"), items[i][0], fits));
        struct canary canary;
        const char *over =
            arena_printf(mem, ANALYSIS("%s: [%s%s]"), items[i][0], fits, items[i][1]);
        SCOPED(err_free) struct err *e = canary_parse(mem, value_of(mem, over), &canary);
        assert_true(err_is(e, ERR_LIMIT));
        assert_string_equal(err_text(e),
                            arena_printf(mem,
                                         "spec.analysis.%s: has 257 entries, at most 256 are "
                                         "allowed",
                                         items[i][0]));
    }
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(every_field_has_its_default),
        SINGLE(the_spec_is_read),
        SINGLE(the_analysis_is_read),
        SINGLE(hooks_metrics_and_alerts_are_read),
        SINGLE(the_status_is_read),
        SINGLE(every_phase_is_known_by_its_name),
        SINGLE(a_null_is_absent),
        SINGLE(the_deprecated_spelling_of_the_analysis_counts_if_alone),
        SINGLE(lists_have_an_end),
        ROWS(interval_cases, interval_is),
        ROWS(bad_cases, is_refused),
    };
    return rows_run("canary_parse", tests, ARRAY_LEN(tests));
}
