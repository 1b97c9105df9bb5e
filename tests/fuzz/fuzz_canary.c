/* Any document as a Canary: an error that names a field, or a canary that keeps its header's promises. */
#include <string.h>

#include "canary/hash.h"
#include "canary/status.h"
#include "canary/weights.h"
#include "doc/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_analysis(const struct canary *canary)
{
    const struct canary_analysis *analysis = &canary->analysis;
    ASSERT(analysis->interval_ms >= 10000 && analysis->threshold >= 1);
    ASSERT(analysis->hooks_len <= CANARY_LIST_MAX && analysis->step_weights_len <= CANARY_LIST_MAX);
    for (size_t i = 0; i < analysis->hooks_len; i++)
        ASSERT(analysis->hooks[i].name && analysis->hooks[i].url && analysis->hooks[i].timeout);
    for (size_t i = 0; i < analysis->metrics_len; i++)
        ASSERT(*analysis->metrics[i].interval && analysis->metrics[i].query);
    for (size_t i = 0; i < analysis->alerts_len; i++)
        ASSERT(*analysis->alerts[i].provider_ns);
    ASSERT(!analysis->affinity || analysis->affinity->max_age_s != 0);
}

/* What canary_check lets through comes to its end. */
static void check_walk(const struct canary *canary)
{
    const struct canary_analysis *analysis = &canary->analysis;
    int64_t weight = 0;
    for (int i = 0; weight < MIN_OF(weights_max(analysis), CANARY_TOTAL); i++) {
        int64_t step = weights_step(analysis, weight);
        ASSERT(step > 0 && i < CANARY_TOTAL);
        weight = MIN_OF(CANARY_TOTAL, weight + step);
    }
}

static void check_status(struct arena *mem, const struct canary *canary)
{
    struct canary_change change = { .kind = CANARY_CHANGE_SYNC, .phase = CANARY_FAILED };
    struct canary_revision revision = { canary_hash_revision(mem, canary->object),
                                        canary->status.tracked };
    ASSERT(canary_hash_is_ours(revision.hash));
    struct canary_status next =
        canary_status_next(mem, canary, &canary->status, &change, &revision, 1);
    struct val *object = val_copy(mem, canary->object);
    val_set(mem, object, "status",
            canary_status_val(mem, &next, val_get(canary->object, "status")));
    struct canary again;
    ASSERT(!canary_parse(mem, object, &again));
    ASSERT(again.status.phase == CANARY_FAILED);
    ASSERT(strcmp(again.status.last_applied, revision.hash) == 0);
    ASSERT(strlen(canary_hash_payload(mem, next.tracked, next.last_applied)) <= 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list docs = { 0 };
    err_free(doc_yaml_load(mem, (const char *)data, size, &doc_yaml_default_limits, &docs, NULL));
    for (size_t i = 0; i < docs.len; i++) {
        struct canary canary;
        SCOPED(err_free) struct err *e = canary_parse(mem, docs.at[i].root, &canary);
        ASSERT(!e || *err_text(e));
        if (e)
            continue;
        ASSERT(*canary.name && *canary.ns && *canary.target.name && *canary.apex);
        if (canary.has_analysis)
            check_analysis(&canary);
        struct canary_settings settings = { .mesh_provider = "istio", .no_cross_namespace = true };
        SCOPED(err_free) struct err *refused = canary_check(&canary, &settings);
        if (!refused && !canary.skips_analysis && canary.analysis.iterations <= 0 &&
            strcmp(canary.provider, "kubernetes") != 0)
            check_walk(&canary);
        check_status(mem, &canary);
    }
    return 0;
}
