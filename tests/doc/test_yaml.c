#include <stdio.h>
#include <string.h>

#include "../rows.h"

#include "doc/yaml.h"

// clang-format off
/* A stream and its documents as JSON, one a line; an empty one is "-". */
static const struct load_case {
    const char *name, *yaml, *json;
} load_cases[] = {
    { "nothing has no documents", "", "" },
    { "blanks and comments have none", "# nothing\n\n   # here\n", "" },
    { "one document", "a: 1\n", "{\"a\":1}\n" },
    { "several documents", "a: 1\n---\nb: 2\n...\n---\n- c\n", "{\"a\":1}\n{\"b\":2}\n[\"c\"]\n" },
    { "empty documents are told", "---\n---\na: 1\n---\n# only this\n---\n", "-\n{\"a\":1}\n-\n-\n" },
    { "null is a document", "--- ~\n", "null\n" },
    { "empty text is one too", "--- ''\n", "\"\"\n" },
    { "a byte order mark is skipped", "\xef\xbb\xbf" "a: 1\n", "{\"a\":1}\n" },
    { "lines may end with CR LF", "a: 1\r\nb: |\r\n  x\r\n  y\r\n", "{\"a\":1,\"b\":\"x\\ny\\n\"}\n" },
    { "a last line needs no end", "a: b", "{\"a\":\"b\"}\n" },
    { "a directive is read", "%YAML 1.1\n---\na: 1\n", "{\"a\":1}\n" },
    { "comments end values", "a: b # c\nd: e#f\n", "{\"a\":\"b\",\"d\":\"e#f\"}\n" },
    { "flow and block mix", "a: {b: [1, {c: d}], e: }\nf:\n- {g: h}\n", "{\"a\":{\"b\":[1,{\"c\":\"d\"}],\"e\":null},\"f\":[{\"g\":\"h\"}]}\n" },
    { "JSON is YAML", "{\"a\": [1, \"b\", null, true]}", "{\"a\":[1,\"b\",null,true]}\n" },
    { "block text keeps its lines", "a: |\n  one\n    two\n\n  three\nb: >\n  one\n  two\n\n  three\nc: |-\n  x\nd: |+\n  y\n\n",
      "{\"a\":\"one\\n  two\\n\\nthree\\n\",\"b\":\"one two\\nthree\\n\",\"c\":\"x\",\"d\":\"y\\n\\n\"}\n" },
    { "an alias is a copy", "a: &x {b: 1}\nc: *x\nd: [*x, *x]\n", "{\"a\":{\"b\":1},\"c\":{\"b\":1},\"d\":[{\"b\":1},{\"b\":1}]}\n" },
    { "an anchor may be taken again", "a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "{\"a\":1,\"b\":1,\"c\":2,\"d\":2}\n" },
    { "an alias may be a key", "a: &x k\n*x : v\n", "{\"a\":\"k\",\"k\":\"v\"}\n" },
    { "an alias of a number may be a key", "a: &x 0x10\n*x : v\n", "{\"a\":16,\"16\":\"v\"}\n" },
    { "<< brings the entries of a map", "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  e: 3\n", "{\"a\":{\"b\":1,\"c\":2},\"d\":{\"b\":1,\"c\":2,\"e\":3}}\n" },
    { "what stands behind << wins", "a: &x {b: 1}\nd:\n  <<: *x\n  b: 2\n", "{\"a\":{\"b\":1},\"d\":{\"b\":2}}\n" },
    { "what stands before << loses", "a: &x {b: 1}\nd:\n  b: 2\n  <<: *x\n", "{\"a\":{\"b\":1},\"d\":{\"b\":1}}\n" },
    { "the first of several merged maps wins", "a: &x {k: 1}\nb: &y {k: 2, l: 3}\nc:\n  <<: [*x, *y]\n", "{\"a\":{\"k\":1},\"b\":{\"k\":2,\"l\":3},\"c\":{\"k\":1,\"l\":3}}\n" },
    { "a map may be merged where it stands", "a:\n  <<: {b: 1}\n  c: 2\n", "{\"a\":{\"b\":1,\"c\":2}}\n" },
    { "<< in quotes is a key", "a:\n  '<<': {b: 1}\n", "{\"a\":{\"<<\":{\"b\":1}}}\n" },
    { "<< may come twice", "a: &x {b: 1}\nc: {<<: *x, <<: {d: 2}}\n", "{\"a\":{\"b\":1},\"c\":{\"b\":1,\"d\":2}}\n" },
    { "anchors end with their document", "a: &x 1\n---\na: &x 2\nb: *x\n", "{\"a\":1}\n{\"a\":2,\"b\":2}\n" },
    { "tags of lists and maps are nothing to us", "a: !!set {b: }\nc: !mine [1]\n", "{\"a\":{\"b\":null},\"c\":[1]}\n" },
    { "binary that is no text is replaced", "a: !!binary /w==\n", "{\"a\":\"\xef\xbf\xbd\"}\n" },
    { "a NUL is text in a value", "a: \"x\\0y\"\n", "{\"a\":\"x\\u0000y\"}\n" },
    { "keys stay in their order", "z: 1\na: 2\nm: 3\n", "{\"z\":1,\"a\":2,\"m\":3}\n" },
    { "a question mark opens a key", "? a\n: b\n? c\n", "{\"a\":\"b\",\"c\":null}\n" },
};

/* What is wrong, and where. */
static const struct bad_case {
    const char *name, *yaml;
    uint32_t line, column;
    const char *error;
} bad_cases[] = {
    { "a map that does not end", "a: {b: 1\nc: d\n", 2, 2, "did not find expected ',' or '}'" },
    { "a list that does not end", "a: [b\n", 2, 1, "did not find expected ',' or ']'" },
    { "a tab for indentation", "a:\n\tb: c\n", 2, 1, "found character that cannot start any token" },
    { "an entry further in", "a: b\n  c: d\n", 2, 4, "mapping values are not allowed in this context" },
    { "an entry further out", "  a: b\n c: d\n", 2, 2, "did not find expected <document start>" },
    { "quotes that do not end", "a: \"b\n", 2, 1, "found unexpected end of stream" },
    { "an escape nobody knows", "a: \"\\q\"\n", 1, 5, "found unknown escape character" },
    { "a key without a colon", "a: b\nc\nd: e\n", 3, 1, "could not find expected ':'" },
    { "the same key twice", "a: 1\nb: 2\na: 3\n", 3, 1, "key \"a\" already set in map" },
    { "the same key twice, further in", "m:\n- x: 1\n  x: 2\n", 3, 3, "key \"x\" already set in map" },
    { "keys that become the same text", "1: a\n\"1\": b\n", 2, 1, "key \"1\" already set in map" },
    { "the same boolean twice", "yes: a\non: b\n", 2, 1, "key \"true\" already set in map" },
    { "the first of several keys that are twice", "b: 1\na: 1\na: 2\nb: 2\n", 3, 1, "key \"a\" already set in map" },
    { "an anchor nobody set", "a: b\nc: *d\n", 2, 4, "unknown anchor 'd' referenced" },
    { "an anchor of another document", "a: &x 1\n---\nb: *x\n", 3, 4, "unknown anchor 'x' referenced" },
    { "an anchor within itself", "a: &x [1, *x]\n", 1, 11, "anchor 'x' value contains itself" },
    { "a merge of text", "a:\n  <<: b\n", 2, 7, "map merge requires map or sequence of maps as the value" },
    { "a merge of nothing", "a:\n  <<:\n", 2, 6, "map merge requires map or sequence of maps as the value" },
    { "a merge of a list of texts", "a:\n  <<: [b]\n", 2, 7, "map merge requires map or sequence of maps as the value" },
    { "a merge of an alias of a list", "a: &x [{b: 1}]\nc:\n  <<: *x\n", 3, 7, "map merge requires map or sequence of maps as the value" },
    { "a map as a key", "? {a: b}\n: c\n", 1, 3, "invalid map key: a map" },
    { "a list as a key", "[a]: c\n", 1, 1, "invalid map key: a list" },
    { "null as a key", "a: b\n~: c\n", 2, 1, "unsupported map key: null" },
    { "a key beyond 63 bits", "18446744073709551615: c\n", 1, 1, "unsupported map key: 18446744073709551615" },
    { "a NUL in a key", "\"a\\0b\": c\n", 1, 1, "a map key with a NUL character" },
    { "an infinite number", "a:\n- 1\n- .inf\n", 3, 3, ".inf is a number JSON cannot hold" },
    { "bytes of Latin 1", "a: b\nc: \xe9t\xe9\n", 2, 4, "byte 0xe9 is no UTF-8" },
    { "columns are counted in characters", "\xc3\xa9\xc3\xa9: \xff\n", 1, 5, "byte 0xff is no UTF-8" },
    { "UTF-16", "\xff\xfe" "a\0:\0", 1, 1, "the text is UTF-16; save it as UTF-8" },
    { "a control character", "a: b\nc: d\x01\n", 2, 5, "control characters are not allowed" },
    { "a directive for another YAML", "%YAML 3.0\n---\na: b\n", 1, 1, "found incompatible YAML document" },
};
// clang-format on

static void stream_is(void **state)
{
    const struct load_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free)
    struct err *e =
        doc_yaml_load(mem, row->yaml, strlen(row->yaml), &doc_yaml_default_limits, &docs, NULL);
    assert_string_equal(err_text(e), "");
    SBUF(out, SBUF_MAX);
    for (size_t i = 0; i < docs.len; i++) {
        if (docs.at[i].root)
            val_format_json(docs.at[i].root, &out);
        else
            sbuf_add_char(&out, '-');
        sbuf_add_char(&out, '\n');
    }
    /* JSON of this house escapes as Go does; the rows are easier to read without. */
    SBUF(expected, SBUF_MAX);
    for (const char *c = row->json; *c; c++) {
        if (*c == '<')
            sbuf_add(&expected, "\\u003c");
        else
            sbuf_add_char(&expected, *c);
    }
    assert_string_equal(sbuf_text(&out), sbuf_text(&expected));
}

static void stream_breaks(void **state)
{
    const struct bad_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list docs = { 0 };
    struct doc_pos at = { 0 };
    SCOPED(err_free)
    struct err *e =
        doc_yaml_load(mem, row->yaml, strlen(row->yaml), &doc_yaml_default_limits, &docs, &at);
    assert_string_equal(err_text(e), row->error);
    assert_true(err_is(e, ERR_INVALID));
    assert_int_equal(at.line, row->line);
    assert_int_equal(at.column, row->column);
}

static void documents_before_a_broken_one_are_kept(void **state)
{
    (void)state;
    static const char yaml[] = "a: 1\n---\nb: 2\n---\nc: [\n---\nd: 4\n";
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free)
    struct err *e = doc_yaml_load(mem, yaml, strlen(yaml), &doc_yaml_default_limits, &docs, NULL);
    assert_true(err_is(e, ERR_INVALID));
    assert_int_equal(docs.len, 2);
    assert_int_equal(docs.at[1].line, 2);
}

static void values_know_where_they_stand(void **state)
{
    (void)state;
    static const char yaml[] = "# top\na: x\n\xc3\xa9: {b: y}\nl:\n- 1\n-   z: |\n      text\n";
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list docs = { 0 };
    assert_null(doc_yaml_load(mem, yaml, strlen(yaml), &doc_yaml_default_limits, &docs, NULL));
    const struct val *root = docs.at[0].root, *list = val_get(root, "l");
    const struct {
        const struct val *v;
        uint32_t line, column;
    } places[] = {
        { root, 2, 1 },
        { val_get(root, "a"), 2, 4 },
        { val_get(root, "\xc3\xa9"), 3, 4 },
        { VAL_PATH(root, "\xc3\xa9", "b"), 3, 8 },
        { val_item(list, 0), 5, 3 },
        { val_item(list, 1), 6, 5 },
        { val_get(val_item(list, 1), "z"), 6, 8 },
    };
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        assert_int_equal(places[i].v->line, places[i].line);
        assert_int_equal(places[i].v->column, places[i].column);
    }
}

static void an_alias_may_be_changed_without_its_anchor(void **state)
{
    (void)state;
    static const char yaml[] = "a: &x {b: 1}\nc: *x\n";
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list docs = { 0 };
    assert_null(doc_yaml_load(mem, yaml, strlen(yaml), &doc_yaml_default_limits, &docs, NULL));
    struct val *root = docs.at[0].root;
    val_set_text(mem, val_get(root, "c"), "b", "changed");
    assert_string_equal(val_json(mem, root, NULL), "{\"a\":{\"b\":1},\"c\":{\"b\":\"changed\"}}");
}

/* ---- limits ---- */

static void assert_limit(const char *yaml, size_t len, const struct doc_yaml_limits *limits,
                         const char *error)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free) struct err *e = doc_yaml_load(mem, yaml, len, limits, &docs, NULL);
    assert_string_equal(err_text(e), error);
    assert_true(err_is(e, ERR_LIMIT));
}

static void each_limit_is_named(void **state)
{
    (void)state;
    struct doc_yaml_limits few = {
        .bytes = 50, .scalar = 8, .nodes = 5, .depth = 3, .documents = 2
    };
    static const struct {
        const char *yaml, *error;
    } cases[] = {
        { "# 51 bytes of comment are too many, even if empty.\n", "more than 50 bytes" },
        { "a: 123456789\n", "a value of more than 8 bytes" },
        { "123456789: a\n", "a value of more than 8 bytes" },
        { "[1, 2, 3, 4, 5]\n", "more than 5 values (aliases expanded)" },
        { "[&a [1, 2], *a]\n", "more than 5 values (aliases expanded)" },
        { "[[[[1]]]]\n", "nested more than 3 levels deep" },
        { "- - - - 1\n", "nested more than 3 levels deep" },
        { "[&a [[]], [*a]]\n", "more than 5 values (aliases expanded)" },
        { "--- 1\n--- 2\n--- 3\n", "more than 2 documents" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_limit(cases[i].yaml, strlen(cases[i].yaml), &few, cases[i].error);
    few.nodes = 100;
    static const char deep[] = "[&a [[]], [*a]]\n";
    assert_limit(deep, strlen(deep), &few, "nested more than 3 levels deep");
}

static void a_bomb_of_aliases_is_refused(void **state)
{
    (void)state;
    SBUF(yaml, SBUF_MAX);
    sbuf_add(&yaml, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        sbuf_addf(&yaml, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            sbuf_addf(&yaml, "%s*a%d", k ? ", " : "", i - 1);
        sbuf_add(&yaml, "]\n");
    }
    assert_limit(sbuf_text(&yaml), yaml.len, &doc_yaml_default_limits,
                 "more than 1000000 values (aliases expanded)");
}

static void a_bomb_of_merges_is_refused(void **state)
{
    (void)state;
    SBUF(yaml, SBUF_MAX);
    sbuf_add(&yaml, "- &m {");
    for (int i = 0; i < 20000; i++)
        sbuf_addf(&yaml, "k%d: , ", i);
    sbuf_add(&yaml, "}\n");
    for (int i = 0; i < 100; i++)
        sbuf_add(&yaml, "- <<: *m\n");
    assert_limit(sbuf_text(&yaml), yaml.len, &doc_yaml_default_limits,
                 "more than 1000000 values (aliases expanded)");
}

static void a_bomb_of_long_texts_is_refused(void **state)
{
    (void)state;
    SBUF(yaml, SBUF_MAX);
    sbuf_add(&yaml, "- &t ");
    for (int i = 0; i < 1000000; i++)
        sbuf_add_char(&yaml, 'x');
    for (int i = 0; i < 1000; i++)
        sbuf_add(&yaml, "\n- *t");
    assert_limit(sbuf_text(&yaml), yaml.len, &doc_yaml_default_limits,
                 "more than 33554432 bytes of values (aliases expanded)");
}

/* Texts that are made to cost much: each must end with an answer, whatever it is. */
static const struct nasty_case {
    const char *name, *piece;
    int count;
} nasty_cases[] = {
    { "100,000 open brackets", "[", 100000 },
    { "100,000 open brackets, one a line", "[\n", 100000 },
    { "100,000 open braces", "{", 100000 },
    { "100,000 dashes", "- ", 100000 },
    { "100,000 question marks", "? ", 100000 },
    { "100,000 question marks, one a line", "?\n", 100000 },
    { "100,000 anchors", "- &a x\n", 100000 },
    { "100,000 aliases", "*a ", 100000 },
    { "200,000 colons", ": ", 200000 },
    { "many quotes", "'", 1000001 },
    { "many escapes", "\"\\x41\" ", 100000 },
    { "many empty documents", "---\n", 100000 },
    { "many commas in brackets", "[,", 100000 },
    { "a long line", "word ", 500000 },
    { "many comments", "# a\n", 500000 },
    { "many tags", "- !a!b x\n", 100000 },
    { "many small maps", "- {a: b}\n", 250000 },
};

static void nasty_text_ends(void **state)
{
    const struct nasty_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(yaml, SBUF_MAX);
    for (int i = 0; i < row->count; i++)
        sbuf_add(&yaml, row->piece);
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free)
    struct err *e =
        doc_yaml_load(mem, sbuf_text(&yaml), yaml.len, &doc_yaml_default_limits, &docs, NULL);
    assert_true(!e || err_is(e, ERR_LIMIT) || err_is(e, ERR_INVALID));
}

static void a_map_of_many_keys_is_read_and_searched(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(yaml, SBUF_MAX);
    for (int i = 0; i < 100000; i++)
        sbuf_addf(&yaml, "key-%d: %d\n", i * 7919 % 100000, i);
    struct doc_yaml_list docs = { 0 };
    assert_null(
        doc_yaml_load(mem, sbuf_text(&yaml), yaml.len, &doc_yaml_default_limits, &docs, NULL));
    char key[32];
    for (int i = 0; i < 100000; i++) {
        int64_t number = -1;
        snprintf(key, sizeof(key), "key-%d", i * 7919 % 100000);
        assert_true(val_int(val_get(docs.at[0].root, key), &number));
        assert_int_equal(number, i);
    }
    sbuf_add(&yaml, "key-5: again\n");
    struct doc_pos at;
    SCOPED(err_free)
    struct err *e =
        doc_yaml_load(mem, sbuf_text(&yaml), yaml.len, &doc_yaml_default_limits, &docs, &at);
    assert_string_equal(err_text(e), "key \"key-5\" already set in map");
    assert_int_equal(at.line, 100001);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(documents_before_a_broken_one_are_kept),
        SINGLE(values_know_where_they_stand),
        SINGLE(an_alias_may_be_changed_without_its_anchor),
        SINGLE(each_limit_is_named),
        SINGLE(a_bomb_of_aliases_is_refused),
        SINGLE(a_bomb_of_merges_is_refused),
        SINGLE(a_bomb_of_long_texts_is_refused),
        SINGLE(a_map_of_many_keys_is_read_and_searched),
        ROWS(load_cases, stream_is),
        ROWS(bad_cases, stream_breaks),
        ROWS(nasty_cases, nasty_text_ends),
    };
    return rows_run("yaml", tests, ARRAY_LEN(tests));
}
