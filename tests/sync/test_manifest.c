#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "base/utf8.h"
#include "sync/manifest.h"

/* What a text comes to: its manifests as "Kind ns/name@line", its problems as "line:column: text" (a part of the text is enough).
 */
static const struct parse_case {
    const char *name, *text, *manifests, *problems;
} cases[] = {
    { "one object", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: demo}\n",
      "ConfigMap demo/a@1", "" },
    { "documents are separated by ---, and each knows its line",
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n# b\napiVersion: v1\nkind: "
      "Namespace\nmetadata: {name: b}\n",
      "Namespace /a@1|Namespace /b@6", "" },
    { "an empty file has nothing", "", "", "" },
    { "comments, empty and null documents are nothing", "# nothing\n---\n---\nnull\n---\n~\n", "",
      "" },
    { "documents without a kind are skipped",
      "apiVersion: v1\nmetadata: {name: a}\n---\nkind: \"\"\n---\nkind: null\n", "", "" },
    { "a document that is a list is told of, the next one is read",
      "- a\n- b\n---\n{apiVersion: v1, kind: Secret, metadata: {name: s}}\n", "Secret /s@4",
      "1:1: yaml: cannot unmarshal a list into an object" },
    { "a document that is a text is told of", "hello\n", "",
      "1:1: yaml: cannot unmarshal a string" },
    { "a List becomes its items",
      "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: "
      "a}}\n"
      "- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n",
      "ConfigMap /a@4|ConfigMap /b@5", "" },
    { "any kind that ends in List and has items is one",
      "apiVersion: example.org/v1\nkind: ThingList\nitems:\n- {apiVersion: example.org/v1, kind: "
      "Thing, metadata: {name: a}}\n",
      "Thing /a@4", "" },
    { "a kind that ends in List without items is an object",
      "apiVersion: example.org/v1\nkind: AllowList\nmetadata: {name: a}\n", "AllowList /a@1", "" },
    { "an empty List is nothing",
      "{apiVersion: v1, kind: List, items: []}\n---\n{apiVersion: v1, kind: List, items: }\n", "",
      "" },
    { "Lists in Lists keep the order",
      "kind: List\nitems:\n- kind: List\n  items:\n  - {apiVersion: v1, kind: Secret, metadata: "
      "{name: a}}\n"
      "- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n",
      "Secret /a@5|Secret /b@6", "" },
    { "an item that is no map is told of, the others are read",
      "kind: List\nitems:\n- 7\n- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n",
      "Secret /b@4", "3:3: yaml: cannot unmarshal a number into an object: an item of a list" },
    { "an item without a kind is told of", "kind: List\nitems:\n- {metadata: {name: b}}\n", "",
      "3:3: an item of a list has no kind" },
    { "items that are no list are told of", "kind: List\nitems: {a: b}\n", "",
      "2:8: items of a List must be a list" },
    { "broken syntax is told of with its line, the other documents are read",
      "{apiVersion: v1, kind: Secret, metadata: {name: a}}\n---\nkind: [\n---\n"
      "{apiVersion: v1, kind: Secret, metadata: {name: b}}\n",
      "Secret /a@1|Secret /b@5", "yaml: line" },
    { "every broken document is told of once",
      "a: [\n---\nb: {\n---\n--- }\n---\n{apiVersion: v1, kind: Secret, metadata: {name: b}}\n",
      "Secret /b@7", "2:1: yaml: line 2|4:1: yaml: line 4|5:" },
    { "an unclosed map at the end names the last line",
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: broken\n", "",
      "3:24: yaml: line 3: did not find expected ',' or '}'" },
    { "a tab for a blank is told of", "a:\n\tb: c\n", "",
      "2:1: yaml: line 2: found character that cannot start any token" },
    { "a document after broken quotes is read",
      "a: \"x\n---\n{apiVersion: v1, kind: Secret, metadata: {name: b}}\n", "Secret /b@3",
      "yaml: line" },
    { "a key that stands twice is told of",
      "apiVersion: v1\nkind: Secret\nkind: Secret\nmetadata: {name: a}\n", "",
      "3:1: yaml: line 3: key \"kind\" already set in map" },
    { "--- inside of a block text ends the document, as YAML says",
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: |\n    one\n---\nkind: "
      "null\n",
      "ConfigMap /a@1", "" },
    { "text that is not UTF-8 is told of",
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \xff\xfe}\n", "", "3:" },
    { "no apiVersion", "kind: Deployment\nmetadata: {name: a}\n", "",
      "1:1: Deployment has no apiVersion" },
    { "a number for an apiVersion", "apiVersion: 1\nkind: X\nmetadata: {name: a}\n", "",
      "1:13: apiVersion must be a string, here it is a number: put it in quotes" },
    { "an apiVersion that is none", "apiVersion: apps/v1/beta\nkind: X\nmetadata: {name: a}\n", "",
      "1:13: \"apps/v1/beta\" is no apiVersion" },
    { "an apiVersion that would leave the path",
      "apiVersion: ../../api\nkind: X\nmetadata: {name: a}\n", "", "is no apiVersion" },
    { "a boolean for a kind", "apiVersion: v1\nkind: on\nmetadata: {name: a}\n", "",
      "2:7: kind must be a string, here it is a boolean: put it in quotes" },
    { "a kind with a slash", "apiVersion: v1\nkind: Con/fig\nmetadata: {name: a}\n", "",
      "2:7: \"Con/fig\" is no kind" },
    { "no metadata", "apiVersion: v1\nkind: Secret\n", "", "1:1: Secret has no metadata" },
    { "metadata that is a text", "apiVersion: v1\nkind: Secret\nmetadata: a\n", "",
      "3:11: Secret has no metadata" },
    { "no name", "apiVersion: v1\nkind: Secret\nmetadata: {namespace: a}\n", "",
      "3:11: Secret has no metadata.name" },
    { "a name that is a number", "apiVersion: v1\nkind: Secret\nmetadata: {name: 007}\n", "",
      "3:18: metadata.name must be a string, here it is a number: put it in quotes" },
    { "generateName is not for a repository",
      "apiVersion: batch/v1\nkind: Job\nmetadata:\n  generateName: a-\n", "",
      "4:17: cannot use generate name with apply" },
    { "a name beside a generateName is fine",
      "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-, name: b}\n", "Job /b@1", "" },
    { "a name with a newline", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: \"a\\nb\"\n", "",
      "4:9: \"a b\" is no name for a Secret" },
    { "a name with capitals", "apiVersion: v1\nkind: Secret\nmetadata: {name: Web}\n", "",
      "is no name for a Secret" },
    { "a name with a slash", "apiVersion: example.org/v1\nkind: X\nmetadata: {name: a/b}\n", "",
      "is no name for a X" },
    { "a name that is two dots", "apiVersion: example.org/v1\nkind: X\nmetadata: {name: ..}\n", "",
      "is no name for a X" },
    { "a name that ends in a dash", "apiVersion: v1\nkind: Secret\nmetadata: {name: a-}\n", "",
      "is no name" },
    { "a name with an empty label", "apiVersion: v1\nkind: Secret\nmetadata: {name: a..b}\n", "",
      "is no name" },
    { "dots in a name", "apiVersion: v1\nkind: Secret\nmetadata: {name: a.b-c.0}\n",
      "Secret /a.b-c.0@1", "" },
    { "roles have names with colons",
      "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: "
      "\"system:my:Role\"}\n",
      "ClusterRole /system:my:Role@1", "" },
    { "custom kinds may have freer names",
      "apiVersion: user.example.org/v1\nkind: User\nmetadata: {name: \"kube:Admin\"}\n",
      "User /kube:Admin@1", "" },
    { "trust bundles are named after their signer",
      "apiVersion: certificates.k8s.io/v1beta1\nkind: ClusterTrustBundle\nmetadata: {name: "
      "\"example.org:a:b\"}\n",
      "ClusterTrustBundle /example.org:a:b@1", "" },
    { "a namespace with a dot",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b.c}\n", "",
      "3:32: \"b.c\" is no name for a namespace" },
    { "an empty namespace is none",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: \"\"}\n", "Secret /a@1", "" },
    { "a null namespace is none",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: }\n", "Secret /a@1", "" },
    { "an annotation that is no text",
      "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  annotations:\n    x: true\n", "",
      "6:8: metadata.annotations[\"x\"] must be a string, here it is a boolean: put it in quotes" },
    { "every label that is no text",
      "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  labels: {x: 1, y: \"2\", z: []}\n", "",
      "5:15: metadata.labels[\"x\"]|5:29: metadata.labels[\"z\"] must be a string, here it is a "
      "list" },
    { "labels that are a list", "apiVersion: v1\nkind: Secret\nmetadata: {name: a, labels: [x]}\n",
      "", "3:29: metadata.labels must be a map, here it is a list" },
    { "null labels are none",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: a, labels: , annotations: {x: }}\n",
      "Secret /a@1", "" },
    { "all that is wrong with an object is told at once",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: A, namespace: B, labels: {x: 1}}\n", "",
      "3:18: |3:32: |3:47: " },
};

static void add(char *text, size_t size, const char *piece)
{
    snprintf(text + strlen(text), size - strlen(text), "%s%s", *text ? "|" : "", piece);
}

/* Each part of `expected` between | stands in the problem of its place, and there are no more. */
static void assert_problems(struct arena *mem, const struct manifest_problems *problems,
                            const char *expected)
{
    char *parts = arena_strdup(mem, expected), *save = NULL;
    size_t n = 0;
    for (char *part = strtok_r(parts, "|", &save); part; part = strtok_r(NULL, "|", &save), n++) {
        assert_true(n < problems->len);
        const char *text = manifest_problem_format(mem, &problems->at[n]);
        if (!strstr(text, part))
            fail_msg("problem %zu is \"%s\", not \"%s\"", n, text, part);
        assert_true(strncmp(text, "a.yaml:", 7) == 0);
        assert_int_equal(problems->at[n].severity, MANIFEST_ERROR);
    }
    if (n != problems->len)
        fail_msg("one more problem: %s", manifest_problem_format(mem, &problems->at[n]));
}

static void parses(void **state)
{
    const struct parse_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    bool is_good = manifest_parse(mem, &(struct manifest_source){ .path = "a.yaml" }, c->text,
                                  strlen(c->text), &list, &problems);
    char manifests[512] = "";
    for (size_t i = 0; i < list.len; i++)
        add(manifests, sizeof(manifests),
            arena_printf(mem, "%s %s/%s@%u", list.at[i].kind, list.at[i].ns, list.at[i].name,
                         list.at[i].line));
    assert_string_equal(manifests, c->manifests);
    assert_problems(mem, &problems, c->problems);
    assert_int_equal(is_good, problems.len == 0);
}

/* -- what is too much ------------------------------------------------------------------------ */

static bool parse_built(struct arena *mem, struct sbuf *text, struct manifest_list *list,
                        struct manifest_problems *problems)
{
    assert_false(text->is_over);
    return manifest_parse(mem, &(struct manifest_source){ .path = "a.yaml" }, sbuf_text(text),
                          text->len, list, problems);
}

static void an_alias_bomb_is_a_problem_of_its_file(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    sbuf_add(
        &text,
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++) {
        sbuf_addf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            sbuf_addf(&text, "%s*a%d", j ? "," : "", i - 1);
        sbuf_add(&text, "]\n");
    }
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    assert_false(parse_built(mem, &text, &list, &problems));
    assert_int_equal(list.len, 0);
    assert_int_equal(problems.len, 1);
}

static void a_hundred_thousand_brackets_are_a_problem(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    for (int i = 0; i < 100000; i++)
        sbuf_add_char(&text, '[');
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    assert_false(parse_built(mem, &text, &list, &problems));
    assert_int_equal(problems.len, 1);
}

static void a_text_of_fifty_megabytes_is_a_problem(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    sbuf_add(&text, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: ");
    size_t len = (size_t)50 << 20;
    char *filler = base_alloc(len);
    memset(filler, 'x', len);
    sbuf_add_bytes(&text, filler, len);
    free(filler);
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    assert_false(parse_built(mem, &text, &list, &problems));
    assert_int_equal(list.len, 0);
    assert_int_equal(problems.len, 1);
}

static void a_file_full_of_mistakes_is_not_told_of_without_end(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    for (int i = 0; i < 1000; i++)
        sbuf_add(&text, "---\n- not a map\n");
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    assert_false(parse_built(mem, &text, &list, &problems));
    assert_int_equal(problems.len, MANIFEST_PROBLEMS_MAX + 1);
    assert_non_null(strstr(problems.at[MANIFEST_PROBLEMS_MAX].text, "900 more problems"));
}

static void reading_on_after_broken_documents_ends(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    for (int i = 0; i < 1000; i++)
        sbuf_add(&text, "---\na: [\n");
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    assert_false(parse_built(mem, &text, &list, &problems));
    assert_true(problems.len < 50);
    assert_non_null(strstr(problems.at[problems.len - 1].text, "the rest of it was not read"));
}

/* -- how it is told -------------------------------------------------------------------------- */

static void problems_of_a_second_file_are_counted_anew(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    for (int i = 0; i < 2 * MANIFEST_PROBLEMS_MAX; i++)
        assert_false(manifest_parse(mem, &(struct manifest_source){ .path = "a.yaml" }, "- a\n", 4,
                                    &list, &problems));
    assert_int_equal(problems.len, 2 * MANIFEST_PROBLEMS_MAX);
}

static void a_line_break_in_a_path_does_not_break_the_line(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct manifest_problems problems = { 0 };
    manifest_report(mem, &problems, &(struct manifest_problem){ .path = "a\nb.yaml", .line = 3 },
                    "two\nlines: %d", 7);
    assert_string_equal(manifest_problem_format(mem, &problems.at[0]),
                        "a\\nb.yaml:3: two lines: 7");
    problems.at[0].line = 0;
    assert_string_equal(manifest_problem_format(mem, &problems.at[0]), "a\\nb.yaml: two lines: 7");
}

static void a_long_message_is_cut_between_characters(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct manifest_problems problems = { 0 };
    char said[2 + 6000 + 1] = "x";
    for (size_t at = 1; at + 2 < sizeof(said); at += 2)
        memcpy(said + at, "\xc3\xa9", 3);
    for (int shift = 0; shift < 2; shift++) {
        manifest_report(mem, &problems, &(struct manifest_problem){ .path = "a" }, "%s",
                        said + shift);
        const char *text = problems.at[problems.len - 1].text;
        assert_true(strlen(text) > 4000 && strlen(text) <= 4096);
        assert_string_equal(text + strlen(text) - 5, "\xc3\xa9...");
        assert_int_equal(utf8_find_bad(text, strlen(text)), strlen(text));
    }
}

static void a_long_value_is_cut_between_characters(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    sbuf_add(&text, "apiVersion: v1\nkind: Secret\nmetadata: {name: x");
    for (int i = 0; i < 200; i++)
        sbuf_add(&text, "\xc3\xa4");
    sbuf_add(&text, "}\n");
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    assert_false(parse_built(mem, &text, &list, &problems));
    assert_non_null(strstr(problems.at[0].text, "\xc3\xa4...\" is no name"));
    assert_true(strlen(problems.at[0].text) < 300);
}

static void generated_manifests_say_so(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const char text[] = "{apiVersion: v1, kind: Secret, metadata: {name: a}}";
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    struct manifest_source source = { .path = "staging/../.flux.yaml", .is_generated = true };
    assert_true(manifest_parse(mem, &source, text, sizeof(text) - 1, &list, &problems));
    assert_true(list.at[0].is_generated);
    assert_string_equal(list.at[0].path, "staging/../.flux.yaml");
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(cases, parses),
        SINGLE(an_alias_bomb_is_a_problem_of_its_file),
        SINGLE(a_hundred_thousand_brackets_are_a_problem),
        SINGLE(a_text_of_fifty_megabytes_is_a_problem),
        SINGLE(a_file_full_of_mistakes_is_not_told_of_without_end),
        SINGLE(reading_on_after_broken_documents_ends),
        SINGLE(problems_of_a_second_file_are_counted_anew),
        SINGLE(a_line_break_in_a_path_does_not_break_the_line),
        SINGLE(a_long_message_is_cut_between_characters),
        SINGLE(a_long_value_is_cut_between_characters),
        SINGLE(generated_manifests_say_so),
    };
    return rows_run("sync_manifest", tests, ARRAY_LEN(tests));
}
