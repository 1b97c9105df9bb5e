#include <string.h>

#include "cmd/client.h"
#include "cmd/words.h"

/* One `sync`: reference/gitops.md 7.7. Everything is said on stderr. */
struct sync_run {
    struct command_call *call;
    const char *job;
    const char *status, *error, *revision; /* of the job */
    char short_revision[WORDS_SHA_CHARS + 1];
};

static struct err *check_ready(const struct val *config)
{
    const char *status = val_text_or(val_get(config, "status"), "");
    const char *error = val_text_or(val_get(config, "errors"), "");
    const char *url = val_text_or(VAL_PATH(config, "remote", "url"), "");
    const char *label = *error ? "\n\nFull error message: " : "";
    if (!strcmp(status, "ready"))
        return NULL;
    if (!strcmp(status, "unconfigured"))
        return err_new(ERR_INVALID, "no git repository is configured");
    if (!strcmp(status, "unreachable"))
        return err_new(ERR_TRANSIENT, "can not connect to git repository with URL %s%s%s", url,
                       label, error);
    return err_new(ERR_TRANSIENT, "git repository %s is not ready to sync%s%s", url, label, error);
}

static struct err *ask_job(struct client *client, void *ctx, bool *is_done)
{
    struct sync_run *run = ctx;
    const struct val *job = NULL;
    TRY(client_get(client, arena_printf(run->call->mem, "v6/jobs?id=%s", run->job), &job));
    run->status = val_text_or(val_get(job, "StatusString"), "");
    run->error = val_text_or(val_get(job, "Err"), "");
    run->revision = val_text_or(VAL_PATH(job, "Result", "revision"), "");
    *is_done = !strcmp(run->status, "succeeded") || !strcmp(run->status, "failed");
    return NULL;
}

static struct err *ask_applied(struct client *client, void *ctx, bool *is_done)
{
    struct sync_run *run = ctx;
    const struct val *waiting = NULL;
    TRY(client_get(client, arena_printf(run->call->mem, "v6/sync?ref=%s", run->short_revision),
                   &waiting));
    *is_done = val_len(waiting) == 0;
    return NULL;
}

/* A job that failed but names a revision: the head of the branch has no valid signature, an older commit has. */
static struct err *check_job(struct sync_run *run, struct err *failure)
{
    struct command_call *call = run->call;
    if (!failure && !strcmp(run->status, "succeeded"))
        return NULL;
    if (!failure && *run->revision) {
        command_tell(call, "Warning: %s\n", run->error);
        return NULL;
    }
    command_tell(call, "Failed to complete sync job (ID \"%s\")\n", run->job);
    return failure ? failure : err_new(ERR_INVALID, "%s", run->error);
}

static struct err *submit(struct client *client, struct sync_run *run)
{
    static const char spec[] =
        "{\"type\":\"sync\",\"cause\":{\"Message\":\"\",\"User\":\"\"},\"spec\":{}}";
    const struct val *job = NULL;
    TRY(client_post(client, "v9/update-manifests", spec, &job));
    run->job = val_text_or(job, "");
    struct err *e = client_poll(client, &(struct client_poll){ .first_ms = 100,
                                                               .most_ms = 5000,
                                                               .ask = ask_job,
                                                               .ctx = run,
                                                               .waiting_for = "the fetch" });
    return check_job(run, e);
}

static struct err *wait_applied(struct client *client, struct sync_run *run)
{
    return client_poll(client, &(struct client_poll){ .first_ms = 1000,
                                                      .most_ms = 10000,
                                                      .ask = ask_applied,
                                                      .ctx = run,
                                                      .waiting_for = run->short_revision });
}

/* What fluxctl does not tell: whether all of it could be applied. */
static struct err *check_applied(struct client *client, const struct sync_run *run, int *status)
{
    struct command_call *call = run->call;
    const struct val *now = NULL;
    TRY(client_get_own(client, "status", &now));
    const struct val *lists[] = { val_get(now, "failures"), val_get(now, "problems") };
    const char *error = val_text_or(VAL_PATH(now, "sync", "error"), "");
    if (*error || val_len(lists[0]) || val_len(lists[1]))
        *status = COMMAND_NO;
    if (*error)
        command_tell(call, "%s\n", error);
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        for (size_t i = 0; i < val_len(lists[l]); i++)
            command_tell(call, "%s\n", words_trouble(call->mem, val_item(lists[l], i)));
    }
    return NULL;
}

static struct err *follow(struct client *client, struct sync_run *run, int *status)
{
    struct command_call *call = run->call;
    const struct val *config = NULL;
    TRY(client_post(client, "v9/git-repo-config", "false", &config));
    TRY(check_ready(config));
    command_tell(call, "Synchronizing with %s\n",
                 val_text_or(VAL_PATH(config, "remote", "url"), ""));
    TRY(submit(client, run));
    memcpy(run->short_revision, run->revision, strnlen(run->revision, WORDS_SHA_CHARS));
    command_tell(call, "Revision of %s to apply is %s\nWaiting for %s to be applied ...\n",
                 val_text_or(VAL_PATH(config, "remote", "branch"), ""), run->short_revision,
                 run->short_revision);
    TRY(wait_applied(client, run));
    return call->face == COMMAND_SERIN ? check_applied(client, run, status) : NULL;
}

static struct err *run(struct command_call *call, int *status)
{
    SCOPED(client_free) struct client *client = NULL;
    struct sync_run run = { .call = call, .status = "", .error = "", .revision = "" };
    TRY(command_no_args(call));
    TRY(client_new(call, &client));
    TRY(follow(client, &run, status));
    command_tell(call, "Done.\n");
    return NULL;
}

const struct command cmd_sync = {
    .name = "sync",
    .summary = "Fetch the repository now, and wait until its head is applied",
    .about = "Tells the daemon to fetch now and waits until the head of the branch is applied.\n"
             "Exit status: 0 applied, 1 applied but for objects that failed, 2 could not find out.",
    .faces = COMMAND_SERIN | COMMAND_FLUXCTL,
    .asks = COMMAND_ASKS_DAEMON,
    .run = run,
};
