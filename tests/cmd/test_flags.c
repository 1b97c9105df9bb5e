#include <string.h>

#include "../rows.h"

#include "cmd/flags.h"

/* clang-format off */
static const struct flags_spec some[] = {
    { .name = "listen", .type = FLAGS_TEXT, .shorthand = 'l', .initial = ":3030", .usage = "where to listen" },
    { .name = "readonly", .type = FLAGS_BOOL, .shorthand = 'r', .usage = "never push" },
    { .name = "notes", .type = FLAGS_BOOL, .initial = "true", .usage = "write notes" },
    { .name = "path", .type = FLAGS_LIST, .shorthand = 'p', .usage = "what to read" },
    { .name = "exclude", .type = FLAGS_LIST, .initial = "a/*,b", .usage = "what not to read" },
    { .name = "every", .type = FLAGS_DURATION, .initial = "5m", .usage = "how often" },
    { .name = "port", .type = FLAGS_INT, .initial = "11211", .usage = "`number` of the port" },
    { .name = "bits", .type = FLAGS_UINT, .usage = "size of the key" },
    { .name = "rps", .type = FLAGS_FLOAT, .initial = "50", .usage = "speed" },
    { .name = "verbose", .type = FLAGS_COUNT, .shorthand = 'v', .usage = "say more" },
    { .name = "labels", .type = FLAGS_MAP, .initial = "app=flux", .usage = "labels" },
    { .name = "old", .type = FLAGS_TEXT, .deprecated = "use --new", .usage = "as --new" },
    { .name = "secret", .type = FLAGS_TEXT, .is_hidden = true, .usage = "not shown" },
    { .name = "idle", .type = FLAGS_TEXT, .has_no_effect = true, .usage = "does nothing" },
    { .name = "empty", .type = FLAGS_TEXT, .usage = "no default" },
};
/* clang-format on */
static const struct flags_table some_table = { .at = some, .len = ARRAY_LEN(some) };

#define WORDS_MAX 8

/* What one command line gives: the flag's value as text, or an error, or what is left over. */
static const struct flags_case {
    const char *name;
    const char *words[WORDS_MAX];
    const char *flag, *value; /* value of the flag, lists joined with | */
    const char *error, *args, *notices;
} flags_cases[] = {
    { "a default is there without a use", { NULL }, "listen", ":3030", NULL, NULL, NULL },
    { "a value follows in the next word", { "--listen", ":1" }, "listen", ":1", NULL, NULL, NULL },
    { "a value follows an equals sign", { "--listen=:1=2" }, "listen", ":1=2", NULL, NULL, NULL },
    { "a value may be empty", { "--listen=" }, "listen", "", NULL, NULL, NULL },
    { "a value may look like a flag",
      { "--listen", "--readonly" },
      "listen",
      "--readonly",
      NULL,
      NULL,
      NULL },
    { "the last use of a text wins",
      { "--listen=a", "--listen=b" },
      "listen",
      "b",
      NULL,
      NULL,
      NULL },
    { "a shorthand takes the next word", { "-l", "x" }, "listen", "x", NULL, NULL, NULL },
    { "a shorthand takes what is glued on", { "-lx" }, "listen", "x", NULL, NULL, NULL },
    { "a shorthand takes what is after an equals sign",
      { "-l=x" },
      "listen",
      "x",
      NULL,
      NULL,
      NULL },
    { "shorthands that stand alone go together", { "-rvl", "x" }, "listen", "x", NULL, NULL, NULL },
    { "a boolean stands alone", { "--readonly" }, "readonly", "true", NULL, NULL, NULL },
    { "a boolean does not take the next word",
      { "--readonly", "false" },
      "readonly",
      "true",
      NULL,
      "false",
      NULL },
    { "a boolean takes a value after an equals sign",
      { "--notes=F" },
      "notes",
      "false",
      NULL,
      NULL,
      NULL },
    { "a boolean knows one letter", { "--readonly=t" }, "readonly", "true", NULL, NULL, NULL },
    { "a short boolean takes a value", { "-r=false" }, "readonly", "false", NULL, NULL, NULL },
    { "a boolean refuses other words",
      { "--readonly=yes" },
      NULL,
      NULL,
      "invalid argument \"yes\" for \"-r, --readonly\" flag: strconv.ParseBool: parsing \"yes\": "
      "invalid syntax",
      NULL,
      NULL },
    { "a list is split at commas", { "--path=a,b" }, "path", "a|b", NULL, NULL, NULL },
    { "the first use of a list replaces the default",
      { "--exclude=c" },
      "exclude",
      "c",
      NULL,
      NULL,
      NULL },
    { "later uses of a list append",
      { "--exclude=c", "--exclude", "d,e" },
      "exclude",
      "c|d|e",
      NULL,
      NULL,
      NULL },
    { "an empty use empties a list", { "--exclude=" }, "exclude", "", NULL, NULL, NULL },
    { "a list reads quotes as CSV does",
      { "--path=\"a,b\",\"c\"\"d\"" },
      "path",
      "a,b|c\"d",
      NULL,
      NULL,
      NULL },
    { "a list keeps an empty end", { "--path=a," }, "path", "a|", NULL, NULL, NULL },
    { "a list refuses a quote inside a word",
      { "--path=a\"b" },
      NULL,
      NULL,
      "invalid argument \"a\\\"b\" for \"-p, --path\" flag: parse error on line 1, column 2: bare "
      "\" in non-quoted field",
      NULL,
      NULL },
    { "a list refuses text after a quote",
      { "--path=\"a\"b" },
      NULL,
      NULL,
      "invalid argument \"\\\"a\\\"b\" for \"-p, --path\" flag: parse error on line 1, column 3: "
      "extraneous or missing \" "
      "in quoted-field",
      NULL,
      NULL },
    { "a list refuses a quote without end",
      { "--path=\"a" },
      NULL,
      NULL,
      "invalid argument \"\\\"a\" for \"-p, --path\" flag: parse error on line 1, column 3: "
      "extraneous or missing \" in "
      "quoted-field",
      NULL,
      NULL },
    { "a duration is read as Go reads it",
      { "--every=1h30m" },
      "every",
      "5400000",
      NULL,
      NULL,
      NULL },
    { "a duration that is none is refused",
      { "--every=often" },
      NULL,
      NULL,
      "invalid argument \"often\" for \"--every\" flag: time: invalid duration \"often\"",
      NULL,
      NULL },
    { "a duration needs a unit",
      { "--every=5" },
      NULL,
      NULL,
      "invalid argument \"5\" for \"--every\" flag: time: missing unit in duration \"5\"",
      NULL,
      NULL },
    { "a number may be hexadecimal", { "--port=0x10" }, "port", "16", NULL, NULL, NULL },
    { "a number may be negative", { "--port", "-5" }, "port", "-5", NULL, NULL, NULL },
    { "a number refuses words",
      { "--port=many" },
      NULL,
      NULL,
      "invalid argument \"many\" for \"--port\" flag: strconv.ParseInt: parsing \"many\": invalid "
      "syntax",
      NULL,
      NULL },
    { "a number refuses a blank before it",
      { "--port= 1" },
      NULL,
      NULL,
      "invalid argument \" 1\" for \"--port\" flag: strconv.ParseInt: parsing \" 1\": invalid "
      "syntax",
      NULL,
      NULL },
    { "a number that is too big is refused",
      { "--port=9223372036854775808" },
      NULL,
      NULL,
      "invalid argument \"9223372036854775808\" for \"--port\" flag: strconv.ParseInt: parsing "
      "\"9223372036854775808\": "
      "value out of range",
      NULL,
      NULL },
    { "an unsigned number refuses a sign",
      { "--bits=-1" },
      NULL,
      NULL,
      "invalid argument \"-1\" for \"--bits\" flag: strconv.ParseUint: parsing \"-1\": invalid "
      "syntax",
      NULL,
      NULL },
    { "a float refuses words",
      { "--rps=fast" },
      NULL,
      NULL,
      "invalid argument \"fast\" for \"--rps\" flag: strconv.ParseFloat: parsing \"fast\": invalid "
      "syntax",
      NULL,
      NULL },
    { "a count counts its uses", { "-vv", "--verbose" }, "verbose", "3", NULL, NULL, NULL },
    { "a count takes a number", { "--verbose=2" }, "verbose", "2", NULL, NULL, NULL },
    { "a map replaces its default", { "--labels=a=b" }, "labels", "a=b", NULL, NULL, NULL },
    { "a map takes several pairs", { "--labels=a=b,c=d" }, "labels", "a=b|c=d", NULL, NULL, NULL },
    { "a map keeps commas of a single pair",
      { "--labels=a=b,c" },
      "labels",
      "a=b,c",
      NULL,
      NULL,
      NULL },
    { "a map refuses a word that is no pair",
      { "--labels=a" },
      NULL,
      NULL,
      "invalid argument \"a\" for \"--labels\" flag: a must be formatted as key=value",
      NULL,
      NULL },
    { "a map refuses one bad pair among good ones",
      { "--labels=a=b,c,d=e" },
      NULL,
      NULL,
      "invalid argument \"a=b,c,d=e\" for \"--labels\" flag: c must be formatted as key=value",
      NULL,
      NULL },
    { "a deprecated flag works and says so",
      { "--old=x" },
      "old",
      "x",
      NULL,
      NULL,
      "Flag --old has been deprecated, use --new\n" },
    { "a deprecated flag says so at each use",
      { "--old=x", "--old=y" },
      "old",
      "y",
      NULL,
      NULL,
      "Flag --old has been deprecated, use --new\nFlag --old has been deprecated, use --new\n" },
    { "an unknown flag is refused",
      { "--no-such-flag" },
      NULL,
      NULL,
      "unknown flag: --no-such-flag",
      NULL,
      NULL },
    { "an unknown flag is named without its value",
      { "--nope=1" },
      NULL,
      NULL,
      "unknown flag: --nope",
      NULL,
      NULL },
    { "the beginning of a name is not enough",
      { "--list=a" },
      NULL,
      NULL,
      "unknown flag: --list (did you mean --listen?)",
      NULL,
      NULL },
    { "an unknown shorthand is refused",
      { "-x" },
      NULL,
      NULL,
      "unknown shorthand flag: 'x' in -x",
      NULL,
      NULL },
    { "an unknown shorthand among others is named",
      { "-rxv" },
      NULL,
      NULL,
      "unknown shorthand flag: 'x' in -xv",
      NULL,
      NULL },
    { "a flag at the end wants its value",
      { "--listen" },
      NULL,
      NULL,
      "flag needs an argument: --listen",
      NULL,
      NULL },
    { "a shorthand at the end wants its value",
      { "-rl" },
      NULL,
      NULL,
      "flag needs an argument: 'l' in -l",
      NULL,
      NULL },
    { "three dashes are bad",
      { "---listen" },
      NULL,
      NULL,
      "bad flag syntax: ---listen",
      NULL,
      NULL },
    { "a flag without a name is bad", { "--=x" }, NULL, NULL, "bad flag syntax: --=x", NULL, NULL },
    { "arguments may stand anywhere",
      { "a", "--readonly", "b" },
      "readonly",
      "true",
      NULL,
      "a|b",
      NULL },
    { "two dashes end the flags",
      { "a", "--", "--readonly", "-l" },
      "readonly",
      "false",
      NULL,
      "a|--readonly|-l",
      NULL },
    { "a single dash is an argument", { "-" }, "readonly", "false", NULL, "-", NULL },
    { "an empty word is an argument", { "" }, "readonly", "false", NULL, "", NULL },
};

static int count_words(const char *const *words)
{
    int count = 0;
    while (count < WORDS_MAX && words[count])
        count++;
    return count;
}

static void join(struct sbuf *out, const char *word, size_t at)
{
    sbuf_addf(out, "%s%s", at ? "|" : "", word);
}

static void add_value(struct sbuf *out, const struct flags *flags, const char *name)
{
    const struct flags_spec *spec = flags_find(&some_table, 1, name, strlen(name));
    assert_non_null(spec);
    switch (spec->type) {
    case FLAGS_BOOL: sbuf_add(out, flags_bool(flags, name) ? "true" : "false"); break;
    case FLAGS_TEXT: sbuf_add(out, flags_text(flags, name)); break;
    case FLAGS_INT:
    case FLAGS_UINT:
    case FLAGS_COUNT: sbuf_addf(out, "%lld", (long long)flags_int(flags, name)); break;
    case FLAGS_FLOAT: sbuf_addf(out, "%g", flags_float(flags, name)); break;
    case FLAGS_DURATION: sbuf_addf(out, "%lld", (long long)flags_ms(flags, name)); break;
    case FLAGS_LIST:
    case FLAGS_MAP: {
        size_t len = 0;
        const char *const *words = flags_list(flags, name, &len);
        for (size_t i = 0; i < len; i++)
            join(out, words[i], i);
        assert_null(words[len]);
        break;
    }
    }
}

static void command_line_gives(void **state)
{
    const struct flags_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(1 << 20);
    struct flags *flags = flags_new(mem, &some_table, 1);
    SCOPED(err_free) struct err *e = flags_parse(flags, count_words(row->words), row->words);
    assert_string_equal(err_text(e), row->error ? row->error : "");
    assert_string_equal(flags_notices(flags), row->notices ? row->notices : "");
    if (row->error) {
        assert_true(err_is(e, ERR_INVALID));
        return;
    }
    SBUF(value, 4096);
    SBUF(args, 4096);
    add_value(&value, flags, row->flag);
    for (size_t i = 0; i < flags_arg_count(flags); i++)
        join(&args, flags_arg(flags, i), i);
    assert_string_equal(sbuf_text(&value), row->value);
    assert_string_equal(sbuf_text(&args), row->args ? row->args : "");
}

static void help_is_wanted_by_both_spellings(void **state)
{
    (void)state;
    static const char *const lines[][2] = { { "--help", "--nope" },
                                            { "-h", "--nope" },
                                            { "-rh", "--nope" } };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        SCOPED(arena_free) struct arena *mem = arena_new(1 << 20);
        struct flags *flags = flags_new(mem, &some_table, 1);
        SCOPED(err_free) struct err *e = flags_parse(flags, 2, lines[i]);
        assert_null(e);
        assert_true(flags_wants_help(flags));
    }
}

static void idle_flags_are_listed_when_they_are_given(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(1 << 20);
    struct flags *flags = flags_new(mem, &some_table, 1);
    assert_null(flags_idle(flags, 0));
    SCOPED(err_free)
    struct err *e = flags_parse(flags, 2, (const char *const[]){ "--idle=x", "-r" });
    assert_null(e);
    assert_string_equal(flags_idle(flags, 0), "idle");
    assert_null(flags_idle(flags, 1));
    assert_true(flags_given(flags, "idle"));
    assert_false(flags_given(flags, "empty"));
}

static void usage_has_the_columns_of_pflag(void **state)
{
    (void)state;
    SBUF(out, 8192);
    flags_usage(&some_table, &out);
    assert_string_equal(sbuf_text(&out),
                        "      --bits uint               size of the key\n"
                        "      --empty string            no default\n"
                        "      --every duration          how often (default 5m0s)\n"
                        "      --exclude strings         what not to read (default [a/*,b])\n"
                        "      --idle string             does nothing\n"
                        "      --labels stringToString   labels (default [app=flux])\n"
                        "  -l, --listen string           where to listen (default \":3030\")\n"
                        "      --notes                   write notes (default true)\n"
                        "  -p, --path strings            what to read\n"
                        "      --port number             number of the port (default 11211)\n"
                        "  -r, --readonly                never push\n"
                        "      --rps float               speed (default 50)\n"
                        "  -v, --verbose count           say more\n");
}

static void quoting_escapes_what_go_escapes(void **state)
{
    (void)state;
    SBUF(out, 256);
    flags_quote(&out, "a\"b\\c\n\t\x01\xc3\xa9");
    assert_string_equal(sbuf_text(&out), "\"a\\\"b\\\\c\\n\\t\\x01\xc3\xa9\"");
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(help_is_wanted_by_both_spellings), SINGLE(idle_flags_are_listed_when_they_are_given),
        SINGLE(usage_has_the_columns_of_pflag),   SINGLE(quoting_escapes_what_go_escapes),
        ROWS(flags_cases, command_line_gives),
    };
    return rows_run("flags", tests, ARRAY_LEN(tests));
}
