/* The daemon's API, and who may ask it from elsewhere. */
#include "api/guard.h"
#include "cmd/run_parts.h"

static bool is_public(const struct run_parts *daemon)
{
    return !api_guard_is_loopback(daemon->config->listen);
}

static void warn_of_open(const struct run_parts *daemon)
{
    log_warn(daemon->log, F("component", "api"), F("addr", daemon->config->listen),
             F("warning",
               "--listen-unauthenticated: WHOEVER CAN REACH THIS ADDRESS CAN RELEASE, CHANGE "
               "POLICIES AND ROTATE THE DEPLOY KEY, without a token"));
}

/* Only a listener that others can reach needs a token. */
static struct err *make_access(struct run_parts *daemon)
{
    const char *file = run_daemon_text(daemon, "api-token-file");
    if (flags_bool(daemon->flags, "listen-unauthenticated")) {
        if (is_public(daemon))
            warn_of_open(daemon);
        return NULL;
    }
    if (!is_public(daemon) && !file)
        return NULL;
    return access_new(
        &(struct access_opts){ .loop = daemon->loop,
                               .log = daemon->log,
                               .file = file,
                               .kube = daemon->config->in_cluster ? daemon->kube : NULL,
                               .ns = daemon->own_ns,
                               .secret_name = flags_text(daemon->flags, "api-secret") },
        &daemon->access);
}

static void on_hook(void *ctx, const struct api_change *change)
{
    struct run_parts *daemon = ctx;
    api_notify(daemon->api, change);
}

static struct err *make_receiver(struct run_parts *daemon)
{
    const char *listen = run_daemon_text(daemon, "listen-hooks");
    const char *file = run_daemon_text(daemon, "hooks-config");
    if (!listen && !file)
        return NULL;
    if (!listen || !file)
        return err_new(ERR_INVALID, "--listen-hooks and --hooks-config need each other");
    TRY(receiver_new(&(struct receiver_opts){ .loop = daemon->loop,
                                              .http = daemon->http,
                                              .log = daemon->log,
                                              .listen = listen,
                                              .config_file = file,
                                              .on_change = on_hook,
                                              .ctx = daemon },
                     &daemon->receiver));
    log_info(daemon->log, F("hooks-addr", listen));
    return NULL;
}

struct err *run_api_make(struct run_parts *daemon)
{
    const struct run_config *config = daemon->config;
    const struct flags *flags = daemon->flags;
    const char *metrics = flags_text(flags, "listen-metrics");
    const struct api_identity identity = run_git_identity(daemon);
    TRY(make_access(daemon));
    daemon->api = api_new(&(struct api_opts){
        .loop = daemon->loop,
        .log = daemon->log,
        .metrics = daemon->metrics,
        .source = daemon->source,
        .sync = daemon->sync,
        .releases = daemon->releases,
        .scans = daemon->scans,
        .canaries = daemon->canaries ? canary_service_canaries(daemon->canaries) : NULL,
        .kube = daemon->kube,
        .discovery = daemon->discovery,
        .identity = daemon->identity ? &identity : NULL,
        .access = { .token = access_token,
                    .look_again = access_look_again,
                    .ctx = daemon->access,
                    .is_open = flags_bool(flags, "listen-unauthenticated") },
        .version = SERIN_VERSION,
        .listen = config->listen,
        .listen_metrics = metrics,
        .git_branch = flags_text(flags, "git-branch"),
        .git_paths = config->git_paths,
        .allowed_ns = config->allowed_ns,
        .is_readonly = config->is_readonly,
    });
    TRY(api_start(daemon->api));
    log_info(daemon->log, F("addr", config->listen));
    if (*metrics)
        log_info(daemon->log, F("metrics-addr", metrics));
    return make_receiver(daemon);
}
