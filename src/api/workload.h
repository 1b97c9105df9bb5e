/* api/workload.h - what a live workload is: its containers, how far its rollout is, who may edit it.
 * Effects:   none (pure).
 * Ownership: a workload is in the caller's arena and keeps nothing of the object it was read from.
 * Units:     pods.
 * Reference: gitops.md 5.4, 5.8, 8.4. */
#ifndef SERIN_API_WORKLOAD_H
#define SERIN_API_WORKLOAD_H

#include "doc/val.h"

struct api_container {
    const char *name, *image;
};

struct api_workload {
    const char *id, *ns, *status, *antecedent;
    struct {
        int64_t desired, updated, ready, available, outdated;
        struct val *messages; /* a list; NULL if there is nothing to say */
    } rollout;
    struct {
        struct api_container *at;
        size_t len, cap;
    } containers; /* of the template, then its init containers; empty if one image cannot be parsed */
    struct val *labels; /* NULL if none */
};

/* Parts of the cluster itself that are shown nowhere. */
bool api_workload_is_hidden(const struct val *object);

void api_workload_read(struct arena *mem, const char *kind, const struct val *object,
                       struct api_workload *out);

/* What git and the reconciler know of a workload. */
struct api_workload_source {
    bool is_configured;            /* there is a repository */
    bool is_ready;                 /* and it can be read and written */
    bool is_readonly;              /* --git-readonly */
    bool is_in_repo;               /* this workload is */
    const struct val *annotations; /* of its manifest; NULL if it is not in the repository */
    const char *sync_error;        /* of its last apply; "" if none */
};

/* "" when it can be edited through git, else why not. */
const char *api_workload_read_only(const struct api_workload *workload,
                                   const struct api_workload_source *source);

struct val *api_workload_json(struct arena *mem, const struct api_workload *workload,
                              const struct api_workload_source *source);

#endif
