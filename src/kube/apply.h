/* kube/apply.h - server-side apply, and taking over what others applied.
 * Effects:   network.
 * Ownership: bodies are copied; results are borrowed for the callback.
 * Reference: api-server.md 1, 3, 5. */
#ifndef SERIN_KUBE_APPLY_H
#define SERIN_KUBE_APPLY_H

#include "kube/client.h"
#include "kube/discovery.h"
#include "kube/status.h"

#define KUBE_FIELD_MANAGER "serin"

struct kube_apply_result {
    struct err *err;             /* borrowed */
    enum kube_refusal refusal;
    bool was_created;
    const struct val *object;    /* metadata only unless full was asked for; NULL on error */
    const char *warning;         /* or NULL */
};

struct kube_apply_opts {
    bool dry_run;
    bool no_force;
    bool wants_full;             /* the whole object in the answer */
    const char *field_manager;   /* default KUBE_FIELD_MANAGER */
    int64_t timeout_ms;
};

typedef void (*kube_apply_done)(void *ctx, const struct kube_apply_result *result);

/* PATCH application/apply-patch+yaml of a JSON body. */
ticket kube_apply_start(struct kube *kube, const struct kube_resource *resource, const char *ns, const char *name,
                        const char *json, const struct kube_apply_opts *opts, kube_apply_done done, void *ctx);

/* The 16-byte fingerprint of our Apply entry in metadata.managedFields (api-server.md 1.2); false if there is none. Pure. */
bool kube_apply_fingerprint(const struct val *object, const char *field_manager, unsigned char out[16]);

/* The fields of our entry as paths ("f:spec"/"f:replicas" -> owned). Pure. */
bool kube_apply_owns(const struct val *object, const char *field_manager, const char *const *field_path);

/* The JSON patch that makes entries of client-side apply (kubectl, Flux v1, before-first-apply) ours, with the guard on
 * resourceVersion; NULL when there is nothing to take over. Pure. api-server.md 5, steps 1 to 3. */
const char *kube_apply_takeover_patch(struct arena *mem, const struct val *object, const char *field_manager, size_t *out_len);

/* Sends that patch for an object whose metadata was read; on a conflict reads it again and repeats, at most five times. Done
 * with err NULL when nothing (more) is to be taken over. */
ticket kube_takeover_start(struct kube *kube, const struct kube_resource *resource, const struct val *object,
                           kube_apply_done done, void *ctx);

#endif
