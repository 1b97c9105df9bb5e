/* canary/canaries_parts.h - inside the reconciler: its state, one Canary's record, one tick. Only its own files include this.
 * Effects:   none of its own.
 * Ownership: struct canaries owns its units, a unit its tick; a tick owns an arena with everything that ends with it.
 * Units:     milliseconds of the loop, unless a name says otherwise.
 *
 *     unit:  idle ──change, timer──► queued ──turn, place──► (gather) ──► ticking ──► idle
 *              ▲                       ▲                        │ not all known
 *              └───────────────────────┴──── change ◄── looking ┘
 */
#ifndef SERIN_CANARY_CANARIES_PARTS_H
#define SERIN_CANARY_CANARIES_PARTS_H

#include "base/map.h"
#include "canary/canaries.h"
#include "canary/router/router.h"
#include "canary/step.h"
#include "canary/store.h"
#include "canary/target/target.h"

struct tick;

enum unit_state {
    UNIT_IDLE,
    UNIT_QUEUED,
    UNIT_LOOKING, /* not all it wants is known yet */
    UNIT_TICKING,
};

/* Those that are due, the first one first. Who is in use goes before who is not yet: a thousand new canaries do not hold up a
 * release, and the ones of them that were begun are done before others are. */
enum due_lane_name { DUE_IN_USE, DUE_NEW, DUE_LANES };
struct due_lane {
    struct unit *first, **last;
};

/* What is remembered of one Canary between its ticks: what is lost costs a repeated look, nothing else. */
struct unit {
    struct canaries *all;
    char *ns, *name, *owner; /* owner: NAME.NAMESPACE */
    enum unit_state state;
    bool is_gone;       /* while it ticked */
    bool was_looked_at; /* what it owns is known, or that it does not run */
    bool is_valid;      /* counted in flagger_canary_total */
    bool is_dirty;      /* something happened while it ticked */

    enum canary_wait wait;
    char *waits_for; /* "" nothing */
    ticket timer, spacer;
    bool has_timer_passed;
    int64_t due_ms; /* of the timer */
    int64_t interval_ms;
    int64_t queued_ms;       /* since when it is due */
    int64_t ended_ms;        /* the last tick */
    int repairs;             /* ticks in a row that wrote something although nobody asked for it */
    enum due_lane_name lane; /* while it is queued */
    struct unit *queue_next;
    size_t at; /* in canaries->list */

    struct canary_memory memory;
    bool suspension_was_told, guess_was_told;
    int64_t refused_generation; /* told to be invalid; -1 none */
    char *told_lack;

    char *target_key, *target_kind, *target, *created;
    enum canary_phase phase;
    int64_t weight, failed_checks, iterations;
    char *last_event;
    VEC(char *) metrics; /* names of those that have a series */
    VEC(char *) claims;  /* keys in canaries->claims */
    struct tick *tick;
};

struct holders {
    VEC(struct unit *) units; /* of one target */
};

struct canaries_metrics {
    struct metric *info, *total, *status, *weight, *analysis, *duration, *successes, *failures,
        *lateness;
};

struct canaries {
    struct canaries_opts opts;
    struct store *store;
    struct hooks *hooks;
    struct alerts *alerts;
    struct metric_lab *lab;
    struct canaries_metrics metrics;
    struct map *units;   /* NAME.NAMESPACE -> struct unit */
    struct map *targets; /* canary_target_key -> struct holders */
    struct map *claims;  /* "GROUP/KIND/NS/NAME" -> unsigned */
    VEC(struct unit *) list;
    bool is_synced, is_begun, may_act, is_stopping;
    int ticking;
    struct due_lane lanes[DUE_LANES];
    size_t ticked; /* since memory was given back last */
    ticket pump, probe, trim;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
    ticket stopping;
};

/* What a tick is made from: the Canary, everything it wants, and what that comes to. In an arena of its own. */
struct scene {
    struct arena *mem;
    struct canary canary;
    const struct target_kind *kind;
    const struct router *router;
    struct live_wants wants;
    struct live *live;
    struct canary_view view;
    struct canary_facts facts;
};

/* What a tick did, for the time of the next one. */
struct unit_work {
    bool was_by_timer, has_written, has_written_status;
};

struct tick {
    struct canaries *all;
    struct unit *unit;
    struct scene *scene;
    struct unit_work work;
    int64_t started_ms;
    VEC(struct canary_outcome) outcomes; /* in the arena of the scene */
    struct canary_action action;
    bool is_stepping; /* within tick_go_on */
    bool is_left;     /* nothing more of it is to be done */

    /* of the action */
    bool is_answered;
    struct canary_outcome answer;
    struct kube *asked; /* whom `request` is with */
    ticket request, hook, check, timer;
    struct effects effects;
    size_t effect_at;
    int attempts;
    const struct val *source; /* of a COPY_CONFIG, once it was read */
    bool is_copy_missing;     /* PUT has found nothing */
    /* Cookies that a router has chosen and no status write has recorded. NULL: none. */
    const char *cookie, *primary_cookie, *previous_cookie;
};

/* canaries.c */
/* Keeps what is known of a Canary beyond its ticks; NULL: it is not valid. */
void canaries_take(struct canaries *all, struct unit *unit, const struct canary *canary);
void canaries_keep_text(char **at, const char *text);
void canaries_show(struct unit *unit,
                   const struct canary *canary); /* its status, for canaries_at */
void canaries_check_stopped(struct canaries *all);
void canaries_gone(
    struct unit *unit); /* ends a unit that is_gone, once it does not tick any more */
/* The older one of its target, by title; NULL when that is this one. */
const char *canaries_rival(const struct canaries *all, const struct unit *unit);

/* due.c: when */
void due_begin(struct canaries *all); /* nobody is due */
void due_end(struct canaries *all);   /* no timers of its own any more */
void due_now(struct unit *unit);      /* into the queue, if it may */
void due_after(struct unit *unit,
               int64_t at_ms);       /* arms the timer; replaces the one that is armed */
void due_never(struct unit *unit);   /* no timer */
void due_change(struct unit *unit);  /* something around it changed */
void due_forget(struct unit *unit);  /* out of queue and timers */
void due_pump(struct canaries *all); /* in a later turn: starts what there is a place for */
void due_done(struct unit *unit,
              const struct unit_work *work); /* its tick has ended: the place is free */

/* scene.c: what */
/* The Canary, parsed and checked; NULL when it is gone. ERR_INVALID, reported, for one that does not run. */
MUST_USE struct err *scene_open(struct canaries *all, struct unit *unit, struct arena *mem,
                                struct scene **out);
/* Declares the first wants, without a look: so early that the watches bring the objects. */
void scene_declare(struct canaries *all, struct unit *unit, struct scene *scene);
/* Wants and looks until nothing new is wanted; false when something is not known yet. */
bool scene_gather(struct canaries *all, struct unit *unit, struct scene *scene);
/* Facts of a gathered scene, but those that the unit knows. */
void scene_judge(struct canaries *all, struct scene *scene);
/* A key as it is in the store now, after a write. */
void scene_refresh(struct canaries *all, struct scene *scene, const struct live_key *key);

/* tick.c */
void tick_start(struct unit *unit, struct scene *scene); /* takes over the arena */
void tick_go_on(struct tick *tick);                      /* the action has its answer */
void tick_leave(struct tick *tick); /* it ends with the write that runs, or at once */
void tick_stop(
    struct tick *tick); /* the process ends: it goes on with what it writes, but asks nobody */
void tick_free(struct tick *tick); /* cancels what runs */

/* act.c: carries out tick->action; tick->is_answered at once or, followed by tick_go_on, later. */
void act_start(struct tick *tick);
void act_cancel(struct tick *tick);
/* write.c: what is planned. */
#define WRITE_QUERY "fieldManager=serin-canary"
void write_start(struct tick *tick);
void write_cancel(struct tick *tick);
void write_send(struct tick *tick, struct kube *kube, const struct kube_request *request,
                kube_done_fn done);
void write_end(struct tick *tick, const char *why_not, bool is_missing); /* NULL: it is done */
bool write_is_missing(const struct kube_result *result); /* what it was about is not there */
const char *write_refusal(struct arena *mem,
                          const struct kube_result *result); /* as client-go shows it */
/* record.c: what is written to the Canary itself, from the newest there is, again after a conflict. False: the action does not. */
bool record_start(struct tick *tick);

/* report.c */
void report_declare(struct canaries *all);
void report_begin(struct canaries *all); /* there are canaries, or may be */
void report_event(struct canaries *all, struct unit *unit, const struct canary *canary,
                  const struct canary_action *action);
void report_log(const struct canaries *all, const struct unit *unit, enum canary_severity severity,
                const char *text);
/* Of one that cannot be parsed, too: log line and Kubernetes Event only. */
void report_refusal(struct canaries *all, struct unit *unit, const struct val *object,
                    const struct err *e);
void report_status(struct canaries *all, const struct unit *unit, enum canary_phase phase);
void report_weight(struct canaries *all, const struct unit *unit, const struct split *split);
void report_end(struct canaries *all, const struct canary *canary,
                const struct canary_action *action); /* successes, failures */
void report_metric(struct canaries *all, struct unit *unit, const char *name, double value);
void report_known(struct canaries *all, struct unit *unit,
                  bool is_valid); /* flagger_canary_total */
void report_forget(struct canaries *all, struct unit *unit);

/* claims.c: what sync must leave alone. */
void claims_set(struct canaries *all, struct unit *unit, const struct scene *scene);
void claims_forget(struct canaries *all, struct unit *unit);

#endif
