#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "doc/diff.h"
#include "lab.h"

#define FILE_MAX ((size_t)1 << 20)

/* Each file below data/ is a canary with what is around it, and steps: what somebody else changes (merge patches), what is
 * done then, and the objects that are there in the end; `writes` are the requests that the other operator needed for all of it. */
static const char *const stories[] = {
    "autoscaler",    "config-tracking",    "cost",
    "daemonset",     "istio-details",      "istio-success",
    "keda",          "revert-on-deletion", "service-target-external",
    "skip-analysis",
};

static struct val *read_story(struct arena *mem, const char *name)
{
    const char *path = arena_printf(mem, "%s/data/%s.yaml", TEST_DATA, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = arena_alloc(mem, FILE_MAX);
    size_t len = fread(text, 1, FILE_MAX - 1, file);
    assert_true(len > 0 && len < FILE_MAX - 1);
    assert_int_equal(fclose(file), 0);
    return value_of(mem, text);
}

/* An owner as the recordings write it. */
static struct val *owner_text(struct arena *mem, const struct val *owner)
{
    assert_string_equal(val_text_or(val_get(owner, "uid"), ""), "c-1");
    return val_new_text(
        mem, arena_printf(mem, "%s %s/%s%s%s", val_text_or(val_get(owner, "apiVersion"), ""),
                          val_text_or(val_get(owner, "kind"), ""),
                          val_text_or(val_get(owner, "name"), ""),
                          val_is_true(val_get(owner, "controller")) ? " controller" : "",
                          val_is_true(val_get(owner, "blockOwnerDeletion")) ? " blocking" : ""));
}

static void drop_if_empty(struct val *metadata, const char *field)
{
    if (val_len(val_get(metadata, field)) == 0)
        (void)val_remove(metadata, field);
}

/* The object in the form of the recordings: without what the API server sets, random ids made equal. */
static struct val *recorded_form(struct arena *mem, const struct val *object)
{
    struct val *out = val_copy(mem, object), *metadata = val_get(out, "metadata");
    (void)val_remove(metadata, "resourceVersion");
    (void)val_remove(metadata, "namespace");
    struct val *owners = val_get(metadata, "ownerReferences");
    for (size_t i = 0; i < val_len(owners); i++)
        owners->items[i] = owner_text(mem, owners->items[i]);
    drop_if_empty(metadata, "annotations");
    struct val *annotations = VAL_PATH(out, "spec", "template", "metadata", "annotations");
    const char *id = val_text(val_get(annotations, "flagger-id"));
    if (id) {
        assert_int_equal(strlen(id), 36);
        val_set_text(mem, annotations, "flagger-id", "<id>");
    }
    return out;
}

static void check_objects(struct lab *lab, const struct val *expected)
{
    assert_int_equal(lab->objects.len, val_len(expected));
    for (size_t i = 0; i < val_len(expected); i++) {
        const char *key = expected->pairs[i].key, *name = strchr(key, '/') + 1;
        const char *kind = arena_strndup(lab->mem, key, (size_t)(name - key - 1));
        const struct val *object = lab_object(lab, kind, name);
        struct doc_changes changes = { 0 };
        if (!object)
            fail_msg("no %s", key);
        doc_diff(lab->mem, expected->pairs[i].value, recorded_form(lab->mem, object), &changes);
        for (size_t k = 0; k < changes.len; k++)
            print_error("%s%s: %s, not %s\n", key, changes.at[k].path,
                        changes.at[k].to ? val_json(lab->mem, changes.at[k].to, NULL) : "absent",
                        changes.at[k].from ? val_json(lab->mem, changes.at[k].from, NULL)
                                           : "absent");
        assert_int_equal(changes.len, 0);
    }
}

/* As many requests of each verb and kind as there; copies of configs count on their own. */
static void check_writes(const struct lab *lab, const struct val *expected)
{
    for (size_t i = 0; i < val_len(expected); i++) {
        const char *what = expected->pairs[i].key;
        int64_t count = 0, wanted;
        for (size_t k = 0; k < lab->requests.len; k++)
            count += strncmp(lab->requests.at[k], what, strlen(what)) == 0 &&
                     lab->requests.at[k][strlen(what)] == '/';
        assert_true(val_int(expected->pairs[i].value, &wanted));
        if (count != wanted)
            fail_msg("%lld times %s, not %lld", (long long)count, what, (long long)wanted);
    }
}

static void change_objects(struct lab *lab, const struct val *patches)
{
    for (size_t i = 0; i < val_len(patches); i++) {
        const char *key = patches->pairs[i].key, *name = strchr(key, '/') + 1;
        const struct val *object =
            lab_object(lab, arena_strndup(lab->mem, key, (size_t)(name - key - 1)), name);
        assert_non_null(object);
        lab_store(lab, doc_merge_apply(lab->mem, object, patches->pairs[i].value));
    }
}

static void objects_are_as_recorded(void **state)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *story = read_story(mem, *state), *steps = val_get(story, "steps");
    struct lab lab;
    lab_begin(&lab, mem, val_get(story, "canary"), val_get(story, "live"));
    assert_true(val_len(steps) > 0);
    for (size_t i = 0; i < val_len(steps); i++) {
        const struct val *step = val_item(steps, i), *acts = val_get(step, "do");
        change_objects(&lab, val_get(step, "patch"));
        for (size_t k = 0; k < val_len(acts); k++)
            lab_do(&lab, val_text(val_item(acts, k)));
        if (val_get(step, "expect"))
            check_objects(&lab, val_get(step, "expect"));
    }
    check_writes(&lab, val_get(story, "writes"));
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(stories)];
    for (size_t i = 0; i < ARRAY_LEN(stories); i++)
        tests[i] = (struct CMUnitTest){ .name = stories[i],
                                        .test_func = objects_are_as_recorded,
                                        .initial_state = (void *)stories[i] };
    return cmocka_run_group_tests_name("canary_target_recordings", tests, NULL, NULL);
}
