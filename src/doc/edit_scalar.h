/* doc/edit_scalar.h - how a string is written so that every reader of YAML takes it for that string.
 * Effects:   none (into the buffer).
 * Ownership: none.
 * Plain text is plain only if it is for go-yaml v2, for YAML 1.1 (base 60, =, <<, dates with blanks, commas in numbers) and for
 * YAML 1.2 (0o17, any exponent); 'single' where that can say it, else "double" with escapes that JSON knows too. */
#ifndef SERIN_DOC_EDIT_SCALAR_H
#define SERIN_DOC_EDIT_SCALAR_H

#include "doc/edit_tree.h"

struct edit_manner {
    enum edit_style style; /* to be kept where it can say the text; EDIT_BLOCK counts as plain */
    bool in_flow;
    bool is_json;      /* "double" always */
    bool has_text_tag; /* types are no matter */
};

void edit_scalar_write(struct sbuf *out, const char *text, const struct edit_manner *manner);

/* A value in brackets, nested ones too. */
struct edit_flow {
    bool is_json;
    const char *comma, *colon; /* ", " and ": " as the neighbours have them */
    /* Maps over several lines: what stands before the closing bracket of the outermost (a break and blanks), and what is
     * added each level further in. "": all on one line. */
    const char *line, *unit;
};
void edit_scalar_flow(struct sbuf *out, const struct val *v, const struct edit_flow *flow);

#endif
