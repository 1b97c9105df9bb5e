#include "cmd/run_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "api/api.h"
#include "cmd/canary_check.h"
#include "cmd/canary_service.h"
#include "cmd/tree.h"
#include "kube/lease.h"
#include "sync/identity.h"

#define WORKER_STACK_BYTES ((size_t)8 << 20) /* reserved, not used: libgit2 takes some 100 KiB */
#define STOP_MS            8000 /* for work that is under way; Kubernetes kills after 30 s */
#define SLOW_MS            5000 /* until it is said that the start waits for the cluster */
#define INSISTS_MS \
    1000 /* a second signal this long after the first ends it at once; some send two */
#define SMALL_FILE_BYTES ((size_t)1 << 20)
#define NAMESPACE_FILE   RUN_IN_CLUSTER_DIR "/serviceaccount/namespace"
#define LEASE_NAME       "serin"
#define USER_AGENT       "serin/" SERIN_VERSION

/* In the order in which things are made; they are unmade the other way round. */
struct daemon {
    struct arena *mem;
    struct run_config *config;
    const struct log *log;
    const struct flags *flags;

    int lock;
    struct loop *loop;
    struct metrics *metrics;
    struct http *http;
    struct kube_config *kube_config;
    struct kube *kube;
    struct kube_discovery *discovery;
    struct kube_events *events;
    struct workers *workers;
    struct identity *identity; /* NULL: there is no key to show (https, or ssh has its own) */
    struct source *source;
    struct sync *sync;
    struct canary_service *canaries; /* NULL: --canaries=off */
    struct sync_owner owner;         /* what the canaries own of what sync applies */
    struct api *api;
    struct kube_lease *lease;

    struct kube_opts kube_opts;
    struct canary_config canary_config;
    const char *own_ns, *default_ns, *ca_pem;
    struct err *discovery_err;
    const char *exiting; /* why; NULL while it goes on */
    int64_t exiting_ms;  /* loop time since when */
    bool is_discovered, has_waited, is_refused, is_source_stopped, is_lease_released,
        is_canaries_stopped;
    int exit_status;
};

static const char *or_null(const char *text)
{
    return text && *text ? text : NULL;
}

static const char *text_or_null(const struct daemon *daemon, const char *flag)
{
    return or_null(flags_text(daemon->flags, flag));
}

static void log_err(const struct daemon *daemon, struct err *e)
{
    if (e)
        log_error(daemon->log, F("err", err_text(e)));
    err_free(e);
}

/* -- stopping: everything is asked to end, then the loop does ------------------------------------- */

static void end_loop_if_all_stopped(struct daemon *daemon)
{
    if (daemon->is_source_stopped && daemon->is_lease_released && daemon->is_canaries_stopped)
        loop_stop(daemon->loop);
}

static void on_source_stopped(void *ctx)
{
    struct daemon *daemon = ctx;
    daemon->is_source_stopped = true;
    end_loop_if_all_stopped(daemon);
}

static void on_lease_released(void *ctx)
{
    struct daemon *daemon = ctx;
    daemon->is_lease_released = true;
    end_loop_if_all_stopped(daemon);
}

static void on_canaries_stopped(void *ctx)
{
    struct daemon *daemon = ctx;
    daemon->is_canaries_stopped = true;
    end_loop_if_all_stopped(daemon);
}

static void on_stop_late(void *ctx)
{
    struct daemon *daemon = ctx;
    log_warn(daemon->log, F("component", "run"),
             F("warning", "work did not end in time, leaving it"));
    loop_stop(daemon->loop);
}

static void stop(struct daemon *daemon, const char *reason, int exit_status)
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
    api_stop(daemon->api);
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
    struct daemon *daemon = ctx;
    if (daemon->exiting && loop_now_ms(daemon->loop) - daemon->exiting_ms >= INSISTS_MS)
        _exit(128 + number);
    stop(daemon, number == SIGINT ? "interrupt" : "terminated", EXIT_SUCCESS);
}

static void on_sync_signal(void *ctx, int number)
{
    struct daemon *daemon = ctx;
    (void)number;
    if (!daemon->sync || daemon->exiting)
        return;
    log_info(daemon->log, F("component", "run"), F("info", "a signal asks for a sync"));
    source_fetch(daemon->source, NULL, NULL);
    sync_soon(daemon->sync, true);
}

/* -- the cluster ---------------------------------------------------------------------------------- */

static void on_discovered(void *ctx, const struct err *err)
{
    struct daemon *daemon = ctx;
    daemon->is_discovered = true;
    daemon->discovery_err = err_copy(err);
}

/* Our own namespace (for the Secret and the Lease), and the one for manifests that name none. */
static struct err *find_namespaces(struct daemon *daemon)
{
    const struct kube_config *kube = daemon->kube_config;
    const char *given = text_or_null(daemon, "k8s-default-namespace"), *text = NULL;
    size_t len = 0;
    daemon->default_ns = given ? given : kube->in_cluster ? "default" : kube->ns;
    daemon->own_ns = kube->ns;
    if (!daemon->config->in_cluster)
        return NULL;
    TRY(err_wrap(tree_read_text(daemon->mem, NAMESPACE_FILE, SMALL_FILE_BYTES, &text, &len),
                 NAMESPACE_FILE));
    daemon->own_ns = arena_strndup(daemon->mem, text, strcspn(text, " \r\n"));
    return NULL;
}

static void on_waited(void *ctx)
{
    ((struct daemon *)ctx)->has_waited = true;
}

static void turn_until(struct daemon *daemon, const bool *is_done)
{
    while (!*is_done && !daemon->exiting && loop_turn(daemon->loop, 1000))
        continue;
}

static void on_slow(void *ctx)
{
    const struct daemon *daemon = ctx;
    log_warn(daemon->log, F("warning", "the cluster does not answer, still waiting"),
             F("host", daemon->kube_config->server));
}

/* A cluster that does not answer yet (a node that boots) is waited for; one that refuses us is not. */
static struct err *discover(struct daemon *daemon)
{
    for (int64_t wait_ms = 500;; wait_ms = MIN_OF(wait_ms * 2, (int64_t)15000)) {
        daemon->is_discovered = daemon->has_waited = false;
        ticket slow = loop_after(daemon->loop, SLOW_MS, on_slow, daemon);
        kube_discovery_refresh(daemon->discovery, on_discovered, daemon);
        turn_until(daemon, &daemon->is_discovered);
        loop_cancel(daemon->loop, slow);
        struct err *e = err_wrap(STEAL(daemon->discovery_err), "ask the cluster at %s",
                                 daemon->kube_config->server);
        if (daemon->exiting || !err_is(e, ERR_TRANSIENT))
            return e;
        log_warn(daemon->log, F("warning", "the cluster does not answer, trying again"),
                 F("err", err_text(e)));
        err_free(e);
        loop_after(daemon->loop, wait_ms, on_waited, daemon);
        turn_until(daemon, &daemon->has_waited);
    }
}

static struct err *reach_cluster(struct daemon *daemon)
{
    TRY(kube_config_load(&daemon->config->kube, &daemon->kube_config));
    TRY(kube_config_refresh(daemon->kube_config));
    TRY(find_namespaces(daemon));
    daemon->http = http_new(
        daemon->loop, &(struct http_opts){ .connections_per_host =
                                               (int)flags_int(daemon->flags, "kube-in-flight") + 2,
                                           .user_agent = USER_AGENT });
    daemon->kube_opts =
        (struct kube_opts){ .loop = daemon->loop,
                            .http = daemon->http,
                            .log = daemon->log,
                            .metrics = daemon->metrics,
                            .config = daemon->kube_config,
                            .user_agent = USER_AGENT,
                            .in_flight = (int)flags_int(daemon->flags, "kube-in-flight") };
    daemon->kube = kube_new(&daemon->kube_opts);
    daemon->discovery = kube_discovery_new(daemon->kube, daemon->log);
    TRY(discover(daemon));
    if (daemon->exiting)
        return NULL;
    log_info(daemon->log, F("host", daemon->kube_config->server),
             F("version", arena_printf(daemon->mem, "kubernetes-%s",
                                       kube_discovery_server_version(daemon->discovery))));
    return NULL;
}

/* -- git ------------------------------------------------------------------------------------------ */

/* One process to a copy of the repository. The lock ends with the process, however that ends. */
static struct err *lock_state_dir(struct daemon *daemon)
{
    const char *file = arena_printf(daemon->mem, "%s/lock", daemon->config->state_dir);
    TRY(run_config_make_state_dir(daemon->mem, daemon->config));
    daemon->lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (daemon->lock < 0)
        return err_errno(ERR_DENIED, errno, "open %s", file);
    if (flock(daemon->lock, LOCK_EX | LOCK_NB))
        return err_new(ERR_INVALID, "another serin uses %s: give each its own --state-dir",
                       daemon->config->state_dir);
    return NULL;
}

static struct err *read_ca(struct daemon *daemon)
{
    const char *file = text_or_null(daemon, "git-ca-file");
    size_t len = 0;
    if (!file)
        return NULL;
    return err_wrap(tree_read_text(daemon->mem, file, SMALL_FILE_BYTES, &daemon->ca_pem, &len),
                    "--git-ca-file %s", file);
}

/* -- the deploy key ------------------------------------------------------------------------------- */

static void make_identity(struct daemon *daemon)
{
    const struct run_config *config = daemon->config;
    const struct flags *flags = daemon->flags;
    const char *data_key = flags_text(flags, "k8s-secret-data-key");
    struct identity_opts opts = {
        .loop = daemon->loop,
        .workers = daemon->workers,
        .log = daemon->log,
        .link_dir = arena_printf(daemon->mem, "%s/key", config->state_dir),
        .keygen = { .type = text_or_null(daemon, "ssh-keygen-type"),
                    .format = text_or_null(daemon, "ssh-keygen-format") },
    };
    if (flags_given(flags, "ssh-keygen-bits"))
        opts.keygen.bits =
            arena_printf(daemon->mem, "%lld", (long long)flags_int(flags, "ssh-keygen-bits"));
    if (config->identity_file) {
        opts.mounted = config->identity_file;
        opts.dir = arena_printf(daemon->mem, "%s/key", config->state_dir);
        opts.name = "identity";
    } else if (config->wants_key) {
        opts.kube = daemon->kube;
        opts.ns = daemon->own_ns;
        opts.secret_name = flags_text(flags, "k8s-secret-name");
        opts.mounted = arena_printf(daemon->mem, "%s/%s",
                                    flags_text(flags, "k8s-secret-volume-mount-path"), data_key);
        opts.dir = config->keygen_dir;
        opts.name = data_key;
    } else {
        return;
    }
    daemon->identity = identity_new(&opts);
}

static void on_identity(void *ctx, const struct err *e)
{
    struct daemon *daemon = ctx;
    bool needs_key = daemon->config->kind == GITURL_SSH || daemon->config->identity_file;
    if (daemon->exiting)
        return;
    if (e)
        log_error(daemon->log, F("err", err_text(e)));
    if (e && needs_key)
        stop(daemon, "there is no deploy key", EXIT_FAILURE);
    else
        source_start(daemon->source);
}

static bool show_key(void *ctx, struct api_key *out)
{
    struct daemon *daemon = ctx;
    struct deploykey key;
    if (!identity_key(daemon->identity, &key))
        return false;
    *out = (struct api_key){ .line = key.public_line,
                             .md5_hash = key.md5_hash,
                             .md5_art = key.md5_art,
                             .sha256_hash = key.sha256_hash,
                             .sha256_art = key.sha256_art };
    return true;
}

struct refusal {
    api_identity_done done;
    void *ctx;
};

static void on_refuse_key(void *ctx)
{
    struct refusal *refusal = ctx;
    SCOPED(err_free)
    struct err *e =
        err_new(ERR_INVALID, "the key is a file of yours (--identity-file): put another one there");
    refusal->done(refusal->ctx, e);
    free(refusal);
}

static void regenerate_key(void *ctx, api_identity_done done, void *done_ctx)
{
    struct daemon *daemon = ctx;
    if (!daemon->config->identity_file) {
        identity_regenerate(daemon->identity, done, done_ctx);
        return;
    }
    struct refusal *refusal = base_alloc(sizeof(*refusal));
    *refusal = (struct refusal){ done, done_ctx };
    loop_after(daemon->loop, 0, on_refuse_key, refusal);
}

/* -- git ------------------------------------------------------------------------------------------ */

static void on_refreshed(void *ctx, const char *head, const struct mirror_fetched *fetched)
{
    struct daemon *daemon = ctx;
    sync_on_refreshed(daemon->sync, head, fetched);
}

static bool writes_notes(const struct daemon *daemon)
{
    return flags_bool(daemon->flags, "git-notes") && !daemon->config->is_readonly;
}

static void make_source(struct daemon *daemon)
{
    const struct run_config *config = daemon->config;
    const struct flags *flags = daemon->flags;
    size_t keys = 0;
    const char *const *gpg_keys = flags_list(flags, "git-gpg-key-import", &keys);
    const struct mirror_opts mirror = {
        .url = config->git_url,
        .dir = arena_printf(daemon->mem, "%s/repository", config->state_dir),
        .branch = flags_text(flags, "git-branch"),
        .sync_tag = config->sync_tag,
        .notes_ref = SYNC_NOTES_REF,
        .commit_notes_ref = config->notes_ref,
        .user_name = flags_text(flags, "git-user"),
        .user_email = flags_text(flags, "git-email"),
        .signing_key = text_or_null(daemon, "git-signing-key"),
        .gnupg_home = config->gnupg_home,
        .ca_pem = daemon->ca_pem,
        .ssh_command = config->ssh_command,
        .ssh_identity = daemon->identity ? identity_file(daemon->identity) : NULL,
        .ssh_known_hosts = text_or_null(daemon, "ssh-known-hosts"),
    };
    daemon->source = source_new(&(struct source_opts){
        .loop = daemon->loop,
        .workers = daemon->workers,
        .log = daemon->log,
        .metrics = daemon->metrics,
        .mirror = &mirror,
        .poll_ms = flags_ms(flags, "git-poll-interval"),
        .timeout_ms = flags_ms(flags, "git-timeout"),
        .is_readonly = config->is_readonly,
        .verify = config->verify,
        .gpg_keys = keys ? gpg_keys : NULL,
        .on_refreshed = on_refreshed,
        .ctx = daemon,
    });
}

/* -- the rest ------------------------------------------------------------------------------------- */

/* -- what sync leaves to canaries ------------------------------------------------------------------ */

static bool knows_owned(void *ctx)
{
    const struct daemon *daemon = ctx;
    return !daemon->canaries || canaries_knows_owned(canary_service_canaries(daemon->canaries));
}

static void on_release(void *ctx)
{
    const struct daemon *daemon = ctx;
    if (!daemon->exiting)
        sync_on_released(daemon->sync);
}

static unsigned find_owned(void *ctx, const char *api_version, const char *kind, const char *ns,
                           const char *name)
{
    const struct daemon *daemon = ctx;
    unsigned owned = daemon->canaries ? canaries_owned(canary_service_canaries(daemon->canaries),
                                                       api_version, kind, ns, name)
                                      : CANARY_OWNS_NOTHING;
    return (owned & CANARY_OWNS_REPLICAS ? OWNER_REPLICAS : 0u) |
           (owned & CANARY_OWNS_SELECTOR ? OWNER_SELECTOR : 0u) |
           (owned & CANARY_OWNS_ROUTES ? OWNER_ROUTES : 0u);
}

static void make_sync(struct daemon *daemon)
{
    const struct run_config *config = daemon->config;
    const struct flags *flags = daemon->flags;
    daemon->owner =
        (struct sync_owner){ .is_known = knows_owned, .owned = find_owned, .ctx = daemon };
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
    });
}

/* With auto they wait for their CRDs; with on these have to be there. */
static struct err *make_canaries(struct daemon *daemon)
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
                                                             .ctx = daemon },
                              &daemon->canaries);
}

static struct err *make_api(struct daemon *daemon)
{
    const struct run_config *config = daemon->config;
    const struct flags *flags = daemon->flags;
    const char *metrics = flags_text(flags, "listen-metrics");
    const struct api_identity identity = { .key = show_key,
                                           .regenerate = regenerate_key,
                                           .ctx = daemon };
    daemon->api = api_new(&(struct api_opts){
        .loop = daemon->loop,
        .log = daemon->log,
        .metrics = daemon->metrics,
        .source = daemon->source,
        .sync = daemon->sync,
        .canaries = daemon->canaries ? canary_service_canaries(daemon->canaries) : NULL,
        .kube = daemon->kube,
        .discovery = daemon->discovery,
        .identity = daemon->identity ? &identity : NULL,
        .version = SERIN_VERSION,
        .listen = config->listen,
        .listen_metrics = metrics,
        .git_branch = flags_text(flags, "git-branch"),
        .git_paths = config->git_paths,
        .allowed_ns = config->allowed_ns,
        .is_readonly = config->is_readonly,
        .job_timeout_ms = flags_ms(flags, "sync-timeout"),
    });
    TRY(api_start(daemon->api));
    log_info(daemon->log, F("addr", config->listen));
    if (*metrics)
        log_info(daemon->log, F("metrics-addr", metrics));
    return NULL;
}

static void act(struct daemon *daemon, bool may_act)
{
    if (may_act)
        sync_start(daemon->sync);
    if (daemon->canaries)
        canary_service_act(daemon->canaries, may_act);
}

static void on_leading(void *ctx)
{
    struct daemon *daemon = ctx;
    if (!daemon->exiting)
        act(daemon, true);
}

/* Another process may act already: this one must not, and starts over. */
static void on_lease_lost(void *ctx)
{
    act(ctx, false);
    stop(ctx, "lost the lease", EXIT_FAILURE);
}

static void lead(struct daemon *daemon)
{
    char host[256] = "";
    if (!flags_bool(daemon->flags, "leader-elect")) {
        act(daemon, true);
        return;
    }
    const char *ns = text_or_null(daemon, "leader-elect-namespace");
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
static struct err *start(struct daemon *daemon)
{
    TRY(reach_cluster(daemon));
    if (daemon->exiting)
        return NULL;
    daemon->is_refused = !run_config_check_state(daemon->config, daemon->log);
    if (daemon->is_refused)
        return NULL;
    run_config_log_idle(daemon->mem, daemon->config, daemon->log);
    run_config_log_summary(daemon->config, daemon->log);
    TRY(lock_state_dir(daemon));
    TRY(read_ca(daemon));
    daemon->events = kube_events_new(
        &(struct kube_events_opts){ .kube = daemon->kube,
                                    .loop = daemon->loop,
                                    .log = daemon->log,
                                    .component = flags_text(daemon->flags, "event-component"),
                                    .host = "" });
    daemon->workers =
        worker_new(daemon->loop, (int)flags_int(daemon->flags, "workers"), WORKER_STACK_BYTES);
    make_identity(daemon);
    make_source(daemon);
    make_sync(daemon);
    TRY(make_canaries(daemon));
    TRY(make_api(daemon));
    if (daemon->identity)
        identity_start(daemon->identity, on_identity, daemon);
    else
        source_start(daemon->source);
    if (daemon->canaries)
        canary_service_start(daemon->canaries);
    lead(daemon);
    return NULL;
}

static void free_all(struct daemon *daemon)
{
    kube_lease_free(daemon->lease);
    api_free(daemon->api);
    canary_service_free(daemon->canaries);
    worker_free(daemon->workers); /* waits for what runs: nobody works for those below any more */
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
    struct daemon daemon = {
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
