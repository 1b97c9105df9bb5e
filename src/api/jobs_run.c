/* Runs the jobs of the table on the loop, one at a time. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api/call.h"

#define VERIFIED_SHOWN 8 /* digits of a commit in the message about signatures */

static void start_next(void *ctx);

static void cancel(struct api *api, ticket *timer)
{
    loop_cancel(api->opts.loop, *timer);
    *timer = 0;
}

static void wake(struct api *api)
{
    metric_set(api->queue_length, NULL, (double)api_jobs_waiting(api->jobs));
    if (!api->jobs_turn && !api->is_stopped)
        api->jobs_turn = loop_after(api->opts.loop, 0, start_next, api);
}

struct api_job *api_jobs_submit(struct api *api, enum api_update_type type)
{
    unsigned char random[API_JOB_RANDOM_BYTES];
    ASSERT(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
    struct api_job *job = api_jobs_add(api->jobs, random, type, loop_now_ms(api->opts.loop));
    if (job)
        wake(api);
    return job;
}

static void end_job(struct api *api, const char *revision, const char *error)
{
    const struct api_job *job = api_jobs_running(api->jobs);
    const char *success[] = { *error ? "false" : "true" };
    double took_s = (double)(loop_now_ms(api->opts.loop) - job->started_ms) / 1000;
    cancel(api, &api->job_deadline);
    api->job_number++;
    metric_observe(api->job_duration, success, took_s);
    if (*error)
        log_info(api->opts.log, F("component", "sync-loop"), F("jobID", job->id),
                 F("state", "done"), F("success", "false"), F("err", error));
    else
        log_info(api->opts.log, F("component", "sync-loop"), F("jobID", job->id),
                 F("state", "done"), F("success", "true"));
    api_jobs_end(api->jobs, revision, error);
    wake(api);
}

static void on_job_deadline(void *ctx)
{
    struct api *api = ctx;
    api->job_deadline = 0;
    end_job(api, "", "the job took longer than --sync-timeout");
}

/* A fetch for a job: the job may have run into its deadline when it ends. */
struct fetch {
    struct api_wait wait;
    uint64_t job_number;
};

static void free_fetch(struct api_wait *wait)
{
    free(wait);
}

/* The head that the reconciler follows is not the branch's: a commit between them has no valid signature. */
static void end_unverified(struct api *api)
{
    const char *verified = source_head(api->opts.source),
               *head = source_unverified(api->opts.source);
    SBUF(text, 1024);
    sbuf_addf(&text,
              "The branch HEAD in the git repo is not verified, and serin is unable to sync to it. "
              "The last verified commit was %.*s. HEAD is %.*s.",
              VERIFIED_SHOWN, verified, VERIFIED_SHOWN, head);
    end_job(api, verified, sbuf_text(&text));
}

static void end_sync(struct api *api, const struct err *e)
{
    SCOPED(err_free) struct err *unready = source_check_ready(api->opts.source);
    if (unready || e) {
        end_job(api, "", err_text(unready ? unready : e));
        return;
    }
    const struct api_job *job = api_jobs_running(api->jobs);
    if (job->wakes_sync)
        sync_soon(api->opts.sync, job->reapply_all);
    if (*source_unverified(api->opts.source))
        end_unverified(api);
    else
        end_job(api, source_head(api->opts.source), "");
}

static void on_job_fetched(void *ctx, const struct err *e)
{
    struct fetch *fetch = ctx;
    struct api *api = fetch->wait.api;
    bool is_awaited = !api->is_stopped && fetch->job_number == api->job_number;
    api_wait_end(&fetch->wait);
    if (is_awaited)
        end_sync(api, e);
}

static void start_sync(struct api *api)
{
    if (!api_has_repository(api)) {
        end_sync(api, NULL);
        return;
    }
    struct fetch *fetch = base_alloc(sizeof(*fetch));
    fetch->wait.free = free_fetch;
    fetch->job_number = api->job_number;
    api_wait_start(&fetch->wait, api, NULL);
    source_fetch(api->opts.source, on_job_fetched, fetch);
}

static void start_next(void *ctx)
{
    struct api *api = ctx;
    api->jobs_turn = 0;
    struct api_job *job = api_jobs_next(api->jobs, loop_now_ms(api->opts.loop));
    if (!job)
        return;
    metric_set(api->queue_length, NULL, (double)api_jobs_waiting(api->jobs));
    metric_observe(api->queue_duration, NULL, (double)(job->started_ms - job->queued_ms) / 1000);
    log_info(api->opts.log, F("component", "sync-loop"), F("jobID", job->id),
             F("state", "in-progress"));
    if (api->opts.job_timeout_ms > 0)
        api->job_deadline =
            loop_after(api->opts.loop, api->opts.job_timeout_ms, on_job_deadline, api);
    start_sync(api); /* the only type that is let into the queue */
}

void api_jobs_stop(struct api *api)
{
    cancel(api, &api->jobs_turn);
    cancel(api, &api->job_deadline);
}
