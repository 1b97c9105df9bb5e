/* Which tags a pattern wants, which of two is newer, and what is known of tags as JSON. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../rows.h"

#include "base/sbuf.h"
#include "image/pattern.h"

#define MANY ((size_t)20000)

static const struct match_case {
    const char *pattern, *canonical; /* NULL: the pattern as it is */
    bool needs_times;
    const char *in, *out; /* tags, separated by blanks */
} match_cases[] = {
    { "", "glob:*", true, "1 master a.b", "latest LATEST" },
    { "*", "glob:*", true, "1 master", "latest Latest" },
    { "glob:*", NULL, true, "1 master", "latest" },
    { "master-*", "glob:master-*", true, "master-abc123 master-", "dev-1 master" },
    { "glob:1.*", NULL, true, "1.2 1.x", "2.1 11 latest" },
    { "latest", "glob:latest", true, "latest", "LATEST 1" },
    { "glob:latest", NULL, true, "latest", "1" },
    { "glob:LATEST", NULL, true, "", "latest LATEST" },
    { "glob:late*", NULL, true, "later", "latest" },
    { "glob:", "glob:", true, "", "a 1" },
    { "glob:[a-z]", NULL, true, "[a-z]", "a" },
    { "semver:~1.0", NULL, false, "1.0.9 v1.0.0", "1.1.0 1.0.1-rc1 latest foo" },
    { "semver:", NULL, false, "1.0 v2", "foo latest 1.0-rc1" },
    { "semver:*", NULL, false, "1.0 v2", "foo latest 1.0-rc1" },
    { "semver:>=1.0.0-0", NULL, false, "1.0.0-rc1 1.0", "0.9" },
    { "regexp:^v[0-9]+$", NULL, true, "v1 v22", "1 v1a av1" },
    { "regex:^v[0-9]+$", "regexp:^v[0-9]+$", true, "v1", "1" },
    { "regexp:test", NULL, true, "test a-test-b latest-test", "tes" },
    { "regexp:.*", NULL, true, "a 1", "latest Latest" },
    { "regexp:^latest$", NULL, true, "", "latest" },
    { "regexp:", NULL, true, "a 1", "latest" },
    { "Semver:1", "glob:Semver:1", true, "Semver:1", "1" },
};

static void check_tags(const struct image_pattern *pattern, struct arena *mem, const char *list,
                       bool expected)
{
    while (*list) {
        size_t len = strcspn(list, " ");
        const char *tag = arena_strndup(mem, list, len);
        if (image_pattern_matches(pattern, tag) != expected)
            fail_msg("%s is %s", tag, expected ? "left out" : "taken");
        list += len + (list[len] == ' ');
    }
}

static void match_matches_case(void **state)
{
    const struct match_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_pattern *pattern = NULL;
    assert_null(image_pattern_parse(mem, c->pattern, &pattern));
    assert_string_equal(image_pattern_text(pattern), c->canonical ? c->canonical : c->pattern);
    assert_int_equal(image_pattern_needs_times(pattern), c->needs_times);
    check_tags(pattern, mem, c->in, true);
    check_tags(pattern, mem, c->out, false);
}

static void no_pattern_is_any_tag(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_pattern *pattern = NULL;
    assert_null(image_pattern_parse(mem, NULL, &pattern));
    assert_string_equal(image_pattern_text(pattern), "glob:*");
}

/* Text that is no pattern matches nothing: there is no pattern of it. */
static void what_is_no_pattern_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } rows[] = {
        { "semver:not a version",
          "invalid tag pattern: \"semver:not a version\": improper constraint: not a version: no "
          "version at character 1" },
        { "semver:>=1 ||",
          "invalid tag pattern: \"semver:>=1 ||\": improper constraint: >=1 ||: no "
          "version at character 7" },
        { "regexp:(", "invalid tag pattern: \"regexp:(\": missing closing parenthesis at character "
                      "2 of the pattern (" },
        { "regex:*a", "invalid tag pattern: \"regex:*a\": quantifier does not follow a repeatable "
                      "item at character 1 of the pattern *a" },
    };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct image_pattern *pattern = NULL;
        SCOPED(err_free) struct err *e = image_pattern_parse(mem, rows[i].text, &pattern);
        assert_true(err_is(e, ERR_INVALID));
        assert_string_equal(err_text(e), rows[i].error);
        assert_null(pattern);
    }
    char *text = base_alloc(10001);
    memset(text, '1', 10000);
    memcpy(text, "regexp:", strlen("regexp:"));
    struct image_pattern *pattern = NULL;
    SCOPED(err_free) struct err *e = image_pattern_parse(mem, text, &pattern);
    assert_true(err_is(e, ERR_INVALID));
    free(text);
}

#define TAG(name, at)                                                                \
    {                                                                                \
        .tag = (name), .is_known = true, .has_created = (at) > 0, .created_ns = (at) \
    }

/* By tag, as repositories hold them. */
static const struct image_info infos[] = {
    TAG("1.10", 3),    TAG("1.10.0", 3),
    TAG("1.9", 5),     { .tag = "2.0", .is_excluded = true, .why_excluded = "no platform of ours" },
    TAG("bar", 0),     TAG("foo", 9),
    TAG("latest", 10), { .tag = "unknown" },
};
static const struct image_repo repo = {
    .name = "a/b", .is_complete = true, .infos = infos, .count = ARRAY_LEN(infos)
};

static const struct order_case {
    const char *pattern, *selected, *sorted;
} order_cases[] = {
    { "", "foo 1.9 1.10 1.10.0 bar unknown", "latest foo 1.9 1.10 1.10.0 2.0 bar unknown" },
    { "semver:*", "1.10.0 1.10 1.9", "2.0 1.10.0 1.10 1.9 bar foo latest unknown" },
    { "regexp:^1", "1.9 1.10 1.10.0", "latest foo 1.9 1.10 1.10.0 2.0 bar unknown" },
    { "glob:latest", "latest", "latest foo 1.9 1.10 1.10.0 2.0 bar unknown" },
    { "glob:none", "", "latest foo 1.9 1.10 1.10.0 2.0 bar unknown" },
};

static const char *join(struct arena *mem, const struct image_info *const *list, size_t count)
{
    const char *text = "";
    assert_null(list[count]);
    for (size_t i = 0; i < count; i++)
        text = arena_printf(mem, "%s%s%s", text, i ? " " : "", list[i]->tag);
    return text;
}

static void order_matches_case(void **state)
{
    const struct order_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_pattern *pattern = NULL;
    assert_null(image_pattern_parse(mem, c->pattern, &pattern));
    size_t count = 0;
    const struct image_info **list = image_pattern_select(mem, pattern, &repo, &count);
    assert_string_equal(join(mem, list, count), c->selected);
    list = image_pattern_sort(mem, pattern, &repo, &count);
    assert_string_equal(join(mem, list, count), c->sorted);
}

static void an_unknown_repository_has_no_tags(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_pattern *pattern = NULL;
    assert_null(image_pattern_parse(mem, "", &pattern));
    const struct image_repo empty = { .name = "a/b" };
    assert_null(image_pattern_select(mem, pattern, NULL, NULL)[0]);
    assert_null(image_pattern_sort(mem, pattern, &empty, NULL)[0]);
    assert_null(image_repo_find(NULL, "1"));
    assert_null(image_repo_find(&empty, "1"));
}

static void tags_are_found_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(infos); i++)
        assert_ptr_equal(image_repo_find(&repo, infos[i].tag), &infos[i]);
    assert_null(image_repo_find(&repo, "1.1"));
    assert_null(image_repo_find(&repo, ""));
    assert_null(image_repo_find(&repo, "z"));
}

static const struct json_case {
    const char *name;
    struct image_info info;
    const char *json;
} json_cases[] = {
    { "all that is known",
      { .tag = "1.9.0",
        .is_known = true,
        .digest = "sha256:26d3",
        .image_id = "sha256:3ad1",
        .label_created = "2020-01-01T00:00:00Z",
        .label_build_date = "2020-01-02T00:00:00Z",
        .has_created = true,
        .created_ns = 1578132000123456789,
        .fetched_ns = 1578132001000000000 },
      "{\"ID\":\"quay.io/a/b:1.9.0\",\"Digest\":\"sha256:26d3\",\"ImageID\":\"sha256:3ad1\","
      "\"Labels\":{\"org.label-schema.build-date\":\"2020-01-02T00:00:00Z\","
      "\"org.opencontainers.image.created\":\"2020-01-01T00:00:00Z\"},"
      "\"CreatedAt\":\"2020-01-04T10:00:00.123456789Z\",\"LastFetched\":\"2020-01-04T10:00:"
      "01Z\"}" },
    { "without labels, and without a time",
      { .tag = "1",
        .is_known = true,
        .digest = "",
        .image_id = "",
        .label_created = "",
        .label_build_date = "",
        .fetched_ns = 1578132001000000000 },
      "{\"ID\":\"quay.io/a/b:1\",\"Labels\":{},\"LastFetched\":\"2020-01-04T10:00:01Z\"}" },
    { "of an unknown one the name", { .tag = "1" }, "{\"ID\":\"quay.io/a/b:1\",\"Labels\":{}}" },
};

static void json_matches_case(void **state)
{
    const struct json_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_ref ref;
    assert_null(image_ref_parse(mem, "quay.io/a/b:0.1@sha256:00", &ref));
    assert_string_equal(val_json(mem, image_info_json(mem, &ref, &c->info), NULL), c->json);
}

/* Of a hostile filter over as many tags as there may be: over in a few seconds even with the sanitizers, and said. */
static void a_filter_that_takes_too_long_is_given_up(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_pattern *hard = NULL, *easy = NULL;
    struct image_info *list = arena_alloc(mem, MANY * sizeof(*list));
    char tail[100] = "";
    memset(tail, 'a', sizeof(tail) - 1);
    for (size_t i = 0; i < MANY; i++)
        list[i] = (struct image_info){ .tag = arena_printf(mem, "%05zu%s", i, tail) };
    const struct image_repo tags = { .infos = list, .count = MANY };
    size_t count = 0;
    assert_null(image_pattern_parse(mem, "regexp:^([0-9a-z]+-?)+(!|%)$", &hard));
    assert_null(image_pattern_parse(mem, "regexp:^[0-9]+a+$", &easy));
    assert_null(image_pattern_problem(mem, hard));
    clock_t before = clock();
    (void)image_pattern_select(mem, hard, &tags, &count);
    assert_true((clock() - before) / CLOCKS_PER_SEC < 10);
    assert_int_equal(count, 0);
    assert_string_equal(
        image_pattern_problem(mem, hard),
        "invalid tag pattern: \"regexp:^([0-9a-z]+-?)+(!|%)$\": it takes too long over "
        "the tags there are");
    (void)image_pattern_select(mem, easy, &tags, &count);
    assert_int_equal(count, MANY);
    assert_null(image_pattern_problem(mem, easy));
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(no_pattern_is_any_tag),
        SINGLE(what_is_no_pattern_is_refused),
        SINGLE(an_unknown_repository_has_no_tags),
        SINGLE(tags_are_found_by_name),
        SINGLE(a_filter_that_takes_too_long_is_given_up),
        ROWS_BY(match_cases, pattern, match_matches_case),
        ROWS_BY(order_cases, pattern, order_matches_case),
        ROWS(json_cases, json_matches_case),
    };
    return rows_run("image_pattern", tests, ARRAY_LEN(tests));
}
