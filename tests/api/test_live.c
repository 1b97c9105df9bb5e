/* The API in front of a reconciler that works on a real cluster: what git says of live workloads, what holds a commit up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cluster.h"
#include "world.h"

/* A world, and the namespace that its repository declares. */
struct town {
    struct world *world;
    struct arena *mem;
    const char *ns;
};

static struct cluster *shared; /* of all tests: set once, in main */

static int set_up(void **state)
{
    struct town *town = base_alloc(sizeof(*town));
    town->mem = arena_new(ARENA_LIMIT_BYTES);
    town->world = world_new(&(struct world_opts){ .kubeconfig = cluster_kubeconfig(shared) });
    const char *dir = strrchr(world_url(town->world), '-') + 1; /* mkdtemp made it unique */
    char *ns = arena_printf(town->mem, "api-%d-%.6s", getpid(), dir);
    for (char *c = ns; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    town->ns = ns;
    *state = town;
    return 0;
}

static int tear_down(void **state)
{
    struct town *town = *state;
    (void)world_cluster(town->world, "DELETE",
                        arena_printf(town->mem, "/api/v1/namespaces/%s", town->ns), NULL);
    world_free(town->world);
    arena_free(town->mem);
    free(town);
    return 0;
}

static const char *namespace_yaml(struct town *town)
{
    return arena_printf(town->mem, "{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n",
                        town->ns);
}

/* A Deployment of no pods, with these annotations, whose selector is app: LABEL. */
static const char *deployment_yaml(struct town *town, const char *name, const char *annotations,
                                   const char *label)
{
    return arena_printf(
        town->mem,
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s, namespace: %s, annotations: "
        "{%s}}\n"
        "spec:\n  replicas: 0\n  selector: {matchLabels: {app: %s}}\n  template:\n    metadata: "
        "{labels: "
        "{app: %s}}\n    spec: {containers: [{name: c, image: 'quay.io/a/web:1'}]}\n",
        name, town->ns, annotations, label, label);
}

/* Commits, fetches and waits until it is applied. */
static const char *deploy(struct town *town, const char *path, const char *text)
{
    const char *sha = world_commit(town->world, path, text);
    world_fetch(town->world, sha);
    world_applied(town->world, sha);
    return sha;
}

static struct val *get(struct town *town, const char *fmt, const char *arg)
{
    SBUF(path, 512);
    const char *hole = strstr(fmt, "%s");
    sbuf_add_bytes(&path, fmt, (size_t)(hole - fmt));
    sbuf_add(&path, arg);
    sbuf_add(&path, hole + 2);
    struct world_answer answer = world_ask(town->world, "GET", sbuf_text(&path), NULL);
    assert_int_equal(answer.status, 200);
    return answer.json;
}

static const char *text_at(const struct val *map, const char *key)
{
    return val_text_or(val_get(map, key), "?");
}

static struct val *find(struct town *town, const struct val *list, const char *name)
{
    const char *id = arena_printf(town->mem, "%s:deployment/%s", town->ns, name);
    for (size_t i = 0; i < val_len(list); i++) {
        if (strcmp(text_at(val_item(list, i), "ID"), id) == 0)
            return val_item(list, i);
    }
    fail_msg("%s is not listed", id);
    return NULL;
}

static void a_workload_shows_what_git_says_of_it(void **state)
{
    struct town *town = *state;
    deploy(town, "ns.yaml", namespace_yaml(town));
    deploy(town, "web.yaml",
           deployment_yaml(town, "web", "fluxcd.io/automated: 'true', fluxcd.io/tag.c: 'glob:1.*'",
                           "web"));
    deploy(town, "idle.yaml", deployment_yaml(town, "idle", "fluxcd.io/ignore: 'true'", "idle"));
    static const char stranger[] = "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"replicas\":0,"
                                   "\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{"
                                   "\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{"
                                   "\"containers\":[{\"name\":\"c\",\"image\":\"x:1\"}]}}}}";
    const char *path = arena_printf(town->mem, "/apis/apps/v1/namespaces/%s/deployments", town->ns);
    static const char *const others[] = { "idle", "stranger" };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        SBUF(body, 512);
        const char *hole = strstr(stranger, "%s");
        sbuf_add_bytes(&body, stranger, (size_t)(hole - stranger));
        sbuf_add(&body, others[i]);
        sbuf_add(&body, hole + 2);
        assert_int_equal(world_cluster(town->world, "POST", path, sbuf_text(&body)), 201);
    }

    struct val *list = get(town, "/api/flux/v6/services?namespace=%s", town->ns);
    assert_int_equal(val_len(list), 3);
    const struct val *web = find(town, list, "web");
    assert_string_equal(text_at(web, "ReadOnly"), "");
    assert_string_equal(text_at(web, "SyncError"), "");
    assert_true(val_is_true(val_get(web, "Automated")));
    assert_string_equal(text_at(val_get(web, "Policies"), "tag.c"), "glob:1.*");
    assert_int_equal(val_len(val_get(web, "Policies")), 2);
    const struct val *idle = find(town, list, "idle");
    assert_true(val_is_true(val_get(idle, "Ignore")));
    assert_string_equal(text_at(idle, "ReadOnly"), "");
    const struct val *other = find(town, list, "stranger");
    assert_string_equal(text_at(other, "ReadOnly"), "NotInRepo");
    assert_int_equal(val_len(val_get(other, "Policies")), 0);
}

static void a_commit_is_held_up_by_its_own_objects_alone(void **state)
{
    struct town *town = *state;
    deploy(town, "ns.yaml", namespace_yaml(town));
    deploy(town, "web.yaml", deployment_yaml(town, "web", "", "web"));
    const char *bad =
        deploy(town, "web.yaml",
               deployment_yaml(town, "web", "", "changed")); /* a selector may not change */
    const char *good = deploy(
        town, "map.yaml",
        arena_printf(town->mem,
                     "{apiVersion: v1, kind: ConfigMap, metadata: {name: m, namespace: %s}}\n",
                     town->ns));

    struct val *why = get(town, "/api/serin/v1/why?ref=%s", bad);
    assert_string_equal(text_at(why, "state"), "held");
    assert_int_equal(val_len(val_get(why, "heldUpBy")), 1);
    const struct val *held = val_item(val_get(why, "heldUpBy"), 0);
    assert_string_equal(text_at(held, "id"),
                        arena_printf(town->mem, "%s:deployment/web", town->ns));
    assert_string_equal(text_at(held, "path"), "web.yaml");
    assert_string_equal(text_at(held, "outcome"), "failed");
    assert_non_null(strstr(text_at(held, "message"), "immutable"));
    why = get(town, "/api/serin/v1/why?ref=%s", good);
    assert_string_equal(text_at(why, "state"), "applied");
    assert_string_equal(text_at(why, "text"), "applied; objects of other commits are held up: 1");

    struct val *status = get(town, "/api/serin/v1/status%s", "");
    assert_int_equal(val_len(val_get(status, "failures")), 1);
    assert_string_equal(text_at(val_get(status, "commit"), "subject"), "Change map.yaml");
    assert_string_equal(text_at(val_get(status, "sync"), "applied"), good);
    struct val *list = get(town, "/api/flux/v6/services?namespace=%s", town->ns);
    assert_non_null(strstr(text_at(find(town, list, "web"), "SyncError"), "immutable"));
    list = get(town, "/api/serin/v1/objects?outcome=failed&namespace=%s", town->ns);
    assert_int_equal(val_len(list), 1);
    assert_string_equal(text_at(val_item(list, 0), "name"), "web");

    deploy(town, "web.yaml", deployment_yaml(town, "web", "", "web"));
    why = get(town, "/api/serin/v1/why?ref=%s", "HEAD");
    assert_string_equal(text_at(why, "text"), "applied");
}

static void a_file_that_cannot_be_read_holds_its_commit_and_hides_no_workload(void **state)
{
    struct town *town = *state;
    deploy(town, "ns.yaml", namespace_yaml(town));
    deploy(town, "web.yaml", deployment_yaml(town, "web", "", "web"));
    const char *broken = deploy(town, "broken.yaml", "a: {b\n");
    struct val *status = get(town, "/api/serin/v1/status%s", "");
    assert_int_equal(val_len(val_get(status, "problems")), 1);
    assert_string_equal(text_at(val_item(val_get(status, "problems"), 0), "path"), "broken.yaml");
    struct val *why = get(town, "/api/serin/v1/why?ref=%s", broken);
    assert_string_equal(text_at(why, "state"), "held");
    assert_string_equal(text_at(val_item(val_get(why, "heldUpBy"), 0), "path"), "broken.yaml");
    struct val *list = get(town, "/api/flux/v6/services?namespace=%s", town->ns);
    assert_int_equal(val_len(list), 1);
}

static void a_client_that_waits_for_a_sync_sees_it_end(void **state)
{
    struct town *town = *state;
    assert_int_equal(world_ask(town->world, "GET", "/readyz", NULL).status, 503);
    const char *first = world_commit(town->world, "ns.yaml", namespace_yaml(town));
    static const char *post[] = { "POST", "/api/flux/v9/update-manifests",
                                  "{\"type\":\"sync\",\"spec\":{}}" };
    struct val *job = world_job(town->world, post);
    assert_string_equal(text_at(val_get(job, "Result"), "revision"), first);
    const char *prefix = arena_strndup(town->mem, first, 7);
    size_t left = 1;
    for (int tries = 0; left && tries < 200; tries++) {
        left = val_len(get(town, "/api/flux/v6/sync?ref=%s", prefix));
        world_wait(town->world, 50);
    }
    assert_int_equal(left, 0);
    world_applied(town->world, first);
    assert_int_equal(world_ask(town->world, "GET", "/readyz", NULL).status, 200);
    const char *path = arena_printf(town->mem, "/api/v1/namespaces/%s", town->ns);
    assert_int_equal(world_cluster(town->world, "GET", path, NULL), 200);
}

static void everything_is_applied_again_on_request(void **state)
{
    struct town *town = *state;
    deploy(town, "ns.yaml", namespace_yaml(town));
    static const char *post[] = { "POST", "/api/serin/v1/sync?reapply=true", NULL };
    struct val *job = world_job(town->world, post);
    assert_string_equal(text_at(job, "StatusString"), "succeeded");
    for (int tries = 0; tries < 200; tries++) {
        struct world_answer metrics = world_ask_metrics(town->world, "/metrics");
        if (strstr(metrics.body, "flux_daemon_sync_duration_seconds_count{success=\"true\"} 2\n"))
            return;
        world_wait(town->world, 50);
    }
    fail_msg("there was no second sync");
}

#define IN_TOWN(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TOWN(a_workload_shows_what_git_says_of_it),
        IN_TOWN(a_commit_is_held_up_by_its_own_objects_alone),
        IN_TOWN(a_file_that_cannot_be_read_holds_its_commit_and_hides_no_workload),
        IN_TOWN(a_client_that_waits_for_a_sync_sees_it_end),
        IN_TOWN(everything_is_applied_again_on_request),
    };
    shared = cluster_new();
    if (!shared)
        return 77;
    int failed = cmocka_run_group_tests_name("api_live", tests, NULL, NULL);
    cluster_free(shared);
    return failed;
}
