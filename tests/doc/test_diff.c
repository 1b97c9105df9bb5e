#include <string.h>

#include "../rows.h"

#include "doc/diff.h"
#include "doc/yaml.h"

static struct val *yaml(struct arena *mem, const char *text)
{
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free)
    struct err *e = doc_yaml_load(mem, text, strlen(text), &doc_yaml_default_limits, &docs, NULL);
    assert_string_equal(err_text(e), "");
    return docs.len ? docs.at[0].root : NULL;
}

// clang-format off
/* Two documents, and one line for each change. */
static const struct diff_case {
    const char *name, *from, *to, *changes;
} diff_cases[] = {
    { "equal documents have none", "{a: [1, {b: c}]}", "{a: [1, {b: c}]}", "" },
    { "order of keys is none", "{a: 1, b: 2}", "{b: 2, a: 1}", "" },
    { "a changed value", "{spec: {replicas: 1}}", "{spec: {replicas: 2}}", ".spec.replicas: 1 -> 2\n" },
    { "an added value", "{spec: {}}", "{spec: {replicas: 2}}", ".spec.replicas: (none) -> 2\n" },
    { "a removed value", "{spec: {replicas: 1}}", "{spec: {}}", ".spec.replicas: 1 -> (none)\n" },
    { "null is something", "{a: null}", "{}", ".a: null -> (none)\n" },
    { "an added map is one change", "{}", "{a: {b: {c: 1}}}", ".a: (none) -> {\"b\":{\"c\":1}}\n" },
    { "another type is one change", "{a: {b: 1}}", "{a: [1]}", ".a: {\"b\":1} -> [1]\n" },
    { "keys with points are quoted", "{data: {a.b: x, 'say \"hi\"': w}}", "{data: {a.b: z}}",
      ".data[\"a.b\"]: \"x\" -> \"z\"\n.data[\"say \\\"hi\\\"\"]: \"w\" -> (none)\n" },
    { "items go by their names", "{c: [{name: web, image: a}, {name: side, image: b}]}", "{c: [{name: side, image: b}, {name: web, image: c}]}",
      ".c[name=web].image: \"a\" -> \"c\"\n" },
    { "items come and go by their names", "{c: [{name: a}, {name: b.c}]}", "{c: [{name: d}, {name: a}]}",
      ".c[name=\"b.c\"]: {\"name\":\"b.c\"} -> (none)\n.c[name=d]: (none) -> {\"name\":\"d\"}\n" },
    { "without names they go by place", "{c: [{a: 1}, {a: 2}, {a: 3}]}", "{c: [{a: 1}, {a: 4}]}",
      ".c[1].a: 2 -> 4\n.c[2]: {\"a\":3} -> (none)\n" },
    { "names that come twice are none", "{c: [{name: a, v: 1}, {name: a, v: 2}]}", "{c: [{name: a, v: 1}, {name: a, v: 3}]}",
      ".c[1].v: 2 -> 3\n" },
    { "names that are numbers are none", "{c: [{name: 1, v: 1}]}", "{c: [{name: 1, v: 2}]}", ".c[0].v: 1 -> 2\n" },
    { "changes come in the order of the document", "{a: {b: 1, c: {d: 1}}, e: 1, f: [1]}", "{f: [2], e: 2, a: {c: {d: 2}, b: 2}, g: 1}",
      ".a.b: 1 -> 2\n.a.c.d: 1 -> 2\n.e: 1 -> 2\n.f[0]: 1 -> 2\n.g: (none) -> 1\n" },
    { "documents that are no maps", "a", "b", ": \"a\" -> \"b\"\n" },
};
// clang-format on

static void changes_are(void **state)
{
    const struct diff_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_changes changes = { 0 };
    doc_diff(mem, yaml(mem, row->from), yaml(mem, row->to), &changes);
    SBUF(text, SBUF_MAX);
    for (size_t i = 0; i < changes.len; i++) {
        const struct doc_change *change = &changes.at[i];
        sbuf_addf(&text, "%s: %s -> %s\n", change->path,
                  change->from ? val_json(mem, change->from, NULL) : "(none)",
                  change->to ? val_json(mem, change->to, NULL) : "(none)");
    }
    assert_string_equal(sbuf_text(&text), row->changes);
    assert_false(changes.is_cut);
}

static void too_many_changes_are_cut(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *from = val_new_list(mem), *to = val_new_list(mem);
    for (int i = 0; i < 3 * DOC_DIFF_MAX; i++) {
        val_append(mem, from, val_new_int(mem, 1));
        val_append(mem, to, val_new_int(mem, 2));
    }
    struct doc_changes changes = { 0 };
    doc_diff(mem, from, to, &changes);
    assert_int_equal(changes.len, DOC_DIFF_MAX);
    assert_true(changes.is_cut);
    assert_string_equal(changes.at[0].path, "[0]");
}

/* `wide`: one character, across the place of the cut. */
static void check_cut(size_t at, const char *wide)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    char key[300];
    memset(key, 'k', sizeof(key));
    memcpy(key + at, wide, strlen(wide));
    key[sizeof(key) - 1] = '\0';
    struct val *from = val_new_map(mem), *to = val_new_map(mem);
    val_set_text(mem, from, key, "a");
    val_set_text(mem, to, key, "b");
    struct doc_changes changes = { 0 };
    doc_diff(mem, from, to, &changes);
    key[at] = '\0';
    assert_string_equal(changes.at[0].path, arena_printf(mem, "[\"%s\"...]", key));
}

static void long_keys_are_cut_in_paths(void **state)
{
    (void)state;
    check_cut(99, "\xc3\xa9");
    check_cut(98, "\xe2\x82\xac");
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(too_many_changes_are_cut),
        SINGLE(long_keys_are_cut_in_paths),
        ROWS(diff_cases, changes_are),
    };
    return rows_run("diff", tests, ARRAY_LEN(tests));
}
