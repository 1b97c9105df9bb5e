/* kube/apply.h - server-side apply, and taking over what others applied.
 * Effects:   network.
 * Ownership: bodies are copied; results are borrowed for the callback. Tickets are kube_cancel's.
 * Errors:    as kube/client.h. Those about a Secret hold nothing of its data.
 * Reference: api-server.md 1, 3, 5. */
#ifndef SERIN_KUBE_APPLY_H
#define SERIN_KUBE_APPLY_H

#include "kube/client.h"
#include "kube/discovery.h"
#include "kube/managed.h"
#include "kube/status.h"

#define KUBE_FIELD_MANAGER "serin"

struct kube_apply_result {
    struct err *err; /* borrowed */
    enum kube_refusal refusal;
    bool was_created;
    const struct val *object; /* metadata only unless full was asked for; NULL on error */
    const char *warning;      /* or NULL */
};

struct kube_apply_opts {
    bool dry_run;
    bool no_force;
    bool wants_full;           /* the whole object in the answer */
    const char *field_manager; /* default KUBE_FIELD_MANAGER */
    int64_t timeout_ms;
};

typedef void (*kube_apply_done)(void *ctx, const struct kube_apply_result *result);

/* PATCH application/apply-patch+yaml of a JSON body. `opts` may be NULL. */
ticket kube_apply_start(struct kube *kube, const struct kube_resource *resource, const char *ns,
                        const char *name, const char *json, const struct kube_apply_opts *opts,
                        kube_apply_done done, void *ctx);

/* Makes what client-side apply left in an object's managedFields ours (kube/managed.h), for an object whose metadata was read;
 * on a conflict reads it again and repeats, at most five times. Done with err NULL when nothing (more) is to be taken over,
 * and when the object is gone. */
ticket kube_takeover_start(struct kube *kube, const struct kube_resource *resource,
                           const struct val *object, kube_apply_done done, void *ctx);

#endif
