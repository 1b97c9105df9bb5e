#include "canary/step_tick.h"

#include "canary/weights.h"

/* What the analysis comes to with this router. */
static bool has_match(const struct step *s)
{
    return s->canary->analysis.match && !s->facts->router->is_fixed;
}

static bool mirrors_iterations(const struct step *s)
{
    return s->canary->analysis.mirror && s->facts->router->can_mirror &&
           !s->facts->router->is_fixed;
}

/* Where traffic cannot be mirrored the run goes on without (17.1 no. 8). */
static bool mirrors_first(const struct step *s)
{
    return s->canary->analysis.mirror && s->facts->router->can_mirror_weighted;
}

/* -- promotion ------------------------------------------------------------------------------- */

static bool promote(struct step *s)
{
    return step_say(s, CANARY_INFO, "Copying %s.%s template spec to %s-primary.%s",
                    s->canary->target.name, s->canary->ns, s->canary->target.name, s->canary->ns) &&
           step_must(s, CANARY_DO_PROMOTE) && step_set_phase(s, CANARY_PROMOTING) &&
           step_end(s, step_promotion_wait(s), "pods of the primary");
}

/* -- weighted -------------------------------------------------------------------------------- */

/* A spec that canary_check lets pass never comes here; one that is edited in mid-run may. */
static bool has_no_step(struct step *s, int64_t weight)
{
    return step_say(s, CANARY_WARN,
                    "Halt %s.%s advancement no weight to go to from %lld, set "
                    "spec.analysis.stepWeight or stepWeights",
                    s->canary->name, s->canary->ns, (long long)weight) &&
           step_count_failure(s);
}

static bool log_mirror(struct step *s, int64_t canary, bool is_mirrored)
{
    return step_log(s, CANARY_INFO, "Running mirror step %lld/%lld/%s",
                    (long long)(CANARY_TOTAL - canary), (long long)canary,
                    is_mirrored ? "true" : "false");
}

static bool set_weight(struct step *s, int64_t weight)
{
    struct canary_action action = { .act = CANARY_DO_STATUS,
                                    .change = { .kind = CANARY_CHANGE_WEIGHT, .weight = weight } };
    return step_must_do(s, &action);
}

/* A step that was made and not recorded: the process ended between the two, or the API server refused. */
static bool record_weight(struct step *s)
{
    int64_t now = s->facts->split.canary;
    return now == s->canary->status.weight || set_weight(s, now);
}

/* The weight of the primary is what is left, whatever somebody else made of it. */
static bool advance(struct step *s, int64_t step)
{
    const struct split *now = &s->facts->split;
    bool is_mirroring = mirrors_first(s) && now->canary == 0;
    bool is_mirrored = is_mirroring ? !now->mirrored : now->mirrored;
    int64_t weight = is_mirroring && is_mirrored ? 0 : MIN_OF(CANARY_TOTAL, now->canary + step);
    return (!is_mirroring || log_mirror(s, weight, is_mirrored)) &&
           step_set_weights(s, weight, is_mirrored) && set_weight(s, weight) &&
           step_show_weight(s, CANARY_TOTAL - weight, weight) &&
           step_say(s, CANARY_INFO, "Advance %s.%s canary weight %lld", s->canary->name,
                    s->canary->ns, (long long)weight) &&
           step_end(s, CANARY_WAIT_TIMER, "the next step");
}

static bool run_weighted(struct step *s, bool has_started)
{
    const struct canary_analysis *analysis = &s->canary->analysis;
    int64_t now = s->facts->split.canary, step = weights_step(analysis, now);
    bool is_done = now >= MIN_OF(CANARY_TOTAL, weights_max(analysis));
    if (!record_weight(s))
        return false;
    if (!is_done && step <= 0)
        return has_no_step(s, now);
    if (!s->facts->split.mirrored && s->phase == CANARY_PROGRESSING &&
        !step_confirm_increase(s, has_started))
        return false;
    if (!is_done)
        return advance(s, step);
    return step_confirm_promotion(s) && promote(s);
}

/* -- by iterations --------------------------------------------------------------------------- */

static bool count_iteration(struct step *s)
{
    int64_t next = s->canary->status.iterations + 1;
    return step_set_iterations(s, next) &&
           step_say(s, CANARY_INFO, "Advance %s.%s canary iteration %lld/%lld", s->canary->name,
                    s->canary->ns, (long long)next, (long long)step_iterations(s)) &&
           step_end(s, CANARY_WAIT_TIMER, "the next iteration");
}

/* 0:100 is for requests that match. Of iterations that were lowered below the counter the last one is done (17.1 no. 9). */
static bool run_ab(struct step *s)
{
    if (s->canary->status.iterations < step_iterations(s))
        return step_set_weights(s, CANARY_TOTAL, false) && step_show_weight(s, 0, CANARY_TOTAL) &&
               count_iteration(s);
    return step_confirm_promotion(s) && promote(s);
}

/* Mirrored traffic is a help for the checks: without it the iteration counts all the same. */
static bool start_mirror(struct step *s)
{
    struct canary_action action = { .act = CANARY_DO_WEIGHTS, .split = { CANARY_TOTAL, 0, true } };
    const char *text;
    enum step_answer answer = step_do(s, &action, &text);
    if (answer == STEP_NO)
        return step_say(s, CANARY_WARN, "%s", text);
    return answer == STEP_YES && step_log(s, CANARY_INFO, "Start traffic mirroring");
}

static bool route_to_canary(struct step *s)
{
    if (s->facts->router->is_fixed)
        return true;
    return step_say(s, CANARY_INFO,
                    mirrors_iterations(s) ? "Stop traffic mirroring and route all traffic to canary"
                                          : "Routing all traffic to canary") &&
           step_set_weights(s, CANARY_TOTAL, false) && step_show_weight(s, 0, CANARY_TOTAL);
}

/* One tick more than there are iterations: the last one has all traffic on the canary. */
static bool run_blue_green(struct step *s)
{
    int64_t done = s->canary->status.iterations, all = step_iterations(s);
    if (done < all)
        return (!mirrors_iterations(s) || s->facts->split.mirrored || start_mirror(s)) &&
               count_iteration(s);
    if (!step_confirm_promotion(s))
        return false;
    if (done == all)
        return route_to_canary(s) && step_set_iterations(s, done + 1) &&
               step_end(s, CANARY_WAIT_TIMER, "the next check");
    return promote(s);
}

/* -- one analysis tick ------------------------------------------------------------------------- */

static bool tell_fixed(struct step *s)
{
    const struct canary_analysis *analysis = &s->canary->analysis;
    if (!s->facts->router->is_fixed)
        return true;
    return (!analysis->match ||
            step_say(s, CANARY_WARN,
                     "A/B testing is not supported when using the kubernetes provider")) &&
           (analysis->iterations >= 1 ||
            (step_say(s, CANARY_WARN,
                      "Progressive traffic is not supported when using the kubernetes provider") &&
             step_say(s, CANARY_WARN, "Setting canaryAnalysis.iterations: %lld",
                      (long long)step_iterations(s))));
}

/* Conditions that the router ignores would send everybody to the canary (traffic-and-metrics.md 23.1 no. 5). */
static bool refuse_match(struct step *s)
{
    if (!has_match(s) || step_iterations(s) == 0 || s->facts->router->can_match)
        return true;
    return step_say(s, CANARY_WARN, "A/B testing is not supported when using the %s provider",
                    canary_provider(s->canary, s->facts->settings)) &&
           step_count_failure(s);
}

static bool run(struct step *s, bool has_started)
{
    if (step_iterations(s) == 0)
        return run_weighted(s, has_started);
    return has_match(s) ? run_ab(s) : run_blue_green(s);
}

static bool start(struct step *s)
{
    if (s->memory.start_was_told)
        return true;
    return step_say(s, CANARY_INFO, "Starting canary analysis for %s.%s", s->canary->target.name,
                    s->canary->ns) &&
           step_check_before_rollout(s);
}

bool step_analyse(struct step *s)
{
    const struct split *split = &s->facts->split;
    bool has_started = split->canary != 0 || s->canary->status.iterations != 0 ||
                       (s->canary->analysis.mirror && split->mirrored);
    s->was_analysis = true;
    return refuse_match(s) && (has_started ? step_check_rollout(s) : start(s)) && tell_fixed(s) &&
           run(s, has_started);
}

/* -- Promoting ------------------------------------------------------------------------------- */

static bool finalise(struct step *s)
{
    return step_set_phase(s, CANARY_FINALISING) &&
           step_end(s, CANARY_WAIT_TIMER, "traffic to drain");
}

static bool return_some(struct step *s, int64_t step)
{
    int64_t weight = MAX_OF(0, s->facts->split.canary - step);
    if (!(step_set_weights(s, weight, false) &&
          step_show_weight(s, CANARY_TOTAL - weight, weight) &&
          step_say(s, CANARY_INFO, "Advance %s.%s primary weight %lld", s->canary->name,
                   s->canary->ns, (long long)(CANARY_TOTAL - weight))))
        return false;
    if (weight == 0)
        return finalise(s);
    return set_weight(s, weight) && step_end(s, CANARY_WAIT_TIMER, "the next step");
}

bool step_return_traffic(struct step *s)
{
    int64_t step = s->canary->analysis.step_weight_promotion;
    if (s->facts->router->is_fixed)
        return finalise(s);
    if (step <= 0)
        return step_say(s, CANARY_INFO, "Routing all traffic to primary") &&
               step_set_weights(s, 0, false) && step_show_weight(s, CANARY_TOTAL, 0) && finalise(s);
    /* All is back already: only the phase was not written any more. */
    return s->facts->split.canary == 0 ? finalise(s) : return_some(s, step);
}
