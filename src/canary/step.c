#include "canary/step.h"

#include <stdarg.h>
#include <string.h>

#include "canary/step_tick.h"

#define FIXED_ITERATIONS 10 /* "Setting canaryAnalysis.iterations: 10" */

/* -- names ----------------------------------------------------------------------------------- */

const char *canary_act_name(enum canary_act act)
{
    switch (act) {
    case CANARY_DONE: return "done";
    case CANARY_EVENT: return "event";
    case CANARY_ALERT: return "alert";
    case CANARY_LOG: return "log";
    case CANARY_SHOW_STATUS: return "show status";
    case CANARY_SHOW_WEIGHT: return "show weight";
    case CANARY_COUNT_SUCCESS: return "count success";
    case CANARY_COUNT_FAILURE: return "count failure";
    case CANARY_ASK_PROVIDERS: return "ask metric providers";
    case CANARY_ASK_HOOK: return "ask hook";
    case CANARY_ASK_METRIC: return "ask metric";
    case CANARY_DO_SERVICES: return "services";
    case CANARY_DO_PRIMARY: return "primary";
    case CANARY_DO_PROMOTE: return "promote";
    case CANARY_DO_SCALER: return "scaler";
    case CANARY_DO_SCALER_UPDATE: return "scaler update";
    case CANARY_DO_PAUSE: return "pause scaler";
    case CANARY_DO_RESUME: return "resume scaler";
    case CANARY_DO_APEX: return "apex service";
    case CANARY_DO_SCALE_DOWN: return "scale down";
    case CANARY_DO_SCALE_UP: return "scale up";
    case CANARY_DO_ROUTES: return "routes";
    case CANARY_DO_WEIGHTS: return "weights";
    case CANARY_DO_STATUS: return "status";
    case CANARY_DO_ADD_FINALIZER: return "add finalizer";
    case CANARY_DO_DROP_FINALIZER: return "drop finalizer";
    case CANARY_DO_REVERT_TARGET: return "revert target";
    case CANARY_DO_REVERT_APEX: return "revert apex service";
    case CANARY_DO_REVERT_ROUTES: return "revert routes";
    case CANARY_ACTS: break;
    }
    return "";
}

/* -- one action ------------------------------------------------------------------------------ */

/* What came of the action at this place of the tick; NULL: it is the one to be carried out now. */
static const struct canary_outcome *replay(struct step *s, const struct canary_action *action)
{
    ASSERT(s->at <= s->len); /* else somebody went on after a false */
    if (s->at < s->len)
        return &s->outcomes[s->at++];
    *s->next = *action;
    s->at = s->len + 1;
    return NULL;
}

enum step_answer step_do(struct step *s, const struct canary_action *action, const char **text)
{
    const struct canary_outcome *outcome = replay(s, action);
    if (!outcome)
        return STEP_OPEN;
    if (text)
        *text = outcome->text ? outcome->text : "";
    return outcome->is_ok ? STEP_YES : STEP_NO;
}

bool step_must_do(struct step *s, const struct canary_action *action)
{
    const char *text;
    enum step_answer answer = step_do(s, action, &text);
    return answer == STEP_NO ? step_fail(s, text) : answer == STEP_YES;
}

bool step_must(struct step *s, enum canary_act act)
{
    return step_must_do(s, &(struct canary_action){ .act = act });
}

bool step_must_scale(struct step *s, enum canary_act act)
{
    return !s->facts->has_scaler || step_must(s, act);
}

bool step_must_if_pods(struct step *s, enum canary_act act)
{
    return !s->facts->has_pods || step_must(s, act);
}

bool step_set_weights(struct step *s, int64_t canary_weight, bool is_mirrored)
{
    return step_must_do(s, &(struct canary_action){ .act = CANARY_DO_WEIGHTS,
                                                    .split = { CANARY_TOTAL - canary_weight,
                                                               canary_weight, is_mirrored } });
}

bool step_set_phase(struct step *s, enum canary_phase phase)
{
    return step_must_do(
        s, &(struct canary_action){ .act = CANARY_DO_STATUS,
                                    .change = { .kind = CANARY_CHANGE_PHASE, .phase = phase } });
}

bool step_set_iterations(struct step *s, int64_t iterations)
{
    return step_must_do(s, &(struct canary_action){ .act = CANARY_DO_STATUS,
                                                    .change = { .kind = CANARY_CHANGE_ITERATIONS,
                                                                .iterations = iterations } });
}

bool step_sync(struct step *s, enum canary_phase phase, int64_t weight)
{
    struct canary_action action = {
        .act = CANARY_DO_STATUS,
        .change = { .kind = CANARY_CHANGE_SYNC, .phase = phase, .weight = weight }
    };
    const char *text;
    enum step_answer answer = step_do(s, &action, &text);
    if (answer != STEP_NO)
        return answer == STEP_YES;
    return step_log(s, CANARY_ERROR, "%s", text) &&
           step_end(s, CANARY_WAIT_TIMER, "the API server");
}

/* -- what is said ---------------------------------------------------------------------------- */

/* The text is made for the action that comes next only: of the others the outcome is known. */
static bool say(struct step *s, struct canary_action action, const char *fmt, va_list args)
    PRINTF(3, 0);
static bool say(struct step *s, struct canary_action action, const char *fmt, va_list args)
{
    if (s->at == s->len)
        action.text = arena_vprintf(s->facts->mem, fmt, args);
    return replay(s, &action) != NULL;
}

bool step_say(struct step *s, enum canary_severity severity, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    bool goes_on = say(
        s, (struct canary_action){ .act = CANARY_EVENT, .severity = severity, .phase = s->phase },
        fmt, args);
    va_end(args);
    return goes_on;
}

bool step_say_as(struct step *s, enum canary_phase phase, enum canary_severity severity,
                 const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    bool goes_on =
        say(s, (struct canary_action){ .act = CANARY_EVENT, .severity = severity, .phase = phase },
            fmt, args);
    va_end(args);
    return goes_on;
}

bool step_alert(struct step *s, enum canary_severity severity, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    bool goes_on =
        say(s, (struct canary_action){ .act = CANARY_ALERT, .severity = severity }, fmt, args);
    va_end(args);
    return goes_on;
}

bool step_alert_fields(struct step *s, const char *text)
{
    struct canary_action action = {
        .act = CANARY_ALERT, .severity = CANARY_INFO, .text = text, .has_fields = true
    };
    return replay(s, &action) != NULL;
}

bool step_log(struct step *s, enum canary_severity severity, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    bool goes_on =
        say(s, (struct canary_action){ .act = CANARY_LOG, .severity = severity }, fmt, args);
    va_end(args);
    return goes_on;
}

bool step_show_status(struct step *s, enum canary_phase phase)
{
    struct canary_action action = { .act = CANARY_SHOW_STATUS, .phase = phase };
    return replay(s, &action) != NULL;
}

bool step_show_weight(struct step *s, int64_t primary, int64_t canary)
{
    struct canary_action action = { .act = CANARY_SHOW_WEIGHT,
                                    .split = { primary, canary, false } };
    return replay(s, &action) != NULL;
}

bool step_count(struct step *s, enum canary_act act, bool is_skipped)
{
    struct canary_action action = { .act = act, .is_skipped = is_skipped };
    return replay(s, &action) != NULL;
}

/* -- how a tick ends ------------------------------------------------------------------------- */

bool step_end(struct step *s, enum canary_wait wait, const char *waits_for)
{
    ASSERT(s->at == s->len); /* else there are outcomes of actions that this tick does not have */
    *s->next = (struct canary_action){ .act = CANARY_DONE,
                                       .wait = wait,
                                       .text = waits_for,
                                       .was_analysis = s->was_analysis,
                                       .memory = s->memory };
    s->at = s->len + 1;
    return false;
}

bool step_halt(struct step *s, const char *text, enum canary_wait wait, const char *waits_for)
{
    if (!s->facts->is_due)
        return step_end(s, CANARY_WAIT_AS_BEFORE, "");
    return step_say(s, CANARY_WARN, "%s", text) && step_end(s, wait, waits_for);
}

bool step_fail(struct step *s, const char *text)
{
    if (!s->facts->is_due)
        return step_log(s, CANARY_WARN, "%s", text) && step_end(s, CANARY_WAIT_AS_BEFORE, "");
    return step_say(s, CANARY_WARN, "%s", text) &&
           step_end(s, CANARY_WAIT_TIMER, "another attempt");
}

/* -- what is known --------------------------------------------------------------------------- */

bool step_is_analysing(const struct step *s)
{
    return s->phase == CANARY_PROGRESSING || s->phase == CANARY_WAITING_PROMOTION;
}

bool step_has_new_target(const struct step *s)
{
    const struct canary_status *status = &s->canary->status;
    const char *now = s->facts->revision.hash;
    if (!now || !*now) /* of a kind that has none: there is nothing to compare */
        return false;
    if (!*status->last_applied)
        return true;
    return strcmp(now, status->last_promoted) != 0 && strcmp(now, status->last_applied) != 0;
}

bool step_is_at_threshold(const struct step *s)
{
    return s->canary->has_analysis &&
           s->canary->status.failed_checks >= s->canary->analysis.threshold;
}

int64_t step_iterations(const struct step *s)
{
    int64_t given = s->canary->analysis.iterations;
    if (given >= 1)
        return given;
    return s->facts->router->is_fixed ? FIXED_ITERATIONS : 0;
}

enum canary_wait step_promotion_wait(const struct step *s)
{
    return strcmp(s->canary->target.kind, "DaemonSet") ? CANARY_WAIT_PRIMARY : CANARY_WAIT_TIMER;
}

bool canary_step_is_due(enum canary_wait wait, bool has_timer_passed,
                        const struct target_seen *target)
{
    bool is_known = !target->fault;
    switch (wait) {
    case CANARY_WAIT_CHANGE:
    case CANARY_WAIT_NOW: return true;
    case CANARY_WAIT_PRIMARY:
        return has_timer_passed || (is_known && target->primary.state != READY_LATER);
    case CANARY_WAIT_CANARY:
        return has_timer_passed || (is_known && target->canary.state != READY_LATER);
    case CANARY_WAIT_TIMER:
    case CANARY_WAIT_AS_BEFORE: break;
    }
    return has_timer_passed;
}
