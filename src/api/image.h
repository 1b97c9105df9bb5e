/* api/image.h - the text of an image as Flux writes it.
 * Effects:   none (pure).
 * Ownership: the text is in the caller's arena.
 * Reference: gitops.md 5.3. */
#ifndef SERIN_API_IMAGE_H
#define SERIN_API_IMAGE_H

#include "base/arena.h"

/* [domain/]path, then @sha256:digest or :tag (a tag next to a digest is lost); NULL if it cannot be parsed. */
const char *api_image_format(struct arena *mem, const char *text);

#endif
