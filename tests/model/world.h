/* model/world.h - what a canary's tick sees and changes, small enough to be hashed: status, target, primary, routes.
 * Effects:   none.
 * Ownership: specs in the caller's arena; a look is borrowed from the world, the spec and the arena it was made in.
 *
 * Pods are ready when somebody sets their state. Revisions are small numbers; only whether two are equal matters. */
#ifndef SERIN_TESTS_MODEL_WORLD_H
#define SERIN_TESTS_MODEL_WORLD_H

#include "canary/step.h"

struct world_spec {
    const char *name;
    struct canary canary; /* status and flags that change are the world's */
    const struct canary_settings *settings;
    const struct router *router;
    bool has_scaler, has_pods;
};

extern const struct router world_mesh;    /* can do everything */
extern const struct router world_ingress; /* weights, nothing else */
extern const struct router world_early, world_fixed;

/* `yaml` is a Canary. */
struct world_spec world_spec_of(struct arena *mem, const char *name, const char *yaml,
                                const struct router *router);

enum world_apex { APEX_ABSENT, APEX_TARGET, APEX_PRIMARY };

struct world {
    /* status */
    uint8_t phase, failed, weight, iterations, has_conditions;
    uint8_t applied, promoted; /* revisions; 0 none */
    uint8_t config_is_new;     /* configs are others than the status has */
    /* the target and its copy; state is an enum ready_state */
    uint8_t target, target_pods, target_state;
    uint8_t was_ready; /* with these pods and this revision */
    uint8_t has_primary, primary, primary_pods, primary_state;
    /* what leads there */
    uint8_t has_services, apex, has_routes, to_primary, to_canary, mirrored;
    uint8_t has_twin, is_paused;
    /* the Canary */
    uint8_t skips, suspended, deleting, has_finalizer, gone, target_missing;
    /* the process */
    uint8_t wait, suspension_was_told, start_was_told, is_reverted, deleted_phase;
};

#define WORLD_REVISIONS 5 /* 1..4 can be told apart; there are four places for them */

/* Before serin ever saw it: pods of the target answer, and a Service may lead to them. */
struct world world_first(const struct world_spec *spec);

struct world_look {
    struct canary canary;
    struct canary_facts facts;
};
void world_look(const struct world_spec *spec, const struct world *world, bool has_timer_passed,
                struct arena *mem, struct world_look *out);
/* Carries out a DO action. */
void world_apply(const struct world_spec *spec, struct world *world, const struct world_look *look,
                 const struct canary_action *action);
/* What DONE leaves behind. */
void world_end(struct world *world, const struct canary_action *done);
void world_restart(struct world *world); /* the process forgets */
void world_new_revision(const struct world_spec *spec, struct world *world, uint8_t revision);
uint8_t world_fresh_revision(const struct world *world); /* one that is nowhere */

#endif
