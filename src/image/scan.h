/* image/scan.h - one look at one repository: its tags, then the images of those that its plan names (image/scan_plan.h).
 * Effects:   network, through image/registry.
 * Ownership: borrows its options, what is wanted, and the store, which it fills, until scan_free; may be freed in done.
 * Units:     milliseconds.
 * Limits:    IMAGE_TAGS_MAX tags, 2,000 pages, 16 MiB a page, a minute a page, half a minute a manifest, ten minutes in all; what was
 *            found out until then is kept.
 * Reference: gitops.md 5.5. */
#ifndef SERIN_IMAGE_SCAN_H
#define SERIN_IMAGE_SCAN_H

#include "image/registry.h"
#include "image/scan_plan.h"

struct scan_result {
    const struct err *err; /* the first; NULL: all went well */
    bool has_listed;       /* the store has a new complete listing */
    bool is_throttled;
    size_t new_tags, new_images; /* images: of tags of which nothing was known */
};

struct scan_opts {
    struct loop *loop;
    struct registry *registry;
    struct tagstore *store;
    const char *const *platforms; /* not NULL */
    int parallel;                 /* images looked at at the same time */
    int64_t limit_ms;             /* in all; 0: ten minutes */
    const struct scan_want *wants;
    size_t want_count;
    bool looks_again; /* at what is wanted, due or not */
    /* The list is there, or policies can decide more than when it was called last. Nothing may be freed here. Tags and images of the
     * result are those since then. */
    void (*on_progress)(void *ctx, const struct scan_result *so_far, bool can_decide);
    struct metric *fetches; /* flux_client_fetch_duration_seconds{kind,success}; NULL: none */
};

typedef void (*scan_done)(void *ctx, const struct scan_result *result);

/* Done comes once, in a later turn. `ctx` goes to on_progress, too. */
struct scan;
struct scan *scan_start(const struct scan_opts *opts, scan_done done, void *ctx);
/* Nobody waits for every tag any more: what was wanted so is left alone. */
void scan_narrow(struct scan *scan);
void scan_free(struct scan *scan); /* the registry is to be freed first, by its owner */
DEFINE_SCOPED(struct scan, scan_free)

#endif
