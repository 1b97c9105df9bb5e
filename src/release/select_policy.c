/* Policies to annotations: what each workload's manifest is to say. */
#include <string.h>

#include "image/pattern.h"
#include "image/policy.h"
#include "release/select_parts.h"

#define TAG_PREFIX "tag."
#define TAG_ALL    "tag_all"

/* --- requests, spelled out: policy to value, "" takes it away */

static struct err *check_pattern(struct arena *mem, const char *text, struct image_pattern **out)
{
    SCOPED(err_free) struct err *bad = image_pattern_parse(mem, text, out);
    return bad ? err_new(ERR_INVALID, "invalid tag pattern: \"%.200s\"", text) : NULL;
}

static void set_tags(struct arena *mem, const struct image_places *places, const char *value,
                     struct val *out)
{
    for (size_t i = 0; i < places->len; i++)
        val_set_text(mem, out, arena_printf(mem, TAG_PREFIX "%s", places->at[i].container), value);
}

/* A filter that lets everything through is none. */
static struct err *add_tag_all(struct arena *mem, const struct image_places *places,
                               const char *value, struct val *out)
{
    struct image_pattern *pattern = NULL;
    if (*value)
        TRY(check_pattern(mem, value, &pattern));
    bool is_none = !pattern || strcmp(image_pattern_text(pattern), "glob:*") == 0;
    set_tags(mem, places, is_none ? "" : value, out);
    return NULL;
}

static struct err *add_one(struct arena *mem, const char *policy, const char *value,
                           struct val *out)
{
    struct image_pattern *pattern = NULL;
    if (*value && strncmp(policy, TAG_PREFIX, strlen(TAG_PREFIX)) == 0)
        TRY(check_pattern(mem, value, &pattern));
    val_set_text(mem, out, policy, value);
    return NULL;
}

/* In order of strength: tag_all, what is said of one container, what is taken away. */
static struct err *spell_out(struct arena *mem, const struct release_policy_update *update,
                             const struct image_places *places, struct val *out)
{
    const char *all = val_text(val_get(update->add, TAG_ALL));
    if (all)
        TRY(add_tag_all(mem, places, all, out));
    for (size_t i = 0; i < val_len(update->add); i++) {
        const struct val_pair *pair = &update->add->pairs[i];
        if (strcmp(pair->key, TAG_ALL) != 0)
            TRY(add_one(mem, pair->key, val_text_or(pair->value, ""), out));
    }
    for (size_t i = 0; i < val_len(update->remove); i++) {
        const char *policy = update->remove->pairs[i].key;
        if (strcmp(policy, TAG_ALL) == 0)
            set_tags(mem, places, "", out);
        else
            val_set_text(mem, out, policy, "");
    }
    return NULL;
}

/* --- and against what is written there */

/* Under every name that says it: else a weaker one would come to hold. `left` loses them. */
static void take_away(struct arena *mem, struct val *left, const char *policy, struct val *out)
{
    for (;;) {
        const char *key = image_policy_key(mem, left, policy);
        if (!val_remove(left, key))
            return;
        val_set_text(mem, out, key, "");
    }
}

static void put(struct arena *mem, const struct val *annotations, const struct val_pair *wanted,
                struct val *out)
{
    const char *key = image_policy_key(mem, annotations, wanted->key);
    const char *old = val_text(val_get(annotations, key)), *value = val_text(wanted->value);
    if (!old || strcmp(old, value) != 0)
        val_set_text(mem, out, key, value);
}

static struct val *annotations_for(struct arena *mem, const struct release_workload *workload,
                                   const struct val *wanted)
{
    const struct val *there = VAL_PATH(workload->manifest, "metadata", "annotations");
    struct val *left = val_is_map(there) ? val_copy_sharing(mem, there) : val_new_map(mem);
    struct val *out = val_new_map(mem);
    for (size_t i = 0; i < val_len(wanted); i++) {
        const struct val_pair *pair = &wanted->pairs[i];
        if (*val_text_or(pair->value, ""))
            put(mem, left, pair, out);
        else
            take_away(mem, left, pair->key, out);
    }
    val_sort_keys(out);
    return out;
}

/* --- one workload, all of them */

static struct err *check_workload(const struct select_run *run,
                                  const struct release_workload *workload)
{
    if (release_survey_is_duplicate(run->view->survey, workload->id))
        return err_new(ERR_INVALID, "resource %s is declared more than once", workload->id);
    if (!workload->is_workload)
        return err_new(ERR_INVALID, "resource %s does not have containers", workload->id);
    return NULL;
}

static struct err *update_workload(struct select_run *run,
                                   const struct release_policy_update *update,
                                   const struct release_workload *workload)
{
    struct val *wanted = val_new_map(run->mem);
    TRY(check_workload(run, workload));
    TRY(spell_out(run->mem, update, &workload->places, wanted));
    struct val *annotations = annotations_for(run->mem, workload, wanted);
    bool is_changed = val_len(annotations) > 0;
    release_result_add(run->mem, run->result, update->id,
                       is_changed ? RELEASE_SUCCESS : RELEASE_SKIPPED, "");
    if (is_changed)
        *vec_push(run->mem, run->edits) =
            (struct release_edit){ .workload = workload, .annotations = annotations };
    return NULL;
}

/* Where a part of the repository cannot be read nobody knows that there is nothing to do. */
static struct err *update_one(struct select_run *run, const struct release_policy_update *wanted)
{
    const struct release_workload *workload = release_survey_find(run->view->survey, wanted->id);
    if (workload)
        return update_workload(run, wanted, workload);
    const char *missing = release_select_missing(run);
    if (release_survey_gap(run->view->survey))
        return err_new(ERR_INVALID, "resource %s %s", wanted->id, missing);
    release_result_add(run->mem, run->result, wanted->id, RELEASE_SKIPPED, missing);
    return NULL;
}

struct err *release_select_policy_all(struct select_run *run)
{
    struct err *e = NULL;
    for (size_t i = 0; i < run->spec->policy_count && !e; i++) {
        e = update_one(run, &run->spec->policies[i]);
        if (e)
            release_result_add(run->mem, run->result, run->spec->policies[i].id, RELEASE_FAILED,
                               arena_strdup(run->mem, err_text(e)));
    }
    release_result_sort(run->result);
    return e;
}
