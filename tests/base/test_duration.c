#include "../rows.h"

#include "base/duration.h"

static const struct parse_case {
    const char *name, *text;
    int64_t ms;
    const char *error; /* NULL: it is a duration */
} parse_cases[] = {
    { "zero needs no unit", "0", 0, NULL },
    { "zero with a sign needs none either", "-0", 0, NULL },
    { "milliseconds", "300ms", 300, NULL },
    { "seconds", "20s", 20000, NULL },
    { "several parts add up", "1h30m", 5400000, NULL },
    { "parts may come in any order and twice", "1s1h1s", 3602000, NULL },
    { "a fraction", "1.5h", 5400000, NULL },
    { "a fraction without a whole", ".5s", 500, NULL },
    { "a whole with a bare point", "1.s", 1000, NULL },
    { "below zero", "-2s", -2000, NULL },
    { "a plus sign", "+5s", 5000, NULL },
    { "finer parts are rounded to the nearest", "1ms600us", 2, NULL },
    { "and below zero as above it", "-1ms600us", -2, NULL },
    { "nanoseconds vanish", "400000ns", 0, NULL },
    { "a micro sign", "1500\xc2\xb5s", 2, NULL },
    { "a Greek mu", "1500\xce\xbcs", 2, NULL },
    { "a long fraction loses what does not fit", "0.100000000000000000000h", 360000, NULL },
    { "the longest", "9223372036854775807ns", 9223372036855, NULL },
    { "the longest below zero", "-9223372036854775808ns", -9223372036855, NULL },
    { "words are none", "often", 0, "time: invalid duration \"often\"" },
    { "nothing is none", "", 0, "time: invalid duration \"\"" },
    { "a sign alone is none", "-", 0, "time: invalid duration \"-\"" },
    { "two signs are too many", "--5s", 0, "time: invalid duration \"--5s\"" },
    { "a point alone is no number", ".s", 0, "time: invalid duration \".s\"" },
    { "a number wants a unit", "5", 0, "time: missing unit in duration \"5\"" },
    { "zero wants one after another part", "1h0", 0, "time: missing unit in duration \"1h0\"" },
    { "a unit nobody knows", "5x", 0, "time: unknown unit \"x\" in duration \"5x\"" },
    { "days are not known", "1d", 0, "time: unknown unit \"d\" in duration \"1d\"" },
    { "blanks are part of the unit", "5 s", 0, "time: unknown unit \" s\" in duration \"5 s\"" },
    { "one nanosecond too long", "9223372036854775808ns", 0,
      "time: invalid duration \"9223372036854775808ns\"" },
    { "far too long", "3000000h", 0, "time: invalid duration \"3000000h\"" },
    { "too many digits", "99999999999999999999s", 0,
      "time: invalid duration \"99999999999999999999s\"" },
    { "parts that add up to too much", "2562047h48m", 0, "time: invalid duration \"2562047h48m\"" },
    { "odd bytes are shown as their codes", "1\xc3\xa9", 0,
      "time: unknown unit \"\\xc3\\xa9\" in duration \"1\\xc3\\xa9\"" },
    { "quotes and backslashes are escaped", "\"x\\", 0, "time: invalid duration \"\\\"x\\\\\"" },
    { "control characters are shown as their codes", "5m\x01", 0,
      "time: unknown unit \"m\\x01\" in duration \"5m\\x01\"" },
};

static void parses(void **state)
{
    const struct parse_case *row = *state;
    int64_t ms = -1;
    SCOPED(err_free) struct err *e = duration_parse(row->text, &ms);
    assert_string_equal(err_text(e), row->error ? row->error : "");
    if (row->error)
        assert_int_equal(err_kind(e), ERR_INVALID);
    else
        assert_int_equal(ms, row->ms);
}

static const struct format_case {
    const char *name;
    int64_t ms;
    const char *text;
} format_cases[] = {
    { "nothing is 0s", 0, "0s" },
    { "less than a second is in milliseconds", 300, "300ms" },
    { "seconds", 20000, "20s" },
    { "a fraction loses its zeros", 1500, "1.5s" },
    { "a fraction keeps its digits", 1234, "1.234s" },
    { "minutes bring their seconds along", 300000, "5m0s" },
    { "hours bring both", 5400000, "1h30m0s" },
    { "hours do not become days", 90061001, "25h1m1.001s" },
    { "below zero", -1500, "-1.5s" },
    { "just below zero", -1, "-1ms" },
    { "the least there is", INT64_MIN, "-2562047788015h12m55.808s" },
};

static void formats(void **state)
{
    const struct format_case *row = *state;
    char text[DURATION_TEXT_BYTES];
    duration_format(row->ms, text);
    assert_string_equal(text, row->text);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(parse_cases, parses),
        ROWS(format_cases, formats),
    };
    return rows_run("duration", tests, ARRAY_LEN(tests));
}
