/* sync/gc.h - which live objects are to go because the repository no longer has them.
 * Effects:   none. Pure.
 * Ownership: results are in the caller's arena; the rest is borrowed.
 * Reference: gitops.md 3.8; design.md 5 ("an empty result never prunes everything"). */
#ifndef SERIN_SYNC_GC_H
#define SERIN_SYNC_GC_H

#include "base/arena.h"
#include "base/base.h"
#include "base/map.h"
#include "sync/mark.h"

/* A live object that carries the mark label. */
struct gc_live {
    const char *id, *api_version, *kind, *ns, *name; /* ns "" for cluster-wide ones */
    const char *uid;                                 /* "": not known */
    const char *mark;                                /* the label's value */
    const char *checksum;                            /* annotation; NULL: none */
    enum mark_ignore ignore;
    bool has_owner, is_deleting;
};

/* What the repository says of an ID. All of its claims are declared: ignored, excluded, duplicate,
 * failed, without scope. */
struct gc_declared {
    const char *api_version, *kind, *ns;
    const char *checksum; /* as it should be there; NULL: not to be compared (not applied at this
                             revision) */
};

struct gc_view {
    const struct gc_live *live;
    size_t count;
    size_t declared_live;       /* marked live objects that are declared and left out of `live` */
    const struct map *declared; /* ID -> struct gc_declared */
    const char *set_name;
    const char *const *allowed_ns; /* NULL or empty: all */
    const char *suspended; /* why nothing may go now (a file that cannot be read: what it declares
                              is unknown); NULL: nothing stands against it */
    bool allow_prune_all;
};

enum gc_verdict {
    GC_DECLARED, /* stays */
    GC_STALE, /* stays, but is not as declared: warning "resource to be synced has not been updated;
                 skipping" */
    GC_FOREIGN,   /* another set's mark, or a copied one */
    GC_EXCLUDED,  /* in a namespace that is not ours to touch */
    GC_OWNED,     /* has an owner, which takes it along */
    GC_DELETING,  /* is on its way out already */
    GC_IGNORED,   /* ignore: "true" or sync_only on the live object */
    GC_NEEDED,    /* a Namespace or CRD that declared objects live in or are made of */
    GC_SUSPENDED, /* would go, were it not for view.suspended */
    GC_REFUSED,   /* would go, but so would everything */
    GC_DELETE,
};

struct gc_plan {
    enum gc_verdict *verdicts; /* one for each live object */
    const char *
        *reasons; /* for the log; "" where there is nothing to say (GC_DECLARED, GC_FOREIGN, …) */
    size_t *deletes; /* indices of what is to go, in that order: the reverse of applying */
    size_t delete_count;
    const char *refusal; /* NULL, or why GC_REFUSED and what to do */
};

void gc_decide(struct arena *mem, const struct gc_view *view, struct gc_plan *out);

const char *gc_verdict_name(enum gc_verdict verdict);

#endif
