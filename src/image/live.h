/* image/live.h - the workloads of the cluster, as they are now.
 * Effects:   lists through kube: CronJobs, DaemonSets, Deployments, StatefulSets, HelmReleases (where the cluster has them).
 * Ownership: borrows loop, kube, discovery and log, copies the texts. An object and the workload read from it are borrowed for the
 *            callback.
 * Errors:    a kind that we may not list, or that the server does not have, is left out; done gets an error when all are refused or
 *            the server cannot be asked.
 * Reference: gitops.md 5.4. */
#ifndef SERIN_IMAGE_LIVE_H
#define SERIN_IMAGE_LIVE_H

#include "image/workload.h"
#include "kube/discovery.h"

struct image_live_opts {
    struct loop *loop;
    struct kube *kube;
    struct kube_discovery *discovery; /* for helm.fluxcd.io */
    const struct log *log;
    const char *ns;                /* one namespace; NULL: all that are allowed */
    const char *const *ids;        /* only these (NULL-terminated); NULL: all */
    const char *const *allowed_ns; /* NULL: all */
};

struct image_live;
typedef void (*image_live_each)(void *ctx, const struct val *object,
                                const struct image_workload *workload);
typedef void (*image_live_done)(void *ctx, const struct err *e);
/* done comes once, in a later turn, and nothing after it. */
struct image_live *image_live_start(const struct image_live_opts *opts, image_live_each each,
                                    image_live_done done, void *ctx);
void image_live_cancel(struct image_live *live); /* NULL is fine; not after done */

/* The kinds in the order of the lists; NULL: there are no more. HelmRelease is not in every cluster. */
const struct kube_resource *image_live_kind(size_t index);

#endif
