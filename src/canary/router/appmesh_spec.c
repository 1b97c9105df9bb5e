#include "canary/router/appmesh_spec.h"

#include <string.h>

#include "base/duration.h"
#include "doc/object.h"

#define GATEWAY        "gateway.appmesh.k8s.aws/"
#define LOG_ANNOTATION "appmesh.flagger.app/accesslog"
#define LOG_FILE       "/dev/stdout"
#define RETRY_MS       250
#define AUDIENCE_FIRST 10 /* priorities: lower ones are tried first */
#define OTHERS_SECOND  20

const char *appmesh_protocol(const struct canary_view *view)
{
    return strstr(spec_text(view, "portName"), APPMESH_GRPC) ? APPMESH_GRPC : "http";
}

static bool is_grpc(const struct canary_view *view, const struct appmesh_form *form)
{
    return strcmp(form->http, form->grpc) != 0 && strcmp(appmesh_protocol(view), APPMESH_GRPC) == 0;
}

struct val *appmesh_port_mapping(const struct canary_view *view, int64_t port)
{
    struct arena *mem = view->mem;
    struct val *listener = val_new_map(mem), *mapping = val_need_map(mem, listener, "portMapping");
    val_set(mem, mapping, "port", val_new_int(mem, port));
    val_set_text(mem, mapping, "protocol", appmesh_protocol(view));
    return listener;
}

struct val *appmesh_logging(const struct canary_view *view)
{
    struct arena *mem = view->mem;
    const char *wish = object_annotation(view->canary->object, LOG_ANNOTATION);
    if (!wish || strcmp(wish, "enabled") != 0)
        return NULL;
    struct val *logging = val_new_map(mem), *log = val_need_map(mem, logging, "accessLog");
    val_set_text(mem, val_need_map(mem, log, "file"), "path", LOG_FILE);
    return logging;
}

struct val *appmesh_labels(const struct canary_view *view)
{
    const struct val *labels = VAL_PATH(view->canary->service, "apex", "labels");
    return val_is_map(labels) ? val_copy(view->mem, labels) : val_new_map(view->mem);
}

/* Each host is followed by a comma, the last one, too. */
struct val *appmesh_gateway(const struct canary_view *view)
{
    struct arena *mem = view->mem;
    const struct val *hosts = val_get(view->canary->service, "hosts");
    struct val *annotations = val_new_map(mem);
    const char *domains = "", *timeout = spec_text(view, "timeout");
    for (size_t i = 0; i < val_len(hosts); i++)
        domains = arena_printf(mem, "%s%s,", domains, val_text_or(val_item(hosts, i), ""));
    if (!*domains)
        return annotations;
    val_set_text(mem, annotations, GATEWAY "expose", "true");
    val_set_text(mem, annotations, GATEWAY "domain", domains);
    if (*timeout)
        val_set_text(mem, annotations, GATEWAY "timeout", timeout);
    if (spec_attempts(view) > 0)
        val_set_text(mem, annotations, GATEWAY "retries",
                     arena_printf(mem, "%lld", (long long)spec_attempts(view)));
    return annotations;
}

/* -- retries ---------------------------------------------------------------------------------- */

int64_t appmesh_attempts(const struct canary_view *view)
{
    return MAX_OF(spec_attempts(view), 1);
}

int64_t appmesh_retry_ms(const struct canary_view *view)
{
    int64_t timeout_ms = 0;
    const char *text = val_text_or(val_get(spec_retries(view), "perTryTimeout"), "");
    SCOPED(err_free) struct err *e = duration_parse(text, &timeout_ms);
    return e ? RETRY_MS : timeout_ms;
}

struct val *appmesh_retry_on(const struct canary_view *view)
{
    struct val *events = spec_retry_on(view);
    if (events->len == 0)
        val_append(view->mem, events, val_new_text(view->mem, "gateway-error"));
    return events;
}

/* -- routes ----------------------------------------------------------------------------------- */

static struct val *new_target(const struct canary_view *view, const struct appmesh_form *form,
                              const char *node, int64_t weight)
{
    struct arena *mem = view->mem;
    struct val *target = val_new_map(mem), *at = target;
    const char *const *key = form->node_path;
    for (; key[1]; key++)
        at = val_need_map(mem, at, *key);
    val_set_text(mem, at, *key, node);
    val_set(mem, target, "weight", val_new_int(mem, weight));
    return target;
}

/* The canary stands first. */
static struct val *new_targets(const struct canary_view *view, const struct appmesh_form *form,
                               const struct split *to)
{
    struct val *targets = val_new_list(view->mem);
    val_append(view->mem, targets, new_target(view, form, route_canary(view), to->canary));
    val_append(view->mem, targets, new_target(view, form, route_primary(view), to->primary));
    return targets;
}

static struct val *new_headers(const struct canary_view *view)
{
    static const char *const operators[] = { "exact", "prefix", "regex", "suffix", NULL };
    struct arena *mem = view->mem;
    struct spec_headers headers = spec_headers(view);
    struct val *list = val_new_list(mem);
    for (size_t i = 0; i < headers.len; i++) {
        struct val *header = val_new_map(mem);
        val_set_text(mem, header, "name", headers.at[i].name);
        val_set(mem, header, "match", route_pick(mem, headers.at[i].match, operators));
        val_append(mem, list, header);
    }
    return list;
}

/* `priority` 0: none. `headers` NULL: for everybody. */
struct route_parts {
    const char *name;
    int64_t priority;
    struct val *headers, *targets;
};

static struct val *new_route(const struct canary_view *view, const struct appmesh_form *form,
                             const struct route_parts *parts)
{
    struct arena *mem = view->mem;
    bool has_prefix = !is_grpc(view, form); /* calls are told apart by method, not by path */
    struct val *route = val_new_map(mem);
    struct val *body = val_need_map(mem, route, has_prefix ? form->http : form->grpc);
    struct val *match = val_need_map(mem, body, "match");
    val_set_text(mem, route, "name", parts->name);
    if (parts->priority)
        val_set(mem, route, "priority", val_new_int(mem, parts->priority));
    if (has_prefix)
        val_set_text(mem, match, "prefix", spec_prefix(view));
    if (parts->headers)
        val_set(mem, match, has_prefix ? "headers" : "metadata", parts->headers);
    form->put_policies(view, body);
    val_set(mem, val_need_map(mem, body, "action"), "weightedTargets", parts->targets);
    return route;
}

static struct val *primary_only(const struct canary_view *view, const struct appmesh_form *form)
{
    struct val *targets = val_new_list(view->mem);
    val_append(view->mem, targets, new_target(view, form, route_primary(view), CANARY_TOTAL));
    return targets;
}

struct err *appmesh_routes(const struct canary_view *view, const struct appmesh_form *form,
                           const struct split *to, struct val **out)
{
    struct arena *mem = view->mem;
    const char *apex = view->canary->apex;
    struct val *routes = val_new_list(mem), *headers = new_headers(view);
    struct val *targets = new_targets(view, form, to);
    struct route_parts all = { .name = apex, .targets = targets };
    *out = routes;
    if (!spec_has_audience(view)) {
        val_append(mem, routes, new_route(view, form, &all));
        return NULL;
    }
    if (headers->len == 0)
        return err_new(ERR_INVALID,
                       "App Mesh cannot tell requests of %s.%s apart by spec.analysis.match: it "
                       "has no headers",
                       apex, view->canary->ns);
    struct route_parts audience = { .name = arena_printf(mem, "%s-a", apex),
                                    .priority = AUDIENCE_FIRST,
                                    .headers = headers,
                                    .targets = targets };
    struct route_parts others = { .name = arena_printf(mem, "%s-b", apex),
                                  .priority = OTHERS_SECOND,
                                  .targets = primary_only(view, form) };
    val_append(mem, routes, new_route(view, form, &audience));
    val_append(mem, routes, new_route(view, form, &others));
    return NULL;
}

struct val *appmesh_canary_routes(const struct canary_view *view, const struct appmesh_form *form)
{
    struct split to = spec_rest(0);
    struct route_parts parts = { .name = route_canary(view),
                                 .targets = new_targets(view, form, &to) };
    struct val *routes = val_new_list(view->mem);
    val_append(view->mem, routes, new_route(view, form, &parts));
    return routes;
}

/* -- what is there ---------------------------------------------------------------------------- */

static const struct val *targets_of(const struct val *route, const struct appmesh_form *form)
{
    const struct val *targets = VAL_PATH(route, form->http, "action", "weightedTargets");
    return targets ? targets : VAL_PATH(route, form->grpc, "action", "weightedTargets");
}

struct split appmesh_kept(const struct canary_view *view, const struct val *routes,
                          const struct appmesh_form *form)
{
    const struct val *targets = targets_of(val_item(routes, 0), form);
    return spec_kept(spec_find(targets, form->node_path, route_primary(view)),
                     spec_find(targets, form->node_path, route_canary(view)));
}

struct err *appmesh_read(const struct canary_view *view, const struct val *routes,
                         const struct appmesh_form *form, const char *title, const char *place,
                         struct split *out)
{
    const struct val *targets = targets_of(val_item(routes, 0), form);
    if (val_len(targets) != 2)
        return err_new(ERR_INVALID, "%s not found", place);
    *out = (struct split){
        .primary = route_weight(spec_find(targets, form->node_path, route_primary(view)), 0),
        .canary = route_weight(spec_find(targets, form->node_path, route_canary(view)), 0),
    };
    return out->primary || out->canary
               ? NULL
               : err_new(ERR_INVALID, "%s does not contain routes for %s and %s", title,
                         route_primary(view), route_canary(view));
}

/* -- texts ------------------------------------------------------------------------------------ */

static void say(const struct canary_view *view, struct effect *effect, const char *wrap,
                const char *new_name)
{
    bool is_node = new_name != effect->name, is_new = effect->verb == EFFECT_CREATE;
    const char *title =
        arena_printf(view->mem, "%s %s", effect->kind, is_new ? new_name : effect->name);
    effect->before = arena_printf(view->mem, "%s%s %s error%s ", wrap, title,
                                  is_new ? "create" : "update", is_new || is_node ? "" : ":");
    effect->log = arena_printf(view->mem, "%s %s", title, is_new ? "created" : "updated");
}

void appmesh_say_node(const struct canary_view *view, struct effect *effect)
{
    if (effect)
        say(view, effect, "reconcileVirtualNode failed: ",
            arena_printf(view->mem, "%s.%s", effect->name, effect->ns));
}

void appmesh_say(const struct canary_view *view, struct effect *effect, const char *wrap)
{
    if (effect)
        say(view, effect, wrap, effect->name);
}
