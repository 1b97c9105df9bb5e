#include <stdio.h>
#include <string.h>

#include "../../rows.h"

#include "../value.h"
#include "canary/metric/builtin.h"
#include "canary/metric/talk.h"
#include "doc/json.h"
#include "doc/merge.h"

#define RECORDINGS FIXTURES "/../differential/recordings/flagger/"
#define SCENARIOS  FIXTURES "/../differential/scenarios/canary/"
#define FILE_MAX   ((size_t)1 << 20)

static const char canary_yaml[] =
    "apiVersion: flagger.app/v1beta1\n"
    "kind: Canary\n"
    "metadata: {name: web, namespace: shop}\n"
    "spec:\n"
    "  targetRef: {apiVersion: apps/v1, kind: Deployment, name: cart}\n"
    "  service: {name: front, port: 80}\n"
    "  analysis: {interval: 10s, threshold: 1, iterations: 1}\n";

/* -- texts --------------------------------------------------------------------------------------------------------- */

/* The texts of the reference; where routing objects have the name of the Service, the queries have it, too (23.6 no. 1). */
static const struct family_case {
    const char *provider, *rate, *duration;
} family_cases[] = {
    { "istio",
      " sum( rate( istio_requests_total{ reporter=\"destination\", "
      "destination_workload_namespace=\"{{ namespace }}\", destination_workload=~\"{{ target }}\", "
      "response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( istio_requests_total{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( istio_request_duration_milliseconds_bucket{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) by (le) )" },
    { "smi:v1alpha2",
      " sum( rate( istio_requests_total{ reporter=\"destination\", "
      "destination_workload_namespace=\"{{ namespace }}\", destination_workload=~\"{{ target }}\", "
      "response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( istio_requests_total{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( istio_request_duration_milliseconds_bucket{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) by (le) )" },
    { "crossover",
      " sum( rate( istio_requests_total{ reporter=\"destination\", "
      "destination_workload_namespace=\"{{ namespace }}\", destination_workload=~\"{{ target }}\", "
      "response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( istio_requests_total{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( istio_request_duration_milliseconds_bucket{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) by (le) )" },
    { "istio:service",
      " sum( rate( istio_requests_total{ reporter=\"destination\", "
      "destination_workload_namespace=\"{{ namespace }}\", destination_workload=~\"{{ target }}\", "
      "response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( istio_requests_total{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( istio_request_duration_milliseconds_bucket{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) by (le) )" },
    { "nginx:service",
      " sum( rate( istio_requests_total{ reporter=\"destination\", "
      "destination_workload_namespace=\"{{ namespace }}\", destination_workload=~\"{{ target }}\", "
      "response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( istio_requests_total{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( istio_request_duration_milliseconds_bucket{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) by (le) )" },
    { "smi:v1alpha1",
      " sum( rate( istio_requests_total{ reporter=\"destination\", "
      "destination_workload_namespace=\"{{ namespace }}\", destination_workload=~\"{{ target }}\", "
      "response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( istio_requests_total{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( istio_request_duration_milliseconds_bucket{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) by (le) )" },
    { "unknown",
      " sum( rate( istio_requests_total{ reporter=\"destination\", "
      "destination_workload_namespace=\"{{ namespace }}\", destination_workload=~\"{{ target }}\", "
      "response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( istio_requests_total{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( istio_request_duration_milliseconds_bucket{ "
      "reporter=\"destination\", destination_workload_namespace=\"{{ namespace }}\", "
      "destination_workload=~\"{{ target }}\" }[{{ interval }}] ) ) by (le) )" },
    { "kubernetes",
      " sum( rate( http_request_duration_seconds_count{ kubernetes_namespace=\"{{ namespace }}\", "
      "kubernetes_pod_name=~\"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\", status!~\"5.*\" }[{{ "
      "interval }}] ) ) / sum( rate( http_request_duration_seconds_count{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( http_request_duration_seconds_bucket{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) by (le) )" },
    { "gatewayapi:v1",
      " sum( rate( http_request_duration_seconds_count{ kubernetes_namespace=\"{{ namespace }}\", "
      "kubernetes_pod_name=~\"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\", status!~\"5.*\" }[{{ "
      "interval }}] ) ) / sum( rate( http_request_duration_seconds_count{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( http_request_duration_seconds_bucket{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) by (le) )" },
    { "gatewayapi:v1beta1",
      " sum( rate( http_request_duration_seconds_count{ kubernetes_namespace=\"{{ namespace }}\", "
      "kubernetes_pod_name=~\"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\", status!~\"5.*\" }[{{ "
      "interval }}] ) ) / sum( rate( http_request_duration_seconds_count{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( http_request_duration_seconds_bucket{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) by (le) )" },
    { "gatewayapi:v1:service",
      " sum( rate( http_request_duration_seconds_count{ kubernetes_namespace=\"{{ namespace }}\", "
      "kubernetes_pod_name=~\"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\", status!~\"5.*\" }[{{ "
      "interval }}] ) ) / sum( rate( http_request_duration_seconds_count{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( http_request_duration_seconds_bucket{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) by (le) )" },
    { "nginx",
      " sum( rate( nginx_ingress_controller_requests{ namespace=\"{{ namespace }}\", ingress=\"{{ "
      "ingress }}\", canary!=\"\", status!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( "
      "nginx_ingress_controller_requests{ namespace=\"{{ namespace }}\", ingress=\"{{ ingress "
      "}}\", canary!=\"\" }[{{ interval }}] ) ) * 100",
      " sum( rate( nginx_ingress_controller_response_duration_seconds_sum{ namespace=\"{{ "
      "namespace }}\", ingress=\"{{ ingress }}\", canary!=\"\" }[{{ interval }}] ) ) / sum( rate( "
      "nginx_ingress_controller_response_duration_seconds_count{ namespace=\"{{ namespace }}\", "
      "ingress=\"{{ ingress }}\", canary!=\"\" }[{{ interval }}] ) ) * 1000" },
    { "linkerd",
      " sum( rate( response_total{ namespace=\"{{ namespace }}\", deployment=~\"{{ target }}\", "
      "classification!=\"failure\", direction=\"inbound\" }[{{ interval }}] ) ) / sum( rate( "
      "response_total{ namespace=\"{{ namespace }}\", deployment=~\"{{ target }}\", "
      "direction=\"inbound\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( response_latency_ms_bucket{ namespace=\"{{ namespace "
      "}}\", deployment=~\"{{ target }}\", direction=\"inbound\" }[{{ interval }}] ) ) by (le) )" },
    { "contour",
      " sum( rate( envoy_cluster_upstream_rq{ envoy_cluster_name=~\"{{ namespace }}_{{ service "
      "}}-canary_[0-9a-zA-Z-]+\", envoy_response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( "
      "envoy_cluster_upstream_rq{ envoy_cluster_name=~\"{{ namespace }}_{{ service "
      "}}-canary_[0-9a-zA-Z-]+\", }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( envoy_cluster_upstream_rq_time_bucket{ "
      "envoy_cluster_name=~\"{{ namespace }}_{{ service }}-canary_[0-9a-zA-Z-]+\", }[{{ interval "
      "}}] ) ) by (le) )" },
    { "traefik",
      " sum( rate( traefik_service_request_duration_seconds_bucket{ service=~\"{{ namespace }}-{{ "
      "service }}-canary-[0-9a-zA-Z-]+@kubernetescrd\", code!~\"5..\", le=\"+Inf\" }[{{ interval "
      "}}] ) ) / sum( rate( traefik_service_request_duration_seconds_bucket{ service=~\"{{ "
      "namespace }}-{{ service }}-canary-[0-9a-zA-Z-]+@kubernetescrd\", le=\"+Inf\" }[{{ interval "
      "}}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( traefik_service_request_duration_seconds_bucket{ "
      "service=~\"{{ namespace }}-{{ service }}-canary-[0-9a-zA-Z-]+@kubernetescrd\" }[{{ interval "
      "}}] ) ) by (le) ) * 1000" },
    { "appmesh",
      " sum( rate( envoy_cluster_upstream_rq{ kubernetes_namespace=\"{{ namespace }}\", "
      "kubernetes_pod_name=~\"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\", "
      "envoy_response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( envoy_cluster_upstream_rq{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( envoy_cluster_upstream_rq_time_bucket{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) by (le) )" },
    { "appmesh:v1beta2",
      " sum( rate( envoy_cluster_upstream_rq{ kubernetes_namespace=\"{{ namespace }}\", "
      "kubernetes_pod_name=~\"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\", "
      "envoy_response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( envoy_cluster_upstream_rq{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( envoy_cluster_upstream_rq_time_bucket{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) by (le) )" },
    { "appmesh:service",
      " sum( rate( envoy_cluster_upstream_rq{ kubernetes_namespace=\"{{ namespace }}\", "
      "kubernetes_pod_name=~\"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\", "
      "envoy_response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( envoy_cluster_upstream_rq{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( envoy_cluster_upstream_rq_time_bucket{ "
      "kubernetes_namespace=\"{{ namespace }}\", kubernetes_pod_name=~\"{{ target "
      "}}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\" }[{{ interval }}] ) ) by (le) )" },
    { "gloo",
      " sum( rate( envoy_cluster_upstream_rq{ envoy_cluster_name=~\"{{ namespace }}-{{ service "
      "}}-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+\", envoy_response_code!~\"5.*\" }[{{ interval "
      "}}] ) ) / sum( rate( envoy_cluster_upstream_rq{ envoy_cluster_name=~\"{{ namespace }}-{{ "
      "service }}-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+\", }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( envoy_cluster_upstream_rq_time_bucket{ "
      "envoy_cluster_name=~\"{{ namespace }}-{{ service "
      "}}-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+\", }[{{ interval }}] ) ) by (le) )" },
    { "gloo:service",
      " sum( rate( envoy_cluster_upstream_rq{ envoy_cluster_name=~\"{{ namespace }}-{{ service "
      "}}-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+\", envoy_response_code!~\"5.*\" }[{{ interval "
      "}}] ) ) / sum( rate( envoy_cluster_upstream_rq{ envoy_cluster_name=~\"{{ namespace }}-{{ "
      "service }}-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+\", }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( envoy_cluster_upstream_rq_time_bucket{ "
      "envoy_cluster_name=~\"{{ namespace }}-{{ service "
      "}}-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+\", }[{{ interval }}] ) ) by (le) )" },
    { "skipper",
      " sum(rate(skipper_response_duration_seconds_bucket{route=~\"kube(ew)?_{{ namespace }}__{{ "
      "ingress }}_canary__.*__{{ service }}_canary(_[0-9]+)?\",code!~\"5..\",le=\"+Inf\"}[{{ "
      "interval }}])) / sum(rate(skipper_response_duration_seconds_bucket{route=~\"kube(ew)?_{{ "
      "namespace }}__{{ ingress }}_canary__.*__{{ service }}_canary(_[0-9]+)?\",le=\"+Inf\"}[{{ "
      "interval }}])) * 100",
      " sum(rate(skipper_serve_route_duration_seconds_sum{route=~\"kube(ew)?_{{ namespace }}__{{ "
      "ingress }}_canary__.*__{{ service }}_canary(_[0-9]+)?\"}[{{ interval }}])) / "
      "sum(rate(skipper_serve_route_duration_seconds_count{route=~\"kube(ew)?_{{ namespace }}__{{ "
      "ingress }}_canary__.*__{{ service }}_canary(_[0-9]+)?\"}[{{ interval }}])) * 1000" },
    { "kuma",
      " sum( rate( envoy_cluster_upstream_rq{ service=~\"{{ service }}-canary_{{ namespace "
      "}}_svc_[0-9a-zA-Z-]+\", envoy_response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( "
      "envoy_cluster_upstream_rq{ service=~\"{{ service }}-canary_{{ namespace "
      "}}_svc_[0-9a-zA-Z-]+\", }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( envoy_cluster_upstream_rq_time_bucket{ service=~\"{{ "
      "service }}-canary_{{ namespace }}_svc_[0-9a-zA-Z-]+\", }[{{ interval }}] ) ) by (le) )" },
    { "apisix",
      " sum( rate( apisix_http_status{ route=~\"{{ namespace }}_{{ route }}-{{ service "
      "}}-canary_.+\", code!~\"5..\" }[{{ interval }}] ) ) / sum( rate( apisix_http_status{ "
      "route=~\"{{ namespace }}_{{ route }}-{{ service }}-canary_.+\" }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( apisix_http_latency_bucket{ type=~\"request\", "
      "route=~\"{{ namespace }}_{{ route }}-{{ service }}-canary_.+\" }[{{ interval }}] ) ) by "
      "(le) )" },
    { "osm",
      " sum( rate( osm_request_total{ destination_namespace=\"{{ namespace }}\", "
      "destination_kind=\"Deployment\", destination_name=\"{{ target }}\", response_code!~\"5.*\" "
      "}[{{ interval }}] ) ) / sum( rate( osm_request_total{ destination_namespace=\"{{ namespace "
      "}}\", destination_kind=\"Deployment\", destination_name=\"{{ target }}\" }[{{ interval }}] "
      ") ) * 100",
      " histogram_quantile( 0.99, sum( rate( osm_request_duration_ms_bucket{ "
      "destination_namespace=\"{{ namespace }}\", destination_kind=\"Deployment\", "
      "destination_name=\"{{ target }}\" }[{{ interval }}] ) ) by (le) )" },
    { "knative",
      " sum( rate( envoy_cluster_upstream_rq{ envoy_cluster_name=~\"{{ namespace }}/{{ route }}\", "
      "envoy_response_code!~\"5.*\" }[{{ interval }}] ) ) / sum( rate( envoy_cluster_upstream_rq{ "
      "envoy_cluster_name=~\"{{ namespace }}/{{ route }}\", }[{{ interval }}] ) ) * 100",
      " histogram_quantile( 0.99, sum( rate( envoy_cluster_upstream_rq_time_bucket{ "
      "envoy_cluster_name=~\"{{ namespace }}/{{ route }}\", }[{{ interval }}] ) ) by (le) )" },
};

static void the_queries_are_those_of_the_reference(void **state)
{
    const struct family_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_of(mem, canary_yaml);
    struct builtin_query query;
    bool is_http =
        !strncmp(row->provider, "gatewayapi", 10) || !strcmp(row->provider, "kubernetes");
    builtin_query(mem, &canary, row->provider, BUILTIN_SUCCESS_RATE, &query);
    assert_string_equal(talk_collapse(mem, query.text), row->rate);
    assert_int_equal(query.is_bare, is_http);
    assert_false(query.is_seconds);
    builtin_query(mem, &canary, row->provider, BUILTIN_DURATION, &query);
    assert_string_equal(talk_collapse(mem, query.text), row->duration);
    assert_int_equal(query.is_seconds, is_http);
    assert_false(query.is_bare);
}

/* 23.6 no. 15: pods of a DaemonSet have one segment behind the target's name, those of its primary two. */
static void pods_of_a_daemonset_are_its_own(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_of(mem, canary_yaml);
    struct builtin_query query;
    canary.target.kind = "DaemonSet";
    builtin_query(mem, &canary, "kubernetes", BUILTIN_SUCCESS_RATE, &query);
    assert_null(strstr(query.text, "(-[0-9a-zA-Z]+)"));
    assert_non_null(strstr(query.text, "kubernetes_pod_name=~\"{{ target }}-[0-9a-zA-Z]+\" }["));
    builtin_query(mem, &canary, "appmesh", BUILTIN_DURATION, &query);
    assert_non_null(strstr(query.text, "kubernetes_pod_name=~\"{{ target }}-[0-9a-zA-Z]+\" }["));
    builtin_query(mem, &canary, "istio", BUILTIN_DURATION, &query);
    assert_non_null(strstr(query.text, "destination_workload=~\"{{ target }}\""));
}

/* -- which family -------------------------------------------------------------------------------------------------- */

static const struct provider_case {
    const char *name, *mesh, *provider, *kind, *api_version, *expected;
} provider_cases[] = {
    { "the flag's", "istio", "", "Deployment", "apps/v1", "istio" },
    { "the Canary's", "istio", "nginx", "Deployment", "apps/v1", "nginx" },
    { "an operator of linkerd has linkerd alone", "linkerd", "nginx", "Deployment", "apps/v1",
      "linkerd" },
    { "linkerd in any form", "my-linkerd", "gatewayapi:v1", "Deployment", "apps/v1", "linkerd" },
    { "linkerd's flag without a provider", "my-linkerd", "", "Deployment", "apps/v1",
      "my-linkerd" },
    { "crossover in any form", "smi:crossover", "", "Deployment", "apps/v1", "crossover" },
    { "a Service has no workload", "istio", "", "Service", "core/v1", "istio:service" },
    { "a Service of the Canary's provider", "istio", "nginx", "Service", "v1", "nginx:service" },
    { "a Knative Service has one", "istio", "knative", "Service", "serving.knative.dev/v1",
      "knative" },
};

static void the_provider_is(void **state)
{
    const struct provider_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_of(mem, canary_yaml);
    struct canary_settings settings = { .mesh_provider = row->mesh };
    canary.provider = row->provider;
    canary.target.kind = row->kind;
    canary.target.api_version = row->api_version;
    assert_string_equal(builtin_provider(mem, &canary, &settings), row->expected);
}

static void facts_have_their_defaults(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_of(mem, canary_yaml);
    struct template_facts facts;
    builtin_facts(mem, &canary, "", NULL, &facts);
    assert_string_equal(facts.name, "web");
    assert_string_equal(facts.ns, "shop");
    assert_string_equal(facts.target, "cart");
    assert_string_equal(facts.service, "front");
    assert_string_equal(facts.ingress, "cart");
    assert_string_equal(facts.route, "cart");
    builtin_facts(mem, &canary, "", "cart-00002", &facts);
    assert_string_equal(facts.route, "cart-00002");
    canary.ingress.name = "in-1";
    canary.route.name = "ro-1";
    canary.ns = "my.shop";
    builtin_facts(mem, &canary, "skipper", NULL, &facts);
    assert_string_equal(facts.ingress, "in_1");
    assert_string_equal(facts.ns, "my_shop");
    assert_string_equal(facts.route, "ro-1");
}

/* -- recordings ---------------------------------------------------------------------------------------------------- */

/* Each with the number of distinct queries Flagger sent; what a DaemonSet's pods are is mended. */
static const struct recording {
    const char *name;
    size_t queries;
    bool is_mended;
} recordings[] = {
    { "apisix", 1, false },
    { "contour", 1, false },
    { "daemonset", 1, true },
    { "gateway-ab", 1, false },
    { "gateway-api", 1, false },
    { "gloo", 1, false },
    { "istio-success", 1, false },
    { "keda", 1, false },
    { "kubernetes-bluegreen", 1, false },
    { "kuma", 1, false },
    { "latency-rollback", 2, false },
    { "linkerd", 1, false },
    { "linkerd-gateway", 1, false },
    { "metric-template", 2, false },
    { "nginx", 1, false },
    { "no-values", 2, false },
    { "service-target-external", 1, false },
    { "session-affinity", 1, false },
    { "skipper", 1, false },
    { "traefik", 1, false },
};

static const char *read_file(struct arena *mem, const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    char *text = arena_alloc(mem, FILE_MAX);
    *len = fread(text, 1, FILE_MAX - 1, file);
    assert_int_equal(fclose(file), 0);
    return text;
}

static const struct val *read_recording(struct arena *mem, const char *name)
{
    size_t len;
    struct val *v = NULL;
    const char *text = read_file(mem, arena_printf(mem, RECORDINGS "%s.json", name), &len);
    assert_null(doc_json_parse(mem, text, len, &v));
    return v;
}

static struct val *read_scenario(struct arena *mem, const char *name)
{
    size_t len;
    return value_of(mem, read_file(mem, arena_printf(mem, SCENARIOS "%s.yaml", name), &len));
}

/* The Canary of a scenario, and its MetricTemplate (NULL without one). */
static struct val *canary_of_scenario(struct arena *mem, const char *name,
                                      const struct val **template)
{
    const struct val *objects = val_get(read_scenario(mem, name), "objects");
    struct val *canary = read_scenario(mem, "fixtures/canary");
    *template = NULL;
    for (size_t i = 0; i < val_len(objects); i++) {
        const struct val *object = val_item(objects, i);
        if (!strcmp(val_text_or(val_get(object, "use"), ""), "canary"))
            canary = val_copy(mem, doc_merge_apply(mem, canary, val_get(object, "with")));
        if (!strcmp(val_text_or(val_get(object, "kind"), ""), "MetricTemplate"))
            *template = object;
    }
    val_set_text(mem, val_get(canary, "metadata"), "namespace", name);
    return canary;
}

/* The queries of one metric, collapsed, as the operator sends them. */
static void add_queries(struct arena *mem, const struct canary *canary,
                        const struct canary_metric *metric, const struct val *template,
                        struct val *out)
{
    struct canary_settings settings = { .mesh_provider = "istio" };
    const char *provider = builtin_provider(mem, canary, &settings), *made = NULL;
    enum builtin builtin = builtin_find(metric->name);
    struct template_facts facts;
    struct builtin_query query = { .text = metric->query };
    if (builtin != BUILTIN_NONE)
        builtin_query(mem, canary, provider, builtin, &query);
    else if (*metric->template_name)
        query.text = val_text_or(VAL_PATH(template, "spec", "query"), "");
    builtin_facts(mem, canary, builtin != BUILTIN_NONE ? provider : "", NULL, &facts);
    facts.interval = metric->interval;
    facts.variables = metric->variables;
    assert_null(template_render(mem, query.text, &facts, &made));
    val_append(mem, out, val_new_text(mem, talk_collapse(mem, made)));
}

static void queries_are_those_of_the_recording(void **state)
{
    const struct recording *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *recording = read_recording(mem, row->name);
    const struct val *queries = val_get(recording, "queries");
    const struct val *template;
    struct canary canary;
    struct val *made = val_new_list(mem);
    assert_null(canary_parse(mem, canary_of_scenario(mem, row->name, &template), &canary));
    for (size_t i = 0; i < canary.analysis.metrics_len; i++)
        add_queries(mem, &canary, &canary.analysis.metrics[i], template, made);
    assert_int_equal(val_len(queries), row->queries);
    assert_int_equal(val_len(made), row->queries);
    for (size_t i = 0; i < row->queries; i++) {
        const char *sent = val_text(val_get(val_item(queries, i), "query"));
        if (row->is_mended)
            assert_string_not_equal(val_text(val_item(made, i)), sent);
        else
            assert_string_equal(val_text(val_item(made, i)), sent);
    }
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(pods_of_a_daemonset_are_its_own),
        SINGLE(facts_have_their_defaults),
        ROWS_BY(family_cases, provider, the_queries_are_those_of_the_reference),
        ROWS(provider_cases, the_provider_is),
        ROWS(recordings, queries_are_those_of_the_recording),
    };
    return rows_run("canary_metric_builtin", tests, ARRAY_LEN(tests));
}
