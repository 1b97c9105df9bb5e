/* The command line of `serin canary`: Go's flag syntax, Flagger's flags and variables. */
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "cmd/canary_check.h"
#include "cmd/canary_config.h"
#include "cmd/canary_flags.h"
#include "cmd/goflags.h"
#include "program.h"

#define WORDS_MAX 8

/* -- Go's syntax ---------------------------------------------------------------------------------- */

/* What a command line is spelled out as, words joined with |, or the error. */
static const struct spell_case {
    const char *name;
    const char *words[WORDS_MAX];
    const char *spelled, *error;
} spell_cases[] = {
    /* clang-format off */
    { "no words are no words", { NULL }, "", NULL },
    { "one dash is as good as two", { "-port=1", "--namespace=a" }, "--port=1|--namespace=a", NULL },
    { "a value follows in the next word", { "-port", "1", "-namespace", "a" }, "--port=1|--namespace=a", NULL },
    { "a value may begin with a dash", { "-slack-channel", "-x" }, "--slack-channel=-x", NULL },
    { "a value may be empty", { "-event-webhook", "" }, "--event-webhook=", NULL },
    { "a value may hold an equals sign", { "-metrics-server=http://a?b=c" }, "--metrics-server=http://a?b=c", NULL },
    { "a boolean stands alone", { "-enable-config-tracking", "-port", "1" }, "--enable-config-tracking|--port=1", NULL },
    { "a boolean takes its value after an equals sign", { "-enable-config-tracking=false" }, "--enable-config-tracking=false", NULL },
    { "the word behind a boolean is none of it", { "-version", "false", "-port" }, "--version|--|false|-port", NULL },
    { "klog's flags are known", { "-v=4", "-logtostderr=true", "-log_dir", "/x" }, "--v=4|--logtostderr=true|--log_dir=/x", NULL },
    { "help has three names", { "-h", "-help", "--help" }, "--help|--help|--help", NULL },
    { "two dashes alone end the flags", { "-port=1", "--", "-x" }, "--port=1|--|-x", NULL },
    { "a dash alone is no flag", { "-", "-port=1" }, "--|-|-port=1", NULL },
    { "an unknown flag has Go's text", { "-nonsense=1" }, NULL, "flag provided but not defined: -nonsense" },
    { "a missing value has Go's text", { "-port" }, NULL, "flag needs an argument: -port" },
    { "three dashes are too many", { "---port=1" }, NULL, "bad flag syntax: ---port=1" },
    { "a name is needed", { "-=1" }, NULL, "bad flag syntax: -=1" },
    /* clang-format on */
};

static void is_spelled_out(void **state)
{
    const struct spell_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(1 << 20);
    struct goflags words = { .at = (const char **)row->words };
    while (row->words[words.len])
        words.len++;
    SCOPED(err_free)
    struct err *e = goflags_spell_out(mem, canary_flags_tables, CANARY_FLAGS_TABLES, &words);
    if (row->error) {
        assert_string_equal(err_text(e), row->error);
        return;
    }
    assert_null(e);
    SBUF(joined, 4096);
    for (int i = 0; i < words.len; i++)
        sbuf_addf(&joined, "%s%s", i ? "|" : "", words.at[i]);
    assert_string_equal(sbuf_text(&joined), row->spelled);
}

/* -- what flags and environment come to ------------------------------------------------------------- */

static void read_config(struct arena *mem, int len, const char *const *words,
                        struct canary_config *out)
{
    struct flags *flags = flags_new(mem, canary_flags_tables, CANARY_FLAGS_TABLES);
    assert_null(flags_parse(flags, len, words));
    canary_config_read(mem, flags, out);
}

static void defaults_are_flaggers(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(1 << 20);
    struct canary_config config;
    read_config(mem, 0, NULL, &config);
    assert_string_equal(config.settings.mesh_provider, "istio");
    assert_string_equal(config.settings.metrics_server, "http://prometheus:9090");
    assert_string_equal(config.settings.selector_labels[0], "app");
    assert_string_equal(config.settings.selector_labels[1], "name");
    assert_string_equal(config.settings.selector_labels[2], "app.kubernetes.io/name");
    assert_null(config.settings.selector_labels[3]);
    assert_null(config.settings.include_label_prefixes[0]);
    assert_string_equal(config.settings.ingress_prefix, "nginx.ingress.kubernetes.io");
    assert_true(config.settings.tracks_configs);
    assert_false(config.settings.no_cross_namespace);
    assert_false(config.has_notifier);
    assert_null(config.notifier_fault);
    assert_string_equal(config.event_webhook, "");
    assert_null(config.mesh_kubeconfig);
}

static void lists_are_split_at_commas_alone(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(1 << 20);
    struct canary_config config;
    read_config(mem, 1, (const char *const[]){ "--include-label-prefix=a, b,,\"c,d\"" }, &config);
    const char *const expected[] = { "a", " b", "", "\"c", "d\"", NULL };
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        if (!expected[i])
            assert_null(config.settings.include_label_prefixes[i]);
        else
            assert_string_equal(config.settings.include_label_prefixes[i], expected[i]);
    }
}

static void slack_wants_a_channel(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(1 << 20);
    struct canary_config config;
    read_config(mem, 1, (const char *const[]){ "--slack-url=https://s" }, &config);
    assert_false(config.has_notifier);
    assert_string_equal(config.notifier_fault, "Notifier empty Slack channel");
    read_config(
        mem, 3,
        (const char *const[]){ "--slack-url=https://s", "--slack-channel=c", "--slack-token=t" },
        &config);
    assert_true(config.has_notifier);
    assert_string_equal(config.notifier.type, "slack");
    assert_string_equal(config.notifier.channel, "c");
    assert_string_equal(config.notifier.token, "t");
    assert_string_equal(config.notifier.username, "flagger");
}

static void teams_takes_the_place_of_slack(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(1 << 20);
    struct canary_config config;
    read_config(mem, 2, (const char *const[]){ "--slack-url=https://s", "--msteams-url=https://m" },
                &config);
    assert_true(config.has_notifier);
    assert_null(config.notifier_fault);
    assert_string_equal(config.notifier.type, "msteams");
    assert_string_equal(config.notifier.url, "https://m");
}

static void the_environment_goes_first(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(1 << 20);
    struct canary_config config;
    assert_int_equal(setenv("EVENT_WEBHOOK_URL", "http://env", 1), 0);
    assert_int_equal(setenv("SLACK_URL", "https://env", 1), 0);
    read_config(mem, 3,
                (const char *const[]){ "--event-webhook=http://flag", "--slack-url=https://flag",
                                       "--slack-channel=c" },
                &config);
    assert_int_equal(unsetenv("EVENT_WEBHOOK_URL"), 0);
    assert_int_equal(unsetenv("SLACK_URL"), 0);
    assert_string_equal(config.event_webhook, "http://env");
    assert_string_equal(config.notifier.url, "https://env");
}

/* -- the cluster ------------------------------------------------------------------------------------ */

static void old_servers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        bool is_fine;
    } cases[] = { { "v1.34.4", true },         { "v1.11.0", true },  { "1.30.1", true },
                  { "v1.27.3-gke.100", true }, { "v1.10.9", false }, { "v2.0.0", false },
                  { "v1.11.0-alpha.1", true }, { "", false },        { "nonsense", false },
                  { "v1.31+", true } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        SCOPED(err_free) struct err *e = canary_check_version(cases[i].version);
        if (cases[i].is_fine != !e)
            fail_msg("%s: %s", cases[i].version, err_text(e));
    }
    SCOPED(err_free) struct err *e = canary_check_version("v1.10.0");
    assert_string_equal(
        err_text(e), "Unsupported version of kubernetes detected.  Expected ^1.11.0, got v1.10.0");
}

/* -- the program ------------------------------------------------------------------------------------ */

static void run(struct arena *mem, const char *flag, struct program_result *out)
{
    const char *argv[] = { "serin", "canary", flag, NULL };
    program_run(mem, &(struct program_run){ .argv = argv }, out);
}

static void a_bad_line_is_answered_with_the_flags(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_result result;
    run(mem, "-nonsense", &result);
    assert_int_equal(result.status, 2);
    assert_ptr_equal(strstr(result.err, "flag provided but not defined: -nonsense\n"), result.err);
    assert_non_null(strstr(result.err, "--mesh-provider"));
    run(mem, "-kube-in-flight=0", &result);
    assert_int_equal(result.status, 2);
    assert_non_null(strstr(result.err, "-kube-in-flight has to be 1 to 256"));
    run(mem, "word", &result);
    assert_int_equal(result.status, 2);
    run(mem, "-help", &result);
    assert_int_equal(result.status, 0);
    assert_non_null(strstr(result.out, "--selector-labels"));
    run(mem, "-version", &result);
    assert_string_equal(result.out, SERIN_VERSION "\n");
}

static void the_place_of_other_programs_is_taken_by_name(void **state)
{
    static const struct {
        const char *name, *flag;
        int status;
        const char *says;
    } rows[] = {
        { "flagger", "-version", 0, SERIN_VERSION "\n" },
        { "./flagger", "-nonsense", 2, "flag provided but not defined: -nonsense\n" },
        { "./loadtester", "-nonsense", 2, "flag provided but not defined: -nonsense\n" },
        { "serin", "-version", 2, "Error: " },
    };
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *argv[] = { rows[i].name, rows[i].flag, NULL };
        struct program_result result;
        program_run(mem, &(struct program_run){ .argv = argv }, &result);
        const char *said = result.status ? result.err : result.out;
        if (result.status != rows[i].status ||
            strncmp(said, rows[i].says, strlen(rows[i].says)) != 0)
            fail_msg("%s %s: %d %s", rows[i].name, rows[i].flag, result.status, said);
    }
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(defaults_are_flaggers),
        SINGLE(lists_are_split_at_commas_alone),
        SINGLE(slack_wants_a_channel),
        SINGLE(teams_takes_the_place_of_slack),
        SINGLE(the_environment_goes_first),
        SINGLE(old_servers_are_refused),
        SINGLE(a_bad_line_is_answered_with_the_flags),
        SINGLE(the_place_of_other_programs_is_taken_by_name),
        ROWS(spell_cases, is_spelled_out),
    };
    return rows_run("canary", tests, ARRAY_LEN(tests));
}
