#include <string.h>

#include "../rows.h"

#include "sync/encrypted.h"

#define SOPS "sops:\n    lastmodified: \"2026-01-01T00:00:00Z\"\n    mac: ENC[AES256_GCM,data:x]\n"

static const struct sops_case {
    const char *name, *text;
    bool is_encrypted;
} sops_cases[] = {
    { "what sops writes", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n" SOPS, true },
    { "one document of two", "a: 1\n---\nb: 2\n" SOPS, true },
    { "before a document that is broken", SOPS "---\na: [\n", true },
    { "JSON in a YAML file", "{\"a\": 1, \"sops\": {\"mac\": \"x\"}}", true },
    { "metadata whose mac is gone", "a: 1\nsops:\n  lastmodified: \"2026\"\n", true },
    { "a map of that name for something else", "sops:\n  enabled: true\n", false },
    { "a text of that name", "sops: none\n", false },
    { "metadata further down", "data:\n  sops:\n    mac: x\n", false },
    { "a comment", "# sops:\na: 1\n", false },
    { "a text that says so", "data: |\n  sops:\n    mac: x\n", false },
    { "nothing of it", "a: 1\n", false },
    { "nothing", "", false },
};

static void sops_metadata_are_known(void **state)
{
    const struct sops_case *c = *state;
    assert_int_equal(encrypted_is_sops(c->text, strlen(c->text)), c->is_encrypted);
}

static const struct mask_case {
    const char *name, *said, *shown;
} mask_cases[] = {
    { "a quoted value", "Secret \"db\" is invalid: Invalid value: \"hunter2\": bad",
      "Secret \"db\" is invalid: Invalid value: \"***\": bad" },
    { "a quote in a value", "value \"hun\\\"ter2\" is bad", "value \"***\" is bad" },
    { "a bare value", "spec.x: Invalid value: 12345: must be less", "spec.x: Invalid value: ***" },
    { "a map", "Invalid value: {\"a\":\"hunter2\"}: bad", "Invalid value: ***" },
    { "a quote that does not end", "bad \"hunter2", "bad ***" },
    { "no value", "404 not found", "404 not found" },
};

static void messages_quote_no_values(void **state)
{
    const struct mask_case *c = *state;
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *const kept[] = { "db", "demo", NULL };
    assert_string_equal(encrypted_mask(mem, c->said, kept), c->shown);
    arena_free(mem);
}

static const struct mask_case brief_cases[] = {
    { "lines become one", "Failed to get the key:\n\n  - | no\n\tkeys\n",
      "Failed to get the key: - | no keys" },
    { "a key of age", "bad key AGE-SECRET-KEY-1QQQ at line 1", "bad key *** at line 1" },
    { "a key of age in small letters", "bad age-secret-key-1qqq.", "bad ***" },
    { "an armoured key", "read: -----BEGIN PGP PRIVATE KEY BLOCK-----\nabc\n", "read: ***" },
    { "nothing", " \n", "" },
};

static void programs_are_quoted_without_keys(void **state)
{
    const struct mask_case *c = *state;
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(encrypted_brief(mem, c->said), c->shown);
    arena_free(mem);
}

static void long_words_are_cut(void **state)
{
    (void)state;
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    char *said = arena_alloc(mem, 5001);
    memset(said, 'x', 899);
    for (size_t i = 899; i + 1 < 5000; i += 2)
        memcpy(said + i, "\xc3\xa9", 2);
    const char *shown = encrypted_brief(mem, said);
    assert_int_equal(strlen(shown), 899 + 3);
    assert_string_equal(shown + 899, "...");
    arena_free(mem);
}

static const struct mapping_case {
    const char *name, *text, *paths; /* NULL: refused */
} mapping_cases[] = {
    { "files with and without a hash", "a/db.yaml:12ab\nb.yaml:\nc.yaml\n",
      "a/db.yaml b.yaml c.yaml" },
    { "spellings", "./a//b.yaml:1\n\n", "a/b.yaml" },
    { "no newline at the end", "a:1\nb:2", "a b" },
    { "nothing", "", "" },
    { "a way out", "../../root/.ssh/x.yaml:1\n", NULL },
    { "an absolute path", "/etc/x.yaml:1\n", NULL },
    { "an option", "-o.yaml:1\n", NULL },
    { "an option further down", "a/-o.yaml:1\n", NULL },
    { "a control character", "a\tb.yaml:1\n", NULL },
    { "git's own folder", ".git/hooks/x.yaml:1\n", NULL },
};

static void mappings_name_files_of_the_tree(void **state)
{
    const struct mapping_case *c = *state;
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct encrypted_paths paths = { 0 };
    struct err *e = encrypted_read_mapping(mem, c->text, strlen(c->text), &paths);
    assert_int_equal(e != NULL, c->paths == NULL);
    const char *joined = "";
    for (size_t i = 0; !e && i < paths.len; i++)
        joined = arena_printf(mem, "%s%s%s", joined, i ? " " : "", paths.at[i]);
    if (c->paths)
        assert_string_equal(joined, c->paths);
    err_free(e);
    arena_free(mem);
}

static void encrypted_documents_are_never_manifests(void **state)
{
    (void)state;
    static const char text[] = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n" SOPS
                               "---\napiVersion: v1\nkind: Secret\nmetadata: {name: b}\n";
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    const struct manifest_source source = { .path = "a.yaml" };
    assert_true(manifest_parse(mem, &source, text, sizeof(text) - 1, &list, &problems));
    encrypted_refuse(mem, &list, &problems, "encrypted");
    assert_int_equal(list.len, 1);
    assert_string_equal(list.at[0].name, "b");
    assert_int_equal(problems.len, 1);
    assert_string_equal(manifest_problem_format(mem, &problems.at[0]), "a.yaml:1:1: encrypted");
    arena_free(mem);
}

static void problems_of_a_decrypted_text_do_not_quote_it(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "apiVersion: v1\nkind: Secret\nmetadata: {name: hunter2_}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: *hunter2\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a, labels: hunter2}\n"
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        struct manifest_list list = { 0 };
        struct manifest_problems problems = { 0 };
        const struct manifest_source source = { .path = "a.yaml", .is_encrypted = true };
        assert_false(manifest_parse(mem, &source, texts[i], strlen(texts[i]), &list, &problems));
        assert_int_equal(problems.len, 1);
        assert_null(strstr(problems.at[0].text, "hunter2"));
        arena_free(mem);
    }
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(sops_cases, sops_metadata_are_known),
        ROWS(mask_cases, messages_quote_no_values),
        ROWS(brief_cases, programs_are_quoted_without_keys),
        ROWS(mapping_cases, mappings_name_files_of_the_tree),
        SINGLE(long_words_are_cut),
        SINGLE(encrypted_documents_are_never_manifests),
        SINGLE(problems_of_a_decrypted_text_do_not_quote_it),
    };
    return rows_run("sync_encrypted", tests, ARRAY_LEN(tests));
}
