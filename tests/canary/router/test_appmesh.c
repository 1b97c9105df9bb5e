#include <string.h>

#include "../../rows.h"

#include "../value.h"
#include "bench.h"
#include "doc/object.h"

#define TARGET   "targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"
#define WEIGHTED "analysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define AUDIENCE                                                                            \
    "analysis: {interval: 15s, threshold: 5, iterations: 3, match: [{headers: {x: {exact: " \
    "v}, b: {regex: c.*}}}, {headers: {a: {prefix: p}}}]}\n"
#define RETRIES "retries: {attempts: 3, perTryTimeout: 1s, retryOn: 'server-error,internal'}"
#define V1(service, analysis) \
    "provider: appmesh\n" TARGET "service: {port: 80, meshName: inner" service "}\n" analysis
#define V2(service, analysis) \
    "provider: 'appmesh:v1beta2'\n" TARGET "service: {port: 80" service "}\n" analysis
#define TARGETS1(canary, primary)                                                  \
    "action: {weightedTargets: [{virtualNodeName: podinfo-canary, weight: " canary \
    "}, {virtualNodeName: podinfo-primary, weight: " primary "}]}"
#define TARGETS2(canary, primary)                                                         \
    "action: {weightedTargets: [{virtualNodeRef: {name: podinfo-canary}, weight: " canary \
    "}, {virtualNodeRef: {name: podinfo-primary}, weight: " primary "}]}"
#define PRIMARY2 \
    "action: {weightedTargets: [{virtualNodeRef: {name: podinfo-primary}, weight: 100}]}"

/* -- routes ----------------------------------------------------------------------------------- */

static const struct routes_case {
    const char *name, *spec, *kind, *object;
    int64_t canary;
    const char *routes;
} routes_cases[] = {
    { "v1beta1", V1("", WEIGHTED), "VirtualService", "podinfo.test", 30,
      "[{name: podinfo, http: {match: {prefix: /}, " TARGETS1("30", "70") "}}]" },
    { "v1beta1, for the canary alone", V1("", AUDIENCE), "VirtualService", "podinfo-canary.test", 0,
      "[{name: podinfo-canary, http: {match: {prefix: /}, " TARGETS1("100", "0") "}}]" },
    { "v1beta1, retries", V1(", match: [{uri: {prefix: /a}}], " RETRIES, WEIGHTED),
      "VirtualService", "podinfo.test", 0,
      "[{name: podinfo, http: {match: {prefix: /a}, retryPolicy: {perRetryTimeoutMillis: 1000, "
      "maxRetries: 3, httpRetryEvents: [server-error, internal]}, " TARGETS1("0", "100") "}}]" },
    { "v1beta1, retries that say nothing", V1(", retries: {perTryTimeout: often}", WEIGHTED),
      "VirtualService", "podinfo.test", 0,
      "[{name: podinfo, http: {match: {prefix: /}, retryPolicy: {perRetryTimeoutMillis: 250, "
      "maxRetries: 1, httpRetryEvents: [gateway-error]}, " TARGETS1("0", "100") "}}]" },
    { "v1beta1, audience", V1("", AUDIENCE), "VirtualService", "podinfo.test", 100,
      "[{name: podinfo-a, priority: 10, http: {match: {prefix: /, headers: [{name: b, match: "
      "{regex: c.*}}, {name: x, match: {exact: v}}, {name: a, match: {prefix: p}}]}, " TARGETS1(
          "100", "0") "}}, {name: podinfo-b, priority: 20, http: {match: {prefix: /}, action: "
                      "{weightedTargets: [{virtualNodeName: podinfo-primary, weight: 100}]}}}]" },
    { "v1beta2", V2(", timeout: 3s, " RETRIES, WEIGHTED), "VirtualRouter", "podinfo", 30,
      "[{name: podinfo, httpRoute: {match: {prefix: /}, timeout: {perRequest: {unit: ms, value: "
      "3000}}, retryPolicy: {httpRetryEvents: [server-error, internal], maxRetries: 3, "
      "perRetryTimeout: {unit: ms, value: 1000}}, " TARGETS2("30", "70") "}}]" },
    { "v1beta2, for the canary alone", V2("", WEIGHTED), "VirtualRouter", "podinfo-canary", 0,
      "[{name: podinfo-canary, httpRoute: {match: {prefix: /}, " TARGETS2("100", "0") "}}]" },
    { "v1beta2, audience", V2("", AUDIENCE), "VirtualRouter", "podinfo", 0,
      "[{name: podinfo-a, priority: 10, httpRoute: {match: {prefix: /, headers: [{name: b, match: "
      "{regex: c.*}}, {name: x, match: {exact: v}}, {name: a, match: {prefix: p}}]}, " TARGETS2(
          "0", "100") "}}, {name: podinfo-b, priority: 20, httpRoute: {match: {prefix: "
                      "/}, " PRIMARY2 "}}]" },
    { "v1beta2, calls",
      V2(", portName: grpc, timeout: 3s, retries: {retryOn: "
         "'server-error,internal,connection-error,unavailable'}",
         WEIGHTED),
      "VirtualRouter", "podinfo", 0,
      "[{name: podinfo, grpcRoute: {match: {}, timeout: {perRequest: {unit: ms, value: 3000}}, "
      "retryPolicy: {httpRetryEvents: [server-error], grpcRetryEvents: [internal, unavailable], "
      "tcpRetryEvents: [connection-error], maxRetries: 1, perRetryTimeout: {unit: ms, value: "
      "250}}, " TARGETS2("0", "100") "}}]" },
    { "v1beta2, audience of calls", V2(", portName: grpc", AUDIENCE), "VirtualRouter", "podinfo",
      100,
      "[{name: podinfo-a, priority: 10, grpcRoute: {match: {metadata: [{name: b, match: {regex: "
      "c.*}}, {name: x, match: {exact: v}}, {name: a, match: {prefix: p}}]}, " TARGETS2(
          "100", "0") "}}, {name: podinfo-b, priority: 20, grpcRoute: {match: {}, " PRIMARY2
                      "}}]" },
};

static void routes_are_made(void **state)
{
    const struct routes_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, one->spec);
    bench_reconcile(&bench);
    bench_write(&bench, 100 - one->canary, one->canary, false);
    const struct val *live = bench_live(&bench, one->kind, one->object);
    assert_same_value(mem, VAL_PATH(live, "spec", "routes"), value_of(mem, one->routes));
    assert_int_equal(bench_reconcile(&bench), 0);
}

/* -- objects ---------------------------------------------------------------------------------- */

static void v1beta1_has_nodes_and_services(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(
        &bench, mem,
        V1(", backends: [one], apex: {labels: {team: shop}, annotations: {a: b}}", WEIGHTED));
    struct effects effects = bench_plan(&bench);
    static const char *const befores[] = {
        "reconcileVirtualNode failed: VirtualNode podinfo.test create error ",
        "reconcileVirtualNode failed: VirtualNode podinfo-primary.test create error ",
        "reconcileVirtualNode failed: VirtualNode podinfo-canary.test create error ",
        "reconcileVirtualService failed: VirtualService podinfo.test create error ",
        "reconcileVirtualService failed: VirtualService podinfo-canary.test create error ",
    };
    assert_int_equal(effects.list.len, ARRAY_LEN(befores));
    for (size_t i = 0; i < ARRAY_LEN(befores); i++)
        assert_string_equal(effects.list.at[i].before, befores[i]);
    assert_string_equal(effects.list.at[0].log, "VirtualNode podinfo.test created");
    assert_string_equal(effects.list.at[3].log, "VirtualService podinfo.test created");
    bench_carry_out(&bench, &effects);
    static const struct {
        const char *name, *host;
    } nodes[] = { { "podinfo", "podinfo-primary.test" },
                  { "podinfo-primary", "podinfo-primary.test" },
                  { "podinfo-canary", "podinfo-canary.test" } };
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        bench_assert_part(
            &bench, "VirtualNode", nodes[i].name, "spec",
            arena_printf(mem,
                         "{meshName: inner, listeners: [{portMapping: {port: 80, protocol: "
                         "http}}], serviceDiscovery: {dns: {hostName: %s}}, backends: "
                         "[{virtualService: {virtualServiceName: one}}]}",
                         nodes[i].host));
        const struct val *metadata =
            val_get(bench_live(&bench, "VirtualNode", nodes[i].name), "metadata");
        assert_same_value(mem, val_get(metadata, "labels"), value_of(mem, "{team: shop}"));
        assert_int_equal(val_len(val_get(metadata, "annotations")), 3);
    }
    const struct val *service = bench_live(&bench, "VirtualService", "podinfo.test");
    assert_same_value(mem, VAL_PATH(service, "spec", "virtualRouter"),
                      value_of(mem, "{name: podinfo, listeners: [{portMapping: {port: 80, "
                                    "protocol: http}}]}"));
    assert_null(VAL_PATH(service, "metadata", "labels"));
    assert_null(VAL_PATH(service, "metadata", "annotations"));
    assert_int_equal(bench_reconcile(&bench), 0); /* annotations are compared with annotations */
}

static void v1beta2_has_routers_before_services(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, V2(", timeout: 3s, backends: [one, 'arn:aws:x']", WEIGHTED));
    bench.view.target.selector_value = "info";
    struct effects effects = bench_plan(&bench);
    static const struct {
        const char *before, *log;
    } texts[] = {
        { "reconcileVirtualNode failed: VirtualNode podinfo-primary.test create error ",
          "VirtualNode podinfo-primary.test created" },
        { "reconcileVirtualNode failed: VirtualNode podinfo-canary.test create error ",
          "VirtualNode podinfo-canary.test created" },
        { "reconcileVirtualService failed: VirtualRouter podinfo create error ",
          "VirtualRouter podinfo created" },
        { "reconcileVirtualService failed: VirtualService podinfo create error ",
          "VirtualService podinfo created" },
        { "reconcileVirtualRouter failed: VirtualRouter podinfo-canary create error ",
          "VirtualRouter podinfo-canary created" },
        { "reconcileVirtualRouter failed: VirtualService podinfo-canary create error ",
          "VirtualService podinfo-canary created" },
    };
    assert_int_equal(effects.list.len, ARRAY_LEN(texts));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_string_equal(effects.list.at[i].before, texts[i].before);
        assert_string_equal(effects.list.at[i].log, texts[i].log);
    }
    bench_carry_out(&bench, &effects);
    bench_assert_part(&bench, "VirtualNode", "podinfo-primary", "spec",
                      "{podSelector: {matchLabels: {app: info-primary}}, listeners: "
                      "[{portMapping: {port: 80, protocol: http}, timeout: {http: {perRequest: "
                      "{unit: ms, value: 3000}}}}], serviceDiscovery: {dns: {hostname: "
                      "podinfo-primary.test.svc.cluster.local.}}, backends: [{virtualService: "
                      "{virtualServiceRef: {name: one}}}, {virtualService: {virtualServiceARN: "
                      "'arn:aws:x'}}]}");
    const struct val *canary = bench_live(&bench, "VirtualNode", "podinfo-canary");
    assert_same_value(mem, VAL_PATH(canary, "spec", "podSelector"),
                      value_of(mem, "{matchLabels: {app: info}}"));
    bench_assert_part(&bench, "VirtualService", "podinfo", "spec",
                      "{provider: {virtualRouter: {virtualRouterRef: {name: podinfo}}}}");
}

static void what_the_controller_writes_stays(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, V2("", WEIGHTED));
    bench_reconcile(&bench);
    bench_write(&bench, 50, 50, false);
    struct val *live = val_copy(mem, bench_live(&bench, "VirtualRouter", "podinfo"));
    val_set_text(mem, val_get(live, "spec"), "awsName", "podinfo_test");
    bench_put(&bench, live);
    assert_int_equal(bench_reconcile(&bench), 0);
    bench_edit(&bench, V2(", match: [{uri: {prefix: /new}}]", WEIGHTED));
    assert_int_equal(bench_reconcile(&bench), 2);
    bench_assert_split(bench_read(&bench), 50, 50, false);
    live = val_copy(mem, bench_live(&bench, "VirtualRouter", "podinfo"));
    assert_string_equal(val_text_or(VAL_PATH(live, "spec", "awsName"), ""), "podinfo_test");
}

static void a_service_that_is_gone_comes_back(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, V2("", WEIGHTED));
    bench_reconcile(&bench);
    bench_write(&bench, 70, 30, false);
    bench_remove(&bench, "VirtualService", "podinfo");
    bench_remove(&bench, "VirtualService", "podinfo-canary");
    assert_int_equal(bench_reconcile(&bench), 2);
    assert_non_null(bench_live(&bench, "VirtualService", "podinfo"));
    bench_assert_split(bench_read(&bench), 70, 30, false);
    bench_put_yaml(&bench, "{apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualService, metadata: "
                           "{name: podinfo}, spec: {provider: {virtualNode: {}}}}");
    assert_int_equal(bench_reconcile(&bench), 0); /* one of somebody else is let be */
}

/* -- what the Canary says of them ------------------------------------------------------------- */

static const struct port_case {
    const char *name, *service;
    int64_t port;
} port_cases[] = {
    { "that of the Service", "", 80 },
    { "a number", ", targetPort: 8080", 8080 },
    { "a name", ", targetPort: http", 9898 },
    { "a name of the second container", ", targetPort: admin", 9999 },
    { "a name that no container has", ", targetPort: other", 80 },
};

static void the_port_is_that_of_the_pods(void **state)
{
    const struct port_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    int64_t port = 0;
    bench_init(
        &bench, mem,
        arena_printf(mem, "provider: 'appmesh:v1beta2'\n" TARGET "service: {port: 80%s}\n" WEIGHTED,
                     one->service));
    bench_put_yaml(&bench,
                   "{apiVersion: apps/v1, kind: Deployment, metadata: {name: podinfo}, spec: "
                   "{template: {spec: {containers: [{ports: [{containerPort: 1}, {name: http, "
                   "containerPort: 9898}]}, {ports: [{name: admin, containerPort: 9999}]}]}}}}");
    bench_reconcile(&bench);
    const struct val *node = bench_live(&bench, "VirtualNode", "podinfo-canary");
    const struct val *listener = val_item(VAL_PATH(node, "spec", "listeners"), 0);
    assert_true(val_int(VAL_PATH(listener, "portMapping", "port"), &port));
    assert_int_equal(port, one->port);
}

static void logs_are_asked_for_by_annotation(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const char *const specs[] = { V1("", WEIGHTED), V2("", WEIGHTED) };
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        struct val *canary = value_of(mem, BENCH_CANARY);
        struct bench bench;
        val_set(mem, canary, "spec", value_of(mem, specs[i]));
        val_set(mem, val_get(canary, "metadata"), "annotations",
                value_of(mem, "{appmesh.flagger.app/accesslog: enabled}"));
        bench_init_canary(&bench, mem, canary);
        bench_reconcile(&bench);
        const struct val *node = bench_live(&bench, "VirtualNode", "podinfo-canary");
        assert_same_value(mem, VAL_PATH(node, "spec", "logging"),
                          value_of(mem, "{accessLog: {file: {path: /dev/stdout}}}"));
    }
}

static void a_gateway_is_told_by_annotations(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const struct {
        const char *spec, *object;
    } cases[] = {
        { V1(", timeout: 3s, hosts: [a, b], retries: {attempts: 2}", WEIGHTED), "podinfo.test" },
        { V2(", timeout: 3s, hosts: [a, b], retries: {attempts: 2}", WEIGHTED), "podinfo" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench bench;
        bench_init(&bench, mem, cases[i].spec);
        bench_reconcile(&bench);
        const struct val *service = bench_live(&bench, "VirtualService", cases[i].object);
        assert_same_value(mem, VAL_PATH(service, "metadata", "annotations"),
                          value_of(mem, "{gateway.appmesh.k8s.aws/expose: 'true', "
                                        "gateway.appmesh.k8s.aws/domain: 'a,b,', "
                                        "gateway.appmesh.k8s.aws/timeout: 3s, "
                                        "gateway.appmesh.k8s.aws/retries: '2'}"));
    }
}

/* With the routes of v1beta1 all annotations are replaced, and only with them. */
static void annotations_follow_a_repair(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, V1(", hosts: [a]", WEIGHTED));
    bench_reconcile(&bench);
    struct val *live = val_copy(mem, bench_live(&bench, "VirtualService", "podinfo.test"));
    val_set_text(mem, VAL_PATH(live, "metadata", "annotations"), "foreign", "x");
    bench_put(&bench, live);
    assert_int_equal(bench_reconcile(&bench), 0);
    bench_edit(&bench, V1(", hosts: [b], match: [{uri: {prefix: /a}}]", WEIGHTED));
    assert_int_equal(bench_reconcile(&bench), 2);
    const struct val *repaired = bench_live(&bench, "VirtualService", "podinfo.test");
    assert_null(object_annotation(repaired, "foreign"));
    assert_string_equal(object_annotation(repaired, "gateway.appmesh.k8s.aws/domain"), "b,");
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(routes_cases, routes_are_made),      ROWS(port_cases, the_port_is_that_of_the_pods),
        SINGLE(v1beta1_has_nodes_and_services),   SINGLE(v1beta2_has_routers_before_services),
        SINGLE(what_the_controller_writes_stays), SINGLE(a_service_that_is_gone_comes_back),
        SINGLE(logs_are_asked_for_by_annotation), SINGLE(a_gateway_is_told_by_annotations),
        SINGLE(annotations_follow_a_repair),
    };
    return rows_run("appmesh", tests, ARRAY_LEN(tests));
}
