/* Containers that are named one by one: by a person who chose them, by automation that found something newer. */
#include <string.h>

#include "release/select_parts.h"

/* --- what one workload gets */

const struct image_place *release_select_container_place(const struct release_workload *workload,
                                                         const char *container)
{
    for (size_t i = 0; i < workload->places.len; i++) {
        if (strcmp(workload->places.at[i].container, container) == 0)
            return &workload->places.at[i];
    }
    return NULL;
}

bool release_select_container_current(struct arena *mem, const struct image_place *place,
                                      const char *live, struct image_ref *out)
{
    SCOPED(err_free) struct err *bad = image_ref_parse(mem, live, out);
    if (bad)
        return false;
    bool is_bare_pin = *out->digest && *out->tag == '\0';
    bool may_be_it = *place->ref.digest == '\0' || strcmp(place->ref.digest, out->digest) == 0;
    if (is_bare_pin && may_be_it && release_select_image_is_same(mem, out, &place->ref))
        *out = place->ref;
    return true;
}

static void add_image(struct arena *mem, struct release_edit *edit,
                      const struct select_change *change)
{
    vec_grow(mem, (void **)&edit->images, &edit->image_cap, edit->image_count,
             sizeof(*edit->images));
    edit->images[edit->image_count].place = change->place;
    edit->images[edit->image_count++].ref = change->ref;
}

void release_select_container_take(struct select_run *run, const struct release_workload *workload,
                                   const struct select_changes *changes, const char *note)
{
    struct release_outcome *outcome =
        release_result_add(run->mem, run->result, workload->id, RELEASE_SUCCESS, note);
    struct release_edit *edit = vec_push(run->mem, run->edits);
    edit->workload = workload;
    for (size_t i = 0; i < changes->len; i++) {
        const struct select_change *change = &changes->at[i];
        *vec_push(run->mem, &outcome->changes) =
            (struct release_change){ change->place->container, change->current, change->target };
        add_image(run->mem, edit, change);
    }
}

/* --- chosen by a person */

struct findings {
    const char *missing, *mismatched; /* names, joined; NULL: none */
    struct select_changes changes;
};

static void note(struct arena *mem, const char **names, const char *name)
{
    *names = *names ? arena_printf(mem, "%s, %s", *names, name) : name;
}

static const struct image_container *find_live(const struct image_workload *live, const char *name)
{
    for (size_t i = 0; i < live->containers.len; i++) {
        if (strcmp(live->containers.at[i].name, name) == 0)
            return &live->containers.at[i];
    }
    return NULL;
}

/* As clients were shown it: of a pinned image without its tag. */
static bool is_expected(struct arena *mem, const char *expected, const struct image_ref *current)
{
    struct image_ref ref;
    SCOPED(err_free) struct err *bad = image_ref_parse(mem, expected, &ref);
    return !bad && strcmp(image_ref_format(mem, &ref), image_ref_format(mem, current)) == 0;
}

static void look_at(struct select_run *run, const struct select_candidate *candidate,
                    const struct release_container_update *update, struct findings *out)
{
    struct arena *mem = run->mem;
    struct image_ref current;
    const struct image_container *live = find_live(candidate->live, update->container);
    struct select_change change = {
        .place = release_select_container_place(candidate->workload, update->container),
    };
    SCOPED(err_free) struct err *bad = image_ref_parse(mem, update->target, &change.ref);
    if (bad || !live || !change.place ||
        !release_select_container_current(mem, change.place, live->image, &current)) {
        note(mem, &out->missing, update->container);
        return;
    }
    change.current = image_ref_write(mem, &current);
    change.target = image_ref_write(mem, &change.ref);
    if (*update->current && !is_expected(mem, update->current, &current))
        note(mem, &out->mismatched, update->container);
    else if (strcmp(change.current, change.target) != 0)
        *vec_push(mem, &out->changes) = change;
}

static void conclude(struct select_run *run, const struct release_workload *workload,
                     const struct findings *found)
{
    struct arena *mem = run->mem;
    const char *id = workload->id;
    const char *mismatch =
        found->mismatched ? arena_printf(mem, "container(s) tag mismatch: %s", found->mismatched)
                          : NULL;
    if (found->missing)
        release_result_add(mem, run->result, id, RELEASE_FAILED,
                           arena_printf(mem, "container(s) not found: %s", found->missing));
    else if (mismatch && !run->spec->skip_mismatches)
        release_result_add(mem, run->result, id, RELEASE_FAILED, mismatch);
    else if (found->changes.len > 0)
        release_select_container_take(run, workload, &found->changes, mismatch ? mismatch : "");
    else
        release_result_add(mem, run->result, id, RELEASE_SKIPPED,
                           mismatch ? arena_printf(mem, "%s, " SELECT_UP_TO_DATE, mismatch)
                                    : SELECT_UP_TO_DATE);
}

struct err *release_select_container_all(struct select_run *run,
                                         const struct select_candidates *candidates)
{
    const struct release_spec *spec = run->spec;
    for (size_t i = 0; i < candidates->len; i++) {
        struct findings found = { 0 };
        for (size_t c = 0; c < spec->container_count; c++) {
            if (strcmp(spec->containers[c].id, candidates->at[i].workload->id) == 0)
                look_at(run, &candidates->at[i], &spec->containers[c], &found);
        }
        conclude(run, candidates->at[i].workload, &found);
    }
    if (release_result_count(run->result, RELEASE_FAILED) > 0)
        return err_new(ERR_INVALID, "cannot satisfy specs");
    if (release_result_count(run->result, RELEASE_SUCCESS) == 0)
        return err_new(ERR_INVALID, "no changes found");
    return NULL;
}

/* --- found by automation, in the files as they are now */

static bool is_for(struct arena *mem, const struct release_container_update *update,
                   const struct image_place *place, struct image_ref *target)
{
    SCOPED(err_free) struct err *bad = image_ref_parse(mem, update->target, target);
    return !bad && strcmp(update->container, place->container) == 0 &&
           release_select_image_is_same(mem, target, &place->ref);
}

static void move(struct select_run *run, const struct image_place *place,
                 const struct release_container_update *update, struct select_changes *out)
{
    struct image_ref target;
    if (!is_for(run->mem, update, place, &target))
        return;
    struct select_change change = {
        .place = place,
        .ref = image_ref_with_tag(&place->ref, target.tag, target.digest),
        .current = image_ref_write(run->mem, &place->ref),
    };
    change.target = image_ref_write(run->mem, &change.ref);
    if (strcmp(change.current, change.target) != 0)
        *vec_push(run->mem, out) = change;
}

static void move_all(struct select_run *run, const struct release_workload *workload)
{
    struct select_changes changes = { 0 };
    for (size_t p = 0; p < workload->places.len; p++) {
        for (size_t c = 0; c < run->spec->container_count; c++) {
            const struct release_container_update *update = &run->spec->containers[c];
            if (strcmp(update->id, workload->id) == 0)
                move(run, &workload->places.at[p], update, &changes);
        }
    }
    if (changes.len > 0)
        release_select_container_take(run, workload, &changes, "");
    else
        release_result_add(run->mem, run->result, workload->id, RELEASE_SKIPPED, SELECT_UP_TO_DATE);
}

void release_select_container_auto(struct select_run *run,
                                   const struct select_candidates *candidates)
{
    for (size_t i = 0; i < candidates->len; i++)
        move_all(run, candidates->at[i].workload);
}
