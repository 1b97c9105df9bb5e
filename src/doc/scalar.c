#include "doc/scalar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX_BYTES 512 /* longer text is no number anyone means */

// clang-format off
/* Words that stand for a value. */
static const struct word {
    const char *text;
    struct scalar means;
} words[] = {
    { "", { .kind = SCALAR_NULL } }, { "~", { .kind = SCALAR_NULL } },
    { "null", { .kind = SCALAR_NULL } }, { "Null", { .kind = SCALAR_NULL } }, { "NULL", { .kind = SCALAR_NULL } },
    { "y", { .kind = SCALAR_BOOL, .boolean = true } }, { "Y", { .kind = SCALAR_BOOL, .boolean = true } },
    { "yes", { .kind = SCALAR_BOOL, .boolean = true } }, { "Yes", { .kind = SCALAR_BOOL, .boolean = true } },
    { "YES", { .kind = SCALAR_BOOL, .boolean = true } }, { "true", { .kind = SCALAR_BOOL, .boolean = true } },
    { "True", { .kind = SCALAR_BOOL, .boolean = true } }, { "TRUE", { .kind = SCALAR_BOOL, .boolean = true } },
    { "on", { .kind = SCALAR_BOOL, .boolean = true } }, { "On", { .kind = SCALAR_BOOL, .boolean = true } },
    { "ON", { .kind = SCALAR_BOOL, .boolean = true } },
    { "n", { .kind = SCALAR_BOOL } }, { "N", { .kind = SCALAR_BOOL } }, { "no", { .kind = SCALAR_BOOL } },
    { "No", { .kind = SCALAR_BOOL } }, { "NO", { .kind = SCALAR_BOOL } }, { "false", { .kind = SCALAR_BOOL } },
    { "False", { .kind = SCALAR_BOOL } }, { "FALSE", { .kind = SCALAR_BOOL } }, { "off", { .kind = SCALAR_BOOL } },
    { "Off", { .kind = SCALAR_BOOL } }, { "OFF", { .kind = SCALAR_BOOL } },
    { ".nan", { .kind = SCALAR_FLOAT, .number = NAN } }, { ".NaN", { .kind = SCALAR_FLOAT, .number = NAN } },
    { ".NAN", { .kind = SCALAR_FLOAT, .number = NAN } },
    { ".inf", { .kind = SCALAR_FLOAT, .number = INFINITY } }, { ".Inf", { .kind = SCALAR_FLOAT, .number = INFINITY } },
    { ".INF", { .kind = SCALAR_FLOAT, .number = INFINITY } },
    { "+.inf", { .kind = SCALAR_FLOAT, .number = INFINITY } }, { "+.Inf", { .kind = SCALAR_FLOAT, .number = INFINITY } },
    { "+.INF", { .kind = SCALAR_FLOAT, .number = INFINITY } },
    { "-.inf", { .kind = SCALAR_FLOAT, .number = -INFINITY } }, { "-.Inf", { .kind = SCALAR_FLOAT, .number = -INFINITY } },
    { "-.INF", { .kind = SCALAR_FLOAT, .number = -INFINITY } },
};
// clang-format on

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t skip_digits(const char *text)
{
    size_t len = 0;
    while (is_digit(text[len]))
        len++;
    return len;
}

static const struct word *find_word(const char *text, size_t len)
{
    if (len > 5)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i].text[0] == *text && !strcmp(words[i].text, text))
            return &words[i];
    }
    return NULL;
}

static unsigned digit_value(char c)
{
    char low = (char)(c | 0x20);
    return is_digit(c)                ? (unsigned)(c - '0')
           : low >= 'a' && low <= 'f' ? (unsigned)(low - 'a') + 10
                                      : 99;
}

/* All of the text as digits of a base, without a sign. */
static bool read_digits(const char *text, unsigned base, uint64_t *out)
{
    if (!*text)
        return false;
    for (*out = 0; *text; text++) {
        unsigned digit = digit_value(*text);
        if (digit >= base || __builtin_mul_overflow(*out, base, out) ||
            __builtin_add_overflow(*out, digit, out))
            return false;
    }
    return true;
}

/* A whole number with its sign; base 0: as the prefix says. */
static bool read_whole(const char *text, unsigned base, struct scalar *out)
{
    bool has_sign = *text == '-' || *text == '+';
    out->kind = SCALAR_INT;
    out->is_negative = *text == '-';
    text += has_sign;
    if (base == 0 && text[0] == '0' && text[1]) {
        char prefix = (char)(text[1] | 0x20);
        base = prefix == 'x' ? 16 : prefix == 'b' ? 2 : 8;
        text += prefix == 'x' || prefix == 'b' || prefix == 'o' ? 2 : 1;
    }
    if (!read_digits(text, base ? base : 10, &out->size))
        return false;
    uint64_t most = has_sign ? (uint64_t)INT64_MAX + out->is_negative : UINT64_MAX;
    return out->size <= most;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? and not beyond what a double holds. */
static bool read_float(const char *text, struct scalar *out)
{
    const char *at = text + (*text == '-' || *text == '+');
    size_t before = skip_digits(at), behind = 0;
    at += before;
    if (*at == '.') {
        behind = skip_digits(++at);
        at += behind;
    }
    if (!before && !behind)
        return false;
    if (*at == 'e' || *at == 'E') {
        at += at[1] == '-' || at[1] == '+' ? 2 : 1;
        size_t exponent = skip_digits(at);
        if (!exponent)
            return false;
        at += exponent;
    }
    if (*at)
        return false;
    out->kind = SCALAR_FLOAT;
    out->number = strtod(text, NULL);
    return isfinite(out->number);
}

/* One or two digits, at most `most`. */
static bool take(const char **at, unsigned most, unsigned *out)
{
    if (!is_digit(**at))
        return false;
    *out = (unsigned)(*(*at)++ - '0');
    if (is_digit(**at))
        *out = *out * 10 + (unsigned)(*(*at)++ - '0');
    return *out <= most;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

static bool take_clock(const char **at)
{
    unsigned unused;
    if (!take(at, 23, &unused) || !take_char(at, ':') || !take(at, 59, &unused) ||
        !take_char(at, ':') || !take(at, 59, &unused))
        return false;
    if ((**at == '.' || **at == ',') && is_digit((*at)[1]))
        *at += 1 + skip_digits(*at + 1);
    return true;
}

/* Z, or +hh:mm; hours up to 24 and minutes up to 60, since some write that. */
static bool take_zone(const char **at)
{
    if (take_char(at, 'Z'))
        return true;
    const char *zone = *at;
    if ((zone[0] != '+' && zone[0] != '-') || skip_digits(zone + 1) != 2 || zone[3] != ':' ||
        skip_digits(zone + 4) != 2)
        return false;
    *at += 6;
    return (zone[1] - '0') * 10 + zone[2] - '0' <= 24 && (zone[4] - '0') * 10 + zone[5] - '0' <= 60;
}

/* yyyy-m-d; with "T" or "t", h:m:s and a zone; or with blanks and h:m:s. */
static bool is_time(const char *text)
{
    static const unsigned char days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const char *at = text + 5;
    unsigned month, day;
    if (skip_digits(text) != 4 || text[4] != '-' || !take(&at, 12, &month) ||
        !take_char(&at, '-') || !take(&at, 31, &day))
        return false;
    int year =
        (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + text[3] - '0';
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (!month || !day || day > days[month - 1] || (month == 2 && day == 29 && !is_leap))
        return false;
    if (!*at)
        return true;
    if (*at == 'T' || *at == 't') {
        at++;
        return take_clock(&at) && take_zone(&at) && !*at;
    }
    if (*at != ' ')
        return false;
    at += strspn(at, " ");
    return take_clock(&at) && !*at;
}

/* The text without its underscores; false if it is too long, or if one is not between digits where that is asked for. */
static bool strip(const char *text, size_t len, bool only_between_digits,
                  char out[NUMBER_MAX_BYTES])
{
    size_t used = 0;
    if (len >= NUMBER_MAX_BYTES)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '_')
            out[used++] = text[i];
        else if (only_between_digits &&
                 (i == 0 || !is_digit(text[i - 1]) || !is_digit(text[i + 1])))
            return false;
    }
    out[used] = '\0';
    return true;
}

static struct scalar resolve_number(const char *text, size_t len)
{
    struct scalar got = { .kind = SCALAR_TEXT }, as_text = got;
    char plain[NUMBER_MAX_BYTES];
    if (!strip(text, len, *text == '.', plain))
        return as_text;
    if (*text == '.')
        return read_float(plain, &got) ? got : as_text;
    if (read_whole(plain, 0, &got) || read_float(plain, &got))
        return got;
    bool is_odd_binary =
        !strncmp(plain, "0b", 2) && read_whole(plain + 2, 2, &got); /* 0b-1 is -1 */
    return is_odd_binary ? got : as_text;
}

struct scalar scalar_resolve(const char *text, size_t len, bool may_be_time)
{
    struct scalar as_text = { .kind = SCALAR_TEXT };
    if (memchr(text, '\0', len) || (len && !strchr("+-0123456789yYnNtTfFoO~.", *text)))
        return as_text;
    const struct word *word = find_word(text, len);
    if (word)
        return word->means;
    if (!is_digit(*text) && *text != '+' && *text != '-' && *text != '.')
        return as_text;
    if (may_be_time && is_time(text))
        return (struct scalar){ .kind = SCALAR_TIME };
    return resolve_number(text, len);
}

const char *scalar_kind_name(enum scalar_kind kind)
{
    switch (kind) {
    case SCALAR_NULL: return "null";
    case SCALAR_BOOL: return "bool";
    case SCALAR_INT: return "int";
    case SCALAR_FLOAT: return "float";
    case SCALAR_TIME: return "timestamp";
    case SCALAR_TEXT: return "str";
    }
    return "str";
}

/* [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)? */
bool scalar_is_base60(const char *text, size_t len)
{
    const char *at = text + (*text == '-' || *text == '+');
    if (memchr(text, '\0', len) || !is_digit(*at))
        return false;
    at += strspn(at, "0123456789_");
    if (*at != ':')
        return false;
    while (take_char(&at, ':')) {
        unsigned unused;
        if (!take(&at, 59, &unused))
            return false;
    }
    if (take_char(&at, '.'))
        at += strspn(at, "0123456789_");
    return !*at;
}
