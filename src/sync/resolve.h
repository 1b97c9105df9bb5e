/* sync/resolve.h - a manifest to the object that is to be in the cluster: identity, namespace, and
 * the body that is sent.
 * Effects:   none. Pure.
 * Ownership: results are in the caller's arena; texts may be borrowed from the manifest.
 * Reference: gitops.md 0.2, 3.3 to 3.6; api-server.md 1.1, 1.3. */
#ifndef SERIN_SYNC_RESOLVE_H
#define SERIN_SYNC_RESOLVE_H

#include "base/map.h"
#include "sync/builtin.h"
#include "sync/manifest.h"
#include "sync/mark.h"

enum resolve_scope { RESOLVE_UNKNOWN, RESOLVE_NAMESPACED, RESOLVE_CLUSTER };

#define RESOLVE_BODY_MAX ((size_t)3 << 20) /* api-server.md 6: limit is 3145728 */

struct resolve_settings {
    const char *set_name; /* mark_set_name */
    const char *default_ns;
    const char *const *allowed_ns; /* NULL or empty: all */
};

enum resolve_verdict {
    RESOLVE_APPLY,
    RESOLVE_IGNORED,   /* ignore: "true" in the manifest */
    RESOLVE_EXCLUDED,  /* by --k8s-allow-namespace */
    RESOLVE_NO_SCOPE,  /* the cluster does not know the kind, nor does a CRD of the repository */
    RESOLVE_TOO_LARGE, /* no API server takes a body of that size */
    RESOLVE_DUPLICATE, /* set by resolve_duplicates only */
};

struct resolved {
    const struct manifest *manifest;
    enum resolve_verdict verdict;
    const char *reason; /* for the log, in Flux's words; "" for RESOLVE_APPLY */
    const char *id; /* with the effective namespace; without a scope the namespace as written, else
                       the default */
    const char *other_id; /* without a scope: the ID it would have as a cluster-wide object; else
                             NULL. Both are declared */
    const char *api_version, *kind, *ns, *name; /* ns "" for cluster-wide objects */
    int rank;
    bool is_cluster_scoped;
    enum mark_ignore ignore;
    const char *mark;     /* the label as sent: one in the manifest wins over ours */
    const char *checksum; /* the annotation as sent: one in the manifest wins */
    const char
        *scale_target; /* of a HorizontalPodAutoscaler: the ID of what it scales; else NULL */

    /* RESOLVE_APPLY only, else NULL, 0: compact JSON as it is sent. Without nulls, status and what
     * only a server writes (managedFields, resourceVersion, uid, creationTimestamp, generation,
     * selfLink, deletion*, last-applied-configuration); a Secret's stringData is in data (as the
     * server stores it, so that ownership is seen on `data`); keys in the order of the file. */
    const char *body;
    size_t body_len;
    unsigned char print[16]; /* of the body */
};

void resolve_manifest(struct arena *mem, const struct manifest *manifest, enum resolve_scope scope,
                      const struct resolve_settings *settings, struct resolved *out);

/* A body without spec.replicas: for what an autoscaler scales. */
const char *resolve_drop_replicas(struct arena *mem, const char *body);
/* A body with those parts of its spec that another owns (enum owner_field) as the live object has them. */
const char *resolve_keep_live(struct arena *mem, const char *body, const struct val *live,
                              unsigned owned);

/* Claims on one ID by more than one manifest: each gets RESOLVE_DUPLICATE, no
 * body, and a problem `duplicate definition of 'id' (in a and b)`. True if there were any. */
bool resolve_duplicates(struct arena *mem, struct resolved *list, size_t count,
                        struct manifest_problems *problems);

/* The text for any number of claims on one ID, which it sorts: generated ones first, each place once. */
const char *resolve_duplicate_text(struct arena *mem, const char *id,
                                   struct manifest_source *claims, size_t count);

/* What a HorizontalPodAutoscaler (of a manifest or live) in `ns` scales, as an ID; NULL for other
 * kinds or nothing. */
const char *resolve_scale_target(struct arena *mem, const struct val *object, const char *ns);

/* Kinds that the repository itself defines. */
struct resolve_crd {
    const struct manifest *manifest;
    const char *group, *kind, *plural;
    const char **versions; /* all, served or not */
    size_t version_count;
    enum resolve_scope scope;
};
struct resolve_crds {
    struct resolve_crd *at;
    size_t len, cap;
};
void resolve_find_crds(struct arena *mem, const struct manifest *manifests, size_t count,
                       struct resolve_crds *out);
/* NULL if none defines the kind in that version. */
const struct resolve_crd *resolve_crd_of(const struct resolve_crds *crds, const char *api_version,
                                         const char *kind);

bool resolve_is_allowed(const char *const *allowed_ns, const char *api_version, const char *kind,
                        const char *ns, const char *name);

#endif
