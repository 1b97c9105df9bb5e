#include "canary/target/services.h"

#include <string.h>

#include "canary/target/meta.h"
#include "canary/target/target.h"
#include "doc/json.h"
#include "doc/object.h"

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
#define PREFIX       "reconcileService failed: "

enum role { ROLE_APEX, ROLE_PRIMARY, ROLE_CANARY };

static const struct {
    const char *suffix, *metadata; /* of the name; key in spec.service */
    bool is_primary;               /* selects the primary's pods */
} roles[] = {
    [ROLE_APEX] = { "", "apex", true },
    [ROLE_PRIMARY] = { "-primary", "primary", true },
    [ROLE_CANARY] = { "-canary", "canary", false },
};

static bool has_services(const struct canary_view *view)
{
    return target_find(view->canary)->has_pods;
}

static const char *name_of(const struct canary_view *view, enum role role)
{
    return arena_printf(view->mem, "%s%s", view->canary->apex, roles[role].suffix);
}

static const struct val *find_service(const struct canary_view *view, enum role role)
{
    return view_find(view, "v1", "Service", name_of(view, role));
}

void services_want(const struct canary_view *view, struct live_wants *out)
{
    for (size_t i = 0; has_services(view) && i < ARRAY_LEN(roles); i++)
        meta_want(view, out, "v1", "Service", name_of(view, (enum role)i));
}

/* -- what a Service should be ---------------------------------------------------------------- */

static const char *setting(const struct canary_view *view, const char *key)
{
    return val_text_or(val_get(view->canary->service, key), "");
}

static struct val *target_port(const struct canary_view *view)
{
    struct val *port = val_get(view->canary->service, "port");
    struct val *target = val_get(view->canary->service, "targetPort");
    const char *name = val_text(target);
    int64_t number;
    bool is_unset = val_is_null(target) || (name && strcmp(name, "0") == 0) ||
                    (val_int(target, &number) && number == 0);
    return is_unset ? port : target;
}

static struct val *ports_of(const struct canary_view *view)
{
    struct arena *mem = view->mem;
    struct val *list = val_new_list(mem), *first = val_new_map(mem);
    struct val *port = val_get(view->canary->service, "port"), *target = target_port(view);
    const char *name = setting(view, "portName");
    val_set_text(mem, first, "name", *name ? name : "http");
    val_set_text(mem, first, "protocol", "TCP");
    val_set(mem, first, "port", port ? port : val_new_int(mem, 0));
    val_set(mem, first, "targetPort", target ? target : val_new_int(mem, 0));
    if (*setting(view, "appProtocol"))
        val_set_text(mem, first, "appProtocol", setting(view, "appProtocol"));
    val_append(mem, list, first);
    for (size_t i = 0; i < val_len(view->target.ports); i++)
        val_append(mem, list, val_copy(mem, val_item(view->target.ports, i)));
    return list;
}

static struct val *selector_of(const struct canary_view *view, bool is_primary)
{
    struct val *selector = val_new_map(view->mem);
    const char *value = view->target.selector_value;
    val_set_text(view->mem, selector, view->target.selector_key,
                 is_primary ? meta_primary_name(view, value) : value);
    return selector;
}

static const struct val *configured(const struct canary_view *view, enum role role,
                                    const char *field)
{
    return VAL_PATH(view->canary->service, roles[role].metadata, field);
}

static struct val *labels_of(const struct canary_view *view, enum role role)
{
    struct val *labels = meta_copy_map(view, configured(view, role, "labels"));
    val_set_text(view->mem, labels, view->target.selector_key, name_of(view, role));
    return labels;
}

static struct val *annotations_of(const struct canary_view *view, enum role role)
{
    struct val *annotations = meta_copy_map(view, configured(view, role, "annotations"));
    view_add_flux_pair(view->mem, annotations);
    return annotations;
}

/* -- a Service that is missing ---------------------------------------------------------------- */

static void create_service(const struct canary_view *view, enum role role, struct effects *out)
{
    struct arena *mem = view->mem;
    const char *name = name_of(view, role), *ns = view->canary->ns;
    struct val *service = view_new_object(view, "v1", "Service", name), *spec = val_new_map(mem);
    meta_put(view, service, "labels", labels_of(view, role));
    meta_put(view, service, "annotations", annotations_of(view, role));
    val_set_text(mem, spec, "type", "ClusterIP");
    if (val_is_true(val_get(view->canary->service, "headless")))
        val_set_text(mem, spec, "clusterIP", "None");
    if (*setting(view, "trafficDistribution"))
        val_set_text(mem, spec, "trafficDistribution", setting(view, "trafficDistribution"));
    val_set(mem, spec, "selector", selector_of(view, roles[role].is_primary));
    val_set(mem, spec, "ports", ports_of(view));
    val_set(mem, service, "spec", spec);
    struct effect *effect = effect_add(out, EFFECT_CREATE, service);
    effect->before = arena_printf(out->mem, PREFIX "service %s.%s create error: ", name, ns);
    effect->log = arena_printf(out->mem, "Service %s.%s created", name, ns);
}

/* -- a Service that is there ------------------------------------------------------------------ */

/* Node ports are the API server's choice, and stay. */
static void keep_node_ports(struct arena *mem, struct val *ports, const struct val *live)
{
    for (size_t i = 0; i < val_len(ports); i++) {
        const struct val *own = val_get(meta_find_port(live, val_item(ports, i)), "nodePort");
        int64_t number;
        if (val_int(own, &number) && number > 0)
            val_set(mem, val_item(ports, i), "nodePort", val_copy(mem, own));
    }
}

/* Whatever the order. */
static bool same_ports(const struct val *one, const struct val *other)
{
    if (val_len(one) != val_len(other))
        return false;
    for (size_t i = 0; i < val_len(one); i++)
        if (!val_equal(val_item(one, i), meta_find_port(other, val_item(one, i))))
            return false;
    return true;
}

/* True if `spec` was not so. */
static bool set_route(const struct canary_view *view, struct val *spec, struct val *selector)
{
    struct arena *mem = view->mem;
    struct val *ports = ports_of(view);
    keep_node_ports(mem, ports, val_get(spec, "ports"));
    if (same_ports(ports, val_get(spec, "ports")) && val_equal(selector, val_get(spec, "selector")))
        return false;
    val_set(mem, spec, "ports", ports);
    val_set(mem, spec, "selector", selector);
    return true;
}

/* Brings metadata.FIELD to `wanted` and the live values of unmanaged keys; true if it was not so. */
static bool set_metadata(const struct canary_view *view, struct val *service, const char *field,
                         struct val *wanted)
{
    const struct val *keys = VAL_PATH(view->canary->service, "unmanagedMetadata", field);
    const struct val *live = VAL_PATH(service, "metadata", field);
    for (size_t i = 0; i < val_len(keys); i++) {
        const char *key = val_text(val_item(keys, i));
        const struct val *value = key ? val_get(live, key) : NULL;
        if (value)
            val_set(view->mem, wanted, key, val_copy(view->mem, value));
    }
    if (val_equal(wanted, live))
        return false;
    meta_put(view, service, field, wanted);
    return true;
}

/* The pair comes with every update, also to Services that are not ours. */
static void add_update(const struct canary_view *view, struct val *service, struct effects *out)
{
    struct val *metadata = val_need_map(view->mem, service, "metadata");
    struct val *annotations = metadata ? val_need_map(view->mem, metadata, "annotations") : NULL;
    const char *name = object_name(service);
    if (annotations)
        view_add_flux_pair(view->mem, annotations);
    struct effect *effect =
        meta_update(out, service, arena_printf(out->mem, PREFIX "service %s update error: ", name));
    effect->log = arena_printf(out->mem, "Service %s updated", name);
}

static void reconcile(const struct canary_view *view, enum role role, struct effects *out)
{
    const struct val *live = find_service(view, role);
    if (!live) {
        create_service(view, role, out);
        return;
    }
    struct val *service = val_copy(view->mem, live);
    struct val *spec = val_need_map(view->mem, service, "spec");
    bool is_changed = spec && set_route(view, spec, selector_of(view, roles[role].is_primary));
    if (meta_is_owned(live, view->canary->name)) {
        is_changed |= set_metadata(view, service, "annotations", annotations_of(view, role));
        is_changed |= set_metadata(view, service, "labels", labels_of(view, role));
    }
    if (is_changed)
        add_update(view, service, out);
}

struct err *services_initialize(const struct canary_view *view, struct effects *out)
{
    if (!has_services(view))
        return NULL;
    reconcile(view, ROLE_CANARY, out);
    reconcile(view, ROLE_PRIMARY, out);
    return NULL;
}

struct err *services_reconcile(const struct canary_view *view, struct effects *out)
{
    if (has_services(view))
        reconcile(view, ROLE_APEX, out);
    return NULL;
}

/* -- giving the apex back --------------------------------------------------------------------- */

/* The selector it was applied with; it may have had none. */
static struct err *applied_selector(const struct canary_view *view, const char *text,
                                    struct val **out)
{
    struct val *applied = NULL;
    SCOPED(err_free)
    struct err *e = doc_json_parse(view->mem, text, strlen(text), &applied);
    if (e || !val_is_map(applied))
        return err_new(ERR_INVALID, "router %s.%s failed to unMarshal annotation " LAST_APPLIED,
                       view->canary->apex, view->canary->ns);
    *out = VAL_PATH(applied, "spec", "selector");
    return NULL;
}

struct err *services_finalize(const struct canary_view *view, struct effects *out)
{
    if (!has_services(view))
        return NULL;
    const struct val *live = find_service(view, ROLE_APEX);
    if (!live)
        return err_new(ERR_NOT_FOUND, "service %s.%s get query error: %s", view->canary->apex,
                       view->canary->ns, meta_absent(view, "v1", "Service", view->canary->apex));
    if (meta_is_owned(live, NULL))
        return NULL;
    struct val *service = val_copy(view->mem, live), *selector = NULL;
    struct val *spec = val_need_map(view->mem, service, "spec");
    const char *applied = object_annotation(live, LAST_APPLIED);
    bool is_changed = false;
    if (applied) {
        TRY(applied_selector(view, applied, &selector));
        is_changed = spec && !val_equal(selector, val_get(spec, "selector"));
        if (is_changed && val_is_map(selector))
            val_set(view->mem, spec, "selector", selector);
        else if (is_changed)
            (void)val_remove(spec, "selector");
    } else if (*view->target.selector_key) {
        is_changed = spec && set_route(view, spec, selector_of(view, false));
    }
    if (is_changed)
        add_update(view, service, out);
    return NULL;
}
