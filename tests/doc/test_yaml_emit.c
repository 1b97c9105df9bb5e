#include <string.h>

#include "../rows.h"

#include "base/hash.h"
#include "doc/json.h"
#include "doc/yaml.h"

/* What go-yaml v2.4's Marshal writes for them. */
// clang-format off
static const struct emit_case {
    const char *json, *yaml;
} emit_cases[] = {
    { "{}", "{}\n" },
    { "[]", "[]\n" },
    { "\"\"", "\"\"\n" },
    { "null", "null\n" },
    { "true", "true\n" },
    { "1", "1\n" },
    { "\"text\"", "text\n" },
    { "\"true\"", "\"true\"\n" },
    { "\"y\"", "\"y\"\n" },
    { "\"null\"", "\"null\"\n" },
    { "\"~\"", "\"~\"\n" },
    { "\"1\"", "\"1\"\n" },
    { "\"1.5\"", "\"1.5\"\n" },
    { "\"0x1F\"", "\"0x1F\"\n" },
    { "\"017\"", "\"017\"\n" },
    { "\"1_000\"", "\"1_000\"\n" },
    { "\"1e3\"", "\"1e3\"\n" },
    { "\".5\"", "\".5\"\n" },
    { "\"2001-12-14\"", "\"2001-12-14\"\n" },
    { "\"1:30\"", "\"1:30\"\n" },
    { "\"190:20:30.15\"", "\"190:20:30.15\"\n" },
    { "\"12:99\"", "12:99\n" },
    { "\"<<\"", "<<\n" },
    { "\"=\"", "=\n" },
    { "\"-\"", "'-'\n" },
    { "\"- a\"", "'- a'\n" },
    { "\"-a\"", "-a\n" },
    { "\"--- a\"", "'--- a'\n" },
    { "\"...\"", "'...'\n" },
    { "\"?\"", "'?'\n" },
    { "\"? a\"", "'? a'\n" },
    { "\":\"", "':'\n" },
    { "\":a\"", ":a\n" },
    { "\"a:\"", "'a:'\n" },
    { "\"a: b\"", "'a: b'\n" },
    { "\"a:b\"", "a:b\n" },
    { "\"#a\"", "'#a'\n" },
    { "\"a #b\"", "'a #b'\n" },
    { "\"a#b\"", "a#b\n" },
    { "\"@a\"", "'@a'\n" },
    { "\"`a\"", "'`a'\n" },
    { "\"%a\"", "'%a'\n" },
    { "\"&a\"", "'&a'\n" },
    { "\"*a\"", "'*a'\n" },
    { "\"!a\"", "'!a'\n" },
    { "\"|\"", "'|'\n" },
    { "\">\"", "'>'\n" },
    { "\"{a}\"", "'{a}'\n" },
    { "\"[a]\"", "'[a]'\n" },
    { "\"a]\"", "a]\n" },
    { "\",a\"", "',a'\n" },
    { "\"a,b\"", "a,b\n" },
    { "\"'\"", "''''\n" },
    { "\"it's\"", "it's\n" },
    { "\"'q'\"", "'''q'''\n" },
    { "\"\\\"q\\\"\"", "'\"q\"'\n" },
    { "\"a\\\\b\"", "a\\b\n" },
    { "\" a\"", "' a'\n" },
    { "\"a \"", "'a '\n" },
    { "\" \"", "' '\n" },
    { "\"\\t\"", "\"\\t\"\n" },
    { "\"a\\tb\"", "\"a\\tb\"\n" },
    { "\"a\\nb\"", "|-\n  a\n  b\n" },
    { "\"a\\n\"", "|\n  a\n" },
    { "\"\\n\"", "|2+\n\n" },
    { "\"\\n\\n\"", "|2+\n\n\n" },
    { "\"a\\n\\n\"", "|+\n  a\n\n" },
    { "\"\\na\"", "|2-\n\n  a\n" },
    { "\" a\\nb\"", "|2-\n   a\n  b\n" },
    { "\"a \\nb\"", "\"a \\nb\"\n" },
    { "\"a\\n b\"", "|-\n  a\n   b\n" },
    { "\"a\\n b\\n\"", "|\n  a\n   b\n" },
    { "\"a\\nb \"", "\"a\\nb \"\n" },
    { "\"a\\r\\nb\"", "\"a\\r\\nb\"\n" },
    { "\"\\u0000\"", "\"\\0\"\n" },
    { "\"\\u001b[\"", "\"\\e[\"\n" },
    { "\"\\u007f\"", "\"\\x7F\"\n" },
    { "\"\\u00a0\"", "\302\240\n" },
    { "\"\\u00e9\"", "\303\251\n" },
    { "\"\\u2028\"", "'\342\200\250'\n" },
    { "\"a\\u2028b\"", "'a\342\200\250  b'\n" },
    { "\"\\ud83d\\ude00\"", "\"\\U0001F600\"\n" },
    { "\"\\ufffd\"", "\357\277\275\n" },
    { "\"\\u0085x\"", "\"\\Nx\"\n" },
    { "\"word word word word word word word word word word word word word word word word word word word word \"", "'word word word word word word word word word word word word word word word word word\n  word word word '\n" },
    { "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" },
    { "\"it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's it's \"", "'it''s it''s it''s it''s it''s it''s it''s it''s it''s it''s it''s it''s it''s it''s\n  it''s it''s it''s it''s it''s it''s it''s it''s it''s it''s it''s it''s it''s it''s\n  it''s it''s '\n" },
    { "\": : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : \"", "': : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : :\n  : : : : '\n" },
    { "\"# # # # # # # # # # # # # # # # # # # # end end end end end end end end end end end end end end end end end end end end end end end end end end end end end end \"", "'# # # # # # # # # # # # # # # # # # # # end end end end end end end end end end end\n  end end end end end end end end end end end end end end end end end end end '\n" },
    { "\"a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b \"", "'a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b a  b\n  a  b a  b a  b a  b a  b a  b a  b a  b '\n" },
    { "\"\\tword word word word word word word word word word word word word word word word word word word word word word word word word word word word word word \"", "\"\\tword word word word word word word word word word word word word word word word\n  word word word word word word word word word word word word word word \"\n" },
    { "{\"a\":1,\"b\":[],\"c\":{},\"d\":null,\"e\":false}", "a: 1\nb: []\nc: {}\nd: null\ne: false\n" },
    { "{\"a\":[1,\"x\",{\"b\":2,\"c\":[3]},[4,[5,6]],[],{}]}", "a:\n- 1\n- x\n- b: 2\n  c:\n  - 3\n- - 4\n  - - 5\n    - 6\n- []\n- {}\n" },
    { "{\"b\":{\"c\":{\"d\":\"e\"}}}", "b:\n  c:\n    d: e\n" },
    { "[[1,2],[3]]", "- - 1\n  - 2\n- - 3\n" },
    { "[{\"a\":1,\"b\":2},{\"c\":3}]", "- a: 1\n  b: 2\n- c: 3\n" },
    { "{\"\":1,\" \":2,\"a b\":3,\"true\":4,\"1\":5,\"a: b\":6,\"-\":7,\"'\":8,\"a\\nb\":9}", "\"\": 1\n' ': 2\n'''': 8\n'-': 7\n\"1\": 5\n? |-\n  a\n  b\n: 9\na b: 3\n'a: b': 6\n\"true\": 4\n" },
    { "{\"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\": 1, \"lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll\": 2, \"mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm\": [1], \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\": {\"a\": 1}}", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: 1\n? lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll\n: 2\n? mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm\n: - 1\n? nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\n: a: 1\n" },
    { "{\"a10\":1,\"a9\":2,\"a1\":3,\"a01\":4,\"a001\":5,\"b\":6,\"B\":7,\"_\":8,\"-\":9,\"a\":10,\"aa\":11,\"A1\":12,\"1\":13,\"10\":14,\"9\":15,\"a-b\":16,\"a_b\":17,\"a.b\":18,\"ab\":19,\"a/b\":20}", "'-': 9\n_: 8\n\"1\": 13\n\"9\": 15\n\"10\": 14\nA1: 12\nB: 7\na: 10\na-b: 16\na.b: 18\na/b: 20\na_b: 17\na1: 3\na01: 4\na001: 5\na9: 2\na10: 1\naa: 11\nab: 19\nb: 6\n" },
    { "{\"x1y10\":1,\"x1y2\":2,\"x01y2\":3,\"x10y1\":4}", "x1y2: 2\nx1y10: 1\nx01y2: 3\nx10y1: 4\n" },
    { "{\"a\":\"x\\ny\\n\",\"b\":\"x\\n\\ny\",\"c\":\"x\\n\\n\",\"d\":[\"p\\nq\\n\"]}", "a: |\n  x\n  y\nb: |-\n  x\n\n  y\nc: |+\n  x\n\nd:\n- |\n  p\n  q\n" },
    { "{\"z\":1,\"\303\251\":2,\"\346\227\245\346\234\254\":3,\"\360\237\230\200\":4,\"a\":5}", "\"\\U0001F600\": 4\na: 5\nz: 1\n\303\251: 2\n\346\227\245\346\234\254: 3\n" },
    { "[1,-1,1.5,1e3,1e21,1e-7,0.1,9223372036854775807,-0]", "- 1\n- -1\n- 1.5\n- 1000\n- 1e+21\n- 1e-07\n- 0.1\n- 9223372036854775807\n- 0\n" },
    { "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"demo\"}}", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: demo\n" },
    { "{\"metadata\":{\"labels\":{\"app.kubernetes.io/name\":\"x\",\"a/b\":\"c\"},\"annotations\":{\"fluxcd.io/automated\":\"true\",\"filter.fluxcd.io/app\":\"semver:~1.0\"}},\"spec\":{\"args\":[\"--port=9898\",\"-v=2\",\"a: b\"],\"ports\":[{\"containerPort\":80,\"protocol\":\"TCP\"}]}}", "metadata:\n  annotations:\n    filter.fluxcd.io/app: semver:~1.0\n    fluxcd.io/automated: \"true\"\n  labels:\n    a/b: c\n    app.kubernetes.io/name: x\nspec:\n  args:\n  - --port=9898\n  - -v=2\n  - 'a: b'\n  ports:\n  - containerPort: 80\n    protocol: TCP\n" },
};
// clang-format on

static void text_is(void **state)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct emit_case *row = *state;
    struct val *v = NULL;
    assert_null(doc_json_parse(mem, row->json, strlen(row->json), &v));
    SBUF(out, SBUF_MAX);
    doc_yaml_emit(v, &out);
    assert_string_equal(sbuf_text(&out), row->yaml);
}

static void the_checksum_of_a_manifest_is_the_one_of_flux(void **state)
{
    (void)state;
    static const char source[] =
        "# a namespace\nkind: Namespace\nmetadata: {name: demo}\napiVersion: v1\n";
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list docs = { 0 };
    assert_null(doc_yaml_load(mem, source, strlen(source), &doc_yaml_default_limits, &docs, NULL));
    SBUF(out, SBUF_MAX);
    doc_yaml_emit(docs.at[0].root, &out);
    unsigned char sha1[HASH_SHA1_BYTES];
    hash_sha1(sbuf_text(&out), out.len, sha1);
    assert_string_equal(hash_hex(mem, sha1, sizeof(sha1)),
                        "35db65c41bba48ecb02fb665a7416ac1f662be3b");
}

static void a_float_of_yaml_stays_one(void **state)
{
    (void)state;
    static const char source[] = "a: 1e6\nb: 1000000\nc: 1.0\n";
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list docs = { 0 };
    assert_null(doc_yaml_load(mem, source, strlen(source), &doc_yaml_default_limits, &docs, NULL));
    SBUF(out, SBUF_MAX);
    doc_yaml_emit(docs.at[0].root, &out);
    assert_string_equal(sbuf_text(&out), "a: 1e+06\nb: 1000000\nc: 1\n");
}

static void bad_bytes_become_the_sign_for_it(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *map = val_new_map(mem);
    val_set(mem, map, "k\xff", val_new_text(mem, "a\xff\nb"));
    SBUF(out, SBUF_MAX);
    doc_yaml_emit(map, &out);
    assert_string_equal(sbuf_text(&out), "\"k\\uFFFD\": \"a\\uFFFD\\nb\"\n");
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(the_checksum_of_a_manifest_is_the_one_of_flux),
        SINGLE(a_float_of_yaml_stays_one),
        SINGLE(bad_bytes_become_the_sign_for_it),
        ROWS_BY(emit_cases, json, text_is),
    };
    return rows_run("yaml_emit", tests, ARRAY_LEN(tests));
}
