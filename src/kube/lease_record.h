/* kube/lease_record.h - what a Lease says, what is to be done about it, and what it is to say then.
 * Effects:   none. Pure: times are arguments.
 * Ownership: results are in the caller's arena or borrow from the inputs.
 * Units:     milliseconds (monotonic) where a time is ours, nanoseconds since 1970 where it is written down. */
#ifndef SERIN_KUBE_LEASE_RECORD_H
#define SERIN_KUBE_LEASE_RECORD_H

#include "doc/val.h"

enum kube_lease_deed {
    KUBE_LEASE_CREATE, /* there is none */
    KUBE_LEASE_RENEW,  /* it is ours */
    KUBE_LEASE_TAKE, /* given back, or its holder has not renewed it for its duration by our clock */
    KUBE_LEASE_WAIT, /* another one holds it */
};

struct kube_lease_view {
    const struct val *lease; /* NULL: there is none */
    const char *identity;
    int64_t observed_ms; /* since when the lease has said what it says now */
    int64_t now_ms;
    int64_t duration_ms; /* ours, used when the lease does not say one */
};

enum kube_lease_deed kube_lease_decide(const struct kube_lease_view *view);

const char *kube_lease_holder_of(const struct val *lease); /* "" if nobody */

struct kube_lease_words {
    const char *ns, *name, *identity; /* identity "": give it back */
    int64_t duration_ms;
    int64_t now_ns;
};

/* The Lease to send for a deed (not WAIT): the one that was read with its spec changed, or a new one. With identity "" the
 * lease is given back, whatever the deed. */
const char *kube_lease_write(struct arena *mem, const struct val *lease, enum kube_lease_deed deed,
                             const struct kube_lease_words *words, size_t *out_len);

#endif
