#include "canary/step_tick.h"

#include <string.h>

/* -- failed ---------------------------------------------------------------------------------- */

static bool record_failure(struct step *s, int64_t weight)
{
    return step_sync(s, CANARY_FAILED, weight) && step_show_status(s, CANARY_FAILED) &&
           step_count(s, CANARY_COUNT_FAILURE, false) && step_tell_ended(s, CANARY_FAILED) &&
           step_end(s, CANARY_WAIT_CHANGE, "");
}

static bool tell_threshold(struct step *s)
{
    long long failed = (long long)s->canary->status.failed_checks;
    if (!step_is_at_threshold(s))
        return true;
    return step_say(s, CANARY_WARN, "Rolling back %s.%s failed checks threshold reached %lld",
                    s->canary->name, s->canary->ns, failed) &&
           step_alert(s, CANARY_ERROR, "Failed checks threshold reached %lld", failed);
}

/* Traffic first: nothing else happens until no request goes to the canary. */
bool step_roll_back(struct step *s)
{
    s->memory.start_was_told = false;
    return tell_threshold(s) && step_set_weights(s, 0, false) &&
           step_say_as(s, CANARY_FAILED, CANARY_WARN, "Canary failed! Scaling down %s.%s",
                       s->canary->name, s->canary->ns) &&
           step_show_weight(s, CANARY_TOTAL, 0) && step_must_scale(s, CANARY_DO_PAUSE) &&
           step_must_if_pods(s, CANARY_DO_SCALE_DOWN) && record_failure(s, 0);
}

/* After a failed promotion, and with skipAnalysis, it may be that neither side has hope: then the traffic stays where it is. */
static bool is_primary_worse(const struct step *s)
{
    return s->facts->target.primary.state == READY_NEVER && s->canary->skips_analysis &&
           s->facts->split.canary == CANARY_TOTAL && !s->facts->router->is_fixed;
}

bool step_give_up(struct step *s, const char *text)
{
    return step_say(s, CANARY_WARN, "%s", text) &&
           step_alert(s, CANARY_ERROR, "Progress deadline exceeded %s", text) &&
           (is_primary_worse(s) ? record_failure(s, CANARY_TOTAL) : step_roll_back(s));
}

/* A tick that was cut short may have scaled the canary down already. */
static bool bring_back_pods(struct step *s)
{
    const struct target_seen *target = &s->facts->target;
    if (!target->is_empty && target->canary.state == READY_LATER && !s->facts->is_due)
        return step_end(s, CANARY_WAIT_AS_BEFORE, "");
    return step_must_scale(s, CANARY_DO_RESUME) &&
           (!target->is_empty || (step_must_if_pods(s, CANARY_DO_SCALE_UP) &&
                                  step_end(s, CANARY_WAIT_CANARY, "pods of the canary")));
}

/* The canary was analysed and is up, the primary is not: all traffic to the canary, and it stays. */
bool step_fail_promotion(struct step *s, const char *text)
{
    return bring_back_pods(s) && step_say(s, CANARY_WARN, "%s", text) &&
           step_say(s, CANARY_WARN, "Promotion of %s.%s failed, primary not ready: %s",
                    s->canary->target.name, s->canary->ns, text) &&
           step_alert(s, CANARY_ERROR, "Promotion failed, primary not ready: %s", text) &&
           step_set_weights(s, CANARY_TOTAL, false) && step_show_weight(s, 0, CANARY_TOTAL) &&
           record_failure(s, CANARY_TOTAL);
}

/* -- succeeded ------------------------------------------------------------------------------- */

static bool record_success(struct step *s, bool is_skipped)
{
    if (!step_set_phase(s, CANARY_SUCCEEDED))
        return false;
    s->phase = CANARY_SUCCEEDED;
    return step_show_status(s, CANARY_SUCCEEDED) &&
           step_count(s, CANARY_COUNT_SUCCESS, is_skipped) && step_tell_ended(s, CANARY_SUCCEEDED);
}

/* A revision that came while nobody looked (Promoting, Finalising) has had its change: nothing else would tell of it. */
static bool end_run(struct step *s)
{
    const struct canary_facts *facts = s->facts;
    bool is_next_here = facts->changed_config ||
                        (facts->revision.hash && *facts->revision.hash &&
                         strcmp(facts->revision.hash, s->canary->status.last_applied) != 0);
    return step_end(s, is_next_here ? CANARY_WAIT_NOW : CANARY_WAIT_CHANGE, "");
}

/* Routes that somebody else set meanwhile do not leave requests at pods that go. */
static bool clear_canary(struct step *s)
{
    if (s->facts->router->is_fixed || s->facts->split.canary == 0)
        return true;
    return step_set_weights(s, 0, false) && step_show_weight(s, CANARY_TOTAL, 0);
}

bool step_finish(struct step *s)
{
    return clear_canary(s) && step_must_scale(s, CANARY_DO_PAUSE) &&
           step_must_if_pods(s, CANARY_DO_SCALE_DOWN) && record_success(s, false) &&
           step_say(s, CANARY_INFO, "Promotion completed! Scaling down %s.%s",
                    s->canary->target.name, s->canary->ns) &&
           step_alert_fields(s, "Canary analysis completed successfully, promotion finished.") &&
           end_run(s);
}

bool step_skip(struct step *s)
{
    const char *target = s->canary->target.name, *ns = s->canary->ns;
    return step_set_weights(s, 0, false) && step_show_weight(s, CANARY_TOTAL, 0) &&
           step_say(s, CANARY_INFO, "Copying %s.%s template spec to %s-primary.%s", target, ns,
                    target, ns) &&
           step_must(s, CANARY_DO_PROMOTE) && step_must_scale(s, CANARY_DO_SCALER_UPDATE) &&
           step_must_scale(s, CANARY_DO_PAUSE) && step_must_if_pods(s, CANARY_DO_SCALE_DOWN) &&
           record_success(s, true) &&
           step_say(s, CANARY_INFO, "Promotion completed! Canary analysis was skipped for %s.%s",
                    target, ns) &&
           step_alert_fields(s, "Canary analysis was skipped, promotion finished.") && end_run(s);
}
