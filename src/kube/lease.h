/* kube/lease.h - leader election on a coordination.k8s.io/v1 Lease, as client-go does it.
 * Effects:   network, timers.
 * Ownership: borrows loop, kube, log.
 * Units:     milliseconds. Deadlines use the monotonic clock: a holder that cannot renew for renew_deadline_ms has lost.
 * After on_lost it goes on trying: on_acquired may come again. Another's lease is taken only when nothing in it changed for its
 * duration by our own clock, whatever its times say. */
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
/* Gives the lease back (holderIdentity "") when held, then calls done, in a later turn. Neither on_acquired nor on_lost comes
 * any more. */
void kube_lease_release(struct kube_lease *lease, void (*done)(void *ctx), void *ctx);
void kube_lease_free(
    struct kube_lease
        *lease); /* NULL is fine; gives nothing back; not from within on_acquired or on_lost */
DEFINE_SCOPED(struct kube_lease, kube_lease_free)
const char *kube_lease_holder(const struct kube_lease *lease); /* "" unknown */
bool kube_lease_is_held(const struct kube_lease *lease);       /* by us */

#endif
