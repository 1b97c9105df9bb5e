/* cmd/canary_service.h - the reconciler of canaries with what it needs beside the cluster's client: the cluster of the mesh, events.
 * Effects:   network; reads the mesh's kubeconfig (blocks). Hooks, alerts and queries have connections of their own: a receiver that
 *            is slow takes none from the API server.
 * Ownership: borrows everything in its options.
 * Units:     milliseconds. */
#ifndef SERIN_CMD_CANARY_SERVICE_H
#define SERIN_CMD_CANARY_SERVICE_H

#include "cmd/canary_config.h"
#include "kube/config.h"

struct canary_service;

struct canary_service_opts {
    struct loop *loop;
    const struct log *log;
    struct metrics *metrics;
    struct kube *kube;
    struct kube_discovery *discovery;      /* read already */
    struct canary_config *config;          /* mesh_is_elsewhere is set */
    const char *const *namespaces;         /* NULL: all */
    const struct kube_opts *kube_opts;     /* as the client was made: for that of the mesh */
    const struct kube_config_opts *access; /* likewise */
    void (*on_release)(void *ctx);         /* as in canaries_opts */
    void (*on_shown)(void *ctx, const struct canaries_seen *seen); /* likewise */
    void *ctx;
};

MUST_USE struct err *canary_service_new(const struct canary_service_opts *opts,
                                        struct canary_service **out);
void canary_service_start(struct canary_service *service);
/* Leader or not. */
void canary_service_act(struct canary_service *service, bool may_act);
/* Ends what runs, waits a moment for events and alerts to be delivered, then calls done. */
void canary_service_stop(struct canary_service *service, void (*done)(void *ctx), void *ctx);
void canary_service_free(struct canary_service *service);
DEFINE_SCOPED(struct canary_service, canary_service_free)

struct canaries *canary_service_canaries(const struct canary_service *service);

#endif
