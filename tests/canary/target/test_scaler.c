#include "../../rows.h"

#include "lab.h"

#define PAUSE "autoscaling.keda.sh/paused-replicas"

/* autoscalerRef (its kind and what else it says) and objects (a list); both as YAML. */
static void begin(struct lab *lab, struct arena *mem, const char *ref, const char *objects)
{
    struct val *canary =
        value_of(mem, "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: shop,"
                      " namespace: prod, uid: c-1}, spec: {targetRef: {apiVersion: apps/v1, kind:"
                      " Deployment, name: web}, autoscalerRef: {apiVersion: x, name: s}}}");
    val_set(mem, val_get(canary, "spec"), "autoscalerRef",
            doc_merge_apply(mem, VAL_PATH(canary, "spec", "autoscalerRef"), value_of(mem, ref)));
    lab_begin(lab, mem, canary, value_of(mem, objects));
}

static const struct val *twin_of(struct lab *lab)
{
    return lab_object(lab, lab->canary.scaler.kind, "s-primary");
}

/* -- the twin's spec --------------------------------------------------------------------------- */

static const struct twin_case {
    const char *name, *ref, *target, *twin; /* of spec */
} twin_cases[] = {
    { "a HorizontalPodAutoscaler scales the primary", "{kind: HorizontalPodAutoscaler}",
      "{scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 1,"
      " maxReplicas: 4, behavior: {scaleDown: {selectPolicy: Max}}}",
      "{scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web-primary}, minReplicas: 1,"
      " maxReplicas: 4, behavior: {scaleDown: {selectPolicy: Max}}}" },
    { "its bounds can be others",
      "{kind: HorizontalPodAutoscaler, primaryScalerReplicas: {minReplicas: 2, maxReplicas: 9}}",
      "{scaleTargetRef: {name: web}, maxReplicas: 4}",
      "{scaleTargetRef: {name: web-primary}, minReplicas: 2, maxReplicas: 9}" },
    { "a ScaledObject has two parents more", "{kind: ScaledObject}",
      "{scaleTargetRef: {name: web, envSourceContainerName: c}, pollingInterval: 3, fallback:"
      " {replicas: 2}}",
      "{scaleTargetRef: {name: web-primary, envSourceContainerName: c}, pollingInterval: 3,"
      " fallback: {replicas: 2}, advanced: {horizontalPodAutoscalerConfig: {}}}" },
    { "the autoscaler of a ScaledObject is renamed",
      "{kind: ScaledObject, primaryScalerReplicas: {maxReplicas: 9}}",
      "{scaleTargetRef: {name: web}, minReplicaCount: 0, maxReplicaCount: 1, advanced:"
      " {restoreToOriginalReplicaCount: true, horizontalPodAutoscalerConfig: {name: hpa, behavior:"
      " {}}}}",
      "{scaleTargetRef: {name: web-primary}, minReplicaCount: 0, maxReplicaCount: 9, advanced:"
      " {restoreToOriginalReplicaCount: true, horizontalPodAutoscalerConfig: {name: hpa-primary,"
      " behavior: {}}}}" },
    { "queries are about the primary", "{kind: ScaledObject}",
      "{scaleTargetRef: {name: web}, advanced: {horizontalPodAutoscalerConfig: {}}, triggers:"
      " [{type: prometheus, metadata: {query: 'sum(a{app=\"web\"}) + b{svc=\"web-canary\"} + web',"
      " serverAddress: web}}, {type: cron, metadata: {start: web}}, {type: cpu}]}",
      "{scaleTargetRef: {name: web-primary}, advanced: {horizontalPodAutoscalerConfig: {}}, "
      "triggers:"
      " [{type: prometheus, metadata: {query: 'sum(a{app=\"web-primary\"}) +"
      " b{svc=\"web-primary\"} + web-primary', serverAddress: web}}, {type: cron, metadata: {start:"
      " web}}, {type: cpu}]}" },
    { "queries can be given, and then none is guessed",
      "{kind: ScaledObject, primaryScalerQueries: {one: mine}}",
      "{scaleTargetRef: {name: web}, advanced: {horizontalPodAutoscalerConfig: {}}, triggers:"
      " [{name: one, metadata: {query: web}}, {name: two, metadata: {query: web}}, {metadata:"
      " {query: web}}]}",
      "{scaleTargetRef: {name: web-primary}, advanced: {horizontalPodAutoscalerConfig: {}}, "
      "triggers:"
      " [{name: one, metadata: {query: mine}}, {name: two, metadata: {query: web}}, {metadata:"
      " {query: web}}]}" },
};

static const char *objects_of(struct arena *mem, bool is_hpa, const char *spec)
{
    return arena_printf(mem, "[{apiVersion: %s, kind: %s, metadata: {name: s}, spec: %s}]",
                        is_hpa ? "autoscaling/v2" : "keda.sh/v1alpha1",
                        is_hpa ? "HorizontalPodAutoscaler" : "ScaledObject", spec);
}

static void the_twin_scales_the_primary(void **state)
{
    const struct twin_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    bool is_hpa = strstr(c->ref, "Horizontal") != NULL;
    begin(&lab, mem, c->ref, objects_of(mem, is_hpa, c->target));
    lab_do(&lab, "scaler");
    assert_same_value(mem, val_get(twin_of(&lab), "spec"), value_of(mem, c->twin));
    assert_string_equal(
        val_text_or(
            val_get(val_item(VAL_PATH(twin_of(&lab), "metadata", "ownerReferences"), 0), "uid"),
            ""),
        "c-1");
}

/* -- metadata, updates ------------------------------------------------------------------------- */

static void a_twin_is_born_awake_and_without_marks_of_git(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, "{kind: ScaledObject}",
          "[{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: s, labels: {a: b,"
          " kustomize.toolkit.fluxcd.io/name: z, fluxcd.io/sync-gc-mark: z}, annotations: {c: d,"
          " " PAUSE ": '0', fluxcd.io/sync-checksum: z}}, spec: {scaleTargetRef: {name: web}}}]");
    lab_do(&lab, "scaler");
    assert_same_value(mem, VAL_PATH(twin_of(&lab), "metadata", "labels"), value_of(mem, "{a: b}"));
    assert_same_value(mem, VAL_PATH(twin_of(&lab), "metadata", "annotations"),
                      value_of(mem, "{c: d}"));
}

static void an_update_keeps_metadata_of_the_twin(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(
        &lab, mem, "{kind: ScaledObject}",
        "[{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: s}, spec:"
        " {scaleTargetRef: {name: web}, maxReplicaCount: 4}}, {apiVersion: keda.sh/v1alpha1, kind:"
        " ScaledObject, metadata: {name: s-primary, labels: {a: b}, annotations: {c: d}}, spec:"
        " {scaleTargetRef: {name: web-primary}, maxReplicaCount: 3, cooldownPeriod: 9}}]");
    lab_do(&lab, "scaler"); /* made once, not repaired */
    assert_int_equal(lab.requests.len, 0);
    lab_do(&lab, "scaler-update");
    assert_same_value(mem, val_get(twin_of(&lab), "spec"),
                      value_of(mem, "{scaleTargetRef: {name: web-primary}, maxReplicaCount: 4,"
                                    " advanced: {horizontalPodAutoscalerConfig: {}}}"));
    assert_same_value(mem, VAL_PATH(twin_of(&lab), "metadata", "labels"), value_of(mem, "{a: b}"));
    assert_same_value(mem, VAL_PATH(twin_of(&lab), "metadata", "annotations"),
                      value_of(mem, "{c: d}"));
}

static void an_absent_minimum_is_one(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, "{kind: HorizontalPodAutoscaler}",
          "[{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: s}, spec:"
          " {scaleTargetRef: {name: web}, maxReplicas: 4}}, {apiVersion: autoscaling/v2, kind:"
          " HorizontalPodAutoscaler, metadata: {name: s-primary, annotations: {a: b}}, spec:"
          " {scaleTargetRef: {name: web-primary}, minReplicas: 1, maxReplicas: 4}}]");
    lab_do(&lab, "scaler-update");
    assert_int_equal(lab.requests.len, 0);
    lab_store(&lab, doc_merge_apply(mem, lab_object(&lab, "HorizontalPodAutoscaler", "s"),
                                    value_of(mem, "{spec: {minReplicas: 2}}")));
    lab_do(&lab, "scaler-update");
    assert_same_value(mem, VAL_PATH(twin_of(&lab), "spec", "minReplicas"), val_new_int(mem, 2));
}

static void the_target_is_paused_and_resumed(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, "{kind: ScaledObject}",
          "[{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: s, annotations: {a:"
          " b}}}]");
    lab_do(&lab, "pause");
    const struct val *target = lab_object(&lab, "ScaledObject", "s");
    assert_same_value(mem, VAL_PATH(target, "metadata", "annotations"),
                      value_of(mem, "{a: b, " PAUSE ": '0'}"));
    lab_do(&lab, "resume");
    target = lab_object(&lab, "ScaledObject", "s");
    assert_same_value(mem, VAL_PATH(target, "metadata", "annotations"), value_of(mem, "{a: b}"));
    assert_int_equal(lab.requests.len, 2);
    assert_string_equal(lab.requests.at[0], "update ScaledObject/s");
}

/* -- texts ------------------------------------------------------------------------------------- */

static const struct text_case {
    const char *name, *ref, *objects, *act;
    const char *error;        /* of the plan; NULL none */
    const char *before, *log; /* of its effect; NULL: there is none */
} text_cases[] = {
    { "a HorizontalPodAutoscaler that is missing", "{kind: HorizontalPodAutoscaler}", "[]",
      "scaler",
      "HorizontalPodAutoscaler s.prod get query error: horizontalpodautoscalers.autoscaling \"s\" "
      "not found",
      NULL, NULL },
    { "a ScaledObject that is missing", "{kind: ScaledObject}", "[]", "pause",
      "Keda ScaledObject s.prod get query error: scaledobjects.keda.sh \"s\" not found", NULL,
      NULL },
    { "a kind that nobody knows", "{kind: Other}", "[]", "scaler", NULL, NULL, NULL },
    { "a HorizontalPodAutoscaler is never paused", "{kind: HorizontalPodAutoscaler}", "[]", "pause",
      NULL, NULL, NULL },
    { "a new HorizontalPodAutoscaler", "{kind: HorizontalPodAutoscaler}",
      "[{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: s}}]",
      "scaler", NULL, "creating HorizontalPodAutoscaler v2 s-primary.prod failed: ",
      "HorizontalPodAutoscaler v2 s-primary.prod created" },
    { "another HorizontalPodAutoscaler", "{kind: HorizontalPodAutoscaler}",
      "[{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: s}},"
      " {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: s-primary}}]",
      "scaler-update", NULL, "updating HorizontalPodAutoscaler v2 s-primary.prod failed: ",
      "HorizontalPodAutoscaler v2 s-primary.prod updated" },
    { "a new ScaledObject", "{kind: ScaledObject}",
      "[{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: s}}]", "scaler", NULL,
      "creating Keda ScaledObject s-primary.prod failed: ",
      "Keda ScaledObject s-primary.prod created" },
    { "another ScaledObject", "{kind: ScaledObject}",
      "[{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: s}}, {apiVersion:"
      " keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: s-primary}}]",
      "scaler-update", NULL,
      "updating ScaledObject s-primary.prod failed: ", "Keda ScaledObject s-primary.prod updated" },
};

static void texts_are_as_ever(void **state)
{
    const struct text_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    struct effects effects;
    begin(&lab, mem, c->ref, c->objects);
    SCOPED(err_free) struct err *e = lab_plan(&lab, c->act, &effects);
    assert_string_equal(err_text(e), c->error ? c->error : "");
    assert_int_equal(effects.list.len, c->before ? 1 : 0);
    if (!c->before)
        return;
    assert_string_equal(effects.list.at[0].before, c->before);
    assert_string_equal(effects.list.at[0].log, c->log);
}

static void a_server_without_the_kind_says_so(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    struct effects effects = { .mem = mem };
    begin(&lab, mem, "{kind: ScaledObject}", "[]");
    struct live *live = live_new(mem);
    live_put(
        live,
        &(struct live_key){
            .api_version = "keda.sh/v1alpha1", .kind = "ScaledObject", .ns = "prod", .name = "s" },
        LIVE_NO_KIND, NULL, NULL);
    lab_look(&lab);
    lab.view.live = live;
    SCOPED(err_free) struct err *e = scaler_reconcile(&lab.view, true, &effects);
    assert_string_equal(err_text(e), "Keda ScaledObject s.prod get query error: the server could "
                                     "not find the requested resource (get scaledobjects.keda.sh "
                                     "s)");
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(twin_cases, the_twin_scales_the_primary),
        ROWS(text_cases, texts_are_as_ever),
        SINGLE(a_twin_is_born_awake_and_without_marks_of_git),
        SINGLE(an_update_keeps_metadata_of_the_twin),
        SINGLE(an_absent_minimum_is_one),
        SINGLE(the_target_is_paused_and_resumed),
        SINGLE(a_server_without_the_kind_says_so),
    };
    return rows_run("canary_target_scaler", tests, ARRAY_LEN(tests));
}
