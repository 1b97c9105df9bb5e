/* Whole runs, tick by tick, from a new revision to the end: the tables of weights of canary.md 3.4, the iterations of 3.5. */
#include <stdlib.h>
#include <string.h>

#include "../../rows.h"

#include "drive.h"

#define TICKS_MAX 40
#define END       "Finalising 100:0, Succeeded 100:0"
#define LINES_MAX ((size_t)1 << 20)

/* One entry a tick after the one that scaled up: phase, routes, "m" for mirrored, iterations if any. */
struct run {
    const char *name, *analysis, *fails, *ticks;
    const struct router *router; /* NULL: one that can do everything */
};

// clang-format off
static const struct run runs[] = {
    { "the maximum is passed, never gone to", "stepWeight: 20, maxWeight: 50", NULL,
      "Progressing 80:20, Progressing 60:40, Progressing 40:60, Promoting 40:60, " END, NULL },
    { "halves", "stepWeight: 50, maxWeight: 100", NULL,
      "Progressing 50:50, Progressing 0:100, Promoting 0:100, " END, NULL },
    { "a step beyond 100", "stepWeight: 60", NULL,
      "Progressing 40:60, Progressing 0:100, Promoting 0:100, " END, NULL },
    { "weights one by one", "stepWeights: [1, 2, 10, 80]", NULL,
      "Progressing 99:1, Progressing 98:2, Progressing 90:10, Progressing 20:80, Promoting 20:80, " END,
      NULL },
    { "weights one by one, to more than there is", "stepWeights: [1, 2, 10, 200]", NULL,
      "Progressing 99:1, Progressing 98:2, Progressing 90:10, Progressing 0:100, Promoting 0:100, " END, NULL },
    { "a step wins over the list, the list over the maximum (no. 11)", "stepWeight: 30, stepWeights: [1, 40], maxWeight: 90", NULL,
      "Progressing 70:30, Progressing 40:60, Promoting 40:60, " END, NULL },
    { "mirrored first", "stepWeight: 10, maxWeight: 20, mirror: true", NULL,
      "Progressing 100:0m, Progressing 90:10, Progressing 80:20, Promoting 80:20, " END, NULL },
    { "back in steps", "stepWeight: 100, stepWeightPromotion: 50", NULL,
      "Progressing 0:100, Promoting 0:100, Promoting 50:50, " END, NULL },
    { "back in steps that do not divide", "stepWeight: 80, maxWeight: 80, stepWeightPromotion: 30", NULL,
      "Progressing 20:80, Promoting 20:80, Promoting 50:50, Promoting 80:20, " END, NULL },
    { "a/b", "iterations: 2, match: [{headers: {x: {exact: y}}}]", NULL,
      "Progressing 0:100 1, Progressing 0:100 2, Promoting 0:100 2, " END, NULL },
    { "blue/green", "iterations: 1", NULL,
      "Progressing 100:0 1, Progressing 0:100 2, Promoting 0:100 2, " END, NULL },
    { "blue/green, mirrored", "iterations: 2, mirror: true", NULL,
      "Progressing 100:0m 1, Progressing 100:0m 2, Progressing 0:100 3, Promoting 0:100 3, " END, NULL },
    { "blue/green without a mesh", "iterations: 2", NULL,
      "Progressing 100:0 1, Progressing 100:0 2, Progressing 100:0 3, Promoting 100:0 3, " END, &world_fixed },
    { "ten iterations where weights cannot be", "stepWeight: 50", NULL,
      "Progressing 100:0 1, Progressing 100:0 2, Progressing 100:0 3, Progressing 100:0 4, "
      "Progressing 100:0 5, Progressing 100:0 6, Progressing 100:0 7, Progressing 100:0 8, "
      "Progressing 100:0 9, Progressing 100:0 10, Progressing 100:0 11, Promoting 100:0 11, " END, &world_fixed },
    { "failing checks: one interval after the threshold (no. 3)", "stepWeight: 20, metrics: [{name: request-duration}]", "metric",
      "Progressing 80:20, Progressing 80:20, Progressing 80:20, Failed 100:0", NULL },
    { "failing hooks before any traffic", "stepWeight: 20, webhooks: [{name: a, url: 'http://a', type: pre-rollout}]", "hook",
      "Progressing 100:0, Progressing 100:0, Failed 100:0", NULL },
    { "conditions nobody goes by fail without traffic", "iterations: 3, match: [{headers: {x: {exact: y}}}]", NULL,
      "Progressing 100:0, Progressing 100:0, Failed 100:0", &world_ingress },
};
// clang-format on

static const char *tick_line(struct arena *mem, const struct world *w)
{
    const char *iterations = w->iterations ? arena_printf(mem, " %d", w->iterations) : "";
    return arena_printf(mem, "%s %d:%d%s%s", canary_phase_name(w->phase), w->to_primary,
                        w->to_canary, w->mirrored ? "m" : "", iterations);
}

static void settle(struct world *w)
{
    w->primary_state = w->target_state = READY_YES;
    w->was_ready |= w->target_pods;
}

static void tick(struct drive *drive)
{
    struct world_look look;
    settle(&drive->world);
    world_look(&drive->spec, &drive->world, true, drive->mem, &look);
    drive_tick(drive, &look);
}

static void run_goes_as_its_row_says(void **state)
{
    const struct run *run = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct sbuf lines;
    struct drive drive;
    const char *fails[] = { run->fails, NULL }, *got = "";
    const char *spec =
        arena_printf(mem,
                     "{targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, "
                     "service: {port: 80}, analysis: {interval: 10s, threshold: 2, %s}}",
                     run->analysis);
    sbuf_init(&lines, LINES_MAX);
    drive_init(&drive, mem, spec, run->router ? run->router : &world_mesh);
    drive.lines = &lines;
    tick(&drive); /* makes the primary */
    tick(&drive); /* Initialized */
    assert_int_equal(drive.world.phase, CANARY_INITIALIZED);
    world_new_revision(&drive.spec, &drive.world, 2);
    tick(&drive); /* scales up */
    drive.fails = fails;
    for (int i = 0; drive.world.wait != CANARY_WAIT_CHANGE && i < TICKS_MAX; i++) {
        tick(&drive);
        got = arena_printf(mem, "%s%s%s", got, *got ? ", " : "", tick_line(mem, &drive.world));
    }
    sbuf_fini(&lines);
    assert_string_equal(got, run->ticks);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(runs, run_goes_as_its_row_says),
    };
    return rows_run("canary_step_runs", tests, ARRAY_LEN(tests));
}
