#include "../../rows.h"

#include "../value.h"
#include "canary/target/ready.h"

#define WAITING "waiting for rollout to finish: "
#define NOW_MS  1790000000000 /* 2026-09-21T14:13:20Z */

/* Objects whose status is of their newest generation. */
#define DEPLOYMENT(replicas, status)                         \
    "{metadata: {generation: 2}, spec: {replicas: " replicas \
    "}, status: {observedGeneration: 2, " status "}}"
#define MISSING_SINCE(time)                                                              \
    "replicas: 2, updatedReplicas: 2, conditions: [{type: Progressing, status: 'True', " \
    "reason: ReplicaSetUpdated}, {type: Available, status: 'False', reason: "            \
    "MinimumReplicasUnavailable, lastUpdateTime: '" time "'}]"
#define DAEMONSET(desired, updated, available)                              \
    "{metadata: {generation: 2}, status: {observedGeneration: 2, "          \
    "desiredNumberScheduled: " desired ", updatedNumberScheduled: " updated \
    ", numberAvailable: " available "}}"

static const struct ready_case {
    const char *name, *object; /* NULL: right after its creation */
    enum ready_state state;
    const char *text;
    bool is_daemonset;
    int64_t threshold_pct;                 /* 0: 100 */
    int64_t deadline_s, last_transition_s; /* the last: seconds ago; 0 never */
} cases[] = {
    { "a Deployment that was just created is waited for", NULL, READY_LATER,
      .text = WAITING "observed deployment generation less than desired generation" },
    { "a generation that nobody has seen is waited for, whatever the status says",
      "{metadata: {generation: 2}, spec: {replicas: 1}, status: {observedGeneration: 1, replicas: "
      "1, updatedReplicas: 1, availableReplicas: 1}}",
      READY_LATER, .text = WAITING "observed deployment generation less than desired generation" },
    { "a Deployment is ready when all its replicas are",
      DEPLOYMENT("2", "replicas: 2, updatedReplicas: 2, availableReplicas: 2"), READY_YES,
      .text = "" },
    { "a Deployment without replicas is ready", DEPLOYMENT("0", ""), READY_YES, .text = "" },
    { "replicas that were not updated are waited for",
      DEPLOYMENT("3", "replicas: 3, updatedReplicas: 1, availableReplicas: 3"), READY_LATER,
      .text = WAITING "1 out of 3 new replicas have been updated" },
    { "old replicas are waited for",
      DEPLOYMENT("2", "replicas: 5, updatedReplicas: 2, availableReplicas: 5"), READY_LATER,
      .text = WAITING "3 old replicas are pending termination" },
    { "replicas that are not available are waited for",
      DEPLOYMENT("4", "replicas: 4, updatedReplicas: 4, availableReplicas: 3"), READY_LATER,
      .text = WAITING "3 of 4 (readyThreshold 100%) updated replicas are available" },
    { "three of four are enough at 75 percent",
      DEPLOYMENT("4", "replicas: 4, updatedReplicas: 4, availableReplicas: 3"), READY_YES,
      .text = "", .threshold_pct = 75 },
    { "half of three is one", DEPLOYMENT("3", "replicas: 3, updatedReplicas: 3"), READY_LATER,
      .text = WAITING "0 of 1 (readyThreshold 50%) updated replicas are available",
      .threshold_pct = 50 },
    { "below 100 percent one replica need not be available",
      DEPLOYMENT("1", "replicas: 1, updatedReplicas: 1"), READY_YES, .text = "",
      .threshold_pct = 99 },
    /* In double precision 100 * (57 / 100) is 56.99…, which would be 56. */
    { "the share is worked out in single precision",
      DEPLOYMENT("100", "replicas: 100, updatedReplicas: 100, availableReplicas: 56"), READY_LATER,
      .text = WAITING "56 of 57 (readyThreshold 57%) updated replicas are available",
      .threshold_pct = 57 },
    { "the Deployment controller's deadline is final",
      "{metadata: {name: web, generation: 2}, spec: {replicas: 2}, status: {observedGeneration: 2, "
      "replicas: 2, updatedReplicas: 2, conditions: [{type: Progressing, status: 'False', reason: "
      "ProgressDeadlineExceeded}]}}",
      READY_NEVER, .text = "deployment \"web\" exceeded its progress deadline" },
    { "pods that are missing for longer than the canary allows are given up",
      DEPLOYMENT("2", MISSING_SINCE("2026-09-21T14:12:19Z")), READY_NEVER,
      .text = WAITING "0 of 2 (readyThreshold 100%) updated replicas are available",
      .deadline_s = 60 },
    { "up to the deadline they are waited for",
      DEPLOYMENT("2", MISSING_SINCE("2026-09-21T14:12:20Z")), READY_LATER,
      .text = WAITING "0 of 2 (readyThreshold 100%) updated replicas are available",
      .deadline_s = 60 },
    { "without a Progressing condition there is no deadline",
      DEPLOYMENT("2",
                 "replicas: 2, updatedReplicas: 2, conditions: [{type: Available, status: 'False', "
                 "reason: MinimumReplicasUnavailable, lastUpdateTime: '2026-09-21T10:00:00Z'}]"),
      READY_LATER, .text = WAITING "0 of 2 (readyThreshold 100%) updated replicas are available",
      .deadline_s = 60 },
    { "a deadline beyond all times never comes",
      DEPLOYMENT("2", MISSING_SINCE("1970-01-01T00:00:00Z")), READY_LATER,
      .text = WAITING "0 of 2 (readyThreshold 100%) updated replicas are available",
      .deadline_s = INT64_MAX },
    { "a threshold beyond all numbers is never reached",
      DEPLOYMENT("2", "replicas: 2, updatedReplicas: 2, availableReplicas: 2"), READY_LATER,
      .text = WAITING
      "2 of 2147483647 (readyThreshold 9223372036854775807%) updated replicas are available",
      .threshold_pct = INT64_MAX },
    { "a DaemonSet that was just created is waited for", NULL, READY_LATER,
      .text = WAITING "observed daemonset generation less than desired generation",
      .is_daemonset = true },
    { "a DaemonSet is ready when all nodes have its pod", DAEMONSET("3", "3", "3"), READY_YES,
      .text = "", .is_daemonset = true, .deadline_s = 60, .last_transition_s = 3600 },
    { "pods of a DaemonSet that were not updated are waited for", DAEMONSET("3", "1", "3"),
      READY_LATER, .text = WAITING "1 out of 3 new pods have been updated", .is_daemonset = true,
      .deadline_s = 60, .last_transition_s = 60 },
    { "pods of a DaemonSet that are not available are waited for", DAEMONSET("4", "4", "1"),
      READY_LATER, .text = WAITING "1 of 2 (readyThreshold 50%) updated pods are available",
      .is_daemonset = true, .threshold_pct = 50, .deadline_s = 60, .last_transition_s = 1 },
    { "the deadline of a DaemonSet runs from the last write of the status",
      DAEMONSET("4", "1", "1"), READY_NEVER, .text = "exceeded its progressDeadlineSeconds: 60",
      .is_daemonset = true, .deadline_s = 60, .last_transition_s = 61 },
    { "before the first status there is no deadline", DAEMONSET("4", "1", "1"), READY_LATER,
      .text = WAITING "1 out of 4 new pods have been updated", .is_daemonset = true,
      .deadline_s = 60 },
};

static void readiness_matches_case(void **state)
{
    const struct ready_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = { .progress_deadline_s = c->deadline_s };
    if (c->last_transition_s)
        canary.status.last_transition_ms = NOW_MS - c->last_transition_s * 1000;
    const struct canary_view view = { .mem = mem, .canary = &canary, .now_ms = NOW_MS };
    const struct val *object = c->object ? value_of(mem, c->object) : NULL;
    int64_t threshold_pct = c->threshold_pct ? c->threshold_pct : 100;
    struct ready ready = c->is_daemonset ? ready_daemonset(&view, object, threshold_pct)
                                         : ready_deployment(&view, object, threshold_pct);
    assert_int_equal(ready.state, c->state);
    assert_string_equal(ready.text, c->text);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(cases, readiness_matches_case),
    };
    return rows_run("canary_target_ready", tests, ARRAY_LEN(tests));
}
