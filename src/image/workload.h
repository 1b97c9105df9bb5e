/* image/workload.h - what a live workload is: its containers, how far its rollout is, who may edit it.
 * Effects:   none (pure).
 * Ownership: a workload is in the caller's arena and keeps nothing of the object it was read from.
 * Units:     pods.
 * Reference: gitops.md 5.4, 5.8, 8.4. */
#ifndef SERIN_IMAGE_WORKLOAD_H
#define SERIN_IMAGE_WORKLOAD_H

#include "doc/val.h"

struct image_container {
    const char *name, *image;
};

struct image_workload {
    const char *id, *ns, *status, *antecedent;
    struct {
        int64_t desired, updated, ready, available, outdated;
        struct val *messages; /* a list; NULL if there is nothing to say */
    } rollout;
    /* Of the template, then its init containers; empty if one image cannot be parsed. Of a HelmRelease those of image/place.h. */
    struct {
        struct image_container *at;
        size_t len, cap;
    } containers;
    struct val *labels; /* NULL if none */
};

/* Parts of the cluster itself that are shown nowhere. */
bool image_workload_is_hidden(const struct val *object);

void image_workload_read(struct arena *mem, const char *kind, const struct val *object,
                         struct image_workload *out);

/* What git and the reconciler know of a workload. */
struct image_workload_source {
    bool is_configured;            /* there is a repository */
    bool is_ready;                 /* and it can be read and written */
    bool is_readonly;              /* --git-readonly */
    bool is_in_repo;               /* this workload is */
    const struct val *annotations; /* of its manifest; NULL if it is not in the repository */
    const char *sync_error;        /* of its last apply; "" if none */
};

/* "" when it can be edited through git, else why not. */
const char *image_workload_read_only(const struct image_workload *workload,
                                     const struct image_workload_source *source);

struct val *image_workload_json(struct arena *mem, const struct image_workload *workload,
                                const struct image_workload_source *source);

#endif
