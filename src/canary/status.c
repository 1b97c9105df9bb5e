#include "canary/status.h"

#include <string.h>

#include "base/time.h"

/* -- the condition --------------------------------------------------------------------------- */

/* <K> in a text stands for the kind of the target. */
static const struct condition {
    enum canary_phase phase;
    const char *status, *before, *after; /* the kind goes between the two, unless `after` is NULL */
} conditions[] = {
    { CANARY_INITIALIZED, "True", "", " initialization completed." },
    { CANARY_WAITING, "Unknown", "Waiting for approval.", NULL },
    { CANARY_WAITING_PROMOTION, "Unknown", "Waiting for approval.", NULL },
    { CANARY_PROGRESSING, "Unknown", "New revision detected, progressing canary analysis.", NULL },
    { CANARY_PROMOTING, "Unknown", "Canary analysis completed, starting primary rolling update.",
      NULL },
    { CANARY_FINALISING, "Unknown", "Canary analysis completed, routing all traffic to primary.",
      NULL },
    { CANARY_SUCCEEDED, "True", "Canary analysis completed successfully, promotion finished.",
      NULL },
    { CANARY_FAILED, "False", "Canary analysis failed, ", " scaled to zero." },
};
/* Initializing, and what has no row. */
static const struct condition condition_otherwise = { CANARY_INITIALIZING, "Unknown", "New ",
                                                      " detected, starting initialization." };

static const struct condition *condition_of(enum canary_phase phase)
{
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
        if (conditions[i].phase == phase)
            return &conditions[i];
    return &condition_otherwise;
}

static const struct val *find_promoted(const struct val *list)
{
    for (size_t i = 0; i < val_len(list); i++)
        if (strcmp(val_text_or(val_get(val_item(list, i), "type"), ""), "Promoted") == 0)
            return val_item(list, i);
    return NULL;
}

static bool says(const struct val *condition, const char *key, const char *text)
{
    return strcmp(val_text_or(val_get(condition, key), ""), text) == 0;
}

/* The list for a phase: untouched if it says the same already. */
static const struct val *conditions_for(struct arena *mem, const struct val *old,
                                        enum canary_phase phase, const char *kind, int64_t now_ms)
{
    const struct condition *wanted = condition_of(phase);
    const struct val *current = find_promoted(old);
    const char *reason = canary_phase_name(phase);
    bool has_same_status = says(current, "status", wanted->status);
    if (has_same_status && says(current, "reason", reason))
        return old;
    char now[TIME_TEXT_BYTES];
    time_format_seconds(now_ms, now);
    struct val *list = val_new_list(mem), *condition = val_new_map(mem);
    val_set_text(mem, condition, "type", "Promoted");
    val_set_text(mem, condition, "status", wanted->status);
    val_set_text(mem, condition, "lastUpdateTime", now);
    val_set_text(mem, condition, "lastTransitionTime",
                 has_same_status ? val_text_or(val_get(current, "lastTransitionTime"), now) : now);
    val_set_text(mem, condition, "reason", reason);
    val_set_text(mem, condition, "message",
                 wanted->after ? arena_printf(mem, "%s%s%s", wanted->before, kind, wanted->after)
                               : wanted->before);
    val_append(mem, list, condition);
    return list;
}

/* -- transitions ----------------------------------------------------------------------------- */

/* Which counters a phase that is set on its own keeps. In WaitingPromotion the traffic is still split, so the weight stays
 * (17.1 no. 4), and the iterations are put back by one so that the gate is asked again after the next. */
static void set_phase(struct canary_status *out, enum canary_phase phase,
                      const struct canary_analysis *analysis)
{
    out->phase = phase;
    if (phase == CANARY_WAITING_PROMOTION) {
        if (analysis->iterations > 0)
            out->iterations = analysis->iterations - 1;
    } else if (phase != CANARY_PROGRESSING && phase != CANARY_WAITING &&
               phase != CANARY_PROMOTING) {
        out->weight = 0;
        out->iterations = 0;
    }
    if (phase == CANARY_INITIALIZED || phase == CANARY_SUCCEEDED)
        out->last_promoted = out->last_applied;
}

static void sync_status(struct canary_status *out, const struct canary_change *change,
                        const struct canary_revision *revision)
{
    out->phase = change->phase;
    out->weight = change->weight;
    out->failed_checks = change->failed_checks;
    out->iterations = change->iterations;
    out->last_applied = revision->hash;
    out->tracked = revision->configs;
    if (change->phase == CANARY_INITIALIZED)
        out->last_promoted = revision->hash;
}

static void adopt_revision(struct canary_status *out, const struct canary_change *change,
                           const struct canary_revision *revision)
{
    out->last_applied = revision->hash;
    out->tracked = revision->configs;
    if (change->is_promoted)
        out->last_promoted = revision->hash;
}

struct canary_status canary_status_next(struct arena *mem, const struct canary *canary,
                                        const struct canary_status *status,
                                        const struct canary_change *change,
                                        const struct canary_revision *revision, int64_t now_ms)
{
    struct canary_status next = *status;
    bool sets_phase = change->kind == CANARY_CHANGE_SYNC || change->kind == CANARY_CHANGE_PHASE;
    switch (change->kind) {
    case CANARY_CHANGE_SYNC: sync_status(&next, change, revision); break;
    case CANARY_CHANGE_PHASE: set_phase(&next, change->phase, &canary->analysis); break;
    case CANARY_CHANGE_CHECKS: next.failed_checks = change->failed_checks; break;
    case CANARY_CHANGE_WEIGHT: next.weight = change->weight; break;
    case CANARY_CHANGE_ITERATIONS: next.iterations = change->iterations; break;
    case CANARY_CHANGE_REVISION: adopt_revision(&next, change, revision); return next;
    }
    next.last_transition_ms = now_ms;
    if (sets_phase)
        next.conditions =
            conditions_for(mem, status->conditions, change->phase, canary->target.kind, now_ms);
    return next;
}

/* -- as the API has it ----------------------------------------------------------------------- */

static void set_or_drop(struct arena *mem, struct val *map, const char *key, struct val *v)
{
    if (v)
        val_set(mem, map, key, v);
    else
        val_remove(map, key);
}

static struct val *text_or_null(struct arena *mem, const char *text)
{
    return *text ? val_new_text(mem, text) : NULL;
}

static struct val *time_or_null(struct arena *mem, int64_t ms)
{
    char text[TIME_TEXT_BYTES];
    time_format_seconds(ms, text);
    return ms ? val_new_text(mem, text) : NULL;
}

struct val *canary_status_val(struct arena *mem, const struct canary_status *status,
                              const struct val *old)
{
    struct val *map = val_is_map(old) ? val_copy_sharing(mem, old) : val_new_map(mem);
    const struct {
        const char *key;
        struct val *value; /* NULL: left out */
    } fields[] = {
        { "phase", val_new_text(mem, canary_phase_name(status->phase)) },
        { "failedChecks", val_new_int(mem, status->failed_checks) },
        { "canaryWeight", val_new_int(mem, status->weight) },
        { "iterations", val_new_int(mem, status->iterations) },
        { "previousSessionAffinityCookie", text_or_null(mem, status->previous_cookie) },
        { "primarySessionAffinityCookie", text_or_null(mem, status->primary_cookie) },
        { "sessionAffinityCookie", text_or_null(mem, status->cookie) },
        { "trackedConfigs", val_copy_sharing(mem, status->tracked) },
        { "lastAppliedSpec", text_or_null(mem, status->last_applied) },
        { "lastPromotedSpec", text_or_null(mem, status->last_promoted) },
        { "lastTransitionTime", time_or_null(mem, status->last_transition_ms) },
        { "conditions", val_copy_sharing(mem, status->conditions) },
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        set_or_drop(mem, map, fields[i].key, fields[i].value);
    return map;
}
