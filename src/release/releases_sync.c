/* The job that asks for the head of the branch, and has sync apply it. */
#include <stdlib.h>
#include <string.h>

#include "release/run.h"

#define VERIFIED_SHOWN 8 /* digits of a commit in the message about signatures */

/* A fetch for a job: the job may have run into its deadline when it ends. */
struct releases_sync {
    struct releases *releases;
    uint64_t number;
    struct releases_sync *next, **at;
};

static void free_one(struct releases_sync *one)
{
    *one->at = one->next;
    if (one->next)
        one->next->at = one->at;
    free(one);
}

static void end_with(struct releases *releases, const char *revision, const char *error)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *result = val_new_map(mem);
    if (*revision)
        val_set_text(mem, result, "revision", revision);
    releases_end_job(releases, result, error);
}

/* The head that the reconciler follows is not the branch's: a commit between them has no valid signature. */
static void end_unverified(struct releases *releases)
{
    const char *verified = source_head(releases->opts.source),
               *head = source_unverified(releases->opts.source);
    SBUF(text, 1024);
    if (*verified)
        sbuf_addf(
            &text,
            "The branch HEAD in the git repo is not verified, and serin is unable to sync to it. "
            "The last verified commit was %.*s. HEAD is %.*s.",
            VERIFIED_SHOWN, verified, VERIFIED_SHOWN, head);
    else /* in other words: those are what fluxctl takes for a warning, and then for a revision */
        sbuf_addf(&text,
                  "no commit of the branch is verified, so there is nothing that serin could sync "
                  "to: HEAD is %.*s",
                  VERIFIED_SHOWN, head);
    end_with(releases, verified, sbuf_text(&text));
}

static void end_sync(struct releases *releases, const struct err *e)
{
    struct source *source = releases->opts.source;
    SCOPED(err_free) struct err *unready = source_check_ready(source);
    if (unready || e) {
        end_with(releases, "", err_text(unready ? unready : e));
        return;
    }
    const struct release_job *job = release_jobs_running(releases->jobs);
    if (job->wakes_sync)
        sync_soon(releases->opts.sync, job->reapply_all);
    if (*source_unverified(source))
        end_unverified(releases);
    else
        end_with(releases, source_head(source), "");
}

static void on_fetched(void *ctx, const struct err *e)
{
    struct releases_sync *one = ctx;
    struct releases *releases = one->releases;
    bool is_awaited = !releases->is_stopped && one->number == releases->sync_number;
    free_one(one);
    if (is_awaited)
        end_sync(releases, e);
}

void releases_sync_start(struct releases *releases)
{
    if (source_state(releases->opts.source) == SOURCE_UNCONFIGURED) {
        end_sync(releases, NULL);
        return;
    }
    struct releases_sync *one = base_alloc(sizeof(*one));
    *one = (struct releases_sync){ .releases = releases,
                                   .number = ++releases->sync_number,
                                   .next = releases->syncs,
                                   .at = &releases->syncs };
    if (one->next)
        one->next->at = &one->next;
    releases->syncs = one;
    source_fetch(releases->opts.source, on_fetched, one);
}

void releases_sync_free(struct releases *releases)
{
    while (releases->syncs)
        free_one(releases->syncs);
}
