/* Live objects become workloads: images, rollouts, policies, and why one cannot be edited. */
#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "image/workload.h"

static struct val *parse(struct arena *mem, const char *json)
{
    struct val *v = NULL;
    assert_null(doc_json_parse(mem, json, strlen(json), &v));
    return v;
}

#define META "\"metadata\":{\"name\":\"web\",\"namespace\":\"demo\",\"generation\":2}"

static const struct status_case {
    const char *name, *kind, *object, *status;
    int64_t desired, updated, ready, available, outdated;
    const char *messages; /* NULL: none */
} status_cases[] = {
    { "a complete deployment is ready", "Deployment",
      "{" META ",\"spec\":{\"replicas\":2},\"status\":{\"observedGeneration\":2,\"replicas\":2,"
      "\"updatedReplicas\":2,"
      "\"readyReplicas\":2,\"availableReplicas\":2}}",
      "ready", 2, 2, 2, 2, 0, NULL },
    { "a deployment whose change was not seen has started", "Deployment",
      "{" META ",\"spec\":{\"replicas\":2},\"status\":{\"observedGeneration\":1,\"replicas\":2,"
      "\"updatedReplicas\":2,"
      "\"readyReplicas\":2,\"availableReplicas\":2}}",
      "started", 2, 2, 2, 2, 0, NULL },
    { "a deployment with old pods is updating", "Deployment",
      "{" META ",\"spec\":{\"replicas\":2},\"status\":{\"observedGeneration\":2,\"replicas\":3,"
      "\"updatedReplicas\":2,"
      "\"readyReplicas\":3,\"availableReplicas\":2}}",
      "updating", 2, 2, 3, 2, 1, NULL },
    { "a deployment without pods yet is updating", "Deployment",
      "{" META ",\"spec\":{\"replicas\":1},\"status\":{\"observedGeneration\":2}}", "updating", 1,
      0, 0, 0, 0, NULL },
    { "a deployment of none is ready", "Deployment",
      "{" META ",\"spec\":{\"replicas\":0},\"status\":{\"observedGeneration\":2}}", "ready", 0, 0,
      0, 0, 0, NULL },
    { "a deployment that does not progress is in error", "Deployment",
      "{" META ",\"spec\":{\"replicas\":1},\"status\":{\"observedGeneration\":2,\"conditions\":["
      "{\"type\":\"Available\",\"status\":\"True\",\"message\":\"no\"},"
      "{\"type\":\"Progressing\",\"status\":\"False\",\"message\":\"deadline\"},"
      "{\"type\":\"ReplicaFailure\",\"status\":\"True\",\"message\":\"quota\"}]}}",
      "error", 1, 0, 0, 0, 0, "[\"deadline\",\"quota\"]" },
    { "conditions that are well say nothing", "Deployment",
      "{" META ",\"spec\":{\"replicas\":0},\"status\":{\"observedGeneration\":2,\"conditions\":["
      "{\"type\":\"Progressing\",\"status\":\"True\",\"message\":\"x\"},"
      "{\"type\":\"ReplicaFailure\",\"status\":\"False\",\"message\":\"y\"}]}}",
      "ready", 0, 0, 0, 0, 0, NULL },
    { "a complete daemon set is ready", "DaemonSet",
      "{" META ",\"status\":{\"observedGeneration\":2,\"desiredNumberScheduled\":3,"
      "\"updatedNumberScheduled\":3,"
      "\"currentNumberScheduled\":3,\"numberReady\":3,\"numberAvailable\":3}}",
      "ready", 3, 3, 3, 3, 0, NULL },
    { "a daemon set with old pods is updating", "DaemonSet",
      "{" META ",\"status\":{\"observedGeneration\":2,\"desiredNumberScheduled\":3,"
      "\"updatedNumberScheduled\":1,"
      "\"currentNumberScheduled\":3,\"numberReady\":3,\"numberAvailable\":3}}",
      "updating", 3, 1, 3, 3, 2, NULL },
    { "a daemon set without nodes is ready", "DaemonSet",
      "{" META ",\"status\":{\"observedGeneration\":2}}", "ready", 0, 0, 0, 0, 0, NULL },
    { "a complete stateful set is ready", "StatefulSet",
      "{" META
      ",\"spec\":{\"replicas\":2,\"updateStrategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":"
      "{\"partition\":0}}},\"status\":{\"observedGeneration\":2,\"currentReplicas\":2,"
      "\"updatedReplicas\":2,"
      "\"readyReplicas\":2,\"currentRevision\":\"a\",\"updateRevision\":\"a\"}}",
      "ready", 2, 2, 2, 2, 0, NULL },
    { "a stateful set half way is updating", "StatefulSet",
      "{" META
      ",\"spec\":{\"replicas\":3},\"status\":{\"observedGeneration\":2,\"currentReplicas\":2,"
      "\"updatedReplicas\":1,\"readyReplicas\":3,\"currentRevision\":\"a\",\"updateRevision\":"
      "\"b\"}}",
      "updating", 3, 1, 3, 3, 2, NULL },
    { "a stateful set with a partition needs only the rest", "StatefulSet",
      "{" META
      ",\"spec\":{\"replicas\":3,\"updateStrategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":"
      "{\"partition\":2}}},\"status\":{\"observedGeneration\":2,\"currentReplicas\":2,"
      "\"updatedReplicas\":1,"
      "\"readyReplicas\":3,\"currentRevision\":\"a\",\"updateRevision\":\"b\"}}",
      "ready", 1, 1, 3, 3, 0, NULL },
    { "a partition beyond the replicas leaves none to update", "StatefulSet",
      "{" META
      ",\"spec\":{\"replicas\":1,\"updateStrategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":"
      "{\"partition\":5}}},\"status\":{\"observedGeneration\":2,\"readyReplicas\":1,"
      "\"currentReplicas\":1,"
      "\"currentRevision\":\"a\",\"updateRevision\":\"b\"}}",
      "ready", 0, 0, 1, 1, 0, NULL },
    { "a cron job is always ready", "CronJob", "{" META "}", "ready", 0, 0, 0, 0, 0, NULL },
    { "a Helm release says its status itself", "HelmRelease",
      "{" META ",\"status\":{\"observedGeneration\":1,\"releaseStatus\":\"deployed\"}}", "deployed",
      0, 0, 0, 0, 0, NULL },
    { "a Helm release that was not seen yet has no status", "HelmRelease", "{" META "}", "", 0, 0,
      0, 0, 0, NULL },
};

static void status_matches_case(void **state)
{
    const struct status_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_workload workload;
    image_workload_read(mem, c->kind, parse(mem, c->object), &workload);
    assert_string_equal(workload.status, c->status);
    assert_int_equal(workload.rollout.desired, c->desired);
    assert_int_equal(workload.rollout.updated, c->updated);
    assert_int_equal(workload.rollout.ready, c->ready);
    assert_int_equal(workload.rollout.available, c->available);
    assert_int_equal(workload.rollout.outdated, c->outdated);
    if (c->messages)
        assert_string_equal(val_json(mem, workload.rollout.messages, NULL), c->messages);
    else
        assert_null(workload.rollout.messages);
}

static const struct image_workload_source in_git = {
    .is_configured = true, .is_ready = true, .is_in_repo = true, .sync_error = ""
};

static const struct read_only_case {
    const char *name, *ns;
    bool is_configured, is_ready, is_readonly, is_in_repo;
    const char *reason;
} read_only_cases[] = {
    { "what is in git can be edited", "demo", true, true, false, true, "" },
    { "what is not in git cannot", "demo", true, true, false, false, "NotInRepo" },
    { "not in git comes before read-only", "demo", true, true, true, false, "NotInRepo" },
    { "nothing can be edited read-only", "demo", true, true, true, true, "ReadOnlyMode" },
    { "nothing can be edited without a repository", "demo", false, false, false, false, "NoRepo" },
    { "nothing can be edited while git is not ready", "demo", true, false, false, true,
      "NotReady" },
    { "the system's own objects are left alone", "kube-system", true, true, false, true, "System" },
};

static void read_only_matches_case(void **state)
{
    const struct read_only_case *c = *state;
    struct image_workload workload = { .ns = c->ns };
    struct image_workload_source source = { .is_configured = c->is_configured,
                                            .is_ready = c->is_ready,
                                            .is_readonly = c->is_readonly,
                                            .is_in_repo = c->is_in_repo };
    assert_string_equal(image_workload_read_only(&workload, &source), c->reason);
}

static void a_workload_has_the_shape_of_flux(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_workload workload;
    image_workload_read(
        mem, "Deployment",
        parse(mem, "{\"metadata\":{\"name\":\"web\",\"namespace\":\"demo\",\"generation\":1,"
                   "\"labels\":{\"team\":\"red\",\"app\":\"web\"}},"
                   "\"spec\":{\"replicas\":1,\"template\":{\"spec\":{\"initContainers\":[{\"name\":"
                   "\"init\",\"image\":\"init:1\"}],\"containers\":[{\"name\":\"web\",\"image\":"
                   "\"quay.io/a/web:1\"}]}}},\"status\":{\"observedGeneration\":1}}"),
        &workload);
    struct image_workload_source source = in_git;
    source.annotations =
        parse(mem, "{\"fluxcd.io/automated\":\"true\",\"fluxcd.io/tag.web\":\"glob:*\"}");
    source.sync_error = "refused";
    assert_string_equal(
        val_json(mem, image_workload_json(mem, &workload, &source), NULL),
        "{\"ID\":\"demo:deployment/"
        "web\",\"Containers\":[{\"Name\":\"web\",\"Current\":{\"ID\":\"quay.io/a/web:1\","
        "\"Labels\":{}},\"LatestFiltered\":{\"ID\":\"\",\"Labels\":{}}},{\"Name\":\"init\","
        "\"Current\":{\"ID\":\"init:1\","
        "\"Labels\":{}},\"LatestFiltered\":{\"ID\":\"\",\"Labels\":{}}}],\"ReadOnly\":\"\","
        "\"Status\":\"updating\","
        "\"Rollout\":{\"Desired\":1,\"Updated\":0,\"Ready\":0,\"Available\":0,\"Outdated\":0,"
        "\"Messages\":null},"
        "\"SyncError\":\"refused\",\"Antecedent\":\"\",\"Labels\":{\"app\":\"web\",\"team\":"
        "\"red\"},\"Automated\":true,"
        "\"Locked\":false,\"Ignore\":false,\"Policies\":{\"automated\":\"true\",\"tag.web\":\"glob:"
        "*\"}}");
}

static void an_image_that_cannot_be_parsed_hides_all_containers(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_workload workload;
    image_workload_read(
        mem, "CronJob",
        parse(
            mem,
            "{\"metadata\":{\"name\":\"n\",\"namespace\":\"d\",\"annotations\":"
            "{\"helm.fluxcd.io/antecedent\":\"d:helmrelease/r\"}},\"spec\":{\"jobTemplate\":{"
            "\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"a:1\"},"
            "{\"name\":\"b\",\"image\":\"b:1:2\"}]}}}}}}"),
        &workload);
    assert_int_equal(workload.containers.len, 0);
    struct val *v = image_workload_json(mem, &workload, &in_git);
    assert_true(val_is_null(val_get(v, "Containers")));
    assert_true(val_is_null(val_get(v, "Labels")));
    assert_string_equal(val_text(val_get(v, "ID")), "d:cronjob/n");
    assert_string_equal(val_text(val_get(v, "Antecedent")), "d:helmrelease/r");
}

/* An item of a list: it need not say its kind. */
static void a_helm_release_has_the_images_of_its_values(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_workload workload;
    image_workload_read(
        mem, "HelmRelease",
        parse(mem, "{\"metadata\":{\"name\":\"r\",\"namespace\":\"d\"},\"spec\":{\"values\":{"
                   "\"side\":{\"image\":\"a/b\",\"tag\":\"2\"},\"broken\":{\"image\":\"a:1:2\"},"
                   "\"image\":{\"registry\":\"quay.io\",\"repository\":\"x/y\",\"tag\":\"1\"}}}}"),
        &workload);
    assert_string_equal(workload.id, "d:helmrelease/r");
    assert_int_equal(workload.containers.len, 2);
    assert_string_equal(workload.containers.at[0].name, "chart-image");
    assert_string_equal(workload.containers.at[0].image, "quay.io/x/y:1");
    assert_string_equal(workload.containers.at[1].name, "side");
    assert_string_equal(workload.containers.at[1].image, "a/b:2");
}

static void parts_of_the_cluster_itself_are_hidden(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const struct {
        const char *object;
        bool is_hidden;
    } rows[] = {
        { "{\"metadata\":{\"namespace\":\"kube-system\",\"labels\":{\"kubernetes.io/"
          "cluster-service\":\"true\"}}}",
          true },
        { "{\"metadata\":{\"namespace\":\"kube-system\",\"labels\":{\"addonmanager.kubernetes.io/"
          "mode\":\"Reconcile\"}}}",
          true },
        { "{\"metadata\":{\"namespace\":\"kube-system\",\"labels\":{\"addonmanager.kubernetes.io/"
          "mode\":"
          "\"EnsureExists\"}}}",
          true },
        { "{\"metadata\":{\"namespace\":\"kube-system\",\"labels\":{\"kubernetes.io/"
          "cluster-service\":\"false\"}}}",
          false },
        { "{\"metadata\":{\"namespace\":\"kube-system\"}}", false },
        { "{\"metadata\":{\"namespace\":\"demo\",\"labels\":{\"kubernetes.io/"
          "cluster-service\":\"true\"}}}",
          false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(image_workload_is_hidden(parse(mem, rows[i].object)), rows[i].is_hidden);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(a_workload_has_the_shape_of_flux),
        SINGLE(an_image_that_cannot_be_parsed_hides_all_containers),
        SINGLE(a_helm_release_has_the_images_of_its_values),
        SINGLE(parts_of_the_cluster_itself_are_hidden),
        ROWS(status_cases, status_matches_case),
        ROWS(read_only_cases, read_only_matches_case),
    };
    return rows_run("image_workload", tests, ARRAY_LEN(tests));
}
