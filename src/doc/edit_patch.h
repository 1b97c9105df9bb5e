/* doc/edit_patch.h - what is wanted of the nodes, as changes of bytes.
 * Effects:   none.
 * Ownership: in the caller's arena. */
#ifndef SERIN_DOC_EDIT_PATCH_H
#define SERIN_DOC_EDIT_PATCH_H

#include "doc/edit_tree.h"

struct edit_patch {
    size_t from, to;  /* these bytes go, */
    const char *text; /* and this comes in their place */
    size_t order;     /* of those at one place */
};

struct edit_patches {
    struct edit_patch *at;
    size_t len, cap;
};

/* Of one document; also settles what goes with what is wanted (maps that got empty, aliases to be spelled out). */
void edit_patch_document(struct arena *mem, const struct edit_tree *tree,
                         struct edit_document *document, struct edit_patches *out);
/* The text with all of them; false if two are in each other's way. A last line that had no end gets none. */
bool edit_patch_apply(const struct edit_tree *tree, struct edit_patches *patches, struct sbuf *out);

#endif
