/* The laws of App Mesh, APISIX, Contour, Gloo, Knative, Kuma, Skipper and Traefik. */
#include "laws.h"

#include "base/base.h"

#define TARGET   "targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"
#define WEIGHTED "analysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define AUDIENCE                                                                            \
    "analysis: {interval: 15s, threshold: 5, iterations: 3, match: [{headers: "             \
    "{x-user: {exact: insider}, b: {regex: c.*}}}, {headers: {a: {prefix: p}, z: {suffix: " \
    "s}}}]}\n"
#define RICH                                                                   \
    "  retries: {attempts: 3, perTryTimeout: 1s, retryOn: 'reset,internal'}\n" \
    "  timeout: 15s\n"                                                         \
    "  hosts: [a.example.com, b.example.com]\n"                                \
    "  backends: [one, 'arn:aws:two']\n"                                       \
    "  match: [{uri: {prefix: /cart}}]\n"                                      \
    "  apex: {labels: {team: shop}, annotations: {note: here}}\n"
#define FORM(provider, rest) "provider: " provider "\n" TARGET "service:\n  port: 80\n" rest
#define MESH                 "  meshName: inner\n"
#define REFS                                                                        \
    "ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: shop}\n"   \
    "routeRef: {apiVersion: apisix.apache.org/v2, kind: ApisixRoute, name: shop}\n" \
    "upstreamRef: {apiVersion: gloo.solo.io/v1, kind: Upstream, name: config}\n"
#define BETA2 "'appmesh:v1beta2'"

static const struct law_form forms[] = {
    { "contour", FORM("contour", WEIGHTED), "HTTPProxy", "podinfo", LAW_SHIFTS },
    { "contour, rich", FORM("contour", RICH WEIGHTED), "HTTPProxy", "podinfo", LAW_SHIFTS },
    { "contour, audience", FORM("contour", RICH AUDIENCE), "HTTPProxy", "podinfo", LAW_TESTS },
    { "traefik", FORM("traefik", RICH WEIGHTED), "TraefikService", "podinfo", LAW_SHIFTS },
    { "gloo", FORM("gloo", WEIGHTED), "RouteTable", "podinfo", LAW_SHIFTS },
    { "gloo, rich", FORM("gloo", RICH REFS WEIGHTED), "RouteTable", "podinfo", LAW_SHIFTS },
    { "gloo, audience", FORM("gloo", AUDIENCE), "RouteTable", "podinfo", LAW_TESTS },
    { "skipper", FORM("skipper", REFS WEIGHTED), "Ingress", "shop-canary", LAW_SHIFTS },
    { "kuma", FORM("kuma", RICH WEIGHTED), "TrafficRoute", "podinfo", LAW_SHIFTS },
    { "apisix", FORM("apisix", REFS WEIGHTED), "ApisixRoute", "shop-podinfo-canary", LAW_SHIFTS },
    { "appmesh", FORM("appmesh", MESH WEIGHTED), "VirtualService", "podinfo.test", LAW_SHIFTS },
    { "appmesh, rich", FORM("appmesh", MESH RICH WEIGHTED), "VirtualService", "podinfo.test",
      LAW_SHIFTS },
    { "appmesh, audience", FORM("appmesh", MESH RICH AUDIENCE), "VirtualService", "podinfo.test",
      LAW_TESTS },
    { "appmesh v1beta2", FORM(BETA2, WEIGHTED), "VirtualRouter", "podinfo", LAW_SHIFTS },
    { "appmesh v1beta2, rich", FORM(BETA2, "  targetPort: http\n" RICH WEIGHTED), "VirtualRouter",
      "podinfo", LAW_SHIFTS },
    { "appmesh v1beta2, calls", FORM(BETA2, "  portName: grpc-web\n" RICH WEIGHTED),
      "VirtualRouter", "podinfo", LAW_SHIFTS },
    { "appmesh v1beta2, audience", FORM(BETA2, RICH AUDIENCE), "VirtualRouter", "podinfo",
      LAW_TESTS },
    { "appmesh v1beta2, audience of calls", FORM(BETA2, "  portName: grpc\n" RICH AUDIENCE),
      "VirtualRouter", "podinfo", LAW_TESTS },
    { "knative",
      "provider: knative\n"
      "targetRef: {apiVersion: serving.knative.dev/v1, kind: Service, name: podinfo}\n" WEIGHTED,
      "Service", "podinfo", LAW_SHIFTS | LAW_STAYS },
};

static const char objects[] =
    "- apiVersion: networking.k8s.io/v1\n"
    "  kind: Ingress\n"
    "  metadata: {name: shop, annotations: {a: b}, labels: {c: d}}\n"
    "  spec:\n"
    "    rules:\n"
    "    - {host: a.example.com}\n"
    "    - host: b.example.com\n"
    "      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: podinfo, port: "
    "{number: 80}}}}, {path: /b, backend: {service: {name: other, port: {number: 80}}}}]}\n"
    "- apiVersion: apisix.apache.org/v2\n"
    "  kind: ApisixRoute\n"
    "  metadata: {name: shop, annotations: {a: b}, labels: {c: d}}\n"
    "  spec:\n"
    "    ingressClassName: apisix\n"
    "    http:\n"
    "    - {name: a, backends: [{serviceName: other, servicePort: 80}]}\n"
    "    - {name: b, match: {paths: [/b]}, backends: [{serviceName: podinfo, servicePort: 80}]}\n"
    "    - {name: c, websocket: true, priority: 3, backends: [{serviceName: podinfo, servicePort: "
    "80, weight: 7, subset: x}]}\n"
    "    stream: [{name: d, protocol: TCP}]\n"
    "- {apiVersion: v1, kind: Service, metadata: {name: podinfo-primary}, spec: {selector: {app: "
    "podinfo-primary}}}\n"
    "- {apiVersion: v1, kind: Service, metadata: {name: podinfo-canary}, spec: {selector: {app: "
    "podinfo}}}\n"
    "- apiVersion: gloo.solo.io/v1\n"
    "  kind: Upstream\n"
    "  metadata: {name: config}\n"
    "  spec: {loadBalancerConfig: {random: {}}, useHttp2: true}\n"
    "- apiVersion: apps/v1\n"
    "  kind: Deployment\n"
    "  metadata: {name: podinfo}\n"
    "  spec: {template: {spec: {containers: [{ports: [{name: http, containerPort: 9898}]}]}}}\n"
    "- apiVersion: serving.knative.dev/v1\n"
    "  kind: Service\n"
    "  metadata: {name: podinfo}\n"
    "  spec: {traffic: [{latestRevision: true, percent: 0}, {revisionName: podinfo-1, percent: "
    "100}]}\n"
    "  status: {latestCreatedRevisionName: podinfo-2}\n";

int main(void)
{
    return laws_hold("router_laws_more", forms, ARRAY_LEN(forms), objects);
}
