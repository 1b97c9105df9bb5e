/* A Service as target: it is the apex, and whoever stands behind it is somebody else's. */
#include <string.h>

#include "canary/hash.h"
#include "canary/target/kinds.h"
#include "canary/target/meta.h"
#include "doc/object.h"

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

static const struct val *find_service(const struct canary_view *view, const char *name)
{
    return view_find(view, "v1", "Service", name);
}

static const struct val *find_target(const struct canary_view *view)
{
    return find_service(view, view->canary->target.name);
}

static const char *copy_name(const struct canary_view *view, const char *suffix)
{
    return arena_printf(view->mem, "%s%s", view->canary->target.name, suffix);
}

static void wants(const struct canary_view *view, struct live_wants *out)
{
    meta_want(view, out, "v1", "Service", view->canary->target.name);
    meta_want(view, out, "v1", "Service", copy_name(view, "-canary"));
    meta_want(view, out, "v1", "Service", copy_name(view, "-primary"));
}

/* Names the copy, as everybody has known it. */
static const char *absent_text(const struct canary_view *view)
{
    const char *name = view->canary->target.name;
    return arena_printf(view->mem, "service %s-primary.%s get query error: %s", name,
                        view->canary->ns, meta_absent(view, "v1", "Service", name));
}

static void observe(const struct canary_view *view, struct target_seen *out)
{
    const struct val *target = find_target(view);
    *out = (struct target_seen){
        .revision = "",
        .selector_key = "",
        .selector_value = "",
        .has_primary = find_service(view, copy_name(view, "-primary")) != NULL,
        .primary = { READY_YES, "" },
        .canary = { READY_YES, "" },
    };
    if (target)
        out->revision = canary_hash_revision(view->mem, val_get(target, "spec"));
    else
        out->fault = absent_text(view);
}

/* -- copies ---------------------------------------------------------------------------------- */

/* What the API server has assigned to one Service and refuses in another. */
static const char *const addresses[] = { "clusterIP", "clusterIPs", "healthCheckNodePort" };

static bool is_headless(const struct val *spec)
{
    return strcmp(val_text_or(val_get(spec, "clusterIP"), ""), "None") == 0;
}

/* The target's spec with the copy's own addresses; `live` is NULL for a copy that is not there yet. */
static struct val *copy_spec(const struct canary_view *view, const struct val *target,
                             const struct val *live)
{
    struct arena *mem = view->mem;
    struct val *spec = meta_copy_map(view, target);
    bool has_addresses = strcmp(val_text_or(val_get(spec, "type"), ""), "ExternalName") != 0;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        const struct val *own = has_addresses ? val_get(live, addresses[i]) : NULL;
        if (own)
            val_set(mem, spec, addresses[i], val_copy(mem, own));
        else if (live || !is_headless(target))
            (void)val_remove(spec, addresses[i]);
    }
    const struct val *ports = val_get(spec, "ports");
    for (size_t i = 0; i < val_len(ports); i++) {
        struct val *port = val_item(ports, i);
        const struct val *own = val_get(meta_find_port(val_get(live, "ports"), port), "nodePort");
        if (!val_is_map(port) || !val_remove(port, "nodePort") || !own)
            continue;
        val_set(mem, port, "nodePort", val_copy(mem, own));
    }
    const char *distribution =
        val_text_or(val_get(view->canary->service, "trafficDistribution"), "");
    if (*distribution)
        val_set_text(mem, spec, "trafficDistribution", distribution);
    return spec;
}

static struct val *copy_annotations(const struct canary_view *view, const struct val *target)
{
    struct val *map = meta_copied(view, VAL_PATH(target, "metadata", "annotations"));
    if (map)
        (void)val_remove(map, LAST_APPLIED);
    return map;
}

/* `live` brought to what the target is; a new object when it is NULL. */
static struct val *copy_target(const struct canary_view *view, const char *name,
                               const struct val *target, const struct val *live)
{
    struct arena *mem = view->mem;
    struct val *copy = view_new_object(view, "v1", "Service", name);
    if (live) {
        struct val *owners = VAL_PATH(copy, "metadata", "ownerReferences");
        copy = val_copy(mem, live);
        meta_put(view, copy, "ownerReferences", owners);
    }
    meta_put(view, copy, "labels", meta_copied(view, VAL_PATH(target, "metadata", "labels")));
    meta_put(view, copy, "annotations", copy_annotations(view, target));
    val_set(mem, copy, "spec",
            copy_spec(view, val_get(target, "spec"), live ? val_get(live, "spec") : NULL));
    return copy;
}

static void create_copy(const struct canary_view *view, const struct val *copy, struct effects *out)
{
    struct effect *effect = effect_add(out, EFFECT_CREATE, copy);
    /* The Canary's name, not the Service's: that is the text. */
    effect->before = arena_printf(
        out->mem, "creating service %s.%s query error: ", view->canary->name, view->canary->ns);
    effect->log =
        arena_printf(out->mem, "Service %s.%s created", object_name(copy), view->canary->ns);
}

static void update_copy(const struct canary_view *view, const struct val *copy,
                        const struct val *live, struct effects *out)
{
    if (val_equal(copy, live))
        return;
    const char *name = object_name(copy), *ns = view->canary->ns;
    struct effect *effect = meta_update(
        out, copy, arena_printf(out->mem, "updating service %s.%s spec failed: ", name, ns));
    effect->log = arena_printf(out->mem, "Service %s.%s updated", name, ns);
}

static struct err *create_primary(const struct canary_view *view, struct effects *out)
{
    const struct val *target = find_target(view);
    if (!target)
        return err_new(ERR_NOT_FOUND, "%s", absent_text(view));
    size_t first = out->list.len;
    const char *name = copy_name(view, "-canary");
    const struct val *live = find_service(view, name);
    struct val *copy = copy_target(view, name, target, live);
    if (live)
        update_copy(view, copy, live, out);
    else
        create_copy(view, copy, out);
    meta_prefix(out, first, "reconcileCanaryService failed: ");
    first = out->list.len;
    name = copy_name(view, "-primary");
    if (!find_service(view, name))
        create_copy(view, copy_target(view, name, target, NULL), out);
    meta_prefix(out, first, "reconcilePrimaryService failed: ");
    return NULL;
}

/* Unlike a workload's, labels, annotations and owner of the primary stay as they were made (17.2 no. 10). */
static struct err *promote(const struct canary_view *view, struct effects *out)
{
    const char *name = copy_name(view, "-primary");
    const struct val *target = find_target(view), *primary = find_service(view, name);
    if (!target)
        return err_new(ERR_NOT_FOUND, "%s", absent_text(view));
    if (primary)
        update_copy(view, copy_target(view, name, target, primary), primary, out);
    else
        create_copy(view, copy_target(view, name, target, NULL), out);
    return NULL;
}

static bool is_promoted(const struct canary_view *view)
{
    const char *name = copy_name(view, "-primary");
    const struct val *target = find_target(view), *primary = find_service(view, name);
    return target && primary &&
           val_equal(copy_spec(view, val_get(target, "spec"), val_get(primary, "spec")),
                     val_get(primary, "spec"));
}

static struct err *no_effects(const struct canary_view *view, struct effects *out)
{
    (void)view;
    (void)out;
    return NULL;
}

const struct target_kind target_service = {
    .api_version = "v1",
    .kind = "Service",
    .wants = wants,
    .observe = observe,
    .create_primary = create_primary,
    .promote = promote,
    .scale_to_zero = no_effects,
    .scale_from_zero = no_effects,
    .revert = no_effects,
    .is_promoted = is_promoted,
};
