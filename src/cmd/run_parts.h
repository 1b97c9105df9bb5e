/* cmd/run_parts.h - inside the daemon: all that it is made of. Only the files that put it together include this.
 * Effects:   none of its own.
 * Ownership: run_daemon.c unmakes what these files make.
 * Units:     milliseconds. */
#ifndef SERIN_CMD_RUN_PARTS_H
#define SERIN_CMD_RUN_PARTS_H

#include "api/api.h"
#include "api/receiver.h"
#include "cmd/access.h"
#include "cmd/canary_service.h"
#include "cmd/run_config.h"
#include "image/scans.h"
#include "kube/lease.h"
#include "release/hoststatus.h"
#include "release/releases.h"
#include "sync/identity.h"

#define RUN_SMALL_FILE_BYTES ((size_t)1 << 20)
#define RUN_USER_AGENT       "serin/" SERIN_VERSION

/* In the order in which things are made; they are unmade the other way round. */
struct run_host;

struct run_parts {
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
    struct image_scans *scans; /* NULL: --registry-disable-scanning */
    struct releases *releases;
    struct canary_service *canaries; /* NULL: --canaries=off */
    struct sync_owner owner;         /* what the canaries own of what sync applies */
    struct access *access;           /* NULL: nobody needs a token, or nobody has one */
    struct run_host *host;           /* NULL: no git host is told */
    struct api *api;
    struct receiver *receiver; /* NULL: without --listen-hooks */
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

/* run_daemon.c: begins to stop, once; the reason is logged. */
void run_daemon_stop(struct run_parts *daemon, const char *reason, int exit_status);
const char *run_daemon_text(const struct run_parts *daemon, const char *flag); /* NULL: empty */

/* run_cluster.c */
MUST_USE struct err *run_cluster_reach(struct run_parts *daemon);

/* run_git.c: the directory of the copy, the deploy key, the repository. */
MUST_USE struct err *run_git_prepare(struct run_parts *daemon);
void run_git_make_identity(struct run_parts *daemon);
void run_git_make_source(struct run_parts *daemon);
void run_git_start(struct run_parts *daemon);
struct api_identity run_git_identity(struct run_parts *daemon);

/* run_api.c */
MUST_USE struct err *run_api_make(struct run_parts *daemon);

/* run_host.c: the states of commits at the git host; NULL for `host` is fine. */
MUST_USE struct err *run_host_make(struct run_parts *daemon);
void run_host_on_changed(struct run_host *host, const char *rev,
                         const struct sync_object_status *object);
void run_host_on_synced(struct run_host *host);
void run_host_on_canary(struct run_host *host, const struct canaries_seen *seen);
void run_host_free(struct run_host *host);

/* run_release.c: registries (an error: of those that have to work), and jobs that change the repository. */
MUST_USE struct err *run_release_make(struct run_parts *daemon);

#endif
