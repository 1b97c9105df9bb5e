/* api/jobs.h - the table of jobs: what waits, what runs, what came of the last ones. First in, first out, one at a time.
 * Effects:   none (pure): ids and times are given.
 * Ownership: the table owns its jobs; a job is borrowed until the next add.
 * Units:     milliseconds on the loop's clock.
 * Limits:    API_JOBS_QUEUED that wait, API_JOBS_KEPT that have ended.
 * Reference: gitops.md 6.1, 8.3. */
#ifndef SERIN_API_JOBS_H
#define SERIN_API_JOBS_H

#include "api/body.h"
#include "doc/val.h"

#define API_JOBS_QUEUED      1000
#define API_JOBS_KEPT        100
#define API_JOB_ID_BYTES     37 /* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx and NUL */
#define API_JOB_RANDOM_BYTES 16

enum api_job_state { API_JOB_QUEUED, API_JOB_RUNNING, API_JOB_FAILED, API_JOB_SUCCEEDED };

struct api_job {
    char id[API_JOB_ID_BYTES];
    enum api_update_type type;
    enum api_job_state state;
    bool wakes_sync;  /* sync: even if the head is as before */
    bool reapply_all; /* and everything again, not only what changed */
    int64_t queued_ms, started_ms;
    char *revision, *error; /* "" until it ended */
    struct api_job *next;
};

struct api_jobs;

struct api_jobs *api_jobs_new(void);
void api_jobs_free(struct api_jobs *jobs);
DEFINE_SCOPED(struct api_jobs, api_jobs_free)

/* NULL when API_JOBS_QUEUED wait already. */
struct api_job *api_jobs_add(struct api_jobs *jobs,
                             const unsigned char random[API_JOB_RANDOM_BYTES],
                             enum api_update_type type, int64_t now_ms);
/* The oldest that waits, now running; NULL if none waits or one runs. */
struct api_job *api_jobs_next(struct api_jobs *jobs, int64_t now_ms);
struct api_job *api_jobs_running(const struct api_jobs *jobs); /* NULL: none */
/* Ends the running job. `revision` and `error` may be ""; it failed if there is an error. */
void api_jobs_end(struct api_jobs *jobs, const char *revision, const char *error);

const struct api_job *api_jobs_find(const struct api_jobs *jobs,
                                    const char *id); /* NULL: unknown (any more) */
size_t api_jobs_waiting(const struct api_jobs *jobs);

/* {"Result":{…},"Err":"…","StatusString":"…"} */
struct val *api_jobs_json(struct arena *mem, const struct api_job *job);

#endif
