#include "api/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

/* In order of arrival:  oldest -> ended … ended -> running -> waiting … waiting -> newest */
struct api_jobs {
    struct map *by_id; /* id -> job, owned by the list */
    struct api_job *oldest, *newest, *running, *waiting;
    size_t ended_count, waiting_count;
};

static void free_job(struct api_job *job)
{
    free(job->revision);
    free(job->error);
    free(job);
}

struct api_jobs *api_jobs_new(void)
{
    struct api_jobs *jobs = base_alloc(sizeof(*jobs));
    jobs->by_id = map_new(NULL);
    return jobs;
}

void api_jobs_free(struct api_jobs *jobs)
{
    if (!jobs)
        return;
    while (jobs->oldest) {
        struct api_job *job = jobs->oldest;
        jobs->oldest = job->next;
        free_job(job);
    }
    map_free(jobs->by_id);
    free(jobs);
}

static void format_id(const unsigned char random[API_JOB_RANDOM_BYTES], char out[API_JOB_ID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < API_JOB_RANDOM_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = digits[random[i] >> 4];
        out[at++] = digits[random[i] & 15];
    }
    out[at] = '\0';
}

struct api_job *api_jobs_add(struct api_jobs *jobs,
                             const unsigned char random[API_JOB_RANDOM_BYTES],
                             enum api_update_type type, int64_t now_ms)
{
    if (jobs->waiting_count == API_JOBS_QUEUED)
        return NULL;
    struct api_job *job = base_alloc(sizeof(*job));
    format_id(random, job->id);
    ASSERT(!map_get(jobs->by_id, job->id));
    job->type = type;
    job->state = API_JOB_QUEUED;
    job->queued_ms = now_ms;
    job->revision = base_copy_text("");
    job->error = base_copy_text("");
    if (jobs->newest)
        jobs->newest->next = job;
    else
        jobs->oldest = job;
    jobs->newest = job;
    if (!jobs->waiting)
        jobs->waiting = job;
    jobs->waiting_count++;
    map_set(jobs->by_id, job->id, job);
    return job;
}

struct api_job *api_jobs_next(struct api_jobs *jobs, int64_t now_ms)
{
    if (jobs->running || !jobs->waiting)
        return NULL;
    struct api_job *job = jobs->waiting;
    jobs->waiting = job->next;
    jobs->waiting_count--;
    jobs->running = job;
    job->state = API_JOB_RUNNING;
    job->started_ms = now_ms;
    return job;
}

struct api_job *api_jobs_running(const struct api_jobs *jobs)
{
    return jobs->running;
}

static void replace_text(char **at, const char *text)
{
    free(*at);
    *at = base_copy_text(text);
}

void api_jobs_end(struct api_jobs *jobs, const char *revision, const char *error)
{
    struct api_job *job = STEAL(jobs->running);
    ASSERT(job);
    job->state = *error ? API_JOB_FAILED : API_JOB_SUCCEEDED;
    replace_text(&job->revision, revision);
    replace_text(&job->error, error);
    if (++jobs->ended_count <= API_JOBS_KEPT)
        return;
    struct api_job *forgotten = jobs->oldest; /* jobs end in order, so the oldest has ended */
    jobs->oldest = forgotten->next;
    jobs->ended_count--;
    map_remove(jobs->by_id, forgotten->id);
    free_job(forgotten);
}

const struct api_job *api_jobs_find(const struct api_jobs *jobs, const char *id)
{
    return map_get(jobs->by_id, id);
}

size_t api_jobs_waiting(const struct api_jobs *jobs)
{
    return jobs->waiting_count;
}

static const char *state_name(enum api_job_state state)
{
    switch (state) {
    case API_JOB_QUEUED: return "queued";
    case API_JOB_RUNNING: return "running";
    case API_JOB_FAILED: return "failed";
    case API_JOB_SUCCEEDED: return "succeeded";
    }
    return "";
}

struct val *api_jobs_json(struct arena *mem, const struct api_job *job)
{
    struct val *value = val_new_map(mem), *result = val_new_map(mem);
    if (*job->revision)
        val_set_text(mem, result, "revision", job->revision);
    val_set(mem, value, "Result", result);
    val_set_text(mem, value, "Err", job->error);
    val_set_text(mem, value, "StatusString", state_name(job->state));
    return value;
}
