#include <string.h>

#include "canary/router/route.h"
#include "canary/router/routers.h"

#define GATEWAYS_FOR_SMI "VirtualService.v1alpha3.networking.istio.io/spec.gateways"
#define ISTIO_ADAPTER    ":istio" /* after the version, in what the settings name as provider */
#define QUANTITY_MAX     1000000  /* of a weight that is a text */

struct version {
    struct route_kind kind;
    bool has_quantities; /* weights are quantities: texts */
};

#define TRAFFIC_SPLIT(version)                                                   \
    {                                                                            \
        .api_version = "split.smi-spec.io/" version, .kind = "TrafficSplit",     \
        .resource = "trafficsplits.split.smi-spec.io", .is_mesh = true,          \
        .keys = (const char *const[]){ "service", "backends", "matches", NULL }, \
    }
static const struct version v1alpha1 = { .kind = TRAFFIC_SPLIT("v1alpha1"),
                                         .has_quantities = true };
static const struct version v1alpha2 = { .kind = TRAFFIC_SPLIT("v1alpha2") };
static const struct version v1alpha3 = { .kind = TRAFFIC_SPLIT("v1alpha3") };

static const char *title(const struct canary_view *view, const struct version *version)
{
    return route_title(view, &version->kind, view->canary->apex);
}

/* A quantity that is no whole number is 0. */
static int64_t weight_of(const struct val *backend)
{
    int64_t weight = 0;
    const char *text = val_text(val_get(backend, "weight"));
    if (!text)
        return route_weight(backend, 0);
    for (; *text >= '0' && *text <= '9' && weight < QUANTITY_MAX; text++)
        weight = 10 * weight + (*text - '0');
    return *text ? 0 : weight;
}

static const struct val *find_backend(const struct val *split, const char *service)
{
    const struct val *backends = VAL_PATH(split, "spec", "backends");
    for (size_t i = 0; i < val_len(backends); i++)
        if (strcmp(val_text_or(val_get(val_item(backends, i), "service"), ""), service) == 0)
            return val_item(backends, i);
    return NULL;
}

static struct val *new_weight(struct arena *mem, const struct version *version, int64_t weight)
{
    return version->has_quantities ? val_new_text(mem, arena_printf(mem, "%lld", (long long)weight))
                                   : val_new_int(mem, weight);
}

static struct val *new_backend(struct arena *mem, const char *service, struct val *weight)
{
    struct val *backend = val_new_map(mem);
    val_set_text(mem, backend, "service", service);
    val_set(mem, backend, "weight", weight);
    return backend;
}

/* The canary stands first. */
static struct val *new_backends(const struct canary_view *view, const struct version *version,
                                const struct split *to)
{
    struct arena *mem = view->mem;
    struct val *backends = val_new_list(mem);
    val_append(mem, backends,
               new_backend(mem, route_canary(view), new_weight(mem, version, to->canary)));
    val_append(mem, backends,
               new_backend(mem, route_primary(view), new_weight(mem, version, to->primary)));
    return backends;
}

/* The weights of a live split, each written as it is there. */
static struct val *kept_backends(const struct canary_view *view, const struct version *version,
                                 const struct val *live)
{
    const struct val *primary = find_backend(live, route_primary(view));
    const struct val *canary = find_backend(live, route_canary(view));
    struct split split = { 0 };
    if (primary && canary && val_get(primary, "weight") && val_get(canary, "weight")) {
        struct val *backends = new_backends(view, version, &split);
        val_set(view->mem, val_item(backends, 0), "weight", val_get(canary, "weight"));
        val_set(view->mem, val_item(backends, 1), "weight", val_get(primary, "weight"));
        return backends;
    }
    split = route_split(primary ? weight_of(primary) : -1, canary ? weight_of(canary) : -1);
    return new_backends(view, version, &split);
}

/* The service to be split is the first host, where there are any. */
static struct val *new_spec(const struct canary_view *view, struct val *backends)
{
    struct val *spec = val_new_map(view->mem);
    const char *host = val_text(val_item(val_get(view->canary->service, "hosts"), 0));
    val_set_text(view->mem, spec, "service", host ? host : view->canary->apex);
    val_set(view->mem, spec, "backends", backends);
    return spec;
}

/* For the adapter that makes VirtualServices of splits: only a global setting names it (smi:v1alpha1:istio). */
static struct val *adapter_annotations(const struct canary_view *view)
{
    const char *suffix = strstr(view->provider, ISTIO_ADAPTER);
    const struct val *gateways = val_get(view->canary->service, "gateways");
    if (!suffix || strcmp(suffix, ISTIO_ADAPTER) != 0 || val_len(gateways) == 0)
        return NULL;
    struct val *annotations = val_new_map(view->mem);
    val_set_text(view->mem, annotations, GATEWAYS_FOR_SMI, val_json(view->mem, gateways, NULL));
    return annotations;
}

static struct err *reconcile(const struct canary_view *view, const struct version *version,
                             struct effects *out)
{
    const char *name = view->canary->apex;
    struct route_form form = { .name = name };
    TRY(route_find(view, &version->kind, name,
                   arena_printf(view->mem, "%s get query error: ", title(view, version)),
                   &form.live));
    form.spec = new_spec(view, kept_backends(view, version, form.live));
    form.annotations = form.live ? NULL : adapter_annotations(view);
    route_say(view->mem, route_plan(view, &version->kind, &form, out), "", title(view, version));
    return NULL;
}

static struct err *need(const struct canary_view *view, const struct version *version,
                        const struct val **out)
{
    return route_need(view, &version->kind, view->canary->apex,
                      arena_printf(view->mem, "%s get query error ", title(view, version)), out);
}

static struct err *read_split(const struct canary_view *view, const struct version *version,
                              struct split *out)
{
    const struct val *live = NULL;
    TRY(need(view, version, &live));
    *out = (struct split){ .primary = weight_of(find_backend(live, route_primary(view))),
                           .canary = weight_of(find_backend(live, route_canary(view))) };
    return out->primary || out->canary
               ? NULL
               : err_new(ERR_INVALID, "%s does not contain routes for %s and %s",
                         title(view, version), route_primary(view), route_canary(view));
}

static struct err *write_split(const struct canary_view *view, const struct version *version,
                               const struct split *to, struct effects *out)
{
    struct route_form form = { .name = view->canary->apex };
    TRY(need(view, version, &form.live));
    struct val *spec = route_spec(view->mem, form.live);
    val_set(view->mem, spec, "backends", new_backends(view, version, to));
    form.spec = spec;
    struct effect *effect = route_plan(view, &version->kind, &form, out);
    if (effect)
        effect->before = arena_printf(view->mem, "%s update error ", title(view, version));
    return NULL;
}

/* One router for each version of the API. */
#define SMI_ROUTER(version)                                                                     \
    static void version##_wants(const struct canary_view *view, struct live_wants *out)         \
    {                                                                                           \
        route_want(view, &(version).kind, view->canary->apex, out);                             \
    }                                                                                           \
    static struct err *version##_reconcile(const struct canary_view *view, struct effects *out) \
    {                                                                                           \
        return reconcile(view, &(version), out);                                                \
    }                                                                                           \
    static struct err *version##_read(const struct canary_view *view, struct split *out)        \
    {                                                                                           \
        return read_split(view, &(version), out);                                               \
    }                                                                                           \
    static struct err *version##_write(const struct canary_view *view, const struct split *to,  \
                                       struct effects *out)                                     \
    {                                                                                           \
        return write_split(view, &(version), to, out);                                          \
    }                                                                                           \
    const struct router router_smi_##version = { .name = "smi:" #version,                       \
                                                 .wants = version##_wants,                      \
                                                 .reconcile = version##_reconcile,              \
                                                 .read = version##_read,                        \
                                                 .write = version##_write }

SMI_ROUTER(v1alpha1);
SMI_ROUTER(v1alpha2);
SMI_ROUTER(v1alpha3);
