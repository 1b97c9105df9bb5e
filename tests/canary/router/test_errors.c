/* What goes wrong, in the words of the event. */
#include "../../rows.h"

#include "../value.h"
#include "bench.h"

#define SPEC(provider, rest)                                                              \
    "provider: '" provider "'\n"                                                          \
    "targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"                 \
    "service: {port: 80, meshName: inner}\n" rest "analysis: {interval: 15s, threshold: " \
    "5, stepWeight: 10}\n"
#define TESTED(provider)                                                                    \
    "provider: '" provider "'\n"                                                            \
    "targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"                   \
    "service: {port: 80, meshName: inner}\n"                                                \
    "analysis: {interval: 15s, threshold: 5, iterations: 3, match: [{headers: {a: {exact: " \
    "b}}}, {sourceLabels: {a: b}}]}\n"
#define UNTESTABLE(provider)                                              \
    "provider: '" provider "'\n"                                          \
    "targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n" \
    "service: {port: 80, meshName: inner}\n"                              \
    "analysis: {interval: 15s, threshold: 5, iterations: 3, match: [{sourceLabels: {a: b}}]}\n"
#define SKIPPER \
    SPEC("skipper", "ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: shop}\n")
#define APISIX                                                                              \
    SPEC("apisix", "routeRef: {apiVersion: apisix.apache.org/v2, kind: ApisixRoute, name: " \
                   "shop}\n")
#define KNATIVE                                                                       \
    "provider: knative\n"                                                             \
    "targetRef: {apiVersion: serving.knative.dev/v1, kind: Service, name: podinfo}\n" \
    "analysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define OBJECT(api, kind, name, annotations, rest)                                                \
    "{apiVersion: " api ", kind: " kind ", metadata: {name: " name ", annotations: {" annotations \
    "}}, " rest "}"
#define INGRESS(name, annotations, spec) \
    OBJECT("networking.k8s.io/v1", "Ingress", name, annotations, "spec: " spec)
#define ROUTE(name, spec) OBJECT("apisix.apache.org/v2", "ApisixRoute", name, "", "spec: " spec)
#define KNATIVE_SERVICE(annotations, traffic)                           \
    OBJECT("serving.knative.dev/v1", "Service", "podinfo", annotations, \
           "status: {traffic: " traffic "}")
#define WEIGHTS(text) "zalando.org/backend-weights: '" text "'"
#define MARK          "flagger.app/primary-revision: p-1"

enum deed { RECONCILE, READ, WRITE, WRITE_NOTHING, FINALIZE };

/* `object` NULL: nothing is there. */
static const struct error_case {
    const char *name, *spec, *object;
    enum deed deed;
    const char *text;
} error_cases[] = {
    { "contour, read", SPEC("contour", ""), NULL, READ,
      "HTTPProxy podinfo.test get query error httpproxies.projectcontour.io \"podinfo\" not "
      "found" },
    { "contour, write", SPEC("contour", ""), NULL, WRITE,
      "HTTPProxy podinfo.test query error: httpproxies.projectcontour.io \"podinfo\" not found" },
    { "contour, nothing", SPEC("contour", ""), NULL, WRITE_NOTHING,
      "HTTPProxy podinfo.test update failed: no valid weights" },
    { "contour, one service", SPEC("contour", ""),
      OBJECT("projectcontour.io/v1", "HTTPProxy", "podinfo", "",
             "spec: {routes: [{services: [{name: podinfo-primary}]}]}"),
      READ, "HTTPProxy podinfo.test services not found" },
    { "contour, no headers", TESTED("contour"), NULL, RECONCILE,
      "HTTPProxy podinfo.test cannot tell requests apart by spec.analysis.match[1]: it has no "
      "headers" },
    { "traefik, read", SPEC("traefik", ""), NULL, READ,
      "TraefikService podinfo.test query error: traefikservices.traefik.io \"podinfo\" not found" },
    { "traefik, nothing", SPEC("traefik", ""), NULL, WRITE_NOTHING,
      "RoutingRule podinfo.test update failed: no valid weights" },
    { "traefik, no weighted services", SPEC("traefik", ""),
      OBJECT("traefik.io/v1alpha1", "TraefikService", "podinfo", "", "spec: {mirroring: {a: b}}"),
      READ, "TraefikService podinfo.test services not found" },
    { "gloo, no Service", SPEC("gloo", ""), NULL, RECONCILE,
      "error creating flagger primary upstream: services \"podinfo-primary\" not found" },
    { "gloo, read", SPEC("gloo", ""), NULL, READ,
      "RouteTable podinfo.test get query error: routetables.gateway.solo.io \"podinfo\" not "
      "found" },
    { "gloo, write", SPEC("gloo", ""), NULL, WRITE,
      "RouteTable podinfo.test query error: routetables.gateway.solo.io \"podinfo\" not found" },
    { "gloo, nothing", SPEC("gloo", ""), NULL, WRITE_NOTHING,
      "RoutingRule podinfo.test update failed: no valid weights" },
    { "gloo, no routes", SPEC("gloo", ""),
      OBJECT("gateway.solo.io/v1", "RouteTable", "podinfo", "", "spec: {}"), READ,
      "RouteTable podinfo.test destinations not found" },
    { "gloo, no headers", UNTESTABLE("gloo"),
      OBJECT("gateway.solo.io/v1", "RouteTable", "podinfo", "", "spec: {}"), WRITE,
      "RouteTable podinfo.test cannot tell requests apart by spec.analysis.match: it has no "
      "headers" },
    { "skipper, no reference", SPEC("skipper", ""), NULL, RECONCILE, "ingress selector is empty" },
    { "skipper, no reference to read", SPEC("skipper", ""), NULL, READ,
      "ingress selector is empty" },
    { "skipper, no source", SKIPPER, NULL, RECONCILE,
      "apexIngress shop.test get query error: ingresses.networking.k8s.io \"shop\" not found" },
    { "skipper, another source", SKIPPER,
      INGRESS("shop", "", "{rules: [{http: {paths: [{backend: {service: {name: other}}}]}}]}"),
      RECONCILE, "backend podinfo not found in ingress shop" },
    { "skipper, read", SKIPPER, NULL, READ,
      "ingress shop-canary.test get query error: ingresses.networking.k8s.io \"shop-canary\" not "
      "found" },
    { "skipper, no weights", SKIPPER, INGRESS("shop-canary", "", "{}"), READ,
      "ingress shop-canary.test get backendWeights error: Annotation.Skipper Canary Ingress "
      "\"zalando.org/backend-weights\" not found" },
    { "skipper, no primary", SKIPPER,
      INGRESS("shop-canary", WEIGHTS("{\"podinfo-canary\":1}"), "{}"), READ,
      "ingress shop-canary.test could not get weights[primarySvcName]" },
    { "skipper, no canary", SKIPPER,
      INGRESS("shop-canary", WEIGHTS("{\"podinfo-primary\":1}"), "{}"), READ,
      "ingress shop-canary.test could not get weights[canarySvcName]" },
    { "kuma, read", SPEC("kuma", ""), NULL, READ,
      "TrafficRoute podinfo get query error trafficroutes.kuma.io \"podinfo\" not found" },
    { "kuma, others", SPEC("kuma", ""),
      OBJECT("kuma.io/v1alpha1", "TrafficRoute", "podinfo", "",
             "spec: {conf: {split: [{weight: 100, destination: {kuma.io/service: "
             "podinfo-primary-old_test_svc_80}}]}}"),
      READ, "TrafficRoute podinfo does not contain routes for podinfo-primary and podinfo-canary" },
    { "apisix, no reference", SPEC("apisix", ""), NULL, RECONCILE,
      "apisix route selector is empty" },
    { "apisix, no reference to write", SPEC("apisix", ""), NULL, WRITE,
      "apisix route selector is empty" },
    { "apisix, no source", APISIX, NULL, RECONCILE,
      "APISIX route shop.test get query error: apisixroutes.apisix.apache.org \"shop\" not found" },
    { "apisix, an empty source", APISIX, ROUTE("shop", "{stream: [{a: b}]}"), RECONCILE,
      "APISIX route shop.test's spec.http is empty" },
    { "apisix, another source", APISIX,
      ROUTE("shop", "{http: [{backends: [{serviceName: other}]}]}"), RECONCILE,
      "Can not find podinfo backend on apisix route shop.test " },
    { "apisix, two backends", APISIX,
      ROUTE("shop", "{http: [{name: a, backends: [{serviceName: podinfo}, {serviceName: x}]}]}"),
      RECONCILE, "APISIX route shop.test's http route a only one http backend is supported" },
    { "apisix, read", APISIX, NULL, READ,
      "apisix route shop-podinfo-canary.test query error: apisixroutes.apisix.apache.org "
      "\"shop-podinfo-canary\" not found" },
    { "apisix, no primary", APISIX,
      ROUTE("shop-podinfo-canary", "{http: [{backends: [{serviceName: x}]}]}"), READ,
      "Can not find podinfo-primary backend on apisix route shop.test " },
    { "apisix, nothing", APISIX, NULL, WRITE_NOTHING,
      "RoutingRule podinfo.test update failed: no valid weights" },
    { "appmesh, no mesh",
      "provider: appmesh\ntargetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"
      "service: {port: 80}\n",
      NULL, RECONCILE, "mesh name cannot be empty" },
    { "appmesh, no headers", UNTESTABLE("appmesh"), NULL, RECONCILE,
      "reconcileVirtualService failed: App Mesh cannot tell requests of podinfo.test apart by "
      "spec.analysis.match: it has no headers" },
    { "appmesh, read", SPEC("appmesh", ""), NULL, READ,
      "VirtualService podinfo.test get query error: virtualservices.appmesh.k8s.aws "
      "\"podinfo.test\" not found" },
    { "appmesh, no routes", SPEC("appmesh", ""),
      OBJECT("appmesh.k8s.aws/v1beta1", "VirtualService", "podinfo.test", "", "spec: {}"), READ,
      "VirtualService routes podinfo.test not found" },
    { "appmesh, others", SPEC("appmesh", ""),
      OBJECT("appmesh.k8s.aws/v1beta1", "VirtualService", "podinfo.test", "",
             "spec: {routes: [{http: {action: {weightedTargets: [{weight: 1}, {weight: 2}]}}}]}"),
      READ,
      "VirtualService podinfo.test does not contain routes for podinfo-primary and "
      "podinfo-canary" },
    { "appmesh v1beta2, read", SPEC("appmesh:v1beta2", ""), NULL, READ,
      "VirtualRouter podinfo get query error: virtualrouters.appmesh.k8s.aws \"podinfo\" not "
      "found" },
    { "appmesh v1beta2, no routes", SPEC("appmesh:v1beta2", ""),
      OBJECT("appmesh.k8s.aws/v1beta2", "VirtualRouter", "podinfo", "", "spec: {}"), READ,
      "VirtualRouter routes podinfo not found" },
    { "knative, none", KNATIVE, NULL, RECONCILE,
      "Knative Service podinfo.test get query error: services.serving.knative.dev \"podinfo\" not "
      "found" },
    { "knative, none to read", KNATIVE, NULL, READ,
      "service podinfo.test get query error: services.serving.knative.dev \"podinfo\" not found" },
    { "knative, none to end", KNATIVE, NULL, FINALIZE,
      "Knative Service podinfo.test get query error: services.serving.knative.dev \"podinfo\" not "
      "found" },
    { "knative, no mark to read", KNATIVE, KNATIVE_SERVICE("", "[]"), READ,
      "service podinfo.test annotation not found" },
    { "knative, no mark to write", KNATIVE, KNATIVE_SERVICE("", "[]"), WRITE,
      "Knative Service podinfo.test annotation not found" },
    { "knative, no traffic", KNATIVE, KNATIVE_SERVICE(MARK, "[]"), READ,
      "Knative Service podinfo.test traffic spec invalid" },
    { "knative, no primary", KNATIVE,
      KNATIVE_SERVICE(MARK, "[{latestRevision: true, revisionName: p-2, percent: 100}]"), READ,
      "Knative Service podinfo.test traffic spec invalid" },
    { "knative, no percent of the primary", KNATIVE,
      KNATIVE_SERVICE(MARK, "[{latestRevision: true, percent: 1}, {revisionName: p-1}]"), READ,
      "Knative Service podinfo.test primary revision traffic percent does not exist" },
    { "knative, no percent of the canary", KNATIVE,
      KNATIVE_SERVICE(MARK, "[{latestRevision: true}, {revisionName: p-1, percent: 1}]"), READ,
      "Knative Service podinfo.test canary revision traffic percent does not exist" },
};

static struct err *do_deed(struct bench *bench, enum deed deed)
{
    struct effects effects = { .mem = bench->mem };
    struct split some = { 90, 10, false }, none = { 0 }, got;
    const struct canary_view *view = bench_view(bench);
    switch (deed) {
    case RECONCILE: return bench->router->reconcile(view, &effects);
    case READ: return bench->router->read(view, &got);
    case WRITE: return bench->router->write(view, &some, &effects);
    case WRITE_NOTHING: return bench->router->write(view, &none, &effects);
    case FINALIZE: return bench->router->finalize(view, &effects);
    }
    return NULL;
}

static void it_says(void **state)
{
    const struct error_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, one->spec);
    if (one->object)
        bench_put_yaml(&bench, one->object);
    bench_assert_error(do_deed(&bench, one->deed), one->text);
}

static const struct kind_case {
    const char *name, *spec, *kind, *text;
} kind_cases[] = {
    { "contour", SPEC("contour", ""), "HTTPProxy",
      "HTTPProxy podinfo.test get query error: the server could not find the requested resource "
      "(get httpproxies.projectcontour.io podinfo)" },
    { "traefik", SPEC("traefik", ""), "TraefikService",
      "TraefikService podinfo.test get query error: the server could not find the requested "
      "resource (get traefikservices.traefik.io podinfo)" },
    { "gloo", SPEC("gloo", ""), "Upstream",
      "error creating flagger primary upstream: the server could not find the requested resource "
      "(get upstreams.gloo.solo.io test-podinfo-primaryupstream-80)" },
    { "kuma", SPEC("kuma", ""), "TrafficRoute",
      "TrafficRoute podinfo get query error: the server could not find the requested resource "
      "(get trafficroutes.kuma.io podinfo)" },
    { "appmesh", SPEC("appmesh", ""), "VirtualNode",
      "reconcileVirtualNode failed: VirtualNode podinfo get query error the server could not find "
      "the requested resource (get virtualnodes.appmesh.k8s.aws podinfo)" },
    { "appmesh v1beta2", SPEC("appmesh:v1beta2", ""), "VirtualRouter",
      "reconcileVirtualService failed: VirtualRouter podinfo get query error: the server could not "
      "find the requested resource (get virtualrouters.appmesh.k8s.aws podinfo)" },
};

static void a_kind_that_is_not_there_is_named(void **state)
{
    const struct kind_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, one->spec);
    bench.no_kind = one->kind;
    bench_assert_error(do_deed(&bench, RECONCILE), one->text);
}

/* The text is that of a parser, so only where it begins is known. */
static void weights_that_cannot_be_parsed_are_an_error(void **state)
{
    (void)state;
    static const char start[] = "ingress shop-canary.test get backendWeights error: ";
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, SKIPPER);
    bench_put_yaml(&bench, INGRESS("shop-canary", WEIGHTS("{"), "{}"));
    SCOPED(err_free) struct err *e = do_deed(&bench, READ);
    assert_true(err_is(e, ERR_INVALID));
    assert_memory_equal(err_text(e), start, strlen(start));
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(error_cases, it_says),
        ROWS(kind_cases, a_kind_that_is_not_there_is_named),
        SINGLE(weights_that_cannot_be_parsed_are_an_error),
    };
    return rows_run("router, texts", tests, ARRAY_LEN(tests));
}
