#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "base/sbuf.h"
#include "kube/catalog.h"

#define CORE                                                                                      \
    "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/v2\",\"items\":[{"  \
    "\"metadata\":{\"creationTimestamp\":null},\"versions\":[{\"version\":\"v1\",\"resources\":[" \
    "{\"resource\":\"configmaps\",\"responseKind\":{\"group\":\"\",\"version\":\"\",\"kind\":"    \
    "\"ConfigMap\"},\"scope\":\"Namespaced\",\"verbs\":[\"create\",\"delete\","                   \
    "\"deletecollection\","                                                                       \
    "\"get\",\"list\",\"patch\",\"update\",\"watch\"]},{\"resource\":\"namespaces\","             \
    "\"responseKind\":{\"kind\":\"Namespace\"},\"scope\":\"Cluster\",\"verbs\":[\"get\"],"        \
    "\"subresources\":[{\"subresource\":\"status\"}]},{\"resource\":\"only-below\"}],"            \
    "\"freshness\":\"Current\"}]}]}"
#define RESOURCE(plural, kind)                                        \
    "{\"resource\":\"" plural "\",\"responseKind\":{\"kind\":\"" kind \
    "\"},\"scope\":\"Namespaced\",\"verbs\":[\"get\"]}"
#define VERSION(version, fresh, resources) \
    "{\"version\":\"" version "\",\"freshness\":\"" fresh "\",\"resources\":[" resources "]}"
#define GROUP(name, versions) "{\"metadata\":{\"name\":\"" name "\"},\"versions\":[" versions "]}"
#define GROUPS(groups)        "{\"kind\":\"APIGroupDiscoveryList\",\"items\":[" groups "]}"
#define SCALING                                                                                    \
    GROUP(                                                                                         \
        "autoscaling",                                                                             \
        VERSION("v2", "Current",                                                                   \
                RESOURCE("horizontalpodautoscalers",                                               \
                         "HorizontalPodAutoscaler")) "," VERSION("v1", "Current",                  \
                                                                 RESOURCE("horizontalpodautoscale" \
                                                                          "rs",                    \
                                                                          "HorizontalPodAutoscale" \
                                                                          "r") "," RESOURCE("old"  \
                                                                                            "s",   \
                                                                                            "Ol"   \
                                                                                            "d")))

static void read(struct kube_catalog *catalog, const char *text)
{
    struct err *e = kube_catalog_read(catalog, text, strlen(text));
    if (e)
        fail_msg("%s", err_text(e));
}

/* All resources in their order, one a line; * marks the preferred. */
static char *described(const struct kube_catalog *catalog)
{
    struct sbuf text;
    sbuf_init(&text, SBUF_MAX);
    for (size_t i = 0; i < kube_catalog_len(catalog); i++) {
        const struct kube_resource *one = kube_catalog_at(catalog, i);
        sbuf_addf(&text, "%s %s %s%s%s\n", one->api_version, one->kind, one->plural,
                  one->is_namespaced ? " ns" : "", one->is_preferred ? " *" : "");
    }
    char *copy = base_copy_text(sbuf_text(&text));
    sbuf_fini(&text);
    return copy;
}

static void assert_described(const struct kube_catalog *catalog, const char *wanted)
{
    char *got = described(catalog);
    assert_string_equal(got, wanted);
    free(got);
}

static void aggregated_discovery_is_read_core_first(void **state)
{
    (void)state;
    SCOPED(kube_catalog_free) struct kube_catalog *catalog = kube_catalog_new();
    read(catalog, GROUPS(SCALING "," GROUP(
                      "apps", VERSION("v1", "Current", RESOURCE("deployments", "Deployment")))));
    read(catalog, CORE);
    kube_catalog_finish(catalog);
    assert_described(catalog,
                     "v1 ConfigMap configmaps ns *\n"
                     "v1 Namespace namespaces *\n"
                     "apps/v1 Deployment deployments ns *\n"
                     "autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers ns *\n"
                     "autoscaling/v1 HorizontalPodAutoscaler horizontalpodautoscalers ns\n"
                     "autoscaling/v1 Old olds ns *\n");
    const struct kube_resource *maps = kube_catalog_find(catalog, "v1", "ConfigMap");
    assert_int_equal(maps->verbs, KUBE_CREATE | KUBE_DELETE | KUBE_GET | KUBE_LIST | KUBE_PATCH |
                                      KUBE_UPDATE | KUBE_WATCH);
    assert_string_equal(maps->group, "");
    assert_null(kube_catalog_find(catalog, "v1", "Deployment"));
    assert_null(kube_catalog_find(catalog, "apps/v1", "deployment"));
}

static void a_kind_alone_is_found_in_core_before_groups(void **state)
{
    (void)state;
    SCOPED(kube_catalog_free) struct kube_catalog *catalog = kube_catalog_new();
    read(catalog,
         GROUPS(GROUP(
             "zoo.io",
             VERSION("v1", "Current",
                     RESOURCE("configmaps", "ConfigMap") "," RESOURCE(
                         "cats", "Cat"))) "," GROUP("alley.io",
                                                    VERSION("v1", "Current",
                                                            RESOURCE("cats", "Cat"))) "," SCALING));
    read(catalog, CORE);
    kube_catalog_finish(catalog);
    assert_string_equal(kube_catalog_find_kind(catalog, "configmap")->api_version, "v1");
    assert_string_equal(kube_catalog_find_kind(catalog, "cat")->api_version, "alley.io/v1");
    assert_string_equal(kube_catalog_find_kind(catalog, "horizontalpodautoscaler")->api_version,
                        "autoscaling/v2");
    assert_string_equal(kube_catalog_find_kind(catalog, "old")->api_version, "autoscaling/v1");
    assert_null(kube_catalog_find_kind(catalog, "ConfigMap"));
    assert_null(kube_catalog_find_kind(catalog, "dog"));
}

static void plain_discovery_is_read_version_by_version(void **state)
{
    (void)state;
    SCOPED(kube_catalog_free) struct kube_catalog *catalog = kube_catalog_new();
    read(catalog, "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}");
    read(catalog, "{\"kind\":\"APIGroupList\",\"groups\":[{\"name\":\"autoscaling\",\"versions\":["
                  "{\"groupVersion\":\"autoscaling/v1\",\"version\":\"v1\"},{\"groupVersion\":"
                  "\"autoscaling/v2\",\"version\":\"v2\"}],\"preferredVersion\":{\"version\":"
                  "\"v2\"}}]}");
    assert_int_equal(kube_catalog_gv_len(catalog), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(kube_catalog_gv_at(catalog, i)->state, KUBE_GV_UNREAD);
    static const char list[] =
        "{\"kind\":\"APIResourceList\",\"resources\":[{\"name\":\"things\",\"namespaced\":true,"
        "\"kind\":\"Thing\",\"verbs\":[\"get\",\"watch\"]},{\"name\":\"things/status\",\"kind\":"
        "\"Thing\"},{\"name\":\"hosts\",\"namespaced\":false,\"kind\":\"Host\"}]}";
    for (size_t i = 0; i < 3; i++)
        assert_null(kube_catalog_read_version(catalog, i, list, sizeof(list) - 1));
    kube_catalog_finish(catalog);
    assert_described(catalog, "v1 Thing things ns *\nv1 Host hosts *\n"
                              "autoscaling/v2 Thing things ns *\nautoscaling/v2 Host hosts *\n"
                              "autoscaling/v1 Thing things ns\nautoscaling/v1 Host hosts\n");
    assert_int_equal(kube_catalog_find(catalog, "v1", "Thing")->verbs, KUBE_GET | KUBE_WATCH);
}

static void a_stale_group_keeps_what_was_known(void **state)
{
    (void)state;
    SCOPED(kube_catalog_free) struct kube_catalog *old = kube_catalog_new();
    read(old, GROUPS(SCALING));
    kube_catalog_finish(old);
    SCOPED(kube_catalog_free) struct kube_catalog *catalog = kube_catalog_new();
    read(catalog, GROUPS(GROUP("autoscaling", VERSION("v1", "Stale", "")) "," GROUP(
                      "metrics.k8s.io", VERSION("v1beta1", "Stale", ""))));
    for (size_t i = 0; i < kube_catalog_gv_len(catalog); i++) {
        assert_int_equal(kube_catalog_gv_at(catalog, i)->state, KUBE_GV_BROKEN);
        kube_catalog_keep(catalog, i, old);
    }
    kube_catalog_finish(catalog);
    assert_described(catalog,
                     "autoscaling/v1 HorizontalPodAutoscaler horizontalpodautoscalers ns *\n"
                     "autoscaling/v1 Old olds ns *\n");
    assert_non_null(kube_catalog_gv_find(catalog, "metrics.k8s.io/v1beta1"));
    assert_null(kube_catalog_gv_find(catalog, "metrics.k8s.io/v1"));
}

static void groups_stay_when_their_list_cannot_be_read(void **state)
{
    (void)state;
    struct kube_catalog *old = kube_catalog_new();
    read(old, GROUPS(SCALING));
    read(old, CORE);
    kube_catalog_finish(old);
    SCOPED(kube_catalog_free) struct kube_catalog *catalog = kube_catalog_new();
    read(catalog, CORE);
    kube_catalog_keep_all(catalog, old, false);
    kube_catalog_free(old); /* nothing of it is borrowed */
    kube_catalog_finish(catalog);
    assert_int_equal(kube_catalog_len(catalog), 5);
    assert_int_equal(kube_catalog_gv_find(catalog, "autoscaling/v2")->state, KUBE_GV_BROKEN);
    assert_int_equal(kube_catalog_gv_find(catalog, "v1")->state, KUBE_GV_READ);
}

static const struct bad_case {
    const char *name, *text;
} bad[] = {
    { "a page of a proxy is refused", "<html>" },
    { "a Status is refused", "{\"kind\":\"Status\"}" },
    { "a list is refused", "[]" },
    { "nothing is refused", "" },
    { "a version without a name is refused", GROUPS("{\"versions\":[{}]}") },
    { "a listed group without a name is refused", "{\"kind\":\"APIGroupList\",\"groups\":[{}]}" },
};

static void document_is_refused(void **state)
{
    const struct bad_case *row = *state;
    SCOPED(kube_catalog_free) struct kube_catalog *catalog = kube_catalog_new();
    SCOPED(err_free) struct err *e = kube_catalog_read(catalog, row->text, strlen(row->text));
    assert_true(err_is(e, ERR_INVALID));
}

static void there_is_a_most_of_group_versions(void **state)
{
    (void)state;
    SBUF(text, SBUF_MAX);
    sbuf_add(&text, "{\"kind\":\"APIVersions\",\"versions\":[\"v0\"");
    for (size_t i = 1; i <= KUBE_GROUP_VERSIONS_MAX; i++)
        sbuf_addf(&text, ",\"v%zu\"", i);
    sbuf_add(&text, "]}");
    SCOPED(kube_catalog_free) struct kube_catalog *catalog = kube_catalog_new();
    SCOPED(err_free) struct err *e = kube_catalog_read(catalog, sbuf_text(&text), text.len);
    assert_true(err_is(e, ERR_LIMIT));
}

static void an_empty_catalog_knows_nothing(void **state)
{
    (void)state;
    SCOPED(kube_catalog_free) struct kube_catalog *catalog = kube_catalog_new();
    kube_catalog_finish(catalog);
    assert_int_equal(kube_catalog_len(catalog), 0);
    assert_null(kube_catalog_at(catalog, 0));
    assert_null(kube_catalog_find_kind(catalog, "pod"));
}

/* -- paths --------------------------------------------------------------------------------------------------------- */

static const struct path_case {
    const char *name;
    struct kube_resource resource;
    const char *ns, *object, *sub, *path;
} paths[] = {
    { "core, all namespaces",
      { .group = "", .version = "v1", .plural = "pods", .is_namespaced = true },
      "",
      NULL,
      NULL,
      "/api/v1/pods" },
    { "core, one object",
      { .group = "", .version = "v1", .plural = "pods", .is_namespaced = true },
      "shop",
      "web",
      NULL,
      "/api/v1/namespaces/shop/pods/web" },
    { "a group and a subresource",
      { .group = "apps", .version = "v1", .plural = "deployments", .is_namespaced = true },
      "shop",
      "web",
      "scale",
      "/apis/apps/v1/namespaces/shop/deployments/web/scale" },
    { "cluster scope has no namespace",
      { .group = "rbac.authorization.k8s.io", .version = "v1", .plural = "clusterroles" },
      "shop",
      "system:node",
      NULL,
      "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode" },
    { "a name cannot lead elsewhere",
      { .group = "", .version = "v1", .plural = "secrets", .is_namespaced = true },
      "a/../../b",
      "x?y=z#",
      NULL,
      "/api/v1/namespaces/a%2F..%2F..%2Fb/secrets/x%3Fy%3Dz%23" },
};

static void path_matches(void **state)
{
    const struct path_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(kube_path(mem, &row->resource, row->ns, row->object, row->sub), row->path);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(aggregated_discovery_is_read_core_first),
        SINGLE(a_kind_alone_is_found_in_core_before_groups),
        SINGLE(plain_discovery_is_read_version_by_version),
        SINGLE(a_stale_group_keeps_what_was_known),
        SINGLE(groups_stay_when_their_list_cannot_be_read),
        SINGLE(there_is_a_most_of_group_versions),
        SINGLE(an_empty_catalog_knows_nothing),
        ROWS(bad, document_is_refused),
        ROWS(paths, path_matches),
    };
    return rows_run("kube_catalog", tests, ARRAY_LEN(tests));
}
