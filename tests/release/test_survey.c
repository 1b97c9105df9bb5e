/* What a commit declares: where, which images, which policies; and what stands in the way. */
#include <string.h>

#include "../rows.h"

#include "release/survey.h"

#define WEB(extra)                                                            \
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web" extra "}\n" \
    "spec: {template: {spec: {containers: [{name: a, image: 'r.io/a:1'}]}}}\n"
#define MAP "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map, namespace: demo}\n"

/* Of each workload a line: id path:line:column, w if it is one, policies, containers=images. */
static const struct survey_case {
    const char *name;
    const char *files[3]; /* a.yaml, b.yaml, c.yaml */
    const char *text, *duplicates;
    size_t problems;
} cases[] = {
    { "no file", { NULL }, "", "", 0 },
    { "a workload and something else, sorted by ID",
      { WEB(
          ", namespace: demo, annotations: {fluxcd.io/automated: 'true', other: text}") "---"
                                                                                        "\n" MAP },
      "demo:configmap/map a.yaml:6:1 {}\n"
      "demo:deployment/web a.yaml:1:1 w {\"automated\":\"true\"} a=r.io/a:1\n",
      "",
      0 },
    { "a namespace that is not written",
      { WEB("") },
      "fallback:deployment/web a.yaml:1:1 w {} a=r.io/a:1\n",
      "",
      0 },
    { "a kind without namespaces",
      { "apiVersion: v1\nkind: Namespace\nmetadata: {name: demo, namespace: x}\n" },
      "<cluster>:namespace/demo a.yaml:1:1 {}\n",
      "",
      0 },
    { "items of a list have places of their own",
      { "apiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n"
        "  metadata: {name: b, namespace: demo}\n"
        "  spec: {template: {spec: {initContainers: [{name: i, image: b}], containers: "
        "[{name: c, image: 'a:1'}]}}}\n"
        "- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a, namespace: demo}\n" },
      "demo:configmap/a a.yaml:8:3 {}\ndemo:deployment/b a.yaml:4:3 w {} c=a:1 i=b\n",
      "",
      0 },
    { "a workload without containers is one",
      { "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {name: h, namespace: "
        "demo}\n" },
      "demo:helmrelease/h a.yaml:1:1 w {}\n",
      "",
      0 },
    { "claimed twice",
      { WEB(", namespace: demo"), "# x\n" WEB(", namespace: demo"), MAP },
      "demo:configmap/map c.yaml:1:1 {}\n"
      "demo:deployment/web a.yaml:1:1 w {} a=r.io/a:1\n"
      "demo:deployment/web b.yaml:2:1 w {} a=r.io/a:1\n",
      "demo:deployment/web ",
      0 },
    { "claimed three times, in one file",
      { MAP "---\n" MAP "---\n" MAP },
      "demo:configmap/map a.yaml:1:1 {}\ndemo:configmap/map a.yaml:5:1 {}\n"
      "demo:configmap/map a.yaml:9:1 {}\n",
      "demo:configmap/map ",
      0 },
    { "a file that cannot be read leaves the others",
      { "kind: [\n", MAP },
      "demo:configmap/map b.yaml:1:1 {}\n",
      "",
      1 },
    { "documents without a kind are nobody's", { "a: b\n---\n---\n" }, "", "", 0 },
};

static const char *describe(struct arena *mem, const struct release_survey *survey)
{
    SBUF(out, SBUF_MAX);
    for (size_t i = 0; i < survey->len; i++) {
        const struct release_workload *w = &survey->at[i];
        sbuf_addf(&out, "%s %s:%u:%u%s %s", w->id, w->path, w->line, w->column,
                  w->is_workload ? " w" : "", val_json(mem, w->policies, NULL));
        for (size_t p = 0; p < w->places.len; p++)
            sbuf_addf(&out, " %s=%s", w->places.at[p].container,
                      image_ref_write(mem, &w->places.at[p].ref));
        sbuf_add(&out, "\n");
    }
    return arena_strdup(mem, sbuf_text(&out));
}

static void survey_matches_case(void **state)
{
    static const char *const names[] = { "a.yaml", "b.yaml", "c.yaml" };
    const struct survey_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_survey survey = { 0 };
    for (size_t i = ARRAY_LEN(names); i-- > 0;) {
        struct release_file file = { .path = names[i], .text = c->files[i] };
        file.len = file.text ? strlen(file.text) : 0;
        if (file.text)
            release_survey_add(mem, &survey, &file, "fallback");
    }
    release_survey_seal(mem, &survey);
    assert_string_equal(describe(mem, &survey), c->text);
    assert_int_equal(survey.problems.len, c->problems);
    const char *duplicates = "";
    for (size_t i = 0; i < survey.duplicate_count; i++) {
        duplicates = arena_printf(mem, "%s%s ", duplicates, survey.duplicates[i]);
        assert_true(release_survey_is_duplicate(&survey, survey.duplicates[i]));
    }
    assert_string_equal(duplicates, c->duplicates);
    for (size_t i = 0; i < survey.len; i++)
        assert_string_equal(release_survey_find(&survey, survey.at[i].id)->id, survey.at[i].id);
    assert_null(release_survey_find(&survey, "demo:deployment/none"));
    assert_false(release_survey_is_duplicate(&survey, "demo:deployment/none"));
}

static void generated_manifests_say_so(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_survey survey = { 0 };
    struct manifest_list manifests = { 0 };
    struct manifest_problems problems = { 0 };
    struct manifest_source source = { .path = "staging/../.flux.yaml", .is_generated = true };
    const char *text = WEB("");
    assert_true(manifest_parse(mem, &source, text, strlen(text), &manifests, &problems));
    release_survey_add_manifests(mem, &survey, &manifests, "demo");
    release_survey_seal(mem, &survey);
    const struct release_workload *web = release_survey_find(&survey, "demo:deployment/web");
    assert_non_null(web);
    assert_true(web->is_generated);
    assert_string_equal(web->path, "staging/../.flux.yaml");
    assert_string_equal(web->ns, "demo");
    assert_int_equal(web->places.len, 1);
}

/* Its seal would break: nothing of it can be released, and where there could be a workload that is said. */
static void encrypted_files_are_left_alone(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t problems;
    } files[] = { { WEB("") "sops: {mac: x}\n", 1 },
                  { "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nsops: {mac: x}\n", 0 },
                  { "apiVersion: ENC[a]\nkind: ENC[b]\nmetadata: ENC[c]\nsops: {mac: x}\n", 1 } };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        struct release_survey survey = { 0 };
        const struct release_file file = { "web.yaml", files[i].text, strlen(files[i].text) };
        release_survey_add(mem, &survey, &file, "demo");
        release_survey_seal(mem, &survey);
        assert_int_equal(survey.len, 0);
        assert_int_equal(survey.problems.len, files[i].problems);
        if (files[i].problems)
            assert_non_null(strstr(survey.problems.at[0].text, "encrypted with SOPS"));
    }
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(generated_manifests_say_so),
        SINGLE(encrypted_files_are_left_alone),
        ROWS(cases, survey_matches_case),
    };
    return rows_run("release_survey", tests, ARRAY_LEN(tests));
}
