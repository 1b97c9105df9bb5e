#include "release/survey.h"

#include <stdlib.h>
#include <string.h>

#include "doc/object.h"
#include "image/policy.h"
#include "sync/builtin.h"
#include "sync/encrypted.h"

/* The namespace of its ID: what is known to have none keeps none, whatever is written. */
static const char *effective_ns(const struct manifest *manifest, const char *default_ns)
{
    if (builtin_scope(manifest->api_version, manifest->kind) == BUILTIN_CLUSTER)
        return "";
    return *manifest->ns ? manifest->ns : default_ns;
}

static void add_manifest(struct arena *mem, struct release_survey *survey,
                         const struct manifest *manifest, const char *default_ns)
{
    if (*manifest->kind == '\0' || *manifest->name == '\0')
        return;
    const char *ns = effective_ns(manifest, default_ns);
    struct release_workload *workload = vec_push(mem, survey);
    *workload = (struct release_workload){
        .id = object_id(mem, ns, manifest->kind, manifest->name),
        .ns = ns,
        .kind = manifest->kind,
        .name = manifest->name,
        .path = manifest->path,
        .is_generated = manifest->is_generated,
        .line = manifest->line,
        .column = manifest->column,
        .manifest = manifest->object,
        .policies = image_policy_read(mem, VAL_PATH(manifest->object, "metadata", "annotations")),
        .is_workload = image_place_is_workload(manifest->kind),
    };
    if (workload->is_workload)
        image_places_read(mem, manifest->object, &workload->places, NULL);
}

void release_survey_add_manifests(struct arena *mem, struct release_survey *survey,
                                  const struct manifest_list *manifests, const char *default_ns)
{
    for (size_t i = 0; i < manifests->len; i++)
        add_manifest(mem, survey, &manifests->at[i], default_ns);
}

/* An edit would break the seal over the whole file. Only what has containers, or does not even say what it is, is worth a word. */
static void leave_encrypted(struct arena *mem, struct release_survey *survey,
                            const struct manifest_list *manifests, const char *path)
{
    bool is_of_interest = !manifests->len;
    for (size_t i = 0; i < manifests->len && !is_of_interest; i++)
        is_of_interest = image_place_is_workload(manifests->at[i].kind);
    const struct manifest_problem where = { .path = path, .severity = MANIFEST_ERROR };
    if (is_of_interest)
        manifest_report(mem, &survey->problems, &where,
                        "encrypted with SOPS: serin does not change encrypted files, so edit it "
                        "with sops and commit it");
}

void release_survey_add(struct arena *mem, struct release_survey *survey,
                        const struct release_file *file, const char *default_ns)
{
    struct manifest_list manifests = { 0 };
    struct manifest_source source = { .path = file->path };
    struct manifest_problems problems = { 0 };
    bool is_encrypted = encrypted_is_sops(file->text, file->len);
    manifest_parse(mem, &source, file->text, file->len, &manifests,
                   is_encrypted ? &problems : &survey->problems);
    if (is_encrypted) {
        leave_encrypted(mem, survey, &manifests, file->path);
        return;
    }
    release_survey_add_manifests(mem, survey, &manifests, default_ns);
}

static int by_place(const void *a, const void *b)
{
    const struct release_workload *x = a, *y = b;
    int order = strcmp(x->id, y->id);
    if (order == 0)
        order = strcmp(x->path, y->path);
    if (order == 0)
        order = (x->line > y->line) - (x->line < y->line);
    return order != 0 ? order : (x->column > y->column) - (x->column < y->column);
}

static bool is_noted(const struct release_survey *survey, const char *id)
{
    size_t count = survey->duplicate_count;
    return count > 0 && strcmp(survey->duplicates[count - 1], id) == 0;
}

static void note_duplicate(struct arena *mem, struct release_survey *survey, const char *id)
{
    if (is_noted(survey, id))
        return;
    vec_grow(mem, (void **)&survey->duplicates, &survey->duplicate_cap, survey->duplicate_count,
             sizeof(*survey->duplicates));
    survey->duplicates[survey->duplicate_count++] = id;
}

void release_survey_seal(struct arena *mem, struct release_survey *survey)
{
    survey->duplicate_count = 0;
    if (survey->len > 0)
        qsort(survey->at, survey->len, sizeof(*survey->at), by_place);
    for (size_t i = 1; i < survey->len; i++) {
        if (strcmp(survey->at[i - 1].id, survey->at[i].id) == 0)
            note_duplicate(mem, survey, survey->at[i].id);
    }
}

const struct release_workload *release_survey_find(const struct release_survey *survey,
                                                   const char *id)
{
    size_t low = 0, high = survey->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(survey->at[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_there = low < survey->len && strcmp(survey->at[low].id, id) == 0;
    return is_there ? &survey->at[low] : NULL;
}

static int by_text(const void *key, const void *text)
{
    return strcmp(key, *(const char *const *)text);
}

bool release_survey_is_duplicate(const struct release_survey *survey, const char *id)
{
    return survey->duplicate_count > 0 && bsearch(id, survey->duplicates, survey->duplicate_count,
                                                  sizeof(*survey->duplicates), by_text);
}

const struct manifest_problem *release_survey_gap(const struct release_survey *survey)
{
    for (size_t i = 0; i < survey->problems.len; i++) {
        if (survey->problems.at[i].severity == MANIFEST_ERROR)
            return &survey->problems.at[i];
    }
    return NULL;
}
