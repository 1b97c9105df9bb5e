/* image/scan_plan.h - which tags of a repository a scan looks at, in which order, and whether enough is known to decide.
 * Effects:   none (pure).
 * Ownership: borrows the store, which is not listed anew meanwhile, and patterns, until scan_plan_free.
 * Units:     seconds since 1970.
 * Limits:    SCAN_PLAN_AGAIN_MAX tags that are all looked at again because somebody said that they changed.
 *
 *     versions (semver)   from the newest down to the first that is of use to us: no other can win
 *     times (the others)  all that match: who is the newest is said by their images alone
 *
 * First versions, and nothing beside them: a registry may have enough of us at any time. Then what policies want, unknown tags before those that are due again; then what commands ask for. */
#ifndef SERIN_IMAGE_SCAN_PLAN_H
#define SERIN_IMAGE_SCAN_PLAN_H

#include "image/pattern.h"
#include "image/tagstore.h"

#define SCAN_PLAN_AGAIN_MAX ((size_t)500)

struct scan_want {
    const struct image_pattern *pattern; /* NULL: every tag, while somebody waits for them */
    bool is_policy;                      /* else of a command */
};

struct scan_plan;
struct scan_plan *scan_plan_new(const struct tagstore *store, const struct scan_want *wants,
                                size_t count);
void scan_plan_free(struct scan_plan *plan); /* NULL is fine */
DEFINE_SCOPED(struct scan_plan, scan_plan_free)

/* The next tag to look at, each once; false: none for now. `looks_again`: at those that are not due, too. */
bool scan_plan_next(struct scan_plan *plan, int64_t now_s, bool looks_again, size_t *at);
/* It was looked at; what was found is in the store, or nothing was. */
void scan_plan_done(struct scan_plan *plan, size_t at);
/* Nobody waits for every tag any more. */
void scan_plan_narrow(struct scan_plan *plan);

/* What policies can decide already. */
enum scan_plan_level {
    SCAN_PLAN_OPEN,
    SCAN_PLAN_VERSIONS, /* by all patterns of versions */
    SCAN_PLAN_COMPLETE, /* by all patterns */
};
enum scan_plan_level scan_plan_level(const struct scan_plan *plan);

#endif
