#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../value.h"
#include "canary/target/ready.h"

#define WAITING "waiting for rollout to finish: "
#define NOW_MS  1790000000000 /* 2026-09-21T14:13:20Z */

static const struct ready_case {
    const char *name, *object; /* NULL: right after its creation */
    bool is_daemonset;
    int64_t threshold_pct, deadline_s, last_transition_s; /* the last: seconds ago; 0 never */
    enum ready_state state;
    const char *text;
} cases[] = {
    { .name = "a Deployment that was just created is waited for",
      .threshold_pct = 100,
      .state = READY_LATER,
      .text = WAITING "observed deployment generation less than desired generation" },
    { .name = "a generation that nobody has seen is waited for, whatever the status says",
      .object = "{metadata: {generation: 2}, spec: {replicas: 1}, status: {observedGeneration: 1,"
                " replicas: 1, updatedReplicas: 1, availableReplicas: 1}}",
      .threshold_pct = 100,
      .state = READY_LATER,
      .text = WAITING "observed deployment generation less than desired generation" },
    { .name = "a Deployment is ready when all its replicas are",
      .object = "{metadata: {generation: 2}, spec: {replicas: 2}, status: {observedGeneration: 2,"
                " replicas: 2, updatedReplicas: 2, availableReplicas: 2}}",
      .threshold_pct = 100,
      .state = READY_YES,
      .text = "" },
    { .name = "a Deployment without replicas is ready",
      .object = "{metadata: {generation: 2}, spec: {replicas: 0}, status: {observedGeneration: 2}}",
      .threshold_pct = 100,
      .state = READY_YES,
      .text = "" },
    { .name = "replicas that were not updated are waited for",
      .object = "{metadata: {generation: 2}, spec: {replicas: 3}, status: {observedGeneration: 2,"
                " replicas: 3, updatedReplicas: 1, availableReplicas: 3}}",
      .threshold_pct = 100,
      .state = READY_LATER,
      .text = WAITING "1 out of 3 new replicas have been updated" },
    { .name = "old replicas are waited for",
      .object = "{metadata: {generation: 2}, spec: {replicas: 2}, status: {observedGeneration: 2,"
                " replicas: 5, updatedReplicas: 2, availableReplicas: 5}}",
      .threshold_pct = 100,
      .state = READY_LATER,
      .text = WAITING "3 old replicas are pending termination" },
    { .name = "replicas that are not available are waited for",
      .object = "{metadata: {generation: 2}, spec: {replicas: 4}, status: {observedGeneration: 2,"
                " replicas: 4, updatedReplicas: 4, availableReplicas: 3}}",
      .threshold_pct = 100,
      .state = READY_LATER,
      .text = WAITING "3 of 4 (readyThreshold 100%) updated replicas are available" },
    { .name = "three of four are enough at 75 percent",
      .object = "{metadata: {generation: 2}, spec: {replicas: 4}, status: {observedGeneration: 2,"
                " replicas: 4, updatedReplicas: 4, availableReplicas: 3}}",
      .threshold_pct = 75,
      .state = READY_YES,
      .text = "" },
    { .name = "half of three is one",
      .object = "{metadata: {generation: 2}, spec: {replicas: 3}, status: {observedGeneration: 2,"
                " replicas: 3, updatedReplicas: 3}}",
      .threshold_pct = 50,
      .state = READY_LATER,
      .text = WAITING "0 of 1 (readyThreshold 50%) updated replicas are available" },
    { .name = "below 100 percent one replica need not be available",
      .object = "{metadata: {generation: 2}, spec: {replicas: 1}, status: {observedGeneration: 2,"
                " replicas: 1, updatedReplicas: 1}}",
      .threshold_pct = 99,
      .state = READY_YES,
      .text = "" },
    /* In double precision 100 * (57 / 100) is 56.99…, which would be 56. */
    { .name = "the share is worked out in single precision",
      .object = "{metadata: {generation: 2}, spec: {replicas: 100}, status:"
                " {observedGeneration: 2, replicas: 100, updatedReplicas: 100,"
                " availableReplicas: 56}}",
      .threshold_pct = 57,
      .state = READY_LATER,
      .text = WAITING "56 of 57 (readyThreshold 57%) updated replicas are available" },
    { .name = "the Deployment controller's deadline is final",
      .object = "{metadata: {name: web, generation: 2}, spec: {replicas: 2}, status:"
                " {observedGeneration: 2, replicas: 2, updatedReplicas: 2, conditions:"
                " [{type: Progressing, status: 'False', reason: ProgressDeadlineExceeded}]}}",
      .threshold_pct = 100,
      .state = READY_NEVER,
      .text = "deployment \"web\" exceeded its progress deadline" },
    { .name = "pods that are missing for longer than the canary allows are given up",
      .object = "{metadata: {generation: 2}, spec: {replicas: 2}, status: {observedGeneration: 2,"
                " replicas: 2, updatedReplicas: 2, conditions: [{type: Progressing, status:"
                " 'True', reason: ReplicaSetUpdated}, {type: Available, status: 'False', reason:"
                " MinimumReplicasUnavailable, lastUpdateTime: '2026-09-21T14:12:19Z'}]}}",
      .threshold_pct = 100,
      .deadline_s = 60,
      .state = READY_NEVER,
      .text = WAITING "0 of 2 (readyThreshold 100%) updated replicas are available" },
    { .name = "up to the deadline they are waited for",
      .object = "{metadata: {generation: 2}, spec: {replicas: 2}, status: {observedGeneration: 2,"
                " replicas: 2, updatedReplicas: 2, conditions: [{type: Progressing, status:"
                " 'True', reason: ReplicaSetUpdated}, {type: Available, status: 'False', reason:"
                " MinimumReplicasUnavailable, lastUpdateTime: '2026-09-21T14:12:20Z'}]}}",
      .threshold_pct = 100,
      .deadline_s = 60,
      .state = READY_LATER,
      .text = WAITING "0 of 2 (readyThreshold 100%) updated replicas are available" },
    { .name = "without a Progressing condition there is no deadline",
      .object = "{metadata: {generation: 2}, spec: {replicas: 2}, status: {observedGeneration: 2,"
                " replicas: 2, updatedReplicas: 2, conditions: [{type: Available, status: 'False',"
                " reason: MinimumReplicasUnavailable, lastUpdateTime: '2026-09-21T10:00:00Z'}]}}",
      .threshold_pct = 100,
      .deadline_s = 60,
      .state = READY_LATER,
      .text = WAITING "0 of 2 (readyThreshold 100%) updated replicas are available" },
    { .name = "a deadline beyond all times never comes",
      .object = "{metadata: {generation: 2}, spec: {replicas: 2}, status: {observedGeneration: 2,"
                " replicas: 2, updatedReplicas: 2, conditions: [{type: Progressing, status:"
                " 'True', reason: ReplicaSetUpdated}, {type: Available, status: 'False', reason:"
                " MinimumReplicasUnavailable, lastUpdateTime: '1970-01-01T00:00:00Z'}]}}",
      .threshold_pct = 100,
      .deadline_s = INT64_MAX,
      .state = READY_LATER,
      .text = WAITING "0 of 2 (readyThreshold 100%) updated replicas are available" },
    { .name = "a threshold beyond all numbers is never reached",
      .object = "{metadata: {generation: 2}, spec: {replicas: 2}, status: {observedGeneration: 2,"
                " replicas: 2, updatedReplicas: 2, availableReplicas: 2}}",
      .threshold_pct = INT64_MAX,
      .state = READY_LATER,
      .text = WAITING "2 of 2147483647 (readyThreshold 9223372036854775807%) updated replicas are "
                      "available" },
    { .name = "a DaemonSet that was just created is waited for",
      .is_daemonset = true,
      .threshold_pct = 100,
      .state = READY_LATER,
      .text = WAITING "observed daemonset generation less than desired generation" },
    { .name = "a DaemonSet is ready when all nodes have its pod",
      .is_daemonset = true,
      .object = "{metadata: {generation: 2}, status: {observedGeneration: 2,"
                " desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3}}",
      .threshold_pct = 100,
      .last_transition_s = 3600,
      .deadline_s = 60,
      .state = READY_YES,
      .text = "" },
    { .name = "pods of a DaemonSet that were not updated are waited for",
      .is_daemonset = true,
      .object = "{metadata: {generation: 2}, status: {observedGeneration: 2,"
                " desiredNumberScheduled: 3, updatedNumberScheduled: 1, numberAvailable: 3}}",
      .threshold_pct = 100,
      .last_transition_s = 60,
      .deadline_s = 60,
      .state = READY_LATER,
      .text = WAITING "1 out of 3 new pods have been updated" },
    { .name = "pods of a DaemonSet that are not available are waited for",
      .is_daemonset = true,
      .object = "{metadata: {generation: 2}, status: {observedGeneration: 2,"
                " desiredNumberScheduled: 4, updatedNumberScheduled: 4, numberAvailable: 1}}",
      .threshold_pct = 50,
      .last_transition_s = 1,
      .deadline_s = 60,
      .state = READY_LATER,
      .text = WAITING "1 of 2 (readyThreshold 50%) updated pods are available" },
    { .name = "the deadline of a DaemonSet runs from the last write of the status",
      .is_daemonset = true,
      .object = "{metadata: {generation: 2}, status: {observedGeneration: 2,"
                " desiredNumberScheduled: 4, updatedNumberScheduled: 1, numberAvailable: 1}}",
      .threshold_pct = 100,
      .last_transition_s = 61,
      .deadline_s = 60,
      .state = READY_NEVER,
      .text = "exceeded its progressDeadlineSeconds: 60" },
    { .name = "before the first status there is no deadline",
      .is_daemonset = true,
      .object = "{metadata: {generation: 2}, status: {observedGeneration: 2,"
                " desiredNumberScheduled: 4, updatedNumberScheduled: 1, numberAvailable: 1}}",
      .threshold_pct = 100,
      .deadline_s = 60,
      .state = READY_LATER,
      .text = WAITING "1 out of 4 new pods have been updated" },
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
    struct ready ready = c->is_daemonset ? ready_daemonset(&view, object, c->threshold_pct)
                                         : ready_deployment(&view, object, c->threshold_pct);
    assert_int_equal(ready.state, c->state);
    assert_string_equal(ready.text, c->text);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(cases)];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        tests[i] = (struct CMUnitTest){ .name = cases[i].name,
                                        .test_func = readiness_matches_case,
                                        .initial_state = (void *)&cases[i] };
    return cmocka_run_group_tests_name("canary_target_ready", tests, NULL, NULL);
}
