/* api/api.h - the HTTP side of the daemon: what fluxctl asks, what serin's own commands ask,
 * metrics and health.
 * Effects:   listens; reads through kube, source and sync; asks source, sync and releases to act.
 * Ownership: borrows everything in api_opts until api_free; texts of the options are copied.
 * Units:     milliseconds.
 * Reference: gitops.md 0.3, 5.4, 5.8, 6.1, 8, 9, 10.1.
 *
 *     /api/flux/v…        the routes of Flux v1 (table in api/flux.c)
 *     /api/serin/v1/…     status, objects, canaries, why, sync (table in api/own.c)
 *     /metrics            here unless it has a listener of its own
 *     /healthz /readyz    the loop turns; git was fetched once and synced once, or no repository is
 * configured
 *
 * Who may ask: whoever is on this machine (kubectl port-forward is), as in Flux; from elsewhere with the token (api/guard.h), but
 * for health, metrics and the public key. A listener on a loopback address answers only requests whose Host is a loopback name or
 * address (a web page that rebinds its own name to 127.0.0.1 is refused, 403), and no listener takes a request that changes
 * something from a page of another origin. */
#ifndef SERIN_API_API_H
#define SERIN_API_API_H

#include "api/body.h"
#include "base/log.h"
#include "base/metrics.h"
#include "canary/canaries.h"
#include "kube/discovery.h"
#include "release/releases.h"
#include "sync/sync.h"

struct api;

/* The deploy key as `fluxctl identity` shows it. Texts are borrowed until the next turn. */
struct api_key {
    const char *line; /* the public key line as stored, with its newline */
    const char *md5_hash, *md5_art, *sha256_hash, *sha256_art;
};

typedef void (*api_identity_done)(void *ctx, const struct err *e); /* the error is borrowed */

struct api_identity {
    bool (*key)(void *ctx,
                struct api_key *out); /* false: there is no key (https, file, outside a cluster) */
    /* Makes a new key; `done` comes once, in a later turn. */
    void (*regenerate)(void *ctx, api_identity_done done, void *done_ctx);
    /* Where there is no key: `done` comes once, in a later turn, when the one that is looked for is there or cannot be. False: none
     * is looked for, and it never comes. NULL: as if false. */
    bool (*await)(void *ctx, api_identity_done done, void *done_ctx);
    void *ctx;
};

/* Who asks from elsewhere shows this token. */
struct api_access {
    const char *(*token)(void *ctx); /* NULL: there is none */
    void (*look_again)(void *ctx);   /* somebody came with another one: it may have been changed */
    void *ctx;
    bool is_open; /* --listen-unauthenticated: nobody needs it */
};

struct api_opts {
    struct loop *loop;
    const struct log *log;
    struct metrics *metrics; /* process_* */
    struct source *source;
    struct sync *sync;
    struct releases *releases;
    struct image_scans *scans;       /* NULL: registries are not read */
    const struct canaries *canaries; /* NULL: none are run here */
    struct kube *kube;
    struct kube_discovery *discovery;
    const struct api_identity *identity; /* copied; NULL: there is never a key */
    struct api_access access;            /* token NULL: nobody has one */
    const char *version;                 /* of the program, for v11/version and status */
    const char *listen;                  /* --listen: ":3030", "127.0.0.1:3030" */
    const char *listen_metrics; /* --listen-metrics; NULL or "": /metrics is served by `listen` */
    const char *git_branch;
    const char *const *git_paths;  /* NULL or empty: the whole repository */
    const char *const *allowed_ns; /* NULL: all */
    bool is_readonly;              /* --git-readonly */
};

struct api *api_new(const struct api_opts *opts);
/* Binds the listeners. ERR_INVALID for an address that is none, ERR_TRANSIENT when it is taken. */
MUST_USE struct err *api_start(struct api *api);
/* Answers what waits, and what still comes, with 503 "shutting down". The listeners stay until
 * api_free, so that these answers get out. */
void api_stop(struct api *api);
/* After source_stop has said done (and the identity provider is idle): nothing may call back into a
 * freed api. */
void api_free(struct api *api);
DEFINE_SCOPED(struct api, api_free)

/* Somebody says that a repository or an image changed: as POST v11/notify. */
void api_notify(struct api *api, const struct api_change *change);

int api_port(const struct api *api); /* 0 before api_start */
int api_metrics_port(
    const struct api *api); /* the same as api_port without a listener of its own */

#endif
