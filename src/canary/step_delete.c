#include "canary/step_tick.h"

static bool fail(struct step *s, const char *before, const char *text)
{
    return step_log(s, CANARY_ERROR, "Unable to finalize canary: %s%s", before, text) &&
           step_end(s, CANARY_WAIT_TIMER, "another attempt");
}

/* What is not there needs no reverting, and holds nothing up. */
static bool revert(struct step *s, enum canary_act act, const char *before)
{
    const char *text;
    struct canary_action action = { .act = act };
    enum step_answer answer = step_do(s, &action, &text);
    if (answer != STEP_NO)
        return answer == STEP_YES;
    return s->outcomes[s->at - 1].is_missing ? step_log(s, CANARY_WARN, "%s", text)
                                             : fail(s, before, text);
}

/* -- stages ---------------------------------------------------------------------------------- */

static bool begin(struct step *s)
{
    struct canary_action action = { .act = CANARY_DO_STATUS,
                                    .change = { .kind = CANARY_CHANGE_PHASE,
                                                .phase = CANARY_TERMINATING } };
    const char *text;
    if (s->phase == CANARY_TERMINATING)
        return true;
    enum step_answer answer = step_do(s, &action, &text);
    if (answer != STEP_YES)
        return answer == STEP_NO && fail(s, "", text);
    s->memory = (struct canary_memory){ .deleted_phase = s->phase };
    return step_say(s, CANARY_INFO, "Terminating canary %s.%s", s->canary->name, s->canary->ns);
}

/* How ready the target is was seen before it was given its replicas, so only the next tick can go by it. */
static bool revert_target(struct step *s)
{
    const struct canary_facts *facts = s->facts;
    if (s->memory.is_reverted)
        return true;
    if (facts->has_scaler && !revert(s, CANARY_DO_RESUME, ""))
        return false;
    if (!facts->is_target_missing &&
        !revert(s, CANARY_DO_REVERT_TARGET, "failed to revert target: "))
        return false;
    s->memory.is_reverted = true;
    return facts->is_target_missing || !facts->has_pods ||
           step_end(s, CANARY_WAIT_CANARY, "pods of the target");
}

/* The Service is not given to pods that do not answer: as long as that is so the primary goes on. A target that is missing, or
 * cannot be judged, is not waited for. */
static bool see_target_ready(struct step *s)
{
    const struct ready *target = &s->facts->target.canary;
    if (s->facts->target.fault || target->state == READY_YES)
        return true;
    if (!s->facts->is_due)
        return step_end(s, CANARY_WAIT_AS_BEFORE, "");
    return step_say(s, CANARY_WARN, "canary not ready during finalizing: %s", target->text) &&
           step_end(s, target->state == READY_LATER ? CANARY_WAIT_CANARY : CANARY_WAIT_TIMER,
                    "pods of the target");
}

static bool revert_routes(struct step *s)
{
    return (!s->facts->has_pods || revert(s, CANARY_DO_REVERT_APEX, "")) &&
           (s->facts->routes_fault || revert(s, CANARY_DO_REVERT_ROUTES, ""));
}

static bool let_go(struct step *s)
{
    struct canary_action action = { .act = CANARY_DO_DROP_FINALIZER };
    const char *text;
    enum step_answer answer = step_do(s, &action, &text);
    if (answer != STEP_YES)
        return answer == STEP_NO && fail(s, "", text);
    enum canary_phase before = s->memory.deleted_phase;
    return step_say_as(s, before == CANARY_NONE ? s->phase : before, CANARY_INFO,
                       "Terminated canary %s.%s", s->canary->name, s->canary->ns) &&
           step_end(s, CANARY_WAIT_CHANGE, "");
}

bool step_delete(struct step *s)
{
    if (!s->canary->has_finalizer) /* the garbage collector does the rest */
        return step_end(s, CANARY_WAIT_CHANGE, "");
    /* What an older canary of the same target has is not for this one to give back. */
    bool has_to_revert =
        s->canary->revert_on_deletion && s->phase != CANARY_TERMINATED && !s->facts->duplicate;
    return (!has_to_revert ||
            (begin(s) && revert_target(s) && see_target_ready(s) && revert_routes(s))) &&
           let_go(s);
}
