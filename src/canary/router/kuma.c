#include <string.h>

#include "canary/router/routers.h"
#include "canary/router/spec.h"
#include "doc/object.h"

#define SERVICE_TAG     "kuma.io/service"
#define MESH_ANNOTATION "kuma.io/mesh"
#define DEFAULT_MESH    "default"

static const struct route_kind traffic_kind = {
    .api_version = "kuma.io/v1alpha1",
    .kind = "TrafficRoute",
    .resource = "trafficroutes.kuma.io",
    .is_mesh = true,
    .is_cluster = true,
    .keys = (const char *const[]){ "sources", "destinations", "conf", NULL },
};
static const char *const tag_path[] = { "destination", SERVICE_TAG, NULL };

static const char *title(const struct canary_view *view)
{
    return route_title(view, &traffic_kind, view->canary->apex);
}

/* NAME_NAMESPACE_svc_PORT */
static const char *service_tag(const struct canary_view *view, const char *service)
{
    return arena_printf(view->mem, "%s_%s_svc_%lld", service, view->canary->ns,
                        (long long)spec_port(view));
}

/* The last that leads to a Service, whatever its port. */
static const struct val *find_part(const struct val *live, const char *service)
{
    const struct val *split = VAL_PATH(live, "spec", "conf", "split"), *found = NULL;
    for (size_t i = 0; i < val_len(split); i++) {
        const char *tag = val_text_or(val_path(val_item(split, i), tag_path), "");
        if (strlen(service) == strcspn(tag, "_") && strncmp(tag, service, strlen(service)) == 0)
            found = val_item(split, i);
    }
    return found;
}

/* -- what is to be ---------------------------------------------------------------------------- */

static struct val *new_selectors(struct arena *mem, const char *service)
{
    struct val *selectors = val_new_list(mem), *selector = val_new_map(mem);
    val_set_text(mem, val_need_map(mem, selector, "match"), SERVICE_TAG, service);
    val_append(mem, selectors, selector);
    return selectors;
}

static struct val *new_part(const struct canary_view *view, const char *service, int64_t weight)
{
    struct val *part = val_new_map(view->mem);
    val_set(view->mem, part, "weight", val_new_int(view->mem, weight));
    val_set_text(view->mem, val_need_map(view->mem, part, "destination"), SERVICE_TAG,
                 service_tag(view, service));
    return part;
}

/* A split takes the place of a single destination; what else the route says (of load balancing) stays. */
static struct val *new_conf(const struct canary_view *view, const struct val *live,
                            const struct split *to)
{
    struct arena *mem = view->mem;
    const struct val *old = VAL_PATH(live, "spec", "conf");
    struct val *conf = val_is_map(old) ? val_copy(mem, old) : val_new_map(mem);
    struct val *split = val_new_list(mem);
    val_append(mem, split, new_part(view, route_primary(view), to->primary));
    val_append(mem, split, new_part(view, route_canary(view), to->canary));
    (void)val_remove(conf, "destination");
    val_set(mem, conf, "split", split);
    return conf;
}

static struct val *new_spec(const struct canary_view *view, const struct val *live,
                            const struct split *to)
{
    struct arena *mem = view->mem;
    struct val *spec = val_new_map(mem);
    val_set(mem, spec, "sources", new_selectors(mem, "*"));
    val_set(mem, spec, "destinations", new_selectors(mem, service_tag(view, view->canary->apex)));
    val_set(mem, spec, "conf", new_conf(view, live, to));
    return spec;
}

/* -- whose it is ------------------------------------------------------------------------------ */

static const char *destination_of(const struct val *live)
{
    return val_text_or(
        VAL_PATH(val_item(VAL_PATH(live, "spec", "destinations"), 0), "match", SERVICE_TAG), "");
}

/* Whether it leads to the Service of that name in another namespace: routes of two namespaces cannot have one name. */
static bool is_foreign(const struct canary_view *view, const struct val *live)
{
    const char *name = arena_printf(view->mem, "%s_", view->canary->apex);
    const char *own = arena_printf(view->mem, "%s%s_svc_", name, view->canary->ns);
    const char *to = destination_of(live);
    return strncmp(to, name, strlen(name)) == 0 && strncmp(to, own, strlen(own)) != 0;
}

/* -- reconcile -------------------------------------------------------------------------------- */

/* The mesh of the object is to be that of the Canary; a route that was there before keeps its own if the Canary names none. */
static struct effect *put_mesh(const struct canary_view *view, const struct val *live,
                               struct effect *effect, struct effects *out)
{
    const char *wanted = object_annotation(view->canary->object, MESH_ANNOTATION);
    const struct val *now = effect ? effect->body : live;
    if (!wanted && !live)
        wanted = DEFAULT_MESH;
    if (!wanted || strcmp(val_text_or(val_get(now, "mesh"), ""), wanted) == 0)
        return effect;
    struct val *object = val_copy(view->mem, now);
    val_set_text(view->mem, object, "mesh", wanted);
    if (!effect) {
        effect = effect_add(out, EFFECT_UPDATE, object);
        effect->is_mesh = true;
    }
    effect->body = object;
    return effect;
}

static struct err *reconcile(const struct canary_view *view, struct effects *out)
{
    struct route_form form = { .name = view->canary->apex,
                               .labels = route_labels(view),
                               .annotations = route_annotations(view) };
    TRY(route_find(view, &traffic_kind, form.name,
                   arena_printf(view->mem, "%s get query error: ", title(view)), &form.live));
    if (is_foreign(view, form.live))
        return err_new(ERR_INVALID,
                       "%s leads to %s already: choose another spec.service.name, for the name "
                       "of a route holds in all namespaces",
                       title(view), destination_of(form.live));
    struct split kept = spec_kept(find_part(form.live, route_primary(view)),
                                  find_part(form.live, route_canary(view)));
    form.spec = new_spec(view, form.live, &kept);
    struct effect *effect = route_plan(view, &traffic_kind, &form, out);
    effect = put_mesh(view, form.live, effect, out);
    route_say(view->mem, effect, "", title(view));
    if (effect && form.live)
        effect->log = arena_printf(view->mem, "%s.%s updated", title(view), view->canary->ns);
    return NULL;
}

/* -- traffic ---------------------------------------------------------------------------------- */

static struct err *need(const struct canary_view *view, const struct val **out)
{
    return route_need(view, &traffic_kind, view->canary->apex,
                      arena_printf(view->mem, "%s get query error ", title(view)), out);
}

static struct err *read_split(const struct canary_view *view, struct split *out)
{
    const struct val *live = NULL;
    TRY(need(view, &live));
    const struct val *primary = find_part(live, route_primary(view));
    if (!primary)
        return err_new(ERR_INVALID, "%s does not contain routes for %s and %s", title(view),
                       route_primary(view), route_canary(view));
    *out = spec_rest(route_weight(primary, 0));
    return NULL;
}

static struct err *write_split(const struct canary_view *view, const struct split *to,
                               struct effects *out)
{
    struct route_form form = { .name = view->canary->apex };
    TRY(need(view, &form.live));
    struct val *spec = route_spec(view->mem, form.live);
    val_set(view->mem, spec, "conf", new_conf(view, form.live, to));
    form.spec = spec;
    struct effect *effect = route_plan(view, &traffic_kind, &form, out);
    if (effect)
        effect->before = arena_printf(view->mem, "%s update error ", title(view));
    return NULL;
}

/* Nothing owns it, so that nobody else would collect it. */
static struct err *finalize(const struct canary_view *view, struct effects *out)
{
    const struct val *live = NULL;
    TRY(route_find(view, &traffic_kind, view->canary->apex,
                   arena_printf(view->mem, "%s get query error: ", title(view)), &live));
    if (!live || strcmp(destination_of(live), service_tag(view, view->canary->apex)) != 0)
        return NULL;
    struct effect *effect = effect_add(out, EFFECT_DELETE, live);
    effect->before = arena_printf(view->mem, "%s delete error: ", title(view));
    effect->is_mesh = true;
    return NULL;
}

static void wants(const struct canary_view *view, struct live_wants *out)
{
    route_want(view, &traffic_kind, view->canary->apex, out);
}

const struct router router_kuma = {
    .name = "kuma",
    .wants = wants,
    .reconcile = reconcile,
    .read = read_split,
    .write = write_split,
    .finalize = finalize,
};
