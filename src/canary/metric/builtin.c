#include "canary/metric/builtin.h"

#include <string.h>

#define SECOND_SEGMENT "(-[0-9a-zA-Z]+)"

#define WORKLOAD                                           \
    "destination_workload_namespace=\"{{ namespace }}\", " \
    "destination_workload=~\"{{ target }}\""
#define POD                                      \
    "kubernetes_namespace=\"{{ namespace }}\", " \
    "kubernetes_pod_name=~\"{{ target }}-[0-9a-zA-Z]+" SECOND_SEGMENT "\""
#define OSM                                       \
    "destination_namespace=\"{{ namespace }}\", " \
    "destination_kind=\"Deployment\", destination_name=\"{{ target }}\""
#define LINKERD "namespace=\"{{ namespace }}\", deployment=~\"{{ target }}\""
#define NGINX   "namespace=\"{{ namespace }}\", ingress=\"{{ ingress }}\", canary!=\"\""
#define APISIX  "route=~\"{{ namespace }}_{{ route }}-{{ service }}-canary_.+\""
#define CONTOUR "envoy_cluster_name=~\"{{ namespace }}_{{ service }}-canary_[0-9a-zA-Z-]+\""
#define GLOO                                            \
    "envoy_cluster_name=~\"{{ namespace }}-{{ service " \
    "}}-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+\""
#define KNATIVE "envoy_cluster_name=~\"{{ namespace }}/{{ route }}\""
#define KUMA    "service=~\"{{ service }}-canary_{{ namespace }}_svc_[0-9a-zA-Z-]+\""
#define TRAEFIK "service=~\"{{ namespace }}-{{ service }}-canary-[0-9a-zA-Z-]+@kubernetescrd\""
#define SKIPPER                                                                 \
    "route=~\"kube(ew)?_{{ namespace }}__{{ ingress }}_canary__.*__{{ service " \
    "}}_canary(_[0-9]+)?\""

/* Good answers in percent of all: what both select, then what only the good ones have, then what only all of them have. */
#define RATE(series, both, good, all)                                     \
    " sum( rate( " series "{ " both ", " good " }[{{ interval }}] ) ) / " \
    "sum( rate( " series "{ " both all " }[{{ interval }}] ) ) * 100"
#define P99(series, selector)                                                                  \
    " histogram_quantile( 0.99, sum( rate( " series "{ " selector " }[{{ interval }}] ) ) by " \
    "(le) )"
#define MEAN(sum, count, selector)                               \
    " sum( rate( " sum "{ " selector " }[{{ interval }}] ) ) / " \
    "sum( rate( " count "{ " selector " }[{{ interval }}] ) ) * 1000"

#define ENVOY_GOOD "envoy_response_code!~\"5.*\""
#define ENVOY      "envoy_cluster_upstream_rq"
#define ENVOY_TIME "envoy_cluster_upstream_rq_time_bucket"
#define BUCKET     "traefik_service_request_duration_seconds_bucket"

struct family {
    const char *provider;
    bool is_prefix;
    bool is_http; /* the application's own metrics, in seconds */
    bool encodes; /* names with _ for what is neither letter nor digit */
    const char *rate, *duration;
};

// clang-format off
/* The first one that matches; the last one matches all. */
static const struct family families[] = {
    { "appmesh", .is_prefix = true,
      .rate = RATE(ENVOY, POD, ENVOY_GOOD, ""), .duration = P99(ENVOY_TIME, POD) },
    { "linkerd",
      .rate = RATE("response_total", LINKERD, "classification!=\"failure\", direction=\"inbound\"",
                   ", direction=\"inbound\""),
      .duration = P99("response_latency_ms_bucket", LINKERD ", direction=\"inbound\"") },
    { "contour",
      .rate = RATE(ENVOY, CONTOUR, ENVOY_GOOD, ","), .duration = P99(ENVOY_TIME, CONTOUR ",") },
    { "gloo", .is_prefix = true,
      .rate = RATE(ENVOY, GLOO, ENVOY_GOOD, ","), .duration = P99(ENVOY_TIME, GLOO ",") },
    { "nginx",
      .rate = RATE("nginx_ingress_controller_requests", NGINX, "status!~\"5.*\"", ""),
      .duration = MEAN("nginx_ingress_controller_response_duration_seconds_sum",
                       "nginx_ingress_controller_response_duration_seconds_count", NGINX) },
    { "kubernetes", .is_http = true,
      .rate = RATE("http_request_duration_seconds_count", POD, "status!~\"5.*\"", ""),
      .duration = P99("http_request_duration_seconds_bucket", POD) },
    { "gatewayapi", .is_prefix = true, .is_http = true,
      .rate = RATE("http_request_duration_seconds_count", POD, "status!~\"5.*\"", ""),
      .duration = P99("http_request_duration_seconds_bucket", POD) },
    { "skipper", .encodes = true,
      .rate = " sum(rate(skipper_response_duration_seconds_bucket{" SKIPPER
              ",code!~\"5..\",le=\"+Inf\"}[{{ interval }}])) / "
              "sum(rate(skipper_response_duration_seconds_bucket{" SKIPPER
              ",le=\"+Inf\"}[{{ interval }}])) * 100",
      .duration = " sum(rate(skipper_serve_route_duration_seconds_sum{" SKIPPER
                  "}[{{ interval }}])) / "
                  "sum(rate(skipper_serve_route_duration_seconds_count{" SKIPPER
                  "}[{{ interval }}])) * 1000" },
    { "traefik",
      .rate = RATE(BUCKET, TRAEFIK, "code!~\"5..\", le=\"+Inf\"", ", le=\"+Inf\""),
      .duration = P99(BUCKET, TRAEFIK) " * 1000" },
    { "osm",
      .rate = RATE("osm_request_total", OSM, "response_code!~\"5.*\"", ""),
      .duration = P99("osm_request_duration_ms_bucket", OSM) },
    { "kuma",
      .rate = RATE(ENVOY, KUMA, ENVOY_GOOD, ","), .duration = P99(ENVOY_TIME, KUMA ",") },
    { "apisix",
      .rate = RATE("apisix_http_status", APISIX, "code!~\"5..\"", ""),
      .duration = P99("apisix_http_latency_bucket", "type=~\"request\", " APISIX) },
    { "knative",
      .rate = RATE(ENVOY, KNATIVE, ENVOY_GOOD, ","), .duration = P99(ENVOY_TIME, KNATIVE ",") },
    { "", .is_prefix = true,
      .rate = RATE("istio_requests_total", "reporter=\"destination\", " WORKLOAD,
                   "response_code!~\"5.*\"", ""),
      .duration = P99("istio_request_duration_milliseconds_bucket",
                      "reporter=\"destination\", " WORKLOAD) },
};
// clang-format on

enum builtin builtin_find(const char *metric)
{
    if (!strcmp(metric, "request-success-rate"))
        return BUILTIN_SUCCESS_RATE;
    return strcmp(metric, "request-duration") ? BUILTIN_NONE : BUILTIN_DURATION;
}

const char *builtin_provider(struct arena *mem, const struct canary *canary,
                             const struct canary_settings *settings)
{
    const char *provider =
        strstr(settings->mesh_provider, "crossover") ? "crossover" : settings->mesh_provider;
    if (*canary->provider)
        provider = strstr(settings->mesh_provider, "linkerd") ? "linkerd" : canary->provider;
    bool is_service = !strcmp(canary->target.kind, "Service") && !canary_target_is_knative(canary);
    return is_service ? arena_printf(mem, "%s:service", provider) : provider;
}

static const struct family *find_family(const char *provider)
{
    const struct family *family = families;
    while (family->is_prefix ? strncmp(provider, family->provider, strlen(family->provider))
                             : strcmp(provider, family->provider))
        family++;
    return family;
}

/* Pods of a DaemonSet are named <target>-<suffix>: one segment less than those of a ReplicaSet. */
static const char *without_second_segment(struct arena *mem, const char *text)
{
    const char *found = strstr(text, SECOND_SEGMENT);
    while (found) {
        size_t before = (size_t)(found - text);
        text = arena_printf(mem, "%.*s%s", (int)before, text, found + strlen(SECOND_SEGMENT));
        found = strstr(text + before, SECOND_SEGMENT);
    }
    return text;
}

void builtin_query(struct arena *mem, const struct canary *canary, const char *provider,
                   enum builtin metric, struct builtin_query *out)
{
    const struct family *family = find_family(provider);
    bool is_rate = metric == BUILTIN_SUCCESS_RATE;
    out->text = is_rate ? family->rate : family->duration;
    if (!strcmp(canary->target.kind, "DaemonSet"))
        out->text = without_second_segment(mem, out->text);
    out->is_seconds = !is_rate && family->is_http;
    out->is_bare = is_rate && family->is_http;
}

static const char *encode(struct arena *mem, const char *text)
{
    char *made = arena_strdup(mem, text);
    for (char *at = made; *at; at++) {
        bool is_plain = (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') ||
                        (*at >= 'A' && *at <= 'Z') || *at == '_';
        *at = is_plain ? *at : '_';
    }
    return made;
}

static const char *or_target(const struct canary *canary, const char *name)
{
    return *name ? name : canary->target.name;
}

void builtin_facts(struct arena *mem, const struct canary *canary, const char *provider,
                   const char *route, struct template_facts *out)
{
    *out = (struct template_facts){
        .name = canary->name,
        .ns = canary->ns,
        .target = canary->target.name,
        .service = canary->apex,
        .ingress = or_target(canary, canary->ingress.name),
        .route = route ? route : or_target(canary, canary->route.name),
        .interval = "",
    };
    if (!find_family(provider)->encodes)
        return;
    out->name = encode(mem, out->name);
    out->ns = encode(mem, out->ns);
    out->target = encode(mem, out->target);
    out->service = encode(mem, out->service);
    out->ingress = encode(mem, out->ingress);
}
