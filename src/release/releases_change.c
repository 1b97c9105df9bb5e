/* The change itself, on a worker: edits of files, looked at again, committed and pushed. Nothing is written to the disk but the
 * commit. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "io/stream.h"
#include "release/change.h"
#include "release/message.h"
#include "release/rewrite.h"

#define NO_CHANGES "no changes made in repo"

/* --- files of the tree */

/* By file; what generators make is looked at where they are run (releases_generated.c). */
static struct map *edits_by_path(const struct releases_run *run)
{
    struct map *by_path = map_new_in(run->mem);
    for (size_t i = 0; i < run->edits.len; i++) {
        const struct release_workload *workload = run->edits.at[i].workload;
        struct release_edits *edits = map_get(by_path, workload->path);
        if (workload->is_generated)
            continue;
        if (!edits) {
            edits = arena_alloc(run->mem, sizeof(*edits));
            map_set(by_path, workload->path, edits);
        }
        *vec_push(run->mem, edits) = run->edits.at[i];
    }
    return by_path;
}

static struct err *rewrite_files(struct releases_change *change)
{
    struct releases_run *run = change->run;
    change->edits = edits_by_path(run);
    for (size_t i = 0; i < run->texts.files.len; i++) {
        const struct release_file *file = &run->texts.files.at[i];
        const struct release_edits *edits = map_get(change->edits, file->path);
        struct release_file edited = { 0 };
        bool is_changed = false;
        if (!edits)
            continue;
        TRY(release_rewrite(run->mem, file, edits, &edited, &is_changed));
        *vec_push(run->mem, &change->before) = *file;
        *vec_push(run->mem, &change->after) = edited;
        if (is_changed)
            *vec_push(run->mem, &change->files) =
                (struct mirror_file){ .path = file->path, .text = edited.text, .len = edited.len };
    }
    return NULL;
}

/* Only files with edits: no other can have changed. */
static struct err *verify_files(struct releases_change *change)
{
    const char *ns = change->run->releases->opts.default_ns;
    for (size_t i = 0; i < change->before.len; i++)
        TRY(release_rewrite_verify_file(&change->before.at[i], &change->after.at[i], ns,
                                        map_get(change->edits, change->before.at[i].path)));
    return NULL;
}

/* --- the commit */

static struct err *commit(struct releases_change *change, struct mirror *mirror,
                          int64_t deadline_ms)
{
    struct releases_run *run = change->run;
    const struct releases_opts *opts = &run->releases->opts;
    const struct release_spec *spec = &run->spec;
    bool wants_note = opts->git_notes_ref && *opts->git_notes_ref;
    change->message = release_message_commit(run->mem, spec, &run->result, opts->ci_skip);
    const struct mirror_commit_request request = {
        .parent = run->head,
        .files = change->files.at,
        .count = change->files.len,
        .message = change->message,
        .author = opts->set_author && *spec->user ? spec->user : NULL,
        .notes_ref = wants_note ? opts->git_notes_ref : NULL,
        .note = wants_note ? release_message_note(run->mem, run->job_id, spec, &run->result) : NULL,
    };
    return mirror_commit(mirror, run->mem, &request, deadline_ms, &change->committed);
}

static struct err *change_work(struct mirror *mirror, void *job, int64_t deadline_ms)
{
    struct releases_change *change = ((struct releases_run *)job)->change;
    int64_t began_ms = stream_now_ms();
    TRY(err_wrap(rewrite_files(change), "applying changes"));
    TRY(releases_generated_change(change, mirror, deadline_ms));
    int64_t written_ms = stream_now_ms();
    change->write_ms = written_ms - began_ms;
    TRY(verify_files(change));
    change->verify_ms = stream_now_ms() - written_ms;
    if (change->files.len)
        return commit(change, mirror, deadline_ms);
    if (change->run->spec.type == RELEASE_POLICY) /* nothing to do is no failure */
        return NULL;
    return err_new(ERR_INVALID, NO_CHANGES);
}

/* --- a push that was cut off: was it taken? */

/* Ours is what stands on the head we had, alone, with the words we gave it. */
static struct err *doubt_work(struct mirror *mirror, void *job, int64_t deadline_ms)
{
    struct releases_run *run = job;
    struct releases_change *change = run->change;
    struct mirror_commits commits = { 0 };
    char head[MIRROR_SHA_BYTES];
    (void)deadline_ms;
    TRY(mirror_resolve(mirror, run->releases->opts.git_branch, head));
    TRY(mirror_log(mirror, run->mem, run->head, head, NULL, 2, true, &commits));
    const char *subject = commits.len == 1 ? commits.at[0].subject : "";
    size_t len = strlen(subject);
    bool is_ours = len > 0 && strncmp(change->message, subject, len) == 0 &&
                   (change->message[len] == '\0' || change->message[len] == '\n');
    if (is_ours)
        memcpy(change->committed.sha, head, sizeof(head));
    return NULL;
}

static void on_doubt_looked_at(void *job, struct err *e)
{
    struct releases_run *run = job;
    struct err *doubt = STEAL(run->change->doubt);
    bool is_taken = !e && *run->change->committed.sha;
    err_free(e);
    if (!releases_run_is_back(run)) {
        err_free(doubt);
        return;
    }
    if (is_taken)
        log_warn(run->releases->opts.log, F("component", "daemon"), F("jobID", run->job_id),
                 F("warning", "the push was cut off, but taken; its note may be missing"),
                 F("err", err_text(doubt)));
    if (is_taken)
        err_free(doubt);
    releases_run_next(run, is_taken ? NULL : doubt);
}

static void on_doubt_fetched(void *ctx, const struct err *e)
{
    struct releases_run *run = ctx;
    struct err *doubt = run->change->doubt;
    if (e || run->is_given_up) {
        run->change->doubt = NULL;
        if (releases_run_is_back(run))
            releases_run_next(run, doubt);
        else
            err_free(doubt);
        return;
    }
    source_run(run->releases->opts.source, &(struct source_job){ doubt_work, on_doubt_looked_at },
               run);
}

static void look_at_doubt(struct releases_run *run, struct err *doubt)
{
    run->change->doubt = doubt;
    run->is_out = true;
    source_fetch(run->releases->opts.source, on_doubt_fetched, run);
}

static void free_doubt(void *at)
{
    struct releases_change *change = at;
    err_free(change->doubt);
}

/* --- on the loop */

static void on_changed(void *job, struct err *e)
{
    struct releases_run *run = job;
    if (!releases_run_is_back(run)) {
        err_free(e);
        return;
    }
    const struct releases *releases = run->releases;
    const struct releases_change *change = run->change;
    metric_observe(releases->stage_duration, (const char *const[]){ "write_changes" },
                   (double)change->write_ms / 1000);
    metric_observe(releases->stage_duration, (const char *const[]){ "verify_changes" },
                   (double)change->verify_ms / 1000);
    if (change->committed.note_refused)
        log_warn(releases->opts.log, F("component", "daemon"), F("jobID", run->job_id),
                 F("warning", "the commit was pushed, its note was refused"),
                 F("err", change->committed.note_refused));
    if (err_is(e, ERR_TRANSIENT) && change->message)
        look_at_doubt(run, e);
    else
        releases_run_next(run, e);
}

void releases_change_start(struct releases_run *run)
{
    struct err *e = NULL;
    if (run->spec.is_plan) {
        releases_run_next(run, NULL);
        return;
    }
    if (!run->edits.len && run->spec.type != RELEASE_POLICY)
        e = err_new(ERR_INVALID, NO_CHANGES);
    if (e || !run->edits.len) {
        releases_run_next(run, e);
        return;
    }
    run->change = arena_alloc(run->mem, sizeof(*run->change));
    run->change->run = run;
    arena_defer(run->mem, free_doubt, run->change);
    run->is_out = true;
    source_run(run->releases->opts.source, &(struct source_job){ change_work, on_changed }, run);
}

const char *releases_change_revision(const struct releases_run *run)
{
    return run->change ? run->change->committed.sha : "";
}
