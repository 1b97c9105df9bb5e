/* kube/lease.h - leader election on a coordination.k8s.io/v1 Lease, as client-go does it.
 * Effects:   network, timers.
 * Ownership: borrows loop, kube, log.
 * Units:     milliseconds. Deadlines use the monotonic clock: a holder that cannot renew for renew_deadline_ms has lost. */
#ifndef SERIN_KUBE_LEASE_H
#define SERIN_KUBE_LEASE_H

#include "kube/client.h"

struct kube_lease_opts {
    struct kube *kube;
    struct loop *loop;
    const struct log *log;
    const char *ns, *name, *identity;
    int64_t duration_ms, renew_deadline_ms, retry_ms; /* defaults 15 s, 10 s, 2 s */
    void (*on_acquired)(void *ctx);
    void (*on_lost)(void *ctx);
    void *ctx;
};

struct kube_lease;
struct kube_lease *kube_lease_start(const struct kube_lease_opts *opts);
/* Gives the lease back (holderIdentity "") when held, then calls done. */
void kube_lease_release(struct kube_lease *lease, void (*done)(void *ctx), void *ctx);
void kube_lease_free(struct kube_lease *lease);
const char *kube_lease_holder(const struct kube_lease *lease); /* "" unknown */

#endif
