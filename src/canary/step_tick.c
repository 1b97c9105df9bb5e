#include "canary/step_tick.h"

#include <string.h>

/* -- may this canary do anything at all ----------------------------------------------------- */

static bool leave_if_deleted(struct step *s)
{
    return !s->canary->is_deleting || step_delete(s);
}

static bool record_arrival(struct step *s)
{
    struct canary_action action = { .act = CANARY_DO_STATUS,
                                    .change = { .kind = CANARY_CHANGE_PHASE,
                                                .phase = CANARY_INITIALIZING } };
    const char *text;
    if (s->canary->status.conditions)
        return true;
    enum step_answer answer = step_do(s, &action, &text);
    if (answer == STEP_NO)
        return step_log(s, CANARY_ERROR, "%s", text) &&
               step_end(s, CANARY_WAIT_TIMER, "the API server");
    s->phase = CANARY_INITIALIZING;
    return answer == STEP_YES;
}

/* Our finalizer is there exactly while spec.revertOnDeletion is true. A failure holds nothing up: the next tick tries again. */
static bool keep_finalizer(struct step *s)
{
    bool is_wanted = s->canary->revert_on_deletion;
    struct canary_action action = { .act = is_wanted ? CANARY_DO_ADD_FINALIZER
                                                     : CANARY_DO_DROP_FINALIZER };
    const char *text;
    if (is_wanted == s->canary->has_finalizer)
        return true;
    if (!is_wanted && !step_log(s, CANARY_INFO, "%s.%s opting out, deleting finalizers",
                                s->canary->name, s->canary->ns))
        return false;
    enum step_answer answer = step_do(s, &action, &text);
    return answer == STEP_NO ? step_log(s, CANARY_ERROR, "%s", text) : answer == STEP_YES;
}

static bool leave_if_suspended(struct step *s)
{
    if (!s->canary->is_suspended)
        return true;
    return (s->facts->suspension_was_told ||
            step_say(s, CANARY_INFO, "skipping canary run as object is suspended")) &&
           step_end(s, CANARY_WAIT_CHANGE, "the end of its suspension");
}

/* Two that go on would take turns in undoing each other's work (17.2 no. 14). */
static bool leave_to_older(struct step *s)
{
    if (!s->facts->duplicate)
        return true;
    if (!s->facts->is_due)
        return step_end(s, CANARY_WAIT_AS_BEFORE, "");
    return step_say(s, CANARY_ERROR,
                    "Bad things will happen! Found more than one canary with the same target "
                    "%s.%s: %s has it, so %s.%s does nothing",
                    s->canary->target.name, s->canary->ns, s->facts->duplicate, s->canary->name,
                    s->canary->ns) &&
           step_end(s, CANARY_WAIT_TIMER, "the other canary of its target");
}

/* -- the objects around it ------------------------------------------------------------------- */

/* While bootstrapping, the target still has all requests. */
static bool is_booting(const struct step *s)
{
    return s->phase == CANARY_NONE || s->phase == CANARY_INITIALIZING;
}

static bool see_target(struct step *s)
{
    const char *fault = s->facts->target.fault;
    return !fault || step_halt(s, fault, CANARY_WAIT_TIMER, "its target");
}

/* Not after everything else was made and the target scaled down (traffic-and-metrics.md 23.1 no. 9). */
static bool see_routes_can_be(struct step *s)
{
    const char *fault = s->facts->routes_fault;
    return !fault || !is_booting(s) || step_halt(s, fault, CANARY_WAIT_TIMER, "its routes");
}

static bool keep_services(struct step *s)
{
    return step_must_if_pods(s, CANARY_DO_SERVICES);
}

static bool probe_providers(struct step *s)
{
    struct canary_action action = { .act = CANARY_ASK_PROVIDERS };
    const char *text;
    if (!is_booting(s) || s->canary->skips_analysis || !s->facts->is_due)
        return true;
    enum step_answer answer = step_do(s, &action, &text);
    if (answer == STEP_NO)
        return step_say(s, CANARY_ERROR, "Error checking metric providers: %s", text);
    return answer == STEP_YES &&
           step_say(s, CANARY_INFO, "all the metrics providers are available!");
}

static bool keep_routes(struct step *s, bool is_early)
{
    const char *fault = s->facts->routes_fault;
    if (s->facts->router->is_early != is_early)
        return true;
    return fault ? step_halt(s, fault, CANARY_WAIT_TIMER, "its routes")
                 : step_must(s, CANARY_DO_ROUTES);
}

static bool keep_early_routes(struct step *s)
{
    return keep_routes(s, true);
}

static bool keep_primary(struct step *s)
{
    return step_must(s, CANARY_DO_PRIMARY);
}

/* Nothing is taken from the target before the primary is up, not even with skipAnalysis; one that never will be leaves it all
 * as it is (17.1 no. 15). */
static bool wait_for_first_primary(struct step *s)
{
    const struct ready *primary = &s->facts->target.primary;
    if (!is_booting(s) || primary->state == READY_YES)
        return true;
    if (primary->state == READY_NEVER)
        return step_halt(s, primary->text, CANARY_WAIT_TIMER, "pods of the primary");
    /* Without analysis it is no condition of the contract, so the first round is nothing to warn of. */
    if (s->canary->skips_analysis && !s->facts->target.has_primary)
        return step_end(s, CANARY_WAIT_PRIMARY, "pods of the primary");
    return step_halt(s, primary->text, CANARY_WAIT_PRIMARY, "pods of the primary");
}

/* Their checksums are about to be recorded; without them the first look would find a change. */
static bool see_first_configs(struct step *s)
{
    const char *fault = s->facts->configs_fault;
    return !fault || !is_booting(s) || step_halt(s, fault, CANARY_WAIT_TIMER, "its configs");
}

static bool keep_scaler(struct step *s)
{
    return step_must_scale(s, CANARY_DO_SCALER) &&
           (!is_booting(s) || step_must_scale(s, CANARY_DO_PAUSE));
}

static bool keep_apex(struct step *s)
{
    return step_must_if_pods(s, CANARY_DO_APEX);
}

/* Routes that were there before may lead to the target. */
static bool clear_target(struct step *s)
{
    const struct canary_facts *facts = s->facts;
    if (facts->split_fault || facts->split.canary == 0 || facts->router->is_fixed)
        return true;
    return keep_routes(s, false) && step_set_weights(s, 0, false);
}

static bool empty_target(struct step *s)
{
    const struct canary *canary = s->canary;
    struct canary_action action = { .act = CANARY_DO_SCALE_DOWN };
    const char *text;
    if (!is_booting(s) || !s->facts->has_pods)
        return true;
    if (!clear_target(s) || !step_log(s, CANARY_INFO, "Scaling down %s %s.%s", canary->target.kind,
                                      canary->target.name, canary->ns))
        return false;
    enum step_answer answer = step_do(s, &action, &text);
    if (answer != STEP_NO)
        return answer == STEP_YES;
    return step_fail(s, arena_printf(s->facts->mem, "scaling down canary %s %s.%s failed: %s",
                                     canary->target.kind, canary->target.name, canary->ns, text));
}

static bool keep_late_routes(struct step *s)
{
    return keep_routes(s, false);
}

static bool record_initialized(struct step *s)
{
    const struct canary *canary = s->canary;
    struct canary_action action = { .act = CANARY_DO_STATUS,
                                    .change = { .kind = CANARY_CHANGE_SYNC,
                                                .phase = CANARY_INITIALIZED } };
    const char *text;
    if (!is_booting(s))
        return true;
    enum step_answer answer = step_do(s, &action, &text);
    if (answer == STEP_NO)
        return step_fail(s, arena_printf(s->facts->mem, "failed to sync canary %s.%s status: %s",
                                         canary->name, canary->ns, text));
    s->phase = CANARY_INITIALIZED;
    return answer == STEP_YES && step_show_status(s, CANARY_INITIALIZED) &&
           step_say(s, CANARY_INFO, "Initialization done! %s.%s", canary->name, canary->ns) &&
           step_alert_fields(s, arena_printf(s->facts->mem,
                                             "New %s detected, initialization completed.",
                                             canary->target.kind)) &&
           step_end(s, CANARY_WAIT_CHANGE, "");
}

/* -- is there anything to be done ------------------------------------------------------------- */

/* The hash of another program cannot be compared with ours, so at rest what is there now is where we begin (7). In mid-run it
 * counts as another revision: the run begins from the start, with no traffic on the canary. */
static bool adopt(struct step *s)
{
    bool is_at_rest =
        s->phase == CANARY_INITIALIZED || s->phase == CANARY_SUCCEEDED || s->phase == CANARY_FAILED;
    if (!s->facts->is_foreign || !is_at_rest)
        return true;
    struct canary_action action = { .act = CANARY_DO_STATUS,
                                    .change = { .kind = CANARY_CHANGE_REVISION,
                                                .is_promoted = s->facts->is_as_promoted } };
    return step_must_do(s, &action) && step_show_status(s, s->phase) &&
           step_end(s, CANARY_WAIT_CHANGE, "");
}

static bool is_running(enum canary_phase phase)
{
    return phase == CANARY_PROGRESSING || phase == CANARY_WAITING ||
           phase == CANARY_WAITING_PROMOTION || phase == CANARY_PROMOTING ||
           phase == CANARY_FINALISING;
}

/* After a failure the way back to what the primary runs is no new run. It is noted, so that the failed revision is one if it
 * comes again; nothing else is, so that no revision is lost (17.1 no. 13). */
static bool note_return(struct step *s)
{
    const char *now = s->facts->revision.hash;
    struct canary_action action = { .act = CANARY_DO_STATUS,
                                    .change = { .kind = CANARY_CHANGE_REVISION } };
    if (s->phase != CANARY_FAILED || !now || strcmp(now, s->canary->status.last_applied) == 0)
        return true;
    return step_must_do(s, &action);
}

static bool see_change(struct step *s)
{
    const struct canary_facts *facts = s->facts;
    if (is_running(s->phase))
        return true;
    if (facts->configs_fault)
        return step_halt(s, facts->configs_fault, CANARY_WAIT_TIMER, "its configs");
    if (step_has_new_target(s))
        return true;
    if (facts->changed_config)
        return step_log(s, CANARY_INFO, "%s has changed", facts->changed_config);
    return note_return(s) && step_show_status(s, s->phase) && step_end(s, CANARY_WAIT_CHANGE, "");
}

/* -- the run --------------------------------------------------------------------------------- */

/* A run can be ended by hand while it waits, too (17.1 no. 5). That it was not is no news there. */
static bool ask_to_end(struct step *s)
{
    bool is_open = step_is_analysing(s) || s->phase == CANARY_WAITING;
    return !is_open || s->canary->skips_analysis || step_check_rollback(s, false);
}

/* Pods are on their way: nothing goes on without them. */
static bool wait_for_pods(struct step *s, enum canary_wait wait, const struct ready *pods,
                          const char *waits_for)
{
    if (!s->facts->is_due)
        return step_end(s, CANARY_WAIT_AS_BEFORE, "");
    return step_say(s, CANARY_WARN, "%s", pods->text) && ask_to_end(s) &&
           step_end(s, wait, waits_for);
}

/* A primary past its deadline ends a run. When there is none it is no reason to touch anything: after a failed promotion the
 * canary has the traffic (17.1 no. 14). */
static bool see_primary_ready(struct step *s)
{
    const struct ready *primary = &s->facts->target.primary;
    if (s->canary->skips_analysis || primary->state == READY_YES)
        return true;
    if (primary->state == READY_LATER)
        return wait_for_pods(
            s, s->phase == CANARY_PROMOTING ? step_promotion_wait(s) : CANARY_WAIT_PRIMARY, primary,
            "pods of the primary");
    if (s->phase == CANARY_PROMOTING || s->phase == CANARY_FINALISING)
        return step_fail_promotion(s, primary->text);
    if (step_is_analysing(s))
        return step_give_up(s, primary->text);
    return step_halt(s, primary->text, CANARY_WAIT_TIMER, "pods of the primary");
}

static bool see_split(struct step *s)
{
    const struct canary_facts *facts = s->facts;
    if (facts->split_fault)
        return step_halt(s, facts->split_fault, CANARY_WAIT_TIMER, "its routes");
    return step_show_weight(s, facts->split.primary, facts->split.canary) &&
           step_show_status(s, s->phase);
}

/* A run begins with all traffic on the primary, which is ready here; after a failed promotion it is not there. Without an
 * analysis nobody asked whether it is: traffic goes back when it is promoted. */
static bool clear_start(struct step *s)
{
    const struct split *split = &s->facts->split;
    if (s->canary->skips_analysis || s->facts->router->is_fixed ||
        (split->canary == 0 && !split->mirrored))
        return true;
    return step_set_weights(s, 0, false) && step_show_weight(s, CANARY_TOTAL, 0);
}

static bool scale_up(struct step *s)
{
    struct canary_action action = { .act = CANARY_DO_SCALE_UP };
    const char *text;
    if (!s->facts->has_pods)
        return true;
    enum step_answer answer = step_do(s, &action, &text);
    if (answer != STEP_NO)
        return answer == STEP_YES;
    return step_say(s, CANARY_ERROR, "%s", text) &&
           step_end(s, CANARY_WAIT_TIMER, "another attempt");
}

/* The first checks are for the next tick: the pods have to come up. */
static bool start_if_idle(struct step *s)
{
    if (is_running(s->phase) && s->phase != CANARY_WAITING)
        return true;
    if (!s->facts->is_due)
        return step_end(s, CANARY_WAIT_AS_BEFORE, "");
    if (s->facts->configs_fault)
        return step_halt(s, s->facts->configs_fault, CANARY_WAIT_TIMER, "its configs");
    if (!ask_to_end(s))
        return false;
    s->memory.start_was_told = false;
    return step_confirm_rollout(s) &&
           step_say_as(s, CANARY_PROGRESSING, CANARY_INFO,
                       "New revision detected! Scaling up %s.%s", s->canary->target.name,
                       s->canary->ns) &&
           step_alert_fields(s, "New revision detected, progressing canary analysis.") &&
           clear_start(s) && step_must_scale(s, CANARY_DO_RESUME) && scale_up(s) &&
           step_sync(s, CANARY_PROGRESSING, 0) && step_show_status(s, CANARY_PROGRESSING) &&
           step_end(s, CANARY_WAIT_CANARY, "pods of the canary");
}

static bool restart_if_changed(struct step *s)
{
    const struct canary_facts *facts = s->facts;
    bool is_new = step_has_new_target(s), has_new_config = facts->changed_config != NULL;
    struct canary_action record = { .act = CANARY_DO_STATUS,
                                    .change = { .kind = CANARY_CHANGE_SYNC,
                                                .phase = CANARY_PROGRESSING } };
    if (!step_is_analysing(s) || (!is_new && !has_new_config))
        return true;
    s->memory.start_was_told = false;
    return (is_new || step_log(s, CANARY_INFO, "%s has changed", facts->changed_config)) &&
           step_say(s, CANARY_INFO, "New revision detected! Restarting analysis for %s.%s",
                    s->canary->target.name, s->canary->ns) &&
           step_set_weights(s, 0, false) &&
           (!facts->configs_fault ||
            step_halt(s, facts->configs_fault, CANARY_WAIT_TIMER, "its configs")) &&
           step_must_do(s, &record) && step_end(s, CANARY_WAIT_CANARY, "pods of the canary");
}

/* A canary without pods passes for ready. Its run was cut short while it was being ended (the reason comes again, if it still
 * holds), or somebody scaled it down: no step is taken before its pods are back, and nothing pauses its scaler. */
static bool keep_pods(struct step *s)
{
    if (!step_is_analysing(s) && s->phase != CANARY_PROMOTING)
        return true;
    if (!step_must_scale(s, CANARY_DO_RESUME))
        return false;
    return !s->facts->target.is_empty ||
           (step_log(s, CANARY_INFO, "Scaling up %s %s.%s", s->canary->target.kind,
                     s->canary->target.name, s->canary->ns) &&
            step_must_if_pods(s, CANARY_DO_SCALE_UP) &&
            step_end(s, CANARY_WAIT_CANARY, "pods of the canary"));
}

static bool see_canary_ready(struct step *s)
{
    const struct ready *pods = &s->facts->target.canary;
    if (pods->state == READY_NEVER)
        return step_give_up(s, pods->text);
    return pods->state == READY_YES ||
           wait_for_pods(s, CANARY_WAIT_CANARY, pods, "pods of the canary");
}

/* What follows is for the interval. */
static bool leave_if_early(struct step *s)
{
    return s->facts->is_due || step_end(s, CANARY_WAIT_AS_BEFORE, "");
}

/* Where the canary is scaled down already there is nothing to promote: the run only has to end. */
static bool skip_if_asked(struct step *s)
{
    return !s->canary->skips_analysis || s->facts->target.is_empty || step_skip(s);
}

static bool roll_back_by_hand(struct step *s)
{
    return !step_is_analysing(s) || step_check_rollback(s, true);
}

static bool end_run(struct step *s)
{
    if (s->phase == CANARY_PROMOTING)
        return step_must_scale(s, CANARY_DO_SCALER_UPDATE) && step_return_traffic(s);
    if (s->phase == CANARY_FINALISING)
        return step_finish(s);
    return !step_is_at_threshold(s) || step_roll_back(s);
}

/* In this order; each goes on to the next, or ends the tick. */
static bool (*const stages[])(struct step *) = {
    leave_if_deleted, record_arrival, keep_finalizer, leave_if_suspended, leave_to_older,
    /* what has to be there */
    see_target, see_routes_can_be, keep_services, probe_providers, keep_early_routes, keep_primary,
    wait_for_first_primary, see_first_configs, keep_scaler, keep_apex, empty_target,
    keep_late_routes, record_initialized,
    /* a reason to run */
    adopt, see_change, see_primary_ready, see_split, start_if_idle,
    /* a run */
    restart_if_changed, keep_pods, see_canary_ready, leave_if_early, skip_if_asked,
    roll_back_by_hand, end_run, step_analyse
};

void canary_step(const struct canary_facts *facts, const struct canary_outcome *outcomes,
                 size_t len, struct canary_action *next)
{
    struct step s = { .facts = facts,
                      .canary = facts->canary,
                      .outcomes = outcomes,
                      .len = len,
                      .next = next,
                      .phase = facts->canary->status.phase,
                      .memory = facts->memory };
    for (size_t i = 0; i < ARRAY_LEN(stages); i++)
        if (!stages[i](&s))
            break;
    ASSERT(s.at == len + 1); /* else the last stage neither asked nor ended */
}
