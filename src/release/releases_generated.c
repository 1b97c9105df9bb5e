/* Edits of what generators make: told to their updaters, or written into the patch file; then made again, and looked at. */
#include <string.h>

#include "base/map.h"
#include "image/place.h"
#include "release/change.h"
#include "release/rewrite.h"
#include "sync/generate_update.h"

/* A policy from the annotation that says it. */
static const char *policy_of(struct arena *mem, const char *annotation)
{
    static const struct {
        const char *prefix, *policy;
    } prefixes[] = { { "filter.fluxcd.io/", "tag." },
                     { "fluxcd.io/", "" },
                     { "flux.weave.works/", "" } };
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        size_t len = strlen(prefixes[i].prefix);
        if (strncmp(annotation, prefixes[i].prefix, len) == 0)
            return arena_printf(mem, "%s%s", prefixes[i].policy, annotation + len);
    }
    return annotation;
}

/* -- the object as it is to be, for patch files -- */

static struct val *step_down(struct val *at, const struct doc_step *step)
{
    return step->key ? val_get(at, step->key) : val_item(at, step->index);
}

static bool is_last(const struct doc_step *step)
{
    return !step[1].key && step[1].index == DOC_EDIT_END;
}

/* Sets the text at a path that is there. */
static void set_at(struct arena *mem, struct val *object, const struct image_write *write)
{
    struct val *at = object;
    const struct doc_step *step = write->path;
    while (at && !is_last(step))
        at = step_down(at, step++);
    if (!at)
        return;
    if (step->key)
        val_set_text(mem, at, step->key, write->text);
    else if (val_item(at, step->index))
        at->items[step->index] = val_new_text(mem, write->text);
}

static void set_annotations(struct arena *mem, struct val *object, const struct val *annotations)
{
    struct val *metadata = val_need_map(mem, object, "metadata");
    struct val *all = metadata ? val_need_map(mem, metadata, "annotations") : NULL;
    for (size_t i = 0; all && i < val_len(annotations); i++) {
        const char *key = annotations->pairs[i].key;
        const char *text = val_text_or(annotations->pairs[i].value, "");
        if (*text)
            val_set_text(mem, all, key, text);
        else
            val_remove(all, key);
    }
    if (all && !val_len(all))
        val_remove(metadata, "annotations");
}

static const struct val *edited_object(struct arena *mem, const struct release_edit *edit)
{
    struct val *object = val_copy(mem, edit->workload->manifest);
    for (size_t i = 0; i < edit->image_count; i++) {
        struct image_write writes[3];
        size_t count = image_place_write(mem, edit->images[i].place, &edit->images[i].ref, writes);
        for (size_t k = 0; k < count; k++)
            set_at(mem, object, &writes[k]);
    }
    if (edit->annotations)
        set_annotations(mem, object, edit->annotations);
    return object;
}

/* -- what is told to updaters -- */

static void list_images(struct arena *mem, const struct release_edit *edit,
                        struct generate_edit *out)
{
    struct generate_image *images = arena_alloc(mem, (edit->image_count + 1) * sizeof(*images));
    for (size_t i = 0; i < edit->image_count; i++)
        images[i] = (struct generate_image){ .container = edit->images[i].place->container,
                                             .name = image_ref_name(mem, &edit->images[i].ref),
                                             .tag = edit->images[i].ref.tag };
    out->images = images;
    out->image_count = edit->image_count;
}

static void list_policies(struct arena *mem, const struct release_edit *edit,
                          struct generate_edit *out)
{
    size_t count = val_len(edit->annotations);
    struct generate_policy *policies = arena_alloc(mem, (count + 1) * sizeof(*policies));
    for (size_t i = 0; i < count; i++) {
        const struct val_pair *pair = &edit->annotations->pairs[i];
        const char *text = val_text_or(pair->value, "");
        policies[i] = (struct generate_policy){ .policy = policy_of(mem, pair->key),
                                                .value = *text ? text : NULL };
    }
    out->policies = policies;
    out->policy_count = count;
}

static struct generate_edit tell(struct arena *mem, const struct release_edit *edit)
{
    const struct release_workload *workload = edit->workload;
    const char *kind = strchr(workload->id, ':') + 1; /* of the ID: in lower case */
    struct generate_edit told = { .config = workload->path,
                                  .id = workload->id,
                                  .ns = workload->ns,
                                  .kind = arena_strndup(mem, kind, strcspn(kind, "/")),
                                  .name = workload->name,
                                  .object = edited_object(mem, edit) };
    list_images(mem, edit, &told);
    list_policies(mem, edit, &told);
    return told;
}

/* -- the whole -- */

struct generated {
    VEC(struct generate_edit) told;
    struct release_edits edits; /* the same, as verification wants them */
};

static struct err *verify(const struct releases_change *change, const struct generated *generated,
                          const struct manifest_list *made)
{
    const struct releases_run *run = change->run;
    struct release_survey before = { 0 }, after = { 0 };
    SCOPED(map_free) struct map *configs = map_new(NULL);
    for (size_t i = 0; i < generated->told.len; i++)
        map_set(configs, generated->told.at[i].config, configs);
    for (size_t i = 0; i < run->survey.len; i++) {
        const struct release_workload *workload = &run->survey.at[i];
        if (workload->is_generated && map_get(configs, workload->path))
            *vec_push(run->mem, &before) = *workload;
    }
    release_survey_seal(run->mem, &before);
    release_survey_add_manifests(run->mem, &after, made, run->releases->opts.default_ns);
    release_survey_seal(run->mem, &after);
    return release_rewrite_verify(run->mem, &before, &after, &generated->edits);
}

struct err *releases_generated_change(struct releases_change *change, struct mirror *mirror,
                                      int64_t deadline_ms)
{
    const struct releases_run *run = change->run;
    const struct releases_opts *opts = &run->releases->opts;
    struct generated generated = { 0 };
    struct files_list tree = { 0 };
    struct generate_updated updated = { 0 };
    for (size_t i = 0; i < run->edits.len; i++) {
        if (!run->edits.at[i].workload->is_generated)
            continue;
        *vec_push(run->mem, &generated.told) = tell(run->mem, &run->edits.at[i]);
        *vec_push(run->mem, &generated.edits) = run->edits.at[i];
    }
    if (!generated.told.len)
        return NULL;
    TRY(releases_look_list_tree(run, mirror, &tree));
    const struct generate_opts how = { .mirror = mirror,
                                       .rev = run->head,
                                       .entries = tree.at,
                                       .entry_count = tree.len,
                                       .git_paths = opts->git_paths,
                                       .default_timeout_ms = opts->job_timeout_ms,
                                       .deadline_ms = deadline_ms };
    TRY(err_wrap(generate_update(run->mem, &how, generated.told.at, generated.told.len, &updated),
                 "applying changes"));
    for (size_t i = 0; i < updated.files.len; i++)
        *vec_push(run->mem, &change->files) =
            (struct mirror_file){ .path = updated.files.at[i].path,
                                  .text = updated.files.at[i].text,
                                  .len = updated.files.at[i].len };
    return verify(change, &generated, &updated.manifests);
}
