/* Annotations become policies, and policies find their annotations. */
#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "image/policy.h"

static struct val *parse(struct arena *mem, const char *json)
{
    struct val *v = NULL;
    assert_null(doc_json_parse(mem, json, strlen(json), &v));
    return v;
}

static const struct policy_case {
    const char *name, *annotations, *policies;
} policy_cases[] = {
    { "no annotations, no policies", "null", "{}" },
    { "annotations of others are none", "{\"a\":\"b\",\"example.org/automated\":\"true\"}", "{}" },
    { "policies are sorted",
      "{\"fluxcd.io/tag.web\":\"glob:1.*\",\"fluxcd.io/automated\":\"true\"}",
      "{\"automated\":\"true\",\"tag.web\":\"glob:1.*\"}" },
    { "filters are tags", "{\"filter.fluxcd.io/web\":\"semver:~1\"}",
      "{\"tag.web\":\"semver:~1\"}" },
    { "the old prefix counts", "{\"flux.weave.works/locked\":\"true\"}", "{\"locked\":\"true\"}" },
    { "the new prefix wins",
      "{\"fluxcd.io/tag.a\":\"2\",\"filter.fluxcd.io/a\":\"1\",\"flux.weave.works/tag.a\":\"0\"}",
      "{\"tag.a\":\"2\"}" },
    { "switches are on only if true",
      "{\"fluxcd.io/automated\":\"false\",\"fluxcd.io/locked\":\"yes\"}", "{}" },
    { "ignore keeps its value", "{\"fluxcd.io/ignore\":\"sync_only\"}",
      "{\"ignore\":\"sync_only\"}" },
    { "marks of the reconciler are none", "{\"fluxcd.io/sync-checksum\":\"abc\"}", "{}" },
    { "a value that is no text is none", "{\"fluxcd.io/automated\":true}", "{}" },
    { "a prefix alone is none", "{\"fluxcd.io/\":\"x\"}", "{}" },
};

static void policy_matches_case(void **state)
{
    const struct policy_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(val_json(mem, image_policy_read(mem, parse(mem, c->annotations)), NULL),
                        c->policies);
}

static const struct key_case {
    const char *name, *annotations, *policy, *key;
} key_cases[] = {
    { "a new one", "{}", "automated", "fluxcd.io/automated" },
    { "no annotations at all", "null", "locked", "fluxcd.io/locked" },
    { "one that is there", "{\"fluxcd.io/automated\":\"true\"}", "automated",
      "fluxcd.io/automated" },
    { "the old prefix", "{\"flux.weave.works/automated\":\"true\"}", "automated",
      "flux.weave.works/automated" },
    { "the new prefix before the old",
      "{\"flux.weave.works/locked\":\"a\",\"fluxcd.io/locked\":\"b\"}", "locked",
      "fluxcd.io/locked" },
    { "a new filter", "{\"filter.fluxcd.io/other\":\"1\"}", "tag.web", "fluxcd.io/tag.web" },
    { "a filter", "{\"filter.fluxcd.io/web\":\"1\"}", "tag.web", "filter.fluxcd.io/web" },
    { "a filter before the old prefix, as it is the one that counts",
      "{\"flux.weave.works/tag.web\":\"1\",\"filter.fluxcd.io/web\":\"1\"}", "tag.web",
      "filter.fluxcd.io/web" },
    { "of filters and tags the tag", "{\"fluxcd.io/tag.web\":\"1\",\"filter.fluxcd.io/web\":\"1\"}",
      "tag.web", "fluxcd.io/tag.web" },
    { "a filter is no other policy", "{\"filter.fluxcd.io/automated\":\"true\"}", "automated",
      "fluxcd.io/automated" },
    { "one that is off is there, too", "{\"flux.weave.works/automated\":\"false\"}", "automated",
      "flux.weave.works/automated" },
};

static void key_matches_case(void **state)
{
    const struct key_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(image_policy_key(mem, parse(mem, c->annotations), c->policy), c->key);
}

static void only_true_ignores(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_true(image_policy_is_ignored(parse(mem, "{\"ignore\":\"true\"}")));
    assert_false(image_policy_is_ignored(parse(mem, "{\"ignore\":\"sync_only\"}")));
    assert_false(image_policy_is_ignored(parse(mem, "{\"ignore\":\"\"}")));
    assert_false(image_policy_is_ignored(parse(mem, "{}")));
    assert_false(image_policy_is_ignored(NULL));
}

static void tags_are_found_by_container(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *policies =
        parse(mem, "{\"tag.a\":\"1\",\"tag.a.b\":\"2\",\"a\":\"3\",\"tag.\":\"4\"}");
    assert_string_equal(image_policy_tag(policies, "a"), "1");
    assert_string_equal(image_policy_tag(policies, "a.b"), "2");
    assert_null(image_policy_tag(policies, "b"));
    assert_null(image_policy_tag(NULL, "a"));
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(only_true_ignores),
        SINGLE(tags_are_found_by_container),
        ROWS(policy_cases, policy_matches_case),
        ROWS(key_cases, key_matches_case),
    };
    return rows_run("image_policy", tests, ARRAY_LEN(tests));
}
