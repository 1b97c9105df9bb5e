#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "cmd/flags.h"
#include "cmd/flags_value.h"

#define LINE_MAX_BYTES ((size_t)8 << 10)

static const char *type_word(enum flags_type type)
{
    switch (type) {
    case FLAGS_BOOL: return "";
    case FLAGS_TEXT: return "string";
    case FLAGS_INT: return "int";
    case FLAGS_UINT: return "uint";
    case FLAGS_FLOAT: return "float";
    case FLAGS_DURATION: return "duration";
    case FLAGS_LIST: return "strings";
    case FLAGS_MAP: return "stringToString";
    case FLAGS_COUNT: return "count";
    }
    return "";
}

/* "  -l, --listen string": the left column. */
static void add_left(const struct flags_spec *spec, struct sbuf *out)
{
    if (spec->shorthand)
        sbuf_addf(out, "  -%c, --%s", spec->shorthand, spec->name);
    else
        sbuf_addf(out, "      --%s", spec->name);
    const char *open = strchr(spec->usage, '`');
    const char *close = open ? strchr(open + 1, '`') : NULL;
    const char *word = close ? open + 1 : type_word(spec->type);
    size_t len = close ? (size_t)(close - word) : strlen(word);
    if (len) {
        sbuf_add_char(out, ' ');
        sbuf_add_bytes(out, word, len);
    }
}

/* The usage without its backquotes, and the default. */
static void add_right(const struct flags_spec *spec, struct sbuf *out)
{
    const char *open = strchr(spec->usage, '`');
    const char *close = open ? strchr(open + 1, '`') : NULL;
    if (close) {
        sbuf_add_bytes(out, spec->usage, (size_t)(open - spec->usage));
        sbuf_add_bytes(out, open + 1, (size_t)(close - open - 1));
        sbuf_add(out, close + 1);
    } else {
        sbuf_add(out, spec->usage);
    }
    SBUF(initial, LINE_MAX_BYTES);
    if (flags_value_show_default(spec, &initial))
        sbuf_addf(out, " (default %s)", sbuf_text(&initial));
}

struct shown {
    const struct flags_spec *spec;
};

static int by_name(const void *a, const void *b)
{
    const struct shown *left = a, *right = b;
    return strcmp(left->spec->name, right->spec->name);
}

void flags_usage_all(const struct flags_table *tables, size_t count, struct sbuf *out)
{
    VEC(struct shown) shown = { 0 };
    size_t widest = 0;
    for (size_t t = 0; t < count; t++) {
        for (size_t i = 0; i < tables[t].len; i++) {
            const struct flags_spec *spec = &tables[t].at[i];
            if (spec->deprecated || spec->is_hidden)
                continue;
            SBUF(left, LINE_MAX_BYTES);
            add_left(spec, &left);
            widest = MAX_OF(widest, left.len);
            vec_push(NULL, &shown)->spec = spec;
        }
    }
    if (shown.len)
        qsort(shown.at, shown.len, sizeof(*shown.at), by_name);
    for (size_t i = 0; i < shown.len; i++) {
        SBUF(left, LINE_MAX_BYTES);
        SBUF(right, LINE_MAX_BYTES);
        add_left(shown.at[i].spec, &left);
        add_right(shown.at[i].spec, &right);
        sbuf_addf(out, "%-*s   %s\n", (int)widest, sbuf_text(&left), sbuf_text(&right));
    }
    vec_fini(&shown);
}

void flags_usage(const struct flags_table *table, struct sbuf *out)
{
    flags_usage_all(table, 1, out);
}
