#include <stdlib.h>
#include <string.h>

#include "canary/canaries_parts.h"
#include "doc/object.h"

/* One object may be claimed twice over: by the target's kind and as a route (a Knative Service). */
struct claim {
    unsigned owned;
    size_t holders;
};

static const char *claim_key(struct arena *mem, const char *api_version, const char *kind,
                             const char *ns, const char *name)
{
    const char *group, *version;
    object_split_api_version(mem, api_version, &group, &version);
    return arena_printf(mem, "%s/%s/%s/%s", group, kind, ns, name);
}

void claims_forget(struct canaries *all, struct unit *unit)
{
    for (size_t i = 0; i < unit->claims.len; i++) {
        struct claim *claim = map_get(all->claims, unit->claims.at[i]);
        if (claim && --claim->holders == 0)
            map_remove(all->claims, unit->claims.at[i]);
        free(unit->claims.at[i]);
    }
    vec_fini(&unit->claims);
}

static void add(struct canaries *all, struct unit *unit, const char *key, unsigned owned)
{
    struct claim *claim = map_get(all->claims, key);
    if (!claim) {
        claim = base_alloc(sizeof(*claim));
        map_set(all->claims, key, claim);
    }
    claim->owned |= owned;
    claim->holders++;
    *vec_push(NULL, &unit->claims) = base_copy_text(key);
}

static unsigned owned_of_target(const struct canary *canary)
{
    if (!strcmp(canary->target.kind, "DaemonSet"))
        return CANARY_OWNS_NODE_SELECTOR;
    return !strcmp(canary->target.kind, "Service") ? 0 : CANARY_OWNS_REPLICAS;
}

/* An Ingress or ApisixRoute that the spec refers to is copied, not written; other kinds are, under the name of the apex. */
static bool is_route(const struct scene *scene, const struct live_key *key)
{
    static const char *const sources[] = { "Ingress", "ApisixRoute", "Upstream" };
    const struct val *object =
        live_find(scene->live, key->api_version, key->kind, key->ns, key->name);
    const struct val *owners = VAL_PATH(object, "metadata", "ownerReferences");
    bool may_be_source = !strcmp(key->api_version, "v1");
    for (size_t i = 0; i < val_len(owners); i++) {
        if (!strcmp(val_text_or(val_get(val_item(owners, i), "uid"), ""), scene->canary.uid))
            return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        may_be_source = may_be_source || !strcmp(key->kind, sources[i]);
    return !may_be_source && !strcmp(key->name, scene->canary.apex);
}

void claims_set(struct canaries *all, struct unit *unit, const struct scene *scene)
{
    const struct canary *canary = &scene->canary;
    struct arena *mem = scene->mem;
    struct live_wants routes = { .mem = mem };
    unsigned of_target = owned_of_target(canary);
    claims_forget(all, unit);
    if (of_target)
        add(all, unit,
            claim_key(mem, scene->kind->api_version, scene->kind->kind, canary->ns,
                      canary->target.name),
            of_target);
    if (scene->kind->has_pods)
        add(all, unit, claim_key(mem, "v1", "Service", canary->ns, canary->apex),
            CANARY_OWNS_SELECTOR);
    scene->router->wants(&scene->view, &routes);
    for (size_t i = 0; i < routes.keys.len; i++) {
        const struct live_key *key = &routes.keys.at[i];
        if (is_route(scene, key))
            add(all, unit, claim_key(mem, key->api_version, key->kind, key->ns, key->name),
                CANARY_OWNS_ROUTES);
    }
}

bool canaries_knows_owned(const struct canaries *canaries)
{
    if (store_has_no_canaries(canaries->store))
        return true;
    for (size_t i = 0; i < canaries->list.len; i++) {
        if (!canaries->list.at[i]->was_looked_at)
            return false;
    }
    return canaries->is_synced;
}

unsigned canaries_owned(const struct canaries *canaries, const char *api_version, const char *kind,
                        const char *ns, const char *name)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct claim *claim =
        map_get(canaries->claims, claim_key(mem, api_version, kind, ns, name));
    return claim ? claim->owned : CANARY_OWNS_NOTHING;
}
