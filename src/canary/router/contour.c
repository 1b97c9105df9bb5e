#include <string.h>

#include "canary/router/routers.h"
#include "canary/router/spec.h"

#define IDLE_TIMEOUT    "5m"
#define OVERRIDE_HEADER "l5d-dst-override" /* by which Linkerd knows the Service */

static const struct route_kind proxy_kind = {
    .api_version = "projectcontour.io/v1",
    .kind = "HTTPProxy",
    .resource = "httpproxies.projectcontour.io",
    .is_mesh = true,
    /* A root has a virtualhost, too, and includes others: that stays. */
    .keys = (const char *const[]){ "ingressClassName", "routes", NULL },
};
static const char *const name_path[] = { "name", NULL };

static const char *title(const struct canary_view *view)
{
    return route_title(view, &proxy_kind, view->canary->apex);
}

/* -- what is to be ---------------------------------------------------------------------------- */

static struct val *new_service(const struct canary_view *view, const char *name, int64_t weight)
{
    struct arena *mem = view->mem;
    struct val *service = val_new_map(mem), *header = val_new_map(mem), *set = val_new_list(mem);
    int64_t port = spec_port(view);
    val_set_text(mem, service, "name", name);
    val_set(mem, service, "port", val_new_int(mem, port));
    spec_put_weight(mem, service, weight);
    val_set_text(mem, header, "name", OVERRIDE_HEADER);
    val_set_text(
        mem, header, "value",
        arena_printf(mem, "%s.%s.svc.cluster.local:%lld", name, view->canary->ns, (long long)port));
    val_append(mem, set, header);
    val_set(mem, val_need_map(mem, service, "requestHeadersPolicy"), "set", set);
    return service;
}

static struct val *new_retry_policy(const struct canary_view *view)
{
    struct arena *mem = view->mem;
    struct val *policy = val_new_map(mem), *events = spec_retry_on(view);
    const char *timeout = val_text_or(val_get(spec_retries(view), "perTryTimeout"), "");
    val_set(mem, policy, "count", val_new_int(mem, spec_attempts(view)));
    if (*timeout)
        val_set_text(mem, policy, "perTryTimeout", timeout);
    if (events->len > 0)
        val_set(mem, policy, "retryOn", events);
    return policy;
}

static struct val *new_route(const struct canary_view *view, struct val *conditions,
                             const struct split *to)
{
    struct arena *mem = view->mem;
    struct val *route = val_new_map(mem), *services = val_new_list(mem);
    const char *timeout = spec_text(view, "timeout");
    val_set(mem, route, "conditions", conditions);
    if (*timeout) {
        struct val *policy = val_need_map(mem, route, "timeoutPolicy");
        val_set_text(mem, policy, "response", timeout);
        val_set_text(mem, policy, "idle", IDLE_TIMEOUT);
    }
    if (spec_retries(view))
        val_set(mem, route, "retryPolicy", new_retry_policy(view));
    val_append(mem, services, new_service(view, route_primary(view), to->primary));
    val_append(mem, services, new_service(view, route_canary(view), to->canary));
    val_set(mem, route, "services", services);
    return route;
}

static struct val *new_conditions(const struct canary_view *view)
{
    struct val *conditions = val_new_list(view->mem), *condition = val_new_map(view->mem);
    val_set_text(view->mem, condition, "prefix", spec_prefix(view));
    val_append(view->mem, conditions, condition);
    return conditions;
}

/* The first that a match has says what Contour is told. */
static struct val *header_condition(const struct canary_view *view,
                                    const struct spec_header *header)
{
    static const struct {
        const char *of_match, *of_condition;
    } operators[] = {
        { "prefix", "contains" },
        { "suffix", "contains" },
        { "exact", "exact" },
        { "regex", "regex" },
    };
    struct val *condition = val_new_map(view->mem);
    val_set_text(view->mem, condition, "name", header->name);
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        const char *text = val_text_or(val_get(header->match, operators[i].of_match), "");
        if (!*text)
            continue;
        val_set_text(view->mem, condition, operators[i].of_condition, text);
        return condition;
    }
    val_set(view->mem, condition, "present", val_new_bool(view->mem, true));
    return condition;
}

/* A route has one prefix and takes requests that meet all of its conditions; so each entry of the match has a route. */
static struct err *add_audience(const struct canary_view *view, const struct split *to,
                                struct val *routes)
{
    struct arena *mem = view->mem;
    struct spec_headers headers = spec_headers(view);
    size_t at = 0;
    for (size_t entry = 0; entry < val_len(view->canary->analysis.match); entry++) {
        struct val *conditions = new_conditions(view);
        if (at == headers.len || headers.at[at].entry != entry)
            return err_new(ERR_INVALID,
                           "%s cannot tell requests apart by spec.analysis.match[%zu]: it has no "
                           "headers",
                           title(view), entry);
        for (; at < headers.len && headers.at[at].entry == entry; at++) {
            struct val *header = header_condition(view, &headers.at[at]);
            struct val *last = val_item(conditions, conditions->len - 1);
            if (!val_get(last, "header")) {
                val_set(mem, last, "header", header);
                continue;
            }
            struct val *condition = val_new_map(mem);
            val_set(mem, condition, "header", header);
            val_append(mem, conditions, condition);
        }
        val_append(mem, routes, new_route(view, conditions, to));
    }
    return NULL;
}

static struct err *new_spec(const struct canary_view *view, const struct val *live,
                            const struct split *to, const struct val **out)
{
    struct arena *mem = view->mem;
    struct val *spec = route_spec(mem, live), *routes = val_new_list(mem);
    struct split all = spec_rest(CANARY_TOTAL);
    TRY(add_audience(view, to, routes));
    val_append(mem, routes,
               new_route(view, new_conditions(view), spec_has_audience(view) ? &all : to));
    if (*view->settings->ingress_class)
        val_set_text(mem, spec, "ingressClassName", view->settings->ingress_class);
    val_set(mem, spec, "routes", routes);
    *out = spec;
    return NULL;
}

/* -- reconcile -------------------------------------------------------------------------------- */

/* The weights of the first route that has our Services. */
static struct split kept_split(const struct canary_view *view, const struct val *live)
{
    const struct val *routes = VAL_PATH(live, "spec", "routes");
    for (size_t i = 0; i < val_len(routes); i++) {
        const struct val *services = val_get(val_item(routes, i), "services");
        const struct val *primary = spec_find(services, name_path, route_primary(view));
        const struct val *canary = spec_find(services, name_path, route_canary(view));
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
    TRY(route_find(view, &proxy_kind, form.name,
                   arena_printf(view->mem, "%s get query error: ", title(view)), &form.live));
    struct split kept = kept_split(view, form.live);
    TRY(new_spec(view, form.live, &kept, &form.spec));
    route_say(view->mem, route_plan(view, &proxy_kind, &form, out), "", title(view));
    return NULL;
}

/* -- traffic ---------------------------------------------------------------------------------- */

static struct err *read_split(const struct canary_view *view, struct split *out)
{
    const struct val *live = NULL;
    TRY(route_need(view, &proxy_kind, view->canary->apex,
                   arena_printf(view->mem, "%s get query error ", title(view)), &live));
    const struct val *services = val_get(val_item(VAL_PATH(live, "spec", "routes"), 0), "services");
    const struct val *primary = spec_find(services, name_path, route_primary(view));
    if (val_len(services) < 2 || !primary)
        return err_new(ERR_INVALID, "%s services not found", title(view));
    *out = spec_rest(route_weight(primary, 0));
    return NULL;
}

static struct err *write_split(const struct canary_view *view, const struct split *to,
                               struct effects *out)
{
    struct route_form form = { .name = view->canary->apex };
    TRY(spec_check_weights(to, title(view)));
    TRY(route_need(view, &proxy_kind, form.name,
                   arena_printf(view->mem, "%s query error: ", title(view)), &form.live));
    TRY(new_spec(view, form.live, to, &form.spec));
    struct effect *effect = route_plan(view, &proxy_kind, &form, out);
    if (effect)
        effect->before = arena_printf(view->mem, "%s update error: ", title(view));
    return NULL;
}

static void wants(const struct canary_view *view, struct live_wants *out)
{
    route_want(view, &proxy_kind, view->canary->apex, out);
}

const struct router router_contour = {
    .name = "contour",
    .can_match = true,
    .wants = wants,
    .reconcile = reconcile,
    .read = read_split,
    .write = write_split,
};
