/* release/select_parts.h - what the parts of a selection share; nobody else's.
 * Effects:   none (pure).
 * Ownership: everything is in the arena of the run. */
#ifndef SERIN_RELEASE_SELECT_PARTS_H
#define SERIN_RELEASE_SELECT_PARTS_H

#include "release/select.h"

struct select_run {
    struct arena *mem;
    const struct release_view *view;
    const struct release_spec *spec;
    struct release_result *result;
    struct release_edits *edits;
    struct map *newest; /* select_image.c: what was found already */
};

/* A workload that may be changed: in the repository, in the cluster, and nothing speaks against it. */
struct select_candidate {
    const struct release_workload *workload;
    const struct image_workload *live;
};
struct select_candidates {
    struct select_candidate *at;
    size_t len, cap;
};

/* --- select_image.c: which image each container gets */
MUST_USE struct err *release_select_image_all(struct select_run *run,
                                              const struct select_candidates *candidates);
/* The image asked for: must be there. Nothing to be said where all the latest are wanted. */
MUST_USE struct err *release_select_image_check(const struct select_run *run);
/* One image by two names, however the domain of Docker Hub is written. */
bool release_select_image_is_same(struct arena *mem, const struct image_ref *a,
                                  const struct image_ref *b);
bool release_select_image_is_used(struct arena *mem, const struct image_workload *live,
                                  const char *image);

/* --- select_container.c: containers and images that were named one by one */
MUST_USE struct err *release_select_container_all(struct select_run *run,
                                                  const struct select_candidates *candidates);
void release_select_container_auto(struct select_run *run,
                                   const struct select_candidates *candidates);
/* What one container gets, into result and edit. */
struct select_change {
    const struct image_place *place;
    const char *current, *target; /* as image_ref_write */
    struct image_ref ref;
};
struct select_changes {
    struct select_change *at;
    size_t len, cap;
};
void release_select_container_take(struct select_run *run, const struct release_workload *workload,
                                   const struct select_changes *changes, const char *note);
/* The image that runs. What is pinned in the cluster shows no tag: there the file says it, as long as both speak of one image. False:
 * it cannot be read. */
bool release_select_container_current(struct arena *mem, const struct image_place *place,
                                      const char *live, struct image_ref *out);
const struct image_place *release_select_container_place(const struct release_workload *workload,
                                                         const char *container);

/* --- select_policy.c: annotations */
MUST_USE struct err *release_select_policy_all(struct select_run *run);

/* --- select.c: what is to be said of an ID that is not in the repository */
const char *release_select_missing(const struct select_run *run);

#define SELECT_UP_TO_DATE "image(s) up to date"

#endif
