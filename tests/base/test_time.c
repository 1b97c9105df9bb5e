#include "../rows.h"

#include "base/time.h"

#define SECOND 1000000000LL

static const struct parse_case {
    const char *name, *text;
    int64_t ns;
} parse_cases[] = {
    { "the beginning", "1970-01-01T00:00:00Z", 0 },
    { "a time of our days", "2026-11-21T09:55:55Z", 1795254955 * SECOND },
    { "a leap day", "2024-02-29T12:00:00Z", 1709208000 * SECOND },
    { "a leap day of a whole century", "2000-02-29T00:00:00Z", 951782400 * SECOND },
    { "a fraction of a second", "1970-01-01T00:00:01.5Z", 1500000000 },
    { "nanoseconds", "1970-01-01T00:00:00.123456789Z", 123456789 },
    { "digits beyond nanoseconds are cut off", "1970-01-01T00:00:00.1234567899999Z", 123456789 },
    { "an offset to the east", "1970-01-01T02:00:00+02:00", 0 },
    { "an offset to the west", "1969-12-31T18:30:00-05:30", 0 },
    { "before the beginning", "1969-12-31T23:59:59.5Z", -500000000 },
    { "small letters", "1970-01-01t00:00:00z", 0 },
    { "the zero time of Go is as early as can be", "0001-01-01T00:00:00Z", INT64_MIN },
    { "a far future is as late as can be", "9999-12-31T23:59:59Z", INT64_MAX },
};

static void parses(void **state)
{
    const struct parse_case *row = *state;
    int64_t ns = 1;
    SCOPED(err_free) struct err *e = time_parse(row->text, &ns);
    assert_string_equal(err_text(e), "");
    assert_int_equal(ns, row->ns);
}

static const struct bad_case {
    const char *name, *text;
} bad_cases[] = {
    { "nothing", "" },
    { "a date alone", "2026-11-21" },
    { "a blank instead of T", "2026-11-21 09:55:55Z" },
    { "no zone", "2026-11-21T09:55:55" },
    { "a zone without a colon", "2026-11-21T09:55:55+0200" },
    { "month 13", "2026-13-21T09:55:55Z" },
    { "month 0", "2026-00-21T09:55:55Z" },
    { "day 31 of a short month", "2026-11-31T09:55:55Z" },
    { "a leap day in another year", "2026-02-29T09:55:55Z" },
    { "a leap day of a century", "1900-02-29T09:55:55Z" },
    { "hour 24", "2026-11-21T24:00:00Z" },
    { "second 60", "2026-11-21T09:55:60Z" },
    { "one digit", "2026-11-1T09:55:55Z" },
    { "a point without digits", "2026-11-21T09:55:55.Z" },
    { "something behind it", "2026-11-21T09:55:55Zulu" },
    { "an offset of a day", "2026-11-21T09:55:55+24:00" },
};

static void refuses(void **state)
{
    const struct bad_case *row = *state;
    int64_t ns;
    SCOPED(err_free) struct err *e = time_parse(row->text, &ns);
    assert_true(err_is(e, ERR_INVALID));
}

static const struct format_case {
    const char *name;
    void (*format)(int64_t, char[TIME_TEXT_BYTES]);
    int64_t at;
    const char *text;
} format_cases[] = {
    { "seconds cut the rest off", time_format_seconds, 1795254955999, "2026-11-21T09:55:55Z" },
    { "seconds before the beginning go down", time_format_seconds, -1, "1969-12-31T23:59:59Z" },
    { "microseconds have six digits", time_format_micros, 1795254955000001999,
      "2026-11-21T09:55:55.000001Z" },
    { "microseconds keep their zeros", time_format_micros, 0, "1970-01-01T00:00:00.000000Z" },
    { "nanoseconds lose their zeros", time_format_nanos, 1795254955120000000,
      "2026-11-21T09:55:55.12Z" },
    { "no nanoseconds, no point", time_format_nanos, 1795254955000000000, "2026-11-21T09:55:55Z" },
    { "one nanosecond", time_format_nanos, 1, "1970-01-01T00:00:00.000000001Z" },
    { "the least there is", time_format_nanos, INT64_MIN, "1677-09-21T00:12:43.145224192Z" },
    { "the most there is", time_format_nanos, INT64_MAX, "2262-04-11T23:47:16.854775807Z" },
};

static void formats(void **state)
{
    const struct format_case *row = *state;
    char text[TIME_TEXT_BYTES];
    row->format(row->at, text);
    assert_string_equal(text, row->text);
}

static void every_day_of_five_centuries_survives_there_and_back(void **state)
{
    (void)state;
    for (int64_t day = -106000; day < 106000; day++) {
        char text[TIME_TEXT_BYTES];
        int64_t ns = 0, expected = (day * 86400 + day % 86400) * SECOND;
        time_format_nanos(expected, text);
        assert_null(time_parse(text, &ns));
        assert_int_equal(ns, expected);
    }
}

#define NOON_MS ((int64_t)784111777 * 1000) /* Sun, 06 Nov 1994 08:49:37 GMT */

static const struct after_case {
    const char *name;
    const char *text;
    int64_t ms;
} afters[] = {
    { "seconds", "120", 120000 },
    { "nothing to wait", "0", 0 },
    { "blanks around", "  7 ", 7000 },
    { "a day at most", "99999999999999999999", 24 * 3600 * 1000 },
    { "a date", "Sun, 06 Nov 1994 08:49:47 GMT", 10000 },
    { "a date of RFC 850", "Sunday, 06-Nov-94 08:49:47 GMT", 10000 },
    { "a date of asctime", "Sun Nov  6 08:49:47 1994", 10000 },
    { "a date that has passed", "Sun, 06 Nov 1994 08:00:00 GMT", 0 },
    { "a date far away", "Sun, 06 Nov 2094 08:49:37 GMT", 24 * 3600 * 1000 },
    { "no header", NULL, -1 },
    { "an empty header", "", -1 },
    { "a negative number", "-5", -1 },
    { "a fraction", "1.5", -1 },
    { "words", "soon", -1 },
    { "a date and more", "Sun, 06 Nov 1994 08:49:47 GMT maybe", -1 },
};

static void retry_after_is_read(void **state)
{
    const struct after_case *row = *state;
    assert_int_equal(time_parse_retry_after(row->text, NOON_MS), row->ms);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(every_day_of_five_centuries_survives_there_and_back),
        ROWS(parse_cases, parses),
        ROWS(bad_cases, refuses),
        ROWS(format_cases, formats),
        ROWS(afters, retry_after_is_read),
    };
    return rows_run("time", tests, ARRAY_LEN(tests));
}
