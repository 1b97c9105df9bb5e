/* release/select.h - which workloads a release is of, and which image each container gets.
 * Effects:   none (pure): a view in, results and edits out.
 * Ownership: results are in the caller's arena.
 * Errors:    ERR_INVALID for a job that fails as a whole, in the words of gitops.md 6.3 (`image "…" does not exist: invalid image
 *            ID`, `cannot satisfy specs`, `no changes found`, `blank tag …`).
 * Reference: gitops.md 5.1, 5.6, 6.2, 6.3, 6.7. */
#ifndef SERIN_RELEASE_SELECT_H
#define SERIN_RELEASE_SELECT_H

#include "image/info.h"
#include "image/workload.h"
#include "release/result.h"
#include "release/spec.h"
#include "release/survey.h"

/* A workload as the cluster has it. */
struct release_live {
    const struct image_workload *workload;
    struct val *policies; /* of the live object, prefix fluxcd.io/ only */
};

struct release_view {
    const struct release_spec *spec;
    const struct release_survey *survey;
    const struct release_live *live; /* those that are there and may be seen; by ID */
    size_t live_count;
    const struct image_repo *(*repo)(void *ctx,
                                     const char *name); /* canonical; NULL: nothing known */
    /* Why nothing will ever be known of it: scanning is disabled, it is excluded; NULL: no such reason. The field may be NULL. */
    const char *(*why_not)(void *ctx, const char *name);
    void *ctx;
};

/* What is to be changed in the files. */
struct release_edit {
    const struct release_workload *workload;
    /* Images: place by place. */
    struct {
        const struct image_place *place;
        struct image_ref ref;
    } * images;
    size_t image_count, image_cap;
    /* Annotations: key -> text; "" takes it away. NULL: none. */
    struct val *annotations;
};
struct release_edits {
    struct release_edit *at;
    size_t len, cap;
};

/* IDs whose live objects the view needs (NULL-terminated; those of the survey that come into question), and the images whose
 * tags it needs: to be asked for before release_select. */
struct release_needs {
    const char *const *ids;
    const char *const *images;
};
void release_select_needs(struct arena *mem, const struct release_spec *spec,
                          const struct release_survey *survey, struct release_needs *out);

/* The result is there in case of an error, too: it says of which workload, as far as one is to blame. */
MUST_USE struct err *release_select(struct arena *mem, const struct release_view *view,
                                    struct release_result *result, struct release_edits *edits);

#endif
