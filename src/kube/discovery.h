/* kube/discovery.h - which kinds the server knows.
 * Effects:   network (aggregated discovery where offered, else group by group).
 * Ownership: resources are borrowed from the cache and end with the next refresh: look up, use, forget.
 * Groups whose discovery fails (a broken aggregated API) keep what was known and are reported, never fatal. */
#ifndef SERIN_KUBE_DISCOVERY_H
#define SERIN_KUBE_DISCOVERY_H

#include "kube/client.h"
#include "kube/resource.h"

struct kube_discovery;

struct kube_discovery *kube_discovery_new(struct kube *kube, const struct log *log);
void kube_discovery_free(
    struct kube_discovery *discovery); /* callbacks that are still due are not called */
DEFINE_SCOPED(struct kube_discovery, kube_discovery_free)

/* Reads everything again; several calls before it ends share one. `err` (borrowed) only when nothing could be read. */
typedef void (*kube_discovery_done)(void *ctx, const struct err *err);
void kube_discovery_refresh(struct kube_discovery *discovery, kube_discovery_done done, void *ctx);

bool kube_discovery_is_ready(const struct kube_discovery *discovery);
const struct kube_resource *kube_discovery_find(const struct kube_discovery *discovery,
                                                const char *api_version,
                                                const char *kind); /* NULL: unknown */
/* Whether the server names this group version, be its kinds known or (broken) not. */
bool kube_discovery_knows_group(const struct kube_discovery *discovery, const char *api_version);
/* The preferred version's resource whose lower-cased kind is this; core before groups by name. NULL: none. */
const struct kube_resource *kube_discovery_find_kind(const struct kube_discovery *discovery,
                                                     const char *lower_kind);
size_t kube_discovery_len(const struct kube_discovery *discovery);
const struct kube_resource *kube_discovery_at(const struct kube_discovery *discovery, size_t index);
const char *kube_discovery_server_version(
    const struct kube_discovery *discovery); /* v1.34.4; "" before the first refresh */
/* Whether a write to the scale subresource shows in managedFields: from 1.22 on. Yes, while the version is not known. */
bool kube_discovery_tracks_scale(const struct kube_discovery *discovery);

#endif
