/* One run, from a spec to a commit. Every stage ends in a later turn, with releases_run_next. */
#include <stdlib.h>
#include <string.h>

#include "release/message.h"
#include "release/run.h"

#define RUN_LIMIT_BYTES \
    ((size_t)2 << 30) /* the files that are read are bounded (releases_look.c) */
#define SHORT_SHA 7

static void start_fetch(struct releases_run *run);
static void start_choose(struct releases_run *run);

static const struct stage {
    const char *metric; /* whose duration; NULL: no one's (changes are timed by who makes them) */
    void (*start)(struct releases_run *run);
} stages[] = {
    { NULL, start_fetch },
    { "select_workloads", releases_look_at_files },
    { "select_workloads", releases_look_at_cluster },
    { "lookup_images", releases_look_at_tags },
    { NULL, start_choose },
    { NULL, releases_change_start },
};

/* --- life */

static void clear_try(struct releases_run *run)
{
    arena_free(STEAL(run->mem));
    run->head[0] = '\0';
    run->look = NULL;
    run->survey = (struct release_survey){ 0 };
    run->texts = (struct releases_texts){ 0 };
    run->needs = (struct release_needs){ 0 };
    run->live.at = NULL;
    run->live.len = run->live.cap = 0;
    run->result = (struct release_result){ 0 };
    run->edits = (struct release_edits){ 0 };
    run->change = NULL;
}

void releases_run_free(struct releases_run *run)
{
    *run->at = run->next;
    if (run->next)
        run->next->at = run->at;
    clear_try(run);
    arena_free(run->life);
    free(run);
}

void releases_run_give_up(struct releases_run *run)
{
    image_live_cancel(STEAL(run->live_list));
    if (run->tags)
        image_scans_cancel(run->releases->opts.scans, run->tags);
    loop_cancel(run->releases->opts.loop, run->turn);
    run->tags = run->turn = 0;
    run->is_given_up = true;
    if (!run->is_out)
        releases_run_free(run);
}

bool releases_run_is_back(struct releases_run *run)
{
    run->is_out = false;
    if (run->is_given_up)
        releases_run_free(run);
    else
        return true;
    return false;
}

/* --- the end */

static const char *metric_type(const struct release_spec *spec)
{
    switch (spec->type) {
    case RELEASE_IMAGE:
        return strcmp(spec->image, RELEASE_ALL_LATEST) == 0 ? "latest_images" : "specific_image";
    case RELEASE_CONTAINERS: return "containers";
    case RELEASE_AUTO: return "automated";
    case RELEASE_SYNC:
    case RELEASE_POLICY: break;
    }
    return NULL;
}

static void observe(const struct releases_run *run, bool is_success)
{
    struct releases *releases = run->releases;
    const char *type = metric_type(&run->spec);
    if (!type)
        return;
    const char *labels[] = { type, run->spec.is_plan ? "plan" : "execute",
                             is_success ? "true" : "false" };
    metric_observe(releases->release_duration, labels,
                   (double)(loop_now_ms(releases->opts.loop) - run->started_ms) / 1000);
}

static void replace_text(char **at, const char *text)
{
    free(*at);
    *at = base_copy_text(text);
}

/* The repository has a new commit: said, remembered, and applied by sync once it is fetched. */
static void tell_commit(struct releases_run *run, const char *revision)
{
    struct releases *releases = run->releases;
    const char *event = release_message_event(run->mem, &run->spec, &run->result, revision);
    log_info(releases->opts.log, F("component", "daemon"), F("event", event),
             FB("logupstream", false));
    replace_text(&releases->last_revision, revision);
    replace_text(&releases->last_summary, event);
    releases->last_ms = loop_wall_ms(releases->opts.loop);
    source_fetch(releases->opts.source, NULL, NULL);
}

/* A job that sets policies says of which workload that was not possible; one that releases does not (gitops.md 8.3). */
static bool is_result_told(const struct releases_run *run, const struct err *e)
{
    return !e || (run->spec.type == RELEASE_POLICY &&
                  release_result_count(&run->result, RELEASE_FAILED) > 0);
}

static void finish(struct releases_run *run, struct err *e)
{
    const char *revision = e ? "" : releases_change_revision(run);
    observe(run, !e);
    if (*revision)
        tell_commit(run, revision);
    const struct releases_outcome outcome = { .err = e,
                                              .revision = revision,
                                              .spec = &run->spec,
                                              .result =
                                                  is_result_told(run, e) ? &run->result : NULL };
    run->done(run->ctx, &outcome);
    err_free(e);
    releases_run_free(run);
}

static void start_stage(void *ctx)
{
    struct releases_run *run = ctx;
    run->turn = 0;
    run->stage_ms = loop_now_ms(run->releases->opts.loop);
    stages[run->stage].start(run);
}

static void enter(struct releases_run *run, size_t stage)
{
    run->stage = stage;
    run->turn = loop_after(run->releases->opts.loop, 0, start_stage, run);
}

static void try_again(struct releases_run *run, struct err *e)
{
    log_info(run->releases->opts.log, F("component", "daemon"), F("jobID", run->job_id),
             F("info", "the branch has moved, beginning again"), F("err", err_text(e)));
    err_free(e);
    clear_try(run);
    run->mem = arena_new(RUN_LIMIT_BYTES);
    enter(run, 0);
}

void releases_run_next(struct releases_run *run, struct err *e)
{
    struct releases *releases = run->releases;
    const char *metric = stages[run->stage].metric;
    if (metric)
        metric_observe(releases->stage_duration, (const char *const[]){ metric },
                       (double)(loop_now_ms(releases->opts.loop) - run->stage_ms) / 1000);
    bool is_overtaken = err_is(e, ERR_CONFLICT);
    if (is_overtaken && ++run->tries < RELEASES_TRIES) {
        try_again(run, e);
        return;
    }
    if (is_overtaken)
        e = err_wrap(e, "the branch has moved %d times meanwhile, ask again", run->tries);
    if (e || run->stage + 1 == ARRAY_LEN(stages))
        finish(run, e);
    else
        enter(run, run->stage + 1);
}

/* --- the first stage: the head that it is all about */

static struct err *check_head(const struct releases_run *run)
{
    const struct source *source = run->releases->opts.source;
    TRY(source_check_ready(source));
    if (*source_unverified(source))
        return err_new(ERR_DENIED, "HEAD revision is unsigned");
    if (!*source_head(source))
        return err_new(ERR_TRANSIENT, "git repo not ready: nothing was fetched yet");
    return NULL;
}

static void take_head(struct releases_run *run, const struct err *fetch_error)
{
    struct source *source = run->releases->opts.source;
    struct err *e = check_head(run);
    if (!e && !run->spec.is_plan) /* what would be done can be told from what was fetched before */
        e = err_copy(fetch_error);
    if (!e)
        memcpy(run->head, source_head(source), sizeof(run->head));
    releases_run_next(run, e);
}

static void on_fetched(void *ctx, const struct err *e)
{
    if (releases_run_is_back(ctx))
        take_head(ctx, e);
}

static void start_fetch(struct releases_run *run)
{
    struct source *source = run->releases->opts.source;
    struct err *e = NULL;
    if (run->releases->opts.is_readonly)
        e = err_new(ERR_DENIED, "cannot make a working clone of a read-only git repo");
    else if (source_state(source) == SOURCE_UNCONFIGURED)
        e = source_check_ready(source);
    if (e) {
        releases_run_next(run, e);
        return;
    }
    run->is_out = true;
    source_fetch(source, on_fetched, run);
}

/* --- the decision */

static const struct image_repo *find_repo(void *ctx, const char *name)
{
    struct image_scans *scans = ctx;
    return scans ? image_scans_find(scans, name) : NULL;
}

static const char *why_not(void *ctx, const char *name)
{
    const struct image_scans *scans = ctx;
    return scans ? image_scans_why_not(scans, name) : NULL;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct release_live *)a)->workload->id,
                  ((const struct release_live *)b)->workload->id);
}

/* Tags are borrowed from the scans, for this turn only; edits are carried out later. */
static void keep_tags(struct releases_run *run)
{
    for (size_t i = 0; i < run->edits.len; i++) {
        struct release_edit *edit = &run->edits.at[i];
        for (size_t k = 0; k < edit->image_count; k++) {
            struct image_ref *ref = &edit->images[k].ref;
            *ref = (struct image_ref){ .domain = arena_strdup(run->mem, ref->domain),
                                       .path = arena_strdup(run->mem, ref->path),
                                       .tag = arena_strdup(run->mem, ref->tag),
                                       .digest = arena_strdup(run->mem, ref->digest) };
        }
    }
}

static void start_choose(struct releases_run *run)
{
    if (run->live.len)
        qsort(run->live.at, run->live.len, sizeof(*run->live.at), by_id);
    const struct release_view view = { .spec = &run->spec,
                                       .survey = &run->survey,
                                       .live = run->live.at,
                                       .live_count = run->live.len,
                                       .repo = find_repo,
                                       .why_not = why_not,
                                       .ctx = run->releases->opts.scans };
    struct err *e = release_select(run->mem, &view, &run->result, &run->edits);
    keep_tags(run);
    if (!e)
        release_result_sort(&run->result);
    releases_run_next(run, e);
}

/* --- the beginning */

struct releases_run *releases_run_start(struct releases *releases, const struct release_spec *spec,
                                        const char *job_id, releases_run_done done, void *ctx)
{
    struct releases_run *run = base_alloc(sizeof(*run));
    run->releases = releases;
    run->life = arena_new(RUN_LIMIT_BYTES);
    run->mem = arena_new(RUN_LIMIT_BYTES);
    release_jobs_copy_spec(run->life, spec, &run->spec);
    run->job_id = arena_strdup(run->life, job_id);
    run->done = done;
    run->ctx = ctx;
    run->started_ms = loop_now_ms(releases->opts.loop);
    run->next = releases->runs;
    run->at = &releases->runs;
    if (run->next)
        run->next->at = &run->next;
    releases->runs = run;
    enter(run, 0);
    return run;
}
