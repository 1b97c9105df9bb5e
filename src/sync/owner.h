/* sync/owner.h - what another part of this process owns of the objects that sync applies: canaries (design.md 3.6).
 * Effects:   none.
 * Ownership: the struct and what it points at outlive sync.
 * Units:     none. */
#ifndef SERIN_SYNC_OWNER_H
#define SERIN_SYNC_OWNER_H

#include "base/base.h"

enum owner_field {
    OWNER_REPLICAS = 1, /* spec.replicas: sent on creation, and until another has taken them */
    OWNER_SELECTOR = 2, /* spec.selector and spec.ports of a Service: as they are in the cluster */
    OWNER_ROUTES =
        4, /* spec of a routing object: as it is in the cluster; no drift, since it changes at every step of a run */
};

struct sync_owner {
    /* Whether it has seen all there is. Nothing is applied before that, or for half a minute: what it owns might be reset. */
    bool (*is_known)(void *ctx);
    unsigned (*owned)(void *ctx, const char *api_version, const char *kind, const char *ns,
                      const char *name); /* enum owner_field */
    void *ctx;
};

/* NULL owns nothing. */
static inline unsigned owner_fields(const struct sync_owner *owner, const char *api_version,
                                    const char *kind, const char *ns, const char *name)
{
    return owner ? owner->owned(owner->ctx, api_version, kind, ns, name) : 0;
}

#endif
