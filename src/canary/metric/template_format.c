#include "canary/metric/template_code.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"

#define WIDTH_MAX     1000000 /* as in Go: more is no number */
#define PRECISION_MAX 1600    /* digits behind the point of a float: no float has more */
#define DIGITS_MAX    ((size_t)2000)

/* One verb with its flags; -1: no width, no precision. */
struct verb {
    uint32_t point; /* the letter */
    bool sharp, zero, plus, minus, space;
    bool is_go; /* %#v */
    int64_t width, precision;
    struct sbuf *out;
};

static size_t count_points(const char *bytes, size_t len)
{
    size_t points = 0;
    for (size_t i = 0; i < len; points++) {
        size_t width = utf8_decode(bytes + i, len - i, NULL);
        i += width ? width : 1;
    }
    return points;
}

static void add_padding(const struct verb *v, int64_t count, char with)
{
    for (; count > 0 && !v->out->is_over; count--)
        sbuf_add_char(v->out, with);
}

static void add_padded(const struct verb *v, const char *bytes, size_t len, bool may_be_zeros)
{
    int64_t missing = v->width < 0 ? 0 : v->width - (int64_t)count_points(bytes, len);
    char with = v->zero && !v->minus && may_be_zeros ? '0' : ' ';
    add_padding(v, v->minus ? 0 : missing, with);
    sbuf_add_bytes(v->out, bytes, len);
    add_padding(v, v->minus ? missing : 0, ' ');
}

static void add_padded_text(const struct verb *v, const char *text)
{
    add_padded(v, text, strlen(text), true);
}

static void add_point(struct sbuf *out, uint32_t point)
{
    char bytes[4];
    sbuf_add_bytes(out, bytes, utf8_encode(point, bytes));
}

/* -- values no verb fits ------------------------------------------------------------------------------------------- */

static void format_value(struct verb *v, const struct template_value *value);

/* %!d(string=abc) */
static void add_bad_verb(const struct verb *v, const struct template_value *value)
{
    sbuf_add(v->out, "%!");
    add_point(v->out, v->point);
    if (value->kind == TEMPLATE_NONE) {
        sbuf_add(v->out, "(<nil>)");
        return;
    }
    sbuf_addf(v->out, "(%s=", template_type_name(value->kind));
    struct verb plain = *v;
    plain.point = 'v';
    format_value(&plain, value);
    sbuf_add_char(v->out, ')');
}

/* -- whole numbers ------------------------------------------------------------------------------------------------- */

static const struct base {
    uint32_t point;
    unsigned base;
    const char *digits, *prefix;
} bases[] = {
    { 'v', 10, "0123456789", "" },
    { 'd', 10, "0123456789", "" },
    { 'b', 2, "01", "0b" },
    { 'o', 8, "01234567", "0" },
    { 'O', 8, "01234567", "0" },
    { 'x', 16, "0123456789abcdef", "0x" },
    { 'X', 16, "0123456789ABCDEF", "0X" },
};

static void format_digits(const struct verb *v, const struct base *base, uint64_t size, char sign)
{
    char digits[80];
    size_t at = sizeof(digits);
    int64_t precision = v->precision;
    if (!precision && !size) {
        add_padding(v, MAX_OF(v->width, 0), ' ');
        return;
    }
    if (precision < 0 && v->zero && !v->minus && v->width >= 0)
        precision = v->width - (sign != '\0');
    do
        digits[--at] = base->digits[size % base->base];
    while (size /= base->base);
    SBUF(made, TEMPLATE_OUTPUT_MAX + WIDTH_MAX);
    if (sign)
        sbuf_add_char(&made, sign);
    if (v->point == 'O')
        sbuf_add(&made, "0o");
    int64_t zeros = precision - (int64_t)(sizeof(digits) - at);
    bool has_zero = digits[at] == '0' || zeros > 0;
    if (v->sharp && !(base->base == 8 && has_zero))
        sbuf_add(&made, base->prefix);
    for (; zeros > 0 && !made.is_over; zeros--)
        sbuf_add_char(&made, '0');
    sbuf_add_bytes(&made, digits + at, sizeof(digits) - at);
    add_padded(v, sbuf_text(&made), made.len, false);
}

/* As a character: %c and %q. */
static void format_point(const struct verb *v, uint64_t size)
{
    uint32_t point = size > 0x10ffff ? 0xfffd : (uint32_t)size;
    char bytes[4];
    size_t len = utf8_encode(point, bytes);
    if (v->point == 'c') {
        add_padded(v, bytes, len, true);
        return;
    }
    SBUF(made, TEMPLATE_OUTPUT_MAX);
    template_quote(bytes, len, v->plus, &made);
    if (made.bytes[1] == '\'' || !strcmp(made.bytes, "\"\\\"\""))
        add_padded_text(v, point == '"' ? "'\"'" : "'\\''");
    else {
        made.bytes[0] = made.bytes[made.len - 1] = '\'';
        add_padded(v, made.bytes, made.len, true);
    }
}

static void format_unicode(const struct verb *v, uint64_t size)
{
    SBUF(made, TEMPLATE_OUTPUT_MAX + WIDTH_MAX);
    int64_t least = MAX_OF(v->precision, 4);
    char hex[20];
    int len = snprintf(hex, sizeof(hex), "%" PRIX64, size);
    sbuf_add(&made, "U+");
    for (int64_t i = len; i < least && !made.is_over; i++)
        sbuf_add_char(&made, '0');
    sbuf_add(&made, hex);
    if (v->sharp && size <= 0x10ffff && template_is_printable((uint32_t)size)) {
        sbuf_add(&made, " '");
        add_point(&made, (uint32_t)size);
        sbuf_add(&made, "'");
    }
    add_padded(v, sbuf_text(&made), made.len, false);
}

static void format_whole(const struct verb *v, const struct template_value *value)
{
    int64_t number = value->number;
    if (v->point == 'c' || v->point == 'q') {
        format_point(v, (uint64_t)number);
        return;
    }
    if (v->point == 'U') {
        format_unicode(v, (uint64_t)number);
        return;
    }
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    char sign = number < 0 ? '-' : v->plus ? '+' : v->space ? ' ' : '\0';
    bool is_go_byte = v->is_go && value->kind == TEMPLATE_BYTE;
    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        if (bases[i].point == (is_go_byte ? 'x' : v->point)) {
            struct verb with = *v;
            with.sharp = is_go_byte || v->sharp;
            format_digits(&with, &bases[i], size, sign);
            return;
        }
    }
    add_bad_verb(v, value);
}

/* -- floats -------------------------------------------------------------------------------------------------------- */

/* The size of a number in digits. Floats come from constants alone: they are finite. */
static void format_size(const struct verb *v, double size, char *out, size_t room)
{
    int precision = (int)v->precision;
    if (v->precision < 0 && (v->point == 'v' || v->point == 'g' || v->point == 'G'))
        number_format_g(size, out);
    else if (v->point == 'e' || v->point == 'E')
        (void)snprintf(out, room, "%.*e", precision < 0 ? 6 : precision, size);
    else if (v->point == 'f' || v->point == 'F')
        (void)snprintf(out, room, "%.*f", precision < 0 ? 6 : precision, size);
    else
        (void)snprintf(out, room, "%.*g", precision, size);
    if (v->point == 'E' || v->point == 'G') {
        char *at = strchr(out, 'e');
        if (at)
            *at = 'E';
    }
}

/* `#`: a decimal point in any case, and the zeros that %g would drop. */
static void add_sharp(const struct verb *v, char *digits, size_t room)
{
    bool is_general = v->point == 'g' || v->point == 'G' || v->point == 'v';
    int64_t missing = !is_general ? 0 : v->precision < 0 ? 6 : v->precision;
    char tail[16] = "";
    char *exponent = strpbrk(digits, "eE");
    if (exponent) {
        (void)snprintf(tail, sizeof(tail), "%s", exponent);
        *exponent = '\0';
    }
    bool has_digit = false;
    for (const char *at = digits; *at; at++) {
        has_digit = has_digit || (*at != '0' && *at != '.');
        missing -= has_digit && *at != '.';
    }
    size_t len = strlen(digits);
    missing -= len == 1 && digits[0] == '0';
    if (!strchr(digits, '.') && len + 1 < room)
        digits[len++] = '.';
    for (; missing > 0 && len + sizeof(tail) < room; missing--)
        digits[len++] = '0';
    (void)snprintf(digits + len, room - len, "%s", tail);
}

static void format_float(const struct verb *v, const struct template_value *value)
{
    char text[DIGITS_MAX + 1], digits[DIGITS_MAX];
    double number = value->real;
    if (v->point > 0x7f || !strchr("veEfFgG", (int)v->point)) {
        add_bad_verb(v, value);
        return;
    }
    char sign = signbit(number) ? '-' : v->plus ? '+' : v->space ? ' ' : '\0';
    if (v->precision > (int64_t)PRECISION_MAX) {
        v->out->is_over = true;
        return;
    }
    format_size(v, fabs(number), digits, sizeof(digits));
    if (v->sharp)
        add_sharp(v, digits, sizeof(digits));
    if (sign && v->zero && !v->minus && v->width > (int64_t)strlen(digits) + 1) {
        sbuf_add_char(v->out, sign);
        add_padding(v, v->width - (int64_t)strlen(digits) - 1, '0');
        sbuf_add(v->out, digits);
        return;
    }
    (void)snprintf(text, sizeof(text), "%c%s", sign ? sign : '+', digits);
    add_padded_text(v, sign ? text : text + 1);
}

/* -- texts and maps ------------------------------------------------------------------------------------------------ */

static size_t cut(const char *bytes, size_t len, int64_t points)
{
    size_t at = 0;
    for (; points > 0 && at < len; points--) {
        size_t width = utf8_decode(bytes + at, len - at, NULL);
        at += width ? width : 1;
    }
    return at;
}

static void format_hex(const struct verb *v, const char *bytes, size_t len)
{
    const char *prefix = v->point == 'x' ? "0x" : "0X";
    int64_t width = (int64_t)len * 2;
    if (v->space)
        width = width * (v->sharp ? 2 : 1) + (int64_t)len - 1;
    else if (v->sharp)
        width += 2;
    if (!len)
        width = 0;
    add_padding(v, v->minus && len ? 0 : v->width - width, v->zero && !v->minus ? '0' : ' ');
    for (size_t i = 0; i < len; i++) {
        if (v->space && i)
            sbuf_add_char(v->out, ' ');
        if (v->sharp && (v->space || !i))
            sbuf_add(v->out, prefix);
        sbuf_addf(v->out, v->point == 'x' ? "%02x" : "%02X", (unsigned char)bytes[i]);
    }
    add_padding(v, v->minus && len ? v->width - width : 0, ' ');
}

/* In back quotes a text can hold anything but these. */
static bool can_be_raw(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t point;
        size_t width = utf8_decode(bytes + i, len - i, &point);
        if (!width || point == 0xfeff || point == '`' || point == 0x7f ||
            (point < ' ' && point != '\t'))
            return false;
        i += width;
    }
    return true;
}

static void format_quoted(const struct verb *v, const char *bytes, size_t len)
{
    SBUF(made, 16 * TEMPLATE_OUTPUT_MAX);
    if (v->sharp && can_be_raw(bytes, len)) {
        sbuf_add_char(&made, '`');
        sbuf_add_bytes(&made, bytes, len);
        sbuf_add_char(&made, '`');
    } else {
        template_quote(bytes, len, v->plus, &made);
    }
    add_padded(v, made.bytes, made.len, true);
}

static void format_string(const struct verb *v, const struct template_value *value)
{
    bool is_hex = v->point == 'x' || v->point == 'X';
    size_t len = value->len;
    if (v->precision >= 0)
        len = is_hex ? MIN_OF(len, (size_t)v->precision) : cut(value->bytes, len, v->precision);
    if (v->point == 'q' || (v->point == 'v' && v->is_go))
        format_quoted(v, value->bytes, len);
    else if (v->point == 'v' || v->point == 's')
        add_padded(v, len ? value->bytes : "", len, true);
    else if (is_hex)
        format_hex(v, value->bytes, len);
    else
        add_bad_verb(v, value);
}

static void format_map(const struct verb *v, const struct template_value *value)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *sorted = value->map ? val_copy_sharing(mem, value->map) : val_new_map(mem);
    val_sort_keys(sorted);
    sbuf_add(v->out, v->is_go ? "map[string]string" : "map");
    if (v->is_go && !value->map) {
        sbuf_add(v->out, "(nil)");
        return;
    }
    sbuf_add_char(v->out, v->is_go ? '{' : '[');
    for (size_t i = 0; i < sorted->len; i++) {
        const char *texts[2] = { sorted->pairs[i].key, val_text_or(sorted->pairs[i].value, "") };
        sbuf_add(v->out, !i ? "" : v->is_go ? ", " : " ");
        for (size_t k = 0; k < 2; k++) {
            sbuf_add(v->out, k ? ":" : "");
            format_string(v, &(struct template_value){ .kind = TEMPLATE_STRING,
                                                       .bytes = texts[k],
                                                       .len = strlen(texts[k]) });
        }
    }
    sbuf_add_char(v->out, v->is_go ? '}' : ']');
}

static void format_value(struct verb *v, const struct template_value *value)
{
    if (value->kind == TEMPLATE_NONE && (v->point == 'T' || v->point == 'v')) {
        add_padded_text(v, "<nil>");
        return;
    }
    if (v->point == 'T' && value->kind != TEMPLATE_NONE) {
        const char *name = template_type_name(value->kind);
        add_padded(v, name, v->precision < 0 ? strlen(name) : cut(name, strlen(name), v->precision),
                   true);
        return;
    }
    bool has_own_verbs = v->point != 'p' && v->point != 'w';
    switch (has_own_verbs ? value->kind : TEMPLATE_NONE) {
    case TEMPLATE_NONE: add_bad_verb(v, value); return;
    case TEMPLATE_BOOL:
        if (v->point == 't' || v->point == 'v')
            add_padded_text(v, value->boolean ? "true" : "false");
        else
            add_bad_verb(v, value);
        return;
    case TEMPLATE_INT:
    case TEMPLATE_BYTE: format_whole(v, value); return;
    case TEMPLATE_FLOAT: format_float(v, value); return;
    case TEMPLATE_STRING: format_string(v, value); return;
    case TEMPLATE_MAP: format_map(v, value); return;
    }
}

/* -- printf -------------------------------------------------------------------------------------------------------- */

struct format {
    const char *text;
    size_t len, at;
    const struct template_value *args;
    size_t args_len, next;
    bool is_reordered, is_good, is_behind_index;
    struct sbuf *out;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits at *at, before `end`: -1 if there are none. A number that is too large takes everything with it. */
static int64_t take_number(const char *text, size_t *at, size_t end)
{
    int64_t number = -1;
    for (; *at < end && is_digit(text[*at]); ++*at) {
        if (number > WIDTH_MAX) {
            *at = end;
            return -1;
        }
        number = MAX_OF(number, 0) * 10 + (text[*at] - '0');
    }
    return number;
}

/* An explicit index, as in %[2]d. */
static void take_index(struct format *f)
{
    f->is_behind_index = false;
    if (f->at >= f->len || f->text[f->at] != '[')
        return;
    f->is_reordered = true;
    const char *close = memchr(f->text + f->at, ']', f->len - f->at);
    if (!close || f->len - f->at < 3) {
        f->at++;
        f->is_good = false;
        return;
    }
    size_t at = f->at + 1, end = (size_t)(close - f->text);
    int64_t index = take_number(f->text, &at, end);
    bool is_number = index >= 0 && at == end;
    f->at = end + 1;
    f->is_behind_index = is_number;
    if (is_number && index >= 1 && (uint64_t)index <= f->args_len)
        f->next = (size_t)index - 1;
    else
        f->is_good = false;
}

/* The argument for a *; false if it is no number. */
static bool take_star(struct format *f, int64_t *out)
{
    if (f->next >= f->args_len)
        return false;
    const struct template_value *arg = &f->args[f->next++];
    bool is_number = arg->kind == TEMPLATE_INT || arg->kind == TEMPLATE_BYTE;
    if (!is_number || arg->number > WIDTH_MAX || arg->number < -WIDTH_MAX)
        return false;
    *out = arg->number;
    return true;
}

static bool take_char(struct format *f, char c)
{
    if (f->at >= f->len || f->text[f->at] != c)
        return false;
    f->at++;
    return true;
}

static void take_width(struct format *f, struct verb *v)
{
    if (!take_char(f, '*')) {
        v->width = take_number(f->text, &f->at, f->len);
        if (f->is_behind_index && v->width >= 0)
            f->is_good = false;
        return;
    }
    if (!take_star(f, &v->width))
        sbuf_add(f->out, "%!(BADWIDTH)");
    else if (v->width < 0) {
        v->width = -v->width;
        v->minus = true;
        v->zero = false;
    }
    f->is_behind_index = false;
}

static void take_precision(struct format *f, struct verb *v)
{
    if (f->at + 1 >= f->len || !take_char(f, '.'))
        return;
    if (f->is_behind_index)
        f->is_good = false;
    take_index(f);
    if (!take_char(f, '*')) {
        v->precision = take_number(f->text, &f->at, f->len);
        v->precision = MAX_OF(v->precision, 0);
        return;
    }
    if (!take_star(f, &v->precision) || v->precision < 0) {
        v->precision = -1;
        sbuf_add(f->out, "%!(BADPREC)");
    }
    f->is_behind_index = false;
}

static void take_flags(struct format *f, struct verb *v)
{
    for (; f->at < f->len; f->at++) {
        switch (f->text[f->at]) {
        case '#': v->sharp = true; break;
        case '0': v->zero = true; break;
        case '+': v->plus = true; break;
        case '-': v->minus = true; break;
        case ' ': v->space = true; break;
        default: return;
        }
    }
}

static void add_fault(struct format *f, uint32_t point, const char *fault)
{
    sbuf_add(f->out, "%!");
    add_point(f->out, point);
    sbuf_add(f->out, fault);
}

/* One verb behind its %. */
static void format_verb(struct format *f)
{
    struct verb v = { .width = -1, .precision = -1, .out = f->out };
    f->is_good = true;
    take_flags(f, &v);
    take_index(f);
    take_width(f, &v);
    take_precision(f, &v);
    if (!f->is_behind_index)
        take_index(f);
    if (f->at >= f->len) {
        sbuf_add(f->out, "%!(NOVERB)");
        return;
    }
    size_t width = utf8_decode(f->text + f->at, f->len - f->at, &v.point);
    v.point = width ? v.point : 0xfffd;
    f->at += width ? width : 1;
    if (v.point == '%') {
        sbuf_add_char(f->out, '%');
    } else if (!f->is_good) {
        add_fault(f, v.point, "(BADINDEX)");
    } else if (f->next >= f->args_len) {
        add_fault(f, v.point, "(MISSING)");
    } else {
        if (v.point == 'v') {
            v.is_go = v.sharp;
            v.sharp = v.plus = false;
        }
        format_value(&v, &f->args[f->next++]);
    }
}

static void add_extra(struct format *f)
{
    sbuf_add(f->out, "%!(EXTRA ");
    for (size_t i = f->next; i < f->args_len; i++) {
        struct verb v = { .point = 'v', .width = -1, .precision = -1, .out = f->out };
        sbuf_add(f->out, i > f->next ? ", " : "");
        if (f->args[i].kind != TEMPLATE_NONE)
            sbuf_addf(f->out, "%s=", template_type_name(f->args[i].kind));
        format_value(&v, &f->args[i]);
    }
    sbuf_add_char(f->out, ')');
}

void template_printf(const struct template_call *call, struct sbuf *out)
{
    struct format f = { .text = call->args[0].bytes,
                        .len = call->args[0].len,
                        .args = call->args + 1,
                        .args_len = call->len - 1,
                        .out = out };
    while (f.at < f.len && !out->is_over) {
        const char *percent = memchr(f.text + f.at, '%', f.len - f.at);
        size_t end = percent ? (size_t)(percent - f.text) : f.len;
        sbuf_add_bytes(out, f.text + f.at, end - f.at);
        f.at = end + 1;
        if (percent)
            format_verb(&f);
    }
    if (!f.is_reordered && f.next < f.args_len)
        add_extra(&f);
}

void template_print_value(const struct template_value *value, struct sbuf *out)
{
    struct verb v = { .point = 'v', .width = -1, .precision = -1, .out = out };
    format_value(&v, value);
}

void template_print(const struct template_call *call, bool is_line, struct sbuf *out)
{
    for (size_t i = 0; i < call->len; i++) {
        bool has_text = call->args[i].kind == TEMPLATE_STRING ||
                        (i && call->args[i - 1].kind == TEMPLATE_STRING);
        sbuf_add(out, i && (is_line || !has_text) ? " " : "");
        template_print_value(&call->args[i], out);
    }
    sbuf_add(out, is_line ? "\n" : "");
}
