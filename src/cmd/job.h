/* cmd/job.h - a job of the daemon: handed in, waited for, and what came of it.
 * Effects:   network, prints; blocks.
 * Ownership: a job and all it holds is in the arena of the call.
 * Units:     none.
 * Errors:    as cmd/client.h. That the job itself failed is no error here: see job_failed.
 * Reference: gitops.md 6.1, 6.5, 7.5, 8.2, 8.3. */
#ifndef SERIN_CMD_JOB_H
#define SERIN_CMD_JOB_H

#include "cmd/client.h"
#include "release/result.h"
#include "release/spec.h"

struct job {
    const char *id;
    const char *status, *error, *revision; /* "" where there is none */
    const struct val *result;              /* by workload; NULL: none was given */
    struct release_result outcomes;        /* the same, read */
    bool is_applied;                       /* job_wait_applied saw it */
};

/* Hands in the body of an update, and waits until the job has ended. */
MUST_USE struct err *job_run(struct client *client, const char *body, struct job *out);
/* The same with a spec, and with fluxctl's word on a job that does not end in time. */
MUST_USE struct err *job_run_spec(struct command_call *call, struct client *client,
                                  const struct release_spec *spec, struct job *out);
bool job_failed(const struct job *job);

/* Until the revision (or its first digits) is applied; `timed_out` may be NULL. */
MUST_USE struct err *job_wait_applied(struct client *client, const char *revision, bool *timed_out);

/* The table of what became of the workloads, and the commit that was pushed. With wants_applied also
 * that it was applied, once it was. A failed job is an error as fluxctl, else told, and
 * COMMAND_NO. */
struct job_end {
    int verbosity;
    bool wants_applied;
};
MUST_USE struct err *job_finish(struct command_call *call, struct client *client, struct job *job,
                                const struct job_end *end, int *status);

/* {"job","status","error","revision","applied","result"}, for -o json. */
struct val *job_json(struct arena *mem, const struct job *job);

#endif
