#include "cmd/job.h"

#include <string.h>

#include "cmd/words.h"

/* -- handing in and waiting ---------------------------------------------------------------------- */

static struct err *ask_job(struct client *client, void *ctx, bool *is_done)
{
    struct job *job = ctx;
    const struct val *answer = NULL;
    SBUF(path, SBUF_MAX);
    sbuf_add(&path, "v6/jobs?id=");
    sbuf_add_url(&path, job->id);
    TRY(client_get(client, sbuf_text(&path), &answer));
    job->status = val_text_or(val_get(answer, "StatusString"), "");
    job->error = val_text_or(val_get(answer, "Err"), "");
    job->revision = val_text_or(VAL_PATH(answer, "Result", "revision"), "");
    job->result = VAL_PATH(answer, "Result", "result");
    *is_done = !strcmp(job->status, "succeeded") || !strcmp(job->status, "failed");
    return NULL;
}

static struct err *submit(struct client *client, const char *body, struct job *job)
{
    const struct val *id = NULL;
    *job = (struct job){ .status = "", .error = "", .revision = "" };
    TRY(client_post(client, "v9/update-manifests", body, &id));
    job->id = val_text_or(id, "");
    if (!*job->id)
        return err_new(ERR_INVALID, "the daemon's answer is not what it should be: no job");
    return NULL;
}

static struct err *wait_ended(struct client *client, struct job *job, bool *timed_out)
{
    return client_poll(client, &(struct client_poll){ .first_ms = 100,
                                                      .most_ms = 5000,
                                                      .ask = ask_job,
                                                      .ctx = job,
                                                      .waiting_for = "the daemon",
                                                      .timed_out = timed_out });
}

struct err *job_run(struct client *client, const char *body, struct job *out)
{
    TRY(submit(client, body, out));
    return wait_ended(client, out, NULL);
}

struct err *job_run_spec(struct command_call *call, struct client *client,
                         const struct release_spec *spec, struct job *out)
{
    static const char unknown[] =
        "\nNo result came in time. The change may have been made, or may still be made: look at\n"
        "the cluster or at the log of the repository. To ask for it again does no harm.\n";
    bool timed_out = false;
    struct arena *mem = call->mem;
    TRY(submit(client, val_json(mem, release_spec_json(mem, spec), NULL), out));
    struct err *e = wait_ended(client, out, &timed_out);
    if (timed_out)
        command_tell(call, "%s", unknown);
    TRY(e);
    if (!out->result)
        return NULL;
    return err_wrap(release_result_parse(mem, out->result, &out->outcomes), "result of job %s",
                    out->id);
}

bool job_failed(const struct job *job)
{
    return strcmp(job->status, "succeeded") != 0;
}

struct commit {
    const char *revision;
};

static struct err *ask_applied(struct client *client, void *ctx, bool *is_done)
{
    const struct commit *commit = ctx;
    const struct val *waiting = NULL;
    SBUF(path, SBUF_MAX);
    sbuf_add(&path, "v6/sync?ref=");
    sbuf_add_url(&path, commit->revision);
    TRY(client_get(client, sbuf_text(&path), &waiting));
    *is_done = val_len(waiting) == 0;
    return NULL;
}

struct err *job_wait_applied(struct client *client, const char *revision, bool *timed_out)
{
    struct commit commit = { revision };
    return client_poll(client, &(struct client_poll){ .first_ms = 1000,
                                                      .most_ms = 10000,
                                                      .ask = ask_applied,
                                                      .ctx = &commit,
                                                      .waiting_for = "the commit to be applied",
                                                      .timed_out = timed_out });
}

/* -- the end ------------------------------------------------------------------------------------- */

static struct err *say_failed(struct command_call *call, const struct job *job, int *status)
{
    if (call->face == COMMAND_FLUXCTL)
        return err_new(ERR_INVALID, "%s", job->error);
    command_tell(call, "Error: %s\n", job->error);
    *status = COMMAND_NO;
    return NULL;
}

static struct err *follow_commit(struct command_call *call, struct client *client, struct job *job,
                                 int *status)
{
    static const char not_seen[] = "\nThe commit was pushed, and was not seen to be applied in "
                                   "time. That need not be an error.\n"
                                   "To go on waiting:\n\n    %s sync\n";
    bool timed_out = false;
    struct err *e = job_wait_applied(client, job->revision, &timed_out);
    if (timed_out) {
        err_free(e);
        command_tell(call, not_seen, call->program);
        *status = call->face == COMMAND_FLUXCTL ? COMMAND_YES : COMMAND_NO;
        return NULL;
    }
    TRY(e);
    job->is_applied = true;
    command_tell(call, "Commit applied:\t%s\n", words_sha(call->mem, job->revision));
    return NULL;
}

struct err *job_finish(struct command_call *call, struct client *client, struct job *job,
                       const struct job_end *end, int *status)
{
    if (job_failed(job))
        return say_failed(call, job, status);
    if (!job->result)
        command_tell(call, "Nothing to do\n");
    else if (!command_as_json(call))
        command_print(call, "%s", release_result_table(call->mem, &job->outcomes, end->verbosity));
    if (release_result_count(&job->outcomes, RELEASE_FAILED) && call->face == COMMAND_SERIN)
        *status = COMMAND_NO;
    if (!*job->revision)
        return NULL;
    command_tell(call, "Commit pushed:\t%s\n", words_sha(call->mem, job->revision));
    return end->wants_applied ? follow_commit(call, client, job, status) : NULL;
}

struct val *job_json(struct arena *mem, const struct job *job)
{
    struct val *out = val_new_map(mem);
    val_set_text(mem, out, "job", job->id);
    val_set_text(mem, out, "status", job->status);
    val_set_text(mem, out, "error", job->error);
    val_set_text(mem, out, "revision", job->revision);
    val_set(mem, out, "applied", val_new_bool(mem, job->is_applied));
    val_set(mem, out, "result",
            job->result ? val_copy_sharing(mem, job->result) : val_new(mem, VAL_NULL));
    return out;
}
