#include "../../rows.h"

#include "../value.h"
#include "canary/hash.h"

/* -- payloads -------------------------------------------------------------------------------- */

static const struct payload_case {
    const char *name, *tracked, *last_applied, *checksum;
} payload_cases[] = {
    { "a map with one entry", "{test-config-map: 484637c76acaa7c6}", "5f56684589", "85d557f47b" },
    { "another revision", "{test-config-map: 484637c76acaa7c6}", "4cb74184589", "569bdb7cb9" },
    { "no map", "null", "4cb74184589", "7c9d467496" },
    { "an empty map", "{}", "4cb74184589", "56966965f5" },
    { "nothing at all", "null", "", "758df7c9fc" },
};

static void payload_sums_to(void **state)
{
    const struct payload_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(canary_hash_payload(mem, value_of(mem, row->tracked), row->last_applied),
                        row->checksum);
}

static void the_order_of_configs_does_not_matter(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(canary_hash_payload(mem, value_of(mem, "{b: '2', a: '1'}"), "x"),
                        canary_hash_payload(mem, value_of(mem, "{a: '1', b: '2'}"), "x"));
}

/* -- configs --------------------------------------------------------------------------------- */

static const struct config_case {
    const char *name, *data, *checksum;
} config_cases[] = {
    { "a ConfigMap", "{color: red}", "241889ca0604e333" },
    { "a Secret, as the API has it", "{apiKey: dGVzdA==, empty: ''}", "ac6cec24ec518d97" },
    { "its keys in another order", "{empty: '', apiKey: dGVzdA==}", "ac6cec24ec518d97" },
    { "no data", "null", "74234e98afe7498f" },
    { "empty data", "{}", "44136fa355b3678a" },
};

static void config_sums_to(void **state)
{
    const struct config_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(canary_hash_config(mem, value_of(mem, row->data)), row->checksum);
}

static void a_config_without_data_is_as_one_of_null(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(canary_hash_config(mem, NULL), "74234e98afe7498f");
}

static void summing_leaves_the_data_as_it_is(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *data = value_of(mem, "{b: '1', a: '2'}");
    canary_hash_config(mem, data);
    canary_hash_payload(mem, data, "");
    canary_hash_revision(mem, data);
    assert_string_equal(val_json(mem, data, NULL), "{\"b\":\"1\",\"a\":\"2\"}");
}

/* -- revisions ------------------------------------------------------------------------------- */

static const struct revision_case {
    const char *name, *a, *b;
    bool is_same;
} revision_cases[] = {
    { "the order of keys does not matter", "{a: 1, b: {d: x, c: y}}", "{b: {c: y, d: x}, a: 1}",
      true },
    { "a null counts as unset", "{a: 1, creationTimestamp: null}", "{a: 1}", true },
    { "an empty map counts as unset", "{a: 1, securityContext: {}}", "{a: 1}", true },
    { "an empty list counts as unset", "{a: 1, env: []}", "{a: 1}", true },
    { "what has nothing set in it counts as unset", "{a: 1, b: {c: {d: null}, e: []}}", "{a: 1}",
      true },
    { "a number is the same however it is written", "{a: 1.0, b: 5e2}", "{a: 1, b: 500}", true },
    { "an empty text is set", "{a: 1, b: ''}", "{a: 1}", false },
    { "false is set", "{a: 1, b: false}", "{a: 1}", false },
    { "zero is set", "{a: 1, b: 0}", "{a: 1}", false },
    { "a text is no number", "{a: '1'}", "{a: 1}", false },
    { "the order of a list matters", "{a: [1, 2]}", "{a: [2, 1]}", false },
    { "a place in a list is a place", "{a: [{}, x]}", "{a: [x]}", false },
    { "a key is not part of a text", "{a: {b: c}}", "{a: '{b: c}'}", false },
    { "a digit changes it", "{a: 1.25}", "{a: 1.5}", false },
    { "nothing and an empty map are two texts", "''", "null", false },
};

static void revisions_compare(void **state)
{
    const struct revision_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *a = canary_hash_revision(mem, value_of(mem, row->a));
    const char *b = canary_hash_revision(mem, value_of(mem, row->b));
    assert_int_equal(strcmp(a, b) == 0, row->is_same);
    assert_true(canary_hash_is_ours(a) && canary_hash_is_ours(b));
}

/* Stored in clusters: must not change from one release to the next. */
static void revisions_keep_their_hash(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *template =
        value_of(mem, "metadata: {labels: {app: cart}, creationTimestamp: null}\n"
                      "spec: {containers: [{name: c, image: i, cpu: 0.5}]}\n");
    /* sha256 of {"metadata":{"labels":{"app":"cart"}},"spec":{"containers":[{"cpu":0.5,"image":"i","name":"c"}]}} */
    assert_string_equal(canary_hash_revision(mem, template), "s1-6e5a10c4e9b1f12d");
    assert_string_equal(canary_hash_revision(mem, value_of(mem, "cart-00001")),
                        "s1-c45a2171fe18b771");
}

static void hashes_of_others_are_not_ours(void **state)
{
    static const char *const foreign[] = { "",
                                           "85d557f47b",
                                           "s1-",
                                           "s1-0123456789abcde",
                                           "s1-0123456789abcdef0",
                                           "s1-0123456789abcdeg",
                                           "v2:0123456789abcdef" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
        assert_false(canary_hash_is_ours(foreign[i]));
    assert_true(canary_hash_is_ours("s1-0123456789abcdef"));
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(payload_cases, payload_sums_to),
        ROWS(config_cases, config_sums_to),
        ROWS(revision_cases, revisions_compare),
        SINGLE(the_order_of_configs_does_not_matter),
        SINGLE(a_config_without_data_is_as_one_of_null),
        SINGLE(summing_leaves_the_data_as_it_is),
        SINGLE(revisions_keep_their_hash),
        SINGLE(hashes_of_others_are_not_ours),
    };
    return rows_run("canary_hash", tests, ARRAY_LEN(tests));
}
