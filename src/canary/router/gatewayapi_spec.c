#include "canary/router/gatewayapi_spec.h"

#include <string.h>

#include "base/duration.h"

#define HEADER_RESPONSE "ResponseHeaderModifier"
#define PRIMARY_ALONE   (-1) /* in place of the canary's weight: it has no part in the rule */

/* Copies what is given, "" included. */
static struct val *copy_given(struct arena *mem, const struct val *from, const char *const *keys)
{
    struct val *copy = val_new_map(mem);
    for (; *keys; keys++)
        if (!val_is_null(val_get(from, *keys)))
            val_set(mem, copy, *keys, val_copy(mem, val_get(from, *keys)));
    return copy;
}

static const char *text_of(const struct val *map, const char *key)
{
    return val_text_or(val_get(map, key), "");
}

/* -- matches ---------------------------------------------------------------------------------- */

static struct err *unsupported(struct arena *mem, const char *what, const struct val *selector)
{
    return err_new(ERR_INVALID,
                   "Gateway API doesn't support the specified %s matching selector: %s\n", what,
                   selector ? val_json(mem, selector, NULL) : "{}");
}

static struct val *new_path(struct arena *mem, const char *type, const char *value)
{
    struct val *path = val_new_map(mem);
    val_set_text(mem, path, "type", type);
    val_set_text(mem, path, "value", value);
    return path;
}

static struct err *add_path(struct arena *mem, const struct val *uri, struct val *match)
{
    static const struct {
        const char *form, *type;
    } forms[] = {
        { "regex", "RegularExpression" },
        { "exact", "Exact" },
        { "prefix", "PathPrefix" },
    };
    if (!val_is_map(uri))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (*text_of(uri, forms[i].form)) {
            val_set(mem, match, "path", new_path(mem, forms[i].type, text_of(uri, forms[i].form)));
            return NULL;
        }
    return unsupported(mem, "path", uri);
}

/* Of the map at `key` a list, in the order of names. */
static struct err *add_conditions(struct arena *mem, const struct val *from, const char *key,
                                  const char *what, struct val *match)
{
    const struct val *map = val_get(from, key);
    if (!val_is_map(map) || map->len == 0)
        return NULL;
    const struct val *sorted = route_sorted(mem, map);
    struct val *list = val_new_list(mem);
    for (size_t i = 0; i < sorted->len; i++) {
        const struct val_pair *pair = &sorted->pairs[i];
        const char *exact = text_of(pair->value, "exact"), *regex = text_of(pair->value, "regex");
        struct val *condition = val_new_map(mem);
        if (!*exact && !*regex)
            return unsupported(mem, what, map);
        val_set_text(mem, condition, "name", pair->key);
        val_set_text(mem, condition, "type", *exact ? "Exact" : "RegularExpression");
        val_set_text(mem, condition, "value", *exact ? exact : regex);
        val_append(mem, list, condition);
    }
    val_set(mem, match, key, list);
    return NULL;
}

/* Entries that say nothing the API knows are left out. */
static struct err *new_matches(const struct canary_view *view, const struct val *from,
                               struct val **out)
{
    struct arena *mem = view->mem;
    struct val *matches = val_new_list(mem);
    for (size_t i = 0; i < val_len(from); i++) {
        const struct val *entry = val_item(from, i), *method = val_get(entry, "method");
        struct val *match = val_new_map(mem);
        TRY(add_path(mem, val_get(entry, "uri"), match));
        if (val_is_map(method) && !*text_of(method, "exact"))
            return unsupported(mem, "header", val_get(entry, "headers"));
        if (val_is_map(method))
            val_set_text(mem, match, "method", text_of(method, "exact"));
        TRY(add_conditions(mem, entry, "headers", "header", match));
        TRY(add_conditions(mem, entry, "queryParams", "query", match));
        if (match->len > 0)
            val_append(mem, matches, match);
    }
    *out = matches;
    return NULL;
}

/* Each with a path: the server would add it, and nothing else may ever differ from what we wrote. */
static struct err *service_matches(const struct canary_view *view, struct val **out)
{
    struct arena *mem = view->mem;
    TRY(new_matches(view, val_get(view->canary->service, "match"), out));
    if (val_len(*out) == 0)
        val_append(mem, *out, val_new_map(mem));
    for (size_t i = 0; i < (*out)->len; i++)
        if (!val_get((*out)->items[i], "path"))
            val_set(mem, (*out)->items[i], "path", new_path(mem, "PathPrefix", "/"));
    return NULL;
}

/* Those who send the conditions, among those the service is for. */
static struct val *among(const struct canary_view *view, const struct val *conditions,
                         const struct val *matches)
{
    return route_merge(view->mem, conditions, matches,
                       (const char *const[]){ "headers", "queryParams", NULL });
}

static struct val *cookie_matches(const struct canary_view *view, const char *cookie,
                                  const struct val *matches)
{
    struct arena *mem = view->mem;
    struct val *conditions = val_new_list(mem), *condition = val_new_map(mem);
    struct val *headers = val_new_list(mem), *header = val_new_map(mem);
    val_set_text(mem, header, "type", "RegularExpression");
    val_set_text(mem, header, "name", GATEWAYAPI_COOKIE);
    val_set_text(mem, header, "value", route_cookie_pattern(mem, cookie));
    val_append(mem, headers, header);
    val_set(mem, condition, "headers", headers);
    val_append(mem, conditions, condition);
    return among(view, conditions, matches);
}

/* -- filters ---------------------------------------------------------------------------------- */

static struct val *new_filter(struct arena *mem, const char *type, const char *field,
                              struct val *content)
{
    struct val *filter = val_new_map(mem);
    val_set_text(mem, filter, "type", type);
    val_set(mem, filter, field, content);
    return filter;
}

static struct val *new_header(struct arena *mem, const char *name, struct val *value)
{
    struct val *header = val_new_map(mem);
    val_set_text(mem, header, "name", name);
    val_set(mem, header, "value", value);
    return header;
}

static struct val *header_changes(struct arena *mem, const struct val *side)
{
    static const char *const maps[] = { "add", "set" };
    struct val *changes = val_new_map(mem);
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        const struct val *map = val_get(side, maps[i]);
        if (!val_is_map(map) || map->len == 0)
            continue;
        struct val *sorted = route_sorted(mem, map), *list = val_new_list(mem);
        for (size_t h = 0; h < sorted->len; h++)
            val_append(mem, list, new_header(mem, sorted->pairs[h].key, sorted->pairs[h].value));
        val_set(mem, changes, maps[i], list);
    }
    if (val_len(val_get(side, "remove")) > 0)
        val_set(mem, changes, "remove", val_copy(mem, val_get(side, "remove")));
    return changes;
}

static void add_header_filters(const struct canary_view *view, struct val *filters)
{
    struct arena *mem = view->mem;
    const struct val *headers = val_get(view->canary->service, "headers");
    const struct val *request = val_get(headers, "request"),
                     *response = val_get(headers, "response");
    if (val_is_map(request))
        val_append(mem, filters,
                   new_filter(mem, "RequestHeaderModifier", "requestHeaderModifier",
                              header_changes(mem, request)));
    if (val_is_map(response))
        val_append(mem, filters,
                   new_filter(mem, HEADER_RESPONSE, "responseHeaderModifier",
                              header_changes(mem, response)));
}

static void add_rewrite_filter(const struct canary_view *view, struct val *filters)
{
    struct arena *mem = view->mem;
    const struct val *rewrite = val_get(view->canary->service, "rewrite");
    const char *uri = text_of(rewrite, "uri"), *authority = text_of(rewrite, "authority");
    bool is_prefix = strcmp(text_of(rewrite, "type"), "ReplacePrefixMatch") == 0;
    if (!val_is_map(rewrite))
        return;
    struct val *content = val_new_map(mem);
    if (*authority)
        val_set_text(mem, content, "hostname", authority);
    if (*uri) {
        struct val *path = val_need_map(mem, content, "path");
        val_set_text(mem, path, "type", is_prefix ? "ReplacePrefixMatch" : "ReplaceFullPath");
        val_set_text(mem, path, is_prefix ? "replacePrefixMatch" : "replaceFullPath", uri);
    }
    val_append(mem, filters, new_filter(mem, "URLRewrite", "urlRewrite", content));
}

static struct val *mirror_filter(struct arena *mem, struct val *backend)
{
    struct val *content = val_new_map(mem);
    val_set(mem, content, "backendRef", backend);
    return new_filter(mem, "RequestMirror", "requestMirror", content);
}

/* Those of the Canary itself. */
static void add_mirror_filters(const struct canary_view *view, struct val *filters)
{
    const struct val *mirrors = val_get(view->canary->service, "mirror");
    for (size_t i = 0; i < val_len(mirrors); i++)
        val_append(view->mem, filters,
                   mirror_filter(view->mem,
                                 copy_given(view->mem, val_get(val_item(mirrors, i), "backendRef"),
                                            (const char *const[]){ "group", "kind", "namespace",
                                                                   "name", "port", NULL })));
}

static void add_cors_filter(const struct canary_view *view, struct val *filters)
{
    struct arena *mem = view->mem;
    const struct val *policy = val_get(view->canary->service, "corsPolicy");
    if (!val_is_map(policy))
        return;
    int64_t max_age_ms = 0;
    struct val *cors =
        route_pick(mem, policy,
                   (const char *const[]){ "allowMethods", "allowHeaders", "exposeHeaders",
                                          "allowCredentials", NULL });
    if (val_len(val_get(policy, "allowOrigin")) > 0)
        val_set(mem, cors, "allowOrigins", val_copy(mem, val_get(policy, "allowOrigin")));
    SCOPED(err_free) struct err *e = duration_parse(text_of(policy, "maxAge"), &max_age_ms);
    if (!e && max_age_ms / 1000 != 0)
        val_set(mem, cors, "maxAge", val_new_int(mem, max_age_ms / 1000));
    val_append(mem, filters, new_filter(mem, "CORS", "cors", cors));
}

static struct val *new_backend(const struct canary_view *view, const char *name)
{
    struct arena *mem = view->mem;
    const struct val *port = val_get(view->canary->service, "port");
    struct val *backend = val_new_map(mem);
    val_set_text(mem, backend, "group", "");
    val_set_text(mem, backend, "kind", "Service");
    val_set_text(mem, backend, "name", name);
    val_set(mem, backend, "port", port ? val_copy(mem, port) : val_new_int(mem, 0));
    return backend;
}

static struct val *new_filters(const struct canary_view *view,
                               const struct gatewayapi_version *version, bool is_mirrored)
{
    struct val *filters = val_new_list(view->mem);
    add_header_filters(view, filters);
    add_rewrite_filter(view, filters);
    add_mirror_filters(view, filters);
    if (version->has_cors)
        add_cors_filter(view, filters);
    if (is_mirrored)
        val_append(view->mem, filters,
                   mirror_filter(view->mem, new_backend(view, route_canary(view))));
    return filters;
}

/* A filter of this kind may be there once only. */
static void add_set_cookie(struct arena *mem, struct val *v, const char *text)
{
    struct val *filters = val_get(v, "filters"), *content = NULL;
    if (!val_is_list(filters)) {
        filters = val_new_list(mem);
        val_set(mem, v, "filters", filters);
    }
    for (size_t i = 0; i < filters->len && !content; i++)
        content = val_get(filters->items[i], "responseHeaderModifier");
    if (!content) {
        content = val_new_map(mem);
        val_append(mem, filters,
                   new_filter(mem, HEADER_RESPONSE, "responseHeaderModifier", content));
    }
    struct val *add = val_get(content, "add");
    if (!add) {
        add = val_new_list(mem);
        val_set(mem, content, "add", add);
    }
    val_append(mem, add, new_header(mem, GATEWAYAPI_SET_COOKIE, val_new_text(mem, text)));
}

/* -- rules ------------------------------------------------------------------------------------ */

static struct val *weighted_backend(const struct canary_view *view, const char *name,
                                    int64_t weight)
{
    struct val *backend = new_backend(view, name);
    val_set(view->mem, backend, "weight", val_new_int(view->mem, weight));
    return backend;
}

static struct val *new_rule(const struct canary_view *view,
                            const struct gatewayapi_version *version, const struct val *matches,
                            const struct split *split)
{
    struct arena *mem = view->mem;
    const char *timeout = text_of(view->canary->service, "timeout");
    const char *backend_timeout = text_of(view->canary->service, "backendTimeout");
    struct val *rule = val_new_map(mem), *backends = val_new_list(mem);
    struct val *filters = new_filters(view, version, split->mirrored);
    val_set(mem, rule, "matches", val_copy(mem, matches));
    if (filters->len > 0)
        val_set(mem, rule, "filters", filters);
    val_append(mem, backends, weighted_backend(view, route_primary(view), split->primary));
    if (split->canary != PRIMARY_ALONE)
        val_append(mem, backends, weighted_backend(view, route_canary(view), split->canary));
    val_set(mem, rule, "backendRefs", backends);
    if (version->has_timeouts && *timeout)
        val_set_text(mem, val_need_map(mem, rule, "timeouts"), "request", timeout);
    if (version->has_timeouts && *backend_timeout)
        val_set_text(mem, val_need_map(mem, rule, "timeouts"), "backendRequest", backend_timeout);
    return rule;
}

static struct val *sticky_rule(const struct canary_view *view,
                               const struct gatewayapi_version *version, const char *cookie,
                               const struct val *matches, const struct split *split)
{
    return new_rule(view, version, cookie_matches(view, cookie, matches), split);
}

/* The rules that keep clients where they are, before the weighted rule, which hands out their cookies. */
static struct err *add_sticky_rules(const struct canary_view *view,
                                    const struct gatewayapi_version *version,
                                    const struct gatewayapi_traffic *traffic, struct val *weighted,
                                    struct val *rules)
{
    struct arena *mem = view->mem;
    const struct route_cookies *cookies = &traffic->cookies;
    const struct val *matches = val_get(weighted, "matches");
    struct val *backends = val_get(weighted, "backendRefs");
    if (*cookies->canary) {
        add_set_cookie(mem, val_item(backends, 1), route_cookie_set(view, cookies->canary));
        val_append(mem, rules,
                   sticky_rule(view, version, cookies->canary, matches,
                               &(struct split){ .canary = CANARY_TOTAL }));
    }
    if (*cookies->primary) {
        const char *text = NULL;
        TRY(route_cookie_set_primary(view, cookies->primary, &text));
        add_set_cookie(mem, val_item(backends, 0), text);
        val_append(mem, rules,
                   sticky_rule(view, version, cookies->primary, matches,
                               &(struct split){ .primary = CANARY_TOTAL }));
    }
    if (*cookies->previous) {
        struct val *rule = sticky_rule(view, version, cookies->previous, matches, &traffic->split);
        add_set_cookie(mem, rule, route_cookie_delete(view, cookies->previous));
        val_append(mem, rules, rule);
    }
    return NULL;
}

/* Nothing left of the conditions would mean: everybody. */
static struct err *audience(const struct canary_view *view, const struct val *matches,
                            struct val **out)
{
    struct val *conditions = NULL;
    TRY(new_matches(view, view->canary->analysis.match, &conditions));
    if (conditions->len == 0)
        return err_new(ERR_INVALID, "analysis.match has no headers and no queryParams");
    *out = among(view, conditions, matches);
    return NULL;
}

static struct err *new_rules(const struct canary_view *view,
                             const struct gatewayapi_version *version,
                             const struct gatewayapi_traffic *traffic, struct val **out)
{
    struct arena *mem = view->mem;
    struct val *rules = val_new_list(mem), *matches = NULL, *conditions = NULL;
    TRY(err_wrap(service_matches(view, &matches), "Invalid request matching selectors"));
    if (val_len(view->canary->analysis.match) > 0) {
        TRY(err_wrap(audience(view, matches, &conditions), "Invalid request matching selectors"));
        val_append(mem, rules, new_rule(view, version, conditions, &traffic->split));
        val_append(mem, rules,
                   new_rule(view, version, matches,
                            &(struct split){ .primary = CANARY_TOTAL, .canary = PRIMARY_ALONE }));
    } else {
        struct val *weighted = new_rule(view, version, matches, &traffic->split);
        TRY(add_sticky_rules(view, version, traffic, weighted, rules));
        val_append(mem, rules, weighted);
    }
    *out = rules;
    return NULL;
}

struct err *gatewayapi_spec_new(const struct canary_view *view,
                                const struct gatewayapi_version *version,
                                const struct gatewayapi_traffic *traffic, struct val **out)
{
    struct arena *mem = view->mem;
    const struct val *service = view->canary->service, *refs = val_get(service, "gatewayRefs");
    struct val *spec = val_new_map(mem), *parents = val_new_list(mem), *rules = NULL;
    TRY(new_rules(view, version, traffic, &rules));
    for (size_t i = 0; i < val_len(refs); i++)
        val_append(mem, parents,
                   copy_given(mem, val_item(refs, i),
                              (const char *const[]){ "group", "kind", "namespace", "name",
                                                     "sectionName", "port", NULL }));
    val_set(mem, spec, "parentRefs", parents);
    if (val_len(val_get(service, "hosts")) > 0)
        val_set(mem, spec, "hostnames", val_copy(mem, val_get(service, "hosts")));
    val_set(mem, spec, "rules", rules);
    *out = spec;
    return NULL;
}
