#include "canary/router/routers.h"
#include "canary/router/spec.h"

static const struct route_kind service_kind = {
    .api_version = "traefik.io/v1alpha1",
    .kind = "TraefikService",
    .resource = "traefikservices.traefik.io",
    .is_mesh = true,
    .keys = (const char *const[]){ "weighted", NULL },
};
static const char *const name_path[] = { "name", NULL };

static const char *title(const struct canary_view *view)
{
    return route_title(view, &service_kind, view->canary->apex);
}

/* With its weight even if that is 0: one without a weight has 1 to Traefik. */
static struct val *new_service(const struct canary_view *view, const char *name, int64_t weight)
{
    struct arena *mem = view->mem;
    struct val *service = val_new_map(mem);
    val_set_text(mem, service, "name", name);
    val_set_text(mem, service, "namespace", view->canary->ns);
    val_set(mem, service, "port", val_new_int(mem, spec_port(view)));
    val_set(mem, service, "weight", val_new_int(mem, weight));
    return service;
}

/* What else a weighted service can have (sticky sessions, health checks) is its owner's. The canary is in it only while it has
 * weight. */
static struct val *new_spec(const struct canary_view *view, const struct val *live,
                            const struct split *to)
{
    struct arena *mem = view->mem;
    struct val *spec = route_spec(mem, live), *services = val_new_list(mem);
    if (!val_is_map(val_get(spec, "weighted")))
        val_set(mem, spec, "weighted", val_new_map(mem));
    val_append(mem, services, new_service(view, route_primary(view), to->primary));
    if (to->canary > 0)
        val_append(mem, services, new_service(view, route_canary(view), to->canary));
    val_set(mem, val_get(spec, "weighted"), "services", services);
    return spec;
}

/* A canary without weight is as good as none: it has what the primary leaves. */
static struct split kept_split(const struct canary_view *view, const struct val *live)
{
    const struct val *services = VAL_PATH(live, "spec", "weighted", "services");
    const struct val *canary = spec_find(services, name_path, route_canary(view));
    return spec_kept(spec_find(services, name_path, route_primary(view)),
                     route_weight(canary, 0) > 0 ? canary : NULL);
}

static struct err *reconcile(const struct canary_view *view, struct effects *out)
{
    struct route_form form = { .name = view->canary->apex,
                               .labels = route_labels(view),
                               .annotations = route_annotations(view) };
    TRY(route_find(view, &service_kind, form.name,
                   arena_printf(view->mem, "%s get query error: ", title(view)), &form.live));
    struct split kept = kept_split(view, form.live);
    form.spec = new_spec(view, form.live, &kept);
    route_say(view->mem, route_plan(view, &service_kind, &form, out), "", title(view));
    return NULL;
}

static struct err *need(const struct canary_view *view, const struct val **out)
{
    return route_need(view, &service_kind, view->canary->apex,
                      arena_printf(view->mem, "%s query error: ", title(view)), out);
}

static struct err *read_split(const struct canary_view *view, struct split *out)
{
    const struct val *live = NULL;
    TRY(need(view, &live));
    const struct val *services = VAL_PATH(live, "spec", "weighted", "services");
    if (val_len(services) == 0)
        return err_new(ERR_INVALID, "%s services not found", title(view));
    const struct val *primary = spec_find(services, name_path, route_primary(view));
    *out = primary ? spec_rest(route_weight(primary, 0)) : (struct split){ 0 };
    return NULL;
}

static struct err *write_split(const struct canary_view *view, const struct split *to,
                               struct effects *out)
{
    struct route_form form = { .name = view->canary->apex };
    TRY(spec_check_weights(to, spec_rule_title(view)));
    TRY(need(view, &form.live));
    form.spec = new_spec(view, form.live, to);
    struct effect *effect = route_plan(view, &service_kind, &form, out);
    if (effect)
        effect->before = arena_printf(view->mem, "%s update error: ", title(view));
    return NULL;
}

static void wants(const struct canary_view *view, struct live_wants *out)
{
    route_want(view, &service_kind, view->canary->apex, out);
}

const struct router router_traefik = {
    .name = "traefik",
    .wants = wants,
    .reconcile = reconcile,
    .read = read_split,
    .write = write_split,
};
