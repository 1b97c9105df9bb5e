/* What the git host is told: what became of each commit, and of each workload that it changed. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/map.h"
#include "cmd/home.h"
#include "cmd/run_parts.h"
#include "doc/object.h"
#include "image/place.h"

#define WORKLOADS_MAX 20000 /* remembered; with more all are forgotten */
#define SHORT_SHA     7

/* The commit that a workload was changed by last, and what was said of it. */
struct said {
    char sha[MIRROR_SHA_BYTES];
    enum hoststatus_state state;
};

struct run_host {
    struct run_parts *daemon;
    struct hoststatus *status;
    struct map *workloads;      /* ID -> struct said, owned */
    struct question *questions; /* those that git has not answered */
};

/* What a phase of its canary says of a workload. */
static const struct phase {
    bool is_told;
    enum hoststatus_state state;
    const char *text;
} phases[CANARY_TERMINATED + 1] = {
    [CANARY_WAITING] = { true, HOSTSTATUS_PROGRESSING, "waiting for approval" },
    [CANARY_PROGRESSING] = { true, HOSTSTATUS_PROGRESSING, "the canary is being analysed" },
    [CANARY_WAITING_PROMOTION] = { true, HOSTSTATUS_PROGRESSING,
                                   "the canary waits for its promotion" },
    [CANARY_PROMOTING] = { true, HOSTSTATUS_PROGRESSING, "the canary is being promoted" },
    [CANARY_FINALISING] = { true, HOSTSTATUS_PROGRESSING, "the canary is being promoted" },
    [CANARY_SUCCEEDED] = { true, HOSTSTATUS_PROMOTED, "promoted" },
    [CANARY_FAILED] = { true, HOSTSTATUS_ROLLED_BACK, "rolled back: the canary failed" },
};

static void tell(struct run_host *host, const char *sha, const char *id,
                 enum hoststatus_state state, const char *text)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    hoststatus_set(host->status, sha, hoststatus_context(mem, id), state, text);
}

static struct said *remember(struct run_host *host, const char *id, const char *sha,
                             enum hoststatus_state state)
{
    if (map_len(host->workloads) >= WORKLOADS_MAX)
        map_clear(host->workloads);
    struct said *said = base_alloc(sizeof(*said));
    memcpy(said->sha, sha, strnlen(sha, MIRROR_SHA_BYTES - 1));
    said->state = state;
    map_set(host->workloads, id, said);
    return said;
}

/* -- sync -------------------------------------------------------------------------------------------------------- */

/* Its canary was still at work on an earlier commit, whose end nobody will see. */
static void tell_superseded(struct run_host *host, const char *id, const char *rev)
{
    const struct said *before = map_get(host->workloads, id);
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    if (before && before->state == HOSTSTATUS_PROGRESSING && strcmp(before->sha, rev) != 0)
        tell(host, before->sha, id, HOSTSTATUS_FAILED,
             arena_printf(mem, "superseded by %.*s before its end", SHORT_SHA, rev));
}

/* Its canary may have seen the change before the sync came to its end. */
static bool is_on_its_way(const struct run_host *host, const struct sync_object_status *object)
{
    const struct canary_service *service = host->daemon->canaries;
    const struct canaries *canaries = service ? canary_service_canaries(service) : NULL;
    struct canaries_seen seen;
    if (!canaries ||
        !canaries_owned(canaries, object->api_version, object->kind, object->ns, object->name))
        return false;
    for (size_t at = 0; at < canaries_len(canaries); at++) {
        canaries_at(canaries, at, &seen);
        if (strcmp(seen.ns, object->ns) == 0 && strcmp(seen.target, object->name) == 0 &&
            strcasecmp(seen.target_kind, object->kind) == 0)
            return phases[seen.phase].is_told && phases[seen.phase].state == HOSTSTATUS_PROGRESSING;
    }
    return false;
}

void run_host_on_changed(struct run_host *host, const char *rev,
                         const struct sync_object_status *object)
{
    if (!host || !image_place_is_workload(object->kind))
        return;
    bool is_applied = object->outcome == SYNC_APPLIED;
    enum hoststatus_state state = is_applied ? HOSTSTATUS_APPLIED : HOSTSTATUS_FAILED;
    if (is_applied && is_on_its_way(host, object))
        state = HOSTSTATUS_PROGRESSING;
    tell_superseded(host, object->id, rev);
    remember(host, object->id, rev, state);
    tell(host, rev, object->id, state, is_applied ? "applied" : object->message);
}

static const char *describe(struct arena *mem, const struct sync_status *status,
                            const char *problem)
{
    if (*status->error)
        return status->error;
    if (problem)
        return problem;
    if (status->failed)
        return arena_printf(mem, "%zu of %zu objects failed: serin status says which",
                            status->failed, status->objects);
    return arena_printf(mem, "%zu objects are as the repository declares them", status->objects);
}

void run_host_on_synced(struct run_host *host)
{
    if (!host)
        return;
    struct sync_status status;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    sync_status(host->daemon->sync, &status);
    const char *path, *problem = sync_problem_at(host->daemon->sync, 0, &path);
    bool has_failed = *status.error || status.failed || problem;
    const char *sha = *status.error ? status.head : status.applied;
    if (*sha)
        hoststatus_set(host->status, sha, HOSTSTATUS_SYNC,
                       has_failed ? HOSTSTATUS_FAILED : HOSTSTATUS_APPLIED,
                       describe(mem, &status, problem));
}

/* -- canaries ---------------------------------------------------------------------------------------------------- */

/* Who changed a workload that was on its way when we started: asked of git. */
struct question {
    struct run_host *host;
    struct question *next, **at;
    struct arena *mem;
    const char *id, *path, *head, *text;
    struct mirror_commits commits;
};

static struct err *find_commit(struct mirror *mirror, void *job, int64_t deadline_ms)
{
    (void)deadline_ms;
    struct question *question = job;
    const char *paths[] = { question->path, NULL };
    return mirror_log(mirror, question->mem, NULL, question->head, paths, 1, true,
                      &question->commits);
}

static void forget(struct question *question)
{
    *question->at = question->next;
    if (question->next)
        question->next->at = question->at;
    arena_free(question->mem);
}

static void on_commit(void *job, struct err *e)
{
    struct question *question = job;
    struct run_host *host = question->host;
    if (!e && question->commits.len && !map_get(host->workloads, question->id)) {
        const char *sha = question->commits.at[0].sha;
        remember(host, question->id, sha, HOSTSTATUS_PROGRESSING);
        tell(host, sha, question->id, HOSTSTATUS_PROGRESSING, question->text);
    }
    err_free(e);
    forget(question);
}

static void ask_git(struct run_host *host, const char *id, const char *text)
{
    static const struct source_job how = { .work = find_commit, .done = on_commit };
    struct sync_object_status object;
    struct sync_status status;
    sync_status(host->daemon->sync, &status);
    if (!*status.applied || !sync_object_find(host->daemon->sync, id, &object))
        return;
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct question *question = arena_alloc(mem, sizeof(*question));
    *question = (struct question){ .host = host,
                                   .mem = mem,
                                   .id = arena_strdup(mem, id),
                                   .path = arena_strdup(mem, object.path),
                                   .head = arena_strdup(mem, status.applied),
                                   .text = text,
                                   .next = host->questions,
                                   .at = &host->questions };
    if (question->next)
        question->next->at = &question->next;
    host->questions = question;
    source_run(host->daemon->source, &how, question);
}

void run_host_on_canary(struct run_host *host, const struct canaries_seen *seen)
{
    const struct phase *phase = &phases[seen->phase];
    if (!host || !phase->is_told)
        return;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *id = object_id(mem, seen->ns, seen->target_kind, seen->target);
    struct said *said = map_get(host->workloads, id);
    if (!said && phase->state == HOSTSTATUS_PROGRESSING)
        ask_git(host, id, phase->text);
    if (!said || said->state == phase->state || said->state == HOSTSTATUS_FAILED)
        return;
    /* What was promoted or rolled back before this commit came is not about it. */
    if (said->state == HOSTSTATUS_APPLIED && phase->state != HOSTSTATUS_PROGRESSING)
        return;
    said->state = phase->state;
    tell(host, said->sha, id, phase->state, phase->text);
}

/* -- life -------------------------------------------------------------------------------------------------------- */

static struct err *make_status(struct run_parts *daemon, const char *file, const char *token,
                               struct hoststatus **out)
{
    const struct flags *flags = daemon->flags;
    const char *name = flags_text(flags, "git-host-status");
    enum hoststatus_provider provider;
    if (!hoststatus_parse_provider(name, &provider))
        return err_new(ERR_INVALID,
                       "--git-host-status: '%s' is none of auto, off, github, gitlab, gitea, "
                       "bitbucket and bitbucket-server",
                       name);
    return hoststatus_new(
        &(struct hoststatus_opts){ .loop = daemon->loop,
                                   .http = daemon->http,
                                   .log = daemon->log,
                                   .metrics = daemon->metrics,
                                   .provider = provider,
                                   .git_url = daemon->config->git_url,
                                   .branch = flags_text(flags, "git-branch"),
                                   .api = flags_text(flags, "git-host-api"),
                                   .target_url = flags_text(flags, "git-host-url"),
                                   .token_file = file,
                                   .token = token,
                                   .ca_pem = daemon->ca_pem },
        out);
}

/* Who asked for it is told why it cannot be; a token that lies around is no reason to stop. */
struct err *run_host_make(struct run_parts *daemon)
{
    const struct flags *flags = daemon->flags;
    const char *file = run_daemon_text(daemon, "git-host-token-file");
    const char *token = home_env(HOSTSTATUS_TOKEN_VARIABLE);
    bool is_off = strcmp(flags_text(flags, "git-host-status"), "off") == 0;
    if (!*daemon->config->git_url || (!file && !token) || is_off)
        return NULL;
    struct hoststatus *status = NULL;
    struct err *e = make_status(daemon, file, token, &status);
    if (e && (file || flags_given(flags, "git-host-status")))
        return e;
    if (e) {
        log_warn(daemon->log, F("component", "host-status"), F("err", err_text(e)));
        err_free(e);
        return NULL;
    }
    daemon->host = base_alloc(sizeof(*daemon->host));
    *daemon->host =
        (struct run_host){ .daemon = daemon, .status = status, .workloads = map_new(free) };
    return NULL;
}

void run_host_free(struct run_host *host)
{
    if (!host)
        return;
    while (host->questions)
        forget(host->questions);
    hoststatus_free(host->status);
    map_free(host->workloads);
    free(host);
}
