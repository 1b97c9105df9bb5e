#include "../../rows.h"

#include "../value.h"
#include "canary/status.h"

#define THEN_MS  ((int64_t)1767323045000) /* 2026-01-02T03:04:05Z */
#define NOW_MS   ((int64_t)1767323105000) /* a minute later */
#define NOW_TEXT "2026-01-02T03:05:05Z"

/* A run half-way: weight 40, two failed checks, three iterations. */
static struct canary_status halfway(struct arena *mem)
{
    return (struct canary_status){
        .phase = CANARY_PROGRESSING,
        .failed_checks = 2,
        .weight = 40,
        .iterations = 3,
        .last_applied = "new",
        .last_promoted = "old",
        .tracked = value_of(mem, "{configmap/a: '1'}"),
        .last_transition_ms = THEN_MS,
        .cookie = "c=1",
        .primary_cookie = "",
        .previous_cookie = "",
        .conditions = value_of(mem, "[{type: Promoted, status: Unknown, reason: Progressing,"
                                    "message: x, lastUpdateTime: a, lastTransitionTime: b}]"),
    };
}

static struct canary_status change(struct arena *mem, int64_t iterations,
                                   const struct canary_change *to,
                                   const struct canary_revision *revision)
{
    struct canary canary = { .target = { .kind = "Deployment" },
                             .analysis = { .iterations = iterations } };
    struct canary_status status = halfway(mem);
    return canary_status_next(mem, &canary, &status, to, revision, NOW_MS);
}

/* -- phases ---------------------------------------------------------------------------------- */

static const struct phase_case {
    const char *name;
    enum canary_phase phase;
    int64_t analysis_iterations;
    int64_t weight, iterations; /* expected */
    const char *last_promoted;
} phase_cases[] = {
    { "progressing keeps the counters", CANARY_PROGRESSING, 0, 40, 3, "old" },
    { "waiting keeps the counters", CANARY_WAITING, 0, 40, 3, "old" },
    { "promoting keeps the counters", CANARY_PROMOTING, 0, 40, 3, "old" },
    { "waiting for promotion keeps the weight of a weighted run", CANARY_WAITING_PROMOTION, 0, 40,
      3, "old" },
    { "waiting for promotion puts the iterations back by one", CANARY_WAITING_PROMOTION, 10, 40, 9,
      "old" },
    { "finalising ends the counters", CANARY_FINALISING, 10, 0, 0, "old" },
    { "initializing ends the counters", CANARY_INITIALIZING, 10, 0, 0, "old" },
    { "terminating ends the counters", CANARY_TERMINATING, 10, 0, 0, "old" },
    { "initialized promotes the revision", CANARY_INITIALIZED, 0, 0, 0, "new" },
    { "succeeded promotes the revision", CANARY_SUCCEEDED, 0, 0, 0, "new" },
};

static void phase_is_set(void **state)
{
    const struct phase_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary_status next =
        change(mem, row->analysis_iterations,
               &(struct canary_change){ .kind = CANARY_CHANGE_PHASE, .phase = row->phase }, NULL);
    assert_int_equal(next.phase, row->phase);
    assert_int_equal(next.weight, row->weight);
    assert_int_equal(next.iterations, row->iterations);
    assert_int_equal(next.failed_checks, 2);
    assert_string_equal(next.last_promoted, row->last_promoted);
    assert_string_equal(next.last_applied, "new");
    assert_string_equal(next.cookie, "c=1");
    assert_int_equal(next.last_transition_ms, NOW_MS);
}

/* -- other changes --------------------------------------------------------------------------- */

static const struct canary_revision revision = { .hash = "newer", .configs = NULL };

static void a_sync_writes_everything(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary_change to = { .kind = CANARY_CHANGE_SYNC,
                                .phase = CANARY_FAILED,
                                .weight = 100,
                                .failed_checks = 1,
                                .iterations = 4 };
    struct canary_status next = change(mem, 0, &to, &revision);
    assert_int_equal(next.phase, CANARY_FAILED);
    assert_int_equal(next.weight, 100);
    assert_int_equal(next.failed_checks, 1);
    assert_int_equal(next.iterations, 4);
    assert_string_equal(next.last_applied, "newer");
    assert_string_equal(next.last_promoted, "old");
    assert_null(next.tracked);
    assert_int_equal(next.last_transition_ms, NOW_MS);
    to.phase = CANARY_INITIALIZED;
    assert_string_equal(change(mem, 0, &to, &revision).last_promoted, "newer");
}

static void a_counter_changes_alone(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const enum canary_change_kind kinds[] = { CANARY_CHANGE_CHECKS, CANARY_CHANGE_WEIGHT,
                                                     CANARY_CHANGE_ITERATIONS };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct canary_status expected = halfway(mem);
        struct canary_change to = {
            .kind = kinds[i], .weight = 60, .failed_checks = 7, .iterations = 5
        };
        int64_t *const members[] = { &expected.failed_checks, &expected.weight,
                                     &expected.iterations };
        const int64_t values[] = { 7, 60, 5 };
        *members[i] = values[i];
        expected.last_transition_ms = NOW_MS;
        struct canary_status next = change(mem, 0, &to, NULL);
        assert_same_value(mem, canary_status_val(mem, &next, NULL),
                          canary_status_val(mem, &expected, NULL));
    }
}

static void adoption_touches_the_revision_only(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary_change to = { .kind = CANARY_CHANGE_REVISION };
    struct canary_status next = change(mem, 0, &to, &revision), expected = halfway(mem);
    expected.last_applied = "newer";
    expected.tracked = NULL;
    assert_same_value(mem, canary_status_val(mem, &next, NULL),
                      canary_status_val(mem, &expected, NULL));
    to.is_promoted = true;
    assert_string_equal(change(mem, 0, &to, &revision).last_promoted, "newer");
}

/* -- conditions ------------------------------------------------------------------------------ */

static const struct condition_case {
    const char *name;
    enum canary_phase phase;
    const char *status, *message;
} condition_cases[] = {
    { "Initializing", CANARY_INITIALIZING, "Unknown",
      "New Deployment detected, starting initialization." },
    { "Initialized", CANARY_INITIALIZED, "True", "Deployment initialization completed." },
    { "Waiting", CANARY_WAITING, "Unknown", "Waiting for approval." },
    { "WaitingPromotion", CANARY_WAITING_PROMOTION, "Unknown", "Waiting for approval." },
    { "Progressing", CANARY_PROGRESSING, "Unknown",
      "New revision detected, progressing canary analysis." },
    { "Promoting", CANARY_PROMOTING, "Unknown",
      "Canary analysis completed, starting primary rolling update." },
    { "Finalising", CANARY_FINALISING, "Unknown",
      "Canary analysis completed, routing all traffic to primary." },
    { "Succeeded", CANARY_SUCCEEDED, "True",
      "Canary analysis completed successfully, promotion finished." },
    { "Failed", CANARY_FAILED, "False", "Canary analysis failed, Deployment scaled to zero." },
    { "Terminating", CANARY_TERMINATING, "Unknown",
      "New Deployment detected, starting initialization." },
};

static void condition_says(void **state)
{
    const struct condition_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = { .target = { .kind = "Deployment" } };
    struct canary_status status = { 0 };
    struct canary_status next = canary_status_next(
        mem, &canary, &status,
        &(struct canary_change){ .kind = CANARY_CHANGE_PHASE, .phase = row->phase }, NULL, NOW_MS);
    assert_same_value(
        mem, next.conditions,
        value_of(mem, arena_printf(mem,
                                   "[{type: Promoted, status: '%s', reason: %s,"
                                   "message: '%s', lastUpdateTime: '%s',"
                                   "lastTransitionTime: '%s'}]",
                                   row->status, row->name, row->message, NOW_TEXT, NOW_TEXT)));
}

static const struct val *conditions_after(struct arena *mem, const struct val *before,
                                          enum canary_phase phase)
{
    struct canary canary = { .target = { .kind = "DaemonSet" } };
    struct canary_status status = { .conditions = before };
    return canary_status_next(
               mem, &canary, &status,
               &(struct canary_change){ .kind = CANARY_CHANGE_PHASE, .phase = phase }, NULL, NOW_MS)
        .conditions;
}

static void a_condition_that_says_it_already_is_left_alone(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *before =
        value_of(mem, "[{type: Other}, {type: Promoted, status: Unknown, reason: Progressing,"
                      "message: mine, lastUpdateTime: a, lastTransitionTime: b}]");
    assert_ptr_equal(conditions_after(mem, before, CANARY_PROGRESSING), before);
}

static void a_condition_of_the_same_status_keeps_its_transition(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *before =
        value_of(mem, "[{type: Other}, {type: Promoted, status: Unknown, reason: Progressing,"
                      "lastUpdateTime: a, lastTransitionTime: b}]");
    const struct val *after = conditions_after(mem, before, CANARY_PROMOTING);
    assert_int_equal(val_len(after), 1);
    const struct val *condition = val_item(after, 0);
    assert_string_equal(val_text(val_get(condition, "lastTransitionTime")), "b");
    assert_string_equal(val_text(val_get(condition, "lastUpdateTime")), NOW_TEXT);
    condition = val_item(conditions_after(mem, before, CANARY_FAILED), 0);
    assert_string_equal(val_text(val_get(condition, "lastTransitionTime")), NOW_TEXT);
    assert_string_equal(val_text(val_get(condition, "message")),
                        "Canary analysis failed, DaemonSet scaled to zero.");
}

/* -- as the API has it ----------------------------------------------------------------------- */

static void an_empty_status_has_its_four_fields(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary_status status = { .last_applied = "",
                                    .last_promoted = "",
                                    .cookie = "",
                                    .primary_cookie = "",
                                    .previous_cookie = "" };
    assert_string_equal(val_json(mem, canary_status_val(mem, &status, NULL), NULL),
                        "{\"phase\":\"\",\"failedChecks\":0,\"canaryWeight\":0,\"iterations\":0}");
}

static void what_is_cleared_goes_and_what_is_unknown_stays(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *old = value_of(mem, "{phase: Failed, sessionAffinityCookie: a=b, future: 1,"
                                          "trackedConfigs: {x: y}, lastAppliedSpec: z}");
    struct canary_status status = halfway(mem);
    status.cookie = "";
    status.tracked = value_of(mem, "{}");
    assert_same_value(mem, canary_status_val(mem, &status, old),
                      value_of(mem,
                               "{phase: Progressing, future: 1, failedChecks: 2, canaryWeight: 40,"
                               "iterations: 3, trackedConfigs: {}, lastAppliedSpec: new,"
                               "lastPromotedSpec: old, lastTransitionTime: '2026-01-02T03:04:05Z',"
                               "conditions: [{type: Promoted, status: Unknown, reason: Progressing,"
                               "message: x, lastUpdateTime: a, lastTransitionTime: b}]}"));
    assert_string_equal(val_text(val_get(old, "phase")), "Failed");
}

static void a_status_reads_back_as_it_was_written(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary_status status = halfway(mem);
    status.primary_cookie = "p=1";
    status.previous_cookie = "o=1";
    struct val *object =
        value_of(mem, "metadata: {name: a, namespace: b}\n"
                      "spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: t}}\n");
    val_set(mem, object, "status", canary_status_val(mem, &status, NULL));
    struct canary canary;
    assert_null(canary_parse(mem, object, &canary));
    assert_same_value(mem, canary_status_val(mem, &canary.status, NULL), val_get(object, "status"));
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(a_sync_writes_everything),
        SINGLE(a_counter_changes_alone),
        SINGLE(adoption_touches_the_revision_only),
        SINGLE(a_condition_that_says_it_already_is_left_alone),
        SINGLE(a_condition_of_the_same_status_keeps_its_transition),
        SINGLE(an_empty_status_has_its_four_fields),
        SINGLE(what_is_cleared_goes_and_what_is_unknown_stays),
        SINGLE(a_status_reads_back_as_it_was_written),
        ROWS(phase_cases, phase_is_set),
        ROWS(condition_cases, condition_says),
    };
    return rows_run("canary_status", tests, ARRAY_LEN(tests));
}
