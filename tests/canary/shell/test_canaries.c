/* The life of a Canary in the reconciler: how it begins, what it waits for, how it ends. */
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

/* -- the beginning ------------------------------------------------------------------------------------------------------- */

static void a_canary_is_brought_up_without_a_single_read(void **state)
{
    (void)state;
    struct lab *lab = lab_up();
    struct canaries_seen seen;
    assert_int_equal(lab_replicas(lab, "web"), 0);
    assert_int_equal(lab_replicas(lab, "web-primary"), 2);
    assert_string_equal(lab_selector(lab, "web"), "web-primary");
    assert_string_equal(lab_selector(lab, "web-canary"), "web");
    assert_int_equal(lab_count(lab, "GET /apis/apps/v1/namespaces"), 0);
    assert_int_equal(lab_count(lab, "GET /api/v1/namespaces"), 0);
    assert_int_equal(lab_count(lab, "GET /apis/flagger.app/v1beta1/namespaces"), 0);
    lab_wait_logged(lab, "Initialization done! web.a");
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
    struct lab *lab = lab_up();
    bench_turn_for(lab->bench, 600);
    size_t before = lab_count(lab, "");
    bench_turn_for(lab->bench, 700);
    assert_int_equal(lab_count(lab, ""), before);
    lab_free(lab);
}

static void nothing_is_written_before_it_may_act(void **state)
{
    (void)state;
    struct lab *lab = lab_web();
    canaries_start(lab->canaries);
    bench_turn_for(lab->bench, 300);
    assert_int_equal(lab_count(lab, "PUT ") + lab_count(lab, "POST ") + lab_count(lab, "PATCH "),
                     0);
    assert_int_equal(canaries_len(lab->canaries), 1);
    canaries_act(lab->canaries, true);
    lab_wait_phase(lab, "web", "Initialized");
    canaries_act(lab->canaries, false);
    fake_put(lab->fake, TARGET("web", "2"));
    bench_turn_for(lab->bench, 500);
    assert_string_equal(lab_phase(lab, "web"), "Initialized");
    lab_free(lab);
}

static void a_primary_that_comes_up_is_not_waited_for_by_the_clock(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_roll_out(lab->fake, false);
    LAB_PUT(lab, TARGET("web", ""), CANARY("web", ""));
    lab_start(lab);
    lab_wait_logged(lab, "web-primary.a not ready");
    struct canaries_seen seen;
    bench_turn_for(lab->bench, 100);
    canaries_at(lab->canaries, 0, &seen);
    assert_string_equal(seen.waits_for, "pods of the primary");
    assert_true(seen.next_tick_ms > 0);
    fake_roll_out(lab->fake, true);
    struct val *primary = fake_get(lab->fake, lab->bench->mem, "Deployment", "a", "web-primary");
    val_set(lab->bench->mem, primary, "touched", val_new_bool(lab->bench->mem, true));
    fake_put(lab->fake, val_json(lab->bench->mem, primary, NULL));
    lab_wait_phase(lab, "web",
                   "Initialized"); /* in less than the interval: the wait ends after 10 s */
    lab_free(lab);
}

static void a_new_revision_is_seen_as_it_comes(void **state)
{
    (void)state;
    struct lab *lab = lab_up();
    fake_put(lab->fake, TARGET("web", "2"));
    lab_wait_phase(lab, "web", "Progressing");
    lab_wait_logged(lab, "New revision detected! Scaling up web.a");
    assert_int_equal(lab_replicas(lab, "web"), 2);
    lab_wait_logged(lab, "Starting canary analysis for web.a");
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
    lab_start(lab);
    lab_wait_phase(lab, "web", "Initialized");
    fake_put(lab->fake, TARGET("web", "2"));
    lab_wait_phase(lab, "web", "Waiting");
    assert_int_equal(lab_count(lab, "POST /gate"), 1);
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
    struct lab *lab = LAB_WITH(TARGET("web", ""), CANARY("web", ", autoscalerRef: 7"));
    lab_start(lab);
    lab_wait_logged(lab, "error syncing 'a/web': invalid canary spec: ");
    fake_put(lab->fake, CANARY("web", ", autoscalerRef: 7, suspend: true"));
    bench_turn_for(lab->bench, 400);
    assert_int_equal(lab_count_logged(lab, "error syncing"), 1);
    assert_int_equal(lab_count(lab, "POST /api/v1/namespaces/a/events"), 1);
    assert_int_equal(lab_count(lab, "canaries/web/status"), 0);
    SBUF(metrics, SBUF_MAX);
    metrics_format(lab->bench->metrics, &metrics);
    assert_null(strstr(sbuf_text(&metrics), "flagger_canary_total{"));
    fake_put(lab->fake, CANARY("web", ""));
    lab_wait_phase(lab, "web", "Initialized");
    lab_free(lab);
}

static void a_target_belongs_to_the_older_canary(void **state)
{
    (void)state;
    struct lab *lab =
        LAB_WITH(TARGET("web", ""), CANARY_OF("first", "web", ""), CANARY_OF("second", "web", ""));
    lab_start(lab);
    lab_wait_phase(lab, "first", "Initialized");
    lab_wait_logged(lab,
                    "Found more than one canary with the same target web.a: first.a has it, so "
                    "second.a does nothing");
    assert_string_equal(lab_phase(lab, "second"), "Initializing");
    assert_true(lab_count_logged(lab, "canary=first.a msg=\"Bad things will happen! ") >= 1);
    fake_delete(lab->fake, "Canary", "a", "first");
    lab_wait_phase(lab, "second", "Initialized");
    lab_free(lab);
}

/* -- the end ---------------------------------------------------------------------------------------------------------------- */

static void a_canary_that_goes_takes_its_series_along(void **state)
{
    (void)state;
    struct lab *lab = lab_up();
    SBUF(text, SBUF_MAX);
    bench_turn_for(lab->bench, 300);
    metrics_format(lab->bench->metrics, &text);
    assert_non_null(strstr(sbuf_text(&text), "flagger_canary_total{namespace=\"a\"} 1\n"));
    assert_non_null(
        strstr(sbuf_text(&text), "flagger_canary_status{name=\"web\",namespace=\"a\"} 1\n"));
    fake_delete(lab->fake, "Canary", "a", "web");
    lab_wait_len(lab, 0);
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
    struct lab *lab = lab_web();
    fake_hold(lab->fake, "POST /apis/apps/v1/namespaces/a/deployments");
    lab_start(lab);
    lab_wait_logged(lab, "Service web-primary.a created");
    bench_turn_for(lab->bench, 50);
    fake_delete(lab->fake, "Canary", "a", "web");
    bench_turn_for(lab->bench, 100);
    assert_int_equal(canaries_len(lab->canaries), 1); /* its request is under way */
    fake_hold(lab->fake, NULL);
    lab_wait_len(lab, 0);
    assert_int_equal(lab_count(lab, "PATCH "), 0);
    lab_free(lab);
}

static void on_stopped(void *ctx)
{
    *(bool *)ctx = true;
}

static bool is_set(void *ctx)
{
    return *(bool *)ctx;
}

static void it_ends_with_what_was_begun(void **state)
{
    (void)state;
    bool is_stopped = false;
    struct lab *lab = lab_web();
    fake_hold(lab->fake, "POST /apis/apps/v1/namespaces/a/deployments");
    lab_start(lab);
    lab_wait_logged(lab, "Service web-primary.a created");
    bench_turn_for(lab->bench, 50);
    canaries_stop(lab->canaries, on_stopped, &is_stopped);
    bench_turn_for(lab->bench, 100);
    assert_false(is_stopped);
    fake_hold(lab->fake, NULL);
    assert_true(bench_until(lab->bench, is_set, &is_stopped));
    assert_int_equal(lab_replicas(lab, "web-primary"), 2);
    lab_free(lab);
}

static void a_finalizer_is_kept_while_it_is_asked_for(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(TARGET("web", ""), CANARY("web", ", revertOnDeletion: true"));
    lab_start(lab);
    lab_wait_phase(lab, "web", "Initialized");
    const struct val *canary = fake_get(lab->fake, lab->bench->mem, "Canary", "a", "web");
    assert_string_equal(val_text(val_item(VAL_PATH(canary, "metadata", "finalizers"), 0)),
                        CANARY_FINALIZER);
    struct val *changed = val_copy(lab->bench->mem, canary);
    (void)val_remove(val_get(changed, "spec"), "revertOnDeletion");
    fake_put(lab->fake, val_json(lab->bench->mem, changed, NULL));
    lab_wait_logged(lab, "web.a opting out, deleting finalizers");
    bench_turn_for(lab->bench, 100);
    canary = fake_get(lab->fake, lab->bench->mem, "Canary", "a", "web");
    assert_int_equal(val_len(VAL_PATH(canary, "metadata", "finalizers")), 0);
    lab_free(lab);
}

/* -- the documentation ------------------------------------------------------------------------------------------------------- */

static void every_metric_is_in_the_reference(void **state)
{
    (void)state;
    struct lab *lab = lab_up();
    SBUF(text, SBUF_MAX);
    char *page = arena_alloc(lab->bench->mem, 1 << 20);
    FILE *in = fopen(PROJECT "/docs/reference-metrics.md", "r");
    assert_non_null(in);
    assert_true(fread(page, 1, (1 << 20) - 1, in) > 0);
    (void)fclose(in);
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
        cmocka_unit_test(a_canary_that_goes_takes_its_series_along),
        cmocka_unit_test(a_canary_that_goes_in_the_middle_of_a_tick_is_left),
        cmocka_unit_test(it_ends_with_what_was_begun),
        cmocka_unit_test(a_finalizer_is_kept_while_it_is_asked_for),
        cmocka_unit_test(every_metric_is_in_the_reference),
    };
    return cmocka_run_group_tests_name("canaries", tests, NULL, NULL);
}
