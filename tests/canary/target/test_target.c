#include "../../rows.h"

#include "lab.h"

#define CANARY                                                                               \
    "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: shop, namespace: "     \
    "prod, uid: c-1}, spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}," \
    " progressDeadlineSeconds: 60, service: {port: 80, targetPort: 9898}, analysis: "        \
    "{interval: 10s, threshold: 2, stepWeight: 10, canaryReadyThreshold: 50}}}"

#define TO_DAEMONSET "{spec: {targetRef: {kind: DaemonSet}}}"

#define TEMPLATE "{metadata: {labels: {app: shop-web}}, spec: {containers: [{name: c}]}}"
#define DEPLOYMENT                                                                        \
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 3, " \
    "selector: {matchLabels: {app: shop-web, tier: front}}, template: " TEMPLATE "}, status: {}}"
#define DAEMONSET                                                                     \
    "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}, spec: {selector: " \
    "{matchLabels: {app: shop-web}}, template: " TEMPLATE ", updateStrategy: {type: " \
    "RollingUpdate}}, status: {}}"

/* The canary above after a merge patch, and objects (a list); both as YAML. */
static void begin(struct lab *lab, struct arena *mem, const char *patch, const char *objects)
{
    const struct val *canary = value_of(mem, CANARY);
    lab_begin(lab, mem, doc_merge_apply(mem, canary, value_of(mem, patch)), value_of(mem, objects));
}

/* -- faults and texts -------------------------------------------------------------------------- */

static const struct fault_case {
    const char *name, *patch, *objects;
    const char *act, *error; /* of planning it; NULL: none is planned */
    const char *fault;       /* of observing; NULL none */
    const char *canary;      /* why the canary is not ready; NULL: not looked at */
} fault_cases[] = {
    { .name = "a Deployment that is missing",
      .patch = "{}",
      .objects = "[]",
      .fault = "deployment web.prod get query error: deployments.apps \"web\" not found",
      .canary = "deployment web.prod get query error: deployments.apps \"web\" not found" },
    { .name = "a DaemonSet that is missing",
      .patch = TO_DAEMONSET,
      .objects = "[]",
      .fault = "daemonset web.prod get query error: daemonsets.apps \"web\" not found" },
    { .name = "a kind that nobody knows is a Deployment",
      .patch = "{spec: {targetRef: {kind: StatefulSet}}}",
      .objects = "[" DEPLOYMENT "]",
      .fault = NULL },
    { .name = "a Deployment without a selector label",
      .patch = "{}",
      .objects = "[{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector:"
                 " {matchLabels: {tier: front}}}}]",
      .fault =
          "getSelectorLabel failed: deployment web.prod spec.selector.matchLabels must contain "
          "one of [app name app.kubernetes.io/name]",
      .act = "primary",
      .error = "createPrimaryDeployment failed: getSelectorLabel failed: deployment web.prod "
               "spec.selector.matchLabels must contain one of [app name app.kubernetes.io/name]" },
    { .name = "a DaemonSet without a selector label",
      .patch = TO_DAEMONSET,
      .objects = "[{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}, spec: {selector:"
                 " {matchLabels: {tier: front}}}}]",
      .fault = "getSelectorLabel failed: daemonset web.prod spec.selector.matchLabels must contain "
               "one of [app name app.kubernetes.io/name]'" },
    { .name = "a DaemonSet that replaces no pods",
      .patch = TO_DAEMONSET,
      .objects = "[{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}, spec: {selector:"
                 " {matchLabels: {app: web}}, updateStrategy: {type: OnDelete}}}]",
      .fault = "createPrimaryDaemonSet failed: daemonset web.prod must have RollingUpdate strategy "
               "but have OnDelete" },
    { .name = "a DaemonSet that is missing when it is promoted",
      .patch = TO_DAEMONSET,
      .objects = "[]",
      .fault = "daemonset web.prod get query error: daemonsets.apps \"web\" not found",
      .act = "promote",
      .error = "updating daemonset web-primary.prod template spec failed: damonset web.prod get "
               "query error: daemonsets.apps \"web\" not found" },
    { .name = "a primary that is missing when it is promoted",
      .patch = "{}",
      .objects = "[" DEPLOYMENT "]",
      .act = "promote",
      .error = "updating deployment web-primary.prod template spec failed: deployment "
               "web-primary.prod get query error: deployments.apps \"web-primary\" not found" },
    { .name = "a Deployment that is missing when the canary is deleted",
      .patch = "{}",
      .objects = "[]",
      .fault = "deployment web.prod get query error: deployments.apps \"web\" not found",
      .act = "revert",
      .error = "deplyoment web.prod get query error: deployments.apps \"web\" not found" },
    { .name = "a DaemonSet that is missing when it is scaled up",
      .patch = TO_DAEMONSET,
      .objects = "[]",
      .fault = "daemonset web.prod get query error: daemonsets.apps \"web\" not found",
      .act = "up",
      .error = "daemonset web.prod query error: daemonsets.apps \"web\" not found" },
    { .name = "a ConfigMap that is missing when the primary is made",
      .patch = "{}",
      .objects = "[{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector:"
                 " {matchLabels: {app: web}}, template: {spec: {volumes: [{name: v, configMap:"
                 " {name: lost}}]}}}}]",
      .act = "primary",
      .error = "createPrimaryDeployment failed: GetTargetConfigs failed: configmap lost.prod get "
               "query error: configmap lost.prod get query error: configmaps \"lost\" not found" },
};

static void faults_are_told(void **state)
{
    const struct fault_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, c->patch, c->objects);
    lab_look(&lab);
    if (c->fault)
        assert_string_equal(lab.view.target.fault, c->fault);
    else
        assert_null(lab.view.target.fault);
    if (c->canary)
        assert_string_equal(lab.view.target.canary.text, c->canary);
    if (!c->act)
        return;
    struct effects effects;
    SCOPED(err_free) struct err *e = lab_plan(&lab, c->act, &effects);
    assert_string_equal(err_text(e), c->error);
    assert_int_equal(effects.list.len, 0);
}

static const struct refusal_case {
    const char *name, *patch, *objects, *act, *before, *log;
} refusal_cases[] = {
    { "creating a Deployment", "{}", "[" DEPLOYMENT "]", "primary",
      "createPrimaryDeployment failed: creating deployment web-primary.prod failed: ",
      "Deployment web-primary.prod created" },
    { "creating a DaemonSet", TO_DAEMONSET, "[" DAEMONSET "]", "primary",
      "createPrimaryDaemonSet failed: creating daemonset web-primary.prod failed: ",
      "DaemonSet web-primary.prod created" },
    { "scaling a Deployment down", "{}", "[" DEPLOYMENT "]", "down",
      "deployment web.prod patch query error: ", NULL },
    { "scaling a DaemonSet down", TO_DAEMONSET, "[" DAEMONSET "]", "down",
      "updating daemonset web.prod failed: ", NULL },
    { "scaling a Deployment up", "{}",
      "[{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 0}}]", "up",
      "scaling up web.prod to 1 failed: ", NULL },
    { "scaling a DaemonSet up", TO_DAEMONSET,
      "[{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}, spec: {template: {spec:"
      " {nodeSelector: {flagger.app/scale-to-zero: 'true'}}}}}]",
      "up", "scaling up daemonset web.prod failed: ", NULL },
    { "promoting", "{}",
      "[" DEPLOYMENT ", {apiVersion: apps/v1, kind: Deployment, metadata: {name: web-primary}}]",
      "promote", "updating deployment web-primary.prod template spec failed: ", NULL },
    { "copying a new config", "{}",
      "[{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector:"
      " {matchLabels: {app: web}}, template: {spec: {volumes: [{name: v, configMap: {name: "
      "c}}]}}}},"
      " {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}]",
      "primary",
      "createPrimaryDeployment failed: CreatePrimaryConfigs failed: creating configmap "
      "c-primary.prod failed: ",
      "ConfigMap c-primary synced" },
};

static void refusals_are_explained(void **state)
{
    const struct refusal_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    struct effects effects;
    begin(&lab, mem, c->patch, c->objects);
    SCOPED(err_free) struct err *e = lab_plan(&lab, c->act, &effects);
    assert_null(e);
    assert_true(effects.list.len > 0);
    const struct effect *effect = &effects.list.at[0];
    assert_string_equal(effect->before, c->before);
    assert_string_equal(effect->after, "");
    assert_int_equal(effect->log != NULL, c->log != NULL);
    if (c->log)
        assert_string_equal(effect->log, c->log);
    assert_int_equal(effect->retries_conflicts, effect->verb == EFFECT_UPDATE);
    if (effect->source)
        assert_string_equal(
            effect->source_before,
            "createPrimaryDeployment failed: CreatePrimaryConfigs failed: configmap "
            "c.prod get query failed : ");
}

/* -- readiness --------------------------------------------------------------------------------- */

static const struct wrap_case {
    const char *name, *patch, *objects, *primary, *canary;
} wrap_cases[] = {
    { "a Deployment without a primary", "{}",
      "[{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 2},"
      " status: {updatedReplicas: 2}}]",
      "web-primary.prod not ready: waiting for rollout to finish: observed deployment generation "
      "less than desired generation",
      "canary deployment web.prod not ready: waiting for rollout to finish: 0 of 1 "
      "(readyThreshold 50%) updated replicas are available" },
    { "a Deployment that is ready beside a primary that is not", "{}",
      "[" DEPLOYMENT ", {apiVersion: apps/v1, kind: Deployment, metadata: {name: web-primary},"
      " spec: {replicas: 2}, status: {updatedReplicas: 2}}]",
      "web-primary.prod not ready: waiting for rollout to finish: 0 of 2 (readyThreshold 100%) "
      "updated replicas are available",
      "canary deployment web.prod not ready: waiting for rollout to finish: 0 out of 3 new "
      "replicas have been updated" },
    { "a DaemonSet without a primary", TO_DAEMONSET,
      "[{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web, generation: 1}}]",
      "primary daemonset web-primary.prod not ready: waiting for rollout to finish: observed "
      "daemonset generation less than desired generation",
      "canary damonset web.prod not ready with retryable true: waiting for rollout to finish: "
      "observed daemonset generation less than desired generation" },
    { "a DaemonSet past its deadline",
      "{spec: {targetRef: {kind: DaemonSet}}, status: {phase: Progressing, lastTransitionTime: "
      "'2026-09-21T14:00:00Z'}}",
      "[{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}, status: "
      "{desiredNumberScheduled: 1}}, {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: "
      "web-primary}}]",
      "",
      "canary damonset web.prod not ready with retryable false: exceeded its "
      "progressDeadlineSeconds: 60" },
};

static void unready_pods_are_told(void **state)
{
    const struct wrap_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, c->patch, c->objects);
    lab_look(&lab);
    assert_string_equal(lab.view.target.primary.text, c->primary);
    assert_string_equal(lab.view.target.canary.text, c->canary);
    assert_int_equal(lab.view.target.primary.state, *c->primary ? READY_LATER : READY_YES);
    assert_int_equal(lab.view.target.canary.state,
                     strstr(c->canary, "retryable false") ? READY_NEVER : READY_LATER);
}

/* -- ports ------------------------------------------------------------------------------------- */

static const struct port_case {
    const char *name, *service, *containers, *ports;
} port_cases[] = {
    { "nothing is discovered unless asked for", "{portDiscovery: false}",
      "[{name: c, ports: [{name: extra, containerPort: 1}]}]", "null" },
    { "ports are named or numbered, sorted, and TCP", "{targetPort: 9898}",
      "[{name: podinfo, ports: [{containerPort: 9898}, {name: zeta, containerPort: 9797},"
      " {containerPort: 9999, protocol: UDP}]}]",
      "[{name: tcp-podinfo-2, protocol: TCP, port: 9999, targetPort: 9999},"
      " {name: zeta, protocol: TCP, port: 9797, targetPort: 9797}]" },
    { "the port that a name leads to is left out", "{targetPort: web}",
      "[{name: c, ports: [{name: web, containerPort: 1}, {name: x, containerPort: 2}]}]",
      "[{name: x, protocol: TCP, port: 2, targetPort: 2}]" },
    { "without a target port that of the Service is left out", "{targetPort: '0'}",
      "[{name: c, ports: [{name: web, containerPort: 80}, {name: x, containerPort: 2}]}]",
      "[{name: x, protocol: TCP, port: 2, targetPort: 2}]" },
    { "proxies of a mesh are left out", "{}",
      "[{name: istio-proxy, ports: [{containerPort: 1}]}, {name: envoy, ports: [{containerPort:"
      " 2}]}, {name: c, ports: [{name: x, containerPort: 3}]}]",
      "[{name: x, protocol: TCP, port: 3, targetPort: 3}]" },
    { "of two ports with one name the later one stays", "{}",
      "[{name: a, ports: [{name: x, containerPort: 1}]}, {name: b, ports: [{name: x,"
      " containerPort: 2}]}]",
      "[{name: x, protocol: TCP, port: 2, targetPort: 2}]" },
    { "the name of the first port is not given twice", "{portName: web}",
      "[{name: c, ports: [{name: web, containerPort: 1}]}]",
      "[{name: tcp-c-0, protocol: TCP, port: 1, targetPort: 1}]" },
    { "nor is its default", "{}", "[{name: c, ports: [{name: http, containerPort: 1}]}]",
      "[{name: tcp-c-0, protocol: TCP, port: 1, targetPort: 1}]" },
    { "nor a number", "{}",
      "[{name: c, ports: [{name: a, containerPort: 80}, {name: b, containerPort: 53}, {name: d,"
      " containerPort: 53, protocol: UDP}]}]",
      "[{name: b, protocol: TCP, port: 53, targetPort: 53}]" },
};

static void ports_are_discovered(void **state)
{
    const struct port_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    struct val *patch = value_of(mem, "{spec: {service: {portDiscovery: true, targetPort: 9898}}}");
    struct val *target = value_of(mem, DEPLOYMENT), *objects = val_new_list(mem);
    val_set(mem, VAL_PATH(patch, "spec"), "service",
            doc_merge_apply(mem, VAL_PATH(patch, "spec", "service"), value_of(mem, c->service)));
    val_set(mem, VAL_PATH(target, "spec", "template", "spec"), "containers",
            value_of(mem, c->containers));
    val_append(mem, objects, target);
    lab_begin(&lab, mem, doc_merge_apply(mem, value_of(mem, CANARY), patch), objects);
    lab_look(&lab);
    assert_same_value(mem, lab.view.target.ports, value_of(mem, c->ports));
}

/* -- the primary ------------------------------------------------------------------------------- */

static void the_first_configured_label_selects(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, "{}",
          "[{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector:"
          " {matchLabels: {app.kubernetes.io/name: one, name: two}}, template: {metadata: {labels:"
          " {app.kubernetes.io/name: one, name: two}}, spec: {}}}}]");
    lab_do(&lab, "primary");
    assert_string_equal(lab.view.target.selector_key, "name");
    assert_string_equal(lab.view.target.selector_value, "two");
    const struct val *spec = val_get(lab_object(&lab, "Deployment", "web-primary"), "spec");
    assert_same_value(mem, val_get(spec, "selector"),
                      value_of(mem, "{matchLabels: {name: two-primary}}"));
    assert_same_value(mem, VAL_PATH(spec, "template", "metadata", "labels"),
                      value_of(mem, "{app.kubernetes.io/name: one, name: two-primary}"));
    assert_same_value(mem, val_get(spec, "replicas"), val_new_int(mem, 1)); /* none were said */
}

static const struct meta_case {
    const char *name, *prefixes[3];
    const char *created, *promoted;
} meta_cases[] = {
    { "no labels are taken over, annotations at first",
      { NULL },
      "{labels: {app: shop-web-primary}, annotations: {acme.io/a: x, other: y}}",
      "{labels: {app: shop-web-primary}}" },
    { "labels and annotations are taken over by prefix",
      { "nope", "acme.io/" },
      "{labels: {app: shop-web-primary, acme.io/l: x}, annotations: {acme.io/a: x, other: y}}",
      "{labels: {app: shop-web-primary, acme.io/l: x}, annotations: {acme.io/a: x}}" },
    { "a star is all but what says that an object is from git",
      { "*" },
      "{labels: {app: shop-web-primary, acme.io/l: x, other: y}, annotations: {acme.io/a: x,"
      " other: y}}",
      "{labels: {app: shop-web-primary, acme.io/l: x, other: y}, annotations: {acme.io/a: x,"
      " other: y}}" },
};

/* Labels, annotations of an object, without those that it gets anyway. */
static const struct val *metadata_of(struct lab *lab, const char *name)
{
    const struct val *metadata = val_get(lab_object(lab, "Deployment", name), "metadata");
    struct val *out = val_new_map(lab->mem);
    if (val_get(metadata, "labels"))
        val_set(lab->mem, out, "labels", val_get(metadata, "labels"));
    if (val_get(metadata, "annotations"))
        val_set(lab->mem, out, "annotations", val_get(metadata, "annotations"));
    return out;
}

static void metadata_is_taken_over_by_prefix(void **state)
{
    const struct meta_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    struct val *patch =
        value_of(mem, "{metadata: {labels: {acme.io/l: x, other: y, app: own,"
                      " kustomize.toolkit.fluxcd.io/name: z, fluxcd.io/sync-gc-mark: z},"
                      " annotations: {acme.io/a: x, other: y, helm.toolkit.fluxcd.io/name: z,"
                      " fluxcd.io/sync-checksum: z}}}");
    struct val *objects = val_new_list(mem);
    val_append(mem, objects, doc_merge_apply(mem, value_of(mem, DEPLOYMENT), patch));
    lab_begin(&lab, mem, value_of(mem, CANARY), objects);
    lab.settings.include_label_prefixes = c->prefixes;
    lab_do(&lab, "primary");
    assert_same_value(mem, metadata_of(&lab, "web-primary"), value_of(mem, c->created));
    lab_do(&lab, "promote");
    assert_same_value(mem, metadata_of(&lab, "web-primary"), value_of(mem, c->promoted));
}

static void pods_of_the_primary_keep_apart_from_each_other(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    static const char pods[] =
        "{affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: "
        "1,"
        " podAffinityTerm: {labelSelector: {matchExpressions: [{key: app, operator: In, values:"
        " [%1$s, web]}, {key: tier, operator: In, values: [web]}]}}}],"
        " requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {matchLabels: {app: "
        "%1$s,"
        " name: %1$s, tier: web}}}]}, podAffinity:"
        " {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {matchLabels: {app:"
        " web}}}]}}, topologySpreadConstraints: [{labelSelector: {matchLabels: {app: %1$s},"
        " matchExpressions: [{key: name, operator: In, values: [shop-web, %1$s]}]}}]}";
    struct val *target = value_of(mem, DEPLOYMENT), *objects = val_new_list(mem);
    val_set(mem, VAL_PATH(target, "spec", "template"), "spec",
            value_of(mem, arena_printf(mem, pods, "web")));
    val_append(mem, objects, target);
    lab_begin(&lab, mem, value_of(mem, CANARY), objects);
    lab_do(&lab, "primary");
    const struct val *primary = lab_object(&lab, "Deployment", "web-primary");
    assert_same_value(mem, VAL_PATH(primary, "spec", "template", "spec"),
                      value_of(mem, arena_printf(mem, pods, "web-primary")));
}

static void a_promotion_takes_over_what_is_unset_too(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(
        &lab, mem, "{spec: {autoscalerRef: {apiVersion: autoscaling/v2, kind: Other, name: s}}}",
        "[" DEPLOYMENT
        ", {apiVersion: apps/v1, kind: Deployment, metadata: {name: web-primary, labels: {old: x},"
        " annotations: {old: x}, finalizers: [keep/me]}, spec: {replicas: 7, minReadySeconds: 5,"
        " paused: true, selector: {matchLabels: {app: shop-web-primary}}, template: {metadata:"
        " {annotations: {old: x, flagger-id: one}}, spec: {hostNetwork: true}}}}]");
    lab_do(&lab, "promote");
    const struct val *primary = lab_object(&lab, "Deployment", "web-primary");
    const char *id =
        val_text(VAL_PATH(primary, "spec", "template", "metadata", "annotations", "flagger-id"));
    assert_non_null(id);
    assert_string_not_equal(id, "one");
    assert_same_value(
        mem, val_get(primary, "spec"),
        value_of(mem, arena_printf(mem,
                                   "{replicas: 7, paused: true, selector: {matchLabels: {app:"
                                   " shop-web-primary}}, template: {metadata: {labels: {app:"
                                   " shop-web-primary}, annotations: {flagger-id: '%s'}}, spec:"
                                   " {containers: [{name: c}]}}}",
                                   id)));
    assert_same_value(mem, VAL_PATH(primary, "metadata", "finalizers"), value_of(mem, "[keep/me]"));
    assert_same_value(mem, metadata_of(&lab, "web-primary"),
                      value_of(mem, "{labels: {app: shop-web-primary}}"));
}

static void the_primary_of_a_target_at_zero_has_a_replica(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, "{}",
          "[{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 0,"
          " selector: {matchLabels: {app: web}}}}]");
    lab_do(&lab, "primary");
    assert_same_value(mem,
                      VAL_PATH(lab_object(&lab, "Deployment", "web-primary"), "spec", "replicas"),
                      val_new_int(mem, 1));
}

static void a_primary_that_is_there_is_left_alone(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, "{}",
          "[" DEPLOYMENT
          ", {apiVersion: apps/v1, kind: Deployment, metadata: {name: web-primary}, spec: {}}]");
    lab_do(&lab, "primary");
    assert_int_equal(lab.requests.len, 0);
    assert_true(lab.view.target.has_primary);
}

/* -- scaling ----------------------------------------------------------------------------------- */

#define DEPLOYMENT_OF(name, replicas)                                \
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: " name \
    "}, spec: {replicas: " replicas "}}"

static const struct scale_case {
    const char *name, *patch, *objects, *act;
    int64_t replicas; /* -1: nothing is sent */
} scale_cases[] = {
    { "a target at zero stays so", "{}", "[" DEPLOYMENT_OF("web", "0") "]", "down", -1 },
    { "a target goes to zero", "{}", "[" DEPLOYMENT_OF("web", "5") "]", "down", 0 },
    { "a target that runs is not scaled up", "{}", "[" DEPLOYMENT_OF("web", "5") "]", "up", -1 },
    { "a target gets as many replicas as the primary", "{}",
      "[" DEPLOYMENT_OF("web", "0") ", " DEPLOYMENT_OF("web-primary", "4") "]", "up", 4 },
    { "it gets one when the primary has none", "{}",
      "[" DEPLOYMENT_OF("web", "0") ", " DEPLOYMENT_OF("web-primary", "0") "]", "up", 1 },
    { "a HorizontalPodAutoscaler says the least",
      "{spec: {autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: "
      "s}}}",
      "[" DEPLOYMENT_OF("web", "0") ", " DEPLOYMENT_OF(
          "web-primary", "4") ", {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, "
                              "metadata: {name: s}, spec:"
                              " {minReplicas: 3}}]",
      "up", 3 },
    { "a ScaledObject says the least",
      "{spec: {autoscalerRef: {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: s}}}",
      "[" DEPLOYMENT_OF("web", "0") ", " DEPLOYMENT_OF(
          "web-primary",
          "4") ", {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: s}, spec:"
               " {minReplicaCount: 2}}]",
      "up", 2 },
    { "a ScaledObject that may go to zero says one",
      "{spec: {autoscalerRef: {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: s}}}",
      "[" DEPLOYMENT_OF("web", "0") ", {apiVersion: keda.sh/v1alpha1, kind: ScaledObject,"
                                    " metadata: {name: s}, spec: {minReplicaCount: 0}}]",
      "up", 1 },
    { "a scaler that is missing says one",
      "{spec: {autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: "
      "s}}}",
      "[" DEPLOYMENT_OF("web", "0") ", " DEPLOYMENT_OF("web-primary", "4") "]", "up", 1 },
    { "a reverted target gets the replicas of the primary, fewer ones too", "{}",
      "[" DEPLOYMENT_OF("web", "9") ", " DEPLOYMENT_OF("web-primary", "4") "]", "revert", 4 },
    { "a reverted target without a primary is scaled up", "{}", "[" DEPLOYMENT_OF("web", "0") "]",
      "revert", 1 },
};

static void replicas_are_set(void **state)
{
    const struct scale_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    struct effects effects;
    begin(&lab, mem, c->patch, c->objects);
    SCOPED(err_free) struct err *e = lab_plan(&lab, c->act, &effects);
    assert_null(e);
    assert_int_equal(effects.list.len, c->replicas < 0 ? 0 : 1);
    if (c->replicas < 0)
        return;
    assert_int_equal(effects.list.at[0].verb, EFFECT_MERGE);
    assert_string_equal(effects.list.at[0].name, "web");
    assert_same_value(
        mem, effects.list.at[0].body,
        value_of(mem, arena_printf(mem, "{spec: {replicas: %lld}}", (long long)c->replicas)));
}

static void a_daemonset_is_moved_to_no_node_and_back(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, TO_DAEMONSET,
          "[{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}, spec: {selector:"
          " {matchLabels: {app: web}}, template: {spec: {nodeSelector: {disk: ssd}}}}}]");
    lab_look(&lab);
    const char *revision = lab.view.target.revision;
    lab_do(&lab, "down");
    const struct val *target = lab_object(&lab, "DaemonSet", "web");
    assert_same_value(mem, VAL_PATH(target, "spec", "template", "spec", "nodeSelector"),
                      value_of(mem, "{disk: ssd, flagger.app/scale-to-zero: 'true'}"));
    lab_look(&lab);
    assert_string_equal(lab.view.target.revision, revision); /* that is no new revision */
    lab_do(&lab, "primary");
    assert_same_value(mem,
                      VAL_PATH(lab_object(&lab, "DaemonSet", "web-primary"), "spec", "template",
                               "spec", "nodeSelector"),
                      value_of(mem, "{disk: ssd}"));
    lab_do(&lab, "up");
    target = lab_object(&lab, "DaemonSet", "web");
    assert_same_value(mem, VAL_PATH(target, "spec", "template", "spec", "nodeSelector"),
                      value_of(mem, "{disk: ssd}"));
    assert_int_equal(lab.requests.len, 3);
}

/* -- adoption ---------------------------------------------------------------------------------- */

static void a_primary_that_runs_the_same_is_known(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, "{}",
          "[{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector:"
          " {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {volumes:"
          " [{name: v, configMap: {name: c}}], topologySpreadConstraints: [{labelSelector:"
          " {matchLabels: {app: web}}}]}}}}, {apiVersion: v1, kind: ConfigMap, metadata: {name: "
          "c}}]");
    lab_look(&lab);
    assert_false(target_find(&lab.canary)->is_promoted(&lab.view));
    lab_do(&lab, "primary");
    assert_true(target_find(&lab.canary)->is_promoted(&lab.view));
    lab_store(&lab, doc_merge_apply(mem, lab_object(&lab, "Deployment", "web"),
                                    value_of(mem, "{spec: {template: {spec: {hostIPC: true}}}}")));
    lab_look(&lab);
    assert_false(target_find(&lab.canary)->is_promoted(&lab.view));
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(fault_cases, faults_are_told),
        ROWS(refusal_cases, refusals_are_explained),
        ROWS(wrap_cases, unready_pods_are_told),
        ROWS(port_cases, ports_are_discovered),
        ROWS(meta_cases, metadata_is_taken_over_by_prefix),
        ROWS(scale_cases, replicas_are_set),
        SINGLE(the_first_configured_label_selects),
        SINGLE(pods_of_the_primary_keep_apart_from_each_other),
        SINGLE(a_promotion_takes_over_what_is_unset_too),
        SINGLE(the_primary_of_a_target_at_zero_has_a_replica),
        SINGLE(a_primary_that_is_there_is_left_alone),
        SINGLE(a_daemonset_is_moved_to_no_node_and_back),
        SINGLE(a_primary_that_runs_the_same_is_known),
    };
    return rows_run("canary_target", tests, ARRAY_LEN(tests));
}
