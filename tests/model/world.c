#include "model/world.h"

#include <string.h>

#include "doc/yaml.h"

const struct router world_mesh = {
    .name = "mesh", .can_match = true, .can_mirror = true, .can_mirror_weighted = true
};
const struct router world_ingress = { .name = "ingress" };
const struct router world_early = { .name = "early", .is_early = true };
const struct router world_fixed = { .name = "fixed", .is_fixed = true };

static const struct canary_settings settings = { .mesh_provider = "istio" };

static const char *const revisions[WORLD_REVISIONS + 1] = { "",     "s1-a", "s1-b",
                                                            "s1-c", "s1-d", "s1-e" };

static uint8_t revision_of(const char *text)
{
    uint8_t i = 0;
    while (strcmp(revisions[i], text) != 0)
        ASSERT(++i < ARRAY_LEN(revisions)); /* else it is none of the world's */
    return i;
}

struct world_spec world_spec_of(struct arena *mem, const char *name, const char *yaml,
                                const struct router *router)
{
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free)
    struct err *e = doc_yaml_load(mem, yaml, strlen(yaml), &doc_yaml_default_limits, &docs, NULL);
    ASSERT(!e && docs.len == 1);
    struct world_spec spec = { .name = name, .settings = &settings, .router = router };
    e = canary_parse(mem, docs.at[0].root, &spec.canary);
    ASSERT(!e);
    spec.has_scaler = *spec.canary.scaler.name;
    spec.has_pods = strcmp(spec.canary.target.kind, "Service") != 0;
    return spec;
}

struct world world_first(const struct world_spec *spec)
{
    return (struct world){ .target = 1,
                           .target_pods = 1,
                           .target_state = READY_YES,
                           .was_ready = true,
                           .apex = APEX_TARGET,
                           .to_primary = CANARY_TOTAL,
                           .skips = spec->canary.skips_analysis,
                           .wait = CANARY_WAIT_NOW };
}

/* -- seen ------------------------------------------------------------------------------------ */

static struct canary_status status_of(const struct world *w, struct arena *mem)
{
    return (struct canary_status){
        .phase = w->phase,
        .failed_checks = w->failed,
        .weight = w->weight,
        .iterations = w->iterations,
        .last_applied = revisions[w->applied],
        .last_promoted = revisions[w->promoted],
        .cookie = "",
        .primary_cookie = "",
        .previous_cookie = "",
        .conditions = w->has_conditions ? val_new_list(mem) : NULL,
    };
}

static struct ready ready_of(uint8_t state, const char *text)
{
    return (struct ready){ .state = state, .text = state == READY_YES ? "" : text };
}

static struct target_seen target_of(const struct world_spec *spec, const struct world *w)
{
    return (struct target_seen){
        .fault = w->target_missing ? "deployment not found" : NULL,
        .revision = revisions[w->target],
        .has_primary = w->has_primary,
        .primary = ready_of(w->has_primary || !spec->has_pods ? w->primary_state : READY_LATER,
                            "primary not ready"),
        .canary = ready_of(w->target_state, "canary not ready"),
        .is_empty = !w->target_pods,
    };
}

/* A router that shifts nothing goes by the iterations. */
static struct split split_of(const struct world_spec *spec, const struct world *w)
{
    if (spec->router->is_fixed)
        return w->iterations > 0 ? (struct split){ 0, CANARY_TOTAL, false }
                                 : (struct split){ CANARY_TOTAL, 0, false };
    return (struct split){ w->to_primary, w->to_canary, w->mirrored };
}

void world_look(const struct world_spec *spec, const struct world *w, bool has_timer_passed,
                struct arena *mem, struct world_look *out)
{
    out->canary = spec->canary;
    out->canary.status = status_of(w, mem);
    out->canary.skips_analysis = w->skips;
    out->canary.is_suspended = w->suspended;
    out->canary.is_deleting = w->deleting;
    out->canary.has_finalizer = w->has_finalizer;
    out->facts = (struct canary_facts){
        .mem = mem,
        .canary = &out->canary,
        .settings = spec->settings,
        .router = spec->router,
        .has_pods = spec->has_pods,
        .has_scaler = spec->has_scaler,
        .suspension_was_told = w->suspension_was_told,
        .memory = { .start_was_told = w->start_was_told,
                    .is_reverted = w->is_reverted,
                    .deleted_phase = w->deleted_phase },
        .target = target_of(spec, w),
        .is_target_missing = w->target_missing,
        .revision = { .hash = revisions[w->target] },
        .changed_config = w->config_is_new ? "configmap settings" : NULL,
        .split = split_of(spec, w),
    };
    out->facts.is_due = canary_step_is_due(w->wait, has_timer_passed, &out->facts.target);
}

/* -- changed --------------------------------------------------------------------------------- */

static void write_status(struct world *w, const struct world_look *look,
                         const struct canary_change *change)
{
    struct canary_status now = status_of(w, look->facts.mem);
    struct canary_status next = canary_status_next(look->facts.mem, &look->canary, &now, change,
                                                   &look->facts.revision, look->facts.now_ms);
    bool records = change->kind == CANARY_CHANGE_SYNC || change->kind == CANARY_CHANGE_REVISION;
    w->phase = (uint8_t)next.phase;
    w->failed = (uint8_t)next.failed_checks;
    w->weight = (uint8_t)next.weight;
    w->iterations = (uint8_t)next.iterations;
    w->applied = revision_of(next.last_applied);
    w->promoted = revision_of(next.last_promoted);
    w->has_conditions = next.conditions != NULL;
    if (records && !look->facts.configs_fault)
        w->config_is_new = false;
}

static void set_pods(struct world *w, bool has_pods)
{
    if (w->target_pods == has_pods)
        return;
    w->target_pods = has_pods;
    w->target_state = has_pods ? READY_LATER : READY_YES;
    w->was_ready = false;
}

static void promote(const struct world_spec *spec, struct world *w)
{
    w->primary = w->target;
    if (!spec->has_pods)
        return;
    w->primary_state = READY_LATER;
    if (!spec->has_scaler) /* which has replicas of its own */
        w->primary_pods = w->target_pods;
}

static void create_primary(const struct world_spec *spec, struct world *w)
{
    if (w->has_primary)
        return;
    w->has_primary = w->primary_pods = true;
    w->primary = w->target;
    w->primary_state = spec->has_pods ? READY_LATER : READY_YES;
}

static void set_routes(struct world *w, const struct split *split)
{
    w->to_primary = (uint8_t)split->primary;
    w->to_canary = (uint8_t)split->canary;
    w->mirrored = split->mirrored;
}

void world_apply(const struct world_spec *spec, struct world *w, const struct world_look *look,
                 const struct canary_action *action)
{
    bool shifts = !spec->router->is_fixed;
    switch ((int)action->act) {
    case CANARY_DO_SERVICES: w->has_services = true; break;
    case CANARY_DO_PRIMARY: create_primary(spec, w); break;
    case CANARY_DO_PROMOTE: promote(spec, w); break;
    case CANARY_DO_SCALER: w->has_twin = true; break;
    case CANARY_DO_PAUSE: w->is_paused = true; break;
    case CANARY_DO_RESUME: w->is_paused = false; break;
    case CANARY_DO_APEX: w->apex = APEX_PRIMARY; break;
    case CANARY_DO_SCALE_DOWN: set_pods(w, false); break;
    case CANARY_DO_SCALE_UP: set_pods(w, true); break;
    case CANARY_DO_ROUTES: w->has_routes |= shifts; break;
    case CANARY_DO_WEIGHTS:
        if (shifts)
            set_routes(w, &action->split);
        break;
    case CANARY_DO_STATUS: write_status(w, look, &action->change); break;
    case CANARY_DO_ADD_FINALIZER: w->has_finalizer = true; break;
    case CANARY_DO_DROP_FINALIZER:
        w->has_finalizer = false;
        w->gone = w->deleting;
        break;
    case CANARY_DO_REVERT_TARGET: set_pods(w, true); break;
    case CANARY_DO_REVERT_APEX: w->apex = APEX_TARGET; break;
    case CANARY_DO_REVERT_ROUTES: w->has_routes = false; break;
    default: break;
    }
}

void world_end(struct world *w, const struct canary_action *done)
{
    if (done->wait != CANARY_WAIT_AS_BEFORE)
        w->wait = (uint8_t)done->wait;
    w->start_was_told = done->memory.start_was_told;
    w->is_reverted = done->memory.is_reverted;
    w->deleted_phase = (uint8_t)done->memory.deleted_phase;
    w->suspension_was_told = w->suspended;
}

void world_restart(struct world *w)
{
    w->wait = CANARY_WAIT_NOW;
    w->suspension_was_told = w->start_was_told = w->is_reverted = w->deleted_phase = 0;
}

void world_new_revision(const struct world_spec *spec, struct world *w, uint8_t revision)
{
    w->target = revision;
    if (!w->target_pods || !spec->has_pods)
        return;
    w->target_state = READY_LATER;
    w->was_ready = false;
}

uint8_t world_fresh_revision(const struct world *w)
{
    uint8_t revision = 1;
    while (revision == w->target || revision == w->applied || revision == w->promoted ||
           revision == w->primary)
        revision++;
    return revision;
}
