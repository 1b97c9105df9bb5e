#include "release/releases.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "release/run.h"

#define TOO_LONG  "the job took longer than --sync-timeout"
#define PLANS_MAX 8 /* dry runs at the same time: each has the files it looks at in memory */

static void start_next(void *ctx);

static void cancel(struct releases *releases, ticket *timer)
{
    loop_cancel(releases->opts.loop, *timer);
    *timer = 0;
}

static void wake(struct releases *releases)
{
    metric_set(releases->queue_length, NULL, (double)release_jobs_waiting(releases->jobs));
    if (!releases->turn && !releases->is_stopped)
        releases->turn = loop_after(releases->opts.loop, 0, start_next, releases);
}

static void choose_random(unsigned char random[RELEASE_JOB_RANDOM_BYTES])
{
    ASSERT(getrandom(random, RELEASE_JOB_RANDOM_BYTES, 0) == RELEASE_JOB_RANDOM_BYTES);
}

static struct release_job *submit(struct releases *releases, const struct release_spec *spec)
{
    unsigned char random[RELEASE_JOB_RANDOM_BYTES];
    choose_random(random);
    struct release_job *job =
        release_jobs_add(releases->jobs, random, spec, loop_now_ms(releases->opts.loop));
    if (job)
        wake(releases);
    return job;
}

const char *releases_submit(struct releases *releases, const struct release_spec *spec)
{
    const struct release_job *job = submit(releases, spec);
    return job ? job->id : NULL;
}

const char *releases_submit_sync(struct releases *releases, bool reapply_all)
{
    const struct release_spec spec = { .type = RELEASE_SYNC, .user = "", .message = "" };
    struct release_job *job = submit(releases, &spec);
    if (!job)
        return NULL;
    job->wakes_sync = true;
    job->reapply_all = reapply_all;
    return job->id;
}

/* --- the job that runs */

void releases_end_job(struct releases *releases, const struct val *result, const char *error)
{
    const struct release_job *job = release_jobs_running(releases->jobs);
    const struct log *log = releases->opts.log;
    double took_s = (double)(loop_now_ms(releases->opts.loop) - job->started_ms) / 1000;
    cancel(releases, &releases->deadline);
    metric_observe(releases->job_duration, (const char *const[]){ *error ? "false" : "true" },
                   took_s);
    if (*error)
        log_info(log, F("component", "sync-loop"), F("jobID", job->id), F("state", "done"),
                 F("success", "false"), F("err", error));
    else
        log_info(log, F("component", "sync-loop"), F("jobID", job->id), F("state", "done"),
                 F("success", "true"));
    release_jobs_end(releases->jobs, result, error);
    wake(releases);
}

static struct val *result_json(struct arena *mem, const struct releases_outcome *outcome)
{
    if (!outcome->result)
        return NULL;
    struct val *value = val_new_map(mem);
    if (*outcome->revision)
        val_set_text(mem, value, "revision", outcome->revision);
    val_set(mem, value, "spec", release_spec_json(mem, outcome->spec));
    struct val *result = release_result_json(mem, outcome->result);
    if (val_len(result))
        val_set(mem, value, "result", result);
    return value;
}

static void on_run_ended(void *ctx, const struct releases_outcome *outcome)
{
    struct releases *releases = ctx;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    releases->running = NULL;
    releases_auto_on_job(releases->automation, outcome);
    releases_end_job(releases, result_json(mem, outcome), err_text(outcome->err));
}

static void on_deadline(void *ctx)
{
    struct releases *releases = ctx;
    releases->deadline = 0;
    releases->sync_number++;
    if (releases->running)
        releases_run_give_up(STEAL(releases->running));
    releases_end_job(releases, NULL, TOO_LONG);
}

static void start_next(void *ctx)
{
    struct releases *releases = ctx;
    struct loop *loop = releases->opts.loop;
    releases->turn = 0;
    struct release_job *job = release_jobs_next(releases->jobs, loop_now_ms(loop));
    if (!job)
        return;
    metric_set(releases->queue_length, NULL, (double)release_jobs_waiting(releases->jobs));
    metric_observe(releases->queue_duration, NULL,
                   (double)(job->started_ms - job->queued_ms) / 1000);
    log_info(releases->opts.log, F("component", "sync-loop"), F("jobID", job->id),
             F("state", "in-progress"));
    if (releases->opts.job_timeout_ms > 0)
        releases->deadline = loop_after(loop, releases->opts.job_timeout_ms, on_deadline, releases);
    if (job->spec.type == RELEASE_SYNC)
        releases_sync_start(releases);
    else
        releases->running =
            releases_run_start(releases, &job->spec, job->id, on_run_ended, releases);
}

struct val *releases_job(const struct releases *releases, struct arena *mem, const char *id)
{
    const struct release_job *job = release_jobs_find(releases->jobs, id);
    return job ? release_jobs_json(mem, job) : NULL;
}

/* --- dry runs */

struct releases_plan {
    struct releases *releases;
    struct releases_run *run; /* NULL once it has ended */
    ticket number, deadline;
    releases_planned done;
    void *ctx;
    struct releases_plan *next, **at;
};

static void free_plan(struct releases_plan *plan)
{
    loop_cancel(plan->releases->opts.loop, plan->deadline);
    *plan->at = plan->next;
    if (plan->next)
        plan->next->at = plan->at;
    free(plan);
}

static void end_plan(struct releases_plan *plan, const char *id, const struct err *e)
{
    releases_planned done = plan->done;
    void *ctx = plan->ctx;
    free_plan(plan);
    done(ctx, id, e);
}

static void on_planned(void *ctx, const struct releases_outcome *outcome)
{
    struct releases_plan *plan = ctx;
    plan->run = NULL;
    if (outcome->err) {
        end_plan(plan, NULL, outcome->err);
        return;
    }
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    unsigned char random[RELEASE_JOB_RANDOM_BYTES];
    choose_random(random);
    const struct release_job *job =
        release_jobs_keep(plan->releases->jobs, random, result_json(mem, outcome));
    end_plan(plan, job->id, NULL);
}

static void on_too_many_plans(void *ctx)
{
    struct releases_plan *plan = ctx;
    plan->deadline = 0;
    SCOPED(err_free)
    struct err *e = err_new(ERR_TRANSIENT, "too many dry runs at the same time: ask again");
    end_plan(plan, NULL, e);
}

static void on_plan_late(void *ctx)
{
    struct releases_plan *plan = ctx;
    plan->deadline = 0;
    releases_run_give_up(STEAL(plan->run));
    SCOPED(err_free) struct err *e = err_new(ERR_TRANSIENT, TOO_LONG);
    end_plan(plan, NULL, e);
}

static size_t count_plans(const struct releases *releases)
{
    size_t count = 0;
    for (const struct releases_plan *plan = releases->plans; plan; plan = plan->next)
        count++;
    return count;
}

ticket releases_plan(struct releases *releases, const struct release_spec *spec,
                     releases_planned done, void *ctx)
{
    struct releases_plan *plan = base_alloc(sizeof(*plan));
    *plan = (struct releases_plan){ .releases = releases,
                                    .number = ++releases->plan_number,
                                    .done = done,
                                    .ctx = ctx,
                                    .next = releases->plans,
                                    .at = &releases->plans };
    if (plan->next)
        plan->next->at = &plan->next;
    releases->plans = plan;
    if (count_plans(releases) > PLANS_MAX) {
        plan->deadline = loop_after(releases->opts.loop, 0, on_too_many_plans, plan);
        return plan->number;
    }
    plan->run = releases_run_start(releases, spec, "", on_planned, plan);
    if (releases->opts.job_timeout_ms > 0)
        plan->deadline =
            loop_after(releases->opts.loop, releases->opts.job_timeout_ms, on_plan_late, plan);
    return plan->number;
}

static void drop_plan(struct releases_plan *plan)
{
    if (plan->run)
        releases_run_give_up(plan->run);
    free_plan(plan);
}

void releases_cancel_plan(struct releases *releases, ticket number)
{
    for (struct releases_plan *plan = releases->plans; plan; plan = plan->next) {
        if (plan->number == number) {
            drop_plan(plan);
            return;
        }
    }
}

/* --- life */

static void declare_queue_metrics(struct releases *releases)
{
    static const double buckets[] = { 0.1, 0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 120 };
    struct metrics *metrics = releases->opts.metrics;
    releases->job_duration = metrics_declare(
        metrics, &(struct metric_spec){ .name = "flux_daemon_job_duration_seconds",
                                        .help = "Duration of job execution, in seconds.",
                                        .type = METRIC_HISTOGRAM,
                                        .labels = { "success" },
                                        .buckets = buckets,
                                        .bucket_count = ARRAY_LEN(buckets) });
    releases->queue_duration = metrics_declare(
        metrics,
        &(struct metric_spec){ .name = "flux_daemon_queue_duration_seconds",
                               .help = "Duration of time spent in the job queue before execution.",
                               .type = METRIC_HISTOGRAM,
                               .buckets = buckets,
                               .bucket_count = ARRAY_LEN(buckets) });
    releases->queue_length = metrics_declare(
        metrics, &(struct metric_spec){ .name = "flux_daemon_queue_length_count",
                                        .help = "Count of jobs waiting in the queue to be run.",
                                        .type = METRIC_GAUGE });
    metric_set(releases->queue_length, NULL, 0);
}

static void declare_release_metrics(struct releases *releases)
{
    static const double buckets[] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 };
    struct metrics *metrics = releases->opts.metrics;
    releases->release_duration = metrics_declare(
        metrics, &(struct metric_spec){ .name = "flux_fluxsvc_release_duration_seconds",
                                        .help = "Release method duration in seconds.",
                                        .type = METRIC_HISTOGRAM,
                                        .labels = { "release_type", "release_kind", "success" },
                                        .buckets = buckets,
                                        .bucket_count = ARRAY_LEN(buckets) });
    releases->stage_duration = metrics_declare(
        metrics, &(struct metric_spec){ .name = "flux_fluxsvc_release_stage_duration_seconds",
                                        .help = "Duration in seconds of each stage of a release, "
                                                "including dry-runs.",
                                        .type = METRIC_HISTOGRAM,
                                        .labels = { "stage" },
                                        .buckets = buckets,
                                        .bucket_count = ARRAY_LEN(buckets) });
}

struct releases *releases_new(const struct releases_opts *opts)
{
    struct releases *releases = base_alloc(sizeof(*releases));
    struct arena *mem = releases->mem = arena_new(ARENA_LIMIT_BYTES);
    releases->opts = *opts;
    releases->opts.git_branch = arena_strdup(mem, opts->git_branch);
    releases->opts.git_notes_ref = arena_strdup(mem, opts->git_notes_ref);
    releases->opts.git_paths = arena_copy_texts(mem, opts->git_paths);
    releases->opts.allowed_ns = arena_copy_texts(mem, opts->allowed_ns);
    releases->opts.default_ns = arena_strdup(mem, opts->default_ns);
    releases->opts.ci_skip = arena_strdup(mem, opts->ci_skip ? opts->ci_skip : "");
    releases->jobs = release_jobs_new();
    releases->last_revision = base_copy_text("");
    releases->last_summary = base_copy_text("");
    declare_queue_metrics(releases);
    declare_release_metrics(releases);
    releases->automation = releases_auto_new(releases);
    return releases;
}

void releases_act(struct releases *releases, bool may_act)
{
    releases->may_act = may_act;
    releases_auto_act(releases->automation);
}

void releases_stop(struct releases *releases)
{
    releases->is_stopped = true;
    cancel(releases, &releases->turn);
    cancel(releases, &releases->deadline);
    releases_auto_stop(releases->automation);
    releases->sync_number++;
    while (releases->plans)
        drop_plan(releases->plans);
    if (releases->running)
        releases_run_give_up(STEAL(releases->running));
}

void releases_free(struct releases *releases)
{
    if (!releases)
        return;
    releases_stop(releases);
    while (releases->runs)
        releases_run_free(releases->runs);
    releases_sync_free(releases);
    releases_notes_free(releases);
    releases_auto_free(releases->automation);
    release_jobs_free(releases->jobs);
    free(releases->last_revision);
    free(releases->last_summary);
    arena_free(releases->mem);
    free(releases);
}

void releases_last(const struct releases *releases, struct releases_last *out)
{
    *out = (struct releases_last){ .revision = releases->last_revision,
                                   .summary = releases->last_summary,
                                   .unix_ms = releases->last_ms };
}
