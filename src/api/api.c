#include "api/api.h"

#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/guard.h"

#define FLUX_BASE "/api/flux"
#define OWN_BASE  "/api/serin/v1"

/* --- from a request to its handler */

static bool has_query(const void *ctx, const char *name)
{
    return server_query(ctx, name) != NULL;
}

/* What is left of the path below a base: "" or "/…"; NULL if it is not below it. */
static const char *below(const char *path, const char *base)
{
    size_t len = strlen(base);
    return strncmp(path, base, len) == 0 && (path[len] == '\0' || path[len] == '/') ? path + len
                                                                                    : NULL;
}

static const struct api_route *find(const struct api_call *call, const struct api_route *routes,
                                    size_t count)
{
    return api_route_find(routes, count,
                          &(struct api_route_ask){ .method = server_method(call->request),
                                                   .path = call->path,
                                                   .has_query = has_query,
                                                   .ctx = call->request });
}

static void answer_stopping(struct api_call *call)
{
    struct api_error error = api_error_stopping();
    api_call_error(call, &error);
}

static bool is_metrics(const struct api_call *call)
{
    const char *method = server_method(call->request);
    return strcmp(server_path(call->request), "/metrics") == 0 &&
           (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0);
}

static const struct api_route *find_api(struct api_call *call)
{
    const char *path = server_path(call->request);
    if ((call->path = below(path, FLUX_BASE)))
        return find(call, api_flux_routes, api_flux_route_count);
    if ((call->path = below(path, OWN_BASE)))
        return find(call, api_own_routes, api_own_route_count);
    call->path = path;
    return find(call, api_health_routes, api_health_route_count);
}

/* What a probe, Prometheus and a git host's settings page may see. */
static bool is_public(const struct api_call *call, const struct api_route *route)
{
    const char *path = server_path(call->request);
    return is_metrics(call) || (route && route->is_public) ||
           (!below(path, FLUX_BASE) && !below(path, OWN_BASE));
}

static bool refuse(struct api_call *call, const struct api_listener *listener,
                   const struct api_route *route)
{
    const struct api_access *access = &call->api->opts.access;
    const char *why;
    const struct api_guard guard = {
        .is_loopback = listener->is_loopback,
        .is_local = server_is_local(call->request),
        .is_open = access->is_open,
        .is_public = is_public(call, route),
        .token = access->token ? access->token(access->ctx) : NULL,
        .method = server_method(call->request),
        .host = server_header(call->request, "Host"),
        .origin = server_header(call->request, "Origin"),
        .authorization = server_header(call->request, "Authorization"),
        .own_header = server_header(call->request, API_GUARD_HEADER),
    };
    enum api_guard_kind kind = api_guard_judge(call->mem, &guard, &why);
    if (kind == API_GUARD_FINE)
        return false;
    if (kind == API_GUARD_TOKEN && access->look_again)
        access->look_again(access->ctx);
    struct api_error error = kind == API_GUARD_TOKEN ? api_error_unknown_client(call->mem, why)
                                                     : api_error_refused(call->mem, why);
    api_call_error(call, &error);
    return true;
}

static void on_request(void *ctx, struct server_request *request)
{
    const struct api_listener *listener = ctx;
    struct api_call *call = api_call_new(listener->api, request);
    if (listener->api->is_stopped) {
        answer_stopping(call);
        return;
    }
    const struct api_route *route = listener->has_api ? find_api(call) : NULL;
    if (refuse(call, listener, route))
        return;
    if (listener->has_metrics && is_metrics(call)) {
        api_metrics_show(call);
        return;
    }
    if (route) {
        route->handler(call);
        return;
    }
    bool is_flux = listener->has_api && below(server_path(request), FLUX_BASE);
    struct api_error error = is_flux && api_route_is_deprecated(call->path)
                                 ? api_error_deprecated()
                                 : api_error_no_route(call->mem, call->path);
    api_call_error(call, &error);
}

/* --- life */

struct api *api_new(const struct api_opts *opts)
{
    struct api *api = base_alloc(sizeof(*api));
    api->mem = arena_new(ARENA_LIMIT_BYTES);
    api->commit_mem = arena_new(ARENA_LIMIT_BYTES);
    api->opts = *opts;
    api->opts.version = arena_strdup(api->mem, opts->version);
    api->opts.listen = arena_strdup(api->mem, opts->listen);
    api->opts.listen_metrics =
        arena_strdup(api->mem, opts->listen_metrics ? opts->listen_metrics : "");
    api->opts.git_branch = arena_strdup(api->mem, opts->git_branch);
    api->opts.git_paths = arena_copy_texts(api->mem, opts->git_paths);
    api->opts.allowed_ns = arena_copy_texts(api->mem, opts->allowed_ns);
    if (opts->identity)
        api->identity = *opts->identity;
    api->opts.identity = &api->identity;
    api->process = api_process_new(opts->metrics);
    return api;
}

static struct err *listen_at(struct api *api, struct api_listener *listener, const char *address)
{
    listener->api = api;
    listener->is_loopback = api_guard_is_loopback(address);
    return server_new(api->opts.loop, address, on_request, listener, &listener->server);
}

struct err *api_start(struct api *api)
{
    bool is_apart = *api->opts.listen_metrics;
    api->main = (struct api_listener){ .has_api = true, .has_metrics = !is_apart };
    api->apart = (struct api_listener){ .has_metrics = true };
    TRY(listen_at(api, &api->main, api->opts.listen));
    if (is_apart)
        TRY(listen_at(api, &api->apart, api->opts.listen_metrics));
    return NULL;
}

void api_stop(struct api *api)
{
    api->is_stopped = true;
    while (api->calls)
        answer_stopping(api->calls);
}

void api_free(struct api *api)
{
    if (!api)
        return;
    api_stop(api);
    server_free(api->main.server);
    server_free(api->apart.server);
    while (api->waits)
        api_wait_end(api->waits);
    api_process_free(api->process);
    arena_free(api->commit_mem);
    arena_free(api->mem);
    free(api);
}

int api_port(const struct api *api)
{
    return api->main.server ? server_port(api->main.server) : 0;
}

int api_metrics_port(const struct api *api)
{
    return api->apart.server ? server_port(api->apart.server) : api_port(api);
}
