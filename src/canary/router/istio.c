#include <string.h>

#include "canary/router/route.h"
#include "canary/router/routers.h"
#include "doc/json.h"
#include "doc/object.h"

#define KUBECTL_TEXT  "kubectl.kubernetes.io/last-applied-configuration"
#define ORIGINAL_TEXT "flagger.kubernetes.io/original-configuration"
#define GROUP_VERSION "networking.istio.io/v1beta1"
#define COOKIE        "Cookie"
#define SET_COOKIE    "Set-Cookie"

static const struct route_kind rule_kind = {
    .api_version = GROUP_VERSION,
    .kind = "DestinationRule",
    .resource = "destinationrules.networking.istio.io",
    .is_mesh = true,
    .keys = (const char *const[]){ "host", "trafficPolicy", "subsets", NULL },
};
static const struct route_kind service_kind = {
    .api_version = GROUP_VERSION,
    .kind = "VirtualService",
    .resource = "virtualservices.networking.istio.io",
    .is_mesh = true,
    .keys = (const char *const[]){ "hosts", "gateways", "http", "tcp", NULL },
};
/* What a condition puts in place of what the service's own match says. */
static const char *const merged_keys[] = { "headers", "sourceLabels", NULL };

/* What only the live VirtualService knows. */
struct traffic {
    struct split split;
    const struct val *mirror, *mirror_percentage; /* NULL none */
    struct route_cookies cookies;
};

static const char *title(const struct canary_view *view)
{
    return route_title(view, &service_kind, view->canary->apex);
}

static bool is_delegate(const struct canary_view *view)
{
    return val_is_true(val_get(view->canary->service, "delegation"));
}

/* -- what is there ---------------------------------------------------------------------------- */

static const struct val *find_destination(const struct val *rule, const char *host)
{
    const struct val *route = val_get(rule, "route");
    for (size_t i = 0; i < val_len(route); i++) {
        const struct val *destination = val_item(route, i);
        if (strcmp(val_text_or(VAL_PATH(destination, "destination", "host"), ""), host) == 0)
            return destination;
    }
    return NULL;
}

/* A rule for those who have one of our cookies, which the service's own match does not ask for. */
static bool is_sticky(const struct canary_view *view, const struct val *rule)
{
    const struct val *own = val_item(val_get(view->canary->service, "match"), 0);
    const char *own_pattern = val_text_or(VAL_PATH(own, "headers", COOKIE, "regex"), "");
    const char *pattern =
        val_text(VAL_PATH(val_item(val_get(rule, "match"), 0), "headers", COOKIE, "regex"));
    return pattern && strcmp(pattern, own_pattern) != 0 && route_cookie_is_sticky(view, pattern);
}

/* The rule that says how traffic is split, and its destinations. */
struct weighted {
    const struct val *rule, *primary, *canary; /* NULL none */
};

/* The last rule with the canary; while no rule has it, the last with the primary. */
static struct weighted find_weighted(const struct canary_view *view, const struct val *rules)
{
    struct weighted found = { 0 };
    for (size_t i = 0; i < val_len(rules); i++) {
        const struct val *rule = val_item(rules, i);
        const struct val *primary = find_destination(rule, route_primary(view));
        const struct val *canary = find_destination(rule, route_canary(view));
        if (!is_sticky(view, rule) && (canary || (primary && !found.canary)))
            found = (struct weighted){ rule, primary, canary };
    }
    return found;
}

static const char *set_cookie_of(const struct val *v)
{
    return val_text(VAL_PATH(v, "headers", "response", "add", SET_COOKIE));
}

static struct route_cookies find_cookies(const struct canary_view *view, const struct val *rules)
{
    struct route_cookies found = { "", "", "" };
    for (size_t i = 0; i < val_len(rules); i++) {
        const struct val *rule = val_item(rules, i);
        const char *primary = set_cookie_of(find_destination(rule, route_primary(view)));
        const char *canary = set_cookie_of(find_destination(rule, route_canary(view)));
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

/* -- what is to be ---------------------------------------------------------------------------- */

static struct val *pick_headers(const struct canary_view *view)
{
    static const char *const sides[] = { "request", "response" };
    const struct val *headers = val_get(view->canary->service, "headers");
    struct val *picked = val_new_map(view->mem);
    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        const struct val *side = val_get(headers, sides[i]);
        if (val_is_map(side))
            val_set(
                view->mem, picked, sides[i],
                route_pick(view->mem, side, (const char *const[]){ "set", "add", "remove", NULL }));
    }
    return picked;
}

/* Parts of the service's spec that a rule has as they are. */
static const struct part {
    const char *name;
    const char *const *keys;
} parts[] = {
    { "rewrite", (const char *const[]){ "uri", "authority", NULL } },
    { "retries", (const char *const[]){ "perTryTimeout", "retryOn", NULL } },
    { "corsPolicy",
      (const char *const[]){ "allowOrigin", "allowOrigins", "allowMethods", "allowHeaders",
                             "exposeHeaders", "maxAge", "allowCredentials", NULL } },
};

static struct val *new_rule(const struct canary_view *view, struct val *match, struct val *route)
{
    struct arena *mem = view->mem;
    const struct val *service = view->canary->service;
    struct val *rule = val_new_map(mem);
    if (val_len(match) > 0)
        val_set(mem, rule, "match", match);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (val_is_map(val_get(service, parts[i].name)))
            val_set(mem, rule, parts[i].name,
                    route_pick(mem, val_get(service, parts[i].name), parts[i].keys));
    if (val_get(rule, "retries")) {
        int64_t attempts = 0;
        (void)val_int(VAL_PATH(service, "retries", "attempts"), &attempts);
        val_set(mem, val_get(rule, "retries"), "attempts", val_new_int(mem, attempts));
    }
    const char *timeout = val_text_or(val_get(service, "timeout"), "");
    if (*timeout)
        val_set_text(mem, rule, "timeout", timeout);
    if (val_is_map(val_get(service, "headers")))
        val_set(mem, rule, "headers", pick_headers(view));
    val_set(mem, rule, "route", route);
    return rule;
}

/* Behind a gateway, or delegated to, the ports of the Service cannot be told apart by the request. */
static bool names_port(const struct canary_view *view)
{
    const struct val *service = view->canary->service;
    const char *gateway = val_text(val_item(val_get(service, "gateways"), 0));
    return val_is_true(val_get(service, "portDiscovery")) &&
           (is_delegate(view) || (gateway && strcmp(gateway, "mesh") != 0));
}

static struct val *new_destination(const struct canary_view *view, const char *host, int64_t weight)
{
    struct arena *mem = view->mem;
    struct val *destination = val_new_map(mem), *to = val_new_map(mem);
    const struct val *port = val_get(view->canary->service, "port");
    val_set_text(mem, to, "host", host);
    if (port && names_port(view))
        val_set(mem, val_need_map(mem, to, "port"), "number", val_copy(mem, port));
    val_set(mem, destination, "destination", to);
    val_set(mem, destination, "weight", val_new_int(mem, weight));
    return destination;
}

static struct val *new_route(const struct canary_view *view, int64_t primary, int64_t canary)
{
    struct val *route = val_new_list(view->mem);
    val_append(view->mem, route, new_destination(view, route_primary(view), primary));
    val_append(view->mem, route, new_destination(view, route_canary(view), canary));
    return route;
}

static struct val *own_match(const struct canary_view *view)
{
    const struct val *match = val_get(view->canary->service, "match");
    return val_is_list(match) ? val_copy(view->mem, match) : NULL;
}

/* For those who send the cookie. */
static struct val *cookie_match(const struct canary_view *view, const char *cookie)
{
    struct arena *mem = view->mem;
    struct val *conditions = val_new_list(mem), *condition = val_new_map(mem);
    struct val *header = val_need_map(mem, val_need_map(mem, condition, "headers"), COOKIE);
    val_set_text(mem, header, "regex", route_cookie_pattern(mem, cookie));
    val_append(mem, conditions, condition);
    return route_merge(mem, conditions, val_get(view->canary->service, "match"), merged_keys);
}

static struct val *sticky_rule(const struct canary_view *view, const char *cookie,
                               const struct split *to)
{
    return new_rule(view, cookie_match(view, cookie), new_route(view, to->primary, to->canary));
}

/* `v` is a rule or a destination. */
static void add_set_cookie(struct arena *mem, struct val *v, const char *text)
{
    static const char *const path[] = { "headers", "response", "add" };
    for (size_t i = 0; i < ARRAY_LEN(path); i++) {
        if (!val_is_map(val_get(v, path[i])))
            val_set(mem, v, path[i], val_new_map(mem));
        v = val_get(v, path[i]);
    }
    val_set_text(mem, v, SET_COOKIE, text);
}

/* The rules that keep clients where they are, before the weighted rule, which hands out their cookies. */
static struct err *add_sticky_rules(const struct canary_view *view, const struct traffic *traffic,
                                    struct val *weighted, struct val *rules)
{
    struct arena *mem = view->mem;
    const struct route_cookies *cookies = &traffic->cookies;
    struct val *route = val_get(weighted, "route");
    if (*cookies->canary) {
        add_set_cookie(mem, val_item(route, 1), route_cookie_set(view, cookies->canary));
        val_append(mem, rules,
                   sticky_rule(view, cookies->canary, &(struct split){ .canary = CANARY_TOTAL }));
    }
    if (*cookies->primary) {
        const char *text = NULL;
        TRY(route_cookie_set_primary(view, cookies->primary, &text));
        add_set_cookie(mem, val_item(route, 0), text);
        val_append(mem, rules,
                   sticky_rule(view, cookies->primary, &(struct split){ .primary = CANARY_TOTAL }));
    }
    if (*cookies->previous) {
        struct val *rule = sticky_rule(view, cookies->previous, &traffic->split);
        add_set_cookie(mem, rule, route_cookie_delete(view, cookies->previous));
        val_append(mem, rules, rule);
    }
    return NULL;
}

static struct val *match_rules(const struct canary_view *view, const struct split *split)
{
    struct arena *mem = view->mem;
    struct val *rules = val_new_list(mem), *others = val_new_list(mem);
    struct val *match = route_merge(mem, view->canary->analysis.match,
                                    val_get(view->canary->service, "match"), merged_keys);
    val_append(mem, rules, new_rule(view, match, new_route(view, split->primary, split->canary)));
    val_append(mem, others, new_destination(view, route_primary(view), split->primary));
    val_append(mem, rules, new_rule(view, own_match(view), others));
    return rules;
}

static struct err *http_rules(const struct canary_view *view, const struct traffic *traffic,
                              struct val **out)
{
    struct arena *mem = view->mem;
    if (val_len(view->canary->analysis.match) > 0) {
        *out = match_rules(view, &traffic->split);
        return NULL;
    }
    struct val *rules = val_new_list(mem);
    struct val *weighted = new_rule(view, own_match(view),
                                    new_route(view, traffic->split.primary, traffic->split.canary));
    TRY(add_sticky_rules(view, traffic, weighted, rules));
    if (traffic->mirror)
        val_set(mem, weighted, "mirror", val_copy(mem, traffic->mirror));
    if (traffic->mirror && traffic->mirror_percentage)
        val_set(mem, weighted, "mirrorPercentage", val_copy(mem, traffic->mirror_percentage));
    val_append(mem, rules, weighted);
    *out = rules;
    return NULL;
}

/* Of the service's match, TCP knows the port. */
static struct err *tcp_rules(const struct canary_view *view, const struct traffic *traffic,
                             struct val **out)
{
    struct arena *mem = view->mem;
    const struct val *match = val_get(view->canary->service, "match");
    struct val *rules = val_new_list(mem), *rule = val_new_map(mem), *ports = val_new_list(mem);
    for (size_t i = 0; i < val_len(match); i++)
        val_append(mem, ports,
                   route_pick(mem, val_item(match, i), (const char *const[]){ "port", NULL }));
    if (val_len(ports) > 0)
        val_set(mem, rule, "match", ports);
    val_set(mem, rule, "route", new_route(view, traffic->split.primary, traffic->split.canary));
    val_append(mem, rules, rule);
    *out = rules;
    return NULL;
}

/* HTTP or TCP: which list of the spec it is, and how it is made. */
struct protocol {
    const char *list;
    bool has_mirror, has_cookies;
    struct err *(*rules)(const struct canary_view *view, const struct traffic *traffic,
                         struct val **out);
};
static const struct protocol http = { "http", true, true, http_rules };
static const struct protocol tcp = { "tcp", false, false, tcp_rules };

static struct val *new_hosts(const struct canary_view *view)
{
    const struct val *hosts = val_get(view->canary->service, "hosts");
    struct val *all = val_is_list(hosts) ? val_copy(view->mem, hosts) : val_new_list(view->mem);
    for (size_t i = 0; i < val_len(hosts); i++) {
        const char *host = val_text_or(val_item(hosts, i), "");
        if (strcmp(host, "*") == 0 || strcmp(host, view->canary->apex) == 0)
            return all;
    }
    val_append(view->mem, all, val_new_text(view->mem, view->canary->apex));
    return all;
}

static struct val *new_gateways(const struct canary_view *view)
{
    const struct val *gateways = val_get(view->canary->service, "gateways");
    if (val_len(gateways) > 0)
        return val_copy(view->mem, gateways);
    struct val *mesh = val_new_list(view->mem);
    val_append(view->mem, mesh, val_new_text(view->mem, "mesh"));
    return mesh;
}

static struct err *new_spec(const struct canary_view *view, const struct protocol *protocol,
                            const struct traffic *traffic, struct val **out)
{
    struct arena *mem = view->mem;
    struct val *spec = val_new_map(mem), *rules = NULL;
    TRY(protocol->rules(view, traffic, &rules));
    val_set(mem, spec, "hosts", is_delegate(view) ? val_new_list(mem) : new_hosts(view));
    if (!is_delegate(view))
        val_set(mem, spec, "gateways", new_gateways(view));
    val_set(mem, spec, protocol->list, rules);
    *out = spec;
    return NULL;
}

/* -- reconcile -------------------------------------------------------------------------------- */

static struct err *reconcile_rule(const struct canary_view *view, const char *name,
                                  struct effects *out)
{
    static const char *const wrap = "reconcileDestinationRule failed: ";
    struct arena *mem = view->mem;
    const char *rule_title = route_title(view, &rule_kind, name);
    const struct val *policy = val_get(view->canary->service, "trafficPolicy");
    struct route_form form = { .name = name };
    TRY(route_find(view, &rule_kind, name,
                   arena_printf(mem, "%s%s get query error: ", wrap, rule_title), &form.live));
    struct val *spec = val_new_map(mem);
    val_set_text(mem, spec, "host", name);
    if (!val_is_null(policy))
        val_set(mem, spec, "trafficPolicy", val_copy(mem, policy));
    form.spec = spec;
    route_say(mem, route_plan(view, &rule_kind, &form, out), wrap, rule_title);
    return NULL;
}

/* What goes on when the object is repaired. A mirror stays as it is, whoever made it. */
static struct traffic kept_traffic(const struct canary_view *view, const struct protocol *protocol,
                                   const struct val *live)
{
    const struct val *rules = VAL_PATH(live, "spec", protocol->list);
    struct weighted weighted = find_weighted(view, rules);
    struct route_cookies cookies = find_cookies(view, rules);
    struct traffic kept = {
        .split = route_split(weighted.primary ? route_weight(weighted.primary, 0) : -1,
                             weighted.canary ? route_weight(weighted.canary, 0) : -1),
        .cookies = { "", "", "" },
    };
    if (protocol->has_mirror && val_is_map(val_get(weighted.rule, "mirror"))) {
        kept.mirror = val_get(weighted.rule, "mirror");
        kept.mirror_percentage = val_get(weighted.rule, "mirrorPercentage");
    }
    if (protocol->has_cookies)
        route_cookies_keep(view, kept.split.canary, true, &cookies, &kept.cookies);
    return kept;
}

/* Whether the live spec is what somebody else wanted: not one that this operator has written before. */
static bool is_original(const struct canary_view *view, const struct val *live)
{
    struct val *own = val_new_map(view->mem);
    if (route_is_owned(view, live))
        return false;
    if (!view->settings->mesh_is_elsewhere)
        return true;
    /* Nothing has an owner there. */
    view_add_flux_pair(view->mem, own);
    for (size_t i = 0; i < own->len; i++)
        if (!object_annotation(live, own->pairs[i].key))
            return true;
    return false;
}

/* Those of the Canary, and what finalize needs; `is_repair`: the spec is going to be replaced. */
static struct val *new_annotations(const struct canary_view *view, const struct val *live,
                                   bool is_repair)
{
    struct val *annotations = route_annotations(view);
    const char *applied = object_annotation(live, KUBECTL_TEXT);
    const char *original = object_annotation(live, ORIGINAL_TEXT);
    if (applied)
        val_set_text(view->mem, annotations, KUBECTL_TEXT, applied);
    if (original)
        val_set_text(view->mem, annotations, ORIGINAL_TEXT, original);
    else if (is_repair && !applied && is_original(view, live))
        val_set_text(view->mem, annotations, ORIGINAL_TEXT,
                     val_json(view->mem, route_spec(view->mem, live), NULL));
    return annotations;
}

static struct err *reconcile_service(const struct canary_view *view,
                                     const struct protocol *protocol, struct effects *out)
{
    static const char *const wrap = "reconcileVirtualService failed: ";
    struct arena *mem = view->mem;
    const struct val *service = view->canary->service;
    struct route_form form = { .name = view->canary->apex, .labels = route_labels(view) };
    if (is_delegate(view) &&
        (val_len(val_get(service, "hosts")) > 0 || val_len(val_get(service, "gateways")) > 0))
        return err_new(ERR_INVALID, "%s%s cannot have hosts and gateways when delegation enabled",
                       wrap, title(view));
    TRY(route_find(view, &service_kind, form.name,
                   arena_printf(mem, "%s%s get query error ", wrap, title(view)), &form.live));
    struct traffic traffic = kept_traffic(view, protocol, form.live);
    struct val *spec = NULL;
    TRY(err_wrap(new_spec(view, protocol, &traffic, &spec), "reconcileVirtualService failed"));
    form.spec = spec;
    form.annotations = new_annotations(
        view, form.live,
        form.live && !route_fits(mem, &service_kind, spec, val_get(form.live, "spec")));
    route_say(mem, route_plan(view, &service_kind, &form, out), wrap, title(view));
    return NULL;
}

static struct err *reconcile(const struct canary_view *view, const struct protocol *protocol,
                             struct effects *out)
{
    TRY(reconcile_rule(view, route_canary(view), out));
    TRY(reconcile_rule(view, route_primary(view), out));
    return reconcile_service(view, protocol, out);
}

/* -- traffic ---------------------------------------------------------------------------------- */

static struct err *need(const struct canary_view *view, const char *ending, const struct val **out)
{
    return route_need(view, &service_kind, view->canary->apex,
                      arena_printf(view->mem, "%s get query error%s ", title(view), ending), out);
}

static struct err *read_split(const struct canary_view *view, const struct protocol *protocol,
                              struct split *out)
{
    const struct val *live = NULL;
    TRY(need(view, "", &live));
    struct weighted weighted = find_weighted(view, VAL_PATH(live, "spec", protocol->list));
    *out = (struct split){ 0 };
    if (weighted.canary) {
        out->primary = route_weight(weighted.primary, 0);
        out->canary = route_weight(weighted.canary, 0);
        out->mirrored =
            protocol->has_mirror && *val_text_or(VAL_PATH(weighted.rule, "mirror", "host"), "");
    }
    return out->primary || out->canary
               ? NULL
               : err_new(ERR_INVALID, "%s does not contain routes for %s and %s", title(view),
                         route_primary(view), route_canary(view));
}

static void start_mirror(const struct canary_view *view, struct traffic *traffic)
{
    struct val *mirror = val_new_map(view->mem), *percentage = val_new_map(view->mem);
    int64_t mirror_weight = view->canary->analysis.mirror_weight;
    val_set_text(view->mem, mirror, "host", route_canary(view));
    val_set(view->mem, percentage, "value", val_new_int(view->mem, mirror_weight));
    traffic->mirror = mirror;
    traffic->mirror_percentage = mirror_weight > 0 ? percentage : NULL;
}

static struct err *write_split(const struct canary_view *view, const struct protocol *protocol,
                               const struct split *to, struct effects *out)
{
    struct route_form form = { .name = view->canary->apex };
    struct traffic traffic = { .split = *to, .cookies = { "", "", "" } };
    TRY(need(view, "", &form.live));
    struct route_cookies live = find_cookies(view, VAL_PATH(form.live, "spec", protocol->list));
    if (protocol->has_cookies && val_len(view->canary->analysis.match) == 0)
        route_cookies_next(view, to->canary, true, &live, &traffic.cookies, out);
    if (to->mirrored)
        start_mirror(view, &traffic);
    struct val *spec = route_spec(view->mem, form.live), *rules = NULL;
    TRY(protocol->rules(view, &traffic, &rules));
    val_set(view->mem, spec, protocol->list, rules);
    form.spec = spec;
    struct effect *effect = route_plan(view, &service_kind, &form, out);
    if (effect)
        effect->before = arena_printf(view->mem, "%s update failed: ", title(view));
    return NULL;
}

/* -- finalize --------------------------------------------------------------------------------- */

/* The spec in an annotation: of a whole object, or alone. */
static struct err *stored_spec(const struct canary_view *view, const struct val *live,
                               const struct val **out)
{
    const char *key = object_annotation(live, KUBECTL_TEXT) ? KUBECTL_TEXT : ORIGINAL_TEXT;
    const char *text = object_annotation(live, key);
    struct val *stored = NULL;
    *out = NULL;
    if (!text)
        return NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(view->mem, text, strlen(text), &stored);
    *out = strcmp(key, KUBECTL_TEXT) == 0 ? val_get(stored, "spec") : stored;
    return !e && val_is_map(*out)
               ? NULL
               : err_new(ERR_INVALID, "%s failed to unMarshal annotation %s", title(view), key);
}

static struct err *finalize(const struct canary_view *view, struct effects *out)
{
    const struct val *live = NULL, *spec = NULL;
    TRY(need(view, ":", &live));
    TRY(stored_spec(view, live, &spec));
    if (!spec) {
        *vec_push(out->mem, &out->warnings) = arena_printf(
            view->mem, "%s original configuration not found, unable to revert", title(view));
        return NULL;
    }
    if (route_is_same(view->mem, spec, val_get(live, "spec")))
        return NULL;
    struct val *object = val_copy(view->mem, live);
    val_set(view->mem, object, "spec", val_copy(view->mem, spec));
    struct effect *effect = effect_add(out, EFFECT_UPDATE, object);
    effect->before = arena_printf(view->mem, "%s update error: ", title(view));
    effect->is_mesh = true;
    return NULL;
}

/* -- the routers ------------------------------------------------------------------------------ */

static void wants(const struct canary_view *view, struct live_wants *out)
{
    route_want(view, &rule_kind, route_canary(view), out);
    route_want(view, &rule_kind, route_primary(view), out);
    route_want(view, &service_kind, view->canary->apex, out);
}

static struct err *http_reconcile(const struct canary_view *view, struct effects *out)
{
    return reconcile(view, &http, out);
}

static struct err *http_read(const struct canary_view *view, struct split *out)
{
    return read_split(view, &http, out);
}

static struct err *http_write(const struct canary_view *view, const struct split *to,
                              struct effects *out)
{
    return write_split(view, &http, to, out);
}

static struct err *tcp_reconcile(const struct canary_view *view, struct effects *out)
{
    return reconcile(view, &tcp, out);
}

static struct err *tcp_read(const struct canary_view *view, struct split *out)
{
    return read_split(view, &tcp, out);
}

static struct err *tcp_write(const struct canary_view *view, const struct split *to,
                             struct effects *out)
{
    return write_split(view, &tcp, to, out);
}

/* Connections have no headers to tell them by, and cannot be doubled. */
const struct router router_istio_tcp = {
    .name = "istio",
    .wants = wants,
    .reconcile = tcp_reconcile,
    .read = tcp_read,
    .write = tcp_write,
    .finalize = finalize,
};

const struct router router_istio = {
    .name = "istio",
    .can_match = true,
    .can_mirror = true,
    .can_mirror_weighted = true,
    .for_tcp = &router_istio_tcp,
    .wants = wants,
    .reconcile = http_reconcile,
    .read = http_read,
    .write = http_write,
    .finalize = finalize,
};
