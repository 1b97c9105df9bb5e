#include "image/automate.h"

#include <string.h>

#include "base/map.h"
#include "base/vec.h"
#include "image/pattern.h"
#include "image/policy.h"

/* What a pattern finds in a repository: asked once, however many containers run of it. */
struct finding {
    const struct image_repo *repo;
    const struct image_info *latest; /* NULL: nothing to change, for all of them */
    const char *note;                /* why not; NULL: nothing to say */
    bool needs_times;
};

struct step {
    struct arena *mem;
    const struct image_automate_view *view;
    struct map *findings; /* by pattern and canonical name */
    struct image_changes *changes;
    struct image_automate_notes *notes;
};

/* One container of one workload. */
struct container {
    const char *id;
    const struct image_place *place;
};

static void look(struct step *step, const char *name, const char *text, struct finding *out)
{
    struct image_pattern *pattern = NULL;
    SCOPED(err_free) struct err *e = image_pattern_parse(step->mem, text, &pattern);
    if (e) {
        out->note = arena_strdup(step->mem, err_text(e));
        return;
    }
    out->needs_times = image_pattern_needs_times(pattern);
    out->repo = step->view->repo(step->view->ctx, name);
    if (!out->repo || !out->repo->is_complete)
        return;
    SCOPED(arena_free) struct arena *scratch = arena_new(ARENA_LIMIT_BYTES);
    size_t count = 0;
    const struct image_info **infos = image_pattern_select(scratch, pattern, out->repo, &count);
    const struct image_info *missing = image_pattern_missing(pattern, infos, count);
    const char *problem = image_pattern_problem(step->mem, pattern);
    if (problem)
        out->note = problem;
    else if (missing)
        out->note = arena_printf(step->mem,
                                 "inconsistent repository metadata: missing metadata for image "
                                 "tag \"%s\"",
                                 missing->tag);
    else
        out->latest = infos[0];
}

static const struct finding *find(struct step *step, const char *name, const char *pattern)
{
    const char *key = arena_printf(step->mem, "%s\n%s", name, pattern ? pattern : "");
    struct finding *finding = map_get(step->findings, key);
    if (finding)
        return finding;
    finding = arena_alloc(step->mem, sizeof(*finding));
    look(step, name, pattern, finding);
    map_set(step->findings, key, finding);
    return finding;
}

static void note(struct step *step, const struct container *c, const char *text)
{
    *vec_push(step->mem, step->notes) =
        (struct image_automate_note){ .id = arena_strdup(step->mem, c->id),
                                      .container = arena_strdup(step->mem, c->place->container),
                                      .text = text };
}

/* Do times say which of two is newer? A tag of the same time as the latest is as new as that. */
static bool do_times_tell(struct step *step, const struct container *c,
                          const struct finding *finding)
{
    const struct image_info *current = image_repo_find(finding->repo, c->place->ref.tag);
    const struct image_info *timeless = NULL;
    if (!finding->latest->has_created)
        timeless = finding->latest;
    bool is_current_timeless = !current || !current->is_known || !current->has_created;
    if (timeless || is_current_timeless) {
        note(step, c,
             arena_printf(step->mem, "image with zero created timestamp: tag \"%s\"",
                          is_current_timeless ? c->place->ref.tag : timeless->tag));
        return false;
    }
    return current->created_ns != finding->latest->created_ns;
}

static void change(struct step *step, const struct container *c, const struct image_info *latest)
{
    const struct image_ref *from = &c->place->ref;
    struct image_ref to = image_ref_with_tag(from, latest->tag, latest->digest);
    if (strcmp(to.tag, from->tag) == 0) {
        note(step, c,
             arena_printf(step->mem, "pinned image: no digest is known of image tag \"%s\"",
                          latest->tag));
        return;
    }
    *vec_push(step->mem, step->changes) = (struct image_change){
        .id = arena_strdup(step->mem, c->id),
        .container = arena_strdup(step->mem, c->place->container),
        .from = image_ref_write(step->mem, from),
        .to = image_ref_write(step->mem, &to),
    };
}

static void consider(struct step *step, const struct container *c, const char *pattern)
{
    const struct image_ref *ref = &c->place->ref;
    const struct finding *finding = find(step, image_ref_canonical_name(step->mem, ref), pattern);
    if (finding->note) {
        note(step, c, finding->note);
        return;
    }
    if (!finding->latest || *ref->tag == '\0' || strcmp(ref->tag, finding->latest->tag) == 0)
        return;
    if (finding->needs_times && !do_times_tell(step, c, finding))
        return;
    change(step, c, finding->latest);
}

void image_automate_step(struct arena *mem, const struct image_automate_view *view,
                         struct image_changes *out, struct image_automate_notes *notes)
{
    SCOPED(map_free) struct map *findings = map_new(NULL);
    *out = (struct image_changes){ .at = NULL };
    *notes = (struct image_automate_notes){ .at = NULL };
    struct step step = {
        .mem = mem, .view = view, .findings = findings, .changes = out, .notes = notes
    };
    for (size_t i = 0; i < view->count; i++) {
        const struct image_automated *workload = &view->workloads[i];
        for (size_t j = 0; workload->places && j < workload->places->len; j++) {
            struct container container = { workload->id, &workload->places->at[j] };
            consider(&step, &container,
                     image_policy_tag(workload->policies, container.place->container));
        }
    }
}
