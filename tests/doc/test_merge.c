#include <string.h>

#include "../rows.h"

#include "doc/merge.h"
#include "doc/yaml.h"

/* Documents are written as YAML, since that needs fewer quotes; "" is none. */
static struct val *yaml(struct arena *mem, const char *text)
{
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free)
    struct err *e = doc_yaml_load(mem, text, strlen(text), &doc_yaml_default_limits, &docs, NULL);
    assert_string_equal(err_text(e), "");
    return docs.len ? docs.at[0].root : NULL;
}

static void assert_same(struct arena *mem, const struct val *got, const char *expected)
{
    const struct val *wanted = yaml(mem, expected);
    if (!wanted || !val_equal(got, wanted)) /* shown as text */
        assert_string_equal(got ? val_json(mem, got, NULL) : "",
                            wanted ? val_json(mem, wanted, NULL) : "");
}

/* ---- RFC 7386: the examples of its appendix, and a few more ---- */

static const struct merge_case {
    const char *name, *target, *patch, *result;
} merge_cases[] = {
    { "a value is changed", "{a: b}", "{a: c}", "{a: c}" },
    { "a value is added", "{a: b}", "{b: c}", "{a: b, b: c}" },
    { "a value is removed", "{a: b}", "{a: null}", "{}" },
    { "one of several is removed", "{a: b, b: c}", "{a: null}", "{b: c}" },
    { "a list gives way to a text", "{a: [b]}", "{a: c}", "{a: c}" },
    { "a text gives way to a list", "{a: c}", "{a: [b]}", "{a: [b]}" },
    { "maps are merged", "{a: {b: c}}", "{a: {b: d, c: null}}", "{a: {b: d}}" },
    { "lists of maps are replaced", "{a: [{b: c}]}", "{a: [1]}", "{a: [1]}" },
    { "lists are replaced", "[a, b]", "[c, d]", "[c, d]" },
    { "a list replaces a map", "{a: b}", "[c]", "[c]" },
    { "null replaces everything", "{a: foo}", "null", "null" },
    { "a text replaces everything", "{a: foo}", "bar", "bar" },
    { "null stays in what is not touched", "{e: null}", "{a: 1}", "{e: null, a: 1}" },
    { "a map replaces a list", "[1, 2]", "{a: b, c: null}", "{a: b}" },
    { "nulls of what is new are dropped", "{}", "{a: {bb: {ccc: null}}}", "{a: {bb: {}}}" },
    { "a map over a text begins anew", "{a: text}", "{a: {b: 1, c: null}}", "{a: {b: 1}}" },
    { "nulls in lists stay", "{}", "{a: [null, {b: null}]}", "{a: [null, {b: null}]}" },
};

static void merge_is(void **state)
{
    const struct merge_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *target = yaml(mem, row->target), *patch = yaml(mem, row->patch);
    assert_same(mem, doc_merge_apply(mem, target, patch), row->result);
    assert_same(mem, target, row->target); /* both are left as they were */
    assert_same(mem, patch, row->patch);
}

static const struct diff_case {
    const char *name, *from, *to, *patch;
} diff_cases[] = {
    { "equal documents need no patch", "{a: 1, b: [2]}", "{b: [2], a: 1}", "" },
    { "what changed, came and went", "{a: 1, b: 2, c: 3}", "{a: 1, b: 4, d: 5}",
      "{b: 4, c: null, d: 5}" },
    { "only the part that differs", "{a: {b: {c: 1, d: 2}}, e: 3}", "{a: {b: {c: 1, d: 4}}, e: 3}",
      "{a: {b: {d: 4}}}" },
    { "lists as a whole", "{a: [1, 2]}", "{a: [1, 3]}", "{a: [1, 3]}" },
    { "a text becomes a map", "{a: x}", "{a: {b: 1}}", "{a: {b: 1}}" },
    { "a map becomes a text", "{a: {b: 1}}", "{a: x}", "{a: x}" },
    { "no maps at all", "[1]", "[2]", "[2]" },
};

static void difference_is(void **state)
{
    const struct diff_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *from = yaml(mem, row->from), *to = yaml(mem, row->to);
    struct val *patch = doc_merge_diff(mem, from, to);
    if (!*row->patch) {
        assert_null(patch);
        return;
    }
    assert_same(mem, patch, row->patch);
    assert_same(mem, doc_merge_apply(mem, from, patch), row->to);
}

/* ---- strategic: what k8s.io/apimachinery v0.34 answers ---- */

struct strategic_case {
    const char *name, *api_version, *kind, *from, *with, *result;
};

// clang-format off
/* from, to, patch */
static const struct strategic_case strategic_diff_cases[] = {
    { "nothing to do is no patch", "apps/v1", "Deployment",
      "{a: 1}",
      "{a: 1}",
      "" },
    { "fields are added, changed and removed", "apps/v1", "Deployment",
      "{spec: {replicas: 1, paused: true, minReadySeconds: 5}}",
      "{spec: {replicas: 2, minReadySeconds: 5, revisionHistoryLimit: 3}}",
      "{spec: {paused: null, replicas: 2, revisionHistoryLimit: 3}}" },
    { "containers are told by their names", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: app, image: 'a:1'}, {name: side, image: 'b:1'}]}}}}",
      "{spec: {template: {spec: {containers: [{name: app, image: 'a:2'}, {name: side, image: 'b:1'}]}}}}",
      "{spec: {template: {spec: {$setElementOrder/containers: [{name: app}, {name: side}], containers: [{image: 'a:2', name: app}]}}}}" },
    { "an added container is whole", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: app, image: 'a:1'}]}}}}",
      "{spec: {template: {spec: {containers: [{name: app, image: 'a:1'}, {name: new, image: 'c:1'}]}}}}",
      "{spec: {template: {spec: {$setElementOrder/containers: [{name: app}, {name: new}], containers: [{image: 'c:1', name: new}]}}}}" },
    { "a removed container is deleted by name", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: app, image: 'a:1'}, {name: old, image: 'c:1'}]}}}}",
      "{spec: {template: {spec: {containers: [{name: app, image: 'a:1'}]}}}}",
      "{spec: {template: {spec: {$setElementOrder/containers: [{name: app}], containers: [{$patch: delete, name: old}]}}}}" },
    { "a new order alone is told", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: a}, {name: b}]}}}}",
      "{spec: {template: {spec: {containers: [{name: b}, {name: a}]}}}}",
      "{spec: {template: {spec: {$setElementOrder/containers: [{name: b}, {name: a}]}}}}" },
    { "env and ports within a container", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: app, env: [{name: A, value: '1'}, {name: B, value: '2'}], ports: [{containerPort: 80}]}]}}}}",
      "{spec: {template: {spec: {containers: [{name: app, env: [{name: A, value: '1'}, {name: B, value: '3'}], ports: [{containerPort: 8080}, {containerPort: 80}]}]}}}}",
      "{spec: {template: {spec: {$setElementOrder/containers: [{name: app}], containers: [{$setElementOrder/env: [{name: A}, {name: B}], $setElementOrder/ports: [{containerPort: 8080}, {containerPort: 80}], env: [{name: B, value: '3'}], name: app, ports: [{containerPort: 8080}]}]}}}}" },
    { "arguments are replaced", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: app, args: [a, b]}]}}}}",
      "{spec: {template: {spec: {containers: [{name: app, args: [b]}]}}}}",
      "{spec: {template: {spec: {$setElementOrder/containers: [{name: app}], containers: [{args: [b], name: app}]}}}}" },
    { "tolerations are replaced", "apps/v1", "Deployment",
      "{spec: {template: {spec: {tolerations: [{key: a}, {key: b}]}}}}",
      "{spec: {template: {spec: {tolerations: [{key: b}]}}}}",
      "{spec: {template: {spec: {tolerations: [{key: b}]}}}}" },
    { "a volume of another kind keeps only its new keys", "apps/v1", "Deployment",
      "{spec: {template: {spec: {volumes: [{name: v, emptyDir: {}}]}}}}",
      "{spec: {template: {spec: {volumes: [{name: v, configMap: {name: c}}]}}}}",
      "{spec: {template: {spec: {$setElementOrder/volumes: [{name: v}], volumes: [{$retainKeys: [configMap, name], configMap: {name: c}, emptyDir: null, name: v}]}}}}" },
    { "a strategy keeps only its new keys", "apps/v1", "Deployment",
      "{spec: {strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}}}",
      "{spec: {strategy: {type: Recreate}}}",
      "{spec: {strategy: {$retainKeys: [type], rollingUpdate: null, type: Recreate}}}" },
    { "finalizers are a set", "apps/v1", "Deployment",
      "{metadata: {finalizers: [a, b]}}",
      "{metadata: {finalizers: [b, c]}}",
      "{metadata: {$deleteFromPrimitiveList/finalizers: [a], $setElementOrder/finalizers: [b, c], finalizers: [c]}}" },
    { "a list that was empty is added whole", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: []}}}}",
      "{spec: {template: {spec: {containers: [{name: a, env: [{name: X}]}]}}}}",
      "{spec: {template: {spec: {containers: [{env: [{name: X}], name: a}]}}}}" },
    { "a list that becomes empty is deleted item by item", "apps/v1", "Deployment",
      "{spec: {template: {spec: {imagePullSecrets: [{name: a}, {name: b}]}}}}",
      "{spec: {template: {spec: {imagePullSecrets: []}}}}",
      "{spec: {template: {spec: {imagePullSecrets: [{$patch: delete, name: a}, {$patch: delete, name: b}]}}}}" },
    { "a list that goes away is null", "apps/v1", "Deployment",
      "{spec: {template: {spec: {imagePullSecrets: [{name: a}]}}}}",
      "{spec: {template: {spec: {hostNetwork: true}}}}",
      "{spec: {template: {spec: {hostNetwork: true, imagePullSecrets: null}}}}" },
    { "ports of a service go by their port", "v1", "Service",
      "{spec: {ports: [{port: 80, targetPort: 1}, {port: 81, targetPort: 2}]}}",
      "{spec: {ports: [{port: 80, targetPort: 9}, {port: 81, targetPort: 2}]}}",
      "{spec: {$setElementOrder/ports: [{port: 80}, {port: 81}], ports: [{port: 80, targetPort: 9}]}}" },
    { "a cron job has its pods further down", "batch/v1", "CronJob",
      "{spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: 'x:1'}]}}}}}}",
      "{spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: 'x:2'}]}}}}}}",
      "{spec: {jobTemplate: {spec: {template: {spec: {$setElementOrder/containers: [{name: a}], containers: [{image: 'x:2', name: a}]}}}}}}" },
    { "secrets of a service account, but not its pull secrets, go by name", "v1", "ServiceAccount",
      "{secrets: [{name: a}, {name: b}], imagePullSecrets: [{name: a}]}",
      "{secrets: [{name: a}], imagePullSecrets: [{name: c}]}",
      "{$setElementOrder/secrets: [{name: a}], imagePullSecrets: [{name: c}], secrets: [{$patch: delete, name: b}]}" },
    { "annotations are a map", "apps/v1", "Deployment",
      "{metadata: {annotations: {a: '1', b: '2'}}}",
      "{metadata: {annotations: {a: '1', c: '3'}}}",
      "{metadata: {annotations: {b: null, c: '3'}}}" },
    { "a text becomes a map", "apps/v1", "Deployment",
      "{spec: {x: text}}",
      "{spec: {x: {a: 1}}}",
      "{spec: {x: {a: 1}}}" },
};

/* target, patch, result */
static const struct strategic_case strategic_cases[] = {
    { "changes, additions and removals", "apps/v1", "Deployment",
      "{spec: {replicas: 1, paused: true}}",
      "{spec: {replicas: 2, paused: null, minReadySeconds: 5}}",
      "{spec: {minReadySeconds: 5, replicas: 2}}" },
    { "an item is changed where it stands", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: a, image: 'x:1'}, {name: b, image: 'y:1'}]}}}}",
      "{spec: {template: {spec: {containers: [{name: b, image: 'y:2'}]}}}}",
      "{spec: {template: {spec: {containers: [{image: 'x:1', name: a}, {image: 'y:2', name: b}]}}}}" },
    { "an item of the patch comes first", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: a}, {name: b}]}}}}",
      "{spec: {template: {spec: {containers: [{name: new}]}}}}",
      "{spec: {template: {spec: {containers: [{name: new}, {name: a}, {name: b}]}}}}" },
    { "an order puts items where they belong", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: a}, {name: b}]}}}}",
      "{spec: {template: {spec: {$setElementOrder/containers: [{name: b}, {name: new}, {name: a}], containers: [{name: new, image: 'n:1'}]}}}}",
      "{spec: {template: {spec: {containers: [{name: b}, {image: 'n:1', name: new}, {name: a}]}}}}" },
    { "items that an order does not name stay in front of their followers", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: a}, {name: injected}, {name: b}]}}}}",
      "{spec: {template: {spec: {$setElementOrder/containers: [{name: b}, {name: a}]}}}}",
      "{spec: {template: {spec: {containers: [{name: injected}, {name: b}, {name: a}]}}}}" },
    { "an item is deleted by name", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: a}, {name: b}]}}}}",
      "{spec: {template: {spec: {containers: [{$patch: delete, name: a}]}}}}",
      "{spec: {template: {spec: {containers: [{name: b}]}}}}" },
    { "deleting what is not there is fine", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: a}]}}}}",
      "{spec: {template: {spec: {containers: [{$patch: delete, name: b}]}}}}",
      "{spec: {template: {spec: {containers: [{name: a}]}}}}" },
    { "a list is replaced", "apps/v1", "Deployment",
      "{spec: {template: {spec: {containers: [{name: a}, {name: b}]}}}}",
      "{spec: {template: {spec: {containers: [{name: c}, {$patch: replace}]}}}}",
      "{spec: {template: {spec: {containers: [{name: c}]}}}}" },
    { "a map is replaced", "apps/v1", "Deployment",
      "{spec: {selector: {matchLabels: {a: '1', b: '2'}}}}",
      "{spec: {selector: {matchLabels: {$patch: replace, c: '3'}}}}",
      "{spec: {selector: {matchLabels: {c: '3'}}}}" },
    { "a map is emptied", "apps/v1", "Deployment",
      "{metadata: {labels: {a: '1'}}}",
      "{metadata: {labels: {$patch: delete}}}",
      "{metadata: {labels: {}}}" },
    { "kept keys clear the others", "apps/v1", "Deployment",
      "{spec: {strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}}}",
      "{spec: {strategy: {$retainKeys: [type], type: Recreate}}}",
      "{spec: {strategy: {type: Recreate}}}" },
    { "kept keys of a volume", "apps/v1", "Deployment",
      "{spec: {template: {spec: {volumes: [{name: v, emptyDir: {}}]}}}}",
      "{spec: {template: {spec: {volumes: [{$retainKeys: [name, configMap], name: v, configMap: {name: c}}]}}}}",
      "{spec: {template: {spec: {volumes: [{configMap: {name: c}, name: v}]}}}}" },
    { "finalizers join", "apps/v1", "Deployment",
      "{metadata: {finalizers: [a, b]}}",
      "{metadata: {finalizers: [c, a]}}",
      "{metadata: {finalizers: [c, a, b]}}" },
    { "finalizers leave", "apps/v1", "Deployment",
      "{metadata: {finalizers: [a, b, c]}}",
      "{metadata: {$deleteFromPrimitiveList/finalizers: [b, x]}}",
      "{metadata: {finalizers: [a, c]}}" },
    { "finalizers come and go", "apps/v1", "Deployment",
      "{metadata: {finalizers: [a, b]}}",
      "{metadata: {$deleteFromPrimitiveList/finalizers: [a], $setElementOrder/finalizers: [b, c], finalizers: [c]}}",
      "{metadata: {finalizers: [b, c]}}" },
    { "lists without a key are replaced", "apps/v1", "Deployment",
      "{spec: {template: {spec: {tolerations: [{key: a}]}}}}",
      "{spec: {template: {spec: {tolerations: [{key: b}]}}}}",
      "{spec: {template: {spec: {tolerations: [{key: b}]}}}}" },
    { "what is new comes without its nulls", "apps/v1", "Deployment",
      "{spec: {}}",
      "{spec: {strategy: {type: Recreate, rollingUpdate: null}}}",
      "{spec: {strategy: {type: Recreate}}}" },
    { "the first port of two with one number is changed", "v1", "Service",
      "{spec: {ports: [{port: 53, protocol: TCP}, {port: 53, protocol: UDP}]}}",
      "{spec: {ports: [{port: 53, name: dns}]}}",
      "{spec: {ports: [{name: dns, port: 53, protocol: TCP}, {port: 53, protocol: UDP}]}}" },
    { "a map over a text", "apps/v1", "Deployment",
      "{spec: {x: text}}",
      "{spec: {x: {a: 1}}}",
      "{spec: {x: {a: 1}}}" },
    { "the selector of a budget is replaced", "policy/v1", "PodDisruptionBudget",
      "{spec: {selector: {matchLabels: {a: '1'}}}}",
      "{spec: {selector: {matchLabels: {b: '2'}}}}",
      "{spec: {selector: {matchLabels: {b: '2'}}}}" },
};

/* target, patch, error */
static const struct strategic_case strategic_bad_cases[] = {
    { "an item without its key", "v1", "Service", "{spec: {ports: [{port: 80}]}}", "{spec: {ports: [{name: x}]}}",
      "an item of the list ports lacks its merge key port" },
    { "an item that is no map", "v1", "Service", "{spec: {ports: [{port: 80}]}}", "{spec: {ports: [80]}}",
      "the list ports has an item that is no map" },
    { "a directive nobody knows", "v1", "Service", "{metadata: {labels: {a: b}}}", "{metadata: {labels: {$patch: destroy}}}",
      "unknown patch type \"destroy\"" },
    { "a directive nobody knows, in a list", "v1", "Service", "{spec: {ports: [{port: 80}]}}", "{spec: {ports: [{port: 80, $patch: merge}]}}",
      "unknown patch type \"merge\" in the list ports" },
    { "an order that the patch does not follow", "v1", "Service", "{spec: {ports: [{port: 80}]}}",
      "{spec: {$setElementOrder/ports: [{port: 81}, {port: 82}], ports: [{port: 82}, {port: 81}]}}",
      "the order in the patch list ports doesn't match its $setElementOrder" },
    { "an order without an item of the patch", "v1", "Service", "{spec: {ports: [{port: 80}]}}",
      "{spec: {$setElementOrder/ports: [{port: 80}], ports: [{port: 82}]}}",
      "the order in the patch list ports doesn't match its $setElementOrder" },
    { "an order that is no list", "v1", "Service", "{spec: {ports: [{port: 80}]}}", "{spec: {$setElementOrder/ports: 80, ports: [{port: 80}]}}",
      "ports and its directives have to be lists" },
    { "kept keys that lack one", "apps/v1", "Deployment", "{spec: {strategy: {type: a}}}", "{spec: {strategy: {$retainKeys: [rollingUpdate], type: b}}}",
      "invalid patch format of retainKeys: it lacks type" },
    { "kept keys that are no list", "apps/v1", "Deployment", "{spec: {strategy: {type: a}}}", "{spec: {strategy: {$retainKeys: type, type: b}}}",
      "invalid patch format of retainKeys" },
    { "one key too often", "v1", "Service", "{spec: {ports: [{port: 1}]}}",
      "{spec: {ports: [{port: 1}, {port: 1}, {port: 1}, {port: 1}, {port: 1}, {port: 1}, {port: 1}, {port: 1}, {port: 1}, "
      "{port: 1}, {port: 1}, {port: 1}, {port: 1}, {port: 1}, {port: 1}, {port: 1}, {port: 1}, {port: 1}]}}",
      "the merge key port of the list ports is 1 more than 16 times" },
    { "a patch that is no map", "v1", "Service", "{a: b}", "[c]", "a strategic merge wants maps, not a list" },
    { "a target that is no map", "v1", "Service", "[c]", "{a: b}", "a strategic merge wants maps, not a list" },
    { "a kind that is not built in", "helm.fluxcd.io/v1", "HelmRelease", "{a: b}", "{a: c}",
      "no strategic merge for helm.fluxcd.io/v1 HelmRelease: it is not built in" },
};
// clang-format on

static void strategic_difference_is(void **state)
{
    const struct strategic_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *from = yaml(mem, row->from), *to = yaml(mem, row->with);
    struct val *patch = doc_strategic_diff(mem, row->api_version, row->kind, from, to),
               *back = NULL;
    if (!*row->result) {
        assert_null(patch);
        return;
    }
    assert_same(mem, patch, row->result);
    assert_null(doc_strategic_apply(mem, row->api_version, row->kind, from, patch, &back));
    assert_same(mem, back, row->with);
}

static void strategic_merge_is(void **state)
{
    const struct strategic_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *target = yaml(mem, row->from), *patch = yaml(mem, row->with);
    struct val *result = NULL;
    SCOPED(err_free)
    struct err *e = doc_strategic_apply(mem, row->api_version, row->kind, target, patch, &result);
    assert_string_equal(err_text(e), "");
    assert_same(mem, result, row->result);
    assert_same(mem, target, row->from); /* both are left as they were */
    assert_same(mem, patch, row->with);
}

static void strategic_merge_is_refused(void **state)
{
    const struct strategic_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *result = NULL;
    SCOPED(err_free)
    struct err *e = doc_strategic_apply(mem, row->api_version, row->kind, yaml(mem, row->from),
                                        yaml(mem, row->with), &result);
    assert_string_equal(err_text(e), row->result);
    assert_int_equal(err_kind(e), strstr(row->result, "times") ? ERR_LIMIT : ERR_INVALID);
}

static void built_in_kinds_are_known(void **state)
{
    (void)state;
    assert_true(doc_strategic_knows("v1", "ConfigMap"));
    assert_true(doc_strategic_knows("apps/v1", "Deployment"));
    assert_true(doc_strategic_knows("networking.k8s.io/v1", "Ingress"));
    assert_true(doc_strategic_knows("rbac.authorization.k8s.io/v1", "Role"));
    assert_false(doc_strategic_knows("gateway.networking.k8s.io/v1", "HTTPRoute"));
    assert_false(doc_strategic_knows("helm.fluxcd.io/v1", "HelmRelease"));
    assert_false(doc_strategic_knows("flagger.app/v1beta1", "Canary"));
    assert_false(doc_strategic_knows("apiextensions.k8s.io/v1", "CustomResourceDefinition"));
}

/* As fluxd's patchUpdated wrote it after a release of both containers. */
static void a_release_makes_the_patch_that_flux_made(void **state)
{
    (void)state;
    static const char before[] =
        "{metadata: {name: web}, spec: {replicas: 1, template: {metadata: {labels: {app: web}}, "
        "spec: {containers: "
        "[{name: app, image: 'host:1/app:1.0.0'}, {name: twin, image: 'host:1/app:1.0.0'}]}}}}";
    static const char after[] =
        "{metadata: {name: web, annotations: {fluxcd.io/automated: 'true'}}, spec: {replicas: 1, "
        "template: {metadata: "
        "{labels: {app: web}}, spec: {containers: "
        "[{name: app, image: 'host:1/app:1.1.0'}, {name: twin, image: 'host:1/app:1.1.0'}]}}}}";
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *patch =
        doc_strategic_diff(mem, "apps/v1", "Deployment", yaml(mem, before), yaml(mem, after));
    SBUF(text, SBUF_MAX);
    doc_yaml_emit(patch, &text);
    assert_string_equal(sbuf_text(&text), "metadata:\n"
                                          "  annotations:\n"
                                          "    fluxcd.io/automated: \"true\"\n"
                                          "spec:\n"
                                          "  template:\n"
                                          "    spec:\n"
                                          "      $setElementOrder/containers:\n"
                                          "      - name: app\n"
                                          "      - name: twin\n"
                                          "      containers:\n"
                                          "      - image: host:1/app:1.1.0\n"
                                          "        name: app\n"
                                          "      - image: host:1/app:1.1.0\n"
                                          "        name: twin\n");
}

static void long_lists_are_merged(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *docs[2];
    for (int round = 0; round < 2; round++) {
        docs[round] = val_new_map(mem);
        struct val *list = val_new_list(mem);
        for (int i = 0; i < 30000; i++) {
            struct val *item = val_new_map(mem);
            int which = round ? 29999 - i : i;
            val_set_text(mem, item, "name", arena_printf(mem, "n%d", which));
            val_set(mem, item, "value", val_new_int(mem, round && which % 3 == 0 ? which : 0));
            val_append(mem, list, item);
        }
        val_set(mem, docs[round], "secrets", list);
    }
    struct val *patch = doc_strategic_diff(mem, "v1", "ServiceAccount", docs[0], docs[1]),
               *back = NULL;
    assert_null(doc_strategic_apply(mem, "v1", "ServiceAccount", docs[0], patch, &back));
    assert_true(val_equal(back, docs[1]));
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(built_in_kinds_are_known),
        SINGLE(a_release_makes_the_patch_that_flux_made),
        SINGLE(long_lists_are_merged),
        ROWS(merge_cases, merge_is),
        ROWS(diff_cases, difference_is),
        ROWS(strategic_diff_cases, strategic_difference_is),
        ROWS(strategic_cases, strategic_merge_is),
        ROWS(strategic_bad_cases, strategic_merge_is_refused),
    };
    return rows_run("merge", tests, ARRAY_LEN(tests));
}
