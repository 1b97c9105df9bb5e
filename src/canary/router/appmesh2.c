/* App Mesh v1beta2: VirtualServices lead to VirtualRouters, which have the routes. */
#include <string.h>

#include "base/duration.h"
#include "canary/router/appmesh_spec.h"
#include "canary/router/routers.h"

#define API          "appmesh.k8s.aws/v1beta2"
#define WORKLOAD_API "apps/v1"

/* Besides these keys, the controller of App Mesh writes awsName and meshRef. */
static const struct route_kind node_kind = {
    .api_version = API,
    .kind = "VirtualNode",
    .resource = "virtualnodes.appmesh.k8s.aws",
    .is_mesh = true,
    .keys = (const char *const[]){ "podSelector", "listeners", "serviceDiscovery", "backends",
                                   "logging", NULL },
};
static const struct route_kind router_kind = {
    .api_version = API,
    .kind = "VirtualRouter",
    .resource = "virtualrouters.appmesh.k8s.aws",
    .is_mesh = true,
    .keys = (const char *const[]){ "listeners", "routes", NULL },
};
static const struct route_kind service_kind = {
    .api_version = API,
    .kind = "VirtualService",
    .resource = "virtualservices.appmesh.k8s.aws",
    .is_mesh = true,
    .keys = (const char *const[]){ "provider", NULL },
};

/* -- policies --------------------------------------------------------------------------------- */

static struct val *new_duration(struct arena *mem, int64_t value_ms)
{
    struct val *duration = val_new_map(mem);
    val_set_text(mem, duration, "unit", "ms");
    val_set(mem, duration, "value", val_new_int(mem, value_ms));
    return duration;
}

/* NULL without a timeout that can be understood. */
static struct val *new_timeout(const struct canary_view *view)
{
    int64_t timeout_ms = 0;
    SCOPED(err_free) struct err *e = duration_parse(spec_text(view, "timeout"), &timeout_ms);
    if (e)
        return NULL;
    struct val *timeout = val_new_map(view->mem);
    val_set(view->mem, timeout, "perRequest", new_duration(view->mem, timeout_ms));
    return timeout;
}

/* Routes of calls have a list for each protocol that an event can be of. */
static const char *events_key(const char *event)
{
    static const struct {
        const char *event, *key;
    } others[] = {
        { "cancelled", "grpcRetryEvents" },   { "deadline-exceeded", "grpcRetryEvents" },
        { "internal", "grpcRetryEvents" },    { "resource-exhausted", "grpcRetryEvents" },
        { "unavailable", "grpcRetryEvents" }, { "connection-error", "tcpRetryEvents" },
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (strcmp(event, others[i].event) == 0)
            return others[i].key;
    return "httpRetryEvents";
}

static void put_events(const struct canary_view *view, struct val *policy)
{
    struct arena *mem = view->mem;
    struct val *events = appmesh_retry_on(view);
    if (strcmp(appmesh_protocol(view), APPMESH_GRPC) != 0) {
        val_set(mem, policy, "httpRetryEvents", events);
        return;
    }
    for (size_t i = 0; i < events->len; i++) {
        const char *key = events_key(val_text(val_item(events, i)));
        if (!val_get(policy, key))
            val_set(mem, policy, key, val_new_list(mem));
        val_append(mem, val_get(policy, key), val_item(events, i));
    }
}

static void put_policies(const struct canary_view *view, struct val *route)
{
    struct arena *mem = view->mem;
    struct val *timeout = new_timeout(view);
    if (timeout)
        val_set(mem, route, "timeout", timeout);
    if (!spec_retries(view))
        return;
    struct val *policy = val_need_map(mem, route, "retryPolicy");
    put_events(view, policy);
    val_set(mem, policy, "maxRetries", val_new_int(mem, appmesh_attempts(view)));
    val_set(mem, policy, "perRetryTimeout", new_duration(mem, appmesh_retry_ms(view)));
}

static const struct appmesh_form form_v1beta2 = {
    .http = "httpRoute",
    .grpc = "grpcRoute",
    .node_path = (const char *const[]){ "virtualNodeRef", "name", NULL },
    .put_policies = put_policies,
};

/* -- ports ------------------------------------------------------------------------------------ */

static const struct val *target_port(const struct canary_view *view)
{
    return val_get(view->canary->service, "targetPort");
}

/* As the containers of the target have it, which is in every view. */
static int64_t named_port(const struct canary_view *view)
{
    const struct canary_ref *target = &view->canary->target;
    const struct val *workload = view_find(view, WORKLOAD_API, target->kind, target->name);
    const struct val *containers = VAL_PATH(workload, "spec", "template", "spec", "containers");
    const char *name = val_text_or(target_port(view), "");
    int64_t number = 0;
    for (size_t c = 0; *name && c < val_len(containers); c++) {
        const struct val *ports = val_get(val_item(containers, c), "ports");
        for (size_t p = 0; p < val_len(ports); p++)
            if (strcmp(val_text_or(val_get(val_item(ports, p), "name"), ""), name) == 0)
                (void)val_int(val_get(val_item(ports, p), "containerPort"), &number);
    }
    return number;
}

/* Of the pods; where it cannot be told, that of the Service. */
static int64_t pod_port(const struct canary_view *view)
{
    int64_t number = 0;
    if (!val_int(target_port(view), &number))
        number = named_port(view);
    return number > 0 ? number : spec_port(view);
}

/* -- VirtualNodes ----------------------------------------------------------------------------- */

static struct val *new_backends(const struct canary_view *view)
{
    static const char arn[] = "arn:aws";
    struct arena *mem = view->mem;
    const struct val *names = val_get(view->canary->service, "backends");
    struct val *backends = val_new_list(mem);
    for (size_t i = 0; i < val_len(names); i++) {
        const char *name = val_text_or(val_item(names, i), "");
        struct val *backend = val_new_map(mem);
        struct val *service = val_need_map(mem, backend, "virtualService");
        if (strncmp(name, arn, strlen(arn)) == 0)
            val_set_text(mem, service, "virtualServiceARN", name);
        else
            val_set_text(mem, val_need_map(mem, service, "virtualServiceRef"), "name", name);
        val_append(mem, backends, backend);
    }
    return backends;
}

static struct val *new_node_listeners(const struct canary_view *view)
{
    struct arena *mem = view->mem;
    struct val *listeners = val_new_list(mem);
    struct val *listener = appmesh_port_mapping(view, pod_port(view)), *timeout = new_timeout(view);
    if (timeout)
        val_set(mem, val_need_map(mem, listener, "timeout"), appmesh_protocol(view), timeout);
    val_append(mem, listeners, listener);
    return listeners;
}

/* `pods`: the value of the selector's label. */
static struct val *new_node_spec(const struct canary_view *view, const char *service,
                                 const char *pods)
{
    struct arena *mem = view->mem;
    struct val *spec = val_new_map(mem), *backends = new_backends(view);
    struct val *logging = appmesh_logging(view);
    const char *key = view->target.selector_key;
    if (key && *key)
        val_set_text(mem, val_need_map(mem, val_need_map(mem, spec, "podSelector"), "matchLabels"),
                     key, pods);
    val_set(mem, spec, "listeners", new_node_listeners(view));
    val_set_text(mem, val_need_map(mem, val_need_map(mem, spec, "serviceDiscovery"), "dns"),
                 "hostname",
                 arena_printf(mem, "%s.%s.svc.cluster.local.", service, view->canary->ns));
    if (backends->len > 0)
        val_set(mem, spec, "backends", backends);
    if (logging)
        val_set(mem, spec, "logging", logging);
    return spec;
}

static struct err *reconcile_node(const struct canary_view *view, const char *name,
                                  const char *pods, struct effects *out)
{
    struct route_form form = { .name = name,
                               .spec = new_node_spec(view, name, pods),
                               .labels = appmesh_labels(view),
                               .annotations = route_annotations(view) };
    TRY(route_find(view, &node_kind, name,
                   arena_printf(view->mem,
                                "reconcileVirtualNode failed: VirtualNode %s get query error ",
                                name),
                   &form.live));
    appmesh_say_node(view, route_plan(view, &node_kind, &form, out));
    return NULL;
}

/* -- VirtualRouters and VirtualServices -------------------------------------------------------- */

static struct val *new_router_spec(const struct canary_view *view, struct val *routes)
{
    struct arena *mem = view->mem;
    struct val *spec = val_new_map(mem), *listeners = val_new_list(mem);
    val_append(mem, listeners, appmesh_port_mapping(view, pod_port(view)));
    val_set(mem, spec, "listeners", listeners);
    val_set(mem, spec, "routes", routes);
    return spec;
}

static struct err *apex_spec(const struct canary_view *view, const struct split *to,
                             const struct val **out)
{
    struct val *routes = NULL;
    TRY(appmesh_routes(view, &form_v1beta2, to, &routes));
    *out = new_router_spec(view, routes);
    return NULL;
}

static struct err *find(const struct canary_view *view, const struct route_kind *kind,
                        const char *name, const char *wrap, const struct val **out)
{
    return route_find(view, kind, name,
                      arena_printf(view->mem, "%s%s %s get query error: ", wrap, kind->kind, name),
                      out);
}

/* What is there is left as it is. */
static struct err *ensure_service(const struct canary_view *view, const char *name,
                                  const struct val *annotations, const char *wrap,
                                  struct effects *out)
{
    struct arena *mem = view->mem;
    struct route_form form = { .name = name, .annotations = annotations };
    struct val *spec = val_new_map(mem);
    TRY(find(view, &service_kind, name, wrap, &form.live));
    if (form.live)
        return NULL;
    struct val *provider = val_need_map(mem, spec, "provider");
    struct val *router = val_need_map(mem, provider, "virtualRouter");
    val_set_text(mem, val_need_map(mem, router, "virtualRouterRef"), "name", name);
    form.spec = spec;
    appmesh_say(view, route_plan(view, &service_kind, &form, out), wrap);
    return NULL;
}

static struct err *reconcile_apex(const struct canary_view *view, struct effects *out)
{
    static const char wrap[] = "reconcileVirtualService failed: ";
    struct route_form form = { .name = view->canary->apex };
    struct val *gateway = appmesh_gateway(view);
    TRY(find(view, &router_kind, form.name, wrap, &form.live));
    struct split kept = appmesh_kept(view, VAL_PATH(form.live, "spec", "routes"), &form_v1beta2);
    TRY(err_wrap(apex_spec(view, &kept, &form.spec), "reconcileVirtualService failed"));
    appmesh_say(view, route_plan(view, &router_kind, &form, out), wrap);
    return ensure_service(view, form.name, gateway->len > 0 ? gateway : NULL, wrap, out);
}

static struct err *reconcile_canary(const struct canary_view *view, struct effects *out)
{
    static const char wrap[] = "reconcileVirtualRouter failed: ";
    struct route_form form = {
        .name = route_canary(view),
        .spec = new_router_spec(view, appmesh_canary_routes(view, &form_v1beta2)),
    };
    TRY(find(view, &router_kind, form.name, wrap, &form.live));
    appmesh_say(view, route_plan(view, &router_kind, &form, out), wrap);
    return ensure_service(view, form.name, NULL, wrap, out);
}

static struct err *reconcile(const struct canary_view *view, struct effects *out)
{
    const char *pods = view->target.selector_value ? view->target.selector_value : "";
    TRY(reconcile_node(view, route_primary(view), arena_printf(view->mem, "%s-primary", pods),
                       out));
    TRY(reconcile_node(view, route_canary(view), pods, out));
    TRY(reconcile_apex(view, out));
    return reconcile_canary(view, out);
}

/* -- traffic ---------------------------------------------------------------------------------- */

static struct err *read_split(const struct canary_view *view, struct split *out)
{
    const char *apex = view->canary->apex;
    const struct val *live = NULL;
    TRY(route_need(view, &router_kind, apex,
                   arena_printf(view->mem, "VirtualRouter %s get query error: ", apex), &live));
    return appmesh_read(view, VAL_PATH(live, "spec", "routes"), &form_v1beta2,
                        arena_printf(view->mem, "VirtualRouter %s", apex),
                        arena_printf(view->mem, "VirtualRouter routes %s", apex), out);
}

static struct err *write_split(const struct canary_view *view, const struct split *to,
                               struct effects *out)
{
    struct route_form form = { .name = view->canary->apex };
    TRY(route_need(view, &router_kind, form.name,
                   arena_printf(view->mem, "VirtualRouter %s get query error: ", form.name),
                   &form.live));
    TRY(apex_spec(view, to, &form.spec));
    appmesh_say(view, route_plan(view, &router_kind, &form, out), "");
    return NULL;
}

static void wants(const struct canary_view *view, struct live_wants *out)
{
    const char *roles[] = { route_primary(view), route_canary(view) };
    const char *fronts[] = { view->canary->apex, route_canary(view) };
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        route_want(view, &node_kind, roles[i], out);
    for (size_t i = 0; i < ARRAY_LEN(fronts); i++) {
        route_want(view, &router_kind, fronts[i], out);
        route_want(view, &service_kind, fronts[i], out);
    }
}

const struct router router_appmesh_v1beta2 = {
    .name = "appmesh:v1beta2",
    .is_early = true,
    .can_match = true,
    .wants = wants,
    .reconcile = reconcile,
    .read = read_split,
    .write = write_split,
};
