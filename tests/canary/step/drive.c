#include "drive.h"

#include <string.h>

#define ACTIONS_MAX 128

void drive_init(struct drive *drive, struct arena *mem, const char *yaml,
                const struct router *router)
{
    const char *canary = arena_printf(mem,
                                      "apiVersion: flagger.app/v1beta1\n"
                                      "kind: Canary\n"
                                      "metadata: {name: web, namespace: shop}\n"
                                      "spec: %s\n",
                                      yaml);
    *drive = (struct drive){ .mem = mem, .spec = world_spec_of(mem, "web", canary, router) };
    drive->world = world_first(&drive->spec);
}

/* -- lines ----------------------------------------------------------------------------------- */

static const char *severity_name(enum canary_severity severity)
{
    switch (severity) {
    case CANARY_INFO: return "info";
    case CANARY_WARN: return "warn";
    case CANARY_ERROR: return "error";
    }
    return "";
}

static const char *event_type(enum canary_severity severity)
{
    return severity == CANARY_INFO ? "normal" : severity == CANARY_WARN ? "warning" : "error";
}

static const char *part_name(enum metric_part part)
{
    switch (part) {
    case METRIC_BUILTIN: return "builtin";
    case METRIC_QUERY: return "query";
    case METRIC_TEMPLATE: return "template";
    case METRIC_UNUSABLE: return "unusable";
    }
    return "";
}

static const char *wait_name(enum canary_wait wait)
{
    switch (wait) {
    case CANARY_WAIT_CHANGE: return "change";
    case CANARY_WAIT_TIMER: return "timer";
    case CANARY_WAIT_PRIMARY: return "primary";
    case CANARY_WAIT_CANARY: return "canary";
    case CANARY_WAIT_NOW: return "now";
    case CANARY_WAIT_AS_BEFORE: return "as before";
    }
    return "";
}

static const char *change_line(struct arena *mem, const struct canary_change *change)
{
    const char *phase = canary_phase_name(change->phase);
    switch (change->kind) {
    case CANARY_CHANGE_SYNC:
        return arena_printf(mem, "status %s, revision, weight %d", phase, (int)change->weight);
    case CANARY_CHANGE_PHASE: return arena_printf(mem, "status %s", phase);
    case CANARY_CHANGE_CHECKS:
        return arena_printf(mem, "status failed %d", (int)change->failed_checks);
    case CANARY_CHANGE_WEIGHT: return arena_printf(mem, "status weight %d", (int)change->weight);
    case CANARY_CHANGE_ITERATIONS:
        return arena_printf(mem, "status iterations %d", (int)change->iterations);
    case CANARY_CHANGE_REVISION:
        return arena_printf(mem, "status revision%s", change->is_promoted ? ", promoted" : "");
    }
    return "";
}

static const char *line_of(const struct drive *drive, const struct canary_action *action)
{
    struct arena *mem = drive->mem;
    switch ((int)action->act) {
    case CANARY_DONE:
        return arena_printf(mem, "done %s%s", wait_name(action->wait),
                            action->was_analysis ? ", analysis" : "");
    case CANARY_EVENT:
        return arena_printf(mem, "%s %s: %s", event_type(action->severity),
                            canary_phase_name(action->phase), action->text);
    case CANARY_ALERT:
        return arena_printf(mem, "alert %s%s: %s", severity_name(action->severity),
                            action->has_fields ? "+" : "", action->text);
    case CANARY_LOG:
        return arena_printf(mem, "log %s: %s", severity_name(action->severity), action->text);
    case CANARY_COUNT_SUCCESS: return action->is_skipped ? "success, skipped" : "success";
    case CANARY_COUNT_FAILURE: return "failure";
    case CANARY_ASK_PROVIDERS: return "providers";
    case CANARY_ASK_HOOK:
        return arena_printf(mem, "hook %s %s",
                            drive->spec.canary.analysis.hooks[action->index].name,
                            canary_phase_name(action->phase));
    case CANARY_ASK_METRIC:
        return arena_printf(mem, "metric %zu %s", action->index, part_name(action->part));
    case CANARY_DO_WEIGHTS:
        return arena_printf(mem, "weights %d:%d%s", (int)action->split.primary,
                            (int)action->split.canary, action->split.mirrored ? " mirrored" : "");
    case CANARY_DO_STATUS: return change_line(mem, &action->change);
    default: return canary_act_name(action->act);
    }
}

static bool fails(const struct drive *drive, const char *line)
{
    for (const char *const *at = drive->fails; at && *at; at++)
        if (strncmp(line, *at, strlen(*at)) == 0)
            return true;
    return false;
}

/* -- one tick -------------------------------------------------------------------------------- */

static bool is_shown(enum canary_act act)
{
    return act == CANARY_SHOW_STATUS || act == CANARY_SHOW_WEIGHT;
}

static void carry_out(struct drive *drive, const struct world_look *look,
                      const struct canary_action *action, struct canary_outcome *out)
{
    const struct world before = drive->world;
    const char *line = line_of(drive, action);
    bool is_done = action->act >= CANARY_DO_SERVICES;
    out->is_ok = !fails(drive, line);
    out->text = out->is_ok ? NULL : "<err>";
    out->severity = CANARY_WARN;
    out->is_missing = drive->is_missing;
    if (is_done && out->is_ok)
        world_apply(&drive->spec, &drive->world, look, action);
    /* Statuses are told even when they repeat what there is; other writes would not be sent. */
    bool is_told = !is_done || !out->is_ok || action->act == CANARY_DO_STATUS ||
                   memcmp(&before, &drive->world, sizeof(before)) != 0;
    if (is_told && !is_shown(action->act)) {
        sbuf_add(drive->lines, line);
        sbuf_add(drive->lines, "\n");
    }
}

void drive_tick(struct drive *drive, struct world_look *look)
{
    struct canary_outcome outcomes[ACTIONS_MAX];
    struct canary_action action;
    for (size_t i = 0;; i++) {
        ASSERT(i < ACTIONS_MAX);
        canary_step(&look->facts, outcomes, i, &action);
        carry_out(drive, look, &action, &outcomes[i]);
        if (action.act == CANARY_DONE)
            break;
    }
    world_end(&drive->world, &action);
}
