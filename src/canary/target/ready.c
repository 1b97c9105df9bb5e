#include "canary/target/ready.h"

#include <inttypes.h>
#include <string.h>

#include "base/time.h"
#include "doc/object.h"

#define NS_PER_MS 1000000

#define WAITING "waiting for rollout to finish: "
#define OUT_OF  WAITING "%" PRId64 " out of %" PRId64 " new "
#define ENOUGH  WAITING "%" PRId64 " of %" PRId64 " (readyThreshold %" PRId64 "%%) updated "

static int64_t number(const struct val *map, const char *key)
{
    int64_t n = 0;
    return val_int(val_get(map, key), &n) ? n : 0;
}

/* How many of `count` pods have to be available. In single precision, as the rounding is part of the contract (17.2 no. 2). */
static int64_t need_of(int64_t count, int64_t threshold_pct)
{
    float share = (float)threshold_pct / 100.0f;
    float need = (float)count * share;
    if (!(need > 0.0f))
        return 0;
    return need < (float)INT32_MAX ? (int64_t)need : INT32_MAX;
}

static bool is_past_deadline(const struct canary_view *view, int64_t since_ms)
{
    int64_t deadline_s = view->canary->progress_deadline_s;
    return deadline_s < INT64_MAX / 1000 && view->now_ms - since_ms > deadline_s * 1000;
}

static bool is_observed(const struct val *object)
{
    return object &&
           object_generation(object) <= number(val_get(object, "status"), "observedGeneration");
}

static const struct val *find_condition(const struct val *object, const char *type)
{
    const struct val *list = VAL_PATH(object, "status", "conditions");
    for (size_t i = 0; val_is_list(list) && i < list->len; i++)
        if (strcmp(val_text_or(val_get(list->items[i], "type"), ""), type) == 0)
            return list->items[i];
    return NULL;
}

static bool says(const struct val *condition, const char *field, const char *value)
{
    return strcmp(val_text_or(val_get(condition, field), ""), value) == 0;
}

/* Pods have been missing for longer than the canary allows. */
static bool is_unavailable_too_long(const struct canary_view *view, const struct val *deployment)
{
    const struct val *available = find_condition(deployment, "Available");
    if (!find_condition(deployment, "Progressing") || !says(available, "status", "False") ||
        !says(available, "reason", "MinimumReplicasUnavailable"))
        return false;
    int64_t since_ns = 0;
    SCOPED(err_free)
    struct err *e = time_parse(val_text_or(val_get(available, "lastUpdateTime"), ""), &since_ns);
    return !e && is_past_deadline(view, since_ns / NS_PER_MS);
}

struct ready ready_deployment(const struct canary_view *view, const struct val *deployment,
                              int64_t threshold_pct)
{
    struct arena *mem = view->mem;
    if (!is_observed(deployment))
        return (struct ready){ READY_LATER, WAITING
                               "observed deployment generation less than desired generation" };
    if (says(find_condition(deployment, "Progressing"), "reason", "ProgressDeadlineExceeded"))
        return (struct ready){ READY_NEVER,
                               arena_printf(mem, "deployment \"%s\" exceeded its progress deadline",
                                            object_name(deployment)) };
    const struct val *status = val_get(deployment, "status");
    enum ready_state state = is_unavailable_too_long(view, deployment) ? READY_NEVER : READY_LATER;
    int64_t updated = number(status, "updatedReplicas"), all = number(status, "replicas");
    int64_t available = number(status, "availableReplicas"), need = need_of(updated, threshold_pct),
            wanted;
    const char *text;
    if (val_int(VAL_PATH(deployment, "spec", "replicas"), &wanted) && updated < wanted)
        text = arena_printf(mem, OUT_OF "replicas have been updated", updated, wanted);
    else if (all > updated)
        text = arena_printf(mem, WAITING "%" PRId64 " old replicas are pending termination",
                            all - updated);
    else if (available < need)
        text = arena_printf(mem, ENOUGH "replicas are available", available, need, threshold_pct);
    else
        return (struct ready){ READY_YES, "" };
    return (struct ready){ state, text };
}

struct ready ready_daemonset(const struct canary_view *view, const struct val *daemonset,
                             int64_t threshold_pct)
{
    struct arena *mem = view->mem;
    if (!is_observed(daemonset))
        return (struct ready){ READY_LATER, WAITING
                               "observed daemonset generation less than desired generation" };
    const struct val *status = val_get(daemonset, "status");
    int64_t wanted = number(status, "desiredNumberScheduled");
    int64_t updated = number(status, "updatedNumberScheduled");
    int64_t available = number(status, "numberAvailable"), need = need_of(wanted, threshold_pct);
    if (updated >= wanted && available >= need)
        return (struct ready){ READY_YES, "" };
    /* The clock is the Canary's last status write; before the first one there is none. */
    int64_t since_ms = view->canary->status.last_transition_ms;
    if (since_ms != 0 && is_past_deadline(view, since_ms))
        return (struct ready){ READY_NEVER,
                               arena_printf(mem, "exceeded its progressDeadlineSeconds: %" PRId64,
                                            view->canary->progress_deadline_s) };
    const char *text =
        updated < wanted
            ? arena_printf(mem, OUT_OF "pods have been updated", updated, wanted)
            : arena_printf(mem, ENOUGH "pods are available", available, need, threshold_pct);
    return (struct ready){ READY_LATER, text };
}
