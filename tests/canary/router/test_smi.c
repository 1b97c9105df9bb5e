#include <string.h>

#include "../../rows.h"

#include "../value.h"
#include "bench.h"
#include "doc/object.h"

#define TARGET   "targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"
#define WEIGHTED "analysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define SERVICE  "service: {port: 80, gateways: [a, b]}\n"
#define LINKERD  "provider: linkerd\n" TARGET SERVICE WEIGHTED
#define OSM      "provider: osm\n" TARGET SERVICE WEIGHTED
#define ADAPTER  "VirtualService.v1alpha3.networking.istio.io/spec.gateways"

static const struct made_case {
    const char *name, *provider, *service, *api_version, *spec, *adapter; /* NULL: no annotations */
} made_cases[] = {
    { "linkerd has quantities", "linkerd", SERVICE, "split.smi-spec.io/v1alpha1",
      "{service: podinfo, backends: [{service: podinfo-canary, weight: '0'}, "
      "{service: podinfo-primary, weight: '100'}]}",
      NULL },
    { "osm has integers", "osm", SERVICE, "split.smi-spec.io/v1alpha2",
      "{service: podinfo, backends: [{service: podinfo-canary, weight: 0}, "
      "{service: podinfo-primary, weight: 100}]}",
      NULL },
    { "the first host is what is split", "smi:v1alpha3", "service: {port: 80, hosts: [h, i]}\n",
      "split.smi-spec.io/v1alpha3",
      "{service: h, backends: [{service: podinfo-canary, weight: 0}, "
      "{service: podinfo-primary, weight: 100}]}",
      NULL },
    { "the adapter for Istio is told the gateways", "smi:v1alpha2:istio", SERVICE,
      "split.smi-spec.io/v1alpha2",
      "{service: podinfo, backends: [{service: podinfo-canary, weight: 0}, "
      "{service: podinfo-primary, weight: 100}]}",
      "[\"a\",\"b\"]" },
    { "without gateways it is told nothing", "smi:v1alpha2:istio", "service: {port: 80}\n",
      "split.smi-spec.io/v1alpha2",
      "{service: podinfo, backends: [{service: podinfo-canary, weight: 0}, "
      "{service: podinfo-primary, weight: 100}]}",
      NULL },
};

static void it_is_made(void **state)
{
    const struct made_case *made = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(
        &bench, mem,
        arena_printf(mem, "provider: %s\n" TARGET "%s" WEIGHTED, made->provider, made->service));
    struct effects effects = bench_plan(&bench);
    const struct effect *effect = &effects.list.at[0];
    const struct val *metadata = val_get(effect->body, "metadata");
    assert_int_equal(effects.list.len, 1);
    assert_string_equal(effect->api_version, made->api_version);
    assert_same_value(mem, val_get(effect->body, "spec"), value_of(mem, made->spec));
    assert_int_equal(val_len(val_get(metadata, "annotations")), made->adapter ? 1 : 0);
    if (made->adapter)
        assert_string_equal(object_annotation(effect->body, ADAPTER), made->adapter);
    assert_null(val_get(metadata, "labels"));
    assert_int_equal(val_len(val_get(metadata, "ownerReferences")), 1);
    assert_string_equal(effect->before, "TrafficSplit podinfo.test create error: ");
    assert_string_equal(effect->log, "TrafficSplit podinfo.test created");
}

static void set_spec(struct bench *bench, const char *spec)
{
    struct val *live = val_copy(bench->mem, bench_live(bench, "TrafficSplit", "podinfo"));
    val_set(bench->mem, live, "spec", value_of(bench->mem, spec));
    bench_put(bench, live);
}

static void weights_stay_as_they_are_written(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, LINKERD);
    bench_reconcile(&bench);
    set_spec(&bench,
             "{service: foreign, matches: [{name: x}], backends: ["
             "{service: podinfo-primary, weight: 70}, {service: podinfo-canary, weight: '30'}]}");
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_part(&bench, "TrafficSplit", "podinfo", "spec",
                      "{service: podinfo, backends: [{service: podinfo-canary, weight: '30'}, "
                      "{service: podinfo-primary, weight: 70}]}");
    bench_assert_split(bench_read(&bench), 70, 30, false);
    assert_int_equal(bench_reconcile(&bench), 0);
    bench_write(&bench, 60, 40, false);
    bench_assert_part(&bench, "TrafficSplit", "podinfo", "spec",
                      "{service: podinfo, backends: [{service: podinfo-canary, weight: '40'}, "
                      "{service: podinfo-primary, weight: '60'}]}");
}

static void a_lost_backend_gets_the_rest(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, OSM);
    bench_reconcile(&bench);
    set_spec(&bench, "{service: podinfo, backends: [{service: podinfo-primary, weight: 70}]}");
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_split(bench_read(&bench), 70, 30, false);
}

static const struct unread_case {
    const char *name, *backends;
} unread_cases[] = {
    { "no backends", "[]" },
    { "others", "[{service: podinfo, weight: '100'}]" },
    { "no whole numbers",
      "[{service: podinfo-canary, weight: 500m}, {service: podinfo-primary, weight: '0.5'}]" },
    { "nothing to nobody", "[{service: podinfo-canary, weight: 0}, {service: podinfo-primary}]" },
    { "more than anybody means", "[{service: podinfo-canary, weight: '99999999999999999999999'}]" },
};

static void it_cannot_be_read(void **state)
{
    const struct unread_case *unread = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct split split;
    struct bench bench;
    bench_init(&bench, mem, LINKERD);
    bench_reconcile(&bench);
    set_spec(&bench, arena_printf(mem, "{service: podinfo, backends: %s}", unread->backends));
    bench_assert_error(bench.router->read(bench_view(&bench), &split),
                       "TrafficSplit podinfo.test does not contain routes for podinfo-primary and "
                       "podinfo-canary");
}

static void errors_have_their_words(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct split split = { 90, 10, false };
    struct effects effects = { .mem = mem };
    struct bench bench;
    bench_init(&bench, mem, LINKERD);
    static const char gone[] = "TrafficSplit podinfo.test get query error "
                               "trafficsplits.split.smi-spec.io \"podinfo\" not found";
    bench_assert_error(bench.router->read(bench_view(&bench), &split), gone);
    bench_assert_error(bench.router->write(bench_view(&bench), &split, &effects), gone);
    bench.no_kind = "TrafficSplit";
    bench_assert_error(bench.router->reconcile(bench_view(&bench), &effects),
                       "TrafficSplit podinfo.test get query error: the server could not find the "
                       "requested resource (get trafficsplits.split.smi-spec.io podinfo)");
    bench.no_kind = NULL;
    bench_reconcile(&bench);
    assert_null(bench.router->write(bench_view(&bench), &split, &effects));
    assert_string_equal(effects.list.at[0].before, "TrafficSplit podinfo.test update error ");
    set_spec(&bench, "{service: x}");
    effects = bench_plan(&bench);
    assert_string_equal(effects.list.at[0].before, "TrafficSplit podinfo.test update error: ");
    assert_string_equal(effects.list.at[0].log, "TrafficSplit podinfo.test updated");
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(made_cases, it_is_made),
        ROWS(unread_cases, it_cannot_be_read),
        SINGLE(weights_stay_as_they_are_written),
        SINGLE(a_lost_backend_gets_the_rest),
        SINGLE(errors_have_their_words),
    };
    return rows_run("smi", tests, ARRAY_LEN(tests));
}
