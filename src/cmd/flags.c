#include "cmd/flags.h"

#include <string.h>

#include "base/vec.h"
#include "cmd/flags_value.h"

#define NOTICES_MAX      ((size_t)64 << 10)
#define SUGGEST_DISTANCE 2
#define SUGGEST_SHARE    4 /* one wrong character of so many: short names are near to anything */

struct flags {
    struct arena *mem;
    const struct flags_table *tables;
    size_t table_count;
    VEC(struct flags_value) values;
    VEC(const char *) args;
    const char *notices;
    bool wants_help;
};

/* The arguments not read yet. */
struct rest {
    const char *const *at;
    int len;
};

void flags_quote(struct sbuf *out, const char *text)
{
    static const char escapes[] = "a\ab\bf\fn\nr\rt\tv\v\"\"\\\\";
    sbuf_add_char(out, '"');
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        const char *found = NULL;
        for (const char *pair = escapes; *pair && !found; pair += 2)
            found = (unsigned char)pair[1] == *at ? pair : NULL;
        if (found) {
            sbuf_add_char(out, '\\');
            sbuf_add_char(out, *found);
        } else if (*at < 0x20 || *at == 0x7f) {
            sbuf_addf(out, "\\x%02x", *at);
        } else {
            sbuf_add_char(out, (char)*at);
        }
    }
    sbuf_add_char(out, '"');
}

const struct flags_spec *flags_find(const struct flags_table *tables, size_t count,
                                    const char *name, size_t len)
{
    for (size_t t = 0; t < count; t++) {
        for (size_t i = 0; i < tables[t].len; i++) {
            const struct flags_spec *spec = &tables[t].at[i];
            if (strlen(spec->name) == len && !memcmp(spec->name, name, len))
                return spec;
        }
    }
    return NULL;
}

const struct flags_spec *flags_find_short(const struct flags_table *tables, size_t count,
                                          char shorthand)
{
    for (size_t t = 0; t < count; t++) {
        for (size_t i = 0; i < tables[t].len; i++) {
            if (shorthand && tables[t].at[i].shorthand == shorthand)
                return &tables[t].at[i];
        }
    }
    return NULL;
}

bool flags_stands_alone(const struct flags_spec *spec)
{
    return spec->type == FLAGS_BOOL || spec->type == FLAGS_COUNT;
}

static const char *value_alone(const struct flags_spec *spec)
{
    return spec->type == FLAGS_COUNT ? "+1" : "true";
}

struct flags *flags_new(struct arena *mem, const struct flags_table *tables, size_t count)
{
    struct flags *flags = arena_alloc(mem, sizeof(*flags));
    *flags = (struct flags){ .mem = mem, .tables = tables, .table_count = count, .notices = "" };
    for (size_t t = 0; t < count; t++) {
        for (size_t i = 0; i < tables[t].len; i++)
            flags_value_init(mem, vec_push(mem, &flags->values), &tables[t].at[i]);
    }
    return flags;
}

static struct flags_value *value_of(const struct flags *flags, const struct flags_spec *spec)
{
    for (size_t i = 0; i < flags->values.len; i++) {
        if (flags->values.at[i].spec == spec)
            return &flags->values.at[i];
    }
    return NULL;
}

static struct err *set(struct flags *flags, const struct flags_spec *spec, const char *text)
{
    struct err *e = flags_value_set(flags->mem, value_of(flags, spec), text);
    if (e) {
        SBUF(quoted, NOTICES_MAX);
        flags_quote(&quoted, text);
        const char shorthand[] = { '-', spec->shorthand, ',', ' ', '\0' };
        return err_wrap(e, "invalid argument %s for \"%s--%s\" flag", sbuf_text(&quoted),
                        spec->shorthand ? shorthand : "", spec->name);
    }
    if (spec->deprecated)
        flags->notices = arena_printf(flags->mem, "%sFlag --%s has been deprecated, %s\n",
                                      flags->notices, spec->name, spec->deprecated);
    return NULL;
}

static const char *take(struct rest *rest)
{
    rest->len--;
    return *rest->at++;
}

size_t flags_distance(const char *a, size_t len, const char *b)
{
    size_t row[FLAGS_DISTANCE_MAX + 1];
    size_t width = strlen(b);
    if (width > FLAGS_DISTANCE_MAX || len > FLAGS_DISTANCE_MAX)
        return FLAGS_DISTANCE_MAX;
    for (size_t i = 0; i <= width; i++)
        row[i] = i;
    for (size_t i = 1; i <= len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t above = row[j];
            size_t swapped = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = MIN_OF(swapped, MIN_OF(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[width];
}

/* The one that was meant, most likely: but for two characters, or what its name begins with; NULL if there is none. */
static const struct flags_spec *find_near(const struct flags *flags, const char *name, size_t len)
{
    const struct flags_spec *near = NULL;
    size_t most = MIN_OF(len / SUGGEST_SHARE, (size_t)SUGGEST_DISTANCE), best = most + 1;
    for (size_t i = 0; i < flags->values.len && most; i++) {
        const struct flags_spec *spec = flags->values.at[i].spec;
        size_t distance = flags_distance(name, len, spec->name);
        if (!strncmp(spec->name, name, len))
            distance = MIN_OF(distance, most);
        if (distance >= best || spec->deprecated || spec->is_hidden)
            continue;
        near = spec;
        best = distance;
    }
    return near;
}

static struct err *unknown(const struct flags *flags, const char *name, size_t len)
{
    const struct flags_spec *near = find_near(flags, name, len);
    if (near)
        return err_new(ERR_INVALID, "unknown flag: --%.*s (did you mean --%s?)", (int)len, name,
                       near->name);
    return err_new(ERR_INVALID, "unknown flag: --%.*s", (int)len, name);
}

static struct err *parse_long(struct flags *flags, const char *word, struct rest *rest)
{
    const char *name = word + 2;
    if (*name == '-' || *name == '=')
        return err_new(ERR_INVALID, "bad flag syntax: %s", word);
    size_t len = strcspn(name, "=");
    const struct flags_spec *spec = flags_find(flags->tables, flags->table_count, name, len);
    if (!spec) {
        flags->wants_help = len == strlen("help") && !strncmp(name, "help", len);
        return flags->wants_help ? NULL : unknown(flags, name, len);
    }
    if (name[len] == '=')
        return set(flags, spec, name + len + 1);
    if (flags_stands_alone(spec))
        return set(flags, spec, value_alone(spec));
    if (rest->len == 0)
        return err_new(ERR_INVALID, "flag needs an argument: %s", word);
    return set(flags, spec, take(rest));
}

/* -abc: any number of flags that stand alone, then at most one that does not, with its value glued
 * on or following. */
static struct err *parse_short(struct flags *flags, const char *word, struct rest *rest)
{
    for (const char *at = word + 1; *at && !flags->wants_help; at++) {
        const struct flags_spec *spec = flags_find_short(flags->tables, flags->table_count, *at);
        if (!spec) {
            flags->wants_help = *at == 'h';
            if (!flags->wants_help)
                return err_new(ERR_INVALID, "unknown shorthand flag: '%c' in -%s", *at, at);
        } else if (at[1] == '=' && at[2]) {
            return set(flags, spec, at + 2);
        } else if (flags_stands_alone(spec)) {
            TRY(set(flags, spec, value_alone(spec)));
        } else if (at[1]) {
            return set(flags, spec, at + 1);
        } else if (rest->len == 0) {
            return err_new(ERR_INVALID, "flag needs an argument: '%c' in -%s", *at, at);
        } else {
            return set(flags, spec, take(rest));
        }
    }
    return NULL;
}

static struct err *parse_word(struct flags *flags, const char *word, struct rest *rest)
{
    if (word[0] != '-' || !word[1]) {
        *vec_push(flags->mem, &flags->args) = word;
        return NULL;
    }
    if (word[1] != '-')
        return parse_short(flags, word, rest);
    if (word[2])
        return parse_long(flags, word, rest);
    while (rest->len > 0) /* after -- */
        *vec_push(flags->mem, &flags->args) = take(rest);
    return NULL;
}

struct err *flags_parse(struct flags *flags, int argc, const char *const *argv)
{
    struct rest rest = { argv, argc };
    struct err *e = NULL;
    while (!e && rest.len > 0 && !flags->wants_help)
        e = parse_word(flags, take(&rest), &rest);
    return e;
}

struct err *flags_assign(struct flags *flags, const char *name, const char *text)
{
    const struct flags_spec *spec =
        flags_find(flags->tables, flags->table_count, name, strlen(name));
    ASSERT(spec);
    return set(flags, spec, text);
}

bool flags_wants_help(const struct flags *flags)
{
    return flags->wants_help;
}

const char *flags_notices(const struct flags *flags)
{
    return flags->notices;
}

size_t flags_arg_count(const struct flags *flags)
{
    return flags->args.len;
}

const char *flags_arg(const struct flags *flags, size_t at)
{
    return at < flags->args.len ? flags->args.at[at] : NULL;
}

static const struct flags_value *need(const struct flags *flags, const char *name)
{
    const struct flags_spec *spec =
        flags_find(flags->tables, flags->table_count, name, strlen(name));
    ASSERT(spec);
    return value_of(flags, spec);
}

static const struct flags_value *need_type(const struct flags *flags, const char *name,
                                           enum flags_type type)
{
    const struct flags_value *value = need(flags, name);
    ASSERT(value->spec->type == type);
    return value;
}

bool flags_given(const struct flags *flags, const char *name)
{
    return need(flags, name)->is_given;
}

bool flags_bool(const struct flags *flags, const char *name)
{
    return need_type(flags, name, FLAGS_BOOL)->number;
}

const char *flags_text(const struct flags *flags, const char *name)
{
    return need_type(flags, name, FLAGS_TEXT)->text;
}

int64_t flags_int(const struct flags *flags, const char *name)
{
    const struct flags_value *value = need(flags, name);
    enum flags_type type = value->spec->type;
    ASSERT(type == FLAGS_INT || type == FLAGS_UINT || type == FLAGS_COUNT);
    return value->number;
}

double flags_float(const struct flags *flags, const char *name)
{
    return need_type(flags, name, FLAGS_FLOAT)->real;
}

int64_t flags_ms(const struct flags *flags, const char *name)
{
    return need_type(flags, name, FLAGS_DURATION)->number;
}

const char *const *flags_list(const struct flags *flags, const char *name, size_t *len)
{
    const struct flags_value *value = need(flags, name);
    ASSERT(value->spec->type == FLAGS_LIST || value->spec->type == FLAGS_MAP);
    if (len)
        *len = value->words.len;
    return value->words.at;
}

const char *flags_idle(const struct flags *flags, size_t at)
{
    for (size_t i = 0; i < flags->values.len; i++) {
        const struct flags_value *value = &flags->values.at[i];
        if (value->is_given && value->spec->has_no_effect && at-- == 0)
            return value->spec->name;
    }
    return NULL;
}
