#include "../../rows.h"

#include "../value.h"
#include "bench.h"

#define FORM                                                                                \
    "provider: apisix\ntargetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n" \
    "routeRef: {apiVersion: apisix.apache.org/v2, kind: ApisixRoute, name: shop}\n"         \
    "service: {port: 80}\nanalysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define ROUTE(name, metadata, spec)                                                         \
    "{apiVersion: apisix.apache.org/v2, kind: ApisixRoute, metadata: {name: " name metadata \
    "}, spec: " spec "}"
#define PAIR(fields, primary, canary)                                                \
    "[{serviceName: podinfo-primary" fields ", weight: " primary "}, {serviceName: " \
    "podinfo-canary" fields ", weight: " canary "}]"

static const struct spec_case {
    const char *name, *source, *made;
} spec_cases[] = {
    { "everything but the backends is kept",
      "{ingressClassName: x, stream: [{name: s}], http: [{name: a, timeout: {read: 3s}, match: "
      "{paths: [/]}, plugin_config_name: p, authentication: {enable: true}, foreign: f, backends: "
      "[{serviceName: podinfo, servicePort: 80, weight: 3}]}]}",
      "{ingressClassName: x, stream: [{name: s}], http: [{name: a, timeout: {read: 3s}, match: "
      "{paths: [/]}, plugin_config_name: p, authentication: {enable: true}, foreign: f, priority: "
      "10000, websocket: false, backends: " PAIR(", servicePort: 80", "100", "0") "}]}" },
    { "the canary is resolved like the primary",
      "{http: [{name: a, priority: 5, websocket: true, backends: [{serviceName: podinfo, "
      "servicePort: http, resolveGranularity: service, subset: v1}]}]}",
      "{http: [{name: a, priority: 10000, websocket: true, backends: " PAIR(
          ", servicePort: http, resolveGranularity: service, subset: v1", "100", "0") "}]}" },
    { "every entry of the Service, and no other",
      "{http: [{name: a, backends: [{serviceName: x}, {serviceName: z}]}, {name: b, backends: "
      "[{serviceName: podinfo}]}, {name: c}, {name: d, backends: [{serviceName: podinfo}]}]}",
      "{http: [{name: b, priority: 10000, websocket: false, backends: " PAIR(
          "", "100",
          "0") "}, {name: d, priority: 10000, websocket: false, backends: " PAIR("", "100",
                                                                                 "0") "}]}" },
};

static void the_source_is_split(void **state)
{
    const struct spec_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put(&bench, value_of(mem, arena_printf(mem, ROUTE("shop", "", "%s"), one->source)));
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_part(&bench, "ApisixRoute", "shop-podinfo-canary", "spec", one->made);
    bench_assert_part(&bench, "ApisixRoute", "shop", "spec", one->source);
}

static void all_entries_have_the_weights(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put_yaml(&bench, ROUTE("shop", "",
                                 "{http: [{name: b, backends: [{serviceName: podinfo}]}, {name: d, "
                                 "backends: [{serviceName: podinfo}]}]}"));
    bench_reconcile(&bench);
    bench_write(&bench, 60, 40, false);
    bench_assert_part(
        &bench, "ApisixRoute", "shop-podinfo-canary", "spec",
        "{http: [{name: b, priority: 10000, websocket: false, backends: " PAIR(
            "", "60",
            "40") "}, {name: d, priority: 10000, websocket: false, backends: " PAIR("", "60",
                                                                                    "40") "}]}");
    bench_put_yaml(&bench,
                   ROUTE("shop", "", "{http: [{name: e, backends: [{serviceName: podinfo}]}]}"));
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_part(&bench, "ApisixRoute", "shop-podinfo-canary", "spec",
                      "{http: [{name: e, priority: 10000, websocket: false, backends: " PAIR(
                          "", "60", "40") "}]}");
}

/* APISIX takes a backend without a weight for one of weight 100. */
static void a_weight_can_be_missing(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put_yaml(&bench, ROUTE("shop", "", "{http: [{backends: [{serviceName: podinfo}]}]}"));
    bench_put_yaml(&bench, ROUTE("shop-podinfo-canary", "",
                                 "{http: [{backends: [{serviceName: podinfo-primary}, "
                                 "{serviceName: podinfo-canary}]}]}"));
    bench_assert_split(bench_read(&bench), 100, 0, false);
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_split(bench_read(&bench), 100, 0, false);
    bench_write(&bench, 30, 70, false);
    bench_assert_split(bench_read(&bench), 30, 70, false);
}

static void metadata_is_copied_once(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put_yaml(&bench,
                   ROUTE("shop",
                         ", labels: {team: shop, fluxcd.io/sync-gc-mark: m}, annotations: {a: b, "
                         "kubectl.kubernetes.io/last-applied-configuration: x}",
                         "{http: [{backends: [{serviceName: podinfo}]}]}"));
    bench_reconcile(&bench);
    const struct val *metadata =
        val_get(bench_live(&bench, "ApisixRoute", "shop-podinfo-canary"), "metadata");
    assert_same_value(mem, val_get(metadata, "labels"), value_of(mem, "{team: shop}"));
    assert_same_value(mem, val_get(metadata, "annotations"), value_of(mem, "{a: b}"));
    assert_int_equal(val_len(val_get(metadata, "ownerReferences")), 1);
    bench_put_yaml(&bench, ROUTE("shop", ", annotations: {a: c}",
                                 "{http: [{backends: [{serviceName: podinfo}]}]}"));
    assert_int_equal(bench_reconcile(&bench), 0);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(spec_cases, the_source_is_split),
        SINGLE(all_entries_have_the_weights),
        SINGLE(a_weight_can_be_missing),
        SINGLE(metadata_is_copied_once),
    };
    return rows_run("apisix", tests, ARRAY_LEN(tests));
}
