#include "base/time.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND   1000000000
#define SECONDS_PER_DAY 86400

struct civil {
    int64_t year;
    unsigned month, day, hour, minute, second;
};

static int64_t floor_div(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

/* Counts years from March, so that the leap day is the last of its year; 400 years are 146097 days.
 */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400), year_of_era = year - era * 400;
    int64_t day_of_year =
        (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_of(int64_t unix_seconds)
{
    int64_t days = floor_div(unix_seconds, SECONDS_PER_DAY);
    unsigned rest = (unsigned)(unix_seconds - days * SECONDS_PER_DAY);
    days += 719468;
    int64_t era = floor_div(days, 146097), day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* from March */
    struct civil got = { .year = year_of_era + era * 400 + (month >= 10) };
    got.day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1);
    got.month = (unsigned)(month < 10 ? month + 3 : month - 9);
    got.hour = rest / 3600;
    got.minute = rest / 60 % 60;
    got.second = rest % 60;
    return got;
}

/* Nanoseconds since the last full second. */
static unsigned fraction_of(int64_t unix_ns)
{
    int64_t rest = unix_ns % NS_PER_SECOND;
    return (unsigned)(rest < 0 ? rest + NS_PER_SECOND : rest);
}

static void format(int64_t unix_seconds, const char *fraction, char out[TIME_TEXT_BYTES])
{
    struct civil c = civil_of(unix_seconds);
    snprintf(out, TIME_TEXT_BYTES, "%04lld-%02u-%02uT%02u:%02u:%02u%sZ", (long long)c.year,
             c.month % 100, c.day % 100, c.hour % 100, c.minute % 100, c.second % 100, fraction);
}

void time_format_seconds(int64_t unix_ms, char out[TIME_TEXT_BYTES])
{
    format(floor_div(unix_ms, 1000), "", out);
}

void time_format_micros(int64_t unix_ns, char out[TIME_TEXT_BYTES])
{
    int64_t seconds = floor_div(unix_ns, NS_PER_SECOND);
    char fraction[16];
    snprintf(fraction, sizeof(fraction), ".%06u", fraction_of(unix_ns) / 1000);
    format(seconds, fraction, out);
}

void time_format_nanos(int64_t unix_ns, char out[TIME_TEXT_BYTES])
{
    int64_t seconds = floor_div(unix_ns, NS_PER_SECOND);
    char fraction[16];
    snprintf(fraction, sizeof(fraction), ".%09u", fraction_of(unix_ns));
    size_t len = strlen(fraction);
    while (len > 1 && fraction[len - 1] == '0')
        len--;
    fraction[len > 1 ? len : 0] = '\0';
    format(seconds, fraction, out);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* `digits` digits and then `behind` (0: nothing further is looked at), a value within least..most.
 */
static bool take(const char **at, int digits, char behind, unsigned least, unsigned most,
                 unsigned *out)
{
    unsigned value = 0;
    for (int i = 0; i < digits; i++, ++*at) {
        if (!is_digit(**at))
            return false;
        value = value * 10 + (unsigned)(**at - '0');
    }
    if (behind) {
        if (**at != behind)
            return false;
        ++*at;
    }
    *out = value;
    return value >= least && value <= most;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap ? 1u : 0u);
}

static bool take_date_and_time(const char **at, struct civil *c)
{
    unsigned year;
    if (!take(at, 4, '-', 0, 9999, &year) || !take(at, 2, '-', 1, 12, &c->month))
        return false;
    c->year = year;
    if (!take(at, 2, 0, 1, days_in_month(year, c->month), &c->day) || (**at != 'T' && **at != 't'))
        return false;
    ++*at;
    return take(at, 2, ':', 0, 23, &c->hour) && take(at, 2, ':', 0, 59, &c->minute) &&
           take(at, 2, 0, 0, 59, &c->second);
}

static bool take_fraction(const char **at, int64_t *ns)
{
    *ns = 0;
    if (**at != '.')
        return true;
    ++*at;
    if (!is_digit(**at))
        return false;
    for (int64_t unit = NS_PER_SECOND / 10; is_digit(**at); ++*at, unit /= 10)
        *ns += unit * (**at - '0');
    return true;
}

static bool take_offset(const char **at, int64_t *seconds)
{
    char sign = **at;
    *seconds = 0;
    if (sign != 'Z' && sign != 'z' && sign != '+' && sign != '-')
        return false;
    ++*at;
    if (sign == 'Z' || sign == 'z')
        return true;
    unsigned hours, minutes;
    if (!take(at, 2, ':', 0, 23, &hours) || !take(at, 2, 0, 0, 59, &minutes))
        return false;
    *seconds = ((int64_t)hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return true;
}

struct err *time_parse(const char *text, int64_t *out_ns)
{
    const char *at = text;
    struct civil c = { 0 };
    int64_t ns, offset;
    if (!take_date_and_time(&at, &c) || !take_fraction(&at, &ns) || !take_offset(&at, &offset) ||
        *at)
        return err_new(ERR_INVALID,
                       "\"%.60s\" is no RFC 3339 time (2006-01-02T15:04:05Z) from byte %zu on",
                       text, (size_t)(at - text));
    int64_t seconds = days_of(c.year, c.month, c.day) * SECONDS_PER_DAY + (int64_t)c.hour * 3600 +
                      (int64_t)c.minute * 60 + c.second - offset;
    if (__builtin_mul_overflow(seconds, NS_PER_SECOND, out_ns) ||
        __builtin_add_overflow(*out_ns, ns, out_ns))
        *out_ns = seconds < 0 ? INT64_MIN : INT64_MAX;
    return NULL;
}

/* The three forms of RFC 9110, the two old ones included. -1: none of them. */
static int64_t parse_http_date_ms(const char *text)
{
    static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                         "%a %b %d %H:%M:%S %Y" };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm when = { 0 };
        const char *end = strptime(text, forms[i], &when);
        if (end && !*end)
            return (int64_t)timegm(&when) * 1000;
    }
    return -1;
}

int64_t time_parse_retry_after(const char *text, int64_t now_unix_ms)
{
    if (!text)
        return -1;
    while (isspace((unsigned char)*text))
        text++;
    size_t digits = strspn(text, "0123456789");
    if (digits > 0 && !text[digits + strspn(text + digits, " \t")]) {
        int64_t seconds = 0;
        for (size_t i = 0; i < digits && seconds <= TIME_RETRY_AFTER_MAX_MS; i++)
            seconds = seconds * 10 + (text[i] - '0');
        return MIN_OF(seconds, TIME_RETRY_AFTER_MAX_MS / 1000) * 1000;
    }
    int64_t at_ms = parse_http_date_ms(text);
    if (at_ms < 0)
        return -1;
    return MIN_OF(MAX_OF(at_ms - now_unix_ms, (int64_t)0), TIME_RETRY_AFTER_MAX_MS);
}
