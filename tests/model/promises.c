#include "model/promises.h"

#include <string.h>

/* -- one write ------------------------------------------------------------------------------- */

static bool is_other_revision(const struct world *w)
{
    return w->config_is_new || (w->target != w->applied && w->target != w->promoted);
}

static const char *check_weights(const struct model_spec *spec, const struct world *before,
                                 const struct world *after, const struct split *to)
{
    const struct router *router = spec->world.router;
    const struct canary_analysis *analysis = &spec->world.canary.analysis;
    if (to->primary + to->canary != CANARY_TOTAL || to->primary < 0 || to->canary < 0)
        return "weights sum to 100";
    if (to->mirrored && !router->can_mirror && !router->can_mirror_weighted)
        return "no mirror where there is none";
    if (to->canary > 0 && analysis->match && !router->can_match && !router->is_fixed &&
        analysis->iterations > 0)
        return "no traffic to the canary where conditions are ignored";
    bool gets_more = after->to_canary > before->to_canary || after->mirrored > before->mirrored;
    bool is_kept = before->phase == CANARY_PROMOTING || before->phase == CANARY_FINALISING;
    if (gets_more && !before->target_pods)
        return "no traffic to a canary without pods";
    if (gets_more && !before->was_ready && !is_kept) /* a failed promotion: it was analysed */
        return "no traffic to a canary that was never ready in this run";
    if (gets_more && !is_kept && is_other_revision(before))
        return "no traffic to a revision that the run is not of";
    if (to->primary > 0 && !(before->has_primary && before->primary_pods))
        return "no traffic to a primary without pods";
    return NULL;
}

/* What leads to the pods that go. */
static const char *check_scale_down(const struct model_spec *spec, const struct world *before)
{
    if (!before->target_pods)
        return NULL;
    if (before->apex != APEX_PRIMARY)
        return "the target is not scaled down while the Service selects it";
    if (before->to_canary > 0 && !spec->world.router->is_fixed)
        return "the target is not scaled down while it has traffic";
    if (spec->world.has_scaler && !before->is_paused)
        return "the target is not scaled down under a scaler that goes on";
    return NULL;
}

static const char *check_promote(const struct world *before)
{
    bool is_over = before->phase == CANARY_PROMOTING || before->phase == CANARY_FINALISING;
    if (!is_over && is_other_revision(before))
        return "nothing is promoted that the run is not of";
    if (!before->target_pods)
        return "nothing is promoted that has no pods";
    return before->was_ready ? NULL : "nothing is promoted that was never ready in this run";
}

static const char *check_apex(const struct world *before)
{
    if (before->apex == APEX_PRIMARY)
        return NULL;
    return before->has_primary && before->primary_pods && before->primary_state == READY_YES
               ? NULL
               : "the Service is not given to a primary that is not ready";
}

static const char *check_revert_apex(const struct world *before)
{
    if (before->target_missing)
        return NULL;
    return before->target_pods && before->target_state == READY_YES
               ? NULL
               : "the Service is not given back to pods that are not ready";
}

/* Bits: the phases that may follow. Reference: 3.8; 17.1 no. 5 for Waiting to Failed, no. 15 for what Initializing has not. */
#define TO(phase) (1u << (phase))
static const unsigned transitions[] = {
    [CANARY_NONE] = TO(CANARY_INITIALIZING),
    [CANARY_INITIALIZING] = TO(CANARY_INITIALIZED),
    [CANARY_INITIALIZED] = TO(CANARY_WAITING) | TO(CANARY_PROGRESSING),
    [CANARY_WAITING] = TO(CANARY_PROGRESSING) | TO(CANARY_FAILED),
    [CANARY_PROGRESSING] = TO(CANARY_PROGRESSING) | TO(CANARY_WAITING_PROMOTION) |
                           TO(CANARY_PROMOTING) | TO(CANARY_SUCCEEDED) | TO(CANARY_FAILED),
    [CANARY_WAITING_PROMOTION] =
        TO(CANARY_PROGRESSING) | TO(CANARY_PROMOTING) | TO(CANARY_SUCCEEDED) | TO(CANARY_FAILED),
    [CANARY_PROMOTING] = TO(CANARY_FINALISING) | TO(CANARY_SUCCEEDED) | TO(CANARY_FAILED),
    [CANARY_FINALISING] = TO(CANARY_SUCCEEDED) | TO(CANARY_FAILED),
    [CANARY_SUCCEEDED] = TO(CANARY_WAITING) | TO(CANARY_PROGRESSING),
    [CANARY_FAILED] = TO(CANARY_WAITING) | TO(CANARY_PROGRESSING),
    [CANARY_TERMINATING] = 0,
    [CANARY_TERMINATED] = 0,
};

static const char *check_status(const struct model_spec *spec, const struct world *before,
                                const struct world *after, const struct canary_change *change)
{
    bool sets_phase = change->kind == CANARY_CHANGE_SYNC || change->kind == CANARY_CHANGE_PHASE;
    if (sets_phase && !(transitions[before->phase] & TO(after->phase)) &&
        !(after->phase == CANARY_TERMINATING && before->deleting))
        return "phases follow each other as in 3.8";
    if (change->kind == CANARY_CHANGE_SYNC && after->phase == CANARY_PROGRESSING && !after->skips &&
        (after->to_canary > 0 || after->mirrored))
        return "a run begins without traffic on the canary";
    if (after->phase == CANARY_FINALISING && (after->to_canary > 0 || after->mirrored))
        return "the traffic is back before a run is finalised";
    if (change->kind == CANARY_CHANGE_REVISION && after->applied != after->promoted)
        return "a revision that nobody analysed is not recorded as if";
    if (after->failed > spec->world.canary.analysis.threshold)
        return "checks are not made beyond the threshold";
    if (after->phase == CANARY_SUCCEEDED && after->promoted != after->applied)
        return "what succeeded is promoted";
    return NULL;
}

static bool is_revert(enum canary_act act)
{
    return act == CANARY_DO_STATUS || act == CANARY_DO_RESUME || act >= CANARY_DO_DROP_FINALIZER;
}

static const char *check_place(const struct world *before, enum canary_act act)
{
    bool is_own = act == CANARY_DO_STATUS || act == CANARY_DO_ADD_FINALIZER ||
                  act == CANARY_DO_DROP_FINALIZER;
    if (before->deleting && !is_revert(act))
        return "of a canary that is deleted things are given back, and nothing else";
    if (before->suspended && !before->deleting && !is_own)
        return "a suspended canary is left alone";
    return NULL;
}

static const char *check_drop(const struct model_spec *spec, const struct world *before)
{
    if (!before->deleting || before->target_missing)
        return NULL;
    return before->target_pods && (before->apex == APEX_TARGET || !spec->world.has_pods)
               ? NULL
               : "the finalizer stays until everything is given back";
}

const char *promises_action(const struct model_spec *spec, const struct world_look *look,
                            const struct world *before, const struct world *after,
                            const struct canary_action *action)
{
    (void)look;
    const char *broken = check_place(before, action->act);
    if (!broken && after->apex == APEX_PRIMARY && !after->primary_pods && spec->world.has_pods)
        broken = "a primary that has the traffic has pods";
    if (!broken && after->is_paused && after->to_canary > before->to_canary)
        broken = "no traffic to a canary whose scaler is paused";
    if (broken)
        return broken;
    switch ((int)action->act) {
    case CANARY_DO_WEIGHTS: return check_weights(spec, before, after, &action->split);
    case CANARY_DO_SCALE_DOWN: return check_scale_down(spec, before);
    case CANARY_DO_PROMOTE: return check_promote(before);
    case CANARY_DO_APEX: return check_apex(before);
    case CANARY_DO_STATUS: return check_status(spec, before, after, &action->change);
    case CANARY_DO_REVERT_APEX: return check_revert_apex(before);
    case CANARY_DO_DROP_FINALIZER: return check_drop(spec, before);
    default: return NULL;
    }
}

const char *promises_question(const struct world_look *look, const struct canary_action *action)
{
    bool tells_end = action->act == CANARY_ASK_HOOK &&
                     look->canary.analysis.hooks[action->index].type == CANARY_HOOK_POST_ROLLOUT;
    return look->facts.is_due || tells_end ? NULL : "ticks in between ask nobody";
}

/* -- one tick -------------------------------------------------------------------------------- */

static bool is_at_rest(const struct world *w)
{
    return w->phase == CANARY_INITIALIZED || w->phase == CANARY_SUCCEEDED ||
           w->phase == CANARY_FAILED;
}

/* Nothing will happen until something changes. Pods that a tick brought up before it was cut short, for a revision that was taken
 * back before the next one, stay, without traffic: they could be somebody's own. */
static const char *check_at_rest(const struct model_spec *spec, const struct world *w,
                                 bool has_just_come)
{
    bool is_kept = w->phase == CANARY_FAILED && w->weight == CANARY_TOTAL;
    bool has_traffic = w->to_canary > 0 && !spec->world.router->is_fixed;
    if (!is_at_rest(w))
        return "a tick that waits for a change is at rest";
    if (is_other_revision(w))
        return "no revision is lost";
    if (w->apex != APEX_PRIMARY && spec->world.has_pods)
        return "at rest the Service leads to the primary";
    if ((has_traffic && !is_kept) || w->mirrored)
        return "at rest a canary has traffic after a failed promotion only";
    if (has_traffic && !w->target_pods)
        return "a canary that has traffic has pods";
    if (!has_just_come)
        return NULL;
    if (!spec->world.router->is_fixed && w->to_canary != w->weight)
        return "a run ends with the weight of the routes in its status";
    if (spec->world.has_pods && w->target_pods != is_kept)
        return "at rest a canary has pods after a failed promotion only";
    if (spec->world.has_scaler && w->is_paused == is_kept)
        return "at rest a scaler is paused as its target is down";
    return NULL;
}

static bool is_same_but_for_wait(const struct world *a, const struct world *b)
{
    struct world one = *a;
    one.wait = b->wait;
    one.suspension_was_told = b->suspension_was_told;
    one.start_was_told = b->start_was_told;
    one.is_reverted = b->is_reverted;
    one.deleted_phase = b->deleted_phase;
    return memcmp(&one, b, sizeof(one)) == 0;
}

const char *promises_end(const struct model_spec *spec, const struct world_look *look,
                         const struct world *first, const struct world *last,
                         const struct canary_action *done)
{
    struct target_seen target = look->facts.target;
    target.primary.state = last->primary_state;
    target.canary.state = last->target_state;
    bool is_due_again = canary_step_is_due(last->wait, false, &target);
    bool is_idle = done->wait == CANARY_WAIT_CHANGE;
    if (done->wait == CANARY_WAIT_AS_BEFORE && look->facts.is_due)
        return "what was waited for is over in a tick that is due";
    if (is_due_again && !is_idle && is_same_but_for_wait(first, last) &&
        first->is_reverted == last->is_reverted)
        return "no tick that changes nothing asks for another one at once";
    if (!is_idle || last->gone || last->deleting || last->suspended)
        return NULL;
    return check_at_rest(spec, last, first->phase != last->phase);
}

/* -- the end --------------------------------------------------------------------------------- */

static bool is_left_alone(const struct world *w)
{
    return w->gone || w->suspended || (w->deleting && !w->has_finalizer);
}

static const char *check_fair(const struct model_spec *spec, const struct world *from,
                              const struct world *end)
{
    bool is_analysing =
        from->phase == CANARY_PROGRESSING || from->phase == CANARY_WAITING_PROMOTION;
    if (from->deleting && !from->suspended)
        return is_left_alone(end) ? NULL : "what is deleted goes";
    if (!is_at_rest(end) || is_other_revision(end))
        return "every run ends";
    if (is_analysing && spec->is_refused && !from->skips)
        return end->phase == CANARY_FAILED ? NULL : "a run that cannot be made fails";
    if (!is_analysing || from->failed >= spec->world.canary.analysis.threshold)
        return NULL;
    if (end->phase != CANARY_SUCCEEDED || end->primary != end->target)
        return "a run without a fault succeeds";
    return NULL;
}

static bool has_hook(const struct model_spec *spec, enum canary_hook_type type)
{
    const struct canary_analysis *analysis = &spec->world.canary.analysis;
    for (size_t i = 0; i < analysis->hooks_len; i++)
        if (analysis->hooks[i].type == type)
            return true;
    return false;
}

/* Whether a run that has this fault from now on has to fail. */
static bool has_to_fail(const struct model_spec *spec, const struct world *from,
                        enum policy_id policy)
{
    bool is_analysing =
        from->phase == CANARY_PROGRESSING || from->phase == CANARY_WAITING_PROMOTION;
    bool is_promoting = from->phase == CANARY_PROMOTING || from->phase == CANARY_FINALISING;
    bool is_checked = is_analysing && !from->skips;
    switch (policy) {
    case POLICY_FAILING: return is_checked && spec->has_checks;
    case POLICY_NO_CANARY:
        return spec->world.has_pods && (is_analysing || from->phase == CANARY_PROMOTING);
    case POLICY_NO_PRIMARY:
        return spec->world.has_pods && (is_checked || (is_promoting && !from->skips));
    case POLICY_ABORTED:
        return has_hook(spec, CANARY_HOOK_ROLLBACK) && !from->skips &&
               (is_analysing || from->phase == CANARY_WAITING);
    case POLICY_FAIR:
    case POLICIES: break;
    }
    return false;
}

static const char *check_bad(const struct model_spec *spec, const struct world *from,
                             const struct world *end, enum policy_id policy)
{
    bool is_promoting = from->phase == CANARY_PROMOTING || from->phase == CANARY_FINALISING;
    if (from->deleting || !has_to_fail(spec, from, policy))
        return NULL;
    if (end->phase != CANARY_FAILED)
        return "a run with a fault fails";
    bool is_kept = policy == POLICY_NO_PRIMARY && is_promoting;
    bool has_all = end->to_canary == CANARY_TOTAL || spec->world.router->is_fixed;
    if (is_kept && (!has_all || !end->target_pods || end->is_paused))
        return "after a failed promotion the canary has the traffic";
    if (!is_kept && (end->to_canary > 0 || (end->target_pods && spec->world.has_pods)))
        return "after a rollback the canary has no traffic and no pods";
    return NULL;
}

const char *promises_rest(const struct model_spec *spec, const struct world *from,
                          const struct world *end, enum policy_id policy)
{
    if (is_left_alone(end))
        return NULL;
    return policy == POLICY_FAIR ? check_fair(spec, from, end) : check_bad(spec, from, end, policy);
}

bool promises_fails_soon(const struct model_spec *spec, const struct world *from)
{
    bool is_analysing =
        from->phase == CANARY_PROGRESSING || from->phase == CANARY_WAITING_PROMOTION;
    bool has_started = from->iterations > 0 || from->to_canary > 0 || from->mirrored;
    bool is_settled =
        from->target_state == READY_YES && from->primary_state == READY_YES && from->target_pods;
    return spec->has_checks && is_analysing && has_started && is_settled &&
           !is_other_revision(from) && from->target == from->applied && !from->skips &&
           !from->suspended && !from->deleting;
}

bool promises_same_end(const struct world *a, const struct world *b, const struct world *from,
                       enum policy_id policy)
{
    /* Pods of a canary that go without traffic while its run is all but over: both ends are right. */
    if (policy == POLICY_NO_CANARY && from->phase == CANARY_FINALISING)
        return true;
    return a->phase == b->phase && a->to_canary == b->to_canary && a->mirrored == b->mirrored &&
           a->target_pods == b->target_pods && a->apex == b->apex && a->is_paused == b->is_paused &&
           a->gone == b->gone && (a->primary == a->target) == (b->primary == b->target) &&
           (a->promoted == a->target) == (b->promoted == b->target) &&
           (a->applied == a->target) == (b->applied == b->target);
}
