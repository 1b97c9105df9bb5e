#include <string.h>

#include "cmd/job.h"
#include "cmd/words.h"

/* One `sync`: reference/gitops.md 7.7. Everything is said on stderr. */
struct sync_run {
    struct command_call *call;
    struct job job;
    const struct val *config, *status; /* of the repository, and of the daemon at the end */
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

/* A job that failed but names a revision: the head of the branch has no valid signature, an older
 * commit has. */
static struct err *check_job(struct sync_run *run, struct err *failure)
{
    struct command_call *call = run->call;
    if (!failure && !job_failed(&run->job))
        return NULL;
    if (!failure && *run->job.revision) {
        command_tell(call, "Warning: %s\n", run->job.error);
        return NULL;
    }
    command_tell(call, "Failed to complete sync job (ID \"%s\")\n", run->job.id);
    return failure ? failure : err_new(ERR_INVALID, "%s", run->job.error);
}

static struct err *submit(struct client *client, struct sync_run *run)
{
    static const char spec[] =
        "{\"type\":\"sync\",\"cause\":{\"Message\":\"\",\"User\":\"\"},\"spec\":{}}";
    struct err *e = job_run(client, spec, &run->job);
    return run->job.id ? check_job(run, e) : e;
}

/* What fluxctl does not tell: whether all of it could be applied. */
static struct err *check_applied(struct client *client, struct sync_run *run, int *status)
{
    struct command_call *call = run->call;
    TRY(client_get_own(client, "status", &run->status));
    const struct val *lists[] = { val_get(run->status, "failures"),
                                  val_get(run->status, "problems") };
    const char *error = val_text_or(VAL_PATH(run->status, "sync", "error"), "");
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
    TRY(client_post(client, "v9/git-repo-config", "false", &run->config));
    TRY(check_ready(run->config));
    command_tell(call, "Synchronizing with %s\n",
                 val_text_or(VAL_PATH(run->config, "remote", "url"), ""));
    TRY(submit(client, run));
    const char *revision = words_sha(call->mem, run->job.revision);
    command_tell(call, "Revision of %s to apply is %s\nWaiting for %s to be applied ...\n",
                 val_text_or(VAL_PATH(run->config, "remote", "branch"), ""), revision, revision);
    TRY(job_wait_applied(client, revision, NULL));
    return call->face == COMMAND_SERIN ? check_applied(client, run, status) : NULL;
}

/* {"url","branch","revision","applied"}, and as serin what could not be applied. */
static void print_json(const struct sync_run *run)
{
    static const char *const lists[] = { "failures", "problems" };
    struct arena *mem = run->call->mem;
    struct val *out = val_new_map(mem);
    const struct val *remote = val_get(run->config, "remote");
    val_set_text(mem, out, "url", val_text_or(val_get(remote, "url"), ""));
    val_set_text(mem, out, "branch", val_text_or(val_get(remote, "branch"), ""));
    val_set_text(mem, out, "revision", run->job.revision);
    val_set(mem, out, "applied", val_new_bool(mem, true));
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const struct val *list = val_get(run->status, lists[i]);
        if (list)
            val_set(mem, out, lists[i], val_copy_sharing(mem, list));
    }
    command_print(run->call, "%s\n", val_json(mem, out, NULL));
}

static struct err *run(struct command_call *call, int *status)
{
    SCOPED(client_free) struct client *client = NULL;
    struct sync_run run = { .call = call };
    TRY(command_no_args(call));
    TRY(command_check_output(call));
    TRY(client_new(call, &client));
    TRY(follow(client, &run, status));
    if (command_as_json(call))
        print_json(&run);
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
    .flags = { .at = command_output_flags, .len = COMMAND_OUTPUT_FLAGS },
    .run = run,
};
