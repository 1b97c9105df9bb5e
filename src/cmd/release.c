#include <string.h>

#include "base/vec.h"
#include "cmd/cause.h"
#include "cmd/home.h"
#include "cmd/job.h"
#include "cmd/pick.h"
#include "cmd/rollout.h"
#include "image/ref.h"

/* clang-format off */
static const struct flags_spec own[] = {
    { .name = "namespace", .type = FLAGS_TEXT, .shorthand = 'n',
      .usage = "namespace of workloads that name none (default: that of the kubeconfig context)" },
    { .name = "workload", .type = FLAGS_LIST,
      .usage = "release this `workload`: kind/name, or namespace:kind/name" },
    { .name = "all", .type = FLAGS_BOOL, .usage = "release all workloads" },
    { .name = "update-image", .type = FLAGS_TEXT, .shorthand = 'i',
      .usage = "the `image`, with its tag, that containers of this image are to have" },
    { .name = "update-all-images", .type = FLAGS_BOOL, .usage = "give all containers their newest image" },
    { .name = "exclude", .type = FLAGS_LIST, .usage = "leave out this `workload`" },
    { .name = "dry-run", .type = FLAGS_BOOL, .usage = "only show what would be released" },
    { .name = "interactive", .type = FLAGS_BOOL, .usage = "choose on the terminal what is released" },
    { .name = "force", .type = FLAGS_BOOL, .shorthand = 'f',
      .usage = "go past locks (with --workload) and tag filters (with --update-image)" },
    { .name = "watch", .type = FLAGS_BOOL, .shorthand = 'w', .usage = "follow the rollout to its end" },
    { .name = "verbose", .type = FLAGS_COUNT, .shorthand = 'v',
      .usage = "show workloads that were skipped; twice: those that were ignored, too" },
    { .name = "controller", .type = FLAGS_LIST, .shorthand = 'c', .usage = "the older word for --workload",
      .deprecated = "changed to --workload, use that instead" },
};
static const struct flags_table more[] = {
    { .at = cause_flags, .len = CAUSE_FLAGS },
    { .at = command_output_flags, .len = COMMAND_OUTPUT_FLAGS },
};
/* clang-format on */

/* -- what is asked --------------------------------------------------------------------------------- */

struct asked {
    const char *image;
    bool all_images, all_workloads, is_named, dry_run, interactive, force, watch;
};

static struct asked read_asked(const struct flags *flags)
{
    size_t workloads = 0, controllers = 0;
    (void)flags_list(flags, "workload", &workloads);
    (void)flags_list(flags, "controller", &controllers);
    return (struct asked){
        .image = flags_text(flags, "update-image"),
        .all_images = flags_bool(flags, "update-all-images"),
        .all_workloads = flags_bool(flags, "all"),
        .is_named = workloads || controllers,
        .dry_run = flags_bool(flags, "dry-run"),
        .interactive = flags_bool(flags, "interactive"),
        .force = flags_bool(flags, "force"),
        .watch = flags_bool(flags, "watch"),
    };
}

/* The first row that holds is the mistake; the order is fluxctl's. */
static struct err *check_asked(struct command_call *call, const struct asked *asked)
{
    const bool as_serin = call->face == COMMAND_SERIN;
    const struct {
        bool is_so;
        const char *text;
    } mistakes[] = {
        { *asked->image && asked->all_images,
          "please supply only one of --update-image=<image> or --update-all-images" },
        { !*asked->image && !asked->all_images,
          "please supply exactly one of --update-image=<image> or --update-all-images" },
        { !asked->all_workloads && !asked->is_named,
          "please supply either --all, or at least one --workload=<workload>" },
        { asked->watch && asked->dry_run, "cannot use --watch with --dry-run" },
        { asked->force && asked->all_workloads && asked->all_images,
          "--force has no effect when used with --all and --update-all-images" },
        { as_serin && asked->all_workloads && asked->is_named,
          "please supply either --all or --workload, not both" },
        { as_serin && asked->interactive && asked->dry_run,
          "cannot use --interactive with --dry-run: it shows what would be released, and asks" },
    };
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        if (mistakes[i].is_so)
            return command_mistake(call, "%s", mistakes[i].text);
    }
    return asked->interactive ? pick_check(call) : NULL;
}

static void warn(struct command_call *call, const struct asked *asked)
{
    if (asked->force && asked->all_workloads)
        command_tell(call, "Warning: --force will not ignore locked workloads when used with "
                           "--all\n");
    if (asked->force && asked->all_images)
        command_tell(call, "Warning: --force will not ignore container image tags when used with "
                           "--update-all-images\n");
}

struct ids {
    const char **at;
    size_t len, cap;
};

static struct err *add_ids(struct command_call *call, const char *flag, struct ids *out)
{
    const char *ns = flags_text(call->flags, "namespace");
    const char *const *texts = flags_list(call->flags, flag, NULL);
    for (; texts && *texts; texts++) {
        const char **id = vec_push(call->mem, out);
        if (!*ns)
            ns = home_namespace(call);
        TRY(release_spec_id(call->mem, *texts, ns, id));
    }
    return NULL;
}

/* A list that ends with NULL; NULL for one without any. */
static const char *const *ended(struct command_call *call, struct ids *ids)
{
    if (!ids->len)
        return NULL;
    *vec_push(call->mem, ids) = NULL;
    return ids->at;
}

static struct err *read_image(struct arena *mem, const char *text, const char **out)
{
    struct image_ref ref;
    *out = RELEASE_ALL_LATEST;
    if (!*text || !strcmp(text, RELEASE_ALL_LATEST))
        return NULL;
    TRY(image_ref_parse(mem, text, &ref));
    if (!*ref.tag)
        return err_new(ERR_INVALID, "blank tag (if you want latest, explicitly state the tag "
                                    ":latest): invalid image ID");
    *out = image_ref_write(mem, &ref);
    return NULL;
}

static struct err *read_spec(struct command_call *call, const struct asked *asked,
                             struct release_spec *out)
{
    static const char *const all[] = { RELEASE_ALL, NULL };
    struct ids workloads = { 0 }, excludes = { 0 };
    struct cause cause;
    *out = (struct release_spec){ .type = RELEASE_IMAGE,
                                  .is_plan = asked->dry_run || asked->interactive,
                                  .force = asked->force };
    if (!asked->all_workloads) {
        TRY(add_ids(call, "workload", &workloads));
        TRY(add_ids(call, "controller", &workloads));
    }
    TRY(read_image(call->mem, asked->image, &out->image));
    TRY(add_ids(call, "exclude", &excludes));
    out->workloads = asked->all_workloads ? all : ended(call, &workloads);
    out->excludes = ended(call, &excludes);
    cause_read(call, &cause);
    out->user = cause.user;
    out->message = cause.message;
    return NULL;
}

/* -- what is done ---------------------------------------------------------------------------------- */

struct release {
    struct command_call *call;
    struct client *client;
    struct asked asked;
    struct release_spec spec;
    struct job job;
    struct rollout rollout;
    int verbosity;
    bool is_given_up; /* nothing was chosen */
    struct job why;   /* the plan that says why nothing was released; id NULL: none was asked for */
};

/* The plan becomes a release of what was chosen of it. */
static struct err *choose(struct release *release, int *status)
{
    struct command_call *call = release->call;
    struct release_container_update *chosen = NULL;
    size_t count = 0;
    if (job_failed(&release->job))
        return NULL;
    TRY(pick_updates(call, &release->job.outcomes, release->verbosity, &chosen, &count));
    release->is_given_up = !count;
    if (!count) {
        *status = call->face == COMMAND_SERIN ? COMMAND_NO : COMMAND_YES;
        return NULL;
    }
    const struct release_spec spec = { .type = RELEASE_CONTAINERS,
                                       .user = release->spec.user,
                                       .message = release->spec.message,
                                       .force = release->spec.force,
                                       .containers = chosen,
                                       .container_count = count };
    command_tell(call, "Submitting selected release ...\n");
    return job_run_spec(call, release->client, &spec, &release->job);
}

static const char *const *affected(struct arena *mem, const struct release_result *result)
{
    VEC(const char *) ids = { 0 };
    for (size_t i = 0; i < result->len; i++) {
        if (result->at[i].status == RELEASE_SUCCESS)
            *vec_push(mem, &ids) = result->at[i].id;
    }
    *vec_push(mem, &ids) = NULL;
    return ids.at;
}

static struct err *watch(struct release *release, int *status)
{
    if (!release->asked.watch || release->is_given_up || job_failed(&release->job))
        return NULL;
    release->rollout.ids = affected(release->call->mem, &release->job.outcomes);
    return rollout_watch(&release->rollout, release->client, status);
}

/* A release in which nothing was to be changed says only that: a dry run of the same says why. As serin. */
static struct err *explain(struct release *release)
{
    struct command_call *call = release->call;
    struct release_spec plan = release->spec;
    int verbosity = MAX_OF(release->verbosity, 1);
    if (call->face != COMMAND_SERIN || !job_failed(&release->job) || plan.is_plan)
        return NULL;
    plan.is_plan = true;
    SCOPED(err_free) struct err *e = job_run_spec(call, release->client, &plan, &release->why);
    bool is_said =
        !e && release->why.result && !release_result_count(&release->why.outcomes, RELEASE_SUCCESS);
    if (is_said && !command_as_json(call))
        command_print(call, "%s",
                      release_result_table(call->mem, &release->why.outcomes, verbosity));
    if (!is_said)
        release->why.result = NULL;
    return NULL;
}

static void print_json(const struct release *release)
{
    struct arena *mem = release->call->mem;
    struct val *out = job_json(mem, &release->job);
    val_set(mem, out, "dryRun", val_new_bool(mem, release->asked.dry_run || release->is_given_up));
    if (release->why.result)
        val_set(mem, out, "why", val_copy_sharing(mem, release->why.result));
    if (release->rollout.workloads)
        val_set(mem, out, "workloads", release->rollout.workloads);
    if (release->rollout.canaries)
        val_set(mem, out, "canaries", release->rollout.canaries);
    command_print(release->call, "%s\n", val_json(mem, out, NULL));
}

/* As serin: was, or would anything be, released? */
static void judge(struct release *release, int *status)
{
    if (release->call->face == COMMAND_SERIN &&
        !release_result_count(&release->job.outcomes, RELEASE_SUCCESS))
        *status = COMMAND_NO;
}

static struct err *carry_out(struct release *release, int *status)
{
    struct command_call *call = release->call;
    const struct job_end end = { .verbosity = release->verbosity,
                                 .wants_applied = !release->asked.dry_run };
    bool follows_canaries = release->asked.watch && call->face == COMMAND_SERIN;
    release->rollout = (struct rollout){ .call = call, .verbosity = release->verbosity };
    if (follows_canaries)
        TRY(rollout_canaries_before(&release->rollout, release->client));
    command_tell(call, "Submitting %srelease ...\n", release->spec.is_plan ? "dry-run " : "");
    TRY(job_run_spec(call, release->client, &release->spec, &release->job));
    if (release->asked.interactive)
        TRY(choose(release, status));
    if (!release->is_given_up) {
        TRY(job_finish(call, release->client, &release->job, &end, status));
        judge(release, status);
        TRY(explain(release));
    }
    return watch(release, status);
}

/* -w names the workload for other commands; here it is --watch. */
static struct err *check_args(struct command_call *call)
{
    if (call->face == COMMAND_SERIN && flags_arg_count(call->flags) &&
        flags_bool(call->flags, "watch"))
        return command_mistake(call,
                               "unexpected argument \"%.200s\": -w is --watch here, a workload is "
                               "named with --workload",
                               flags_arg(call->flags, 0));
    return command_no_args(call);
}

static struct err *run(struct command_call *call, int *status)
{
    SCOPED(client_free) struct client *client = NULL;
    struct release release = { .call = call,
                               .asked = read_asked(call->flags),
                               .verbosity = (int)flags_int(call->flags, "verbose") };
    *status = COMMAND_YES;
    TRY(check_args(call));
    TRY(command_check_output(call));
    TRY(check_asked(call, &release.asked));
    warn(call, &release.asked);
    TRY(read_spec(call, &release.asked, &release.spec));
    TRY(client_new(call, &client));
    release.client = client;
    TRY(carry_out(&release, status));
    if (command_as_json(call))
        print_json(&release);
    return NULL;
}

const struct command cmd_release = {
    .name = "release",
    .summary = "Give workloads other images, in the repository",
    .about =
        "Tells the daemon to write other images into the manifests of workloads, commit and push,\n"
        "and waits until that commit is applied.\n"
        "Exit status: 0 released (--dry-run: there is something to release), 1 not so, 2 could "
        "not\n"
        "find out.",
    .examples = "  serin release -n demo --workload deployment/web --update-image app:1.2.0\n"
                "  serin release --all --update-all-images --dry-run",
    .faces = COMMAND_SERIN | COMMAND_FLUXCTL,
    .asks = COMMAND_ASKS_DAEMON | COMMAND_ASKS_CLUSTER,
    .flags = { .at = own, .len = ARRAY_LEN(own) },
    .more = more,
    .more_count = ARRAY_LEN(more),
    .run = run,
};
