#include <string.h>

#include "../rows.h"

#include "base/glob.h"
#include "base/number.h"
#include "base/sbuf.h"
#include "base/utf8.h"

static const struct glob_case {
    const char *name, *pattern, *text;
    bool matches;
} glob_cases[] = {
    { "the same text", "abc", "abc", true },
    { "the pattern holds on at the front", "bc", "abc", false },
    { "the pattern holds on at the end", "ab", "abc", false },
    { "nothing matches nothing", "", "", true },
    { "an empty pattern matches nothing else", "", "a", false },
    { "a star matches everything", "*", "a/b:c", true },
    { "a star matches nothing at all", "*", "", true },
    { "a star at the end", "master-*", "master-abc123", true },
    { "a star needs what stands before it", "master-*", "dev-1", false },
    { "a star matches no characters", "a*b", "ab", true },
    { "a star matches slashes", "docker.io/*", "docker.io/a/b", true },
    { "a later star takes what the first could not", "*a*b", "xaxbxab", true },
    { "text behind the last star is at the end", "*ab", "abab", true },
    { "stars in a row", "a**b", "axxb", true },
    { "a question mark is itself", "a?c", "abc", false },
    { "brackets are themselves", "[ab]", "[ab]", true },
    { "a star in the text is an ordinary character", "a", "*", false },
};

static void glob_is(void **state)
{
    const struct glob_case *row = *state;
    assert_int_equal(glob_matches(row->pattern, row->text), row->matches);
}

static void a_glob_made_to_backtrack_ends_soon(void **state)
{
    (void)state;
    char text[20001], pattern[201];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i < sizeof(pattern) - 1; i++)
        pattern[i] = i % 2 ? 'a' : '*';
    pattern[sizeof(pattern) - 2] = 'b';
    pattern[sizeof(pattern) - 1] = '\0';
    assert_false(glob_matches(pattern, text));
}

static const struct number_case {
    const char *name;
    double number;
    const char *g, *json;
} number_cases[] = {
    { "zero", 0, "0", "0" },
    { "zero below zero", -0.0, "-0", "-0" },
    { "one", 1, "1", "1" },
    { "a half", -2.5, "-2.5", "-2.5" },
    { "six digits", 123456, "123456", "123456" },
    { "seven digits", 1234567, "1.234567e+06", "1234567" },
    { "a million", 1e6, "1e+06", "1000000" },
    { "digits behind the point", 123456789.125, "1.23456789125e+08", "123456789.125" },
    { "a tenth is what was meant", 0.1, "0.1", "0.1" },
    { "a third needs all digits", 1.0 / 3, "0.3333333333333333", "0.3333333333333333" },
    { "two tenths and one", 0.1 + 0.2, "0.30000000000000004", "0.30000000000000004" },
    { "small", 0.0001, "0.0001", "0.0001" },
    { "smaller", 0.00001, "1e-05", "0.00001" },
    { "smallest without an exponent", 0.000001, "1e-06", "0.000001" },
    { "smaller still", 1.5e-7, "1.5e-07", "1.5e-7" },
    { "big", 1.5e20, "1.5e+20", "150000000000000000000" },
    { "bigger", 1e21, "1e+21", "1e+21" },
    { "biggest", 1.7976931348623157e308, "1.7976931348623157e+308", "1.7976931348623157e+308" },
    { "next to nothing", 5e-324, "5e-324", "5e-324" },
};

static void number_is(void **state)
{
    const struct number_case *row = *state;
    char text[NUMBER_TEXT_BYTES];
    number_format_g(row->number, text);
    assert_string_equal(text, row->g);
    number_format_json(row->number, text);
    assert_string_equal(text, row->json);
}

static void numbers_beyond_all_have_names(void **state)
{
    (void)state;
    char text[NUMBER_TEXT_BYTES];
    number_format_g(__builtin_inf(), text);
    assert_string_equal(text, "+Inf");
    number_format_g(-__builtin_inf(), text);
    assert_string_equal(text, "-Inf");
    number_format_g(__builtin_nan(""), text);
    assert_string_equal(text, "NaN");
}

static void narrow_numbers_need_fewer_digits(void **state)
{
    (void)state;
    char text[NUMBER_TEXT_BYTES];
    number_format_g32(1.23456789, text);
    assert_string_equal(text, "1.2345679");
    number_format_g32(0.1, text);
    assert_string_equal(text, "0.1");
    number_format_g32(1e300, text);
    assert_string_equal(text, "+Inf");
}

static const struct utf8_case {
    const char *name, *bytes;
    size_t good; /* bytes before the first bad one */
} utf8_cases[] = {
    { "plain text", "abc", 3 },
    { "two, three and four bytes", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9 },
    { "a tail without a head", "a\x80", 1 },
    { "a head without a tail", "a\xc3", 1 },
    { "a head with half a tail", "ab\xe2\x82", 2 },
    { "an overlong slash", "\xc0\xaf", 0 },
    { "an overlong form of three bytes", "\xe0\x80\xaf", 0 },
    { "a surrogate", "x\xed\xa0\x80", 1 },
    { "the last point there is", "\xf4\x8f\xbf\xbf", 4 },
    { "a point beyond it", "\xf4\x90\x80\x80", 0 },
    { "a byte that is never used", "ok\xff", 2 },
};

static void utf8_is_good_up_to(void **state)
{
    const struct utf8_case *row = *state;
    assert_int_equal(utf8_find_bad(row->bytes, strlen(row->bytes)), row->good);
}

static const struct fit_case {
    const char *name, *text;
    size_t max, len;
} fit_cases[] = {
    { "all fits", "abc", 5, 3 },
    { "all fits just so", "a\xc3\xa9", 3, 3 },
    { "between two characters", "a\xc3\xa9\xc3\xa9", 3, 3 },
    { "within one of two bytes", "a\xc3\xa9", 2, 1 },
    { "within one of three", "ab\xe2\x82\xac", 4, 2 },
    { "within one of four", "a\xf0\x9f\x98\x80", 4, 1 },
    { "the first does not fit", "\xf0\x9f\x98\x80", 2, 0 },
    { "nothing fits", "abc", 0, 0 },
    { "what is no UTF-8 is cut anywhere", "a\x80\x80\x80\x80\x80\x80", 5, 5 },
};

static void as_much_fits(void **state)
{
    const struct fit_case *row = *state;
    assert_int_equal(utf8_fit(row->text, row->max), row->len);
}

static const struct visible_case {
    const char *name, *text, *shown;
} visible_cases[] = {
    { "plain text stays", "a \"b\" \\n", "a \"b\" \\n" },
    { "letters of all the world stay", "\xc3\xa9\xe2\x82\xac", "\xc3\xa9\xe2\x82\xac" },
    { "lines and tabs", "a\nb\tc\r", "a\\nb\\tc\\r" },
    { "orders for a terminal", "\x1b[2J\a\x7f", "\\u001b[2J\\u0007\\u007f" },
    { "orders of two bytes",
      "\xc2\x9b"
      "2J",
      "\\u009b2J" },
    { "no UTF-8", "a\x9b\xff", "a\\ufffd\\ufffd" },
};

static void a_text_is_visible(void **state)
{
    const struct visible_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(1 << 20);
    assert_string_equal(sbuf_shown(mem, row->text), row->shown);
}

static void errors_are_text(void **state)
{
    (void)state;
    SCOPED(err_free)
    struct err *e = err_new(ERR_INVALID, "\"%.3s\": \xff\xc3\xa9", "ab\xc3\xa9");
    e = err_wrap(e, "a\xc3.yaml");
    assert_string_equal(err_text(e), "a?.yaml: \"ab?\": ?\xc3\xa9");
}

static void every_point_survives_there_and_back(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        char bytes[4];
        uint32_t back = UINT32_MAX;
        size_t len = utf8_encode(point, bytes);
        assert_int_equal(utf8_decode(bytes, len, &back), len);
        bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
        assert_int_equal(back, is_surrogate ? 0xfffd : point);
    }
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(a_glob_made_to_backtrack_ends_soon),
        SINGLE(numbers_beyond_all_have_names),
        SINGLE(narrow_numbers_need_fewer_digits),
        SINGLE(errors_are_text),
        SINGLE(every_point_survives_there_and_back),
        ROWS(glob_cases, glob_is),
        ROWS(number_cases, number_is),
        ROWS(utf8_cases, utf8_is_good_up_to),
        ROWS(fit_cases, as_much_fits),
        ROWS(visible_cases, a_text_is_visible),
    };
    return rows_run("text", tests, ARRAY_LEN(tests));
}
