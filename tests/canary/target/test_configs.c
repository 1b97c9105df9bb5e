#include "../../rows.h"

#include "lab.h"

#define CANARY                                                                                \
    "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: shop, namespace: prod," \
    " uid: c-1}, spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}"

/* A target with these pods, and other objects (a list); both as YAML. */
static void begin(struct lab *lab, struct arena *mem, const char *pods, const char *others)
{
    struct val *target =
        value_of(mem, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec:"
                      " {selector: {matchLabels: {app: web}}, template: {}}}");
    struct val *objects = value_of(mem, others);
    val_set(mem, VAL_PATH(target, "spec", "template"), "spec", value_of(mem, pods));
    val_append(mem, objects, target);
    lab_begin(lab, mem, value_of(mem, CANARY), objects);
}

static const struct val *pods_of(struct lab *lab, const char *name)
{
    return VAL_PATH(lab_object(lab, "Deployment", name), "spec", "template", "spec");
}

static struct val *observe(struct lab *lab)
{
    struct val *configs;
    lab_look(lab);
    SCOPED(err_free)
    struct err *e = configs_observe(&lab->view, target_pod_spec(&lab->view), &configs);
    if (e)
        fail_msg("%s", err_text(e));
    return configs;
}

/* -- references -------------------------------------------------------------------------------- */

#define EVERYWHERE                                                                                \
    "{volumes: [{name: a, configMap: {name: %1$s}}, {name: b, secret: {secretName: %2$s}},"       \
    " {name: c, projected: {sources: [{configMap: {name: %1$s}}, {secret: {name: %2$s}},"         \
    " {downwardAPI: {}}]}}], containers: [{name: c, env: [{name: A, valueFrom:"                   \
    " {configMapKeyRef: {name: %1$s, key: k}}}, {name: B, valueFrom: {secretKeyRef: {name:"       \
    " %2$s, key: k}}}, {name: C, value: one}, {name: D, valueFrom: {fieldRef: {fieldPath: x}}}]," \
    " envFrom: [{configMapRef: {name: %1$s}}, {secretRef: {name: %2$s}}]}], initContainers:"      \
    " [{name: i, envFrom: [{secretRef: {name: %2$s}}], env: [{name: A, valueFrom:"                \
    " {configMapKeyRef: {name: %1$s}}}]}], ephemeralContainers: [{name: e, envFrom:"              \
    " [{configMapRef: {name: one}}]}], imagePullSecrets: [{name: two}]}"

static void references_are_renamed_everywhere(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, arena_printf(mem, EVERYWHERE, "one", "two"),
          "[{apiVersion: v1, kind: ConfigMap, metadata: {name: one}, data: {color: red}},"
          " {apiVersion: v1, kind: Secret, metadata: {name: two}, type: Opaque, data: {apiKey:"
          " dGVzdA==, empty: ''}}]");
    assert_same_value(mem, observe(&lab),
                      value_of(mem, "{configmap/one: 241889ca0604e333, secret/two:"
                                    " ac6cec24ec518d97}"));
    lab_do(&lab, "primary");
    assert_same_value(mem, pods_of(&lab, "web-primary"),
                      value_of(mem, arena_printf(mem, EVERYWHERE, "one-primary", "two-primary")));
    assert_int_equal(lab.requests.len, 3);
    assert_string_equal(lab.requests.at[0], "copy ConfigMap/one-primary");
    assert_string_equal(lab.requests.at[1], "copy Secret/two-primary");
}

static const struct track_case {
    const char *name, *pods, *objects;
    const char *tracked; /* NULL: the mandatory one is missing */
} track_cases[] = {
    { "pods without references", "{containers: [{name: c}]}", "[]", "{}" },
    { "a map that is disabled", "{containers: [{name: c, envFrom: [{configMapRef: {name: m}}]}]}",
      "[{apiVersion: v1, kind: ConfigMap, metadata: {name: m, annotations:"
      " {flagger.app/config-tracking: disabled}}}]",
      "{}" },
    { "a map that is disabled in another word",
      "{containers: [{name: c, envFrom: [{configMapRef: {name: m}}]}]}",
      "[{apiVersion: v1, kind: ConfigMap, metadata: {name: m, annotations:"
      " {flagger.app/config-tracking: disable-it}}}]",
      "{}" },
    { "a map that is enabled", "{containers: [{name: c, envFrom: [{configMapRef: {name: m}}]}]}",
      "[{apiVersion: v1, kind: ConfigMap, metadata: {name: m, annotations:"
      " {flagger.app/config-tracking: enabled}}}]",
      "{configmap/m: 74234e98afe7498f}" },
    { "a Secret of TLS", "{volumes: [{name: v, secret: {secretName: s}}]}",
      "[{apiVersion: v1, kind: Secret, metadata: {name: s}, type: kubernetes.io/tls, data: {}}]",
      "{secret/s: 44136fa355b3678a}" },
    { "a Secret of a registry", "{volumes: [{name: v, secret: {secretName: s}}]}",
      "[{apiVersion: v1, kind: Secret, metadata: {name: s}, type: kubernetes.io/dockerconfigjson}]",
      "{}" },
    { "an optional one that is missing",
      "{volumes: [{name: v, secret: {secretName: s, optional: true}}]}", "[]", "{}" },
    { "a mandatory one that is missing", "{volumes: [{name: v, secret: {secretName: s}}]}", "[]",
      NULL },
    { "the last reference makes it optional",
      "{volumes: [{name: v, secret: {secretName: s}}], containers: [{name: c, envFrom: [{secretRef:"
      " {name: s, optional: true}}]}]}",
      "[]", "{}" },
    { "the last reference makes it mandatory",
      "{initContainers: [{name: i, envFrom: [{secretRef: {name: s}}]}], containers: [{name: c,"
      " envFrom: [{secretRef: {name: s, optional: true}}]}]}",
      "[]", NULL },
};

static void references_are_tracked(void **state)
{
    const struct track_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, c->pods, c->objects);
    if (c->tracked) {
        struct val *tracked = observe(&lab);
        assert_same_value(mem, tracked, value_of(mem, c->tracked));
        lab_do(&lab, "primary");
        if (tracked->len == 0)
            assert_same_value(mem, pods_of(&lab, "web-primary"), pods_of(&lab, "web"));
        return;
    }
    struct val *configs;
    lab_look(&lab);
    SCOPED(err_free)
    struct err *e = configs_observe(&lab.view, target_pod_spec(&lab.view), &configs);
    assert_string_equal(err_text(e),
                        "GetTargetConfigs failed: secret s.prod get query error: secret s.prod get "
                        "query error: secrets \"s\" not found");
    assert_true(err_is(e, ERR_NOT_FOUND));
}

static void tracking_can_be_off(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, "{volumes: [{name: v, secret: {secretName: s}}]}",
          "[{apiVersion: v1, kind: Secret, metadata: {name: s}, type: Opaque}]");
    lab.settings.tracks_configs = false;
    assert_null(observe(&lab));
    lab_do(&lab, "primary");
    assert_same_value(mem, pods_of(&lab, "web-primary"), pods_of(&lab, "web"));
    assert_int_equal(lab.requests.len, 1);
}

/* -- copies ------------------------------------------------------------------------------------ */

static void a_copy_has_all_contents_and_every_owner(void **state)
{
    (void)state;
    static const char *const prefixes[] = { "acme.io/", NULL };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(
        &lab, mem, "{volumes: [{name: v, configMap: {name: m}}]}",
        "[{apiVersion: v1, kind: ConfigMap, metadata: {name: m, labels: {acme.io/a: x, b: y},"
        " annotations: {c: z}}, immutable: true, data: {k: v}, binaryData: {b: AAE=}},"
        " {apiVersion: v1, kind: ConfigMap, metadata: {name: m-primary, annotations: {d: e},"
        " ownerReferences: [{apiVersion: flagger.app/v1beta1, kind: Canary, name: other, uid:"
        " c-2, controller: true}, {apiVersion: flagger.app/v1beta1, kind: Canary, name: shop, uid:"
        " c-0, controller: true}]}}]");
    lab.settings.include_label_prefixes = prefixes;
    struct effects effects;
    SCOPED(err_free) struct err *e = lab_plan(&lab, "primary", &effects);
    assert_null(e);
    assert_string_equal(effects.list.at[0].before,
                        "createPrimaryDeployment failed: CreatePrimaryConfigs failed: updating "
                        "configmap m-primary.prod failed: ");
    lab_do(&lab, "primary");
    struct val *copy = val_copy(mem, lab_object(&lab, "ConfigMap", "m-primary"));
    (void)val_remove(val_get(copy, "metadata"), "resourceVersion");
    assert_same_value(
        mem, copy,
        value_of(mem, "{apiVersion: v1, kind: ConfigMap, metadata: {name: m-primary, namespace:"
                      " prod, labels: {acme.io/a: x}, ownerReferences: [{apiVersion:"
                      " flagger.app/v1beta1, kind: Canary, name: shop, uid: c-1, controller: true,"
                      " blockOwnerDeletion: true}, {apiVersion: flagger.app/v1beta1, kind: Canary,"
                      " name: other, uid: c-2, controller: false}]}, data: {k: v}, binaryData: {b:"
                      " AAE=}}"));
}

static void only_what_changed_is_copied_again(void **state)
{
    (void)state;
    static const char *const prefixes[] = { "acme.io/", NULL };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem,
          "{volumes: [{name: a, configMap: {name: a}}, {name: b, configMap: {name: b}}]}",
          "[{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: v}},"
          " {apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {k: v}}]");
    lab_do(&lab, "primary");
    lab_store(&lab, doc_merge_apply(mem, lab_object(&lab, "ConfigMap", "b"),
                                    value_of(mem, "{data: {k: w}}")));
    lab.requests.len = 0;
    lab_do(&lab, "promote");
    assert_int_equal(lab.requests.len, 2);
    assert_string_equal(lab.requests.at[0], "copy ConfigMap/b-primary");
    assert_string_equal(lab.requests.at[1], "update Deployment/web-primary");
    assert_same_value(mem, val_get(lab_object(&lab, "ConfigMap", "b-primary"), "data"),
                      value_of(mem, "{k: w}"));
    lab.settings.include_label_prefixes = prefixes;
    lab_store(&lab, doc_merge_apply(mem, lab_object(&lab, "ConfigMap", "a"),
                                    value_of(mem, "{metadata: {labels: {acme.io/a: x}}}")));
    lab.requests.len = 0;
    lab_do(&lab, "promote");
    assert_int_equal(lab.requests.len, 2);
    assert_string_equal(lab.requests.at[0], "copy ConfigMap/a-primary");
}

/* -- changes ----------------------------------------------------------------------------------- */

static const struct change_case {
    const char *name, *stored, *now; /* NULL: none */
    bool is_changed;
    const char *what;
} change_cases[] = {
    { "nothing tracked, nothing stored", NULL, "{}", false, NULL },
    { "tracking is off", "{configmap/a: '1'}", NULL, false, NULL },
    { "something tracked, nothing stored", NULL, "{configmap/a: '1'}", true, NULL },
    { "nothing any more", "{configmap/a: '1'}", "{}", true, NULL },
    { "as before", "{configmap/a: '1', secret/b: '2'}", "{secret/b: '2', configmap/a: '1'}", false,
      NULL },
    { "another ConfigMap", "{configmap/a: '1'}", "{configmap/b: '1'}", true, "configmap b" },
    { "a changed Secret", "{configmap/a: '1', secret/b: '2'}", "{configmap/a: '1', secret/b: '3'}",
      true, "secret b" },
};

static void changes_are_seen(void **state)
{
    const struct change_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *what;
    assert_int_equal(configs_changed(mem, c->stored ? value_of(mem, c->stored) : NULL,
                                     c->now ? value_of(mem, c->now) : NULL, &what),
                     c->is_changed);
    if (c->what)
        assert_string_equal(what, c->what);
    else
        assert_null(what);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(track_cases, references_are_tracked),       ROWS(change_cases, changes_are_seen),
        SINGLE(references_are_renamed_everywhere),       SINGLE(tracking_can_be_off),
        SINGLE(a_copy_has_all_contents_and_every_owner), SINGLE(only_what_changed_is_copied_again),
    };
    return rows_run("canary_target_configs", tests, ARRAY_LEN(tests));
}
