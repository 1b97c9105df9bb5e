/* serin's own routes: status, objects, sync now. (why: why_ask.c) */
#include <stdlib.h>
#include <string.h>

#include "api/call.h"

#define COMMIT_WAIT_MS     2000 /* a status does not wait longer for git to say what a commit is */
#define PROBLEMS_COUNTED   1000
#define ANSWER_LIMIT_BYTES SBUF_MAX

/* --- status */

struct commit_facts {
    const char *sha;
    struct mirror_commits commits;
};

static void list_failures(struct api_call *call, struct api_report *report,
                          struct api_report_counts *counts)
{
    struct sync_object_status object;
    report->failures = val_new_list(call->mem);
    for (size_t at = 0; sync_object_at(call->api->opts.sync, at, &object); at++) {
        api_report_count(counts, object.outcome);
        if (!api_report_is_held(&object))
            continue;
        if (val_len(report->failures) < API_REPORT_LISTED)
            val_append(call->mem, report->failures, api_report_object(call->mem, &object));
        else
            report->failures_left_out++;
    }
}

static void list_problems(struct api_call *call, struct api_report *report)
{
    const char *text, *path;
    report->problems = val_new_list(call->mem);
    for (size_t at = 0;
         at < PROBLEMS_COUNTED && (text = sync_problem_at(call->api->opts.sync, at, &path)); at++) {
        const struct api_problem problem = api_report_read_problem(path, text);
        if (at < API_REPORT_LISTED)
            val_append(call->mem, report->problems, api_report_problem(call->mem, &problem));
        else
            report->problems_left_out++;
    }
}

static int64_t fetched_ago_ms(const struct api *api)
{
    int64_t fetched_ms = source_fetched_ms(api->opts.source);
    return fetched_ms < 0 ? -1 : loop_now_ms(api->opts.loop) - fetched_ms;
}

static const struct api_commit *find_commit(const struct api *api, const char *sha)
{
    return api->commit.sha && strcmp(api->commit.sha, sha) == 0 ? &api->commit : NULL;
}

static struct val *list_unwatched(struct api_call *call)
{
    struct val *list = val_new_list(call->mem);
    const char *kind;
    for (size_t at = 0; sync_next_unwatched(call->api->opts.sync, &at, &kind);)
        val_append(call->mem, list, val_new_text(call->mem, kind));
    return list;
}

static void answer_status(struct api_call *call)
{
    const struct api_opts *opts = &call->api->opts;
    struct sync_status sync;
    sync_status(opts->sync, &sync);
    const struct api_report_git git = {
        .url = api_git_url(call->api),
        .branch = opts->git_branch,
        .paths = opts->git_paths,
        .state = source_state_name(source_state(opts->source)),
        .error = source_error(opts->source),
        .head = source_head(opts->source),
        .unverified = source_unverified(opts->source),
        .fetched_ago_ms = fetched_ago_ms(call->api),
        .is_readonly = opts->is_readonly,
    };
    struct api_report_counts counts = { 0 };
    struct api_report report = {
        .version = opts->version,
        .cluster_version = kube_discovery_server_version(opts->discovery),
        .git = &git,
        .commit = find_commit(call->api, sync.applied),
        .sync = &sync,
        .counts = &counts,
        .now_ms = loop_wall_ms(opts->loop),
    };
    list_failures(call, &report, &counts);
    list_problems(call, &report);
    report.unwatched = list_unwatched(call);
    report.canaries = api_canaries_status(call);
    struct releases_last released;
    releases_last(opts->releases, &released);
    report.released = &released;
    api_call_json(call, 200, api_report_status(call->mem, &report));
}

static void on_status_timer(void *ctx)
{
    struct api_call *call = ctx;
    call->timer = 0;
    answer_status(call);
}

static struct err *find_commit_facts(struct mirror *mirror, struct arena *mem, void *of,
                                     int64_t deadline_ms)
{
    (void)deadline_ms;
    struct commit_facts *facts = of;
    return mirror_log(mirror, mem, NULL, facts->sha, NULL, 1, true, &facts->commits);
}

static void keep_commit(struct api *api, const struct mirror_commit *commit)
{
    arena_reset(api->commit_mem);
    api->commit = (struct api_commit){ .sha = arena_strdup(api->commit_mem, commit->sha),
                                       .subject = arena_strdup(api->commit_mem, commit->subject),
                                       .author = arena_strdup(api->commit_mem, commit->author),
                                       .unix_s = commit->unix_s };
}

static void on_commit_facts(struct api_call *call, void *of, const struct err *e)
{
    const struct commit_facts *facts = of;
    if (!e && facts->commits.len > 0)
        keep_commit(call->api, &facts->commits.at[0]);
    answer_status(call);
}

static const struct api_git_how commit_how = { .work = find_commit_facts, .done = on_commit_facts };

static void status(struct api_call *call)
{
    const struct api_opts *opts = &call->api->opts;
    struct sync_status sync;
    sync_status(opts->sync, &sync);
    if (*sync.applied == '\0' || find_commit(call->api, sync.applied) ||
        !api_has_repository(call->api)) {
        answer_status(call);
        return;
    }
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct commit_facts *facts = arena_alloc(mem, sizeof(*facts));
    facts->sha = arena_strdup(mem, sync.applied);
    call->timer = loop_after(opts->loop, COMMIT_WAIT_MS, on_status_timer, call);
    api_git_ask(call, &commit_how, mem, facts);
}

/* --- objects */

static bool is_wanted(const struct api_call *call, const struct sync_object_status *object)
{
    const char *outcome = api_call_query(call, "outcome"), *ns = api_call_query(call, "namespace");
    const char *kind = api_call_query(call, "kind"), *after = api_call_query(call, "after");
    return (!*outcome || strcmp(outcome, api_report_outcome(object->outcome)) == 0) &&
           (!*ns || strcmp(ns, object->ns) == 0) && (!*kind || strcmp(kind, object->kind) == 0) &&
           strcmp(object->id, after) > 0;
}

static void objects(struct api_call *call)
{
    struct sync_object_status object;
    SBUF(text, ANSWER_LIMIT_BYTES);
    SCOPED(arena_free) struct arena *scratch = arena_new(ARENA_LIMIT_BYTES);
    sbuf_add_char(&text, '[');
    for (size_t at = 0; sync_object_at(call->api->opts.sync, at, &object); at++) {
        if (!is_wanted(call, &object))
            continue;
        if (text.len > 1)
            sbuf_add_char(&text, ',');
        val_format_json(api_report_object(scratch, &object), &text);
        arena_reset(scratch);
    }
    sbuf_add_char(&text, ']');
    if (text.is_over) {
        struct api_error error =
            api_error_user(call->mem, "the list is too long: ask for one namespace or kind");
        api_call_error(call, &error);
        return;
    }
    const struct api_answer answer = {
        .status = 200, .content_type = API_TYPE_JSON, .body = sbuf_text(&text), .len = text.len
    };
    api_call_reply(call, &answer);
}

/* --- sync now */

static void sync_now(struct api_call *call)
{
    bool reapplies_all = strcmp(api_call_query(call, "reapply"), "true") == 0;
    const char *id = releases_submit_sync(call->api->opts.releases, reapplies_all);
    if (!id) {
        struct api_error error =
            api_error_user(call->mem, "too many jobs are waiting: ask again when some are done");
        api_call_error(call, &error);
        return;
    }
    struct val *value = val_new_map(call->mem);
    val_set_text(call->mem, value, "job", id);
    api_call_json(call, 202, value);
}

/* --- health and metrics */

static void healthz(struct api_call *call)
{
    struct api_answer answer;
    api_answer_text(200, "ok\n", &answer);
    api_call_reply(call, &answer);
}

static void readyz(struct api_call *call)
{
    const struct api_opts *opts = &call->api->opts;
    struct sync_status sync;
    struct api_answer answer;
    sync_status(opts->sync, &sync);
    if (!api_has_repository(call->api))
        api_answer_text(200, "ok: no git repository is configured\n", &answer);
    else if (source_fetched_ms(opts->source) < 0)
        api_answer_text(503,
                        arena_printf(call->mem, "not ready: git was not fetched yet: %s\n",
                                     source_error(opts->source)),
                        &answer);
    else if (*sync.applied == '\0')
        api_answer_text(503,
                        arena_printf(call->mem, "not ready: the first sync has not ended yet%s%s\n",
                                     *sync.error ? ": " : "", sync.error),
                        &answer);
    else
        api_answer_text(200, "ok\n", &answer);
    api_call_reply(call, &answer);
}

void api_metrics_show(struct api_call *call)
{
    SBUF(text, ANSWER_LIMIT_BYTES);
    api_process_measure(call->api->process);
    metrics_format(call->api->opts.metrics, &text);
    const struct api_answer answer = {
        .status = 200, .content_type = API_TYPE_METRICS, .body = sbuf_text(&text), .len = text.len
    };
    api_call_reply(call, &answer);
}

const struct api_route api_own_routes[] = {
    // clang-format off
    { "GET",  "/status",   NULL,  status, false },
    { "GET",  "/objects",  NULL,  objects, false },
    { "GET",  "/canaries", NULL,  api_canaries_list, false },
    { "GET",  "/why",      "ref", api_why_ask, false },
    { "POST", "/sync",     NULL,  sync_now, false },
    // clang-format on
};
const size_t api_own_route_count = ARRAY_LEN(api_own_routes);

const struct api_route api_health_routes[] = {
    // clang-format off
    { "GET",  "/healthz", NULL, healthz, false },
    { "HEAD", "/healthz", NULL, healthz, false },
    { "GET",  "/readyz",  NULL, readyz, false },
    { "HEAD", "/readyz",  NULL, readyz, false },
    // clang-format on
};
const size_t api_health_route_count = ARRAY_LEN(api_health_routes);
