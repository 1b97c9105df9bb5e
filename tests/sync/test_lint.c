#include <string.h>

#include "../rows.h"

#include "sync/builtin.h"
#include "sync/lint.h"

static const struct lint_case {
    const char *name, *text;
    const char *problems; /* parts of them, between | */
} cases[] = {
    { "good manifests have no problems",
      "{apiVersion: v1, kind: Namespace, metadata: {name: demo}}\n---\n"
      "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: demo, annotations: "
      "{fluxcd.io/ignore: "
      "sync_only}}}\n",
      "" },
    { "a duplicate is an error on each claim",
      "{apiVersion: v1, kind: Secret, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Secret, "
      "metadata: {name: a, namespace: "
      "default}}\n",
      "error a.yaml:1:1: duplicate definition of 'default:secret/a' (in a.yaml)|error a.yaml:3:1: "
      "duplicate" },
    { "the same name in two groups is one ID, and an error",
      "{apiVersion: v1, kind: Service, metadata: {name: a}}\n---\n"
      "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a}}\n",
      "warning a.yaml:3:14: the kind Service of serving.knative.dev/v1|error a.yaml:1:1: "
      "duplicate|error a.yaml:3:1: duplicate" },
    { "a kind that Kubernetes does not have",
      "{apiVersion: apps/v1, kind: Deploymant, metadata: {name: a}}\n",
      "warning a.yaml:1:14: Kubernetes has no kind Deploymant in apps/v1" },
    { "a kind that nobody defines",
      "{apiVersion: example.org/v1, kind: Thing, metadata: {name: a}}\n",
      "warning a.yaml:1:14: the kind Thing of example.org/v1 is neither one of Kubernetes nor "
      "defined here" },
    { "a kind that the repository defines",
      "{apiVersion: example.org/v1, kind: Thing, metadata: {name: a}}\n---\n"
      "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: "
      "things.example.org}, spec: "
      "{group: example.org, scope: Cluster, names: {kind: Thing, plural: things}, versions: "
      "[{name: v1}]}}\n",
      "" },
    { "a version that is gone", "{apiVersion: batch/v1beta1, kind: CronJob, metadata: {name: a}}\n",
      "warning a.yaml:1:14: batch/v1beta1 CronJob: use batch/v1 (batch/v1beta1 is gone since "
      "Kubernetes 1.25)" },
    { "a namespace on a cluster-wide object",
      "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  namespace: b\n",
      "warning a.yaml:5:14: a Namespace is in no namespace" },
    { "a mark that was copied from a cluster",
      "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  labels:\n    "
      "fluxcd.io/sync-gc-mark: x\n  annotations:\n"
      "    fluxcd.io/sync-checksum: z\n",
      "warning a.yaml:6:29: the label fluxcd.io/sync-gc-mark|warning a.yaml:8:30: the annotation "
      "fluxcd.io/sync-checksum" },
    { "an ignore value that means nothing",
      "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  annotations:\n    "
      "fluxcd.io/ignore: \"yes\"\n",
      "warning a.yaml:6:23: fluxcd.io/ignore: \"yes\" means nothing" },
};

static void lints(void **state)
{
    const struct lint_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    assert_true(manifest_parse(mem, &(struct manifest_source){ .path = "a.yaml" }, c->text,
                               strlen(c->text), &list, &problems));
    lint_check(mem, list.at, list.len, &(struct lint_settings){ 0 }, &problems);
    char *parts = arena_strdup(mem, c->problems), *save = NULL;
    size_t n = 0;
    for (char *part = strtok_r(parts, "|", &save); part; part = strtok_r(NULL, "|", &save), n++) {
        assert_true(n < problems.len);
        const char *text = arena_printf(
            mem, "%s %s", problems.at[n].severity == MANIFEST_ERROR ? "error" : "warning",
            manifest_problem_format(mem, &problems.at[n]));
        if (strncmp(text, part, strlen(part)) != 0)
            fail_msg("problem %zu is \"%s\", not \"%s\"", n, text, part);
    }
    if (n != problems.len)
        fail_msg("one more problem: %s", manifest_problem_format(mem, &problems.at[n]));
}

static void built_in_kinds_have_scopes_by_group(void **state)
{
    (void)state;
    assert_int_equal(builtin_scope("v1", "Pod"), BUILTIN_NAMESPACED);
    assert_int_equal(builtin_scope("v1", "Node"), BUILTIN_CLUSTER);
    assert_int_equal(builtin_scope("apps/v1", "Deployment"), BUILTIN_NAMESPACED);
    assert_int_equal(builtin_scope("apps/v9", "Deployment"), BUILTIN_NAMESPACED);
    assert_int_equal(builtin_scope("v1", "Deployment"), BUILTIN_UNKNOWN);
    assert_int_equal(builtin_scope("rbac.authorization.k8s.io/v1", "ClusterRole"), BUILTIN_CLUSTER);
    assert_int_equal(builtin_scope("app/v1", "Deployment"), BUILTIN_UNKNOWN);
}

static void groups_of_kubernetes_are_told_from_others(void **state)
{
    (void)state;
    static const char *const own[] = { "v1", "apps/v1", "policy/v1", "networking.k8s.io/v1",
                                       "storage.k8s.io/v1" };
    static const char *const foreign[] = { "example.org/v1",         "gateway.networking.k8s.io/v1",
                                           "metrics.k8s.io/v1beta1", "k8s.io/v1",
                                           "notk8s.io/v1",           "appsx/v1" };
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        assert_true(builtin_owns_group(own[i]));
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
        assert_false(builtin_owns_group(foreign[i]));
}

static void current_versions_need_no_replacement(void **state)
{
    (void)state;
    assert_null(builtin_replacement("batch/v1", "CronJob"));
    assert_null(builtin_replacement("extensions/v1beta1", "Thing"));
    assert_non_null(
        strstr(builtin_replacement("extensions/v1beta1", "Ingress"), "networking.k8s.io/v1"));
    assert_non_null(strstr(builtin_replacement("extensions/v1beta1", "Deployment"), "apps/v1"));
    assert_non_null(strstr(builtin_replacement("policy/v1beta1", "PodSecurityPolicy"),
                           "Pod Security Admission"));
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(cases, lints),
        SINGLE(built_in_kinds_have_scopes_by_group),
        SINGLE(groups_of_kubernetes_are_told_from_others),
        SINGLE(current_versions_need_no_replacement),
    };
    return rows_run("sync_lint", tests, ARRAY_LEN(tests));
}
