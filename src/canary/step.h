/* canary/step.h - decides what comes next in one tick of one canary.
 * Effects:   none. Pure: no clock, no I/O.
 * Ownership: values in, values out; texts are in the arena of the facts.
 * Units:     weights in percent, times in milliseconds.
 * Reference: canary.md 3, 14, 17.1.
 *
 * A tick is a sequence of actions. The step is asked for one at a time: it gets the facts, frozen when the tick began, and what
 * came of each action so far, and says the next one. Whoever asks carries it out and asks again, until CANARY_DONE.
 *
 *     facts, []                 -> do services
 *     facts, [ok]               -> ask the confirm-rollout hook
 *     facts, [ok, refused]      -> status Waiting
 *     facts, [ok, refused, ok]  -> event "Halt …"                     … -> done, wait for the timer
 *
 * Nothing is remembered between two calls, so a crash anywhere means that the tick begins again from the facts of then. */
#ifndef SERIN_CANARY_STEP_H
#define SERIN_CANARY_STEP_H

#include "canary/router/router.h"
#include "canary/status.h"
#include "canary/view.h"

enum canary_act {
    CANARY_DONE, /* the tick is over: `wait` */

    /* said */
    CANARY_EVENT,         /* severity, phase it carries, text */
    CANARY_ALERT,         /* severity, text, has_fields */
    CANARY_LOG,           /* severity, text */
    CANARY_SHOW_STATUS,   /* flagger_canary_status: phase */
    CANARY_SHOW_WEIGHT,   /* flagger_canary_weight: split */
    CANARY_COUNT_SUCCESS, /* flagger_canary_successes_total: is_skipped */
    CANARY_COUNT_FAILURE,

    /* asked: the outcome may be "no" */
    CANARY_ASK_PROVIDERS, /* the probe of 13.6 */
    CANARY_ASK_HOOK,      /* index into analysis.hooks; phase of the payload */
    CANARY_ASK_METRIC,    /* index into analysis.metrics; part */

    /* written */
    CANARY_DO_SERVICES, /* canary and primary */
    CANARY_DO_PRIMARY,  /* create it */
    CANARY_DO_PROMOTE,
    CANARY_DO_SCALER, /* the twin, if it is missing */
    CANARY_DO_SCALER_UPDATE,
    CANARY_DO_PAUSE,
    CANARY_DO_RESUME,
    CANARY_DO_APEX,
    CANARY_DO_SCALE_DOWN, /* target to zero */
    CANARY_DO_SCALE_UP,
    CANARY_DO_ROUTES,  /* reconcile */
    CANARY_DO_WEIGHTS, /* split */
    CANARY_DO_STATUS,  /* change */
    CANARY_DO_ADD_FINALIZER,
    CANARY_DO_DROP_FINALIZER,
    CANARY_DO_REVERT_TARGET,
    CANARY_DO_REVERT_APEX,
    CANARY_DO_REVERT_ROUTES,
    CANARY_ACTS
};
const char *canary_act_name(enum canary_act act);

/* Which of the checks that an entry of analysis.metrics can stand for. Reference: 13.1. */
enum metric_part { METRIC_BUILTIN, METRIC_QUERY, METRIC_TEMPLATE, METRIC_UNUSABLE };

/* What has to happen before the next tick is worth its while. Ticks that are due by the clock come anyway. */
enum canary_wait {
    CANARY_WAIT_CHANGE, /* nothing is under way: no timer; target, configs, spec or a generated object changes */
    CANARY_WAIT_TIMER, /* the interval passes; changes of what the canary owns are repaired meanwhile */
    CANARY_WAIT_PRIMARY, /* primary ready, or never to be; or the timer */
    CANARY_WAIT_CANARY,  /* the same of the canary */
    CANARY_WAIT_NOW,     /* at once: a stage ended that nothing needs to be waited for */
};

struct canary_action {
    enum canary_act act;
    enum canary_severity severity;
    enum canary_phase phase;
    const char *text;
    size_t index;
    enum metric_part part;
    bool has_fields, is_skipped;
    struct split split;
    struct canary_change change;
    enum canary_wait wait;
    bool was_analysis; /* DONE: the tick counts for flagger_canary_duration_seconds */
};

/* What came of an action. Said ones never fail. */
struct canary_outcome {
    bool is_ok;
    enum canary_severity severity; /* of ASK_METRIC with !is_ok: of the event */
    const char *text; /* why not: the <err> of the event, or of ASK_METRIC the event itself */
};

struct canary_facts {
    struct arena *mem;
    const struct canary *canary;
    const struct canary_settings *settings;
    const struct router *router; /* its traits; none of its functions is called */
    bool is_due; /* false: repair what is to be repaired, do not go on with the analysis */
    bool has_pods, has_scaler;
    bool suspension_was_told; /* by an event of this process */
    struct target_seen target;
    struct canary_revision revision;
    const char *configs_fault; /* revision.configs could not be found out; NULL none */
    const char *
        routes_fault; /* known before anything is written: the kind of a route is missing; NULL none */
    struct split split;      /* after DO_ROUTES */
    const char *split_fault; /* or NULL */
    const char *duplicate;   /* another canary with the same target; NULL none */
    /* Adoption (7): the stored revision is of another program, and the target runs what the primary runs. */
    bool is_foreign, is_as_promoted;
    int64_t now_ms;
};

void canary_step(const struct canary_facts *facts, const struct canary_outcome *outcomes,
                 size_t len, struct canary_action *next);

#endif
