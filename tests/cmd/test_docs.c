#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/command.h"
#include "cmd/flags_value.h"
#include "cmd/fluxctl.h"
#include "program.h"

#define DOC_MAX_BYTES ((size_t)4 << 20)

static char *read_doc(struct arena *mem, const char *path)
{
    const char *whole = arena_printf(mem, "%s/%s", PROJECT, path);
    FILE *in = fopen(whole, "r");
    if (!in)
        print_error("%s is missing\n", whole);
    assert_non_null(in);
    char *text = arena_alloc(mem, DOC_MAX_BYTES);
    size_t len = fread(text, 1, DOC_MAX_BYTES - 1, in);
    assert_true(len > 0);
    fclose(in);
    return text;
}

/* -- docs/reference-flags.md ---------------------------------------------------------------------- */

static const char *type_name(enum flags_type type)
{
    switch (type) {
    case FLAGS_BOOL: return "bool";
    case FLAGS_TEXT: return "string";
    case FLAGS_INT: return "int";
    case FLAGS_UINT: return "uint";
    case FLAGS_FLOAT: return "float";
    case FLAGS_DURATION: return "duration";
    case FLAGS_LIST: return "strings";
    case FLAGS_MAP: return "map";
    case FLAGS_COUNT: return "count";
    }
    return "";
}

/* How a row of the page has to begin: | `--listen`, `-l` | string | `127.0.0.1:3030` | */
static const char *row_of(struct arena *mem, const struct flags_spec *spec)
{
    SBUF(initial, 4096);
    const char *shorthand = spec->shorthand ? arena_printf(mem, ", `-%c`", spec->shorthand) : "";
    if (!flags_value_show_default(spec, &initial))
        return arena_printf(mem, "| `--%s`%s | %s |  | ", spec->name, shorthand,
                            type_name(spec->type));
    char *shown = arena_strdup(mem, sbuf_text(&initial));
    size_t len = strlen(shown);
    if (*shown == '"' || *shown == '[') {
        shown[len - 1] = '\0';
        shown++;
    }
    return arena_printf(mem, "| `--%s`%s | %s | `%s` | ", spec->name, shorthand,
                        type_name(spec->type), shown);
}

/* The part of the page from a heading to the next one of its kind. */
static char *section_of(struct arena *mem, const char *page, const char *heading)
{
    const char *start = strstr(page, arena_printf(mem, "\n## %s\n", heading));
    if (!start)
        print_error("docs/reference-flags.md has no section %s\n", heading);
    assert_non_null(start);
    const char *end = strstr(start + 4, "\n## ");
    return arena_strndup(mem, start, end ? (size_t)(end - start) : strlen(start));
}

static size_t count_rows(const char *section)
{
    size_t count = 0;
    for (const char *at = section; (at = strstr(at, "\n| `--")); at++)
        count++;
    return count;
}

static void check_section(struct arena *mem, const char *section, const struct flags_table *tables,
                          size_t count)
{
    size_t expected = 0;
    for (size_t t = 0; t < count; t++) {
        for (size_t i = 0; i < tables[t].len; i++) {
            const struct flags_spec *spec = &tables[t].at[i];
            if (!strcmp(spec->name, "help"))
                continue;
            const char *row = row_of(mem, spec);
            const char *found = strstr(section, row);
            if (!found)
                print_error("docs/reference-flags.md has no row that begins with %s\n", row);
            assert_non_null(found);
            if (strstr(found + strlen(row), "|") == found + strlen(row))
                fail_msg("docs/reference-flags.md does not say what --%s means", spec->name);
            if (spec->deprecated &&
                !strstr(found, arena_printf(mem, "deprecated (%s)", spec->deprecated)))
                fail_msg("docs/reference-flags.md does not say that --%s is deprecated",
                         spec->name);
            expected++;
        }
    }
    assert_int_equal(count_rows(section), expected);
}

static void every_flag_has_its_row_and_every_row_its_flag(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    const char *page = read_doc(mem, "docs/reference-flags.md");
    struct command_call call = { .mem = mem, .program = "serin", .face = COMMAND_SERIN };
    const struct command *command = NULL;
    for (size_t i = 0; (command = command_at(COMMAND_SERIN, i)); i++) {
        struct flags_table tables[COMMAND_TABLES_MAX];
        size_t count = command_tables(mem, &call, command, tables);
        check_section(mem, section_of(mem, page, arena_printf(mem, "`serin %s`", command->name)),
                      tables, count);
    }
    const struct flags_table globals = { .at = fluxctl_globals, .len = FLUXCTL_GLOBALS };
    check_section(mem, section_of(mem, page, "As `fluxctl`"), &globals, 1);
}

/* -- docs/man ------------------------------------------------------------------------------------- */

/* --git-url as a manual page spells it: \-\-git\-url */
static const char *man_spelling(struct arena *mem, const char *flag)
{
    SBUF(text, 1024);
    sbuf_add(&text, "\\-\\-");
    for (; *flag; flag++)
        sbuf_addf(&text, *flag == '-' ? "\\-" : "%c", *flag);
    return arena_strdup(mem, sbuf_text(&text));
}

static void every_command_has_a_manual_with_its_flags(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(256 << 20);
    struct command_call call = { .mem = mem, .program = "serin", .face = COMMAND_SERIN };
    const char *overview = read_doc(mem, "docs/man/serin.1");
    const struct command *command = NULL;
    for (size_t i = 0; (command = command_at(COMMAND_SERIN, i)); i++) {
        struct flags_table tables[COMMAND_TABLES_MAX];
        size_t count = command_tables(mem, &call, command, tables);
        const char *page = read_doc(mem, arena_printf(mem, "docs/man/serin-%s.1", command->name));
        const char *link = arena_printf(mem, ".BR serin\\-%s (1)",
                                        man_spelling(mem, command->name) + strlen("\\-\\-"));
        if (!strstr(overview, link))
            fail_msg("serin.1 does not name serin-%s(1)", command->name);
        for (size_t t = 0; t < count; t++) {
            for (size_t f = 0; f < tables[t].len; f++) {
                const struct flags_spec *spec = &tables[t].at[f];
                if (!spec->deprecated && !spec->has_no_effect && strcmp(spec->name, "help") &&
                    !strstr(page, man_spelling(mem, spec->name)))
                    fail_msg("serin-%s.1 does not have --%s", command->name, spec->name);
            }
        }
    }
}

static void manuals_are_well_formed(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_result result;
    if (access("/usr/bin/groff", X_OK))
        skip();
    const char *argv[] = { "bash", "-c", "groff -man -Tutf8 -ww -z '" PROJECT "'/docs/man/*.1",
                           NULL };
    program_run(mem, &(struct program_run){ .program = "/bin/bash", .argv = argv }, &result);
    assert_string_equal(result.err, "");
    assert_int_equal(result.status, 0);
}

/* -- docs/exit-codes.md: each line is run ---------------------------------------------------------- */

#define READY                                 \
    "*POST /api/flux/v9/git-repo-config 200 " \
    "{\"status\":\"ready\",\"remote\":{\"url\":\"u\",\"branch\":\"b\"}}\n"
#define SYNCED                                                                          \
    READY "*POST /api/flux/v9/update-manifests 200 \"id\"\n"                            \
          "*GET /api/flux/v6/jobs 200 "                                                 \
          "{\"StatusString\":\"succeeded\",\"Result\":{\"revision\":\"0123456789\"}}\n" \
          "*GET /api/flux/v6/sync 200 []\n"
#define WELL                         \
    "*GET /api/serin/v1/status 200 " \
    "{\"git\":{\"state\":\"ready\"},\"sync\":{\"head\":\"a\",\"applied\":\"a\"}}\n"
#define ILL \
    "*GET /api/serin/v1/status 200 {\"problems\":[{\"path\":\"a\",\"message\":\"a: bad\"}]}\n"
#define CLUSTER                                                                                   \
    "*GET /version 200 {\"gitVersion\":\"v1.34.4\"}\n"                                            \
    "*GET /api 200 "                                                                              \
    "{\"kind\":\"APIGroupDiscoveryList\",\"items\":[{\"metadata\":{},\"versions\":[{\"version\":" \
    "\"v1\","                                                                                     \
    "\"resources\":[{\"resource\":\"configmaps\",\"responseKind\":{\"version\":\"v1\",\"kind\":"  \
    "\"ConfigMap\"},\"scope\":"                                                                   \
    "\"Namespaced\",\"verbs\":[\"get\",\"patch\"]}]}]}]}\n"                                       \
    "*GET /apis 200 {\"kind\":\"APIGroupDiscoveryList\",\"items\":[]}\n"
#define KINDS                                                                    \
    "GET /apis/flagger.app/v1beta1/canaries?limit=1 200 {\"items\":[]}\n"        \
    "GET /apis/flagger.app/v1beta1/metrictemplates?limit=1 200 {\"items\":[]}\n" \
    "GET /apis/flagger.app/v1beta1/alertproviders?limit=1 200 {\"items\":[]}\n"
#define CHANGED(status)                                                                     \
    "*POST /api/flux/v9/update-manifests 200 \"id\"\n"                                      \
    "*GET /api/flux/v6/jobs 200 {\"StatusString\":\"" status                                \
    "\",\"Err\":\"no\",\"Result\":{\"revision\":\"0123456789\",\"result\":{\"a:deployment/" \
    "b\":{\"Status\":\"success\",\"PerContainer\":null}}}}\n"
#define RELEASED   CHANGED("succeeded") "*GET /api/flux/v6/sync 200 []\n"
#define OBJECT     "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"}}\n"
#define PATH_OF_IT "/api/v1/namespaces/default/configmaps/a"
#define NOBODY     "--url http://127.0.0.1:1 "

/* The command is a line for the shell, run in a directory with good.yaml, bad.yaml and a kubeconfig of the scripted server. */
static const struct exit_case {
    const char *command;
    int status;
    const char *line, *script;
} exit_cases[] = {
    /* clang-format off */
    { "serin run", 0, "$serin run --listen 127.0.0.1:0 2>log & until grep -q addr= log; do sleep 0.05; done; kill $!; wait $!", CLUSTER },
    { "serin run", 1, "$serin run --git-path=/absolute", "" },
    { "serin run", 2, "$serin run --no-such-flag", "" },
    { "serin canary", 0, "$serin canary -port 0 2>log & until grep -q 'Started operator workers' log; do sleep 0.05; done; kill $!; wait $!", CLUSTER KINDS },
    { "serin canary", 1, "$serin canary -port 0", CLUSTER },
    { "serin canary", 2, "$serin canary -no-such-flag", "" },
    { "serin diff", 0, "$serin diff good.yaml", CLUSTER "GET " PATH_OF_IT " 200 " OBJECT "PATCH " PATH_OF_IT " 200 " OBJECT },
    { "serin diff", 1, "$serin diff good.yaml", CLUSTER "GET " PATH_OF_IT " 404 {}\nPATCH " PATH_OF_IT " 201 " OBJECT },
    { "serin diff", 2, "$serin diff bad.yaml", CLUSTER },
    { "serin lint", 0, "$serin lint good.yaml", "" },
    { "serin lint", 1, "$serin lint bad.yaml", "" },
    { "serin lint", 2, "$serin lint none.yaml", "" },
    { "serin loadtester", 0, "$serin loadtester -listen 127.0.0.1:0 2>log & until grep -q 'Starting load tester' log; do sleep 0.05; done; kill $!; wait $!", "" },
    { "serin loadtester", 1, "$serin loadtester -namespace-regexp '('", "" },
    { "serin loadtester", 2, "$serin loadtester -no-such-flag", "" },
    { "serin status", 0, "$serin status", WELL },
    { "serin status", 1, "$serin status", ILL },
    { "serin status", 2, "$serin status " NOBODY, "" },
    { "serin why", 0, "$serin why HEAD", "GET /api/serin/v1/why?ref=HEAD 200 {\"state\":\"applied\"}\n" },
    { "serin why", 1, "$serin why HEAD", "GET /api/serin/v1/why?ref=HEAD 200 {\"state\":\"held\"}\n" },
    { "serin why", 2, "$serin why HEAD " NOBODY, "" },
    { "serin sync", 0, "$serin sync", SYNCED WELL },
    { "serin sync", 1, "$serin sync", SYNCED ILL },
    { "serin sync", 2, "$serin sync " NOBODY, "" },
    { "serin identity", 0, "$serin identity", READY },
    { "serin identity", 2, "$serin identity " NOBODY, "" },
    { "serin list-workloads", 0, "$serin list-workloads", "GET /api/flux/v6/services 200 null\n" },
    { "serin list-workloads", 2, "$serin list-workloads " NOBODY, "" },
    { "serin list-images", 0, "$serin list-images", "GET /api/flux/v10/images 200 null\n" },
    { "serin list-images", 2, "$serin list-images " NOBODY, "" },
    { "serin release", 0, "$serin release --all --update-all-images", RELEASED },
    { "serin release", 1, "$serin release --all --update-all-images", CHANGED("failed") },
    { "serin release", 2, "$serin release --all --update-all-images " NOBODY, "" },
    { "serin automate", 0, "$serin automate -w a:deployment/b", CHANGED("succeeded") },
    { "serin automate", 1, "$serin automate -w a:deployment/b", CHANGED("failed") },
    { "serin automate", 2, "$serin automate -w a:deployment/b " NOBODY, "" },
    { "serin deautomate", 0, "$serin deautomate -w a:deployment/b", CHANGED("succeeded") },
    { "serin deautomate", 1, "$serin deautomate -w a:deployment/b", CHANGED("failed") },
    { "serin deautomate", 2, "$serin deautomate -w a:deployment/b " NOBODY, "" },
    { "serin lock", 0, "$serin lock -w a:deployment/b", CHANGED("succeeded") },
    { "serin lock", 1, "$serin lock -w a:deployment/b", CHANGED("failed") },
    { "serin lock", 2, "$serin lock -w a:deployment/b " NOBODY, "" },
    { "serin unlock", 0, "$serin unlock -w a:deployment/b", CHANGED("succeeded") },
    { "serin unlock", 1, "$serin unlock -w a:deployment/b", CHANGED("failed") },
    { "serin unlock", 2, "$serin unlock -w a:deployment/b " NOBODY, "" },
    { "serin policy", 0, "$serin policy --lock -w a:deployment/b", CHANGED("succeeded") },
    { "serin policy", 1, "$serin policy --lock -w a:deployment/b", CHANGED("failed") },
    { "serin policy", 2, "$serin policy --lock -w a:deployment/b " NOBODY, "" },
    { "serin install", 0, "$serin install --git-url=git@host:a/b", "" },
    { "serin install", 2, "$serin install --git-url=git@host:a/b -o none/of/these", "" },
    { "serin save", 0, "$serin save", "GET /api/flux/v6/export 200 \"YXBpVmVyc2lvbjogdjEKa2luZDogTmFtZXNwYWNlCm1ldGFkYXRhOgogIG5hbWU6IGEK\"\n" },
    { "serin save", 2, "$serin save " NOBODY, "" },
    { "serin version", 0, "$serin version", "" },
    { "serin version", 2, "$serin version now", "" },
    { "serin completion", 0, "$serin completion bash", "" },
    { "serin completion", 2, "$serin completion", "" },
    { "fluxctl", 0, "exec -a fluxctl $serin sync", SYNCED },
    { "fluxctl", 1, "exec -a fluxctl $serin nonsense", "" },
    /* clang-format on */
};

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void code_is_what_the_page_says(void **state)
{
    const struct exit_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    const char *page = read_doc(mem, "docs/exit-codes.md");
    const char *tmp = getenv("TMPDIR");
    char *dir = arena_printf(mem, "%s/serin-exit-XXXXXX", tmp ? tmp : "/tmp");
    struct program_result result;
    assert_non_null(strstr(page, arena_printf(mem, "\n| `%s` | %d | ", row->command, row->status)));
    assert_non_null(mkdtemp(dir));
    struct program_daemon *daemon = program_daemon_start(row->script);
    int port = program_daemon_port(daemon);
    write_file(arena_printf(mem, "%s/good.yaml", dir),
               "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n");
    write_file(arena_printf(mem, "%s/bad.yaml", dir), "{apiVersion: v1, kind: ConfigMap\n");
    write_file(
        arena_printf(mem, "%s/kubeconfig", dir),
        arena_printf(
            mem,
            "{current-context: c, clusters: [{name: c, cluster: {server: 'http://127.0.0.1:%d'}}], "
            "contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: "
            "{}}]}\n",
            port));
    const char *env[] = { arena_printf(mem, "FLUX_URL=http://127.0.0.1:%d/api/flux", port),
                          arena_printf(mem, "KUBECONFIG=%s/kubeconfig", dir),
                          "serin=" SERIN_PROGRAM, NULL };
    const char *argv[] = { "bash", "-c", row->line, NULL };
    program_run(
        mem, &(struct program_run){ .program = "/bin/bash", .argv = argv, .env = env, .cwd = dir },
        &result);
    (void)program_daemon_end(mem, daemon);
    const char *remove_all[] = { "rm", "-r", dir, NULL };
    struct program_result removed;
    program_run(mem, &(struct program_run){ .program = "/bin/rm", .argv = remove_all }, &removed);
    if (result.status != row->status)
        fail_msg("%s: status %d, not %d\n%s%s", row->line, result.status, row->status, result.out,
                 result.err);
}

/* What the guide shows of `serin lint` is what it says of such files. */
static void lint_says_what_the_guide_shows(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    const char *script = arena_printf(
        mem,
        "set -e; cd \"$HOME\"; mkdir prod\n"
        "cat >prod/hpa.yaml <<'END'\n"
        "apiVersion: autoscaling/v2beta1\nkind: HorizontalPodAutoscaler\n"
        "metadata: {name: web, namespace: prod}\nEND\n"
        "cat >prod/web.yaml <<'END'\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: prod\nspec:\n"
        "  replicas: 2\n  selector:\n    matchLabels:\n      app: web\n  template:\n   metadata:\n"
        "     labels:\n      app: web\n    spec: {}\nEND\n"
        "'%s' lint . 2>&1 || true; rm -r prod",
        SERIN_PROGRAM);
    struct program_result result;
    const char *argv[] = { "bash", "-c", script, NULL };
    program_run(mem, &(struct program_run){ .program = "/bin/bash", .argv = argv }, &result);
    const char *shown = arena_printf(mem, "$ serin lint .\n%s```\n", result.out);
    if (!strstr(read_doc(mem, "docs/guide.md"), shown))
        fail_msg("docs/guide.md does not show\n%s", shown);
}

static void every_documented_code_is_run(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    const char *page = read_doc(mem, "docs/exit-codes.md");
    size_t rows = 0;
    for (const char *at = page; (at = strstr(at, "\n| `")); at++)
        rows++;
    assert_int_equal(rows, ARRAY_LEN(exit_cases));
}

int main(void)
{
    enum { ROWS = ARRAY_LEN(exit_cases) };
    static char names[ROWS][64];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(every_flag_has_its_row_and_every_row_its_flag),
        cmocka_unit_test(every_command_has_a_manual_with_its_flags),
        cmocka_unit_test(manuals_are_well_formed),
        cmocka_unit_test(lint_says_what_the_guide_shows),
        cmocka_unit_test(every_documented_code_is_run),
    };
    struct CMUnitTest tests[ROWS + ARRAY_LEN(others)];
    for (size_t i = 0; i < ROWS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%s can end with %d", exit_cases[i].command,
                       exit_cases[i].status);
        tests[i] = (struct CMUnitTest){ .name = names[i],
                                        .test_func = code_is_what_the_page_says,
                                        .initial_state = (void *)&exit_cases[i] };
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        tests[ROWS + i] = others[i];
    return cmocka_run_group_tests_name("docs", tests, NULL, NULL);
}
