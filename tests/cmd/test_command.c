#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../rows.h"

#include "base/base.h"
#include "cmd/command.h"
#include "program.h"

#define ARGS_MAX 8

/* A command line and what comes of it without anybody to ask; a text of NULL is not looked at, one that begins with * is
 * what it has to begin with. */
static const struct command_case {
    const char *name, *args[ARGS_MAX], *env[3];
    int status;
    const char *out, *err;
} command_cases[] = {
    /* clang-format off */
    { "without a command there is help", { "serin" }, { NULL }, 0, "*serin keeps a Kubernetes cluster", "" },
    { "a path before the name does not matter", { "/usr/local/bin/fluxctl" }, { NULL }, 0, "*fluxctl asks the daemon", "" },
    { "the version is printed by a command", { "serin", "version" }, { NULL }, 0, SERIN_VERSION "\n", "" },
    { "the version is printed as JSON", { "serin", "version", "-o", "json" }, { NULL }, 0,
      "{\"version\":\"" SERIN_VERSION "\"}\n", "" },
    { "the version is printed by a flag", { "serin", "--version" }, { NULL }, 0, SERIN_VERSION "\n", "" },
    { "the version is fluxctl's, too", { "fluxctl", "version" }, { NULL }, 0, SERIN_VERSION "\n", "" },
    { "version takes no arguments", { "fluxctl", "version", "x" }, { NULL }, 1, "",
      "Error: expected no (non-flag) arguments\nRun 'fluxctl version --help' for usage.\n" },
    { "an unknown command is named", { "fluxctl", "nonsense" }, { NULL }, 1, "",
      "Error: unknown command \"nonsense\" for \"fluxctl\"\nRun 'fluxctl --help' for usage.\n" },
    { "a command that is nearly right is suggested", { "serin", "lnit" }, { NULL }, 2, "",
      "Error: unknown command \"lnit\" for \"serin\"\n\nDid you mean this?\n\tlint\n\nRun 'serin --help' for usage.\n" },
    { "the beginning of a command is suggested", { "serin", "list" }, { NULL }, 2, "",
      "Error: unknown command \"list\" for \"serin\"\n\nDid you mean this?\n\tlint\n\tlist-images\n\tlist-workloads\n\n"
      "Run 'serin --help' for usage.\n" },
    { "an unknown flag is named", { "fluxctl", "--no-such-flag" }, { NULL }, 1, "",
      "Error: unknown flag: --no-such-flag\nRun 'fluxctl --help' for usage.\n" },
    { "an unknown flag of a command is named with it", { "serin", "lint", "--nope" }, { NULL }, 2, "",
      "Error: unknown flag: --nope\nRun 'serin lint --help' for usage.\n" },
    { "a flag that is nearly right is suggested", { "serin", "run", "--git-brnch=main" }, { NULL }, 2, "",
      "*Error: unknown flag: --git-brnch (did you mean --git-branch?)\n\nDESCRIPTION\n" },
    { "a flag that is the beginning of one is suggested", { "serin", "diff", ".", "--kubecon", "x" }, { NULL }, 2, "",
      "Error: unknown flag: --kubecon (did you mean --kubeconfig?)\nRun 'serin diff --help' for usage.\n" },
    { "a deprecated flag is not suggested", { "serin", "run", "--kube-confi=x" }, { NULL }, 2, "",
      "*Error: unknown flag: --kube-confi (did you mean --kubeconfig?)\n\n" },
    { "a short one is near to none", { "serin", "lint", "--o" }, { NULL }, 2, "",
      "Error: unknown flag: --o\nRun 'serin lint --help' for usage.\n" },
    { "a shared flag may stand before the command", { "fluxctl", "--url", "://bad", "identity" }, { NULL }, 1, "",
      "Error: parsing URL: parse \"://bad\": missing protocol scheme\nRun 'fluxctl identity --help' for usage.\n" },
    { "a URL of another scheme is refused", { "serin", "status", "--url", "ftp://x" }, { NULL }, 2, "",
      "Error: parsing URL: parse \"ftp://x\": it has to begin with http:// or https://\n" },
    { "serin has commands that fluxctl has not", { "fluxctl", "lint", "." }, { NULL }, 1, "",
      "Error: unknown command \"lint\" for \"fluxctl\"\nRun 'fluxctl --help' for usage.\n" },
    { "completion needs a shell", { "fluxctl", "completion" }, { NULL }, 1, "",
      "Error: please specify a shell\nRun 'fluxctl completion --help' for usage.\n" },
    { "completion takes one shell", { "fluxctl", "completion", "bash", "zsh" }, { NULL }, 1, "",
      "Error: please specify one of the following shells: bash fish zsh\nRun 'fluxctl completion --help' for usage.\n" },
    { "completion knows three shells", { "fluxctl", "completion", "tcsh" }, { NULL }, 1, "",
      "Error: unsupported shell type \"tcsh\"\nRun 'fluxctl completion --help' for usage.\n" },
    { "a daemon that is not there is reported to fluxctl in Go's words",
      { "fluxctl", "list-workloads", "--url", "http://127.0.0.1:1/api/flux" }, { NULL }, 1, "",
      "Error: executing HTTP request: executing HTTP request: Get \"http://127.0.0.1:1/api/flux/v6/services?namespace=default\": "
      "dial tcp 127.0.0.1:1: connect: connection refused\nRun 'fluxctl list-workloads --help' for usage.\n" },
    { "a daemon that is not there is reported with what to do", { "serin", "status" },
      { "FLUX_URL=http://127.0.0.1:1/api/flux/", NULL }, 2, "",
      "Error: no answer from http://127.0.0.1:1/api/flux: connection refused; is the daemon running there? (--url; "
      "--k8s-fwd-ns for one in the cluster, or kubectl port-forward)\n" },
    { "the flag is stronger than the environment", { "fluxctl", "sync", "-u", "http://127.0.0.1:1/x" },
      { "FLUX_URL=://bad", NULL }, 1, "",
      "Error: executing HTTP request: executing HTTP request: Post \"http://127.0.0.1:1/x/v9/git-repo-config\": "
      "dial tcp 127.0.0.1:1: connect: connection refused\nRun 'fluxctl sync --help' for usage.\n" },
    { "a bad FLUX_TIMEOUT is named", { "serin", "status" }, { "FLUX_TIMEOUT=long", NULL }, 2, "",
      "Error: FLUX_TIMEOUT: invalid argument \"long\" for \"--timeout\" flag: time: invalid duration \"long\"\n" },
    { "a token without a URL goes to the daemon of the cluster", { "fluxctl", "sync" }, { "WEAVE_CLOUD_TOKEN=x", NULL }, 1, "",
      "Error: no configuration of a cluster: there is no ~/.kube/config, and this is not a pod (no KUBERNETES_SERVICE_HOST)\n"
      "Run 'fluxctl sync --help' for usage.\n" },

    { "a bad flag of the daemon comes with the usage", { "serin", "run", "--no-such-flag" }, { NULL }, 2, "",
      "*Error: unknown flag: --no-such-flag\n\nDESCRIPTION\n  serin run keeps a cluster" },
    { "a bad value of the daemon comes with the usage", { "serin", "run", "--git-poll-interval=often" }, { NULL }, 2, "",
      "*Error: invalid argument \"often\" for \"--git-poll-interval\" flag: time: invalid duration \"often\"\n\nDESCRIPTION\n" },
    { "the daemon takes no arguments", { "serin", "run", "now" }, { NULL }, 2, "", "*Error: serin run takes flags only\n\n" },
    { "help of the daemon is its usage", { "serin", "run", "--help" }, { NULL }, 0, "*DESCRIPTION\n  serin run keeps a cluster", "" },
    { "help names the daemon's usage, too", { "serin", "help", "run" }, { NULL }, 0, "*DESCRIPTION\n  serin run keeps a cluster", "" },
    { "the daemon prints its version", { "serin", "run", "--version" }, { NULL }, 0, SERIN_VERSION "\n", "" },

    { "help of fluxctl is about fluxctl: its examples, and not the exit status of serin", { "fluxctl", "help", "release" }, { NULL }, 0,
      "*Tells the daemon to write other images into the manifests of workloads, commit and push,\nand waits until that commit is applied.\n\n"
      "Usage:\n  fluxctl release [flags]\n\nExamples:\n  fluxctl release -n demo --workload ", "" },
    { "help of serin has its exit status", { "serin", "sync", "-h" }, { NULL }, 0,
      "*Tells the daemon to fetch now and waits until the head of the branch is applied.\nExit status: 0 applied", "" },

    { "lint wants a path", { "serin", "lint" }, { NULL }, 2, "",
      "Error: please say which file or directory to read\nRun 'serin lint --help' for usage.\n" },
    { "lint of nothing is an error", { "serin", "lint", "/no/such/file" }, { NULL }, 2, "",
      "Error: cannot read /no/such/file: No such file or directory\n" },
    { "lint knows two formats", { "serin", "lint", "-o", "xml", "." }, { NULL }, 2, "",
      "Error: invalid output format specified: it is text or json\nRun 'serin lint --help' for usage.\n" },
    { "diff wants to know what", { "serin", "diff" }, { NULL }, 2, "",
      "Error: please say which directory to compare, or give --git-url\nRun 'serin diff --help' for usage.\n" },
    { "diff of a revision wants the repository", { "serin", "diff", "v1.2.3" }, { NULL }, 2, "",
      "Error: there is no file or directory v1.2.3; for a revision, give --git-url\nRun 'serin diff --help' for usage.\n" },
    { "diff compares one thing", { "serin", "diff", "a", "b" }, { NULL }, 2, "",
      "Error: please say one PATH or REVISION only\nRun 'serin diff --help' for usage.\n" },
    { "diff names what is to be deleted only with a repository", { "serin", "diff", ".", "--sync-garbage-collection" }, { NULL }, 2, "",
      "Error: --sync-garbage-collection needs --git-url: what is to be deleted depends on it\nRun 'serin diff --help' for usage.\n" },
    { "diff runs no generators of a path", { "serin", "diff", ".", "--manifest-generation" }, { NULL }, 2, "",
      "Error: --manifest-generation runs the generators of a REVISION, and . is a PATH: commit what is to be compared, and give "
      "--git-url=file://DIRECTORY in place of it\nRun 'serin diff --help' for usage.\n" },
    { "diff wants a cluster", { "serin", "diff", ".", "--kubeconfig", "/no/such/file" }, { NULL }, 2, "", NULL },
    /* clang-format on */
};

static bool is_as_expected(const char *is, const char *expected)
{
    if (!expected)
        return true;
    return *expected == '*' ? !strncmp(is, expected + 1, strlen(expected + 1))
                            : !strcmp(is, expected);
}

static void command_line_gives(void **state)
{
    const struct command_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_result result;
    const char *argv[ARGS_MAX + 1] = { NULL };
    memcpy(argv, row->args, sizeof(row->args));
    program_run(mem, &(struct program_run){ .argv = argv, .env = row->env }, &result);
    if (!is_as_expected(result.err, row->err))
        assert_string_equal(result.err, row->err);
    if (!is_as_expected(result.out, row->out))
        assert_string_equal(result.out, row->out);
    assert_int_equal(result.status, row->status);
}

static const char *out_of(struct arena *mem, const char *program, const char *word,
                          const char *other)
{
    struct program_result result;
    const char *argv[] = { program, word, other, NULL };
    program_run(mem, &(struct program_run){ .argv = argv }, &result);
    assert_string_equal(result.err, "");
    assert_int_equal(result.status, 0);
    return result.out;
}

static void help_of_every_command_shows_its_flags(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct command_call call = { .mem = mem, .program = "serin", .face = COMMAND_SERIN };
    const struct command *command = NULL;
    for (size_t i = 0; (command = command_at(COMMAND_SERIN, i)); i++) {
        struct flags_table tables[COMMAND_TABLES_MAX];
        size_t count = command_tables(mem, &call, command, tables);
        const char *help = out_of(mem, "serin", command->name, "--help");
        assert_string_equal(help, out_of(mem, "serin", "help", command->name));
        for (size_t t = command->run_words ? 1 : 0; t < count; t++) {
            for (size_t f = 0; f < tables[t].len; f++) {
                const char *flag = arena_printf(mem, "--%s", tables[t].at[f].name);
                assert_true(tables[t].at[f].deprecated || strstr(help, flag));
            }
        }
    }
}

/* The words bash offers for a command line that ends in `last`. */
static const char *offered(struct arena *mem, const char *first, const char *last)
{
    struct program_result result;
    const char *script =
        arena_printf(mem,
                     "source <('%s' completion bash); COMP_WORDS=(serin %s '%s'); "
                     "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _serin; echo ${COMPREPLY[@]}",
                     SERIN_PROGRAM, first, last);
    const char *argv[] = { "bash", "-c", script, NULL };
    program_run(mem, &(struct program_run){ .program = "/bin/bash", .argv = argv }, &result);
    assert_string_equal(result.err, "");
    return result.out;
}

/* What bash offers after `serin FIRST`, for the word LAST; nothing of ours means files. */
static const struct {
    const char *first, *last, *offered;
} completions[] = {
    { "", "li", "lint list-images list-workloads" },
    { "run", "--git-p", "--git-path --git-poll-interval" },
    { "lint", "--ou", "--output" },
    { "list-controllers", "--all", "--all-namespaces" },
    { "completion", "b", "bash" },
    { "help", "sta", "status" },
    { "run", "--kube-config", "" }, /* deprecated: not offered */
    { "lint", "", "" },
    { "diff -o json", "", "" },
    { "lint one.yaml", "--o", "--output" },
    { "status -o", "", "text json" },
    { "status --output", "j", "json" },
    { "status --output", "=", "text json" },
    { "status --output =", "j", "json" },
    { "save -o", "", "" }, /* a directory */
    { "run --kubeconfig", "", "" },
    { "run --git-readonly", "--sync-dr", "--sync-drift" },
    { "run --sync-drift", "", "heal report off" },
    { "list-workloads -o", "t", "tab" },
};

static void bash_completes_commands_flags_and_values(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    for (size_t i = 0; i < ARRAY_LEN(completions); i++) {
        const char *is = offered(mem, completions[i].first, completions[i].last);
        assert_string_equal(is, arena_printf(mem, "%s\n", completions[i].offered));
    }
    const char *flags = offered(mem, "status", "");
    assert_non_null(strstr(flags, "--output"));
}

/* A shell's `>&-`: what the program opens first must not become its standard output. */
static void closed_standard_files_are_no_end(void **state)
{
    static const struct {
        const char *closed;
        int status;
        const char *err;
    } cases[] = {
        { "<&-", 2, "no answer from" },
        { "2>&-", 2, "" },
        { "<&- 2>&-", 2, "" },
        { ">&- <&-", 2, "Error: " },
    };
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct program_result result;
        const char *script = arena_printf(mem, "'%s' status --url http://127.0.0.1:1/x %s",
                                          SERIN_PROGRAM, cases[i].closed);
        const char *argv[] = { "bash", "-c", script, NULL };
        program_run(mem, &(struct program_run){ .program = "/bin/bash", .argv = argv }, &result);
        assert_non_null(strstr(result.err, cases[i].err));
        assert_null(strstr(result.err, "Assertion"));
        assert_int_equal(result.status, cases[i].status);
    }
}

/* `serin help run | head -1`: the reader has gone, and nothing is wrong. */
static void a_reader_that_has_seen_enough_is_no_error(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_result result;
    const char *script =
        arena_printf(mem, "exec 3> >(:); wait $!; '%s' completion bash >&3", SERIN_PROGRAM);
    const char *argv[] = { "bash", "-c", script, NULL };
    program_run(mem, &(struct program_run){ .program = "/bin/bash", .argv = argv }, &result);
    assert_string_equal(result.err, "");
    assert_int_equal(result.status, 128 + SIGPIPE);
}

static void check_syntax(struct arena *mem, const char *shell)
{
    struct program_result result;
    const char *script = out_of(mem, "serin", "completion", shell);
    const char *path = arena_printf(mem, "/usr/bin/%s", shell);
    assert_non_null(strstr(script, "git-poll-interval"));
    if (access(path, X_OK))
        return;
    const char *check = arena_printf(
        mem, "'%s' completion %s >\"$HOME/script\" && %s -n \"$HOME/script\"; rm \"$HOME/script\"",
        SERIN_PROGRAM, shell, path);
    const char *argv[] = { "bash", "-c", check, NULL };
    program_run(mem, &(struct program_run){ .program = "/bin/bash", .argv = argv }, &result);
    assert_string_equal(result.err, "");
}

static void scripts_of_the_other_shells_name_all_and_are_well_formed(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    check_syntax(mem, "zsh");
    check_syntax(mem, "fish");
}

/* A repository with a branch and a tag that master does not have; without a cluster it comes to what is said of that. */
static const struct {
    const char *words, *err;
} revisions[] = {
    { "master", "Error: /no/such/file: No such file or directory\n" },
    { "other", "Error: /no/such/file: No such file or directory\n" },
    { "v1", "Error: /no/such/file: No such file or directory\n" },
    { "", "Error: /no/such/file: No such file or directory\n" },
    { "HEAD", "Error: /no/such/file: No such file or directory\n" },
    { "nope",
      "Error: the repository has no branch, tag or commit nope: fatal: bad revision 'nope'\n" },
    { "'no ref'",
      "Error: the repository has no branch, tag or commit no ref: fatal: bad revision 'no ref'\n" },
    { "--git-branch=main",
      "Error: the repository has no branch, tag or commit main: fatal: bad revision 'main'\n" },
};

static void revisions_are_commits_branches_and_tags(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    for (size_t i = 0; i < ARRAY_LEN(revisions); i++) {
        struct program_result result;
        const char *script = arena_printf(
            mem,
            "git init -q -b master \"$HOME/r\" && cd \"$HOME/r\" || exit 3\n"
            "commit() { git -c user.name=x -c user.email=x commit -q --allow-empty -m \"$1\"; }\n"
            "commit one; git checkout -q --detach; commit two; git tag v1\n"
            "git checkout -q -b other master; commit three; git checkout -q master\n"
            "'%s' diff --kubeconfig /no/such/file --git-url=\"file://$HOME/r\" %s\n"
            "status=$?; cd /; rm -rf \"$HOME/r\"; exit $status",
            SERIN_PROGRAM, revisions[i].words);
        const char *argv[] = { "bash", "-c", script, NULL };
        program_run(mem, &(struct program_run){ .program = "/bin/bash", .argv = argv }, &result);
        assert_string_equal(result.err, revisions[i].err);
        assert_int_equal(result.status, 2);
    }
}

/* It is killed in the middle of the clone: what it has of the repository must not stay behind. */
static void a_diff_that_is_killed_leaves_nothing(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct program_result result;
    const char *script = arena_printf(
        mem,
        "there() { for dir in \"$HOME\"/serin-diff-*; do [ -e \"$dir\" ]; return; done; }\n"
        "export GIT_SSH_COMMAND=\"sh -c 'echo \\$\\$ >$HOME/pid; exec sleep 600'\"\n"
        "'%s' diff --git-url=ssh://git@localhost/x --git-timeout=10m >/dev/null & serin=$!\n"
        "for i in {1..1200}; do [ -s \"$HOME/pid\" ] && break; sleep 0.05; done\n"
        "there || exit 3\n"
        "kill -KILL $serin; wait $serin; kill \"$(cat \"$HOME/pid\")\"; rm \"$HOME/pid\"\n"
        "for i in {1..1200}; do there || exit 0; sleep 0.05; done; exit 4",
        SERIN_PROGRAM);
    const char *argv[] = { "bash", "-c", script, NULL };
    program_run(mem, &(struct program_run){ .program = "/bin/bash", .argv = argv }, &result);
    assert_int_equal(result.status, 0);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(help_of_every_command_shows_its_flags),
        SINGLE(bash_completes_commands_flags_and_values),
        SINGLE(closed_standard_files_are_no_end),
        SINGLE(a_reader_that_has_seen_enough_is_no_error),
        SINGLE(revisions_are_commits_branches_and_tags),
        SINGLE(a_diff_that_is_killed_leaves_nothing),
        SINGLE(scripts_of_the_other_shells_name_all_and_are_well_formed),
        ROWS(command_cases, command_line_gives),
    };
    return rows_run("command", tests, ARRAY_LEN(tests));
}
