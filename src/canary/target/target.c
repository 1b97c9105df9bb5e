#include "canary/target/target.h"

#include <string.h>

#include "canary/target/kinds.h"

/* First match wins; the last one is also for kinds that nobody knows. */
static const struct target_kind *const kinds[] = {
    &target_knative,
    &target_service,
    &target_daemonset,
    &target_deployment,
};

const struct target_kind *target_find(const struct canary *canary)
{
    bool is_knative = canary_target_is_knative(canary);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i]->kind, canary->target.kind) == 0 &&
            (kinds[i] == &target_knative) == is_knative)
            return kinds[i];
    return &target_deployment;
}

const struct val *target_object(const struct canary_view *view)
{
    const struct target_kind *kind = target_find(view->canary);
    if (!view->live)
        return NULL;
    return view_find(view, kind->api_version, kind->kind, view->canary->target.name);
}

const struct val *target_pod_spec(const struct canary_view *view)
{
    if (!target_find(view->canary)->has_pods)
        return NULL;
    return VAL_PATH(target_object(view), "spec", "template", "spec");
}
