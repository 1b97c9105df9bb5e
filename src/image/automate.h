/* image/automate.h - what automation would change now.
 * Effects:   none (pure): a view in, a plan out.
 * Ownership: results are in the caller's arena.
 * Reference: gitops.md 5.6.
 * Calm by construction: a repository of images that was not listed to its end, missing metadata of a matching tag (of the newest one
 * where versions decide, of any where times do), an image without a time where times decide, or of the same time as the newest, a pattern that is none, a pinned image when the
 * digest is not known - each leaves its container as it is. */
#ifndef SERIN_IMAGE_AUTOMATE_H
#define SERIN_IMAGE_AUTOMATE_H

#include "image/info.h"
#include "image/place.h"

struct image_automated {
    const char *id;
    const struct val *
        policies; /* image/policy.h; only of workloads that are automated, not locked, not ignored */
    const struct image_places *places;
};

struct image_automate_view {
    const struct image_automated *workloads;
    size_t count;
    /* NULL: nothing is known of it. By canonical name. */
    const struct image_repo *(*repo)(void *ctx, const char *name);
    void *ctx;
};

struct image_change {
    const char *id, *container;
    const char *from, *to; /* references as image_ref_write writes them */
};
struct image_changes {
    struct image_change *at;
    size_t len, cap;
};
struct image_automate_note { /* worth a warning: why a container is left alone */
    const char *id, *container, *text;
};
struct image_automate_notes {
    struct image_automate_note *at;
    size_t len, cap;
};

void image_automate_step(struct arena *mem, const struct image_automate_view *view,
                         struct image_changes *out, struct image_automate_notes *notes);

#endif
