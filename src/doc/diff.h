/* doc/diff.h - what differs between two documents, field by field.
 * Effects:   none.
 * Ownership: results are in the caller's arena and borrow from the inputs. */
#ifndef SERIN_DOC_DIFF_H
#define SERIN_DOC_DIFF_H

#include "doc/val.h"

struct doc_change {
    const char *path;            /* .spec.template.spec.containers[name=web].image, .data["a.b"] */
    const struct val *from, *to; /* NULL: absent on that side */
};

#define DOC_DIFF_MAX 10000 /* changes */

struct doc_changes {
    struct doc_change *at;
    size_t len, cap;
    bool is_cut; /* there were more than DOC_DIFF_MAX */
};

/* In the order of the documents. Lists of maps that all have a distinct text `name` are compared by it, others by position.
 * A change is as deep as can be: lists and maps only where the other side has none. Long keys are cut in paths. */
void doc_diff(struct arena *mem, const struct val *from, const struct val *to,
              struct doc_changes *out);

/* How paths write a key, .name or ["a.b"], and what items are called by, web or "a.b": what is quoted ends where it seems to. */
const char *doc_diff_key(struct arena *mem, const char *key);
const char *doc_diff_word(struct arena *mem, const char *text);

#endif
