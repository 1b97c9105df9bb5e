/* cmd/flags.h - command line flags from tables, as Go's pflag (of fluxd and fluxctl) reads them.
 * Effects:   none. What a deprecated flag has to say is collected for the caller to print.
 * Ownership: everything is in the caller's arena; tables and arguments are borrowed and outlive
 *            the flags.
 * Units:     durations in milliseconds.
 * Errors:    ERR_INVALID with pflag's own texts; after that for an unknown flag, the one that was probably meant.
 *
 * Syntax: --f value, --f=value, --bool, --bool=false, -f value, -fvalue, -f=value, -abc, -vv;
 * `--` ends the flags. Lists are split as CSV; the first use replaces the default, later ones
 * append. Reference: gitops.md 0.3, 1.1, 7.1. */
#ifndef SERIN_CMD_FLAGS_H
#define SERIN_CMD_FLAGS_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/sbuf.h"

enum flags_type {
    FLAGS_BOOL,
    FLAGS_TEXT,
    FLAGS_INT,
    FLAGS_UINT,
    FLAGS_FLOAT,
    FLAGS_DURATION,
    FLAGS_LIST,  /* CSV */
    FLAGS_MAP,   /* k=v,k=v */
    FLAGS_COUNT, /* -vv */
};

struct flags_spec {
    const char *name;
    enum flags_type type;
    char shorthand;         /* 0: none */
    const char *initial;    /* the default as one would type it; NULL: nothing, 0 or false */
    const char *usage;      /* a word in `backquotes` names the value */
    const char *deprecated; /* what to use instead: hides the flag, and using it prints a line */
    bool is_hidden;
    bool has_no_effect; /* taken for compatibility's sake; see docs/reference-flags.md */
};

struct flags_table {
    const char *title; /* over the table in a usage text */
    const struct flags_spec *at;
    size_t len;
};

#define FLAGS_TABLE(heading, specs) \
    ((struct flags_table){ .title = (heading), .at = (specs), .len = ARRAY_LEN(specs) })

struct flags;

struct flags *flags_new(struct arena *mem, const struct flags_table *tables, size_t count);

/* Reads argv[0] to argv[argc-1]; what is no flag is an argument, wherever it stands. --help and -h
 * end it at once, unless a table has them. */
MUST_USE struct err *flags_parse(struct flags *flags, int argc, const char *const *argv);

/* What a use on the command line would do: for values from elsewhere (the environment). */
MUST_USE struct err *flags_assign(struct flags *flags, const char *name, const char *text);

bool flags_wants_help(const struct flags *flags);
const char *
flags_notices(const struct flags *flags); /* "Flag --x has been deprecated, …\n" lines, or "" */

size_t flags_arg_count(const struct flags *flags);
const char *flags_arg(const struct flags *flags, size_t at); /* NULL past the last */

/* Values by name; a name or type that no table has is a bug and aborts. */
bool flags_given(const struct flags *flags, const char *name);
bool flags_bool(const struct flags *flags, const char *name);
const char *flags_text(const struct flags *flags, const char *name); /* never NULL */
int64_t flags_int(const struct flags *flags, const char *name);      /* INT, UINT, COUNT */
double flags_float(const struct flags *flags, const char *name);
int64_t flags_ms(const struct flags *flags, const char *name);
/* NULL-terminated texts of a list, or k=v texts of a map; `len` may be NULL. */
const char *const *flags_list(const struct flags *flags, const char *name, size_t *len);

/* The at-th flag with `has_no_effect` that was given, in the order of the tables; NULL past the
 * last. */
const char *flags_idle(const struct flags *flags, size_t at);

/* A spec by name or shorthand, NULL if no table has it. */
const struct flags_spec *flags_find(const struct flags_table *tables, size_t count,
                                    const char *name, size_t len);
const struct flags_spec *flags_find_short(const struct flags_table *tables, size_t count,
                                          char shorthand);
/* True for flags that stand alone: --verbose, -v. */
bool flags_stands_alone(const struct flags_spec *spec);

/* One line per flag that is not hidden, in order of name, in pflag's columns. */
void flags_usage(const struct flags_table *table, struct sbuf *out);
/* The same for several tables in one block, sorted together. */
void flags_usage_all(const struct flags_table *tables, size_t count, struct sbuf *out);

/* Levenshtein's distance of short names, in bytes; `a` has `len`. FLAGS_DISTANCE_MAX where one is longer than that. */
#define FLAGS_DISTANCE_MAX 48
size_t flags_distance(const char *a, size_t len, const char *b);

/* A text in double quotes as Go's %q writes it. */
void flags_quote(struct sbuf *out, const char *text);

#endif
