#include <string.h>

#include "canary/target/kinds.h"
#include "canary/target/meta.h"
#include "canary/target/ready.h"
#include "canary/target/workload.h"

/* No node has this label, so no pod is scheduled. */
#define ZERO_LABEL "flagger.app/scale-to-zero"

static const char *const fields[] = { "minReadySeconds", "revisionHistoryLimit", "updateStrategy",
                                      NULL };

/* True if the label was there. */
static bool remove_zero_label(struct val *pod_spec)
{
    struct val *selector = val_get(pod_spec, "nodeSelector");
    if (!val_is_map(selector) || !val_remove(selector, ZERO_LABEL))
        return false;
    if (selector->len == 0)
        (void)val_remove(pod_spec, "nodeSelector");
    return true;
}

static void adjust(const struct canary_view *view, struct val *pod_spec)
{
    (void)view;
    (void)remove_zero_label(pod_spec);
}

static const struct workload workload = {
    .kind = "DaemonSet",
    .noun = "daemonset",
    .promote_noun = "damonset",
    .selector_suffix = "'",
    .fields = fields,
    .adjust = adjust,
};

/* -- observing ------------------------------------------------------------------------------- */

static void wants(const struct canary_view *view, struct live_wants *out)
{
    workload_want(view, &workload, out);
}

static struct ready primary_ready(const struct canary_view *view)
{
    const struct canary *canary = view->canary;
    struct ready ready =
        ready_daemonset(view, workload_primary(view, &workload),
                        canary->has_analysis ? canary->analysis.primary_ready_threshold : 100);
    if (ready.state != READY_YES)
        ready.text =
            arena_printf(view->mem, "primary daemonset %s.%s not ready: %s",
                         meta_primary_name(view, canary->target.name), canary->ns, ready.text);
    return ready;
}

static struct ready canary_ready(const struct canary_view *view, const struct val *target)
{
    const struct canary *canary = view->canary;
    struct ready ready = ready_daemonset(
        view, target, canary->has_analysis ? canary->analysis.canary_ready_threshold : 100);
    if (ready.state != READY_YES)
        ready.text = arena_printf(
            view->mem, "canary damonset %s.%s not ready with retryable %s: %s", canary->target.name,
            canary->ns, ready.state == READY_LATER ? "true" : "false", ready.text);
    return ready;
}

/* Pods that nobody replaces would never run a new revision. */
static const char *strategy_fault(const struct canary_view *view, const struct val *target)
{
    const char *type = val_text_or(VAL_PATH(target, "spec", "updateStrategy", "type"), "");
    if (!*type || strcmp(type, "RollingUpdate") == 0)
        return NULL;
    return arena_printf(view->mem,
                        "createPrimaryDaemonSet failed: daemonset %s.%s must have RollingUpdate "
                        "strategy but have %s",
                        view->canary->target.name, view->canary->ns, type);
}

static void observe(const struct canary_view *view, struct target_seen *out)
{
    const struct val *target = workload_target(view, &workload);
    struct val *template = val_copy(view->mem, VAL_PATH(target, "spec", "template"));
    bool is_empty = remove_zero_label(val_get(template, "spec"));
    workload_observe(view, &workload, template, out);
    out->is_empty = is_empty;
    out->primary = primary_ready(view);
    if (!target) {
        out->canary = (struct ready){ READY_LATER, out->fault };
        return;
    }
    out->canary = canary_ready(view, target);
    if (!out->fault)
        out->fault = strategy_fault(view, target);
}

/* -- the primary ----------------------------------------------------------------------------- */

static struct err *create_primary(const struct canary_view *view, struct effects *out)
{
    return workload_create(view, &workload, out);
}

static struct err *promote(const struct canary_view *view, struct effects *out)
{
    return workload_promote(view, &workload, out);
}

static bool is_promoted(const struct canary_view *view)
{
    return workload_is_promoted(view, &workload);
}

/* -- scaling --------------------------------------------------------------------------------- */

static struct err *copy_target(const struct canary_view *view, const char *text, struct val **out)
{
    const char *name = view->canary->target.name;
    const struct val *target = workload_target(view, &workload);
    if (!target)
        return err_new(ERR_NOT_FOUND, "daemonset %s.%s %s: %s", name, view->canary->ns, text,
                       meta_absent(view, WORKLOAD_API, workload.kind, name));
    *out = val_copy(view->mem, target);
    return NULL;
}

static const char *update_error(const struct canary_view *view, const char *doing)
{
    return arena_printf(view->mem, "%s daemonset %s.%s failed: ", doing, view->canary->target.name,
                        view->canary->ns);
}

static struct err *scale_to_zero(const struct canary_view *view, struct effects *out)
{
    struct val *target;
    TRY(copy_target(view, "get query error", &target));
    struct val *pod_spec = VAL_PATH(target, "spec", "template", "spec");
    struct val *selector = pod_spec ? val_need_map(view->mem, pod_spec, "nodeSelector") : NULL;
    if (!selector || strcmp(val_text_or(val_get(selector, ZERO_LABEL), ""), "true") == 0)
        return NULL;
    val_set_text(view->mem, selector, ZERO_LABEL, "true");
    (void)meta_update(out, target, update_error(view, "updating"));
    return NULL;
}

static struct err *scale_from_zero(const struct canary_view *view, struct effects *out)
{
    struct val *target;
    TRY(copy_target(view, "query error", &target));
    if (remove_zero_label(VAL_PATH(target, "spec", "template", "spec")))
        (void)meta_update(out, target, update_error(view, "scaling up"));
    return NULL;
}

const struct target_kind target_daemonset = {
    .api_version = WORKLOAD_API,
    .kind = "DaemonSet",
    .has_pods = true,
    .wants = wants,
    .observe = observe,
    .create_primary = create_primary,
    .promote = promote,
    .scale_to_zero = scale_to_zero,
    .scale_from_zero = scale_from_zero,
    .revert = scale_from_zero,
    .is_promoted = is_promoted,
};
