#include "base/duration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"

#define QUOTE_MAX 1024
#define NS_PER_MS 1000000
#define LARGEST   ((uint64_t)1 << 63) /* of a negative duration, in nanoseconds */

// clang-format off
static const struct unit {
    const char *name;
    uint64_t ns;
} units[] = {
    { "ns", 1 },
    { "us", 1000 }, { "\xc2\xb5s", 1000 }, { "\xce\xbcs", 1000 }, /* micro sign, Greek mu */
    { "ms", 1000000 },
    { "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 },
};
// clang-format on

static void quote(struct sbuf *out, const char *text, size_t len)
{
    sbuf_add_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c >= 0x80)
            sbuf_addf(out, "\\x%02x", c);
        else if (c == '"' || c == '\\')
            sbuf_addf(out, "\\%c", c);
        else
            sbuf_add_char(out, text[i]);
    }
    sbuf_add_char(out, '"');
}

MUST_USE static struct err *refuse(const char *text)
{
    SBUF(quoted, QUOTE_MAX);
    quote(&quoted, text, strlen(text));
    return err_new(ERR_INVALID, "time: invalid duration %s", sbuf_text(&quoted));
}

MUST_USE static struct err *refuse_unit(const char *text, const char *unit, size_t unit_len)
{
    SBUF(quoted, QUOTE_MAX);
    quote(&quoted, text, strlen(text));
    if (!unit_len)
        return err_new(ERR_INVALID, "time: missing unit in duration %s", sbuf_text(&quoted));
    SBUF(quoted_unit, QUOTE_MAX);
    quote(&quoted_unit, unit, unit_len);
    return err_new(ERR_INVALID, "time: unknown unit %s in duration %s", sbuf_text(&quoted_unit),
                   sbuf_text(&quoted));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits up to 2^63; false beyond. */
static bool read_whole(const char **at, uint64_t *out)
{
    for (*out = 0; is_digit(**at); ++*at) {
        if (*out > LARGEST / 10)
            return false;
        *out = *out * 10 + (uint64_t)(**at - '0');
        if (*out > LARGEST)
            return false;
    }
    return true;
}

/* Digits behind the point; those that no longer fit are read and dropped. */
static void read_fraction(const char **at, uint64_t *out, double *scale)
{
    bool is_full = false;
    for (*out = 0, *scale = 1; is_digit(**at); ++*at) {
        uint64_t next =
            is_full || *out > (LARGEST - 1) / 10 ? LARGEST + 1 : *out * 10 + (uint64_t)(**at - '0');
        is_full = is_full || next > LARGEST;
        if (!is_full) {
            *out = next;
            *scale *= 10;
        }
    }
}

static const struct unit *find_unit(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strlen(units[i].name) == len && !memcmp(units[i].name, name, len))
            return &units[i];
    }
    return NULL;
}

/* One number with its unit at *at, added to *sum (nanoseconds). `text` is the whole, for messages.
 */
MUST_USE static struct err *read_part(const char *text, const char **at, uint64_t *sum)
{
    const char *begin = *at;
    uint64_t whole, fraction = 0;
    double scale = 1;
    if (!read_whole(at, &whole))
        return refuse(text);
    bool has_digits = *at != begin;
    if (**at == '.') {
        begin = ++*at;
        read_fraction(at, &fraction, &scale);
        has_digits = has_digits || *at != begin;
    }
    if (!has_digits)
        return refuse(text);
    size_t unit_len = 0;
    while ((*at)[unit_len] && (*at)[unit_len] != '.' && !is_digit((*at)[unit_len]))
        unit_len++;
    const struct unit *unit = find_unit(*at, unit_len);
    if (!unit)
        return refuse_unit(text, *at, unit_len);
    *at += unit_len;
    if (whole > LARGEST / unit->ns)
        return refuse(text);
    whole = whole * unit->ns + (uint64_t)((double)fraction * ((double)unit->ns / scale));
    if (whole > LARGEST || *sum + whole > LARGEST)
        return refuse(text);
    *sum += whole;
    return NULL;
}

struct err *duration_parse(const char *text, int64_t *out_ms)
{
    const char *at = text;
    bool is_negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    uint64_t ns = 0;
    if (!*at)
        return refuse(text);
    if (!strcmp(at, "0"))
        at++; /* the only number that needs no unit */
    while (*at)
        TRY(read_part(text, &at, &ns));
    if (ns > LARGEST - 1 && !is_negative)
        return refuse(text);
    int64_t ms = (int64_t)((ns + NS_PER_MS / 2) / NS_PER_MS);
    *out_ms = is_negative ? -ms : ms;
    return NULL;
}

void duration_format(int64_t ms, char out[DURATION_TEXT_BYTES])
{
    uint64_t size = ms < 0 ? (uint64_t)0 - (uint64_t)ms : (uint64_t)ms;
    const char *sign = ms < 0 ? "-" : "";
    if (size < 1000) {
        snprintf(out, DURATION_TEXT_BYTES, "%s%u%s", sign, (unsigned)size, size ? "ms" : "s");
        return;
    }
    uint64_t seconds = size / 1000, hours = seconds / 3600, minutes = seconds / 60 % 60;
    char fraction[8] = "";
    if (size % 1000) {
        snprintf(fraction, sizeof(fraction), ".%03u", (unsigned)(size % 1000));
        for (size_t len = strlen(fraction); fraction[len - 1] == '0'; len--)
            fraction[len - 1] = '\0';
    }
    unsigned rest = (unsigned)(seconds % 60);
    if (hours)
        snprintf(out, DURATION_TEXT_BYTES, "%s%lluh%um%u%ss", sign, (unsigned long long)hours,
                 (unsigned)minutes, rest, fraction);
    else if (minutes)
        snprintf(out, DURATION_TEXT_BYTES, "%s%um%u%ss", sign, (unsigned)minutes, rest, fraction);
    else
        snprintf(out, DURATION_TEXT_BYTES, "%s%u%ss", sign, rest, fraction);
}
