#include "sync/lint.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/tree.h"

#define OUTPUT_MAX_BYTES ((size_t)256 << 20)

/* clang-format off */
static const struct flags_spec own[] = {
    { .name = "output", .type = FLAGS_TEXT, .shorthand = 'o', .initial = "text",
      .usage = "`format` of what is found: text or json" },
    { .name = "k8s-default-namespace", .type = FLAGS_TEXT,
      .usage = "namespace for manifests that name none" },
};
/* clang-format on */

static const char *severity_name(enum manifest_severity severity)
{
    switch (severity) {
    case MANIFEST_ERROR: return "error";
    case MANIFEST_WARNING: return "warning";
    }
    return "";
}

static int by_place(const void *a, const void *b)
{
    const struct manifest_problem *left = a, *right = b;
    int order = strcmp(left->path, right->path);
    if (!order)
        order = (left->line > right->line) - (left->line < right->line);
    if (!order)
        order = (left->column > right->column) - (left->column < right->column);
    return order ? order : strcmp(left->text, right->text);
}

static const char *format_line(struct arena *mem, const struct manifest_problem *problem)
{
    struct manifest_problem shown = *problem;
    shown.text = arena_printf(mem, "%s: %s", severity_name(problem->severity), problem->text);
    return manifest_problem_format(mem, &shown);
}

static const char *format_json(struct arena *mem, const struct manifest_problems *problems)
{
    struct val *list = val_new_list(mem);
    for (size_t i = 0; i < problems->len; i++) {
        const struct manifest_problem *problem = &problems->at[i];
        struct val *one = val_new_map(mem);
        val_set_text(mem, one, "path", problem->path);
        val_set(mem, one, "line", val_new_int(mem, problem->line));
        val_set(mem, one, "column", val_new_int(mem, problem->column));
        val_set_text(mem, one, "severity", severity_name(problem->severity));
        val_set_text(mem, one, "text", problem->text);
        val_append(mem, list, one);
    }
    return val_json(mem, list, NULL);
}

static size_t count_errors(const struct manifest_problems *problems)
{
    size_t errors = 0;
    for (size_t i = 0; i < problems->len; i++)
        errors += problems->at[i].severity == MANIFEST_ERROR;
    return errors;
}

static struct err *print(struct command_call *call, const struct tree *tree, bool as_json)
{
    const struct manifest_problems *problems = &tree->problems;
    if (as_json) {
        command_print(call, "%s\n", format_json(call->mem, problems));
        return NULL;
    }
    SBUF(text, OUTPUT_MAX_BYTES);
    const char *shown = NULL;
    for (size_t i = 0; i < problems->len; i++)
        sbuf_addf(&text, "%s\n", format_line(call->mem, &problems->at[i]));
    TRY(sbuf_finish(&text, call->mem, &shown, NULL));
    command_print(call, "%s", shown);
    size_t errors = count_errors(problems);
    (void)fflush(call->out); /* in a log of both, the sum comes last */
    command_tell(call, "%zu file%s, %zu object%s: %zu error%s, %zu warning%s\n", tree->file_count,
                 tree->file_count == 1 ? "" : "s", tree->manifests.len,
                 tree->manifests.len == 1 ? "" : "s", errors, errors == 1 ? "" : "s",
                 problems->len - errors, problems->len - errors == 1 ? "" : "s");
    return NULL;
}

static struct err *run(struct command_call *call, int *status)
{
    const char *format = flags_text(call->flags, "output");
    const char *default_ns = flags_text(call->flags, "k8s-default-namespace");
    struct tree tree = { 0 };
    if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
        return command_mistake(call, "invalid output format specified: it is text or json");
    if (!flags_arg_count(call->flags))
        return command_mistake(call, "please say which file or directory to read");
    for (size_t i = 0; i < flags_arg_count(call->flags); i++)
        TRY(tree_read(call->mem, flags_arg(call->flags, i), &(struct tree_opts){ 0 }, &tree));
    const struct lint_settings settings = { .default_ns = *default_ns ? default_ns : NULL };
    lint_check(call->mem, tree.manifests.at, tree.manifests.len, &settings, &tree.problems);
    if (tree.problems.len)
        qsort(tree.problems.at, tree.problems.len, sizeof(*tree.problems.at), by_place);
    *status = count_errors(&tree.problems) ? COMMAND_NO : COMMAND_YES;
    return print(call, &tree, !strcmp(format, "json"));
}

const struct command cmd_lint = {
    .name = "lint",
    .args = "PATH...",
    .summary = "Check manifests without a cluster",
    .about =
        "Reads the manifests of files and directories as a sync reads those of a commit, and says\n"
        "what is wrong with them, as FILE:LINE:COLUMN. No cluster and no daemon is asked.\n"
        "Exit status: 0 no errors (warnings do not count), 1 errors, 2 the path cannot be read.",
    .examples = "  serin lint repo-layout\n"
                "  serin lint -o json . | jq '.[].text'",
    .faces = COMMAND_SERIN,
    .flags = { .at = own, .len = ARRAY_LEN(own) },
    .run = run,
};
