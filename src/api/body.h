/* api/body.h - what clients send: changes, booleans, any value.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena.
 * Errors:    ERR_INVALID; `offset` (may be NULL) is what Go's decoder reports, the count of bytes up to and with the one that
 *            is wrong, or 0 when the trouble is not in the syntax.
 * Reference: gitops.md 0.3 (names of fields in any case, unknown ones ignored; what follows the first value is not read),
 *            8.2, 10.1. */
#ifndef SERIN_API_BODY_H
#define SERIN_API_BODY_H

#include "doc/val.h"

/* The first JSON value of a text. */
MUST_USE struct err *api_body_value(struct arena *mem, const char *text, size_t len,
                                    struct val **out, int64_t *offset);

enum api_change_kind { API_CHANGE_GIT, API_CHANGE_IMAGE };

struct api_change {
    enum api_change_kind kind;
    const char *url, *branch;   /* git */
    const char *domain, *image; /* image */
};
MUST_USE struct err *api_body_change(struct arena *mem, const char *text, size_t len,
                                     struct api_change *out, int64_t *offset);

/* true, false; null is false. */
MUST_USE struct err *api_body_bool(struct arena *mem, const char *text, size_t len, bool *out,
                                   int64_t *offset);

#endif
