/* Bodies are read as Go's decoder reads them: first value only, names in any case, the place of the first wrong byte. */
#include <string.h>

#include "../rows.h"

#include "api/body.h"

static const struct syntax_case {
    const char *name, *text, *json; /* json NULL: refused */
    int64_t offset;
} syntax_cases[] = {
    { "a map", "{\"a\":[1,-2.5e+3,\"x\\u00e9\",true,false,null,{}]}",
      "{\"a\":[1,-2500,\"x\xc3\xa9\",true,false,null,{}]}", 0 },
    { "an empty list", " [ ] ", "[]", 0 },
    { "what follows the value is not read", "{} nonsense", "{}", 0 },
    { "a number ends where its digits end", "01", "0", 0 },
    { "nothing", "", NULL, 0 },
    { "blanks only", " \n\t", NULL, 0 },
    { "an open map", "{\"a\":1", NULL, 0 },
    { "an open text", "\"abc", NULL, 0 },
    { "half a word", "tru", NULL, 0 },
    { "a number that stops at its point", "1.", NULL, 0 },
    { "a word that is none", "x", NULL, 1 },
    { "a word that begins like null", "not json", NULL, 2 },
    { "a missing colon", "{\"a\" 1}", NULL, 6 },
    { "a missing comma", "[1 2]", NULL, 4 },
    { "a comma before the end of a list", "[1,]", NULL, 4 },
    { "a comma before the end of a map", "{\"a\":1,}", NULL, 8 },
    { "a key that is no text", "{1:2}", NULL, 2 },
    { "the wrong bracket", "[1}", NULL, 3 },
    { "a control character in a text", "\"a\nb\"", NULL, 3 },
    { "an escape that is none", "\"\\x\"", NULL, 3 },
    { "an escape of three digits", "\"\\u12g4\"", NULL, 6 },
    { "a minus without a number", "[-]", NULL, 3 },
    { "an exponent without digits", "[1e]", NULL, 4 },
    { "a zero before digits in a list", "[01]", NULL, 3 },
};

static void syntax_matches_case(void **state)
{
    const struct syntax_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *v = NULL;
    int64_t offset = -1;
    SCOPED(err_free) struct err *e = api_body_value(mem, c->text, strlen(c->text), &v, &offset);
    assert_int_equal(offset, c->offset);
    if (c->json) {
        assert_null(e);
        assert_string_equal(val_json(mem, v, NULL), c->json);
    } else {
        assert_true(err_is(e, ERR_INVALID));
    }
}

static void a_body_of_a_hundred_thousand_brackets_is_refused(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    size_t len = 100000;
    char *text = arena_alloc(mem, len);
    memset(text, '[', len);
    struct val *v = NULL;
    SCOPED(err_free) struct err *e = api_body_value(mem, text, len, &v, NULL);
    assert_true(err_is(e, ERR_INVALID));
}

static void a_nul_byte_is_refused_where_it_stands(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *v = NULL;
    int64_t offset = 0;
    SCOPED(err_free) struct err *e = api_body_value(mem, "[\0]", 3, &v, &offset);
    assert_non_null(e);
    assert_int_equal(offset, 2);
}

static const struct change_case {
    const char *name, *text;
    struct api_change change; /* url NULL: refused */
} change_cases[] = {
    { "a git change",
      "{\"Kind\":\"git\",\"Source\":{\"URL\":\"git@example.org:a/b\",\"Branch\":\"master\"}}",
      { API_CHANGE_GIT, "git@example.org:a/b", "master", "", "" } },
    { "names in another case",
      "{\"kind\":\"git\",\"SOURCE\":{\"url\":\"u\",\"branch\":\"b\",\"x\":1}}",
      { API_CHANGE_GIT, "u", "b", "", "" } },
    { "an image change",
      "{\"Kind\":\"image\",\"Source\":{\"Name\":{\"Domain\":\"quay.io\",\"Image\":\"weaveworks/"
      "helloworld\"}}}",
      { API_CHANGE_IMAGE, "", "", "quay.io", "weaveworks/helloworld" } },
    { "a git change without a source", "{\"Kind\":\"git\"}", { API_CHANGE_GIT, "", "", "", "" } },
    { "a source of null",
      "{\"Kind\":\"git\",\"Source\":null}",
      { API_CHANGE_GIT, "", "", "", "" } },
    { "an unknown kind", "{\"Kind\":\"other\",\"Source\":{}}", { .url = NULL } },
    { "no kind", "{}", { .url = NULL } },
    { "a kind that is a number", "{\"Kind\":5}", { .url = NULL } },
    { "a source that is a text", "{\"Kind\":\"git\",\"Source\":\"x\"}", { .url = NULL } },
    { "a branch that is a list", "{\"Kind\":\"git\",\"Source\":{\"Branch\":[]}}", { .url = NULL } },
    { "a list", "[]", { .url = NULL } },
};

static void change_matches_case(void **state)
{
    const struct change_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct api_change change;
    SCOPED(err_free) struct err *e = api_body_change(mem, c->text, strlen(c->text), &change, NULL);
    if (!c->change.url) {
        assert_true(err_is(e, ERR_INVALID));
        return;
    }
    assert_null(e);
    assert_int_equal(change.kind, c->change.kind);
    assert_string_equal(change.url, c->change.url);
    assert_string_equal(change.branch, c->change.branch);
    assert_string_equal(change.domain, c->change.domain);
    assert_string_equal(change.image, c->change.image);
}

static void true_and_false_are_read_and_nothing_else(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    bool is = false;
    assert_null(api_body_bool(mem, "true\n", 5, &is, NULL));
    assert_true(is);
    assert_null(api_body_bool(mem, "null", 4, &is, NULL));
    assert_false(is);
    SCOPED(err_free) struct err *text = api_body_bool(mem, "\"true\"", 6, &is, NULL);
    assert_true(err_is(text, ERR_INVALID));
    SCOPED(err_free) struct err *empty = api_body_bool(mem, "", 0, &is, NULL);
    assert_true(err_is(empty, ERR_INVALID));
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(a_body_of_a_hundred_thousand_brackets_is_refused),
        SINGLE(a_nul_byte_is_refused_where_it_stands),
        SINGLE(true_and_false_are_read_and_nothing_else),
        ROWS(syntax_cases, syntax_matches_case),
        ROWS(change_cases, change_matches_case),
    };
    return rows_run("api_body", tests, ARRAY_LEN(tests));
}
