#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"
#include "doc/scalar.h"
#include "doc/yaml.h"

#define WIDTH       80 /* a line is broken at the first blank beyond */
#define INDENT      2
#define KEY_MAX_LEN 128 /* longer keys are written with "? " */

enum style { STYLE_PLAIN, STYLE_SINGLE, STYLE_DOUBLE, STYLE_LITERAL };

struct emitter {
    struct sbuf *out;
    int column, indent;
    bool after_space;  /* what was written last separates */
    bool at_indention; /* only blanks, "- ", "? " stand on the line so far */
};

/* ---- order of keys ---- */

/* Letters beyond ASCII, by blocks: what is not here counts as one. */
static bool is_letter(uint32_t point)
{
    static const uint32_t no_letters[][2] = {
        { 0x80, 0xa9 },     { 0xab, 0xb4 },       { 0xb6, 0xb9 },       { 0xbb, 0xbf },
        { 0xd7, 0xd7 },     { 0xf7, 0xf7 },       { 0x2c2, 0x2c5 },     { 0x2d2, 0x2df },
        { 0x2e5, 0x2eb },   { 0x2ed, 0x2ed },     { 0x2ef, 0x36f },     { 0x375, 0x375 },
        { 0x37e, 0x37e },   { 0x384, 0x385 },     { 0x387, 0x387 },     { 0x3f6, 0x3f6 },
        { 0x482, 0x489 },   { 0x55a, 0x55f },     { 0x589, 0x5cf },     { 0x600, 0x61f },
        { 0x64b, 0x66d },   { 0x2000, 0x2070 },   { 0x2072, 0x207e },   { 0x2080, 0x208f },
        { 0x209d, 0x2101 }, { 0x2190, 0x2bff },   { 0x2e00, 0x2e2e },   { 0x2e30, 0x3004 },
        { 0x3007, 0x3030 }, { 0x3036, 0x303a },   { 0x303d, 0x3040 },   { 0xe000, 0xf8ff },
        { 0xfe00, 0xfe6f }, { 0xff00, 0xff20 },   { 0xff3b, 0xff40 },   { 0xff5b, 0xff65 },
        { 0xfff0, 0xffff }, { 0x1d000, 0x1d3ff }, { 0x1f000, 0x1fbff }, { 0xe0000, 0x10ffff },
    };
    if (point < 0x80)
        return (point | 0x20) >= 'a' && (point | 0x20) <= 'z';
    for (size_t i = 0; i < ARRAY_LEN(no_letters); i++) {
        if (point >= no_letters[i][0] && point <= no_letters[i][1])
            return false;
    }
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int order_of(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* Both from their first difference on, which is no letter on either side: runs of digits count as numbers. Zeros there
 * are leading ones only if nothing but zeros is before them. */
static int compare_digits(const char *begin, const char *a, const char *b)
{
    uint64_t a_number = 0, b_number = 0;
    if (*a == '0' || *b == '0') {
        for (const char *c = a; c > begin && is_digit(c[-1]); c--) {
            if (c[-1] != '0')
                a_number = b_number = 1;
        }
    }
    const char *a_end = a, *b_end = b;
    for (; is_digit(*a_end); a_end++)
        a_number = a_number * 10 + (uint64_t)(*a_end - '0');
    for (; is_digit(*b_end); b_end++)
        b_number = b_number * 10 + (uint64_t)(*b_end - '0');
    if (a_number != b_number)
        return (int64_t)a_number < (int64_t)b_number ? -1 : 1;
    return order_of((uint64_t)(a_end - a), (uint64_t)(b_end - b));
}

/* Natural order: letters behind other characters, numbers by their value. */
static int compare_keys(const void *one, const void *two)
{
    const char *a = ((const struct val_pair *)one)->key, *b = ((const struct val_pair *)two)->key,
               *begin = a;
    while (*a && *b) {
        uint32_t a_point = 0xfffd, b_point = 0xfffd;
        size_t a_width = utf8_decode(a, strnlen(a, 4), &a_point);
        size_t b_width = utf8_decode(b, strnlen(b, 4), &b_point);
        if (a_point == b_point) {
            a += MAX_OF(a_width, (size_t)1);
            b += MAX_OF(b_width, (size_t)1);
            continue;
        }
        bool a_is_letter = is_letter(a_point), b_is_letter = is_letter(b_point);
        if (a_is_letter && b_is_letter)
            return order_of(a_point, b_point);
        if (a_is_letter || b_is_letter)
            return b_is_letter ? -1 : 1;
        int order = compare_digits(begin, a, b);
        return order ? order : order_of(a_point, b_point);
    }
    return *a ? 1 : *b ? -1 : 0;
}

static void sort_keys(struct val *v)
{
    for (struct val_walk w = val_walk(v); val_walk_next(&w);) {
        struct val *map = (struct val *)w.v; /* of our own copy */
        if (w.is_leaving || !val_is_map(map))
            continue;
        map->order = NULL;
        qsort(map->pairs, map->len, sizeof(*map->pairs), compare_keys);
    }
}

/* ---- writing ---- */

static void put(struct emitter *e, const char *bytes, size_t len)
{
    sbuf_add_bytes(e->out, bytes, len);
    for (size_t i = 0; i < len; i++)
        e->column += ((unsigned char)bytes[i] & 0xc0) != 0x80;
}

static void put_break(struct emitter *e, const char *bytes, size_t len)
{
    sbuf_add_bytes(e->out, bytes, len);
    e->column = 0;
}

static void write_indent(struct emitter *e)
{
    int indent = MAX_OF(e->indent, 0);
    if (!e->at_indention || e->column > indent || (e->column == indent && !e->after_space))
        put_break(e, "\n", 1);
    while (e->column < indent)
        put(e, " ", 1);
    e->after_space = e->at_indention = true;
}

/* "-", "?" keep the line's indention: what follows may stand on the same line. */
static void write_mark(struct emitter *e, const char *mark, bool wants_space, bool keeps_indention)
{
    if (wants_space && !e->after_space)
        put(e, " ", 1);
    put(e, mark, strlen(mark));
    e->after_space = false;
    e->at_indention = e->at_indention && keeps_indention;
}

/* ---- what a text looks like ---- */

struct piece { /* one character */
    size_t width;
    uint32_t point;
    bool is_space, is_break, is_printable;
};

static struct piece piece_at(const char *text, size_t len, size_t at)
{
    struct piece p = { .width = 1 };
    if (at >= len)
        return p;
    p.width = utf8_decode(text + at, len - at, &p.point);
    if (!p.width) /* no UTF-8: written as the escape of U+FFFD */
        return (struct piece){ .width = 1, .point = 0xfffd };
    uint32_t c = p.point;
    p.is_space = c == ' ';
    p.is_break = c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
    p.is_printable =
        c == '\n' || (c >= 0x20 && c <= 0x7e) || (c >= 0xa0 && c <= 0xfffd && c != 0xfeff);
    return p;
}

struct looks {
    bool is_multiline, may_be_plain, may_be_single, may_be_literal;
};

/* An indicator at the front of a plain scalar, or inside of one. */
static bool is_indicator(const char *text, size_t len, size_t at, bool is_after_space)
{
    char c = text[at], next = at + 1 < len ? text[at + 1] : ' ';
    bool is_before_space = next == ' ' || next == '\t';
    if (c == ':' || (at == 0 && (c == '?' || c == '-')))
        return is_before_space;
    if (at == 0)
        return c && strchr("#,[]{}&*!|>'\"%@`", c);
    return c == '#' && is_after_space;
}

static struct looks look_at(const char *text, size_t len)
{
    if (!len)
        return (struct looks){ .may_be_plain = true, .may_be_single = true };
    bool is_odd = false,
         has_indicator = len >= 3 && (!memcmp(text, "---", 3) || !memcmp(text, "...", 3));
    bool space_break = false, break_space = false, edge = false, trailing_space = false,
         has_break = false;
    struct piece before = { 0 };
    for (size_t at = 0; at < len;) {
        struct piece p = piece_at(text, len, at);
        bool is_last = at + p.width == len;
        bool is_after_space =
            at == 0 || before.is_space || before.is_break || before.point == '\t' || !before.point;
        has_indicator = has_indicator || is_indicator(text, len, at, is_after_space);
        is_odd = is_odd || !p.is_printable;
        edge = edge || ((p.is_space || p.is_break) && (at == 0 || is_last));
        trailing_space = trailing_space || (p.is_space && is_last);
        has_break = has_break || p.is_break;
        break_space = break_space || (p.is_space && before.is_break);
        space_break = space_break || (p.is_break && before.is_space);
        before = p;
        at += p.width;
    }
    struct looks looks = { .is_multiline = has_break };
    looks.may_be_literal = !trailing_space && !space_break && !is_odd;
    looks.may_be_single = !break_space && !space_break && !is_odd;
    looks.may_be_plain = looks.may_be_single && !edge && !has_break && !has_indicator;
    return looks;
}

/* Text that would read as something else has to be quoted. */
static bool reads_as_text(const char *text, size_t len)
{
    return scalar_resolve(text, len, true).kind == SCALAR_TEXT && !scalar_is_base60(text, len);
}

static enum style style_of(const char *text, size_t len, const struct looks *looks,
                           bool is_simple_key)
{
    enum style style = memchr(text, '\n', len)    ? STYLE_LITERAL
                       : reads_as_text(text, len) ? STYLE_PLAIN
                                                  : STYLE_DOUBLE;
    if (is_simple_key && looks->is_multiline)
        style = STYLE_DOUBLE;
    if (style == STYLE_PLAIN && !looks->may_be_plain)
        style = STYLE_SINGLE;
    if (style == STYLE_SINGLE && !looks->may_be_single)
        style = STYLE_DOUBLE;
    if (style == STYLE_LITERAL && !looks->may_be_literal)
        style = STYLE_DOUBLE;
    return style;
}

/* ---- scalars by style ---- */

static bool folds_here(const struct emitter *e, bool may_fold, const struct piece *p,
                       bool is_after_space)
{
    return may_fold && p->is_space && !is_after_space && e->column > WIDTH;
}

/* Plain or single-quoted: both only differ in the quotes. */
static void write_flow_text(struct emitter *e, const char *text, size_t len, bool is_quoted,
                            bool may_fold)
{
    bool spaces = false, breaks = false;
    for (size_t at = 0; at < len;) {
        struct piece p = piece_at(text, len, at), next = piece_at(text, len, at + p.width);
        bool is_inside = !is_quoted || (at > 0 && at + 1 < len);
        if (folds_here(e, may_fold && is_inside && !next.is_space, &p, spaces)) {
            write_indent(e);
            spaces = true;
        } else if (p.is_break) {
            if (!breaks && p.point == '\n')
                put_break(e, "\n", 1);
            put_break(e, text + at, p.width);
            e->at_indention = breaks = true;
        } else {
            if (breaks && !p.is_space)
                write_indent(e);
            if (is_quoted && p.point == '\'')
                put(e, "'", 1);
            put(e, text + at, p.width);
            spaces = p.is_space;
            if (!p.is_space)
                e->at_indention = breaks = false;
        }
        at += p.width;
    }
}

static void write_escape(struct emitter *e, uint32_t point)
{
    static const struct {
        uint32_t point;
        char name;
    } names[] = { { 0, '0' },     { 7, 'a' },    { 8, 'b' },    { 9, 't' },      { 10, 'n' },
                  { 11, 'v' },    { 12, 'f' },   { 13, 'r' },   { 0x1b, 'e' },   { '"', '"' },
                  { '\\', '\\' }, { 0x85, 'N' }, { 0xa0, '_' }, { 0x2028, 'L' }, { 0x2029, 'P' } };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].point == point) {
            put(e, (const char[]){ '\\', names[i].name }, 2);
            return;
        }
    }
    char text[16];
    int digits = point <= 0xff ? 2 : point <= 0xffff ? 4 : 8;
    snprintf(text, sizeof(text), "\\%c%0*X",
             digits == 2   ? 'x'
             : digits == 4 ? 'u'
                           : 'U',
             digits, point);
    put(e, text, strlen(text));
}

static void write_double(struct emitter *e, const char *text, size_t len, bool may_fold)
{
    bool spaces = false;
    for (size_t at = 0; at < len;) {
        struct piece p = piece_at(text, len, at);
        if (!p.is_printable || p.is_break || p.point == '"' || p.point == '\\') {
            write_escape(e, p.point);
        } else if (folds_here(e, may_fold && at > 0 && at + 1 < len, &p, spaces)) {
            write_indent(e);
            if (piece_at(text, len, at + 1).is_space)
                put(e, "\\", 1);
        } else {
            put(e, text + at, p.width);
        }
        spaces = p.is_space;
        at += p.width;
    }
}

/* What | has to say: an explicit indent where the text begins with white space, - or + for the breaks at its end. */
static void write_literal_hints(struct emitter *e, const char *text, size_t len)
{
    struct piece first = piece_at(text, len, 0);
    if (first.is_space || first.is_break)
        write_mark(e, "2", false, false);
    struct piece last = { 0 }, before_last = { 0 };
    size_t count = 0;
    for (size_t at = 0; at < len; at += last.width, count++) {
        before_last = last;
        last = piece_at(text, len, at);
    }
    if (!last.is_break)
        write_mark(e, "-", false, false);
    else if (count == 1 || before_last.is_break)
        write_mark(e, "+", false, false);
}

static void write_literal(struct emitter *e, const char *text, size_t len)
{
    write_mark(e, "|", true, false);
    write_literal_hints(e, text, len);
    put_break(e, "\n", 1);
    e->at_indention = e->after_space = true;
    bool breaks = true;
    for (size_t at = 0; at < len;) {
        struct piece p = piece_at(text, len, at);
        if (p.is_break) {
            put_break(e, text + at, p.width);
            e->at_indention = true;
        } else {
            if (breaks)
                write_indent(e);
            put(e, text + at, p.width);
            e->at_indention = false;
        }
        breaks = p.is_break;
        at += p.width;
    }
}

static void write_text(struct emitter *e, const char *text, size_t len, bool is_simple_key)
{
    struct looks looks = look_at(text, len);
    int indent_before = e->indent;
    e->indent = e->indent < 0 ? INDENT : e->indent + INDENT;
    bool may_fold = !is_simple_key;
    switch (style_of(text, len, &looks, is_simple_key)) {
    case STYLE_PLAIN:
        if (!e->after_space)
            put(e, " ", 1);
        if (!may_fold || (size_t)e->column + len <= WIDTH)
            put(e, text, len); /* nothing to fold; a plain text has one line */
        else
            write_flow_text(e, text, len, false, may_fold);
        e->after_space = e->at_indention = false;
        break;
    case STYLE_SINGLE:
        write_mark(e, "'", true, false);
        write_flow_text(e, text, len, true, may_fold);
        write_mark(e, "'", false, false);
        break;
    case STYLE_DOUBLE:
        write_mark(e, "\"", true, false);
        write_double(e, text, len, may_fold);
        write_mark(e, "\"", false, false);
        break;
    case STYLE_LITERAL: write_literal(e, text, len); break;
    }
    e->indent = indent_before;
}

static void write_word(struct emitter *e, const char *word)
{
    write_mark(e, word, true, false);
}

static void write_number(struct emitter *e, const struct val *v)
{
    char text[NUMBER_TEXT_BYTES];
    struct scalar s = scalar_resolve(v->text, v->len, false);
    if (s.kind == SCALAR_FLOAT || v->cap) {
        number_format_g(strtod(v->text, NULL), text);
        write_word(e, text);
    } else {
        write_word(e, s.kind == SCALAR_INT && !s.size ? "0" : v->text);
    }
}

/* Anything but a list or map with something in it. */
static void write_leaf(struct emitter *e, const struct val *v)
{
    switch (v->type) {
    case VAL_NULL: write_word(e, "null"); return;
    case VAL_BOOL: write_word(e, v->boolean ? "true" : "false"); return;
    case VAL_NUMBER: write_number(e, v); return;
    case VAL_STRING: write_text(e, v->text, v->len, false); return;
    case VAL_LIST: write_word(e, "[]"); return;
    case VAL_MAP: write_word(e, "{}"); return;
    }
}

/* The part before a value in a map. */
static void write_key(struct emitter *e, const char *key)
{
    size_t len = strlen(key);
    write_indent(e);
    if (len <= KEY_MAX_LEN && !look_at(key, len).is_multiline) {
        write_text(e, key, len, true);
        write_mark(e, ":", false, false);
        return;
    }
    write_mark(e, "?", true, true);
    write_text(e, key, len, false);
    write_indent(e);
    write_mark(e, ":", true, true);
}

void doc_yaml_emit(const struct val *v, struct sbuf *out)
{
    static const struct val nothing = { .type = VAL_NULL };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *sorted = val_copy_sharing(mem, v ? v : &nothing);
    sort_keys(sorted);
    struct emitter e = { .out = out, .indent = -1, .after_space = true, .at_indention = true };
    int indents[VAL_DEPTH_MAX + 1];
    for (struct val_walk w = val_walk(sorted); val_walk_next(&w);) {
        bool is_open = val_len(w.v) > 0;
        if (w.is_leaving) {
            e.indent = is_open ? indents[w.depth] : e.indent;
            continue;
        }
        if (w.key) {
            write_key(&e, w.key);
        } else if (w.depth) {
            write_indent(&e);
            write_mark(&e, "-", true, true);
        }
        if (!is_open) {
            write_leaf(&e, w.v);
            continue;
        }
        indents[w.depth] = e.indent;
        bool is_flush =
            w.key && val_is_list(w.v) && !e.at_indention; /* the dashes stand below the key */
        e.indent = e.indent < 0 ? 0 : is_flush ? e.indent : e.indent + INDENT;
    }
    write_indent(&e);
}
