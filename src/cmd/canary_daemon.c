#include "cmd/canary_daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/process.h"
#include "cmd/canary_check.h"
#include "cmd/canary_service.h"
#include "cmd/daemon.h"
#include "cmd/home.h"
#include "io/server.h"
#include "kube/lease.h"

#define USER_AGENT    "serin/" SERIN_VERSION
#define STOP_MS       8000 /* for work that is under way; Kubernetes kills after 30 s */
#define INSISTS_MS    1000 /* a second signal this long after the first ends it at once */
#define LEASE_NAME    "flagger-leader-election"
#define LEASE_MS      60000
#define RENEW_MS      15000
#define LEASE_LOOK_MS 5000

/* In the order in which things are made; they are unmade the other way round. */
struct daemon {
    struct arena *mem;
    const struct flags *flags;
    const struct log *log;
    struct canary_config config;
    const char *const *namespaces; /* NULL: all */

    struct loop *loop;
    struct metrics *metrics;
    struct api_process *process;
    struct http *http;
    struct kube_config *kube_config;
    struct kube *kube;
    struct kube_discovery *discovery;
    struct canary_service *service;
    struct server *server;
    struct kube_lease *lease;

    struct kube_config_opts access;
    struct kube_opts kube_opts;
    struct err *discovery_err;
    bool is_discovered, is_exiting, is_lease_released, is_service_stopped;
    int64_t exiting_ms;
    int exit_status;
};

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static void say(const struct daemon *daemon, const char *text)
{
    log_info(daemon->log, F("msg", text));
}

/* -- the end -------------------------------------------------------------------------------------- */

static void end_loop_if_all_stopped(struct daemon *daemon)
{
    if (daemon->is_service_stopped && daemon->is_lease_released)
        loop_stop(daemon->loop);
}

static void on_service_stopped(void *ctx)
{
    struct daemon *daemon = ctx;
    daemon->is_service_stopped = true;
    end_loop_if_all_stopped(daemon);
}

static void on_lease_released(void *ctx)
{
    struct daemon *daemon = ctx;
    daemon->is_lease_released = true;
    end_loop_if_all_stopped(daemon);
}

static void on_stop_late(void *ctx)
{
    loop_stop(((struct daemon *)ctx)->loop);
}

static void stop(struct daemon *daemon, int exit_status)
{
    if (daemon->is_exiting)
        return;
    daemon->is_exiting = true;
    daemon->exiting_ms = loop_now_ms(daemon->loop);
    daemon->exit_status = exit_status;
    say(daemon, "Shutting down operator workers");
    if (!daemon->service) { /* still starting */
        loop_stop(daemon->loop);
        return;
    }
    loop_after(daemon->loop, STOP_MS, on_stop_late, daemon);
    daemon->is_lease_released = !daemon->lease;
    if (daemon->lease)
        kube_lease_release(daemon->lease, on_lease_released, daemon);
    canary_service_stop(daemon->service, on_service_stopped, daemon);
}

static void on_signal(void *ctx, int number)
{
    struct daemon *daemon = ctx;
    (void)number;
    if (daemon->is_exiting && loop_now_ms(daemon->loop) - daemon->exiting_ms >= INSISTS_MS)
        _exit(EXIT_FAILURE);
    stop(daemon, EXIT_SUCCESS);
}

/* -- the cluster ---------------------------------------------------------------------------------- */

/* --master alone is enough to go by. */
static struct err *read_access(struct daemon *daemon)
{
    const char *master = flags_text(daemon->flags, "master");
    daemon->access = home_kube_opts();
    daemon->access.kubeconfig = or_null(flags_text(daemon->flags, "kubeconfig"));
    daemon->access.context = or_null(flags_text(daemon->flags, "context"));
    daemon->access.allow_exec = flags_bool(daemon->flags, "k8s-allow-exec");
    struct err *e = kube_config_load(&daemon->access, &daemon->kube_config);
    if (e && *master && !daemon->access.kubeconfig && err_is(e, ERR_NOT_FOUND)) {
        err_free(STEAL(e));
        daemon->kube_config = base_alloc(sizeof(*daemon->kube_config));
        daemon->kube_config->ns = base_copy_text("default");
        daemon->kube_config->source = base_copy_text("--master");
    }
    if (e || !*master)
        return e;
    size_t len = strlen(master);
    while (len > 0 && master[len - 1] == '/')
        len--;
    free(daemon->kube_config->server);
    daemon->kube_config->server = base_copy_text(arena_strndup(daemon->mem, master, len));
    return NULL;
}

static void on_discovered(void *ctx, const struct err *e)
{
    struct daemon *daemon = ctx;
    daemon->is_discovered = true;
    daemon->discovery_err = err_copy(e);
}

static struct err *reach_cluster(struct daemon *daemon)
{
    TRY(read_access(daemon));
    TRY(kube_config_refresh(daemon->kube_config));
    daemon->kube_opts = (struct kube_opts){ .loop = daemon->loop,
                                            .log = daemon->log,
                                            .metrics = daemon->metrics,
                                            .config = daemon->kube_config,
                                            .user_agent = USER_AGENT };
    daemon->kube = daemon_connect(&daemon->kube_opts, daemon->flags);
    daemon->http = daemon->kube_opts.http;
    daemon->discovery = kube_discovery_new(daemon->kube, daemon->log);
    kube_discovery_refresh(daemon->discovery, on_discovered, daemon);
    while (!daemon->is_discovered && !daemon->is_exiting && loop_turn(daemon->loop, 1000))
        continue;
    return kube_config_explain(daemon->kube_config, loop_wall_ms(daemon->loop),
                               STEAL(daemon->discovery_err));
}

static struct err *check_cluster(struct daemon *daemon)
{
    const char *version = kube_discovery_server_version(daemon->discovery);
    TRY(canary_check_kinds(daemon->loop, daemon->kube,
                           daemon->namespaces ? daemon->namespaces[0] : NULL));
    TRY(canary_check_version(version));
    say(daemon, arena_printf(daemon->mem, "Connected to Kubernetes API %s", version));
    if (daemon->namespaces)
        say(daemon, arena_printf(daemon->mem, "Watching namespace %s", daemon->namespaces[0]));
    return NULL;
}

/* -- HTTP of 12.2 ---------------------------------------------------------------------------------- */

static void reply(struct server_request *request, int status, const char *type, const char *body)
{
    server_reply(request, &(struct server_answer){ .status = status,
                                                   .content_type = type,
                                                   .body = body,
                                                   .body_len = strlen(body) });
}

static void on_request(void *ctx, struct server_request *request)
{
    struct daemon *daemon = ctx;
    const char *path = server_path(request);
    if (!strcmp(path, "/healthz")) {
        reply(request, 200, "text/plain; charset=utf-8", "OK");
    } else if (!strcmp(path, "/metrics")) {
        SBUF(text, SBUF_MAX);
        api_process_measure(daemon->process);
        metrics_format(daemon->metrics, &text);
        reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", sbuf_text(&text));
    } else {
        reply(request, 404, "text/plain; charset=utf-8", "404 page not found\n");
    }
}

/* -- one leader of several --------------------------------------------------------------------------- */

static void begin(struct daemon *daemon)
{
    say(daemon, "Starting operator");
    canary_service_act(daemon->service, true);
    say(daemon, "Started operator workers");
}

static void on_leading(void *ctx)
{
    struct daemon *daemon = ctx;
    if (daemon->is_exiting)
        return;
    say(daemon, "Acting as elected leader");
    begin(daemon);
}

/* Another process may act already: this one must not, and starts over. */
static void on_lease_lost(void *ctx)
{
    struct daemon *daemon = ctx;
    log_error(daemon->log, F("msg", "Leadership lost"));
    canary_service_act(daemon->service, false);
    stop(daemon, EXIT_FAILURE);
}

static const char *identity_of(struct daemon *daemon)
{
    char host[256] = "";
    uint32_t r[4];
    (void)gethostname(host, sizeof(host) - 1);
    for (size_t i = 0; i < ARRAY_LEN(r); i++)
        r[i] = loop_random(daemon->loop);
    return arena_printf(daemon->mem, "%s_%08x-%04x-4%03x-%04x-%04x%08x", host, r[0], r[1] >> 16,
                        r[1] & 0xfff, 0x8000 | (r[2] >> 18), r[2] & 0xffff, r[3]);
}

static void lead(struct daemon *daemon)
{
    if (!flags_bool(daemon->flags, "enable-leader-election")) {
        begin(daemon);
        return;
    }
    daemon->lease = kube_lease_start(&(struct kube_lease_opts){
        .kube = daemon->kube,
        .loop = daemon->loop,
        .log = daemon->log,
        .ns = daemon->namespaces ? daemon->namespaces[0]
                                 : flags_text(daemon->flags, "leader-election-namespace"),
        .name = LEASE_NAME,
        .identity = identity_of(daemon),
        .duration_ms = LEASE_MS,
        .renew_deadline_ms = RENEW_MS,
        .retry_ms = LEASE_LOOK_MS,
        .on_acquired = on_leading,
        .on_lost = on_lease_lost,
        .ctx = daemon,
    });
}

/* -- all of it ---------------------------------------------------------------------------------------- */

static void say_idle_flags(const struct daemon *daemon)
{
    const char *all = "", *name = NULL;
    for (size_t i = 0; (name = flags_idle(daemon->flags, i)); i++)
        all = arena_printf(daemon->mem, "%s%s-%s", all, *all ? "," : "", name);
    if (*all)
        log_info(daemon->log, F("msg", "flags without effect here"), F("flags", all));
}

static struct err *start(struct daemon *daemon)
{
    const char *ns = flags_text(daemon->flags, "namespace");
    const char *port = flags_text(daemon->flags, "port");
    canary_config_read(daemon->mem, daemon->flags, &daemon->config);
    if (*ns)
        daemon->namespaces = arena_copy_texts(daemon->mem, (const char *const[]){ ns, NULL });
    say(daemon, arena_printf(daemon->mem, "Starting serin version %s mesh provider %s",
                             SERIN_VERSION, daemon->config.settings.mesh_provider));
    say_idle_flags(daemon);
    TRY(reach_cluster(daemon));
    if (daemon->is_exiting)
        return NULL;
    TRY(check_cluster(daemon));
    TRY(canary_service_new(&(struct canary_service_opts){ .loop = daemon->loop,
                                                          .log = daemon->log,
                                                          .metrics = daemon->metrics,
                                                          .kube = daemon->kube,
                                                          .discovery = daemon->discovery,
                                                          .config = &daemon->config,
                                                          .namespaces = daemon->namespaces,
                                                          .kube_opts = &daemon->kube_opts,
                                                          .access = &daemon->access },
                           &daemon->service));
    say(daemon, arena_printf(daemon->mem, "Starting HTTP server on port %s", port));
    TRY(server_new(daemon->loop, arena_printf(daemon->mem, ":%s", port), on_request, daemon,
                   &daemon->server));
    canary_service_start(daemon->service);
    lead(daemon);
    return NULL;
}

static void free_all(struct daemon *daemon)
{
    kube_lease_free(daemon->lease);
    server_free(daemon->server);
    canary_service_free(daemon->service);
    kube_discovery_free(daemon->discovery);
    kube_free(daemon->kube);
    http_free(daemon->http);
    kube_config_free(daemon->kube_config);
    api_process_free(daemon->process);
    metrics_free(daemon->metrics);
    loop_free(daemon->loop);
}

int canary_daemon(struct arena *mem, const struct flags *flags, const struct log *log)
{
    struct daemon daemon = { .mem = mem, .flags = flags, .log = log };
    daemon.loop = loop_new();
    daemon.metrics = metrics_new();
    daemon.process = api_process_new(daemon.metrics);
    loop_on_signal(daemon.loop, SIGINT, on_signal, &daemon);
    loop_on_signal(daemon.loop, SIGTERM, on_signal, &daemon);
    SCOPED(err_free) struct err *e = start(&daemon);
    if (e) {
        log_error(log, F("msg", err_text(e)));
        daemon.exit_status = EXIT_FAILURE;
    } else if (!daemon.is_exiting) {
        loop_run(daemon.loop);
    }
    free_all(&daemon);
    return daemon.exit_status;
}
