/* Apply, refusals, takeover and discovery against a real API server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster.h"
#include "doc/object.h"
#include "kube/apply.h"
#include "kube/catalog.h"

static struct cluster *shared; /* of all tests: set once, in main */

static int set_up(void **state)
{
    *state = cluster_bench_new(shared);
    return 0;
}

static int tear_down(void **state)
{
    cluster_bench_free(*state);
    return 0;
}

/* -- applying ------------------------------------------------------------------------------------------------------ */

struct applied {
    struct arena *mem;
    bool is_done, is_refused, was_created;
    enum kube_refusal refusal;
    enum err_kind kind;
    char error[1024], warning[256];
    const struct val *object;
};

static void on_applied(void *ctx, const struct kube_apply_result *result)
{
    struct applied *applied = ctx;
    assert_false(applied->is_done);
    applied->is_done = true;
    applied->is_refused = result->err != NULL;
    applied->kind = result->err ? err_kind(result->err) : ERR_CANCELED;
    applied->refusal = result->refusal;
    applied->was_created = result->was_created;
    snprintf(applied->error, sizeof(applied->error), "%s", err_text(result->err));
    snprintf(applied->warning, sizeof(applied->warning), "%s",
             result->warning ? result->warning : "");
    applied->object = result->object ? val_copy(applied->mem, result->object) : NULL;
}

static bool is_applied(void *ctx)
{
    return ((struct applied *)ctx)->is_done;
}

static struct applied apply_with(struct cluster_bench *cb, const struct kube_resource *resource,
                                 const char *name, const char *json,
                                 const struct kube_apply_opts *opts)
{
    struct applied applied = { .mem = cb->bench->mem };
    kube_apply_start(cb->bench->kube, resource, cb->ns, name, json, opts, on_applied, &applied);
    assert_false(applied.is_done);
    assert_true(bench_until(cb->bench, is_applied, &applied));
    return applied;
}

/* `body` stands behind apiVersion, kind and metadata.name. */
static struct applied apply(struct cluster_bench *cb, const char *api_version, const char *kind,
                            const char *name, const char *body)
{
    const char *json = cluster_printf(
        cb, "{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":{\"name\":\"%s\"}%s}", api_version,
        kind, name, body);
    return apply_with(cb, cluster_resource(cb, api_version, kind), name, json, NULL);
}

static const char *map_path(struct cluster_bench *cb, const char *name)
{
    return cluster_printf(cb, "/api/v1/namespaces/%s/configmaps/%s", cb->ns, name);
}

static void assert_well(const struct applied *applied)
{
    if (applied->is_refused)
        fail_msg("%s", applied->error);
}

static void an_apply_creates_then_changes_nothing(void **state)
{
    struct cluster_bench *cb = *state;
    struct applied first = apply(cb, "v1", "ConfigMap", "a", ",\"data\":{\"k\":\"v\"}");
    assert_well(&first);
    assert_true(first.was_created);
    assert_string_equal(object_kind(first.object), "PartialObjectMetadata");
    assert_string_equal(object_name(first.object), "a");
    struct applied again = apply(cb, "v1", "ConfigMap", "a", ",\"data\":{\"k\":\"v\"}");
    assert_well(&again);
    assert_false(again.was_created);
    assert_string_equal(object_resource_version(again.object),
                        object_resource_version(first.object));
    struct applied changed = apply(cb, "v1", "ConfigMap", "a", ",\"data\":{\"k\":\"w\"}");
    assert_string_not_equal(object_resource_version(changed.object),
                            object_resource_version(first.object));
}

static void a_dry_run_leaves_nothing_behind_and_may_show_all(void **state)
{
    struct cluster_bench *cb = *state;
    const char *json = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
                       "\"dry\"},\"data\":{\"k\":\"v\"}}";
    struct applied dry = apply_with(
        cb, cluster_resource(cb, "v1", "ConfigMap"), "dry", json,
        &(struct kube_apply_opts){ .dry_run = true, .wants_full = true, .field_manager = "other" });
    assert_well(&dry);
    assert_string_equal(val_text(VAL_PATH(dry.object, "data", "k")), "v");
    unsigned char print[16];
    assert_true(kube_apply_fingerprint(dry.object, "other", print));
    struct bench_answer got;
    bench_ask(cb->bench, &(struct kube_request){ .method = "GET", .path = map_path(cb, "dry") },
              &got);
    assert_int_equal(got.refusal, KUBE_REFUSED_OBJECT_MISSING);
}

static void the_fingerprint_tells_drift_and_nothing_else(void **state)
{
    struct cluster_bench *cb = *state;
    const char *body = ",\"data\":{\"a\":\"1\",\"b\":\"2\"}";
    struct applied first = apply(cb, "v1", "ConfigMap", "f", body);
    unsigned char print[16], now[16];
    assert_true(kube_apply_fingerprint(first.object, "serin", print));
    const struct val *read = cluster_get(cb, "%s", map_path(cb, "f"));
    assert_true(kube_apply_fingerprint(read, "serin", now));
    assert_memory_equal(print, now, 16);
    read =
        cluster_patch(cb, map_path(cb, "f"), "other", "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}");
    assert_true(kube_apply_fingerprint(read, "serin", now));
    assert_memory_equal(print, now, 16);
    read = cluster_patch(cb, map_path(cb, "f"), "other", "{\"data\":{\"a\":\"changed\"}}");
    assert_true(kube_apply_fingerprint(read, "serin", now));
    assert_memory_not_equal(print, now, 16);
    const char *const a[] = { "f:data", "f:a", NULL }, *const b[] = { "f:data", "f:b", NULL };
    assert_false(kube_apply_owns(read, "serin", a));
    assert_true(kube_apply_owns(read, "serin", b));
    struct applied healed = apply(cb, "v1", "ConfigMap", "f", body);
    assert_true(kube_apply_fingerprint(healed.object, "serin", now));
    assert_memory_equal(print, now, 16);
}

static void without_force_a_foreign_field_is_a_conflict(void **state)
{
    struct cluster_bench *cb = *state;
    (void)cluster_create(cb, cluster_printf(cb, "/api/v1/namespaces/%s/configmaps", cb->ns),
                         "other", "{\"metadata\":{\"name\":\"c\"},\"data\":{\"k\":\"theirs\"}}");
    const char *json = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
                       "\"c\"},\"data\":{\"k\":\"ours\"}}";
    const struct kube_resource *maps = cluster_resource(cb, "v1", "ConfigMap");
    struct applied soft =
        apply_with(cb, maps, "c", json, &(struct kube_apply_opts){ .no_force = true });
    assert_true(soft.is_refused);
    assert_int_equal(soft.refusal, KUBE_REFUSED_FIELD_CONFLICT);
    struct applied hard = apply_with(cb, maps, "c", json, NULL);
    assert_well(&hard);
}

/* -- refusals ------------------------------------------------------------------------------------------------------ */

#define POD_SPEC                                                                                  \
    ",\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":"         \
    "{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"%s}]}}%" \
    "s}"

static void what_the_server_refuses_is_read_as_it_is_meant(void **state)
{
    struct cluster_bench *cb = *state;
    const struct refused_case {
        const char *api_version, *kind, *body, *part;
        enum kube_refusal refusal;
        enum err_kind kind_of_error;
    } cases[] = {
        { "apps/v1", "Deployment", cluster_printf(cb, POD_SPEC, "", ",\"replica\":2"),
          ".spec.replica: field not declared in schema (500)", KUBE_REFUSED_MANIFEST, ERR_INVALID },
        { "apps/v1", "Deployment", cluster_printf(cb, POD_SPEC, "", ",\"replicas\":\"two\""),
          ".spec.replicas: expected numeric", KUBE_REFUSED_MANIFEST, ERR_INVALID },
        { "apps/v1", "Deployment",
          cluster_printf(cb, POD_SPEC, ",\"env\":[{\"name\":\"X\"},{\"name\":\"X\"}]", ""),
          "duplicate entries for key", KUBE_REFUSED_MANIFEST, ERR_INVALID },
        { "v1", "Service", ",\"spec\":{\"ports\":[{\"port\":70000}]}", "spec.ports[0].port",
          KUBE_REFUSED_MANIFEST, ERR_INVALID },
        { "v1", "ConfigMap", ",\"metadata2\":{}", "field not declared in schema",
          KUBE_REFUSED_MANIFEST, ERR_INVALID },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct applied got =
            apply(cb, cases[i].api_version, cases[i].kind, "refused", cases[i].body);
        assert_true(got.is_refused);
        if (!strstr(got.error, cases[i].part))
            fail_msg("%s", got.error);
        assert_int_equal(got.refusal, cases[i].refusal);
        assert_int_equal(got.kind, cases[i].kind_of_error);
    }
}

static void what_is_too_big_is_refused(void **state)
{
    struct cluster_bench *cb = *state;
    static const struct {
        size_t bytes;
        enum err_kind kind;
    } cases[] = { { (1 << 20) + 100, ERR_INVALID }, { (3 << 20) + 100, ERR_LIMIT } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *data = arena_alloc(cb->bench->mem, cases[i].bytes + 1);
        memset(data, 'x', cases[i].bytes);
        struct applied got = apply(cb, "v1", "ConfigMap", "big",
                                   cluster_printf(cb, ",\"data\":{\"k\":\"%s\"}", data));
        assert_int_equal(got.refusal, KUBE_REFUSED_MANIFEST);
        assert_int_equal(got.kind, cases[i].kind);
    }
}

static void a_missing_namespace_or_kind_is_told(void **state)
{
    struct cluster_bench *cb = *state;
    const char *ns = cb->ns;
    cb->ns = "nowhere-at-all";
    struct applied got = apply(cb, "v1", "ConfigMap", "a", "");
    cb->ns = ns;
    assert_int_equal(got.refusal, KUBE_REFUSED_NAMESPACE_MISSING);
    assert_int_equal(got.kind, ERR_NOT_FOUND);
    struct kube_resource widget = { .group = "example.com",
                                    .version = "v1",
                                    .api_version = "example.com/v1",
                                    .kind = "Widget",
                                    .plural = "widgets",
                                    .is_namespaced = true };
    got = apply_with(cb, &widget, "a", "{\"apiVersion\":\"example.com/v1\",\"kind\":\"Widget\"}",
                     NULL);
    assert_int_equal(got.refusal, KUBE_REFUSED_KIND_UNKNOWN);
    struct bench_answer answer;
    bench_ask(
        cb->bench,
        &(struct kube_request){ .method = "GET", .path = "/api/v1/namespaces/nowhere-at-all" },
        &answer);
    assert_int_equal(answer.refusal, KUBE_REFUSED_NAMESPACE_MISSING);
}

static void no_value_of_a_secret_is_in_an_error(void **state)
{
    struct cluster_bench *cb = *state;
    struct applied got = apply(cb, "v1", "Secret", "s", ",\"data\":{\"password\":123454321}");
    assert_true(got.is_refused);
    assert_int_equal(got.refusal, KUBE_REFUSED_MANIFEST);
    assert_non_null(strstr(got.error, ".data.password"));
    assert_null(strstr(got.error, "123454321"));
    struct applied shown = apply(cb, "v1", "ConfigMap", "s", ",\"data\":{\"password\":123454321}");
    assert_non_null(strstr(shown.error, "123454321")); /* so there was something to withhold */
}

static void a_warning_is_handed_on(void **state)
{
    struct cluster_bench *cb = *state;
    const char *yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: w}\ndata: {a: b}\n"
                       "data: {a: c}\n";
    struct applied got = apply_with(cb, cluster_resource(cb, "v1", "ConfigMap"), "w", yaml, NULL);
    assert_well(&got);
    assert_string_equal(got.warning, "line 5: key \"data\" already set in map");
}

/* -- taking over --------------------------------------------------------------------------------------------------- */

static const char *const last_applied =
    "\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"{}\"}";

static struct applied take_over(struct cluster_bench *cb, const struct kube_resource *resource,
                                const struct val *object)
{
    struct applied taken = { .mem = cb->bench->mem };
    kube_takeover_start(cb->bench->kube, resource, object, on_applied, &taken);
    assert_false(taken.is_done);
    assert_true(bench_until(cb->bench, is_applied, &taken));
    return taken;
}

static const struct val *make_applied_by_kubectl(struct cluster_bench *cb, const char *name)
{
    return cluster_create(cb, cluster_printf(cb, "/api/v1/namespaces/%s/configmaps", cb->ns),
                          "kubectl-client-side-apply",
                          cluster_printf(cb,
                                         "{\"metadata\":{\"name\":\"%s\",%s},\"data\":{\"a\":"
                                         "\"1\",\"b\":\"2\",\"c\":\"3\"}}",
                                         name, last_applied));
}

static void assert_all_ours(struct cluster_bench *cb, const char *name)
{
    const struct val *now = cluster_get(cb, "%s", map_path(cb, name));
    const struct val *entries = VAL_PATH(now, "metadata", "managedFields");
    assert_int_equal(val_len(entries), 1);
    assert_string_equal(val_text(val_get(val_item(entries, 0), "manager")), "serin");
    assert_null(VAL_PATH(now, "data", "b"));
    assert_non_null(VAL_PATH(now, "data", "c"));
    assert_null(VAL_PATH(now, "metadata", "annotations"));
}

static void what_kubectl_applied_becomes_ours_and_fields_can_go(void **state)
{
    struct cluster_bench *cb = *state;
    const struct kube_resource *maps = cluster_resource(cb, "v1", "ConfigMap");
    struct applied taken = take_over(cb, maps, make_applied_by_kubectl(cb, "t"));
    assert_well(&taken);
    assert_non_null(taken.object);
    struct applied then = apply(cb, "v1", "ConfigMap", "t", ",\"data\":{\"a\":\"1\",\"c\":\"3\"}");
    assert_well(&then);
    assert_all_ours(cb, "t");
    struct applied again = take_over(cb, maps, then.object);
    assert_well(&again);
    assert_null(again.object); /* nothing was sent */
}

static void it_works_after_the_first_apply_as_well(void **state)
{
    struct cluster_bench *cb = *state;
    (void)make_applied_by_kubectl(cb, "t");
    struct applied first = apply(cb, "v1", "ConfigMap", "t", ",\"data\":{\"a\":\"1\",\"c\":\"3\"}");
    assert_well(&first);
    assert_non_null(VAL_PATH(cluster_get(cb, "%s", map_path(cb, "t")), "data", "b"));
    struct applied taken = take_over(cb, cluster_resource(cb, "v1", "ConfigMap"), first.object);
    assert_well(&taken);
    struct applied then = apply(cb, "v1", "ConfigMap", "t", ",\"data\":{\"a\":\"1\",\"c\":\"3\"}");
    assert_well(&then);
    assert_all_ours(cb, "t");
}

static void a_write_in_between_makes_it_read_again(void **state)
{
    struct cluster_bench *cb = *state;
    const struct val *old = make_applied_by_kubectl(cb, "t");
    (void)cluster_patch(cb, map_path(cb, "t"), "other",
                        "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}");
    struct applied taken = take_over(cb, cluster_resource(cb, "v1", "ConfigMap"), old);
    assert_well(&taken);
    assert_string_equal(object_label(taken.object, "x"), "y");
    unsigned char print[16];
    assert_true(kube_apply_fingerprint(taken.object, "serin", print));
}

static void an_object_that_is_gone_needs_no_taking_over(void **state)
{
    struct cluster_bench *cb = *state;
    const struct val *old = make_applied_by_kubectl(cb, "t");
    (void)cluster_ask(cb, &(struct kube_request){ .method = "DELETE", .path = map_path(cb, "t") });
    struct applied taken = take_over(cb, cluster_resource(cb, "v1", "ConfigMap"), old);
    assert_well(&taken);
    assert_null(taken.object);
}

/* kubectl wrote v1, we apply v2: the fields that v1 spells otherwise do no harm in our entry. */
static void an_entry_of_another_version_can_be_taken_over(void **state)
{
    struct cluster_bench *cb = *state;
    (void)cluster_create(
        cb,
        cluster_printf(cb, "/apis/autoscaling/v1/namespaces/%s/horizontalpodautoscalers", cb->ns),
        "kubectl-client-side-apply",
        cluster_printf(cb,
                       "{\"metadata\":{\"name\":\"h\",%s},\"spec\":{\"scaleTargetRef\":{"
                       "\"apiVersion\":\"apps/v1\",\"kind\":"
                       "\"Deployment\",\"name\":\"d\"},\"minReplicas\":1,\"maxReplicas\":3,"
                       "\"targetCPUUtilizationPercentage\":50}}",
                       last_applied));
    static const char spec[] = ",\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/"
                               "v1\",\"kind\":\"Deployment\",\"name\":"
                               "\"d\"},\"maxReplicas\":4}";
    struct applied first = apply(cb, "autoscaling/v2", "HorizontalPodAutoscaler", "h", spec);
    assert_well(&first);
    const struct kube_resource *scalers =
        cluster_resource(cb, "autoscaling/v2", "HorizontalPodAutoscaler");
    struct applied taken = take_over(cb, scalers, first.object);
    assert_well(&taken);
    struct applied then = apply(cb, "autoscaling/v2", "HorizontalPodAutoscaler", "h", spec);
    assert_well(&then);
    const struct val *now =
        cluster_get(cb, "/apis/autoscaling/v2/namespaces/%s/horizontalpodautoscalers/h", cb->ns);
    const struct val *entries = VAL_PATH(now, "metadata", "managedFields");
    for (size_t i = 0; i < val_len(entries); i++)
        assert_string_not_equal(val_text(val_get(val_item(entries, i), "manager")),
                                "kubectl-client-side-apply");
    assert_null(VAL_PATH(now, "metadata", "annotations"));
    int64_t most;
    assert_true(val_int(VAL_PATH(now, "spec", "maxReplicas"), &most));
    assert_int_equal(most, 4);
}

/* -- discovery ----------------------------------------------------------------------------------------------------- */

static void the_server_is_discovered(void **state)
{
    struct cluster_bench *cb = *state;
    assert_true(kube_discovery_is_ready(cb->discovery));
    assert_memory_equal(kube_discovery_server_version(cb->discovery), "v1.", 3);
    const struct kube_resource *one = cluster_resource(cb, "apps/v1", "Deployment");
    assert_string_equal(one->plural, "deployments");
    assert_true(one->is_namespaced && one->is_preferred);
    assert_true(one->verbs & KUBE_WATCH);
    assert_false(cluster_resource(cb, "v1", "Namespace")->is_namespaced);
    assert_string_equal(kube_discovery_find_kind(cb->discovery, "ingress")->api_version,
                        "networking.k8s.io/v1");
    assert_string_equal(kube_discovery_find_kind(cb->discovery, "event")->api_version, "v1");
    assert_false(cluster_resource(cb, "autoscaling/v1", "HorizontalPodAutoscaler")->is_preferred);
    assert_true(kube_discovery_knows_group(cb->discovery, "batch/v1"));
    assert_false(kube_discovery_knows_group(cb->discovery, "batch/v9"));
}

static void on_raw(void *ctx, const struct kube_result *result)
{
    void **to = ctx;
    if (result->err)
        fail_msg("%s", err_text(result->err));
    struct kube_catalog *catalog = to[0];
    struct err *e =
        to[1] ? kube_catalog_read_version(catalog, *(size_t *)to[1], result->body, result->body_len)
              : kube_catalog_read(catalog, result->body, result->body_len);
    if (e)
        fail_msg("%s", err_text(e));
    to[0] = NULL;
}

static bool is_read(void *ctx)
{
    return !((void **)ctx)[0];
}

static void read_plain(struct cluster_bench *cb, struct kube_catalog *catalog, const char *path,
                       size_t *gv)
{
    void *to[] = { catalog, gv };
    kube_start(
        cb->bench->kube,
        &(struct kube_request){ .method = "GET", .path = path, .accept_text = "application/json" },
        on_raw, to);
    assert_true(bench_until(cb->bench, is_read, to));
}

static void plain_and_aggregated_discovery_agree(void **state)
{
    struct cluster_bench *cb = *state;
    SCOPED(kube_catalog_free) struct kube_catalog *catalog = kube_catalog_new();
    read_plain(cb, catalog, "/api", NULL);
    read_plain(cb, catalog, "/apis", NULL);
    for (size_t i = 0; i < kube_catalog_gv_len(catalog); i++) {
        const struct kube_gv *gv = kube_catalog_gv_at(catalog, i);
        assert_int_equal(gv->state, KUBE_GV_UNREAD);
        read_plain(cb, catalog,
                   cluster_printf(cb, "/api%s/%s", *gv->group ? "s" : "", gv->api_version), &i);
    }
    kube_catalog_finish(catalog);
    size_t len = kube_discovery_len(cb->discovery);
    assert_true(len > 50);
    assert_int_equal(kube_catalog_len(catalog), len);
    for (size_t i = 0; i < len; i++) {
        const struct kube_resource *one = kube_discovery_at(cb->discovery, i);
        const struct kube_resource *other = kube_catalog_find(catalog, one->api_version, one->kind);
        assert_non_null(other);
        assert_string_equal(other->plural, one->plural);
        assert_int_equal(other->is_namespaced, one->is_namespaced);
        assert_int_equal(other->is_preferred, one->is_preferred);
        assert_int_equal(other->verbs, one->verbs);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_apply_creates_then_changes_nothing),
        TEST(a_dry_run_leaves_nothing_behind_and_may_show_all),
        TEST(the_fingerprint_tells_drift_and_nothing_else),
        TEST(without_force_a_foreign_field_is_a_conflict),
        TEST(what_the_server_refuses_is_read_as_it_is_meant),
        TEST(what_is_too_big_is_refused),
        TEST(a_missing_namespace_or_kind_is_told),
        TEST(no_value_of_a_secret_is_in_an_error),
        TEST(a_warning_is_handed_on),
        TEST(what_kubectl_applied_becomes_ours_and_fields_can_go),
        TEST(it_works_after_the_first_apply_as_well),
        TEST(a_write_in_between_makes_it_read_again),
        TEST(an_object_that_is_gone_needs_no_taking_over),
        TEST(an_entry_of_another_version_can_be_taken_over),
        TEST(the_server_is_discovered),
        TEST(plain_and_aggregated_discovery_agree),
    };
    shared = cluster_new();
    if (!shared)
        return 77;
    int failed = cmocka_run_group_tests_name("kube_apply", tests, NULL, NULL);
    cluster_free(shared);
    return failed;
}
