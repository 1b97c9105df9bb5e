#include "doc/edit_scalar.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "doc/scalar.h"

#define DIGITS "0123456789"

static bool is_printable(uint32_t c)
{
    return (c >= 0x20 && c <= 0x7e) || (c >= 0xa0 && c <= 0xd7ff && c != 0x2028 && c != 0x2029) ||
           (c >= 0xe000 && c <= 0xfffd && c != 0xfeff) || c >= 0x10000;
}

static bool is_all_printable(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        uint32_t point = 0;
        size_t width = utf8_decode(text + at, len - at, &point);
        if (!width || !is_printable(point))
            return false;
        at += width;
    }
    return true;
}

/* ---- what plain text could be taken for ---- */

/* Any case: some readers do not look at it. */
static bool is_word(const char *text)
{
    static const char *const words[] = { "~",     "null",  "true", "false", "yes", "no",
                                         "on",    "off",   "y",    "n",     "<<",  "=",
                                         "+.inf", "-.inf", ".inf", ".nan" };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!strcasecmp(text, words[i]))
            return true;
    }
    return false;
}

/* Whole, octal, hexadecimal, binary, with an exponent, of any size, with _ or , between digits. */
static bool is_number(const char *text)
{
    static const struct {
        const char *prefix, *digits;
    } bases[] = { { "0x", DIGITS "abcdefABCDEF_" }, { "0o", "01234567_" }, { "0b", "01_-" } };
    const char *at = text + (*text == '-' || *text == '+');
    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        if (!strncasecmp(at, bases[i].prefix, 2))
            return !at[2 + strspn(at + 2, bases[i].digits)];
    }
    size_t before = strspn(at, DIGITS "_,");
    at += before;
    size_t behind = *at == '.' ? strspn(at + 1, DIGITS "_") : 0;
    at += *at == '.' ? 1 + behind : 0;
    if (!before && !behind)
        return false;
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '-' || at[1] == '+');
        at += strspn(at, DIGITS "_");
    }
    return !*at;
}

/* yyyy-m-d and what may follow it. */
static bool is_date(const char *text)
{
    if (strspn(text, DIGITS) != 4 || text[4] != '-')
        return false;
    size_t month = strspn(text + 5, DIGITS);
    if (month < 1 || month > 2 || text[5 + month] != '-')
        return false;
    const char *day = text + 6 + month;
    size_t width = strspn(day, DIGITS);
    return width >= 1 && width <= 2 && (!day[width] || strchr("Tt \t", day[width]));
}

static bool looks_like_more(const char *text, size_t len)
{
    return scalar_resolve(text, len, true).kind != SCALAR_TEXT || scalar_is_base60(text, len) ||
           is_word(text) || is_number(text) || is_date(text);
}

/* ---- what plain text may hold ---- */

static bool may_begin(const char *text)
{
    if (strchr("-?:", *text))
        return text[1] && !strchr(" \t,[]{}", text[1]);
    return !strchr(" \t,[]{}#&*!|>'\"%@`", *text);
}

static bool may_be_plain(const char *text, size_t len, bool in_flow)
{
    if (!len || !may_begin(text) || text[len - 1] == ' ' || text[len - 1] == ':' ||
        !is_all_printable(text, len))
        return false;
    bool is_marker = !strncmp(text, "---", 3) || !strncmp(text, "...", 3);
    if (is_marker || strstr(text, ": ") || strstr(text, " #"))
        return false;
    if (!in_flow)
        return true;
    bool has_odd_colon = false;
    for (const char *c = strchr(text, ':'); c; c = strchr(c + 1, ':'))
        has_odd_colon = has_odd_colon || strchr(",[]{}", c[1]);
    return !has_odd_colon && !text[strcspn(text, ",[]{}")] && !strchr("?:", *text);
}

/* ---- writing ---- */

static void write_single(struct sbuf *out, const char *text)
{
    sbuf_add_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            sbuf_add_char(out, '\'');
        sbuf_add_char(out, *text);
    }
    sbuf_add_char(out, '\'');
}

static void write_escape(struct sbuf *out, uint32_t point)
{
    static const struct {
        uint32_t point;
        const char *text;
    } names[] = { { '"', "\\\"" }, { '\\', "\\\\" }, { '\n', "\\n" }, { '\t', "\\t" },
                  { '\r', "\\r" }, { '\b', "\\b" },  { '\f', "\\f" } };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].point == point) {
            sbuf_add(out, names[i].text);
            return;
        }
    }
    sbuf_addf(out, "\\u%04x", (unsigned)point);
}

static void write_double(struct sbuf *out, const char *text, size_t len)
{
    sbuf_add_char(out, '"');
    for (size_t at = 0; at < len;) {
        uint32_t point = 0xfffd;
        size_t width = utf8_decode(text + at, len - at, &point);
        if (!width || !is_printable(point) || point == '"' || point == '\\')
            write_escape(out, point);
        else
            sbuf_add_bytes(out, text + at, width);
        at += MAX_OF(width, (size_t)1);
    }
    sbuf_add_char(out, '"');
}

/* `len` counts where the text holds a NUL. */
static void write_text(struct sbuf *out, const char *text, size_t len,
                       const struct edit_manner *manner)
{
    enum edit_style style = manner->is_json               ? EDIT_DOUBLE
                            : manner->style == EDIT_BLOCK ? EDIT_PLAIN
                                                          : manner->style;
    bool is_taken = !manner->has_text_tag && looks_like_more(text, len);
    if (style == EDIT_PLAIN && (is_taken || !may_be_plain(text, len, manner->in_flow)))
        style = EDIT_SINGLE;
    if (style == EDIT_SINGLE && !is_all_printable(text, len))
        style = EDIT_DOUBLE;
    if (style == EDIT_PLAIN)
        sbuf_add(out, text);
    else if (style == EDIT_SINGLE)
        write_single(out, text);
    else
        write_double(out, text, len);
}

void edit_scalar_write(struct sbuf *out, const char *text, const struct edit_manner *manner)
{
    write_text(out, text, strlen(text), manner);
}

static void write_leaf(struct sbuf *out, const struct val *v, const struct edit_manner *manner)
{
    switch (v->type) {
    case VAL_NULL: sbuf_add(out, "null"); return;
    case VAL_BOOL: sbuf_add(out, v->boolean ? "true" : "false"); return;
    case VAL_NUMBER: sbuf_add(out, v->text); return;
    case VAL_STRING: write_text(out, v->text, v->len, manner); return;
    case VAL_LIST: sbuf_add(out, "[]"); return;
    case VAL_MAP: sbuf_add(out, "{}"); return;
    }
}

static void write_line(struct sbuf *out, const struct edit_flow *flow, size_t depth)
{
    if (!*flow->line)
        return;
    sbuf_add(out, flow->line);
    for (size_t i = 0; i < depth; i++)
        sbuf_add(out, flow->unit);
}

void edit_scalar_flow(struct sbuf *out, const struct val *v, const struct edit_flow *flow)
{
    struct edit_manner manner = { .in_flow = true, .is_json = flow->is_json };
    for (struct val_walk w = val_walk(v); val_walk_next(&w);) {
        bool is_open = val_len(w.v) > 0, is_map = val_is_map(w.v);
        if (w.is_leaving) {
            if (is_open && is_map)
                write_line(out, flow, w.depth);
            if (is_open)
                sbuf_add_char(out, is_map ? '}' : ']');
            continue;
        }
        if (w.index)
            sbuf_add(out, *flow->line && w.key ? "," : flow->comma);
        if (w.key) {
            write_line(out, flow, w.depth);
            write_text(out, w.key, strlen(w.key), &manner);
            sbuf_add(out, flow->colon);
        }
        if (is_open)
            sbuf_add_char(out, is_map ? '{' : '[');
        else
            write_leaf(out, w.v, &manner);
    }
}
