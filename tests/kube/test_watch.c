/* Watches and lists against a server that cuts, stays silent, forgets, and talks rubbish. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "bench.h"
#include "doc/object.h"
#include "kube/watch.h"
#include "kube/watch_step.h"

static const struct kube_resource things = { .group = "example.com",
                                             .version = "v1",
                                             .api_version = "example.com/v1",
                                             .kind = "Thing",
                                             .plural = "things",
                                             .is_namespaced = true };
#define THINGS "/apis/example.com/v1/things"

#define OBJECT(name, version)                                                                      \
    "{\"kind\":\"Thing\",\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version "\"}" \
    "}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)   EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define MARK(version)                                                 \
    EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version \
                      "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}")
#define GONE                                                                               \
    EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":" \
                   "\"too old resource version\"}")
#define GONE_STATUS \
    "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}"
#define FORBIDDEN_FORM                                                                             \
    "{\"kind\":\"Status\",\"code\":422,\"reason\":\"Invalid\",\"message\":\"resourceVersionMatch:" \
    " "                                                                                            \
    "Forbidden: resourceVersionMatch is forbidden for watch\"}"

/* -- what a handler is told, as a text ----------------------------------------------------------------------------- */

struct seen {
    struct bench *bench;
    struct kube_watch *watch;
    struct sbuf text;    /* restart +a ~a -a synced trouble, one word each */
    const char *wanted;  /* until this is in it */
    const char *stop_at; /* stops the watch when told this word */
    char trouble[1024];
};

static void note(struct seen *seen, const char *word, const char *name)
{
    char text[128];
    snprintf(text, sizeof(text), "%s%s", word, name);
    if (seen->text.len)
        sbuf_add_char(&seen->text, ' ');
    sbuf_add(&seen->text, text);
    if (seen->stop_at && !strcmp(seen->stop_at, text))
        kube_watch_stop(STEAL(seen->watch));
}

static void on_event(void *ctx, enum kube_watch_event event, const struct val *object)
{
    note(ctx, event == KUBE_ADDED ? "+" : event == KUBE_DELETED ? "-" : "~", object_name(object));
}

static void on_restart(void *ctx)
{
    note(ctx, "restart", "");
}

static void on_synced(void *ctx)
{
    note(ctx, "synced", "");
}

static void on_trouble(void *ctx, const struct err *e)
{
    struct seen *seen = ctx;
    snprintf(seen->trouble, sizeof(seen->trouble), "%s", err_text(e));
    note(seen, "trouble", "");
}

static bool has_wanted(void *ctx)
{
    const struct seen *seen = ctx;
    return strstr(sbuf_text(&seen->text), seen->wanted) != NULL;
}

static void watch_from(struct seen *seen, const struct kube_watch_opts *opts)
{
    sbuf_init(&seen->text, SBUF_MAX);
    struct kube_watch_handler handler = { .on_event = on_event,
                                          .on_restart = on_restart,
                                          .on_synced = on_synced,
                                          .on_trouble = on_trouble,
                                          .ctx = seen };
    seen->watch = kube_watch_start(seen->bench->kube, &things, opts, &handler);
}

static void start_watch(struct seen *seen, scripted_serve serve, void *ctx)
{
    *seen = (struct seen){ .bench = bench_new(serve, ctx, NULL) };
    watch_from(seen, &(struct kube_watch_opts){ .silence_ms = 8000, .unmarked_ms = 8000 });
}

static void wait_for(struct seen *seen, const char *wanted)
{
    seen->wanted = wanted;
    if (!bench_until(seen->bench, has_wanted, seen))
        fail_msg("%s (trouble: %s)\n%s", sbuf_text(&seen->text), seen->trouble,
                 bench_log(seen->bench));
}

/* All that was told, and nothing else. */
static void assert_told(struct seen *seen, const char *told)
{
    wait_for(seen, told);
    assert_string_equal(sbuf_text(&seen->text), told);
}

static void end_watch(struct seen *seen)
{
    kube_watch_stop(seen->watch);
    bench_free(seen->bench);
    sbuf_fini(&seen->text);
}

static bool is_streaming(const struct scripted_request *request)
{
    return strstr(request->query, "sendInitialEvents=true") != NULL;
}

static bool is_watch(const struct scripted_request *request)
{
    return strstr(request->query, "watch=1") != NULL;
}

static bool is_from(const struct scripted_request *request, const char *version)
{
    char part[64];
    snprintf(part, sizeof(part), "&resourceVersion=%s", version);
    const char *at = strstr(request->query, part);
    return at && (at[strlen(part)] == '\0' || at[strlen(part)] == '&');
}

static void hang(const struct scripted_request *request)
{
    while (scripted_wait(request, 1000))
        ;
}

/* -- the streaming form -------------------------------------------------------------------------------------------- */

static void serve_well(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    scripted_begin(request);
    if (is_streaming(request))
        scripted_piece(request, EVENT("ADDED", "%s") EVENT("ADDED", "%s") MARK("10"),
                       OBJECT("a", "3"), OBJECT("b", "2"));
    scripted_piece(request, EVENT("MODIFIED", "%s"), OBJECT("a", "11"));
    scripted_piece(request, EVENT("DELETED", "%s") EVENT("ADDED", "%s"), OBJECT("b", "12"),
                   OBJECT("c", "13"));
    hang(request);
}

static void one_request_brings_the_picture_and_the_changes(void **state)
{
    (void)state;
    struct seen seen;
    start_watch(&seen, serve_well, NULL);
    assert_false(kube_watch_is_synced(seen.watch));
    assert_told(&seen, "restart +a +b synced ~a -b +c");
    assert_true(kube_watch_is_synced(seen.watch));
    assert_int_equal(scripted_count(seen.bench->server, "GET"), 1);
    assert_int_equal(scripted_count(seen.bench->server,
                                    "GET " THINGS "?watch=1&allowWatchBookmarks=true&"
                                    "sendInitialEvents=true&resourceVersionMatch=NotOlderThan"),
                     1);
    end_watch(&seen);
}

static void serve_bytes(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    static const char text[] =
        EVENT("ADDED", OBJECT("a", "3")) MARK("10") EVENT("MODIFIED", OBJECT("a", "11")) "\r\n";
    scripted_begin(request);
    for (size_t i = 0; i < sizeof(text) - 1; i += 7) {
        scripted_piece(request, "%.7s", text + i);
        (void)scripted_wait(request, 1);
    }
    hang(request);
}

static void lines_may_come_in_any_pieces(void **state)
{
    (void)state;
    struct seen seen;
    start_watch(&seen, serve_bytes, NULL);
    assert_told(&seen, "restart +a synced ~a");
    end_watch(&seen);
}

static void selectors_are_sent_encoded(void **state)
{
    (void)state;
    struct seen seen = { .bench = bench_new(serve_well, NULL, NULL) };
    watch_from(&seen, &(struct kube_watch_opts){ .ns = "shop",
                                                 .label_selector = "a in (b,c)",
                                                 .field_selector = "metadata.name=x",
                                                 .is_metadata_only = true });
    wait_for(&seen, "synced");
    assert_int_equal(scripted_count(seen.bench->server,
                                    "/namespaces/shop/things?watch=1&allowWatchBookmarks=true&"
                                    "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&"
                                    "labelSelector=a%20in%20%28b%2Cc%29&"
                                    "fieldSelector=metadata.name%3Dx"),
                     1);
    end_watch(&seen);
}

/* -- servers without it -------------------------------------------------------------------------------------------- */

static void serve_pages(const struct scripted_request *request)
{
    if (strstr(request->query, "continue=next%2F2"))
        scripted_reply(request, 200, NULL,
                       "{\"metadata\":{\"resourceVersion\":\"20\"},\"items\":[{\"metadata\":"
                       "{\"name\":\"b\"}}]}");
    else
        scripted_reply(request, 200, NULL,
                       "{\"metadata\":{\"resourceVersion\":\"20\",\"continue\":\"next/2\"},"
                       "\"items\":[{\"metadata\":{\"name\":\"a\"}}]}");
}

static void serve_old(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    if (is_streaming(request)) {
        scripted_reply(request, 422, NULL, FORBIDDEN_FORM);
    } else if (!is_watch(request)) {
        serve_pages(request);
    } else {
        scripted_begin(request);
        if (is_from(request, "20"))
            scripted_piece(request, EVENT("ADDED", "%s"), OBJECT("c", "21"));
        hang(request);
    }
}

static void a_server_that_refuses_the_form_is_listed_and_watched(void **state)
{
    (void)state;
    struct seen seen;
    start_watch(&seen, serve_old, NULL);
    assert_told(&seen, "restart restart +a +b synced +c");
    assert_int_equal(scripted_count(seen.bench->server, "?limit=500"), 2);
    assert_int_equal(scripted_count(seen.bench->server, "sendInitialEvents"), 1);
    end_watch(&seen);
}

/* Knows none of the parameters: sends everything, marks nothing. */
static void serve_ancient(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    if (!is_watch(request)) {
        serve_pages(request);
        return;
    }
    scripted_begin(request);
    if (is_streaming(request))
        scripted_piece(request, EVENT("ADDED", "%s") EVENT("ADDED", "%s"), OBJECT("a", "3"),
                       OBJECT("b", "2"));
    else if (is_from(request, "20"))
        scripted_piece(request, EVENT("DELETED", "%s"), OBJECT("a", "21"));
    for (int i = 0; is_streaming(request) && scripted_wait(request, 20); i++)
        scripted_piece(request, EVENT("MODIFIED", OBJECT("b", "%d")), 100 + i);
    hang(request);
}

static void a_server_that_ignores_the_form_is_noticed(void **state)
{
    (void)state;
    struct seen seen = { .bench = bench_new(serve_ancient, NULL, NULL) };
    watch_from(&seen, &(struct kube_watch_opts){ .unmarked_ms = 300 });
    wait_for(&seen, "restart +a +b synced -a");
    assert_memory_equal(sbuf_text(&seen.text), "restart +a +b ~b ~b", 19);
    assert_null(strstr(sbuf_text(&seen.text), "trouble"));
    end_watch(&seen);
}

static void serve_unlisted(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    if (is_streaming(request))
        scripted_reply(request, 400, NULL, "{\"kind\":\"Status\",\"message\":\"bad selector\"}");
    else
        scripted_reply(request, 400, NULL,
                       "{\"kind\":\"Status\",\"message\":\"unable to parse requirement\"}");
}

static void a_selector_that_is_wrong_is_reported_once(void **state)
{
    (void)state;
    struct seen seen;
    start_watch(&seen, serve_unlisted, NULL);
    wait_for(&seen, "trouble");
    assert_non_null(strstr(seen.trouble, "unable to parse requirement"));
    while (scripted_count(seen.bench->server, "limit=500") < 3)
        bench_turn_for(seen.bench, 10);
    assert_null(strstr(strstr(sbuf_text(&seen.text), "trouble") + 1, "trouble"));
    end_watch(&seen);
}

static void serve_expiring_list(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    if (is_streaming(request))
        scripted_reply(request, 422, NULL, FORBIDDEN_FORM);
    else if (is_watch(request)) {
        scripted_begin(request);
        hang(request);
    } else if (strstr(request->query, "continue=") && request->count < 4)
        scripted_reply(request, 410, NULL, GONE_STATUS);
    else
        serve_pages(request);
}

static void a_list_that_expires_in_the_middle_begins_again(void **state)
{
    (void)state;
    struct seen seen;
    start_watch(&seen, serve_expiring_list, NULL);
    assert_told(&seen, "restart restart +a restart +a +b synced");
    end_watch(&seen);
}

/* -- going on ------------------------------------------------------------------------------------------------------ */

/* The first stream ends in the way of `ctx` after the mark 10 and event 11; what follows must come from 11. */
static void serve_ending(void *ctx, const struct scripted_request *request)
{
    const char *way = ctx;
    scripted_begin(request);
    if (is_streaming(request)) {
        scripted_piece(request, EVENT("ADDED", "%s") MARK("10"), OBJECT("a", "3"));
        scripted_piece(request, EVENT("MODIFIED", "%s"), OBJECT("a", "11"));
        if (!strcmp(way, "bookmark")) {
            scripted_piece(request, BOOKMARK("15"));
            (void)scripted_wait(request, 20);
            scripted_end(request);
        } else if (!strcmp(way, "end")) {
            (void)scripted_wait(request, 20);
            scripted_end(request);
        } else if (!strcmp(way, "half a line")) {
            scripted_piece(request, "{\"type\":\"ADDED\",\"obj");
        } else if (!strcmp(way, "garbage")) {
            scripted_piece(request, "Internal error\n" EVENT("ADDED", "%s"), OBJECT("z", "99"));
        } else if (!strcmp(way, "chunks")) {
            scripted_send(request, "not a chunk\r\n", 13);
        } else if (!strcmp(way, "silence")) {
            hang(request);
        } else if (!strcmp(way, "huge")) {
            for (int i = 0; i < 9 * 16 && scripted_wait(request, 0); i++)
                scripted_piece(request, "%065536d", 0);
        }
        return; /* cut */
    }
    if (is_from(request, !strcmp(way, "bookmark") ? "15" : "11"))
        scripted_piece(request, EVENT("ADDED", "%s"), OBJECT("b", "16"));
    hang(request);
}

static const struct ending_case {
    const char *name, *way, *told;
} endings[] = {
    { "a stream that ends is resumed from its last event", "end", "restart +a synced ~a +b" },
    { "or from its last bookmark", "bookmark", "restart +a synced ~a +b" },
    { "a stream that is cut is resumed", "cut", "restart +a synced ~a +b" },
    { "half a line is forgotten", "half a line", "restart +a synced ~a +b" },
    { "what stands behind garbage is not believed", "garbage", "restart +a synced ~a trouble +b" },
    { "a broken transfer is resumed", "chunks", "restart +a synced ~a +b" },
    { "a silent stream is cut and resumed", "silence", "restart +a synced ~a +b" },
    { "a line without end is trouble", "huge", "restart +a synced ~a trouble +b" },
};

static void stream_goes_on(void **state)
{
    const struct ending_case *row = *state;
    struct seen seen = { .bench = bench_new(serve_ending, (void *)row->way, NULL) };
    bool is_silent = !strcmp(row->way, "silence");
    watch_from(&seen, &(struct kube_watch_opts){ .silence_ms = is_silent ? 300 : 8000 });
    assert_told(&seen, row->told);
    assert_int_equal(scripted_count(seen.bench->server, "sendInitialEvents"), 1);
    end_watch(&seen);
}

/* The first stream goes on until 11; then the version is gone, in the way of `ctx`. */
static void serve_gone(void *ctx, const struct scripted_request *request)
{
    const char *way = ctx;
    if (!is_streaming(request) && !strcmp(way, "status")) {
        scripted_reply(request, 410, NULL, GONE_STATUS);
        return;
    }
    scripted_begin(request);
    if (!is_streaming(request)) {
        scripted_piece(request, GONE);
        hang(request);
    } else if (request->count == 0) {
        scripted_piece(request, EVENT("ADDED", "%s") MARK("10") EVENT("MODIFIED", "%s"),
                       OBJECT("a", "3"), OBJECT("a", "11"));
    } else {
        scripted_piece(request, EVENT("ADDED", "%s") MARK("30"), OBJECT("b", "29"));
        hang(request);
    }
}

static void a_version_that_is_gone_begins_a_new_picture(void **state)
{
    (void)state;
    static const char *const ways[] = { "status", "event" };
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct seen seen;
        start_watch(&seen, serve_gone, (void *)ways[i]);
        assert_told(&seen, "restart +a synced ~a restart +b synced");
        assert_true(kube_watch_is_synced(seen.watch));
        end_watch(&seen);
    }
}

static void serve_rubbish(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    scripted_begin(request);
    if (is_streaming(request))
        scripted_piece(request, EVENT("ADDED", "%s") MARK("10"), OBJECT("a", "3"));
    if (request->count < KUBE_WATCH_GARBAGE_RUNS)
        scripted_piece(request, "\x01\x02 rubbish\n");
    hang(request);
}

static void rubbish_again_and_again_begins_a_new_picture(void **state)
{
    (void)state;
    struct seen seen;
    start_watch(&seen, serve_rubbish, NULL);
    assert_told(&seen, "restart +a synced trouble restart +a synced");
    end_watch(&seen);
}

static void serve_flaky(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    if (request->count < 3) {
        scripted_reply(request, 503, NULL, "no");
        return;
    }
    serve_well(NULL, request);
}

static void trouble_is_reported_once_until_it_is_over(void **state)
{
    (void)state;
    struct seen seen;
    start_watch(&seen, serve_flaky, NULL);
    assert_told(&seen, "restart trouble restart restart restart +a +b synced ~a -b +c");
    assert_non_null(strstr(seen.trouble, "watch " THINGS));
    assert_non_null(strstr(seen.trouble, "503"));
    end_watch(&seen);
}

static void serve_busy(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    if (request->count == 0)
        scripted_reply(request, 429, "Retry-After: 1\r\n", "busy");
    else
        serve_well(NULL, request);
}

static void retry_after_is_obeyed(void **state)
{
    (void)state;
    struct seen seen;
    start_watch(&seen, serve_busy, NULL);
    int64_t start_ms = loop_now_ms(seen.bench->loop);
    wait_for(&seen, "synced");
    assert_true(loop_now_ms(seen.bench->loop) - start_ms >= 1000);
    end_watch(&seen);
}

static void serve_closing(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    scripted_begin(request);
    if (is_streaming(request))
        scripted_piece(request, MARK("10"));
    scripted_end(request);
}

static void a_server_that_closes_at_once_is_not_hammered(void **state)
{
    (void)state;
    struct seen seen;
    start_watch(&seen, serve_closing, NULL);
    wait_for(&seen, "synced");
    bench_turn_for(seen.bench, 700); /* back-off from 20 ms: at most 20, 40, 80, 160, 320 */
    assert_in_range(scripted_count(seen.bench->server, "GET"), 3, 12);
    end_watch(&seen);
}

/* -- stopping ------------------------------------------------------------------------------------------------------ */

static void a_watch_may_be_stopped_from_any_of_its_callbacks(void **state)
{
    (void)state;
    static const struct {
        scripted_serve serve;
        const char *at, *told;
    } cases[] = {
        { serve_well, "restart", "restart" },
        { serve_well, "+a", "restart +a" },
        { serve_well, "synced", "restart +a +b synced" },
        { serve_well, "~a", "restart +a +b synced ~a" },
        { serve_old, "+b", "restart restart +a +b" },
        { serve_old, "synced", "restart restart +a +b synced" },
        { serve_flaky, "trouble", "restart trouble" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seen seen = { .bench = bench_new(cases[i].serve, NULL, NULL),
                             .stop_at = cases[i].at };
        watch_from(&seen, &(struct kube_watch_opts){ .silence_ms = 300 });
        wait_for(&seen, cases[i].told);
        bench_turn_for(seen.bench, 50);
        assert_string_equal(sbuf_text(&seen.text), cases[i].told);
        assert_null(seen.watch);
        end_watch(&seen);
    }
}

static void a_watch_may_be_stopped_at_any_time(void **state)
{
    (void)state;
    static const scripted_serve serves[] = { serve_well, serve_old, serve_flaky, serve_ancient };
    for (size_t i = 0; i < ARRAY_LEN(serves); i++) {
        for (int64_t ms = 0; ms < 60; ms += 6) {
            struct seen seen;
            start_watch(&seen, serves[i], NULL);
            bench_turn_for(seen.bench, ms);
            end_watch(&seen);
        }
    }
}

/* -- lists --------------------------------------------------------------------------------------------------------- */

struct listed {
    struct bench *bench;
    struct sbuf names;
    ticket id;
    bool is_done, cancels;
    char error[256], version[64];
};

static void on_listed_object(void *ctx, const struct val *object)
{
    struct listed *listed = ctx;
    sbuf_addf(&listed->names, "%s:%s/%s ", object_name(object), object_api_version(object),
              object_kind(object));
    if (listed->cancels)
        kube_list_cancel(listed->bench->kube, listed->id);
}

static void on_listed(void *ctx, const struct err *e, const char *version)
{
    struct listed *listed = ctx;
    assert_false(listed->is_done);
    listed->is_done = true;
    snprintf(listed->error, sizeof(listed->error), "%s", err_text(e));
    snprintf(listed->version, sizeof(listed->version), "%s", version);
}

static bool is_listed(void *ctx)
{
    return ((struct listed *)ctx)->is_done;
}

static void list(struct listed *listed, scripted_serve serve)
{
    *listed = (struct listed){ .bench = bench_new(serve, NULL, NULL), .cancels = listed->cancels };
    sbuf_init(&listed->names, SBUF_MAX);
    listed->id =
        kube_list_start(listed->bench->kube, &things, NULL, on_listed_object, on_listed, listed);
}

static void end_list(struct listed *listed)
{
    bench_free(listed->bench);
    sbuf_fini(&listed->names);
}

static void a_list_is_read_page_by_page(void **state)
{
    (void)state;
    struct listed listed = { 0 };
    list(&listed, serve_old);
    assert_true(bench_until(listed.bench, is_listed, &listed));
    assert_string_equal(listed.error, "");
    assert_string_equal(listed.version, "20");
    assert_string_equal(sbuf_text(&listed.names), "a:example.com/v1/Thing b:example.com/v1/Thing ");
    end_list(&listed);
}

static void a_list_alone_begins_again_by_itself(void **state)
{
    (void)state;
    struct listed listed = { 0 };
    list(&listed, serve_expiring_list);
    assert_true(bench_until(listed.bench, is_listed, &listed));
    assert_string_equal(listed.error, "");
    assert_non_null(strstr(sbuf_text(&listed.names), "a:example.com/v1/Thing a:"));
    assert_non_null(strstr(sbuf_text(&listed.names), "b:"));
    end_list(&listed);
}

static void serve_bad_list(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    scripted_reply(request, 200, NULL,
                   "{\"items\":[{\"metadata\":{\"name\":\"a\"}},{\"metadata\" 1}]}");
}

static void a_broken_page_is_an_error(void **state)
{
    (void)state;
    struct listed listed = { 0 };
    list(&listed, serve_bad_list);
    assert_true(bench_until(listed.bench, is_listed, &listed));
    assert_non_null(strstr(listed.error, "list item"));
    assert_string_equal(listed.version, "");
    end_list(&listed);
}

static void a_list_may_be_cancelled_while_it_hands_on(void **state)
{
    (void)state;
    struct listed listed = { .cancels = true };
    list(&listed, serve_old);
    bench_turn_for(listed.bench, 100);
    assert_false(listed.is_done);
    assert_string_equal(sbuf_text(&listed.names), "a:example.com/v1/Thing ");
    end_list(&listed);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(one_request_brings_the_picture_and_the_changes),
        SINGLE(lines_may_come_in_any_pieces),
        SINGLE(selectors_are_sent_encoded),
        SINGLE(a_server_that_refuses_the_form_is_listed_and_watched),
        SINGLE(a_server_that_ignores_the_form_is_noticed),
        SINGLE(a_selector_that_is_wrong_is_reported_once),
        SINGLE(a_list_that_expires_in_the_middle_begins_again),
        SINGLE(a_version_that_is_gone_begins_a_new_picture),
        SINGLE(rubbish_again_and_again_begins_a_new_picture),
        SINGLE(trouble_is_reported_once_until_it_is_over),
        SINGLE(retry_after_is_obeyed),
        SINGLE(a_server_that_closes_at_once_is_not_hammered),
        SINGLE(a_watch_may_be_stopped_from_any_of_its_callbacks),
        SINGLE(a_watch_may_be_stopped_at_any_time),
        SINGLE(a_list_is_read_page_by_page),
        SINGLE(a_list_alone_begins_again_by_itself),
        SINGLE(a_broken_page_is_an_error),
        SINGLE(a_list_may_be_cancelled_while_it_hands_on),
        ROWS(endings, stream_goes_on),
    };
    return rows_run("kube_watch", tests, ARRAY_LEN(tests));
}
