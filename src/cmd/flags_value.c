#include "cmd/flags_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"

#define VALUE_TEXT_MAX ((size_t)1 << 20)

static struct err *bad_number(const char *function, const char *text, bool is_out_of_range)
{
    SBUF(quoted, VALUE_TEXT_MAX);
    flags_quote(&quoted, text);
    return err_new(ERR_INVALID, "strconv.%s: parsing %s: %s", function, sbuf_text(&quoted),
                   is_out_of_range ? "value out of range" : "invalid syntax");
}

static struct err *parse_bool(const char *text, int64_t *out)
{
    static const char *const words[] = { "1", "t", "T", "TRUE", "true", "True" };
    static const char *const others[] = { "0", "f", "F", "FALSE", "false", "False" };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!strcmp(text, words[i]) || !strcmp(text, others[i])) {
            *out = !strcmp(text, words[i]);
            return NULL;
        }
    }
    return bad_number("ParseBool", text, false);
}

/* strtoll skips blanks, which Go does not. */
static bool starts_like_number(const char *text, const char *signs)
{
    if (*text && strchr(signs, *text))
        text++;
    return *text >= '0' && *text <= '9';
}

static struct err *parse_int(const char *text, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 0);
    if (!starts_like_number(text, "+-") || *end)
        return bad_number("ParseInt", text, false);
    if (errno == ERANGE)
        return bad_number("ParseInt", text, true);
    *out = number;
    return NULL;
}

static struct err *parse_uint(const char *text, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 0);
    if (!starts_like_number(text, "") || *end)
        return bad_number("ParseUint", text, false);
    if (errno == ERANGE || number > INT64_MAX)
        return bad_number("ParseUint", text, true);
    *out = (int64_t)number;
    return NULL;
}

static struct err *parse_float(const char *text, double *out)
{
    char *end = NULL;
    errno = 0;
    double number = strtod(text, &end);
    bool is_plain = starts_like_number(text, "+-") || (*text && strchr("+-.", *text));
    if (!is_plain || end == text || *end)
        return bad_number("ParseFloat", text, false);
    if (errno == ERANGE)
        return bad_number("ParseFloat", text, true);
    *out = number;
    return NULL;
}

static struct err *bad_csv(const char *text, const char *at, const char *what)
{
    return err_new(ERR_INVALID, "parse error on line 1, column %zu: %s", (size_t)(at - text) + 1,
                   what);
}

/* One field in quotes; *at is its opening quote, then what follows the closing one. */
static struct err *read_quoted(struct arena *mem, const char *text, const char **at,
                               const char **out)
{
    SBUF(field, VALUE_TEXT_MAX);
    const char *from = *at + 1;
    for (;;) {
        const char *quote = strchr(from, '"');
        if (!quote)
            return bad_csv(text, from + strlen(from), "extraneous or missing \" in quoted-field");
        sbuf_add_bytes(&field, from, (size_t)(quote - from));
        from = quote + 1;
        if (*from != '"') {
            if (*from && *from != ',' && *from != '\n' && *from != '\r')
                return bad_csv(text, quote, "extraneous or missing \" in quoted-field");
            *at = from;
            return sbuf_finish(&field, mem, out, NULL);
        }
        sbuf_add_char(&field, '"');
        from++;
    }
}

/* The first record of a CSV text, as a flag takes it; nothing for an empty text. */
static struct err *read_csv(struct arena *mem, const char *text, struct flags_words *out)
{
    const char *at = text;
    while (*text) {
        const char *field = NULL;
        if (*at == '"') {
            TRY(read_quoted(mem, text, &at, &field));
        } else {
            size_t len = strcspn(at, ",\r\n");
            const char *quote = memchr(at, '"', len);
            if (quote)
                return bad_csv(text, quote, "bare \" in non-quoted field");
            field = arena_strndup(mem, at, len);
            at += len;
        }
        *vec_push(mem, out) = field;
        if (*at != ',')
            break;
        at++;
    }
    return NULL;
}

static struct err *read_pairs(struct arena *mem, const char *text, struct flags_words *out)
{
    const char *sign = strchr(text, '=');
    if (!sign)
        return err_new(ERR_INVALID, "%s must be formatted as key=value", text);
    struct flags_words read = { 0 };
    if (strchr(sign + 1, '='))
        TRY(read_csv(mem, text, &read));
    else
        *vec_push(mem, &read) = text;
    for (size_t i = 0; i < read.len; i++) {
        if (!strchr(read.at[i], '='))
            return err_new(ERR_INVALID, "%s must be formatted as key=value", read.at[i]);
        *vec_push(mem, out) = read.at[i];
    }
    return NULL;
}

/* The first use replaces the default, later ones append. */
static struct err *set_words(struct arena *mem, struct flags_value *value, const char *text)
{
    struct flags_words words = { 0 };
    const char *const *before = value->is_given ? value->words.at : NULL;
    for (; before && *before; before++)
        *vec_push(mem, &words) = *before;
    TRY(value->spec->type == FLAGS_LIST ? read_csv(mem, text, &words)
                                        : read_pairs(mem, text, &words));
    *vec_push(mem, &words) = NULL;
    words.len--;
    value->words = words;
    return NULL;
}

static struct err *set_any(struct arena *mem, struct flags_value *value, const char *text)
{
    switch (value->spec->type) {
    case FLAGS_BOOL: return parse_bool(text, &value->number);
    case FLAGS_TEXT: value->text = text; return NULL;
    case FLAGS_INT: return parse_int(text, &value->number);
    case FLAGS_UINT: return parse_uint(text, &value->number);
    case FLAGS_FLOAT: return parse_float(text, &value->real);
    case FLAGS_DURATION: return duration_parse(text, &value->number);
    case FLAGS_LIST:
    case FLAGS_MAP: return set_words(mem, value, text);
    case FLAGS_COUNT:
        if (!strcmp(text, "+1")) {
            value->number++;
            return NULL;
        }
        return parse_int(text, &value->number);
    }
    return NULL;
}

struct err *flags_value_set(struct arena *mem, struct flags_value *value, const char *text)
{
    TRY(set_any(mem, value, text));
    value->is_given = true;
    return NULL;
}

void flags_value_init(struct arena *mem, struct flags_value *value, const struct flags_spec *spec)
{
    static const char *const none[] = { NULL };
    *value = (struct flags_value){ .spec = spec, .text = "" };
    value->words.at = (const char **)none; /* read only: set_words makes a new array */
    if (spec->initial) {
        struct err *e = set_any(mem, value, spec->initial);
        ASSERT(!e);
    }
}

static void show_words(const char *initial, struct sbuf *out)
{
    sbuf_add_char(out, '[');
    sbuf_add(out, initial);
    sbuf_add_char(out, ']');
}

bool flags_value_show_default(const struct flags_spec *spec, struct sbuf *out)
{
    const char *initial = spec->initial ? spec->initial : "";
    char duration[DURATION_TEXT_BYTES];
    int64_t ms = 0;
    switch (spec->type) {
    case FLAGS_TEXT:
        if (*initial)
            flags_quote(out, initial);
        return *initial;
    case FLAGS_LIST:
    case FLAGS_MAP:
        if (*initial)
            show_words(initial, out);
        return *initial;
    case FLAGS_DURATION: {
        SCOPED(err_free) struct err *e = *initial ? duration_parse(initial, &ms) : NULL;
        ASSERT(!e);
        duration_format(ms, duration);
        if (ms)
            sbuf_add(out, duration);
        return ms;
    }
    case FLAGS_BOOL:
    case FLAGS_INT:
    case FLAGS_UINT:
    case FLAGS_FLOAT:
    case FLAGS_COUNT: break;
    }
    if (!*initial || !strcmp(initial, "0") || !strcmp(initial, "false"))
        return false;
    sbuf_add(out, initial);
    return true;
}
