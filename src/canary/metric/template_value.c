#include "canary/metric/template_code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define BAD_POINT 0xfffd

const char *template_type_name(enum template_kind kind)
{
    switch (kind) {
    case TEMPLATE_NONE: return "<nil>";
    case TEMPLATE_BOOL: return "bool";
    case TEMPLATE_INT: return "int";
    case TEMPLATE_BYTE: return "uint8";
    case TEMPLATE_FLOAT: return "float64";
    case TEMPLATE_STRING: return "string";
    case TEMPLATE_MAP: return "map[string]string";
    }
    return "";
}

bool template_is_true(const struct template_value *v)
{
    switch (v->kind) {
    case TEMPLATE_NONE: return false;
    case TEMPLATE_BOOL: return v->boolean;
    case TEMPLATE_INT:
    case TEMPLATE_BYTE: return v->number != 0;
    case TEMPLATE_FLOAT: return v->real != 0;
    case TEMPLATE_STRING: return v->len > 0;
    case TEMPLATE_MAP: return val_len(v->map) > 0;
    }
    return false;
}

bool template_take_work(size_t *work, size_t amount)
{
    if (*work < amount)
        return false;
    *work -= amount;
    return true;
}

/* -- quoted texts -------------------------------------------------------------------------------------------------- */

/* What Go calls printable, as far as it matters for messages: the ranges beyond ASCII that hold no visible character. */
bool template_is_printable(uint32_t point)
{
    static const struct range {
        uint32_t first, last;
    } invisible[] = {
        { 0, 0x1f },        { 0x7f, 0xa0 },     { 0xad, 0xad },       { 0x61c, 0x61c },
        { 0x1680, 0x1680 }, { 0x180e, 0x180e }, { 0x2000, 0x200f },   { 0x2028, 0x202f },
        { 0x205f, 0x206f }, { 0x3000, 0x3000 }, { 0xd800, 0xf8ff },   { 0xfeff, 0xfeff },
        { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0xe0fff }, { 0xf0000, UINT32_MAX }
    };
    for (size_t i = 0; i < ARRAY_LEN(invisible); i++) {
        if (point >= invisible[i].first && point <= invisible[i].last)
            return false;
    }
    return true;
}

static void quote_point(uint32_t point, const char *bytes, size_t len, bool is_ascii,
                        struct sbuf *out)
{
    static const char named[] = "\a\b\f\n\r\t\v", names[] = "abfnrtv";
    const char *at = point && point < 0x80 ? strchr(named, (int)point) : NULL;
    if (point == '"' || point == '\\')
        sbuf_addf(out, "\\%c", (char)point);
    else if (template_is_printable(point) && (point < 0x80 || !is_ascii))
        sbuf_add_bytes(out, bytes, len);
    else if (at)
        sbuf_addf(out, "\\%c", names[at - named]);
    else if (point < 0x80)
        sbuf_addf(out, "\\x%02x", point);
    else
        sbuf_addf(out, point < 0x10000 ? "\\u%04x" : "\\U%08x", point);
}

void template_quote(const char *bytes, size_t len, bool is_ascii, struct sbuf *out)
{
    sbuf_add_char(out, '"');
    for (size_t i = 0; i < len;) {
        uint32_t point;
        size_t width = utf8_decode(bytes + i, len - i, &point);
        if (width)
            quote_point(point, bytes + i, width, is_ascii, out);
        else
            sbuf_addf(out, "\\x%02x", (unsigned char)bytes[i]);
        i += width ? width : 1;
    }
    sbuf_add_char(out, '"');
}

static bool read_digits(const char *bytes, size_t len, int base, uint32_t *out)
{
    static const char digits[] = "0123456789abcdef";
    *out = 0;
    for (size_t i = 0; i < len; i++) {
        int c = bytes[i] >= 'A' && bytes[i] <= 'F' ? bytes[i] - 'A' + 'a' : bytes[i];
        const char *at = c ? strchr(digits, c) : NULL;
        if (!at || at - digits >= base)
            return false;
        *out = *out * (uint32_t)base + (uint32_t)(at - digits);
    }
    return true;
}

/* One escape behind its backslash: how many bytes it has, 0 if it is none. A byte goes to `out` as it is, a point as UTF-8. */
static size_t take_escape(const char *bytes, size_t len, char quote, uint32_t *point, bool *is_byte)
{
    static const struct coded {
        char letter;
        size_t digits;
        int base;
        bool is_byte;
    } codeds[] = { { 'x', 2, 16, true }, { 'u', 4, 16, false }, { 'U', 8, 16, false } };
    static const char names[] = "abfnrtv\\", named[] = "\a\b\f\n\r\t\v\\";
    *is_byte = false;
    const char *at = len && bytes[0] ? strchr(names, bytes[0]) : NULL;
    if (at || (len && bytes[0] == quote)) {
        *point = at ? (uint32_t)named[at - names] : (uint32_t)quote;
        return 1;
    }
    for (size_t i = 0; i < ARRAY_LEN(codeds); i++) {
        const struct coded *c = &codeds[i];
        if (len > c->digits && bytes[0] == c->letter) {
            *is_byte = c->is_byte;
            bool is_good = read_digits(bytes + 1, c->digits, c->base, point) &&
                           (c->is_byte || (*point <= 0x10ffff && (*point & ~0x7ffU) != 0xd800));
            return is_good ? c->digits + 1 : 0;
        }
    }
    *is_byte = true;
    return len >= 3 && read_digits(bytes, 3, 8, point) && *point <= 255 ? 3 : 0;
}

/* `bytes` with their quotes. */
struct err *template_unquote(struct arena *mem, const char *bytes, size_t len,
                             struct template_value *out)
{
    char *text = arena_alloc(mem, len + 1);
    size_t used = 0;
    bool is_raw = bytes[0] == '`';
    for (size_t i = 1; i + 1 < len;) {
        uint32_t point = 0;
        bool is_byte = true;
        if (is_raw || bytes[i] != '\\') {
            if (!is_raw || bytes[i] != '\r')
                text[used++] = bytes[i];
            i++;
            continue;
        }
        size_t width = take_escape(bytes + i + 1, len - i - 2, '"', &point, &is_byte);
        if (!width)
            return err_new(ERR_INVALID, "invalid syntax");
        if (is_byte)
            text[used++] = (char)point;
        else
            used += utf8_encode(point, text + used);
        i += 1 + width;
    }
    *out = (struct template_value){ .kind = TEMPLATE_STRING, .bytes = text, .len = used };
    return NULL;
}

/* -- numbers ------------------------------------------------------------------------------------------------------- */

/* A character in single quotes is its code point. */
MUST_USE static struct err *read_rune(const struct template_token *token,
                                      struct template_value *out)
{
    const char *bytes = token->bytes + 1;
    size_t len = token->len - 1;
    uint32_t point = BAD_POINT;
    bool is_byte;
    size_t width;
    if (bytes[0] == '\\') {
        width = take_escape(bytes + 1, len - 1, '\'', &point, &is_byte);
        width += width ? 1 : 0;
    } else {
        width = bytes[0] == '\'' ? 0 : utf8_decode(bytes, len, &point);
        if (!width && bytes[0] != '\'')
            width = 1;
    }
    if (!width)
        return err_new(ERR_INVALID, "invalid syntax");
    if (width + 1 != len)
        return err_new(ERR_INVALID, "malformed character constant: %.*s", (int)token->len,
                       token->bytes);
    *out = (struct template_value){ .kind = TEMPLATE_INT, .number = point };
    return NULL;
}

/* Underscores stand between digits, or behind the prefix of a base. */
static bool has_bad_underscore(const char *text, bool has_prefix)
{
    char before = has_prefix ? '0' : '.';
    for (const char *at = text + (has_prefix ? 2 : 0); *at; at++) {
        char class = strchr("0123456789abcdefABCDEF", *at) ? '0' : *at == '_' ? '_' : '.';
        if ((class == '_' && before != '0') || (before == '_' && class != '0'))
            return true;
        before = class;
    }
    return before == '_';
}

static int base_of(const char *digits)
{
    static const struct prefix {
        const char *letters;
        int base;
    } prefixes[] = { { "xX", 16 }, { "oO", 8 }, { "bB", 2 } };
    if (digits[0] != '0' || !digits[1])
        return 10;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (strchr(prefixes[i].letters, digits[1]))
            return prefixes[i].base;
    }
    return digits[1] == '_' || (digits[1] >= '0' && digits[1] <= '9') ? 8 : 10;
}

enum whole { WHOLE_NONE, WHOLE_FITS, WHOLE_UNSIGNED, WHOLE_TOO_BIG };

/* As strconv does it with base 0. */
static enum whole read_whole(const char *text, int64_t *out)
{
    bool is_negative = text[0] == '-', has_sign = is_negative || text[0] == '+';
    const char *digits = text + has_sign;
    int base = base_of(digits);
    bool has_prefix = base != 10 && strchr("xXoObB", digits[1]);
    if (strchr(digits, '_') && has_bad_underscore(digits, has_prefix))
        return WHOLE_NONE;
    char plain[80];
    size_t used = 0;
    if (!digits[has_prefix ? 2 : 0])
        return WHOLE_NONE;
    for (const char *at = digits + (has_prefix ? 2 : 0); *at; at++) {
        uint32_t digit;
        if (*at == '_')
            continue;
        if (!read_digits(at, 1, base, &digit))
            return WHOLE_NONE;
        if (used + 1 < sizeof(plain) && (used || *at != '0'))
            plain[used++] = *at;
    }
    plain[used] = '\0';
    errno = 0;
    uint64_t size = strtoull(used ? plain : "0", NULL, base);
    if (errno || used + 1 == sizeof(plain))
        return WHOLE_TOO_BIG;
    if (size > (uint64_t)INT64_MAX + is_negative)
        return has_sign ? WHOLE_TOO_BIG : WHOLE_UNSIGNED;
    *out = is_negative ? (int64_t)(0 - size) : (int64_t)size;
    return WHOLE_FITS;
}

static const char *quoted(struct arena *mem, const char *text)
{
    SBUF(buf, TEMPLATE_MAX);
    template_quote(text, strlen(text), false, &buf);
    return arena_strdup(mem, sbuf_text(&buf));
}

struct err *template_number(struct arena *mem, const struct template_token *token,
                            struct template_value *out)
{
    if (token->type == TOKEN_RUNE)
        return read_rune(token, out);
    const char *text = arena_strndup(mem, token->bytes, token->len);
    if (token->type == TOKEN_COMPLEX || strchr(text, 'i'))
        return err_new(ERR_INVALID, "complex numbers are not supported: %s", text);
    *out = (struct template_value){ .kind = TEMPLATE_INT };
    enum whole whole = read_whole(text, &out->number);
    if (whole == WHOLE_FITS)
        return NULL;
    if (whole == WHOLE_UNSIGNED) /* Go says so when the number is used, and not before */
        return err_new(ERR_INVALID, "%s overflows int", text);
    bool is_hex = strpbrk(text, "xX") != NULL;
    if (is_hex && strpbrk(text, "pP."))
        return err_new(ERR_INVALID, "hexadecimal floats are not supported: %s", text);
    char *end = NULL;
    out->kind = TEMPLATE_FLOAT;
    out->real = is_hex || strchr(text, '_') ? 0 : strtod(text, &end);
    bool is_float = end && !*end && strpbrk(text, "0123456789");
    if (whole == WHOLE_TOO_BIG || (is_float && !strpbrk(text, ".eE")))
        return err_new(ERR_INVALID, "integer overflow: %s", quoted(mem, text));
    if (!is_float || out->real > 1.7976931348623157e308 || out->real < -1.7976931348623157e308)
        return err_new(ERR_INVALID, "illegal number syntax: %s", quoted(mem, text));
    return NULL;
}
