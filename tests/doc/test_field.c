/* Fields by name: in this case, else in any; null is as good as absent. */
#include <string.h>

#include "../rows.h"

#include "doc/field.h"
#include "doc/json.h"

static const struct field_case {
    const char *name, *json, *field, *found; /* found NULL: absent */
} cases[] = {
    { "as it is written", "{\"a\":1,\"Name\":2}", "Name", "2" },
    { "in another case", "{\"a\":1,\"nAmE\":2}", "Name", "2" },
    { "the exact one first", "{\"name\":1,\"NAME\":2,\"Name\":3}", "Name", "3" },
    { "of several others the first", "{\"name\":1,\"NAME\":2}", "Name", "1" },
    { "null", "{\"Name\":null}", "Name", NULL },
    { "none", "{\"Names\":1}", "Name", NULL },
    { "no map", "[\"Name\"]", "Name", NULL },
};

static void field_matches_case(void **state)
{
    const struct field_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *v = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, c->json, strlen(c->json), &v);
    assert_null(e);
    const struct val *found = doc_field(v, c->field);
    if (c->found)
        assert_string_equal(val_json(mem, found, NULL), c->found);
    else
        assert_null(found);
}

static void assert_error(struct err *e, const char *text)
{
    assert_string_equal(err_text(e), text);
    err_free(e);
}

static void types_are_checked(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const char json[] = "{\"t\":\"x\",\"m\":{},\"l\":[],\"b\":true}";
    struct val *v = NULL;
    const char *text;
    const struct val *out;
    bool is;
    assert_error(doc_json_parse(mem, json, strlen(json), &v), "");
    assert_error(doc_field_text(v, "T", &text), "");
    assert_string_equal(text, "x");
    assert_error(doc_field_text(v, "none", &text), "");
    assert_string_equal(text, "");
    assert_error(doc_field_text(v, "b", &text), "b is a boolean, not a text");
    assert_error(doc_field_map(v, "m", &out), "");
    assert_true(val_is_map(out));
    assert_error(doc_field_map(v, "l", &out), "l is a list, not a map");
    assert_error(doc_field_list(v, "l", &out), "");
    assert_true(val_is_list(out));
    assert_error(doc_field_list(v, "none", &out), "");
    assert_null(out);
    assert_error(doc_field_list(v, "t", &out), "t is a string, not a list");
    assert_error(doc_field_bool(v, "b", &is), "");
    assert_true(is);
    assert_error(doc_field_bool(v, "none", &is), "");
    assert_false(is);
    assert_error(doc_field_bool(v, "m", &is), "m is a map, not true or false");
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(cases, field_matches_case),
        SINGLE(types_are_checked),
    };
    return rows_run("doc_field", tests, ARRAY_LEN(tests));
}
