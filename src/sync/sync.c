#include "sync/sync.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "sync/order.h"
#include "sync/run.h"

#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS   60000
#define RETRIES_SLOW   4 /* as if so many had failed: the next comes after 16 s */

static const struct stage {
    const char *name;
    void (*start)(struct sync_run *run);
} stages[] = {
    { "loading resources from repo", sync_stage_list },
    { "loading resources from repo", sync_stage_read },
    { "asking the cluster for its kinds", sync_stage_discover },
    { "looking at the cluster", sync_stage_observe },
    { "applying", sync_stage_apply },
    { "collecting garbage", sync_stage_collect },
    { "marking the revision", sync_stage_mark },
};

#define APPLY_STAGE 4

static void start_run(struct sync *sync, bool is_heal);

/* -- making ---------------------------------------------------------------------------------------------------- */

static void copy_options(struct sync *sync, const struct sync_opts *opts)
{
    struct arena *mem = sync->mem;
    sync->opts = *opts;
    sync->opts.own_ns = arena_strdup(mem, opts->own_ns);
    sync->opts.secret_name = arena_strdup(mem, opts->secret_name);
    sync->opts.default_ns = arena_strdup(mem, opts->default_ns);
    sync->opts.git_branch = arena_strdup(mem, opts->git_branch);
    sync->opts.sync_tag = arena_strdup(mem, opts->sync_tag);
    sync->opts.allowed_ns = arena_copy_texts(mem, opts->allowed_ns);
    sync->opts.excluded_kinds = arena_copy_texts(mem, opts->excluded_kinds);
    sync->opts.git_paths = arena_copy_texts(mem, opts->git_paths);
    const struct giturl *url = source_url(opts->source);
    sync->set_name =
        mark_set_name(mem, url ? url->safe : "", sync->opts.git_branch, sync->opts.git_paths);
    sync->settings = (struct load_settings){ .set_name = sync->set_name,
                                             .default_ns = sync->opts.default_ns,
                                             .allowed_ns = sync->opts.allowed_ns,
                                             .git_paths = sync->opts.git_paths,
                                             .manifest_generation = opts->manifest_generation,
                                             .generator_timeout_ms = opts->timeout_ms,
                                             .reveal = opts->reveal,
                                             .release_notes_ref = sync->opts.release_notes_ref,
                                             .release_event = opts->release_event };
}

static void declare_metrics(struct sync *sync)
{
    static const double buckets[] = { 0.5, 5, 10, 20, 30, 40, 50, 60, 75, 90, 120, 240 };
    struct metrics *all = sync->opts.metrics;
    sync->duration = metrics_declare(
        all,
        &(struct metric_spec){ .name = "flux_daemon_sync_duration_seconds",
                               .help = "Duration of git-to-cluster synchronisation, in seconds.",
                               .type = METRIC_HISTOGRAM,
                               .labels = { "success" },
                               .buckets = buckets,
                               .bucket_count = ARRAY_LEN(buckets) });
    sync->manifests =
        metrics_declare(all, &(struct metric_spec){ .name = "flux_daemon_sync_manifests",
                                                    .help = "Number of synchronised manifests.",
                                                    .type = METRIC_GAUGE,
                                                    .labels = { "success" } });
    sync->drift = metrics_declare(
        all, &(struct metric_spec){ .name = "serin_sync_drift_total",
                                    .help = "Drifts seen, by what was done: healed or reported.",
                                    .type = METRIC_COUNTER,
                                    .labels = { "action" } });
    sync->objects = metrics_declare(
        all, &(struct metric_spec){ .name = "serin_sync_objects",
                                    .help = "Objects that the repository declares, by outcome.",
                                    .type = METRIC_GAUGE,
                                    .labels = { "outcome" } });
}

/* What waited for its namespace does not wait for the next try. */
static void take_up_contents(struct sync *sync, const struct inventory_object *space)
{
    void *value;
    for (size_t at = 0; map_next(sync->inventory.objects, &at, NULL, &value);) {
        struct inventory_object *object = value;
        if (object->may_retry && object->body && !strcmp(object->ns, space->name))
            object->is_dirty = true;
    }
}

static void on_object(void *ctx, const struct applier_outcome *outcome)
{
    struct sync *sync = ctx;
    struct sync_run *run = sync->run;
    const struct inventory_object *object = outcome->object;
    if (outcome->err) {
        const char *why = err_text(outcome->err);
        run->failed++;
        log_error(sync->opts.log, F("component", "sync"), F("resource", object->id),
                  F("path", object->path), FI("line", object->line), F("err", why));
        sync_report_object(sync, object, true, "SyncFailed", why);
        return;
    }
    if (object->outcome == SYNC_SKIPPED) {
        log_info(sync->opts.log, F("component", "sync"), F("info", object->message),
                 F("resource", object->id));
        return;
    }
    if (outcome->has_changed &&
        order_wait(object->api_version, object->kind) == ORDER_WAIT_NAMESPACE)
        take_up_contents(sync, object);
    if (!(run->is_heal || outcome->was_drift) || !outcome->has_changed)
        return;
    sync->healed++;
    metric_add(sync->drift, (const char *const[]){ "healed" }, 1);
    log_info(sync->opts.log, F("component", "sync"), F("event", "drift healed"),
             F("resource", object->id));
    sync_report_object(sync, object, false, "DriftHealed",
                       "brought back to what the repository declares");
}

static void on_applied(void *ctx)
{
    struct sync *sync = ctx;
    sync_next(sync->run, NULL);
}

static void on_kinds_changed(void *ctx)
{
    struct sync *sync = ctx;
    void *value;
    for (size_t at = 0; map_next(sync->inventory.objects, &at, NULL, &value);) {
        if (((const struct inventory_object *)value)->outcome == SYNC_UNKNOWN_KIND) {
            sync_soon(sync, false);
            return;
        }
    }
}

struct sync *sync_new(const struct sync_opts *opts)
{
    struct sync *sync = base_alloc(sizeof(*sync));
    sync->mem = arena_new(ARENA_LIMIT_BYTES);
    copy_options(sync, opts);
    declare_metrics(sync);
    inventory_init(&sync->inventory);
    sync->inventory.owner = opts->owner;
    sync->picture = picture_new(&(struct picture_opts){ .loop = opts->loop,
                                                        .log = opts->log,
                                                        .kube = opts->kube,
                                                        .discovery = opts->discovery,
                                                        .inventory = &sync->inventory,
                                                        .set_name = sync->set_name,
                                                        .allowed_ns = sync->opts.allowed_ns,
                                                        .excluded_kinds = sync->opts.excluded_kinds,
                                                        .on_seen = sync_on_seen,
                                                        .on_kinds_changed = on_kinds_changed,
                                                        .ctx = sync });
    sync->applier = applier_new(&(struct applier_opts){ .loop = opts->loop,
                                                        .log = opts->log,
                                                        .kube = opts->kube,
                                                        .discovery = opts->discovery,
                                                        .inventory = &sync->inventory,
                                                        .on_object = on_object,
                                                        .done = on_applied,
                                                        .ctx = sync });
    return sync;
}

/* -- triggers -------------------------------------------------------------------------------------------------- */

static void on_interval(void *ctx)
{
    struct sync *sync = ctx;
    sync->interval = loop_after(sync->opts.loop, sync->opts.interval_ms, on_interval, sync);
    sync_soon(sync, false);
}

/* Signatures are verified from the marker on, so the source wants it before there is a head to sync. A run asks again if
 * this fails. */
static void on_early_marker(struct sync *sync, struct err *e)
{
    if (e)
        log_warn(sync->opts.log, F("component", "sync-loop"), F("warning", "no sync marker yet"),
                 F("err", err_text(e)));
    err_free(e);
}

void sync_start(struct sync *sync)
{
    sync->is_started = true;
    if (sync->opts.state_mode == SYNC_STATE_SECRET && !sync->has_marker)
        sync_read_marker(sync, on_early_marker);
    sync->interval = loop_after(sync->opts.loop, sync->opts.interval_ms, on_interval, sync);
    sync_wake(sync);
}

void sync_on_refreshed(struct sync *sync, const char *head, const struct mirror_fetched *fetched)
{
    if (sync->opts.state_mode == SYNC_STATE_GIT && !sync->run) {
        memcpy(sync->marker, fetched->tag, sizeof(sync->marker));
        sync->has_marker = true;
    }
    if (!*head || !strcmp(head, sync->head))
        return;
    memcpy(sync->head, head, sizeof(sync->head));
    sync->wants_sync = sync->wants_all = true;
    sync_wake(sync);
}

void sync_soon(struct sync *sync, bool reapply_all)
{
    sync->wants_sync = sync->wants_all = true;
    sync->wants_reapply = sync->wants_reapply || reapply_all;
    sync_wake(sync);
}

static void on_wake(void *ctx)
{
    struct sync *sync = ctx;
    sync->wake = 0;
    if (sync->run || !sync->is_started)
        return;
    if (sync->wants_sync && *sync->head)
        start_run(sync, false);
    else if (sync->wants_heal && sync->was_synced)
        start_run(sync, true);
}

void sync_wake(struct sync *sync)
{
    if (!sync->wake && !sync->run && sync->is_started)
        sync->wake = loop_after(sync->opts.loop, 0, on_wake, sync);
}

static void on_retry(void *ctx)
{
    struct sync *sync = ctx;
    sync->retry = 0;
    sync->wants_sync = true;
    sync_wake(sync);
}

/* -- a run ------------------------------------------------------------------------------------------------------ */

/* What failed is tried again: by a retry only what time may mend. A reapply sends everything. */
static void take_up_again(struct sync *sync)
{
    void *value;
    for (size_t at = 0; map_next(sync->inventory.objects, &at, NULL, &value);) {
        struct inventory_object *object = value;
        object->was_applied = object->was_applied && !sync->wants_reapply;
        if (object->live_ignore == MARK_IGNORE_YES &&
            !object->seen) /* no watch shows when the annotation goes */
            object->live = INVENTORY_UNSEEN;
        bool is_due = sync->wants_all || object->may_retry;
        if (object->body && !object->rival && !object->was_applied && is_due)
            object->is_dirty = true;
    }
}

static void start_run(struct sync *sync, bool is_heal)
{
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct sync_run *run = arena_alloc(mem, sizeof(*run));
    *run = (struct sync_run){
        .sync = sync, .mem = mem, .is_heal = is_heal, .started_ms = loop_now_ms(sync->opts.loop)
    };
    memcpy(run->rev, sync->head, sizeof(run->rev));
    sync->run = run;
    sync->wants_heal = false;
    if (is_heal) {
        run->stage = APPLY_STAGE;
    } else {
        take_up_again(sync);
        sync->wants_sync = sync->wants_reapply = sync->wants_all = false;
        loop_cancel(sync->opts.loop, sync->retry);
        sync->retry = 0;
        log_info(sync->opts.log, F("component", "daemon"),
                 F("info", "trying to sync git changes to the cluster"), F("old", sync->marker),
                 F("new", run->rev));
    }
    stages[run->stage].start(run);
}

static void free_run(struct sync_run *run)
{
    load_list_free(run->list);
    load_read_free(run->read);
    sync_collect_free(run->collect);
    arena_free(run->mem);
}

static void count_outcomes(struct sync *sync)
{
    struct sync_status status;
    sync_status(sync, &status);
    size_t applied = status.objects - status.failed - status.skipped - status.drifted;
    const struct {
        const char *outcome;
        size_t count;
    } rows[] = { { "applied", applied },
                 { "failed", status.failed },
                 { "skipped", status.skipped },
                 { "drifted", status.drifted } };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        metric_set(sync->objects, (const char *const[]){ rows[i].outcome }, (double)rows[i].count);
    metric_set(sync->manifests, (const char *const[]){ "true" },
               (double)(status.objects - status.failed));
    metric_set(sync->manifests, (const char *const[]){ "false" }, (double)status.failed);
}

/* Failures that time may mend are tried again, later each time; others wait for another revision or the interval. */
static void schedule_retry(struct sync *sync, bool has_failed, int64_t after_ms)
{
    void *value;
    for (size_t at = 0; !has_failed && map_next(sync->inventory.objects, &at, NULL, &value);) {
        struct inventory_object *object = value;
        has_failed = object->may_retry;
    }
    has_failed = has_failed || inventory_may_retry(&sync->inventory);
    if (!has_failed) {
        sync->retries = 0;
        return;
    }
    int64_t wait_ms = RETRY_FIRST_MS << MIN_OF(sync->retries, 6);
    wait_ms = MIN_OF(wait_ms, (int64_t)RETRY_MAX_MS);
    wait_ms += loop_random(sync->opts.loop) % (wait_ms / 4);
    wait_ms = MAX_OF(wait_ms, MIN_OF(after_ms, SOURCE_RETRY_AFTER_MAX_MS));
    sync->retries++;
    loop_cancel(sync->opts.loop, sync->retry);
    sync->retry = loop_after(sync->opts.loop, wait_ms, on_retry, sync);
}

static void finish_sync(struct sync *sync, struct sync_run *run, const struct err *e)
{
    sync->last_duration_ms = loop_now_ms(sync->opts.loop) - run->started_ms;
    sync->last_sync_ms = loop_wall_ms(sync->opts.loop);
    free(sync->error);
    sync->error = e ? base_copy_text(err_text(e)) : NULL;
    metric_observe(sync->duration, (const char *const[]){ e ? "false" : "true" },
                   (double)sync->last_duration_ms / 1000);
    if (e)
        log_error(sync->opts.log, F("component", "sync-loop"), F("err", err_text(e)));
    else
        memcpy(sync->applied, run->rev, sizeof(sync->applied));
    sync->was_synced = sync->was_synced || !e;
    count_outcomes(sync);
    if (err_is(e, ERR_DENIED)) /* a person has to act: no hurry */
        sync->retries = MAX_OF(sync->retries, RETRIES_SLOW);
    bool is_lasting = err_is(e, ERR_INVALID) || err_is(e, ERR_NOT_FOUND);
    schedule_retry(sync, e ? !is_lasting : run->has_left_some, err_retry_after_ms(e));
}

static void finish(struct sync_run *run, struct err *e)
{
    struct sync *sync = run->sync;
    if (run->is_heal) {
        count_outcomes(sync);
        schedule_retry(sync, false, -1);
    } else
        finish_sync(sync, run, e);
    err_free(e);
    sync->run = NULL;
    free_run(run);
    malloc_trim(0); /* a run's values are many times what stays */
    if (sync->opts.on_synced)
        sync->opts.on_synced(sync->opts.ctx);
    sync_schedule_heal(sync);
    sync_wake(sync);
}

void sync_next(struct sync_run *run, struct err *e)
{
    bool is_last = run->is_heal || run->stage + 1 == ARRAY_LEN(stages);
    if (e || is_last) {
        finish(run, err_wrap(e, "%s", stages[run->stage].name));
        return;
    }
    stages[++run->stage].start(run);
}

void sync_stop(struct sync *sync)
{
    struct loop *loop = sync->opts.loop;
    ticket *const timers[] = { &sync->interval, &sync->retry, &sync->wake, &sync->heal };
    for (size_t i = 0; i < ARRAY_LEN(timers); i++) {
        loop_cancel(loop, *timers[i]);
        *timers[i] = 0;
    }
    sync->is_started = false;
}

void sync_free(struct sync *sync)
{
    if (!sync)
        return;
    sync_stop(sync);
    kube_cancel(sync->opts.kube, sync->marker_read);
    loop_cancel(sync->opts.loop, sync->owner_wait);
    applier_free(sync->applier);
    picture_free(sync->picture);
    if (sync->run)
        free_run(sync->run);
    inventory_fini(&sync->inventory);
    vec_fini(&sync->sorted);
    free(sync->error);
    arena_free(sync->mem);
    free(sync);
}
