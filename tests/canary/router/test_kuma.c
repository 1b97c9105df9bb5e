#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../value.h"
#include "bench.h"
#include "doc/object.h"

#define SPEC(port)                                                                        \
    "provider: kuma\ntargetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n" \
    "service: {port: " port "}\nanalysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define FORM SPEC("80")
#define OWN_ROUTE(destination)                                                                  \
    "{apiVersion: kuma.io/v1alpha1, kind: TrafficRoute, mesh: old, metadata: {name: podinfo}, " \
    "spec: {destinations: [{match: {kuma.io/service: " destination "}}], conf: {loadBalancer: " \
    "{random: {}}, destination: {a: b}}}}"
#define PART(name, weight) \
    "{weight: " weight ", destination: {kuma.io/service: podinfo-" name "_test_svc_80}}"
#define CANARY(annotations)                                                                       \
    "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: podinfo, namespace: test, " \
    "uid: u-1, annotations: " annotations "}, spec: {provider: kuma, targetRef: {apiVersion: "    \
    "apps/v1, kind: Deployment, name: podinfo}, service: {port: 80}}}"

static const char *mesh_of(const struct bench *bench)
{
    return val_text_or(val_get(bench_live(bench, "TrafficRoute", "podinfo"), "mesh"), "");
}

static void it_belongs_to_no_namespace(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    struct effects effects = bench_plan(&bench);
    const struct effect *effect = &effects.list.at[0];
    assert_int_equal(effects.list.len, 1);
    assert_string_equal(effect->ns, "");
    assert_null(VAL_PATH(effect->body, "metadata", "namespace"));
    assert_null(VAL_PATH(effect->body, "metadata", "ownerReferences"));
    assert_true(effect->is_mesh);
    assert_string_equal(effect->before, "TrafficRoute podinfo create error: ");
    assert_string_equal(effect->log, "TrafficRoute podinfo created");
    bench_carry_out(&bench, &effects);
    assert_string_equal(mesh_of(&bench), "default");
}

static void the_mesh_is_that_of_the_annotation(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init_canary(&bench, mem, value_of(mem, CANARY("{kuma.io/mesh: inner}")));
    bench_reconcile(&bench);
    assert_string_equal(mesh_of(&bench), "inner");
    bench.canary.object = value_of(mem, CANARY("{kuma.io/mesh: outer}"));
    struct effects effects = bench_plan(&bench);
    assert_int_equal(effects.list.len, 1);
    assert_true(effects.list.at[0].is_mesh);
    assert_string_equal(effects.list.at[0].before, "TrafficRoute podinfo update error: ");
    assert_string_equal(effects.list.at[0].log, "TrafficRoute podinfo.test updated");
    bench_carry_out(&bench, &effects);
    assert_string_equal(mesh_of(&bench), "outer");
    bench.canary.object = value_of(mem, CANARY("{}"));
    assert_int_equal(bench_reconcile(&bench), 0); /* no wish: as it is */
}

static void a_route_that_was_there_is_taken_over(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put_yaml(&bench, OWN_ROUTE("'*'"));
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_part(&bench, "TrafficRoute", "podinfo", "spec",
                      "{sources: [{match: {kuma.io/service: '*'}}], destinations: [{match: "
                      "{kuma.io/service: podinfo_test_svc_80}}], conf: {loadBalancer: {random: "
                      "{}}, split: [" PART("primary", "100") ", " PART("canary", "0") "]}}");
    assert_string_equal(mesh_of(&bench), "old");
}

static void that_of_another_namespace_is_left_alone(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct effects effects = { .mem = mem };
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put_yaml(&bench, OWN_ROUTE("podinfo_tested_svc_80"));
    bench_assert_error(bench.router->reconcile(bench_view(&bench), &effects),
                       "TrafficRoute podinfo leads to podinfo_tested_svc_80 already: choose "
                       "another spec.service.name, for the name of a route holds in all "
                       "namespaces");
    assert_null(bench.router->finalize(bench_view(&bench), &effects));
    assert_int_equal(effects.list.len, 0);
}

static void a_new_port_keeps_the_traffic(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_reconcile(&bench);
    bench_write(&bench, 60, 40, false);
    bench_edit(&bench, SPEC("81"));
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_split(bench_read(&bench), 60, 40, false);
}

/* Nobody else would: it has no owner. */
static void in_the_end_it_is_removed(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_reconcile(&bench);
    for (size_t round = 0; round < 2; round++) {
        struct effects effects = { .mem = mem };
        assert_null(bench.router->finalize(bench_view(&bench), &effects));
        assert_int_equal(effects.list.len, 1 - round);
        bench_carry_out(&bench, &effects);
        assert_null(bench_live(&bench, "TrafficRoute", "podinfo"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_belongs_to_no_namespace),
        cmocka_unit_test(the_mesh_is_that_of_the_annotation),
        cmocka_unit_test(a_route_that_was_there_is_taken_over),
        cmocka_unit_test(that_of_another_namespace_is_left_alone),
        cmocka_unit_test(a_new_port_keeps_the_traffic),
        cmocka_unit_test(in_the_end_it_is_removed),
    };
    return cmocka_run_group_tests_name("kuma", tests, NULL, NULL);
}
