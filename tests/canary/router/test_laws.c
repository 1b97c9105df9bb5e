/* The laws of Istio, the Gateway API, NGINX and SMI. */
#include "laws.h"

#include "base/base.h"

#define TARGET   "targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"
#define WEIGHTED "analysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define BOTH_COOKIES                                                            \
    "analysis: {interval: 15s, threshold: 5, stepWeight: 10, sessionAffinity: " \
    "{cookieName: canary.ck, primaryCookieName: primary-ck, maxAge: 300, path: /app}}\n"
#define ONE_COOKIE                                                              \
    "analysis: {interval: 15s, threshold: 5, stepWeight: 10, sessionAffinity: " \
    "{cookieName: ck}}\n"
#define AUDIENCE                                                                \
    "analysis: {interval: 15s, threshold: 5, iterations: 3, match: [{headers: " \
    "{x-user: {exact: insider}, b: {regex: c.*}}}, {headers: {cookie: {exact: always}}}]}\n"
#define MIRRORED \
    "analysis: {interval: 15s, threshold: 5, iterations: 3, mirror: true, mirrorWeight: 30}\n"

#define RICH                                                                           \
    "  retries: {attempts: 3, perTryTimeout: 1s, retryOn: 5xx}\n"                      \
    "  timeout: 15s\n"                                                                 \
    "  rewrite: {uri: /}\n"                                                            \
    "  headers: {request: {add: {x-b: '1', x-a: '2'}, remove: [x-c]}, "                \
    "response: {set: {x-d: '3'}, add: {x-e: '4'}}}\n"                                  \
    "  corsPolicy: {allowOrigin: [example.com], allowMethods: [GET], maxAge: 24h}\n"   \
    "  match: [{uri: {prefix: /cart}, headers: {x-z: {exact: z}, x-y: {regex: yy}}}, " \
    "{method: {exact: GET}}]\n"                                                        \
    "  apex: {labels: {team: shop}, annotations: {note: here}}\n"
#define ISTIO "provider: istio\n" TARGET "service:\n  port: 80\n"
#define ROUTE1                         \
    "provider: gatewayapi:v1\n" TARGET \
    "service:\n  port: 80\n  gatewayRefs: [{name: public, namespace: infra}]\n"
#define ROUTEB                              \
    "provider: gatewayapi:v1beta1\n" TARGET \
    "service:\n  port: 80\n  gatewayRefs: [{name: public, group: core, kind: Service}]\n"
#define NGINX                                                                     \
    "provider: nginx\n" TARGET                                                    \
    "ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: shop}\n" \
    "service: {port: 80}\n"

static const struct law_form forms[] = {
    { "istio", ISTIO WEIGHTED, "VirtualService", "podinfo", LAW_SHIFTS | LAW_MIRRORS },
    { "istio, rich", ISTIO RICH WEIGHTED, "VirtualService", "podinfo", LAW_SHIFTS | LAW_MIRRORS },
    { "istio behind a gateway",
      ISTIO "  portDiscovery: true\n  gateways: [a/b]\n  hosts: [c, '*']\n" WEIGHTED,
      "VirtualService", "podinfo", LAW_SHIFTS | LAW_MIRRORS },
    { "istio delegate", ISTIO "  delegation: true\n" WEIGHTED, "VirtualService", "podinfo",
      LAW_SHIFTS | LAW_MIRRORS },
    { "istio, one cookie", ISTIO ONE_COOKIE, "VirtualService", "podinfo",
      LAW_SHIFTS | LAW_MIRRORS },
    { "istio, one cookie, rich", ISTIO RICH ONE_COOKIE, "VirtualService", "podinfo",
      LAW_SHIFTS | LAW_MIRRORS },
    { "istio, both cookies, rich", ISTIO RICH BOTH_COOKIES, "VirtualService", "podinfo",
      LAW_SHIFTS | LAW_MIRRORS },
    { "istio, audience", ISTIO AUDIENCE, "VirtualService", "podinfo", LAW_TESTS },
    { "istio, audience, rich", ISTIO RICH AUDIENCE, "VirtualService", "podinfo", LAW_TESTS },
    { "istio, blue/green", ISTIO MIRRORED, "VirtualService", "podinfo", LAW_TESTS | LAW_MIRRORS },
    { "istio, tcp", ISTIO "  appProtocol: tcp\n  match: [{port: 80}, {uri: {exact: a}}]\n" WEIGHTED,
      "VirtualService", "podinfo", LAW_SHIFTS },
    { "gateway api", ROUTE1 WEIGHTED, "HTTPRoute", "podinfo", LAW_SHIFTS },
    { "gateway api, rich", ROUTE1 RICH WEIGHTED, "HTTPRoute", "podinfo", LAW_SHIFTS },
    { "gateway api, one cookie", ROUTE1 ONE_COOKIE, "HTTPRoute", "podinfo", LAW_SHIFTS },
    { "gateway api, both cookies, rich", ROUTE1 RICH BOTH_COOKIES, "HTTPRoute", "podinfo",
      LAW_SHIFTS },
    { "gateway api, audience, rich", ROUTE1 RICH AUDIENCE, "HTTPRoute", "podinfo", LAW_TESTS },
    { "gateway api, blue/green, rich", ROUTE1 RICH MIRRORED, "HTTPRoute", "podinfo",
      LAW_TESTS | LAW_MIRRORS },
    { "gateway api, mirrors of its own",
      ROUTE1 "  mirror: [{backendRef: {name: podinfo-canary, port: 80}}]\n" MIRRORED, "HTTPRoute",
      "podinfo", LAW_TESTS | LAW_MIRRORS },
    { "gateway api v1beta1", ROUTEB WEIGHTED, "HTTPRoute", "podinfo", LAW_SHIFTS },
    { "gateway api v1beta1, both cookies, rich", ROUTEB RICH BOTH_COOKIES, "HTTPRoute", "podinfo",
      LAW_SHIFTS },
    { "nginx", NGINX WEIGHTED, "Ingress", "shop-canary", LAW_SHIFTS },
    { "nginx, audience", NGINX AUDIENCE, "Ingress", "shop-canary", LAW_TESTS },
    { "linkerd", "provider: linkerd\n" TARGET "service: {port: 80}\n" WEIGHTED, "TrafficSplit",
      "podinfo", LAW_SHIFTS },
    { "osm", "provider: osm\n" TARGET "service: {port: 80, hosts: [a]}\n" WEIGHTED, "TrafficSplit",
      "podinfo", LAW_SHIFTS },
    { "smi v1alpha3", "provider: smi:v1alpha3\n" TARGET "service: {port: 80}\n" WEIGHTED,
      "TrafficSplit", "podinfo", LAW_SHIFTS },
};

static const char objects[] =
    "- apiVersion: networking.k8s.io/v1\n"
    "  kind: Ingress\n"
    "  metadata: {name: shop, annotations: {a: b}, labels: {c: d}}\n"
    "  spec:\n"
    "    ingressClassName: nginx\n"
    "    rules:\n"
    "    - {host: a.example.com}\n"
    "    - host: b.example.com\n"
    "      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: podinfo, port: "
    "{number: 80}}}}]}\n";

int main(void)
{
    return laws_hold("router_laws", forms, ARRAY_LEN(forms), objects);
}
