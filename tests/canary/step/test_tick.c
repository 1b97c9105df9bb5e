/* One tick for each stage, gate and trap: data/ticks.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "canary/value.h"
#include "doc/merge.h"
#include "drive.h"

#define SPEC                                                                                \
    "{targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, service: {port: 80}, " \
    "analysis: {interval: 10s, threshold: 2, stepWeight: 20, maxWeight: 50, "               \
    "metrics: [{name: request-success-rate}]}}"
#define LINES_MAX ((size_t)1 << 16)

/* -- worlds ---------------------------------------------------------------------------------- */

static const struct state {
    const char *name;
    struct world world;
} states[] = {
    { "first",
      { .target = 1,
        .target_pods = 1,
        .was_ready = 1,
        .apex = APEX_TARGET,
        .to_primary = 100,
        .wait = CANARY_WAIT_NOW } },
    { "boot", /* the primary is ready */
      { .phase = CANARY_INITIALIZING,
        .has_conditions = 1,
        .target = 1,
        .target_pods = 1,
        .was_ready = 1,
        .has_primary = 1,
        .primary = 1,
        .primary_pods = 1,
        .has_services = 1,
        .has_twin = 1,
        .apex = APEX_TARGET,
        .to_primary = 100,
        .wait = CANARY_WAIT_NOW } },
    { "idle",
      { .phase = CANARY_INITIALIZED,
        .has_conditions = 1,
        .applied = 1,
        .promoted = 1,
        .target = 1,
        .has_primary = 1,
        .primary = 1,
        .primary_pods = 1,
        .has_services = 1,
        .has_twin = 1,
        .apex = APEX_PRIMARY,
        .has_routes = 1,
        .to_primary = 100,
        .wait = CANARY_WAIT_NOW } },
    { "news", /* and a new revision */
      { .phase = CANARY_INITIALIZED,
        .has_conditions = 1,
        .applied = 1,
        .promoted = 1,
        .target = 2,
        .has_primary = 1,
        .primary = 1,
        .primary_pods = 1,
        .has_services = 1,
        .has_twin = 1,
        .apex = APEX_PRIMARY,
        .has_routes = 1,
        .to_primary = 100,
        .wait = CANARY_WAIT_NOW } },
    { "run", /* its pods are ready */
      { .phase = CANARY_PROGRESSING,
        .has_conditions = 1,
        .applied = 2,
        .promoted = 1,
        .target = 2,
        .target_pods = 1,
        .was_ready = 1,
        .has_primary = 1,
        .primary = 1,
        .primary_pods = 1,
        .has_services = 1,
        .has_twin = 1,
        .apex = APEX_PRIMARY,
        .has_routes = 1,
        .to_primary = 100,
        .wait = CANARY_WAIT_NOW } },
};

#define FIELD(name)                         \
    {                                       \
#name, offsetof(struct world, name) \
    }
static const struct field {
    const char *name;
    size_t at;
} fields[] = {
    FIELD(failed),         FIELD(weight),        FIELD(iterations),
    FIELD(applied),        FIELD(promoted),      FIELD(target),
    FIELD(target_pods),    FIELD(target_state),  FIELD(has_primary),
    FIELD(primary),        FIELD(primary_state), FIELD(config_is_new),
    FIELD(has_services),   FIELD(apex),          FIELD(has_routes),
    FIELD(to_primary),     FIELD(to_canary),     FIELD(mirrored),
    FIELD(has_twin),       FIELD(is_paused),     FIELD(suspended),
    FIELD(deleting),       FIELD(has_finalizer), FIELD(target_missing),
    FIELD(start_was_told), FIELD(is_reverted),   FIELD(suspension_was_told),
};

static uint8_t phase_of(const char *name)
{
    for (int phase = CANARY_NONE; phase <= CANARY_TERMINATED; phase++)
        if (strcmp(canary_phase_name((enum canary_phase)phase), name) == 0)
            return (uint8_t)phase;
    fail_msg("no phase %s", name);
    return 0;
}

static void set_field(struct world *w, const char *name, const struct val *value)
{
    int64_t number;
    if (strcmp(name, "phase") == 0) {
        w->phase = phase_of(val_text(value));
        return;
    }
    if (strcmp(name, "deleted_phase") == 0) {
        w->deleted_phase = phase_of(val_text(value));
        return;
    }
    assert_true(val_int(value, &number));
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(fields[i].name, name) == 0) {
            ((uint8_t *)w)[fields[i].at] = (uint8_t)number;
            return;
        }
    fail_msg("a world has no %s", name);
}

static struct world world_of(const struct val *map, bool skips)
{
    struct world world = { 0 };
    const char *from = val_text(val_get(map, "from"));
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (strcmp(states[i].name, from) == 0)
            world = states[i].world;
    assert_int_not_equal(world.target, 0); /* there is such a state */
    for (size_t i = 0; i < map->len; i++)
        if (strcmp(map->pairs[i].key, "from") != 0)
            set_field(&world, map->pairs[i].key, map->pairs[i].value);
    if (!val_get(map, "weight"))
        world.weight = world.to_canary; /* recorded */
    world.skips = skips;
    return world;
}

static void set_fact(struct canary_facts *facts, const char *name)
{
    if (strcmp(name, "early") == 0)
        facts->is_due = false;
    else if (strcmp(name, "duplicate") == 0)
        facts->duplicate = "old.shop";
    else if (strcmp(name, "target_fault") == 0)
        facts->target.fault = "no target";
    else if (strcmp(name, "routes_fault") == 0)
        facts->routes_fault = "no such kind";
    else if (strcmp(name, "split_fault") == 0)
        facts->split_fault = "no route";
    else if (strcmp(name, "configs_fault") == 0)
        facts->configs_fault = "no config";
    else if (strcmp(name, "foreign") == 0)
        facts->is_foreign = true;
    else if (strcmp(name, "as_promoted") == 0)
        facts->is_as_promoted = true;
    else
        fail_msg("no fact %s", name);
}

static const struct router *router_of(const char *name)
{
    return strcmp(name, "fixed") == 0     ? &world_fixed
           : strcmp(name, "early") == 0   ? &world_early
           : strcmp(name, "ingress") == 0 ? &world_ingress
                                          : &world_mesh;
}

/* -- one row --------------------------------------------------------------------------------- */

static void tick_does_what_its_row_says(void **state)
{
    const struct val *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *spec = value_of(mem, SPEC), *patch = val_get(row, "spec");
    const struct val *facts = val_get(row, "facts"), *fails = val_get(row, "fails");
    struct sbuf lines;
    struct drive drive;
    struct world_look look;
    const char *failing[8] = { 0 };
    sbuf_init(&lines, LINES_MAX);
    drive_init(&drive, mem, val_json(mem, patch ? doc_merge_apply(mem, spec, patch) : spec, NULL),
               router_of(val_text_or(val_get(row, "router"), "")));
    drive.lines = &lines;
    drive.world = world_of(val_get(row, "world"), drive.spec.canary.skips_analysis);
    drive.fails = failing;
    drive.is_missing = val_is_true(val_get(row, "is_missing"));
    for (size_t i = 0; i < val_len(fails); i++)
        failing[i] = val_text(val_item(fails, i));
    world_look(&drive.spec, &drive.world, true, mem, &look);
    for (size_t i = 0; i < val_len(facts); i++)
        set_fact(&look.facts, val_text(val_item(facts, i)));
    drive_tick(&drive, &look);
    const char *got = arena_strdup(mem, sbuf_text(&lines));
    sbuf_fini(&lines);
    assert_string_equal(got, val_text(val_get(row, "lines")));
    const struct val *after = val_get(row, "after");
    struct world expected = drive.world;
    for (size_t i = 0; i < val_len(after); i++)
        set_field(&expected, after->pairs[i].key, after->pairs[i].value);
    assert_memory_equal(&drive.world, &expected, sizeof(expected));
}

/* -- what is not a tick ---------------------------------------------------------------------- */

static void tick_is_due_by_what_was_waited_for(void **state)
{
    static const struct {
        enum canary_wait wait;
        enum ready_state primary, canary;
        bool has_timer_passed, has_fault, is_due;
    } rows[] = {
        { CANARY_WAIT_CHANGE, READY_LATER, READY_LATER, false, false, true },
        { CANARY_WAIT_NOW, READY_LATER, READY_LATER, false, false, true },
        { CANARY_WAIT_TIMER, READY_YES, READY_YES, false, false, false },
        { CANARY_WAIT_TIMER, READY_YES, READY_YES, true, false, true },
        { CANARY_WAIT_PRIMARY, READY_LATER, READY_YES, false, false, false },
        { CANARY_WAIT_PRIMARY, READY_YES, READY_LATER, false, false, true },
        { CANARY_WAIT_PRIMARY, READY_NEVER, READY_LATER, false, false, true },
        { CANARY_WAIT_PRIMARY, READY_YES, READY_YES, false, true, false },
        { CANARY_WAIT_PRIMARY, READY_LATER, READY_YES, true, false, true },
        { CANARY_WAIT_CANARY, READY_YES, READY_LATER, false, false, false },
        { CANARY_WAIT_CANARY, READY_LATER, READY_YES, false, false, true },
        { CANARY_WAIT_CANARY, READY_LATER, READY_NEVER, false, false, true },
        { CANARY_WAIT_CANARY, READY_YES, READY_YES, false, true, false },
        { CANARY_WAIT_CANARY, READY_YES, READY_LATER, true, true, true },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct target_seen target = { .fault = rows[i].has_fault ? "no target" : NULL,
                                      .primary.state = rows[i].primary,
                                      .canary.state = rows[i].canary };
        bool is_due = canary_step_is_due(rows[i].wait, rows[i].has_timer_passed, &target);
        if (is_due != rows[i].is_due)
            fail_msg("row %zu: %d", i, is_due);
    }
}

static void acts_have_names_of_their_own(void **state)
{
    (void)state;
    for (int a = 0; a < CANARY_ACTS; a++) {
        assert_string_not_equal(canary_act_name((enum canary_act)a), "");
        for (int b = 0; b < a; b++)
            assert_string_not_equal(canary_act_name((enum canary_act)a),
                                    canary_act_name((enum canary_act)b));
    }
}

int main(void)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    FILE *file = fopen(TEST_DATA "/data/ticks.yaml", "re");
    ASSERT(file);
    static const size_t max = (size_t)1 << 20;
    char *text = arena_alloc(mem, max);
    size_t len = fread(text, 1, max - 1, file);
    ASSERT(fclose(file) == 0);
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free)
    struct err *e = doc_yaml_load(mem, text, len, &doc_yaml_default_limits, &docs, NULL);
    if (e) {
        (void)fprintf(stderr, "ticks.yaml: %s\n", err_text(e));
        return 1;
    }
    size_t rows = val_len(docs.at[0].root);
    struct CMUnitTest *tests = arena_alloc(mem, (rows + 2) * sizeof(*tests));
    for (size_t i = 0; i < rows; i++) {
        struct val *row = val_item(docs.at[0].root, i);
        tests[i] = (struct CMUnitTest){ .name = val_text(val_get(row, "name")),
                                        .test_func = tick_does_what_its_row_says,
                                        .initial_state = row };
    }
    tests[rows] = (struct CMUnitTest)cmocka_unit_test(tick_is_due_by_what_was_waited_for);
    tests[rows + 1] = (struct CMUnitTest)cmocka_unit_test(acts_have_names_of_their_own);
    return _cmocka_run_group_tests("canary_step_tick", tests, rows + 2, NULL, NULL);
}
