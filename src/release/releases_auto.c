/* Automation: what git says is automated is kept up with the tags of its images. One job for all that is found at a time, and no
 * change a second time that was taken back in git. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "doc/json.h"
#include "image/automate.h"
#include "image/place.h"
#include "image/policy.h"
#include "release/flips.h"
#include "release/run.h"

#define TOLD_MAX      ((size_t)4096) /* remembered lines of the log; with more all are forgotten */
#define TAG_POLICY    "tag"          /* tag.<container>, tag_all */
#define NOTES_MAX     1000           /* commits whose notes are looked at after a start */
#define AUTOMATED_KEY "automated"    /* in the text of every manifest that can be of interest */

struct releases_automation {
    struct releases *releases;
    /* What git says, from the manifests sync has. */
    struct arena *mem;
    VEC(struct image_automated) workloads;
    VEC(struct image_pull) pulls; /* of each */
    bool is_read;
    ticket calm, interval;
    bool wants_run;      /* once sync has what was committed last */
    bool waits_for_sync; /* a commit of ours is not applied yet */
    char committed[MIRROR_SHA_BYTES];
    struct release_flips *flips;
    struct learning *learning; /* NULL: it has ended, or not begun */
    bool has_learnt;
    struct map *told; /* notes that were logged */
};

/* --- what git says */

static bool is_candidate(const struct val *policies)
{
    return image_policy_is_on(policies, "automated") && !image_policy_is_on(policies, "locked") &&
           !image_policy_is_ignored(policies);
}

/* What automation looks at: the places in the file are found again by the job. */
static const struct image_places *keep_places(struct arena *mem, const struct image_places *from)
{
    struct image_places *places = arena_alloc(mem, sizeof(*places));
    for (size_t i = 0; i < from->len; i++) {
        const struct image_ref *ref = &from->at[i].ref;
        *vec_push(mem, places) =
            (struct image_place){ .container = arena_strdup(mem, from->at[i].container),
                                  .ref = { .domain = arena_strdup(mem, ref->domain),
                                           .path = arena_strdup(mem, ref->path),
                                           .tag = arena_strdup(mem, ref->tag),
                                           .digest = arena_strdup(mem, ref->digest) },
                                  .registry_text = "" };
    }
    return places;
}

/* Of thousands of manifests only what is of use is kept. */
static void keep_workload(struct releases_automation *automation, const char *id,
                          const struct val *manifest, const struct val *policies)
{
    struct arena *mem = automation->mem;
    SCOPED(arena_free) struct arena *scratch = arena_new(ARENA_LIMIT_BYTES);
    struct image_places places;
    image_places_read(scratch, manifest, &places, NULL);
    *vec_push(mem, &automation->workloads) =
        (struct image_automated){ .id = arena_strdup(mem, id),
                                  .policies = val_copy(mem, policies),
                                  .places = keep_places(mem, &places) };
    struct image_pull *pull = vec_push(mem, &automation->pulls);
    image_place_pull(mem, manifest, pull);
}

static void read_object(struct releases_automation *automation,
                        const struct sync_object_status *object)
{
    const char *body = sync_object_body(automation->releases->opts.sync, object->id);
    struct val *manifest = NULL;
    if (!body || !image_place_is_workload(object->kind) || !strstr(body, AUTOMATED_KEY))
        return;
    SCOPED(arena_free) struct arena *scratch = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(err_free) struct err *e = doc_json_parse(scratch, body, strlen(body), &manifest);
    if (e)
        return;
    const struct val *policies =
        image_policy_read(scratch, VAL_PATH(manifest, "metadata", "annotations"));
    if (is_candidate(policies))
        keep_workload(automation, object->id, manifest, policies);
}

static void read_objects(struct releases_automation *automation)
{
    struct sync_object_status object;
    arena_reset(automation->mem);
    automation->workloads.at = NULL;
    automation->workloads.len = automation->workloads.cap = 0;
    automation->pulls.at = NULL;
    automation->pulls.len = automation->pulls.cap = 0;
    for (size_t i = 0; sync_object_at(automation->releases->opts.sync, i, &object); i++)
        read_object(automation, &object);
    automation->is_read = true;
}

/* --- whose tags are wanted */

struct wishes {
    struct releases_automation *automation;
    struct arena *mem;
    VEC(struct image_wish) list;
};

static void add_wish(struct wishes *wishes, const struct image_automated *workload,
                     const struct image_place *place, const struct image_pull *pull)
{
    struct arena *mem = wishes->mem;
    const char *pattern = image_policy_tag(workload->policies, place->container);
    const char **patterns = arena_alloc(mem, 3 * sizeof(*patterns));
    patterns[0] = pattern ? pattern : "glob:*";
    if (*place->ref.tag) /* which of two is newer is said by both their times */
        patterns[1] = arena_printf(mem, "glob:%s", place->ref.tag);
    *vec_push(mem, &wishes->list) =
        (struct image_wish){ .ref = place->ref,
                             .patterns = patterns,
                             .ns = arena_strndup(mem, workload->id, strcspn(workload->id, ":")),
                             .pull = *pull };
}

static void tell_wishes(struct releases_automation *automation)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct wishes wishes = { .automation = automation, .mem = mem };
    for (size_t i = 0; i < automation->workloads.len; i++) {
        const struct image_automated *workload = &automation->workloads.at[i];
        for (size_t k = 0; k < workload->places->len; k++)
            add_wish(&wishes, workload, &workload->places->at[k], &automation->pulls.at[i]);
    }
    image_scans_want(automation->releases->opts.scans, wishes.list.at, wishes.list.len);
}

/* --- a run: what would be changed now */

static const struct image_repo *find_repo(void *ctx, const char *name)
{
    return image_scans_find(ctx, name);
}

static void tell_note(struct releases_automation *automation, struct arena *mem,
                      const struct image_automate_note *note)
{
    const char *key = arena_printf(mem, "%s %s %s", note->id, note->container, note->text);
    if (map_get(automation->told, key))
        return;
    if (map_len(automation->told) >= TOLD_MAX)
        map_clear(automation->told);
    map_set(automation->told, key, automation);
    log_warn(automation->releases->opts.log, F("component", "daemon"), F("workload", note->id),
             F("container", note->container), F("warning", note->text));
}

/* It was committed, and the manifest says again what it said before: somebody wants it so. */
static bool was_taken_back(struct releases_automation *automation,
                           const struct image_change *change)
{
    const struct release_flip flip = { change->id, change->container, change->from, change->to };
    enum release_flip_verdict verdict = release_flips_look(automation->flips, &flip);
    if (verdict == RELEASE_FLIP_TAKEN_BACK)
        log_warn(automation->releases->opts.log, F("component", "daemon"),
                 F("workload", change->id), F("container", change->container),
                 F("warning", "an automated change was taken back in git, leaving it so until "
                              "there is another image"),
                 F("image", change->to));
    return verdict != RELEASE_FLIP_NEW;
}

static void submit(struct releases_automation *automation, struct arena *mem,
                   const struct image_changes *changes)
{
    VEC(struct release_container_update) updates = { 0 };
    for (size_t i = 0; i < changes->len; i++) {
        const struct image_change *change = &changes->at[i];
        if (!was_taken_back(automation, change))
            *vec_push(mem, &updates) =
                (struct release_container_update){ change->id, change->container, change->from,
                                                   change->to };
    }
    const struct release_spec spec = { .type = RELEASE_AUTO,
                                       .user = "",
                                       .message = "",
                                       .containers = updates.at,
                                       .container_count = updates.len };
    if (updates.len)
        releases_submit(automation->releases, &spec);
}

static bool may_run(const struct releases_automation *automation)
{
    const struct releases *releases = automation->releases;
    return releases->may_act && !releases->is_stopped && !releases->opts.is_readonly;
}

/* What is found while a job of automation is under way waits for its end. */
static bool is_ready(const struct releases_automation *automation)
{
    const struct releases *releases = automation->releases;
    const struct release_job *running = release_jobs_running(releases->jobs);
    bool is_busy = release_jobs_has_waiting(releases->jobs, RELEASE_AUTO) ||
                   (running && running->spec.type == RELEASE_AUTO);
    return automation->is_read && automation->has_learnt && !automation->waits_for_sync &&
           !is_busy && source_state(releases->opts.source) == SOURCE_READY;
}

static void run(struct releases_automation *automation)
{
    if (!may_run(automation))
        return;
    automation->wants_run = !is_ready(automation);
    if (automation->wants_run)
        return;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_changes changes = { 0 };
    struct image_automate_notes notes = { 0 };
    image_automate_step(mem,
                        &(struct image_automate_view){ .workloads = automation->workloads.at,
                                                       .count = automation->workloads.len,
                                                       .repo = find_repo,
                                                       .ctx = automation->releases->opts.scans },
                        &changes, &notes);
    for (size_t i = 0; i < notes.len; i++)
        tell_note(automation, mem, &notes.at[i]);
    submit(automation, mem, &changes);
}

/* --- when */

static void on_calm(void *ctx)
{
    struct releases_automation *automation = ctx;
    automation->calm = 0;
    run(automation);
}

static void run_soon(struct releases_automation *automation, int64_t after_ms)
{
    struct loop *loop = automation->releases->opts.loop;
    if (!automation->releases->opts.scans || automation->calm)
        return;
    automation->calm = loop_after(loop, after_ms, on_calm, automation);
}

static void schedule(struct releases_automation *automation);

static void on_interval(void *ctx)
{
    struct releases_automation *automation = ctx;
    automation->interval = 0;
    run(automation);
    schedule(automation);
}

static void schedule(struct releases_automation *automation)
{
    const struct releases *releases = automation->releases;
    if (!automation->interval && releases->may_act && !releases->is_stopped &&
        releases->opts.scans && releases->opts.automation_interval_ms > 0)
        automation->interval = loop_after(
            releases->opts.loop, releases->opts.automation_interval_ms, on_interval, automation);
}

/* What a job of automation changed; `use` is release_flips_made or _learn. */
static void remember(struct release_flips *flips, const struct release_result *result,
                     void (*use)(struct release_flips *flips, const struct release_flip *flip))
{
    for (size_t i = 0; i < result->len; i++) {
        const struct release_outcome *outcome = &result->at[i];
        for (size_t c = 0; outcome->status == RELEASE_SUCCESS && c < outcome->changes.len; c++) {
            const struct release_change *change = &outcome->changes.at[c];
            use(flips, &(struct release_flip){ outcome->id, change->container, change->current,
                                               change->target });
        }
    }
}

/* Workloads whose automation was switched on, or led elsewhere, by command. */
static void for_each_asked(struct release_flips *flips, const struct release_spec *spec,
                           void (*use)(struct release_flips *flips, const char *id))
{
    for (size_t i = 0; i < spec->policy_count; i++) {
        const struct val *add = spec->policies[i].add;
        bool is_asked = val_get(add, "automated") != NULL;
        for (size_t k = 0; k < val_len(add); k++)
            is_asked |= strncmp(add->pairs[k].key, TAG_POLICY, strlen(TAG_POLICY)) == 0;
        if (is_asked)
            use(flips, spec->policies[i].id);
    }
}

/* --- what was done before this process began: notes on the commits of automation */

struct learning {
    struct releases_automation *automation;
    struct arena *mem;
    const char *ref, *head;
    struct release_flips *flips;
};

static bool on_note(void *ctx, const char *sha, const char *note)
{
    struct learning *learning = ctx;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *value = NULL;
    struct release_spec spec;
    struct release_result result = { 0 };
    (void)sha;
    SCOPED(err_free) struct err *bad = doc_json_parse(mem, note, strlen(note), &value);
    SCOPED(err_free)
    struct err *e = bad ? NULL : release_spec_parse(mem, val_get(value, "spec"), &spec);
    if (bad || e)
        return false;
    for_each_asked(learning->flips, &spec, release_flips_learn_end);
    if (spec.type != RELEASE_AUTO)
        return false;
    SCOPED(err_free)
    struct err *unread = release_result_parse(mem, val_get(value, "result"), &result);
    if (!unread)
        remember(learning->flips, &result, release_flips_learn);
    return false;
}

static struct err *learn_work(struct mirror *mirror, void *job, int64_t deadline_ms)
{
    struct learning *learning = job;
    (void)deadline_ms; /* local, and bounded by the count of commits */
    return mirror_notes_each(mirror, learning->ref, learning->head, NOTES_MAX, on_note, learning);
}

static void free_learning(struct learning *learning)
{
    if (!learning)
        return;
    release_flips_free(learning->flips);
    arena_free(learning->mem);
    free(learning);
}

static void on_learnt(void *job, struct err *e)
{
    struct learning *learning = job;
    struct releases_automation *automation = learning->automation;
    if (e)
        log_warn(automation->releases->opts.log, F("component", "daemon"),
                 F("warning", "notes of commits cannot be read"), F("err", err_text(e)));
    err_free(e);
    /* Commands have gone on meanwhile. */
    release_flips_learn_all(automation->flips, learning->flips);
    automation->has_learnt = true;
    free_learning(STEAL(automation->learning));
    if (automation->wants_run && !automation->releases->is_stopped)
        run_soon(automation, 0);
}

static void learn(struct releases_automation *automation)
{
    const struct releases_opts *opts = &automation->releases->opts;
    const char *head = source_head(opts->source);
    if (!opts->git_notes_ref || !*opts->git_notes_ref)
        automation->has_learnt = true;
    if (automation->has_learnt || automation->learning || !*head)
        return;
    struct learning *learning = base_alloc(sizeof(*learning));
    *learning = (struct learning){ .automation = automation,
                                   .mem = arena_new(ARENA_LIMIT_BYTES),
                                   .ref = opts->git_notes_ref,
                                   .flips = release_flips_new() };
    learning->head = arena_strdup(learning->mem, head);
    automation->learning = learning;
    source_run(opts->source, &(struct source_job){ learn_work, on_learnt }, learning);
}

/* --- news */

void releases_on_news(struct releases *releases, const char *name)
{
    (void)name; /* whose news it is shows in the view */
    run_soon(releases->automation, releases->opts.calm_ms);
}

void releases_on_synced(struct releases *releases)
{
    struct releases_automation *automation = releases->automation;
    struct sync_status status;
    if (!releases->opts.scans || releases->opts.is_readonly || releases->is_stopped)
        return; /* nobody would write what tags say */
    sync_status(releases->opts.sync, &status);
    bool is_ours_loaded = strcmp(status.loaded, automation->committed) == 0;
    bool is_later_loaded = strcmp(status.loaded, status.head) == 0 &&
                           strcmp(source_head(releases->opts.source), automation->committed) != 0;
    if (is_ours_loaded || is_later_loaded) /* others may have committed since */
        automation->waits_for_sync = false;
    learn(automation);
    read_objects(automation);
    tell_wishes(automation);
    if (automation->wants_run && !automation->waits_for_sync)
        run_soon(automation, 0);
}

/* Automation was switched on, or what held it back was taken away. */
static bool asks_for_automation(const struct release_spec *spec)
{
    for (size_t i = 0; i < spec->policy_count; i++) {
        if (val_get(spec->policies[i].add, "automated") ||
            val_get(spec->policies[i].remove, "locked"))
            return true;
    }
    return false;
}

void releases_auto_on_job(struct releases_automation *automation,
                          const struct releases_outcome *outcome)
{
    if (outcome->err || !*outcome->revision) {
        if (automation->wants_run)
            run_soon(automation, 0);
        return;
    }
    (void)snprintf(automation->committed, sizeof(automation->committed), "%s", outcome->revision);
    automation->waits_for_sync = true;
    for_each_asked(automation->flips, outcome->spec, release_flips_forget);
    if (outcome->spec->type == RELEASE_AUTO)
        remember(automation->flips, outcome->result, release_flips_made);
    else if (outcome->spec->type == RELEASE_POLICY && asks_for_automation(outcome->spec))
        automation->wants_run = true;
}

/* --- life */

struct releases_automation *releases_auto_new(struct releases *releases)
{
    struct releases_automation *automation = base_alloc(sizeof(*automation));
    automation->releases = releases;
    automation->mem = arena_new(ARENA_LIMIT_BYTES);
    automation->flips = release_flips_new();
    automation->told = map_new(NULL);
    return automation;
}

void releases_auto_act(struct releases_automation *automation)
{
    if (automation->releases->may_act)
        run_soon(automation, automation->releases->opts.calm_ms);
    schedule(automation);
}

void releases_auto_stop(struct releases_automation *automation)
{
    struct loop *loop = automation->releases->opts.loop;
    loop_cancel(loop, automation->calm);
    loop_cancel(loop, automation->interval);
    automation->calm = automation->interval = 0;
}

void releases_auto_free(struct releases_automation *automation)
{
    if (!automation)
        return;
    releases_auto_stop(automation);
    release_flips_free(automation->flips);
    free_learning(automation->learning);
    map_free(automation->told);
    arena_free(automation->mem);
    free(automation);
}
