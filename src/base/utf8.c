#include "base/utf8.h"

#include <string.h>

#define REPLACEMENT 0xfffdu
#define TAIL_MAX    3 /* bytes of a character behind its first */

size_t utf8_decode(const char *text, size_t len, uint32_t *out_point)
{
    static const struct {
        unsigned char mask, lead;
        size_t len;
        uint32_t least;
    } forms[] = { { 0x80, 0x00, 1, 0 },
                  { 0xe0, 0xc0, 2, 0x80 },
                  { 0xf0, 0xe0, 3, 0x800 },
                  { 0xf8, 0xf0, 4, 0x10000 } };
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if ((bytes[0] & forms[i].mask) != forms[i].lead)
            continue;
        if (forms[i].len > len)
            return 0;
        uint32_t point = bytes[0] & (unsigned char)~forms[i].mask;
        for (size_t k = 1; k < forms[i].len; k++) {
            if ((bytes[k] & 0xc0) != 0x80)
                return 0;
            point = point << 6 | (bytes[k] & 0x3f);
        }
        if (point < forms[i].least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return 0;
        if (out_point)
            *out_point = point;
        return forms[i].len;
    }
    return 0;
}

size_t utf8_encode(uint32_t point, char out[4])
{
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        point = REPLACEMENT;
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    out[0] = (char)(leads[len] | point);
    return len;
}

size_t utf8_find_bad(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        if (!(bytes[i] & 0x80)) {
            i++;
            continue;
        }
        size_t width = utf8_decode(bytes + i, len - i, NULL);
        if (!width)
            return i;
        i += width;
    }
    return len;
}

bool utf8_is_order(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

size_t utf8_fit(const char *text, size_t max)
{
    size_t len = strnlen(text, max);
    for (size_t back = 0; len == max && back <= MIN_OF(TAIL_MAX, max); back++) {
        if (((unsigned char)text[max - back] & 0xc0) != 0x80)
            return max - back;
    }
    return len; /* no UTF-8: nothing to be torn */
}
