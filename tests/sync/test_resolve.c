#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "sync/owner.h"
#include "sync/resolve.h"

#define SET "set"

static const struct manifest *parse(struct arena *mem, const char *text, size_t *count)
{
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    if (!manifest_parse(mem, &(struct manifest_source){ .path = "a.yaml" }, text, strlen(text),
                        &list, &problems))
        fail_msg("%s", manifest_problem_format(mem, &problems.at[0]));
    if (count)
        *count = list.len;
    return list.at;
}

/* Bodies are shown without our label and annotation: @MARK and @SUM stand for them. */
static const struct resolve_case {
    const char *name, *text;
    enum resolve_scope scope;
    enum resolve_verdict verdict;
    const char *id, *other_id;
    const char *body; /* NULL: none */
} cases[] = {
    { "a namespaced object without namespace gets the default one",
      "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: \"1\"}}",
      RESOLVE_NAMESPACED, RESOLVE_APPLY, "standard:configmap/a", NULL,
      "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"namespace\":"
      "\"standard\",\"labels\":{@MARK},"
      "\"annotations\":{@SUM}},\"data\":{\"x\":\"1\"}}" },
    { "a written namespace stays",
      "{apiVersion: v1, kind: ConfigMap, metadata: {namespace: demo, name: a}}", RESOLVE_NAMESPACED,
      RESOLVE_APPLY, "demo:configmap/a", NULL,
      "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"namespace\":\"demo\",\"name\":"
      "\"a\",\"labels\":{@MARK},"
      "\"annotations\":{@SUM}}}" },
    { "a cluster-wide object loses its namespace",
      "{apiVersion: v1, kind: Namespace, metadata: {name: a, namespace: x}}", RESOLVE_CLUSTER,
      RESOLVE_APPLY, "<cluster>:namespace/a", NULL,
      "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"a\",\"labels\":{@"
      "MARK},\"annotations\":{@SUM}}}" },
    { "labels and annotations of the manifest stay beside ours",
      "{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {l: m}, annotations: {q: o}}}",
      RESOLVE_CLUSTER, RESOLVE_APPLY, "<cluster>:namespace/a", NULL,
      "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"a\",\"labels\":{"
      "\"l\":\"m\",@MARK},"
      "\"annotations\":{\"q\":\"o\",@SUM}}}" },
    { "a mark and a checksum in the manifest win",
      "{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {fluxcd.io/sync-gc-mark: "
      "mine}, "
      "annotations: {fluxcd.io/sync-checksum: mine}}}",
      RESOLVE_CLUSTER, RESOLVE_APPLY, "<cluster>:namespace/a", NULL,
      "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"a\",\"labels\":{"
      "\"fluxcd.io/sync-gc-mark\":\"mine\"},"
      "\"annotations\":{\"fluxcd.io/sync-checksum\":\"mine\"}}}" },
    { "nulls are left out, in lists of maps too",
      "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: , annotations: {x: }}, data: "
      "{r: , s: \"\"}, l: [{a: }, 1]}",
      RESOLVE_NAMESPACED, RESOLVE_APPLY, "standard:configmap/a", NULL,
      "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"annotations\":{"
      "@SUM},"
      "\"namespace\":\"standard\",\"labels\":{@MARK}},\"data\":{\"s\":\"\"},\"l\":[{},1]}" },
    { "what only a server writes is left out",
      "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b, uid: u, "
      "resourceVersion: \"7\", generation: 3, "
      "creationTimestamp: null, selfLink: /x, managedFields: [], deletionTimestamp: t, "
      "deletionGracePeriodSeconds: 1, "
      "annotations: {kubectl.kubernetes.io/last-applied-configuration: x}}, status: {a: b}}",
      RESOLVE_NAMESPACED, RESOLVE_APPLY, "b:configmap/a", NULL,
      "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"namespace\":"
      "\"b\","
      "\"annotations\":{@SUM},\"labels\":{@MARK}}}" },
    { "texts of a Secret are sent as data, over what data says",
      "{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: b}, data: {k: eA==, o: eQ==}, "
      "stringData: {k: hello, q: \"\"}}",
      RESOLVE_NAMESPACED, RESOLVE_APPLY, "b:secret/a", NULL,
      "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\","
      "\"labels\":{@MARK},"
      "\"annotations\":{@SUM}},\"data\":{\"k\":\"aGVsbG8=\",\"o\":\"eQ==\",\"q\":\"\"}}" },
    { "texts of a Secret that are no strings are the server's to refuse",
      "{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: b}, stringData: {k: 1}}",
      RESOLVE_NAMESPACED, RESOLVE_APPLY, "b:secret/a", NULL,
      "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\","
      "\"labels\":{@MARK},"
      "\"annotations\":{@SUM}},\"stringData\":{\"k\":1}}" },
    { "stringData of another kind is a field like any other",
      "{apiVersion: bitnami.com/v1, kind: Secret, metadata: {name: a, namespace: b}, stringData: "
      "{k: v}}",
      RESOLVE_NAMESPACED, RESOLVE_APPLY, "b:secret/a", NULL,
      "{\"apiVersion\":\"bitnami.com/"
      "v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\",\"labels\":{@MARK}"
      ","
      "\"annotations\":{@SUM}},\"stringData\":{\"k\":\"v\"}}" },
    { "an ignored manifest is not applied",
      "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {fluxcd.io/ignore: "
      "\"true\"}}}",
      RESOLVE_NAMESPACED, RESOLVE_IGNORED, "standard:configmap/a", NULL, NULL },
    { "a kind without scope is not applied, and known under both names",
      "{apiVersion: example.org/v1, kind: Thing, metadata: {name: a}}", RESOLVE_UNKNOWN,
      RESOLVE_NO_SCOPE, "standard:thing/a", "<cluster>:thing/a", NULL },
};

static void replace(struct arena *mem, char **text, const char *what, const char *with)
{
    char *at = strstr(*text, what);
    if (at)
        *text = arena_printf(mem, "%.*s%s%s", (int)(at - *text), *text, with, at + strlen(what));
}

static void resolves(void **state)
{
    const struct resolve_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct manifest *manifest = parse(mem, c->text, NULL);
    const char *before = val_json(mem, manifest->object, NULL);
    struct resolved got;
    resolve_manifest(mem, manifest, c->scope,
                     &(struct resolve_settings){ .set_name = SET, .default_ns = "standard" }, &got);
    assert_int_equal(got.verdict, c->verdict);
    assert_int_equal(*got.reason != '\0', c->verdict != RESOLVE_APPLY);
    assert_string_equal(got.id, c->id);
    assert_int_equal(got.other_id != NULL, c->other_id != NULL);
    if (c->other_id)
        assert_string_equal(got.other_id, c->other_id);
    assert_string_equal(val_json(mem, manifest->object, NULL), before); /* the manifest is frozen */
    assert_int_equal(got.body != NULL, c->body != NULL);
    if (!c->body)
        return;
    char *expected = arena_strdup(mem, c->body);
    replace(mem, &expected, "@MARK",
            arena_printf(mem, "\"fluxcd.io/sync-gc-mark\":\"%s\"", mark_of(mem, SET, c->id)));
    replace(mem, &expected, "@SUM",
            arena_printf(mem, "\"fluxcd.io/sync-checksum\":\"%s\"",
                         mark_checksum(mem, manifest->object)));
    assert_string_equal(got.body, expected);
    assert_int_equal(got.body_len, strlen(expected));
    assert_non_null(strstr(got.body, got.mark));
    assert_non_null(strstr(got.body, got.checksum));
}

/* -- allowed namespaces ---------------------------------------------------------------------- */

static const struct allow_case {
    const char *name, *api_version, *kind, *ns, *object;
    bool is_allowed;
} allow_cases[] = {
    { "an object of a listed namespace", "v1", "ConfigMap", "mine", "a", true },
    { "an object of another namespace", "v1", "ConfigMap", "foreign", "a", false },
    { "a listed namespace itself", "v1", "Namespace", "", "mine", true },
    { "another namespace itself", "v1", "Namespace", "", "unlisted", false },
    { "any other cluster-wide object", "rbac.authorization.k8s.io/v1", "ClusterRole", "", "x",
      true },
    { "a custom kind that is called Namespace", "example.org/v1", "Namespace", "", "unlisted",
      true },
};

static void allows(void **state)
{
    const struct allow_case *c = *state;
    static const char *const allowed[] = { "mine", "also-mine", NULL }, *const none[] = { NULL };
    assert_int_equal(resolve_is_allowed(allowed, c->api_version, c->kind, c->ns, c->object),
                     c->is_allowed);
    assert_true(resolve_is_allowed(NULL, c->api_version, c->kind, c->ns, c->object));
    assert_true(resolve_is_allowed(none, c->api_version, c->kind, c->ns, c->object));
}

static void an_excluded_manifest_has_its_reason_and_no_body(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const char *const allowed[] = { "mine", NULL };
    struct resolved got;
    resolve_manifest(mem,
                     parse(mem, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}", NULL),
                     RESOLVE_NAMESPACED,
                     &(struct resolve_settings){
                         .set_name = SET, .default_ns = "default", .allowed_ns = allowed },
                     &got);
    assert_int_equal(got.verdict, RESOLVE_EXCLUDED);
    assert_non_null(strstr(got.reason, "excluded by namespace constraints"));
    assert_null(got.body);
}

/* -- the rest -------------------------------------------------------------------------------- */

static void an_object_over_three_mebibytes_is_not_sent(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    sbuf_add(&text, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n");
    for (int i = 0; i < 4; i++) {
        sbuf_addf(&text, "  k%d: ", i);
        for (size_t j = 0; j < ((size_t)1 << 20); j += 16)
            sbuf_add(&text, "0123456789abcdef");
        sbuf_add_char(&text, '\n');
    }
    struct resolved got;
    resolve_manifest(mem, parse(mem, sbuf_text(&text), NULL), RESOLVE_NAMESPACED,
                     &(struct resolve_settings){ .set_name = SET, .default_ns = "default" }, &got);
    assert_int_equal(got.verdict, RESOLVE_TOO_LARGE);
    assert_null(got.body);
}

static void equal_bodies_have_equal_prints(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const char *const texts[] = {
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: \"1\"}}",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: '1' # one\n",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: \"2\"}}"
    };
    struct resolved got[3];
    for (size_t i = 0; i < 3; i++)
        resolve_manifest(mem, parse(mem, texts[i], NULL), RESOLVE_NAMESPACED,
                         &(struct resolve_settings){ .set_name = SET, .default_ns = "default" },
                         &got[i]);
    assert_memory_equal(got[0].print, got[1].print, 16);
    assert_memory_not_equal(got[0].print, got[2].print, 16);
}

static void duplicates_are_told_of_on_each_claim_and_none_is_applied(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    static const struct {
        struct manifest_source source;
        const char *text;
    } files[] = {
        { { "copy.yaml", false, false },
          "{apiVersion: v1, kind: ConfigMap, metadata: {name: good, namespace: demo}}" },
        { { "good.yaml", false, false },
          "{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: demo}}\n---\n"
          "{apiVersion: v1, kind: ConfigMap, metadata: {name: good}}" },
        { { "x/../.flux.yaml", true, false },
          "{apiVersion: v1, kind: ConfigMap, metadata: {name: good, namespace: demo}}" },
    };
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        assert_true(manifest_parse(mem, &files[i].source, files[i].text, strlen(files[i].text),
                                   &list, &problems));
    struct resolved got[4];
    for (size_t i = 0; i < 4; i++)
        resolve_manifest(mem, &list.at[i], RESOLVE_NAMESPACED,
                         &(struct resolve_settings){ .set_name = SET, .default_ns = "demo" },
                         &got[i]);
    assert_true(resolve_duplicates(mem, got, 4, &problems));
    assert_int_equal(got[1].verdict, RESOLVE_APPLY);
    static const size_t claims[] = { 0, 2, 3 };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(got[claims[i]].verdict, RESOLVE_DUPLICATE);
        assert_null(got[claims[i]].body);
    }
    assert_int_equal(problems.len, 3);
    assert_string_equal(manifest_problem_format(mem, &problems.at[1]),
                        "good.yaml:3:1: duplicate definition of 'demo:configmap/good' (in "
                        "copy.yaml and good.yaml)");
    assert_string_equal(problems.at[2].text, "duplicate definition of 'demo:configmap/good' "
                                             "(generated by x/../.flux.yaml and in copy.yaml)");
    struct resolved alone[2] = { got[0], got[1] };
    alone[0].verdict = RESOLVE_APPLY;
    assert_false(resolve_duplicates(mem, alone, 2, &problems));
}

static const struct duplicate_case {
    const char *name;
    struct manifest_source claims[4];
    size_t count;
    const char *expected;
} duplicate_cases[] = {
    { "two files",
      { { "b.yaml", false, false }, { "a.yaml", false, false } },
      2,
      "(in a.yaml and b.yaml)" },
    { "a file twice",
      { { "a.yaml", false, false }, { "a.yaml", false, false } },
      2,
      "(in a.yaml)" },
    { "two generators",
      { { "s/.flux.yaml", true, false }, { "t/.flux.yaml", true, false } },
      2,
      "(generated by s/.flux.yaml and by t/.flux.yaml)" },
    { "a file and a generator",
      { { "a.yaml", false, false }, { "s/.flux.yaml", true, false } },
      2,
      "(generated by s/.flux.yaml and in a.yaml)" },
    { "a generator twice",
      { { "s/.flux.yaml", true, false }, { "s/.flux.yaml", true, false } },
      2,
      "(generated by s/.flux.yaml)" },
    { "many",
      { { "b.yaml", false, false },
        { "t", true, false },
        { "a.yaml", false, false },
        { "b.yaml", false, false } },
      4,
      "(generated by t and in a.yaml and b.yaml)" },
};

static void duplicates_are_worded_as_in_flux(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(duplicate_cases); i++) {
        struct duplicate_case c = duplicate_cases[i];
        assert_string_equal(resolve_duplicate_text(mem, "x:y/z", c.claims, c.count),
                            arena_printf(mem, "duplicate definition of 'x:y/z' %s", c.expected));
    }
}

static void replicas_can_be_left_out_of_a_body(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(resolve_drop_replicas(mem, "{\"spec\":{\"a\":1,\"replicas\":2}}"),
                        "{\"spec\":{\"a\":1}}");
    assert_string_equal(resolve_drop_replicas(mem, "{\"kind\":\"x\"}"), "{\"kind\":\"x\"}");
}

static const struct scale_case {
    const char *name, *text, *expected;
} scale_cases[] = {
    { "an autoscaler names what it scales",
      "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: "
      "{scaleTargetRef: "
      "{apiVersion: apps/v1, kind: Deployment, name: web}}}",
      "demo:deployment/web" },
    { "in any version",
      "{apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: "
      "{scaleTargetRef: "
      "{kind: StatefulSet, name: db}}}",
      "demo:statefulset/db" },
    { "KEDA scales Deployments unless it says otherwise",
      "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: h}, spec: "
      "{scaleTargetRef: {name: web}}}",
      "demo:deployment/web" },
    { "an autoscaler of nothing scales nothing",
      "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: "
      "{scaleTargetRef: {name: x}}}",
      NULL },
    { "another kind scales nothing",
      "{apiVersion: example.org/v1, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: "
      "{scaleTargetRef: "
      "{kind: Deployment, name: web}}}",
      NULL },
};

static void finds_scale_target(void **state)
{
    const struct scale_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct resolved got;
    resolve_manifest(mem, parse(mem, c->text, NULL), RESOLVE_NAMESPACED,
                     &(struct resolve_settings){ .set_name = SET, .default_ns = "demo" }, &got);
    if (c->expected)
        assert_string_equal(got.scale_target, c->expected);
    else
        assert_null(got.scale_target);
}

static void definitions_of_the_repository_give_scopes(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    size_t count;
    const struct manifest *manifests =
        parse(mem,
              "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: "
              "{name: things.example.org}\n"
              "spec: {group: example.org, scope: Namespaced, names: {kind: Thing, plural: things}, "
              "versions: [{name: v1}, {name: v2}]}\n"
              "---\napiVersion: apiextensions.k8s.io/v1beta1\nkind: "
              "CustomResourceDefinition\nmetadata: {name: rocks.example.org}\n"
              "spec: {group: example.org, scope: Cluster, names: {kind: Rock, plural: rocks}, "
              "version: v1}\n"
              "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: "
              "{name: broken.example.org}\n",
              &count);
    struct resolve_crds crds = { 0 };
    resolve_find_crds(mem, manifests, count, &crds);
    assert_int_equal(crds.len, 2);
    assert_int_equal(resolve_crd_of(&crds, "example.org/v1", "Thing")->scope, RESOLVE_NAMESPACED);
    assert_int_equal(resolve_crd_of(&crds, "example.org/v2", "Thing")->scope, RESOLVE_NAMESPACED);
    assert_int_equal(resolve_crd_of(&crds, "example.org/v1", "Rock")->scope, RESOLVE_CLUSTER);
    assert_string_equal(resolve_crd_of(&crds, "example.org/v1", "Rock")->plural, "rocks");
    assert_null(resolve_crd_of(&crds, "example.org/v3", "Thing"));
    assert_null(resolve_crd_of(&crds, "example.com/v1", "Thing"));
    assert_null(resolve_crd_of(&crds, "v1", "Thing"));
}

/* -- what another owns ---------------------------------------------------------------------- */

static const struct keep_case {
    const char *name, *body, *live;
    unsigned owned;
    const char *sent;
} keep_cases[] = {
    { "selector and ports of a Service stay as they are",
      "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"type\":\"ClusterIP\",\"selector\":{\"app\":\"a\"}"
      ",\"ports\":[{\"port\":1}]}}",
      "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"type\":\"NodePort\",\"selector\":{\"app\":\"a-"
      "primary\"},\"ports\":[{\"port\":2}]}}",
      OWNER_SELECTOR,
      "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"type\":\"ClusterIP\",\"selector\":{\"app\":\"a-"
      "primary\"},\"ports\":[{\"port\":2}]}}" },
    { "a selector that is not there is not sent",
      "{\"spec\":{\"selector\":{\"app\":\"a\"},\"ports\":[{\"port\":1}]}}",
      "{\"spec\":{\"ports\":[{\"port\":1}]}}", OWNER_SELECTOR,
      "{\"spec\":{\"ports\":[{\"port\":1}]}}" },
    { "the whole spec of a route stays as it is, its labels do not",
      "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"hosts\":[\"x\"]}}",
      "{\"metadata\":{\"labels\":{}},\"spec\":{\"hosts\":[\"y\"],\"http\":[]}}",
      OWNER_ROUTES | OWNER_SELECTOR,
      "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"hosts\":[\"y\"],\"http\":[]}}" },
    { "replicas stay as they are, and nothing else", "{\"spec\":{\"replicas\":2,\"paused\":true}}",
      "{\"spec\":{\"replicas\":0,\"paused\":false}}", OWNER_REPLICAS,
      "{\"spec\":{\"replicas\":0,\"paused\":true}}" },
};

static void what_another_owns_is_sent_as_it_is(void **state)
{
    const struct keep_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *live = NULL;
    assert_null(doc_json_parse(mem, c->live, strlen(c->live), &live));
    assert_string_equal(resolve_keep_live(mem, c->body, live, c->owned), c->sent);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(cases, resolves),
        ROWS(allow_cases, allows),
        ROWS(scale_cases, finds_scale_target),
        ROWS(keep_cases, what_another_owns_is_sent_as_it_is),
        SINGLE(an_excluded_manifest_has_its_reason_and_no_body),
        SINGLE(an_object_over_three_mebibytes_is_not_sent),
        SINGLE(equal_bodies_have_equal_prints),
        SINGLE(duplicates_are_told_of_on_each_claim_and_none_is_applied),
        SINGLE(duplicates_are_worded_as_in_flux),
        SINGLE(replicas_can_be_left_out_of_a_body),
        SINGLE(definitions_of_the_repository_give_scopes),
    };
    return rows_run("sync_resolve", tests, ARRAY_LEN(tests));
}
