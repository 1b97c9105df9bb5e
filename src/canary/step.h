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
    CANARY_WAIT_AS_BEFORE, /* the tick was not due and changed nothing about what is waited for: the wait of before goes on,
                              with its timer and its text */
};
/* Whether a tick now is due, by what the last one said: it is on any occasion after WAIT_CHANGE and WAIT_NOW, else when the timer
 * passed, or the pods waited for are ready or never will be. The first tick of a process is due. */
bool canary_step_is_due(enum canary_wait wait, bool has_timer_passed,
                        const struct target_seen *target);

/* What a tick hands on to the next one of the same process. All zero at first and after a restart: what is lost costs a
 * repeated event, hook or round, nothing else. */
struct canary_memory {
    bool
        start_was_told; /* and pre-rollout hooks passed; a gate holds the first step (17.1 no. 6) */
    bool is_reverted; /* of a canary that is deleted, the target: from now on its readiness tells */
    enum canary_phase deleted_phase; /* when Terminating began: what the last event carries */
};

struct canary_action {
    enum canary_act act;
    enum canary_severity severity;
    enum canary_phase phase;
    const char *text; /* of DONE: what it waits for, for people ("approval"); "" nothing */
    size_t index;
    enum metric_part part;
    bool has_fields, is_skipped;
    struct split split;
    struct canary_change change;
    enum canary_wait wait;       /* this and the next two of DONE */
    bool was_analysis;           /* the tick counts for flagger_canary_duration_seconds */
    struct canary_memory memory; /* for the facts of the next tick */
};

/* What came of an action. Said ones never fail. */
struct canary_outcome {
    bool is_ok;
    bool is_missing; /* with !is_ok: because what it is about is not there (ERR_NOT_FOUND) */
    enum canary_severity severity; /* of ASK_METRIC with !is_ok: of the event */
    /* Why not: the <err> of the event; of ASK_METRIC the event itself; of DO_STATUS
     * "failed after retries: updating canary <c>.<ns> status failed: <err>". */
    const char *text;
};

struct canary_facts {
    struct arena *mem;
    const struct canary *canary;
    const struct canary_settings *settings;
    const struct router *router; /* its traits; none of its functions is called */
    /* canary_step_is_due. False: repair what is to be repaired, do not go on with the analysis. */
    bool is_due;
    bool has_pods, has_scaler;
    bool suspension_was_told; /* by an event of this process */
    struct canary_memory memory;
    struct target_seen target; /* with a fault, its other fields need not be filled in */
    bool is_target_missing;    /* the fault is that there is none */
    /* What a SYNC of this tick records. With a configs_fault, its configs are those of the status. */
    struct canary_revision revision;
    const char *configs_fault; /* revision.configs could not be found out; NULL none */
    const char
        *changed_config;      /* configs_changed against the status ("configmap x"); NULL nothing */
    const char *routes_fault; /* known before a write: the kind of a route is missing; NULL none */
    struct split split;       /* after DO_ROUTES */
    const char *split_fault;  /* or NULL */
    /* An older canary of the same target, which has it: this one does nothing but say so. NULL none. */
    const char *duplicate;
    /* Adoption (7): the stored revision is of another program, and the target runs what the primary runs. */
    bool is_foreign, is_as_promoted;
    int64_t now_ms;
};

void canary_step(const struct canary_facts *facts, const struct canary_outcome *outcomes,
                 size_t len, struct canary_action *next);

#endif
