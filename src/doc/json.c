#include "doc/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"
#include "doc/build.h"

struct parser {
    const char *text, *at, *end;
    size_t nodes;
    struct build *build;
};

enum expect {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END,
    EXPECT_KEY,
    EXPECT_KEY_OR_END,
    EXPECT_COMMA,
    EXPECT_NOTHING
};

MUST_USE static struct err *fail(const struct parser *p, enum err_kind kind, const char *what)
{
    size_t line = 1, column = 1;
    for (const char *c = p->text; c < p->at; c++) {
        column += ((unsigned char)*c & 0xc0) != 0x80; /* characters, not bytes */
        if (*c == '\n') {
            line++;
            column = 1;
        }
    }
    return err_new(kind, "JSON line %zu, column %zu: %s", line, column, what);
}

static void skip_space(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
        p->at++;
}

static bool is_digit_at(const struct parser *p)
{
    return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

static bool skip_digits(struct parser *p)
{
    const char *begin = p->at;
    while (is_digit_at(p))
        p->at++;
    return p->at > begin;
}

static bool skip_number(struct parser *p)
{
    if (p->at < p->end && *p->at == '-')
        p->at++;
    bool is_zero = p->at < p->end && *p->at == '0';
    if (is_zero)
        p->at++;
    else if (!skip_digits(p))
        return false;
    if (p->at < p->end && *p->at == '.') {
        p->at++;
        if (!skip_digits(p))
            return false;
    }
    if (p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
        p->at++;
        if (p->at < p->end && (*p->at == '+' || *p->at == '-'))
            p->at++;
        return skip_digits(p);
    }
    return true;
}

/* Fits int64 or uint64. */
static bool fits_64_bits(const char *text, size_t len)
{
    static const char most_negative[] = "9223372036854775808", most[] = "18446744073709551615";
    bool is_negative = text[0] == '-';
    const char *limit = is_negative ? most_negative : most;
    text += is_negative;
    len -= is_negative;
    size_t limit_len = strlen(limit);
    return len < limit_len || (len == limit_len && memcmp(text, limit, len) <= 0);
}

bool doc_json_number(struct arena *mem, const char *text, size_t len, struct val *out)
{
    char *copy = arena_strndup(mem, text, len);
    bool is_whole = !strpbrk(copy, ".eE");
    out->type = VAL_NUMBER;
    out->text = copy;
    out->len = len;
    if (is_whole && fits_64_bits(copy, len))
        return true;
    double number = strtod(copy, NULL);
    if (!isfinite(number))
        return false;
    if (is_whole) {
        char shorter[NUMBER_TEXT_BYTES];
        number_format_json(number, shorter);
        out->text = arena_strdup(mem, shorter);
        out->len = strlen(shorter);
    }
    return true;
}

MUST_USE static struct err *read_number(struct parser *p, struct val *out)
{
    const char *begin = p->at;
    if (!skip_number(p))
        return fail(p, ERR_INVALID, "a number is cut short");
    if (is_digit_at(p))
        return fail(p, ERR_INVALID, "a number begins with 0");
    if (!doc_json_number(p->build->mem, begin, (size_t)(p->at - begin), out))
        return fail(p, ERR_INVALID, "a number is too big");
    return NULL;
}

static bool read_hex(struct parser *p, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, p->at++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = p->at < p->end && *p->at ? strchr(digits, *p->at) : NULL;
        if (!digit)
            return false;
        *out = *out << 4 | (uint32_t)((digit - digits) & 15);
    }
    return true;
}

/* Behind "\u": one code point, from two escapes if need be. */
static bool read_point(struct parser *p, uint32_t *out)
{
    if (!read_hex(p, out))
        return false;
    bool is_high = *out >= 0xd800 && *out <= 0xdbff;
    if (!is_high || p->end - p->at < 6 || p->at[0] != '\\' || p->at[1] != 'u')
        return true;
    const char *before = p->at;
    uint32_t low;
    p->at += 2;
    if (!read_hex(p, &low))
        return false;
    if (low >= 0xdc00 && low <= 0xdfff)
        *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    else
        p->at = before; /* a lone surrogate; the next escape stands for itself */
    return true;
}

MUST_USE static struct err *read_escape(struct parser *p, char **to)
{
    static const char names[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    char name = ++p->at < p->end ? *p->at++ : '\0';
    uint32_t point;
    if (name == 'u') {
        if (!read_point(p, &point))
            return fail(p, ERR_INVALID, "\\u wants four hexadecimal digits");
        *to += utf8_encode(point, *to);
        return NULL;
    }
    for (size_t i = 0; name && i + 1 < sizeof(names); i += 2) {
        if (names[i] == name) {
            *(*to)++ = names[i + 1];
            return NULL;
        }
    }
    return fail(p, ERR_INVALID, "unknown escape in a string");
}

/* An upper bound of the bytes up to the closing quote, decoded: a bad byte becomes three. */
static size_t string_room(const struct parser *p)
{
    const char *c = p->at;
    size_t high = 0;
    for (; c < p->end && *c != '"'; c++) {
        high += (unsigned char)*c >= 0x80;
        c += *c == '\\' && c + 1 < p->end;
    }
    size_t room = (size_t)(c - p->at) + 4;
    bool may_grow = high && utf8_find_bad(p->at, (size_t)(c - p->at)) < (size_t)(c - p->at);
    return may_grow ? room + 2 * high : room;
}

/* At the opening quote. */
MUST_USE static struct err *read_string(struct parser *p, const char **out, size_t *out_len)
{
    p->at++;
    char *begin = arena_alloc(p->build->mem, string_room(p)), *to = begin;
    while (p->at < p->end && *p->at != '"') {
        unsigned char c = (unsigned char)*p->at;
        if (c == '\\') {
            TRY(read_escape(p, &to));
        } else if (c < 0x20) {
            return fail(p, ERR_INVALID, "a control character in a string: write it as \\u00..");
        } else if (c < 0x80) {
            *to++ = *p->at++;
        } else {
            uint32_t point = UINT32_MAX;
            size_t width = utf8_decode(p->at, (size_t)(p->end - p->at), &point);
            to += utf8_encode(point, to);
            p->at += width ? width : 1;
        }
    }
    if (p->at >= p->end)
        return fail(p, ERR_INVALID, "a string does not end");
    p->at++;
    *out = begin;
    *out_len = (size_t)(to - begin);
    return NULL;
}

static bool skip_word(struct parser *p, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
        return false;
    p->at += len;
    return true;
}

MUST_USE static struct err *read_leaf(struct parser *p, struct val *out)
{
    if (*p->at == '"') {
        out->type = VAL_STRING;
        return read_string(p, &out->text, &out->len);
    }
    if (*p->at == '-' || is_digit_at(p))
        return read_number(p, out);
    if (skip_word(p, "true")) {
        out->type = VAL_BOOL;
        out->boolean = true;
    } else if (skip_word(p, "false")) {
        out->type = VAL_BOOL;
    } else if (!skip_word(p, "null")) {
        return fail(p, ERR_INVALID, "expected a value");
    }
    return NULL;
}

/* A finished value belongs to the list it stands in, or is the whole, or is what the last key was waiting for. */
static void place(struct parser *p, struct val *v)
{
    if (!val_is_map(build_top(p->build)))
        build_item(p->build, v);
    else
        p->build->entries.at[p->build->entries.len - 1].value = v;
}

static enum expect after_value(const struct parser *p)
{
    return p->build->depth ? EXPECT_COMMA : EXPECT_NOTHING;
}

MUST_USE static struct err *read_value(struct parser *p, enum expect *next)
{
    if (++p->nodes > DOC_JSON_NODES_MAX)
        return fail(p, ERR_LIMIT, "too many values");
    bool is_map = *p->at == '{', is_list = *p->at == '[';
    struct val *v = val_new(p->build->mem, is_map ? VAL_MAP : is_list ? VAL_LIST : VAL_NULL);
    if (!is_map && !is_list) {
        TRY(read_leaf(p, v));
        place(p, v);
        *next = after_value(p);
        return NULL;
    }
    if (p->build->depth == DOC_DEPTH_MAX)
        return fail(p, ERR_LIMIT, "nested too deeply");
    p->at++;
    build_open(p->build, v);
    *next = is_map ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return NULL;
}

MUST_USE static struct err *read_key(struct parser *p, enum expect *next)
{
    if (*p->at != '"')
        return fail(p, ERR_INVALID, "expected a key in double quotes");
    struct build_entry entry = { .is_weak = true };
    size_t len;
    TRY(read_string(p, &entry.key, &len));
    if (strlen(entry.key) != len)
        return fail(p, ERR_INVALID, "a key with a NUL character");
    skip_space(p);
    if (p->at >= p->end || *p->at != ':')
        return fail(p, ERR_INVALID, "expected : after a key");
    p->at++;
    build_pair(p->build, &entry);
    *next = EXPECT_VALUE;
    return NULL;
}

static void close_container(struct parser *p, enum expect *next)
{
    struct val *closed;
    struct build_entry unused;
    bool ok = build_close(p->build, &closed, &unused);
    ASSERT(ok); /* all entries are weak */
    p->at++;
    place(p, closed);
    *next = after_value(p);
}

MUST_USE static struct err *read_token(struct parser *p, enum expect *expect)
{
    bool is_map = val_is_map(build_top(p->build));
    bool is_end = p->build->depth && *p->at == (is_map ? '}' : ']');
    switch (*expect) {
    case EXPECT_VALUE_OR_END:
    case EXPECT_KEY_OR_END:
    case EXPECT_COMMA:
        if (is_end) {
            close_container(p, expect);
            return NULL;
        }
        if (*expect == EXPECT_VALUE_OR_END)
            return read_value(p, expect);
        if (*expect == EXPECT_KEY_OR_END)
            return read_key(p, expect);
        if (*p->at != ',')
            return fail(p, ERR_INVALID, is_map ? "expected , or }" : "expected , or ]");
        p->at++;
        *expect = is_map ? EXPECT_KEY : EXPECT_VALUE;
        return NULL;
    case EXPECT_VALUE: return read_value(p, expect);
    case EXPECT_KEY: return read_key(p, expect);
    case EXPECT_NOTHING: break;
    }
    return fail(p, ERR_INVALID, "more text after the value");
}

struct err *doc_json_parse(struct arena *mem, const char *text, size_t len, struct val **out)
{
    BUILD(build, mem);
    struct parser p = { .text = text, .at = text, .end = text + len, .build = &build };
    enum expect expect = EXPECT_VALUE;
    for (skip_space(&p); p.at < p.end; skip_space(&p))
        TRY(read_token(&p, &expect));
    if (expect != EXPECT_NOTHING)
        return fail(&p, ERR_INVALID, "unexpected end");
    *out = build.root;
    return NULL;
}
