/* The daemon's view of registries, and its jobs that change the repository. */
#include <string.h>

#include "cmd/home.h"
#include "cmd/run_parts.h"
#include "cmd/tree.h"
#include "image/ecr.h"

#define CALM_MS 2000 /* news of tags that come together make one commit */

static void on_news(void *ctx, const char *name)
{
    const struct run_parts *daemon = ctx;
    if (!daemon->exiting && daemon->releases)
        releases_on_news(daemon->releases, name);
}

/* What cannot be read is no reason to stop, as in fluxd: public images need no credentials. */
static const char *read_docker_config(struct run_parts *daemon)
{
    const char *file = run_daemon_text(daemon, "docker-config"), *text = NULL;
    size_t len = 0;
    if (!file)
        return NULL;
    SCOPED(err_free)
    struct err *e = tree_read_text(daemon->mem, file, RUN_SMALL_FILE_BYTES, &text, &len);
    if (e)
        log_warn(daemon->log, F("component", "run"), F("warning", "--docker-config is not used"),
                 F("err", err_text(e)));
    return e ? NULL : text;
}

/* -- --registry-require=ecr: what has to work at the start ------------------------------------------- */

struct required {
    struct run_parts *daemon;
    const char *const *regions; /* that are read from now on */
    struct err *err;
    bool is_done;
};

static void on_required(void *ctx, const char *region, const struct err *e)
{
    struct required *required = ctx;
    struct arena *mem = required->daemon->mem;
    const char *const found[] = { region, NULL };
    if (!*required->regions)
        required->regions = arena_copy_texts(mem, found);
    required->err = err_copy(e);
    required->is_done = true;
}

static const char *first_of(const char *const *list)
{
    return *list ? *list : NULL;
}

/* Where we are is said by a flag, by the environment, or by the machine. */
static struct err *require_ecr(struct run_parts *daemon, const char *const **regions)
{
    const char *given = first_of(*regions), *env = home_env("AWS_REGION");
    env = env ? env : home_env("AWS_DEFAULT_REGION");
    SCOPED(processes_free) struct processes *processes = processes_new(daemon->loop);
    struct required required = { .daemon = daemon, .regions = *regions };
    struct ecr *check = ecr_start(
        &(struct ecr_opts){
            .loop = daemon->loop,
            .http = daemon->http,
            .processes = processes,
            .region = given ? given : env,
            .account = first_of(flags_list(daemon->flags, "registry-ecr-include-id", NULL)),
            .metadata_url = home_env("AWS_EC2_METADATA_SERVICE_ENDPOINT") },
        on_required, &required);
    while (!required.is_done && !daemon->exiting)
        (void)loop_turn(daemon->loop, 1000);
    if (!required.is_done)
        ecr_cancel(check);
    *regions = required.regions;
    return required.err;
}

static void make_scans(struct run_parts *daemon, const char *const *ecr_regions)
{
    const struct flags *flags = daemon->flags;
    daemon->scans = image_scans_new(&(struct image_scans_opts){
        .loop = daemon->loop,
        .http = daemon->http,
        .kube = daemon->kube,
        .log = daemon->log,
        .metrics = daemon->metrics,
        .is_disabled = flags_bool(flags, "registry-disable-scanning"),
        .docker_config = read_docker_config(daemon),
        .rps = flags_float(flags, "registry-rps"),
        .burst = (int)flags_int(flags, "registry-burst"),
        .interval_ms = flags_ms(flags, "registry-scan-interval"),
        .insecure_hosts = flags_list(flags, "registry-insecure-host", NULL),
        .exclude = flags_list(flags, "registry-exclude-image", NULL),
        .include = flags_list(flags, "registry-include-image", NULL),
        .use_labels = flags_list(flags, "registry-use-labels", NULL),
        .ecr_regions = ecr_regions,
        .ecr_include_ids = flags_list(flags, "registry-ecr-include-id", NULL),
        .ecr_exclude_ids = flags_list(flags, "registry-ecr-exclude-id", NULL),
        .trace = flags_bool(flags, "registry-trace"),
        .on_news = on_news,
        .ctx = daemon,
    });
}

static const char *ci_skip_text(const struct run_parts *daemon)
{
    const char *text = flags_text(daemon->flags, "git-ci-skip-message");
    if (*text)
        return text;
    return flags_bool(daemon->flags, "git-ci-skip") ? "\n\n[ci skip]" : "";
}

static void make_releases(struct run_parts *daemon)
{
    const struct run_config *config = daemon->config;
    const struct flags *flags = daemon->flags;
    daemon->releases = releases_new(&(struct releases_opts){
        .loop = daemon->loop,
        .log = daemon->log,
        .metrics = daemon->metrics,
        .kube = daemon->kube,
        .discovery = daemon->discovery,
        .source = daemon->source,
        .sync = daemon->sync,
        .scans = daemon->scans,
        .git_branch = flags_text(flags, "git-branch"),
        .git_notes_ref = config->notes_ref,
        .git_paths = config->git_paths,
        .allowed_ns = config->allowed_ns,
        .default_ns = daemon->default_ns,
        .ci_skip = ci_skip_text(daemon),
        .is_readonly = config->is_readonly,
        .set_author = flags_bool(flags, "git-set-author"),
        .manifest_generation = flags_bool(flags, "manifest-generation"),
        .job_timeout_ms = flags_ms(flags, "sync-timeout"),
        .automation_interval_ms = config->automation_interval_ms,
        .calm_ms = CALM_MS,
    });
}

struct err *run_release_make(struct run_parts *daemon)
{
    const struct flags *flags = daemon->flags;
    const char *const *regions = flags_list(flags, "registry-ecr-region", NULL);
    if (*flags_list(flags, "registry-require", NULL) && /* of ecr: there is no other */
        !flags_bool(flags, "registry-disable-scanning"))
        TRY(require_ecr(daemon, &regions));
    make_scans(daemon, regions);
    make_releases(daemon);
    return NULL;
}
