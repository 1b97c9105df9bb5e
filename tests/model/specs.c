#include "model/specs.h"

#include <string.h>

#define DEPLOYMENT "{apiVersion: apps/v1, kind: Deployment, name: web}"
#define SERVICE    "{apiVersion: v1, kind: Service, name: web}"
#define SCALER     "autoscalerRef: {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: web}, "
#define CHECKS     "metrics: [{name: request-success-rate, interval: 1m, thresholdRange: {min: 99}}], "
#define GATES                                                      \
    "{name: a, url: 'http://a', type: confirm-rollout}, "          \
    "{name: b, url: 'http://b', type: confirm-traffic-increase}, " \
    "{name: c, url: 'http://c', type: confirm-promotion}"
#define ALL_HOOKS                                                                  \
    "webhooks: [" GATES ", {name: d, url: 'http://d', type: pre-rollout}, "        \
    "{name: e, url: 'http://e'}, {name: f, url: 'http://f', type: post-rollout}, " \
    "{name: g, url: 'http://g', type: rollback}, {name: h, url: 'http://h', type: event}], "
#define SOME_GATES "webhooks: [" GATES "], "
#define ABORT      "webhooks: [{name: g, url: 'http://g', type: rollback}], "
#define MATCH      "match: [{headers: {x-canary: {exact: insider}}}], "

// clang-format off
static const struct row {
    const char *name;
    const struct router *router;
    const char *target, *fields; /* of the spec */
    const char *analysis;
    int threshold;
    unsigned edits;
    bool has_old_routes, is_refused, is_long;
} rows[] = {
    { "weighted", &world_mesh, DEPLOYMENT, "", CHECKS "stepWeight: 50, maxWeight: 50", 2, 0, false, false, false },
    { "weighted, beyond the maximum", &world_ingress, DEPLOYMENT, "", CHECKS "stepWeight: 60, maxWeight: 70", 1, 0, false, false, false },
    { "step weights", &world_mesh, DEPLOYMENT, "", CHECKS "stepWeights: [10, 60]", 1, 0, false, false, false },
    { "promotion in steps", &world_mesh, DEPLOYMENT, "", "stepWeight: 80, maxWeight: 80, stepWeightPromotion: 50", 1, 0, false, false, false },
    { "mirror", &world_mesh, DEPLOYMENT, "", CHECKS "stepWeight: 50, maxWeight: 50, mirror: true", 1, 0, false, false, false },
    { "mirror that cannot be", &world_ingress, DEPLOYMENT, "", "stepWeight: 50, maxWeight: 50, mirror: true", 1, 0, false, false, false },
    { "a/b", &world_mesh, DEPLOYMENT, "", CHECKS MATCH "iterations: 2", 1, 0, false, false, false },
    { "a/b that cannot be", &world_ingress, DEPLOYMENT, "", MATCH "iterations: 2", 2, 0, false, true, false },
    { "blue/green", &world_ingress, DEPLOYMENT, "", CHECKS "iterations: 2", 1, 0, false, false, false },
    { "blue/green, mirrored", &world_mesh, DEPLOYMENT, "", CHECKS "iterations: 2, mirror: true", 1, 0, false, false, false },
    { "blue/green, promotion in steps", &world_mesh, DEPLOYMENT, "", "iterations: 1, stepWeightPromotion: 60", 1, 0, false, false, false },
    { "kubernetes", &world_fixed, DEPLOYMENT, "", CHECKS "iterations: 2", 1, 0, false, false, false },
    { "kubernetes without iterations", &world_fixed, DEPLOYMENT, "", MATCH "stepWeight: 50", 1, 0, false, false, true },
    { "early routes", &world_early, DEPLOYMENT, "", "stepWeight: 100", 1, 0, false, false, false },
    { "routes from before", &world_mesh, DEPLOYMENT, "", "stepWeight: 100", 1, 0, true, false, false },
    { "skip", &world_mesh, DEPLOYMENT, "skipAnalysis: true, ", "stepWeight: 50", 1, EDIT_CONFIG, false, false, false },
    { "scaler, skip", &world_mesh, DEPLOYMENT, SCALER "skipAnalysis: true, ", "stepWeight: 50", 1, 0, false, false, false },
    { "scaler", &world_mesh, DEPLOYMENT, SCALER, CHECKS "stepWeight: 50, maxWeight: 50", 1, 0, false, false, false },
    { "service", &world_mesh, SERVICE, "", CHECKS "stepWeight: 50, maxWeight: 50", 2, EDIT_SKIP, false, false, false },
    { "rollback by hand", &world_mesh, DEPLOYMENT, "", ABORT "stepWeight: 50, maxWeight: 50", 1, 0, false, false, false },
    { "weighted, every hook", &world_mesh, DEPLOYMENT, "", ALL_HOOKS "stepWeight: 50, maxWeight: 50", 1, 0, false, false, false },
    { "mirror, gates", &world_mesh, DEPLOYMENT, "", SOME_GATES "stepWeight: 100, mirror: true", 1, 0, false, false, true },
    { "a/b, every hook", &world_mesh, DEPLOYMENT, "", ALL_HOOKS MATCH "iterations: 1", 1, 0, false, false, true },
    { "blue/green, every hook", &world_mesh, DEPLOYMENT, "", ALL_HOOKS "iterations: 1, mirror: true", 1, 0, false, false, true },
    { "kubernetes, gates", &world_fixed, DEPLOYMENT, "", SOME_GATES "iterations: 1", 1, 0, false, false, false },
    { "configs", &world_mesh, DEPLOYMENT, "", CHECKS "stepWeight: 100", 1, EDIT_CONFIG, false, false, false },
    { "skipped half-way", &world_mesh, DEPLOYMENT, "", "stepWeight: 50, maxWeight: 50", 1, EDIT_SKIP, false, false, false },
    { "suspended half-way", &world_mesh, DEPLOYMENT, "", CHECKS "stepWeight: 100", 1, EDIT_SUSPEND, false, false, false },
    { "deleted", &world_mesh, DEPLOYMENT, SCALER, "stepWeight: 100", 1, EDIT_DELETE, false, false, false },
    { "deleted, reverted", &world_mesh, DEPLOYMENT, SCALER "revertOnDeletion: true, ", "stepWeight: 100", 1, EDIT_DELETE, false, false, false },
    { "deleted, reverted, kubernetes", &world_fixed, DEPLOYMENT, "revertOnDeletion: true, ", "iterations: 1", 1, EDIT_DELETE, false, false, false },
    { "everything", &world_mesh, DEPLOYMENT, SCALER "revertOnDeletion: true, ", CHECKS ALL_HOOKS "stepWeight: 50, maxWeight: 50, stepWeightPromotion: 30",
      2, EDIT_CONFIG | EDIT_SKIP | EDIT_SUSPEND | EDIT_DELETE, false, false, true },
};
// clang-format on

size_t model_specs_len(bool is_long)
{
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        len += is_long || !rows[i].is_long;
    return len;
}

static const struct row *find_row(size_t index, bool is_long)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if ((is_long || !rows[i].is_long) && index-- == 0)
            return &rows[i];
    return NULL;
}

struct model_spec model_spec_at(struct arena *mem, size_t index, bool is_long)
{
    const struct row *row = find_row(index, is_long);
    ASSERT(row);
    const char *yaml = arena_printf(
        mem,
        "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: web, namespace: shop}, "
        "spec: {%stargetRef: %s, service: {port: 80}, analysis: {interval: 10s, %s, threshold: "
        "%d}}}",
        row->fields, row->target, row->analysis, row->threshold);
    struct model_spec spec = { .world = world_spec_of(mem, row->name, yaml, row->router),
                               .edits = row->edits,
                               .has_old_routes = row->has_old_routes,
                               .is_refused = row->is_refused };
    const struct canary_analysis *analysis = &spec.world.canary.analysis;
    spec.has_checks = analysis->metrics_len > 0;
    for (size_t i = 0; i < analysis->hooks_len; i++)
        spec.has_checks |= analysis->hooks[i].type == CANARY_HOOK_ROLLOUT;
    return spec;
}

struct world model_spec_first(const struct model_spec *spec)
{
    struct world w = world_first(&spec->world);
    if (spec->has_old_routes) {
        w.has_routes = true;
        w.to_primary = w.to_canary = CANARY_TOTAL / 2;
    }
    return w;
}
