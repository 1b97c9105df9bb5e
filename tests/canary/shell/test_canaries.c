/* The reconciler against an API server in memory: what it sends, in which order, and what it does about refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "canary/canaries.h"
#include "doc/object.h"
#include "fake.h"

struct lab {
    struct fake *fake;
    struct bench *bench;
    struct kube_discovery *discovery;
    struct kube_events *events;
    struct canary_settings settings;
    struct canaries *canaries;
    bool is_ready, is_stopped;
    /* of the condition that is waited for */
    const char *name, *wanted;
    size_t count;
};

static void on_discovered(void *ctx, const struct err *e)
{
    assert_null(e);
    *(bool *)ctx = true;
}

static bool is_set(void *ctx)
{
    return *(bool *)ctx;
}

static struct lab *lab_new_for(int at_once)
{
    static const char *const labels[] = { "app", "name", NULL }, *const none[] = { NULL };
    struct lab *lab = base_alloc(sizeof(*lab));
    lab->fake = fake_new();
    fake_roll_out(lab->fake, true);
    lab->bench = bench_new(fake_serve, lab->fake, NULL);
    lab->discovery = kube_discovery_new(lab->bench->kube, &lab->bench->log);
    kube_discovery_refresh(lab->discovery, on_discovered, &lab->is_ready);
    assert_true(bench_until(lab->bench, is_set, &lab->is_ready));
    lab->events = kube_events_new(&(struct kube_events_opts){ .kube = lab->bench->kube,
                                                              .loop = lab->bench->loop,
                                                              .log = &lab->bench->log,
                                                              .component = "flagger" });
    lab->settings = (struct canary_settings){ .mesh_provider = "kubernetes",
                                              .metrics_server = "",
                                              .selector_labels = labels,
                                              .include_label_prefixes = none,
                                              .ingress_prefix = "",
                                              .ingress_class = "",
                                              .cluster_name = "",
                                              .tracks_configs = true };
    lab->canaries = canaries_new(&(struct canaries_opts){ .loop = lab->bench->loop,
                                                          .log = &lab->bench->log,
                                                          .metrics = lab->bench->metrics,
                                                          .kube = lab->bench->kube,
                                                          .discovery = lab->discovery,
                                                          .events = lab->events,
                                                          .http = lab->bench->http,
                                                          .settings = &lab->settings,
                                                          .event_webhook = "",
                                                          .environ_list = none,
                                                          .at_once = at_once });
    return lab;
}

static struct lab *lab_new(void)
{
    return lab_new_for(0);
}

static void lab_free(struct lab *lab)
{
    canaries_free(lab->canaries);
    kube_events_free(lab->events);
    kube_discovery_free(lab->discovery);
    bench_free(lab->bench);
    fake_free(lab->fake);
    free(lab);
}

static void start(struct lab *lab)
{
    canaries_start(lab->canaries);
    canaries_act(lab->canaries, true);
}

/* -- objects ---------------------------------------------------------------------------------------------------------- */

#define TARGET(name, more)                                                     \
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: " name           \
    ", namespace: a}, spec: {replicas: 2, selector: {matchLabels: {app: " name \
    "}}, template: {metadata: {labels: {app: " name                            \
    "}}, spec: {containers: [{name: c, image: i" more "}]}}}}"
#define CANARY_OF(name, target, more)                                                           \
    "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: " name                    \
    ", namespace: a}, spec: {provider: kubernetes, targetRef: {apiVersion: apps/v1, kind: "     \
    "Deployment, name: " target "}, service: {port: 80}, analysis: {interval: 10s, threshold: " \
    "2, iterations: 2}" more "}}"
#define CANARY(name, more) CANARY_OF(name, name, more)

static const char *phase_of(struct lab *lab, const char *name)
{
    const struct val *canary = fake_get(lab->fake, lab->bench->mem, "Canary", "a", name);
    return val_text_or(VAL_PATH(canary, "status", "phase"), "");
}

static bool has_phase(void *ctx)
{
    struct lab *lab = ctx;
    return !strcmp(phase_of(lab, lab->name), lab->wanted);
}

static void wait_phase(struct lab *lab, const char *name, const char *phase)
{
    lab->name = name;
    lab->wanted = phase;
    if (!bench_until(lab->bench, has_phase, lab))
        fail_msg("%s is %s, not %s\n%s", name, phase_of(lab, name), phase, bench_log(lab->bench));
}

static bool has_logged(void *ctx)
{
    struct lab *lab = ctx;
    return strstr(bench_log(lab->bench), lab->wanted) != NULL;
}

static void wait_logged(struct lab *lab, const char *text)
{
    lab->wanted = text;
    if (!bench_until(lab->bench, has_logged, lab))
        fail_msg("not logged: %s\n%s", text, bench_log(lab->bench));
}

static size_t count_logged(struct lab *lab, const char *text)
{
    size_t count = 0;
    for (const char *at = bench_log(lab->bench); (at = strstr(at, text)); at++)
        count++;
    return count;
}

static size_t count(struct lab *lab, const char *part)
{
    return scripted_count(lab->bench->server, part);
}

static int64_t replicas_of(struct lab *lab, const char *name)
{
    int64_t replicas = -1;
    (void)val_int(
        VAL_PATH(fake_get(lab->fake, lab->bench->mem, "Deployment", "a", name), "spec", "replicas"),
        &replicas);
    return replicas;
}

static const char *selector_of(struct lab *lab, const char *service)
{
    const struct val *v = fake_get(lab->fake, lab->bench->mem, "Service", "a", service);
    return val_text_or(VAL_PATH(v, "spec", "selector", "app"), "");
}

static bool has_selector(void *ctx)
{
    struct lab *lab = ctx;
    return !strcmp(selector_of(lab, lab->name), lab->wanted);
}

static bool is_gone(void *ctx)
{
    struct lab *lab = ctx;
    return canaries_len(lab->canaries) == lab->count;
}

static void wait_len(struct lab *lab, size_t len)
{
    lab->count = len;
    assert_true(bench_until(lab->bench, is_gone, lab));
}

/* -- the beginning ------------------------------------------------------------------------------------------------------- */

static void a_canary_is_brought_up_without_a_single_read(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    struct canaries_seen seen;
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    start(lab);
    wait_phase(lab, "web", "Initialized");
    assert_int_equal(replicas_of(lab, "web"), 0);
    assert_int_equal(replicas_of(lab, "web-primary"), 2);
    assert_string_equal(selector_of(lab, "web"), "web-primary");
    assert_string_equal(selector_of(lab, "web-canary"), "web");
    assert_int_equal(count(lab, "GET /apis/apps/v1/namespaces"), 0);
    assert_int_equal(count(lab, "GET /api/v1/namespaces"), 0);
    assert_int_equal(count(lab, "GET /apis/flagger.app/v1beta1/namespaces"), 0);
    wait_logged(lab, "Initialization done! web.a");
    assert_int_equal(canaries_len(lab->canaries), 1);
    canaries_at(lab->canaries, 0, &seen);
    assert_string_equal(seen.name, "web");
    assert_int_equal(seen.phase, CANARY_INITIALIZED);
    assert_string_equal(seen.waits_for, "");
    assert_string_equal(seen.last_event, "Initialization done! web.a");
    assert_int_equal(seen.next_tick_ms, 0);
    lab_free(lab);
}

static void an_idle_canary_asks_for_nothing(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    start(lab);
    wait_phase(lab, "web", "Initialized");
    bench_turn_for(lab->bench, 600);
    size_t before = count(lab, "");
    bench_turn_for(lab->bench, 700);
    assert_int_equal(count(lab, ""), before);
    lab_free(lab);
}

static void nothing_is_written_before_it_may_act(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    canaries_start(lab->canaries);
    bench_turn_for(lab->bench, 300);
    assert_int_equal(count(lab, "PUT ") + count(lab, "POST ") + count(lab, "PATCH "), 0);
    assert_int_equal(canaries_len(lab->canaries), 1);
    canaries_act(lab->canaries, true);
    wait_phase(lab, "web", "Initialized");
    canaries_act(lab->canaries, false);
    fake_put(lab->fake, TARGET("web", "2"));
    bench_turn_for(lab->bench, 500);
    assert_string_equal(phase_of(lab, "web"), "Initialized");
    lab_free(lab);
}

static void a_primary_that_comes_up_is_not_waited_for_by_the_clock(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_roll_out(lab->fake, false);
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    start(lab);
    wait_logged(lab, "web-primary.a not ready");
    struct canaries_seen seen;
    bench_turn_for(lab->bench, 100);
    canaries_at(lab->canaries, 0, &seen);
    assert_string_equal(seen.waits_for, "pods of the primary");
    assert_true(seen.next_tick_ms > 0);
    fake_roll_out(lab->fake, true);
    struct val *primary = fake_get(lab->fake, lab->bench->mem, "Deployment", "a", "web-primary");
    val_set(lab->bench->mem, primary, "touched", val_new_bool(lab->bench->mem, true));
    fake_put(lab->fake, val_json(lab->bench->mem, primary, NULL));
    wait_phase(lab, "web", "Initialized"); /* in less than the interval: the wait ends after 10 s */
    lab_free(lab);
}

static void a_new_revision_is_seen_as_it_comes(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    start(lab);
    wait_phase(lab, "web", "Initialized");
    fake_put(lab->fake, TARGET("web", "2"));
    wait_phase(lab, "web", "Progressing");
    wait_logged(lab, "New revision detected! Scaling up web.a");
    assert_int_equal(replicas_of(lab, "web"), 2);
    wait_logged(lab, "Starting canary analysis for web.a");
    lab_free(lab);
}

static void a_gate_that_refuses_holds_the_rollout(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    const char *hook = arena_printf(
        lab->bench->mem,
        "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: web, namespace: a}, "
        "spec: "
        "{provider: kubernetes, targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, "
        "service: {port: 80}, analysis: {interval: 10s, threshold: 2, iterations: 2, webhooks: "
        "[{name: gate, type: confirm-rollout, url: 'http://127.0.0.1:%d/gate'}]}}}",
        scripted_port(lab->bench->server));
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, hook);
    start(lab);
    wait_phase(lab, "web", "Initialized");
    fake_put(lab->fake, TARGET("web", "2"));
    wait_phase(lab, "web", "Waiting");
    assert_int_equal(count(lab, "POST /gate"), 1);
    struct canaries_seen seen;
    bench_turn_for(lab->bench, 100);
    canaries_at(lab->canaries, 0, &seen);
    assert_string_equal(seen.waits_for, "approval");
    assert_int_equal(seen.phase, CANARY_WAITING);
    lab_free(lab);
}

/* -- what cannot run -------------------------------------------------------------------------------------------------------- */

static void an_invalid_canary_is_told_once_and_runs_once_it_is_mended(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ", autoscalerRef: 7"));
    start(lab);
    wait_logged(lab, "error syncing 'a/web': invalid canary spec: ");
    fake_put(lab->fake, CANARY("web", ", autoscalerRef: 7, suspend: true"));
    bench_turn_for(lab->bench, 400);
    assert_int_equal(count_logged(lab, "error syncing"), 1);
    assert_int_equal(count(lab, "POST /api/v1/namespaces/a/events"), 1);
    assert_int_equal(count(lab, "canaries/web/status"), 0);
    SBUF(metrics, SBUF_MAX);
    metrics_format(lab->bench->metrics, &metrics);
    assert_null(strstr(sbuf_text(&metrics), "flagger_canary_total{"));
    fake_put(lab->fake, CANARY("web", ""));
    wait_phase(lab, "web", "Initialized");
    lab_free(lab);
}

static void a_target_belongs_to_the_older_canary(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY_OF("first", "web", ""));
    fake_put(lab->fake, CANARY_OF("second", "web", ""));
    start(lab);
    wait_phase(lab, "first", "Initialized");
    wait_logged(lab, "Found more than one canary with the same target web.a: first.a has it, so "
                     "second.a does nothing");
    assert_string_equal(phase_of(lab, "second"), "Initializing");
    assert_true(count_logged(lab, "canary=first.a msg=\"Bad things will happen! ") >= 1);
    fake_delete(lab->fake, "Canary", "a", "first");
    wait_phase(lab, "second", "Initialized");
    lab_free(lab);
}

/* -- refusals -------------------------------------------------------------------------------------------------------------- */

static void a_status_that_conflicts_is_written_from_the_newest(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    fake_refuse(lab->fake, "PUT /apis/flagger.app/v1beta1/namespaces/a/canaries/web/status", 409,
                "modified", 3);
    start(lab);
    wait_phase(lab, "web", "Initialized");
    assert_int_equal(count(lab, "GET /apis/flagger.app/v1beta1/namespaces/a/canaries/web"), 3);
    lab_free(lab);
}

static void a_status_that_conflicts_four_times_ends_the_tick(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    fake_refuse(lab->fake, "PUT /apis/flagger.app/v1beta1/namespaces/a/canaries/web/status", 409,
                "modified", 4);
    start(lab);
    wait_logged(lab, "failed after retries: updating canary web.a status failed: modified");
    lab_free(lab);
}

static void a_refusal_is_an_event_in_the_servers_words(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    fake_refuse(lab->fake, "POST /api/v1/namespaces/a/services", 403, "services is forbidden", 1);
    start(lab);
    wait_logged(lab, "service web-canary.a create error: services is forbidden\"");
    lab_free(lab);
}

#define WITH_CONFIG ", envFrom: [{configMapRef: {name: colors}}]"
#define COLORS                                                                                 \
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: colors, namespace: a}, data: {color: " \
    "red}}"

static void configs_are_copied_and_watched(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, COLORS);
    fake_put(lab->fake, TARGET("web", WITH_CONFIG));
    fake_put(lab->fake, CANARY("web", ""));
    start(lab);
    wait_phase(lab, "web", "Initialized");
    const struct val *copy =
        fake_get(lab->fake, lab->bench->mem, "ConfigMap", "a", "colors-primary");
    assert_string_equal(val_text(VAL_PATH(copy, "data", "color")), "red");
    assert_int_equal(count(lab, "PUT /api/v1/namespaces/a/configmaps/colors-primary"), 1);
    assert_int_equal(count(lab, "POST /api/v1/namespaces/a/configmaps"), 1);
    const struct val *canary = fake_get(lab->fake, lab->bench->mem, "Canary", "a", "web");
    assert_string_equal(val_text(VAL_PATH(canary, "status", "trackedConfigs", "configmap/colors")),
                        "241889ca0604e333");
    fake_put(lab->fake, "{apiVersion: v1, kind: ConfigMap, metadata: {name: colors, namespace: a}, "
                        "data: {color: blue}}");
    wait_phase(lab, "web", "Progressing");
    wait_logged(lab, "configmap colors has changed");
    lab_free(lab);
}

static void what_cannot_be_read_is_told(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, COLORS);
    fake_put(lab->fake, TARGET("web", WITH_CONFIG));
    fake_put(lab->fake, CANARY("web", ""));
    fake_refuse(lab->fake, "GET /api/v1/namespaces/a/configmaps/colors", 403, "not for you", 1);
    start(lab);
    wait_logged(lab, "ConfigMap colors.a cannot be read: not for you");
    wait_phase(lab, "web", "Initialized");
    lab_free(lab);
}

/* -- what others do --------------------------------------------------------------------------------------------------------- */

static const char stolen[] =
    "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: a}, spec: {type: ClusterIP, "
    "selector: {app: thief}, ports: [{name: http, port: 80, targetPort: 80, protocol: TCP}]}}";

static void what_is_changed_by_hand_is_repaired(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    start(lab);
    wait_phase(lab, "web", "Initialized");
    bench_turn_for(lab->bench, 300);
    fake_put(lab->fake, stolen);
    lab->name = "web";
    lab->wanted = "web-primary";
    assert_true(bench_until(lab->bench, has_selector, lab));
    lab_free(lab);
}

static void who_undoes_repairs_is_not_raced(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    start(lab);
    wait_phase(lab, "web", "Initialized");
    int64_t end_ms = loop_now_ms(lab->bench->loop) + 3000;
    while (loop_now_ms(lab->bench->loop) < end_ms) {
        if (strcmp(selector_of(lab, "web"), "thief") != 0)
            fake_put(lab->fake, stolen);
        bench_turn_for(lab->bench, 10);
    }
    size_t repairs = count(lab, "PUT /api/v1/namespaces/a/services/web");
    assert_in_range(repairs, 2, 7); /* at once it would be hundreds */
    lab_free(lab);
}

static void what_sync_must_leave_alone_is_known(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    start(lab);
    wait_phase(lab, "web", "Initialized");
    const struct canaries *all = lab->canaries;
    assert_int_equal(canaries_owned(all, "apps/v1", "Deployment", "a", "web"),
                     CANARY_OWNS_REPLICAS);
    assert_int_equal(canaries_owned(all, "v1", "Service", "a", "web"), CANARY_OWNS_SELECTOR);
    assert_int_equal(canaries_owned(all, "apps/v1", "Deployment", "a", "other"), 0);
    assert_int_equal(canaries_owned(all, "apps/v1", "Deployment", "b", "web"), 0);
    fake_delete(lab->fake, "Canary", "a", "web");
    wait_len(lab, 0);
    assert_int_equal(canaries_owned(all, "apps/v1", "Deployment", "a", "web"), 0);
    lab_free(lab);
}

/* -- the end ---------------------------------------------------------------------------------------------------------------- */

static void a_canary_that_goes_takes_its_series_along(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    SBUF(text, SBUF_MAX);
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    start(lab);
    wait_phase(lab, "web", "Initialized");
    bench_turn_for(lab->bench, 300);
    metrics_format(lab->bench->metrics, &text);
    assert_non_null(strstr(sbuf_text(&text), "flagger_canary_total{namespace=\"a\"} 1\n"));
    assert_non_null(
        strstr(sbuf_text(&text), "flagger_canary_status{name=\"web\",namespace=\"a\"} 1\n"));
    fake_delete(lab->fake, "Canary", "a", "web");
    wait_len(lab, 0);
    sbuf_reset(&text);
    metrics_format(lab->bench->metrics, &text);
    assert_null(strstr(sbuf_text(&text), "flagger_canary_total{"));
    assert_null(strstr(sbuf_text(&text), "flagger_canary_status{"));
    assert_null(strstr(sbuf_text(&text), "flagger_canary_weight{"));
    assert_non_null(strstr(sbuf_text(&text), "flagger_info{mesh_provider=\"kubernetes\""));
    lab_free(lab);
}

static void a_canary_that_goes_in_the_middle_of_a_tick_is_left(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    fake_hold(lab->fake, "POST /apis/apps/v1/namespaces/a/deployments");
    start(lab);
    wait_logged(lab, "Service web-primary.a created");
    bench_turn_for(lab->bench, 50);
    fake_delete(lab->fake, "Canary", "a", "web");
    bench_turn_for(lab->bench, 100);
    assert_int_equal(canaries_len(lab->canaries), 1); /* its request is under way */
    fake_hold(lab->fake, NULL);
    wait_len(lab, 0);
    assert_int_equal(count(lab, "PATCH "), 0);
    lab_free(lab);
}

static void on_stopped(void *ctx)
{
    *(bool *)ctx = true;
}

static void it_ends_with_what_was_begun(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    fake_hold(lab->fake, "POST /apis/apps/v1/namespaces/a/deployments");
    start(lab);
    wait_logged(lab, "Service web-primary.a created");
    bench_turn_for(lab->bench, 50);
    canaries_stop(lab->canaries, on_stopped, &lab->is_stopped);
    bench_turn_for(lab->bench, 100);
    assert_false(lab->is_stopped);
    fake_hold(lab->fake, NULL);
    assert_true(bench_until(lab->bench, is_set, &lab->is_stopped));
    assert_int_equal(replicas_of(lab, "web-primary"), 2);
    lab_free(lab);
}

static void a_finalizer_is_kept_while_it_is_asked_for(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ", revertOnDeletion: true"));
    start(lab);
    wait_phase(lab, "web", "Initialized");
    const struct val *canary = fake_get(lab->fake, lab->bench->mem, "Canary", "a", "web");
    assert_string_equal(val_text(val_item(VAL_PATH(canary, "metadata", "finalizers"), 0)),
                        CANARY_FINALIZER);
    struct val *changed = val_copy(lab->bench->mem, canary);
    (void)val_remove(val_get(changed, "spec"), "revertOnDeletion");
    fake_put(lab->fake, val_json(lab->bench->mem, changed, NULL));
    wait_logged(lab, "web.a opting out, deleting finalizers");
    bench_turn_for(lab->bench, 100);
    canary = fake_get(lab->fake, lab->bench->mem, "Canary", "a", "web");
    assert_int_equal(val_len(VAL_PATH(canary, "metadata", "finalizers")), 0);
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

static bool has_asked(void *ctx)
{
    struct lab *lab = ctx;
    return count(lab, lab->wanted) >= lab->count;
}

static bool are_initialized(void *ctx)
{
    struct lab *lab = ctx;
    return count_phase(lab, CANARY_INITIALIZED) == lab->count;
}

static void many_at_once_take_turns(void **state)
{
    (void)state;
    enum { MANY = 40 };
    struct lab *lab = lab_new_for(4);
    for (int i = 0; i < MANY; i++) {
        struct arena *mem = lab->bench->mem;
        fake_put(lab->fake, arena_printf(mem, TARGET("app-%d", ""), i, i, i));
        fake_put(lab->fake, arena_printf(mem, CANARY("app-%d", ""), i, i));
    }
    fake_hold(lab->fake, "PUT /apis/flagger.app");
    start(lab);
    lab->wanted = "PUT /apis/flagger.app";
    lab->count = 4;
    assert_true(bench_until(lab->bench, has_asked, lab));
    bench_turn_for(lab->bench, 200);
    assert_int_equal(count(lab, "PUT /apis/flagger.app"), 4);
    fake_hold(lab->fake, NULL);
    lab->count = MANY;
    assert_true(bench_until(lab->bench, are_initialized, lab));
    assert_int_equal(count(lab, "GET /apis/apps/v1/namespaces"), 0);
    SBUF(text, SBUF_MAX);
    metrics_format(lab->bench->metrics, &text);
    assert_non_null(strstr(sbuf_text(&text), "serin_canary_tick_lateness_seconds_count"));
    lab_free(lab);
}

/* -- the documentation ------------------------------------------------------------------------------------------------------- */

static void every_metric_is_in_the_reference(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    SBUF(text, SBUF_MAX);
    char *page = arena_alloc(lab->bench->mem, 1 << 20);
    FILE *in = fopen(PROJECT "/docs/reference-metrics.md", "r");
    assert_non_null(in);
    assert_true(fread(page, 1, (1 << 20) - 1, in) > 0);
    (void)fclose(in);
    fake_put(lab->fake, TARGET("web", ""));
    fake_put(lab->fake, CANARY("web", ""));
    start(lab);
    wait_phase(lab, "web", "Initialized");
    bench_turn_for(lab->bench, 300);
    metrics_format(lab->bench->metrics, &text);
    size_t checked = 0;
    for (const char *at = sbuf_text(&text); (at = strstr(at, "# TYPE ")); at++) {
        char name[128], type[32];
        assert_int_equal(sscanf(at, "# TYPE %127s %31s", name, type), 2);
        const char *row = arena_printf(lab->bench->mem, "| `%s` | %s |", name, type);
        if (!strstr(page, row))
            fail_msg("docs/reference-metrics.md has no row %s", row);
        checked++;
    }
    assert_true(checked >= 4);
    lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_canary_is_brought_up_without_a_single_read),
        cmocka_unit_test(an_idle_canary_asks_for_nothing),
        cmocka_unit_test(nothing_is_written_before_it_may_act),
        cmocka_unit_test(a_primary_that_comes_up_is_not_waited_for_by_the_clock),
        cmocka_unit_test(a_new_revision_is_seen_as_it_comes),
        cmocka_unit_test(a_gate_that_refuses_holds_the_rollout),
        cmocka_unit_test(an_invalid_canary_is_told_once_and_runs_once_it_is_mended),
        cmocka_unit_test(a_target_belongs_to_the_older_canary),
        cmocka_unit_test(a_status_that_conflicts_is_written_from_the_newest),
        cmocka_unit_test(a_status_that_conflicts_four_times_ends_the_tick),
        cmocka_unit_test(a_refusal_is_an_event_in_the_servers_words),
        cmocka_unit_test(configs_are_copied_and_watched),
        cmocka_unit_test(what_cannot_be_read_is_told),
        cmocka_unit_test(what_is_changed_by_hand_is_repaired),
        cmocka_unit_test(who_undoes_repairs_is_not_raced),
        cmocka_unit_test(what_sync_must_leave_alone_is_known),
        cmocka_unit_test(a_canary_that_goes_takes_its_series_along),
        cmocka_unit_test(a_canary_that_goes_in_the_middle_of_a_tick_is_left),
        cmocka_unit_test(it_ends_with_what_was_begun),
        cmocka_unit_test(a_finalizer_is_kept_while_it_is_asked_for),
        cmocka_unit_test(many_at_once_take_turns),
        cmocka_unit_test(every_metric_is_in_the_reference),
    };
    return cmocka_run_group_tests_name("canaries", tests, NULL, NULL);
}
