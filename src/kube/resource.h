/* kube/resource.h - what a kind is on one server, and where its objects are.
 * Effects:   none (pure).
 * Ownership: texts are borrowed from whoever made the resource.
 * Units:     none. */
#ifndef SERIN_KUBE_RESOURCE_H
#define SERIN_KUBE_RESOURCE_H

#include "base/arena.h"
#include "base/base.h"

enum kube_verb {
    KUBE_GET = 1,
    KUBE_LIST = 2,
    KUBE_WATCH = 4,
    KUBE_CREATE = 8,
    KUBE_PATCH = 16,
    KUBE_DELETE = 32,
    KUBE_UPDATE = 64
};

struct kube_resource {
    const char *group, *version; /* "" for the core group */
    const char *api_version;     /* apps/v1, v1 */
    const char *kind, *plural;
    bool is_namespaced;
    bool is_preferred; /* its version is the group's preferred one (that serves it) */
    unsigned verbs;
};

/* /api/v1/namespaces/NS/plural[/NAME][/SUBRESOURCE]; ns "" for all namespaces or cluster scope; name, subresource may be
 * NULL. Parts are percent-encoded: a name from outside cannot become another path. */
const char *kube_path(struct arena *mem, const struct kube_resource *resource, const char *ns,
                      const char *name, const char *subresource);

#endif
