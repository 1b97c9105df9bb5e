/* release/jobs.h - the table of jobs: what waits, what runs, what came of the last ones. First in, first out, one at a time.
 * Effects:   none (pure): ids and times are given.
 * Ownership: the table owns its jobs and copies of their specs; a job is borrowed until the next one ends.
 * Units:     milliseconds on the loop's clock.
 * Limits:    RELEASE_JOBS_QUEUED that wait; of those that have ended RELEASE_JOBS_KEPT, with RELEASE_JOBS_BYTES of results together
 *            (the last one is kept whatever its size).
 * Reference: gitops.md 6.1, 8.3. */
#ifndef SERIN_RELEASE_JOBS_H
#define SERIN_RELEASE_JOBS_H

#include "release/spec.h"

#define RELEASE_JOBS_QUEUED      1000
#define RELEASE_JOBS_KEPT        100
#define RELEASE_JOBS_BYTES       ((size_t)8 << 20)
#define RELEASE_JOB_ID_BYTES     37 /* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx and NUL */
#define RELEASE_JOB_RANDOM_BYTES 16

enum release_job_state {
    RELEASE_JOB_QUEUED,
    RELEASE_JOB_RUNNING,
    RELEASE_JOB_FAILED,
    RELEASE_JOB_SUCCEEDED
};

struct release_job {
    char id[RELEASE_JOB_ID_BYTES];
    enum release_job_state state;
    struct arena *mem; /* of the spec; NULL once it ended */
    struct release_spec spec;
    bool wakes_sync;  /* sync: even if the head is as before */
    bool reapply_all; /* and everything again, not only what changed */
    int64_t queued_ms, started_ms;
    char *result, *error; /* "" until it ended; the result is JSON */
    struct release_job *next;
};

struct release_jobs;

struct release_jobs *release_jobs_new(void);
void release_jobs_free(struct release_jobs *jobs);
DEFINE_SCOPED(struct release_jobs, release_jobs_free)

/* Deep. */
void release_jobs_copy_spec(struct arena *mem, const struct release_spec *spec,
                            struct release_spec *out);

/* NULL when RELEASE_JOBS_QUEUED wait already. */
struct release_job *release_jobs_add(struct release_jobs *jobs,
                                     const unsigned char random[RELEASE_JOB_RANDOM_BYTES],
                                     const struct release_spec *spec, int64_t now_ms);
/* A job that was done beside the queue: kept like those that have ended well. */
const struct release_job *release_jobs_keep(struct release_jobs *jobs,
                                            const unsigned char random[RELEASE_JOB_RANDOM_BYTES],
                                            const struct val *result);
/* The oldest that waits, now running; NULL if none waits or one runs. */
struct release_job *release_jobs_next(struct release_jobs *jobs, int64_t now_ms);
struct release_job *release_jobs_running(const struct release_jobs *jobs); /* NULL: none */
/* Ends the running job. It failed if there is an error, which may be "". `result` may be NULL. */
void release_jobs_end(struct release_jobs *jobs, const struct val *result, const char *error);

const struct release_job *release_jobs_find(const struct release_jobs *jobs,
                                            const char *id); /* NULL: unknown (any more) */
size_t release_jobs_waiting(const struct release_jobs *jobs);
/* Is there one of this type that waits? */
bool release_jobs_has_waiting(const struct release_jobs *jobs, enum release_type type);

/* {"Result":{…},"Err":"…","StatusString":"…"} */
struct val *release_jobs_json(struct arena *mem, const struct release_job *job);

#endif
