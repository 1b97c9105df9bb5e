/* The API over HTTP: what fluxctl and serin's own commands get to see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "world.h"

static const char *sync_job[] = {
    "POST", "/api/flux/v9/update-manifests",
    "{\"type\":\"sync\",\"cause\":{\"Message\":\"\",\"User\":\"\"},\"spec\":{}}"
};
static const char *own_sync_job[] = { "POST", "/api/serin/v1/sync", NULL };

static int setup_with(void **state, const struct world_opts *opts)
{
    *state = world_new(opts);
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, &(struct world_opts){ 0 });
}

static int setup_without_repository(void **state)
{
    return setup_with(state, &(struct world_opts){ .no_repository = true });
}

static int setup_with_identity(void **state)
{
    return setup_with(state, &(struct world_opts){ .has_identity = true });
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* --- texts */

static void the_version_is_a_json_text(void **state)
{
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v11/version", NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, "application/json; charset=utf-8");
    assert_string_equal(answer.body, "\"1.2.3\"");
}

static void a_ping_asks_the_api_server(void **state)
{
    world_serve(*state, "/version", 200, "{\"gitVersion\":\"v1.34.4\"}");
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v11/ping", NULL);
    assert_int_equal(answer.status, 204);
    assert_string_equal(answer.body, "");
    assert_string_equal(answer.content_type, "");
    assert_string_equal(world_asked(*state), "/version");
    world_serve(*state, "/version", 403,
                "{\"kind\":\"Status\",\"message\":\"no\",\"reason\":\"Forbidden\"}");
    answer = world_ask(*state, "GET", "/api/flux/v11/ping", NULL);
    assert_int_equal(answer.status, 500);
    assert_string_equal(val_text(val_get(answer.json, "type")), "server");
}

static const struct refusal_case {
    const char *name, *method, *path, *body;
    int status;
    const char *error; /* of the error object */
} refusal_cases[] = {
    // clang-format off
    { "an unknown path is not found", "GET", "/api/flux/v12/services", NULL, 404, "API endpoint not found" },
    { "a known path with another method is not found", "POST", "/api/flux/v11/services", "", 404, "API endpoint not found" },
    { "a route without the parameter it needs is not found", "GET", "/api/flux/v6/jobs", NULL, 404, "API endpoint not found" },
    { "sync without a ref is not found", "GET", "/api/flux/v6/sync", NULL, 404, "API endpoint not found" },
    { "the base itself is not found", "GET", "/api/flux", NULL, 404, "API endpoint not found" },
    { "a path beside the bases is not found", "GET", "/nowhere", NULL, 404, "API endpoint not found" },
    { "old versions are gone", "GET", "/api/flux/v5/services", NULL, 410, "API endpoint deprecated" },
    { "an unknown job is not found", "GET", "/api/flux/v6/jobs?id=nope", NULL, 404, "unknown job \"nope\"" },
    { "filters exclude each other", "GET", "/api/flux/v11/services?namespace=demo&services=demo:deployment/web", NULL, 422,
      "cannot filter by 'namespace' and 'workloads' at the same time" },
    { "an ID that is none", "GET", "/api/flux/v11/services?services=bad", NULL, 400, "parsing service spec \"bad\": parsing bad: invalid service ID" },
    { "a body that is no JSON tells where", "POST", "/api/flux/v9/update-manifests", "not json", 400, "the body is not JSON: byte 2 is not expected there" },
    { "a body without a type", "POST", "/api/flux/v9/update-manifests", "{}", 400, "unknown spec type: " },
    { "a body with an unknown type", "POST", "/api/flux/v9/update-manifests", "{\"type\":\"nonsense\"}", 400, "unknown spec type: nonsense" },
    { "no body", "POST", "/api/flux/v9/update-manifests", "", 400, "the body is not JSON: it ends too early" },
    { "an automatic update is not for clients", "POST", "/api/flux/v9/update-manifests", "{\"type\":\"auto\"}", 422,
      "unknown update type \"auto\"" },
    { "an update that names no image", "POST", "/api/flux/v9/update-manifests", "{\"type\":\"image\",\"spec\":{}}", 400, "ServiceSpecs names no workload: give their IDs, or <all>" },
    { "a field of images that there is not", "GET", "/api/flux/v10/images?containerFields=Name,Bogus", NULL, 422,
      "Bogus is an invalid field" },
    { "images of a namespace and of a workload", "GET", "/api/flux/v10/images?namespace=a&service=a:deployment/b", NULL, 422,
      "cannot filter by 'namespace' and 'workload' at the same time" },
    { "images of what is no workload", "GET", "/api/flux/v6/images?service=bad", NULL, 400, "parsing service spec \"bad\": parsing bad: invalid service ID" },
    { "an old update of what is no workload", "POST", "/api/flux/v6/update-images?service=bad&image=x:1&kind=plan", "", 400, "parsing service spec \"bad\": parsing bad: invalid service ID" },
    { "an old update without a workload", "POST", "/api/flux/v6/update-images?image=x:1&kind=plan", "", 404,
      "API endpoint not found" },
    { "old policies that are no JSON", "PATCH", "/api/flux/v6/policies?user=a", "x", 400, "the body is not JSON: byte 1 is not expected there" },
    { "a notification of an unknown kind", "POST", "/api/flux/v11/notify", "{\"Kind\":\"other\",\"Source\":{}}", 400, "unknown notification kind: \"other\"" },
    { "a notification that is no JSON tells where", "POST", "/api/flux/v11/notify", "x", 400, "the body is not JSON: byte 1 is not expected there" },
    { "a configuration request that is no JSON tells where", "POST", "/api/flux/v9/git-repo-config", "x", 400, "the body is not JSON: byte 1 is not expected there" },
    // clang-format on
};

static void refusal_matches_case(void **state)
{
    struct world *world = ((void **)*state)[0];
    const struct refusal_case *c = ((void **)*state)[1];
    struct world_answer answer = world_ask(world, c->method, c->path, c->body);
    assert_int_equal(answer.status, c->status);
    assert_string_equal(answer.content_type, "application/json; charset=utf-8");
    assert_string_equal(val_text(val_get(answer.json, "error")), c->error);
    assert_non_null(val_text(val_get(answer.json, "help")));
}

static int setup_refusal(void **state)
{
    void **both = base_alloc(2 * sizeof(*both));
    both[1] = *state;
    both[0] = world_new(&(struct world_opts){ 0 });
    *state = both;
    return 0;
}

static int teardown_refusal(void **state)
{
    world_free(((void **)*state)[0]);
    free(*state);
    return 0;
}

static void the_help_of_a_missing_route_names_it_without_the_base(void **state)
{
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v6/version", NULL);
    assert_non_null(strstr(val_text(val_get(answer.json, "help")), "\n    /v6/version\n"));
    assert_string_equal(val_text(val_get(answer.json, "type")), "missing");
}

static void errors_come_as_text_to_who_does_not_ask_for_json(void **state)
{
    static const char *const text[] = { "Accept: text/plain", NULL };
    struct world_answer answer = world_ask_with(*state, "GET", "/api/flux/v6/jobs?id=nope", text);
    assert_int_equal(answer.status, 404);
    assert_string_equal(answer.content_type, "text/plain; charset=utf-8");
    assert_ptr_equal(strstr(answer.body, "Job not found\n"), answer.body);
    answer = world_ask_with(*state, "GET", "/api/flux/v6/jobs?id=nope",
                            NULL); /* curl says Accept: everything */
    assert_string_equal(answer.body, "unknown job \"nope\"");
    answer = world_ask_with(*state, "GET", "/api/flux/v11/services?services=bad", text);
    assert_string_equal(answer.body,
                        "parsing service spec \"bad\": parsing bad: invalid service ID");
}

static void another_name_of_this_machine_is_refused(void **state)
{
    static const char *const foreign[] = { "Host: evil.example", "Accept: application/json", NULL };
    struct world_answer answer = world_ask_with(*state, "GET", "/api/flux/v11/version", foreign);
    assert_int_equal(answer.status, 403);
    answer = world_ask_with(*state, "GET", "/metrics", foreign);
    assert_int_equal(answer.status, 403);
    static const char *const origin[] = { "Origin: http://evil.example", NULL };
    answer = world_ask_with(*state, "POST", "/api/flux/v6/identity.pub", origin);
    assert_int_equal(answer.status, 403);
}

/* --- git */

static void a_sync_job_fetches_and_tells_the_head(void **state)
{
    const char *first = world_commit(*state, "a.yaml", "{}");
    struct val *job = world_job(*state, sync_job);
    assert_string_equal(val_text(val_get(job, "StatusString")), "succeeded");
    assert_string_equal(val_text(VAL_PATH(job, "Result", "revision")), first);
    assert_string_equal(val_text(val_get(job, "Err")), "");
    const char *second = world_commit(*state, "a.yaml", "{a: 1}");
    job = world_job(*state, own_sync_job);
    assert_string_equal(val_text(VAL_PATH(job, "Result", "revision")), second);
}

static void a_sync_job_without_a_repository_fails(void **state)
{
    struct val *job = world_job(*state, sync_job);
    assert_string_equal(val_text(val_get(job, "StatusString")), "failed");
    assert_string_equal(val_text(val_get(job, "Err")), "git repo does not have valid config");
    assert_int_equal(val_len(val_get(job, "Result")), 0);
}

static void a_sync_job_of_a_repository_that_is_not_there_says_so(void **state)
{
    world_free(*state);
    *state = world_new(&(struct world_opts){ .no_such_repository = true });
    struct val *job = world_job(*state, sync_job);
    assert_string_equal(val_text(val_get(job, "StatusString")), "failed");
    const char *text = val_text(val_get(job, "Err"));
    assert_ptr_equal(strstr(text, "git repo not ready: "), text);
}

static void jobs_are_measured(void **state)
{
    world_commit(*state, "a.yaml", "{}");
    world_job(*state, sync_job);
    struct world_answer answer = world_ask_metrics(*state, "/metrics");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    static const char *const lines[] = {
        "\nflux_daemon_job_duration_seconds_count{success=\"true\"} 1\n",
        "\nflux_daemon_queue_duration_seconds_count 1\n",
        "\nflux_daemon_queue_length_count 0\n",
        "\nflux_git_ready 1\n",
        "\n# TYPE process_cpu_seconds_total counter\n",
        "\nprocess_resident_memory_bytes ",
        "\nprocess_start_time_seconds ",
        "\nprocess_open_fds ",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (!strstr(answer.body, lines[i]))
            fail_msg("no %s in %s", lines[i], answer.body);
    }
}

static void metrics_may_have_a_listener_of_their_own(void **state)
{
    world_free(*state);
    *state = world_new(&(struct world_opts){ .own_metrics = true });
    assert_int_not_equal(api_port(world_api(*state)), api_metrics_port(world_api(*state)));
    assert_int_equal(world_ask_metrics(*state, "/metrics").status, 200);
    assert_int_equal(world_ask_metrics(*state, "/api/flux/v11/version").status, 404);
    assert_int_equal(world_ask_metrics(*state, "/healthz").status, 404);
    assert_int_equal(world_ask(*state, "GET", "/metrics", NULL).status, 404);
    assert_int_equal(world_ask(*state, "GET", "/healthz", NULL).status, 200);
}

static void a_notification_of_a_push_fetches(void **state)
{
    world_fetch(*state, world_commit(*state, "a.yaml", "{}"));
    const char *second = world_commit(*state, "a.yaml", "{a: 1}");
    static const char body[] =
        "{\"Kind\":\"git\",\"Source\":{\"URL\":\"git@example.org:x/y\",\"Branch\":\"main\"}}";
    struct world_answer answer = world_ask(*state, "POST", "/api/flux/v11/notify", body);
    assert_int_equal(answer.status, 202);
    assert_string_equal(answer.body, "");
    world_fetched(*state, second);
}

static void a_notification_of_another_branch_of_ours_does_nothing(void **state)
{
    world_fetch(*state, world_commit(*state, "a.yaml", "{}"));
    int64_t fetched_ms = source_fetched_ms(world_source(*state));
    SBUF(body, 1024);
    sbuf_addf(&body, "{\"Kind\":\"git\",\"Source\":{\"URL\":\"%s\",\"Branch\":\"other\"}}",
              world_url(*state));
    assert_int_equal(world_ask(*state, "POST", "/api/flux/v11/notify", sbuf_text(&body)).status,
                     202);
    static const char image[] =
        "{\"Kind\":\"image\",\"Source\":{\"Name\":{\"Domain\":\"quay.io\",\"Image\":\"a/b\"}}}";
    assert_int_equal(world_ask(*state, "POST", "/api/flux/v11/notify", image).status, 202);
    world_wait(*state, 300);
    assert_int_equal(source_fetched_ms(world_source(*state)), fetched_ms);
}

static void commits_that_are_not_applied_are_listed_newest_first(void **state)
{
    const char *first = world_commit(*state, "a.yaml", "{}");
    const char *second = world_commit(*state, "a.yaml", "{a: 1}");
    world_fetch(*state, second);
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v6/sync?ref=HEAD", NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(val_len(answer.json), 2);
    assert_string_equal(val_text(val_item(answer.json, 0)), second);
    assert_string_equal(val_text(val_item(answer.json, 1)), first);
    SBUF(path, 128);
    sbuf_addf(&path, "/api/flux/v6/sync?ref=%.7s", first);
    answer = world_ask(*state, "GET", sbuf_text(&path), NULL);
    assert_int_equal(val_len(answer.json), 1);
}

static void a_ref_that_is_none_is_told_in_the_words_of_git(void **state)
{
    world_fetch(*state, world_commit(*state, "a.yaml", "{}"));
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v6/sync?ref=nonsense", NULL);
    assert_int_equal(answer.status, 422);
    assert_string_equal(
        val_text(val_get(answer.json, "error")),
        "fatal: bad revision '..nonsense', full output:\n fatal: bad revision '..nonsense'\n");
    answer = world_ask(*state, "GET",
                       "/api/flux/v6/sync?ref=0123456789012345678901234567890123456789", NULL);
    const char *text = val_text(val_get(answer.json, "error"));
    assert_ptr_equal(
        strstr(text, "fatal: Invalid revision range ..0123456789012345678901234567890123456789,"),
        text);
}

static void without_a_repository_no_commit_is_known(void **state)
{
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v6/sync?ref=HEAD", NULL);
    assert_int_equal(answer.status, 422);
    assert_string_equal(val_text(val_get(answer.json, "error")),
                        "git repo does not have valid config");
    answer = world_ask(*state, "GET", "/api/serin/v1/why?ref=HEAD", NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(val_text(val_get(answer.json, "state")), "unknown");
    assert_string_equal(val_text(val_get(answer.json, "text")), "no git repository is configured");
}

static void the_configuration_names_url_branch_and_state(void **state)
{
    world_fetch(*state, world_commit(*state, "a.yaml", "{}"));
    struct world_answer answer = world_ask(*state, "POST", "/api/flux/v9/git-repo-config", "false");
    SBUF(expected, 1024);
    sbuf_addf(&expected,
              "{\"remote\":{\"url\":\"%s\",\"branch\":\"main\",\"path\":\"\"},\"publicSSHKey\":{"
              "\"key\":\"\","
              "\"fingerprints\":null},\"status\":\"ready\",\"errors\":\"\"}",
              world_url(*state));
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, sbuf_text(&expected));
}

static void the_configuration_without_a_repository_has_the_words_of_flux(void **state)
{
    struct world_answer answer = world_ask(*state, "POST", "/api/flux/v9/git-repo-config", "false");
    assert_string_equal(
        answer.body,
        "{\"remote\":{\"url\":\"file:\",\"branch\":\"main\",\"path\":\"\"},\"publicSSHKey\":{"
        "\"key\":\"\",\"fingerprints\":null},\"status\":\"unconfigured\",\"errors\":"
        "\"git repo has not been cloned yet\"}");
}

static void paths_are_joined_with_commas(void **state)
{
    static const char *const paths[] = { "apps", "base/one.yaml", NULL };
    world_free(*state);
    *state = world_new(&(struct world_opts){ .git_paths = paths });
    struct world_answer answer = world_ask(*state, "POST", "/api/flux/v9/git-repo-config", "false");
    assert_string_equal(val_text(VAL_PATH(answer.json, "remote", "path")), "apps,base/one.yaml");
}

/* --- the deploy key */

static void the_key_is_shown_with_its_fingerprints(void **state)
{
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v6/identity.pub", NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(
        answer.body,
        "{\"key\":\"ssh-ed25519 OLD flux\\n\",\"fingerprints\":{\"md5\":{\"hash\":\"aa:bb\","
        "\"randomart\":\"+--[MD5]--+\\n\"},\"sha256\":{\"hash\":\"x/y+z\",\"randomart\":"
        "\"+[SHA256]-+\\n\"}}}");
}

static void a_key_that_is_still_looked_for_is_waited_for(void **state)
{
    world_find_key_later(*state);
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v6/identity.pub", NULL);
    assert_string_equal(val_text(val_get(answer.json, "key")), "ssh-ed25519 OLD flux\n");
    world_find_key_later(*state);
    answer = world_ask(*state, "POST", "/api/flux/v9/git-repo-config", "false");
    assert_string_equal(val_text(VAL_PATH(answer.json, "publicSSHKey", "key")),
                        "ssh-ed25519 OLD flux\n");
}

static void a_new_key_is_made_on_request(void **state)
{
    struct world_answer answer = world_ask(*state, "POST", "/api/flux/v6/identity.pub", "");
    assert_int_equal(answer.status, 204);
    assert_int_equal(world_new_keys(*state), 1);
    answer = world_ask(*state, "POST", "/api/flux/v9/git-repo-config", "false");
    assert_int_equal(answer.status, 200);
    assert_int_equal(world_new_keys(*state), 1);
    answer = world_ask(*state, "POST", "/api/flux/v9/git-repo-config", "true");
    assert_int_equal(answer.status, 200);
    assert_string_equal(val_text(VAL_PATH(answer.json, "publicSSHKey", "key")),
                        "ssh-ed25519 NEW flux\n");
    assert_int_equal(world_new_keys(*state), 2);
}

static void a_key_that_cannot_be_made_is_an_error(void **state)
{
    world_fail_new_key(*state);
    struct world_answer answer = world_ask(*state, "POST", "/api/flux/v9/git-repo-config", "true");
    assert_int_equal(answer.status, 500);
    assert_string_equal(val_text(val_get(answer.json, "error")), "the Secret cannot be written");
}

static void without_a_key_ring_a_new_key_is_nothing_to_do(void **state)
{
    assert_int_equal(world_ask(*state, "POST", "/api/flux/v6/identity.pub", "").status, 204);
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v6/identity.pub", NULL);
    assert_string_equal(answer.body, "{\"key\":\"\",\"fingerprints\":null}");
}

/* --- serin's own */

static void the_status_tells_what_is_fetched(void **state)
{
    const char *head = world_commit(*state, "a.yaml", "{}");
    world_fetch(*state, head);
    struct world_answer answer = world_ask(*state, "GET", "/api/serin/v1/status", NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(val_text(VAL_PATH(answer.json, "git", "head")), head);
    assert_string_equal(val_text(VAL_PATH(answer.json, "git", "state")), "ready");
    assert_string_equal(val_text(VAL_PATH(answer.json, "git", "url")), world_url(*state));
    assert_string_equal(val_text(VAL_PATH(answer.json, "sync", "applied")), "");
    assert_true(val_is_null(val_get(answer.json, "commit")));
    assert_int_equal(val_len(val_get(answer.json, "failures")), 0);
    answer = world_ask(*state, "GET", "/api/serin/v1/objects", NULL);
    assert_string_equal(answer.body, "[]");
}

static void why_tells_where_a_commit_is(void **state)
{
    const char *first = world_commit(*state, "a.yaml", "{}");
    world_fetch(*state, first);
    struct world_answer answer = world_ask(*state, "GET", "/api/serin/v1/why?ref=main", NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(val_text(val_get(answer.json, "state")), "applying");
    assert_string_equal(val_text(VAL_PATH(answer.json, "commit", "sha")), first);
    assert_string_equal(val_text(VAL_PATH(answer.json, "commit", "subject")), "Change a.yaml");
    assert_string_equal(val_text(VAL_PATH(answer.json, "commit", "author")), "Jane");
    answer = world_ask(*state, "GET", "/api/serin/v1/why?ref=1234567", NULL);
    assert_string_equal(val_text(val_get(answer.json, "state")), "unknown");
    assert_true(val_is_null(val_get(answer.json, "commit")));
}

static void health_is_readiness_only_when_a_sync_has_ended(void **state)
{
    assert_int_equal(world_ask(*state, "GET", "/healthz", NULL).status, 200);
    struct world_answer answer = world_ask(*state, "GET", "/readyz", NULL);
    assert_int_equal(answer.status, 503);
    world_fetch(*state, world_commit(*state, "a.yaml", "{}"));
    answer = world_ask(*state, "GET", "/readyz", NULL);
    assert_int_equal(answer.status, 503);
    assert_non_null(strstr(answer.body, "the first sync has not ended yet"));
}

static void without_a_repository_there_is_nothing_to_wait_for(void **state)
{
    assert_int_equal(world_ask(*state, "GET", "/readyz", NULL).status, 200);
}

/* --- the end */

static void stop(struct world *world)
{
    api_stop(world_api(world));
}

static void who_waits_is_told_that_the_server_stops(void **state)
{
    world_hang(*state, "/version");
    struct world_answer answer = world_ask_while(*state, "/api/flux/v11/ping", stop);
    assert_int_equal(answer.status, 503);
    assert_string_equal(val_text(val_get(answer.json, "error")), "the server is shutting down");
    assert_int_equal(world_ask(*state, "GET", "/healthz", NULL).status, 503);
}

static void a_job_that_takes_too_long_fails(void **state)
{
    world_free(*state);
    *state = world_new(&(struct world_opts){ .job_timeout_ms = 1 });
    struct val *job = world_job(*state, sync_job);
    assert_string_equal(val_text(val_get(job, "StatusString")), "failed");
    assert_string_equal(val_text(val_get(job, "Err")), "the job took longer than --sync-timeout");
}

#define IN(fixture, name) cmocka_unit_test_setup_teardown(name, fixture, teardown)

static const struct CMUnitTest fixed[] = {
    IN(setup, the_version_is_a_json_text),
    IN(setup, a_ping_asks_the_api_server),
    IN(setup, the_help_of_a_missing_route_names_it_without_the_base),
    IN(setup, errors_come_as_text_to_who_does_not_ask_for_json),
    IN(setup, another_name_of_this_machine_is_refused),
    IN(setup, a_sync_job_fetches_and_tells_the_head),
    IN(setup_without_repository, a_sync_job_without_a_repository_fails),
    IN(setup, a_sync_job_of_a_repository_that_is_not_there_says_so),
    IN(setup, jobs_are_measured),
    IN(setup, metrics_may_have_a_listener_of_their_own),
    IN(setup, a_notification_of_a_push_fetches),
    IN(setup, a_notification_of_another_branch_of_ours_does_nothing),
    IN(setup, commits_that_are_not_applied_are_listed_newest_first),
    IN(setup, a_ref_that_is_none_is_told_in_the_words_of_git),
    IN(setup_without_repository, without_a_repository_no_commit_is_known),
    IN(setup, the_configuration_names_url_branch_and_state),
    IN(setup_without_repository, the_configuration_without_a_repository_has_the_words_of_flux),
    IN(setup, paths_are_joined_with_commas),
    IN(setup_with_identity, the_key_is_shown_with_its_fingerprints),
    IN(setup_with_identity, a_key_that_is_still_looked_for_is_waited_for),
    IN(setup_with_identity, a_new_key_is_made_on_request),
    IN(setup_with_identity, a_key_that_cannot_be_made_is_an_error),
    IN(setup, without_a_key_ring_a_new_key_is_nothing_to_do),
    IN(setup, the_status_tells_what_is_fetched),
    IN(setup, why_tells_where_a_commit_is),
    IN(setup, health_is_readiness_only_when_a_sync_has_ended),
    IN(setup_without_repository, without_a_repository_there_is_nothing_to_wait_for),
    IN(setup, who_waits_is_told_that_the_server_stops),
    IN(setup, a_job_that_takes_too_long_fails),
};

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(fixed) + ARRAY_LEN(refusal_cases)];
    memcpy(tests, fixed, sizeof(fixed));
    for (size_t i = 0; i < ARRAY_LEN(refusal_cases); i++)
        tests[ARRAY_LEN(fixed) + i] =
            (struct CMUnitTest){ .name = refusal_cases[i].name,
                                 .test_func = refusal_matches_case,
                                 .setup_func = setup_refusal,
                                 .teardown_func = teardown_refusal,
                                 .initial_state = (void *)&refusal_cases[i] };
    return cmocka_run_group_tests_name("api_http", tests, NULL, NULL);
}
