/* image/place.h - where a manifest names its images, and what is to be written there for another one.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena and borrow from the manifest.
 * Limits:    IMAGE_PLACES_MAX of one manifest; what is beyond counts as bad.
 * Reference: gitops.md 5.4, helm-release.md 11. */
#ifndef SERIN_IMAGE_PLACE_H
#define SERIN_IMAGE_PLACE_H

#include "doc/edit.h"
#include "image/ref.h"

#define IMAGE_PLACES_MAX ((size_t)1000)

/* One container, or what a HelmRelease calls one. */
struct image_place {
    const char *container;
    struct image_ref ref;
    /* Paths from the root of the manifest (each ends with DOC_END); NULL where the shape has no such part. */
    const struct doc_step *image;    /* the whole reference, or the repository */
    const struct doc_step *registry; /* written with the domain alone */
    const struct doc_step *tag;      /* written with the tag alone */
    const char *registry_text;       /* what stands at `registry`; "" */
};

struct image_places {
    struct image_place
        *at; /* containers, then initContainers; chart-image, then the others by name */
    size_t len, cap;
};

/* CronJob, DaemonSet, Deployment, StatefulSet, HelmRelease; of every other kind there are none. What cannot be parsed is left
 * out, and `bad` (may be NULL) counts it. An unquoted tag of a HelmRelease (tag: 1.10) is no text: the image looks untagged, as
 * helm would not agree with us about what it is; so does one with an empty tag. Both have a place for the tag, though. */
void image_places_read(struct arena *mem, const struct val *manifest, struct image_places *out,
                       size_t *bad);
/* The same of an object that does not say its kind, as items of the API server's lists do not. */
void image_places_read_kind(struct arena *mem, const char *kind, const struct val *object,
                            struct image_places *out, size_t *bad);
bool image_place_is_workload(const char *kind); /* any case */

/* The texts that make the place name another image: up to three. A registry that the new name begins with (quay.io/team) stays as
 * it is. */
struct image_write {
    const struct doc_step *path;
    const char *text;
};
size_t image_place_write(struct arena *mem, const struct image_place *place,
                         const struct image_ref *ref, struct image_write out[3]);

/* Names of what the pods need to pull: spec.imagePullSecrets of the template, and its service account ("default" where none is
 * named). Both in the arena; the list is NULL-terminated. Empty for a HelmRelease. */
struct image_pull {
    const char *service_account;
    const char *const *secrets;
};
void image_place_pull(struct arena *mem, const struct val *manifest, struct image_pull *out);
void image_place_pull_kind(struct arena *mem, const char *kind, const struct val *object,
                           struct image_pull *out);

#endif
