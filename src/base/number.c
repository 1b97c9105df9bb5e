#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_DIGITS 6 /* of a whole number before format g turns to exponents */

/* The fewest significant digits that give the same number back, and where the point stands:
 * 0.digits * 10^point. */
struct shortest {
    char digits[20];
    int count, point;
    bool is_negative;
};

static struct shortest shorten(double number, bool is_single)
{
    struct shortest got = { .is_negative = signbit(number) != 0 };
    char text[NUMBER_TEXT_BYTES];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, fabs(number));
        /* the same bits, not a tolerance */
        if (is_single ? strtof(text, NULL) == (float)fabs(number)
                      : strtod(text, NULL) == fabs(number))
            break;
    }
    const char *at = text;
    for (; *at && *at != 'e'; at++) {
        if (*at != '.')
            got.digits[got.count++] = *at;
    }
    got.point = (int)strtol(at + 1, NULL, 10) + 1;
    while (got.count > 1 && got.digits[got.count - 1] == '0')
        got.count--;
    got.digits[got.count] = '\0';
    return got;
}

/* `exponent_width`: least digits of the exponent. */
static void write_exponent(const struct shortest *s, int exponent_width,
                           char out[NUMBER_TEXT_BYTES])
{
    int exponent = s->point - 1;
    snprintf(out, NUMBER_TEXT_BYTES, "%s%c%s%se%c%0*d", s->is_negative ? "-" : "", s->digits[0],
             s->count > 1 ? "." : "", s->digits + 1, exponent < 0 ? '-' : '+', exponent_width,
             abs(exponent));
}

static void write_plain(const struct shortest *s, char out[NUMBER_TEXT_BYTES])
{
    size_t used = 0;
    if (s->is_negative)
        out[used++] = '-';
    if (s->point <= 0) {
        out[used++] = '0';
        out[used++] = '.';
    }
    for (int i = s->point; i < 0; i++)
        out[used++] = '0';
    for (int i = 0; i < MAX_OF(s->count, s->point); i++) {
        if (i == s->point && i > 0)
            out[used++] = '.';
        out[used++] = i < s->count ? s->digits[i] : '0';
    }
    out[used] = '\0';
}

static void format_g(double number, bool is_single, char out[NUMBER_TEXT_BYTES])
{
    if (!isfinite(number)) {
        const char *name = isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf";
        snprintf(out, NUMBER_TEXT_BYTES, "%s", name);
        return;
    }
    struct shortest s = shorten(number, is_single);
    int exponent = s.point - 1;
    if (number != 0 && (exponent < -4 || exponent >= PLAIN_DIGITS))
        write_exponent(&s, 2, out);
    else
        write_plain(&s, out);
}

void number_format_g(double number, char out[NUMBER_TEXT_BYTES])
{
    format_g(number, false, out);
}

void number_format_g32(double number, char out[NUMBER_TEXT_BYTES])
{
    format_g((double)(float)number, true, out);
}

void number_format_json(double number, char out[NUMBER_TEXT_BYTES])
{
    ASSERT(isfinite(number));
    struct shortest s = shorten(number, false);
    double size = fabs(number);
    if (number != 0 && (size < 1e-6 || size >= 1e21))
        write_exponent(&s, size < 1 ? 1 : 2, out);
    else
        write_plain(&s, out);
}
