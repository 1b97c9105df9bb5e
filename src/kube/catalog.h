/* kube/catalog.h - the kinds of one server, put together from its discovery documents.
 * Effects:   none (pure).
 * Ownership: the catalog owns everything it hands out.
 * Errors:    ERR_INVALID for what is no discovery document, ERR_LIMIT past the limits below.
 *
 * Filled in this order: kube_catalog_read (of /api and of /apis), then for each group version that is left KUBE_GV_UNREAD
 * either kube_catalog_read_version or kube_catalog_keep, then kube_catalog_finish; only then the look-ups. */
#ifndef SERIN_KUBE_CATALOG_H
#define SERIN_KUBE_CATALOG_H

#include "base/err.h"
#include "kube/resource.h"

#define KUBE_GROUP_VERSIONS_MAX ((size_t)4000)
#define KUBE_RESOURCES_MAX      ((size_t)50000)

enum kube_gv_state {
    KUBE_GV_UNREAD, /* named by the server, its kinds not known yet */
    KUBE_GV_READ,
    KUBE_GV_BROKEN, /* its server did not say: what is here may be old, or nothing */
};

struct kube_gv {
    const char *group, *version, *api_version;
    enum kube_gv_state state;
};

struct kube_catalog;
struct kube_catalog *kube_catalog_new(void);
void kube_catalog_free(struct kube_catalog *catalog);
DEFINE_SCOPED(struct kube_catalog, kube_catalog_free)

/* The answer of /api or /apis: APIGroupDiscoveryList (v2, v2beta1), APIVersions or APIGroupList. */
MUST_USE struct err *kube_catalog_read(struct kube_catalog *catalog, const char *body, size_t len);
/* The answer of /api/v1 or /apis/GROUP/VERSION: APIResourceList. */
MUST_USE struct err *kube_catalog_read_version(struct kube_catalog *catalog, size_t gv,
                                               const char *body, size_t len);
/* Marks a group version broken; its kinds are those `old` (may be NULL) knew, if it knew any. */
void kube_catalog_keep(struct kube_catalog *catalog, size_t gv, const struct kube_catalog *old);
/* Takes over all core (or all other) groups of `old` when /api (or /apis) itself could not be read. */
void kube_catalog_keep_all(struct kube_catalog *catalog, const struct kube_catalog *old,
                           bool is_core);
void kube_catalog_finish(struct kube_catalog *catalog);

size_t kube_catalog_gv_len(const struct kube_catalog *catalog);
const struct kube_gv *kube_catalog_gv_at(const struct kube_catalog *catalog, size_t gv);
const struct kube_gv *kube_catalog_gv_find(const struct kube_catalog *catalog,
                                           const char *api_version);

/* In order: core, then groups by name; versions by preference. */
size_t kube_catalog_len(const struct kube_catalog *catalog);
const struct kube_resource *kube_catalog_at(const struct kube_catalog *catalog, size_t index);
const struct kube_resource *kube_catalog_find(const struct kube_catalog *catalog,
                                              const char *api_version, const char *kind);
const struct kube_resource *kube_catalog_find_kind(const struct kube_catalog *catalog,
                                                   const char *lower_kind);

#endif
