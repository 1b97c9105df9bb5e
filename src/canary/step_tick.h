/* canary/step_tick.h - the parts of the step: one tick, replayed from its beginning, as functions that read like blocking code.
 * Effects:   none; the action that comes next is written to `next`.
 * Ownership: everything borrowed for one call of canary_step; texts in the arena of the facts.
 * Units:     weights in percent.
 * Reference: canary.md 3, 14.
 *
 * Every function that returns bool is true when the tick goes on. False means that there is nothing more to do in this call: an
 * action waits to be carried out, or the tick is over. Whoever gets a false returns it. */
#ifndef SERIN_CANARY_STEP_TICK_H
#define SERIN_CANARY_STEP_TICK_H

#include "canary/step.h"

struct step {
    const struct canary_facts *facts;
    const struct canary *canary; /* of the facts */
    const struct canary_outcome *outcomes;
    size_t len, at; /* outcomes there are; actions so far */
    struct canary_action *next;
    enum canary_phase phase; /* of the canary at this point of the tick; events carry it */
    bool was_analysis;
    struct canary_memory memory;
};

/* -- actions (step.c) -------------------------------------------------------------------------- */

enum step_answer {
    STEP_YES,
    STEP_NO,
    STEP_OPEN, /* not carried out yet: return false */
};
/* For actions that may fail without an end to the tick; `text` (may be NULL) gets why not. */
enum step_answer step_do(struct step *s, const struct canary_action *action, const char **text);
/* Failure is a warning event, and the end of the tick. */
bool step_must(struct step *s, enum canary_act act);
bool step_must_do(struct step *s, const struct canary_action *action);
/* step_must, where there is a scaler. */
bool step_must_scale(struct step *s, enum canary_act act);
/* step_must, for kinds with pods. */
bool step_must_if_pods(struct step *s, enum canary_act act);
bool step_set_weights(struct step *s, int64_t canary_weight, bool is_mirrored);
bool step_set_phase(struct step *s, enum canary_phase phase);
bool step_set_iterations(struct step *s, int64_t iterations);
/* Failure is a log line, and the end of the tick. */
bool step_sync(struct step *s, enum canary_phase phase, int64_t weight);

bool step_say(struct step *s, enum canary_severity severity, const char *fmt, ...) PRINTF(3, 4);
/* The same, with a phase that the status does not have (yet). */
bool step_say_as(struct step *s, enum canary_phase phase, enum canary_severity severity,
                 const char *fmt, ...) PRINTF(4, 5);
bool step_alert(struct step *s, enum canary_severity severity, const char *fmt, ...) PRINTF(3, 4);
bool step_alert_fields(struct step *s, const char *text); /* info, with the fields of 11.1 */
bool step_log(struct step *s, enum canary_severity severity, const char *fmt, ...) PRINTF(3, 4);
bool step_show_status(struct step *s, enum canary_phase phase);
bool step_show_weight(struct step *s, int64_t primary, int64_t canary);
bool step_count(struct step *s, enum canary_act act, bool is_skipped);

/* The end of the tick: always false. */
bool step_end(struct step *s, enum canary_wait wait, const char *waits_for);
/* A warning, said in ticks that are due, and the end: `wait`, or what was waited for before. */
bool step_halt(struct step *s, const char *text, enum canary_wait wait, const char *waits_for);
/* A write failed: a warning event; a log line in ticks that are not due. Tried again when the interval is over. */
bool step_fail(struct step *s, const char *text);

/* -- what is known (step.c) -------------------------------------------------------------------- */

/* Progressing or WaitingPromotion: checks are made, and a new revision begins from the start. */
bool step_is_analysing(const struct step *s);
bool step_has_new_target(const struct step *s); /* targetChanged of 3.2 */
bool step_is_at_threshold(const struct step *s);
/* What the run has in all, 0 for a weighted one. A router that shifts nothing has 10 where none are given. */
int64_t step_iterations(const struct step *s);
/* What comes after the primary has the promoted revision. The target of a DaemonSet goes no sooner than in Flagger: scripts made for
 * that one look for its pods until then. */
enum canary_wait step_promotion_wait(const struct step *s);

/* -- hooks (step_gates.c) ---------------------------------------------------------------------- */

bool step_confirm_rollout(struct step *s);
bool step_check_before_rollout(struct step *s);
bool step_check_rollout(struct step *s); /* hooks and metrics of one analysis tick */
bool step_confirm_increase(struct step *s, bool has_started);
bool step_confirm_promotion(struct step *s);
/* Rolls back when a hook says so; `is_told`: that one does not say so is an event. */
bool step_check_rollback(struct step *s, bool is_told);
bool step_tell_ended(struct step *s, enum canary_phase phase); /* post-rollout hooks */
/* One more failed check, and the end of the tick. */
bool step_count_failure(struct step *s);

/* -- the run (step_run.c) ---------------------------------------------------------------------- */

bool step_analyse(struct step *s);        /* checks, then the next weight, iteration or promotion */
bool step_return_traffic(struct step *s); /* Promoting */

/* -- the end of a run (step_end.c), of a canary (step_delete.c): always false ---------------------- */

bool step_roll_back(struct step *s);
/* The reason is a deadline: said first, and in an alert. */
bool step_give_up(struct step *s, const char *text);
/* The primary is past its deadline: said first, too. */
bool step_fail_promotion(struct step *s, const char *text);
bool step_finish(struct step *s);
bool step_skip(struct step *s);
bool step_delete(struct step *s);

#endif
