#include <string.h>

#include "canary/router/gatewayapi_spec.h"
#include "canary/router/routers.h"
#include "doc/object.h"

/* Of the CRD. */
static const struct route_default defaults[] = {
    { "parentRefs.*.group", "\"gateway.networking.k8s.io\"" },
    { "parentRefs.*.kind", "\"Gateway\"" },
    { "rules.*.matches", "[{}]" },
    { "rules.*.matches.*.path", "{}" },
    { "rules.*.matches.*.path.type", "\"PathPrefix\"" },
    { "rules.*.matches.*.path.value", "\"/\"" },
    { "rules.*.matches.*.headers.*.type", "\"Exact\"" },
    { "rules.*.matches.*.queryParams.*.type", "\"Exact\"" },
    { "rules.*.filters.*.requestMirror.backendRef.group", "\"\"" },
    { "rules.*.filters.*.requestMirror.backendRef.kind", "\"Service\"" },
    { "rules.*.filters.*.cors.maxAge", "5" },
    { "rules.*.backendRefs.*.group", "\"\"" },
    { "rules.*.backendRefs.*.kind", "\"Service\"" },
    { "rules.*.backendRefs.*.weight", "1" },
    { NULL, NULL },
};

#define HTTP_ROUTE(version)                                                        \
    {                                                                              \
        .api_version = "gateway.networking.k8s.io/" version, .kind = "HTTPRoute",  \
        .resource = "httproutes.gateway.networking.k8s.io", .is_mesh = true,       \
        .keys = (const char *const[]){ "parentRefs", "hostnames", "rules", NULL }, \
        .defaults = defaults,                                                      \
    }
static const struct gatewayapi_version v1 = {
    .kind = HTTP_ROUTE("v1"),
    .has_timeouts = true,
    .has_cors = true,
    .has_primary_cookie = true,
    .waits_for_parents = true,
};
static const struct gatewayapi_version v1beta1 = { .kind = HTTP_ROUTE("v1beta1") };

static const char *title(const struct canary_view *view)
{
    return arena_printf(view->mem, "HTTPRoute %s.%s", view->canary->apex, view->canary->ns);
}

static const char *text_of(const struct val *map, const char *key)
{
    return val_text_or(val_get(map, key), "");
}

/* -- what is there ---------------------------------------------------------------------------- */

static const struct val *find_backend(const struct val *rule, const char *name)
{
    const struct val *backends = val_get(rule, "backendRefs");
    for (size_t i = 0; i < val_len(backends); i++)
        if (strcmp(text_of(val_item(backends, i), "name"), name) == 0)
            return val_item(backends, i);
    return NULL;
}

/* What the first match of a rule wants of the header; NULL nothing. */
static const char *cookie_pattern(const struct val *rule)
{
    const struct val *headers = val_get(val_item(val_get(rule, "matches"), 0), "headers");
    for (size_t i = 0; i < val_len(headers); i++)
        if (strcmp(text_of(val_item(headers, i), "name"), GATEWAYAPI_COOKIE) == 0)
            return val_text(val_get(val_item(headers, i), "value"));
    return NULL;
}

/* A rule for those who have one of our cookies, which the service's own match does not ask for. */
static bool is_sticky(const struct canary_view *view, const struct val *rule)
{
    const struct val *own = val_item(val_get(view->canary->service, "match"), 0);
    const struct val *own_cookie = VAL_PATH(own, "headers", GATEWAYAPI_COOKIE);
    const char *pattern = cookie_pattern(rule);
    return pattern && strcmp(pattern, text_of(own_cookie, "regex")) != 0 &&
           route_cookie_is_sticky(view, pattern);
}

/* The backends that say how traffic is split. */
struct weighted {
    const struct val *primary, *canary; /* NULL none */
};

/* Of the last rule with the canary; while no rule has it, of the last with the primary. */
static struct weighted find_weighted(const struct canary_view *view, const struct val *rules)
{
    struct weighted found = { 0 };
    for (size_t i = 0; i < val_len(rules); i++) {
        const struct val *rule = val_item(rules, i);
        const struct val *primary = find_backend(rule, route_primary(view));
        const struct val *canary = find_backend(rule, route_canary(view));
        if (!is_sticky(view, rule) && (canary || (primary && !found.canary)))
            found = (struct weighted){ primary, canary };
    }
    return found;
}

static size_t count_mirrors(const struct canary_view *view, const struct val *filters,
                            const char *field)
{
    size_t count = 0;
    for (size_t i = 0; i < val_len(filters); i++) {
        const struct val *mirror =
            field ? val_get(val_item(filters, i), field) : val_item(filters, i);
        count += strcmp(text_of(val_get(mirror, "backendRef"), "name"), route_canary(view)) == 0;
    }
    return count;
}

/* A mirror to the canary that is not one of the Canary's own. */
static bool is_mirrored(const struct canary_view *view, const struct val *rules)
{
    size_t own = count_mirrors(view, val_get(view->canary->service, "mirror"), NULL);
    for (size_t i = 0; i < val_len(rules); i++)
        if (count_mirrors(view, val_get(val_item(rules, i), "filters"), "requestMirror") > own)
            return true;
    return false;
}

/* The Set-Cookie that a rule or backend adds; NULL none. */
static const char *set_cookie_of(const struct val *v)
{
    const char *found = NULL;
    const struct val *filters = val_get(v, "filters");
    for (size_t i = 0; i < val_len(filters); i++) {
        const struct val *add = VAL_PATH(val_item(filters, i), "responseHeaderModifier", "add");
        for (size_t h = 0; h < val_len(add); h++)
            if (strcmp(text_of(val_item(add, h), "name"), GATEWAYAPI_SET_COOKIE) == 0)
                found = val_text(val_get(val_item(add, h), "value"));
    }
    return found;
}

static struct route_cookies find_cookies(const struct canary_view *view, const struct val *rules)
{
    struct route_cookies found = { "", "", "" };
    for (size_t i = 0; i < val_len(rules); i++) {
        const struct val *rule = val_item(rules, i);
        const char *primary = set_cookie_of(find_backend(rule, route_primary(view)));
        const char *canary = set_cookie_of(find_backend(rule, route_canary(view)));
        const char *deleted = set_cookie_of(rule);
        if (primary)
            found.primary = route_cookie_of(view->mem, primary);
        if (canary)
            found.canary = route_cookie_of(view->mem, canary);
        if (route_cookie_is_deleted(view, deleted))
            found.previous = route_cookie_of(view->mem, deleted);
        else if (is_sticky(view, rule) && !*found.previous)
            found.previous = view->canary->status.previous_cookie;
    }
    return found;
}

/* -- reconcile -------------------------------------------------------------------------------- */

/* A mirror is part of a run that is under way. */
static bool may_mirror(const struct canary *canary)
{
    enum canary_phase phase = canary->status.phase;
    return canary->analysis.mirror && canary->analysis.iterations > 0 &&
           (phase == CANARY_WAITING || phase == CANARY_PROGRESSING ||
            phase == CANARY_WAITING_PROMOTION);
}

static struct gatewayapi_traffic kept_traffic(const struct canary_view *view,
                                              const struct gatewayapi_version *version,
                                              const struct val *live)
{
    const struct val *rules = VAL_PATH(live, "spec", "rules");
    struct weighted weighted = find_weighted(view, rules);
    struct route_cookies cookies = find_cookies(view, rules);
    struct gatewayapi_traffic kept = {
        .split = route_split(weighted.primary ? route_weight(weighted.primary, 1) : -1,
                             weighted.canary ? route_weight(weighted.canary, 1) : -1),
    };
    kept.split.mirrored = may_mirror(view->canary) && is_mirrored(view, rules);
    route_cookies_keep(view, kept.split.canary, version->has_primary_cookie, &cookies,
                       &kept.cookies);
    return kept;
}

static void warn(const struct canary_view *view, const struct gatewayapi_version *version,
                 struct effects *out)
{
    if (version->has_cors &&
        val_len(VAL_PATH(view->canary->service, "corsPolicy", "allowOrigins")) > 0)
        *vec_push(out->mem, &out->warnings) =
            "'corsPolicy.allowOrigins' is not supported by Gateway API, "
            "use 'corsPolicy.allowOrigin' instead";
}

static struct err *reconcile(const struct canary_view *view,
                             const struct gatewayapi_version *version, struct effects *out)
{
    struct arena *mem = view->mem;
    struct route_form form = { .name = view->canary->apex,
                               .labels = route_labels(view),
                               .annotations = route_annotations(view),
                               .keeps_annotations = true };
    if (val_len(val_get(view->canary->service, "gatewayRefs")) == 0)
        return err_new(ERR_INVALID,
                       "GatewayRefs must be specified when using Gateway API as a provider.");
    TRY(route_find(view, &version->kind, form.name,
                   arena_printf(mem, "%s get error: ", title(view)), &form.live));
    struct gatewayapi_traffic traffic = kept_traffic(view, version, form.live);
    struct val *spec = NULL;
    TRY(gatewayapi_spec_new(view, version, &traffic, &spec));
    form.spec = spec;
    struct effect *effect = route_plan(view, &version->kind, &form, out);
    route_say(mem, effect, "", title(view));
    if (effect)
        warn(view, version, out);
    if (effect && effect->verb == EFFECT_UPDATE)
        effect->after = " while reconciling";
    return NULL;
}

/* -- traffic ---------------------------------------------------------------------------------- */

static struct err *need(const struct canary_view *view, const struct gatewayapi_version *version,
                        const struct val **out)
{
    return route_need(view, &version->kind, view->canary->apex,
                      arena_printf(view->mem, "%s get error: ", title(view)), out);
}

static struct err *check_accepted(const struct canary_view *view, const struct val *live,
                                  const struct val *parent)
{
    const struct val *conditions = val_get(parent, "conditions");
    for (size_t i = 0; i < val_len(conditions); i++) {
        const struct val *condition = val_item(conditions, i);
        int64_t observed = 0;
        if (strcmp(text_of(condition, "type"), "Accepted") != 0)
            continue;
        (void)val_int(val_get(condition, "observedGeneration"), &observed);
        if (strcmp(text_of(condition, "status"), "True") != 0 || observed < object_generation(live))
            return err_new(ERR_INVALID,
                           "%s parent %s is not ready (status: %s, observed generation: %lld, "
                           "current generation: %lld)",
                           title(view), text_of(val_get(parent, "parentRef"), "name"),
                           text_of(condition, "status"), (long long)observed,
                           (long long)object_generation(live));
    }
    return NULL;
}

/* A parent that says nothing of the route does not hold it up. */
static struct err *check_parents(const struct canary_view *view, const struct val *live)
{
    const struct val *refs = VAL_PATH(live, "spec", "parentRefs");
    const struct val *parents = VAL_PATH(live, "status", "parents");
    for (size_t r = 0; r < val_len(refs); r++)
        for (size_t p = 0; p < val_len(parents); p++)
            if (route_is_same(view->mem, val_item(refs, r),
                              val_get(val_item(parents, p), "parentRef")))
                TRY(check_accepted(view, live, val_item(parents, p)));
    return NULL;
}

static struct err *read_split(const struct canary_view *view,
                              const struct gatewayapi_version *version, struct split *out)
{
    const struct val *live = NULL;
    TRY(need(view, version, &live));
    if (version->waits_for_parents)
        TRY(check_parents(view, live));
    const struct val *rules = VAL_PATH(live, "spec", "rules");
    struct weighted weighted = find_weighted(view, rules);
    *out = (struct split){ .mirrored = is_mirrored(view, rules) };
    if (weighted.primary && weighted.canary) {
        out->primary = route_weight(weighted.primary, 1);
        out->canary = route_weight(weighted.canary, 1);
    }
    return out->primary || out->canary
               ? NULL
               : err_new(ERR_INVALID, "%s does not contain routes for %s and %s", title(view),
                         route_primary(view), route_canary(view));
}

static struct err *write_split(const struct canary_view *view,
                               const struct gatewayapi_version *version, const struct split *to,
                               struct effects *out)
{
    struct route_form form = { .name = view->canary->apex };
    struct gatewayapi_traffic traffic = { .split = *to, .cookies = { "", "", "" } };
    TRY(need(view, version, &form.live));
    struct route_cookies live = find_cookies(view, VAL_PATH(form.live, "spec", "rules"));
    traffic.split.mirrored = to->mirrored && view->canary->analysis.iterations > 0;
    if (val_len(view->canary->analysis.match) == 0)
        route_cookies_next(view, to->canary, version->has_primary_cookie, &live, &traffic.cookies,
                           out);
    struct val *spec = NULL;
    TRY(gatewayapi_spec_new(view, version, &traffic, &spec));
    form.spec = spec;
    struct effect *effect = route_plan(view, &version->kind, &form, out);
    if (effect) {
        effect->before = arena_printf(view->mem, "%s update error: ", title(view));
        effect->after = " while setting weights";
    }
    return NULL;
}

/* -- the routers ------------------------------------------------------------------------------ */

#define GATEWAYAPI_ROUTER(version)                                                              \
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
    const struct router router_gatewayapi_##version = { .name = "gatewayapi:" #version,         \
                                                        .can_match = true,                      \
                                                        .can_mirror = true,                     \
                                                        .wants = version##_wants,               \
                                                        .reconcile = version##_reconcile,       \
                                                        .read = version##_read,                 \
                                                        .write = version##_write }

GATEWAYAPI_ROUTER(v1);
GATEWAYAPI_ROUTER(v1beta1);
