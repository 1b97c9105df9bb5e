/* kube/managed.h - metadata.managedFields: what is ours, and how what others applied becomes ours.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena.
 * Reference: api-server.md 1.2, 5. */
#ifndef SERIN_KUBE_MANAGED_H
#define SERIN_KUBE_MANAGED_H

#include "doc/val.h"

/* The 16-byte fingerprint of our Apply entry (api-server.md 1.2); false if there is none. */
bool kube_apply_fingerprint(const struct val *object, const char *field_manager,
                            unsigned char out[16]);

/* Whether our entry has this field: NULL-terminated steps as managedFields spells them ("f:spec", "f:replicas"). */
bool kube_apply_owns(const struct val *object, const char *field_manager,
                     const char *const *field_path);

/* The JSON patch that makes entries of client-side apply (kubectl, Flux v1, before-first-apply) ours, with the guard on
 * resourceVersion; NULL when there is nothing to take over. api-server.md 5, steps 1 to 3. */
const char *kube_apply_takeover_patch(struct arena *mem, const struct val *object,
                                      const char *field_manager, size_t *out_len);

#endif
