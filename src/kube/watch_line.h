/* kube/watch_line.h - what comes in on a watch or a list, taken apart: lines, events, pages.
 * Effects:   none (pure).
 * Ownership: values are in the caller's arena; lines and slices are borrowed from the bytes that were fed.
 * Units:     bytes.
 * Reference: api-server.md 2. */
#ifndef SERIN_KUBE_WATCH_LINE_H
#define SERIN_KUBE_WATCH_LINE_H

#include "base/vec.h"
#include "doc/val.h"

/* A stored object has at most 1.5 MiB; the rest is room for escapes and managedFields. */
#define KUBE_LINE_MAX ((size_t)8 << 20)

/* -- lines --------------------------------------------------------------------------------------------------------- */

struct kube_lines {
    struct sbuf partial; /* the beginning of a line that is not complete yet */
};

void kube_lines_init(struct kube_lines *lines, size_t limit_bytes);
void kube_lines_fini(struct kube_lines *lines);
void kube_lines_reset(struct kube_lines *lines); /* forgets the partial line */

/* Hands on each line that is complete (without its end, never empty); `on_line` returns false to stop: the rest of the
 * bytes is dropped then. ERR_LIMIT when a line passes the limit. */
MUST_USE struct err *kube_lines_feed(struct kube_lines *lines, const char *bytes, size_t len,
                                     bool (*on_line)(void *ctx, const char *line, size_t len),
                                     void *ctx);

/* -- events -------------------------------------------------------------------------------------------------------- */

enum kube_line_type {
    KUBE_LINE_ADDED,
    KUBE_LINE_MODIFIED,
    KUBE_LINE_DELETED,
    KUBE_LINE_BOOKMARK,
    KUBE_LINE_ERROR,
};

struct kube_watch_line {
    enum kube_line_type type;
    const struct val *object;
    const char *resource_version; /* of the object; "" for KUBE_LINE_ERROR */
    bool ends_initial;            /* the bookmark after the initial events */
};

/* ERR_INVALID for what is no event: no JSON, an unknown type, no object, no name or version. */
MUST_USE struct err *kube_watch_line_parse(struct arena *mem, const char *line, size_t len,
                                           struct kube_watch_line *out);

/* -- pages of a list ----------------------------------------------------------------------------------------------- */

struct kube_slice {
    const char *bytes;
    size_t len;
};

struct kube_page {
    VEC(struct kube_slice)
    items; /* JSON texts, not parsed yet: a page is never held as values as a whole */
    const char *resource_version;
    const char *next; /* continue token, "" on the last page */
};

MUST_USE struct err *kube_page_parse(struct arena *mem, const char *text, size_t len,
                                     struct kube_page *out);

#endif
