#include <string.h>

#include "canary/router/routers.h"
#include "canary/router/spec.h"
#include "doc/merge.h"
#include "doc/object.h"

#define BALANCER "loadBalancerConfig"

static const struct route_kind table_kind = {
    .api_version = "gateway.solo.io/v1",
    .kind = "RouteTable",
    .resource = "routetables.gateway.solo.io",
    .is_mesh = true,
    .keys = (const char *const[]){ "routes", NULL },
};
static const struct route_kind upstream_kind = {
    .api_version = "gloo.solo.io/v1",
    .kind = "Upstream",
    .resource = "upstreams.gloo.solo.io",
    .is_mesh = true,
};
static const struct route_kind service_kind = {
    .api_version = "v1",
    .kind = "Service",
    .resource = "services",
};
static const char *const name_path[] = { "destination", "upstream", "name", NULL };
/* What an Upstream has of the one that the Canary refers to. The last is what Flagger calls the one before, which is as Gloo has it. */
static const char *const config_keys[] = {
    "labels",
    "sslConfig",
    "circuitBreakers",
    "connectionConfig",
    BALANCER,
    "useHttp2",
    "initialStreamWindowSize",
    "initialConnectionWindowSize",
    "httpProxyHostname",
    "httpProxyHostName",
    NULL,
};

static const char *title(const struct canary_view *view)
{
    return route_title(view, &table_kind, view->canary->apex);
}

/* `role`: primary or canary. */
static const char *upstream_name(const struct canary_view *view, const char *role)
{
    return arena_printf(view->mem, "%s-%s-%supstream-%lld", view->canary->ns, view->canary->apex,
                        role, (long long)spec_port(view));
}

static const char *primary_name(const struct canary_view *view)
{
    return upstream_name(view, "primary");
}

static const char *canary_name(const struct canary_view *view)
{
    return upstream_name(view, "canary");
}

/* -- Upstreams -------------------------------------------------------------------------------- */

/* The namespace is that of the Canary, as its check has it, where none is given. */
static struct live_key config_key(const struct canary_view *view)
{
    const struct canary_ref *ref = &view->canary->upstream;
    return (struct live_key){ .api_version = upstream_kind.api_version,
                              .kind = upstream_kind.kind,
                              .ns = *ref->ns ? ref->ns : view->canary->ns,
                              .name = ref->name,
                              .form = LIVE_FULL,
                              .is_mesh = true };
}

/* The spec of the Upstream that is referred to; NULL without a reference. */
static struct err *find_config(const struct canary_view *view, const char *before,
                               const struct val **out)
{
    struct live_key key = config_key(view);
    *out = NULL;
    if (!*key.name)
        return NULL;
    const struct val *config = live_find(view->live, key.api_version, key.kind, key.ns, key.name);
    if (config) {
        *out = route_spec(view->mem, config);
        return NULL;
    }
    bool is_unknown =
        live_state(view->live, key.api_version, key.kind, key.ns, key.name) == LIVE_UNKNOWN;
    before = arena_printf(view->mem, "%sconfig upstream %s.%s get query error: ", before, key.name,
                          view->canary->ns);
    return is_unknown ? err_new(ERR_TRANSIENT, "%snot read yet", before)
                      : err_new(ERR_NOT_FOUND, "%s%s \"%s\" not found", before,
                                upstream_kind.resource, key.name);
}

static struct val *new_upstream_spec(const struct canary_view *view, const struct val *service,
                                     const struct val *config)
{
    struct arena *mem = view->mem;
    struct val *spec = val_new_map(mem), *kube = val_need_map(mem, spec, "kube");
    const struct val *selector = VAL_PATH(service, "spec", "selector");
    val_set_text(mem, kube, "serviceName", object_name(service));
    val_set_text(mem, kube, "serviceNamespace", view->canary->ns);
    val_set(mem, kube, "servicePort", val_new_int(mem, spec_port(view)));
    if (val_len(selector) > 0)
        val_set(mem, kube, "selector", val_copy(mem, selector));
    for (const char *const *key = config_keys; *key; key++)
        if (!val_is_null(val_get(config, *key)))
            val_set(mem, spec, *key, val_copy(mem, val_get(config, *key)));
    return spec;
}

/* Of what is there, the way loads are balanced follows; a field that is gone is taken away. */
static struct effect *follow_config(const struct canary_view *view, const struct val *live,
                                    const struct val *config, struct effects *out)
{
    struct arena *mem = view->mem;
    struct val *from = val_new_map(mem), *to = val_new_map(mem);
    struct val *sides[] = { from, to };
    const struct val *values[] = { VAL_PATH(live, "spec", BALANCER), val_get(config, BALANCER) };
    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        struct val *spec = val_need_map(mem, sides[i], "spec");
        if (!val_is_null(values[i]))
            val_set(mem, spec, BALANCER, val_copy(mem, values[i]));
    }
    const struct val *patch = config ? doc_merge_diff(mem, from, to) : NULL;
    if (!patch)
        return NULL;
    struct effect *effect = effect_add(out, EFFECT_MERGE, live);
    effect->body = patch;
    effect->is_mesh = true;
    return effect;
}

static struct err *reconcile_upstream(const struct canary_view *view, const char *role,
                                      const char *service_name, struct effects *out)
{
    struct arena *mem = view->mem;
    struct route_form form = { .name = upstream_name(view, role) };
    const char *before = arena_printf(mem, "error creating flagger %s upstream: ", role);
    const struct val *service = NULL, *config = NULL;
    struct effect *effect;
    TRY(route_find(view, &upstream_kind, form.name, before, &form.live));
    TRY(find_config(view, before, &config));
    if (form.live) {
        effect = follow_config(view, form.live, config, out);
    } else {
        TRY(route_need(view, &service_kind, service_name, before, &service));
        form.spec = new_upstream_spec(view, service, config);
        effect = route_plan(view, &upstream_kind, &form, out);
    }
    route_say(mem, effect, "", route_title(view, &upstream_kind, form.name));
    if (effect)
        effect->before = before;
    return NULL;
}

/* -- the RouteTable --------------------------------------------------------------------------- */

static struct val *new_destination(const struct canary_view *view, const char *upstream,
                                   int64_t weight)
{
    struct arena *mem = view->mem;
    struct val *destination = val_new_map(mem);
    struct val *to = val_need_map(mem, val_need_map(mem, destination, "destination"), "upstream");
    val_set_text(mem, to, "name", upstream);
    val_set_text(mem, to, "namespace", view->canary->ns);
    spec_put_weight(mem, destination, weight);
    return destination;
}

static struct val *new_route(const struct canary_view *view, struct val *matchers,
                             const struct split *to)
{
    struct arena *mem = view->mem;
    struct val *route = val_new_map(mem), *destinations = val_new_list(mem);
    val_set(mem, route, "inheritablePathMatchers", val_new_bool(mem, true));
    if (matchers)
        val_set(mem, route, "matchers", matchers);
    val_append(mem, destinations, new_destination(view, primary_name(view), to->primary));
    val_append(mem, destinations, new_destination(view, canary_name(view), to->canary));
    val_set(mem, val_need_map(mem, val_need_map(mem, route, "routeAction"), "multi"),
            "destinations", destinations);
    return route;
}

/* Gloo knows whole values and patterns of them. */
static struct val *header_matcher(const struct canary_view *view, const struct spec_header *header)
{
    struct arena *mem = view->mem;
    struct val *matcher = val_new_map(mem);
    const char *exact = val_text_or(val_get(header->match, "exact"), "");
    const char *prefix = val_text_or(val_get(header->match, "prefix"), "");
    const char *suffix = val_text_or(val_get(header->match, "suffix"), "");
    const char *pattern = val_text_or(val_get(header->match, "regex"), "");
    if (!*pattern && *prefix)
        pattern = arena_printf(mem, "%s.*", route_literal(mem, prefix));
    else if (!*pattern && *suffix)
        pattern = arena_printf(mem, ".*%s", route_literal(mem, suffix));
    val_set_text(mem, matcher, "name", header->name);
    if (*pattern || *exact)
        val_set_text(mem, matcher, "value", *pattern ? pattern : exact);
    if (*pattern)
        val_set(mem, matcher, "regex", val_new_bool(mem, true));
    return matcher;
}

static struct val *new_methods(const struct canary_view *view)
{
    struct val *methods = val_new_list(view->mem);
    const struct val *match = view->canary->analysis.match;
    for (size_t i = 0; i < val_len(match); i++) {
        const char *method = val_text_or(VAL_PATH(val_item(match, i), "method", "exact"), "");
        if (*method)
            val_append(view->mem, methods, val_new_text(view->mem, method));
    }
    return methods;
}

/* The audience of a test. NULL if the Canary has none. */
static struct err *new_matchers(const struct canary_view *view, struct val **out)
{
    struct arena *mem = view->mem;
    struct spec_headers headers = spec_headers(view);
    struct val *matcher = val_new_map(mem), *list = val_new_list(mem), *methods = new_methods(view);
    *out = NULL;
    if (!spec_has_audience(view))
        return NULL;
    if (headers.len == 0 && methods->len == 0)
        return err_new(ERR_INVALID,
                       "%s cannot tell requests apart by spec.analysis.match: it has no headers",
                       title(view));
    for (size_t i = 0; i < headers.len; i++)
        val_append(mem, list, header_matcher(view, &headers.at[i]));
    if (list->len > 0)
        val_set(mem, matcher, "headers", list);
    if (methods->len > 0)
        val_set(mem, matcher, "methods", methods);
    *out = val_new_list(mem);
    val_append(mem, *out, matcher);
    return NULL;
}

/* Behind the route of the audience there is one for everybody else. */
static struct err *new_spec(const struct canary_view *view, const struct split *to,
                            const struct val **out)
{
    struct arena *mem = view->mem;
    struct val *spec = val_new_map(mem), *routes = val_new_list(mem), *matchers = NULL;
    struct split all = spec_rest(CANARY_TOTAL);
    TRY(new_matchers(view, &matchers));
    val_append(mem, routes, new_route(view, matchers, to));
    if (matchers)
        val_append(mem, routes, new_route(view, NULL, &all));
    val_set(mem, spec, "routes", routes);
    *out = spec;
    return NULL;
}

static const struct val *destinations_of(const struct val *route)
{
    return VAL_PATH(route, "routeAction", "multi", "destinations");
}

/* Whatever its port, with which the name ends. */
static const struct val *find_destination(const struct canary_view *view, const struct val *route,
                                          const char *role)
{
    const struct val *destinations = destinations_of(route);
    const char *prefix =
        arena_printf(view->mem, "%s-%s-%supstream-", view->canary->ns, view->canary->apex, role);
    for (size_t i = 0; i < val_len(destinations); i++) {
        const char *name = val_text_or(val_path(val_item(destinations, i), name_path), "");
        if (strncmp(name, prefix, strlen(prefix)) == 0)
            return val_item(destinations, i);
    }
    return NULL;
}

/* The weights of the first route that has our Upstreams. */
static struct split kept_split(const struct canary_view *view, const struct val *live)
{
    const struct val *routes = VAL_PATH(live, "spec", "routes");
    for (size_t i = 0; i < val_len(routes); i++) {
        const struct val *primary = find_destination(view, val_item(routes, i), "primary");
        const struct val *canary = find_destination(view, val_item(routes, i), "canary");
        if (primary || canary)
            return spec_kept(primary, canary);
    }
    return spec_rest(CANARY_TOTAL);
}

static struct err *reconcile(const struct canary_view *view, struct effects *out)
{
    struct route_form form = { .name = view->canary->apex,
                               .labels = route_labels(view),
                               .annotations = route_annotations(view) };
    TRY(reconcile_upstream(view, "primary", route_primary(view), out));
    TRY(reconcile_upstream(view, "canary", route_canary(view), out));
    TRY(route_find(view, &table_kind, form.name,
                   arena_printf(view->mem, "%s get query error: ", title(view)), &form.live));
    struct split kept = kept_split(view, form.live);
    TRY(new_spec(view, &kept, &form.spec));
    route_say(view->mem, route_plan(view, &table_kind, &form, out), "", title(view));
    return NULL;
}

/* -- traffic ---------------------------------------------------------------------------------- */

static struct err *read_split(const struct canary_view *view, struct split *out)
{
    const struct val *live = NULL;
    TRY(route_need(view, &table_kind, view->canary->apex,
                   arena_printf(view->mem, "%s get query error: ", title(view)), &live));
    const struct val *route = val_item(VAL_PATH(live, "spec", "routes"), 0);
    const struct val *primary = find_destination(view, route, "primary");
    if (val_len(destinations_of(route)) < 2 || !primary)
        return err_new(ERR_INVALID, "%s destinations not found", title(view));
    *out = spec_rest(route_weight(primary, 0));
    return NULL;
}

static struct err *write_split(const struct canary_view *view, const struct split *to,
                               struct effects *out)
{
    struct route_form form = { .name = view->canary->apex };
    TRY(spec_check_weights(to, spec_rule_title(view)));
    TRY(route_need(view, &table_kind, form.name,
                   arena_printf(view->mem, "%s query error: ", title(view)), &form.live));
    TRY(new_spec(view, to, &form.spec));
    struct effect *effect = route_plan(view, &table_kind, &form, out);
    if (effect)
        effect->before = arena_printf(view->mem, "%s update error: ", title(view));
    return NULL;
}

static void wants(const struct canary_view *view, struct live_wants *out)
{
    route_want(view, &service_kind, route_primary(view), out);
    route_want(view, &service_kind, route_canary(view), out);
    route_want(view, &upstream_kind, primary_name(view), out);
    route_want(view, &upstream_kind, canary_name(view), out);
    route_want(view, &table_kind, view->canary->apex, out);
    if (*view->canary->upstream.name) {
        struct live_key key = config_key(view);
        live_want(out, &key);
    }
}

const struct router router_gloo = {
    .name = "gloo",
    .can_match = true,
    .wants = wants,
    .reconcile = reconcile,
    .read = read_split,
    .write = write_split,
};
