#include <stdio.h>
#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "doc/yaml.h"
#include "release/rewrite.h"

#define HEAD(kind, name) "apiVersion: apps/v1\nkind: " kind "\nmetadata:\n  name: " name "\n"
#define POD              "spec:\n  template:\n    spec:\n      containers:\n"

/* An image of the container at a place of a workload, or an annotation of it ("" takes it away). */
struct wish {
    const char *id;
    size_t place;
    const char *image;
    const char *key, *text;
};

// clang-format off
static const struct rewrite_case {
    const char *name, *before;
    struct wish wishes[4];
    const char *after;
} rewrite_cases[] = {
    { "only the image changes",
      HEAD("Deployment", "a") POD "      - name: c\n        image:  \"app:1\"  # why\n      - name: d\n        image: app:1\n",
      { { "demo:deployment/a", 0, "app:1.10", NULL, NULL } },
      HEAD("Deployment", "a") POD "      - name: c\n        image:  \"app:1.10\"  # why\n      - name: d\n        image: app:1\n" },
    { "of two containers of one name each has its place",
      HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n      initContainers:\n      - {name: c, image: app:1}\n",
      { { "demo:deployment/a", 1, "app:2", NULL, NULL } },
      HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n      initContainers:\n      - {name: c, image: app:2}\n" },
    { "the document is found by its place",
      HEAD("ConfigMap", "x") "---\n# b\n" HEAD("StatefulSet", "b") POD "      - {name: c, image: app:1}\n---\n---\n" HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n",
      { { "demo:deployment/a", 0, "app:2", NULL, NULL } },
      HEAD("ConfigMap", "x") "---\n# b\n" HEAD("StatefulSet", "b") POD "      - {name: c, image: app:1}\n---\n---\n" HEAD("Deployment", "a") POD "      - {name: c, image: app:2}\n" },
    { "items of Lists, and of Lists in them",
      "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n- apiVersion: v1\n  kind: List\n  items:\n  - apiVersion: apps/v1\n    kind: DaemonSet\n    metadata: {name: a}\n    spec: {template: {spec: {containers: [{name: c, image: app:1}]}}}\n",
      { { "demo:daemonset/a", 0, "app:2", NULL, NULL }, { "demo:daemonset/a", 0, NULL, "fluxcd.io/locked", "true" } },
      "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n- apiVersion: v1\n  kind: List\n  items:\n  - apiVersion: apps/v1\n    kind: DaemonSet\n    metadata: {name: a, annotations: {fluxcd.io/locked: 'true'}}\n    spec: {template: {spec: {containers: [{name: c, image: app:2}]}}}\n" },
    { "values may hold an equals sign, and everything else",
      HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n",
      { { "demo:deployment/a", 0, NULL, "fluxcd.io/tag.c", "semver:>=1.0" }, { "demo:deployment/a", 0, NULL, "fluxcd.io/locked_msg", "it's: \"so\" # a=b\n" } },
      HEAD("Deployment", "a") "  annotations:\n    fluxcd.io/tag.c: semver:>=1.0\n    fluxcd.io/locked_msg: \"it's: \\\"so\\\" # a=b\\n\"\n" POD "      - {name: c, image: app:1}\n" },
    { "the last annotation goes with its map",
      "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations:\n    fluxcd.io/locked: 'true' # for now\n  name: a\n" POD "      - {name: c, image: app:1}\n",
      { { "demo:deployment/a", 0, NULL, "fluxcd.io/locked", "" }, { "demo:deployment/a", 0, NULL, "fluxcd.io/locked_msg", "" } },
      "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\n" POD "      - {name: c, image: app:1}\n" },
    { "an image that came by a merge key is written into the container",
      HEAD("Deployment", "a") POD "      - &c\n        name: c\n        image: app:1\n      - <<: *c\n        name: d\n",
      { { "demo:deployment/a", 1, "app:2", NULL, NULL } },
      HEAD("Deployment", "a") POD "      - &c\n        name: c\n        image: app:1\n      - <<: *c\n        name: d\n        image: app:2\n" },
    { "an alias keeps its old image",
      HEAD("Deployment", "a") POD "      - name: c\n        image: &i app:1\n      - name: d\n        image: *i\n",
      { { "demo:deployment/a", 0, "app:2", NULL, NULL } },
      HEAD("Deployment", "a") POD "      - name: c\n        image: &i app:2\n      - name: d\n        image: app:1\n" },
    { "an alias follows its anchor where both change",
      HEAD("Deployment", "a") POD "      - name: c\n        image: &i app:1\n      - name: d\n        image: *i\n",
      { { "demo:deployment/a", 0, "app:2", NULL, NULL }, { "demo:deployment/a", 1, "app:2", NULL, NULL } },
      HEAD("Deployment", "a") POD "      - name: c\n        image: &i app:2\n      - name: d\n        image: *i\n" },
    { "a tag of a HelmRelease is quoted where it would be a number",
      "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata:\n  name: a\nspec:\n  values:\n    image:\n      repository: reg.io/app\n      tag: v1   # {\"a\": 1}\n",
      { { "demo:helmrelease/a", 0, "reg.io/app:1.10", NULL, NULL } },
      "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata:\n  name: a\nspec:\n  values:\n    image:\n      repository: reg.io/app\n      tag: '1.10'   # {\"a\": 1}\n" },
    { "Windows' lines stay", "apiVersion: batch/v1\r\nkind: CronJob\r\nmetadata:\r\n  name: a\r\nspec:\r\n  jobTemplate:\r\n    spec:\r\n      template:\r\n        spec:\r\n          containers:\r\n          - name: c\r\n            image: app:1\r\n",
      { { "demo:cronjob/a", 0, "app:2", NULL, NULL }, { "demo:cronjob/a", 0, NULL, "fluxcd.io/automated", "true" } },
      "apiVersion: batch/v1\r\nkind: CronJob\r\nmetadata:\r\n  name: a\r\n  annotations:\r\n    fluxcd.io/automated: 'true'\r\nspec:\r\n  jobTemplate:\r\n    spec:\r\n      template:\r\n        spec:\r\n          containers:\r\n          - name: c\r\n            image: app:2\r\n" },
    { "JSON stays JSON", "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"a\"},\n\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"app:1\"}]}}}}",
      { { "demo:deployment/a", 0, "app:2", NULL, NULL }, { "demo:deployment/a", 0, NULL, "fluxcd.io/tag.c", "glob:*" } },
      "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"a\",\"annotations\":{\"fluxcd.io/tag.c\":\"glob:*\"}},\n\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"app:2\"}]}}}}" },
    { "the same image changes nothing",
      HEAD("Deployment", "a") POD "      - {name: c, image: 'app:1'}\n",
      { { "demo:deployment/a", 0, "app:1", NULL, NULL } },
      HEAD("Deployment", "a") POD "      - {name: c, image: 'app:1'}\n" },
};

/* Edits that cannot be carried out on a text, though they came from another one. */
static const struct bad_case {
    const char *name, *from, *text;
    struct wish wish;
    const char *error;
} bad_cases[] = {
    { "the document is gone", HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n", HEAD("Deployment", "b") POD "      - {name: c, image: app:1}\n",
      { "demo:deployment/a", 0, "app:2", NULL, NULL }, "dir/a.yaml:1: demo:deployment/a is not here (any more)" },
    { "the text is broken", HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n", HEAD("Deployment", "a") POD "      - {name: c, image: app:1\n",
      { "demo:deployment/a", 0, "app:2", NULL, NULL }, "dir/a.yaml:10: did not find expected ',' or '}'" },
    { "the container is an alias", HEAD("Deployment", "a") POD "      - &c {name: c, image: app:1}\n      initContainers:\n      - *c\n", NULL,
      { "demo:deployment/a", 1, "app:2", NULL, NULL }, "dir/a.yaml:1: spec.template.spec.initContainers[0] is an alias of something that stands elsewhere: write it out to change it" },
    { "an annotation that comes by a merge key is to go", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, annotations: &x {fluxcd.io/locked: 'true'}}\n---\n" HEAD("Deployment", "a") "  annotations:\n    <<: {fluxcd.io/locked: 'true'}\n" POD "      - {name: c, image: app:1}\n", NULL,
      { "demo:deployment/a", 0, NULL, "fluxcd.io/locked", "" },
      "dir/a.yaml: document 2 (line 4) cannot be edited the way it is written: aliases, merge keys (<<), \"? \" or tabs stand in the way" },
};

/* What fluxctl was told in the recorded scenario yaml-edits, by file: all that is left of it in the end. */
#define IMAGE "registry.example.org/app:1.10"
static const struct recorded_case {
    const char *file;
    struct wish wishes[4];
    int lines; /* that are new in our text; Flux wrote half of the files anew */
} recorded_cases[] = {
    { "comments.yaml", { { "demo:deployment/comments", 0, IMAGE, NULL, NULL }, { "demo:deployment/comments", 1, IMAGE, NULL, NULL } }, 2 },
    { "several.yaml", { { "demo:statefulset/init", 0, IMAGE, NULL, NULL }, { "demo:statefulset/init", 1, IMAGE, NULL, NULL }, { "demo:cronjob/cron", 0, NULL, "fluxcd.io/tag.app", "glob:1.*" } }, 3 },
    { "anchors.yaml", { { "demo:deployment/anchors", 0, IMAGE, NULL, NULL }, { "demo:deployment/anchors", 1, IMAGE, NULL, NULL } }, 1 },
    { "list.yaml", { { "demo:deployment/in-list", 0, IMAGE, NULL, NULL }, { "demo:deployment/in-list", 0, NULL, "fluxcd.io/tag.app", "semver:~1.2" } }, 3 },
    { "tight.yml", { { "demo:deployment/json", 0, IMAGE, NULL, NULL }, { "demo:deployment/json", 0, NULL, "fluxcd.io/tag.app", "glob:1.10" } }, 2 },
};

/* What verification says about two texts, the first with the one edit app:1 -> app:2 of the first container of demo:deployment/a. */
static const struct verify_case {
    const char *name, *before, *after, *error;
} verify_cases[] = {
    { "all is well", HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n      - {name: d, image: app:1}\n", HEAD("Deployment", "a") POD "      - {name: c, image: app:2}\n      - {name: d, image: app:1}\n", "" },
    { "nothing was edited", HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n", HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n",
      "verifying changes: failed to verify changes: the image for container \"c\" in resource \"demo:deployment/a\" should be \"app:2\", but is \"app:1\"" },
    { "too much was edited", HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n      - {name: d, image: app:1}\n", HEAD("Deployment", "a") POD "      - {name: c, image: app:2}\n      - {name: d, image: app:2}\n",
      "verifying changes: failed to verify changes: the image for container \"d\" in resource \"demo:deployment/a\" should be \"app:1\", but is \"app:2\"" },
    { "another workload was edited", HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n---\n" HEAD("Deployment", "b") POD "      - {name: c, image: app:1}\n", HEAD("Deployment", "a") POD "      - {name: c, image: app:2}\n---\n" HEAD("Deployment", "b") POD "      - {name: c, image: app:2}\n",
      "verifying changes: failed to verify changes: the image for container \"c\" in resource \"demo:deployment/b\" should be \"app:1\", but is \"app:2\"" },
    { "the order is another", HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n      - {name: d, image: app:1}\n", HEAD("Deployment", "a") POD "      - {name: d, image: app:1}\n      - {name: c, image: app:2}\n",
      "verifying changes: failed to verify changes: container 1 in resource \"demo:deployment/a\" should be \"c\", but is \"d\"" },
    { "a container is gone", HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n      - {name: d, image: app:1}\n", HEAD("Deployment", "a") POD "      - {name: c, image: app:2}\n",
      "verifying changes: failed to verify changes: resource \"demo:deployment/a\" should have 2 containers, but has 1" },
    { "an object is gone", HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n---\n" HEAD("ConfigMap", "x"), HEAD("Deployment", "a") POD "      - {name: c, image: app:2}\n",
      "verifying changes: failed to verify changes: resource \"demo:configmap/x\" is missing after the update" },
    { "an object is new", HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n", HEAD("Deployment", "a") POD "      - {name: c, image: app:2}\n---\n" HEAD("ConfigMap", "x"),
      "verifying changes: failed to verify changes: resource \"demo:configmap/x\" was not there before the update" },
    { "the text is broken now", HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n", HEAD("Deployment", "a") POD "      - {name: c, image: app:2\n",
      "loading resources after updates: dir/a.yaml:9:31: yaml: line 9: did not find expected ',' or '}'" },
};
// clang-format on

/* Without a NUL behind it, as files are. */
static struct release_file file_of(struct arena *mem, const char *text)
{
    return (struct release_file){ .path = "dir/a.yaml",
                                  .text = arena_copy(mem, text, strlen(text)),
                                  .len = strlen(text) };
}

static struct release_survey survey_of(struct arena *mem, const struct release_file *file)
{
    struct release_survey survey = { 0 };
    release_survey_add(mem, &survey, file, "demo");
    release_survey_seal(mem, &survey);
    return survey;
}

static void add_wish(struct arena *mem, const struct release_survey *survey,
                     const struct wish *wish, struct release_edits *edits)
{
    const struct release_workload *workload = release_survey_find(survey, wish->id);
    assert_non_null(workload);
    struct release_edit *edit = edits->len ? &edits->at[edits->len - 1] : NULL;
    if (!edit || edit->workload != workload) {
        edit = vec_push(mem, edits);
        edit->workload = workload;
    }
    if (wish->key) {
        edit->annotations = edit->annotations ? edit->annotations : val_new_map(mem);
        val_set_text(mem, edit->annotations, wish->key, wish->text);
        return;
    }
    vec_grow(mem, (void **)&edit->images, &edit->image_cap, edit->image_count,
             sizeof(*edit->images));
    assert_true(wish->place < workload->places.len);
    edit->images[edit->image_count].place = &workload->places.at[wish->place];
    SCOPED(err_free)
    struct err *e = image_ref_parse(mem, wish->image, &edit->images[edit->image_count].ref);
    assert_null(e);
    edit->image_count++;
}

static void rewrite_matches_case(void **state)
{
    const struct rewrite_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_file before = file_of(mem, c->before), after = { 0 };
    struct release_survey survey = survey_of(mem, &before);
    struct release_edits edits = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(c->wishes) && c->wishes[i].id; i++)
        add_wish(mem, &survey, &c->wishes[i], &edits);
    bool is_changed = false;
    SCOPED(err_free) struct err *e = release_rewrite(mem, &before, &edits, &after, &is_changed);
    assert_string_equal(err_text(e), "");
    assert_string_equal(arena_strndup(mem, after.text, after.len), c->after);
    assert_string_equal(after.path, "dir/a.yaml");
    assert_int_equal(is_changed, strcmp(c->before, c->after) != 0);
    struct release_survey again = survey_of(mem, &after);
    SCOPED(err_free)
    struct err *bad = release_rewrite_verify(mem, &survey, &again, &edits);
    assert_string_equal(err_text(bad), "");
    SCOPED(err_free)
    struct err *alone = release_rewrite_verify_file(&before, &after, "demo", &edits);
    assert_string_equal(err_text(alone), "");
}

static void rewrite_fails_as_case(void **state)
{
    const struct bad_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_file from = file_of(mem, c->from), text = c->text ? file_of(mem, c->text) : from;
    struct release_survey survey = survey_of(mem, &from);
    struct release_edits edits = { 0 };
    struct release_file after = { 0 };
    bool is_changed = false;
    add_wish(mem, &survey, &c->wish, &edits);
    SCOPED(err_free) struct err *e = release_rewrite(mem, &text, &edits, &after, &is_changed);
    assert_non_null(e);
    assert_string_equal(err_text(e), c->error);
    assert_int_equal(err_kind(e), ERR_INVALID);
    assert_false(is_changed);
}

static void verification_says_as_case(void **state)
{
    const struct verify_case *c = *state;
    static const struct wish wish = { "demo:deployment/a", 0, "app:2", NULL, NULL };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_file before = file_of(mem, c->before), after = file_of(mem, c->after);
    struct release_survey one = survey_of(mem, &before), two = survey_of(mem, &after);
    struct release_edits edits = { 0 };
    add_wish(mem, &one, &wish, &edits);
    SCOPED(err_free) struct err *e = release_rewrite_verify(mem, &one, &two, &edits);
    assert_string_equal(err_text(e), c->error);
    SCOPED(err_free)
    struct err *alone = release_rewrite_verify_file(&before, &after, "demo", &edits);
    assert_string_equal(err_text(alone), c->error);
}

static struct release_file read_file(struct arena *mem, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    char *text = arena_alloc(mem, (size_t)1 << 20);
    size_t len = fread(text, 1, ((size_t)1 << 20) - 1, file);
    assert_int_equal(fclose(file), 0);
    return (struct release_file){ .path = "dir/a.yaml", .text = text, .len = len };
}

/* What Flux made of a file in the end, with the registry named as in the fixtures. */
static struct doc_yaml_list recorded_text(struct arena *mem, const char *name)
{
    static const char host[] = "REGISTRY.HOST:1";
    struct release_file file =
        read_file(mem, TEST_DATA "/../differential/recordings/flux/yaml-edits.json");
    const char *wanted = arena_printf(mem, "file: %s", name);
    struct val *recording = NULL;
    SCOPED(err_free)
    struct err *e = doc_json_parse(mem, file.text, file.len, &recording);
    assert_null(e);
    const struct val *steps = val_get(recording, "steps"), *lines = NULL;
    for (size_t i = 0; i < val_len(steps); i++) {
        const struct val *step = val_item(steps, i);
        if (!strcmp(val_text_or(val_get(step, "step"), ""), wanted))
            lines = val_get(step, "text");
    }
    assert_true(val_len(lines) > 0);
    SBUF(text, (size_t)1 << 20);
    for (size_t i = 0; i < val_len(lines); i++) {
        const char *line = val_text(val_item(lines, i)), *at;
        for (; (at = strstr(line, host)); line = at + sizeof(host) - 1)
            sbuf_addf(&text, "%.*sregistry.example.org", (int)(at - line), line);
        sbuf_addf(&text, "%s\n", line);
    }
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free)
    struct err *bad =
        doc_yaml_load(mem, text.bytes, text.len, &doc_yaml_default_limits, &docs, NULL);
    assert_null(bad);
    return docs;
}

static int count_new_lines(const char *before, const char *after)
{
    int count = 0;
    for (const char *line = after; *line;) {
        size_t len = strcspn(line, "\n") + 1;
        count += !memmem(before, strlen(before), line, len);
        line += len;
    }
    return count;
}

static void edits_come_to_what_was_recorded(void **state)
{
    const struct recorded_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_file before = read_file(mem, arena_printf(mem, FIXTURES "/edits/%s", c->file));
    struct release_file after = { 0 };
    struct release_survey survey = survey_of(mem, &before);
    struct release_edits edits = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(c->wishes) && c->wishes[i].id; i++)
        add_wish(mem, &survey, &c->wishes[i], &edits);
    bool is_changed;
    SCOPED(err_free) struct err *e = release_rewrite(mem, &before, &edits, &after, &is_changed);
    assert_string_equal(err_text(e), "");
    struct doc_yaml_list ours = { 0 }, theirs = recorded_text(mem, c->file);
    SCOPED(err_free)
    struct err *bad =
        doc_yaml_load(mem, after.text, after.len, &doc_yaml_default_limits, &ours, NULL);
    assert_null(bad);
    assert_int_equal(ours.len, theirs.len);
    for (size_t i = 0; i < ours.len; i++)
        assert_true(val_equal(ours.at[i].root, theirs.at[i].root));
    assert_int_equal(count_new_lines(before.text, arena_strndup(mem, after.text, after.len)),
                     c->lines);
}

static void edits_of_other_files_are_left_alone(void **state)
{
    (void)state;
    static const struct wish wish = { "demo:deployment/a", 0, "app:2", NULL, NULL };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_file file =
        file_of(mem, HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n");
    struct release_survey survey = survey_of(mem, &file);
    struct release_edits edits = { 0 };
    add_wish(mem, &survey, &wish, &edits);
    struct release_file other = file, after = { 0 };
    bool is_changed = true;
    other.path = "dir/b.yaml";
    SCOPED(err_free) struct err *e = release_rewrite(mem, &other, &edits, &after, &is_changed);
    assert_null(e);
    assert_false(is_changed);
    assert_ptr_equal(after.text, file.text);
    survey.at[0].is_generated = true;
    SCOPED(err_free) struct err *made = release_rewrite(mem, &file, &edits, &after, &is_changed);
    assert_null(made);
    assert_false(is_changed);
}

/* Thousands of files are changed in one commit. */
static void of_a_file_only_its_text_is_kept(void **state)
{
    (void)state;
    static const struct wish wish = { "demo:deployment/a", 0, "app:2", NULL, NULL };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_file file =
        file_of(mem, HEAD("Deployment", "a") POD "      - {name: c, image: app:1}\n");
    struct release_survey survey = survey_of(mem, &file);
    struct release_edits edits = { 0 };
    add_wish(mem, &survey, &wish, &edits);
    size_t before = arena_used(mem);
    for (size_t i = 0; i < 100; i++) {
        struct release_file after = { 0 };
        bool is_changed = false;
        assert_null(release_rewrite(mem, &file, &edits, &after, &is_changed));
        assert_true(is_changed);
    }
    assert_true(arena_used(mem) - before < 100 * (file.len + 100));
}

/* Each finds its own among many: documents, and items of a List. */
static void each_of_many_gets_its_own_edit(void **state)
{
    (void)state;
    enum { DOCUMENTS = 400, ITEMS = 400, ALL = DOCUMENTS + ITEMS };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct sbuf text;
    sbuf_init(&text, SBUF_MAX);
    for (int i = 0; i < DOCUMENTS; i++)
        sbuf_addf(&text,
                  "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w%d}\nspec:\n  "
                  "template:\n    spec:\n"
                  "      containers: [{name: c, image: app:1}]\n",
                  i);
    sbuf_add(&text, "---\napiVersion: v1\nkind: List\nitems:\n");
    for (int i = DOCUMENTS; i < ALL; i++)
        sbuf_addf(&text,
                  "- apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: w%d}\n  spec: "
                  "{template: {spec: "
                  "{containers: [{name: c, image: app:1}]}}}\n",
                  i);
    struct release_file before = file_of(mem, sbuf_text(&text)), after = { 0 };
    sbuf_fini(&text);
    struct release_survey survey = survey_of(mem, &before);
    struct release_edits edits = { 0 };
    for (int i = 0; i < ALL; i++)
        add_wish(mem, &survey,
                 &(struct wish){ .id = arena_printf(mem, "demo:deployment/w%d", i),
                                 .image = arena_printf(mem, "app:to-%d", i) },
                 &edits);
    bool is_changed = false;
    SCOPED(err_free) struct err *e = release_rewrite(mem, &before, &edits, &after, &is_changed);
    assert_string_equal(err_text(e), "");
    struct release_survey again = survey_of(mem, &after);
    SCOPED(err_free)
    struct err *bad = release_rewrite_verify(mem, &survey, &again, &edits);
    assert_string_equal(err_text(bad), "");
    for (int i = 0; i < ALL; i++) {
        const char *id = arena_printf(mem, "demo:deployment/w%d", i);
        assert_string_equal(release_survey_find(&again, id)->places.at[0].ref.tag,
                            arena_printf(mem, "to-%d", i));
    }
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(rewrite_cases, rewrite_matches_case),
        ROWS(bad_cases, rewrite_fails_as_case),
        ROWS(verify_cases, verification_says_as_case),
        ROWS_BY(recorded_cases, file, edits_come_to_what_was_recorded),
        SINGLE(of_a_file_only_its_text_is_kept),
        SINGLE(edits_of_other_files_are_left_alone),
        SINGLE(each_of_many_gets_its_own_edit),
    };
    return rows_run("release_rewrite", tests, ARRAY_LEN(tests));
}
