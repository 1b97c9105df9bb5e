/* Where manifests name their images, and what is written there for another one. */
#include <string.h>

#include "../rows.h"

#include "doc/yaml.h"
#include "image/place.h"

static const struct val *load(struct arena *mem, const char *yaml)
{
    struct doc_yaml_list docs = { .len = 0 };
    struct err *e = doc_yaml_load(mem, yaml, strlen(yaml), &doc_yaml_default_limits, &docs, NULL);
    if (e)
        fail_msg("%s", err_text(e));
    assert_int_equal(docs.len, 1);
    return docs.at[0].root;
}

static const char *path_text(struct arena *mem, const struct doc_step *path)
{
    const char *text = "";
    for (; path->key || path->index != DOC_EDIT_END; path++)
        text = path->key ? arena_printf(mem, "%s.%s", text, path->key)
                         : arena_printf(mem, "%s[%zu]", text, path->index);
    return text;
}

/* All places of a manifest, and what is written for another image: a line for each. */
static const char *describe(struct arena *mem, const char *yaml, const char *other)
{
    struct image_places places;
    size_t bad = 0;
    image_places_read(mem, load(mem, yaml), &places, &bad);
    const char *text = "";
    for (size_t i = 0; i < places.len; i++) {
        const struct image_place *place = &places.at[i];
        struct image_ref ref = place->ref;
        if (other)
            assert_null(image_ref_parse(mem, other, &ref));
        text = arena_printf(mem, "%s%s %s\n", text, place->container,
                            image_ref_write(mem, &place->ref));
        struct image_write writes[3];
        size_t count = image_place_write(mem, place, &ref, writes);
        assert_true(count <= 3);
        for (size_t j = 0; j < count; j++)
            text = arena_printf(mem, "%s  %s = %s\n", text, path_text(mem, writes[j].path),
                                writes[j].text);
    }
    return bad ? arena_printf(mem, "%s%zu bad\n", text, bad) : text;
}

#define DEPLOYMENT "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n"
#define RELEASE    "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {name: a}\nspec:\n"
#define ALIASED(annotations)                                                              \
    "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {name: a, annotations: " \
    "{" annotations "}}\nspec:\n"
#define V ".spec.values"

static const struct place_case {
    const char *name, *yaml;
    const char *other; /* NULL: the same image again */
    const char *places;
} place_cases[] = {
    { "containers come before init containers",
      DEPLOYMENT
      "  template:\n    spec:\n      initContainers:\n      - {name: i, image: 'init:1'}\n"
      "      containers:\n      - {name: b, image: 'b:1'}\n      - {name: a, image: a}\n",
      NULL,
      "b b:1\n  .spec.template.spec.containers[0].image = b:1\n"
      "a a\n  .spec.template.spec.containers[1].image = a\n"
      "i init:1\n  .spec.template.spec.initContainers[0].image = init:1\n" },
    { "a cron job has its pods deeper",
      "kind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: j, image: "
      "'j:1'}]}}}}}\n",
      "quay.io/x/j:2",
      "j j:1\n  .spec.jobTemplate.spec.template.spec.containers[0].image = quay.io/x/j:2\n" },
    { "a daemon set and any case",
      "kind: daemonset\nspec: {template: {spec: {containers: [{name: j, image: 'j:1'}]}}}\n", NULL,
      "j j:1\n  .spec.template.spec.containers[0].image = j:1\n" },
    { "a stateful set",
      "kind: StatefulSet\nspec: {template: {spec: {containers: [{name: j, image: 'j:1'}]}}}\n",
      NULL, "j j:1\n  .spec.template.spec.containers[0].image = j:1\n" },
    { "a pinned image is written with both",
      DEPLOYMENT "  template: {spec: {containers: [{name: p, image: 'a/b:1@sha256:00'}]}}\n",
      "a/b:2@sha256:11",
      "p a/b:1@sha256:00\n  .spec.template.spec.containers[0].image = a/b:2@sha256:11\n" },
    { "what cannot be parsed is left out alone",
      DEPLOYMENT
      "  template: {spec: {containers: [{name: a, image: 'a:1:2'}, {name: b}, {image: c}, "
      "7, {name: d, image: 7}, {name: e, image: e}]}}\n",
      NULL, "e e\n  .spec.template.spec.containers[5].image = e\n5 bad\n" },
    { "lists that are none hold nothing",
      DEPLOYMENT "  template: {spec: {containers: {name: a}}}\n", NULL, "" },
    { "other kinds have no images",
      "kind: Job\nspec: {template: {spec: {containers: [{name: j, image: 'j:1'}]}}}\n", NULL, "" },
    { "a manifest without a kind has none", "spec: {values: {image: a}}\n", NULL, "" },

    /* Values of Helm: the four rows of what is written, for both shapes. */
    { "values: a whole reference", RELEASE "  values: {image: 'quay.io/a/b:1'}\n", "ghcr.io/c/d:2",
      "chart-image quay.io/a/b:1\n  " V ".image = ghcr.io/c/d:2\n" },
    { "values: a tag beside", RELEASE "  values: {image: quay.io/a/b, tag: '1'}\n", "ghcr.io/c/d:2",
      "chart-image quay.io/a/b:1\n  " V ".image = ghcr.io/c/d\n  " V ".tag = 2\n" },
    { "values: a registry beside", RELEASE "  values: {image: 'a/b:1', registry: quay.io}\n",
      "ghcr.io/c/d:2",
      "chart-image quay.io/a/b:1\n  " V ".registry = ghcr.io\n  " V ".image = c/d:2\n" },
    { "values: all three", RELEASE "  values: {image: a/b, registry: quay.io, tag: '1'}\n",
      "ghcr.io/c/d:2",
      "chart-image quay.io/a/b:1\n  " V ".registry = ghcr.io\n  " V ".image = c/d\n  " V
      ".tag = 2\n" },
    { "values: a map with a whole reference",
      RELEASE "  values: {image: {repository: 'quay.io/a/b:1'}}\n", "ghcr.io/c/d:2",
      "chart-image quay.io/a/b:1\n  " V ".image.repository = ghcr.io/c/d:2\n" },
    { "values: a map with a tag", RELEASE "  values: {image: {repository: quay.io/a/b, tag: v1}}\n",
      "ghcr.io/c/d:2",
      "chart-image quay.io/a/b:v1\n  " V ".image.repository = ghcr.io/c/d\n  " V
      ".image.tag = 2\n" },
    { "values: a map with a registry",
      RELEASE "  values: {image: {repository: 'a/b:1', registry: quay.io}, registry: x, tag: y}\n",
      "ghcr.io/c/d:2",
      "chart-image quay.io/a/b:1\n  " V ".image.registry = ghcr.io\n  " V
      ".image.repository = c/d:2\n" },
    { "values: a map with all three",
      RELEASE "  values: {image: {repository: chart, registry: 'reg.host:1', tag: 1.0.0}}\n",
      "reg.host:1/chart:1.1.0",
      "chart-image reg.host:1/chart:1.0.0\n  " V ".image.repository = chart\n  " V
      ".image.tag = 1.1.0\n" },
    { "values: another image of no domain",
      RELEASE "  values: {image: {repository: a/b, registry: quay.io, tag: v1}}\n", "nginx:2",
      "chart-image quay.io/a/b:v1\n  " V ".image.registry = \n  " V
      ".image.repository = nginx\n  " V ".image.tag = 2\n" },
    { "values: a registry with a path stays",
      RELEASE "  values: {registry: quay.io/team, image: app, tag: v1}\n", "quay.io/team/app:2",
      "chart-image quay.io/team/app:v1\n  " V ".image = app\n  " V ".tag = 2\n" },
    { "values: a registry with a path goes with another image",
      RELEASE "  values: {registry: quay.io/team, image: 'app:1'}\n", "quay.io/teams/app:2",
      "chart-image quay.io/team/app:1\n  " V ".registry = quay.io\n  " V ".image = teams/app:2\n" },
    { "values: a pin in the tag",
      RELEASE "  values: {image: {repository: a/b, tag: '1@sha256:00'}}\n", "a/b:2@sha256:11",
      "chart-image a/b:1@sha256:00\n  " V ".image.repository = a/b\n  " V
      ".image.tag = 2@sha256:11\n" },
    { "values: a digest for a tag",
      RELEASE "  values: {image: {repository: a/b@sha256, tag: '00'}}\n", "a/b@sha256:11",
      "chart-image a/b@sha256:00\n  " V ".image.repository = a/b@sha256\n  " V
      ".image.tag = 11\n" },

    { "values: a tag that is a number looks untagged, and is written",
      RELEASE "  values: {numeric: {image: a/b, tag: 1.10}}\n", "a/b:1.1.0",
      "numeric a/b\n  " V ".numeric.image = a/b\n  " V ".numeric.tag = 1.1.0\n" },
    { "values: a tag that is null, too", RELEASE "  values: {image: {repository: a/b, tag: }}\n",
      "a/b:2", "chart-image a/b\n  " V ".image.repository = a/b\n  " V ".image.tag = 2\n" },
    { "values: an empty tag, too", RELEASE "  values: {image: {repository: a/b, tag: ''}}\n",
      "a/b:2", "chart-image a/b\n  " V ".image.repository = a/b\n  " V ".image.tag = 2\n" },
    { "values: a number beside an image with a tag is something else",
      RELEASE "  values: {image: 'a/b:1', tag: 7}\n", "a/b:2",
      "chart-image a/b:1\n  " V ".image = a/b:2\n" },
    { "values: a map is no tag",
      RELEASE "  values: {image: a/b, tag: {a: b}, registry: {on: true}}\n", "quay.io/a/b:2",
      "chart-image a/b\n  " V ".image = quay.io/a/b:2\n" },
    { "values: an empty registry is filled",
      RELEASE "  values: {image: {repository: quay.io/a/b, registry: '', tag: v1}}\n",
      "quay.io/a/b:2",
      "chart-image quay.io/a/b:v1\n  " V ".image.registry = quay.io\n  " V
      ".image.repository = a/b\n  " V ".image.tag = 2\n" },
    { "values: a registry that is no text is none",
      RELEASE "  values: {image: 'a/b:1', registry: true}\n", "a/b:2",
      "chart-image a/b:1\n  " V ".image = a/b:2\n" },
    { "values: two tags are no image", RELEASE "  values: {image: 'a/b:1', tag: v2}\n", NULL,
      "1 bad\n" },
    { "values: an image without a text is none",
      RELEASE "  values: {image: {tag: v1}, a: {image: 7}, b: {image: []}, c: {image: null}}\n",
      NULL, "" },
    { "values: the chart's image first, the others by name, one level deep",
      RELEASE
      "  values: {b: {image: 'b:1'}, image: 'z:1', a: {image: {repository: a, tag: v1}}, c: "
      "{d: {image: 'no:1'}}, e: [{image: 'no:1'}]}\n",
      NULL,
      "chart-image z:1\n  " V ".image = z:1\na a:v1\n  " V ".a.image.repository = a\n  " V
      ".a.image.tag = v1\nb b:1\n  " V ".b.image = b:1\n" },
    { "values that are none have no images", RELEASE "  values: [image]\n", NULL, "" },
    { "values from elsewhere are not seen", RELEASE "  valuesFrom: [{secretKeyRef: {name: a}}]\n",
      NULL, "" },

    { "an alias names a repository",
      ALIASED("repository.fluxcd.io/deep: some.where.repo") "  values: {some: "
                                                            "{where: {repo: 'a/b:1'}}}\n",
      "a/b:2", "deep a/b:1\n  " V ".some.where.repo = a/b:2\n" },
    { "an alias with a tag",
      ALIASED(
          "repository.fluxcd.io/deep: some.repo, tag.fluxcd.io/deep: some.tag") "  values: {some: "
                                                                                "{repo: a/b, tag: "
                                                                                "'1'}}\n",
      "a/b:2", "deep a/b:1\n  " V ".some.repo = a/b\n  " V ".some.tag = 2\n" },
    { "an alias with a registry",
      ALIASED(
          "repository.fluxcd.io/deep: repo, registry.fluxcd.io/deep: global.registry") "  values: "
                                                                                       "{repo: "
                                                                                       "'a/b:1', "
                                                                                       "global: "
                                                                                       "{registry: "
                                                                                       "quay.io}}"
                                                                                       "\n",
      "ghcr.io/a/b:2",
      "deep quay.io/a/b:1\n  " V ".global.registry = ghcr.io\n  " V ".repo = a/b:2\n" },
    { "an alias with all three",
      ALIASED("repository.fluxcd.io/deep: repo, registry.fluxcd.io/deep: reg, tag.fluxcd.io/deep: "
              "ver") "  values: {repo: a/b, reg: quay.io, ver: v1}\n",
      "ghcr.io/c/d:2",
      "deep quay.io/a/b:v1\n  " V ".reg = ghcr.io\n  " V ".repo = c/d\n  " V ".ver = 2\n" },
    { "an alias may be the chart's image, and wins",
      ALIASED("repository.fluxcd.io/chart-image: other") "  values: {image: 'a:1', other: 'b:1'}\n",
      NULL, "chart-image b:1\n  " V ".other = b:1\n" },
    { "an alias without a path leaves what was found",
      ALIASED(
          "repository.fluxcd.io/chart-image: no.such, repository.fluxcd.io/x: image.too.deep") "  "
                                                                                               "val"
                                                                                               "ues"
                                                                                               ": "
                                                                                               "{im"
                                                                                               "age"
                                                                                               ": "
                                                                                               "'a:"
                                                                                               "1'}"
                                                                                               "\n",
      NULL, "chart-image a:1\n  " V ".image = a:1\n2 bad\n" },
    { "an alias one of whose paths is none is left out",
      ALIASED("repository.fluxcd.io/x: repo, tag.fluxcd.io/x: nowhere") "  values: {repo: a}\n",
      NULL, "1 bad\n" },
    { "an alias for a number is left out",
      ALIASED("repository.fluxcd.io/x: repo, tag.fluxcd.io/x: tag") "  values: {repo: a, tag: 7}\n",
      NULL, "1 bad\n" },
    { "an alias needs a name, and a path",
      ALIASED(
          "repository.fluxcd.io/: repo, repository.fluxcd.io/a: '', tag.fluxcd.io/b: repo") "  "
                                                                                            "values"
                                                                                            ": "
                                                                                            "{repo:"
                                                                                            " a}\n",
      NULL, "1 bad\n" },
};

static void place_matches_case(void **state)
{
    const struct place_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(describe(mem, c->yaml, c->other), c->places);
}

/* The files of the scenario "helmrelease", and what became of them when all images were released. */
static const struct file_case {
    const char *name, *before, *other, *after;
} file_cases[] = {
    { "file: a whole reference with a comment",
      RELEASE "  values:\n    image: reg.host:1/chart:1.0.0  # the whole reference\n",
      "reg.host:1/chart:1.1.0",
      RELEASE "  values:\n    image: reg.host:1/chart:1.1.0  # the whole reference\n" },
    { "file: a map",
      RELEASE "  values:\n    image:\n      repository: reg.host:1/chart\n      tag: 1.0.0\n      "
              "pullPolicy: Always\n",
      "reg.host:1/chart:1.1.0",
      RELEASE "  values:\n    image:\n      repository: reg.host:1/chart\n      tag: 1.1.0\n      "
              "pullPolicy: Always\n" },
    { "file: registries, quotes and numbers",
      RELEASE "  values:\n"
              "    image: {registry: \"reg.host:1\", repository: chart, tag: \"1.0.0\"}\n"
              "    sidecar:\n      image: chart\n      registry: reg.host:1\n      tag: '1.0.0'\n"
              "    numeric:\n      image: reg.host:1/chart\n      tag: 1.10\n"
              "    plain: {image: \"reg.host:1/chart:1.0.0\"}\n",
      "reg.host:1/chart:1.1.0",
      RELEASE "  values:\n"
              "    image: {registry: \"reg.host:1\", repository: chart, tag: \"1.1.0\"}\n"
              "    sidecar:\n      image: chart\n      registry: reg.host:1\n      tag: '1.1.0'\n"
              "    numeric:\n      image: reg.host:1/chart\n      tag: 1.1.0\n"
              "    plain: {image: \"reg.host:1/chart:1.1.0\"}\n" },
    { "file: aliases",
      ALIASED("repository.fluxcd.io/deep: some.where.repo, tag.fluxcd.io/deep: "
              "some.where.version") "  values:\n    some:\n      where:\n        repo: "
                                    "reg.host:1/chart\n        version: "
                                    "\"1.0.0\"\n",
      "reg.host:1/chart:1.1.0",
      ALIASED("repository.fluxcd.io/deep: some.where.repo, tag.fluxcd.io/deep: "
              "some.where.version") "  values:\n    some:\n      where:\n        repo: "
                                    "reg.host:1/chart\n        version: "
                                    "\"1.1.0\"\n" },
    { "file: a tag without a value",
      RELEASE "  values:\n    image:\n      repository: a/b\n      tag:\n", "a/b:1.10",
      RELEASE "  values:\n    image:\n      repository: a/b\n      tag: '1.10'\n" },
    { "file: a pinned image of a deployment",
      DEPLOYMENT "  template: {spec: {containers: [{name: p, image: 'a/b:1@sha256:00'}]}}\n",
      "a/b:2@sha256:11",
      DEPLOYMENT "  template: {spec: {containers: [{name: p, image: 'a/b:2@sha256:11'}]}}\n" },
};

static void file_matches_case(void **state)
{
    const struct file_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_places places;
    image_places_read(mem, load(mem, c->before), &places, NULL);
    struct image_ref ref;
    assert_null(image_ref_parse(mem, c->other, &ref));
    struct doc_edit *edit = NULL;
    assert_null(
        doc_edit_new(mem, c->before, strlen(c->before), &doc_yaml_default_limits, &edit, NULL));
    for (size_t i = 0; i < places.len; i++) {
        struct image_write writes[3];
        size_t count = image_place_write(mem, &places.at[i], &ref, writes);
        for (size_t j = 0; j < count; j++)
            assert_null(doc_edit_set(edit, 0, writes[j].path, writes[j].text));
    }
    const char *after = NULL;
    size_t len = 0;
    bool is_changed = false;
    assert_null(doc_edit_finish(edit, &after, &len, &is_changed));
    assert_true(is_changed);
    assert_string_equal(arena_strndup(mem, after, len), c->after);
}

static void workloads_are_known_by_kind(void **state)
{
    (void)state;
    static const char *const yes[] = { "CronJob",     "DaemonSet",   "Deployment",
                                       "StatefulSet", "HelmRelease", "helmrelease" };
    static const char *const no[] = { "", "Job", "Pod", "ReplicaSet", "Deployments" };
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        assert_true(image_place_is_workload(yes[i]));
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        assert_false(image_place_is_workload(no[i]));
}

static void items_of_lists_are_read_by_kind(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *item = load(mem, "spec: {template: {spec: {imagePullSecrets: [{name: s}], "
                                       "containers: [{name: a, image: a}]}}}");
    struct image_places places;
    image_places_read_kind(mem, "Deployment", item, &places, NULL);
    assert_int_equal(places.len, 1);
    struct image_pull pull;
    image_place_pull_kind(mem, "Deployment", item, &pull);
    assert_string_equal(pull.secrets[0], "s");
    image_place_pull(mem, item, &pull);
    assert_null(pull.secrets[0]);
}

static void places_are_bounded(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(yaml, SBUF_MAX);
    sbuf_add(&yaml, RELEASE "  values:\n");
    for (size_t i = 0; i < IMAGE_PLACES_MAX + 5; i++)
        sbuf_addf(&yaml, "    k%zu: {image: 'a:1'}\n", i);
    struct image_places places;
    size_t bad = 0;
    image_places_read(mem, load(mem, sbuf_text(&yaml)), &places, &bad);
    assert_int_equal(places.len, IMAGE_PLACES_MAX);
    assert_int_equal(bad, 5);
}

/* As deep as values can be. */
static void aliases_reach_as_deep_as_values_are(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    enum { DEEP = DOC_DEPTH_MAX - 3 };
    SBUF(path, SBUF_MAX);
    SBUF(yaml, SBUF_MAX);
    for (size_t i = 0; i < DEEP; i++)
        sbuf_add(&path, i ? ".a" : "a");
    sbuf_addf(&yaml,
              "kind: HelmRelease\nmetadata: {annotations: {repository.fluxcd.io/x: %s}}\nspec: "
              "{values: ",
              sbuf_text(&path));
    for (size_t i = 0; i < DEEP; i++)
        sbuf_add(&yaml, "{a: ");
    sbuf_add(&yaml, "'b:1'");
    for (size_t i = 0; i < DEEP; i++)
        sbuf_add(&yaml, "}");
    sbuf_add(&yaml, "}\n");
    struct image_places places;
    image_places_read(mem, load(mem, sbuf_text(&yaml)), &places, NULL);
    assert_int_equal(places.len, 1);
    assert_string_equal(places.at[0].ref.tag, "1");
}

static const struct pull_case {
    const char *name, *yaml, *account, *secrets;
} pull_cases[] = {
    { "secrets and an account",
      DEPLOYMENT "  template: {spec: {serviceAccountName: robot, imagePullSecrets: [{name: a}, {}, "
                 "{name: b}, 7]}}\n",
      "robot", "a b " },
    { "the old field of the account", DEPLOYMENT "  template: {spec: {serviceAccount: old}}\n",
      "old", "" },
    { "neither", DEPLOYMENT "  template: {spec: {}}\n", "default", "" },
    { "no pods at all", DEPLOYMENT "  replicas: 1\n", "default", "" },
    { "a cron job",
      "kind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {imagePullSecrets: [{name: "
      "c}]}}}}}\n",
      "default", "c " },
    { "a Helm release has none", RELEASE "  values: {imagePullSecrets: [{name: a}]}\n", "", "" },
    { "another kind has none", "kind: Service\n", "", "" },
};

static void pull_matches_case(void **state)
{
    const struct pull_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_pull pull;
    image_place_pull(mem, load(mem, c->yaml), &pull);
    assert_string_equal(pull.service_account, c->account);
    const char *secrets = "";
    for (size_t i = 0; pull.secrets[i]; i++)
        secrets = arena_printf(mem, "%s%s ", secrets, pull.secrets[i]);
    assert_string_equal(secrets, c->secrets);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(workloads_are_known_by_kind),
        SINGLE(items_of_lists_are_read_by_kind),
        SINGLE(places_are_bounded),
        SINGLE(aliases_reach_as_deep_as_values_are),
        ROWS(place_cases, place_matches_case),
        ROWS(pull_cases, pull_matches_case),
        ROWS(file_cases, file_matches_case),
    };
    return rows_run("image_place", tests, ARRAY_LEN(tests));
}
