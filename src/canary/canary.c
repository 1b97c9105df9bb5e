#include "canary/canary.h"

#include <string.h>

const char *canary_phase_name(enum canary_phase phase)
{
    switch (phase) {
    case CANARY_NONE: return "";
    case CANARY_INITIALIZING: return "Initializing";
    case CANARY_INITIALIZED: return "Initialized";
    case CANARY_WAITING: return "Waiting";
    case CANARY_PROGRESSING: return "Progressing";
    case CANARY_WAITING_PROMOTION: return "WaitingPromotion";
    case CANARY_PROMOTING: return "Promoting";
    case CANARY_FINALISING: return "Finalising";
    case CANARY_SUCCEEDED: return "Succeeded";
    case CANARY_FAILED: return "Failed";
    case CANARY_TERMINATING: return "Terminating";
    case CANARY_TERMINATED: return "Terminated";
    }
    return "";
}

const char *canary_provider(const struct canary *canary, const struct canary_settings *settings)
{
    return *canary->provider ? canary->provider : settings->mesh_provider;
}

bool canary_target_is_knative(const struct canary *canary)
{
    return strcmp(canary->target.kind, "Service") == 0 &&
           strcmp(canary->target.api_version, "serving.knative.dev/v1") == 0;
}

const char *canary_target_key(struct arena *mem, const struct canary *canary)
{
    return arena_printf(mem, "%s/%s/%s", canary->ns, canary->target.kind, canary->target.name);
}

/* -- checks ---------------------------------------------------------------------------------- */

static struct err *check_ref(const struct canary *canary, const char *what, const char *name,
                             const char *ns)
{
    if (!*name || !*ns || strcmp(ns, canary->ns) == 0)
        return NULL;
    return err_new(ERR_INVALID, "can't access %s %s.%s, cross-namespace references are blocked",
                   what, name, ns);
}

static struct err *check_refs(const struct canary *canary)
{
    const struct canary_analysis *analysis = &canary->analysis;
    TRY(check_ref(canary, "gloo upstream", canary->upstream.name, canary->upstream.ns));
    for (size_t i = 0; i < analysis->metrics_len; i++)
        TRY(check_ref(canary, "metric template", analysis->metrics[i].template_name,
                      analysis->metrics[i].template_ns));
    for (size_t i = 0; i < analysis->alerts_len; i++)
        TRY(check_ref(canary, "alert provider", analysis->alerts[i].provider_name,
                      analysis->alerts[i].provider_ns));
    return NULL;
}

/* Looks at spec.provider alone: that of the settings is not enough. */
static struct err *check_knative(const struct canary *canary)
{
    bool is_provider = strcmp(canary->provider, "knative") == 0;
    if (!canary_target_is_knative(canary))
        return is_provider
                   ? err_new(ERR_INVALID, "can't use %s/%s as target if provider is set to knative",
                             canary->target.api_version, canary->target.kind)
                   : NULL;
    if (!is_provider)
        return err_new(ERR_INVALID, "can't use %s provider with Knative Service as target",
                       canary->provider);
    return *canary->scaler.name ? err_new(ERR_INVALID, "can't use autoscaler with Knative Service")
                                : NULL;
}

static struct err *check_cookies(const struct canary *canary)
{
    const struct canary_affinity *affinity = canary->analysis.affinity;
    if (!affinity || strcmp(affinity->cookie_name, affinity->primary_cookie_name) != 0)
        return NULL;
    return err_new(ERR_INVALID, "can't use the same cookie name for both primary and cookie name; "
                                "please update them to be different");
}

static struct err *check_step_weights(const struct canary_analysis *analysis)
{
    int64_t before = 0;
    for (size_t i = 0; i < analysis->step_weights_len; i++) {
        if (analysis->step_weights[i] <= before)
            return err_new(ERR_INVALID,
                           "spec.analysis.stepWeights[%zu]: must be greater than %s%lld, is %lld",
                           i, i ? "the one before it, " : "", (long long)before,
                           (long long)analysis->step_weights[i]);
        before = analysis->step_weights[i];
    }
    return NULL;
}

/* A run that would come to a point where no tick changes anything. */
static struct err *check_progress(const struct canary *canary,
                                  const struct canary_settings *settings)
{
    const struct canary_analysis *analysis = &canary->analysis;
    if (canary->skips_analysis)
        return NULL;
    if (analysis->step_weight_promotion < 0)
        return err_new(ERR_INVALID, "spec.analysis.stepWeightPromotion: must not be negative");
    /* The kubernetes provider takes 10 iterations where none are given. */
    if (analysis->iterations > 0 || strcmp(canary_provider(canary, settings), "kubernetes") == 0)
        return NULL;
    if (analysis->step_weight <= 0 && analysis->step_weights_len == 0)
        return err_new(ERR_INVALID, "spec.analysis: set one of iterations, stepWeight and "
                                    "stepWeights to something greater than 0, or the analysis "
                                    "never ends");
    return check_step_weights(analysis);
}

struct err *canary_check(const struct canary *canary, const struct canary_settings *settings)
{
    if (settings->no_cross_namespace)
        TRY(check_refs(canary));
    TRY(check_knative(canary));
    TRY(check_cookies(canary));
    return check_progress(canary, settings);
}
