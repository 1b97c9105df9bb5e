/* The daemon's way to the cluster: waited for as long as it does not answer. */
#include <string.h>

#include "cmd/daemon.h"
#include "cmd/run_parts.h"
#include "cmd/tree.h"

#define SLOW_MS        5000 /* until it is said that the start waits for the cluster */
#define NAMESPACE_FILE RUN_IN_CLUSTER_DIR "/serviceaccount/namespace"

static void on_discovered(void *ctx, const struct err *err)
{
    struct run_parts *daemon = ctx;
    daemon->is_discovered = true;
    daemon->discovery_err = err_copy(err);
}

/* Our own namespace (for the Secret and the Lease), and the one for manifests that name none. */
static struct err *find_namespaces(struct run_parts *daemon)
{
    const struct kube_config *kube = daemon->kube_config;
    const char *given = run_daemon_text(daemon, "k8s-default-namespace"), *text = NULL;
    size_t len = 0;
    daemon->default_ns = given ? given : kube->in_cluster ? "default" : kube->ns;
    daemon->own_ns = kube->ns;
    if (!daemon->config->in_cluster)
        return NULL;
    TRY(err_wrap(tree_read_text(daemon->mem, NAMESPACE_FILE, RUN_SMALL_FILE_BYTES, &text, &len),
                 NAMESPACE_FILE));
    daemon->own_ns = arena_strndup(daemon->mem, text, strcspn(text, " \r\n"));
    return NULL;
}

static void on_waited(void *ctx)
{
    ((struct run_parts *)ctx)->has_waited = true;
}

static void turn_until(struct run_parts *daemon, const bool *is_done)
{
    while (!*is_done && !daemon->exiting && loop_turn(daemon->loop, 1000))
        continue;
}

static void on_slow(void *ctx)
{
    const struct run_parts *daemon = ctx;
    log_warn(daemon->log, F("warning", "the cluster does not answer, still waiting"),
             F("host", daemon->kube_config->server));
}

/* A cluster that does not answer yet (a node that boots) is waited for; one that refuses us is not. */
static struct err *discover(struct run_parts *daemon)
{
    for (int64_t wait_ms = 500;; wait_ms = MIN_OF(wait_ms * 2, (int64_t)15000)) {
        daemon->is_discovered = daemon->has_waited = false;
        ticket slow = loop_after(daemon->loop, SLOW_MS, on_slow, daemon);
        kube_discovery_refresh(daemon->discovery, on_discovered, daemon);
        turn_until(daemon, &daemon->is_discovered);
        loop_cancel(daemon->loop, slow);
        struct err *e = kube_config_explain(daemon->kube_config, loop_wall_ms(daemon->loop),
                                            STEAL(daemon->discovery_err));
        if (daemon->exiting || !err_is(e, ERR_TRANSIENT))
            return e;
        log_warn(daemon->log, F("warning", "the cluster does not answer, trying again"),
                 F("err", err_text(e)));
        err_free(e);
        loop_after(daemon->loop, wait_ms, on_waited, daemon);
        turn_until(daemon, &daemon->has_waited);
    }
}

struct err *run_cluster_reach(struct run_parts *daemon)
{
    TRY(kube_config_load(&daemon->config->kube, &daemon->kube_config));
    TRY(kube_config_refresh(daemon->kube_config));
    TRY(find_namespaces(daemon));
    daemon->kube_opts = (struct kube_opts){ .loop = daemon->loop,
                                            .log = daemon->log,
                                            .metrics = daemon->metrics,
                                            .config = daemon->kube_config,
                                            .user_agent = RUN_USER_AGENT };
    daemon->kube = daemon_connect(&daemon->kube_opts, daemon->flags);
    daemon->http = daemon->kube_opts.http;
    daemon->discovery = kube_discovery_new(daemon->kube, daemon->log);
    TRY(discover(daemon));
    if (daemon->exiting)
        return NULL;
    log_info(daemon->log, F("host", daemon->kube_config->server),
             F("version", arena_printf(daemon->mem, "kubernetes-%s",
                                       kube_discovery_server_version(daemon->discovery))));
    return NULL;
}
