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
#define SKIP       "skipAnalysis: true, "
#define REVERT     "revertOnDeletion: true, "
#define HALF       "stepWeight: 50, maxWeight: 50"
#define MATCH      "match: [{headers: {x-canary: {exact: insider}}}], "

// clang-format off
static const struct row {
    const char *name;
    const struct router *router;
    const char *analysis;
    int threshold;
    unsigned edits;
    const char *fields; /* of the spec; NULL none */
    bool is_service, has_old_routes, is_refused, is_long;
} rows[] = {
    { "weighted", &world_mesh, CHECKS HALF, .threshold = 2 },
    { "weighted, beyond the maximum", &world_ingress, CHECKS "stepWeight: 60, maxWeight: 70", .threshold = 1 },
    { "step weights", &world_mesh, CHECKS "stepWeights: [10, 60]", .threshold = 1 },
    { "promotion in steps", &world_mesh, "stepWeight: 80, maxWeight: 80, stepWeightPromotion: 50", .threshold = 1 },
    { "mirror", &world_mesh, CHECKS HALF ", mirror: true", .threshold = 1 },
    { "mirror that cannot be", &world_ingress, HALF ", mirror: true", .threshold = 1 },
    { "a/b", &world_mesh, CHECKS MATCH "iterations: 2", .threshold = 1 },
    { "a/b that cannot be", &world_ingress, MATCH "iterations: 2", .threshold = 2, .is_refused = true },
    { "blue/green", &world_ingress, CHECKS "iterations: 2", .threshold = 1 },
    { "blue/green, mirrored", &world_mesh, CHECKS "iterations: 2, mirror: true", .threshold = 1 },
    { "blue/green, promotion in steps", &world_mesh, "iterations: 1, stepWeightPromotion: 60", .threshold = 1 },
    { "kubernetes", &world_fixed, CHECKS "iterations: 2", .threshold = 1 },
    { "kubernetes without iterations", &world_fixed, MATCH "stepWeight: 50", .is_long = true },
    { "early routes", &world_early, "stepWeight: 100", .threshold = 1 },
    { "routes from before", &world_mesh, "stepWeight: 100", .has_old_routes = true },
    { "skip", &world_mesh, "stepWeight: 50", .fields = SKIP, .edits = EDIT_CONFIG },
    { "scaler, skip", &world_mesh, "stepWeight: 50", .fields = SCALER SKIP },
    { "scaler", &world_mesh, CHECKS HALF, .fields = SCALER },
    { "service", &world_mesh, CHECKS HALF, .threshold = 2, .is_service = true, .edits = EDIT_SKIP },
    { "rollback by hand", &world_mesh, ABORT HALF, .threshold = 1 },
    { "weighted, every hook", &world_mesh, ALL_HOOKS HALF, .threshold = 1 },
    { "mirror, gates", &world_mesh, SOME_GATES "stepWeight: 100, mirror: true", .is_long = true },
    { "a/b, every hook", &world_mesh, ALL_HOOKS MATCH "iterations: 1", .is_long = true },
    { "blue/green, every hook", &world_mesh, ALL_HOOKS "iterations: 1, mirror: true", .is_long = true },
    { "kubernetes, gates", &world_fixed, SOME_GATES "iterations: 1", .threshold = 1 },
    { "configs", &world_mesh, CHECKS "stepWeight: 100", .edits = EDIT_CONFIG },
    { "skipped half-way", &world_mesh, HALF, .edits = EDIT_SKIP },
    { "suspended half-way", &world_mesh, CHECKS "stepWeight: 100", .edits = EDIT_SUSPEND },
    { "deleted", &world_mesh, "stepWeight: 100", .edits = EDIT_DELETE },
    { "deleted, reverted", &world_mesh, "stepWeight: 100", .fields = REVERT, .edits = EDIT_DELETE },
    { "deleted, reverted, scaler", &world_mesh, "stepWeight: 100", .fields = SCALER REVERT, .edits = EDIT_DELETE, .is_long = true },
    { "deleted, reverted, kubernetes", &world_fixed, "iterations: 1", .fields = REVERT, .edits = EDIT_DELETE },
    { "everything", &world_mesh, CHECKS ALL_HOOKS HALF ", stepWeightPromotion: 30", .threshold = 2,
      .fields = SCALER REVERT, .edits = EDIT_CONFIG | EDIT_SKIP | EDIT_SUSPEND | EDIT_DELETE, .is_long = true },
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
        row->fields ? row->fields : "", row->is_service ? SERVICE : DEPLOYMENT, row->analysis,
        MAX_OF(row->threshold, 1));
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
