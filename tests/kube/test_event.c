#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "doc/json.h"
#include "kube/event.h"

/* What the server does with the n-th request, and the bodies it got. */
struct script {
    const int *statuses; /* ends with 0: 200 from there on */
    char bodies[64][4096];
    size_t len;
};

static void serve(void *ctx, const struct scripted_request *request)
{
    struct script *script = ctx;
    scripted_lock(request->server);
    size_t at = script->len++;
    if (at < ARRAY_LEN(script->bodies))
        snprintf(script->bodies[at], sizeof(script->bodies[at]), "%.*s", (int)request->body_len,
                 request->body);
    scripted_unlock(request->server);
    int status = 200;
    for (size_t i = 0; script->statuses && i <= at; i++) {
        status = script->statuses[i] ? script->statuses[i] : 200;
        if (!script->statuses[i])
            break;
    }
    if (status == 404)
        scripted_reply(request, 404, NULL,
                       "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"events not "
                       "found\",\"details\":{\"name\":\"x\",\"kind\":\"events\"}}");
    else if (status == 409)
        scripted_reply(request, 409, NULL,
                       "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"there\"}");
    else
        scripted_reply(request, status, NULL, status < 300 ? "{}" : "no");
}

struct recorder {
    struct bench *bench;
    struct kube_events *events;
    struct script script;
};

static int set_up(void **state)
{
    struct recorder *recorder = base_alloc(sizeof(*recorder));
    recorder->bench = bench_new(serve, &recorder->script, NULL);
    recorder->events = kube_events_new(&(struct kube_events_opts){ .kube = recorder->bench->kube,
                                                                   .loop = recorder->bench->loop,
                                                                   .log = &recorder->bench->log,
                                                                   .component = "serin",
                                                                   .host = "pod-1",
                                                                   .retry_ms = 30 });
    *state = recorder;
    return 0;
}

static int tear_down(void **state)
{
    struct recorder *recorder = *state;
    kube_events_free(recorder->events);
    bench_free(recorder->bench);
    free(recorder);
    return 0;
}

static void record(struct recorder *recorder, const char *name, const char *message)
{
    kube_event_record(recorder->events, &(struct kube_event){ .api_version = "apps/v1",
                                                              .kind = "Deployment",
                                                              .ns = "shop",
                                                              .name = name,
                                                              .uid = "u-1",
                                                              .resource_version = "7",
                                                              .is_warning = true,
                                                              .reason = "Failed",
                                                              .message = message });
}

static bool is_idle(void *ctx)
{
    return kube_events_waiting(((struct recorder *)ctx)->events) == 0;
}

static void flush(struct recorder *recorder)
{
    assert_true(bench_until(recorder->bench, is_idle, recorder));
}

static const struct val *body_at(struct recorder *recorder, size_t at)
{
    struct val *v;
    const char *text = recorder->script.bodies[at];
    assert_null(doc_json_parse(recorder->bench->mem, text, strlen(text), &v));
    return v;
}

#define assert_field(v, wanted, ...) \
    assert_string_equal(val_text_or(VAL_PATH(v, __VA_ARGS__), "(absent)"), wanted)

static void an_event_is_written_as_client_go_writes_it(void **state)
{
    struct recorder *recorder = *state;
    record(recorder, "web", "it broke");
    flush(recorder);
    assert_int_equal(scripted_count(recorder->bench->server, "POST /api/v1/namespaces/shop/events"),
                     1);
    const struct val *event = body_at(recorder, 0);
    assert_field(event, "v1", "apiVersion");
    assert_field(event, "Event", "kind");
    assert_memory_equal(val_text(VAL_PATH(event, "metadata", "name")), "web.", 4);
    assert_field(event, "shop", "metadata", "namespace");
    assert_field(event, "Deployment", "involvedObject", "kind");
    assert_field(event, "apps/v1", "involvedObject", "apiVersion");
    assert_field(event, "shop", "involvedObject", "namespace");
    assert_field(event, "web", "involvedObject", "name");
    assert_field(event, "u-1", "involvedObject", "uid");
    assert_field(event, "7", "involvedObject", "resourceVersion");
    assert_field(event, "Failed", "reason");
    assert_field(event, "it broke", "message");
    assert_field(event, "serin", "source", "component");
    assert_field(event, "pod-1", "source", "host");
    assert_field(event, "serin", "reportingComponent");
    assert_field(event, "Warning", "type");
    assert_string_equal(val_text(val_get(event, "firstTimestamp")),
                        val_text(val_get(event, "lastTimestamp")));
    assert_int_equal(strlen(val_text(val_get(event, "lastTimestamp"))),
                     strlen("2026-11-21T09:55:55Z"));
    int64_t count;
    assert_true(val_int(val_get(event, "count"), &count));
    assert_int_equal(count, 1);
}

static void the_same_again_patches_the_count(void **state)
{
    struct recorder *recorder = *state;
    record(recorder, "web", "it broke");
    record(recorder, "web", "it broke");
    flush(recorder);
    char line[256];
    snprintf(line, sizeof(line), "PATCH /api/v1/namespaces/shop/events/%s",
             val_text(VAL_PATH(body_at(recorder, 0), "metadata", "name")));
    assert_int_equal(scripted_count(recorder->bench->server, line), 1);
    int64_t count;
    assert_true(val_int(val_get(body_at(recorder, 1), "count"), &count));
    assert_int_equal(count, 2);
    assert_field(body_at(recorder, 1), "it broke", "message");
}

static void an_event_that_is_gone_is_written_anew(void **state)
{
    struct recorder *recorder = *state;
    recorder->script.statuses = (const int[]){ 201, 404, 0 };
    record(recorder, "web", "it broke");
    record(recorder, "web", "it broke");
    flush(recorder);
    assert_int_equal(scripted_count(recorder->bench->server, "POST"), 2);
    assert_int_equal(scripted_count(recorder->bench->server, "PATCH"), 1);
    int64_t count;
    assert_true(val_int(val_get(body_at(recorder, 2), "count"), &count));
    assert_int_equal(count, 2);
    assert_null(strstr(bench_log(recorder->bench), "not written"));
}

static void an_event_of_a_cluster_wide_object_is_in_default(void **state)
{
    struct recorder *recorder = *state;
    kube_event_record(recorder->events, &(struct kube_event){ .api_version = "v1",
                                                              .kind = "Namespace",
                                                              .ns = "",
                                                              .name = "shop",
                                                              .reason = "R",
                                                              .message = "m" });
    flush(recorder);
    assert_int_equal(scripted_count(recorder->bench->server, "namespaces/default/events"), 1);
    assert_field(body_at(recorder, 0), "default", "metadata", "namespace");
    assert_field(body_at(recorder, 0), "(absent)", "involvedObject", "namespace");
    assert_field(body_at(recorder, 0), "Normal", "type");
}

static void a_server_in_trouble_is_tried_again_in_order(void **state)
{
    struct recorder *recorder = *state;
    recorder->script.statuses = (const int[]){ 500, 500, 0 };
    record(recorder, "web", "first");
    record(recorder, "web", "second");
    flush(recorder);
    assert_field(body_at(recorder, 0), "first", "message");
    assert_field(body_at(recorder, 1), "first", "message");
    assert_field(body_at(recorder, 2), "first", "message");
    assert_field(body_at(recorder, 3), "second", "message");
    assert_int_equal(recorder->script.len, 4);
}

static void after_twelve_tries_it_is_given_up_and_logged(void **state)
{
    struct recorder *recorder = *state;
    recorder->script.statuses =
        (const int[]){ 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 0 };
    record(recorder, "web", "lost");
    record(recorder, "web", "kept");
    flush(recorder);
    assert_int_equal(recorder->script.len, 13);
    assert_field(body_at(recorder, 12), "kept", "message");
    assert_non_null(strstr(bench_log(recorder->bench), "not written"));
}

static void a_refusal_is_logged_and_not_tried_again(void **state)
{
    struct recorder *recorder = *state;
    recorder->script.statuses = (const int[]){ 403, 0 };
    record(recorder, "web", "refused");
    flush(recorder);
    assert_int_equal(recorder->script.len, 1);
    assert_non_null(strstr(bench_log(recorder->bench), "not written"));
}

static void an_event_that_is_there_already_was_written(void **state)
{
    struct recorder *recorder = *state;
    recorder->script.statuses = (const int[]){ 409, 0 };
    record(recorder, "web", "twice");
    flush(recorder);
    assert_int_equal(recorder->script.len, 1);
    assert_null(strstr(bench_log(recorder->bench), "not written"));
}

static void a_flood_is_cut_to_25_requests(void **state)
{
    struct recorder *recorder = *state;
    for (int i = 0; i < 200; i++)
        record(recorder, "web", "again");
    flush(recorder);
    assert_int_equal(recorder->script.len, 25);
}

static const char *message_at(struct recorder *recorder, size_t at)
{
    return val_text_or(val_get(body_at(recorder, at), "message"), "");
}

/* Whichever comes first meets the trouble: the other object's events do not wait for it, its own do. */
static void trouble_with_one_object_holds_up_no_other(void **state)
{
    struct recorder *recorder = *state;
    recorder->script.statuses = (const int[]){ 500, 0 };
    record(recorder, "web", "1 first");
    record(recorder, "web", "1 second");
    record(recorder, "db", "2 first");
    record(recorder, "db", "2 second");
    flush(recorder);
    assert_int_equal(recorder->script.len, 5);
    char troubled = message_at(recorder, 0)[0];
    bool is_retried = false;
    for (size_t i = 1; i < 5; i++) {
        const char *message = message_at(recorder, i);
        bool is_second = strcmp(message + 2, "second") == 0;
        if (message[0] == troubled)
            assert_true(is_retried == is_second);
        is_retried = is_retried || (message[0] == troubled && !is_second);
    }
    assert_int_equal(message_at(recorder, 4)[0], troubled);
}

static void at_most_five_thousand_wait(void **state)
{
    struct recorder *recorder = *state;
    char name[32];
    for (int i = 0; i < 5500; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        record(recorder, name, "x");
    }
    assert_int_equal(kube_events_waiting(recorder->events), 5000);
    const char *said = strstr(bench_log(recorder->bench), "too many events wait");
    assert_non_null(said);
    assert_null(strstr(said + 1, "too many events wait"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_written_as_client_go_writes_it),
        TEST(the_same_again_patches_the_count),
        TEST(an_event_that_is_gone_is_written_anew),
        TEST(an_event_of_a_cluster_wide_object_is_in_default),
        TEST(a_server_in_trouble_is_tried_again_in_order),
        TEST(after_twelve_tries_it_is_given_up_and_logged),
        TEST(a_refusal_is_logged_and_not_tried_again),
        TEST(an_event_that_is_there_already_was_written),
        TEST(a_flood_is_cut_to_25_requests),
        TEST(trouble_with_one_object_holds_up_no_other),
        TEST(at_most_five_thousand_wait),
    };
    return cmocka_run_group_tests_name("kube_event", tests, NULL, NULL);
}
