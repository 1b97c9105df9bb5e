#include "../../rows.h"

#include "../value.h"

#define TARGET  "targetRef: {apiVersion: apps/v1, kind: Deployment, name: cart}"
#define KNATIVE "targetRef: {apiVersion: serving.knative.dev/v1, kind: Service, name: cart}"
#define SCALER  "autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: x}"
#define STEPS   "analysis: {stepWeight: 10}"
#define STALLS                                                                                    \
    "spec.analysis: set one of iterations, stepWeight and stepWeights to something greater than " \
    "0, or the analysis never ends"

/* A spec, and why it is refused (NULL: it is not). */
static const struct check_case {
    const char *name, *spec, *error;
    bool no_cross_namespace;
    const char *provider; /* of the settings; NULL: istio */
} cases[] = {
    { "a weighted run is fine", TARGET "," STEPS, NULL, true, NULL },
    { "no reference leaves its namespace",
      TARGET ", upstreamRef: {apiVersion: v1, kind: Upstream, name: u, namespace: prod},"
             "analysis: {stepWeight: 10, metrics: [{name: m, templateRef: {name: t}}],"
             "alerts: [{name: a, providerRef: {name: p, namespace: prod}}]}",
      NULL, true, NULL },
    { "other namespaces are fine unless forbidden",
      TARGET ", analysis: {stepWeight: 10, alerts: [{name: a, providerRef: {name: p, namespace:"
             " ops}}]}",
      NULL, false, NULL },
    { "an upstream of another namespace",
      TARGET ", upstreamRef: {apiVersion: v1, kind: Upstream, name: u, namespace: gloo}," STEPS,
      "can't access gloo upstream u.gloo, cross-namespace references are blocked", true, NULL },
    { "a template of another namespace",
      TARGET ", analysis: {stepWeight: 10, metrics: [{name: m}, {name: m, templateRef: {name: t,"
             "namespace: ops}}]}",
      "can't access metric template t.ops, cross-namespace references are blocked", true, NULL },
    { "an alert provider of another namespace",
      TARGET ", analysis: {stepWeight: 10, alerts: [{name: a, providerRef: {name: p, namespace:"
             " ops}}]}",
      "can't access alert provider p.ops, cross-namespace references are blocked", true, NULL },

    { "Knative by its own provider", KNATIVE ", provider: knative," STEPS, NULL, false, NULL },
    { "a Knative target with another provider", KNATIVE ", provider: istio," STEPS,
      "can't use istio provider with Knative Service as target", false, NULL },
    { "the provider of the settings is not enough for Knative", KNATIVE "," STEPS,
      "can't use  provider with Knative Service as target", false, "knative" },
    { "another target with the Knative provider", TARGET ", provider: knative," STEPS,
      "can't use apps/v1/Deployment as target if provider is set to knative", false, NULL },
    { "a Knative target with a scaler", KNATIVE ", provider: knative," SCALER "," STEPS,
      "can't use autoscaler with Knative Service", false, NULL },
    { "a Service of the core is not Knative",
      "targetRef: {apiVersion: v1, kind: Service, name: cart}," STEPS, NULL, false, NULL },

    { "two cookies of one name",
      TARGET ", analysis: {stepWeight: 10, sessionAffinity: {cookieName: c, primaryCookieName: c}}",
      "can't use the same cookie name for both primary and cookie name; please update them to be "
      "different",
      false, NULL },
    { "two cookies of two names",
      TARGET ", analysis: {stepWeight: 10, sessionAffinity: {cookieName: c, primaryCookieName: d}}",
      NULL, false, NULL },
    { "one cookie", TARGET ", analysis: {stepWeight: 10, sessionAffinity: {cookieName: c}}", NULL,
      false, NULL },

    { "a run without any steps", TARGET ", analysis: {interval: 1m}", STALLS, false, NULL },
    { "a run with a step of zero", TARGET ", analysis: {stepWeight: 0}", STALLS, false, NULL },
    { "a run that goes backwards", TARGET ", analysis: {stepWeight: -5}", STALLS, false, NULL },
    { "iterations alone", TARGET ", analysis: {iterations: 1}", NULL, false, NULL },
    { "negative iterations", TARGET ", analysis: {iterations: -1}", STALLS, false, NULL },
    { "no steps, but no analysis either", TARGET, NULL, false, NULL },
    { "no steps, but the analysis is skipped", TARGET ", skipAnalysis: true, analysis: {}", NULL,
      false, NULL },
    { "no steps with the provider that brings its own", TARGET ", analysis: {}", NULL, false,
      "kubernetes" },
    { "the canary's provider wins over that of the settings",
      TARGET ", provider: istio, analysis: {}", STALLS, false, "kubernetes" },
    { "ascending weights", TARGET ", analysis: {stepWeights: [1, 2, 10, 200]}", NULL, false, NULL },
    { "a weight of zero", TARGET ", analysis: {stepWeights: [0, 10]}",
      "spec.analysis.stepWeights[0]: must be greater than 0, is 0", false, NULL },
    { "a negative weight", TARGET ", analysis: {stepWeights: [-1]}",
      "spec.analysis.stepWeights[0]: must be greater than 0, is -1", false, NULL },
    { "a weight twice", TARGET ", analysis: {stepWeights: [10, 20, 20, 50]}",
      "spec.analysis.stepWeights[2]: must be greater than the one before it, 20, is 20", false,
      NULL },
    { "a weight less than before", TARGET ", analysis: {stepWeights: [10, 50, 20]}",
      "spec.analysis.stepWeights[2]: must be greater than the one before it, 50, is 20", false,
      NULL },
    { "weights that iterations leave aside",
      TARGET ", analysis: {iterations: 3, stepWeights: [10, 10]}", NULL, false, NULL },
    { "a promotion that goes backwards",
      TARGET ", analysis: {stepWeight: 10, stepWeightPromotion: -1}",
      "spec.analysis.stepWeightPromotion: must not be negative", false, NULL },
};

static void checks(void **state)
{
    const struct check_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_of(
        mem, arena_printf(mem, "metadata: {name: shop, namespace: prod}\nspec: {%s}", row->spec));
    SCOPED(err_free)
    struct err *e = canary_check(
        &canary,
        &(struct canary_settings){ .no_cross_namespace = row->no_cross_namespace,
                                   .mesh_provider = row->provider ? row->provider : "istio" });
    assert_string_equal(err_text(e), row->error ? row->error : "");
    assert_int_equal(err_is(e, ERR_INVALID), row->error != NULL);
}

static void targets_of_one_kind_and_name_have_one_key(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary a = { .ns = "x", .target = { .kind = "Deployment", .name = "y" } }, b = a;
    assert_string_equal(canary_target_key(mem, &a), canary_target_key(mem, &b));
    b.target.kind = "DaemonSet";
    assert_string_not_equal(canary_target_key(mem, &a), canary_target_key(mem, &b));
    b = a;
    b.ns = "z";
    assert_string_not_equal(canary_target_key(mem, &a), canary_target_key(mem, &b));
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(targets_of_one_kind_and_name_have_one_key),
        ROWS(cases, checks),
    };
    return rows_run("canary_check", tests, ARRAY_LEN(tests));
}
