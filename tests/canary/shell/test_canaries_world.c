/* What the reconciler does about refusals, about others who write, about many canaries and about two clusters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "doc/object.h"
#include "lab.h"

/* -- refusals -------------------------------------------------------------------------------------------------------------- */

static void a_status_that_conflicts_is_written_from_the_newest(void **state)
{
    (void)state;
    struct lab *lab = lab_web();
    fake_refuse(lab->fake, "PUT /apis/flagger.app/v1beta1/namespaces/a/canaries/web/status", 409,
                "modified", 3);
    lab_start(lab);
    lab_wait_phase(lab, "web", "Initialized");
    assert_int_equal(lab_count(lab, "GET /apis/flagger.app/v1beta1/namespaces/a/canaries/web"), 3);
    assert_int_equal(lab_count_logged(lab, "failed after retries"), 0);
    lab_free(lab);
}

static void a_status_that_conflicts_four_times_ends_the_tick(void **state)
{
    (void)state;
    struct lab *lab = lab_web();
    fake_refuse(lab->fake, "PUT /apis/flagger.app/v1beta1/namespaces/a/canaries/web/status", 409,
                "modified", 4);
    lab_start(lab);
    lab_wait_logged(lab, "failed after retries: updating canary web.a status failed: modified");
    lab_free(lab);
}

static void a_refusal_is_an_event_in_the_servers_words(void **state)
{
    (void)state;
    struct lab *lab = lab_web();
    fake_refuse(lab->fake, "POST /api/v1/namespaces/a/services", 403, "services is forbidden", 1);
    lab_start(lab);
    lab_wait_logged(lab, "service web-canary.a create error: services is forbidden\"");
    lab_free(lab);
}

#define WITH_CONFIG ", envFrom: [{configMapRef: {name: colors}}]"
#define COLORS                                                                                 \
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: colors, namespace: a}, data: {color: " \
    "red}}"

static void configs_are_copied_and_watched(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(COLORS, TARGET("web", WITH_CONFIG), CANARY("web", ""));
    lab_start(lab);
    lab_wait_phase(lab, "web", "Initialized");
    const struct val *copy =
        fake_get(lab->fake, lab->bench->mem, "ConfigMap", "a", "colors-primary");
    assert_string_equal(val_text(VAL_PATH(copy, "data", "color")), "red");
    assert_int_equal(lab_count(lab, "PUT /api/v1/namespaces/a/configmaps/colors-primary"), 1);
    assert_int_equal(lab_count(lab, "POST /api/v1/namespaces/a/configmaps"), 1);
    const struct val *canary = fake_get(lab->fake, lab->bench->mem, "Canary", "a", "web");
    assert_string_equal(val_text(VAL_PATH(canary, "status", "trackedConfigs", "configmap/colors")),
                        "241889ca0604e333");
    fake_put(lab->fake, "{apiVersion: v1, kind: ConfigMap, metadata: {name: colors, namespace: a}, "
                        "data: {color: blue}}");
    lab_wait_phase(lab, "web", "Progressing");
    lab_wait_logged(lab, "configmap colors has changed");
    lab_free(lab);
}

static void what_cannot_be_read_is_told(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(COLORS, TARGET("web", WITH_CONFIG), CANARY("web", ""));
    fake_refuse(lab->fake, "GET /api/v1/namespaces/a/configmaps/colors", 403, "not for you", 1);
    lab_start(lab);
    lab_wait_logged(lab, "ConfigMap colors.a cannot be read: not for you");
    lab_wait_phase(lab, "web", "Initialized");
    lab_free(lab);
}

/* -- what others do --------------------------------------------------------------------------------------------------------- */

static const char hijacked[] =
    "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: a}, spec: {type: ClusterIP, "
    "selector: {app: thief}, ports: [{name: http, port: 80, targetPort: 80, protocol: TCP}]}}";

static bool has_selector(void *ctx)
{
    struct lab *lab = ctx;
    return !strcmp(lab_selector(lab, lab->name), lab->wanted);
}

static void what_is_changed_by_hand_is_repaired(void **state)
{
    (void)state;
    struct lab *lab = lab_up();
    bench_turn_for(lab->bench, 300);
    fake_put(lab->fake, hijacked);
    lab->name = "web";
    lab->wanted = "web-primary";
    assert_true(bench_until(lab->bench, has_selector, lab));
    lab_free(lab);
}

static void who_undoes_repairs_is_not_raced(void **state)
{
    (void)state;
    struct lab *lab = lab_up();
    int64_t end_ms = loop_now_ms(lab->bench->loop) + 3000;
    while (loop_now_ms(lab->bench->loop) < end_ms) {
        if (strcmp(lab_selector(lab, "web"), "thief") != 0)
            fake_put(lab->fake, hijacked);
        bench_turn_for(lab->bench, 10);
    }
    size_t repairs = lab_count(lab, "PUT /api/v1/namespaces/a/services/web");
    assert_in_range(repairs, 2, 7); /* at once it would be hundreds */
    lab_free(lab);
}

static void what_sync_must_leave_alone_is_known(void **state)
{
    (void)state;
    struct lab *lab = lab_up();
    const struct canaries *all = lab->canaries;
    assert_int_equal(canaries_owned(all, "apps/v1", "Deployment", "a", "web"),
                     CANARY_OWNS_REPLICAS);
    assert_int_equal(canaries_owned(all, "v1", "Service", "a", "web"), CANARY_OWNS_SELECTOR);
    assert_int_equal(canaries_owned(all, "apps/v1", "Deployment", "a", "other"), 0);
    assert_int_equal(canaries_owned(all, "apps/v1", "Deployment", "b", "web"), 0);
    fake_delete(lab->fake, "Canary", "a", "web");
    lab_wait_len(lab, 0);
    assert_int_equal(canaries_owned(all, "apps/v1", "Deployment", "a", "web"), 0);
    lab_free(lab);
}

/* -- many ------------------------------------------------------------------------------------------------------------------- */

static size_t count_phase(struct lab *lab, enum canary_phase phase)
{
    size_t found = 0;
    for (size_t i = 0; i < canaries_len(lab->canaries); i++) {
        struct canaries_seen seen;
        canaries_at(lab->canaries, i, &seen);
        found += seen.phase == phase;
    }
    return found;
}

static bool are_initialized(void *ctx)
{
    struct lab *lab = ctx;
    return count_phase(lab, CANARY_INITIALIZED) == lab->count;
}

static void many_at_once_take_turns(void **state)
{
    (void)state;
    enum { MANY = 20 };
    struct lab *lab = lab_begin();
    lab_make(lab, 4, NULL, NULL);
    for (int i = 0; i < MANY; i++) {
        struct arena *mem = lab->bench->mem;
        fake_put(lab->fake, arena_printf(mem, TARGET("app-%d", ""), i, i, i));
        fake_put(lab->fake, arena_printf(mem, CANARY("app-%d", ""), i, i));
    }
    fake_hold(lab->fake, "PUT /apis/flagger.app");
    lab_start(lab);
    lab_wait_requests(lab, "PUT /apis/flagger.app", 4);
    bench_turn_for(lab->bench, 200);
    assert_int_equal(lab_count(lab, "PUT /apis/flagger.app"), 4);
    fake_hold(lab->fake, NULL);
    lab->count = MANY;
    assert_true(bench_until(lab->bench, are_initialized, lab));
    assert_int_equal(lab_count(lab, "GET /apis/apps/v1/namespaces"), 0);
    SBUF(text, SBUF_MAX);
    metrics_format(lab->bench->metrics, &text);
    assert_non_null(strstr(sbuf_text(&text), "serin_canary_tick_lateness_seconds_count"));
    lab_free(lab);
}

static void what_was_begun_is_done_before_more_is_begun(void **state)
{
    (void)state;
    enum { MANY = 5 };
    struct lab *lab = lab_begin();
    lab_make(lab, 1, NULL, NULL);
    for (int i = 0; i < MANY; i++) {
        struct arena *mem = lab->bench->mem;
        fake_put(lab->fake, arena_printf(mem, TARGET("app-%d", ""), i, i, i));
        fake_put(lab->fake, arena_printf(mem, CANARY("app-%d", ""), i, i));
    }
    fake_hold(lab->fake, "PUT /apis/flagger.app/v1beta1/namespaces/a/canaries/app-1/");
    lab_start(lab);
    lab_wait_requests(lab, "canaries/app-1/", 1);
    bench_turn_for(lab->bench, 400); /* the primary of app-0 is up: it is due again */
    assert_int_equal(lab_count(lab, "canaries/app-0/"), 1);
    fake_hold(lab->fake, NULL);
    lab->count = MANY;
    assert_true(bench_until(lab->bench, are_initialized, lab));
    char *log = scripted_log(lab->bench->server);
    const char *done = strstr(strstr(log, "canaries/app-0/") + 1, "canaries/app-0/");
    assert_true(done < strstr(log, "canaries/app-2/"));
    assert_true(done < strstr(log, "canaries/app-4/"));
    free(log);
    lab_free(lab);
}

/* -- two clusters ------------------------------------------------------------------------------------------------------------- */

/* The cluster of the mesh. */
struct mesh {
    struct fake *fake;
    struct scripted *server;
    struct kube_config config;
    struct kube *kube;
    struct kube_discovery *discovery;
};

static void mesh_start(struct mesh *mesh, struct bench *bench)
{
    *mesh = (struct mesh){ .fake = fake_new() };
    fake_add_kind(mesh->fake, "networking.istio.io/v1beta1", "VirtualService", "virtualservices");
    fake_add_kind(mesh->fake, "networking.istio.io/v1beta1", "DestinationRule", "destinationrules");
    mesh->server = scripted_new(fake_serve, mesh->fake);
    mesh->config = (struct kube_config){
        .server = arena_printf(bench->mem, "http://127.0.0.1:%d", scripted_port(mesh->server)),
        .ns = arena_strdup(bench->mem, "default"),
        .proxy = arena_strdup(bench->mem, ""),
    };
    mesh->kube = kube_new(&(struct kube_opts){
        .loop = bench->loop, .http = bench->http, .log = &bench->log, .config = &mesh->config });
    mesh->discovery = lab_discover(bench, mesh->kube);
}

static void routes_go_to_the_cluster_of_the_mesh(void **state)
{
    (void)state;
    struct lab *lab = lab_begin();
    struct mesh mesh;
    mesh_start(&mesh, lab->bench);
    lab_make(lab, 0, mesh.kube, mesh.discovery);
    lab->settings.mesh_is_elsewhere = true;
    lab->settings.mesh_provider = "istio";
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(
        lab->fake,
        "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: web, namespace: a}, "
        "spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, service: {port: "
        "80}, analysis: {interval: 10s, threshold: 2, stepWeight: 50}}}");
    lab_start(lab);
    lab_wait_phase(lab, "web", "Initialized");
    const struct val *route = fake_get(mesh.fake, lab->bench->mem, "VirtualService", "a", "web");
    assert_non_null(route);
    assert_int_equal(val_len(VAL_PATH(route, "metadata", "ownerReferences")), 0);
    assert_int_equal(scripted_count(mesh.server, "POST "), 3);
    assert_int_equal(scripted_count(mesh.server, "deployments"), 0);
    assert_int_equal(lab_count(lab, "istio"), 0);
    canaries_free(STEAL(lab->canaries));
    kube_discovery_free(mesh.discovery);
    kube_free(mesh.kube);
    lab_free(lab);
    scripted_free(mesh.server);
    fake_free(mesh.fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_that_conflicts_is_written_from_the_newest),
        cmocka_unit_test(a_status_that_conflicts_four_times_ends_the_tick),
        cmocka_unit_test(a_refusal_is_an_event_in_the_servers_words),
        cmocka_unit_test(configs_are_copied_and_watched),
        cmocka_unit_test(what_cannot_be_read_is_told),
        cmocka_unit_test(what_is_changed_by_hand_is_repaired),
        cmocka_unit_test(who_undoes_repairs_is_not_raced),
        cmocka_unit_test(what_sync_must_leave_alone_is_known),
        cmocka_unit_test(many_at_once_take_turns),
        cmocka_unit_test(routes_go_to_the_cluster_of_the_mesh),
        cmocka_unit_test(what_was_begun_is_done_before_more_is_begun),
    };
    return cmocka_run_group_tests_name("canaries_world", tests, NULL, NULL);
}
