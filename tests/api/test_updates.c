/* Updates of the repository, as clients ask for them: a commit with a note, or why there is none. The cluster is a table of
 * answers, registries are not read. */
#include <string.h>

#include "../rows.h"

#include "base/base.h"
#include "world.h"

#define DEPLOYMENT(name, image)                          \
    "# of " name "\n"                                    \
    "apiVersion: apps/v1\nkind: Deployment\n"            \
    "metadata:\n  name: " name "\n  namespace: demo\n"   \
    "spec:\n  template:\n    spec:\n      containers:\n" \
    "      - name: app\n        image: \"" image "\" # which it is\n"
#define LIVE(name, image)                                                                   \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"demo\"},\"spec\":{\"template\":{" \
    "\"spec\":{\"containers\":[{\"name\":\"app\",\"image\":\"" image "\"}]}}},\"status\":{}}"
#define LIST(items)                                                                                \
    "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":" \
    "[" items "]}"

#define UPDATE "/api/flux/v9/update-manifests"
#define BAD_FILTER(id)                                                 \
    "{\"type\":\"policy\",\"cause\":{\"User\":\"\",\"Message\":\"\"}," \
    "\"spec\":{\"" id "\":{\"add\":{\"tag_all\":\"semver:?\"}}}}"
#define LOCK(id)                                                                              \
    "{\"type\":\"policy\",\"cause\":{\"User\":\"Jane <jane@example.org>\",\"Message\":\"\"}," \
    "\"spec\":{\"" id "\":{\"add\":{\"locked\":\"true\"}}}}"
#define CONTAINERS(kind, current, target)                                                        \
    "{\"type\":\"containers\",\"cause\":{\"User\":\"\",\"Message\":\"as asked\"},\"spec\":{"     \
    "\"Kind\":\"" kind "\",\"ContainerSpecs\":{\"demo:deployment/web\":[{\"Container\":\"app\"," \
    "\"Current\":\"" current "\",\"Target\":\"" target                                           \
    "\"}]},\"SkipMismatches\":false,\"Force\":false}}"

static int setup(void **state)
{
    struct world *world = world_new(&(struct world_opts){ 0 });
    *state = world;
    world_commit(world, "web.yaml", DEPLOYMENT("web", "a/web:1"));
    world_fetch(world, world_commit(world, "other.yaml", DEPLOYMENT("other", "a/other:1")));
    world_serve(world, "/apis/apps/v1/namespaces/demo/deployments", 200,
                LIST(LIVE("web", "a/web:1") "," LIVE("other", "a/other:1")));
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static struct val *update(struct world *world, const char *body)
{
    return world_job(world, (const char *[]){ "POST", UPDATE, body });
}

static const char *head(struct world *world)
{
    return world_shell(world, "git -C repo.git rev-parse main");
}

static void check_failed(const struct val *job, const char *error)
{
    assert_string_equal(val_text(val_get(job, "StatusString")), "failed");
    assert_string_equal(val_text(val_get(job, "Err")), error);
    assert_int_equal(val_len(val_get(job, "Result")), 0);
}

static const char *status_of(const struct val *job, const char *id)
{
    return val_text_or(VAL_PATH(job, "Result", "result", id, "Status"), "none");
}

static void a_policy_is_a_commit_with_a_note(void **state)
{
    struct world *world = *state;
    const struct val *job = update(world, LOCK("demo:deployment/web"));
    assert_string_equal(val_text(val_get(job, "StatusString")), "succeeded");
    assert_string_equal(status_of(job, "demo:deployment/web"), "success");
    const char *revision = val_text(VAL_PATH(job, "Result", "revision"));
    assert_non_null(revision);
    assert_memory_equal(head(world), revision, strlen(revision));
    assert_non_null(strstr(world_shell(world, "git -C repo.git show main:web.yaml"),
                           "fluxcd.io/locked: 'true'"));
    assert_non_null(strstr(world_shell(world, "git -C repo.git show main:web.yaml"), "# of web"));
    assert_string_equal(world_shell(world, "git -C repo.git diff --name-only main~ main"),
                        "web.yaml\n");
    assert_string_equal(world_shell(world, "git -C repo.git log -1 --format=%s main"),
                        "Locked: demo:deployment/web\n");
    struct world_answer status = world_ask(world, "GET", "/api/serin/v1/status", NULL);
    assert_string_equal(val_text(VAL_PATH(status.json, "released", "revision")), revision);
    const char *note = world_shell(world, "git -C repo.git notes --ref flux show main");
    assert_non_null(strstr(note, "\"type\":\"policy\""));
    assert_non_null(strstr(note, "\"User\":\"Jane "));
}

static void nothing_to_do_is_no_commit(void **state)
{
    struct world *world = *state;
    update(world, LOCK("demo:deployment/web"));
    const char *before = head(world);
    const struct val *again = update(world, LOCK("demo:deployment/web"));
    assert_string_equal(val_text(val_get(again, "StatusString")), "succeeded");
    assert_string_equal(status_of(again, "demo:deployment/web"), "skipped");
    assert_null(VAL_PATH(again, "Result", "revision"));
    const struct val *unknown = update(world, LOCK("demo:deployment/nope"));
    assert_string_equal(val_text(val_get(unknown, "StatusString")), "succeeded");
    assert_string_equal(status_of(unknown, "demo:deployment/nope"), "skipped");
    assert_string_equal(head(world), before);
}

static void a_container_gets_the_image_that_is_asked_for(void **state)
{
    struct world *world = *state;
    const struct val *job = update(world, CONTAINERS("execute", "a/web:1", "a/web:2"));
    assert_string_equal(val_text(val_get(job, "Err")), "");
    assert_string_equal(status_of(job, "demo:deployment/web"), "success");
    assert_non_null(strstr(world_shell(world, "git -C repo.git show main:web.yaml"),
                           "image: \"a/web:2\" # which it is"));
    assert_string_equal(world_shell(world, "git -C repo.git log -1 --format=%s main"),
                        "as asked\n");
}

static void a_dry_run_changes_nothing(void **state)
{
    struct world *world = *state;
    const char *before = head(world);
    const struct val *job = update(world, CONTAINERS("plan", "a/web:1", "a/web:2"));
    assert_string_equal(val_text(val_get(job, "StatusString")), "succeeded");
    assert_string_equal(status_of(job, "demo:deployment/web"), "success");
    assert_null(VAL_PATH(job, "Result", "revision"));
    assert_string_equal(head(world), before);
}

/* Errors of a dry run come on its own request. */
static void what_cannot_be_done_says_why(void **state)
{
    struct world *world = *state;
    const char *before = head(world);
    check_failed(update(world, CONTAINERS("execute", "a/web:0", "a/web:2")),
                 "cannot satisfy specs");
    struct world_answer plan =
        world_ask(world, "POST", UPDATE, CONTAINERS("plan", "a/web:0", "a/web:2"));
    assert_int_equal(plan.status, 422);
    assert_string_equal(val_text(val_get(plan.json, "error")), "cannot satisfy specs");
    check_failed(update(world, CONTAINERS("execute", "a/web:1", "a/web:1")), "no changes found");
    assert_string_equal(head(world), before);
}

static void a_policy_that_cannot_be_set_says_of_which_workload(void **state)
{
    struct world *world = *state;
    const char *before = head(world), *error = "invalid tag pattern: \"semver:?\"";
    const struct val *job = update(world, BAD_FILTER("demo:deployment/web"));
    assert_string_equal(val_text(val_get(job, "StatusString")), "failed");
    assert_string_equal(val_text(val_get(job, "Err")), error);
    assert_string_equal(status_of(job, "demo:deployment/web"), "failed");
    assert_string_equal(val_text(VAL_PATH(job, "Result", "result", "demo:deployment/web", "Error")),
                        error);
    assert_string_equal(val_text(VAL_PATH(job, "Result", "spec", "type")), "policy");
    assert_null(VAL_PATH(job, "Result", "revision"));
    assert_string_equal(head(world), before);
}

/* What others push meanwhile is fetched first: the update goes on top of it. */
static void a_branch_that_went_on_is_followed(void **state)
{
    struct world *world = *state;
    const char *theirs = world_commit(world, "web.yaml", DEPLOYMENT("web", "a/web:1") "# theirs\n");
    const struct val *job = update(world, LOCK("demo:deployment/web"));
    assert_string_equal(val_text(val_get(job, "StatusString")), "succeeded");
    assert_memory_equal(world_shell(world, "git -C repo.git rev-parse main~"), theirs,
                        strlen(theirs));
    assert_non_null(strstr(world_shell(world, "git -C repo.git show main:web.yaml"), "# theirs"));
}

static void a_refused_push_fails_the_job(void **state)
{
    struct world *world = *state;
    const char *before = head(world);
    world_shell(world, "printf '#!/bin/sh\\necho no >&2; exit 1\\n' >repo.git/hooks/pre-receive; "
                       "chmod +x repo.git/hooks/pre-receive");
    const struct val *job = update(world, LOCK("demo:deployment/web"));
    assert_string_equal(val_text(val_get(job, "StatusString")), "failed");
    assert_non_null(strstr(val_text(val_get(job, "Err")), "pre-receive hook declined"));
    assert_string_equal(head(world), before);
    world_shell(world, "rm repo.git/hooks/pre-receive");
    job = update(world, LOCK("demo:deployment/web"));
    assert_string_equal(val_text(val_get(job, "StatusString")), "succeeded");
}

static int setup_hasty(void **state)
{
    struct world *world = world_new(&(struct world_opts){ .git_timeout_ms = 3000 });
    *state = world;
    world_fetch(world, world_commit(world, "web.yaml", DEPLOYMENT("web", "a/web:1")));
    return 0;
}

/* The server has taken the commit, but does not come to say so. */
static void a_push_that_was_cut_off_is_looked_for(void **state)
{
    struct world *world = *state;
    world_shell(world, "printf '#!/bin/sh\\nexec sleep 20\\n' >repo.git/hooks/post-receive; "
                       "chmod +x repo.git/hooks/post-receive");
    const struct val *job = update(world, LOCK("demo:deployment/web"));
    assert_string_equal(val_text(val_get(job, "Err")), "");
    const char *revision = val_text(VAL_PATH(job, "Result", "revision"));
    assert_non_null(revision);
    assert_memory_equal(head(world), revision, strlen(revision));
}

/* Another server's job, or one of an earlier run, is known by its note. */
static void a_job_is_found_in_the_notes(void **state)
{
    struct world *world = *state;
    world_shell(world,
                "git -C clone notes --ref flux add -m '{\"jobID\":\"of-old\",\"spec\":{\"type\":"
                "\"policy\"},\"result\":null}' HEAD && git -C clone push -q origin "
                "refs/notes/flux");
    world_fetch(world, world_commit(world, "more.yaml", ""));
    struct world_answer found = world_ask(world, "GET", "/api/flux/v6/jobs?id=of-old", NULL);
    assert_int_equal(found.status, 200);
    assert_string_equal(val_text(val_get(found.json, "StatusString")), "succeeded");
    const char *revision = val_text(VAL_PATH(found.json, "Result", "revision"));
    assert_memory_equal(world_shell(world, "git -C repo.git rev-parse main~"), revision,
                        strlen(revision));
    assert_int_equal(world_ask(world, "GET", "/api/flux/v6/jobs?id=of-ol", NULL).status, 404);
}

static void older_forms_do_the_same(void **state)
{
    struct world *world = *state;
    const struct val *job = world_job(
        world, (const char *[]){ "PATCH", "/api/flux/v6/policies?user=Old&message=why",
                                 "{\"demo:deployment/web\":{\"add\":{\"locked\":\"true\"}}}" });
    assert_string_equal(status_of(job, "demo:deployment/web"), "success");
    assert_string_equal(val_text(VAL_PATH(job, "Result", "spec", "cause", "User")), "Old");
    assert_non_null(strstr(world_shell(world, "git -C repo.git log -1 --format=%B main"), "why"));
    struct world_answer plan = world_ask(
        world, "POST",
        "/api/flux/v6/update-images?service=demo:deployment/web&image=%3Call%20latest%3E&kind=plan",
        "");
    assert_int_equal(plan.status, 200);
    assert_non_null(val_text(plan.json));
}

static int setup_readonly(void **state)
{
    struct world *world = world_new(&(struct world_opts){ .is_readonly = true });
    *state = world;
    world_fetch(world, world_commit(world, "web.yaml", DEPLOYMENT("web", "a/web:1")));
    return 0;
}

static void what_may_not_be_written_is_not(void **state)
{
    check_failed(update(*state, LOCK("demo:deployment/web")),
                 "cannot make a working clone of a read-only git repo");
}

#define IN_WORLD(fn) SINGLE_IN(fn, setup, teardown)

int main(void)
{
    static const struct rows tests[] = {
        IN_WORLD(a_policy_is_a_commit_with_a_note),
        IN_WORLD(nothing_to_do_is_no_commit),
        IN_WORLD(a_container_gets_the_image_that_is_asked_for),
        IN_WORLD(a_dry_run_changes_nothing),
        IN_WORLD(what_cannot_be_done_says_why),
        IN_WORLD(a_policy_that_cannot_be_set_says_of_which_workload),
        IN_WORLD(a_branch_that_went_on_is_followed),
        IN_WORLD(a_refused_push_fails_the_job),
        SINGLE_IN(a_push_that_was_cut_off_is_looked_for, setup_hasty, teardown),
        IN_WORLD(a_job_is_found_in_the_notes),
        IN_WORLD(older_forms_do_the_same),
        SINGLE_IN(what_may_not_be_written_is_not, setup_readonly, teardown),
    };
    return rows_run("api_updates", tests, ARRAY_LEN(tests));
}
