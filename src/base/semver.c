#include "base/semver.h"

#include <string.h>

#include "base/vec.h"

#define RANGE_BYTES_MAX ((size_t)4096)
#define CONDITIONS_MAX  ((size_t)256)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/* -- versions -- */

/* Digits that fit into 64 bits; behind them, or NULL. */
static const char *read_number(const char *at, uint64_t *out)
{
    uint64_t n = 0;
    if (!is_digit(*at))
        return NULL;
    for (; is_digit(*at); at++) {
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*at - '0'), &n))
            return NULL;
    }
    *out = n;
    return at;
}

static bool is_numeric(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(word[i]))
            return false;
    }
    return true;
}

static size_t word_len(const char *at)
{
    size_t len = 0;
    while (is_word(at[len]))
        len++;
    return len;
}

/* Words joined by dots, none of them empty; numbers among those of a pre-release have no leading zeros. Behind them, or NULL. */
static const char *skip_words(const char *at, bool is_pre)
{
    for (;;) {
        size_t len = word_len(at);
        bool has_zeros = len > 1 && at[0] == '0' && is_numeric(at, len);
        if (len == 0 || (is_pre && has_zeros))
            return NULL;
        at += len;
        if (*at != '.')
            return at;
        at++;
    }
}

/* What may follow the numbers: -pre, then +meta. Behind them, or NULL. */
static const char *read_suffixes(struct arena *mem, const char *at, struct semver *out)
{
    out->pre = "";
    out->meta = "";
    if (*at == '-') {
        const char *end = skip_words(at + 1, true);
        if (!end)
            return NULL;
        out->pre = arena_strndup(mem, at + 1, (size_t)(end - at - 1));
        at = end;
    }
    if (*at == '+') {
        const char *end = skip_words(at + 1, false);
        if (!end)
            return NULL;
        out->meta = arena_strndup(mem, at + 1, (size_t)(end - at - 1));
        at = end;
    }
    return at;
}

bool semver_parse(struct arena *mem, const char *text, struct semver *out)
{
    *out = (struct semver){ .pre = "", .meta = "" };
    uint64_t *const parts[] = { &out->major, &out->minor, &out->patch };
    const char *at = text[0] == 'v' ? text + 1 : text;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (i > 0 && *at != '.')
            break;
        at = read_number(i > 0 ? at + 1 : at, parts[i]);
        if (!at)
            return false;
    }
    at = read_suffixes(mem, at, out);
    return at && *at == '\0';
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Numbers by value (of any length), words by bytes, numbers before words. */
static int compare_words(const char *a, size_t a_len, const char *b, size_t b_len)
{
    bool is_number = is_numeric(a, a_len), is_other_number = is_numeric(b, b_len);
    if (is_number != is_other_number)
        return is_number ? -1 : 1;
    if (is_number && a_len != b_len)
        return a_len < b_len ? -1 : 1;
    int order = memcmp(a, b, MIN_OF(a_len, b_len));
    return order ? order : compare_numbers(a_len, b_len);
}

static int compare_pre(const char *a, const char *b)
{
    if (*a == '\0' || *b == '\0')
        return (*a == '\0') - (*b == '\0');
    for (;;) {
        size_t a_len = word_len(a), b_len = word_len(b);
        int order = compare_words(a, a_len, b, b_len);
        a += a_len;
        b += b_len;
        if (order || *a == '\0' || *b == '\0')
            return order ? order : (*a != '\0') - (*b != '\0');
        a++;
        b++;
    }
}

int semver_compare(const struct semver *a, const struct semver *b)
{
    int order = compare_numbers(a->major, b->major);
    if (!order)
        order = compare_numbers(a->minor, b->minor);
    if (!order)
        order = compare_numbers(a->patch, b->patch);
    return order ? order : compare_pre(a->pre, b->pre);
}

/* -- ranges -- */

/* How many of the numbers a condition names: the others are wildcards. */
enum named { NAMED_NONE, NAMED_MAJOR, NAMED_MINOR, NAMED_ALL };

struct condition {
    bool (*holds)(const struct condition *c, const struct semver *v);
    struct semver version; /* 0 where there is a wildcard */
    enum named named;
    bool is_next; /* of the same alternative as the one before */
};

struct semver_range {
    VEC(struct condition) conditions;
};

/* Do the numbers that the condition names agree? */
static bool is_within(const struct condition *c, const struct semver *v, enum named named)
{
    return (named < NAMED_MAJOR || v->major == c->version.major) &&
           (named < NAMED_MINOR || v->minor == c->version.minor) &&
           (named < NAMED_ALL || v->patch == c->version.patch);
}

/* A pre-release is for those who ask for one. */
static bool is_refused(const struct condition *c, const struct semver *v)
{
    return *v->pre && *c->version.pre == '\0';
}

static bool is_tilde(const struct condition *c, const struct semver *v)
{
    const struct semver *w = &c->version;
    bool is_all_zeros = c->named == NAMED_ALL && w->major == 0 && w->minor == 0 && w->patch == 0;
    if (is_refused(c, v) || semver_compare(v, w) < 0)
        return false;
    return is_all_zeros || is_within(c, v, MIN_OF(c->named, NAMED_MINOR));
}

static bool is_equal(const struct condition *c, const struct semver *v)
{
    if (c->named != NAMED_ALL)
        return is_tilde(c, v);
    return !is_refused(c, v) && semver_compare(v, &c->version) == 0;
}

static bool is_other(const struct condition *c, const struct semver *v)
{
    if (c->named == NAMED_ALL)
        return semver_compare(v, &c->version) != 0;
    return !is_refused(c, v) && !is_within(c, v, c->named);
}

/* Above the whole series that the condition names. */
static bool is_above(const struct condition *c, const struct semver *v)
{
    bool is_in_series = c->named != NAMED_ALL && is_within(c, v, c->named);
    return !is_refused(c, v) && !is_in_series && semver_compare(v, &c->version) > 0;
}

static bool is_below(const struct condition *c, const struct semver *v)
{
    return !is_refused(c, v) && c->named != NAMED_NONE && semver_compare(v, &c->version) < 0;
}

static bool is_at_least(const struct condition *c, const struct semver *v)
{
    return !is_refused(c, v) && semver_compare(v, &c->version) >= 0;
}

static bool is_at_most(const struct condition *c, const struct semver *v)
{
    bool is_in_series = c->named != NAMED_ALL && is_within(c, v, c->named);
    return !is_refused(c, v) && (is_in_series || semver_compare(v, &c->version) <= 0);
}

/* Up to the next change of the leftmost number that is not 0. */
static bool is_caret(const struct condition *c, const struct semver *v)
{
    const struct semver *w = &c->version;
    enum named fixed = w->major > 0 ? NAMED_MAJOR : w->minor > 0 ? NAMED_MINOR : NAMED_ALL;
    if (is_refused(c, v) || semver_compare(v, w) < 0)
        return false;
    return is_within(c, v, MIN_OF(fixed, c->named));
}

/* Longer ones first. */
static const struct operation {
    const char *sign;
    bool (*holds)(const struct condition *c, const struct semver *v);
} operations[] = {
    { "!=", is_other },   { ">=", is_at_least }, { "=>", is_at_least }, { "<=", is_at_most },
    { "=<", is_at_most }, { "~>", is_tilde },    { "=", is_equal },     { ">", is_above },
    { "<", is_below },    { "~", is_tilde },     { "^", is_caret },     { "", is_equal },
};

struct reader {
    struct arena *mem;
    const char *text, *at;
    struct semver_range *range;
    bool is_next; /* the condition that comes belongs to the alternative that is open */
};

static void skip_blanks(struct reader *r)
{
    while (is_blank(*r->at))
        r->at++;
}

static struct err *improper(const struct reader *r, const char *what)
{
    return err_new(ERR_INVALID, "improper constraint: %.200s: %s at character %zu", r->text, what,
                   (size_t)(r->at - r->text) + 1);
}

static bool is_wildcard(char c)
{
    return c == 'x' || c == 'X' || c == '*';
}

/* Up to three numbers or wildcards; behind a wildcard nothing counts. Behind them, or NULL. */
static const char *read_parts(const char *at, struct condition *c)
{
    uint64_t *const parts[] = { &c->version.major, &c->version.minor, &c->version.patch };
    bool is_open = false;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        uint64_t n = 0;
        if (i > 0 && *at != '.')
            break;
        at += i > 0;
        bool is_any = is_wildcard(*at);
        at = is_any ? at + 1 : read_number(at, &n);
        if (!at)
            return NULL;
        is_open = is_open || is_any;
        if (is_open)
            continue;
        *parts[i] = n;
        c->named = (enum named)(i + 1);
    }
    return at;
}

static bool ends_condition(char c)
{
    return c == '\0' || is_blank(c) || strchr(",|=!<>~^", c) != NULL;
}

/* A version with its wildcards: `c` but for what it does. */
static struct err *read_version(struct reader *r, struct condition *c)
{
    *c = (struct condition){ .version = { .pre = "", .meta = "" } };
    const char *end = read_parts(*r->at == 'v' ? r->at + 1 : r->at, c);
    if (end)
        end = read_suffixes(r->mem, end, &c->version);
    if (!end || !ends_condition(*end))
        return improper(r, "no version");
    r->at = end;
    return NULL;
}

static struct err *add(struct reader *r, struct condition *c,
                       bool (*holds)(const struct condition *c, const struct semver *v))
{
    if (r->range->conditions.len == CONDITIONS_MAX)
        return err_new(ERR_LIMIT, "a range of versions with over %zu conditions", CONDITIONS_MAX);
    c->holds = holds;
    c->is_next = r->is_next;
    r->is_next = true;
    *vec_push(r->mem, &r->range->conditions) = *c;
    return NULL;
}

/* "a - b": between the two is a dash with blanks on both sides. */
static bool skip_dash(struct reader *r)
{
    const char *at = r->at;
    while (is_blank(*at))
        at++;
    if (at == r->at || *at != '-' || !is_blank(at[1]))
        return false;
    r->at = at + 1;
    skip_blanks(r);
    return true;
}

static struct err *read_condition(struct reader *r)
{
    struct condition c;
    const struct operation *operation = operations;
    while (strncmp(r->at, operation->sign, strlen(operation->sign)) != 0)
        operation++;
    r->at += strlen(operation->sign);
    skip_blanks(r);
    TRY(read_version(r, &c));
    if (*operation->sign || !skip_dash(r))
        return add(r, &c, operation->holds);
    TRY(add(r, &c, is_at_least));
    TRY(read_version(r, &c));
    return add(r, &c, is_at_most);
}

/* Conditions joined by blanks or commas. */
static struct err *read_alternative(struct reader *r)
{
    r->is_next = false;
    skip_blanks(r);
    do {
        TRY(read_condition(r));
        skip_blanks(r);
        if (*r->at == ',') {
            r->at++;
            skip_blanks(r);
        }
    } while (*r->at && *r->at != '|');
    return NULL;
}

static bool is_blank_text(const char *text)
{
    while (is_blank(*text))
        text++;
    return *text == '\0';
}

struct err *semver_range_parse(struct arena *mem, const char *text, struct semver_range **out)
{
    struct semver_range *range = arena_alloc(mem, sizeof(*range));
    if (strlen(text) > RANGE_BYTES_MAX)
        return err_new(ERR_LIMIT, "a range of versions of over %zu bytes", RANGE_BYTES_MAX);
    text = is_blank_text(text) ? "*" : text;
    struct reader reader = { .mem = mem, .text = text, .at = text, .range = range };
    for (;;) {
        TRY(read_alternative(&reader));
        if (*reader.at == '\0')
            break;
        if (reader.at[1] != '|')
            return improper(&reader, "a single |");
        reader.at += 2;
    }
    *out = range;
    return NULL;
}

bool semver_range_matches(const struct semver_range *range, const struct semver *version)
{
    bool holds = false; /* all conditions of the alternative so far */
    for (size_t i = 0; i < range->conditions.len; i++) {
        const struct condition *c = &range->conditions.at[i];
        if (!c->is_next && holds)
            return true;
        holds = c->holds(c, version) && (!c->is_next || holds);
    }
    return holds;
}
