#include "../../rows.h"

#include "../value.h"
#include "bench.h"

#define TARGET   "targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"
#define WEIGHTED "analysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define FORM(service, analysis) \
    "provider: contour\n" TARGET "service: {port: 80" service "}\n" analysis
#define MATCH(match) "analysis: {interval: 15s, threshold: 5, iterations: 3, match: " match "}\n"
#define SERVICE(name, weight)                                                           \
    "{name: podinfo-" name ", port: 80" weight ", requestHeadersPolicy: {set: [{name: " \
    "l5d-dst-override, value: 'podinfo-" name ".test.svc.cluster.local:80'}]}}"
#define PRIMARY_ONLY "[" SERVICE("primary", ", weight: 100") ", " SERVICE("canary", "") "]"
#define CANARY_ONLY  "[" SERVICE("primary", "") ", " SERVICE("canary", ", weight: 100") "]"

static const struct spec_case {
    const char *name, *spec;
    int64_t canary; /* what is written */
    const char *routes;
} spec_cases[] = {
    { "a weight of 0 is left out", FORM("", WEIGHTED), 0,
      "[{conditions: [{prefix: /}], services: " PRIMARY_ONLY "}]" },
    { "weights", FORM("", WEIGHTED), 30,
      "[{conditions: [{prefix: /}], services: [" SERVICE("primary", ", weight: 70") ", " SERVICE(
          "canary", ", weight: 30") "]}]" },
    { "of the match the first prefix counts",
      FORM(", match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}]", WEIGHTED), 0,
      "[{conditions: [{prefix: /a}], services: " PRIMARY_ONLY "}]" },
    { "timeout and retries",
      FORM(", timeout: 3s, retries: {attempts: 2, perTryTimeout: 1s, retryOn: 'a,b'}", WEIGHTED), 0,
      "[{conditions: [{prefix: /}], timeoutPolicy: {response: 3s, idle: 5m}, retryPolicy: {count: "
      "2, perTryTimeout: 1s, retryOn: [a, b]}, services: " PRIMARY_ONLY "}]" },
    { "retries on nothing", FORM(", retries: {attempts: 2}", WEIGHTED), 0,
      "[{conditions: [{prefix: /}], retryPolicy: {count: 2}, services: " PRIMARY_ONLY "}]" },
    { "one header", FORM(", match: [{uri: {prefix: /a}}]", MATCH("[{headers: {x: {exact: v}}}]")),
      100,
      "[{conditions: [{prefix: /a, header: {name: x, exact: v}}], services: " CANARY_ONLY
      "}, {conditions: [{prefix: /a}], services: " PRIMARY_ONLY "}]" },
    { "all headers of an entry in one route",
      FORM("", MATCH("[{headers: {z: {regex: r}, a: {prefix: p}, m: {suffix: s}}}]")), 100,
      "[{conditions: [{prefix: /, header: {name: a, contains: p}}, {header: {name: m, contains: "
      "s}}, {header: {name: z, regex: r}}], services: " CANARY_ONLY
      "}, {conditions: [{prefix: /}], services: " PRIMARY_ONLY "}]" },
    { "a route for each entry",
      FORM("", MATCH("[{headers: {x: {exact: v}}}, {headers: {a: {exact: b}}}]")), 100,
      "[{conditions: [{prefix: /, header: {name: x, exact: v}}], services: " CANARY_ONLY
      "}, {conditions: [{prefix: /, header: {name: a, exact: b}}], services: " CANARY_ONLY
      "}, {conditions: [{prefix: /}], services: " PRIMARY_ONLY "}]" },
    { "a header of any value", FORM("", MATCH("[{headers: {x: {}}}]")), 100,
      "[{conditions: [{prefix: /, header: {name: x, present: true}}], services: " CANARY_ONLY
      "}, {conditions: [{prefix: /}], services: " PRIMARY_ONLY "}]" },
};

static void routes_are_made(void **state)
{
    const struct spec_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, one->spec);
    bench_reconcile(&bench);
    bench_write(&bench, 100 - one->canary, one->canary, false);
    bench_assert_part(&bench, "HTTPProxy", "podinfo", "spec",
                      arena_printf(mem, "{routes: %s}", one->routes));
    bench_assert_split(bench_read(&bench), 100 - one->canary, one->canary, false);
}

static void the_class_is_that_of_the_settings(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM("", WEIGHTED));
    bench.settings.ingress_class = "contour";
    bench_reconcile(&bench);
    bench_assert_part(&bench, "HTTPProxy", "podinfo", "spec",
                      "{ingressClassName: contour, routes: [{conditions: [{prefix: /}], "
                      "services: " PRIMARY_ONLY "}]}");
    bench.settings.ingress_class = "";
    assert_int_equal(bench_reconcile(&bench), 0);
}

static void a_root_stays_a_root(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM("", WEIGHTED));
    bench_put_yaml(&bench, "apiVersion: projectcontour.io/v1\n"
                           "kind: HTTPProxy\n"
                           "metadata: {name: podinfo, labels: {a: b}}\n"
                           "spec: {virtualhost: {fqdn: a.example.com}, includes: [{name: other}], "
                           "routes: [{services: [{name: podinfo, port: 80}]}]}\n");
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_write(&bench, 100, 0, false);
    bench_assert_part(&bench, "HTTPProxy", "podinfo", "spec",
                      "{virtualhost: {fqdn: a.example.com}, includes: [{name: other}], routes: "
                      "[{conditions: [{prefix: /}], services: " PRIMARY_ONLY "}]}");
    assert_null(VAL_PATH(bench_live(&bench, "HTTPProxy", "podinfo"), "metadata", "labels"));
    assert_null(
        VAL_PATH(bench_live(&bench, "HTTPProxy", "podinfo"), "metadata", "ownerReferences"));
}

static void a_test_takes_over_the_weights(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM("", WEIGHTED));
    bench_reconcile(&bench);
    bench_write(&bench, 60, 40, false);
    bench_edit(&bench, FORM("", MATCH("[{headers: {x: {exact: v}}}]")));
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_split(bench_read(&bench), 60, 40, false);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(spec_cases, routes_are_made),
        SINGLE(the_class_is_that_of_the_settings),
        SINGLE(a_root_stays_a_root),
        SINGLE(a_test_takes_over_the_weights),
    };
    return rows_run("contour", tests, ARRAY_LEN(tests));
}
