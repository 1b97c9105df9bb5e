/* App Mesh v1beta1: VirtualServices have their routes themselves. */
#include "canary/router/appmesh_spec.h"
#include "canary/router/routers.h"

#define API "appmesh.k8s.aws/v1beta1"

static const struct route_kind node_kind = {
    .api_version = API,
    .kind = "VirtualNode",
    .resource = "virtualnodes.appmesh.k8s.aws",
    .is_mesh = true,
    .keys = (const char *const[]){ "meshName", "listeners", "serviceDiscovery", "backends",
                                   "logging", NULL },
};
static const struct route_kind service_kind = {
    .api_version = API,
    .kind = "VirtualService",
    .resource = "virtualservices.appmesh.k8s.aws",
    .is_mesh = true,
    .keys = (const char *const[]){ "meshName", "virtualRouter", "routes", NULL },
};

static void put_retries(const struct canary_view *view, struct val *route)
{
    struct arena *mem = view->mem;
    if (!spec_retries(view))
        return;
    struct val *policy = val_need_map(mem, route, "retryPolicy");
    val_set(mem, policy, "perRetryTimeoutMillis", val_new_int(mem, appmesh_retry_ms(view)));
    val_set(mem, policy, "maxRetries", val_new_int(mem, appmesh_attempts(view)));
    val_set(mem, policy, "httpRetryEvents", appmesh_retry_on(view));
}

static const struct appmesh_form form_v1beta1 = {
    .http = "http",
    .grpc = "http",
    .node_path = (const char *const[]){ "virtualNodeName", NULL },
    .put_policies = put_retries,
};

static const char *host(const struct canary_view *view, const char *name)
{
    return arena_printf(view->mem, "%s.%s", name, view->canary->ns);
}

static const char *apex_service(const struct canary_view *view)
{
    return host(view, view->canary->apex);
}

static const char *mesh_name(const struct canary_view *view)
{
    return spec_text(view, "meshName");
}

static struct val *new_listeners(const struct canary_view *view)
{
    struct val *listeners = val_new_list(view->mem);
    val_append(view->mem, listeners, appmesh_port_mapping(view, spec_port(view)));
    return listeners;
}

/* -- VirtualNodes ----------------------------------------------------------------------------- */

static struct val *new_backends(const struct canary_view *view)
{
    struct arena *mem = view->mem;
    const struct val *names = val_get(view->canary->service, "backends");
    struct val *backends = val_new_list(mem);
    for (size_t i = 0; i < val_len(names); i++) {
        struct val *backend = val_new_map(mem);
        val_set_text(mem, val_need_map(mem, backend, "virtualService"), "virtualServiceName",
                     val_text_or(val_item(names, i), ""));
        val_append(mem, backends, backend);
    }
    return backends;
}

static struct val *new_node_spec(const struct canary_view *view, const char *host_name)
{
    struct arena *mem = view->mem;
    struct val *spec = val_new_map(mem), *backends = new_backends(view);
    struct val *discovery = val_need_map(mem, spec, "serviceDiscovery");
    struct val *logging = appmesh_logging(view);
    val_set_text(mem, spec, "meshName", mesh_name(view));
    val_set(mem, spec, "listeners", new_listeners(view));
    val_set_text(mem, val_need_map(mem, discovery, "dns"), "hostName", host_name);
    if (backends->len > 0)
        val_set(mem, spec, "backends", backends);
    if (logging)
        val_set(mem, spec, "logging", logging);
    return spec;
}

static struct err *reconcile_node(const struct canary_view *view, const char *name,
                                  const char *service, struct effects *out)
{
    struct route_form form = { .name = name,
                               .spec = new_node_spec(view, host(view, service)),
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

/* -- VirtualServices -------------------------------------------------------------------------- */

static struct val *new_service_spec(const struct canary_view *view, const char *router,
                                    struct val *routes)
{
    struct arena *mem = view->mem;
    struct val *spec = val_new_map(mem), *own = val_need_map(mem, spec, "virtualRouter");
    val_set_text(mem, spec, "meshName", mesh_name(view));
    val_set_text(mem, own, "name", router);
    val_set(mem, own, "listeners", new_listeners(view));
    val_set(mem, spec, "routes", routes);
    return spec;
}

static struct err *apex_spec(const struct canary_view *view, const struct split *to,
                             const struct val **out)
{
    struct val *routes = NULL;
    TRY(appmesh_routes(view, &form_v1beta1, to, &routes));
    *out = new_service_spec(view, view->canary->apex, routes);
    return NULL;
}

static struct err *find_service(const struct canary_view *view, const char *name,
                                const struct val **out)
{
    return route_find(
        view, &service_kind, name,
        arena_printf(view->mem,
                     "reconcileVirtualService failed: VirtualService %s get query error: ", name),
        out);
}

/* The gateway is told with the routes: annotations of others go with them. */
static struct err *reconcile_apex(const struct canary_view *view, struct effects *out)
{
    struct route_form form = { .name = apex_service(view) };
    struct val *gateway = appmesh_gateway(view);
    TRY(find_service(view, form.name, &form.live));
    struct split kept = appmesh_kept(view, VAL_PATH(form.live, "spec", "routes"), &form_v1beta1);
    TRY(err_wrap(apex_spec(view, &kept, &form.spec), "reconcileVirtualService failed"));
    bool is_repair =
        !form.live || !route_fits(view->mem, &service_kind, form.spec, val_get(form.live, "spec"));
    form.annotations = is_repair && gateway->len > 0 ? gateway : NULL;
    appmesh_say(view, route_plan(view, &service_kind, &form, out),
                "reconcileVirtualService failed: ");
    return NULL;
}

static struct err *reconcile_canary(const struct canary_view *view, struct effects *out)
{
    const char *name = route_canary(view);
    struct route_form form = { .name = host(view, name),
                               .spec = new_service_spec(
                                   view, name, appmesh_canary_routes(view, &form_v1beta1)) };
    TRY(find_service(view, form.name, &form.live));
    appmesh_say(view, route_plan(view, &service_kind, &form, out),
                "reconcileVirtualService failed: ");
    return NULL;
}

static struct err *reconcile(const struct canary_view *view, struct effects *out)
{
    if (!*mesh_name(view))
        return err_new(ERR_INVALID, "mesh name cannot be empty");
    TRY(reconcile_node(view, view->canary->apex, route_primary(view), out));
    TRY(reconcile_node(view, route_primary(view), route_primary(view), out));
    TRY(reconcile_node(view, route_canary(view), route_canary(view), out));
    TRY(reconcile_apex(view, out));
    return reconcile_canary(view, out);
}

/* -- traffic ---------------------------------------------------------------------------------- */

static struct err *need(const struct canary_view *view, const struct val **out)
{
    const char *name = apex_service(view);
    return route_need(view, &service_kind, name,
                      arena_printf(view->mem, "VirtualService %s get query error: ", name), out);
}

static struct err *read_split(const struct canary_view *view, struct split *out)
{
    const struct val *live = NULL;
    const char *name = apex_service(view);
    TRY(need(view, &live));
    return appmesh_read(view, VAL_PATH(live, "spec", "routes"), &form_v1beta1,
                        arena_printf(view->mem, "VirtualService %s", name),
                        arena_printf(view->mem, "VirtualService routes %s", name), out);
}

static struct err *write_split(const struct canary_view *view, const struct split *to,
                               struct effects *out)
{
    struct route_form form = { .name = apex_service(view) };
    TRY(need(view, &form.live));
    TRY(apex_spec(view, to, &form.spec));
    appmesh_say(view, route_plan(view, &service_kind, &form, out), "");
    return NULL;
}

static void wants(const struct canary_view *view, struct live_wants *out)
{
    const char *names[] = { view->canary->apex, route_primary(view), route_canary(view) };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        route_want(view, &node_kind, names[i], out);
    route_want(view, &service_kind, apex_service(view), out);
    route_want(view, &service_kind, host(view, route_canary(view)), out);
}

const struct router router_appmesh_v1beta1 = {
    .name = "appmesh",
    .is_early = true,
    .can_match = true,
    .wants = wants,
    .reconcile = reconcile,
    .read = read_split,
    .write = write_split,
};
