#include <stdlib.h>
#include <string.h>

#include "canary/canaries_parts.h"
#include "doc/object.h"

#define REASON "Synced" /* of every event, whatever it is about: users select by it */

/* -- metrics of 12.1: labels in order of name, as Prometheus' own library shows them ------------------------------------------ */

static const double duration_buckets[] = { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10 };
static const double lateness_buckets[] = { .001, .005, .01, .05, .1, .5, 1, 5, 10, 30, 60 };

static struct metric *declare(struct canaries *all, const struct metric_spec *spec)
{
    return metrics_declare(all->opts.metrics, spec);
}

void report_declare(struct canaries *all)
{
    struct canaries_metrics *m = &all->metrics;
    m->info =
        declare(all, &(struct metric_spec){ .name = "flagger_info",
                                            .help = "Flagger version and mesh provider information",
                                            .type = METRIC_GAUGE,
                                            .labels = { "mesh_provider", "version" } });
    m->total = declare(all, &(struct metric_spec){ .name = "flagger_canary_total",
                                                   .help = "Total number of canary object",
                                                   .type = METRIC_GAUGE,
                                                   .labels = { "namespace" } });
    m->status = declare(all, &(struct metric_spec){ .name = "flagger_canary_status",
                                                    .help = "Last canary analysis result",
                                                    .type = METRIC_GAUGE,
                                                    .labels = { "name", "namespace" } });
    m->weight = declare(
        all, &(struct metric_spec){ .name = "flagger_canary_weight",
                                    .help = "The virtual service destination weight current value",
                                    .type = METRIC_GAUGE,
                                    .labels = { "namespace", "workload" } });
    m->analysis =
        declare(all, &(struct metric_spec){ .name = "flagger_canary_metric_analysis",
                                            .help = "Last canary analysis result per metric",
                                            .type = METRIC_GAUGE,
                                            .labels = { "metric", "name", "namespace" } });
    m->duration =
        declare(all, &(struct metric_spec){ .name = "flagger_canary_duration_seconds",
                                            .help = "Seconds spent performing canary analysis.",
                                            .type = METRIC_HISTOGRAM,
                                            .labels = { "name", "namespace" },
                                            .buckets = duration_buckets,
                                            .bucket_count = ARRAY_LEN(duration_buckets) });
    m->successes =
        declare(all, &(struct metric_spec){ .name = "flagger_canary_successes_total",
                                            .help = "Total number of canary successes",
                                            .type = METRIC_COUNTER,
                                            .labels = { "analysis_status", "deployment_strategy",
                                                        "name", "namespace" } });
    m->failures =
        declare(all, &(struct metric_spec){ .name = "flagger_canary_failures_total",
                                            .help = "Total number of canary failures",
                                            .type = METRIC_COUNTER,
                                            .labels = { "analysis_status", "deployment_strategy",
                                                        "name", "namespace" } });
    m->lateness = declare(
        all, &(struct metric_spec){ .name = "serin_canary_tick_lateness_seconds",
                                    .help = "How long after they were due ticks of canaries began.",
                                    .type = METRIC_HISTOGRAM,
                                    .buckets = lateness_buckets,
                                    .bucket_count = ARRAY_LEN(lateness_buckets) });
}

void report_begin(struct canaries *all)
{
    metric_set(all->metrics.info,
               (const char *const[]){ all->opts.settings->mesh_provider, SERIN_VERSION }, 1);
}

void report_status(struct canaries *all, const struct unit *unit, enum canary_phase phase)
{
    double value = phase == CANARY_PROGRESSING ? 0 : phase == CANARY_FAILED ? 2 : 1;
    metric_set(all->metrics.status, (const char *const[]){ unit->target, unit->ns }, value);
}

static const char *primary_of(struct arena *mem, const struct unit *unit)
{
    return arena_printf(mem, "%s-primary", unit->target);
}

void report_weight(struct canaries *all, const struct unit *unit, const struct split *split)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    metric_set(all->metrics.weight, (const char *const[]){ unit->ns, primary_of(mem, unit) },
               (double)split->primary);
    metric_set(all->metrics.weight, (const char *const[]){ unit->ns, unit->target },
               (double)split->canary);
}

static const char *const strategies[] = { "canary", "blue-green", "ab-testing" };
static const char *const statuses[] = { "completed", "skipped" };

/* Of the spec as it is written. */
static const char *strategy_of(const struct canary *canary)
{
    const struct canary_analysis *analysis = &canary->analysis;
    if (analysis->iterations < 1)
        return strategies[0];
    return strategies[analysis->match ? 2 : 1];
}

void report_end(struct canaries *all, const struct canary *canary,
                const struct canary_action *action)
{
    struct metric *family =
        action->act == CANARY_COUNT_SUCCESS ? all->metrics.successes : all->metrics.failures;
    metric_add(family,
               (const char *const[]){ statuses[action->is_skipped], strategy_of(canary),
                                      canary->target.name, canary->ns },
               1);
}

void report_metric(struct canaries *all, struct unit *unit, const char *name, double value)
{
    size_t at = 0;
    while (at < unit->metrics.len && strcmp(unit->metrics.at[at], name) != 0)
        at++;
    if (at == unit->metrics.len)
        *vec_push(NULL, &unit->metrics) = base_copy_text(name);
    metric_set(all->metrics.analysis, (const char *const[]){ name, unit->target, unit->ns }, value);
}

void report_known(struct canaries *all, struct unit *unit, bool is_valid)
{
    const char *const labels[] = { unit->ns };
    if (unit->is_valid == is_valid)
        return;
    unit->is_valid = is_valid;
    double total = metric_value(all->metrics.total, labels) + (is_valid ? 1 : -1);
    if (total > 0)
        metric_set(all->metrics.total, labels, total);
    else
        metric_forget(all->metrics.total, labels);
}

static void forget_ends(struct canaries *all, const struct unit *unit)
{
    for (size_t i = 0; i < ARRAY_LEN(strategies); i++) {
        for (size_t k = 0; k < ARRAY_LEN(statuses); k++) {
            const char *const labels[] = { statuses[k], strategies[i], unit->target, unit->ns };
            metric_forget(all->metrics.successes, labels);
            metric_forget(all->metrics.failures, labels);
        }
    }
}

void report_forget(struct canaries *all, struct unit *unit)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    report_known(all, unit, false);
    for (size_t i = 0; i < unit->metrics.len; i++) {
        if (unit->target)
            metric_forget(all->metrics.analysis,
                          (const char *const[]){ unit->metrics.at[i], unit->target, unit->ns });
        free(unit->metrics.at[i]);
    }
    vec_fini(&unit->metrics);
    if (!unit->target)
        return;
    const char *const labels[] = { unit->target, unit->ns };
    metric_forget(all->metrics.status, labels);
    metric_forget(all->metrics.duration, labels);
    metric_forget(all->metrics.weight, (const char *const[]){ unit->ns, unit->target });
    metric_forget(all->metrics.weight, (const char *const[]){ unit->ns, primary_of(mem, unit) });
    forget_ends(all, unit);
}

/* -- log lines, events --------------------------------------------------------------------------------------------------------- */

void report_log(const struct canaries *all, const struct unit *unit, enum canary_severity severity,
                const char *text)
{
    static const enum log_level levels[] = {
        [CANARY_INFO] = LOG_INFO, [CANARY_WARN] = LOG_WARN, [CANARY_ERROR] = LOG_ERROR
    };
    LOG_AT(all->opts.log, levels[severity], F("canary", unit->owner), F("msg", text));
}

static void record(struct canaries *all, struct unit *unit, const struct val *object,
                   enum canary_severity severity, const char *text)
{
    /* A warning is an event like others to who reads the log; level error is for what is wrong with us or the spec. */
    report_log(all, unit, severity == CANARY_ERROR ? CANARY_ERROR : CANARY_INFO, text);
    kube_event_record(all->opts.events,
                      &(struct kube_event){ .api_version = CANARY_API_VERSION,
                                            .kind = "Canary",
                                            .ns = unit->ns,
                                            .name = unit->name,
                                            .uid = object_uid(object),
                                            .resource_version = object_resource_version(object),
                                            .is_warning = severity != CANARY_INFO,
                                            .reason = REASON,
                                            .message = text });
    canaries_keep_text(&unit->last_event, text);
}

void report_event(struct canaries *all, struct unit *unit, const struct canary *canary,
                  const struct canary_action *action)
{
    record(all, unit, canary->object, action->severity, action->text);
    hook_report(all->hooks, canary, canary_phase_name(action->phase),
                &(struct hook_event){ .message = action->text,
                                      .is_warning = action->severity != CANARY_INFO,
                                      .time_ms = loop_wall_ms(all->opts.loop) });
}

/* Once for each generation: nothing about it changes before its spec does. */
void report_refusal(struct canaries *all, struct unit *unit, const struct val *object,
                    const struct err *e)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    if (unit->refused_generation == object_generation(object))
        return;
    unit->refused_generation = object_generation(object);
    canaries_keep_text(&unit->waits_for, "a valid spec");
    log_error(all->opts.log, F("canary", unit->owner),
              F("msg", arena_printf(mem, "error syncing '%s/%s': invalid canary spec: %s", unit->ns,
                                    unit->name, err_text(e))));
    const char *text = arena_printf(mem, "invalid canary spec: %s", err_text(e));
    kube_event_record(all->opts.events,
                      &(struct kube_event){ .api_version = CANARY_API_VERSION,
                                            .kind = "Canary",
                                            .ns = unit->ns,
                                            .name = unit->name,
                                            .uid = object_uid(object),
                                            .resource_version = object_resource_version(object),
                                            .is_warning = true,
                                            .reason = REASON,
                                            .message = text });
    canaries_keep_text(&unit->last_event, text);
}
