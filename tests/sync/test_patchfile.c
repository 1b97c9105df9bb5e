#include <string.h>

#include "../rows.h"

#include "sync/patchfile.h"

static const char generated[] = "{apiVersion: v1, kind: Namespace, metadata: {name: demo}}\n---\n"
                                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, "
                                "namespace: demo}\nspec:\n  template:\n    spec:\n"
                                "      containers:\n      - {name: app, image: \"a:1\", args: "
                                "[x]}\n      - {name: twin, image: \"a:1\"}\n---\n"
                                "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: "
                                "{name: h, namespace: demo}\nspec: {values: {l: [{name: a, v: "
                                "1}], k: w}}\n";

static const struct patch_case {
    const char *name, *patch;
    const char
        *id_at; /* index of the manifest to look at, as a digit, and its object; NULL: an error */
    const char *json, *error;
} cases[] = {
    { "an empty patch changes nothing but the order", "", "0",
      "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"demo\"}}", NULL },
    { "built-in kinds take a strategic merge: containers by name",
      "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: demo}\nspec: "
      "{template: {spec: {containers: "
      "[{name: twin, image: \"a:2\"}]}}}\n",
      "1",
      "{\"apiVersion\":\"apps/"
      "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\",\"namespace\":\"demo\"},"
      "\"spec\":"
      "{\"template\":{\"spec\":{\"containers\":[{\"name\":\"app\",\"image\":\"a:1\",\"args\":["
      "\"x\"]},"
      "{\"name\":\"twin\",\"image\":\"a:2\"}]}}}}",
      NULL },
    { "other kinds take a merge patch: lists as a whole",
      "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {name: h, namespace: "
      "demo}\nspec: {values: {l: [{name: b}], k: "
      "null}}\n",
      "2",
      "{\"apiVersion\":\"helm.fluxcd.io/"
      "v1\",\"kind\":\"HelmRelease\",\"metadata\":{\"name\":\"h\",\"namespace\":\"demo\"},"
      "\"spec\":{\"values\":{\"l\":[{\"name\":\"b\"}]}}}",
      NULL },
    { "two patches of one object are both applied",
      "{apiVersion: v1, kind: Namespace, metadata: {name: demo, labels: {a: b}}}\n---\n"
      "{apiVersion: v1, kind: Namespace, metadata: {name: demo, labels: {c: d}}}\n",
      "0",
      "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"demo\",\"labels\":{"
      "\"a\":\"b\",\"c\":\"d\"}}}",
      NULL },
    { "a patch of what is not there is refused",
      "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: o, namespace: demo}}\n", NULL, NULL,
      "processing \".flux.yaml\", cannot apply patchFile \"flux-patch.yaml\" to generated "
      "resources: patch refers to missing "
      "resource (demo:daemonset/o)" },
    { "a patch without namespace is not guessed one",
      "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}\n", NULL, NULL,
      "patch refers to missing resource (<cluster>:deployment/web)" },
    { "a broken patch names its line", "a: [\n", NULL, NULL, "yaml: line 2: did not find" },
    { "a patch that is a list is refused", "---\n- a\n", NULL, NULL,
      "line 2: a patch has to be a map, here it is a list" },
    { "a patch may not make an object none",
      "{apiVersion: v1, kind: Namespace, metadata: {name: demo, labels: {a: 1}}}\n", NULL, NULL,
      "metadata.labels[\"a\"] must be a string" },
};

static void patches(void **state)
{
    const struct patch_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct manifest_list list = { 0 }, out = { 0 };
    struct manifest_problems problems = { 0 };
    struct manifest_source source = { .path = "./.flux.yaml", .is_generated = true };
    assert_true(manifest_parse(mem, &source, generated, sizeof(generated) - 1, &list, &problems));
    struct patchfile patch = { ".flux.yaml", "flux-patch.yaml", c->patch, strlen(c->patch) };
    SCOPED(err_free) struct err *e = patchfile_apply(mem, &patch, &list, &out);
    if (c->error) {
        assert_true(err_is(e, ERR_INVALID));
        if (!strstr(err_text(e), c->error))
            fail_msg("\"%s\" is not in \"%s\"", c->error, err_text(e));
        return;
    }
    if (e)
        fail_msg("%s", err_text(e));
    assert_int_equal(out.len, 3);
    const struct manifest *m = &out.at[*c->id_at - '0'];
    assert_string_equal(val_json(mem, m->object, NULL), c->json);
    assert_string_equal(m->path, "./.flux.yaml");
    assert_true(m->is_generated);
    assert_true(m->line > 0);
}

static void two_generated_objects_of_one_id_cannot_be_patched(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const char text[] = "{apiVersion: v1, kind: Secret, metadata: {name: a}}\n---\n"
                               "{apiVersion: v1, kind: Secret, metadata: {name: a}}\n";
    struct manifest_list list = { 0 }, out = { 0 };
    struct manifest_problems problems = { 0 };
    struct manifest_source source = { .path = "./.flux.yaml", .is_generated = true };
    assert_true(manifest_parse(mem, &source, text, sizeof(text) - 1, &list, &problems));
    struct patchfile patch = { ".flux.yaml", "flux-patch.yaml", "", 0 };
    SCOPED(err_free) struct err *e = patchfile_apply(mem, &patch, &list, &out);
    assert_true(err_is(e, ERR_INVALID));
    assert_non_null(strstr(
        err_text(e), "duplicate definition of '<cluster>:secret/a' (generated by ./.flux.yaml)"));
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(cases, patches),
        SINGLE(two_generated_objects_of_one_id_cannot_be_patched),
    };
    return rows_run("sync_patchfile", tests, ARRAY_LEN(tests));
}
