#include "cmd/run_daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/canary_check.h"
#include "cmd/run_parts.h"

#define WORKER_STACK_BYTES ((size_t)8 << 20) /* reserved, not used: libgit2 takes some 100 KiB */
#define STOP_MS            8000 /* for work that is under way; Kubernetes kills after 30 s */
#define INSISTS_MS \
    1000 /* a second signal this long after the first ends it at once; some send two */
#define LEASE_NAME "serin"

const char *run_daemon_text(const struct run_parts *daemon, const char *flag)
{
    const char *text = flags_text(daemon->flags, flag);
    return *text ? text : NULL;
}

static void log_err(const struct run_parts *daemon, struct err *e)
{
    if (e)
        log_error(daemon->log, F("err", err_text(e)));
    err_free(e);
}

/* -- stopping: everything is asked to end, then the loop does ------------------------------------- */

static void end_loop_if_all_stopped(struct run_parts *daemon)
{
    if (daemon->is_source_stopped && daemon->is_lease_released && daemon->is_canaries_stopped)
        loop_stop(daemon->loop);
}

static void on_source_stopped(void *ctx)
{
    struct run_parts *daemon = ctx;
    daemon->is_source_stopped = true;
    end_loop_if_all_stopped(daemon);
}

static void on_lease_released(void *ctx)
{
    struct run_parts *daemon = ctx;
    daemon->is_lease_released = true;
    end_loop_if_all_stopped(daemon);
}

static void on_canaries_stopped(void *ctx)
{
    struct run_parts *daemon = ctx;
    daemon->is_canaries_stopped = true;
    end_loop_if_all_stopped(daemon);
}

static void on_stop_late(void *ctx)
{
    struct run_parts *daemon = ctx;
    log_warn(daemon->log, F("component", "run"),
             F("warning", "work did not end in time, leaving it"));
    loop_stop(daemon->loop);
}

void run_daemon_stop(struct run_parts *daemon, const char *reason, int exit_status)
{
    if (daemon->exiting)
        return;
    daemon->exiting = reason;
    daemon->exiting_ms = loop_now_ms(daemon->loop);
    daemon->exit_status = exit_status;
    log_info(daemon->log, F("exiting", reason));
    if (!daemon->api) { /* still starting */
        loop_stop(daemon->loop);
        return;
    }
    loop_after(daemon->loop, STOP_MS, on_stop_late, daemon);
    receiver_free(STEAL(daemon->receiver));
    api_stop(daemon->api);
    releases_stop(daemon->releases);
    sync_stop(daemon->sync);
    daemon->is_canaries_stopped = !daemon->canaries;
    if (daemon->canaries)
        canary_service_stop(daemon->canaries, on_canaries_stopped, daemon);
    daemon->is_lease_released = !daemon->lease;
    if (daemon->lease)
        kube_lease_release(daemon->lease, on_lease_released, daemon);
    source_stop(daemon->source, on_source_stopped, daemon);
}

static void on_stop_signal(void *ctx, int number)
{
    struct run_parts *daemon = ctx;
    if (daemon->exiting && loop_now_ms(daemon->loop) - daemon->exiting_ms >= INSISTS_MS)
        _exit(128 + number);
    run_daemon_stop(daemon, number == SIGINT ? "interrupt" : "terminated", EXIT_SUCCESS);
}

static void on_sync_signal(void *ctx, int number)
{
    struct run_parts *daemon = ctx;
    (void)number;
    if (!daemon->sync || daemon->exiting)
        return;
    log_info(daemon->log, F("component", "run"), F("info", "a signal asks for a sync"));
    source_fetch(daemon->source, NULL, NULL);
    sync_soon(daemon->sync, true);
}

/* -- what sync leaves to canaries ------------------------------------------------------------------ */

static bool knows_owned(void *ctx)
{
    const struct run_parts *daemon = ctx;
    return !daemon->canaries || canaries_knows_owned(canary_service_canaries(daemon->canaries));
}

static void on_release(void *ctx)
{
    const struct run_parts *daemon = ctx;
    if (!daemon->exiting)
        sync_on_released(daemon->sync);
}

static unsigned find_owned(void *ctx, const char *api_version, const char *kind, const char *ns,
                           const char *name)
{
    const struct run_parts *daemon = ctx;
    unsigned owned = daemon->canaries ? canaries_owned(canary_service_canaries(daemon->canaries),
                                                       api_version, kind, ns, name)
                                      : CANARY_OWNS_NOTHING;
    return (owned & CANARY_OWNS_REPLICAS ? OWNER_REPLICAS : 0u) |
           (owned & CANARY_OWNS_SELECTOR ? OWNER_SELECTOR : 0u) |
           (owned & CANARY_OWNS_ROUTES ? OWNER_ROUTES : 0u);
}

static bool writes_notes(const struct run_parts *daemon)
{
    return flags_bool(daemon->flags, "git-notes") && !daemon->config->is_readonly;
}

static void on_synced(void *ctx)
{
    const struct run_parts *daemon = ctx;
    if (daemon->exiting)
        return;
    if (daemon->releases)
        releases_on_synced(daemon->releases);
    run_host_on_synced(daemon->host);
}

static void on_changed(void *ctx, const char *rev, const struct sync_object_status *object)
{
    const struct run_parts *daemon = ctx;
    run_host_on_changed(daemon->host, rev, object);
}

static void on_shown(void *ctx, const struct canaries_seen *seen)
{
    const struct run_parts *daemon = ctx;
    if (!daemon->exiting)
        run_host_on_canary(daemon->host, seen);
}

static void make_sync(struct run_parts *daemon)
{
    const struct run_config *config = daemon->config;
    const struct flags *flags = daemon->flags;
    daemon->owner =
        (struct sync_owner){ .is_known = knows_owned, .owned = find_owned, .ctx = daemon };
    if (config->reveal.git_secret)
        reveal_clean(&config->reveal);
    daemon->sync = sync_new(&(struct sync_opts){
        .loop = daemon->loop,
        .log = daemon->log,
        .metrics = daemon->metrics,
        .kube = daemon->kube,
        .discovery = daemon->discovery,
        .events = daemon->events,
        .source = daemon->source,
        .owner = &daemon->owner,
        .own_ns = daemon->own_ns,
        .secret_name = flags_text(flags, "k8s-secret-name"),
        .default_ns = daemon->default_ns,
        .allowed_ns = config->allowed_ns,
        .excluded_kinds = flags_list(flags, "k8s-unsafe-exclude-resource", NULL),
        .git_branch = flags_text(flags, "git-branch"),
        .git_paths = config->git_paths,
        .sync_tag = config->sync_tag,
        .state_mode = config->state_mode,
        .is_readonly = config->is_readonly,
        .gc = flags_bool(flags, "sync-garbage-collection"),
        .gc_dry = flags_bool(flags, "sync-garbage-collection-dry"),
        .allow_prune_all = flags_bool(flags, "sync-prune-all"),
        .manifest_generation = flags_bool(flags, "manifest-generation"),
        .write_notes = writes_notes(daemon),
        .drift = config->drift,
        .interval_ms = flags_ms(flags, "sync-interval"),
        .timeout_ms = flags_ms(flags, "sync-timeout"),
        .reveal = &config->reveal,
        .release_notes_ref = config->notes_ref,
        .release_event = releases_note_event,
        .on_changed = on_changed,
        .on_synced = on_synced,
        .ctx = daemon,
    });
}

/* With auto they wait for their CRDs; with on these have to be there. */
static struct err *make_canaries(struct run_parts *daemon)
{
    const struct run_config *config = daemon->config;
    if (config->canaries == RUN_CANARIES_OFF)
        return NULL;
    if (config->canaries == RUN_CANARIES_ON)
        TRY(canary_check_kinds(daemon->loop, daemon->kube,
                               config->allowed_ns ? config->allowed_ns[0] : NULL));
    canary_config_read(daemon->mem, daemon->flags, &daemon->canary_config);
    return canary_service_new(&(struct canary_service_opts){ .loop = daemon->loop,
                                                             .log = daemon->log,
                                                             .metrics = daemon->metrics,
                                                             .kube = daemon->kube,
                                                             .discovery = daemon->discovery,
                                                             .config = &daemon->canary_config,
                                                             .namespaces = config->allowed_ns,
                                                             .kube_opts = &daemon->kube_opts,
                                                             .access = &config->kube,
                                                             .on_release = on_release,
                                                             .on_shown = on_shown,
                                                             .ctx = daemon },
                              &daemon->canaries);
}

static void act(struct run_parts *daemon, bool may_act)
{
    if (may_act)
        sync_start(daemon->sync);
    releases_act(daemon->releases, may_act);
    if (daemon->canaries)
        canary_service_act(daemon->canaries, may_act);
}

static void on_leading(void *ctx)
{
    struct run_parts *daemon = ctx;
    if (!daemon->exiting)
        act(daemon, true);
}

/* Another process may act already: this one must not, and starts over. */
static void on_lease_lost(void *ctx)
{
    act(ctx, false);
    run_daemon_stop(ctx, "lost the lease", EXIT_FAILURE);
}

static void lead(struct run_parts *daemon)
{
    char host[256] = "";
    if (!flags_bool(daemon->flags, "leader-elect")) {
        act(daemon, true);
        return;
    }
    const char *ns = run_daemon_text(daemon, "leader-elect-namespace");
    (void)gethostname(host, sizeof(host) - 1);
    daemon->lease = kube_lease_start(&(struct kube_lease_opts){
        .kube = daemon->kube,
        .loop = daemon->loop,
        .log = daemon->log,
        .ns = ns ? ns : daemon->own_ns,
        .name = LEASE_NAME,
        .identity = arena_printf(daemon->mem, "%s_%08x", host, loop_random(daemon->loop)),
        .on_acquired = on_leading,
        .on_lost = on_lease_lost,
        .ctx = daemon,
    });
}

/* In fluxd's order, as far as one can see: what is wrong with the cluster comes before what is wrong with the state. */
static struct err *start(struct run_parts *daemon)
{
    TRY(run_cluster_reach(daemon));
    if (daemon->exiting)
        return NULL;
    daemon->is_refused = !run_config_check_state(daemon->config, daemon->log);
    if (daemon->is_refused)
        return NULL;
    run_config_log_idle(daemon->mem, daemon->config, daemon->log);
    run_config_log_summary(daemon->config, daemon->log);
    TRY(run_git_prepare(daemon));
    daemon->events = kube_events_new(
        &(struct kube_events_opts){ .kube = daemon->kube,
                                    .loop = daemon->loop,
                                    .log = daemon->log,
                                    .component = flags_text(daemon->flags, "event-component"),
                                    .host = "" });
    daemon->workers =
        worker_new(daemon->loop, (int)flags_int(daemon->flags, "workers"), WORKER_STACK_BYTES);
    run_git_make_identity(daemon);
    run_git_make_source(daemon);
    make_sync(daemon);
    TRY(run_release_make(daemon));
    if (daemon->exiting)
        return NULL;
    TRY(run_host_make(daemon));
    TRY(make_canaries(daemon));
    TRY(run_api_make(daemon));
    run_git_start(daemon);
    if (daemon->canaries)
        canary_service_start(daemon->canaries);
    lead(daemon);
    return NULL;
}

static void free_all(struct run_parts *daemon)
{
    kube_lease_free(daemon->lease);
    receiver_free(daemon->receiver);
    api_free(daemon->api);
    access_free(daemon->access);
    canary_service_free(daemon->canaries);
    worker_free(daemon->workers); /* waits for what runs: nobody works for those below any more */
    run_host_free(daemon->host);
    releases_free(daemon->releases);
    image_scans_free(daemon->scans);
    sync_free(daemon->sync);
    source_free(daemon->source);
    identity_free(daemon->identity);
    kube_events_free(daemon->events);
    kube_discovery_free(daemon->discovery);
    kube_free(daemon->kube);
    http_free(daemon->http);
    kube_config_free(daemon->kube_config);
    metrics_free(daemon->metrics);
    loop_free(daemon->loop);
    if (daemon->lock >= 0)
        close(daemon->lock);
}

int run_daemon(struct arena *mem, struct run_config *config, const struct log *log)
{
    struct run_parts daemon = {
        .mem = mem, .config = config, .log = log, .flags = config->flags, .lock = -1
    };
    daemon.loop = loop_new();
    daemon.metrics = metrics_new();
    loop_on_signal(daemon.loop, SIGINT, on_stop_signal, &daemon);
    loop_on_signal(daemon.loop, SIGTERM, on_stop_signal, &daemon);
    loop_on_signal(daemon.loop, SIGHUP, on_sync_signal, &daemon);
    loop_on_signal(daemon.loop, SIGUSR1, on_sync_signal, &daemon);
    struct err *e = start(&daemon);
    if (e || daemon.is_refused)
        daemon.exit_status = EXIT_FAILURE;
    log_err(&daemon, e);
    if (!e && !daemon.is_refused && !daemon.exiting)
        loop_run(daemon.loop);
    free_all(&daemon);
    return daemon.exit_status;
}
