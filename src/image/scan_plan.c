#include "image/scan_plan.h"

#include <stdlib.h>

#include "base/vec.h"

#define MEMORY_BYTES ((size_t)256 << 20)

/* Of a tag; what is wanted of those that times decide about. */
enum {
    WANTED_BY_POLICY = 1,
    WANTED_BY_COMMAND = 2,
    WANTED_WITH_ALL = 4,
    WANTED = WANTED_BY_POLICY | WANTED_BY_COMMAND | WANTED_WITH_ALL,
    MISSING = 8,      /* wanted by a policy, and unknown */
    TAKEN = 16,       /* it was given out */
    RUNNING = 32,     /* and is being looked at */
    OF_VERSIONS = 64, /* because of a version */
};

/* Passes over the tags, one after the other. */
static const struct pass {
    unsigned wanted;
    bool takes_known;
} passes[] = {
    { WANTED_BY_POLICY, false },
    { WANTED_BY_POLICY, true },
    { WANTED_BY_COMMAND, true },
    { WANTED_WITH_ALL, true },
};

/* The tags that match a pattern of versions, newest first. */
struct versions {
    const uint32_t *order;
    size_t len;
    bool is_policy;
};

struct scan_plan {
    const struct tagstore *store;
    struct arena *mem;
    unsigned char *flags; /* by tag */
    VEC(struct versions) versions;
    size_t pass, at; /* from the last tag backwards: what is new mostly comes late */
    size_t wanted, missing;
    size_t running; /* tags of versions that are being looked at */
    bool is_narrow;
};

void scan_plan_free(struct scan_plan *plan)
{
    if (!plan)
        return;
    arena_free(plan->mem);
    free(plan);
}

/* -- what is wanted */

static void add_versions(struct scan_plan *plan, const struct image_repo *names,
                         const struct scan_want *want)
{
    SCOPED(arena_free) struct arena *scratch = arena_new(MEMORY_BYTES);
    struct versions *versions = vec_push(plan->mem, &plan->versions);
    const struct image_info **infos =
        image_pattern_select(scratch, want->pattern, names, &versions->len);
    uint32_t *order = arena_alloc(plan->mem, (versions->len + 1) * sizeof(*order));
    for (size_t i = 0; i < versions->len; i++)
        order[i] = (uint32_t)(infos[i] - names->infos);
    versions->order = order;
    versions->is_policy = want->is_policy;
}

static void add_times(struct scan_plan *plan, const struct scan_want *want)
{
    unsigned flag = want->is_policy ? WANTED_BY_POLICY : WANTED_BY_COMMAND;
    if (!want->pattern && !want->is_policy)
        flag = WANTED_WITH_ALL;
    for (size_t at = 0; at < tagstore_len(plan->store); at++) {
        if (!want->pattern || image_pattern_matches(want->pattern, tagstore_name(plan->store, at)))
            plan->flags[at] |= (unsigned char)flag;
    }
}

static void count(struct scan_plan *plan)
{
    for (size_t at = 0; at < tagstore_len(plan->store); at++) {
        plan->wanted += (plan->flags[at] & WANTED) != 0;
        if (!(plan->flags[at] & WANTED_BY_POLICY) || tagstore_is_known(plan->store, at))
            continue;
        plan->flags[at] |= MISSING;
        plan->missing++;
    }
}

struct scan_plan *scan_plan_new(const struct tagstore *store, const struct scan_want *wants,
                                size_t len)
{
    struct scan_plan *plan = base_alloc(sizeof(*plan));
    plan->store = store;
    plan->mem = arena_new(MEMORY_BYTES);
    plan->flags = arena_alloc(plan->mem, tagstore_len(store) + 1);
    SCOPED(arena_free) struct arena *scratch = arena_new(MEMORY_BYTES);
    struct image_repo names = { .count = 0 }; /* only when there are versions */
    for (size_t i = 0; i < len; i++) {
        bool is_versions = wants[i].pattern && !image_pattern_needs_times(wants[i].pattern);
        if (is_versions && !names.infos)
            tagstore_names(store, scratch, &names);
        if (is_versions)
            add_versions(plan, &names, &wants[i]);
        else
            add_times(plan, &wants[i]);
    }
    count(plan);
    return plan;
}

void scan_plan_narrow(struct scan_plan *plan)
{
    plan->is_narrow = true;
}

/* -- what is next */

static void take(struct scan_plan *plan, size_t at, unsigned flag)
{
    plan->flags[at] |= (unsigned char)(TAKEN | RUNNING | flag);
    plan->running += flag == OF_VERSIONS;
}

/* Below what is being looked at only as many more as were of no use before: then it may be so with these, too. */
static bool find_version(const struct scan_plan *plan, const struct versions *versions,
                         int64_t now_s, bool looks_again, size_t *out)
{
    size_t running = 0, useless = 0;
    for (size_t i = 0; i < versions->len; i++) {
        size_t at = *out = versions->order[i];
        bool is_due = looks_again || tagstore_is_due(plan->store, at, now_s);
        if (is_due && !(plan->flags[at] & TAKEN))
            return true;
        if (plan->flags[at] & RUNNING) {
            if (++running > useless)
                return false;
        } else if (tagstore_is_excluded(plan->store, at)) {
            useless++;
        } else {
            return false; /* it wins, or could not be read: none takes its place */
        }
    }
    return false;
}

static bool find_by_pass(struct scan_plan *plan, int64_t now_s, bool looks_again, size_t *out)
{
    looks_again = looks_again && plan->wanted <= SCAN_PLAN_AGAIN_MAX;
    for (; plan->pass < ARRAY_LEN(passes); plan->pass++, plan->at = 0) {
        const struct pass *pass = &passes[plan->pass];
        if (plan->is_narrow && pass->wanted == WANTED_WITH_ALL)
            continue;
        while (plan->at < tagstore_len(plan->store)) {
            size_t at = *out = tagstore_len(plan->store) - ++plan->at;
            unsigned flags = plan->flags[at];
            bool is_other = !(flags & pass->wanted) || (flags & TAKEN);
            if (is_other || (!pass->takes_known && tagstore_is_known(plan->store, at)))
                continue;
            if (looks_again || tagstore_is_due(plan->store, at, now_s))
                return true;
        }
    }
    return false;
}

bool scan_plan_next(struct scan_plan *plan, int64_t now_s, bool looks_again, size_t *at)
{
    bool is_found = false;
    for (size_t i = 0; i < plan->versions.len && !is_found; i++)
        is_found = find_version(plan, &plan->versions.at[i], now_s, looks_again, at);
    if (is_found) {
        take(plan, *at, OF_VERSIONS);
        return true;
    }
    if (plan->running > 0 || !find_by_pass(plan, now_s, looks_again, at))
        return false;
    take(plan, *at, 0);
    return true;
}

void scan_plan_done(struct scan_plan *plan, size_t at)
{
    plan->running -= (plan->flags[at] & OF_VERSIONS) != 0;
    plan->flags[at] &= (unsigned char)~(RUNNING | OF_VERSIONS);
    if (!(plan->flags[at] & MISSING) || !tagstore_is_known(plan->store, at))
        return;
    plan->flags[at] &= (unsigned char)~MISSING;
    plan->missing--;
}

/* -- what is known */

static bool is_decided(const struct scan_plan *plan, const struct versions *versions)
{
    for (size_t i = 0; i < versions->len; i++) {
        size_t at = versions->order[i];
        if (!tagstore_is_excluded(plan->store, at))
            return tagstore_is_known(plan->store, at);
    }
    return true; /* there is nothing to decide */
}

enum scan_plan_level scan_plan_level(const struct scan_plan *plan)
{
    bool has_versions = false;
    for (size_t i = 0; i < plan->versions.len; i++) {
        const struct versions *versions = &plan->versions.at[i];
        if (versions->is_policy && !is_decided(plan, versions))
            return SCAN_PLAN_OPEN;
        has_versions |= versions->is_policy;
    }
    if (plan->missing == 0)
        return SCAN_PLAN_COMPLETE;
    return has_versions ? SCAN_PLAN_VERSIONS : SCAN_PLAN_OPEN;
}
