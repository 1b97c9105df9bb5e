#include <inttypes.h>
#include <string.h>

#include "canary/target/kinds.h"
#include "canary/target/meta.h"
#include "canary/target/ready.h"
#include "canary/target/scaler.h"
#include "canary/target/workload.h"
#include "doc/object.h"

static const char *const fields[] = { "progressDeadlineSeconds", "minReadySeconds",
                                      "revisionHistoryLimit", "strategy", NULL };

/* -- the primary's pods keep away from each other, not from the canary's ---------------------- */

static bool is_selector_label(const struct canary_view *view, const char *key)
{
    const char *const *label = view->settings->selector_labels;
    for (; label && *label; label++)
        if (strcmp(*label, key) == 0)
            return true;
    return false;
}

/* Names of the target become the primary's: of each expression the first one, of matchLabels all. */
static void rename_selector(const struct canary_view *view, const struct val *selector)
{
    struct arena *mem = view->mem;
    const char *name = view->canary->target.name;
    struct val *primary = val_new_text(mem, meta_primary_name(view, name));
    const struct val *expressions = val_get(selector, "matchExpressions");
    for (size_t i = 0; i < val_len(expressions); i++) {
        const struct val *expression = val_item(expressions, i);
        struct val *values = val_get(expression, "values");
        if (!is_selector_label(view, val_text_or(val_get(expression, "key"), "")))
            continue;
        for (size_t k = 0; val_is_list(values) && k < values->len; k++) {
            if (strcmp(val_text_or(values->items[k], ""), name) != 0)
                continue;
            values->items[k] = primary;
            break;
        }
    }
    struct val *labels = val_get(selector, "matchLabels");
    for (size_t i = 0; val_is_map(labels) && i < labels->len; i++)
        if (is_selector_label(view, labels->pairs[i].key) &&
            strcmp(val_text_or(labels->pairs[i].value, ""), name) == 0)
            labels->pairs[i].value = primary;
}

static void adjust(const struct canary_view *view, struct val *pod_spec)
{
    const struct val *anti = VAL_PATH(pod_spec, "affinity", "podAntiAffinity");
    const struct val *preferred = val_get(anti, "preferredDuringSchedulingIgnoredDuringExecution");
    const struct val *required = val_get(anti, "requiredDuringSchedulingIgnoredDuringExecution");
    const struct val *spread = val_get(pod_spec, "topologySpreadConstraints");
    for (size_t i = 0; i < val_len(preferred); i++)
        rename_selector(view, VAL_PATH(val_item(preferred, i), "podAffinityTerm", "labelSelector"));
    for (size_t i = 0; i < val_len(required); i++)
        rename_selector(view, val_get(val_item(required, i), "labelSelector"));
    for (size_t i = 0; i < val_len(spread); i++)
        rename_selector(view, val_get(val_item(spread, i), "labelSelector"));
}

static const struct workload workload = {
    .kind = "Deployment",
    .noun = "deployment",
    .promote_noun = "deployment",
    .selector_suffix = "",
    .fields = fields,
    .has_replicas = true,
    .adjust = adjust,
};

/* -- observing ------------------------------------------------------------------------------- */

static void wants(const struct canary_view *view, struct live_wants *out)
{
    workload_want(view, &workload, out);
}

static struct ready wrap(const struct canary_view *view, struct ready ready, const char *before,
                         const char *name)
{
    if (ready.state != READY_YES)
        ready.text = arena_printf(view->mem, "%s%s.%s not ready: %s", before, name,
                                  view->canary->ns, ready.text);
    return ready;
}

static void observe(const struct canary_view *view, struct target_seen *out)
{
    const struct val *target = workload_target(view, &workload);
    const struct val *primary = workload_primary(view, &workload);
    const struct canary_analysis *analysis = &view->canary->analysis;
    bool has_analysis = view->canary->has_analysis;
    const char *name = view->canary->target.name;
    workload_observe(view, &workload, VAL_PATH(target, "spec", "template"), out);
    out->primary = wrap(
        view,
        ready_deployment(view, primary, has_analysis ? analysis->primary_ready_threshold : 100), "",
        meta_primary_name(view, name));
    if (!target)
        out->canary = (struct ready){ READY_LATER, out->fault };
    else
        out->canary = wrap(
            view,
            ready_deployment(view, target, has_analysis ? analysis->canary_ready_threshold : 100),
            "canary deployment ", name);
    int64_t replicas;
    out->is_empty = val_int(VAL_PATH(target, "spec", "replicas"), &replicas) && replicas == 0;
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

/* -- replicas -------------------------------------------------------------------------------- */

static int64_t replicas_of(const struct val *deployment) /* 0: none, or not said */
{
    int64_t replicas = 0;
    return val_int(VAL_PATH(deployment, "spec", "replicas"), &replicas) ? replicas : 0;
}

static void scale(const struct val *target, int64_t replicas, const char *before,
                  struct effects *out)
{
    int64_t now;
    if (val_int(VAL_PATH(target, "spec", "replicas"), &now) && now == replicas)
        return;
    struct val *patch = val_new_map(out->mem), *spec = val_new_map(out->mem);
    val_set(out->mem, spec, "replicas", val_new_int(out->mem, replicas));
    val_set(out->mem, patch, "spec", spec);
    struct effect *effect = effect_add(out, EFFECT_MERGE, target);
    effect->body = patch;
    effect->before = before;
}

static struct err *find_target(const struct canary_view *view, const char *noun,
                               const struct val **out)
{
    *out = workload_target(view, &workload);
    return *out ? NULL
                : err_new(ERR_NOT_FOUND, "%s",
                          workload_absent(view, &workload, noun, view->canary->target.name));
}

static const char *patch_error(const struct canary_view *view)
{
    return arena_printf(view->mem,
                        "deployment %s.%s patch query error: ", view->canary->target.name,
                        view->canary->ns);
}

static struct err *scale_to_zero(const struct canary_view *view, struct effects *out)
{
    const struct val *target;
    TRY(find_target(view, "deployment", &target));
    scale(target, 0, patch_error(view), out);
    return NULL;
}

static struct err *scale_from_zero(const struct canary_view *view, struct effects *out)
{
    const struct val *target;
    TRY(find_target(view, "deployment", &target));
    int64_t replicas = replicas_of(target);
    if (replicas < 1 && view->canary->scaler_ref)
        replicas = scaler_least(view);
    else if (replicas < 1)
        replicas = MAX_OF(replicas_of(workload_primary(view, &workload)), 1);
    scale(target, replicas,
          arena_printf(out->mem, "scaling up %s.%s to %" PRId64 " failed: ",
                       view->canary->target.name, view->canary->ns, replicas),
          out);
    return NULL;
}

static struct err *revert(const struct canary_view *view, struct effects *out)
{
    const struct val *target, *primary = workload_primary(view, &workload);
    TRY(find_target(view, "deplyoment", &target));
    if (!primary)
        return scale_from_zero(view, out);
    int64_t replicas = 1;
    if (!val_int(VAL_PATH(primary, "spec", "replicas"), &replicas))
        replicas = 1;
    scale(target, replicas, patch_error(view), out);
    return NULL;
}

const struct target_kind target_deployment = {
    .api_version = WORKLOAD_API,
    .kind = "Deployment",
    .has_pods = true,
    .wants = wants,
    .observe = observe,
    .create_primary = create_primary,
    .promote = promote,
    .scale_to_zero = scale_to_zero,
    .scale_from_zero = scale_from_zero,
    .revert = revert,
    .is_promoted = is_promoted,
};
