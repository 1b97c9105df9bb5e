/* image/scan.h - one look at one repository: its tags, then the images of those that are wanted and due.
 * Effects:   network, through image/registry.
 * Ownership: borrows its options and the store, which it fills, until scan_free; may be freed in done.
 * Units:     milliseconds.
 * Limits:    IMAGE_TAGS_MAX tags, 2,000 pages, 16 MiB a page, a minute a page, half a minute a manifest, ten minutes in all; what was
 *            found out until then is kept.
 * Reference: gitops.md 5.5. */
#ifndef SERIN_IMAGE_SCAN_H
#define SERIN_IMAGE_SCAN_H

#include "image/registry.h"
#include "image/tagstore.h"

struct scan_opts {
    struct loop *loop;
    struct registry *registry;
    struct tagstore *store;
    const char *const *platforms; /* not NULL */
    int parallel;                 /* images looked at at the same time */
    int64_t limit_ms;             /* in all; 0: ten minutes */
    /* Is the image of this tag wanted, and is it to be looked at even if it is not due? */
    bool (*wants)(void *ctx, const char *tag);
    bool looks_again;
    struct metric *fetches; /* flux_client_fetch_duration_seconds{kind,success}; NULL: none */
};

struct scan_result {
    const struct err *err; /* the first; NULL: all went well */
    bool has_listed;       /* the store has a new complete listing */
    bool is_throttled;
    size_t new_tags, new_images; /* images: of tags of which nothing was known */
};

typedef void (*scan_done)(void *ctx, const struct scan_result *result);

/* Done comes once, in a later turn. `ctx` goes to wants, too. */
struct scan;
struct scan *scan_start(const struct scan_opts *opts, scan_done done, void *ctx);
void scan_free(struct scan *scan); /* the registry is to be freed first, by its owner */
DEFINE_SCOPED(struct scan, scan_free)

#endif
