#include <string.h>

#include "cmd/cause.h"
#include "cmd/home.h"
#include "cmd/job.h"

#define QUOTED_BYTES ((size_t)1 << 20)

/* clang-format off */
#define OF_ALL                                                                                                 \
    { .name = "namespace", .type = FLAGS_TEXT, .shorthand = 'n',                                               \
      .usage = "namespace of a workload that names none (default: that of the kubeconfig context)" },         \
    { .name = "workload", .type = FLAGS_TEXT, .shorthand = 'w',                                                \
      .usage = "the `workload`: kind/name, or namespace:kind/name" },                                         \
    { .name = "verbose", .type = FLAGS_COUNT, .shorthand = 'v',                                                \
      .usage = "show the workload also when it was skipped" },                                                 \
    { .name = "controller", .type = FLAGS_TEXT, .shorthand = 'c', .usage = "the older word for --workload",    \
      .deprecated = "changed to --workload, use that instead" }

static const struct flags_spec own[] = { OF_ALL };
static const struct flags_spec own_of_policy[] = {
    OF_ALL,
    { .name = "tag-all", .type = FLAGS_TEXT, .usage = "tag filter `pattern` of all containers; * takes it away" },
    { .name = "tag", .type = FLAGS_LIST, .usage = "tag filter of a container, as `container=pattern`; * takes it away" },
    { .name = "automate", .type = FLAGS_BOOL, .usage = "switch automation on" },
    { .name = "deautomate", .type = FLAGS_BOOL, .usage = "switch automation off" },
    { .name = "lock", .type = FLAGS_BOOL, .usage = "lock the workload" },
    { .name = "unlock", .type = FLAGS_BOOL, .usage = "unlock the workload" },
};
static const struct flags_table more[] = {
    { .at = cause_flags, .len = CAUSE_FLAGS },
    { .at = command_output_flags, .len = COMMAND_OUTPUT_FLAGS },
};
/* clang-format on */

/* -- what is asked --------------------------------------------------------------------------------- */

/* `serin lock`, or --lock of `serin policy`. */
static bool wants(const struct command_call *call, const char *what)
{
    if (!strcmp(call->command->name, "policy"))
        return flags_bool(call->flags, what);
    return !strcmp(call->command->name, what);
}

static struct err *check(struct command_call *call)
{
    TRY(command_no_args(call));
    TRY(command_check_output(call));
    const bool has_old = *flags_text(call->flags, "controller");
    if (!*flags_text(call->flags, "workload") && !has_old)
        return command_mistake(call, "-w, --workload is required");
    if (*flags_text(call->flags, "workload") && has_old)
        return command_mistake(call, "can't specify both the controller and workload");
    if (wants(call, "automate") && wants(call, "deautomate"))
        return command_mistake(call, "automate and deautomate both specified");
    if (wants(call, "lock") && wants(call, "unlock"))
        return command_mistake(call, "lock and unlock both specified");
    return NULL;
}

struct changes {
    struct command_call *call;
    struct cause cause;
    struct val *add, *remove;
};

static void add(struct changes *changes, const char *policy, const char *value)
{
    val_set_text(changes->call->mem, changes->add, policy, value);
}

static void take(struct changes *changes, const char *policy)
{
    val_set_text(changes->call->mem, changes->remove, policy, "true");
}

/* A pattern with its prefix: "1.*" is "glob:1.*". */
static const char *canonical(struct arena *mem, const char *pattern)
{
    static const char *const known[] = { "glob:", "semver:", "regexp:" };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (!strncmp(pattern, known[i], strlen(known[i])))
            return pattern;
    }
    if (!strncmp(pattern, "regex:", strlen("regex:")))
        return arena_printf(mem, "regexp:%s", pattern + strlen("regex:"));
    return arena_printf(mem, "glob:%s", pattern);
}

/* container=pattern. fluxctl takes one `=` only, so that no filter can hold a version range. */
static struct err *add_tag(struct changes *changes, const char *text)
{
    struct command_call *call = changes->call;
    const char *equals = strchr(text, '=');
    bool is_bad = !equals || (call->face == COMMAND_SERIN && equals == text) ||
                  (call->face == COMMAND_FLUXCTL && strchr(equals + 1, '='));
    if (is_bad) {
        SBUF(quoted, QUOTED_BYTES);
        flags_quote(&quoted, text);
        return command_mistake(call,
                               "invalid container/tag pair: %s. Expected format is "
                               "'container=filter'",
                               sbuf_text(&quoted));
    }
    const char *policy = arena_printf(call->mem, "tag.%.*s", (int)(equals - text), text);
    if (strcmp(equals + 1, "*") != 0)
        add(changes, policy, canonical(call->mem, equals + 1));
    else
        take(changes, policy);
    return NULL;
}

static struct err *read_tags(struct changes *changes)
{
    struct command_call *call = changes->call;
    if (strcmp(call->command->name, "policy") != 0)
        return NULL;
    const char *all = flags_text(call->flags, "tag-all");
    const char *const *tags = flags_list(call->flags, "tag", NULL);
    if (*all)
        add(changes, "tag_all", canonical(call->mem, all));
    for (; tags && *tags; tags++)
        TRY(add_tag(changes, *tags));
    return NULL;
}

static void read_lock(struct changes *changes)
{
    if (wants(changes->call, "lock")) {
        add(changes, "locked", "true");
        if (*changes->cause.user) {
            add(changes, "locked_user", changes->cause.user);
            add(changes, "locked_msg", changes->cause.message);
        }
    }
    if (wants(changes->call, "unlock")) {
        take(changes, "locked");
        take(changes, "locked_msg");
        take(changes, "locked_user");
    }
}

static struct err *read_changes(struct command_call *call, struct changes *out)
{
    *out = (struct changes){ .call = call,
                             .add = val_new_map(call->mem),
                             .remove = val_new_map(call->mem) };
    TRY(read_tags(out));
    cause_read(call, &out->cause);
    if (wants(call, "automate"))
        add(out, "automated", "true");
    if (wants(call, "deautomate"))
        take(out, "automated");
    read_lock(out);
    val_sort_keys(out->add);
    val_sort_keys(out->remove);
    if (call->face == COMMAND_SERIN && !val_len(out->add) && !val_len(out->remove))
        return command_mistake(call, "please say what to change: --automate, --lock, --tag, …");
    return NULL;
}

static struct err *read_id(struct command_call *call, const char **out)
{
    const char *workload = flags_text(call->flags, "workload");
    const char *ns = flags_text(call->flags, "namespace");
    if (!*workload)
        workload = flags_text(call->flags, "controller");
    return release_spec_id(call->mem, workload, *ns ? ns : home_namespace(call), out);
}

/* -- what is done ---------------------------------------------------------------------------------- */

static struct err *carry_out(struct command_call *call, const struct release_spec *spec,
                             struct job *job, int *status)
{
    /* As serin, one who names a workload hears of it in any case. */
    const struct job_end end = { .verbosity = (int)flags_int(call->flags, "verbose") +
                                              (call->face == COMMAND_SERIN) };
    SCOPED(client_free) struct client *client = NULL;
    TRY(client_new(call, &client));
    TRY(job_run_spec(call, client, spec, job));
    TRY(job_finish(call, client, job, &end, status));
    /* Skipped without a word is as it was asked for; skipped for a reason is not. */
    for (size_t i = 0; i < job->outcomes.len && call->face == COMMAND_SERIN; i++) {
        if (*job->outcomes.at[i].error)
            *status = COMMAND_NO;
    }
    return NULL;
}

static struct err *run(struct command_call *call, int *status)
{
    struct release_policy_update update = { .has_add = true, .has_remove = true };
    struct changes changes;
    struct job job;
    *status = COMMAND_YES;
    TRY(check(call));
    TRY(read_id(call, &update.id));
    TRY(read_changes(call, &changes));
    update.add = changes.add;
    update.remove = changes.remove;
    const struct release_spec spec = { .type = RELEASE_POLICY,
                                       .user = changes.cause.user,
                                       .message = changes.cause.message,
                                       .policies = &update,
                                       .policy_count = 1 };
    TRY(carry_out(call, &spec, &job, status));
    if (command_as_json(call))
        command_print(call, "%s\n", val_json(call->mem, job_json(call->mem, &job), NULL));
    return NULL;
}

/* clang-format off */
#define POLICY_COMMAND(word, flags_of, in_short, at_length)        \
    const struct command cmd_##word = {                            \
        .name = #word,                                             \
        .summary = in_short,                                       \
        .about = at_length,                                        \
        .faces = COMMAND_SERIN | COMMAND_FLUXCTL,                  \
        .asks = COMMAND_ASKS_DAEMON | COMMAND_ASKS_CLUSTER,        \
        .flags = { .at = (flags_of), .len = ARRAY_LEN(flags_of) }, \
        .more = more,                                              \
        .more_count = ARRAY_LEN(more),                             \
        .run = run,                                                \
    }
/* clang-format on */

POLICY_COMMAND(automate, own, "Switch automation of a workload on",
               "Writes into the manifest that new images are to be released by themselves.");
POLICY_COMMAND(deautomate, own, "Switch automation of a workload off",
               "Takes out of the manifest that new images are to be released by themselves.");
POLICY_COMMAND(lock, own, "Lock a workload: nothing is released",
               "Writes into the manifest that its images are not to be changed, by whom and why.");
POLICY_COMMAND(unlock, own, "Unlock a workload", "Takes the lock out of the manifest.");
POLICY_COMMAND(policy, own_of_policy, "Change automation, locks and tag filters of a workload",
               "Writes into the manifest which images are to be released, and whether by "
               "themselves.\nSeveral changes are one commit.");
