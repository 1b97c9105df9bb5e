/* The store and the reconciler against a real API server, with its own controllers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "canary/canaries.h"
#include "canary/store.h"
#include "cluster.h"
#include "doc/object.h"
#include "doc/yaml.h"

#define CRDS_MAX ((size_t)4 << 20)

static struct cluster *shared; /* of all tests: set once, in main */

/* -- the definitions ---------------------------------------------------------------------------------------------------- */

static void apply_crd(struct cluster_bench *cb, const struct val *crd)
{
    size_t len;
    const char *json = val_json(cb->bench->mem, crd, &len);
    (void)cluster_ask(cb, &(struct kube_request){
                              .method = "PATCH",
                              .path = cluster_printf(
                                  cb, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/%s",
                                  object_name(crd)),
                              .query = "fieldManager=serin-tests&force=true",
                              .content_type = "application/apply-patch+yaml",
                              .body = json,
                              .body_len = len });
}

static void on_discovered(void *ctx, const struct err *e)
{
    assert_null(e);
    *(bool *)ctx = true;
}

static bool is_set(void *ctx)
{
    return *(bool *)ctx;
}

/* A server serves a new kind a moment after its definition is taken. */
static void need_kinds(struct cluster_bench *cb)
{
    char *text = arena_alloc(cb->bench->mem, CRDS_MAX);
    FILE *in = fopen(PROJECT "/deploy/crds.yaml", "r");
    assert_non_null(in);
    size_t len = fread(text, 1, CRDS_MAX - 1, in);
    (void)fclose(in);
    struct doc_yaml_list docs = { 0 };
    assert_null(doc_yaml_load(cb->bench->mem, text, len, &doc_yaml_default_limits, &docs, NULL));
    for (size_t i = 0; i < docs.len; i++) {
        if (docs.at[i].root)
            apply_crd(cb, docs.at[i].root);
    }
    for (int tries = 0; tries < 100; tries++) {
        bool is_done = false;
        kube_discovery_refresh(cb->discovery, on_discovered, &is_done);
        assert_true(bench_until(cb->bench, is_set, &is_done));
        if (kube_discovery_find(cb->discovery, CANARY_API_VERSION, "Canary") &&
            kube_discovery_find(cb->discovery, CANARY_API_VERSION, "AlertProvider"))
            return;
        bench_turn_for(cb->bench, 100);
    }
    fail_msg("the server does not serve Canaries");
}

static int set_up(void **state)
{
    struct cluster_bench *cb = cluster_bench_new(shared);
    need_kinds(cb);
    *state = cb;
    return 0;
}

static int tear_down(void **state)
{
    cluster_bench_free(*state);
    return 0;
}

/* -- the store ------------------------------------------------------------------------------------------------------------ */

struct watching {
    struct cluster_bench *cb;
    struct store *store;
    struct live_wants wants;
    const char *checksum;
    int changes;
};

static void on_change(void *ctx, const char *owner)
{
    assert_string_equal(owner, "web.test");
    ((struct watching *)ctx)->changes++;
}

static void on_canary(void *ctx, const char *ns, const char *name, bool is_gone)
{
    (void)ctx;
    (void)ns;
    (void)name;
    (void)is_gone;
}

static void on_synced(void *ctx)
{
    (void)ctx;
}

static bool is_known(void *ctx)
{
    struct watching *w = ctx;
    return store_look(w->store, w->cb->bench->mem, &w->wants, live_new(w->cb->bench->mem));
}

static struct live *look(struct watching *w)
{
    struct live *live = live_new(w->cb->bench->mem);
    assert_true(bench_until(w->cb->bench, is_known, w));
    assert_true(store_look(w->store, w->cb->bench->mem, &w->wants, live));
    return live;
}

static bool has_new_checksum(void *ctx)
{
    struct watching *w = ctx;
    struct live *live = live_new(w->cb->bench->mem);
    (void)store_look(w->store, w->cb->bench->mem, &w->wants, live);
    const char *now = live_checksum(live, "ConfigMap", w->cb->ns, "colors");
    return now && strcmp(now, w->checksum) != 0;
}

static void a_config_is_followed_by_its_checksum(void **state)
{
    struct cluster_bench *cb = *state;
    struct watching w = { .cb = cb, .wants = { .mem = cb->bench->mem } };
    const char *maps = cluster_printf(cb, "/api/v1/namespaces/%s/configmaps", cb->ns);
    (void)cluster_create(cb, maps, "tests",
                         "{\"metadata\":{\"name\":\"colors\"},\"data\":{\"color\":\"red\"}}");
    w.store = store_new(&(struct store_opts){
        .loop = cb->bench->loop,
        .log = &cb->bench->log,
        .kube = cb->bench->kube,
        .discovery = cb->discovery,
        .namespaces = (const char *const[]){ cb->ns, NULL },
        .on_change = on_change,
        .on_canary = on_canary,
        .on_synced = on_synced,
        .ctx = &w,
    });
    store_start(w.store);
    live_want(&w.wants, &(struct live_key){ .api_version = "v1",
                                            .kind = "ConfigMap",
                                            .ns = cb->ns,
                                            .name = "colors",
                                            .form = LIVE_CHECKSUM });
    live_want(&w.wants,
              &(struct live_key){
                  .api_version = "apps/v1", .kind = "Deployment", .ns = cb->ns, .name = "none" });
    store_want(w.store, "web.test", &w.wants);
    struct live *live = look(&w);
    w.checksum = live_checksum(live, "ConfigMap", cb->ns, "colors");
    assert_string_equal(w.checksum, "241889ca0604e333");
    assert_int_equal(live_state(live, "apps/v1", "Deployment", cb->ns, "none"), LIVE_ABSENT);
    (void)cluster_patch(cb, cluster_printf(cb, "%s/colors", maps), "tests",
                        "{\"data\":{\"color\":\"blue\"}}");
    assert_true(bench_until(cb->bench, has_new_checksum, &w));
    assert_true(w.changes > 0);
    store_free(w.store);
}

/* -- the reconciler ---------------------------------------------------------------------------------------------------------- */

struct run {
    struct cluster_bench *cb;
    struct canary_settings settings;
    struct kube_events *events;
    struct canaries *canaries;
    const char *namespaces[2];
    enum canary_phase wanted;
};

static void run_start(struct run *run, struct cluster_bench *cb)
{
    static const char *const labels[] = { "app", NULL }, *const none[] = { NULL };
    *run = (struct run){ .cb = cb,
                         .namespaces = { cb->ns, NULL },
                         .settings = { .mesh_provider = "kubernetes",
                                       .metrics_server = "",
                                       .selector_labels = labels,
                                       .include_label_prefixes = none,
                                       .ingress_prefix = "",
                                       .ingress_class = "",
                                       .cluster_name = "",
                                       .tracks_configs = true } };
    run->events = kube_events_new(&(struct kube_events_opts){ .kube = cb->bench->kube,
                                                              .loop = cb->bench->loop,
                                                              .log = &cb->bench->log,
                                                              .component = "flagger" });
    run->canaries = canaries_new(&(struct canaries_opts){ .loop = cb->bench->loop,
                                                          .log = &cb->bench->log,
                                                          .metrics = cb->bench->metrics,
                                                          .kube = cb->bench->kube,
                                                          .discovery = cb->discovery,
                                                          .events = run->events,
                                                          .http = cb->bench->http,
                                                          .settings = &run->settings,
                                                          .event_webhook = "",
                                                          .environ_list = none,
                                                          .namespaces = run->namespaces });
    canaries_start(run->canaries);
    canaries_act(run->canaries, true);
}

static void run_end(struct run *run)
{
    canaries_free(run->canaries);
    kube_events_free(run->events);
}

static bool has_phase(void *ctx)
{
    struct run *run = ctx;
    struct canaries_seen seen;
    if (canaries_len(run->canaries) != 1)
        return false;
    canaries_at(run->canaries, 0, &seen);
    return seen.phase == run->wanted;
}

static void wait_phase(struct run *run, enum canary_phase phase)
{
    run->wanted = phase;
    bool is_so = false;
    for (int tries = 0; !is_so && tries < 4; tries++) /* pods of a busy machine take their time */
        is_so = bench_until(run->cb->bench, has_phase, run);
    if (!is_so)
        fail_msg("never %s\n%s", canary_phase_name(phase), bench_log(run->cb->bench));
}

#define DEPLOYMENT(image)                                                                       \
    "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":2,\"selector\":{\"matchLabels\":{" \
    "\"app\":\"web\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{"    \
    "\"containers\":[{\"name\":\"c\",\"image\":\"" image "\"}]}}}}"
#define CANARY                                                                                     \
    "{\"apiVersion\":\"flagger.app/v1beta1\",\"kind\":\"Canary\",\"metadata\":{\"name\":\"web\"}," \
    "\"spec\":{\"provider\":\"kubernetes\",\"targetRef\":{\"apiVersion\":\"apps/v1\",\"kind\":"    \
    "\"Deployment\",\"name\":\"web\"},\"service\":{\"port\":80},\"analysis\":{\"interval\":"       \
    "\"10s\",\"threshold\":2,\"iterations\":1}}}"

/* From a Deployment to one whose new revision is analysed, with what a real server makes of our writes. */
static void a_canary_is_brought_up_and_sees_a_new_revision(void **state)
{
    struct cluster_bench *cb = *state;
    struct run run;
    const char *deployments = cluster_printf(cb, "/apis/apps/v1/namespaces/%s/deployments", cb->ns);
    const char *canaries =
        cluster_printf(cb, "/apis/flagger.app/v1beta1/namespaces/%s/canaries", cb->ns);
    (void)cluster_create(cb, deployments, "tests", DEPLOYMENT("podinfo:6.0.0"));
    (void)cluster_create(cb, canaries, "tests", CANARY);
    run_start(&run, cb);
    wait_phase(&run, CANARY_INITIALIZED);
    const struct val *target = cluster_get(cb, "%s/web", deployments);
    int64_t replicas = -1;
    assert_true(val_int(VAL_PATH(target, "spec", "replicas"), &replicas));
    assert_int_equal(replicas, 0);
    const struct val *service = cluster_get(cb, "/api/v1/namespaces/%s/services/web", cb->ns);
    assert_string_equal(val_text(VAL_PATH(service, "spec", "selector", "app")), "web-primary");
    const struct val *canary = cluster_get(cb, "%s/web", canaries);
    assert_string_equal(
        val_text(VAL_PATH(val_item(VAL_PATH(canary, "status", "conditions"), 0), "status")),
        "True");
    assert_non_null(val_text(VAL_PATH(canary, "status", "lastAppliedSpec")));
    (void)cluster_patch(
        cb, cluster_printf(cb, "%s/web", deployments), "tests",
        "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"revision\":\"2\"}}}}}");
    wait_phase(&run, CANARY_PROGRESSING);
    run_end(&run);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_config_is_followed_by_its_checksum),
        TEST(a_canary_is_brought_up_and_sees_a_new_revision),
    };
    shared = cluster_new();
    if (!shared)
        return 77;
    int failed = cmocka_run_group_tests_name("canary_live", tests, NULL, NULL);
    cluster_free(shared);
    return failed;
}
