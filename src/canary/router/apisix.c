#include <string.h>

#include "canary/router/routers.h"
#include "canary/router/spec.h"

#define PRIORITY_MAX   10000 /* before the source, which matches the same requests */
#define WEIGHT_DEFAULT 100   /* of a backend that does not say */

static const struct route_kind route_kind_v2 = {
    .api_version = "apisix.apache.org/v2",
    .kind = "ApisixRoute",
    .resource = "apisixroutes.apisix.apache.org",
    .is_mesh = true,
};
static const char *const name_path[] = { "serviceName", NULL };

static const char *source_name(const struct canary_view *view)
{
    return view->canary->route.name;
}

static const char *canary_name(const struct canary_view *view)
{
    return arena_printf(view->mem, "%s-%s-canary", source_name(view), view->canary->apex);
}

/* As texts have it that begin a sentence, and others. */
static const char *title(const struct canary_view *view, const char *name)
{
    return arena_printf(view->mem, "APISIX route %s.%s", name, view->canary->ns);
}

static const char *low_title(const struct canary_view *view, const char *name)
{
    return arena_printf(view->mem, "apisix route %s.%s", name, view->canary->ns);
}

static struct err *check_reference(const struct canary_view *view)
{
    return *source_name(view) ? NULL : err_new(ERR_INVALID, "apisix route selector is empty");
}

/* -- backends --------------------------------------------------------------------------------- */

/* Of an entry of spec.http; NULL if none leads there. */
static const struct val *find_backend(const struct val *entry, const char *service)
{
    return spec_find(val_get(entry, "backends"), name_path, service);
}

/* The first entry of spec.http that leads to the Service. */
static const struct val *find_entry(const struct val *route, const char *service)
{
    const struct val *http = VAL_PATH(route, "spec", "http");
    for (size_t i = 0; i < val_len(http); i++)
        if (find_backend(val_item(http, i), service))
            return val_item(http, i);
    return NULL;
}

static struct err *not_found(const struct canary_view *view, const char *service)
{
    return err_new(ERR_INVALID, "Can not find %s backend on apisix route %s.%s ", service,
                   source_name(view), view->canary->ns);
}

static struct split kept_split(const struct canary_view *view, const struct val *live)
{
    const struct val *entry = find_entry(live, route_primary(view));
    if (!entry)
        entry = find_entry(live, route_canary(view));
    const struct val *primary = find_backend(entry, route_primary(view));
    const struct val *canary = find_backend(entry, route_canary(view));
    struct split split = route_split(primary ? route_weight(primary, WEIGHT_DEFAULT) : -1,
                                     canary ? route_weight(canary, 0) : -1);
    return split.primary || split.canary ? split : spec_rest(CANARY_TOTAL);
}

/* -- what is to be ---------------------------------------------------------------------------- */

static void set_backends(const struct canary_view *view, struct val *entry, const struct split *to)
{
    static const char *const shared[] = { "servicePort", "resolveGranularity", "subset", NULL };
    struct arena *mem = view->mem;
    const struct val *source = val_item(val_get(entry, "backends"), 0);
    struct val *primary = val_copy(mem, source), *canary = route_pick(mem, source, shared);
    struct val *backends = val_new_list(mem);
    val_set_text(mem, primary, "serviceName", route_primary(view));
    val_set(mem, primary, "weight", val_new_int(mem, to->primary));
    val_set_text(mem, canary, "serviceName", route_canary(view));
    val_set(mem, canary, "weight", val_new_int(mem, to->canary));
    val_append(mem, backends, primary);
    val_append(mem, backends, canary);
    val_set(mem, entry, "backends", backends);
}

/* A copy of the source in which the entries of the apex Service are all there is, and are split. */
static struct err *new_spec(const struct canary_view *view, const struct val *source,
                            const struct split *to, const struct val **out)
{
    struct arena *mem = view->mem;
    const struct val *http = VAL_PATH(source, "spec", "http");
    struct val *spec = route_spec(mem, source), *entries = val_new_list(mem);
    if (val_len(http) == 0)
        return err_new(ERR_INVALID, "%s's spec.http is empty", title(view, source_name(view)));
    for (size_t i = 0; i < val_len(http); i++) {
        if (!find_backend(val_item(http, i), view->canary->apex))
            continue;
        struct val *entry = val_copy(mem, val_item(http, i));
        if (val_len(val_get(entry, "backends")) != 1)
            return err_new(ERR_INVALID, "%s's http route %s only one http backend is supported",
                           title(view, source_name(view)), val_text_or(val_get(entry, "name"), ""));
        val_set(mem, entry, "priority", val_new_int(mem, PRIORITY_MAX));
        if (val_is_null(val_get(entry, "websocket")))
            val_set(mem, entry, "websocket", val_new_bool(mem, false));
        set_backends(view, entry, to);
        val_append(mem, entries, entry);
    }
    val_set(mem, spec, "http", entries);
    *out = spec;
    return entries->len > 0 ? NULL : not_found(view, view->canary->apex);
}

static struct err *reconcile(const struct canary_view *view, struct effects *out)
{
    struct arena *mem = view->mem;
    const struct val *source = NULL;
    TRY(check_reference(view));
    struct route_form form = { .name = canary_name(view) };
    TRY(route_need(view, &route_kind_v2, source_name(view),
                   arena_printf(mem, "%s get query error: ", title(view, source_name(view))),
                   &source));
    TRY(route_find(view, &route_kind_v2, form.name,
                   arena_printf(mem, "%s query error: ", title(view, form.name)), &form.live));
    struct split kept = kept_split(view, form.live);
    TRY(new_spec(view, source, &kept, &form.spec));
    if (!form.live) {
        form.labels = spec_copied(view, VAL_PATH(source, "metadata", "labels"));
        form.annotations = spec_copied(view, VAL_PATH(source, "metadata", "annotations"));
    }
    struct effect *effect = route_plan(view, &route_kind_v2, &form, out);
    route_say(mem, effect, "", title(view, form.name));
    if (effect && form.live)
        effect->log = arena_printf(mem, "Apisix route %s updated", form.name);
    return NULL;
}

/* -- traffic ---------------------------------------------------------------------------------- */

static struct err *need_canary(const struct canary_view *view, const struct val **out)
{
    TRY(check_reference(view));
    const char *name = canary_name(view);
    return route_need(view, &route_kind_v2, name,
                      arena_printf(view->mem, "%s query error: ", low_title(view, name)), out);
}

static struct err *read_split(const struct canary_view *view, struct split *out)
{
    const struct val *live = NULL;
    TRY(need_canary(view, &live));
    const struct val *entry = find_entry(live, route_primary(view));
    if (!entry)
        return not_found(view, route_primary(view));
    *out = spec_rest(route_weight(find_backend(entry, route_primary(view)), WEIGHT_DEFAULT));
    return NULL;
}

static struct err *write_split(const struct canary_view *view, const struct split *to,
                               struct effects *out)
{
    struct arena *mem = view->mem;
    TRY(spec_check_weights(to, spec_rule_title(view)));
    TRY(check_reference(view));
    struct route_form form = { .name = canary_name(view) };
    TRY(need_canary(view, &form.live));
    if (!find_entry(form.live, route_primary(view)))
        return not_found(view, route_primary(view));
    struct val *spec = route_spec(mem, form.live), *http = val_get(spec, "http");
    for (size_t i = 0; i < val_len(http); i++) {
        struct val *backends = val_get(val_item(http, i), "backends");
        for (size_t b = 0; b < val_len(backends); b++) {
            struct val *backend = val_item(backends, b);
            const char *name = val_text_or(val_get(backend, "serviceName"), "");
            if (strcmp(name, route_primary(view)) == 0)
                val_set(mem, backend, "weight", val_new_int(mem, to->primary));
            else if (strcmp(name, route_canary(view)) == 0)
                val_set(mem, backend, "weight", val_new_int(mem, to->canary));
        }
    }
    form.spec = spec;
    struct effect *effect = route_plan(view, &route_kind_v2, &form, out);
    if (effect)
        effect->before =
            arena_printf(mem, "%s update error: ", low_title(view, view->canary->apex));
    return NULL;
}

static void wants(const struct canary_view *view, struct live_wants *out)
{
    if (!*source_name(view))
        return;
    route_want(view, &route_kind_v2, source_name(view), out);
    route_want(view, &route_kind_v2, canary_name(view), out);
}

const struct router router_apisix = {
    .name = "apisix",
    .wants = wants,
    .reconcile = reconcile,
    .read = read_split,
    .write = write_split,
};
