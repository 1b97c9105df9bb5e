#include "cmd/canary_service.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMPONENT  "flagger" /* of Events: what people and dashboards select by */
#define RETRY_MS   5000      /* while the mesh's API server does not answer */
#define LINGER_MS  3000      /* for what is to be delivered at the end */
#define LOOK_MS    20
#define USER_AGENT "serin/" SERIN_VERSION
/* Checks of many canaries may wait for one metrics server at a time. */
#define CONNECTIONS          128
#define CONNECTIONS_PER_HOST 24

struct canary_service {
    struct canary_service_opts opts;
    struct kube_config *mesh_config; /* NULL: there is one cluster only */
    struct kube *mesh_kube;
    struct kube_discovery *mesh_discovery;
    struct http *http; /* to everybody but API servers */
    struct kube_events *events;
    struct canaries *canaries;
    ticket timer;
    int64_t stopping_ms;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
};

/* -- the cluster of the mesh ------------------------------------------------------------------- */

static struct err *reach_mesh(struct canary_service *service)
{
    const struct canary_service_opts *opts = &service->opts;
    struct kube_config_opts access = *opts->access;
    struct kube_opts kube = *opts->kube_opts;
    access.kubeconfig = opts->config->mesh_kubeconfig;
    access.context = NULL;
    if (!access.kubeconfig)
        return NULL;
    TRY(err_wrap(kube_config_load(&access, &service->mesh_config), "--kubeconfig-service-mesh"));
    TRY(err_wrap(kube_config_refresh(service->mesh_config), "--kubeconfig-service-mesh"));
    bool is_same = !strcmp(service->mesh_config->server, kube_config_of(opts->kube)->server);
    opts->config->settings.mesh_is_elsewhere = !is_same;
    if (is_same)
        return NULL;
    kube.config = service->mesh_config;
    kube.metrics = NULL; /* the figures are of our own cluster's */
    service->mesh_kube = kube_new(&kube);
    service->mesh_discovery = kube_discovery_new(service->mesh_kube, opts->log);
    return NULL;
}

static void on_retry(void *ctx);

static void on_discovered(void *ctx, const struct err *e)
{
    struct canary_service *service = ctx;
    if (!e) {
        canaries_start(service->canaries);
        return;
    }
    log_warn(service->opts.log, F("component", "canary"),
             F("warning", "the cluster of the mesh does not answer, trying again"),
             F("err", err_text(e)));
    service->timer = loop_after(service->opts.loop, RETRY_MS, on_retry, service);
}

static void on_retry(void *ctx)
{
    struct canary_service *service = ctx;
    service->timer = 0;
    kube_discovery_refresh(service->mesh_discovery, on_discovered, service);
}

/* -- the end ------------------------------------------------------------------------------------- */

static void on_linger(void *ctx)
{
    struct canary_service *service = ctx;
    int64_t now_ms = loop_now_ms(service->opts.loop);
    size_t waiting = kube_events_waiting(service->events) + canaries_waiting(service->canaries);
    service->timer = 0;
    if (waiting && now_ms - service->stopping_ms < LINGER_MS)
        service->timer = loop_after(service->opts.loop, LOOK_MS, on_linger, service);
    else
        service->stopped(service->stopped_ctx);
}

void canary_service_stop(struct canary_service *service, void (*done)(void *ctx), void *ctx)
{
    service->stopped = done;
    service->stopped_ctx = ctx;
    service->stopping_ms = loop_now_ms(service->opts.loop);
    loop_cancel(service->opts.loop, service->timer);
    service->timer = 0;
    canaries_stop(service->canaries, on_linger, service);
}

/* -- the service ---------------------------------------------------------------------------------- */

struct err *canary_service_new(const struct canary_service_opts *opts, struct canary_service **out)
{
    SCOPED(canary_service_free) struct canary_service *service = base_alloc(sizeof(*service));
    service->opts = *opts;
    TRY(reach_mesh(service));
    if (opts->config->notifier_fault)
        log_error(opts->log, F("msg", opts->config->notifier_fault));
    service->http =
        http_new(opts->loop, &(struct http_opts){ .connections = CONNECTIONS,
                                                  .connections_per_host = CONNECTIONS_PER_HOST,
                                                  .user_agent = USER_AGENT });
    service->events = kube_events_new(&(struct kube_events_opts){ .kube = opts->kube,
                                                                  .loop = opts->loop,
                                                                  .log = opts->log,
                                                                  .component = COMPONENT,
                                                                  .host = "" });
    service->canaries = canaries_new(&(struct canaries_opts){
        .loop = opts->loop,
        .log = opts->log,
        .metrics = opts->metrics,
        .kube = opts->kube,
        .discovery = opts->discovery,
        .mesh_kube = service->mesh_kube,
        .mesh_discovery = service->mesh_discovery,
        .events = service->events,
        .http = service->http,
        .settings = &opts->config->settings,
        .notifier = opts->config->has_notifier ? &opts->config->notifier : NULL,
        .event_webhook = opts->config->event_webhook,
        .environ_list = (const char *const *)environ,
        .namespaces = opts->namespaces,
        .on_release = opts->on_release,
        .on_shown = opts->on_shown,
        .ctx = opts->ctx,
    });
    *out = STEAL(service);
    return NULL;
}

void canary_service_start(struct canary_service *service)
{
    if (service->mesh_discovery)
        kube_discovery_refresh(service->mesh_discovery, on_discovered, service);
    else
        canaries_start(service->canaries);
}

void canary_service_act(struct canary_service *service, bool may_act)
{
    canaries_act(service->canaries, may_act);
}

void canary_service_free(struct canary_service *service)
{
    if (!service)
        return;
    loop_cancel(service->opts.loop, service->timer);
    canaries_free(service->canaries);
    kube_events_free(service->events);
    http_free(service->http);
    kube_discovery_free(service->mesh_discovery);
    kube_free(service->mesh_kube);
    kube_config_free(service->mesh_config);
    free(service);
}

struct canaries *canary_service_canaries(const struct canary_service *service)
{
    return service->canaries;
}
