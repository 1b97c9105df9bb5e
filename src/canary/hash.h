/* canary/hash.h - the fingerprints of revisions, configs and hook payloads.
 * Effects:   none.
 * Ownership: results in the caller's arena.
 * Reference: canary.md 6.4, 7. */
#ifndef SERIN_CANARY_HASH_H
#define SERIN_CANARY_HASH_H

#include "doc/val.h"

/* Of a pod template, a Service's spec, or a text: "s1-" and 16 hex digits of SHA-256 over the canonical JSON of what is set
 * (sorted keys; nulls, empty lists and maps count as unset). */
const char *canary_hash_revision(struct arena *mem, const struct val *v);
bool canary_hash_is_ours(const char *hash);

/* Of the `data` of a ConfigMap or Secret (NULL when absent): 16 hex digits. */
const char *canary_hash_config(struct arena *mem, const struct val *data);

/* The checksum of a webhook's payload: over trackedConfigs (NULL when absent) and lastAppliedSpec. */
const char *canary_hash_payload(struct arena *mem, const struct val *tracked,
                                const char *last_applied);

#endif
