#include <string.h>

#include "../../rows.h"

#include "../value.h"
#include "bench.h"
#include "doc/object.h"

#define TARGET   "provider: gloo\ntargetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"
#define WEIGHTED "analysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define FORM     TARGET "service: {port: 80}\n" WEIGHTED
#define CONFIG(ns) \
    FORM "upstreamRef: {apiVersion: gloo.solo.io/v1, kind: Upstream, name: config" ns "}\n"
#define DESTINATION(role, weight) \
    "{destination: {upstream: {name: test-podinfo-" role "upstream-80, namespace: test}}" weight "}"
#define ROUTE(matchers, primary, canary)                                                        \
    "{inheritablePathMatchers: true" matchers                                                   \
    ", routeAction: {multi: {destinations: [" DESTINATION("primary", primary) ", " DESTINATION( \
        "canary", canary) "]}}}"
#define PRIMARY_UPSTREAM "test-podinfo-primaryupstream-80"
#define CANARY_UPSTREAM  "test-podinfo-canaryupstream-80"

static void set_up(struct bench *bench, struct arena *mem, const char *spec)
{
    bench_init(bench, mem, spec);
    bench_put_yaml(bench, "{apiVersion: v1, kind: Service, metadata: {name: podinfo-primary}, "
                          "spec: {selector: {app: podinfo-primary}}}");
    bench_put_yaml(bench, "{apiVersion: v1, kind: Service, metadata: {name: podinfo-canary}}");
}

static void put_config(struct bench *bench, const char *spec)
{
    bench_put(bench,
              value_of(bench->mem, arena_printf(bench->mem,
                                                "{apiVersion: gloo.solo.io/v1, kind: Upstream, "
                                                "metadata: {name: config}, spec: %s}",
                                                spec)));
}

static const struct match_case {
    const char *name, *match, *matchers;
} match_cases[] = {
    { "headers of all entries, by name",
      "[{headers: {x: {exact: v}, b: {regex: c.*}}}, {headers: {a: {exact: d}}}]",
      "{headers: [{name: b, value: c.*, regex: true}, {name: x, value: v}, {name: a, value: d}]}" },
    { "prefix and suffix are patterns", "[{headers: {x: {prefix: a.b}, z: {suffix: c+}}}]",
      "{headers: [{name: x, value: 'a\\.b.*', regex: true}, {name: z, value: '.*c\\+', regex: "
      "true}]}" },
    { "a header of any value", "[{headers: {x: {}}}]", "{headers: [{name: x}]}" },
    { "methods", "[{method: {exact: GET}}, {method: {exact: PUT}, headers: {x: {exact: v}}}]",
      "{headers: [{name: x, value: v}], methods: [GET, PUT]}" },
    { "methods alone", "[{method: {exact: GET}}]", "{methods: [GET]}" },
};

/* Those whom the test is not for are served as before. */
static void an_audience_has_a_route_of_its_own(void **state)
{
    const struct match_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    set_up(&bench, mem,
           arena_printf(mem,
                        TARGET
                        "service: {port: 80}\n"
                        "analysis: {interval: 15s, threshold: 5, iterations: 3, match: %s}\n",
                        one->match));
    assert_int_equal(bench_reconcile(&bench), 3);
    bench_write(&bench, 0, 100, false);
    bench_assert_part(
        &bench, "RouteTable", "podinfo", "spec",
        arena_printf(mem,
                     "{routes: [" ROUTE(", matchers: [%s]", "",
                                        ", weight: 100") ", " ROUTE("", ", weight: 100", "") "]}",
                     one->matchers));
}

static void upstreams_come_from_services(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    set_up(&bench, mem, FORM);
    struct effects effects = bench_plan(&bench);
    assert_int_equal(effects.list.len, 3);
    assert_string_equal(effects.list.at[0].before, "error creating flagger primary upstream: ");
    assert_string_equal(effects.list.at[1].before, "error creating flagger canary upstream: ");
    assert_string_equal(effects.list.at[2].before, "RouteTable podinfo.test create error: ");
    bench_carry_out(&bench, &effects);
    bench_assert_part(&bench, "Upstream", PRIMARY_UPSTREAM, "spec",
                      "{kube: {serviceName: podinfo-primary, serviceNamespace: test, servicePort: "
                      "80, selector: {app: podinfo-primary}}}");
    bench_assert_part(
        &bench, "Upstream", CANARY_UPSTREAM, "spec",
        "{kube: {serviceName: podinfo-canary, serviceNamespace: test, servicePort: 80}}");
    const struct val *metadata =
        val_get(bench_live(&bench, "Upstream", CANARY_UPSTREAM), "metadata");
    assert_null(val_get(metadata, "annotations"));
    assert_int_equal(val_len(val_get(metadata, "ownerReferences")), 1);
    bench_remove(&bench, "Service", "podinfo-primary");
    assert_int_equal(bench_reconcile(&bench), 0); /* nothing more is asked of them */
}

static void upstreams_follow_their_config(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    set_up(&bench, mem, CONFIG(""));
    put_config(&bench, "{kube: {serviceName: x}, useHttp2: true, sslConfig: {a: b}, "
                       "loadBalancerConfig: {random: {}, c: 1}, httpProxyHostname: d}");
    assert_int_equal(bench_reconcile(&bench), 3);
    bench_assert_part(&bench, "Upstream", CANARY_UPSTREAM, "spec",
                      "{kube: {serviceName: podinfo-canary, serviceNamespace: test, servicePort: "
                      "80}, useHttp2: true, sslConfig: {a: b}, loadBalancerConfig: {random: {}, c: "
                      "1}, httpProxyHostname: d}");
    put_config(&bench, "{useHttp2: false, loadBalancerConfig: {roundRobin: {}, c: 1}}");
    struct effects effects = bench_plan(&bench);
    assert_int_equal(effects.list.len, 2);
    assert_int_equal(effects.list.at[0].verb, EFFECT_MERGE);
    assert_true(effects.list.at[0].is_mesh);
    assert_same_value(
        mem, effects.list.at[0].body,
        value_of(mem, "{spec: {loadBalancerConfig: {random: null, roundRobin: {}}}}"));
    assert_string_equal(effects.list.at[0].before, "error creating flagger primary upstream: ");
    bench_carry_out(&bench, &effects);
    assert_int_equal(bench_reconcile(&bench), 0);
    put_config(&bench, "{useHttp2: true}");
    assert_int_equal(bench_reconcile(&bench), 2);
    bench_assert_part(&bench, "Upstream", CANARY_UPSTREAM, "spec",
                      "{kube: {serviceName: podinfo-canary, serviceNamespace: test, servicePort: "
                      "80}, useHttp2: true, sslConfig: {a: b}, httpProxyHostname: d}");
    assert_int_equal(bench_reconcile(&bench), 0);
}

/* Where the reference says no namespace it is the Canary's, as it is for the check of references. */
static void a_config_is_looked_for_where_the_reference_says(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const struct {
        const char *spec, *ns;
    } cases[] = { { CONFIG(""), "test" }, { CONFIG(", namespace: gloo"), "gloo" } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct live_wants wants = { .mem = mem };
        struct effects effects = { .mem = mem };
        struct bench bench;
        const char *ns = "";
        set_up(&bench, mem, cases[i].spec);
        bench.router->wants(bench_view(&bench), &wants);
        for (size_t w = 0; w < wants.keys.len; w++)
            if (strcmp(wants.keys.at[w].name, "config") == 0)
                ns = wants.keys.at[w].ns;
        assert_string_equal(ns, cases[i].ns);
        bench_assert_error(bench.router->reconcile(bench_view(&bench), &effects),
                           "error creating flagger primary upstream: config upstream config.test "
                           "get query error: upstreams.gloo.solo.io \"config\" not found");
    }
}

static void a_new_port_keeps_the_traffic(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    set_up(&bench, mem, FORM);
    bench_reconcile(&bench);
    bench_write(&bench, 60, 40, false);
    bench_edit(&bench, TARGET "service: {port: 81}\n" WEIGHTED);
    bench_assert_split(bench_read(&bench), 60, 40, false);
    assert_int_equal(bench_reconcile(&bench), 3);
    bench_assert_split(bench_read(&bench), 60, 40, false);
    assert_non_null(bench_live(&bench, "Upstream", "test-podinfo-primaryupstream-81"));
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(match_cases, an_audience_has_a_route_of_its_own),
        SINGLE(upstreams_come_from_services),
        SINGLE(upstreams_follow_their_config),
        SINGLE(a_config_is_looked_for_where_the_reference_says),
        SINGLE(a_new_port_keeps_the_traffic),
    };
    return rows_run("gloo", tests, ARRAY_LEN(tests));
}
