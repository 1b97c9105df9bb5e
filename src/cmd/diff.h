/* cmd/diff.h - what a sync would change in the cluster, object by object. For cmd/diff*.c.
 * Effects:   reads the cluster; asks it for dry runs, which change nothing.
 * Ownership: results are in the arena of the plan.
 * Units:     none. */
#ifndef SERIN_CMD_DIFF_H
#define SERIN_CMD_DIFF_H

#include "cmd/cluster.h"
#include "doc/diff.h"
#include "kube/discovery.h"
#include "sync/manifest.h"
#include "sync/resolve.h"

enum diff_action {
    DIFF_NONE,
    DIFF_CREATE,
    DIFF_UPDATE,
    DIFF_DELETE,
    DIFF_SKIP,  /* a sync would leave it alone: `note` says why */
    DIFF_ERROR, /* `note` is what the server or the check said */
};

struct diff_object {
    const char *api_version, *ns, *kind, *name, *path; /* path "" for what no file declares */
    uint32_t line;
    enum diff_action action;
    const char *note;
    struct doc_changes changes;
};

struct diff_objects {
    struct diff_object *at;
    size_t len, cap;
};

/* What to compare: filled by diff_plan. */
struct diff_plan {
    struct arena *mem;
    struct manifest_list manifests;
    struct manifest_problems problems;
    struct resolved *resolved; /* one per manifest, made once the cluster's kinds are known */
    struct map *scaled;        /* IDs of what autoscalers of the manifests scale */
    const char *set_name;      /* NULL: no repository is named, so nothing is ours to delete */
    const char *default_ns;
    const char *const *allowed_ns;
    const char *const *excluded_kinds;
    bool prunes;
};

void diff_plan_resolve(struct diff_plan *plan, const struct kube_discovery *discovery);

/* Compares all; one entry per manifest, in their order, then what would be deleted. The error is about
 * the cluster as a whole. */
MUST_USE struct err *diff_compare(struct diff_plan *plan, const struct cluster *cluster,
                                  struct diff_objects *out);

/* The changes between a live object and what an apply makes of it, without what the server writes itself and without
 * our own marks; values of Secrets are masked. Pure. */
void diff_changes(struct arena *mem, const struct val *live, const struct val *applied,
                  struct doc_changes *out);

/* In place of all values, those that paths name items of lists by, too: of what is encrypted in the repository. Pure. */
void diff_mask(struct arena *mem, struct doc_changes *changes);

/* Fields of a live object that only `kubectl apply` or Flux v1 still owns and the apply does not have: gone after a sync, which
 * takes their fields over first. Pure. */
struct diff_pair {
    const struct val *live, *applied; /* as the server gave them, with managedFields */
    const struct val *shown_live;     /* live, without what is not worth a line */
};
void diff_takeover_changes(struct arena *mem, const struct diff_pair *pair,
                           struct doc_changes *out);

/* Text for people, or one line of JSON. Pure. */
void diff_print(const struct diff_objects *objects, struct sbuf *out);
void diff_print_json(struct arena *mem, const struct diff_objects *objects, struct sbuf *out);

#endif
