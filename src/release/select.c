#include "release/select.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "image/policy.h"
#include "release/select_parts.h"

/* --- sets of texts; the values are of no use */

static void set_add(struct map *set, const char *text)
{
    map_set(set, text, set);
}

static void set_add_all(struct map *set, const char *const *texts)
{
    for (; texts && *texts; texts++)
        set_add(set, *texts);
}

/* --- which workloads are meant */

struct scope {
    struct map *named, *excluded;
    bool is_all;
};

static void scope_fini(struct scope *scope)
{
    map_free(scope->named);
    map_free(scope->excluded);
}

static void scope_init(struct scope *scope, const struct release_spec *spec)
{
    *scope = (struct scope){ .named = map_new(NULL), .excluded = map_new(NULL) };
    if (spec->type == RELEASE_IMAGE) {
        set_add_all(scope->named, spec->workloads);
        set_add_all(scope->excluded, spec->excludes);
        scope->is_all = map_get(scope->named, RELEASE_ALL) != NULL;
        return;
    }
    for (size_t i = 0; i < spec->container_count; i++)
        set_add(scope->named, spec->containers[i].id);
}

/* What keeps a workload out before anybody asks for it; NULL: nothing. */
static const char *kept_out(const struct scope *scope, const char *id)
{
    if (!scope->is_all && !map_get(scope->named, id))
        return "not included";
    return map_get(scope->excluded, id) ? "excluded" : NULL;
}

/* Of an ID that is claimed more than once the first one. */
static bool is_again(const struct release_survey *survey, size_t i)
{
    return i > 0 && strcmp(survey->at[i - 1].id, survey->at[i].id) == 0;
}

/* --- what speaks against one that is there */

static int by_id(const void *key, const void *live)
{
    return strcmp(key, ((const struct release_live *)live)->workload->id);
}

static const struct release_live *find_live(const struct release_view *view, const char *id)
{
    if (view->live_count == 0)
        return NULL;
    return bsearch(id, view->live, view->live_count, sizeof(*view->live), by_id);
}

struct verdict {
    enum release_status status; /* RELEASE_SUCCESS: go on */
    const char *text;
};

static struct verdict judge_image(const struct select_run *run, const struct image_workload *live)
{
    if (strcmp(run->spec->image, RELEASE_ALL_LATEST) == 0)
        return (struct verdict){ RELEASE_SUCCESS, "" };
    if (live->containers.len == 0)
        return (struct verdict){ RELEASE_IGNORED, "not accessible in cluster" };
    if (!release_select_image_is_used(run->mem, live, run->spec->image))
        return (struct verdict){ RELEASE_IGNORED, "a different image" };
    return (struct verdict){ RELEASE_SUCCESS, "" };
}

/* Force opens the locks of what is named, never those of everything. */
static bool breaks_locks(const struct select_run *run, const struct scope *scope)
{
    return run->spec->force && !scope->is_all && run->spec->type != RELEASE_AUTO;
}

static struct verdict judge(const struct select_run *run, const struct scope *scope,
                            const struct release_workload *workload)
{
    const struct release_live *live = find_live(run->view, workload->id);
    if (release_survey_is_duplicate(run->view->survey, workload->id))
        return (struct verdict){ RELEASE_SKIPPED, "declared more than once in the repository" };
    if (!live)
        return (struct verdict){ RELEASE_SKIPPED, "not accessible in cluster" };
    if (run->spec->type == RELEASE_IMAGE) {
        struct verdict verdict = judge_image(run, live->workload);
        if (verdict.status != RELEASE_SUCCESS)
            return verdict;
    }
    if (breaks_locks(run, scope))
        return (struct verdict){ RELEASE_SUCCESS, "" };
    if (image_policy_is_on(workload->policies, "locked"))
        return (struct verdict){ RELEASE_SKIPPED, "locked" };
    if (image_policy_is_on(live->policies, "ignore"))
        return (struct verdict){ RELEASE_SKIPPED, "ignore" };
    return (struct verdict){ RELEASE_SUCCESS, "" };
}

/* --- all of them */

static void find_candidates(struct select_run *run, const struct scope *scope,
                            struct select_candidates *out)
{
    const struct release_survey *survey = run->view->survey;
    for (size_t i = 0; i < survey->len; i++) {
        const struct release_workload *workload = &survey->at[i];
        if (!workload->is_workload || is_again(survey, i))
            continue;
        const char *why = kept_out(scope, workload->id);
        struct verdict verdict =
            why ? (struct verdict){ RELEASE_IGNORED, why } : judge(run, scope, workload);
        if (verdict.status == RELEASE_SUCCESS)
            *vec_push(run->mem, out) =
                (struct select_candidate){ workload, find_live(run->view, workload->id)->workload };
        else
            release_result_add(run->mem, run->result, workload->id, verdict.status, verdict.text);
    }
}

const char *release_select_missing(const struct select_run *run)
{
    const struct manifest_problem *gap = release_survey_gap(run->view->survey);
    if (!gap)
        return "not found in repository";
    return arena_printf(run->mem, "not found in repository, of which a part cannot be read: %s",
                        manifest_problem_format(run->mem, gap));
}

static void note_missing(struct select_run *run, const struct scope *scope)
{
    const char *id;
    void *value;
    for (size_t at = 0; !scope->is_all && map_next(scope->named, &at, &id, &value);) {
        const struct release_workload *workload = release_survey_find(run->view->survey, id);
        if (!workload || !workload->is_workload)
            release_result_add(run->mem, run->result, arena_strdup(run->mem, id), RELEASE_SKIPPED,
                               release_select_missing(run));
    }
}

static struct err *select_images(struct select_run *run, const struct select_candidates *candidates)
{
    switch (run->spec->type) {
    case RELEASE_IMAGE: return release_select_image_all(run, candidates);
    case RELEASE_CONTAINERS: return release_select_container_all(run, candidates);
    case RELEASE_AUTO: release_select_container_auto(run, candidates); return NULL;
    case RELEASE_POLICY:
    case RELEASE_SYNC: break;
    }
    return NULL;
}

static struct err *select_workloads(struct select_run *run)
{
    struct select_candidates candidates = { 0 };
    __attribute__((cleanup(scope_fini))) struct scope scope;
    scope_init(&scope, run->spec);
    find_candidates(run, &scope, &candidates);
    note_missing(run, &scope);
    struct err *e = select_images(run, &candidates);
    release_result_sort(run->result);
    return e;
}

struct err *release_select(struct arena *mem, const struct release_view *view,
                           struct release_result *result, struct release_edits *edits)
{
    struct select_run run = {
        .mem = mem, .view = view, .spec = view->spec, .result = result, .edits = edits
    };
    *result = (struct release_result){ 0 };
    *edits = (struct release_edits){ 0 };
    switch (view->spec->type) {
    case RELEASE_SYNC: return NULL;
    case RELEASE_POLICY: return release_select_policy_all(&run);
    case RELEASE_IMAGE: TRY(release_select_image_check(&run)); break;
    case RELEASE_CONTAINERS:
    case RELEASE_AUTO: break;
    }
    return select_workloads(&run);
}

/* --- what has to be known for that */

static const char *const *texts_of(struct arena *mem, const struct map *set)
{
    const char **list = arena_alloc(mem, (map_len(set) + 1) * sizeof(*list));
    const char *text;
    void *value;
    size_t len = 0;
    for (size_t at = 0; map_next(set, &at, &text, &value);)
        list[len++] = arena_strdup(mem, text);
    return list;
}

static void need_images(struct arena *mem, const struct release_workload *workload,
                        struct map *images)
{
    for (size_t i = 0; i < workload->places.len; i++)
        set_add(images, image_ref_canonical_name(mem, &workload->places.at[i].ref));
}

static void need_workloads(struct arena *mem, const struct release_spec *spec,
                           const struct release_survey *survey, struct map *ids, struct map *images)
{
    __attribute__((cleanup(scope_fini))) struct scope scope;
    bool is_of_images = spec->type == RELEASE_IMAGE;
    bool is_latest = is_of_images && strcmp(spec->image, RELEASE_ALL_LATEST) == 0;
    scope_init(&scope, spec);
    for (size_t i = 0; i < survey->len; i++) {
        const struct release_workload *workload = &survey->at[i];
        if (!workload->is_workload || kept_out(&scope, workload->id))
            continue;
        set_add(ids, workload->id);
        if (is_latest)
            need_images(mem, workload, images);
    }
}

static void need_image(struct arena *mem, const char *image, struct map *images)
{
    struct image_ref ref;
    SCOPED(err_free) struct err *bad = image_ref_parse(mem, image, &ref);
    if (!bad)
        set_add(images, image_ref_canonical_name(mem, &ref));
}

void release_select_needs(struct arena *mem, const struct release_spec *spec,
                          const struct release_survey *survey, struct release_needs *out)
{
    SCOPED(map_free) struct map *ids = map_new(NULL), *images = map_new(NULL);
    if (spec->type != RELEASE_POLICY && spec->type != RELEASE_SYNC)
        need_workloads(mem, spec, survey, ids, images);
    if (spec->type == RELEASE_IMAGE && strcmp(spec->image, RELEASE_ALL_LATEST) != 0)
        need_image(mem, spec->image, images);
    *out = (struct release_needs){ texts_of(mem, ids), texts_of(mem, images) };
}
