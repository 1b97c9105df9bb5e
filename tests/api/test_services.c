/* Workloads are listed from the cluster as it is now: by ID, within the namespaces that are allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "world.h"

#define LIST(items)                                                                                \
    "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":" \
    "[" items "]}"
#define DEPLOYMENT(ns, name)                                                \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"" ns              \
    "\",\"generation\":1},\"spec\":{\"replicas\":1,\"template\":{"          \
    "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"quay.io/a/" name \
    ":1\"}]}}},\"status\":{\"observedGeneration\":1,"                       \
    "\"replicas\":1,\"updatedReplicas\":1,\"readyReplicas\":1,\"availableReplicas\":1}}"
#define CRON_JOB(ns, name)                                     \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"" ns \
    "\"},\"spec\":{\"jobTemplate\":{\"spec\":{\"template\":{"  \
    "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"job:1\"}]}}}}}}"
#define FORBIDDEN \
    "{\"kind\":\"Status\",\"message\":\"forbidden\",\"reason\":\"Forbidden\",\"code\":403}"

static const char *const kinds[] = { "/apis/batch/v1%s/cronjobs", "/apis/apps/v1%s/daemonsets",
                                     "/apis/apps/v1%s/deployments",
                                     "/apis/apps/v1%s/statefulsets" };

/* The same answer for every kind of workload in a namespace ("": in all). */
static void serve_all(struct world *world, const char *ns, int status, const char *body)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const char *place = strstr(kinds[i], "%s");
        SBUF(path, 256);
        sbuf_add_bytes(&path, kinds[i], (size_t)(place - kinds[i]));
        if (*ns)
            sbuf_addf(&path, "/namespaces/%s", ns);
        sbuf_add(&path, place + 2);
        world_serve(world, sbuf_text(&path), status, body);
    }
}

static int setup(void **state)
{
    *state = world_new(&(struct world_opts){ 0 });
    serve_all(*state, "", 200, LIST(""));
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* IDs of an answer, joined with blanks. */
static void check_ids(const struct world_answer *answer, const char *ids)
{
    assert_int_equal(answer->status, 200);
    SBUF(found, 4096);
    for (size_t i = 0; i < val_len(answer->json); i++)
        sbuf_addf(&found, "%s%s", i ? " " : "",
                  val_text_or(val_get(val_item(answer->json, i), "ID"), "?"));
    assert_string_equal(sbuf_text(&found), ids);
}

static void without_workloads_the_list_is_null(void **state)
{
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v6/services?namespace=", NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, "application/json; charset=utf-8");
    assert_string_equal(answer.body, "null");
}

static void workloads_of_all_kinds_are_sorted_by_id(void **state)
{
    world_serve(*state, "/apis/apps/v1/deployments", 200,
                LIST(DEPLOYMENT("demo", "web") "," DEPLOYMENT("alpha", "web") "," DEPLOYMENT(
                    "demo", "api")));
    world_serve(*state, "/apis/batch/v1/cronjobs", 200, LIST(CRON_JOB("demo", "nightly")));
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v11/services", NULL);
    check_ids(&answer,
              "alpha:deployment/web demo:cronjob/nightly demo:deployment/api demo:deployment/web");
    const struct val *first = val_item(answer.json, 0);
    assert_string_equal(val_text(val_get(first, "Status")), "ready");
    assert_string_equal(
        val_text(VAL_PATH(val_item(val_get(first, "Containers"), 0), "Current", "ID")),
        "quay.io/a/web:1");
}

static void the_image_that_runs_is_named_also_where_no_tags_are_known(void **state)
{
    world_serve(*state, "/apis/apps/v1/deployments", 200, LIST(DEPLOYMENT("demo", "web")));
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v10/images", NULL);
    const struct val *container = val_item(val_get(val_item(answer.json, 0), "Containers"), 0);
    assert_string_equal(val_text(VAL_PATH(container, "Current", "ID")), "quay.io/a/web:1");
    assert_string_equal(val_text(VAL_PATH(container, "LatestFiltered", "ID")), "");
    answer = world_ask(*state, "GET", "/api/flux/v10/images?containerFields=Name", NULL);
    container = val_item(val_get(val_item(answer.json, 0), "Containers"), 0);
    assert_string_equal(val_text(VAL_PATH(container, "Current", "ID")), "");
}

static void what_is_not_in_the_repository_cannot_be_edited(void **state)
{
    world_serve(*state, "/apis/apps/v1/deployments", 200, LIST(DEPLOYMENT("demo", "web")));
    world_fetch(*state, world_commit(*state, "a.yaml", "{}"));
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v11/services", NULL);
    assert_string_equal(val_text(val_get(val_item(answer.json, 0), "ReadOnly")), "NotInRepo");
    assert_int_equal(val_len(val_get(val_item(answer.json, 0), "Policies")), 0);
}

static void without_a_repository_nothing_can_be_edited(void **state)
{
    world_free(*state);
    *state = world_new(&(struct world_opts){ .no_repository = true });
    serve_all(*state, "", 200, LIST(""));
    world_serve(*state, "/apis/apps/v1/deployments", 200, LIST(DEPLOYMENT("demo", "web")));
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v11/services", NULL);
    assert_string_equal(val_text(val_get(val_item(answer.json, 0), "ReadOnly")), "NoRepo");
}

static void one_namespace_is_asked_for_alone(void **state)
{
    serve_all(*state, "demo", 200, LIST(""));
    world_serve(*state, "/apis/apps/v1/namespaces/demo/deployments", 200,
                LIST(DEPLOYMENT("demo", "web")));
    world_serve(*state, "/apis/apps/v1/deployments", 200, LIST(DEPLOYMENT("other", "web")));
    struct world_answer answer =
        world_ask(*state, "GET", "/api/flux/v6/services?namespace=demo", NULL);
    check_ids(&answer, "demo:deployment/web");
}

static void a_namespace_that_is_no_name_is_not_asked_for(void **state)
{
    static const char *const names[] = { "..%2F..%2Fsecrets", "a%2Fb", "A", "%00", "x%3Flimit=1" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        SBUF(path, 256);
        sbuf_addf(&path, "/api/flux/v6/services?namespace=%s", names[i]);
        struct world_answer answer = world_ask(*state, "GET", sbuf_text(&path), NULL);
        if (strcmp(names[i], "%00") !=
            0) /* no name at all: everything, of which there is nothing */
            assert_string_equal(world_asked(*state), "");
        assert_string_equal(answer.body, "null");
    }
}

static void one_workload_is_asked_for_by_its_name(void **state)
{
    world_serve(*state, "/apis/apps/v1/namespaces/demo/deployments?fieldSelector=metadata.name=web",
                200, LIST(DEPLOYMENT("demo", "web")));
    struct world_answer answer = world_ask(
        *state, "GET", "/api/flux/v11/services?services=demo:deployment/web&namespace=", NULL);
    check_ids(&answer, "demo:deployment/web");
}

static void several_workloads_of_a_kind_are_picked_from_one_list(void **state)
{
    world_serve(
        *state, "/apis/apps/v1/namespaces/demo/deployments", 200,
        LIST(DEPLOYMENT("demo", "web") "," DEPLOYMENT("demo", "api") "," DEPLOYMENT("demo", "db")));
    world_serve(*state, "/apis/batch/v1/namespaces/demo/cronjobs", 200,
                LIST(CRON_JOB("demo", "nightly")));
    struct world_answer answer =
        world_ask(*state, "GET",
                  "/api/flux/v11/services?services=demo:deployment/web,demo:Deployment/"
                  "db,demo:cronjob/nightly,"
                  "demo:deployment/nope,demo:configmap/x,demo/legacy,%3Ccluster%3E:deployment/x",
                  NULL);
    check_ids(&answer, "demo:cronjob/nightly demo:deployment/db demo:deployment/web");
}

static void only_allowed_namespaces_are_asked_for(void **state)
{
    static const char *const allowed[] = { "mine", "not-there", NULL };
    world_free(*state);
    *state = world_new(&(struct world_opts){ .allowed_ns = allowed });
    serve_all(*state, "mine", 200, LIST(""));
    serve_all(*state, "not-there", 200, LIST(""));
    world_serve(*state, "/apis/apps/v1/namespaces/mine/deployments", 200,
                LIST(DEPLOYMENT("mine", "web")));
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v6/services", NULL);
    check_ids(&answer, "mine:deployment/web");
    answer = world_ask(*state, "GET", "/api/flux/v6/services?namespace=foreign", NULL);
    assert_string_equal(answer.body, "null");
    answer = world_ask(*state, "GET",
                       "/api/flux/v11/services?services=foreign:deployment/web,mine:deployment/web",
                       NULL);
    check_ids(&answer, "mine:deployment/web");
}

static void a_kind_that_may_not_be_listed_is_left_out(void **state)
{
    world_serve(*state, "/apis/batch/v1/cronjobs", 403, FORBIDDEN);
    world_serve(*state, "/apis/apps/v1/deployments", 200, LIST(DEPLOYMENT("demo", "web")));
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v6/services", NULL);
    check_ids(&answer, "demo:deployment/web");
}

static void when_nothing_may_be_listed_that_is_an_error(void **state)
{
    serve_all(*state, "", 403, FORBIDDEN);
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v6/services", NULL);
    assert_int_equal(answer.status, 500);
    assert_non_null(strstr(val_text_or(val_get(answer.json, "error"), ""), "forbidden"));
}

static void an_api_server_in_trouble_is_an_error(void **state)
{
    world_serve(*state, "/apis/apps/v1/daemonsets", 500,
                "{\"kind\":\"Status\",\"message\":\"etcd is "
                "gone\",\"reason\":\"InternalError\",\"code\":500}");
    struct world_answer answer = world_ask(*state, "GET", "/api/flux/v6/services", NULL);
    assert_int_equal(answer.status, 500);
    assert_string_equal(val_text(val_get(answer.json, "type")), "server");
}

static void stop(struct world *world)
{
    api_stop(world_api(world));
}

static void a_list_that_hangs_ends_with_the_server(void **state)
{
    world_hang(*state, "/apis/apps/v1/deployments");
    struct world_answer answer = world_ask_while(*state, "/api/flux/v6/services", stop);
    assert_int_equal(answer.status, 503);
}

#define IN_WORLD(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(without_workloads_the_list_is_null),
        IN_WORLD(workloads_of_all_kinds_are_sorted_by_id),
        IN_WORLD(the_image_that_runs_is_named_also_where_no_tags_are_known),
        IN_WORLD(what_is_not_in_the_repository_cannot_be_edited),
        IN_WORLD(without_a_repository_nothing_can_be_edited),
        IN_WORLD(one_namespace_is_asked_for_alone),
        IN_WORLD(a_namespace_that_is_no_name_is_not_asked_for),
        IN_WORLD(one_workload_is_asked_for_by_its_name),
        IN_WORLD(several_workloads_of_a_kind_are_picked_from_one_list),
        IN_WORLD(only_allowed_namespaces_are_asked_for),
        IN_WORLD(a_kind_that_may_not_be_listed_is_left_out),
        IN_WORLD(when_nothing_may_be_listed_that_is_an_error),
        IN_WORLD(an_api_server_in_trouble_is_an_error),
        IN_WORLD(a_list_that_hangs_ends_with_the_server),
    };
    return cmocka_run_group_tests_name("api_services", tests, NULL, NULL);
}
