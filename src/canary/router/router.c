#include "canary/router/router.h"

#include <string.h>
#include <strings.h>

#include "canary/router/routers.h"
#include "doc/merge.h"
#include "doc/object.h"

/* First match wins; a prefix where is_prefix. */
// clang-format off
static const struct provider {
    const char *text;
    bool is_prefix;
    const struct router *router;
} providers[] = {
    { "appmesh:v1beta2",     true,  &router_appmesh_v1beta2 },
    { "appmesh",             false, &router_appmesh_v1beta1 },
    { "linkerd",             false, &router_smi_v1alpha1 },
    { "istio",               false, &router_istio },
    { "smi:v1alpha1",        true,  &router_smi_v1alpha1 },
    { "smi:v1alpha2",        true,  &router_smi_v1alpha2 },
    { "smi:v1alpha3",        true,  &router_smi_v1alpha3 },
    { "contour",             false, &router_contour },
    { "knative",             false, &router_knative },
    { "gloo",                true,  &router_gloo },
    { "nginx",               false, &router_nginx },
    { "skipper",             false, &router_skipper },
    { "traefik",             false, &router_traefik },
    { "apisix",              false, &router_apisix },
    { "osm",                 false, &router_smi_v1alpha2 },
    { "kuma",                false, &router_kuma },
    { "gatewayapi:v1beta1",  true,  &router_gatewayapi_v1beta1 },
    { "gatewayapi:v1",       true,  &router_gatewayapi_v1 },
    { "kubernetes",          false, &router_kubernetes },
};
// clang-format on

const struct router *router_find(const char *provider, bool *is_guess)
{
    const struct router *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(providers) && !found; i++)
        if (providers[i].is_prefix
                ? strncmp(provider, providers[i].text, strlen(providers[i].text)) == 0
                : strcmp(provider, providers[i].text) == 0)
            found = providers[i].router;
    if (is_guess)
        *is_guess = !found;
    return found ? found : &router_istio;
}

const struct router *router_for(const struct canary *canary, const struct canary_settings *settings,
                                bool *is_guess)
{
    const struct router *router = router_find(canary_provider(canary, settings), is_guess);
    const char *protocol = val_text_or(val_get(canary->service, "appProtocol"), "");
    return router->for_tcp && strcasecmp(protocol, "tcp") == 0 ? router->for_tcp : router;
}

/* -- after reconcile -------------------------------------------------------------------------- */

/* The server counts the generation up with a new spec, and controllers have not seen that one yet. */
static const struct val *as_stored(struct arena *mem, const struct val *body, const struct val *old)
{
    if (!old || val_equal(val_get(body, "spec"), val_get(old, "spec")))
        return body;
    struct val *stored = val_copy(mem, body);
    val_set(mem, val_need_map(mem, stored, "metadata"), "generation",
            val_new_int(mem, object_generation(old) + 1));
    return stored;
}

/* What is there once the effects are carried out; `old` NULL: absent. */
static const struct val *after_effects(struct arena *mem, const struct live_key *key,
                                       const struct val *old, const struct effects *effects)
{
    const struct val *now = old;
    for (size_t i = 0; i < effects->list.len; i++) {
        const struct effect *effect = &effects->list.at[i];
        if (strcmp(effect->api_version, key->api_version) != 0 ||
            strcmp(effect->kind, key->kind) != 0 || strcmp(effect->ns, key->ns) != 0 ||
            strcmp(effect->name, key->name) != 0)
            continue;
        switch (effect->verb) {
        case EFFECT_CREATE:
        case EFFECT_UPDATE: now = as_stored(mem, effect->body, now); break;
        case EFFECT_MERGE:
            now = as_stored(mem, doc_merge_apply(mem, now, effect->body), now);
            break;
        case EFFECT_DELETE: now = NULL; break;
        case EFFECT_COPY_CONFIG: break;
        }
    }
    return now;
}

struct err *router_read_after(const struct router *router, const struct canary_view *view,
                              const struct effects *reconciled, struct split *out)
{
    struct live_wants wants = { .mem = view->mem };
    struct canary_view after = *view;
    struct live *live = live_new(view->mem);
    router->wants(view, &wants);
    for (size_t i = 0; i < wants.keys.len; i++) {
        const struct live_key *key = &wants.keys.at[i];
        enum live_state state =
            live_state(view->live, key->api_version, key->kind, key->ns, key->name);
        const struct val *old =
            live_find(view->live, key->api_version, key->kind, key->ns, key->name);
        const struct val *now = after_effects(view->mem, key, old, reconciled);
        if (now != old)
            state = now ? LIVE_HERE : LIVE_ABSENT;
        live_put(live, key, state, now, NULL);
    }
    after.live = live;
    return router->read(&after, out);
}
