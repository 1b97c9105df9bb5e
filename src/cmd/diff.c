#include "cmd/diff.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/cluster.h"
#include "cmd/diff_revision.h"
#include "cmd/home.h"
#include "cmd/tree.h"
#include "cmd/words.h"
#include "git/giturl.h"
#include "sync/mark.h"

#define OUTPUT_MAX_BYTES ((size_t)512 << 20)

/* clang-format off */
static const struct flags_spec own[] = {
    { .name = "output", .type = FLAGS_TEXT, .shorthand = 'o', .initial = "text",
      .usage = "`format` of the differences: text or json" },
    { .name = "git-url", .type = FLAGS_TEXT, .usage = "`URL` of the repository a REVISION is of" },
    { .name = "git-branch", .type = FLAGS_TEXT, .initial = "master", .usage = "branch of it" },
    { .name = "git-path", .type = FLAGS_LIST, .usage = "directories or files to apply (default: all)" },
    { .name = "git-timeout", .type = FLAGS_DURATION, .initial = "1m", .usage = "limit for the clone" },
    { .name = "identity-file", .type = FLAGS_TEXT, .usage = "private SSH key `file` for the repository" },
    { .name = "ssh-known-hosts", .type = FLAGS_TEXT, .usage = "known_hosts `file` for the repository" },
    { .name = "git-ca-file", .type = FLAGS_TEXT,
      .usage = "PEM `file` with the authorities that sign the repository's HTTPS server" },
    { .name = "manifest-generation", .type = FLAGS_BOOL,
      .usage = "run the generators that .flux.yaml files of a REVISION name" },
    { .name = "sops", .type = FLAGS_BOOL, .usage = "decrypt files that are encrypted with SOPS" },
    { .name = "git-secret", .type = FLAGS_BOOL, .usage = "reveal what git-secret hides in a REVISION" },
    { .name = "sync-garbage-collection", .type = FLAGS_BOOL,
      .usage = "show what garbage collection would delete (needs --git-url)" },
    { .name = "k8s-default-namespace", .type = FLAGS_TEXT, .usage = "namespace for manifests that name none" },
    { .name = "k8s-allow-namespace", .type = FLAGS_LIST, .usage = "leave out what is in other namespaces" },
    { .name = "k8s-unsafe-exclude-resource", .type = FLAGS_LIST,
      .initial = "*metrics.k8s.io/*,webhook.certmanager.k8s.io/*,v1/Event",
      .usage = "never list these in the cluster: globs on group/version/Kind" },
};
/* clang-format on */

/* -- what to compare ------------------------------------------------------------------------------ */

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static struct err *read_revision(struct command_call *call, struct diff_plan *plan, const char *rev)
{
    const struct flags *flags = call->flags;
    const char *tmp = home_env("TMPDIR");
    const struct diff_revision revision = {
        .url = flags_text(flags, "git-url"),
        .branch = flags_text(flags, "git-branch"),
        .rev = rev,
        .git_paths = flags_list(flags, "git-path", NULL),
        .identity = or_null(flags_text(flags, "identity-file")),
        .known_hosts = or_null(flags_text(flags, "ssh-known-hosts")),
        .ca_file = or_null(flags_text(flags, "git-ca-file")),
        .ssh_command = home_env("GIT_SSH_COMMAND"),
        .tmp_dir = tmp ? tmp : "/tmp",
        .manifest_generation = flags_bool(flags, "manifest-generation"),
        .timeout_ms = flags_ms(flags, "git-timeout"),
        .reveal = home_reveal(flags, flags_ms(flags, "git-timeout")),
    };
    return diff_revision_read(call->mem, &revision, &plan->manifests, &plan->problems);
}

static struct err *check_path_flags(struct command_call *call, const char *path)
{
    static const struct {
        const char *flag, *effect;
    } kinds[] = { { "manifest-generation", "runs the generators" },
                  { "git-secret", "reveals files" } };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (flags_bool(call->flags, kinds[i].flag))
            return command_mistake(call,
                                   "--%s %s of a REVISION, and %s is a "
                                   "PATH: commit what is to be compared, and give "
                                   "--git-url=file://DIRECTORY in place of it",
                                   kinds[i].flag, kinds[i].effect, path);
    }
    return NULL;
}

static struct err *read_path(struct command_call *call, struct diff_plan *plan, const char *path)
{
    struct tree tree = { 0 };
    const struct reveal_settings settings =
        home_reveal(call->flags, flags_ms(call->flags, "git-timeout"));
    const struct tree_opts opts = {
        .git_paths = flags_list(call->flags, "git-path", NULL),
        .reveal = reveal_new(call->mem, &settings, &(struct reveal_source){ 0 }),
    };
    TRY(check_path_flags(call, path));
    TRY(tree_read(call->mem, path, &opts, &tree));
    plan->manifests = tree.manifests;
    plan->problems = tree.problems;
    return NULL;
}

static struct err *read_manifests(struct command_call *call, struct diff_plan *plan)
{
    const char *what = flags_arg(call->flags, 0);
    bool has_url = *flags_text(call->flags, "git-url");
    struct stat st;
    if (flags_arg_count(call->flags) > 1)
        return command_mistake(call, "please say one PATH or REVISION only");
    if (what && !stat(what, &st))
        return read_path(call, plan, what);
    if (has_url)
        return read_revision(call, plan, what);
    if (what)
        return command_mistake(
            call, "there is no file or directory %s; for a revision, give --git-url", what);
    return command_mistake(call, "please say which directory to compare, or give --git-url");
}

static struct err *name_set(struct command_call *call, struct diff_plan *plan)
{
    const char *text = flags_text(call->flags, "git-url");
    struct giturl url;
    if (!*text)
        return plan->prunes
                   ? command_mistake(
                         call, "--sync-garbage-collection needs --git-url: what is to be deleted "
                               "depends on it")
                   : NULL;
    TRY(giturl_parse(call->mem, text, &url));
    plan->set_name = mark_set_name(call->mem, url.safe, flags_text(call->flags, "git-branch"),
                                   flags_list(call->flags, "git-path", NULL));
    return NULL;
}

static struct err *make_plan(struct command_call *call, struct diff_plan *plan)
{
    size_t allowed = 0;
    const char *default_ns = flags_text(call->flags, "k8s-default-namespace");
    const char *const *allowed_ns = flags_list(call->flags, "k8s-allow-namespace", &allowed);
    plan->default_ns = *default_ns ? default_ns : home_namespace(call);
    plan->allowed_ns = allowed ? allowed_ns : NULL;
    plan->excluded_kinds = flags_list(call->flags, "k8s-unsafe-exclude-resource", NULL);
    plan->prunes = flags_bool(call->flags, "sync-garbage-collection");
    TRY(name_set(call, plan));
    return read_manifests(call, plan);
}

/* ------------------------------------------------------------------------------------------------- */

static void print_problems(struct command_call *call, const struct diff_plan *plan, int *status)
{
    for (size_t i = 0; i < plan->problems.len; i++) {
        const struct manifest_problem *problem = &plan->problems.at[i];
        if (problem->severity != MANIFEST_ERROR)
            continue;
        command_tell(call, "%s\n", manifest_problem_format(call->mem, problem));
        *status = COMMAND_UNKNOWN;
    }
}

static struct err *print(struct command_call *call, const struct diff_objects *objects)
{
    SBUF(text, OUTPUT_MAX_BYTES);
    const char *shown = NULL;
    if (!strcmp(flags_text(call->flags, "output"), "json"))
        diff_print_json(call->mem, objects, &text);
    else
        diff_print(objects, &text);
    TRY(sbuf_finish(&text, call->mem, &shown, NULL));
    command_print(call, "%s", shown);
    return NULL;
}

static int status_of(const struct diff_objects *objects)
{
    int status = COMMAND_YES;
    for (size_t i = 0; i < objects->len; i++) {
        enum diff_action action = objects->at[i].action;
        if (action == DIFF_ERROR)
            return COMMAND_UNKNOWN;
        if (action == DIFF_CREATE || action == DIFF_UPDATE || action == DIFF_DELETE)
            status = COMMAND_NO;
    }
    return status;
}

static struct err *run(struct command_call *call, int *status)
{
    const char *format = flags_text(call->flags, "output");
    if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
        return command_mistake(call, "invalid output format specified: it is text or json");
    struct diff_plan plan = { .mem = call->mem };
    struct diff_objects objects = { 0 };
    SCOPED_CLUSTER struct cluster cluster = { 0 };
    TRY(make_plan(call, &plan));
    TRY(cluster_open(&cluster, call));
    TRY(cluster_discover(&cluster));
    diff_plan_resolve(&plan, cluster.discovery);
    TRY(diff_compare(&plan, &cluster, &objects));
    *status = status_of(&objects);
    print_problems(call, &plan, status);
    return print(call, &objects);
}

const struct command cmd_diff = {
    .name = "diff",
    .args = "[PATH | REVISION]",
    .summary = "Show what a sync would change in the cluster",
    .about = "Compares manifests with the cluster, field by field. The API server works out what "
             "an apply would\n"
             "make of each object, defaults and webhooks included (a dry run), and nothing is "
             "changed. Values of\n"
             "Secrets, and of all that is encrypted in the repository, are not shown. PATH is a "
             "directory or file\n"
             "on disk; REVISION a commit, branch or tag of --git-url (default: the head of "
             "--git-branch).\n"
             "Exit status: 0 no differences, 1 differences, 2 something could not be compared.",
    .examples =
        "  serin diff .\n"
        "  serin diff --git-url=ssh://git@example.org/team/config v1.2.3\n"
        "  serin diff --git-url=ssh://git@example.org/team/config --sync-garbage-collection .",
    .faces = COMMAND_SERIN,
    .asks = COMMAND_ASKS_CLUSTER,
    .flags = { .at = own, .len = ARRAY_LEN(own) },
    .run = run,
};
