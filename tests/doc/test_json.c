#include <stdio.h>
#include <string.h>

#include "../rows.h"

#include "doc/json.h"

// clang-format off
/* JSON that is read, and what it is written as. */
static const struct good_case {
    const char *name, *text, *json;
} good_cases[] = {
    { "the smallest map", "{}", "{}" },
    { "the smallest list", "[]", "[]" },
    { "a text alone", "\"a\"", "\"a\"" },
    { "a number alone", " 1 ", "1" },
    { "the three words", "[true,false,null]", "[true,false,null]" },
    { "white space anywhere", " {\n\t\"a\" :\r [ 1 , 2 ] } ", "{\"a\":[1,2]}" },
    { "keys keep their order", "{\"b\":1,\"a\":2}", "{\"b\":1,\"a\":2}" },
    { "of a key that comes twice the last value stays, at the first place", "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}" },
    { "also of many keys", "{\"a\":0,\"b\":1,\"c\":2,\"d\":3,\"e\":4,\"f\":5,\"g\":6,\"h\":7,\"i\":8,\"c\":9,\"a\":10}",
      "{\"a\":10,\"b\":1,\"c\":9,\"d\":3,\"e\":4,\"f\":5,\"g\":6,\"h\":7,\"i\":8}" },
    { "numbers are written as Go writes them", "[0,-0,1.50,1e5,1E+5,0.1e-2,-12]", "[0,0,1.5,100000,100000,0.001,-12]" },
    { "the biggest integers", "[9223372036854775807,-9223372036854775808]",
      "[9223372036854775807,-9223372036854775808]" },
    { "bigger ones become floats", "[18446744073709551616,-9223372036854775809,100000000000000000000000]",
      "[18446744073709552000,-9223372036854776000,1e+23]" },
    { "escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\"" },
    { "codes", "\"\\u0041\\u00e9\\u20AC\"", "\"A\xc3\xa9\xe2\x82\xac\"" },
    { "codes in pairs", "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
    { "a NUL in a text", "\"a\\u0000b\"", "\"a\\u0000b\"" },
    { "an empty key", "{\"\":1}", "{\"\":1}" },
};

/* JSON that is not. */
static const struct bad_case {
    const char *name, *text, *error;
} bad_cases[] = {
    { "a lone first half", "\"\\ud83dx\"", "JSON line 1, column 9: invalid Unicode '\\uD83D'" },
    { "a lone second half", "\"\\ude00\"", "JSON line 1, column 8: invalid Unicode '\\uDE00'" },
    { "bytes that are no UTF-8", "\"a\xff\"", "JSON line 1, column 2: unable to decode byte 0xff" },
    { "nothing", "", "JSON line 1, column 1: unexpected token" },
    { "blanks only", " \n ", "JSON line 2, column 1: unexpected token" },
    { "two values", "1 2", "JSON line 1, column 3: end of file expected" },
    { "a list without its end", "[1", "JSON line 1, column 2: ']' expected" },
    { "a list ending as a map", "[1}", "JSON line 1, column 3: ']' expected" },
    { "a map ending as a list", "{\"a\":1]", "JSON line 1, column 7: '}' expected" },
    { "a comma at the end of a list", "[1,]", "JSON line 1, column 4: unexpected token" },
    { "a comma at the end of a map", "{\"a\":1,}", "JSON line 1, column 8: string or '}' expected" },
    { "a comma alone", "[,1]", "JSON line 1, column 2: unexpected token" },
    { "no comma", "[1 2]", "JSON line 1, column 4: ']' expected" },
    { "no colon", "{\"a\" 1}", "JSON line 1, column 6: ':' expected" },
    { "no value", "{\"a\":}", "JSON line 1, column 6: unexpected token" },
    { "a key without quotes", "{a:1}", "JSON line 1, column 2: string or '}' expected" },
    { "single quotes", "['a']", "JSON line 1, column 2: invalid token" },
    { "a word nobody knows", "[nul]", "JSON line 1, column 4: invalid token" },
    { "a word and more", "[truely]", "JSON line 1, column 7: invalid token" },
    { "a number that begins with 0", "01", "JSON line 1, column 1: invalid token" },
    { "a minus alone", "-", "JSON line 1, column 1: invalid token" },
    { "a plus", "+1", "JSON line 1, column 1: invalid token" },
    { "a point without digits", "1.", "JSON line 1, column 2: invalid token" },
    { "a point in front", ".5", "JSON line 1, column 1: invalid token" },
    { "an exponent without digits", "1e+", "JSON line 1, column 3: invalid token" },
    { "a number too big for anything", "1e999", "JSON line 1, column 5: real number overflow" },
    { "a hexadecimal number", "0x10", "JSON line 1, column 2: end of file expected" },
    { "a text without its end", "\"abc", "JSON line 1, column 4: premature end of input" },
    { "a backslash at the end", "\"abc\\", "JSON line 1, column 5: invalid escape" },
    { "an escape nobody knows", "\"\\x41\"", "JSON line 1, column 3: invalid escape" },
    { "a code with a letter", "\"\\u00g0\"", "JSON line 1, column 6: invalid escape" },
    { "a line break in a text", "\"a\nb\"", "JSON line 1, column 2: unexpected newline" },
    { "a NUL in a key", "{\"a\\u0000b\":1}", "JSON line 1, column 11: NUL byte in object key not supported" },
    { "a comment", "[1] // one", "JSON line 1, column 5: end of file expected" },
    { "columns are counted in characters", "{\"\xc3\xa9\xc3\xa9\":\n\"\xc3\xa9\"x", "JSON line 2, column 4: '}' expected" },
    { "a byte order mark", "\xef\xbb\xbf{}", "JSON line 1, column 1: invalid token" },
};
// clang-format on

static void text_is_read(void **state)
{
    const struct good_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    char *exactly = arena_copy(mem, row->text, strlen(row->text)); /* no NUL behind it */
    struct val *v = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, exactly, strlen(row->text), &v);
    assert_string_equal(err_text(e), "");
    assert_string_equal(val_json(mem, v, NULL), row->json);
}

static void text_is_refused(void **state)
{
    const struct bad_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    char *exactly = arena_copy(mem, row->text, strlen(row->text));
    struct val *v = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, exactly, strlen(row->text), &v);
    assert_string_equal(err_text(e), row->error);
    assert_true(err_is(e, ERR_INVALID));
}

static void every_beginning_of_a_text_is_refused(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\\u00e9\":[1.5e3,true,null,{\"b\":\"\\ud83d\\ude00\"}],\"c\":-0.1}";
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t len = 0; len < strlen(text); len++) {
        char *exactly = arena_copy(mem, text, len);
        struct val *v = NULL;
        SCOPED(err_free) struct err *e = doc_json_parse(mem, exactly, len, &v);
        assert_true(err_is(e, ERR_INVALID));
    }
}

static void depth_is_limited(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    for (int i = 0; i < DOC_DEPTH_MAX; i++)
        sbuf_add(&text, i % 2 ? "{\"a\":" : "[");
    sbuf_add(&text, "1");
    for (int i = DOC_DEPTH_MAX - 1; i >= 0; i--)
        sbuf_add(&text, i % 2 ? "}" : "]");
    struct val *v = NULL;
    assert_null(doc_json_parse(mem, sbuf_text(&text), text.len, &v));
    assert_string_equal(val_json(mem, v, NULL), sbuf_text(&text));
    sbuf_reset(&text);
    for (int i = 0; i < 100000; i++)
        sbuf_add_char(&text, '[');
    SCOPED(err_free) struct err *e = doc_json_parse(mem, sbuf_text(&text), text.len, &v);
    assert_true(err_is(e, ERR_LIMIT));
    assert_string_equal(err_text(e), "JSON line 1, column 65: nested too deeply");
}

static void values_are_limited(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    sbuf_add(&text, "[1");
    for (int i = 0; i < DOC_JSON_NODES_MAX; i++)
        sbuf_add_bytes(&text, ",1", 2);
    sbuf_add(&text, "]");
    struct val *v = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, sbuf_text(&text), text.len, &v);
    assert_true(err_is(e, ERR_LIMIT));
}

static void a_map_of_many_equal_keys_is_read(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    for (int i = 0; i < 200000; i++)
        sbuf_addf(&text, "%s\"%d\":%d", i ? "," : "{", i % 2 ? i : 0, i);
    sbuf_add(&text, "}");
    struct val *v = NULL;
    assert_null(doc_json_parse(mem, sbuf_text(&text), text.len, &v));
    assert_int_equal(val_len(v), 100001);
    int64_t number = 0;
    assert_true(val_int(val_get(v, "0"), &number));
    assert_int_equal(number, 199998);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(every_beginning_of_a_text_is_refused),
        SINGLE(depth_is_limited),
        SINGLE(values_are_limited),
        SINGLE(a_map_of_many_equal_keys_is_read),
        ROWS(good_cases, text_is_read),
        ROWS(bad_cases, text_is_refused),
    };
    return rows_run("json", tests, ARRAY_LEN(tests));
}
