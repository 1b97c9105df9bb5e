#include "canary/view.h"

struct val *view_owner(const struct canary_view *view)
{
    struct arena *mem = view->mem;
    struct val *owner = val_new_map(mem);
    val_set_text(mem, owner, "apiVersion", CANARY_API_VERSION);
    val_set_text(mem, owner, "kind", "Canary");
    val_set_text(mem, owner, "name", view->canary->name);
    val_set_text(mem, owner, "uid", view->canary->uid);
    val_set(mem, owner, "controller", val_new_bool(mem, true));
    val_set(mem, owner, "blockOwnerDeletion", val_new_bool(mem, true));
    return owner;
}

const char *view_title(const struct canary_view *view)
{
    return arena_printf(view->mem, "%s.%s", view->canary->name, view->canary->ns);
}

const struct val *view_find(const struct canary_view *view, const char *api_version,
                            const char *kind, const char *name)
{
    return live_find(view->live, api_version, kind, view->canary->ns, name);
}

struct val *view_new_object(const struct canary_view *view, const char *api_version,
                            const char *kind, const char *name)
{
    struct arena *mem = view->mem;
    struct val *object = val_new_map(mem), *metadata = val_new_map(mem),
               *owners = val_new_list(mem);
    val_set_text(mem, object, "apiVersion", api_version);
    val_set_text(mem, object, "kind", kind);
    val_set(mem, object, "metadata", metadata);
    val_set_text(mem, metadata, "name", name);
    val_set_text(mem, metadata, "namespace", view->canary->ns);
    val_set(mem, metadata, "ownerReferences", owners);
    val_append(mem, owners, view_owner(view));
    return object;
}

void view_add_flux_pair(struct arena *mem, struct val *annotations)
{
    val_set_text(mem, annotations, "kustomize.toolkit.fluxcd.io/reconcile", "disabled");
    val_set_text(mem, annotations, "helm.toolkit.fluxcd.io/driftDetection", "disabled");
}
