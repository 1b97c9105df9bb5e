/* image/wanted.h - what is wanted of one repository: the sum of wishes.
 * Effects:   none (pure).
 * Ownership: it owns copies of all it is given, until wanted_fini.
 * Units:     none. */
#ifndef SERIN_IMAGE_WANTED_H
#define SERIN_IMAGE_WANTED_H

#include "base/vec.h"
#include "image/creds.h"
#include "image/scans.h"

struct wanted {
    struct arena *mem; /* NULL: nothing was added yet */
    bool is_all;       /* images of all tags */
    VEC(const char *) patterns;
    VEC(struct creds_source) sources;
    struct map *seen; /* what is in both, as texts */
};

void wanted_fini(struct wanted *wanted);
void wanted_add(struct wanted *wanted, const struct image_wish *wish);
/* Nothing is in `now` that was not in `before`. */
bool wanted_is_covered(const struct wanted *now, const struct wanted *before);

#endif
