/* image/ref.h - references to images: their parts, their canonical names, and how they are written.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena.
 * Reference: gitops.md 5.3, vectors in 15.1. */
#ifndef SERIN_IMAGE_REF_H
#define SERIN_IMAGE_REF_H

#include "base/arena.h"
#include "base/err.h"

#define IMAGE_REF_BYTES_MAX ((size_t)1024)

struct image_ref {
    const char *domain, *path; /* as written; domain "" where there is none */
    const char *tag;           /* "" : none */
    const char *digest;        /* hex, without "sha256:"; "" : none */
};

/* ERR_INVALID in Flux's words: `parsing "": blank image name: invalid image ID`, … A host is a first part of three; or of two, if
 * it has a dot, a port or "localhost" in it. No part has a byte that would mean something in a URL, or a blank. */
MUST_USE struct err *image_ref_parse(struct arena *mem, const char *text, struct image_ref *out);

/* [domain/]path, then @sha256:digest or :tag: as Flux prints it (a tag next to a digest is lost). */
const char *image_ref_format(struct arena *mem, const struct image_ref *ref);
/* The same with both, as it is written into files: [domain/]path[:tag][@sha256:digest]. */
const char *image_ref_write(struct arena *mem, const struct image_ref *ref);
const char *image_ref_name(struct arena *mem, const struct image_ref *ref); /* [domain/]path */

/* index.docker.io/library/alpine: what caches and globs go by. */
const char *image_ref_canonical_name(struct arena *mem, const struct image_ref *ref);
/* The host that is asked, "index.docker.io" for Docker Hub, and the path there. */
const char *image_ref_host(const struct image_ref *ref);
const char *image_ref_canonical_path(struct arena *mem, const struct image_ref *ref);

/* The same name with another tag; of an image that was pinned the digest goes with the tag: hex, or "sha256:" and hex ("" where it
 * is not known: then the pin stays as it was, and nothing is to be changed). */
struct image_ref image_ref_with_tag(const struct image_ref *ref, const char *tag,
                                    const char *digest);

#endif
