#include <string.h>

#include "../rows.h"

#include "doc/yaml.h"

/* What go-yaml v2.4 and sigs.k8s.io/yaml v1.3 make of them: `value` is a value, or a key, and `json` what it is then. */
struct type_case {
    const char *name, *value, *json;
};

#define READS(yaml, result)                    \
    {                                          \
        yaml " reads as " result, yaml, result \
    }

// clang-format off
static const struct type_case value_cases[] = {
    READS("y", "true"),
    READS("Y", "true"),
    READS("yes", "true"),
    READS("Yes", "true"),
    READS("YES", "true"),
    READS("yEs", "\"yEs\""),
    READS("true", "true"),
    READS("True", "true"),
    READS("TRUE", "true"),
    READS("tRUE", "\"tRUE\""),
    READS("on", "true"),
    READS("On", "true"),
    READS("ON", "true"),
    READS("oN", "\"oN\""),
    READS("n", "false"),
    READS("N", "false"),
    READS("no", "false"),
    READS("No", "false"),
    READS("NO", "false"),
    READS("nO", "\"nO\""),
    READS("false", "false"),
    READS("False", "false"),
    READS("FALSE", "false"),
    READS("off", "false"),
    READS("Off", "false"),
    READS("OFF", "false"),
    READS("null", "null"),
    READS("Null", "null"),
    READS("NULL", "null"),
    READS("nULL", "\"nULL\""),
    READS("~", "null"),
    READS("none", "\"none\""),
    READS("0", "0"),
    READS("00", "0"),
    READS("007", "7"),
    READS("08", "8"),
    READS("09", "9"),
    READS("017", "15"),
    READS("-017", "-15"),
    READS("+017", "15"),
    READS("0o17", "15"),
    READS("0O17", "15"),
    READS("0x1F", "31"),
    READS("0X1f", "31"),
    READS("-0x1F", "-31"),
    READS("0x", "\"0x\""),
    READS("0xG", "\"0xG\""),
    READS("0b101", "5"),
    READS("0B101", "5"),
    READS("-0b101", "-5"),
    READS("0b102", "\"0b102\""),
    READS("0b-1", "-1"),
    READS("1_000", "1000"),
    READS("1__0", "10"),
    READS("_1", "\"_1\""),
    READS("1_", "1"),
    READS("-_1", "-1"),
    READS("+1", "1"),
    READS("-1", "-1"),
    READS("+", "\"+\""),
    READS("-0", "0"),
    READS("-0.0", "-0"),
    READS("1.", "1"),
    READS("1.0", "1"),
    READS("1.5", "1.5"),
    READS(".5", "0.5"),
    READS("-.5", "-0.5"),
    READS("+.5", "0.5"),
    READS(".5_0", "0.5"),
    READS("._5", "\"._5\""),
    READS("1_0.5", "10.5"),
    READS("1e3", "1000"),
    READS("1E3", "1000"),
    READS("1e+3", "1000"),
    READS("1e-3", "0.001"),
    READS("1.e3", "1000"),
    READS(".e3", "\".e3\""),
    READS("1.5e", "\"1.5e\""),
    READS("e3", "\"e3\""),
    READS("1e1_0", "10000000000"),
    READS("1e999", "\"1e999\""),
    READS("-1e999", "\"-1e999\""),
    READS("1e-999", "0"),
    READS("1e6", "1000000"),
    READS("1e20", "100000000000000000000"),
    READS("1e21", "1e+21"),
    READS("1e-7", "1e-7"),
    READS("0.000001", "0.000001"),
    READS("123456789.125", "123456789.125"),
    READS("9223372036854775807", "9223372036854775807"),
    READS("9223372036854775808", "9223372036854775808"),
    READS("-9223372036854775808", "-9223372036854775808"),
    READS("-9223372036854775809", "-9223372036854776000"),
    READS("18446744073709551615", "18446744073709551615"),
    READS("18446744073709551616", "18446744073709552000"),
    READS("+18446744073709551615", "18446744073709552000"),
    READS("0xFFFFFFFFFFFFFFFF", "18446744073709551615"),
    READS("0x10000000000000000", "\"0x10000000000000000\""),
    READS("99999999999999999999999", "1e+23"),
    READS("1:30", "\"1:30\""),
    READS("190:20:30.15", "\"190:20:30.15\""),
    READS("12:30:45", "\"12:30:45\""),
    READS("2001-12-14", "\"2001-12-14\""),
    READS("2001-12-14T21:59:43.10-05:00", "\"2001-12-14T21:59:43.10-05:00\""),
    READS("2001-12-14 21:59:43", "\"2001-12-14 21:59:43\""),
    READS("2001-1-1", "\"2001-1-1\""),
    READS("0001-01-01", "\"0001-01-01\""),
    READS("2001-13-01", "\"2001-13-01\""),
    READS("1.2.3", "\"1.2.3\""),
    READS("1,000", "\"1,000\""),
    READS("10%", "\"10%\""),
    READS("1 000", "\"1 000\""),
    READS("256Mi", "\"256Mi\""),
    READS("100m", "\"100m\""),
    READS("5s", "\"5s\""),
    READS("v1", "\"v1\""),
    READS("1e", "\"1e\""),
    READS("0x1p4", "\"0x1p4\""),
    READS("infinity", "\"infinity\""),
    READS("inf", "\"inf\""),
    READS("nan", "\"nan\""),
    READS("Inf", "\"Inf\""),
    READS("NaN", "\"NaN\""),
    READS("=", "\"=\""),
    READS("<", "\"\\u003c\""),
    READS("a#b", "\"a#b\""),
    READS("a:b", "\"a:b\""),
    READS("http://a:80/b?c=d", "\"http://a:80/b?c=d\""),
    READS("-a", "\"-a\""),
    READS("?a", "\"?a\""),
    READS(":a", "\":a\""),
    READS("a b  c", "\"a b  c\""),
    READS("'1'", "\"1\""),
    READS("\"1\"", "\"1\""),
    READS("'yes'", "\"yes\""),
    READS("\"null\"", "\"null\""),
    READS("''", "\"\""),
    READS("\"\"", "\"\""),
    READS("'it''s'", "\"it's\""),
    READS("\"a\\tb\\x41\\u00e9\\n\"", "\"a\\tbA\303\251\\n\""),
    READS("!!str 1", "\"1\""),
    READS("!!str yes", "\"yes\""),
    READS("!!str", "\"\""),
    READS("!!str ~", "\"~\""),
    READS("!!int 1", "1"),
    READS("!!int '12'", "12"),
    READS("!!int 0x10", "16"),
    READS("!!float 1", "1"),
    READS("!!float 1.5", "1.5"),
    READS("!!float '3'", "3"),
    READS("!!bool yes", "true"),
    READS("!!bool 'on'", "true"),
    READS("!!null ''", "null"),
    READS("!!null ~", "null"),
    READS("!!timestamp 2001-12-14", "\"2001-12-14\""),
    READS("!!binary aGVsbG8=", "\"hello\""),
    READS("!!binary ''", "\"\""),
    READS("! 12", "\"12\""),
    READS("! yes", "\"yes\""),
    READS("!custom 12", "\"12\""),
    READS("!custom yes", "\"yes\""),
    READS("!<tag:yaml.org,2002:int> 7", "7"),
};

static const struct type_case key_cases[] = {
    READS("y", "\"true\""),
    READS("no", "\"false\""),
    READS("on", "\"true\""),
    READS("1", "\"1\""),
    READS("1.0", "\"1\""),
    READS("1.5", "\"1.5\""),
    READS("0x10", "\"16\""),
    READS("007", "\"7\""),
    READS("1e3", "\"1000\""),
    READS("1e21", "\"1e+21\""),
    READS("true", "\"true\""),
    READS("'1'", "\"1\""),
    READS("'yes'", "\"yes\""),
    READS("\"on\"", "\"on\""),
    READS(".inf", "\".inf\""),
    READS("-.inf", "\"-.inf\""),
    READS(".nan", "\".nan\""),
    READS("1.23456789", "\"1.2345679\""),
    READS("16777217.0", "\"1.6777216e+07\""),
    READS("2001-12-14", "\"2001-12-14\""),
    READS("-1", "\"-1\""),
    READS("9223372036854775807", "\"9223372036854775807\""),
    READS("''", "\"\""),
    READS("!!str 1", "\"1\""),
    READS("!!int '5'", "\"5\""),
    READS("!!binary aGVsbG8=", "\"hello\""),
    READS("<", "\"\\u003c\""),
    READS("a b", "\"a b\""),
};

static const struct type_case bad_cases[] = {
    { "!!int wants an integer", "!!int x", "cannot decode !!str `x` as a !!int" },
    { "!!int takes no fraction", "!!int 1.5", "cannot decode !!float `1.5` as a !!int" },
    { "!!bool takes no number", "!!bool 1", "cannot decode !!int `1` as a !!bool" },
    { "!!bool takes no word", "!!bool maybe", "cannot decode !!str `maybe` as a !!bool" },
    { "!!null takes nothing but null", "!!null x", "cannot decode !!str `x` as a !!null" },
    { "!!float wants a number", "!!float x", "cannot decode !!str `x` as a !!float" },
    { "!!timestamp wants a time", "!!timestamp 5", "cannot decode !!int `5` as a !!timestamp" },
    { "a message shows no line breaks", "!!int \"a\\nb\"", "cannot decode !!str `a b` as a !!int" },
    { "!!binary wants base64", "!!binary '*'", "!!binary value contains invalid base64 data" },
    { "JSON has no .nan", ".nan", ".nan is a number JSON cannot hold" },
    { "JSON has no .inf", ".inf", ".inf is a number JSON cannot hold" },
    { "JSON has no -.inf", "-.inf", "-.inf is a number JSON cannot hold" },
};
// clang-format on

static void load_one(struct arena *mem, const char *text, struct err **e, struct val **root)
{
    struct doc_yaml_list docs = { 0 };
    *e = doc_yaml_load(mem, text, strlen(text), &doc_yaml_default_limits, &docs, NULL);
    *root = docs.len ? docs.at[0].root : NULL;
}

static void value_is(void **state)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(err_free) struct err *e = NULL;
    const struct type_case *row = *state;
    struct val *root;
    load_one(mem, arena_printf(mem, "v: %s\n", row->value), &e, &root);
    assert_string_equal(err_text(e), "");
    assert_string_equal(val_json(mem, val_get(root, "v"), NULL), row->json);
}

static void key_is(void **state)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(err_free) struct err *e = NULL;
    const struct type_case *row = *state;
    struct val *root;
    load_one(mem, arena_printf(mem, "%s: v\n", row->value), &e, &root);
    assert_string_equal(err_text(e), "");
    SBUF(key, 100);
    sbuf_add_json(&key, root->pairs[0].key, strlen(root->pairs[0].key));
    assert_string_equal(sbuf_text(&key), row->json);
}

static void value_is_refused(void **state)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(err_free) struct err *e = NULL;
    const struct type_case *row = *state;
    struct val *root;
    load_one(mem, arena_printf(mem, "v: %s\n", row->value), &e, &root);
    assert_true(err_is(e, ERR_INVALID));
    assert_string_equal(err_text(e), row->json);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(value_cases, value_is),
        ROWS(key_cases, key_is),
        ROWS(bad_cases, value_is_refused),
    };
    return rows_run("yaml_types", tests, ARRAY_LEN(tests));
}
