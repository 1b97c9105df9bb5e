#include "canary/step_tick.h"

#include <string.h>

/* -- one hook -------------------------------------------------------------------------------- */

static enum step_answer ask_hook(struct step *s, size_t index, enum canary_phase phase,
                                 const char **why)
{
    return step_do(
        s, &(struct canary_action){ .act = CANARY_ASK_HOOK, .index = index, .phase = phase }, why);
}

bool step_count_failure(struct step *s)
{
    struct canary_action action = {
        .act = CANARY_DO_STATUS,
        .change = { .kind = CANARY_CHANGE_CHECKS,
                    .failed_checks = s->canary->status.failed_checks + 1 },
    };
    return step_must_do(s, &action) && step_end(s, CANARY_WAIT_TIMER, "the next check");
}

/* -- gates and checks: hooks whose refusal ends the tick --------------------------------------- */

/* What a type of hook says and does. `phase` is that of the payload, CANARY_NONE for the one the canary has. */
struct gate {
    enum canary_hook_type type;
    enum canary_phase phase;
    const char *passed; /* "… check <hook> passed"; NULL: in silence */
    const char *halt;   /* "Halt <c>.<ns> advancement … <hook>", and " failed <err>" if counted */
    bool is_counted;    /* a refusal is a failed check */
    enum canary_phase waiting; /* where a refusal leads to, and where it is not told again */
    const char *alert;         /* NULL none */
};
// clang-format off
static const struct gate confirm_rollout = {
    CANARY_HOOK_CONFIRM_ROLLOUT, CANARY_NONE, "Confirm-rollout", "waiting for approval",
    false, CANARY_WAITING, "Canary is waiting for approval." };
static const struct gate pre_rollout = {
    CANARY_HOOK_PRE_ROLLOUT, CANARY_PROGRESSING, "Pre-rollout", "pre-rollout check",
    true, CANARY_NONE, NULL };
static const struct gate rollout = {
    CANARY_HOOK_ROLLOUT, CANARY_PROGRESSING, NULL, "external check",
    true, CANARY_NONE, NULL };
static const struct gate confirm_increase = {
    CANARY_HOOK_CONFIRM_TRAFFIC_INCREASE, CANARY_PROGRESSING, "Confirm-traffic-increase", "waiting for traffic increase approval",
    false, CANARY_NONE, "Canary traffic increase is waiting for approval." };
static const struct gate confirm_promotion = {
    CANARY_HOOK_CONFIRM_PROMOTION, CANARY_PROGRESSING, "Confirm-promotion", "waiting for promotion approval",
    false, CANARY_WAITING_PROMOTION, "Canary promotion is waiting for approval." };
// clang-format on

static bool fail_check(struct step *s, const struct gate *gate, const struct canary_hook *hook,
                       const char *why)
{
    return step_say(s, CANARY_WARN, "Halt %s.%s advancement %s %s failed %s", s->canary->name,
                    s->canary->ns, gate->halt, hook->name, why) &&
           step_count_failure(s);
}

/* With iterations the last one is made again before the gate is asked again. */
static bool step_back(struct step *s)
{
    int64_t before_last = step_iterations(s) - 1;
    return before_last < 0 || s->canary->status.iterations == before_last ||
           step_set_iterations(s, before_last);
}

/* Refusals of a gate are told once where they have a phase of their own, else each time. */
static bool close_gate(struct step *s, const struct gate *gate, const struct canary_hook *hook)
{
    bool has_phase = gate->waiting != CANARY_NONE;
    if (has_phase && s->phase == gate->waiting)
        return (gate->waiting != CANARY_WAITING_PROMOTION || step_back(s)) &&
               step_end(s, CANARY_WAIT_TIMER, "approval");
    if (has_phase && !step_set_phase(s, gate->waiting))
        return false;
    return step_say(s, CANARY_WARN, "Halt %s.%s advancement %s %s", s->canary->name, s->canary->ns,
                    gate->halt, hook->name) &&
           (hook->mute_alert || step_alert(s, CANARY_WARN, "%s", gate->alert)) &&
           step_end(s, CANARY_WAIT_TIMER, "approval");
}

/* All hooks of the gate's type in order; the first refusal ends it. */
static bool pass(struct step *s, const struct gate *gate)
{
    const struct canary_analysis *analysis = &s->canary->analysis;
    enum canary_phase phase = gate->phase == CANARY_NONE ? s->phase : gate->phase;
    for (size_t i = 0; i < analysis->hooks_len; i++) {
        const struct canary_hook *hook = &analysis->hooks[i];
        const char *why;
        if (hook->type != gate->type)
            continue;
        enum step_answer answer = ask_hook(s, i, phase, &why);
        if (answer == STEP_NO)
            return gate->is_counted ? fail_check(s, gate, hook, why) : close_gate(s, gate, hook);
        if (answer == STEP_OPEN || (gate->passed && !step_say(s, CANARY_INFO, "%s check %s passed",
                                                              gate->passed, hook->name)))
            return false;
    }
    return true;
}

bool step_confirm_rollout(struct step *s)
{
    return pass(s, &confirm_rollout);
}

bool step_check_before_rollout(struct step *s)
{
    return pass(s, &pre_rollout);
}

/* While the first step is held, ticks come back to the same place: what was said and asked on the way is not repeated (17.1
 * no. 6). */
bool step_confirm_increase(struct step *s, bool has_started)
{
    s->memory.start_was_told = !has_started;
    if (!pass(s, &confirm_increase))
        return false;
    s->memory.start_was_told = false;
    return true;
}

bool step_confirm_promotion(struct step *s)
{
    return pass(s, &confirm_promotion);
}

/* -- the metrics of one analysis tick ---------------------------------------------------------- */

static bool ask_metric(struct step *s, size_t index, enum metric_part part)
{
    struct canary_action action = { .act = CANARY_ASK_METRIC, .index = index, .part = part };
    const char *text;
    enum step_answer answer = step_do(s, &action, &text);
    if (answer != STEP_NO)
        return answer == STEP_YES;
    return step_say(s, s->outcomes[s->at - 1].severity, "%s", text) && step_count_failure(s);
}

static bool is_builtin(const struct canary_metric *metric)
{
    return strcmp(metric->name, "request-success-rate") == 0 ||
           strcmp(metric->name, "request-duration") == 0;
}

/* Built-in and in-line checks come first, then templates, both in the order of the list. */
static bool check_metrics(struct step *s)
{
    const struct canary_analysis *analysis = &s->canary->analysis;
    for (size_t i = 0; i < analysis->metrics_len; i++) {
        const struct canary_metric *metric = &analysis->metrics[i];
        if (is_builtin(metric) && !ask_metric(s, i, METRIC_BUILTIN))
            return false;
        if (*metric->query && !ask_metric(s, i, METRIC_QUERY))
            return false;
    }
    for (size_t i = 0; i < analysis->metrics_len; i++) {
        const struct canary_metric *metric = &analysis->metrics[i];
        bool is_template = *metric->template_name;
        if (is_template && !ask_metric(s, i, METRIC_TEMPLATE))
            return false;
        if (!is_template && !is_builtin(metric) && !*metric->query &&
            !ask_metric(s, i, METRIC_UNUSABLE))
            return false;
    }
    return true;
}

bool step_check_rollout(struct step *s)
{
    return pass(s, &rollout) && check_metrics(s);
}

/* -- hooks that hold nothing up ---------------------------------------------------------------- */

static bool abort_run(struct step *s, const struct canary_hook *hook)
{
    return step_say(s, CANARY_WARN, "Rollback check %s passed", hook->name) &&
           step_say(s, CANARY_WARN, "Rolling back %s.%s manual webhook invoked", s->canary->name,
                    s->canary->ns) &&
           step_alert(s, CANARY_WARN, "Rolling back manual webhook invoked") && step_roll_back(s);
}

bool step_check_rollback(struct step *s, bool is_told)
{
    const struct canary_analysis *analysis = &s->canary->analysis;
    for (size_t i = 0; i < analysis->hooks_len; i++) {
        const struct canary_hook *hook = &analysis->hooks[i];
        if (hook->type != CANARY_HOOK_ROLLBACK)
            continue;
        enum step_answer answer = ask_hook(s, i, s->phase, NULL);
        if (answer == STEP_YES)
            return abort_run(s, hook);
        if (answer == STEP_OPEN ||
            (is_told &&
             !step_say(s, CANARY_INFO, "Rollback hook %s not signaling a rollback", hook->name)))
            return false;
    }
    return true;
}

bool step_tell_ended(struct step *s, enum canary_phase phase)
{
    const struct canary_analysis *analysis = &s->canary->analysis;
    for (size_t i = 0; i < analysis->hooks_len; i++) {
        const struct canary_hook *hook = &analysis->hooks[i];
        const char *why;
        if (hook->type != CANARY_HOOK_POST_ROLLOUT)
            continue;
        enum step_answer answer = ask_hook(s, i, phase, &why);
        if (answer == STEP_NO)
            return step_say(s, CANARY_WARN, "Post-rollout hook %s failed %s", hook->name, why);
        if (answer == STEP_OPEN ||
            !step_say(s, CANARY_INFO, "Post-rollout check %s passed", hook->name))
            return false;
    }
    return true;
}
