/* What automation changes, and what it leaves alone. */
#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "image/automate.h"

/* A tag for every day; `digest` is what it names. */
#define TAG(name, day)                                                                   \
    {                                                                                    \
        .tag = (name), .is_known = true, .digest = "sha256:d" #day, .has_created = true, \
        .created_ns = (day)                                                              \
    }

/* By tag, in each repository. */
static const struct image_info plain_infos[] = {
    TAG("1.0", 1),    TAG("1.1", 2),      TAG("2.0-rc1", 5),
    TAG("latest", 9), TAG("master-1", 3), TAG("master-2", 4),
};
static const struct image_info holey_infos[] = { TAG("1.0", 1), { .tag = "1.1" }, TAG("2.0", 3) };
static const struct image_info fresh_infos[] = {
    TAG("1.0", 1),
    TAG("1.1", 2),
    { .tag = "1.2" },
    { .tag = "1.3", .is_known = true, .is_excluded = true, .why_excluded = "no suitable manifest" },
};
static const struct image_info timeless_infos[] = {
    TAG("1.0", 1),
    { .tag = "1.1", .is_known = true, .digest = "sha256:d2" },
};
static const struct image_info epoch_infos[] = { TAG("1.0", 1), TAG("1.1", 1), TAG("1.2", 1) };
static const struct image_info foreign_infos[] = {
    TAG("1.0", 1),
    TAG("1.1", 2),
    { .tag = "1.2", .is_excluded = true, .why_excluded = "no suitable manifest" },
};
static const struct image_info bare_infos[] = {
    TAG("1.0", 1),
    { .tag = "1.1", .is_known = true, .digest = "", .has_created = true, .created_ns = 2 },
};

#define REPO(of, infos_of, complete)                                                   \
    {                                                                                  \
        .name = "index.docker.io/" of, .is_complete = (complete), .infos = (infos_of), \
        .count = ARRAY_LEN(infos_of)                                                   \
    }
static const struct image_repo repos[] = {
    REPO("a/plain", plain_infos, true),
    REPO("a/half", plain_infos, false),
    REPO("a/holey", holey_infos, true),
    REPO("a/fresh", fresh_infos, true),
    REPO("a/timeless", timeless_infos, true),
    REPO("a/epoch", epoch_infos, true),
    REPO("a/foreign", foreign_infos, true),
    REPO("library/bare", bare_infos, true),
    { .name = "index.docker.io/a/empty", .is_complete = true },
    { .name = "index.docker.io/a/broken", .error = "denied" },
};

struct asked {
    size_t count;
};

static const struct image_repo *find_repo(void *ctx, const char *name)
{
    ((struct asked *)ctx)->count++;
    for (size_t i = 0; i < ARRAY_LEN(repos); i++) {
        if (strcmp(repos[i].name, name) == 0)
            return &repos[i];
    }
    return NULL;
}

static const struct automate_case {
    const char *name, *image, *pattern; /* NULL: no policy */
    const char *to;                     /* NULL: left alone */
    const char *note;                   /* NULL: without a word */
} automate_cases[] = {
    { "the newest by time, whatever its name", "a/plain:1.0", NULL, "a/plain:2.0-rc1", NULL },
    { "the newest of a glob", "a/plain:master-1", "glob:master-*", "a/plain:master-2", NULL },
    { "a glob without a prefix", "a/plain:1.0", "1.*", "a/plain:1.1", NULL },
    { "the highest version", "a/plain:1.0", "semver:*", "a/plain:1.1", NULL },
    { "a pre-release if it is asked for", "a/plain:1.0", "semver:>=1-0", "a/plain:2.0-rc1", NULL },
    { "a regular expression", "a/plain:1.0", "regexp:^[0-9.]+$", "a/plain:1.1", NULL },
    { "latest by name", "a/plain:1.0", "latest", "a/plain:latest", NULL },
    { "the host's form stays", "docker.io/a/plain:1.0", "semver:*", "docker.io/a/plain:1.1", NULL },
    { "a filter decides, though it leads to an older one", "a/plain:master-2", "semver:~1.0",
      "a/plain:1.0", NULL },
    { "a version that is not there moves to one that is", "a/plain:0.9", "semver:~1", "a/plain:1.1",
      NULL },
    { "the same tag: nothing", "a/plain:1.1", "semver:*", NULL, NULL },
    { "the same tag, pinned: nothing", "a/plain:1.1@sha256:00", "semver:*", NULL, NULL },
    { "a pinned image gets both", "a/plain:1.0@sha256:00", "semver:*", "a/plain:1.1@sha256:d2",
      NULL },
    { "a pinned image stays where no digest is known", "bare:1.0@sha256:00", "semver:*", NULL,
      "pinned image: no digest is known of image tag \"1.1\"" },
    { "an image that is not pinned needs no digest", "bare:1.0", "semver:*", "bare:1.1", NULL },
    { "no tag: nothing", "a/plain", "semver:*", NULL, NULL },
    { "a digest without a tag: nothing", "a/plain@sha256:00", "semver:*", NULL, NULL },
    { "nothing matches: nothing", "a/plain:1.0", "glob:prod-*", NULL, NULL },
    { "an unknown repository: nothing", "a/unknown:1.0", "semver:*", NULL, NULL },
    { "a repository without tags: nothing", "a/empty:1.0", "semver:*", NULL, NULL },
    { "one that could not be listed: nothing", "a/broken:1.0", "semver:*", NULL, NULL },
    { "one that was not listed to its end: nothing, never backwards", "a/half:master-9",
      "glob:master-*", NULL, NULL },
    { "not listed to its end: nor forwards", "a/half:master-1", "glob:master-*", NULL, NULL },
    { "a matching tag without metadata", "a/holey:1.0", "glob:*", NULL,
      "inconsistent repository metadata: missing metadata for image tag \"1.1\"" },
    { "an older version may be without metadata", "a/holey:1.0", "semver:*", "a/holey:2.0", NULL },
    { "not the newest that is of use: none takes its place", "a/fresh:1.0", "semver:*", NULL,
      "inconsistent repository metadata: missing metadata for image tag \"1.2\"" },
    { "nor for who runs it", "a/fresh:1.2", "semver:*", NULL,
      "inconsistent repository metadata: missing metadata for image tag \"1.2\"" },
    { "what does not match is no hindrance", "a/fresh:1.0", "semver:<1.2", "a/fresh:1.1", NULL },
    { "metadata of what does not match may be missing", "a/holey:1.0", "semver:~2", "a/holey:2.0",
      NULL },
    { "the newest has no time", "a/timeless:1.0", "glob:1.1", NULL,
      "image with zero created timestamp: tag \"1.1\"" },
    { "the current one has no time", "a/timeless:1.1", "glob:*", NULL,
      "image with zero created timestamp: tag \"1.1\"" },
    { "versions need no times", "a/timeless:1.0", "semver:*", "a/timeless:1.1", NULL },
    { "a current tag that is gone has no time", "a/plain:gone", "glob:1.*", NULL,
      "image with zero created timestamp: tag \"gone\"" },
    { "of the same time as the newest: nothing", "a/epoch:1.1", "glob:*", NULL, NULL },
    { "versions of the same time have their order", "a/epoch:1.1", "semver:*", "a/epoch:1.2",
      NULL },
    { "an image for other platforms is no candidate", "a/foreign:1.0", "semver:*", "a/foreign:1.1",
      NULL },
    { "a pattern that is none takes nothing", "a/plain:1.0", "semver:not a version", NULL,
      "invalid tag pattern: \"semver:not a version\": improper constraint: not a version: no "
      "version "
      "at character 1" },
    { "an expression that is none takes nothing", "a/plain:1.0", "regexp:[", NULL,
      "invalid tag pattern: \"regexp:[\": missing terminating ] for character class at character 2 "
      "of the pattern [" },
};

static struct image_place place_of(struct arena *mem, const char *container, const char *image)
{
    struct image_place place = { .container = container };
    assert_null(image_ref_parse(mem, image, &place.ref));
    return place;
}

static void automate_matches_case(void **state)
{
    const struct automate_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *policies = val_new_map(mem);
    if (c->pattern)
        val_set_text(mem, policies, "tag.web", c->pattern);
    struct image_place place = place_of(mem, "web", c->image);
    struct image_places places = { .at = &place, .len = 1 };
    struct image_automated workload = { "demo:deployment/web", policies, &places };
    struct asked asked = { 0 };
    struct image_automate_view view = { &workload, 1, find_repo, &asked };
    struct image_changes changes;
    struct image_automate_notes notes;
    image_automate_step(mem, &view, &changes, &notes);
    assert_int_equal(changes.len, c->to ? 1 : 0);
    if (c->to) {
        assert_string_equal(changes.at[0].id, "demo:deployment/web");
        assert_string_equal(changes.at[0].container, "web");
        assert_string_equal(changes.at[0].from, c->image);
        assert_string_equal(changes.at[0].to, c->to);
    }
    assert_int_equal(notes.len, c->note ? 1 : 0);
    if (c->note) {
        assert_string_equal(notes.at[0].id, "demo:deployment/web");
        assert_string_equal(notes.at[0].container, "web");
        assert_string_equal(notes.at[0].text, c->note);
    }
}

static void containers_go_their_own_ways_and_repositories_are_asked_once(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *policies = NULL;
    const char *json =
        "{\"automated\":\"true\",\"tag.b\":\"glob:master-*\",\"tag.c\":\"semver:(\"}";
    assert_null(doc_json_parse(mem, json, strlen(json), &policies));
    struct image_place at[] = { place_of(mem, "a", "a/plain:1.0"),
                                place_of(mem, "b", "a/plain:master-1"),
                                place_of(mem, "c", "a/plain:1.0"),
                                place_of(mem, "d", "docker.io/a/plain:1.0") };
    struct image_places places = { .at = at, .len = ARRAY_LEN(at) };
    struct image_automated workloads[] = { { "demo:deployment/x", policies, &places },
                                           { "demo:deployment/y", policies, &places },
                                           { "demo:deployment/z", policies, NULL } };
    struct asked asked = { 0 };
    struct image_automate_view view = { workloads, ARRAY_LEN(workloads), find_repo, &asked };
    struct image_changes changes;
    struct image_automate_notes notes;
    image_automate_step(mem, &view, &changes, &notes);
    assert_int_equal(changes.len, 6);
    assert_string_equal(changes.at[0].to, "a/plain:2.0-rc1");
    assert_string_equal(changes.at[1].to, "a/plain:master-2");
    assert_string_equal(changes.at[2].to, "docker.io/a/plain:2.0-rc1");
    assert_string_equal(changes.at[3].id, "demo:deployment/y");
    assert_int_equal(notes.len, 2);
    assert_int_equal(asked.count, 2);
}

static void what_was_changed_stays(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(automate_cases); i++) {
        const struct automate_case *c = &automate_cases[i];
        if (!c->to)
            continue;
        struct val *policies = val_new_map(mem);
        if (c->pattern)
            val_set_text(mem, policies, "tag.web", c->pattern);
        struct image_place place = place_of(mem, "web", c->to);
        struct image_places places = { .at = &place, .len = 1 };
        struct image_automated workload = { "demo:deployment/web", policies, &places };
        struct asked asked = { 0 };
        struct image_automate_view view = { &workload, 1, find_repo, &asked };
        struct image_changes changes;
        struct image_automate_notes notes;
        image_automate_step(mem, &view, &changes, &notes);
        assert_int_equal(changes.len, 0);
    }
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(containers_go_their_own_ways_and_repositories_are_asked_once),
        SINGLE(what_was_changed_stays),
        ROWS(automate_cases, automate_matches_case),
    };
    return rows_run("image_automate", tests, ARRAY_LEN(tests));
}
