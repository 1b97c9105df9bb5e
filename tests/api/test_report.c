/* What serin says of itself has a fixed shape. */
#include <string.h>

#include "../rows.h"

#include "api/report.h"

static const struct problem_case {
    const char *name, *path, *text;
    int64_t line;
} problem_cases[] = {
    { "a line and a column are told apart", "apps/web.yaml",
      "apps/web.yaml:3:14: did not find expected key", 3 },
    { "a colon in a path does not end it", "a:b.yaml", "a:b.yaml:12:1: x", 12 },
    { "a problem of a file as a whole has no line", "db.yaml",
      "db.yaml: encrypted with SOPS: start serin with --sops", 0 },
    { "a number in what is said is no line", "db.yaml", "db.yaml: sops failed: keys:12: none", 0 },
    { "a line that is too long to be one is none", "a", "a:12345678901: x", 0 },
    { "a number without an end is no line", "a", "a:12", 0 },
    { "the path of a file whose name is spelt out stays", "a\n.yaml", "a\\n.yaml:3:1: x", 0 },
    { "the path of another file is not taken for this one's", "a", "a.yaml:3:1: x", 0 },
};

static void problem_matches_case(void **state)
{
    const struct problem_case *c = *state;
    const struct api_problem problem = api_report_read_problem(c->path, c->text);
    assert_string_equal(problem.path, c->path);
    assert_int_equal(problem.line, c->line);
    assert_string_equal(problem.message, c->text);
}

static void an_object_tells_where_it_is_declared_and_what_came_of_it(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct sync_object_status object = { .id = "demo:deployment/web",
                                         .api_version = "apps/v1",
                                         .kind = "Deployment",
                                         .ns = "demo",
                                         .name = "web",
                                         .path = "apps/web.yaml",
                                         .line = 7,
                                         .outcome = SYNC_UNKNOWN_KIND,
                                         .message = "no such kind",
                                         .since_ms = 1700000000000 };
    assert_string_equal(
        val_json(mem, api_report_object(mem, &object), NULL),
        "{\"id\":\"demo:deployment/web\",\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\","
        "\"namespace\":\"demo\",\"name\":\"web\",\"path\":\"apps/web.yaml\",\"line\":7,"
        "\"outcome\":\"unknown-kind\",\"message\":\"no such "
        "kind\",\"since\":\"2023-11-14T22:13:20Z\"}");
}

static void an_object_is_held_unless_it_is_applied_or_to_be_left_alone(void **state)
{
    (void)state;
    static const bool is_held[] = {
        [SYNC_PENDING] = true,  [SYNC_APPLIED] = false,     [SYNC_FAILED] = true,
        [SYNC_SKIPPED] = false, [SYNC_UNKNOWN_KIND] = true, [SYNC_DRIFTED] = true
    };
    for (size_t i = 0; i < ARRAY_LEN(is_held); i++) {
        struct sync_object_status object = { .outcome = (enum sync_outcome)i, .message = "" };
        assert_int_equal(api_report_is_held(&object), is_held[i]);
    }
}

static void a_status_says_it_all(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *paths[] = { "apps", "base", NULL };
    struct api_report_git git = { .url = "file:///r",
                                  .branch = "main",
                                  .paths = paths,
                                  .state = "ready",
                                  .error = "",
                                  .head = "c2",
                                  .unverified = "",
                                  .fetched_ago_ms = 1500 };
    struct api_commit commit = {
        .sha = "c1", .subject = "One", .author = "Jane", .unix_s = 1700000000
    };
    struct sync_status sync = { .head = "c2",
                                .applied = "c1",
                                .marker = "",
                                .is_running = true,
                                .last_sync_ms = 1700000001000,
                                .last_duration_ms = 250,
                                .error = "",
                                .objects = 3,
                                .healed = 4 };
    struct api_report_counts counts = { 0 };
    api_report_count(&counts, SYNC_APPLIED);
    api_report_count(&counts, SYNC_FAILED);
    api_report_count(&counts, SYNC_DRIFTED);
    struct val *unwatched = val_new_list(mem);
    val_append(mem, unwatched, val_new_text(mem, "apps/Deployment"));
    struct api_report report = { .version = "0.1.0",
                                 .cluster_version = "v1.34.4",
                                 .git = &git,
                                 .commit = &commit,
                                 .sync = &sync,
                                 .counts = &counts,
                                 .failures = val_new_list(mem),
                                 .problems = val_new_list(mem),
                                 .unwatched = unwatched,
                                 .failures_left_out = 1,
                                 .now_ms = 1700000060000 };
    assert_string_equal(val_json(mem, api_report_status(mem, &report), NULL),
                        "{\"version\":\"0.1.0\",\"clusterVersion\":\"v1.34.4\",\"git\":{\"url\":"
                        "\"file:///r\",\"branch\":\"main\","
                        "\"paths\":[\"apps\",\"base\"],\"state\":\"ready\",\"error\":\"\",\"head\":"
                        "\"c2\",\"unverified\":\"\","
                        "\"fetchedSecondsAgo\":1.5,\"readOnly\":false},\"commit\":{\"sha\":\"c1\","
                        "\"subject\":\"One\",\"author\":\"Jane\","
                        "\"time\":\"2023-11-14T22:13:20Z\",\"ageSeconds\":60},\"sync\":{\"head\":"
                        "\"c2\",\"applied\":\"c1\",\"marker\":\"\","
                        "\"running\":true,\"lastTime\":\"2023-11-14T22:13:21Z\","
                        "\"lastDurationSeconds\":0.25,\"error\":\"\"},"
                        "\"objects\":{\"total\":3,\"applied\":1,\"pending\":0,\"failed\":1,"
                        "\"skipped\":0,\"unknownKind\":0,\"drifted\":1},"
                        "\"drift\":{\"now\":1,\"healed\":4,\"unwatched\":[\"apps/"
                        "Deployment\"]},\"failures\":[],\"failuresLeftOut\":1,"
                        "\"problems\":[],\"problemsLeftOut\":0}");
}

static void what_never_was_is_empty_or_null(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct api_report_git git = { .url = "",
                                  .branch = "",
                                  .state = "new",
                                  .error = "",
                                  .head = "",
                                  .unverified = "",
                                  .fetched_ago_ms = -1 };
    struct sync_status sync = { .head = "", .applied = "", .marker = "", .error = "" };
    struct api_report_counts counts = { 0 };
    struct api_report report = { .version = "",
                                 .cluster_version = "",
                                 .git = &git,
                                 .sync = &sync,
                                 .counts = &counts,
                                 .failures = val_new_list(mem),
                                 .problems = val_new_list(mem) };
    struct val *v = api_report_status(mem, &report);
    assert_true(val_is_null(VAL_PATH(v, "git", "fetchedSecondsAgo")));
    assert_true(val_is_null(val_get(v, "commit")));
    assert_string_equal(val_text(VAL_PATH(v, "sync", "lastTime")), "");
    assert_int_equal(val_len(VAL_PATH(v, "git", "paths")), 0);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(an_object_tells_where_it_is_declared_and_what_came_of_it),
        SINGLE(an_object_is_held_unless_it_is_applied_or_to_be_left_alone),
        SINGLE(a_status_says_it_all),
        SINGLE(what_never_was_is_empty_or_null),
        ROWS(problem_cases, problem_matches_case),
    };
    return rows_run("api_report", tests, ARRAY_LEN(tests));
}
