#include "../../rows.h"

#include "../value.h"
#include "bench.h"
#include "canary/router/routers.h"

#define TARGET "targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"

/* -- providers -------------------------------------------------------------------------------- */

static const struct provider_case {
    const char *provider;
    const struct router *router;
    bool is_guess;
} provider_cases[] = {
    { "linkerd", &router_smi_v1alpha1, false },
    { "istio", &router_istio, false },
    { "smi:v1alpha1", &router_smi_v1alpha1, false },
    { "smi:v1alpha1:linkerd", &router_smi_v1alpha1, false },
    { "smi:v1alpha2:istio", &router_smi_v1alpha2, false },
    { "smi:v1alpha3", &router_smi_v1alpha3, false },
    { "osm", &router_smi_v1alpha2, false },
    { "nginx", &router_nginx, false },
    { "gatewayapi:v1beta1", &router_gatewayapi_v1beta1, false },
    { "gatewayapi:v1", &router_gatewayapi_v1, false },
    { "gatewayapi:v1alpha2", &router_gatewayapi_v1, false },
    { "kubernetes", &router_kubernetes, false },
    { "appmesh:v1beta2", &router_appmesh_v1beta2, false },
    { "appmesh:v1beta2:x", &router_appmesh_v1beta2, false },
    { "appmesh", &router_appmesh_v1beta1, false },
    { "contour", &router_contour, false },
    { "knative", &router_knative, false },
    { "gloo", &router_gloo, false },
    { "gloo:x", &router_gloo, false },
    { "skipper", &router_skipper, false },
    { "traefik", &router_traefik, false },
    { "apisix", &router_apisix, false },
    { "kuma", &router_kuma, false },
    { "appmesh:v1beta1", &router_istio, true },
    { "traefik:x", &router_istio, true },
    { "gatewayapi", &router_istio, true },
    { "smi", &router_istio, true },
    { "smi:v1alpha4", &router_istio, true },
    { "nginx:service", &router_istio, true },
    { "none", &router_istio, true },
    { "", &router_istio, true },
};

static void a_provider_has_its_router(void **state)
{
    const struct provider_case *provider = *state;
    bool is_guess = !provider->is_guess;
    assert_ptr_equal(router_find(provider->provider, &is_guess), provider->router);
    assert_int_equal(is_guess, provider->is_guess);
    assert_ptr_equal(router_find(provider->provider, NULL), provider->router);
}

static void every_router_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(provider_cases); i++) {
        const struct router *router = provider_cases[i].router;
        assert_true(*router->name && router->wants && router->reconcile && router->read &&
                    router->write);
        assert_false(router->can_mirror_weighted && !router->can_mirror);
    }
}

/* Connections can be neither matched nor mirrored: the router says so, and nobody asks for it. */
static void tcp_has_a_router_of_its_own(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const struct {
        const char *spec;
        bool is_tcp;
    } cases[] = {
        { "provider: istio\n" TARGET "service: {port: 80, appProtocol: tcp}", true },
        { "provider: istio\n" TARGET "service: {port: 80, appProtocol: TCP}", true },
        { "provider: istio\n" TARGET "service: {port: 80, appProtocol: http}", false },
        { "provider: istio\n" TARGET "service: {port: 80}", false },
        { TARGET "service: {port: 80, appProtocol: tcp}", true },
        { "provider: nginx\n" TARGET "service: {port: 80, appProtocol: tcp}", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench bench;
        bench_init(&bench, mem, cases[i].spec);
        assert_int_equal(bench.router == &router_istio_tcp, cases[i].is_tcp);
    }
    assert_false(router_istio_tcp.can_match || router_istio_tcp.can_mirror);
}

/* -- no mesh ---------------------------------------------------------------------------------- */

static void without_a_mesh_iterations_are_the_traffic(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, "provider: kubernetes\n" TARGET "service: {port: 80}");
    assert_int_equal(bench_reconcile(&bench), 0);
    assert_int_equal(bench_write(&bench, 0, 100, true), 0);
    bench_assert_split(bench_read(&bench), 100, 0, false);
    bench.canary.status.iterations = 1;
    bench_assert_split(bench_read(&bench), 0, 100, false);
    assert_true(bench.router->is_fixed);
    assert_null(bench.router->finalize);
}

/* -- reading after reconcile ------------------------------------------------------------------ */

static struct effects one_effect(struct arena *mem, enum effect_verb verb, const struct val *object,
                                 const struct val *body)
{
    struct effects effects = { .mem = mem };
    struct effect *effect = effect_add(&effects, verb, object);
    effect->body = body;
    return effects;
}

static void effects_come_before_what_is_there(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    struct split split;
    bench_init(&bench, mem,
               "provider: osm\n" TARGET
               "service: {port: 80}\nanalysis: {interval: 1m, stepWeight: 5}");
    bench_reconcile(&bench);
    bench_write(&bench, 70, 30, false);
    const struct val *live = bench_live(&bench, "TrafficSplit", "podinfo");
    struct effects none = { .mem = mem };
    assert_null(router_read_after(bench.router, bench_view(&bench), &none, &split));
    bench_assert_split(split, 70, 30, false);

    const struct val *patch =
        value_of(mem, "{spec: {backends: [{service: podinfo-primary, weight: 40}, "
                      "{service: podinfo-canary, weight: 60}]}}");
    struct effects merge = one_effect(mem, EFFECT_MERGE, live, patch);
    assert_null(router_read_after(bench.router, bench_view(&bench), &merge, &split));
    bench_assert_split(split, 40, 60, false);

    struct effects removal = one_effect(mem, EFFECT_DELETE, live, NULL);
    bench_assert_error(router_read_after(bench.router, bench_view(&bench), &removal, &split),
                       "TrafficSplit podinfo.test get query error trafficsplits.split.smi-spec.io "
                       "\"podinfo\" not found");

    merge.list.at[0].name = "another";
    assert_null(router_read_after(bench.router, bench_view(&bench), &merge, &split));
    bench_assert_split(split, 70, 30, false);
}

static void what_was_not_read_yet_is_not_planned(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct effects effects = { .mem = mem };
    struct bench bench;
    bench_init(&bench, mem, "provider: linkerd\n" TARGET "service: {port: 80}");
    struct canary_view view = *bench_view(&bench);
    view.live = live_new(mem);
    struct err *e = bench.router->reconcile(&view, &effects);
    assert_true(err_is(e, ERR_TRANSIENT));
    bench_assert_error(e, "TrafficSplit podinfo.test get query error: not read yet");
    assert_int_equal(effects.list.len, 0);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS_BY(provider_cases, provider, a_provider_has_its_router),
        SINGLE(every_router_is_whole),
        SINGLE(tcp_has_a_router_of_its_own),
        SINGLE(without_a_mesh_iterations_are_the_traffic),
        SINGLE(effects_come_before_what_is_there),
        SINGLE(what_was_not_read_yet_is_not_planned),
    };
    return rows_run("router", tests, ARRAY_LEN(tests));
}
